/** Numbers that stopped being finite: what is told of them. */
import { TrainingError } from "../errors.js";
import { formatShape, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";

/** What the numbers of a tensor are like; least, largest and mean are those of the finite ones, NaN where there are none. */
export interface TensorStatistics {
  readonly shape: Shape;
  /** How many are NaN, and how many ∞ or −∞. */
  readonly nan: number;
  readonly infinite: number;
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
  /** Of the first tensor with such a number: what a layer computes, a gradient, a weight or a moment. */
  readonly tensor?: TensorStatistics;
}

export function statisticsOf({ data, shape }: Tensor): TensorStatistics {
  let [nan, infinite, count, mean, min, max] = [0, 0, 0, 0, Infinity, -Infinity];
  for (const value of data) {
    if (Number.isNaN(value)) nan++;
    else if (!Number.isFinite(value)) infinite++;
    else {
      mean += (value - mean) / ++count;
      [min, max] = [Math.min(min, value), Math.max(max, value)];
    }
  }
  return count === 0
    ? { shape, nan, infinite, min: NaN, max: NaN, mean: NaN }
    : { shape, nan, infinite, min, max, mean };
}

/** "(2, 3) with 1 NaN and 2 infinite; the others from -1 to 4, 0.5 on average" */
function describe({ shape, nan, infinite, min, max, mean }: TensorStatistics): string {
  const bad = [...(nan > 0 ? [`${nan} NaN`] : []), ...(infinite > 0 ? [`${infinite} infinite`] : [])].join(" and ");
  const short = (value: number): string => String(Number(value.toPrecision(6)));
  const others = Number.isNaN(mean)
    ? "none of them finite"
    : `the others from ${short(min)} to ${short(max)}, ${short(mean)} on average`;
  return `${formatShape(shape)} with ${bad}; ${others}`;
}

const FIX = "Try a smaller learning rate, scale the inputs, or look for extreme values in the data.";

/** The loss or a weight is no longer finite. */
export class NotFiniteError extends TrainingError {
  constructor(readonly failure: NotFinite) {
    const { step, problem, tensor } = failure;
    super({
      where: `step ${step}`,
      problem,
      ...(tensor === undefined ? {} : { received: describe(tensor) }),
      fix: FIX,
    });
  }
}
