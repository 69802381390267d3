/** What the figures of a run say: rules with the numbers behind each. */
import { PAGE, Report, wrap } from "../nn/inspect/report.js";
import type { Baseline } from "./baseline.js";
import type { Logs } from "./callbacks.js";
import type { NotFinite } from "./not-finite.js";

/** The kinds of findings. */
export type FindingKind =
  "overfitting" | "underfitting" | "stillImproving" | "strongRegularizer" | "rateTooHigh" | "deadUnits";

/** What the curves show. */
export interface Finding {
  readonly kind: FindingKind;
  /** What was seen, with its numbers. */
  readonly text: string;
  /** The numbers by name; epochs are counted from 0. */
  readonly numbers: Readonly<Record<string, number>>;
  /** What to try. */
  readonly hint: string;
}

/** A layer with units that gave 0 for every example that was looked at. */
export interface DeadUnits {
  readonly layer: string;
  readonly dead: number;
  readonly units: number;
}

/** All that the rules look at. */
export interface Evidence {
  readonly epochs: readonly Logs[];
  /** Of the outputs; the rules use the first. */
  readonly baselines: readonly Baseline[];
  readonly dead: readonly DeadUnits[];
  /** Largest rate of the model's dropout layers; 0 without any. */
  readonly dropout: number;
  readonly failure: NotFinite | undefined;
}

/** What `history.diagnose()` gives; prints as text. */
export class Diagnosis extends Report {
  constructor(
    readonly findings: readonly Finding[],
    /** For each output; of validation data, where there was some. */
    readonly baselines: readonly Baseline[],
    readonly epochs: readonly Logs[],
  ) {
    super();
  }

  /** The finding of this kind, if there is one. */
  find(kind: FindingKind): Finding | undefined {
    return this.findings.find((finding) => finding.kind === kind);
  }

  override toString(): string {
    const last = this.epochs.at(-1) ?? {};
    const figures = Object.entries(last).map(([name, value]) => `${name} ${short(value)}`);
    const lines = [
      `After ${this.epochs.length} epoch${this.epochs.length === 1 ? "" : "s"}: ${figures.join(", ")}.`,
      ...this.baselines.map(baselineText).filter((line) => line !== ""),
      ...this.findings.flatMap(({ kind, text, hint }) => [`${TITLES[kind]}: ${text}`, `  ${hint}`]),
      ...(this.findings.length === 0 ? ["Nothing stands out."] : []),
    ];
    return lines.flatMap((line) => wrap(line, PAGE)).join("\n");
  }
}

const TITLES: Readonly<Record<FindingKind, string>> = {
  overfitting: "Overfitting",
  underfitting: "Underfitting",
  stillImproving: "Not at its end",
  strongRegularizer: "Too strong a regularizer",
  rateTooHigh: "Learning rate too high",
  deadUnits: "Dead units",
};

function baselineText({ accuracy, loss, output }: Baseline): string {
  const parts = [
    ...(accuracy === undefined ? [] : [`accuracy ${short(accuracy)}`]),
    ...(loss === undefined ? [] : [`loss ${short(loss)}`]),
  ];
  return parts.length === 0 ? "" : `The same answer for every example would give ${parts.join(", ")} (${output}).`;
}

const short = (value: number): string => String(Number(value.toPrecision(4)));
const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** A rise of the validation loss above its least that counts, as a share of it or of the loss of a constant answer. */
const RISE = 0.05;
/** What a model that has learnt something leaves of the baseline's loss at most. */
const LEARNT = 0.9;
/** Points above the majority's accuracy that count. */
const POINTS = 0.02;

/** Applies all rules. */
export function diagnose(evidence: Evidence): Diagnosis {
  const curves = curvesOf(evidence);
  const findings = [rateTooHigh, overfitting, strongRegularizer, underfitting, stillImproving, deadUnits];
  return new Diagnosis(
    findings.map((rule) => rule(evidence, curves)).filter((finding) => finding !== undefined),
    evidence.baselines,
    evidence.epochs,
  );
}

/** Losses without penalties, epoch by epoch. */
interface Curves {
  readonly loss: readonly number[];
  readonly penalty: readonly number[];
  /** Empty without validation data. */
  readonly validation: readonly number[];
  readonly last: number;
  /** Of the least validation loss. */
  readonly best: number;
  readonly hasLearnt: boolean;
}

function curvesOf({ epochs, baselines: [baseline] }: Evidence): Curves {
  const column = (name: string): number[] => epochs.map((logs) => logs[name] ?? 0);
  const penalty = column("penalty");
  const loss = column("loss").map((value, i) => value - (penalty[i] ?? 0));
  const measured = epochs.every(({ valLoss }) => valLoss !== undefined);
  const penalties = column("valPenalty");
  const validation = measured ? column("valLoss").map((value, i) => value - (penalties[i] ?? 0)) : [];
  const last = epochs.length - 1;
  const end = loss[last] ?? NaN;
  const against = baseline?.loss === undefined ? (loss[0] ?? NaN) : baseline.loss;
  return {
    loss,
    penalty,
    validation,
    last,
    best: validation.indexOf(Math.min(...validation)),
    hasLearnt: end <= LEARNT * against,
  };
}

type Rule = (evidence: Evidence, curves: Curves) => Finding | undefined;

const overfitting: Rule = ({ baselines: [baseline] }, { loss, validation, last, best }) => {
  // The least of the last epochs: a single bad one is no trend.
  const then = validation[best] ?? NaN;
  const now = Math.min(...validation.slice(Math.max(best + 1, last - 2)));
  const scale = Math.max(Math.abs(then), baseline?.loss ?? Math.abs(validation[0] ?? 0));
  const [trainedThen = NaN, trainedNow = NaN] = [loss[best], loss[last]];
  const rise = (now - then) / Math.max(Math.abs(then), 1e-12);
  if (!(best < last && now - then > RISE * scale && trainedNow < trainedThen)) return undefined;
  return {
    kind: "overfitting",
    text:
      `the validation loss rose by ${percent(rise)} from ${short(then)} in epoch ${best + 1} to ${short(now)}, while that of ` +
      `the training data fell from ${short(trainedThen)} to ${short(trainedNow)}.`,
    numbers: { bestEpoch: best, valLossThen: then, valLossNow: now, rise, lossThen: trainedThen, lossNow: trainedNow },
    hint: "Stop early (earlyStopping), regularize (dropout, l2), use fewer parameters, or more data.",
  };
};

const rateTooHigh: Rule = ({ failure }, { loss, last }) => {
  const rises = loss.filter((value, i) => i > 0 && value > 1.05 * (loss[i - 1] ?? NaN)).length;
  const [first = NaN, now = NaN] = [loss[0], loss[last]];
  const numbers = { rises, epochs: loss.length, firstLoss: first, lastLoss: now };
  const hint = "Try a third or a tenth of the rate, warm-up, or clipping (clipNorm).";
  if (failure !== undefined) {
    const text = `step ${failure.step}: ${failure.problem}.`;
    return { kind: "rateTooHigh", text, numbers: { ...numbers, step: failure.step }, hint };
  }
  if (last < 1 || (rises < Math.max(2, last / 3) && !(now > 1.1 * first))) return undefined;
  const text =
    `the training loss rose by more than 5 % in ${rises} of ${last} epochs; it was ${short(first)} after the first ` +
    `and is ${short(now)} after the last.`;
  return { kind: "rateTooHigh", text, numbers, hint };
};

const strongRegularizer: Rule = (
  { dropout, baselines: [baseline] },
  { loss, penalty, validation, last, hasLearnt },
) => {
  const [own = NaN, added = 0, held] = [loss[last], penalty[last], validation[last]];
  const share = added / (added + own);
  if (share > 0.5 && !hasLearnt) {
    return {
      kind: "strongRegularizer",
      text:
        `penalties make up ${percent(share)} of the loss, ${short(added)} beside ${short(own)}, and the data's part has ` +
        `not come below ${percent(LEARNT)} of ${baseline?.loss === undefined ? "where it began" : `${short(baseline.loss)}, which the same answer for all gives`}.`,
      numbers: {
        share,
        penalty: added,
        loss: own,
        ...(baseline?.loss === undefined ? {} : { baseline: baseline.loss }),
      },
      hint: "Take a tenth of the regularizer's factor.",
    };
  }
  if (dropout === 0 || held === undefined || !(own > 1.15 * held) || hasLearnt) return undefined;
  return {
    kind: "strongRegularizer",
    text: `with dropout of ${dropout} the training loss is ${short(own)}, above the validation loss of ${short(held)}, and has hardly fallen.`,
    numbers: { dropout, loss: own, valLoss: held },
    hint:
      "Drop less, or give dropout what it needs: a learning rate 10 to 100 times as large, with decay, and a momentum of " +
      "0.95 to 0.99 (Srivastava et al. 2014).",
  };
};

const underfitting: Rule = ({ epochs, baselines: [baseline], failure }, { loss, last, hasLearnt }) => {
  if (last < 0 || failure !== undefined) return undefined;
  const [first = NaN, now = NaN] = [loss[0], loss[last]];
  const accuracy = epochs[last]?.["accuracy"];
  const majority = baseline?.accuracy;
  const guesses = accuracy !== undefined && majority !== undefined && accuracy <= majority + POINTS;
  const enough = baseline?.loss !== undefined || last >= 1;
  if (!guesses && (hasLearnt || !enough)) return undefined;
  const against =
    baseline?.loss === undefined
      ? `${short(first)} after the first epoch`
      : `${short(baseline.loss)} for the same answer to all`;
  const beside =
    accuracy === undefined || majority === undefined
      ? ""
      : `; the accuracy is ${short(accuracy)} beside ${short(majority)} of the majority`;
  return {
    kind: "underfitting",
    text: `the training loss is ${short(now)} beside ${against}${beside}.`,
    numbers: {
      loss: now,
      firstLoss: first,
      ...(baseline?.loss === undefined ? {} : { baselineLoss: baseline.loss }),
      ...(accuracy === undefined ? {} : { accuracy }),
      ...(majority === undefined ? {} : { majority }),
    },
    hint: "Try another learning rate, more units or layers, fewer regularizers; check with overfitOneBatch that it can learn at all.",
  };
};

const stillImproving: Rule = (_, { loss, validation, last }) => {
  const curve = validation.length > 0 ? validation : loss;
  const from = Math.max(0, last - Math.max(1, Math.round(curve.length / 5)));
  const [then = NaN, now = NaN] = [curve[from], curve[last]];
  const fall = (then - now) / Math.max(Math.abs(then), 1e-12) / (last - from);
  if (last < 4 || Math.min(...curve) < now || !(fall > 0.01)) return undefined;
  return {
    kind: "stillImproving",
    text: `the ${validation.length > 0 ? "validation " : ""}loss is at its least in the last epoch, and fell by ${(100 * fall).toFixed(1)} % per epoch in the last ${last - from}.`,
    numbers: { loss: now, fallPerEpoch: fall },
    hint: "Train longer.",
  };
};

const deadUnits: Rule = ({ dead }) => {
  const worst = [...dead].sort((a, b) => b.dead / b.units - a.dead / a.units)[0];
  if (worst === undefined) return undefined;
  const all = dead.map(({ layer, dead: n, units }) => `${n} of ${units} in ${layer}`);
  return {
    kind: "deadUnits",
    text: `units that are 0 for every example looked at: ${all.join(", ")}.`,
    numbers: {
      dead: dead.reduce((sum, row) => sum + row.dead, 0),
      units: dead.reduce((sum, row) => sum + row.units, 0),
    },
    hint: "Try a smaller learning rate, heNormal, inputs about 0 with a spread of 1, or leakyRelu or gelu.",
  };
};
