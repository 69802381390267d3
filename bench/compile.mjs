// @ts-check
/**
 * `npm run bench:compile`: what it takes until the first step can run: tracing, differentiating, compiling, and how large
 * the module is; and natively, where there is a C compiler: writing the C, compiling it, and finding it in the cache. Each network in
 * a process of its own, so that nothing is warm.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import {
  activation,
  adam,
  batchNormalization,
  conv1d,
  dense,
  globalAveragePooling1d,
  input,
  sequential,
} from "../packages/torte/dist/index.js";
import { findUsable, optionsFor } from "../packages/torte/dist/backends/native/backend.js";
import { build } from "../packages/torte/dist/backends/native/build.js";
import { compileNative } from "../packages/torte/dist/backends/native/program.js";
import { compileModule } from "../packages/torte/dist/backends/wasm/module.js";
import { hasRelaxedSimd } from "../packages/torte/dist/backends/wasm/session.js";
import { fuseProgram } from "../packages/torte/dist/compile/pipeline.js";
import { State } from "../packages/torte/dist/graph/node.js";
import { readObjective } from "../packages/torte/dist/train/objective.js";
import { TrainingSetup } from "../packages/torte/dist/train/training-setup.js";
import { trainProgram } from "../packages/torte/dist/train/programs.js";
import { atOnce } from "../packages/torte/dist/turns.js";
import { models } from "./workloads.mjs";

const BATCH = 16;
/** @type {Record<string, () => import("torte").Model>} */
const networks = {
  "chapter's model, 11 layers": () => /** @type {any} */ (models["chapter"])({}),
  "50 layers: 16 × (conv1d, batch norm, relu), pooling, dense": () =>
    sequential(
      input({ shape: [100, 32] }),
      ...Array.from({ length: 16 }, () => [
        conv1d({ filters: 32, kernelSize: 3, padding: "same" }),
        batchNormalization(),
        activation("relu"),
      ]).flat(),
      globalAveragePooling1d(),
      dense({ units: 1, activation: "sigmoid" }),
    ),
};

/** @param {string} name @param {readonly number[]} shape @param {"float32" | "int32" | "bool"} dtype */
const column = (name, shape, dtype) => ({ state: new State(name, shape, dtype), shape, dtype, bytes: undefined });

/** @param {string} name */
async function compileOnce(name) {
  const start = performance.now();
  const model = networks[name]?.();
  const spec = model?.network.inputSpecs[0];
  if (model === undefined || spec === undefined) throw new Error(`no network ${name}`);
  const objective = readObjective(model.network, { loss: "binaryCrossentropy" });
  const data = {
    x: [column("x", [BATCH, ...spec.shape], spec.dtype)],
    y: [column("y", [BATCH, 1], "float32")],
    w: [],
    order: new State("order", [BATCH], "int32"),
    cursor: new State("cursor", [], "int32"),
    flag: new State("flag", [4], "int32"),
  };
  const program = atOnce(trainProgram(new TrainingSetup(objective, adam()), data, BATCH));
  const traced = performance.now();
  let end = 65536;
  const place = (/** @type {number} */ bytes) => (end += Math.ceil(bytes / 64) * 64) - Math.ceil(bytes / 64) * 64;
  /** @type {Map<State, number>} */
  const known = new Map();
  const threads = availableParallelism();
  const placement = {
    stateAddress: (/** @type {State} */ state) => {
      if (!known.has(state)) known.set(state, place(4 * state.shape.reduce((a, b) => a * b, 1)));
      return known.get(state) ?? 0;
    },
    lowest: 65536,
    reserve: place,
  };
  const module = compileModule(
    program,
    { shared: true, threads, maximumPages: 65536, fma: hasRelaxedSimd() },
    placement,
  );
  const compiled = performance.now();
  await WebAssembly.compile(Uint8Array.from(module.code));
  const ready = performance.now();
  return {
    traceMs: traced - start,
    compileMs: compiled - traced,
    hostMs: ready - compiled,
    bytes: module.code.length,
    kernels: module.kernels.length,
    arena: module.plan.bytes / Math.max(1, module.plan.lowerBound),
    ...(await compileNatively(program, threads, placement)),
  };
}

/** In an empty cache, then once more. @param {import("../packages/torte/dist/graph/node.js").Program} program @param {number} threads @param {import("../packages/torte/dist/backends/compiled-program.js").Placement} placement */
async function compileNatively(program, threads, placement) {
  const folder = mkdtempSync(join(tmpdir(), "torte-compile-"));
  process.env["TORTE_CACHE"] = folder;
  try {
    const start = performance.now();
    const compiler = await findUsable();
    if ("reason" in compiler) return {};
    const found = performance.now();
    const options = { ...optionsFor(compiler, "fast"), threads };
    const { source } = atOnce(compileNative(fuseProgram(program), options, placement));
    const written = performance.now();
    await build(source, compiler);
    const built = performance.now();
    await build(source, compiler);
    const hit = performance.now() - built;
    return { findMs: found - start, writeMs: written - found, buildMs: built - written, hitMs: hit };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [only] = process.argv.slice(2);
if (only !== undefined) console.log(JSON.stringify(await compileOnce(only)));
else {
  console.log(`Node ${process.version}, training step of batch ${BATCH}, cold, the best of 5 processes`);
  console.log(
    `${"".padEnd(60)}  trace  compile  host   total ms   module KiB  kernels  arena/bound   natively: look  C text  compile  from cache`,
  );
  for (const name of Object.keys(networks)) {
    const runs = Array.from({ length: 5 }, () =>
      JSON.parse(execFileSync(process.execPath, [fileURLToPath(import.meta.url), name]).toString()),
    );
    const total = (/** @type {any} */ r) => r.traceMs + r.compileMs + r.hostMs;
    const best = runs.reduce((a, b) => (total(b) < total(a) ? b : a));
    const cells = [
      name.padEnd(60),
      best.traceMs.toFixed(0).padStart(7),
      best.compileMs.toFixed(0).padStart(9),
      best.hostMs.toFixed(0).padStart(6),
      total(best).toFixed(0).padStart(11),
      (best.bytes / 1024).toFixed(0).padStart(13),
      String(best.kernels).padStart(9),
      best.arena.toFixed(2).padStart(13),
      ...(best.buildMs === undefined
        ? []
        : [
            best.findMs.toFixed(0).padStart(17),
            best.writeMs.toFixed(0).padStart(8),
            best.buildMs.toFixed(0).padStart(9),
            best.hitMs.toFixed(1).padStart(12),
          ]),
    ];
    console.log(cells.join(""));
  }
}
