/** Options out of range, shapes that do not fit, masks and integers where they cannot be: the whole messages. */
import { describe, expect, it } from "vitest";
import {
  activations,
  embedding,
  functional,
  initializers,
  input,
  layerFunction,
  layers as L,
  masked,
  maxNorm,
  minMaxNorm,
  type LayerFunction,
  ops,
  regularizers,
  sequential,
  type SymbolicTensor,
} from "torte";

/** As from JavaScript, where nobody checks types. */
const loose = (value: unknown): never => value as never;

/** The messages of what each of them throws. */
function messages(bodies: readonly (() => unknown)[]): string {
  const lines = bodies.map((body) => {
    try {
      body();
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message.split("\n\n")[0] ?? ""}`;
    }
    return `nothing is thrown by ${body.toString()}`;
  });
  return `\n${lines.join("\n")}\n`;
}

const floats = (...shape: number[]): SymbolicTensor => input({ shape });
const tokens = (...shape: number[]): SymbolicTensor => input({ shape, dtype: "int32" });
const sequence = (length = 6): SymbolicTensor =>
  embedding({ inputDim: 9, outputDim: 4, maskZero: true })(tokens(length));

describe("options", () => {
  it("of kernels", () => {
    expect(
      messages([
        () => L.dense(loose({})),
        () => L.dense({ units: 2, useBias: loose("yes") }),
        () => L.dense({ units: 2, kernelInitializer: loose("glorot_uniform") }),
        () => L.dense({ units: 2, biasConstraint: loose("nonneg") }),
        () => L.dense({ units: 2, activityRegularizer: loose(5) }),
        () => L.dense({ units: 2, trainable: loose(1) }),
        () => L.dense(loose(3)),
        () => L.einsumDense({ equation: "ab,c", outputShape: 3 }),
        () => L.einsumDense({ equation: "abc,cd->abd", outputShape: loose(undefined) }),
        () => L.einsumDense({ equation: "ab,bc->ac", outputShape: 3, biasAxes: loose(["c"]) }),
        () => L.einsumDense({ equation: "abc,cd->abd", outputShape: [null, 3] })(floats(4)),
        () => L.einsumDense({ equation: "ab,bc->ac", outputShape: 3, biasAxes: "x" })(floats(4)),
        () => L.einsumDense({ equation: "abc,cd->abd", outputShape: [5, 3] })(floats(4, 2)),
        () => L.einsumDense({ equation: "ab,bcd->acd", outputShape: 3 })(floats(4)),
        () => L.embedding({ inputDim: 3, outputDim: 0 }),
        () => L.embedding({ inputDim: 3, outputDim: 2, maskZero: loose(1) }),
      ]),
    ).toMatchInlineSnapshot(`
      "
      OptionError: dense: units is out of range: expected a whole number of at least 1, received undefined.
      OptionError: dense: useBias has the wrong type: expected true or false, received "yes".
      OptionError: dense: kernelInitializer is unknown: expected a function or one of constant, zeros, ones, identity, randomUniform, uniform, randomNormal, normal, truncatedNormal, varianceScaling, glorotUniform, glorotNormal, heUniform, heNormal, lecunUniform, lecunNormal, orthogonal, stft, received "glorot_uniform". Did you mean "glorotUniform"?
      OptionError: dense: biasConstraint is unknown: expected a function or one of maxNorm, minMaxNorm, nonNeg, unitNorm, received "nonneg". Did you mean "nonNeg"?
      OptionError: dense: activityRegularizer is unknown: expected a function or one of l1, l2, l1l2, l2Norm, orthogonal, received 5.
      OptionError: dense: trainable has the wrong type: expected true or false, received 1.
      OptionError: dense: options are no object: expected an object with name, trainable, activityRegularizer, activation, useBias, kernelInitializer, biasInitializer, kernelRegularizer, biasRegularizer, kernelConstraint, biasConstraint, units, received 3.
      OptionError: einsumDense: the equation cannot be read: expected one like "abc,cd->abd" or "...c,cd->...d", received "ab,c".
      OptionError: einsumDense: outputShape has the wrong form: expected a size, or a list of sizes and null, received undefined.
      OptionError: einsumDense: biasAxes has the wrong form: expected a text of labels, received ["c"].
      OptionError: einsumDense: the equation has other axes than the input: expected 2 labels, received "abc".
      OptionError: einsumDense: biasAxes does not fit: expected labels of ac, received "x".
      OptionError: einsumDense: outputShape contradicts the input in b: expected 4, received 5.
      OptionError: einsumDense: the size of c is not known: expected it in the input or in outputShape, received 3.
      OptionError: embedding: outputDim is out of range: expected a whole number of at least 1, received 0.
      OptionError: embedding: maskZero has the wrong type: expected true or false, received 1.
      "
    `);
  });

  it("of windows", () => {
    expect(
      messages([
        () => L.conv1d(loose({ filters: 4 })),
        () => L.conv2d({ filters: 4, kernelSize: [3, 0] }),
        () => L.conv2d({ filters: 4, kernelSize: [3] }),
        () => L.conv2d({ filters: 4, kernelSize: 3, padding: "causal" }),
        () => L.conv1d({ filters: 4, kernelSize: 3, strides: 0 }),
        () => L.conv1d({ filters: 4, kernelSize: 3, dilationRate: 1.5 }),
        () => L.conv1d({ filters: 4, kernelSize: loose("3") }),
        () => L.conv1dTranspose({ filters: 4, kernelSize: 3, strides: 2, outputPadding: 2 }),
        () => L.conv2dTranspose({ filters: 4, kernelSize: 3, outputPadding: loose("1") }),
        () => L.conv1dTranspose({ filters: 4, kernelSize: 3, padding: loose("causal") }),
        () => L.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 0 }),
        () => L.depthwiseConv2d(loose({ kernelSize: 3, filters: 4 })),
        () => L.separableConv1d(loose({ kernelSize: 3 })),
        () => L.maxPooling1d({ poolSize: 0 }),
        () => L.averagePooling2d({ padding: loose("causal") }),
        () => L.globalMaxPooling1d({ keepDims: loose("yes") }),
        () => L.adaptiveMaxPooling1d(loose({})),
        () => L.conv1d(loose({ filters: 4, kernelSize: 3, dataFormat: "channels_first" })),
      ]),
    ).toMatchInlineSnapshot(`
      "
      OptionError: conv1d: kernelSize is missing: expected a number, received undefined.
      OptionError: conv2d: kernelSize is out of range: expected a whole number of at least 1, received 0.
      OptionError: conv2d: kernelSize has the wrong form: expected a number, or a list of 2, received [3].
      OptionError: conv2d: padding is unknown: expected one of "valid", "same", received "causal".
      OptionError: conv1d: strides is out of range: expected a whole number of at least 1, received 0.
      OptionError: conv1d: dilationRate is out of range: expected a whole number of at least 1, received 1.5.
      OptionError: conv1d: kernelSize has the wrong form: expected a number, received "3".
      OptionError: conv1dTranspose: outputPadding is out of range: expected a number below the strides 2, received 2.
      OptionError: conv2dTranspose: outputPadding is out of range: expected a whole number of at least 0, received "1".
      OptionError: conv1dTranspose: padding is unknown: expected one of "valid", "same", received "causal".
      OptionError: depthwiseConv2d: depthMultiplier is out of range: expected a whole number of at least 1, received 0.
      OptionError: depthwiseConv2d: unknown option "filters": expected one of name, trainable, activityRegularizer, activation, useBias, biasInitializer, biasRegularizer, biasConstraint, kernelSize, strides, padding, dilationRate, depthMultiplier, depthwiseInitializer, depthwiseRegularizer, depthwiseConstraint.
      OptionError: separableConv1d: filters is out of range: expected a whole number of at least 1, received undefined.
      OptionError: maxPooling1d: poolSize is out of range: expected a whole number of at least 1, received 0.
      OptionError: averagePooling2d: padding is unknown: expected one of "valid", "same", received "causal".
      OptionError: globalMaxPooling1d: keepDims has the wrong type: expected true or false, received "yes".
      OptionError: adaptiveMaxPooling1d: outputSize is missing: expected a number, received undefined.
      OptionError: conv1d: unknown option "dataFormat": expected one of name, trainable, activityRegularizer, activation, useBias, kernelInitializer, biasInitializer, kernelRegularizer, biasRegularizer, kernelConstraint, biasConstraint, filters, kernelSize, strides, padding, dilationRate, groups.
      "
    `);
  });

  it("of normalization and noise", () => {
    expect(
      messages([
        () => L.batchNormalization({ momentum: 1.5 }),
        () => L.batchNormalization({ epsilon: 0 }),
        () => L.batchNormalization({ axis: 3 })(floats(4, 2)),
        () => L.layerNormalization({ axis: [] })(floats(4, 2)),
        () => L.layerNormalization({ center: loose(0) }),
        () => L.groupNormalization({ groups: 0 }),
        () => L.groupNormalization({ groups: 3 })(floats(4)),
        () => L.unitNormalization({ axis: 0 })(floats(4)),
        () => L.spectralNormalization(L.flatten())(floats(4)),
        () => L.spectralNormalization(loose("dense")),
        () => L.spectralNormalization(L.dense({ units: 2 }), { powerIterations: 0 }),
        () => L.dropout(loose({})),
        () => L.dropout({ rate: 1 }),
        () => L.dropout({ rate: 0.5, rescale: loose("exact") }),
        () => L.dropout({ rate: 0.5, seed: -1 }),
        () => L.dropout({ rate: 0.5, noiseShape: [null, 3] })(floats(4)),
        () => L.spatialDropout1d({ rate: -0.1 }),
        () => L.spatialDropout2d({ rate: 0.1 })(floats(4, 2)),
        () => L.gaussianNoise({ stddev: -1 }),
        () => L.gaussianDropout({ rate: loose("0.1") }),
        () => L.alphaDropout({ rate: Infinity }),
        () => L.activityRegularization({ l1: -1 }),
      ]),
    ).toMatchInlineSnapshot(`
      "
      OptionError: batchNormalization: momentum is out of range: expected a number at least 0 and at most 1, received 1.5.
      OptionError: batchNormalization: epsilon is out of range: expected a number above 0, received 0.
      OptionError: batchNormalization: the axis does not exist: expected 1…2, or negative (axis 0 is the batch), received 3.
      OptionError: layerNormalization: axis is empty: expected an axis, or a list of axes, received [].
      OptionError: layerNormalization: center has the wrong type: expected true or false, received 0.
      OptionError: groupNormalization: groups is out of range: expected a whole number of at least 1, received 0.
      ShapeError: groupNormalization: groups does not divide the channels: expected channels in multiples of 3, received 4.
      OptionError: unitNormalization: the axis does not exist: expected 1…1, or negative (axis 0 is the batch), received 0.
      ShapeError: spectralNormalization: the layer has no kernel to normalize: expected a layer with a kernel, such as dense or a convolution, received flatten.
      OptionError: spectralNormalization: there is no layer to wrap: expected a layer, received "dense".
      OptionError: spectralNormalization: powerIterations is out of range: expected a whole number of at least 1, received 0.
      OptionError: dropout: rate is out of range: expected a number at least 0 and below 1, received undefined.
      OptionError: dropout: rate is out of range: expected a number at least 0 and below 1, received 1.
      OptionError: dropout: rescale is unknown: expected one of "expected", "realized", received "exact".
      OptionError: dropout: seed is out of range: expected a whole number from 0 to 4294967295, received -1.
      OptionError: dropout: noiseShape does not fit: expected for each axis of (None, 4) 1, or null, received [null, 3].
      OptionError: spatialDropout1d: rate is out of range: expected a number at least 0 and below 1, received -0.1.
      ShapeError: spatialDropout2d: wrong number of axes: expected (batch, height, width, channels), received (None, 4, 2).
      OptionError: gaussianNoise: stddev is out of range: expected a number at least 0, received -1.
      OptionError: gaussianDropout: rate is out of range: expected a number at least 0 and below 1, received "0.1".
      OptionError: alphaDropout: rate is out of range: expected a number at least 0 and below 1, received Infinity.
      OptionError: activityRegularization: l1 is out of range: expected a number at least 0, received -1.
      "
    `);
  });

  it("of activations, shapes and the core", () => {
    expect(
      messages([
        () => L.activation(loose("hard_sigmoid")),
        () => L.activation(activations.glu())(floats(3)),
        () => activations.gelu({ sigma: 0 }),
        () => activations.gelu({ approximate: loose("tanh") }),
        () => activations.celu(0),
        () => L.relu({ maxValue: -1 }),
        () => L.relu({ threshold: NaN }),
        () => L.leakyRelu({ negativeSlope: -1 }),
        () => L.prelu({ sharedAxes: loose(1) }),
        () => L.prelu({ sharedAxes: [2] })(floats(4)),
        () => L.softmax({ axis: 0 })(floats(4)),
        () => L.reshape(loose({})),
        () => L.reshape({ targetShape: [-1, -1] }),
        () => L.reshape({ targetShape: [3, -1] })(floats(4)),
        () => L.permute({ dims: [1, 1] })(floats(4, 2)),
        () => L.repeatVector({ n: 0 }),
        () => L.zeroPadding1d({ padding: [1, 2, 3] }),
        () => L.zeroPadding2d({ padding: -1 }),
        () => L.cropping1d({ cropping: 3 })(floats(5, 2)),
        () => L.upSampling2d({ interpolation: loose("bicubic") }),
        () => L.upSampling1d({ size: 0 }),
        () => L.lambda(loose("x")),
        () => L.lambda((x) => x, { mask: loose("drop") }),
        () => L.masking({ maskValue: loose("0") }),
        () => L.concatenate({ axis: 0 })([floats(2), floats(2)]),
        () => L.dot(loose({})),
        () => L.dot({ axes: [1, 2] })([floats(2), floats(2)]),
        () => L.block("", [L.flatten()]),
        () => L.block("b", []),
        () => L.residual([L.flatten()], { merge: loose("sum") }),
        () => L.timeDistributed(loose(undefined)),
      ]),
    ).toMatchInlineSnapshot(`
      "
      OptionError: activation: activation is unknown: expected a function or one of linear, relu, relu6, leakyRelu, elu, celu, selu, gelu, sigmoid, logSigmoid, hardSigmoid, sparseSigmoid, tanh, hardTanh, tanhShrink, hardShrink, softShrink, threshold, softplus, squareplus, sparsePlus, softsign, exponential, swish, silu, hardSwish, hardSilu, mish, glu, softmax, logSoftmax, sparsemax, received "hard_sigmoid". Did you mean "hardSigmoid"?
      ShapeError: activation, glu: the axis cannot be halved: expected an even size on axis -1, received (None, 3).
      OptionError: gelu: sigma is out of range: expected a number above 0, received 0.
      OptionError: gelu: approximate has the wrong type: expected true or false, received "tanh".
      OptionError: celu: alpha is out of range: expected a number above 0, received 0.
      OptionError: relu: maxValue is out of range: expected a number at least 0, received -1.
      OptionError: relu: threshold is out of range: expected a number at least 0, received NaN.
      OptionError: leakyRelu: negativeSlope is out of range: expected a number at least 0, received -1.
      OptionError: prelu: sharedAxes has the wrong form: expected a list of axes, received 1.
      OptionError: prelu: the axis does not exist: expected 1…1, or negative (axis 0 is the batch), received 2.
      OptionError: softmax: the axis does not exist: expected 1…1, or negative (axis 0 is the batch), received 0.
      OptionError: reshape: targetShape has the wrong form: expected a list of sizes of at least 1, one of which may be -1, received undefined.
      OptionError: reshape: targetShape has the wrong form: expected a list of sizes of at least 1, one of which may be -1, received [-1, -1].
      ShapeError: reshape: targetShape does not fit: expected 4 values, received (3, -1).
      OptionError: permute: dims is no order of the axes: expected the numbers 1…2, each once, received [1, 1].
      OptionError: repeatVector: n is out of range: expected a whole number of at least 1, received 0.
      OptionError: zeroPadding1d: padding has the wrong form: expected a number, or a pair, received [1, 2, 3].
      OptionError: zeroPadding2d: padding is out of range: expected a whole number of at least 0, received -1.
      ShapeError: cropping1d: cropping leaves nothing: expected more than 6 positions, received (5,).
      OptionError: upSampling2d: interpolation is unknown: expected one of "nearest", "bilinear", received "bicubic".
      OptionError: upSampling1d: size is out of range: expected a whole number of at least 1, received 0.
      OptionError: lambda: there is no function: expected a function of a node, received "x".
      OptionError: lambda: mask is unknown: expected one of "keep", "refuse", received "drop".
      OptionError: masking: maskValue is out of range: expected a finite number, received "0".
      OptionError: concatenate: the axis does not exist: expected 1…1, or negative (axis 0 is the batch), received 0.
      OptionError: dot: axes is missing: expected an axis, or one for each input, received undefined.
      OptionError: dot: the axis does not exist: expected 1…1, or negative (axis 0 is the batch), received 2.
      OptionError: block: the name is unusable: expected a text without /, received "".
      OptionError: block: there is no body: expected a list of layers, or a function of a symbolic tensor, received [].
      OptionError: residual: merge is unknown: expected one of "add", "concatenate", received "sum".
      OptionError: timeDistributed: there is no layer to wrap: expected a layer, received undefined.
      "
    `);
  });

  it("of initializers, regularizers and constraints", () => {
    expect(
      messages([
        () => initializers.randomUniform({ minval: 1, maxval: 0 }),
        () => initializers.randomNormal({ stddev: -1 }),
        () => initializers.varianceScaling({ mode: loose("fan_in") }),
        () => initializers.varianceScaling({ scale: 0 }),
        () => initializers.glorotUniform(loose({ gain: 2 })),
        () => initializers.heNormal({ seed: 0.5 }),
        () => initializers.constant({ value: loose("1") }),
        () => initializers.identity()([2, 3, 4], [1, 2]),
        () => initializers.stft()([2, 3, 4], [1, 2]),
        () => regularizers.l1(-1),
        () => regularizers.l2(loose("0.1")),
        () => regularizers.l1l2(loose({ l3: 1 })),
        () => regularizers.orthogonal({ mode: loose("both") }),
        () => L.conv1d({ filters: 2, kernelSize: 2, kernelRegularizer: "orthogonal" })(floats(4, 2)),
        () => L.dense({ units: 2, kernelRegularizer: (w) => ops.square(w) })(floats(3)),
        () => L.dense({ units: 2, activityRegularizer: (w) => ops.square(w) })(floats(3)),
        () => maxNorm({ maxValue: -1 }),
        () => minMaxNorm({ minValue: 2, maxValue: 1 }),
        () => minMaxNorm({ rate: 0 }),
      ]),
    ).toMatchInlineSnapshot(`
      "
      OptionError: randomUniform: maxval is out of range: expected a number at least 1, received 0.
      OptionError: randomNormal: stddev is out of range: expected a number at least 0, received -1.
      OptionError: varianceScaling: mode is unknown: expected one of "fanIn", "fanOut", "fanAvg", received "fan_in". Did you mean "fanIn"?
      OptionError: varianceScaling: scale is out of range: expected a number above 0, received 0.
      OptionError: glorotUniform: unknown option "gain": expected one of seed.
      OptionError: heNormal: seed is out of range: expected a whole number from 0 to 4294967295, received 0.5.
      OptionError: constant: value is out of range: expected a finite number, received "1".
      ShapeError: identity: the weight is no matrix: expected a shape of two axes, received (2, 3, 4).
      ShapeError: stft: wrong shape: expected (length, 1, bands), the kernel of a conv1d over one channel, received (2, 3, 4).
      OptionError: l1: strength is out of range: expected a number at least 0, received -1.
      OptionError: l2: strength is out of range: expected a number at least 0, received "0.1".
      OptionError: l1l2: unknown option "l3": expected one of l1, l2. Did you mean "l1"?
      OptionError: orthogonal: mode is unknown: expected one of "rows", "columns", received "both".
      ShapeError: conv1d, orthogonal: the weight is no matrix: expected a shape of two axes, received (2, 2, 2).
      ShapeError: dense: the regularizer of kernel gives no penalty: expected one float32 number, received float32 of shape (3, 2). Sum it up with ops.sum.
      ShapeError: dense: activityRegularizer gives no penalty: expected one float32 number, received float32 of shape (2, 2). Sum it up with ops.sum.
      OptionError: maxNorm: maxValue is out of range: expected a number at least 0, received -1.
      OptionError: minMaxNorm: maxValue is out of range: expected a number at least 2, received 1.
      OptionError: minMaxNorm: rate is out of range: expected a number above 0 and at most 1, received 0.
      "
    `);
  });
});

describe("shapes", () => {
  it("that a layer cannot take", () => {
    expect(
      messages([
        () => L.dense({ units: 2 })(floats()),
        () => L.conv2d({ filters: 2, kernelSize: 3 })(floats(4, 2)),
        () => L.conv2d({ filters: 2, kernelSize: 3 })(floats(2, 5, 1)),
        () => L.conv1d({ filters: 2, kernelSize: 3, groups: 2 })(floats(5, 3)),
        () => L.separableConv1d({ filters: 2, kernelSize: 3 })(floats(2, 3)),
        () => L.maxPooling1d({ poolSize: 3 })(floats(2, 3)),
        () => L.globalAveragePooling2d()(floats(4, 2)),
        () => L.adaptiveMaxPooling2d({ outputSize: 2 })(floats(4, 2)),
        () => L.repeatVector({ n: 2 })(floats(4, 2)),
        () => L.timeDistributed(L.dense({ units: 2 }))(floats(4)),
        () => L.masking()(floats(4)),
        () => L.embedding({ inputDim: 3, outputDim: 2, maskZero: true })(tokens(4, 2)),
      ]),
    ).toMatchInlineSnapshot(`
      "
      ShapeError: dense: there are no features: expected (batch, …, features), received (None). Declare the input with shape: [1].
      ShapeError: conv2d: wrong number of axes: expected (batch, height, width, channels), received (None, 4, 2).
      ShapeError: conv2d: the window does not fit into the input: expected at least 3 x 3 positions, received 2 x 5. Take a smaller window, pool less before it, or set padding: "same".
      ShapeError: conv1d: groups does not divide the channels: expected channels in multiples of 2, received 3.
      ShapeError: separableConv1d: the window does not fit into the input: expected at least 3 positions, received 2. Take a smaller window, pool less before it, or set padding: "same".
      ShapeError: maxPooling1d: the window does not fit into the input: expected at least 3 positions, received 2. Take a smaller window, pool less before it, or set padding: "same".
      ShapeError: globalAveragePooling2d: wrong number of axes: expected (batch, height, width, channels), received (None, 4, 2).
      ShapeError: adaptiveMaxPooling2d: wrong number of axes: expected (batch, height, width, channels), received (None, 4, 2).
      ShapeError: repeatVector: wrong number of axes: expected (batch, features), received (None, 4, 2).
      ShapeError: timeDistributed: wrong number of axes: expected (batch, length, …), received (None, 4).
      ShapeError: masking: there are no steps: expected (batch, length, …, features), received (None, 4).
      ShapeError: embedding: maskZero is for sequences: expected (batch, length), received (None, 4, 2).
      "
    `);
  });

  it("that do not fit each other", () => {
    const shared = L.dense({ units: 2 });
    expect(
      messages([
        () => L.add()([floats(4, 2), floats(4, 3)]),
        () => L.subtract()([floats(4), floats(4, 1)]),
        () => L.subtract()([floats(4), floats(4), floats(4)]),
        () => L.multiply()(floats(4)),
        () => L.concatenate()([floats(4, 2), floats(3, 2)]),
        () => L.dot({ axes: 1 })([floats(4), floats(3)]),
        () => L.residual([L.conv1d({ filters: 2, kernelSize: 3 })])(floats(6, 2)),
        () => L.residual([L.dense({ units: 3 })])(floats(6, 2)),
        () => L.residual([L.dense({ units: 3 })], { project: [L.dense({ units: 4 })] })(floats(2)),
        () => L.residual([L.maxPooling1d()], { merge: "concatenate" })(floats(6, 2)),
        () => [shared(floats(3)), shared(floats(4))],
        () => L.dense({ units: 2 })([floats(3), floats(3)]),
      ]),
    ).toMatchInlineSnapshot(`
      "
      ShapeError: add: the inputs do not fit each other: expected inputs of one shape, received (None, 4, 2) and (None, 4, 3). Project one of them with a dense layer or a convolution of kernelSize 1.
      ShapeError: subtract: the inputs do not fit each other: expected inputs of one shape, received (None, 4) and (None, 4, 1). Project one of them with a dense layer or a convolution of kernelSize 1.
      ShapeError: subtract: wrong number of inputs: expected 2, received 3.
      ShapeError: multiply: wrong number of inputs: expected at least 2, received 1. Call it with a list, as in add()([a, b]).
      ShapeError: concatenate: the inputs do not fit each other: expected inputs that differ only on axis 2, received (None, 4, 2) and (None, 3, 2). Project one of them with a dense layer or a convolution of kernelSize 1.
      ShapeError: dot: the summed axes differ in length: expected 4, received 3.
      ShapeError: residual: the input and the body have different shapes: expected (None, 6, 2) from the body, received (None, 4, 2). Set padding: "same" in the body's convolutions and pool outside of it, so that the positions stay.
      ShapeError: residual: the input and the body have different shapes: expected (None, 6, 2) from the body, received (None, 6, 3). Give project: [dense({ units: 3, useBias: false })], so that both ways are 3 wide, or merge: "concatenate".
      ShapeError: residual: the projection and the body have different shapes: expected (None, 4) from the body, received (None, 3). Give project: [dense({ units: 3, useBias: false })], so that both ways are 3 wide, or merge: "concatenate".
      ShapeError: residual: the input and the body have different shapes: expected (None, 6, 2) from the body, received (None, 3, 2). Set padding: "same" in the body's convolutions and pool outside of it, so that the positions stay.
      ShapeError: dense: the layer is shared, but its kernel would need another shape here: expected (3, 2), received (4, 2).
      ShapeError: dense: wrong number of inputs: expected 1, received 2.
      "
    `);
  });

  it("of what is no model", () => {
    const x = floats(3);
    const two = functional({ inputs: x, outputs: [L.dense({ units: 1 })(x), x] });
    expect(
      messages([
        () => L.dense({ units: 2 })(loose([1, 2])),
        () => L.dense({ units: 2 })(loose(L.dense({ units: 2 }))),
        () => sequential(loose(L.dense({ units: 2 }))),
        () => sequential(floats(3)),
        () => functional({ inputs: loose(undefined), outputs: x }),
        () => functional({ inputs: x, outputs: loose([]) }),
        () => functional({ inputs: floats(3), outputs: L.dense({ units: 1 })(x) }),
        () => functional({ inputs: x, outputs: L.dense({ units: 1, name: "a" })(L.dense({ units: 1, name: "a" })(x)) }),
        () => two.asLayer(),
        () => input(loose({})),
        () => input({ shape: [3], dtype: loose("int64") }),
      ]),
    ).toMatchInlineSnapshot(`
      "
      OptionError: dense: a layer is called on symbolic tensors: expected what input() or another layer gives, or a list of it, received [1, 2]. For numbers make a model, and call model.predict.
      OptionError: dense: a layer is called on symbolic tensors: expected what input() or another layer gives, or a list of it, received a function. For numbers make a model, and call model.predict.
      OptionError: sequential: a model begins with an input: expected input({ shape }), then layers, received a function. Write sequential(input({ shape: [n] }), dense({ units: 1 })).
      TorteError: sequential: there are no layers: expected an input and at least one layer.
      OptionError: functional: inputs are no symbolic tensors: expected what input() or a layer gives, or a list of it, received undefined.
      OptionError: functional: outputs are no symbolic tensors: expected what input() or a layer gives, or a list of it, received [].
      ShapeError: functional: the outputs depend on an input that is not listed. Add it to the model's inputs.
      OptionError: model: two layers are called "a": expected a name for each layer of its own. Layers keep the names that their first model gave them; name them with the option name before.
      ShapeError: asLayer: a layer has one output: expected a model with 1 output, received one with 2. Make a model of the same inputs and one of the outputs with functional.
      OptionError: input: shape is missing: expected a list of sizes, without the batch, received undefined.
      OptionError: input: dtype is unknown: expected one of "float32", "int32", received "int64". Did you mean "int32"?
      "
    `);
  });

  it("of layers of your own", () => {
    const own = (call: Parameters<typeof layerFunction>[0]["call"]): LayerFunction =>
      layerFunction({ kind: "own", options: {}, call });
    expect(
      messages([
        () => own(() => loose(undefined))(floats(3)),
        () => own(([x]) => ({ value: ops.sum(x?.value ?? ops.constant(0)) }))(floats(3)),
        () => own(([x]) => ({ value: ops.transpose(x?.value ?? ops.constant(0)) }))(floats(3)),
        () =>
          own(([x]) => ({ value: x?.value ?? ops.constant(0), mask: ops.constant(1, [2, 5], "bool") }))(floats(3, 2)),
        () => own(([x]) => ({ value: ops.mul(x?.value ?? ops.constant(0), 2) }))(sequence()),
        () => own(([x]) => masked(ops.slice(x?.value ?? ops.constant(0), 1, 0, 2), x?.mask))(sequence()),
        () => L.lambda((x) => ops.sum(x))(floats(3)),
      ]),
    ).toMatchInlineSnapshot(`
      "
      ShapeError: own: the layer gives no result with the batch of its input: expected { value } with a node of shape (batch, …), received undefined. Keep axis 0, which is 2 here, as it is.
      ShapeError: own: the layer gives no result with the batch of its input: expected { value } with a node of shape (batch, …), received one of shape (). Keep axis 0, which is 2 here, as it is.
      ShapeError: own: the layer gives no result with the batch of its input: expected { value } with a node of shape (batch, …), received one of shape (3, 2). Keep axis 0, which is 2 here, as it is.
      MaskError: own: the mask does not fit the result: expected bool (None, 3) beside (None, 3, 2), received bool (None, 5).
      MaskError: own: the layer loses the mask of its input: expected a result with a mask, received a result without one. Return masked(value, mask), or define the layer with endsMask: true if padding may count as data from here on.
      MaskError: own, masked: the mask does not fit the value: expected one of 2 positions for (None, 2, 4), received one of 6.
      ShapeError: lambda: the layer gives no result with the batch of its input: expected { value } with a node of shape (batch, …), received one of shape (). Keep axis 0, which is 2 here, as it is.
      "
    `);
  });
});

describe("masks and integers", () => {
  it("are refused by name where a layer cannot honour them", () => {
    expect(
      messages([
        () => L.adaptiveAveragePooling1d({ outputSize: 2 })(sequence()),
        () => L.permute({ dims: [2, 1] })(sequence()),
        () => L.upSampling1d({ interpolation: "bilinear" })(sequence()),
        () => L.einsumDense({ equation: "abc,bd->adc", outputShape: [3, null] })(sequence()),
        () => L.groupNormalization({ groups: 2, axis: 1, name: "groups" })(sequence()),
        () => L.concatenate({ axis: 1 })([sequence(), sequence(4)]),
        () => L.lambda((x) => x, { name: "own" })(sequence()),
        () => L.dense({ units: 2 })(L.dot({ axes: [2, 1] })([sequence(), floats(4)])),
      ]),
    ).toMatchInlineSnapshot(`
      "
      MaskError: adaptiveAveragePooling1d: the layer cannot honour the mask of its input: expected an input without a mask, received a masked sequence. Put dropMask() before it if padding may count as data from here on.
      MaskError: permute: the layer cannot honour the mask of its input: expected an input without a mask, received a masked sequence. Put dropMask() before it if padding may count as data from here on.
      MaskError: upSampling1d: the layer cannot honour the mask of its input: expected an input without a mask, received a masked sequence. Put dropMask() before it if padding may count as data from here on.
      MaskError: einsumDense: the layer cannot honour the mask of its input: expected an input without a mask, received a masked sequence. Put dropMask() before it if padding may count as data from here on.
      MaskError: groups: the layer cannot honour the mask of its input: expected an input without a mask, received a masked sequence. Put dropMask() before it if padding may count as data from here on.
      MaskError: concatenate: sequences with masks cannot be joined end to end. Put dropMask() before it if padding may count as data from here on.
      MaskError: own: the layer cannot honour the mask of its input: expected an input without a mask, received a masked sequence. Put dropMask() before it if padding may count as data from here on.
      MaskError: dense: the layer cannot honour the mask of its input: expected an input without a mask, received a masked sequence. Put dropMask() before it if padding may count as data from here on.
      "
    `);
  });

  it("are refused where floats are needed, and floats where tokens are", () => {
    expect(
      messages([
        () => L.conv1d({ filters: 2, kernelSize: 2 })(tokens(4, 2)),
        () => L.batchNormalization({ name: "norm" })(tokens(4)),
        () => L.dropout({ rate: 0.1 })(tokens(4)),
        () => L.add()([tokens(4), floats(4)]),
        () => L.globalMaxPooling1d()(tokens(4, 2)),
        () => L.activation("relu")(tokens(4)),
        () => L.embedding({ inputDim: 3, outputDim: 2 })(floats(4)),
      ]),
    ).toMatchInlineSnapshot(`
      "
      ShapeError: conv1d: the layer computes with floats: expected float32, received int32 of shape (None, 4, 2). Put an embedding before it, or declare the input as float32.
      ShapeError: norm: the layer computes with floats: expected float32, received int32 of shape (None, 4). Put an embedding before it, or declare the input as float32.
      ShapeError: dropout: the layer computes with floats: expected float32, received int32 of shape (None, 4). Put an embedding before it, or declare the input as float32.
      ShapeError: add: the layer computes with floats: expected float32, received int32 of shape (None, 4). Put an embedding before it, or declare the input as float32.
      ShapeError: globalMaxPooling1d: the layer computes with floats: expected float32, received int32 of shape (None, 4, 2). Put an embedding before it, or declare the input as float32.
      ShapeError: activation: the layer computes with floats: expected float32, received int32 of shape (None, 4). Put an embedding before it, or declare the input as float32.
      ShapeError: embedding: tokens are integers: expected int32, received float32. Declare the input with dtype: "int32".
      "
    `);
  });
});
