/**
 * `npm run arm64 [-- --json FILE]`: the kernels of random programs compiled for arm64 by a cross compiler, run under qemu, and compared
 * bit by bit with WebAssembly on this machine. Needs `apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user`. Exit status 1
 * where a bit differs.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { hasFma, nativeTarget } from "../packages/torte/src/backends/native/targets.js";
import { createWasmBackend, hasRelaxedSimd } from "../packages/torte/src/backends/wasm/session.js";
import { type Node, type Program, State } from "../packages/torte/src/graph/node.js";
import * as ops from "../packages/torte/src/ops/index.js";
import type { Tensor } from "../packages/torte/src/tensor/tensor.js";
import { drawChain, GRAPHS } from "../packages/torte/src/testing/arbitrary.js";
import { Cases } from "../packages/torte/src/testing/compare.js";
import { descent, together } from "../packages/torte/src/testing/descent.js";
import { runInC } from "../packages/torte/src/testing/in-c.js";

const COMPILER = process.env["CROSS_CC"] ?? "aarch64-linux-gnu-gcc";
const RUNNER = ["qemu-aarch64"];
const FLAGS = ["-O2", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-strict-aliasing", "-static", "-w"];

const { values } = parseArgs({ options: { json: { type: "string" } } });
const first = (command: string, ...args: readonly string[]): string =>
  execFileSync(command, args, { input: "" }).toString().split("\n")[0] ?? "";
const macros = new Set(
  execFileSync(COMPILER, ["-dM", "-E", "-x", "c", "-"], { input: "" })
    .toString()
    .split("\n")
    .map((line) => line.split(" ")[1] ?? ""),
);

interface Example {
  readonly program: Program;
  readonly data: ReadonlyMap<State, Tensor>;
  readonly steps: number;
}

/** Outputs as states, which come out of a program of C. */
function kept(name: string, outputs: readonly Node[], data: ReadonlyMap<State, Tensor>): Example {
  const updates = outputs.map((value, i) => ({ state: new State(`out${i}`, value.shape, value.dtype), value }));
  return { program: { name, outputs: [], updates }, data, steps: 1 };
}

function examples(): Example[] {
  const primitives = together(8, (d) => Object.values(GRAPHS).map((graph) => graph(d)));
  const chains = together(25, (d) => drawChain(d, d.int(2, 8)));
  const { updates } = descent(chains.made.flat());
  const c = new Cases(3);
  const product = (equation: string, a: readonly number[], b: readonly number[]): Node =>
    ops.tanh(ops.einsum(equation, c.float(a), c.float(b)));
  const products = [
    product("bij,bjk->bik", [3, 50, 20], [3, 20, 17]),
    product("bji,bjk->bik", [3, 300, 70], [3, 300, 90]),
    product("ij,jk->ik", [500, 300], [300, 40]),
    product("ij,kj->ik", [70, 500], [30, 500]),
    ops.sum(c.float([37, 1001]), { axes: [1] }),
    ops.softmax(c.float([65, 43])),
    ops.argmax(c.float([33, 129]), { axes: [1] }),
  ];
  return [
    kept("primitives", primitives.made.flat(), primitives.data),
    { program: { name: "chains, updated", outputs: [], updates }, data: chains.data, steps: 2 },
    kept("products", products, c.data),
  ];
}

async function onWasm(
  { program, data, steps }: Example,
  precision: "fast" | "reproducible",
): Promise<Map<State, Tensor>> {
  const session = createWasmBackend({ precision, threads: 1 }).createSession();
  try {
    const states = [...new Set([...data.keys(), ...program.updates.map(({ state }) => state)])];
    await session.allocate(states);
    for (const [state, value] of data) await session.write(state, value);
    await session.run(await session.compile(program), { steps });
    return new Map(await Promise.all(states.map(async (state) => [state, await session.read(state)] as const)));
  } finally {
    await session.close();
  }
}

/** How many numbers there are, and how many of them differ. */
function compared(
  one: ReadonlyMap<State, Tensor>,
  other: ReadonlyMap<State, Tensor>,
): { numbers: number; differ: number } {
  let [numbers, differ] = [0, 0];
  for (const [state, { data }] of one) {
    const wanted = other.get(state)?.data ?? [];
    numbers += data.length;
    data.forEach((value: number, i: number) => (differ += Number(!Object.is(value, wanted[i]))));
  }
  return { numbers, differ };
}

const results = [];
for (const precision of ["fast", "reproducible"] as const) {
  const target = nativeTarget(macros, precision === "fast" && hasRelaxedSimd() && hasFma(macros));
  for (const example of examples()) {
    const { states, fault } = runInC(example.program, example.data, {
      target,
      compiler: [COMPILER, ...FLAGS],
      runner: RUNNER,
      steps: example.steps,
    });
    const figures = { ...compared(states, await onWasm(example, precision)), fault: fault ?? null };
    results.push({ program: example.program.name, precision, target: target.name, ...figures });
    const verdict = fault ?? (figures.differ === 0 ? "the same bits" : `${figures.differ} differ`);
    console.log(`${example.program.name}, ${precision}, ${target.name}: ${figures.numbers} numbers, ${verdict}`);
    if (fault !== undefined || figures.differ > 0) process.exitCode = 1;
  }
}
if (values.json !== undefined) {
  const facts = {
    date: new Date().toISOString().slice(0, 10),
    compiler: first(COMPILER, "--version"),
    runner: first("qemu-aarch64", "--version"),
    node: process.version,
    results,
  };
  writeFileSync(values.json, `${JSON.stringify(facts, undefined, 2)}\n`);
}
