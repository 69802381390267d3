/** Penalties on what passes through. */
import { checkOptions, numberIn } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { sizeAt } from "../../tensor/shape.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction } from "../layer.js";
import { l1l2 } from "../regularizers.js";

/** Options of {@link activityRegularization}. */
export interface ActivityRegularizationOptions extends CommonOptions {
  /** Factor of Σ|x|, at least 0. Default 0. */
  readonly l1?: number;
  /** Factor of Σx², at least 0. Default 0. */
  readonly l2?: number;
}

/**
 * Passes its input on and adds a penalty on it to the loss: (l1·Σ|x| + l2·Σx²)/batch. The same as the option
 * `activityRegularizer` of any other layer.
 *
 * @throws OptionError for factors below 0.
 * @example
 * import { activityRegularization, input } from "torte";
 * console.log(activityRegularization({ l1: 0.01 })(input({ shape: [8] })).shape); // [null, 8]
 */
export function activityRegularization(options: ActivityRegularizationOptions = {}): LayerFunction {
  const kind = "activityRegularization";
  checkOptions(kind, options, [...COMMON, "l1", "l2"]);
  const factor = (name: "l1" | "l2"): number => numberIn(kind, name, options[name] ?? 0, { min: 0 });
  const penalty = l1l2({ l1: factor("l1"), l2: factor("l2") });
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value } = inputAt(inputs);
      scope.penalty(ops.mul(penalty(value), 1 / sizeAt(value.shape, 0)));
      return inputAt(inputs);
    },
  });
}
