/** Writes report.html and the model card of a run, from what a run or an evaluation has at hand. */
import type { Figure, Predictor, Told } from "@torte/data";
import { audit, type Audit, type ColumnKind, type Logs, type Model, type Table, type Tensor, TorteError } from "torte";
import type { Plan } from "../run.js";
import type { PreparedData } from "../prepare.js";
import type { RunFolder } from "../run-folder.js";
import { makeReport, type MeasuredPart } from "./report.js";

/** What a report is made of. */
export interface ReportFacts {
  readonly plan: Plan;
  readonly data: PreparedData;
  readonly table: Table | undefined;
  readonly model: Model;
  /** run.json. */
  readonly run: Readonly<Record<string, unknown>>;
  readonly epochs: readonly Logs[];
  readonly synthetic: boolean;
  /** Of tables: what the models say of the validation part, or of the test where it has been opened. */
  readonly measured?: {
    readonly name: "validation" | "test";
    readonly predictor: Predictor;
    readonly x: readonly Tensor[];
    readonly told: Told;
    readonly figures: readonly Figure[];
    readonly openings: number;
  };
}

export async function writeReport(folder: RunFolder, facts: ReportFacts): Promise<void> {
  const { plan, data, table, model, run, epochs, synthetic, measured } = facts;
  const found = table === undefined ? undefined : auditOf(table, data);
  const part: MeasuredPart | undefined =
    measured === undefined || table === undefined || data.split === undefined
      ? undefined
      : { ...measured, table, rows: data.split[measured.name], train: data.split.train };
  const { keptEpoch, diagnosis } = run;
  const { html, card } = await makeReport({
    name: plan.experiment.name,
    run,
    model,
    epochs,
    synthetic,
    command: commandOf(plan),
    ...(typeof keptEpoch === "number" ? { kept: keptEpoch } : {}),
    ...(typeof diagnosis === "string" ? { diagnosis } : {}),
    ...(found === undefined ? {} : { audit: found }),
    ...(part === undefined ? {} : { part }),
  });
  await folder.write("report.html", html);
  await folder.write("MODEL_CARD.md", card);
}

/** The audit of the table that a run was made of; none where it cannot be made. */
function auditOf(table: Table, { plan, split }: PreparedData): Audit | undefined {
  if (plan === undefined || split === undefined) return undefined;
  const parts = new Array<string>(table.size).fill("none");
  for (const name of ["train", "validation", "test"] as const) for (const row of split[name]) parts[row] = name;
  const sequences = ["protein", "DNA", "RNA", "SMILES", "text"];
  const [sequence] = Object.entries(plan.inputs).find(([, kind]) => sequences.includes(kind)) ?? [];
  const kinds: Readonly<Record<string, ColumnKind>> = plan.inputs;
  try {
    return audit(table, {
      target: plan.target,
      targetKind: plan.targetKind,
      kinds,
      parts,
      ...(sequence === undefined ? {} : { sequence }),
    });
  } catch (error) {
    if (error instanceof TorteError) return undefined;
    throw error;
  }
}

/** The command that makes the run again. */
function commandOf({ text, variant, epochs, batchSize, seed, ensemble }: Plan): string {
  const [, typed] = text.generated === true ? (/^\/\*\* (.*) \*\//.exec(text.source) ?? []) : [];
  const options = `--seed ${seed} --epochs ${epochs} --batch-size ${batchSize}`;
  const members = ensemble > 1 && !(typed ?? "").includes("--ensemble") ? ` --ensemble ${ensemble}` : "";
  return typed === undefined
    ? `torte train ${text.shown} --variant ${variant} ${options}${members}`
    : `${typed} ${options}${members}`;
}
