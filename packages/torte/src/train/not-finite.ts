/** Numbers that stopped being finite: what is told of them. */
import { TrainingError } from "../errors.js";
import { formatShape, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";

/** How the numbers of a tensor are spread. */
export interface Statistics {
  readonly shape: Shape;
  readonly nan: number;
  readonly infinite: number;
  /** Of the finite ones; NaN where there are none. */
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

/** Where and when numbers stopped being finite. */
export interface NotFinite {
  /** From 1, over all of the model's training. */
  readonly step: number;
  /** The layer or weight where the first number comes from that is not finite. */
  readonly layer: string;
  readonly problem: string;
  /** Of the array that has it. */
  readonly statistics: Statistics | undefined;
}

export function statisticsOf({ data, shape }: Tensor): Statistics {
  let [nan, infinite, finite, sum, min, max] = [0, 0, 0, 0, Infinity, -Infinity];
  for (const value of data) {
    if (Number.isNaN(value)) nan++;
    else if (!Number.isFinite(value)) infinite++;
    else [finite, sum, min, max] = [finite + 1, sum + value, Math.min(min, value), Math.max(max, value)];
  }
  if (finite === 0) [min, max] = [NaN, NaN];
  return { shape, nan, infinite, min, max, mean: sum / finite };
}

/** "[20, 2] has 3 NaN and 1 infinite of 40; the others lie within -1.5…2, mean 0.25". */
export function describeStatistics({ shape, nan, infinite, min, max, mean }: Statistics): string {
  const size = shape.reduce((a, b) => a * b, 1);
  const bad = `${formatShape(shape)} has ${nan} NaN and ${infinite} infinite of ${size}`;
  const short = (value: number): string => String(Number(value.toPrecision(4)));
  if (nan + infinite === size) return bad;
  return `${bad}; the others lie within ${short(min)}…${short(max)}, mean ${short(mean)}`;
}

const FIX = "Try a smaller learning rate, scale the inputs, or look for extreme values in the data.";

/** The loss or a weight is no longer finite. */
export class NotFiniteError extends TrainingError {
  constructor(readonly failure: NotFinite) {
    const { step, problem, statistics } = failure;
    const details = statistics === undefined ? "" : ` (${describeStatistics(statistics)})`;
    super({ where: `step ${step}`, problem: `${problem}${details}`, fix: FIX });
  }
}
