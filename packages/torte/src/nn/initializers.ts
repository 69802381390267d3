/** First values of weights, drawn on the host from a stream named after the weight. */
import { booleanOption, checkOptions, numberIn, oneOf, seedOption, ShapeError } from "../errors.js";
import { type Key, mixKey, normalAt, uniformAt } from "../tensor/random.js";
import { formatShape, lastOf, type Shape, sizeAt, sizeOf } from "../tensor/shape.js";
import { made, readNamed } from "./factories.js";

/** Fills an array of `shape` from the random stream `key`. */
export type Initializer = (shape: Shape, key: Key) => Float32Array;
/** An initializer, or its name. */
export type InitializerOption = Initializer | keyof typeof INITIALIZERS;

/** Connections into and out of one unit; for convolutions the taps count in both. */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length < 2) return { fanIn: shape[0] ?? 1, fanOut: shape[0] ?? 1 };
  const taps = sizeOf(shape.slice(0, -2));
  return { fanIn: taps * sizeAt(shape, shape.length - 2), fanOut: taps * lastOf(shape) };
}

const fill = (shape: Shape, value: (i: number) => number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(i));

/** The seed of a random initializer. */
export interface SeedOption {
  /** Numbers of its own, whatever the model's seed and the weight's name. Default: drawn from those. */
  readonly seed?: number;
}

/** The initializer, remembered as made by the factory; with a seed, its numbers come from that. */
function drawn(name: string, options: object, fill_: Initializer, settled: object = {}): Initializer {
  const { seed }: { readonly seed?: unknown } = options;
  const own = seed === undefined ? undefined : mixKey(seedOption(name, seed), 0, 0);
  return made(`initializers.${name}`, (shape, key) => fill_(shape, own ?? key), options, { ...options, ...settled });
}

/** The same number everywhere; `value` is 0 by default. */
export function constant(options: { readonly value?: number } = {}): Initializer {
  checkOptions("constant", options, ["value"]);
  const value = numberIn("constant", "value", options.value ?? 0);
  return drawn("constant", options, (shape) => fill(shape, () => value), { value });
}

/** 0 everywhere. */
export const zeros = (): Initializer => made("initializers.zeros", (shape) => fill(shape, () => 0));
/** 1 everywhere. */
export const ones = (): Initializer => made("initializers.ones", (shape) => fill(shape, () => 1));

/** Options of {@link randomUniform}. */
export interface RandomUniformOptions extends SeedOption {
  /** Default −0.05. */
  readonly minval?: number;
  /** At least minval. Default 0.05. */
  readonly maxval?: number;
}

/** Uniform in [minval, maxval). */
export function randomUniform(options: RandomUniformOptions = {}): Initializer {
  checkOptions("randomUniform", options, ["minval", "maxval", "seed"]);
  const min = numberIn("randomUniform", "minval", options.minval ?? -0.05);
  const max = numberIn("randomUniform", "maxval", options.maxval ?? 0.05, { min });
  return drawn("randomUniform", options, (shape, key) => fill(shape, (i) => min + (max - min) * uniformAt(key, i)), {
    minval: min,
    maxval: max,
  });
}

/** Options of {@link randomNormal}. */
export interface RandomNormalOptions extends SeedOption {
  /** Default 0. */
  readonly mean?: number;
  /** Standard deviation, at least 0. Default 0.05. */
  readonly stddev?: number;
}

function normalDraws(name: string, options: RandomNormalOptions, draw: (key: Key, i: number) => number): Initializer {
  checkOptions(name, options, ["mean", "stddev", "seed"]);
  const mean = numberIn(name, "mean", options.mean ?? 0);
  const stddev = numberIn(name, "stddev", options.stddev ?? 0.05, { min: 0 });
  return drawn(name, options, (shape, key) => fill(shape, (i) => mean + stddev * draw(key, i)), { mean, stddev });
}

/** Normal numbers. */
export const randomNormal = (options: RandomNormalOptions = {}): Initializer =>
  normalDraws("randomNormal", options, normalAt);

/** Normal, with draws beyond two standard deviations made again. */
function truncatedAt(key: Key, i: number): number {
  for (let attempt = 0; ; attempt++) {
    const draw = normalAt([key[0], (key[1] + attempt) | 0], i);
    if (Math.abs(draw) <= 2) return draw;
  }
}

/** Normal numbers, draws beyond two standard deviations made again. */
export const truncatedNormal = (options: RandomNormalOptions = {}): Initializer =>
  normalDraws("truncatedNormal", options, truncatedAt);

/** Options of {@link varianceScaling}. */
export interface VarianceScalingOptions extends SeedOption {
  /** Factor of the variance, above 0. Default 1. */
  readonly scale?: number;
  /** What the variance is divided by. Default "fanIn". */
  readonly mode?: "fanIn" | "fanOut" | "fanAvg";
  /** Default "truncatedNormal". */
  readonly distribution?: "truncatedNormal" | "untruncatedNormal" | "uniform";
}

/** The truncation at two deviations shrinks the deviation by this factor. */
const TRUNCATED = 0.87962566103423978;

/** Variance scale/fan, where fan counts connections: a convolution's taps times its channels or filters. */
export function varianceScaling(options: VarianceScalingOptions = {}): Initializer {
  checkOptions("varianceScaling", options, ["scale", "mode", "distribution", "seed"]);
  return scaled("varianceScaling", options, options);
}

function scaled(name: string, given: SeedOption, options: VarianceScalingOptions): Initializer {
  const scale = numberIn(name, "scale", options.scale ?? 1, { above: 0 });
  const mode = oneOf(name, "mode", options.mode ?? "fanIn", ["fanIn", "fanOut", "fanAvg"]);
  const distribution = oneOf(name, "distribution", options.distribution ?? "truncatedNormal", [
    "truncatedNormal",
    "untruncatedNormal",
    "uniform",
  ]);
  const values: Initializer = (shape, key) => {
    const { fanIn, fanOut } = fans(shape);
    const fan = { fanIn, fanOut, fanAvg: (fanIn + fanOut) / 2 }[mode];
    const stddev = Math.sqrt(scale / Math.max(1, fan));
    if (distribution === "uniform") return fill(shape, (i) => Math.sqrt(3) * stddev * (2 * uniformAt(key, i) - 1));
    if (distribution === "untruncatedNormal") return fill(shape, (i) => stddev * normalAt(key, i));
    return fill(shape, (i) => (stddev / TRUNCATED) * truncatedAt(key, i));
  };
  return drawn(name, given, values, given === options ? { scale, mode, distribution } : {});
}

/** One of the settings of varianceScaling that have a name. */
const setting =
  (name: string, fixed: VarianceScalingOptions) =>
  (options: SeedOption = {}): Initializer => {
    checkOptions(name, options, ["seed"]);
    return scaled(name, options, fixed);
  };

/** Uniform within ±√(6/(fanIn + fanOut)). Glorot and Bengio 2010. */
export const glorotUniform = setting("glorotUniform", { mode: "fanAvg", distribution: "uniform" });
/** Truncated normal of variance 2/(fanIn + fanOut). Glorot and Bengio 2010. */
export const glorotNormal = setting("glorotNormal", { mode: "fanAvg" });
/** Uniform within ±√(6/fanIn). He et al. 2015. */
export const heUniform = setting("heUniform", { scale: 2, distribution: "uniform" });
/** Truncated normal of variance 2/fanIn. He et al. 2015. */
export const heNormal = setting("heNormal", { scale: 2 });
/** Uniform within ±√(3/fanIn). LeCun et al. 1998. */
export const lecunUniform = setting("lecunUniform", { distribution: "uniform" });
/** Truncated normal of variance 1/fanIn. LeCun et al. 1998. */
export const lecunNormal = setting("lecunNormal", {});

/** The unit matrix times `gain` (default 1), for weights of two axes. */
export function identity(options: { readonly gain?: number } = {}): Initializer {
  checkOptions("identity", options, ["gain"]);
  const gain = numberIn("identity", "gain", options.gain ?? 1);
  return drawn(
    "identity",
    options,
    (shape) => {
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
    },
    { gain },
  );
}

/**
 * A matrix with orthonormal rows or columns, whichever are fewer, times `gain` (default 1); axes before the last count as
 * one. Saxe et al. 2014.
 */
export function orthogonal(options: SeedOption & { readonly gain?: number } = {}): Initializer {
  checkOptions("orthogonal", options, ["gain", "seed"]);
  const gain = numberIn("orthogonal", "gain", options.gain ?? 1);
  return drawn(
    "orthogonal",
    options,
    (shape, key) => {
      const columns = lastOf(shape);
      const rows = sizeOf(shape) / columns;
      const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
      const vectors = orthonormal(
        Array.from({ length: count }, (_, v) =>
          Float64Array.from({ length }, (__, i) => normalAt(key, v * length + i)),
        ),
      );
      const at = (row: number, column: number): number =>
        (rows <= columns ? vectors[row]?.[column] : vectors[column]?.[row]) ?? 0;
      return fill(shape, (i) => gain * at(Math.floor(i / columns), i % columns));
    },
    { gain },
  );
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

/** Options of {@link stft}. */
export interface StftOptions {
  /** Cosines or (negative) sines. Default "real". */
  readonly side?: "real" | "imag";
  /** What the waves are weighed with: a raised cosine that falls to 0 ("hann") or to 0.08 ("hamming"), or nothing. Default "hann". */
  readonly window?: "hann" | "hamming" | "none";
  /** The window is divided by √Σw² ("density") or Σ|w| ("spectrum"). Default "density". */
  readonly scaling?: "density" | "spectrum" | "none";
  /** The window's period is its length, not one less. Default false. */
  readonly periodic?: boolean;
}

/** Waves of frequencies 0 … F − 1 times 1/(2F − 2), windowed: as the kernel (T, 1, F) of conv1d, a short-time Fourier transform. */
export function stft(options: StftOptions = {}): Initializer {
  checkOptions("stft", options, ["side", "window", "scaling", "periodic"]);
  const side = oneOf("stft", "side", options.side ?? "real", ["real", "imag"]);
  const window = oneOf("stft", "window", options.window ?? "hann", ["hann", "hamming", "none"]);
  const scaling = oneOf("stft", "scaling", options.scaling ?? "density", ["density", "spectrum", "none"]);
  const periodic = booleanOption("stft", "periodic", options.periodic ?? false);
  const height = { hann: 0.5, hamming: 0.54, none: 1 }[window];
  return drawn("stft", options, (shape) => {
    const [length = 1, channels, bands = 1] = shape;
    if (shape.length !== 3 || channels !== 1) {
      const expected = "(length, 1, bands), the kernel of a conv1d over one channel";
      throw new ShapeError({ where: "stft", problem: "wrong shape", expected, received: formatShape(shape) });
    }
    const period = Math.max(1, periodic ? length : length - 1);
    const weights = Array.from({ length }, (_, t) =>
      length === 1 ? 1 : height - (1 - height) * Math.cos((2 * Math.PI * t) / period),
    );
    const sums = {
      density: Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0)),
      spectrum: weights.reduce((sum, w) => sum + Math.abs(w), 0),
      none: 1,
    };
    const size = window === "none" ? 1 : sums[scaling];
    const wave = side === "real" ? Math.cos : Math.sin;
    return fill(shape, (i) => {
      const [t, band] = [Math.floor(i / bands), i % bands];
      return (wave((-2 * Math.PI * t * band) / Math.max(1, 2 * (bands - 1))) * (weights[t] ?? 0)) / size;
    });
  });
}

/** By name; "uniform" and "normal" are Keras's short names. */
export const INITIALIZERS = {
  constant,
  zeros,
  ones,
  identity,
  randomUniform,
  uniform: randomUniform,
  randomNormal,
  normal: randomNormal,
  truncatedNormal,
  varianceScaling,
  glorotUniform,
  glorotNormal,
  heUniform,
  heNormal,
  lecunUniform,
  lecunNormal,
  orthogonal,
  stft,
};

/**
 * The initializer that an option means.
 *
 * @throws OptionError for an unknown name.
 */
export const readInitializer = (where: string, name: string, option: InitializerOption): Initializer =>
  readNamed(where, name, option, INITIALIZERS);
