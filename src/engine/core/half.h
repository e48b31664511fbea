/* half.h --- IEEE half and bfloat16 conversions, exact, round to nearest even.
 * Bit-equal to the F16C instructions for every value but signalling NaNs. */
#ifndef NLP_CORE_HALF_H
#define NLP_CORE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float
nlp_f16_to_f32(uint16_t h)
{
	uint32_t	sign = (uint32_t) (h & 0x8000) << 16;
	uint32_t	exp = (h >> 10) & 31;
	uint32_t	man = h & 0x3ff;
	uint32_t	bits;
	float		f;

	if (exp == 31)
		bits = sign | 0x7f800000u | (man << 13) | (man ? 0x400000u : 0);
	else if (exp)
		bits = sign | ((exp + 112) << 23) | (man << 13);
	else if (man)
	{
		int			shift = __builtin_clz(man) - 21;

		bits = sign | ((uint32_t) (113 - shift) << 23) | ((man << (shift + 13)) & 0x7fffffu);
	}
	else
		bits = sign;
	memcpy(&f, &bits, 4);
	return f;
}

static inline uint16_t
nlp_f32_to_f16(float f)
{
	uint32_t	x;
	uint32_t	sign;
	uint32_t	a;

	memcpy(&x, &f, 4);
	sign = (x >> 16) & 0x8000;
	a = x & 0x7fffffffu;
	if (a > 0x7f800000u)
		return (uint16_t) (sign | 0x7e00 | ((a >> 13) & 0x3ff));
	if (a >= 0x477ff000u)		/* rounds to infinity */
		return (uint16_t) (sign | 0x7c00);
	if (a < 0x38800000u)		/* subnormal half or zero */
	{
		uint32_t	e = a >> 23;
		uint32_t	man = (a & 0x7fffffu) | 0x800000u;
		uint32_t	shift = 126 - e;
		uint32_t	r;

		if (e < 102)
			return (uint16_t) sign;
		r = man >> shift;
		if ((man & ((1u << shift) - 1)) > (1u << (shift - 1)) ||
			((man & ((1u << shift) - 1)) == (1u << (shift - 1)) && (r & 1)))
			r++;
		return (uint16_t) (sign | r);
	}
	a += 0xfff + ((a >> 13) & 1);
	return (uint16_t) (sign | ((a - 0x38000000u) >> 13));
}

static inline float
nlp_bf16_to_f32(uint16_t h)
{
	uint32_t	bits = (uint32_t) h << 16;
	float		f;

	memcpy(&f, &bits, 4);
	return f;
}

static inline uint16_t
nlp_f32_to_bf16(float f)
{
	uint32_t	x;

	memcpy(&x, &f, 4);
	if ((x & 0x7fffffffu) > 0x7f800000u)
		return (uint16_t) ((x >> 16) | 0x40);
	return (uint16_t) ((x + 0x7fff + ((x >> 16) & 1)) >> 16);
}

#endif
