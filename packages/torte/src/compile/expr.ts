/**
 * What one element of a kernel's result is computed from: loads at index expressions and elementwise primitives.
 *
 * Expressions are interned, so equal ones are one object and common subexpressions cost nothing to find.
 */
import type { DType } from "../tensor/dtype.js";
import type { Primitive } from "../graph/node.js";
import { Atoms, collectVariables, type Index, type LoopVariable } from "./index-expr.js";

/** An array in memory: a state or a temporary of the step. */
export interface Buffer {
  readonly id: number;
  readonly name: string;
  readonly dtype: DType;
  readonly size: number;
  /** Written and read again within one kernel, so that a value read from it does not stay valid. */
  readonly scratch?: true;
}

/** Elementwise primitives, which expressions apply. */
export type Elementwise = Exclude<
  Primitive,
  | "constant"
  | "iota"
  | "state"
  | "uniform"
  | "reshape"
  | "transpose"
  | "broadcast"
  | "slice"
  | "pad"
  | "reverse"
  | "concat"
  | "windows"
  | "fold"
  | "sum"
  | "reduceMax"
  | "argmax"
  | "contract"
  | "mix"
  | "gather"
  | "scatterAdd"
  | "stopGradient"
>;

/** `index` lies in low … high−1 and, where `every` is above 1, is a multiple of it above low. */
export interface Condition {
  readonly index: Index;
  readonly low: number;
  readonly high: number;
  readonly every: number;
}

export type Expr = { readonly id: number; readonly dtype: DType; readonly variables: ReadonlySet<LoopVariable> } & (
  | { readonly op: "load"; readonly buffer: Buffer; readonly index: Index }
  | { readonly op: "number"; readonly value: number }
  /** The index itself as an int32 value. */
  | { readonly op: "position"; readonly index: Index }
  /** Uniform number `index` of the stream for (seed, step) = `args`. */
  | { readonly op: "random"; readonly stream: number; readonly index: Index; readonly args: readonly [Expr, Expr] }
  | { readonly op: "apply"; readonly primitive: Elementwise; readonly args: readonly Expr[] }
  /** `then` where all conditions hold, else `otherwise`; only the one that is taken is evaluated. */
  | { readonly op: "guard"; readonly conditions: readonly Condition[]; readonly then: Expr; readonly otherwise: Expr }
  /** The finished value of an accumulator. */
  | { readonly op: "accumulator"; readonly accumulator: Accumulator }
);

/** A running value of a reduction. `product` adds the product of its two terms. */
export interface Accumulator {
  readonly id: number;
  readonly kind: "sum" | "reduceMax" | "argmax" | "product";
  readonly dtype: DType;
  /** The lanes of a vector belong to one result and are combined at the end, so lanes out of use must stay neutral. */
  readonly across: boolean;
}

type Shape = Expr extends infer E ? (E extends Expr ? Omit<E, "id" | "variables"> : never) : never;

/** Makes and interns the expressions of one compilation. */
export class Exprs {
  readonly atoms = new Atoms();
  readonly #known = new Map<string, Expr>();
  #nextAccumulator = 0;
  #nextBuffer = 0;

  newBuffer(name: string, dtype: DType, size: number): Buffer {
    return { id: this.#nextBuffer++, name, dtype, size };
  }

  newScratch(name: string, size: number): Buffer {
    return { ...this.newBuffer(name, "float32", size), scratch: true };
  }

  load(buffer: Buffer, index: Index): Expr {
    return this.#intern(`load ${buffer.id} ${index.key}`, { op: "load", buffer, index, dtype: buffer.dtype });
  }

  number(value: number, dtype: DType): Expr {
    const key = Object.is(value, -0) ? "-0" : String(value);
    return this.#intern(`number ${key} ${dtype}`, { op: "number", value, dtype });
  }

  position(index: Index): Expr {
    if (index.terms.length === 0) return this.number(index.offset, "int32");
    return this.#intern(`position ${index.key}`, { op: "position", index, dtype: "int32" });
  }

  random(stream: number, index: Index, seed: Expr, step: Expr): Expr {
    const key = `random ${stream} ${index.key} ${seed.id} ${step.id}`;
    return this.#intern(key, { op: "random", stream, index, args: [seed, step], dtype: "float32" });
  }

  apply(primitive: Elementwise, args: readonly Expr[], dtype: DType): Expr {
    const key = `${primitive} ${dtype} ${args.map((arg) => arg.id).join(" ")}`;
    return this.#intern(key, { op: "apply", primitive, args, dtype });
  }

  guard(conditions: readonly Condition[], then: Expr, otherwise: Expr): Expr {
    if (conditions.length === 0 || then === otherwise) return then;
    const tests = conditions.map((c) => `${c.index.key}:${c.low}:${c.high}:${c.every}`).join(",");
    const key = `guard ${tests} ${then.id} ${otherwise.id}`;
    return this.#intern(key, { op: "guard", conditions, then, otherwise, dtype: then.dtype });
  }

  newAccumulator(kind: Accumulator["kind"], dtype: DType, across = false): Accumulator {
    return { id: this.#nextAccumulator++, kind, dtype, across };
  }

  accumulator(accumulator: Accumulator): Expr {
    const dtype = accumulator.kind === "argmax" ? "int32" : accumulator.dtype;
    return this.#intern(`accumulator ${accumulator.id}`, { op: "accumulator", accumulator, dtype });
  }

  #intern(key: string, shape: Shape): Expr {
    let expr = this.#known.get(key);
    if (expr === undefined) {
      // The spread of a member of the union with the two missing fields is that member; TypeScript sees only the union.
      expr = { ...shape, id: this.#known.size, variables: variablesOf(shape) };
      this.#known.set(key, expr);
    }
    return expr;
  }
}

/** The operands of an expression. */
export function operands(expr: Shape | Expr): readonly Expr[] {
  switch (expr.op) {
    case "apply":
    case "random":
      return expr.args;
    case "guard":
      return [expr.then, expr.otherwise];
    default:
      return [];
  }
}

/** The index expressions that stand directly in an expression. */
export function indicesOf(expr: Shape | Expr): readonly Index[] {
  switch (expr.op) {
    case "load":
    case "position":
    case "random":
      return [expr.index];
    case "guard":
      return expr.conditions.map((condition) => condition.index);
    default:
      return [];
  }
}

const NO_VARIABLES: ReadonlySet<LoopVariable> = new Set();

/** Mostly the variables of one operand, whose set is shared then. */
function variablesOf(shape: Shape): ReadonlySet<LoopVariable> {
  let shared = NO_VARIABLES;
  let own: Set<LoopVariable> | undefined;
  for (const { variables } of operands(shape)) {
    if (own !== undefined) for (const variable of variables) own.add(variable);
    else if (isWithin(shared, variables)) shared = variables;
    else if (!isWithin(variables, shared)) own = new Set([...shared, ...variables]);
  }
  const indices = indicesOf(shape);
  if (indices.length === 0) return own ?? shared;
  const all = own ?? new Set(shared);
  for (const index of indices) collectVariables(index, all);
  return all;
}

function isWithin(part: ReadonlySet<LoopVariable>, whole: ReadonlySet<LoopVariable>): boolean {
  if (part === whole) return true;
  if (part.size > whole.size) return false;
  for (const variable of part) if (!whole.has(variable)) return false;
  return true;
}

/** Visits an expression and all below it once, values behind dynamic indices included. */
export function visitExpr(expr: Expr, visit: (expr: Expr) => void, seen = new Set<Expr>()): void {
  if (seen.has(expr)) return;
  seen.add(expr);
  visit(expr);
  for (const operand of operands(expr)) visitExpr(operand, visit, seen);
  for (const index of indicesOf(expr)) visitIndex(index, visit, seen);
}

function visitIndex(index: Index, visit: (expr: Expr) => void, seen: Set<Expr>): void {
  for (const { atom } of index.terms) {
    if (atom.kind === "dynamic") visitExpr(atom.value, visit, seen);
    else if (atom.kind === "quotient") visitIndex(atom.of, visit, seen);
  }
}
