// @ts-check
/**
 * A thread of the engine. The main one carries out requests over the sessions' memories, runs the compiled programs, and tells
 * the others, its helpers, what to do. It is started from its text, as a script (start.ts), so that there is nothing to be found
 * at run time, in Node, in browsers, in a bundle: it has no import and no export.
 *
 * @typedef {(steps: number, thread: number) => void} Run
 * @typedef {{ run: Run, alone: Run, kernel: (k: number, thread: number) => void }} Exports
 * @typedef {{ run: Run, alone: Run, times: Float64Array, outputs: Region[] }} Loaded `alone` takes one thread; `times` are
 * milliseconds per kernel, where they are measured.
 * @typedef {{ memory: WebAssembly.Memory, threads: number, barrier: Barrier, programs: Map<number, Loaded>, snapshots: Map<string, Snapshot> }} Session
 * @typedef {{ arrived: number, generation: number, aborted: number }} Barrier addresses of what threads meet at (barrier.ts)
 * @typedef {{ regions: Region[], copy: ArrayBufferLike }} Snapshot the regions' contents, one after the other
 * @typedef {{ address: number, bytes: number }} Region
 * @typedef {{ address: number, data: Uint8Array }} Write
 */

/** @type {Map<number, Session>} */
const sessions = new Map();
const PAGE = 65536;
/** Node's way to whoever started this worker; pages have another. */
const threads = /** @type {any} */ (globalThis).process?.getBuiltinModule?.("node:worker_threads");
const inNode = threads?.parentPort != null;

/** @param {number} id */
function session(id) {
  const found = sessions.get(id);
  if (found === undefined) throw new Error(`no session ${id}`);
  return found;
}

/** Whether there is room for so many bytes now. @param {WebAssembly.Memory} memory @param {number} bytes */
function reserve(memory, bytes) {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE);
  try {
    if (missing > 0) memory.grow(missing);
    return true;
  } catch {
    return false;
  }
}

/** @param {number} bytes @param {string} what */
function room(bytes, what) {
  try {
    return new ArrayBuffer(bytes);
  } catch {
    throw new Error(`there is no memory for ${what}, ${bytes} bytes`);
  }
}

/** @param {Session} session @param {Write} write */
function write({ memory }, { address, data }) {
  new Uint8Array(memory.buffer).set(data, address);
}

/** The function `anyNotFinite` over each memory. @type {WeakMap<WebAssembly.Memory, (from: number, to: number) => number>} */
const checks = new WeakMap();

/**
 * Whether all numbers of a region are finite; what a step of the function (finite.ts) does not fill is looked at here: where all
 * bits of the exponent are set, a number is NaN or infinite.
 *
 * @param {WebAssembly.Memory} memory @param {Region} region @param {{ code: Uint8Array<ArrayBuffer>, step: number }} check
 */
function isFinite32(memory, { address, bytes }, { code, step }) {
  const rest = bytes % step;
  const numbers = new Int32Array(memory.buffer, address + bytes - rest, rest / 4);
  for (let i = 0; i < numbers.length; i++) if (((numbers[i] ?? 0) & 0x7f800000) === 0x7f800000) return false;
  if (bytes === rest) return true;
  let anyNotFinite = checks.get(memory);
  if (anyNotFinite === undefined) {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
    anyNotFinite = /** @type {(from: number, to: number) => number} */ (exports["anyNotFinite"]);
    checks.set(memory, anyNotFinite);
  }
  return anyNotFinite(address, address + bytes - rest) === 0;
}

/** @type {Record<string, (message: any) => unknown>} */
const actions = {
  // Of the whole thread.
  employ: ({ index, port }) => void (helpers[index] = employ(port)),
  serve: ({ port }) => {
    const receive = handler((message) => port.postMessage(message));
    port.onmessage = (/** @type {MessageEvent} */ event) => void receive(event.data);
  },
  // Of a session. Memory that threads share comes from whoever opens it, and outlives them.
  open: ({ session: id, memory: given, pages, maximum, threads, barrier, snapshots }) => {
    const memory = given ?? new WebAssembly.Memory({ initial: pages, maximum });
    const adopted = { memory, threads, barrier, programs: new Map(), snapshots: new Map(snapshots) };
    if (given !== undefined) leaveBarrier(adopted);
    sessions.set(id, adopted);
    tellHelpers(adopted, { action: "adopt", session: id, memory, barrier });
  },
  adopt: ({ session: id, memory, barrier }) =>
    void sessions.set(id, { memory, threads: 1, barrier, programs: new Map(), snapshots: new Map() }),
  close: ({ session: id }) => {
    tellHelpers(session(id), { action: "close", session: id });
    sessions.delete(id);
  },
  reserve: ({ session: id, bytes }) => reserve(session(id).memory, bytes),
  write: ({ session: id, writes }) => {
    const owner = session(id);
    for (const contents of writes) write(owner, contents);
  },
  clear: ({ session: id, regions }) => {
    const { memory } = session(id);
    for (const { address, bytes } of regions) new Uint8Array(memory.buffer, address, bytes).fill(0);
  },
  read: ({ session: id, address, bytes }) => {
    const copy = room(bytes, "what is read");
    new Uint8Array(copy).set(new Uint8Array(session(id).memory.buffer, address, bytes));
    return copy;
  },
  findNotFinite: ({ session: id, regions, check }) => {
    const { memory } = session(id);
    return regions.findIndex((/** @type {Region} */ region) => !isFinite32(memory, region, check));
  },
  snapshot: ({ session: id, name, regions, bytes, copy: given }) => {
    const { memory, snapshots } = session(id);
    // New memory takes longer to come by than its contents take to copy.
    const before = snapshots.get(name)?.copy;
    const copy = given ?? (before?.byteLength === bytes ? before : room(bytes, "a copy of weights"));
    let at = 0;
    for (const { address, bytes: length } of regions) {
      new Uint8Array(copy, at, length).set(new Uint8Array(memory.buffer, address, length));
      at += length;
    }
    snapshots.set(name, { regions, copy });
  },
  restore: ({ session: id, name }) => {
    const { memory, snapshots } = session(id);
    const { regions, copy } = snapshots.get(name) ?? { regions: [], copy: new ArrayBuffer(0) };
    let at = 0;
    for (const { address, bytes } of regions) {
      new Uint8Array(memory.buffer, address, bytes).set(new Uint8Array(copy, at, bytes));
      at += bytes;
    }
  },
  readCopy: ({ session: id, name, from, bytes }) => {
    const { copy } = session(id).snapshots.get(name) ?? { copy: new ArrayBuffer(0) };
    const part = room(bytes, "what is read");
    new Uint8Array(part).set(new Uint8Array(copy, from, bytes));
    return part;
  },
  forget: ({ session: id, name }) => void session(id).snapshots.delete(name),
  load: async ({ session: id, program, code, kernels, writes, outputs }) => {
    const owner = session(id);
    for (const contents of writes) write(owner, contents);
    // Helpers load it some time later, when the memory may be somebody else's: they write nothing.
    tellHelpers(owner, { action: "load", session: id, program, code, kernels, writes: [], outputs });
    const entries = await (code instanceof Uint8Array ? moduleOf(code, owner) : libraryOf(code, owner));
    owner.programs.set(program, loaded(entries, kernels, outputs));
  },
  // Other code for a program that is there. Nobody changes over before all have it.
  replace: async ({ session: id, program, code, kernels, outputs }) => {
    const owner = session(id);
    const change = { session: id, program, code, kernels, outputs };
    const asked = helpers.slice(0, owner.threads - 1).map((helper) => helper.ask({ action: "prepare", ...change }));
    const entries = libraryOf(code, owner);
    const answers = await Promise.all(asked);
    const failed = answers.find(({ error }) => error !== undefined);
    if (failed !== undefined) throw new Error(failed.error);
    tellHelpers(owner, { action: "change", ...change });
    if (owner.programs.has(program)) owner.programs.set(program, loaded(entries, kernels, outputs));
  },
  prepare: ({ session: id, code }) => void libraryOf(code, session(id)),
  change: ({ session: id, program, code, kernels, outputs }) => {
    const owner = session(id);
    if (owner.programs.has(program)) owner.programs.set(program, loaded(libraryOf(code, owner), kernels, outputs));
  },
  profile: ({ session: id, program }) => {
    const { times } = session(id).programs.get(program) ?? { times: new Float64Array() };
    const result = times.slice();
    times.fill(0);
    return result;
  },
  unload: ({ session: id, program }) => {
    tellHelpers(session(id), { action: "unload", session: id, program });
    session(id).programs.delete(program);
  },
  run: ({ session: id, program, steps, threads, writes }) => run(session(id), { id, program, steps, threads, writes }),
  // Of a helper.
  help: (task) => help(task),
  report: () => failure,
};

/**
 * A WebAssembly module over the session's memory.
 *
 * @param {Uint8Array<ArrayBuffer>} code @param {Session} owner @returns {Promise<Exports>}
 */
async function moduleOf(code, { memory }) {
  const { instance } = await WebAssembly.instantiate(code, { env: { memory } });
  const entries = /** @type {Record<string, any>} */ (instance.exports);
  return {
    run: entries["run"],
    alone: entries["alone"] ?? entries["run"],
    kernel: (k, thread) => entries[`k${k}`](thread),
  };
}

/**
 * A library of this machine's code (native/module-text.ts) over the same memory, which never moves while it grows.
 *
 * @param {{ path: string, places: Uint32Array }} code @param {Session} owner @returns {Exports}
 */
function libraryOf({ path, places }, { memory }) {
  const library = { exports: /** @type {any} */ ({}) };
  /** @type {any} */ (globalThis).process.dlopen(library, path);
  const start = new Uint8Array(memory.buffer, 0, 1);
  const call = (/** @type {number} */ steps, /** @type {number} */ thread, /** @type {number} */ mode) => {
    const status = library.exports(start, places, steps, thread, mode);
    if (status !== 0)
      throw new Error(status === 1 ? "another thread has failed" : "the library was called in the wrong way");
  };
  return {
    run: (steps, thread) => call(steps, thread, 0),
    alone: (steps, thread) => call(steps, thread, 1),
    kernel: (k, thread) => call(1, thread, 2 + k),
  };
}

/** @param {Exports} entries @param {number} kernels those that are measured @param {Region[]} outputs @returns {Loaded} */
function loaded(entries, kernels, outputs) {
  const times = new Float64Array(kernels);
  const run = kernels > 0 ? measured(entries.kernel, times) : entries.run;
  return { times, run, alone: kernels > 0 ? run : entries.alone, outputs };
}

/** Runs the kernels one by one and adds up their times. @param {Exports["kernel"]} kernel @param {Float64Array} times @returns {Run} */
function measured(kernel, times) {
  return (steps, thread) => {
    for (let step = 0; step < steps; step++) {
      for (let k = 0; k < times.length; k++) {
        const start = performance.now();
        kernel(k, thread);
        times[k] = (times[k] ?? 0) + performance.now() - start;
      }
    }
  };
}

/** @param {Session} owner @param {{ id: number, program: number, steps: number, threads: number, writes: Write[] }} request */
function run(owner, { id, program, steps, threads, writes }) {
  const { memory, programs } = owner;
  const own = programs.get(program);
  if (own === undefined) throw new Error(`no program ${program}`);
  const { outputs } = own;
  const step = threads > 1 ? own.run : own.alone;
  const results = outputs.map(({ bytes }) => room(bytes * steps, "the results"));
  for (const contents of writes) write(owner, contents);
  const work = () => {
    if (outputs.length === 0) step(steps, 0);
    for (let i = 0; outputs.length > 0 && i < steps; i++) {
      step(1, 0);
      outputs.forEach(({ address, bytes }, k) => {
        new Uint8Array(results[k] ?? room(0, ""), i * bytes, bytes).set(new Uint8Array(memory.buffer, address, bytes));
      });
    }
    return results;
  };
  return threads > 1 ? together(owner, { session: id, program, steps }, threads, work) : work();
}

/**
 * Helpers do their part meanwhile. If one of them or this thread fails, all of them do where they meet next; when the last one
 * has, the memory is nobody else's again.
 *
 * @template T @param {Session} owner @param {object} task @param {number} threads @param {() => T} work
 */
async function together(owner, task, threads, work) {
  const team = helpers.slice(0, threads - 1);
  team.forEach((helper, i) => helper.post({ action: "help", ...task, thread: i + 1 }));
  try {
    return work();
  } catch (error) {
    const first = abort(owner);
    const failures = await Promise.all(team.map((helper) => helper.ask({ action: "report" })));
    leaveBarrier(owner);
    const cause = failures
      .map(({ result }) => /** @type {Failure | undefined} */ (result))
      .find((failure) => failure?.first);
    throw first || cause === undefined ? error : new Error(cause.error);
  }
}

/** How this helper's part of the last run has failed, if it has. @type {Failure | undefined} */
let failure;

/** A helper's part of a run. Whoever waits for it can be told of a failure through the memory only. @param {any} task */
function help({ session: id, program, steps, thread }) {
  const owner = session(id);
  failure = undefined;
  try {
    const step = owner.programs.get(program)?.run;
    if (step === undefined) throw new Error(`a helper has no program ${program}`);
    step(steps, thread);
  } catch (error) {
    failure = { first: abort(owner), error: messageOf(error) };
  }
}

/** Lets nobody wait at the barrier any more; whether this thread is the first to fail. @param {Session} session */
function abort({ memory, barrier: { generation, aborted } }) {
  const words = new Int32Array(memory.buffer);
  const first = Atomics.exchange(words, aborted / 4, 1) === 0;
  Atomics.add(words, generation / 4, 1);
  Atomics.notify(words, generation / 4);
  return first;
}

/** Nobody is at the barrier, and nobody has failed. @param {Session} session */
function leaveBarrier({ memory, barrier: { arrived, aborted } }) {
  const words = new Int32Array(memory.buffer);
  Atomics.store(words, arrived / 4, 0);
  Atomics.store(words, aborted / 4, 0);
}

/** @typedef {{ first: boolean, error: string }} Failure `first`: the others failed because of it */
/** The other threads, shared by all sessions. @type {{ post: (message: object) => void, ask: (message: object) => Promise<{ result?: any, error?: string }> }[]} */
const helpers = [];

/** @param {Session} session @param {object} message */
function tellHelpers({ threads }, message) {
  for (const helper of helpers.slice(0, threads - 1)) helper.post(message);
}

/** A helper says something only when it is asked, after what it was told before. @param {MessagePort} port */
function employ(port) {
  const post = (/** @type {object} */ message) => port.postMessage(message);
  /** @param {object} message @returns {Promise<{ result?: any, error?: string }>} */
  const ask = (message) =>
    new Promise((resolve) => {
      port.onmessage = ({ data }) => resolve(data);
      post({ ...message, id: 0 });
    });
  return { post, ask };
}

/** @param {unknown} result @returns {Transferable[]} */
function transferable(result) {
  if (result instanceof ArrayBuffer) return [result];
  return Array.isArray(result) ? result.filter((part) => part instanceof ArrayBuffer) : [];
}

/**
 * Carries out messages one after the other, so that a program is loaded before it is run.
 *
 * @param {(message: unknown, transfer: Transferable[]) => void} post
 */
function handler(post) {
  let last = Promise.resolve();
  return (/** @type {any} */ message) => {
    last = last.then(() => handle(message, post));
    return last;
  };
}

/** @param {any} message @param {(message: unknown, transfer: Transferable[]) => void} post */
async function handle(message, post) {
  try {
    const result = await actions[message.action]?.(message);
    if (message.id !== undefined) post({ id: message.id, result }, transferable(result));
  } catch (error) {
    if (message.id !== undefined) post({ id: message.id, error: messageOf(error) }, []);
    // Without its session a helper can tell nobody; without a program it can, when it is to run it.
    else if (message.action !== "load") setTimeout(() => { throw error; }); // prettier-ignore
  }
}

const messageOf = (/** @type {unknown} */ error) => (error instanceof Error ? error.message : String(error));

/** Says that the messages can come, and whose code this is: the build names it. @param {(message: unknown, transfer: Transferable[]) => void} post */
function begin(post) {
  post({ ready: true, stamp: /** @type {any} */ (globalThis).torteWorker }, []);
  return handler(post);
}

if (inNode) {
  const { parentPort } = threads;
  const receive = begin((message, transfer) => parentPort.postMessage(message, transfer));
  parentPort.on("message", (/** @type {any} */ message) => void receive(message));
} else {
  const scope = /** @type {any} */ (globalThis);
  const receive = begin((message, transfer) => scope.postMessage(message, transfer));
  scope.onmessage = (/** @type {MessageEvent} */ event) => void receive(event.data);
}
