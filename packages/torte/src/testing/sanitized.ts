/**
 * Runs a program's C in a process of its own, built with AddressSanitizer and UndefinedBehaviorSanitizer, each array an allocation of its
 * own: a place outside of an array, or of memory that holds nothing, ends it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Compiler, findCompiler } from "../backends/native/compiler.js";
import { moduleText } from "../backends/native/module-text.js";
import { compileNative } from "../backends/native/program.js";
import { hasFma, nativeTarget } from "../backends/native/targets.js";
import { toMemory } from "../backends/wasm/session.js";
import { fuseProgram } from "../compile/pipeline.js";
import type { Program, State } from "../graph/node.js";
import type { Tensor } from "../tensor/tensor.js";
import { atOnce } from "../turns.js";

const FLAGS = ["-O1", "-g1", "-std=gnu11", "-ffp-contract=off", "-fno-strict-aliasing", "-w"];
const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

export interface SanitizedOptions {
  readonly steps?: number;
  /** Bytes by which every array is made too short: a run that must fail. */
  readonly missing?: number;
}

/** The sanitizers' words where they find something; undefined where all is well. */
export async function faultOf(
  program: Program,
  data: ReadonlyMap<State, Tensor>,
  { steps = 1, missing = 0 }: SanitizedOptions = {},
): Promise<string | undefined> {
  const compiler = await findCompiler();
  if ("reason" in compiler) throw new Error(compiler.reason);
  const target = nativeTarget(compiler.macros, hasFma(compiler.macros));
  const placement = { lowest: 0, stateAddress: () => 0, reserve: () => 0 };
  const { source, arrays } = atOnce(
    compileNative(fuseProgram(program), { target, threads: 1, checked: false }, placement),
  );
  const main = harness(
    arrays.map(({ bytes, state }) => ({ bytes: bytes - missing, given: state !== undefined })),
    steps,
  );
  const kernels = source.slice(0, source.length - moduleText().length).replaceAll(/\(M \+ P\[(\d+)\]\)/g, "(A[$1])");
  const contents = arrays.flatMap(({ bytes, state }) =>
    state === undefined ? [] : [contentsOf(state, data.get(state), bytes - missing)],
  );
  return run(`static char *A[${arrays.length + 1}];\n${kernels}\n${main}`, Buffer.concat(contents), compiler);
}

function contentsOf(state: State, value: Tensor | undefined, bytes: number): Buffer {
  const buffer = new ArrayBuffer(4 * state.shape.reduce((size, n) => size * n, 1));
  if (value !== undefined) toMemory(state.dtype, value.data, buffer, 0);
  return Buffer.from(buffer).subarray(0, bytes);
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
  for (int i = 0; i < ${arrays.length}; i++) free(A[i]);
  return failed;
}`;

function run(source: string, input: Buffer, { command, options }: Compiler): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "torte-sanitized-"));
  try {
    const path = join(folder, "kernels");
    const built = spawnSync(command, [...options, ...FLAGS, ...SANITIZERS, "-x", "c", "-", "-o", path], {
      input: source,
    });
    if (built.status !== 0) throw new Error(`${command}: ${built.stderr.toString().slice(-4000)}`);
    const ended = spawnSync(path, { input, env: { ...process.env, ASAN_OPTIONS: "detect_stack_use_after_return=0" } });
    if (ended.status === 0) return undefined;
    return `status ${ended.status ?? ended.signal ?? "unknown"}: ${ended.stderr.toString().slice(0, 4000)}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
