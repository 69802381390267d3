/** The passes over the graph, in order; each is a pure function from program to program. */
import type { Program } from "../graph/node.js";
import { layout } from "./layout.js";
import { shareCommon } from "./share.js";

export interface Pass {
  readonly name: string;
  readonly run: (program: Program) => Program;
}

export const PASSES: readonly Pass[] = [
  { name: "share", run: shareCommon },
  { name: "layout", run: layout },
];

export function simplify(program: Program): Program {
  return PASSES.reduce((current, pass) => pass.run(current), program);
}
