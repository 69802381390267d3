/** How far gradients reach: their norms from the first layer to the last, with the ways around layers and without. */
import { gradients } from "../autodiff/gradient.js";
import type { Session } from "../backends/backend.js";
import { type Data, planOf } from "../train/model-data.js";
import { checkOptions, positiveInteger } from "../errors.js";
import { constant, read } from "../graph/make.js";
import type { State } from "../graph/node.js";
import { newTracing, type SymbolicTensor, type Traced, type Tracing } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import { formatError, PAGE, Report, wrap } from "../nn/inspect/report.js";
import * as ops from "../ops/index.js";
import { type Goal, measureOutputs } from "../train/measure.js";
import { goalsOf } from "./sanity.js";
import type { AnyModel } from "../train/model.js";
import { columnsFor, withWeights } from "./session.js";

/** The norm of the gradient at a layer. */
export interface LayerGradient {
  /** "dense_1", "residual/dense". */
  readonly layer: string;
  /** Of the gradient by all weights of the layer: √Σg². */
  readonly norm: number;
  /** The same where residual blocks give their body alone; undefined for models without any. */
  readonly withoutResidual: number | undefined;
}

/** What `checkGradientFlow` gives; prints as a table. */
export class GradientFlow extends Report {
  /** Norm of the first layer by that of the last. */
  readonly ratio: number;
  readonly ratioWithoutResidual: number | undefined;
  readonly passed: boolean;

  /** `rows` from the first layer to the last. */
  constructor(readonly rows: readonly LayerGradient[]) {
    super();
    const [first, last] = [rows[0], rows.at(-1)];
    this.ratio = (first?.norm ?? NaN) / (last?.norm ?? NaN);
    const [a, b] = [first?.withoutResidual, last?.withoutResidual];
    this.ratioWithoutResidual = a === undefined || b === undefined ? undefined : a / b;
    this.passed = rows.every(({ norm }) => norm > 0 && norm < Infinity) && this.ratio > 1e-4 && this.ratio < 1e4;
  }

  override toString(): string {
    const residual = this.ratioWithoutResidual !== undefined;
    const line = (a: string, b: string, c: string): string =>
      `${a.padEnd(44)} ${b.padStart(14)}${residual ? ` ${c.padStart(18)}` : ""}`.trimEnd();
    const ways = residual ? `, ${formatError(this.ratioWithoutResidual)} without the residual connections` : "";
    const end = `${this.passed ? "Passed" : "Failed"}: the first layer's gradient is ${formatError(this.ratio)} of the last one's${ways}.`;
    const fix = "Look at initializers and activations, normalize, or lead gradients around layers with residual.";
    return [
      line("Layer", "gradient norm", "without residual"),
      "=".repeat(PAGE),
      ...this.rows.map(({ layer, norm, withoutResidual }) =>
        line(layer, formatError(norm), formatError(withoutResidual)),
      ),
      "=".repeat(PAGE),
      ...wrap(this.passed ? end : `${end} ${fix}`, PAGE),
    ].join("\n");
  }
}

/** Options of {@link checkGradientFlow}. */
export interface GradientFlowOptions {
  /** Rows of the batch, at least 1. Default 8. */
  readonly rows?: number;
}

/**
 * The norm of the loss's gradient by the weights of each layer, in the order of the layers, in the float64 interpreter. For a model
 * with residual blocks a second time with x ↦ body(x) in the place of x ↦ x + body(x). It has passed where every layer gets a
 * gradient, and the first one's is within 10⁻⁴ to 10⁴ of the last one's.
 *
 * @throws OptionError for a model that is not compiled, or options out of range; DataError for data that it cannot take.
 * @example
 * import { checkGradientFlow, dense, input, residual, sequential, tensor } from "torte";
 * const deep = Array.from({ length: 12 }, () => residual([dense({ units: 4, activation: "sigmoid" })]));
 * const model = sequential(input({ shape: [4] }), ...deep, dense({ units: 1 }));
 * model.compile({ loss: "meanSquaredError" });
 * const flow = await checkGradientFlow(model, { x: tensor([[1, -1, 0.5, 2]]), y: tensor([[1]]) });
 * console.log(flow.rows.length, flow.passed, flow.ratio > 1e4 * (flow.ratioWithoutResidual ?? 0)); // 13 true true
 */
export async function checkGradientFlow(
  model: AnyModel,
  data: Data,
  options: GradientFlowOptions = {},
): Promise<GradientFlow> {
  const where = "checkGradientFlow";
  checkOptions(where, options, ["rows"]);
  const most = positiveInteger(where, "rows", options.rows ?? 8);
  const goals = goalsOf(where, model);
  await model.checkData(data);
  const { columns, order } = await planOf(where, data, model.network, goals);
  const chosen = order.subarray(0, most);
  const [x, y] = [columns.x, columns.y].map((part) => part.map((tensor) => tensor.take(chosen)));
  const { network } = model;
  return withWeights(model, async (session) => {
    const states = await columnsFor(session, network, [...(x ?? []), ...(y ?? [])]);
    const question = { network, goals, states, inputs: x?.length ?? 0 };
    const norms = await normsOf(session, question, true);
    const without = hasResidual(network) ? await normsOf(session, question, false) : undefined;
    return new GradientFlow([...norms].map(([layer, norm]) => ({ layer, norm, withoutResidual: without?.get(layer) })));
  });
}

interface Question {
  readonly network: Network;
  readonly goals: readonly Goal[];
  readonly states: readonly State[];
  readonly inputs: number;
}

async function normsOf(
  session: Session,
  { network, goals, states, inputs }: Question,
  residual: boolean,
): Promise<Map<string, number>> {
  const nodes = states.map(read);
  const trained = [...network.weights].filter(([, weight]) => weight.trainable);
  const weights = new Map(trained.map(([, { state }]) => [state, read(state)]));
  const key = ops.stack([constant(0, [], "int32"), constant(0, [], "int32")]);
  const tracing = newTracing(true, key, weights);
  const x = nodes.slice(0, inputs).map((value) => ({ value }));
  const outputs = residual ? network.trace(x, tracing) : traceBodies(network, x, tracing, network.outputs);
  const { losses } = measureOutputs(goals, outputs, { values: nodes.slice(inputs) });
  const total = [...losses, ...tracing.penalties].reduce((a, b) => ops.add(a, b));
  const squares = gradients(total, [...weights.values()]).map((gradient) => ops.sum(ops.square(gradient)));
  const results = await session.run(await session.compile({ name: "gradient flow", outputs: squares, updates: [] }));
  const norms = new Map<string, number>();
  trained.forEach(([name], i) => {
    const layer = name.replace(/\.[^.]*$/, "");
    norms.set(layer, Math.hypot(norms.get(layer) ?? 0, Math.sqrt(results[i]?.data[0] ?? NaN)));
  });
  return norms;
}

const isAdding = ({ producer: { layer } }: SymbolicTensor): boolean =>
  layer.kind === "residual" && (layer.options as { readonly merge?: unknown }).merge !== "concatenate";

const hasResidual = (network: Network): boolean =>
  network.values.some((value) => {
    const { network: inner } = value.producer.layer;
    return isAdding(value) || (inner !== undefined && hasResidual(inner));
  });

/** The network's expression with the bodies of residual blocks in their place. */
function traceBodies(
  network: Network,
  inputs: readonly Traced[],
  tracing: Tracing,
  wanted: readonly SymbolicTensor[],
): Traced[] {
  const done = new Map<SymbolicTensor, Traced>();
  network.inputs.forEach((value, i) => {
    const given = inputs[i];
    if (given !== undefined) done.set(value, given);
  });
  const trace = (value: SymbolicTensor): Traced => {
    const known = done.get(value);
    if (known !== undefined) return known;
    const { layer, inputs: from } = value.producer;
    const given = from.map(trace);
    const inner = layer.network;
    const [output] = inner?.outputs ?? [];
    let result: Traced;
    if (inner === undefined || output === undefined) result = layer.trace(given, tracing);
    else {
      // The last layer of a residual block adds the way around, then the body.
      const through = isAdding(value) ? (output.producer.inputs[1] ?? output) : output;
      const within = { ...tracing, inside: `${tracing.inside ?? ""}${layer.name ?? layer.kind}/` };
      [result = layer.trace(given, tracing)] = traceBodies(inner, given, within, [through]);
    }
    done.set(value, result);
    return result;
  };
  return wanted.map(trace);
}
