/** What people read when a command line or an experiment is wrong: one line, no half folder, and an exit status of 2. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { experimentFolder, newFolder, SOLUBILITY, start, torte } from "./command.js";

describe.concurrent("the command line", () => {
  it.each<[string[], string]>([
    [[], "Usage: torte [options] [command]"],
    [["trian"], "Error: unknown command 'trian'. Did you mean train?"],
    [["train"], "Error: torte train: there is no file: expected a table or an experiment."],
    [["train", "a.ts", "b.ts"], "Error: torte train: an experiment is one file: received b.ts."],
    [["train", "a.ts", "--epoch", "3"], "Error: unknown option '--epoch'. Did you mean --epochs?"],
    [
      ["train", "a.ts", "--verbose"],
      "Error: unknown option '--verbose'. torte --help lists the commands, torte <command> --help its options.",
    ],
    [
      ["train", "a.ts", "--epochs"],
      "Error: option '--epochs <n>' argument missing. torte --help lists the commands, torte <command> --help its options.",
    ],
    [
      ["train", "a.ts", "--epochs", "0"],
      "Error: option '--epochs <n>' argument '0' is invalid. It must be a whole number of at least 1. torte --help lists the commands, torte <command> --help its options.",
    ],
    [
      ["train", "a.ts", "--epochs", "x"],
      "Error: option '--epochs <n>' argument 'x' is invalid. It must be a whole number of at least 1. torte --help lists the commands, torte <command> --help its options.",
    ],
    [
      ["train", "a.ts", "--batch-size", "-1"],
      "Error: option '--batch-size <n>' argument '-1' is invalid. It must be a whole number of at least 1. torte --help lists the commands, torte <command> --help its options.",
    ],
    [
      ["train", "a.ts", "--batch-size", "1.5"],
      "Error: option '--batch-size <n>' argument '1.5' is invalid. It must be a whole number of at least 1. torte --help lists the commands, torte <command> --help its options.",
    ],
    [
      ["train", "a.ts", "--seed", "4294967296"],
      "Error: option '--seed <n>' argument '4294967296' is invalid. It must be a whole number from 0 to 4294967295. torte --help lists the commands, torte <command> --help its options.",
    ],
    [
      ["train", "a.ts", "--threads", "0"],
      "Error: option '--threads <n>' argument '0' is invalid. It must be a whole number from 1 to 64. torte --help lists the commands, torte <command> --help its options.",
    ],
    [
      ["train", "a.ts", "--out", ""],
      "Error: option '--out <dir>' argument '' is invalid. It is empty. torte --help lists the commands, torte <command> --help its options.",
    ],
    [["train", "a.ts"], "Error: a.ts: there is no such file: expected an experiment file."],
    [
      ["train", "."],
      "Error: .: there are no images: expected files that end in .png, .jpg or .jpeg, in a folder for each class, as cats/1.png and dogs/2.png, received an empty folder.",
    ],
    [
      ["train", SOLUBILITY, "--variant", "l3"],
      "Error: --variant: there is no such variant: expected one of base, dropout, l2, received l3.",
    ],
    [["train", SOLUBILITY, "--data", "nowhere"], "Error: --data: there is no such file: received nowhere."],
    [["train", SOLUBILITY, "--data", "."], "Error: --data: the folder has no solubility.npz: received .."],
  ])("%j", async (args, message) => {
    const folder = newFolder();
    const { status, out, error } = await torte(folder, ...args);
    expect({ status, out, error: error.split("\n", 1)[0] }).toEqual({ status: 2, out: "", error: message });
    if (args.length > 0) expect(error).toBe(`${message}\n`);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("refuses a run folder that is not empty, or that cannot be made, before it reads the data", async () => {
    const folder = experimentFolder();
    expect(await torte(folder, "train", "tiny.ts", "--out", ".")).toMatchObject({
      status: 2,
      out: "",
      error: "Error: --out: the folder is not empty: expected a new or an empty folder, received ..\n",
    });
    expect(await torte(folder, "train", "tiny.ts", "--out", "tiny.ts")).toMatchObject({
      status: 2,
      out: "",
      error: "Error: --out: this is no folder: received tiny.ts.\n",
    });
    expect(await torte(folder, "train", "tiny.ts", "--out", "tiny.ts/x")).toMatchObject({
      status: 2,
      error: "Error: --out: the folder tiny.ts/x cannot be made (ENOTDIR: not a directory).\n",
    });
  });

  it("tells of data that the experiment does not ask for, and of a folder that is not there", async () => {
    const folder = experimentFolder();
    expect(await torte(folder, "train", "tiny.ts", "--data", "tiny.ts")).toMatchObject({
      status: 2,
      error: "Error: --data: the experiment asks for no file. Leave the option out.\n",
    });
    expect(await start(folder, ["train", SOLUBILITY], { TORTE_DATA: "nowhere" }).result).toMatchObject({
      status: 2,
      error: "Error: TORTE_DATA: there is no such folder: received nowhere.\n",
    });
  });
});

describe.concurrent("an experiment", () => {
  const parts = "expected { train, validation, test } of Datasets, as split gives them; test may be left out";
  it.each<[string, [string, string], string]>([
    [
      "with a syntax error",
      ["experiment({", "experiment({{"],
      "tiny.ts:4:27: the experiment file fails to load: Unexpected token.",
    ],
    [
      "without an export",
      ["export default", "export const tiny ="],
      "tiny.ts: the default export is no experiment: expected export default experiment({ name, data, model, compile }), received no default export.",
    ],
    ["that throws", ["data() {", 'data() { throw new Error("no luck");'], "tiny.ts:7: data() fails: no luck."],
    [
      "that imports what there is not",
      ["export default", 'import { denze } from "torte";\ndenze();\nexport default'],
      'tiny.ts:5: the experiment file fails to load: "torte" has no export named "denze".',
    ],
    [
      "that imports a package that is not there",
      ["export default", 'import { x } from "not-here";\nx();\nexport default'],
      "tiny.ts:4: the experiment file fails to load: Cannot find module 'not-here'.",
    ],
    [
      "with an unknown field",
      ["training:", "trainning: {}, training:"],
      'tiny.ts:4: the experiment file fails to load: experiment: unknown field "trainning": expected one of name, variants, training, from, calibration, data, model, compile, space, setting, callbacks.',
    ],
    [
      "with a count out of range",
      ["epochs: 2", "epochs: 0"],
      "tiny.ts:4: the experiment file fails to load: experiment.training: epochs is out of range: expected a whole number of at least 1, received 0.",
    ],
    [
      "with a name for another folder",
      ['"tiny"', '"../tiny"'],
      'tiny.ts:4: the experiment file fails to load: experiment: name is unusable: expected letters, digits, dots and dashes, received "../tiny".',
    ],
    [
      "without data",
      ["return split({ x, y })", "return undefined as never"],
      `tiny.ts: data() gives no data: ${parts}, received undefined.`,
    ],
    [
      "with tensors instead of datasets",
      ["return split({ x, y })", "return { train: { x, y }, validation: { x, y } } as never"],
      `tiny.ts: data() gives no Dataset as train: ${parts}, received object.`,
    ],
    [
      "with a part that nobody reads",
      ["split({ x, y })", "{ ...split({ x, y }), tset: 1 }"],
      `tiny.ts: data() gives a part that nobody reads: ${parts}, received "tset".`,
    ],
    [
      "with a split that leaves nothing",
      ["split({ x, y })", "split({ x: x.rows(0, 3), y: y.rows(0, 3) })"],
      "tiny.ts:10: data() fails: split: a part would be empty: expected at least one row in each, received 3 train, 0 validation, 0 test of 3 rows.",
    ],
    [
      "without a model",
      ["sequential(input", "String(input"],
      "tiny.ts: model() gives no model: expected what sequential or functional return, received string.",
    ],
    [
      "with an option out of range",
      ["units: 1", "units: 1.5"],
      "tiny.ts:12: model() fails: dense: units is out of range: expected a whole number of at least 1, received 1.5.",
    ],
    [
      "with an unknown option",
      ["optimizer:", "optimiser:"],
      'tiny.ts: compile fails: compile: unknown option "optimiser": expected one of optimizer, loss, lossWeights, metrics, exactConvolutions. Did you mean "optimizer"?',
    ],
    [
      "with data of another shape",
      ["input({ shape: [2] })", "input({ shape: [3] })"],
      "input of the train data: the data does not have the shape of the input: expected (None, 3), received (80, 2).",
    ],
    [
      "with labels that are none",
      ["? 1 : 0", "? 2 : 0"],
      "binaryCrossentropy of the train data: a label is out of range: expected numbers from 0 to 1, received 2 at row 2.",
    ],
    [
      "with a number that is none in the validation data, which is found before training",
      ["Math.sin(i)", "(i === 125 ? NaN : Math.sin(i))"],
      "input of the validation data: the data is not finite: expected finite numbers, received NaN at row 1, column 1.",
    ],
    [
      "that waits for nothing",
      ["data() {", "data() { return new Promise(() => {});"],
      "The experiment waits for something that never comes: a promise that nothing settles. (TORTE_DEBUG=1 shows where.)",
    ],
    [
      "that forgets a promise which fails",
      ["data() {", 'async data() { void Promise.reject(new Error("stray")); await new Promise(() => {});'],
      "stray (TORTE_DEBUG=1 shows where.)",
    ],
  ])("%s", async (_, change, message) => {
    const folder = experimentFolder(change);
    const { status, error } = await torte(folder, "train", "tiny.ts");
    expect({ status, error }).toEqual({
      status: message.includes("TORTE_DEBUG") ? 1 : 2,
      error: `Error: ${message}\n`,
    });
    expect(existsSync(join(folder, "runs"))).toBe(false);
  });

  it("that is nothing at all", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "empty.ts"), "");
    expect(await torte(folder, "train", "empty.ts")).toMatchObject({
      status: 2,
      error:
        "Error: empty.ts: the default export is no experiment: expected export default experiment({ name, data, model, compile }), received no default export.\n",
    });
  });
});
