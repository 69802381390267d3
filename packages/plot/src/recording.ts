/** What becomes of a model's weights, gradients and activations while it is trained: histograms by layer over time. */
import { type AnyModel, type Callback, DataError, functional, OptionError, show, type Tensor } from "torte";
import { headOf, paper } from "./architecture.js";
import { cells, sequential } from "./cells.js";
import { Figure } from "./figure.js";
import { binned, rangeOf } from "./histogram.js";
import { checkFigure, type FigureOptions, subtitleOf, wholeOption } from "./options.js";
import { el, label } from "./svg.js";
import { shortened, shortNumber } from "./text.js";
import { COLOR, SIZE } from "./theme.js";

/** What of a layer is recorded. */
export type Recorded = "weights" | "gradients" | "activations";

/** What a {@link Recording} records. */
export interface RecordOptions {
  /** Rows that gradients and activations are taken of: a batch that stands for all. Weights need none. */
  readonly x?: Tensor;
  /** Their targets, for gradients. */
  readonly y?: Tensor;
  /** Every so many epochs, at least 1. Default 1. */
  readonly every?: number;
}

/** Values of one layer or weight after an epoch. */
interface Sample {
  readonly epoch: number;
  readonly values: ArrayLike<number>;
}

/** More values than so many are thinned out evenly: a histogram does not change for it. */
const MOST_VALUES = 20_000;

/** A callback that keeps, epoch by epoch, what `plotHistograms` draws. */
export class Recording implements Callback {
  readonly #samples: Readonly<Record<Recorded, Map<string, Sample[]>>> = {
    weights: new Map(),
    gradients: new Map(),
    activations: new Map(),
  };
  readonly #options: RecordOptions;
  readonly #every: number;

  constructor(options: RecordOptions = {}) {
    this.#options = options;
    this.#every = wholeOption("Recording", "every", options.every ?? 1, 1, 1e6);
    if (options.y !== undefined && options.x === undefined)
      throw new OptionError({ where: "Recording", problem: "y is given without x" });
  }

  async onEpochEnd(epoch: number, _: unknown, { model }: { readonly model: AnyModel }): Promise<void> {
    if (epoch % this.#every !== 0) return;
    await this.take(epoch, model);
  }

  /** Takes a sample of the model as it is now. */
  async take(epoch: number, model: AnyModel): Promise<void> {
    const { x, y } = this.#options;
    for (const [name, tensor] of Object.entries(await model.getWeights())) this.#add("weights", name, epoch, tensor);
    if (x === undefined) return;
    const outputs = model.network.values.filter(({ producer }) => producer.inputs.length > 0);
    const inside = functional({ inputs: model.network.inputs, outputs });
    const values = await inside.predict(x);
    outputs.forEach(({ producer }, i) => {
      const tensor = values[i];
      if (tensor !== undefined) this.#add("activations", producer.layer.where, epoch, tensor);
    });
    if (y === undefined) return;
    const { weights } = await model.gradients({ x, y });
    for (const [name, tensor] of Object.entries(weights)) this.#add("gradients", name, epoch, tensor);
  }

  /** What was kept of one kind, by weight or layer. */
  samples(of: Recorded): ReadonlyMap<string, readonly Sample[]> {
    return this.#samples[of];
  }

  #add(of: Recorded, name: string, epoch: number, { data }: Tensor): void {
    const step = Math.max(1, Math.ceil(data.length / MOST_VALUES));
    const values = Float32Array.from({ length: Math.ceil(data.length / step) }, (_, i) => data[i * step] ?? NaN);
    const list = this.#samples[of].get(name) ?? [];
    list.push({ epoch, values });
    this.#samples[of].set(name, list);
  }
}

export interface HistogramsOptions extends FigureOptions {
  /** What is drawn. Default "weights". */
  readonly of?: Recorded;
  /** Bins, 5 to 100. Default 31. */
  readonly bins?: number;
}

/**
 * Histograms by layer over time: a panel for each weight or layer, from the first epoch on the left to the last on the right;
 * the darker, the more values. Lines are the medians.
 *
 * @throws DataError where nothing of the kind was recorded.
 * @example
 * import { dense, input, sequential, tensor } from "torte";
 * import { plotHistograms, Recording } from "@torte/plot";
 * const model = sequential(input({ shape: [2] }), dense({ units: 4 }), dense({ units: 1 }));
 * model.compile({ loss: "meanSquaredError" });
 * const data = { x: tensor([[0, 1], [1, 0]]), y: tensor([[1], [0]]) };
 * const recording = new Recording(data);
 * await model.fit(data, { epochs: 5, callbacks: [recording] });
 * console.log(plotHistograms(recording, { of: "gradients" }).title); // Gradients by layer and epoch
 */
export function plotHistograms(recording: Recording, options: HistogramsOptions = {}): Figure {
  const where = "plotHistograms";
  const sizes = checkFigure(where, options, ["of", "bins"], 120);
  const bins = wholeOption(where, "bins", options.bins ?? 31, 5, 100);
  const { of = "weights" } = options;
  if (!["weights", "gradients", "activations"].includes(of))
    throw new OptionError({
      where,
      problem: "of is unknown",
      expected: '"weights", "gradients" or "activations"',
      received: show(of),
    });
  const all = [...recording.samples(of)];
  if (all.length === 0)
    throw new DataError({
      where,
      problem: `no ${of} were recorded`,
      fix: "Give Recording x, and y for gradients, and fit the recording as a callback.",
    });
  const title = options.title ?? `${of.slice(0, 1).toUpperCase()}${of.slice(1)} by layer and epoch`;
  const head = headOf(
    { title, subtitle: subtitleOf(options, "The darker, the more values; lines are medians") },
    sizes.width,
  );
  const columns = sizes.width < 420 ? 1 : 2;
  const width = (sizes.width - 24 - 16 * (columns - 1)) / columns;
  const panels = all.map(([name, samples]) => panelOf(name, samples, bins));
  const high = 132;
  const height = head.height + Math.ceil(panels.length / columns) * high + 4;
  const body = panels.map((panel, i) =>
    drawPanel(panel, 12 + (i % columns) * (width + 16), head.height + Math.floor(i / columns) * high, width),
  );
  const told = panels.map(
    ({ name, samples, medians }) =>
      `${name}: median ${shortNumber(medians[0] ?? NaN)} after epoch ${(samples[0]?.epoch ?? 0) + 1}, ${shortNumber(medians.at(-1) ?? NaN)} after epoch ${(samples.at(-1)?.epoch ?? 0) + 1}`,
  );
  return new Figure({
    title,
    description: `${told.join("; ")}.`,
    draw: () => ({ width: sizes.width, height, body: [paper(sizes.width, height), head.body, ...body].join("") }),
  });
}

interface Panel {
  readonly name: string;
  readonly samples: readonly Sample[];
  readonly range: readonly [number, number];
  /** Counts, for each sample those of its bins. */
  readonly counts: readonly (readonly number[])[];
  readonly medians: readonly number[];
}

function panelOf(name: string, samples: readonly Sample[], bins: number): Panel {
  const lists = samples.map(({ values }) => Array.from(values).filter(Number.isFinite));
  const range = rangeOf(lists.flat());
  const medians = lists.map((list) => list.sort((a, b) => a - b)[Math.floor((list.length - 1) / 2)] ?? NaN);
  return {
    name,
    samples,
    range,
    medians,
    counts: lists.map((list) => binned(list, range, bins).map(({ count }) => count)),
  };
}

function drawPanel({ name, samples, range, counts, medians }: Panel, x: number, y: number, width: number): string {
  const [left, top, height] = [x + 44, y + 18, 84];
  const inner = width - 44;
  const bins = counts[0]?.length ?? 1;
  const most = counts.map((list) => Math.max(1, ...list));
  const [low, high] = range;
  const column = inner / samples.length;
  const place = (value: number): number => top + height - ((value - low) / (high - low)) * height;
  const lines = medians.map((median, i) =>
    Number.isFinite(median)
      ? el("line", {
          x1: left + i * column,
          x2: left + (i + 1) * column,
          y1: place(median),
          y2: place(median),
          stroke: "#c04a00",
          "stroke-width": 1.6,
        })
      : "",
  );
  const small = { "font-size": 10, fill: COLOR.soft };
  return [
    label(shortened(name, width, SIZE.small), x, y + 11, { "font-size": SIZE.small }),
    cells({ rows: bins, columns: samples.length }, { x: left, y: top, width: inner, height }, (i, j) =>
      sequential(Math.sqrt((counts[j]?.[bins - 1 - i] ?? 0) / (most[j] ?? 1))),
    ),
    ...lines,
    label(shortNumber(Number(high.toPrecision(2))), left - 5, top + 8, { "text-anchor": "end", ...small }),
    label(shortNumber(Number(low.toPrecision(2))), left - 5, top + height, { "text-anchor": "end", ...small }),
    label(`epoch ${(samples[0]?.epoch ?? 0) + 1}`, left, top + height + 12, small),
    label(String((samples.at(-1)?.epoch ?? 0) + 1), left + inner, top + height + 12, {
      "text-anchor": "end",
      ...small,
    }),
  ].join("");
}
