/**
 * node native.mjs [native|auto]: a short training natively beside the same as WebAssembly, in whatever host runs this. Exit status 1 where
 * a weight differs. Resolves torte where it lies: in a user's folder.
 */
import {
  adam,
  conv1d,
  dense,
  describeBackend,
  diagnoseBackends,
  flatten,
  input,
  maxPooling1d,
  sequential,
  Tensor,
} from "torte";

const wanted = globalThis.process.argv[2] ?? "native";
const x = Float32Array.from({ length: 64 * 40 * 4 }, (_, i) => Math.fround(((i * 7919) % 101) / 50 - 1));
const y = Float32Array.from({ length: 64 }, (_, i) => i % 2);
const data = { x: new Tensor(x, [64, 40, 4], "float32"), y: new Tensor(y, [64, 1], "float32") };

async function weightsAfterTraining(backend) {
  const model = sequential(
    input({ shape: [40, 4] }),
    conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    flatten(),
    dense({ units: 64, activation: "tanh" }),
    dense({ units: 1, activation: "sigmoid" }),
    { backend, threads: 2, seed: 5 },
  );
  model.compile({ optimizer: adam(), loss: "binaryCrossentropy" });
  await model.fit(data, { epochs: 20, batchSize: 32, verbose: 0 });
  const weights = Object.values(await model.getWeights()).flatMap((tensor) => [...tensor.data]);
  const outputs = [...(await model.predict(data.x)).data];
  await model.close();
  return [...weights, ...outputs];
}

const [wasm, other] = [await weightsAfterTraining("wasm"), await weightsAfterTraining(wanted)];
const differ = wasm.filter((value, i) => !Object.is(value, other[i])).length;
const { host } = await diagnoseBackends();
console.log(`${host}, ${wanted}: ${await describeBackend({ backend: wanted, threads: 2 })}`);
console.log(
  `  ${differ === 0 ? `the ${wasm.length} numbers of WebAssembly` : `${differ} numbers differ from WebAssembly's`}`,
);
globalThis.process.exit(differ === 0 && wasm.every(Number.isFinite) ? 0 : 1);
