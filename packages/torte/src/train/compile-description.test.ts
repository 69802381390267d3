/** Every loss and metric of the library comes back from what a file keeps of it. */
import "../names.js";
import { describe, expect, it } from "vitest";
import { LOSSES } from "../losses/losses.js";
import * as metrics from "../metrics/all.js";
import { METRICS } from "../metrics/metrics.js";
import type { MetricOption } from "../metrics/read.js";
import type { Metric } from "../metrics/metric.js";
import type { Loss } from "../losses/loss.js";
import { compileOptionsOf, describeCompile } from "./compile-description.js";

/** Options that a factory needs, or takes: others than the defaults where there are some. */
const OPTIONS: Readonly<Record<string, object>> = {
  huber: { delta: 2 },
  tversky: { alpha: 0.3, beta: 0.7 },
  binaryCrossentropy: { labelSmoothing: 0.1 },
  sparseCategoricalCrossentropy: { ignoreClass: 1, axis: 1 },
  fBetaScore: { beta: 2, name: "f2" },
  precision: { threshold: 0.3, average: "macro" },
  sensitivityAtSpecificity: { specificity: 0.5 },
  specificityAtSensitivity: { sensitivity: 0.5 },
  precisionAtRecall: { recall: 0.5 },
  recallAtPrecision: { precision: 0.5 },
  iou: { targetClassIds: [1] },
};

const own = (where: string): never => {
  throw new Error(`${where} is not the library's`);
};

function again<T>(part: "loss" | "metrics", value: T): unknown {
  const given =
    part === "loss" ? { loss: value as Loss } : { loss: "meanSquaredError" as const, metrics: [value as MetricOption] };
  const text = JSON.stringify(describeCompile(given, own));
  const back = compileOptionsOf(JSON.parse(text) as ReturnType<typeof describeCompile>);
  return part === "loss" ? back.loss : (back.metrics as unknown[])[0];
}

/** Functions by their text. */
const seen = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, item: unknown) => (typeof item === "function" ? String(item) : item)));

describe("what compile was given, in words of JSON", () => {
  it.each(Object.entries(LOSSES))("has the loss %s", (name, make) => {
    const loss = (make as (options: object) => Loss)(OPTIONS[name] ?? {});
    expect(seen(again("loss", loss))).toEqual(seen(loss));
  });

  it.each(Object.entries(metrics as unknown as Record<string, unknown>).filter(([name]) => name in METRICS))(
    "has the metric %s",
    (name, make) => {
      const metric = (
        typeof make === "function" ? (make as (options: object) => Metric)(OPTIONS[name] ?? {}) : make
      ) as Metric;
      expect(seen(again("metrics", metric))).toEqual(seen(metric));
    },
  );

  it("has every loss as a metric, beside the metric of the same name", () => {
    expect(again("metrics", "cosineSimilarity")).toMatchObject({ direction: "max" });
    expect(again("metrics", LOSSES.cosineSimilarity())).toMatchObject({ direction: "min" });
    for (const name of Object.keys(LOSSES)) expect(again("metrics", name)).toMatchObject({ name });
  });
});
