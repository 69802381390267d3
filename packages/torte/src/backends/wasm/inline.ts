/**
 * Programs that run on the calling thread, at once: instantiated synchronously over one memory that all of them share.
 * Each finds there only what is written for it before it runs, and its results are copied out, so that none of them owns
 * a place, and none has to be freed.
 */
import type { Program, State } from "../../graph/node.js";
import { sizeOf } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { Heap } from "./heap.js";
import { compileModule } from "./module.js";
import { fromMemory, toMemory } from "./memory-values.js";
import { hasRelaxedSimd, MAXIMUM_PAGES, PAGE } from "./session.js";

let memory: WebAssembly.Memory | undefined;

/** The memory, with room for so many bytes. */
function memoryOf(bytes: number): WebAssembly.Memory {
  memory ??= new WebAssembly.Memory({ initial: 1, maximum: MAXIMUM_PAGES });
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE);
  if (missing > 0) memory.grow(missing);
  return memory;
}

/** A program without updates over the values of some states. */
export type InlineProgram = (values: readonly Tensor[]) => Tensor[];

/** `states` are what the program reads; their values come with each call. */
export function compileInline(
  program: Program,
  states: readonly State[],
  precision: "fast" | "reproducible" = "fast",
): InlineProgram {
  const heap = new Heap(PAGE);
  const addresses = new Map(states.map((state) => [state, heap.allocate(4 * sizeOf(state.shape))]));
  const addressOf = (state: State): number => {
    const address = addresses.get(state);
    if (address === undefined) throw new RangeError(`state ${state.name} is not among those of the program`);
    return address;
  };
  const fma = precision === "fast" && hasRelaxedSimd();
  const {
    code: bytes,
    constants,
    outputs,
  } = compileModule(
    program,
    { shared: false, threads: 1, maximumPages: MAXIMUM_PAGES, fma },
    { lowest: PAGE, stateAddress: addressOf, reserve: (size) => heap.allocate(size) },
  );
  const code = new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
  const instance = new WebAssembly.Instance(code, { env: { memory: memoryOf(heap.end) } });
  const run = instance.exports["run"] as (steps: number, thread: number) => void;
  const places = states.map((state) => ({ dtype: state.dtype, address: addressOf(state) }));
  return (values) => {
    const { buffer } = memoryOf(heap.end);
    new Int32Array(buffer, constants.address, constants.words.length).set(constants.words);
    places.forEach(({ dtype, address }, i) => {
      const data = values[i]?.data;
      if (data !== undefined) toMemory(dtype, data, buffer, address);
    });
    run(1, 0);
    return outputs.map(({ address, shape, dtype }) =>
      fromMemory(dtype, buffer.slice(address, address + 4 * sizeOf(shape)), shape),
    );
  };
}
