/**
 * From gradients to new weights, compiled into the step. In this order: what is summed up over the batches of a window is divided,
 * clipped, the weight decayed, updated, constrained, and averaged.
 */
import { gradientsEach } from "../autodiff/gradient.js";
import { constant, read } from "../graph/make.js";
import type { Node, State, Update } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { clipGradients } from "../optim/clip.js";
import { decayOf, multiplierOf, type Optimizer } from "../optim/optimizer.js";
import { quotient } from "./measure.js";
import { type OptimizerStates, RATES, type WindowStates } from "./optimizer-states.js";
import type { Term } from "./terms.js";
import type { TrainedWeight } from "./trained.js";

/** Gradients of a batch, or of a window of batches, and when they make an update. */
export interface Collected {
  readonly gradients: readonly Node[];
  /** Whether the weights are updated now; undefined for always. */
  readonly complete: Node | undefined;
  readonly updates: readonly Update[];
}

const both = (a: Node | undefined, b: Node | undefined): Node | undefined =>
  a === undefined || b === undefined ? (a ?? b) : ops.logicalAnd(a, b);

/** `value` where the condition holds, else what the state has. */
const unless = (condition: Node | undefined, { state, value }: Update): Update => ({
  state,
  value: condition === undefined ? value : ops.where(condition, value, read(state)),
});

/** The gradient of one batch: an update, if anything in it counts. */
export function* ofBatch(
  loss: Node,
  weights: readonly Node[],
  counted: Node | undefined,
): Generator<undefined, Collected> {
  return { gradients: yield* gradientsEach(loss, weights), complete: counted, updates: [] };
}

/** Gradients summed up over a window of batches: Σ numerators / Σ denominators, as if the window were one batch. */
export function* ofWindow(
  { filled, denominators, sums, epochEnd }: WindowStates,
  size: number,
  terms: readonly Term[],
  weights: readonly { readonly state: State; readonly node: Node }[],
  { counted, cursor }: { readonly counted: Node | undefined; readonly cursor: Node },
): Generator<undefined, Collected> {
  const before = read(filled);
  const opens = ops.equal(before, 0);
  const closes = ops.logicalOr(ops.equal(before, size - 1), ops.lessEqual(read(epochEnd), cursor));
  const carried = (value: Node, state: State): Node => ops.where(opens, value, ops.add(read(state), value));
  const nodes = weights.map(({ node }) => node);
  const updates: Update[] = [];
  const parts: Node[][] = [];
  for (const [j, { numerator }] of terms.entries()) {
    const gradients = yield* gradientsEach(numerator, nodes);
    const part = gradients.map((gradient, i) => {
      const state = sums.get(weights[i]?.state ?? filled)?.[j];
      if (state === undefined) throw new RangeError("a weight has no place for its gradients");
      const value = carried(gradient, state);
      updates.push({ state, value });
      return value;
    });
    parts.push(part);
  }
  const seen = counted === undefined ? constant(1) : ops.cast(counted, "float32");
  const divisors = carried(
    ops.stack([...terms.map(({ denominator }) => denominator ?? constant(1)), seen]),
    denominators,
  );
  updates.push(
    { state: denominators, value: divisors },
    { state: filled, value: ops.where(closes, 0, ops.add(before, 1)) },
  );
  const at = (j: number): Node => ops.reshape(ops.slice(divisors, 0, j, j + 1), []);
  const divided = (j: number): Node | number => (terms[j]?.denominator === undefined ? 1 : quotient(1, at(j)));
  const gradients = nodes.map((_, i) =>
    parts.map((part, j) => ops.mul(part[i] ?? constant(0), divided(j))).reduce((a, b) => ops.add(a, b)),
  );
  return { gradients, complete: both(closes, ops.less(0, at(terms.length))), updates };
}

export interface UpdateRequest {
  readonly optimizer: Optimizer;
  readonly states: OptimizerStates;
  /** The weights that have gradients, in their order. */
  readonly trained: readonly TrainedWeight[];
  readonly collected: Collected;
  /** What moving statistics become by this batch. */
  readonly moved: ReadonlyMap<State, Node>;
}

/** The updates of a step, and whether the norms of gradients, where they are taken, are finite. */
export function* updateAll(
  request: UpdateRequest,
): Generator<undefined, { updates: Update[]; finite: Node | undefined }> {
  const { optimizer, states, trained, collected, moved } = request;
  const { gradients, finite } = clipGradients(collected.gradients, optimizer.settings.clipping);
  const now = both(collected.complete, finite);
  const step = ops.add(read(states.step), 1);
  const learningRate = rateOf(states);
  const updates: Update[] = [];
  for (const [i, weight] of trained.entries()) {
    yield;
    const gradient = gradients[i];
    if (gradient !== undefined) updates.push(...updateOne(request, weight, { gradient, learningRate, step }));
  }
  updates.push({ state: states.step, value: step });
  updates.push(...averagesOf(request, updates, step));
  const gated = updates.map((update) => unless(now, update));
  return {
    updates: [...gated, ...collected.updates, ...[...moved].map(([state, value]) => ({ state, value }))],
    finite,
  };
}

function rateOf({ learningRate, rates, step }: OptimizerStates): Node {
  if (rates === undefined) return read(learningRate);
  const at = ops.clip(ops.sub(read(step), read(rates.first)), 0, RATES - 1);
  return ops.gather(read(rates.values), at);
}

interface Moment {
  readonly gradient: Node;
  readonly learningRate: Node;
  /** Number of the update, int32. */
  readonly step: Node;
}

/** New weight and slots. */
function updateOne(
  { optimizer, states }: UpdateRequest,
  { weight, facts }: TrainedWeight,
  { gradient, learningRate, step }: Moment,
): Update[] {
  const slots = states.slots.get(weight.state) ?? {};
  return ops.withOrigin(`${optimizer.name}/${facts.path}`, () => {
    const factor = multiplierOf(optimizer.settings, facts);
    const rate = factor === 1 ? learningRate : ops.mul(learningRate, factor);
    const decay = decayOf(optimizer, facts);
    const before = read(weight.state);
    const shrinks = decay !== 0 && optimizer.decaysItself !== true;
    const next = optimizer.update({
      weight: shrinks ? ops.sub(before, ops.mul(before, ops.mul(rate, decay))) : before,
      gradient,
      slots: Object.fromEntries(Object.entries(slots).map(([name, state]) => [name, read(state)])),
      learningRate: rate,
      step: ops.cast(step, "float32"),
      weightDecay: decay,
      facts,
    });
    const kept = Object.entries(slots).flatMap(([name, state]) => {
      const value = next.slots[name];
      return value === undefined ? [] : { state, value };
    });
    return [{ state: weight.state, value: weight.constraint?.(next.weight) ?? next.weight }, ...kept];
  });
}

/** a ← μ·a + (1 − μ)·w, and w ← a where training is to go on from the average; changes the updates of the weights for that. */
function averagesOf({ optimizer, states, moved }: UpdateRequest, updates: Update[], step: Node): Update[] {
  const { averaging } = optimizer.settings;
  if (averaging === undefined) return [];
  const { momentum, overwrite } = averaging;
  return [...states.averages].map(([state, average]) => {
    const at = updates.findIndex((update) => update.state === state);
    const weight = updates[at]?.value ?? moved.get(state) ?? read(state);
    const mixed = ops.add(ops.mul(read(average), momentum), ops.mul(weight, 1 - momentum));
    const value = ops.where(ops.equal(step, 1), weight, mixed);
    if (overwrite !== undefined && at >= 0)
      updates[at] = { state, value: ops.where(ops.equal(ops.mod(step, overwrite), 0), value, weight) };
    return { state: average, value };
  });
}
