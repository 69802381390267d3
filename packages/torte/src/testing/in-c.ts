/**
 * Runs a program's C as a program of its own, for one thread, each array an allocation of its own: with sanitizers, or by the
 * compiler of another machine. What its states hold goes in and comes out as bytes.
 */
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { moduleText } from "../backends/native/module-text.js";
import { compileNative } from "../backends/native/program.js";
import type { NativeTarget } from "../backends/native/targets.js";
import { fromMemory, toMemory } from "../backends/wasm/memory-values.js";
import { fuseProgram } from "../compile/pipeline.js";
import type { Program, State } from "../graph/node.js";
import { sizeOf } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { atOnce } from "../turns.js";

export interface InC {
  readonly target: NativeTarget;
  /** Compiler and options. */
  readonly compiler: readonly string[];
  /** What runs the program, where it is not for this machine. */
  readonly runner?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly steps?: number;
  /** Bytes by which every array is made too short: a run that must fail. */
  readonly missing?: number;
}

export interface Outcome {
  /** Of states, after the last step. */
  readonly states: ReadonlyMap<State, Tensor>;
  /** What it says where it fails; undefined where all is well. */
  readonly fault: string | undefined;
}

export function runInC(program: Program, data: ReadonlyMap<State, Tensor>, options: InC): Outcome {
  const { target, steps = 1, missing = 0 } = options;
  const placement = { lowest: 0, stateAddress: () => 0, reserve: () => 0 };
  const { source, arrays } = atOnce(
    compileNative(fuseProgram(program), { target, threads: 1, checked: false }, placement),
  );
  const main = harness(
    arrays.map(({ bytes, state }) => ({ bytes: bytes - missing, given: state !== undefined })),
    steps,
  );
  const kernels = source.slice(0, source.length - moduleText().length).replaceAll(/\(M \+ P\[(\d+)\]\)/g, "(A[$1])");
  const states = arrays.flatMap(({ state }) => (state === undefined ? [] : [state]));
  const contents = states.map((state) => contentsOf(state, data.get(state)).subarray(0, bytesOf(state) - missing));
  const whole = `static char *A[${arrays.length + 1}];\n${kernels}\n${main}`;
  const { output, fault } = built(whole, Buffer.concat(contents), options);
  let at = 0;
  const after = states.map((state) => {
    const bytes = output.subarray(at, (at += bytesOf(state)));
    const own = new ArrayBuffer(bytesOf(state));
    new Uint8Array(own).set(bytes);
    return [state, fromMemory(state.dtype, own, state.shape)] as const;
  });
  return { states: new Map(after), fault };
}

const bytesOf = ({ shape }: State): number => 4 * sizeOf(shape);

function contentsOf(state: State, value: Tensor | undefined): Buffer {
  const buffer = new ArrayBuffer(bytesOf(state));
  if (value !== undefined) toMemory(state.dtype, value.data, buffer, 0);
  return Buffer.from(buffer);
}

/** Temporaries hold nothing at first, so that what reads one before it is written reads the allocator's filling. */
const harness = (arrays: readonly { readonly bytes: number; readonly given: boolean }[], steps: number): string => `
#include <stdio.h>
#include <stdlib.h>
static const struct { long bytes; int given; } ARRAYS[] = {${arrays.map(({ bytes, given }) => `{${bytes}, ${Number(given)}}`).join(", ")}};
int main(void) {
  for (int i = 0; i < ${arrays.length}; i++) {
    A[i] = malloc(ARRAYS[i].bytes);
    if (!A[i] || (ARRAYS[i].given && fread(A[i], 1, ARRAYS[i].bytes, stdin) != (size_t)ARRAYS[i].bytes)) return 9;
  }
  int failed = run(0, 0, ${steps}, 0, 1);
  for (int i = 0; i < ${arrays.length}; i++) {
    if (ARRAYS[i].given) fwrite(A[i], 1, ARRAYS[i].bytes, stdout);
    free(A[i]);
  }
  return failed;
}`;

function built(
  source: string,
  input: Buffer,
  { compiler, runner = [], env = {} }: InC,
): { readonly output: Buffer; readonly fault: string | undefined } {
  const folder = mkdtempSync(join(tmpdir(), "torte-in-c-"));
  try {
    const path = join(folder, "kernels");
    const [command = "cc", ...options] = compiler;
    const compiled = spawnSync(command, [...options, "-x", "c", "-", "-o", path], { input: source });
    if (compiled.status !== 0) throw new Error(`${command}: ${saidBy(compiled).slice(-4000)}`);
    const [first, ...rest] = [...runner, path];
    const ended = spawnSync(first, rest, { input, env: { ...process.env, ...env }, maxBuffer: 2 ** 30 });
    if (ended.status === 0) return { output: ended.stdout, fault: undefined };
    const fault = `status ${ended.status ?? ended.signal ?? "unknown"}: ${saidBy(ended).slice(0, 4000)}`;
    return { output: Buffer.alloc(0), fault };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const saidBy = ({ error, stderr }: SpawnSyncReturns<Buffer>): string => error?.message ?? stderr.toString();
