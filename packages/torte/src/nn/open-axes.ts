/**
 * Networks whose sequences may be of any length: for each length there is one over the same layers that knows it. Sequences are
 * filled up to one of a few lengths, and how long they are comes in as an input of its own, from which their masks are made.
 */
import { ShapeError } from "../errors.js";
import { iota } from "../graph/make.js";
import * as ops from "../ops/index.js";
import type { Shape } from "../tensor/shape.js";
import { layerFunction, type SymbolicTensor } from "./layer.js";
import { masked, spreadMask } from "./masks.js";
import { input, Network } from "./network.js";

/** The next length that is compiled: a power of two, or three quarters of one; never below 8. */
export function roundedLength(length: number): number {
  const unit = 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(length, 1))) - 2);
  return Math.max(8, unit * Math.ceil(length / unit));
}

const known = new WeakMap<Network, Map<string, Network>>();

/**
 * The network for sequences of one length: of exactly that one, or of up to so many positions, where each input with an open axis
 * has another one behind all inputs that says how many there are, int32 (batch, 1).
 */
export function networkAt(network: Network, length: number, upTo: boolean): Network {
  if (!network.isOpen) return network;
  const made = known.get(network) ?? new Map<string, Network>();
  known.set(network, made);
  const key = `${upTo ? "up to " : ""}${length}`;
  let found = made.get(key);
  if (found === undefined) made.set(key, (found = build(network, length, upTo)));
  return found;
}

/**
 * The network for arrays of such shapes: those of its inputs, of exactly their length; or filled up, with the lengths behind them.
 *
 * @throws ShapeError where the sequences of several inputs differ in length.
 */
export function networkFor(network: Network, x: readonly { readonly shape: Shape }[]): Network {
  if (!network.isOpen) return network;
  return networkAt(network, lengthOf(network, x), x.length > network.inputs.length);
}

/** Of the sequences of all inputs whose length is open. */
export function lengthOf(network: Network, x: readonly { readonly shape: Shape }[]): number {
  // Inputs that are missing are refused where all are checked.
  const lengths = network.inputs.flatMap(({ other }, i) => (other === undefined ? [] : [x[i]?.shape[1] ?? 1]));
  const [first = 1] = lengths;
  if (lengths.every((length) => length === first)) return Math.max(1, first);
  throw new ShapeError({
    where: "model",
    problem: "the sequences of its inputs differ in length",
    expected: "one length in each batch",
    received: lengths.join(", "),
    fix: "Fill the shorter ones up, and put masking() or an embedding with maskZero behind their input.",
  });
}

function build(network: Network, length: number, upTo: boolean): Network {
  const places: SymbolicTensor[] = [];
  const lengths: SymbolicTensor[] = [];
  const values = new Map<SymbolicTensor, SymbolicTensor>();
  for (const value of network.inputs) {
    const { producer, shape, dtype, other } = value;
    const name = producer.layer.where;
    if (other === undefined) {
      places.push(value);
      values.set(value, value);
      continue;
    }
    const options = { name, dtype: dtype === "int32" ? dtype : "float32" } as const;
    const place = input({ ...options, shape: [length, ...shape.slice(2)] });
    places.push(place);
    if (!upTo) values.set(value, place);
    else {
      const count = input({ shape: [1], dtype: "int32", name: `length of ${name}` });
      lengths.push(count);
      values.set(value, withLength()([place, count]));
    }
  }
  for (const value of network.values) {
    if (values.has(value)) continue;
    const { layer, inputs } = value.producer;
    values.set(value, layer.apply(inputs.map((one) => values.get(one) ?? one)));
  }
  return new Network(
    [...places, ...lengths],
    network.outputs.map((output) => values.get(output) ?? output),
  );
}

/** A sequence, and the number of its positions. */
const withLength = () =>
  layerFunction({
    kind: "withLength",
    options: {},
    inputs: 2,
    integers: "accept",
    call: ([x, count]) => {
      if (x === undefined || count === undefined) throw new RangeError("a sequence has a length");
      const shape = x.value.shape.slice(0, 2);
      const mask = ops.less(iota(shape, 1), ops.broadcastTo(count.value, shape));
      return { ...masked(ops.where(spreadMask(mask, x.value.shape.length), x.value, 0), mask), ends: mask };
    },
  });
