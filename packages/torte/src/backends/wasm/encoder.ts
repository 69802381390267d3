/** The WebAssembly binary format, as far as Torte needs it: one imported memory, functions of numbers and vectors. */

import type { Buffer } from "../../compile/loops/expr.js";

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const V128 = 0x7b;
export type ValueType = typeof I32 | typeof I64 | typeof F32 | typeof V128;

/** Instructions without immediates. */
export const OP = {
  else: 0x05,
  unreachable: 0x00,
  end: 0x0b,
  return: 0x0f,
  i32Eqz: 0x45,
  i32Eq: 0x46,
  i32Ne: 0x47,
  i32LtS: 0x48,
  i32LtU: 0x49,
  i32GtS: 0x4a,
  i32GeS: 0x4e,
  i32Add: 0x6a,
  i32Shl: 0x74,
  i32Sub: 0x6b,
  i32Mul: 0x6c,
  i32DivS: 0x6d,
  i32DivU: 0x6e,
  i32RemS: 0x6f,
  i32And: 0x71,
  i32Or: 0x72,
  i32Xor: 0x73,
  i32ShrS: 0x75,
  i32ShrU: 0x76,
  i64Add: 0x7c,
  i64Sub: 0x7d,
  i64Mul: 0x7e,
  i64Or: 0x84,
  i64Shl: 0x86,
  i64ShrS: 0x87,
  i64ShrU: 0x88,
  f64Mul: 0xa2,
  i32WrapI64: 0xa7,
  i64ExtendI32S: 0xac,
  i64ExtendI32U: 0xad,
  f32DemoteF64: 0xb6,
  f64ConvertI64S: 0xb9,
  drop: 0x1a,
} as const;

/** SIMD instructions (prefix 0xfd) without immediates. */
export const SIMD = {
  i32x4Splat: 0x11,
  f32x4Splat: 0x13,
  i32x4ReplaceLane: 0x1c,
  f32x4ReplaceLane: 0x20,
  i32x4Eq: 0x37,
  i32x4LtS: 0x39,
  i32x4GtS: 0x3b,
  i32x4LeS: 0x3d,
  f32x4Eq: 0x41,
  f32x4Ne: 0x42,
  f32x4Lt: 0x43,
  f32x4Gt: 0x44,
  f32x4Le: 0x45,
  not: 0x4d,
  andNot: 0x4f,
  and: 0x4e,
  or: 0x50,
  xor: 0x51,
  bitselect: 0x52,
  anyTrue: 0x53,
  f32x4Floor: 0x68,
  f32x4Nearest: 0x6a,
  i32x4Abs: 0xa0,
  i32x4Neg: 0xa1,
  i32x4Shl: 0xab,
  i32x4ShrS: 0xac,
  i32x4ShrU: 0xad,
  i32x4Add: 0xae,
  i32x4Sub: 0xb1,
  i32x4Mul: 0xb5,
  i32x4MinS: 0xb6,
  i32x4MaxS: 0xb8,
  f32x4Abs: 0xe0,
  f32x4Neg: 0xe1,
  f32x4Sqrt: 0xe3,
  f32x4Add: 0xe4,
  f32x4Sub: 0xe5,
  f32x4Mul: 0xe6,
  f32x4Div: 0xe7,
  f32x4Min: 0xe8,
  f32x4Max: 0xe9,
  f32x4PMin: 0xea,
  f32x4PMax: 0xeb,
  i32x4TruncSatF32x4S: 0xf8,
  f32x4ConvertI32x4S: 0xfa,
  f32x4ConvertI32x4U: 0xfb,
  f32x4RelaxedMadd: 0x105,
} as const;

/** A SIMD instruction on memory, with the alignment that is announced. */
interface MemoryAccess {
  readonly code: number;
  readonly align: number;
}

export const MEMORY = {
  load: { code: 0x00, align: 4 },
  load32Splat: { code: 0x09, align: 2 },
  store: { code: 0x0b, align: 4 },
  load32Zero: { code: 0x5c, align: 2 },
  load64Zero: { code: 0x5d, align: 3 },
} as const;
export const LANE_MEMORY = {
  load32Lane: { code: 0x56, align: 2 },
  store32Lane: { code: 0x5a, align: 2 },
  store64Lane: { code: 0x5b, align: 3 },
} as const;

export const ATOMIC = { notify: 0x00, wait32: 0x01, load: 0x10, store: 0x17, add: 0x1e } as const;

/** A growing sequence of bytes. */
export class Bytes {
  #data: Uint8Array;
  length = 0;

  /** As many can be written before the memory has to grow. */
  constructor(capacity = 64) {
    this.#data = new Uint8Array(capacity);
  }

  byte(value: number): this {
    if (this.length === this.#data.length) this.#grow(1);
    this.#data[this.length++] = value;
    return this;
  }

  /** A byte, as of an instruction, and a number that belongs to it. */
  pair(code: number, value: number): this {
    if (value >= 0x80 || this.length + 2 > this.#data.length) return this.byte(code).unsigned(value);
    const data = this.#data;
    data[this.length++] = code;
    data[this.length++] = value;
    return this;
  }

  unsigned(value: number): this {
    if (value < 0x80) return this.byte(value);
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return this.byte(rest);
  }

  signed(value: number): this {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  /** A signed number of up to 64 bits. */
  signedLong(value: bigint): this {
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) return this.byte(low);
      this.byte(low | 0x80);
    }
  }

  /** A 32-bit word, its lowest byte first, so many times. */
  word(value: number, times = 1): this {
    if (this.length + 4 * times > this.#data.length) this.#grow(4 * times);
    const data = this.#data;
    for (let i = 0; i < times; i++) {
      data[this.length++] = value;
      data[this.length++] = value >> 8;
      data[this.length++] = value >> 16;
      data[this.length++] = value >> 24;
    }
    return this;
  }

  bytes(data: Uint8Array): this {
    if (this.length + data.length > this.#data.length) this.#grow(data.length);
    this.#data.set(data, this.length);
    this.length += data.length;
    return this;
  }

  append(other: Bytes): this {
    return this.bytes(other.view());
  }

  name(text: string): this {
    const encoded = new TextEncoder().encode(text);
    this.unsigned(encoded.length);
    for (const byte of encoded) this.byte(byte);
    return this;
  }

  view(): Uint8Array {
    return this.#data.subarray(0, this.length);
  }

  #grow(more: number): void {
    const grown = new Uint8Array(Math.max(this.length + more, 2 * this.#data.length));
    grown.set(this.#data);
    this.#data = grown;
  }
}

const bits = new DataView(new ArrayBuffer(4));

/** Bytes from the start of an array, or a number where that is known. */
export type Place = number | { readonly array: Buffer; readonly offset: number };

/** Where a place has been left out. */
interface Gap {
  readonly at: number;
  readonly array: Buffer;
  readonly offset: number;
  readonly signed: boolean;
}

/**
 * Words in memory from `address` on, of which a vector instruction loads one into all lanes, or four: cheaper than a constant
 * in the code, which V8 puts together in three to five instructions each time. Whoever loads the module writes them; the
 * module itself does not, as each of its threads would do so in its own time.
 */
export class Constants {
  static readonly BYTES = 4096;
  readonly #places = new Map<string, number>();
  readonly #words: number[] = [];

  constructor(readonly address: number) {}

  /** Where the words lie one after the other; undefined where there is no room for them. */
  place(words: readonly number[]): number | undefined {
    const name = words.join();
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const place = this.address + 4 * this.#words.length;
    if (place + 4 * words.length > this.address + Constants.BYTES) return undefined;
    this.#places.set(name, place);
    this.#words.push(...words);
    return place;
  }

  words(): Int32Array<ArrayBuffer> {
    return Int32Array.from(this.#words);
  }
}

interface CodeOptions {
  readonly locals?: readonly ValueType[];
  /** Where there are none, constants are part of the code. */
  readonly constants?: Constants | undefined;
  /** Bytes to begin with. */
  readonly capacity?: number;
}

/** The body of a function: its locals and instructions. Places in arrays are left out until `placed` fills them in. */
export class Code extends Bytes {
  readonly #locals: ValueType[];
  readonly #gaps: Gap[] = [];
  readonly #constants: Constants | undefined;

  constructor(
    readonly parameters: number,
    { locals = [], constants, capacity = 2048 }: CodeOptions = {},
  ) {
    super(capacity);
    this.#locals = [...locals];
    this.#constants = constants;
  }

  newLocal(type: ValueType): number {
    this.#locals.push(type);
    return this.parameters + this.#locals.length - 1;
  }

  get(local: number): this {
    return this.pair(0x20, local);
  }

  set(local: number): this {
    return this.pair(0x21, local);
  }

  tee(local: number): this {
    return this.pair(0x22, local);
  }

  i32(value: number): this {
    return this.byte(0x41).signed(value);
  }

  op(code: number): this {
    return this.byte(code);
  }

  simd(code: number): this {
    return this.pair(0xfd, code);
  }

  /** A vector constant of four 32-bit words, of which some differ; `splat` is cheaper. */
  words(values: readonly number[]): this {
    const place = this.#constants?.place(values);
    if (place !== undefined) return this.i32(0).memory(MEMORY.load, place);
    this.simd(0x0c);
    for (const value of values) this.word(value);
    return this;
  }

  /** A 32-bit word in all lanes. */
  splat(word: number): this {
    // Nothing is cheaper than a vector of zeros or of ones.
    const place = word === 0 || word === -1 ? undefined : this.#constants?.place([word]);
    return place === undefined ? this.simd(0x0c).word(word, 4) : this.i32(0).memory(MEMORY.load32Splat, place);
  }

  /** A float32 in all lanes. */
  float(value: number): this {
    bits.setFloat32(0, value, true);
    return this.splat(bits.getInt32(0, true));
  }

  memory({ code, align }: MemoryAccess, place: Place): this {
    return this.simd(code).byte(align).#immediate(place);
  }

  laneMemory(access: MemoryAccess, place: Place, lane: number): this {
    return this.memory(access, place).byte(lane);
  }

  loadI32(place: Place): this {
    return this.byte(0x28).unsigned(2).#immediate(place);
  }

  #immediate(place: Place): this {
    if (typeof place === "number") return this.unsigned(place);
    this.#gaps.push({ at: this.length, array: place.array, offset: place.offset, signed: false });
    return this;
  }

  /** Pushes a place as a number. */
  place(array: Buffer, offset: number): this {
    this.byte(0x41);
    this.#gaps.push({ at: this.length, array, offset, signed: true });
    return this;
  }

  extractLane(lane: number): this {
    return this.simd(0x1b).byte(lane);
  }

  /** Bytes of both operands picked by lane: `lanes` are four 32-bit lanes, 0…3 of the first, 4…7 of the second. */
  shuffle(lanes: readonly number[]): this {
    this.simd(0x0d);
    for (const lane of lanes) for (let i = 0; i < 4; i++) this.byte(4 * lane + i);
    return this;
  }

  /** Of the two values below the condition, the first where it holds. */
  select(): this {
    return this.byte(0x1b);
  }

  /** Atomic instructions (prefix 0xfe) on the address on the stack. */
  atomic(code: number, align: number, offset: number): this {
    return this.byte(0xfe).unsigned(code).unsigned(align).unsigned(offset);
  }

  i64(value: bigint): this {
    return this.byte(0x42).signedLong(value);
  }

  f64(value: number): this {
    const words = new Int32Array(Float64Array.of(value).buffer);
    return this.byte(0x44)
      .word(words[0] ?? 0)
      .word(words[1] ?? 0);
  }

  call(target: number): this {
    return this.pair(0x10, target);
  }

  /** `if` that leaves a value of `type`, or nothing. */
  if(type?: ValueType): this {
    return this.byte(0x04).byte(type ?? 0x40);
  }

  loop(): this {
    return this.byte(0x03).byte(0x40);
  }

  branchIf(depth: number): this {
    return this.pair(0x0d, depth);
  }

  branch(depth: number): this {
    return this.pair(0x0c, depth);
  }

  /** The code with the places of arrays that lie where `address` says. */
  placed(address: (array: Buffer) => number): Code {
    const capacity = this.length + 5 * this.#gaps.length;
    const result = new Code(this.parameters, { locals: this.#locals, capacity });
    const own = this.view();
    let done = 0;
    for (const { at, array, offset, signed } of this.#gaps) {
      result.bytes(own.subarray(done, at));
      done = at;
      const place = address(array) + offset;
      if (signed) result.signed(place);
      else result.unsigned(place);
    }
    result.bytes(own.subarray(done));
    return result;
  }

  finished(): Bytes {
    const body = new Bytes(this.length + 2 * this.#locals.length + 8).unsigned(this.#locals.length);
    for (const type of this.#locals) body.pair(1, type);
    body.append(this).byte(OP.end);
    return new Bytes(body.length + 5).unsigned(body.length).append(body);
  }
}

interface Definition {
  readonly type: number;
  readonly code: Code;
  readonly exported: string | undefined;
}

/** A module over one imported memory, `env.memory`. */
export class WasmModule {
  readonly #types: string[] = [];
  readonly #typeBytes: Bytes[] = [];
  readonly #functions: (Definition | undefined)[] = [];

  constructor(
    readonly memory: { readonly shared: boolean; readonly maximumPages: number },
    readonly constants?: Constants,
  ) {}

  /** A function that finds its constants in memory. */
  newCode(parameters: number): Code {
    return new Code(parameters, { constants: this.constants });
  }

  /** Takes a place for a function that is defined later. */
  declare(): number {
    return this.#functions.push(undefined) - 1;
  }

  define(
    index: number,
    parameters: readonly ValueType[],
    results: readonly ValueType[],
    code: Code,
    exported?: string,
  ): void {
    this.#functions[index] = { type: this.#type(parameters, results), code, exported };
  }

  add(parameters: readonly ValueType[], results: readonly ValueType[], code: Code, exported?: string): number {
    const index = this.declare();
    this.define(index, parameters, results, code, exported);
    return index;
  }

  #type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${parameters.join()}:${results.join()}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    const bytes = new Bytes().byte(0x60).unsigned(parameters.length);
    for (const type of parameters) bytes.byte(type);
    bytes.unsigned(results.length);
    for (const type of results) bytes.byte(type);
    this.#typeBytes.push(bytes);
    return this.#types.push(key) - 1;
  }

  encode(): Uint8Array {
    const functions = this.#functions.map((definition, i) => {
      if (definition === undefined) throw new RangeError(`function ${i} is declared but not defined`);
      return definition;
    });
    const out = new Bytes();
    for (const byte of [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.byte(byte);
    const memory = new Bytes().unsigned(1).name("env").name("memory").byte(0x02);
    if (this.memory.shared) memory.byte(0x03).unsigned(1).unsigned(this.memory.maximumPages);
    else memory.byte(0x00).unsigned(1);
    section(out, 1, vector(this.#typeBytes));
    section(out, 2, memory);
    section(out, 3, vector(functions.map(({ type }) => new Bytes().unsigned(type))));
    const exports = functions.flatMap(({ exported }, i) =>
      exported === undefined ? [] : [new Bytes().name(exported).byte(0x00).unsigned(i)],
    );
    section(out, 7, vector(exports));
    section(out, 10, vector(functions.map(({ code }) => code.finished())));
    return out.view().slice();
  }
}

function vector(items: readonly Bytes[]): Bytes {
  const out = new Bytes(items.reduce((sum, { length }) => sum + length, 5)).unsigned(items.length);
  for (const item of items) out.append(item);
  return out;
}

function section(out: Bytes, id: number, content: Bytes): void {
  out.byte(id).unsigned(content.length).append(content);
}
