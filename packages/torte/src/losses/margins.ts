/** Losses of margins: hinge and its kin. */
import { checkOptions } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { type Loss, type LossOptions, readReduction } from "./loss.js";

const { mul, sub } = ops;

const lastMean = (x: Node): Node => ops.mean(x, { axes: [-1] });

/** max(1 − y·p, 0); targets 0 count as −1. */
const margin = (y: Node, p: Node): Node => ops.relu(sub(1, mul(ops.where(ops.equal(y, 0), -1, y), p)));

/** Mean max(1 − y·p, 0), y being −1 or 1; 0 counts as −1, as in Keras. */
export function hinge(options: LossOptions = {}): Loss {
  checkOptions("hinge", options, ["reduction"]);
  const call = (y: Node, p: Node): Node => lastMean(margin(y, p));
  return { name: "hinge", targets: "signs", ...readReduction("hinge", options), call };
}

/** Mean max(1 − y·p, 0)², y being −1 or 1; 0 counts as −1, as in Keras. */
export function squaredHinge(options: LossOptions = {}): Loss {
  checkOptions("squaredHinge", options, ["reduction"]);
  const call = (y: Node, p: Node): Node => lastMean(ops.square(margin(y, p)));
  return { name: "squaredHinge", targets: "signs", ...readReduction("squaredHinge", options), call };
}

/** max(0, 1 + max (1 − y)·p − Σ y·p) over the classes, y being one-hot. Crammer and Singer 2001. */
export function categoricalHinge(options: LossOptions = {}): Loss {
  const name = "categoricalHinge";
  checkOptions(name, options, ["reduction"]);
  return {
    name,
    targets: "distribution",
    ...readReduction(name, options),
    call: (y, p) => {
      const right = ops.sum(mul(y, p), { axes: [-1] });
      const wrong = ops.max(mul(sub(1, y), p), { axes: [-1] });
      return ops.relu(ops.add(sub(wrong, right), 1));
    },
  };
}
