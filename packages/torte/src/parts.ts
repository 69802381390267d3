/**
 * What models can do that a page which only trains and predicts does without. `torte` has all of it; `torte/lean` has what is
 * imported beside it, so that a page downloads no more than it uses.
 */
import { TorteError } from "./errors.js";

/** Something that an entry of the package provides, and that is asked for where it is used. */
export class Part<T> {
  readonly #entry: string;
  #provided: T | undefined;

  /** `entry` is what has to be imported for it. */
  constructor(entry: string) {
    this.#entry = entry;
  }

  provide(part: T): void {
    this.#provided = part;
  }

  /** Undefined where nobody has provided it. */
  get provided(): T | undefined {
    return this.#provided;
  }

  /** @throws TorteError where nobody has provided it; `problem` says what was wanted of it. */
  need(where: string, problem: string): T {
    if (this.#provided !== undefined) return this.#provided;
    throw new TorteError({
      where,
      problem: `${problem} is not part of torte/lean`,
      fix: `Add import "${this.#entry}", or import from "torte", which has everything.`,
    });
  }
}
