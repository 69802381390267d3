/** Layers that rearrange, repeat, pad and crop. */
import { checkOptions, oneOf, OptionError, positiveInteger, ShapeError, show, wholeNumber } from "../../errors.js";
import { iota } from "../../graph/make.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { formatShape, sizeAt, sizeOf } from "../../tensor/shape.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction, refuseMask } from "../layer.js";
import { checkRank } from "../axes.js";
import { masked } from "../masks.js";
import { type PerAxis, perAxis } from "../windows.js";

/**
 * All axes but the batch made one. Ends a mask; its zeros stay.
 *
 * @example
 * import { flatten, input } from "torte";
 * const y = flatten()(input({ shape: [10, 16] }));
 * console.log(y.shape); // [null, 160]
 */
export function flatten(options: CommonOptions = {}): LayerFunction {
  checkOptions("flatten", options, COMMON);
  return layerFunction({
    kind: "flatten",
    options,
    endsMask: true,
    integers: "accept",
    call: (inputs) => {
      const { value } = inputAt(inputs);
      return { value: ops.reshape(value, [sizeAt(value.shape, 0), sizeOf(value.shape.slice(1))]) };
    },
  });
}

/** Options of {@link reshape}. */
export interface ReshapeOptions extends CommonOptions {
  /** Shape of the result without the batch; one size may be −1. */
  readonly targetShape: readonly number[];
}

/**
 * The same values in another shape. Ends a mask; its zeros stay.
 *
 * @throws OptionError for a shape that is none; ShapeError where it does not hold the input's values.
 * @example
 * import { input, reshape } from "torte";
 * const x = input({ shape: [12] });
 * console.log(reshape({ targetShape: [4, -1] })(x).shape); // [null, 4, 3]
 */
export function reshape(options: ReshapeOptions): LayerFunction {
  checkOptions("reshape", options, [...COMMON, "targetShape"]);
  const given: unknown = options.targetShape;
  const sizes =
    Array.isArray(given) && given.every((n: unknown) => n === -1 || (Number.isInteger(n) && Number(n) >= 1));
  if (!sizes || given.filter((n: unknown) => n === -1).length > 1) {
    throw new OptionError({
      where: "reshape",
      problem: "targetShape has the wrong form",
      expected: "a list of sizes of at least 1, one of which may be -1",
      received: show(given),
    });
  }
  return layerFunction({
    kind: "reshape",
    options,
    endsMask: true,
    integers: "accept",
    call: (inputs, scope) => {
      const { value } = inputAt(inputs);
      const size = sizeOf(value.shape.slice(1));
      const known = options.targetShape.reduce((product, n) => (n === -1 ? product : product * n), 1);
      const shape = options.targetShape.map((n) => (n === -1 ? size / known : n));
      if (sizeOf(shape) !== size || shape.some((n) => !Number.isInteger(n) || n < 1)) {
        const [expected, received] = [`${size} values`, formatShape(options.targetShape)];
        throw new ShapeError({ where: scope.where, problem: "targetShape does not fit", expected, received });
      }
      return { value: ops.reshape(value, [sizeAt(value.shape, 0), ...shape]) };
    },
  });
}

/** Options of {@link permute}. */
export interface PermuteOptions extends CommonOptions {
  /** The axes of the input in their new order, counted from 1 (the batch is 0 and stays). */
  readonly dims: readonly number[];
}

/**
 * The axes in another order. A mask is carried on where axis 1 stays the first.
 *
 * @throws OptionError where dims is no order of the axes; MaskError for a mask over an axis that moves.
 * @example
 * import { input, permute } from "torte";
 * console.log(permute({ dims: [2, 1] })(input({ shape: [10, 64] })).shape); // [null, 64, 10]
 */
export function permute(options: PermuteOptions): LayerFunction {
  checkOptions("permute", options, [...COMMON, "dims"]);
  return layerFunction({
    kind: "permute",
    options,
    integers: "accept",
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const axes = value.shape.slice(1).map((_, i) => i + 1);
      const dims: unknown = options.dims;
      if (!Array.isArray(dims) || dims.length !== axes.length || axes.some((axis) => !dims.includes(axis))) {
        throw new OptionError({
          where: scope.where,
          problem: "dims is no order of the axes",
          expected: `the numbers 1…${axes.length}, each once`,
          received: show(dims),
        });
      }
      if (options.dims[0] !== 1) refuseMask(scope, inputs);
      const permuted = ops.transpose(value, [0, ...options.dims]);
      return mask === undefined ? { value: permuted } : { value: permuted, mask };
    },
  });
}

/**
 * The input n times, one after the other: (features) becomes (n, features).
 *
 * @throws OptionError for n below 1.
 * @example
 * import { input, repeatVector } from "torte";
 * console.log(repeatVector({ n: 3 })(input({ shape: [32] })).shape); // [null, 3, 32]
 */
export function repeatVector(options: CommonOptions & { readonly n: number }): LayerFunction {
  checkOptions("repeatVector", options, [...COMMON, "n"]);
  const n = positiveInteger("repeatVector", "n", options.n);
  return layerFunction({
    kind: "repeatVector",
    options,
    call: (inputs, scope) => {
      refuseMask(scope, inputs);
      const { value } = inputAt(inputs);
      const [batch = 1, ...rest] = value.shape;
      if (rest.length !== 1) {
        const received = formatShape([null, ...rest]);
        throw new ShapeError({
          where: scope.where,
          problem: "wrong number of axes",
          expected: "(batch, features)",
          received,
        });
      }
      return { value: ops.broadcastTo(ops.expandDims(value, 1), [batch, n, ...rest]) };
    },
  });
}

/** Before and after each axis: one number for all, one for each axis, or a pair for each axis. */
export type Margins = number | readonly (number | readonly [number, number])[];

function readMargins(where: string, name: string, rank: number, margins: Margins): (readonly [number, number])[] {
  const fail = (): never => {
    const expected = `a number, or ${rank === 1 ? "a pair" : `${rank} numbers or pairs`}`;
    throw new OptionError({ where, problem: `${name} has the wrong form`, expected, received: show(margins) });
  };
  if (typeof margins !== "number" && !Array.isArray(margins)) return fail();
  const list: readonly (number | readonly [number, number])[] =
    typeof margins === "number" ? Array<number>(rank).fill(margins) : margins;
  // One axis may be given as its plain pair.
  const [before, after] = list;
  const pairs =
    rank === 1 && list.length === 2 && typeof before === "number" && typeof after === "number"
      ? [[before, after] as const]
      : list;
  if (pairs.length !== rank) return fail();
  return pairs.map((pair) => {
    const [low, high] = typeof pair === "number" ? [pair, pair] : pair;
    return [wholeNumber(where, name, low), wholeNumber(where, name, high)];
  });
}

/** Options of zero padding. */
export interface ZeroPaddingOptions extends CommonOptions {
  /** Positions of zeros around each axis. Default 1. */
  readonly padding?: Margins;
}

function zeroPadding(rank: number, options: ZeroPaddingOptions): LayerFunction {
  const kind = `zeroPadding${rank}d`;
  checkOptions(kind, options, [...COMMON, "padding"]);
  const margins = readMargins(kind, "padding", rank, options.padding ?? 1);
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      checkRank(scope.where, value, rank);
      const padded = ops.pad(value, [[0, 0], ...margins, [0, 0]]);
      if (mask === undefined) return { value: padded };
      // The zeros belong to the sequence: they follow its last valid position.
      const reach = (margins[0]?.[0] ?? 0) + (margins[0]?.[1] ?? 0);
      const wide = ops.pad(ops.cast(mask, "int32"), [
        [0, 0],
        [reach, reach],
      ]);
      const near = ops.max(ops.windows(wide, { axis: 1, size: [reach + 1], stride: [1], dilation: [1] }), {
        axes: [2],
      });
      return { value: padded, mask: ops.less(0, near) };
    },
  });
}

/**
 * Zeros before and after a sequence. Input (length, channels), output (before + length + after, channels). With a mask the
 * zeros behind follow the last valid position.
 *
 * @throws OptionError for margins that are no whole numbers.
 * @example
 * import { input, zeroPadding1d } from "torte";
 * console.log(zeroPadding1d({ padding: [2, 3] })(input({ shape: [10, 4] })).shape); // [null, 15, 4]
 */
export const zeroPadding1d = (options: ZeroPaddingOptions = {}): LayerFunction => zeroPadding(1, options);
/** Around images; otherwise as zeroPadding1d. */
export const zeroPadding2d = (options: ZeroPaddingOptions = {}): LayerFunction => zeroPadding(2, options);
/** Around volumes; otherwise as zeroPadding1d. */
export const zeroPadding3d = (options: ZeroPaddingOptions = {}): LayerFunction => zeroPadding(3, options);

/** Options of cropping. */
export interface CroppingOptions extends CommonOptions {
  /** Positions cut away around each axis. Default 1, as in Keras; of images 0. */
  readonly cropping?: Margins;
}

function cropping(rank: number, options: CroppingOptions): LayerFunction {
  const kind = `cropping${rank}d`;
  checkOptions(kind, options, [...COMMON, "cropping"]);
  const margins = readMargins(kind, "cropping", rank, options.cropping ?? (rank === 2 ? 0 : 1));
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      checkRank(scope.where, value, rank);
      const left = margins.map(([low, high], i) => sizeAt(value.shape, i + 1) - low - high);
      if (left.some((n) => n < 1)) {
        throw new ShapeError({
          where: scope.where,
          problem: "cropping leaves nothing",
          expected: `more than ${margins.map(([low, high]) => low + high).join(", ")} positions`,
          received: formatShape(value.shape.slice(1, -1)),
        });
      }
      const cropped = margins.reduce((x, [low], i) => ops.slice(x, i + 1, low, low + sizeAt(left, i)), value);
      if (mask === undefined) return { value: cropped };
      // What is cut from the end is the end of the sequence, not of its padding.
      const reach = (margins[0]?.[0] ?? 0) + (margins[0]?.[1] ?? 0);
      const inside = ops.all(ops.windows(mask, { axis: 1, size: [reach + 1], stride: [1], dilation: [1] }), {
        axes: [2],
      });
      return masked(cropped, inside);
    },
  });
}

/**
 * Cuts positions from both ends of a sequence. Input (length, channels), output (length − before − after, channels). With a
 * mask the end is that of the valid positions.
 *
 * @throws OptionError for margins that are no whole numbers; ShapeError where nothing is left.
 * @example
 * import { cropping1d, input } from "torte";
 * console.log(cropping1d({ cropping: [2, 3] })(input({ shape: [10, 4] })).shape); // [null, 5, 4]
 */
export const cropping1d = (options: CroppingOptions = {}): LayerFunction => cropping(1, options);
/** Of images; otherwise as cropping1d. */
export const cropping2d = (options: CroppingOptions = {}): LayerFunction => cropping(2, options);
/** Of volumes; otherwise as cropping1d. */
export const cropping3d = (options: CroppingOptions = {}): LayerFunction => cropping(3, options);

/** Options of up-sampling. */
export interface UpSamplingOptions extends CommonOptions {
  /** How often each position is repeated along each axis. Default 2. */
  readonly size?: PerAxis;
  /** "bilinear" interpolates between positions, each at the middle of its repeats. Default "nearest". */
  readonly interpolation?: "nearest" | "bilinear";
}

/** Each element of the axis `times` times. */
function repeat(x: Node, axis: number, times: number): Node {
  const wide = ops.expandDims(x, axis + 1);
  const shape = [...x.shape.slice(0, axis + 1), times, ...x.shape.slice(axis + 1)];
  return ops.reshape(
    ops.broadcastTo(wide, shape),
    x.shape.map((n, i) => (i === axis ? n * times : n)),
  );
}

/** Linear interpolation along an axis, as a product with the matrix max(0, 1 − |source − j|). */
function interpolate(x: Node, axis: number, times: number): Node {
  const n = sizeAt(x.shape, axis);
  const shape = [n * times, n];
  const place = ops.cast(iota(shape, 0), "float32");
  const source = ops.clip(ops.add(ops.mul(place, 1 / times), 0.5 / times - 0.5), 0, n - 1);
  const weights = ops.maximum(ops.sub(1, ops.abs(ops.sub(source, ops.cast(iota(shape, 1), "float32")))), 0);
  const labels = [..."abcdef"].slice(0, x.shape.length);
  const from = labels.join("");
  const to = labels.map((label, i) => (i === axis ? "y" : label)).join("");
  return ops.einsum(`${from},y${labels[axis] ?? ""}->${to}`, x, ops.stopGradient(weights));
}

function upSampling(rank: number, options: UpSamplingOptions): LayerFunction {
  const kind = `upSampling${rank}d`;
  checkOptions(kind, options, [...COMMON, "size", "interpolation"]);
  const size = perAxis(kind, "size", rank, options.size ?? 2);
  const interpolation = oneOf(kind, "interpolation", options.interpolation ?? "nearest", ["nearest", "bilinear"]);
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      checkRank(scope.where, value, rank);
      // Interpolation would mix the last valid position with the padding behind it.
      if (interpolation === "bilinear") refuseMask(scope, inputs);
      const wider = interpolation === "nearest" ? repeat : interpolate;
      const result = size.reduce((x, times, i) => (times === 1 ? x : wider(x, i + 1, times)), value);
      return mask === undefined ? { value: result } : { value: result, mask: repeat(mask, 1, sizeAt(size, 0)) };
    },
  });
}

/**
 * Repeats each position. Input (length, channels), output (length·size, channels); a mask is repeated, too.
 *
 * @throws OptionError for sizes below 1.
 * @example
 * import { input, upSampling1d } from "torte";
 * console.log(upSampling1d({ size: 3 })(input({ shape: [10, 4] })).shape); // [null, 30, 4]
 */
export const upSampling1d = (options: UpSamplingOptions = {}): LayerFunction => upSampling(1, options);
/** Of images; otherwise as upSampling1d. */
export const upSampling2d = (options: UpSamplingOptions = {}): LayerFunction => upSampling(2, options);
/** Of volumes; otherwise as upSampling1d. */
export const upSampling3d = (options: UpSamplingOptions = {}): LayerFunction => upSampling(3, options);
