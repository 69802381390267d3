/** Checks that hold for every program, before and after each pass. */
import { GraphError } from "../errors.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import { type Node, nodesOf, type NodeOf, type Primitive, type Program } from "./node.js";
import { atOnce, eachInSteps } from "../turns.js";
import { PRIMITIVES, type Rule, type Typed } from "./primitives.js";

export const verify = (program: Program): void => atOnce(verifying(program));

/** Nodes between two steps. */
const STEP = 256;

/** The same, in steps. `known` nodes have been verified before; those of the program join them. */
export function* verifying(program: Program, known = new Set<Node>()): Generator<undefined, void> {
  yield* eachInSteps(nodesOf(program), STEP, (node) => {
    if (known.has(node)) return;
    verifyNode(node);
    known.add(node);
  });
  const written = new Set<object>();
  for (const { state, value } of program.updates) {
    if (value.dtype !== state.dtype || !sameShape(value.shape, state.shape)) {
      throw new GraphError({
        where: `${program.name}: update of ${state.name}`,
        problem: "the value does not fit the state",
        expected: `${state.dtype}${formatShape(state.shape)}`,
        received: `${value.dtype}${formatShape(value.shape)}`,
      });
    }
    if (written.has(state))
      throw new GraphError({ where: program.name, problem: `state ${state.name} is written twice` });
    written.add(state);
  }
}

function typeOf<P extends Primitive>(node: NodeOf<P>): Typed {
  const rule: Rule<P> = PRIMITIVES[node.op];
  return rule.typed(node.inputs, node.attributes);
}

function verifyNode(node: Node): void {
  if (PRIMITIVES[node.op].kind === "leaf") return;
  const typed = typeOf(node);
  if (typed.dtype !== node.dtype || !sameShape(typed.shape, node.shape)) {
    throw new GraphError({
      where: node.origin === "" ? node.op : `${node.origin}: ${node.op}`,
      problem: "the node does not have the type that its rule gives",
      expected: `${typed.dtype}${formatShape(typed.shape)}`,
      received: `${node.dtype}${formatShape(node.shape)}`,
    });
  }
}
