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

/* The integer sums of a block, or of one nibble of it: [half tile][row]. */
typedef __m256i Sums[2][MAX_ROWS];

NLP_ALWAYS_INLINE void
zero(Sums sum, const int H, const int R)
{
#pragma GCC unroll 2
	for (int h = 0; h < H; h++)
	{
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			sum[h][i] = _mm256_setzero_si256();
	}
}

/* Add the products of word g, weights w[half], of R rows to the 16-bit sums. */
NLP_ALWAYS_INLINE void
add_word(const __m256i *w, const uint8_t *x0, size_t act_bytes, int g, Sums sum, const int H, const int R)
{
#pragma GCC unroll 8
	for (int i = 0; i < R; i++)
	{
		__m256i		x = word(x0 + i * act_bytes + 4 * g);

#pragma GCC unroll 2
		for (int h = 0; h < H; h++)
			sum[h][i] = pin(_mm256_add_epi16(sum[h][i], _mm256_maddubs_epi16(w[h], x)));
	}
}

/* isum = (more ? isum : 0) + factor * the pairs of the 16-bit sums. */
NLP_ALWAYS_INLINE void
widen(Sums sum, int factor, bool more, Sums isum, const int H, const int R)
{
#pragma GCC unroll 2
	for (int h = 0; h < H; h++)
	{
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
		{
			__m256i		s = _mm256_madd_epi16(sum[h][i], _mm256_set1_epi16((short) factor));

			isum[h][i] = more ? _mm256_add_epi32(isum[h][i], s) : s;
		}
	}
}

NLP_ALWAYS_INLINE void
dot_q4(const uint8_t *p, const uint8_t *x0, size_t act_bytes, Sums isum, const int H, const int R)
{
	const __m256i low = _mm256_set1_epi8(15);
	Sums		sum;

	zero(sum, H, R);
#pragma GCC unroll 4
	for (int g = 0; g < 4; g++)
	{
		__m256i		lo[2],
					hi[2];

#pragma GCC unroll 2
		for (int h = 0; h < H; h++)
		{
			__m256i		v = load(p + 64 * g + 32 * h);

			lo[h] = _mm256_and_si256(v, low);
			hi[h] = _mm256_and_si256(_mm256_srli_epi16(v, 4), low);
		}
		add_word(lo, x0, act_bytes, g, sum, H, R);
		add_word(hi, x0, act_bytes, g + 4, sum, H, R);
	}
	widen(sum, 1, false, isum, H, R);
}

NLP_ALWAYS_INLINE void
dot_q5(const uint8_t *p, const uint8_t *x0, size_t act_bytes, Sums isum, const int H, const int R)
{
	const __m256i low = _mm256_set1_epi8(15);

#pragma GCC unroll 2
	for (int part = 0; part < 2; part++)
	{
		Sums		sum;

		zero(sum, H, R);
#pragma GCC unroll 2
		for (int g = 2 * part; g < 2 * part + 2; g++)
		{
			__m256i		lo[2],
						hi[2];

#pragma GCC unroll 2
			for (int h = 0; h < H; h++)
			{
				__m256i		v = load(p + 64 * g + 32 * h);
				__m256i		bits = load(p + NLP_TILE_Q5_HI + 32 * h);

				lo[h] = with_bits(_mm256_and_si256(v, low), bits, g, 16);
				hi[h] = with_bits(_mm256_and_si256(_mm256_srli_epi16(v, 4), low), bits, g + 4, 16);
			}
			add_word(lo, x0, act_bytes, g, sum, H, R);
			add_word(hi, x0, act_bytes, g + 4, sum, H, R);
		}
		widen(sum, 1, part == 1, isum, H, R);
	}
}

/* A byte's two nibbles take the places of the two halves. */
NLP_ALWAYS_INLINE void
dot_q8(const uint8_t *p, const uint8_t *x0, size_t act_bytes, Sums isum, const int H, const int R)
{
	const __m256i low = _mm256_set1_epi8(15);

#pragma GCC unroll 2
	for (int h = 0; h < H; h++)
	{
		Sums		sum;

		zero(sum, 2, R);
#pragma GCC unroll 8
		for (int g = 0; g < 8; g++)
		{
			__m256i		v = load(p + 64 * g + 32 * h);
			__m256i		w[2] = {_mm256_and_si256(v, low), _mm256_and_si256(_mm256_srli_epi16(v, 4), low)};

			add_word(w, x0, act_bytes, g, sum, 2, R);
		}
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			isum[h][i] = _mm256_add_epi32(_mm256_madd_epi16(sum[0][i], _mm256_set1_epi16(1)),
										  _mm256_madd_epi16(sum[1][i], _mm256_set1_epi16(16)));
	}
}

/* Half tiles half .. half + H - 1 by R rows, over all blocks. */
NLP_ALWAYS_INLINE void
halves32(const NlpMatmulArgs *a, uint64_t tile, int half, int row, bool first, NlpMatmulSlot type,
		 int rec_bytes, int at_d, int at_m, const int H, const int R)
{
	const uint8_t *rec = a->tiles + tile * a->tile_bytes;
	const uint8_t *x0 = a->act + row * a->act_bytes;
	__m256		acc[2][MAX_ROWS];

#pragma GCC unroll 2
	for (int h = 0; h < H; h++)
	{
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			acc[h][i] = _mm256_setzero_ps();
	}
	for (uint64_t b = a->cols / 32; b > 0; b--)
	{
		Sums		isum;

		if (first)
			ask(rec + AHEAD(R), rec_bytes);
		if (type == NLP_MM_Q8_0)
			dot_q8(rec + 32 * half, x0, a->act_bytes, isum, H, R);
		else if (type == NLP_MM_Q5_0 || type == NLP_MM_Q5_1)
			dot_q5(rec + 32 * half, x0, a->act_bytes, isum, H, R);
		else
			dot_q4(rec + 32 * half, x0, a->act_bytes, isum, H, R);
#pragma GCC unroll 2
		for (int h = 0; h < H; h++)
		{
			__m256		dw = f16_lanes(rec + at_d + 16 * (half + h));
			__m256		mw = at_m ? f16_lanes(rec + at_m + 16 * (half + h)) : dw;

#pragma GCC unroll 8
			for (int i = 0; i < R; i++)
			{
				const NlpAct32 *x = (const NlpAct32 *) (x0 + i * a->act_bytes);
				__m256		f = _mm256_cvtepi32_ps(offset32(type, isum[h][i], x));

				acc[h][i] = _mm256_fmadd_ps(_mm256_mul_ps(dw, _mm256_set1_ps(x->d)), f, acc[h][i]);
				if (at_m)
					acc[h][i] = _mm256_fmadd_ps(mw, _mm256_set1_ps(x->ds), acc[h][i]);
			}
		}
		rec += rec_bytes;
		x0 += sizeof(NlpAct32);
	}
#pragma GCC unroll 2
	for (int h = 0; h < H; h++)
	{
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			store_half(a, tile, half + h, row + i, acc[h][i]);
	}
}

/* Both halves at once share the broadcasts and let the tile stream in once; half by
 * half leaves registers for more rows. Bytes need the registers from 3 rows on. */
NLP_ALWAYS_INLINE void
rows32(const NlpMatmulArgs *a, uint64_t tile, int row, bool first, NlpMatmulSlot type,
	   int rec_bytes, int at_d, int at_m, const int R)
{
	if (type != NLP_MM_Q8_0 || R <= 2)
		halves32(a, tile, 0, row, first, type, rec_bytes, at_d, at_m, 2, R);
	else
	{
		halves32(a, tile, 0, row, first, type, rec_bytes, at_d, at_m, 1, R);
		halves32(a, tile, 1, row, false, type, rec_bytes, at_d, at_m, 1, R);
	}
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
rows_float(const NlpMatmulArgs *a, uint64_t tile, int row, bool first, NlpMatmulSlot type, const int T, const int R)
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

		if (R >= 3 && first && (type == NLP_MM_F32 || k % 2 == 0))
		{
			for (int t = 0; t < T; t++)
				_mm_prefetch((const char *) (w0 + t * a->tile_bytes + AHEAD(R) + k * (type == NLP_MM_F32 ? 64 : 32)), _MM_HINT_T0);
		}

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

/* Rows row .. row + r - 1 (r <= 6) by T tiles; T * r at most 6. */
NLP_ALWAYS_INLINE void
group_float(const NlpMatmulArgs *a, uint64_t tile, int row, int r, bool first, NlpMatmulSlot type, const int T)
{
	switch (r)
	{
		case 1:
			rows_float(a, tile, row, first, type, T, 1);
			break;
		case 2:
			rows_float(a, tile, row, first, type, T, 2);
			break;
		case 3:
			rows_float(a, tile, row, first, type, T, 3);
			break;
		case 4:
			rows_float(a, tile, row, first, type, 1, 4);
			break;
		case 5:
			rows_float(a, tile, row, first, type, 1, 5);
			break;
		default:
			rows_float(a, tile, row, first, type, 1, 6);
			break;
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

		for (; to - from == 1 && t + 4 <= a->tile_to; t += 4)
			group_float(a, t, from, 1, true, type, 4);
		for (; to - from <= 3 && t + 2 <= a->tile_to; t += 2)
			group_float(a, t, from, to - from, true, type, 2);
		for (; t < a->tile_to; t++)
		{
			for (int row = from, r; row < to; row += r)
			{
				r = nlp_matmul_group(to - row, 6);
				group_float(a, t, row, r, row == from, type, 1);
			}
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
