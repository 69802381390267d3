// What a user writes, without a cast: it is compiled by old and new compilers against the packed declarations.
import {
  adam,
  dense,
  formatSafetensors,
  input,
  type LayerFunction,
  loadModel,
  ops,
  sequential,
  split,
  Tensor,
  tensor,
} from "torte";
import { experiment } from "@torte/cli";

const x = tensor([
  [0, 1],
  [1, 0],
]);

// The data of a tensor.
const sum: number = x.data.reduce((a, b) => a + b);
const named: string = x.data.reduce((text, value) => text + value.toFixed(1), "");
const last: number = x.data.reduceRight((a, b) => a - b, 0);
const several: number[] = [
  ...x.data,
  ...x.data.map((v) => 2 * v),
  ...x.data.filter((v) => v > 0),
  ...x.data.slice(1),
  ...Array.from(x.data, (v) => v + 1),
];
x.data.forEach((value, i) => several.push(value * i));
const found: boolean = x.data.some((v) => v > 0) && x.data.every((v) => v >= 0) && x.data.includes(1);
const where: number = x.data.findIndex((v) => v === 1) + x.data.indexOf(1);
const first: number | undefined = x.data.find((v) => v > 0);
for (const value of x.data) several.push(value);
const copy = new Float32Array(x.data);
const again = new Tensor(copy, [2, 2], "float32");
const isFloat: boolean = x.data instanceof Float32Array;

// Nested arrays of any depth.
const matrix: number[][] = x.toArray();
const vector: number[] = x.reshape([4]).toArray();
const scalar: number = x.reshape([4]).rows(0, 1).reshape([]).toArray();
for (const row of x.toArray()) for (const value of row) several.push(value + 1);
const doubled: number[][] = x.toArray().map((row) => row.map((value) => 2 * value));
const text: string[] = x.toArray().map((row) => row[0]?.toFixed(2) ?? "");
const back = tensor(x.toArray());

// A model from beginning to end.
export async function train(): Promise<number> {
  const layers: LayerFunction[] = [dense({ units: 8, activation: "tanh" }), dense({ units: 1, activation: "sigmoid" })];
  const model = sequential(input({ shape: [2] }), ...layers);
  model.compile({ optimizer: adam({ learningRate: 0.05 }), loss: "binaryCrossentropy", metrics: ["accuracy"] });
  const history = await model.fit({ x, y: tensor([[0], [1]]) }, { epochs: 3, batchSize: 2 });
  const accuracy = history.epochs.at(-1)?.["accuracy"] ?? 0;
  const { loss = 0 } = await model.evaluate({ x, y: tensor([[0], [1]]) });
  const answers: number[][] = (await model.predict(x)).toArray();
  const file = new Blob([await model.save(), formatSafetensors({ x })]);
  const same = await loadModel(await file.arrayBuffer());
  return accuracy + loss + answers.length + same.countParams();
}

export default experiment({
  name: "usage",
  data: ({ seed }) => split({ x, y: tensor([[0], [1]]) }, { validation: 0.5, test: 0, seed }),
  model: ({ options }) => sequential(input({ shape: [2] }), dense({ units: 1 }), options),
  compile: { optimizer: "adam", loss: "meanSquaredError" },
});

export { again, back, doubled, first, found, isFloat, last, matrix, named, ops, scalar, sum, text, vector, where };
