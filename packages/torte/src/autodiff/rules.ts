/**
 * One rule per primitive: from the gradient of its result to those of its inputs. The table is total, and each rule emits
 * nodes, so that a gradient can be differentiated again.
 */
import { constant, iota, make } from "../graph/make.js";
import { type Attributes, type Node, type NodeOf, type Primitive, transposeMatrix } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { sizeAt, sizeOf, stridesOf } from "../tensor/shape.js";

/** Gradients of the inputs, in order; undefined where nothing depends on an input smoothly. */
export type Rule<P extends Primitive> = (
  g: Node,
  node: NodeOf<P>,
  inputs: readonly Node[],
  out: Node,
) => (Node | undefined)[];

const none = (): undefined[] => [];
const { mul, add, sub, div, neg, where } = ops;

const input = (inputs: readonly Node[], i = 0): Node => {
  const node = inputs[i];
  if (node === undefined) throw new RangeError(`input ${i} is missing`);
  return node;
};

/** dx = g·f'(x), the derivative given by the input or the output. */
const chain =
  (derivative: (x: Node, out: Node) => Node): Rule<Primitive> =>
  (g, _node, inputs, out) => [mul(g, derivative(input(inputs), out))];

const pair =
  (rule: (g: Node, a: Node, b: Node, out: Node) => [Node, Node]): Rule<Primitive> =>
  (g, _node, inputs, out) =>
    rule(g, input(inputs, 0), input(inputs, 1), out);

/** The reduced axes put back in and repeated. */
function expand(g: Node, shape: readonly number[], axes: readonly number[]): Node {
  return ops.broadcastTo(
    ops.reshape(
      g,
      shape.map((n, axis) => (axes.includes(axis) ? 1 : n)),
    ),
    shape,
  );
}

/** Row-major position within the reduced axes, for each element. */
function positionWithin(shape: readonly number[], axes: readonly number[]): Node {
  const strides = stridesOf(axes.map((axis) => sizeAt(shape, axis)));
  const parts = axes.map((axis, i) => mul(iota(shape, axis), sizeAt(strides, i)));
  return parts.reduce((sum, part) => add(sum, part));
}

/** Undoes padding: a strided slice, cut short by nothing. */
function unpad(g: Node, x: Node, { low, interior }: Attributes["pad"]): Node {
  const step = interior.map((n) => n + 1);
  const stop = x.shape.map((n, i) => sizeAt(low, i) + (n === 0 ? 0 : (n - 1) * sizeAt(step, i) + 1));
  return make("slice", [g], { start: low, stop, step });
}

/** Undoes slicing: zeros around and between. */
function unslice(g: Node, x: Node, { start, step }: Attributes["slice"]): Node {
  const covered = g.shape.map((n, i) => (n === 0 ? 0 : (n - 1) * sizeAt(step, i) + 1));
  return make("pad", [g], {
    low: start,
    high: x.shape.map((n, i) => n - sizeAt(start, i) - sizeAt(covered, i)),
    interior: step.map((n) => n - 1),
    value: 0,
  });
}

function inverse(permutation: readonly number[]): number[] {
  return permutation.map((_, axis) => permutation.indexOf(axis));
}

export const RULES: { readonly [P in Primitive]: Rule<P> } = {
  constant: none,
  iota: none,
  state: none,
  uniform: none,
  neg: (g) => [neg(g)],
  abs: chain((x) => ops.sign(x)),
  sign: none,
  floor: none,
  exp: chain((_x, out) => out),
  expm1: chain((_x, out) => add(out, 1)),
  log: (g, _node, inputs) => [div(g, input(inputs))],
  log1p: (g, _node, inputs) => [div(g, add(1, input(inputs)))],
  sqrt: (g, _node, _inputs, out) => [div(mul(g, 0.5), out)],
  tanh: chain((_x, out) => sub(1, mul(out, out))),
  sigmoid: chain((_x, out) => mul(out, sub(1, out))),
  softplus: chain((x) => ops.sigmoid(x)),
  // erf'(x) = 2/√π · exp(−x²)
  erf: chain((x) => mul(ops.exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
  erfc: chain((x) => mul(ops.exp(neg(mul(x, x))), -2 / Math.sqrt(Math.PI))),
  sin: chain((x) => ops.cos(x)),
  cos: chain((x) => neg(ops.sin(x))),
  not: none,
  stopGradient: none,
  copy: (g) => [g],
  cast: (g, node, inputs) => [node.dtype === "float32" && input(inputs).dtype === "float32" ? g : undefined],
  add: pair((g) => [g, g]),
  sub: pair((g) => [g, neg(g)]),
  mul: pair((g, a, b) => [mul(g, b), mul(g, a)]),
  // d(a/b) = da/b − (a/b)·db/b
  div: pair((g, _a, b, out) => {
    const da = div(g, b);
    return [da, neg(mul(da, out))];
  }),
  // d(aᵇ) = b·aᵇ⁻¹·da + aᵇ·log a·db; the second part is 0 at a = 0
  pow: pair((g, a, b, out) => [
    mul(g, where(ops.equal(b, 0), 0, mul(b, ops.pow(a, sub(b, 1))))),
    mul(g, where(ops.equal(a, 0), 0, mul(out, ops.log(where(ops.equal(a, 0), 1, a))))),
  ]),
  // Asked of the result, which is kept anyway; a tie counts for the second, so that relu'(0) = 0.
  max: pair((g, _a, b, out) => {
    const first = ops.less(b, out);
    return [where(first, g, 0), where(first, 0, g)];
  }),
  min: pair((g, _a, b, out) => {
    const first = ops.less(out, b);
    return [where(first, g, 0), where(first, 0, g)];
  }),
  mod: none,
  bitXor: none,
  shiftRight: none,
  less: none,
  lessEqual: none,
  equal: none,
  and: none,
  or: none,
  select: (g, _node, inputs) => [undefined, where(input(inputs), g, 0), where(input(inputs), 0, g)],
  reshape: (g, _node, inputs) => [ops.reshape(g, input(inputs).shape)],
  transpose: (g, node) => [ops.transpose(g, inverse(node.attributes.permutation))],
  broadcast: (g, node, inputs) => {
    const x = input(inputs);
    const axes = x.shape.flatMap((n, axis) => (n !== node.shape[axis] ? [axis] : []));
    return [ops.reshape(ops.sum(g, { axes }), x.shape)];
  },
  slice: (g, node, inputs) => [unslice(g, input(inputs), node.attributes)],
  pad: (g, node, inputs) => [unpad(g, input(inputs), node.attributes)],
  reverse: (g, node) => [ops.reverse(g, node.attributes.axes)],
  concat: (g, node, inputs) => {
    const { axis } = node.attributes;
    let start = 0;
    return inputs.map((x) => {
      const from = start;
      start += sizeAt(x.shape, axis);
      return ops.slice(g, axis, from, start);
    });
  },
  windows: (g, node, inputs) => {
    const { axis, size } = node.attributes;
    return [ops.fold(g, { ...node.attributes, lengths: input(inputs).shape.slice(axis, axis + size.length) })];
  },
  fold: (g, node) => {
    const { axis, size, stride, dilation } = node.attributes;
    return [ops.windows(g, { axis, size, stride, dilation })];
  },
  sum: (g, node, inputs) => [expand(g, input(inputs).shape, node.attributes.axes)],
  // The first maximum takes all.
  reduceMax: (g, node, inputs) => {
    const x = input(inputs);
    const { axes } = node.attributes;
    if (axes.length === 0 || sizeOf(x.shape) === sizeOf(node.shape)) return [ops.reshape(g, x.shape)];
    const first = expand(ops.argmax(x, { axes }), x.shape, axes);
    return [where(ops.equal(first, positionWithin(x.shape, axes)), expand(g, x.shape, axes), 0)];
  },
  argmax: none,
  // The labels of the gradient and of the other factor are all that a factor has.
  contract: (g, node, inputs) => {
    const { a, b, out } = node.attributes;
    return [ops.einsum(`${out},${b}->${a}`, g, input(inputs, 1)), ops.einsum(`${a},${out}->${b}`, input(inputs, 0), g)];
  },
  linearMap: (g, node) => {
    const { axis, to, matrix } = node.attributes;
    return [ops.linearMap(g, to, transposeMatrix(matrix), axis)];
  },
  gather: (g, _node, inputs) => [ops.scatterAdd(input(inputs, 1), g, sizeAt(input(inputs).shape, 0))],
  scatterAdd: (g, node, inputs) => {
    const { rows, batch } = node.attributes;
    const indices = input(inputs);
    const strides = stridesOf(indices.shape.slice(0, batch));
    const place = strides.reduce((at, n, axis) => add(at, mul(iota(indices.shape, axis), n * rows)), indices);
    return [undefined, ops.gather(ops.reshape(g, [-1, ...g.shape.slice(batch + 1)]), place)];
  },
};

export function pullBack<P extends Primitive>(g: Node, node: NodeOf<P>, out: Node): (Node | undefined)[] {
  const rule: Rule<P> = RULES[node.op];
  return rule(g, node, node.inputs, out);
}

export const zeros = (like: Node): Node => constant(0, like.shape, "float32");
