/* template_filters.c --- the filters behind `|` in chat templates: the table,
 * and those on texts and numbers. Sequences are in template_seq.c.
 *
 * Source: "List of Builtin Filters" in Jinja's Template Designer Documentation;
 *         tojson as transformers gives it to chat templates. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"
#include "task/template_internal.h"
#include "engine_only.h"

typedef enum Filter
{
	F_NONE,
	F_TRIM, F_UPPER, F_LOWER, F_TITLE, F_CAPITALIZE, F_REPLACE, F_STRING, F_SAFE, F_ESCAPE, F_FORCEESCAPE,
	F_INDENT, F_TRUNCATE, F_CENTER, F_WORDCOUNT, F_FORMAT, F_URLENCODE,
	F_INT, F_FLOAT, F_ABS, F_ROUND, F_DEFAULT, F_ATTR, F_TOJSON, F_FROMJSON,
	F_SEQ						/* plus a TplSeqFilter */
} Filter;

static const struct
{
	const char *name;
	uint8_t		id;
}			filters[] = {
	{"trim", F_TRIM}, {"upper", F_UPPER}, {"lower", F_LOWER}, {"title", F_TITLE}, {"capitalize", F_CAPITALIZE},
	{"replace", F_REPLACE}, {"string", F_STRING}, {"safe", F_SAFE}, {"escape", F_ESCAPE}, {"e", F_ESCAPE},
	{"forceescape", F_FORCEESCAPE}, {"indent", F_INDENT}, {"truncate", F_TRUNCATE}, {"center", F_CENTER},
	{"wordcount", F_WORDCOUNT}, {"format", F_FORMAT}, {"urlencode", F_URLENCODE}, {"int", F_INT},
	{"float", F_FLOAT}, {"abs", F_ABS}, {"round", F_ROUND}, {"default", F_DEFAULT}, {"d", F_DEFAULT},
	{"attr", F_ATTR}, {"tojson", F_TOJSON}, {"from_json", F_FROMJSON},
	{"length", F_SEQ + TPL_Q_LENGTH}, {"count", F_SEQ + TPL_Q_LENGTH},
	{"first", F_SEQ + TPL_Q_FIRST}, {"last", F_SEQ + TPL_Q_LAST}, {"list", F_SEQ + TPL_Q_LIST},
	{"join", F_SEQ + TPL_Q_JOIN}, {"reverse", F_SEQ + TPL_Q_REVERSE}, {"sort", F_SEQ + TPL_Q_SORT},
	{"unique", F_SEQ + TPL_Q_UNIQUE}, {"min", F_SEQ + TPL_Q_MIN}, {"max", F_SEQ + TPL_Q_MAX},
	{"sum", F_SEQ + TPL_Q_SUM}, {"map", F_SEQ + TPL_Q_MAP}, {"select", F_SEQ + TPL_Q_SELECT},
	{"reject", F_SEQ + TPL_Q_REJECT}, {"selectattr", F_SEQ + TPL_Q_SELECTATTR},
	{"rejectattr", F_SEQ + TPL_Q_REJECTATTR}, {"dictsort", F_SEQ + TPL_Q_DICTSORT},
	{"items", F_SEQ + TPL_Q_ITEMS}, {"batch", F_SEQ + TPL_Q_BATCH}, {"slice", F_SEQ + TPL_Q_SLICE},
	{"groupby", F_SEQ + TPL_Q_GROUPBY}
};

int
nlp_tpl_filter_id(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
	{
		if (strlen(filters[i].name) == len && memcmp(filters[i].name, name, len) == 0)
			return filters[i].id;
	}
	return 0;
}

/* ---- arguments ---- */

static NlpStatus
bind(TplRun *r, const TplArgs *a, size_t n, size_t required, const char *const *names, const TplValue **got)
{
	return nlp_tpl_bind(r, "filter", a, n, required, names, got);
}

NlpStatus
nlp_tpl_int_arg(TplRun *r, const TplValue *v, int64_t none, int64_t *i)
{
	*i = none;
	if (!v || nlp_tpl_as_int(v, i))
		return NLP_OK;
	return nlp_tpl_fail(r, NLP_EINVALID, "a filter in the chat template needs an integer, not %s",
						nlp_tpl_type_name(v));
}

static NlpStatus
want_text(TplRun *r, const TplValue *v)
{
	if (v->type == TPL_STR)
		return NLP_OK;
	return nlp_tpl_fail(r, NLP_EINVALID, "a filter in the chat template needs a string, not %s", nlp_tpl_type_name(v));
}

/* ---- texts ---- */

static NlpStatus
filter_trim(TplRun *r, const TplValue *text, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"chars"};
	const TplValue *got[1];

	NLP_TRY(bind(r, a, 1, 0, names, got));
	if (got[0] && got[0]->type == TPL_NONE)
		got[0] = NULL;
	if (got[0])
		NLP_TRY(want_text(r, got[0]));
	return nlp_tpl_strip(r, text, got[0], true, true, out);
}

static NlpStatus
filter_replace(TplRun *r, const TplValue *text, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"old", "new", "count"};
	const TplValue *got[3];
	TplValue	from,
				to;
	int64_t		max;

	NLP_TRY(bind(r, a, 3, 2, names, got));
	NLP_TRY(nlp_tpl_str(r, got[0], &from));
	NLP_TRY(nlp_tpl_str(r, got[1], &to));
	if (got[2] && got[2]->type == TPL_NONE)
		got[2] = NULL;
	NLP_TRY(nlp_tpl_int_arg(r, got[2], -1, &max));
	NLP_TRY(nlp_tpl_replace(r, text, &from, &to, max, out));
	out->kind = 0;
	return NLP_OK;
}

/* Lines after the first get the indentation; blank ones only when asked. */
static NlpStatus
filter_indent(TplRun *r, const TplValue *v, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"width", "first", "blank"};
	const TplValue *got[3];
	TplValue	lines;
	TplValue	indent = tpl_text("    ", 4);
	TplValue	space = tpl_text(" ", 1);
	TplValue	width;
	size_t		mark;
	bool		first;
	bool		blank;

	NLP_TRY(bind(r, a, 3, 0, names, got));
	NLP_TRY(want_text(r, v));
	first = got[1] && nlp_tpl_truth(got[1]);
	blank = got[2] && nlp_tpl_truth(got[2]);
	if (got[0] && got[0]->type == TPL_STR)
		indent = *got[0];
	else if (got[0])
	{
		width = *got[0];
		NLP_TRY(nlp_tpl_arith(r, TPL_O_MUL, &space, &width, &indent));
	}
	/* one more newline, so that a trailing one leaves an empty last line */
	mark = r->scratch.len;
	NLP_TRY(nlp_tpl_put(r, v->p.s, v->u.len));
	NLP_TRY(nlp_tpl_put(r, "\n", 1));
	NLP_TRY(nlp_tpl_take(r, mark, &lines));
	NLP_TRY(nlp_tpl_splitlines(r, &lines, false, &lines));
	for (size_t i = 0; i < lines.p.list->n; i++)
	{
		const TplValue *line = &lines.p.list->items[i];

		if (i)
			NLP_TRY(nlp_tpl_put(r, "\n", 1));
		if (i == 0 ? first : blank || line->u.len)
			NLP_TRY(nlp_tpl_put(r, indent.p.s, indent.u.len));
		NLP_TRY(nlp_tpl_put(r, line->p.s, line->u.len));
	}
	NLP_TRY(nlp_tpl_take(r, mark, out));
	out->kind = v->kind;
	return NLP_OK;
}

/* The first n characters of s. */
static TplValue
head(const TplValue *s, size_t n)
{
	size_t		len = 0;

	while (len < s->u.len && n-- > 0)
		len += tpl_char_len(s->p.s + len);
	return tpl_text(s->p.s, len);
}

static NlpStatus
filter_truncate(TplRun *r, const TplValue *v, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"length", "killwords", "end", "leeway"};
	const TplValue *got[4];
	TplValue	end = tpl_text("...", 3);
	TplValue	space = tpl_text(" ", 1);
	const char *at;
	size_t		mark = r->scratch.len;
	size_t		n;
	size_t		n_end;
	int64_t		length;
	int64_t		leeway;

	NLP_TRY(bind(r, a, 4, 0, names, got));
	NLP_TRY(nlp_tpl_int_arg(r, got[0], 255, &length));
	if (got[3] && got[3]->type == TPL_NONE)
		got[3] = NULL;
	NLP_TRY(nlp_tpl_int_arg(r, got[3], 5, &leeway));
	if (got[2])
	{
		NLP_TRY(want_text(r, got[2]));
		end = *got[2];
	}
	if (!nlp_tpl_length(v, &n))
		return want_text(r, v);
	nlp_tpl_length(&end, &n_end);
	if (length < (int64_t) n_end || leeway < 0)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template truncates to less than the ellipsis");
	if (n <= (size_t) length || n - (size_t) length <= (size_t) leeway)
	{
		*out = *v;
		return NLP_OK;
	}
	NLP_TRY(want_text(r, v));
	*out = head(v, (size_t) length - n_end);
	if (!(got[1] && nlp_tpl_truth(got[1])))
	{
		NLP_TRY(nlp_tpl_find(r, out, &space, true, &at));
		if (at)
			out->u.len = (size_t) (at - out->p.s);
	}
	NLP_TRY(nlp_tpl_put(r, out->p.s, out->u.len));
	NLP_TRY(nlp_tpl_put(r, end.p.s, end.u.len));
	return nlp_tpl_take(r, mark, out);
}

static NlpStatus
filter_center(TplRun *r, const TplValue *text, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"width"};
	const TplValue *got[1];
	TplValue	width = tpl_int(80);
	TplArgs		args = {.pos = &width, .n = 1};

	NLP_TRY(bind(r, a, 1, 0, names, got));
	if (got[0])
		width = *got[0];
	return nlp_tpl_call_method(r, nlp_tpl_method_id("center", 6), text, &args, out);
}

/* Runs of letters, digits and underscores; anything beyond ASCII is of a word
 * unless it is white space or punctuation by its block. */
static NlpStatus
filter_wordcount(TplRun *r, const TplValue *text, TplValue *out)
{
	int64_t		n = 0;
	bool		in_word = false;

	NLP_TRY(nlp_tpl_work(r, text->u.len));
	for (size_t i = 0; i < text->u.len;)
	{
		uint32_t	cp = 0;
		int			len = nlp_utf8_decode(text->p.s + i, text->u.len - i, &cp);
		bool		word = cp == '_' || (cp >= '0' && cp <= '9') || ((cp | 32) >= 'a' && (cp | 32) <= 'z') ||
			(cp >= 0xaa && !nlp_tpl_is_space(cp) && !(cp >= 0x2000 && cp <= 0x206f) &&
			 !(cp >= 0x3000 && cp <= 0x3004) && !(cp >= 0xff00 && cp <= 0xff0f));

		if (len == 0)
			break;
		n += word && !in_word;
		in_word = word;
		i += len;
	}
	*out = tpl_int(n);
	return NLP_OK;
}

static NlpStatus
filter_urlencode(TplRun *r, const TplValue *v, TplValue *out)
{
	size_t		mark = r->scratch.len;
	char		buf[4];
	TplValue	text;

	if (v->type != TPL_STR && nlp_tpl_iterable(v) && v->type != TPL_UNDEFINED)
		return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "filter \"urlencode\" of a chat template knows strings only");
	NLP_TRY(nlp_tpl_str(r, v, &text));
	v = &text;
	for (size_t i = 0; i < v->u.len; i++)
	{
		unsigned char c = (unsigned char) v->p.s[i];
		bool		plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
			(c && strchr("_.-~/", c));

		snprintf(buf, sizeof(buf), plain ? "%c" : "%%%02X", c);
		NLP_TRY(nlp_tpl_put(r, buf, strlen(buf)));
	}
	return nlp_tpl_take(r, mark, out);
}

/* ---- numbers ---- */

/* A text that Python's int or float would read: sign, digits with single
 * underscores, white space around; copied to buf without underscores. */
static bool
number_text(const TplValue *v, bool real, char buf[64])
{
	const char *s = v->p.s;
	const char *end = s + v->u.len;
	size_t		n = 0;
	bool		digits = false;
	bool		exponent = false;

	while (s < end && nlp_tpl_is_space((unsigned char) *s))
		s++;
	while (end > s && nlp_tpl_is_space((unsigned char) end[-1]))
		end--;
	for (const char *p = s; p < end; p++)
	{
		char		c = *p;
		bool		digit = c >= '0' && c <= '9';
		bool		sign = (c == '+' || c == '-') && (p == s || (real && (p[-1] | 32) == 'e'));

		if (c == '_' && p > s && p + 1 < end && p[-1] >= '0' && p[-1] <= '9' && p[1] >= '0' && p[1] <= '9')
			continue;
		if (c == '.' && real && !exponent && !memchr(s, '.', (size_t) (p - s)))
			;
		else if ((c | 32) == 'e' && real && digits && !exponent && p + 1 < end)
			exponent = true;
		else if (!digit && !sign)
			return false;
		digits |= digit;
		if (n == 62)
			return false;
		buf[n++] = c;
	}
	buf[n] = '\0';
	return digits && n && buf[n - 1] >= '.' && (buf[n - 1] | 32) != 'e';
}

static bool
text_int(const char *s, int64_t *i)
{
	bool		negative = *s == '-';

	*i = 0;
	for (s += *s == '-' || *s == '+'; *s; s++)
	{
		if (__builtin_mul_overflow(*i, (int64_t) 10, i) ||
			__builtin_add_overflow(*i, (int64_t) (negative ? '0' - *s : *s - '0'), i))
			return false;
	}
	return true;
}

static bool
float_to_int(double f, int64_t *i)
{
	if (!(f > -9.2e18 && f < 9.2e18))
		return false;
	*i = (int64_t) f;
	return true;
}

static NlpStatus
undefined_number(TplRun *r)
{
	return nlp_tpl_fail(r, NLP_EINVALID, "chat template makes a number of an undefined value");
}

static NlpStatus
filter_int(TplRun *r, const TplValue *v, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"default", "base"};
	const TplValue *got[2];
	char		buf[64];
	bool		fits = true;
	int64_t		i;
	int64_t		base;

	NLP_TRY(bind(r, a, 2, 0, names, got));
	NLP_TRY(nlp_tpl_int_arg(r, got[1], 10, &base));
	if (base != 10)
		return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "filter \"int\" of a chat template knows base 10 only");
	if (v->type == TPL_UNDEFINED)
		return undefined_number(r);
	*out = got[0] ? *got[0] : tpl_int(0);
	if (v->type == TPL_STR && number_text(v, false, buf))
		fits = text_int(buf, &i);
	else if (v->type == TPL_STR && number_text(v, true, buf))
		fits = float_to_int(nlp_tpl_parse_float(buf), &i);
	else if (v->type == TPL_FLOAT && !isnan(v->u.f))
		fits = float_to_int(v->u.f, &i);
	else if (!nlp_tpl_as_int(v, &i))
		return NLP_OK;
	if (!fits)
		return nlp_tpl_fail(r, NLP_ELIMIT, "integer in the chat template is out of range");
	*out = tpl_int(i);
	return NLP_OK;
}

static NlpStatus
filter_float(TplRun *r, const TplValue *v, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"default"};
	const TplValue *got[1];
	char		buf[64];
	double		f;

	NLP_TRY(bind(r, a, 1, 0, names, got));
	if (v->type == TPL_UNDEFINED)
		return undefined_number(r);
	if (nlp_tpl_as_float(v, &f))
		*out = tpl_float(f);
	else if (v->type == TPL_STR && number_text(v, true, buf))
		*out = tpl_float(nlp_tpl_parse_float(buf));
	else
		*out = got[0] ? *got[0] : tpl_float(0);
	return NLP_OK;
}

static NlpStatus
filter_abs(TplRun *r, const TplValue *v, TplValue *out)
{
	double		f;

	if (!nlp_tpl_as_float(v, &f))
		return nlp_tpl_fail(r, NLP_EINVALID, "filter \"abs\" of the chat template needs a number");
	if (f < 0)
		return nlp_tpl_negate(r, v, out);
	*out = v->type == TPL_BOOL ? tpl_int(v->u.b) : *v;
	return NLP_OK;
}

/* Half to even on the decimal text, as Python rounds. */
static double
round_decimal(double f, int places)
{
	char		buf[512];
	double		scale = pow(10, -places);

	if (isnan(f) || isinf(f))
		return f;
	if (places < 0)
		return nearbyint(f / scale) * scale;
	if (places > 60)
		return f;
	nlp_tpl_fixed_text(f, places, buf, sizeof(buf));
	return nlp_tpl_parse_float(buf);
}

static NlpStatus
filter_round(TplRun *r, const TplValue *v, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"precision", "method"};
	const TplValue *got[2];
	const TplValue *method;
	int64_t		places;
	double		f;
	double		scale;

	NLP_TRY(bind(r, a, 2, 0, names, got));
	NLP_TRY(nlp_tpl_int_arg(r, got[0], 0, &places));
	if (!nlp_tpl_as_float(v, &f) || places > 300 || places < -300)
		return nlp_tpl_fail(r, NLP_EINVALID, "filter \"round\" of the chat template needs a number");
	method = got[1];
	if (!method || (method->type == TPL_STR && method->u.len == 6 && memcmp(method->p.s, "common", 6) == 0))
	{
		if (v->type == TPL_INT || v->type == TPL_BOOL)
		{
			if (places < 0)
				f = round_decimal(f, (int) places);
			*out = tpl_int(places < 0 ? (int64_t) f : v->type == TPL_BOOL ? v->u.b : v->u.i);
		}
		else
			*out = tpl_float(round_decimal(f, (int) places));
		return NLP_OK;
	}
	scale = pow(10, (double) places);
	if (method->type == TPL_STR && method->u.len == 4 && memcmp(method->p.s, "ceil", 4) == 0)
		*out = tpl_float(ceil(f * scale) / scale);
	else if (method->type == TPL_STR && method->u.len == 5 && memcmp(method->p.s, "floor", 5) == 0)
		*out = tpl_float(floor(f * scale) / scale);
	else
		return nlp_tpl_fail(r, NLP_EINVALID, "method of filter \"round\" is not common, ceil or floor");
	return NLP_OK;
}

/* ---- others ---- */

static NlpStatus
filter_default(TplRun *r, const TplValue *v, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"default_value", "boolean"};
	const TplValue *got[2];

	NLP_TRY(bind(r, a, 2, 0, names, got));
	*out = *v;
	if (v->type == TPL_UNDEFINED || (got[1] && nlp_tpl_truth(got[1]) && !nlp_tpl_truth(v)))
		*out = got[0] ? *got[0] : tpl_text("", 0);
	return NLP_OK;
}

/* Attributes only: of a mapping its methods, of a namespace what it holds. */
static NlpStatus
filter_attr(TplRun *r, const TplValue *v, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"name"};
	const TplValue *got[1];
	int			method;

	NLP_TRY(bind(r, a, 1, 1, names, got));
	NLP_TRY(want_text(r, got[0]));
	method = nlp_tpl_method_id(got[0]->p.s, got[0]->u.len);
	*out = tpl_undefined();
	if (v->type == TPL_DICT && !nlp_tpl_has_method(v, method))
		return NLP_OK;
	return nlp_tpl_getattr(r, v, got[0]->p.s, got[0]->u.len, method, out);
}

static NlpStatus
filter_escape(TplRun *r, const TplValue *v, bool force, TplValue *out)
{
	TplValue	text;

	NLP_TRY(nlp_tpl_str(r, v, &text));
	if (force)
		text.kind = 0;
	return nlp_tpl_escape(r, &text, out);
}

/* Filters whose first step is str(v). */
static NlpStatus
text_filter(TplRun *r, Filter id, const TplValue *v, const TplArgs *a, TplValue *out)
{
	TplValue	text;

	NLP_TRY(nlp_tpl_str(r, v, &text));
	switch (id)
	{
		case F_TRIM:
			return filter_trim(r, &text, a, out);
		case F_REPLACE:
			return filter_replace(r, &text, a, out);
		case F_CENTER:
			return filter_center(r, &text, a, out);
		case F_FORMAT:
			if (a->n && a->n_kw)
				return nlp_tpl_fail(r, NLP_EINVALID, "filter \"format\" takes positions or keywords, not both");
			return nlp_tpl_percent(r, &text, a, a->n_kw == 0, out);
		default:
			break;
	}
	NLP_TRY(bind(r, a, 0, 0, NULL, NULL));
	switch (id)
	{
		case F_UPPER:
			return nlp_tpl_upper(r, &text, out);
		case F_LOWER:
			return nlp_tpl_lower(r, &text, out);
		case F_TITLE:
			return nlp_tpl_title_filter(r, &text, out);
		case F_CAPITALIZE:
			return nlp_tpl_capitalize(r, &text, out);
		case F_WORDCOUNT:
			return filter_wordcount(r, &text, out);
		default:
			*out = text;
			if (id == F_SAFE)
				out->kind = 1;
			return NLP_OK;
	}
}

NlpStatus
nlp_tpl_filter(TplRun *r, int id, const TplValue *v, const TplArgs *a, TplValue *out)
{
	NLP_TRY(nlp_tpl_work(r, 1));
	if (id >= F_SEQ)
		return nlp_tpl_seq_filter(r, (TplSeqFilter) (id - F_SEQ), v, a, out);
	switch (id)
	{
		case F_INDENT:
			return filter_indent(r, v, a, out);
		case F_TRUNCATE:
			return filter_truncate(r, v, a, out);
		case F_INT:
			return filter_int(r, v, a, out);
		case F_FLOAT:
			return filter_float(r, v, a, out);
		case F_ROUND:
			return filter_round(r, v, a, out);
		case F_DEFAULT:
			return filter_default(r, v, a, out);
		case F_ATTR:
			return filter_attr(r, v, a, out);
		case F_TOJSON:
			return nlp_tpl_tojson(r, v, a, out);
		case F_ESCAPE:
		case F_FORCEESCAPE:
		case F_ABS:
		case F_URLENCODE:
		case F_FROMJSON:
			NLP_TRY(bind(r, a, 0, 0, NULL, NULL));
			if (id == F_ABS)
				return filter_abs(r, v, out);
			if (id == F_URLENCODE)
				return filter_urlencode(r, v, out);
			if (id != F_FROMJSON)
				return filter_escape(r, v, id == F_FORCEESCAPE, out);
			NLP_TRY(want_text(r, v));
			return nlp_tpl_json(r, v->p.s, v->u.len, "text given to filter \"from_json\"", out);
		default:
			return text_filter(r, (Filter) id, v, a, out);
	}
}
