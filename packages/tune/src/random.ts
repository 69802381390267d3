/** Random numbers of a study: Torte's counter-based generator, drawn one after the other. */
import { hashName, mixKey, randomBits, type RandomKey } from "torte";

/** A stream of numbers that is a function of (seed, purpose, number): who else draws, and when, changes nothing. */
export class Random {
  readonly #key: RandomKey;
  #drawn = 0;

  constructor(seed: number, purpose: string, number = 0) {
    this.#key = mixKey(seed, hashName(purpose), number);
  }

  /** 32 bits. */
  word(): number {
    return randomBits(this.#key, this.#drawn++);
  }

  /** In [0, 1), a multiple of 2⁻⁵³. */
  uniform(): number {
    const [high, low] = [this.word() >>> 5, this.word() >>> 6];
    return (high * 2 ** 26 + low) * 2 ** -53;
  }

  /** A whole number in [0, bound), none favoured by more than 2⁻⁵³·bound. */
  below(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** Standard normal, by Box and Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A position, each with the probability that its weight says. */
  weighted(weights: ArrayLike<number>): number {
    let total = 0;
    for (let i = 0; i < weights.length; i++) total += weights[i] ?? 0;
    let left = this.uniform() * total;
    for (let i = 0; i < weights.length; i++) {
      left -= weights[i] ?? 0;
      if (left < 0) return i;
    }
    return weights.length - 1;
  }
}
