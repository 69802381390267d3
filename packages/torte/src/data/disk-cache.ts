/** Examples on disk, one behind the other: what a first pass has brought out, for those that come later. Node only. */
import { builtin } from "../builtin.js";
import { DataError } from "../errors.js";
import type { HostDType } from "../tensor/dtype.js";
import { arrayOf, Tensor } from "../tensor/tensor.js";
import { asList, columnsOf, type Parts, type TensorOrList } from "./example.js";
import { BYTES } from "./elements.js";
import type { Examples } from "./stages.js";

/** What an example is told by, before its bytes. */
interface Header {
  readonly parts: readonly {
    readonly name: "x" | "y" | "sampleWeight";
    /** One tensor, a list of them, or by these names. */
    readonly form: "one" | "list" | readonly string[];
    readonly tensors: readonly { readonly dtype: HostDType; readonly shape: readonly number[] }[];
  }[];
}

/** "Torte, examples, version 1" in four bytes. */
const MAGIC = 0x31584554;
/** No header is longer. */
const LONGEST_HEADER = 2 ** 20;

/** Gives the examples on, and keeps them in the file once all of them have come. */
export async function* keptOnDisk(source: Examples, path: string): AsyncGenerator<Parts> {
  const files = builtin("node:fs/promises");
  const part = `${path}.part`;
  const file = await files.open(part, "w").catch((error: unknown) => {
    throw unusable(path, "cannot be written", error);
  });
  let whole = false;
  try {
    for await (const example of source) {
      await file.write(recordOf(example)).catch((error: unknown) => {
        throw unusable(path, "cannot be written", error);
      });
      yield example;
    }
    await file.sync();
    whole = true;
  } finally {
    await file.close();
    if (whole) await files.rename(part, path);
    else await files.rm(part, { force: true });
  }
}

export async function isKept(path: string): Promise<boolean> {
  return builtin("node:fs/promises")
    .stat(path)
    .then((found) => found.isFile())
    .catch(() => false);
}

/** @throws DataError for a file that is none of these, or is cut short. */
export async function* fromDisk(path: string): AsyncGenerator<Parts> {
  const file = await builtin("node:fs/promises").open(path, "r");
  try {
    const { size } = await file.stat();
    const read = async (at: number, bytes: number): Promise<Uint8Array> => {
      if (at + bytes > size) throw corrupt(path, "it is cut short");
      const into = new Uint8Array(bytes);
      const { bytesRead } = await file.read(into, 0, bytes, at);
      if (bytesRead < bytes) throw corrupt(path, "it is cut short");
      return into;
    };
    for (let at = 0; at < size;) {
      const [magic = 0, length = 0] = new Uint32Array((await read(at, 8)).buffer);
      if (magic !== MAGIC || length > LONGEST_HEADER) throw corrupt(path, "it holds something else");
      const header = headerOf(path, await read(at + 8, length));
      const tensors = header.parts.flatMap((part) => part.tensors);
      const bytes = tensors.reduce((sum, { dtype, shape }) => sum + BYTES[dtype] * product(shape), 0);
      yield exampleOf(header, await read(at + 8 + length, bytes));
      at += 8 + length + bytes;
    }
  } finally {
    await file.close();
  }
}

function headerOf(path: string, bytes: Uint8Array): Header {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Header;
  } catch {
    throw corrupt(path, "a header is no JSON");
  }
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function recordOf(example: Parts): Uint8Array {
  const { names = {} } = columnsOf(example);
  const given = (["x", "y", "sampleWeight"] as const).flatMap((name) => {
    const value = example[name];
    return value === undefined ? [] : [{ name, value }];
  });
  const parts = given.map(({ name, value }) => ({
    name,
    form: value instanceof Tensor ? ("one" as const) : (names[name] ?? ("list" as const)),
    tensors: asList(value).map(({ dtype, shape }) => ({ dtype, shape })),
  }));
  const header = new TextEncoder().encode(JSON.stringify({ parts } satisfies Header));
  const data = given.flatMap(({ value }) => asList(value)).map((tensor) => tensor.data);
  const record = new Uint8Array(8 + header.length + data.reduce((sum, { byteLength }) => sum + byteLength, 0));
  new DataView(record.buffer).setUint32(0, MAGIC, true);
  new DataView(record.buffer).setUint32(4, header.length, true);
  record.set(header, 8);
  let at = 8 + header.length;
  for (const { buffer, byteOffset, byteLength } of data) {
    record.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return record;
}

function exampleOf({ parts }: Header, bytes: Uint8Array): Parts {
  let at = 0;
  const next = ({ dtype, shape }: Header["parts"][number]["tensors"][number]): Tensor => {
    const data = arrayOf(dtype, product(shape));
    new Uint8Array(data.buffer).set(bytes.subarray(at, at + data.byteLength));
    at += data.byteLength;
    return new Tensor(data, shape, dtype);
  };
  const values = parts.map(({ name, form, tensors }): readonly [string, TensorOrList] => {
    const list = tensors.map(next);
    const [only] = list;
    if (form === "one" && only !== undefined) return [name, only];
    return [name, Array.isArray(form) ? Object.fromEntries(list.map((tensor, i) => [String(form[i]), tensor])) : list];
  });
  return Object.fromEntries(values) as unknown as Parts;
}

const unusable = (path: string, problem: string, error: unknown): DataError =>
  new DataError({
    where: path,
    problem: `the cache ${problem}`,
    received: error instanceof Error ? error.message : String(error),
  });

const corrupt = (path: string, problem: string): DataError =>
  new DataError({
    where: path,
    problem: `this is no cache of examples: ${problem}`,
    fix: "Delete it to make it anew.",
  });
