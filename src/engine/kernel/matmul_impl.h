/* matmul_impl.h --- what the variants of the matrix product share: the coded
 * activation rows, the arguments of one call, and the table a variant fills.
 * Private to kernel/matmul*.c and kernel/quantize*.c.
 *
 * The float step of one block, the same on every instruction set, f32, no
 * contraction but the fma written:
 *   32-blocks   acc = fma(dw * dx, (float) isum, acc)
 *               Q4_1, Q5_1 then: acc = fma(mw, dx * (float) sum, acc)
 *   K-quants    acc = fma(dw * dx, (float) sum_j(sc_j * isum_j), acc)
 *               Q4_K, Q5_K then: acc = fma(-(dmin * dx), (float) sum_j(min_j * sum_j), acc)
 *   floats      acc = fma(x[k], w[k], acc)
 * with isum the exact integer sum of code * weight, the weight's offset (8, 16,
 * 32 or 128) already taken out, and sum the sum of the codes. */
#ifndef NLP_KERNEL_MATMUL_IMPL_H
#define NLP_KERNEL_MATMUL_IMPL_H

#include <string.h>

#include "kernel/matmul.h"
#include "tensor/tile.h"

/* A coded 32-block of activations. */
typedef struct NlpAct32
{
	int8_t		q[32];
	float		d;				/* amax / 127; 0 for a block that is zero */
	float		ds;				/* d * (float) sum(q) */
	int32_t		n8;				/* -8 * sum(q): the offset of Q4_0, half that of Q5_0 */
	int32_t		n128;			/* -128 * sum(q): the offset of Q8_0 */
} NlpAct32;

/* A coded 256-block of activations. */
typedef struct NlpAct256
{
	int8_t		q[256];
	int16_t		s16[16];		/* sums of 16 codes */
	int16_t		s32[8];			/* sums of 32 codes */
	float		d;
	float		pad[3];			/* zero */
} NlpAct256;

_Static_assert(sizeof(NlpAct32) == 48, "a 32-block is 48 bytes");
_Static_assert(sizeof(NlpAct256) == 320, "a 256-block is 320 bytes");

typedef struct NlpMatmulArgs
{
	const uint8_t *tiles;		/* tile 0 of the weight */
	size_t		tile_bytes;
	uint64_t	rows;			/* N */
	uint64_t	cols;			/* K */
	const uint8_t *act;			/* [m], act_bytes apart */
	size_t		act_bytes;
	int			m;
	uint64_t	tile_from;
	uint64_t	tile_to;		/* at most ceil(N / 16) */
	const float *bias;			/* [N] or NULL */
	const float *residual;		/* like y, or NULL */
	float	   *y;
	size_t		ldy;
} NlpMatmulArgs;

typedef void (*NlpMatmulFn) (const NlpMatmulArgs *a);

/* Code n blocks of one row. */
typedef void (*NlpQuantize32Fn) (const float *x, NlpAct32 *dst, size_t blocks);
typedef void (*NlpQuantize256Fn) (const float *x, NlpAct256 *dst, size_t blocks);

/* Slots of a variant's table. */
typedef enum NlpMatmulSlot
{
	NLP_MM_F32,
	NLP_MM_F16,
	NLP_MM_BF16,
	NLP_MM_Q4_0,
	NLP_MM_Q4_1,
	NLP_MM_Q5_0,
	NLP_MM_Q5_1,
	NLP_MM_Q8_0,
	NLP_MM_Q4_K,
	NLP_MM_Q5_K,
	NLP_MM_Q6_K,
	NLP_MM_SLOTS
} NlpMatmulSlot;

typedef struct NlpMatmulTable
{
	NlpMatmulFn matmul[NLP_MM_SLOTS];
	NlpQuantize32Fn quantize32;
	NlpQuantize256Fn quantize256;
} NlpMatmulTable;

extern const NlpMatmulTable nlp_matmul_table_plain;
extern void nlp_quantize32_plain(const float *x, NlpAct32 *dst, size_t blocks);
extern void nlp_quantize256_plain(const float *x, NlpAct256 *dst, size_t blocks);
#if defined(__x86_64__)
extern const NlpMatmulTable nlp_matmul_table_avx2;
extern const NlpMatmulTable nlp_matmul_table_avx512;
extern void nlp_quantize32_avx2(const float *x, NlpAct32 *dst, size_t blocks);
extern void nlp_quantize256_avx2(const float *x, NlpAct256 *dst, size_t blocks);
#endif
#if defined(__aarch64__)
extern const NlpMatmulTable nlp_matmul_table_neon;
extern void nlp_quantize32_neon(const float *x, NlpAct32 *dst, size_t blocks);
extern void nlp_quantize256_neon(const float *x, NlpAct256 *dst, size_t blocks);
#endif

/* Rows taken through all tiles before the next rows begin: as many as stay in a
 * second-level cache beside a tile or two. */
static inline int
nlp_matmul_row_chunk(const NlpMatmulArgs *a)
{
	size_t		rows = (size_t) 384 * 1024 / a->act_bytes;

	rows = rows / 24 * 24;
	if (rows < 24)
		rows = 24;
	return rows < (size_t) a->m ? (int) rows : a->m;
}

/* One tile by some rows: rows row .. row + R - 1, R fixed by the function. first
 * says that these rows are the first to read this tile, so that memory is still
 * on its way and the following tile should be asked for. */
typedef void (*NlpTileRowsFn) (const NlpMatmulArgs *a, uint64_t tile, int row, bool first);

/* How many of the rows left go together, at most max: even shares. */
static inline int
nlp_matmul_group(int left, int max)
{
	int			groups = (left + max - 1) / max;

	return (left + groups - 1) / groups;
}

/* Every tile for a chunk of rows, then the next chunk. fns[R - 1] serves R rows. */
static inline void
nlp_matmul_sweep(const NlpMatmulArgs *a, const NlpTileRowsFn *fns, int max)
{
	int			chunk = nlp_matmul_row_chunk(a);

	for (int from = 0; from < a->m; from += chunk)
	{
		int			to = from + chunk < a->m ? from + chunk : a->m;

		for (uint64_t t = a->tile_from; t < a->tile_to; t++)
		{
			for (int row = from, r; row < to; row += r)
			{
				r = nlp_matmul_group(to - row, max);
				fns[r - 1] (a, t, row, row == from);
			}
		}
	}
}

#define NLP_ALWAYS_INLINE static inline __attribute__((always_inline))

#endif
