/** The public surface. */
export { space, Space, sizeText, type Resolved, type Size } from "./space/space.js";
export type { DefaultOption, Hyper, IntOptions, RangeOptions } from "./space/hyper.js";
export type {
  Assignment,
  BooleanParameter,
  CategoricalParameter,
  FloatParameter,
  IntParameter,
  OrderedParameter,
  Parameter,
  Value,
} from "./space/parameter.js";
export type { Ask, Observation, Searcher } from "./searchers/searcher.js";
export { auto, type SearcherName } from "./searchers/auto.js";
export { gp, type GpOptions } from "./searchers/gp.js";
export { tpe, type TpeOptions } from "./searchers/tpe.js";
export { byHand, grid, random, sobol, type GridOptions } from "./searchers/simple.js";
export { Search, type Goal, type SearchOptions, type SearchTrial, type Suggestion } from "./study/search.js";
