/** Cases of metrics. */
import * as torte from "torte";
import { type Loss, ops } from "torte";
import type { RecordedMetric } from "./cases.js";
import { type BackendName, type Check, optionsOf, TOLERANCES } from "./check.js";
import { metricRuns } from "./recorded.js";

/** In batches of three rows, the predictions being the data. */
export async function runMetric(conformance: RecordedMetric, backend: BackendName, check: Check): Promise<void> {
  const received: number[] = [];
  for (const { metrics, targets, predictions, x, y, sampleWeight } of metricRuns(conformance)) {
    const loss: Loss = {
      name: "any",
      targets: targets === "probabilities" ? "numbers" : targets,
      predictions,
      ignoreClass: conformance.options["ignoreClass"] as number | undefined,
      call: (_, p) => ops.mean(p, { axes: p.shape.slice(1).map((_n, i) => i + 1) }),
    };
    const meant = metrics.map((metric) => ({ targets, ...metric }));
    const model = torte.sequential(
      torte.input({ shape: x.shape.slice(1) }),
      torte.activation("linear"),
      optionsOf(backend),
    );
    model.compile({ loss, metrics: meant });
    const data = { x, y, ...(sampleWeight === undefined ? {} : { sampleWeight }) };
    const figures = await model.evaluate(data, { batchSize: 3 });
    received.push(...meant.map(({ name }) => figures[name] ?? NaN));
    await model.close();
  }
  check.numbers("figure", conformance.expected.data, received, TOLERANCES.wasm);
}
