/**
 * Trains the chapter's network with each kind of regularization (§7.6) on its data and writes what became of it to
 * docs/chapter/regularization.json: `npx jiti scripts/chapter-runs.ts`. Needs the data in the folder that TORTE_DATA names.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  activityRegularization,
  adam,
  batchNormalization,
  concatenateTensors,
  conv1d,
  dense,
  dropout,
  embedding,
  flatten,
  input,
  l1,
  l2,
  layerNormalization,
  loadNpz,
  maxPooling1d,
  type Regularizer,
  sequential,
  split,
  tensor,
} from "torte";
import { root } from "./root.js";

const { positives, negatives } = await loadNpz(join(process.env["TORTE_DATA"] ?? "", "solubility.npz"));
if (positives === undefined || negatives === undefined)
  throw new Error("solubility.npz has no positives and negatives");
const x = concatenateTensors([positives, negatives]);
const soluble = positives.shape[0] ?? 0;
const y = tensor(Float32Array.from({ length: x.shape[0] ?? 0 }, (_, i) => Number(i < soluble)));
const { train, validation } = split({ x, y }, { validation: 0.1, test: 0.1, seed: 0 });

interface Kind {
  readonly penalty?: Regularizer;
  readonly between?: () => ReturnType<typeof flatten>[];
}

const KINDS: Readonly<Record<string, Kind>> = {
  none: {},
  "L2 0.01": { penalty: l2(0.01) },
  "L2 0.0003": { penalty: l2(0.0003) },
  "L1 0.00003": { penalty: l1(0.00003) },
  "activity 0.001": { between: () => [activityRegularization({ l2: 0.001 })] },
  "batch normalization": { between: () => [batchNormalization()] },
  "layer normalization": { between: () => [layerNormalization()] },
  "dropout 0.3": { between: () => [dropout({ rate: 0.3 })] },
};

async function figures({ penalty, between = () => [] }: Kind): Promise<readonly Record<string, number>[]> {
  const options = penalty === undefined ? {} : { kernelRegularizer: penalty };
  const model = sequential(
    input({ shape: [200], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: 16, maskZero: true }),
    conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
    maxPooling1d({ poolSize: 4 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    flatten(),
    ...between(),
    dense({ units: 256, activation: "relu", ...options }),
    ...between(),
    dense({ units: 64, activation: "relu", ...options }),
    ...between(),
    dense({ units: 1, activation: "sigmoid" }),
    { seed: 0, precision: "reproducible" },
  );
  model.compile({ optimizer: adam(), loss: "binaryCrossentropy", metrics: ["accuracy"] });
  const { epochs } = await model.fit(train.shuffle({ seed: 0 }), {
    epochs: 20,
    batchSize: 16,
    validationData: validation,
  });
  await model.close();
  const round = (value: number): number => Number(value.toFixed(4));
  return epochs.map((logs) => Object.fromEntries(Object.entries(logs).map(([name, value]) => [name, round(value)])));
}

const results: Record<string, unknown> = {};
for (const [name, kind] of Object.entries(KINDS)) {
  results[name] = await figures(kind);
  console.log(name, JSON.stringify((results[name] as readonly unknown[]).at(-1)));
}
const file = join(root, "docs/chapter/regularization.json");
writeFileSync(file, `${JSON.stringify(results)}\n`);
