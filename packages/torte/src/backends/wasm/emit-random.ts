/** The generator of tensor/random.ts in vectors. */
import { MIX } from "../../tensor/random.js";
import { type Code, I32, OP, SIMD, V128 } from "./encoder.js";

const XOR = OP.i32Xor;

/** mix() of the word on the stack. */
function mixScalar(code: Code): void {
  const x = code.newLocal(I32);
  code.tee(x).get(x).i32(16).op(OP.i32ShrU).op(XOR).i32(MIX.first).op(OP.i32Mul);
  code.tee(x).get(x).i32(15).op(OP.i32ShrU).op(XOR).i32(MIX.second).op(OP.i32Mul);
  code.tee(x).get(x).i32(16).op(OP.i32ShrU).op(XOR);
}

function mixVector(code: Code, x: number): void {
  code.tee(x).get(x).i32(16).simd(SIMD.i32x4ShrU).simd(SIMD.xor).splat(MIX.first).simd(SIMD.i32x4Mul);
  code.tee(x).get(x).i32(15).simd(SIMD.i32x4ShrU).simd(SIMD.xor).splat(MIX.second).simd(SIMD.i32x4Mul);
  code.tee(x).get(x).i32(16).simd(SIMD.i32x4ShrU).simd(SIMD.xor);
}

export interface RandomOperands {
  /** Each pushes its value: the position as a vector, the others as scalars. */
  readonly position: () => void;
  readonly seed: () => void;
  readonly step: () => void;
}

/** Computes the two key words into locals, each in all lanes; they are the same for a whole kernel. */
export function emitKey(
  code: Code,
  stream: number,
  { seed, step }: Pick<RandomOperands, "seed" | "step">,
): readonly [number, number] {
  const word = code.newLocal(I32);
  const [k0, k1] = [code.newLocal(V128), code.newLocal(V128)];
  seed();
  code.i32(stream).i32(MIX.stream).op(OP.i32Add);
  mixScalar(code);
  code.op(XOR);
  step();
  code.i32(MIX.step).op(OP.i32Mul).op(OP.i32Add);
  mixScalar(code);
  code.tee(word).simd(SIMD.i32x4Splat).set(k0);
  code.get(word).i32(MIX.key).op(OP.i32Add);
  mixScalar(code);
  code.simd(SIMD.i32x4Splat).set(k1);
  return [k0, k1];
}

/** Pushes four uniform numbers. */
export function emitUniform(code: Code, [k0, k1]: readonly [number, number], position: () => void): void {
  const x = code.newLocal(V128);
  position();
  code.get(k0).simd(SIMD.xor);
  mixVector(code, x);
  code.get(k1).simd(SIMD.i32x4Add);
  mixVector(code, x);
  code
    .i32(8)
    .simd(SIMD.i32x4ShrU)
    .simd(SIMD.f32x4ConvertI32x4S)
    .float(2 ** -24)
    .simd(SIMD.f32x4Mul);
}
