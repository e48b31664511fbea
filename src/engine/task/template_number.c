/* template_number.c --- decimal text of floating-point numbers, as Python writes
 * it, whatever LC_NUMERIC says. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/template_internal.h"
#include "engine_only.h"

/* Replace one character sequence by another of any length in a short text. */
static void
swap_point(char *s, size_t cap, const char *from, const char *to)
{
	char	   *at = strstr(s, from);
	size_t		n_from = strlen(from);
	size_t		n_to = strlen(to);
	size_t		tail;

	if (!at || strcmp(from, to) == 0)
		return;
	tail = strlen(at + n_from) + 1;
	if ((size_t) (at - s) + n_to + tail > cap)
		return;
	memmove(at + n_to, at + n_from, tail);
	memcpy(at, to, n_to);
}

double
nlp_tpl_parse_float(const char *s)
{
	char		buf[512];

	if (strlen(s) >= sizeof(buf) - 8)
		return NAN;				/* callers limit the length */
	strcpy(buf, s);
	swap_point(buf, sizeof(buf), ".", localeconv()->decimal_point);
	return strtod(buf, NULL);
}

static void
print(char *out, size_t cap, const char *fmt, int precision, double f)
{
	snprintf(out, cap, fmt, precision, f);
	swap_point(out, cap, localeconv()->decimal_point, ".");
}

/* The shortest digits that read back as f; exponent of the first in *exp10. */
static int
shortest_digits(double f, char digits[20], int *exp10)
{
	char		buf[48];
	int			n = 0;

	for (int precision = 0; precision < 17; precision++)
	{
		print(buf, sizeof(buf), "%.*e", precision, f);
		if (nlp_tpl_parse_float(buf) == f)
			break;
	}
	for (const char *p = buf; *p && *p != 'e'; p++)
	{
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	}
	*exp10 = atoi(strchr(buf, 'e') + 1);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	return n;
}

size_t
nlp_tpl_float_text(double f, char out[40])
{
	char		digits[20];
	char	   *w = out;
	int			exp10;
	int			n;

	if (isnan(f))
		return (size_t) snprintf(out, 40, "nan");
	if (isinf(f))
		return (size_t) snprintf(out, 40, f < 0 ? "-inf" : "inf");
	if (signbit(f))
	{
		*w++ = '-';
		f = -f;
	}
	n = shortest_digits(f, digits, &exp10);
	if (exp10 < -4 || exp10 >= 16)
	{
		*w++ = digits[0];
		if (n > 1)
		{
			*w++ = '.';
			memcpy(w, digits + 1, (size_t) n - 1);
			w += n - 1;
		}
		w += sprintf(w, "e%c%02d", exp10 < 0 ? '-' : '+', exp10 < 0 ? -exp10 : exp10);
		return (size_t) (w - out);
	}
	if (exp10 < 0)
	{
		*w++ = '0';
		*w++ = '.';
		for (int i = -1; i > exp10; i--)
			*w++ = '0';
	}
	for (int i = 0; i < n || i <= exp10; i++)
	{
		if (exp10 >= 0 && i == exp10 + 1)
			*w++ = '.';
		*w++ = i < n ? digits[i] : '0';
	}
	if (exp10 >= 0 && n <= exp10 + 1)
	{
		*w++ = '.';
		*w++ = '0';
	}
	return (size_t) (w - out);
}

size_t
nlp_tpl_fixed_text(double f, int places, char *out, size_t cap)
{
	if (isnan(f) || isinf(f))
		return nlp_tpl_float_text(f, out);
	print(out, cap, "%.*f", places, f);
	return strlen(out);
}
