import type { Loss } from "../losses/loss.js";
import type { MeanMetric } from "./metric.js";

/** A loss as a metric: its mean, without penalties. */
export const lossMetric = ({ name, origin, targets, predictions, ignoreClass, call }: Loss): MeanMetric => ({
  name,
  ...(origin === undefined ? {} : { origin: { factory: `losses.${origin.factory}`, options: origin.options } }),
  kind: "mean",
  direction: "min",
  targets,
  ...(predictions === undefined ? {} : { predictions }),
  ...(ignoreClass === undefined ? {} : { ignoreClass }),
  call,
});
