/** What an optimizer is: from a weight, its gradient and what was remembered of it to the new weight. */
import { booleanOption, checkOptions, numberIn, OptionError, positiveInteger, show } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import type { Shape } from "../tensor/shape.js";
import { type RateOption, readRate, type Schedule } from "./schedule.js";

/** A weight as an optimizer sees it when the model is compiled. */
export interface WeightFacts {
  /** Full name, such as "block/conv1d.kernel". */
  readonly path: string;
  readonly shape: Shape;
  /** Kind of the layer that has the weight, such as "dense". */
  readonly layer: string;
  /** The layer gives an output of the model, as it is or through layers without weights. */
  readonly last: boolean;
}

/** What is remembered of a weight from update to update, of any shape. */
export interface Slot {
  readonly shape: Shape;
  /** What it is filled with at first, or "weight" for a copy of the weight. */
  readonly start: number | "weight";
}

export type Slots = Readonly<Record<string, Slot>>;
export type SlotNodes = Readonly<Record<string, Node>>;

/** What an optimizer knows of a step. */
export interface OptimizerStep {
  readonly weight: Node;
  /** Clipped, where that is asked for. */
  readonly gradient: Node;
  readonly slots: SlotNodes;
  /** The rate of this update, the weight's `lrMultiplier` included. */
  readonly learningRate: Node;
  /** Number of this update, from 1, float32. */
  readonly step: Node;
  /** λ of an optimizer that decays weights in its own way; 0 for weights that are excluded. */
  readonly weightDecay: number;
  readonly facts: WeightFacts;
}

/** The mathematics of an optimizer. */
export interface UpdateRule {
  readonly slots: (facts: WeightFacts) => Slots;
  readonly update: (step: OptimizerStep) => { readonly weight: Node; readonly slots: SlotNodes };
  /** λ of a weight, where it is not the same for all. */
  readonly decayOf?: (facts: WeightFacts) => number;
  /** The rule decays weights itself; else they shrink by rate·λ before the update. */
  readonly decaysItself?: true;
  /** What the model computes with when it does not train, of weight and slots. Default: the weight. */
  readonly shown?: (weight: Node, slots: SlotNodes) => Node;
}

/** Which weights are not decayed. */
export type DecayExclusion = "vectors" | "none" | readonly string[] | ((path: string, shape: Shape) => boolean);

/** What all optimizers take. */
export interface CommonOptimizerOptions {
  /** A number of at least 0, a schedule, or a function from the number of updates done to a rate. */
  readonly learningRate?: RateOption;
  /**
   * λ: before each update a weight shrinks by rate·λ·w, with the rate of that update. It does not pass through moments or
   * clipping, as the penalty of `l2` does. At least 0. Default 0; 0.004 for adamw and muon.
   */
  readonly weightDecay?: number;
  /**
   * Weights that are not decayed: "vectors" (biases, factors and offsets of normalizations: all of fewer than two axes), "none",
   * names of weights, layers or blocks, or a function of path and shape. Default "vectors"; Keras decays all weights, which is
   * "none".
   */
  readonly exclude?: DecayExclusion;
  /** Every element of a gradient is kept within ±clipvalue. Above 0. Default none. At most one of the three kinds. */
  readonly clipvalue?: number;
  /**
   * A weight's gradient with a larger norm ‖g‖ is multiplied by clipnorm/‖g‖, exactly (PyTorch divides by ‖g‖ + 1e-6): (3, 4)
   * becomes (0.6, 0.8) with 1. A norm that is not finite makes no update; the run ends and names the weight. Above 0. Default none.
   */
  readonly clipnorm?: number;
  /** The same with the norm of all gradients together. Above 0. Default none. */
  readonly globalClipnorm?: number;
  /**
   * Keeps an exponential moving average of the weights and moving statistics: a ← μ·a + (1 − μ)·w after every update, a = w
   * after the first. evaluate, validation, callbacks, predict and save see the average; training goes on with the weights
   * themselves. Default false.
   */
  readonly useEma?: boolean;
  /** μ, from 0 up to below 1. Default 0.99. */
  readonly emaMomentum?: number;
  /** After so many updates, again and again, training goes on from the average. At least 1. Default never. */
  readonly emaOverwriteFrequency?: number;
  /**
   * Batches whose gradients are summed up before an update, as if they were one batch: the sum is divided by the sum of what
   * each would have been divided by. Schedules, t and averages count updates (in Keras batches). What is left at an epoch's end
   * makes an update of its own (Keras carries it over). At least 1. Default 1.
   */
  readonly gradientAccumulationSteps?: number;
  /**
   * Factors of the rate for weights, layers or blocks, by name: `{ embedding: 0.1, "block/dense.kernel": 2 }`. The longest name
   * that fits counts. At least 0. Default 1.
   */
  readonly lrMultiplier?: Readonly<Record<string, number>>;
}

/** How a gradient is kept from being too large. */
export interface Clipping {
  readonly by: "value" | "norm" | "globalNorm";
  readonly limit: number;
}

export interface Averaging {
  readonly momentum: number;
  /** Updates after which the weights become the average; undefined for never. */
  readonly overwrite: number | undefined;
}

/** The common options, checked. */
export interface Settings {
  readonly weightDecay: number;
  readonly exclude: DecayExclusion;
  readonly clipping: Clipping | undefined;
  readonly averaging: Averaging | undefined;
  /** Batches of an update. */
  readonly accumulate: number;
  readonly multipliers: Readonly<Record<string, number>>;
}

/** What `compile` takes; `describeOptimizer` tells how it was made. */
export interface Optimizer extends UpdateRule {
  /** Name of the factory. */
  readonly name: string;
  /** As they were given. */
  readonly options: object;
  readonly learningRate: number | Schedule;
  readonly settings: Settings;
}

export const COMMON_OPTIONS = [
  "learningRate",
  "weightDecay",
  "exclude",
  "clipvalue",
  "clipnorm",
  "globalClipnorm",
  "useEma",
  "emaMomentum",
  "emaOverwriteFrequency",
  "gradientAccumulationSteps",
  "lrMultiplier",
] as const;

/** An optimizer of a rule and options that are checked here, but for its `own`, which `rule` reads. */
export function optimizer<O extends CommonOptimizerOptions>(
  name: string,
  options: O,
  own: readonly (keyof O & string)[],
  defaults: { readonly learningRate: number; readonly weightDecay?: number },
  rule: () => UpdateRule,
): Optimizer {
  checkOptions(name, options, [...own, ...COMMON_OPTIONS]);
  const learningRate = readRate(name, "learningRate", options.learningRate ?? defaults.learningRate);
  const settings = readSettings(name, options, defaults.weightDecay ?? 0);
  return { name, options: { ...options }, learningRate, settings, ...rule() };
}

function readSettings(where: string, options: CommonOptimizerOptions, weightDecay: number): Settings {
  return {
    weightDecay: numberIn(where, "weightDecay", options.weightDecay ?? weightDecay, { min: 0 }),
    exclude: readExclusion(where, options.exclude ?? "vectors"),
    clipping: readClipping(where, options),
    averaging: readAveraging(where, options),
    accumulate: positiveInteger(where, "gradientAccumulationSteps", options.gradientAccumulationSteps ?? 1),
    multipliers: readMultipliers(where, options.lrMultiplier ?? {}),
  };
}

function readExclusion(where: string, option: unknown): DecayExclusion {
  const names = Array.isArray(option) && option.every((name) => typeof name === "string");
  if (option === "vectors" || option === "none" || names || typeof option === "function")
    return option as DecayExclusion;
  throw new OptionError({
    where,
    problem: "exclude is unknown",
    expected: '"vectors", "none", a list of names, or a function of path and shape',
    received: show(option),
  });
}

function readClipping(where: string, options: CommonOptimizerOptions): Clipping | undefined {
  const kinds = [
    ["clipvalue", "value"],
    ["clipnorm", "norm"],
    ["globalClipnorm", "globalNorm"],
  ] as const;
  const given = kinds.filter(([name]) => options[name] !== undefined);
  const [first] = given;
  if (first === undefined) return undefined;
  if (given.length === 1) return { by: first[1], limit: numberIn(where, first[0], options[first[0]], { above: 0 }) };
  const received = given.map(([name]) => name).join(" and ");
  throw new OptionError({ where, problem: "gradients are clipped in one way", expected: "one of the three", received });
}

function readAveraging(where: string, options: CommonOptimizerOptions): Averaging | undefined {
  const momentum = numberIn(where, "emaMomentum", options.emaMomentum ?? 0.99, { min: 0, below: 1 });
  const { emaOverwriteFrequency: frequency } = options;
  const overwrite = frequency === undefined ? undefined : positiveInteger(where, "emaOverwriteFrequency", frequency);
  if (booleanOption(where, "useEma", options.useEma ?? false)) return { momentum, overwrite };
  const without = (["emaMomentum", "emaOverwriteFrequency"] as const).find((name) => options[name] !== undefined);
  if (without === undefined) return undefined;
  throw new OptionError({ where, problem: `${without} is of no use`, expected: "useEma: true beside it" });
}

function readMultipliers(where: string, option: unknown): Readonly<Record<string, number>> {
  if (typeof option !== "object" || option === null || Array.isArray(option)) {
    const expected = "an object of factors by name";
    throw new OptionError({ where, problem: "lrMultiplier has the wrong type", expected, received: show(option) });
  }
  const entries = Object.entries(option).map(([name, factor]: [string, unknown]) => [
    name,
    numberIn(where, `lrMultiplier of ${name}`, factor, { min: 0 }),
  ]);
  return Object.fromEntries(entries) as Record<string, number>;
}

/** Whether a name is that of the weight, of its layer, or of a block around it. */
const covers = (name: string, path: string): boolean =>
  path === name || (path.startsWith(name) && (path[name.length] === "." || path[name.length] === "/"));

/** Factor of the rate for a weight: that of the longest name that fits. */
export function multiplierOf({ multipliers }: Settings, { path }: WeightFacts): number {
  const fitting = Object.keys(multipliers).filter((name) => covers(name, path));
  const longest = fitting.reduce((a, b) => (b.length > a.length ? b : a), "");
  return multipliers[longest] ?? 1;
}

/** λ of a weight. */
export function decayOf({ settings, decayOf: own }: Optimizer, facts: WeightFacts): number {
  const { exclude, weightDecay } = settings;
  const { path, shape } = facts;
  const excluded =
    exclude === "vectors"
      ? shape.length < 2
      : typeof exclude === "function"
        ? exclude(path, shape)
        : exclude !== "none" && exclude.some((name) => covers(name, path));
  return excluded ? 0 : (own?.(facts) ?? weightDecay);
}

/** @throws OptionError for a name in the options that no weight of the model has. */
export function checkNames({ name: where, settings }: Optimizer, weights: readonly WeightFacts[]): void {
  const { exclude, multipliers } = settings;
  const lists = {
    lrMultiplier: Object.keys(multipliers),
    exclude: Array.isArray(exclude) ? (exclude as string[]) : [],
  };
  for (const [option, names] of Object.entries(lists)) {
    const unknown = names.find((name) => !weights.some(({ path }) => covers(name, path)));
    if (unknown === undefined) continue;
    throw new OptionError({
      where,
      problem: `${option} names what the model does not train`,
      expected: `a weight, layer or block of ${weights.map(({ path }) => path).join(", ")}`,
      received: show(unknown),
    });
  }
}

/** Moments that have decayed to nothing become 0: arithmetic on denormal numbers is several times slower. */
export const flush = (moment: Node): Node => ops.where(ops.less(ops.abs(moment), 1e-30), 0, moment);

/** β·a + (1 − β)·x. */
export const movingAverage = (average: Node, value: Node, beta: number): Node =>
  flush(ops.add(ops.mul(average, beta), ops.mul(value, 1 - beta)));

/** 1 − βᵗ, without loss of digits for a β near 1. */
export const correction = (beta: number, step: Node): Node => ops.neg(ops.expm1(ops.mul(step, Math.log(beta))));

/** What is remembered under a name. */
export function slotOf(slots: SlotNodes, name: string): Node {
  const node = slots[name];
  if (node === undefined) throw new RangeError(`slot ${name} is missing`);
  return node;
}

/** Slots of the weight's shape, zero at first. */
export const alike =
  (...names: readonly string[]): UpdateRule["slots"] =>
  ({ shape }) =>
    Object.fromEntries(names.map((name) => [name, { shape, start: 0 }]));

export const fraction = (where: string, name: string, value: number): number =>
  numberIn(where, name, value, { min: 0, below: 1 });
export const beta = (where: string, name: string, value: number): number =>
  numberIn(where, name, value, { above: 0, below: 1 });
export const positive = (where: string, name: string, value: number): number =>
  numberIn(where, name, value, { above: 0 });
