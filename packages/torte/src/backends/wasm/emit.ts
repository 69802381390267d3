/**
 * Loops to WebAssembly SIMD. Values are vectors of four lanes; places are byte offsets in i32 locals.
 *
 * A value or a place is computed in the loop of the innermost variable that it depends on, once. Places advance by
 * addition at the end of each round; what is constant in them goes into the offset of the memory instruction.
 */
import { type Accumulator, type Buffer, type Condition, type Expr, indicesOf, operands } from "../../compile/expr.js";
import { factorOf, type Atom, type Index, type LoopVariable } from "../../compile/index-expr.js";
import type { Loop, LoweredKernel, Statement } from "../../compile/loops.js";
import { Code, I32, LANE_MEMORY, MEMORY, OP, SIMD, V128 } from "./encoder.js";
import type { MathLibrary } from "./math.js";
import { emitApply } from "./emit-apply.js";
import { emitKey, emitUniform } from "./emit-random.js";

export interface Target {
  /** Relaxed fused multiply-add may be used. */
  readonly fma: boolean;
  /** Byte address of each buffer. */
  readonly address: (buffer: Buffer) => number;
  readonly math: MathLibrary;
}

/** Names of the parameters of a kernel function: the part of its outermost loop that it runs. */
const FROM = 0;
const TO = 1;

interface Scope {
  /** Values and places that are in locals here and in the scopes within. */
  readonly locals: Map<string, number>;
  readonly variable: LoopVariable | undefined;
}

export function emitKernel(kernel: LoweredKernel, target: Target): Code {
  return new Emitter(kernel, target).run();
}

/** The rounds that threads can share: those of all outermost loops together, or one for a kernel that cannot be shared. */
export function unitsOf(kernel: LoweredKernel): number {
  const loops = kernel.body.filter((statement) => statement.op === "loop" && statement.parallel === true);
  if (loops.length < kernel.body.length) return 1;
  return kernel.body.reduce((sum, statement) => sum + (statement.op === "loop" ? statement.variable.extent : 0), 0);
}

class Emitter {
  readonly code = new Code(2);
  readonly #kernel: LoweredKernel;
  readonly #target: Target;
  readonly #accumulators = new Map<Accumulator, { value: number; position: number }>();
  readonly #uses = new Map<Expr, number>();
  readonly #keys = new Map<string, readonly [number, number]>();
  #scopes: Scope[] = [];
  #lane: LoopVariable | undefined;

  constructor(kernel: LoweredKernel, target: Target) {
    this.#kernel = kernel;
    this.#target = target;
  }

  run(): Code {
    this.#countUses(this.#kernel.body, new Set());
    this.#scopes = [{ locals: new Map(), variable: undefined }];
    for (const expr of this.#uses.keys()) if (expr.op === "random") this.#prepareKey(expr);
    if (unitsOf(this.#kernel) > 1) this.#shared();
    else this.#block(this.#kernel.body);
    return this.code;
  }

  #prepareKey({ stream, args }: Expr & { op: "random" }): void {
    const name = `${stream} ${args[0].id} ${args[1].id}`;
    if (this.#keys.has(name)) return;
    const key = emitKey(this.code, stream, { seed: () => this.#scalar(args[0]), step: () => this.#scalar(args[1]) });
    this.#keys.set(name, key);
  }

  #countUses(body: readonly Statement[], seen: Set<Expr>): void {
    const visit = (expr: Expr): void => {
      this.#uses.set(expr, (this.#uses.get(expr) ?? 0) + 1);
      if (seen.has(expr)) return;
      seen.add(expr);
      operands(expr).forEach(visit);
      for (const index of indicesOf(expr)) dynamics(index).forEach(visit);
    };
    for (const statement of body) {
      if (statement.op === "loop") this.#countUses(statement.body, seen);
      if ("lane" in statement) this.#lanes.add(statement.lane);
      valuesOf(statement).forEach(visit);
    }
  }

  // ---- Scopes: what is known where.

  #find(key: string): number | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const local = this.#scopes[i]?.locals.get(key);
      if (local !== undefined) return local;
    }
    return undefined;
  }

  #remember(key: string, local: number): void {
    this.#scopes.at(-1)?.locals.set(key, local);
  }

  /** The level of the loop whose variable this is; lanes belong to no loop. */
  #levelOf(variable: LoopVariable): number {
    const level = this.#scopes.findIndex((scope) => scope.variable === variable);
    return level === -1 ? Infinity : level;
  }

  #atomLevel(atom: Atom): number {
    if (atom.kind === "variable") return this.#levelOf(atom);
    if (atom.kind === "quotient") return this.#indexLevel(atom.of);
    return this.#exprLevel(atom.value);
  }

  #indexLevel(index: Index): number {
    return index.terms.reduce((level, { atom }) => Math.max(level, this.#atomLevel(atom)), 0);
  }

  #exprLevel(expr: Expr): number {
    let level = hasAccumulator(expr) ? Infinity : 0;
    for (const variable of expr.variables)
      if (!this.#lanes.has(variable)) level = Math.max(level, this.#levelOf(variable));
    return level;
  }

  readonly #lanes = new Set<LoopVariable>();

  // ---- Statements.

  /** The outermost loops, of which this call runs the rounds FROM up to TO, counted through all of them. */
  #shared(): void {
    const { code } = this;
    this.#prepare(this.#kernel.body);
    let before = 0;
    for (const statement of this.#kernel.body) {
      if (statement.op !== "loop") continue;
      const [start, end] = [code.newLocal(I32), code.newLocal(I32)];
      const { extent } = statement.variable;
      const clamp = (parameter: number, to: number): void => {
        const offset = before;
        code.get(parameter).i32(offset).op(OP.i32Sub).set(to);
        code.get(to).i32(0).get(to).i32(0).op(OP.i32GtS).select().set(to);
        code.get(to).i32(extent).get(to).i32(extent).op(OP.i32LtS).select().set(to);
      };
      clamp(FROM, start);
      clamp(TO, end);
      this.#loop(statement, { start, end });
      before += extent;
    }
  }

  #block(body: readonly Statement[]): void {
    this.#prepare(body);
    for (const statement of body) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    switch (statement.op) {
      case "loop":
        this.#loop(statement);
        return;
      case "store":
        this.#lane = statement.lane;
        this.#store(statement);
        return;
      case "reset":
        for (const accumulator of statement.accumulators) this.#reset(accumulator);
        return;
      case "accumulate":
        this.#lane = statement.lane;
        this.#accumulate(statement);
        return;
      case "merge":
        this.#merge(statement.into, statement.from);
        return;
      case "combine":
        this.#combine(statement.accumulator);
        return;
      case "addTo":
        this.#lane = statement.lane;
        this.#addTo(statement);
        return;
    }
  }

  /** Computes what loops within `body` would otherwise compute again in every round. */
  #prepare(body: readonly Statement[]): void {
    const level = this.#scopes.length - 1;
    const seen = new Set<Expr>();
    const visit = (expr: Expr): void => {
      if (seen.has(expr)) return;
      seen.add(expr);
      const own = this.#exprLevel(expr);
      if (own <= level && !this.#varies(expr) && isWorthKeeping(expr)) {
        this.#keep(expr);
        return;
      }
      if (expr.op === "guard") {
        for (const { index } of expr.conditions) this.#prepareIndex(index, level);
        return;
      }
      operands(expr).forEach(visit);
      for (const index of indicesOf(expr)) {
        dynamics(index).forEach(visit);
        this.#prepareIndex(index, level);
      }
    };
    const walk = (statements: readonly Statement[], deep: boolean): void => {
      for (const statement of statements) {
        if (statement.op === "loop") walk(statement.body, true);
        else if (deep) {
          valuesOf(statement).forEach(visit);
          if ("index" in statement) this.#prepareIndex(statement.index, level);
        }
      }
    };
    walk(body, false);
  }

  #varies(expr: Expr): boolean {
    for (const variable of expr.variables) if (this.#levelOf(variable) === Infinity) return true;
    return false;
  }

  #prepareIndex(index: Index, level: number): void {
    if (
      index.terms.some(
        ({ atom }) => atom.kind !== "variable" && this.#atomLevel(atom) > level && atom.kind === "dynamic",
      )
    )
      return;
    this.#place(index, level);
  }

  #keep(expr: Expr): void {
    if (this.#find(`e${expr.id}`) !== undefined) return;
    this.value(expr);
    const local = this.code.newLocal(V128);
    this.code.set(local);
    this.#remember(`e${expr.id}`, local);
  }

  #loop({ variable, body }: Loop, range?: { start: number; end: number }): void {
    const { code } = this;
    const outer = this.#scopes.length - 1;
    const pointers = this.#pointers(variable, body, outer);
    const counter = code.newLocal(I32);
    if (range !== undefined) code.get(range.start).set(counter);
    else code.i32(0).set(counter);
    for (const { local, base, step } of pointers) {
      if (base === undefined) code.i32(0);
      else code.get(base);
      if (range !== undefined) code.get(range.start).i32(step).op(OP.i32Mul).op(OP.i32Add);
      code.set(local);
    }
    if (range !== undefined) code.get(range.start).get(range.end).op(OP.i32LtS).if();
    code.loop();
    const locals = new Map(pointers.map(({ key, local }) => [key, local]));
    locals.set(`v${variable.id}`, counter);
    this.#scopes.push({ locals, variable });
    this.#block(body);
    this.#scopes.pop();
    for (const { local, step } of pointers) code.get(local).i32(step).op(OP.i32Add).set(local);
    code.get(counter).i32(1).op(OP.i32Add).tee(counter);
    if (range !== undefined) code.get(range.end);
    else code.i32(variable.extent);
    code.op(OP.i32LtS).branchIf(0).op(OP.end);
    if (range !== undefined) code.op(OP.end);
  }

  /** The places within the loop that advance with it: where they start and by how much. */
  #pointers(
    variable: LoopVariable,
    body: readonly Statement[],
    outer: number,
  ): { key: string; local: number; base: number | undefined; step: number }[] {
    const found = new Map<string, { key: string; local: number; base: number | undefined; step: number }>();
    const visit = (index: Index): void => {
      const own = index.terms.find(({ atom }) => atom === variable);
      if (own === undefined) return;
      const rest = index.terms.filter(({ atom }) => atom !== variable && this.#atomLevelIn(atom, variable) <= outer);
      const key = placeKey([...rest, own]);
      if (found.has(key)) return;
      const base = this.#place({ offset: 0, terms: rest, key: "" }, outer);
      found.set(key, { key, local: this.code.newLocal(I32), base, step: 4 * own.factor });
    };
    eachIndex(body, visit);
    return [...found.values()];
  }

  /** Level of an atom, the variable of the loop to come counting as deeper than all. */
  #atomLevelIn(atom: Atom, coming: LoopVariable): number {
    if (atom === coming) return Infinity;
    if (atom.kind === "dynamic" && this.#find(`d${atom.id}`) === undefined) return Infinity;
    return this.#atomLevel(atom);
  }

  // ---- Places.

  /** The local with 4·Σ factor·atom over the terms that are known at `level`, or undefined where there are none. */
  #place(index: Index, level: number): number | undefined {
    const known = index.terms.filter(({ atom }) => this.#atomLevel(atom) <= level && this.#isReady(atom));
    if (known.length === 0) return undefined;
    const key = placeKey(known);
    const found = this.#find(key);
    if (found !== undefined) return found;
    const { code } = this;
    const deepest = Math.max(...known.map(({ atom }) => this.#atomLevel(atom)));
    const below = known.filter(({ atom }) => this.#atomLevel(atom) < deepest);
    const at = known.filter(({ atom }) => this.#atomLevel(atom) === deepest);
    const stepping = at.find(({ atom }) => atom.kind === "variable");
    const pointer = stepping === undefined ? undefined : this.#find(placeKey([...below, stepping]));
    let pending = pointer === undefined ? at : at.filter((term) => term !== stepping);
    let base = pointer;
    if (pointer === undefined)
      base = deepest === 0 ? undefined : this.#place({ offset: 0, terms: below, key: "" }, deepest - 1);
    if (base === undefined) {
      const [first, ...others] = pending;
      if (first === undefined) return undefined;
      this.#scaled(first.atom, first.factor);
      pending = others;
    } else code.get(base);
    for (const { atom, factor } of pending) {
      this.#scaled(atom, factor);
      code.op(OP.i32Add);
    }
    const local = code.newLocal(I32);
    code.set(local);
    this.#remember(key, local);
    return local;
  }

  #isReady(atom: Atom): boolean {
    if (atom.kind === "variable") return this.#levelOf(atom) !== Infinity;
    if (atom.kind === "quotient") return atom.of.terms.every((term) => this.#isReady(term.atom));
    return !this.#varies(atom.value) || this.#lane?.extent === 1 || this.#dynamicLevelFinite(atom.value);
  }

  #dynamicLevelFinite(value: Expr): boolean {
    for (const variable of value.variables)
      if (this.#levelOf(variable) === Infinity && !(variable.extent === 1)) return false;
    return true;
  }

  /** Pushes 4·factor·atom. */
  #scaled(atom: Atom, factor: number): void {
    this.#atom(atom);
    if (factor === 1) this.code.i32(2).op(0x74);
    else this.code.i32(4 * factor).op(OP.i32Mul);
  }

  #atom(atom: Atom): void {
    const { code } = this;
    if (atom.kind === "variable") {
      const local = this.#find(`v${atom.id}`);
      if (local === undefined) throw new RangeError("a loop variable is read outside of its loop");
      code.get(local);
      return;
    }
    const key = atom.kind === "quotient" ? `q${atom.id}` : `d${atom.id}`;
    const found = this.#find(key);
    if (found !== undefined) {
      code.get(found);
      return;
    }
    if (atom.kind === "quotient") {
      this.integer(atom.of);
      code.i32(atom.by).op(OP.i32DivS);
    } else this.#scalar(atom.value);
    const local = code.newLocal(I32);
    code.tee(local);
    this.#remember(key, local);
  }

  /** Pushes the value of an index, in elements, for the first lane. */
  integer(index: Index): void {
    const { code } = this;
    let any = false;
    for (const { atom, factor } of index.terms) {
      if (atom.kind === "variable" && this.#levelOf(atom) === Infinity) continue;
      this.#atom(atom);
      if (factor !== 1) code.i32(factor).op(OP.i32Mul);
      if (any) code.op(OP.i32Add);
      any = true;
    }
    if (!any) code.i32(index.offset);
    else if (index.offset !== 0) code.i32(index.offset).op(OP.i32Add);
  }

  /** Pushes the byte place of an index without its lanes; returns the constant part, for the memory instruction. */
  #pushPlace(buffer: Buffer, index: Index, shift = 0): number {
    const { code } = this;
    const terms = index.terms.filter(({ atom }) => !(atom.kind === "variable" && this.#levelOf(atom) === Infinity));
    const local = this.#place({ offset: 0, terms, key: "" }, this.#scopes.length - 1);
    const offset = this.#target.address(buffer) + 4 * (index.offset + shift);
    if (local === undefined) code.i32(0);
    else code.get(local);
    // The sum of place and offset does not wrap around, so a place below zero must meet the offset before.
    if (offset >= 0 && terms.every(({ factor }) => factor > 0)) return offset;
    code.i32(offset).op(OP.i32Add);
    return 0;
  }

  /** Pushes an int32 value of the first lane as a scalar. */
  #scalar(value: Expr): void {
    if (value.op === "load" && this.#find(`e${value.id}`) === undefined) {
      const offset = this.#pushPlace(value.buffer, value.index);
      this.code.loadI32(offset);
    } else if (value.op === "position") this.integer(value.index);
    else {
      this.value(value);
      this.code.extractLane(0);
    }
  }

  // ---- Values.

  /** Pushes the vector of an expression. */
  value(expr: Expr): void {
    const key = `e${expr.id}`;
    const found = this.#find(key);
    if (found !== undefined) {
      this.code.get(found);
      return;
    }
    this.#compute(expr);
    if ((this.#uses.get(expr) ?? 0) > 1 && isWorthKeeping(expr)) {
      const local = this.code.newLocal(V128);
      this.code.tee(local);
      this.#remember(key, local);
    }
  }

  #compute(expr: Expr): void {
    const { code } = this;
    switch (expr.op) {
      case "number":
        if (expr.dtype === "float32") code.float(expr.value);
        else code.words(Array<number>(4).fill(expr.dtype === "bool" ? -Number(expr.value !== 0) : expr.value));
        return;
      case "load":
        this.#load(expr.buffer, expr.index);
        return;
      case "position":
        this.#position(expr.index);
        return;
      case "random":
        emitUniform(code, this.#randomKey(expr), () => this.#position(expr.index));
        return;
      case "apply":
        emitApply(code, expr.primitive, expr.dtype, expr.args, (arg) => this.value(arg), this.#target.math);
        return;
      case "guard":
        this.#guard(expr);
        return;
      case "accumulator": {
        const registers = this.#registers(expr.accumulator);
        code.get(expr.accumulator.kind === "argmax" ? registers.position : registers.value);
        return;
      }
    }
  }

  /** The key words of a stream, which `run` has computed at the top of the function. */
  #randomKey({ stream, args }: Expr & { op: "random" }): readonly [number, number] {
    const key = this.#keys.get(`${stream} ${args[0].id} ${args[1].id}`);
    if (key === undefined) throw new RangeError("a random stream without its key");
    return key;
  }

  #laneFactor(index: Index): number {
    if (this.#lane === undefined || this.#lane.extent === 1) return 0;
    return factorOf(index, this.#lane) ?? 0;
  }

  #load(buffer: Buffer, index: Index): void {
    const { code } = this;
    const lanes = this.#lane?.extent ?? 1;
    const factor = this.#laneFactor(index);
    if (factor === 0) {
      const offset = this.#pushPlace(buffer, index);
      code.memory(MEMORY.load32Splat, offset);
      return;
    }
    if (factor === 1 && lanes !== 3) {
      const offset = this.#pushPlace(buffer, index);
      code.memory(lanes === 4 ? MEMORY.load : MEMORY.load64Zero, offset);
      return;
    }
    const first = factor === 1 ? 2 : 1;
    const start = this.#pushPlace(buffer, index);
    code.memory(first === 2 ? MEMORY.load64Zero : MEMORY.load32Zero, start);
    const kept = code.newLocal(V128);
    for (let lane = first; lane < lanes; lane++) {
      code.set(kept);
      const offset = this.#pushPlace(buffer, index, factor * lane);
      code.get(kept).laneMemory(LANE_MEMORY.load32Lane, offset, lane);
    }
  }

  #position(index: Index): void {
    const { code } = this;
    this.integer(index);
    code.simd(SIMD.i32x4Splat);
    const factor = this.#laneFactor(index);
    if (factor !== 0) code.words([0, factor, 2 * factor, 3 * factor]).simd(SIMD.i32x4Add);
  }

  #guard(expr: Expr & { op: "guard" }): void {
    const { code } = this;
    expr.conditions.forEach((condition, i) => {
      this.#condition(condition);
      if (i > 0) code.op(OP.i32And);
    });
    code.if(V128);
    this.#inBranch(() => this.value(expr.then));
    code.op(OP.else);
    this.#inBranch(() => this.value(expr.otherwise));
    code.op(OP.end);
  }

  /** What is computed in a branch is not known outside of it. */
  #inBranch(emit: () => void): void {
    const level = this.#scopes.length - 1;
    const current = this.#scopes[level];
    if (current === undefined) throw new RangeError("no scope");
    this.#scopes[level] = { variable: current.variable, locals: new Map(current.locals) };
    emit();
    this.#scopes[level] = current;
  }

  #condition({ index, low, high, every }: Condition): void {
    const { code } = this;
    this.integer(index);
    const at = code.newLocal(I32);
    if (low !== 0) code.i32(low).op(OP.i32Sub);
    code
      .tee(at)
      .i32(high - low)
      .op(OP.i32LtU);
    if (every > 1) code.get(at).i32(every).op(OP.i32RemS).op(OP.i32Eqz).op(OP.i32And);
  }

  // ---- Stores and accumulators.

  #store({ buffer, index, value, lane }: Statement & { op: "store" }): void {
    const { code } = this;
    const factor = this.#laneFactor(index);
    if (factor === 1 && lane.extent === 4) {
      const offset = this.#pushPlace(buffer, index);
      this.value(value);
      code.memory(MEMORY.store, offset);
      return;
    }
    this.value(value);
    const kept = code.newLocal(V128);
    code.set(kept);
    let done = 0;
    if (factor === 1 && lane.extent >= 2) {
      const offset = this.#pushPlace(buffer, index);
      code.get(kept).laneMemory(LANE_MEMORY.store64Lane, offset, 0);
      done = 2;
    }
    for (; done < lane.extent; done++) {
      const offset = this.#pushPlace(buffer, index, factor * done);
      code.get(kept).laneMemory(LANE_MEMORY.store32Lane, offset, done);
    }
  }

  #addTo(statement: Statement & { op: "addTo" }): void {
    const { code } = this;
    this.#load(statement.buffer, statement.index);
    this.value(statement.value);
    code.simd(SIMD.f32x4Add);
    const sum = code.newLocal(V128);
    code.set(sum);
    const { lane } = statement;
    if (this.#laneFactor(statement.index) === 1 && lane.extent === 4) {
      const offset = this.#pushPlace(statement.buffer, statement.index);
      code.get(sum).memory(MEMORY.store, offset);
      return;
    }
    for (let i = 0; i < lane.extent; i++) {
      const offset = this.#pushPlace(statement.buffer, statement.index, i);
      code.get(sum).laneMemory(LANE_MEMORY.store32Lane, offset, i);
    }
  }

  #registers(accumulator: Accumulator): { value: number; position: number } {
    let registers = this.#accumulators.get(accumulator);
    if (registers === undefined) {
      const value = this.code.newLocal(V128);
      registers = { value, position: accumulator.kind === "argmax" ? this.code.newLocal(V128) : value };
      this.#accumulators.set(accumulator, registers);
    }
    return registers;
  }

  #neutral(accumulator: Accumulator): void {
    const { code } = this;
    if (accumulator.kind === "sum" || accumulator.kind === "product") code.words([0, 0, 0, 0]);
    else if (accumulator.dtype === "float32") code.float(-Infinity);
    else code.words(Array<number>(4).fill(-0x80000000));
  }

  #reset(accumulator: Accumulator): void {
    const { value, position } = this.#registers(accumulator);
    this.#neutral(accumulator);
    this.code.set(value);
    if (accumulator.kind === "argmax") this.code.words([0, 0, 0, 0]).set(position);
  }

  #accumulate({ accumulator, values, position, lane }: Statement & { op: "accumulate" }): void {
    const { code } = this;
    const registers = this.#registers(accumulator);
    const [a, b] = values;
    if (a === undefined) throw new RangeError("nothing to accumulate");
    if (accumulator.kind === "product" && b !== undefined) {
      this.#accumulateProduct(registers.value, a, b, accumulator.across ? lane.extent : 4);
      return;
    }
    this.value(a);
    if (accumulator.across && lane.extent < 4) this.#blankLanes(accumulator, lane.extent);
    if (accumulator.kind === "sum") {
      code
        .get(registers.value)
        .simd(accumulator.dtype === "float32" ? SIMD.f32x4Add : SIMD.i32x4Add)
        .set(registers.value);
    } else if (accumulator.kind === "reduceMax") {
      code
        .get(registers.value)
        .simd(accumulator.dtype === "float32" ? SIMD.f32x4Max : SIMD.i32x4MaxS)
        .set(registers.value);
    } else if (position !== undefined) this.#accumulateArgmax(accumulator, position);
  }

  /** Lanes that are not in use must not count. */
  #blankLanes(accumulator: Accumulator, lanes: number): void {
    this.#neutral(accumulator);
    this.code.words(lanesInUse(lanes)).simd(SIMD.bitselect);
  }

  #accumulateProduct(register: number, a: Expr, b: Expr, lanes: number): void {
    const { code } = this;
    this.value(a);
    if (lanes < 4) code.words(lanesInUse(lanes)).simd(SIMD.and);
    this.value(b);
    if (this.#target.fma) code.get(register).simd(SIMD.f32x4RelaxedMadd).set(register);
    else code.simd(SIMD.f32x4Mul).get(register).simd(SIMD.f32x4Add).set(register);
  }

  #accumulateArgmax(accumulator: Accumulator, position: Index): void {
    const { code } = this;
    const { value: best, position: at } = this.#registers(accumulator);
    const [candidate, greater] = [code.newLocal(V128), code.newLocal(V128)];
    code
      .tee(candidate)
      .get(best)
      .simd(accumulator.dtype === "float32" ? SIMD.f32x4Gt : SIMD.i32x4GtS)
      .set(greater);
    this.#position(position);
    code.get(at).get(greater).simd(SIMD.bitselect).set(at);
    code.get(candidate).get(best).get(greater).simd(SIMD.bitselect).set(best);
  }

  #merge(into: Accumulator, from: Accumulator): void {
    const { code } = this;
    const [a, b] = [this.#registers(into), this.#registers(from)];
    code.get(a.value).get(b.value).simd(combineOp(into)).set(a.value);
  }

  /** Lanes are combined in pairs, then the pairs: (0 ∘ 2) ∘ (1 ∘ 3). */
  #combine(accumulator: Accumulator): void {
    const { code } = this;
    const { value, position } = this.#registers(accumulator);
    for (const lanes of [
      [2, 3, 0, 1],
      [1, 0, 3, 2],
    ]) {
      if (accumulator.kind !== "argmax") {
        code.get(value).get(value).get(value).shuffle(lanes).simd(combineOp(accumulator)).set(value);
        continue;
      }
      const [otherValue, otherPosition, better] = [code.newLocal(V128), code.newLocal(V128), code.newLocal(V128)];
      const float = accumulator.dtype === "float32";
      code.get(value).get(value).shuffle(lanes).set(otherValue);
      code.get(position).get(position).shuffle(lanes).set(otherPosition);
      code
        .get(otherValue)
        .get(value)
        .simd(float ? SIMD.f32x4Gt : SIMD.i32x4GtS);
      code
        .get(otherValue)
        .get(value)
        .simd(float ? SIMD.f32x4Eq : SIMD.i32x4Eq);
      code.get(otherPosition).get(position).simd(SIMD.i32x4LtS).simd(SIMD.and).simd(SIMD.or).set(better);
      code.get(otherValue).get(value).get(better).simd(SIMD.bitselect).set(value);
      code.get(otherPosition).get(position).get(better).simd(SIMD.bitselect).set(position);
    }
  }
}

const lanesInUse = (lanes: number): number[] => [0, 1, 2, 3].map((lane) => (lane < lanes ? -1 : 0));

function combineOp({ kind, dtype }: Accumulator): number {
  if (kind === "reduceMax") return dtype === "float32" ? SIMD.f32x4Max : SIMD.i32x4MaxS;
  return dtype === "float32" ? SIMD.f32x4Add : SIMD.i32x4Add;
}

/** Constants are as cheap as locals, and finished accumulators are locals. */
const isWorthKeeping = (expr: Expr): boolean => expr.op !== "number" && expr.op !== "accumulator";

function hasAccumulator(expr: Expr): boolean {
  return expr.op === "accumulator" || operands(expr).some(hasAccumulator);
}

function valuesOf(statement: Statement): readonly Expr[] {
  if (statement.op === "store" || statement.op === "addTo") return [statement.value, ...dynamics(statement.index)];
  return statement.op === "accumulate" ? statement.values : [];
}

function dynamics(index: Index): Expr[] {
  return index.terms.flatMap(({ atom }) => {
    if (atom.kind === "dynamic") return [atom.value];
    return atom.kind === "quotient" ? dynamics(atom.of) : [];
  });
}

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
