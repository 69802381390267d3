/** Workers of a leader: child processes that are started once, watched, and replaced where they die. */
import { type ChildProcess, fork } from "node:child_process";
import { TrainingError } from "torte";
import type { Executor, Job, JobEnd } from "../study/leader.js";
import type { Report } from "../study/trial-run.js";
import type { Checkpoints } from "./checkpoints.js";
import { BEAT_MS, type FromWorker, type ToWorker } from "./messages.js";

export interface WorkersOptions {
  readonly count: number;
  /** The program of a worker, which calls `serveTrials`. */
  readonly program: string;
  readonly args?: readonly string[];
  readonly checkpoints?: Checkpoints;
  /** Milliseconds without a heartbeat after which a worker is taken for dead. Default 60 s. */
  readonly lease?: number;
  readonly signal: AbortSignal | undefined;
}

interface Running {
  readonly id: number;
  readonly trial: number;
  readonly report: Report;
  readonly ended: (end: JobEnd) => void;
}

interface Worker {
  /** Of those that work at the same time, from 0. */
  readonly place: number;
  readonly child: ChildProcess;
  /** Trials whose models it has in memory. */
  readonly holds: Set<number>;
  ready: boolean;
  lastBeat: number;
  running: Running | undefined;
}

/** Workers that end before they are ready, one after the other, mean that none can work; those that are killed may be a bystander's doing. */
const MOST_STILLBORN = { ended: 3, killed: 30 };

export class Workers implements Executor {
  readonly width: number;
  readonly #options: WorkersOptions;
  readonly #workers = new Set<Worker>();
  readonly #waiting: {
    readonly job: Job;
    readonly start: (worker: Worker) => void;
    readonly fail: (error: unknown) => void;
  }[] = [];
  readonly #watch: NodeJS.Timeout;
  #jobs = 0;
  #stillborn = { ended: 0, killed: 0 };
  #closed = false;
  #broken: TrainingError | undefined;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.width = options.count;
    for (let i = 0; i < options.count; i++) this.#spawn();
    this.#watch = setInterval(() => this.#check(), BEAT_MS);
    options.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** Process numbers, for whoever looks on. */
  get processes(): readonly number[] {
    return [...this.#workers].flatMap(({ child }) => child.pid ?? []);
  }

  #spawn(): void {
    const { program, args = [] } = this.#options;
    const child = fork(program, [...args], { stdio: ["ignore", "ignore", "inherit", "ipc"], serialization: "json" });
    const places = [...this.#workers].map(({ place }) => place);
    const place = Array.from({ length: places.length + 1 }, (_, i) => i).find((i) => !places.includes(i)) ?? 0;
    const worker: Worker = { place, child, holds: new Set(), ready: false, lastBeat: Date.now(), running: undefined };
    this.#workers.add(worker);
    child.on("message", (message: FromWorker) => {
      worker.lastBeat = Date.now();
      this.#heard(worker, message);
    });
    child.on("exit", (code) => this.#died(worker, code === null ? "killed" : "ended"));
    child.on("error", () => this.#died(worker, "ended"));
  }

  #heard(worker: Worker, message: FromWorker): void {
    if (message.say === "ready") {
      worker.ready = true;
      this.#stillborn = { ended: 0, killed: 0 };
      this.#next();
      return;
    }
    if (message.say === "broken") {
      this.#break(new TrainingError({ where: "worker", problem: "a worker cannot work", received: message.reason }));
      return;
    }
    const { running } = worker;
    if (message.say === "beat" || running?.id !== message.id) return;
    if (message.say === "end") {
      worker.running = undefined;
      running.ended(message.end);
      this.#next();
      return;
    }
    const values = message.values.map((value) => value ?? NaN);
    const answer = Promise.resolve(
      running.report(message.epoch, { values, seconds: message.seconds, worker: String(worker.place) }),
    );
    void answer.then((yes) => this.#say(worker, { say: "goOn", id: running.id, yes }));
  }

  #say({ child }: Worker, message: ToWorker): void {
    // A worker that has just died says so itself.
    if (child.connected) child.send(message, () => undefined);
  }

  #died(worker: Worker, how: "ended" | "killed"): void {
    if (!this.#workers.delete(worker) || this.#closed) return;
    const { running } = worker;
    worker.running = undefined;
    if (!worker.ready && ++this.#stillborn[how] >= MOST_STILLBORN[how])
      this.#break(new TrainingError({ where: "worker", problem: "workers die before they are ready" }));
    else this.#spawn();
    running?.ended({ state: "lost" });
  }

  /** Workers that are silent for too long are ended; so they are lost. */
  #check(): void {
    const { lease = 60_000 } = this.#options;
    const now = Date.now();
    for (const worker of this.#workers) if (now - worker.lastBeat > lease) worker.child.kill("SIGKILL");
  }

  #break(error: TrainingError): void {
    this.#broken ??= error;
    for (const { fail } of this.#waiting.splice(0)) fail(this.#broken);
  }

  async run(job: Job, report: Report): Promise<JobEnd> {
    if (this.#broken !== undefined) throw this.#broken;
    const worker = await new Promise<Worker>((resolve, reject) => {
      this.#waiting.push({ job, start: resolve, fail: reject });
      this.#next();
    });
    return new Promise<JobEnd>((ended) => {
      if (this.#closed || !this.#workers.has(worker)) {
        ended({ state: this.#closed ? "aborted" : "lost" });
        return;
      }
      const id = this.#jobs++;
      worker.running = { id, trial: job.trial, report, ended };
      if (job.seed === undefined) worker.holds.add(job.trial);
      this.#say(worker, { say: "run", id, job });
    });
  }

  /** Gives waiting jobs to idle workers: to the one that has the trial in memory, if there is one. */
  #next(): void {
    const idle = [...this.#workers].filter(({ ready, running }) => ready && running === undefined);
    while (idle.length > 0 && this.#waiting.length > 0) {
      const [next] = this.#waiting.splice(0, 1);
      if (next === undefined) return;
      const at = Math.max(
        0,
        idle.findIndex(({ holds }) => holds.has(next.job.trial)),
      );
      const [worker] = idle.splice(at, 1);
      if (worker === undefined) return;
      // Taken, so that nobody else takes it before its job begins.
      worker.running = { id: -1, trial: next.job.trial, report: () => false, ended: () => undefined };
      next.start(worker);
    }
  }

  release(trial: number): void {
    for (const worker of this.#workers) if (worker.holds.delete(trial)) this.#say(worker, { say: "release", trial });
    this.#options.checkpoints?.remove(trial);
  }

  readonly #abort = (): void => {
    this.#end();
  };

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#watch);
    for (const worker of this.#workers) {
      worker.child.kill("SIGKILL");
      worker.running?.ended({ state: "aborted" });
    }
    for (const { fail } of this.#waiting.splice(0))
      fail(new TrainingError({ where: "worker", problem: "the study has ended" }));
  }

  close(): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#end();
    return Promise.resolve();
  }
}
