/** Figures of more scores than are kept: near those of all of them, by no more than is said, whatever the batches. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  activation,
  auroc,
  averagePrecision,
  dense,
  type FitOptions,
  input,
  type Logs,
  type Loss,
  ops,
  sequential,
  Tensor,
  tensor,
} from "torte";

const ROWS = 6000;
const wave = (i: number): number => Math.sin(12.9898 * (i + 1)) * 43758.5453;
const noise = (i: number): number => wave(i) - Math.floor(wave(i));

afterEach(() => {
  vi.restoreAllMocks();
});

interface Found {
  readonly figures: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
}

async function evaluated(classes: number, batchSize: number, maxSamples: number | undefined): Promise<Found> {
  const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const scores = new Float32Array(ROWS * classes).map((_, i) => noise(i) + 0.4 * Number(noise(7 * i) > 0.6));
  const labels =
    classes === 1
      ? tensor(
          new Float32Array(ROWS).map((_, i) => Number(noise(7 * i) > 0.6)),
          { shape: [ROWS, 1] },
        )
      : tensor(new Int32Array(ROWS).map((_, i) => Math.floor(classes * noise(3 * i))));
  const loss: Loss = {
    name: "none",
    targets: classes === 1 ? "probabilities" : "classes",
    predictions: "logits",
    call: (_, p) => ops.mean(p, { axes: [-1] }),
  };
  const model = sequential(input({ shape: [classes] }), activation("linear"), { backend: "reference" });
  const options = maxSamples === undefined ? {} : { maxSamples };
  model.compile({ loss, metrics: [auroc(options), averagePrecision(options)] });
  const x = new Tensor(scores, [ROWS, classes], "float32");
  const sampleWeight = tensor(new Float32Array(ROWS).map((_, i) => 0.5 + (i % 3)));
  const figures = await model.evaluate({ x, y: labels, sampleWeight }, { batchSize });
  await model.close();
  return { figures, warnings: warned.mock.calls.map(([text]) => String(text)) };
}

describe.each([1, 3])("of %i classes", (classes) => {
  it.each([500, 2000])("kept to %i scores are off by no more than is said", async (maxSamples) => {
    const exact = await evaluated(classes, 1000, undefined);
    expect(exact.warnings).toEqual([]);
    const near = await evaluated(classes, 250, maxSamples);
    expect(near.warnings).toHaveLength(2);
    for (const [i, name] of ["auroc", "averagePrecision"].entries()) {
      const said = new RegExp(`^${name}: more than ${maxSamples} scores .* off by at most (\\S+)\\. `).exec(
        near.warnings[i] ?? "",
      );
      const bound = Number(said?.[1]);
      const error = Math.abs((near.figures[name] ?? NaN) - (exact.figures[name] ?? NaN));
      expect(error).toBeLessThanOrEqual(bound * 1.01 + 1e-9);
      expect(bound).toBeGreaterThan(0);
      expect(bound).toBeLessThan(0.1);
    }
  });
});

it("that are fewer than the limit are exact, to the bit", async () => {
  const [all, limited] = [await evaluated(1, 1000, undefined), await evaluated(1, 77, ROWS)];
  expect(limited.figures["auroc"]).toBe(all.figures["auroc"]);
  expect(limited.warnings).toEqual([]);
});

describe.each([{ backend: "reference" }, { threads: 2 }] as const)("of training, %o,", (on) => {
  const rows = 1200;
  const x = tensor(
    Float32Array.from({ length: 2 * rows }, (_, i) => noise(i)),
    { shape: [rows, 2] },
  );
  const y = tensor(
    Float32Array.from({ length: rows }, (_, i) => Number(noise(7 * i) > 0.6)),
    { shape: [rows, 1] },
  );

  async function trained(options: FitOptions): Promise<readonly Logs[]> {
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const model = sequential(input({ shape: [2] }), dense({ units: 1, activation: "sigmoid" }), { seed: 1, ...on });
    model.compile({ loss: "binaryCrossentropy", metrics: [auroc({ maxSamples: 130 })] });
    const { epochs } = await model.fit({ x, y }, { epochs: 3, batchSize: 40, verbose: 0, ...options });
    await model.close();
    return epochs;
  }

  it("are the same however many steps run together", async () => {
    const expected = await trained({});
    expect(await trained({ callbacks: [{ onBatchEnd: () => undefined }] })).toEqual(expected);
  });

  it("are the same where the run goes on from a checkpoint within an epoch", async () => {
    const expected = await trained({});
    for (const last of [8, 33, 50]) {
      const folder = mkdtempSync(join(tmpdir(), "torte-test-"));
      const controller = new AbortController();
      let steps = 0;
      const onBatchEnd = (): void => {
        if (++steps === last) controller.abort();
      };
      await trained({ signal: controller.signal, callbacks: [{ onBatchEnd }], checkpoint: { folder } });
      expect(await trained({ resume: folder })).toEqual(expected);
    }
  });
});

it("refuse a limit that is none", () => {
  expect(() => auroc({ maxSamples: 10 })).toThrow(
    "auroc: maxSamples is out of range: expected a whole number of at least 100",
  );
});
