/** Activations as layers, those with options or weights of their own among them. */
import { checkOptions, numberIn, OptionError, show } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { type ActivationOption, elu as eluOf, readActivation } from "../activations.js";
import { type ConstraintOption, readConstraint } from "../constraints.js";
import { type InitializerOption, readInitializer } from "../initializers.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction } from "../layer.js";
import { exampleAxis } from "../axes.js";
import { LOWEST, masked, spreadMask } from "../masks.js";
import { readRegularizer, type RegularizerOption } from "../regularizers.js";

/**
 * An activation as a layer of its own. Input and output have the same shape.
 *
 * @example
 * import { activation, input } from "torte";
 * const y = activation("relu")(input({ shape: [3] }));
 * console.log(y.shape); // [null, 3]
 */
export function activation(option: ActivationOption, options: CommonOptions = {}): LayerFunction {
  checkOptions("activation", options, COMMON);
  const apply = readActivation("activation", option);
  const all: CommonOptions & { activation: ActivationOption } = { ...options, activation: option };
  return layerFunction({
    kind: "activation",
    options: all,
    call: (inputs) => masked(apply(inputAt(inputs).value), inputAt(inputs).mask),
  });
}

/** Options of {@link relu}. */
export interface ReluOptions extends CommonOptions {
  /** Upper limit. Default none. */
  readonly maxValue?: number;
  /** Slope below the threshold, at least 0. Default 0. */
  readonly negativeSlope?: number;
  /** Values below it are cut. Default 0. */
  readonly threshold?: number;
}

/** An elementwise function as a layer of its own. */
function elementwise(kind: string, options: CommonOptions, call: (x: Node) => Node): LayerFunction {
  return layerFunction({ kind, options, call: (inputs) => masked(call(inputAt(inputs).value), inputAt(inputs).mask) });
}

/**
 * min(x, maxValue) from the threshold on, negativeSlope·(x − threshold) below it. Input and output have the same shape.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { input, relu } from "torte";
 * const x = input({ shape: [3] });
 * console.log(relu({ maxValue: 6 })(x).shape); // [null, 3]
 */
export function relu(options: ReluOptions = {}): LayerFunction {
  checkOptions("relu", options, [...COMMON, "maxValue", "negativeSlope", "threshold"]);
  const most = options.maxValue === undefined ? undefined : numberIn("relu", "maxValue", options.maxValue, { min: 0 });
  const slope = numberIn("relu", "negativeSlope", options.negativeSlope ?? 0, { min: 0 });
  const threshold = numberIn("relu", "threshold", options.threshold ?? 0, { min: 0 });
  return elementwise("relu", options, (x) => {
    const bounded = most === undefined ? x : ops.minimum(x, most);
    if (threshold === 0 && slope === 0) return ops.relu(bounded);
    // Asked whether it is below: a NaN is not, and stays.
    const below = threshold === 0 ? ops.lessEqual(x, 0) : ops.less(x, threshold);
    return ops.where(below, slope === 0 ? 0 : ops.mul(ops.sub(x, threshold), slope), bounded);
  });
}

/** Options of {@link leakyRelu}. */
export interface LeakyReluOptions extends CommonOptions {
  /** Slope below 0, at least 0. Default 0.3, as in Keras; the activation of that name has 0.2 there. */
  readonly negativeSlope?: number;
}

/**
 * x above 0, negativeSlope·x below. Maas et al. 2013. Input and output have the same shape.
 *
 * @throws OptionError for a slope below 0.
 * @example
 * import { input, leakyRelu } from "torte";
 * const x = input({ shape: [3] });
 * console.log(leakyRelu()(x).shape); // [null, 3]
 */
export function leakyRelu(options: LeakyReluOptions = {}): LayerFunction {
  checkOptions("leakyRelu", options, [...COMMON, "negativeSlope"]);
  const slope = numberIn("leakyRelu", "negativeSlope", options.negativeSlope ?? 0.3, { min: 0 });
  return elementwise("leakyRelu", options, (x) => ops.where(ops.less(0, x), x, ops.mul(x, slope)));
}

/** Options of {@link elu}. */
export interface EluOptions extends CommonOptions {
  /** What −y tends to far below 0. Default 1. */
  readonly alpha?: number;
}

/**
 * x above 0, alpha·(eˣ − 1) below. Clevert et al. 2016. Input and output have the same shape.
 *
 * @throws OptionError for an alpha that is no number.
 * @example
 * import { elu, input } from "torte";
 * const x = input({ shape: [3] });
 * console.log(elu()(x).shape); // [null, 3]
 */
export function elu(options: EluOptions = {}): LayerFunction {
  checkOptions("elu", options, [...COMMON, "alpha"]);
  return elementwise("elu", options, eluOf(numberIn("elu", "alpha", options.alpha ?? 1)));
}

/** Options of {@link prelu}. */
export interface PreluOptions extends CommonOptions {
  /** Default zeros. */
  readonly alphaInitializer?: InitializerOption;
  /** Default none. */
  readonly alphaRegularizer?: RegularizerOption;
  /** Default none. */
  readonly alphaConstraint?: ConstraintOption;
  /** Axes, counted with the batch as axis 0, along which one slope is shared. Default none. */
  readonly sharedAxes?: readonly number[];
}

/**
 * x above 0, α·x below, with a slope α that is learnt for each element. He et al. 2015.
 *
 * Input and output have the same shape; alpha has it too, with 1 on shared axes.
 *
 * @throws OptionError for shared axes that do not exist.
 * @example
 * import { input, prelu } from "torte";
 * console.log(prelu({ sharedAxes: [1] })(input({ shape: [50, 8] })).shape); // [null, 50, 8]
 */
export function prelu(options: PreluOptions = {}): LayerFunction {
  checkOptions("prelu", options, [...COMMON, "alphaInitializer", "alphaRegularizer", "alphaConstraint", "sharedAxes"]);
  const axes: unknown = options.sharedAxes ?? [];
  if (!Array.isArray(axes)) {
    const expected = "a list of axes";
    throw new OptionError({ where: "prelu", problem: "sharedAxes has the wrong form", expected, received: show(axes) });
  }
  const weight = {
    initializer: readInitializer("prelu", "alphaInitializer", options.alphaInitializer ?? "zeros"),
    regularizer: readRegularizer("prelu", "alphaRegularizer", options.alphaRegularizer),
    constraint: readConstraint("prelu", "alphaConstraint", options.alphaConstraint),
  };
  return layerFunction({
    kind: "prelu",
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const shared = (options.sharedAxes ?? []).map((axis) => exampleAxis(scope.where, value, axis));
      const shape = value.shape.slice(1).map((n, i) => (shared.includes(i + 1) ? 1 : n));
      const alpha = scope.weight("alpha", shape, weight);
      return masked(ops.where(ops.less(0, value), value, ops.mul(value, alpha)), mask);
    },
  });
}

/** Options of {@link softmax}. */
export interface SoftmaxOptions extends CommonOptions {
  /** Counted with the batch as axis 0. Default −1. */
  readonly axis?: number;
}

/**
 * eˣ/Σeˣ along one axis. Over the sequence (axis 1), masked positions take no part and stay zero.
 *
 * @throws OptionError for an axis that does not exist.
 * @example
 * import { input, softmax } from "torte";
 * console.log(softmax({ axis: 1 })(input({ shape: [50, 8] })).shape); // [null, 50, 8]
 */
export function softmax(options: SoftmaxOptions = {}): LayerFunction {
  checkOptions("softmax", options, [...COMMON, "axis"]);
  return layerFunction({
    kind: "softmax",
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const axis = exampleAxis(scope.where, value, options.axis ?? -1);
      const lowered =
        mask !== undefined && axis < mask.shape.length
          ? ops.where(spreadMask(mask, value.shape.length), value, LOWEST)
          : value;
      return masked(ops.softmax(lowered, axis), mask);
    },
  });
}
