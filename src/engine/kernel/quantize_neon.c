/* quantize_neon.c --- coding activation rows on aarch64: the same bytes as
 * quantize_plain.c, by the instructions that round half away and half to even. */
#include <float.h>

#include "kernel/matmul_impl.h"
#include "engine_only.h"

#if defined(__aarch64__)
#include <arm_neon.h>

NLP_ALWAYS_INLINE uint32x4_t
magnitude_bits(float32x4_t v)
{
	return vandq_u32(vreinterpretq_u32_f32(v), vdupq_n_u32(0x7fffffff));
}

NLP_ALWAYS_INLINE uint32_t
max_magnitude(const float *x, int n)
{
	uint32x4_t	max = vdupq_n_u32(0);

	for (int i = 0; i < n; i += 4)
		max = vmaxq_u32(max, magnitude_bits(vld1q_f32(x + i)));
	return vmaxvq_u32(max);
}

/* 16 integers within int8 to bytes; returns their sum. */
NLP_ALWAYS_INLINE int
store_codes(int8_t *q, const int32x4_t *v)
{
	int16x8_t	a = vcombine_s16(vmovn_s32(v[0]), vmovn_s32(v[1]));
	int16x8_t	b = vcombine_s16(vmovn_s32(v[2]), vmovn_s32(v[3]));

	vst1q_s8(q, vcombine_s8(vmovn_s16(a), vmovn_s16(b)));
	return vaddvq_s16(vaddq_s16(a, b));
}

void
nlp_quantize32_neon(const float *x, NlpAct32 *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, x += 32, dst++)
	{
		uint32_t	bits = max_magnitude(x, 32);
		float		amax;
		float		d;
		float		id;
		int			sum = 0;

		memcpy(&amax, &bits, 4);
		d = amax / 127.0f;
		id = 1.0f / d;
		if (bits >= 0x7f800000u || id > FLT_MAX)
		{
			d = bits >= 0x7f800000u ? __builtin_nanf("") : 0.0f;
			memset(dst->q, 0, 32);
		}
		else
		{
			for (int h = 0; h < 2; h++)
			{
				int32x4_t	code[4];

				for (int i = 0; i < 4; i++)
					code[i] = vcvtaq_s32_f32(vmulq_n_f32(vld1q_f32(x + 16 * h + 4 * i), id));
				sum += store_codes(dst->q + 16 * h, code);
			}
		}
		dst->d = d;
		dst->ds = d * (float) sum;
		dst->n8 = -8 * sum;
		dst->n128 = -128 * sum;
	}
}

void
nlp_quantize256_neon(const float *x, NlpAct256 *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, x += 256, dst++)
	{
		uint32_t	bits = max_magnitude(x, 256);
		float		iscale;
		int			at = 0;

		while (vgetq_lane_u32(magnitude_bits(vdupq_n_f32(x[at])), 0) != bits)
			at++;
		iscale = -127.0f / x[at];
		if (bits >= 0x7f800000u || iscale > FLT_MAX || iscale < -FLT_MAX)
		{
			memset(dst, 0, sizeof(*dst));
			dst->d = bits >= 0x7f800000u ? __builtin_nanf("") : 0.0f;
			continue;
		}
		for (int j = 0; j < 16; j++)
		{
			int32x4_t	code[4];

			for (int i = 0; i < 4; i++)
				code[i] = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 16 * j + 4 * i), iscale));
			dst->s16[j] = (int16_t) store_codes(dst->q + 16 * j, code);
		}
		for (int j = 0; j < 8; j++)
			dst->s32[j] = (int16_t) (dst->s16[2 * j] + dst->s16[2 * j + 1]);
		dst->d = 1.0f / iscale;
		memset(dst->pad, 0, sizeof(dst->pad));
	}
}

#endif
