import { expect, it } from "vitest";
import { Dataset, dense, input, sequential, tensor } from "torte";
import { tune } from "@torte/tune";
import { sparkline, studyTable, StudyView } from "./study-view.js";

const x = Array.from({ length: 32 }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
const all = Dataset.fromTensors({ x: tensor(x), y: tensor(x.map(([a = 0, b = 0]) => [a * b])) });

it("the live table has the best, what runs and what is left, in 80 columns, and goes at the end", async () => {
  const written: string[] = [];
  const budget = { trials: 4, seconds: 600 };
  const view = new StudyView({ isTTY: true, columns: 80, write: (text) => written.push(text) }, budget);
  const tables: (readonly string[])[] = [];
  await tune({
    model: (h) =>
      sequential(
        input({ shape: [2] }),
        dense({
          units: h.int("units_of_the_hidden_layer_in_the_middle", 1, 8),
          activation: h.categorical("activation", ["tanh", "relu"]),
        }),
        dense({ units: 1 }),
        { threads: 1 },
      ),
    compile: (h) => {
      h.float("another_long_name_that_does_not_fit", 0.5, 1);
      return { loss: "meanSquaredError", optimizer: "sgd" };
    },
    data: { train: all.take(24), validation: all.skip(24) },
    epochs: 3,
    scheduler: "none",
    budget,
    confirm: false,
    onEvent: (event, study) => {
      view.told(event, study);
      tables.push(studyTable(study, budget, 65));
    },
  });
  view.end();
  const lines = tables.flat();
  expect(Math.max(...lines.map((line) => [...line].length))).toBe(80);
  expect(tables[0]?.[1]).toBe("best    none yet");
  expect(lines.find((line) => line.startsWith("loss (min)  4 of 4 trials"))).toMatch(/, 1:05 of 10:00, 8:55 left$/);
  expect(lines.find((line) => line.startsWith("running"))).toMatch(/^running +\S+ +trial \d+ +\d epochs? +[▁-█]*/);
  // A line stays for each trial; of the table nothing does.
  const text = written.join("");
  expect(text.match(/trial +\d+ {2}complete/g)).toHaveLength(4);
  const standing = text.split("\u001b[").at(-1) ?? "";
  expect(standing).not.toContain("left");
});

it("a curve in letters ends with its last value, and is no longer than it may be", () => {
  expect(sparkline([3, 2, 1])).toBe("█▅▁");
  expect(sparkline([1, NaN, 1])).toBe("▁?▁");
  const long = sparkline(Array.from({ length: 100 }, (_, i) => i));
  expect([...long].length).toBeLessThanOrEqual(20);
  expect(long.endsWith("█")).toBe(true);
});
