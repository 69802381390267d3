/** Intersection over union. */
import { checkOptions, integerOption } from "../errors.js";
import { constant } from "../graph/make.js";
import { checkClass, classesLast, isCategorical, readClass } from "./common.js";
import { ratio } from "./counts.js";
import type { CountsMetric } from "./metric.js";
import { ofTable, type ThresholdOptions } from "./table.js";

/** Options of the intersections over unions. */
export interface IouOptions extends ThresholdOptions {
  /** The classes whose mean is taken. Default: all. */
  readonly targetClassIds?: readonly number[];
  /** Positions with this class do not count. Default none. */
  readonly ignoreClass?: number;
}

/**
 * Mean over classes of TP/(TP + FP + FN), intersection over union; classes that neither targets nor predictions have do not
 * count. For targets that are probabilities the classes are no (0) and yes (1). Labels that are no classes are refused, unless
 * `ignoreClass` names them, and predictions are scores of the classes; Keras passes over labels and predictions beyond them.
 */
export function iou(options: IouOptions = {}): CountsMetric {
  return readIou("iou", options);
}

function readIou(where: string, options: IouOptions, targets?: CountsMetric["targets"]): CountsMetric {
  checkOptions(where, options, ["threshold", "name", "targetClassIds", "ignoreClass"]);
  const { targetClassIds, ignoreClass, ...others } = options;
  const chosen = targetClassIds?.map((id) => readClass(where, id));
  const metric = ofTable(where, others, (decisions) => {
    const asked = chosen === undefined ? decisions : decisions.filter((_, i) => chosen.includes(i));
    const present = asked.filter(({ tp, fp, fn }) => tp + fp + fn > 0);
    return ratio(
      present.reduce((sum, { tp, fp, fn }) => sum + tp / (tp + fp + fn), 0),
      present.length,
    );
  });
  const { call } = metric;
  return {
    ...metric,
    call: (target, prediction, context) => {
      // Of labels the classes are no and yes.
      const scores = isCategorical(context) ? classesLast(prediction, context) : constant(0, [2]);
      chosen?.forEach((id) => {
        checkClass(where, "targetClassIds", id, scores);
      });
      return call(target, prediction, context);
    },
    ...(targets === undefined ? {} : { targets }),
    ...(ignoreClass === undefined ? {} : { ignoreClass: integerOption(where, "ignoreClass", ignoreClass) }),
  };
}

/** iou of all classes. */
export const meanIou = (options: Omit<IouOptions, "targetClassIds"> = {}): CountsMetric => readIou("meanIou", options);
/** iou of no and yes, targets being probabilities. */
export const binaryIou = (options: IouOptions = {}): CountsMetric => readIou("binaryIou", options, "probabilities");
/** iou, targets being distributions. */
export const oneHotIou = (options: IouOptions = {}): CountsMetric => readIou("oneHotIou", options, "distribution");
/** meanIou, targets being distributions. */
export const oneHotMeanIou = (options: Omit<IouOptions, "targetClassIds"> = {}): CountsMetric =>
  readIou("oneHotMeanIou", options, "distribution");
