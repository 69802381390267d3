/** Which parts of its input a model's output hangs on. */
import { gradients } from "../autodiff/gradient.js";
import type { TensorOrList } from "../data/dataset.js";
import { checkOptions, oneOf, OptionError, show } from "../errors.js";
import { constant, iota } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import { type Application, newTracing } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import * as ops from "../ops/index.js";
import { lastOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { type AnyTransformed, transformed } from "../transforms/transformed.js";
import { checkInputs } from "./check-data.js";
import { inputsOf } from "./model-data.js";
import type { Model, Outputs } from "./model.js";
import { substitutesFor } from "./pure.js";

/** Options of {@link saliency}. */
export interface SaliencyOptions {
  /**
   * "gradient": the size of the derivative, of a token the norm of that by its embedding; "gradientTimesInput": derivative
   * times value, signed, of a token summed over its embedding. Default "gradient".
   */
  readonly method?: "gradient" | "gradientTimesInput";
  /** Number of the unit along the output's last axis. Default: the largest one, for each example its own. */
  readonly unit?: number;
}

/**
 * How much each position of the input changes what the model gives, in inference: the derivative of one of its units by
 * each number of the input, or, where the input is of tokens, by what the model's embedding makes of each token.
 *
 * For tokens (batch, length) the result is (batch, length); for numbers it has the input's shape. For a model with several
 * inputs it is a list. Simonyan et al. 2014.
 *
 * @throws DataError for inputs that the model cannot take; OptionError for a unit that does not exist, or tokens that no
 * embedding takes.
 * @example
 * import { dense, embedding, globalAveragePooling1d, input, saliency, sequential, tensor } from "torte";
 * const model = sequential(
 *   input({ shape: [4], dtype: "int32" }),
 *   embedding({ inputDim: 5, outputDim: 3, maskZero: true }),
 *   globalAveragePooling1d(),
 *   dense({ units: 1 }),
 * );
 * const map = await saliency(model, tensor([[1, 2, 3, 0]], { dtype: "int32" }));
 * console.log(map.shape, map.data[3]); // [ 1, 4 ] 0
 */
export function saliency(model: Model<Outputs>, x: Tensor, options?: SaliencyOptions): Promise<Tensor>;
export function saliency(
  model: Model<Outputs>,
  x: readonly Tensor[],
  options?: SaliencyOptions,
): Promise<readonly Tensor[]>;
export async function saliency(
  model: Model<Outputs>,
  x: TensorOrList,
  options: SaliencyOptions = {},
): Promise<TensorOrList> {
  const where = "saliency";
  checkOptions(where, options, ["method", "unit"]);
  const method = oneOf(where, "method", options.method ?? "gradient", ["gradient", "gradientTimesInput"]);
  const { network } = model;
  const inputs = inputsOf(network, x, where);
  checkInputs(network, inputs);
  const onNodes = (weights: unknown, nodes: readonly Node[]): Node[] => {
    const { outputs, values } = embedded(network, weights, nodes);
    const total = outputs
      .map((output) => ops.sum(chosen(output, options.unit)))
      .reduce((a, b) => ops.add(a, b), constant(0));
    const places = values.map(({ value }) => value);
    return gradients(total, places).map((gradient, i) => {
      const value = places[i] ?? gradient;
      const token = values[i]?.token === true;
      const mask = values[i]?.mask;
      const one = token ? ofToken(method, gradient, value) : ofNumber(method, gradient, value);
      // What is masked is no part of the sequence, whatever the layers behind would make of it.
      return mask === undefined ? one : ops.where(mask, one, 0);
    });
  };
  const run = transformed(where, onNodes, onNodes) as AnyTransformed;
  const maps = (await run(await model.getWeights(), inputs)) as readonly Tensor[];
  return x instanceof Tensor ? (maps[0] ?? x) : maps;
}

type Method = NonNullable<SaliencyOptions["method"]>;

const ofNumber = (method: Method, gradient: Node, value: Node): Node =>
  method === "gradientTimesInput" ? ops.mul(gradient, value) : ops.abs(gradient);
const ofToken = (method: Method, gradient: Node, value: Node): Node =>
  method === "gradientTimesInput" ? ops.sum(ops.mul(gradient, value), { axes: [-1] }) : norm(gradient);

/** Along the last axis. */
const norm = (x: Node): Node => ops.sqrt(ops.sum(ops.square(x), { axes: [-1] }));

interface Place {
  readonly value: Node;
  readonly token: boolean;
  /** Of tokens: which positions count. */
  readonly mask?: Node | undefined;
}

/** The outputs, and for each input what of it is smooth: itself, or what the first layer makes of its tokens. */
function embedded(network: Network, weights: unknown, nodes: readonly Node[]): { outputs: Node[]; values: Place[] } {
  const calls: Application[] = [];
  const tracing = {
    ...newTracing(false, undefined, substitutesFor(network, weights)),
    observe: (call: Application) => void calls.push(call),
  };
  const outputs = network.trace(
    nodes.map((value) => ({ value })),
    tracing,
  );
  const values = nodes.map((node): Place => {
    if (node.dtype === "float32") return { value: node, token: false };
    const call = calls.find(({ inputs, result }) => inputs[0]?.value === node && result.value.dtype === "float32");
    if (call !== undefined) return { value: call.result.value, token: true, mask: call.result.mask };
    throw new OptionError({
      where: "saliency",
      problem: "the tokens of an input go into no embedding",
      expected: "a layer that makes vectors of them",
      received: calls.map(({ path }) => path).join(", "),
    });
  });
  return { outputs: outputs.map(({ value }) => value), values };
}

/** One unit of the last axis, or the largest one of each row. */
function chosen(output: Node, unit: number | undefined): Node {
  const width = lastOf(output.shape);
  if (unit === undefined) return width === 1 ? output : ops.max(output, { axes: [-1] });
  if (!Number.isInteger(unit) || unit < 0 || unit >= width) {
    throw new OptionError({
      where: "saliency",
      problem: "unit is out of range",
      expected: `0…${width - 1}`,
      received: show(unit),
    });
  }
  const position = iota(output.shape, output.shape.length - 1);
  return ops.where(ops.equal(position, unit), output, 0);
}
