/* tile.h --- the bytes of a packed tile: 16 output rows (lanes) by all of K.
 *
 * A tile is a sequence of records, one a block of K, padded to 64 bytes at the
 * end. "Words" are 4 bytes of one row: 4 consecutive k. A plane [g][16][4] is one
 * 64-byte vector a word index g: word g of row 0, word g of row 1, ...
 *
 *   F32, F16, BF16  a record is one k: [16] elements
 *   Q4_0, Q4_1      nib[4][16][4]: low nibbles are words 0..3 (k 0..15 of the block),
 *                   high nibbles words 4..7; then d f16[16]; Q4_1: then m f16[16]
 *   Q5_0, Q5_1      nib as above; hi[16][4]: bit g of byte (row, i) is the fifth bit
 *                   of k = 4g + i; then d f16[16]; Q5_1: then m f16[16]
 *   Q8_0            byte[8][16][4], code + 128; then d f16[16]
 *   Q4_K            d f16[16], dmin f16[16], sc[4][16][2], mn[4][16][2] (sub-block
 *                   pairs: 2p, 2p+1), nib[4][8][16][4]: for each pair of sub-blocks,
 *                   low nibbles the even one's words 0..7, high nibbles the odd one's
 *   Q5_K            as Q4_K, then hi[8][16][4]: bit j is the fifth bit of sub-block j
 *   Q6_K            d f16[16], sc i8[8][16][2] (pairs of sub-blocks of 16),
 *                   nib[2][2][8][16][4]: half n, part p: low nibbles are k = 128n + 32p ..,
 *                   high nibbles k = 128n + 64 + 32p ..; hi[2][8][16][4]: half n: bits
 *                   2s, 2s+1 are the top bits of k = 128n + 32s ..; code is 0..63
 *
 * So packing moves words and never splits a byte of the file but for Q5_0/Q5_1. */
#ifndef NLP_TENSOR_TILE_H
#define NLP_TENSOR_TILE_H

#include <stdint.h>

/* Offsets within a record of each 32-block type; M is absent in Q4_0, Q5_0, Q8_0. */
enum
{
	NLP_TILE_Q4_D = 256,
	NLP_TILE_Q4_M = 288,
	NLP_TILE_Q4_0_BYTES = 288,
	NLP_TILE_Q4_1_BYTES = 320,
	NLP_TILE_Q5_HI = 256,
	NLP_TILE_Q5_D = 320,
	NLP_TILE_Q5_M = 352,
	NLP_TILE_Q5_0_BYTES = 352,
	NLP_TILE_Q5_1_BYTES = 384,
	NLP_TILE_Q8_D = 512,
	NLP_TILE_Q8_0_BYTES = 544
};

/* Offsets within a record of each K-quant. */
enum
{
	NLP_TILE_K_D = 0,
	NLP_TILE_K_DMIN = 32,
	NLP_TILE_K_SC = 64,
	NLP_TILE_K_MN = 192,
	NLP_TILE_K_NIB = 320,
	NLP_TILE_Q4_K_BYTES = 2368,
	NLP_TILE_Q5_K_HI = 2368,
	NLP_TILE_Q5_K_BYTES = 2880,
	NLP_TILE_Q6_SC = 32,
	NLP_TILE_Q6_NIB = 288,
	NLP_TILE_Q6_HI = 2336,
	NLP_TILE_Q6_K_BYTES = 3360
};

#endif
