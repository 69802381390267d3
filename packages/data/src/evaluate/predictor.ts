/** A trained model with all that goes with it: from raw rows to labels, probabilities and numbers. */
import { type Cell, compile, type Model, type Node, OptionError, type Tensor } from "torte";
import type { RowProblem, TableEncoding } from "../encode/encoding.js";
import { calibrate } from "./calibration.js";
import { type Decision, UNDECIDED } from "./decision.js";
import { likeliest } from "./figures.js";

/** What is told of a row. */
export interface Prediction {
  /** Of two classes that of the positive label, of more that of the label that is told; undefined for numbers and several labels. */
  readonly probability?: number;
  /** Of several labels, that of each. */
  readonly probabilities?: Readonly<Record<string, number>>;
  /** The label, or the number; of several labels those that are told, with ";" between them. */
  readonly label: string | number;
  /** Of several models, or passes with dropout: the standard deviation of what they say. */
  readonly uncertainty?: number;
}

/** Probabilities [rows × classes], of two classes those of the second; or numbers in units of the target. */
export interface Outputs {
  readonly values: Float64Array;
  /** Of several models, or passes with dropout: the standard deviation of what is told of each row. */
  readonly spread?: Float64Array;
}

/** Where an uncertainty comes from: models that were trained with seeds of their own, or passes with dropout kept on. */
export const UNCERTAINTIES = ["ensemble", "dropout"] as const;
/** One of {@link UNCERTAINTIES}. */
export type Uncertainty = (typeof UNCERTAINTIES)[number];

/** Passes with dropout: the standard deviation is then known to a sixth of itself. */
const PASSES = 20;

/** Models that are asked together, and how rows come to them and answers from them. */
export class Predictor {
  /** Numbers for each row of the outputs. */
  readonly width: number;
  /** Undefined where nothing tells how sure the models are. */
  readonly uncertainty: Uncertainty | undefined;
  #passes: ((x: readonly Tensor[]) => Promise<readonly Tensor[]>) | undefined;

  /**
   * `uncertainty`: default "ensemble" where there are several models.
   *
   * @throws OptionError for the uncertainty of an ensemble where there is one model, and that of dropout where none of the layers drops.
   */
  constructor(
    readonly models: readonly Model[],
    readonly encoding: TableEncoding,
    readonly decision: Decision = UNDECIDED,
    uncertainty: Uncertainty | undefined = models.length > 1 ? "ensemble" : undefined,
  ) {
    const { target } = encoding;
    this.width = target.kind === "multiClass" || target.kind === "multiLabel" ? target.labels.length : 1;
    this.uncertainty = uncertainty;
    if (uncertainty === "ensemble" && models.length < 2)
      throw new OptionError({
        where: "uncertainty",
        problem: "there is one model, which cannot differ from others",
        expected: "an ensemble, or dropout",
        fix: "Train with --ensemble 5, or ask for dropout.",
      });
    if (uncertainty === "dropout") for (const model of models) checkDropout(model);
  }

  /** The mean of the models, calibrated. With dropout kept on only the uncertainty is told: labels are those of whole models. */
  async outputs(x: readonly Tensor[]): Promise<Outputs> {
    const each = await Promise.all(this.models.map((model) => model.predict([...x])));
    const outputs = this.combine(each.map(({ data }) => data));
    if (this.uncertainty !== "dropout") return outputs;
    this.#passes ??= await passesOf(this.models);
    const passes = (await this.#passes(x)).map(({ data }) => data);
    const { spread } = this.combine(passes);
    return spread === undefined ? outputs : { ...outputs, spread };
  }

  /** The mean of what several models say, or one model several times, calibrated. */
  combine(each: readonly ArrayLike<number>[]): Outputs {
    const { target } = this.encoding;
    const size = each[0]?.length ?? 0;
    const mean = new Float64Array(size);
    for (const data of each) for (let i = 0; i < size; i++) mean[i] = (mean[i] ?? 0) + (data[i] ?? 0) / each.length;
    const spread = each.length < 2 ? {} : { spread: this.#spread(each, mean) };
    if (target.kind === "regression")
      return { values: mean.map((value) => value * target.deviation + target.mean), ...spread };
    const { calibration, each: decisions } = this.decision;
    if (target.kind === "multiLabel")
      return {
        values: mean.map((p, i) => {
          const label = decisions?.[i % this.width];
          return label === undefined ? p : (calibrate(label.calibration, [p])[0] ?? p);
        }),
        ...spread,
      };
    return { values: calibrate(calibration, mean, Math.max(2, this.width)), ...spread };
  }

  /** Of each label: what a probability must exceed to be told. */
  get thresholds(): readonly number[] {
    return Array.from({ length: this.width }, (_, label) => this.decision.each?.[label]?.threshold ?? 0.5);
  }

  /** The standard deviation (1/(n − 1)) over the models of what is told: the probability, of several labels the likeliest one's, or the number. */
  #spread(each: readonly ArrayLike<number>[], mean: Float64Array): Float64Array {
    const { target } = this.encoding;
    const unit = target.kind === "regression" ? target.deviation : 1;
    const { width } = this;
    return Float64Array.from({ length: mean.length / width }, (_, row) => {
      const at = row * width + (width === 1 ? 0 : likeliest(mean, row * width, width));
      const squares = each.reduce((sum, data) => sum + ((data[at] ?? 0) - (mean[at] ?? 0)) ** 2, 0);
      return unit * Math.sqrt(squares / (each.length - 1));
    });
  }

  /** What is told of each row. */
  decode({ values, spread }: Outputs): readonly Prediction[] {
    const { target } = this.encoding;
    const { threshold } = this.decision;
    const more = (row: number): Pick<Prediction, "uncertainty"> =>
      spread === undefined ? {} : { uncertainty: spread[row] ?? 0 };
    if (target.kind === "regression") return Array.from(values, (label, row) => ({ label, ...more(row) }));
    const { labels } = target;
    if (target.kind === "binary")
      return Array.from(values, (probability, row) => ({
        probability,
        label: labels[Number(probability > threshold)] ?? "",
        ...more(row),
      }));
    if (target.kind === "multiLabel") {
      const { thresholds, width } = this;
      return Array.from({ length: values.length / width }, (_, row) => {
        const told = labels.map((label, c) => [label, values[row * width + c] ?? 0] as const);
        return {
          probabilities: Object.fromEntries(told),
          label: told.flatMap(([label, p], c) => (p > (thresholds[c] ?? 0.5) ? [label] : [])).join(";"),
          ...more(row),
        };
      });
    }
    return Array.from({ length: values.length / this.width }, (_, row) => {
      const best = likeliest(values, row * this.width, this.width);
      return { probability: values[row * this.width + best] ?? 0, label: labels[best] ?? "", ...more(row) };
    });
  }

  /** What is told of rows whose cells are asked for one by one, the column by its place in `encoding.columns`. */
  async predict(
    count: number,
    cellOf: (column: number, row: number) => Cell,
  ): Promise<{ readonly predictions: readonly Prediction[]; readonly problems: readonly RowProblem[] }> {
    const { x, problems } = this.encoding.encodeCells(count, cellOf);
    return { predictions: this.decode(await this.outputs(x)), problems };
  }

  /** Gives the engine's memory back. */
  async close(): Promise<void> {
    await Promise.all(this.models.map((model) => model.close()));
  }
}

/** @throws OptionError for a model that drops nothing, or depends on the batch while it does. */
function checkDropout({ network, name }: Model): void {
  const kinds = network.layers.flatMap(kindsIn);
  const wrong = (problem: string, expected: string): never => {
    throw new OptionError({ where: `uncertainty: ${name}`, problem, expected });
  };
  if (!kinds.includes("dropout")) wrong("the model drops nothing", "a model with a layer of dropout");
  // In training it takes the statistics of the batch: what is told of a row would hang on the rows beside it.
  if (kinds.includes("batchNormalization"))
    wrong("batch normalization takes the statistics of the batch while dropout is on", "a model without");
}

type Layer = Model["network"]["layers"][number];
const kindsIn = (layer: Layer): readonly string[] => [layer.kind, ...layer.children.flatMap(kindsIn)];

/** Passes with dropout, shared out among the models, each with a seed of its own. */
async function passesOf(models: readonly Model[]): Promise<(x: readonly Tensor[]) => Promise<readonly Tensor[]>> {
  const each = await Promise.all(
    models.map(async (model) => {
      const apply = model.pure();
      const weights = await model.getWeights();
      const seeds = Array.from({ length: Math.ceil(PASSES / models.length) }, (_, pass) => pass + 1);
      const run = compile((of: Readonly<Record<string, Node>>, x: readonly Node[]) =>
        seeds.map((seed) => apply(of, x, { training: true, seed })),
      );
      return async (x: readonly Tensor[]) => (await run(weights, [...x])).flat();
    }),
  );
  return async (x) => (await Promise.all(each.map((run) => run(x)))).flat();
}
