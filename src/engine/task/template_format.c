/* template_format.c --- `"..." % args`, str.format and strftime, as far as chat
 * templates go.
 *
 * Source: the Python Library Reference, "printf-style String Formatting", "Format
 *         String Syntax" and "strftime() and strptime() Format Codes". */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"
#include "task/template_internal.h"
#include "engine_only.h"

typedef struct Spec
{
	const char *fill;			/* one character */
	size_t		fill_len;
	char		align;			/* < > ^ = or 0 */
	char		sign;			/* + - or space */
	bool		alternate;
	bool		grouped;		/* thousands by commas */
	int			width;
	int			precision;		/* -1: none */
	char		type;			/* 0: by the value */
} Spec;

static NlpStatus
bad_format(TplRun *r)
{
	return nlp_tpl_fail(r, NLP_EINVALID, "format string in the chat template does not fit its arguments");
}

/* body padded to the width; digits start after the sign for '='. */
static NlpStatus
put_padded(TplRun *r, const char *body, size_t len, size_t sign_len, char align, const Spec *spec)
{
	TplValue	v = tpl_text(body, len);
	size_t		chars;
	size_t		pad;
	size_t		left;

	nlp_tpl_length(&v, &chars);
	pad = spec->width > 0 && (size_t) spec->width > chars ? (size_t) spec->width - chars : 0;
	left = align == '>' || align == '=' ? pad : align == '^' ? pad / 2 : 0;
	if (align == '=')
		NLP_TRY(nlp_tpl_put(r, body, sign_len));
	for (size_t i = 0; i < left; i++)
		NLP_TRY(nlp_tpl_put(r, spec->fill, spec->fill_len));
	NLP_TRY(nlp_tpl_put(r, body + (align == '=' ? sign_len : 0), len - (align == '=' ? sign_len : 0)));
	for (size_t i = left; i < pad; i++)
		NLP_TRY(nlp_tpl_put(r, spec->fill, spec->fill_len));
	return NLP_OK;
}

/* Put commas between groups of three in the digits at the start of s. */
static void
group_digits(char *s, size_t cap)
{
	size_t		n = strspn(s, "0123456789");
	size_t		len = strlen(s);

	for (size_t i = n; i > 3;)
	{
		i -= 3;
		if (len + 2 > cap)
			return;
		memmove(s + i + 1, s + i, len - i + 1);
		s[i] = ',';
		len++;
	}
}

static size_t
sign_text(bool negative, char sign, char *out)
{
	if (!negative && sign != '+' && sign != ' ')
		return 0;
	*out = negative ? '-' : sign;
	return 1;
}

static NlpStatus
put_int(TplRun *r, int64_t i, const Spec *spec, char default_align)
{
	char		buf[128];
	uint64_t	u = i < 0 ? 0 - (uint64_t) i : (uint64_t) i;
	size_t		n = sign_text(i < 0, spec->sign, buf);
	size_t		sign_len;

	if (spec->alternate && strchr("xXob", spec->type) && spec->type)
	{
		buf[n++] = '0';
		buf[n++] = spec->type;
	}
	sign_len = n;
	if (spec->type == 'b')
	{
		int			bits = 1;

		while (bits < 64 && u >> bits)
			bits++;
		while (bits-- > 0)
			buf[n++] = (char) ('0' + ((u >> bits) & 1));
		buf[n] = '\0';
	}
	else
		snprintf(buf + n, sizeof(buf) - n, spec->type == 'x' ? "%llx" : spec->type == 'X' ? "%llX" :
				 spec->type == 'o' ? "%llo" : "%llu", (unsigned long long) u);
	if (spec->grouped)
		group_digits(buf + sign_len, sizeof(buf) - sign_len);
	return put_padded(r, buf, strlen(buf), sign_len, spec->align ? spec->align : default_align, spec);
}

static NlpStatus
put_float(TplRun *r, double f, const Spec *spec, char default_align)
{
	char		buf[512];
	size_t		n = sign_text(signbit(f) && !isnan(f), spec->sign, buf);
	double		a = isnan(f) ? f : fabs(f);
	int			places = spec->precision < 0 ? 6 : spec->precision;
	size_t		sign_len = n;

	if (places > 60)
		return nlp_tpl_fail(r, NLP_ELIMIT, "precision in a format of the chat template is over 60");
	if (spec->type == 0 && spec->precision < 0)
		buf[n + nlp_tpl_float_text(a, buf + n)] = '\0';
	else if (spec->type == 'f' || spec->type == 'F' || spec->type == '%')
	{
		n += nlp_tpl_fixed_text(spec->type == '%' ? a * 100 : a, places, buf + n, sizeof(buf) - n - 1);
		if (spec->type == '%')
			buf[n++] = '%';
		buf[n] = '\0';
	}
	else
	{
		char		fmt[] = "%.*g";

		if (spec->type == 'e' || spec->type == 'E' || spec->type == 'G')
			fmt[3] = spec->type;
		snprintf(buf + n, sizeof(buf) - n, fmt, places == 0 && fmt[3] == 'g' ? 1 : places, a);
		for (char *p = buf + n; *p; p++)
			*p = *p == ',' ? '.' : *p;
	}
	if (spec->grouped)
		group_digits(buf + sign_len, sizeof(buf) - sign_len);
	return put_padded(r, buf, strlen(buf), sign_len, spec->align ? spec->align : default_align, spec);
}

static NlpStatus
put_text(TplRun *r, const TplValue *v, const Spec *spec, char default_align)
{
	size_t		len = v->u.len;
	size_t		n = 0;

	if (spec->precision >= 0)
	{
		len = 0;
		while (len < v->u.len && n++ < (size_t) spec->precision)
			len += tpl_char_len(v->p.s + len);
	}
	return put_padded(r, v->p.s, len, 0, spec->align && spec->align != '=' ? spec->align : default_align, spec);
}

/* A number of up to six digits; false when longer. */
static bool
read_count(const char **s, const char *end, int *count)
{
	int			n = 0;

	*count = 0;
	while (*s < end && **s >= '0' && **s <= '9')
	{
		if (++n > 6)
			return false;
		*count = *count * 10 + (*(*s)++ - '0');
	}
	return true;
}

/* ---- the % operator ---- */

/* Flags, width and precision after the percent sign. */
static bool
percent_spec(const char **s, const char *end, Spec *spec)
{
	bool		zero = false;

	for (; *s < end && strchr("-+ 0#", **s); (*s)++)
	{
		if (**s == '-')
			spec->align = '<';
		else if (**s == '0')
			zero = true;
		else if (**s == '#')
			spec->alternate = true;
		else if (spec->sign != '+')
			spec->sign = **s;
	}
	if (!read_count(s, end, &spec->width))
		return false;
	if (*s < end && **s == '.')
	{
		(*s)++;
		if (!read_count(s, end, &spec->precision))
			return false;
	}
	if (zero && !spec->align)
	{
		spec->fill = "0";
		spec->align = '=';
	}
	if (*s == end)
		return false;
	spec->type = *(*s)++;
	return true;
}

/* One character, given as such or by its code point. */
static NlpStatus
percent_char(TplRun *r, const TplValue *v, const Spec *spec)
{
	TplValue	text = *v;
	char		buf[4];
	size_t		n;
	int64_t		cp;

	if (nlp_tpl_as_int(v, &cp))
	{
		if (cp < 1 || cp > 0x10ffff || nlp_utf8_encode((uint32_t) cp, buf) == 0)
			return bad_format(r);
		text = tpl_text(buf, (size_t) nlp_utf8_encode((uint32_t) cp, buf));
	}
	if (text.type != TPL_STR || !nlp_tpl_length(&text, &n) || n != 1)
		return bad_format(r);
	return put_text(r, &text, spec, '>');
}

static NlpStatus
percent_one(TplRun *r, const TplValue *v, Spec *spec)
{
	size_t		mark = r->scratch.len;
	TplValue	text;
	int64_t		i;
	double		f;

	switch (spec->type)
	{
		case 's':
		case 'r':
			NLP_TRY(spec->type == 's' ? nlp_tpl_put_value(r, v) : nlp_tpl_put_repr(r, v));
			NLP_TRY(nlp_tpl_take(r, mark, &text));
			if (spec->align == '=')
			{
				spec->fill = " ";
				spec->align = 0;
			}
			return put_text(r, &text, spec, '>');
		case 'd':
		case 'i':
		case 'u':
		case 'x':
		case 'X':
		case 'o':
			if (v->type == TPL_FLOAT && strchr("diu", spec->type) && fabs(v->u.f) < 9e18)
				i = (int64_t) v->u.f;
			else if (!nlp_tpl_as_int(v, &i))
				return bad_format(r);
			return put_int(r, i, spec, '>');
		case 'c':
			return percent_char(r, v, spec);
		case 'f':
		case 'F':
		case 'e':
		case 'E':
		case 'g':
		case 'G':
			if (!nlp_tpl_as_float(v, &f))
				return bad_format(r);
			return put_float(r, f, spec, '>');
		default:
			return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "format code in the chat template is not supported");
	}
}

/* `(name)` after the percent sign, looked up among the keywords. */
static NlpStatus
percent_name(TplRun *r, const char **s, const char *end, const TplArgs *a, const TplValue **v)
{
	const char *close = memchr(*s, ')', (size_t) (end - *s));
	size_t		len;

	*v = NULL;
	if (!close)
		return bad_format(r);
	len = (size_t) (close - *s);
	for (size_t i = 0; i < a->n_kw; i++)
	{
		NLP_TRY(nlp_tpl_work(r, 1));
		if (a->kw[i].key.type == TPL_STR && a->kw[i].key.u.len == len && memcmp(a->kw[i].key.p.s, *s, len) == 0)
			*v = &a->kw[i].value;
	}
	*s = close + 1;
	return *v ? NLP_OK : bad_format(r);
}

NlpStatus
nlp_tpl_percent(TplRun *r, const TplValue *fmt, const TplArgs *a, bool exact, TplValue *out)
{
	size_t		mark = r->scratch.len;
	const char *s = fmt->p.s;
	const char *end = s + fmt->u.len;
	size_t		next = 0;

	while (s < end)
	{
		const char *p = memchr(s, '%', (size_t) (end - s));
		Spec		spec = {.fill = " ", .fill_len = 1, .precision = -1};
		const TplValue *v = NULL;

		NLP_TRY(nlp_tpl_put(r, s, (size_t) ((p ? p : end) - s)));
		if (!p)
			break;
		s = p + 1;
		if (s < end && *s == '(')
		{
			s++;
			NLP_TRY(percent_name(r, &s, end, a, &v));
		}
		if (!percent_spec(&s, end, &spec))
			return bad_format(r);
		if (spec.type == '%')
		{
			NLP_TRY(nlp_tpl_put(r, "%", 1));
			continue;
		}
		if (!v && next == a->n)
			return bad_format(r);
		if (!v)
			v = &a->pos[next++];
		NLP_TRY(percent_one(r, v, &spec));
	}
	if (next < a->n && exact)
		return bad_format(r);
	NLP_TRY(nlp_tpl_take(r, mark, out));
	out->kind = fmt->kind;
	return NLP_OK;
}

/* ---- str.format ---- */

static bool
is_align(char c)
{
	return c == '<' || c == '>' || c == '^' || c == '=';
}

/* [[fill]align][sign][#][0][width][,][.precision][type] */
static bool
format_spec(const char *s, const char *end, Spec *spec)
{
	size_t		n = s < end ? tpl_char_len(s) : 0;

	if (s + n < end && is_align(s[n]))
	{
		spec->fill = s;
		spec->fill_len = n;
		spec->align = s[n];
		s += n + 1;
	}
	else if (s < end && is_align(*s))
		spec->align = *s++;
	if (s < end && (*s == '+' || *s == '-' || *s == ' '))
		spec->sign = *s++;
	if (s < end && *s == '#')
	{
		spec->alternate = true;
		s++;
	}
	if (s < end && *s == '0' && !spec->align)
	{
		spec->fill = "0";
		spec->fill_len = 1;
		spec->align = '=';
	}
	if (!read_count(&s, end, &spec->width))
		return false;
	if (s < end && *s == ',')
	{
		spec->grouped = true;
		s++;
	}
	if (s < end && *s == '.')
	{
		s++;
		if (!read_count(&s, end, &spec->precision))
			return false;
	}
	if (s < end)
		spec->type = *s++;
	return s == end;
}

static NlpStatus
format_value(TplRun *r, const TplValue *v, const char *s, const char *end)
{
	Spec		spec = {.fill = " ", .fill_len = 1, .precision = -1};
	TplValue	text;
	int64_t		i;
	double		f;

	if (!format_spec(s, end, &spec))
		return bad_format(r);
	if (spec.type == 0 && (v->type == TPL_BOOL || s == end))
	{
		NLP_TRY(nlp_tpl_str(r, v, &text));
		return put_text(r, &text, &spec, '<');
	}
	if ((v->type == TPL_INT || v->type == TPL_BOOL) && (spec.type == 0 || strchr("dxXobn", spec.type)))
	{
		nlp_tpl_as_int(v, &i);
		return spec.precision >= 0 ? bad_format(r) : put_int(r, i, &spec, '>');
	}
	if (v->type == TPL_FLOAT && spec.type == 0)
		return put_float(r, v->u.f, &spec, '>');
	if (nlp_tpl_as_float(v, &f) && spec.type && strchr("fFeEgG%", spec.type))
		return put_float(r, f, &spec, '>');
	if (v->type != TPL_STR || (spec.type && spec.type != 's') || spec.align == '=')
		return bad_format(r);
	return put_text(r, v, &spec, '<');
}

/* `.name` and `[key]` behind a field's first part. */
static NlpStatus
format_path(TplRun *r, const char *s, const char *end, TplValue *v)
{
	while (s < end)
	{
		const char *start = s + 1;
		const char *stop = start;
		TplValue	key;
		int			index = 0;

		if (*s == '.')
		{
			while (stop < end && *stop != '.' && *stop != '[')
				stop++;
			NLP_TRY(nlp_tpl_getattr(r, v, start, (size_t) (stop - start),
									nlp_tpl_method_id(start, (size_t) (stop - start)), v));
			s = stop;
			continue;
		}
		if (*s != '[' || !(stop = memchr(start, ']', (size_t) (end - start))) || stop == start)
			return bad_format(r);
		key = tpl_text(start, (size_t) (stop - start));
		if (*start >= '0' && *start <= '9' && read_count(&start, stop, &index) && start == stop)
			key = tpl_int(index);
		NLP_TRY(nlp_tpl_getitem(r, v, &key, v));
		s = stop + 1;
	}
	return NLP_OK;
}

/* The argument a field names; next counts automatic ones. */
static NlpStatus
format_field(TplRun *r, const char *s, const char *end, const TplArgs *a, size_t *next, TplValue *v)
{
	const char *name = s;
	size_t		len;
	int			index = 0;

	while (s < end && *s != '.' && *s != '[')
		s++;
	len = (size_t) (s - name);
	if (len == 0 || (*name >= '0' && *name <= '9'))
	{
		const char *p = name;

		if (len && (!read_count(&p, s, &index) || p != s))
			return bad_format(r);
		if (len == 0 && s < end)
			return bad_format(r);
		if (len == 0)
			index = (int) (*next)++;
		if ((size_t) index >= a->n)
			return bad_format(r);
		*v = a->pos[index];
		return format_path(r, s, end, v);
	}
	for (size_t i = 0; i < a->n_kw; i++)
	{
		if (a->kw[i].key.u.len == len && memcmp(a->kw[i].key.p.s, name, len) == 0)
		{
			*v = a->kw[i].value;
			return format_path(r, s, end, v);
		}
	}
	return bad_format(r);
}

/* What stands between a pair of braces. */
static NlpStatus
format_braces(TplRun *r, const char *s, const char *end, const TplArgs *a, size_t *next)
{
	const char *name_end = s;
	const char *spec;
	size_t		mark = r->scratch.len;
	TplValue	v;

	while (name_end < end && *name_end != ':' && *name_end != '!')
		name_end++;
	NLP_TRY(format_field(r, s, name_end, a, next, &v));
	spec = name_end;
	if (spec < end && *spec == '!')
	{
		if (spec + 1 == end || (spec[1] != 'r' && spec[1] != 's'))
			return bad_format(r);
		NLP_TRY(spec[1] == 'r' ? nlp_tpl_put_repr(r, &v) : nlp_tpl_put_value(r, &v));
		NLP_TRY(nlp_tpl_take(r, mark, &v));
		spec += 2;
		if (spec < end && *spec != ':')
			return bad_format(r);
	}
	return format_value(r, &v, spec < end ? spec + 1 : end, end);
}

NlpStatus
nlp_tpl_format(TplRun *r, const TplValue *fmt, const TplArgs *a, TplValue *out)
{
	size_t		mark = r->scratch.len;
	const char *s = fmt->p.s;
	const char *end = s + fmt->u.len;
	size_t		next = 0;

	while (s < end)
	{
		const char *p = s;

		while (p < end && *p != '{' && *p != '}')
			p++;
		NLP_TRY(nlp_tpl_put(r, s, (size_t) (p - s)));
		if (p == end)
			break;
		if (p + 1 < end && p[1] == *p)
		{
			NLP_TRY(nlp_tpl_put(r, p, 1));
			s = p + 2;
			continue;
		}
		s = p + 1;
		p = *p == '{' ? memchr(s, '}', (size_t) (end - s)) : NULL;
		if (!p || memchr(s, '{', (size_t) (p - s)))
			return bad_format(r);
		NLP_TRY(format_braces(r, s, p, a, &next));
		s = p + 1;
	}
	NLP_TRY(nlp_tpl_take(r, mark, out));
	out->kind = fmt->kind;
	return NLP_OK;
}

/* ---- strftime ---- */

typedef struct Moment
{
	int			year,
				month,
				day,
				hour,
				minute,
				second;
	int			weekday;		/* 0 is Sunday */
	int			yearday;		/* 1 is the first of January */
} Moment;

static bool
leap(int y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int
month_days(int y, int m)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[m - 1] + (m == 2 && leap(y));
}

/* YYYY-MM-DD, and after T or a space HH:MM or HH:MM:SS. */
static bool
read_moment(const char *s, size_t len, Moment *t)
{
	char		buf[20];
	int			n = 0;
	int			used = 0;
	int			y;

	memset(t, 0, sizeof(*t));
	if (len < 10 || len > 19)
		return false;
	memcpy(buf, s, len);
	buf[len] = '\0';
	for (size_t i = 0; i < len; i++)
	{
		bool		digit = buf[i] >= '0' && buf[i] <= '9';

		if (digit == (i == 4 || i == 7 || i == 10 || i == 13 || i == 16))
			return false;
	}
	n = sscanf(buf, "%4d-%2d-%2d%n", &t->year, &t->month, &t->day, &used);
	if (n != 3 || t->year < 1 || t->month < 1 || t->month > 12 || t->day < 1 ||
		t->day > month_days(t->year, t->month))
		return false;
	if (len > 10)
	{
		n = sscanf(buf + 11, "%2d:%2d:%2d", &t->hour, &t->minute, &t->second);
		if ((buf[10] != 'T' && buf[10] != ' ') || n != (len > 16 ? 3 : 2) || (len != 16 && len != 19) || t->hour > 23 || t->minute > 59 || t->second > 59)
			return false;
	}
	t->yearday = t->day;
	for (int m = 1; m < t->month; m++)
		t->yearday += month_days(t->year, m);
	y = t->year - 1;
	t->weekday = (y + y / 4 - y / 100 + y / 400 + t->yearday) % 7;
	return true;
}

static NlpStatus
put_moment(TplRun *r, const Moment *t, char code, bool unpadded)
{
	static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July",
	"August", "September", "October", "November", "December"};
	static const char *const weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
	"Saturday"};
	const char *month = months[t->month - 1];
	const char *weekday = weekdays[t->weekday];
	int			hour12 = t->hour % 12 ? t->hour % 12 : 12;
	const char *two = unpadded ? "%d" : "%02d";
	char		buf[64] = "";
	size_t		cap = sizeof(buf);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	switch (code)
	{
		case 'Y':
			snprintf(buf, cap, "%d", t->year);
			break;
		case 'y':
			snprintf(buf, cap, two, t->year % 100);
			break;
		case 'm':
			snprintf(buf, cap, two, t->month);
			break;
		case 'd':
			snprintf(buf, cap, two, t->day);
			break;
		case 'e':
			snprintf(buf, cap, unpadded ? "%d" : "%2d", t->day);
			break;
		case 'H':
			snprintf(buf, cap, two, t->hour);
			break;
		case 'I':
			snprintf(buf, cap, two, hour12);
			break;
		case 'M':
			snprintf(buf, cap, two, t->minute);
			break;
		case 'S':
			snprintf(buf, cap, two, t->second);
			break;
		case 'f':
			snprintf(buf, cap, "000000");
			break;
		case 'j':
			snprintf(buf, cap, unpadded ? "%d" : "%03d", t->yearday);
			break;
		case 'p':
			snprintf(buf, cap, t->hour < 12 ? "AM" : "PM");
			break;
		case 'B':
			snprintf(buf, cap, "%s", month);
			break;
		case 'b':
		case 'h':
			snprintf(buf, cap, "%.3s", month);
			break;
		case 'A':
			snprintf(buf, cap, "%s", weekday);
			break;
		case 'a':
			snprintf(buf, cap, "%.3s", weekday);
			break;
		case 'w':
			snprintf(buf, cap, "%d", t->weekday);
			break;
		case 'u':
			snprintf(buf, cap, "%d", t->weekday ? t->weekday : 7);
			break;
		case 'F':
			snprintf(buf, cap, "%d-%02d-%02d", t->year, t->month, t->day);
			break;
		case 'T':
		case 'X':
			snprintf(buf, cap, "%02d:%02d:%02d", t->hour, t->minute, t->second);
			break;
		case 'R':
			snprintf(buf, cap, "%02d:%02d", t->hour, t->minute);
			break;
		case 'D':
		case 'x':
			snprintf(buf, cap, "%02d/%02d/%02d", t->month, t->day, t->year % 100);
			break;
		case 'c':
			snprintf(buf, cap, "%.3s %.3s %2d %02d:%02d:%02d %d", weekday, month, t->day, t->hour, t->minute,
					 t->second, t->year);
			break;
		case 'Z':
		case 'z':
			break;
		case 'n':
			snprintf(buf, cap, "\n");
			break;
		case 't':
			snprintf(buf, cap, "\t");
			break;
		case '%':
			snprintf(buf, cap, "%%");
			break;
		default:
			return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "date format code in the chat template is not supported");
	}
#pragma GCC diagnostic pop
	return nlp_tpl_put(r, buf, strlen(buf));
}

NlpStatus
nlp_tpl_strftime(TplRun *r, const TplValue *fmt, TplValue *out)
{
	size_t		mark = r->scratch.len;
	const char *s = fmt->p.s;
	const char *end = s + fmt->u.len;
	Moment		t;

	if (!read_moment(r->now, r->now_len, &t))
	{
		nlp_tpl_fail(r, NLP_EINVALID, "variable \"strftime_now\" is not a date");
		nlp_hint(r->err, "Write it as YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS.");
		return NLP_EINVALID;
	}
	while (s < end)
	{
		const char *p = memchr(s, '%', (size_t) (end - s));
		bool		unpadded;

		NLP_TRY(nlp_tpl_put(r, s, (size_t) ((p ? p : end) - s)));
		if (!p)
			break;
		s = p + 1;
		unpadded = s < end && *s == '-';
		s += unpadded;
		if (s == end)
			return nlp_tpl_fail(r, NLP_EINVALID, "date format in the chat template ends early");
		NLP_TRY(put_moment(r, &t, *s++, unpadded));
	}
	return nlp_tpl_take(r, mark, out);
}
