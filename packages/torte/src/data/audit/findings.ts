/** What an audit finds, as data; each finding says in a sentence what it is. */

/** "error": figures on this data will be wrong. "warning": they may mislead. "info": worth knowing. */
export type Severity = "error" | "warning" | "info";

interface Common {
  readonly severity: Severity;
  /** One sentence. */
  readonly message: string;
}

/** Two rows by their lines in the file. */
export interface Twins {
  readonly lines: readonly [number, number];
  /** Jaccard similarity of their k-mers. */
  readonly similarity: number;
}

/** How many rows a class has. */
export interface ClassSize {
  readonly label: string;
  readonly count: number;
  readonly share: number;
}

/** The lengths of one class's sequences. */
export interface ClassLength {
  readonly label: string;
  readonly least: number;
  readonly median: number;
  readonly mean: number;
  readonly most: number;
}

/** What an audit found. */
export type Finding = Common &
  (
    | { readonly kind: "missing"; readonly column: string; readonly count: number; readonly lines: readonly number[] }
    | {
        readonly kind: "duplicates";
        /** The copies are of one class and part, of different classes, or of different parts. */
        readonly across: "none" | "classes" | "parts";
        /** Rows that have an earlier copy. */
        readonly count: number;
        /** Of the first groups of copies. */
        readonly groups: readonly (readonly number[])[];
      }
    | {
        readonly kind: "nearTwins";
        readonly pairs: number;
        /** Pairs of different classes. */
        readonly oppositeLabels: number;
        /** Pairs of different parts. */
        readonly acrossParts: number;
        readonly threshold: number;
        readonly k: number;
        /** There are more pairs than were counted. */
        readonly more: boolean;
        readonly examples: readonly Twins[];
      }
    | { readonly kind: "classBalance"; readonly classes: readonly ClassSize[] }
    | { readonly kind: "lengthPerClass"; readonly classes: readonly ClassLength[] }
    | {
        readonly kind: "invalidCharacters" | "ambiguousCharacters";
        readonly column: string;
        readonly letters: readonly { readonly letter: string; readonly count: number }[];
        /** Rows that have them. */
        readonly count: number;
        readonly lines: readonly number[];
      }
    | {
        readonly kind: "padding";
        readonly column: string;
        readonly count: number;
        readonly lines: readonly number[];
      }
    | { readonly kind: "constantColumn"; readonly column: string; readonly value: string }
    | {
        readonly kind: "leakingColumn";
        readonly column: string;
        /** Accuracy by this column alone; for a number as target, R². */
        readonly score: number;
      }
    | {
        readonly kind: "shortcut";
        readonly baseline: string;
        readonly rule: string;
        readonly score: number;
        /** What no input at all gives. */
        readonly chance: number;
      }
  );

/** The kinds of findings. */
export type FindingKind = Finding["kind"];

const ORDER: readonly Severity[] = ["error", "warning", "info"];

/** The worst first; in the order in which they were found otherwise. */
export const bySeverity = (findings: readonly Finding[]): readonly Finding[] =>
  ORDER.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
