/** Functions of people's own as layers, and the identity. */
import { checkOptions, oneOf, OptionError, show } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction, refuseMask } from "../layer.js";
import { masked } from "../masks.js";

/**
 * Its input as it is, mask included.
 *
 * @example
 * import { identity, input } from "torte";
 * const x = input({ shape: [3] });
 * console.log(identity()(x).shape); // [null, 3]
 */
export function identity(options: CommonOptions = {}): LayerFunction {
  checkOptions("identity", options, COMMON);
  return layerFunction({ kind: "identity", options, integers: "accept", call: (inputs) => inputAt(inputs) });
}

/** Options of {@link lambda}. */
export interface LambdaOptions extends CommonOptions {
  /**
   * What becomes of a mask: "keep" where positions stay what they are, "refuse" where the function cannot honour one.
   * Default "refuse".
   */
  readonly mask?: "keep" | "refuse";
}

/**
 * A function of `ops` as a layer: from a node [batch, …] to a node [batch, …].
 *
 * @throws OptionError where it is no function; MaskError for a masked input unless mask is "keep".
 * @example
 * import { input, lambda, ops } from "torte";
 * const half = lambda((x) => ops.mul(x, 0.5));
 * console.log(half(input({ shape: [3] })).shape); // [null, 3]
 */
export function lambda(call: (x: Node) => Node, options: LambdaOptions = {}): LayerFunction {
  checkOptions("lambda", options, [...COMMON, "mask"]);
  if (typeof call !== "function") {
    throw new OptionError({
      where: "lambda",
      problem: "there is no function",
      expected: "a function of a node",
      received: show(call),
    });
  }
  const keep = oneOf("lambda", "mask", options.mask ?? "refuse", ["keep", "refuse"]) === "keep";
  const all: LambdaOptions & { readonly function: (x: Node) => Node } = { ...options, function: call };
  return layerFunction({
    kind: "lambda",
    options: all,
    integers: "accept",
    call: (inputs, scope) => {
      if (!keep) refuseMask(scope, inputs);
      const { value, mask } = inputAt(inputs);
      return masked(call(value), mask);
    },
  });
}
