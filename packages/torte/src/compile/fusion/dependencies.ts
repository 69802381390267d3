/** The dependency graph of kernels while nodes are merged into them, and their topological order. */
import type { Node } from "../../graph/node.js";
import { entryOf } from "../../tensor/shape.js";

export class DependencyGraph {
  /** Edges: what has to wait for each node. */
  readonly #successors = new Map<Node, Set<Node>>();
  readonly #kernelOf = new Map<Node, Node[]>();
  /** Topological numbers; and for each number the smallest one in the same kernel, which prunes the search of `reaches`. */
  readonly #numbers = new Map<Node, number>();
  readonly #lowest: number[] = [];

  /** A kernel of its own. */
  add(node: Node): void {
    this.#kernelOf.set(node, [node]);
    this.#successors.set(node, new Set());
  }

  addEdge(first: Node, then: Node): void {
    this.#successors.get(first)?.add(then);
  }

  successors(node: Node): ReadonlySet<Node> {
    return this.#successors.get(node) ?? NOTHING;
  }

  kernelOf(node: Node): readonly Node[] | undefined {
    return this.#kernelOf.get(node);
  }

  merge(producer: readonly Node[], consumer: readonly Node[]): void {
    const merged = [...producer, ...consumer];
    for (const node of merged) this.#kernelOf.set(node, merged);
    const numbers = merged.map((node) => this.#numbers.get(node) ?? 0);
    const first = Math.min(...numbers);
    for (let i = Math.max(...numbers); i > first; i--) this.#lowest[i] = Math.min(first, this.#lowest[i] ?? i);
  }

  /** Whether `to` has to wait for `from`; with `between`, for a third kernel that has to wait for `from`. */
  reaches(from: readonly Node[], to: readonly Node[], between = false): boolean {
    const last = Math.max(...to.map((node) => this.#numbers.get(node) ?? Infinity));
    const seen = new Set<Node>(from);
    const stack: Node[] = [];
    for (const node of from)
      for (const next of this.successors(node)) if (!between || !to.includes(next)) stack.push(next);
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (seen.has(node)) continue;
      if (to.includes(node)) return true;
      if (this.#lowestReachable(node) > last) continue;
      for (const member of this.#kernelOf.get(node) ?? [node]) {
        seen.add(member);
        for (const next of this.successors(member)) stack.push(next);
      }
    }
    return false;
  }

  /** The smallest topological number that a kernel which has to wait for the node can contain. */
  #lowestReachable(node: Node): number {
    let number = this.#numbers.get(node) ?? -1;
    for (let first = this.#lowest[number]; first !== undefined && first < number; first = this.#lowest[number])
      number = first;
    return number;
  }

  /**
   * Numbers the nodes topologically (Kahn's algorithm, with a stack), to be called when all are there and none are merged.
   * What has become ready last comes next, so that nodes which will be merged have numbers close to each other.
   */
  numberTopologically(): void {
    const waiting = new Map<Node, number>();
    for (const after of this.#successors.values())
      for (const node of after) waiting.set(node, (waiting.get(node) ?? 0) + 1);
    const ready = [...this.#successors.keys()].filter((node) => !waiting.has(node)).reverse();
    for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
      this.#lowest.push(this.#numbers.size);
      this.#numbers.set(node, this.#numbers.size);
      for (const next of this.successors(node)) {
        const left = entryOf(waiting, next) - 1;
        waiting.set(next, left);
        if (left === 0) ready.push(next);
      }
    }
  }

  /** Kernels after all that they wait for, otherwise in the order of the graph; members in the order of their needs. */
  schedule(order: readonly Node[]): Node[][] {
    const position = new Map(order.map((node, i) => [node, i]));
    const groups = [...new Set(this.#kernelOf.values())];
    const ranks = new Map(groups.map((group) => [group, Math.max(...group.map((node) => entryOf(position, node)))]));
    const rank = (group: Node[]): number => entryOf(ranks, group);
    const waiting = new Map<readonly Node[], number>(groups.map((group) => [group, 0]));
    const next = new Map(groups.map((group) => [group, this.#groupsAfter(group)]));
    for (const after of next.values()) for (const group of after) waiting.set(group, entryOf(waiting, group) + 1);
    const ready = groups.filter((group) => waiting.get(group) === 0).sort((a, b) => rank(b) - rank(a));
    const result: Node[][] = [];
    for (let group = ready.pop(); group !== undefined; group = ready.pop()) {
      const [first, ...rest] = group;
      if (first !== undefined)
        result.push([first, ...rest.sort((a, b) => entryOf(position, a) - entryOf(position, b))]);
      for (const after of entryOf(next, group)) {
        const left = entryOf(waiting, after) - 1;
        waiting.set(after, left);
        if (left === 0) insertByRank(ready, after, rank);
      }
    }
    if (result.length !== groups.length) throw new RangeError("fused kernels wait for each other");
    return result;
  }

  #groupsAfter(group: readonly Node[]): Set<Node[]> {
    const after = new Set<Node[]>();
    for (const node of group) {
      for (const next of this.successors(node)) {
        const other = this.#kernelOf.get(next);
        if (other !== undefined && other !== group) after.add(other);
      }
    }
    return after;
  }
}

const NOTHING: ReadonlySet<Node> = new Set();

function insertByRank(ready: Node[][], group: Node[], rank: (group: Node[]) => number): void {
  const at = ready.findIndex((other) => rank(other) < rank(group));
  ready.splice(at === -1 ? ready.length : at, 0, group);
}
