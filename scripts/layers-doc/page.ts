/** docs/layers.md: which layers of Keras there are, and all options of ours. */
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import {
  COMMON_HYPERPARAMETERS,
  type Description,
  HYPERPARAMETERS,
  type LayerName,
  REQUIRED,
  SameAs,
} from "../../packages/torte/src/nn/inspect/hyperparameter-table.js";
import { type Counterpart, COVERAGE } from "./coverage.js";
import { type DocumentedLayer, documentedLayers } from "./source.js";

export const PAGE = fileURLToPath(new URL("../../docs/layers.md", import.meta.url));

const code = (value: string): string => `\`${value}\``;
const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");

/** Layers of several ranks have one entry. */
const family = (name: string): string => name.replace(/[123]d/, "");

const NAMES = Object.keys(HYPERPARAMETERS) as LayerName[];

function families(names: readonly string[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const name of names) groups.set(family(name), [...(groups.get(family(name)) ?? []), name]);
  return [...groups.values()];
}

function counterpart(entry: Counterpart): string {
  if ("why" in entry) return entry.why;
  return entry.ours === "input" ? code("input") : `[${code(entry.ours)}](#${anchor(entry.ours)})`;
}

/** GitHub's anchor of the heading that the layer is under. */
function anchor(name: string): string {
  const heading = families(NAMES).find((group) => group.includes(name)) ?? [name];
  return heading.join("-").toLowerCase();
}

function coverage(): string {
  const parts = COVERAGE.map(({ title, layers }) => {
    // What is left out for one reason stands in one row.
    const reasons = new Map<string, string[]>();
    for (const [name, entry] of Object.entries(layers)) {
      const text = counterpart(entry);
      reasons.set(text, [...(reasons.get(text) ?? []), code(name)]);
    }
    const rows = [...reasons].map(([text, names]) => [names.join(", "), text]);
    return `### ${title}\n\n${table(["Keras", "Torte"], rows)}`;
  });
  const known = new Set(
    COVERAGE.flatMap(({ layers }) => Object.values(layers)).map((entry) => ("ours" in entry ? entry.ours : "")),
  );
  const beyond = NAMES.filter((name) => !known.has(name)).map((name) => `[${code(name)}](#${anchor(name)})`);
  return [...parts, `### Not in Keras\n\n${beyond.join(", ")}.`].join("\n\n");
}

/** What options mean that mean the same everywhere. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/^useBias$/, "Whether a bias is added."],
  [/^activation$/, "Function of the result."],
  [/Initializer$/, "First values of the weight."],
  [/Regularizer$/, "Penalty of the weight, by name or function."],
  [/Constraint$/, "What every update of the weight ends with, by name or function."],
];

/** What the source says of an option, without the default, which has its own column. */
function meaning(name: string, documented: DocumentedLayer | undefined): string {
  const said = (documented?.options.get(name) ?? "").replaceAll(/ ?Default:? [^.]*(\.\d[^.]*)*\./g, "").trim();
  return said === "" ? (MEANINGS.find(([pattern]) => pattern.test(name))?.[1] ?? "") : said;
}

/** The default as one writes it. */
function defaultText({ otherwise, calls }: Description): string {
  if (calls !== undefined) return /^[a-zA-Z]+$/.test(calls) && calls !== "none" ? code(calls) : calls;
  if (otherwise === REQUIRED) return "required";
  if (otherwise === undefined) return "none";
  return code(otherwise instanceof SameAs ? otherwise.option : JSON.stringify(otherwise));
}

function optionsTable(
  descriptions: Readonly<Record<string, Description>>,
  documented: DocumentedLayer | undefined,
): string {
  const rows = Object.entries(descriptions).map(([name, description]) => [
    code(name),
    description.kind,
    defaultText(description),
    meaning(name, documented),
  ]);
  return table(["Option", "Kind", "Default", ""], rows);
}

function options(documented: ReadonlyMap<string, DocumentedLayer>): string {
  return families(NAMES)
    .map((group) => {
      const [first = ""] = group;
      const own: Readonly<Record<string, Description>> = { ...HYPERPARAMETERS[first as LayerName] };
      const about = documented.get(first);
      return [
        `### ${group.join(", ")}`,
        about?.summary ?? "",
        Object.keys(own).length === 0 ? "" : optionsTable(own, about),
      ]
        .filter((part) => part !== "")
        .join("\n\n");
    })
    .join("\n\n");
}

/** The page, formatted as the repository is. */
export async function layersPage(): Promise<string> {
  const documented = documentedLayers();
  const counts = COVERAGE.flatMap(({ layers }) => Object.values(layers));
  const covered = counts.filter((entry) => "ours" in entry).length;
  const common = optionsTable(COMMON_HYPERPARAMETERS, documented.get("dense"));
  const text = [
    "# Layers",
    "<!-- Generated by `npm run docs:layers` from the source. Change the source, not this file. -->",
    `Names and options are those of Keras 3 in camelCase, channels last. ${covered} of its ${counts.length} public layers have a
     counterpart. What [\`model.explain()\`, \`model.hyperparameters()\` and the checks](checks.md) tell is known of every layer here.`,
    "## Keras's layers and ours",
    coverage(),
    "## Options",
    `Besides their own options, all layers take \`name\` and:\n\n${common}`,
    `Regularizers, constraints, initializers and activations are given by name or as functions (\`l2(0.001)\`, \`maxNorm()\`,
     \`initializers.uniform()\`, \`activations.gelu({ approximate: true })\`). What is said of one rank holds for the others.`,
    options(documented),
  ].join("\n\n");
  return format(text.replaceAll(/\n +/g, " "), { ...(await resolveConfig(PAGE)), parser: "markdown" });
}
