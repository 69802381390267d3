/** The passes over the graph, in order; each is a pure function from program to program. */
import type { Node, Program } from "../graph/node.js";
import { verify } from "../graph/verify.js";
import { fastConvolutions } from "./fast-convolution.js";
import { layout } from "./layout.js";
import { inParts } from "./parts.js";
import { shareCommon } from "./share.js";
import { unfold } from "./unfold.js";

export interface Pass {
  readonly name: string;
  readonly run: (program: Program) => Program;
}

export const PASSES: readonly Pass[] = [
  { name: "share", run: shareCommon },
  { name: "unfold", run: unfold },
  { name: "fast convolutions", run: fastConvolutions },
  { name: "parts", run: inParts },
  { name: "layout", run: layout },
  { name: "share again", run: shareCommon },
];

/** All passes, the program verified after each; `observe` sees it before the first and after each. */
export function simplify(program: Program, observe?: (name: string, program: Program) => void): Program {
  observe?.("traced", program);
  const verified = new Set<Node>();
  return PASSES.reduce((current, pass) => {
    const next = pass.run(current);
    verify(next, verified);
    observe?.(pass.name, next);
    return next;
  }, program);
}
