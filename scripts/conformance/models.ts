/** Cases of whole models. */
import * as torte from "torte";
import type { Model } from "torte";
import { models } from "../../bench/workloads.mjs";
import type { ModelCase } from "./cases.js";
import { type BackendName, type Check, hostTensor, hostTensors, optionsOf, type Tolerance } from "./check.js";

const MODEL_LOSSES: Tolerance = { relative: 0, absolute: 1e-4 };
const MODEL_GRADIENTS: Tolerance = { relative: 0, absolute: 1e-5 };

function chapterModel(backend: BackendName): Model {
  const model = models["chapter"]?.(optionsOf(backend));
  if (model === undefined) throw new Error("the benchmark has lost the chapter's model");
  return model;
}

export async function runModel(conformance: ModelCase, backend: BackendName, check: Check): Promise<void> {
  const model = chapterModel(backend);
  const [x, y] = [hostTensor(conformance.input, backend), hostTensor(conformance.target, backend)];
  model.compile({ optimizer: torte.adam(), loss: "binaryCrossentropy" });
  await model.setWeights(hostTensors(conformance.start, backend));
  const { weights } = await model.gradients({ x, y }, { training: true });
  for (const [name, expected] of Object.entries(conformance.firstGradients))
    check.array(`gradient of ${name}`, expected, weights[name], MODEL_GRADIENTS);
  for (const [name, expected] of Object.entries(conformance.firstGradientNorms)) {
    check.numbers(
      `gradient norm of ${name}`,
      [expected],
      [Math.hypot(...(weights[name]?.data ?? [NaN]))],
      MODEL_GRADIENTS,
    );
  }
  const { epochs } = await model.fit(
    { x, y },
    { epochs: conformance.losses.length, batchSize: y.shape[0] ?? 1, shuffle: false },
  );
  check.numbers(
    "losses",
    conformance.losses,
    epochs.map(({ loss = NaN }) => loss),
    MODEL_LOSSES,
  );
  await model.close();
}
