/** Penalties on weights, added to the loss. */
import { checkOptions, numberIn, oneOf, ShapeError } from "../errors.js";
import { iota } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import { abs, add, einsum, equal, mul, norm, normalize, sum, transpose, where } from "../ops/index.js";
import { formatShape, sizeAt } from "../tensor/shape.js";
import { type Made, made, madeWith, readNamed } from "./factories.js";

/** A penalty of a weight: a scalar node. */
export type Regularizer = (weight: Node) => Node;
/** A regularizer, or its name with default strength. */
export type RegularizerOption = Regularizer | keyof typeof REGULARIZERS;

const strength = (where_: string, value: number): number => numberIn(where_, "strength", value, { min: 0 });

/** λ·Σ|w|; λ = 0.01 by default, as in Keras. */
export function l1(strength_ = 0.01): Regularizer {
  const lambda = strength("l1", strength_);
  return made("regularizers.l1", (weight) => mul(sum(abs(weight)), lambda), strength_, { strength: lambda });
}

/** λ·Σw²; λ = 0.01 by default, as in Keras. */
export function l2(strength_ = 0.01): Regularizer {
  const lambda = strength("l2", strength_);
  return made("regularizers.l2", (weight) => mul(sum(mul(weight, weight)), lambda), strength_, { strength: lambda });
}

/** Strengths of {@link l1l2}. */
export interface L1L2Options {
  /** Factor of Σ|w|, at least 0. Default 0.01. */
  readonly l1?: number;
  /** Factor of Σw², at least 0. Default 0.01. */
  readonly l2?: number;
}

/** l1·Σ|w| + l2·Σw². */
export function l1l2(options: L1L2Options = {}): Regularizer {
  checkOptions("l1l2", options, ["l1", "l2"]);
  const factors = { l1: options.l1 ?? 0.01, l2: options.l2 ?? 0.01 };
  const [first, second] = [l1(factors.l1), l2(factors.l2)];
  return made("regularizers.l1l2", (weight) => add(first(weight), second(weight)), options, factors);
}

/** λ·√Σw², with gradient 0 where all weights are 0. */
export function l2Norm(strength_ = 0.01): Regularizer {
  const lambda = strength("l2Norm", strength_);
  return made("regularizers.l2Norm", (weight) => mul(norm(weight), lambda), strength_, { strength: lambda });
}

/** Options of {@link orthogonal}. */
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
  const penalty: Regularizer = (weight) => {
    if (weight.shape.length !== 2) {
      throw new ShapeError({
        where: "orthogonal",
        problem: "the weight is no matrix",
        expected: "a shape of two axes",
        received: formatShape(weight.shape),
      });
    }
    const rows = mode === "rows" ? weight : transpose(weight, [1, 0]);
    const unit = normalize(rows, { axes: [1] });
    const cosines = abs(einsum("ik,jk->ij", unit, unit));
    const n = sizeAt(rows.shape, 0);
    const pairs = (n * (n - 1)) / 2;
    const off = where(equal(iota([n, n], 0), iota([n, n], 1)), 0, cosines);
    return mul(sum(off), pairs === 0 ? 0 : (factor * 0.5) / pairs);
  };
  return made("regularizers.orthogonal", penalty, options, { factor, mode });
}

/** Regularizers by name. */
export const REGULARIZERS = { l1, l2, l1l2, l2Norm, orthogonal };

/** What a penalty was made with, given by name or as a function. */
export function penaltyOf(value: unknown): Made | undefined {
  const known = typeof value === "string" && Object.hasOwn(REGULARIZERS, value);
  const penalty = known ? REGULARIZERS[value as keyof typeof REGULARIZERS]() : value;
  return typeof penalty === "function" ? madeWith(penalty) : undefined;
}

/**
 * The regularizer that an option means.
 *
 * @throws OptionError for an unknown name.
 */
export function readRegularizer(
  layer: string,
  name: string,
  option: RegularizerOption | undefined,
): Regularizer | undefined {
  return option === undefined ? undefined : readNamed(layer, name, option, REGULARIZERS);
}
