/* dtype_write.c --- f32 to file layout, as ggml's reference quantisers do it.
 *
 * For one block of 32: the symmetric types scale by the value of largest magnitude
 * (its sign kept, so that it lands on the most negative code); the ones with a
 * minimum map [min, max] to the codes. Codes are rounded by adding one half and
 * cutting, Q8_0 by rounding half away from zero; all arithmetic is in f32 and in
 * the reference's order, so blocks are bit-equal to what llama.cpp writes.
 * What the reference leaves undefined (NaN, infinite or overflowing quotients) is
 * defined here as x86-64 does it: such a code is 0.
 * Source: quantize_row_*_ref in ggml-quants.c, read for the arithmetic. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/half.h"
#include "tensor/dtype.h"
#include "engine_only.h"

#define QK 32

/* The low byte of f cut to an integer; 0 when it is not one of 32 bits. */
static inline int8_t
cut_i8(float f)
{
	if (!(f > -2147483648.0f && f < 2147483648.0f))
		return 0;
	return (int8_t) (uint8_t) (int32_t) f;
}

/* A code of at most top; like the reference, a negative code wraps as a byte. */
static inline uint8_t
code(float f, int top)
{
	int			v = cut_i8(f);

	return (uint8_t) (v < top ? v : top);
}

static inline void
store_u16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

/* The value whose magnitude is largest, the first of equals. */
static float
extreme(const float *x)
{
	float		amax = 0.0f;
	float		max = 0.0f;

	for (int j = 0; j < QK; j++)
	{
		if (amax < fabsf(x[j]))
		{
			amax = fabsf(x[j]);
			max = x[j];
		}
	}
	return max;
}

static void
range(const float *x, float *min, float *max)
{
	*min = FLT_MAX;
	*max = -FLT_MAX;
	for (int j = 0; j < QK; j++)
	{
		if (x[j] < *min)
			*min = x[j];
		if (x[j] > *max)
			*max = x[j];
	}
}

static inline float
inverse(float d)
{
	return d != 0.0f ? 1.0f / d : 0.0f;
}

static void
write_q4_0(const float *x, uint8_t *b)
{
	float		d = extreme(x) / -8.0f;
	float		id = inverse(d);

	store_u16(b, nlp_f32_to_f16(d));
	for (int j = 0; j < QK / 2; j++)
	{
		uint8_t		lo = code(x[j] * id + 8.5f, 15);
		uint8_t		hi = code(x[j + QK / 2] * id + 8.5f, 15);

		b[2 + j] = (uint8_t) (lo | hi << 4);
	}
}

static void
write_q4_1(const float *x, uint8_t *b)
{
	float		min,
				max,
				d,
				id;

	range(x, &min, &max);
	d = (max - min) / 15.0f;
	id = inverse(d);
	store_u16(b, nlp_f32_to_f16(d));
	store_u16(b + 2, nlp_f32_to_f16(min));
	for (int j = 0; j < QK / 2; j++)
	{
		uint8_t		lo = code((x[j] - min) * id + 0.5f, 15);
		uint8_t		hi = code((x[j + QK / 2] - min) * id + 0.5f, 15);

		b[4 + j] = (uint8_t) (lo | hi << 4);
	}
}

/* Low nibbles to q, fifth bits to *high, of codes already computed. */
static void
pack_five_bits(const uint8_t *codes, uint8_t *high, uint8_t *q)
{
	uint32_t	bits = 0;

	for (int j = 0; j < QK / 2; j++)
		q[j] = (uint8_t) ((codes[j] & 15) | (codes[j + QK / 2] & 15) << 4);
	for (int j = 0; j < QK; j++)
		bits |= (uint32_t) (codes[j] >> 4 & 1) << j;
	memcpy(high, &bits, 4);
}

static void
write_q5_0(const float *x, uint8_t *b)
{
	float		d = extreme(x) / -16.0f;
	float		id = inverse(d);
	uint8_t		codes[QK];

	store_u16(b, nlp_f32_to_f16(d));
	for (int j = 0; j < QK; j++)
		codes[j] = code(x[j] * id + 16.5f, 31);
	pack_five_bits(codes, b + 2, b + 6);
}

static void
write_q5_1(const float *x, uint8_t *b)
{
	float		min,
				max,
				d,
				id;
	uint8_t		codes[QK];

	range(x, &min, &max);
	d = (max - min) / 31.0f;
	id = inverse(d);
	store_u16(b, nlp_f32_to_f16(d));
	store_u16(b + 2, nlp_f32_to_f16(min));
	for (int j = 0; j < QK; j++)
		codes[j] = (uint8_t) cut_i8((x[j] - min) * id + 0.5f);
	pack_five_bits(codes, b + 4, b + 8);
}

static void
write_q8_0(const float *x, uint8_t *b)
{
	float		d = fabsf(extreme(x)) / 127.0f;
	float		id = inverse(d);

	store_u16(b, nlp_f32_to_f16(d));
	for (int j = 0; j < QK; j++)
		b[2 + j] = (uint8_t) cut_i8(roundf(x[j] * id));
}

static void
write_floats(NlpDtype dtype, const float *src, uint8_t *dst, size_t n)
{
	switch (dtype)
	{
		case NLP_F16:
			for (size_t i = 0; i < n; i++)
				store_u16(dst + 2 * i, nlp_f32_to_f16(src[i]));
			break;
		case NLP_BF16:
			for (size_t i = 0; i < n; i++)
				store_u16(dst + 2 * i, nlp_f32_to_bf16(src[i]));
			break;
		default:
			memcpy(dst, src, n * sizeof(float));
			break;
	}
}

bool
nlp_dtype_from_f32(NlpDtype dtype, const float *src, void *dst, size_t n)
{
	const NlpDtypeInfo *info = nlp_dtype_info((uint32_t) dtype);
	uint8_t    *b = dst;
	void		(*block) (const float *, uint8_t *);

	switch (dtype)
	{
		case NLP_F32:
		case NLP_F16:
		case NLP_BF16:
			write_floats(dtype, src, b, n);
			return true;
		case NLP_Q4_0:
			block = write_q4_0;
			break;
		case NLP_Q4_1:
			block = write_q4_1;
			break;
		case NLP_Q5_0:
			block = write_q5_0;
			break;
		case NLP_Q5_1:
			block = write_q5_1;
			break;
		case NLP_Q8_0:
			block = write_q8_0;
			break;
		default:
			return false;
	}
	for (; n >= info->block_elems; n -= info->block_elems)
	{
		block(src, b);
		src += info->block_elems;
		b += info->block_bytes;
	}
	return true;
}
