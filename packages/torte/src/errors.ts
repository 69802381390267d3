/** Errors: classes that carry data, and the one place where their wording is made. */

export interface ErrorFacts {
  /** The function, layer or file. */
  readonly where: string;
  readonly problem: string;
  readonly expected?: string;
  readonly received?: string;
  /** What the reader can do about it. */
  readonly fix?: string;
}

function wording({ where, problem, expected, received, fix }: ErrorFacts): string {
  const facts = [
    expected === undefined ? undefined : `expected ${oneLine(expected)}`,
    received === undefined ? undefined : `received ${oneLine(received)}`,
  ].filter((fact) => fact !== undefined);
  const details = facts.length === 0 ? "" : `: ${facts.join(", ")}`;
  const lines = printable(shortened(problem, 10_000));
  return `${oneLine(where)}: ${lines}${details}.${fix === undefined ? "" : ` ${printable(shortened(fix, 10_000))}`}`;
}

const oneLine = (text: string): string => printable(shortened(text, 1000)).replaceAll("\n", "\\n");

const shortened = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 3)}...`;

/**
 * The text with all that a terminal obeys (escape sequences, marks that turn the direction of writing) as \uXXXX; lines stay
 * lines. For names that come from files.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu, (letter) =>
    letter === "\n" ? letter : `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Every error that Torte throws on purpose. */
export class TorteError extends Error {
  readonly facts: ErrorFacts;

  constructor(facts: ErrorFacts) {
    super(wording(facts));
    this.name = new.target.name;
    this.facts = facts;
  }
}

/** A shape that cannot work where it is used. */
export class ShapeError extends TorteError {}
/** An option that is unknown, of the wrong type or out of range. */
export class OptionError extends TorteError {}
/** Data that cannot be read or that a model cannot take. */
export class DataError extends TorteError {}
/** Operands that do not fit a primitive. */
export class GraphError extends TorteError {}
/** A mask where it cannot be honoured. */
export class MaskError extends TorteError {}
/** A training run that cannot go on. */
export class TrainingError extends TorteError {}

/** A value as it reads in a message: short, and never an error of its own. */
export function show(value: unknown): string {
  const text = describe(value, 0);
  return text.length <= 200 ? text : `${text.slice(0, 197)}...`;
}

function describe(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  if (Array.isArray(value)) return depth > 2 ? "[...]" : `[${listed(value.map((item) => describe(item, depth + 1)))}]`;
  const prototype = Object.getPrototypeOf(value) as { readonly constructor?: { readonly name?: string } } | null;
  if (prototype !== Object.prototype && prototype !== null) return `a ${prototype.constructor?.name ?? "object"}`;
  if (depth > 2) return "{...}";
  const entries = Object.entries(value).map(([key, item]) => `${key}: ${describe(item, depth + 1)}`);
  return entries.length === 0 ? "{}" : `{ ${listed(entries)} }`;
}

const listed = (items: readonly string[]): string =>
  [...items.slice(0, 8), ...(items.length > 8 ? ["..."] : [])].join(", ");

/** Levenshtein distance, for hints. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, x] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, y] of [...b].entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + Number(x !== y)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Names without what tells spellings apart: val_loss, val-loss and valLoss are one. */
const plain = (name: string): string => name.toLowerCase().replaceAll(/[_\s-]/g, "");

/**
 * What other libraries call things, written plainly, and what they are here; the first that is known where the name stands is
 * meant.
 */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  // Losses and metrics.
  mse: ["meanSquaredError"],
  mae: ["meanAbsoluteError"],
  l1loss: ["meanAbsoluteError"],
  mape: ["meanAbsolutePercentageError"],
  msle: ["meanSquaredLogarithmicError"],
  rmse: ["rootMeanSquaredError"],
  bce: ["binaryCrossentropy"],
  crossentropy: ["categoricalCrossentropy"],
  nll: ["sparseCategoricalCrossentropy"],
  kld: ["klDivergence"],
  kldiv: ["klDivergence"],
  kullbackleiblerdivergence: ["klDivergence"],
  smoothl1: ["huber"],
  acc: ["accuracy"],
  valacc: ["valAccuracy"],
  rocauc: ["auroc"],
  prauc: ["averagePrecision"],
  f1: ["f1Score"],
  r2: ["r2Score"],
  matthewscorrcoef: ["mcc"],
  sensitivity: ["recall"],
  pearson: ["pearsonCorrelation"],
  spearman: ["spearmanCorrelation"],
  ece: ["expectedCalibrationError"],
  kappa: ["cohenKappa"],
  // Options of training and of optimizers.
  lr: ["learningRate"],
  eps: ["epsilon"],
  alpha: ["rho", "negativeSlope", "learningRate"],
  decay: ["weightDecay"],
  maxnorm: ["globalClipnorm"],
  rho: ["alpha", "beta2"],
  wd: ["weightDecay"],
  betas: ["beta1"],
  optim: ["optimizer"],
  criterion: ["loss"],
  lossfn: ["loss"],
  lossfunction: ["loss"],
  objective: ["loss"],
  bs: ["batchSize"],
  nepochs: ["epochs"],
  numepochs: ["epochs"],
  maxepochs: ["epochs"],
  iterations: ["epochs"],
  valdata: ["validationData"],
  valsplit: ["validationSplit"],
  testsplit: ["validationSplit"],
  verbosity: ["verbose"],
  randomstate: ["seed"],
  randomseed: ["seed"],
  metric: ["metrics", "monitor"],
  weights: ["sampleWeight"],
  labels: ["y"],
  targets: ["y"],
  inputs: ["x"],
  features: ["x"],
  // Options of layers.
  p: ["rate"],
  dropoutrate: ["rate"],
  neurons: ["units"],
  hiddensize: ["units"],
  outfeatures: ["units"],
  outputdim: ["units", "outputDim"],
  outchannels: ["filters"],
  channels: ["filters"],
  bias: ["useBias"],
  act: ["activation"],
  nonlinearity: ["activation"],
  numembeddings: ["inputDim"],
  vocabsize: ["inputDim"],
  embeddingdim: ["outputDim"],
  paddingidx: ["maskZero"],
  dilation: ["dilationRate"],
  size: ["poolSize", "kernelSize"],
  inputshape: ["shape"],
  dim: ["axis"],
};

/**
 * `{ fix: 'Did you mean "units"?' }`: a name that is spelt otherwise (val_loss), what another library calls it (lr), or one that
 * is near: at most a third of its letters differ.
 */
export function hintFor(name: string, known: readonly string[]): { readonly fix?: string } {
  const asked = plain(name);
  const aliases = Object.hasOwn(ALIASES, asked) ? (ALIASES[asked] ?? []) : [];
  const [meant] = known.some((other) => plain(other) === asked) ? [] : aliases.filter((alias) => known.includes(alias));
  const near = known
    .map((other) => ({ other, d: distance(asked, plain(other)) }))
    .filter(({ other, d }) => d <= Math.ceil(other.length / 3) && d < other.length)
    .sort((a, b) => a.d - b.d)[0]?.other;
  const found = meant ?? near;
  return found === undefined ? {} : { fix: `Did you mean ${JSON.stringify(found)}?` };
}

/** Rejects options that nobody reads, and what is no object of options at all. */
export function checkOptions(where: string, options: unknown, allowed: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new OptionError({
      where,
      problem: "options are no object",
      expected: allowed.length === 0 ? "{}" : `an object with ${allowed.join(", ")}`,
      received: show(options),
    });
  }
  for (const name of Object.keys(options)) {
    if (allowed.includes(name)) continue;
    throw new OptionError({
      where,
      problem: `unknown option ${JSON.stringify(name)}`,
      expected: allowed.length === 0 ? "no options" : `one of ${allowed.join(", ")}`,
      ...hintFor(name, allowed),
    });
  }
}

/** Whether an option is an object that has the function which makes it one of its kind, not a name or something else. */
export function isRule<T>(option: T, method: string): option is Extract<T, object> {
  if (typeof option !== "object" || option === null) return false;
  return typeof (option as Readonly<Record<string, unknown>>)[method] === "function";
}

/** A whole number within its limits, both of which are allowed. */
export function integerIn(
  where: string,
  name: string,
  value: unknown,
  { min = -Infinity, max = Infinity }: { readonly min?: number; readonly max?: number } = {},
): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const limits = max < Infinity ? ` from ${min} to ${max}` : min > -Infinity ? ` of at least ${min}` : "";
  throw new OptionError({
    where,
    problem: `${name} is out of range`,
    expected: `a whole number${limits}`,
    received: show(value),
  });
}

/**
 * The option's value.
 *
 * @throws OptionError for what is no integer of at least 1.
 */
export const positiveInteger = (where: string, name: string, value: unknown): number =>
  integerIn(where, name, value, { min: 1 });

export const wholeNumber = (where: string, name: string, value: unknown): number =>
  integerIn(where, name, value, { min: 0 });

/** A whole number of either sign, such as an axis. */
export const integerOption = (where: string, name: string, value: unknown): number => integerIn(where, name, value);

/** A seed: the 32-bit word that all random numbers of a run hang on. */
export const seedOption = (where: string, value: unknown): number =>
  integerIn(where, "seed", value, { min: 0, max: 0xffffffff });

export interface Interval {
  readonly min?: number;
  /** The limit itself is not allowed. */
  readonly above?: number;
  readonly max?: number;
  readonly below?: number;
}

/** A number that stays within its limits, and finite, when it is rounded to the 32 bits that the engine computes with. */
export function numberIn(
  where: string,
  name: string,
  value: unknown,
  { min, above, max, below }: Interval = {},
): number {
  const within = (number: number, round: (x: number) => number): boolean =>
    Number.isFinite(number) &&
    (min === undefined || number >= round(min)) &&
    (above === undefined || number > round(above)) &&
    (max === undefined || number <= round(max)) &&
    (below === undefined || number < round(below));
  const isNumber = typeof value === "number";
  const fits = isNumber && within(value, (x) => x);
  if (!fits || !within(Math.fround(value), Math.fround)) {
    const limits = [
      min === undefined ? undefined : `at least ${min}`,
      above === undefined ? undefined : `above ${above}`,
      max === undefined ? undefined : `at most ${max}`,
      below === undefined ? undefined : `below ${below}`,
    ].filter((limit) => limit !== undefined);
    const expected = limits.length === 0 ? "a finite number" : `a number ${limits.join(" and ")}`;
    const held = fits ? ` (${Math.fround(value)} in 32 bits)` : "";
    throw new OptionError({ where, problem: `${name} is out of range`, expected, received: `${show(value)}${held}` });
  }
  return value;
}

/**
 * The option's value.
 *
 * @throws OptionError for what is not one of those allowed, with the nearest one.
 */
export function oneOf<T extends string>(where: string, name: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((option) => option === value);
  if (found === undefined) {
    throw new OptionError({
      where,
      problem: `${name} is unknown`,
      expected: `one of ${allowed.map((option) => JSON.stringify(option)).join(", ")}`,
      received: show(value),
      ...(typeof value === "string" ? hintFor(value, allowed) : {}),
    });
  }
  return found;
}

/**
 * The option's value.
 *
 * @throws OptionError for what is neither true nor false.
 */
export function booleanOption(where: string, name: string, value: unknown): boolean {
  if (typeof value !== "boolean") {
    throw new OptionError({
      where,
      problem: `${name} has the wrong type`,
      expected: "true or false",
      received: show(value),
    });
  }
  return value;
}
