/**
 * npm run conformance -- FILE [--backend wasm|reproducible|reference]: checks layers, losses, metrics, optimizers and schedules against cases.
 * Exit status: 0 where no case fails, 1 where one does, 2 where the file cannot be read or the command line is wrong.
 */
import { parseArgs } from "node:util";
import { type Case, CasesError, readCases } from "./conformance/cases.js";
import { type BackendName, BACKENDS, nameOf, runCase } from "./conformance/run.js";

function commandLine(): { file: string; backends: readonly BackendName[] } | undefined {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { backend: { type: "string" } } });
    const [file, ...more] = positionals;
    const backends = BACKENDS.filter((name) => (values.backend ?? name) === name);
    return file === undefined || more.length > 0 || backends.length === 0 ? undefined : { file, backends };
  } catch {
    return undefined; // an unknown option
  }
}

async function run(cases: readonly Case[], backends: readonly BackendName[]): Promise<number> {
  const counts = { passed: 0, departs: 0, failed: 0, "not built": 0 };
  for (const backend of backends) {
    for (const conformance of cases) {
      const outcome = await runCase(conformance, backend);
      counts[outcome.status]++;
      if (outcome.status === "passed") continue;
      console.log(`${outcome.status}, ${backend}: ${nameOf(conformance)}`);
      if (outcome.status !== "failed") console.log(`  ${outcome.reason}`);
      else for (const problem of outcome.problems) console.log(`  ${problem}`);
    }
  }
  console.log(
    `${counts.passed} passed, ${counts.departs} depart on purpose, ${counts.failed} failed, ${counts["not built"]} not built`,
  );
  return counts.failed === 0 ? 0 : 1;
}

const asked = commandLine();
if (asked === undefined) {
  console.error("Usage: npm run conformance -- FILE [--backend wasm|reproducible|reference]");
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await run(await readCases(asked.file), asked.backends);
  } catch (error) {
    if (!(error instanceof CasesError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
