/** A study whose leader and workers are killed at random until it has ended all the same. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { start } from "../started.js";

export interface Killed {
  /** What the study has become, as JSON. */
  readonly result: string;
  readonly kills: { readonly leader: number; readonly worker: number };
  /** How often a leader was started. */
  readonly leaders: number;
}

export interface KillOptions {
  readonly folder: string;
  readonly workers: number;
  readonly trials: number;
  /** How many processes are killed. */
  readonly kills: number;
  /** In [0, 1). */
  readonly random: () => number;
}

const LEADER = fileURLToPath(new URL("leader.mjs", import.meta.url));

/** Processes whose parent is this one (Linux). */
function childrenOf(pid: number): readonly number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] === String(pid) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Bytes of the journal so far: what is killed before anything was done proves nothing. */
function journalSize({ folder }: KillOptions): number {
  return statSync(join(folder, "journal.jsonl"), { throwIfNoEntry: false })?.size ?? 0;
}

const pause = (ms: number): Promise<undefined> => new Promise((resolve) => setTimeout(resolve, ms, undefined));

/** @throws Error where a leader ends by itself with anything but the study. */
export async function runKilled(options: KillOptions): Promise<Killed> {
  const { folder, workers, trials, random } = options;
  const kills = { leader: 0, worker: 0 };
  let size = 0;
  for (let leaders = 1; ; leaders++) {
    const { child, exit, isOver } = start([LEADER, folder, String(workers), String(trials)]);
    let killed = false;
    while (!killed && !isOver()) {
      await Promise.race([exit, pause(20 + 400 * random())]);
      if (kills.leader + kills.worker >= options.kills || isOver() || child.pid === undefined) continue;
      const crew = childrenOf(child.pid);
      if (crew.length === 0 || journalSize(options) === size) continue; // nothing was done since the last one
      size = journalSize(options);
      const target = random() < 0.2 ? child.pid : (crew[Math.floor(random() * crew.length)] ?? child.pid);
      try {
        process.kill(target, "SIGKILL");
      } catch {
        continue; // it has just ended
      }
      killed = target === child.pid;
      kills[killed ? "leader" : "worker"]++;
    }
    const { code, output, complaint } = await exit;
    if (code === 0) return { result: output, kills, leaders };
    if (!killed) throw new Error(`the leader has ended with ${code}: ${complaint}`);
  }
}
