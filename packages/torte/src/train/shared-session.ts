/**
 * One weight, one truth, in however many sessions it is used. A session that is about to run over a weight fetches its newest
 * values from one that has them; one that changes it makes all copies elsewhere old (the coherence of caches, by invalidation).
 * Models that have layers in common share a session where they can, so that nothing needs to be fetched.
 */
import type { Executable, RunOptions, Session, Write } from "../backends/backend.js";
import { TorteError } from "../errors.js";
import { type Program, roots, type State, topological } from "../graph/node.js";
import { sizeOf } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type BackendOptions, selectBackend } from "../backends/select.js";

/** Where the newest values of a weight are. */
class Truth {
  readonly newest = new Set<Session>();
  /** They are here, when the last session that had them is closed. */
  kept: Tensor | undefined;
  /** Ends when they have been fetched; meanwhile nobody else may change or fetch them. */
  moving: Promise<void> | undefined;
  /** Models with this weight, whatever their session. */
  models = 0;

  get exists(): boolean {
    return this.newest.size > 0 || this.kept !== undefined;
  }

  changedIn(session: Session): void {
    this.newest.clear();
    this.newest.add(session);
    this.kept = undefined;
  }

  read(state: State): Promise<Tensor> {
    const [session] = this.newest;
    if (this.kept !== undefined) return Promise.resolve(this.kept);
    if (session === undefined) throw new TorteError({ where: state.name, problem: "the model was closed" });
    return session.read(state);
  }
}

/** Of all weights of models. */
const truths = new WeakMap<State, Truth>();
/** Where a weight was first used. */
const homes = new WeakMap<State, SharedSession>();

/** What a request does with weights. */
interface Access {
  /** Needs their newest values. */
  readonly uses?: readonly State[];
  /** Gives them new ones. */
  readonly changes?: readonly State[];
}

export class SharedSession implements Session {
  readonly #session: Session;
  /** Models with each weight in this session. */
  readonly #models = new Map<State, number>();
  readonly #access = new WeakMap<Executable, Access>();
  readonly #snapshots = new Map<string, readonly State[]>();
  /** Settles when the last request that had to wait is on its way. */
  #entering: Promise<unknown> | undefined;
  #users = 0;

  private constructor(options: BackendOptions) {
    this.#session = selectBackend(options).createSession();
  }

  /** The session of a model with these weights: the one where they are used already, if it is one; a new one for options of its own. */
  static for(states: readonly State[], options: BackendOptions): SharedSession {
    const known = new Set(states.map((state) => homes.get(state)).filter((home) => home !== undefined));
    const [only] = known;
    const own = options.backend !== undefined || options.precision !== undefined || options.threads !== undefined;
    const shared = only !== undefined && known.size === 1 && !own ? only : new SharedSession(options);
    for (const state of states) {
      if (!homes.has(state)) homes.set(state, shared);
      const truth = truths.get(state) ?? new Truth();
      truths.set(state, truth);
      truth.models++;
      shared.#models.set(state, (shared.#models.get(state) ?? 0) + 1);
    }
    shared.#users++;
    return shared;
  }

  /** Gives a weight its first values, unless it has values somewhere. */
  async begin(state: State, first: () => Tensor): Promise<void> {
    const truth = truths.get(state);
    while (truth?.moving !== undefined) await truth.moving;
    if (truth === undefined || truth.exists) return;
    const write = async (): Promise<void> => this.#session.write(state, first());
    await whileMoving([truth], write, () => truth.changedIn(this.#session));
  }

  /**
   * A model with these weights is closed, and needs the other states no more. The session ends with its last user, a weight's
   * values with its last model.
   */
  async leave(states: readonly State[], others: readonly State[] = []): Promise<void> {
    this.#users--;
    for (const state of states) {
      const truth = truths.get(state);
      if (truth !== undefined) truth.models--;
      const left = (this.#models.get(state) ?? 0) - 1;
      if (left > 0) this.#models.set(state, left);
      else this.#models.delete(state);
    }
    const unused = (): State[] => states.filter((state) => !this.#models.has(state));
    for (const state of unused()) await this.#forget(state);
    await (this.#users > 0 ? this.release([...unused(), ...others]) : this.#session.close());
  }

  async #forget(state: State): Promise<void> {
    const truth = truths.get(state);
    if (homes.get(state) === this) homes.delete(state);
    while (truth?.moving !== undefined) await truth.moving;
    if (truth?.newest.has(this.#session) !== true) return;
    if (truth.models > 0 && truth.newest.size === 1) {
      const keep = async (): Promise<void> => {
        truth.kept = await this.#session.read(state);
      };
      await whileMoving([truth], keep, () => truth.newest.delete(this.#session));
    } else truth.newest.delete(this.#session);
  }

  allocate(states: readonly State[]): Promise<void> {
    return this.#enter({}, () => this.#session.allocate(states));
  }

  release(states: readonly State[]): Promise<void> {
    return this.#enter({}, () => this.#session.release(states));
  }

  write(state: State, value: Tensor, from?: number): Promise<void> {
    const weights = weightsAmong([state]);
    const whole = value.data.length === sizeOf(state.shape);
    return this.#enter({ uses: whole ? [] : weights, changes: weights }, () => this.#session.write(state, value, from));
  }

  writeAll(writes: readonly Write[]): Promise<void> {
    const weights = writes.map(({ state }) => weightsAmong([state])).flat();
    return this.#enter({ uses: weights, changes: weights }, () => this.#session.writeAll(writes));
  }

  read(state: State): Promise<Tensor> {
    return this.#enter({ uses: weightsAmong([state]) }, () => this.#session.read(state));
  }

  firstNotFinite(states: readonly State[]): Promise<State | undefined> {
    return this.#enter({ uses: weightsAmong(states) }, () => this.#session.firstNotFinite(states));
  }

  async compile(program: Program): Promise<Executable> {
    const executable = await this.#enter({}, () => this.#session.compile(program));
    this.#access.set(executable, accessOf(program));
    return executable;
  }

  unload(executable: Executable): Promise<void> {
    return this.#enter({}, () => this.#session.unload(executable));
  }

  run(executable: Executable, options?: RunOptions): Promise<Tensor[]> {
    return this.#enter(this.#access.get(executable) ?? {}, () => this.#session.run(executable, options));
  }

  snapshot(name: string, states: readonly State[]): Promise<void> {
    this.#snapshots.set(name, states);
    return this.#enter({ uses: weightsAmong(states) }, () => this.#session.snapshot(name, states));
  }

  restore(name: string): Promise<void> {
    const changes = weightsAmong(this.#snapshots.get(name) ?? []);
    return this.#enter({ changes }, () => this.#session.restore(name));
  }

  readCopy(name: string, state: State): Promise<Tensor> {
    return this.#enter({}, () => this.#session.readCopy(name, state));
  }

  forget(name: string): Promise<void> {
    this.#snapshots.delete(name);
    return this.#enter({}, () => this.#session.forget(name));
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** Makes a request when the weights that it uses are here, after all requests that were made before. */
  #enter<T>(access: Access, request: () => Promise<T>): Promise<T> {
    const { uses = [], changes = [] } = access;
    const go = (): Promise<T> => {
      for (const state of changes) truths.get(state)?.changedIn(this.#session);
      return request();
    };
    if (
      this.#entering === undefined &&
      this.#stale(uses).length === 0 &&
      movingAmong([...uses, ...changes]) === undefined
    )
      return go();
    const entered = (this.#entering ?? Promise.resolve()).then(() => this.#acquire(access, go));
    const settled = entered.then(
      () => undefined,
      () => undefined,
    );
    this.#entering = settled;
    void settled.then(() => {
      if (this.#entering === settled) this.#entering = undefined;
    });
    return entered.then(({ answer }) => answer);
  }

  /** Fetches what is missing. Nothing comes between the last look and `go`. */
  async #acquire<T>({ uses = [], changes = [] }: Access, go: () => Promise<T>): Promise<{ answer: Promise<T> }> {
    for (;;) {
      const moving = movingAmong([...uses, ...changes]);
      if (moving !== undefined) {
        await moving;
        continue;
      }
      const stale = this.#stale(uses);
      const posted = (): { answer: Promise<T> } => ({ answer: go() });
      if (stale.length === 0) return posted();
      return whileMoving(truthsOf(uses), () => this.#fetch(stale), posted);
    }
  }

  #stale(states: readonly State[]): State[] {
    return states.filter((state) => truths.get(state)?.newest.has(this.#session) !== true);
  }

  async #fetch(states: readonly State[]): Promise<void> {
    // All at once, so that they are of one moment.
    const values = await Promise.all(states.map(async (state) => truths.get(state)?.read(state)));
    await this.#session.allocate(states);
    for (const [i, state] of states.entries()) {
      const [value, truth] = [values[i], truths.get(state)];
      if (value === undefined || truth === undefined) continue;
      await this.#session.write(state, value);
      truth.newest.add(this.#session);
      truth.kept = undefined;
    }
  }
}

const weightsAmong = (states: readonly State[]): State[] => states.filter((state) => truths.has(state));

const truthsOf = (states: readonly State[]): Truth[] =>
  states.map((state) => truths.get(state)).filter((truth) => truth !== undefined);

const movingAmong = (states: readonly State[]): Promise<void> | undefined =>
  truthsOf(states).find(({ moving }) => moving !== undefined)?.moving;

/** Moves values while nobody else may; nothing comes between their arrival and `arrived`. */
async function whileMoving<T>(moved: readonly Truth[], move: () => Promise<void>, arrived: () => T): Promise<T> {
  const moving = move();
  const settled = moving.catch(() => undefined);
  for (const truth of moved) truth.moving = settled;
  try {
    await moving;
  } finally {
    for (const truth of moved) truth.moving = undefined;
  }
  return arrived();
}

function accessOf(program: Program): Access {
  const changes = program.updates.map(({ state }) => state);
  const read = topological(roots(program)).flatMap((node) => (node.op === "state" ? [node.attributes.state] : []));
  return { uses: weightsAmong([...new Set([...read, ...changes])]), changes: weightsAmong(changes) };
}
