/**
 * Places: byte offsets of array elements, in i32 locals. Each part of a place is computed in the loop of the variable that
 * it depends on; what depends on the variable itself advances by addition at the end of each round.
 */
import { type Buffer, type Expr, indicesOf, operands } from "../../compile/expr.js";
import type { Atom, Index, LoopVariable, Term } from "../../compile/index-expr.js";
import type { Statement } from "../../compile/loops.js";
import { type Code, I32, OP } from "./encoder.js";

/** What is in locals within a loop, or at the top of a function. */
export interface Scope {
  readonly locals: Map<string, number>;
  readonly variable: LoopVariable | undefined;
}

/** A place that advances with a loop: where it starts and by how much it moves. */
export interface Pointer {
  readonly key: string;
  readonly local: number;
  readonly base: number | undefined;
  readonly step: number;
}

export class Places {
  scopes: Scope[] = [{ locals: new Map(), variable: undefined }];
  /** Variables that run within a vector; they belong to no loop. */
  readonly lanes = new Set<LoopVariable>();
  /** That of the statement at hand. */
  lane: LoopVariable | undefined;

  constructor(
    readonly code: Code,
    readonly address: (buffer: Buffer) => number,
    /** Pushes an int32 value of the first lane. */
    readonly scalar: (value: Expr) => void,
  ) {}

  find(key: string): number | undefined {
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const local = this.scopes[i]?.locals.get(key);
      if (local !== undefined) return local;
    }
    return undefined;
  }

  remember(key: string, local: number): void {
    this.scopes.at(-1)?.locals.set(key, local);
  }

  /** The level of the loop whose variable this is; lanes belong to no loop. */
  levelOf(variable: LoopVariable): number {
    const level = this.scopes.findIndex((scope) => scope.variable === variable);
    return level === -1 ? Infinity : level;
  }

  atomLevel(atom: Atom): number {
    if (atom.kind === "variable") return this.levelOf(atom);
    if (atom.kind === "quotient") return this.indexLevel(atom.of);
    return this.exprLevel(atom.value);
  }

  indexLevel(index: Index): number {
    return index.terms.reduce((level, { atom }) => Math.max(level, this.atomLevel(atom)), 0);
  }

  exprLevel(expr: Expr): number {
    let level = isFleeting(expr) ? Infinity : 0;
    for (const variable of expr.variables)
      if (!this.lanes.has(variable)) level = Math.max(level, this.levelOf(variable));
    return level;
  }

  /** The places within the loop that advance with it: where they start and by how much. */
  pointers(variable: LoopVariable, body: readonly Statement[], outer: number): Pointer[] {
    const found = new Map<string, Pointer>();
    const visit = (index: Index): void => {
      const own = index.terms.find(({ atom }) => atom === variable);
      if (own === undefined) return;
      const rest = index.terms.filter(({ atom }) => atom !== variable && this.atomLevelIn(atom, variable) <= outer);
      const key = placeKey([...rest, own]);
      if (found.has(key)) return;
      const base = this.place(rest, outer);
      found.set(key, { key, local: this.code.newLocal(I32), base, step: 4 * own.factor });
    };
    eachIndex(body, visit);
    return [...found.values()];
  }

  /** Level of an atom, the variable of the loop to come counting as deeper than all. */
  atomLevelIn(atom: Atom, coming: LoopVariable): number {
    if (atom === coming) return Infinity;
    if (atom.kind === "dynamic" && this.find(`d${atom.id}`) === undefined) return Infinity;
    return this.atomLevel(atom);
  }

  /** The local with 4·Σ factor·atom over the terms that are known at `level`, or undefined where there are none. */
  place(terms: readonly Term[], level: number): number | undefined {
    const known = terms.filter(({ atom }) => this.atomLevel(atom) <= level && this.isReady(atom));
    if (known.length === 0) return undefined;
    const key = placeKey(known);
    const found = this.find(key);
    if (found !== undefined) return found;
    const { code } = this;
    const deepest = Math.max(...known.map(({ atom }) => this.atomLevel(atom)));
    const below = known.filter(({ atom }) => this.atomLevel(atom) < deepest);
    const at = known.filter(({ atom }) => this.atomLevel(atom) === deepest);
    const stepping = at.find(({ atom }) => atom.kind === "variable");
    const pointer = stepping === undefined ? undefined : this.find(placeKey([...below, stepping]));
    let pending = pointer === undefined ? at : at.filter((term) => term !== stepping);
    let base = pointer;
    if (pointer === undefined) base = deepest === 0 ? undefined : this.place(below, deepest - 1);
    if (base === undefined) {
      const [first, ...others] = pending;
      if (first === undefined) return undefined;
      this.scaled(first.atom, first.factor);
      pending = others;
    } else code.get(base);
    for (const { atom, factor } of pending) {
      this.scaled(atom, factor);
      code.op(OP.i32Add);
    }
    const local = code.newLocal(I32);
    code.set(local);
    this.remember(key, local);
    return local;
  }

  isReady(atom: Atom): boolean {
    if (atom.kind === "variable") return this.levelOf(atom) !== Infinity;
    if (atom.kind === "quotient") return atom.of.terms.every((term) => this.isReady(term.atom));
    return !this.varies(atom.value) || this.lane?.extent === 1 || this.dynamicLevelFinite(atom.value);
  }

  dynamicLevelFinite(value: Expr): boolean {
    for (const variable of value.variables)
      if (this.levelOf(variable) === Infinity && !(variable.extent === 1)) return false;
    return true;
  }

  /** Pushes 4·factor·atom. */
  scaled(atom: Atom, factor: number): void {
    this.atom(atom);
    if (factor === 1) this.code.i32(2).op(0x74);
    else this.code.i32(4 * factor).op(OP.i32Mul);
  }

  atom(atom: Atom): void {
    const { code } = this;
    if (atom.kind === "variable") {
      const local = this.find(`v${atom.id}`);
      if (local === undefined) throw new RangeError("a loop variable is read outside of its loop");
      code.get(local);
      return;
    }
    const key = atom.kind === "quotient" ? `q${atom.id}` : `d${atom.id}`;
    const found = this.find(key);
    if (found !== undefined) {
      code.get(found);
      return;
    }
    if (atom.kind === "quotient") {
      this.integer(atom.of);
      code.i32(atom.by).op(OP.i32DivS);
    } else this.scalar(atom.value);
    const local = code.newLocal(I32);
    code.tee(local);
    this.remember(key, local);
  }

  /** Pushes the value of an index, in elements, for the first lane. */
  integer(index: Index): void {
    const { code } = this;
    let any = false;
    for (const { atom, factor } of index.terms) {
      if (atom.kind === "variable" && this.levelOf(atom) === Infinity) continue;
      this.atom(atom);
      if (factor !== 1) code.i32(factor).op(OP.i32Mul);
      if (any) code.op(OP.i32Add);
      any = true;
    }
    if (!any) code.i32(index.offset);
    else if (index.offset !== 0) code.i32(index.offset).op(OP.i32Add);
  }

  /** Pushes the byte place of an index without its lanes; returns the constant part, for the memory instruction. */
  pushPlace(buffer: Buffer, index: Index, shift = 0): number {
    const { code } = this;
    const terms = index.terms.filter(({ atom }) => !(atom.kind === "variable" && this.levelOf(atom) === Infinity));
    const local = this.place(terms, this.scopes.length - 1);
    const offset = this.address(buffer) + 4 * (index.offset + shift);
    if (local === undefined) code.i32(0);
    else code.get(local);
    // The sum of place and offset does not wrap around, so a place below zero must meet the offset before.
    if (offset >= 0 && terms.every(({ factor }) => factor > 0)) return offset;
    code.i32(offset).op(OP.i32Add);
    return 0;
  }
  varies(expr: Expr): boolean {
    for (const variable of expr.variables) if (this.levelOf(variable) === Infinity) return true;
    return false;
  }
}

/** Whether a value changes while the variables that it depends on stay. */
function isFleeting(expr: Expr): boolean {
  if (expr.op === "accumulator" || (expr.op === "load" && expr.buffer.scratch === true)) return true;
  return operands(expr).some(isFleeting);
}

/** What a statement computes, values behind its indices included. */
export function valuesOf(statement: Statement): readonly Expr[] {
  if (statement.op === "store" || statement.op === "addTo") return [statement.value, ...dynamics(statement.index)];
  return statement.op === "accumulate" ? statement.values : [];
}

/** Values that an index reads at run time. */
export function dynamics(index: Index): readonly Expr[] {
  let found = NONE;
  for (const { atom } of index.terms) {
    if (atom.kind === "dynamic") found = [...found, atom.value];
    else if (atom.kind === "quotient") found = [...found, ...dynamics(atom.of)];
  }
  return found;
}

const NONE: readonly Expr[] = [];

const placeKey = (terms: readonly { atom: Atom; factor: number }[]): string =>
  `p${[...terms]
    .sort((a, b) => a.atom.id - b.atom.id)
    .map(({ atom, factor }) => `${atom.id}*${factor}`)
    .join("+")}`;

/** Every index expression of memory accesses within the statements, those under guards included. */
function eachIndex(body: readonly Statement[], visit: (index: Index) => void): void {
  const seen = new Set<Expr>();
  const inExpr = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    operands(expr).forEach(inExpr);
    if (expr.op === "load") visit(expr.index);
    for (const index of indicesOf(expr)) dynamics(index).forEach(inExpr);
  };
  for (const statement of body) {
    if (statement.op === "loop") eachIndex(statement.body, visit);
    else {
      valuesOf(statement).forEach(inExpr);
      if ("index" in statement) visit(statement.index);
    }
  }
}
