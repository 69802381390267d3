/** The API reference and the pages of the documentation, by TypeDoc. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  Application,
  Comment,
  CommentTag,
  Converter,
  DeclarationReflection,
  DocumentReflection,
  JSX,
  KindRouter,
  type ProjectReflection,
  type Reflection,
  ReflectionKind,
  type TypeDocOptions,
} from "typedoc";
import { root } from "../root.js";

interface PageOfSite {
  readonly file: string;
  readonly category: string;
  /** Where it lies in the site. */
  readonly place: string;
  readonly title: string;
}

/** The pages of a folder of `docs`: those that its README links, in that order, before all others. */
function folder(name: string, category: string): PageOfSite[] {
  const home = join(root, "docs", name);
  const files = readdirSync(home).filter((file) => file.endsWith(".md"));
  const start = files.includes("README.md") ? readFileSync(join(home, "README.md"), "utf8") : "";
  const linked = ["README.md", ...[...start.matchAll(/\]\(([\w.-]+\.md)\)/g)].map((match) => match[1] ?? "")];
  return [...new Set([...linked, ...files])]
    .filter((file) => files.includes(file))
    .map((file) => ({
      file: join(home, file),
      category,
      place: `${name === "" ? "pages" : name}/${basename(file, ".md").toLowerCase()}`,
      title: /^# (.*)$/m.exec(readFileSync(join(home, file), "utf8"))?.[1] ?? file,
    }));
}

const pages = (): PageOfSite[] => [
  ...folder("guide", "Guide"),
  ...folder("chapter", "The chapter"),
  ...folder("", "Further pages"),
];

/** Pages lie where their files do, whatever their titles. */
const placeOf = new WeakMap<Reflection, string>();
class PagesRouter extends KindRouter {
  protected override getIdealBaseName(reflection: Reflection): string {
    return placeOf.get(reflection) ?? super.getIdealBaseName(reflection);
  }
}

function namePages(project: ProjectReflection): void {
  const all = pages();
  for (const document of Object.values(project.reflections)) {
    if (!(document instanceof DocumentReflection)) continue;
    const page = all.find(({ file }) => file.replace(/^.*\/docs\//, "docs/").replace(/\.md$/, "") === document.name);
    if (page === undefined) throw new Error(`no page ${document.name}`);
    document.name = page.title;
    placeOf.set(document, page.place);
    document.comment = new Comment([], [new CommentTag("@category", [{ kind: "text", text: page.category }])]);
  }
}

const OPTIONS: TypeDocOptions = {
  name: "Torte",
  basePath: root,
  entryPoints: ["torte", "plot", "data", "tune"]
    .map((name) => `${root}packages/${name}/src/index.ts`)
    .concat(`${root}packages/torte/src/ops/index.ts`),
  tsconfig: `${root}scripts/site/tsconfig.json`,
  skipErrorChecking: true, // `npm run types` has checked them
  excludeInternal: true,
  excludeExternals: true,
  excludePrivate: true,
  readme: `${root}README.md`,
  projectDocuments: pages().map(({ file }) => file),
  router: "pages",
  disableGit: true,
  disableSources: true,
  githubPages: false,
  categorizeByGroup: false,
  categoryOrder: [
    "Guide",
    "The chapter",
    "Further pages",
    "Models",
    "Layers",
    "Losses",
    "Metrics",
    "Optimizers",
    "*",
    "Other",
  ],
  navigation: { includeCategories: true, includeGroups: false, excludeReferences: true },
  searchInDocuments: true,
  searchInComments: true,
  customCss: fileURLToPath(new URL("page/style.css", import.meta.url)),
  highlightLanguages: ["typescript", "javascript", "json", "bash", "text", "html"],
  validation: { notExported: false, invalidLink: true, invalidPath: false, rewrittenLink: false, notDocumented: false },
  treatValidationWarningsAsErrors: true,
};

/** What is exported belongs to the category that its folder stands for. */
const CATEGORIES: readonly (readonly [folder: string, category: string])[] = [
  ["torte/src/nn/layers/", "Layers"],
  ["torte/src/nn/inspect/", "Inspection"],
  ["torte/src/nn/serialize/", "Saving"],
  ["torte/src/nn/", "Own layers"],
  ["torte/src/losses/", "Losses"],
  ["torte/src/metrics/", "Metrics"],
  ["torte/src/optim/", "Optimizers"],
  ["torte/src/train/callbacks", "Callbacks"],
  ["torte/src/train/", "Models"],
  ["torte/src/data/", "Data"],
  ["torte/src/tensor/", "Tensors"],
  ["torte/src/transforms/", "Transforms"],
  ["torte/src/checks/", "Checks"],
  ["torte/src/errors", "Errors"],
  ["torte/src/ops/", "Ops"],
];

const parts: readonly ReflectionKind[] = [ReflectionKind.Module, ReflectionKind.Namespace];

/** What is exported by name: functions, classes, types and values. */
const exported = (project: ProjectReflection): DeclarationReflection[] =>
  Object.values(project.reflections)
    .filter((reflection) => reflection instanceof DeclarationReflection)
    .filter((reflection) => reflection.parent?.kindOf([...parts]) === true && !reflection.kindOf([...parts]));

function categorize(project: ProjectReflection): void {
  for (const reflection of exported(project)) {
    const file = (project.getSymbolIdFromReflection(reflection)?.fileName ?? "").replaceAll("\\", "/");
    const category = CATEGORIES.find(([folder]) => file.includes(`packages/${folder}`))?.[1];
    if (category === undefined) continue;
    const tag = new CommentTag("@category", [{ kind: "text", text: category }]);
    const comment = reflection.comment ?? reflection.signatures?.[0]?.comment;
    if (comment === undefined) reflection.comment = new Comment([], [tag]);
    else comment.blockTags.push(tag);
  }
}

function described({ comment, signatures = [], type }: DeclarationReflection): boolean {
  const nested = type?.type === "reflection" ? (type.declaration.signatures ?? []) : [];
  return [comment, ...[...signatures, ...nested].map((signature) => signature.comment)].some(
    (candidate) => candidate !== undefined && candidate.summary.length > 0,
  );
}

/** Exported names without a sentence; a name that is exported again has its sentence where it comes from. */
function undocumented(project: ProjectReflection): string[] {
  return exported(project)
    .filter((reflection) => !reflection.kindOf(ReflectionKind.Reference) && !described(reflection))
    .map((reflection) => reflection.getFullName())
    .sort();
}

/** Writes the reference and the pages to `out`; gives what is wrong with them, one line each. */
export async function writeReference(out: string): Promise<string[]> {
  const app = await Application.bootstrap(OPTIONS);
  app.renderer.defineRouter("pages", PagesRouter);
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    categorize(project);
    namePages(project);
  });
  app.renderer.hooks.on("body.end", ({ relativeURL }) =>
    JSX.createElement("script", { type: "module", src: relativeURL("play/play.js") }),
  );
  const project = await app.convert();
  if (project === undefined) return ["TypeDoc could not read the sources"];
  const problems = undocumented(project).map((name) => `${name} is exported without a description`);
  app.validate(project);
  await app.generateDocs(project, out);
  if (app.logger.hasErrors() || app.logger.hasWarnings()) problems.push("TypeDoc's messages above");
  return problems;
}
