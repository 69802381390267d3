/** Messages of Protocol Buffers, as far as events need them: fields one after the other, each with its number and wire type. */

const VARINT = 0;
const BITS64 = 1;
const BYTES = 2;
const BITS32 = 5;

/** A field, or several, encoded. */
export type Field = Uint8Array;

/** Base 128, the lowest digits first; of whole numbers from 0 to 2⁵³. */
function base128(value: number): number[] {
  const digits: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) digits.push((rest % 128) | 128);
  return [...digits, rest];
}

const tag = (field: number, wire: number): number[] => base128(field * 8 + wire);

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const varint = (field: number, value: number): Field => Uint8Array.of(...tag(field, VARINT), ...base128(value));

export function double(field: number, value: number): Field {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setFloat64(0, value, true);
  return joined([Uint8Array.from(tag(field, BITS64)), new Uint8Array(bytes.buffer)]);
}

export function float(field: number, value: number): Field {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setFloat32(0, value, true);
  return joined([Uint8Array.from(tag(field, BITS32)), new Uint8Array(bytes.buffer)]);
}

export const bytes = (field: number, value: Uint8Array): Field =>
  joined([Uint8Array.from([...tag(field, BYTES), ...base128(value.length)]), value]);

export const string = (field: number, value: string): Field => bytes(field, new TextEncoder().encode(value));

/** A message within a message. */
export const message = (field: number, ...fields: readonly Field[]): Field => bytes(field, joined(fields));
