/** Which learning rates a model learns with, as a figure. */
import { DataError, type LearningRateRange, show } from "torte";
import type { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, subtitleOf } from "./options.js";
import { COLOR, seriesColor } from "./theme.js";
import { legendOf, vegaFigure } from "./vega.js";

/**
 * The loss by the learning rate, as `learningRateRange` has measured it: each step's, and smoothed. Lines mark the suggested
 * rate, the steepest fall and the lowest loss.
 *
 * @throws DataError for what is no such range.
 * @example
 * import { dense, input, learningRateRange, sequential, tensor } from "torte";
 * import { plotLearningRateRange } from "@torte/plot";
 * const model = sequential(input({ shape: [1] }), dense({ units: 1 }));
 * model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
 * const range = await learningRateRange(model, { x: tensor([[1], [2]]), y: tensor([[2], [4]]) }, { steps: 20 });
 * console.log(plotLearningRateRange(range).title); // Learning-rate range
 */
export function plotLearningRateRange(
  range: Pick<LearningRateRange, "rates" | "losses" | "smoothed" | "steepest" | "lowest" | "suggestion">,
  options: FigureOptions = {},
): Figure {
  const where = "plotLearningRateRange";
  const sizes = checkFigure(where, options, [], 340);
  const { rates, losses, smoothed, steepest, lowest, suggestion } = checkedRange(where, range);
  const rate = (value: number): string => value.toExponential(1);
  const marks = (
    [
      ["to begin with", suggestion],
      ["steepest", steepest],
      ["lowest", lowest],
    ] as const
  ).toSorted(([, a], [, b]) => a - b);
  const names = ["each step", "smoothed"];
  const values = rates.flatMap((at, i) =>
    [losses[i], smoothed[i]].map((loss, k) => ({ rate: at, loss: finite(loss), curve: names[k] })),
  );
  // Where the loss runs away, the rest would be a flat line.
  const start = smoothed[0] ?? NaN;
  const least = Math.min(...smoothed.filter(Number.isFinite));
  const top = Math.max(start, least) + 0.35 * Math.abs(start - least) + 1e-12;
  const x = {
    field: "rate",
    type: "quantitative",
    title: "Learning rate",
    scale: { type: "log", nice: false },
    axis: { format: "~e", grid: false, labelOverlap: true },
  };
  const y = {
    field: "loss",
    type: "quantitative",
    title: "Loss",
    scale: { zero: false, domainMax: top },
  };
  const color = {
    field: "curve",
    type: "ordinal",
    scale: { domain: names, range: [COLOR.axis, seriesColor(0)] },
    legend: legendOf(names, sizes),
  };
  return vegaFigure({
    title: options.title ?? "Learning-rate range",
    subtitle: subtitleOf(
      options,
      `Dashed, from the left: ${marks.map(([name, at]) => `${name} ${rate(at)}`).join(", ")}`,
    ),
    description: `Loss by learning rate from ${rate(rates[0] ?? NaN)} to ${rate(rates.at(-1) ?? NaN)}: steepest at ${rate(steepest)}, lowest at ${rate(lowest)}; a rate to begin with is ${rate(suggestion)}.`,
    sizes,
    chart: {
      layer: [
        {
          data: { values },
          mark: { type: "line", clip: true },
          encoding: {
            x,
            y,
            color,
            strokeWidth: { ...color, scale: { domain: names, range: [0.8, 2.5] } },
          },
        },
        {
          data: { values: marks.map(([, at]) => ({ rate: at })) },
          mark: { type: "rule", strokeDash: [4, 4], color: COLOR.soft },
          encoding: { x },
        },
      ],
    },
  });
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

function checkedRange<R extends Pick<LearningRateRange, "rates" | "losses" | "smoothed">>(where: string, range: R): R {
  const given = range as Partial<R> | undefined;
  const lists = [given?.rates, given?.losses, given?.smoothed];
  const lengths = new Set(lists.map((list) => (Array.isArray(list) ? list.length : 0)));
  if (lengths.size === 1 && !lengths.has(0) && given?.rates?.every((rate) => rate > 0) === true) return range;
  throw new DataError({
    where,
    problem: "this is no range of learning rates",
    expected: "what learningRateRange gives",
    received: show(range),
  });
}
