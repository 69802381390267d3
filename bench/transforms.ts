/**
 * `npm run bench:transforms`: what transformed functions cost beside what they are made of. Contestants take turns, and of
 * each the fastest round counts.
 */
import {
  compile,
  conv1d,
  dense,
  flatten,
  grad,
  hvp,
  input,
  jacobian,
  maxPooling1d,
  type Node,
  ops,
  sequential,
  Tensor,
  tensor,
  valueAndGrad,
  vmap,
} from "torte";

type Weights = Record<string, Node>;
type Run = () => Promise<unknown>;

const numbers = (shape: readonly number[]): Tensor =>
  new Tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(1 + 1.3 * i)),
    shape,
    "float32",
  );

/** Milliseconds of the fastest round of each. */
async function fastest(contestants: readonly Run[], rounds: number, calls: number): Promise<number[]> {
  const best = contestants.map(() => Infinity);
  for (const run of contestants) await run();
  for (let round = 0; round < rounds; round++) {
    for (const [i, run] of contestants.entries()) {
      const start = performance.now();
      for (let call = 0; call < calls; call++) await run();
      best[i] = Math.min(best[i] ?? Infinity, (performance.now() - start) / calls);
    }
  }
  return best;
}

function report(what: string, bar: string, figure: string, times: readonly number[]): void {
  console.log(
    `${what.padEnd(66)} ${figure.padStart(10)}  (${bar}; ${times.map((ms) => `${ms.toFixed(3)} ms`).join(", ")})`,
  );
}

async function convolutionAndPooling(): Promise<void> {
  const model = sequential(
    input({ shape: [200, 16] }),
    conv1d({ filters: 32, kernelSize: 5, activation: "relu" }),
    maxPooling1d({ poolSize: 4 }),
  );
  const apply = model.pure();
  const weights = await model.getWeights();
  const x = numbers([64, 200, 16]);
  const one = (w: Weights, v: Node): Node => {
    const y = apply(w, ops.expandDims(v, 0));
    return ops.reshape(y, y.shape.slice(1));
  };
  const [mapped, batched] = [compile(vmap(one, { in: [null, 0] })), compile(apply)];
  const [a = 0, b = 1] = await fastest([() => mapped(weights, x), () => batched(weights, x)], 25, 4);
  report("vmap of convolution and pooling over 64 by the batched layers", "at most 1.05", (a / b).toFixed(2), [a, b]);
  await model.close();
}

const chapter = (units: number) =>
  sequential(
    input({ shape: [200, 16] }),
    conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
    maxPooling1d({ poolSize: 4 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    flatten(),
    dense({ units: 256, activation: "relu" }),
    dense({ units: 64, activation: "relu" }),
    dense({ units }),
  );

async function hessianProduct(): Promise<void> {
  const model = chapter(1);
  const apply = model.pure();
  const weights = await model.getWeights();
  const loss = (w: Weights, x: Node): Node => ops.mean(ops.square(apply(w, x)));
  const x = numbers([16, 200, 16]);
  const product = compile((w: Weights, v: Weights, data: Node) => hvp((u: Weights) => loss(u, data))(w, v));
  const gradient = compile(valueAndGrad(loss));
  const [a = 0, b = 1] = await fastest([() => product(weights, weights, x), () => gradient(weights, x)], 15, 4);
  report("hvp of the chapter's network by value and gradient", "at most 2.5", (a / b).toFixed(2), [a, b]);
  await model.close();
}

async function jacobianByInput(): Promise<void> {
  const model = chapter(100);
  const apply = model.pure();
  const weights = await model.getWeights();
  const x = numbers([200, 16]);
  const outputs = (v: Node, w: Weights): Node => ops.reshape(apply(w, ops.expandDims(v, 0)), [100]);
  const whole = compile(jacobian(outputs));
  const single = compile(grad((v: Node, w: Weights) => ops.sum(ops.slice(outputs(v, w), 0, 0, 1))));
  const [a = 0, b = 1] = await fastest([() => whole(x, weights), () => single(x, weights)], 15, 4);
  report("Jacobian of 100 outputs by the embedded input, by one gradient", "under 20", (a / b).toFixed(1), [a, b]);
  await model.close();
}

async function smallFunction(): Promise<void> {
  const f = compile(grad((v: Node) => ops.sum(ops.tanh(ops.mul(v, v)))));
  const x = tensor([1, 2, 3]);
  const [compiled = 0, eager = 0] = await fastest([() => f(x), () => Promise.resolve(ops.add(x, x))], 25, 500);
  report(
    "a call of a compiled small function, and of ops.add on tensors",
    "under 0.1 ms",
    `${compiled.toFixed(4)} ms`,
    [compiled, eager],
  );
}

await convolutionAndPooling();
await hessianProduct();
await jacobianByInput();
await smallFunction();
