/* vector_text.c --- read vectors from text and from the binary wire form.
 *
 * Trust:  bytes are a stranger's; nothing is read past len, nothing written past max.
 * Owns:   nothing.
 * Speed:  numbers of up to 15 digits and small exponents, nearly all there are, are
 *         converted with one exact integer and one exact power of ten in double, which
 *         rounds once to double; a second rounding, to f32, can only go wrong when the
 *         double is exactly half way between two floats, or subnormal as a float: those,
 *         and every other spelling, go through strtof. (Clinger, "How to read floating
 *         point numbers accurately", PLDI 1990.)
 * The locale's decimal point must be "." (the server sets LC_NUMERIC to C). */
#include "format/vector_text.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine_only.h"

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char *
skip_space(const char *p)
{
	while (is_space(*p))
		p++;
	return p;
}

/* The common spelling: [-+] digits [. digits] [e [-+] digits], at most 15 digits that
 * count, a result that is a normal float. NULL: not that; *value is untouched. */
static const char *
read_plain(const char *p, float *value)
{
	static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	uint64_t	digits = 0;
	uint64_t	bits;
	int			n = 0;			/* digits after leading zeros */
	int			exponent = 0;
	bool		any = false;
	bool		negative = false;
	double		d;

	if (*p == '-' || *p == '+')
		negative = *p++ == '-';
	for (; *p >= '0' && *p <= '9'; p++)
	{
		any = true;
		digits = digits * 10 + (uint64_t) (*p - '0');
		if (digits && ++n > 15)
			return NULL;
	}
	if (*p == '.')
	{
		for (p++; *p >= '0' && *p <= '9'; p++)
		{
			any = true;
			digits = digits * 10 + (uint64_t) (*p - '0');
			if ((digits && ++n > 15) || --exponent < -100)
				return NULL;
		}
	}
	if (!any || *p == 'x' || *p == 'X')
		return NULL;
	if (*p == 'e' || *p == 'E')
	{
		bool		down = false;
		int			e = 0;

		p++;
		if (*p == '-' || *p == '+')
			down = *p++ == '-';
		if (*p < '0' || *p > '9')
			return NULL;
		for (; *p >= '0' && *p <= '9'; p++)
			if ((e = e * 10 + (*p - '0')) > 200)
				return NULL;
		exponent += down ? -e : e;
	}
	if (digits == 0)
	{
		*value = negative ? -0.0f : 0.0f;
		return p;
	}
	if (exponent < -22 || exponent > 22)
		return NULL;
	d = exponent < 0 ? (double) digits / tens[-exponent] : (double) digits * tens[exponent];
	if (d < 0x1p-126 || d > 0x1p127)
		return NULL;
	memcpy(&bits, &d, sizeof bits);
	if ((bits & 0x1fffffffu) == 0x10000000u)
		return NULL;			/* half way: d does not say on which side */
	*value = negative ? -(float) d : (float) d;
	return p;
}

/* One number at p. *end is after it. */
static NlpVectorFault
read_number(const char *p, const char **end, float *value)
{
	const char *after = read_plain(p, value);
	char	   *stop;

	if (after)
	{
		*end = after;
		return NLP_VECTOR_OK;
	}
	errno = 0;
	*value = strtof(p, &stop);
	*end = stop;
	if (stop == p)
		return NLP_VECTOR_SYNTAX;
	if (isnan(*value))
		return NLP_VECTOR_NAN;
	if (isinf(*value))
		return errno == ERANGE ? NLP_VECTOR_RANGE : NLP_VECTOR_INFINITE;
	return NLP_VECTOR_OK;
}

static NlpVectorFault
fault_at(NlpVectorPlace *place, NlpVectorFault fault, size_t at, size_t len)
{
	place->at = at;
	place->fault_len = len;
	return fault;
}

NlpVectorFault
nlp_vector_text_read(const char *text, size_t len, float *x, int max, NlpVectorPlace *place)
{
	const char *p = skip_space(text);

	place->dim = 0;
	if (*p != '[')
		return fault_at(place, NLP_VECTOR_NO_OPEN, (size_t) (p - text), p < text + len);
	p = skip_space(p + 1);
	if (*p == ']')
		return fault_at(place, NLP_VECTOR_EMPTY, (size_t) (p - text), 1);
	for (;;)
	{
		const char *end;
		float		value;
		NlpVectorFault fault;

		p = skip_space(p);
		if (place->dim == max)
			return fault_at(place, NLP_VECTOR_TOO_MANY, (size_t) (p - text), 0);
		fault = read_number(p, &end, &value);
		if (fault != NLP_VECTOR_OK)
			return fault_at(place, fault, (size_t) (p - text), fault == NLP_VECTOR_SYNTAX ? *p != '\0' : (size_t) (end - p));
		x[place->dim++] = value;
		p = skip_space(end);
		if (*p == ']')
			break;
		if (*p != ',')
			return fault_at(place, NLP_VECTOR_SYNTAX, (size_t) (p - text), *p != '\0');
		p++;
	}
	p = skip_space(p + 1);
	if (*p != '\0')
		return fault_at(place, NLP_VECTOR_TRAILING, (size_t) (p - text), len - (size_t) (p - text));
	return fault_at(place, NLP_VECTOR_OK, (size_t) (p - text), 0);
}

int
nlp_vector_text_bound(const char *text, size_t len, int max)
{
	const char *end = text + len;
	int			n = 1;

	while (n < max && (text = memchr(text, ',', (size_t) (end - text))) != NULL)
	{
		n++;
		text++;
	}
	return n;
}

static uint32_t
big_endian(const uint8_t *p, int bytes)
{
	uint32_t	v = 0;

	while (bytes-- > 0)
		v = v << 8 | *p++;
	return v;
}

NlpVectorFault
nlp_vector_wire_dim(const uint8_t *bytes, size_t len, int max, int *dim)
{
	int			n;

	*dim = 0;
	if (len < 4)
		return NLP_VECTOR_SHORT;
	n = (int16_t) big_endian(bytes, 2);
	if (n < 1)
		return NLP_VECTOR_EMPTY;
	if (n > max)
		return NLP_VECTOR_TOO_MANY;
	if (big_endian(bytes + 2, 2) != 0)
		return NLP_VECTOR_UNUSED;
	if ((len - 4) / 4 < (size_t) n)
		return NLP_VECTOR_SHORT;
	*dim = n;
	return NLP_VECTOR_OK;
}

NlpVectorFault
nlp_vector_wire_read(const uint8_t *bytes, size_t len, int max, float *x, NlpVectorPlace *place)
{
	int			dim;
	size_t		bad;
	NlpVectorFault fault = nlp_vector_wire_dim(bytes, len, max, &dim);

	place->dim = 0;
	if (fault != NLP_VECTOR_OK)
		return fault_at(place, fault, 0, 0);
	for (int i = 0; i < dim; i++)
	{
		uint32_t	bits = big_endian(bytes + 4 + 4 * (size_t) i, 4);

		memcpy(&x[i], &bits, 4);
	}
	bad = nlp_vector_first_bad(x, (size_t) dim);
	place->dim = (int) bad;
	if (bad < (size_t) dim)
		return fault_at(place, isnan(x[bad]) ? NLP_VECTOR_NAN : NLP_VECTOR_INFINITE, 4 + 4 * bad, 4);
	return fault_at(place, NLP_VECTOR_OK, 4 + 4 * (size_t) dim, 0);
}

size_t
nlp_vector_first_bad(const float *x, size_t n)
{
	uint32_t	bits;
	uint32_t	seen = 0;

	/* An exponent of all ones overflows into the sign bit; no branch, so that it runs in vectors. */
	for (size_t i = 0; i < n; i++)
	{
		memcpy(&bits, &x[i], 4);
		seen |= (bits & 0x7fffffffu) + 0x00800000u;
	}
	if ((seen & 0x80000000u) == 0)
		return n;
	for (size_t i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return i;
	return n;
}
