/**
 * Made-up proteins for a machine that cannot get the real ones: the same shapes, and a signal that the model can learn.
 * They say nothing about real proteins.
 *
 * The two classes differ in their composition (soluble: more charged residues, fewer hydrophobic ones) and in a motif of
 * five residues that is planted in many of the one and few of the other.
 */
import { type Tensor, tensor } from "torte";

const LENGTH = 200;
/** In the order of their numbers, from 1. */
const AMINO_ACIDS = "ARNDCQEGHILKMFPSTWYV";
const CHARGED = "DEKR";
const HYDROPHOBIC = "FILMVW";
const MOTIF = [..."KEGDK"].map((letter) => AMINO_ACIDS.indexOf(letter) + 1);

interface Kind {
  readonly count: number;
  /** How often charged residues are drawn beside others, and hydrophobic ones. */
  readonly charged: number;
  readonly hydrophobic: number;
  /** Share of the proteins that carry the motif. */
  readonly motif: number;
}

const SOLUBLE: Kind = { count: 8785, charged: 1.15, hydrophobic: 0.95, motif: 0.55 };
const INSOLUBLE: Kind = { count: 9668, charged: 1, hydrophobic: 1.05, motif: 0.15 };

/** The same proteins every time. */
export function syntheticProteins(): { positives: Tensor; negatives: Tensor } {
  const random = randomNumbers(20_190_401);
  return { positives: proteins(SOLUBLE, random), negatives: proteins(INSOLUBLE, random) };
}

function proteins(kind: Kind, random: () => number): Tensor {
  const tokens = new Int32Array(kind.count * LENGTH);
  const limits = cumulative(kind);
  for (let row = 0; row < kind.count; row++) {
    const length = 40 + Math.floor(random() * (LENGTH - 40 + 1));
    const protein = tokens.subarray(row * LENGTH, row * LENGTH + length);
    for (let i = 0; i < length; i++) protein[i] = draw(limits, random());
    if (random() < kind.motif) protein.set(MOTIF, Math.floor(random() * (length - MOTIF.length)));
  }
  return tensor(tokens, { shape: [kind.count, LENGTH] });
}

/** Upper limits of each residue's share of 0…1. */
function cumulative({ charged, hydrophobic }: Kind): number[] {
  const weights = [...AMINO_ACIDS].map((letter) =>
    CHARGED.includes(letter) ? charged : HYDROPHOBIC.includes(letter) ? hydrophobic : 1,
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  return weights.map((weight) => (sum += weight) / total);
}

function draw(limits: readonly number[], value: number): number {
  const index = limits.findIndex((limit) => value < limit);
  return index < 0 ? limits.length : index + 1;
}

/** Uniform numbers from 0 up to 1, the same for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
