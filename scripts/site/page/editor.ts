/** An editor of TypeScript: errors are underlined, types shown under the pointer, names completed. */
import { autocompletion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { javascript } from "@codemirror/lang-javascript";
import { type Diagnostic, linter } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView, hoverTooltip } from "@codemirror/view";
import { basicSetup } from "codemirror";
import { at } from "./at.js";
import type { Answer, Question } from "./types.js";

/** Asks the worker that knows the types; one for the page, started by the first editor. */
const ask = (() => {
  let worker: Worker | undefined;
  let next = 0;
  const waiting = new Map<number, (answer: Answer) => void>();
  return (question: Question): Promise<Answer> => {
    if (worker === undefined) {
      worker = new Worker(at("types.js"));
      worker.addEventListener("message", ({ data }: MessageEvent<{ id: number; answer: Answer }>) => {
        waiting.get(data.id)?.(data.answer);
        waiting.delete(data.id);
      });
    }
    const id = next++;
    worker.postMessage({ id, question });
    return new Promise((resolve) => waiting.set(id, resolve));
  };
})();

const errors = linter(
  async (view): Promise<Diagnostic[]> => {
    const answer = await ask({ kind: "errors", text: view.state.doc.toString() });
    return answer.kind === "errors" ? answer.errors.map((error) => ({ ...error, severity: "error" as const })) : [];
  },
  { delay: 400 },
);

const hover = hoverTooltip(async (view, at) => {
  const answer = await ask({ kind: "hover", text: view.state.doc.toString(), at });
  if (answer.kind !== "hover" || answer.type === "") return null;
  const { from, to, type, text } = answer;
  return {
    pos: from,
    end: to,
    create: () => {
      const dom = document.createElement("div");
      dom.className = "play-type";
      const code = document.createElement("code");
      code.textContent = type;
      const words = document.createElement("p");
      words.textContent = text;
      dom.append(code, words);
      return { dom };
    },
  };
});

async function complete(context: CompletionContext): Promise<CompletionResult | null> {
  const word = context.matchBefore(/[\w$]*/);
  if (!context.explicit && word?.text === "" && context.matchBefore(/[.{"]\s*/) === null) return null;
  const answer = await ask({ kind: "completions", text: context.state.doc.toString(), at: context.pos });
  if (answer.kind !== "completions") return null;
  return { from: word?.from ?? context.pos, options: [...answer.options], validFor: /^[\w$]*$/ };
}

export interface Editor {
  readonly element: HTMLElement;
  text(): string;
  set(text: string): void;
}

export function edit(text: string): Editor {
  const view = new EditorView({
    state: EditorState.create({
      doc: text,
      extensions: [
        basicSetup,
        javascript({ typescript: true }),
        errors,
        hover,
        autocompletion({ override: [complete] }),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": "The example's code" }),
      ],
    }),
  });
  const element = document.createElement("div");
  element.className = "play-editor";
  element.append(view.dom);
  return {
    element,
    text: () => view.state.doc.toString(),
    set: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
  };
}
