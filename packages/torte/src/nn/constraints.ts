/** Constraints: what every update of a weight ends with. */
import { checkOptions, numberIn } from "../errors.js";
import { constant } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { made, readNamed } from "./factories.js";

/** From the updated weight to the one that is kept, of the same shape. */
export type Constraint = (weight: Node) => Node;
/** A constraint, or its name. */
export type ConstraintOption = Constraint | keyof typeof CONSTRAINTS;

/** The axes of a constraint's norm. */
export interface AxisOptions {
  /**
   * Axes over which a norm is taken, the weights into one unit. Default: all but the last, which is right for every kernel
   * of this library, where the last axis are the units or filters.
   */
  readonly axis?: number | readonly number[];
}

/** The axes of a norm, which is kept with size 1. */
function alongUnits(weight: Node, { axis }: AxisOptions): ops.ReduceOptions {
  const rank = weight.shape.length;
  const all = Array.from({ length: Math.max(1, rank - 1) }, (_, i) => i);
  return { axes: axis === undefined ? all : typeof axis === "number" ? [axis] : axis, keepDims: true };
}

/** The weights into one unit with another norm; zeros stay, as they have no direction. */
function withNorm(weight: Node, options: AxisOptions, wanted: (norm: Node) => Node): Node {
  const along = alongUnits(weight, options);
  return ops.mul(ops.normalize(weight, along), wanted(ops.norm(weight, along)));
}

/**
 * The weights into one unit have a norm of at most `maxValue` (default 2): w·min(‖w‖, maxValue)/‖w‖. Srivastava et al. 2014.
 *
 * @example
 * import { dense, maxNorm } from "torte";
 * dense({ units: 8, kernelConstraint: maxNorm({ maxValue: 3 }) });
 */
export function maxNorm(options: AxisOptions & { readonly maxValue?: number } = {}): Constraint {
  checkOptions("maxNorm", options, ["maxValue", "axis"]);
  const most = numberIn("maxNorm", "maxValue", options.maxValue ?? 2, { min: 0 });
  const limit: Constraint = (weight) => {
    // Those that hold stay as they are, bit by bit.
    const fits = ops.lessEqual(ops.norm(weight, alongUnits(weight, options)), most);
    return ops.where(
      fits,
      weight,
      withNorm(weight, options, () => constant(most, [])),
    );
  };
  return made("constraints.maxNorm", limit, options, { ...options, maxValue: most });
}

/** Options of {@link minMaxNorm}. */
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
  const move: Constraint = (weight) =>
    withNorm(weight, options, (norm) => ops.add(ops.mul(ops.clip(norm, least, most), rate), ops.mul(norm, 1 - rate)));
  return made("constraints.minMaxNorm", move, options, { ...options, minValue: least, maxValue: most, rate });
}

/** No weight below zero: max(w, 0). */
export const nonNeg = (): Constraint => made("constraints.nonNeg", (weight) => ops.maximum(weight, 0));

/** The weights into one unit have norm 1: w/‖w‖, zeros staying zero. */
export function unitNorm(options: AxisOptions = {}): Constraint {
  checkOptions("unitNorm", options, ["axis"]);
  return made("constraints.unitNorm", (weight) => ops.normalize(weight, alongUnits(weight, options)), options);
}

/** Constraints by name. */
export const CONSTRAINTS = { maxNorm, minMaxNorm, nonNeg, unitNorm };

/**
 * The constraint that an option means.
 *
 * @throws OptionError for an unknown name.
 */
export function readConstraint(
  where: string,
  name: string,
  option: ConstraintOption | undefined,
): Constraint | undefined {
  return option === undefined ? undefined : readNamed(where, name, option, CONSTRAINTS);
}
