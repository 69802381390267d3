/**
 * Graphs that are too deep for one program: the compiler walks through expressions recursively. They are cut into stages,
 * each with the values that later ones need as its outputs.
 */
import { rewriteNodes } from "../compile/rewrite/rewrite.js";
import { read } from "../graph/make.js";
import { type Node, State, topological } from "../graph/node.js";

/** Nodes one above the other in a stage, and those from which on a graph is cut. */
const DEPTH = { stage: 150, most: 400 };

export interface Stage {
  /** Over states: those of the program, and `results` of earlier stages. */
  readonly outputs: readonly Node[];
  /** The state that later stages read each output from. */
  readonly results: readonly State[];
}

/** The stages, the last of which gives the outputs; undefined where one program does. */
export function stagesOf(outputs: readonly Node[]): Stage[] | undefined {
  const order = topological(outputs);
  const depths = new Map<Node, number>();
  let deepest = 0;
  for (const node of order) {
    const depth = node.inputs.reduce((most, input) => Math.max(most, (depths.get(input) ?? 0) + 1), 0);
    depths.set(node, depth);
    deepest = Math.max(deepest, depth);
  }
  if (deepest <= DEPTH.most) return undefined;
  const stageOf = (node: Node): number => Math.floor((depths.get(node) ?? 0) / DEPTH.stage);
  const wanted = neededLater(order, stageOf);
  const places = new Map<Node, State>();
  const stages: Stage[] = [];
  const last = Math.floor(deepest / DEPTH.stage);
  for (let number = 0; number <= last; number++) {
    const isLast = number === last;
    const nodes = isLast ? outputs : [...(wanted.get(number) ?? [])];
    const states = nodes.map((node) => new State("stage", node.shape, node.dtype));
    const known = new Map(places);
    stages.push({
      outputs: rewriteNodes(nodes, (node, original) => {
        const place = known.get(original);
        return place === undefined ? node : read(place);
      }),
      results: states,
    });
    nodes.forEach((node, i) => {
      const state = states[i];
      if (state !== undefined && !isLast) places.set(node, state);
    });
  }
  return stages;
}

/** By stage, the nodes that a later stage reads; leaves are there for all. */
function neededLater(order: readonly Node[], stageOf: (node: Node) => number): Map<number, Set<Node>> {
  const wanted = new Map<number, Set<Node>>();
  for (const node of order) {
    for (const input of node.inputs) {
      if (input.inputs.length === 0 || stageOf(input) >= stageOf(node)) continue;
      const own = wanted.get(stageOf(input)) ?? new Set();
      wanted.set(stageOf(input), own.add(input));
    }
  }
  return wanted;
}
