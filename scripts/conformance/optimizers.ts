/** Cases of optimizers: weights after updates with given gradients. */
import { type Optimizer, optimizerOf } from "torte";
import { trainee, trainRows } from "../../packages/torte/test/given-gradients.js";
import type { ArrayData, OptimizerCase, RecordedOptimizerCase } from "./cases.js";
import { type BackendName, built, type Check, hostTensor, optionsOf, toleranceOf } from "./check.js";

/** Arrays of one weight, one step after the other, as one batch each. */
const stacked = (steps: readonly ArrayData[]): ArrayData => ({
  shape: [steps.length, ...(steps[0]?.shape ?? [])],
  data: steps.flatMap(({ data }) => data),
});

/** By its description, so that schedules among the options are made, too. */
function optimizerFor(name: string, options: Readonly<Record<string, unknown>>): Optimizer {
  built(name);
  return optimizerOf({ kind: name, options });
}

export async function runOptimizer(conformance: OptimizerCase, backend: BackendName, check: Check): Promise<void> {
  const { name, options, start, gradients, trajectory } = conformance;
  const [updates = 0, n = 0] = gradients.shape;
  const model = trainee([[n]], optimizerFor(name, { exclude: "none", ...options }), optionsOf(backend));
  await model.setWeights({ "w0.weight": hostTensor({ shape: [n], data: start.data }, backend) });
  const x = hostTensor(gradients, backend);
  for (let t = 0; t < updates; t++) {
    const { "w0.weight": weight } = await trainRows(model, [x.rows(t, t + 1)]);
    const expected = trajectory.data.slice(t * n, (t + 1) * n);
    check.numbers(`weights after update ${t + 1}`, expected, Array.from(weight?.data ?? []));
  }
  await model.close();
}

/** Keras decays all weights; its tests of that exclude all but the first by calls that the options do not tell of. */
function excluded({ source, options, inputs }: RecordedOptimizerCase): { exclude?: "none" | readonly string[] } {
  if (options["weightDecay"] === undefined) return {};
  if (!source.endsWith("::test_weight_decay")) return { exclude: "none" };
  return { exclude: inputs.start.slice(1).map((_, i) => `w${i + 1}`) };
}

/** Weights of any shape. Gradients that are accumulated go through one fit for each window, at the end of which it looks. */
export async function runRecordedOptimizer(
  conformance: RecordedOptimizerCase,
  backend: BackendName,
  check: Check,
): Promise<void> {
  const { name, options, inputs, expected } = conformance;
  const { start, gradients } = inputs;
  const optimizer = optimizerFor(name, { ...excluded(conformance), ...options });
  const window = Number(options["gradientAccumulationSteps"] ?? 1);
  const model = trainee(
    start.map(({ shape }) => shape),
    optimizer,
    optionsOf(backend),
  );
  await model.setWeights(Object.fromEntries(start.map((array, i) => [`w${i}.weight`, hostTensor(array, backend)])));
  for (let t = window; t <= gradients.length; t += window) {
    const steps = gradients.slice(t - window, t);
    const x = start.map((_, i) => hostTensor(stacked(steps.flatMap((step) => step[i] ?? [])), backend));
    const weights = await trainRows(model, x);
    expected[t - 1]?.forEach((array, i) => {
      check.array(`weight ${i} after step ${t}`, array, weights[`w${i}.weight`], toleranceOf(conformance, backend));
    });
  }
  await model.close();
}
