/** From sums and from what metrics have collected to the figures of the history. */
import { Tensor } from "../tensor/tensor.js";
import { State } from "../graph/node.js";
import { read } from "../graph/make.js";
import type { CollectMetric, Direction, Meaning } from "../metrics/metric.js";
import { newTracing } from "../nn/layer.js";
import { sizeOf } from "../tensor/shape.js";
import { inSlices, turnIfDue } from "../turns.js";
import type { Logs } from "./callbacks.js";
import { type Goal, meaningOf, measureOutputs, type Objective } from "./measure.js";

/**
 * Names of figures: of a single output `loss`, `accuracy`, …; of several `loss` for their sum and `output.loss`,
 * `output.accuracy`, … for each. Those of validation data are `valLoss` and `output.valLoss`.
 */
const figureName = (goals: readonly Goal[], goal: Goal, figure: string): string =>
  goals.length > 1 ? `${goal.name}.${figure}` : figure;

/** What a figure of validation data is called. */
export function validationName(name: string): string {
  const [figure = "", ...output] = name.split(".").reverse();
  return [...output.reverse(), `val${figure.charAt(0).toUpperCase()}${figure.slice(1)}`].join(".");
}

/** A figure that is made of sums. */
interface SumFigure {
  readonly name: string;
  readonly of: (sums: Float64Array) => number;
}

interface CollectedFigure {
  readonly name: string;
  readonly metric: CollectMetric;
  readonly meaning: Meaning;
  /** Position of its weights among all that is collected; its values follow. */
  readonly from: number;
  readonly count: number;
}

export class Figures {
  /** Number of sums. */
  readonly size: number;
  readonly #sums: readonly SumFigure[];
  readonly #collected: readonly CollectedFigure[];
  readonly #order: readonly string[];
  readonly #directions: ReadonlyMap<string, Direction>;

  constructor({ network, goals }: Objective) {
    const tracing = newTracing(false);
    const outputs = network.trace(
      network.inputs.map(({ traced }) => traced),
      tracing,
    );
    const targets = goals.map((goal) => {
      const { value } = outputs[goal.output] ?? { value: undefined };
      const shape = value?.shape ?? [];
      const at = (goal.loss.axis ?? -1) + (goal.loss.axis !== undefined && goal.loss.axis >= 0 ? 0 : shape.length);
      return read(
        new State("target", goal.loss.targets === "classes" ? shape.filter((_, i) => i !== at) : shape, "float32"),
      );
    });
    const { goals: measured } = measureOutputs(goals, outputs, { values: targets });
    const several = goals.length > 1;
    const sums: SumFigure[] = [];
    const collected: CollectedFigure[] = [];
    const names: string[] = [];
    const losses: ((sums: Float64Array) => number)[] = [];
    const directions = new Map<string, Direction>([["loss", "min"]]);
    let at = 2;
    let column = 0;
    goals.forEach((goal, i) => {
      const part = measured[i];
      if (part === undefined) return;
      const place = at;
      const isSum = goal.loss.reduction === "sum";
      const loss = (all: Float64Array): number => lossOf(all[place] ?? 0, isSum ? 1 : (all[place + 1] ?? 0));
      losses.push((all) => goal.weight * loss(all));
      if (several) {
        const name = figureName(goals, goal, "loss");
        sums.push({ name, of: loss });
        directions.set(name, "min");
      }
      at += 2;
      goal.metrics.forEach((metric, j) => {
        const name = figureName(goals, goal, metric.name);
        const nodes = part.metrics[j] ?? [];
        names.push(name);
        directions.set(name, metric.direction ?? "none");
        if (metric.kind === "collect") {
          collected.push({ name, metric, meaning: meaningOf(metric, goal.loss), from: column, count: nodes.length });
          column += nodes.length;
          return;
        }
        const [start, length] = [at, sizeOf(nodes[0]?.shape ?? [])];
        at += length;
        const meaning = meaningOf(metric, goal.loss);
        const of = metric.kind === "counts" ? metric.figure : ([sum = 0, weight = 0]: Float64Array) => sum / weight;
        sums.push({ name, of: (all) => of(all.subarray(start, start + length), meaning) });
      });
    });
    const penalty = (all: Float64Array): number => (all[1] ?? 0) / (all[0] ?? 1);
    const total = (all: Float64Array): number => losses.reduce((sum, loss) => sum + loss(all), penalty(all));
    const hasPenalties = tracing.penalties.length > 0;
    if (hasPenalties) directions.set("penalty", "none");
    this.size = at;
    this.#sums = [{ name: "loss", of: total }, ...sums, ...(hasPenalties ? [{ name: "penalty", of: penalty }] : [])];
    this.#collected = collected;
    const ofLosses = several ? goals.map((goal) => figureName(goals, goal, "loss")) : [];
    this.#order = ["loss", ...ofLosses, ...names, ...(hasPenalties ? ["penalty"] : [])];
    this.#directions = directions;
  }

  get directions(): ReadonlyMap<string, Direction> {
    return this.#directions;
  }

  /** Whether more or less of the figure is better, validation data's included. */
  direction(name: string): Direction | undefined {
    for (const [known, direction] of this.#directions)
      if (name === known || name === validationName(known)) return direction;
    return undefined;
  }

  /** Of all figures, those of validation data included where there is some. */
  names(validated: boolean): string[] {
    const own = [...this.#directions.keys()];
    return validated ? [...own, ...own.map(validationName)] : own;
  }

  /** For what the steps of an epoch bring out; `before` is what it had of the epoch when a checkpoint was made. */
  collector(before: readonly Tensor[] = []): Collector {
    return new Collector(this.#collected, before);
  }

  /** Of what has been summed up so far; figures of what is collected are not among them. */
  ofSums(sums: Tensor): Logs {
    const all = withExcess(sums);
    return Object.fromEntries(this.#sums.map(({ name, of }) => [name, of(all)]));
  }

  /** All figures of an epoch. */
  async logs(sums: Tensor, collector: Collector): Promise<Logs> {
    const known: Record<string, number> = { ...this.ofSums(sums) };
    for (const { name, metric, meaning, from, count } of this.#collected)
      known[name] = await metric.figure(await collector.collected(from, count), meaning);
    return Object.fromEntries(this.#order.map((name) => [name, known[name] ?? NaN]));
  }
}

/** Sums before the first step. */
export const noSums = ({ shape }: State): Tensor => new Tensor(new Float32Array(sizeOf(shape)), shape, "float32");

/** 0 where nothing counts. */
const lossOf = (numerator: number, denominator: number): number => (denominator === 0 ? 0 : numerator / denominator);

/** The sums less what rounding has added to them. */
function withExcess({ data }: Tensor): Float64Array {
  const n = data.length / 2;
  return Float64Array.from({ length: n }, (_, i) => (data[i] ?? 0) - (data[n + i] ?? 0));
}

/** What the steps of an epoch have brought out. */
export class Collector {
  readonly #figures: readonly CollectedFigure[];
  #parts: Tensor[][] = [];
  /** How many values there are of each figure. */
  readonly #sizes = new Map<CollectedFigure, number>();

  /** Goes on from what `all` gave. */
  constructor(figures: readonly CollectedFigure[], before: readonly Tensor[] = []) {
    this.#figures = figures;
    if (before.length === 0) return;
    this.#parts.push([...before]);
    for (const figure of figures) this.#sizes.set(figure, sizeIn(before, figure));
  }

  /** All that has been brought out, an array for each output. */
  async all(): Promise<Tensor[]> {
    const [first = []] = this.#parts;
    const columns: Tensor[] = [];
    for (const i of first.keys()) {
      const values = await this.#column(i);
      columns.push(new Tensor(values, [values.length], "float64"));
    }
    return columns;
  }

  /** Of one run, the outputs of its steps stacked. */
  async add(outputs: readonly Tensor[]): Promise<void> {
    const [first] = outputs;
    if (first === undefined) return;
    // What is compacted hangs on steps alone, not on how many of them ran together.
    const isClose = this.#figures.some((figure) => this.#isBeyond(figure, sizeIn(outputs, figure)));
    const steps = first.shape[0] ?? 1;
    if (!isClose) return this.#add(outputs);
    for (let i = 0; i < steps; i++) await this.#add(outputs.map((stacked) => stacked.rows(i, i + 1)));
  }

  async #add(outputs: readonly Tensor[]): Promise<void> {
    this.#parts.push([...outputs]);
    for (const figure of this.#figures) {
      const isBeyond = this.#isBeyond(figure, sizeIn(outputs, figure));
      this.#sizes.set(figure, (this.#sizes.get(figure) ?? 0) + sizeIn(outputs, figure));
      if (isBeyond) await this.#compact(figure);
    }
  }

  /** Whether there are more values than the metric wants when so many have come. */
  #isBeyond(figure: CollectedFigure, more: number): boolean {
    const { above } = figure.metric.compaction ?? { above: Infinity };
    return (this.#sizes.get(figure) ?? 0) + more > above;
  }

  /** Where a metric wants no more values than so many, fewer take the place of what there is. */
  async #compact(figure: CollectedFigure): Promise<void> {
    const { from, count, metric } = figure;
    const { compaction } = metric;
    if (compaction === undefined) return;
    const { values, weights } = await compaction.of(await this.collected(from, count));
    this.#sizes.set(figure, values[0]?.length ?? 0);
    const fewer = [weights, ...values].map((data) => new Tensor(data, [data.length], "float64"));
    const none = new Tensor(new Float64Array(), [0], "float64");
    this.#parts = this.#parts.map((outputs, part) =>
      outputs.map((tensor, i) =>
        i < from || i >= from + count ? tensor : part === 0 ? (fewer[i - from] ?? none) : none,
      ),
    );
  }

  async collected(from: number, count: number): Promise<{ values: Float64Array[]; weights: Float64Array }> {
    const weights = await this.#column(from);
    let without = 0;
    await inSlices(weights.length, (first, last) => {
      for (let i = first; i < last; i++) if (weights[i] === 0) without++;
    });
    const values: Float64Array[] = [];
    for (let i = 1; i < count; i++) {
      const column = await this.#column(from + i);
      values.push(without === 0 ? column : await keptOf(column, weights));
    }
    return { values, weights: without === 0 ? weights : await keptOf(weights, weights) };
  }

  async #column(index: number): Promise<Float64Array> {
    const parts = this.#parts.map((outputs) => outputs[index]?.data ?? []);
    const whole = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      await turnIfDue();
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

/** Values of a figure among what has been brought out. */
const sizeIn = (outputs: readonly Tensor[], { from }: CollectedFigure): number => outputs[from + 1]?.data.length ?? NaN;

/** What belongs to positions that have weight. */
async function keptOf(column: Float64Array, weights: Float64Array): Promise<Float64Array> {
  const width = column.length / weights.length;
  const kept = new Float64Array(column.length);
  let count = 0;
  await inSlices(column.length, (from, to) => {
    for (let j = from; j < to; j++) if (weights[Math.floor(j / width)] !== 0) kept[count++] = column[j] ?? NaN;
  });
  return kept.slice(0, count);
}
