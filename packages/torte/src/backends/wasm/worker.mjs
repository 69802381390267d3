// @ts-check
/**
 * The engine's worker: owns the memories, runs the compiled programs. It is started from its text, as a script (start.ts), so
 * that there is nothing to be found at run time, in Node, in browsers, in a bundle: it has no import and no export.
 *
 * @typedef {(steps: number, thread: number) => void} Run
 * @typedef {{ run: Run, alone: Run, times: Float64Array }} Loaded `alone` takes one thread; `times` are milliseconds per
 * kernel, where they are measured.
 * @typedef {{ memory: WebAssembly.Memory, threads: number, programs: Map<number, Loaded>, snapshots: Map<string, Copy[]> }} Session
 * @typedef {{ address: number, data: Uint8Array }} Copy
 * @typedef {{ address: number, bytes: number }} Region
 * @typedef {{ address: number, data: ArrayBuffer }} Write
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

/** @param {WebAssembly.Memory} memory @param {number} bytes */
function reserve(memory, bytes) {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE);
  if (missing > 0) memory.grow(missing);
}

/** @param {Session} session @param {Write} write */
function write({ memory }, { address, data }) {
  new Uint8Array(memory.buffer).set(new Uint8Array(data), address);
}

/** @type {Record<string, (message: any) => unknown>} */
const actions = {
  open: async ({ session: id, pages, maximum, threads }) => {
    const memory = new WebAssembly.Memory({ initial: pages, maximum, shared: threads > 1 });
    while (helpers.length < threads - 1) helpers.push(await startHelper());
    const adopted = { memory, threads, programs: new Map(), snapshots: new Map() };
    sessions.set(id, adopted);
    tellHelpers(adopted, { action: "adopt", session: id, memory });
  },
  adopt: ({ session: id, memory }) =>
    void sessions.set(id, { memory, threads: 1, programs: new Map(), snapshots: new Map() }),
  close: ({ session: id }) => {
    tellHelpers(session(id), { action: "close", session: id });
    sessions.delete(id);
  },
  reserve: ({ session: id, bytes }) => reserve(session(id).memory, bytes),
  write: ({ session: id, address, data }) => write(session(id), { address, data }),
  clear: ({ session: id, address, bytes }) => {
    new Uint8Array(session(id).memory.buffer, address, bytes).fill(0);
  },
  read: ({ session: id, address, bytes }) =>
    new Uint8Array(session(id).memory.buffer).slice(address, address + bytes).buffer,
  snapshot: ({ session: id, name, regions }) => {
    const { memory, snapshots } = session(id);
    const before = snapshots.get(name) ?? [];
    const copy = (/** @type {Region} */ { address, bytes }, /** @type {number} */ i) => {
      // New memory takes longer to come by than its contents take to copy.
      const known = before[i]?.data;
      const data = known?.length === bytes ? known : new Uint8Array(bytes);
      data.set(new Uint8Array(memory.buffer, address, bytes));
      return { address, data };
    };
    snapshots.set(name, regions.map(copy));
  },
  restore: ({ session: id, name }) => {
    const { memory, snapshots } = session(id);
    const bytes = new Uint8Array(memory.buffer);
    for (const { address, data } of snapshots.get(name) ?? []) bytes.set(data, address);
  },
  load: async ({ session: id, program, code, kernels, writes }) => {
    const owner = session(id);
    for (const contents of writes) write(owner, contents);
    // Helpers load it some time later, when the memory may be somebody else's: they write nothing.
    tellHelpers(owner, { action: "load", session: id, program, code, kernels, writes: [] });
    const { instance } = await WebAssembly.instantiate(code, { env: { memory: owner.memory } });
    const exports = /** @type {Record<string, any>} */ (instance.exports);
    const times = new Float64Array(kernels);
    const run = kernels > 0 ? measured(exports, times) : exports["run"];
    owner.programs.set(program, { times, run, alone: exports["alone"] ?? run });
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
  run: ({ session: id, program, steps, threads, outputs, writes }) =>
    run(session(id), { id, program, steps, threads, outputs, writes }),
  help: ({ session: id, program, steps, thread }) => session(id).programs.get(program)?.run(steps, thread),
};

/** Runs the kernels one by one and adds up their times. @param {Record<string, (thread: number) => void>} exports @param {Float64Array} times @returns {Run} */
function measured(exports, times) {
  return (steps, thread) => {
    for (let step = 0; step < steps; step++) {
      for (let k = 0; k < times.length; k++) {
        const start = performance.now();
        exports[`k${k}`]?.(thread);
        times[k] = (times[k] ?? 0) + performance.now() - start;
      }
    }
  };
}

/** @param {Session} session @param {{ id: number, program: number, steps: number, threads: number, outputs: Region[], writes: Write[] }} request */
function run(owner, { id, program, steps, threads, outputs, writes }) {
  const { memory, programs } = owner;
  const loaded = programs.get(program);
  const step = threads > 1 ? loaded?.run : loaded?.alone;
  if (step === undefined) throw new Error(`no program ${program}`);
  for (const contents of writes) write(owner, contents);
  for (let thread = 1; thread < threads; thread++) {
    helpers[thread - 1]?.post({ action: "help", session: id, program, steps, thread });
  }
  if (outputs.length === 0) {
    step(steps, 0);
    return [];
  }
  const results = outputs.map(({ bytes }) => new Uint8Array(bytes * steps));
  for (let i = 0; i < steps; i++) {
    step(1, 0);
    outputs.forEach(({ address, bytes }, k) => {
      results[k]?.set(new Uint8Array(memory.buffer, address, bytes), i * bytes);
    });
  }
  return results.map((result) => result.buffer);
}

/** The other threads, shared by all sessions. @type {{ post: (message: object) => void }[]} */
const helpers = [];

/** @param {Session} session @param {object} message */
function tellHelpers({ threads }, message) {
  for (const helper of helpers.slice(0, threads - 1)) helper.post(message);
}

/** Another worker of this code, which does only what this one tells it. @returns {Promise<{ post: (message: object) => void }>} */
function startHelper() {
  return new Promise((resolve, reject) => {
    const helper = inNode ? helperInNode(reject) : helperInPage(reject);
    const ready = () => resolve({ post: (message) => helper.postMessage(message) });
    if (inNode) helper.once("message", ready);
    else helper.onmessage = ready;
  });
}

/** @param {(error: Error) => void} fail */
function helperInNode(fail) {
  const { code, url } = threads.workerData;
  const options = { name: "torte helper", eval: url === undefined, workerData: threads.workerData, execArgv: [] };
  const helper = new threads.Worker(url === undefined ? code : new URL(url), options);
  helper.once("error", fail);
  helper.unref();
  return helper;
}

/** @param {(error: Error) => void} fail */
function helperInPage(fail) {
  const helper = new Worker(location.href);
  helper.onerror = ({ message }) => fail(new Error(`a helper cannot start: ${message ?? "it was not loaded"}`));
  return helper;
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
    post({ id: message.id, error: error instanceof Error ? error.message : String(error) }, []);
  }
}

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
