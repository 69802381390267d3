/** Functions of nodes, transformed. */
export { compile } from "./compile.js";
export {
  type AuxiliaryOptions,
  grad,
  type GradientOf,
  type GradOptions,
  hvp,
  jvp,
  type Pullback,
  valueAndGrad,
  vjp,
} from "./gradient.js";
export { hessian, type HessianOptions, jacobian, type JacobianOf, type JacobianOptions } from "./jacobian.js";
export type { Transformed } from "./transformed.js";
export type { OnNodes, OnTensors, Tree } from "./tree.js";
export { type Axes, vmap, type VmapOptions } from "./vmap.js";
