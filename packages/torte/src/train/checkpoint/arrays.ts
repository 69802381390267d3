/** The arrays of a run: where they are in the engine, and what they are called in a file. */
import type { Session } from "../../backends/backend.js";
import type { State } from "../../graph/node.js";
import type { Tensor } from "../../tensor/tensor.js";

export interface RunArrays {
  readonly session: Session;
  /** By their names. */
  readonly weights: ReadonlyMap<string, State>;
  /** All that training keeps besides the weights. */
  readonly states: ReadonlyMap<string, State>;
  /** Names of copies in the session: of all arrays at one moment, and of the weights that have been kept. */
  readonly copy: string;
  readonly best: string;
}

export const COLLECTED = "collected/";

/** Weights and states by their names in a file. */
export const namedArrays = ({ weights, states }: RunArrays): Map<string, State> =>
  new Map([
    ...[...weights].map(([name, state]) => [`weights/${name}`, state] as const),
    ...[...states].map(([name, state]) => [`states/${name}`, state] as const),
  ]);

/** Values of a copy by name. Others have their turn in between where there is much to copy. */
export async function readAll(
  session: Session,
  copy: string,
  states: ReadonlyMap<string, State>,
): Promise<Record<string, Tensor>> {
  const values: [string, Tensor][] = [];
  let bytes = 0;
  for (const [name, state] of states) {
    const value = await session.readCopy(copy, state);
    values.push([name, value]);
    bytes += value.data.byteLength;
    if (bytes < MUCH) continue;
    bytes = 0;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return Object.fromEntries(values);
}

/** Bytes that are copied within a millisecond or two. */
const MUCH = 8_000_000;
