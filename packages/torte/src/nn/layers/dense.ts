import { booleanOption, checkOptions, positiveInteger } from "../../errors.js";
import { add, einsum } from "../../ops/index.js";
import { type ActivationOption, readActivation } from "../activations.js";
import { glorotUniform, type InitializerOption, readInitializer, zeros } from "../initializers.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction } from "../layer.js";
import { masked } from "../masks.js";
import { readRegularizer, type RegularizerOption } from "../regularizers.js";

/** Options that layers with a kernel and a bias share. */
export interface KernelOptions extends CommonOptions {
  /** Default "linear". */
  readonly activation?: ActivationOption;
  /** Default true. */
  readonly useBias?: boolean;
  /** Default glorotUniform. */
  readonly kernelInitializer?: InitializerOption;
  /** Default zeros. */
  readonly biasInitializer?: InitializerOption;
  /** Penalty of the kernel, by name or function. Default none. */
  readonly kernelRegularizer?: RegularizerOption;
  /** Penalty of the bias. Default none. */
  readonly biasRegularizer?: RegularizerOption;
}

export const KERNEL_OPTIONS = [
  ...COMMON,
  "activation",
  "useBias",
  "kernelInitializer",
  "biasInitializer",
  "kernelRegularizer",
  "biasRegularizer",
] as const;

export function readKernelOptions(where: string, options: KernelOptions) {
  return {
    activation: readActivation(where, options.activation ?? "linear"),
    useBias: booleanOption(where, "useBias", options.useBias ?? true),
    kernel: {
      initializer: readInitializer(where, "kernelInitializer", options.kernelInitializer ?? glorotUniform),
      regularizer: readRegularizer(where, "kernelRegularizer", options.kernelRegularizer),
    },
    bias: {
      initializer: readInitializer(where, "biasInitializer", options.biasInitializer ?? zeros),
      regularizer: readRegularizer(where, "biasRegularizer", options.biasRegularizer),
    },
  };
}

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
      const width = value.shape.at(-1) ?? 1;
      const axes = [..."abcdefghijklm"].slice(0, value.shape.length - 1).join("");
      const product = einsum(`${axes}y,yz->${axes}z`, value, scope.weight("kernel", [width, units], kernel));
      return masked(activation(useBias ? add(product, scope.weight("bias", [units], bias)) : product), mask);
    },
  });
}
