/** Elementary functions on vectors, as functions of C: the formulas of all targets. */
import { arityOf, formula, type MathFunction, type VectorOps } from "../formulas.js";
import { asKind, type CValue, floatText, integerText, typeOf } from "./c-value.js";

type Vector = CValue;

const float = (text: string): Vector => ({ text, kind: "float" });
const integer = (text: string): Vector => ({ text, kind: "integer" });

/** The functions that kernels ask for, each once for a width, those that they call first. */
export class NativeMath {
  readonly #known = new Map<string, string>();

  /** The name of the function on vectors of so many lanes. */
  name(name: MathFunction, lanes: number): string {
    const full = `${name}${lanes}`;
    if (!this.#known.has(full)) this.#known.set(full, this.#define(name, lanes));
    return full;
  }

  text(): string {
    return [...this.#known.values()].join("\n");
  }

  #define(name: MathFunction, lanes: number): string {
    const kept: string[] = [];
    const type = typeOf("float", lanes);
    const ops: VectorOps<Vector> = {
      ...operations(lanes),
      keep: (value) => {
        const local = `t${kept.length}`;
        kept.push(`  ${typeOf(value.kind, lanes)} ${local} = ${value.text};`);
        return { text: local, kind: value.kind };
      },
      call: (other, x) => float(`${this.name(other, lanes)}(${asKind(x, "float", lanes)})`),
      selectSeldom: (mask, a, b) => {
        const local = `t${kept.length}`;
        const taken = asKind(a, b.kind, lanes);
        const select = `${b.kind === "float" ? "" : "i"}sel${lanes}(${asKind(mask, "integer", lanes)}, ${taken}, ${local})`;
        kept.push(
          `  ${typeOf(b.kind, lanes)} ${local} = ${b.text}; if (any${lanes}(${asKind(mask, "integer", lanes)})) ${local} = ${select};`,
        );
        return { text: local, kind: b.kind };
      },
    };
    const result = formula(name, ops, float("x"), float("y"));
    const parameters = `${type} x${arityOf(name) > 1 ? `, ${type} y` : ""}`;
    return `__attribute__((const)) static ${type} ${name}${lanes}(${parameters}) {\n${kept.join("\n")}\n  return ${asKind(result, "float", lanes)};\n}`;
  }
}

/** All but what needs the function at hand. */
function operations(w: number): Omit<VectorOps<Vector>, "keep" | "call" | "selectSeldom"> {
  const f = (value: Vector): string => asKind(value, "float", w);
  const i = (value: Vector): string => asKind(value, "integer", w);
  const floats = (sign: string) => (a: Vector, b: Vector) => float(`(${f(a)} ${sign} ${f(b)})`);
  const compared = (sign: string) => (a: Vector, b: Vector) => integer(`(${f(a)} ${sign} ${f(b)})`);
  const words = (sign: string) => (a: Vector, b: Vector) => integer(`(${i(a)} ${sign} ${i(b)})`);
  const shifted = (sign: string) => (a: Vector, by: number) => integer(`(${i(a)} ${sign} ${by})`);
  const unary = (name: string) => (a: Vector) => float(`${name}${w}(${f(a)})`);
  const binary = (name: string) => (a: Vector, b: Vector) => float(`${name}${w}(${f(a)}, ${f(b)})`);
  return {
    number: (value) => float(`f${w}(${floatText(value)})`),
    integer: (word) => integer(`i${w}(${integerText(word)})`),
    add: floats("+"),
    sub: floats("-"),
    mul: floats("*"),
    div: floats("/"),
    min: binary("pmin"),
    max: binary("pmax"),
    less: compared("<"),
    lessEqual: compared("<="),
    equal: compared("=="),
    and: words("&"),
    or: words("|"),
    xor: words("^"),
    abs: unary("abs"),
    neg: (a) => float(`(-${f(a)})`),
    nearest: unary("nearest"),
    floor: unary("floor"),
    toInteger: (a) => integer(`toint${w}(${f(a)})`),
    toFloat: (a) => float(`tofloat${w}(${i(a)})`),
    addInteger: (a, b) => integer(`iadd${w}(${i(a)}, ${i(b)})`),
    subInteger: (a, b) => integer(`isub${w}(${i(a)}, ${i(b)})`),
    left: (a, by) => integer(`((I${w})((U${w})${i(a)} << ${by}))`),
    right: shifted(">>"),
    rightUnsigned: (a, by) => integer(`((I${w})((U${w})${i(a)} >> ${by}))`),
    select: (mask, a, b) => float(`sel${w}(${i(mask)}, ${f(a)}, ${f(b)})`),
    farAngle: unary("farangle"),
    farQuarters: (x) => integer(`farquarters${w}(${f(x)})`),
  };
}
