/* template_method.c --- methods of texts, mappings and lists in chat templates.
 *
 * What would change a value (list.append, dict.update, ...) is out of reach, as
 * in jinja2's immutable sandbox: the attribute is undefined. Methods Python has
 * and templates do not use are known by name, so that `x is defined` agrees, and
 * calling one is NLP_EUNSUPPORTED.
 * Source: the Python Library Reference, "Built-in Types". */
#include <string.h>

#include "core/utf8.h"
#include "task/template_internal.h"
#include "engine_only.h"

#define ON_STR 1
#define ON_DICT 2
#define ON_LIST 4
#define ON_TUPLE 8
#define ON_LOOP 16
#define MUTATES 32

typedef enum Method
{
	M_NONE,
	M_STRIP, M_LSTRIP, M_RSTRIP, M_SPLIT, M_RSPLIT, M_SPLITLINES, M_STARTSWITH, M_ENDSWITH, M_UPPER, M_LOWER,
	M_TITLE, M_CAPITALIZE, M_REPLACE, M_JOIN, M_FIND, M_RFIND, M_INDEX, M_RINDEX, M_COUNT, M_FORMAT,
	M_REMOVEPREFIX, M_REMOVESUFFIX, M_ISDIGIT, M_ISALPHA, M_ISALNUM, M_ISSPACE, M_ISUPPER, M_ISLOWER,
	M_PARTITION, M_RPARTITION, M_ZFILL, M_LJUST, M_RJUST, M_CENTER,
	M_ITEMS, M_KEYS, M_VALUES, M_GET, M_COPY,
	M_CYCLE, M_CHANGED,
	M_OTHER
} Method;

static const struct
{
	const char *name;
	uint8_t		on;
	uint8_t		id;
}			methods[] = {
	{"strip", ON_STR, M_STRIP}, {"lstrip", ON_STR, M_LSTRIP}, {"rstrip", ON_STR, M_RSTRIP},
	{"split", ON_STR, M_SPLIT}, {"rsplit", ON_STR, M_RSPLIT}, {"splitlines", ON_STR, M_SPLITLINES},
	{"startswith", ON_STR, M_STARTSWITH}, {"endswith", ON_STR, M_ENDSWITH}, {"upper", ON_STR, M_UPPER},
	{"lower", ON_STR, M_LOWER}, {"title", ON_STR, M_TITLE}, {"capitalize", ON_STR, M_CAPITALIZE},
	{"replace", ON_STR, M_REPLACE}, {"join", ON_STR, M_JOIN}, {"find", ON_STR, M_FIND},
	{"rfind", ON_STR, M_RFIND}, {"index", ON_STR | ON_LIST | ON_TUPLE, M_INDEX}, {"rindex", ON_STR, M_RINDEX},
	{"count", ON_STR | ON_LIST | ON_TUPLE, M_COUNT}, {"format", ON_STR, M_FORMAT},
	{"removeprefix", ON_STR, M_REMOVEPREFIX}, {"removesuffix", ON_STR, M_REMOVESUFFIX},
	{"isdigit", ON_STR, M_ISDIGIT}, {"isalpha", ON_STR, M_ISALPHA}, {"isalnum", ON_STR, M_ISALNUM},
	{"isspace", ON_STR, M_ISSPACE}, {"isupper", ON_STR, M_ISUPPER}, {"islower", ON_STR, M_ISLOWER},
	{"partition", ON_STR, M_PARTITION}, {"rpartition", ON_STR, M_RPARTITION}, {"zfill", ON_STR, M_ZFILL},
	{"ljust", ON_STR, M_LJUST}, {"rjust", ON_STR, M_RJUST}, {"center", ON_STR, M_CENTER},
	{"items", ON_DICT, M_ITEMS}, {"keys", ON_DICT, M_KEYS}, {"values", ON_DICT, M_VALUES},
	{"get", ON_DICT, M_GET}, {"copy", ON_DICT | ON_LIST, M_COPY},
	{"cycle", ON_LOOP, M_CYCLE}, {"changed", ON_LOOP, M_CHANGED},
	{"casefold", ON_STR, M_OTHER}, {"encode", ON_STR, M_OTHER}, {"expandtabs", ON_STR, M_OTHER},
	{"format_map", ON_STR, M_OTHER}, {"isascii", ON_STR, M_OTHER}, {"isdecimal", ON_STR, M_OTHER},
	{"isidentifier", ON_STR, M_OTHER}, {"isnumeric", ON_STR, M_OTHER}, {"isprintable", ON_STR, M_OTHER},
	{"istitle", ON_STR, M_OTHER}, {"maketrans", ON_STR, M_OTHER}, {"swapcase", ON_STR, M_OTHER},
	{"translate", ON_STR, M_OTHER}, {"fromkeys", ON_DICT, M_OTHER},
	{"append", ON_LIST | MUTATES, M_OTHER}, {"extend", ON_LIST | MUTATES, M_OTHER},
	{"insert", ON_LIST | MUTATES, M_OTHER}, {"pop", ON_LIST | ON_DICT | MUTATES, M_OTHER},
	{"remove", ON_LIST | MUTATES, M_OTHER}, {"reverse", ON_LIST | MUTATES, M_OTHER},
	{"sort", ON_LIST | MUTATES, M_OTHER}, {"clear", ON_LIST | ON_DICT | MUTATES, M_OTHER},
	{"update", ON_DICT | MUTATES, M_OTHER}, {"setdefault", ON_DICT | MUTATES, M_OTHER},
	{"popitem", ON_DICT | MUTATES, M_OTHER}
};

/* Ids are positions in the table, plus one. */
int
nlp_tpl_method_id(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
	{
		if (strlen(methods[i].name) == len && memcmp(methods[i].name, name, len) == 0)
			return (int) i + 1;
	}
	return 0;
}

bool
nlp_tpl_has_method(const TplValue *v, int id)
{
	int			on = v->type == TPL_STR ? ON_STR : v->type == TPL_DICT ? ON_DICT : v->type == TPL_LIST ? ON_LIST :
		v->type == TPL_TUPLE ? ON_TUPLE : v->type == TPL_LOOP ? ON_LOOP : 0;

	return id > 0 && (methods[id - 1].on & on);
}

bool
nlp_tpl_method_mutates(const TplValue *v, int id)
{
	return nlp_tpl_has_method(v, id) && (methods[id - 1].on & MUTATES);
}

/* ---- argument checks ---- */

static NlpStatus
want_text(TplRun *r, const TplValue *v)
{
	if (v->type == TPL_STR)
		return NLP_OK;
	return nlp_tpl_fail(r, NLP_EINVALID, "a method in the chat template needs a string, not %s", nlp_tpl_type_name(v));
}

static NlpStatus
want_int(TplRun *r, const TplValue *v, int64_t none, int64_t *i)
{
	*i = none;
	if (!v || nlp_tpl_as_int(v, i))
		return NLP_OK;
	return nlp_tpl_fail(r, NLP_EINVALID, "a method in the chat template needs an integer, not %s",
						nlp_tpl_type_name(v));
}

static NlpStatus
bind(TplRun *r, const TplArgs *a, size_t n, size_t required, const char *const *names, const TplValue **got)
{
	return nlp_tpl_bind(r, "method", a, n, required, names, got);
}

/* ---- texts ---- */

static NlpStatus
call_strip(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {""};
	const TplValue *got[1];

	NLP_TRY(bind(r, a, 1, 0, names, got));
	if (got[0] && got[0]->type == TPL_NONE)
		got[0] = NULL;
	if (got[0])
		NLP_TRY(want_text(r, got[0]));
	return nlp_tpl_strip(r, self, got[0], id != M_RSTRIP, id != M_LSTRIP, out);
}

static NlpStatus
call_split(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"sep", "maxsplit"};
	const TplValue *got[2];
	int64_t		max;

	NLP_TRY(bind(r, a, 2, 0, names, got));
	NLP_TRY(want_int(r, got[1], -1, &max));
	return nlp_tpl_split(r, self, got[0], max, id == M_RSPLIT, out);
}

static NlpStatus
call_splitlines(TplRun *r, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"keepends"};
	const TplValue *got[1];

	NLP_TRY(bind(r, a, 1, 0, names, got));
	return nlp_tpl_splitlines(r, self, got[0] && nlp_tpl_truth(got[0]), out);
}

static bool
has_affix(const TplValue *s, const TplValue *affix, bool at_end)
{
	size_t		n = affix->u.len;

	return n <= s->u.len && (n == 0 || memcmp(s->p.s + (at_end ? s->u.len - n : 0), affix->p.s, n) == 0);
}

/* The byte range of the characters [start, end) of s, as slices count. */
static NlpStatus
sub_text(TplRun *r, const TplValue *s, const TplValue *start, const TplValue *end, TplValue *out)
{
	TplValue	parts[3] = {start ? *start : tpl_none(), end ? *end : tpl_none(), tpl_none()};

	if (!start && !end)
	{
		*out = *s;
		return NLP_OK;
	}
	return nlp_tpl_slice(r, s, parts, out);
}

static NlpStatus
call_affix(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"", "", ""};
	const TplValue *got[3];
	const TplValue *affixes;
	size_t		n = 1;
	TplValue	part;

	NLP_TRY(bind(r, a, 3, 1, names, got));
	NLP_TRY(sub_text(r, self, got[1], got[2], &part));
	affixes = got[0];
	if (affixes->type == TPL_TUPLE)
	{
		n = affixes->p.list->n;
		affixes = affixes->p.list->items;
	}
	*out = tpl_bool(false);
	for (size_t i = 0; i < n && !out->u.b; i++)
	{
		NLP_TRY(want_text(r, &affixes[i]));
		out->u.b = has_affix(&part, &affixes[i], id == M_ENDSWITH);
	}
	return NLP_OK;
}

static NlpStatus
call_remove_affix(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {""};
	const TplValue *got[1];

	NLP_TRY(bind(r, a, 1, 1, names, got));
	NLP_TRY(want_text(r, got[0]));
	*out = *self;
	if (!has_affix(self, got[0], id == M_REMOVESUFFIX))
		return NLP_OK;
	out->u.len -= got[0]->u.len;
	if (id == M_REMOVEPREFIX)
		out->p.s += got[0]->u.len;
	return NLP_OK;
}

static NlpStatus
call_replace(TplRun *r, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"", "", "count"};
	const TplValue *got[3];
	int64_t		max;

	NLP_TRY(bind(r, a, 3, 2, names, got));
	NLP_TRY(want_text(r, got[0]));
	NLP_TRY(want_text(r, got[1]));
	NLP_TRY(want_int(r, got[2], -1, &max));
	return nlp_tpl_replace(r, self, got[0], got[1], max, out);
}

static NlpStatus
call_join(TplRun *r, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {""};
	const TplValue *got[1];
	const TplValue *items;
	size_t		n;
	size_t		mark = r->scratch.len;

	NLP_TRY(bind(r, a, 1, 1, names, got));
	NLP_TRY(nlp_tpl_items(r, got[0], &items, &n));
	for (size_t i = 0; i < n; i++)
	{
		NLP_TRY(want_text(r, &items[i]));
		if (i)
			NLP_TRY(nlp_tpl_put(r, self->p.s, self->u.len));
		NLP_TRY(nlp_tpl_put(r, items[i].p.s, items[i].u.len));
	}
	NLP_TRY(nlp_tpl_take(r, mark, out));
	out->kind = self->kind;
	return NLP_OK;
}

/* Characters before at in s. */
static int64_t
char_index(const TplValue *s, const char *at)
{
	TplValue	before = tpl_text(s->p.s, (size_t) (at - s->p.s));
	size_t		n;

	nlp_tpl_length(&before, &n);
	return (int64_t) n;
}

static NlpStatus
call_find(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"", "", ""};
	const TplValue *got[3];
	const char *at;
	TplValue	part;

	NLP_TRY(bind(r, a, 3, 1, names, got));
	NLP_TRY(want_text(r, got[0]));
	NLP_TRY(sub_text(r, self, got[1], got[2], &part));
	NLP_TRY(nlp_tpl_find(r, &part, got[0], id == M_RFIND || id == M_RINDEX, &at));
	if (!at && (id == M_INDEX || id == M_RINDEX))
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template asks for the place of a substring that is not there");
	*out = tpl_int(at ? char_index(self, at) : -1);
	return NLP_OK;
}

static NlpStatus
call_count(TplRun *r, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"", "", ""};
	const TplValue *got[3];
	const char *at;
	TplValue	rest;
	int64_t		n = 0;

	NLP_TRY(bind(r, a, 3, 1, names, got));
	NLP_TRY(want_text(r, got[0]));
	NLP_TRY(sub_text(r, self, got[1], got[2], &rest));
	if (got[0]->u.len == 0)
	{
		*out = tpl_int(char_index(&rest, rest.p.s + rest.u.len) + 1);
		return NLP_OK;
	}
	for (;; n++)
	{
		NLP_TRY(nlp_tpl_find(r, &rest, got[0], false, &at));
		if (!at)
			break;
		at += got[0]->u.len;
		rest.u.len -= (size_t) (at - rest.p.s);
		rest.p.s = at;
	}
	*out = tpl_int(n);
	return NLP_OK;
}

/* (before, separator, after); when absent the text stands at the near end. */
static NlpStatus
call_partition(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {""};
	const TplValue *got[1];
	const char *at;
	TplValue   *t;
	size_t		n;

	NLP_TRY(bind(r, a, 1, 1, names, got));
	NLP_TRY(want_text(r, got[0]));
	if (got[0]->u.len == 0)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template partitions by an empty separator");
	NLP_TRY(nlp_tpl_find(r, self, got[0], id == M_RPARTITION, &at));
	NLP_TRY(nlp_tpl_list(r, TPL_TUPLE, 3, out));
	t = out->p.list->items;
	t[0] = t[1] = t[2] = tpl_text("", 0);
	t[0].kind = t[1].kind = t[2].kind = self->kind;
	if (!at)
	{
		t[id == M_RPARTITION ? 2 : 0] = *self;
		return NLP_OK;
	}
	n = (size_t) (at - self->p.s);
	t[0] = tpl_text(self->p.s, n);
	t[1] = tpl_text(at, got[0]->u.len);
	t[2] = tpl_text(at + got[0]->u.len, self->u.len - n - got[0]->u.len);
	t[0].kind = t[1].kind = t[2].kind = self->kind;
	return NLP_OK;
}

/* isdigit and the like: some character, and all of the class. ASCII and, for
 * letters, whatever has case or lies beyond. */
static NlpStatus
call_class(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	bool		yes = self->u.len > 0;

	NLP_TRY(bind(r, a, 0, 0, NULL, NULL));
	if (id == M_ISUPPER || id == M_ISLOWER)
	{
		NLP_TRY(nlp_tpl_is_case(r, self, id == M_ISUPPER, &yes));
		*out = tpl_bool(yes);
		return NLP_OK;
	}
	NLP_TRY(nlp_tpl_work(r, self->u.len));
	for (size_t i = 0; yes && i < self->u.len;)
	{
		uint32_t	cp = 0;
		int			n = nlp_utf8_decode(self->p.s + i, self->u.len - i, &cp);
		bool		digit = cp >= '0' && cp <= '9';
		bool		letter = (cp | 32) >= 'a' && (cp | 32) <= 'z' && cp < 0x80;

		if (n == 0)
			break;
		if (id == M_ISSPACE)
			yes = nlp_tpl_is_space(cp);
		else if (cp >= 0x80)
			return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "this test of a string in the chat template is ASCII only");
		else
			yes = (digit && id != M_ISALPHA) || (letter && id != M_ISDIGIT);
		i += n;
	}
	*out = tpl_bool(yes);
	return NLP_OK;
}

static NlpStatus
put_times(TplRun *r, const char *s, size_t len, size_t times)
{
	for (size_t i = 0; i < times; i++)
		NLP_TRY(nlp_tpl_put(r, s, len));
	return NLP_OK;
}

/* ljust, rjust, center, zfill. */
static NlpStatus
call_justify(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"", ""};
	const TplValue *got[2];
	TplValue	fill = tpl_text(id == M_ZFILL ? "0" : " ", 1);
	size_t		mark = r->scratch.len;
	size_t		n;
	size_t		pad;
	size_t		left;
	size_t		sign = 0;
	int64_t		width;

	NLP_TRY(bind(r, a, id == M_ZFILL ? 1 : 2, 1, names, got));
	NLP_TRY(want_int(r, got[0], 0, &width));
	if (id != M_ZFILL && got[1])
	{
		NLP_TRY(want_text(r, got[1]));
		fill = *got[1];
	}
	nlp_tpl_length(&fill, &n);
	if (n != 1)
		return nlp_tpl_fail(r, NLP_EINVALID, "fill of a padded string in the chat template is not one character");
	nlp_tpl_length(self, &n);
	pad = width > 0 && (size_t) width > n ? (size_t) width - n : 0;
	left = id == M_LJUST ? 0 : id == M_CENTER ? pad / 2 + (pad & (size_t) width & 1) : pad;
	if (id == M_ZFILL && self->u.len && (self->p.s[0] == '-' || self->p.s[0] == '+'))
		sign = 1;
	NLP_TRY(nlp_tpl_put(r, self->p.s, sign));
	NLP_TRY(put_times(r, fill.p.s, fill.u.len, left));
	NLP_TRY(nlp_tpl_put(r, self->p.s + sign, self->u.len - sign));
	NLP_TRY(put_times(r, fill.p.s, fill.u.len, pad - left));
	return nlp_tpl_take(r, mark, out);
}

static NlpStatus
call_case(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	NLP_TRY(bind(r, a, 0, 0, NULL, NULL));
	if (id == M_UPPER)
		return nlp_tpl_upper(r, self, out);
	if (id == M_LOWER)
		return nlp_tpl_lower(r, self, out);
	return id == M_TITLE ? nlp_tpl_title(r, self, out) : nlp_tpl_capitalize(r, self, out);
}

static NlpStatus
call_text(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	switch (id)
	{
		case M_STRIP:
		case M_LSTRIP:
		case M_RSTRIP:
			return call_strip(r, id, self, a, out);
		case M_SPLIT:
		case M_RSPLIT:
			return call_split(r, id, self, a, out);
		case M_SPLITLINES:
			return call_splitlines(r, self, a, out);
		case M_STARTSWITH:
		case M_ENDSWITH:
			return call_affix(r, id, self, a, out);
		case M_REMOVEPREFIX:
		case M_REMOVESUFFIX:
			return call_remove_affix(r, id, self, a, out);
		case M_UPPER:
		case M_LOWER:
		case M_TITLE:
		case M_CAPITALIZE:
			return call_case(r, id, self, a, out);
		case M_REPLACE:
			return call_replace(r, self, a, out);
		case M_JOIN:
			return call_join(r, self, a, out);
		case M_FIND:
		case M_RFIND:
		case M_INDEX:
		case M_RINDEX:
			return call_find(r, id, self, a, out);
		case M_COUNT:
			return call_count(r, self, a, out);
		case M_FORMAT:
			return nlp_tpl_format(r, self, a, out);
		case M_PARTITION:
		case M_RPARTITION:
			return call_partition(r, id, self, a, out);
		case M_ZFILL:
		case M_LJUST:
		case M_RJUST:
		case M_CENTER:
			return call_justify(r, id, self, a, out);
		default:
			return call_class(r, id, self, a, out);
	}
}

/* ---- mappings, lists, loops ---- */

static NlpStatus
call_get(TplRun *r, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {"", ""};
	const TplValue *got[2];
	const TplValue *found;

	NLP_TRY(bind(r, a, 2, 1, names, got));
	NLP_TRY(nlp_tpl_dict_get(r, self->p.dict, got[0], &found));
	*out = found ? *found : got[1] ? *got[1] : tpl_none();
	return NLP_OK;
}

static NlpStatus
call_list(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	static const char *const names[] = {""};
	const TplValue *got[1];
	const TplList *l = self->p.list;
	int64_t		n = 0;

	if (id == M_COPY)
	{
		*out = *self;			/* nothing can change it */
		return bind(r, a, 0, 0, NULL, NULL);
	}
	NLP_TRY(bind(r, a, 1, 1, names, got));
	for (size_t i = 0; i < l->n; i++)
	{
		bool		eq;

		NLP_TRY(nlp_tpl_equal(r, &l->items[i], got[0], &eq));
		if (eq && id == M_INDEX)
		{
			*out = tpl_int((int64_t) i);
			return NLP_OK;
		}
		n += eq;
	}
	if (id == M_INDEX)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template asks for the place of a value that is not in the list");
	*out = tpl_int(n);
	return NLP_OK;
}

static NlpStatus
call_loop(TplRun *r, int id, TplLoop *loop, const TplArgs *a, TplValue *out)
{
	bool		same = loop->changed && loop->n_changed == a->n;

	if (a->n_kw)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template gives a loop's method a keyword");
	if (id == M_CYCLE)
	{
		if (a->n == 0)
			return nlp_tpl_fail(r, NLP_EINVALID, "chat template cycles through nothing");
		*out = a->pos[loop->i % a->n];
		return NLP_OK;
	}
	for (size_t i = 0; same && i < a->n; i++)
		NLP_TRY(nlp_tpl_equal(r, &loop->changed[i], &a->pos[i], &same));
	*out = tpl_bool(!same);
	if (same)
		return NLP_OK;
	NLP_TRY(nlp_tpl_alloc(r, a->n ? a->n : 1, sizeof(TplValue), &loop->changed));
	if (a->n)
		memcpy(loop->changed, a->pos, a->n * sizeof(TplValue));
	loop->n_changed = a->n;
	return NLP_OK;
}

NlpStatus
nlp_tpl_call_method(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out)
{
	int			m = methods[id - 1].id;

	if (m == M_OTHER)
		return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "method \"%s\" is not supported in chat templates", methods[id - 1].name);
	switch (self->type)
	{
		case TPL_STR:
			return call_text(r, m, self, a, out);
		case TPL_LOOP:
			return call_loop(r, m, self->p.loop, a, out);
		case TPL_DICT:
			if (m == M_GET)
				return call_get(r, self, a, out);
			NLP_TRY(bind(r, a, 0, 0, NULL, NULL));
			if (m == M_COPY)
			{
				*out = *self;
				return NLP_OK;
			}
			return nlp_tpl_dict_view(r, self->p.dict, m == M_KEYS ? 0 : m == M_VALUES ? 1 : 2, out);
		default:
			return call_list(r, m, self, a, out);
	}
}
