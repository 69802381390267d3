/** Writing files in Node. */
import { DataError, OptionError } from "../errors.js";
import { builtin } from "../builtin.js";
import { isNode } from "../host.js";

/** What a file is written from. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array>;

/** `replaceFile`, in a folder that is made where it is missing. */
export async function writeWhole(path: string, content: FileContent): Promise<void> {
  await makeFolder(parts(path).folder).catch((error: unknown) => {
    throw unwritable(path, error);
  });
  await replaceFile(path, content);
}

/**
 * Writes a file so that its path has either the old contents or the new, whole, whatever happens: to another name beside it
 * (.NAME.part), through to the disk, then renamed. Node only.
 *
 * @throws DataError where it cannot be written, with the system's error as its cause; the old file is then as it was, and nothing is left beside it.
 */
export async function replaceFile(path: string, content: FileContent): Promise<void> {
  const files = builtin("node:fs/promises");
  const { folder, name } = parts(path);
  const part = `${folder}.${name}.part`;
  try {
    await refuseDevice(path);
    const handle = await files.open(part, "w");
    try {
      await files.writeFile(handle, content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await files.rename(part, path);
  } catch (error) {
    await files.rm(part, { force: true }).catch(() => undefined); // what counts is why it could not be written
    throw unwritable(path, error);
  }
  await syncFolder(folder);
}

/** A device or a pipe must not be replaced by a file. */
async function refuseDevice(path: string): Promise<void> {
  const there = await builtin("node:fs/promises")
    .stat(path)
    .catch(() => undefined);
  if (there !== undefined && !there.isFile() && !there.isDirectory()) throw new Error("it is no file");
}

/** The bytes in blocks of this size, small pieces put together and large ones taken apart: time for others in between. */
export function* inBlocks(pieces: Iterable<Uint8Array>, size: number): Generator<Uint8Array> {
  let block = new Uint8Array(size);
  let filled = 0;
  for (const piece of pieces)
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + size - filled);
      block.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < size) continue;
      yield block;
      [block, filled] = [new Uint8Array(size), 0];
    }
  if (filled > 0) yield block.subarray(0, filled);
}

/** Adds to the end of a file, which is made where it is missing. @throws DataError where that cannot be. */
export async function append(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await makeFolder(parts(path).folder);
    await builtin("node:fs/promises").appendFile(path, content);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** @throws OptionError outside of Node. */
export function needFiles(where: string): void {
  if (!isNode()) throw new OptionError({ where, problem: "it writes files, which there are none of in a browser" });
}

/** The folder with its separator, "" for none. */
function parts(path: string): { folder: string; name: string } {
  const [folder = ""] = /^.*[/\\]/s.exec(path) ?? [];
  return { folder, name: path.slice(folder.length) };
}

/** Folder by folder: Node's recursive mkdir never returns on file systems that accept no folders. */
export async function makeFolder(folder: string): Promise<void> {
  const files = builtin("node:fs/promises");
  if (folder === "" || (await isFolder(folder))) return;
  await makeFolder(parts(folder.replace(/[/\\]+$/, "")).folder);
  await files.mkdir(folder).catch(async (error: unknown) => {
    if (!(await isFolder(folder))) throw error; // another one may have made it
  });
}

const isFolder = async (path: string): Promise<boolean> =>
  builtin("node:fs/promises")
    .stat(path)
    .then((facts) => facts.isDirectory())
    .catch(() => false);

/** So that the new name is on the disk, too; not all systems can. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await builtin("node:fs/promises")
    .open(folder === "" ? "." : folder, "r")
    .catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

export function unwritable(path: string, error: unknown): DataError {
  const reason = error instanceof Error ? error.message.replace(/, \w+( '.*')?$/, "") : String(error);
  const wrong = new DataError({ where: path, problem: `the file cannot be written (${reason})` });
  wrong.cause = error;
  return wrong;
}
