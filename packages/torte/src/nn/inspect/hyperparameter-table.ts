/**
 * What can be chosen about each layer: one description for every option of every layer. The table is total: an option, or a
 * layer, that is not described does not compile.
 */
import type { ActivationName } from "../activations.js";
import type { ConstraintOption } from "../constraints.js";
import type { InitializerOption } from "../initializers.js";
import type { CommonOptions, LayerFunction } from "../layer.js";
import type * as layers from "../layers/index.js";
import type { RegularizerOption } from "../regularizers.js";

/** What values a hyperparameter can take. */
export type HyperparameterKind = "continuous" | "integer" | "categorical" | "boolean";

/** What people usually choose from. */
export type Usual =
  | {
      readonly min: number;
      readonly max: number;
      /** The order of magnitude is what matters: search on a logarithmic scale. */
      readonly log?: true;
    }
  | { readonly choices: readonly string[] };

type Options = Readonly<Record<string, unknown>>;

export interface Description {
  readonly kind: HyperparameterKind;
  /** What holds where nothing is given; "required" where something must be. May depend on the other options. */
  readonly otherwise: unknown;
  /** How documentation calls the default, where it is no plain value. */
  readonly calls?: string;
  /** Undefined where the option follows from the data or from the other layers. */
  readonly usual?: Usual;
}

/** A default taken from another option. */
export class SameAs {
  constructor(
    readonly option: string,
    readonly fallback: unknown,
  ) {}
}

export const REQUIRED = "required";

/** Names of all layers that the library exports. */
export type LayerName = {
  [K in keyof typeof layers]: (typeof layers)[K] extends (...args: never[]) => LayerFunction ? K : never;
}[keyof typeof layers];

type LastArgument<K extends LayerName> =
  Required<Parameters<(typeof layers)[K]>> extends readonly [...unknown[], infer Last] ? Last : never;

/** The options of a layer's own. */
export type OwnOption<K extends LayerName> = Exclude<keyof LastArgument<K>, keyof CommonOptions>;

const integer = (otherwise: unknown, min: number, max: number, log?: true): Description => ({
  kind: "integer",
  otherwise,
  usual: log === undefined ? { min, max } : { min, max, log },
});
const continuous = (otherwise: unknown, min: number, max: number, log?: true): Description => ({
  ...integer(otherwise, min, max, log),
  kind: "continuous",
});
const choice = <T extends string>(otherwise: T | "none" | "required", choices: readonly T[]): Description => ({
  kind: "categorical",
  otherwise: otherwise === "none" ? undefined : otherwise,
  usual: { choices: otherwise === "none" ? ["none", ...choices] : choices },
});
const yesOrNo = (otherwise: boolean): Description => ({ kind: "boolean", otherwise });
/** Follows from the data or from how the model is built: nobody searches for it. */
const given = (kind: HyperparameterKind, otherwise: unknown): Description => ({ kind, otherwise });

const ACTIVATION_NAMES = ["linear", "relu", "tanh", "sigmoid", "swish", "gelu", "elu", "selu", "leakyRelu", "mish"];
const ACTIVATION = choice<ActivationName>("linear", [
  ...(ACTIVATION_NAMES as readonly ActivationName[]),
  "softplus",
  "softsign",
]);
const INITIALIZERS: readonly Extract<InitializerOption, string>[] = [
  "glorotUniform",
  "glorotNormal",
  "heUniform",
  "heNormal",
  "lecunUniform",
  "lecunNormal",
  "orthogonal",
];
const initializer = (otherwise: Extract<InitializerOption, string>, simple = false): Description =>
  simple
    ? choice<string>(otherwise, ["zeros", "ones", "uniform", "normal"])
    : choice<string>(otherwise, otherwise === "uniform" ? ["uniform", "normal"] : INITIALIZERS);
const REGULARIZER = choice<Extract<RegularizerOption, string>>("none", ["l1", "l2", "l1l2", "l2Norm", "orthogonal"]);
const CONSTRAINT = choice<Extract<ConstraintOption, string>>("none", ["maxNorm", "minMaxNorm", "nonNeg", "unitNorm"]);

/** Of every layer. */
export const COMMON_HYPERPARAMETERS = {
  trainable: yesOrNo(true),
  activityRegularizer: REGULARIZER,
} satisfies Record<Exclude<keyof CommonOptions, "name">, Description>;

/** What a penalty was made with, listed where there is one. */
export const STRENGTH: Description = continuous(0.01, 1e-4, 1e-1, true);

const BIAS = {
  activation: ACTIVATION,
  biasInitializer: initializer("zeros", true),
  biasRegularizer: REGULARIZER,
  biasConstraint: CONSTRAINT,
};
const KERNEL = {
  kernelInitializer: initializer("glorotUniform"),
  kernelRegularizer: REGULARIZER,
  kernelConstraint: CONSTRAINT,
};
const USE_BIAS = { useBias: yesOrNo(true) };
const FILTERS = integer(REQUIRED, 8, 512, true);
const MARGINS = given("integer", 1);

const paddings = (rank: number): Description =>
  choice<string>("valid", rank === 1 ? ["valid", "same", "causal"] : ["valid", "same"]);
const windowed = (rank: number) => ({
  kernelSize: integer(REQUIRED, rank === 1 ? 3 : 1, rank === 1 ? 9 : 7),
  strides: integer(1, 1, 3),
  padding: paddings(rank),
  dilationRate: integer(1, 1, 4),
});
const conv = (rank: number) => ({
  filters: FILTERS,
  ...windowed(rank),
  groups: integer(1, 1, 8),
  ...USE_BIAS,
  ...KERNEL,
  ...BIAS,
});
const transposed = (rank: number) => ({
  filters: FILTERS,
  ...windowed(rank),
  padding: paddings(2),
  outputPadding: given("integer", undefined),
  ...USE_BIAS,
  ...KERNEL,
  ...BIAS,
});
const depthwise = (rank: number) => ({
  ...windowed(rank),
  depthMultiplier: integer(1, 1, 4),
  ...USE_BIAS,
  depthwiseInitializer: initializer("glorotUniform"),
  depthwiseRegularizer: REGULARIZER,
  depthwiseConstraint: CONSTRAINT,
  ...BIAS,
});
const separable = (rank: number) => ({
  filters: FILTERS,
  ...depthwise(rank),
  pointwiseInitializer: initializer("glorotUniform"),
  pointwiseRegularizer: REGULARIZER,
  pointwiseConstraint: CONSTRAINT,
});
const POOL = {
  poolSize: integer(2, 2, 4),
  strides: { ...integer(new SameAs("poolSize", 2), 1, 4), calls: "poolSize" },
  padding: paddings(2),
};
const GLOBAL = { keepDims: yesOrNo(false) };
const ADAPTIVE = { outputSize: integer(REQUIRED, 1, 16) };
const AFFINE = {
  center: yesOrNo(true),
  scale: yesOrNo(true),
  betaInitializer: initializer("zeros", true),
  gammaInitializer: initializer("ones", true),
  betaRegularizer: REGULARIZER,
  gammaRegularizer: REGULARIZER,
  betaConstraint: CONSTRAINT,
  gammaConstraint: CONSTRAINT,
};
const EPSILON = continuous(1e-3, 1e-6, 1e-2, true);
const AXIS = given("integer", -1);
const SEED = { seed: { ...given("integer", undefined), calls: "the model's" } };
const RATE = { rate: continuous(REQUIRED, 0.05, 0.35), ...SEED };
const NOISE_SHAPE = { noiseShape: { ...given("integer", undefined), calls: "the input's" } };
const UP = { size: integer(2, 2, 4), interpolation: choice("nearest", ["nearest", "bilinear"]) };

/** For each layer its own options. */
export const HYPERPARAMETERS = {
  activation: { activation: { ...ACTIVATION, otherwise: REQUIRED } },
  rescaling: { scale: given("continuous", REQUIRED), offset: given("continuous", 0) },
  activityRegularization: { l1: continuous(0, 1e-4, 1e-1, true), l2: continuous(0, 1e-4, 1e-1, true) },
  adaptiveAveragePooling1d: ADAPTIVE,
  adaptiveAveragePooling2d: ADAPTIVE,
  adaptiveAveragePooling3d: ADAPTIVE,
  adaptiveMaxPooling1d: ADAPTIVE,
  adaptiveMaxPooling2d: ADAPTIVE,
  adaptiveMaxPooling3d: ADAPTIVE,
  add: {},
  alphaDropout: { ...RATE, ...NOISE_SHAPE },
  average: {},
  averagePooling1d: POOL,
  averagePooling2d: POOL,
  averagePooling3d: POOL,
  batchNormalization: {
    axis: AXIS,
    momentum: continuous(0.99, 0.9, 0.999),
    epsilon: EPSILON,
    ...AFFINE,
    movingMeanInitializer: initializer("zeros", true),
    movingVarianceInitializer: initializer("ones", true),
  },
  block: {},
  concatenate: { axis: AXIS },
  conv1d: conv(1),
  conv1dTranspose: transposed(1),
  conv2d: conv(2),
  conv2dTranspose: transposed(2),
  conv3d: conv(3),
  conv3dTranspose: transposed(3),
  cropping1d: { cropping: MARGINS },
  cropping2d: { cropping: given("integer", 0) },
  cropping3d: { cropping: MARGINS },
  dense: { units: integer(REQUIRED, 16, 1024, true), ...USE_BIAS, ...KERNEL, ...BIAS },
  depthwiseConv1d: depthwise(1),
  depthwiseConv2d: depthwise(2),
  depthwiseConv3d: depthwise(3),
  dot: { axes: given("integer", REQUIRED), normalize: yesOrNo(false) },
  dropMask: {},
  dropout: { ...RATE, ...NOISE_SHAPE, rescale: choice("expected", ["expected", "realized"]) },
  einsumDense: {
    equation: given("categorical", REQUIRED),
    outputShape: given("integer", REQUIRED),
    biasAxes: given("categorical", undefined),
    ...KERNEL,
    ...BIAS,
  },
  elu: { alpha: continuous(1, 0.1, 2) },
  embedding: {
    inputDim: given("integer", REQUIRED),
    outputDim: integer(REQUIRED, 4, 256, true),
    maskZero: yesOrNo(false),
    embeddingsInitializer: initializer("uniform"),
    embeddingsRegularizer: REGULARIZER,
    embeddingsConstraint: CONSTRAINT,
  },
  flatten: {},
  gaussianDropout: RATE,
  gaussianNoise: { stddev: continuous(REQUIRED, 0.01, 0.5, true), ...SEED },
  globalAveragePooling1d: GLOBAL,
  globalAveragePooling2d: GLOBAL,
  globalAveragePooling3d: GLOBAL,
  globalMaxPooling1d: GLOBAL,
  globalMaxPooling2d: GLOBAL,
  globalMaxPooling3d: GLOBAL,
  groupNormalization: { groups: integer(32, 2, 32, true), axis: AXIS, epsilon: EPSILON, ...AFFINE },
  identity: {},
  lambda: { mask: given("categorical", "refuse") },
  layerNormalization: { axis: AXIS, epsilon: EPSILON, ...AFFINE },
  leakyRelu: { negativeSlope: continuous(0.3, 0.01, 0.3, true) },
  masking: { maskValue: given("continuous", 0) },
  maxPooling1d: POOL,
  maxPooling2d: POOL,
  maxPooling3d: POOL,
  maximum: {},
  minimum: {},
  multiply: {},
  permute: { dims: given("integer", REQUIRED) },
  prelu: {
    alphaInitializer: initializer("zeros", true),
    alphaRegularizer: REGULARIZER,
    alphaConstraint: CONSTRAINT,
    sharedAxes: given("integer", undefined),
  },
  relu: {
    maxValue: { ...continuous(undefined, 1, 10), calls: "none" },
    negativeSlope: continuous(0, 0, 0.3),
    threshold: continuous(0, 0, 1),
  },
  repeatVector: { n: given("integer", REQUIRED) },
  reshape: { targetShape: given("integer", REQUIRED) },
  residual: { project: given("categorical", undefined), merge: choice("add", ["add", "concatenate"]) },
  rmsNormalization: { axis: AXIS, epsilon: continuous(1e-6, 1e-8, 1e-3, true) },
  separableConv1d: separable(1),
  separableConv2d: separable(2),
  separableConv3d: separable(3),
  softmax: { axis: AXIS },
  spatialDropout1d: RATE,
  spatialDropout2d: RATE,
  spatialDropout3d: RATE,
  spectralNormalization: { powerIterations: integer(1, 1, 3) },
  subtract: {},
  timeDistributed: {},
  unitNormalization: { axis: AXIS },
  upSampling1d: UP,
  upSampling2d: UP,
  upSampling3d: UP,
  zeroPadding1d: { padding: MARGINS },
  zeroPadding2d: { padding: MARGINS },
  zeroPadding3d: { padding: MARGINS },
} satisfies { readonly [K in LayerName]: Described<K> };

/** Every own option, and what a layer takes in another way than as an option. */
type Described<K extends LayerName> = { readonly [O in OwnOption<K>]: Description } & (K extends "activation"
  ? { readonly activation: Description }
  : unknown);

/** What the library knows about a kind of layer; undefined for layers of people's own. */
export function describedOptions(kind: string): Readonly<Record<string, Description>> | undefined {
  const table: Readonly<Record<string, Readonly<Record<string, Description>>>> = HYPERPARAMETERS;
  return Object.hasOwn(table, kind) ? table[kind] : undefined;
}

/** The value that holds where nothing is given. */
export function defaultOf({ otherwise }: Description, options: Options): unknown {
  return otherwise instanceof SameAs ? (options[otherwise.option] ?? otherwise.fallback) : otherwise;
}
