/**
 * Maxima before bounds: max over a window of relu(x) = relu(max over the window of x), and so for every bound by a
 * constant, from below or above. The bound is then taken of the few maxima, its mask in the derivative is small, and
 * the array before the pooling need not be kept. Done before differentiation; values and derivatives stay the same, since
 * where a bound decides no derivative passes through either form.
 */
import { constant, make, rebuild } from "../../graph/make.js";
import { inputOf, type Node, nodesOf, type Program, roots } from "../../graph/node.js";
import { rewriting } from "./rewrite.js";
import { sizeAt } from "../../tensor/shape.js";

/** Clamps move behind the maxima over them, where nothing else reads what is clamped. */
export function* sinkClamp(program: Program): Generator<undefined, Program> {
  const readers = new Map<Node, number>(roots(program).map((node) => [node, 1]));
  for (const node of nodesOf(program))
    for (const input of node.inputs) readers.set(input, (readers.get(input) ?? 0) + 1);
  return yield* rewriting(program, (node, original) => {
    if (node.op !== "reduceMax") return node;
    return readAlone(original, readers) ? (turned(node) ?? node) : node;
  });
}

/** Whether everything from the bound to the maximum has one reader. */
function readAlone(maximum: Node, readers: ReadonlyMap<Node, number>): boolean {
  let node = inputOf(maximum, 0);
  while (readers.get(node) === 1) {
    if (node.op === "max" || node.op === "min") return true;
    if (node.op !== "windows" && node.op !== "pad") return false;
    node = inputOf(node, 0);
  }
  return false;
}

function turned(maximum: Node): Node | undefined {
  const path: Node[] = [maximum];
  let node = inputOf(maximum, 0);
  for (; node.op === "windows" || node.op === "pad"; node = inputOf(node, 0)) path.push(node);
  if ((node.op !== "max" && node.op !== "min") || !reachesIn(path)) return undefined;
  const bound = node.inputs.find(({ op }) => op === "constant");
  const x = node.inputs.find((input) => input !== bound);
  if (bound?.op !== "constant" || x === undefined) return undefined;
  const highest = path.reduceRight((below, step) => rebuild(step, [below]), x);
  return make(node.op, [highest, constant(bound.attributes.value, highest.shape, highest.dtype)], {});
}

/** Whether every window has an element that is not padding, whose maximum the bound would change. */
function reachesIn([, windows, pad, ...more]: readonly Node[]): boolean {
  if (more.length > 0 || windows?.op === "pad") return false;
  if (pad === undefined) return true;
  if (windows?.op !== "windows" || pad.op !== "pad") return false;
  const { axis, size, dilation } = windows.attributes;
  const { low, high, interior } = pad.attributes;
  return low.every((n, i) => {
    const widest = Math.max(n, sizeAt(high, i));
    return interior[i] === 0 && (widest === 0 || (dilation[i - axis] === 1 && widest < sizeAt(size, i - axis)));
  });
}
