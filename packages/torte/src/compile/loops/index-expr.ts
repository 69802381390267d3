/**
 * Integer expressions over loop variables: where an element lies, as sums of multiples of atoms.
 *
 * Reshapes introduce quotients and remainders; most vanish at once, because the ranges of the variables are known.
 */
import type { Expr } from "./expr.js";
import { elementAt, sizeAt } from "../../tensor/shape.js";

/** A loop variable, 0 … extent−1. */
export interface LoopVariable {
  readonly kind: "variable";
  readonly id: number;
  readonly extent: number;
}

/** floor(of / by). */
export interface Quotient {
  readonly kind: "quotient";
  readonly id: number;
  readonly of: Index;
  readonly by: number;
}

/** An int32 value read or computed at run time, in 0 … extent−1: the row of a gather. */
export interface Dynamic {
  readonly kind: "dynamic";
  readonly id: number;
  readonly extent: number;
  readonly value: Expr;
}

export type Atom = LoopVariable | Quotient | Dynamic;

export interface Term {
  readonly atom: Atom;
  readonly factor: number;
}

/** offset + Σ factor·atom: terms sorted by atom, no atom twice, no factor 0. */
export interface Index {
  readonly offset: number;
  readonly terms: readonly Term[];
}

export function sameIndex(a: Index, b: Index): boolean {
  if (a === b) return true;
  if (a.offset !== b.offset || a.terms.length !== b.terms.length) return false;
  for (let i = 0; i < a.terms.length; i++) {
    const x = a.terms[i];
    const y = b.terms[i];
    if (x !== y && (x?.atom !== y?.atom || x?.factor !== y?.factor)) return false;
  }
  return true;
}

/** An odd number whose multiples lie far apart: 2³² over the golden ratio. */
const SPREAD = 0x9e3779b1;

/** A number from another and a whole number, spread over 32 bits. */
export function mixHash(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value, SPREAD);
  return mixed ^ (mixed >>> 15);
}

/** The same for equal indices. */
export function hashIndex({ offset, terms }: Index): number {
  let hash = offset | 0;
  for (let i = 0, term = terms[0]; term !== undefined; term = terms[++i])
    hash = Math.imul(Math.imul(hash, SPREAD) ^ term.atom.id, SPREAD) + term.factor;
  return hash | 0;
}

/** Makes the atoms of one compilation and keeps equal ones identical. */
export class Atoms {
  #next = 0;
  /** By hash; where that is taken by another, by the next number that is free. */
  readonly #quotients = new Map<number, Quotient>();
  readonly #dynamics = new Map<Expr, Dynamic>();

  variable(extent: number): LoopVariable {
    return { kind: "variable", id: this.#next++, extent };
  }

  quotient(of: Index, by: number): Quotient {
    let at = mixHash(hashIndex(of), by);
    for (let known = this.#quotients.get(at); known !== undefined; known = this.#quotients.get(++at))
      if (known.by === by && sameIndex(known.of, of)) return known;
    const atom: Quotient = { kind: "quotient", id: this.#next++, of, by };
    this.#quotients.set(at, atom);
    return atom;
  }

  dynamic(value: Expr, extent: number): Dynamic {
    let atom = this.#dynamics.get(value);
    if (atom === undefined) {
      atom = { kind: "dynamic", id: this.#next++, extent, value };
      this.#dynamics.set(value, atom);
    }
    return atom;
  }
}

const NO_TERMS: readonly Term[] = [];
export const ZERO: Index = { offset: 0, terms: NO_TERMS };
export const constantIndex = (offset: number): Index => (offset === 0 ? ZERO : { offset, terms: NO_TERMS });

const single = (atom: Atom, factor: number): Index => ({ offset: 0, terms: [{ atom, factor }] });

/** The atom itself; a variable that can only be 0 is 0. */
export const indexOf = (atom: Atom): Index => (atom.kind === "variable" && atom.extent === 1 ? ZERO : single(atom, 1));

export const addIndex = (a: Index, b: Index): Index => addScaled(a, b, 1);

/** a + by·b. */
export function addScaled(a: Index, b: Index, by: number): Index {
  if (b.terms.length === 0 || by === 0) return shiftIndex(a, b.offset * by);
  if (a.terms.length === 0) return shiftIndex(scaleIndex(b, by), a.offset);
  const terms: Term[] = [];
  let j = 0;
  let other = b.terms[0];
  for (let i = 0, term = a.terms[0]; term !== undefined; term = a.terms[++i]) {
    for (; other !== undefined && other.atom.id < term.atom.id; other = b.terms[++j]) terms.push(scaled(other, by));
    if (other?.atom === term.atom) {
      const factor = term.factor + other.factor * by;
      if (factor !== 0) terms.push({ atom: term.atom, factor });
      other = b.terms[++j];
    } else terms.push(term);
  }
  for (; other !== undefined; other = b.terms[++j]) terms.push(scaled(other, by));
  return { offset: a.offset + b.offset * by, terms };
}

const scaled = (term: Term, by: number): Term => (by === 1 ? term : { atom: term.atom, factor: term.factor * by });

export function scaleIndex(a: Index, by: number): Index {
  if (by === 1) return a;
  if (by === 0) return ZERO;
  if (a.terms.length === 0) return constantIndex(a.offset * by);
  const terms: Term[] = [];
  for (let i = 0, term = a.terms[0]; term !== undefined; term = a.terms[++i]) terms.push(scaled(term, by));
  return { offset: a.offset * by, terms };
}

export const shiftIndex = (a: Index, by: number): Index => (by === 0 ? a : { offset: a.offset + by, terms: a.terms });

export interface Range {
  readonly low: number;
  readonly high: number;
}

function atomRange(atom: Atom): Range {
  if (atom.kind !== "quotient") return { low: 0, high: atom.extent - 1 };
  const { low, high } = rangeOf(atom.of);
  return { low: Math.floor(low / atom.by), high: Math.floor(high / atom.by) };
}

/** The smallest and largest value; a remainder, stored as x − by·⌊x/by⌋, is recognised. */
export function rangeOf(index: Index): Range {
  const remainder = asRemainder(index);
  if (remainder !== undefined) return remainder;
  let low = index.offset;
  let high = index.offset;
  for (let i = 0, term = index.terms[0]; term !== undefined; term = index.terms[++i]) {
    const { atom, factor } = term;
    const range = atomRange(atom);
    low += Math.min(factor * range.low, factor * range.high);
    high += Math.max(factor * range.low, factor * range.high);
  }
  return { low, high };
}

/** Bounds from splitting off each x − by·⌊x/by⌋ within the sum, which lies in 0 … by−1 times its multiplier. */
function asRemainder(index: Index): Range | undefined {
  for (let i = 0, term = index.terms[0]; term !== undefined; term = index.terms[++i]) {
    const { atom, factor } = term;
    if (atom.kind !== "quotient" || factor % atom.by !== 0) continue;
    const multiplier = -factor / atom.by;
    if (!containsMultiple(index, atom.of, multiplier)) continue;
    const rest = addScaled(addIndex(index, single(atom, -factor)), atom.of, -multiplier);
    const other = rangeOf(rest);
    const reach = multiplier * (atom.by - 1);
    return { low: other.low + Math.min(0, reach), high: other.high + Math.max(0, reach) };
  }
  return undefined;
}

function containsMultiple(index: Index, part: Index, multiplier: number): boolean {
  return part.terms.every((term) =>
    index.terms.some((other) => other.atom === term.atom && other.factor === term.factor * multiplier),
  );
}

/** floor(a / by). */
export function divideIndex(atoms: Atoms, a: Index, by: number): Index {
  if (by === 1) return a;
  if (a.terms.length === 0) return constantIndex(Math.floor(a.offset / by));
  const { multiple: quotient, rest } = splitMultiple(a, by);
  const { low, high } = rangeOf(rest);
  if (Math.floor(low / by) === Math.floor(high / by)) return shiftIndex(quotient, Math.floor(low / by));
  const only = rest.offset === 0 && rest.terms.length === 1 ? rest.terms[0] : undefined;
  if (only?.factor === 1 && only.atom.kind === "quotient") {
    // ⌊⌊x/p⌋/q⌋ = ⌊x/(p·q)⌋
    return addIndex(quotient, divideIndex(atoms, only.atom.of, only.atom.by * by));
  }
  const reduced = dropSmall(atoms, rest, by);
  if (reduced !== undefined) return addIndex(quotient, reduced);
  // Machines truncate, and places start at 0: what is divided must not be negative.
  const lift = Math.max(0, Math.ceil(-low / by));
  return shiftIndex(addIndex(quotient, single(atoms.quotient(shiftIndex(rest, lift * by), by), 1)), -lift);
}

const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));

/** ⌊(g·A + r) / by⌋ = ⌊A / (by/g)⌋ where g divides by and 0 ≤ r < g. */
function dropSmall(atoms: Atoms, a: Index, by: number): Index | undefined {
  let tried = 1;
  for (let i = 0, term = a.terms[0]; term !== undefined; term = a.terms[++i]) {
    const g = gcd(by, term.factor);
    if (g === 1 || g === tried) continue;
    tried = g;
    const { multiple, rest } = splitMultiple(a, g);
    const { low, high } = rangeOf(rest);
    if (low >= 0 && high < g) return divideIndex(atoms, multiple, by / g);
  }
  return undefined;
}

/** a = by·multiple + rest, where the terms of the rest are no multiples and its offset is in 0 … by−1. */
function splitMultiple(a: Index, by: number): { readonly multiple: Index; readonly rest: Index } {
  const whole: Term[] = [];
  const others: Term[] = [];
  for (let i = 0, term = a.terms[0]; term !== undefined; term = a.terms[++i]) {
    if (term.factor % by === 0) whole.push({ atom: term.atom, factor: term.factor / by });
    else others.push(term);
  }
  const offset = Math.floor(a.offset / by);
  return { multiple: { offset, terms: whole }, rest: { offset: a.offset - offset * by, terms: others } };
}

/** a − by·floor(a / by). */
export function remainderIndex(atoms: Atoms, a: Index, by: number): Index {
  return by === 1 ? ZERO : addScaled(a, divideIndex(atoms, a, by), -by);
}

/** Whether the value of the atom depends on the variable. */
export function dependsOn(index: Index, variable: LoopVariable): boolean {
  return index.terms.some(({ atom }) => {
    if (atom.kind === "variable") return atom === variable;
    return atom.kind === "quotient" ? dependsOn(atom.of, variable) : atom.value.variables.includes(variable);
  });
}

/** Adds the loop variables that the index depends on and that are missing. */
export function collectVariables(index: Index, into: LoopVariable[]): void {
  for (let i = 0, term = index.terms[0]; term !== undefined; term = index.terms[++i]) {
    const { atom } = term;
    if (atom.kind === "quotient") collectVariables(atom.of, into);
    else if (atom.kind === "dynamic") addMissing(atom.value.variables, into);
    else if (!into.includes(atom)) into.push(atom);
  }
}

export function addMissing(variables: readonly LoopVariable[], into: LoopVariable[]): void {
  for (const variable of variables) if (!into.includes(variable)) into.push(variable);
}

/** The factor of the variable where it enters only as a plain multiple, else undefined. */
export function factorOf(index: Index, variable: LoopVariable): number | undefined {
  let factor = 0;
  for (let i = 0, term = index.terms[0]; term !== undefined; term = index.terms[++i]) {
    const { atom } = term;
    if (atom === variable) factor = term.factor;
    else if (atom.kind === "quotient" && dependsOn(atom.of, variable)) return undefined;
    else if (atom.kind === "dynamic" && atom.value.variables.includes(variable)) return undefined;
  }
  return factor;
}

/** Row-major position of the coordinates in an array of `shape`. */
export function linearIndex(coordinates: readonly Index[], shape: readonly number[]): Index {
  let sum = ZERO;
  let stride = 1;
  for (let i = coordinates.length - 1; i >= 0; i--) {
    sum = addScaled(sum, elementAt(coordinates, i), stride);
    stride *= sizeAt(shape, i);
  }
  return sum;
}

/** The coordinates in an array of `shape` of its row-major element `linear`. */
export function coordinatesOf(atoms: Atoms, linear: Index, shape: readonly number[]): Index[] {
  const result: Index[] = [];
  let rest = linear;
  for (let i = shape.length - 1; i > 0; i--) {
    const n = sizeAt(shape, i);
    const quotient = divideIndex(atoms, rest, n);
    result.push(n === 1 ? ZERO : addScaled(rest, quotient, -n));
    rest = quotient;
  }
  if (shape.length > 0) result.push(rest);
  return result.reverse();
}
