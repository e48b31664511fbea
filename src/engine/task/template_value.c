/* template_value.c --- values of a chat template: memory, budgets, text
 * conversion and dicts. Comparison is in template_compare.c.
 *
 * Owns:   everything a rendering makes is in its arena, gone at nlp_tpl_end.
 * Trust:  both the template and the variables may be hostile; each allocation is
 *         counted against max_memory and each step against max_work.
 * Source: the Python Language Reference, "Data model", for str() and repr(). */
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "core/hash.h"
#include "core/utf8.h"
#include "task/template_internal.h"
#include "engine_only.h"

const NlpTemplateLimits nlp_template_default_limits = {
	(size_t) 64 << 20, (size_t) 256 << 20, 1000000, 200000000
};

/* ---- the run: memory, budgets, errors ---- */

NlpStatus
nlp_tpl_fail(TplRun *r, NlpStatus status, const char *fmt,...)
{
	char		text[300];
	va_list		ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text[nlp_utf8_whole(text, strlen(text))] = '\0';
	nlp_fail(r->err, status, "%s", text);
	if (r->t)
		nlp_tpl_where(r->t, r->pos, r->err);
	return status;
}

/* Charge nodes or bytes; polls for cancel every so often. */
NlpStatus
nlp_tpl_work(TplRun *r, uint64_t amount)
{
	r->work += amount;
	if (r->work < r->next_poll)
		return NLP_OK;
	r->next_poll = r->work + 100000;
	if (r->work > r->limits.max_work)
		return nlp_tpl_fail(r, NLP_ECOMPLEX, "chat template takes too many steps");
	return nlp_poll(r->env, r->err);
}

NlpStatus
nlp_tpl_turns(TplRun *r, uint64_t amount)
{
	r->turns += amount;
	if (r->turns > r->limits.max_turns)
	{
		nlp_tpl_fail(r, NLP_ECOMPLEX, "chat template loops too often");
		nlp_hint(r->err, "The limit is %llu turns of all loops together.",
				 (unsigned long long) r->limits.max_turns);
		return NLP_ECOMPLEX;
	}
	return nlp_tpl_work(r, amount);
}

static NlpStatus
over_memory(TplRun *r)
{
	return nlp_tpl_fail(r, NLP_ELIMIT, "chat template needs more than %zu bytes of memory", r->limits.max_memory);
}

/* n * each bytes from the arena, not cleared. */
NlpStatus
nlp_tpl_alloc(TplRun *r, size_t n, size_t each, void *ptr)
{
	size_t		bytes;
	void	   *p;

	if (!nlp_mul_size(n, each, &bytes) || bytes > r->limits.max_memory ||
		r->arena.used_bytes + r->scratch.cap > r->limits.max_memory - bytes)
		return over_memory(r);
	NLP_TRY(nlp_tpl_work(r, bytes / 64 + 1));
	p = nlp_arena_alloc(&r->arena, bytes);
	if (!p)
		return nlp_no_memory(r->err, bytes, "rendering a chat template");
	memcpy(ptr, &p, sizeof(p));
	return NLP_OK;
}

NlpStatus
nlp_tpl_begin(TplRun *r, const NlpTemplate *t, const NlpEnv *env, const NlpTemplateLimits *limits,
			  NlpBuf *out, NlpError *err)
{
	memset(r, 0, sizeof(*r));
	r->t = t;
	r->env = env;
	r->err = err;
	r->limits = limits ? *limits : nlp_template_default_limits;
	r->out = out;
	r->out_start = out ? out->len : 0;
	nlp_arena_init(&r->arena, env->alloc, 32 * 1024);
	nlp_buf_init(&r->scratch, env->alloc);
	NLP_TRY(nlp_tpl_alloc(r, 1, sizeof(TplScope), &r->scope));
	memset(r->scope, 0, sizeof(TplScope));
	return NLP_OK;
}

void
nlp_tpl_end(TplRun *r)
{
	nlp_buf_free(&r->scratch);
	nlp_arena_free(&r->arena);
}

NlpStatus
nlp_tpl_list(TplRun *r, TplType type, size_t n, TplValue *out)
{
	TplList    *l = NULL;

	NLP_TRY(nlp_tpl_alloc(r, 1, sizeof(*l), &l));
	l->n = n;
	l->pos = 0;
	l->items = NULL;
	if (n)
		NLP_TRY(nlp_tpl_alloc(r, n, sizeof(TplValue), &l->items));
	*out = (TplValue) {.type = type};
	out->p.list = l;
	return NLP_OK;
}

/* Keeps items, which must be in the arena. */
NlpStatus
nlp_tpl_iterator(TplRun *r, TplIterKind kind, TplValue *items, size_t n, TplValue *out)
{
	NLP_TRY(nlp_tpl_list(r, TPL_ITER, 0, out));
	out->kind = kind;
	out->p.list->items = items;
	out->p.list->n = n;
	return NLP_OK;
}

/* ---- text being made ---- */

NlpStatus
nlp_tpl_put(TplRun *r, const char *s, size_t len)
{
	if (len > r->limits.max_memory || r->scratch.len + r->arena.used_bytes > r->limits.max_memory - len)
		return over_memory(r);
	NLP_TRY(nlp_tpl_work(r, len / 16 + 1));
	if (!nlp_buf_append(&r->scratch, s, len))
		return nlp_no_memory(r->err, len, "rendering a chat template");
	return NLP_OK;
}

/* What scratch holds since mark becomes a text value; scratch goes back to mark. */
NlpStatus
nlp_tpl_take(TplRun *r, size_t mark, TplValue *out)
{
	size_t		len = r->scratch.len - mark;
	char	   *s = NULL;

	if (len)
	{
		NLP_TRY(nlp_tpl_alloc(r, len, 1, &s));
		memcpy(s, r->scratch.data + mark, len);
	}
	r->scratch.len = mark;
	*out = tpl_text(s ? s : "", len);
	return NLP_OK;
}

NlpStatus
nlp_tpl_emit(TplRun *r, const char *s, size_t len)
{
	size_t		used = r->capturing ? r->scratch.len : r->out->len - r->out_start;

	if (len > r->limits.max_output || used > r->limits.max_output - len)
		return nlp_tpl_fail(r, NLP_ELIMIT, "chat template writes more than %zu bytes", r->limits.max_output);
	if (r->capturing)
		return nlp_tpl_put(r, s, len);
	NLP_TRY(nlp_tpl_work(r, len / 16 + 1));
	if (!nlp_buf_append(r->out, s, len))
		return nlp_no_memory(r->err, len, "rendering a chat template");
	return NLP_OK;
}

/* ---- str() and repr() ---- */

/* Python's str.isprintable, of one character. */
static bool
printable(uint32_t cp)
{
	if (cp < 0x7f)
		return cp >= 0x20;
	switch (utf8proc_category((utf8proc_int32_t) cp))
	{
		case UTF8PROC_CATEGORY_CC:
		case UTF8PROC_CATEGORY_CF:
		case UTF8PROC_CATEGORY_CS:
		case UTF8PROC_CATEGORY_CO:
		case UTF8PROC_CATEGORY_CN:
		case UTF8PROC_CATEGORY_ZL:
		case UTF8PROC_CATEGORY_ZP:
		case UTF8PROC_CATEGORY_ZS:
			return false;
		default:
			return true;
	}
}

static NlpStatus
put_repr_char(TplRun *r, const char *s, int n, uint32_t cp, char quote)
{
	char		buf[16];

	if (cp == (uint32_t) quote || cp == '\\')
		snprintf(buf, sizeof(buf), "\\%c", (char) cp);
	else if (cp == '\n' || cp == '\r' || cp == '\t')
		snprintf(buf, sizeof(buf), "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : 't');
	else if (printable(cp))
		return nlp_tpl_put(r, s, (size_t) n);
	else
		snprintf(buf, sizeof(buf), cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", cp);
	return nlp_tpl_put(r, buf, strlen(buf));
}

static NlpStatus
put_repr_text(TplRun *r, const char *s, size_t len)
{
	bool		single = memchr(s, '\'', len) != NULL;
	char		quote = single && !memchr(s, '"', len) ? '"' : '\'';
	size_t		i = 0;

	NLP_TRY(nlp_tpl_put(r, &quote, 1));
	while (i < len)
	{
		uint32_t	cp;
		int			n = nlp_utf8_decode(s + i, len - i, &cp);

		if (n == 0)
			return nlp_tpl_fail(r, NLP_EINTERNAL, "text in a chat template is not UTF-8");
		NLP_TRY(put_repr_char(r, s + i, n, cp, quote));
		i += n;
	}
	return nlp_tpl_put(r, &quote, 1);
}

static NlpStatus
put_word(TplRun *r, const char *s)
{
	return nlp_tpl_put(r, s, strlen(s));
}

static NlpStatus
put_items(TplRun *r, const TplValue *v, const char *open, const char *close)
{
	const TplList *l = v->p.list;

	NLP_TRY(put_word(r, open));
	for (size_t i = 0; i < l->n; i++)
	{
		if (i)
			NLP_TRY(put_word(r, ", "));
		NLP_TRY(nlp_tpl_put_repr(r, &l->items[i]));
	}
	if (v->type == TPL_TUPLE && l->n == 1)
		NLP_TRY(put_word(r, ","));
	return put_word(r, close);
}

static NlpStatus
put_dict(TplRun *r, const TplDict *d)
{
	NLP_TRY(put_word(r, "{"));
	for (size_t i = 0; i < d->n; i++)
	{
		if (i)
			NLP_TRY(put_word(r, ", "));
		NLP_TRY(nlp_tpl_put_repr(r, &d->pairs[i].key));
		NLP_TRY(put_word(r, ": "));
		NLP_TRY(nlp_tpl_put_repr(r, &d->pairs[i].value));
	}
	return put_word(r, "}");
}

static NlpStatus
put_iterator(TplRun *r, const TplValue *v)
{
	const TplList *l = v->p.list;
	char		buf[80];
	int64_t		step;

	if (v->kind == TPL_ITER_GENERATOR)
		return put_word(r, "<generator>");
	if (l->n == 0)
		return put_word(r, "range(0, 0)");
	step = l->n > 1 ? l->items[1].u.i - l->items[0].u.i : 1;
	if (step == 1)
		snprintf(buf, sizeof(buf), "range(%lld, %lld)", (long long) l->items[0].u.i,
				 (long long) l->items[l->n - 1].u.i + 1);
	else
		snprintf(buf, sizeof(buf), "range(%lld, %lld, %lld)", (long long) l->items[0].u.i,
				 (long long) l->items[l->n - 1].u.i + (step > 0 ? 1 : -1), (long long) step);
	return put_word(r, buf);
}

static NlpStatus
put_container(TplRun *r, const TplValue *v)
{
	NlpStatus	st;

	if (r->depth >= TPL_MAX_EVAL)
		return nlp_tpl_fail(r, NLP_ECOMPLEX, "value in the chat template is nested too deeply");
	r->depth++;
	switch (v->type)
	{
		case TPL_LIST:
			st = put_items(r, v, "[", "]");
			break;
		case TPL_TUPLE:
			st = put_items(r, v, "(", ")");
			break;
		case TPL_NAMESPACE:
			st = put_word(r, "<Namespace ");
			if (st == NLP_OK)
				st = put_dict(r, v->p.dict);
			if (st == NLP_OK)
				st = put_word(r, ">");
			break;
		case TPL_ITER:
			st = put_word(r, v->kind == TPL_ITER_KEYS ? "dict_keys(" : v->kind == TPL_ITER_VALUES ? "dict_values(" :
						  "dict_items(");
			if (st == NLP_OK)
				st = put_items(r, v, "[", "])");
			break;
		default:
			st = put_dict(r, v->p.dict);
	}
	r->depth--;
	return st;
}

NlpStatus
nlp_tpl_put_repr(TplRun *r, const TplValue *v)
{
	char		buf[48];

	switch (v->type)
	{
		case TPL_UNDEFINED:
			return put_word(r, "Undefined");
		case TPL_NONE:
			return put_word(r, "None");
		case TPL_BOOL:
			return put_word(r, v->u.b ? "True" : "False");
		case TPL_INT:
			snprintf(buf, sizeof(buf), "%lld", (long long) v->u.i);
			return put_word(r, buf);
		case TPL_FLOAT:
			return nlp_tpl_put(r, buf, nlp_tpl_float_text(v->u.f, buf));
		case TPL_STR:
			if (!v->kind)
				return put_repr_text(r, v->p.s, v->u.len);
			NLP_TRY(put_word(r, "Markup("));
			NLP_TRY(put_repr_text(r, v->p.s, v->u.len));
			return put_word(r, ")");
		case TPL_LIST:
		case TPL_TUPLE:
		case TPL_DICT:
		case TPL_NAMESPACE:
			return put_container(r, v);
		case TPL_ITER:
			return v->kind >= TPL_ITER_KEYS ? put_container(r, v) : put_iterator(r, v);
		case TPL_LOOP:
			snprintf(buf, sizeof(buf), "<LoopContext %zu/%zu>", v->p.loop->i + 1, v->p.loop->n);
			return put_word(r, buf);
		case TPL_MACRO:
			return put_word(r, "<Macro>");
		default:
			return put_word(r, "<function>");
	}
}

NlpStatus
nlp_tpl_put_value(TplRun *r, const TplValue *v)
{
	if (v->type == TPL_STR)
		return nlp_tpl_put(r, v->p.s, v->u.len);
	if (v->type == TPL_UNDEFINED)
		return NLP_OK;
	return nlp_tpl_put_repr(r, v);
}

/* str(v); a text is itself. */
NlpStatus
nlp_tpl_str(TplRun *r, const TplValue *v, TplValue *out)
{
	size_t		mark = r->scratch.len;

	if (v->type == TPL_STR)
	{
		*out = *v;
		return NLP_OK;
	}
	NLP_TRY(nlp_tpl_put_value(r, v));
	return nlp_tpl_take(r, mark, out);
}

const char *
nlp_tpl_type_name(const TplValue *v)
{
	static const char *const names[] = {"undefined", "none", "boolean", "integer", "float", "string", "list",
	"tuple", "mapping", "iterator", "namespace", "loop", "macro", "method", "function"};

	return names[v->type];
}

/* ---- dicts ---- */

/* false: not a value that can be a key. */
static bool
hash_value(const TplValue *v, int depth, uint64_t *h)
{
	double		f;
	int64_t		i;

	switch (v->type)
	{
		case TPL_STR:
			*h = nlp_hash_bytes(v->p.s, v->u.len);
			return true;
		case TPL_BOOL:
		case TPL_INT:
			i = v->type == TPL_BOOL ? v->u.b : v->u.i;
			f = (double) i;		/* equal numbers hash alike whatever their type */
			*h = nlp_hash_bytes(&f, sizeof(f));
			return true;
		case TPL_FLOAT:
			f = v->u.f == 0 ? 0 : v->u.f;
			*h = nlp_hash_bytes(&f, sizeof(f));
			return true;
		case TPL_NONE:
		case TPL_UNDEFINED:
			*h = v->type + 1;
			return true;
		case TPL_TUPLE:
			*h = 17;
			for (size_t k = 0; k < v->p.list->n; k++)
			{
				uint64_t	one;

				if (depth > 16 || !hash_value(&v->p.list->items[k], depth + 1, &one))
					return false;
				*h = (*h ^ one) * 0x9e3779b97f4a7c15u;
			}
			return true;
		default:
			return false;
	}
}

static NlpStatus
hash_key(TplRun *r, const TplValue *key, uint64_t *h)
{
	if (!hash_value(key, 0, h))
		return nlp_tpl_fail(r, NLP_EINVALID, "%s cannot be a key of a mapping", nlp_tpl_type_name(key));
	return nlp_tpl_work(r, 1 + (key->type == TPL_STR ? key->u.len / 16 : 0));
}

NlpStatus
nlp_tpl_dict_new(TplRun *r, TplType type, TplValue *out)
{
	TplDict    *d = NULL;

	NLP_TRY(nlp_tpl_alloc(r, 1, sizeof(*d), &d));
	memset(d, 0, sizeof(*d));
	*out = (TplValue) {.type = type};
	out->p.dict = d;
	return NLP_OK;
}

/* Position of key in d, or SIZE_MAX. */
static NlpStatus
dict_position(TplRun *r, const TplDict *d, const TplValue *key, uint64_t h, size_t *pos)
{
	bool		eq = false;

	*pos = SIZE_MAX;
	for (size_t i = 0; !d->index && i < d->n; i++)
	{
		NLP_TRY(nlp_tpl_equal(r, &d->pairs[i].key, key, &eq));
		if (eq)
		{
			*pos = i;
			return NLP_OK;
		}
	}
	if (!d->index)
		return NLP_OK;
	for (;; h++)
	{
		uint32_t	i = d->index[h & (d->index_size - 1)];

		if (!i)
			return NLP_OK;
		NLP_TRY(nlp_tpl_equal(r, &d->pairs[i - 1].key, key, &eq));
		if (eq)
		{
			*pos = i - 1;
			return NLP_OK;
		}
	}
}

static NlpStatus
dict_grow(TplRun *r, TplDict *d)
{
	size_t		cap = d->cap ? d->cap * 2 : 4;
	TplPair    *pairs;

	if (cap > UINT32_MAX / 4)
		return over_memory(r);
	NLP_TRY(nlp_tpl_alloc(r, cap, sizeof(TplPair), &pairs));
	if (d->n)
		memcpy(pairs, d->pairs, d->n * sizeof(TplPair));
	d->pairs = pairs;
	d->cap = cap;
	if (cap <= 8)
		return NLP_OK;
	NLP_TRY(nlp_tpl_alloc(r, cap * 2, sizeof(uint32_t), &d->index));
	memset(d->index, 0, cap * 2 * sizeof(uint32_t));
	d->index_size = cap * 2;
	for (size_t i = 0; i < d->n; i++)
	{
		uint64_t	h = 0;

		hash_value(&d->pairs[i].key, 0, &h);
		while (d->index[h & (d->index_size - 1)])
			h++;
		d->index[h & (d->index_size - 1)] = (uint32_t) i + 1;
	}
	return NLP_OK;
}

NlpStatus
nlp_tpl_dict_set(TplRun *r, TplDict *d, const TplValue *key, const TplValue *value)
{
	uint64_t	h;
	size_t		pos;

	NLP_TRY(hash_key(r, key, &h));
	NLP_TRY(dict_position(r, d, key, h, &pos));
	if (pos != SIZE_MAX)
	{
		d->pairs[pos].value = *value;
		return NLP_OK;
	}
	if (d->n == d->cap)
		NLP_TRY(dict_grow(r, d));
	d->pairs[d->n].key = *key;
	d->pairs[d->n].value = *value;
	d->n++;
	if (d->index)
	{
		while (d->index[h & (d->index_size - 1)])
			h++;
		d->index[h & (d->index_size - 1)] = (uint32_t) d->n;
	}
	return NLP_OK;
}

NlpStatus
nlp_tpl_dict_get(TplRun *r, const TplDict *d, const TplValue *key, const TplValue **found)
{
	uint64_t	h;
	size_t		pos;

	NLP_TRY(hash_key(r, key, &h));
	NLP_TRY(dict_position(r, d, key, h, &pos));
	*found = pos == SIZE_MAX ? NULL : &d->pairs[pos].value;
	return NLP_OK;
}

const TplValue *
nlp_tpl_dict_find(const TplDict *d, const char *key)
{
	size_t		len = strlen(key);

	for (size_t i = 0; i < d->n; i++)
	{
		const TplValue *k = &d->pairs[i].key;

		if (k->type == TPL_STR && k->u.len == len && memcmp(k->p.s, key, len) == 0)
			return &d->pairs[i].value;
	}
	return NULL;
}

NlpStatus
nlp_tpl_dict_view(TplRun *r, const TplDict *d, int what, TplValue *out)
{
	TplValue   *items = NULL;

	if (d->n)
		NLP_TRY(nlp_tpl_alloc(r, d->n, sizeof(TplValue), &items));
	for (size_t i = 0; i < d->n; i++)
	{
		if (what < 2)
			items[i] = what == 0 ? d->pairs[i].key : d->pairs[i].value;
		else
		{
			NLP_TRY(nlp_tpl_list(r, TPL_TUPLE, 2, &items[i]));
			items[i].p.list->items[0] = d->pairs[i].key;
			items[i].p.list->items[1] = d->pairs[i].value;
		}
	}
	return nlp_tpl_iterator(r, TPL_ITER_KEYS + what, items, d->n, out);
}
