/**
 * Rewriting a graph node by node, inputs first. Dead code needs no pass of its own: a program is what its outputs and updates
 * reach, so what nothing reads any more is gone.
 */
import { originOf, rebuild } from "../../graph/make.js";
import { type Node, nodesOf, type Program, topological } from "../../graph/node.js";
import { atOnce, eachInSteps } from "../../turns.js";

/** Sees each node over its rewritten inputs and returns what stands in for it (or the node itself). */
export type Replace = (node: Node, original: Node) => Node;

/** Nodes between two steps: they take a fraction of a millisecond. */
const STEP = 128;

/** In steps, since a deep network's program takes long. */
export function* rewriting(program: Program, replace: Replace): Generator<undefined, Program> {
  const image = yield* images(nodesOf(program), replace);
  if (image.size === 0) return program;
  const of = (node: Node): Node => image.get(node) ?? node;
  return {
    ...program,
    outputs: program.outputs.map(of),
    updates: program.updates.map(({ state, value }) => ({ state, value: of(value) })),
  };
}

export const rewriteNodes = (nodes: readonly Node[], replace: Replace): Node[] =>
  atOnce(rewritingNodes(nodes, replace));

export function* rewritingNodes(nodes: readonly Node[], replace: Replace): Generator<undefined, Node[]> {
  const image = yield* images(topological(nodes), replace);
  return nodes.map((node) => image.get(node) ?? node);
}

/** What stands in for the nodes that do not stay as they are; `order` has the inputs of each node before it. */
function* images(order: readonly Node[], replace: Replace): Generator<undefined, Map<Node, Node>> {
  const image = new Map<Node, Node>();
  const of = (node: Node): Node => image.get(node) ?? node;
  const isReplaced = (node: Node): boolean => image.has(node);
  yield* eachInSteps(order, STEP, (node) => {
    const rebuilt = node.inputs.some(isReplaced) ? rebuild(node, node.inputs.map(of)) : node;
    const result = originOf(node, () => replace(rebuilt, node));
    if (result !== node) image.set(node, result);
  });
  return image;
}
