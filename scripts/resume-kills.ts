/** Runs that are killed at random moments, and go on until they are through. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const RUN = fileURLToPath(new URL("resume-proof-run.mjs", import.meta.url));

/** What became of one kill. */
export interface Kill {
  /** The run that it belongs to, from 0. */
  readonly run: number;
  /** Milliseconds after the start of the process. */
  readonly after: number;
  /** A file was being written: its part was there when the process was gone. */
  readonly inWrite: boolean;
  /** Checkpoints that the list named then. */
  readonly checkpoints: number;
  readonly threads: number;
}

export interface Proof {
  readonly kills: readonly Kill[];
  readonly runs: number;
  /** Runs whose weights, history or CSV file were others than those of the run that nobody killed. */
  readonly different: number;
}

interface Folders {
  readonly checkpoints: string;
  readonly result: string;
}

/** Starts the run; gives the exit status, or null where it was killed. */
function start({ checkpoints, result }: Folders, threads: number, more: readonly string[] = []) {
  const child = spawn(process.execPath, [RUN, checkpoints, result, String(threads), ...more], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { child, ended };
}

/** Whether a file is being written whose name begins so. */
const partsIn = (folder: string, begins = "."): boolean =>
  existsSync(folder) && readdirSync(folder).some((name) => name.startsWith(begins) && name.endsWith(".part"));

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until something holds, or is over. */
async function until(holds: () => boolean, isOver: () => boolean): Promise<void> {
  while (!isOver() && !holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** A moment to kill at: any, also before the first checkpoint; between two checkpoints; or in the midst of a write. */
async function moment(folder: string, random: () => number, isOver: () => boolean): Promise<void> {
  if (random() < 0.15) return wait(3000 * random());
  const list = join(folder, "checkpoint.json");
  let left = Math.floor(12 * random());
  let before = 0;
  const isFurther = (): boolean => {
    const now = existsSync(list) ? statSync(list).mtimeMs : 0;
    if (now !== before) left--;
    before = now;
    return left < 0;
  };
  await until(isFurther, isOver);
  const begins = random() < 0.7 ? ".state-" : ".checkpoint";
  if (random() < 0.5) await until(() => partsIn(folder, begins), isOver);
  else await wait(60 * random());
}

function outcomeOf({ checkpoints, result }: Folders): string {
  return `${readFileSync(result, "utf8")}\n${readFileSync(`${checkpoints}.csv`, "utf8")}`;
}

/** Kills runs so many times in all, each some times before it is let through; `random` gives numbers from 0 to 1. */
export async function prove(
  kills: number,
  random: () => number,
  tell: (kill: Kill) => void = () => undefined,
): Promise<Proof> {
  const root = mkdtempSync(join(tmpdir(), "torte-proof-"));
  const foldersOf = (name: string): Folders => {
    mkdirSync(join(root, name));
    return { checkpoints: join(root, name, "checkpoints"), result: join(root, name, "result.json") };
  };
  const whole = foldersOf("whole");
  const { ended } = start(whole, 2, ["plain"]);
  if ((await ended) !== 0) throw new Error("the run that nobody kills fails");
  const expected = outcomeOf(whole);

  const done: Kill[] = [];
  let [runs, different] = [0, 0];
  while (done.length < kills) {
    const folders = foldersOf(`run-${runs}`);
    let left = Math.min(kills - done.length, 1 + Math.floor(6 * random()));
    for (let status: number | null = null; status === null;) {
      const threads = 1 + Math.floor(2 * random());
      const { child, ended: closed } = start(folders, threads);
      let isOver = false;
      void closed.then(() => (isOver = true));
      if (left > 0) {
        const since = performance.now();
        await Promise.race([moment(folders.checkpoints, random, () => isOver), closed]);
        child.kill("SIGKILL");
        if ((await closed) === null) {
          const named = existsSync(join(folders.checkpoints, "checkpoint.json"))
            ? (JSON.parse(readFileSync(join(folders.checkpoints, "checkpoint.json"), "utf8")) as {
                checkpoints: unknown[];
              })
            : { checkpoints: [] };
          const after = Math.round(performance.now() - since);
          const kill = {
            run: runs,
            after,
            inWrite: partsIn(folders.checkpoints),
            checkpoints: named.checkpoints.length,
            threads,
          };
          done.push(kill);
          tell(kill);
          left--;
          continue;
        }
      }
      status = await closed;
      if (status !== 0) throw new Error(`run ${runs} fails when it goes on, with status ${status}`);
    }
    if (outcomeOf(folders) !== expected) different++;
    runs++;
  }
  return { kills: done, runs, different };
}
