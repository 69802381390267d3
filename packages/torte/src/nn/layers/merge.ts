/** Layers that merge several inputs into one. */
import { booleanOption, checkOptions, MaskError, OptionError, ShapeError, show } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { formatShape } from "../../tensor/shape.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction, type Traced } from "../layer.js";
import { exampleAxis } from "../axes.js";
import { masked } from "../masks.js";

function sameShapes(where: string, inputs: readonly Traced[], but?: number): void {
  const [first] = inputs;
  if (inputs.length < 2) {
    const [expected, fix] = ["at least 2", "Call it with a list, as in add()([a, b])."];
    throw new ShapeError({ where, problem: "wrong number of inputs", expected, received: String(inputs.length), fix });
  }
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
 * The sum of inputs of one shape: y = a + b + …. A position is valid where it is in every input that has a mask.
 *
 * @throws ShapeError where the shapes differ.
 * @example
 * import { add, dense, input } from "torte";
 * const x = input({ shape: [8] });
 * const y = add()([dense({ units: 8 })(x), x]);
 * console.log(y.shape); // [null, 8]
 */
export const add = (options: CommonOptions = {}): LayerFunction => merge("add", options, fold(ops.add));
/**
 * The first of two inputs minus the second: y = a − b, all of one shape. Masks combine.
 *
 * @throws ShapeError where the shapes differ, or there are not two inputs.
 * @example
 * import { input, subtract } from "torte";
 * const [a, b] = [input({ shape: [8] }), input({ shape: [8] })];
 * console.log(subtract()([a, b]).shape); // [null, 8]
 */
export function subtract(options: CommonOptions = {}): LayerFunction {
  checkOptions("subtract", options, COMMON);
  return layerFunction({
    kind: "subtract",
    options,
    inputs: 2,
    call: (inputs, scope) => {
      sameShapes(scope.where, inputs);
      return masked(ops.sub(inputAt(inputs).value, inputAt(inputs, 1).value), combinedMask(inputs));
    },
  });
}
/**
 * The product of the inputs, element by element; all of one shape. Masks combine.
 *
 * @throws ShapeError where the shapes differ.
 * @example
 * import { input, multiply } from "torte";
 * const [a, b] = [input({ shape: [8] }), input({ shape: [8] })];
 * console.log(multiply()([a, b]).shape); // [null, 8]
 */
export const multiply = (options: CommonOptions = {}): LayerFunction => merge("multiply", options, fold(ops.mul));
/**
 * The largest of the inputs, element by element; all of one shape. Masks combine.
 *
 * @throws ShapeError where the shapes differ.
 * @example
 * import { input, maximum } from "torte";
 * const [a, b] = [input({ shape: [8] }), input({ shape: [8] })];
 * console.log(maximum()([a, b]).shape); // [null, 8]
 */
export const maximum = (options: CommonOptions = {}): LayerFunction => merge("maximum", options, fold(ops.maximum));
/**
 * The smallest of the inputs, element by element; all of one shape. Masks combine.
 *
 * @throws ShapeError where the shapes differ.
 * @example
 * import { input, minimum } from "torte";
 * const [a, b] = [input({ shape: [8] }), input({ shape: [8] })];
 * console.log(minimum()([a, b]).shape); // [null, 8]
 */
export const minimum = (options: CommonOptions = {}): LayerFunction => merge("minimum", options, fold(ops.minimum));
/**
 * The mean of the inputs, element by element; all of one shape. Masks combine.
 *
 * @throws ShapeError where the shapes differ.
 * @example
 * import { average, input } from "torte";
 * const [a, b] = [input({ shape: [8] }), input({ shape: [8] })];
 * console.log(average()([a, b]).shape); // [null, 8]
 */
export const average = (options: CommonOptions = {}): LayerFunction =>
  merge("average", options, (values) => ops.mul(fold(ops.add)(values), 1 / values.length));

/** Options of {@link concatenate}. */
export interface ConcatenateOptions extends CommonOptions {
  /** Counted with the batch as axis 0. Default −1, the channels. */
  readonly axis?: number;
}

/**
 * The inputs side by side along one axis; their other axes are alike. Masks combine, but sequences with masks cannot be
 * joined end to end.
 *
 * @throws ShapeError where other axes differ; OptionError for an axis that does not exist; MaskError along masked sequences.
 * @example
 * import { concatenate, input } from "torte";
 * const [a, b] = [input({ shape: [8] }), input({ shape: [8] })];
 * console.log(concatenate()([a, b]).shape); // [null, 16]
 */
export function concatenate(options: ConcatenateOptions = {}): LayerFunction {
  checkOptions("concatenate", options, [...COMMON, "axis"]);
  return layerFunction({
    kind: "concatenate",
    options,
    inputs: "many",
    call: (inputs, scope) => {
      const axis = exampleAxis(scope.where, inputAt(inputs).value, options.axis ?? -1);
      sameShapes(scope.where, inputs, axis);
      if (axis === 1 && inputs.some(({ mask }) => mask !== undefined)) {
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
        combinedMask(inputs),
      );
    },
  });
}

/** Options of {@link dot}. */
export interface DotOptions extends CommonOptions {
  /** The axis of both inputs to sum over, or one for each; counted with the batch as axis 0. */
  readonly axes: number | readonly [number, number];
  /** Vectors along the axes are first scaled to norm 1, which makes it the cosine. Default false. */
  readonly normalize?: boolean;
}

/**
 * Products of two inputs, example by example, summed over one axis of each.
 *
 * y[…, …′] = Σₖ a[…, k]·b[…′, k]. Two vectors give (1).
 *
 * The mask of the sequence on axis 1 of the result is passed on. A mask over the summed axis is no longer needed, since masked
 * positions are zero.
 *
 * @throws OptionError for axes that do not exist; ShapeError where they differ in length.
 * @example
 * import { dot, input } from "torte";
 * const [a, b] = [input({ shape: [7, 16] }), input({ shape: [9, 16] })];
 * console.log(dot({ axes: 2 })([a, b]).shape); // [null, 7, 9]
 */
export function dot(options: DotOptions): LayerFunction {
  checkOptions("dot", options, [...COMMON, "axes", "normalize"]);
  const normalize = booleanOption("dot", "normalize", options.normalize ?? false);
  const given = typeof options.axes === "number" ? [options.axes, options.axes] : options.axes;
  if (!Array.isArray(given) || given.length !== 2) {
    throw new OptionError({
      where: "dot",
      problem: "axes is missing",
      expected: "an axis, or one for each input",
      received: show(options.axes),
    });
  }
  return layerFunction({
    kind: "dot",
    options,
    inputs: 2,
    endsMask: true,
    call: (inputs, scope) => {
      const [a, b] = [0, 1].map((i) => {
        const { value } = inputAt(inputs, i);
        const axis = exampleAxis(scope.where, value, given[i] ?? -1);
        return { axis, value: normalize ? ops.normalize(value, { axes: [axis] }) : value };
      });
      if (a === undefined || b === undefined) throw new RangeError("dot takes two inputs");
      const [left, right] = [a.value.shape[a.axis], b.value.shape[b.axis]];
      if (left !== right) {
        throw new ShapeError({
          where: scope.where,
          problem: "the summed axes differ in length",
          expected: String(left),
          received: String(right),
        });
      }
      const labels = (rank: number, axis: number, names: string): string =>
        Array.from({ length: rank }, (_, i) => (i === 0 ? "b" : i === axis ? "k" : (names[i] ?? ""))).join("");
      const [first, second] = [
        labels(a.value.shape.length, a.axis, "ABCDE"),
        labels(b.value.shape.length, b.axis, "PQRST"),
      ];
      const rest = (names: string): string => names.replace("b", "").replace("k", "");
      const product = ops.einsum(`${first},${second}->b${rest(first)}${rest(second)}`, a.value, b.value);
      const value = product.shape.length === 1 ? ops.expandDims(product, 1) : product;
      // Axis 1 of the result is that of the first input that keeps an axis, if it keeps its own.
      const source = a.value.shape.length > 2 ? a : b;
      const mask =
        source.axis === 1 || source.value.shape.length < 3 ? undefined : inputAt(inputs, source === a ? 0 : 1).mask;
      return masked(value, mask);
    },
  });
}
