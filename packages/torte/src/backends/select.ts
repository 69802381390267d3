/** Which backend a model, or a function, runs on. */
import { oneOf, positiveInteger } from "../errors.js";
import { cores, environment } from "../host.js";
import type { Backend } from "./backend.js";
import { createNativeBackend } from "./native/backend.js";
import { createReferenceBackend } from "./reference/index.js";
import { createWasmBackend } from "./wasm/session.js";

export type BackendName = "wasm" | "native" | "reference";
export type Precision = "fast" | "reproducible";

export interface BackendOptions {
  /**
   * "wasm" compiles to WebAssembly, which runs everywhere; "native" to this machine's own code, by way of its C compiler;
   * "reference" interprets in float64, slowly. Default "wasm", or the environment's TORTE_BACKEND.
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

export interface BackendSettings {
  readonly backend: BackendName;
  readonly precision: Precision;
  readonly threads: number;
}

/** The options with their defaults. */
export function readBackend(where: string, options: BackendOptions): BackendSettings {
  const asked = options.backend ?? environment("TORTE_BACKEND") ?? "wasm";
  const backend = oneOf(where, "backend", asked, ["wasm", "native", "reference"]);
  const precision = oneOf(where, "precision", options.precision ?? "fast", ["fast", "reproducible"]);
  const threads = positiveInteger(where, "threads", options.threads ?? cores());
  return { backend, precision, threads: Math.min(threads, cores()) };
}

export function selectBackend(options: BackendOptions = {}): Backend {
  const { backend, precision, threads } = readBackend("model", options);
  if (backend === "reference") return createReferenceBackend();
  return backend === "native" ? createNativeBackend({ precision, threads }) : createWasmBackend({ precision, threads });
}
