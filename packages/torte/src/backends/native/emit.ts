/**
 * Loops to C. A value is a vector as wide as the statement that asks for it, kept in a constant of the block where it is first
 * needed; one that no lane and no inner loop changes is computed before the loops. Strength reduction is left to the compiler.
 */
import type { Condition, Expr } from "../../compile/loops/expr.js";
import {
  iterationsOf,
  type Loop,
  type LoweredKernel,
  type Statement,
  visitStatement,
} from "../../compile/loops/loops.js";
import type { Buffer } from "../../compile/loops/expr.js";
import { Access } from "./access.js";
import { Accumulators } from "./accumulators.js";
import { floatText, integerText, kindOf, typeOf } from "./c-value.js";
import { emitApply } from "./emit-apply.js";
import type { NativeMath } from "./math.js";

export interface EmitOptions {
  readonly fma: boolean;
  readonly math: NativeMath;
  /** Every access is checked (`TORTE_DEBUG=bounds`). */
  readonly checked: boolean;
}

/** The body of a kernel's function, without its name: kernels that are alike share it. */
export interface KernelCode {
  /** Of the arrays; the range of rounds comes after them. */
  readonly parameters: readonly string[];
  readonly arrays: readonly Buffer[];
  readonly body: string;
}

/** The kernel as a function of its arrays and of the rounds that are to be run. */
export function emitKernel(kernel: LoweredKernel, options: EmitOptions): KernelCode {
  return new Emitter(kernel, options).run();
}

/** Vectors of fewer lanes than the narrowest have that one's type. */
const widthOf = (lanes: number): number => Math.max(4, lanes);

class Emitter {
  readonly #kernel: LoweredKernel;
  readonly #options: EmitOptions;
  readonly #access: Access;
  readonly #accumulators: Accumulators;
  readonly #lines: string[] = [];
  readonly #uses = new Map<Expr, number>();
  /** Names of values that are known, by expression and width. */
  readonly #known = new Map<Expr, Map<number, string>>();
  /** What has been remembered, the latest last. */
  readonly #remembered: { expr: Expr; width: number }[] = [];
  readonly #keys = new Map<string, string>();
  #names = 0;

  constructor(kernel: LoweredKernel, options: EmitOptions) {
    this.#kernel = kernel;
    this.#options = options;
    this.#access = new Access((value) => this.#scalar(value), options.checked);
    this.#accumulators = new Accumulators(kernel.body, options.fma, widthOf);
  }

  run(): KernelCode {
    const { body } = this.#kernel;
    this.#countUses(body);
    this.#lines.push(...this.#accumulators.declarations());
    for (const expr of this.#uses.keys()) if (expr.op === "random") this.#defineKey(expr);
    if (iterationsOf(body) > 1) this.#parallel(body, { from: "from", to: "to" });
    else this.#block(body);
    const { arrays } = this.#access;
    return { parameters: this.#access.parameters(), arrays, body: this.#lines.join("\n") };
  }

  #name(stem: string): string {
    return `${stem}${this.#names++}`;
  }

  #countUses(body: readonly Statement[]): void {
    const visit = (expr: Expr): void => {
      const before = this.#uses.get(expr) ?? 0;
      this.#uses.set(expr, before + 1);
      if (before === 0) expr.children.forEach(visit);
    };
    for (const statement of body) {
      if (statement.op === "loop") this.#countUses(statement.body);
      visitStatement(statement, visit);
    }
  }

  /** The two words that a stream's numbers are drawn with, the same for a whole kernel. */
  #defineKey({ stream, args }: Expr & { op: "random" }): void {
    const id = `${stream} ${args[0].id} ${args[1].id}`;
    if (this.#keys.has(id)) return;
    const key = this.#name("k");
    this.#lines.push(
      `const int ${key} = key(${this.#scalar(args[0])}, ${integerText(stream)}, ${this.#scalar(args[1])}), ${key}b = nextkey(${key});`,
    );
    this.#keys.set(id, key);
  }

  // ---- Statements.

  /** Parallel loops, of which the rounds that are given run, counted through all of them and those within them. */
  #parallel(body: readonly Statement[], range: { from: string; to: string }): void {
    this.#hoist(body);
    let before = 0;
    for (const statement of body) {
      if (statement.op !== "loop") continue;
      const within = iterationsOf(statement.body);
      const iterations = statement.variable.extent * within;
      const part = { from: this.#name("r"), to: this.#name("r") };
      this.#lines.push(
        `const I ${part.from} = clamp(${range.from} - ${before}, ${iterations}), ${part.to} = clamp(${range.to} - ${before}, ${iterations});`,
      );
      this.#loop(statement, { part, within });
      before += iterations;
    }
  }

  #loop({ variable, body }: Loop, shared?: { part: { from: string; to: string }; within: number }): void {
    const name = `n${variable.id}`;
    const [from, to] =
      shared === undefined
        ? ["0", String(variable.extent)]
        : shared.within === 1
          ? [shared.part.from, shared.part.to]
          : [`${shared.part.from} / ${shared.within}`, `(${shared.part.to} + ${shared.within - 1}) / ${shared.within}`];
    this.#lines.push(`for (I ${name} = ${from}; ${name} < ${to}; ${name}++) {`);
    this.#within(() =>
      this.#access.within(variable, () => {
        if (shared === undefined || shared.within === 1) this.#block(body);
        else {
          const { part, within } = shared;
          const [own, last] = [this.#name("r"), this.#name("r")];
          this.#lines.push(
            `const I ${own} = ${part.from} - ${name} * ${within}, ${last} = ${part.to} - ${name} * ${within};`,
          );
          this.#parallel(body, { from: own, to: last });
        }
      }),
    );
    this.#lines.push("}");
  }

  #block(body: readonly Statement[]): void {
    this.#hoist(body);
    for (const statement of body) {
      if (statement.op === "loop") this.#loop(statement);
      else this.#statement(statement);
    }
    this.#access.lane = undefined;
  }

  #statement(statement: Exclude<Statement, Loop>): void {
    const lines = this.#lines;
    const access = this.#access;
    access.lane = "lane" in statement ? statement.lane : undefined;
    const width = widthOf(access.lane?.extent ?? 1);
    switch (statement.op) {
      case "store": {
        const value = this.#value(statement.value, width);
        lines.push(access.store(statement.buffer, statement.index, value, width));
        return;
      }
      case "addTo": {
        const value = this.#value(statement.value, width);
        const before = access.load(statement.buffer, statement.index, width);
        lines.push(access.store(statement.buffer, statement.index, `${before} + ${value}`, width));
        return;
      }
      case "reset":
        for (const accumulator of statement.accumulators) lines.push(this.#accumulators.reset(accumulator));
        return;
      case "restore":
        lines.push(
          this.#accumulators.restore(statement.accumulator, access.load(statement.buffer, statement.index, width)),
        );
        return;
      case "accumulate": {
        const values = statement.values.map((value) => this.#value(value, width));
        const { accumulator, position: at, lane } = statement;
        const position = at === undefined ? undefined : access.position(at, width);
        lines.push(this.#accumulators.accumulate(accumulator, { values, position, lanes: lane.extent }));
        return;
      }
      case "merge":
        lines.push(this.#accumulators.merge(statement.into, statement.from));
        return;
      case "combine":
        lines.push(this.#accumulators.combine(statement.accumulator));
        return;
    }
  }

  /** Computes what loops within `body` would otherwise compute again in every round. */
  #hoist(body: readonly Statement[]): void {
    this.#access.lane = undefined;
    const seen = new Set<Expr>();
    const visit = (expr: Expr): void => {
      if (!isWorthKeeping(expr) || seen.has(expr) || this.#known.has(expr)) return;
      seen.add(expr);
      if (!expr.volatile && expr.variables.every((variable) => this.#access.isOpen(variable))) {
        this.#remember(expr, 4, this.#compute(expr, 4));
      } else if (expr.op !== "guard") expr.children.forEach(visit);
    };
    const walk = (statements: readonly Statement[], deep: boolean): void => {
      for (const statement of statements) {
        if (statement.op === "loop") walk(statement.body, true);
        else if (deep) visitStatement(statement, visit);
      }
    };
    walk(body, false);
  }

  // ---- Values.

  /** What is computed by a part of the code that does not always run is not known outside of it. */
  #within(emit: () => void): void {
    const before = this.#remembered.length;
    emit();
    for (const { expr, width } of this.#remembered.splice(before)) {
      const widths = this.#known.get(expr);
      widths?.delete(width);
      if (widths?.size === 0) this.#known.delete(expr);
    }
  }

  /** A constant with the value. */
  #remember(expr: Expr, width: number, text: string): string {
    const name = this.#name("v");
    this.#lines.push(`const ${typeOf(kindOf(expr.dtype), width)} ${name} = ${text};`);
    return this.#rememberAs(expr, width, name);
  }

  #rememberAs(expr: Expr, width: number, name: string): string {
    let widths = this.#known.get(expr);
    if (widths === undefined) this.#known.set(expr, (widths = new Map<number, string>()));
    widths.set(width, name);
    this.#remembered.push({ expr, width });
    return name;
  }

  /** The first lane of an int32 value. */
  #scalar(value: Expr): string {
    if (value.op === "number") return integerText(value.value);
    if (value.op === "position") return `(${this.#access.index(value.index)})`;
    return `${this.#named(value, 4)}[0]`;
  }

  #named(expr: Expr, width: number): string {
    return this.#known.get(expr)?.get(width) ?? this.#remember(expr, width, this.#compute(expr, width));
  }

  /** The text of a vector of so many lanes. */
  #value(expr: Expr, width: number): string {
    const known = this.#known.get(expr);
    const found = known?.get(width);
    if (found !== undefined) return found;
    const narrow = known?.get(4);
    if (width > 4 && narrow !== undefined && this.#isUniform(expr))
      return this.#remember(expr, width, `${kindOf(expr.dtype) === "float" ? "f" : "i"}${width}(${narrow}[0])`);
    if (!isWorthKeeping(expr)) return this.#compute(expr, width);
    const kept = expr.op === "load" || expr.op === "guard" || (this.#uses.get(expr) ?? 0) > 1;
    return kept ? this.#named(expr, width) : this.#compute(expr, width);
  }

  #isUniform(expr: Expr): boolean {
    return expr.variables.every((variable) => this.#access.isOpen(variable));
  }

  #compute(expr: Expr, width: number): string {
    switch (expr.op) {
      case "number":
        if (expr.dtype === "float32") return `f${width}(${floatText(expr.value)})`;
        return `i${width}(${integerText(expr.dtype === "bool" ? -Number(expr.value !== 0) : expr.value)})`;
      case "load":
        return this.#access.load(expr.buffer, expr.index, width);
      case "position":
        return this.#access.position(expr.index, width);
      case "random": {
        const key = this.#keys.get(`${expr.stream} ${expr.args[0].id} ${expr.args[1].id}`);
        if (key === undefined) throw new RangeError("a random stream without its key");
        return `uniform${width}(${this.#access.position(expr.index, width)}, (unsigned)${key}, (unsigned)${key}b)`;
      }
      case "apply": {
        const texts = expr.args.map((arg) => this.#value(arg, width));
        const { args, dtype } = expr;
        return emitApply(expr.primitive, { args, texts, lanes: width, dtype, math: this.#options.math });
      }
      case "guard":
        return this.#guard(expr, width);
      case "accumulator":
        return this.#accumulators.text(expr.accumulator, expr.part);
    }
  }

  #guard(expr: Expr & { op: "guard" }, width: number): string {
    const name = this.#name("g");
    const conditions = expr.conditions.map((condition) => this.#condition(condition)).join(" && ");
    this.#lines.push(`${typeOf(kindOf(expr.dtype), width)} ${name}; if (${conditions}) {`);
    for (const [branch, end] of [
      [expr.then, "} else {"],
      [expr.otherwise, "}"],
    ] as const) {
      this.#within(() => {
        const value = this.#value(branch, width);
        this.#lines.push(`${name} = ${value};`, end);
      });
    }
    return name;
  }

  #condition({ index, low, high, every }: Condition): string {
    if (this.#access.laneFactor(index) !== 0) throw new RangeError("the lanes of a vector do not decide alike");
    const at = `(int)(${this.#access.index(index)} - ${low})`;
    const inside = `(unsigned)${at} < ${high - low}u`;
    return every > 1 ? `${inside} && ${at} % ${every} == 0` : inside;
  }
}

/** Constants are as cheap as locals, and finished accumulators are locals. */
const isWorthKeeping = (expr: Expr): boolean => expr.op !== "number" && expr.op !== "accumulator";
