/** Where masks begin and end. */
import { checkOptions, numberIn, ShapeError } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { formatShape } from "../../tensor/shape.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction } from "../layer.js";
import { masked } from "../masks.js";

/**
 * Goes on without the mask of its input: from here on padding counts as data, as zeros.
 *
 * @example
 * import { dropMask, input, masking } from "torte";
 * const x = input({ shape: [30, 4] });
 * console.log(dropMask()(masking()(x)).shape); // [null, 30, 4]
 */
export function dropMask(options: CommonOptions = {}): LayerFunction {
  checkOptions("dropMask", options, COMMON);
  return layerFunction({
    kind: "dropMask",
    options,
    endsMask: true,
    integers: "accept",
    call: (inputs) => ({ value: inputAt(inputs).value }),
  });
}

/** Options of {@link masking}. */
export interface MaskingOptions extends CommonOptions {
  /** A step is masked where all its features have this value. Default 0. */
  readonly maskValue?: number;
}

/**
 * Masks the steps of a sequence whose features all have one value, and sets them to zero.
 *
 * Input and output (length, features); the output carries a mask, combined with the input's own.
 *
 * @throws ShapeError for an input without steps.
 * @example
 * import { input, masking } from "torte";
 * console.log(masking()(input({ shape: [30, 4] })).masked); // true
 */
export function masking(options: MaskingOptions = {}): LayerFunction {
  checkOptions("masking", options, [...COMMON, "maskValue"]);
  const maskValue = numberIn("masking", "maskValue", options.maskValue ?? 0);
  return layerFunction({
    kind: "masking",
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const axes = value.shape.slice(2).map((_, i) => i + 2);
      if (axes.length === 0) {
        throw new ShapeError({
          where: scope.where,
          problem: "there are no steps",
          expected: "(batch, length, …, features)",
          received: formatShape([null, ...value.shape.slice(1)]),
        });
      }
      const present = ops.any(ops.notEqual(value, maskValue), { axes });
      return masked(value, mask === undefined ? present : ops.logicalAnd(mask, present));
    },
  });
}
