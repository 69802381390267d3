/** Reverse-mode differentiation, graph to graph. */
import { GraphError } from "../errors.js";
import { constant, originOf } from "../graph/make.js";
import { type Node, topological } from "../graph/node.js";
import { add } from "../ops/index.js";
import { atOnce, eachInSteps } from "../turns.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import { pullBack, zeros } from "./rules.js";

/** Gradients of a scalar with respect to nodes; zeros where it does not depend on one. */
export const gradients = (output: Node, wrt: readonly Node[]): Node[] => atOnce(gradientsEach(output, wrt));

/** The same, in steps. */
export function* gradientsEach(output: Node, wrt: readonly Node[]): Generator<undefined, Node[]> {
  if (output.shape.length !== 0 || output.dtype !== "float32") {
    throw new GraphError({
      where: "gradients",
      problem: "only a scalar has a gradient",
      expected: "float32()",
      received: `${output.dtype}${formatShape(output.shape)}`,
      fix: "Take the sum or the mean first.",
    });
  }
  return yield* vjpEach([output], [constant(1)], wrt);
}

/** Gradients of Σ outputs·cotangents with respect to nodes. */
export const vjp = (outputs: readonly Node[], cotangents: readonly Node[], wrt: readonly Node[]): Node[] =>
  atOnce(vjpEach(outputs, cotangents, wrt));

/** Nodes between two steps. */
const STEP = 64;

function* vjpEach(
  outputs: readonly Node[],
  cotangents: readonly Node[],
  wrt: readonly Node[],
): Generator<undefined, Node[]> {
  const order = topological(outputs);
  const relevant = dependents(order, wrt);
  const found = new Map<Node, Node>();
  const take = (node: Node, g: Node): void => {
    const before = found.get(node);
    found.set(node, before === undefined ? g : add(before, g));
  };
  outputs.forEach((output, i) => {
    const g = cotangents[i];
    if (g === undefined || !sameShape(g.shape, output.shape)) {
      throw new GraphError({
        where: "vjp",
        problem: `cotangent ${i} does not fit its output`,
        expected: formatShape(output.shape),
        received: g === undefined ? "nothing" : formatShape(g.shape),
      });
    }
    take(output, g);
  });
  yield* eachInSteps([...order].reverse(), STEP, (node) => {
    const g = found.get(node);
    if (g === undefined || !relevant.has(node) || !node.inputs.some((x) => relevant.has(x))) return;
    originOf(node, () => {
      pullBack(g, node, node).forEach((part, i) => {
        const x = node.inputs[i];
        if (part !== undefined && x !== undefined && relevant.has(x)) take(x, part);
      });
    });
  });
  return wrt.map((node) => found.get(node) ?? zeros(node));
}

/** The nodes that depend on one of `wrt`. */
function dependents(order: readonly Node[], wrt: readonly Node[]): Set<Node> {
  const result = new Set<Node>(wrt);
  for (const node of order) if (node.inputs.some((x) => result.has(x))) result.add(node);
  return result;
}
