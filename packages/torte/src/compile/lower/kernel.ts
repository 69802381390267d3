/**
 * A kernel on its way to loops: what all ways of lowering share. Each of them finds the values of the primary node, and
 * `stores` adds the epilogue, the kernel's other nodes, at the same point.
 */
import type { Node } from "../../graph/node.js";
import { PRIMITIVES } from "../../graph/primitives.js";
import { sameShape } from "../../tensor/shape.js";
import { fitsVectors, type FusedProgram, type Kernel } from "../fusion/fuse.js";
import { type Buffer, type Expr, Exprs, indicesIn } from "../loops/expr.js";
import { coordinatesOf, type Index, indexOf, type LoopVariable } from "../loops/index-expr.js";
import { Inliner } from "../loops/inline.js";
import { type Statement, vectorPlaces, widthsUpTo, WIDTH } from "../loops/loops.js";
import type { LoweringTarget } from "./target.js";

export class KernelContext {
  readonly exprs = new Exprs();
  readonly inliner: Inliner;
  /** The node that decides the loops. */
  readonly primary: Node;

  constructor(
    readonly fused: FusedProgram,
    readonly kernel: Kernel,
    readonly target: LoweringTarget,
  ) {
    const [primary] = kernel.nodes;
    if (primary === undefined) throw new RangeError("a kernel computes at least one node");
    this.primary = primary;
    this.inliner = new Inliner(this.exprs, fused.storage);
  }

  bufferOf(node: Node): Buffer {
    const buffer = this.fused.storage.get(node);
    if (buffer === undefined) throw new RangeError(`${node.op} has no memory`);
    return buffer;
  }

  /**
   * All values of the kernel at one point: `given` are those that the loops have found, the others follow from them. `own`
   * are the coordinates of the point in the primary's array, where they are known.
   */
  values(linear: Index, given: ReadonlyMap<Node, Expr>, own?: readonly Index[]): Map<Node, Expr> {
    const values = new Map<Node, Expr>();
    const inliner = new Inliner(this.exprs, this.fused.storage, values, linear);
    let { shape } = this.primary;
    let coordinates = own ?? coordinatesOf(this.exprs.atoms, linear, shape);
    for (const node of this.kernel.nodes) {
      if (!sameShape(shape, node.shape)) {
        shape = node.shape;
        coordinates = coordinatesOf(this.exprs.atoms, linear, shape);
      }
      const value = given.get(node) ?? inliner.define(node, coordinates);
      values.set(node, value);
    }
    return values;
  }

  /** The stores of all kept values at one point. */
  stores(
    linear: Index,
    lane: LoopVariable,
    given: ReadonlyMap<Node, Expr> = new Map(),
    own?: readonly Index[],
  ): Statement[] {
    const values = this.values(linear, given, own);
    return this.kernel.stored.map((node) => {
      const value = values.get(node);
      if (value === undefined) throw new RangeError(`${node.op} is not computed`);
      return { op: "store", buffer: this.bufferOf(node), index: linear, value, lane };
    });
  }

  /** What the epilogue reads at one point of the result. */
  epilogueIndices(linear: Index): Index[] {
    return [...this.values(linear, this.placeholders()).values()].flatMap(indicesIn);
  }

  /** Values for reduced nodes while only the shape of the epilogue matters. */
  placeholders(): Map<Node, Expr> {
    return new Map(
      this.reductions().map((node) => [node, this.exprs.accumulator(this.exprs.newAccumulator("sum", node.dtype))]),
    );
  }

  /** Nodes that the loops of the kernel sum up, as opposed to those computed from their results. */
  reductions(): Node[] {
    return this.kernel.nodes.filter((node) => node === this.primary || PRIMITIVES[node.op].kind === "reduction");
  }

  /** Decides whether to vectorize: the most lanes that run along the last axis without decisions, or one. */
  vectorWidth(extents: readonly number[], values: (at: Index[], inner: Index) => readonly Expr[]): number {
    const last = extents.at(-1) ?? 1;
    if (last < 2) return 1;
    const at = this.anywhere(extents.slice(0, -1));
    const fits = (width: number): boolean =>
      vectorPlaces(this.exprs, last, width).every(({ at: inner, lane }) =>
        values(at, inner).every((value) => fitsVectors(value, lane)),
      );
    return widthsUpTo(this.target.width).find((width) => (width === WIDTH || width <= last) && fits(width)) ?? 1;
  }

  /** Any point of an array: a fresh variable for each axis. */
  anywhere(extents: readonly number[]): Index[] {
    return extents.map((n) => indexOf(this.exprs.atoms.variable(n)));
  }
}
