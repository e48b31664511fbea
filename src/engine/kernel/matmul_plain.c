/* matmul_plain.c --- the matrix products in plain C: every machine, and the
 * readable statement of what the other variants compute. */
#include <math.h>

#include "core/half.h"
#include "kernel/matmul_impl.h"
#include "engine_only.h"

#define ROWS NLP_TILE_ROWS
#define GROUP 8					/* activation rows that share one unpacked block */

typedef float Acc[GROUP][ROWS];
typedef int32_t Sum[ROWS];

static void
f16_lanes(const uint8_t *p, float *out)
{
	for (int r = 0; r < ROWS; r++)
	{
		uint16_t	h;

		memcpy(&h, p + 2 * r, 2);
		out[r] = nlp_f16_to_f32(h);
	}
}

/* y = acc (+ bias) (+ residual) for the rows of the tile that exist. */
static void
store_row(const NlpMatmulArgs *a, uint64_t tile, int row, const float *acc)
{
	uint64_t	n0 = tile * ROWS;
	uint64_t	left = a->rows - n0;
	float	   *y = a->y + row * a->ldy + n0;

	for (uint64_t r = 0; r < (left < ROWS ? left : ROWS); r++)
	{
		float		v = acc[r];

		if (a->bias)
			v += a->bias[n0 + r];
		if (a->residual)
			v += a->residual[row * a->ldy + n0 + r];
		y[r] = v;
	}
}

/* Sum of code * weight over n words, for each lane; w is [n][16][4]. */
static void
dot_words(const uint8_t *w, const int8_t *q, int n, int32_t *sum)
{
	for (int g = 0; g < n; g++)
	{
		for (int r = 0; r < ROWS; r++)
		{
			for (int i = 0; i < 4; i++)
				sum[r] += w[64 * g + 4 * r + i] * q[4 * g + i];
		}
	}
}

/* The 32-block types. */

static void
unpack32(NlpMatmulSlot type, const uint8_t *rec, uint8_t *w)
{
	if (type == NLP_MM_Q8_0)
	{
		memcpy(w, rec, 512);
		return;
	}
	for (int i = 0; i < 256; i++)
	{
		w[i] = rec[i] & 15;
		w[256 + i] = rec[i] >> 4;
	}
	if (type == NLP_MM_Q5_0 || type == NLP_MM_Q5_1)
	{
		for (int i = 0; i < 512; i++)
			w[i] |= ((rec[NLP_TILE_Q5_HI + i % 64] >> (i / 64)) & 1) << 4;
	}
}

static void
matmul32(const NlpMatmulArgs *a, NlpMatmulSlot type, int rec_bytes, int at_d, int at_m)
{
	for (uint64_t t = a->tile_from; t < a->tile_to; t++)
	{
		for (int row = 0; row < a->m; row += GROUP)
		{
			int			n = a->m - row < GROUP ? a->m - row : GROUP;
			Acc			acc = {{0}};

			for (uint64_t b = 0; b < a->cols / 32; b++)
			{
				const uint8_t *rec = a->tiles + t * a->tile_bytes + b * rec_bytes;
				uint8_t		w[512];
				float		dw[ROWS],
							mw[ROWS];

				unpack32(type, rec, w);
				f16_lanes(rec + at_d, dw);
				if (at_m)
					f16_lanes(rec + at_m, mw);
				for (int i = 0; i < n; i++)
				{
					const NlpAct32 *x = (const NlpAct32 *) (a->act + (row + i) * a->act_bytes) + b;
					int32_t		offset = 0;
					Sum			sum = {0};

					if (type == NLP_MM_Q4_0)
						offset = x->n8;
					else if (type == NLP_MM_Q5_0)
						offset = 2 * x->n8;
					else if (type == NLP_MM_Q8_0)
						offset = x->n128;
					dot_words(w, x->q, 8, sum);
					for (int r = 0; r < ROWS; r++)
					{
						acc[i][r] = fmaf(dw[r] * x->d, (float) (sum[r] + offset), acc[i][r]);
						if (at_m)
							acc[i][r] = fmaf(mw[r], x->ds, acc[i][r]);
					}
				}
			}
			for (int i = 0; i < n; i++)
				store_row(a, t, row + i, acc[i]);
		}
	}
}

/* K-quants. Sub-block j's weights, one byte each, as 8 words a lane. */

static void
unpack45k(bool five, const uint8_t *rec, int j, uint8_t *w)
{
	const uint8_t *nib = rec + NLP_TILE_K_NIB + 512 * (j / 2);

	for (int i = 0; i < 512; i++)
	{
		w[i] = j % 2 ? nib[i] >> 4 : nib[i] & 15;
		if (five)
			w[i] |= ((rec[NLP_TILE_Q5_K_HI + i] >> j) & 1) << 4;
	}
}

static void
unpack6k(const uint8_t *rec, int j, uint8_t *w)
{
	const uint8_t *nib = rec + NLP_TILE_Q6_NIB + 1024 * (j / 4) + 512 * (j % 2);
	const uint8_t *hi = rec + NLP_TILE_Q6_HI + 512 * (j / 4);

	for (int i = 0; i < 512; i++)
		w[i] = (j % 4 < 2 ? nib[i] & 15 : nib[i] >> 4) | ((hi[i] >> (2 * (j % 4))) & 3) << 4;
}

/* One super-block of Q4_K or Q5_K into the accumulators of n rows from x on. */
static void
step45k(bool five, const uint8_t *rec, const uint8_t *x0, size_t act_bytes, int n, float (*acc)[ROWS])
{
	int32_t		sum[GROUP][ROWS] = {{0}};
	int32_t		min[GROUP][ROWS] = {{0}};
	float		d[ROWS],
				dmin[ROWS];

	for (int j = 0; j < 8; j++)
	{
		uint8_t		w[512];
		const uint8_t *sc = rec + NLP_TILE_K_SC + 32 * (j / 2) + j % 2;
		const uint8_t *mn = rec + NLP_TILE_K_MN + 32 * (j / 2) + j % 2;

		unpack45k(five, rec, j, w);
		for (int i = 0; i < n; i++)
		{
			const NlpAct256 *x = (const NlpAct256 *) (x0 + i * act_bytes);
			Sum			dot = {0};

			dot_words(w, x->q + 32 * j, 8, dot);
			for (int r = 0; r < ROWS; r++)
			{
				sum[i][r] += sc[2 * r] * dot[r];
				min[i][r] += mn[2 * r] * x->s32[j];
			}
		}
	}
	f16_lanes(rec + NLP_TILE_K_D, d);
	f16_lanes(rec + NLP_TILE_K_DMIN, dmin);
	for (int i = 0; i < n; i++)
	{
		const NlpAct256 *x = (const NlpAct256 *) (x0 + i * act_bytes);

		for (int r = 0; r < ROWS; r++)
		{
			acc[i][r] = fmaf(d[r] * x->d, (float) sum[i][r], acc[i][r]);
			acc[i][r] = fmaf(-(dmin[r] * x->d), (float) min[i][r], acc[i][r]);
		}
	}
}

static void
step6k(const uint8_t *rec, const uint8_t *x0, size_t act_bytes, int n, float (*acc)[ROWS])
{
	int32_t		sum[GROUP][ROWS] = {{0}};
	float		d[ROWS];

	for (int j = 0; j < 8; j++)
	{
		uint8_t		w[512];
		const int8_t *sc = (const int8_t *) rec + NLP_TILE_Q6_SC + 32 * j;

		unpack6k(rec, j, w);
		for (int i = 0; i < n; i++)
		{
			const NlpAct256 *x = (const NlpAct256 *) (x0 + i * act_bytes);

			for (int h = 0; h < 2; h++)
			{
				Sum			dot = {0};

				dot_words(w + 256 * h, x->q + 32 * j + 16 * h, 4, dot);
				for (int r = 0; r < ROWS; r++)
					sum[i][r] += sc[2 * r + h] * (dot[r] - 32 * x->s16[2 * j + h]);
			}
		}
	}
	f16_lanes(rec + NLP_TILE_K_D, d);
	for (int i = 0; i < n; i++)
	{
		const NlpAct256 *x = (const NlpAct256 *) (x0 + i * act_bytes);

		for (int r = 0; r < ROWS; r++)
			acc[i][r] = fmaf(d[r] * x->d, (float) sum[i][r], acc[i][r]);
	}
}

static void
matmul256(const NlpMatmulArgs *a, NlpMatmulSlot type, int rec_bytes)
{
	for (uint64_t t = a->tile_from; t < a->tile_to; t++)
	{
		for (int row = 0; row < a->m; row += GROUP)
		{
			int			n = a->m - row < GROUP ? a->m - row : GROUP;
			Acc			acc = {{0}};

			for (uint64_t b = 0; b < a->cols / 256; b++)
			{
				const uint8_t *rec = a->tiles + t * a->tile_bytes + b * rec_bytes;
				const uint8_t *x = a->act + row * a->act_bytes + b * sizeof(NlpAct256);

				if (type == NLP_MM_Q6_K)
					step6k(rec, x, a->act_bytes, n, acc);
				else
					step45k(type == NLP_MM_Q5_K, rec, x, a->act_bytes, n, acc);
			}
			for (int i = 0; i < n; i++)
				store_row(a, t, row + i, acc[i]);
		}
	}
}

/* Floats. */

static void
matmul_float(const NlpMatmulArgs *a, NlpMatmulSlot type)
{
	for (uint64_t t = a->tile_from; t < a->tile_to; t++)
	{
		const uint8_t *tile = a->tiles + t * a->tile_bytes;

		for (int row = 0; row < a->m; row++)
		{
			const float *x = (const float *) (a->act + row * a->act_bytes);
			float		acc[ROWS] = {0};

			for (uint64_t k = 0; k < a->cols; k++)
			{
				for (int r = 0; r < ROWS; r++)
				{
					float		w;
					uint16_t	h;

					if (type == NLP_MM_F32)
						memcpy(&w, tile + 64 * k + 4 * r, 4);
					else
					{
						memcpy(&h, tile + 32 * k + 2 * r, 2);
						w = type == NLP_MM_F16 ? nlp_f16_to_f32(h) : nlp_bf16_to_f32(h);
					}
					acc[r] = fmaf(x[k], w, acc[r]);
				}
			}
			store_row(a, t, row, acc);
		}
	}
}

static void
plain_f32(const NlpMatmulArgs *a)
{
	matmul_float(a, NLP_MM_F32);
}

static void
plain_f16(const NlpMatmulArgs *a)
{
	matmul_float(a, NLP_MM_F16);
}

static void
plain_bf16(const NlpMatmulArgs *a)
{
	matmul_float(a, NLP_MM_BF16);
}

static void
plain_q4_0(const NlpMatmulArgs *a)
{
	matmul32(a, NLP_MM_Q4_0, NLP_TILE_Q4_0_BYTES, NLP_TILE_Q4_D, 0);
}

static void
plain_q4_1(const NlpMatmulArgs *a)
{
	matmul32(a, NLP_MM_Q4_1, NLP_TILE_Q4_1_BYTES, NLP_TILE_Q4_D, NLP_TILE_Q4_M);
}

static void
plain_q5_0(const NlpMatmulArgs *a)
{
	matmul32(a, NLP_MM_Q5_0, NLP_TILE_Q5_0_BYTES, NLP_TILE_Q5_D, 0);
}

static void
plain_q5_1(const NlpMatmulArgs *a)
{
	matmul32(a, NLP_MM_Q5_1, NLP_TILE_Q5_1_BYTES, NLP_TILE_Q5_D, NLP_TILE_Q5_M);
}

static void
plain_q8_0(const NlpMatmulArgs *a)
{
	matmul32(a, NLP_MM_Q8_0, NLP_TILE_Q8_0_BYTES, NLP_TILE_Q8_D, 0);
}

static void
plain_q4_k(const NlpMatmulArgs *a)
{
	matmul256(a, NLP_MM_Q4_K, NLP_TILE_Q4_K_BYTES);
}

static void
plain_q5_k(const NlpMatmulArgs *a)
{
	matmul256(a, NLP_MM_Q5_K, NLP_TILE_Q5_K_BYTES);
}

static void
plain_q6_k(const NlpMatmulArgs *a)
{
	matmul256(a, NLP_MM_Q6_K, NLP_TILE_Q6_K_BYTES);
}

const NlpMatmulTable nlp_matmul_table_plain = {
	.matmul = {
		[NLP_MM_F32] = plain_f32,
		[NLP_MM_F16] = plain_f16,
		[NLP_MM_BF16] = plain_bf16,
		[NLP_MM_Q4_0] = plain_q4_0,
		[NLP_MM_Q4_1] = plain_q4_1,
		[NLP_MM_Q5_0] = plain_q5_0,
		[NLP_MM_Q5_1] = plain_q5_1,
		[NLP_MM_Q8_0] = plain_q8_0,
		[NLP_MM_Q4_K] = plain_q4_k,
		[NLP_MM_Q5_K] = plain_q5_k,
		[NLP_MM_Q6_K] = plain_q6_k,
	},
	.quantize32 = nlp_quantize32_plain,
	.quantize256 = nlp_quantize256_plain
};
