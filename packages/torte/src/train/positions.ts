/** Which positions of an output count: told before a program runs, where a label is not one that its loss knows. */
import { emptyValues, type Value } from "../backends/reference/arrays.js";
import { evaluate } from "../backends/reference/index.js";
import { read } from "../graph/make.js";
import { State, topological } from "../graph/node.js";
import { newTracing } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import { sizeOf } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";

/** Whether number `at` of the `perRow` numbers of a row counts. */
export type Positions = (row: number, at: number, perRow: number) => boolean;

/** Rows whose masks are computed together. */
const ROWS = 64;

/**
 * The positions of one output, as the mask has them that the inputs bring about; undefined where there is no mask, or where
 * it follows from weights. Masks are computed by the interpreter, when they are asked for.
 */
export function positionsOf(
  network: Network,
  { output }: { readonly output: number },
  x: readonly Tensor[],
): Positions | undefined {
  const rows = Math.min(ROWS, x[0]?.shape[0] ?? 0);
  if (network.outputs[output]?.masked !== true || rows === 0) return undefined;
  const states = network.inputSpecs.map(({ name, shape, dtype }) => new State(name, [rows, ...shape], dtype));
  const traced = network.trace(
    states.map((state) => ({ value: read(state) })),
    newTracing(false),
  );
  const mask = traced[output]?.mask;
  if (mask === undefined) return undefined;
  const leaves = topological([mask]).flatMap((node) => (node.op === "state" ? [node.attributes.state] : []));
  if (leaves.some((state) => !states.includes(state))) return undefined;
  let block = -1;
  let known: Value["data"] = new Uint8Array(0);
  const length = sizeOf(mask.shape.slice(1));
  return (row, at, perRow) => {
    if (block !== Math.floor(row / rows)) {
      block = Math.floor(row / rows);
      known = evaluate([mask], valuesOf(states, x, block * rows))[0]?.data ?? known;
    }
    return known[(row % rows) * length + Math.floor((at * length) / perRow)] !== 0;
  };
}

/** The rows from `first` on; what lies behind the last one is zero. */
function valuesOf(states: readonly State[], x: readonly Tensor[], first: number): Map<State, Value> {
  return new Map(
    states.map((state, i) => {
      const data = emptyValues(state.dtype, sizeOf(state.shape));
      const row = sizeOf(state.shape.slice(1));
      data.set(x[i]?.data.subarray(first * row, first * row + data.length) ?? []);
      return [state, { shape: state.shape, data }] as const;
    }),
  );
}
