/** Values as they lie in the engine's memory: 32 bits each, true as −1. */
import type { DType, TypedArray } from "../../tensor/dtype.js";
import { isHostObject } from "../../tensor/realm.js";
import type { Shape } from "../../tensor/shape.js";
import { Tensor } from "../../tensor/tensor.js";

export function toMemory(dtype: DType, values: TypedArray, buffer: ArrayBuffer, address: number): void {
  if (dtype === "float32") new Float32Array(buffer, address, values.length).set(values);
  else {
    const words = new Int32Array(buffer, address, values.length);
    if (dtype === "int32") words.set(values);
    else for (let i = 0; i < values.length; i++) words[i] = -Number(values[i] !== 0);
  }
}

export function fromMemory(dtype: DType, buffer: ArrayBuffer, shape: Shape): Tensor {
  if (dtype === "float32") return new Tensor(new Float32Array(buffer), shape, dtype);
  const words = new Int32Array(buffer);
  return new Tensor(dtype === "int32" ? words : Uint8Array.from(words, (word) => Number(word !== 0)), shape, dtype);
}

export function asBuffer(value: unknown): ArrayBuffer {
  // Not by instanceof: messages may come in buffers of another realm.
  if (!isHostObject(value, "ArrayBuffer")) throw new RangeError("the engine returns a buffer");
  return value;
}

export function bytesOf(memory: ArrayBufferLike, from: number, length: number): ArrayBuffer {
  const bytes = new Uint8Array(length);
  bytes.set(new Uint8Array(memory, from, length));
  return bytes.buffer;
}
