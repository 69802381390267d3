/**
 * The vocabulary that layers, losses and optimizers are written in: `import { ops } from "torte"`. On nodes they trace, on
 * tensors they compute at once.
 *
 * @module ops
 */
export * from "./basic.js";
export * from "./movement.js";
export * from "./reduce.js";
export { constant, iota, read, uniform, withOrigin } from "../graph/make.js";
