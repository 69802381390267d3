/** Fuzzes the readers of files: `npm run fuzz -- [CASES] [FIRST SEED]`, each case a file changed at random. Exit status 1 at a fault. */
import { fuzzBytes, fuzzModels, fuzzTraining, READERS, seedsOf } from "../packages/torte/src/testing/fuzz.js";
import { modelFiles, NPY, SAFETENSORS, trainedFiles, ZIP } from "../packages/torte/src/testing/fuzz-files.js";

const [cases = 20_000, first = 0] = process.argv.slice(2).map(Number);
const FILES = { safetensors: SAFETENSORS, npy: NPY, npz: ZIP, zip: ZIP } as const;
const names = Object.keys(FILES) as (keyof typeof FILES)[];

const seeds = (files: number): Generator<number> => seedsOf(first, first + Math.ceil(cases / files));
const tell = (name: string, report: { cases: number; refused: number; slowest: number }): void => {
  const { refused, slowest } = report;
  console.log(`${name}: ${report.cases} cases, ${refused} refused, slowest ${slowest.toFixed(0)} ms`);
};

for (const name of names)
  tell(name, await fuzzBytes(name, { read: READERS[name], files: FILES[name] }, seeds(FILES[name].length)));
const models = await modelFiles();
tell("models", await fuzzModels(models, seeds(models.length)));
const trained = await trainedFiles();
tell("trained models", await fuzzTraining(trained, seeds(trained.length)));
