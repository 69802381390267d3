import { describe, expect, it } from "vitest";
import {
  activation,
  averagePooling1d,
  batchNormalization,
  block,
  checkEquivariance,
  checkGradients,
  checkMask,
  conv1d,
  conv2d,
  dense,
  dropMask,
  dropout,
  embedding,
  flatten,
  functional,
  gaussianNoise,
  globalAveragePooling1d,
  globalAveragePooling2d,
  globalMaxPooling1d,
  groupNormalization,
  input,
  lambda,
  layerFunction,
  layerNormalization,
  type LayerFunction,
  masked,
  masking,
  maxPooling1d,
  maxPooling2d,
  type Model,
  ops,
  residual,
  sequential,
  softmax,
  Tensor,
  tensor,
  type Traced,
  upSampling1d,
} from "torte";

const floats = (shape: number[], seed = 1): Tensor =>
  new Tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + i * i * 0.37)),
    shape,
    "float32",
  );

const first = ([x]: readonly Traced[]): Traced => x!;

/** x·w with a derivative by w that is not told. */
const wrong = (): LayerFunction =>
  layerFunction({
    kind: "wrong",
    options: {},
    call: (inputs, scope) => {
      const { value } = first(inputs);
      const weight = scope.weight("factor", [value.shape.at(-1) ?? 1], {
        initializer: (shape) => new Float32Array(shape[0] ?? 0).fill(0.7),
      });
      return { value: ops.add(ops.mul(value, ops.stopGradient(weight)), ops.mul(weight, 0)) };
    },
  });

describe("checkGradients", () => {
  it("passes a model of all that training uses, with its loss", async () => {
    const model = sequential(
      input({ shape: [14], dtype: "int32" }),
      embedding({ inputDim: 7, outputDim: 4, maskZero: true }),
      conv1d({ filters: 4, kernelSize: 3, activation: "swish", kernelRegularizer: "l2" }),
      batchNormalization(),
      dropout({ rate: 0.3 }),
      gaussianNoise({ stddev: 0.1 }),
      averagePooling1d(),
      residual([dense({ units: 4, activation: "tanh" })]),
      layerNormalization(),
      flatten(),
      dense({ units: 1, activation: "sigmoid", activityRegularizer: "l2" }),
      { seed: 5 },
    );
    model.compile({ loss: "binaryCrossentropy" });
    const x = new Tensor(
      Int32Array.from({ length: 42 }, (_, i) => (i % 14 > 10 ? 0 : 1 + ((i * 5) % 6))),
      [3, 14],
      "int32",
    );
    const check = await checkGradients(model, { x, y: tensor([[1], [0], [1]]) }, { samples: 6 });
    expect(check.rows.map(({ name }) => name)).toEqual([
      "embedding.embeddings",
      "conv1d.kernel",
      "conv1d.bias",
      "batch_normalization.gamma",
      "batch_normalization.beta",
      "residual/dense.kernel",
      "residual/dense.bias",
      "layer_normalization.gamma",
      "layer_normalization.beta",
      "dense.kernel",
      "dense.bias",
    ]);
    expect(check.passed, String(check)).toBe(true);
    for (const { maxRelativeError, entries } of check.rows) {
      expect(maxRelativeError).toBeLessThan(1e-5);
      expect(entries.length).toBeLessThanOrEqual(6);
    }
  });

  it("leaves the model as it is, moving averages included", async () => {
    const model = sequential(input({ shape: [3] }), batchNormalization(), dense({ units: 2 }));
    const before = await model.getWeights();
    expect((await checkGradients(model, { x: floats([4, 3]) })).passed).toBe(true);
    expect(await model.getWeights()).toEqual(before);
  });

  it("checks the derivatives by inputs of floats, and several outputs", async () => {
    const [a, b] = [input({ shape: [3], name: "a" }), input({ shape: [3], name: "b" })];
    const y = dense({ units: 2, activation: "tanh", name: "y" })(a);
    const z = dense({ units: 2, name: "z" })(b);
    const check = await checkGradients(functional({ inputs: [a, b], outputs: [y, z] }), {
      x: [floats([2, 3]), floats([2, 3], 4)],
    });
    expect(check.rows.map(({ name }) => name)).toEqual(["y.kernel", "y.bias", "z.kernel", "z.bias", "a", "b"]);
    expect(check.passed).toBe(true);
  });

  it("finds a layer whose derivative is wrong, and names the weight and the entry", async () => {
    const model = sequential(input({ shape: [3] }), dense({ units: 4 }), wrong(), dense({ units: 1 }));
    const check = await checkGradients(model, { x: floats([5, 3]) });
    expect(check.passed).toBe(false);
    expect(check.rows.filter(({ passed }) => !passed).map(({ name }) => name)).toEqual(["wrong.factor"]);
    expect(check.rows.find(({ name }) => name === "wrong.factor")?.maxRelativeError).toBeCloseTo(1, 6);
    expect(check.worst).toMatchObject({ name: "wrong.factor", analytic: 0, corner: false });
    expect(Math.abs(check.worst?.numeric ?? 0)).toBeGreaterThan(0.01);
    expect(String(check)).toMatch(/wrong\.factor +4 +0 +1\.0e\+0 {2}failed/);
    expect(String(check)).toMatch(/Failed: wrong\.factor\[\d\] has the derivative -?[\d.]+; backward gives 0\.$/);
  });

  it("finds a derivative that is twice what it should be", async () => {
    const twice = lambda((x) => ops.sub(ops.mul(x, 2), ops.stopGradient(x)));
    const check = await checkGradients(sequential(input({ shape: [3] }), dense({ units: 2 }), twice), {
      x: floats([2, 3]),
    });
    expect(check.rows.map(({ passed }) => passed)).toEqual([false, false, false]);
    expect(check.worst?.relativeError).toBeCloseTo(0.5, 6);
  });

  it("tells corners from errors", async () => {
    // All inputs are zero, and so are the biases: relu stands at its corner.
    const model = sequential(input({ shape: [2] }), dense({ units: 3, activation: "relu" }));
    const check = await checkGradients(model, { x: tensor([[0, 0]]) });
    expect(check.passed).toBe(true);
    const bias = check.rows.find(({ name }) => name === "dense.bias");
    expect(bias?.entries.map(({ corner, analytic }) => [corner, analytic])).toEqual([
      [true, 0],
      [true, 0],
      [true, 0],
    ]);
  });

  it("prints a table", async () => {
    const model = sequential(input({ shape: [2] }), dense({ units: 1 }));
    const lines = String(await checkGradients(model, { x: floats([3, 2]) })).split("\n");
    expect(lines[0]).toBe("Weight or input                     entries  corners   relative error");
    expect(lines.at(-1)).toBe("Passed: no relative error above 1e-5.");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("refuses what it cannot use", async () => {
    const model = sequential(input({ shape: [2] }), dense({ units: 1 }));
    const x = floats([3, 2]);
    await expect(checkGradients(model, { x, y: x })).rejects.toThrow(
      "checkGradients: targets are given, but the model is not compiled. Call model.compile({ loss }) first, or leave y out.",
    );
    await expect(checkGradients(model, { x }, { samples: 0 })).rejects.toThrow(
      "checkGradients: samples is out of range: expected a whole number of at least 1, received 0.",
    );
    await expect(checkGradients(model, { x }, { tolerance: 0 })).rejects.toThrow(
      "checkGradients: tolerance is out of range: expected a number above 0, received 0.",
    );
    await expect(checkGradients(model, { x }, { sample: 3 } as object)).rejects.toThrow(
      'checkGradients: unknown option "sample": expected one of samples, tolerance, step, training, seed. Did you mean "samples"?',
    );
    await expect(checkGradients(model, { x: floats([3, 4]) })).rejects.toThrow(
      "input: the data does not have the shape of the input: expected (None, 2), received (3, 4).",
    );
  });
});

const onSequence = (length: number, ...layers: LayerFunction[]): Model =>
  sequential(input({ shape: [length, 3] }), ...layers, { seed: 3 });
const conv = (options: object = {}): LayerFunction =>
  conv1d({ filters: 4, kernelSize: 5, biasInitializer: "ones", activation: "tanh", ...options });

/** A bias that differs from position to position. */
const positionBias = (): LayerFunction =>
  layerFunction({
    kind: "positionBias",
    options: {},
    call: (inputs, scope) => {
      const { value, mask } = first(inputs);
      const bias = scope.weight("bias", [value.shape[1] ?? 1, 1], {
        initializer: (shape) => Float32Array.from({ length: shape[0] ?? 0 }, (_, i) => i / 10),
      });
      return masked(ops.add(value, bias), mask);
    },
  });

describe("checkEquivariance, shift", () => {
  it("a convolution alone is equivariant, not invariant", async () => {
    const check = await checkEquivariance(onSequence(40, conv()), { transform: "shift" });
    expect(check).toMatchObject({ passed: true, by: 1, multiple: 1 });
    expect(check.whole).toMatchObject({ layer: "conv1d", type: "Conv1D", verdict: "equivariant", step: 1 });
    expect(check.whole.interiorError).toBeLessThan(1e-12);
    // Without padding, no position sees beyond the border.
    expect(check.whole.edgeError).toBeUndefined();
  });

  it("with full windows of given data, too", async () => {
    const check = await checkEquivariance(onSequence(40, conv(), conv()), {
      transform: "shift",
      by: -3,
      x: floats([2, 40, 3]),
    });
    expect(check.whole).toMatchObject({ verdict: "equivariant" });
  });

  it("padding breaks it at the edge", async () => {
    const check = await checkEquivariance(onSequence(40, conv({ padding: "same" }), conv({ padding: "same" })), {
      transform: "shift",
      by: 4,
      x: floats([2, 40, 3]),
    });
    expect(check.rows.map(({ verdict }) => verdict)).toEqual(["inside", "inside"]);
    expect(check.whole.interiorError).toBeLessThan(1e-12);
    expect(check.whole.edgeError).toBeGreaterThan(0.01);
    expect(check.passed).toBe(true);
  });

  it("pooling allows multiples of its stride only", async () => {
    const model = onSequence(64, conv(), maxPooling1d({ poolSize: 4 }), conv({ kernelSize: 3 }), averagePooling1d());
    const whole = await checkEquivariance(model, { transform: "shift" });
    expect(whole).toMatchObject({ by: 8, multiple: 8, passed: true });
    expect(whole.rows.map(({ step }) => step)).toEqual([1, 4, 4, 8]);
    expect(whole.rows.map(({ verdict }) => verdict)).toEqual(Array(4).fill("equivariant"));
    const odd = await checkEquivariance(model, { transform: "shift", by: 4 });
    expect(odd.rows.map(({ verdict }) => verdict)).toEqual([
      "equivariant",
      "equivariant",
      "equivariant",
      "no multiple",
    ]);
    expect(odd.passed).toBe(false);
    expect(String(odd)).toContain("Layers with strides follow shifts by multiples of 8 only.");
  });

  it("global pooling makes it invariant, flatten and dense do not", async () => {
    for (const pool of [globalMaxPooling1d(), globalAveragePooling1d()]) {
      const check = await checkEquivariance(onSequence(40, conv(), pool, dense({ units: 2 })), { transform: "shift" });
      expect(check.whole).toMatchObject({ verdict: "invariant", step: undefined });
      expect(check.whole.interiorError).toBeLessThan(1e-12);
    }
    const flat = await checkEquivariance(onSequence(40, conv(), flatten(), dense({ units: 2 })), {
      transform: "shift",
    });
    expect(flat.rows.map(({ verdict }) => verdict)).toEqual(["equivariant", "changes", "changes"]);
    expect(flat.whole.interiorError).toBeGreaterThan(0.01);
    expect(flat.passed).toBe(false);
    expect(String(flat)).toContain("The model's output: it changes in another way than the input.");
  });

  it("finds the layer that depends on the position", async () => {
    const check = await checkEquivariance(onSequence(40, conv(), positionBias(), conv()), { transform: "shift" });
    expect(check.rows.map(({ verdict }) => verdict)).toEqual(["equivariant", "changes", "changes"]);
    expect(check.rows[1]?.interiorError).toBeGreaterThan(0.01);
  });

  it("works on tokens with masks, blocks and up-sampling", async () => {
    const model = sequential(
      input({ shape: [60], dtype: "int32" }),
      embedding({ inputDim: 9, outputDim: 4, maskZero: true }),
      block("some block", [conv(), maxPooling1d()]),
      upSampling1d({ size: 2 }),
      globalAveragePooling1d(),
    );
    const check = await checkEquivariance(model, { transform: "shift" });
    expect(check.rows.map(({ layer, verdict }) => [layer, verdict])).toEqual([
      ["embedding", "equivariant"],
      ["some_block", "equivariant"],
      ["some_block/conv1d", "equivariant"],
      ["some_block/max_pooling1d", "equivariant"],
      ["up_sampling1d", "equivariant"],
      ["global_average_pooling1d", "invariant"],
    ]);
  });

  it("works on images, along either axis", async () => {
    const model = sequential(
      input({ shape: [20, 24, 3] }),
      conv2d({ filters: 4, kernelSize: 3 }),
      maxPooling2d({ poolSize: [2, 3] }),
    );
    expect(await checkEquivariance(model, { transform: "shift", axis: 1 })).toMatchObject({ by: 2, passed: true });
    expect(await checkEquivariance(model, { transform: "shift", axis: 2 })).toMatchObject({ by: 3, passed: true });
  });

  it("counts layers that look at the whole sequence as edge", async () => {
    const check = await checkEquivariance(onSequence(30, softmax({ axis: 1 })), {
      transform: "shift",
      x: floats([1, 30, 3]),
    });
    expect(check.whole.interiorError).toBeUndefined();
    expect(check.whole.verdict).toBe("changes");
  });
});

describe("checkEquivariance, permute", () => {
  it("layers that see one position are equivariant, sums over positions invariant", async () => {
    const model = onSequence(
      12,
      dense({ units: 4, activation: "relu" }),
      layerNormalization(),
      globalAveragePooling1d(),
    );
    const check = await checkEquivariance(model, { transform: "permute" });
    expect(check.rows.map(({ verdict }) => verdict)).toEqual(["equivariant", "equivariant", "invariant"]);
    expect(check.by).toBeUndefined();
  });

  it("norms over all positions are equivariant, too", async () => {
    const check = await checkEquivariance(onSequence(12, groupNormalization({ groups: 1 })), { transform: "permute" });
    expect(check.whole.verdict).toBe("equivariant");
  });

  it("a convolution is not", async () => {
    const same = await checkEquivariance(onSequence(12, conv({ padding: "same" })), { transform: "permute" });
    expect(same.whole.verdict).toBe("changes");
    const valid = await checkEquivariance(onSequence(12, conv(), globalMaxPooling1d()), { transform: "permute" });
    expect(valid.rows.map(({ verdict }) => verdict)).toEqual(["no counterpart", "changes"]);
    expect(valid.passed).toBe(false);
  });
});

describe("checkEquivariance, rotate90", () => {
  const image = (...layers: LayerFunction[]): Model =>
    sequential(input({ shape: [12, 12, 3] }), ...layers, { seed: 1 });

  it("a convolution is not equivariant, one of a single tap or of equal taps is", async () => {
    const check = (layer: LayerFunction) => checkEquivariance(image(layer), { transform: "rotate90" });
    expect((await check(conv2d({ filters: 2, kernelSize: 3 }))).whole.verdict).toBe("changes");
    expect((await check(conv2d({ filters: 2, kernelSize: 1 }))).whole.verdict).toBe("equivariant");
    const even = await check(conv2d({ filters: 2, kernelSize: 3, padding: "same", kernelInitializer: "ones" }));
    expect(even.whole.verdict).toBe("equivariant");
    expect(even.whole.edgeError).toBeLessThan(1e-12);
  });

  it("pooling is, and a global mean is invariant", async () => {
    const model = image(activation("relu"), maxPooling2d(), globalAveragePooling2d());
    const check = await checkEquivariance(model, { transform: "rotate90" });
    expect(check.rows.map(({ verdict }) => verdict)).toEqual(["equivariant", "equivariant", "invariant"]);
  });
});

describe("checkEquivariance", () => {
  it("refuses what cannot be moved", async () => {
    const run = (model: Model, options: object) =>
      checkEquivariance(model, options as Parameters<typeof checkEquivariance>[1]);
    await expect(run(onSequence(9, conv()), { transform: "flip" })).rejects.toThrow(
      'checkEquivariance: transform is unknown: expected one of "shift", "permute", "rotate90", received "flip".',
    );
    await expect(run(onSequence(9, conv()), { transform: "shift", by: 9 })).rejects.toThrow(
      "checkEquivariance: by is out of range: expected a whole number, not 0, below 9, received 9.",
    );
    await expect(run(sequential(input({ shape: [9] }), dense({ units: 1 })), { transform: "shift" })).rejects.toThrow(
      "checkEquivariance: the input has no axis of positions to shift: expected an input of sequences or images, received axis 1 of (None, 9).",
    );
    const oblong = sequential(input({ shape: [8, 9, 1] }), conv2d({ filters: 1, kernelSize: 3 }));
    await expect(run(oblong, { transform: "rotate90" })).rejects.toThrow(
      "checkEquivariance: only square images can be turned: expected height = width, received (None, 8, 9, 1).",
    );
  });
});

describe("checkMask", () => {
  const masking0 = (...layers: LayerFunction[]): Model =>
    sequential(
      input({ shape: [24], dtype: "int32" }),
      embedding({ inputDim: 9, outputDim: 4, maskZero: true }),
      ...layers,
      { seed: 2 },
    );

  it("passes what honours its mask, up to the output", async () => {
    const check = await checkMask(
      masking0(
        conv(),
        batchNormalization(),
        maxPooling1d(),
        residual([dense({ units: 4 })]),
        flatten(),
        dense({ units: 1 }),
      ),
    );
    expect(check.passed, String(check)).toBe(true);
    expect(check.first).toBeUndefined();
    for (const { paddingValue, contentError, lengthError, masked: carried, layer } of check.rows) {
      expect(paddingValue).toBe(carried ? 0 : undefined);
      expect(contentError).toBe(0);
      // Dense behind flatten fits one length only.
      if (layer === "dense") expect(lengthError).toBeUndefined();
      else expect(lengthError).toBeLessThan(1e-12);
    }
    expect(String(check)).toContain("Passed: padding changes nothing.");
  });

  it("finds the layer from which on padding counts", async () => {
    const leak = (): LayerFunction =>
      layerFunction({
        kind: "leak",
        options: {},
        endsMask: true,
        call: (inputs) => ({ value: ops.add(first(inputs).value, 1) }),
      });
    const check = await checkMask(masking0(conv(), leak(), globalAveragePooling1d()));
    expect(check.passed).toBe(false);
    expect(check.first).toMatchObject({ layer: "leak", type: "Leak", masked: false });
    expect(check.first?.lengthError).toBeGreaterThan(0.01);
    expect(check.rows.map(({ passed }) => passed)).toEqual([true, true, false, false]);
    expect(String(check)).toContain("Failed: padding counts from leak (Leak) on.");
    const nested = await checkMask(masking0(block("some block", [conv(), leak()]), globalAveragePooling1d()));
    expect(nested.first?.layer).toBe("some_block/leak");
  });

  it("finds a layer that keeps the mask but not its zeros", async () => {
    const careless = layerFunction({
      kind: "careless",
      options: {},
      call: (inputs) => ({ value: ops.add(first(inputs).value, 1), mask: first(inputs).mask }),
    });
    const check = await checkMask(masking0(careless));
    expect(check.first).toMatchObject({ layer: "careless", paddingValue: 1 });
  });

  it("accepts dropMask as long as padding stays nothing", async () => {
    expect((await checkMask(masking0(dropMask(), dense({ units: 2, useBias: false })))).passed).toBe(true);
    const check = await checkMask(masking0(dropMask(), dense({ units: 2, biasInitializer: "ones" })));
    expect(check.first?.layer).toBe("dense");
  });

  it("works with masking of floats, of another value, too", async () => {
    for (const maskValue of [0, -1]) {
      const check = await checkMask(onSequence(20, masking({ maskValue }), conv(), globalMaxPooling1d()), { more: 3 });
      expect(check.passed, String(check)).toBe(true);
      expect(check.rows.map(({ masked: carried }) => carried)).toEqual([true, true, false]);
      expect(check.more).toBe(3);
      expect(check.rows[0]?.contentError).toBeUndefined();
    }
  });

  it("refuses a model without masks", async () => {
    await expect(checkMask(onSequence(20, conv()))).rejects.toThrow(
      "checkMask: no layer of the model has a mask. Set maskZero: true in its embedding, or put masking() behind its input.",
    );
  });
});
