/** Rewriting a graph node by node, inputs first. */
import { originOf, rebuild } from "../graph/make.js";
import { type Node, type Program, roots, topological } from "../graph/node.js";

/** Sees each node over its rewritten inputs and returns what stands in for it (or the node itself). */
export type Replace = (node: Node, original: Node) => Node;

export function rewrite(program: Program, replace: Replace): Program {
  const of = images(roots(program), replace);
  return {
    name: program.name,
    outputs: program.outputs.map(of),
    updates: program.updates.map(({ state, value }) => ({ state, value: of(value) })),
  };
}

export const rewriteNodes = (nodes: readonly Node[], replace: Replace): Node[] => nodes.map(images(nodes, replace));

function images(nodes: readonly Node[], replace: Replace): (node: Node) => Node {
  /** Of the nodes that do not stay as they are. */
  const image = new Map<Node, Node>();
  const of = (node: Node): Node => image.get(node) ?? node;
  for (const node of topological(nodes)) {
    const rebuilt = node.inputs.some((input) => image.has(input)) ? rebuild(node, node.inputs.map(of)) : node;
    const result = originOf(node, () => replace(rebuilt, node));
    if (result !== node) image.set(node, result);
  }
  return of;
}
