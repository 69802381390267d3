/**
 * Whether TensorBoard reads our event files: writes some and has its Python package read them back.
 *
 *     PYTHON=python3 jiti scripts/tensorboard-check.ts
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { EventWriter } from "../packages/torte/src/index.js";

const folder = mkdtempSync(join(tmpdir(), "torte-tensorboard-"));
const first = new EventWriter(folder);
for (let step = 0; step < 500; step++) first.scalar("epoch_loss", 1 / (1 + step), step);
first.text("model", "a **text** with ümläuts", 0);
first.histogram("kernel", [0, 1, 1, 2], 3);
await first.flush();
const second = new EventWriter(folder, { restartAt: 400 });
for (let step = 400; step < 420; step++) second.scalar("epoch_loss", -step, step);
await second.flush();

const losses = Array.from({ length: 420 }, (_, step) => [step, step < 400 ? Math.fround(1 / (1 + step)) : -step]);
const rows = Array.from({ length: 30 }, (_, i) => {
  const count = { 0: 1, 15: 2, 29: 1 }[i] ?? 0;
  return [(i * 2) / 30, ((i + 1) * 2) / 30, count];
});
const expected = {
  "scalars epoch_loss": losses,
  "text model": [[0, "a **text** with ümläuts"]],
  "histograms kernel": [[3, rows]],
};
const script = fileURLToPath(new URL("./tensorboard-check.py", import.meta.url));
const printed = execFileSync(process.env["PYTHON"] ?? "python3", [script, folder], { encoding: "utf8" });
/** Limits of buckets are sums of floats. */
const rounded = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, part: unknown) => (typeof part === "number" ? Number(part.toPrecision(9)) : part)),
  );
const found = rounded(JSON.parse(printed)) as Record<string, unknown>;
let wrong = 0;
for (const [name, values] of Object.entries(expected)) {
  const same = isDeepStrictEqual(found[name], rounded(values));
  if (!same) wrong++;
  console.log(`${same ? "same" : "DIFFERENT"}  ${name}, ${values.length} values`);
}
if (wrong > 0) console.log(JSON.stringify(found).slice(0, 2000));
process.exitCode = wrong === 0 ? 0 : 1;
