import { checkOptions, OptionError, positiveInteger, show } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import { add, einsum } from "../../ops/index.js";
import { entryOf, lastOf, sizeAt } from "../../tensor/shape.js";
import { inputAt, type LayerFunction, layerFunction, refuseMask } from "../layer.js";
import { checkFeatures } from "../axes.js";
import { masked } from "../masks.js";
import { KERNEL_OPTIONS, type KernelOptions, readKernelOptions } from "../kernel.js";

/** Options of {@link dense}. */
export interface DenseOptions extends KernelOptions {
  /** Size of the result's last axis, at least 1. */
  readonly units: number;
}

/**
 * A fully connected layer over the last axis.
 *
 * y = activation(x·kernel + bias)
 *
 * Input (…, n), output (…, units); kernel (n, units), bias (units). A mask is passed on.
 *
 * @throws OptionError for options that are unknown or out of range.
 * @example
 * import { dense, input } from "torte";
 * const y = dense({ units: 3, activation: "relu" })(input({ shape: [4] }));
 * console.log(y.shape); // [null, 3]
 */
export function dense(options: DenseOptions): LayerFunction {
  checkOptions("dense", options, [...KERNEL_OPTIONS, "units"]);
  const units = positiveInteger("dense", "units", options.units);
  const { activation, useBias, kernel, bias } = readKernelOptions("dense", options);
  return layerFunction({
    kind: "dense",
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      checkFeatures(scope.where, value);
      // The sum would go over the sequence itself.
      if (value.shape.length === 2) refuseMask(scope, inputs);
      const width = lastOf(value.shape);
      const axes = [..."abcdefghijklm"].slice(0, value.shape.length - 1).join("");
      const product = einsum(`${axes}y,yz->${axes}z`, value, scope.weight("kernel", [width, units], kernel));
      return masked(activation(useBias ? add(product, scope.weight("bias", [units], bias)) : product), mask);
    },
  });
}

/** Options of {@link einsumDense}. */
export interface EinsumDenseOptions extends Omit<KernelOptions, "useBias"> {
  /** As of einsum, "abc,cd->abd", the kernel second; "..." stands for the axes before, the batch included. */
  readonly equation: string;
  /** Shape of one result; null where the size is that of the input. */
  readonly outputShape: number | readonly (number | null)[];
  /** Labels of the result's axes that have a bias. Default none, and then there is no bias. */
  readonly biasAxes?: string;
}

/**
 * A product of the input with a kernel, in the notation of Einstein.
 *
 * y = activation(einsum(equation, x, kernel) + bias)
 *
 * Kernel and bias take their shapes from the equation and from outputShape. A mask is passed on where the result keeps the
 * axis of the sequence.
 *
 * @throws OptionError for an equation that does not fit.
 * @example
 * import { einsumDense, input } from "torte";
 * const layer = einsumDense({ equation: "abc,cd->abd", outputShape: [null, 64], biasAxes: "d" });
 * console.log(layer(input({ shape: [32, 128] })).shape); // [null, 32, 64]
 */
export function einsumDense(options: EinsumDenseOptions): LayerFunction {
  const kind = "einsumDense";
  const allowed = KERNEL_OPTIONS.filter((name) => name !== "useBias");
  checkOptions(kind, options, [...allowed, "equation", "outputShape", "biasAxes"]);
  const { activation, kernel, bias } = readKernelOptions(kind, options);
  const { biasAxes, outputShape }: { readonly biasAxes?: unknown; readonly outputShape?: unknown } = options;
  const fail = (problem: string, expected: string, received: unknown): never => {
    throw new OptionError({ where: kind, problem, expected, received: show(received) });
  };
  parseEquation(kind, options.equation);
  if (typeof outputShape !== "number" && !Array.isArray(outputShape))
    fail("outputShape has the wrong form", "a size, or a list of sizes and null", outputShape);
  if (biasAxes !== undefined && typeof biasAxes !== "string")
    fail("biasAxes has the wrong form", "a text of labels", biasAxes);
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const { left, right, out, sizes } = readEquation(scope.where, options, value);
      const shapeOf = (labels: string): number[] => [...labels].map((label) => entryOf(sizes, label));
      const product = einsum(`${left},${right}->${out}`, value, scope.weight("kernel", shapeOf(right), kernel));
      const kept = left[1] !== undefined && out[1] === left[1];
      if (!kept) refuseMask(scope, inputs);
      const axes = options.biasAxes;
      if (axes === undefined) return masked(activation(product), mask);
      if ([...axes].some((label) => !out.includes(label))) {
        const [expected, received] = [`labels of ${out}`, show(axes)];
        throw new OptionError({ where: scope.where, problem: "biasAxes does not fit", expected, received });
      }
      const ordered = [...out].filter((label) => axes.includes(label)).join("");
      const from = out.indexOf(ordered[0] ?? "");
      const spread = [...out].map((label) => (ordered.includes(label) ? entryOf(sizes, label) : 1)).slice(from);
      const weight = scope.weight("bias", spread, bias);
      return masked(activation(add(product, weight)), mask);
    },
  });
}

interface Equation {
  readonly left: string;
  readonly right: string;
  readonly out: string;
  readonly sizes: ReadonlyMap<string, number>;
}

/** The labels as they are written; `dots` where axes before them are left open. */
function parseEquation(
  where: string,
  equation: unknown,
): { dots: boolean; explicit: string; right: string; result: string } {
  const text = typeof equation === "string" ? equation.replaceAll(" ", "") : "";
  const match = /^(\.{3})?([a-zA-Z]+),([a-zA-Z]+)->(\.{3})?([a-zA-Z]+)$/.exec(text);
  if (match === null || (match[1] === undefined) !== (match[4] === undefined)) {
    throw new OptionError({
      where,
      problem: "the equation cannot be read",
      expected: 'one like "abc,cd->abd" or "...c,cd->...d"',
      received: show(equation),
    });
  }
  const [, dots, explicit = "", right = "", , result = ""] = match;
  return { dots: dots !== undefined, explicit, right, result };
}

/** Labels of input, kernel and result, the dots written out, with the sizes of all of them. */
function readEquation(where: string, { equation, outputShape }: EinsumDenseOptions, value: Node): Equation {
  const fail = (problem: string, expected: string, received: string): never => {
    throw new OptionError({ where, problem, expected, received });
  };
  const { dots, explicit, right, result } = parseEquation(where, equation);
  const used = new Set(explicit + right + result);
  const free = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter((label) => !used.has(label));
  const leading = !dots ? "" : free.slice(0, value.shape.length - explicit.length).join("");
  const [left, out] = [leading + explicit, leading + result];
  if (left.length !== value.shape.length)
    return fail("the equation has other axes than the input", `${value.shape.length} labels`, show(left));
  const sizes = new Map([...left].map((label, i) => [label, sizeAt(value.shape, i)]));
  const list = typeof outputShape === "number" ? [outputShape] : outputShape;
  const labels = [...out].slice(out.length - list.length);
  list.forEach((n, i) => {
    const label = labels[i] ?? "";
    if (n === null) return;
    const known = sizes.get(label);
    const size = positiveInteger(where, "outputShape", n);
    if (known !== undefined && known !== size)
      fail(`outputShape contradicts the input in ${label}`, String(known), String(n));
    sizes.set(label, size);
  });
  const unknown = [...right, ...out].find((label) => !sizes.has(label));
  if (unknown !== undefined)
    return fail(`the size of ${unknown} is not known`, "it in the input or in outputShape", show(outputShape));
  return { left, right, out, sizes };
}
