/* template_compare.c --- truth, equality, order, membership and iteration of a
 * chat template's values.
 *
 * Source: the Python Language Reference, "Comparisons" and "Truth Value Testing";
 *         Jinja's documentation for Undefined. */
#include <string.h>

#include "task/template_internal.h"
#include "engine_only.h"

bool
nlp_tpl_truth(const TplValue *v)
{
	switch (v->type)
	{
		case TPL_UNDEFINED:
		case TPL_NONE:
			return false;
		case TPL_BOOL:
			return v->u.b;
		case TPL_INT:
			return v->u.i != 0;
		case TPL_FLOAT:
			return v->u.f != 0;
		case TPL_STR:
			return v->u.len > 0;
		case TPL_LIST:
		case TPL_TUPLE:
			return v->p.list->n > 0;
		case TPL_DICT:
			return v->p.dict->n > 0;
		case TPL_ITER:
			return v->kind == TPL_ITER_GENERATOR || v->p.list->n > 0;
		default:
			return true;
	}
}

static bool
is_number(const TplValue *v)
{
	return v->type == TPL_BOOL || v->type == TPL_INT || v->type == TPL_FLOAT;
}

/* -1, 0, 1; 2 when not ordered (NaN). */
static int
compare_numbers(const TplValue *a, const TplValue *b)
{
	int64_t		i,
				j;
	double		f,
				g;

	if (nlp_tpl_as_int(a, &i) && nlp_tpl_as_int(b, &j))
		return i < j ? -1 : i > j;
	if (!nlp_tpl_as_float(a, &f) || !nlp_tpl_as_float(b, &g))
		return 2;
	return f < g ? -1 : f > g ? 1 : f == g ? 0 : 2;
}

/* Byte order of UTF-8 is the order of its code points. */
static int
compare_text(const TplValue *a, const TplValue *b)
{
	size_t		n = a->u.len < b->u.len ? a->u.len : b->u.len;
	int			c = n ? memcmp(a->p.s, b->p.s, n) : 0;

	return c ? (c < 0 ? -1 : 1) : a->u.len < b->u.len ? -1 : a->u.len > b->u.len;
}

static NlpStatus
equal_lists(TplRun *r, const TplList *a, const TplList *b, bool *eq)
{
	*eq = a->n == b->n;
	for (size_t i = 0; *eq && i < a->n; i++)
		NLP_TRY(nlp_tpl_equal(r, &a->items[i], &b->items[i], eq));
	return NLP_OK;
}

static NlpStatus
equal_dicts(TplRun *r, const TplDict *a, const TplDict *b, bool *eq)
{
	*eq = a->n == b->n;
	for (size_t i = 0; *eq && i < a->n; i++)
	{
		const TplValue *other;

		NLP_TRY(nlp_tpl_dict_get(r, b, &a->pairs[i].key, &other));
		*eq = other != NULL;
		if (other)
			NLP_TRY(nlp_tpl_equal(r, &a->pairs[i].value, other, eq));
	}
	return NLP_OK;
}

NlpStatus
nlp_tpl_equal(TplRun *r, const TplValue *a, const TplValue *b, bool *eq)
{
	NlpStatus	st;

	NLP_TRY(nlp_tpl_work(r, 1));
	if (is_number(a) && is_number(b))
	{
		*eq = compare_numbers(a, b) == 0;
		return NLP_OK;
	}
	*eq = false;
	if (a->type != b->type)
		return NLP_OK;
	switch (a->type)
	{
		case TPL_UNDEFINED:
		case TPL_NONE:
			*eq = true;
			return NLP_OK;
		case TPL_STR:
			*eq = a->u.len == b->u.len && (a->u.len == 0 || memcmp(a->p.s, b->p.s, a->u.len) == 0);
			return nlp_tpl_work(r, a->u.len / 16);
		case TPL_LIST:
		case TPL_TUPLE:
		case TPL_DICT:
			if (a->p.list == b->p.list)
			{
				*eq = true;
				return NLP_OK;
			}
			break;
		case TPL_ITER:
			if (a->kind == TPL_ITER_RANGE && b->kind == TPL_ITER_RANGE)
				break;
			*eq = a->p.list == b->p.list;
			return NLP_OK;
		case TPL_FUNCTION:
			*eq = a->kind == b->kind;
			return NLP_OK;
		default:
			*eq = a->p.self == b->p.self;
			return NLP_OK;
	}
	if (r->depth >= TPL_MAX_EVAL)
		return nlp_tpl_fail(r, NLP_ECOMPLEX, "value in the chat template is nested too deeply");
	r->depth++;
	if (a->type == TPL_DICT)
		st = equal_dicts(r, a->p.dict, b->p.dict, eq);
	else
		st = equal_lists(r, a->p.list, b->p.list, eq);
	r->depth--;
	return st;
}

static NlpStatus
not_ordered(TplRun *r, const TplValue *a, const TplValue *b)
{
	if (a->type == TPL_UNDEFINED || b->type == TPL_UNDEFINED)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template compares an undefined value");
	return nlp_tpl_fail(r, NLP_EINVALID, "chat template compares %s with %s", nlp_tpl_type_name(a),
						nlp_tpl_type_name(b));
}

/* Lexicographic; *c is -1, 0, 1 or 2. */
static NlpStatus
order(TplRun *r, const TplValue *a, const TplValue *b, int *c)
{
	NlpStatus	st = NLP_OK;

	NLP_TRY(nlp_tpl_work(r, 1));
	if (is_number(a) && is_number(b))
	{
		*c = compare_numbers(a, b);
		return NLP_OK;
	}
	if (a->type == TPL_STR && b->type == TPL_STR)
	{
		*c = compare_text(a, b);
		return nlp_tpl_work(r, a->u.len / 16);
	}
	if (a->type != b->type || (a->type != TPL_LIST && a->type != TPL_TUPLE))
		return not_ordered(r, a, b);
	if (r->depth >= TPL_MAX_EVAL)
		return nlp_tpl_fail(r, NLP_ECOMPLEX, "value in the chat template is nested too deeply");
	r->depth++;
	*c = 0;
	for (size_t i = 0; st == NLP_OK && *c == 0; i++)
	{
		bool		eq = false;

		if (i == a->p.list->n || i == b->p.list->n)
		{
			*c = a->p.list->n < b->p.list->n ? -1 : a->p.list->n > b->p.list->n;
			break;
		}
		st = nlp_tpl_equal(r, &a->p.list->items[i], &b->p.list->items[i], &eq);
		if (st == NLP_OK && !eq)
			st = order(r, &a->p.list->items[i], &b->p.list->items[i], c);
	}
	r->depth--;
	return st;
}

NlpStatus
nlp_tpl_less(TplRun *r, const TplValue *a, const TplValue *b, bool *less)
{
	int			c;

	NLP_TRY(order(r, a, b, &c));
	*less = c == -1;
	return NLP_OK;
}

NlpStatus
nlp_tpl_compare(TplRun *r, TplOp op, const TplValue *a, const TplValue *b, bool *yes)
{
	int			c;

	switch (op)
	{
		case TPL_O_EQ:
			return nlp_tpl_equal(r, a, b, yes);
		case TPL_O_NE:
			NLP_TRY(nlp_tpl_equal(r, a, b, yes));
			*yes = !*yes;
			return NLP_OK;
		case TPL_O_IN:
			return nlp_tpl_contains(r, a, b, yes);
		case TPL_O_NOTIN:
			NLP_TRY(nlp_tpl_contains(r, a, b, yes));
			*yes = !*yes;
			return NLP_OK;
		default:
			break;
	}
	NLP_TRY(order(r, a, b, &c));
	switch (op)
	{
		case TPL_O_LT:
			*yes = c == -1;
			break;
		case TPL_O_LE:
			*yes = c == -1 || c == 0;
			break;
		case TPL_O_GT:
			*yes = c == 1;
			break;
		default:
			*yes = c == 1 || c == 0;
	}
	return NLP_OK;
}

/* item in container. A generator is read up to where it was found. */
NlpStatus
nlp_tpl_contains(TplRun *r, const TplValue *item, const TplValue *in, bool *yes)
{
	TplList    *l;
	const char *at;
	const TplValue *found;

	*yes = false;
	switch (in->type)
	{
		case TPL_UNDEFINED:
			return NLP_OK;
		case TPL_STR:
			if (item->type != TPL_STR)
				return nlp_tpl_fail(r, NLP_EINVALID, "chat template looks for %s in a string",
									nlp_tpl_type_name(item));
			NLP_TRY(nlp_tpl_find(r, in, item, false, &at));
			*yes = at != NULL;
			return NLP_OK;
		case TPL_DICT:
			NLP_TRY(nlp_tpl_dict_get(r, in->p.dict, item, &found));
			*yes = found != NULL;
			return NLP_OK;
		case TPL_LIST:
		case TPL_TUPLE:
		case TPL_ITER:
			l = in->p.list;
			for (size_t i = l->pos; i < l->n && !*yes; i++)
			{
				NLP_TRY(nlp_tpl_equal(r, &l->items[i], item, yes));
				if (in->type == TPL_ITER && in->kind == TPL_ITER_GENERATOR)
					l->pos = i + 1;
			}
			return NLP_OK;
		default:
			return nlp_tpl_fail(r, NLP_EINVALID, "chat template looks for a value in %s, which holds none",
								nlp_tpl_type_name(in));
	}
}

bool
nlp_tpl_iterable(const TplValue *v)
{
	return v->type == TPL_UNDEFINED || v->type == TPL_STR || v->type == TPL_LIST || v->type == TPL_TUPLE ||
		v->type == TPL_DICT || v->type == TPL_ITER || v->type == TPL_LOOP;
}

static NlpStatus
text_items(TplRun *r, const TplValue *v, const TplValue **items, size_t *n)
{
	TplValue   *chars;
	size_t		count = 0;

	for (size_t i = 0; i < v->u.len; i += tpl_char_len(v->p.s + i))
		count++;
	NLP_TRY(nlp_tpl_alloc(r, count ? count : 1, sizeof(TplValue), &chars));
	count = 0;
	for (size_t i = 0; i < v->u.len;)
	{
		size_t		len = tpl_char_len(v->p.s + i);

		chars[count++] = tpl_text(v->p.s + i, len);
		i += len;
	}
	*items = chars;
	*n = count;
	return NLP_OK;
}

/* What a loop over v walks; uses up a generator. */
NlpStatus
nlp_tpl_items(TplRun *r, const TplValue *v, const TplValue **items, size_t *n)
{
	TplValue   *keys;

	*items = NULL;
	*n = 0;
	switch (v->type)
	{
		case TPL_UNDEFINED:
			return NLP_OK;
		case TPL_STR:
			return text_items(r, v, items, n);
		case TPL_LIST:
		case TPL_TUPLE:
			*items = v->p.list->items;
			*n = v->p.list->n;
			return NLP_OK;
		case TPL_ITER:
			*items = v->p.list->n ? v->p.list->items + v->p.list->pos : NULL;
			*n = v->p.list->n - v->p.list->pos;
			if (v->kind == TPL_ITER_GENERATOR)
				v->p.list->pos = v->p.list->n;
			return NLP_OK;
		case TPL_DICT:
			*n = v->p.dict->n;
			NLP_TRY(nlp_tpl_alloc(r, *n ? *n : 1, sizeof(TplValue), &keys));
			for (size_t i = 0; i < *n; i++)
				keys[i] = v->p.dict->pairs[i].key;
			*items = keys;
			return NLP_OK;
		default:
			return nlp_tpl_fail(r, NLP_EINVALID, "chat template loops over %s, which has no items",
								nlp_tpl_type_name(v));
	}
}

/* len(v), in characters for texts. */
bool
nlp_tpl_length(const TplValue *v, size_t *n)
{
	*n = 0;
	switch (v->type)
	{
		case TPL_UNDEFINED:
			return true;
		case TPL_STR:
			for (size_t i = 0; i < v->u.len; i++)
				*n += ((unsigned char) v->p.s[i] & 0xc0) != 0x80;
			return true;
		case TPL_LIST:
		case TPL_TUPLE:
			*n = v->p.list->n;
			return true;
		case TPL_DICT:
			*n = v->p.dict->n;
			return true;
		case TPL_ITER:
			*n = v->p.list->n;
			return v->kind != TPL_ITER_GENERATOR;
		case TPL_LOOP:
			*n = v->p.loop->n;
			return true;
		default:
			return false;
	}
}
