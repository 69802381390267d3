// @ts-check
/**
 * The engine's worker: owns the memories, runs the compiled programs. Plain JavaScript, so that it loads in Node, in
 * browsers and under test runners from the same address as it is written.
 *
 * @typedef {{ memory: WebAssembly.Memory, programs: Map<number, (steps: number) => void>, snapshots: Map<string, Copy[]> }} Session
 * @typedef {{ address: number, data: Uint8Array }} Copy
 * @typedef {{ address: number, bytes: number }} Region
 */

/** @type {Map<number, Session>} */
const sessions = new Map();
const PAGE = 65536;

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

/** @type {Record<string, (message: any) => unknown>} */
const actions = {
  open: ({ session: id, pages, maximum, shared }) => {
    const memory = new WebAssembly.Memory({ initial: pages, maximum, shared });
    sessions.set(id, { memory, programs: new Map(), snapshots: new Map() });
  },
  close: ({ session: id }) => void sessions.delete(id),
  reserve: ({ session: id, bytes }) => reserve(session(id).memory, bytes),
  write: ({ session: id, address, data }) => {
    new Uint8Array(session(id).memory.buffer).set(new Uint8Array(data), address);
  },
  clear: ({ session: id, address, bytes }) => {
    new Uint8Array(session(id).memory.buffer, address, bytes).fill(0);
  },
  read: ({ session: id, address, bytes }) =>
    new Uint8Array(session(id).memory.buffer).slice(address, address + bytes).buffer,
  snapshot: ({ session: id, name, regions }) => {
    const { memory, snapshots } = session(id);
    const bytes = new Uint8Array(memory.buffer);
    const copy = (/** @type {Region} */ { address, bytes: n }) => ({
      address,
      data: bytes.slice(address, address + n),
    });
    snapshots.set(name, regions.map(copy));
  },
  restore: ({ session: id, name }) => {
    const { memory, snapshots } = session(id);
    const bytes = new Uint8Array(memory.buffer);
    for (const { address, data } of snapshots.get(name) ?? []) bytes.set(data, address);
  },
  load: async ({ session: id, program, code }) => {
    const { memory, programs } = session(id);
    const { instance } = await WebAssembly.instantiate(code, { env: { memory } });
    programs.set(program, /** @type {(steps: number) => void} */ (instance.exports["run"]));
  },
  unload: ({ session: id, program }) => void session(id).programs.delete(program),
  run: ({ session: id, program, steps, outputs }) => run(session(id), program, steps, outputs),
};

/** @param {Session} session @param {number} program @param {number} steps @param {Region[]} outputs */
function run({ memory, programs }, program, steps, outputs) {
  const step = programs.get(program);
  if (step === undefined) throw new Error(`no program ${program}`);
  if (outputs.length === 0) {
    step(steps);
    return [];
  }
  const results = outputs.map(({ bytes }) => new Uint8Array(bytes * steps));
  for (let i = 0; i < steps; i++) {
    step(1);
    outputs.forEach(({ address, bytes }, k) => {
      results[k]?.set(new Uint8Array(memory.buffer, address, bytes), i * bytes);
    });
  }
  return results.map((result) => result.buffer);
}

/** @param {unknown} result @returns {Transferable[]} */
function transferable(result) {
  if (result instanceof ArrayBuffer) return [result];
  return Array.isArray(result) ? result.filter((part) => part instanceof ArrayBuffer) : [];
}

/** @param {(message: unknown, transfer: Transferable[]) => void} post */
function handler(post) {
  return async (/** @type {any} */ message) => {
    try {
      const result = await actions[message.action]?.(message);
      post({ id: message.id, result }, transferable(result));
    } catch (error) {
      post({ id: message.id, error: error instanceof Error ? error.message : String(error) }, []);
    }
  };
}

if (typeof process === "object" && process.versions?.node !== undefined) {
  const { parentPort } = await import("node:worker_threads");
  const handle = handler((message, transfer) => parentPort?.postMessage(message, /** @type {any} */ (transfer)));
  parentPort?.on("message", (message) => void handle(message));
} else {
  const scope = /** @type {any} */ (globalThis);
  const handle = handler((message, transfer) => scope.postMessage(message, transfer));
  scope.onmessage = (/** @type {MessageEvent} */ event) => void handle(event.data);
  scope.postMessage({ ready: true });
}
