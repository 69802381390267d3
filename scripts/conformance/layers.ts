/** Cases of layers, with and without masks. */
import * as torte from "torte";
import { type LayerFunction, type Model, ops, type SymbolicTensor, type Tensor } from "torte";
import type { ArrayData, LayerCase } from "./cases.js";
import { type BackendName, built, type Check, hostTensor, hostTensors, optionsOf } from "./check.js";

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

export async function runLayer(conformance: LayerCase, backend: BackendName, check: Check): Promise<void> {
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
