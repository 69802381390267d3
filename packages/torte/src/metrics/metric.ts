/** What a metric is: of one of three kinds, with a direction of its own. */
import type { Node } from "../graph/node.js";
import type { Loss, Origin } from "../losses/loss.js";

/** What targets and predictions are: as the loss declares it, unless the metric does. */
export type Meaning = Pick<Loss, "targets" | "predictions" | "axis">;

/** What a metric is told besides target and prediction. */
export interface MetricContext extends Meaning {
  /** Of the positions: 1 where none are given, 0 where masked. */
  readonly weights: Node;
}

/** Whether more or less is better; "none" where neither is. */
export type Direction = "max" | "min" | "none";

interface MetricBase {
  /** In the history: `name`, and `valName` for validation data. */
  readonly name: string;
  /** Of a metric of the library. */
  readonly origin?: Origin;
  /** What early stopping and others take for better. Default "none". */
  readonly direction?: Direction;
  /** What the targets are for this metric. Default: what the loss declares. */
  readonly targets?: Meaning["targets"];
  /** What the predictions are for this metric. Default: what the loss declares. */
  readonly predictions?: Meaning["predictions"];
  /** Makes no sense of targets that are just numbers. Default false. */
  readonly needsMeaning?: boolean;
  /** Positions whose target is this class do not count. Default: those of the loss. */
  readonly ignoreClass?: number | undefined;
}

/** One number for each position, averaged over the epoch: Σ w·m / Σ w. */
export interface MeanMetric extends MetricBase {
  readonly kind?: "mean";
  /** As a loss: reduces the last axis. */
  readonly call: (target: Node, prediction: Node, context: MetricContext) => Node;
}

/** Sums that are kept in the compiled step, and what they come to at the end. */
export interface CountsMetric extends MetricBase {
  readonly kind: "counts";
  /** The sums over a batch, one axis. */
  readonly call: (target: Node, prediction: Node, context: MetricContext) => Node;
  /** The figure, from the sums over the whole epoch. */
  readonly figure: (sums: Float64Array, meaning: Meaning) => number;
}

/** Values that are brought out of the step, and a figure of all of them, computed in float64. */
export interface CollectMetric extends MetricBase {
  readonly kind: "collect";
  /** What is brought out: arrays whose first axes are the positions. */
  readonly call: (target: Node, prediction: Node, context: MetricContext) => readonly Node[];
  /** The figure, from what was brought out of the whole epoch. */
  readonly figure: (collected: Collected, meaning: Meaning) => number | Promise<number>;
  /** Default: all is kept. */
  readonly compaction?: Compaction;
}

/** Keeps memory bounded where an epoch brings out more than should be kept. */
export interface Compaction {
  /** Numbers of the first array that `call` gives from which on there are too many. */
  readonly above: number;
  /** Fewer positions, from which the figure can be had as well: `figure` gets them beside those that come later. */
  readonly of: (collected: Collected) => Promise<Collected>;
}

/** What was brought out of an epoch, in the order of the rows; what is masked or has weight 0 is left out. */
export interface Collected {
  /** The arrays that `call` gave, one position after the other. */
  readonly values: readonly Float64Array[];
  /** Of the positions. */
  readonly weights: Float64Array;
}

/** A metric. */
export type Metric = MeanMetric | CountsMetric | CollectMetric;
