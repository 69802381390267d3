/** What an experiment file imports from the command line's package. */
export {
  experiment,
  type DataContext,
  type Experiment,
  type ExperimentData,
  type ModelContext,
  type NpzRequest,
  type TableRequest,
} from "./experiment.js";
