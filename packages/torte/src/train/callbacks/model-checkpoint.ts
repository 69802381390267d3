/** Saving the model as training goes on. */
import { booleanOption, checkOptions, numberIn, OptionError, positiveInteger, show } from "../../errors.js";
import { writeWhole } from "../../data/write.js";
import { isNode } from "../../host.js";
import type { Bytes } from "../../tensor/dtype.js";
import type { Callback, Logs } from "../callbacks.js";
import { readState } from "../json.js";
import { Monitor, MONITOR_OPTIONS, type MonitorOptions } from "./monitor.js";

/** Options of {@link modelCheckpoint}. */
export interface ModelCheckpointOptions extends MonitorOptions {
  /** Where the model goes: a path, or a function of the epoch, counted from 0, and its figures that gives one. */
  readonly filepath: string | ((epoch: number, logs: Logs) => string);
  /** Only where the watched figure is better than ever before. Default false. */
  readonly saveBestOnly?: boolean;
  /** The weights alone, for loadWeights, instead of the whole model, for loadModel. Default false. */
  readonly saveWeightsOnly?: boolean;
  /** Epochs from one to the next, at least 1. Default 1. */
  readonly saveFreq?: number;
  /** The figure must be better than this to be saved. Default none. */
  readonly initialValueThreshold?: number;
  /** Writes the file. Default: in Node, to the disk, so that the path has either the whole old file or the whole new one. */
  readonly write?: (path: string, bytes: Bytes) => void | Promise<void>;
}

/**
 * Writes the model at the end of epochs, after early stopping and everything else that changes it. A file is written beside
 * its place under another name, brought to the disk and renamed: whoever looks sees the old one or the new one, whole.
 *
 * @throws OptionError for options out of range, for a pattern instead of a path, and outside of Node without `write`; during
 * training for a figure that does not exist; DataError where the file cannot be written, which ends training.
 * @example
 * import { dense, input, modelCheckpoint, sequential, tensor } from "torte";
 * const model = sequential(input({ shape: [1] }), dense({ units: 1 }));
 * model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
 * const written: string[] = [];
 * const checkpoint = modelCheckpoint({
 *   filepath: (epoch) => `model-${epoch + 1}.safetensors`,
 *   write: (path) => void written.push(path),
 * });
 * await model.fit({ x: tensor([[1], [2]]), y: tensor([[2], [4]]) }, { epochs: 2, callbacks: [checkpoint] });
 * console.log(written); // [ 'model-1.safetensors', 'model-2.safetensors' ]
 */
export function modelCheckpoint(options: ModelCheckpointOptions): Callback {
  const where = "modelCheckpoint";
  checkOptions(where, options, [
    ...MONITOR_OPTIONS,
    "filepath",
    "saveBestOnly",
    "saveWeightsOnly",
    "saveFreq",
    "initialValueThreshold",
    "write",
  ]);
  const pathOf = pathOption(where, options.filepath);
  const write = writeOption(where, options.write);
  const bestOnly = booleanOption(where, "saveBestOnly", options.saveBestOnly ?? false);
  const weightsOnly = booleanOption(where, "saveWeightsOnly", options.saveWeightsOnly ?? false);
  const every = positiveInteger(where, "saveFreq", options.saveFreq ?? 1);
  const threshold = options.initialValueThreshold;
  const first = threshold === undefined ? undefined : numberIn(where, "initialValueThreshold", threshold);
  const monitor = new Monitor(where, options);
  monitor.best = first;
  return {
    kind: where,
    stage: "checkpoint",
    onTrainBegin: (control) => {
      if (bestOnly) monitor.begin(control);
      monitor.best = first;
    },
    onEpochEnd: async (epoch, logs, control) => {
      if ((epoch + 1) % every !== 0) return;
      if (bestOnly && !monitor.improve(monitor.read(logs), control)) return;
      const { model } = control;
      await write(pathOf(epoch, logs), await (weightsOnly ? model.saveWeights() : model.save()));
    },
    state: () => ({ best: monitor.best ?? null }),
    load: (state) => {
      monitor.best = readState(where, state, { best: "number?" }).best;
    },
  };
}

function pathOption(where: string, filepath: unknown): (epoch: number, logs: Logs) => string {
  if (typeof filepath === "function") return filepath as (epoch: number, logs: Logs) => string;
  const expected = "a path, or a function (epoch, logs) => path";
  if (typeof filepath !== "string" || filepath === "")
    throw new OptionError({ where, problem: "filepath is missing", expected, received: show(filepath) });
  if (!/\{[^}]*\}/.test(filepath)) return () => filepath;
  const fix = "Write filepath: (epoch, logs) => `model-${epoch}-${logs.valLoss}.safetensors`.";
  throw new OptionError({ where, problem: "filepath is a pattern", expected, received: show(filepath), fix });
}

function writeOption(where: string, write: unknown): (path: string, bytes: Bytes) => unknown {
  if (typeof write === "function") return write as (path: string, bytes: Bytes) => unknown;
  if (write !== undefined)
    throw new OptionError({
      where,
      problem: "write has the wrong type",
      expected: "a function (path, bytes)",
      received: show(write),
    });
  if (isNode()) return writeWhole;
  throw new OptionError({ where, problem: "there are no files here", fix: "Give write: (path, bytes) => …" });
}
