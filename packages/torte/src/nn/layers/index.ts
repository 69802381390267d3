/** Every layer. */
export {
  activation,
  elu,
  leakyRelu,
  prelu,
  relu,
  softmax,
  type EluOptions,
  type LeakyReluOptions,
  type PreluOptions,
  type ReluOptions,
  type SoftmaxOptions,
} from "./activation.js";
export { dropMask, masking, type MaskingOptions } from "./masking.js";
export { identity, lambda, type LambdaOptions } from "./lambda.js";
export { block, residual, timeDistributed, type Body, type ResidualOptions } from "./composite.js";
export { conv1d, conv2d, conv3d, type ConvOptions, type PerAxis } from "./conv.js";
export { conv1dTranspose, conv2dTranspose, conv3dTranspose, type ConvTransposeOptions } from "./conv-transpose.js";
export {
  depthwiseConv1d,
  depthwiseConv2d,
  depthwiseConv3d,
  separableConv1d,
  separableConv2d,
  separableConv3d,
  type DepthwiseConvOptions,
  type SeparableConvOptions,
} from "./conv-separable.js";
export { dense, einsumDense, type DenseOptions, type EinsumDenseOptions, type KernelOptions } from "./dense.js";
export { embedding, type EmbeddingOptions } from "./embedding.js";
export {
  add,
  average,
  concatenate,
  dot,
  maximum,
  minimum,
  multiply,
  subtract,
  type ConcatenateOptions,
  type DotOptions,
} from "./merge.js";
export { activityRegularization, type ActivityRegularizationOptions } from "./regularization.js";
export {
  alphaDropout,
  dropout,
  gaussianDropout,
  gaussianNoise,
  spatialDropout1d,
  spatialDropout2d,
  spatialDropout3d,
  type DropoutOptions,
  type GaussianNoiseOptions,
  type NoiseOptions,
  type NoiseShapeOptions,
  type RateOptions,
} from "./dropout.js";
export {
  batchNormalization,
  groupNormalization,
  layerNormalization,
  rmsNormalization,
  spectralNormalization,
  unitNormalization,
  type BatchNormalizationOptions,
  type GroupNormalizationOptions,
  type LayerNormalizationOptions,
  type RmsNormalizationOptions,
  type SpectralNormalizationOptions,
} from "./normalization.js";
export {
  adaptiveAveragePooling1d,
  adaptiveAveragePooling2d,
  adaptiveAveragePooling3d,
  adaptiveMaxPooling1d,
  adaptiveMaxPooling2d,
  adaptiveMaxPooling3d,
  averagePooling1d,
  averagePooling2d,
  averagePooling3d,
  globalAveragePooling1d,
  globalAveragePooling2d,
  globalAveragePooling3d,
  globalMaxPooling1d,
  globalMaxPooling2d,
  globalMaxPooling3d,
  maxPooling1d,
  maxPooling2d,
  maxPooling3d,
  type AdaptivePoolingOptions,
  type GlobalPoolingOptions,
  type PoolingOptions,
} from "./pooling.js";
export {
  cropping1d,
  cropping2d,
  cropping3d,
  flatten,
  permute,
  repeatVector,
  reshape,
  upSampling1d,
  upSampling2d,
  upSampling3d,
  zeroPadding1d,
  zeroPadding2d,
  zeroPadding3d,
  type CroppingOptions,
  type Margins,
  type PermuteOptions,
  type ReshapeOptions,
  type UpSamplingOptions,
  type ZeroPaddingOptions,
} from "./reshaping.js";
