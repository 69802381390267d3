/** Between which limits the integers of a graph lie, as far as the graph tells: so that indices need no look at run time. */
import { sizeAt, sizeOf } from "../tensor/shape.js";
import { inputOf, type Node, type NodeOf, type Primitive, type State } from "./node.js";
import { forKinds, POINTWISE } from "./primitives.js";

export interface Range {
  readonly low: number;
  readonly high: number;
}

const INT32: Range = { low: -(2 ** 31), high: 2 ** 31 - 1 };
const FLAG: Range = { low: 0, high: 1 };
const ANY: Range = { low: -Infinity, high: Infinity };

const unknown = ({ dtype }: Node): Range => (dtype === "float32" ? ANY : dtype === "int32" ? INT32 : FLAG);

const union = (ranges: readonly Range[]): Range => ({
  low: Math.min(...ranges.map(({ low }) => low)),
  high: Math.max(...ranges.map(({ high }) => high)),
});

/** Of one node; `of(i)` is the range of input i. */
type Rule<P extends Primitive> = (node: NodeOf<P>, of: (i: number) => Range, known: Known) => Range;
type Known = ReadonlyMap<State | Node, Range>;

const same: Rule<Primitive> = (_node, of) => of(0);
const all: Rule<Primitive> = (node, of) => union(node.inputs.map((_, i) => of(i)));
const flag = (): Range => FLAG;

/** Of integers, whose sums and products wrap around beyond 32 bits; what rounding does to floats is not followed. */
function integers(node: Node, ends: readonly number[]): Range {
  const range = { low: Math.min(...ends), high: Math.max(...ends) };
  return node.dtype === "int32" && range.low >= INT32.low && range.high <= INT32.high ? range : unknown(node);
}

const RULES: { readonly [P in Primitive]: Rule<P> } = {
  // Of what is computed element by element nothing is known but what a line of its own says.
  ...forKinds(POINTWISE, unknown),
  constant: ({ attributes: { value } }) => ({ low: value, high: value }),
  iota: ({ shape, attributes: { axis } }) => ({ low: 0, high: Math.max(0, sizeAt(shape, axis) - 1) }),
  state: (node, _of, known) => known.get(node.attributes.state) ?? unknown(node),
  uniform: flag,
  neg: (node, of) => integers(node, [-of(0).high, -of(0).low]),
  abs: (node, of) => {
    const { low, high } = of(0);
    return integers(node, low >= 0 ? [low, high] : [0, Math.max(-low, high)]);
  },
  sign: () => ({ low: -1, high: 1 }),
  floor: (_node, of) => ({ low: Math.floor(of(0).low), high: Math.floor(of(0).high) }),
  stopGradient: same,
  cast: (node, of) => {
    const { low, high } = of(0);
    if (node.dtype === "bool") return FLAG;
    if (node.dtype === "float32") return low >= -(2 ** 24) && high <= 2 ** 24 ? { low, high } : ANY;
    // NaN becomes 0.
    const limited = (x: number): number => Math.trunc(Math.max(INT32.low, Math.min(INT32.high, x)));
    return node.inputs[0]?.dtype === "float32"
      ? { low: Math.min(0, limited(low)), high: Math.max(0, limited(high)) }
      : { low, high };
  },
  add: (node, of) => integers(node, [of(0).low + of(1).low, of(0).high + of(1).high]),
  sub: (node, of) => integers(node, [of(0).low - of(1).high, of(0).high - of(1).low]),
  mul: (node, of) =>
    integers(
      node,
      [of(0).low, of(0).high].flatMap((x) => [x * of(1).low, x * of(1).high]),
    ),
  div: (node, of) => {
    const [{ low, high }, by] = [of(0), of(1)];
    if (by.low < 1) return unknown(node);
    return integers(
      node,
      [low, high].flatMap((x) => [Math.trunc(x / by.low), Math.trunc(x / by.high)]),
    );
  },
  max: (_node, of) => ({ low: Math.max(of(0).low, of(1).low), high: Math.max(of(0).high, of(1).high) }),
  min: (_node, of) => ({ low: Math.min(of(0).low, of(1).low), high: Math.min(of(0).high, of(1).high) }),
  mod: (node, of) => (of(0).low >= 0 && of(1).low >= 1 ? { low: 0, high: of(1).high - 1 } : unknown(node)),
  select: (_node, of) => union([of(1), of(2)]),
  copy: same,
  reshape: same,
  transpose: same,
  broadcast: same,
  slice: same,
  pad: ({ attributes: { value } }, of) => union([of(0), { low: value, high: value }]),
  reverse: same,
  concat: all,
  windows: same,
  fold: unknown,
  sum: (node, of) => {
    const count = sizeOf(inputOf(node, 0).shape) / Math.max(1, sizeOf(node.shape));
    return integers(node, [of(0).low * count, of(0).high * count]);
  },
  reduceMax: same,
  argmax: (node) => {
    const reduced = node.attributes.axes.map((axis) => sizeAt(inputOf(node, 0).shape, axis));
    return { low: 0, high: Math.max(0, sizeOf(reduced) - 1) };
  },
  contract: unknown,
  linearMap: unknown,
  gather: same,
  scatterAdd: unknown,
};

/** Ranges of nodes, each found once; `known` are those of states, and of nodes of which more is known than the graph tells. */
export class Ranges {
  readonly #known: Known;
  readonly #found = new Map<Node, Range>();

  constructor(known: Known) {
    this.#known = known;
  }

  of(node: Node): Range {
    let range = this.#found.get(node);
    if (range === undefined) this.#found.set(node, (range = this.#follow(node)));
    return range;
  }

  #follow<P extends Primitive>(node: NodeOf<P>): Range {
    const told = this.#known.get(node as Node);
    if (told !== undefined) return told;
    const rule: Rule<P> = RULES[node.op];
    return rule(node, (i) => this.of(node.inputs[i] ?? (node as Node)), this.#known);
  }
}
