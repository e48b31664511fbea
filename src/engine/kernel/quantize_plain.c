/* quantize_plain.c --- coding activation rows, plain C: the twin the others equal.
 *
 * 32-blocks: d = amax / 127, code = round-half-away(x * (1 / d)), the operations of
 * ggml's q8_0 reference quantiser (d kept in f32, where ggml stores f16).
 * 256-blocks: iscale = -127 / (the first element of largest magnitude, signed),
 * code = round-half-even(iscale * x), d = 1 / iscale: ggml's q8_K reference.
 * Defined here, undefined there: a block that holds a NaN or an infinity gets
 * d = NaN and codes 0, so its outputs are NaN; a block so small that the inverse
 * of its scale overflows (below 4e-37) counts as zero. */
#include <float.h>

#include "kernel/matmul_impl.h"
#include "engine_only.h"

static inline uint32_t
magnitude_bits(float x)
{
	uint32_t	bits;

	memcpy(&bits, &x, 4);
	return bits & 0x7fffffffu;
}

/* Largest magnitude of n values as bits, which order as the magnitudes do, NaN last. */
static inline uint32_t
max_magnitude(const float *x, int n)
{
	uint32_t	max = 0;

	for (int i = 0; i < n; i++)
	{
		uint32_t	bits = magnitude_bits(x[i]);

		if (bits > max)
			max = bits;
	}
	return max;
}

/* Round half away from zero for |x| < 2^22: the float before 0.5 is added, since
 * 0.5 itself would carry 0.49999997 up to 1. */
static inline int
round_away(float x)
{
	return (int) (x + __builtin_copysignf(0x1.fffffep-2f, x));
}

/* Round half to even for |x| < 2^22. */
static inline int
round_even(float x)
{
	return (int) ((x + 0x1.8p23f) - 0x1.8p23f);
}

void
nlp_quantize32_plain(const float *x, NlpAct32 *dst, size_t blocks)
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
		if (bits >= 0x7f800000u)
		{
			d = __builtin_nanf("");
			id = 0.0f;
		}
		else if (id > FLT_MAX)
			d = id = 0.0f;
		for (int i = 0; i < 32; i++)
		{
			dst->q[i] = (int8_t) (id == 0.0f ? 0 : round_away(x[i] * id));
			sum += dst->q[i];
		}
		dst->d = d;
		dst->ds = d * (float) sum;
		dst->n8 = -8 * sum;
		dst->n128 = -128 * sum;
	}
}

static void
code256(const float *x, NlpAct256 *dst, float iscale)
{
	for (int i = 0; i < 256; i++)
	{
		int			v = iscale == 0.0f ? 0 : round_even(iscale * x[i]);

		dst->q[i] = (int8_t) (v < 127 ? v : 127);
	}
	for (int j = 0; j < 16; j++)
	{
		int			sum = 0;

		for (int i = 0; i < 16; i++)
			sum += dst->q[16 * j + i];
		dst->s16[j] = (int16_t) sum;
	}
	for (int j = 0; j < 8; j++)
		dst->s32[j] = (int16_t) (dst->s16[2 * j] + dst->s16[2 * j + 1]);
}

void
nlp_quantize256_plain(const float *x, NlpAct256 *dst, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++, x += 256, dst++)
	{
		uint32_t	bits = max_magnitude(x, 256);
		float		iscale;
		int			at = 0;

		while (magnitude_bits(x[at]) != bits)
			at++;
		iscale = -127.0f / x[at];
		dst->d = 1.0f / iscale;
		if (bits >= 0x7f800000u)
		{
			dst->d = __builtin_nanf("");
			iscale = 0.0f;
		}
		else if (iscale > FLT_MAX || iscale < -FLT_MAX)
			dst->d = iscale = 0.0f;
		memset(dst->pad, 0, sizeof(dst->pad));
		code256(x, dst, iscale);
	}
}
