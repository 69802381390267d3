/** Losses of overlap: how much two sets of positions have in common. */
import { checkOptions, numberIn, OptionError, show } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { type Loss, type LossOptions, readReduction } from "./loss.js";
import { EPSILON } from "./logits.js";

const { add, div, mul, sub } = ops;

/** Options of the losses of overlap. */
export interface OverlapOptions extends LossOptions {
  /**
   * The axes that are summed over, such as [1, 2, 3] for one loss an image. Default: all, the batch included, as in Keras; the
   * loss then depends on which rows a batch has.
   */
  readonly axis?: number | readonly number[];
}

function readAxes(where: string, axis: OverlapOptions["axis"]): readonly number[] | undefined {
  const axes: readonly unknown[] | undefined = typeof axis === "number" ? [axis] : axis;
  if (axes === undefined || (Array.isArray(axes) && axes.length > 0 && axes.every(Number.isInteger)))
    return axis === undefined ? undefined : (axes as readonly number[]);
  const expected = "an axis or a list of axes";
  throw new OptionError({ where, problem: "axis is out of range", expected, received: show(axis) });
}

const over =
  (axes: readonly number[] | undefined) =>
  (x: Node): Node =>
    ops.sum(x, axes === undefined ? {} : { axes });

/** 1 − (2·Σ y·p + ε)/(Σ y + Σ p + ε), ε = 1e-7. Milletari et al. 2016. */
export function dice(options: OverlapOptions = {}): Loss {
  checkOptions("dice", options, ["axis", "reduction"]);
  const total = over(readAxes("dice", options.axis));
  return {
    name: "dice",
    targets: "numbers",
    predictions: "probabilities",
    ...readReduction("dice", options),
    call: (y, p) => {
      const common = add(mul(total(mul(y, p)), 2), EPSILON);
      return sub(1, div(common, add(add(total(y), total(p)), EPSILON)));
    },
  };
}

/**
 * 1 − (TP + ε)/(TP + α·FP + β·FN + ε) with TP = Σ y·p, FP = Σ (1 − y)·p, FN = Σ y·(1 − p), ε = 1e-7; with α = β = ½ it is
 * dice. Salehi et al. 2017.
 */
export function tversky(
  options: OverlapOptions & {
    /** Weight of false positives, at least 0. Default 0.5. */
    readonly alpha?: number;
    /** Weight of false negatives, at least 0. Default 0.5. */
    readonly beta?: number;
  } = {},
): Loss {
  const name = "tversky";
  checkOptions(name, options, ["alpha", "beta", "axis", "reduction"]);
  const alpha = numberIn(name, "alpha", options.alpha ?? 0.5, { min: 0 });
  const beta = numberIn(name, "beta", options.beta ?? 0.5, { min: 0 });
  const total = over(readAxes(name, options.axis));
  return {
    name,
    targets: "numbers",
    predictions: "probabilities",
    ...readReduction(name, options),
    call: (y, p) => {
      const common = total(mul(y, p));
      const [extra, missed] = [total(mul(sub(1, y), p)), total(mul(y, sub(1, p)))];
      const all = add(add(common, mul(extra, alpha)), add(mul(missed, beta), EPSILON));
      return sub(1, div(add(common, EPSILON), all));
    },
  };
}
