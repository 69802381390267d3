/**
 * Programs that are over in microseconds, in the thread that asks for them: a message to the engine and its answer take longer. They
 * run over the memory that the threads share, while the engine has nothing to do there.
 */
import { builtin } from "../../builtin.js";
import type { Loadable } from "../compiled-program.js";

/** Vector operations of a run that takes about as long as a message to the engine and its answer. */
const WORTH_A_MESSAGE = 500_000;
/** Bytes that are copied in a few microseconds. */
export const FEW_BYTES = 1 << 16;
/** So many runs that are not worth a message make it likely that there will be more. */
const OFTEN = 4;

/** So many steps, one after the other. */
type Code = (steps: number) => void;

/** What becomes of memory in a run. */
export interface RunAtHand {
  readonly steps: number;
  readonly writes: readonly { readonly address: number; readonly data: Uint8Array }[];
  /** What is copied after each step. */
  readonly outputs: readonly { readonly address: number; readonly bytes: number }[];
}

/** A program's code in this thread, fetched when it has been wanted often enough. */
export class AtHand {
  #wanted = 0;
  #module: Loadable | undefined;
  #code: Code | undefined;

  /** The outputs of a run, where it is not worth a message and the code is here. */
  run(module: Loadable, memory: WebAssembly.Memory, run: RunAtHand): ArrayBuffer[] | undefined {
    const bytes = run.writes.reduce((sum, { data }) => sum + data.byteLength, 0);
    if (module.work * run.steps > WORTH_A_MESSAGE || bytes > FEW_BYTES) return undefined;
    if (this.#module !== module && ++this.#wanted >= OFTEN) this.#fetch(module, memory);
    const code = this.#module === module ? this.#code : undefined;
    return code === undefined ? undefined : carriedOut(code, memory, run);
  }

  #fetch(module: Loadable, memory: WebAssembly.Memory): void {
    this.#module = module;
    this.#code = undefined;
    codeOf(module, memory).then(
      (code) => {
        if (this.#module === module) this.#code = code;
      },
      // Without it the engine goes on as before.
      () => undefined,
    );
  }
}

/** The outputs of each step, one after the other. */
function carriedOut(code: Code, memory: WebAssembly.Memory, { steps, writes, outputs }: RunAtHand): ArrayBuffer[] {
  for (const { address, data } of writes) new Uint8Array(memory.buffer).set(data, address);
  const results = outputs.map(({ bytes }) => new Uint8Array(bytes * steps));
  if (outputs.length === 0) code(steps);
  for (let step = 0; outputs.length > 0 && step < steps; step++) {
    code(1);
    for (const [k, { address, bytes }] of outputs.entries())
      results[k]?.set(new Uint8Array(memory.buffer, address, bytes), step * bytes);
  }
  return results.map(({ buffer }) => buffer);
}

/** For one thread. */
async function codeOf({ code }: Loadable, memory: WebAssembly.Memory): Promise<Code> {
  if (!(code instanceof Uint8Array)) return ofLibrary(code.path, code.places, memory);
  const { instance } = await WebAssembly.instantiate(code as Uint8Array<ArrayBuffer>, { env: { memory } });
  const { alone, run } = instance.exports;
  const entry = (alone ?? run) as (steps: number, thread: number) => void;
  return (steps) => {
    entry(steps, 0);
  };
}

/** What `native/module-text.ts` makes; in mode 1 one thread has it all to do. */
type Library = (memory: Uint8Array, places: Uint32Array, steps: number, thread: number, mode: number) => number;

function ofLibrary(path: string, places: Uint32Array, { buffer }: WebAssembly.Memory): Code {
  const library = { exports: {} };
  builtin("node:process").dlopen(library, path);
  const call = library.exports as Library;
  const start = new Uint8Array(buffer, 0, 1);
  return (steps) => {
    if (call(start, places, steps, 0, 1) !== 0) throw new Error("the library was called in the wrong way");
  };
}
