/** Activations over a range: the curves that the library itself computes, with their derivatives on request. */
import { activation, input, type Node, OptionError, sequential, show, Tensor } from "torte";
import type { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, numberOption, subtitleOf } from "./options.js";
import { shortNumber } from "./text.js";
import { COLOR, DASHES, seriesColor } from "./theme.js";
import { legendOf, vegaFigure } from "./vega.js";

/** A function over ops, element by element. */
export type ActivationFunction = (x: Node) => Node;

export interface ActivationsOptions extends FigureOptions {
  /** From here … Default −1.5. */
  readonly from?: number;
  /** … to here, above `from`. Default 1.5. */
  readonly to?: number;
  /** Draws the derivatives, thin and in the same colours. Default false. */
  readonly derivatives?: boolean;
}

const POINTS = 301;

/**
 * Activations by name, or functions of one's own by the names they are to have. Least values within the range are points of
 * the curves, and are told in the description.
 *
 * @throws OptionError for names that are unknown, or a range that is none.
 * @example
 * import { plotActivations } from "@torte/plot";
 * const figure = await plotActivations(["relu", "swish", "gelu"]);
 * console.log(figure.description); // From −1.5 to 1.5: relu; swish, least −0.278465 at −1.278465; gelu, least −0.169971 at −0.751792.
 */
export async function plotActivations(
  given: readonly string[] | Readonly<Record<string, ActivationFunction>>,
  options: ActivationsOptions = {},
): Promise<Figure> {
  const where = "plotActivations";
  const sizes = checkFigure(where, options, ["from", "to", "derivatives"], 400);
  const from = numberOption(where, "from", options.from ?? -1.5, -1e6, 1e6);
  const to = numberOption(where, "to", options.to ?? 1.5, -1e6, 1e6);
  if (!(from < to)) throw new OptionError({ where, problem: "to is not above from", received: `${from} and ${to}` });
  const curves = await Promise.all(functionsOf(where, given).map(([name, call]) => curveOf(name, call, from, to)));
  const names = curves.map(({ name }) => name);
  const kinds = options.derivatives === true ? ["value", "derivative"] : ["value"];
  const values = curves.flatMap(({ name, points }) =>
    points.flatMap(({ x, y, slope }) => kinds.map((kind) => ({ name, kind, x, y: kind === "value" ? y : slope }))),
  );
  const x = {
    field: "x",
    type: "quantitative",
    title: "x",
    scale: { domain: [from, to], nice: false },
    axis: { grid: false, tickCount: 8 },
  };
  const y = {
    field: "y",
    type: "quantitative",
    title: kinds.length === 1 ? "f(x)" : "f(x), thin: f′(x)",
    axis: { grid: false },
  };
  const series = { field: "name", type: "nominal", legend: legendOf(names, sizes) };
  const axis = { type: "rule", color: COLOR.axis, strokeDash: [5, 4] };
  return vegaFigure({
    title: options.title ?? "Activations",
    subtitle: subtitleOf(options),
    description: `From ${shortNumber(from)} to ${shortNumber(to)}: ${curves.map(({ name, least }) => `${name}${least === undefined ? "" : `, least ${digits(least.y)} at ${digits(least.x)}`}`).join("; ")}.`,
    sizes,
    chart: {
      layer: [
        ...(from < 0 && to > 0 ? [{ data: { values: [{ x: 0 }] }, mark: axis, encoding: { x } }] : []),
        { data: { values: [{ y: 0 }] }, mark: axis, encoding: { y } },
        ...kinds.map((kind) => ({
          data: { values: values.filter((value) => value.kind === kind) },
          mark: { type: "line", clip: true, strokeWidth: kind === "value" ? 2.2 : 0.9 },
          encoding: {
            x,
            y,
            color: { ...series, scale: { domain: names, range: names.map((_, i) => seriesColor(i)) } },
            strokeDash: { ...series, scale: { domain: names, range: names.map((_, i) => DASHES[i % DASHES.length]) } },
          },
        })),
      ],
    },
  });
}

const digits = (value: number): string => String(Number(value.toFixed(6))).replace("-", "−");

/** An activation, as the layer of that name takes it. */
type Given = Parameters<typeof activation>[0];

function functionsOf(
  where: string,
  given: readonly string[] | Readonly<Record<string, ActivationFunction>>,
): readonly (readonly [string, Given])[] {
  const entries: [string, unknown][] = Array.isArray(given)
    ? (given as readonly string[]).map((name) => [name, name])
    : Object.entries(given as object);
  const wrong = entries.find(([, call]) => typeof call !== "function" && typeof call !== "string");
  if (entries.length > 0 && wrong === undefined) return entries as [string, Given][];
  throw new OptionError({
    where,
    problem: "there is no activation to draw",
    expected: "names of activations, or functions by name",
    received: show(wrong?.[1] ?? given),
  });
}

interface Point {
  readonly x: number;
  readonly y: number;
  readonly slope: number;
}

interface Curve {
  readonly name: string;
  readonly points: readonly Point[];
  /** Where it is least, not counting the ends and what is flat. */
  readonly least: Point | undefined;
}

async function curveOf(name: string, call: Given, from: number, to: number): Promise<Curve> {
  const model = sequential(input({ shape: [1] }), activation(call));
  try {
    return await followed(name, from, to, async (low, high, count) => {
      const x = new Tensor(
        Float32Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1)),
        [count, 1],
        "float32",
      );
      const upstream = new Tensor(new Float32Array(count).fill(1), [count, 1], "float32");
      const { outputs, inputs } = await model.gradients({ x, upstream });
      return Array.from(x.data, (place, i) => ({
        x: place,
        y: outputs[0]?.data[i] ?? NaN,
        slope: inputs[0]?.data[i] ?? NaN,
      }));
    });
  } finally {
    await model.close();
  }
}

type Evaluate = (low: number, high: number, count: number) => Promise<Point[]>;

async function followed(name: string, from: number, to: number, at: Evaluate): Promise<Curve> {
  const points = await at(from, to, POINTS);
  const turn = points.findIndex((point, i) => i > 0 && (points[i - 1]?.slope ?? 0) < 0 && point.slope > 0);
  if (turn < 1) return { name, points, least: undefined };
  // The derivative's zero: the value itself is flat there, so that its least tells the place to few digits only.
  let [a, b] = [points[turn - 1] as Point, points[turn] as Point];
  for (let again = 0; again < 3; again++) {
    const closer = await at(a.x, b.x, 33);
    const i = closer.findIndex((point, k) => k > 0 && point.slope >= 0);
    if (i < 1) break;
    [a, b] = [closer[i - 1] as Point, closer[i] as Point];
  }
  const share = a.slope === b.slope ? 0 : -a.slope / (b.slope - a.slope);
  const [least] = await at(a.x + share * (b.x - a.x), b.x, 2);
  return least === undefined
    ? { name, points, least }
    : { name, points: [...points.slice(0, turn), least, ...points.slice(turn)], least };
}
