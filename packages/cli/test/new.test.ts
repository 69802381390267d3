/** `torte new` and `torte completion`, as one who has just installed the command meets them. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { newFolder, torte } from "./command.js";

describe("torte new", { timeout: 120_000 }, () => {
  it("makes a project in an empty folder that beats the majority class by more than its interval, and nothing in a full one", async () => {
    const folder = newFolder();
    const made = await torte(folder, "new", "my project");
    expect(made).toMatchObject({ status: 0, error: "" });
    const project = join(folder, "my project");
    const files = [".gitignore", "README.md", "experiment.ts", "package.json", "points.csv", "tsconfig.json"];
    expect(readdirSync(project).sort()).toEqual(files);
    const { name, scripts } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
      name: string;
      scripts: { start: string };
    };
    expect(name).toBe("my-project");
    const [, ...args] = scripts.start.split(" ");
    expect(await torte(project, ...args, "--epochs", "40", "--out", "runs/first")).toMatchObject({
      status: 0,
      error: "",
    });
    const { figures, baseline } = JSON.parse(readFileSync(join(project, "runs/first/evaluation.json"), "utf8")) as {
      figures: { name: string; low: number }[];
      baseline: number;
    };
    expect(figures.find((figure) => figure.name === "accuracy")?.low).toBeGreaterThan(baseline);
    const again = await torte(folder, "new", "my project");
    expect(again).toMatchObject({
      status: 2,
      out: "",
      error: "Error: my project: the folder is not empty: expected a new or an empty folder.\n",
    });
    expect(readdirSync(project).sort()).toEqual([...files, "runs"].sort());
  });
});

describe("torte completion", () => {
  it("completes commands, options, their choices and files in bash", async () => {
    const folder = newFolder();
    const { status, out } = await torte(folder, "completion", "bash");
    expect(status).toBe(0);
    writeFileSync(join(folder, "completion.sh"), out);
    writeFileSync(join(folder, "proteins.csv"), "");
    /** What the shell offers for the last word. */
    const offered = (...words: string[]): string[] => {
      const script = `source ./completion.sh; COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _torte; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const told = spawnSync("bash", ["-c", script, "bash", "torte", ...words], { cwd: folder, encoding: "utf8" });
      expect(told.stderr).toBe("");
      return told.stdout.trim().split("\n").filter(Boolean);
    };
    expect(offered("tr")).toEqual(["train"]);
    expect(offered("")).toEqual(expect.arrayContaining(["audit", "train", "evaluate", "predict", "serve", "new"]));
    expect(offered("train", "--calib")).toEqual(["--calibration"]);
    expect(offered("serve", "--po")).toEqual(["--port"]);
    expect(offered("train", "x.csv", "--split", "c")).toEqual(["cluster"]);
    expect(offered("predict", "run", "prot")).toEqual(["proteins.csv"]);
  });
});
