/** Runs an example in a worker of its own, so that the page stays awake and a run can be stopped. */
import { transform } from "sucrase";
import { Model } from "torte";
import { inspect } from "./inspect.js";

/** What a run tells the page. */
export type Told =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "picture"; readonly svg: string }
  | { readonly kind: "epoch"; readonly run: number; readonly figures: Readonly<Record<string, number>> }
  | { readonly kind: "end"; readonly error?: string };

export interface Order {
  readonly code: string;
  /** Addresses of the packages that examples import. */
  readonly packages: Readonly<Record<string, string>>;
}

const tell = (told: Told): void => {
  self.postMessage(told);
};

/** Pictures come in the order of what was printed, so each waits for those before. */
let printed: Promise<void> = Promise.resolve();
const print = (...values: readonly unknown[]): void => {
  printed = printed.then(async () => {
    for (const value of values) if (hasSvg(value)) tell({ kind: "picture", svg: await value.toSVG() });
    if (!values.every(hasSvg)) tell({ kind: "text", text: values.map((value) => inspect(value)).join(" ") });
  });
};

const hasSvg = (value: unknown): value is { toSVG(): Promise<string> } =>
  typeof value === "object" && value !== null && "toSVG" in value && typeof value.toSVG === "function";

/** Every fit also tells the page its epochs. */
function watchTraining(): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its model below
  const fit = Model.prototype.fit;
  let runs = 0;
  Model.prototype.fit = function (data, options = {}) {
    const run = ++runs;
    const watch = { onEpochEnd: (_: number, figures: Record<string, number>) => tell({ kind: "epoch", run, figures }) };
    return fit.call(this, data, { ...options, callbacks: [...(options.callbacks ?? []), watch] });
  };
}

/** JavaScript whose imports are addresses. */
function compiled({ code, packages }: Order): string {
  const { code: script } = transform(code, { transforms: ["typescript"], disableESTransforms: true });
  return script.replace(/(\bfrom\s*|\bimport\s*\(?\s*)(["'])(@?[\w/-]+)\2/g, (all, before: string, _, name: string) => {
    const address = packages[name];
    if (address === undefined && !name.startsWith(".")) throw new Error(`"${name}" is not there in a page`);
    return address === undefined ? all : `${before}"${address}"`;
  });
}

async function run(order: Order): Promise<void> {
  Object.assign(console, { log: print, info: print, warn: print, error: print });
  watchTraining();
  const address = URL.createObjectURL(new Blob([compiled(order)], { type: "text/javascript" }));
  await import(/* @vite-ignore */ address);
  await printed;
}

self.addEventListener("message", ({ data }: MessageEvent<Order>) => {
  run(data).then(
    () => tell({ kind: "end" }),
    (error: unknown) => void printed.then(() => tell({ kind: "end", error: error instanceof Error ? error.message : String(error) })), // prettier-ignore
  );
});
