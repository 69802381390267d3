import { mkdtempSync, readFileSync, rmSync } from "node:fs"; import { tmpdir } from "node:os"; import { join } from "node:path";
import { adam, tensor } from "torte"; import { models } from "./workloads.mjs";
const cpu = () => Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;
const ROWS = 6400, x = tensor(Int32Array.from({ length: ROWS * 200 }, (_, i) => 1 + ((i * 7919) % 20)), { shape: [ROWS, 200] }), y = tensor(Float32Array.from({ length: ROWS }, (_, i) => i % 2));
const m = models.chapter({ threads: Number(process.argv[2] ?? 1) }); m.compile({ optimizer: adam(), loss: "binaryCrossentropy", metrics: ["accuracy"] });
async function go(steps) { const folder = mkdtempSync(join(tmpdir(), "ck-")); const c0 = cpu(), u0 = process.cpuUsage(), t0 = performance.now();
  await m.fit({ x, y }, { epochs: 2, batchSize: 16, verbose: 0, ...(steps ? { checkpoint: { folder, every: { steps } } } : {}) });
  const u = process.cpuUsage(u0); const r = [cpu() - c0, (u.user + u.system) / 1000, performance.now() - t0]; rmSync(folder, { recursive: true }); return r; }
await go(100); await go();
const med = (v) => v.sort((a, b) => a - b)[v.length >> 1];
const A = [], B = [], C = []; for (let i = 0; i < 7; i++) { if (!process.env.ONLY) A.push(await go()); B.push(await go(100)); if (!process.env.ONLY) C.push(await go(1e9)); }
for (const k of [0, 1, 2]) { const a = med(A.map((r) => r[k])), b = med(B.map((r) => r[k])), c = med(C.map((r) => r[k])); console.log(["main thread CPU", "process CPU", "wall"][k], "without", a.toFixed(1), "with 8", b.toFixed(1), "one at the end", c.toFixed(1), "each", ((b - a) / 8).toFixed(2)); }
await m.close();
