/** Sequences as sets of k-mers: similarity (Jaccard), all pairs that are alike, and clusters of them. */
import { checkOptions, numberIn, positiveInteger } from "../errors.js";

/** Options of {@link kmerSets}. */
export interface KmerOptions {
  /** Letters in a k-mer. Default: as many as make chance matches rare, 5 for proteins and 11 for DNA. */
  readonly k?: number;
}

/** Options of {@link clusterSequences}. */
export interface ClusterOptions extends KmerOptions {
  /**
   * Share of letters that are the same, as estimated from the k-mers (Mash: identity ≈ (2j / (1 + j))^(1/k) of the Jaccard
   * similarity j). Sequences that are at least so much alike come into one cluster. Above 0, at most 1; default 0.7.
   */
  readonly identity?: number;
}

/** Of each sequence its different k-mers, as numbers in ascending order; rare k-mers have small numbers. */
export interface KmerSets {
  readonly k: number;
  /** Sequence i has the k-mers from `offsets[i]` up to `offsets[i + 1]`. */
  readonly offsets: Int32Array;
  readonly kmers: Int32Array;
  /** How many different k-mers there are. */
  readonly count: number;
}

/** Distinct k-mers by chance: with as many, two proteins of 200 letters share less than one in a hundred. */
const SPACE = 3e6;

/** The default k: the letters that are common to the power of k are at least 3 million. */
export function defaultK(sequences: readonly string[]): number {
  const counts = new Map<number, number>();
  let all = 0;
  for (const sequence of sequences.slice(0, 2000))
    for (let i = 0; i < sequence.length; i++, all++) {
      const letter = sequence.charCodeAt(i);
      counts.set(letter, (counts.get(letter) ?? 0) + 1);
    }
  const common = [...counts.values()].filter((count) => count >= 0.005 * all).length;
  return Math.min(31, Math.max(3, Math.ceil(Math.log(SPACE) / Math.log(Math.max(2, common)))));
}

/** Sets of k-mers; a sequence of fewer than k letters has none. */
export function kmerSets(sequences: readonly string[], options: KmerOptions = {}): KmerSets {
  checkOptions("kmerSets", options, ["k"]);
  const k = positiveInteger("kmerSets", "k", options.k ?? defaultK(sequences));
  const starts = Int32Array.from({ length: sequences.length + 1 });
  sequences.forEach(({ length }, i) => {
    starts[i + 1] = (starts[i] ?? 0) + Math.max(0, length - k + 1);
  });
  const { names, count } = nameKmers(sequences, k, starts);
  const ranks = rareFirst(names, count);
  const offsets = new Int32Array(sequences.length + 1);
  let end = 0;
  for (let s = 0; s < sequences.length; s++) {
    const own = names.subarray(starts[s], starts[s + 1]);
    for (let i = 0; i < own.length; i++) own[i] = ranks[own[i] ?? 0] ?? 0;
    own.sort();
    for (let i = 0; i < own.length; i++) if (i === 0 || own[i] !== own[i - 1]) names[end++] = own[i] ?? 0;
    offsets[s + 1] = end;
  }
  return { k, offsets, kmers: names.slice(0, end), count };
}

/** A number for each k-mer, the same for the same letters: exact, for any alphabet. */
function nameKmers(sequences: readonly string[], k: number, starts: Int32Array): { names: Int32Array; count: number } {
  const codes = new Int32Array(65_536).fill(-1);
  let letters = 0;
  for (const sequence of sequences)
    for (let i = 0; i < sequence.length; i++) {
      const letter = sequence.charCodeAt(i);
      if (codes[letter] === -1) codes[letter] = letters++;
    }
  const keys = new Float64Array(starts.at(-1) ?? 0);
  let size = 1;
  for (let d = 0; d < k; d++) {
    if (size * letters >= 2 ** 53) {
      const { names, count } = rename(keys);
      keys.set(names);
      size = count;
    }
    let at = 0;
    for (const sequence of sequences)
      for (let i = d; i + k - d <= sequence.length; i++, at++)
        keys[at] = (keys[at] ?? 0) * letters + (codes[sequence.charCodeAt(i)] ?? 0);
    size *= letters;
  }
  return rename(keys);
}

/** Equal keys become equal numbers from 0. Open addressing. */
function rename(keys: Float64Array): { names: Int32Array; count: number } {
  const capacity = 2 ** Math.ceil(Math.log2(2 * keys.length + 2));
  const table = new Int32Array(capacity).fill(-1);
  const known = new Float64Array(keys.length);
  const names = new Int32Array(keys.length);
  let count = 0;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] ?? 0;
    let slot = (Math.imul(key | 0, 0x9e3779b1) ^ Math.imul((key / 2 ** 32) | 0, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & (capacity - 1);
    let name = table[slot] ?? -1;
    while (name >= 0 && known[name] !== key) {
      slot = (slot + 1) & (capacity - 1);
      name = table[slot] ?? -1;
    }
    if (name < 0) {
      name = count++;
      table[slot] = name;
      known[name] = key;
    }
    names[i] = name;
  }
  return { names, count };
}

/** Of each name its rank when the rarest is first. */
function rareFirst(names: Int32Array, count: number): Int32Array {
  const often = new Int32Array(count);
  for (const name of names) often[name] = (often[name] ?? 0) + 1;
  const most = often.reduce((a, b) => Math.max(a, b), 0);
  const next = new Int32Array(most + 2);
  for (const times of often) next[times + 1] = (next[times + 1] ?? 0) + 1;
  for (let i = 1; i < next.length; i++) next[i] = (next[i] ?? 0) + (next[i - 1] ?? 0);
  return often.map((times) => {
    const rank = next[times] ?? 0;
    next[times] = rank + 1;
    return rank;
  });
}

/** How many k-mers sequences i and j share, over how many they have together; 0 where one has none. */
export function jaccard({ offsets, kmers }: KmerSets, i: number, j: number): number {
  let [a, b] = [offsets[i] ?? 0, offsets[j] ?? 0];
  const [endA, endB] = [offsets[i + 1] ?? 0, offsets[j + 1] ?? 0];
  const total = endA - a + endB - b;
  let shared = 0;
  while (a < endA && b < endB) {
    const difference = (kmers[a] ?? 0) - (kmers[b] ?? 0);
    if (difference <= 0) a++;
    if (difference >= 0) b++;
    if (difference === 0) shared++;
  }
  return shared === 0 ? 0 : shared / (total - shared);
}

/**
 * Pairs need not be looked at beyond the first |x| − ⌈t·|x|⌉ + 1 k-mers, rarest first: two sets that share none of those
 * have a similarity below t (prefix filter; Chaudhuri, Ganti, Kaushik 2006; Bayardo, Ma, Srikant 2007).
 */
const prefixOf = (size: number, threshold: number): number =>
  size === 0 ? 0 : size - Math.ceil(threshold * size - 1e-9) + 1;

/** Which pairs {@link findSimilarPairs} looks for. */
export interface PairSearch {
  /** The least Jaccard similarity of a pair, above 0. */
  readonly threshold: number;
  /** Only pairs of different groups are looked for. Default: each sequence is a group. */
  readonly groups?: Int32Array;
  /** Pairs that need not be compared. */
  readonly skip?: (i: number, j: number) => boolean;
  /** Told of each pair, once. `false` ends the search. */
  readonly found: (i: number, j: number, similarity: number) => boolean;
}

/** Adds one to a count, and gives what it was. */
function advance(counts: Int32Array, i: number): number {
  const count = counts[i] ?? 0;
  counts[i] = count + 1;
  return count;
}

/** All pairs of sequences whose similarity is at least the threshold, exactly. */
export function findSimilarPairs(sets: KmerSets, { threshold, groups, skip, found }: PairSearch): void {
  const n = sets.offsets.length - 1;
  const order = Int32Array.from({ length: n }, (_, i) => i);
  if (groups !== undefined) order.sort((a, b) => (groups[a] ?? 0) - (groups[b] ?? 0) || a - b);
  const { offsets, kmers } = sets;
  const sizeOf = (i: number): number => (offsets[i + 1] ?? 0) - (offsets[i] ?? 0);
  const groupOf = (i: number): number => groups?.[i] ?? i;
  const heads = new Int32Array(sets.count + 1);
  const each = (i: number, visit: (kmer: number) => void): void => {
    const start = offsets[i] ?? 0;
    const end = start + prefixOf(sizeOf(i), threshold);
    for (let at = start; at < end; at++) visit(kmers[at] ?? 0);
  };
  for (const i of order) each(i, (kmer) => void advance(heads, kmer + 1));
  for (let i = 1; i < heads.length; i++) heads[i] = (heads[i] ?? 0) + (heads[i - 1] ?? 0);
  const owners = new Int32Array(heads.at(-1) ?? 0);
  const filled = heads.slice(0, -1);
  for (const i of order) each(i, (kmer) => void (owners[advance(filled, kmer)] = i));
  /** Behind the last owner of the same group. */
  const blockEnds = new Int32Array(owners.length);
  for (let kmer = 0; kmer < sets.count; kmer++) {
    const end = heads[kmer + 1] ?? 0;
    for (let at = end - 1; at >= (heads[kmer] ?? 0); at--) {
      const same = at + 1 < end && groupOf(owners[at] ?? 0) === groupOf(owners[at + 1] ?? 0);
      blockEnds[at] = same ? (blockEnds[at + 1] ?? 0) : at + 1;
    }
  }
  filled.set(heads.subarray(0, -1)); // now: where each k-mer's next owner in the order is
  const counts = new Int32Array(n);
  const candidates: number[] = [];
  for (const i of order) {
    const size = sizeOf(i);
    each(i, (kmer) => {
      const own = advance(filled, kmer);
      const end = heads[kmer + 1] ?? 0;
      for (let at = blockEnds[own] ?? end; at < end; at++) {
        const j = owners[at] ?? 0;
        if (counts[j] === 0) candidates.push(j);
        advance(counts, j);
      }
    });
    for (const j of candidates) {
      const shared = counts[j] ?? 0;
      counts[j] = 0;
      if (!couldReach(size, sizeOf(j), shared, threshold) || skip?.(i, j) === true) continue;
      const similarity = jaccard(sets, i, j);
      if (similarity >= threshold - 1e-12 && !found(Math.min(i, j), Math.max(i, j), similarity)) return;
    }
    candidates.length = 0;
  }
}

/** Whether two sets that share so many of their first k-mers can share enough in all. */
function couldReach(a: number, b: number, shared: number, threshold: number): boolean {
  if (Math.min(a, b) < threshold * Math.max(a, b) - 1e-9) return false;
  const rest = Math.max(a - prefixOf(a, threshold), b - prefixOf(b, threshold));
  return shared + rest >= (threshold / (1 + threshold)) * (a + b) - 1e-9;
}

/** Sets that may become one. */
export class UnionFind {
  readonly #parent: Int32Array;

  constructor(size: number) {
    this.#parent = Int32Array.from({ length: size }, (_, i) => i);
  }

  find(i: number): number {
    const parent = this.#parent;
    let root = i;
    while (parent[root] !== root) root = parent[root] ?? root;
    for (let at = i; at !== root;) {
      const next = parent[at] ?? root;
      parent[at] = root;
      at = next;
    }
    return root;
  }

  /** The smaller number stands for both. */
  unite(i: number, j: number): void {
    const [a, b] = [this.find(i), this.find(j)];
    this.#parent[Math.max(a, b)] = Math.min(a, b);
  }

  /** A number from 0 for each set, in the order in which the sets begin. */
  labels(): Int32Array {
    const names = new Map<number, number>();
    return this.#parent.map((_, i) => {
      const root = this.find(i);
      const name = names.get(root) ?? names.size;
      names.set(root, name);
      return name;
    });
  }
}

/** The Jaccard similarity of k-mers that goes with a share of identical letters. */
export function similarityAt(identity: number, k: number): number {
  const shared = identity ** k;
  return shared / (2 - shared);
}

/**
 * Clusters of sequences: a number from 0 for each sequence, the same within a cluster. Two sequences whose k-mers are as
 * similar as the identity asks are always in one cluster, so that parts made of whole clusters have no near-twins between them
 * (single linkage; exact). Equal sequences are in one cluster, too.
 *
 * Time grows with the number of k-mers that unlike sequences share; 100,000 proteins take some seconds.
 *
 * @throws OptionError for an identity out of range.
 * @example
 * import { clusterSequences } from "torte";
 * const sequences = ["MKVLAGIVGEAWKDLS", "MSTNPKPQRKTKRNTN", "MKVLAGIVGEAWKDLSR"];
 * console.log(clusterSequences(sequences)); // Int32Array(3) [ 0, 1, 0 ]
 */
export function clusterSequences(sequences: readonly string[], options: ClusterOptions = {}): Int32Array {
  checkOptions("clusterSequences", options, ["identity", "k"]);
  const identity = numberIn("clusterSequences", "identity", options.identity ?? 0.7, { above: 0, max: 1 });
  const sets = kmerSets(sequences, options.k === undefined ? {} : { k: options.k });
  const threshold = similarityAt(identity, sets.k);
  const union = new UnionFind(sequences.length);
  const first = new Map<string, number>();
  sequences.forEach((sequence, i) => {
    const known = first.get(sequence);
    if (known === undefined) first.set(sequence, i);
    else union.unite(known, i);
  });
  joinLeaders(sets, threshold, union, [...first.values()]);
  findSimilarPairs(sets, {
    threshold,
    groups: union.labels(),
    skip: (i, j) => union.find(i) === union.find(j),
    found: (i, j) => {
      union.unite(i, j);
      return true;
    },
  });
  return union.labels();
}

/**
 * Compares each sequence with those only that were like none before them. Large families become one group, so that the search
 * for pairs of different groups need not look at their pairs, which may be billions.
 */
function joinLeaders(sets: KmerSets, threshold: number, union: UnionFind, distinct: readonly number[]): void {
  const { offsets, kmers, count } = sets;
  const heads = new Int32Array(count).fill(-1);
  const owners: number[] = [];
  const next: number[] = [];
  const shared = new Int32Array(offsets.length - 1);
  const sizeOf = (i: number): number => (offsets[i + 1] ?? 0) - (offsets[i] ?? 0);
  for (const i of distinct) {
    const start = offsets[i] ?? 0;
    const end = start + prefixOf(sizeOf(i), threshold);
    const candidates: number[] = [];
    for (let at = start; at < end; at++)
      for (let p = heads[kmers[at] ?? 0] ?? -1; p >= 0; p = next[p] ?? -1) {
        const j = owners[p] ?? 0;
        if (shared[j] === 0) candidates.push(j);
        advance(shared, j);
      }
    let leader = -1;
    for (const j of candidates) {
      if (leader < 0 && couldReach(sizeOf(i), sizeOf(j), shared[j] ?? 0, threshold))
        if (jaccard(sets, i, j) >= threshold - 1e-12) leader = j;
      shared[j] = 0;
    }
    if (leader >= 0) union.unite(leader, i);
    else
      for (let at = start; at < end; at++) {
        const kmer = kmers[at] ?? 0;
        next.push(heads[kmer] ?? -1);
        heads[kmer] = owners.push(i) - 1;
      }
  }
}
