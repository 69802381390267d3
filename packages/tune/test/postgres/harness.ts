/** A study in a database whose leader, workers and server are ended at random until it is over all the same. */
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { start, type Started, type StartOptions } from "../started.js";
import type { PostgresServer } from "./server.js";

const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Node that has registerHooks runs with pg-boss 12, older ones with 10. */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
export const BOSS = major > 22 || (major === 22 && minor >= 15) ? 12 : 10;
const flagsOf = (boss: number): readonly string[] => (boss === 12 ? ["--import", program("boss-12.mjs")] : []);

export function startProgram(
  name: string,
  args: readonly string[],
  cwd: string,
  { boss = BOSS, ...more }: Omit<StartOptions, "cwd"> & { readonly boss?: number } = {},
): Started {
  mkdirSync(cwd, { recursive: true });
  return start([...flagsOf(boss), program(name), ...args], { cwd, ...more });
}

export interface WorkerPlace extends Pick<StartOptions, "by"> {
  /** Of the database, as it is reached from there. */
  readonly url: string;
}

export interface SharedOptions {
  readonly root: string;
  readonly server: PostgresServer;
  /** Where each worker runs. */
  readonly places: readonly WorkerPlace[];
  readonly trials: number;
  /** Processes that are killed, and how often the server is stopped and started in between. */
  readonly kills: number;
  readonly restarts: number;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface Shared {
  readonly result: string;
  readonly kills: { leader: number; worker: number; server: number };
}

/** @throws Error where a leader or a worker ends by itself with anything but the end of the study. */
export async function runShared({
  root,
  server,
  places,
  trials,
  kills,
  restarts,
  random,
}: SharedOptions): Promise<Shared> {
  const folder = join(root, "killed");
  const done = { leader: 0, worker: 0, server: 0 };
  const lead = (): Started => startProgram("leader.mjs", [folder, server.url, String(trials)], root);
  // Each in a folder of its own, as on a machine of its own.
  const work = ({ url, ...how }: WorkerPlace, i: number): Started =>
    startProgram("worker.mjs", [url, "killed"], join(root, `worker-${i}`), how);
  let leader = lead();
  const crew = places.map(work);
  let size = 0;
  const progress = (): number => statSync(join(folder, "journal.jsonl"), { throwIfNoEntry: false })?.size ?? 0;
  const killed = async ({ child, exit }: Started): Promise<void> => {
    child.kill("SIGKILL");
    await exit;
  };
  while (!leader.isOver()) {
    await Promise.race([leader.exit, pause(50 + 300 * random())]);
    for (const [i, place] of places.entries()) {
      const worker = crew[i];
      if (worker?.isOver() !== true || leader.isOver()) continue;
      const { code, complaint } = await worker.exit;
      if (code !== 0) throw new Error(`a worker has ended with ${code}: ${complaint}`);
      crew[i] = work(place, i);
    }
    const isDone = done.leader + done.worker >= kills && done.server >= restarts;
    if (isDone || leader.isOver() || progress() === size) continue; // nothing was done since the last one
    size = progress();
    const draw = random();
    if (done.server < restarts && (done.server === 0 || draw < 0.25 || done.leader + done.worker >= kills)) {
      await server.stop();
      await pause(500);
      await server.run();
      done.server++;
    } else if (done.leader + done.worker < kills && draw < 0.45) {
      await killed(leader);
      leader = lead();
      done.leader++;
    } else if (done.leader + done.worker < kills) {
      const i = Math.floor(random() * places.length);
      const [place, worker] = [places[i], crew[i]];
      if (place === undefined || worker === undefined) continue;
      await killed(worker);
      crew[i] = work(place, i);
      done.worker++;
    }
  }
  const { code, output, complaint } = await leader.exit;
  if (code !== 0) throw new Error(`the leader has ended with ${code}: ${complaint}`);
  for (const { exit } of crew) {
    const end = await exit;
    if (end.code !== 0) throw new Error(`a worker has ended with ${end.code}: ${end.complaint}`);
  }
  return { result: output, kills: done };
}
