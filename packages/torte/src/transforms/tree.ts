/** Trees: what functions take and give. Arrays and plain objects, nested in any way, with nodes or tensors at the leaves. */
import { GraphError, show } from "../errors.js";
import { isNode, type Node } from "../graph/node.js";
import { Tensor } from "../tensor/tensor.js";

/** Leaves in arrays and plain objects. */
export type Tree<Leaf> = Leaf | readonly Tree<Leaf>[] | { readonly [name: string]: Tree<Leaf> };

/** The same tree with a tensor for each node; what is neither stays as it is. */
export type OnTensors<T> = T extends Node | Tensor
  ? Tensor
  : T extends (...args: never[]) => unknown
    ? T
    : T extends object
      ? { [K in keyof T]: OnTensors<T[K]> }
      : T;

/** The same tree with a node for each tensor. */
export type OnNodes<T> = T extends Node | Tensor
  ? Node
  : T extends (...args: never[]) => unknown
    ? T
    : T extends object
      ? { [K in keyof T]: OnNodes<T[K]> }
      : T;

/** The same tree, where each node may be a tensor. */
export type Mixed<T> = T extends Node | Tensor
  ? Node | Tensor
  : T extends (...args: never[]) => unknown
    ? T
    : T extends object
      ? { [K in keyof T]: Mixed<T[K]> }
      : T;

/** Where in a tree, as in JavaScript: `[0].kernel`, `["conv1d.kernel"]`. */
export type Path = readonly (string | number)[];

export const formatPath = (path: Path): string =>
  path
    .map((key) =>
      typeof key === "number" ? `[${key}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`,
    )
    .join("");

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

export type Leaf = Node | Tensor;

export const isLeaf = (value: unknown): value is Leaf => isNode(value) || value instanceof Tensor;

/** The tree with `visit` applied to each leaf, in order; everything else is kept. */
export function mapLeaves(tree: unknown, visit: (leaf: Leaf, path: Path) => unknown, path: Path = []): unknown {
  if (isLeaf(tree)) return visit(tree, path);
  if (Array.isArray(tree)) return tree.map((item, i) => mapLeaves(item, visit, [...path, i]));
  if (!isRecord(tree)) return tree;
  return Object.fromEntries(
    Object.entries(tree).map(([name, item]) => [name, mapLeaves(item, visit, [...path, name])]),
  );
}

export interface PlacedLeaf<L = Leaf> {
  readonly leaf: L;
  readonly path: Path;
}

export function leavesOf(tree: unknown): PlacedLeaf[] {
  const found: PlacedLeaf[] = [];
  mapLeaves(tree, (leaf, path) => found.push({ leaf, path }));
  return found;
}

/** The tree with its leaves replaced by these, in order. */
export function withLeaves(tree: unknown, leaves: readonly unknown[]): unknown {
  let next = 0;
  return mapLeaves(tree, () => leaves[next++]);
}

/** Equal for trees of one structure with the same values where they have no tensors. Throws for what no program can depend on. */
export function structureOf(where: string, tree: unknown, path: Path = []): string {
  if (isLeaf(tree)) return `${tree.dtype}${tree.shape.join("x")}`;
  if (Array.isArray(tree)) return `[${tree.map((item, i) => structureOf(where, item, [...path, i])).join()}]`;
  if (isRecord(tree)) {
    const entries = Object.entries(tree).map(
      ([name, item]) => `${JSON.stringify(name)}:${structureOf(where, item, [...path, name])}`,
    );
    return `{${entries.join()}}`;
  }
  if (typeof tree === "string") return JSON.stringify(tree);
  if (["number", "boolean", "undefined"].includes(typeof tree) || tree === null)
    return Object.is(tree, -0) ? "-0" : String(tree);
  throw new GraphError({
    where,
    problem: `argument${formatPath(path)} has the wrong type`,
    expected: "tensors, arrays and plain objects of them, numbers, texts, true or false",
    received: show(tree),
  });
}
