/**
 * `npm run bench:kernels [-- --only NAME] [--plain] [--sweep]`: GFLOP/s and GB/s of each family of kernels on one thread,
 * beside what this machine can do: multiply-adds in registers, and copying within and beyond its caches; as WebAssembly, and
 * where there is a C compiler natively. Then what layers cost together. `--plain` leaves relaxed instructions out; `--sweep` multiplies square matrices of every size up to 300;
 * `--crossing` sets plain convolutions beside fast ones, forward and backward, where the estimate of their cost changes its mind.
 */
import { parseArgs } from "node:util";
import { atOnce } from "../packages/torte/src/turns.js";
import type { MeasuredKernel } from "../packages/torte/src/backends/debug.js";
import { fuseProgram } from "../packages/torte/src/compile/pipeline.js";
import type { Placement } from "../packages/torte/src/backends/compiled-program.js";
import { findUsable, optionsFor } from "../packages/torte/src/backends/native/backend.js";
import { build } from "../packages/torte/src/backends/native/build.js";
import type { Compiler } from "../packages/torte/src/backends/native/compiler.js";
import { moduleText } from "../packages/torte/src/backends/native/module-text.js";
import { prelude } from "../packages/torte/src/backends/native/prelude.js";
import { compileNative } from "../packages/torte/src/backends/native/program.js";
import { compileModule } from "../packages/torte/src/backends/wasm/module.js";
import { Code, I32, MEMORY, OP, SIMD, V128, WasmModule } from "../packages/torte/src/backends/wasm/encoder.js";
import { hasRelaxedSimd } from "../packages/torte/src/backends/wasm/session.js";
import { gradients } from "../packages/torte/src/autodiff/gradient.js";
import { read } from "../packages/torte/src/graph/make.js";
import { fastConvolutions, fastConvolutionsAt } from "../packages/torte/src/compile/rewrite/winograd.js";
import { type Node, nodesOf, type Program, State } from "../packages/torte/src/graph/node.js";
import * as ops from "../packages/torte/src/ops/index.js";
import {
  activation,
  batchNormalization,
  concatenate,
  conv1d,
  conv2d,
  depthwiseConv2d,
  dropout,
  lambda,
} from "../packages/torte/src/nn/layers/index.js";
import { type LayerFunction, newTracing, type SymbolicTensor } from "../packages/torte/src/nn/layer.js";
import { input, Network } from "../packages/torte/src/nn/network.js";
import { adam } from "../packages/torte/src/optim/adam.js";
import type { DType } from "../packages/torte/src/tensor/dtype.js";
import { sizeOf } from "../packages/torte/src/tensor/shape.js";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    plain: { type: "boolean", default: false },
    sweep: { type: "boolean", default: false },
    crossing: { type: "boolean", default: false },
  },
});
const fma = !values.plain && hasRelaxedSimd();

interface Family {
  readonly name: string;
  readonly build: (state: (shape: readonly number[], dtype?: DType) => Node) => readonly Node[] | Program;
}

const product = (spec: string, a: readonly number[], b: readonly number[]): Family["build"] => {
  return (state) => [ops.einsum(spec, state(a), state(b))];
};
const windows = (x: Node, rank: number, size: number): Node =>
  ops.windows(x, {
    axis: 1,
    size: Array<number>(rank).fill(size),
    stride: Array<number>(rank).fill(1),
    dilation: Array<number>(rank).fill(1),
  });

/** A convolution and its two derivatives, each as the training step has it. */
function convolution(name: string, x: readonly number[], taps: number, filters: number): Family[] {
  const rank = x.length - 2;
  const [o, k] = ["opq".slice(0, rank), "ijk".slice(0, rank)];
  const kernel = [...Array<number>(rank).fill(taps), x.at(-1) ?? 1, filters];
  const forward = (a: Node, w: Node): Node => ops.einsum(`b${o}${k}c,${k}cf->b${o}f`, windows(a, rank, taps), w);
  const back = (state: Parameters<Family["build"]>[0], of: 0 | 1): readonly Node[] => {
    const [a, w] = [state(x), state(kernel)];
    const y = forward(a, w);
    return gradients(ops.sum(ops.mul(y, state(y.shape))), [of === 0 ? a : w]);
  };
  return [
    { name: `${name}, forward`, build: (state) => [forward(state(x), state(kernel))] },
    { name: `${name}, to the input`, build: (state) => back(state, 0) },
    { name: `${name}, to the kernel`, build: (state) => back(state, 1) },
  ];
}

const FAMILIES: readonly Family[] = [
  ...[64, 128, 240, 480].map((n) => ({ name: `product ${n}³`, build: product("ik,kj->ij", [n, n], [n, n]) })),
  { name: "dense 128×784×512", build: product("ik,kj->ij", [128, 784], [784, 512]) },
  { name: "dense 128×512×512, to the input", build: product("ij,kj->ik", [128, 512], [512, 512]) },
  { name: "dense 128×784×512, to the kernel", build: product("ik,ij->kj", [128, 784], [128, 512]) },
  { name: "dense 16×160×256", build: product("ik,kj->ij", [16, 160], [160, 256]) },
  ...convolution("conv1d 64×200×64, 5 taps, 64", [64, 204, 64], 5, 64),
  ...convolution("conv2d 128×13×13×32, 3×3, 64", [128, 13, 13, 32], 3, 64),
  ...convolution("conv2d 128×28×28×1, 3×3, 32", [128, 28, 28, 1], 3, 32),
  ...convolution("conv3d 8×14³×16, 3³, 32", [8, 14, 14, 14, 16], 3, 32),
  { name: "map a·b + c, in cache", build: (state) => [ops.add(ops.mul(state([4096]), state([4096])), state([4096]))] },
  {
    name: "map a·b + c, 16 MiB",
    build: (state) => [ops.add(ops.mul(state([1 << 22]), state([1 << 22])), state([1 << 22]))],
  },
  { name: "map tanh", build: (state) => [ops.tanh(state([1 << 16]))] },
  { name: "map exp", build: (state) => [ops.exp(state([1 << 16]))] },
  { name: "softmax of rows", build: (state) => [ops.softmax(state([256, 256]))] },
  { name: "sum of rows", build: (state) => [ops.sum(state([512, 512]), { axes: [1] })] },
  { name: "sum of columns", build: (state) => [ops.sum(state([512, 512]), { axes: [0] })] },
  { name: "transposed copy", build: (state) => [ops.stopGradient(ops.transpose(state([512, 512]), [1, 0]))] },
  {
    name: "maximum of windows of 2×2",
    build: (state) => [ops.max(ops.reshape(state([64, 13, 2, 13, 2, 32]), [64, 13, 2, 13, 2, 32]), { axes: [2, 4] })],
  },
  {
    name: "gather of rows",
    build: (state) => [ops.stopGradient(ops.gather(state([1000, 64]), state([4096], "int32")))],
  },
  { name: "scatter of rows", build: (state) => [ops.scatterAdd(state([4096], "int32"), state([4096, 64]), 1000)] },
  { name: "Adam", build: (state) => adamStep(state) },
  { name: "dense 128×784×512, to the kernel, with Adam", build: (state) => adamStep(state, [128, 784, 512]) },
  { name: "dense 256×2048×2048, to the kernel, with Adam", build: (state) => adamStep(state, [256, 2048, 2048]) },
];

/** The update alone, or behind the product of so many rows that gives the gradient. */
function adamStep(
  state: Parameters<Family["build"]>[0],
  [rows = 0, inputs = 512, units = 512] = [] as number[],
): Program {
  const shape = [inputs, units];
  const [weight, m, v] = [state(shape), state(shape), state(shape)];
  const gradient = rows === 0 ? state(shape) : ops.einsum("ik,ij->kj", state([rows, inputs]), state([rows, units]));
  const facts = { path: "weight", shape, layer: "dense", last: false };
  const rate = { learningRate: state([]), step: state([]), weightDecay: 0 };
  const next = adam().update({ weight, gradient, slots: { m, v }, ...rate, facts });
  const stateOf = (node: Node | undefined): State => {
    if (node?.op !== "state") throw new RangeError("not a state");
    return node.attributes.state;
  };
  const updates = [
    { state: stateOf(weight), value: next.weight },
    ...Object.entries(next.slots).map(([name, value]) => ({ state: stateOf({ m, v }[name]), value })),
  ];
  return { name: "Adam", outputs: [], updates };
}

/** Seconds for one run: the best of many short samples, as others use the machine too. */
async function time(run: (rounds: number) => void): Promise<number> {
  let rounds = 1;
  const measure = (): number => {
    const start = performance.now();
    run(rounds);
    return (performance.now() - start) / 1000;
  };
  while (measure() < 0.01 && rounds < 1e6) rounds *= 2;
  let best = Infinity;
  for (let sample = 0; sample < 12; sample++) {
    best = Math.min(best, measure() / rounds);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return best;
}

interface Measured {
  readonly kernel: string;
  readonly seconds: number;
  readonly flops: number;
  readonly bytes: number;
}

interface Prepared {
  readonly program: Program;
  readonly placement: Placement;
  /** Memory with made-up data in the states. */
  readonly memory: () => WebAssembly.Memory;
}

function prepare({ name, build }: Family): Prepared {
  let end = 65536;
  const reserve = (bytes: number): number => {
    const at = end;
    end += Math.ceil(bytes / 64) * 64;
    return at;
  };
  const addresses = new Map<State, number>();
  let count = 0;
  const built = build((shape, dtype = "float32") => {
    const state = new State(`s${count++}`, shape, dtype);
    addresses.set(state, reserve(4 * sizeOf(shape)));
    return read(state);
  });
  const memory = (): WebAssembly.Memory => {
    const result = new WebAssembly.Memory({ initial: Math.ceil(end / 65536) + 1, maximum: 65536 });
    const floats = new Float32Array(result.buffer);
    for (const [state, address] of addresses) {
      const words = new Int32Array(result.buffer, address, sizeOf(state.shape));
      if (state.dtype === "int32") words.forEach((_, i) => (words[i] = (i * 7919) % 1000));
      else for (let i = 0; i < words.length; i++) floats[address / 4 + i] = 0.5 + ((i * 37) % 101) / 101;
    }
    return result;
  };
  return {
    program: "updates" in built ? built : { name, outputs: built, updates: [] },
    placement: { stateAddress: (state) => addresses.get(state) ?? 0, lowest: 65536, reserve },
    memory,
  };
}

interface MeasuredFamily {
  readonly compileMs: number;
  readonly kernels: readonly Measured[];
}

async function timed(kernels: readonly MeasuredKernel[], run: (k: number) => void): Promise<Measured[]> {
  const results: Measured[] = [];
  for (const [k, { name: kernel, flops, bytes }] of kernels.entries()) {
    const seconds = await time((rounds) => {
      for (let i = 0; i < rounds; i++) run(k);
    });
    results.push({ kernel, seconds, flops, bytes });
  }
  return results;
}

/** Each kernel of the program on made-up data, and the milliseconds that compiling it took. */
async function measure(family: Family): Promise<MeasuredFamily> {
  const { program, placement, memory: newMemory } = prepare(family);
  const target = { shared: false, threads: 1, maximumPages: 65536, fma, profile: true };
  const start = performance.now();
  const module = compileModule(program, target, placement);
  const compileMs = performance.now() - start;
  const memory = newMemory();
  new Int32Array(memory.buffer).set(module.constants.words, module.constants.address / 4);
  const { instance } = await WebAssembly.instantiate(Uint8Array.from(module.code), { env: { memory } });
  const functions = module.kernels.map((_, k) => instance.exports[`k${k}`] as (thread: number) => void);
  return { compileMs, kernels: await timed(module.kernels, (k) => functions[k]?.(0)) };
}

/** The same as code of this machine. */
async function measureNative(family: Family, compiler: Compiler): Promise<MeasuredFamily> {
  const { program, placement, memory: newMemory } = prepare(family);
  const options = { ...optionsFor(compiler, fma ? "fast" : "reproducible"), threads: 1 };
  const start = performance.now();
  const { source, places, kernels } = atOnce(compileNative(fuseProgram(program), options, placement));
  const run = load(await build(source, compiler));
  const compileMs = performance.now() - start;
  const bytes = new Uint8Array(newMemory().buffer);
  return { compileMs, kernels: await timed(kernels, (k) => void run(bytes, places, 1, 0, 2 + k)) };
}

type Library = (memory: Uint8Array, places: Uint32Array, steps: number, thread: number, mode: number) => number;

function load(path: string): Library {
  const library = { exports: {} };
  process.dlopen(library, path);
  return library.exports as Library;
}

/** Independent multiply-adds that never leave the registers, in this machine's own vectors. */
async function nativePeak(compiler: Compiler): Promise<number> {
  const { target } = optionsFor(compiler, fma ? "fast" : "reproducible");
  const { width } = target;
  const sums = Array.from({ length: 12 }, (_, i) => `s${i}`);
  const source = `${prelude([4, 8, 16].filter((w) => w <= width))}
static int run(char *M, const unsigned *P, int steps, int thread, int mode) {
  F${width} ${sums.map((s) => `${s} = f${width}(0)`).join(", ")}, factor = f${width}(*(float *)M);
  for (int i = 0; i < steps; i++) {
    ${sums.map((s) => (target.fma ? `${s} = fma${width}(factor, factor, ${s});` : `${s} = ${s} * factor + factor;`)).join("\n    ")}
    __asm__ volatile("" : ${sums.map((s) => `"+${REGISTER}"(${s})`).join(", ")});
  }
  *(F${width}m *)(M + 64) = ${sums.join(" + ")};
  return 0;
}
${moduleText()}`;
  const run = load(await build(source, compiler));
  const [memory, places] = [new Uint8Array(256), new Uint32Array(1)];
  const seconds = await time((rounds) => void run(memory, places, 1000 * rounds, 0, 0));
  return (12 * 2 * width * 1000) / seconds / 1e9;
}

/** How inline assembler names a vector register. */
const REGISTER = process.arch === "arm64" ? "w" : "x";

async function show(family: Family): Promise<void> {
  const wasm = await measure(family);
  print(family, wasm);
  if (compiler !== undefined) print(family, await measureNative(family, compiler), wasm);
}

/** A line for each kernel; native code beside WebAssembly where both consist of the same kernels. */
function print({ name }: Family, { compileMs, kernels }: MeasuredFamily, wasm?: MeasuredFamily): void {
  const top = wasm === undefined ? peaks.wasm : peaks.native;
  for (const [k, { kernel, seconds, flops, bytes }] of kernels.entries()) {
    const label = kernels.length === 1 ? name : `${name} (${kernel})`;
    const other = wasm?.kernels[k];
    const cells = [
      `  ${wasm === undefined ? label : "  native"}`.padEnd(64),
      (seconds * 1e6).toFixed(1).padStart(10),
      (flops === 0 ? "" : (flops / seconds / 1e9).toFixed(1)).padStart(9),
      (flops === 0 ? "" : `${((100 * flops) / seconds / 1e9 / top).toFixed(0)} %`).padStart(7),
      (bytes / seconds / 1e9).toFixed(1).padStart(8),
      (k === 0 ? `${compileMs.toFixed(0)} ms` : "").padStart(9),
      (other?.kernel === kernel ? `${(other.seconds / seconds).toFixed(2)}×` : "").padStart(8),
    ];
    console.log(cells.join("").trimEnd());
  }
}

/** Of a mixed value, so that every convolution with three taps or more is a fast one. */
const CHEAP = 0.01;

/** A convolution with both its gradients, all kernels together: as a plain sum, and with fewer multiplications. */
async function crossing(): Promise<void> {
  console.log(
    `\n${"  convolution, forward and backward".padEnd(44)} chosen   wasm: plain µs   fast µs  ratio  native: plain     fast  ratio`,
  );
  for (const taps of [3, 5])
    for (const rank of [1, 2])
      for (const channels of [8, 16, 24, 32, 48, 64, 128]) {
        const x = rank === 1 ? [32, 100 + taps - 1, channels] : [16, 16 + taps - 1, 16 + taps - 1, channels];
        const family = (kind: "plain" | "fast"): Family => ({
          name: kind,
          build: (state) => trained(x, taps, channels, state, kind),
        });
        const seconds = ({ kernels }: MeasuredFamily): number =>
          kernels.reduce((sum, kernel) => sum + kernel.seconds, 0);
        const times: number[] = [];
        for (const kind of ["plain", "fast"] as const) times.push(seconds(await measure(family(kind))));
        if (compiler !== undefined)
          for (const kind of ["plain", "fast"] as const)
            times.push(seconds(await measureNative(family(kind), compiler)));
        const cells = times.flatMap((time, i) => [
          (time * 1e6).toFixed(0).padStart(i === 0 ? 17 : i === 2 ? 15 : 9),
          ...(i % 2 === 1 ? [((times[i - 1] ?? NaN) / time).toFixed(2).padStart(7)] : []),
        ]);
        const { program } = prepare({ name: "chosen", build: (state) => trained(x, taps, channels, state, undefined) });
        const chosen =
          program.outputs.length === 0
            ? ""
            : isFast(atOnce(fastConvolutions({ ...program, exactConvolutions: false })))
              ? "fast"
              : "plain";
        console.log(
          `  ${rank}D, ${taps} taps, ${channels} channels, ${channels} filters`.padEnd(46) +
            chosen.padEnd(6) +
            cells.join(""),
        );
      }
}

const isFast = (program: Program): boolean => nodesOf(program).some(({ op }) => op === "linearMap");

/** As a training step has it: the passes before differentiation, then both gradients; undefined where nothing is rewritten. */
function trained(
  x: readonly number[],
  taps: number,
  channels: number,
  state: Parameters<Family["build"]>[0],
  kind: "plain" | "fast" | undefined,
): Program {
  const rank = x.length - 2;
  const [o, k] = ["opq".slice(0, rank), "ijk".slice(0, rank)];
  const [a, w] = [state(x), state([...Array<number>(rank).fill(taps), channels, channels])];
  const plain = ops.einsum(`b${o}${k}c,${k}cf->b${o}f`, windows(a, rank, taps), w);
  const forward = { name: "forward", outputs: [plain], updates: [] };
  const [y = plain] = kind === "fast" ? atOnce(fastConvolutionsAt(forward, CHEAP)).outputs : [plain];
  const outputs = kind === undefined ? [y] : [y, ...gradients(ops.sum(ops.mul(y, state(y.shape))), [a, w])];
  return { name: "convolution", outputs, updates: [], exactConvolutions: true };
}

/** Forward and backward through some layers, all kernels together. */
async function layerSeconds(shape: readonly number[], layers: (x: SymbolicTensor) => SymbolicTensor): Promise<number> {
  const { kernels } = await measure({
    name: "layers",
    build: (state) => {
      const inputs = input({ shape: shape.slice(1) });
      const network = new Network([inputs], [layers(inputs)]);
      const weights = new Map([...network.weights.values()].map((weight) => [weight.state, state(weight.state.shape)]));
      const x = state(shape);
      const tracing = newTracing(true, state([2], "int32"), weights);
      const [y] = network.trace([{ value: x }], tracing);
      if (y === undefined) throw new RangeError("a network has an output");
      const moved = [...tracing.updates.values()];
      const trained = [...weights].filter(([own]) => !tracing.updates.has(own)).map(([, node]) => node);
      return [...gradients(ops.sum(ops.mul(y.value, state(y.value.shape))), [x, ...trained]), ...moved];
    },
  });
  return kernels.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** What layers cost beside a convolution, and groups beside separate convolutions. */
async function compareLayers(): Promise<void> {
  console.log("\n  layers, forward and backward                                           ms    ratio");
  const print = (name: string, seconds: number, ratio?: number): void => {
    const last = ratio === undefined ? "" : ratio.toFixed(2).padStart(9);
    console.log(`  ${name}`.padEnd(64) + (seconds * 1e3).toFixed(2).padStart(10) + last);
  };
  for (const [name, shape, conv] of [
    ["conv1d 32×200×64, 5 taps, 64", [32, 200, 64], () => conv1d({ filters: 64, kernelSize: 5, padding: "same" })],
    ["conv2d 32×28×28×32, 3×3, 32", [32, 28, 28, 32], () => conv2d({ filters: 32, kernelSize: 3, padding: "same" })],
  ] as const) {
    const alone = await layerSeconds(shape, (x) => conv()(x));
    const block = await layerSeconds(shape, (x) =>
      dropout({ rate: 0.2 })(activation("relu")(batchNormalization()(conv()(x)))),
    );
    print(name, alone);
    print("  with batch normalization, relu, dropout", block, block / alone);
  }
  const shape = [16, 28, 28, 64];
  const part = (i: number, width: number): LayerFunction => lambda((x) => ops.slice(x, 3, i * width, (i + 1) * width));
  const separate = (groups: number, each: (x: SymbolicTensor) => SymbolicTensor) => (x: SymbolicTensor) =>
    concatenate()(Array.from({ length: groups }, (_, i) => each(part(i, 64 / groups)(x))));
  const grouped = await layerSeconds(shape, (x) => conv2d({ filters: 64, kernelSize: 3, groups: 4 })(x));
  const fours = await layerSeconds(
    shape,
    separate(4, (x) => conv2d({ filters: 16, kernelSize: 3 })(x)),
  );
  const depthwise = await layerSeconds(shape, (x) => depthwiseConv2d({ kernelSize: 3 })(x));
  const ones = await layerSeconds(
    shape,
    separate(64, (x) => conv2d({ filters: 1, kernelSize: 3 })(x)),
  );
  print("conv2d 16×28×28×64, 3×3, 64, 4 groups", grouped);
  print("  as 4 convolutions", fours, fours / grouped);
  print("depthwiseConv2d 16×28×28×64, 3×3", depthwise);
  print("  as 64 convolutions", ones, ones / depthwise);
}

/** Square products of every size: how far the slowest falls behind the median of its neighbours. */
async function sweep(): Promise<void> {
  const speeds: number[] = [];
  for (let n = 1; n <= 300; n++) {
    const { kernels } = await measure({ name: `product ${n}³`, build: product("ik,kj->ij", [n, n], [n, n]) });
    speeds.push((2 * n ** 3) / kernels.reduce((sum, { seconds }) => sum + seconds, 0) / 1e9);
  }
  const rows = speeds.map((speed, i) => {
    const near = speeds.slice(Math.max(0, i - 4), i + 5).sort((a, b) => a - b);
    return { n: i + 1, speed, share: speed / (near[Math.floor(near.length / 2)] ?? speed) };
  });
  console.log("\n  square products from 1 to 300: GFLOP/s, and the share of the median of nine neighbours");
  for (const { n, speed, share } of [...rows].sort((a, b) => a.share - b.share).slice(0, 8))
    console.log(`  ${n}³`.padEnd(12) + speed.toFixed(1).padStart(8) + `${(100 * share).toFixed(0)} %`.padStart(8));
}

/** Independent multiply-adds that never leave the registers. */
async function peak(): Promise<number> {
  const module = new WasmModule({ shared: false, maximumPages: 1 });
  const code = new Code(1);
  const sums = Array.from({ length: 12 }, () => code.newLocal(V128));
  const factor = code.newLocal(V128);
  code.loop();
  for (const sum of sums) {
    // The product changes with the sum, so that the host cannot compute it once for all.
    if (fma) code.get(sum).get(factor).get(factor).simd(SIMD.f32x4RelaxedMadd).set(sum);
    else code.get(sum).get(factor).simd(SIMD.f32x4Mul).get(factor).simd(SIMD.f32x4Add).set(sum);
  }
  code.get(0).i32(1).op(OP.i32Sub).tee(0).branchIf(0).op(OP.end);
  for (const [i, sum] of sums.entries())
    code
      .i32(16 * i)
      .get(sum)
      .memory(MEMORY.store, 0);
  module.add([I32], [], code, "run");
  const seconds = await time(await runnable(module, 1));
  return (12 * 8) / seconds / 1e9;
}

/** Bytes read and written in a second by a copy of `bytes`. */
async function copying(bytes: number): Promise<number> {
  const module = new WasmModule({ shared: false, maximumPages: 65536 });
  const code = new Code(1);
  const at = code.newLocal(I32);
  code.loop().i32(0).set(at).loop();
  for (let i = 0; i < 4; i++)
    code
      .get(at)
      .get(at)
      .memory(MEMORY.load, 65536 + 16 * i)
      .memory(MEMORY.store, 65536 + bytes + 16 * i);
  code.get(at).i32(64).op(OP.i32Add).tee(at).i32(bytes).op(OP.i32LtS).branchIf(0).op(OP.end);
  code.get(0).i32(1).op(OP.i32Sub).tee(0).branchIf(0).op(OP.end);
  module.add([I32], [], code, "run");
  const seconds = await time(await runnable(module, 2 + Math.ceil((2 * bytes) / 65536)));
  return (2 * bytes) / seconds / 1e9;
}

async function runnable(module: WasmModule, pages: number): Promise<(rounds: number) => void> {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536 });
  const { instance } = await WebAssembly.instantiate(Uint8Array.from(module.encode()), { env: { memory } });
  return instance.exports["run"] as (rounds: number) => void;
}

console.log(`Node ${process.version}, one thread, ${fma ? "with" : "without"} relaxed fused multiply-add`);
const found = await findUsable();
const compiler = "reason" in found ? undefined : found;
const peaks = { wasm: await peak(), native: compiler === undefined ? NaN : await nativePeak(compiler) };
console.log(`  multiply-adds in registers   ${peaks.wasm.toFixed(1)} GFLOP/s`);
if (compiler !== undefined)
  console.log(
    `    natively                   ${peaks.native.toFixed(1)} GFLOP/s (${compiler.description}, ${optionsFor(compiler, "fast").target.name})`,
  );
for (const [bytes, what] of [
  [8 << 10, "8 KiB"],
  [128 << 10, "128 KiB"],
  [64 << 20, "64 MiB"],
] as const)
  console.log(`  copy of ${what}`.padEnd(31) + `${(await copying(bytes)).toFixed(1)} GB/s`);
console.log(`\n${"  kernel".padEnd(64)}        µs  GFLOP/s of peak    GB/s  compile native`);
for (const family of FAMILIES) if (values.only === undefined || family.name.includes(values.only)) await show(family);
if (values.only === undefined || values.only === "layers") await compareLayers();
if (values.sweep) await sweep();
if (values.crossing) await crossing();
