/**
 * Is a protein soluble? A convolutional network reads its sequence (chapter 7 of "Deep Learning for Molecules and
 * Materials", A. White). Copy this file, with synthetic.ts beside it, and change it for a model of your own:
 *
 *   npx torte train examples/solubility/experiment.ts --variant dropout
 */
import { experiment } from "@torte/cli";
import { adam, concatenateTensors, conv1d, dense, dropout, embedding } from "torte";
import { flatten, input, maxPooling1d, sequential, split, tensor } from "torte";
import { syntheticProteins } from "./synthetic.js";

export default experiment({
  name: "solubility",
  variants: ["base", "dropout", "l2"],
  training: { epochs: 10, batchSize: 16, seed: 0 },

  // Soluble and insoluble proteins: 200 amino acids each, numbered 1 to 20, and 0 where the protein has ended.
  async data({ npz, seed }) {
    const { positives, negatives } = await npz({
      file: "solubility.npz",
      arrays: { positives: [null, 200], negatives: [null, 200] },
      range: [0, 20],
      sha256: "37b2e198e5d28a7468c67d7599c88f4ab4c37d8d2481be7fb314f40caeaf085d",
      url: "https://github.com/whitead/dmol-book/raw/main/data/solubility.npz",
      standIn: syntheticProteins,
    });
    const x = concatenateTensors([positives, negatives]);
    const [soluble = 0] = positives.shape;
    const [proteins = 0] = x.shape;
    const y = tensor(Float32Array.from({ length: proteins }, (_, i) => Number(i < soluble)));
    const { train, validation, test } = split({ x, y }, { validation: 0.1, test: 0.1, seed });
    return { train: train.shuffle({ seed }), validation, test };
  },

  // Three convolutions, each with pooling, then three dense layers that decide.
  model({ variant, options }) {
    const drop = () => (variant === "dropout" ? [dropout({ rate: 0.3 })] : []);
    const penalty = variant === "l2" ? { kernelRegularizer: "l2" as const } : {};
    return sequential(
      input({ shape: [200], dtype: "int32" }),
      embedding({ inputDim: 21, outputDim: 16, maskZero: true }),
      conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
      maxPooling1d({ poolSize: 4 }),
      conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
      maxPooling1d({ poolSize: 2 }),
      conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
      maxPooling1d({ poolSize: 2 }),
      flatten(),
      ...drop(),
      dense({ units: 256, activation: "relu", ...penalty }),
      ...drop(),
      dense({ units: 64, activation: "relu", ...penalty }),
      ...drop(),
      dense({ units: 1, activation: "sigmoid" }),
      options,
    );
  },

  compile: { optimizer: adam({ learningRate: 1e-3 }), loss: "binaryCrossentropy", metrics: ["accuracy"] },
});
