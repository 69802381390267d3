/** What `fit` takes to keep checkpoints: where, how often, how many. */
import { needFiles } from "../../data/write.js";
import { checkOptions, numberIn, OptionError, positiveInteger, show } from "../../errors.js";

/** How often a checkpoint is made: one of the three. */
export interface CheckpointInterval {
  /** After every so many epochs, at least 1. */
  readonly epochs?: number;
  /** After every so many steps of the run, at least 1; where an epoch ends with such a step, after what the epoch's end brings. */
  readonly steps?: number;
  /** After the first step or epoch that ends so many seconds after the last one, above 0. */
  readonly seconds?: number;
}

/** Where and how often a run keeps a checkpoint. */
export interface CheckpointOptions {
  /** Where checkpoints go, and nothing else: made where it is missing. Not the folder of another run, unless `resume` goes on with that. */
  readonly folder: string;
  /** Default `{ epochs: 1 }`. There is one at the end of training, too, however it ends but by an error. */
  readonly every?: CheckpointInterval;
  /** How many are kept, the newest ones, at least 1. Default 2: where the newest is damaged, the one before is taken. */
  readonly keep?: number;
}

/** Checked, with defaults. */
export interface CheckpointPlan {
  readonly folder: string;
  readonly every: Readonly<Record<keyof CheckpointInterval, number>>;
  readonly keep: number;
}

const WHERE = "fit, checkpoint";
const UNITS = ["epochs", "steps", "seconds"] as const;

/** @throws OptionError for options that are unknown or out of range, and outside of Node. */
export function readCheckpointOptions(options: CheckpointOptions): CheckpointPlan {
  checkOptions(WHERE, options, ["folder", "every", "keep"]);
  needFiles(WHERE);
  return {
    folder: folderOption(WHERE, "folder", options.folder),
    every: readInterval(options.every ?? { epochs: 1 }),
    keep: positiveInteger(WHERE, "keep", options.keep ?? 2),
  };
}

function readInterval(every: CheckpointInterval): CheckpointPlan["every"] {
  checkOptions(`${WHERE}.every`, every, UNITS);
  const given = UNITS.filter((unit) => every[unit] !== undefined);
  if (given.length !== 1) {
    const expected = "one of epochs, steps and seconds";
    throw new OptionError({ where: WHERE, problem: "every is no interval", expected, received: show(every) });
  }
  const count = (unit: "epochs" | "steps"): number =>
    every[unit] === undefined ? Infinity : positiveInteger(`${WHERE}.every`, unit, every[unit]);
  const { seconds } = every;
  return {
    epochs: count("epochs"),
    steps: count("steps"),
    seconds: seconds === undefined ? Infinity : numberIn(`${WHERE}.every`, "seconds", seconds, { above: 0 }),
  };
}

/** @throws OptionError for what is no path, and outside of Node. */
export function folderOption(where: string, name: string, folder: unknown): string {
  if (typeof folder !== "string" || folder === "")
    throw new OptionError({ where, problem: `${name} has the wrong type`, expected: "a path", received: show(folder) });
  needFiles(where);
  return folder.replace(/(?<=.)[/\\]+$/, "");
}
