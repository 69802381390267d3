/** npm run conformance -- FILE [--backend wasm|reference]: checks the layers, losses and optimizers against cases in a file. */
import { parseArgs } from "node:util";
import { readCases } from "./conformance/cases.js";
import { type BackendName, nameOf, runCase } from "./conformance/run.js";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { backend: { type: "string" } } });
const [file, ...more] = positionals;
const backends = (["wasm", "reference"] as const).filter((name) => (values.backend ?? name) === name);
if (file === undefined || more.length > 0 || backends.length === 0) {
  console.error("Usage: npm run conformance -- FILE [--backend wasm|reference]");
  process.exit(2);
}

const counts = { passed: 0, failed: 0, "not built": 0 };
const cases = await readCases(file);
for (const backend of backends satisfies readonly BackendName[]) {
  for (const conformance of cases) {
    const outcome = await runCase(conformance, backend);
    counts[outcome.status]++;
    if (outcome.status === "passed") continue;
    console.log(`${outcome.status}, ${backend}: ${nameOf(conformance)}`);
    if (outcome.status === "not built") console.log(`  ${outcome.reason}`);
    else for (const problem of outcome.problems) console.log(`  ${problem}`);
  }
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts["not built"]} not built`);
process.exitCode = counts.failed === 0 ? 0 : 1;
