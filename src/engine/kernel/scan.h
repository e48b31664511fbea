/* scan.h --- inner products of one query with many rows of int8 codes: the first pass
 * of every nearest-neighbour search (word tables, the nlp_flat index).
 *
 * Rows are coded symmetrically, x ~ scale * code with code in [-127, 127], one scale a
 * row, and lie in tiles of 16 rows: for each group of 4 dimensions the 16 rows' 4 bytes
 * follow one another (64 bytes a group; dimensions beyond dim are zero). The query is
 * held in two int8 planes, x ~ scale * (128 * high + low), so that nearly all error is
 * the rows'. Integer sums are exact, so every instruction set gives the same bits.
 *
 * Bounds. For a row x with code c and query q:
 *   |q.x - approx| <= |q| * row_error + query_error * |scale * c|
 * where row_error >= |x - scale * c| was computed when the row was coded, both rounded
 * up. nlp_scan_slack gives the right side, rounding of the float arithmetic included;
 * a search that re-ranks every row whose bound reaches the k-th exact value is exact. */
#ifndef NLP_KERNEL_SCAN_H
#define NLP_KERNEL_SCAN_H

#include <stddef.h>
#include <stdint.h>

#define NLP_SCAN_ROWS 16
#define NLP_SCAN_MAX_DIM 16384

/* Dimensions rounded up to a group of 4, and bytes of a tile: 16 * that. */
static inline size_t
nlp_scan_groups(size_t dim)
{
	return (dim + 3) / 4;
}

static inline size_t
nlp_scan_tile_bytes(size_t dim)
{
	return nlp_scan_groups(dim) * 4 * NLP_SCAN_ROWS;
}

typedef struct NlpScanCode
{
	float		scale;			/* 0 for a row of zeros */
	float		error;			/* >= |x - scale * code| */
	float		norm;			/* |x|, rounded to nearest */
} NlpScanCode;

/* Code x [dim], finite, into codes [4 * groups]. */
extern NlpScanCode nlp_scan_encode(const float *x, size_t dim, int8_t *codes);
/* Put codes into row (0..15) of a tile, or of a slice of it (groups first..first+n of the
 * row, for tiles that are cut over pages): dst is where group first of the tile lies. */
extern void nlp_scan_put(void *dst, int row, size_t first, size_t n, const int8_t *codes);
extern void nlp_scan_get(const void *src, int row, size_t first, size_t n, int8_t *codes);

/* A query. planes: nlp_scan_query_bytes(dim) of the caller's, 64-aligned: high [4 * groups] in -63..63,
 * low [4 * groups] in -64..63, and their running sums by group for the kernels that shift codes to unsigned. */
typedef struct NlpScanQuery
{
	size_t		dim;
	int8_t	   *planes;
	float		scale;
	float		error;			/* >= |q - its code| */
	float		norm;			/* |q| */
} NlpScanQuery;
extern size_t nlp_scan_query_bytes(size_t dim);
extern void nlp_scan_query(const float *x, size_t dim, int8_t *planes, NlpScanQuery *q);

/* Whole tiles that follow one another: sums[16 * n_tiles] = 128 * high.code + low.code as
 * f32 (rounded to nearest once from the exact 64-bit integer). approx q.x = q.scale * row.scale * sum. */
extern void nlp_scan_tiles(const NlpScanQuery *q, const void *tiles, size_t n_tiles, float *sums);
/* A slice of one tile, added up: high[16] += ..., low[16] += ... (exact up to NLP_SCAN_MAX_DIM). */
extern void nlp_scan_slice(const NlpScanQuery *q, const void *slice, size_t first, size_t n,
						   int32_t high[16], int32_t low[16]);

/* How far approx may be from the true inner product, and from nlp_dot_f32 of the two (also of a row
 * that was divided by its norm first). Infinite where products may overflow. */
extern float nlp_scan_slack(const NlpScanQuery *q, NlpScanCode row);
/* Which rows of whole tiles may reach threshold: bit r of masks[t] is set unless approx + slack of row
 * 16 * t + r is below it. rows [16 * n_tiles], sums as nlp_scan_tiles gave them. */
extern void nlp_scan_reach(const NlpScanQuery *q, const NlpScanCode *rows, const float *sums, size_t n_tiles,
						   float threshold, uint16_t *masks);

/* The exact re-rank: inner product, squared distance and taxicab distance of two f32
 * rows, as pgvector computes them up to rounding; a fixed tree, same bits on every level. */
extern float nlp_dot_f32(const float *a, const float *b, size_t n);
extern float nlp_l2sq_f32(const float *a, const float *b, size_t n);
extern float nlp_l1_f32(const float *a, const float *b, size_t n);
/* dot, |a|^2 and |b|^2 in one pass. */
extern void nlp_cosine_f32(const float *a, const float *b, size_t n, float *dot, float *aa, float *bb);

#endif
