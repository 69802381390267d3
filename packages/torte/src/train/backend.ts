/** Which backend a model runs on. */
import { oneOf, positiveInteger } from "../errors.js";
import { cores, environment } from "../host.js";
import type { Backend } from "../backends/backend.js";
import { createReferenceBackend } from "../backends/reference/index.js";
import { createWasmBackend } from "../backends/wasm/session.js";

export type BackendName = "wasm" | "reference";
export type Precision = "fast" | "reproducible";

export interface BackendOptions {
  /** "wasm" compiles; "reference" interprets in float64, slowly. Default "wasm", or the environment's TORTE_BACKEND. */
  readonly backend?: BackendName;
  /** "reproducible" gives the same bits on every host. Default "fast". */
  readonly precision?: Precision;
  /**
   * Threads that share the work; results do not depend on it. More than the machine has cores would wait for each other, so
   * that no more are used. Default: the machine's cores.
   */
  readonly threads?: number;
}

export function selectBackend(options: BackendOptions = {}): Backend {
  const asked = options.backend ?? environment("TORTE_BACKEND") ?? "wasm";
  const name = oneOf("model", "backend", asked, ["wasm", "reference"]);
  const precision = oneOf("model", "precision", options.precision ?? "fast", ["fast", "reproducible"]);
  if (name === "reference") return createReferenceBackend();
  const threads = positiveInteger("model", "threads", options.threads ?? cores());
  return createWasmBackend({ precision, threads: Math.min(threads, cores()) });
}
