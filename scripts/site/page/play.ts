/** Makes the examples of a page run and change right there. */
import { at } from "./at.js";
import { curves, type Epochs } from "./curves.js";
import { mendNavigation } from "./navigation.js";
import type { Order, Told } from "./runner.js";

mendNavigation();

// The site loads everything anyway.
const PACKAGES: Order["packages"] = {
  torte: at("torte.js"),
  "torte/lean": at("torte.js"),
  "@torte/plot": at("plot.js"),
};

/** The text of a highlighted block. */
function textOf(code: Element): string {
  const copy = code.cloneNode(true) as Element;
  for (const line of copy.querySelectorAll("br")) line.replaceWith("\n");
  return copy.textContent.trimEnd();
}

/** An example that a page can run: TypeScript, whose imports are all there. */
function runs(text: string): boolean {
  const imported = [...text.matchAll(/(?:from|import)\s*\(?\s*["']([^"']+)["']/g)].map((match) => match[1] ?? "");
  return imported.length > 0 && imported.every((name) => name in PACKAGES);
}

const threads = (): string =>
  globalThis.crossOriginIsolated
    ? `up to ${navigator.hardwareConcurrency} threads`
    : "one thread: the page is not cross-origin isolated";

class Example {
  readonly #block: HTMLElement;
  readonly #original: string;
  readonly #output = document.createElement("div");
  readonly #run = button("Run");
  readonly #edit = button("Edit");
  readonly #epochs = new Map<number, { epochs: Epochs[number][]; figure: HTMLElement }>();
  #worker: Worker | undefined;
  #text: () => string;

  constructor(block: HTMLElement, text: string) {
    this.#block = block;
    this.#original = text;
    this.#text = () => this.#original;
    const bar = document.createElement("div");
    bar.className = "play-bar";
    bar.append(this.#run, this.#edit);
    this.#output.className = "play-output";
    this.#output.setAttribute("role", "log");
    this.#output.setAttribute("aria-label", "What the example prints");
    this.#output.tabIndex = 0;
    this.#output.hidden = true;
    block.after(bar, this.#output);
    this.#run.addEventListener("click", () => (this.#worker === undefined ? this.#start() : this.#end("stopped")));
    this.#edit.addEventListener("click", () => void this.#open());
  }

  #start(): void {
    this.#epochs.clear();
    this.#output.hidden = false;
    this.#output.dataset["state"] = "running";
    this.#output.replaceChildren();
    this.#note(`running on ${threads()}`);
    this.#run.textContent = "Stop";
    this.#worker = new Worker(at("runner.js"), { type: "module" });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Told>) => {
      this.#show(data);
    });
    this.#worker.addEventListener("error", ({ message }) => {
      this.#end(message === "" ? "the example could not be started" : message);
    });
    this.#worker.postMessage({ code: this.#text(), packages: PACKAGES } satisfies Order);
  }

  #show(told: Told): void {
    if (told.kind === "text") this.#line(told.text);
    else if (told.kind === "picture") this.#picture(told.svg);
    else if (told.kind === "epoch") this.#epoch(told.run, told.figures);
    else this.#end(told.error);
  }

  #line(text: string): void {
    const line = document.createElement("pre");
    line.className = "play-text";
    line.textContent = text;
    this.#output.append(line);
  }

  #picture(svg: string): HTMLElement {
    const figure = document.createElement("figure");
    figure.innerHTML = svg;
    this.#output.append(figure);
    return figure;
  }

  #epoch(run: number, figures: Epochs[number]): void {
    const known = this.#epochs.get(run) ?? { epochs: [], figure: this.#picture("") };
    this.#epochs.set(run, known);
    known.epochs.push(figures);
    known.figure.className = "play-curves";
    if (known.epochs.length > 1) return;
    // A picture for each frame, however fast the epochs are.
    const draw = (): void => {
      known.figure.innerHTML = curves(known.epochs);
      if (this.#worker !== undefined) requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
  }

  #note(text: string, kind = "note"): void {
    const note = document.createElement("p");
    note.className = `play-${kind}`;
    note.textContent = text;
    this.#output.append(note);
  }

  #end(error?: string): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { epochs, figure } of this.#epochs.values()) figure.innerHTML = curves(epochs);
    this.#run.textContent = "Run";
    if (error !== undefined) this.#note(error, "error");
    this.#output.dataset["state"] = error === undefined ? "done" : "failed";
  }

  async #open(): Promise<void> {
    this.#edit.disabled = true;
    const { edit } = await import("./editor.js");
    const editor = edit(this.#original);
    this.#block.replaceWith(editor.element);
    this.#text = () => editor.text();
    const reset = button("Reset");
    reset.addEventListener("click", () => editor.set(this.#original));
    this.#edit.replaceWith(reset);
  }
}

function button(text: string): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  return made;
}

for (const code of document.querySelectorAll("pre > code.ts, pre > code.typescript")) {
  const text = textOf(code);
  const block = code.parentElement;
  if (block !== null && runs(text)) new Example(block, text);
}
for (const block of document.querySelectorAll<HTMLElement>("pre")) block.tabIndex = 0; // what scrolls can be reached by keys
