/** The tree-structured Parzen estimator: settings that are more likely among the good trials than among the others. */
import { checkOptions, positiveInteger } from "torte";
import { logMass, quantile, cumulative } from "../numeric/normal.js";
import { Random } from "../random.js";
import {
  type Assignment,
  fromUnit,
  isNumeric,
  levelAt,
  levels,
  type Parameter,
  toUnit,
  upperEdge,
  type Value,
  valueAt,
} from "../space/parameter.js";
import { rankByObjectives } from "../numeric/pareto.js";
import { drawn, finished, levelNumber, type Observation, type Searcher, violation } from "./searcher.js";

/** Options of the searcher by Parzen estimators. */
export interface TpeOptions {
  /** Settings that are drawn at random before results count. Default 10. */
  readonly startup?: number;
  /** Candidates for each proposal. Default 24. */
  readonly candidates?: number;
}

/**
 * Of the trials so far the best tenth (25 at most) are good. Of each group of hyperparameters that come together, both the good and
 * the others are given a density l and g: a mixture of products, one for each trial, of normals that are cut at the bounds and of
 * categories, beside a wide one for what is not known. Of the candidates drawn from l, the one with the largest l/g is proposed.
 *
 * Source: J. Bergstra and others, Algorithms for hyper-parameter optimization (2011); S. Watanabe, Tree-structured Parzen
 * estimator (arXiv 2304.11127).
 */
export function tpe(options: TpeOptions = {}): Searcher {
  checkOptions("tpe", options, ["startup", "candidates"]);
  const startup = positiveInteger("tpe", "startup", options.startup ?? 10);
  const count = positiveInteger("tpe", "candidates", options.candidates ?? 24);
  return {
    name: "tpe",
    propose: ({ space, seed, number, trials }) => {
      const random = new Random(seed, "tpe", number);
      const told = finished(trials);
      const all = space.parameters;
      if (told.length < startup) return Object.fromEntries(all.map((one) => [one.name, drawn(random, one)]));
      const running = trials.filter(({ losses }) => losses === undefined);
      const ordered = best(told);
      const good = ordered.slice(0, Math.min(Math.ceil(0.1 * told.length), 25)).sort(byNumber);
      const others = [...ordered.slice(good.length), ...running].sort(byNumber);
      const groups = groupsOf(all, trials);
      return Object.assign(
        {},
        ...groups.map((group) => proposeGroup(group, good, others, count, random)),
      ) as Assignment;
    },
  };
}

const byNumber = (a: Observation, b: Observation): number => a.number - b.number;

/** Those that keep the constraints first, by their losses; then the others by how far they are off. */
function best<T extends Observation & { readonly losses: readonly number[] }>(told: readonly T[]): readonly T[] {
  const ranks = rankByObjectives(told.map(({ losses }) => losses));
  return told
    .map((trial, i) => ({ trial, off: violation(trial), rank: ranks[i] ?? 0 }))
    .sort((a, b) => (a.off === b.off ? a.rank - b.rank : a.off - b.off) || a.trial.number - b.trial.number)
    .map(({ trial }) => trial);
}

/** Hyperparameters that every trial has all of or none of. */
function groupsOf(parameters: readonly Parameter[], trials: readonly Observation[]): readonly (readonly Parameter[])[] {
  const groups = new Map<string, Parameter[]>();
  for (const parameter of parameters) {
    const where = trials.map(({ values }) => Number(values[parameter.name] !== undefined)).join("");
    const group = groups.get(where) ?? [];
    group.push(parameter);
    groups.set(where, group);
  }
  return [...groups.values()];
}

function proposeGroup(
  group: readonly Parameter[],
  good: readonly Observation[],
  others: readonly Observation[],
  count: number,
  random: Random,
): Assignment {
  const has = ({ values }: Observation): boolean => group.every(({ name }) => values[name] !== undefined);
  const [likely, unlikely] = [new Mixture(group, good.filter(has)), new Mixture(group, others.filter(has))];
  let proposed: { readonly values: Assignment; readonly gain: number } | undefined;
  for (let i = 0; i < count; i++) {
    const values = likely.sample(random);
    const gain = likely.logDensity(values) - unlikely.logDensity(values);
    if (proposed === undefined || gain > proposed.gain) proposed = { values, gain };
  }
  return proposed?.values ?? {};
}

/** One dimension of every part of a mixture. */
interface Dimension {
  readonly parameter: Parameter;
  readonly sample: (part: number, random: Random) => Value;
  /** log of the density, or of the probability, in each part. */
  readonly logDensities: (value: Value) => Float64Array;
}

/** A product of distributions for each trial, and one that stands for all that is not known. */
class Mixture {
  readonly #weights: Float64Array;
  readonly #dimensions: readonly Dimension[];

  constructor(group: readonly Parameter[], trials: readonly Observation[]) {
    this.#weights = weightsOf(trials.length);
    this.#dimensions = group.map((parameter) => {
      const values = trials.flatMap(({ values: all }) => all[parameter.name] ?? []);
      return isNumeric(parameter) ? numeric(parameter, values) : categorical(parameter, values);
    });
  }

  sample(random: Random): Assignment {
    const part = random.weighted(this.#weights);
    return Object.fromEntries(this.#dimensions.map(({ parameter, sample }) => [parameter.name, sample(part, random)]));
  }

  logDensity(values: Assignment): number {
    const logs = this.#weights.map(Math.log);
    for (const { parameter, logDensities } of this.#dimensions) {
      const value = values[parameter.name];
      if (value === undefined) continue;
      logDensities(value).forEach((log, part) => (logs[part] = (logs[part] as number) + log));
    }
    const most = Math.max(...logs);
    return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0));
  }
}

/** The 25 newest trials count in full, older ones less and less; the unknown counts as one trial. */
function weightsOf(n: number): Float64Array {
  const old = Math.max(0, n - 25);
  const weight = (i: number): number => (i >= old ? 1 : old === 1 ? 1 / n : 1 / n + (i / (old - 1)) * (1 - 1 / n));
  const weights = Float64Array.from({ length: n + 1 }, (_, i) => (i === n ? 1 : weight(i)));
  const sum = weights.reduce((total, one) => total + one, 0);
  return weights.map((one) => one / sum);
}

function categorical(parameter: Parameter, values: readonly Value[]): Dimension {
  const [count, parts] = [levels(parameter), values.length + 1];
  const held = values.map((value) => levelNumber(parameter, value));
  const [own, other] = [(1 + 1 / parts) / (1 + count / parts), 1 / parts / (1 + count / parts)];
  const probability = (part: number, level: number): number =>
    part === values.length ? 1 / count : held[part] === level ? own : other;
  return {
    parameter,
    sample: (part, random) => {
      const level = random.weighted(Array.from({ length: count }, (_, i) => probability(part, i)));
      return parameter.kind === "float" ? level : valueAt(parameter, level);
    },
    logDensities: (value) => {
      const level = levelNumber(parameter, value);
      return Float64Array.from({ length: parts }, (_, part) => Math.log(probability(part, level)));
    },
  };
}

/** Normals around the trials' values, as wide as the larger gap to a neighbour, cut at the ends of the unit interval. */
function numeric(parameter: Parameter, values: readonly Value[]): Dimension {
  const centres = [...values.map((value) => toUnit(parameter, value)), 0.5];
  const widths = [...widthsOf(centres.slice(0, -1)), 1];
  const inside = centres.map((centre, i) => {
    const width = widths[i] ?? 1;
    return { centre, width, low: cumulative(-centre / width), logMass: logMass(-centre / width, (1 - centre) / width) };
  });
  return {
    parameter,
    sample: (part, random) => {
      const { centre, width, low, logMass: mass } = inside[part] ?? { centre: 0.5, width: 1, low: 0, logMass: 0 };
      const at = centre + width * quantile(low + random.uniform() * Math.exp(mass));
      return fromUnit(parameter, Math.min(1, Math.max(0, at)));
    },
    logDensities: (value) => {
      const at = toUnit(parameter, value);
      const level = parameter.kind === "float" ? undefined : levelAt(parameter, at);
      return Float64Array.from(inside, ({ centre, width, logMass: mass }) => {
        if (parameter.kind === "float" || level === undefined) {
          const z = (at - centre) / width;
          return (-z * z) / 2 - Math.log(width * Math.sqrt(2 * Math.PI)) - mass;
        }
        const [from, to] = [upperEdge(parameter, level - 1), upperEdge(parameter, level)];
        return logMass((from - centre) / width, (to - centre) / width) - mass;
      });
    },
  };
}

/** The larger gap to a neighbour, ends counted where there is but one value; at least a hundredth and 1/(n + 2) of the range. */
function widthsOf(centres: readonly number[]): readonly number[] {
  const n = centres.length;
  const order = centres.map((_, i) => i).sort((a, b) => (centres[a] ?? 0) - (centres[b] ?? 0));
  const sorted = [0, ...order.map((i) => centres[i] ?? 0), 1];
  const least = 1 / Math.min(100, n + 2);
  const widths = new Array<number>(n).fill(1);
  order.forEach((i, rank) => {
    const gaps = [(sorted[rank + 1] ?? 0) - (sorted[rank] ?? 0), (sorted[rank + 2] ?? 0) - (sorted[rank + 1] ?? 0)];
    if (n > 1 && rank === 0) gaps[0] = 0;
    if (n > 1 && rank === n - 1) gaps[1] = 0;
    widths[i] = Math.min(1, Math.max(least, ...gaps));
  });
  return widths;
}
