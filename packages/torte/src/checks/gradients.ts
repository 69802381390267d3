/** Derivatives against finite differences, in float64. */
import { gradients } from "../autodiff/gradient.js";
import type { Executable, Session } from "../backends/backend.js";
import { booleanOption, checkOptions, numberIn, OptionError, positiveInteger, seedOption } from "../errors.js";
import { constant, iota, read } from "../graph/make.js";
import type { Node, Program, State } from "../graph/node.js";
import { newTracing } from "../nn/layer.js";
import { formatError, PAGE, Report } from "../nn/inspect/report.js";
import * as ops from "../ops/index.js";
import { boundedDraws, hashName, mixKey } from "../tensor/random.js";
import { sizeOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { type Columns, columnsOf, type TensorOrList } from "../data/example.js";
import { checkInputs, checkTargets } from "../train/check-data.js";
import { measure } from "../train/measure.js";
import { tracedWith } from "../train/traced.js";
import { inOrder, namesFor } from "../train/model-data.js";
import { trainable } from "../train/trained.js";
import type { AnyModel } from "../train/model.js";
import { columnsFor, withWeights } from "./session.js";
import { atOnce } from "../turns.js";

/** The examples that gradients are checked on. */
export interface GradientCheckData {
  /** A few rows are enough. */
  readonly x: TensorOrList;
  /** With targets the loss is differentiated that the model was compiled for, without them a fixed combination of its outputs. */
  readonly y?: TensorOrList;
}

/** Options of {@link checkGradients}. */
export interface GradientCheckOptions {
  /** Entries of each weight and each input that are compared, the one with the largest derivative among them. Default 10. */
  readonly samples?: number;
  /** Largest relative error that passes, above 0. Default 1e-5. */
  readonly tolerance?: number;
  /** Half the distance between the two points of a difference, above 0. Default 1e-5. */
  readonly step?: number;
  /** Layers work as in a training step, with the same random numbers every time. Default true. */
  readonly training?: boolean;
  /** Of the choice of entries and of dropout. Default 0. */
  readonly seed?: number;
}

/** One weight's derivative, in both ways. */
export interface CheckedEntry {
  /** Row-major number within the weight. */
  readonly index: number;
  readonly analytic: number;
  readonly numeric: number;
  /** |analytic − numeric| by the larger of both, tiny derivatives counting as the weight's larger ones. */
  readonly relativeError: number;
  /** The function has a corner here (relu at 0, equal values under a maximum) and so no derivative; it is not judged. */
  readonly corner: boolean;
}

/** The largest difference in an array of weights. */
export interface CheckedWeight {
  /** "dense.kernel", or "input" for the derivative by an input. */
  readonly name: string;
  readonly entries: readonly CheckedEntry[];
  /** Of entries that are no corners. */
  readonly maxRelativeError: number;
  readonly passed: boolean;
}

/** What `checkGradients` returns; prints as a table. */
export class GradientCheck extends Report {
  readonly passed: boolean;

  constructor(
    readonly rows: readonly CheckedWeight[],
    readonly tolerance: number,
  ) {
    super();
    this.passed = rows.every((row) => row.passed);
  }

  /** The weight with the largest error, and its worst entry. */
  get worst(): (CheckedEntry & { readonly name: string }) | undefined {
    const all = this.rows.flatMap(({ name, entries }) => entries.map((entry) => ({ ...entry, name })));
    return all.filter(({ corner }) => !corner).sort((a, b) => b.relativeError - a.relativeError)[0];
  }

  override toString(): string {
    const line = (cells: readonly string[]): string =>
      `${(cells[0] ?? "").padEnd(34)} ${(cells[1] ?? "").padStart(8)} ${(cells[2] ?? "").padStart(8)} ${(cells[3] ?? "").padStart(16)}  ${cells[4] ?? ""}`.trimEnd();
    const { worst } = this;
    const end =
      this.passed || worst === undefined
        ? `Passed: no relative error above ${this.tolerance.toExponential()}.`
        : `Failed: ${worst.name}[${worst.index}] has the derivative ${short(worst.numeric)}; backward gives ${short(worst.analytic)}.`;
    return [
      line(["Weight or input", "entries", "corners", "relative error", ""]),
      "=".repeat(PAGE),
      ...this.rows.map(({ name, entries, maxRelativeError, passed }) => {
        const corners = entries.filter(({ corner }) => corner).length;
        return line([
          name,
          String(entries.length),
          String(corners),
          formatError(maxRelativeError),
          passed ? "" : "failed",
        ]);
      }),
      "=".repeat(PAGE),
      end,
    ].join("\n");
  }
}

const short = (value: number): string => String(Number(value.toPrecision(6)));

/**
 * Compares the derivatives that training uses with finite differences, in the float64 interpreter, at the model's weights
 * as they are: (f(w + h) − f(w − h))/2h for some entries of every weight that is trained, and of every input of floats.
 *
 * What a layer takes as constant on purpose, as spectralNormalization does with its singular vectors, shows as an error.
 *
 * @throws OptionError for options out of range, or for targets without a compiled loss; DataError for data that the model
 * cannot take.
 * @example
 * import { checkGradients, dense, input, sequential, tensor } from "torte";
 * const model = sequential(input({ shape: [3] }), dense({ units: 4, activation: "tanh" }), dense({ units: 1 }));
 * const check = await checkGradients(model, { x: tensor([[0.1, -0.2, 0.3], [1, 2, -1]]) });
 * console.log(check.passed, check.rows.length); // true 5
 */
export async function checkGradients(
  model: AnyModel,
  data: GradientCheckData,
  options: GradientCheckOptions = {},
): Promise<GradientCheck> {
  const where = "checkGradients";
  checkOptions(where, data, ["x", "y"]);
  checkOptions(where, options, ["samples", "tolerance", "step", "training", "seed"]);
  const samples = positiveInteger(where, "samples", options.samples ?? 10);
  const tolerance = numberIn(where, "tolerance", options.tolerance ?? 1e-5, { above: 0 });
  const step = numberIn(where, "step", options.step ?? 1e-5, { above: 0 });
  const training = booleanOption(where, "training", options.training ?? true);
  const seed = seedOption(where, options.seed ?? 0);
  const { x, y } = inOrder(columnsOf(data), namesFor(model.network, model.objective?.goals), where);
  checkInputs(model.network, x);
  if (data.y !== undefined) checkLoss(model, { x, y });
  return withWeights(model, async (session) => {
    const columns = await columnsFor(session, model.network, [...x, ...y]);
    const goal = goalOf(model, columns, x.length, { training, seed });
    const first = await session.run(await session.compile({ ...goal.program, outputs: [goal.value, ...goal.parts] }));
    const value = await session.compile(goal.program);
    const base = first[0]?.data[0] ?? NaN;
    const rows: CheckedWeight[] = [];
    for (const [i, { name, state }] of goal.wrt.entries()) {
      const analytic = first[i + 1]?.data ?? new Float64Array(0);
      const chosen = chooseEntries(analytic, samples, mixKey(seed, hashName(name), i));
      const differences = await differ(session, value, state, { chosen, step, base });
      rows.push(judge(name, analytic, differences, tolerance, base));
    }
    return new GradientCheck(rows, tolerance);
  });
}

function checkLoss(model: AnyModel, columns: Columns): void {
  if (model.objective === undefined) {
    throw new OptionError({
      where: "checkGradients",
      problem: "targets are given, but the model is not compiled",
      fix: "Call model.compile({ loss }) first, or leave y out.",
    });
  }
  checkTargets(model.network, model.objective.goals, columns);
}

interface Goal {
  readonly program: Program;
  readonly value: Node;
  readonly wrt: readonly { readonly name: string; readonly state: State }[];
  readonly parts: readonly Node[];
}

/** The loss, or Σ output·c with factors c that differ from place to place, and its derivatives. */
function goalOf(
  model: AnyModel,
  columns: readonly State[],
  inputs: number,
  { training, seed }: { training: boolean; seed: number },
): Goal {
  const { network, objective } = model;
  const nodes = columns.map(read);
  const trained = trainable(network);
  const weights = new Map(trained.map(({ state }) => [state, read(state)]));
  const key = ops.stack([constant(seed | 0, [], "int32"), constant(0, [], "int32")]);
  const tracing = newTracing(training, key, weights);
  const x = nodes.slice(0, inputs);
  const traced = x.map((value) => ({ value }));
  const targets = nodes.slice(inputs);
  const exactConvolutions = objective?.exactConvolutions;
  const value =
    targets.length === 0 || objective === undefined
      ? atOnce(tracedWith(network, traced, tracing, { exactConvolutions }))
          .map(({ value: output }) => ops.sum(ops.mul(output, factors(output))))
          .reduce((a, b) => ops.add(a, b))
      : atOnce(measure(objective, traced, { values: targets }, tracing)).total;
  const names = network.inputSpecs.map(({ name }) => name);
  const floats = x.flatMap((node, i) => {
    const state = columns[i];
    return node.dtype === "float32" && state !== undefined ? [{ name: names[i] ?? "input", state, node }] : [];
  });
  const wrt = [
    ...trained.map(({ name, state }) => ({ name, state, node: weights.get(state) ?? read(state) })),
    ...floats,
  ];
  const parts = gradients(
    value,
    wrt.map(({ node }) => node),
  );
  const program = { name: "check gradients", outputs: [value], updates: [], exactConvolutions };
  return { program, value, wrt, parts };
}

/** cos of the row-major number: no symmetry of the outputs hides behind it. */
function factors(output: Node): Node {
  const flat = ops.cast(iota([sizeOf(output.shape)], 0), "float32");
  return ops.reshape(ops.cos(ops.add(flat, 1)), output.shape);
}

function chooseEntries(analytic: ArrayLike<number>, samples: number, key: readonly [number, number]): number[] {
  const all = Array.from({ length: analytic.length }, (_, i) => i);
  if (all.length <= samples) return all;
  const size = (i: number): number => Math.abs(analytic[i] ?? 0);
  const largest = all.reduce((best, i) => (size(i) > size(best) ? i : best), 0);
  const chosen = new Set([largest]);
  const below = boundedDraws(key);
  while (chosen.size < samples) chosen.add(below(all.length));
  return [...chosen].sort((a, b) => a - b);
}

interface Difference {
  readonly index: number;
  readonly ahead: number;
  readonly behind: number;
}

/** One-sided differences at the chosen entries; the state is left as it was. */
async function differ(
  session: Session,
  value: Executable,
  state: State,
  { chosen, step, base }: { chosen: readonly number[]; step: number; base: number },
): Promise<Difference[]> {
  const held = await session.read(state);
  const at = async (index: number, change: number): Promise<number> => {
    const data = Float64Array.from(held.data);
    data[index] = (data[index] ?? 0) + change;
    await session.write(state, new Tensor(data, held.shape, "float64"));
    return (await session.run(value))[0]?.data[0] ?? NaN;
  };
  const differences: Difference[] = [];
  for (const index of chosen) {
    const [above, under] = [await at(index, step), await at(index, -step)];
    differences.push({ index, ahead: (above - base) / step, behind: (base - under) / step });
  }
  await session.write(state, held);
  return differences;
}

function judge(
  name: string,
  analytic: ArrayLike<number>,
  differences: readonly Difference[],
  tolerance: number,
  base: number,
): CheckedWeight {
  const pairs = differences.map(({ index, ahead, behind }) => ({
    index,
    ahead,
    behind,
    analytic: analytic[index] ?? NaN,
    numeric: (ahead + behind) / 2,
  }));
  const largest = Math.max(0, ...pairs.flatMap((pair) => [Math.abs(pair.analytic), Math.abs(pair.numeric)]));
  // Differences of numbers near `base` are no better than this.
  const floor = Math.max(1e-3 * largest, 1e-5 * Math.max(1, Math.abs(base)));
  const entries = pairs.map(({ index, ahead, behind, analytic: a, numeric }): CheckedEntry => {
    const scale = Math.max(Math.abs(a), Math.abs(numeric), floor);
    const relativeError = Math.abs(a - numeric) / scale;
    // Where both sides differ by more than any curvature explains, there is no derivative to compare with.
    const bent = Math.abs(ahead - behind) / scale > 1e-2;
    return { index, analytic: a, numeric, relativeError, corner: !(relativeError <= tolerance) && bent };
  });
  const errors = entries.filter(({ corner }) => !corner).map(({ relativeError }) => relativeError);
  // A NaN passes no comparison.
  const passed = errors.every((error) => error <= tolerance);
  return { name, entries, maxRelativeError: errors.length === 0 ? 0 : Math.max(...errors), passed };
}
