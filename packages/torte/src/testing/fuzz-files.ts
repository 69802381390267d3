/** Files to begin with when readers are fuzzed. */
import "../names.js";
import { zipSync } from "fflate";
import { LAYER_NAMES, modelOf } from "../../test/every-layer.js";
import { formatSafetensors } from "../data/safetensors.js";
import { binaryCrossentropy } from "../losses/crossentropy.js";
import { expectedCalibrationError } from "../metrics/probability.js";
import { auroc, sensitivityAtSpecificity } from "../metrics/ranking.js";
import { concatenate } from "../nn/layers/merge.js";
import { block, residual, timeDistributed } from "../nn/layers/composite.js";
import { dense } from "../nn/layers/dense.js";
import { l2 } from "../nn/regularizers.js";
import { input } from "../nn/network.js";
import { adam } from "../optim/adam.js";
import { cosineDecay, warmup } from "../optim/schedules.js";
import { functional, sequential } from "../train/sequential.js";
import type { Model } from "../train/model.js";
import { tensor } from "../tensor/tensor.js";

export const SAFETENSORS: readonly Uint8Array[] = [
  formatSafetensors({}),
  formatSafetensors({ a: tensor([1, 2, 3]), b: tensor([[1], [2]], { dtype: "int32" }) }, { made: "here" }),
  formatSafetensors({ "a.b": tensor([true, false]), c: tensor([1.5], { dtype: "float64" }), d: tensor([]) }),
];

/** One npy array of so many bytes. */
function npy(descr: string, shape: string, bytes: number, order = "False"): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
  const whole = new Uint8Array(10 + header.length + bytes);
  whole.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
  whole.set(new TextEncoder().encode(header), 10);
  return whole;
}

export const NPY: readonly Uint8Array[] = [
  npy("<f4", "(2, 3)", 24),
  npy(">i8", "(2,)", 16),
  npy("|b1", "()", 1),
  npy("<f2", "(2, 1, 2)", 8, "True"),
];

export const ZIP: readonly Uint8Array[] = [
  zipSync({ "a.npy": npy("<f4", "(8, 8)", 256), "b.npy": npy("<i4", "(2,)", 8) }),
  zipSync({ "a.npy": [npy("|u1", "(3,)", 3), { level: 0 }] }),
];

/** A model of each layer, and models of layers within layers. */
export async function modelFiles(): Promise<Uint8Array[]> {
  const x = input({ shape: [6, 4] });
  const shared = dense({ units: 4, kernelRegularizer: l2(0.1), activation: "gelu" });
  const inner = sequential(input({ shape: [6, 4] }), dense({ units: 4 }), { backend: "reference" });
  const body = block("outer", [block("inner", [shared, dense({ units: 4 })]), residual([dense({ units: 4 })])]);
  const steps = timeDistributed(dense({ units: 2 }))(concatenate()([body(x), inner.asLayer()(x), shared(x)]));
  const nested = functional({ inputs: [x], outputs: [steps, body(body(x))], backend: "reference" });
  // A lambda is a function, which no file holds.
  const single = LAYER_NAMES.filter((name) => name !== "lambda").map((name) => modelOf(name));
  return Promise.all([nested, ...single].map((model) => model.save()));
}

/** Models with what training needs to go on. */
export async function trainedFiles(): Promise<Uint8Array[]> {
  const small = (): Model =>
    sequential(input({ shape: [2] }), dense({ units: 1, activation: "sigmoid" }), { backend: "reference" });
  const [plain, rich] = [small(), small()];
  plain.compile({ optimizer: "sgd", loss: "meanSquaredError" });
  rich.compile({
    optimizer: adam({
      learningRate: warmup(2, cosineDecay({ initialLearningRate: 0.1, decaySteps: 4 })),
      useEma: true,
      gradientAccumulationSteps: 2,
      exclude: ["dense.bias"],
      lrMultiplier: { dense: 2 },
    }),
    loss: { dense: binaryCrossentropy({ labelSmoothing: 0.1 }) },
    metrics: [
      "accuracy",
      auroc(),
      expectedCalibrationError({ bins: 5 }),
      sensitivityAtSpecificity({ specificity: 0.5 }),
    ],
  });
  const data = {
    x: tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]),
    y: tensor([[0], [1], [1]]),
  };
  for (const model of [plain, rich]) await model.fit(data, { batchSize: 1 });
  return Promise.all([plain, rich].map((model) => model.save()));
}
