/** Which learning rates a model learns with: one run in which the rate grows from step to step. */
import { checkOptions, numberIn, OptionError, positiveInteger, TrainingError } from "../errors.js";
import { Report } from "../nn/inspect/report.js";
import type { Callback } from "./callbacks.js";
import type { Plans } from "./feed.js";
import { batchSizeOf, type BatchOptions, type Data, wholeOf } from "./model-data.js";
import type { AnyModel } from "./model.js";

/** Options of {@link learningRateRange}. */
export interface LearningRateRangeOptions extends BatchOptions {
  /** The first rate, above 0. Default 1e-7. */
  readonly from?: number;
  /** The last rate, above `from`. Default 10. */
  readonly to?: number;
  /** Updates from the one to the other, at least 10. Default 100. */
  readonly steps?: number;
  /** Weight of the losses before in the smoothed loss, 0 up to below 1. Default 0.9. */
  readonly smoothing?: number;
  /** It ends early where the smoothed loss is so many times the lowest one, above 1. Default 4. */
  readonly stopAt?: number;
}

/**
 * Trains with rates that grow by one factor from step to step, and puts the model back as it was: weights, optimizer, orders
 * and random numbers. What to read from it: below `steepest` the loss falls too slowly; between `lowest` and the end it
 * rises again, and a run would diverge. `suggestion`, a tenth of `lowest`, is a rate to begin with; the peak of a cycle may
 * be `steepest`. The figure depends on the batch size and on the optimizer, which is the one that the model is compiled with.
 * Smith 2017.
 *
 * @throws OptionError for options out of range, or a model that is not compiled.
 * @example
 * import { dense, input, learningRateRange, sequential, tensor } from "torte";
 * const model = sequential(input({ shape: [1] }), dense({ units: 1 }));
 * model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
 * const range = await learningRateRange(model, { x: tensor([[1], [2]]), y: tensor([[2], [4]]) }, { steps: 20 });
 * console.log(range.suggestion < range.lowest); // true
 */
export async function learningRateRange(
  model: AnyModel,
  data: Data,
  options: LearningRateRangeOptions = {},
): Promise<LearningRateRange> {
  const where = "learningRateRange";
  checkOptions(where, options, ["from", "to", "steps", "smoothing", "stopAt", "batchSize"]);
  const from = numberIn(where, "from", options.from ?? 1e-7, { above: 0 });
  const to = numberIn(where, "to", options.to ?? 10, { above: from });
  const steps = numberIn(where, "steps", positiveInteger(where, "steps", options.steps ?? 100), { min: 10 });
  const smoothing = numberIn(where, "smoothing", options.smoothing ?? 0.9, { min: 0, below: 1 });
  const stopAt = numberIn(where, "stopAt", options.stopAt ?? 4, { above: 1 });
  const dataset = wholeOf(where, data);
  const batch = Math.min(batchSizeOf(where, dataset, options), dataset.size);
  const at = (step: number): number => from * (to / from) ** (step / (steps - 1));
  const { optimizer } = model;
  if (optimizer === undefined) {
    throw new OptionError({ where, problem: "the model is not compiled", fix: "Call model.compile first." });
  }
  const tried = {
    ...optimizer,
    learningRate: { kind: where, options: {}, at },
    settings: { ...optimizer.settings, averaging: undefined, accumulate: 1 },
  };
  const losses = new Losses(smoothing);
  const watch: Callback = {
    onEpochEnd: (_, { loss = NaN }, control) => {
      losses.add(loss);
      if (losses.last > stopAt * losses.lowest) control.stop();
    },
  };
  try {
    await model.trial(where, tried, await batchByBatch(dataset, batch), { epochs: steps, callbacks: [watch] });
  } catch (error) {
    // A rate at which numbers overflow is an answer, too.
    if (!(error instanceof TrainingError) || losses.raw.length < 2) throw error;
  }
  return new LearningRateRange(
    losses.raw.map((_, step) => at(step)),
    losses.raw,
    losses.smoothed,
  );
}

/** Each epoch is one batch, so that its figures are those of a step. */
async function batchByBatch(dataset: ReturnType<typeof wholeOf>, batch: number): Promise<Plans> {
  const whole = await dataset.plan(0);
  const batches = Math.floor(whole.order.length / batch);
  const plan: Plans["plan"] = (epoch) => {
    const start = (epoch % batches) * batch;
    return Promise.resolve({ ...whole, order: whole.order.subarray(start, start + batch) });
  };
  return { batchSize: batch, plan };
}

/** Losses step by step, and their moving average without its bias towards 0. */
class Losses {
  readonly raw: number[] = [];
  readonly smoothed: number[] = [];
  readonly #smoothing: number;
  #average = 0;

  constructor(smoothing: number) {
    this.#smoothing = smoothing;
  }

  add(loss: number): void {
    this.raw.push(loss);
    this.#average = this.#smoothing * this.#average + (1 - this.#smoothing) * loss;
    this.smoothed.push(this.#average / (1 - this.#smoothing ** this.raw.length));
  }

  get last(): number {
    return this.smoothed.at(-1) ?? NaN;
  }

  get lowest(): number {
    return Math.min(...this.smoothed);
  }
}

/** Losses by rate; prints what to read from them. */
export class LearningRateRange extends Report {
  /** Rate where the smoothed loss falls fastest per factor of the rate. */
  readonly steepest: number;
  /** Rate of the lowest smoothed loss. */
  readonly lowest: number;
  /** A rate to begin with: a tenth of `lowest`. */
  readonly suggestion: number;

  constructor(
    /** Of each step. */
    readonly rates: readonly number[],
    /** Of each step's batch, before its update. */
    readonly losses: readonly number[],
    readonly smoothed: readonly number[],
  ) {
    super();
    const fall = smoothed.slice(1).map((loss, i) => (smoothed[i] ?? NaN) - loss);
    this.steepest = rates[fall.indexOf(Math.max(...fall)) + 1] ?? NaN;
    this.lowest = rates[smoothed.indexOf(Math.min(...smoothed))] ?? NaN;
    this.suggestion = this.lowest / 10;
  }

  toString(): string {
    const [first, last] = [this.rates[0] ?? NaN, this.rates.at(-1) ?? NaN].map((rate) => rate.toExponential(1));
    return [
      `Learning rates from ${first} to ${last} in ${this.rates.length} steps.`,
      `The loss falls fastest at ${this.steepest.toExponential(1)}, is lowest at ${this.lowest.toExponential(1)}.`,
      `A rate to begin with: ${this.suggestion.toExponential(1)}.`,
    ].join("\n");
  }
}
