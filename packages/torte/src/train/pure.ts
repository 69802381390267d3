/** A model as a function of its weights and inputs, without anything else that it depends on. */
import { booleanOption, checkOptions, GraphError, OptionError, seedOption, ShapeError, show } from "../errors.js";
import { constant } from "../graph/make.js";
import { isNode, type Node, type State, topological } from "../graph/node.js";
import { newTracing } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import * as ops from "../ops/index.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { isMapped } from "../transforms/trace.js";
import { type AnyTransformed, transformed, type Transformed } from "../transforms/transformed.js";
import { checkInputs } from "./check-data.js";

/** Options of the function that a model's `pure` gives. */
export interface PureOptions {
  /** Layers work as in a training step: dropout drops, batch statistics are those of the batch. Default false. */
  readonly training?: boolean;
  /** Of random numbers while training: a number, or an int32 scalar that may differ from call to call. Default: the model's. */
  readonly seed?: number | Node;
}

type Inputs = Node | readonly Node[];

/** A model's outputs for weights by name, as `getWeights` gives them, and a batch of inputs. */
export type PureFunction<Output> = Transformed<
  [weights: Readonly<Record<string, Node>>, x: Inputs, options?: PureOptions],
  Output extends Tensor ? Node : readonly Node[]
>;

const where = "model.pure";
const describe = ({ dtype, shape }: Node): string => `${dtype}${formatShape(shape)}`;

export function pureFunction<Output>(network: Network, listed: boolean, seed: number): PureFunction<Output> {
  const apply = (weights: unknown, x: Inputs, options: PureOptions = {}): Node | readonly Node[] => {
    checkOptions(where, options, ["training", "seed"]);
    const training = booleanOption(where, "training", options.training ?? false);
    const inputs = inputsFor(network, x);
    const tracing = newTracing(training, keyOf(options.seed ?? seed), substitutesFor(network, weights));
    const outputs = network.trace(
      inputs.map((value) => ({ value })),
      tracing,
    );
    if (inputs.some(isMapped)) refuseBatchStatistics(inputs, tracing.updates);
    const nodes = outputs.map(({ value }) => value);
    return listed ? nodes : (nodes[0] ?? constant(0));
  };
  const onNodes = transformed(where, apply, apply) as AnyTransformed;
  const call = (weights: unknown, x: unknown, ...more: readonly unknown[]): unknown => {
    const list: readonly unknown[] = Array.isArray(x) ? x : [x];
    if (list.every((value): value is Tensor => value instanceof Tensor)) checkInputs(network, list);
    return onNodes(weights, x, ...more);
  };
  return Object.defineProperty(call, "name", { value: where }) as PureFunction<Output>;
}

function keyOf(seed: unknown): Node {
  const fits = isNode(seed) && seed.dtype === "int32" && seed.shape.length === 0;
  if (isNode(seed) && !fits) {
    throw new OptionError({ where, problem: "seed is no seed", expected: "int32()", received: describe(seed) });
  }
  const word = isNode(seed) ? seed : constant(seedOption(where, seed) | 0, [], "int32");
  return ops.stack([word, constant(0, [], "int32")]);
}

/** Nodes that stand for the weights. */
export function substitutesFor(network: Network, given: unknown): Map<State, Node> {
  const values = (typeof given === "object" && given !== null ? given : {}) as Readonly<Record<string, unknown>>;
  const { weights } = network;
  const unknown = Object.keys(values).find((name) => !weights.has(name));
  if (unknown !== undefined) {
    throw new OptionError({
      where,
      problem: `the model has no weight ${JSON.stringify(unknown)}`,
      expected: [...weights.keys()].join(", ") || "no weights",
      received: unknown,
    });
  }
  return new Map(
    [...weights].map(([name, { state }]) => {
      const value = values[name];
      if (isNode(value) && value.dtype === "float32" && sameShape(value.shape, state.shape)) return [state, value];
      throw new ShapeError({
        where: `${where}, ${name}`,
        problem: isNode(value) ? "the weight does not fit" : "the weight is missing",
        expected: `float32${formatShape(state.shape)}`,
        received: isNode(value) ? describe(value) : show(value),
        fix: "Take all weights from model.getWeights().",
      });
    }),
  );
}

/** The inputs, with a batch in front. */
function inputsFor(network: Network, x: unknown): readonly Node[] {
  const list: readonly unknown[] = Array.isArray(x) ? x : [x];
  const specs = network.inputSpecs;
  const fits = (value: unknown, i: number): value is Node =>
    isNode(value) &&
    value.dtype === specs[i]?.dtype &&
    value.shape.length > 0 &&
    sameShape(value.shape.slice(1), specs[i].shape);
  if (list.length === specs.length && list.every(fits)) return list;
  const wrong = list.findIndex((value, i) => !fits(value, i));
  const spec = specs[Math.max(0, wrong)];
  const received = list[Math.max(0, wrong)];
  const single = isNode(received) && spec !== undefined && sameShape(received.shape, spec.shape);
  throw new ShapeError({
    where,
    problem: list.length === specs.length ? "the input does not fit" : "wrong number of inputs",
    expected:
      list.length === specs.length
        ? `${spec?.dtype ?? "float32"}${formatShape([null, ...(spec?.shape ?? [])])}`
        : String(specs.length),
    received:
      list.length !== specs.length ? String(list.length) : isNode(received) ? describe(received) : show(received),
    ...(single ? { fix: "The function takes a batch: write ops.expandDims(x, 0) for one example." } : {}),
  });
}

/** Within vmap there is one example only, or the batch is not that of the examples: neither has the statistics wanted. */
function refuseBatchStatistics(inputs: readonly Node[], updates: ReadonlyMap<State, Node>): void {
  for (const [state, value] of updates) {
    if (!topological([value]).some((node) => inputs.includes(node))) continue;
    throw new GraphError({
      where: state.name.replace(/\.\w+$/, ""),
      problem: "statistics of a batch are not defined within vmap, where each example is by itself",
      expected: "the whole batch outside of vmap, or training: false",
      received: "training: true on examples that vmap has taken apart",
      fix: "Use { training: false } for the moving averages, or layerNormalization or groupNormalization, which need no batch.",
    });
  }
}
