/**
 * Indices that a program computes: where nothing tells that they are rows of their table they are kept within it, and the
 * first one that is not is written down. Such a step changes nothing, nor do those behind it.
 */
import { DataError } from "../errors.js";
import { rewritingNodes } from "../compile/rewrite/rewrite.js";
import { constant, originOf, read } from "../graph/make.js";
import { carries, lookupOf } from "../graph/indices.js";
import { type Node, type Program, roots, type State } from "../graph/node.js";
import { type Range, Ranges } from "../graph/ranges.js";
import { rowsWithin } from "../graph/rows.js";
import * as ops from "../ops/index.js";
import { stridesOf } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Network } from "../nn/network.js";
import { commonRanges, inputLimits } from "./limits.js";

/** What a program runs over: nodes with one row for each of a batch, and what is known of states. */
export interface GuardOptions {
  /** The inputs; those of integers have been looked at. */
  readonly inputs: readonly Node[];
  /** Other nodes with rows, such as targets. */
  readonly others?: readonly Node[];
  /** The states that the inputs are rows of; of one that is made of what its state holds, itself. */
  readonly columns: readonly (State | Node)[];
  /** The number of each row of the batch within the data. */
  readonly rows: Node;
  readonly known?: ReadonlyMap<State, Range>;
  /** int32[4]: number of the guard from 1 on, row (or −1), column, and the index. */
  readonly flag: State;
}

/** Where an index is used, for messages. */
interface Guarded {
  readonly where: string;
  readonly rows: number;
}

const guarded = new WeakMap<Program, readonly Guarded[]>();

export const isGuarded = (program: Program): boolean => guarded.has(program);

export class Guards {
  readonly #options: GuardOptions;
  readonly #inputs: ReadonlySet<Node>;
  readonly #ranges: Ranges;
  readonly #found: (Guarded & { readonly index: Node })[] = [];
  /** By index and number of rows, so that a lookup and its derivative have one guard. */
  readonly #bounded = new Map<Node, Map<number, Node>>();

  constructor(network: Network, options: GuardOptions) {
    this.#options = options;
    this.#inputs = new Set(options.inputs);
    const known = [...(options.known ?? []), ...commonRanges(inputLimits(network), options.columns)];
    this.#ranges = new Ranges(new Map(known));
  }

  /** The nodes with every index within its table. */
  readonly bound = (nodes: readonly Node[]): Generator<undefined, Node[]> =>
    rewritingNodes(nodes, (node) => {
      const lookup = lookupOf(node);
      if (lookup === undefined || this.#isSafe(lookup.index, lookup.rows)) return node;
      const index = this.#bound(node, lookup.index, lookup.rows);
      return originOf(node, () => withIndex(node, index));
    });

  #isSafe(index: Node, rows: number): boolean {
    const { low, high } = this.#ranges.of(index);
    return (low >= 0 && high < rows) || carries(index, this.#inputs);
  }

  #bound(node: Node, index: Node, rows: number): Node {
    const byRows = this.#bounded.get(index) ?? new Map<number, Node>();
    this.#bounded.set(index, byRows);
    let bounded = byRows.get(rows);
    if (bounded === undefined) {
      bounded = ops.clip(index, 0, rows - 1);
      byRows.set(rows, bounded);
      this.#found.push({ index, rows, where: node.origin === "" ? node.op : node.origin });
    }
    return bounded;
  }

  /** The program with its last indices bounded; what it writes stays as it was from the first bad index on. */
  *close(program: Program): Generator<undefined, Program> {
    const bounded = yield* this.bound(roots(program));
    const outputs = bounded.slice(0, program.outputs.length);
    const updates = program.updates.map(({ state, value }, i) => ({
      state,
      value: bounded[outputs.length + i] ?? value,
    }));
    if (this.#found.length === 0) return program;
    const before = read(this.#options.flag);
    const fresh = this.#found.map((found, i) => this.#report(found, i + 1));
    const first = fresh.reduceRight((later, now) => ops.where(isSet(now), now, later));
    const flag = ops.where(isSet(before), before, first);
    const keep = isSet(flag);
    const closed: Program = {
      ...program,
      outputs,
      updates: [
        ...updates.map(({ state, value }) => ({ state, value: ops.where(keep, read(state), value) })),
        { state: this.#options.flag, value: flag },
      ],
    };
    guarded.set(closed, this.#found);
    return closed;
  }

  /** int32[4], all zero where every index is good. */
  #report({ index, rows }: { readonly index: Node; readonly rows: number }, number: number): Node {
    const flat = ops.reshape(index, [-1]);
    const bad = ops.cast(ops.logicalOr(ops.less(flat, 0), ops.lessEqual(rows, flat)), "int32");
    const place = ops.argmax(bad);
    const [row, column] = this.#place(index, place);
    const facts = ops.stack([constant(number, [], "int32"), row, column, ops.gather(flat, place)]);
    return ops.mul(facts, ops.max(bad));
  }

  /** Row and column of a place in an index. */
  #place(index: Node, place: Node): [row: Node, column: Node] {
    const { inputs, others = [], rows } = this.#options;
    const batch = rows.shape[0] ?? 1;
    const found = rowsWithin(index, [...inputs, ...others], batch);
    if (found === undefined) return [constant(-1, [], "int32"), place];
    const apart = (stridesOf(index.shape)[found.axis] ?? 1) * found.inner;
    const row = ops.mod(ops.div(place, apart), batch);
    const column = ops.add(ops.mul(ops.div(place, apart * batch), apart), ops.mod(place, apart));
    return [ops.gather(rows, row), column];
  }
}

const isSet = (flag: Node): Node => ops.less(0, ops.reshape(ops.slice(flag, 0, 0, 1), []));

function withIndex(node: Node, index: Node): Node {
  const [first, second] = node.inputs;
  if (node.op === "gather" && first !== undefined) return ops.gather(first, index);
  if (node.op !== "scatterAdd" || second === undefined) throw new RangeError(`${node.op} has no index`);
  return ops.scatterAdd(index, second, node.attributes.rows, node.attributes.batch);
}

/** @throws DataError where the program has met an index that is no row of its table. */
export function checkFlag(
  program: Program,
  flag: Tensor,
  { part = "", firstRow = 0 }: { readonly part?: string; readonly firstRow?: number } = {},
): void {
  const [number = 0, row = -1, column = 0, index = 0] = flag.data;
  const found = guarded.get(program)?.[number - 1];
  if (found === undefined) return;
  const place = row < 0 ? `place ${column} of the batch` : `row ${firstRow + row}, column ${column}`;
  throw new DataError({
    where: `${found.where}${part}`,
    problem: "an index is out of range",
    expected: `0…${found.rows - 1}`,
    received: `${index} at ${place}`,
  });
}
