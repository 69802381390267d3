/** The vocabulary that layers, losses and optimizers are written in. */
export * from "./basic.js";
export * from "./movement.js";
export * from "./reduce.js";
export { constant, iota, read, uniform, withOrigin } from "../graph/make.js";
