/** The passes over the graph, in order; each is a pure function from program to program. */
import type { Program } from "../graph/node.js";
import { layout } from "./layout.js";
import { shareCommon } from "./share.js";
import { unfold } from "./unfold.js";

export interface Pass {
  readonly name: string;
  readonly run: (program: Program) => Program;
}

export const PASSES: readonly Pass[] = [
  { name: "share", run: shareCommon },
  { name: "unfold", run: unfold },
  { name: "layout", run: layout },
  { name: "share again", run: shareCommon },
];

export function simplify(program: Program): Program {
  return PASSES.reduce((current, pass) => pass.run(current), program);
}
