/* file_number.c --- decimal numbers in texts, to f32 and back.
 *
 * Trust:  any bytes. What is accepted: sign, digits with a point among or beside them,
 *         an exponent of 10; nothing else, in no locale.
 * How:    up to 19 digits are one integer; its product with 64 bits of the power of ten decides the
 *         rounding unless it falls within the product's error of a half. Those, longer numbers and
 *         tiny ones are divided out exactly in large integers.
 * Source: for the product, Lemire 2021, "Number parsing at a gigabyte per second" (the idea, with a shorter table
 *         and a fallback instead of its proof). */
#include <string.h>

#include "wordvec/file_private.h"
#include "engine_only.h"

#define POWER_MIN (-66)
#define POWER_MAX 38
#define BIG_LIMBS 40
#define SURE 0x1p-50			/* more than the error of scale_by_ten */
#define BIG_DIGITS 160			/* a half between two f32 has at most 113 */

/* 5^q for q from POWER_MIN, its first 64 bits, cut off. */
static const uint64_t powers_of_5[] = {
	0xd7adf884aa879177, 0x86ccbb52ea94baea, 0xa87fea27a539e9a5, 0xd29fe4b18e88640e, 0x83a3eeeef9153e89,
	0xa48ceaaab75a8e2b, 0xcdb02555653131b6, 0x808e17555f3ebf11, 0xa0b19d2ab70e6ed6, 0xc8de047564d20a8b,
	0xfb158592be068d2e, 0x9ced737bb6c4183d, 0xc428d05aa4751e4c, 0xf53304714d9265df, 0x993fe2c6d07b7fab,
	0xbf8fdb78849a5f96, 0xef73d256a5c0f77c, 0x95a8637627989aad, 0xbb127c53b17ec159, 0xe9d71b689dde71af,
	0x9226712162ab070d, 0xb6b00d69bb55c8d1, 0xe45c10c42a2b3b05, 0x8eb98a7a9a5b04e3, 0xb267ed1940f1c61c,
	0xdf01e85f912e37a3, 0x8b61313bbabce2c6, 0xae397d8aa96c1b77, 0xd9c7dced53c72255, 0x881cea14545c7575,
	0xaa242499697392d2, 0xd4ad2dbfc3d07787, 0x84ec3c97da624ab4, 0xa6274bbdd0fadd61, 0xcfb11ead453994ba,
	0x81ceb32c4b43fcf4, 0xa2425ff75e14fc31, 0xcad2f7f5359a3b3e, 0xfd87b5f28300ca0d, 0x9e74d1b791e07e48,
	0xc612062576589dda, 0xf79687aed3eec551, 0x9abe14cd44753b52, 0xc16d9a0095928a27, 0xf1c90080baf72cb1,
	0x971da05074da7bee, 0xbce5086492111aea, 0xec1e4a7db69561a5, 0x9392ee8e921d5d07, 0xb877aa3236a4b449,
	0xe69594bec44de15b, 0x901d7cf73ab0acd9, 0xb424dc35095cd80f, 0xe12e13424bb40e13, 0x8cbccc096f5088cb,
	0xafebff0bcb24aafe, 0xdbe6fecebdedd5be, 0x89705f4136b4a597, 0xabcc77118461cefc, 0xd6bf94d5e57a42bc,
	0x8637bd05af6c69b5, 0xa7c5ac471b478423, 0xd1b71758e219652b, 0x83126e978d4fdf3b, 0xa3d70a3d70a3d70a,
	0xcccccccccccccccc, 0x8000000000000000, 0xa000000000000000, 0xc800000000000000, 0xfa00000000000000,
	0x9c40000000000000, 0xc350000000000000, 0xf424000000000000, 0x9896800000000000, 0xbebc200000000000,
	0xee6b280000000000, 0x9502f90000000000, 0xba43b74000000000, 0xe8d4a51000000000, 0x9184e72a00000000,
	0xb5e620f480000000, 0xe35fa931a0000000, 0x8e1bc9bf04000000, 0xb1a2bc2ec5000000, 0xde0b6b3a76400000,
	0x8ac7230489e80000, 0xad78ebc5ac620000, 0xd8d726b7177a8000, 0x878678326eac9000, 0xa968163f0a57b400,
	0xd3c21bcecceda100, 0x84595161401484a0, 0xa56fa5b99019a5c8, 0xcecb8f27f4200f3a, 0x813f3978f8940984,
	0xa18f07d736b90be5, 0xc9f2c9cd04674ede, 0xfc6f7c4045812296, 0x9dc5ada82b70b59d, 0xc5371912364ce305,
	0xf684df56c3e01bc6, 0x9a130b963a6c115c, 0xc097ce7bc90715b3, 0xf0bdc21abb48db20, 0x96769950b50d88f4,
};

typedef struct Decimal
{
	uint64_t	w;				/* the first 19 digits after leading zeros */
	long		exponent;		/* of w's last digit */
	bool		negative;
	bool		cut;			/* there were more digits, not all zero */
	const char *digits;			/* the first digit that is not 0; NULL: none */
	const char *digits_end;
	long		first_exponent; /* of the first digit that is not 0 */
} Decimal;

/* ---- large integers, little-endian limbs ---- */
typedef struct Big
{
	uint32_t	limb[BIG_LIMBS];
	int			n;				/* used limbs; the last is not 0 */
} Big;

static void
big_mul_add(Big *b, uint32_t factor, uint32_t add)
{
	uint64_t	carry = add;

	for (int i = 0; i < b->n; i++)
	{
		carry += (uint64_t) b->limb[i] * factor;
		b->limb[i] = (uint32_t) carry;
		carry >>= 32;
	}
	if (carry && b->n < BIG_LIMBS)
		b->limb[b->n++] = (uint32_t) carry;
}

static void
big_power_of_ten(Big *b, long e)
{
	for (; e >= 9; e -= 9)
		big_mul_add(b, 1000000000u, 0);
	for (; e > 0; e--)
		big_mul_add(b, 10, 0);
}

static int
big_bits(const Big *b)
{
	return b->n == 0 ? 0 : 32 * b->n - __builtin_clz(b->limb[b->n - 1]);
}

static void
big_shift(Big *b, int bits)
{
	int			limbs = bits / 32;

	for (bits %= 32; bits > 0; bits--)
		big_mul_add(b, 2, 0);
	if (limbs == 0 || b->n == 0 || b->n + limbs > BIG_LIMBS)
		return;
	memmove(b->limb + limbs, b->limb, (size_t) b->n * sizeof(b->limb[0]));
	memset(b->limb, 0, (size_t) limbs * sizeof(b->limb[0]));
	b->n += limbs;
}

static int
big_compare(const Big *a, const Big *b)
{
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (int i = a->n; i-- > 0;)
	{
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	}
	return 0;
}

/* a -= b, a >= b. */
static void
big_subtract(Big *a, const Big *b)
{
	uint32_t	borrow = 0;

	for (int i = 0; i < a->n; i++)
	{
		uint64_t	take = (uint64_t) (i < b->n ? b->limb[i] : 0) + borrow;

		borrow = a->limb[i] < take;
		a->limb[i] = (uint32_t) (a->limb[i] - take);
	}
	while (a->n > 0 && a->limb[a->n - 1] == 0)
		a->n--;
}

/* Bits of the f32 for mantissa (its first bit set unless subnormal) and the exponent of 2 of the value. */
static uint32_t
assemble(int e2, uint32_t mantissa)
{
	return (e2 >= -126 ? (uint32_t) (e2 + 126) << 23 : 0) + mantissa;
}

/* Exact for any decimal: the quotient of two large integers, a bit at a time. */
static uint32_t
round_exactly(const Decimal *d)
{
	Big			num = {.n = 0},
				den = {.limb = {1}, .n = 1};
	long		exponent = d->first_exponent + 1;
	int			kept = 0;
	bool		rest = false;
	int			e2,
				keep;
	uint32_t	mantissa = 0;
	int			c;

	if (d->first_exponent > 38)
		return 0x7f800000u;
	if (d->first_exponent < -46)
		return 0;
	for (const char *p = d->digits; p < d->digits_end; p++)
	{
		if (*p == '.')
			continue;
		if (kept < BIG_DIGITS)
		{
			big_mul_add(&num, 10, (uint32_t) (*p - '0'));
			kept++;
			exponent--;
		}
		else
			rest |= *p != '0';
	}
	if (rest)
	{
		big_mul_add(&num, 10, 1);
		exponent--;
	}
	big_power_of_ten(exponent < 0 ? &den : &num, exponent < 0 ? -exponent : exponent);
	e2 = big_bits(&num) - big_bits(&den);
	big_shift(e2 < 0 ? &num : &den, e2 < 0 ? -e2 : e2);
	if (big_compare(&num, &den) < 0)
	{
		e2--;
		big_shift(&num, 1);
	}
	keep = e2 >= -126 ? 24 : 150 + e2;
	if (keep < 0)
		return 0;
	for (int i = 0; i < keep; i++)
	{
		mantissa <<= 1;
		if (big_compare(&num, &den) >= 0)
		{
			big_subtract(&num, &den);
			mantissa |= 1;
		}
		big_shift(&num, 1);
	}
	c = big_compare(&num, &den);
	if (c > 0 || (c == 0 && (mantissa & 1)))
		mantissa++;
	return e2 > 127 ? 0x7f800000u : assemble(e2, mantissa);
}

/* By one product; false when that does not decide. */
static bool
round_by_product(const Decimal *d, uint32_t *bits)
{
	int			q = (int) d->exponent;
	int			zeros = __builtin_clzll(d->w);
	uint64_t	high = (uint64_t) (((unsigned __int128) (d->w << zeros) * powers_of_5[q - POWER_MIN]) >> 64);
	int			top = 63 - (int) !(high >> 63);
	int			e2 = top + 1 - zeros + ((217706 * q) >> 16);	/* floor(q log2 10) */
	int			keep = e2 >= -126 ? 24 : 150 + e2;
	int			shift = top + 1 - keep;
	uint64_t	rest,
				half;
	uint32_t	mantissa;

	if (keep < 1 || e2 > 127)
		return false;
	rest = high & (((uint64_t) 1 << shift) - 1);
	half = (uint64_t) 1 << (shift - 1);
	if (rest <= half && rest + 2 >= half)	/* what was cut off is less than 2 */
		return false;
	mantissa = (uint32_t) (high >> shift) + (rest > half);
	*bits = assemble(e2, mantissa);
	return true;
}

/* Sign, digits and point; the exponent is added by the caller. NULL: no digit. */
static const char *
read_digits(const char *p, const char *end, Decimal *d)
{
	int			significant = 0;
	long		point = 0;		/* digits after the point so far */
	long		dropped = 0;	/* digits of the whole part not in w */
	bool		after = false,
				any = false;
	uint64_t	w = 0;

	if (p < end && (*p == '-' || *p == '+'))
		d->negative = *p++ == '-';
	for (; p < end; p++)
	{
		unsigned	c = (unsigned char) *p - '0';

		if (c > 9)
		{
			if (*p != '.' || after)
				break;
			after = true;
			continue;
		}
		any = true;
		if (significant < 19)
		{
			if (significant == 0 && c == 0)
			{
				point += after;
				continue;
			}
			if (significant++ == 0)
				d->digits = p;
			w = 10 * w + c;
			point += after;
		}
		else
		{
			d->cut |= c != 0;
			dropped += !after;
		}
	}
	d->digits_end = p;
	d->w = w;
	d->exponent = dropped - point;
	d->first_exponent = d->exponent + significant - 1;
	return any ? p : NULL;
}

/* e, sign, digits; sums up to a bound beyond any that matters. NULL: wrong. */
static const char *
read_exponent(const char *p, const char *end, long *exponent)
{
	bool		negative = false;
	const char *first;
	long		e = 0;

	if (p == end || (*p != 'e' && *p != 'E'))
		return p;
	p++;
	if (p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	for (first = p; p < end && (unsigned) ((unsigned char) *p - '0') <= 9; p++)
	{
		if (e < 100000000)
			e = 10 * e + (*p - '0');
	}
	*exponent = negative ? -e : e;
	return p == first ? NULL : p;
}

const char *
nlp_wordfile_number(const char *s, const char *end, float *out, bool *huge)
{
	Decimal		d = {0};
	long		exponent = 0;
	uint32_t	bits = 0;

	*huge = false;
	s = read_digits(s, end, &d);
	if (!s || !(s = read_exponent(s, end, &exponent)) || (s < end && *s != ' '))
		return NULL;
	if (d.digits)
	{
		d.exponent += exponent;
		d.first_exponent += exponent;
		if (d.cut || d.exponent < POWER_MIN || d.exponent > POWER_MAX || !round_by_product(&d, &bits))
			bits = round_exactly(&d);
	}
	if (bits >= 0x7f800000u)
	{
		*huge = true;
		return NULL;
	}
	bits |= (uint32_t) d.negative << 31;
	memcpy(out, &bits, sizeof(bits));
	return s;
}

/* ---- and back ---- */

/* v * 10^e, v being exact: three roundings at most. */
static double
scale_by_ten(double v, int e)
{
	static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

	for (; e > 22; e -= 22)
		v *= tens[22];
	for (; e < -22; e += 22)
		v /= tens[22];
	return e >= 0 ? v * tens[e] : v / tens[-e];
}

/* The n digits of m, the first with exponent e, as 0.0123, 12.3 or 1.23e-07. Ending zeros are left out. */
static size_t
write_decimal(bool negative, uint64_t m, int n, int e, char *out)
{
	char		digits[20];
	char	   *p = out;

	for (int i = n; i-- > 0; m /= 10)
		digits[i] = (char) ('0' + m % 10);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	if (negative)
		*p++ = '-';
	if (e < -5 || e > 8)
	{
		*p++ = digits[0];
		if (n > 1)
			*p++ = '.';
		memcpy(p, digits + 1, (size_t) n - 1);
		p += n - 1;
		*p++ = 'e';
		*p++ = e < 0 ? '-' : '+';
		*p++ = (char) ('0' + (e < 0 ? -e : e) / 10);
		*p++ = (char) ('0' + (e < 0 ? -e : e) % 10);
		return (size_t) (p - out);
	}
	for (int i = e < 0 ? e : 0; i < n || i <= e; i++)
	{
		if (i == e + 1)
			*p++ = '.';
		*p++ = i >= 0 && i < n ? digits[i] : '0';
	}
	return (size_t) (p - out);
}

size_t
nlp_wordfile_decimals(float f, char *out)
{
	static const uint64_t limit[] = {1000000, 10000000, 100000000, 1000000000};	/* of 6 to 9 digits */
	double		v = f < 0 ? -(double) f : (double) f;
	bool		negative = f < 0;
	uint64_t	bits;
	int			e;
	size_t		len = 0;

	if (v == 0)
	{
		uint32_t	u;

		memcpy(&u, &f, sizeof(u));
		memcpy(out, "-0", 2);
		if (u == 0)
			out[0] = '0';
		return u == 0 ? 1 : 2;
	}
	memcpy(&bits, &v, sizeof(bits));
	e = (((int) (bits >> 52) - 1023) * 78913) >> 18;	/* floor(e2 log10 2), or one less than the exponent */
	if (scale_by_ten(v, -e) >= 10)
		e++;
	for (int n = 6; n <= 9; n++)
	{
		uint64_t	m = (uint64_t) (scale_by_ten(v, n - 1 - e) + 0.5);
		bool		up = m >= limit[n - 6];
		double		back = scale_by_ten((double) m, e + 1 - n);

		len = write_decimal(negative, up ? m / 10 : m, n, e + up, out);
		/* what was written lies between the two, and so does its nearest double, which others may read first */
		if ((float) (back * (1 - SURE)) == (float) v && (float) (back * (1 + SURE)) == (float) v)
			break;
	}
	return len;
}
