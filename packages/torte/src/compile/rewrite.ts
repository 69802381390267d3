/** Rewriting a program node by node, inputs first. */
import { originOf, rebuild } from "../graph/make.js";
import { type Node, type Program, roots, topological } from "../graph/node.js";

/** `replace` sees each node over its rewritten inputs and returns what stands in for it (or the node itself). */
export function rewrite(program: Program, replace: (node: Node, original: Node) => Node): Program {
  /** Of the nodes that do not stay as they are. */
  const image = new Map<Node, Node>();
  const of = (node: Node): Node => image.get(node) ?? node;
  for (const node of topological(roots(program))) {
    const rebuilt = node.inputs.some((input) => image.has(input)) ? rebuild(node, node.inputs.map(of)) : node;
    const result = originOf(node, () => replace(rebuilt, node));
    if (result !== node) image.set(node, result);
  }
  return {
    name: program.name,
    outputs: program.outputs.map(of),
    updates: program.updates.map(({ state, value }) => ({ state, value: of(value) })),
  };
}
