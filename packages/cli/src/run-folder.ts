/** The folder of a run: files that are replaced as a whole, so that a reader or a crash never meets half of one. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { DataError, OptionError, replaceFile as replaceWhole, TorteError } from "torte";
import { readRecord, type RunRecord } from "./run-record.js";

/** A file of the run cannot be written. */
export class RunFileError extends TorteError {
  constructor(path: string, cause: unknown) {
    const fix = "Make room, or choose another place with --out.";
    super({ where: path, problem: `the file cannot be written (${reasonOf(cause)})`, fix });
    this.cause = cause;
  }
}

/** Which process writes a folder, for whoever wants to know whether it still does. */
export const THIS_PROCESS = { pid: process.pid, host: hostname() } as const;

/** Where a run says what it is and how far it has come. Whose file it is, its folder is. */
const CLAIM = "run.json";

export class RunFolder {
  private constructor(readonly path: string) {}

  /** Makes `runs/<time>-<name>`, or the folder that is asked for. @throws OptionError where it cannot be made. */
  static async create(
    name: string,
    asked: string | undefined,
    { now = new Date(), force = false }: { readonly now?: Date; readonly force?: boolean } = {},
  ): Promise<RunFolder> {
    if (asked !== undefined) {
      await RunFolder.check(asked, force);
      if (force) await clear(asked);
      await makeFolder("--out", asked);
      if (!(await claim(asked))) throw notEmpty(asked);
      return new RunFolder(asked);
    }
    await makeFolder("runs", "runs");
    await sweep("runs");
    for (let again = 1; ; again++) {
      const path = join("runs", `${stamp(now)}${again === 1 ? "" : `.${again}`}-${name}`);
      try {
        await mkdir(path);
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw unusable("runs", path, error);
        continue;
      }
      if (await claim(path)) return new RunFolder(path);
    }
  }

  /**
   * To be asked before anything that takes long; with `force`, a run that has ended may be in it.
   *
   * @throws OptionError where the folder has something in it already.
   */
  static async check(asked: string, force = false): Promise<void> {
    if (!existsSync(asked)) return;
    const contents = await contentsOf(asked);
    if (contents.length > 0 && !(force && contents.includes(CLAIM) && !(await isRunning(asked)))) throw notEmpty(asked);
  }

  /** The folder of a run that has been made. @throws DataError where it is none. */
  static async open(path: string): Promise<{ readonly folder: RunFolder; readonly run: RunRecord }> {
    const text = await readFile(join(path, CLAIM), "utf8").catch(() => undefined);
    if (text === undefined)
      throw new DataError({
        where: path,
        problem: "this is no run folder",
        expected: `a folder with ${CLAIM}, as torte train writes it`,
      });
    return { folder: new RunFolder(path), run: readRecord(text, join(path, CLAIM)) };
  }

  /** The folder of a run that is to go on. @throws DataError where it is none; OptionError where a process still writes it. */
  static async resume(path: string): Promise<{ readonly folder: RunFolder; readonly run: RunRecord }> {
    const opened = await RunFolder.open(path);
    if (!(await isRunning(path))) return opened;
    throw new OptionError({ where: "--resume", problem: "the run has not ended", received: path });
  }

  /** The file may lie in a folder of the run's. @throws RunFileError, after which the file is as it was. */
  async write(file: string, content: string | Uint8Array): Promise<void> {
    if (file.includes("/")) await makeFolder("--out", join(this.path, dirname(file)));
    await replaceFile(this.path, file, content);
  }

  writeJson(file: string, value: unknown): Promise<void> {
    return this.write(file, jsonOf(value));
  }
}

/**
 * Replaces a file of a folder as a whole; a run that is killed leaves one copy of it at most, which `sweep` finds.
 *
 * @throws RunFileError, after which the file is as it was.
 */
export async function replaceFile(folder: string, file: string, content: string | Uint8Array): Promise<void> {
  const path = join(folder, file);
  try {
    await replaceWhole(path, content);
  } catch (error) {
    throw new RunFileError(path, error instanceof DataError ? error.cause : error);
  }
}

const jsonOf = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Of two runs that want a folder at the same time, one makes this file; false for the other. */
async function claim(path: string): Promise<boolean> {
  try {
    const claimed = jsonOf({ status: "starting", process: THIS_PROCESS });
    await writeFile(join(path, CLAIM), claimed, { flag: "wx", flush: true });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw new RunFileError(join(path, CLAIM), error);
  }
}

/** Removes what runs that were killed while they wrote have left: copies that never took their file's place. */
async function sweep(runs: string): Promise<void> {
  for (const folder of await readdir(runs).catch(() => [])) {
    const path = join(runs, folder);
    const parts = (await readdir(path).catch(() => [])).filter(
      (file) => file.startsWith(".") && file.endsWith(".part"),
    );
    if (parts.length === 0 || !(await isAbandoned(path))) continue;
    for (const part of parts) await rm(join(path, part), { force: true }).catch(() => undefined);
  }
}

/** Takes away what an earlier run has written; its claim last, so that the folder is a run's until then. */
async function clear(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const contents = await readdir(path);
  for (const file of contents) if (file !== CLAIM) await rm(join(path, file), { recursive: true, force: true });
  await rm(join(path, CLAIM), { force: true });
}

/** Whether a process of this machine still writes the folder. */
async function isRunning(path: string): Promise<boolean> {
  const { status } = await recordOf(path);
  return (status === "running" || status === "starting") && !(await isAbandoned(path));
}

async function recordOf(path: string): Promise<{ readonly status?: unknown }> {
  try {
    return JSON.parse(await readFile(join(path, CLAIM), "utf8")) as { readonly status?: unknown };
  } catch {
    return {};
  }
}

/** Whether the process that wrote the folder is known to be gone. */
async function isAbandoned(path: string): Promise<boolean> {
  try {
    const { process: writer } = JSON.parse(await readFile(join(path, CLAIM), "utf8")) as {
      readonly process?: { readonly pid?: unknown; readonly host?: unknown };
    };
    if (writer?.host !== THIS_PROCESS.host || typeof writer.pid !== "number") return false;
    return !isAlive(writer.pid);
  } catch {
    return false;
  }
}

/** Whether this machine has such a process. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}

const notEmpty = (asked: string): OptionError =>
  new OptionError({
    where: "--out",
    problem: "the folder is not empty",
    expected: "a new or an empty folder",
    received: asked,
  });

async function contentsOf(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch {
    throw new OptionError({ where: "--out", problem: "this is no folder", received: path });
  }
}

/** Folder by folder: Node's recursive mkdir never returns on file systems that accept no folders. */
export async function makeFolder(where: string, path: string): Promise<void> {
  try {
    const above = dirname(resolve(path));
    if (!existsSync(above)) await makeFolder(where, above);
    await mkdir(path);
  } catch (error) {
    if (error instanceof OptionError) throw error;
    if (codeOf(error) !== "EEXIST") throw unusable(where, path, error);
  }
}

function unusable(where: string, path: string, error: unknown): OptionError {
  return new OptionError({ where, problem: `the folder ${path} cannot be made (${reasonOf(error)})` });
}

/** A system's message without the path, which is told beside it. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/, \w+( '.*')?$/, "") : String(error);
}

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);

/** Local time, as it sorts: 20260301-142530. */
function stamp(now: Date): string {
  const two = (n: number): string => String(n).padStart(2, "0");
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}
