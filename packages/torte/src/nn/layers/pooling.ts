/** Pooling: windows, and whole sequences, reduced to one value. */
import { booleanOption, checkOptions, numberIn, oneOf } from "../../errors.js";
import { constant } from "../../graph/make.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { sizeAt, sizeOf } from "../../tensor/shape.js";
import {
  COMMON,
  type CommonOptions,
  inputAt,
  type LayerFunction,
  layerFunction,
  refuseMask,
  type Traced,
} from "../layer.js";
import { checkRank } from "../axes.js";
import { spreadMask, validCount } from "../masks.js";
import { windowed, type WindowOptions, windowsOf } from "../windows.js";
import { checkSpatial, type PerAxis, perAxis } from "../windows.js";

/** Options of maximum and average pooling. */
export interface PoolingOptions extends CommonOptions {
  /** Positions in a window along each axis. Default 2. */
  readonly poolSize?: PerAxis;
  /** Steps between windows. Default: poolSize. */
  readonly strides?: PerAxis;
  /** "valid" only full windows; "same" ⌈n/stride⌉ positions, padding taking no part. Default "valid". */
  readonly padding?: "valid" | "same";
}

type Pool = (input: Traced, windows: WindowOptions) => Node;

const tapAxes = (rank: number): number[] => Array.from({ length: rank }, (_, i) => 1 + rank + i);

/** Masked positions take no part; a window of nothing but those is masked itself. */
const maxPool: Pool = ({ value, mask, ends }, windows) => {
  const lowered = mask === undefined ? value : ops.where(spreadMask(mask, value.shape.length), value, -Infinity);
  return ops.max(windowsOf(windows.padding === "valid" ? value : lowered, ends, windows, -Infinity), {
    axes: tapAxes(windows.size.length),
  });
};

/** Sum over the inputs that take part, divided by their number. */
const averagePool: Pool = ({ value, mask, ends }, windows) => {
  const axes = tapAxes(windows.size.length);
  const total = ops.sum(windowsOf(value, ends, windows, 0), { axes });
  const taps = windows.size.reduce((product, n) => product * n, 1);
  if (windows.padding === "valid") return ops.mul(total, 1 / taps);
  const present =
    mask === undefined
      ? constant(1, [1, ...value.shape.slice(1, -1), 1])
      : ops.cast(ops.broadcastTo(spreadMask(mask, value.shape.length), [...value.shape.slice(0, -1), 1]), "float32");
  const counted = ops.sum(windowsOf(present, ends, windows, 0), { axes });
  return ops.div(total, ops.maximum(counted, 1));
};

function pooling(name: string, rank: number, options: PoolingOptions, pool: Pool): LayerFunction {
  const kind = `${name}${rank}d`;
  checkOptions(kind, options, [...COMMON, "poolSize", "strides", "padding"]);
  const size = perAxis(kind, "poolSize", rank, options.poolSize ?? 2);
  const windows: WindowOptions = {
    size,
    stride: perAxis(kind, "strides", rank, options.strides ?? size),
    dilation: size.map(() => 1),
    padding: oneOf(kind, "padding", options.padding ?? "valid", ["valid", "same"]),
  };
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const given = inputAt(inputs);
      checkSpatial(scope.where, given.value, rank, windows);
      return windowed(pool(given, windows), given, windows);
    },
  });
}

/**
 * The largest value of each window, channel by channel; of equal ones the first gets the gradient.
 *
 * Input (length, channels), output (positions, channels). A mask is carried on: an output is valid where every tap of its
 * window is ("valid"), or where its input position o·stride is ("same").
 *
 * @throws OptionError for options out of range; ShapeError where the window does not fit.
 * @example
 * import { input, maxPooling1d } from "torte";
 * const y = maxPooling1d({ poolSize: 4 })(input({ shape: [196, 16] }));
 * console.log(y.shape); // [null, 49, 16]
 */
export const maxPooling1d = (options: PoolingOptions = {}): LayerFunction => pooling("maxPooling", 1, options, maxPool);
/** Over images; otherwise as maxPooling1d. */
export const maxPooling2d = (options: PoolingOptions = {}): LayerFunction => pooling("maxPooling", 2, options, maxPool);
/** Over volumes; otherwise as maxPooling1d. */
export const maxPooling3d = (options: PoolingOptions = {}): LayerFunction => pooling("maxPooling", 3, options, maxPool);
/**
 * The mean of each window, channel by channel, over the inputs that take part: padding and masked positions do not.
 *
 * Input (length, channels), output (positions, channels). Masks as in maxPooling1d.
 *
 * @throws OptionError for options out of range; ShapeError where the window does not fit.
 * @example
 * import { averagePooling1d, input } from "torte";
 * const x = input({ shape: [196, 16] });
 * console.log(averagePooling1d({ poolSize: 4 })(x).shape); // [null, 49, 16]
 */
export const averagePooling1d = (options: PoolingOptions = {}): LayerFunction =>
  pooling("averagePooling", 1, options, averagePool);
/** Over images; otherwise as averagePooling1d. */
export const averagePooling2d = (options: PoolingOptions = {}): LayerFunction =>
  pooling("averagePooling", 2, options, averagePool);
/** Over volumes; otherwise as averagePooling1d. */
export const averagePooling3d = (options: PoolingOptions = {}): LayerFunction =>
  pooling("averagePooling", 3, options, averagePool);

/** Options of pooling over a whole sequence or image. */
export interface GlobalPoolingOptions extends CommonOptions {
  /** Keeps the reduced axes with size 1. Default false. */
  readonly keepDims?: boolean;
}

function globalPooling(
  name: string,
  rank: number,
  options: GlobalPoolingOptions,
  reduce: (input: Traced, axes: number[], keepDims: boolean) => Node,
): LayerFunction {
  const kind = `${name}${rank}d`;
  checkOptions(kind, options, [...COMMON, "keepDims"]);
  const keepDims = booleanOption(kind, "keepDims", options.keepDims ?? false);
  const axes = Array.from({ length: rank }, (_, i) => i + 1);
  return layerFunction({
    kind,
    options,
    endsMask: true,
    call: (inputs, scope) => {
      const input = inputAt(inputs);
      checkRank(scope.where, input.value, rank);
      return { value: reduce(input, axes, keepDims) };
    },
  });
}

function globalMax({ value, mask }: Traced, axes: number[], keepDims: boolean): Node {
  if (mask === undefined) return ops.max(value, { axes, keepDims });
  const lowered = ops.where(spreadMask(mask, value.shape.length), value, -Infinity);
  const highest = ops.max(lowered, { axes, keepDims });
  // A sequence without a valid position gives zero.
  const some = ops.any(mask, { axes: [1] });
  return ops.where(ops.reshape(some, [sizeAt(some.shape, 0), ...highest.shape.slice(1).map(() => 1)]), highest, 0);
}

function globalAverage({ value, mask }: Traced, axes: number[], keepDims: boolean): Node {
  if (mask === undefined) return ops.mean(value, { axes, keepDims });
  const total = ops.sum(value, { axes, keepDims });
  const others = sizeOf(axes.filter((axis) => axis > 1).map((axis) => sizeAt(value.shape, axis)));
  const count = ops.mul(validCount(mask), others);
  return ops.div(total, ops.reshape(count, [sizeAt(count.shape, 0), ...total.shape.slice(1).map(() => 1)]));
}

/**
 * The mean over all valid positions; 0 for a sequence without any. Input (length, channels), output (channels), or
 * (1, channels) with keepDims.
 *
 * @throws ShapeError for an input of another rank.
 * @example
 * import { globalAveragePooling1d, input } from "torte";
 * const y = globalAveragePooling1d()(input({ shape: [10, 16] }));
 * console.log(y.shape); // [null, 16]
 */
export const globalAveragePooling1d = (options: GlobalPoolingOptions = {}): LayerFunction =>
  globalPooling("globalAveragePooling", 1, options, globalAverage);
/** Over images; otherwise as globalAveragePooling1d. */
export const globalAveragePooling2d = (options: GlobalPoolingOptions = {}): LayerFunction =>
  globalPooling("globalAveragePooling", 2, options, globalAverage);
/** Over volumes; otherwise as globalAveragePooling1d. */
export const globalAveragePooling3d = (options: GlobalPoolingOptions = {}): LayerFunction =>
  globalPooling("globalAveragePooling", 3, options, globalAverage);
/**
 * The largest value over all valid positions; 0 for a sequence without any. Input (length, channels), output (channels), or
 * (1, channels) with keepDims.
 *
 * @throws ShapeError for an input of another rank.
 * @example
 * import { globalMaxPooling1d, input } from "torte";
 * const x = input({ shape: [10, 16] });
 * console.log(globalMaxPooling1d()(x).shape); // [null, 16]
 */
export const globalMaxPooling1d = (options: GlobalPoolingOptions = {}): LayerFunction =>
  globalPooling("globalMaxPooling", 1, options, globalMax);
/** Over images; otherwise as globalMaxPooling1d. */
export const globalMaxPooling2d = (options: GlobalPoolingOptions = {}): LayerFunction =>
  globalPooling("globalMaxPooling", 2, options, globalMax);
/** Over volumes; otherwise as globalMaxPooling1d. */
export const globalMaxPooling3d = (options: GlobalPoolingOptions = {}): LayerFunction =>
  globalPooling("globalMaxPooling", 3, options, globalMax);

/** Options of pooling to a given size. */
export interface AdaptivePoolingOptions extends CommonOptions {
  /** Positions of the result along each axis, 1 to 4096. */
  readonly outputSize: PerAxis;
}

/** Windows of different lengths are nodes of their own. */
const MOST_WINDOWS = 4096;

/** Window i of `to` over n positions: from ⌊i·n/to⌋ up to ⌈(i + 1)·n/to⌉. */
function adapt(value: Node, axis: number, to: number, reduce: (x: Node, axis: number) => Node): Node {
  const n = sizeAt(value.shape, axis);
  if (n % to === 0) {
    const split = ops.reshape(value, [...value.shape.slice(0, axis), to, n / to, ...value.shape.slice(axis + 1)]);
    const reduced = reduce(split, axis + 1);
    return ops.reshape(
      reduced,
      reduced.shape.filter((_, i) => i !== axis + 1),
    );
  }
  const parts = Array.from({ length: to }, (_, i) =>
    reduce(ops.slice(value, axis, Math.floor((i * n) / to), Math.ceil(((i + 1) * n) / to)), axis),
  );
  return ops.concat(parts, axis);
}

function adaptivePooling(
  name: string,
  rank: number,
  options: AdaptivePoolingOptions,
  reduce: (x: Node, axis: number) => Node,
): LayerFunction {
  const kind = `${name}${rank}d`;
  checkOptions(kind, options, [...COMMON, "outputSize"]);
  const size = perAxis(kind, "outputSize", rank, options.outputSize);
  for (const windows of size) numberIn(kind, "outputSize", windows, { max: MOST_WINDOWS });
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      // How long the windows are would depend on the padding.
      refuseMask(scope, inputs);
      const { value } = inputAt(inputs);
      checkRank(scope.where, value, rank);
      return { value: size.reduce((x, to, i) => adapt(x, i + 1, to, reduce), value) };
    },
  });
}

const meanOver = (x: Node, axis: number): Node => ops.mean(x, { axes: [axis], keepDims: true });
const maxOver = (x: Node, axis: number): Node => ops.max(x, { axes: [axis], keepDims: true });

/**
 * The mean of windows chosen so that the result has a given number of positions: window i of m over n positions reaches from
 * ⌊i·n/m⌋ up to ⌈(i + 1)·n/m⌉.
 *
 * Input (length, channels), output (outputSize, channels). Refuses a mask, since the windows depend on the length.
 *
 * @throws OptionError for sizes below 1; MaskError for a masked input.
 * @example
 * import { adaptiveAveragePooling1d, input } from "torte";
 * console.log(adaptiveAveragePooling1d({ outputSize: 4 })(input({ shape: [10, 8] })).shape); // [null, 4, 8]
 */
export const adaptiveAveragePooling1d = (options: AdaptivePoolingOptions): LayerFunction =>
  adaptivePooling("adaptiveAveragePooling", 1, options, meanOver);
/** Over images; otherwise as adaptiveAveragePooling1d. */
export const adaptiveAveragePooling2d = (options: AdaptivePoolingOptions): LayerFunction =>
  adaptivePooling("adaptiveAveragePooling", 2, options, meanOver);
/** Over volumes; otherwise as adaptiveAveragePooling1d. */
export const adaptiveAveragePooling3d = (options: AdaptivePoolingOptions): LayerFunction =>
  adaptivePooling("adaptiveAveragePooling", 3, options, meanOver);
/** The largest value of each window; otherwise as adaptiveAveragePooling1d. */
export const adaptiveMaxPooling1d = (options: AdaptivePoolingOptions): LayerFunction =>
  adaptivePooling("adaptiveMaxPooling", 1, options, maxOver);
/** Over images; otherwise as adaptiveMaxPooling1d. */
export const adaptiveMaxPooling2d = (options: AdaptivePoolingOptions): LayerFunction =>
  adaptivePooling("adaptiveMaxPooling", 2, options, maxOver);
/** Over volumes; otherwise as adaptiveMaxPooling1d. */
export const adaptiveMaxPooling3d = (options: AdaptivePoolingOptions): LayerFunction =>
  adaptivePooling("adaptiveMaxPooling", 3, options, maxOver);
