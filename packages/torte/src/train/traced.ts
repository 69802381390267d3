/** The network's outputs as training and prediction compute them. */
import { beforeGradientEach } from "../compile/pipeline.js";
import { constant, read } from "../graph/make.js";
import type { Node, Program } from "../graph/node.js";
import type { Traced, Tracing } from "../nn/layer.js";
import type { Network } from "../nn/network.js";

/** Keeps indices within their tables, before anything is moved behind a lookup. */
export type Bound = (nodes: readonly Node[]) => Generator<undefined, readonly Node[]>;

export interface TracedOptions extends Pick<Program, "exactConvolutions"> {
  /** Default: indices are within their tables. */
  readonly bound?: Bound | undefined;
}

/** The network's outputs, through the passes that come before differentiation, in steps. */
export function* tracedWith(
  network: Network,
  inputs: readonly Traced[],
  tracing: Tracing,
  { bound, exactConvolutions }: TracedOptions = {},
): Generator<undefined, Traced[]> {
  const outputs = yield* network.traceEach(inputs, tracing);
  const penalties = tracing.penalties.length;
  const moved = [...tracing.updates.keys()];
  const nodes = [...outputs.map(({ value }) => value), ...tracing.penalties, ...tracing.updates.values()];
  const bounded = bound === undefined ? nodes : yield* bound(nodes);
  const mapped = yield* beforeGradientEach(bounded, { exactConvolutions });
  tracing.penalties.splice(0, penalties, ...mapped.slice(outputs.length, outputs.length + penalties));
  moved.forEach((state, i) => tracing.updates.set(state, mapped[outputs.length + penalties + i] ?? read(state)));
  return outputs.map(({ mask }, i) => ({ value: mapped[i] ?? constant(0), mask }));
}
