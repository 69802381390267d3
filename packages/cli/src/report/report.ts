/** report.html and the model card of a run: what is known of data, model, training and figures, on one page that stands alone. */
import { type Figure as Measured, figuresOf, type Predictor, type Told } from "@torte/data";
import {
  type Bar,
  plotBars,
  plotCalibration,
  plotConfusionMatrix,
  plotCurves,
  plotHistogram,
  plotParity,
  plotPrecisionRecall,
  plotResiduals,
  plotRoc,
  plotScores,
} from "@torte/plot";
import { type Audit, confusionMatrix, type Logs, type Model, precisionRecallCurve, rocCurve } from "torte";
import {
  ablate,
  type Ablation,
  byLength,
  byNearest,
  hardest,
  letterEffects,
  type LetterEffects,
  type PartOfTable,
  type Stratum,
} from "./analysis.js";
import { drawn, escaped, number, page, paragraph, preformatted, section, table } from "./html.js";
import { diagram } from "./diagram.js";

export interface ReportInput {
  readonly name: string;
  /** run.json. */
  readonly run: Readonly<Record<string, unknown>>;
  readonly model: Model;
  readonly epochs: readonly Logs[];
  /** The epoch, from 0, whose weights were kept. */
  readonly kept?: number;
  readonly diagnosis?: string;
  readonly audit?: Audit;
  readonly synthetic: boolean;
  /** The command that makes the run again. */
  readonly command: string;
  /** Of tables: the part that is told of. */
  readonly part?: MeasuredPart;
}

/** A part of a table with what the run's models say of it. */
export interface MeasuredPart extends PartOfTable {
  readonly name: "validation" | "test";
  readonly predictor: Predictor;
  readonly figures: readonly Measured[];
  readonly train: readonly number[];
  /** How often the test has been opened. */
  readonly openings: number;
}

export interface Report {
  readonly html: string;
  readonly card: string;
}

export async function makeReport(input: ReportInput): Promise<Report> {
  const { name, part } = input;
  const sections = [
    headline(input),
    ...(part === undefined ? [] : [figuresSection(input, part)]),
    ...(part === undefined ? [] : [await predictionsSection(part)]),
    ...(part === undefined ? [] : [await strataSection(part)]),
    ...(part === undefined ? [] : [await ablationSection(part)]),
    ...(part === undefined ? [] : [await rowsSection(part)]),
    await trainingSection(input),
    ...(input.audit === undefined ? [] : [await auditSection(input.audit, part)]),
    modelSection(input),
    reproduceSection(input),
  ];
  return { html: page(`${name}: report of a run`, sections.join("\n")), card: modelCard(input) };
}

function headline({ name, run, synthetic, part }: ReportInput): string {
  const notes = [
    ...(synthetic ? ["The data is made up: nothing here says anything of the real thing."] : []),
    ...(part === undefined || part.name === "test"
      ? []
      : [
          "The test part is sealed. These figures are those of the validation part, which training was ended and chosen by; torte evaluate opens the test.",
        ]),
    ...(part !== undefined && part.openings > 1
      ? [`The test has been opened ${part.openings} times: these figures are no clean estimate any more.`]
      : []),
  ];
  const started = typeof run["started"] === "string" ? run["started"].slice(0, 10) : "";
  return `<h1>${escaped(name)}</h1>\n${paragraph(`Report of a run of ${started}.`)}\n${notes.map((note) => `<p class="note">${escaped(note)}</p>`).join("\n")}`;
}

const NAMES: Readonly<Record<string, string>> = {
  accuracy: "Accuracy",
  hammingLoss: "Hamming loss",
  microF1: "F1 (micro)",
  macroF1: "F1 (macro)",
  balancedAccuracy: "Balanced accuracy",
  mcc: "Matthews' correlation",
  auroc: "AUROC",
  averagePrecision: "Average precision",
  brierScore: "Brier score",
  expectedCalibrationError: "Calibration error",
  logLoss: "Log loss",
  rootMeanSquaredError: "Root mean squared error",
  meanAbsoluteError: "Mean absolute error",
  r2Score: "R²",
  pearsonCorrelation: "Pearson's correlation",
};
const nameOf = (figure: string): string => NAMES[figure] ?? figure;

function figuresSection({ audit }: ReportInput, { name, figures, rows, openings }: MeasuredPart): string {
  const [main] = figures;
  const trivial = (audit?.baselines ?? []).map(({ rule, score }) => [rule, score] as const);
  const what = main === undefined ? "" : nameOf(main.name);
  return section(
    name === "test" ? "The test" : "Validation",
    paragraph(
      `${rows.length} rows${name === "test" ? `, opened ${openings === 1 ? "once" : `${openings} times`}` : ""}. Intervals hold the middle 95 % of 1000 bootstrap samples.`,
    ),
    table(
      ["Figure", "Value", "from", "to"],
      figures.map(({ name: figure, value, low, high }) => [nameOf(figure), value, low, high]),
      "Figures",
    ),
    ...(trivial.length === 0
      ? []
      : [
          "<h3>Beside rules that need no model</h3>",
          table(
            ["Rule", audit?.targetKind === "regression" ? "R²" : "Accuracy"],
            [
              ...trivial,
              [
                `this model (${what})`,
                audit?.targetKind === "regression" ? valueOf(figures, "r2Score") : valueOf(figures, "accuracy"),
              ],
            ],
            "Trivial baselines, on all rows",
          ),
        ]),
  );
}

const valueOf = (figures: readonly Measured[], name: string): number =>
  figures.find((figure) => figure.name === name)?.value ?? NaN;

async function predictionsSection({ told, predictor }: MeasuredPart): Promise<string> {
  const { target } = predictor.encoding;
  if (told.kind === "regression" || target.kind === "regression") {
    const { targets, predictions } = told;
    return section(
      "Predictions",
      await drawn(plotParity(targets, predictions, { quantity: target.column })),
      await drawn(plotResiduals(targets, predictions, { quantity: target.column })),
    );
  }
  const { labels } = target;
  if (told.kind === "multiLabel") return section("Predictions", ...labelFigures(told, labels));
  const matrix = confusionMatrix(told.targets, labelsOf(told), { classes: labels.length });
  const confusion = plotConfusionMatrix(matrix, { labels });
  if (told.kind === "multiClass") return section("Predictions", await drawn(confusion));
  const { targets, predictions } = told;
  const { calibration, threshold } = predictor.decision;
  const [no = "0", yes = "1"] = labels;
  return section(
    "Predictions",
    paragraph(
      `Probabilities of ${JSON.stringify(yes)}, ${calibration.method === "none" ? "as the model gives them" : `calibrated (${calibration.method})`}; above ${number(threshold)} it is told. Both were chosen on the validation part.`,
    ),
    await drawn(confusion),
    await drawn(plotRoc(await rocCurve(targets, predictions))),
    await drawn(plotPrecisionRecall(await precisionRecallCurve(targets, predictions))),
    await drawn(plotCalibration(targets, predictions)),
    await drawn(plotScores(targets, predictions, { threshold, labels: [no, yes] })),
  );
}

/** Each label as a question of two answers. */
function labelFigures(told: Told & { readonly kind: "multiLabel" }, labels: readonly string[]): readonly string[] {
  const width = labels.length;
  const column = (of: ArrayLike<number>, c: number): number[] =>
    Array.from({ length: of.length / width }, (_, row) => of[row * width + c] ?? NaN);
  const rows = labels.map((label, c) => {
    const [targets, predictions] = [column(told.targets, c), column(told.predictions, c)];
    const threshold = told.thresholds[c] ?? 0.5;
    const figures = figuresOf({ kind: "binary", targets, predictions, threshold }, { samples: 1 });
    const shown = ["accuracy", "mcc", "auroc", "averagePrecision"].map((name) => valueOf(figures, name));
    return [label, targets.filter((y) => y === 1).length, threshold, ...shown];
  });
  return [
    paragraph(
      "Each label is told where its calibrated probability is above its threshold; both were chosen on the validation part.",
    ),
    table(["Label", "Rows", "Threshold", "Accuracy", "MCC", "AUROC", "Average precision"], rows, "Labels"),
  ];
}

function labelsOf(told: Told): readonly number[] {
  if (told.kind === "binary") return Array.from(told.predictions, (p) => Number(p > told.threshold));
  if (told.kind === "regression") return [];
  if (told.kind === "multiLabel") return [];
  const { classes, predictions } = told;
  return Array.from(told.targets, (_, i) => {
    const row = Array.from({ length: classes }, (_unused, c) => predictions[i * classes + c] ?? 0);
    return row.indexOf(Math.max(...row));
  });
}

/** Letters in a word by which sequences are compared, as in the audit. */
const WORD: Readonly<Record<string, number>> = { protein: 5, DNA: 11, RNA: 11 };

async function strataSection(part: MeasuredPart): Promise<string> {
  const columns = part.predictor.encoding.toJSON().columns;
  const found = columns.find(({ encoder }) => encoder.kind in WORD);
  if (found === undefined) return "";
  const nearest = byNearest(part, found.name, part.train, WORD[found.encoder.kind] ?? 5);
  return section(
    "Where it is right",
    ...(await strataOf("By length", byLength(part, found.name))),
    ...(await strataOf("By similarity to the nearest training sequence", nearest)),
  );
}

/** A figure as a bar; of samples of its rows, the interval holds it nearly always. */
const barOf = ({ value, low, high }: Measured, label: string, count?: number): Bar => ({
  label,
  value,
  low: Math.min(low, value),
  high: Math.max(high, value),
  ...(count === undefined ? {} : { count }),
});

async function strataOf(title: string, strata: readonly Stratum[]): Promise<readonly string[]> {
  const columns = strata.find(({ figures }) => figures.length > 0)?.figures.slice(0, 3) ?? [];
  const [first] = columns;
  if (first === undefined) return [];
  const bars = strata.flatMap(({ name, rows, figures }) => {
    const figure = figures[0];
    return figure === undefined ? [] : [barOf(figure, name, rows)];
  });
  return [
    `<h3>${escaped(title)}</h3>`,
    await drawn(plotBars(bars, { axis: nameOf(first.name), title, mark: "point" })),
    table(
      ["Rows with", "Rows", ...columns.map(({ name }) => nameOf(name))],
      strata.map(({ name, rows, figures }) => [name, rows, ...figures.slice(0, 3).map(({ value }) => value)]),
      title,
    ),
  ];
}

async function ablationSection(part: MeasuredPart): Promise<string> {
  const ablations = await ablate(part.predictor, part);
  if (ablations.length === 0) return "";
  const shown = ["accuracy", "auroc", "mcc", "r2Score", "rootMeanSquaredError"];
  const whole: Ablation = { without: "nothing", figures: part.figures };
  const all = [whole, ...ablations];
  const chosen = part.figures.filter(({ name }) => shown.includes(name));
  const [main] = chosen;
  return section(
    "Without an input",
    paragraph(
      "The same model, an input at a time taken away: tokens as if there were none, numbers at their mean. What falls is what the model leans on there.",
    ),
    ...(main === undefined
      ? []
      : [
          await drawn(
            plotBars(
              all.flatMap(({ without, figures }) => {
                const figure = figures.find(({ name }) => name === main.name);
                return figure === undefined ? [] : [barOf(figure, `without ${without}`)];
              }),
              {
                axis: nameOf(main.name),
                title: "Without an input",
                mark: "point",
                reference: { label: "with all", value: main.value },
              },
            ),
          ),
        ]),
    table(
      ["Without", ...chosen.map(({ name }) => nameOf(name))],
      all.map(({ without, figures }) => [without, ...chosen.map(({ name }) => valueOf(figures, name))]),
      "Ablations",
    ),
  );
}

async function rowsSection(part: MeasuredPart): Promise<string> {
  const mistakes = hardest(part, part.predictor);
  const effects = await letterEffects(part.predictor, part);
  const classes = part.told.kind !== "regression";
  return section(
    "Single rows",
    "<h3>The hardest mistakes</h3>",
    table(
      ["Line", "Actual", "Told", ...(classes ? ["Probability"] : []), "Row"],
      mistakes.map(({ line, actual, told, probability, row }) => [
        line,
        actual,
        told,
        ...(classes ? [probability ?? NaN] : []),
        row,
      ]),
      "The rows that cost most",
    ),
    ...(effects.length === 0
      ? []
      : [
          "<h3>What single letters do</h3>",
          paragraph(
            "Each letter is taken as unknown in turn. Blue letters raise what is told, orange ones lower it; strong colours are beyond half of the row's largest effect.",
          ),
          ...effects.map(lettersOf),
        ]),
  );
}

function lettersOf({ line, text, told, effects }: LetterEffects): string {
  const most = effects.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const classOf = (effect: number): string => {
    const size = most === 0 ? 0 : Math.abs(effect) / most;
    if (size < 0.15) return "";
    return effect > 0 ? (size > 0.5 ? "upper" : "up") : size > 0.5 ? "downer" : "down";
  };
  // Letters with one colour share an element.
  const runs: { style: string; letters: string }[] = [];
  [...text].forEach((letter, i) => {
    const style = classOf(effects[i] ?? 0);
    const last = runs.at(-1);
    if (last?.style === style) last.letters += letter;
    else runs.push({ style, letters: letter });
  });
  const letters = runs.map(({ style, letters: run }) =>
    style === "" ? escaped(run) : `<span class="${style}">${escaped(run)}</span>`,
  );
  return `<p>Line ${line}: ${number(told)}</p>\n<p class="sequence">${letters.join("")}</p>`;
}

async function trainingSection({ epochs, kept, diagnosis }: ReportInput): Promise<string> {
  const [first = {}] = epochs;
  const figures = Object.keys(first).filter((name) => !name.startsWith("val") && name !== "penalty");
  const pictures = await Promise.all(
    figures.slice(0, 3).map(async (figure) => drawn(plotCurves({ epochs, restoredEpoch: kept }, { figure }))),
  );
  return section(
    "Training",
    ...pictures,
    ...(kept === undefined ? [] : [paragraph(`The weights of epoch ${kept + 1} were kept.`)]),
    ...(diagnosis === undefined ? [] : [preformatted(diagnosis, "Diagnosis of the curves")]),
  );
}

async function auditSection(audit: Audit, part: MeasuredPart | undefined): Promise<string> {
  const found = part?.predictor.encoding.toJSON().columns.find(({ encoder }) => encoder.kind in WORD);
  const lengths =
    part === undefined || found === undefined
      ? []
      : [
          await drawn(
            plotHistogram(
              part.table.column(found.name).map((cell) => String(cell ?? "").length),
              { axis: `Length of ${found.name}` },
            ),
          ),
        ];
  return section(
    "The data",
    paragraph(`${audit.size} rows of ${audit.name}; the target is ${audit.target} (${audit.targetKind}).`),
    ...(audit.findings.length === 0
      ? [paragraph("The audit has found nothing.")]
      : [
          table(
            ["Severity", "Finding"],
            audit.findings.map(({ severity, message }) => [severity, message]),
            "What the audit has found",
          ),
        ]),
    ...lengths,
  );
}

function modelSection({ model }: ReportInput): string {
  return section(
    "The model",
    diagram(model),
    preformatted(model.summary(), "Layers, shapes and parameters"),
    "<details><summary>Hyperparameters of all layers</summary>",
    table(
      ["Layer", "Hyperparameter", "Value"],
      model
        .hyperparameters()
        .rows.map(({ layer, name, value }) => [layer, name, typeof value === "string" ? value : JSON.stringify(value)]),
      "Hyperparameters",
    ),
    "</details>",
  );
}

function reproduceSection({ run, command }: ReportInput): string {
  const facts = ["options", "versions", "data", "openings", "decision"].flatMap((name) =>
    run[name] === undefined ? [] : [[name, JSON.stringify(run[name], undefined, 1)] as const],
  );
  return section(
    "To make it again",
    preformatted(command, "Command"),
    ...facts.map(([name, text]) => `<h3>${escaped(name)}</h3>${preformatted(text, name)}`),
  );
}

/** The model card, as Markdown (Mitchell et al. 2019). */
function modelCard({ name, run, model, part, audit, synthetic, command }: ReportInput): string {
  const figures = part?.figures.map(
    ({ name: figure, value, low, high }) =>
      `| ${nameOf(figure)} | ${number(value)} | ${number(low)} to ${number(high)} |`,
  );
  const findings =
    audit?.findings.filter(({ severity }) => severity !== "info").map(({ message }) => `- ${message}`) ?? [];
  const target = part?.predictor.encoding.target;
  return `# Model card: ${name}

- **What it tells:** ${target === undefined ? "what its experiment says" : `${target.column} (${target.kind}) from ${part?.predictor.encoding.columns.join(", ") ?? ""}`}
- **Made:** ${typeof run["started"] === "string" ? run["started"].slice(0, 10) : ""}, by \`${command}\`
- **Parameters:** ${model.countParams()}${synthetic ? "\n- **Data:** made up; its figures say nothing of the real thing" : ""}

## Figures

${figures === undefined ? "In run.json." : `Of the ${part?.name ?? ""} part, ${part?.rows.length ?? 0} rows${part?.name === "test" ? `, opened ${part.openings} time${part.openings === 1 ? "" : "s"}` : "; the test is sealed"}.\n\n| figure | value | 95 % |\n| --- | --- | --- |\n${figures.join("\n")}`}

## Limits

${findings.length === 0 ? "The audit of the data has found nothing beyond what report.html has." : findings.join("\n")}

It has been measured on rows like those that it was trained on. On others (another source, another laboratory, longer sequences) its figures are not
known. What it leans on is in report.html: inputs taken away one at a time, figures by length and by similarity to the training part.
`;
}
