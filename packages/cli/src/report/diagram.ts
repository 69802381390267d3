/** A model as a picture: its layers from top to bottom, beside each other where they do not follow each other. */
import type { Model } from "torte";
import { escaped } from "./html.js";

const WIDTH = 168;
const HEIGHT = 38;
const GAP = 24;

interface Box {
  readonly label: string;
  readonly shape: string;
  readonly from: readonly number[];
  readonly depth: number;
}

/** More layers than this are a table, not a picture. */
const MOST = 60;

export function diagram(model: Model): string {
  const { network, layers } = model.describe();
  if (network.calls.length + network.inputs.length > MOST) return "";
  const boxes: Box[] = network.inputs.map(({ name, shape }) => ({
    label: name,
    shape: `(${shape.join(", ")})`,
    from: [],
    depth: 0,
  }));
  for (const { layer, from, shape } of network.calls)
    boxes.push({
      label: layers[layer]?.name ?? "",
      shape: `(${shape.slice(1).join(", ")})`,
      from,
      depth: 1 + from.reduce((most, i) => Math.max(most, boxes[i]?.depth ?? 0), 0),
    });
  const rows = Math.max(...boxes.map(({ depth }) => depth)) + 1;
  const placeOf = new Map<Box, number>();
  const counts = new Array<number>(rows).fill(0);
  // A box stands below the first one that it comes from, where there is room.
  for (const box of boxes) {
    const above = boxes[box.from[0] ?? -1];
    const column = Math.max(
      counts[box.depth] ?? 0,
      above === undefined || box.from.length > 1 ? 0 : (placeOf.get(above) ?? 0),
    );
    placeOf.set(box, column);
    counts[box.depth] = column + 1;
  }
  const columns = Math.max(...counts);
  const x = (box: Box): number => (placeOf.get(box) ?? 0) * (WIDTH + GAP);
  const y = (box: Box): number => box.depth * (HEIGHT + GAP);
  const lines = boxes.flatMap((box) =>
    box.from.flatMap((i) => {
      const above = boxes[i];
      if (above === undefined) return [];
      return [
        `<path d="M${x(above) + WIDTH / 2} ${y(above) + HEIGHT}C${x(above) + WIDTH / 2} ${y(box)} ${x(box) + WIDTH / 2} ${y(above) + HEIGHT} ${x(box) + WIDTH / 2} ${y(box)}" fill="none" stroke="#767676"/>`,
      ];
    }),
  );
  const shapes = boxes.map(
    (box) =>
      `<rect x="${x(box)}" y="${y(box)}" width="${WIDTH}" height="${HEIGHT}" rx="4" fill="#eef5fb" stroke="#0072b2"/><text x="${x(box) + WIDTH / 2}" y="${y(box) + 16}" text-anchor="middle">${escaped(box.label)}</text><text x="${x(box) + WIDTH / 2}" y="${y(box) + 31}" text-anchor="middle" fill="#444">${escaped(box.shape)}</text>`,
  );
  const [width, height] = [columns * (WIDTH + GAP) - GAP + 4, rows * (HEIGHT + GAP) - GAP + 4];
  const words = `The model's ${network.calls.length} layers, from ${network.inputs.map(({ name }) => name).join(", ")} to ${boxes.at(-1)?.label ?? ""}`;
  return `<figure><div class="picture" role="img" aria-label="${escaped(words)}"><svg aria-hidden="true" xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 ${width} ${height}" style="max-width:${width}px" font-size="12" font-family="system-ui, sans-serif">${lines.join("")}${shapes.join("")}</svg></div></figure>`;
}
