/* template_json.c --- JSON for chat templates: reading the variables, and the
 * filter tojson.
 *
 * Trust:  the text is the user's; strict RFC 8259, nesting counted, and every
 *         value made is charged to the rendering's budget. A JSON library would
 *         copy the conversation outside of that budget, hence our own reader:
 *         strings without escapes are not copied at all.
 * Source: RFC 8259; the Python Library Reference, json.dumps. Departs: integers
 *         beyond 64 bits, numbers beyond doubles, \u0000 and unpaired surrogates
 *         are refused; of members with one name the last counts, as in Python. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"
#include "task/template_internal.h"
#include "engine_only.h"

typedef struct Reader
{
	TplRun	   *r;
	const char *text;
	size_t		len;
	size_t		pos;
	int			depth;
	const char *what;
} Reader;

static NlpStatus read_value(Reader *j, TplValue *out);

static NlpStatus
bad_json(Reader *j, const char *why)
{
	size_t		line = 1;
	size_t		start = 0;
	size_t		pos = j->pos < j->len ? j->pos : j->len;

	for (size_t i = 0; i < pos; i++)
	{
		if (j->text[i] == '\n')
		{
			line++;
			start = i + 1;
		}
	}
	nlp_fail(j->r->err, NLP_EINVALID, "%s is not valid JSON: %s", j->what, why);
	nlp_detail(j->r->err, "At line %zu, column %zu.", line, pos - start + 1);
	return NLP_EINVALID;
}

static void
skip(Reader *j)
{
	while (j->pos < j->len && (j->text[j->pos] == ' ' || j->text[j->pos] == '\t' || j->text[j->pos] == '\n' ||
							   j->text[j->pos] == '\r'))
		j->pos++;
}

static char
peek(const Reader *j)
{
	return j->pos < j->len ? j->text[j->pos] : '\0';
}

static bool
accept(Reader *j, char c)
{
	if (peek(j) != c || j->pos >= j->len)
		return false;
	j->pos++;
	return true;
}

/* ---- strings ---- */

static bool
read_hex4(Reader *j, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++)
	{
		char		c = peek(j);
		int			d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;

		if (d < 0)
			return false;
		*out = *out * 16 + (uint32_t) d;
		j->pos++;
	}
	return true;
}

static NlpStatus
put_escape(Reader *j)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	char		c = peek(j);
	const char *simple = c ? strchr(from, c) : NULL;
	uint32_t	cp;
	uint32_t	low;
	char		buf[4];

	if (simple)
	{
		j->pos++;
		return nlp_tpl_put(j->r, &to[simple - from], 1);
	}
	if (c != 'u')
		return bad_json(j, "unknown escape in a string");
	j->pos++;
	if (!read_hex4(j, &cp))
		return bad_json(j, "escape needs four hexadecimal digits");
	if (cp >= 0xd800 && cp < 0xdc00)
	{
		if (!accept(j, '\\') || !accept(j, 'u') || !read_hex4(j, &low) || low < 0xdc00 || low > 0xdfff)
			return bad_json(j, "unpaired surrogate in a string");
		cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
	}
	if (cp >= 0xdc00 && cp <= 0xdfff)
		return bad_json(j, "unpaired surrogate in a string");
	if (cp == 0)
		return bad_json(j, "NUL character in a string");
	return nlp_tpl_put(j->r, buf, (size_t) nlp_utf8_encode(cp, buf));
}

/* After the opening quote. The whole text is known to be UTF-8. */
static NlpStatus
read_string(Reader *j, TplValue *out)
{
	size_t		start = j->pos;
	size_t		mark = j->r->scratch.len;
	bool		copied = false;

	for (;;)
	{
		unsigned char c;

		if (j->pos >= j->len)
			return bad_json(j, "string has no end");
		c = (unsigned char) j->text[j->pos];
		if (c == '"' && !copied)
		{
			*out = tpl_text(j->text + start, j->pos++ - start);
			return nlp_tpl_work(j->r, out->u.len / 8 + 1);
		}
		if (c == '"' || c == '\\')
		{
			NLP_TRY(nlp_tpl_put(j->r, j->text + start, j->pos - start));
			copied = true;
			j->pos++;
			if (c == '"')
				return nlp_tpl_take(j->r, mark, out);
			NLP_TRY(put_escape(j));
			start = j->pos;
		}
		else if (c < 0x20)
			return bad_json(j, "control character in a string");
		else
			j->pos++;
	}
}

/* ---- numbers and words ---- */

static size_t
digits(Reader *j)
{
	size_t		start = j->pos;

	while (peek(j) >= '0' && peek(j) <= '9')
		j->pos++;
	return j->pos - start;
}

static NlpStatus
read_number(Reader *j, TplValue *out)
{
	size_t		start = j->pos;
	bool		real = false;
	char		buf[400];
	int64_t		i = 0;
	bool		negative = accept(j, '-');
	size_t		first = j->pos;

	if (digits(j) == 0)
		return bad_json(j, "unexpected character");
	if (j->text[first] == '0' && j->pos - first > 1)
		return bad_json(j, "number starts with zero");
	if (accept(j, '.'))
	{
		real = true;
		if (digits(j) == 0)
			return bad_json(j, "number ends early");
	}
	if ((peek(j) | 32) == 'e')
	{
		real = true;
		j->pos++;
		if (!accept(j, '+'))
			accept(j, '-');
		if (digits(j) == 0)
			return bad_json(j, "number ends early");
	}
	if (j->pos - start >= sizeof(buf))
		return bad_json(j, "number is too long");
	memcpy(buf, j->text + start, j->pos - start);
	buf[j->pos - start] = '\0';
	if (real)
	{
		*out = tpl_float(nlp_tpl_parse_float(buf));
		return isfinite(out->u.f) ? NLP_OK : bad_json(j, "number is out of range");
	}
	for (const char *p = buf + negative; *p; p++)
	{
		if (__builtin_mul_overflow(i, (int64_t) 10, &i) ||
			__builtin_add_overflow(i, (int64_t) (negative ? '0' - *p : *p - '0'), &i))
			return bad_json(j, "integer is out of range");
	}
	*out = tpl_int(i);
	return NLP_OK;
}

static bool
accept_word(Reader *j, const char *word)
{
	size_t		n = strlen(word);

	if (j->len - j->pos < n || memcmp(j->text + j->pos, word, n) != 0)
		return false;
	j->pos += n;
	return true;
}

/* ---- containers ---- */

static NlpStatus
read_array(Reader *j, TplValue *out)
{
	TplList    *l;
	size_t		cap = 0;

	NLP_TRY(nlp_tpl_list(j->r, TPL_LIST, 0, out));
	l = out->p.list;
	skip(j);
	if (accept(j, ']'))
		return NLP_OK;
	for (;;)
	{
		if (l->n == cap)
		{
			TplValue   *items;

			cap = cap ? cap * 2 : 4;
			NLP_TRY(nlp_tpl_alloc(j->r, cap, sizeof(TplValue), &items));
			if (l->n)
				memcpy(items, l->items, l->n * sizeof(TplValue));
			l->items = items;
		}
		NLP_TRY(read_value(j, &l->items[l->n]));
		l->n++;
		if (accept(j, ']'))
			return NLP_OK;
		if (!accept(j, ','))
			return bad_json(j, "a comma or a closing bracket is missing");
	}
}

static NlpStatus
read_object(Reader *j, TplValue *out)
{
	NLP_TRY(nlp_tpl_dict_new(j->r, TPL_DICT, out));
	skip(j);
	if (accept(j, '}'))
		return NLP_OK;
	for (;;)
	{
		TplValue	key;
		TplValue	value;

		skip(j);
		if (!accept(j, '"'))
			return bad_json(j, "a member's name is missing");
		NLP_TRY(read_string(j, &key));
		skip(j);
		if (!accept(j, ':'))
			return bad_json(j, "a colon is missing");
		NLP_TRY(read_value(j, &value));
		NLP_TRY(nlp_tpl_dict_set(j->r, out->p.dict, &key, &value));
		if (accept(j, '}'))
			return NLP_OK;
		if (!accept(j, ','))
			return bad_json(j, "a comma or a closing brace is missing");
	}
}

/* One value and the white space around it. */
static NlpStatus
read_value(Reader *j, TplValue *out)
{
	NlpStatus	st = NLP_OK;

	if (++j->depth > TPL_MAX_JSON)
		return nlp_fail(j->r->err, NLP_ECOMPLEX, "%s is nested more than %d levels deep", j->what, TPL_MAX_JSON);
	NLP_TRY(nlp_tpl_work(j->r, 1));
	skip(j);
	if (accept(j, '"'))
		st = read_string(j, out);
	else if (accept(j, '{'))
		st = read_object(j, out);
	else if (accept(j, '['))
		st = read_array(j, out);
	else if (accept_word(j, "true"))
		*out = tpl_bool(true);
	else if (accept_word(j, "false"))
		*out = tpl_bool(false);
	else if (accept_word(j, "null"))
		*out = tpl_none();
	else if (j->pos >= j->len)
		st = bad_json(j, "it ends early");
	else
		st = read_number(j, out);
	NLP_TRY(st);
	skip(j);
	j->depth--;
	return NLP_OK;
}

NlpStatus
nlp_tpl_json(TplRun *r, const char *text, size_t len, const char *what, TplValue *out)
{
	Reader		j = {.r = r, .text = text, .len = len, .what = what};
	size_t		bad;

	if (!nlp_utf8_valid(text, len, &bad))
	{
		nlp_fail(r->err, NLP_ETEXT, "%s is not valid UTF-8", what);
		nlp_detail(r->err, "The first invalid byte is at offset %zu.", bad);
		return NLP_ETEXT;
	}
	NLP_TRY(nlp_tpl_work(r, len / 16));
	NLP_TRY(read_value(&j, out));
	if (j.pos < len)
		return bad_json(&j, "text follows its end");
	return NLP_OK;
}

/* ---- tojson ---- */

typedef struct Writer
{
	TplRun	   *r;
	bool		ascii;
	bool		sort;
	bool		pretty;			/* indent given */
	TplValue	indent;
	TplValue	comma;
	TplValue	colon;
	int			level;
} Writer;

static NlpStatus write_value(Writer *w, const TplValue *v);

static NlpStatus
write_string(Writer *w, const TplValue *v)
{
	const char *s = v->p.s;
	size_t		start = 0;

	NLP_TRY(nlp_tpl_put(w->r, "\"", 1));
	for (size_t i = 0; i < v->u.len;)
	{
		uint32_t	cp = 0;
		int			n = nlp_utf8_decode(s + i, v->u.len - i, &cp);
		char		buf[16];

		if (n == 0)
			return nlp_tpl_fail(w->r, NLP_EINTERNAL, "text in a chat template is not UTF-8");
		if (cp >= 0x20 && cp != '"' && cp != '\\' && (cp < 0x80 || !w->ascii))
		{
			i += n;
			continue;
		}
		if (cp == '"' || cp == '\\')
			snprintf(buf, sizeof(buf), "\\%c", (char) cp);
		else if (cp >= 8 && cp <= 13 && cp != 11)
			snprintf(buf, sizeof(buf), "\\%c", "btn_fr"[cp - 8]);
		else if (cp < 0x10000)
			snprintf(buf, sizeof(buf), "\\u%04x", cp);
		else
			snprintf(buf, sizeof(buf), "\\u%04x\\u%04x", 0xd800 + ((cp - 0x10000) >> 10),
					 0xdc00 + ((cp - 0x10000) & 0x3ff));
		NLP_TRY(nlp_tpl_put(w->r, s + start, i - start));
		NLP_TRY(nlp_tpl_put(w->r, buf, strlen(buf)));
		i += n;
		start = i;
	}
	NLP_TRY(nlp_tpl_put(w->r, s + start, v->u.len - start));
	return nlp_tpl_put(w->r, "\"", 1);
}

static NlpStatus
write_float(Writer *w, double f)
{
	char		buf[40];

	if (isnan(f))
		return nlp_tpl_put(w->r, "NaN", 3);
	if (isinf(f))
		return nlp_tpl_put(w->r, f < 0 ? "-Infinity" : "Infinity", f < 0 ? 9 : 8);
	return nlp_tpl_put(w->r, buf, nlp_tpl_float_text(f, buf));
}

static NlpStatus
write_number(Writer *w, const TplValue *v)
{
	char		buf[32];

	if (v->type == TPL_BOOL)
		return nlp_tpl_put(w->r, v->u.b ? "true" : "false", v->u.b ? 4 : 5);
	if (v->type == TPL_NONE)
		return nlp_tpl_put(w->r, "null", 4);
	if (v->type == TPL_FLOAT)
		return write_float(w, v->u.f);
	snprintf(buf, sizeof(buf), "%lld", (long long) v->u.i);
	return nlp_tpl_put(w->r, buf, strlen(buf));
}

static NlpStatus
new_line(Writer *w)
{
	if (!w->pretty)
		return NLP_OK;
	NLP_TRY(nlp_tpl_put(w->r, "\n", 1));
	for (int i = 0; i < w->level; i++)
		NLP_TRY(nlp_tpl_put(w->r, w->indent.p.s, w->indent.u.len));
	return NLP_OK;
}

static NlpStatus
between(Writer *w, size_t i)
{
	if (i)
		NLP_TRY(nlp_tpl_put(w->r, w->comma.p.s, w->comma.u.len));
	return new_line(w);
}

static NlpStatus
write_key(Writer *w, const TplValue *key)
{
	if (key->type == TPL_STR)
		return write_string(w, key);
	if (key->type != TPL_BOOL && key->type != TPL_NONE && key->type != TPL_INT && key->type != TPL_FLOAT)
		return nlp_tpl_fail(w->r, NLP_EINVALID, "chat template writes JSON with %s for a key", nlp_tpl_type_name(key));
	NLP_TRY(nlp_tpl_put(w->r, "\"", 1));
	NLP_TRY(write_number(w, key));
	return nlp_tpl_put(w->r, "\"", 1);
}

/* Positions of d's pairs in the order of their keys; insertion sort on few,
 * stable, charged as it goes. */
static NlpStatus
sorted_order(Writer *w, const TplDict *d, size_t **out)
{
	size_t	   *order;

	NLP_TRY(nlp_tpl_alloc(w->r, d->n, sizeof(size_t), &order));
	for (size_t i = 0; i < d->n; i++)
	{
		size_t		k = i;

		for (; k > 0; k--)
		{
			bool		less;

			NLP_TRY(nlp_tpl_less(w->r, &d->pairs[i].key, &d->pairs[order[k - 1]].key, &less));
			if (!less)
				break;
			order[k] = order[k - 1];
		}
		order[k] = i;
	}
	*out = order;
	return NLP_OK;
}

static NlpStatus
write_dict(Writer *w, const TplDict *d)
{
	size_t	   *order = NULL;

	if (d->n == 0)
		return nlp_tpl_put(w->r, "{}", 2);
	if (w->sort)
		NLP_TRY(sorted_order(w, d, &order));
	NLP_TRY(nlp_tpl_put(w->r, "{", 1));
	w->level++;
	for (size_t i = 0; i < d->n; i++)
	{
		const TplPair *pair = &d->pairs[order ? order[i] : i];

		NLP_TRY(between(w, i));
		NLP_TRY(write_key(w, &pair->key));
		NLP_TRY(nlp_tpl_put(w->r, w->colon.p.s, w->colon.u.len));
		NLP_TRY(write_value(w, &pair->value));
	}
	w->level--;
	NLP_TRY(new_line(w));
	return nlp_tpl_put(w->r, "}", 1);
}

static NlpStatus
write_list(Writer *w, const TplList *l)
{
	if (l->n == 0)
		return nlp_tpl_put(w->r, "[]", 2);
	NLP_TRY(nlp_tpl_put(w->r, "[", 1));
	w->level++;
	for (size_t i = 0; i < l->n; i++)
	{
		NLP_TRY(between(w, i));
		NLP_TRY(write_value(w, &l->items[i]));
	}
	w->level--;
	NLP_TRY(new_line(w));
	return nlp_tpl_put(w->r, "]", 1);
}

static NlpStatus
write_value(Writer *w, const TplValue *v)
{
	NlpStatus	st;

	switch (v->type)
	{
		case TPL_STR:
			return write_string(w, v);
		case TPL_NONE:
		case TPL_BOOL:
		case TPL_INT:
		case TPL_FLOAT:
			return write_number(w, v);
		case TPL_LIST:
		case TPL_TUPLE:
		case TPL_DICT:
			break;
		default:
			return nlp_tpl_fail(w->r, NLP_EINVALID, "chat template writes %s as JSON", nlp_tpl_type_name(v));
	}
	if (w->r->depth >= TPL_MAX_EVAL)
		return nlp_tpl_fail(w->r, NLP_ECOMPLEX, "value in the chat template is nested too deeply");
	w->r->depth++;
	st = v->type == TPL_DICT ? write_dict(w, v->p.dict) : write_list(w, v->p.list);
	w->r->depth--;
	return st;
}

static NlpStatus
set_separators(Writer *w, const TplValue *v)
{
	const TplList *l = v->p.list;

	if ((v->type != TPL_LIST && v->type != TPL_TUPLE) || l->n != 2 || l->items[0].type != TPL_STR ||
		l->items[1].type != TPL_STR)
		return nlp_tpl_fail(w->r, NLP_EINVALID, "separators of filter \"tojson\" are not two strings");
	w->comma = l->items[0];
	w->colon = l->items[1];
	return NLP_OK;
}

static NlpStatus
set_indent(Writer *w, const TplValue *v)
{
	TplValue	space = tpl_text(" ", 1);
	int64_t		n;

	w->pretty = true;
	w->comma = tpl_text(",", 1);
	if (v->type == TPL_STR)
	{
		w->indent = *v;
		return NLP_OK;
	}
	NLP_TRY(nlp_tpl_int_arg(w->r, v, 0, &n));
	return nlp_tpl_arith(w->r, TPL_O_MUL, &space, v, &w->indent);
}

/* json.dumps with ensure_ascii off unless asked for. */
NlpStatus
nlp_tpl_tojson(TplRun *r, const TplValue *v, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"ensure_ascii", "indent", "separators", "sort_keys"};
	const TplValue *got[4];
	size_t		mark;
	Writer		w = {.r = r, .comma = tpl_text(", ", 2), .colon = tpl_text(": ", 2)};

	NLP_TRY(nlp_tpl_bind(r, "filter", a, 4, 0, names, got));
	w.ascii = got[0] && nlp_tpl_truth(got[0]);
	w.sort = got[3] && nlp_tpl_truth(got[3]);
	if (got[1] && got[1]->type != TPL_NONE)
		NLP_TRY(set_indent(&w, got[1]));
	if (got[2] && got[2]->type != TPL_NONE)
		NLP_TRY(set_separators(&w, got[2]));
	mark = r->scratch.len;
	NLP_TRY(write_value(&w, v));
	return nlp_tpl_take(r, mark, out);
}
