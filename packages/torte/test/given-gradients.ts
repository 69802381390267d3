/** Training with gradients that are given: what an optimizer makes of them. */
import {
  add,
  type Callback,
  functional,
  input,
  layerFunction,
  type LayerFunction,
  type Loss,
  type Model,
  type ModelOptions,
  ops,
  type Optimizer,
  type Tensor,
  tensor,
} from "torte";

const itself: Loss = {
  name: "itself",
  targets: "numbers",
  call: (_, prediction) => ops.mean(prediction, { axes: [-1] }),
};

/** A layer whose only weight is multiplied with its input and summed up: the input is the weight's gradient. */
const weighing = (name: string, shape: readonly number[]): LayerFunction =>
  layerFunction({
    kind: "weighing",
    options: { name },
    call: ([x], scope) => {
      if (x === undefined) throw new RangeError("weighing takes an input");
      const size = shape.reduce((a, b) => a * b, 1);
      const weight = scope.weight("weight", shape, { initializer: () => new Float32Array(size) });
      const axes = shape.map((_, i) => i + 1);
      return { value: ops.expandDims(ops.sum(ops.mul(x.value, weight), { axes }), -1) };
    },
  });

/** A model whose weights w0.weight, w1.weight, … have the shapes, and whose inputs are their gradients. */
export function trainee(
  shapes: readonly (readonly number[])[],
  optimizer: Optimizer,
  options: ModelOptions = {},
): Model {
  const inputs = shapes.map((shape) => input({ shape }));
  const sums = inputs.map((place, i) => weighing(`w${i}`, shapes[i] ?? [])(place));
  const [first] = sums;
  if (first === undefined) throw new RangeError("there are no weights");
  const outputs = sums.length === 1 ? first : add()(sums);
  const model = functional({ inputs, outputs, ...options });
  model.compile({ optimizer, loss: itself });
  return model;
}

/** Trains a row at a time; the weights as they are at the end of the epoch, before averages of them are shown. */
export async function trainRows(model: Model, x: readonly Tensor[]): Promise<Readonly<Record<string, Tensor>>> {
  let weights: Readonly<Record<string, Tensor>> = {};
  const look: Callback = {
    onProgress: async () => {
      weights = await model.getWeights();
    },
  };
  const rows = x[0]?.shape[0] ?? 0;
  const y = tensor(new Float32Array(rows), { shape: [rows, 1] });
  await model.fit({ x, y }, { batchSize: 1, shuffle: false, callbacks: [look] });
  return weights;
}
