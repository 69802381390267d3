/**
 * What every C file begins with: vector types of 4, 8, … lanes in the vector extensions of GCC and clang, and what these have
 * no operator for. No header is included, so that a compiler is all that is needed.
 */
import { MIX } from "../../tensor/random.js";

/** Names that the compilers do not share; no header is included. */
const HEAD = `
#define INLINE static inline __attribute__((always_inline))
/*
 * Kernels stay functions, and their arrays may overlap as far as the compiler knows: in arrays of one memory GCC 12 writes one
 * place by its distance from another, and takes a store through restrict pointers, once inlined, for one that nobody reads.
 */
#ifdef __clang__
#define KERNEL static __attribute__((noinline))
#else
#define KERNEL static __attribute__((noipa))
#endif
#ifdef __has_builtin
#define HAS(builtin) __has_builtin(builtin)
#else
#define HAS(builtin) 0
#endif
typedef __PTRDIFF_TYPE__ I;
INLINE int mix(unsigned x) {
  x ^= x >> 16; x *= ${MIX.first}u; x ^= x >> 15; x *= ${MIX.second >>> 0}u;
  return (int)(x ^ x >> 16);
}
/* The key word of a stream of random numbers. */
INLINE int key(int seed, int stream, int step) {
  return mix((unsigned)(seed ^ mix((unsigned)stream + ${MIX.stream >>> 0}u)) + (unsigned)step * ${MIX.step >>> 0}u);
}
INLINE int nextkey(int key) { return mix((unsigned)key + ${MIX.key >>> 0}u); }
INLINE I clamp(I x, I most) { return x < 0 ? 0 : x < most ? x : most; }
/* A place that is computed from data is kept within its array. */
INLINE I within(I at, I last) { return (__SIZE_TYPE__)at <= (__SIZE_TYPE__)last ? at : 0; }
INLINE I checked(I at, I last) {
  if ((__SIZE_TYPE__)at > (__SIZE_TYPE__)last) __builtin_trap();
  return at;
}`;

/** Types: F8 and I8 are eight floats or integers; with an m, as they lie in memory, at any multiple of four bytes. */
const types = (w: number): string => `
typedef float F${w} __attribute__((vector_size(${4 * w})));
typedef int I${w} __attribute__((vector_size(${4 * w})));
typedef unsigned U${w} __attribute__((vector_size(${4 * w})));
typedef float F${w}m __attribute__((vector_size(${4 * w}), aligned(4), may_alias));
typedef int I${w}m __attribute__((vector_size(${4 * w}), aligned(4), may_alias));
INLINE F${w} f${w}(float x) { return (F${w}){${list(w, () => "x")}}; }
INLINE I${w} i${w}(int x) { return (I${w}){${list(w, () => "x")}}; }
INLINE F${w} sel${w}(I${w} mask, F${w} a, F${w} b) { return (F${w})((mask & (I${w})a) | (~mask & (I${w})b)); }
INLINE I${w} isel${w}(I${w} mask, I${w} a, I${w} b) { return (mask & a) | (~mask & b); }
INLINE F${w} abs${w}(F${w} x) { return (F${w})((I${w})x & 0x7fffffff); }
INLINE I${w} iabs${w}(I${w} x) { return isel${w}(x < 0, (I${w})(0u - (U${w})x), x); }
INLINE I${w} imax${w}(I${w} a, I${w} b) { return isel${w}(a > b, a, b); }
INLINE I${w} imin${w}(I${w} a, I${w} b) { return isel${w}(a < b, a, b); }
INLINE I${w} iadd${w}(I${w} a, I${w} b) { return (I${w})((U${w})a + (U${w})b); }
INLINE I${w} isub${w}(I${w} a, I${w} b) { return (I${w})((U${w})a - (U${w})b); }
INLINE I${w} imul${w}(I${w} a, I${w} b) { return (I${w})((U${w})a * (U${w})b); }
INLINE F${w} tofloat${w}(I${w} x) { return __builtin_convertvector(x, F${w}); }`;

const MIXED = `x ^= x >> 16; x *= ${MIX.first}u; x ^= x >> 15; x *= ${MIX.second >>> 0}u; x ^= x >> 16;`;

/** Functions that instruction sets have, and what does the same where they have not. */
const functions = (w: number): string => `
INLINE int any${w}(I${w} mask) { ${any(w)} }
INLINE F${w} sqrt${w}(F${w} x) { ${sqrt(w)} }
INLINE F${w} fma${w}(F${w} a, F${w} b, F${w} c) { ${fma(w)} }
/* The second one where it is smaller, or larger, than the first. */
INLINE F${w} pmin${w}(F${w} a, F${w} b) { ${pseudo(w, "min", "<")} }
INLINE F${w} pmax${w}(F${w} a, F${w} b) { ${pseudo(w, "max", ">")} }
INLINE F${w} nearest${w}(F${w} x) { ${nearest(w)} }
INLINE F${w} floor${w}(F${w} x) { F${w} n = nearest${w}(x); return n - (F${w})((n > x) & (I${w})f${w}(1)); }
INLINE I${w} toint${w}(F${w} x) {
  I${w} within = (x >= -2147483648.0f) & (x < 2147483648.0f);
  I${w} whole = __builtin_convertvector((F${w})(within & (I${w})x), I${w});
  return isel${w}(x >= 2147483648.0f, i${w}(0x7fffffff), isel${w}(x < -2147483648.0f, i${w}(-0x7fffffff - 1), whole));
}
INLINE I${w} ishr${w}(I${w} a, I${w} b) { return a >> (b & 31); }
/* Integer division by 0 gives 0. */
INLINE I${w} idiv${w}(I${w} a, I${w} b) {
  I${w} r = {0};
  for (int i = 0; i < ${w}; i++) r[i] = b[i] == 0 ? 0 : b[i] == -1 ? (int)(0u - (unsigned)a[i]) : a[i] / b[i];
  return r;
}
INLINE I${w} imod${w}(I${w} a, I${w} b) {
  I${w} r = {0};
  for (int i = 0; i < ${w}; i++) r[i] = b[i] == 0 || b[i] == -1 ? 0 : a[i] % b[i];
  return r;
}
INLINE F${w} sign${w}(F${w} x) {
  F${w} sign = (F${w})((x > 0.0f) & (I${w})f${w}(1)) - (F${w})((x < 0.0f) & (I${w})f${w}(1));
  return (F${w})((I${w})sign | (x != x));
}
/* The maximum and minimum that know NaN and -0; see emit-apply.ts of the WebAssembly target. */
INLINE F${w} max${w}(F${w} a, F${w} b) {
  F${w} one = pmax${w}(a, b), other = pmax${w}(b, a);
  return (F${w})((I${w})one | (I${w})other) - (F${w})((I${w})one ^ (I${w})other);
}
INLINE F${w} min${w}(F${w} a, F${w} b) {
  return (F${w})((I${w})pmin${w}(a, b) | (I${w})pmin${w}(b, a));
}
INLINE F${w} uniform${w}(I${w} position, unsigned k0, unsigned k1) {
  U${w} x = (U${w})position ^ k0;
  ${MIXED}
  x += k1;
  ${MIXED}
  return tofloat${w}((I${w})(x >> 8)) * 0x1p-24f;
}
INLINE F${w} farangle${w}(F${w} x) {
  F${w} r = {0};
  for (int i = 0; i < ${w}; i++) {
    unsigned long long t = turns(((I${w})x)[i]);
    r[i] = (float)((double)(long long)(t - (quarters(t) << 62)) * 0x1.921fb54442d18p-62);
  }
  return r;
}
INLINE I${w} farquarters${w}(F${w} x) {
  I${w} r = {0};
  for (int i = 0; i < ${w}; i++) r[i] = (int)quarters(turns(((I${w})x)[i]));
  return r;
}`;

function list(count: number, item: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => item(i)).join(", ");
}

/** The size in the names of x64's builtin functions: none for 128 bits. */
const bits = (w: number): string => (w === 4 ? "" : String(32 * w));

/** The first branch where `guard` is defined, else the other one. */
const either = (guard: string, own: string, portable: string): string => `
#if ${guard}
  ${own}
#else
  ${portable}
#endif
`;

const any = (w: number): string =>
  w > 8
    ? `int r = 0; for (int i = 0; i < ${w}; i++) r |= mask[i]; return r;`
    : either(
        w === 4 ? "defined(__SSE2__)" : "defined(__AVX__)",
        `return __builtin_ia32_movmskps${bits(w)}((F${w})mask);`,
        `int r = 0; for (int i = 0; i < ${w}; i++) r |= mask[i]; return r;`,
      );

const sqrt = (w: number): string => {
  const portable = `F${w} r; for (int i = 0; i < ${w}; i++) r[i] = __builtin_sqrtf(x[i]); return r;`;
  const guard = w === 16 ? "AVX512F" : w === 8 ? "AVX" : "SSE2";
  const own = w === 16 ? "__builtin_ia32_sqrtps512_mask(x, x, -1, 4)" : `__builtin_ia32_sqrtps${bits(w)}(x)`;
  return either(
    "HAS(__builtin_elementwise_sqrt)",
    `return __builtin_elementwise_sqrt(x);`,
    either(`defined(__${guard}__) && !defined(__clang__)`, `return ${own};`, portable),
  );
};

const fma = (w: number): string => {
  const lanes = `F${w} r; for (int i = 0; i < ${w}; i++) r[i] = __builtin_fmaf(a[i], b[i], c[i]); return r;`;
  if (w === 16) return either("defined(__AVX512F__)", "return __builtin_ia32_vfmaddps512_mask(a, b, c, -1, 4);", lanes);
  const x64 = (portable: string): string =>
    either("defined(__FMA__)", `return __builtin_ia32_vfmaddps${bits(w)}(a, b, c);`, portable);
  if (w === 8) return x64(lanes);
  const arm = `__asm__("fmla %0.4s, %1.4s, %2.4s" : "+w"(c) : "w"(a), "w"(b)); return c;`;
  return x64(either("defined(__aarch64__)", arm, lanes));
};

function pseudo(w: number, name: "min" | "max", sign: string): string {
  const portable = `return sel${w}(b ${sign} a, b, a);`;
  if (w > 8) return portable;
  // The instruction gives its second operand where it is not the other way round.
  return either(
    w === 4 ? "defined(__SSE__)" : "defined(__AVX__)",
    `return __builtin_ia32_${name}ps${bits(w)}(b, a);`,
    portable,
  );
}

function nearest(w: number): string {
  const portable = `F${w} size = abs${w}(x), whole = size + 8388608.0f - 8388608.0f;
  return sel${w}(size < 8388608.0f, (F${w})((I${w})whole | ((I${w})x & (-0x7fffffff - 1))), x);`;
  if (w > 8) return portable;
  const guard = w === 4 ? "defined(__SSE4_1__)" : "defined(__AVX__)";
  return either(guard, `return __builtin_ia32_roundps${bits(w)}(x, 8);`, portable);
}

/** Angles far out, lane by lane: x/2π modulo 1 in units of 2⁻⁶⁴ (Payne and Hanek 1983), as in the WebAssembly target. */
const TURNS = `
static unsigned long long digits(int word, int shift, int before) {
  static const unsigned long long all[] = {0, 0x28be60db9391054aull, 0x7f09d5f47d4d3770ull, 0x36d8a5664f10e410ull, 0x7f9458eaf7aef158ull};
  const unsigned long long *own = all + (before ? 0 : 1) + word;
  return own[0] << shift | own[1] >> 1 >> (63 - shift);
}
static unsigned long long turns(int bits) {
  int first = ((unsigned)bits >> 23 & 255) - (150 - 64);
  /* Only of angles that are not far: nobody uses the result. */
  if (first < 0 || first > 191) return 0;
  int word = first >> 6, shift = first & 63;
  long long mantissa = (bits & 0x7fffff) | 0x800000;
  if (bits < 0) mantissa = -mantissa;
  unsigned long long high = digits(word, shift, 1), low = digits(word, shift, 0);
  return high * (unsigned long long)mantissa + (unsigned long long)((long long)((low >> 25) * (unsigned long long)mantissa) >> 39);
}
static unsigned long long quarters(unsigned long long t) { return (t + (1ull << 61)) >> 62; }`;

/** The widths of a target's vectors, the narrowest first. */
export const prelude = (widths: readonly number[]): string =>
  [HEAD, TURNS, ...widths.flatMap((w) => [types(w), functions(w)])].join("\n");
