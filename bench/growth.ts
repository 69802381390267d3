/**
 * `npm run bench:growth -- FILE.svg`: how the cost of a training step of the chapter's model grows with batch, length and
 * width, the other two as in the chapter (batch 64). Each point is the median of seven samples on all cores.
 */
import { writeFileSync } from "node:fs";
import { adam, conv1d, Dataset, dense, embedding, flatten, input, maxPooling1d, sequential, Tensor } from "torte";
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

interface Size {
  readonly batch: number;
  readonly length: number;
  readonly width: number;
}

const BASE: Size = { batch: 64, length: 200, width: 16 };
const RANGES = {
  batch: [1, 4, 16, 64, 256, 1024],
  length: [50, 100, 200, 400, 800, 1600],
  width: [4, 8, 16, 32, 64, 128],
} as const;
const SAMPLES = 7;

async function milliseconds({ batch, length, width }: Size): Promise<number> {
  const conv = (kernelSize: number) => conv1d({ filters: width, kernelSize, padding: "same", activation: "relu" });
  const model = sequential(
    input({ shape: [length], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: width }),
    conv(5),
    maxPooling1d({ poolSize: 4 }),
    conv(3),
    maxPooling1d({ poolSize: 2 }),
    conv(3),
    maxPooling1d({ poolSize: 2 }),
    flatten(),
    dense({ units: 256, activation: "relu" }),
    dense({ units: 64, activation: "relu" }),
    dense({ units: 1, activation: "sigmoid" }),
  );
  model.compile({ optimizer: adam(), loss: "binaryCrossentropy" });
  let steps = 8;
  const rows = batch * 8;
  const data = Dataset.fromTensors({
    x: new Tensor(
      Int32Array.from({ length: rows * length }, (_, i) => 1 + ((i * 7919) % 20)),
      [rows, length],
      "int32",
    ),
    y: new Tensor(
      Float32Array.from({ length: rows }, (_, i) => i % 2),
      [rows, 1],
      "float32",
    ),
  }).batch(batch);
  const time = async (): Promise<number> => {
    const start = performance.now();
    await model.fit(data, { epochs: steps / 8 });
    return (performance.now() - start) / steps;
  };
  await time();
  while ((await time()) * steps < 60) steps *= 2;
  const samples: number[] = [];
  for (let i = 0; i < SAMPLES; i++) samples.push(await time());
  await model.close();
  return samples.sort((a, b) => a - b)[SAMPLES >> 1] ?? NaN;
}

const values: { what: string; size: number; ms: number }[] = [];
for (const [what, sizes] of Object.entries(RANGES)) {
  for (const size of sizes) {
    const ms = await milliseconds({ ...BASE, [what]: size });
    values.push({ what, size, ms });
    console.log(`${what.padEnd(7)} ${String(size).padStart(5)} ${ms.toFixed(3).padStart(9)} ms a step`);
  }
}
const [file] = process.argv.slice(2);
if (file !== undefined) {
  type Panel = Extract<TopLevelSpec, { hconcat: unknown }>["hconcat"][number];
  const panel = (what: keyof typeof RANGES): Panel => ({
    title: `${what} (of ${BASE[what]})`,
    width: 220,
    height: 240,
    transform: [{ filter: `datum.what === '${what}'` }],
    mark: { type: "line", point: true },
    encoding: {
      x: {
        field: "size",
        type: "quantitative",
        title: what,
        scale: { type: "log", base: 2, nice: false },
        axis: { values: [...RANGES[what]], format: "d" },
      },
      y: { field: "ms", type: "quantitative", title: "ms a step", scale: { type: "log" } },
    },
  });
  const { spec } = compile({
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "white",
    padding: 12,
    data: { values },
    hconcat: [panel("batch"), panel("length"), panel("width")],
    resolve: { scale: { y: "shared" } },
  });
  writeFileSync(file, await new View(parse(spec), { renderer: "none" }).toSVG());
}
