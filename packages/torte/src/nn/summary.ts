/** The table of a model that people know from Keras. */
import { formatShape, sizeOf } from "../tensor/shape.js";
import type { Layer, SymbolicTensor } from "./layer.js";
import type { Network } from "./network.js";

const WIDTHS = [36, 26, 14] as const;
const LINE = WIDTHS.reduce((a, b) => a + b, 0);

const capital = (kind: string): string => kind.replace(/^./, (c) => c.toUpperCase()).replace(/(\d)d$/, "$1D");

export function countParameters(layer: Layer): { trainable: number; frozen: number } {
  let [trainable, frozen] = [0, 0];
  for (const weight of layer.weights.values()) {
    if (weight.trainable && layer.trainable) trainable += sizeOf(weight.state.shape);
    else frozen += sizeOf(weight.state.shape);
  }
  return { trainable, frozen };
}

function row(cells: readonly string[]): string {
  return cells
    .map((cell, i) => ` ${cell}`.padEnd(WIDTHS[i] ?? 0))
    .join("")
    .trimEnd();
}

/** The summary as text, one line for each layer call: name and kind, shape of the result, number of parameters. */
export function summarize(network: Network, name = "sequential"): string {
  const lines = [
    `Model: "${name}"`,
    "_".repeat(LINE),
    row(["Layer (type)", "Output Shape", "Param #"]),
    "=".repeat(LINE),
  ];
  const counted = new Set<Layer>();
  const totals = { trainable: 0, frozen: 0 };
  for (const value of network.values) {
    const { layer } = value.producer;
    if (layer.kind === "input" && network.inputs.length === 1) continue;
    const { trainable, frozen } = countParameters(layer);
    const again = counted.has(layer);
    counted.add(layer);
    if (!again) {
      totals.trainable += trainable;
      totals.frozen += frozen;
    }
    lines.push(
      row([`${layer.where} (${capital(layer.kind)})`, shapeOf(value), again ? "0" : String(trainable + frozen)]),
    );
  }
  const count = (n: number): string => n.toLocaleString("en-US");
  lines.push("=".repeat(LINE));
  lines.push(`Total params: ${count(totals.trainable + totals.frozen)}`);
  lines.push(
    `Trainable params: ${count(totals.trainable)}`,
    `Non-trainable params: ${count(totals.frozen)}`,
    "_".repeat(LINE),
  );
  return lines.join("\n");
}

const shapeOf = (value: SymbolicTensor): string => formatShape(value.shape);
