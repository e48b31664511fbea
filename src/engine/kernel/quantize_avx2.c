/* quantize_avx2.c --- coding activation rows with AVX2; also the AVX-512 level's.
 * The same operations as quantize_plain.c, so the same bytes. */
#include <float.h>

#include "kernel/matmul_impl.h"
#include "engine_only.h"

#if defined(__x86_64__)
#include <immintrin.h>

NLP_ALWAYS_INLINE __m256i
magnitude_bits(__m256 v)
{
	return _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffffff));
}

/* Largest of 8 non-negative integers. */
NLP_ALWAYS_INLINE uint32_t
max_lane(__m256i v)
{
	__m128i		m = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
	m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1));
	return (uint32_t) _mm_cvtsi128_si32(m);
}

NLP_ALWAYS_INLINE int
sum_lanes(__m256i v)
{
	__m128i		s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
	return _mm_cvtsi128_si32(s);
}

/* Four vectors of 8 integers within int8 to 32 bytes in order. */
NLP_ALWAYS_INLINE __m256i
bytes_of(const __m256i *v)
{
	__m256i		p = _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));

	return _mm256_permutevar8x32_epi32(p, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* Round half away from zero, as quantize_plain.c's round_away. */
NLP_ALWAYS_INLINE __m256i
round_away(__m256 x)
{
	__m256		sign = _mm256_and_ps(x, _mm256_castsi256_ps(_mm256_set1_epi32((int) 0x80000000u)));

	return _mm256_cvttps_epi32(_mm256_add_ps(x, _mm256_or_ps(sign, _mm256_set1_ps(0x1.fffffep-2f))));
}

void
nlp_quantize32_avx2(const float *x, NlpAct32 *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, x += 32, dst++)
	{
		__m256		v[4];
		__m256i		max = _mm256_setzero_si256();
		__m256i		code[4];
		__m256i		ones;
		uint32_t	bits;
		float		amax,
					d,
					id;
		int			sum = 0;

		for (int i = 0; i < 4; i++)
		{
			v[i] = _mm256_loadu_ps(x + 8 * i);
			max = _mm256_max_epi32(max, magnitude_bits(v[i]));
		}
		bits = max_lane(max);
		memcpy(&amax, &bits, 4);
		d = amax / 127.0f;
		id = 1.0f / d;
		if (bits >= 0x7f800000u || id > FLT_MAX)
		{
			d = bits >= 0x7f800000u ? __builtin_nanf("") : 0.0f;
			_mm256_storeu_si256((__m256i *) dst->q, _mm256_setzero_si256());
		}
		else
		{
			for (int i = 0; i < 4; i++)
				code[i] = round_away(_mm256_mul_ps(v[i], _mm256_set1_ps(id)));
			_mm256_storeu_si256((__m256i *) dst->q, bytes_of(code));
			ones = _mm256_add_epi32(_mm256_add_epi32(code[0], code[1]), _mm256_add_epi32(code[2], code[3]));
			sum = sum_lanes(ones);
		}
		dst->d = d;
		dst->ds = d * (float) sum;
		dst->n8 = -8 * sum;
		dst->n128 = -128 * sum;
	}
}

/* Index of the first of 256 values whose magnitude is bits. */
NLP_ALWAYS_INLINE int
first_of(const float *x, uint32_t bits)
{
	for (int i = 0;; i += 8)
	{
		__m256i		eq = _mm256_cmpeq_epi32(magnitude_bits(_mm256_loadu_ps(x + i)), _mm256_set1_epi32((int) bits));
		int			mask = _mm256_movemask_ps(_mm256_castsi256_ps(eq));

		if (mask)
			return i + __builtin_ctz(mask);
	}
}

void
nlp_quantize256_avx2(const float *x, NlpAct256 *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, x += 256, dst++)
	{
		__m256i		max = _mm256_setzero_si256();
		uint32_t	bits;
		float		iscale;

		for (int i = 0; i < 256; i += 8)
			max = _mm256_max_epi32(max, magnitude_bits(_mm256_loadu_ps(x + i)));
		bits = max_lane(max);
		iscale = -127.0f / x[first_of(x, bits)];
		if (bits >= 0x7f800000u || iscale > FLT_MAX || iscale < -FLT_MAX)
		{
			memset(dst, 0, sizeof(*dst));
			dst->d = bits >= 0x7f800000u ? __builtin_nanf("") : 0.0f;
			continue;
		}
		for (int j = 0; j < 8; j++)
		{
			__m256i		code[4];

			for (int i = 0; i < 4; i++)
			{
				/* cvtps rounds half to even, and nothing here changes the rounding mode */
				code[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_set1_ps(iscale), _mm256_loadu_ps(x + 32 * j + 8 * i)));
			}
			_mm256_storeu_si256((__m256i *) (dst->q + 32 * j), bytes_of(code));
			dst->s16[2 * j] = (int16_t) sum_lanes(_mm256_add_epi32(code[0], code[1]));
			dst->s16[2 * j + 1] = (int16_t) sum_lanes(_mm256_add_epi32(code[2], code[3]));
			dst->s32[j] = (int16_t) (dst->s16[2 * j] + dst->s16[2 * j + 1]);
		}
		dst->d = 1.0f / iscale;
		memset(dst->pad, 0, sizeof(dst->pad));
	}
}

#endif
