/** Numbers that stop being finite: which step, layer and tensor are told, and what a run does then. */
import { describe, expect, it } from "vitest";
import {
  binaryCrossentropy,
  dense,
  earlyStopping,
  input,
  lambda,
  type Model,
  type ModelOptions,
  NotFiniteError,
  ops,
  sequential,
  sgd,
  tensor,
  terminateOnNaN,
} from "torte";

const each = ([{ threads: 1 }, { threads: 2 }, { backend: "reference" }] as const).map((options: ModelOptions) => ({
  name: `${options.backend ?? "wasm"} ${options.threads ?? ""}`,
  options,
}));
const column = (...values: number[]) => tensor(values.map((value) => [value]));

async function failureOf(run: Promise<unknown>): Promise<NotFiniteError> {
  try {
    await run;
  } catch (error) {
    if (error instanceof NotFiniteError) return error;
    throw error;
  }
  throw new Error("nothing failed");
}

/** x, its logarithm, and a weight of 1. */
const logarithm = (options: ModelOptions): Model => {
  const model = sequential(
    input({ shape: [1] }),
    lambda((x) => ops.log(x), { name: "logarithm" }),
    dense({ units: 1, useBias: false, kernelInitializer: "ones", name: "line" }),
    options,
  );
  model.compile({ optimizer: sgd({ learningRate: 0.001 }), loss: "meanSquaredError" });
  return model;
};

describe.each(each)("the error, $name", ({ options }) => {
  it("tells the statistics of what a layer has computed", async () => {
    const model = logarithm(options);
    const e = Math.exp(1);
    const error = await failureOf(
      model.fit(
        { x: column(1, 1, 1, 1, 1, e, 0, -2), y: column(0, 0, 0, 0, 0, 0, 0, 0) },
        { batchSize: 4, shuffle: false },
      ),
    );
    const { tensor: found, ...rest } = error.failure;
    expect(rest).toEqual({
      step: 2,
      layer: "logarithm",
      problem: "the loss is not finite; the first number that is not comes from logarithm",
    });
    expect(found).toMatchObject({ shape: [4, 1], nan: 1, infinite: 1, min: 0 });
    expect(found?.max).toBeCloseTo(1, 5);
    expect(found?.mean).toBeCloseTo(0.5, 5);
    expect(error.message).toMatch(
      /comes from logarithm: received \(4, 1\) with 1 NaN and 1 infinite; the others from 0 to (1|0\.99\d+), 0\.\d+ on average\. Try/,
    );
    await model.close();
  });

  it("of a gradient", async () => {
    const victim = dense({ units: 2, useBias: false, kernelInitializer: "ones", name: "victim" });
    const model = sequential(
      input({ shape: [1] }),
      victim,
      lambda((x) => ops.sqrt(x)),
      options,
    );
    model.compile({ optimizer: sgd({ globalClipnorm: 1 }), loss: "meanSquaredError" });
    const { failure } = await failureOf(model.fit({ x: column(0), y: tensor([[1, 1]]) }, { batchSize: 1 }));
    expect(failure.problem).toBe("the gradient of victim.kernel is not finite");
    expect(failure.tensor).toMatchObject({ shape: [1, 2], nan: 2, infinite: 0, min: NaN, max: NaN, mean: NaN });
    await model.close();
  });

  it("of a weight after its update", async () => {
    const model = sequential(
      input({ shape: [2] }),
      dense({ units: 1, useBias: false, kernelInitializer: "ones", name: "victim" }),
      lambda((x) => ops.sqrt(x)),
      options,
    );
    model.compile({ optimizer: sgd(), loss: "meanSquaredError" });
    const { failure } = await failureOf(model.fit({ x: tensor([[0, 0]]), y: column(1) }));
    expect(failure).toMatchObject({ step: 1, layer: "victim.kernel", tensor: { shape: [2, 1], nan: 2 } });
    await model.close();
  });

  it("looks at the loss with the weights of the classes", async () => {
    const model = sequential(
      input({ shape: [1] }),
      dense({ units: 1, useBias: false, kernelInitializer: "ones", name: "line" }),
      options,
    );
    model.compile({ optimizer: sgd(), loss: binaryCrossentropy({ fromLogits: true }) });
    const run = model.fit({ x: column(-80), y: column(1) }, { classWeight: { 0: 1, 1: 3e38 } });
    // In float64 the loss of 2.4e40 is finite.
    if (options.backend === "reference") expect((await run).epochs[0]?.["loss"]).toBeCloseTo(2.4e40, -36);
    else expect((await failureOf(run)).failure).toMatchObject({ layer: "loss", tensor: { nan: 0, infinite: 1 } });
    await model.close();
  });
});

describe.each(each)("terminateOnNaN, $name", ({ options }) => {
  it("gives the history of a run in which numbers went wrong, and leaves weights that are well", async () => {
    const model = logarithm(options);
    const good = { x: column(1, 2, 3), y: column(1, 2, 3) };
    const callbacks = [terminateOnNaN(), earlyStopping({ monitor: "loss", patience: 9 })];
    expect((await model.fit(good, { epochs: 2, callbacks })).ended).toBe("finished");
    const history = await model.fit({ x: column(1, 2, 0), y: column(1, 2, 3) }, { epochs: 5, callbacks });
    expect(history.ended).toBe("stopped");
    expect(history.failure).toMatchObject({ layer: "logarithm", tensor: { infinite: 1 } });
    expect(history.epochs).toEqual([]);
    const weights = Object.values(await model.getWeights()).flatMap(({ data }) => [...data]);
    expect(weights.every(Number.isFinite)).toBe(true);
    expect((await model.fit(good)).epochs).toHaveLength(1);
    await model.close();
  });
});
