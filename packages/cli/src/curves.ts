/** The loss curves of a run as a picture. */
import type { Logs } from "torte";
import { parse, View } from "vega";
import { compile } from "vega-lite";

/** An SVG of training and validation loss against the epoch. */
export async function drawCurves(epochs: readonly Logs[], title: string): Promise<string> {
  const values = epochs.flatMap((logs, i) => [
    ...point(i + 1, logs["loss"], "training"),
    ...point(i + 1, logs["valLoss"], "validation"),
  ]);
  const { spec } = compile({
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title,
    width: 520,
    height: 320,
    padding: 12,
    background: "white",
    data: { values },
    mark: { type: "line", point: true },
    encoding: {
      x: {
        field: "epoch",
        type: "quantitative",
        title: "Epoch",
        axis: { format: "d", tickMinStep: 1 },
        scale: { domain: [1, Math.max(2, epochs.length)], nice: false },
      },
      y: { field: "loss", type: "quantitative", title: "Loss", scale: { zero: false } },
      color: { field: "set", type: "nominal", title: null, scale: { domain: ["training", "validation"] } },
    },
  });
  return new View(parse(spec), { renderer: "none" }).toSVG();
}

function point(epoch: number, loss: number | undefined, set: string): { epoch: number; loss: number; set: string }[] {
  return loss !== undefined && Number.isFinite(loss) ? [{ epoch, loss, set }] : [];
}
