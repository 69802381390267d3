/** Cross-validation: a model trained anew for each fold, and the spread of its figures. */
import { asList, eachTensor, countRows, type Parts } from "../data/example.js";
import { Dataset } from "../data/dataset.js";
import { type Fold, kFold } from "../data/row-split.js";
import { checkOptions, DataError, OptionError, show } from "../errors.js";
import type { Logs } from "./callbacks.js";
import type { FitOptions } from "./fit-options.js";
import type { AnyModel } from "./model.js";

/** Options of {@link crossValidate}. */
export interface CrossValidationOptions extends Omit<FitOptions, "validationData"> {
  /** How many, at least 2, or the folds as `kFold` and `bootstrap` give them. Default 5. */
  readonly folds?: number | readonly Fold[];
  /** Of the folds, where their number is given. Default 0. */
  readonly seed?: number;
  /** Every fold gets the same shares of all labels; needs one label a row. Default false. */
  readonly stratify?: boolean;
}

/** What cross-validation gives. */
export interface CrossValidation {
  /** Loss and metrics on the rows that each fold was not trained on. */
  readonly folds: readonly Logs[];
  readonly mean: Logs;
  /** Standard deviation over the folds (1/(n − 1)); 0 of a single one. */
  readonly deviation: Logs;
}

/**
 * Trains a new model for each fold on the fold's rows and measures it on the others. Those others end no training and choose nothing: callbacks
 * see figures of the training rows alone.
 *
 * @throws OptionError for what makes no compiled model, or folds out of range; DataError as `fit`.
 * @example
 * import { crossValidate, dense, input, sequential, tensor } from "torte";
 * const x = tensor(Float32Array.from({ length: 40 }, (_, i) => i / 40), { shape: [40, 1] });
 * const y = tensor(Float32Array.from({ length: 40 }, (_, i) => i / 20));
 * const make = () => {
 *   const model = sequential(input({ shape: [1] }), dense({ units: 1 }));
 *   model.compile({ optimizer: "adam", loss: "meanSquaredError" });
 *   return model;
 * };
 * const { folds, mean } = await crossValidate(make, { x, y }, { folds: 4, epochs: 2, verbose: 0 });
 * console.log(folds.length, Object.keys(mean)); // 4 [ 'loss' ]
 */
export async function crossValidate(
  make: (fold: number) => AnyModel,
  data: Parts,
  options: CrossValidationOptions = {},
): Promise<CrossValidation> {
  const where = "crossValidate";
  if (typeof make !== "function")
    throw new OptionError({
      where,
      problem: "there is no way to make a model",
      expected: "a function that gives a new, compiled model",
      received: show(make),
    });
  const { folds = 5, seed = 0, stratify = false, ...fit } = options;
  const all = foldsOf(where, data, folds, seed, stratify);
  const figures: Logs[] = [];
  for (const [i, { train, test }] of all.entries()) {
    const model = make(i);
    if (model.objective === undefined)
      throw new OptionError({
        where,
        problem: "the model is not compiled",
        fix: "Call model.compile in the function.",
      });
    await model.fit(part(data, train), { shuffle: true, ...fit });
    figures.push(await model.evaluate(part(data, test)));
    await model.close();
  }
  const names = Object.keys(figures[0] ?? {});
  const mean = Object.fromEntries(names.map((name) => [name, meanOf(figures, name)]));
  const deviation = Object.fromEntries(names.map((name) => [name, deviationOf(figures, name, mean[name] ?? NaN)]));
  return { folds: figures, mean, deviation };
}

const part = (data: Parts, rows: readonly number[]): Dataset =>
  Dataset.fromTensors(eachTensor(data, (tensor) => tensor.take(rows)));

function foldsOf(
  where: string,
  data: Parts,
  folds: number | readonly Fold[],
  seed: number,
  stratify: boolean,
): readonly Fold[] {
  checkOptions(where, data, ["x", "y", "sampleWeight"]);
  const rows = countRows(where, data);
  if (typeof folds !== "number") {
    if (folds.length > 0) return folds;
    throw new OptionError({ where, problem: "there are no folds", expected: "at least one" });
  }
  if (!stratify) return kFold({ rows, folds, seed });
  const [labels, ...others] = asList(data.y);
  if (labels === undefined || others.length > 0 || labels.data.length !== rows)
    throw new DataError({ where, problem: "stratify needs labels", expected: "y with one label a row" });
  return kFold({ labels: Array.from(labels.data), folds, seed });
}

const meanOf = (figures: readonly Logs[], name: string): number =>
  figures.reduce((sum, logs) => sum + (logs[name] ?? NaN), 0) / figures.length;

function deviationOf(figures: readonly Logs[], name: string, mean: number): number {
  if (figures.length < 2) return 0;
  const squares = figures.reduce((sum, logs) => sum + ((logs[name] ?? NaN) - mean) ** 2, 0);
  return Math.sqrt(squares / (figures.length - 1));
}
