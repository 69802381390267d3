// A job on disk: a description in JSON, its arrays in one file after the other of 32-bit numbers.
import { readFileSync } from "node:fs";

const bytes = (path) => {
  const buffer = readFileSync(path);
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length);
};

export function readJob(path) {
  const job = JSON.parse(readFileSync(path, "utf8"));
  const all = new Float32Array(bytes(`${path}.weights`));
  const weights = Object.fromEntries(
    job.weights.map(({ name, shape, offset, size }) => [name, { shape, data: all.subarray(offset, offset + size) }]),
  );
  const x = new (job.classes === 1 ? Int32Array : Float32Array)(bytes(`${path}.x`));
  return { ...job, weights, x, y: new Float32Array(bytes(`${path}.y`)) };
}
