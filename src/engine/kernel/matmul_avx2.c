/* matmul_avx2.c --- the matrix products with AVX2, FMA and F16C: 32-block types
 * and floats; the K-quants are in matmul_k_avx2.c.
 *
 * A 32-byte vector is one word (4 k) of 8 output rows, half a tile. maddubs gives
 * two 16-bit sums a lane, added up in 16 bits over the whole block where they
 * cannot overflow (4-bit weights: 8 * 2 * 15 * 128 = 30720), then one madd.
 * 5-bit weights take two such sums a block. Bytes are split into two nibbles,
 * code + 128 = 16 * high + low, each summed like a 4-bit weight: exact for every
 * code, with as many instructions as the sign trick and no wide adds. */
#include "kernel/matmul_impl.h"
#include "engine_only.h"

#if defined(__x86_64__)
#include "kernel/matmul_avx2.h"

/* Per half tile: one 4- or 5-bit block or one nibble of bytes. Adds the products of
 * word g (weights w) of R rows into the 16-bit sums. */
NLP_ALWAYS_INLINE void
add_word(__m256i w, const uint8_t *x0, size_t act_bytes, int g, __m256i *sum, const int R)
{
#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
		sum[i] = _mm256_add_epi16(sum[i], _mm256_maddubs_epi16(w, word(x0 + i * act_bytes + 4 * g)));
}

/* isum of a 4-bit block (half tile at p). */
NLP_ALWAYS_INLINE void
dot_q4(const uint8_t *p, const uint8_t *x0, size_t act_bytes, __m256i *isum, const int R)
{
	const __m256i low = _mm256_set1_epi8(15);
	__m256i		sum[MAX_ROWS];

#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
		sum[i] = _mm256_setzero_si256();
#pragma GCC unroll 4
	for (int g = 0; g < 4; g++)
	{
		__m256i		v = load(p + 64 * g);

		add_word(_mm256_and_si256(v, low), x0, act_bytes, g, sum, R);
		add_word(_mm256_and_si256(_mm256_srli_epi16(v, 4), low), x0, act_bytes, g + 4, sum, R);
	}
#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
		isum[i] = _mm256_madd_epi16(sum[i], _mm256_set1_epi16(1));
}

NLP_ALWAYS_INLINE void
dot_q5(const uint8_t *p, const uint8_t *x0, size_t act_bytes, __m256i *isum, const int R)
{
	const __m256i low = _mm256_set1_epi8(15);
	__m256i		hi = load(p + NLP_TILE_Q5_HI);

#pragma GCC unroll 2
	for (int h = 0; h < 2; h++)
	{
		__m256i		sum[MAX_ROWS];

#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			sum[i] = _mm256_setzero_si256();
#pragma GCC unroll 2
		for (int e = 0; e < 2; e++)
		{
			int			g = 2 * h + e;
			__m256i		v = load(p + 64 * g);

			add_word(with_bits(_mm256_and_si256(v, low), hi, g, 16), x0, act_bytes, g, sum, R);
			add_word(with_bits(_mm256_and_si256(_mm256_srli_epi16(v, 4), low), hi, g + 4, 16),
					 x0, act_bytes, g + 4, sum, R);
		}
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
		{
			__m256i		s = _mm256_madd_epi16(sum[i], _mm256_set1_epi16(1));

			isum[i] = h ? _mm256_add_epi32(isum[i], s) : s;
		}
	}
}

NLP_ALWAYS_INLINE void
dot_q8(const uint8_t *p, const uint8_t *x0, size_t act_bytes, __m256i *isum, const int R)
{
	const __m256i low = _mm256_set1_epi8(15);
	__m256i		sum[MAX_ROWS];
	__m256i		top[MAX_ROWS];

#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
		sum[i] = top[i] = _mm256_setzero_si256();
#pragma GCC unroll 8
	for (int g = 0; g < 8; g++)
	{
		__m256i		v = load(p + 64 * g);

		add_word(_mm256_and_si256(v, low), x0, act_bytes, g, sum, R);
		add_word(_mm256_and_si256(_mm256_srli_epi16(v, 4), low), x0, act_bytes, g, top, R);
	}
#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
		isum[i] = _mm256_add_epi32(_mm256_madd_epi16(sum[i], _mm256_set1_epi16(1)),
								   _mm256_madd_epi16(top[i], _mm256_set1_epi16(16)));
}

/* Half a tile by R rows: acc over all blocks. */
NLP_ALWAYS_INLINE void
half32(const NlpMatmulArgs *a, uint64_t tile, int half, int row, bool first, NlpMatmulSlot type,
	   int rec_bytes, int at_d, int at_m, const int R)
{
	const uint8_t *rec = a->tiles + tile * a->tile_bytes + 32 * half;
	const uint8_t *x0 = a->act + row * a->act_bytes;
	const int	at_lanes = -16 * half;	/* scales are half as wide as words */
	__m256		acc[MAX_ROWS];

#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
		acc[i] = _mm256_setzero_ps();
	for (uint64_t b = a->cols / 32; b > 0; b--)
	{
		__m256i		isum[MAX_ROWS];
		__m256		dw,
					mw;

		if (first)
			ask(rec + AHEAD, rec_bytes);
		if (type == NLP_MM_Q8_0)
			dot_q8(rec, x0, a->act_bytes, isum, R);
		else if (type == NLP_MM_Q5_0 || type == NLP_MM_Q5_1)
			dot_q5(rec, x0, a->act_bytes, isum, R);
		else
			dot_q4(rec, x0, a->act_bytes, isum, R);
		dw = f16_lanes(rec + at_d + at_lanes);
		mw = at_m ? f16_lanes(rec + at_m + at_lanes) : dw;
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
		{
			const NlpAct32 *x = (const NlpAct32 *) (x0 + i * a->act_bytes);

			isum[i] = offset32(type, isum[i], x);
			acc[i] = _mm256_fmadd_ps(_mm256_mul_ps(dw, _mm256_set1_ps(x->d)),
									 _mm256_cvtepi32_ps(isum[i]), acc[i]);
			if (at_m)
				acc[i] = _mm256_fmadd_ps(mw, _mm256_set1_ps(x->ds), acc[i]);
		}
		rec += rec_bytes;
		x0 += sizeof(NlpAct32);
	}
#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
		store_half(a, tile, half, row + i, acc[i]);
}

NLP_ALWAYS_INLINE void
rows32(const NlpMatmulArgs *a, uint64_t tile, int row, bool first, NlpMatmulSlot type,
	   int rec_bytes, int at_d, int at_m, const int R)
{
	half32(a, tile, 0, row, first, type, rec_bytes, at_d, at_m, R);
	half32(a, tile, 1, row, false, type, rec_bytes, at_d, at_m, R);
}

#define CALL_Q4_0(R) rows32(a, tile, row, first, NLP_MM_Q4_0, NLP_TILE_Q4_0_BYTES, NLP_TILE_Q4_D, 0, R)
#define CALL_Q4_1(R) rows32(a, tile, row, first, NLP_MM_Q4_1, NLP_TILE_Q4_1_BYTES, NLP_TILE_Q4_D, NLP_TILE_Q4_M, R)
#define CALL_Q5_0(R) rows32(a, tile, row, first, NLP_MM_Q5_0, NLP_TILE_Q5_0_BYTES, NLP_TILE_Q5_D, 0, R)
#define CALL_Q5_1(R) rows32(a, tile, row, first, NLP_MM_Q5_1, NLP_TILE_Q5_1_BYTES, NLP_TILE_Q5_D, NLP_TILE_Q5_M, R)
#define CALL_Q8_0(R) rows32(a, tile, row, first, NLP_MM_Q8_0, NLP_TILE_Q8_0_BYTES, NLP_TILE_Q8_D, 0, R)

DEFINE_TYPE(q4_0, CALL_Q4_0)
DEFINE_TYPE(q4_1, CALL_Q4_1)
DEFINE_TYPE(q5_0, CALL_Q5_0)
DEFINE_TYPE(q5_1, CALL_Q5_1)
DEFINE_TYPE(q8_0, CALL_Q8_0)

/* Floats: T tiles by R rows of accumulators, so that enough chains are in flight. */

NLP_ALWAYS_INLINE __m256
float_lanes(NlpMatmulSlot type, const uint8_t *tile, uint64_t k, int half)
{
	if (type == NLP_MM_F32)
		return _mm256_loadu_ps((const float *) (tile + 64 * k + 32 * half));
	tile += 32 * k + 16 * half;
	if (type == NLP_MM_F16)
		return f16_lanes(tile);
	return _mm256_castsi256_ps(_mm256_slli_epi32(
												 _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *) tile)), 16));
}

NLP_ALWAYS_INLINE void
rows_float(const NlpMatmulArgs *a, uint64_t tile, int row, NlpMatmulSlot type, const int T, const int R)
{
	const uint8_t *w0 = a->tiles + tile * a->tile_bytes;
	const uint8_t *x0 = a->act + row * a->act_bytes;
	__m256		acc[8][MAX_ROWS];	/* [half tile][row] */

#pragma GCC unroll 8
	for (int t = 0; t < 2 * T; t++)
	{
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			acc[t][i] = _mm256_setzero_ps();
	}
	for (uint64_t k = 0; k < a->cols; k++)
	{
		__m256		w[8];

#pragma GCC unroll 8
		for (int t = 0; t < 2 * T; t++)
			w[t] = float_lanes(type, w0 + t / 2 * a->tile_bytes, k, t % 2);
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
		{
			__m256		x = _mm256_broadcast_ss((const float *) (x0 + i * a->act_bytes) + k);

#pragma GCC unroll 8
			for (int t = 0; t < 2 * T; t++)
				acc[t][i] = _mm256_fmadd_ps(x, w[t], acc[t][i]);
		}
	}
#pragma GCC unroll 8
	for (int t = 0; t < 2 * T; t++)
	{
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			store_half(a, tile + t / 2, t % 2, row + i, acc[t][i]);
	}
}

NLP_ALWAYS_INLINE void
sweep_float(const NlpMatmulArgs *a, NlpMatmulSlot type)
{
	int			chunk = nlp_matmul_row_chunk(a);

	for (int from = 0; from < a->m; from += chunk)
	{
		int			to = from + chunk < a->m ? from + chunk : a->m;
		uint64_t	t = a->tile_from;

		if (to - from < 4)
		{
			for (; t + 4 <= a->tile_to; t += 4)
			{
				for (int row = from; row < to; row++)
					rows_float(a, t, row, type, 4, 1);
			}
		}
		for (; t < a->tile_to; t++)
		{
			int			row = from;

			for (; to - row >= 6; row += 6)
				rows_float(a, t, row, type, 1, 6);
			for (; to - row >= 3; row += 3)
				rows_float(a, t, row, type, 1, 3);
			for (; row < to; row++)
				rows_float(a, t, row, type, 1, 1);
		}
	}
}

static void
f32(const NlpMatmulArgs *a)
{
	sweep_float(a, NLP_MM_F32);
}

static void
f16(const NlpMatmulArgs *a)
{
	sweep_float(a, NLP_MM_F16);
}

static void
bf16(const NlpMatmulArgs *a)
{
	sweep_float(a, NLP_MM_BF16);
}

const NlpMatmulTable nlp_matmul_table_avx2 = {
	.matmul = {
		[NLP_MM_F32] = f32,
		[NLP_MM_F16] = f16,
		[NLP_MM_BF16] = bf16,
		[NLP_MM_Q4_0] = q4_0,
		[NLP_MM_Q4_1] = q4_1,
		[NLP_MM_Q5_0] = q5_0,
		[NLP_MM_Q5_1] = q5_1,
		[NLP_MM_Q8_0] = q8_0,
		[NLP_MM_Q4_K] = nlp_matmul_q4_k_avx2,
		[NLP_MM_Q5_K] = nlp_matmul_q5_k_avx2,
		[NLP_MM_Q6_K] = nlp_matmul_q6_k_avx2,
	},
	.quantize32 = nlp_quantize32_avx2,
	.quantize256 = nlp_quantize256_avx2
};

#endif
