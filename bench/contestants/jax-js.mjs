// jax-js, backend wasm, the chapter's model, the whole step in one jit: for each line with a number, as many steps over the
// first batches of the job's data, answered in JSON.
import { createInterface } from "node:readline";
import { defaultDevice, init, jit, lax, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { readJob } from "./job.mjs";

const { batch, x, y, weights } = readJob(process.argv[2]);
await init("wasm");
defaultDevice("wasm");
const array = (name) => np.array(weights[name].data.slice()).reshape(weights[name].shape);
const kernel = (name) => array(`${name}.kernel`).transpose([2, 1, 0]);
const convs = ["conv1d", "conv1d_1", "conv1d_2"];
const denses = ["dense", "dense_1", "dense_2"];
let params = { table: array("embedding.embeddings") };
for (const name of convs)
  Object.assign(params, { [name]: kernel(name), [`${name}b`]: array(`${name}.bias`).reshape([16, 1]) });
for (const name of denses)
  Object.assign(params, { [name]: array(`${name}.kernel`), [`${name}b`]: array(`${name}.bias`) });

function logits(p, tokens) {
  let h = np.matmul(nn.oneHot(tokens, 21), p.table).transpose([0, 2, 1]);
  [4, 2, 2].forEach((pool, i) => {
    const z = lax.convGeneralDilated(h, p[convs[i]], [1], "VALID").add(p[`${convs[i]}b`]);
    h = lax.reduceWindow(nn.relu(z), np.max, [pool], [pool]);
  });
  h = h.transpose([0, 2, 1]).reshape([-1, 160]);
  for (const name of denses.slice(0, 2)) h = nn.relu(np.dot(h, p[name]).add(p[`${name}b`]));
  return np.dot(h, p.dense_2).add(p.dense_2b);
}
const gradient = valueAndGrad((p, tokens, labels) => {
  const z = logits(p, tokens);
  return nn.softplus(z.ref).sub(labels.mul(z)).mean();
});
const step = jit((p, m, v, t, tokens, labels) => {
  const [loss, g] = gradient(tree.ref(p), tokens, labels);
  const m2 = tree.map((a, b) => a.mul(0.9).add(b.mul(0.1)), m, tree.ref(g));
  const v2 = tree.map((a, b) => a.mul(0.999).add(b.ref.mul(b).mul(0.001)), v, g);
  const c1 = np.subtract(1, np.exp(t.ref.mul(Math.log(0.9))));
  const c2 = np.subtract(1, np.exp(t.mul(Math.log(0.999))));
  const moved = (a, mm, vv) =>
    a.sub(
      mm
        .div(c1.ref)
        .mul(0.001)
        .div(np.sqrt(vv.div(c2.ref)).add(1e-12)),
    );
  const next = tree.map(moved, p, tree.ref(m2), tree.ref(v2));
  c1.dispose();
  c2.dispose();
  return [next, m2, v2, loss];
});
const zeros = () => tree.map((a) => np.zeros(a.shape), tree.ref(params));
let [m, v, t] = [zeros(), zeros(), 0];
console.log(JSON.stringify({ name: "jax-js wasm" }));
for await (const line of createInterface({ input: process.stdin })) {
  const steps = Number(line);
  let total = 0;
  const start = performance.now();
  for (let i = 0; i < steps; i++) {
    t++;
    const tokens = np.array(x.slice(i * batch * 200, (i + 1) * batch * 200)).reshape([batch, 200]);
    const labels = np.array(y.slice(i * batch, (i + 1) * batch)).reshape([batch, 1]);
    let loss;
    [params, m, v, loss] = step(params, m, v, np.array(t, { dtype: np.float32 }), tokens, labels);
    total += loss.js();
  }
  console.log(JSON.stringify({ ms: (performance.now() - start) / steps, loss: total / steps }));
}
