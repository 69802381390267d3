/** First values of weights, drawn on the host from a stream named after the weight. */
import { checkOptions, numberIn, oneOf, OptionError, ShapeError } from "../errors.js";
import { type Key, normalAt, uniformAt } from "../tensor/random.js";
import { formatShape, type Shape, sizeOf } from "../tensor/shape.js";

/** Fills an array of `shape` from the random stream `key`. */
export type Initializer = (shape: Shape, key: Key) => Float32Array;
export type InitializerOption = Initializer | keyof typeof NAMED;

/** Connections into and out of one unit; for convolutions the taps count in both. */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length < 2) return { fanIn: shape[0] ?? 1, fanOut: shape[0] ?? 1 };
  const taps = sizeOf(shape.slice(0, -2));
  return { fanIn: taps * (shape.at(-2) ?? 1), fanOut: taps * (shape.at(-1) ?? 1) };
}

const fill = (shape: Shape, value: (i: number) => number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(i));

export const constantInitializer =
  (value: number): Initializer =>
  (shape) =>
    fill(shape, () => value);
export const zeros: Initializer = constantInitializer(0);
export const ones: Initializer = constantInitializer(1);

/** Uniform in [min, max); defaults −0.05 and 0.05. */
export function uniform(options: { min?: number; max?: number } = {}): Initializer {
  checkOptions("uniform", options, ["min", "max"]);
  const min = numberIn("uniform", "min", options.min ?? -0.05);
  const max = numberIn("uniform", "max", options.max ?? 0.05, { min });
  return (shape, key) => fill(shape, (i) => min + (max - min) * uniformAt(key, i));
}

/** Normal with mean 0 and standard deviation 0.05 by default. */
export function normal(options: { mean?: number; stddev?: number } = {}): Initializer {
  checkOptions("normal", options, ["mean", "stddev"]);
  const mean = numberIn("normal", "mean", options.mean ?? 0);
  const stddev = numberIn("normal", "stddev", options.stddev ?? 0.05, { min: 0 });
  return (shape, key) => fill(shape, (i) => mean + stddev * normalAt(key, i));
}

/** Normal, with draws beyond two standard deviations made again. */
function truncatedAt(key: Key, i: number): number {
  for (let attempt = 0; ; attempt++) {
    const draw = normalAt([key[0], (key[1] + attempt) | 0], i);
    if (Math.abs(draw) <= 2) return draw;
  }
}

/** Normal, with draws beyond two standard deviations made again; defaults as for normal. */
export function truncatedNormal(options: { mean?: number; stddev?: number } = {}): Initializer {
  checkOptions("truncatedNormal", options, ["mean", "stddev"]);
  const mean = numberIn("truncatedNormal", "mean", options.mean ?? 0);
  const stddev = numberIn("truncatedNormal", "stddev", options.stddev ?? 0.05, { min: 0 });
  return (shape, key) => fill(shape, (i) => mean + stddev * truncatedAt(key, i));
}

export interface VarianceScalingOptions {
  /** Factor of the variance, above 0. Default 1. */
  readonly scale?: number;
  /** What the variance is divided by. Default "fanIn". */
  readonly mode?: "fanIn" | "fanOut" | "fanAvg";
  /** Default "truncatedNormal". */
  readonly distribution?: "truncatedNormal" | "untruncatedNormal" | "uniform";
}

/** The truncation at two deviations shrinks the deviation by this factor. */
const TRUNCATED = 0.87962566103423978;

/** Variance scale/fan. Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998. */
export function varianceScaling(options: VarianceScalingOptions = {}): Initializer {
  checkOptions("varianceScaling", options, ["scale", "mode", "distribution"]);
  const scale = numberIn("varianceScaling", "scale", options.scale ?? 1, { above: 0 });
  const mode = oneOf("varianceScaling", "mode", options.mode ?? "fanIn", ["fanIn", "fanOut", "fanAvg"]);
  const distribution = oneOf("varianceScaling", "distribution", options.distribution ?? "truncatedNormal", [
    "truncatedNormal",
    "untruncatedNormal",
    "uniform",
  ]);
  return (shape, key) => {
    const { fanIn, fanOut } = fans(shape);
    const fan = { fanIn, fanOut, fanAvg: (fanIn + fanOut) / 2 }[mode];
    const stddev = Math.sqrt(scale / Math.max(1, fan));
    if (distribution === "uniform") return fill(shape, (i) => Math.sqrt(3) * stddev * (2 * uniformAt(key, i) - 1));
    if (distribution === "untruncatedNormal") return fill(shape, (i) => stddev * normalAt(key, i));
    return fill(shape, (i) => (stddev / TRUNCATED) * truncatedAt(key, i));
  };
}

/** Uniform within ±√(6/(fanIn + fanOut)). Glorot and Bengio 2010. */
export const glorotUniform: Initializer = varianceScaling({ mode: "fanAvg", distribution: "uniform" });
export const glorotNormal: Initializer = varianceScaling({ mode: "fanAvg" });
/** Uniform within ±√(6/fanIn). He et al. 2015. */
export const heUniform: Initializer = varianceScaling({ scale: 2, distribution: "uniform" });
export const heNormal: Initializer = varianceScaling({ scale: 2 });
/** Uniform within ±√(3/fanIn). LeCun et al. 1998. */
export const lecunUniform: Initializer = varianceScaling({ distribution: "uniform" });
export const lecunNormal: Initializer = varianceScaling();

/** The unit matrix times `gain` (default 1), for weights of two axes. */
export function identity(options: { gain?: number } = {}): Initializer {
  checkOptions("identity", options, ["gain"]);
  const gain = numberIn("identity", "gain", options.gain ?? 1);
  return (shape) => {
    const [, columns = 1] = shape;
    if (shape.length !== 2) {
      throw new ShapeError({
        where: "identity",
        problem: "the weight is no matrix",
        expected: "a shape of two axes",
        received: formatShape(shape),
      });
    }
    return fill(shape, (i) => (Math.floor(i / columns) === i % columns ? gain : 0));
  };
}

/**
 * A matrix with orthonormal rows or columns, whichever are fewer, times `gain` (default 1); axes before the last count as
 * one. Saxe et al. 2014.
 */
export function orthogonal(options: { gain?: number } = {}): Initializer {
  checkOptions("orthogonal", options, ["gain"]);
  const gain = numberIn("orthogonal", "gain", options.gain ?? 1);
  return (shape, key) => {
    const columns = shape.at(-1) ?? 1;
    const rows = sizeOf(shape) / columns;
    const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
    const vectors = orthonormal(
      Array.from({ length: count }, (_, v) => Float64Array.from({ length }, (__, i) => normalAt(key, v * length + i))),
    );
    const at = (row: number, column: number): number =>
      (rows <= columns ? vectors[row]?.[column] : vectors[column]?.[row]) ?? 0;
    return fill(shape, (i) => gain * at(Math.floor(i / columns), i % columns));
  };
}

/** Gram and Schmidt, each vector made orthogonal twice, which is enough. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const done: Float64Array[] = [];
  for (const vector of vectors) {
    for (let pass = 0; pass < 2; pass++) {
      for (const other of done) {
        const along = vector.reduce((sum, x, i) => sum + x * (other[i] ?? 0), 0);
        vector.forEach((x, i) => (vector[i] = x - along * (other[i] ?? 0)));
      }
    }
    const norm = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
    done.push(vector.map((x) => x / norm));
  }
  return done;
}

const NAMED = {
  zeros,
  ones,
  uniform: uniform(),
  normal: normal(),
  randomUniform: uniform(),
  randomNormal: normal(),
  truncatedNormal: truncatedNormal(),
  varianceScaling: varianceScaling(),
  identity: identity(),
  orthogonal: orthogonal(),
  glorotUniform,
  glorotNormal,
  heUniform,
  heNormal,
  lecunUniform,
  lecunNormal,
};

export function readInitializer(where: string, name: string, option: InitializerOption): Initializer {
  if (typeof option === "function") return option;
  const found = Object.entries(NAMED).find(([known]) => known === option);
  if (found === undefined) {
    const expected = `a function or one of ${Object.keys(NAMED).join(", ")}`;
    throw new OptionError({ where, problem: `${name} is unknown`, expected, received: JSON.stringify(option) });
  }
  return found[1];
}
