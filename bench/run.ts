/**
 * `npm run bench [-- --quick] [--only NAME] [--rounds 30] [--json FILE]`: training steps in Torte and in whichever peers are
 * installed, each in a process of its own, samples taken in turn. All start from the same weights and see the same batches;
 * their losses are compared, so that nobody computes something else. `npm run bench:predict` takes the same options and does
 * the same for predictions.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeJob } from "./contestants/job.mjs";
import { dataOf, models, predictions, trainings, type Workload } from "./workloads.mjs";

type Mode = "train" | "predict";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface Answer {
  readonly name?: string;
  /** Why a comparison with it would mislead. */
  readonly warning?: string;
  readonly ms?: number;
  readonly loss?: number;
  /** Predictions for every row. */
  readonly outputs?: readonly number[];
  readonly peakMB?: number;
}

interface Command {
  readonly threads: number;
  /** What distinguishes it from others of its name. */
  readonly variant?: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** So slow that a few samples must do. */
  readonly slow?: true;
}

interface Result {
  readonly name: string;
  readonly threads: number;
  readonly medianMs: number;
  readonly p10Ms: number;
  readonly p90Ms: number;
  /** Of training. */
  readonly loss?: number;
  readonly examplesPerSecond: number;
  readonly peakMB?: number;
}

interface Comparison {
  readonly name: string;
  /** The largest, of the first losses or of the predictions. */
  readonly difference: number;
  readonly contestants: readonly Result[];
}

/** A child process that answers each line with one. */
class Contestant {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;
  readonly samples: number[] = [];
  name = "";
  warning: string | undefined;
  /** The first answer from the common weights. */
  first: Answer = {};
  peakMB: number | undefined;

  constructor(
    readonly command: Command,
    /** In a sample. */
    public steps: number,
  ) {
    this.#process = spawn(command.program, [...command.args], {
      env: { ...process.env, ...command.env },
      cwd: here("."),
    });
    this.#process.stderr.resume();
    this.#process.stdin.on("error", () => undefined);
    // A program that is not there takes no part.
    this.#process.on("error", () => undefined);
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async #answer(): Promise<Answer | undefined> {
    const { value, done } = await this.#answers.next();
    return done === true ? undefined : (JSON.parse(value) as Answer);
  }

  async ready(): Promise<boolean> {
    const answer = await this.#answer().catch(() => undefined);
    const { variant } = this.command;
    this.name = `${answer?.name ?? ""}${variant === undefined ? "" : `, ${variant}`}`;
    this.warning = answer?.warning;
    return answer !== undefined;
  }

  async run(steps: number): Promise<Answer> {
    this.#process.stdin.write(`${steps}\n`);
    const answer = await this.#answer();
    if (answer?.ms === undefined) throw new Error(`${this.name} has stopped`);
    this.peakMB = answer.peakMB ?? this.peakMB;
    return answer;
  }

  stop(): void {
    this.#process.kill();
  }
}

const { values } = parseArgs({
  options: {
    predict: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    json: { type: "string" },
    rounds: { type: "string" },
  },
});
const mode: Mode = values.predict ? "predict" : "train";
const workloads = values.predict ? predictions : trainings;
/** What is compared. */
const FIGURES = { train: "losses", predict: "predictions" };
const folder = mkdtempSync(join(tmpdir(), "torte-bench-"));
const LOSS_STEPS = 2;
/** Enough for a sample of training; whoever would take longer makes fewer steps. */
const SAMPLE_MS = 200;
/** Samples of those who take a second for a step. */
const SLOW_ROUNDS = 3;

/** The data, and first weights drawn by Torte, on disk for every contestant. */
async function makeJob(workload: Workload): Promise<string> {
  const { name, model, batch, steps, shape, classes, tokens } = workload;
  const first = models[model]?.({});
  if (first === undefined) throw new Error(`no model ${model}`);
  const weights = await first.getWeights();
  await first.close();
  const file = join(folder, name.replaceAll(/[^a-z0-9]+/gi, "-"));
  const description = {
    mode,
    model,
    batch,
    rows: batch * steps,
    shape,
    classes,
    ...(tokens === undefined ? {} : { tokens }),
  };
  writeJob(file, description, weights, dataOf(workload));
  return file;
}

/** A way to run a contestant besides the plain one. */
interface Variant {
  readonly name: string;
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * By settings of the C library. PyTorch allocates its large arrays anew in every step; if it keeps their memory, that saves a
 * page fault for each 4 KiB of them.
 */
const KEPT: Variant = {
  name: "memory kept",
  env: { MALLOC_MMAP_MAX_: "0", MALLOC_TRIM_THRESHOLD_: String(2 ** 33), MALLOC_TOP_PAD_: String(2 ** 26) },
};
/** Adam in one pass over the weights. */
const FUSED: Variant = { name: "fused Adam, memory kept", options: ["fused"], env: KEPT.env ?? {} };
const COMPILED: Variant = {
  name: "compiled, fused Adam, memory kept",
  options: ["fused", "compiled"],
  env: KEPT.env ?? {},
};

/** Those that may have PyTorch or Keras: of the list in TORTE_BENCH_PYTHON, otherwise the system's. */
const INTERPRETERS = (process.env["TORTE_BENCH_PYTHON"] ?? "/usr/bin/python3")
  .split(delimiter)
  .filter((path) => path !== "");

function commands(job: string, { model, batch }: Workload): Command[] {
  const node = process.execPath;
  const torte = (threads: number, precision: string, backend = "wasm"): Command => ({
    threads,
    program: node,
    args: [here("contestants/torte.mjs"), job, String(threads), precision, backend],
  });
  const python = (interpreter: string, script: string, threads: number, variant?: Variant): Command => ({
    threads,
    ...(variant === undefined ? {} : { variant: variant.name }),
    program: interpreter,
    args: [here(`contestants/${script}.py`), job, String(threads), ...(variant?.options ?? [])],
    env: {
      OMP_NUM_THREADS: String(threads),
      OPENBLAS_NUM_THREADS: String(threads),
      // Kernels for another CPU than this one make it slower; without these it chooses its own.
      OPENBLAS_CORETYPE: undefined,
      OPENBLAS_L2_SIZE: undefined,
      ...variant?.env,
    },
  });
  const rivals = INTERPRETERS.flatMap((interpreter) => [
    python(interpreter, "pytorch", 2),
    python(interpreter, "pytorch", 1, KEPT),
    python(interpreter, "pytorch", 2, KEPT),
    ...(mode === "train"
      ? [python(interpreter, "pytorch", 2, FUSED), python(interpreter, "pytorch", 2, COMPILED)]
      : []),
    python(interpreter, "keras_jax", 2),
  ]);
  // jax-js needs a newer Node than Torte does; the bench's own package brings one.
  const newest = existsSync(here("node_modules/node/bin/node")) ? here("node_modules/node/bin/node") : node;
  const script = (name: string, packageName: string, program: string): Command[] =>
    mode === "train" && model === "chapter" && batch === 16 && existsSync(here(`node_modules/${packageName}`))
      ? [{ threads: 1, program, args: [here(`contestants/${name}.mjs`), job], slow: true }]
      : [];
  return [
    torte(1, "fast"),
    torte(2, "fast"),
    torte(1, "fast", "native"),
    torte(2, "fast", "native"),
    ...(mode === "train" ? [torte(2, "reproducible")] : []),
    ...rivals,
    ...script("jax-js", "@jax-js/jax", newest),
    ...script("tfjs", "@tensorflow/tfjs", node),
  ];
}

function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
}

function resultOf({ name, command, samples, first, peakMB }: Contestant, batch: number): Result {
  const medianMs = quantile(samples, 0.5);
  const figures = {
    medianMs,
    p10Ms: quantile(samples, 0.1),
    p90Ms: quantile(samples, 0.9),
    ...(first.loss === undefined ? {} : { loss: first.loss }),
    examplesPerSecond: (1000 * batch) / medianMs,
  };
  return { name, threads: command.threads, ...figures, ...(peakMB === undefined ? {} : { peakMB }) };
}

/** How far apart the losses are, or the predictions for some row; NaN where somebody has none. */
function differenceOf(answers: readonly Answer[]): number {
  const figures = answers.map(({ outputs, loss = NaN }) => outputs ?? [loss]);
  const spread = (row: readonly number[]): number => Math.max(...row) - Math.min(...row);
  return (figures[0] ?? []).reduce((most, _, i) => Math.max(most, spread(figures.map((own) => own[i] ?? NaN))), 0);
}

async function compare(workload: Workload): Promise<Comparison> {
  const all = commands(await makeJob(workload), workload).map((command) => new Contestant(command, workload.steps));
  const ready: Contestant[] = [];
  for (const contestant of all) if (await contestant.ready()) ready.push(contestant);
  for (const { warning } of ready) if (warning !== undefined) warnings.add(warning);
  try {
    for (const contestant of ready)
      contestant.first = await contestant.run(mode === "train" ? LOSS_STEPS : workload.steps);
    const rounds = Number(values.rounds ?? (values.quick ? 5 : 30));
    for (let round = -2; round < rounds; round++) {
      for (const contestant of ready) {
        const slow = contestant.command.slow === true;
        if (slow && (round < 0 || round >= SLOW_ROUNDS)) continue;
        // Whoever has waited for the others finds its memory cold and its threads asleep.
        if (!slow) await contestant.run(contestant.steps);
        const { ms = NaN } = await contestant.run(slow ? LOSS_STEPS : contestant.steps);
        if (round >= 0) contestant.samples.push(ms);
        else if (round === -2 && mode === "train")
          contestant.steps = Math.min(workload.steps, Math.max(LOSS_STEPS, Math.ceil(SAMPLE_MS / ms)));
      }
    }
    return {
      name: workload.name,
      difference: differenceOf(ready.map(({ first }) => first)),
      contestants: ready.map((contestant) => resultOf(contestant, workload.batch)),
    };
  } finally {
    for (const contestant of all) contestant.stop();
  }
}

function show({ name, difference, contestants }: Comparison): void {
  const fastest = (own: readonly Result[]): Result | undefined =>
    own.reduce<Result | undefined>(
      (best, one) => (best === undefined || one.medianMs < best.medianMs ? one : best),
      undefined,
    );
  const own = contestants.find((result) => result.name === "Torte" && result.threads === 2)?.medianMs ?? NaN;
  console.log(`\n${name}`);
  console.log(`${" ".repeat(43)}threads   ms/step       p10       p90  examples/s  peak MB     loss    ratio`);
  for (const r of contestants) {
    const cells = [
      `  ${r.name}`.padEnd(44),
      String(r.threads).padStart(6),
      r.medianMs.toFixed(3).padStart(10),
      r.p10Ms.toFixed(3).padStart(10),
      r.p90Ms.toFixed(3).padStart(10),
      Math.round(r.examplesPerSecond).toLocaleString("en-US").padStart(12),
      (r.peakMB?.toFixed(0) ?? "").padStart(9),
      (r.loss?.toFixed(5) ?? "").padStart(9),
      (r.medianMs / own).toFixed(2).padStart(9),
    ];
    console.log(cells.join(""));
  }
  console.log(`  The ${FIGURES[mode]} differ by ${difference.toExponential(1)} or less.`);
  const rival = fastest(contestants.filter((result) => !result.name.startsWith("Torte")));
  for (const kind of ["Torte", "Torte native"]) {
    const best = fastest(contestants.filter((result) => result.name === kind));
    if (best !== undefined && rival !== undefined)
      console.log(
        `  ${kind} is ${(rival.medianMs / best.medianMs).toFixed(2)} times as fast as the best rival, ${rival.name}, each with its better number of threads.`,
      );
  }
}

const warnings = new Set<string>();
const measured: Comparison[] = [];
for (const workload of workloads) {
  if (values.only !== undefined && !workload.name.includes(values.only)) continue;
  const comparison = await compare(workload);
  measured.push(comparison);
  show(comparison);
  if (!(comparison.difference < workload.tolerance)) {
    console.error(`The ${FIGURES[mode]} differ by ${comparison.difference}: not everybody computes the same.`);
    process.exitCode = 1;
  }
}
for (const warning of warnings) console.error(`\n${warning}`);
if (measured.length === 0) {
  console.error(
    `There is no workload ${values.only ?? ""}. There are: ${workloads.map(({ name }) => name).join("; ")}.`,
  );
  process.exitCode = 1;
}
rmSync(folder, { recursive: true });
if (values.json !== undefined) {
  const [cpu] = cpus();
  const machine = {
    cpu: cpu?.model ?? "unknown",
    cores: cpus().length,
    node: process.version,
    os: execFileSync("uname", ["-sr"]).toString().trim(),
  };
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine, date: new Date().toISOString().slice(0, 10), mode, workloads: measured }, undefined, 2)}\n`,
  );
}
