/** Loops as text, for people (`TORTE_DEBUG=loops`) and for golden snapshots. */
import { type Accumulator, type Buffer, type Condition, type Expr, visitExpr } from "./expr.js";
import type { Atom, Index, LoopVariable } from "./index-expr.js";
import type { LoweredKernel, Statement } from "./loops.js";

/** A kernel: its loops from the outside in, what more than one of its expressions reads under a name of its own. */
export function printKernel({ name, origin, body }: LoweredKernel): string {
  const head = `kernel ${name}${origin === "" ? "" : `  # ${origin}`}`;
  return [head, ...new Printer().block(body, 1)].join("\n");
}

const INFIX: { readonly [primitive: string]: string } = {
  add: "+",
  sub: "−",
  mul: "·",
  div: "/",
  less: "<",
  lessEqual: "≤",
  equal: "=",
  and: "∧",
  or: "∨",
};

/** Longer expressions that several places read are named. */
const isCompound = ({ op }: Expr): boolean => op === "apply" || op === "guard" || op === "random";

/** Gives variables, accumulators and arrays their names in the order in which they are met. */
class Printer {
  readonly #names = new Map<LoopVariable | Accumulator, string>();
  readonly #counts = new Map<string, number>();
  readonly #buffers = new Map<Buffer, string>();
  #lane: LoopVariable | undefined;
  /** Names of the shared expressions of the statement at hand. */
  #shared = new Map<Expr, string>();

  block(body: readonly Statement[], depth: number): string[] {
    return body.flatMap((statement) => this.#statement(statement, depth));
  }

  #statement(statement: Statement, depth: number): string[] {
    const indent = "  ".repeat(depth);
    if (statement.op === "loop") {
      const { variable, parallel } = statement;
      const head = `${indent}for ${this.#name(variable, "i")} in 0…${variable.extent - 1}${parallel === true ? " parallel" : ""} {`;
      return [head, ...this.block(statement.body, depth + 1), `${indent}}`];
    }
    this.#lane = "lane" in statement ? statement.lane : undefined;
    const shared = this.#share(valuesOf(statement)).map((line) => indent + line);
    return [...shared, indent + this.#line(statement)];
  }

  #line(statement: Exclude<Statement, { op: "loop" }>): string {
    switch (statement.op) {
      case "store":
        return `${this.#element(statement.buffer, statement.index)} = ${this.#expr(statement.value)}${this.#lanes()}`;
      case "addTo":
        return `${this.#element(statement.buffer, statement.index)} += ${this.#expr(statement.value)}${this.#lanes()}`;
      case "reset":
        return `reset ${statement.accumulators.map((accumulator) => this.#accumulator(accumulator)).join(", ")}`;
      case "restore":
        return `${this.#accumulator(statement.accumulator)} = ${this.#element(statement.buffer, statement.index)}${this.#lanes()}`;
      case "accumulate": {
        const { accumulator, values, position } = statement;
        const terms = values.map((value) => this.#expr(value)).join(" · ");
        const at = position === undefined ? "" : ` at ${this.#index(position)}`;
        const sign = accumulator.kind === "maximum" ? "max=" : "+=";
        return `${this.#accumulator(accumulator)} ${sign} ${terms}${at}${this.#lanes()}`;
      }
      case "merge":
        return `merge ${this.#accumulator(statement.from)} into ${this.#accumulator(statement.into)}`;
      case "combine":
        return `combine the lanes of ${this.#accumulator(statement.accumulator)}`;
    }
  }

  /** How many lanes of the vector are in use. */
  #lanes(): string {
    return this.#lane === undefined || this.#lane.extent === 1 ? "" : `  [${this.#lane.extent} lanes]`;
  }

  /** Lines that name what the values have in common, inner ones first. */
  #share(values: readonly Expr[]): string[] {
    this.#shared = new Map();
    const uses = new Map<Expr, number>();
    const seen = new Set<Expr>();
    const order: Expr[] = [];
    for (const value of values) {
      uses.set(value, (uses.get(value) ?? 0) + 1);
      visitExpr(
        value,
        (expr) => {
          order.push(expr);
          for (const child of expr.children) uses.set(child, (uses.get(child) ?? 0) + 1);
        },
        seen,
      );
    }
    // An expression is made after what it reads.
    const several = order.filter((expr) => isCompound(expr) && (uses.get(expr) ?? 0) > 1).sort((a, b) => a.id - b.id);
    return several.map((expr, i) => {
      const line = `let t${i} = ${this.#expr(expr)}`;
      this.#shared.set(expr, `t${i}`);
      return line;
    });
  }

  #expr(expr: Expr): string {
    const shared = this.#shared.get(expr);
    if (shared !== undefined) return shared;
    switch (expr.op) {
      case "number":
        return String(expr.value);
      case "load":
        return this.#element(expr.buffer, expr.index);
      case "position":
        return `(${this.#index(expr.index)})`;
      case "random":
        return `uniform[stream ${expr.stream}](${this.#index(expr.index)})`;
      case "accumulator":
        return `${this.#accumulator(expr.accumulator)}${expr.part === "position" ? ".position" : ""}`;
      case "guard":
        return `(${expr.conditions.map((condition) => this.#condition(condition)).join(" ∧ ")} ? ${this.#expr(expr.then)} : ${this.#expr(expr.otherwise)})`;
      case "apply": {
        const args = expr.args.map((arg) => this.#expr(arg));
        const sign = INFIX[expr.primitive];
        return sign === undefined ? `${expr.primitive}(${args.join(", ")})` : `(${args.join(` ${sign} `)})`;
      }
    }
  }

  #condition({ index, low, high, every }: Condition): string {
    const range = `${low} ≤ ${this.#index(index)} < ${high}`;
    return every === 1 ? range : `${range} by ${every}`;
  }

  #element(buffer: Buffer, index: Index): string {
    return `${this.#buffer(buffer)}[${this.#index(index)}]`;
  }

  #index({ offset, terms }: Index): string {
    const parts = terms.map(({ atom, factor }) => (factor === 1 ? this.#atom(atom) : `${factor}·${this.#atom(atom)}`));
    if (offset !== 0 || parts.length === 0) parts.push(String(offset));
    return parts.join(" + ").replaceAll("+ -", "− ");
  }

  #atom(atom: Atom): string {
    if (atom.kind === "quotient") return `⌊(${this.#index(atom.of)}) / ${atom.by}⌋`;
    if (atom.kind === "dynamic") return this.#expr(atom.value);
    return atom === this.#lane ? "lane" : this.#name(atom, "i");
  }

  #accumulator(accumulator: Accumulator): string {
    return this.#name(accumulator, accumulator.kind === "maximum" ? "max" : "sum");
  }

  #name(of: LoopVariable | Accumulator, stem: string): string {
    const known = this.#names.get(of);
    if (known !== undefined) return known;
    const count = this.#counts.get(stem) ?? 0;
    this.#counts.set(stem, count + 1);
    const name = `${stem}${count}`;
    this.#names.set(of, name);
    return name;
  }

  #buffer(buffer: Buffer): string {
    const known = this.#buffers.get(buffer);
    if (known !== undefined) return known;
    const stem = buffer.name === "" ? "array" : buffer.name;
    const count = this.#counts.get(stem) ?? 0;
    this.#counts.set(stem, count + 1);
    const name = count === 0 ? stem : `${stem}~${count}`;
    this.#buffers.set(buffer, name);
    return name;
  }
}

function valuesOf(statement: Statement): readonly Expr[] {
  if (statement.op === "accumulate") return statement.values;
  return statement.op === "store" || statement.op === "addTo" ? [statement.value] : [];
}
