/**
 * The cost model: operations per element, roughly, in units of a vector addition. One table for all who weigh: what is
 * recomputed instead of stored (`fusion/materialize.ts`) and how a kernel is shared among threads (`schedule/threads.ts`).
 */
import type { Primitive } from "../graph/node.js";

/** Of a movement: the arithmetic of its index expressions. */
const MOVED = 1;
/** Of what is kept in memory in any case: a load. */
const LOADED = 1;

export const COST: { readonly [P in Primitive]: number } = {
  constant: 0,
  iota: 1,
  state: LOADED,
  uniform: 20,
  neg: 1,
  abs: 1,
  sign: 1,
  floor: 1,
  exp: 15,
  expm1: 20,
  log: 18,
  log1p: 20,
  sqrt: 4,
  tanh: 20,
  sigmoid: 20,
  softplus: 35,
  erf: 30,
  erfc: 35,
  sin: 25,
  cos: 25,
  not: 1,
  stopGradient: 1,
  copy: 1,
  cast: 1,
  add: 1,
  sub: 1,
  mul: 1,
  div: 4,
  pow: 35,
  max: 1,
  min: 1,
  mod: 8,
  bitXor: 1,
  shiftRight: 1,
  less: 1,
  lessEqual: 1,
  equal: 1,
  and: 1,
  or: 1,
  select: 1,
  reshape: MOVED,
  transpose: MOVED,
  broadcast: MOVED,
  slice: MOVED,
  pad: MOVED,
  reverse: MOVED,
  concat: MOVED,
  windows: MOVED,
  fold: MOVED,
  sum: LOADED,
  reduceMax: LOADED,
  argmax: LOADED,
  contract: LOADED,
  linearMap: LOADED,
  gather: 3,
  scatterAdd: LOADED,
};
