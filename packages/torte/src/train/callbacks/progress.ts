/** What a person sees while a model trains. */
import { checkOptions, OptionError, show } from "../../errors.js";
import { type Output, standardOutput } from "../../host.js";
import type { Callback, Logs, Progress } from "../callbacks.js";
import { type Verbosity, verbosity } from "./verbosity.js";

/** Options of {@link progress}. */
export interface ProgressOptions {
  /** 0 says nothing, 1 draws a bar on a terminal and writes lines elsewhere, 2 writes a line for each epoch. Default 1. */
  readonly verbose?: Verbosity;
  /** Where it goes. Default: the standard output; in a page, the console. */
  readonly output?: Output;
}

const BAR = 20;

/** Lines of the console, for pages. */
const inConsole: Output = {
  write: (text) => {
    console.log(text.trimEnd());
  },
};

/**
 * Tells how training goes on: "Epoch 1/10", then steps, time and figures. `fit` has one by itself where the output is a terminal.
 *
 * @throws OptionError for options of the wrong type.
 * @example
 * import { dense, input, progress, sequential, tensor } from "torte";
 * const model = sequential(input({ shape: [1] }), dense({ units: 1, kernelInitializer: "zeros" }));
 * model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
 * const lines: string[] = [];
 * const told = progress({ verbose: 2, output: { write: (text) => lines.push(text) } });
 * await model.fit({ x: tensor([[1], [2]]), y: tensor([[2], [4]]) }, { callbacks: [told] });
 * console.log(lines.join("").replace(/\d+[mu]?s/g, "#").trim().split("\n")); // [ 'Epoch 1/1', '1/1 - # - #/step - loss: 10.0000' ]
 */
export function progress(options: ProgressOptions = {}): Callback {
  const where = "progress";
  checkOptions(where, options, ["verbose", "output"]);
  const verbose = verbosity(where, options.verbose ?? 1);
  if (verbose === 0) return {};
  const output = options.output ?? standardOutput() ?? inConsole;
  if (typeof output.write !== "function")
    throw new OptionError({ where, problem: "output has no write", expected: "a stream", received: show(output) });
  const live = verbose === 1 && output.isTTY === true;
  let started = 0;
  let last: Progress | undefined;
  let open = false;
  let announced = -1;
  /** An epoch that is resumed does not begin again. */
  const announce = (epoch: number, epochs: number): void => {
    if (announced === epoch) return;
    [announced, started, last] = [epoch, performance.now(), undefined];
    output.write(`Epoch ${epoch + 1}/${epochs}\n`);
  };
  const over = (text: string): void => {
    const width = output.columns ?? 80;
    output.write(`\r\u001b[K${text.length < width ? text : `${text.slice(0, width - 4)}...`}`);
    open = true;
  };
  const close = (): void => {
    if (open) output.write("\n");
    open = false;
  };
  return {
    onTrainBegin: () => {
      announced = -1;
    },
    onEpochBegin: (epoch, { epochs }) => {
      announce(epoch, epochs);
    },
    onProgress: (now, { epochs }) => {
      announce(now.epoch, epochs);
      last = now;
      if (live) over(during(now, performance.now() - started));
    },
    onEpochEnd: (_, logs) => {
      const line = last === undefined ? figures(logs) : after(last, logs, performance.now() - started);
      if (!live) output.write(`${line}\n`);
      else {
        // The figures of an epoch are read to the end, however narrow the terminal is.
        output.write(`\r\u001b[K${line}\n`);
        open = false;
      }
    },
    onTrainEnd: close,
  };
}

function during({ step, steps, logs }: Progress, ms: number): string {
  if (steps === undefined) return `${counted(step, steps)} ${perStep(ms, step)} - ${figures(logs)}`;
  const filled = Math.round((BAR * step) / steps);
  const left = (ms / step) * (steps - step);
  return `${counted(step, steps)} ${"━".repeat(filled)}${"─".repeat(BAR - filled)} ${duration(left)} ${perStep(ms, step)} - ${figures(logs)}`;
}

const after = ({ step, steps = step }: Progress, logs: Logs, ms: number): string =>
  `${counted(step, steps)} - ${duration(ms)} - ${perStep(ms, step)} - ${figures(logs)}`;

const counted = (step: number, steps: number | undefined): string =>
  steps === undefined ? `${step}/?` : `${String(step).padStart(String(steps).length)}/${steps}`;

const figures = (logs: Logs): string =>
  Object.entries(logs)
    .map(([name, value]) => `${name}: ${short(value)}`)
    .join(" - ");

/** 0.3142, and 1.0000e-05 where that would be 0. */
const short = (value: number): string =>
  value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(4) : value.toFixed(4);

const perStep = (ms: number, steps: number): string => {
  const each = ms / steps;
  return `${each >= 1000 ? `${Math.round(each / 1000)}s` : each >= 1 ? `${Math.round(each)}ms` : `${Math.round(1000 * each)}us`}/step`;
};

/** 2s, 1:05 or 2:00:10. */
function duration(ms: number): string {
  const whole = Math.round(ms / 1000);
  const two = (n: number): string => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours > 0) return `${hours}:${two(minutes)}:${two(whole % 60)}`;
  return minutes > 0 ? `${minutes}:${two(whole % 60)}` : `${whole}s`;
}
