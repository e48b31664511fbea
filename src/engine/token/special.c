/* special.c --- finding markers in a text.
 *
 * The order decides: the longest marker takes its occurrences from left to right,
 * then the next longest takes what is left, and so on (equal lengths by id). So
 * a first pass marks which markers occur at all, usually none or a few, and only
 * those are looked for in turn. */
#define _GNU_SOURCE
#include "token/special.h"
#include "engine_only.h"

#define POLL_BYTES (1u << 18)
#define FIND_BYTES ((size_t) 1 << 22)

static inline const TokenRec *
special_rec(const NlpTokenizer *t, uint32_t i)
{
	const uint32_t *special = block_at(t, t->special_at);

	return block_token(t, special[i]);
}

static inline unsigned char
special_byte(const NlpTokenizer *t, uint32_t i, uint32_t depth)
{
	return (unsigned char) block_text(t, special_rec(t, i)->text_at)[depth];
}

void
nlp_marker_index(const NlpTokenizer *t, MarkerIndex *m)
{
	uint32_t	i = 0;

	memset(m, 0, sizeof(*m));
	for (unsigned b = 0; b < 256; b++)
	{
		m->first[b] = i;
		for (; i < t->n_special && special_byte(t, i, 0) == b; i++)
		{
			if (special_rec(t, i)->attr & A_USER && !(special_rec(t, i)->attr & A_HIDDEN))
				m->user[b] = m->any_user = true;
		}
	}
	m->first[256] = i;
}

static inline bool
wanted(const TokenRec *r, bool control)
{
	return control || !(r->attr & A_HIDDEN);
}

/* First special in [lo, hi), all alike up to depth and longer than it, whose byte there
 * is at least byte. */
static uint32_t
lower_bound(const NlpTokenizer *t, uint32_t lo, uint32_t hi, uint32_t depth, unsigned byte)
{
	while (lo < hi)
	{
		uint32_t	mid = lo + (hi - lo) / 2;

		if (special_byte(t, mid, depth) < byte)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Mark every wanted special that begins at text[0]; left bytes are there. */
static void
mark_at(const NlpTokenizer *t, const MarkerIndex *m, const char *text, size_t left, bool control,
		uint8_t *found, bool *any)
{
	uint32_t	lo = m->first[(unsigned char) text[0]];
	uint32_t	hi = m->first[(unsigned char) text[0] + 1];

	for (uint32_t depth = 1; lo < hi; depth++)
	{
		unsigned	byte;

		/* Sorted: the one that ends here comes first, and no two are equal. */
		if (special_rec(t, lo)->text_len == depth)
		{
			if (wanted(special_rec(t, lo), control))
				found[lo] = *any = true;
			lo++;
		}
		if (depth >= left)
			return;
		byte = (unsigned char) text[depth];
		lo = lower_bound(t, lo, hi, depth, byte);
		hi = lower_bound(t, lo, hi, depth, byte + 1);
	}
}

static NlpStatus
mark_found(const NlpTokenizer *t, const MarkerIndex *m, const NlpEnv *env, const char *text, size_t len,
		   bool control, uint8_t *found, bool *any, NlpError *err)
{
	for (size_t i = 0; i < len; i++)
	{
		unsigned char b = (unsigned char) text[i];

		if (i % POLL_BYTES == 0)
			NLP_TRY(nlp_poll(env, err));
		if (control ? m->first[b] < m->first[b + 1] : m->user[b])
			mark_at(t, m, text + i, len - i, control, found, any);
	}
	return NLP_OK;
}

typedef struct Growing
{
	const NlpAlloc *alloc;
	Fragment   *items;
	size_t		n;
	size_t		cap;
} Growing;

static NlpStatus
push(Growing *g, size_t at, size_t len, int32_t id, NlpError *err)
{
	if (len == 0)
		return NLP_OK;
	if (g->n == g->cap)
	{
		size_t		cap = g->cap ? g->cap * 2 : 16;
		Fragment   *p = nlp_realloc(g->alloc, g->items, g->n * sizeof(Fragment), cap * sizeof(Fragment));

		if (!p)
			return nlp_no_memory(err, cap * sizeof(Fragment), "special tokens of a text");
		g->items = p;
		g->cap = cap;
	}
	g->items[g->n++] = (Fragment) {(uint32_t) at, (uint32_t) len, id};
	return NLP_OK;
}

static inline bool
ascii_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The first occurrence of a marker in [text, text + len), NULL when there is none. */
static NlpStatus
find_marker(const NlpEnv *env, const char *text, size_t len, const char *marker, size_t marker_len,
			const char **hit, NlpError *err)
{
	*hit = NULL;
	while (len >= marker_len)
	{
		size_t		window = len < FIND_BYTES + marker_len ? len : FIND_BYTES + marker_len - 1;

		*hit = memmem(text, window, marker, marker_len);
		if (*hit || window == len)
			return NLP_OK;
		text += FIND_BYTES;
		len -= FIND_BYTES;
		NLP_TRY(nlp_poll(env, err));
	}
	return NLP_OK;
}

/* Cut the occurrences of one marker out of one stretch of text. */
static NlpStatus
cut_stretch(const TokenRec *r, int32_t id, const char *marker, const NlpEnv *env, const char *text,
			Fragment f, Growing *out, size_t *n_markers, size_t max_markers, NlpError *err)
{
	size_t		at = f.at;
	size_t		end = (size_t) f.at + f.len;

	while (at < end)
	{
		const char *hit;
		size_t		left;

		NLP_TRY(find_marker(env, text + at, end - at, marker, r->text_len, &hit, err));
		if (!hit)
			break;
		left = (size_t) (hit - (text + at));
		if (r->attr & A_LSTRIP)
			while (left > 0 && ascii_space(text[at + left - 1]))
				left--;
		NLP_TRY(push(out, at, left, -1, err));
		at = (size_t) (hit - text);
		NLP_TRY(push(out, at, r->text_len, id, err));
		at += r->text_len;
		if (r->attr & A_RSTRIP)
			while (at < end && ascii_space(text[at]))
				at++;
		if (++*n_markers > max_markers && max_markers)
			return nlp_fail(err, NLP_ELIMIT, "text has more than %zu tokens", max_markers);
		if (*n_markers % 4096 == 0)
			NLP_TRY(nlp_poll(env, err));
	}
	return push(out, at, end - at, -1, err);
}

static NlpStatus
cut_marker(const NlpTokenizer *t, uint32_t index, const NlpEnv *env, const char *text, Fragments *f,
		   size_t *n_markers, size_t max_markers, NlpError *err)
{
	const uint32_t *special = block_at(t, t->special_at);
	const TokenRec *r = special_rec(t, index);
	const char *marker = block_text(t, r->text_at);
	Growing		out = {env->alloc, NULL, 0, 0};
	NlpStatus	st = NLP_OK;

	for (size_t i = 0; i < f->n && st == NLP_OK; i++)
	{
		if (f->items[i].id >= 0)
			st = push(&out, f->items[i].at, f->items[i].len, f->items[i].id, err);
		else
			st = cut_stretch(r, (int32_t) special[index], marker, env, text, f->items[i], &out, n_markers,
							 max_markers, err);
		if (st == NLP_OK && i % 4096 == 0)
			st = nlp_poll(env, err);
	}
	if (st != NLP_OK)
	{
		nlp_free(env->alloc, out.items);
		return st;
	}
	nlp_free(env->alloc, f->items);
	f->items = out.items;
	f->n = out.n;
	return NLP_OK;
}

NlpStatus
nlp_special_split(const NlpTokenizer *t, const MarkerIndex *m, const NlpEnv *env, const char *text,
				  size_t len, bool control, size_t max_markers, Fragments *out, NlpError *err)
{
	const uint32_t *order = block_at(t, t->order_at);
	Growing		whole = {env->alloc, NULL, 0, 0};
	size_t		n_markers = 0;
	uint8_t    *found = NULL;
	bool		any = false;
	NlpStatus	st = NLP_OK;

	out->items = NULL;
	out->n = 0;
	NLP_TRY(push(&whole, 0, len, -1, err));
	out->items = whole.items;
	out->n = whole.n;
	if (len > 0 && t->n_special > 0 && (control || m->any_user))
	{
		found = nlp_alloc_zero(env->alloc, t->n_special);
		if (!found)
			st = nlp_no_memory(err, t->n_special, "special tokens of a text");
		else
			st = mark_found(t, m, env, text, len, control, found, &any, err);
	}
	for (uint32_t i = 0; st == NLP_OK && any && i < t->n_special; i++)
	{
		if (found[order[i]])
			st = cut_marker(t, order[i], env, text, out, &n_markers, max_markers, err);
	}
	nlp_free(env->alloc, found);
	if (st != NLP_OK)
	{
		nlp_free(env->alloc, out->items);
		out->items = NULL;
		out->n = 0;
	}
	return st;
}
