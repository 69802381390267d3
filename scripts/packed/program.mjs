// The small program that is bundled: reads a file, learns it on two threads, and says what came of it.
import { adam, dense, input, loadNpy, sequential } from "torte";

export async function run(file) {
  const x = await loadNpy(file);
  const model = sequential(input({ shape: [256] }), dense({ units: 256, activation: "tanh" }), dense({ units: 256 }), {
    precision: "reproducible",
    threads: 2,
    seed: 3,
  });
  model.compile({ optimizer: adam({ learningRate: 0.01 }), loss: "meanSquaredError" });
  const { epochs } = await model.fit({ x, y: x }, { epochs: 3, batchSize: 32 });
  return epochs.map(({ loss }) => loss);
}
