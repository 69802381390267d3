/** Elementwise primitives in C. */
import type { Expr } from "../../compile/loops/expr.js";
import type { Elementwise } from "../../graph/primitives.js";
import type { DType } from "../../tensor/dtype.js";
import { isMathFunction, type MathFunction } from "../formulas.js";
import { integerText } from "./c-value.js";
import type { NativeMath } from "./math.js";

/** An application of a primitive on its way to C. */
export interface Application {
  readonly args: readonly Expr[];
  /** The operands, as vectors of so many lanes; each may be read once. */
  readonly texts: readonly string[];
  readonly lanes: number;
  /** Of the result. */
  readonly dtype: DType;
  readonly math: NativeMath;
}

type Emit = (application: Application) => string;

const isFloat = ({ args }: Application): boolean => args[0]?.dtype === "float32";

/** An operator, which floats and integers share. */
const operator =
  (sign: string): Emit =>
  ({ texts }) =>
    texts.length === 1 ? `(${sign}${texts[0] ?? ""})` : `(${texts.join(` ${sign} `)})`;

/** A function of the prelude. */
const helper =
  (name: string): Emit =>
  ({ texts, lanes }) =>
    `${name}${lanes}(${texts.join(", ")})`;

const byType =
  (float: Emit, integer: Emit): Emit =>
  (application) =>
    (isFloat(application) ? float : integer)(application);

const call =
  (name: MathFunction): Emit =>
  ({ texts, lanes, math }) =>
    `${math.name(name, lanes)}(${texts.join(", ")})`;

const EMIT: { readonly [P in Exclude<Elementwise, MathFunction>]: Emit } = {
  neg: byType(operator("-"), ({ texts, lanes }) => `isub${lanes}(i${lanes}(0), ${texts[0] ?? ""})`),
  abs: byType(helper("abs"), helper("iabs")),
  sign: helper("sign"),
  floor: helper("floor"),
  sqrt: helper("sqrt"),
  not: operator("~"),
  cast: emitCast,
  add: byType(operator("+"), helper("iadd")),
  sub: byType(operator("-"), helper("isub")),
  mul: byType(operator("*"), helper("imul")),
  div: byType(operator("/"), helper("idiv")),
  max: byType((application) => emitBound("max", application), helper("imax")),
  min: byType((application) => emitBound("min", application), helper("imin")),
  mod: helper("imod"),
  bitXor: operator("^"),
  shiftRight: helper("ishr"),
  less: operator("<"),
  lessEqual: operator("<="),
  equal: operator("=="),
  and: operator("&"),
  or: operator("|"),
  select: (application) => helper(application.dtype === "float32" ? "sel" : "isel")(application),
};

export const emitApply = (primitive: Elementwise, application: Application): string =>
  (isMathFunction(primitive) ? call(primitive) : EMIT[primitive])(application);

/** As in the WebAssembly target: the pseudo-maximum does where one operand is a constant, which is no NaN and not −0. */
function emitBound(primitive: "max" | "min", { args, texts, lanes }: Application): string {
  const isBound = (i: number): boolean => {
    const arg = args[i];
    return arg?.op === "number" && !Number.isNaN(arg.value) && !Object.is(arg.value, -0);
  };
  const [a = "", b = ""] = isBound(0) && !isBound(1) ? [texts[1], texts[0]] : texts;
  const bound = isBound(1) ? args[1] : isBound(0) ? args[0] : undefined;
  if (bound === undefined) return `${primitive}${lanes}(${a}, ${b})`;
  const pseudo = `p${primitive}${lanes}(${a}, ${b})`;
  // The larger one of −0 and 0 is 0.
  return primitive === "max" && bound.op === "number" && bound.value === 0 ? `(${pseudo} + 0.0f)` : pseudo;
}

function emitCast({ args, texts, lanes, dtype: to }: Application): string {
  const from = args[0]?.dtype;
  const x = texts[0] ?? "";
  if (from === to) return x;
  if (from === "bool") return to === "float32" ? `((F${lanes})(${x} & (I${lanes})f${lanes}(1)))` : `(-${x})`;
  if (to === "bool") return `(~(${x} == ${from === "float32" ? "0.0f" : integerText(0)}))`;
  return `${to === "float32" ? "tofloat" : "toint"}${lanes}(${x})`;
}
