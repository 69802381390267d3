/** First values of weights, drawn on the host from a stream named after the weight. */
import { checkOptions, numberIn, OptionError } from "../errors.js";
import { type Key, normalAt, uniformAt } from "../tensor/random.js";
import { type Shape, sizeOf } from "../tensor/shape.js";

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

/** Variance scale/fan, uniform or (truncated) normal. Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998. */
function varianceScaling(scale: number, mode: "in" | "average", kind: "uniform" | "normal"): Initializer {
  return (shape, key) => {
    const { fanIn, fanOut } = fans(shape);
    const variance = scale / Math.max(1, mode === "in" ? fanIn : (fanIn + fanOut) / 2);
    if (kind === "uniform") {
      const limit = Math.sqrt(3 * variance);
      return fill(shape, (i) => limit * (2 * uniformAt(key, i) - 1));
    }
    // The truncation at two deviations shrinks the deviation by this factor.
    const stddev = Math.sqrt(variance) / 0.87962566103423978;
    return fill(shape, (i) => stddev * truncatedAt(key, i));
  };
}

/** Uniform within ±√(6/(fanIn + fanOut)). Glorot and Bengio 2010. */
export const glorotUniform: Initializer = varianceScaling(1, "average", "uniform");
export const glorotNormal: Initializer = varianceScaling(1, "average", "normal");
export const heUniform: Initializer = varianceScaling(2, "in", "uniform");
export const heNormal: Initializer = varianceScaling(2, "in", "normal");
export const lecunUniform: Initializer = varianceScaling(1, "in", "uniform");
export const lecunNormal: Initializer = varianceScaling(1, "in", "normal");

const NAMED = {
  zeros,
  ones,
  uniform: uniform(),
  normal: normal(),
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
