/**
 * Addresses: byte offsets of array elements, in i32 locals. Each loop-invariant part of an address is computed in the loop of the
 * innermost variable that it depends on; what depends on the variable itself is an induction variable, which advances by
 * addition at the end of each iteration (strength reduction).
 */
import type { Buffer, Condition, Expr } from "../../compile/loops/expr.js";
import type { Atom, Index, LoopVariable, Term } from "../../compile/loops/index-expr.js";
import { type Loop, type Statement, visitStatement } from "../../compile/loops/loops.js";
import { type Code, I32, OP, type Place } from "./encoder.js";

/** Stands for a sum of terms: equal sums, their terms sorted by atom, lead to the same one. */
class Sum {
  readonly #longer = new Map<Atom, Map<number, Sum>>();

  and({ atom, factor }: Term): Sum {
    let byFactor = this.#longer.get(atom);
    if (byFactor === undefined) this.#longer.set(atom, (byFactor = new Map<number, Sum>()));
    let sum = byFactor.get(factor);
    if (sum === undefined) byFactor.set(factor, (sum = new Sum()));
    return sum;
  }
}

/** What a local can hold: a value, an atom, the place 4·Σ factor·atom, or whether conditions hold. */
type Kept = Expr | Atom | Sum | readonly Condition[];

/** A place that advances with a loop: where it starts and by how much it moves. */
export interface InductionVariable {
  readonly sum: Sum;
  readonly local: number;
  readonly base: number | undefined;
  readonly step: number;
}

export class Addresses {
  /** How many loops are open. */
  level = 0;
  /** Variables that run within a vector; they belong to no loop. */
  readonly lanes = new Set<LoopVariable>();
  /** That of the statement at hand. */
  lane: LoopVariable | undefined;
  readonly #empty = new Sum();
  readonly #locals = new Map<Kept, number>();
  /** What has been remembered, the latest last. */
  readonly #remembered: Kept[] = [];
  readonly #levels = new Map<LoopVariable, number>();
  /** The variable of the loop that was opened last, if one is open. */
  #innermost: LoopVariable | undefined;
  readonly #accesses = new Map<readonly Statement[], ReadonlySet<Index | Loop>>();

  constructor(
    readonly code: Code,
    /** No array lies below this address. */
    readonly lowest: number,
    /** Pushes an int32 value of the first lane. */
    readonly scalar: (value: Expr) => void,
  ) {}

  find(kept: Kept): number | undefined {
    return this.#locals.get(kept);
  }

  remember(kept: Kept, local: number): void {
    this.#locals.set(kept, local);
    this.#remembered.push(kept);
  }

  /** What is computed by a part of the code that does not always run is not known outside of it. */
  within(emit: () => void): void {
    const before = this.#remembered.length;
    emit();
    for (const kept of this.#remembered.splice(before)) this.#locals.delete(kept);
  }

  loop(variable: LoopVariable, emit: () => void): void {
    const before = this.#innermost;
    this.#levels.set(variable, ++this.level);
    this.#innermost = variable;
    this.within(emit);
    this.#innermost = before;
    this.#levels.delete(variable);
    this.level--;
  }

  /** Whether something in the value was not known before the innermost loop. */
  dependsOnInnermost(expr: Expr): boolean {
    return this.#innermost === undefined || expr.variables.includes(this.#innermost);
  }

  /** The level of the loop whose variable this is; lanes belong to no loop. */
  levelOf(variable: LoopVariable): number {
    return this.#levels.get(variable) ?? Infinity;
  }

  atomLevel(atom: Atom): number {
    if (atom.kind === "variable") return this.levelOf(atom);
    if (atom.kind === "quotient") return this.indexLevel(atom.of);
    return this.#exprLevel(atom.value);
  }

  indexLevel(index: Index): number {
    let level = 0;
    for (let i = 0, term = index.terms[0]; term !== undefined; term = index.terms[++i])
      level = Math.max(level, this.atomLevel(term.atom));
    return level;
  }

  #exprLevel(expr: Expr): number {
    let level = expr.volatile ? Infinity : 0;
    for (const variable of expr.variables)
      if (!this.lanes.has(variable)) level = Math.max(level, this.levelOf(variable));
    return level;
  }

  /** Whether a value stays the same within the loops deeper than `level`, and in all lanes. */
  isInvariant(expr: Expr, level: number): boolean {
    if (expr.volatile) return false;
    const { variables } = expr;
    for (let i = 0, variable = variables[0]; variable !== undefined; variable = variables[++i])
      if (this.levelOf(variable) > level) return false;
    return true;
  }

  /** The places within the loop that advance with it: where they start and by how much. */
  inductionVariables(variable: LoopVariable, body: readonly Statement[]): InductionVariable[] {
    const found = new Map<Sum, InductionVariable>();
    this.#visitAccesses(body, ({ terms }) => {
      const own = termOf(terms, variable);
      if (own === undefined) return;
      const rest: Term[] = [];
      let sum = this.#empty;
      for (let i = 0, term = terms[0]; term !== undefined; term = terms[++i]) {
        if (term !== own && !this.#isOutside(term.atom)) continue;
        if (term !== own) rest.push(term);
        sum = sum.and(term);
      }
      if (found.has(sum)) return;
      const base = this.place(rest, this.level);
      found.set(sum, { sum, local: this.code.newLocal(I32), base, step: 4 * own.factor });
    });
    return [...found.values()];
  }

  /** Whether an atom is known before the next loop begins. */
  #isOutside(atom: Atom): boolean {
    if (atom.kind === "dynamic" && this.find(atom) === undefined) return false;
    return this.atomLevel(atom) <= this.level;
  }

  /** Visits every index expression of memory accesses within the statements, those under guards included. */
  #visitAccesses(body: readonly Statement[], visit: (index: Index) => void): void {
    this.#accessesOf(body).forEach((access) => {
      if ("terms" in access) visit(access);
      else this.#visitAccesses(access.body, visit);
    });
  }

  /** The accesses of the statements themselves, and the loops among them. */
  #accessesOf(body: readonly Statement[]): ReadonlySet<Index | Loop> {
    const known = this.#accesses.get(body);
    if (known !== undefined) return known;
    const found = new Set<Index | Loop>();
    const seen = new Set<Expr>();
    const visit = (expr: Expr): void => {
      if (seen.has(expr)) return;
      seen.add(expr);
      const { children } = expr;
      for (let i = 0, other = children[0]; other !== undefined; other = children[++i]) visit(other);
      if (expr.op === "load") found.add(expr.index);
    };
    for (const statement of body) {
      if (statement.op === "loop") found.add(statement);
      else {
        visitStatement(statement, visit);
        if ("index" in statement) found.add(statement.index);
      }
    }
    this.#accesses.set(body, found);
    return found;
  }

  /** The local with 4·Σ factor·atom over the terms that are known at `level`, or undefined where there are none. */
  place(terms: readonly Term[], level: number): number | undefined {
    let sum = this.#empty;
    for (let i = 0, term = terms[0]; term !== undefined; term = terms[++i])
      if (this.#isKnown(term.atom, level)) sum = sum.and(term);
    if (sum === this.#empty) return undefined;
    return this.find(sum) ?? this.#newPlace(sum, terms, level);
  }

  #isKnown(atom: Atom, level: number): boolean {
    if (atom.kind === "variable") return this.levelOf(atom) <= level;
    return this.atomLevel(atom) <= level && this.isReady(atom);
  }

  #newPlace(sum: Sum, terms: readonly Term[], level: number): number | undefined {
    const { code } = this;
    const known = terms.filter(({ atom }) => this.#isKnown(atom, level));
    const deepest = Math.max(...known.map(({ atom }) => this.atomLevel(atom)));
    const below = known.filter(({ atom }) => this.atomLevel(atom) < deepest);
    const at = known.filter(({ atom }) => this.atomLevel(atom) === deepest);
    const stepping = at.find(({ atom }) => atom.kind === "variable");
    const steps = known.filter((term) => term === stepping || this.atomLevel(term.atom) < deepest);
    const pointer = stepping === undefined ? undefined : this.find(this.#sumOf(steps));
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
    this.remember(sum, local);
    return local;
  }

  /** Whether an index can be computed before the next loop begins, without reading memory. */
  isKnown({ terms }: Index): boolean {
    return terms.every(({ atom }) => atom.kind !== "dynamic" && this.#isKnown(atom, this.level));
  }

  #sumOf(terms: readonly Term[]): Sum {
    let sum = this.#empty;
    for (let i = 0, term = terms[0]; term !== undefined; term = terms[++i]) sum = sum.and(term);
    return sum;
  }

  isReady(atom: Atom): boolean {
    if (atom.kind === "variable") return this.#levels.has(atom);
    if (atom.kind === "quotient") return atom.of.terms.every((term) => this.isReady(term.atom));
    return this.lane?.extent === 1 || atom.value.variables.every((v) => this.#levels.has(v) || v.extent === 1);
  }

  /** Pushes 4·factor·atom. */
  scaled(atom: Atom, factor: number): void {
    this.atom(atom);
    if (factor === 1) this.code.i32(2).op(OP.i32Shl);
    else this.code.i32(4 * factor).op(OP.i32Mul);
  }

  atom(atom: Atom): void {
    const { code } = this;
    const found = this.find(atom);
    if (found !== undefined) {
      code.get(found);
      return;
    }
    if (atom.kind === "variable") throw new RangeError("a loop variable is read outside of its loop");
    if (atom.kind === "quotient") {
      this.integer(atom.of);
      code.i32(atom.by).op(OP.i32DivS);
    } else this.scalar(atom.value);
    const local = code.newLocal(I32);
    code.tee(local);
    this.remember(atom, local);
  }

  /** Pushes the value of an index, in elements, for the first lane. */
  integer(index: Index): void {
    const { code } = this;
    let any = false;
    for (const { atom, factor } of index.terms) {
      if (atom.kind === "variable" && !this.#levels.has(atom)) continue;
      this.atom(atom);
      if (factor !== 1) code.i32(factor).op(OP.i32Mul);
      if (any) code.op(OP.i32Add);
      any = true;
    }
    if (!any) code.i32(index.offset);
    else if (index.offset !== 0) code.i32(index.offset).op(OP.i32Add);
  }

  /** Pushes the byte place of an index without its lanes; returns the constant part, for the memory instruction. */
  pushPlace(array: Buffer, index: Index, shift = 0): Place {
    const { code } = this;
    const local = this.place(index.terms, this.level);
    const offset = 4 * (index.offset + shift);
    if (local === undefined) code.i32(0);
    else code.get(local);
    // The sum of place and offset does not wrap around, so a place below zero must meet the offset before.
    if (this.lowest + offset >= 0 && !this.#goesBack(index)) return { array, offset };
    code.place(array, offset).op(OP.i32Add);
    return 0;
  }

  /** Whether the place, without its lanes, can lie before the array. */
  #goesBack({ terms }: Index): boolean {
    for (let i = 0, term = terms[0]; term !== undefined; term = terms[++i])
      if (term.factor < 0 && !(term.atom.kind === "variable" && !this.#levels.has(term.atom))) return true;
    return false;
  }
}

function termOf(terms: readonly Term[], atom: Atom): Term | undefined {
  for (let i = 0, term = terms[0]; term !== undefined; term = terms[++i]) if (term.atom === atom) return term;
  return undefined;
}
