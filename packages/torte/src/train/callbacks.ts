/** What happens around epochs and steps: the interface of callbacks. */
import { OptionError, show } from "../errors.js";
import type { Direction } from "../metrics/metric.js";
import type { Json } from "./json.js";
import type { AnyModel } from "./model.js";
import type { NotFinite } from "./not-finite.js";

/** Figures of one epoch by name: loss, accuracy, valLoss, valAccuracy, … */
export type Logs = Readonly<Record<string, number>>;

/** How far an epoch has come. */
export interface Progress {
  readonly epoch: number;
  /** Steps done in this epoch. */
  readonly step: number;
  /** How many there are; undefined in the first pass over a stream. */
  readonly steps: number | undefined;
  /** Averages over the epoch so far. */
  readonly logs: Logs;
  readonly examplesPerSecond: number;
}

/** What a callback can do to the run. */
export interface TrainingControl {
  /** The model in training; its weights are those after the last step. */
  readonly model: AnyModel;
  /** Epochs of the whole run. */
  readonly epochs: number;
  /** Ends training after this epoch, or at once when called between steps. */
  stop(): void;
  /** Keeps the weights as they are now; `restoreWeights` brings them back. */
  keepWeights(): Promise<void>;
  restoreWeights(): Promise<void>;
  /**
   * Rate of the next update. Setting it takes effect from there on; where the optimizer has a schedule, all rates to come are
   * multiplied by what makes the next one the given one. @throws OptionError for what is no rate, or where the schedule is at 0.
   */
  learningRate: number;
  /** Whether more ("max") or less ("min") of a figure is better, as its metric says; undefined where there is no such figure. */
  direction(figure: string): Direction | undefined;
  /** Names of all figures that an epoch will have. */
  readonly figures: readonly string[];
}

/** At the end of an epoch, after validation, metrics and history: those without a stage first, then in this order. */
export const STAGES = ["stopping", "rate", "checkpoint"] as const;
/** Where a callback is called. */
export type Stage = (typeof STAGES)[number];

/** Functions that fit calls, one callback after the other; it waits for those that return a promise. */
export interface Callback {
  /** What it is, for checkpoints: a state goes back to the callback of the same kind in the same place. Default "callback". */
  readonly kind?: string;
  /**
   * When its turn comes at the end of an epoch: "stopping", then "rate", then "checkpoint", which so has the state after the
   * epoch. Default: before all of them, in the order of the list.
   */
  readonly stage?: Stage;
  /** Also where a run is resumed: `load` comes after it, and an epoch that is under way does not begin again. */
  onTrainBegin?(control: TrainingControl): void | Promise<void>;
  onEpochBegin?(epoch: number, control: TrainingControl): void | Promise<void>;
  /**
   * After every step of the epoch, from 0, with averages over the epoch so far. Steps run one by one where somebody listens, in
   * chunks where nobody does.
   */
  onBatchEnd?(step: number, logs: Logs, control: TrainingControl): void | Promise<void>;
  /** Called a few times a second. */
  onProgress?(progress: Progress, control: TrainingControl): void | Promise<void>;
  onEpochEnd?(epoch: number, logs: Logs, control: TrainingControl): void | Promise<void>;
  /** The loss or a weight is no longer finite. Training ends with an error, unless `control.stop()` is called. */
  onNotFinite?(failure: NotFinite, control: TrainingControl): void | Promise<void>;
  /** Also after an interruption or an error. */
  onTrainEnd?(control: TrainingControl): void | Promise<void>;
  /** All that it has to remember for a run that goes on later, as plain JSON; taken after an epoch or between steps. */
  state?(): Json | Promise<Json>;
  /** Takes a state back. @throws DataError for what is no such state. */
  load?(state: Json): void | Promise<void>;
}

const HOOKS: Readonly<Record<Exclude<keyof Callback, "kind" | "stage" | "state" | "load">, true>> = {
  onTrainBegin: true,
  onEpochBegin: true,
  onBatchEnd: true,
  onProgress: true,
  onEpochEnd: true,
  onNotFinite: true,
  onTrainEnd: true,
};

/** @throws OptionError for what is no list of callbacks, or for one with a misspelt name, which would never be called. */
export function checkCallbacks(where: string, callbacks: unknown): void {
  const wrong = (problem: string, expected: string, received: string): never => {
    throw new OptionError({ where, problem, expected, received });
  };
  if (!Array.isArray(callbacks)) return wrong("callbacks has the wrong type", "a list of callbacks", show(callbacks));
  callbacks.forEach((callback: unknown, i) => {
    if (typeof callback !== "object" || callback === null) {
      wrong(`callback ${i} has the wrong type`, "an object with functions such as onEpochEnd", show(callback));
      return;
    }
    const strange = Object.keys(callback).find((name) => /^on[A-Z]/.test(name) && !(name in HOOKS));
    if (strange !== undefined)
      wrong(`callback ${i} has an unknown function`, Object.keys(HOOKS).join(", "), JSON.stringify(strange));
    const { stage } = callback as Callback;
    if (stage !== undefined && !STAGES.includes(stage))
      wrong(`callback ${i} has an unknown stage`, STAGES.join(", "), show(stage));
  });
}

/** In the order of their turns at the end of an epoch. */
export function inStages(callbacks: readonly Callback[]): Callback[] {
  const turn = ({ stage }: Callback): number => (stage === undefined ? -1 : STAGES.indexOf(stage));
  return [...callbacks].sort((a, b) => turn(a) - turn(b));
}
