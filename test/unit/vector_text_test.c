/* vector_text_test.c --- vectors read from text and from the wire, against strtof and by hand. */
#include "check.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/philox.h"
#include "format/vector_text.h"

#define MAX 16

static NlpVectorPlace place;
static float x[MAX];

static NlpVectorFault
read_text(const char *text)
{
	memset(&place, 0xff, sizeof place);
	for (int i = 0; i < MAX; i++)
		x[i] = 77;
	return nlp_vector_text_read(text, strlen(text), x, MAX, &place);
}

static void
test_grammar(void)
{
	static const struct
	{
		const char *text;
		NlpVectorFault fault;
		int			dim;
		size_t		at;
		size_t		len;
	}			cases[] = {
		{"[1,2,3]", NLP_VECTOR_OK, 3, 7, 0},
		{" \t[ 1 ,\n2\v,\f3\r] ", NLP_VECTOR_OK, 3, 16, 0},
		{"[1.,.5,+2,-3e4]", NLP_VECTOR_OK, 4, 15, 0},
		{"[0x10]", NLP_VECTOR_OK, 1, 6, 0},
		{"", NLP_VECTOR_NO_OPEN, 0, 0, 0},
		{"1,2", NLP_VECTOR_NO_OPEN, 0, 0, 1},
		{"[", NLP_VECTOR_SYNTAX, 0, 1, 0},
		{"[ ", NLP_VECTOR_SYNTAX, 0, 2, 0},
		{"[]", NLP_VECTOR_EMPTY, 0, 1, 1},
		{"[ ]", NLP_VECTOR_EMPTY, 0, 2, 1},
		{"[,]", NLP_VECTOR_SYNTAX, 0, 1, 1},
		{"[1,]", NLP_VECTOR_SYNTAX, 1, 3, 1},
		{"[1,,2]", NLP_VECTOR_SYNTAX, 1, 3, 1},
		{"[1 2]", NLP_VECTOR_SYNTAX, 1, 3, 1},
		{"[1a]", NLP_VECTOR_SYNTAX, 1, 2, 1},
		{"[1e]", NLP_VECTOR_SYNTAX, 1, 2, 1},
		{"[1e+]", NLP_VECTOR_SYNTAX, 1, 2, 1},
		{"[.]", NLP_VECTOR_SYNTAX, 0, 1, 1},
		{"[-]", NLP_VECTOR_SYNTAX, 0, 1, 1},
		{"[--1]", NLP_VECTOR_SYNTAX, 0, 1, 1},
		{"[1", NLP_VECTOR_SYNTAX, 1, 2, 0},
		{"[1,2]x", NLP_VECTOR_TRAILING, 2, 5, 1},
		{"[1,2] ]]", NLP_VECTOR_TRAILING, 2, 6, 2},
		{"[1,nan]", NLP_VECTOR_NAN, 1, 3, 3},
		{"[-NaN]", NLP_VECTOR_NAN, 0, 1, 4},
		{"[infinity]", NLP_VECTOR_INFINITE, 0, 1, 8},
		{"[0,-inf]", NLP_VECTOR_INFINITE, 1, 3, 4},
		{"[4e38]", NLP_VECTOR_RANGE, 0, 1, 4},
		{"[3.4028236e38]", NLP_VECTOR_RANGE, 0, 1, 12},
		{"[1e999999999999999999999]", NLP_VECTOR_RANGE, 0, 1, 23},
		{"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]", NLP_VECTOR_OK, 16, 40, 0},
		{"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", NLP_VECTOR_TOO_MANY, 16, 40, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
	{
		NlpVectorFault fault = read_text(cases[i].text);

		CHECKF(fault == cases[i].fault && place.dim == cases[i].dim && place.at == cases[i].at &&
			   place.fault_len == cases[i].len, "%s: fault %d, %d numbers, byte %zu, %zu bytes",
			   cases[i].text, fault, place.dim, place.at, place.fault_len);
		for (int j = place.dim; j < MAX; j++)
			CHECKF(x[j] == 77, "%s wrote beyond its numbers", cases[i].text);
	}
	CHECK(nlp_vector_text_bound("[1,2,3]", 7, 9) == 3);
	CHECK(nlp_vector_text_bound("[1,2,3]", 7, 2) == 2);
	CHECK(nlp_vector_text_bound("", 0, 9) == 1);
}

static bool
same_bits(float a, float b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

static void
check_number(const char *number)
{
	char		text[200];
	float		want = strtof(number, NULL);
	NlpVectorFault fault;

	snprintf(text, sizeof text, "[%s]", number);
	fault = read_text(text);
	if (isfinite(want))
		CHECKF(fault == NLP_VECTOR_OK && same_bits(x[0], want), "%s: %a, not %a (fault %d)", number, x[0], want, fault);
	else
		CHECKF(fault == NLP_VECTOR_RANGE, "%s: fault %d", number, fault);
}

/* Every spelling must give the float that strtof gives, to the bit. */
static void
test_numbers(void)
{
	static const char *const hard[] = {"0", "-0", "0.0e99", "-0e-200", "00012", "1e22", "1e23", "123456789012345e22",
		"999999999999999", "9999999999999999", "16777217", "16777219", "33554434.5", "1.00000005960464477539",
		"1.00000005960464477540", "1.1754943e-38", "1.17549429e-38", "1.4e-45", "7e-46", "1e-46", "3.40282347e38",
		"3.4028235e38", "340282346638528859811704183484516925440", "0.000000000000000000000000000000000000001",
		".00001", "5.", "1e0000000000000000000001", "8388608.5", "8388609.5", "1e-22", "1e-23", "0.1", "0.2", "0.3"};
	char		number[64];
	uint32_t	r[4];

	for (size_t i = 0; i < sizeof hard / sizeof *hard; i++)
		check_number(hard[i]);
	for (int i = 0; i < 20000; i++)
	{
		float		f;
		double		d;

		nlp_philox(4, 0, i, r);
		memcpy(&f, &r[0], 4);
		if (!isfinite(f))
			continue;
		snprintf(number, sizeof number, "%.*g", 1 + (int) (r[1] % 17), f);
		check_number(number);
		snprintf(number, sizeof number, "%s%u.%06ue%d", r[2] & 1 ? "-" : "", r[1] % 100000, r[2] % 1000000, (int) (r[3] % 60) - 40);
		check_number(number);
		/* exactly, and nearly, half way between two floats */
		d = ((double) (0x1000000 + (r[0] & 0xffffff)) + 0.5) * ldexp(1, (int) (r[3] % 40) - 30);
		snprintf(number, sizeof number, "%.17g", d);
		check_number(number);
		snprintf(number, sizeof number, "%.15g", d);
		check_number(number);
	}
}

static void
test_wire(void)
{
	static const uint8_t good[] = {0, 3, 0, 0, 0x3f, 0x80, 0, 0, 0x80, 0, 0, 0, 0xc7, 0x35, 0x88, 0xf0, 9, 9};
	uint8_t		b[sizeof good];
	int			dim;

	CHECK(nlp_vector_wire_read(good, sizeof good, MAX, x, &place) == NLP_VECTOR_OK);
	CHECK(place.dim == 3 && place.at == 16 && x[0] == 1 && same_bits(x[1], -0.0f) && x[2] == -46472.9375f);
	for (size_t len = 0; len < 16; len++)
	{
		CHECKF(nlp_vector_wire_dim(good, len, MAX, &dim) == NLP_VECTOR_SHORT && dim == 0, "%zu bytes", len);
		CHECK(nlp_vector_wire_read(good, len, MAX, x, &place) == NLP_VECTOR_SHORT && place.dim == 0);
	}
	CHECK(nlp_vector_wire_dim(good, 16, 3, &dim) == NLP_VECTOR_OK && dim == 3);
	CHECK(nlp_vector_wire_dim(good, 16, 2, &dim) == NLP_VECTOR_TOO_MANY);
	memcpy(b, good, sizeof b);
	b[1] = 0;
	CHECK(nlp_vector_wire_dim(b, 16, MAX, &dim) == NLP_VECTOR_EMPTY);
	b[0] = 0x80;
	CHECK(nlp_vector_wire_dim(b, 16, MAX, &dim) == NLP_VECTOR_EMPTY);
	memcpy(b, good, sizeof b);
	b[3] = 1;
	CHECK(nlp_vector_wire_dim(b, 16, MAX, &dim) == NLP_VECTOR_UNUSED);
	memcpy(b, good, sizeof b);
	b[8] = 0x7f, b[9] = 0x80;
	CHECK(nlp_vector_wire_read(b, 16, MAX, x, &place) == NLP_VECTOR_INFINITE && place.dim == 1 && place.at == 8);
	b[11] = 1;
	CHECK(nlp_vector_wire_read(b, 16, MAX, x, &place) == NLP_VECTOR_NAN && place.dim == 1);
}

static void
test_finite(void)
{
	float		y[100];

	for (int i = 0; i < 100; i++)
		y[i] = i % 2 ? 3.4028235e38f : -1e-45f;
	CHECK(nlp_vector_first_bad(y, 100) == 100);
	CHECK(nlp_vector_first_bad(y, 0) == 0);
	for (int i = 0; i < 100; i++)
	{
		float		was = y[i];

		y[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
		CHECK(nlp_vector_first_bad(y, 100) == (size_t) i);
		CHECK(nlp_vector_first_bad(y, i) == (size_t) i);
		y[i] = was;
	}
}

int
main(void)
{
	test_grammar();
	test_numbers();
	test_wire();
	test_finite();
	return check_done();
}
