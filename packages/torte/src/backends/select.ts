/** Which backend a model, or a function, runs on. */
import { oneOf, positiveInteger } from "../errors.js";
import { cores, environment } from "../host.js";
import type { Backend, BackendName } from "./backend.js";
import type { CodeGenerator } from "./compiled-program.js";
import { createReferenceBackend } from "./reference/index.js";
import { createEngineBackend, createWasmBackend } from "./wasm/session.js";

export type Precision = "fast" | "reproducible";

export interface BackendOptions {
  /**
   * "wasm" compiles to WebAssembly, which runs everywhere; "native" to this machine's own code, by way of its C compiler, and
   * waits for that; "auto" starts on WebAssembly, and where there is a compiler and a program runs for long, changes over to
   * its own code between two steps, which nobody sees but by the time. All three give the same bits. "reference" interprets in float64, slowly. Default "wasm", or the environment's TORTE_BACKEND.
   */
  readonly backend?: BackendName;
  /** "reproducible" gives the same bits on every host. Default "fast". */
  readonly precision?: Precision;
  /**
   * Threads that share the work; results do not depend on it. More than the machine has cores would wait for each other, so
   * that no more are used. Default: the machine's cores.
   */
  readonly threads?: number;
}

export type { BackendName };

export interface BackendSettings {
  readonly backend: BackendName;
  readonly precision: Precision;
  readonly threads: number;
}

/** The options with their defaults. */
export function readBackend(where: string, options: BackendOptions): BackendSettings {
  const asked = options.backend ?? environment("TORTE_BACKEND") ?? "wasm";
  const backend = oneOf(where, "backend", asked, ["wasm", "native", "auto", "reference"]);
  const precision = oneOf(where, "precision", options.precision ?? "fast", ["fast", "reproducible"]);
  const threads = positiveInteger(where, "threads", options.threads ?? cores());
  return { backend, precision, threads: Math.min(threads, cores()) };
}

/** Loaded where a model asks for it, so that pages do without. */
const NATIVE: CodeGenerator = {
  name: "native",
  generate: async (...given) => (await import("./native/backend.js")).NATIVE.generate(...given),
};
const AUTO: CodeGenerator = {
  name: "auto",
  generate: async (...given) => (await import("./native/auto.js")).AUTO.generate(...given),
};

export function selectBackend(options: BackendOptions = {}): Backend {
  const { backend, precision, threads } = readBackend("model", options);
  if (backend === "reference") return createReferenceBackend();
  if (backend === "wasm") return createWasmBackend({ precision, threads });
  return createEngineBackend(backend === "native" ? NATIVE : AUTO, { precision, threads });
}
