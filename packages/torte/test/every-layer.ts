/** One model for each layer of the library, with nothing but the options that must be given. */
import * as torte from "torte";
import { dense, functional, input, type layers, type LayerFunction, type Model, type SymbolicTensor } from "torte";

export type LayerName = {
  [K in keyof typeof layers]: (typeof layers)[K] extends (...args: never[]) => LayerFunction ? K : never;
}[keyof typeof layers];

/** Options in addition to those that must be given. */
export type Extra = Readonly<Record<string, unknown>>;

interface Entry {
  readonly inputs: () => SymbolicTensor[];
  readonly make: (extra: Extra) => LayerFunction;
}

const vector = (): SymbolicTensor[] => [input({ shape: [6] })];
const sequence = (): SymbolicTensor[] => [input({ shape: [12, 4] })];
const image = (): SymbolicTensor[] => [input({ shape: [8, 8, 4] })];
const volume = (): SymbolicTensor[] => [input({ shape: [6, 6, 6, 4] })];
const tokens = (): SymbolicTensor[] => [input({ shape: [12], dtype: "int32" })];
const two = (): SymbolicTensor[] => [...sequence(), ...sequence()];

// Tests give options that the types need not know.
const entry =
  (inputs: Entry["inputs"], required: Extra = {}) =>
  (make: (options: never) => LayerFunction): Entry => ({
    inputs,
    make: (extra) => make({ ...required, ...extra } as never),
  });
const spatial = (required: Extra = {}) =>
  [entry(sequence, required), entry(image, required), entry(volume, required)] as const;

const [filters1, filters2, filters3] = spatial({ filters: 3, kernelSize: 3 });
const [kernel1, kernel2, kernel3] = spatial({ kernelSize: 3 });
const [plain1, plain2, plain3] = spatial();
const [rate1, rate2, rate3] = spatial({ rate: 0.2 });
const [sized1, sized2, sized3] = spatial({ outputSize: 2 });
const merge = entry(two);

export const EVERY_LAYER: Readonly<Record<LayerName, Entry>> = {
  activation: { inputs: vector, make: (extra) => torte.activation("relu", extra) },
  activityRegularization: plain1(torte.activityRegularization),
  adaptiveAveragePooling1d: sized1(torte.adaptiveAveragePooling1d),
  adaptiveAveragePooling2d: sized2(torte.adaptiveAveragePooling2d),
  adaptiveAveragePooling3d: sized3(torte.adaptiveAveragePooling3d),
  adaptiveMaxPooling1d: sized1(torte.adaptiveMaxPooling1d),
  adaptiveMaxPooling2d: sized2(torte.adaptiveMaxPooling2d),
  adaptiveMaxPooling3d: sized3(torte.adaptiveMaxPooling3d),
  add: merge(torte.add),
  alphaDropout: rate1(torte.alphaDropout),
  average: merge(torte.average),
  averagePooling1d: plain1(torte.averagePooling1d),
  averagePooling2d: plain2(torte.averagePooling2d),
  averagePooling3d: plain3(torte.averagePooling3d),
  batchNormalization: plain1(torte.batchNormalization),
  block: { inputs: sequence, make: (extra) => torte.block("some block", [dense({ units: 4 })], extra) },
  concatenate: merge(torte.concatenate),
  conv1d: filters1(torte.conv1d),
  conv1dTranspose: filters1(torte.conv1dTranspose),
  conv2d: filters2(torte.conv2d),
  conv2dTranspose: filters2(torte.conv2dTranspose),
  conv3d: filters3(torte.conv3d),
  conv3dTranspose: filters3(torte.conv3dTranspose),
  cropping1d: plain1(torte.cropping1d),
  cropping2d: plain2(torte.cropping2d),
  cropping3d: plain3(torte.cropping3d),
  dense: entry(vector, { units: 5 })(torte.dense),
  depthwiseConv1d: kernel1(torte.depthwiseConv1d),
  depthwiseConv2d: kernel2(torte.depthwiseConv2d),
  depthwiseConv3d: kernel3(torte.depthwiseConv3d),
  dot: entry(two, { axes: 2 })(torte.dot),
  dropMask: plain1(torte.dropMask),
  dropout: rate1(torte.dropout),
  einsumDense: entry(sequence, { equation: "abc,cd->abd", outputShape: [null, 5] })(torte.einsumDense),
  elu: plain1(torte.elu),
  embedding: entry(tokens, { inputDim: 9, outputDim: 4 })(torte.embedding),
  flatten: plain1(torte.flatten),
  gaussianDropout: rate1(torte.gaussianDropout),
  gaussianNoise: entry(sequence, { stddev: 0.1 })(torte.gaussianNoise),
  globalAveragePooling1d: plain1(torte.globalAveragePooling1d),
  globalAveragePooling2d: plain2(torte.globalAveragePooling2d),
  globalAveragePooling3d: plain3(torte.globalAveragePooling3d),
  globalMaxPooling1d: plain1(torte.globalMaxPooling1d),
  globalMaxPooling2d: plain2(torte.globalMaxPooling2d),
  globalMaxPooling3d: plain3(torte.globalMaxPooling3d),
  groupNormalization: entry(() => [input({ shape: [5, 64] })])(torte.groupNormalization),
  identity: plain1(torte.identity),
  lambda: { inputs: vector, make: (extra) => torte.lambda((x) => torte.ops.mul(x, 2), extra) },
  layerNormalization: plain1(torte.layerNormalization),
  leakyRelu: plain1(torte.leakyRelu),
  masking: plain1(torte.masking),
  maxPooling1d: plain1(torte.maxPooling1d),
  maxPooling2d: plain2(torte.maxPooling2d),
  maxPooling3d: plain3(torte.maxPooling3d),
  maximum: merge(torte.maximum),
  minimum: merge(torte.minimum),
  multiply: merge(torte.multiply),
  permute: entry(sequence, { dims: [2, 1] })(torte.permute),
  prelu: plain1(torte.prelu),
  relu: plain1(torte.relu),
  repeatVector: entry(vector, { n: 3 })(torte.repeatVector),
  rescaling: entry(sequence, { scale: 0.5 })(torte.rescaling),
  reshape: entry(sequence, { targetShape: [6, 8] })(torte.reshape),
  residual: { inputs: sequence, make: (extra) => torte.residual([dense({ units: 4 })], extra) },
  rmsNormalization: plain1(torte.rmsNormalization),
  separableConv1d: filters1(torte.separableConv1d),
  separableConv2d: filters2(torte.separableConv2d),
  separableConv3d: filters3(torte.separableConv3d),
  softmax: plain1(torte.softmax),
  spatialDropout1d: rate1(torte.spatialDropout1d),
  spatialDropout2d: rate2(torte.spatialDropout2d),
  spatialDropout3d: rate3(torte.spatialDropout3d),
  spectralNormalization: {
    inputs: vector,
    make: (extra) => torte.spectralNormalization(dense({ units: 3 }), extra),
  },
  subtract: merge(torte.subtract),
  timeDistributed: { inputs: sequence, make: (extra) => torte.timeDistributed(dense({ units: 3 }), extra) },
  unitNormalization: plain1(torte.unitNormalization),
  upSampling1d: plain1(torte.upSampling1d),
  upSampling2d: plain2(torte.upSampling2d),
  upSampling3d: plain3(torte.upSampling3d),
  zeroPadding1d: plain1(torte.zeroPadding1d),
  zeroPadding2d: plain2(torte.zeroPadding2d),
  zeroPadding3d: plain3(torte.zeroPadding3d),
};

export const LAYER_NAMES = Object.keys(EVERY_LAYER) as LayerName[];

/** A model of nothing but the layer. */
export function modelOf(name: LayerName, extra: Extra = {}): Model {
  const { inputs, make } = EVERY_LAYER[name];
  const values = inputs();
  return functional({ inputs: values, outputs: make(extra)(values), backend: "reference", seed: 3 });
}
