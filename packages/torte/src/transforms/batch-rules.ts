/**
 * One rule per primitive: from its operands with one more axis, the batch, in front, to its result with that axis. The
 * table is total, so that whatever can be computed for one example can be computed for a batch, in one graph.
 */
import { GraphError } from "../errors.js";
import { freeLabel } from "../graph/labels.js";
import { constant, iota, make, originOf, uniform } from "../graph/make.js";
import { type Node, type NodeOf, type Primitive, topological } from "../graph/node.js";
import { forKinds, POINTWISE } from "../graph/primitives.js";
import * as ops from "../ops/index.js";
import { uniformByKeys } from "./uniform-by-keys.js";

export type Randomness = "error" | "same" | "different";

/** An operand, with the batch in front or the same for all examples. */
export interface Operand {
  readonly node: Node;
  readonly batched: boolean;
}

/** The result, batch in front. At least one operand has the batch, or the rule is one of random numbers. */
export type BatchRule<P extends Primitive> = (node: NodeOf<P>, operands: readonly Operand[], batch: number) => Node;

const operand = (operands: readonly Operand[], i = 0): Operand => {
  const found = operands[i];
  if (found === undefined) throw new RangeError(`operand ${i} is missing`);
  return found;
};

/** With the batch in front in any case; a constant stays one, which simplifications look for. */
function full({ node, batched }: Operand, batch: number): Node {
  if (batched) return node;
  const shape = [batch, ...node.shape];
  if (node.op === "constant") return constant(node.attributes.value, shape, node.dtype);
  return ops.broadcastTo(ops.reshape(node, [1, ...node.shape]), shape);
}

const x = (operands: readonly Operand[], batch: number, i = 0): Node => full(operand(operands, i), batch);
const next = (axes: readonly number[]): number[] => axes.map((axis) => axis + 1);

const never: BatchRule<Primitive> = ({ op }) => {
  throw new RangeError(`${op} has no operands`);
};

/** The same primitive over operands with the batch in front. */
const elementwise: BatchRule<Primitive> = (node, operands, batch) =>
  make(
    node.op as "add",
    operands.map((each) => full(each, batch)),
    node.attributes as NodeOf<"add">["attributes"],
  );

const reduction =
  (op: "sum" | "reduceMax" | "argmax"): BatchRule<typeof op> =>
  ({ attributes }, operands, batch) =>
    make(op, [x(operands, batch)], { axes: next(attributes.axes) });

/** Where the rows of the example's own table begin, added to its indices. */
function withOffset(indices: Node, rows: number): Node {
  return ops.add(indices, ops.mul(iota(indices.shape, 0), rows));
}

export const BATCH: { readonly [P in Primitive]: BatchRule<P> } = {
  constant: never,
  iota: never,
  state: never,
  uniform: ({ attributes: { stream }, shape }, operands, batch) => {
    const key = operand(operands);
    // Of one stream, the numbers of the first example, then those of the second, …: as a batch of them is drawn.
    if (!key.batched) return uniform(key.node, stream, [batch, ...shape]);
    return uniformByKeys(key.node, stream, shape);
  },
  ...forKinds(POINTWISE, elementwise),
  reshape: (node, operands, batch) => make("reshape", [x(operands, batch)], { shape: [batch, ...node.shape] }),
  transpose: ({ attributes }, operands, batch) =>
    make("transpose", [x(operands, batch)], { permutation: [0, ...next(attributes.permutation)] }),
  broadcast: (node, operands, batch) => make("broadcast", [x(operands, batch)], { shape: [batch, ...node.shape] }),
  slice: ({ attributes: { start, stop, step } }, operands, batch) =>
    make("slice", [x(operands, batch)], { start: [0, ...start], stop: [batch, ...stop], step: [1, ...step] }),
  pad: ({ attributes: { low, high, interior, value } }, operands, batch) =>
    make("pad", [x(operands, batch)], { low: [0, ...low], high: [0, ...high], interior: [0, ...interior], value }),
  reverse: ({ attributes }, operands, batch) => make("reverse", [x(operands, batch)], { axes: next(attributes.axes) }),
  concat: ({ attributes }, operands, batch) =>
    make(
      "concat",
      operands.map((each) => full(each, batch)),
      { axis: attributes.axis + 1 },
    ),
  windows: ({ attributes }, operands, batch) =>
    make("windows", [x(operands, batch)], { ...attributes, axis: attributes.axis + 1 }),
  fold: ({ attributes }, operands, batch) =>
    make("fold", [x(operands, batch)], { ...attributes, axis: attributes.axis + 1 }),
  sum: reduction("sum"),
  reduceMax: reduction("reduceMax"),
  argmax: reduction("argmax"),
  // An operand that is the same for all examples stays as it is.
  contract: ({ attributes: { a, b, out } }, operands) => {
    const label = freeLabel(a + b);
    const [left, right] = [operand(operands, 0), operand(operands, 1)];
    const labels = (own: string, { batched }: Operand): string => (batched ? label + own : own);
    return make("contract", [left.node, right.node], {
      a: labels(a, left),
      b: labels(b, right),
      out: label + out,
    });
  },
  linearMap: ({ attributes: { axis, to, matrix } }, operands, batch) =>
    make("linearMap", [x(operands, batch)], { axis: axis + 1, to: to + 1, matrix }),
  gather: (_node, operands, batch) => {
    const [table, indices] = [operand(operands, 0), operand(operands, 1)];
    if (!table.batched) return make("gather", [table.node, indices.node], {});
    // The tables one after the other.
    const [, rows = 1, ...row] = table.node.shape;
    const place = withOffset(full(indices, batch), rows);
    return make("gather", [ops.reshape(table.node, [batch * rows, ...row]), place], {});
  },
  scatterAdd: ({ attributes: { rows, batch: axes } }, operands, batch) =>
    make("scatterAdd", [x(operands, batch, 0), x(operands, batch, 1)], { rows, batch: axes + 1 }),
};

function applyRule<P extends Primitive>(node: NodeOf<P>, operands: readonly Operand[], batch: number): Node {
  const rule: BatchRule<P> = BATCH[node.op];
  return rule(node, operands, batch);
}

export interface Batch {
  readonly size: number;
  readonly randomness: Randomness;
  /** For messages. */
  readonly where: string;
  /** Nodes with smaller numbers were made outside of the function, and are the same for all examples. */
  readonly since: number;
}

/** The nodes for a whole batch; `inputs` are those that differ from example to example, with the batch in front. */
export function withBatch(
  outputs: readonly Node[],
  inputs: ReadonlyMap<Node, Node>,
  { size, randomness, where, since }: Batch,
): Operand[] {
  const batched = new Map<Node, Node>(inputs);
  const operandOf = (node: Node): Operand => {
    const image = batched.get(node);
    return { node: image ?? node, batched: image !== undefined };
  };
  for (const node of topological(outputs)) {
    if (batched.has(node)) continue;
    const operands = node.inputs.map(operandOf);
    const differs = operands.some((each) => each.batched);
    const draws = !differs && node.op === "uniform" && node.id >= since;
    if (draws && randomness === "error") refuseDraws(where, node.origin);
    if (!differs && !(draws && randomness === "different")) continue;
    batched.set(
      node,
      originOf(node, () => applyRule(node, operands, size)),
    );
  }
  return outputs.map(operandOf);
}

function refuseDraws(where: string, origin: string): never {
  throw new GraphError({
    where,
    problem: `random numbers are drawn within the function${origin === "" ? "" : `, by ${origin}`}`,
    expected: 'the option randomness: "different" for numbers of its own for each example, "same" for the same ones',
    received: 'randomness: "error", the default',
  });
}
