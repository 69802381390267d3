import { once } from "node:events";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Buffer as Stored } from "../../compile/loops/expr.js";
import { fuse } from "../../compile/fusion/fuse.js";
import { iterationsOf } from "../../compile/loops/loops.js";
import { lower } from "../../compile/lower/lower.js";
import { narrowTarget } from "../../compile/lower/target.js";
import { AFTER_GRADIENT, runPasses } from "../../compile/pipeline.js";
import type { Program, State } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import type { Tensor } from "../../tensor/tensor.js";
import { drawing, drawn, GRAPHS } from "../../testing/arbitrary.js";
import { Cases } from "../../testing/compare.js";
import { emitKernel } from "./emit.js";
import { ATOMIC, Code, I32, OP, WasmModule } from "./encoder.js";
import { MathLibrary } from "./math.js";
import { WorkStealing } from "./work-stealing.js";
import { StepFunctions } from "./step-function.js";
import { hasRelaxedSimd } from "./session.js";

const PAGE = 65536;

type Range = (from: number, to: number) => void;

/** The kernels of a program, each of which runs some of its rounds, and a memory with the data. */
async function kernelsOf(
  program: Program,
  data: ReadonlyMap<State, Tensor>,
): Promise<() => Promise<{ memory: WebAssembly.Memory; kernels: { run: Range; iterations: number }[] }>> {
  const fused = fuse(runPasses(program, AFTER_GRADIENT));
  const fma = hasRelaxedSimd();
  const lowered = lower(fused, narrowTarget(fma), (kernel) => kernel);
  const addresses = new Map<Stored, number>();
  let end = PAGE;
  const address = (buffer: Stored): number => {
    const known = addresses.get(buffer) ?? end;
    if (!addresses.has(buffer)) end += 4 * buffer.size;
    addresses.set(buffer, known);
    return known;
  };
  const module = new WasmModule({ shared: false, maximumPages: PAGE });
  const math = new MathLibrary(module);
  lowered.forEach((kernel, i) => {
    const code = emitKernel(kernel, { fma, lowest: PAGE, module, math });
    const placed = code.placed((buffer) => address(kernel.arrays?.get(buffer) ?? buffer));
    module.add([I32, I32], [], placed, `k${i}`);
  });
  const compiled = await WebAssembly.compile(Uint8Array.from(module.encode()));
  return async () => {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(end / PAGE) + 1, maximum: PAGE });
    for (const [state, buffer] of fused.stateBuffers) {
      const values = data.get(state)?.data ?? [];
      const words = new (state.dtype === "float32" ? Float32Array : Int32Array)(memory.buffer, address(buffer));
      values.forEach((value, i) => (words[i] = state.dtype === "bool" ? -value : value));
    }
    const { exports } = await WebAssembly.instantiate(compiled, { env: { memory } });
    const kernels = lowered.map(({ body }, i) => ({ run: exports[`k${i}`] as Range, iterations: iterationsOf(body) }));
    return { memory, kernels };
  };
}

/** Each kernel at once, and in pieces from the last to the first: the memory has to be the same in the end. */
async function expectSame(program: Program, data: ReadonlyMap<State, Tensor>): Promise<void> {
  const start = await kernelsOf(program, data);
  const [whole, pieces] = [await start(), await start()];
  for (const { run, iterations } of whole.kernels) run(0, iterations);
  for (const { run, iterations } of pieces.kernels) {
    const size = Math.ceil(iterations / 60);
    for (let from = Math.floor((iterations - 1) / size) * size; from >= 0; from -= size)
      run(from, Math.min(from + size, iterations));
  }
  expect(Buffer.compare(Buffer.from(pieces.memory.buffer), Buffer.from(whole.memory.buffer)), program.name).toBe(0);
}

describe("a kernel in pieces computes what it does as a whole", () => {
  it("for any primitive", async () => {
    for (const [name, graph] of Object.entries(GRAPHS)) {
      const property = fc.asyncProperty(fc.gen(), async (gen) => {
        const d = drawing(gen);
        await expectSame({ name, outputs: [graph(d)], updates: [] }, d.data);
      });
      await fc.assert(property, drawn(8));
    }
  });

  for (const [name, equation, a, b] of [
    ["a small operand", "bij,bjk->bik", [3, 50, 20], [3, 20, 17]],
    ["packed strips", "bji,bjk->bik", [3, 300, 70], [3, 300, 90]],
    ["packed blocks", "bji,bjk->bik", [9, 300, 31], [9, 300, 42]],
    ["packed strips of groups of rows", "ij,jk->ik", [500, 300], [300, 40]],
    ["packed blocks of terms for bands together", "ij,jk->ik", [310, 600], [600, 330]],
    ["one row", "ij,jk->ik", [1, 300], [300, 400]],
  ] as const) {
    it(`for a product with ${name}`, async () => {
      const cases = new Cases(3);
      const product = ops.einsum(equation, cases.float(a), cases.float(b));
      await expectSame({ name, outputs: [ops.tanh(product)], updates: [] }, cases.data);
    });
  }
});

/** Where the test's kernels count how often each of their rounds has run, after the counters of the parts. */
const COUNTS = 4096;

/** A kernel that adds 1 to a number for each of its rounds. */
function countingKernel(module: WasmModule, at: number): number {
  const code = new Code(2);
  code.get(0).get(1).op(OP.i32LtS).if().loop();
  code.get(0).i32(4).op(OP.i32Mul).i32(1).atomic(ATOMIC.add, 2, at).op(OP.drop);
  code.get(0).i32(1).op(OP.i32Add).tee(0).get(1).op(OP.i32LtS).branchIf(0).op(OP.end).op(OP.end);
  return module.add([I32, I32], [], code);
}

describe("threads", () => {
  it("run every round of every kernel once a step", { timeout: 30_000 }, async () => {
    const [threads, steps] = [3, 3000];
    const kernels = [
      { iterations: 37, chunks: 4 },
      { iterations: 3, chunks: 1 },
      { iterations: 5, chunks: 0 },
      { iterations: 240, chunks: 8 },
    ];
    const module = new WasmModule({ shared: true, maximumPages: 1 });
    const functions = kernels.map(({ iterations }, i) => ({
      index: countingKernel(module, COUNTS + 1024 * i),
      iterations,
    }));
    const plan = kernels.map(({ chunks }, kernel) => ({ kernel, chunks, barrier: kernel % 2 === 1 }));
    new StepFunctions(module, { functions, plan, threads, counters: 2048 }).addRun(false);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    // What another program has left there must not be taken for parts.
    new Int32Array(memory.buffer, 2048, 128).fill(3);
    const source = `
      const { workerData: { code, memory, steps, thread } } = require("node:worker_threads");
      new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } }).exports.run(steps, thread);`;
    const code = Uint8Array.from(module.encode());
    const workers = Array.from(
      { length: threads },
      (_, thread) => new Worker(source, { eval: true, workerData: { code, memory, steps, thread } }),
    );
    await Promise.all(workers.map((worker) => once(worker, "exit")));
    kernels.forEach(({ iterations }, i) => {
      expect([...new Int32Array(memory.buffer, COUNTS + 1024 * i, iterations)]).toEqual(
        Array<number>(iterations).fill(steps),
      );
    });
  });
});

describe("parts", () => {
  const [threads, count] = [3, 4];

  /** How often each part has been taken after threads have done something one after the other. */
  async function taken(act: (deal: Act, take: Act) => void): Promise<number[]> {
    const module = new WasmModule({ shared: false, maximumPages: 1 });
    const stealing = new WorkStealing(module, { threads, counts: [0, count], address: 1024 });
    const [deal, take] = [new Code(1), new Code(1)];
    stealing.refill(deal, 0);
    stealing.drain(take, 0, 1, (part) => {
      take.get(part).i32(4).op(OP.i32Mul).i32(1).atomic(ATOMIC.add, 2, COUNTS).op(OP.drop);
    });
    module.add([I32], [], deal, "deal");
    module.add([I32], [], take, "take");
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const { instance } = await WebAssembly.instantiate(Uint8Array.from(module.encode()), { env: { memory } });
    act(instance.exports["deal"] as Act, instance.exports["take"] as Act);
    return [...new Int32Array(memory.buffer, COUNTS, threads * count)];
  }

  type Act = (thread: number) => void;
  const [none, single] = [Array<number>(count).fill(0), Array<number>(count).fill(1)];

  it("of another thread are taken by one that is done", async () => {
    const all = await taken((deal, take) => {
      [0, 1, 2].forEach(deal);
      take(1);
      take(0);
    });
    expect(all).toEqual([...single, ...single, ...single]);
  });

  it("are not there before their thread deals them", async () => {
    const some = await taken((deal, take) => {
      [0, 2].forEach(deal);
      take(2);
    });
    expect(some).toEqual([...single, ...none, ...single]);
  });

  it("can be dealt and taken again", async () => {
    const all = await taken((deal, take) => {
      for (let step = 0; step < 5; step++) {
        [0, 1, 2].forEach(deal);
        [2, 0, 1].forEach(take);
      }
    });
    expect(new Set(all)).toEqual(new Set([5]));
  });
});
