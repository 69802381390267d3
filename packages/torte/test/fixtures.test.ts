/** Metrics, optimizers and schedules beside scikit-learn, SciPy, torchmetrics, PyTorch and optax. */
import { describe, expect, it } from "vitest";
import * as torte from "torte";
import {
  activation,
  input,
  type Loss,
  type Metric,
  type ModelOptions,
  ops,
  type Optimizer,
  type Schedule,
  sequential,
  Tensor,
  tensor,
} from "torte";
import metrics from "./fixtures/metrics.json" with { type: "json" };
import optimizers from "./fixtures/optimizers.json" with { type: "json" };
import schedules from "./fixtures/schedules.json" with { type: "json" };
import { trainee, trainRows } from "./given-gradients.js";

const BACKENDS = ["wasm", "reference"] as const;
type Options = Readonly<Record<string, unknown>>;

const made = <T>(from: object, name: string, options: Options): T => {
  const factory = (from as Readonly<Record<string, (options: Options) => T>>)[name];
  if (factory === undefined) throw new Error(`there is no ${name}`);
  return factory(options);
};

interface MetricCase {
  readonly metric: string;
  readonly options: Options;
  readonly data: keyof typeof metrics.data;
  readonly weighted: boolean;
  readonly by: string;
  readonly exact: boolean;
  readonly expected: number;
}

/** All cases of one data set, with or without weights: one model, whose metrics have the cases' numbers as names. */
const groups = Object.keys(metrics.data).flatMap((data) =>
  [false, true].map((weighted) => ({
    data: data as keyof typeof metrics.data,
    weighted,
    cases: (metrics.cases as readonly MetricCase[]).filter((each) => each.data === data && each.weighted === weighted),
  })),
);

function metricOf({ metric, options }: MetricCase, name: string): Metric {
  if (metric === "accuracy") return { ...torte.accuracy, name };
  if (metric in torte.metrics) return made<Metric>(torte.metrics, metric, { ...options, name });
  const { targets, predictions = "numbers", call } = made<Loss>(torte, metric, options);
  return { name, targets, predictions, call };
}

describe.each(BACKENDS)("metrics, %s", (backend) => {
  it.each(groups)("of $data, weighted $weighted", async ({ data, weighted, cases }) => {
    const { targets, y, p } = metrics.data[data];
    const x = new Tensor(Float64Array.from(p.flat()), [p.length, p[0]?.length ?? 1], "float64");
    const isClasses = targets === "classes";
    const target = isClasses
      ? tensor(Int32Array.from(y.flat()), { shape: [y.length] })
      : new Tensor(Float64Array.from(y.flat()), x.shape, "float64");
    const loss: Loss = {
      name: "none",
      targets: targets as Loss["targets"],
      predictions: targets === "numbers" ? "numbers" : "probabilities",
      call: (_, q) => ops.mean(q, { axes: [-1] }),
    };
    const model = sequential(input({ shape: x.shape.slice(1) }), activation("linear"), { backend });
    model.compile({ loss, metrics: cases.map((each, i) => metricOf(each, `m${i}`)) });
    const weights = weighted ? { sampleWeight: tensor(metrics.weights) } : {};
    const found = await model.evaluate({ x, y: target, ...weights }, { batchSize: 7 });
    await model.close();
    cases.forEach(({ metric, options, by, exact, expected }, i) => {
      const received = found[`m${i}`] ?? NaN;
      const allowed = exact ? 1e-12 : 1e-6 * Math.max(1, Math.abs(expected));
      if (!(Math.abs(received - expected) <= allowed))
        expect.fail(`${metric} ${JSON.stringify(options)}: ${received}, not ${expected} as by ${by}`);
    });
    expect(cases.length).toBeGreaterThan(0);
  });
});

const each = ([{ threads: 2 }, { backend: "reference" }] as const).map((options: ModelOptions) => ({
  name: options.backend ?? "wasm",
  options,
}));

describe.each(each)("optimizers, $name", ({ options }) => {
  const { shapes, start, gradients, cases } = optimizers;
  const column = (weight: number): Tensor =>
    new Tensor(
      Float64Array.from(gradients.flatMap((step) => step[weight] ?? [])),
      [gradients.length, ...(shapes[weight] ?? [])],
      "float64",
    );

  it.each(cases.map((tested) => ({ ...tested, shown: JSON.stringify(tested.options) })))(
    "$name $shown, by $by",
    async ({ name, options: own, weights }) => {
      const model = trainee(shapes, made<Optimizer>(torte, name, own), options);
      await model.setWeights(
        Object.fromEntries(
          start.map((values, i) => [`w${i}.weight`, new Tensor(Float64Array.from(values), shapes[i] ?? [], "float64")]),
        ),
      );
      // A row at a time: what is looked at are the weights after each update.
      for (const [step, expected] of weights.entries()) {
        const rows = shapes.map((_, i) => column(i).rows(step, step + 1));
        const after = await trainRows(model, rows);
        expected.forEach((values, i) => {
          values.forEach((value, k) => {
            const received = after[`w${i}.weight`]?.data[k] ?? NaN;
            const allowed = (options.backend === "reference" ? 1e-9 : 1e-6) * Math.max(1, Math.abs(value));
            if (!(Math.abs(received - value) <= allowed))
              expect.fail(`step ${step + 1}, w${i}[${k}]: ${received}, not ${value}`);
          });
        });
      }
      await model.close();
    },
  );
});

describe("schedules", () => {
  it.each(schedules.cases.map((tested) => ({ ...tested, shown: JSON.stringify(tested.options) })))(
    "$name $shown, by $by",
    ({ name, options, rates }) => {
      const { at } = made<Schedule>(torte, name, options);
      rates.forEach((rate, step) => {
        if (!(Math.abs(at(step) - rate) <= 1e-6 * Math.max(rate, 1e-6)))
          expect.fail(`step ${step}: ${at(step)}, not ${rate}`);
      });
    },
  );
});
