/* template_eval.c --- evaluate a chat template's expressions.
 *
 * Recursion is bounded: an expression's height by the parser, and everything
 * open at once by TPL_MAX_EVAL. Source: Jinja's Template Designer Documentation,
 * and its sandbox for what attributes exist. */
#include <string.h>

#include "task/template_internal.h"
#include "engine_only.h"

/* ---- names ---- */

/* The innermost variable of that name, else one of the environment's. */
NlpStatus
nlp_tpl_lookup(TplRun *r, uint32_t name, TplValue *out)
{
	uint64_t	steps = 1;

	for (const TplScope *s = r->scope; s; s = s->parent)
	{
		steps += s->n;
		for (uint32_t i = 0; i < s->n; i++)
		{
			if (s->vars[i].name == name)
			{
				*out = s->vars[i].value;
				return nlp_tpl_work(r, steps);
			}
		}
	}
	*out = r->globals[name];
	return nlp_tpl_work(r, steps);
}

/* ---- attributes and subscripts ---- */

static NlpStatus
bind_method(TplRun *r, const TplValue *obj, int method, TplValue *out)
{
	TplValue   *self;

	NLP_TRY(nlp_tpl_alloc(r, 1, sizeof(*self), &self));
	*self = *obj;
	*out = (TplValue) {.type = TPL_METHOD, .kind = (uint8_t) method};
	out->p.self = self;
	return NLP_OK;
}

static bool
is_word(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(s, word, len) == 0;
}

static void
loop_attribute(const TplLoop *l, const char *s, size_t len, TplValue *out)
{
	int64_t		i = (int64_t) l->i;
	int64_t		n = (int64_t) l->n;

	*out = tpl_undefined();
	if (is_word(s, len, "index"))
		*out = tpl_int(i + 1);
	else if (is_word(s, len, "index0"))
		*out = tpl_int(i);
	else if (is_word(s, len, "revindex"))
		*out = tpl_int(n - i);
	else if (is_word(s, len, "revindex0"))
		*out = tpl_int(n - i - 1);
	else if (is_word(s, len, "first"))
		*out = tpl_bool(i == 0);
	else if (is_word(s, len, "last"))
		*out = tpl_bool(i + 1 >= n);
	else if (is_word(s, len, "length"))
		*out = tpl_int(n);
	else if (is_word(s, len, "depth"))
		*out = tpl_int(1);
	else if (is_word(s, len, "depth0"))
		*out = tpl_int(0);
	else if (is_word(s, len, "previtem") && i > 0)
		*out = l->items[i - 1];
	else if (is_word(s, len, "nextitem") && i + 1 < n)
		*out = l->items[i + 1];
}

static NlpStatus
macro_attribute(TplRun *r, const TplMacro *m, const char *s, size_t len, TplValue *out)
{
	const TplName *name = &r->t->names[m->def->name];

	*out = tpl_undefined();
	if (is_word(s, len, "name"))
		*out = tpl_text(name->s, name->len);
	else if (is_word(s, len, "arguments"))
	{
		NLP_TRY(nlp_tpl_list(r, TPL_TUPLE, m->def->n, out));
		for (uint32_t i = 0; i < m->def->n; i++)
			out->p.list->items[i] = tpl_text(r->t->names[m->def->params[i]].s, r->t->names[m->def->params[i]].len);
	}
	return NLP_OK;
}

static NlpStatus
undefined_base(TplRun *r)
{
	return nlp_tpl_fail(r, NLP_EINVALID, "chat template asks for a part of an undefined value");
}

/* obj.name: a method first, then a member. out may be obj. */
NlpStatus
nlp_tpl_getattr(TplRun *r, const TplValue *obj, const char *name, size_t len, int method, TplValue *out)
{
	TplValue	key = tpl_text(name, len);
	const TplValue *found = NULL;

	if (obj->type == TPL_UNDEFINED)
		return undefined_base(r);
	if (nlp_tpl_has_method(obj, method))
	{
		if (!nlp_tpl_method_mutates(obj, method))
			return bind_method(r, obj, method, out);
		*out = tpl_undefined();
		return NLP_OK;
	}
	switch (obj->type)
	{
		case TPL_DICT:
		case TPL_NAMESPACE:
			if (len > 4 && memcmp(name, "__", 2) == 0 && memcmp(name + len - 2, "__", 2) == 0)
				break;
			NLP_TRY(nlp_tpl_dict_get(r, obj->p.dict, &key, &found));
			break;
		case TPL_LOOP:
			loop_attribute(obj->p.loop, name, len, out);
			return NLP_OK;
		case TPL_MACRO:
			return macro_attribute(r, obj->p.macro, name, len, out);
		default:
			break;
	}
	*out = found ? *found : tpl_undefined();
	return NLP_OK;
}

/* The character at an index of a text, counted from the end when negative. */
static NlpStatus
text_at(TplRun *r, const TplValue *s, int64_t i, TplValue *out)
{
	size_t		n;
	size_t		pos = 0;

	NLP_TRY(nlp_tpl_work(r, s->u.len / 8 + 1));
	nlp_tpl_length(s, &n);
	if (i < 0)
		i += (int64_t) n;
	*out = tpl_undefined();
	if (i < 0 || i >= (int64_t) n)
		return NLP_OK;
	while (i-- > 0)
		pos += tpl_char_len(s->p.s + pos);
	*out = tpl_text(s->p.s + pos, tpl_char_len(s->p.s + pos));
	out->kind = s->kind;
	return NLP_OK;
}

/* obj[key]: an item first, then an attribute. out may be obj. */
NlpStatus
nlp_tpl_getitem(TplRun *r, const TplValue *obj, const TplValue *key, TplValue *out)
{
	const TplValue *found;
	TplValue	self = *obj;
	bool		list = obj->type == TPL_LIST || obj->type == TPL_TUPLE ||
		(obj->type == TPL_ITER && obj->kind == TPL_ITER_RANGE);
	int64_t		i;

	if (self.type == TPL_UNDEFINED)
		return undefined_base(r);
	if (self.type == TPL_DICT && key->type != TPL_LIST && key->type != TPL_DICT)
	{
		NLP_TRY(nlp_tpl_dict_get(r, self.p.dict, key, &found));
		if (found)
		{
			*out = *found;
			return NLP_OK;
		}
	}
	if (list && nlp_tpl_as_int(key, &i))
	{
		int64_t		n = (int64_t) self.p.list->n;

		if (i < 0)
			i += n;
		*out = i >= 0 && i < n ? self.p.list->items[i] : tpl_undefined();
		return NLP_OK;
	}
	if (self.type == TPL_STR && nlp_tpl_as_int(key, &i))
		return text_at(r, &self, i, out);
	if (key->type == TPL_STR && self.type != TPL_DICT)
		return nlp_tpl_getattr(r, &self, key->p.s, key->u.len, nlp_tpl_method_id(key->p.s, key->u.len), out);
	if (key->type == TPL_STR)
	{
		int			method = nlp_tpl_method_id(key->p.s, key->u.len);

		if (nlp_tpl_has_method(&self, method) && !nlp_tpl_method_mutates(&self, method))
			return bind_method(r, &self, method, out);
	}
	*out = tpl_undefined();
	return NLP_OK;
}

/* ---- slices ---- */

typedef struct Range
{
	int64_t		start;
	int64_t		stop;
	int64_t		step;
} Range;

static int64_t
clamp(int64_t i, int64_t n, int64_t low, int64_t high)
{
	if (i < 0)
		i += n;
	return i < low ? low : i > high ? high : i;
}

/* Python's slice.indices; false when a part is no integer. */
static bool
slice_range(const TplValue part[3], int64_t n, Range *out)
{
	bool		has[3];
	int64_t		v[3] = {0, 0, 1};

	for (int i = 0; i < 3; i++)
	{
		has[i] = part[i].type != TPL_NONE;
		if (has[i] && !nlp_tpl_as_int(&part[i], &v[i]))
			return false;
	}
	if (v[2] > n)
		v[2] = n + 1;			/* no difference, and no overflow */
	if (v[2] < -n)
		v[2] = -n - 1;
	out->step = v[2];
	if (v[2] > 0)
	{
		out->start = has[0] ? clamp(v[0], n, 0, n) : 0;
		out->stop = has[1] ? clamp(v[1], n, 0, n) : n;
	}
	else
	{
		out->start = has[0] ? clamp(v[0], n, -1, n - 1) : n - 1;
		out->stop = has[1] ? clamp(v[1], n, -1, n - 1) : -1;
	}
	return true;
}

static NlpStatus
slice_text(TplRun *r, const TplValue *s, const Range *range, TplValue *out)
{
	const TplValue *chars;
	size_t		n;
	size_t		mark = r->scratch.len;
	size_t		pos = 0;
	int64_t		i = 0;

	if (range->step == 1)
	{
		size_t		start;

		NLP_TRY(nlp_tpl_work(r, s->u.len / 8 + 1));
		for (; i < range->start; i++)
			pos += tpl_char_len(s->p.s + pos);
		start = pos;
		for (; i < range->stop; i++)
			pos += tpl_char_len(s->p.s + pos);
		*out = tpl_text(s->p.s + start, pos - start);
		out->kind = s->kind;
		return NLP_OK;
	}
	NLP_TRY(nlp_tpl_items(r, s, &chars, &n));
	for (i = range->start; range->step > 0 ? i < range->stop : i > range->stop; i += range->step)
		NLP_TRY(nlp_tpl_put(r, chars[i].p.s, chars[i].u.len));
	NLP_TRY(nlp_tpl_take(r, mark, out));
	out->kind = s->kind;
	return NLP_OK;
}

static NlpStatus
slice_list(TplRun *r, const TplValue *v, const Range *range, TplValue *out)
{
	TplValue   *items;
	size_t		k = 0;
	size_t		n = 0;

	for (int64_t i = range->start; range->step > 0 ? i < range->stop : i > range->stop; i += range->step)
		n++;
	NLP_TRY(nlp_tpl_work(r, n));
	if (v->type == TPL_ITER)
	{
		NLP_TRY(nlp_tpl_alloc(r, n ? n : 1, sizeof(TplValue), &items));
		for (int64_t i = range->start; k < n; i += range->step)
			items[k++] = v->p.list->items[i];
		return nlp_tpl_iterator(r, TPL_ITER_RANGE, items, n, out);
	}
	if (range->step == 1)		/* a view: lists do not change */
	{
		TplValue	self = *v;

		NLP_TRY(nlp_tpl_list(r, self.type, 0, out));
		out->p.list->items = n ? self.p.list->items + range->start : NULL;
		out->p.list->n = n;
		return NLP_OK;
	}
	items = v->p.list->items;
	NLP_TRY(nlp_tpl_list(r, v->type, n, out));
	for (int64_t i = range->start; k < n; i += range->step)
		out->p.list->items[k++] = items[i];
	return NLP_OK;
}

/* obj[part 0 : part 1 : part 2], none for an absent part. out may not be obj. */
NlpStatus
nlp_tpl_slice(TplRun *r, const TplValue *obj, const TplValue part[3], TplValue *out)
{
	bool		list = obj->type == TPL_LIST || obj->type == TPL_TUPLE ||
		(obj->type == TPL_ITER && obj->kind == TPL_ITER_RANGE);
	Range		range;
	size_t		n;

	if (obj->type == TPL_UNDEFINED)
		return undefined_base(r);
	if (!list && obj->type != TPL_STR)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template slices %s", nlp_tpl_type_name(obj));
	nlp_tpl_length(obj, &n);
	NLP_TRY(nlp_tpl_work(r, obj->type == TPL_STR ? n / 8 : 0));
	if (!slice_range(part, (int64_t) n, &range))
		return nlp_tpl_fail(r, NLP_EINVALID, "slice in the chat template needs integers");
	if (range.step == 0)
		return nlp_tpl_fail(r, NLP_EINVALID, "slice in the chat template has step 0");
	return list ? slice_list(r, obj, &range, out) : slice_text(r, obj, &range, out);
}

/* ---- calls ---- */

static NlpStatus
add_star(TplRun *r, const TplExpr *star, TplArgs *a)
{
	TplValue	v;
	const TplValue *items;
	TplValue   *all;
	size_t		n;

	NLP_TRY(nlp_tpl_eval(r, star, &v));
	NLP_TRY(nlp_tpl_items(r, &v, &items, &n));
	NLP_TRY(nlp_tpl_alloc(r, a->n + n + 1, sizeof(TplValue), &all));
	if (a->n)
		memcpy(all, a->pos, a->n * sizeof(TplValue));
	if (n)
		memcpy(all + a->n, items, n * sizeof(TplValue));
	a->pos = all;
	a->n += n;
	return NLP_OK;
}

static NlpStatus
add_star_star(TplRun *r, const TplExpr *star, TplArgs *a)
{
	TplValue	v;
	TplPair    *all;
	const TplDict *d;

	NLP_TRY(nlp_tpl_eval(r, star, &v));
	if (v.type != TPL_DICT)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template gives ** something that is no mapping");
	d = v.p.dict;
	NLP_TRY(nlp_tpl_alloc(r, a->n_kw + d->n + 1, sizeof(TplPair), &all));
	if (a->n_kw)
		memcpy(all, a->kw, a->n_kw * sizeof(TplPair));
	for (size_t i = 0; i < d->n; i++)
	{
		if (d->pairs[i].key.type != TPL_STR)
			return nlp_tpl_fail(r, NLP_EINVALID, "chat template gives ** a mapping with keys that are no strings");
		all[a->n_kw + i] = d->pairs[i];
	}
	a->kw = all;
	a->n_kw += d->n;
	return NLP_OK;
}

/* c may be NULL: no arguments. */
NlpStatus
nlp_tpl_args(TplRun *r, const TplCallArgs *c, TplArgs *a)
{
	TplValue   *pos;
	TplPair    *kw;

	memset(a, 0, sizeof(*a));
	if (!c)
		return NLP_OK;
	if (c->n)
	{
		NLP_TRY(nlp_tpl_alloc(r, c->n, sizeof(TplValue), &pos));
		for (uint32_t i = 0; i < c->n; i++)
			NLP_TRY(nlp_tpl_eval(r, c->pos[i], &pos[i]));
		a->pos = pos;
		a->n = c->n;
	}
	if (c->n_kw)
	{
		NLP_TRY(nlp_tpl_alloc(r, c->n_kw, sizeof(TplPair), &kw));
		for (uint32_t i = 0; i < c->n_kw; i++)
		{
			kw[i].key = tpl_text(r->t->names[c->kw_names[i]].s, r->t->names[c->kw_names[i]].len);
			NLP_TRY(nlp_tpl_eval(r, c->kw[i], &kw[i].value));
		}
		a->kw = kw;
		a->n_kw = c->n_kw;
	}
	if (c->star)
		NLP_TRY(add_star(r, c->star, a));
	if (c->star_star)
		NLP_TRY(add_star_star(r, c->star_star, a));
	return NLP_OK;
}

static NlpStatus
eval_call(TplRun *r, const TplExpr *e, TplValue *out)
{
	TplValue	callee;
	TplArgs		a;

	NLP_TRY(nlp_tpl_eval(r, e->kids[0], &callee));
	NLP_TRY(nlp_tpl_args(r, e->u.args, &a));
	r->pos = e->kids[0]->pos;
	return nlp_tpl_call(r, &callee, &a, out);
}

static NlpStatus
eval_filter(TplRun *r, const TplExpr *e, TplValue *out)
{
	TplValue	v;
	TplArgs		a;

	NLP_TRY(nlp_tpl_eval(r, e->kids[0], &v));
	NLP_TRY(nlp_tpl_args(r, e->u.args, &a));
	r->pos = e->pos;
	if (!e->op)
		return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "filter \"%.*s\" is not supported in chat templates",
							(int) (r->t->names[e->name].len > 40 ? 40 : r->t->names[e->name].len),
							r->t->names[e->name].s);
	return nlp_tpl_filter(r, e->op, &v, &a, out);
}

static NlpStatus
eval_test(TplRun *r, const TplExpr *e, TplValue *out)
{
	TplValue	v;
	TplArgs		a;
	bool		yes;

	NLP_TRY(nlp_tpl_eval(r, e->kids[0], &v));
	NLP_TRY(nlp_tpl_args(r, e->u.args, &a));
	r->pos = e->pos;
	if (!e->op)
		return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "test \"%.*s\" is not supported in chat templates",
							(int) (r->t->names[e->name].len > 40 ? 40 : r->t->names[e->name].len),
							r->t->names[e->name].s);
	NLP_TRY(nlp_tpl_test(r, e->op, &v, &a, &yes));
	*out = tpl_bool(yes != e->negated);
	return NLP_OK;
}

/* ---- operators and literals ---- */

static NlpStatus
eval_items(TplRun *r, const TplExpr *e, TplType type, TplValue *out)
{
	TplValue	list;

	NLP_TRY(nlp_tpl_list(r, type, e->n, &list));
	for (uint32_t i = 0; i < e->n; i++)
		NLP_TRY(nlp_tpl_eval(r, e->kids[i], &list.p.list->items[i]));
	*out = list;
	return NLP_OK;
}

static NlpStatus
eval_dict(TplRun *r, const TplExpr *e, TplValue *out)
{
	TplValue	dict;

	NLP_TRY(nlp_tpl_dict_new(r, TPL_DICT, &dict));
	for (uint32_t i = 0; i + 1 < e->n; i += 2)
	{
		TplValue	key;
		TplValue	value;

		NLP_TRY(nlp_tpl_eval(r, e->kids[i], &key));
		NLP_TRY(nlp_tpl_eval(r, e->kids[i + 1], &value));
		NLP_TRY(nlp_tpl_dict_set(r, dict.p.dict, &key, &value));
	}
	*out = dict;
	return NLP_OK;
}

static NlpStatus
eval_chain(TplRun *r, const TplExpr *e, TplValue *out)
{
	TplValue	left;

	NLP_TRY(nlp_tpl_eval(r, e->kids[0], &left));
	for (uint32_t i = 1; i < e->n; i++)
	{
		TplValue	right;
		TplValue	result;

		NLP_TRY(nlp_tpl_eval(r, e->kids[i], &right));
		r->pos = e->kids[i]->pos;
		NLP_TRY(nlp_tpl_arith(r, (TplOp) e->u.ops[i - 1], &left, &right, &result));
		left = result;
	}
	*out = left;
	return NLP_OK;
}

static NlpStatus
eval_compare(TplRun *r, const TplExpr *e, TplValue *out)
{
	TplValue	left;
	bool		yes = true;

	NLP_TRY(nlp_tpl_eval(r, e->kids[0], &left));
	for (uint32_t i = 1; i < e->n && yes; i++)
	{
		TplValue	right;

		NLP_TRY(nlp_tpl_eval(r, e->kids[i], &right));
		r->pos = e->kids[i]->pos;
		NLP_TRY(nlp_tpl_compare(r, (TplOp) e->u.ops[i - 1], &left, &right, &yes));
		left = right;
	}
	*out = tpl_bool(yes);
	return NLP_OK;
}

/* All operands first: one may use the scratch text for its own output. */
static NlpStatus
eval_concat(TplRun *r, const TplExpr *e, TplValue *out)
{
	TplValue	parts;
	size_t		mark;

	NLP_TRY(eval_items(r, e, TPL_TUPLE, &parts));
	mark = r->scratch.len;
	for (uint32_t i = 0; i < e->n; i++)
		NLP_TRY(nlp_tpl_put_value(r, &parts.p.list->items[i]));
	return nlp_tpl_take(r, mark, out);
}

static NlpStatus
eval_and_or(TplRun *r, const TplExpr *e, TplValue *out)
{
	for (uint32_t i = 0; i < e->n; i++)
	{
		NLP_TRY(nlp_tpl_eval(r, e->kids[i], out));
		if (nlp_tpl_truth(out) == (e->kind == TPL_E_OR))
			break;
	}
	return NLP_OK;
}

static NlpStatus
eval_unary(TplRun *r, const TplExpr *e, TplValue *out)
{
	TplValue	v;
	double		f;

	NLP_TRY(nlp_tpl_eval(r, e->kids[0], &v));
	r->pos = e->pos;
	if (e->kind == TPL_E_NOT)
	{
		*out = tpl_bool(!nlp_tpl_truth(&v));
		return NLP_OK;
	}
	if (e->kind == TPL_E_NEG)
		return nlp_tpl_negate(r, &v, out);
	if (!nlp_tpl_as_float(&v, &f))
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template gives a sign to %s", nlp_tpl_type_name(&v));
	*out = v.type == TPL_BOOL ? tpl_int(v.u.b) : v;
	return NLP_OK;
}

static NlpStatus
eval_item(TplRun *r, const TplExpr *e, TplValue *out)
{
	TplValue	obj;
	TplValue	key;

	NLP_TRY(nlp_tpl_eval(r, e->kids[0], &obj));
	NLP_TRY(nlp_tpl_eval(r, e->kids[1], &key));
	r->pos = e->pos;
	return nlp_tpl_getitem(r, &obj, &key, out);
}

static NlpStatus
eval_slice(TplRun *r, const TplExpr *e, TplValue *out)
{
	TplValue	obj;
	TplValue	part[3] = {tpl_none(), tpl_none(), tpl_none()};

	NLP_TRY(nlp_tpl_eval(r, e->kids[0], &obj));
	for (int i = 0; i < 3; i++)
	{
		if (e->kids[i + 1])
			NLP_TRY(nlp_tpl_eval(r, e->kids[i + 1], &part[i]));
	}
	r->pos = e->pos;
	return nlp_tpl_slice(r, &obj, part, out);
}

static NlpStatus
eval_attr(TplRun *r, const TplExpr *e, TplValue *out)
{
	const TplName *name = &r->t->names[e->name];
	TplValue	obj;

	NLP_TRY(nlp_tpl_eval(r, e->kids[0], &obj));
	r->pos = e->pos;
	return nlp_tpl_getattr(r, &obj, name->s, name->len, e->op, out);
}

static NlpStatus
eval_node(TplRun *r, const TplExpr *e, TplValue *out)
{
	switch ((TplExprKind) e->kind)
	{
		case TPL_E_CONST:
			*out = *e->u.value;
			return NLP_OK;
		case TPL_E_NAME:
			return nlp_tpl_lookup(r, e->name, out);
		case TPL_E_LIST:
			return eval_items(r, e, TPL_LIST, out);
		case TPL_E_TUPLE:
			return eval_items(r, e, TPL_TUPLE, out);
		case TPL_E_DICT:
			return eval_dict(r, e, out);
		case TPL_E_ATTR:
			return eval_attr(r, e, out);
		case TPL_E_ITEM:
			return eval_item(r, e, out);
		case TPL_E_SLICE:
			return eval_slice(r, e, out);
		case TPL_E_CALL:
			return eval_call(r, e, out);
		case TPL_E_FILTER:
			return eval_filter(r, e, out);
		case TPL_E_TEST:
			return eval_test(r, e, out);
		case TPL_E_CHAIN:
			return eval_chain(r, e, out);
		case TPL_E_COMPARE:
			return eval_compare(r, e, out);
		case TPL_E_CONCAT:
			return eval_concat(r, e, out);
		case TPL_E_AND:
		case TPL_E_OR:
			return eval_and_or(r, e, out);
		case TPL_E_NOT:
		case TPL_E_NEG:
		case TPL_E_POS:
			return eval_unary(r, e, out);
		case TPL_E_COND:
			break;				/* nlp_tpl_eval's own */
	}
	return nlp_tpl_fail(r, NLP_EINTERNAL, "unknown expression in a chat template");
}

NlpStatus
nlp_tpl_eval(TplRun *r, const TplExpr *e, TplValue *out)
{
	NlpStatus	st = NLP_OK;

	if (r->depth >= TPL_MAX_EVAL)
		return nlp_tpl_fail(r, NLP_ECOMPLEX, "chat template is nested too deeply");
	r->depth++;
	while (st == NLP_OK && e && e->kind == TPL_E_COND)
	{
		TplValue	cond;

		st = nlp_tpl_eval(r, e->kids[1], &cond);
		if (st == NLP_OK)
			e = e->kids[nlp_tpl_truth(&cond) ? 0 : 2];
	}
	if (st == NLP_OK)
		st = nlp_tpl_work(r, 1);
	if (st == NLP_OK && e)
	{
		r->pos = e->pos;
		st = eval_node(r, e, out);
	}
	else if (st == NLP_OK)
		*out = tpl_undefined();
	r->depth--;
	return st;
}
