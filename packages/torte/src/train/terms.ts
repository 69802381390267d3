/**
 * The sums that a loss is made of. What is summed up over several batches must be divided afterwards, each sum by its own
 * denominator: rows for means over all positions and for penalties, valid positions or weights for the others, nothing for sums.
 */
import { constant, read } from "../graph/make.js";
import { type Node, State } from "../graph/node.js";
import { newTracing } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import * as ops from "../ops/index.js";
import type { Goal, Objective } from "./measure.js";

/** A sum over a batch, and what the sums of several batches are divided by; undefined for sums that stay. */
export interface Term {
  readonly numerator: Node;
  readonly denominator: Node | undefined;
}

type Kind = "rows" | "sum" | "own";

/** Losses whose denominators depend on the data have one of their own. */
function kindOf({ loss, output }: Goal, { outputs }: Network): Kind {
  if (loss.reduction === "sum" || loss.reduction === "none") return "sum";
  const varies =
    outputs[output]?.masked === true || loss.ignoreClass !== undefined || loss.reduction === "weightedMean";
  return varies ? "own" : "rows";
}

/** Number of terms, before anything is measured. */
export function termCount({ network, goals }: Objective): number {
  const tracing = newTracing(true, read(new State("key", [2], "int32")));
  network.trace(
    network.inputs.map(({ traced }) => traced),
    tracing,
  );
  const kinds = goals.map((goal) => kindOf(goal, network));
  const shared = (["rows", "sum"] as const).filter(
    (kind) => kinds.includes(kind) || (kind === "rows" && tracing.penalties.length > 0),
  );
  return shared.length + kinds.filter((kind) => kind === "own").length;
}

interface MeasuredLoss {
  readonly numerator: Node;
  readonly denominator: Node;
}

/** The terms of a batch of so many rows. */
export function termsOf(
  { network, goals }: Objective,
  losses: readonly MeasuredLoss[],
  penalties: readonly Node[],
  rows: number,
): Term[] {
  const parts = goals.map((goal, i) => {
    const { numerator = constant(0), denominator = constant(1) } = losses[i] ?? {};
    return { kind: kindOf(goal, network), numerator: scaled(numerator, goal.weight), denominator };
  });
  const means = parts.filter(({ kind }) => kind === "rows");
  const perRow = [
    ...means.map(({ numerator, denominator }) => ops.mul(numerator, ops.div(rows, denominator))),
    ...penalties.map((penalty) => ops.mul(penalty, rows)),
  ];
  const sums = parts.filter(({ kind }) => kind === "sum").map(({ numerator }) => numerator);
  return [
    ...(perRow.length === 0 ? [] : [{ numerator: total(perRow), denominator: constant(rows) }]),
    ...(sums.length === 0 ? [] : [{ numerator: total(sums), denominator: undefined }]),
    ...parts.filter(({ kind }) => kind === "own"),
  ];
}

const scaled = (x: Node, factor: number): Node => (factor === 1 ? x : ops.mul(x, factor));
const total = (nodes: readonly Node[]): Node => nodes.reduce((a, b) => ops.add(a, b));
