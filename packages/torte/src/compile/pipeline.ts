/** The passes over the graph, in order; each is a pure function from program to program. */
import type { Node, Program } from "../graph/node.js";
import { verify } from "../graph/verify.js";
import { fastConvolutions } from "./rewrite/winograd.js";
import { layOutOperands } from "./rewrite/operand-layout.js";
import { splitReductions } from "./rewrite/split-reductions.js";
import { eliminateCommonSubexpressions } from "./rewrite/common-subexpressions.js";
import { foldToWindows } from "./rewrite/fold-to-windows.js";

export interface Pass {
  readonly name: string;
  readonly run: (program: Program) => Program;
}

export const PASSES: readonly Pass[] = [
  { name: "share", run: eliminateCommonSubexpressions },
  { name: "unfold", run: foldToWindows },
  { name: "fast convolutions", run: fastConvolutions },
  { name: "parts", run: splitReductions },
  { name: "layout", run: layOutOperands },
  { name: "share again", run: eliminateCommonSubexpressions },
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
