/** Running values of reductions and products, in variables of a kernel's function. */
import type { Accumulator, AccumulatorPart } from "../../compile/loops/expr.js";
import type { Statement } from "../../compile/loops/loops.js";
import { kindOf, typeOf } from "./c-value.js";

/** What an accumulator takes: its values as texts, and where they stand. */
export interface Taken {
  readonly values: readonly string[];
  readonly position: string | undefined;
  /** Lanes in use. */
  readonly lanes: number;
}

export class Accumulators {
  readonly #widths = new Map<Accumulator, number>();
  readonly #fma: boolean;

  constructor(body: readonly Statement[], fma: boolean, widthOf: (lanes: number) => number) {
    this.#fma = fma;
    this.#find(body, widthOf);
  }

  /** Each has vectors as wide as those that it takes. */
  #find(body: readonly Statement[], widthOf: (lanes: number) => number): void {
    for (const statement of body) {
      if (statement.op === "loop") this.#find(statement.body, widthOf);
      else if (statement.op === "accumulate") this.#widths.set(statement.accumulator, widthOf(statement.lane.extent));
    }
  }

  width(accumulator: Accumulator): number {
    return this.#widths.get(accumulator) ?? 4;
  }

  declarations(): string[] {
    return [...this.#widths].map(([accumulator, width]) => {
      const { value, position, unordered } = names(accumulator);
      const others = [position, unordered].filter((name) => name !== undefined);
      const integers = others.length > 0 ? ` I${width} ${others.join(", ")};` : "";
      return `${typeOf(kindOf(accumulator.dtype), width)} ${value};${integers}`;
    });
  }

  text(accumulator: Accumulator, part: AccumulatorPart): string {
    const { value, position, unordered } = names(accumulator);
    if (part === "position" && position !== undefined) return position;
    if (unordered === undefined) return value;
    const width = this.width(accumulator);
    return `((F${width})((I${width})${value} | ${unordered}))`;
  }

  reset(accumulator: Accumulator): string {
    const { value, position, unordered } = names(accumulator);
    const width = this.width(accumulator);
    const others = [position, unordered].filter((name) => name !== undefined).map((name) => ` ${name} = i${width}(0);`);
    return `${value} = ${neutral(accumulator, width)};${others.join("")}`;
  }

  restore(accumulator: Accumulator, text: string): string {
    return `${names(accumulator).value} = ${text};`;
  }

  accumulate(accumulator: Accumulator, { values, position, lanes }: Taken): string {
    const { kind, across } = accumulator;
    const width = this.width(accumulator);
    const { value, position: place, unordered } = names(accumulator);
    const [a = "", b] = values;
    const blank = across && lanes < 4;
    if (kind === "product" && b !== undefined) {
      const first = blank ? `((F4)((I4)${a} & ${lanesInUse(lanes)}))` : a;
      return this.#fma ? `${value} = fma${width}(${first}, ${b}, ${value});` : `${value} = ${first} * ${b} + ${value};`;
    }
    const taken = blank ? `${select(accumulator, 4)}(${lanesInUse(lanes)}, ${a}, ${neutral(accumulator, 4)})` : a;
    if (kind !== "maximum") return `${value} = ${combined(accumulator, width, taken, value)};`;
    const placed =
      place === undefined || position === undefined
        ? ""
        : ` ${place} = isel${width}(x > ${value}, ${position}, ${place});`;
    const ordered = unordered === undefined ? "" : ` ${unordered} |= x != x;`;
    const type = typeOf(kindOf(accumulator.dtype), width);
    return `{ ${type} x = ${taken};${placed} ${value} = ${combined(accumulator, width, value, "x")};${ordered} }`;
  }

  merge(into: Accumulator, from: Accumulator): string {
    const [a, b] = [names(into), names(from)];
    const value = `${a.value} = ${combined(into, this.width(into), a.value, b.value)};`;
    return a.unordered === undefined || b.unordered === undefined
      ? value
      : `${value} ${a.unordered} |= ${b.unordered};`;
  }

  /** Lanes are combined in pairs, then the pairs: (0 ∘ 2) ∘ (1 ∘ 3). */
  combine(accumulator: Accumulator): string {
    const { value, position, unordered } = names(accumulator);
    const type = typeOf(kindOf(accumulator.dtype), 4);
    return [
      [2, 3, 0, 1],
      [1, 0, 3, 2],
    ]
      .map((lanes) => {
        const turned = (name: string, own: string): string =>
          `(${own}){${lanes.map((l) => `${name}[${l}]`).join(", ")}}`;
        const placed =
          position === undefined
            ? ""
            : ` I4 p = ${turned(position, "I4")}, better = (x > ${value}) | ((x == ${value}) & (p < ${position})); ${position} = isel4(better, p, ${position});`;
        const ordered = unordered === undefined ? "" : ` ${unordered} |= ${turned(unordered, "I4")};`;
        return `{ ${type} x = ${turned(value, type)};${placed} ${value} = ${combined(accumulator, 4, value, "x")};${ordered} }`;
      })
      .join(" ");
  }
}

interface Names {
  readonly value: string;
  /** Of a maximum, where that is asked for. */
  readonly position: string | undefined;
  /** Of a maximum of floats: −1 in lanes that have met a NaN, which a comparison ignores. */
  readonly unordered: string | undefined;
}

function names({ id, kind, dtype, parts }: Accumulator): Names {
  const float = kind === "maximum" && dtype === "float32";
  return {
    value: `s${id}`,
    position: parts.includes("position") ? `p${id}` : undefined,
    unordered: float && parts.includes("value") ? `u${id}` : undefined,
  };
}

const select = ({ dtype }: Accumulator, width: number): string => `${dtype === "float32" ? "" : "i"}sel${width}`;

const lanesInUse = (lanes: number): string => `(I4){${[0, 1, 2, 3].map((lane) => (lane < lanes ? -1 : 0)).join(", ")}}`;

function neutral({ kind, dtype }: Accumulator, width: number): string {
  const letter = dtype === "float32" ? "f" : "i";
  if (kind !== "maximum") return `${letter}${width}(0)`;
  return dtype === "float32" ? `f${width}(-__builtin_inff())` : `i${width}(-0x7fffffff - 1)`;
}

/** The pseudo-maximum keeps its first operand where the second is not greater. */
function combined({ kind, dtype }: Accumulator, width: number, a: string, b: string): string {
  const float = dtype === "float32";
  if (kind === "maximum") return `${float ? "pmax" : "imax"}${width}(${a}, ${b})`;
  return float ? `${a} + ${b}` : `iadd${width}(${a}, ${b})`;
}
