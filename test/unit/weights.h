/* weights.h --- random weights in file layout for the pack and matmul tests, and
 * reading them element by element, written from the format alone: none of the
 * engine's packing or kernels is used here. */
#ifndef TEST_WEIGHTS_H
#define TEST_WEIGHTS_H

#include <stdint.h>
#include <string.h>

#include "core/half.h"
#include "tensor/dtype.h"

static const NlpDtype all_types[] = {
	NLP_F32, NLP_F16, NLP_BF16, NLP_Q4_0, NLP_Q4_1, NLP_Q5_0, NLP_Q5_1, NLP_Q8_0,
	NLP_Q4_K, NLP_Q5_K, NLP_Q6_K
};
#define N_TYPES ((int) (sizeof(all_types) / sizeof(all_types[0])))

static uint64_t test_seed = 0x1234567;

static inline uint32_t
rnd(void)
{
	test_seed = test_seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t) (test_seed >> 33) ^ (uint32_t) (test_seed >> 11);
}

/* Uniform in [-1, 1). */
static inline float
rnd_unit(void)
{
	return (float) (int32_t) rnd() * 0x1p-31f;
}

/* Where a block's f16 scales lie; returns how many. */
static inline int
scale_places(NlpDtype t, int at[2])
{
	at[0] = t == NLP_Q6_K ? 208 : 0;
	at[1] = 2;
	if (t == NLP_Q4_1 || t == NLP_Q5_1 || t == NLP_Q4_K || t == NLP_Q5_K)
		return 2;
	return t == NLP_F32 || t == NLP_F16 || t == NLP_BF16 ? 0 : 1;
}

typedef enum WeightMood
{
	MOOD_USUAL,					/* random codes, scales like a model's */
	MOOD_LOW,					/* every code at its lowest byte pattern: 0x00, bytes -128 */
	MOOD_HIGH,					/* every bit set, bytes -1 or 127 */
	MOOD_TINY,					/* subnormal half scales */
	MOOD_LARGE					/* the largest finite scales */
} WeightMood;
#define N_MOODS 5

static inline uint16_t
mood_scale(WeightMood mood)
{
	switch (mood)
	{
		case MOOD_TINY:
			return (uint16_t) ((rnd() & 0x8000) | (rnd() & 0x3ff));
		case MOOD_LARGE:
			return (uint16_t) ((rnd() & 0x8000) | 0x7bff);
		default:
			return rnd() % 50 == 0 ? 0 : nlp_f32_to_f16(rnd_unit() * 0.05f);
	}
}

/* n blocks of file layout, finite. */
static inline void
random_blocks(NlpDtype t, WeightMood mood, uint8_t *dst, size_t n)
{
	const NlpDtypeInfo *info = nlp_dtype_info(t);

	for (size_t b = 0; b < n; b++, dst += info->block_bytes)
	{
		int			at[2];
		int			scales = scale_places(t, at);

		for (int i = 0; i < info->block_bytes; i++)
		{
			dst[i] = (uint8_t) rnd();
			if (mood == MOOD_LOW)
				dst[i] = t == NLP_Q8_0 || (t == NLP_Q6_K && i >= 192) ? 0x80 : 0;
			else if (mood == MOOD_HIGH)
				dst[i] = t == NLP_Q8_0 || (t == NLP_Q6_K && i >= 192) ? 0x7f : 0xff;
		}
		for (int i = 0; i < scales; i++)
		{
			uint16_t	h = mood_scale(mood);

			memcpy(dst + at[i], &h, 2);
		}
		if (t == NLP_F32)
		{
			float		f = rnd_unit() * (mood == MOOD_TINY ? 1e-39f : mood == MOOD_LARGE ? 1e37f : 0.1f);

			memcpy(dst, &f, 4);
		}
		else if (t == NLP_F16)
		{
			uint16_t	h = mood_scale(mood);

			memcpy(dst, &h, 2);
		}
		else if (t == NLP_BF16)
		{
			uint16_t	h = nlp_f32_to_bf16(rnd_unit() * (mood == MOOD_TINY ? 1e-39f : 0.1f));

			memcpy(dst, &h, 2);
		}
	}
}

/* The integer code of element k of a block, its offset taken out. */
static inline int
block_code(NlpDtype t, const uint8_t *b, int k)
{
	int			header = t == NLP_Q4_0 ? 2 : t == NLP_Q4_1 ? 4 : t == NLP_Q5_0 ? 6 : 8;
	int			nibble;
	uint32_t	high;

	switch (t)
	{
		case NLP_Q8_0:
			return (int8_t) b[2 + k];
		case NLP_Q4_0:
		case NLP_Q4_1:
		case NLP_Q5_0:
		case NLP_Q5_1:
			nibble = (b[header + k % 16] >> (k / 16 * 4)) & 15;
			if (t == NLP_Q4_0)
				return nibble - 8;
			if (t == NLP_Q4_1)
				return nibble;
			memcpy(&high, b + header - 4, 4);
			nibble += 16 * (int) ((high >> k) & 1);
			return t == NLP_Q5_0 ? nibble - 16 : nibble;
		case NLP_Q4_K:
			return (b[16 + k / 64 * 32 + k % 32] >> (k / 32 % 2 * 4)) & 15;
		case NLP_Q5_K:
			return ((b[48 + k / 64 * 32 + k % 32] >> (k / 32 % 2 * 4)) & 15) +
				16 * ((b[16 + k % 32] >> (k / 32)) & 1);
		case NLP_Q6_K:
			return ((b[k / 128 * 64 + k % 64] >> (k % 128 / 64 * 4)) & 15) +
				16 * ((b[128 + k / 128 * 32 + k % 32] >> (k % 128 / 32 * 2)) & 3) - 32;
		default:
			return 0;
	}
}

/* K-quants: integer scale and minimum of the sub-block that holds element k. */
static inline int
block_sub_scale(NlpDtype t, const uint8_t *b, int k)
{
	const uint8_t *q = b + 4;
	int			j = k / 32;

	if (t == NLP_Q6_K)
		return (int8_t) b[192 + k / 16];
	return j < 4 ? q[j] & 63 : (q[j + 4] & 15) + 16 * (q[j - 4] >> 6);
}

static inline int
block_sub_min(const uint8_t *b, int k)
{
	const uint8_t *q = b + 4;
	int			j = k / 32;

	return j < 4 ? q[j + 4] & 63 : (q[j + 4] >> 4) + 16 * (q[j] >> 6);
}

static inline float
block_f16(const uint8_t *b, int at)
{
	uint16_t	h;

	memcpy(&h, b + at, 2);
	return nlp_f16_to_f32(h);
}

#endif
