/** Runs conformance cases through the public surface of the library. */
import * as torte from "torte";
import {
  type LayerFunction,
  type Loss,
  type Model,
  type ModelOptions,
  OptionError,
  ops,
  type Optimizer,
  type SymbolicTensor,
  type Tensor,
  tensor,
} from "torte";
import type {
  ArrayData,
  Arrays,
  Case,
  LayerCase,
  LossCase,
  ModelCase,
  OptimizerCase,
  RecordedLoss,
  RecordedMetric,
} from "./cases.js";
import { departureOf } from "./departures.js";
import { lossOptions, metricRuns, NoSuchName, reducing } from "./recorded.js";

/** The compiled backend in both precisions, and the interpreter. */
export type BackendName = "wasm" | "reproducible" | "reference";
export const BACKENDS: readonly BackendName[] = ["wasm", "reproducible", "reference"];
export type Outcome =
  | { readonly status: "passed" }
  /** Differs as the table of departures says. */
  | { readonly status: "departs"; readonly reason: string }
  | { readonly status: "failed"; readonly problems: readonly string[] }
  | { readonly status: "not built"; readonly reason: string };

/** Allowed difference: relative · |expected| + absolute. */
interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

const TOLERANCES: Readonly<Record<BackendName, Tolerance>> = {
  wasm: { relative: 2e-5, absolute: 1e-5 },
  reproducible: { relative: 2e-5, absolute: 1e-5 },
  reference: { relative: 1e-9, absolute: 1e-9 },
};
const MODEL_LOSSES: Tolerance = { relative: 0, absolute: 1e-4 };
const MODEL_GRADIENTS: Tolerance = { relative: 0, absolute: 1e-5 };

const optionsOf = (name: BackendName): Pick<ModelOptions, "backend" | "precision"> =>
  name === "reproducible" ? { backend: "wasm", precision: "reproducible" } : { backend: name };

export async function runCase(conformance: Case, backend: BackendName): Promise<Outcome> {
  const outcome = await outcomeOf(conformance, backend);
  const departure = departureOf(conformance, backend);
  if (departure === undefined) return outcome;
  if (outcome.status === "passed")
    return { status: "failed", problems: ["the table of departures says that it differs; it does not"] };
  const found = outcome.status === "failed" ? outcome.problems : outcome.status === "not built" ? [outcome.reason] : [];
  const stated = found.some((text) => text.includes(departure.figure));
  return stated ? { status: "departs", reason: departure.reason } : outcome;
}

async function outcomeOf(conformance: Case, backend: BackendName): Promise<Outcome> {
  const check = new Check(TOLERANCES[backend]);
  try {
    switch (conformance.kind) {
      case "layer":
      case "masked":
        await runLayer(conformance, backend, check);
        break;
      case "loss":
        await ("inputs" in conformance
          ? runRecordedLoss(conformance, backend, check)
          : runLoss(conformance, backend, check));
        break;
      case "metric":
        await runMetric(conformance, backend, check);
        break;
      case "optimizer":
        await runOptimizer(conformance, backend, check);
        break;
      case "model":
        await runModel(conformance, backend, check);
        break;
      default:
        conformance satisfies never;
        return { status: "not built", reason: `kind ${JSON.stringify((conformance as { kind: unknown }).kind)}` };
    }
  } catch (error) {
    if (error instanceof NotBuilt || error instanceof NoSuchName) return { status: "not built", reason: error.message };
    // A name that the library does not have, such as that of an activation, is a thing not built; all else is a failure.
    if (error instanceof OptionError && / is unknown$|^unknown option/.test(error.facts.problem)) {
      return { status: "not built", reason: error.message };
    }
    return { status: "failed", problems: [error instanceof Error ? (error.stack ?? error.message) : String(error)] };
  }
  return check.problems.length === 0 ? { status: "passed" } : { status: "failed", problems: check.problems };
}

export function nameOf(conformance: Case): string {
  const options = "options" in conformance ? ` ${JSON.stringify(conformance.options)}` : "";
  return `${conformance.kind} ${conformance.name}${options}`;
}

class NotBuilt extends Error {}

/** The cases are written with nine significant digits: half a unit of the ninth. */
const roundingOf = (value: number): number =>
  value === 0 ? 0 : 0.5 * 10 ** (Math.floor(Math.log10(Math.abs(value))) - 8);

/** Collects what differs by more than the tolerance. */
class Check {
  readonly problems: string[] = [];
  readonly #tolerance: Tolerance;

  constructor(tolerance: Tolerance) {
    this.#tolerance = tolerance;
  }

  array(what: string, expected: ArrayData, received: Tensor | undefined, tolerance = this.#tolerance): void {
    if (received?.shape.join() !== expected.shape.join()) {
      this.problems.push(
        `${what}: expected shape [${expected.shape.join(", ")}], received ${received === undefined ? "nothing" : `[${received.shape.join(", ")}]`}`,
      );
      return;
    }
    this.numbers(what, expected.data, Array.from(received.data), tolerance);
  }

  numbers(what: string, expected: readonly number[], received: readonly number[], tolerance = this.#tolerance): void {
    let [worst, at] = [0, -1];
    expected.forEach((value, i) => {
      const other = received[i] ?? NaN;
      const error = Number.isFinite(other) ? Math.abs(other - value) : Infinity;
      const allowed = tolerance.relative * Math.abs(value) + tolerance.absolute + roundingOf(value);
      if (error > allowed && error > worst) [worst, at] = [error, i];
    });
    if (at >= 0)
      this.problems.push(
        `${what}: largest error ${worst.toExponential(2)}, element ${at}: expected ${expected[at] ?? NaN}, received ${received[at] ?? NaN}`,
      );
  }
}

/** Something of the public surface by its name. */
function built(name: string): (options: object) => unknown {
  const found: unknown = name in torte ? torte[name as keyof typeof torte] : undefined;
  if (typeof found !== "function") throw new NotBuilt(`there is no ${name}`);
  return found as (options: object) => unknown;
}

function hostTensor({ shape, data, dtype }: ArrayData, backend: BackendName): Tensor {
  if (dtype === "int32") return tensor(Int32Array.from(data), { shape });
  return backend === "reference"
    ? tensor(Float64Array.from(data), { shape, dtype: "float64" })
    : tensor(Float32Array.from(data), { shape });
}

const hostTensors = (arrays: Arrays, backend: BackendName, prefix = ""): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(arrays).map(([name, array]) => [prefix + name, hostTensor(array, backend)]));

/** The activation layer takes its activation first, all others take options only. */
function builtLayer(name: string, options: LayerCase["options"]): LayerFunction {
  if (name !== "activation") return built(name)({ ...options, name: "tested" }) as LayerFunction;
  return torte.activation(options["activation"] as Parameters<typeof torte.activation>[0], { name: "tested" });
}

/** Takes values and a mask as numbers; gives the values with that mask. */
const withMask = (): LayerFunction =>
  torte.layerFunction({
    kind: "withMask",
    options: {},
    inputs: 2,
    call: ([input, numbers]) => {
      if (input === undefined || numbers === undefined) throw new RangeError("withMask takes two inputs");
      const mask = ops.notEqual(numbers.value, 0);
      const spread = ops.reshape(mask, [...mask.shape, ...input.value.shape.slice(mask.shape.length).map(() => 1)]);
      return { value: ops.where(spread, input.value, 0), mask };
    },
  });

/** The mask of its input as numbers. */
const maskOf = (): LayerFunction =>
  torte.layerFunction({
    kind: "maskOf",
    options: {},
    endsMask: true,
    call: ([input]) => {
      if (input?.mask === undefined) throw new RangeError("the output has no mask");
      return { value: ops.cast(input.mask, "float32") };
    },
  });

const placeholder = ({ shape, dtype }: ArrayData): SymbolicTensor =>
  torte.input({ shape: shape.slice(1), dtype: dtype === "int32" ? "int32" : "float32" });

async function runLayer(conformance: LayerCase, backend: BackendName, check: Check): Promise<void> {
  const { name, options, inputs, weights, upstream, inputMask, outputMask, training = false } = conformance;
  const layer = builtLayer(name, options);
  const places = inputs.map(placeholder);
  const given = inputMask === undefined ? inputs : [...inputs, inputMask];
  const maskPlace = inputMask === undefined ? undefined : torte.input({ shape: inputMask.shape.slice(1) });
  const entering = maskPlace === undefined ? places : places.map((place) => withMask()([place, maskPlace]));
  const leaving = layer(entering.length === 1 && entering[0] !== undefined ? entering[0] : entering);
  const ends = { inputs: maskPlace === undefined ? places : [...places, maskPlace], ...optionsOf(backend) };
  const x = given.map((array) =>
    hostTensor({ shape: array.shape, data: array.data.map(Number), ...dtypeOf(array, array === inputMask) }, backend),
  );

  const model = torte.functional({ ...ends, outputs: leaving });
  await model.setWeights(hostTensors(weights, backend, "tested."));
  const {
    outputs,
    inputs: inputGradients,
    weights: weightGradients,
  } = await model.gradients({ x, upstream: hostTensor(upstream, backend) }, { training });
  check.array("output", conformance.output, outputs[0]);
  if (!training) check.array("prediction", conformance.output, await model.predict(x));
  conformance.inputGradients.forEach((expected, i) => {
    check.array(`gradient of input ${i}`, expected, inputGradients[i]);
  });
  for (const [weight, expected] of Object.entries(conformance.weightGradients))
    check.array(`gradient of ${weight}`, expected, weightGradients[`tested.${weight}`]);
  if (conformance.weightsAfter !== undefined) {
    const after = await model.getWeights();
    for (const [weight, expected] of Object.entries(conformance.weightsAfter))
      check.array(`${weight} after the step`, expected, after[`tested.${weight}`]);
  }
  await model.close();
  if (outputMask !== undefined)
    await checkMask(torte.functional({ ...ends, outputs: maskOf()(leaving) }), x, conformance, outputMask, check);
}

/** A mask is a float input, whatever type its numbers have in the file. */
const dtypeOf = ({ dtype }: ArrayData, isMask: boolean): { dtype?: "int32" } =>
  dtype === "int32" && !isMask ? { dtype } : {};

async function checkMask(
  model: Model,
  x: readonly Tensor[],
  { output }: LayerCase,
  expected: ArrayData,
  check: Check,
): Promise<void> {
  check.array("output mask", { shape: expected.shape, data: expected.data.map(Number) }, await model.predict(x));
  await model.close();
  const channels = output.data.length / expected.data.length;
  const leaks = output.data.some((value, i) => value !== 0 && !expected.data[Math.floor(i / channels)]);
  if (leaks) check.problems.push("the case itself has a masked output that is not 0");
}

async function runLoss(
  { name, options, target, prediction, value, predictionGradient }: LossCase,
  backend: BackendName,
  check: Check,
): Promise<void> {
  const loss = built(name)(options) as Loss;
  const model = torte.sequential(torte.input({ shape: prediction.shape.slice(1) }), torte.activation("linear"), {
    ...optionsOf(backend),
  });
  model.compile({ loss });
  const [x, y] = [hostTensor(prediction, backend), hostTensor(target, backend)];
  const gradients = await model.gradients({ x, y });
  check.numbers("value", [value], [gradients.value]);
  check.array("gradient of the prediction", predictionGradient, gradients.inputs[0]);
  const { loss: measured = NaN } = await model.evaluate({ x, y }, { batchSize: prediction.shape[0] ?? 1 });
  check.numbers("evaluated value", [value], [measured], TOLERANCES.wasm);
  await model.close();
}

const twoAxes = ({ shape, data, ...others }: ArrayData): ArrayData => ({
  shape: shape.length < 2 ? [1, data.length] : shape,
  data,
  ...others,
});

/** In a model whose inputs are prediction, target and weights; the prediction is a float, whatever type it has in the file. */
async function runRecordedLoss(conformance: RecordedLoss, backend: BackendName, check: Check): Promise<void> {
  const { name, inputs, expected, gradient } = conformance;
  const loss = built(name)(lossOptions(conformance)) as Loss;
  const isRow = inputs.prediction.shape.length < 2;
  const prediction = { ...twoAxes(inputs.prediction), dtype: undefined };
  const rows = prediction.shape[0] ?? 1;
  const target = isRow && inputs.target.data.length === prediction.data.length ? twoAxes(inputs.target) : inputs.target;
  const { sampleWeight } = inputs;
  const weights: ArrayData[] =
    sampleWeight === undefined
      ? []
      : [
          sampleWeight.shape.length > 0
            ? sampleWeight
            : { shape: [rows], data: Array<number>(rows).fill(sampleWeight.data[0] ?? 1) },
        ];
  const given = [prediction, { ...target, dtype: undefined }, ...weights] as ArrayData[];
  const places = given.map((array) => torte.input({ shape: array.shape.slice(1) }));
  const reduced = reducing(loss);
  const layer = torte.layerFunction({
    kind: "reduced",
    options: {},
    inputs: places.length,
    call: (traced) => ({ value: reduced(traced.map(({ value }) => value)) }),
  });
  const model = torte.functional({ inputs: places, outputs: layer(places), ...optionsOf(backend) });
  const x = given.map((array) => hostTensor(array, backend));
  const shape = expected.shape.length > 0 ? [rows, ...expected.shape.slice(1)] : [rows];
  const upstream = { shape, data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Number(i === 0)) };
  const result = await model.gradients({ x, upstream: hostTensor(upstream, backend) });
  const received = Array.from(result.outputs[0]?.data ?? []);
  check.numbers("value", expected.data, expected.shape.length > 0 ? received : received.slice(0, 1), TOLERANCES.wasm);
  if (gradient !== undefined)
    check.numbers(
      "gradient of the prediction",
      gradient.data,
      Array.from(result.inputs[0]?.data ?? []),
      TOLERANCES.wasm,
    );
  await model.close();
}

/** In batches of three rows, the predictions being the data. */
async function runMetric(conformance: RecordedMetric, backend: BackendName, check: Check): Promise<void> {
  const received: number[] = [];
  for (const { metrics, targets, predictions, x, y, sampleWeight } of metricRuns(conformance)) {
    const loss: Loss = {
      name: "any",
      targets: targets === "probabilities" ? "numbers" : targets,
      predictions,
      ignoreClass: conformance.options["ignoreClass"] as number | undefined,
      call: (_, p) => ops.mean(p, { axes: p.shape.slice(1).map((_n, i) => i + 1) }),
    };
    const meant = metrics.map((metric) => ({ targets, ...metric }));
    const model = torte.sequential(
      torte.input({ shape: x.shape.slice(1) }),
      torte.activation("linear"),
      optionsOf(backend),
    );
    model.compile({ loss, metrics: meant });
    const data = { x, y, ...(sampleWeight === undefined ? {} : { sampleWeight }) };
    const figures = await model.evaluate(data, { batchSize: 3 });
    received.push(...meant.map(({ name }) => figures[name] ?? NaN));
    await model.close();
  }
  check.numbers("figure", conformance.expected.data, received, TOLERANCES.wasm);
}

/** A product of weights and inputs has the inputs as its gradient: so each row makes one update with a given gradient. */
async function runOptimizer(
  { name, options, start, gradients, trajectory }: OptimizerCase,
  backend: BackendName,
  check: Check,
): Promise<void> {
  const optimizer = built(name)(options) as Optimizer;
  const [updates = 0, n = 0] = gradients.shape;
  const model = torte.sequential(torte.input({ shape: [n] }), torte.dense({ units: 1, useBias: false, name: "w" }), {
    ...optionsOf(backend),
  });
  const itself: Loss = {
    name: "itself",
    targets: "numbers",
    call: (_, prediction) => ops.mean(prediction, { axes: [-1] }),
  };
  model.compile({ optimizer, loss: itself });
  await model.setWeights({ "w.kernel": hostTensor({ shape: [n, 1], data: start.data }, backend) });
  const x = hostTensor(gradients, backend);
  for (let t = 0; t < updates; t++) {
    await model.fit({ x: x.rows(t, t + 1), y: tensor([[0]]) }, { batchSize: 1, epochs: 1 });
    const { "w.kernel": kernel } = await model.getWeights();
    check.numbers(
      `weights after update ${t + 1}`,
      trajectory.data.slice(t * n, (t + 1) * n),
      Array.from(kernel?.data ?? []),
    );
  }
  await model.close();
}

function chapterModel(backend: BackendName): Model {
  const { conv1d, dense, embedding, flatten, input, maxPooling1d, sequential } = torte;
  return sequential(
    input({ shape: [200], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: 16 }),
    conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
    maxPooling1d({ poolSize: 4 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    flatten(),
    dense({ units: 256, activation: "relu" }),
    dense({ units: 64, activation: "relu" }),
    dense({ units: 1, activation: "sigmoid" }),
    optionsOf(backend),
  );
}

async function runModel(conformance: ModelCase, backend: BackendName, check: Check): Promise<void> {
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
