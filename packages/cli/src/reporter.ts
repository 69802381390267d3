/** What a person sees while a run goes on: a live bar on a terminal, plain lines elsewhere. */
import { SingleBar } from "cli-progress";
import type { Logs, Progress } from "torte";

/** Where lines go; the process's standard output, or a stand-in for it. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Plain progress lines come no more often. */
const PLAIN_EVERY_MS = 2000;

export class Reporter {
  readonly #output: Output & NodeJS.WritableStream;
  readonly #silent: boolean;
  readonly #live: boolean;
  #bar: SingleBar | undefined;
  #barText = "";
  #lastPlain = performance.now();

  /** "silent" prints nothing at all. */
  constructor(output: (Output & NodeJS.WritableStream) | "silent" = process.stdout) {
    this.#silent = output === "silent";
    this.#output = output === "silent" ? process.stdout : output;
    this.#live = !this.#silent && this.#output.isTTY === true;
  }

  line(text = ""): void {
    if (this.#silent) return;
    this.#removeBar();
    this.#output.write(`${text}\n`);
  }

  /**
   * The time that is left is for all epochs; `started` is when the first began, in the clock of performance.now(), and `before`
   * how many were done by then.
   */
  progress(progress: Progress, epochs: number, started: number, before = 0): void {
    // How many there are is not known in the first pass over a stream.
    const { epoch, step, steps = step } = progress;
    const done = epoch * steps + step;
    const pace = (performance.now() - started) / (done - before * steps);
    const left = (pace * (epochs * steps - done)) / 1000;
    const facts = progressFacts(progress, epochs, left);
    this.#update(step, steps, facts, () => `${facts.before}  ${facts.after}`);
  }

  download(received: number, total: number | undefined): void {
    const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
    const after = total === undefined ? mb(received) : `${mb(received)} of ${mb(total)}`;
    this.#update(received, total ?? received, { before: "download", after }, () => `download  ${after}`);
  }

  /** Rows that are done, of a number that is not known. */
  rows(done: number): void {
    const after = `${done} rows`;
    this.#update(done, done, { before: "", after }, () => after);
  }

  /** Takes the bar away, so that the cursor stands at the start of a free line. */
  end(): void {
    this.#removeBar();
  }

  #update(value: number, total: number, { before, after }: BarText, plain: () => string): void {
    if (!this.#live) {
      if (performance.now() - this.#lastPlain < PLAIN_EVERY_MS) return;
      this.#lastPlain = performance.now();
      this.line(plain());
      return;
    }
    const width = Math.min(this.#output.columns ?? 80, 80) - before.length - after.length - 5;
    const filled = Math.max(0, Math.min(width, Math.round((value / Math.max(1, total)) * width)));
    this.#barText =
      width < 4 ? `${before} ${after}` : `${before} [${"=".repeat(filled)}${" ".repeat(width - filled)}] ${after}`;
    if (this.#bar === undefined) {
      this.#bar = new SingleBar({
        stream: this.#output,
        format: () => this.#barText,
        clearOnComplete: true,
        hideCursor: true,
        linewrap: false,
        fps: 20,
        gracefulExit: false,
      });
      this.#bar.start(total, value);
    }
    this.#bar.setTotal(total);
    this.#bar.update(value);
  }

  #removeBar(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

interface BarText {
  readonly before: string;
  readonly after: string;
}

function progressFacts(
  { epoch, step, steps = step, logs, examplesPerSecond }: Progress,
  epochs: number,
  left: number,
): BarText {
  const count = (n: number, of: number): string => `${String(n).padStart(String(of).length)}/${of}`;
  const rate =
    examplesPerSecond >= 1e5 ? `${Math.round(examplesPerSecond / 1000)}k` : String(Math.round(examplesPerSecond));
  return {
    before: `epoch ${count(epoch + 1, epochs)}`,
    after: `step ${count(step, steps)}  loss ${figure(logs["loss"])}  ${rate} examples/s  ${duration(left)} left`,
  };
}

const figure = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(4));

/** "epoch 3/10  loss 0.6712  accuracy 0.5876  val loss 0.6741  val accuracy 0.5730". */
export function epochLine(epoch: number, epochs: number, logs: Logs): string {
  const figures = Object.entries(logs).map(([name, value]) => `${spaced(name)} ${value.toFixed(4)}`);
  return [`epoch ${String(epoch + 1).padStart(String(epochs).length)}/${epochs}`, ...figures].join("  ");
}

/** valAccuracy becomes val accuracy. */
const spaced = (name: string): string =>
  name.replace(/^val([A-Z])/, (_, letter: string) => `val ${letter.toLowerCase()}`);

/** Seconds as 1:05 or 2:00:10. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
