/** One leader for each folder: a file that names the process, which is taken over only where that process is dead. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { OptionError, TorteError } from "torte";

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, in the system's clock ticks; a number that is used again later has another one. */
  readonly started: string | undefined;
}

/** When a process began, where the system tells (Linux). */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

const self = (): Holder => ({ pid: process.pid, host: hostname(), started: startOf(process.pid) });

function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return started === undefined || startOf(pid) === started;
}

function readHolder(path: string): Holder | undefined {
  try {
    const holder = JSON.parse(readFileSync(path, "utf8")) as Partial<Holder> | null;
    if (typeof holder?.pid !== "number" || typeof holder.host !== "string") return undefined;
    return { pid: holder.pid, host: holder.host, started: holder.started };
  } catch {
    return undefined;
  }
}

/** Folder by folder: Node's recursive mkdir never returns on file systems that accept no folders. */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  const above = dirname(resolve(path));
  if (above !== resolve(path)) makeFolder(above);
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    throw new OptionError({
      where: path,
      problem: `the folder cannot be made (${(error as Error).message.split(",")[0] ?? ""})`,
    });
  }
}

/**
 * Takes the folder's lock; gives what releases it.
 *
 * @throws TorteError where another process that lives, or one of another machine, has it.
 */
export function takeLock(folder: string): () => void {
  makeFolder(folder);
  const path = join(folder, "lock.json");
  const mine = join(folder, `lock.${process.pid}.${Math.random().toString(36).slice(2)}.part`);
  const file = openSync(mine, "wx");
  try {
    writeSync(file, JSON.stringify(self()));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        linkSync(mine, path); // fails where there is one: of two processes one gets it
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > 3) throw error;
      }
      const holder = readHolder(path);
      if (holder !== undefined && (holder.host !== hostname() || isAlive(holder))) throw held(folder, holder);
      rmSync(path, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
  return () => {
    const holder = readHolder(path);
    if (holder?.pid === process.pid && holder.host === hostname()) rmSync(path, { force: true });
  };
}

function held(folder: string, { pid, host }: Holder): TorteError {
  const here = host === hostname();
  return new TorteError({
    where: folder,
    problem: "another process leads this study",
    received: `process ${pid} on ${host}`,
    fix: here ? "Wait until it ends." : `If it is dead, remove ${join(folder, "lock.json")}.`,
  });
}
