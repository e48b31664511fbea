/* matmul_k_avx2.c --- Q4_K, Q5_K and Q6_K products with AVX2.
 *
 * maddubs products are summed in 16 bits as far as they fit (4 bits: 8 words, 5
 * bits: 4 words, 6 bits: 2 words), then one madd multiplies by the sub-block's
 * scale and joins the pair, so a sub-block costs no more than ones would. */
#include "kernel/matmul_impl.h"
#include "engine_only.h"

#if defined(__x86_64__)
#include "kernel/matmul_avx2.h"

/* Scales of a pair of sub-blocks, as 16-bit pairs a lane (8 rows). */
NLP_ALWAYS_INLINE __m256i
scale_pairs(NlpMatmulSlot type, const uint8_t *p)
{
	__m128i		v = _mm_loadu_si128((const __m128i *) p);

	return type == NLP_MM_Q6_K ? _mm256_cvtepi8_epi16(v) : _mm256_cvtepu8_epi16(v);
}

/* The first or second of a pair, twice in each lane. */
NLP_ALWAYS_INLINE __m256i
of_pair(__m256i pairs, int which)
{
	const int	a = which ? 0x0302 : 0x0100;
	const int	w0 = a | a << 16;
	const int	step = 0x04040404;

	return _mm256_shuffle_epi8(pairs, _mm256_setr_epi32(w0, w0 + step, w0 + 2 * step, w0 + 3 * step,
														w0, w0 + step, w0 + 2 * step, w0 + 3 * step));
}

/* Word g of sub-block j. */
NLP_ALWAYS_INLINE __m256i
weights(NlpMatmulSlot type, const uint8_t *rec, int j, int g)
{
	const uint8_t *nib = rec + NLP_TILE_K_NIB + 512 * (j / 2);
	bool		high = j % 2;
	__m256i		v;

	if (type == NLP_MM_Q6_K)
	{
		nib = rec + NLP_TILE_Q6_NIB + 1024 * (j / 4) + 512 * (j % 2);
		high = j % 4 >= 2;
	}
	v = load(nib + 64 * g);
	v = _mm256_and_si256(high ? _mm256_srli_epi16(v, 4) : v, _mm256_set1_epi8(15));
	if (type == NLP_MM_Q5_K)
		v = with_bits(v, load(rec + NLP_TILE_Q5_K_HI + 64 * g), j, 16);
	else if (type == NLP_MM_Q6_K)
		v = with_bits(v, load(rec + NLP_TILE_Q6_HI + 512 * (j / 4) + 64 * g), 2 * (j % 4), 48);
	return v;
}

typedef __m256i Sums[2][MAX_ROWS];	/* [half tile][row] */

/* One sub-block of 32 into the 32-bit sums of R rows. rec and sc are those of the
 * first half tile wanted. */
NLP_ALWAYS_INLINE void
sub_block(const NlpMatmulArgs *a, NlpMatmulSlot type, const uint8_t *rec, const uint8_t *sc,
		  const uint8_t *x0, int j, Sums sum, const int H, const int R)
{
	const int	words = type == NLP_MM_Q4_K ? 8 : type == NLP_MM_Q5_K ? 4 : 2;

	sc += 32 * (type == NLP_MM_Q6_K ? j : j / 2);
	if (R > 1)					/* else gcc keeps words shared by sub-blocks on the stack */
		__asm__("" : "+r"(rec), "+r"(sc));
#pragma GCC unroll 4
	for (int g0 = 0; g0 < 8; g0 += words)
	{
		Sums		part;

#pragma GCC unroll 8
		for (int g = g0; g < g0 + words; g++)
		{
			__m256i		w[2];

#pragma GCC unroll 2
			for (int h = 0; h < H; h++)
				w[h] = weights(type, rec + 32 * h, j, g);
#pragma GCC unroll 8
			for (int i = 0; i < R; i++)
			{
				__m256i		x = word(x0 + i * a->act_bytes + 32 * j + 4 * g);

#pragma GCC unroll 2
				for (int h = 0; h < H; h++)
				{
					__m256i		p = _mm256_maddubs_epi16(w[h], x);

					part[h][i] = pin(g == g0 ? p : _mm256_add_epi16(part[h][i], p));
				}
			}
		}
#pragma GCC unroll 2
		for (int h = 0; h < H; h++)
		{
			__m256i		scale = of_pair(scale_pairs(type, sc + 16 * h), type == NLP_MM_Q6_K ? g0 / 4 : j % 2);

#pragma GCC unroll 8
			for (int i = 0; i < R; i++)
				sum[h][i] = pin(_mm256_add_epi32(sum[h][i], _mm256_madd_epi16(part[h][i], scale)));
		}
	}
}

/* Sum over the pairs of sub-blocks of scale * sum of codes. */
NLP_ALWAYS_INLINE __m256i
scaled_sums(NlpMatmulSlot type, const uint8_t *sc, const int16_t *s, int pairs)
{
	__m256i		sum = _mm256_setzero_si256();

#pragma GCC unroll 8
	for (int p = 0; p < pairs; p++)
		sum = pin(_mm256_add_epi32(sum, _mm256_madd_epi16(scale_pairs(type, sc + 32 * p),
														  word((const uint8_t *) (s + 2 * p)))));
	return sum;
}

/* Half tiles half .. half + H - 1 by R rows, over all super-blocks. */
NLP_ALWAYS_INLINE void
halves256(const NlpMatmulArgs *a, uint64_t tile, int half, int row, bool first, NlpMatmulSlot type,
		  int rec_bytes, const int H, const int R)
{
	const uint8_t *rec = a->tiles + tile * a->tile_bytes;
	const uint8_t *x0 = a->act + row * a->act_bytes;
	const int	at_sc = (type == NLP_MM_Q6_K ? NLP_TILE_Q6_SC : NLP_TILE_K_SC) + 16 * half;
	__m256		acc[2][MAX_ROWS];

#pragma GCC unroll 2
	for (int h = 0; h < H; h++)
	{
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			acc[h][i] = _mm256_setzero_ps();
	}
	for (uint64_t b = a->cols / 256; b > 0; b--)
	{
		Sums		sum;

#pragma GCC unroll 2
		for (int h = 0; h < H; h++)
		{
#pragma GCC unroll 8
			for (int i = 0; i < R; i++)
			{
				const NlpAct256 *x = (const NlpAct256 *) (x0 + i * a->act_bytes);

				sum[h][i] = _mm256_setzero_si256();
				if (type == NLP_MM_Q6_K)
					sum[h][i] = _mm256_sub_epi32(sum[h][i], _mm256_slli_epi32(
																			  scaled_sums(type, rec + at_sc + 16 * h, x->s16, 8), 5));
			}
		}
#pragma GCC unroll 8
		for (int j = 0; j < 8; j++)
		{
			if (first)
				sum[0][0] = ask_after(sum[0][0], rec + AHEAD(R), rec_bytes, j);
			sub_block(a, type, rec + 32 * half, rec + at_sc, x0, j, sum, H, R);
		}
#pragma GCC unroll 2
		for (int h = 0; h < H; h++)
		{
			__m256		d = f16_lanes(rec + NLP_TILE_K_D + 16 * (half + h));

#pragma GCC unroll 8
			for (int i = 0; i < R; i++)
			{
				const NlpAct256 *x = (const NlpAct256 *) (x0 + i * a->act_bytes);
				__m256		dx = _mm256_set1_ps(x->d);

				acc[h][i] = _mm256_fmadd_ps(_mm256_mul_ps(d, dx), _mm256_cvtepi32_ps(sum[h][i]), acc[h][i]);
				if (type != NLP_MM_Q6_K)
				{
					__m256		dmin = f16_lanes(rec + NLP_TILE_K_DMIN + 16 * (half + h));
					__m256i		min = scaled_sums(type, rec + NLP_TILE_K_MN + 16 * (half + h), x->s32, 4);

					acc[h][i] = _mm256_fnmadd_ps(_mm256_mul_ps(dmin, dx), _mm256_cvtepi32_ps(min), acc[h][i]);
				}
			}
		}
		rec += rec_bytes;
		x0 += sizeof(NlpAct256);
	}
#pragma GCC unroll 2
	for (int h = 0; h < H; h++)
	{
#pragma GCC unroll 8
		for (int i = 0; i < R; i++)
			store_half(a, tile, half + h, row + i, acc[h][i]);
	}
}

/* As in matmul_avx2.c: both halves at once while registers last; 6 bits widen their
 * sums too often to keep them all. */
NLP_ALWAYS_INLINE void
rows256(const NlpMatmulArgs *a, uint64_t tile, int row, bool first, NlpMatmulSlot type,
		int rec_bytes, const int R)
{
	if (type != NLP_MM_Q6_K || R <= 2)
		halves256(a, tile, 0, row, first, type, rec_bytes, 2, R);
	else
	{
		halves256(a, tile, 0, row, first, type, rec_bytes, 1, R);
		halves256(a, tile, 1, row, false, type, rec_bytes, 1, R);
	}
}

#define CALL_Q4_K(R) rows256(a, tile, row, first, NLP_MM_Q4_K, NLP_TILE_Q4_K_BYTES, R)
#define CALL_Q5_K(R) rows256(a, tile, row, first, NLP_MM_Q5_K, NLP_TILE_Q5_K_BYTES, R)
#define CALL_Q6_K(R) rows256(a, tile, row, first, NLP_MM_Q6_K, NLP_TILE_Q6_K_BYTES, R)

DEFINE_TYPE_AS(q4_k, void nlp_matmul_q4_k_avx2, CALL_Q4_K)
DEFINE_TYPE_AS(q5_k, void nlp_matmul_q5_k_avx2, CALL_Q5_K)
DEFINE_TYPE_AS(q6_k, void nlp_matmul_q6_k_avx2, CALL_Q6_K)

#endif
