import { expect, test } from "vitest";
import * as lean from "torte/lean";

const made = () => lean.sequential(lean.input({ shape: [2] }), lean.dense({ units: 1, activation: "sigmoid" }));
const data = { x: lean.tensor([[0, 1]]), y: lean.tensor([[1]]) };

// One after the other: what an entry provides stays.
test("torte/lean trains with functions, refuses names and what models tell, and says what to import for them", async () => {
  const model = made();
  const { optimizer, loss } = { optimizer: lean.adam(), loss: lean.binaryCrossentropy() };
  const by = (options: object) => () => {
    model.compile({ optimizer, loss, ...options });
  };
  expect(by({ optimizer: "adam" })).toThrow(
    'compile: an optimizer by its name, "adam", is not part of torte/lean. Add import "torte/names", or import from "torte", which has everything.',
  );
  expect(by({ optimizer: undefined })).toThrow('an optimizer by its name, "rmsprop", is not part of torte/lean');
  expect(by({ loss: "meanSquaredError" })).toThrow('a loss by its name, "meanSquaredError", is not part of torte/lean');
  expect(by({ metrics: ["accuracy"] })).toThrow('a metric by its name, "accuracy", is not part of torte/lean');
  const tools = {
    summary: () => model.summary(),
    explain: () => model.explain(),
    hyperparameters: () => model.hyperparameters(),
    describe: () => model.describe(),
    pure: () => model.pure(),
  };
  for (const [name, call] of Object.entries(tools))
    expect(call).toThrow(`sequential: ${name} is not part of torte/lean. Add import "torte/tools"`);

  model.compile({ optimizer, loss, metrics: [lean.accuracy, lean.meanAbsoluteError()] });
  const { epochs } = await model.fit(data, { epochs: 2, verbose: 0 });
  expect(Object.keys(epochs[1] ?? {})).toEqual(["loss", "accuracy", "meanAbsoluteError"]);
  const again = await lean.loadModel(await model.save());
  expect((await again.predict(data.x)).data).toEqual((await model.predict(data.x)).data);
  expect(again.progress.updates).toBe(2);

  await import("torte/names");
  model.compile({ optimizer: "adam", loss: "binaryCrossentropy", metrics: ["accuracy"] });
  expect(by({ optimizer: "adan" })).toThrow('Did you mean "adam"?');
  await import("torte/tools");
  expect(model.summary()).toContain("dense (Dense)");
  for (const call of Object.values(tools)) expect(call).not.toThrow();
});

test("torte has the same exports", async () => {
  expect(Object.keys(await import("torte"))).toEqual(Object.keys(lean));
});
