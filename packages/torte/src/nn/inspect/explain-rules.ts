/**
 * How each layer makes the shape of its result, in words and numbers, and what an element of it sees. The table is total: a
 * layer without a rule does not compile.
 */
import { lastOf, sizeAt, sizeOf } from "../../tensor/shape.js";
import {
  collapsed,
  joined,
  margins,
  moved,
  repeated,
  rolesFor,
  type Track,
  transposedWindow,
  union,
  windowed,
} from "./receptive-field.js";
import type { LayerName } from "./hyperparameter-table.js";
import type { Padding } from "../windows.js";

/** One application of a layer: its options, and the shapes around it, batch first. */
export interface Subject {
  readonly options: Readonly<Record<string, unknown>>;
  readonly inputs: readonly (readonly number[])[];
  readonly output: readonly number[];
  /** Of the inputs. */
  readonly tracks: readonly Track[];
  /** Of the last layer inside, for layers made of others. */
  readonly inner: Track | undefined;
}

export interface Explained {
  /** The arithmetic of the result's shape, one line for each axis that changes. */
  readonly shape: readonly string[];
  readonly track: Track;
}

export type Rule = (subject: Subject) => Explained;

const shapeOf = ({ inputs }: Subject, i = 0): readonly number[] => inputs[i] ?? [];
const trackOf = ({ tracks }: Subject): Track => union(tracks);
/** The number of an axis that may be counted from the end. */
const axisOf = (given: unknown, rank: number): number =>
  typeof given === "number" ? (given < 0 ? given + rank : given) : rank - 1;
const numbersOf = (given: unknown): number[] =>
  (Array.isArray(given) ? (given as readonly unknown[]) : [given]).filter((n) => typeof n === "number");

/** An option that is one number for all axes or one for each. */
function perAxis(given: unknown, rank: number, otherwise: readonly number[] | number): number[] {
  const fallback = typeof otherwise === "number" ? Array<number>(rank).fill(otherwise) : [...otherwise];
  if (typeof given === "number") return Array<number>(rank).fill(given);
  return Array.isArray(given) ? numbersOf(given) : fallback;
}

const apply = (track: Track, changes: readonly ((track: Track) => Track)[]): Track =>
  changes.reduce((result, change) => change(result), track);
/** Axes between batch and channels. */
const positionsOf = (shape: readonly number[]): number[] => shape.slice(1, -1).map((_, i) => i + 1);
/** Roles of a result that has other axes than the input. */
const withRoles = (track: Track, output: readonly number[]): Track => ({
  ...track,
  roles: track.roles.length === output.length - 1 ? track.roles : rolesFor(output.length - 1),
});

/** Every element comes from the one in its place. */
const elementwise: Rule = (subject) => ({ shape: ["as the input"], track: trackOf(subject) });

/** The last axis is summed over, and what takes its place are channels. */
function mixed(track: Track, input: readonly number[]): Track {
  const last = input.length - 1;
  return {
    ...collapsed(last, sizeAt(input, last))(track),
    roles: [...track.roles.slice(0, -1), last === 1 ? "features" : "channels"],
  };
}

/** Each position by itself; the last axis becomes as wide as `option` says. */
const widened =
  (option: string): Rule =>
  (subject) => {
    const [from, to] = [lastOf(shapeOf(subject)), lastOf(subject.output)];
    const track = mixed(trackOf(subject), shapeOf(subject));
    return { shape: [`${track.roles.at(-1) ?? "last axis"}: ${from} in, ${option} = ${to} out`], track };
  };

/** ⌊(n − reach)/stride⌋ + 1 and its simpler cases. */
function windowArithmetic(n: number, reach: number, stride: number, padding: Padding, result: number): string {
  if (padding !== "valid") {
    return stride === 1 ? `${padding} padding keeps ${n}` : `${padding} padding, ⌈${n} / ${stride}⌉ = ${result}`;
  }
  if (stride === 1) return `${n} − ${reach} + 1 = ${result}`;
  if (stride === reach) return `⌊${n} / ${stride}⌋ = ${result}`;
  return `⌊(${n} − ${reach}) / ${stride}⌋ + 1 = ${result}`;
}

const paddingOf = (given: unknown): Padding => (given === "same" || given === "causal" ? given : "valid");

/** A convolution or pooling whose windows are described by these options. */
function windows(sizeOption: "kernelSize" | "poolSize", channels?: (subject: Subject) => string): Rule {
  return (subject) => {
    const { options, output } = subject;
    const input = shapeOf(subject);
    const rank = input.length - 2;
    const size = perAxis(options[sizeOption], rank, 2);
    const stride = perAxis(options["strides"], rank, sizeOption === "poolSize" ? size : 1);
    const dilation = perAxis(options["dilationRate"], rank, 1);
    const padding = paddingOf(options["padding"]);
    const track = trackOf(subject);
    const lines = positionsOf(input).map((axis, i) => {
      const [taps, step, apart] = [sizeAt(size, i), sizeAt(stride, i), sizeAt(dilation, i)];
      const reach = (taps - 1) * apart + 1;
      const spread = apart === 1 ? "" : `${taps} taps ${apart} apart span (${taps} − 1)·${apart} + 1 = ${reach}; `;
      const arithmetic = windowArithmetic(sizeAt(input, axis), reach, step, padding, sizeAt(output, axis));
      return `${track.roles[i] ?? "positions"}: ${spread}${arithmetic}`;
    });
    const changes = positionsOf(input).map((axis, i) =>
      windowed(axis, {
        length: sizeAt(input, axis),
        size: sizeAt(size, i),
        stride: sizeAt(stride, i),
        dilation: sizeAt(dilation, i),
        padding,
      }),
    );
    const seen = apply(track, changes);
    if (channels === undefined) return { shape: lines, track: seen };
    return { shape: [...lines, channels(subject)], track: mixed(seen, input) };
  };
}

const filters = (subject: Subject): string =>
  `channels: ${lastOf(shapeOf(subject))} in, filters = ${lastOf(subject.output)} out`;
const multiplied = (subject: Subject): string => {
  const [from, to] = [lastOf(shapeOf(subject)), lastOf(subject.output)];
  return `channels: ${from}·${to / from} = ${to}`;
};

const transposedConv: Rule = (subject) => {
  const { options, output } = subject;
  const input = shapeOf(subject);
  const rank = input.length - 2;
  const [size, stride] = [perAxis(options["kernelSize"], rank, 1), perAxis(options["strides"], rank, 1)];
  const dilation = perAxis(options["dilationRate"], rank, 1);
  const track = trackOf(subject);
  const same = options["padding"] === "same";
  const lines: string[] = [];
  const changes = positionsOf(input).map((axis, i) => {
    const [n, s, m] = [sizeAt(input, axis), sizeAt(stride, i), sizeAt(output, axis)];
    const reach = (sizeAt(size, i) - 1) * sizeAt(dilation, i) + 1;
    // What is left over is outputPadding, or what a window reaches beyond its stride.
    const rest = m - n * s;
    const added = rest === 0 ? "" : rest > 0 ? ` + ${rest}` : ` − ${-rest}`;
    lines.push(`${track.roles[i] ?? "positions"}: ${n}·${s}${added} = ${m}`);
    const before = same ? Math.floor(Math.max(reach - s, 0) / 2) : 0;
    return transposedWindow(axis, { reach, stride: s, before, added: rest });
  });
  return { shape: [...lines, filters(subject)], track: mixed(apply(track, changes), input) };
};

/** All positions become one; with keepDims their axes stay, of size 1. */
const globalPool: Rule = (subject) => {
  const input = shapeOf(subject);
  const axes = positionsOf(input);
  const kept = subject.options["keepDims"] === true;
  const track = apply(
    trackOf(subject),
    axes.map((axis) => collapsed(axis, sizeAt(input, axis))),
  );
  const roles = track.roles.slice(0, axes.length);
  const sizes = axes.map((axis) => sizeAt(input, axis)).join("·");
  return {
    shape: [`${roles.join(", ")}: all ${sizes} positions become ${kept ? "1" : "one, and the axis disappears"}`],
    track: { ...withRoles(track, subject.output), needs: undefined },
  };
};

const adaptivePool: Rule = (subject) => {
  const input = shapeOf(subject);
  const track = trackOf(subject);
  const plans = positionsOf(input).map((axis, i) => {
    const [n, m] = [sizeAt(input, axis), sizeAt(subject.output, axis)];
    const size = Math.ceil(n / m);
    const line = `${track.roles[i] ?? "positions"}: ${m} windows of ${n % m === 0 ? "" : "about "}${n} / ${m} positions`;
    const stride = Math.max(1, Math.floor(n / m));
    return { line, change: windowed(axis, { length: n, size, stride, dilation: 1, padding: "valid" }) };
  });
  return {
    shape: plans.map(({ line }) => line),
    track: apply(
      track,
      plans.map(({ change }) => change),
    ),
  };
};

/** Nothing is left of the order of positions. */
function allTogether(subject: Subject): Track {
  const input = shapeOf(subject);
  const track = apply(
    trackOf(subject),
    input.slice(1).map((n, i) => collapsed(i + 1, n)),
  );
  return { ...track, roles: rolesFor(subject.output.length - 1), needs: undefined };
}

const flattening: Rule = (subject) => {
  const sizes = shapeOf(subject).slice(1);
  return { shape: [`features: ${sizes.join("·")} = ${sizeOf(sizes)}`], track: allTogether(subject) };
};
const reshaping: Rule = (subject) => {
  const [from, to] = [shapeOf(subject).slice(1), subject.output.slice(1)];
  return { shape: [`${from.join("·")} = ${sizeOf(from)} = ${to.join("·")} values`], track: allTogether(subject) };
};

const permuting: Rule = (subject) => {
  const dims = numbersOf(subject.options["dims"]);
  const track = trackOf(subject);
  const changed = moved((axis) => dims.indexOf(axis) + 1 || undefined)(track);
  return {
    shape: [`axes ${dims.join(", ")} of the input become 1…${dims.length}`],
    track: { ...changed, roles: dims.map((axis) => track.roles[axis - 1] ?? `axis ${axis}`) },
  };
};

/** (features) becomes (n, features). */
const repeating: Rule = (subject) => ({
  shape: [`length: n = ${sizeAt(subject.output, 1)} copies`],
  track: withRoles(trackOf(subject), subject.output),
});

/** Positions before and after each axis, from the option's forms. */
function marginsOf(given: unknown, rank: number, otherwise: number): [number, number][] {
  if (typeof given === "number" || given === undefined)
    return Array(rank).fill([given ?? otherwise, given ?? otherwise]) as [number, number][];
  const list = Array.isArray(given) ? (given as readonly unknown[]) : [];
  const [before, after] = numbersOf(list);
  if (rank === 1 && before !== undefined && after !== undefined) return [[before, after]];
  return list.map((pair) => {
    const [low = 0, high = low] = numbersOf(pair);
    return [low, high];
  });
}

/** Zeros added (sign 1) or positions cut away (sign −1) around each axis. */
const bordered =
  (option: "padding" | "cropping", sign: 1 | -1, otherwise = 1): Rule =>
  (subject) => {
    const input = shapeOf(subject);
    const track = trackOf(subject);
    const pairs = marginsOf(subject.options[option], input.length - 2, otherwise);
    const lines = pairs.map(([before, after], i) => {
      const [n, m] = [sizeAt(input, i + 1), sizeAt(subject.output, i + 1)];
      const arithmetic = sign === 1 ? `${before} + ${n} + ${after}` : `${n} − ${before} − ${after}`;
      return `${track.roles[i] ?? "positions"}: ${arithmetic} = ${m}`;
    });
    const changes = pairs.map(([before, after], i) => margins(i + 1, sign * before, sign * after));
    return { shape: lines, track: apply(track, changes) };
  };

const upSampling: Rule = (subject) => {
  const input = shapeOf(subject);
  const track = trackOf(subject);
  const size = perAxis(subject.options["size"], input.length - 2, 2);
  const bilinear = subject.options["interpolation"] === "bilinear";
  return {
    shape: size.map((times, i) => {
      const n = sizeAt(input, i + 1);
      return `${track.roles[i] ?? "positions"}: ${n}·${times} = ${n * times}`;
    }),
    track: apply(
      track,
      size.map((times, i) => repeated(i + 1, times, bilinear)),
    ),
  };
};

/** Statistics over the axes of the option: positions among them see each other. */
const overAxes: Rule = (subject) => {
  const input = shapeOf(subject);
  const { axis } = subject.options;
  const axes = (Array.isArray(axis) ? numbersOf(axis) : [axis]).map((given) => axisOf(given, input.length));
  const track = apply(
    trackOf(subject),
    axes.map((each) => joined(each, sizeAt(input, each))),
  );
  return { shape: ["as the input"], track };
};

/** Statistics over all positions of an example. */
const overPositions: Rule = (subject) => {
  const input = shapeOf(subject);
  const track = apply(
    trackOf(subject),
    positionsOf(input).map((axis) => joined(axis, sizeAt(input, axis))),
  );
  return { shape: ["as the input"], track };
};

const merging: Rule = (subject) => ({
  shape: [`as each of the ${subject.inputs.length} inputs`],
  track: trackOf(subject),
});

const concatenating: Rule = (subject) => {
  const axis = axisOf(subject.options["axis"], subject.output.length);
  const track = trackOf(subject);
  const sizes = subject.inputs.map((shape) => sizeAt(shape, axis));
  return {
    shape: [`${track.roles[axis - 1] ?? `axis ${axis}`}: ${sizes.join(" + ")} = ${sizeAt(subject.output, axis)}`],
    track,
  };
};

const dotting: Rule = (subject) => {
  const given = numbersOf(subject.options["axes"]);
  const axis = axisOf(given[0], shapeOf(subject).length);
  return {
    shape: [`summed over axis ${given.join(" and ")}, ${sizeAt(shapeOf(subject), axis)} products each`],
    track: allTogether(subject),
  };
};

/** Where an axis of the input stands in the result of an equation; before dots, axes keep their places. */
const einsum: Rule = (subject) => {
  const equation = typeof subject.options["equation"] === "string" ? subject.options["equation"] : "";
  const [, dots, from = "", to = ""] =
    /^(\.{3})?([a-zA-Z]+),[a-zA-Z]+->(?:\.{3})?([a-zA-Z]+)$/.exec(equation.replaceAll(" ", "")) ?? [];
  const input = shapeOf(subject);
  const free = dots === undefined ? 0 : input.length - from.length;
  const place = (axis: number): number | undefined => {
    if (axis < free) return axis;
    const at = to.indexOf(from[axis - free] ?? " ");
    return at < 0 ? undefined : at + free;
  };
  const summed = input.map((_, axis) => axis).filter((axis) => axis > 0 && place(axis) === undefined);
  const track = apply(trackOf(subject), [...summed.map((axis) => collapsed(axis, sizeAt(input, axis))), moved(place)]);
  return {
    shape: [`${equation} gives ${subject.output.slice(1).join(", ")}`],
    track: withRoles(track, subject.output),
  };
};

/** Tokens get a new axis of features. */
const lookup: Rule = (subject) => {
  const track = trackOf(subject);
  return {
    shape: [`channels: one vector of outputDim = ${lastOf(subject.output)} for each token`],
    track: { ...track, roles: [...track.roles, track.roles.length === 0 ? "features" : "channels"] },
  };
};

/** Layers made of others: as the layers inside say. */
const inside: Rule = (subject) => ({
  shape: ["as the layers inside make it"],
  track: subject.inner ?? unknown(subject).track,
});

const eachStep: Rule = (subject) => {
  const track = trackOf(subject);
  const kept = track.fields.filter(({ axis }) => axis === 1);
  const others = (subject.inner?.fields ?? []).map((field) => ({
    ...field,
    axis: field.axis === undefined ? undefined : field.axis + 1,
  }));
  const roles = ["length", ...(subject.inner?.roles ?? rolesFor(subject.output.length - 2))];
  return {
    shape: [`the layer inside, at each of ${sizeAt(subject.output, 1)} steps`],
    track: { ...track, roles, fields: [...kept, ...others] },
  };
};

/** A layer of people's own: positions that are as many as before are taken to be the same ones. */
export const unknown: Rule = (subject) => {
  const input = shapeOf(subject);
  const same =
    input.length === subject.output.length && positionsOf(input).every((axis) => input[axis] === subject.output[axis]);
  if (same) return { shape: ["positions as in the input"], track: trackOf(subject) };
  return { shape: ["as the layer makes it"], track: allTogether(subject) };
};

const convolution = windows("kernelSize", filters);
const depthwise = windows("kernelSize", multiplied);
const pooling = windows("poolSize");

export const RULES: { readonly [K in LayerName]: Rule } = {
  activation: elementwise,
  activityRegularization: elementwise,
  rescaling: elementwise,
  adaptiveAveragePooling1d: adaptivePool,
  adaptiveAveragePooling2d: adaptivePool,
  adaptiveAveragePooling3d: adaptivePool,
  adaptiveMaxPooling1d: adaptivePool,
  adaptiveMaxPooling2d: adaptivePool,
  adaptiveMaxPooling3d: adaptivePool,
  add: merging,
  alphaDropout: elementwise,
  average: merging,
  averagePooling1d: pooling,
  averagePooling2d: pooling,
  averagePooling3d: pooling,
  batchNormalization: elementwise,
  block: inside,
  concatenate: concatenating,
  conv1d: convolution,
  conv1dTranspose: transposedConv,
  conv2d: convolution,
  conv2dTranspose: transposedConv,
  conv3d: convolution,
  conv3dTranspose: transposedConv,
  cropping1d: bordered("cropping", -1),
  cropping2d: bordered("cropping", -1, 0),
  cropping3d: bordered("cropping", -1),
  dense: widened("units"),
  depthwiseConv1d: depthwise,
  depthwiseConv2d: depthwise,
  depthwiseConv3d: depthwise,
  dot: dotting,
  dropMask: elementwise,
  dropout: elementwise,
  einsumDense: einsum,
  elu: elementwise,
  embedding: lookup,
  flatten: flattening,
  gaussianDropout: elementwise,
  gaussianNoise: elementwise,
  globalAveragePooling1d: globalPool,
  globalAveragePooling2d: globalPool,
  globalAveragePooling3d: globalPool,
  globalMaxPooling1d: globalPool,
  globalMaxPooling2d: globalPool,
  globalMaxPooling3d: globalPool,
  groupNormalization: overPositions,
  identity: elementwise,
  lambda: unknown,
  layerNormalization: overAxes,
  leakyRelu: elementwise,
  masking: elementwise,
  maxPooling1d: pooling,
  maxPooling2d: pooling,
  maxPooling3d: pooling,
  maximum: merging,
  minimum: merging,
  multiply: merging,
  permute: permuting,
  prelu: elementwise,
  relu: elementwise,
  repeatVector: repeating,
  reshape: reshaping,
  residual: inside,
  rmsNormalization: overAxes,
  separableConv1d: convolution,
  separableConv2d: convolution,
  separableConv3d: convolution,
  softmax: overAxes,
  spatialDropout1d: elementwise,
  spatialDropout2d: elementwise,
  spatialDropout3d: elementwise,
  spectralNormalization: inside,
  subtract: merging,
  timeDistributed: eachStep,
  unitNormalization: overAxes,
  upSampling1d: upSampling,
  upSampling2d: upSampling,
  upSampling3d: upSampling,
  zeroPadding1d: bordered("padding", 1),
  zeroPadding2d: bordered("padding", 1),
  zeroPadding3d: bordered("padding", 1),
};

/** The rule of a kind of layer; models used as layers are made of layers, too. */
export function ruleFor(kind: string): Rule {
  if (kind === "model") return inside;
  const rules: Readonly<Record<string, Rule>> = RULES;
  return Object.hasOwn(rules, kind) ? (rules[kind] ?? unknown) : unknown;
}
