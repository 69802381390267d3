/** Files of events for TensorBoard, in Node. */
import { checkOptions, OptionError, show, wholeNumber } from "../../errors.js";
import { append, needFiles } from "../../data/write.js";
import { builtin } from "../../builtin.js";
import type { Tensor } from "../../tensor/tensor.js";
import { buckets, firstEvent, histogram, record, startEvent, scalar, type Shown, text, valueEvent } from "./events.js";
import { joined } from "./protobuf.js";

/** Options of {@link EventWriter}. */
export interface EventWriterOptions {
  /** Values of this step and later that are in the folder already are void: the run goes on from a checkpoint. Default none. */
  readonly restartAt?: number;
}

let files = 0;

/**
 * Writes values to a folder that TensorBoard shows: `tensorboard --logdir FOLDER`. Each writer has a file of its own and only
 * adds to it; what is written is in memory until `flush`.
 *
 * @throws OptionError for a folder that is no path, and outside of Node; DataError, from `flush`, where the file cannot be written.
 * @example
 * import { EventWriter } from "torte";
 * const writer = new EventWriter("runs/first");
 * writer.scalar("loss", 0.5, 0);
 * writer.text("note", "dropout **0.3**", 0);
 * console.log(writer.path.includes("tfevents")); // true
 */
export class EventWriter {
  readonly path: string;
  #waiting: Uint8Array[] = [];

  constructor(folder: string, options: EventWriterOptions = {}) {
    const where = "EventWriter";
    needFiles(where);
    checkOptions(where, options, ["restartAt"]);
    if (typeof folder !== "string" || folder === "")
      throw new OptionError({ where, problem: "folder is missing", expected: "a path", received: show(folder) });
    const now = Date.now();
    const host = builtin("node:os").hostname();
    const seconds = String(Math.floor(now / 1000)).padStart(10, "0");
    // Files are read in the order of their names.
    const number = String(files++).padStart(6, "0");
    this.path = `${folder.replace(/[/\\]+$/, "")}/events.out.tfevents.${seconds}.${String(now % 1000).padStart(3, "0")}.${host}.${number}.torte`;
    this.#add(firstEvent(now / 1000));
    // TensorBoard takes the first start as the beginning, and later ones as what makes steps from there on void.
    this.#add(startEvent(now / 1000, wholeNumber(where, "restartAt", options.restartAt ?? 0)));
  }

  /** A number at a step. */
  scalar(tag: string, value: number, step: number): void {
    this.#value(tag, scalar(value), step);
  }

  /** How values are spread, in 30 intervals from the least to the largest; what is not finite is left out. */
  histogram(tag: string, values: Tensor | ArrayLike<number>, step: number): void {
    this.#value(tag, histogram(buckets("data" in values ? values.data : values)), step);
  }

  /** A text, which is shown as Markdown. */
  text(tag: string, value: string, step: number): void {
    this.#value(tag, text(value), step);
  }

  /** Brings all that waits to the file. */
  async flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length > 0) await append(this.path, joined(waiting));
  }

  #value(tag: string, shown: Shown, step: number): void {
    wholeNumber("EventWriter", "step", step);
    this.#add(valueEvent(Date.now() / 1000, step, tag, shown));
  }

  #add(event: Uint8Array): void {
    this.#waiting.push(record(event));
  }
}
