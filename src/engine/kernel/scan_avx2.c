/* scan_avx2.c --- the scan kernels with AVX2.
 *
 * vpmaddubsw adds two products in 16 bits and saturates. It takes the rows' codes as
 * the unsigned operand, shifted by 128 (1..255), and the query's planes as the signed
 * one: 2 * 255 * 64 = 32,640, so it never does. 128 times the sum of the query's codes
 * comes off again at the end. */
#if defined(__x86_64__)
#define NLP_VEC_AVX2

#include "kernel/scan_body.h"
#include "engine_only.h"


typedef struct Sums
{
	__m256i		high[2],		/* rows 0..7, 8..15 */
				low[2];
} Sums;

V_INLINE __m256i
word_of(const int8_t *p)
{
	int32_t		v;

	memcpy(&v, p, 4);
	return _mm256_set1_epi32(v);
}

V_INLINE __m256i
add_products(__m256i sum, __m256i codes, __m256i query)
{
	return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(codes, query), _mm256_set1_epi16(1)));
}

V_INLINE void
add_chunk(const int8_t *h, const int8_t *l, const char *codes, size_t n, Sums *sums)
{
	const __m256i shift = _mm256_set1_epi8((char) 0x80);
	Sums		s = *sums;

	for (size_t g = 0; g < n; g++, codes += 64)
	{
		__m256i		a = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *) codes), shift);
		__m256i		b = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *) (codes + 32)), shift);
		__m256i		hq = word_of(h + 4 * g);
		__m256i		lq = word_of(l + 4 * g);

		s.high[0] = add_products(s.high[0], a, hq);
		s.high[1] = add_products(s.high[1], b, hq);
		s.low[0] = add_products(s.low[0], a, lq);
		s.low[1] = add_products(s.low[1], b, lq);
	}
	*sums = s;
}

V_INLINE void
add_groups(const int8_t *h, const int8_t *l, const char *codes, size_t n, Sums *sums)
{
	size_t		step = scan_step(n);

	for (size_t g = 0; g < n; g += step)
	{
		_mm_prefetch(codes + 64 * g + SCAN_AHEAD, _MM_HINT_T0);
		add_chunk(h + 4 * g, l + 4 * g, codes + 64 * g, n - g < step ? n - g : step, sums);
	}
}

static void
scan_slice(const NlpScanQuery *q, const void *slice, size_t first, size_t n, int32_t high[16], int32_t low[16])
{
	const int32_t *hs = nlp_scan_sums(q, 0);
	const int32_t *ls = nlp_scan_sums(q, 1);
	const int8_t *h = q->planes + 4 * first;
	__m256i		h0 = _mm256_set1_epi32(128 * (hs[first + n] - hs[first]));
	__m256i		l0 = _mm256_set1_epi32(128 * (ls[first + n] - ls[first]));
	Sums		s;

	for (int i = 0; i < 2; i++)
	{
		s.high[i] = _mm256_sub_epi32(_mm256_loadu_si256((__m256i *) (high + 8 * i)), h0);
		s.low[i] = _mm256_sub_epi32(_mm256_loadu_si256((__m256i *) (low + 8 * i)), l0);
	}
	add_groups(h, h + 4 * nlp_scan_groups(q->dim), slice, n, &s);
	for (int i = 0; i < 2; i++)
	{
		_mm256_storeu_si256((__m256i *) (high + 8 * i), s.high[i]);
		_mm256_storeu_si256((__m256i *) (low + 8 * i), s.low[i]);
	}
}

/* 128 * high + low, exact in double, rounded once to f32. */
V_INLINE __m128
join(__m128i high, __m128i low)
{
	return _mm256_cvtpd_ps(_mm256_fmadd_pd(_mm256_cvtepi32_pd(high), _mm256_set1_pd(128),
										   _mm256_cvtepi32_pd(low)));
}

static void
scan_tiles(const NlpScanQuery *q, const void *tiles, size_t n_tiles, float *sums)
{
	size_t		groups = nlp_scan_groups(q->dim);
	const int8_t *h = q->planes;
	const char *tile = tiles;
	__m256i		h0 = _mm256_set1_epi32(-128 * nlp_scan_sums(q, 0)[groups]);
	__m256i		l0 = _mm256_set1_epi32(-128 * nlp_scan_sums(q, 1)[groups]);

	for (size_t t = 0; t < n_tiles; t++, tile += 4 * NLP_SCAN_ROWS * groups)
	{
		Sums		s = {{h0, h0}, {l0, l0}};

		add_groups(h, h + 4 * groups, tile, groups, &s);
		for (int i = 0; i < 2; i++)
		{
			float	   *out = sums + NLP_SCAN_ROWS * t + 8 * i;

			_mm_storeu_ps(out, join(_mm256_castsi256_si128(s.high[i]), _mm256_castsi256_si128(s.low[i])));
			_mm_storeu_ps(out + 4, join(_mm256_extracti128_si256(s.high[i], 1), _mm256_extracti128_si256(s.low[i], 1)));
		}
	}
}

/* Every third float of a, b, c (24 floats): from the first, second or third on. Their
 * lanes are all different, so two blends bring them together. */
V_INLINE __m256
scales_of(__m256 a, __m256 b, __m256 c)
{
	__m256		m = _mm256_blend_ps(_mm256_blend_ps(a, b, 0x92), c, 0x24);

	return _mm256_permutevar8x32_ps(m, _mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5));
}

V_INLINE __m256
errors_of(__m256 a, __m256 b, __m256 c)
{
	__m256		m = _mm256_blend_ps(_mm256_blend_ps(a, b, 0x24), c, 0x49);

	return _mm256_permutevar8x32_ps(m, _mm256_setr_epi32(1, 4, 7, 2, 5, 0, 3, 6));
}

V_INLINE __m256
norms_of(__m256 a, __m256 b, __m256 c)
{
	__m256		m = _mm256_blend_ps(_mm256_blend_ps(a, b, 0x49), c, 0x92);

	return _mm256_permutevar8x32_ps(m, _mm256_setr_epi32(2, 5, 0, 3, 6, 1, 4, 7));
}

static void
scan_reach(float query_scale, const NlpScanSlack *s, const NlpScanCode *rows, const float *sums,
		   size_t n_tiles, float threshold, uint16_t *masks)
{
	const float *p = (const float *) rows;

	for (size_t t = 0; t < n_tiles; t++)
	{
		unsigned	mask = 0;

		for (int i = 0; i < 2; i++, p += 24, sums += 8)
		{
			__m256		a = _mm256_loadu_ps(p);
			__m256		b = _mm256_loadu_ps(p + 8);
			__m256		c = _mm256_loadu_ps(p + 16);
			__m256		slack = _mm256_add_ps(_mm256_mul_ps(_mm256_set1_ps(s->error_part), errors_of(a, b, c)),
											  _mm256_mul_ps(_mm256_set1_ps(s->norm_part), norms_of(a, b, c)));
			__m256		scale = _mm256_mul_ps(_mm256_set1_ps(query_scale), scales_of(a, b, c));
			__m256		upper;

			slack = _mm256_add_ps(slack, _mm256_set1_ps(s->rest));
			upper = _mm256_add_ps(_mm256_mul_ps(scale, _mm256_loadu_ps(sums)), slack);
			mask |= (unsigned) _mm256_movemask_ps(_mm256_cmp_ps(upper, _mm256_set1_ps(threshold), _CMP_NLT_UQ)) << 8 * i;
		}
		masks[t] = (uint16_t) mask;
	}
}

const NlpScanOps nlp_scan_avx2 = SCAN_OPS;
#else
typedef int nlp_scan_avx2_is_empty;
#endif
