/** A module of one function that looks through memory for numbers that are NaN or infinite. */
import { Code, I32, MEMORY, OP, SIMD, V128, WasmModule } from "./encoder.js";

/** The number of bytes between `from` and `to` is a multiple of this. */
export const FINITE_STEP = 64;
const VECTOR = 16;
/** The bits of a number without its sign, as an integer: the largest finite one's are below those of infinity and NaN. */
const MAGNITUDE = 0x7fffffff;
const LARGEST_FINITE = 0x7f7fffff;

/** Exports `anyNotFinite(from, to)`: 1 where one of the float32 from address `from` to before `to` is NaN or infinite, else 0. */
export function finiteModule(memory: WasmModule["memory"]): Uint8Array {
  const module = new WasmModule(memory);
  const code = new Code(2);
  const largest = code.newLocal(V128);
  code.loop();
  for (let place = 0; place < FINITE_STEP; place += VECTOR)
    code
      .get(largest)
      .get(0)
      .memory(MEMORY.load, place)
      .splat(MAGNITUDE)
      .simd(SIMD.and)
      .simd(SIMD.i32x4MaxS)
      .set(largest);
  code.get(0).i32(FINITE_STEP).op(OP.i32Add).tee(0).get(1).op(OP.i32Ne).branchIf(0).op(OP.end);
  code.get(largest).splat(LARGEST_FINITE).simd(SIMD.i32x4GtS).simd(SIMD.anyTrue);
  module.add([I32, I32], [I32], code, "anyNotFinite");
  return module.encode();
}
