/** Which hyperparameters a function asks for, and under which conditions: it is run with each choice in turn. */
import { Random } from "../random.js";
import { contradiction, type Hyper, Recorder, SpaceError } from "./hyper.js";
import { type Assignment, fromUnit, levels, type Parameter, sameParameter, type Value, valueAt } from "./parameter.js";

/** Every value of a hyperparameter with as many is tried; of one with more, so many from end to end. */
const ALL_TRIED = 32;
/** Runs of the function, at most: settings that are not met here are met by the study as it goes on. */
const MOST_RUNS = 2000;
const RANDOM_RUNS = 64;

export interface Found {
  readonly parameters: readonly Parameter[];
  readonly conditional: ReadonlySet<string>;
  /** Defaults and middles. */
  readonly base: Assignment;
  /** Number of combinations, where a continuous hyperparameter has so many values. */
  count(continuous: number): number;
}

/** The default, or the middle of the range, the first of categories. */
export function presentOf(parameter: Parameter): Value {
  if (parameter.default !== undefined) return parameter.default;
  if (parameter.kind === "categorical" || parameter.kind === "boolean") return valueAt(parameter, 0);
  return fromUnit(parameter, 0.5);
}

/** Answers of one setting, and what was asked for so far. */
export type PresentSetting = Hyper & { readonly parameters: ReadonlyMap<string, Parameter> };

/** Answers what a function asks for with a setting, else with defaults, and the middle of the range where there is none. */
export const presentSetting = (setting: Assignment = {}): PresentSetting =>
  new Recorder((parameter) => setting[parameter.name] ?? presentOf(parameter));

/** The values that are tried. */
function choicesOf(parameter: Parameter): readonly Value[] {
  if (parameter.kind === "float") return [];
  const count = levels(parameter);
  const tried = Math.min(count, ALL_TRIED);
  return Array.from({ length: tried }, (_, i) => valueAt(parameter, Math.round((i * (count - 1)) / (tried - 1))));
}

/** A hyperparameter with those that there are only with some of its values. */
interface Branch {
  readonly parameter: Parameter;
  /** For each value that was tried. */
  readonly below: readonly (readonly Branch[])[];
}

/** A run of the function, and what it was run with. */
interface Alternative {
  readonly fixed: Assignment;
  readonly recorder: Recorder;
}

class Explorer {
  readonly parameters = new Map<string, Parameter>();
  /** Names that every run has asked for. */
  #everywhere: ReadonlySet<string> | undefined;
  readonly #define: (h: Hyper) => unknown;
  #runs = 0;

  constructor(define: (h: Hyper) => unknown) {
    this.#define = define;
  }

  get conditional(): ReadonlySet<string> {
    return new Set([...this.parameters.keys()].filter((name) => this.#everywhere?.has(name) !== true));
  }

  run(fixed: Assignment, choose: (parameter: Parameter) => Value = presentOf): Recorder {
    const recorder = new Recorder((parameter) => fixed[parameter.name] ?? choose(parameter));
    try {
      this.#define(recorder);
    } catch (error) {
      // A setting that cannot work counts up to where it fails; where the first one fails, the function is wrong.
      if (this.#runs === 0 || error instanceof SpaceError) throw error;
    }
    this.#runs++;
    for (const [name, parameter] of recorder.parameters) {
      const known = this.parameters.get(name);
      if (known !== undefined && !sameParameter(known, parameter)) throw contradiction(known, parameter);
      if (known === undefined) this.parameters.set(name, parameter);
    }
    const names = new Set(recorder.parameters.keys());
    this.#everywhere = new Set([...(this.#everywhere ?? names)].filter((name) => names.has(name)));
    return recorder;
  }

  /** The hyperparameters of a run that `belongs` accepts, each with those below it. */
  branches({ fixed, recorder }: Alternative, belongs: (name: string) => boolean): readonly Branch[] {
    const own = [...recorder.parameters.values()].filter(({ name }) => belongs(name));
    const tried = own.map((parameter) => {
      const alternatives = this.#alternatives(parameter, fixed);
      return { parameter, alternatives, dependent: dependentOn(parameter, recorder, alternatives) };
    });
    const dependent = new Set(tried.flatMap((one) => [...one.dependent]));
    return tried
      .filter(({ parameter }) => !dependent.has(parameter.name))
      .map(({ parameter, alternatives, dependent: names }) => ({
        parameter,
        below: alternatives.map((alternative) =>
          names.size === 0 ? [] : this.branches(alternative, (name) => names.has(name)),
        ),
      }));
  }

  #alternatives(parameter: Parameter, fixed: Assignment): readonly Alternative[] {
    if (this.#runs >= MOST_RUNS) return [];
    return choicesOf(parameter).map((value) => {
      const inside = { ...fixed, [parameter.name]: value };
      return { fixed: inside, recorder: this.run(inside) };
    });
  }
}

/** What only some values of a hyperparameter come with. */
function dependentOn(parameter: Parameter, base: Recorder, others: readonly Alternative[]): ReadonlySet<string> {
  const runs = [base, ...others.map(({ recorder }) => recorder)].map((recorder) => recorder.parameters);
  const names = new Set(runs.flatMap((run) => [...run.keys()]));
  return new Set([...names].filter((name) => name !== parameter.name && runs.some((run) => !run.has(name))));
}

export function explore(define: (h: Hyper) => unknown): Found {
  const explorer = new Explorer(define);
  const first = explorer.run({});
  const tree = explorer.branches({ fixed: {}, recorder: first }, () => true);
  // What needs two conditions at once, no single choice has shown.
  const random = new Random(0, "explore");
  if ([...explorer.parameters.values()].some(({ kind }) => kind !== "float"))
    for (let i = 0; i < RANDOM_RUNS; i++) explorer.run({}, (parameter) => fromUnit(parameter, random.uniform()));
  return {
    parameters: [...explorer.parameters.values()],
    conditional: explorer.conditional,
    base: { ...first.values },
    count: (continuous) => product(tree, continuous),
  };
}

const product = (branches: readonly Branch[], continuous: number): number =>
  branches.reduce((total, branch) => total * countOf(branch, continuous), 1);

function countOf({ parameter, below }: Branch, continuous: number): number {
  const count = levels(parameter);
  if (!Number.isFinite(count)) return continuous;
  if (below.length === 0) return count;
  const sum = below.reduce((total, branches) => total + product(branches, continuous), 0);
  return Math.round((sum * count) / below.length); // of many values some were tried
}
