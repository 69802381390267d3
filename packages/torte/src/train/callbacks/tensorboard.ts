/** What a run tells TensorBoard. */
import { checkOptions, oneOf, OptionError, show, wholeNumber } from "../../errors.js";
import { needFiles } from "../../data/write.js";
import type { Callback, Logs, TrainingControl } from "../callbacks.js";
import { readState } from "../json.js";
import { EventWriter } from "../tensorboard/writer.js";

/** Options of {@link tensorBoard}. */
export interface TensorBoardOptions {
  /** The folder of the run; TensorBoard shows all runs of the folder that it is in. Default "logs". */
  readonly logDir?: string;
  /** Epochs between two histograms of the weights; 0 for none. Default 0. */
  readonly histogramFreq?: number;
  /** Figures after every epoch, or after every step, too. Default "epoch". */
  readonly updateFreq?: "epoch" | "batch";
}

/**
 * Writes figures for TensorBoard: `epoch_loss` and the others, and `epoch_learning_rate`, by epoch to the folder `train`, those of
 * validation data under the same names to the folder `validation`, so that it draws them together; `batch_loss` by step to the folder
 * `batch`; weights as histograms under their names; the summary of the model as text. Show them with `tensorboard --logdir logs`.
 *
 * A run that goes on from a checkpoint writes on in the same folder, and takes back what came after the checkpoint.
 *
 * @throws OptionError for options out of range, and outside of Node; DataError where a file cannot be written.
 * @example
 * import { tensorBoard } from "torte";
 * const callback = tensorBoard({ logDir: "logs/first", histogramFreq: 5 });
 * console.log(await callback.state?.()); // { epochs: 0, steps: 0 }
 */
export function tensorBoard(options: TensorBoardOptions = {}): Callback {
  const where = "tensorBoard";
  checkOptions(where, options, ["logDir", "histogramFreq", "updateFreq"]);
  needFiles(where);
  const folder: unknown = options.logDir ?? "logs";
  if (typeof folder !== "string" || folder === "")
    throw new OptionError({ where, problem: "logDir has the wrong type", expected: "a path", received: show(folder) });
  const every = wholeNumber(where, "histogramFreq", options.histogramFreq ?? 0);
  const byStep = oneOf(where, "updateFreq", options.updateFreq ?? "epoch", ["epoch", "batch"]) === "batch";
  let [epochs, steps] = [0, 0];
  const writers = new Map<string, EventWriter>();

  /** A file of its own, which voids what runs before have written of steps that come again. */
  const writer = (part: string, step: number, control: TrainingControl): EventWriter => {
    const open = writers.get(part);
    if (open !== undefined) return open;
    const made = new EventWriter(`${folder}/${part}`, step === 0 ? {} : { restartAt: step });
    if (part === "train" && step === 0) made.text("model", `\`\`\`\n${control.model.summary()}\n\`\`\``, 0);
    writers.set(part, made);
    return made;
  };
  const flush = async (): Promise<void> => {
    for (const open of writers.values()) await open.flush();
  };
  const onBatchEnd = (_step: number, logs: Logs, control: TrainingControl): void => {
    const to = writer("batch", steps, control);
    for (const [name, value] of Object.entries(logs)) to.scalar(`batch_${name}`, value, steps);
    steps++;
  };
  return {
    kind: where,
    onTrainBegin: () => {
      [epochs, steps] = [0, 0];
      writers.clear();
    },
    ...(byStep ? { onBatchEnd } : {}),
    onEpochEnd: async (epoch, logs, control) => {
      const train = writer("train", epochs, control);
      for (const [name, value] of Object.entries(logs)) {
        const trained = trainedName(name);
        const to = trained === undefined ? train : writer("validation", epochs, control);
        to.scalar(`epoch_${trained ?? name}`, value, epoch);
      }
      train.scalar("epoch_learning_rate", control.learningRate, epoch);
      if (every > 0 && epoch % every === 0)
        for (const [name, values] of Object.entries(await control.model.getWeights()))
          train.histogram(name, values, epoch);
      epochs = epoch + 1;
      await flush();
    },
    onTrainEnd: flush,
    state: async () => {
      await flush(); // what a run that is killed has in memory is lost
      return { epochs, steps };
    },
    load: (state) => {
      ({ epochs, steps } = readState(where, state, { epochs: "number", steps: "number" }));
    },
  };
}

/** `loss` for `valLoss`, `output.loss` for `output.valLoss`; undefined for a figure of the training data. */
function trainedName(name: string): string | undefined {
  const found = /^(.*\.)?val([A-Z].*)$/.exec(name);
  const [, output = "", figure = ""] = found ?? [];
  return found === null ? undefined : `${output}${figure.charAt(0).toLowerCase()}${figure.slice(1)}`;
}
