/* pack.h --- the physical layout of weights: tiles of 16 output rows.
 *
 * A weight W is [N output rows, K columns] in the file, row-major. Packed, its
 * rows are grouped into ceil(N/16) tiles (rows past N are zero). A tile holds all
 * of K: its data is contiguous, so a tile range is a column range of the output.
 * Within a tile, K advances block by block; within a block, lanes are the 16
 * output rows and bytes come 4 consecutive k at a time (the operand shape of
 * vpdpbusd, maddubs+madd and sdot). tensor/tile.h has the exact bytes of each type.
 *
 * embed() reads rows out of packed tiles, so a tied word table is stored once. */
#ifndef NLP_TENSOR_PACK_H
#define NLP_TENSOR_PACK_H

#include "tensor/dtype.h"

#define NLP_TILE_ROWS 16

/* A packed weight in the resident image; offset-only, so relocatable. A vector
 * (norm weight, bias) is stored as plain f32 with layout NLP_LAYOUT_VECTOR. */
typedef enum NlpLayout
{
	NLP_LAYOUT_ABSENT = 0,		/* optional tensor that the file lacks */
	NLP_LAYOUT_VECTOR,			/* f32[K] (rows == 1) or f32[rows][K] plain row-major */
	NLP_LAYOUT_TILES			/* packed tiles as above */
} NlpLayout;

typedef struct NlpWeight
{
	uint64_t	offset;			/* from the start of the image; multiple of 64 */
	uint64_t	bytes;
	uint64_t	rows;			/* N */
	uint64_t	cols;			/* K */
	uint32_t	dtype;			/* NlpDtype of the file */
	uint32_t	layout;			/* NlpLayout */
} NlpWeight;

/* Bytes of one packed tile for K columns; 0 when the dtype has no packing or K
 * does not suit it. A multiple of 64. The whole weight takes ceil(N/16) of them. */
extern size_t nlp_pack_tile_bytes(NlpDtype dtype, uint64_t cols);

/* Pack up to 16 rows (file layout, row r at src + r * row_bytes) into one tile;
 * rows n_rows..15 become zero. Refuses scales that are NaN or infinite, with
 * NLP_ECORRUPT and the row and block in the detail, unless allow_nonfinite. */
extern NlpStatus nlp_pack_tile(NlpDtype dtype, const void *src, size_t row_bytes, int n_rows,
							   uint64_t cols, void *tile, bool allow_nonfinite, NlpError *err);

/* Read one row back as f32[K] from packed tiles (base = start of the weight).
 * Bit-equal to nlp_dtype_to_f32 of the file's row. */
extern void nlp_unpack_row(NlpDtype dtype, const void *base, uint64_t cols, uint64_t row, float *dst);

#endif
