/**
 * Receptive fields: which input positions an element of a value depends on, followed from layer to layer, for each axis of
 * positions of the input. Beside it, how long a masked sequence must be to have a valid position left.
 */
import { marginOf, type Padding } from "../windows.js";
import { sizeAt } from "../../tensor/shape.js";

/** What one element sees along one axis of the input. */
export interface Field {
  /** "length", "height", … of the input. */
  readonly name: string;
  /** Number of positions of the input. */
  readonly total: number;
  /** Number of neighbouring input positions that one element depends on. */
  readonly size: number;
  /** Input positions between neighbouring elements: the product of all strides so far. */
  readonly step: number;
  /** First input position that element 0 sees; negative in the padding. */
  readonly start: number;
  /** The axis of the value along which the field moves; undefined where every element sees the same. */
  readonly axis: number | undefined;
  /** Each position sees what all of them see. */
  readonly everywhere?: true;
}

/** What is known about a value. */
export interface Track {
  /** Names of its axes without the batch: "length", "channels". */
  readonly roles: readonly string[];
  readonly fields: readonly Field[];
  /** For a masked sequence: how many valid input positions it takes to have `count` valid ones here. */
  readonly needs: ((count: number) => number) | undefined;
}

const POSITIONS = [[], ["length"], ["height", "width"], ["depth", "height", "width"]] as const;

/** Names of the axes of an example: channels last, unless all axes are positions, as those of tokens. */
export function rolesFor(rank: number, tokens = false): readonly string[] {
  if (tokens) return POSITIONS[rank] ?? Array.from({ length: rank }, (_, i) => `axis ${i + 1}`);
  if (rank === 1) return ["features"];
  const positions = POSITIONS[rank - 1] ?? Array.from({ length: rank - 1 }, (_, i) => `axis ${i + 1}`);
  return [...positions, "channels"];
}

/** An input of a network: each position sees itself. */
export function inputTrack(shape: readonly number[], tokens: boolean): Track {
  const roles = rolesFor(shape.length - 1, tokens);
  const positions = tokens ? roles : roles.slice(0, -1);
  return {
    roles,
    fields: positions.map((name, i) => ({
      name,
      total: sizeAt(shape, i + 1),
      size: 1,
      step: 1,
      start: 0,
      axis: i + 1,
    })),
    needs: undefined,
  };
}

type Change = (track: Track) => Track;

const onAxis =
  (axis: number, change: (field: Field) => Field): Change =>
  (track) => ({ ...track, fields: track.fields.map((field) => (field.axis === axis ? change(field) : field)) });

/** Only the first axis has masks; `before` says how many valid positions of the input it takes for some of the result. */
const onNeeds =
  (axis: number, before: (count: number) => number): Change =>
  (track) => {
    const { needs } = track;
    return axis === 1 && needs !== undefined ? { ...track, needs: (count) => needs(before(count)) } : track;
  };

export interface AxisWindow {
  readonly length: number;
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: Padding;
}

/** Windows along one axis: of a convolution or pooling. */
export function windowed(axis: number, { length, size, stride, dilation, padding }: AxisWindow): Change {
  const reach = (size - 1) * dilation;
  const [before] = marginOf(length, size, stride, dilation, padding);
  const seen = onAxis(axis, (field) => ({
    ...field,
    size: field.size + reach * field.step,
    start: field.start - before * field.step,
    step: field.step * stride,
  }));
  const needed = onNeeds(axis, (count) => (count - 1) * stride + 1 + (padding === "valid" ? reach : 0));
  return (track) => needed(seen(track));
}

export interface TransposedWindow {
  readonly reach: number;
  readonly stride: number;
  /** Positions cut from the beginning. */
  readonly before: number;
  /** Positions of the result beyond stride times those of the input. */
  readonly added: number;
}

/** Windows of the result, as of a transposed convolution. */
export function transposedWindow(axis: number, { reach, stride, before, added }: TransposedWindow): Change {
  const sources = Math.ceil(reach / stride);
  const seen = onAxis(axis, (field) => ({
    ...field,
    size: field.size + (sources - 1) * field.step,
    start: field.start - (Math.ceil((reach - before) / stride) - 1) * field.step,
    step: field.step / stride,
  }));
  const needed = onNeeds(axis, (count) => Math.max(1, Math.ceil((count - added) / stride)));
  return (track) => needed(seen(track));
}

/** Every position `times` times; interpolation sees the neighbour, too. */
export function repeated(axis: number, times: number, neighbours: boolean): Change {
  const seen = onAxis(axis, (field) => ({
    ...field,
    size: field.size + (neighbours ? 2 * field.step : 0),
    start: field.start - (neighbours ? field.step : 0),
    step: field.step / times,
  }));
  const needed = onNeeds(axis, (count) => Math.ceil(count / times));
  return (track) => needed(seen(track));
}

/** Positions added (or, if negative, cut away) before and after. */
export function margins(axis: number, before: number, after: number): Change {
  const seen = onAxis(axis, (field) => ({ ...field, start: field.start - before * field.step }));
  const needed = onNeeds(axis, (count) => Math.max(1, count - before - after));
  return (track) => needed(seen(track));
}

/** All that `length` positions of a field see together. */
function covered(field: Field, length: number): { size: number; start: number } {
  const start = Math.max(0, field.start);
  const end = Math.min(field.total, Math.floor(field.start + (length - 1) * field.step) + field.size);
  return { start, size: Math.max(1, end - start) };
}

/** Each position sees what all positions along the axis see: a norm over the sequence. */
export const joined = (axis: number, length: number): Change =>
  onAxis(axis, (field) => ({ ...field, ...covered(field, length), everywhere: true }));

/** The axis disappears; what is left sees all of it. */
export const collapsed = (axis: number, length: number): Change =>
  onAxis(axis, (field) => ({ ...field, ...covered(field, length), axis: undefined }));

/** Where each axis goes: `to(axis)` is its new place, undefined where it is gone. */
export const moved =
  (to: (axis: number) => number | undefined): Change =>
  (track) => ({
    ...track,
    fields: track.fields.map((field) => ({
      ...field,
      axis: field.axis === undefined ? undefined : to(field.axis),
    })),
  });

/** What a merge of several values sees. */
export function union(tracks: readonly Track[]): Track {
  const [first, ...others] = tracks;
  if (first === undefined) return { roles: [], fields: [], needs: undefined };
  return others.reduce((a, b) => {
    const fields = a.fields.map((field) => {
      const other = b.fields.find(({ name, axis }) => name === field.name && axis === field.axis);
      if (other === undefined) return field;
      const start = Math.min(field.start, other.start);
      const end = Math.max(field.start + field.size, other.start + other.size);
      return { ...field, start, size: end - start, step: Math.max(field.step, other.step) };
    });
    const extra = b.fields.filter(({ name }) => !a.fields.some((field) => field.name === name));
    const [one, other] = [a.needs, b.needs];
    const needs = one === undefined || other === undefined ? (one ?? other) : (n: number) => Math.max(one(n), other(n));
    return { roles: a.roles, fields: [...fields, ...extra], needs };
  }, first);
}
