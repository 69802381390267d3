/** A rate limit for each client: a bucket of tokens that fills again (token bucket). */

interface Bucket {
  tokens: number;
  time: number;
}

/** Clients that are remembered; a full bucket is as good as none. */
const MOST_CLIENTS = 10_000;

export class RateLimit {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Whether a client may ask once more; `now` in milliseconds. */
  allows(client: string, now = performance.now()): boolean {
    const bucket = this.#buckets.get(client) ?? { tokens: this.#perSecond, time: now };
    bucket.tokens = Math.min(this.#perSecond, bucket.tokens + ((now - bucket.time) / 1000) * this.#perSecond);
    bucket.time = now;
    // The last one that asked is the last one to be forgotten.
    this.#buckets.delete(client);
    this.#buckets.set(client, bucket);
    if (this.#buckets.size > MOST_CLIENTS) this.#buckets.delete(this.#buckets.keys().next().value ?? "");
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}
