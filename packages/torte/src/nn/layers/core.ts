/** Layers without weights: activation, dropout, shapes, masks, merging. */
import { checkOptions, MaskError, numberIn, oneOf, OptionError, ShapeError } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { formatShape, sizeOf } from "../../tensor/shape.js";
import { type ActivationOption, readActivation } from "../activations.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction, type Traced } from "../layer.js";
import { masked } from "../masks.js";

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

export interface DropoutOptions extends CommonOptions {
  /** Probability that a value is dropped, 0 up to below 1; 0.05 to 0.35 is usual. */
  readonly rate: number;
  /** "expected" scales by 1/(1 − rate); "realized" by the share that was really kept, |M|/ΣM. Default "expected". */
  readonly rescale?: "expected" | "realized";
}

/**
 * Sets values to zero at random while training, and scales the others up.
 *
 * y = x·M/(1 − rate), M = 1 with probability 1 − rate. In inference y = x. Srivastava et al. 2014.
 *
 * Input and output have the same shape; a mask is passed on.
 *
 * @throws OptionError for a rate outside 0 … 1.
 * @example
 * import { dropout, input } from "torte";
 * const y = dropout({ rate: 0.3 })(input({ shape: [64] }));
 * console.log(y.shape); // [null, 64]
 */
export function dropout(options: DropoutOptions): LayerFunction {
  checkOptions("dropout", options, [...COMMON, "rate", "rescale"]);
  const rate = numberIn("dropout", "rate", options.rate, { min: 0, below: 1 });
  const rescale = oneOf("dropout", "rescale", options.rescale ?? "expected", ["expected", "realized"]);
  return layerFunction({
    kind: "dropout",
    options,
    call: (inputs, scope) => {
      const input = inputAt(inputs);
      if (!scope.training || rate === 0) return input;
      const { value, mask } = input;
      const kept = ops.lessEqual(rate, scope.random(value.shape));
      if (rescale === "expected") return { value: ops.where(kept, ops.mul(value, 1 / (1 - rate)), 0), mask };
      const axes = value.shape.slice(1).map((_, i) => i + 1);
      const count = ops.sum(ops.cast(kept, "float32"), { axes, keepDims: true });
      const scale = ops.div(sizeOf(value.shape.slice(1)), ops.maximum(count, 1));
      return { value: ops.where(kept, ops.mul(value, scale), 0), mask };
    },
  });
}

/**
 * All axes but the batch made one. Ends a mask; its zeros stay.
 *
 * @example
 * import { flatten, input } from "torte";
 * const y = flatten()(input({ shape: [10, 16] }));
 * console.log(y.shape); // [null, 160]
 */
export function flatten(options: CommonOptions = {}): LayerFunction {
  checkOptions("flatten", options, COMMON);
  return layerFunction({
    kind: "flatten",
    options,
    integers: "accept",
    call: (inputs) => {
      const { value } = inputAt(inputs);
      return { value: ops.reshape(value, [value.shape[0] ?? 1, sizeOf(value.shape.slice(1))]) };
    },
  });
}

export interface ReshapeOptions extends CommonOptions {
  /** Shape of the result without the batch; one size may be −1. */
  readonly targetShape: readonly number[];
}

/** The same values in another shape. Ends a mask; its zeros stay. */
export function reshape(options: ReshapeOptions): LayerFunction {
  checkOptions("reshape", options, [...COMMON, "targetShape"]);
  return layerFunction({
    kind: "reshape",
    options,
    integers: "accept",
    call: (inputs, scope) => {
      const { value } = inputAt(inputs);
      const size = sizeOf(value.shape.slice(1));
      const known = options.targetShape.reduce((product, n) => (n === -1 ? product : product * n), 1);
      const shape = options.targetShape.map((n) => (n === -1 ? size / known : n));
      if (sizeOf(shape) !== size || shape.some((n) => !Number.isInteger(n) || n < 1)) {
        const [expected, received] = [`${size} values`, formatShape(options.targetShape)];
        throw new ShapeError({ where: scope.where, problem: "targetShape does not fit", expected, received });
      }
      return { value: ops.reshape(value, [value.shape[0] ?? 1, ...shape]) };
    },
  });
}

/** Goes on without the mask of its input: from here on padding counts as data. */
export function dropMask(options: CommonOptions = {}): LayerFunction {
  checkOptions("dropMask", options, COMMON);
  return layerFunction({
    kind: "dropMask",
    options,
    integers: "accept",
    call: (inputs) => ({ value: inputAt(inputs).value }),
  });
}

function sameShapes(where: string, inputs: readonly Traced[], but?: number): void {
  const [first] = inputs;
  const fits = inputs.every(
    ({ value }) =>
      value.shape.length === first?.value.shape.length &&
      value.shape.every((n, axis) => axis === but || n === first.value.shape[axis]),
  );
  if (fits) return;
  throw new ShapeError({
    where,
    problem: "the inputs do not fit each other",
    expected: but === undefined ? "inputs of one shape" : `inputs that differ only on axis ${but}`,
    received: inputs.map(({ value }) => formatShape([null, ...value.shape.slice(1)])).join(" and "),
    fix: "Project one of them with a dense layer or a convolution of kernelSize 1.",
  });
}

/** A position is valid where it is valid in every input that has a mask. */
function combinedMask(inputs: readonly Traced[]): Node | undefined {
  const masks = inputs.map(({ mask }) => mask).filter((mask) => mask !== undefined);
  return masks.length === 0 ? undefined : masks.reduce((all, mask) => ops.logicalAnd(all, mask));
}

function merge(kind: string, options: CommonOptions, combine: (values: Node[]) => Node): LayerFunction {
  checkOptions(kind, options, COMMON);
  return layerFunction({
    kind,
    options,
    inputs: "many",
    call: (inputs, scope) => {
      sameShapes(scope.where, inputs);
      return masked(combine(inputs.map(({ value }) => value)), combinedMask(inputs));
    },
  });
}

const fold =
  (combine: (a: Node, b: Node) => Node) =>
  (values: Node[]): Node =>
    values.reduce((a, b) => combine(a, b));

/**
 * The sum of inputs of one shape.
 *
 * @throws ShapeError where the shapes differ.
 * @example
 * import { add, dense, input } from "torte";
 * const x = input({ shape: [8] });
 * const y = add()([dense({ units: 8 })(x), x]);
 * console.log(y.shape); // [null, 8]
 */
export const add = (options: CommonOptions = {}): LayerFunction => merge("add", options, fold(ops.add));
export const multiply = (options: CommonOptions = {}): LayerFunction => merge("multiply", options, fold(ops.mul));
export const maximum = (options: CommonOptions = {}): LayerFunction => merge("maximum", options, fold(ops.maximum));
export const minimum = (options: CommonOptions = {}): LayerFunction => merge("minimum", options, fold(ops.minimum));
export const average = (options: CommonOptions = {}): LayerFunction =>
  merge("average", options, (values) => ops.mul(fold(ops.add)(values), 1 / values.length));

export interface ConcatenateOptions extends CommonOptions {
  /** Counted with the batch as axis 0. Default −1, the channels. */
  readonly axis?: number;
}

/** The inputs side by side along one axis. */
export function concatenate(options: ConcatenateOptions = {}): LayerFunction {
  checkOptions("concatenate", options, [...COMMON, "axis"]);
  return layerFunction({
    kind: "concatenate",
    options,
    inputs: "many",
    call: (inputs, scope) => {
      const rank = inputAt(inputs).value.shape.length;
      const given = options.axis ?? -1;
      const axis = given < 0 ? given + rank : given;
      if (!Number.isInteger(axis) || axis < 1 || axis >= rank) {
        throw new OptionError({
          where: scope.where,
          problem: "axis does not exist",
          expected: `1…${rank - 1} or negative`,
          received: String(given),
        });
      }
      sameShapes(scope.where, inputs, axis);
      const mask = combinedMask(inputs);
      if (axis === 1 && mask !== undefined) {
        throw new MaskError({
          where: scope.where,
          problem: "sequences with masks cannot be joined end to end",
          fix: "Put dropMask() before it if padding may count as data from here on.",
        });
      }
      return masked(
        ops.concat(
          inputs.map(({ value }) => value),
          axis,
        ),
        mask,
      );
    },
  });
}
