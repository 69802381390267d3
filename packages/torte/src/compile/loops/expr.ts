/**
 * What one element of a kernel's result is computed from: loads at index expressions and elementwise primitives.
 *
 * Expressions are interned, so equal ones are one object and common subexpressions cost nothing to find.
 */
import type { DType } from "../../tensor/dtype.js";
import type { Elementwise } from "../../graph/primitives.js";
import {
  addMissing,
  Atoms,
  collectVariables,
  factorOf,
  hashIndex,
  type Index,
  type LoopVariable,
  mixHash,
  sameIndex,
} from "./index-expr.js";

/** An array in memory: a state or a temporary of the step. */
export interface Buffer {
  readonly id: number;
  readonly name: string;
  readonly dtype: DType;
  readonly size: number;
  /** Written and read again within one kernel, so that a value read from it does not stay valid. */
  readonly scratch?: true;
}

/** Makes the arrays of one compilation. */
export class Buffers {
  #next = 0;

  add(name: string, dtype: DType, size: number): Buffer {
    return { id: this.#next++, name, dtype, size };
  }

  addScratch(name: string, size: number): Buffer {
    return { ...this.add(name, "float32", size), scratch: true };
  }
}

/** `index` lies in low … high−1 and, where `every` is above 1, is a multiple of it above low. */
export interface Condition {
  readonly index: Index;
  readonly low: number;
  readonly high: number;
  readonly every: number;
}

/** What every expression has. */
interface ExprBase {
  readonly id: number;
  readonly dtype: DType;
  /** The expressions and the index expressions that stand directly in it. */
  readonly operands: readonly Expr[];
  readonly indices: readonly Index[];
  /** Child expressions: the operands, then the values that the indices read at run time. */
  readonly children: readonly Expr[];
  /** The loop variables that it depends on. */
  readonly variables: readonly LoopVariable[];
  /** Reads an accumulator or scratch memory, so that it is never hoisted out of a loop. */
  readonly volatile: boolean;
}

export type Expr = ExprBase &
  (
    | { readonly op: "load"; readonly buffer: Buffer; readonly index: Index }
    | { readonly op: "number"; readonly value: number }
    /** The index itself as an int32 value. */
    | { readonly op: "position"; readonly index: Index }
    /** Uniform number `index` of the stream for (seed, step) = `args`. */
    | { readonly op: "random"; readonly stream: number; readonly index: Index; readonly args: readonly [Expr, Expr] }
    | { readonly op: "apply"; readonly primitive: Elementwise; readonly args: readonly Expr[] }
    /** `then` where all conditions hold, else `otherwise`; only the one that is taken is evaluated. */
    | { readonly op: "guard"; readonly conditions: readonly Condition[]; readonly then: Expr; readonly otherwise: Expr }
    /** What an accumulator has found: its value, or where a maximum lies. */
    | { readonly op: "accumulator"; readonly accumulator: Accumulator; readonly part: AccumulatorPart }
  );

export type AccumulatorPart = "value" | "position";

/** A running value of a reduction. `product` adds the product of its two terms. */
export interface Accumulator {
  readonly id: number;
  readonly kind: "sum" | "maximum" | "product";
  readonly dtype: DType;
  /** What of a maximum is asked for; of the others it is the value. */
  readonly parts: readonly AccumulatorPart[];
  /** The lanes of a vector belong to one result and are combined at the end, so lanes out of use must stay neutral. */
  readonly across: boolean;
}

/** Makes and interns the expressions of one kernel. */
export class Exprs {
  readonly atoms = new Atoms();
  /** By hash; where that is taken by another, by the next number that is free. */
  readonly #known = new Map<number, Expr>();
  #nextAccumulator = 0;

  load(buffer: Buffer, index: Index): Expr {
    let at = mixHash(hashIndex(index), buffer.id);
    for (let e = this.#known.get(at); e !== undefined; e = this.#known.get(++at))
      if (e.op === "load" && e.buffer === buffer && sameIndex(e.index, index)) return e;
    const base = this.#base(buffer.dtype, NO_OPERANDS, [index], buffer.scratch === true);
    return this.#add(at, { ...base, op: "load", buffer, index });
  }

  number(value: number, dtype: DType): Expr {
    let at = mixHash(value, Math.imul(value, 1e6));
    for (let e = this.#known.get(at); e !== undefined; e = this.#known.get(++at))
      if (e.op === "number" && Object.is(e.value, value) && e.dtype === dtype) return e;
    return this.#add(at, { ...this.#base(dtype, NO_OPERANDS, NO_INDICES), op: "number", value });
  }

  position(index: Index): Expr {
    if (index.terms.length === 0) return this.number(index.offset, "int32");
    let at = hashIndex(index);
    for (let e = this.#known.get(at); e !== undefined; e = this.#known.get(++at))
      if (e.op === "position" && sameIndex(e.index, index)) return e;
    return this.#add(at, { ...this.#base("int32", NO_OPERANDS, [index]), op: "position", index });
  }

  random(stream: number, index: Index, seed: Expr, step: Expr): Expr {
    let at = mixHash(hashIndex(index), stream);
    for (let e = this.#known.get(at); e !== undefined; e = this.#known.get(++at)) {
      if (e.op !== "random" || e.stream !== stream || !sameIndex(e.index, index)) continue;
      if (e.args[0] === seed && e.args[1] === step) return e;
    }
    const args = [seed, step] as const;
    return this.#add(at, { ...this.#base("float32", args, [index]), op: "random", stream, index, args });
  }

  apply(primitive: Elementwise, args: readonly Expr[], dtype: DType): Expr {
    let at = args.length;
    for (let i = 0, arg = args[0]; arg !== undefined; arg = args[++i]) at = mixHash(at, arg.id);
    for (let e = this.#known.get(at); e !== undefined; e = this.#known.get(++at))
      if (e.op === "apply" && e.primitive === primitive && e.dtype === dtype && sameMembers(e.args, args)) return e;
    return this.#add(at, { ...this.#base(dtype, args, NO_INDICES), op: "apply", primitive, args });
  }

  guard(conditions: readonly Condition[], then: Expr, otherwise: Expr): Expr {
    if (conditions.length === 0 || then === otherwise) return then;
    let at = mixHash(then.id, otherwise.id);
    for (const { index, low, high } of conditions) at = mixHash(mixHash(mixHash(at, hashIndex(index)), low), high);
    for (let e = this.#known.get(at); e !== undefined; e = this.#known.get(++at)) {
      if (e.op !== "guard" || e.then !== then || e.otherwise !== otherwise) continue;
      if (sameConditions(e.conditions, conditions)) return e;
    }
    const indices = conditions.map((condition) => condition.index);
    const base = this.#base(then.dtype, [then, otherwise], indices);
    return this.#add(at, { ...base, op: "guard", conditions, then, otherwise });
  }

  newAccumulator(
    kind: Accumulator["kind"],
    dtype: DType,
    across = false,
    parts: readonly AccumulatorPart[] = ["value"],
  ): Accumulator {
    return { id: this.#nextAccumulator++, kind, dtype, across, parts };
  }

  accumulator(accumulator: Accumulator, part: AccumulatorPart = "value"): Expr {
    let at = mixHash(accumulator.id, part === "value" ? -1 : -2);
    for (let e = this.#known.get(at); e !== undefined; e = this.#known.get(++at))
      if (e.op === "accumulator" && e.accumulator === accumulator && e.part === part) return e;
    const base = this.#base(part === "position" ? "int32" : accumulator.dtype, NO_OPERANDS, NO_INDICES, true);
    return this.#add(at, { ...base, op: "accumulator", accumulator, part });
  }

  #add(at: number, expr: Expr): Expr {
    this.#known.set(at, expr);
    return expr;
  }

  #base(dtype: DType, operands: readonly Expr[], indices: readonly Index[], volatile = false): ExprBase {
    return {
      id: this.#known.size,
      dtype,
      operands,
      indices,
      children: childrenOf(operands, indices),
      variables: variablesOf(operands, indices),
      volatile: volatile || operands.some((operand) => operand.volatile),
    };
  }
}

const NO_OPERANDS: readonly Expr[] = [];
const NO_INDICES: readonly Index[] = [];
const NO_VARIABLES: readonly LoopVariable[] = [];

function sameMembers(a: readonly Expr[], b: readonly Expr[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const sameConditions = (a: readonly Condition[], b: readonly Condition[]): boolean =>
  a.length === b.length &&
  a.every((x, i) => {
    const y = b[i];
    return (
      y !== undefined && sameIndex(x.index, y.index) && x.low === y.low && x.high === y.high && x.every === y.every
    );
  });

/** Mostly the variables of one operand, whose list is shared then. */
function variablesOf(operands: readonly Expr[], indices: readonly Index[]): readonly LoopVariable[] {
  let shared = NO_VARIABLES;
  let own: LoopVariable[] | undefined;
  for (let i = 0; i < operands.length; i++) {
    const variables = operands[i]?.variables ?? NO_VARIABLES;
    if (own !== undefined) addMissing(variables, own);
    else if (isWithin(shared, variables)) shared = variables;
    else if (!isWithin(variables, shared)) addMissing(variables, (own = [...shared]));
  }
  if (indices.length === 0) return own ?? shared;
  const all = own ?? shared.slice();
  for (let i = 0, index = indices[0]; index !== undefined; index = indices[++i]) collectVariables(index, all);
  return all;
}

function isWithin(part: readonly LoopVariable[], whole: readonly LoopVariable[]): boolean {
  if (part === whole) return true;
  if (part.length > whole.length) return false;
  for (let i = 0, variable = part[0]; variable !== undefined; variable = part[++i])
    if (!whole.includes(variable)) return false;
  return true;
}

function childrenOf(operands: readonly Expr[], indices: readonly Index[]): readonly Expr[] {
  let all = operands;
  for (let i = 0, index = indices[0]; index !== undefined; index = indices[++i]) {
    const values = dynamics(index);
    if (values.length > 0) all = [...all, ...values];
  }
  return all;
}

/** Values that an index reads at run time. */
export function dynamics(index: Index): readonly Expr[] {
  let found = NO_OPERANDS;
  for (let i = 0, term = index.terms[0]; term !== undefined; term = index.terms[++i]) {
    const { atom } = term;
    if (atom.kind === "variable") continue;
    const values = atom.kind === "dynamic" ? [atom.value] : dynamics(atom.of);
    if (values.length > 0) found = [...found, ...values];
  }
  return found;
}

/** Visits an expression and all below it once, values behind dynamic indices included. */
export function visitExpr(expr: Expr, visit: (expr: Expr) => void, seen = new Set<Expr>()): void {
  if (seen.has(expr)) return;
  seen.add(expr);
  visit(expr);
  const { children } = expr;
  for (let i = 0, other = children[0]; other !== undefined; other = children[++i]) visitExpr(other, visit, seen);
}

/** All index expressions below a value. */
export function indicesIn(value: Expr): Index[] {
  const result: Index[] = [];
  visitExpr(value, (expr) => result.push(...expr.indices));
  return result;
}

/** Whether some load would have to collect its lanes one by one. */
export function isStrided(value: Expr, lane: LoopVariable): boolean {
  let strided = false;
  visitExpr(value, (expr) => {
    if (expr.op === "load" && ![0, 1].includes(factorOf(expr.index, lane) ?? 2)) strided = true;
  });
  return strided;
}
