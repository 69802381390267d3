/** Penalties on weights, added to the loss. */
import { checkOptions, numberIn, oneOf, OptionError, ShapeError } from "../errors.js";
import { iota } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import { abs, add, div, einsum, equal, maximum, mul, sqrt, sum, transpose, where } from "../ops/index.js";
import { formatShape } from "../tensor/shape.js";

/** A penalty of a weight: a scalar node. */
export type Regularizer = (weight: Node) => Node;
export type RegularizerOption = Regularizer | "l1" | "l2" | "l1l2" | "l2Norm" | "orthogonal";

const strength = (where_: string, value: number): number => numberIn(where_, "strength", value, { min: 0 });

/** λ·Σ|w|; λ = 0.01 by default, as in Keras. */
export function l1(strength_ = 0.01): Regularizer {
  const lambda = strength("l1", strength_);
  return (weight) => mul(sum(abs(weight)), lambda);
}

/** λ·Σw²; λ = 0.01 by default, as in Keras. */
export function l2(strength_ = 0.01): Regularizer {
  const lambda = strength("l2", strength_);
  return (weight) => mul(sum(mul(weight, weight)), lambda);
}

/** l1·Σ|w| + l2·Σw². */
export function l1l2(options: { l1?: number; l2?: number } = {}): Regularizer {
  const [first, second] = [l1(options.l1 ?? 0.01), l2(options.l2 ?? 0.01)];
  return (weight) => add(first(weight), second(weight));
}

/** λ·√Σw², with gradient 0 where all weights are 0. */
export function l2Norm(strength_ = 0.01): Regularizer {
  const lambda = strength("l2Norm", strength_);
  return (weight) => {
    const squares = sum(mul(weight, weight));
    const none = equal(squares, 0);
    return mul(where(none, 0, sqrt(where(none, 1, squares))), lambda);
  };
}

export interface OrthogonalOptions {
  /** Default 0.01. */
  readonly factor?: number;
  /** Which vectors of the matrix shall be orthogonal to each other. Default "rows". */
  readonly mode?: "rows" | "columns";
}

/** factor·mean |cos| over all pairs of different rows (or columns) of a matrix. Brock et al. 2017. */
export function orthogonal(options: OrthogonalOptions = {}): Regularizer {
  checkOptions("orthogonal", options, ["factor", "mode"]);
  const factor = numberIn("orthogonal", "factor", options.factor ?? 0.01, { min: 0 });
  const mode = oneOf("orthogonal", "mode", options.mode ?? "rows", ["rows", "columns"]);
  return (weight) => {
    if (weight.shape.length !== 2) {
      throw new ShapeError({
        where: "orthogonal",
        problem: "the weight is no matrix",
        expected: "a shape of two axes",
        received: formatShape(weight.shape),
      });
    }
    const rows = mode === "rows" ? weight : transpose(weight, [1, 0]);
    const norms = sqrt(maximum(sum(mul(rows, rows), { axes: [1], keepDims: true }), 1e-12));
    const unit = div(rows, norms);
    const cosines = abs(einsum("ik,jk->ij", unit, unit));
    const [n = 1] = rows.shape;
    const pairs = (n * (n - 1)) / 2;
    const off = where(equal(iota([n, n], 0), iota([n, n], 1)), 0, cosines);
    return mul(sum(off), pairs === 0 ? 0 : (factor * 0.5) / pairs);
  };
}

export function readRegularizer(
  layer: string,
  name: string,
  option: RegularizerOption | undefined,
): Regularizer | undefined {
  if (option === undefined || typeof option === "function") return option;
  switch (option) {
    case "l1":
      return l1();
    case "l2":
      return l2();
    case "l1l2":
      return l1l2();
    case "l2Norm":
      return l2Norm();
    case "orthogonal":
      return orthogonal();
    default:
      throw new OptionError({
        where: layer,
        problem: `${name} is unknown`,
        expected: 'a function or one of "l1", "l2", "l1l2", "l2Norm", "orthogonal"',
        received: JSON.stringify(option),
      });
  }
}
