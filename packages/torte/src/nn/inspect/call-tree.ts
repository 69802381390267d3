/** What happens inside a network: every application of a layer, with its real shapes and masks, nested as the layers are. */
import { read } from "../../graph/make.js";
import { State } from "../../graph/node.js";
import type { Node } from "../../graph/node.js";
import { type Application, type Layer, openShape, type SymbolicTensor, type Traced } from "../layer.js";
import type { Network } from "../network.js";

/** An application with those of the layers inside it. */
export interface Call extends Application {
  readonly inner: readonly Call[];
  /** Of its result, with an open batch; null also where a length is open. */
  readonly shape: readonly (number | null)[];
}

export interface Walk {
  readonly inputs: readonly Traced[];
  readonly calls: readonly Call[];
}

/** Collects applications into a tree; the layers inside come first and are claimed by the one that they are part of. */
export function collector(): { readonly calls: Call[]; readonly observe: (application: Application) => void } {
  const calls: Call[] = [];
  const observe = (application: Application): void => {
    const inside = `${application.path}/`;
    let from = calls.length;
    while (from > 0 && calls[from - 1]?.path.startsWith(inside) === true) from--;
    const shape = openShape(application.result, undefined);
    calls.push({ ...application, shape, inner: calls.splice(from) });
  };
  return { calls, observe };
}

/** Traces the network as it was described, for a batch that stands for any. */
export function walk(network: Network): Walk {
  const once = (of: (value: SymbolicTensor) => Traced): Walk => {
    const copy = ({ shape, dtype }: Node): Node => read(new State("input", shape, dtype));
    const inputs = network.inputs.map(of).map(({ value, mask }) => ({
      value: copy(value),
      ...(mask === undefined ? {} : { mask: copy(mask) }),
    }));
    const { calls, observe } = collector();
    network.trace(inputs, {
      training: true,
      randomKey: read(new State("key", [2], "int32")),
      substitutes: new Map(),
      penalties: [],
      updates: new Map(),
      observe,
    });
    return { inputs, calls };
  };
  const first = once(({ traced }) => traced);
  if (!network.isOpen) return first;
  return { ...first, calls: opened(first.calls, once(({ traced, other }) => other ?? traced).calls) };
}

/** The same calls with what is another length in the others left open. */
const opened = (calls: readonly Call[], others: readonly Call[]): readonly Call[] =>
  calls.map((call, i) => {
    const other = others[i];
    return { ...call, shape: openShape(call.result, other?.result), inner: opened(call.inner, other?.inner ?? []) };
  });

/** Layers around one other, which stay what they are called. */
const WRAPPERS = ["residual", "timeDistributed", "spectralNormalization", "model"];

/** The kind of a layer; a block is called by its own name, but it is a block. */
export const kindOf = (layer: Layer): string =>
  layer.children.length > 0 && !WRAPPERS.includes(layer.kind) ? "block" : layer.kind;

/** As Keras calls it: conv1d is Conv1D. */
export const typeOf = (layer: Layer): string =>
  kindOf(layer)
    .replace(/^./, (letter) => letter.toUpperCase())
    .replace(/(\d)d/, "$1D");

/** Names of where values come from: the network's inputs and the layers. */
export function namesOf(network: Network, { inputs, calls }: Walk): ReadonlyMap<Traced, string> {
  const names = new Map<Traced, string>();
  inputs.forEach((value, i) => names.set(value, network.inputs[i]?.producer.layer.where ?? "input"));
  const add = (list: readonly Call[]): void => {
    for (const { result, layer, inner } of list) {
      names.set(result, layer.where);
      add(inner);
    }
  };
  add(calls);
  return names;
}

/** Whether each call takes what the one before gives and nothing else. */
export function isChain(calls: readonly Call[], inputs: readonly Traced[]): boolean {
  return calls.every(({ inputs: from }, i) => {
    const before = i === 0 ? inputs[0] : calls[i - 1]?.result;
    return from.length === 1 && (from[0] === before || (i === 0 && !inputs.some((input) => from.includes(input))));
  });
}
