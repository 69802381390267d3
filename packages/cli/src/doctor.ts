/** Looking at what there is to run on. */
import { type BackendDiagnosis, diagnoseBackends } from "torte";

export interface DoctorOptions {
  readonly json?: boolean;
}

/** The text that the command prints, and whether all is well. */
export async function doctor(options: DoctorOptions): Promise<{ text: string; well: boolean }> {
  const found = await diagnoseBackends();
  const text = options.json === true ? JSON.stringify(found, undefined, 2) : lines(found).join("\n");
  return { text, well: found.selfTest?.passed !== false };
}

function lines(found: BackendDiagnosis): string[] {
  const { host, cores, threads, fusedMultiplyAdd, compiler, reason, instructionSet, cache, selfTest } = found;
  const fused = fusedMultiplyAdd ? "with fused multiply-add" : "without fused multiply-add (Node 22 and newer have it)";
  return [
    `host             ${host}, ${cores} core${cores === 1 ? "" : "s"}`,
    `WebAssembly      ${fused}, ${threads ? "threads share memory" : "one thread"}`,
    `C compiler       ${compiler ?? `none (${reason ?? ""})`}`,
    ...(instructionSet === undefined ? [] : [`instruction set  ${instructionSet}`]),
    ...(cache === undefined
      ? []
      : [`cache            ${cache.folder}, ${cache.entries} programs, ${(cache.bytes / 1e6).toFixed(1)} MB`]),
    `self-test        ${verdict(selfTest)}`,
  ];
}

function verdict(selfTest: BackendDiagnosis["selfTest"]): string {
  if (selfTest === undefined) return "nothing to test, WebAssembly runs everything";
  if (!selfTest.passed) return `failed: ${selfTest.problem ?? ""}`;
  return `passed, native code gives the bits of WebAssembly (${(selfTest.compileMs / 1000).toFixed(1)} s)`;
}
