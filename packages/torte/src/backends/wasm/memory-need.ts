/** Memory that is asked for, in the words of an error where there is none. */
import { TrainingError } from "../../errors.js";
import type { Program, State } from "../../graph/node.js";
import { formatShape, sizeOf } from "../../tensor/shape.js";

export interface MemoryNeed {
  readonly where: string;
  readonly bytes: number;
  readonly what: string;
  readonly fix: string;
}

const bytesOf = ({ shape }: State): number => 4 * sizeOf(shape);

export function statesNeed(states: readonly State[]): MemoryNeed {
  const [largest] = [...states].sort((a, b) => bytesOf(b) - bytesOf(a));
  const others = states.length > 1 ? ` and ${states.length - 1} more` : "";
  return {
    where: largest?.name ?? "engine",
    bytes: states.reduce((sum, state) => sum + bytesOf(state), 0),
    what: `${largest?.name ?? ""} ${formatShape(largest?.shape ?? [])}${others}`,
    fix: "Make the model smaller, give it less data at a time, or close models that are not needed any more.",
  };
}

export const programNeed = ({ name }: Program, bytes: number): MemoryNeed => ({
  where: name,
  bytes,
  what: "what is computed on the way",
  fix: "Choose a smaller batchSize, or make the model smaller.",
});

/** `taken`: what the model and others that share its memory have already. */
export function outOfMemory({ where, bytes, what, fix }: MemoryNeed, taken: number, expected: string): TrainingError {
  const received = `${inUnits(bytes)} for ${what}${taken >= 1024 ? `, beside ${inUnits(taken)} that are taken` : ""}`;
  return new TrainingError({ where, problem: "there is not enough memory", expected, received, fix });
}

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];

function inUnits(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${Number((bytes / 1024 ** power).toFixed(1))} ${UNITS[power] ?? ""}`;
}
