/**
 * Search of hyperparameters.
 *
 * @module @torte/tune
 */
export { presentSetting, type PresentSetting } from "./space/explore.js";
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
export type { Ask, Earlier, Observation, Searcher } from "./searchers/searcher.js";
export { auto, type SearcherName } from "./searchers/auto.js";
export { gp, type GpOptions } from "./searchers/gp.js";
export { tpe, type TpeOptions } from "./searchers/tpe.js";
export { byHand, grid, random, sobol, type GridOptions } from "./searchers/simple.js";
export { Search, type Goal, type SearchOptions, type SearchTrial, type Suggestion } from "./study/search.js";
export {
  serveTrials,
  tune,
  type StudyOptions,
  type Tunable,
  type TuneOptions,
  type WorkerProcesses,
} from "./study/tune.js";
export { Study, type BestTrial, type Confirmed } from "./study/study.js";
export type { Span, Trial, TrialState } from "./study/ledger.js";
export type { Constraints, Objective } from "./study/objective.js";
export type { TrialFit, TuneData } from "./study/trial-run.js";
export type { SharedStorage } from "./storage/postgres/database.js";
export type { Budget } from "./study/budget.js";
export type { JournalEvent } from "./study/events.js";
export { readJournal, StudyFileError } from "./storage/journal.js";
export { asha, brackets, hyperband, successiveHalving, type HalvingOptions, type Rung } from "./schedulers/halving.js";
export { curveFitting, medianStopping, none, type CurveOptions, type MedianOptions } from "./schedulers/stopping.js";
export type { SchedulerName } from "./schedulers/by-name.js";
export type { Schedule, ScheduledTrial, Scheduler, Task } from "./schedulers/scheduler.js";
