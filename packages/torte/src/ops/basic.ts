/** Elementwise functions on nodes. Operands broadcast against each other as in NumPy; numbers are constants. */
import { constant, make } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import type { OfKind } from "../graph/primitives.js";
import type { DType } from "../tensor/dtype.js";
import { broadcastShapes, sameShape, type Shape } from "../tensor/shape.js";

/** A node, or a number. */
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

/** −x. */
export const neg = unary("neg");
/** |x|. */
export const abs = unary("abs");
/** −1, 0 or 1. */
export const sign = unary("sign");
/** The largest integer not above x. */
export const floor = unary("floor");
/** eˣ. */
export const exp = unary("exp");
/** exp(x) − 1, exact near 0. */
export const expm1 = unary("expm1");
/** The natural logarithm. */
export const log = unary("log");
/** log(1 + x), exact near 0. */
export const log1p = unary("log1p");
/** √x. */
export const sqrt = unary("sqrt");
/** tanh(x). */
export const tanh = unary("tanh");
/** 1 / (1 + exp(−x)). */
export const sigmoid = unary("sigmoid");
/** log(1 + exp(x)), without overflow. */
export const softplus = unary("softplus");
/** The error function. */
export const erf = unary("erf");
/** 1 − erf(x), exact where that is small. */
export const erfc = unary("erfc");
/** sin(x), x in radians. */
export const sin = unary("sin");
/** cos(x), x in radians. */
export const cos = unary("cos");
/** Not x. */
export const logicalNot = unary("not");
/** x, whose derivative counts as 0. */
export const stopGradient = unary("stopGradient");

/** a + b, broadcast. */
export const add = binary("add");
/** a − b, broadcast. */
export const sub = binary("sub");
/** a·b, broadcast. */
export const mul = binary("mul");
/** a / b, broadcast. */
export const div = binary("div");
/** aᵇ, broadcast. */
export const pow = binary("pow");
/** The larger of a and b, broadcast. */
export const maximum = binary("max");
/** The smaller of a and b, broadcast. */
export const minimum = binary("min");
/** The remainder of a / b, broadcast. */
export const mod = binary("mod");
/** The bits that differ between two integers. */
export const bitXor = binary("bitXor");
/** ⌊a / 2ᵇ⌋ of integers, b from 0 to 31. */
export const shiftRight = binary("shiftRight");
/** Whether a < b. */
export const less = binary("less");
/** Whether a ≤ b. */
export const lessEqual = binary("lessEqual");
/** Whether a > b. */
export const greater = (a: Operand, b: Operand): Node => less(b, a);
/** Whether a ≥ b. */
export const greaterEqual = (a: Operand, b: Operand): Node => lessEqual(b, a);
/** Whether a = b. */
export const equal = binary("equal");
/** Whether a ≠ b. */
export const notEqual = (a: Operand, b: Operand): Node => logicalNot(equal(a, b));
/** Whether both hold. */
export const logicalAnd = binary("and");
/** Whether one holds. */
export const logicalOr = binary("or");

/** `a` where the condition holds, else `b`. */
export function where(condition: Node, a: Operand, b: Operand): Node {
  const [x, y] = align([a, b]);
  if (x === undefined || y === undefined) throw new RangeError("align keeps its operands");
  const shape = broadcastShapes(condition.shape, x.shape);
  return make("select", [broadcastTo(condition, shape), broadcastTo(x, shape), broadcastTo(y, shape)], {});
}

/** x as another dtype. */
export function cast(x: Node, dtype: DType): Node {
  return x.dtype === dtype ? x : make("cast", [x], { dtype });
}

/** x². */
export const square = (x: Node): Node => mul(x, x);
/** 1 / √x. */
export const rsqrt = (x: Node): Node => div(1, sqrt(x));
/** max(x, 0). */
export const relu = (x: Node): Node => maximum(x, 0);
/** x, at least low and at most high. */
export const clip = (x: Node, low: Operand, high: Operand): Node => minimum(maximum(x, low), high);
