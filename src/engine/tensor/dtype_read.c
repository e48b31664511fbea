/* dtype_read.c --- file layout to f32: the plain reference for every type we run.
 *
 * Trust:  the caller has checked that n elements lie at src; any bytes are valid
 *         values (a scale may be NaN, and then so is the result).
 * Source: block layouts of ggml-common.h. In a 32-element block, element j and
 *         j + 16 share byte j, low nibble first. Products are rounded in the
 *         order (scale * quant) + minimum, so results equal ggml's bit for bit.
 *
 *   Q4_0  d f16 | 16 x (hi4 lo4)                      d * (q - 8)
 *   Q4_1  d f16 | m f16 | 16 nibble pairs             d * q + m
 *   Q5_0  d f16 | qh u32 | 16 nibble pairs            d * (q + 16 * bit - 16)
 *   Q5_1  d f16 | m f16 | qh u32 | 16 nibble pairs    d * (q + 16 * bit) + m
 *   Q8_0  d f16 | 32 x i8                             d * q
 *   Q4_K  d f16 | dmin f16 | 12 packed 6-bit scales and minima | 128 nibble pairs
 *   Q5_K  d f16 | dmin f16 | 12 packed | 32 bytes of fifth bits | 128 nibble pairs
 *   Q6_K  128 low nibbles pairs | 64 bytes of two high bits | 16 x i8 scale | d f16 */
#include <string.h>

#include "core/half.h"
#include "tensor/dtype.h"
#include "engine_only.h"

static inline uint16_t
load_u16(const uint8_t *p)
{
	uint16_t	v;

	memcpy(&v, p, 2);
	return v;
}

static inline uint32_t
load_u32(const uint8_t *p)
{
	uint32_t	v;

	memcpy(&v, p, 4);
	return v;
}

static inline float
load_f16(const uint8_t *p)
{
	return nlp_f16_to_f32(load_u16(p));
}

static void
read_q4_0(const uint8_t *b, float *y)
{
	float		d = load_f16(b);

	for (int j = 0; j < 16; j++)
	{
		y[j] = d * (float) ((b[2 + j] & 15) - 8);
		y[j + 16] = d * (float) ((b[2 + j] >> 4) - 8);
	}
}

static void
read_q4_1(const uint8_t *b, float *y)
{
	float		d = load_f16(b);
	float		m = load_f16(b + 2);

	for (int j = 0; j < 16; j++)
	{
		y[j] = d * (float) (b[4 + j] & 15) + m;
		y[j + 16] = d * (float) (b[4 + j] >> 4) + m;
	}
}

/* The fifth bits: bit j belongs to element j. */
static void
read_q5_0(const uint8_t *b, float *y)
{
	float		d = load_f16(b);
	uint32_t	high = load_u32(b + 2);

	for (int j = 0; j < 16; j++)
	{
		int			lo = (b[6 + j] & 15) | (int) ((high >> j & 1) << 4);
		int			hi = (b[6 + j] >> 4) | (int) ((high >> (j + 16) & 1) << 4);

		y[j] = d * (float) (lo - 16);
		y[j + 16] = d * (float) (hi - 16);
	}
}

static void
read_q5_1(const uint8_t *b, float *y)
{
	float		d = load_f16(b);
	float		m = load_f16(b + 2);
	uint32_t	high = load_u32(b + 4);

	for (int j = 0; j < 16; j++)
	{
		int			lo = (b[8 + j] & 15) | (int) ((high >> j & 1) << 4);
		int			hi = (b[8 + j] >> 4) | (int) ((high >> (j + 16) & 1) << 4);

		y[j] = d * (float) lo + m;
		y[j + 16] = d * (float) hi + m;
	}
}

static void
read_q8_0(const uint8_t *b, float *y)
{
	float		d = load_f16(b);

	for (int j = 0; j < 32; j++)
		y[j] = d * (float) (int8_t) b[2 + j];
}

/* Scale and minimum of sub-block j (0..7) out of 12 bytes: six bits each, the
 * first four sub-blocks in bytes 0-3 (scale) and 4-7 (minimum), the low four bits
 * of the others in bytes 8-11 and their two high bits on top of bytes 0-7. */
static void
k_scale(const uint8_t *s, int j, int *scale, int *min)
{
	if (j < 4)
	{
		*scale = s[j] & 63;
		*min = s[j + 4] & 63;
	}
	else
	{
		*scale = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
		*min = (s[j + 4] >> 4) | (s[j] >> 6) << 4;
	}
}

/* Each 32 bytes of quants hold sub-block 2g in the low nibbles, 2g+1 in the high. */
static void
read_q4_k(const uint8_t *b, float *y)
{
	float		d = load_f16(b);
	float		dmin = load_f16(b + 2);

	for (int sub = 0; sub < 8; sub++)
	{
		const uint8_t *q = b + 16 + sub / 2 * 32;
		int			scale,
					min;
		float		ds,
					ms;

		k_scale(b + 4, sub, &scale, &min);
		ds = d * (float) scale;
		ms = dmin * (float) min;
		for (int j = 0; j < 32; j++)
			y[sub * 32 + j] = ds * (float) (q[j] >> (sub % 2 * 4) & 15) - ms;
	}
}

/* The fifth bit of element j of sub-block s is bit s of byte j. */
static void
read_q5_k(const uint8_t *b, float *y)
{
	float		d = load_f16(b);
	float		dmin = load_f16(b + 2);
	const uint8_t *high = b + 16;

	for (int sub = 0; sub < 8; sub++)
	{
		const uint8_t *q = b + 48 + sub / 2 * 32;
		int			scale,
					min;
		float		ds,
					ms;

		k_scale(b + 4, sub, &scale, &min);
		ds = d * (float) scale;
		ms = dmin * (float) min;
		for (int j = 0; j < 32; j++)
		{
			int			v = (q[j] >> (sub % 2 * 4) & 15) | (high[j] >> sub & 1) << 4;

			y[sub * 32 + j] = ds * (float) v - ms;
		}
	}
}

/* Halves of 128; in each, quarter t (32 elements) takes its low bits from nibble
 * t/2 of bytes (t%2)*32.. and its high bits from bit pair t of 32 shared bytes. */
static void
read_q6_k(const uint8_t *b, float *y)
{
	float		d = load_f16(b + 208);

	for (int half = 0; half < 2; half++)
	{
		const uint8_t *low = b + half * 64;
		const uint8_t *high = b + 128 + half * 32;
		const uint8_t *scales = b + 192 + half * 8;

		for (int t = 0; t < 4; t++)
		{
			for (int j = 0; j < 32; j++)
			{
				int			nibble = low[t % 2 * 32 + j] >> (t / 2 * 4) & 15;
				int			q = (nibble | (high[j] >> (2 * t) & 3) << 4) - 32;
				float		ds = d * (float) (int8_t) scales[t * 2 + j / 16];

				y[half * 128 + t * 32 + j] = ds * (float) q;
			}
		}
	}
}

static void
read_floats(NlpDtype dtype, const uint8_t *src, float *dst, size_t n)
{
	switch (dtype)
	{
		case NLP_F16:
			for (size_t i = 0; i < n; i++)
				dst[i] = load_f16(src + 2 * i);
			break;
		case NLP_BF16:
			for (size_t i = 0; i < n; i++)
				dst[i] = nlp_bf16_to_f32(load_u16(src + 2 * i));
			break;
		default:
			memcpy(dst, src, n * sizeof(float));
			break;
	}
}

void
nlp_dtype_to_f32(NlpDtype dtype, const void *src, float *dst, size_t n)
{
	const NlpDtypeInfo *info = nlp_dtype_info((uint32_t) dtype);
	const uint8_t *b = src;
	void		(*block) (const uint8_t *, float *);

	switch (dtype)
	{
		case NLP_F32:
		case NLP_F16:
		case NLP_BF16:
			read_floats(dtype, b, dst, n);
			return;
		case NLP_Q4_0:
			block = read_q4_0;
			break;
		case NLP_Q4_1:
			block = read_q4_1;
			break;
		case NLP_Q5_0:
			block = read_q5_0;
			break;
		case NLP_Q5_1:
			block = read_q5_1;
			break;
		case NLP_Q8_0:
			block = read_q8_0;
			break;
		case NLP_Q4_K:
			block = read_q4_k;
			break;
		case NLP_Q5_K:
			block = read_q5_k;
			break;
		case NLP_Q6_K:
			block = read_q6_k;
			break;
		default:
			return;
	}
	for (; n >= info->block_elems; n -= info->block_elems)
	{
		block(b, dst);
		b += info->block_bytes;
		dst += info->block_elems;
	}
}
