/** Finding a data file: the option, the environment's folder, the user's cache, the network. Always checked. */
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { DataError } from "torte";
import { isAlive, THIS_PROCESS } from "./run-folder.js";

export interface DataFileRequest {
  readonly file: string;
  readonly sha256?: string;
  readonly url?: string;
}

export interface DataFileOptions {
  /** `--data`: the file, or a folder that has it. */
  readonly path?: string | undefined;
  /** The folder that `TORTE_DATA` names. */
  readonly folder?: string | undefined;
  /** Default: `torte` in the user's cache folder. */
  readonly cache?: string;
  readonly signal?: AbortSignal;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
  /** Milliseconds without an answer, or without a further byte, before a download is given up. Default 20 seconds. */
  readonly patience?: number;
  /** Told while a download goes on; the total is unknown where the server does not say. */
  readonly onDownload?: (received: number, total: number | undefined) => void;
}

/** Bytes and their checksum. */
interface Hashed {
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

export type DataFile =
  | (Hashed & { readonly path: string; readonly from: "--data" | "TORTE_DATA" | "cache" | "download" })
  | { readonly path?: undefined; readonly reason: string };

/**
 * The file, or why it cannot be had. Its bytes are those that the checksum was made of, whatever becomes of the file.
 *
 * @throws DataError for a file that is there but is not the right one, and for a `--data` that is not there.
 */
export async function findDataFile(request: DataFileRequest, options: DataFileOptions = {}): Promise<DataFile> {
  const { path, folder, cache = cacheFolder(), signal } = options;
  if (path !== undefined) {
    const place = given(request, path);
    return { path: place, ...(await readChecked(request, place, signal)), from: "--data" };
  }
  if (folder !== undefined && folder !== "") {
    if (!existsSync(folder))
      throw new DataError({ where: "TORTE_DATA", problem: "there is no such folder", received: folder });
    const here = join(folder, request.file);
    if (existsSync(here)) return { path: here, ...(await readChecked(request, here, signal)), from: "TORTE_DATA" };
  }
  const cached = join(cache, request.file);
  if (existsSync(cached)) {
    const found = await readHashed(cached, signal);
    if (request.sha256 === undefined || found.sha256 === request.sha256)
      return { path: cached, ...found, from: "cache" };
    await rm(cached, { force: true });
  }
  if (request.url === undefined) return { reason: `${request.file} is in none of the places where it is looked for` };
  return download(request, request.url, cached, options);
}

function given({ file }: DataFileRequest, path: string): string {
  if (!existsSync(path)) throw new DataError({ where: "--data", problem: "there is no such file", received: path });
  if (!statSync(path).isDirectory()) return path;
  const inside = join(path, file);
  if (!existsSync(inside))
    throw new DataError({ where: "--data", problem: `the folder has no ${file}`, received: path });
  return inside;
}

async function readChecked(
  { sha256 }: DataFileRequest,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Hashed> {
  const found = await readHashed(path, signal);
  if (sha256 === undefined || found.sha256 === sha256) return found;
  throw new DataError({
    where: path,
    problem: "the checksum is wrong",
    expected: `SHA-256 ${sha256}`,
    received: found.sha256,
    fix: "The file is cut short, corrupt or another one; get it anew.",
  });
}

/** Bytes at a time; between two parts an interruption is heard. */
const PART = 1 << 22;

async function readHashed(path: string, signal: AbortSignal | undefined): Promise<Hashed> {
  // A pipe would be waited for, a device would never end.
  if (!(await stat(path)).isFile())
    throw new DataError({ where: path, problem: "this is no file", expected: "a file with data" });
  const handle = await open(path);
  try {
    const hash = createHash("sha256");
    const bytes = room((await handle.stat()).size, path);
    let at = 0;
    while (at < bytes.length) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(bytes, at, Math.min(PART, bytes.length - at), at);
      if (bytesRead === 0) break;
      hash.update(bytes.subarray(at, at + bytesRead));
      at += bytesRead;
    }
    return { bytes: bytes.subarray(0, at), sha256: hash.digest("hex") };
  } finally {
    await handle.close();
  }
}

function room(size: number, path: string): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch {
    throw new DataError({ where: path, problem: "the file is too large to be read", received: `${size} bytes` });
  }
}

/** The folder for what can be fetched again. */
export function cacheFolder(
  platform: NodeJS.Platform = process.platform,
  environment: NodeJS.ProcessEnv = process.env,
): string {
  if (platform === "win32")
    return join(environment["LOCALAPPDATA"] ?? join(homedir(), "AppData", "Local"), "torte", "Cache");
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "torte");
  const base = environment["XDG_CACHE_HOME"];
  return join(base === undefined || base === "" ? join(homedir(), ".cache") : base, "torte");
}

const PATIENCE_MS = 20_000;

/** Kept in the cache only when it is whole and right. */
async function download(
  request: DataFileRequest,
  url: string,
  target: string,
  options: DataFileOptions,
): Promise<DataFile> {
  let fetched: Hashed;
  try {
    fetched = await fetchAll(url, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    return { reason: `${url} cannot be downloaded (${causeOf(error)})` };
  }
  if (request.sha256 !== undefined && fetched.sha256 !== request.sha256)
    return { reason: `${url} gave something else (its checksum is wrong)` };
  const kept = await keep(target, fetched.bytes);
  return { path: kept ? target : url, ...fetched, from: "download" };
}

let copies = 0;

/** Puts a file into the cache, as a whole; a cache that takes none (read-only, full) costs only the next download. */
async function keep(target: string, bytes: Uint8Array): Promise<boolean> {
  const { host, pid } = THIS_PROCESS;
  const part = join(dirname(target), `.${basename(target)}.${host}.${pid}.${copies++}.part`);
  try {
    await mkdir(dirname(target), { recursive: true });
    await sweep(dirname(target));
    await writeFile(part, bytes, { flag: "wx", flush: true });
    await rename(part, target);
    return true;
  } catch {
    await rm(part, { force: true }).catch(() => undefined);
    return false;
  }
}

/** Removes copies that processes of this machine which are gone have left half written. */
async function sweep(cache: string): Promise<void> {
  for (const file of await readdir(cache)) {
    const [, pid] = /\.(\d+)\.\d+\.part$/.exec(file) ?? [];
    if (pid === undefined || !file.includes(`.${THIS_PROCESS.host}.${pid}.`) || isAlive(Number(pid))) continue;
    await rm(join(cache, file), { force: true });
  }
}

async function fetchAll(url: string, options: DataFileOptions): Promise<Hashed> {
  const stalled = new AbortController();
  const patience = options.patience ?? PATIENCE_MS;
  const stop = (): void => {
    stalled.abort(new Error(`nothing came for ${patience / 1000} s`));
  };
  let timer = setTimeout(stop, patience);
  const signal = options.signal === undefined ? stalled.signal : AbortSignal.any([options.signal, stalled.signal]);
  try {
    const response = await (options.fetch ?? fetch)(url, { signal });
    if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
    const length = Number(response.headers.get("content-length"));
    const hash = createHash("sha256");
    const parts: Uint8Array[] = [];
    let received = 0;
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(stop, patience);
      hash.update(part.value);
      parts.push(part.value);
      received += part.value.length;
      options.onDownload?.(received, length > 0 ? length : undefined);
    }
    return { bytes: Buffer.concat(parts), sha256: hash.digest("hex") };
  } finally {
    clearTimeout(timer);
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return "code" in cause && cause.code === "ENOTFOUND" ? "no network" : cause.message;
}
