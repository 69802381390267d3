/** Where files come from: a path (Node), an address (everywhere), or bytes at hand. */
import { DataError, show } from "../errors.js";
import { builtin, isNode } from "../host.js";

export type Source = string | URL | Uint8Array | ArrayBuffer;

/** The name of a source in messages. */
export function sourceName(source: Source, otherwise: string): string {
  return typeof source === "string" || source instanceof URL ? String(source) : otherwise;
}

/** All bytes of the source. @throws DataError where they cannot be had. */
export async function readSource(source: Source, where: string): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw new DataError({ where, problem: "no file", expected: "a path, an address or bytes", received: show(source) });
  }
  return isNode() && !/^(https?|data|blob):/.test(String(source)) ? readFile(source, where) : download(source, where);
}

async function readFile(source: string | URL, where: string): Promise<Uint8Array> {
  const files = builtin("node:fs/promises");
  try {
    const path = typeof source === "string" && source.startsWith("file:") ? new URL(source) : source;
    return new Uint8Array(await files.readFile(path));
  } catch (error) {
    throw unreadable(where, "the file cannot be read", error);
  }
}

async function download(source: string | URL, where: string): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(source);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw unreadable(where, "the download failed", error);
  }
  throw new DataError({
    where,
    problem: "the download failed",
    expected: "status 200",
    received: String(response.status),
  });
}

function unreadable(where: string, problem: string, error: unknown): DataError {
  return new DataError({ where, problem, received: error instanceof Error ? error.message : String(error) });
}
