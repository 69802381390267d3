/** The format of conformance cases; packages/torte/test/fixtures/conformance/README.md describes it. */
import { readFile } from "node:fs/promises";

export interface ArrayData {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly dtype?: "int32";
}

export type Arrays = Readonly<Record<string, ArrayData>>;

interface Named {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface LayerCase extends Named {
  readonly kind: "layer" | "masked";
  readonly inputs: readonly ArrayData[];
  readonly weights: Arrays;
  readonly output: ArrayData;
  readonly upstream: ArrayData;
  readonly inputGradients: readonly ArrayData[];
  readonly weightGradients: Arrays;
  readonly training?: boolean;
  readonly weightsAfter?: Arrays;
  readonly inputMask?: ArrayData;
  readonly outputMask?: ArrayData;
}

export interface LossCase extends Named {
  readonly kind: "loss";
  readonly target: ArrayData;
  readonly prediction: ArrayData;
  readonly value: number;
  readonly predictionGradient: ArrayData;
}

export interface OptimizerCase extends Named {
  readonly kind: "optimizer";
  readonly start: ArrayData;
  readonly gradients: ArrayData;
  readonly trajectory: ArrayData;
}

export interface ModelCase {
  readonly kind: "model";
  readonly name: string;
  readonly input: ArrayData;
  readonly target: ArrayData;
  readonly start: Arrays;
  readonly firstGradientNorms: Readonly<Record<string, number>>;
  readonly firstGradients: Arrays;
  readonly losses: readonly number[];
}

/** A call of another library's loss, recorded in its tests. */
export interface RecordedLoss extends Named {
  readonly kind: "loss";
  readonly source: string;
  readonly inputs: { readonly target: ArrayData; readonly prediction: ArrayData; readonly sampleWeight?: ArrayData };
  readonly expected: ArrayData;
  /** By the prediction, where the result is one number. */
  readonly gradient?: ArrayData;
}

/** One update of a recorded metric. */
export interface Update {
  readonly target?: ArrayData;
  readonly prediction?: ArrayData;
  /** Of metrics of values, which know no targets. */
  readonly values?: ArrayData;
  readonly sampleWeight?: ArrayData;
}

/** Another library's metric after some updates, recorded in its tests. */
export interface RecordedMetric extends Named {
  readonly kind: "metric";
  readonly source: string;
  readonly inputs: readonly Update[];
  readonly expected: ArrayData;
}

/** What a recording of optimizers and schedules has. */
interface Recorded extends Named {
  readonly source: string;
  /** Computed in float64: to be met within 1e-6. */
  readonly exact?: boolean;
}

/** Arrays of every weight at first, gradients and weights of every step. */
export interface RecordedOptimizerCase extends Recorded {
  readonly kind: "optimizer";
  readonly inputs: { readonly start: readonly ArrayData[]; readonly gradients: readonly (readonly ArrayData[])[] };
  readonly expected: readonly (readonly ArrayData[])[];
}

export interface RecordedScheduleCase extends Recorded {
  readonly kind: "schedule";
  readonly inputs: { readonly step: ArrayData };
  readonly expected: ArrayData;
}

export type Case =
  | LayerCase
  | LossCase
  | OptimizerCase
  | ModelCase
  | RecordedLoss
  | RecordedMetric
  | RecordedOptimizerCase
  | RecordedScheduleCase;

/** A file that cannot be read as a list of cases. */
export class CasesError extends Error {}

export async function readCases(file: string): Promise<readonly Case[]> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new CasesError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const cases = isRecord(content) ? content["cases"] : undefined;
  if (!Array.isArray(cases) || cases.length === 0) throw new CasesError(`${file}: there is no list of cases`);
  cases.forEach((item: unknown, i) => {
    if (!isRecord(item) || typeof item["kind"] !== "string" || typeof item["name"] !== "string")
      throw new CasesError(`${file}: case ${i} has no kind and name`);
  });
  // The rest of a case is met when it is run; what is wrong there fails the case.
  return cases as readonly Case[];
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
