/** What people read when something is wrong: where, expected, received, and how to fix it. */
import { describe, expect, it } from "vitest";
import {
  adam,
  add,
  conv1d,
  Dataset,
  dense,
  dropout,
  embedding,
  flatten,
  input,
  maxPooling1d,
  residual,
  sequential,
  sgd,
  split,
  tensor,
  type Model,
} from "torte";

const message = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
};
const rejection = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
};
/** As from JavaScript, where nobody checks types. */
const loose = (value: object): never => value as never;

describe("options", () => {
  it.each([
    [
      () => dense(loose({ unitz: 3 })),
      'dense: unknown option "unitz": expected one of name, trainable, activityRegularizer, activation, useBias, kernelInitializer, biasInitializer, kernelRegularizer, biasRegularizer, kernelConstraint, biasConstraint, units. Did you mean "units"?',
    ],
    [() => dense({ units: 0 }), "dense: units is out of range: expected a whole number of at least 1, received 0."],
    [() => dense({ units: 2.5 }), "dense: units is out of range: expected a whole number of at least 1, received 2.5."],
    [
      () => dropout({ rate: 7 }),
      "dropout: rate is out of range: expected a number at least 0 and below 1, received 7.",
    ],
    [
      () => dropout({ rate: NaN }),
      "dropout: rate is out of range: expected a number at least 0 and below 1, received NaN.",
    ],
    [
      () => conv1d({ filters: 4, kernelSize: [1, 2] }),
      "conv1d: kernelSize has the wrong form: expected a number, received [1, 2].",
    ],
    [
      () => conv1d({ filters: 4, kernelSize: 3, padding: loose(["full"] as never) }),
      'conv1d: padding is unknown: expected one of "valid", "same", "causal", received ["full"].',
    ],
    [
      () => conv1d({ filters: 4, kernelSize: 3, groups: 3 }),
      "conv1d: groups does not divide filters: expected a divisor of 4, received 3.",
    ],
    [
      () => adam({ learningRate: -1 }),
      "adam: learningRate is out of range: expected a number at least 0, received -1.",
    ],
    [() => adam({ beta1: 1 }), "adam: beta1 is out of range: expected a number above 0 and below 1, received 1."],
    [
      () => sgd(loose({ lr: 1 })),
      'sgd: unknown option "lr": expected one of momentum, nesterov, learningRate, weightDecay, exclude, clipvalue, clipnorm, globalClipnorm, useEma, emaMomentum, emaOverwriteFrequency, gradientAccumulationSteps, lrMultiplier. Did you mean "learningRate"?',
    ],
    [
      () => sgd(loose({ momentun: 1 })),
      'sgd: unknown option "momentun": expected one of momentum, nesterov, learningRate, weightDecay, exclude, clipvalue, clipnorm, globalClipnorm, useEma, emaMomentum, emaOverwriteFrequency, gradientAccumulationSteps, lrMultiplier. Did you mean "momentum"?',
    ],
    [
      () => adam({ clipnorm: 1, clipvalue: 1 }),
      "adam: gradients are clipped in one way: expected one of the three, received clipvalue and clipnorm.",
    ],
    [() => input({ shape: [-3] }), "input: shape is out of range: expected a whole number of at least 1, received -3."],
    [
      () => embedding({ inputDim: 0, outputDim: 3 }),
      "embedding: inputDim is out of range: expected a whole number of at least 1, received 0.",
    ],
    [
      () => dense({ units: 2, activation: loose("rleu" as never) }),
      'dense: activation is unknown: expected a function or one of linear, relu, relu6, leakyRelu, elu, celu, selu, gelu, sigmoid, logSigmoid, hardSigmoid, sparseSigmoid, tanh, hardTanh, tanhShrink, hardShrink, softShrink, threshold, softplus, squareplus, sparsePlus, softsign, exponential, swish, silu, hardSwish, hardSilu, mish, glu, softmax, logSoftmax, sparsemax, received "rleu". Did you mean "relu"?',
    ],
    [
      () => dense({ units: 2, kernelRegularizer: loose("l3" as never) }),
      'dense: kernelRegularizer is unknown: expected a function or one of l1, l2, l1l2, l2Norm, orthogonal, received "l3". Did you mean "l1"?',
    ],
    [
      () => sequential(loose([input({ shape: [1] }), dense({ units: 1 })])),
      "sequential: a model begins with an input: expected input({ shape }), then layers, received [a SymbolicTensor, a function]. Write sequential(input({ shape: [n] }), dense({ units: 1 })).",
    ],
    [
      () => sequential(input({ shape: [1] }), { seed: 1 }, dense({ units: 1 })),
      "sequential: part 1 has the wrong type: expected a layer, received { seed: 1 }. Write sequential(input({ shape }), layer, layer, …, options).",
    ],
    [
      () => sequential(input({ shape: [1] }), dense({ units: 1 }), loose({ sed: 1 })),
      'model: unknown option "sed": expected one of backend, precision, threads, seed, name. Did you mean "seed"?',
    ],
    [() => dense({ units: 2, name: "a/b" }), 'dense: name is unusable: expected a text without /, received "a/b".'],
  ])("%#", (body, expected) => {
    expect(message(body)).toBe(expected);
  });
});

describe("compile", () => {
  const compile = (options: object) => () => {
    sequential(input({ shape: [1] }), dense({ units: 1 })).compile(loose(options));
  };
  const losses =
    "binaryCrossentropy, categoricalCrossentropy, sparseCategoricalCrossentropy, binaryFocalCrossentropy, " +
    "categoricalFocalCrossentropy, categoricalGeneralizedCrossEntropy, klDivergence, meanSquaredError, meanAbsoluteError, " +
    "meanAbsolutePercentageError, meanSquaredLogarithmicError, huber, logCosh, poisson, cosineSimilarity, hinge, " +
    "squaredHinge, categoricalHinge, dice, tversky";
  it.each([
    [
      { loss: "meanSquaredError", optimiser: "adam" },
      'compile: unknown option "optimiser": expected one of optimizer, loss, lossWeights, metrics, exactConvolutions. Did you mean "optimizer"?',
    ],
    [{}, `compile: loss is unknown: expected a loss or one of ${losses}, received undefined.`],
    [
      { loss: "mse" },
      `compile: loss is unknown: expected a loss or one of ${losses}, received "mse". Did you mean "meanSquaredError"?`,
    ],
    [{ loss: {} }, `compile: loss is unknown: expected a loss or one of ${losses}, received {}.`],
    [
      { loss: "meanSquaredError", optimizer: {} },
      "compile: optimizer is unknown: expected an optimizer or one of sgd, adam, adamw, nadam, adamax, rmsprop, adagrad, adadelta, adafactor, lion, lamb, muon, scheduleFreeAdamW, received {}.",
    ],
    [
      { loss: "meanSquaredError", metrics: "accuracy" },
      'compile: metrics has the wrong type: expected a list, such as ["accuracy"], received "accuracy".',
    ],
    [
      { loss: "meanSquaredError", metrics: ["acc"] },
      'compile: metric is unknown: expected a metric, a loss, or the name of one, such as "accuracy", "auroc" or "meanAbsoluteError", received "acc". Did you mean "accuracy"?',
    ],
  ])("%j", (options, expected) => {
    expect(message(compile(options))).toBe(expected);
  });
});

describe("shapes", () => {
  it("are shown up to the layer that fails", () => {
    expect(
      message(() =>
        sequential(
          input({ shape: [10], dtype: "int32" }),
          embedding({ inputDim: 5, outputDim: 4 }),
          maxPooling1d({ poolSize: 4 }),
          conv1d({ filters: 8, kernelSize: 5 }),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "conv1d: the window does not fit into the input: expected at least 5 positions, received 2. Take a smaller window, pool less before it, or set padding: "same".

      The model up to the layer that failed:

      Model: "sequential"
      ____________________________________________________________________________
       Layer (type)                        Output Shape              Param #
      ============================================================================
       embedding (Embedding)               (None, 10, 4)             20
       max_pooling1d (MaxPooling1D)        (None, 2, 4)              0
      ============================================================================
      Total params: 20
      Trainable params: 20
      Non-trainable params: 0
      ____________________________________________________________________________"
    `);
  });

  it("of a convolution without channels", () => {
    expect(message(() => conv1d({ filters: 8, kernelSize: 5 })(input({ shape: [20] })))).toBe(
      "conv1d: wrong number of axes: expected (batch, length, channels), received (None, 20).",
    );
  });

  it("of integers where floats are needed", () => {
    expect(message(() => dense({ units: 2 })(input({ shape: [3], dtype: "int32" })))).toBe(
      "dense: the layer computes with floats: expected float32, received int32 of shape (None, 3). Put an embedding before it, or declare the input as float32.",
    );
  });

  it("of what cannot be merged", () => {
    const x = input({ shape: [3] });
    expect(message(() => add()([x, dense({ units: 4 })(x)]))).toBe(
      "add: the inputs do not fit each other: expected inputs of one shape, received (None, 3) and (None, 4). Project one of them with a dense layer or a convolution of kernelSize 1.",
    );
    expect(message(() => residual([dense({ units: 4 })])(x))).toBe(
      'residual: the input and the body have different shapes: expected (None, 3) from the body, received (None, 4). Give project: [dense({ units: 4, useBias: false })], so that both ways are 4 wide, or merge: "concatenate".',
    );
  });
});

describe("data", () => {
  const tokens = (): Model => {
    const model = sequential(
      input({ shape: [3], dtype: "int32" }),
      embedding({ inputDim: 21, outputDim: 2 }),
      flatten(),
      dense({ units: 1, activation: "sigmoid" }),
    );
    model.compile({ loss: "binaryCrossentropy" });
    return model;
  };
  const ints = (rows: number[][]) => tensor(rows, { dtype: "int32" });
  const floats = (): Model => {
    const model = sequential(input({ shape: [2] }), dense({ units: 1 }));
    model.compile({ loss: "meanSquaredError" });
    return model;
  };

  it.each([
    [
      () =>
        tokens().fit({
          x: ints([
            [1, 2, 3],
            [4, 21, 6],
          ]),
          y: tensor([[0], [1]]),
        }),
      "input: a token is out of range: expected 0…20, received 21 at row 1, column 1.",
    ],
    [
      () => tokens().predict(ints([[1, -2, 3]])),
      "input: a token is out of range: expected 0…20, received -2 at row 0, column 1.",
    ],
    [
      () => tokens().fit({ x: ints([[1, 2, 3]]), y: tensor([[2]]) }),
      "binaryCrossentropy: a label is out of range: expected numbers from 0 to 1, received 2 at row 0, column 0.",
    ],
    [
      () => tokens().predict(tensor([[1, 2, 3]])),
      'input: the input takes integers: expected int32, received float32. Make it with tensor(values, { dtype: "int32" }).',
    ],
    [
      () => tokens().predict(ints([[1, 2]])),
      "input: the data does not have the shape of the input: expected (None, 3), received (1, 2).",
    ],
    [
      () => floats().fit({ x: tensor([[1, NaN]]), y: tensor([[1]]) }),
      "input: the data is not finite: expected finite numbers, received NaN at row 0, column 1.",
    ],
    [
      () => floats().fit({ x: tensor([[1, 2]]), y: tensor([[Infinity]]) }),
      "targets: the data is not finite: expected finite numbers, received Infinity at row 0, column 0.",
    ],
    [
      () => floats().fit({ x: tensor([[1, 2]]), y: tensor([[1, 2]]) }),
      "meanSquaredError: the targets do not have the shape of the output: expected (None, 1), received (1, 2).",
    ],
    [() => floats().fit({ x: tensor([[1, 2]]) }), "model: wrong number of targets: expected 1, received 0."],
    [
      () => floats().fit({ x: tensor([[1, 2]]), y: tensor([[1]]) }, { epochs: 0 }),
      "fit: epochs is out of range: expected a whole number of at least 1, received 0.",
    ],
    [
      () => floats().fit({ x: tensor([[1, 2]]), y: tensor([[1]]) }, loose({ epoch: 3 })),
      'fit: unknown option "epoch": expected one of epochs, initialEpoch, batchSize, stepsPerEpoch, validationData, validationSplit, validationSteps, callbacks, signal, shuffle, classWeight, checkpoint, resume, verbose. Did you mean "epochs"?',
    ],
    [
      () => floats().fit({ x: tensor([[1, 2]]), y: tensor([[1]]) }, { callbacks: loose([5]) }),
      "fit: callback 0 has the wrong type: expected an object with functions such as onEpochEnd, received 5.",
    ],
    [
      () => floats().fit({ x: tensor([[1, 2]]), y: tensor([[1]]) }, { callbacks: [loose({ onEpochend: () => 1 })] }),
      'fit: callback 0 has an unknown function: expected onTrainBegin, onEpochBegin, onBatchEnd, onProgress, onEpochEnd, onNotFinite, onTrainEnd, received "onEpochend".',
    ],
    [
      () => floats().fit({ x: tensor([[1, 2]]), y: tensor([[1]]) }, { signal: loose({}) }),
      "fit: signal has the wrong type: expected the signal of an AbortController, received {}.",
    ],
    [
      () => floats().fit({ x: tensor([[1, 2]]), y: tensor([[1]]) }, { batchSize: 0 }),
      "fit: batchSize is out of range: expected a whole number of at least 1, received 0.",
    ],
    [
      () =>
        floats().fit(
          { x: tensor([[1, 2]]), y: tensor([[1]]) },
          { validationData: { x: tensor([[1, Infinity]]), y: tensor([[1]]) } },
        ),
      "input of validationData: the data is not finite: expected finite numbers, received Infinity at row 0, column 1.",
    ],
    [
      () => tokens().checkData({ x: ints([[0, 0, 30]]), y: tensor([[1]]) }),
      "input: a token is out of range: expected 0…20, received 30 at row 0, column 2.",
    ],
    [
      () => sequential(input({ shape: [2] }), dense({ units: 1 })).fit({ x: tensor([[1, 2]]), y: tensor([[1]]) }),
      "fit: the model is not compiled. Call model.compile({ optimizer, loss }) first.",
    ],
  ])("%#", async (body, expected) => {
    expect(await rejection(body())).toBe(expected);
  });

  it("that is empty", () => {
    expect(message(() => Dataset.fromTensors({ x: tensor([], { shape: [0, 3] }) }))).toBe(
      "Dataset.fromTensors: there are no rows: expected at least one example.",
    );
    const few = Dataset.fromTensors({ x: tensor([[1], [2]]) });
    expect(message(() => split(few))).toBe(
      "split: a part would be empty: expected at least one row in each, received 2 train, 0 validation, 0 test of 2 rows.",
    );
    expect(message(() => split(few, loose({ fractions: [0.8, 0.1, 0.1] })))).toBe(
      'split: unknown option "fractions": expected one of validation, test, seed, stratify.',
    );
    expect(message(() => few.take(0))).toBe(
      "take: count is out of range: expected a whole number from 1 to 2 (the dataset has 2 rows), received 0.",
    );
    expect(message(() => few.skip(2))).toBe(
      "skip: count is out of range: expected a whole number from 0 to 1 (the dataset has 2 rows), received 2.",
    );
    expect(message(() => few.batch(3, { dropRemainder: true }))).toBe(
      "batch: no batch is left: expected a size of at most 2 with dropRemainder, received 3.",
    );
  });
});
