/** Layers made of layers: blocks, residual blocks, models used as layers, wrappers. */
import { checkOptions, oneOf, OptionError, ShapeError, show } from "../../errors.js";
import { read } from "../../graph/make.js";
import { State } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { formatShape, lastOf } from "../../tensor/shape.js";
import {
  asFunction,
  COMMON,
  type CommonOptions,
  inputAt,
  isLayerFunction,
  Layer,
  type LayerFunction,
  type Scope,
  SymbolicTensor,
  type Traced,
} from "../layer.js";
import { masked } from "../masks.js";
import { chain } from "../chain.js";
import { Network } from "../network.js";
import { add, concatenate } from "./merge.js";

/** What a block does: layers one after the other, or a function between symbolic tensors. */
export type Body = readonly LayerFunction[] | ((x: SymbolicTensor) => SymbolicTensor);

/** A stand-in for one input of an inner network. */
function placeholder({ value, mask }: Traced): SymbolicTensor {
  const layer = new Layer({ kind: "input", options: {}, inputs: 0, call: () => ({ value }) });
  const copy = (node: Traced["value"]): Traced["value"] => read(new State("input", node.shape, node.dtype));
  const traced = mask === undefined ? { value: copy(value) } : { value: copy(value), mask: copy(mask) };
  return new SymbolicTensor(traced, { layer, inputs: [] });
}

function applyBody(body: Body, x: SymbolicTensor): SymbolicTensor {
  return typeof body === "function" ? body(x) : chain(x, body);
}

function checkBody(where: string, body: unknown): void {
  const layers = Array.isArray(body) && body.length > 0 && body.every((layer) => typeof layer === "function");
  if (layers || typeof body === "function") return;
  throw new OptionError({
    where,
    problem: "there is no body",
    expected: "a list of layers, or a function of a symbolic tensor",
    received: show(body),
  });
}

/** A layer around an inner network, which comes into being when the layer is applied for the first time. */
export function composite(
  kind: string,
  options: CommonOptions & object,
  build: (inputs: readonly SymbolicTensor[], where: string) => SymbolicTensor,
): LayerFunction {
  let network: Network | undefined;
  const layer: Layer = new Layer({
    kind,
    options,
    inputs: "many",
    integers: "accept",
    // The layers inside answer for the mask.
    endsMask: true,
    network: () => network,
    call: (inputs, scope) => {
      if (network === undefined) {
        const places = inputs.map(placeholder);
        network = new Network(places, [build(places, scope.where)]);
      }
      return traceInner(network, inputs, scope);
    },
  });
  return asFunction(layer);
}

function traceInner(network: Network, inputs: readonly Traced[], scope: Scope): Traced {
  if (network.inputs.length !== inputs.length) {
    throw new ShapeError({
      where: scope.where,
      problem: "wrong number of inputs",
      expected: String(network.inputs.length),
      received: String(inputs.length),
    });
  }
  return inputAt(network.trace(inputs, scope.tracing));
}

/**
 * Several layers under one name: one row of the summary, reusable and nestable.
 *
 * `body` is a list of layers, or a function from symbolic tensor to symbolic tensor, called once. Applied again, the block
 * shares its weights. For a new block of the same make, write a function that returns one.
 *
 * @throws OptionError for a body that is neither.
 * @example
 * import { block, conv1d, dropout, input, maxPooling1d } from "torte";
 * const convolutionBlock = (filters: number) =>
 *   block("convolution block", [conv1d({ filters, kernelSize: 5, activation: "relu" }), maxPooling1d(), dropout({ rate: 0.2 })]);
 * console.log(convolutionBlock(32)(convolutionBlock(16)(input({ shape: [100, 4] }))).shape); // [null, 22, 32]
 */
export function block(name: string, body: Body, options: CommonOptions = {}): LayerFunction {
  checkOptions("block", options, COMMON);
  if (typeof name !== "string" || name === "" || name.includes("/")) {
    throw new OptionError({
      where: "block",
      problem: "the name is unusable",
      expected: "a text without /",
      received: show(name),
    });
  }
  checkBody("block", body);
  return composite(name.trim().replaceAll(/\s+/g, "_"), options, ([x], where) => applyBody(body, only(x, where)));
}

function only(x: SymbolicTensor | undefined, where: string): SymbolicTensor {
  if (x === undefined) throw new ShapeError({ where, problem: "wrong number of inputs", expected: "1", received: "0" });
  return x;
}

/** Options of {@link residual}. */
export interface ResidualOptions extends CommonOptions {
  /** A layer (or layers) for the input on its way around the body, W′ of equation 7.3. Default: the input as it is. */
  readonly project?: Body;
  /** How the two ways meet. Default "add". */
  readonly merge?: "add" | "concatenate";
}

/**
 * A way around some layers: y = x + body(x), with `project` y = project(x) + body(x), or both side by side.
 *
 * He et al. 2016. The derivative has the term 1 (or that of the projection), so that gradients reach the layers before it.
 *
 * Input and output of the body have one shape for merge "add"; for "concatenate" they differ at most in the last axis.
 *
 * @throws ShapeError where the two ways do not fit each other.
 * @example
 * import { dense, input, residual } from "torte";
 * const x = input({ shape: [64] });
 * console.log(residual([dense({ units: 64, activation: "relu" })])(x).shape); // [null, 64]
 * const wider = residual([dense({ units: 128 })], { project: [dense({ units: 128, useBias: false })] });
 * console.log(wider(x).shape); // [null, 128]
 */
export function residual(body: Body, options: ResidualOptions = {}): LayerFunction {
  checkOptions("residual", options, [...COMMON, "project", "merge"]);
  checkBody("residual", body);
  if (options.project !== undefined) checkBody("residual", options.project);
  const merge = oneOf("residual", "merge", options.merge ?? "add", ["add", "concatenate"]);
  // What the projection does is told by the network inside.
  const { project, ...own } = options;
  return composite("residual", own, ([first], where) => {
    const x = only(first, where);
    const around = project === undefined ? x : applyBody(project, x);
    const through = applyBody(body, x);
    checkWays(where, around, through, merge, project !== undefined);
    return (merge === "add" ? add() : concatenate())([around, through]);
  });
}

function checkWays(
  where: string,
  around: SymbolicTensor,
  through: SymbolicTensor,
  merge: "add" | "concatenate",
  projected: boolean,
): void {
  const compared = (x: SymbolicTensor): string => formatShape(merge === "add" ? x.shape : x.shape.slice(0, -1));
  if (compared(around) === compared(through)) return;
  const width = lastOf(through.shape);
  const positions = formatShape(around.shape.slice(0, -1)) === formatShape(through.shape.slice(0, -1));
  const projection = `Give project: [dense({ units: ${width}, useBias: false })], so that both ways are ${width} wide`;
  throw new ShapeError({
    where,
    problem: `the ${projected ? "projection" : "input"} and the body have different shapes`,
    expected: `${formatShape(around.shape)} from the body`,
    received: formatShape(through.shape),
    fix: positions
      ? `${projection}${merge === "add" ? ', or merge: "concatenate".' : "."}`
      : 'Set padding: "same" in the body\'s convolutions and pool outside of it, so that the positions stay.',
  });
}

/** A model with its layers, as a layer; what `model.asLayer()` returns. */
export function networkLayer(network: Network, options: CommonOptions): LayerFunction {
  checkOptions("asLayer", options, COMMON);
  if (network.outputs.length !== 1) {
    throw new ShapeError({
      where: "asLayer",
      problem: "a layer has one output",
      expected: "a model with 1 output",
      received: `one with ${network.outputs.length}`,
      fix: "Make a model of the same inputs and one of the outputs with functional.",
    });
  }
  return asFunction(
    new Layer({
      kind: "model",
      options,
      inputs: network.inputs.length,
      integers: "accept",
      endsMask: true,
      network: () => network,
      call: (inputs, scope) => traceInner(network, inputs, scope),
    }),
  );
}

/**
 * Applies a layer to every step of a sequence: to (length, …) as to a batch of length·batch examples.
 *
 * Input (length, …), output (length, …′). A mask is passed on, masked steps being zero.
 *
 * @example
 * import { dense, input, timeDistributed } from "torte";
 * console.log(timeDistributed(dense({ units: 5 }))(input({ shape: [10, 8] })).shape); // [null, 10, 5]
 */
export function timeDistributed(inner: LayerFunction, options: CommonOptions = {}): LayerFunction {
  checkOptions("timeDistributed", options, COMMON);
  checkInner("timeDistributed", inner);
  return asFunction(
    new Layer({
      kind: "timeDistributed",
      options: wrapping(options, inner),
      integers: "accept",
      children: () => [inner.layer],
      call: (inputs, scope) => {
        const { value, mask } = inputAt(inputs);
        const [batch = 1, length = 1, ...rest] = value.shape;
        if (value.shape.length < 3) {
          throw new ShapeError({
            where: scope.where,
            problem: "wrong number of axes",
            expected: "(batch, length, …)",
            received: formatShape([null, ...value.shape.slice(1)]),
          });
        }
        const flat = inner.layer.trace([{ value: ops.reshape(value, [batch * length, ...rest]) }], scope.tracing).value;
        const result = ops.reshape(flat, [batch, length, ...flat.shape.slice(1)]);
        return masked(result, mask);
      },
    }),
  );
}

/** The options of a layer around another, for whoever wants to see all of them. */
export function wrapping(
  options: CommonOptions & object,
  layer: LayerFunction,
): CommonOptions & { layer: LayerFunction } {
  return { ...options, layer };
}

export function checkInner(where: string, inner: unknown): void {
  if (isLayerFunction(inner)) return;
  throw new OptionError({ where, problem: "there is no layer to wrap", expected: "a layer", received: show(inner) });
}
