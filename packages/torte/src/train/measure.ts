/**
 * What a step measures: the loss that is differentiated, and the sums for the history. Numerators and denominators are summed
 * over an epoch before they are divided, so that no figure depends on the size of the batches.
 */
import { sizeAt, sizeOf, type Shape } from "../tensor/shape.js";
import { constant } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import type { Loss, Reduction, TargetKind } from "../losses/loss.js";
import type { Meaning, Metric } from "../metrics/metric.js";
import type { Traced, Tracing } from "../nn/layer.js";
import { spreadMask } from "../nn/masks.js";
import type { Network } from "../nn/network.js";
import * as ops from "../ops/index.js";
import { type Term, termsOf } from "./terms.js";
import { type Bound, tracedWith } from "./traced.js";

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
  /** Weights of the classes in the loss, in training only; 1 where there is none. */
  readonly classWeight?: ReadonlyMap<number, number>;
}

export interface Objective {
  readonly network: Network;
  /** In the order of the outputs; there is one target for each. */
  readonly goals: readonly Goal[];
  /** Of the programs that measure it. */
  readonly exactConvolutions?: boolean;
}

export interface Measured {
  /** The losses with the penalties: what is differentiated. */
  readonly total: Node;
  /** One axis: rows, penalties times rows; of each output numerator and denominator of its loss, and the sums of its metrics. */
  readonly sums: Node;
  /** The sums that the total is made of, for gradients over several batches. */
  readonly terms: readonly Term[];
  /** Whether any position of the batch counts; undefined where all do. */
  readonly counted: Node | undefined;
  readonly outputs: readonly Node[];
  /** What the metrics of kind "collect" bring out: weights and values of each. */
  readonly collected: readonly Node[];
}

/** Targets with their weights, (batch) or (batch, positions), where there are some. */
export interface Targets {
  readonly values: readonly Node[];
  readonly weights?: readonly (Node | undefined)[];
}

/** In steps. */
export function* measure(
  objective: Objective,
  inputs: readonly Traced[],
  targets: Targets,
  tracing: Tracing,
  bound?: Bound,
): Generator<undefined, Measured> {
  const { network, goals, exactConvolutions } = objective;
  const outputs = yield* tracedWith(network, inputs, tracing, { bound, exactConvolutions });
  const { goals: measured, losses } = measureOutputs(goals, outputs, targets);
  const batch = sizeAt(outputs[0]?.value.shape ?? [], 0);
  const rows = constant(batch);
  const penalty = tracing.penalties.reduce((sum, part) => ops.add(sum, part), constant(0));
  const kept = measured.flatMap((goal, i) => [
    asVector(goal.loss.numerator, goal.loss.denominator),
    ...goal.metrics.flatMap((nodes, j) => (isCollected(goals[i]?.metrics[j]) ? [] : nodes)),
  ]);
  const counts = measured.map(({ loss }) => loss.counted);
  return {
    total: [...losses, ...tracing.penalties].reduce((sum, part) => ops.add(sum, part)),
    sums: ops.concat([asVector(rows, ops.mul(penalty, rows)), ...kept], 0),
    terms: termsOf(
      objective,
      measured.map(({ loss }) => loss),
      tracing.penalties,
      batch,
    ),
    counted: counts.reduce((a, b) => (a === undefined || b === undefined ? undefined : ops.logicalOr(a, b))),
    outputs: outputs.map(({ value }) => value),
    collected: measured.flatMap((goal, i) =>
      goal.metrics.flatMap((nodes, j) => (isCollected(goals[i]?.metrics[j]) ? nodes : [])),
    ),
  };
}

const isCollected = (metric: Metric | undefined): boolean => metric?.kind === "collect";

/** The losses, weighted, and what is measured of each output. */
export function measureOutputs(
  goals: readonly Goal[],
  outputs: readonly Traced[],
  targets: Targets,
): { goals: MeasuredGoal[]; losses: Node[] } {
  const all = goals.map((goal, i) => ({
    goal,
    measured: measureGoal(goal, outputs, targets.values[i], targets.weights?.[i]),
  }));
  return {
    goals: all.map(({ measured }) => measured),
    losses: all.map(({ goal, measured }) => scaled(measured.loss.value, goal.weight)),
  };
}

const scaled = (x: Node, factor: number): Node => (factor === 1 ? x : ops.mul(x, factor));
const asVector = (...numbers: readonly Node[]): Node => ops.stack(numbers);

interface MeasuredGoal {
  readonly loss: MeasuredLoss;
  /** Of each metric its sums, or what it brings out: weights, then values. */
  readonly metrics: readonly (readonly Node[])[];
}

function measureGoal(
  { output: position, loss, metrics, name, classWeight }: Goal,
  outputs: readonly Traced[],
  target: Node | undefined,
  weights: Node | undefined,
): MeasuredGoal {
  const output = outputs[position];
  if (output === undefined || target === undefined) throw new RangeError(`output ${name} has no target`);
  const goal = alignTarget(target, output, loss.targets, loss.axis);
  const positions = new Positions(output.mask, weights, ignoredIn(goal, loss));
  return {
    loss: ops.withOrigin("loss", () => measureLoss(loss, goal, output.value, positions, classWeight)),
    metrics: metrics.map((metric) => {
      const meaning = meaningOf(metric, loss);
      const own = meaning.targets === loss.targets ? goal : alignTarget(target, output, meaning.targets, meaning.axis);
      const places =
        metric.ignoreClass === undefined ? positions : positions.without(ignoredIn(own, { ...metric, ...meaning }));
      return ops.withOrigin(metric.name, () => measureMetric(metric, own, output.value, meaning, places));
    }),
  };
}

/** What targets and predictions are to a metric. */
export const meaningOf = (metric: Metric, loss: Meaning): Meaning => ({
  targets: metric.targets ?? loss.targets,
  predictions: metric.predictions ?? loss.predictions ?? "numbers",
  axis: loss.axis ?? -1,
});

/**
 * Targets as they are meant: (batch) beside predictions (batch, 1) get their last axis; classes lack the axis of the classes.
 * What is masked counts as 0, so that it takes no part in sums over positions.
 */
function alignTarget(target: Node, { value, mask }: Traced, kind: TargetKind, axis = -1): Node {
  const at = axis < 0 ? axis + value.shape.length : axis;
  const shape = kind === "classes" ? value.shape.filter((_, i) => i !== at) : value.shape;
  const aligned = ops.cast(ops.reshape(target, shape), kind === "classes" ? "int32" : "float32");
  if (mask === undefined || shape.length < mask.shape.length || kind === "classes") return aligned;
  return ops.where(spreadMask(mask, shape.length), aligned, 0);
}

function ignoredIn(target: Node, { ignoreClass, targets }: Pick<Loss, "ignoreClass" | "targets">): Node | undefined {
  return ignoreClass === undefined || targets !== "classes" ? undefined : ops.equal(target, ignoreClass);
}

/** Which positions of a result count, and how much. */
class Positions {
  readonly #mask: Node | undefined;
  readonly #weights: Node | undefined;
  readonly #ignored: Node | undefined;

  constructor(mask: Node | undefined, weights: Node | undefined, ignored: Node | undefined) {
    this.#mask = mask;
    this.#weights = weights === undefined ? undefined : ops.cast(weights, "float32");
    this.#ignored = ignored;
  }

  /** Without positions that are ignored besides. */
  without(ignored: Node | undefined): Positions {
    const both = this.#ignored?.shape.length === ignored?.shape.length ? this.#ignored : undefined;
    return new Positions(
      this.#mask,
      this.#weights,
      both === undefined || ignored === undefined ? (ignored ?? this.#ignored) : ops.logicalOr(both, ignored),
    );
  }

  /** Whether each position counts; undefined where all do. */
  counted(shape: Shape): Node | undefined {
    const mask = spreadOver(this.#mask, shape);
    const ignored = this.#ignored?.shape.length === shape.length ? this.#ignored : undefined;
    if (ignored === undefined) return mask;
    const kept = ops.logicalNot(ignored);
    return mask === undefined ? kept : ops.logicalAnd(mask, kept);
  }

  /** What was given as weights; undefined where nothing was. */
  given(shape: Shape): Node | undefined {
    if (this.#weights === undefined) return undefined;
    const weights = withoutOnes(this.#weights, shape.length);
    return ops.broadcastTo(spreadMask(weights, shape.length), shape);
  }

  /** Weights of the positions, 0 where they do not count; undefined where all are 1. */
  weights(shape: Shape): Node | undefined {
    const [counted, given] = [this.counted(shape), this.given(shape)];
    if (counted === undefined) return given;
    return given === undefined ? ops.cast(counted, "float32") : ops.where(counted, given, 0);
  }
}

/** Of the leading axes; undefined where the positions have fewer axes than the mask. */
function spreadOver(mask: Node | undefined, shape: Shape): Node | undefined {
  if (mask === undefined || shape.length < mask.shape.length) return undefined;
  return ops.broadcastTo(spreadMask(mask, shape.length), shape);
}

/** Weights (batch, 1) are those of the rows. */
function withoutOnes(weights: Node, rank: number): Node {
  let { shape } = weights;
  while (shape.length > 1 && (shape.length > rank || shape.at(-1) === 1)) shape = shape.slice(0, -1);
  return ops.reshape(weights, shape);
}

/** Σ of the values, each with its weight; where a position does not count its value may be anything. */
function weightedSum(values: Node, counted: Node | undefined, given: Node | undefined): Node {
  const weighted = given === undefined ? values : ops.mul(values, given);
  return ops.sum(counted === undefined ? weighted : ops.where(counted, weighted, 0));
}

interface MeasuredLoss {
  readonly value: Node;
  readonly numerator: Node;
  /** What the numerators of an epoch are divided by. */
  readonly denominator: Node;
  /** Whether any position counts; undefined where all do. */
  readonly counted: Node | undefined;
}

function measureLoss(
  loss: Loss,
  target: Node,
  prediction: Node,
  positions: Positions,
  classWeight: Goal["classWeight"],
): MeasuredLoss {
  const each = perPosition(loss.call(target, prediction), prediction);
  const counted = positions.counted(each.shape);
  const ofClasses = classWeight === undefined ? undefined : weightsOfClasses(target, loss, classWeight);
  const given = product(positions.given(each.shape), ofClasses);
  const numerator = weightedSum(each, counted, given);
  const denominator = denominatorOf(loss.reduction ?? "mean", each.shape, counted, given);
  const value =
    denominator.op === "constant"
      ? ops.mul(numerator, 1 / denominator.attributes.value)
      : quotient(numerator, denominator);
  if (counted === undefined && given === undefined) return { value, numerator, denominator, counted: undefined };
  const weights = counted === undefined ? given : ops.where(counted, given ?? 1, 0);
  const any = weights === undefined ? undefined : ops.less(0, ops.sum(ops.abs(castFloat(weights))));
  return { value, numerator, denominator, counted: any };
}

const castFloat = (x: Node): Node => ops.cast(x, "float32");
const product = (a: Node | undefined, b: Node | undefined): Node | undefined =>
  a === undefined || b === undefined ? (a ?? b) : ops.mul(a, b);

/** Of each position, by the class of its target. */
function weightsOfClasses(target: Node, { targets, axis = -1 }: Loss, weights: ReadonlyMap<number, number>): Node {
  const classes =
    targets === "classes"
      ? target
      : targets === "distribution"
        ? ops.argmax(target, { axes: [axis] })
        : ops.cast(ops.less(targets === "signs" ? 0 : 0.5, ops.sum(target, { axes: [-1] })), "int32");
  return [...weights].reduce(
    (others, [label, weight]) => ops.where(ops.equal(classes, label), weight, others),
    ops.constant(1, classes.shape),
  );
}

/**
 * What a loss comes to, by its reduction, for nodes of one's own: one number, or with "none" those of the positions, each
 * times its weight.
 *
 * @example
 * import { meanSquaredError, ops, reduceLoss } from "torte";
 * const [y, p] = [ops.constant(1, [4, 1]), ops.constant(3, [4, 1])];
 * console.log(reduceLoss(meanSquaredError({ reduction: "sum" }), y, p).shape); // []
 */
export function reduceLoss(
  loss: Loss,
  target: Node,
  prediction: Node,
  options: { readonly sampleWeight?: Node; readonly mask?: Node } = {},
): Node {
  const { sampleWeight, mask } = options;
  const goal = alignTarget(target, { value: prediction, mask }, loss.targets, loss.axis);
  const positions = new Positions(mask, sampleWeight, ignoredIn(goal, loss));
  if (loss.reduction !== "none") return measureLoss(loss, goal, prediction, positions, undefined).value;
  const each = perPosition(loss.call(goal, prediction), prediction);
  const weights = positions.weights(each.shape);
  return weights === undefined ? each : ops.where(ops.equal(weights, 0), 0, ops.mul(each, weights));
}

/** A loss of the whole batch is that of each of its rows. */
const perPosition = (losses: Node, prediction: Node): Node =>
  losses.shape.length === 0 ? ops.broadcastTo(losses, prediction.shape.slice(0, 1)) : losses;

function denominatorOf(reduction: Reduction, shape: Shape, counted: Node | undefined, given: Node | undefined): Node {
  if (reduction === "sum" || reduction === "none") return constant(1);
  if (reduction === "weightedMean" && given !== undefined) return weightedSum(given, counted, undefined);
  return counted === undefined ? constant(sizeOf(shape)) : ops.sum(ops.cast(counted, "float32"));
}

/** a/b, and 0 where there is nothing to divide by. */
export function quotient(a: ops.Operand, b: Node): Node {
  const nothing = ops.equal(b, 0);
  return ops.where(nothing, 0, ops.div(a, ops.where(nothing, 1, b)));
}

/** The sums that a metric keeps, or what it brings out: weights first, then its own values. */
function measureMetric(
  metric: Metric,
  target: Node,
  prediction: Node,
  meaning: Meaning,
  positions: Positions,
): readonly Node[] {
  // All axes but that of the classes or numbers.
  const shape = meaning.targets === "classes" ? target.shape : target.shape.slice(0, -1);
  const weights = positions.weights(shape) ?? ops.constant(1, shape);
  const context = { ...meaning, weights };
  if (metric.kind === "collect") return [weights, ...metric.call(target, prediction, context)];
  if (metric.kind === "counts") return [metric.call(target, prediction, context)];
  const each = perPosition(metric.call(target, prediction, context), prediction);
  const [counted, given] = [positions.counted(each.shape), positions.given(each.shape)];
  return [asVector(weightedSum(each, counted, given), denominatorOf("weightedMean", each.shape, counted, given))];
}
