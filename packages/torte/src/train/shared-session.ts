/** Models that have layers in common have their weights in common: they share the engine's memory. */
import type { Session } from "../backends/backend.js";
import type { State } from "../graph/node.js";
import type { Tensor } from "../tensor/tensor.js";
import { type BackendOptions, selectBackend } from "../backends/select.js";

const homes = new WeakMap<State, SharedSession>();

export class SharedSession {
  readonly session: Session;
  readonly #ready = new Map<State, Promise<void>>();
  #users = 0;

  private constructor(options: BackendOptions) {
    this.session = selectBackend(options).createSession();
  }

  /**
   * The session where these states live already, if they all live in one; else a new one, which starts with the values they
   * have elsewhere. So does one with options of its own.
   */
  static for(states: readonly State[], options: BackendOptions): SharedSession {
    const known = new Set(states.map((state) => homes.get(state)).filter((home) => home !== undefined));
    const [only] = known;
    const own = options.backend !== undefined || options.precision !== undefined || options.threads !== undefined;
    const shared = only !== undefined && known.size === 1 && !own ? only : new SharedSession(options);
    for (const state of states) if (!homes.has(state)) homes.set(state, shared);
    shared.#users++;
    return shared;
  }

  /** Gives the state its first value, once: the one it has elsewhere, or `first`. */
  prepare(state: State, first: () => Tensor): Promise<void> {
    let ready = this.#ready.get(state);
    if (ready === undefined) {
      ready = this.#begin(state, first);
      this.#ready.set(state, ready);
    }
    return ready;
  }

  async #begin(state: State, first: () => Tensor): Promise<void> {
    const home = homes.get(state);
    const there = home === undefined || home === this ? undefined : home.#ready.get(state);
    await there;
    const value = home === undefined || there === undefined ? first() : await home.session.read(state);
    homes.set(state, this);
    await this.session.allocate([state]);
    await this.session.write(state, value);
  }

  /** The session, and with it the values of its states, ends with its last user. */
  async leave(): Promise<void> {
    if (--this.#users > 0) return;
    for (const state of this.#ready.keys()) if (homes.get(state) === this) homes.delete(state);
    await this.session.close();
  }
}
