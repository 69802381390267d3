/**
 * The cache of compiled libraries, in a folder of the user's that nobody else can write to. An entry's name has the SHA-256 of what
 * it was made from and that of its contents, so that a broken one is known before it is loaded; it is written under another name
 * and renamed, and never changed. Processes that want the same entry wait for the one that makes it.
 */
import { builtin } from "../../builtin.js";
import { environment } from "../../host.js";

/** Bytes of all entries together; the ones used longest ago go first. */
const MOST_BYTES = 256 * 2 ** 20;
const POLL = 25;

const join = (...parts: readonly string[]): string => builtin("node:path").join(...parts);

export const sha256 = (contents: string | Uint8Array): string =>
  builtin("node:crypto").createHash("sha256").update(contents).digest("hex");

/** The user's own folder for what can be made again. */
export function cacheFolder(): string {
  const os = builtin("node:os");
  const asked = environment("TORTE_CACHE");
  if (asked !== undefined && asked !== "") return asked;
  const base =
    environment("XDG_CACHE_HOME") ??
    (os.platform() === "darwin" ? join(os.homedir(), "Library", "Caches") : join(os.homedir(), ".cache"));
  return join(base, "torte");
}

/** The folder of the cache and what is in it. */
export function cacheContents(): { readonly folder: string; readonly entries: number; readonly bytes: number } {
  const fs = builtin("node:fs");
  const folder = cacheFolder();
  try {
    const names = fs.readdirSync(folder).filter((name) => name.endsWith(".node"));
    const bytes = names.reduce((sum, name) => sum + fs.statSync(join(folder, name)).size, 0);
    return { folder, entries: names.length, bytes };
  } catch {
    return { folder, entries: 0, bytes: 0 };
  }
}

export interface Maker {
  /** Writes the library to a path; rejects where it cannot. */
  readonly make: (path: string) => Promise<void>;
  /** Loads it; rejects where that is not possible. */
  readonly load: (path: string) => Promise<void>;
  /** Milliseconds after which another process that makes the entry is taken for dead. */
  readonly patience: number;
}

/** The folder of this process for entries where the cache cannot be used. */
let ownFolder: string | undefined;
/** Folders that have turned out to be full, or to be mounted so that nothing can be loaded from them. */
const unfit = new Set<string>();

/** The path of the entry with the key, which is made where there is none. */
export async function cached(key: string, maker: Maker): Promise<string> {
  const folder = usableFolder(cacheFolder());
  const inCache = folder === undefined ? undefined : await tried(entryIn(folder, key, maker));
  if (typeof inCache === "string") return inCache;
  const own = await tried(entryIn((ownFolder ??= temporaryFolder()), key, maker));
  if (typeof own !== "string") throw own.cause;
  if (folder !== undefined) unfit.add(folder);
  return own;
}

/** What went wrong may be the folder's fault. */
class UnfitFolder extends Error {
  override readonly cause: unknown;

  constructor(cause: unknown) {
    super("nothing can be kept in the folder");
    this.cause = cause;
  }
}

const tried = (entry: Promise<string>): Promise<string | UnfitFolder> =>
  entry.catch((error: unknown) => {
    if (error instanceof UnfitFolder) return error;
    throw error;
  });

async function entryIn(folder: string, key: string, { patience, ...maker }: Maker): Promise<string> {
  const known = lookUp(folder, key);
  if (known !== undefined) return known;
  const lock = join(folder, `${key}.lock`);
  const fs = builtin("node:fs");
  while (!inFolder(() => takeLock(lock, patience))) {
    await new Promise((resolve) => setTimeout(resolve, POLL));
    const made = lookUp(folder, key);
    if (made !== undefined) return made;
  }
  try {
    return lookUp(folder, key) ?? (await makeEntry(folder, key, maker));
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

let nextName = 0;

async function makeEntry(folder: string, key: string, { make, load }: Omit<Maker, "patience">): Promise<string> {
  const fs = builtin("node:fs");
  const unfinished = join(folder, `${key}.${builtin("node:crypto").randomUUID()}.${nextName++}.tmp`);
  try {
    await make(unfinished).catch((error: unknown) => {
      throw isFull(folder, error) ? new UnfitFolder(error) : error;
    });
    await load(unfinished).catch((error: unknown) => {
      throw new UnfitFolder(error);
    });
    return inFolder(() => {
      fs.chmodSync(unfinished, 0o700);
      const path = join(folder, `${key}-${sha256(fs.readFileSync(unfinished))}.node`);
      fs.renameSync(unfinished, path);
      prune(folder, path);
      return path;
    });
  } finally {
    fs.rmSync(unfinished, { force: true });
  }
}

/** What a system call says of a folder in which nothing can be kept. */
const OF_FOLDERS: readonly unknown[] = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "ENOENT"];

function inFolder<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw OF_FOLDERS.includes((error as { code?: unknown }).code) ? new UnfitFolder(error) : error;
  }
}

/** More than most libraries take. */
const LITTLE_ROOM = 4 * 2 ** 20;

function isFull(folder: string, error: unknown): boolean {
  if (/no space left|quota exceeded/i.test(String(error))) return true;
  try {
    const { bavail, bsize } = builtin("node:fs").statfsSync(folder);
    return bavail * bsize < LITTLE_ROOM;
  } catch {
    return false;
  }
}

/** The entry, where it is there, whole, and nobody else's. What is not is removed. */
function lookUp(folder: string, key: string): string | undefined {
  const fs = builtin("node:fs");
  for (const name of fs.readdirSync(folder)) {
    if (!name.startsWith(`${key}-`) || !name.endsWith(".node")) continue;
    const path = join(folder, name);
    try {
      if (isOwn(path, "file") && name === `${key}-${sha256(fs.readFileSync(path))}.node`) {
        const now = new Date();
        fs.utimesSync(path, now, now);
        return path;
      }
    } catch {
      // It has gone meanwhile, or cannot be read.
    }
    fs.rmSync(path, { force: true });
  }
  return undefined;
}

/** Whether it is what it should be, of this user, and nobody else can write to it. */
function isOwn(path: string, kind: "file" | "folder"): boolean {
  const status = builtin("node:fs").lstatSync(path);
  if (!(kind === "file" ? status.isFile() : status.isDirectory())) return false;
  const { uid } = builtin("node:os").userInfo();
  return uid < 0 || (status.uid === uid && (status.mode & 0o022) === 0);
}

/** The folder, made where it is missing; undefined where it cannot be trusted or written to. */
function usableFolder(folder: string): string | undefined {
  const fs = builtin("node:fs");
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (unfit.has(folder) || !isOwn(folder, "folder")) return undefined;
    // Only the user's own rights stay, such as there are.
    fs.chmodSync(folder, fs.statSync(folder).mode & 0o700);
    fs.accessSync(folder, fs.constants.W_OK | fs.constants.X_OK);
    return folder;
  } catch {
    return undefined;
  }
}

/** For this process alone, removed at its end. */
function temporaryFolder(): string {
  const fs = builtin("node:fs");
  const folder = fs.mkdtempSync(join(builtin("node:os").tmpdir(), "torte-"));
  builtin("node:process").once("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Whether the lock is ours now; one that is older than it can be, or of a process that has ended, is taken away. */
function takeLock(lock: string, patience: number): boolean {
  const fs = builtin("node:fs");
  try {
    fs.writeFileSync(lock, String(builtin("node:process").pid), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw error;
  }
  try {
    const age = Date.now() - fs.statSync(lock).mtimeMs;
    const owner = Number(fs.readFileSync(lock, "utf8"));
    if (age > patience || (age > 1000 && !isAlive(owner))) fs.rmSync(lock, { force: true });
  } catch {
    // It has just been given back.
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    return builtin("node:process").kill(pid, 0);
  } catch (error) {
    return (error as { code?: unknown }).code === "EPERM";
  }
}

/** Removes entries that were used longest ago, until the rest has room. */
function prune(folder: string, keep: string): void {
  const fs = builtin("node:fs");
  const entries = fs.readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    try {
      const { size, mtimeMs } = fs.statSync(path);
      // Of a process that has died while it wrote.
      const left = !name.endsWith(".node") && Date.now() - mtimeMs > 3_600_000;
      if (left) fs.rmSync(path, { force: true });
      return name.endsWith(".node") && path !== keep ? [{ path, size, mtimeMs }] : [];
    } catch {
      return [];
    }
  });
  let room = MOST_BYTES;
  for (const { path, size } of entries.sort((a, b) => b.mtimeMs - a.mtimeMs))
    if ((room -= size) < 0) fs.rmSync(path, { force: true });
}
