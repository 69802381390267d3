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
import { finished, levelNumber, type Observation, type Searcher, violation } from "./searcher.js";
import { sobolPoint } from "./simple.js";

/** Options of the searcher by Parzen estimators. */
export interface TpeOptions {
  /** Points of Sobol's sequence before results count. Default 10. */
  readonly startup?: number;
  /** Candidates for each proposal. Default 24. */
  readonly candidates?: number;
}

/**
 * Of the trials so far the best 15 % (25 at most) are good, and count as much as they are better than the best of the others. Of each
 * group of hyperparameters that come together, both the good and the others are given a density l and g: a mixture of products, one
 * for each trial, of normals that are cut at the bounds and of categories, beside a wide one for what is not known. Of the candidates
 * drawn from l, the one with the largest l/g is proposed.
 *
 * Source: J. Bergstra and others, Algorithms for hyper-parameter optimization (2011); S. Watanabe, Tree-structured Parzen
 * estimator (arXiv 2304.11127); J. Song and others, A general recipe for likelihood-free Bayesian optimization (arXiv 2206.13035),
 * for the weights.
 */
export function tpe(options: TpeOptions = {}): Searcher {
  checkOptions("tpe", options, ["startup", "candidates"]);
  const startup = positiveInteger("tpe", "startup", options.startup ?? 10);
  const candidates = positiveInteger("tpe", "candidates", options.candidates ?? 24);
  return {
    name: "tpe",
    propose: ({ space, seed, number, trials }) => {
      const random = new Random(seed, "tpe", number);
      const told = finished(trials);
      const all = space.parameters;
      if (told.length < startup) return sobolPoint(space, seed, number);
      const running = trials.filter(({ losses }) => losses === undefined);
      const ordered = best(told);
      const count = Math.min(Math.ceil(GOOD * told.length), MOST_GOOD);
      const limit = ordered[count];
      const good = ordered.slice(0, count).map((trial) => ({ ...trial, gain: gainOf(trial, limit) }));
      const others = [...ordered.slice(count), ...running].sort(byNumber);
      const groups = groupsOf(all, trials);
      return Object.assign(
        {},
        ...groups.map((group) => proposeGroup(group, good, others, candidates, random)),
      ) as Assignment;
    },
  };
}

/** The share of the trials that are good, and the most of them. */
const [GOOD, MOST_GOOD] = [0.15, 25];

type Told = Observation & { readonly losses: readonly number[] };
type Good = Told & { readonly gain: number };

/**
 * By how much a trial is better than the best of those that are not good. NaN of several objectives, and where one of both does not keep
 * the constraints as the other does.
 */
function gainOf(trial: Told, limit: Told | undefined): number {
  if (limit === undefined || trial.losses.length > 1 || violation(trial) !== violation(limit)) return NaN;
  return (limit.losses[0] as number) - (trial.losses[0] as number);
}

const byNumber = (a: Observation, b: Observation): number => a.number - b.number;

/** Those that keep the constraints first, by their losses; then the others by how far they are off. */
function best(told: readonly Told[]): readonly Told[] {
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
  good: readonly Good[],
  others: readonly Observation[],
  candidates: number,
  random: Random,
): Assignment {
  const has = ({ values }: Observation): boolean => group.every(({ name }) => values[name] !== undefined);
  const [better, worse] = [good.filter(has), others.filter(has)];
  const likely = new Mixture(group, better, weightsByGain(better.map(({ gain }) => gain)));
  const unlikely = new Mixture(group, worse, weightsByAge(worse.length));
  let proposed: { readonly values: Assignment; readonly gain: number } | undefined;
  for (let i = 0; i < candidates; i++) {
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

  /** `weights` of the trials, and of the unknown after them. */
  constructor(group: readonly Parameter[], trials: readonly Observation[], weights: Float64Array) {
    this.#weights = weights;
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

/** As much as each is better than what is not good; the unknown as the mean of them. Without such numbers, all the same. */
function weightsByGain(gains: readonly number[]): Float64Array {
  const sum = gains.reduce((total, gain) => total + gain, 0);
  if (!(sum > 0 && Number.isFinite(sum))) return new Float64Array(gains.length + 1).fill(1 / (gains.length + 1));
  const mean = sum / gains.length;
  return Float64Array.from([...gains, mean], (weight) => weight / (sum + mean));
}

/** The 25 newest trials count in full, older ones less and less; the unknown counts as one trial. */
function weightsByAge(n: number): Float64Array {
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

/** The larger gap to a neighbour, ends counted where there is but one value; at least a hundredth and (n + 2)^−1.25 of the range. */
function widthsOf(centres: readonly number[]): readonly number[] {
  const n = centres.length;
  const order = centres.map((_, i) => i).sort((a, b) => (centres[a] ?? 0) - (centres[b] ?? 0));
  const sorted = [0, ...order.map((i) => centres[i] ?? 0), 1];
  const least = 1 / Math.min(100, (n + 2) * Math.sqrt(Math.sqrt(n + 2)));
  const widths = new Array<number>(n).fill(1);
  order.forEach((i, rank) => {
    const gaps = [(sorted[rank + 1] ?? 0) - (sorted[rank] ?? 0), (sorted[rank + 2] ?? 0) - (sorted[rank + 1] ?? 0)];
    if (n > 1 && rank === 0) gaps[0] = 0;
    if (n > 1 && rank === n - 1) gaps[1] = 0;
    widths[i] = Math.min(1, Math.max(least, ...gaps));
  });
  return widths;
}
