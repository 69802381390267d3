/** Every layer: what these files export is public, but for what `composite.ts` has for other folders. */
export type { KernelOptions } from "../kernel.js";
export type { PerAxis } from "../windows.js";
export * from "./activation.js";
export { block, residual, timeDistributed, type Body, type ResidualOptions } from "./composite.js";
export * from "./conv.js";
export * from "./conv-separable.js";
export * from "./conv-transpose.js";
export * from "./dense.js";
export * from "./dropout.js";
export * from "./embedding.js";
export * from "./lambda.js";
export * from "./masking.js";
export * from "./merge.js";
export * from "./normalization.js";
export * from "./pooling.js";
export * from "./regularization.js";
export * from "./rescaling.js";
export * from "./reshaping.js";
