/** Where files come from: a path (Node), an address (everywhere), or bytes at hand. */
import { isHostObject } from "../tensor/realm.js";
import { DataError, show } from "../errors.js";
import { builtin } from "../builtin.js";
import { isNode } from "../host.js";

/** Where bytes come from: a path, an address, or the bytes themselves. */
export type Source = string | URL | Uint8Array | ArrayBuffer;

/** The name of a source in messages. */
export function sourceName(source: Source, otherwise: string): string {
  return typeof source === "string" || isHostObject(source, "URL") ? String(source) : otherwise;
}

/** Without an answer, or a further byte, for so long, a download is given up. */
const PATIENCE_MS = 30_000;

/** All bytes of the source. @throws DataError where they cannot be had. */
export async function readSource(source: Source, where: string, patience = PATIENCE_MS): Promise<Uint8Array> {
  // Not by instanceof, which is false for bytes of another realm (an iframe, node:vm, Jest).
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (isBuffer(source)) return new Uint8Array(source);
  if (typeof source !== "string" && !isHostObject(source, "URL")) {
    throw new DataError({ where, problem: "no file", expected: "a path, an address or bytes", received: show(source) });
  }
  return isFile(source) ? readFile(source, where) : download(source, where, patience);
}

const isBuffer = (source: unknown): source is ArrayBuffer =>
  isHostObject(source, "ArrayBuffer") || isHostObject(source, "SharedArrayBuffer");

/** Whether a path or an address is that of a file, which there are in Node only. */
export const isFile = (source: string | URL): boolean => isNode() && !/^(https?|data|blob):/.test(String(source));

/** The path of a file as Node's functions take it. */
export const pathOf = (source: string | URL): string | URL =>
  typeof source === "string" && source.startsWith("file:") ? new URL(source) : source;

async function readFile(source: string | URL, where: string): Promise<Uint8Array> {
  const files = builtin("node:fs/promises");
  try {
    const path = pathOf(source);
    return new Uint8Array(await files.readFile(path));
  } catch (error) {
    throw unreadable(where, "the file cannot be read", error);
  }
}

async function download(source: string | URL, where: string, patience: number): Promise<Uint8Array> {
  const silence = new AbortController();
  const stop = (): void => {
    silence.abort(new Error(`nothing came for ${patience / 1000} s`));
  };
  let timer = setTimeout(stop, patience);
  const parts: Uint8Array[] = [];
  let status = 0;
  try {
    const response = await fetch(source, { signal: silence.signal });
    if (!response.ok) status = response.status;
    const reader = status === 0 ? response.body?.getReader() : undefined;
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
      clearTimeout(timer);
      timer = setTimeout(stop, patience);
      parts.push(part.value);
    }
    if (status !== 0) await response.body?.cancel();
  } catch (error) {
    throw unreadable(where, "the download failed", error);
  } finally {
    clearTimeout(timer);
  }
  if (status === 0) return joinBytes(parts);
  throw new DataError({ where, problem: "the download failed", expected: "status 200", received: String(status) });
}

/** Parts one after the other. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function unreadable(where: string, problem: string, error: unknown): DataError {
  return new DataError({ where, problem, received: error instanceof Error ? error.message : String(error) });
}
