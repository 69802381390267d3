/** Keeping gradients from being too large. What is not finite stays so: it is to be found, not hidden. */
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import type { Clipping } from "./optimizer.js";

export interface Clipped {
  readonly gradients: readonly Node[];
  /** Whether every norm that was taken is finite; undefined where none was. */
  readonly finite: Node | undefined;
}

/** The gradients within the limit: each by itself, or all by their common norm. */
export function clipGradients(gradients: readonly Node[], clipping: Clipping | undefined): Clipped {
  if (clipping === undefined || gradients.length === 0) return { gradients, finite: undefined };
  const { by, limit } = clipping;
  if (by === "value") return { gradients: gradients.map((g) => clipValue(g, limit)), finite: undefined };
  const squares = gradients.map(sumOfSquares);
  const norms = by === "norm" ? squares.map(rootOf) : [rootOf(squares.reduce(both))];
  const factors = norms.map((norm) => ops.div(limit, ops.maximum(norm, limit)));
  const scaled = gradients.map((gradient, i) => {
    const factor = by === "norm" ? factors[i] : factors[0];
    if (factor === undefined) throw new RangeError("a gradient has no norm");
    return ops.mul(gradient, factor);
  });
  const isFinite = norms.map((norm) => ops.less(norm, Infinity)).reduce((a, b) => ops.logicalAnd(a, b));
  return { gradients: scaled, finite: isFinite };
}

function clipValue(gradient: Node, limit: number): Node {
  const size = ops.abs(gradient);
  const beyond = ops.logicalAnd(ops.less(limit, size), ops.less(size, Infinity));
  return ops.where(beyond, ops.mul(ops.sign(gradient), limit), gradient);
}

/** Of all numbers, and of all made so small that no finite one has an infinite square. */
interface Squares {
  readonly plain: Node;
  readonly small: Node;
}

const SMALL = 2 ** -70;
/** Keeps small numbers' squares from being denormal; beside a sum of squares that is infinite it is nothing, 1e-7 of a term that counts. */
const AT_LEAST = 2 ** -60;

const sumOfSquares = (x: Node): Squares => ({
  plain: ops.sum(ops.square(x)),
  small: ops.sum(ops.square(ops.add(ops.mul(x, SMALL), AT_LEAST))),
});

const both = (a: Squares, b: Squares): Squares => ({
  plain: ops.add(a.plain, b.plain),
  small: ops.add(a.small, b.small),
});

const rootOf = ({ plain, small }: Squares): Node =>
  ops.where(ops.less(plain, Infinity), ops.sqrt(plain), ops.div(ops.sqrt(small), SMALL));
