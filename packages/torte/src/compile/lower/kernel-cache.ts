/**
 * The cache of lowered kernels: kernels that are equal up to their arrays, as those of a deep network's repeated blocks, are
 * lowered and emitted once.
 */
import type { Node } from "../../graph/node.js";
import { attributesKey } from "../../graph/print.js";
import type { Buffer } from "../loops/expr.js";
import type { FusedProgram, Kernel } from "../fusion/fuse.js";
import type { KernelSummary } from "../loops/loops.js";
import { elementAt, entryOf } from "../../tensor/shape.js";

interface Lowered<K> {
  readonly kernel: K;
  readonly arrays: readonly Buffer[];
}

export class KernelCache<K extends KernelSummary> {
  readonly #fused: FusedProgram;
  readonly #lowered = new Map<string, Lowered<K>>();

  /** How many kernels have a coarse key; one that is alone with its own is like no other. */
  readonly #coarseKeys = new Map<string, number>();

  constructor(fused: FusedProgram) {
    this.#fused = fused;
    for (const kernel of fused.kernels) {
      const key = coarseKey(kernel);
      this.#coarseKeys.set(key, (this.#coarseKeys.get(key) ?? 0) + 1);
    }
  }

  /** What an earlier kernel like this one has become, with this one's arrays, or what `make` makes of it. */
  *getOrLower(kernel: Kernel, make: () => Generator<undefined, K>): Generator<undefined, K> {
    if (this.#coarseKeys.get(coarseKey(kernel)) === 1) return yield* make();
    const { key, arrays } = this.#signature(kernel);
    const known = this.#lowered.get(key);
    if (known !== undefined) return this.#like(known, kernel, arrays);
    const lowered = yield* make();
    this.#lowered.set(key, { kernel: lowered, arrays });
    return lowered;
  }

  #like({ kernel: first, arrays: firstArrays }: Lowered<K>, kernel: Kernel, arrays: readonly Buffer[]): K {
    const origin = kernel.nodes[0]?.origin ?? "";
    const own = new Map(firstArrays.map((buffer, i) => [buffer, elementAt(arrays, i)]));
    const replaced = (buffer: Buffer): Buffer => {
      const known = own.get(buffer);
      if (known !== undefined) return known;
      const part = buffer.name.slice(first.origin.length);
      const scratch = this.#fused.buffers.addScratch(`${origin}${part}`, buffer.size);
      own.set(buffer, scratch);
      return scratch;
    };
    const all = (buffers: ReadonlySet<Buffer>): Set<Buffer> => new Set([...buffers].map(replaced));
    return { ...first, origin, reads: all(first.reads), writes: all(first.writes), arrays: own };
  }

  /** All that the loops depend on, the arrays numbered in the order in which they are met. */
  #signature({ nodes, stored }: Kernel): { key: string; arrays: readonly Buffer[] } {
    const { storage } = this.#fused;
    const numbers = new Map<Node, number>();
    const arrays = new Map<Buffer, number>();
    const parts: string[] = [];
    const numberOf = (node: Node): number => {
      const known = numbers.get(node);
      if (known !== undefined) return known;
      const number = numbers.size;
      numbers.set(node, number);
      const buffer = storage.get(node);
      if (buffer !== undefined && !arrays.has(buffer)) arrays.set(buffer, arrays.size);
      const array = buffer === undefined ? "" : `@${entryOf(arrays, buffer)}${stored.includes(node) ? "!" : ""}`;
      const computed = buffer === undefined || nodes.includes(node);
      const definition = computed ? `${node.op}${attributesKey(node)} ${node.inputs.map(numberOf).join()}` : "";
      parts.push(`${number}${array} ${node.dtype} ${node.shape.join("x")} ${definition}`);
      return number;
    };
    const order = nodes.map(numberOf).join();
    return { key: [order, ...parts].join("\n"), arrays: [...arrays.keys()] };
  }
}

/** What kernels that are alike have in common and that is found without looking at what they read. */
const coarseKey = ({ nodes }: Kernel): string => nodes.map(({ op, shape }) => `${op} ${shape.join("x")}`).join();
