/* template_call.c --- calling things from a chat template: binding arguments,
 * and the functions the environment has (range, dict, namespace,
 * raise_exception, strftime_now). */
#include <string.h>

#include "core/utf8.h"
#include "task/template_internal.h"
#include "engine_only.h"

/* Names "" can only be given by position. */
NlpStatus
nlp_tpl_bind(TplRun *r, const char *what, const TplArgs *a, size_t n, size_t required,
			 const char *const *names, const TplValue **got)
{
	if (a->n > n)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template gives a %s too many arguments", what);
	for (size_t i = 0; i < n; i++)
		got[i] = i < a->n ? &a->pos[i] : NULL;
	for (size_t k = 0; k < a->n_kw; k++)
	{
		const TplValue *key = &a->kw[k].key;
		size_t		i = 0;

		while (i < n && !(key->u.len && strlen(names[i]) == key->u.len && memcmp(names[i], key->p.s, key->u.len) == 0))
			i++;
		if (i == n)
			return nlp_tpl_fail(r, NLP_EINVALID, "chat template gives a %s an unknown keyword argument", what);
		if (got[i])
			return nlp_tpl_fail(r, NLP_EINVALID, "chat template gives a %s the same argument twice", what);
		got[i] = &a->kw[k].value;
	}
	for (size_t i = 0; i < required; i++)
	{
		if (!got[i])
			return nlp_tpl_fail(r, NLP_EINVALID, "chat template gives a %s too few arguments", what);
	}
	return NLP_OK;
}

static NlpStatus
call_range(TplRun *r, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"", "", ""};
	const TplValue *got[3];
	int64_t		v[3] = {0, 0, 1};
	uint64_t	span;
	uint64_t	step;
	uint64_t	n = 0;
	TplValue   *items = NULL;

	NLP_TRY(nlp_tpl_bind(r, "function", a, 3, 1, names, got));
	for (size_t i = 0; i < a->n; i++)
	{
		if (!nlp_tpl_as_int(got[i], &v[i]))
			return nlp_tpl_fail(r, NLP_EINVALID, "range in the chat template needs integers");
	}
	if (a->n == 1)
	{
		v[1] = v[0];
		v[0] = 0;
	}
	if (v[2] == 0)
		return nlp_tpl_fail(r, NLP_EINVALID, "range in the chat template has step 0");
	step = v[2] > 0 ? (uint64_t) v[2] : 0 - (uint64_t) v[2];
	if (v[2] > 0 ? v[1] > v[0] : v[0] > v[1])
	{
		span = v[2] > 0 ? (uint64_t) v[1] - (uint64_t) v[0] : (uint64_t) v[0] - (uint64_t) v[1];
		n = (span - 1) / step + 1;
	}
	if (n > TPL_MAX_RANGE)
		return nlp_tpl_fail(r, NLP_ECOMPLEX, "range in the chat template is longer than %d", TPL_MAX_RANGE);
	NLP_TRY(nlp_tpl_turns(r, n));
	if (n)
		NLP_TRY(nlp_tpl_alloc(r, n, sizeof(TplValue), &items));
	for (uint64_t i = 0; i < n; i++)
		items[i] = tpl_int((int64_t) ((uint64_t) v[0] + i * (uint64_t) v[2]));
	return nlp_tpl_iterator(r, TPL_ITER_RANGE, items, n, out);
}

/* The pairs of one argument of dict(): a mapping, or items of two. */
static NlpStatus
merge(TplRun *r, TplDict *d, const TplValue *from)
{
	const TplValue *items;
	size_t		n;

	if (from->type == TPL_DICT)
	{
		for (size_t i = 0; i < from->p.dict->n; i++)
			NLP_TRY(nlp_tpl_dict_set(r, d, &from->p.dict->pairs[i].key, &from->p.dict->pairs[i].value));
		return NLP_OK;
	}
	NLP_TRY(nlp_tpl_items(r, from, &items, &n));
	for (size_t i = 0; i < n; i++)
	{
		const TplValue *pair;
		size_t		two;

		NLP_TRY(nlp_tpl_items(r, &items[i], &pair, &two));
		if (two != 2)
			return nlp_tpl_fail(r, NLP_EINVALID, "dict in the chat template needs items of two");
		NLP_TRY(nlp_tpl_dict_set(r, d, &pair[0], &pair[1]));
	}
	return NLP_OK;
}

/* dict() and namespace(), which refuses names with a leading underscore. */
static NlpStatus
call_dict(TplRun *r, TplType type, const TplArgs *a, TplValue *out)
{
	TplDict    *d;

	if (a->n > 1)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template gives a function too many arguments");
	NLP_TRY(nlp_tpl_dict_new(r, type, out));
	d = out->p.dict;
	if (a->n)
		NLP_TRY(merge(r, d, &a->pos[0]));
	for (size_t i = 0; i < a->n_kw; i++)
		NLP_TRY(nlp_tpl_dict_set(r, d, &a->kw[i].key, &a->kw[i].value));
	for (size_t i = 0; type == TPL_NAMESPACE && i < d->n; i++)
	{
		const TplValue *key = &d->pairs[i].key;

		if (key->type == TPL_STR && key->u.len && key->p.s[0] == '_')
			return nlp_tpl_fail(r, NLP_EINVALID, "a namespace's attribute may not start with an underscore");
	}
	return NLP_OK;
}

/* The message is the template author's word to the user: without control
 * characters, and cut at a whole character. */
static NlpStatus
call_raise(TplRun *r, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"message"};
	const TplValue *got[1];
	TplValue	text;
	char		buf[280];
	size_t		n;

	NLP_TRY(nlp_tpl_bind(r, "function", a, 1, 1, names, got));
	NLP_TRY(nlp_tpl_str(r, got[0], &text));
	n = text.u.len < sizeof(buf) - 1 ? text.u.len : sizeof(buf) - 1;
	memcpy(buf, text.p.s, n);
	n = nlp_utf8_whole(buf, n);
	buf[n] = '\0';
	for (size_t i = 0; i < n; i++)
	{
		if ((unsigned char) buf[i] < 0x20 || buf[i] == 0x7f)
			buf[i] = ' ';
	}
	*out = tpl_none();
	return nlp_tpl_fail(r, NLP_EINVALID, "chat template: %s", buf);
}

static NlpStatus
call_function(TplRun *r, TplFunction which, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"format"};
	const TplValue *got[1];

	switch (which)
	{
		case TPL_F_RANGE:
			return call_range(r, a, out);
		case TPL_F_DICT:
			return call_dict(r, TPL_DICT, a, out);
		case TPL_F_NAMESPACE:
			return call_dict(r, TPL_NAMESPACE, a, out);
		case TPL_F_RAISE:
			return call_raise(r, a, out);
		case TPL_F_STRFTIME:
			break;
	}
	NLP_TRY(nlp_tpl_bind(r, "function", a, 1, 1, names, got));
	if (got[0]->type != TPL_STR)
		return nlp_tpl_fail(r, NLP_EINVALID, "strftime_now in the chat template needs a string");
	return nlp_tpl_strftime(r, got[0], out);
}

NlpStatus
nlp_tpl_call(TplRun *r, const TplValue *callee, const TplArgs *a, TplValue *out)
{
	switch (callee->type)
	{
		case TPL_FUNCTION:
			return call_function(r, (TplFunction) callee->kind, a, out);
		case TPL_METHOD:
			return nlp_tpl_call_method(r, callee->kind, callee->p.self, a, out);
		case TPL_MACRO:
			return nlp_tpl_call_macro(r, callee->p.macro, a, out);
		case TPL_UNDEFINED:
			return nlp_tpl_fail(r, NLP_EINVALID, "chat template calls an undefined function");
		default:
			return nlp_tpl_fail(r, NLP_EINVALID, "chat template calls %s, which is no function", nlp_tpl_type_name(callee));
	}
}
