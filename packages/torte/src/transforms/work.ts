/** What a graph has to compute, roughly: for choosing where it runs. */
import { type Node, topological } from "../graph/node.js";
import { PRIMITIVES } from "../graph/primitives.js";
import { sizeOf } from "../tensor/shape.js";

/** Elementary operations, those on vectors counted by element. */
export function workOf(outputs: readonly Node[]): number {
  let work = 0;
  for (const node of topological(outputs)) {
    const { kind } = PRIMITIVES[node.op];
    if (kind === "leaf" || kind === "movement") continue;
    const read = node.inputs.reduce((most, { shape }) => Math.max(most, sizeOf(shape)), sizeOf(node.shape));
    work += node.op === "contract" ? multiplications(node) : read;
  }
  return work;
}

function multiplications({ attributes: { a, b }, inputs }: Node & { readonly op: "contract" }): number {
  const sizes = new Map<string, number>();
  [a, b].forEach((labels, operand) => {
    [...labels].forEach((label, i) => sizes.set(label, inputs[operand]?.shape[i] ?? 1));
  });
  return sizeOf([...sizes.values()]);
}
