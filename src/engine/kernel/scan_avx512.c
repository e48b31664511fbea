/* scan_avx512.c --- the scan kernels with AVX-512 and VNNI.
 *
 * One zmm is a group of 4 dimensions of all 16 rows. vpdpbusd wants one unsigned
 * operand: codes are shifted by 128, and 128 times the sum of the query's codes taken off. */
#if defined(__x86_64__)
#define NLP_VEC_AVX512

#include "kernel/scan_body.h"
#include "engine_only.h"


V_INLINE __m512i
word_of(const int8_t *p)
{
	int32_t		v;

	memcpy(&v, p, 4);
	return _mm512_set1_epi32(v);
}

/* Sums of n groups, of which h and l are the query's codes. */
V_INLINE void
add_chunk(const int8_t *h, const int8_t *l, const char *codes, size_t n, __m512i *high, __m512i *low)
{
	const __m512i shift = _mm512_set1_epi8((char) 0x80);
	__m512i		h0 = *high,
				l0 = *low,
				h1 = _mm512_setzero_si512(),
				l1 = _mm512_setzero_si512();
	size_t		g = 0;

	for (; g + 2 <= n; g += 2, codes += 128)
	{
		__m512i		a = _mm512_xor_si512(_mm512_loadu_si512(codes), shift);
		__m512i		b = _mm512_xor_si512(_mm512_loadu_si512(codes + 64), shift);

		h0 = _mm512_dpbusd_epi32(h0, a, word_of(h + 4 * g));
		l0 = _mm512_dpbusd_epi32(l0, a, word_of(l + 4 * g));
		h1 = _mm512_dpbusd_epi32(h1, b, word_of(h + 4 * g + 4));
		l1 = _mm512_dpbusd_epi32(l1, b, word_of(l + 4 * g + 4));
	}
	if (g < n)
	{
		__m512i		a = _mm512_xor_si512(_mm512_loadu_si512(codes), shift);

		h0 = _mm512_dpbusd_epi32(h0, a, word_of(h + 4 * g));
		l0 = _mm512_dpbusd_epi32(l0, a, word_of(l + 4 * g));
	}
	*high = _mm512_add_epi32(h0, h1);
	*low = _mm512_add_epi32(l0, l1);
}

V_INLINE void
add_groups(const int8_t *h, const int8_t *l, const char *codes, size_t n, __m512i *high, __m512i *low)
{
	size_t		step = scan_step(n);

	for (size_t g = 0; g < n; g += step)
	{
		_mm_prefetch(codes + 64 * g + SCAN_AHEAD, _MM_HINT_T0);
		add_chunk(h + 4 * g, l + 4 * g, codes + 64 * g, n - g < step ? n - g : step, high, low);
	}
}

static void
scan_slice(const NlpScanQuery *q, const void *slice, size_t first, size_t n, int32_t high[16], int32_t low[16])
{
	const int32_t *hs = nlp_scan_sums(q, 0);
	const int32_t *ls = nlp_scan_sums(q, 1);
	const int8_t *h = q->planes + 4 * first;
	__m512i		hv = _mm512_sub_epi32(_mm512_loadu_si512(high),
									  _mm512_set1_epi32(128 * (hs[first + n] - hs[first])));
	__m512i		lv = _mm512_sub_epi32(_mm512_loadu_si512(low),
									  _mm512_set1_epi32(128 * (ls[first + n] - ls[first])));

	add_groups(h, h + 4 * nlp_scan_groups(q->dim), slice, n, &hv, &lv);
	_mm512_storeu_si512(high, hv);
	_mm512_storeu_si512(low, lv);
}

/* 128 * high + low, exact in double, rounded once to f32. */
V_INLINE __m256
join(__m256i high, __m256i low)
{
	return _mm512_cvtpd_ps(_mm512_fmadd_pd(_mm512_cvtepi32_pd(high), _mm512_set1_pd(128),
										   _mm512_cvtepi32_pd(low)));
}

static void
scan_tiles(const NlpScanQuery *q, const void *tiles, size_t n_tiles, float *sums)
{
	size_t		groups = nlp_scan_groups(q->dim);
	const int8_t *h = q->planes;
	const char *tile = tiles;
	__m512i		h0 = _mm512_set1_epi32(-128 * nlp_scan_sums(q, 0)[groups]);
	__m512i		l0 = _mm512_set1_epi32(-128 * nlp_scan_sums(q, 1)[groups]);

	for (size_t t = 0; t < n_tiles; t++, tile += 4 * NLP_SCAN_ROWS * groups)
	{
		__m512i		high = h0,
					low = l0;

		add_groups(h, h + 4 * groups, tile, groups, &high, &low);
		_mm256_storeu_ps(sums + NLP_SCAN_ROWS * t,
						 join(_mm512_castsi512_si256(high), _mm512_castsi512_si256(low)));
		_mm256_storeu_ps(sums + NLP_SCAN_ROWS * t + 8,
						 join(_mm512_extracti64x4_epi64(high, 1), _mm512_extracti64x4_epi64(low, 1)));
	}
}

/* Every third float of a, b, c, from the one that the first index names. */
V_INLINE __m512
third(__m512 a, __m512 b, __m512 c, int from)
{
	__m512i		step = _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
										  _mm512_set1_epi32(3));
	__m512i		at = _mm512_add_epi32(step, _mm512_set1_epi32(from));
	__mmask16	late = _mm512_cmpge_epi32_mask(at, _mm512_set1_epi32(32));

	return _mm512_mask_permutexvar_ps(_mm512_permutex2var_ps(a, at, b), late, at, c);
}

static void
scan_reach(float query_scale, const NlpScanSlack *s, const NlpScanCode *rows, const float *sums,
		   size_t n_tiles, float threshold, uint16_t *masks)
{
	for (size_t t = 0; t < n_tiles; t++, rows += NLP_SCAN_ROWS)
	{
		const float *p = (const float *) rows;
		__m512		a = _mm512_loadu_ps(p);
		__m512		b = _mm512_loadu_ps(p + 16);
		__m512		c = _mm512_loadu_ps(p + 32);
		__m512		slack = v_add(v_add(v_mul(v_set(s->error_part), third(a, b, c, 1)),
										v_mul(v_set(s->norm_part), third(a, b, c, 2))), v_set(s->rest));
		__m512		scale = v_mul(v_set(query_scale), third(a, b, c, 0));
		__m512		upper = v_add(v_mul(scale, v_load(sums + NLP_SCAN_ROWS * t)), slack);

		masks[t] = (uint16_t) _mm512_cmp_ps_mask(upper, v_set(threshold), _CMP_NLT_UQ);
	}
}

const NlpScanOps nlp_scan_avx512 = SCAN_OPS;
#else
typedef int nlp_scan_avx512_is_empty;
#endif
