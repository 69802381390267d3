// The engine's thread with faults on demand: `inject` names one for the next message of an action, in one of the threads.
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";

runInThisContext(readFileSync(new URL("../backends/wasm/worker.mjs", import.meta.url), "utf8"));

// A second script sees what the first one has declared.
runInThisContext(`
  let fault, refuses = false;
  const FAULTS = {
    throw: () => { throw new Error("injected"); },
    trap: () => new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(
      [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 116, 0, 0, 10, 5, 1, 3, 0, 0, 11],
    ))).exports.t(),
    memory: () => new ArrayBuffer(2 ** 60),
    exit: () => process.exit(7),
    full: () => { refuses = true; },
  };
  function strike(action, when) {
    if (fault?.at !== action || fault.when !== when) return;
    const { kind } = fault;
    fault = undefined;
    FAULTS[kind]();
  }
  const struck = (action, real) => (message) => {
    strike(action, "before");
    const result = real(message);
    if (!(result instanceof Promise)) return strike(action, "after"), result;
    return result.then((value) => (strike(action, "after"), value));
  };
  for (const [action, real] of Object.entries(actions)) actions[action] = struck(action, real);
  // Within a run each thread calls its program.
  const load = actions.load;
  actions.load = async (message) => {
    await load(message);
    const loaded = session(message.session).programs.get(message.program);
    for (const name of ["run", "alone"]) {
      const real = loaded[name];
      loaded[name] = (...given) => { strike("step", "before"); real(...given); strike("step", "after"); };
    }
  };
  // Where kernels are measured, each is called by itself and ends where threads meet: between two of them the others wait.
  const measuring = measured;
  measured = (kernel, times) =>
    measuring((k, thread) => { strike("kernel " + k, "before"); kernel(k, thread); }, times);
  const growing = reserve;
  reserve = (memory, bytes) => {
    const refused = refuses;
    refuses = false;
    return !refused && growing(memory, bytes);
  };
  actions.inject = ({ thread, id, ...given }) => {
    if (thread > 0) helpers[thread - 1].post({ action: "inject", thread: 0, ...given });
    else fault = given;
  };
`);
