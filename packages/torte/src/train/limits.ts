/** What each number of an integer input may be: told by the lookups that it is an index of, whatever layers are in between. */
import { emptyValues, type Value } from "../backends/reference/arrays.js";
import { evaluate } from "../backends/reference/index.js";
import { read } from "../graph/make.js";
import { carries, type Lookup, lookupOf } from "../graph/indices.js";
import { type Node, State, topological } from "../graph/node.js";
import { type Range, Ranges } from "../graph/ranges.js";
import { newTracing, PLACEHOLDER_BATCH } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import { sizeOf } from "../tensor/shape.js";
import { atOnce } from "../turns.js";

/** Of the numbers of one row; where nothing is known, those of int32. */
export interface Limits {
  readonly low: Int32Array;
  readonly high: Int32Array;
  /** Of all numbers, where each has the same. */
  readonly common: Range | undefined;
}

/** For each input; undefined where it is no index, or one that is computed and can only be looked at while it is used. */
export type InputLimits = readonly (Limits | undefined)[];

const known = new WeakMap<Network, InputLimits>();

export const inputLimits = (network: Network): InputLimits => atOnce(findingLimits(network));

/** What is known before the network runs, in steps; found once. */
export function* findingLimits(network: Network): Generator<undefined, InputLimits> {
  const before = known.get(network);
  if (before !== undefined) return before;
  const limits = network.inputSpecs.some(({ dtype }) => dtype === "int32")
    ? yield* find(network)
    : network.inputs.map(() => undefined);
  known.set(network, limits);
  return limits;
}

/** Whether rows of zeros have good indices, too, so that batches may be filled up with them. */
export function zerosAreGood(network: Network): boolean {
  const limits = inputLimits(network);
  const { nodes, states } = placeholders(network);
  const inputs = integersOf(nodes);
  const ranges = new Ranges(commonRanges(limits, states));
  const isKnown = ({ index, rows }: Lookup): boolean => {
    const range = ranges.of(index);
    return (range.low >= 0 && range.high < rows) || carries(index, inputs);
  };
  const zero = limits.every((limit) => limit === undefined || limit.low.every((value) => value <= 0));
  return zero && [false, true].every((training) => atOnce(lookupsOf(network, nodes, training)).every(isKnown));
}

/** A batch of each input. */
function placeholders(network: Network): { readonly states: readonly State[]; readonly nodes: readonly Node[] } {
  const states = network.inputSpecs.map(
    ({ name, shape, dtype }) => new State(name, [PLACEHOLDER_BATCH, ...shape], dtype),
  );
  return { states, nodes: states.map(read) };
}

const integersOf = (nodes: readonly Node[]): Set<Node> => new Set(nodes.filter(({ dtype }) => dtype === "int32"));

function* find(network: Network): Generator<undefined, InputLimits> {
  const specs = network.inputSpecs;
  const { states, nodes } = placeholders(network);
  const inputs = integersOf(nodes);
  const lookups: Lookup[] = [];
  for (const training of [false, true]) lookups.push(...(yield* lookupsOf(network, nodes, training)));
  const columns = specs.map(({ shape, dtype }) => (dtype === "int32" ? sizeOf(shape) : 0));
  const low = columns.map((count) => new Int32Array(count).fill(-(2 ** 31)));
  const high = columns.map((count) => new Int32Array(count).fill(2 ** 31 - 1));
  const touched = new Set<number>();
  const carried = lookups.filter(({ index }) => carries(index, inputs));
  for (const { index, rows } of carried) {
    yield;
    for (const { input, column, shift } of origins(index, states, columns)) {
      const [lows, highs] = [low[input], high[input]];
      if (lows === undefined || highs === undefined) continue;
      lows[column] = Math.max(lows[column] ?? 0, -shift);
      highs[column] = Math.min(highs[column] ?? 0, rows - 1 - shift);
      touched.add(input);
    }
  }
  return specs.map((_, i) => (touched.has(i) ? limitsOf(low[i], high[i]) : undefined));
}

/** Of the inputs, or of states that hold them, where all their numbers have the same limits. */
export const commonRanges = (limits: InputLimits, places: readonly (State | Node)[]): Map<State | Node, Range> =>
  new Map(
    places.flatMap((place, i) => {
      const common = limits[i]?.common;
      return common === undefined ? [] : [[place, common] as const];
    }),
  );

function limitsOf(low = new Int32Array(0), high = new Int32Array(0)): Limits {
  const [first = 0, last = 0] = [low[0], high[0]];
  const same = low.every((value) => value === first) && high.every((value) => value === last);
  return { low, high, common: same ? { low: first, high: last } : undefined };
}

function* lookupsOf(network: Network, nodes: readonly Node[], training: boolean): Generator<undefined, Lookup[]> {
  const key = read(new State("key", [2], "int32"));
  const tracing = newTracing(training, key);
  const traced = yield* network.traceEach(
    nodes.map((value) => ({ value })),
    tracing,
  );
  const masks = traced.flatMap(({ mask }) => (mask === undefined ? [] : [mask]));
  const results = [...traced.map(({ value }) => value), ...masks, ...tracing.penalties, ...tracing.updates.values()];
  return topological(results).flatMap((node) => lookupOf(node) ?? []);
}

interface Origin {
  readonly input: number;
  readonly column: number;
  /** What is added to the number of the input. */
  readonly shift: number;
}

/**
 * Where each number of an index comes from: the index is computed once over zeros, and once over numbers that tell which
 * they are.
 */
function origins(index: Node, states: readonly State[], columns: readonly number[]): Origin[] {
  const starts = columns.map((_, i) => 1 + columns.slice(0, i).reduce((a, b) => a + b, 0));
  const over = (number: (input: number, column: number) => number): Value["data"] => {
    const values = states.map((state, i) => {
      const data = emptyValues(state.dtype, sizeOf(state.shape));
      const row = columns[i] ?? 0;
      if (row > 0) for (let k = 0; k < data.length; k++) data[k] = number(i, k % row);
      return [state, { shape: state.shape, data }] as const;
    });
    return evaluate([index], new Map<State, Value>(values))[0]?.data ?? new Int32Array(0);
  };
  const shifts = over(() => 0);
  const found = new Map<string, Origin>();
  over((input, column) => (starts[input] ?? 1) + column).forEach((value, i) => {
    const shift = shifts[i] ?? 0;
    const number = value - shift;
    const input = starts.findLastIndex((start) => start <= number);
    if (input < 0) return;
    const column = number - (starts[input] ?? 0);
    if (column < (columns[input] ?? 0)) found.set(`${input} ${column} ${shift}`, { input, column, shift });
  });
  return [...found.values()];
}
