/**
 * Loops to WebAssembly SIMD. Values are vectors of four lanes; places are byte offsets in i32 locals.
 *
 * A value or a place is computed in the loop of the innermost variable that it depends on, once. Places advance by
 * addition at the end of each round; what is constant in them goes into the offset of the memory instruction.
 */
import type { Expr } from "../../compile/loops/expr.js";
import type { Index } from "../../compile/loops/index-expr.js";
import {
  type Loop,
  type LoweredKernel,
  type Statement,
  iterationsOf,
  visitStatement,
} from "../../compile/loops/loops.js";
import { type Code, I32, OP, V128, type WasmModule } from "./encoder.js";
import type { MathLibrary } from "./math.js";
import { emitApply } from "./emit-apply.js";
import { emitKey, emitUniform } from "./emit-random.js";
import { Accumulators } from "./accumulators.js";
import { Conditions } from "./conditions.js";
import { iterationsIn, type Range, withinIteration } from "./iteration-range.js";
import { VectorAccess } from "./vector-access.js";
import { Addresses } from "./addresses.js";

export interface Target {
  /** Relaxed fused multiply-add may be used. */
  readonly fma: boolean;
  /** No array lies below this address. */
  readonly lowest: number;
  readonly module: WasmModule;
  readonly math: MathLibrary;
}

/** The parameters of a kernel's function. */
const GIVEN: Range = { from: 0, to: 1 };

/** The code of a kernel, which leaves open where its arrays lie. */
export function emitKernel(kernel: LoweredKernel, target: Target): Code {
  return new Emitter(kernel, target).run();
}

class Emitter {
  readonly code: Code;
  readonly #kernel: LoweredKernel;
  readonly #target: Target;
  readonly #addresses: Addresses;
  readonly #access: VectorAccess;
  readonly #conditions: Conditions;
  readonly #accumulators: Accumulators;
  readonly #uses = new Map<Expr, number>();
  /** Whether there are values that depend on no loop. */
  #anyFixed = false;
  readonly #keys = new Map<string, readonly [number, number]>();

  constructor(kernel: LoweredKernel, target: Target) {
    this.#kernel = kernel;
    this.#target = target;
    this.code = target.module.newCode(2);
    this.#addresses = new Addresses(this.code, target.lowest, (value) => this.#scalar(value));
    this.#access = new VectorAccess(this.code, this.#addresses, (value) => this.value(value));
    this.#conditions = new Conditions(this.code, this.#addresses, this.#access);
    this.#accumulators = new Accumulators(
      this.code,
      target.fma,
      (value) => this.value(value),
      (index) => this.#access.position(index),
    );
  }

  run(): Code {
    this.#countUses(this.#kernel.body);
    for (const expr of this.#uses.keys()) if (expr.op === "random") this.#hoistKey(expr);
    if (iterationsOf(this.#kernel.body) > 1) this.#parallel(this.#kernel.body, GIVEN);
    else this.#block(this.#kernel.body);
    return this.code;
  }

  #hoistKey({ stream, args }: Expr & { op: "random" }): void {
    const name = `${stream} ${args[0].id} ${args[1].id}`;
    if (this.#keys.has(name)) return;
    const key = emitKey(this.code, stream, { seed: () => this.#scalar(args[0]), step: () => this.#scalar(args[1]) });
    this.#keys.set(name, key);
  }

  #countUses(body: readonly Statement[]): void {
    const visit = (expr: Expr): void => {
      const before = this.#uses.get(expr) ?? 0;
      this.#uses.set(expr, before + 1);
      if (before > 0) return;
      if (expr.variables.length === 0 && !expr.volatile && isWorthKeeping(expr)) this.#anyFixed = true;
      const { children } = expr;
      for (let i = 0, other = children[0]; other !== undefined; other = children[++i]) visit(other);
    };
    for (const statement of body) {
      if (statement.op === "loop") this.#countUses(statement.body);
      if ("lane" in statement) this.#addresses.lanes.add(statement.lane);
      visitStatement(statement, visit);
    }
  }

  // ---- Statements.

  /** Parallel loops, of which the rounds that are given run, counted through all of them and those within them. */
  #parallel(body: readonly Statement[], { from, to }: Range): void {
    const { code } = this;
    this.#hoist(body);
    let before = 0;
    for (const statement of body) {
      if (statement.op !== "loop") continue;
      const within = iterationsOf(statement.body);
      const iterations = statement.variable.extent * within;
      const part = { from: code.newLocal(I32), to: code.newLocal(I32) };
      const clamped = (bound: number, local: number): void => {
        code.get(bound).i32(before).op(OP.i32Sub).set(local);
        code.get(local).i32(0).get(local).i32(0).op(OP.i32GtS).select().set(local);
        code.get(local).i32(iterations).get(local).i32(iterations).op(OP.i32LtS).select().set(local);
      };
      clamped(from, part.from);
      clamped(to, part.to);
      this.#loop(statement, { part, within });
      before += iterations;
    }
  }

  #block(body: readonly Statement[]): void {
    this.#hoist(body);
    for (const statement of body) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    const { code } = this;
    switch (statement.op) {
      case "loop":
        this.#loop(statement);
        return;
      case "store":
        this.#addresses.lane = statement.lane;
        this.#access.store(statement);
        return;
      case "reset":
        for (const accumulator of statement.accumulators) this.#accumulators.reset(accumulator);
        return;
      case "restore":
        this.#addresses.lane = statement.lane;
        this.#access.load(statement.buffer, statement.index);
        code.set(this.#accumulators.registers(statement.accumulator).value);
        return;
      case "accumulate":
        this.#addresses.lane = statement.lane;
        this.#accumulators.accumulate(statement);
        return;
      case "merge":
        this.#accumulators.merge(statement.into, statement.from);
        return;
      case "combine":
        this.#accumulators.combine(statement.accumulator);
        return;
      case "addTo":
        this.#addresses.lane = statement.lane;
        this.#access.addTo(statement);
        return;
    }
  }

  /** Computes what loops within `body` would otherwise compute again in every round. */
  #hoist(body: readonly Statement[]): void {
    const { level } = this.#addresses;
    // Before the first loop, only what depends on none can be known.
    if (level === 0 && !this.#anyFixed) return;
    const seen = new Set<Expr | Index>();
    const prepareIndex = (index: Index): void => {
      if (seen.has(index)) return;
      seen.add(index);
      this.#hoistIndex(index, level);
    };
    const visit = (expr: Expr): void => {
      if (!isWorthKeeping(expr) || !this.#addresses.dependsOnInnermost(expr) || seen.has(expr)) return;
      seen.add(expr);
      if (this.#addresses.isInvariant(expr, level)) {
        this.#keep(expr);
        return;
      }
      const { children, indices } = expr;
      if (expr.op !== "guard")
        for (let i = 0, other = children[0]; other !== undefined; other = children[++i]) visit(other);
      for (let i = 0, index = indices[0]; index !== undefined; index = indices[++i]) prepareIndex(index);
      if (expr.op === "guard" && indices.every((index) => this.#addresses.isKnown(index)))
        this.#conditions.hoist(expr.conditions);
    };
    const walk = (statements: readonly Statement[], deep: boolean): void => {
      for (const statement of statements) {
        if (statement.op === "loop") walk(statement.body, true);
        else if (deep) {
          visitStatement(statement, visit);
          if ("index" in statement) prepareIndex(statement.index);
        }
      }
    };
    walk(body, false);
  }

  #hoistIndex(index: Index, level: number): void {
    const { terms } = index;
    for (let i = 0, term = terms[0]; term !== undefined; term = terms[++i])
      if (term.atom.kind === "dynamic" && this.#addresses.atomLevel(term.atom) > level) return;
    this.#addresses.place(terms, level);
  }

  #keep(expr: Expr): void {
    if (this.#addresses.find(expr) !== undefined) return;
    this.value(expr);
    const local = this.code.newLocal(V128);
    this.code.set(local);
    this.#addresses.remember(expr, local);
  }

  /** All rounds, or those in which some of the `part` lies, of which each round has as many as there are `within` it. */
  #loop({ variable, body }: Loop, shared?: { part: Range; within: number }): void {
    const { code } = this;
    const range = shared === undefined ? undefined : iterationsIn(code, shared);
    const pointers = this.#addresses.inductionVariables(variable, body);
    const counter = code.newLocal(I32);
    if (range !== undefined) code.get(range.from).set(counter);
    else code.i32(0).set(counter);
    for (const { local, base, step } of pointers) {
      if (base === undefined) code.i32(0);
      else code.get(base);
      if (range !== undefined) code.get(range.from).i32(step).op(OP.i32Mul).op(OP.i32Add);
      code.set(local);
    }
    if (range !== undefined) code.get(range.from).get(range.to).op(OP.i32LtS).if();
    code.loop();
    this.#addresses.loop(variable, () => {
      for (const { sum, local } of pointers) this.#addresses.remember(sum, local);
      this.#addresses.remember(variable, counter);
      if (shared === undefined || shared.within === 1) this.#block(body);
      else this.#parallel(body, withinIteration(this.code, shared, counter));
    });
    for (const { local, step } of pointers) code.get(local).i32(step).op(OP.i32Add).set(local);
    code.get(counter).i32(1).op(OP.i32Add).tee(counter);
    if (range !== undefined) code.get(range.to);
    else code.i32(variable.extent);
    code.op(OP.i32LtS).branchIf(0).op(OP.end);
    if (range !== undefined) code.op(OP.end);
  }

  /** Pushes an int32 value of the first lane as a scalar. */
  #scalar(value: Expr): void {
    if (value.op === "load" && this.#addresses.find(value) === undefined) {
      const place = this.#addresses.pushPlace(value.buffer, value.index);
      this.code.loadI32(place);
    } else if (value.op === "position") this.#addresses.integer(value.index);
    else {
      this.value(value);
      this.code.extractLane(0);
    }
  }
  // ---- Values.

  /** Pushes the vector of an expression. */
  value(expr: Expr): void {
    const found = this.#addresses.find(expr);
    if (found !== undefined) {
      this.code.get(found);
      return;
    }
    this.#compute(expr);
    if ((this.#uses.get(expr) ?? 0) > 1 && isWorthKeeping(expr)) {
      const local = this.code.newLocal(V128);
      this.code.tee(local);
      this.#addresses.remember(expr, local);
    }
  }

  /** Whether a value is asked for once only, and not known yet. */
  #isOwn(expr: Expr): boolean {
    return (this.#uses.get(expr) ?? 0) <= 1 && this.#addresses.find(expr) === undefined;
  }

  #compute(expr: Expr): void {
    const { code } = this;
    switch (expr.op) {
      case "number":
        if (expr.dtype === "float32") code.float(expr.value);
        else code.splat(expr.dtype === "bool" ? -Number(expr.value !== 0) : expr.value);
        return;
      case "load":
        this.#access.load(expr.buffer, expr.index);
        return;
      case "position":
        this.#access.position(expr.index);
        return;
      case "random":
        emitUniform(code, this.#randomKey(expr), () => this.#access.position(expr.index));
        return;
      case "apply":
        emitApply(expr.primitive, {
          code,
          args: expr.args,
          dtype: expr.dtype,
          push: (arg) => this.value(arg),
          isOwn: (arg) => this.#isOwn(arg),
          math: this.#target.math,
        });
        return;
      case "guard":
        this.#guard(expr);
        return;
      case "accumulator":
        this.#accumulators.push(expr.accumulator, expr.part);
        return;
    }
  }

  /** The key words of a stream, which `run` has computed at the top of the function. */
  #randomKey({ stream, args }: Expr & { op: "random" }): readonly [number, number] {
    const key = this.#keys.get(`${stream} ${args[0].id} ${args[1].id}`);
    if (key === undefined) throw new RangeError("a random stream without its key");
    return key;
  }

  #guard(expr: Expr & { op: "guard" }): void {
    const { code } = this;
    this.#conditions.push(expr.conditions);
    code.if(V128);
    this.#addresses.within(() => this.value(expr.then));
    code.op(OP.else);
    this.#addresses.within(() => this.value(expr.otherwise));
    code.op(OP.end);
  }
}

/** Constants are as cheap as locals, and finished accumulators are locals. */
const isWorthKeeping = (expr: Expr): boolean => expr.op !== "number" && expr.op !== "accumulator";
