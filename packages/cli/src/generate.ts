/** The experiment that a command on a data file stands for, as TypeScript. */
import { basename } from "node:path";
import { type CalibrationMethod, type EncodeOptions, LOSS_OF, type TablePlan } from "@torte/data";
import type { TableRequest } from "./experiment.js";
import type { ExperimentText } from "./load-experiment.js";

export interface GeneratedFrom {
  /** The command, as it was typed. */
  readonly command: string;
  readonly request: TableRequest;
  readonly plan: TablePlan;
  /** Of the table. */
  readonly rows: number;
  /** What is said of the split and of rows that cannot be read. */
  readonly options: Pick<EncodeOptions, "split" | "splitBy" | "validation" | "test" | "invalid" | "positive">;
  /** The experiment asks for hyperparameters. */
  readonly tuned: boolean;
  /** A class has less than half of an equal share of the rows. */
  readonly unbalanced: boolean;
  readonly calibration?: CalibrationMethod;
  readonly ensemble?: number;
  /** The run that training starts from, and its layers that stay as they are. */
  readonly from?: string;
  readonly freeze?: string;
  /** The module that makes the model. Default: the default model. */
  readonly model?: string;
  /** Where the file would lie. */
  readonly path: string;
}

const METRICS = {
  binary: ["accuracy", "auroc"],
  multiClass: ["accuracy"],
  multiLabel: ["binaryAccuracy"],
  regression: ["rootMeanSquaredError", "r2Score"],
} as const;

/**
 * An epoch of few rows is few steps: it gets smaller batches, and training has more epochs to go on without getting better. Early stopping
 * ends it.
 */
function trainingFor(rows: number): { readonly epochs: number; readonly batchSize: number; readonly patience: number } {
  const batchSize = Math.min(64, Math.max(8, 2 ** Math.round(Math.log2(rows / 200))));
  return rows >= 4000 ? { epochs: 60, batchSize, patience: 6 } : { epochs: 200, batchSize, patience: 20 };
}

/** The usual ones: of two classes slope and shift, of more a temperature. */
const CALIBRATION = { binary: "platt", multiClass: "temperature", multiLabel: "platt" } as const;

const LEARNING_RATE = 1e-3;

const RATE_RANGE = `h.float("learningRate", 1e-4, 1e-2, { log: true, default: ${LEARNING_RATE} })`;

/** What is chosen of the default model: of any, and of one that reads sequences. */
const CHOSEN = { any: ["units", "rate"], sequences: ["filters", "kernelSize"] } as const;

/** What `torte tune` chooses of the model; of one's own all that it gives. */
function spaceFor({ plan, model }: GeneratedFrom): string {
  if (model !== undefined) return "{}";
  const reads = Object.values(plan.inputs).some((kind) => kind !== "number" && kind !== "category");
  return literal({ only: [...CHOSEN.any, ...(reads ? CHOSEN.sequences : [])] });
}

export function generateExperiment(from: GeneratedFrom): ExperimentText {
  const { command, request, plan, rows, options, path, unbalanced, ensemble } = from;
  const { target, targetKind, inputs } = plan;
  const name = nameOf(request.file);
  const { epochs, batchSize, patience } = trainingFor(rows);
  const encode = {
    target,
    targetKind,
    kinds: inputs,
    inputs: Object.keys(inputs),
    ...options,
  };
  const { from: start, freeze, model } = from;
  const like = start === undefined ? "" : `      like: await encodingOf(${literal(start)}),\n`;
  const source = `/** ${command.replaceAll("*/", "* /")} */
import { experiment } from "@torte/cli";
import { ${model === undefined ? "defaultModel, " : ""}encodeTable } from "@torte/data";
import { adamw, earlyStopping } from "torte";
${model === undefined ? "" : `import makeModel from ${literal(model)};\n`}
export default experiment({
  name: ${literal(name)},
  training: ${literal({ epochs, batchSize, seed: 0, ensemble, classWeight: unbalanced ? "balanced" : undefined })},
${start === undefined ? "" : `  from: ${literal({ run: start, freeze })},\n`}${targetKind === "regression" ? "" : `  calibration: ${literal(from.calibration ?? CALIBRATION[targetKind])},\n`}
  async data({ seed, table${start === undefined ? "" : ", encodingOf"} }) {
    const rows = await table(${literal(request)});
    return encodeTable(rows, {
${Object.entries(encode)
  .map(([key, value]) => `      ${key}: ${literal(value)},\n`)
  .join("")}${like}      seed,
    });
  },

${model === undefined ? "  // Replace it by layers of your own: data.encoding.inputs says what comes in.\n" : ""}  model: ({ data, options }) => ${model === undefined ? "defaultModel" : "makeModel"}(data.encoding, options),

${from.tuned ? `  space: ${spaceFor(from)},\n\n` : ""}  compile: ${from.tuned ? "(h) => (" : ""}{
    optimizer: adamw({ learningRate: ${from.tuned ? RATE_RANGE : LEARNING_RATE} }),
    loss: ${literal(LOSS_OF[targetKind])},
    metrics: ${literal(METRICS[targetKind])},
  }${from.tuned ? ")" : ""},
  callbacks: () => [earlyStopping({ monitor: "valLoss", patience: ${patience} })],
});
`;
  return { shown: "the generated experiment", path, source, generated: true };
}

/** A name of a run: the file's, without its ends. */
const nameOf = (file: string): string =>
  basename(file)
    .replace(/\.gz$/, "")
    .replace(/\.[^.]*$/, "")
    .replaceAll(/[^\w.-]+/g, "-")
    .replace(/^-+|-+$/g, "") || "table";

/** A value as it is written in TypeScript. */
export function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));
  const fields = Object.entries(value).flatMap(([name, item]) =>
    item === undefined ? [] : [`${key(name)}: ${literal(item)}`],
  );
  return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
}
