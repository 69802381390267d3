/** Data in the engine's memory: uploaded once, visited in any order without JavaScript in between. */
import type { Session, Write } from "../backends/backend.js";
import type { Columns } from "../data/dataset.js";
import { State } from "../graph/node.js";
import type { DType } from "../tensor/dtype.js";
import { fingerprint } from "../tensor/fingerprint.js";
import { isHostObject } from "../tensor/realm.js";
import { sizeOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { turnIfDue } from "../turns.js";
import { type Column, columnFor, holds, writeOf } from "./column.js";

/** Columns of rows, the order to visit them in, and the place in that order where the next step begins. */
export interface Resident {
  readonly x: readonly Column[];
  readonly y: readonly Column[];
  /** Weights of the targets. */
  readonly w: readonly Column[];
  readonly order: State;
  readonly cursor: State;
  /** Where a program writes down the first index that is no row of its table. */
  readonly flag: State;
}

export const statesOf = ({ x, y, w, order, cursor, flag }: Resident): State[] => [
  ...[...x, ...y, ...w].map(({ state }) => state),
  order,
  cursor,
  flag,
];

/** What new contents must be, and what for: where either has changed, all contents are looked at again. */
export interface Check {
  readonly purpose: object;
  /** Looks at rows, the first of which has the number `firstRow`. */
  readonly run: (columns: Columns, firstRow: number) => void;
  /** A request that takes data as they are when it comes to them: tensors that it has shown before are not looked at again. */
  readonly request?: object | undefined;
}

interface Known {
  /** Fingerprints of what has been uploaded last, piece by piece. */
  readonly contents: string[];
  /** What all of that has been looked at for. */
  purpose?: object | undefined;
  /** By which request, and the tensors that it has shown. */
  request?: object | undefined;
  tensors?: readonly Tensor[];
  readonly data: Resident;
}

/** The data of one model, by what it is for. Programs are compiled over its states: these stay for as long as the data fits. */
export class ResidentData {
  readonly #session: Session;
  readonly #inputs: readonly DType[];
  readonly #forgotten: (data: Resident) => void;
  readonly #known = new Map<string, Known>();
  #next = 0;

  /** `inputs` are the dtypes that the model takes; `forgotten` is told of data whose states are gone. */
  constructor(session: Session, inputs: readonly DType[], forgotten: (data: Resident) => void) {
    this.#session = session;
    this.#inputs = inputs;
    this.#forgotten = forgotten;
  }

  /**
   * The columns in the engine, the order to visit their rows in, and the cursor at 0. Contents that are not the ones in the
   * engine are looked at and uploaded, piece by piece: others have their turn between two pieces, never while one is looked at
   * and uploaded, in which it could change.
   */
  async load(name: string, given: Columns, order: Int32Array, check: Check): Promise<Resident> {
    const known = this.#fitting(name, given, rowsOf(given)) ?? (await this.#allocate(name, given));
    const { data } = known;
    const arriving = hasShown(known, given, check) ? undefined : await this.#look(name, known, given, check);
    await Promise.all([arriving?.last, this.#write(name, [orderOf(data, order), ...start(data)])]);
    return data;
  }

  /** Looks at the contents and uploads what is new; the last piece may still be on its way. */
  async #look(name: string, known: Known, given: Columns, check: Check): Promise<{ readonly last: Promise<void> }> {
    const { purpose, request } = check;
    const trusted = purpose === known.purpose;
    Object.assign(known, { purpose: trusted ? purpose : undefined, request: undefined });
    let last = Promise.resolve();
    let i = 0;
    for (const { from, columns } of piecesOf(given)) {
      await last;
      await turnIfDue();
      const piece = settled(columns);
      const contents = tensorsOf(piece).map(fingerprint).join("; ");
      const same = contents === known.contents[i];
      if (!same || !trusted) check.run(piece, from);
      known.contents[i++] = contents;
      if (!same) last = this.#write(name, contentsOf(known.data, piece, from));
    }
    Object.assign(known, { purpose, request, tensors: tensorsOf(given) });
    return { last };
  }

  /** Room for `capacity` rows like these, visited as they lie; `arrival` is what has to be written with each run. */
  async room(name: string, columns: Columns, capacity: number): Promise<Resident> {
    const known = this.#fitting(name, columns, capacity);
    if (known !== undefined) return known.data;
    const { data } = await this.#allocate(name, columns, capacity);
    const rows = Int32Array.from({ length: capacity }, (_, i) => i);
    await this.#write(name, [orderOf(data, rows)]);
    return data;
  }

  get states(): State[] {
    return [...this.#known.values()].flatMap(({ data }) => statesOf(data));
  }

  /** What is not known to have arrived is not there. */
  async #write(name: string, writes: readonly Write[]): Promise<void> {
    const known = this.#known.get(name);
    try {
      await this.#session.writeAll(writes);
    } catch (error) {
      if (known !== undefined && this.#known.get(name) === known) {
        this.#known.delete(name);
        this.#forgotten(known.data);
        await this.#session.release(statesOf(known.data)).catch(() => undefined);
      }
      throw error;
    }
  }

  #fitting(name: string, columns: Columns, capacity: number): Known | undefined {
    const known = this.#known.get(name);
    return known !== undefined && this.#holds(known.data, columns, capacity) ? known : undefined;
  }

  #states(name: string, { x, y, sampleWeight = [] }: Columns, capacity: number): Resident {
    return {
      x: x.map((t, i) => columnFor(`${name}.x${i}`, t, capacity, this.#inputs[i])),
      y: y.map((t, i) => columnFor(`${name}.y${i}`, t, capacity)),
      w: sampleWeight.map((t, i) => columnFor(`${name}.w${i}`, t, capacity)),
      order: new State(`${name}.order`, [capacity], "int32"),
      cursor: new State(`${name}.cursor`, [], "int32"),
      flag: new State(`${name}.flag`, [4], "int32"),
    };
  }

  #holds(data: Resident, { x, y, sampleWeight = [] }: Columns, capacity: number): boolean {
    const fit = (columns: readonly Column[], tensors: readonly Tensor[], dtypes: readonly DType[] = []): boolean =>
      columns.length === tensors.length &&
      tensors.every((tensor, i) => {
        const column = columns[i];
        return column !== undefined && holds(column, tensor, capacity, dtypes[i]);
      });
    return fit(data.x, x, this.#inputs) && fit(data.y, y) && fit(data.w, sampleWeight);
  }

  async #allocate(name: string, columns: Columns, capacity = rowsOf(columns)): Promise<Known> {
    const before = this.#known.get(name);
    if (before !== undefined) {
      this.#known.delete(name);
      this.#forgotten(before.data);
      await this.#session.release(statesOf(before.data));
    }
    const data = this.#states(`${name}${this.#next++}`, columns, capacity);
    await this.#session.allocate(statesOf(data));
    const known = { data, contents: [] };
    this.#known.set(name, known);
    return known;
  }
}

/** New rows, to be visited from the first one on. */
export const arrival = (data: Resident, columns: Columns): Write[] => arrivals(data, [columns]);

/** The same, of batches one after the other; with `stays` they are left as they are until they are written. */
export function arrivals(data: Resident, batches: readonly Columns[], stays = false): Write[] {
  let row = 0;
  const contents = batches.map((columns) => {
    const writes = contentsOf(data, columns, row);
    row += rowsOf(columns);
    return stays ? writes.map((write) => ({ ...write, stays })) : writes;
  });
  return [...contents.flat(), ...start(data)];
}

function hasShown({ request, purpose, tensors = [] }: Known, given: Columns, check: Check): boolean {
  if (request === undefined || request !== check.request || purpose !== check.purpose) return false;
  const shown = tensorsOf(given);
  return shown.length === tensors.length && shown.every((tensor, i) => tensor === tensors[i]);
}

const tensorsOf = ({ x, y, sampleWeight = [] }: Columns): Tensor[] => [...x, ...y, ...sampleWeight];

/** The rows from `firstRow` on. */
function contentsOf(data: Resident, columns: Columns, firstRow = 0): Write[] {
  const tensors = tensorsOf(columns);
  return [...data.x, ...data.y, ...data.w].flatMap((column, i) => {
    const value = tensors[i];
    return value === undefined ? [] : [writeOf(column, value, firstRow)];
  });
}

/** Numbers of a piece: they are looked at and copied within a millisecond or two. */
const PIECE = 1 << 16;

/** The rows, a few at a time, as they lie; `from` is the number of the first. */
export function* piecesOf(given: Columns): Generator<{ readonly from: number; readonly columns: Columns }, void> {
  const rows = rowsOf(given);
  const each = tensorsOf(given).reduce((sum, { shape }) => sum + sizeOf(shape.slice(1)), 0);
  const size = Math.max(1, Math.floor(PIECE / Math.max(1, each)));
  const { x, y, sampleWeight } = given;
  for (let from = 0; from < rows; from += size) {
    const part = (tensors: readonly Tensor[]): Tensor[] =>
      tensors.map((tensor) => tensor.rows(from, Math.min(rows, from + size)));
    const weights = sampleWeight === undefined ? {} : { sampleWeight: part(sampleWeight) };
    yield { from, columns: { x: part(x), y: part(y), ...weights } };
  }
}

const orderOf = ({ order }: Resident, rows: Int32Array): Write => ({
  state: order,
  value: new Tensor(rows, [rows.length], "int32"),
});

const start = ({ cursor, flag }: Resident): Write[] => [
  { state: cursor, value: new Tensor(new Int32Array(1), [], "int32") },
  { state: flag, value: new Tensor(new Int32Array(4), [4], "int32") },
];

const rowsOf = ({ x }: Columns): number => x[0]?.shape[0] ?? 0;

/** Memory that other threads may write is copied, so that what is looked at is what is uploaded. */
export function settled({ x, y, sampleWeight }: Columns): Columns {
  const copied = (tensor: Tensor): Tensor => {
    const shared = isHostObject(tensor.data.buffer, "SharedArrayBuffer");
    return shared ? new Tensor(tensor.data.slice(), tensor.shape, tensor.dtype) : tensor;
  };
  const weights = sampleWeight === undefined ? {} : { sampleWeight: sampleWeight.map(copied) };
  return { x: x.map(copied), y: y.map(copied), ...weights };
}
