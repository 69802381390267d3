/** Options of layers with a kernel, a bias and an activation. */
import { booleanOption } from "../errors.js";
import { type ActivationOption, readActivation } from "./activations.js";
import { type ConstraintOption, readConstraint } from "./constraints.js";
import { type InitializerOption, readInitializer } from "./initializers.js";
import { COMMON, type CommonOptions } from "./layer.js";
import { readRegularizer, type RegularizerOption } from "./regularizers.js";

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
  /** What every update of the kernel ends with, by name or function. Default none. */
  readonly kernelConstraint?: ConstraintOption;
  /** Default none. */
  readonly biasConstraint?: ConstraintOption;
}

export const KERNEL_OPTIONS = [
  ...COMMON,
  "activation",
  "useBias",
  "kernelInitializer",
  "biasInitializer",
  "kernelRegularizer",
  "biasRegularizer",
  "kernelConstraint",
  "biasConstraint",
] as const;

export function readKernelOptions(where: string, options: KernelOptions) {
  return {
    activation: readActivation(where, options.activation ?? "linear"),
    useBias: booleanOption(where, "useBias", options.useBias ?? true),
    kernel: {
      initializer: readInitializer(where, "kernelInitializer", options.kernelInitializer ?? "glorotUniform"),
      regularizer: readRegularizer(where, "kernelRegularizer", options.kernelRegularizer),
      constraint: readConstraint(where, "kernelConstraint", options.kernelConstraint),
    },
    bias: {
      initializer: readInitializer(where, "biasInitializer", options.biasInitializer ?? "zeros"),
      regularizer: readRegularizer(where, "biasRegularizer", options.biasRegularizer),
      constraint: readConstraint(where, "biasConstraint", options.biasConstraint),
    },
  };
}
