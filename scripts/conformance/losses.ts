/** Cases of losses. */
import * as torte from "torte";
import type { Loss } from "torte";
import type { ArrayData, LossCase, RecordedLoss } from "./cases.js";
import { type BackendName, built, type Check, hostTensor, optionsOf, TOLERANCES } from "./check.js";
import { lossOptions, reducing } from "./recorded.js";

export async function runLoss(
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
export async function runRecordedLoss(conformance: RecordedLoss, backend: BackendName, check: Check): Promise<void> {
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
