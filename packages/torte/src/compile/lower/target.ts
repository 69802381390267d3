/** What loops are made for. What they compute depends on `fma` alone; the rest decides how fast they are. */
import { WIDTH } from "../loops/loops.js";

export interface LoweringTarget {
  /** A product and a sum in one instruction, which needs no register for the product. */
  readonly fma: boolean;
  /** Lanes of its vectors: `WIDTH` or a power of two times that. */
  readonly width: number;
  readonly tile: RegisterTile;
}

/** Register tiles of products (`gemm-tile.ts`). */
export interface RegisterTile {
  /** Vectors of a row. */
  readonly vectors: number;
  readonly rows: number;
  /** Rows of a tile of a single vector. */
  readonly narrowRows: number;
  /** Terms of the sum in a round of the innermost loop. */
  readonly unroll: number;
}

/**
 * For 16 vector registers, those of x64: 6 rows × 2 vectors take 12 for the sums, 2 for the vectors and 1 for the broadcast
 * element, 15 in all. Without fused multiply-add each product needs a register of its own before it is added: 4 rows take
 * 8 + 2 + 1 and leave 5 for products on their way. A tile of a single vector has 8 rows.
 */
export const registerTile = (fma: boolean): RegisterTile => ({
  vectors: 2,
  rows: fma ? 6 : 4,
  narrowRows: 8,
  unroll: 4,
});

/** Vectors of four lanes in 16 registers, which WebAssembly has everywhere. */
export const narrowTarget = (fma: boolean): LoweringTarget => ({ fma, width: WIDTH, tile: registerTile(fma) });
