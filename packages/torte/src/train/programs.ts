/** The programs of a model: a training step, an evaluation step, a prediction. Each is one graph from data to states. */
import { gradientsEach } from "../autodiff/gradient.js";
import { constant, iota, read } from "../graph/make.js";
import { type Node, type Program, State } from "../graph/node.js";
import { newTracing, type Tracing } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import * as ops from "../ops/index.js";
import type { Optimizer } from "../optim/optimizer.js";
import { type Column, rowsAt } from "./column.js";
import { Guards } from "./guards.js";
import { findingLimits } from "./limits.js";
import { type Measured, measure, type Objective } from "./measure.js";
import { listStates, type OptimizerStates } from "./optimizer-states.js";
import type { Resident } from "./resident.js";
import { tracedWith } from "./traced.js";
import type { TrainedWeight } from "./trained.js";
import { type Collected, ofBatch, ofWindow, updateAll } from "./update.js";

interface Rows {
  /** Their numbers within the data. */
  readonly numbers: Node;
  readonly x: readonly Node[];
  readonly y: readonly Node[];
  readonly w: readonly Node[];
  /** Behind these rows. */
  readonly cursor: Node;
}

/** The next `batch` rows of each column. */
function nextRows(data: Resident, batch: number): Rows {
  const cursor = read(data.cursor);
  const rows = ops.gather(read(data.order), ops.add(iota([batch], 0), cursor));
  const pick = (column: Column): Node => rowsAt(column, rows);
  return {
    numbers: rows,
    x: data.x.map(pick),
    y: data.y.map(pick),
    w: data.w.map(pick),
    cursor: ops.add(cursor, batch),
  };
}

/** The guards of a program over these rows. */
function* guardsFor(network: Network, data: Resident, { numbers, x, y, w }: Rows): Generator<undefined, Guards> {
  yield* findingLimits(network);
  const [capacity = 1, batch = 1] = [data.order.shape[0], numbers.shape[0]];
  const known = new Map([
    [data.order, { low: 0, high: capacity - 1 }],
    [data.cursor, { low: 0, high: capacity - batch }],
  ]);
  return new Guards(network, {
    inputs: x,
    others: [...y, ...w],
    columns: data.x.map(({ state, bytes }, i) => (bytes === undefined ? state : (x[i] ?? state))),
    rows: numbers,
    known,
    flag: data.flag,
  });
}

/** What is measured of rows. */
const measureRows = (
  objective: Objective,
  { x, y, w }: Rows,
  tracing: Tracing,
  guards?: Guards,
): Generator<undefined, Measured> =>
  measure(
    objective,
    x.map((value) => ({ value })),
    { values: y, weights: y.map((_, i) => w[w.length === 1 ? 0 : i]) },
    tracing,
    guards?.bound,
  );

/**
 * Sums with those of one more step. The second row has what rounding has taken from the first so far (Kahan 1965): float32
 * alone would stop counting at 2²⁴.
 */
function summed(state: State, more: Node): Node {
  const before = read(state);
  const [sum, excess] = [ops.slice(before, 0, 0, 1), ops.slice(before, 0, 1, 2)];
  const added = ops.sub(ops.expandDims(more, 0), excess);
  const next = ops.add(sum, added);
  return ops.concat([next, ops.sub(ops.sub(next, sum), added)], 0);
}

/** States that training keeps besides the weights. */
export interface TrainingStates {
  readonly optimizer: OptimizerStates;
  /** Seed and number of steps, int32[2]; shared by all that a model is compiled for. */
  readonly random: State;
  /** Sums over the epoch, and below what rounding has added to them. */
  readonly sums: State;
  /** The first step of this epoch whose numbers were not finite, or −1. */
  readonly badStep: State;
}

export const trainingStates = (optimizer: OptimizerStates, figures: number, random: State): TrainingStates => ({
  optimizer,
  random,
  sums: new State("sums", [2, figures], "float32"),
  badStep: new State("badStep", [], "int32"),
});

export function allTrainingStates({ optimizer, random, sums, badStep }: TrainingStates): State[] {
  const { kept, passing } = listStates(optimizer);
  return [...kept, ...passing, random, sums, badStep];
}

/** What a training step is made for. */
export interface Training {
  readonly objective: Objective;
  readonly optimizer: Optimizer;
  readonly trained: readonly TrainedWeight[];
  readonly states: TrainingStates;
}

/** One step: rows, forward, loss, backward, update, sums. Made in steps, as all that takes more than some milliseconds. */
export function* trainProgram(training: Training, data: Resident, batch: number): Generator<undefined, Program> {
  const { optimizer, trained, states } = training;
  const { rows, weights, moved, measured, guards } = yield* measureStep(training, data, batch);
  yield;
  const collected = yield* collect(training, measured, weights, rows.cursor);
  yield;
  const { updates, finite } = yield* updateAll({
    optimizer,
    states: states.optimizer,
    trained,
    collected,
    moved,
  });
  yield;
  const step = ops.add(ops.reshape(ops.slice(read(states.random), 0, 1), []), 1);
  const isFinite = ops.less(ops.abs(measured.total), Infinity);
  const good = finite === undefined ? isFinite : ops.logicalAnd(isFinite, finite);
  const bad = read(states.badStep);
  const fresh = ops.logicalAnd(ops.less(bad, 0), ops.logicalNot(good));
  updates.push(
    { state: states.badStep, value: ops.where(fresh, step, bad) },
    { state: states.sums, value: summed(states.sums, measured.sums) },
    {
      state: states.random,
      value: ops.add(read(states.random), ops.stack([constant(0, [], "int32"), constant(1, [], "int32")])),
    },
    { state: data.cursor, value: rows.cursor },
  );
  const { exactConvolutions } = training.objective;
  return yield* guards.close({ name: `train(${batch})`, outputs: measured.collected, updates, exactConvolutions });
}

interface MeasuredStep {
  readonly rows: Rows;
  /** Nodes to differentiate by. */
  readonly weights: readonly { readonly state: State; readonly node: Node }[];
  /** What moving statistics become; they stay where nothing counts. */
  readonly moved: ReadonlyMap<State, Node>;
  readonly measured: Measured;
  readonly guards: Guards;
}

/** Rows, forward and loss. */
function* measureStep(
  { objective, trained, states }: Training,
  data: Resident,
  batch: number,
): Generator<undefined, MeasuredStep> {
  const rows = nextRows(data, batch);
  const weights = trained.map(({ weight: { state } }) => ({ state, node: read(state) }));
  const tracing = newTracing(true, read(states.random), new Map(weights.map(({ state, node }) => [state, node])));
  const guards = yield* guardsFor(objective.network, data, rows);
  const measured = yield* measureRows(objective, rows, tracing, guards);
  const { counted } = measured;
  const moved = [...tracing.updates].map(
    ([state, value]) => [state, counted === undefined ? value : ops.where(counted, value, read(state))] as const,
  );
  return { rows, weights, moved: new Map(moved), measured, guards };
}

/** The gradients of the step, or of the window of steps that it belongs to. */
function* collect(
  { optimizer, states }: Training,
  { total, terms, counted }: Measured,
  weights: MeasuredStep["weights"],
  cursor: Node,
): Generator<undefined, Collected> {
  const { window } = states.optimizer;
  if (window !== undefined) {
    const { accumulate } = optimizer.settings;
    return yield* ofWindow(window, accumulate, terms, weights, { counted, cursor });
  }
  const nodes = weights.map(({ node }) => node);
  return yield* ofBatch(total, nodes, counted);
}

/** What the next training step will see: its loss, and the gradients by the weights. */
export function* stepLoss(
  training: Training,
  data: Resident,
  batch: number,
): Generator<undefined, { loss: Node; gradients: Node[] }> {
  const { weights, measured } = yield* measureStep(training, data, batch);
  const nodes = weights.map(({ node }) => node);
  return { loss: measured.total, gradients: yield* gradientsEach(measured.total, nodes) };
}

export function* evaluateProgram(
  objective: Objective,
  sums: State,
  data: Resident,
  batch: number,
): Generator<undefined, Program> {
  const rows = nextRows(data, batch);
  const guards = yield* guardsFor(objective.network, data, rows);
  const measured = yield* measureRows(objective, rows, newTracing(false), guards);
  yield;
  return yield* guards.close({
    name: `evaluate(${batch})`,
    exactConvolutions: objective.exactConvolutions,
    outputs: measured.collected,
    updates: [
      { state: sums, value: summed(sums, measured.sums) },
      { state: data.cursor, value: rows.cursor },
    ],
  });
}

export function* predictProgram(
  network: Network,
  data: Resident,
  batch: number,
  { exactConvolutions }: Pick<Program, "exactConvolutions"> = {},
): Generator<undefined, Program> {
  const rows = nextRows(data, batch);
  const guards = yield* guardsFor(network, data, rows);
  const traced = yield* tracedWith(
    network,
    rows.x.map((value) => ({ value })),
    newTracing(false),
    { bound: guards.bound, exactConvolutions },
  );
  const outputs = traced.map(({ value }) => value);
  yield;
  const updates = [{ state: data.cursor, value: rows.cursor }];
  return yield* guards.close({ name: `predict(${batch})`, outputs, updates, exactConvolutions });
}
