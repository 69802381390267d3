/** The programs of a model: a training step, an evaluation step, a prediction. Each is one graph from data to states. */
import { sinkClamp } from "../compile/rewrite/max-before-relu.js";
import { withFastConvolutions } from "../compile/rewrite/winograd.js";
import { premultiplyTables } from "../compile/rewrite/embedding-product.js";
import { gradients } from "../autodiff/gradient.js";
import { constant, iota, read } from "../graph/make.js";
import { type Node, type Program, State } from "../graph/node.js";
import type { Loss } from "../losses/losses.js";
import type { Metric } from "../metrics/metrics.js";
import type { Traced, Tracing, Weight } from "../nn/layer.js";
import { newTracing } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import * as ops from "../ops/index.js";
import type { Optimizer } from "../optim/optimizers.js";
import type { Resident } from "./resident.js";

/** The next `batch` rows of each column. */
function nextRows(data: Resident, batch: number): { x: Node[]; y: Node[]; cursor: Node } {
  const cursor = read(data.cursor);
  const rows = ops.gather(read(data.order), ops.add(iota([batch], 0), cursor));
  const pick = (state: State): Node => ops.gather(read(state), rows);
  return { x: data.x.map(pick), y: data.y.map(pick), cursor: ops.add(cursor, batch) };
}

/** States that training keeps besides the weights. */
export interface TrainingStates {
  readonly slots: ReadonlyMap<State, Readonly<Record<string, State>>>;
  readonly learningRate: State;
  /** Number of steps taken, int32: float32 would stop counting at 2²⁴. */
  readonly step: State;
  /** Seed and step, int32[2]; shared by all that a model is compiled for. */
  readonly random: State;
  /** Sums over the epoch: weight, then each figure. */
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
    sums: new State("sums", [1 + figures], "float32"),
    badStep: new State("badStep", [], "int32"),
  };
}

export const allTrainingStates = ({ slots, ...single }: TrainingStates): State[] => [
  ...[...slots.values()].flatMap((record) => Object.values(record)),
  ...Object.values(single),
];

/** What one output is trained for. */
export interface Goal {
  /** Of the output: its layer's name. */
  readonly name: string;
  /** Position among the network's outputs. */
  readonly output: number;
  readonly loss: Loss;
  /** Of the loss within the sum of all losses. */
  readonly weight: number;
  readonly metrics: readonly Metric[];
}

export interface Objective {
  readonly network: Network;
  /** In the order of the outputs; there is one target for each. */
  readonly goals: readonly Goal[];
}

/** Names of what is measured: the loss; of several outputs the loss of each; the metrics. */
export function figureNames(goals: readonly Goal[]): string[] {
  const several = goals.length > 1;
  const own = (goal: Goal, figure: string): string =>
    several ? `${goal.name}${figure.charAt(0).toUpperCase()}${figure.slice(1)}` : figure;
  return [
    "loss",
    ...(several ? goals.map((goal) => own(goal, "loss")) : []),
    ...goals.flatMap((goal) => goal.metrics.map(({ name }) => own(goal, name))),
  ];
}

/** The network's outputs, simplified in ways that their derivatives gain from. */
export function tracedWith(network: Network, inputs: readonly Traced[], tracing: Tracing): Traced[] {
  const outputs = network.trace(inputs, tracing);
  const penalties = tracing.penalties.length;
  const moved = [...tracing.updates.keys()];
  const nodes = [...outputs.map(({ value }) => value), ...tracing.penalties, ...tracing.updates.values()];
  const mapped = withFastConvolutions(sinkClamp(premultiplyTables(nodes)));
  tracing.penalties.splice(0, penalties, ...mapped.slice(outputs.length, outputs.length + penalties));
  moved.forEach((state, i) => tracing.updates.set(state, mapped[outputs.length + penalties + i] ?? read(state)));
  return outputs.map(({ mask }, i) => ({ value: mapped[i] ?? constant(0), mask }));
}

/** The losses with the penalties, and what is summed up for the history: [weight, figures·weight]. */
export function measure(
  { network, goals }: Objective,
  inputs: readonly Traced[],
  targets: readonly Node[],
  tracing: Tracing,
): { total: Node; sums: Node; outputs: Node[] } {
  const outputs = tracedWith(network, inputs, tracing);
  const measured = goals.map((goal, i) => measureGoal(goal, outputs, targets[i]));
  const losses = measured.map(({ loss }, i) => {
    const weight = goals[i]?.weight ?? 1;
    return weight === 1 ? loss : ops.mul(loss, weight);
  });
  const total = [...losses, ...tracing.penalties].reduce((sum, part) => ops.add(sum, part));
  const weight = constant(outputs[0]?.value.shape[0] ?? 1);
  const figures = [
    total,
    ...(goals.length > 1 ? measured.map(({ loss }) => loss) : []),
    ...measured.flatMap(({ metrics }) => metrics),
  ];
  const sums = ops.stack([weight, ...figures.map((value) => ops.mul(value, weight))]);
  return { total, sums, outputs: outputs.map(({ value }) => value) };
}

function measureGoal(
  { output: position, loss, metrics, name }: Goal,
  outputs: readonly Traced[],
  target: Node | undefined,
): { loss: Node; metrics: Node[] } {
  const output = outputs[position];
  if (output === undefined || target === undefined) throw new RangeError(`output ${name} has no target`);
  const goal = alignTarget(target, output.value, loss);
  const average = (perPosition: Node): Node => weightedMean(perPosition, output.mask);
  return {
    loss: ops.withOrigin("loss", () => average(loss.call(goal, output.value))),
    metrics: metrics.map((metric) => average(metric.call(goal, output.value, loss))),
  };
}

/** Targets as the loss wants them: (batch) beside predictions (batch, 1) get their last axis. */
function alignTarget(target: Node, prediction: Node, loss: Loss): Node {
  if (loss.targets === "classes") {
    const shape = prediction.shape.slice(0, -1);
    return ops.cast(ops.reshape(target, shape), "int32");
  }
  const floats = ops.cast(target, "float32");
  return floats.shape.length === prediction.shape.length ? floats : ops.reshape(floats, prediction.shape);
}

/** Over all positions, or over those that the mask counts. */
function weightedMean(perPosition: Node, mask: Node | undefined): Node {
  if (mask === undefined || perPosition.shape.length < 2) return ops.mean(perPosition);
  const counted = ops.cast(mask, "float32");
  return ops.div(ops.sum(ops.mul(perPosition, counted)), ops.maximum(ops.sum(counted), 1));
}

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
  const { total, sums } = measure(
    objective,
    rows.x.map((value) => ({ value })),
    rows.y,
    tracing,
  );
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
    { state: states.sums, value: ops.add(read(states.sums), sums) },
    { state: states.step, value: step },
    {
      state: states.random,
      value: ops.add(read(states.random), ops.stack([constant(0, [], "int32"), constant(1, [], "int32")])),
    },
    { state: data.cursor, value: rows.cursor },
  );
  return { name: `train(${batch})`, outputs: [], updates };
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
  const rows = nextRows(data, batch);
  return measure(
    objective,
    rows.x.map((value) => ({ value })),
    rows.y,
    newTracing(true, read(states.random)),
  ).total;
}

export function evaluateProgram(objective: Objective, sums: State, data: Resident, batch: number): Program {
  const rows = nextRows(data, batch);
  const measured = measure(
    objective,
    rows.x.map((value) => ({ value })),
    rows.y,
    newTracing(false),
  );
  return {
    name: `evaluate(${batch})`,
    outputs: [],
    updates: [
      { state: sums, value: ops.add(read(sums), measured.sums) },
      { state: data.cursor, value: rows.cursor },
    ],
  };
}

export function predictProgram(network: Network, data: Resident, batch: number): Program {
  const rows = nextRows(data, batch);
  const outputs = tracedWith(
    network,
    rows.x.map((value) => ({ value })),
    newTracing(false),
  ).map(({ value }) => value);
  return { name: `predict(${batch})`, outputs, updates: [{ state: data.cursor, value: rows.cursor }] };
}
