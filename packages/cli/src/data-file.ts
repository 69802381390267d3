/** Finding a data file: the option, the environment's folder, the user's cache, the network. Always checked. */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { DataError } from "torte";

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

export type DataFile =
  | { readonly path: string; readonly sha256: string; readonly from: "--data" | "TORTE_DATA" | "cache" | "download" }
  | { readonly path?: undefined; readonly reason: string };

/**
 * Where the file is, or why it cannot be had.
 *
 * @throws DataError for a file that is there but is not the right one, and for a `--data` that is not there.
 */
export async function findDataFile(request: DataFileRequest, options: DataFileOptions = {}): Promise<DataFile> {
  const { path, folder, cache = cacheFolder() } = options;
  if (path !== undefined)
    return { path: given(request, path), sha256: await checked(request, given(request, path)), from: "--data" };
  if (folder !== undefined && folder !== "") {
    if (!existsSync(folder))
      throw new DataError({ where: "TORTE_DATA", problem: "there is no such folder", received: folder });
    const here = join(folder, request.file);
    if (existsSync(here)) return { path: here, sha256: await checked(request, here), from: "TORTE_DATA" };
  }
  const cached = join(cache, request.file);
  if (existsSync(cached)) {
    const sha256 = await hashOf(cached);
    if (request.sha256 === undefined || sha256 === request.sha256) return { path: cached, sha256, from: "cache" };
    await rm(cached);
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

async function checked({ sha256 }: DataFileRequest, path: string): Promise<string> {
  const received = await hashOf(path);
  if (sha256 !== undefined && received !== sha256) {
    const fix = "The file is cut short, corrupt or another one; get it anew.";
    throw new DataError({
      where: path,
      problem: "the checksum is wrong",
      expected: `SHA-256 ${sha256}`,
      received,
      fix,
    });
  }
  return received;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest("hex");
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

/** Downloads beside the place and moves the file there when it is whole and right; else nothing is left behind. */
async function download(
  request: DataFileRequest,
  url: string,
  target: string,
  options: DataFileOptions,
): Promise<DataFile> {
  const part = `${target}.${randomUUID()}.part`;
  try {
    await mkdir(join(target, ".."), { recursive: true });
    const sha256 = await fetchTo(part, url, options);
    if (request.sha256 !== undefined && sha256 !== request.sha256)
      return { reason: `${url} gave something else (its checksum is wrong)` };
    await rename(part, target);
    return { path: target, sha256, from: "download" };
  } catch (error) {
    options.signal?.throwIfAborted();
    return { reason: `${url} cannot be downloaded (${causeOf(error)})` };
  } finally {
    await rm(part, { force: true });
  }
}

async function fetchTo(part: string, url: string, options: DataFileOptions): Promise<string> {
  const stalled = new AbortController();
  const patience = options.patience ?? PATIENCE_MS;
  const stop = (): void => {
    stalled.abort(new Error(`nothing came for ${patience / 1000} s`));
  };
  let timer = setTimeout(stop, patience);
  const signal = options.signal === undefined ? stalled.signal : AbortSignal.any([options.signal, stalled.signal]);
  const file = await open(part, "wx");
  try {
    const response = await (options.fetch ?? fetch)(url, { signal });
    if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
    const length = Number(response.headers.get("content-length"));
    const hash = createHash("sha256");
    let received = 0;
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(stop, patience);
      hash.update(part.value);
      await file.write(part.value);
      received += part.value.length;
      options.onDownload?.(received, length > 0 ? length : undefined);
    }
    await file.sync();
    return hash.digest("hex");
  } finally {
    clearTimeout(timer);
    await file.close();
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return "code" in cause && cause.code === "ENOTFOUND" ? "no network" : cause.message;
}
