/**
 * Nodes become kernels. Each node that is kept in memory starts as a kernel of its own; then kernels whose elements
 * correspond one to one are merged, so that a product or a reduction takes the elementwise work that follows it along.
 */
import { make } from "../../graph/make.js";
import { inputOf, type Node, nodesOf, type Program, type State, type Update } from "../../graph/node.js";
import { sameShape, sizeAt, sizeOf } from "../../tensor/shape.js";
import { atOnce } from "../../turns.js";
import { type Buffer, Buffers, type Expr, Exprs, visitExpr } from "../loops/expr.js";
import {
  coordinatesOf,
  factorOf,
  dependsOn,
  indexOf,
  linearIndex,
  sameIndex,
  type Index,
  type LoopVariable,
} from "../loops/index-expr.js";
import { vectorPlaces, WIDTH } from "../loops/loops.js";
import { insertAxes, NotPointwise, Inliner } from "../loops/inline.js";
import { choosingMaterialized, sameAxes } from "./materialize.js";
import { DependencyGraph } from "./dependencies.js";

export type KernelKind = "map" | "reduce" | "contract" | "linearMap" | "scatter";

export interface Kernel {
  readonly kind: KernelKind;
  /** Nodes that the kernel computes, in order; the first decides the loops. */
  readonly nodes: readonly Node[];
  /** Those that are stored, because others read them. */
  readonly stored: readonly Node[];
}

export interface FusedProgram {
  readonly program: Program;
  readonly buffers: Buffers;
  /** In an order in which they can run. */
  readonly kernels: readonly Kernel[];
  readonly storage: ReadonlyMap<Node, Buffer>;
  readonly stateBuffers: ReadonlyMap<State, Buffer>;
}

/** Different sums that share their loops: each needs registers of its own. */
const MOST_SUMS = 3;

function kindOf(node: Node): KernelKind {
  if (node.op === "contract" || node.op === "linearMap") return node.op;
  if (node.op === "scatterAdd") return "scatter";
  return node.op === "sum" || node.op === "reduceMax" || node.op === "argmax" ? "reduce" : "map";
}

export const fuse = (program: Program): FusedProgram => atOnce(fusing(program));

/** The same, in steps. */
export function* fusing(program: Program): Generator<undefined, FusedProgram> {
  const separated = separateRoots(program);
  const builder = new KernelBuilder(separated, yield* choosingMaterialized(separated));
  yield;
  yield* builder.assignAll();
  yield* builder.mergeAll();
  return builder.finish();
}

/** Every output and update gets a node of its own that is not a bare state. */
function separateRoots(program: Program): Program {
  const taken = new Set<Node>();
  const own = (node: Node): Node => {
    const result = node.op === "state" || taken.has(node) ? make("copy", [node], {}) : node;
    taken.add(result);
    return result;
  };
  const updates = program.updates.map(({ state, value }) => ({ state, value: own(value) }));
  return { name: program.name, outputs: program.outputs.map(own), updates };
}

class KernelBuilder {
  #program: Program;
  readonly #buffers = new Buffers();
  readonly #exprs = new Exprs();
  readonly #order: Node[];
  readonly #realized: Set<Node>;
  readonly #storage = new Map<Node, Buffer>();
  readonly #stateBuffers = new Map<State, Buffer>();
  /** What each kept node reads from memory: other kept nodes and states. */
  readonly #reads = new Map<Node, Set<Node>>();
  readonly #readersOf = new Map<State, Node[]>();
  readonly #waiting = new DependencyGraph();
  readonly #updates = new Map<Node, State>();
  /** What `readElsewhere` has found. */
  readonly #elsewhere = new Map<Node, ReadonlySet<Buffer>>();
  constructor(program: Program, realized: Set<Node>) {
    this.#program = program;
    this.#realized = realized;
    this.#order = [...nodesOf(program)];
  }

  /** Gives nodes that are kept, and the new values of states, their places. */
  *assignAll(): Generator<undefined, void> {
    for (const node of this.#order) {
      if (node.op === "state") this.#storage.set(node, this.#stateBuffer(node.attributes.state));
      if (!this.#realized.has(node)) continue;
      this.#addNode(node);
      yield;
    }
    const updates: Update[] = [];
    for (const { state, value } of this.#program.updates) {
      updates.push({ state, value: this.#assign(state, value) });
      yield;
    }
    this.#program = { ...this.#program, updates };
  }

  #stateBuffer(state: State): Buffer {
    let buffer = this.#stateBuffers.get(state);
    if (buffer === undefined) {
      buffer = this.#buffers.add(state.name, state.dtype, sizeOf(state.shape));
      this.#stateBuffers.set(state, buffer);
    }
    return buffer;
  }

  #addNode(node: Node): void {
    const name = node.origin === "" ? node.op : `${node.origin}:${node.op}`;
    this.#storage.set(node, this.#buffers.add(name, node.dtype, sizeOf(node.shape)));
    this.#waiting.add(node);
    const reads = new Set<Node>();
    const stack = [...node.inputs];
    const seen = new Set<Node>();
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      if (next.op === "state" || this.#realized.has(next)) reads.add(next);
      else stack.push(...next.inputs);
    }
    this.#reads.set(node, reads);
    for (const read of reads) {
      if (read.op === "state") listIn(this.#readersOf, read.attributes.state).push(node);
      else this.#waiting.addEdge(read, node);
    }
  }

  /** Lets `value` be computed right into the state where no reader is disturbed, else by way of a copy at the end. */
  #assign(state: State, value: Node): Node {
    const buffer = this.#stateBuffer(state);
    const others = (this.#readersOf.get(state) ?? []).filter((node) => node !== value);
    const harmless =
      this.#pointwiseOn([buffer], [value]) && !this.#waiting.reaches([value], others) && !this.#updates.has(value);
    const target = harmless ? value : make("copy", [value], {});
    if (!harmless) {
      this.#realized.add(target);
      this.#order.push(target);
      this.#addNode(target);
    }
    this.#storage.set(target, buffer);
    for (const reader of this.#waiting.successors(target)) this.#elsewhere.delete(reader);
    this.#updates.set(target, state);
    for (const reader of harmless ? others : [...others, value]) this.#waiting.addEdge(reader, target);
    return target;
  }

  /** Whether nodes that share a kernel read `buffers` only at the element that they write. */
  #pointwiseOn(buffers: readonly Buffer[], nodes: readonly Node[]): boolean {
    return nodes.every((node) => {
      const elsewhere = this.#readElsewhere(node);
      return !buffers.some((buffer) => elsewhere.has(buffer));
    });
  }

  /** The arrays that a node reads at other elements than the one that it writes. */
  #readElsewhere(node: Node): ReadonlySet<Buffer> {
    const known = this.#elsewhere.get(node);
    if (known !== undefined) return known;
    const found = new Set<Buffer>();
    if (kindOf(node) === "map") {
      const point = Point.single(this.#exprs, node.shape);
      const value = new Inliner(this.#exprs, this.#storage).define(node, point.coordinates(node.shape));
      visitExpr(value, (e) => {
        if (e.op === "load" && !sameIndex(e.index, point.linear)) found.add(e.buffer);
      });
    } else {
      for (const read of this.#reads.get(node) ?? []) {
        const buffer = this.#storage.get(read);
        if (buffer !== undefined) found.add(buffer);
      }
    }
    this.#elsewhere.set(node, found);
    return found;
  }

  *mergeAll(): Generator<undefined, void> {
    this.#waiting.numberTopologically();
    yield;
    const reductions = new Map<string, Node[]>();
    for (const node of this.#order) {
      if (!this.#realized.has(node)) continue;
      if (kindOf(node) === "map") this.#mergeIntoProducer(node);
      else if (kindOf(node) === "reduce") {
        const siblings = listIn(reductions, inputOf(node, 0).shape.join());
        this.#mergeReductions(node, siblings);
        siblings.push(node);
      }
      yield;
    }
  }

  #mergeIntoProducer(node: Node): void {
    for (const read of this.#reads.get(node) ?? []) {
      const producer = this.#waiting.kernelOf(read);
      const consumer = this.#waiting.kernelOf(node);
      if (producer === undefined || consumer === undefined || producer === consumer) continue;
      if (this.#canMerge(producer, consumer)) this.#waiting.merge(producer, consumer);
    }
  }

  /** Reductions over the same axes that read the same array, such as a maximum and its position, share their loops. */
  #mergeReductions(node: Node, before: readonly Node[]): void {
    for (const sibling of before) {
      const [a, b] = [this.#waiting.kernelOf(sibling), this.#waiting.kernelOf(node)];
      if (a === undefined || b === undefined || a === b || a[0] !== sibling || !sameAxes(sibling, node)) continue;
      if (!this.#readTogether(a, node)) continue;
      if (!this.#waiting.reaches(a, b) && !this.#waiting.reaches(b, a)) this.#waiting.merge(a, b);
    }
  }

  /** Whether the reduction takes the values that the kernel's loops take, or others made of the same large array. */
  #readTogether(kernel: readonly Node[], node: Node): boolean {
    const [first] = kernel;
    if (first === undefined) return false;
    const input = inputOf(node, 0);
    if (input === inputOf(first, 0)) return true;
    const reductions = kernel.filter((other) => kindOf(other) === "reduce");
    if (reductions.length >= MOST_SUMS || [...reductions, node].some(({ op }) => op !== "sum")) return false;
    const arrays = this.#reads.get(first) ?? new Set();
    return [...(this.#reads.get(node) ?? [])].some(
      (array) => arrays.has(array) && sizeOf(array.shape) === sizeOf(input.shape),
    );
  }

  #canMerge(producer: readonly Node[], consumer: readonly Node[]): boolean {
    const [first] = producer;
    if (first === undefined || kindOf(first) === "scatter") return false;
    if (consumer.some((node) => kindOf(node) !== "map" || sizeOf(node.shape) !== sizeOf(first.shape))) return false;
    if (this.#waiting.reaches(producer, consumer, true)) return false;
    if (!this.#fitsPoint(producer, consumer)) return false;
    const all = [...producer, ...consumer];
    const states = all.flatMap((node) => this.#updates.get(node) ?? []);
    const buffers = states.map((state) => this.#stateBuffer(state));
    return buffers.length === 0 || this.#pointwiseOn(buffers, all);
  }

  /** The consumer needs the producer's values only where they are computed, and stays fit for vectors. */
  #fitsPoint(producer: readonly Node[], consumer: readonly Node[]): boolean {
    return Point.vectors(this.#exprs, producer[0]?.shape ?? []).every((point) =>
      this.#fitsAt(point, producer, consumer),
    );
  }

  #fitsAt(point: Point, producer: readonly Node[], consumer: readonly Node[]): boolean {
    const values = new Map<Node, Expr>();
    for (const node of producer)
      values.set(node, this.#exprs.accumulator(this.#exprs.newAccumulator("sum", node.dtype)));
    const reader = new Inliner(this.#exprs, this.#storage, values, point.linear);
    try {
      for (const node of consumer) {
        const value = reader.define(node, point.coordinates(node.shape));
        if (!fitsVectors(value, point.lane)) return false;
        values.set(node, value);
      }
      return true;
    } catch (error) {
      if (error instanceof NotPointwise) return false;
      throw error;
    }
  }

  finish(): FusedProgram {
    const kernels = this.#waiting.schedule(this.#order).map((nodes) => {
      const first = nodes[0];
      if (first === undefined) throw new RangeError("a kernel computes at least one node");
      const inside = new Set(nodes);
      const stored = nodes.filter(
        (node) => this.#isRoot(node) || [...this.#waiting.successors(node)].some((n) => !inside.has(n)),
      );
      return { kind: kindOf(first), nodes, stored };
    });
    return {
      program: this.#program,
      buffers: this.#buffers,
      kernels,
      storage: this.#storage,
      stateBuffers: this.#stateBuffers,
    };
  }

  #isRoot(node: Node): boolean {
    return this.#updates.has(node) || this.#program.outputs.includes(node);
  }
}

/** The list under a key, which is made where there is none. */
function listIn<K, V>(lists: Map<K, V[]>, key: K): V[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, (list = []));
  return list;
}

/** One point of a kernel's domain, symbolic; along the last axis that is longer than 1 it may be a vector. */
export class Point {
  readonly linear: Index;
  readonly lane: LoopVariable;
  readonly #exprs: Exprs;
  readonly #own: readonly Index[];
  readonly #shape: readonly number[];

  private constructor(exprs: Exprs, shape: readonly number[], own: readonly Index[], lane: LoopVariable) {
    this.#exprs = exprs;
    this.#shape = shape;
    this.#own = own;
    this.lane = lane;
    this.linear = linearIndex(own, shape);
  }

  static single(exprs: Exprs, shape: readonly number[]): Point {
    const own = shape.map((n) => indexOf(exprs.atoms.variable(n)));
    return new Point(exprs, shape, own, exprs.atoms.variable(1));
  }

  /** The ways in which vectors lie in the domain. */
  static vectors(exprs: Exprs, shape: readonly number[]): Point[] {
    const last = shape.findLastIndex((n) => n > 1);
    if (last < 0) return [Point.single(exprs, shape)];
    return vectorPlaces(exprs, sizeAt(shape, last), WIDTH).map(({ at, lane }) => {
      const own = shape.map((n, i) => (i === last ? at : indexOf(exprs.atoms.variable(n))));
      return new Point(exprs, shape, own, lane);
    });
  }

  coordinates(shape: readonly number[]): readonly Index[] {
    return sameShape(shape, this.#shape) ? this.#own : coordinatesOf(this.#exprs.atoms, this.linear, shape);
  }
}

/** Whether the lanes of a vector differ only by constant strides in memory, and never in what is computed. */
export function fitsVectors(value: Expr, lane: LoopVariable): boolean {
  let fits = true;
  visitExpr(value, (expr) => {
    if (expr.op === "guard" && expr.conditions.some(({ index }) => dependsOn(index, lane))) fits = false;
    if (
      (expr.op === "load" || expr.op === "position" || expr.op === "random") &&
      factorOf(expr.index, lane) === undefined
    )
      fits = false;
  });
  return fits;
}

/** The value that a reduction reads at the point given by the kept and the reduced coordinates. */
export function reduced(reader: Inliner, node: Node, kept: readonly Index[], over: readonly Index[]): Expr {
  if (!("axes" in node.attributes)) throw new RangeError(`${node.op} reduces nothing`);
  return reader.read(inputOf(node, 0), insertAxes(kept, node.attributes.axes, over));
}
