/** What the source says about layers and their options, read from its documentation comments. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface DocumentedLayer {
  readonly name: string;
  /** First paragraph of its comment. */
  readonly summary: string;
  /** By name of the option: what its comment says. */
  readonly options: ReadonlyMap<string, string>;
}

const text = (parts: readonly ts.SymbolDisplayPart[]): string => ts.displayPartsToString([...parts]).trim();

/** All exported functions of nn/layers that give a layer. */
export function documentedLayers(): Map<string, DocumentedLayer> {
  const index = join(root, "packages/torte/src/nn/layers/index.ts");
  const program = ts.createProgram([index], {
    strict: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: [],
  });
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(index);
  const module = file === undefined ? undefined : checker.getSymbolAtLocation(file);
  const layers = new Map<string, DocumentedLayer>();
  for (const exported of module === undefined ? [] : checker.getExportsOfModule(module)) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const { valueDeclaration: declaration } = symbol;
    if (declaration === undefined) continue;
    const [signature] = checker.getTypeOfSymbolAtLocation(symbol, declaration).getCallSignatures();
    if (signature === undefined) continue;
    const [summary = ""] = text(symbol.getDocumentationComment(checker)).split("\n\n");
    const last = signature.parameters.at(-1);
    const type = last === undefined ? undefined : checker.getNonNullableType(checker.getTypeOfSymbol(last));
    const options = (type?.getProperties() ?? []).map((option): [string, string] => [
      option.name,
      text(option.getDocumentationComment(checker)).replaceAll(/\s+/g, " "),
    ]);
    layers.set(exported.name, {
      name: exported.name,
      summary: summary.replaceAll(/\s+/g, " "),
      options: new Map(options),
    });
  }
  return layers;
}
