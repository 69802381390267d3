/** Elementwise functions on nodes. Operands broadcast against each other as in NumPy; numbers are constants. */
import { constant, make } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import type { OfKind } from "../graph/primitives.js";
import type { DType } from "../tensor/dtype.js";
import { broadcastShapes, sameShape, type Shape } from "../tensor/shape.js";

export type Operand = Node | number;

/** `x` repeated to `shape`, axes aligned at the end. */
export function broadcastTo(x: Node, shape: Shape): Node {
  if (sameShape(x.shape, shape)) return x;
  const missing = shape.length - x.shape.length;
  const aligned = missing > 0 ? make("reshape", [x], { shape: [...Array<number>(missing).fill(1), ...x.shape] }) : x;
  return sameShape(aligned.shape, shape) ? aligned : make("broadcast", [aligned], { shape });
}

/** Numbers become constants of the dtype of the first node; all get the common shape. */
function align(operands: readonly Operand[]): Node[] {
  const nodes = operands.filter((operand): operand is Node => typeof operand !== "number");
  const dtype: DType = nodes[0]?.dtype ?? "float32";
  const shape = nodes.reduce<Shape>((common, node) => broadcastShapes(common, node.shape), []);
  return operands.map((operand) =>
    typeof operand === "number" ? constant(operand, shape, dtype) : broadcastTo(operand, shape),
  );
}

const unary =
  (op: Exclude<OfKind<"unary">, "cast"> | "stopGradient") =>
  (x: Node): Node =>
    make(op, [x], {});
const binary =
  (op: OfKind<"binary">) =>
  (a: Operand, b: Operand): Node =>
    make(op, align([a, b]), {});

export const neg = unary("neg");
export const abs = unary("abs");
/** −1, 0 or 1. */
export const sign = unary("sign");
export const floor = unary("floor");
export const exp = unary("exp");
/** exp(x) − 1, exact near 0. */
export const expm1 = unary("expm1");
export const log = unary("log");
/** log(1 + x), exact near 0. */
export const log1p = unary("log1p");
export const sqrt = unary("sqrt");
export const tanh = unary("tanh");
export const sigmoid = unary("sigmoid");
/** log(1 + exp(x)), without overflow. */
export const softplus = unary("softplus");
export const erf = unary("erf");
/** 1 − erf(x), exact where that is small. */
export const erfc = unary("erfc");
export const sin = unary("sin");
export const cos = unary("cos");
export const logicalNot = unary("not");
export const stopGradient = unary("stopGradient");

export const add = binary("add");
export const sub = binary("sub");
export const mul = binary("mul");
export const div = binary("div");
export const pow = binary("pow");
export const maximum = binary("max");
export const minimum = binary("min");
export const mod = binary("mod");
export const bitXor = binary("bitXor");
export const less = binary("less");
export const lessEqual = binary("lessEqual");
export const greater = (a: Operand, b: Operand): Node => less(b, a);
export const greaterEqual = (a: Operand, b: Operand): Node => lessEqual(b, a);
export const equal = binary("equal");
export const notEqual = (a: Operand, b: Operand): Node => logicalNot(equal(a, b));
export const logicalAnd = binary("and");
export const logicalOr = binary("or");

/** `a` where the condition holds, else `b`. */
export function where(condition: Node, a: Operand, b: Operand): Node {
  const [x, y] = align([a, b]);
  if (x === undefined || y === undefined) throw new RangeError("align keeps its operands");
  const shape = broadcastShapes(condition.shape, x.shape);
  return make("select", [broadcastTo(condition, shape), broadcastTo(x, shape), broadcastTo(y, shape)], {});
}

export function cast(x: Node, dtype: DType): Node {
  return x.dtype === dtype ? x : make("cast", [x], { dtype });
}

export const square = (x: Node): Node => mul(x, x);
export const rsqrt = (x: Node): Node => div(1, sqrt(x));
export const relu = (x: Node): Node => maximum(x, 0);
export const clip = (x: Node, low: Operand, high: Operand): Node => minimum(maximum(x, low), high);
