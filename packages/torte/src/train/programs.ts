/** The programs of a model: a training step, an evaluation step, a prediction. Each is one graph from data to states. */
import { gradients } from "../autodiff/gradient.js";
import { constant, iota, read } from "../graph/make.js";
import { type Node, type Program, State } from "../graph/node.js";
import type { Tracing, Weight } from "../nn/layer.js";
import { newTracing } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import * as ops from "../ops/index.js";
import type { Optimizer } from "../optim/optimizers.js";
import { Guards } from "./guards.js";
import { type Measured, measure, type Objective } from "./measure.js";
import type { Resident } from "./resident.js";
import { tracedWith } from "./traced.js";

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
  const pick = (state: State): Node => ops.gather(read(state), rows);
  return {
    numbers: rows,
    x: data.x.map(pick),
    y: data.y.map(pick),
    w: data.w.map(pick),
    cursor: ops.add(cursor, batch),
  };
}

/** The guards of a program over these rows. */
function guardsFor(network: Network, data: Resident, { numbers, x, y, w }: Rows): Guards {
  const [capacity = 1, batch = 1] = [data.order.shape[0], numbers.shape[0]];
  const known = new Map([
    [data.order, { low: 0, high: capacity - 1 }],
    [data.cursor, { low: 0, high: capacity - batch }],
  ]);
  return new Guards(network, {
    inputs: x,
    others: [...y, ...w],
    columns: data.x,
    rows: numbers,
    known,
    flag: data.flag,
  });
}

/** What is measured of rows. */
const measureRows = (objective: Objective, { x, y, w }: Rows, tracing: Tracing, guards?: Guards): Measured =>
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
  readonly slots: ReadonlyMap<State, Readonly<Record<string, State>>>;
  readonly learningRate: State;
  /** Number of steps taken, int32: float32 would stop counting at 2²⁴. */
  readonly step: State;
  /** Seed and step, int32[2]; shared by all that a model is compiled for. */
  readonly random: State;
  /** Sums over the epoch, and below what rounding has added to them. */
  readonly sums: State;
  /** The first step of this epoch whose loss was not finite, or −1. */
  readonly badStep: State;
}

export function trainingStates(
  weights: readonly Weight[],
  optimizer: Optimizer,
  figures: number,
  random: State,
): TrainingStates {
  const slots = new Map(
    weights.map((weight) => [
      weight.state,
      Object.fromEntries(
        optimizer.slots.map((slot) => [slot, new State(`${weight.name}.${slot}`, weight.state.shape, "float32")]),
      ),
    ]),
  );
  return {
    slots,
    learningRate: new State("learningRate", [], "float32"),
    step: new State("step", [], "int32"),
    random,
    sums: new State("sums", [2, figures], "float32"),
    badStep: new State("badStep", [], "int32"),
  };
}

export const allTrainingStates = ({ slots, ...single }: TrainingStates): State[] => [
  ...[...slots.values()].flatMap((record) => Object.values(record)),
  ...Object.values(single),
];

/** One step: rows, forward, loss, backward, update, sums. */
export function trainProgram(
  objective: Objective,
  optimizer: Optimizer,
  states: TrainingStates,
  data: Resident,
  batch: number,
): Program {
  const rows = nextRows(data, batch);
  const trained = trainable(objective.network);
  const weights = trained.map(({ state }) => read(state));
  const nodes = new Map(trained.map(({ state }, i) => [state, weights[i] ?? read(state)]));
  const tracing = newTracing(true, read(states.random), nodes);
  const guards = guardsFor(objective.network, data, rows);
  const { total, sums, collected } = measureRows(objective, rows, tracing, guards);
  const parts = gradients(total, weights);
  const step = ops.add(read(states.step), 1);
  const stepNumber = ops.cast(step, "float32");
  const updates: { state: State; value: Node }[] = [];
  trained.forEach((weight, i) => {
    const slots = states.slots.get(weight.state) ?? {};
    const gradient = parts[i];
    if (gradient === undefined) return;
    const next = ops.withOrigin(`${optimizer.name}/${weight.name}`, () =>
      optimizer.update({
        weight: read(weight.state),
        gradient,
        slots: Object.fromEntries(Object.entries(slots).map(([name, state]) => [name, read(state)])),
        learningRate: read(states.learningRate),
        step: stepNumber,
      }),
    );
    updates.push({ state: weight.state, value: weight.constraint?.(next.weight) ?? next.weight });
    for (const [name, value] of Object.entries(next.slots)) {
      const state = slots[name];
      if (state !== undefined) updates.push({ state, value });
    }
  });
  for (const [state, value] of tracing.updates) updates.push({ state, value });
  const finite = ops.less(ops.abs(total), Infinity);
  const bad = read(states.badStep);
  const fresh = ops.logicalAnd(ops.less(bad, 0), ops.logicalNot(finite));
  updates.push(
    { state: states.badStep, value: ops.where(fresh, step, bad) },
    { state: states.sums, value: summed(states.sums, sums) },
    { state: states.step, value: step },
    {
      state: states.random,
      value: ops.add(read(states.random), ops.stack([constant(0, [], "int32"), constant(1, [], "int32")])),
    },
    { state: data.cursor, value: rows.cursor },
  );
  return guards.close({ name: `train(${batch})`, outputs: collected, updates });
}

/** Whether each of the states is finite, all of it. */
export const finiteProgram = (states: readonly State[]): Program => ({
  name: "finite",
  outputs: states.map((state) => ops.all(ops.less(ops.abs(read(state)), Infinity))),
  updates: [],
});

/** Weights that the optimizer changes. */
export function trainable(network: Network): Weight[] {
  return [...network.weights.values()].filter((weight) => weight.trainable);
}

/** The loss that the next training step will see. */
export function stepLoss(objective: Objective, states: TrainingStates, data: Resident, batch: number): Node {
  return measureRows(objective, nextRows(data, batch), newTracing(true, read(states.random))).total;
}

export function evaluateProgram(objective: Objective, sums: State, data: Resident, batch: number): Program {
  const rows = nextRows(data, batch);
  const guards = guardsFor(objective.network, data, rows);
  const measured = measureRows(objective, rows, newTracing(false), guards);
  return guards.close({
    name: `evaluate(${batch})`,
    outputs: measured.collected,
    updates: [
      { state: sums, value: summed(sums, measured.sums) },
      { state: data.cursor, value: rows.cursor },
    ],
  });
}

export function predictProgram(network: Network, data: Resident, batch: number): Program {
  const rows = nextRows(data, batch);
  const guards = guardsFor(network, data, rows);
  const outputs = tracedWith(
    network,
    rows.x.map((value) => ({ value })),
    newTracing(false),
    guards.bound,
  ).map(({ value }) => value);
  return guards.close({ name: `predict(${batch})`, outputs, updates: [{ state: data.cursor, value: rows.cursor }] });
}
