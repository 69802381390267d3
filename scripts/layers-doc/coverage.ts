/** Every public layer of Keras 3, and what there is in its place. */
import type { LayerName } from "../../packages/torte/src/nn/inspect/hyperparameter-table.js";

/** Our layer (or function that makes one), or a text that says why there is none. */
export type Counterpart = { readonly ours: LayerName | "input" | "activation" } | { readonly why: string };

export interface Section {
  readonly title: string;
  readonly layers: Readonly<Record<string, Counterpart>>;
}

const ours = (name: LayerName | "input"): Counterpart => ({ ours: name });
const why = (text: string): Counterpart => ({ why: text });

const LATER = why("not yet");
const DATA = why("preparation of data: out of scope, do it before the model");
const AUGMENTATION = why("augmentation of images: out of scope");
const each = (names: readonly string[], counterpart: Counterpart): Readonly<Record<string, Counterpart>> =>
  Object.fromEntries(names.map((name) => [name, counterpart]));

export const COVERAGE: readonly Section[] = [
  {
    title: "Core",
    layers: {
      Input: ours("input"),
      InputLayer: ours("input"),
      Dense: ours("dense"),
      EinsumDense: ours("einsumDense"),
      Activation: ours("activation"),
      Embedding: ours("embedding"),
      ReversibleEmbedding: why("not yet; it comes with attention"),
      Masking: ours("masking"),
      Lambda: ours("lambda"),
      Identity: ours("identity"),
      Wrapper: why("a base class: `layerFunction` with `children` does its work"),
      Layer: why("a base class: `layerFunction` and `Layer`"),
      InputSpec: why("layers check their inputs themselves"),
    },
  },
  {
    title: "Activation",
    layers: {
      ReLU: ours("relu"),
      Softmax: ours("softmax"),
      LeakyReLU: ours("leakyRelu"),
      PReLU: ours("prelu"),
      ELU: ours("elu"),
    },
  },
  {
    title: "Convolution",
    layers: {
      Conv1D: ours("conv1d"),
      Conv2D: ours("conv2d"),
      Conv3D: ours("conv3d"),
      SeparableConv1D: ours("separableConv1d"),
      SeparableConv2D: ours("separableConv2d"),
      DepthwiseConv1D: ours("depthwiseConv1d"),
      DepthwiseConv2D: ours("depthwiseConv2d"),
      Conv1DTranspose: ours("conv1dTranspose"),
      Conv2DTranspose: ours("conv2dTranspose"),
      Conv3DTranspose: ours("conv3dTranspose"),
    },
  },
  {
    title: "Pooling",
    layers: {
      MaxPooling1D: ours("maxPooling1d"),
      MaxPooling2D: ours("maxPooling2d"),
      MaxPooling3D: ours("maxPooling3d"),
      AveragePooling1D: ours("averagePooling1d"),
      AveragePooling2D: ours("averagePooling2d"),
      AveragePooling3D: ours("averagePooling3d"),
      GlobalMaxPooling1D: ours("globalMaxPooling1d"),
      GlobalMaxPooling2D: ours("globalMaxPooling2d"),
      GlobalMaxPooling3D: ours("globalMaxPooling3d"),
      GlobalAveragePooling1D: ours("globalAveragePooling1d"),
      GlobalAveragePooling2D: ours("globalAveragePooling2d"),
      GlobalAveragePooling3D: ours("globalAveragePooling3d"),
      AdaptiveAveragePooling1D: ours("adaptiveAveragePooling1d"),
      AdaptiveAveragePooling2D: ours("adaptiveAveragePooling2d"),
      AdaptiveAveragePooling3D: ours("adaptiveAveragePooling3d"),
      AdaptiveMaxPooling1D: ours("adaptiveMaxPooling1d"),
      AdaptiveMaxPooling2D: ours("adaptiveMaxPooling2d"),
      AdaptiveMaxPooling3D: ours("adaptiveMaxPooling3d"),
    },
  },
  {
    title: "Recurrent",
    layers: {
      ...each(
        [
          "LSTM",
          "LSTMCell",
          "GRU",
          "GRUCell",
          "SimpleRNN",
          "SimpleRNNCell",
          "RNN",
          "StackedRNNCells",
          "Bidirectional",
          "ConvLSTM1D",
          "ConvLSTM2D",
          "ConvLSTM3D",
        ],
        why("not yet: the library is about feed-forward layers"),
      ),
      TimeDistributed: ours("timeDistributed"),
    },
  },
  {
    title: "Attention",
    layers: each(["Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"], LATER),
  },
  {
    title: "Normalization",
    layers: {
      BatchNormalization: ours("batchNormalization"),
      LayerNormalization: ours("layerNormalization"),
      GroupNormalization: ours("groupNormalization"),
      RMSNormalization: ours("rmsNormalization"),
      UnitNormalization: ours("unitNormalization"),
      SpectralNormalization: ours("spectralNormalization"),
    },
  },
  {
    title: "Regularization",
    layers: {
      Dropout: ours("dropout"),
      SpatialDropout1D: ours("spatialDropout1d"),
      SpatialDropout2D: ours("spatialDropout2d"),
      SpatialDropout3D: ours("spatialDropout3d"),
      GaussianDropout: ours("gaussianDropout"),
      AlphaDropout: ours("alphaDropout"),
      GaussianNoise: ours("gaussianNoise"),
      ActivityRegularization: ours("activityRegularization"),
    },
  },
  {
    title: "Reshaping",
    layers: {
      Reshape: ours("reshape"),
      Flatten: ours("flatten"),
      RepeatVector: ours("repeatVector"),
      Permute: ours("permute"),
      Cropping1D: ours("cropping1d"),
      Cropping2D: ours("cropping2d"),
      Cropping3D: ours("cropping3d"),
      UpSampling1D: ours("upSampling1d"),
      UpSampling2D: ours("upSampling2d"),
      UpSampling3D: ours("upSampling3d"),
      ZeroPadding1D: ours("zeroPadding1d"),
      ZeroPadding2D: ours("zeroPadding2d"),
      ZeroPadding3D: ours("zeroPadding3d"),
      ReconstructPatches2D: why("not yet; `reshape` and `permute` do it for patches that do not overlap"),
      ReconstructPatches3D: why("not yet; `reshape` and `permute` do it for patches that do not overlap"),
    },
  },
  {
    title: "Merging",
    layers: {
      Concatenate: ours("concatenate"),
      Average: ours("average"),
      Maximum: ours("maximum"),
      Minimum: ours("minimum"),
      Add: ours("add"),
      Subtract: ours("subtract"),
      Multiply: ours("multiply"),
      Dot: ours("dot"),
    },
  },
  {
    title: "Preprocessing",
    layers: {
      ...each(
        ["TextVectorization", "StringLookup", "IntegerLookup", "IndexLookup", "CategoryEncoding", "Hashing"],
        DATA,
      ),
      ...each(["HashedCrossing", "Discretization", "Normalization", "STFTSpectrogram", "MelSpectrogram"], DATA),
      ...each(["Resizing", "CenterCrop", "Pipeline"], DATA),
      Rescaling: ours("rescaling"),
      ...each(
        [
          "AugMix",
          "AutoContrast",
          "ContrastLimitedAdaptiveHistogramEqualization",
          "CutMix",
          "Equalization",
          "MaxNumBoundingBoxes",
          "MixUp",
          "RandAugment",
          "RandomBrightness",
          "RandomColorDegeneration",
          "RandomColorJitter",
          "RandomContrast",
          "RandomCrop",
          "RandomElasticTransform",
          "RandomErasing",
          "RandomFlip",
          "RandomGaussianBlur",
          "RandomGrayscale",
          "RandomHue",
          "RandomInvert",
          "RandomPerspective",
          "RandomPosterization",
          "RandomRotation",
          "RandomSaturation",
          "RandomSharpness",
          "RandomShear",
          "RandomTranslation",
          "RandomZoom",
          "Solarization",
        ],
        AUGMENTATION,
      ),
    },
  },
  {
    title: "Specific to one backend",
    layers: each(["TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"], why("wraps a Python framework")),
  },
];
