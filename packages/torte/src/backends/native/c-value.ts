/** Vectors as text of C: a value has the type of floats or of integers, whose bits are the same. */
import type { DType } from "../../tensor/dtype.js";

export interface CValue {
  readonly text: string;
  readonly kind: "float" | "integer";
}

/** Booleans are integers, all bits set or none. */
export const kindOf = (dtype: DType): CValue["kind"] => (dtype === "float32" ? "float" : "integer");

/** The type of vectors of so many lanes. */
export const typeOf = (kind: CValue["kind"], lanes: number): string => `${kind === "float" ? "F" : "I"}${lanes}`;

/** The text as a value of one of the types, its bits as they are. */
export const asKind = ({ text, kind }: CValue, wanted: CValue["kind"], lanes: number): string =>
  kind === wanted ? text : `((${typeOf(wanted, lanes)})${text})`;

/** A float32 as a constant, without loss. */
export function floatText(value: number): string {
  const rounded = Math.fround(value);
  if (Number.isNaN(rounded)) return '__builtin_nanf("")';
  if (!Number.isFinite(rounded)) return rounded < 0 ? "(-__builtin_inff())" : "__builtin_inff()";
  const text = `${Math.abs(rounded).toExponential(9)}f`;
  return rounded < 0 || Object.is(rounded, -0) ? `(-${text})` : text;
}

/** An int32 as a constant; the smallest has none of its own. */
export const integerText = (value: number): string => {
  const word = value | 0;
  return word === -0x80000000 ? "(-0x7fffffff - 1)" : word < 0 ? `(${word})` : String(word);
};
