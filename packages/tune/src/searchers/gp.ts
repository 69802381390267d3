/** Bayesian optimization with a Gaussian process: the setting of which the largest improvement is expected. */
import { checkOptions, OptionError, positiveInteger } from "torte";
import { Ensemble, OwnStudy, rankWeights } from "../numeric/ensemble.js";
import {
  fitKernel,
  GaussianProcess,
  type KernelParameters,
  type Points,
  type Process,
} from "../numeric/gaussian-process.js";
import { powerTransform } from "../numeric/power-transform.js";
import { MOST_DIMENSIONS, SobolSequence } from "../numeric/sobol.js";
import { Random } from "../random.js";
import { type Assignment, fromUnit, isNumeric, levels, type Parameter, valueAt } from "../space/parameter.js";
import { acquisition, type Candidate, climb, snapped, starts, type Surrogate } from "./acquisition.js";
import {
  type Ask,
  type Earlier,
  encode,
  finished,
  keyOf,
  type Observation,
  type Searcher,
  violation,
} from "./searcher.js";
import { sobolPoint } from "./simple.js";

/** Options of the searcher by Gaussian processes. */
export interface GpOptions {
  /** Points of Sobol's sequence before results count. Default 10. */
  readonly startup?: number;
}

/** The kernel's parameters are found from so many trials at most; what is expected, from all. */
const FIT_TRIALS = 60;
/** Starts of the search for the setting of which most is expected. */
const STARTS = 10;

/**
 * A Gaussian process (Matérn 5/2, a length scale for each hyperparameter, categories as far from each other as they are different)
 * is fitted to all results; proposed is where the expected improvement is largest. Trials that run count with what is expected of
 * them. Constraints multiply with the probability that they are kept. Of several objectives, each proposal follows a weighting of its
 * own (ParEGO), so that the proposals spread over the front.
 *
 * @throws OptionError, when asked, for a space with conditions: `tpe` is for those.
 */
export function gp(options: GpOptions = {}): Searcher {
  checkOptions("gp", options, ["startup"]);
  const startup = positiveInteger("gp", "startup", options.startup ?? 10);
  return {
    name: "gp",
    propose: (ask) => {
      const { space, seed, number } = ask;
      if (space.conditional.size > 0)
        throw new OptionError({
          where: "gp",
          problem: "the space has conditions",
          received: [...space.conditional].join(", "),
          fix: 'Choose searcher: "tpe", or leave the choice to the study.',
        });
      const told = finished(ask.trials).filter(({ values }) => space.parameters.every(({ name }) => name in values));
      if (number < startup || told.length < 3) return sobolPoint(space, seed, number);
      return proposed(ask, told);
    },
  };
}

type Told = Observation & { readonly losses: readonly number[] };

function proposed({ space, seed, number, trials, earlier = [] }: Ask, told: readonly Told[]): Assignment {
  const { parameters } = space;
  const random = new Random(seed, "gp", number);
  const points = pointsOf(parameters, told);
  const losses = powerTransform(standardized(scalarized(told, random)).values);
  const running = trials.filter((trial) => trial.losses === undefined).map(({ values }) => encode(parameters, values));
  const before = earlier.map((one) => earlierResults(parameters, one));
  const surrogate = surrogateOf(points, losses, told, running, { before, random });
  const known = new Set(trials.map(({ values }) => keyOf(values)));
  const candidates = candidatesFor(parameters, points.count, random, { seed, number });
  const valued = candidates.map((x): Candidate => ({ x, value: acquisition(surrogate, x) }));
  const best = incumbent(parameters, told, losses);
  const from = [...starts(valued, STARTS - 1, random), { x: best, value: acquisition(surrogate, best) }];
  const evaluations = points.count > 120 ? 10 : 20;
  const ends = from.map((start) => climb(surrogate, parameters, start, evaluations));
  const ordered = [...ends, ...valued].sort((a, b) => b.value - a.value);
  for (const { x } of ordered) {
    const values = decode(parameters, x);
    if (!known.has(keyOf(values))) return values;
  }
  return sobolPoint(space, seed, number);
}

function pointsOf(parameters: readonly Parameter[], told: readonly Pick<Observation, "values">[]): Points {
  const d = parameters.length;
  const data = new Float64Array(told.length * d);
  told.forEach(({ values }, i) => data.set(encode(parameters, values), i * d));
  return { data, count: told.length, categorical: parameters.map((parameter) => !isNumeric(parameter)) };
}

const decode = (parameters: readonly Parameter[], x: Float64Array): Assignment =>
  Object.fromEntries(
    parameters.map((parameter, k) => {
      const at = x[k] as number;
      if (parameter.kind === "float" || isNumeric(parameter)) return [parameter.name, fromUnit(parameter, at)];
      return [parameter.name, valueAt(parameter, at)];
    }),
  );

/** One loss for each trial: of several, the largest after weights that are drawn, and a little of their sum. */
function scalarized(told: readonly Told[], random: Random): Float64Array {
  const objectives = told[0]?.losses.length ?? 1;
  if (objectives === 1) return Float64Array.from(told, ({ losses }) => losses[0] as number);
  const draws = Array.from({ length: objectives }, () => -Math.log(1 - random.uniform()));
  const sum = draws.reduce((total, draw) => total + draw, 0);
  const scaled = Array.from({ length: objectives }, (_, k) => {
    const column = told.map(({ losses }) => losses[k] as number);
    const [low, high] = [Math.min(...column), Math.max(...column)];
    return column.map((loss) => (((loss - low) / (high - low || 1)) * (draws[k] as number)) / sum);
  });
  return Float64Array.from(told, (_, i) => {
    const weighted = scaled.map((column) => column[i] as number);
    return Math.max(...weighted) + 0.05 * weighted.reduce((total, one) => total + one, 0);
  });
}

interface Standardized {
  readonly values: Float64Array;
  readonly mean: number;
  readonly deviation: number;
}

function standardized(values: Float64Array): Standardized {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const deviation = Math.sqrt(variance) || 1;
  return { values: values.map((value) => (value - mean) / deviation), mean, deviation };
}

function surrogateOf(
  points: Points,
  losses: Float64Array,
  told: readonly Told[],
  running: readonly Float64Array[],
  related: Related,
): Surrogate {
  const { values } = standardized(losses);
  const kept = values.filter((_, i) => violation(told[i] as Told) === 0);
  const count = Math.max(0, ...told.map(({ violations }) => violations.length));
  const constraints = Array.from({ length: count }, (_, c) => {
    const measured = told.flatMap(({ violations }, i) => (Number.isFinite(violations[c] ?? NaN) ? [i] : []));
    const column = standardized(Float64Array.from(measured, (i) => told[i]?.violations[c] as number));
    const own = subset(points, measured);
    return { process: fitted(own, column.values), limit: -column.mean / column.deviation };
  });
  return {
    loss: lossProcess(points, values, running, related),
    best: kept.length === 0 ? undefined : Math.min(...kept),
    constraints,
  };
}

interface Results {
  readonly points: Points;
  /** Standardized. */
  readonly values: Float64Array;
}

interface Related {
  readonly before: readonly Results[];
  readonly random: Random;
}

/**
 * The process of this study alone, or a rank-weighted ensemble of it and, for each earlier study, of one that has seen both: whose study a
 * point is of is a category like others, so that how alike both studies are is a length scale that the results determine.
 */
function lossProcess(
  points: Points,
  values: Float64Array,
  running: readonly Float64Array[],
  { before, random }: Related,
): Process {
  const alone = fitted(points, values);
  const own = withRunning(alone, points, running, values);
  if (before.length === 0) return own;
  const joint = before.map((results) => {
    const both = joined({ points, values }, results);
    const process = fitted(both.points, both.values);
    const more = running.map((x) => Float64Array.of(...x, 0));
    return {
      leftOut: process.leaveOneOut.slice(0, points.count),
      process: withRunning(process, both.points, more, both.values),
    };
  });
  const weights = rankWeights([...joint.map(({ leftOut }) => leftOut), alone.leaveOneOut], values, random);
  const members = [...joint.map(({ process }) => new OwnStudy(process)), own];
  return new Ensemble(members.map((process, i) => ({ process, weight: weights[i] ?? 0 })));
}

/** This study's results, 0 in a further coordinate, and after them those of another one, with 1. */
function joined(own: Results, other: Results): Results {
  const d = own.points.categorical.length;
  const data = new Float64Array((own.points.count + other.points.count) * (d + 1));
  [own, other].forEach(({ points }, study) => {
    for (let i = 0; i < points.count; i++) {
      const at = (i + study * own.points.count) * (d + 1);
      data.set(points.data.subarray(i * d, (i + 1) * d), at);
      data[at + d] = study;
    }
  });
  const points = { data, count: own.points.count + other.points.count, categorical: [...own.points.categorical, true] };
  return { points, values: Float64Array.of(...own.values, ...other.values) };
}

/** Of an earlier study, at most: the best half as many, and the rest evenly. */
const EARLIER_TRIALS = 80;

function earlierResults(parameters: readonly Parameter[], { trials }: Earlier): Results {
  const losses = standardized(Float64Array.from(trials, ({ loss }) => loss)).values;
  const values = standardized(powerTransform(losses)).values;
  const rows = bestAndSpread(values, EARLIER_TRIALS);
  return {
    points: subset(pointsOf(parameters, trials), rows),
    values: Float64Array.from(rows, (i) => values[i] as number),
  };
}

function subset({ data, categorical }: Points, rows: readonly number[]): Points {
  const d = categorical.length;
  const chosen = new Float64Array(rows.length * d);
  rows.forEach((row, i) => chosen.set(data.subarray(row * d, (row + 1) * d), i * d));
  return { data: chosen, count: rows.length, categorical };
}

function fitted(points: Points, values: Float64Array): GaussianProcess {
  return new GaussianProcess(points, values, kernelOf(points, values));
}

function kernelOf(points: Points, values: Float64Array): KernelParameters {
  if (points.count <= FIT_TRIALS) return fitKernel(points, values);
  const rows = bestAndSpread(values, FIT_TRIALS);
  return fitKernel(
    subset(points, rows),
    Float64Array.from(rows, (i) => values[i] as number),
    30,
  );
}

/** Of more values than are wanted the best half as many, and the rest evenly by the order in which they came. */
function bestAndSpread(values: Float64Array, most: number): readonly number[] {
  const all = Array.from(values.keys());
  if (values.length <= most) return all;
  const order = all.sort((a, b) => (values[a] as number) - (values[b] as number));
  const half = most / 2;
  const rest = order.slice(half).sort((a, b) => a - b);
  const spread = Array.from({ length: half }, (_, i) => rest[Math.floor((i * rest.length) / half)] as number);
  return [...order.slice(0, half), ...spread].sort((a, b) => a - b);
}

/** Trials that run count with the loss that is expected of them. */
function withRunning(
  process: GaussianProcess,
  points: Points,
  running: readonly Float64Array[],
  values: Float64Array,
): GaussianProcess {
  const complete = running.filter((x) => !x.some(Number.isNaN));
  if (complete.length === 0) return process;
  const d = points.categorical.length;
  const data = new Float64Array((points.count + complete.length) * d);
  data.set(points.data);
  complete.forEach((x, i) => data.set(x, (points.count + i) * d));
  const all = Float64Array.from([...values, ...complete.map((x) => process.posterior(x).mean)]);
  return new GaussianProcess({ ...points, data, count: points.count + complete.length }, all, process.parameters);
}

/** Points of Sobol's sequence: fewer where there are many trials, so that they take about as long. */
function candidatesFor(
  parameters: readonly Parameter[],
  n: number,
  random: Random,
  scramble: { readonly seed: number; readonly number: number },
): readonly Float64Array[] {
  const count = 2 ** Math.min(11, Math.max(7, Math.floor(Math.log2(1.2e7 / ((n * n) / 2 + 60 * n)))));
  const sequence = new SobolSequence(Math.min(parameters.length, MOST_DIMENSIONS), {
    seed: scramble.seed,
    number: scramble.number + 1,
  });
  return Array.from({ length: count }, (_, i) => {
    const point = sequence.point(i);
    return at(parameters, (k) => point[k] ?? random.uniform());
  });
}

/** The best trial that keeps the constraints, or keeps them best. */
function incumbent(parameters: readonly Parameter[], told: readonly Told[], losses: Float64Array): Float64Array {
  const rank = (i: number): number => violation(told[i] as Told) * 1e6 + (losses[i] as number);
  const best = [...told.keys()].reduce((a, b) => (rank(b) < rank(a) ? b : a));
  return encode(parameters, (told[best] as Told).values);
}

const at = (parameters: readonly Parameter[], unit: (k: number) => number): Float64Array =>
  snapped(
    parameters,
    Float64Array.from(parameters, (parameter, k) =>
      isNumeric(parameter) ? unit(k) : Math.min(levels(parameter) - 1, Math.floor(unit(k) * levels(parameter))),
    ),
  );
