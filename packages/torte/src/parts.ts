/**
 * What models can do that a page which only trains and predicts does without. `torte` has all of it; `torte/lean` has what is
 * imported beside it, so that a page downloads no more than it uses.
 */
import { hintFor, OptionError, show, TorteError } from "./errors.js";

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

/** Things that `compile` takes by their names, such as losses. */
export class Names<T> extends Part<Readonly<Record<string, () => T>>> {
  readonly #noun: string;
  readonly #article: string;
  readonly #expected: string | undefined;

  /** `expected` is what an unknown name is answered with. Default: all names. */
  constructor(
    noun: string,
    { article = "a", expected }: { readonly article?: string; readonly expected?: string } = {},
  ) {
    super("torte/names");
    this.#noun = noun;
    this.#article = article;
    this.#expected = expected;
  }

  /** @throws OptionError for what is no name of one. */
  make(option: unknown): T {
    const what = `${this.#article} ${this.#noun}`;
    const named = this.need("compile", `${what} by its name, ${show(option)},`);
    const make = typeof option === "string" && Object.hasOwn(named, option) ? named[option] : undefined;
    if (make !== undefined) return make();
    const names = Object.keys(named);
    throw new OptionError({
      where: "compile",
      problem: `${this.#noun} is unknown`,
      expected: this.#expected ?? `${what} or one of ${names.join(", ")}`,
      received: show(option),
      ...(typeof option === "string" ? hintFor(option, names) : {}),
    });
  }
}
