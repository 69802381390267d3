// @ts-check
/** A job on disk: a description in JSON, its arrays in one file after the other of 32-bit numbers. */
import { readFileSync, writeFileSync } from "node:fs";

/**
 * @template Numbers
 * @typedef {Record<string, { readonly shape: readonly number[], readonly data: Numbers }>} Weights
 */

/**
 * @typedef {{ x: Int32Array | Float32Array, y: Float32Array }} Data
 * @typedef {object} Description
 * @property {"train" | "predict"} mode What a contestant does with a batch.
 * @property {string} model
 * @property {number} batch
 * @property {number} rows
 * @property {readonly number[]} shape Of a row.
 * @property {number} classes
 * @property {number} [tokens]
 */

/** @param {string} path */
const bytes = (path) => {
  const buffer = readFileSync(path);
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length);
};

/** @param {string} path @param {Description} description @param {Weights<NodeJS.TypedArray>} weights @param {Data} data */
export function writeJob(path, description, weights, { x, y }) {
  let offset = 0;
  const places = Object.entries(weights).map(([name, { shape, data }]) => {
    const place = { name, shape, offset, size: data.length };
    offset += data.length;
    return place;
  });
  writeFileSync(path, JSON.stringify({ ...description, weights: places }));
  writeFileSync(`${path}.x`, x);
  writeFileSync(`${path}.y`, y);
  writeFileSync(
    `${path}.weights`,
    Buffer.concat(Object.values(weights).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength))),
  );
}

/** @param {string} path @returns {Description & Data & { weights: Weights<Float32Array> }} */
export function readJob(path) {
  const { weights: places, ...description } = JSON.parse(readFileSync(path, "utf8"));
  const all = new Float32Array(bytes(`${path}.weights`));
  /** @type {{ name: string, shape: number[], offset: number, size: number }[]} */
  const list = places;
  const weights = Object.fromEntries(
    list.map(({ name, shape, offset, size }) => [name, { shape, data: all.subarray(offset, offset + size) }]),
  );
  const x = new (description.tokens !== undefined ? Int32Array : Float32Array)(bytes(`${path}.x`));
  return { ...description, weights, x, y: new Float32Array(bytes(`${path}.y`)) };
}
