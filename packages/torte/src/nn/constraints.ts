/** Constraints: what every update of a weight ends with. */
import { checkOptions, numberIn } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { made, readNamed } from "./named.js";

/** From the updated weight to the one that is kept, of the same shape. */
export type Constraint = (weight: Node) => Node;
export type ConstraintOption = Constraint | keyof typeof CONSTRAINTS;

export interface AxisOptions {
  /**
   * Axes over which a norm is taken, the weights into one unit. Default: all but the last, which is right for every kernel
   * of this library, where the last axis are the units or filters.
   */
  readonly axis?: number | readonly number[];
}

const EPSILON = 1e-7;

/** √Σw² over the axes, kept with size 1. */
function norms(weight: Node, { axis }: AxisOptions): Node {
  const rank = weight.shape.length;
  const all = Array.from({ length: Math.max(1, rank - 1) }, (_, i) => i);
  const axes = axis === undefined ? all : typeof axis === "number" ? [axis] : axis;
  return ops.sqrt(ops.sum(ops.square(weight), { axes, keepDims: true }));
}

/**
 * The weights into one unit have a norm of at most `maxValue` (default 2): w·clip(‖w‖, 0, maxValue)/(ε + ‖w‖). Srivastava
 * et al. 2014.
 *
 * @example
 * import { dense, maxNorm } from "torte";
 * dense({ units: 8, kernelConstraint: maxNorm({ maxValue: 3 }) });
 */
export function maxNorm(options: AxisOptions & { readonly maxValue?: number } = {}): Constraint {
  checkOptions("maxNorm", options, ["maxValue", "axis"]);
  const most = numberIn("maxNorm", "maxValue", options.maxValue ?? 2, { min: 0 });
  const limit: Constraint = (weight) => {
    const norm = norms(weight, options);
    return ops.mul(weight, ops.div(ops.clip(norm, 0, most), ops.add(norm, EPSILON)));
  };
  return made("constraints.maxNorm", limit, options, { ...options, maxValue: most });
}

export interface MinMaxNormOptions extends AxisOptions {
  /** At least 0. Default 0. */
  readonly minValue?: number;
  /** At least minValue. Default 1. */
  readonly maxValue?: number;
  /** How far the norm is moved, above 0; 1 moves it wholly. Default 1. */
  readonly rate?: number;
}

/** The norm of the weights into one unit is moved towards minValue … maxValue. */
export function minMaxNorm(options: MinMaxNormOptions = {}): Constraint {
  checkOptions("minMaxNorm", options, ["minValue", "maxValue", "rate", "axis"]);
  const least = numberIn("minMaxNorm", "minValue", options.minValue ?? 0, { min: 0 });
  const most = numberIn("minMaxNorm", "maxValue", options.maxValue ?? 1, { min: least });
  const rate = numberIn("minMaxNorm", "rate", options.rate ?? 1, { above: 0, max: 1 });
  const move: Constraint = (weight) => {
    const norm = norms(weight, options);
    const wanted = ops.add(ops.mul(ops.clip(norm, least, most), rate), ops.mul(norm, 1 - rate));
    return ops.mul(weight, ops.div(wanted, ops.add(norm, EPSILON)));
  };
  return made("constraints.minMaxNorm", move, options, { ...options, minValue: least, maxValue: most, rate });
}

/** No weight below zero: max(w, 0). */
export const nonNeg = (): Constraint => made("constraints.nonNeg", (weight) => ops.maximum(weight, 0));

/** The weights into one unit have norm 1: w/(ε + ‖w‖). */
export function unitNorm(options: AxisOptions = {}): Constraint {
  checkOptions("unitNorm", options, ["axis"]);
  return made("constraints.unitNorm", (weight) => ops.div(weight, ops.add(norms(weight, options), EPSILON)), options);
}

export const CONSTRAINTS = { maxNorm, minMaxNorm, nonNeg, unitNorm };

export function readConstraint(
  where: string,
  name: string,
  option: ConstraintOption | undefined,
): Constraint | undefined {
  return option === undefined ? undefined : readNamed(where, name, option, CONSTRAINTS);
}
