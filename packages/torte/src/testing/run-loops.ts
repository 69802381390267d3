/**
 * Loops carried out statement by statement in float64, before any backend has made code of them: what a lowering means can be
 * compared with the interpreter of graphs by itself. Every element that is read or written must lie within its array.
 */
import { evaluateNode } from "../backends/reference/evaluate.js";
import { emptyValues, type Values } from "../backends/reference/arrays.js";
import { evaluate } from "../backends/reference/index.js";
import { fuse, type FusedProgram } from "../compile/fusion/fuse.js";
import type { Accumulator, Buffer, Expr } from "../compile/loops/expr.js";
import type { Index, LoopVariable } from "../compile/loops/index-expr.js";
import type { LoweredKernel, Statement } from "../compile/loops/loops.js";
import { lower } from "../compile/lower/lower.js";
import { type LoweringTarget, narrowTarget } from "../compile/lower/target.js";
import { AFTER_GRADIENT, runPasses } from "../compile/pipeline.js";
import type { Node, NodeOf, Primitive, Program } from "../graph/node.js";
import { computedAs } from "../tensor/dtype.js";
import { mixKey, uniformAt } from "../tensor/random.js";
import type { Cases } from "./compare.js";

/** Of the widest vectors. */
const MOST_LANES = 16;

/** A running value in one lane of a vector, and where a maximum lies. */
interface Lane {
  value: number;
  position: number;
}

type Memory = Map<Buffer, Values>;
type Body = readonly Statement[];
type Of<Op extends Statement["op"]> = Extract<Statement, { op: Op }>;

class Run {
  readonly #memory: Memory;
  readonly #variables = new Map<LoopVariable, number>();
  readonly #accumulators = new Map<Accumulator, Lane[]>();
  /** Number of the lane at hand. */
  #lane = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  block(body: Body): void {
    for (const statement of body) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    switch (statement.op) {
      case "loop":
        for (let i = 0; i < statement.variable.extent; i++) {
          this.#variables.set(statement.variable, i);
          this.block(statement.body);
        }
        return;
      case "store":
      case "addTo": {
        this.#write(statement);
        return;
      }
      case "reset":
        for (const accumulator of statement.accumulators) this.#accumulators.set(accumulator, neutral(accumulator));
        return;
      case "restore": {
        this.#restore(statement);
        return;
      }
      case "accumulate": {
        this.#accumulate(statement);
        return;
      }
      case "merge": {
        const into = this.#lanes(statement.into);
        this.#lanes(statement.from).forEach((lane, i) => {
          into[i] = combined(statement.into, into[i] ?? lane, lane);
        });
        return;
      }
      case "combine": {
        const lanes = this.#lanes(statement.accumulator);
        const all = lanes.reduce((a, b) => combined(statement.accumulator, a, b));
        lanes.forEach((_, i) => (lanes[i] = { ...all }));
      }
    }
  }

  #restore({ accumulator, buffer, index, lane }: Of<"restore">): void {
    const lanes = neutral(accumulator);
    this.#accumulators.set(accumulator, lanes);
    this.#eachLane(lane, (i) => (lanes[i] = { value: this.#element(buffer, this.#index(index)), position: 0 }));
  }

  /** A vector is computed whole before any of it is stored. */
  #write({ op, buffer, index, value, lane }: Of<"store"> | Of<"addTo">): void {
    const results: [number, number][] = [];
    this.#eachLane(lane, () => results.push([this.#index(index), this.#value(value)]));
    const data = this.#array(buffer);
    for (const [at, result] of results) {
      const before = this.#element(buffer, at);
      data[at] = op === "addTo" ? before + result : result;
    }
  }

  #accumulate({ accumulator, values, position, lane }: Of<"accumulate">): void {
    this.#eachLane(lane, (i) => {
      const value = values.reduce((product, each) => product * this.#value(each), 1);
      const lanes = this.#lanes(accumulator);
      const next = { value, position: position === undefined ? 0 : this.#index(position) };
      lanes[i] = combined(accumulator, lanes[i] ?? next, next);
    });
  }

  #eachLane(lane: LoopVariable, visit: (lane: number) => void): void {
    for (let i = 0; i < lane.extent; i++) {
      this.#variables.set(lane, i);
      this.#lane = i;
      visit(i);
    }
  }

  #lanes(accumulator: Accumulator): Lane[] {
    const lanes = this.#accumulators.get(accumulator);
    if (lanes === undefined) throw new RangeError("an accumulator is used before it is reset");
    return lanes;
  }

  #array(buffer: Buffer): Values {
    let data = this.#memory.get(buffer);
    if (data === undefined) this.#memory.set(buffer, (data = emptyValues(buffer.dtype, buffer.size)));
    return data;
  }

  #element(buffer: Buffer, at: number): number {
    const value = this.#array(buffer)[at];
    if (value === undefined) throw new RangeError(`${buffer.name}[${at}] lies outside of ${buffer.size} elements`);
    return value;
  }

  #index({ offset, terms }: Index): number {
    let sum = offset;
    for (const { atom, factor } of terms) {
      if (atom.kind === "quotient") sum += factor * Math.floor(this.#index(atom.of) / atom.by);
      else if (atom.kind === "dynamic") sum += factor * this.#value(atom.value);
      else {
        const value = this.#variables.get(atom);
        if (value === undefined) throw new RangeError("a variable is read outside of its loop");
        sum += factor * value;
      }
    }
    return sum;
  }

  #value(expr: Expr): number {
    switch (expr.op) {
      case "number":
        return expr.value;
      case "load":
        return this.#element(expr.buffer, this.#index(expr.index));
      case "position":
        return this.#index(expr.index);
      case "random": {
        const [seed, step] = expr.args.map((arg) => this.#value(arg)) as [number, number];
        return uniformAt(mixKey(seed, expr.stream, step), this.#index(expr.index));
      }
      case "accumulator":
        return this.#lanes(expr.accumulator)[this.#lane]?.[expr.part] ?? NaN;
      case "guard": {
        const holds = expr.conditions.every(({ index, low, high, every }) => {
          const at = this.#index(index);
          return at >= low && at < high && (at - low) % every === 0;
        });
        return this.#value(holds ? expr.then : expr.otherwise);
      }
      case "apply":
        return applied(
          expr,
          expr.args.map((arg) => this.#value(arg)),
        );
    }
  }
}

const neutral = ({ kind, dtype }: Accumulator): Lane[] => {
  const least = dtype === "float32" ? -Infinity : -(2 ** 31);
  return Array.from({ length: MOST_LANES }, () => ({ value: kind === "maximum" ? least : 0, position: 0 }));
};

/** Sums add; of maxima the first one stays, and a NaN in any case. */
function combined({ kind }: Accumulator, a: Lane, b: Lane): Lane {
  if (kind !== "maximum") return { value: a.value + b.value, position: 0 };
  if (Number.isNaN(a.value) || Number.isNaN(b.value)) return { ...a, value: NaN };
  if (a.value === b.value) return { value: a.value, position: Math.min(a.position, b.position) };
  return a.value > b.value ? a : b;
}

/** The interpreter's rule for one element. */
function applied({ primitive, dtype, args }: Expr & { op: "apply" }, values: readonly number[]): number {
  const node = { op: primitive, dtype, shape: [], attributes: { dtype } } as unknown as NodeOf<Primitive>;
  const inputs = values.map((value, i) => {
    const data = emptyValues(args[i]?.dtype ?? dtype, 1);
    data[0] = value;
    return { shape: [], data };
  });
  return evaluateNode(node, inputs, new Map())[0] ?? NaN;
}

/** Kernels and the arrays that they work on. */
export interface Lowering {
  readonly fused: FusedProgram;
  readonly kernels: readonly LoweredKernel[];
}

/** The kernels of what is computed, after all passes. */
export function lowered(outputs: readonly Node[], target: LoweringTarget = narrowTarget(true)): Lowering {
  const program: Program = { name: "lowered", outputs, updates: [] };
  const fused = fuse(runPasses(program, AFTER_GRADIENT));
  return { fused, kernels: lower(fused, target, (kernel) => kernel) };
}

/** Runs the loops over the states' contents; the outputs. */
export function runLoops({ fused, kernels }: Lowering, { data }: Cases): Values[] {
  const memory: Memory = new Map();
  for (const [state, buffer] of fused.stateBuffers) {
    const values = data.get(state)?.data ?? [];
    const array = emptyValues(buffer.dtype, buffer.size);
    array.set(values);
    memory.set(buffer, array);
  }
  for (const { body, arrays } of kernels) {
    if (arrays === undefined) {
      new Run(memory).block(body);
      continue;
    }
    // The loops are those of an earlier kernel, whose arrays stand for this one's own.
    const own: Memory = new Map();
    for (const [original, mine] of arrays) {
      const array = memory.get(mine) ?? emptyValues(mine.dtype, mine.size);
      memory.set(mine, array);
      own.set(original, array);
    }
    new Run(own).block(body);
  }
  return fused.program.outputs.map((node) => {
    const buffer = fused.storage.get(node);
    const values = buffer === undefined ? undefined : memory.get(buffer);
    if (values === undefined) throw new RangeError("an output has not been computed");
    return values;
  });
}

/** What the loops give beside what the graph says, both in float64. The largest difference, measured by 1 + |value|. */
export function differenceToGraph(outputs: readonly Node[], cases: Cases, target?: LoweringTarget): number {
  const states = new Map(
    [...cases.data].map(([state, { shape, dtype, data }]) => {
      const values = emptyValues(computedAs(dtype), data.length);
      values.set(data);
      return [state, { shape, data: values }];
    }),
  );
  const expected = evaluate(outputs, states);
  let largest = 0;
  runLoops(lowered(outputs, target), cases).forEach((values, i) => {
    expected[i]?.data.forEach((value, k) => {
      const got = values[k] ?? NaN;
      if (Object.is(got, value) || got === value) return;
      const difference = Math.abs(got - value) / (1 + Math.abs(value));
      largest = Number.isNaN(difference) ? Infinity : Math.max(largest, difference);
    });
  });
  return largest;
}
