/** Places and elements of arrays in C: index expressions, and loads and stores of vectors. */
import { type Buffer, dynamics, type Expr } from "../../compile/loops/expr.js";
import { type Atom, factorOf, type Index, type LoopVariable } from "../../compile/loops/index-expr.js";
import { kindOf, typeOf } from "./c-value.js";

export class Access {
  /** That of the statement at hand. */
  lane: LoopVariable | undefined;
  readonly #arrays = new Map<Buffer, string>();
  /** Loops that are open. */
  readonly #open = new Set<LoopVariable>();

  constructor(
    /** The first lane of a value, as an int. */
    readonly scalar: (value: Expr) => string,
    /** Whether every access is checked. */
    readonly checked: boolean,
  ) {}

  /** The arrays of the kernel, in the order in which they were met. */
  get arrays(): readonly Buffer[] {
    return [...this.#arrays.keys()];
  }

  parameters(): string[] {
    return [...this.#arrays].map(([{ dtype }, name]) => `${dtype === "float32" ? "float" : "int"} *${name}`);
  }

  array(buffer: Buffer): string {
    let name = this.#arrays.get(buffer);
    if (name === undefined) this.#arrays.set(buffer, (name = `a${this.#arrays.size}`));
    return name;
  }

  within(variable: LoopVariable, emit: () => void): void {
    this.#open.add(variable);
    emit();
    this.#open.delete(variable);
  }

  isOpen(variable: LoopVariable): boolean {
    return this.#open.has(variable);
  }

  /** How far the lanes of the vector at hand lie apart; 0 where all are one element. */
  laneFactor(index: Index): number {
    if (this.lane === undefined || this.lane.extent === 1) return 0;
    const factor = factorOf(index, this.lane);
    if (factor === undefined) throw new RangeError("the lanes of a vector do not lie at constant distances");
    return factor;
  }

  /** An index of the first lane. */
  index({ offset, terms }: Index): string {
    const parts = terms
      .filter(({ atom }) => atom !== this.lane)
      .map(({ atom, factor }) => (factor === 1 ? this.#atom(atom) : `${this.#atom(atom)} * ${factor}`));
    if (offset !== 0 || parts.length === 0) parts.push(String(offset));
    return parts.join(" + ");
  }

  #atom(atom: Atom): string {
    if (atom.kind === "quotient") return `(I)((unsigned)(${this.index(atom.of)}) / ${atom.by}u)`;
    if (atom.kind === "dynamic") return `(I)${this.scalar(atom.value)}`;
    if (!this.#open.has(atom)) throw new RangeError("a loop variable is read outside of its loop");
    return `n${atom.id}`;
  }

  /** The place of the first lane; one that is computed from data is kept within its array. */
  #place(buffer: Buffer, index: Index, lanes: number): string {
    const text = this.index(index);
    if (!this.checked && dynamics(index).length === 0) return text;
    const reach = this.laneFactor(index) * (lanes - 1);
    const [low, high] = [Math.min(0, reach), Math.max(0, reach)];
    const keep = `${this.checked ? "checked" : "within"}(${text}${low === 0 ? "" : ` - ${-low}`}, ${buffer.size - 1 - (high - low)})`;
    return low === 0 ? keep : `${keep} + ${-low}`;
  }

  /** The vector of the elements at an index, of so many lanes. */
  load(buffer: Buffer, index: Index, width: number): string {
    const array = this.array(buffer);
    const factor = this.laneFactor(index);
    const lanes = this.lane?.extent ?? 1;
    const place = this.#place(buffer, index, lanes);
    const kind = kindOf(buffer.dtype);
    if (factor === 0) return `${kind === "float" ? "f" : "i"}${width}(${array}[${place}])`;
    const type = typeOf(kind, width);
    if (factor === 1 && lanes === width) return `*(const ${type}m *)(${array} + ${place})`;
    const elements = Array.from({ length: lanes }, (_, lane) => `at[${factor * lane}]`);
    return `({ const ${kind === "float" ? "float" : "int"} *at = ${array} + ${place}; (${type}){${elements.join(", ")}}; })`;
  }

  store(buffer: Buffer, index: Index, value: string, width: number): string {
    const array = this.array(buffer);
    const lanes = this.lane?.extent ?? 1;
    const factor = this.laneFactor(index);
    const place = this.#place(buffer, index, lanes);
    const kind = kindOf(buffer.dtype);
    const type = typeOf(kind, width);
    if (factor === 1 && lanes === width) return `*(${type}m *)(${array} + ${place}) = ${value};`;
    const stores = Array.from({ length: lanes }, (_, lane) => `at[${factor * lane}] = x[${lane}];`);
    return `{ ${kind === "float" ? "float" : "int"} *at = ${array} + ${place}; ${type} x = ${value}; ${stores.join(" ")} }`;
  }

  /** The lanes of an index as a vector of integers. */
  position(index: Index, width: number): string {
    const first = `i${width}((int)(${this.index(index)}))`;
    const factor = this.laneFactor(index);
    const steps = Array.from({ length: width }, (_, lane) => factor * lane);
    return factor === 0 ? first : `iadd${width}(${first}, (I${width}){${steps.join(", ")}})`;
  }
}
