/** Shares of right answers. */
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import type { MeanMetric, Meaning } from "./metric.js";

/** What a prediction must exceed to be a yes: 0.5 for a probability, 0 for a logit or beside targets of ±1. */
export function thresholdOf({ targets, predictions }: Meaning): number {
  return predictions === "logits" || targets === "signs" ? 0 : 0.5;
}

const asNumber = (condition: Node): Node => ops.cast(condition, "float32");

/**
 * Share of right answers. What is right follows what the loss declares its targets to be, never its name: for classes and
 * distributions the largest prediction must be that of the class (the first of equal ones), for probabilities p > 0.5 must
 * be the label (z > 0 for logits), for signs the sign must agree. Targets that are numbers get the meaning of the output, if
 * it is a softmax or a sigmoid; else accuracy is refused.
 */
export const accuracy: MeanMetric = {
  name: "accuracy",
  direction: "max",
  needsMeaning: true,
  call: (target, prediction, meaning) => {
    const axes = [meaning.axis ?? -1];
    switch (meaning.targets) {
      case "classes":
        return asNumber(ops.equal(ops.argmax(prediction, { axes }), target));
      case "distribution":
        return asNumber(ops.equal(ops.argmax(prediction, { axes }), ops.argmax(target, { axes })));
      case "probabilities":
      case "signs":
      case "numbers": {
        const yes = ops.less(thresholdOf(meaning), prediction);
        const label = ops.less(meaning.targets === "signs" ? 0 : 0.5, target);
        return ops.mean(asNumber(ops.equal(asNumber(yes), asNumber(label))), { axes: [-1] });
      }
    }
  },
};
