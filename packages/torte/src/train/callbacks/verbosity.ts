/** How much a person sees while a model trains. */
import { OptionError, show } from "../../errors.js";
import { standardOutput } from "../../host.js";

/** 0 says nothing, 1 draws a bar for each epoch as it goes on, 2 writes a line for each. */
export type Verbosity = 0 | 1 | 2;

/** Whether there is somebody to look on. */
export const isWatched = (): boolean => standardOutput()?.isTTY === true;

export function verbosity(where: string, value: unknown): Verbosity {
  if (value === 0 || value === 1 || value === 2) return value;
  throw new OptionError({ where, problem: "verbose is unknown", expected: "0, 1 or 2", received: show(value) });
}
