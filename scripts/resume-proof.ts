/**
 * Kills a real run at random moments, some in the midst of a write, lets it go on each time, and compares it with a run that nobody
 * has killed: weights, history and the CSV file must be the same, to the bit.
 *
 *   npm run build && npm run resume-proof -- [KILLS [SEED]]     writes docs/resume-proof.json
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { prove } from "./resume-kills.js";

const [kills = 50, seed = 1] = process.argv.slice(2).map(Number);
let state = seed;
/** mulberry32 */
const random = (): number => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};
const proof = await prove(kills, random, ({ run, after, inWrite, checkpoints, threads }) => {
  console.log(
    `run ${run}: killed after ${after} ms${inWrite ? ", in a write" : ""}; ${checkpoints} checkpoints, ${threads} threads`,
  );
});
const inWrites = proof.kills.filter(({ inWrite }) => inWrite).length;
console.log(
  `${proof.kills.length} kills, ${inWrites} in a write; ${proof.runs} runs, ${proof.different} of them different`,
);
const facts = {
  kills: proof.kills.length,
  inWrites,
  runs: proof.runs,
  different: proof.different,
  seed,
  node: process.version,
};
writeFileSync(
  fileURLToPath(new URL("../docs/resume-proof.json", import.meta.url)),
  `${JSON.stringify({ ...facts, each: proof.kills }, null, 1)}\n`,
);
process.exitCode = proof.different > 0 ? 1 : 0;
