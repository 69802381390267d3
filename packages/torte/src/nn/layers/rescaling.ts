/** Inputs on another scale, by numbers that are given. */
import { checkOptions, numberIn } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction } from "../layer.js";
import { masked } from "../masks.js";

/** Options of {@link rescaling}. */
export interface RescalingOptions extends CommonOptions {
  /** Factor of the input. */
  readonly scale: number;
  /** Added to the product. Default 0. */
  readonly offset?: number;
}

/**
 * scale·x + offset, such as pixels of 0 to 255 as numbers of 0 to 1: images may so come as bytes. Input and output have the same shape.
 *
 * @throws OptionError for what is no number.
 * @example
 * import { input, rescaling, sequential, tensor } from "torte";
 * const model = sequential(input({ shape: [2] }), rescaling({ scale: 1 / 255 }));
 * console.log((await model.predict(tensor(Uint8Array.of(0, 255), { shape: [1, 2] }))).toArray()); // [ [ 0, 1 ] ]
 */
export function rescaling(options: RescalingOptions): LayerFunction {
  const kind = "rescaling";
  checkOptions(kind, options, [...COMMON, "scale", "offset"]);
  const scale = numberIn(kind, "scale", options.scale);
  const offset = numberIn(kind, "offset", options.offset ?? 0);
  return layerFunction({
    kind,
    options,
    call: (inputs) => {
      const { value, mask } = inputAt(inputs);
      const scaled = ops.mul(value, scale);
      return masked(offset === 0 ? scaled : ops.add(scaled, offset), mask);
    },
  });
}
