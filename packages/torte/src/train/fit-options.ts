/** What `fit` takes. */
import { booleanOption, checkOptions, numberIn, OptionError, positiveInteger, show, wholeNumber } from "../errors.js";
import { isHostObject } from "../tensor/realm.js";
import { type Callback, checkCallbacks } from "./callbacks.js";
import { type Verbosity, verbosity } from "./callbacks/verbosity.js";
import type { ResumeOptions } from "./checkpoint/fit-checkpoints.js";
import { folderOption, readCheckpointOptions } from "./checkpoint/options.js";
import type { Data } from "./model-data.js";
import type { ClassWeight } from "./objective.js";

/** Options of a model's `fit`. */
export interface FitOptions extends ResumeOptions {
  /** The number of the last epoch, at least 1: as many passes over the data, where training begins with the first. Default 1. */
  readonly epochs?: number;
  /** Epochs that have been done before: training begins with the one behind them. Below `epochs`. Default 0. */
  readonly initialEpoch?: number;
  /** Rows in a step. Default: that of the dataset, else 32. The batches of a stream are as they come. */
  readonly batchSize?: number;
  /**
   * Steps that make an epoch, at least 1; the next one goes on behind them, and from the start where the data has come to its
   * end. Default: all that the data has.
   */
  readonly stepsPerEpoch?: number;
  /** Measured after every epoch: a Dataset, `{ x, y }`, `[x, y]`, `[x, y, sampleWeight]`, or a stream of such batches. */
  readonly validationData?: Data;
  /** Share of the rows that is held back for validation, above 0 and below 1: the last ones, before shuffling. Default none. */
  readonly validationSplit?: number;
  /** Batches of the validation data that are measured, at least 1. Default: all. */
  readonly validationSteps?: number;
  readonly callbacks?: readonly Callback[];
  /** Ends training cleanly at the next report. */
  readonly signal?: AbortSignal;
  /**
   * Weights of the classes in the loss, such as { 0: 1, 1: 5 }; of several outputs an object of those by name. In training
   * only, as in Keras: neither valLoss nor the metrics know them, so that valLoss may be below loss. Class weights of 2 for all
   * double the loss. Default 1 each.
   */
  readonly classWeight?: ClassWeight | Readonly<Record<string, ClassWeight>>;
  /** A new order of the rows in every epoch, on top of the dataset's own. Default: true for plain tensors. */
  readonly shuffle?: boolean;
  /**
   * What is printed: 0 nothing, 1 a bar for each epoch as it goes on, 2 a line for each epoch. Default: 1 where the output is a
   * terminal, else 0.
   */
  readonly verbose?: Verbosity;
}

const FIT_OPTIONS = [
  "epochs",
  "initialEpoch",
  "batchSize",
  "stepsPerEpoch",
  "validationData",
  "validationSplit",
  "validationSteps",
  "callbacks",
  "signal",
  "shuffle",
  "classWeight",
  "checkpoint",
  "resume",
  "verbose",
];

/** @throws OptionError for options that are unknown or of the wrong type; `epochs` and `batchSize` are read later. */
export function checkFitOptions(options: FitOptions): void {
  checkOptions("fit", options, FIT_OPTIONS);
  booleanOption("fit", "shuffle", options.shuffle ?? false);
  checkCallbacks("fit", options.callbacks ?? []);
  verbosity("fit", options.verbose ?? 0);
  checkEpochs(options);
  if (options.checkpoint !== undefined) readCheckpointOptions(options.checkpoint);
  if (options.resume !== undefined) folderOption("fit", "resume", options.resume);
  const signal: unknown = options.signal;
  if (signal === undefined || isHostObject(signal, "AbortSignal")) return;
  throw new OptionError({
    where: "fit",
    problem: "signal has the wrong type",
    expected: "the signal of an AbortController",
    received: show(signal),
  });
}

function checkEpochs({ epochs = 1, initialEpoch = 0, ...options }: FitOptions): void {
  const { stepsPerEpoch, validationData, validationSplit, validationSteps } = options;
  wholeNumber("fit", "initialEpoch", initialEpoch);
  if (stepsPerEpoch !== undefined) positiveInteger("fit", "stepsPerEpoch", stepsPerEpoch);
  if (validationSteps !== undefined) positiveInteger("fit", "validationSteps", validationSteps);
  if (validationSplit !== undefined) numberIn("fit", "validationSplit", validationSplit, { above: 0, below: 1 });
  if (initialEpoch >= positiveInteger("fit", "epochs", epochs))
    throw new OptionError({
      where: "fit",
      problem: "no epoch is left",
      expected: `epochs above initialEpoch, ${initialEpoch}`,
      received: String(epochs),
      fix: "epochs is the number of the last epoch, not of those to come.",
    });
  const both = validationData !== undefined && validationSplit !== undefined;
  const none = validationSteps !== undefined && validationData === undefined && validationSplit === undefined;
  if (both || none)
    throw new OptionError({
      where: "fit",
      problem: both ? "validationData and validationSplit exclude each other" : "validationSteps is given without data",
      expected: both ? "one of them" : "validationData",
    });
}
