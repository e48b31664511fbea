/* template_seq.c --- the filters of chat templates that take or give sequences.
 *
 * What Jinja does lazily is done at once here; a generator is still used up by
 * reading it and has no length. Source as in template_filters.c. */
#include <string.h>

#include "task/template_internal.h"
#include "engine_only.h"

static NlpStatus
bind(TplRun *r, const TplArgs *a, size_t n, size_t required, const char *const *names, const TplValue **got)
{
	return nlp_tpl_bind(r, "filter", a, n, required, names, got);
}

/* ---- keys ---- */

/* One part of a path: a subscript, a number when it is made of digits. */
static NlpStatus
path_step(TplRun *r, const TplValue *v, const char *s, size_t len, TplValue *out)
{
	TplValue	key = tpl_text(s, len);
	int64_t		i = 0;
	size_t		k = 0;

	while (k < len && k < 9 && s[k] >= '0' && s[k] <= '9')
		i = i * 10 + (s[k++] - '0');
	if (len && k == len)
		key = tpl_int(i);
	return nlp_tpl_getitem(r, v, &key, out);
}

/* item's attribute, a path with dots or a number; lower case when fold; path NULL: the item. */
static NlpStatus
get_key(TplRun *r, const TplValue *item, const TplValue *path, bool fold, TplValue *out)
{
	TplValue	v = *item;

	NLP_TRY(nlp_tpl_work(r, 1));
	if (path && path->type == TPL_STR)
	{
		const char *s = path->p.s;
		const char *end = s + path->u.len;

		for (;;)
		{
			const char *dot = memchr(s, '.', (size_t) (end - s));

			NLP_TRY(path_step(r, &v, s, (size_t) ((dot ? dot : end) - s), &v));
			if (!dot)
				break;
			s = dot + 1;
		}
	}
	else if (path && path->type != TPL_NONE)
		NLP_TRY(nlp_tpl_getitem(r, &v, path, &v));
	if (fold && v.type == TPL_STR)
		return nlp_tpl_lower(r, &v, out);
	*out = v;
	return NLP_OK;
}

/* ---- sorting ---- */

typedef struct Keyed
{
	TplValue	key;
	TplValue	item;
} Keyed;

/* Stable merge of src[lo, mid) and src[mid, hi) into dst. */
static NlpStatus
merge_runs(TplRun *r, const Keyed *src, Keyed *dst, size_t lo, size_t mid, size_t hi, bool reverse)
{
	size_t		i = lo;
	size_t		j = mid;

	for (size_t k = lo; k < hi; k++)
	{
		bool		right = i == mid;

		if (i < mid && j < hi)
			NLP_TRY(reverse ? nlp_tpl_less(r, &src[i].key, &src[j].key, &right) :
					nlp_tpl_less(r, &src[j].key, &src[i].key, &right));
		dst[k] = right ? src[j++] : src[i++];
	}
	return NLP_OK;
}

static NlpStatus
sort_keyed(TplRun *r, Keyed **items, size_t n, bool reverse)
{
	Keyed	   *from = *items;
	Keyed	   *to;

	if (n < 2)
		return NLP_OK;
	NLP_TRY(nlp_tpl_alloc(r, n, sizeof(Keyed), &to));
	for (size_t width = 1; width < n; width *= 2)
	{
		Keyed	   *swap = from;

		for (size_t lo = 0; lo < n; lo += 2 * width)
		{
			size_t		mid = lo + width < n ? lo + width : n;
			size_t		hi = mid + width < n ? mid + width : n;

			NLP_TRY(merge_runs(r, from, to, lo, mid, hi, reverse));
		}
		from = to;
		to = swap;
	}
	*items = from;
	return NLP_OK;
}

/* Items with their keys. */
static NlpStatus
key_items(TplRun *r, const TplValue *items, size_t n, const TplValue *path, bool fold, Keyed **out)
{
	Keyed	   *keyed;

	NLP_TRY(nlp_tpl_alloc(r, n ? n : 1, sizeof(Keyed), &keyed));
	NLP_TRY(nlp_tpl_turns(r, n));
	for (size_t i = 0; i < n; i++)
	{
		keyed[i].item = items[i];
		NLP_TRY(get_key(r, &items[i], path, fold, &keyed[i].key));
	}
	*out = keyed;
	return NLP_OK;
}

/* The same for sort, whose attribute may be several, separated by commas. Keys are
 * lists: equal ones need no order, so values that have none may be among them. */
static NlpStatus
list_keys(TplRun *r, const TplValue *items, size_t n, const TplValue *path, bool fold, Keyed **out)
{
	TplValue	comma = tpl_text(",", 1);
	TplValue	parts = {.type = TPL_NONE};
	Keyed	   *keyed;
	size_t		n_parts = 1;

	if (path && path->type == TPL_STR)
	{
		NLP_TRY(nlp_tpl_split(r, path, &comma, -1, false, &parts));
		n_parts = parts.p.list->n;
	}

	NLP_TRY(nlp_tpl_alloc(r, n ? n : 1, sizeof(Keyed), &keyed));
	NLP_TRY(nlp_tpl_turns(r, n));
	for (size_t i = 0; i < n; i++)
	{
		keyed[i].item = items[i];
		NLP_TRY(nlp_tpl_list(r, TPL_LIST, n_parts, &keyed[i].key));
		for (size_t k = 0; k < n_parts; k++)
			NLP_TRY(get_key(r, &items[i], parts.type == TPL_LIST ? &parts.p.list->items[k] : path, fold,
							&keyed[i].key.p.list->items[k]));
	}
	*out = keyed;
	return NLP_OK;
}

static bool
flag(const TplValue *v)
{
	return v && nlp_tpl_truth(v);
}

static NlpStatus
filter_sort(TplRun *r, const TplValue *items, size_t n, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"reverse", "case_sensitive", "attribute"};
	const TplValue *got[3];
	Keyed	   *keyed;

	NLP_TRY(bind(r, a, 3, 0, names, got));
	NLP_TRY(list_keys(r, items, n, got[2], !flag(got[1]), &keyed));
	NLP_TRY(sort_keyed(r, &keyed, n, flag(got[0])));
	NLP_TRY(nlp_tpl_list(r, TPL_LIST, n, out));
	for (size_t i = 0; i < n; i++)
		out->p.list->items[i] = keyed[i].item;
	return NLP_OK;
}

static NlpStatus
filter_dictsort(TplRun *r, const TplValue *v, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"case_sensitive", "by", "reverse"};
	const TplValue *got[3];
	TplValue	view;
	TplValue	index = tpl_int(0);
	Keyed	   *keyed;
	size_t		n;

	NLP_TRY(bind(r, a, 3, 0, names, got));
	if (v->type != TPL_DICT)
		return nlp_tpl_fail(r, NLP_EINVALID, "filter \"dictsort\" of the chat template needs a mapping");
	if (got[1] && got[1]->type == TPL_STR && got[1]->u.len == 5 && memcmp(got[1]->p.s, "value", 5) == 0)
		index = tpl_int(1);
	else if (got[1] && !(got[1]->type == TPL_STR && got[1]->u.len == 3 && memcmp(got[1]->p.s, "key", 3) == 0))
		return nlp_tpl_fail(r, NLP_EINVALID, "filter \"dictsort\" sorts by key or value");
	NLP_TRY(nlp_tpl_dict_view(r, v->p.dict, 2, &view));
	n = view.p.list->n;
	NLP_TRY(key_items(r, view.p.list->items, n, &index, !flag(got[0]), &keyed));
	NLP_TRY(sort_keyed(r, &keyed, n, flag(got[2])));
	NLP_TRY(nlp_tpl_list(r, TPL_LIST, n, out));
	for (size_t i = 0; i < n; i++)
		out->p.list->items[i] = keyed[i].item;
	return NLP_OK;
}

static NlpStatus
filter_unique(TplRun *r, const TplValue *items, size_t n, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"case_sensitive", "attribute"};
	const TplValue *got[2];
	TplValue	seen;
	TplValue   *kept;
	size_t		n_kept = 0;

	NLP_TRY(bind(r, a, 2, 0, names, got));
	NLP_TRY(nlp_tpl_dict_new(r, TPL_DICT, &seen));
	NLP_TRY(nlp_tpl_alloc(r, n ? n : 1, sizeof(TplValue), &kept));
	NLP_TRY(nlp_tpl_turns(r, n));
	for (size_t i = 0; i < n; i++)
	{
		TplValue	key;
		const TplValue *found;

		NLP_TRY(get_key(r, &items[i], got[1], !flag(got[0]), &key));
		NLP_TRY(nlp_tpl_dict_get(r, seen.p.dict, &key, &found));
		if (found)
			continue;
		NLP_TRY(nlp_tpl_dict_set(r, seen.p.dict, &key, &key));
		kept[n_kept++] = items[i];
	}
	return nlp_tpl_iterator(r, TPL_ITER_GENERATOR, kept, n_kept, out);
}

static NlpStatus
filter_min_max(TplRun *r, const TplValue *items, size_t n, bool max, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"case_sensitive", "attribute"};
	const TplValue *got[2];
	Keyed	   *keyed;
	size_t		best = 0;

	NLP_TRY(bind(r, a, 2, 0, names, got));
	*out = tpl_undefined();
	if (n == 0)
		return NLP_OK;
	NLP_TRY(key_items(r, items, n, got[1], !flag(got[0]), &keyed));
	for (size_t i = 1; i < n; i++)
	{
		bool		better;

		NLP_TRY(max ? nlp_tpl_less(r, &keyed[best].key, &keyed[i].key, &better) :
				nlp_tpl_less(r, &keyed[i].key, &keyed[best].key, &better));
		if (better)
			best = i;
	}
	*out = items[best];
	return NLP_OK;
}

static NlpStatus
filter_groupby(TplRun *r, const TplValue *items, size_t n, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"attribute", "default", "case_sensitive"};
	const TplValue *got[3];
	Keyed	   *keyed;
	TplValue   *groups;
	size_t		n_groups = 0;

	NLP_TRY(bind(r, a, 3, 1, names, got));
	NLP_TRY(key_items(r, items, n, got[0], !flag(got[2]), &keyed));
	for (size_t i = 0; i < n && got[1]; i++)
	{
		if (keyed[i].key.type == TPL_UNDEFINED)
			keyed[i].key = *got[1];
	}
	NLP_TRY(sort_keyed(r, &keyed, n, false));
	NLP_TRY(nlp_tpl_alloc(r, n ? n : 1, sizeof(TplValue), &groups));
	for (size_t i = 0, j; i < n; i = j)
	{
		TplValue	list;
		bool		eq = true;

		for (j = i + 1; j < n; j++)
		{
			NLP_TRY(nlp_tpl_equal(r, &keyed[i].key, &keyed[j].key, &eq));
			if (!eq)
				break;
		}
		NLP_TRY(nlp_tpl_list(r, TPL_LIST, j - i, &list));
		for (size_t k = i; k < j; k++)
			list.p.list->items[k - i] = keyed[k].item;
		NLP_TRY(nlp_tpl_list(r, TPL_TUPLE, 2, &groups[n_groups]));
		/* the first item's own key, in its own case */
		NLP_TRY(get_key(r, &keyed[i].item, got[0], false, &groups[n_groups].p.list->items[0]));
		if (groups[n_groups].p.list->items[0].type == TPL_UNDEFINED && got[1])
			groups[n_groups].p.list->items[0] = *got[1];
		groups[n_groups++].p.list->items[1] = list;
	}
	NLP_TRY(nlp_tpl_list(r, TPL_LIST, 0, out));
	out->p.list->items = groups;
	out->p.list->n = n_groups;
	return NLP_OK;
}

/* ---- one by one ---- */

static NlpStatus
map_attribute(TplRun *r, const TplValue *items, size_t n, const TplArgs *a, TplValue *out)
{
	const TplValue *path = NULL;
	const TplValue *fallback = NULL;

	for (size_t i = 0; i < a->n_kw; i++)
	{
		const TplValue *key = &a->kw[i].key;

		if (key->u.len == 9 && memcmp(key->p.s, "attribute", 9) == 0)
			path = &a->kw[i].value;
		else if (key->u.len == 7 && memcmp(key->p.s, "default", 7) == 0)
			fallback = &a->kw[i].value;
		else
			return nlp_tpl_fail(r, NLP_EINVALID, "filter \"map\" of the chat template has an unknown argument");
	}
	if (!path)
		return nlp_tpl_fail(r, NLP_EINVALID, "filter \"map\" of the chat template needs a filter or an attribute");
	for (size_t i = 0; i < n; i++)
	{
		NLP_TRY(get_key(r, &items[i], path, false, &out[i]));
		if (out[i].type == TPL_UNDEFINED && fallback && fallback->type != TPL_NONE)
			out[i] = *fallback;
	}
	return NLP_OK;
}

static NlpStatus
filter_map(TplRun *r, const TplValue *items, size_t n, const TplArgs *a, TplValue *out)
{
	TplValue   *mapped;
	TplArgs		rest = *a;
	int			id;

	NLP_TRY(nlp_tpl_alloc(r, n ? n : 1, sizeof(TplValue), &mapped));
	NLP_TRY(nlp_tpl_turns(r, n));
	if (a->n == 0)
		NLP_TRY(map_attribute(r, items, n, a, mapped));
	else
	{
		id = a->pos[0].type == TPL_STR ? nlp_tpl_filter_id(a->pos[0].p.s, a->pos[0].u.len) : 0;
		if (!id)
			return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "filter named to \"map\" in the chat template is not known");
		rest.pos++;
		rest.n--;
		if (r->depth >= TPL_MAX_EVAL)
			return nlp_tpl_fail(r, NLP_ECOMPLEX, "chat template is nested too deeply");
		r->depth++;
		for (size_t i = 0; i < n; i++)
			NLP_TRY(nlp_tpl_filter(r, id, &items[i], &rest, &mapped[i]));
		r->depth--;
	}
	return nlp_tpl_iterator(r, TPL_ITER_GENERATOR, mapped, n, out);
}

/* select, reject and their attr forms. */
static NlpStatus
filter_select(TplRun *r, TplSeqFilter which, const TplValue *items, size_t n, const TplArgs *a, TplValue *out)
{
	bool		by_attr = which == TPL_Q_SELECTATTR || which == TPL_Q_REJECTATTR;
	bool		want = which == TPL_Q_SELECT || which == TPL_Q_SELECTATTR;
	TplArgs		rest = *a;
	const TplValue *path = NULL;
	TplValue   *kept;
	size_t		n_kept = 0;
	int			id = 0;

	if (by_attr && rest.n == 0)
		return nlp_tpl_fail(r, NLP_EINVALID, "filter of the chat template needs the name of an attribute");
	if (by_attr)
	{
		path = rest.pos++;
		rest.n--;
	}
	if (rest.n)
	{
		id = rest.pos->type == TPL_STR ? nlp_tpl_test_id(rest.pos->p.s, rest.pos->u.len) : 0;
		if (!id)
			return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "test named to a filter in the chat template is not known");
		rest.pos++;
		rest.n--;
	}
	NLP_TRY(nlp_tpl_alloc(r, n ? n : 1, sizeof(TplValue), &kept));
	NLP_TRY(nlp_tpl_turns(r, n));
	for (size_t i = 0; i < n; i++)
	{
		TplValue	v;
		bool		yes;

		NLP_TRY(get_key(r, &items[i], path, false, &v));
		if (id)
			NLP_TRY(nlp_tpl_test(r, id, &v, &rest, &yes));
		else
			yes = nlp_tpl_truth(&v);
		if (yes == want)
			kept[n_kept++] = items[i];
	}
	return nlp_tpl_iterator(r, TPL_ITER_GENERATOR, kept, n_kept, out);
}

static NlpStatus
filter_join(TplRun *r, const TplValue *items, size_t n, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"d", "attribute"};
	const TplValue *got[2];
	TplValue	sep = tpl_text("", 0);
	size_t		mark;

	NLP_TRY(bind(r, a, 2, 0, names, got));
	if (got[0])
		NLP_TRY(nlp_tpl_str(r, got[0], &sep));
	NLP_TRY(nlp_tpl_turns(r, n));
	mark = r->scratch.len;
	for (size_t i = 0; i < n; i++)
	{
		TplValue	v;
		TplValue	text;

		NLP_TRY(get_key(r, &items[i], got[1], false, &v));
		NLP_TRY(nlp_tpl_str(r, &v, &text));
		if (i)
			NLP_TRY(nlp_tpl_put(r, sep.p.s, sep.u.len));
		NLP_TRY(nlp_tpl_put(r, text.p.s, text.u.len));
	}
	return nlp_tpl_take(r, mark, out);
}

static NlpStatus
filter_sum(TplRun *r, const TplValue *items, size_t n, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"attribute", "start"};
	const TplValue *got[2];

	NLP_TRY(bind(r, a, 2, 0, names, got));
	*out = got[1] ? *got[1] : tpl_int(0);
	if (out->type == TPL_STR)
		return nlp_tpl_fail(r, NLP_EINVALID, "filter \"sum\" of the chat template cannot add strings");
	NLP_TRY(nlp_tpl_turns(r, n));
	for (size_t i = 0; i < n; i++)
	{
		TplValue	v;
		TplValue	total = *out;

		NLP_TRY(get_key(r, &items[i], got[0], false, &v));
		NLP_TRY(nlp_tpl_arith(r, TPL_O_ADD, &total, &v, out));
	}
	return NLP_OK;
}

/* A list of items[from, to), filled up to at_least. */
static NlpStatus
part_of(TplRun *r, const TplValue *items, size_t from, size_t to, size_t at_least, const TplValue *fill,
		TplValue *out)
{
	size_t		n = to - from;
	size_t		total = fill && at_least > n ? at_least : n;

	NLP_TRY(nlp_tpl_list(r, TPL_LIST, total, out));
	for (size_t i = 0; i < total; i++)
		out->p.list->items[i] = i < n ? items[from + i] : *fill;
	return NLP_OK;
}

/* batch: parts of so many items; slice: so many parts. */
static NlpStatus
filter_parts(TplRun *r, bool batch, const TplValue *items, size_t n, const TplArgs *a, TplValue *out)
{
	static const char *const batch_names[] = {"linecount", "fill_with"};
	static const char *const slice_names[] = {"slices", "fill_with"};
	const TplValue *got[2];
	TplValue   *parts;
	int64_t		size;
	size_t		count;
	size_t		pos = 0;

	NLP_TRY(bind(r, a, 2, 1, batch ? batch_names : slice_names, got));
	NLP_TRY(nlp_tpl_int_arg(r, got[0], 1, &size));
	if (size < 1 || size > TPL_MAX_RANGE)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template cuts a list into parts of a size out of range");
	if (got[1] && got[1]->type == TPL_NONE)
		got[1] = NULL;
	count = batch ? (n + (size_t) size - 1) / (size_t) size : (size_t) size;
	NLP_TRY(nlp_tpl_turns(r, n + count));
	NLP_TRY(nlp_tpl_alloc(r, count ? count : 1, sizeof(TplValue), &parts));
	for (size_t i = 0; i < count; i++)
	{
		size_t		len = batch ? (n - pos < (size_t) size ? n - pos : (size_t) size) : n / count + (i < n % count);
		size_t		least = batch ? (size_t) size : i >= n % count ? len + 1 : len;

		NLP_TRY(part_of(r, items, pos, pos + len, least, got[1], &parts[i]));
		pos += len;
	}
	return nlp_tpl_iterator(r, TPL_ITER_GENERATOR, parts, count, out);
}

/* ---- ends and order ---- */

static NlpStatus
filter_first(TplRun *r, const TplValue *v, TplValue *out)
{
	const TplValue *items;
	size_t		n;

	*out = tpl_undefined();
	if (v->type == TPL_STR)
	{
		if (v->u.len)
			*out = tpl_text(v->p.s, tpl_char_len(v->p.s));
		return NLP_OK;
	}
	if (v->type == TPL_ITER && v->kind == TPL_ITER_GENERATOR)
	{
		if (v->p.list->pos < v->p.list->n)
			*out = v->p.list->items[v->p.list->pos++];
		return NLP_OK;
	}
	NLP_TRY(nlp_tpl_items(r, v, &items, &n));
	if (n)
		*out = items[0];
	return NLP_OK;
}

static NlpStatus
filter_last(TplRun *r, const TplValue *v, TplValue *out)
{
	const TplValue *items;
	size_t		n;

	if (v->type == TPL_ITER && v->kind == TPL_ITER_GENERATOR)
		return nlp_tpl_fail(r, NLP_EINVALID, "filter \"last\" of the chat template needs a list");
	*out = tpl_undefined();
	NLP_TRY(nlp_tpl_items(r, v, &items, &n));
	if (n)
		*out = items[n - 1];
	return NLP_OK;
}

static NlpStatus
filter_list(TplRun *r, const TplValue *v, TplValue *out)
{
	const TplValue *items;
	size_t		n;

	NLP_TRY(nlp_tpl_items(r, v, &items, &n));
	NLP_TRY(nlp_tpl_list(r, TPL_LIST, 0, out));
	out->p.list->items = (TplValue *) items;	/* values never change */
	out->p.list->n = n;
	return NLP_OK;
}

static NlpStatus
filter_reverse(TplRun *r, const TplValue *v, TplValue *out)
{
	const TplValue *items;
	TplValue   *reversed;
	size_t		mark = r->scratch.len;
	size_t		n;

	NLP_TRY(nlp_tpl_items(r, v, &items, &n));
	NLP_TRY(nlp_tpl_turns(r, n));
	if (v->type == TPL_STR)
	{
		while (n-- > 0)
			NLP_TRY(nlp_tpl_put(r, items[n].p.s, items[n].u.len));
		return nlp_tpl_take(r, mark, out);
	}
	NLP_TRY(nlp_tpl_alloc(r, n ? n : 1, sizeof(TplValue), &reversed));
	for (size_t i = 0; i < n; i++)
		reversed[i] = items[n - 1 - i];
	if (v->type != TPL_ITER || v->kind != TPL_ITER_GENERATOR)
		return nlp_tpl_iterator(r, TPL_ITER_GENERATOR, reversed, n, out);
	NLP_TRY(nlp_tpl_list(r, TPL_LIST, 0, out));
	out->p.list->items = reversed;
	out->p.list->n = n;
	return NLP_OK;
}

static NlpStatus
filter_items(TplRun *r, const TplValue *v, TplValue *out)
{
	if (v->type == TPL_UNDEFINED)
		return nlp_tpl_iterator(r, TPL_ITER_GENERATOR, NULL, 0, out);
	if (v->type != TPL_DICT)
		return nlp_tpl_fail(r, NLP_EINVALID, "filter \"items\" of the chat template needs a mapping");
	NLP_TRY(nlp_tpl_dict_view(r, v->p.dict, 2, out));
	out->kind = TPL_ITER_GENERATOR;
	return NLP_OK;
}

static NlpStatus
filter_length(TplRun *r, const TplValue *v, TplValue *out)
{
	size_t		n;

	if (!nlp_tpl_length(v, &n))
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template asks for the length of %s, which has none",
							nlp_tpl_type_name(v));
	*out = tpl_int((int64_t) n);
	return nlp_tpl_work(r, v->type == TPL_STR ? v->u.len / 8 : 0);
}

/* Those that take no arguments and care what kind of sequence it is. */
static NlpStatus
whole_filter(TplRun *r, TplSeqFilter which, const TplValue *v, const TplArgs *a, TplValue *out)
{
	NLP_TRY(bind(r, a, 0, 0, NULL, NULL));
	switch (which)
	{
		case TPL_Q_FIRST:
			return filter_first(r, v, out);
		case TPL_Q_LAST:
			return filter_last(r, v, out);
		case TPL_Q_LIST:
			return filter_list(r, v, out);
		case TPL_Q_REVERSE:
			return filter_reverse(r, v, out);
		case TPL_Q_ITEMS:
			return filter_items(r, v, out);
		default:
			return filter_length(r, v, out);
	}
}

NlpStatus
nlp_tpl_seq_filter(TplRun *r, TplSeqFilter which, const TplValue *v, const TplArgs *a, TplValue *out)
{
	const TplValue *items;
	size_t		n;

	if (which == TPL_Q_DICTSORT)
		return filter_dictsort(r, v, a, out);
	if (which == TPL_Q_FIRST || which == TPL_Q_LAST || which == TPL_Q_LIST || which == TPL_Q_REVERSE ||
		which == TPL_Q_ITEMS || which == TPL_Q_LENGTH)
		return whole_filter(r, which, v, a, out);
	if ((which == TPL_Q_MAP || (which >= TPL_Q_SELECT && which <= TPL_Q_REJECTATTR)) && !nlp_tpl_truth(v))
		return nlp_tpl_iterator(r, TPL_ITER_GENERATOR, NULL, 0, out);
	NLP_TRY(nlp_tpl_items(r, v, &items, &n));
	switch (which)
	{
		case TPL_Q_JOIN:
			return filter_join(r, items, n, a, out);
		case TPL_Q_SORT:
			return filter_sort(r, items, n, a, out);
		case TPL_Q_UNIQUE:
			return filter_unique(r, items, n, a, out);
		case TPL_Q_MIN:
		case TPL_Q_MAX:
			return filter_min_max(r, items, n, which == TPL_Q_MAX, a, out);
		case TPL_Q_SUM:
			return filter_sum(r, items, n, a, out);
		case TPL_Q_MAP:
			return filter_map(r, items, n, a, out);
		case TPL_Q_BATCH:
		case TPL_Q_SLICE:
			return filter_parts(r, which == TPL_Q_BATCH, items, n, a, out);
		case TPL_Q_GROUPBY:
			return filter_groupby(r, items, n, a, out);
		default:
			return filter_select(r, which, items, n, a, out);
	}
}
