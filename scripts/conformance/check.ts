/** What all kinds of cases need: backends, tolerances, what is compared, what the library has. */
import * as torte from "torte";
import { type ModelOptions, type Tensor, tensor } from "torte";
import type { ArrayData, Arrays } from "./cases.js";

/** The compiled backend in both precisions, and the interpreter. */
export type BackendName = "wasm" | "reproducible" | "reference";
export const BACKENDS: readonly BackendName[] = ["wasm", "reproducible", "reference"];
/** Allowed difference: relative · |expected| + absolute. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

export const TOLERANCES: Readonly<Record<BackendName, Tolerance>> = {
  wasm: { relative: 2e-5, absolute: 1e-5 },
  reproducible: { relative: 2e-5, absolute: 1e-5 },
  reference: { relative: 1e-9, absolute: 1e-9 },
};
/** Of cases that were recorded in float32, on any backend. */
export const RECORDED: Tolerance = { relative: 2e-5, absolute: 1e-5 };
const EXACT: Tolerance = { relative: 1e-6, absolute: 1e-9 };

export const toleranceOf = ({ exact }: { readonly exact?: boolean }, backend: BackendName): Tolerance =>
  exact === true && backend === "reference" ? EXACT : RECORDED;

export const optionsOf = (name: BackendName): Pick<ModelOptions, "backend" | "precision"> =>
  name === "reproducible" ? { backend: "wasm", precision: "reproducible" } : { backend: name };

export class NotBuilt extends Error {}

/** The cases are written with nine significant digits: half a unit of the ninth. */
const roundingOf = (value: number): number =>
  value === 0 ? 0 : 0.5 * 10 ** (Math.floor(Math.log10(Math.abs(value))) - 8);

/** Collects what differs by more than the tolerance. */
export class Check {
  readonly problems: string[] = [];
  readonly #tolerance: Tolerance;

  constructor(tolerance: Tolerance) {
    this.#tolerance = tolerance;
  }

  array(what: string, expected: ArrayData, received: Tensor | undefined, tolerance = this.#tolerance): void {
    if (received?.shape.join() !== expected.shape.join()) {
      this.problems.push(
        `${what}: expected shape [${expected.shape.join(", ")}], received ${received === undefined ? "nothing" : `[${received.shape.join(", ")}]`}`,
      );
      return;
    }
    this.numbers(what, expected.data, Array.from(received.data), tolerance);
  }

  numbers(what: string, expected: readonly number[], received: readonly number[], tolerance = this.#tolerance): void {
    let [worst, at] = [0, -1];
    expected.forEach((value, i) => {
      const other = received[i] ?? NaN;
      const error = Number.isFinite(other) ? Math.abs(other - value) : Infinity;
      const allowed = tolerance.relative * Math.abs(value) + tolerance.absolute + roundingOf(value);
      if (error > allowed && error > worst) [worst, at] = [error, i];
    });
    if (at >= 0)
      this.problems.push(
        `${what}: largest error ${worst.toExponential(2)}, element ${at}: expected ${expected[at] ?? NaN}, received ${received[at] ?? NaN}`,
      );
  }
}

/** Something of the public surface by its name. */
export function built(name: string): (options: object) => unknown {
  const found: unknown = name in torte ? torte[name as keyof typeof torte] : undefined;
  if (typeof found !== "function") throw new NotBuilt(`there is no ${name}`);
  return found as (options: object) => unknown;
}

export function hostTensor({ shape, data, dtype }: ArrayData, backend: BackendName): Tensor {
  if (dtype === "int32") return tensor(Int32Array.from(data), { shape });
  return backend === "reference"
    ? tensor(Float64Array.from(data), { shape, dtype: "float64" })
    : tensor(Float32Array.from(data), { shape });
}

export const hostTensors = (arrays: Arrays, backend: BackendName, prefix = ""): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(arrays).map(([name, array]) => [prefix + name, hostTensor(array, backend)]));
