/* encode.c --- text to ids: markers, then words, then merges; words seen before come
 * from the coder's cache.
 *
 * A SentencePiece vocabulary has no words: it merges over a whole stretch of text.
 * Where no piece goes on over a space the stretch falls apart there all the same, so
 * it is cut at such spaces: the ids are the same, and the parts can be cached. */
#include "core/utf8.h"
#include "token/coder.h"
#include "token/merge.h"
#include "token/pretoken.h"
#include "engine_only.h"

#define POLL_BYTES (1u << 20)
#define MAX_TEXT ((size_t) INT32_MAX)
#define SPACE_SIGN "\xe2\x96\x81"	/* U+2581 */

typedef struct Encoder
{
	NlpCoder   *coder;
	const NlpTokenizer *t;
	const NlpEnv *env;
	NlpError   *err;
	const char *text;
	NlpTokens  *out;
	size_t		cap;
	size_t		first_cap;		/* a guess that saves copies */
	size_t		max_tokens;		/* 0: no limit */
	bool		want_starts;
	bool		lines;			/* the word is a run of line ends that may be a token */
	bool		prefix;			/* a space goes before the next word */
	uint32_t	words;
	MergeWork	work;
	NlpBuf		escaped;
} Encoder;

/* How far a word in escaped form has been followed back to the text. */
typedef struct Trail
{
	const char *src;			/* in the text */
	size_t		at;				/* in the escaped word */
	bool		prefix;			/* the space before the text is still ahead */
} Trail;

/* ---- output ---- */

static NlpStatus
grow(Encoder *e, size_t more)
{
	size_t		need,
				cap = e->cap ? e->cap : e->first_cap,
				bytes;
	int32_t    *ids;
	uint32_t   *starts;

	if (e->max_tokens && more > e->max_tokens - e->out->n)
		return nlp_fail(e->err, NLP_ELIMIT, "text has more than %zu tokens", e->max_tokens);
	if (!nlp_add_size(e->out->n, more, &need))
		return nlp_no_memory(e->err, SIZE_MAX, "tokens");
	if (need <= e->cap)
		return NLP_OK;
	while (cap < need)
	{
		if (!nlp_mul_size(cap, 2, &cap))
			return nlp_no_memory(e->err, SIZE_MAX, "tokens");
	}
	if (!nlp_mul_size(cap, sizeof(int32_t), &bytes))
		return nlp_no_memory(e->err, SIZE_MAX, "tokens");
	ids = nlp_realloc(e->env->alloc, e->out->ids, e->out->n * sizeof(int32_t), bytes);
	if (!ids)
		return nlp_no_memory(e->err, bytes, "tokens");
	e->out->ids = ids;
	if (e->want_starts)
	{
		starts = nlp_realloc(e->env->alloc, e->out->starts, e->out->n * sizeof(uint32_t), bytes);
		if (!starts)
			return nlp_no_memory(e->err, bytes, "tokens");
		e->out->starts = starts;
	}
	e->cap = cap;
	return NLP_OK;
}

static inline NlpStatus
room(Encoder *e, size_t more)
{
	if (e->cap - e->out->n >= more && (!e->max_tokens || e->max_tokens - e->out->n >= more))
		return NLP_OK;
	return grow(e, more);
}

/* room() has been asked. */
static inline void
put(Encoder *e, int32_t id, size_t start)
{
	e->out->ids[e->out->n] = id;
	if (e->want_starts)
		e->out->starts[e->out->n] = (uint32_t) start;
	e->out->n++;
}

/* ---- from a place in an escaped word to the text ---- */

static void
trail_to(Trail *tr, size_t at)
{
	for (;;)
	{
		size_t		step = tr->prefix || *tr->src == ' ' ? 3 : 1;

		if (tr->at + step > at)
			return;
		tr->at += step;
		if (tr->prefix)
			tr->prefix = false;
		else
			tr->src++;
	}
}

/* First byte in the text of what begins at byte at of the word. tr is NULL when the
 * word is the text's own bytes. */
static inline size_t
start_of(Encoder *e, const char *word, Trail *tr, size_t at)
{
	if (!tr)
		return (size_t) (word - e->text) + at;
	if (!e->want_starts)
		return 0;
	trail_to(tr, at);
	return (size_t) (tr->src - e->text);
}

/* ---- one word ---- */

/* The tokens of a character no token has. */
static NlpStatus
put_unknown(Encoder *e, const char *word, const Symbol *s, Trail *tr)
{
	const NlpTokenizer *t = e->t;
	uint32_t	n = 0;

	if (t->flags & T_BYTE_LEVEL)
		return NLP_OK;			/* a byte the vocabulary leaves out: llama.cpp drops it too */
	for (uint32_t i = 0; i < s->len; i++)
		n += t->byte_id[(unsigned char) word[s->at + i]] >= 0;
	if (n < s->len && t->model == NLP_TOKEN_SPM)
	{
		NLP_TRY(room(e, 1));
		put(e, t->unk, start_of(e, word, tr, s->at));
		return NLP_OK;
	}
	NLP_TRY(room(e, n));
	for (uint32_t i = 0; i < s->len; i++)
	{
		int32_t		id = t->byte_id[(unsigned char) word[s->at + i]];

		if (id >= 0)
			put(e, id, start_of(e, word, tr, s->at + i));
	}
	return NLP_OK;
}

static NlpStatus
put_symbols(Encoder *e, const char *word, Trail *tr)
{
	for (int32_t i = 0; i >= 0; i = e->work.symbols[i].next)
	{
		const Symbol *s = &e->work.symbols[i];

		if (s->id < 0)
			NLP_TRY(put_unknown(e, word, s, tr));
		else
		{
			NLP_TRY(room(e, 1));
			put(e, s->id, start_of(e, word, tr, s->at));
		}
	}
	return NLP_OK;
}

/* Keep what the merge left, when it fits: every symbol a token. */
static void
remember(Encoder *e, CachedWord *c, const char *word, size_t len)
{
	unsigned	n = 0;

	c->len = 0;
	for (int32_t i = 0; i >= 0; i = e->work.symbols[i].next)
	{
		const Symbol *s = &e->work.symbols[i];

		if (s->id < 0 || n == CACHE_IDS)
			return;
		c->ids[n] = s->id;
		c->at[n++] = (uint8_t) s->at;
	}
	memcpy(c->word, word, len);
	c->n = (uint8_t) n;
	c->len = (uint8_t) len;
}

/* Encode one word: bytes of the text (tr NULL), or its escaped form. len > 0. */
static NlpStatus
encode_word(Encoder *e, const char *word, size_t len, Trail *tr)
{
	const NlpTokenizer *t = e->t;
	CachedWord *c = NULL;
	int32_t		whole = -1;

	if (len <= CACHE_WORD && !e->lines)
	{
		c = &e->coder->cache[token_hash(word, len) % CACHE_SLOTS];
		if (c->len == len && memcmp(c->word, word, len) == 0)
		{
			NLP_TRY(room(e, c->n));
			for (unsigned i = 0; i < c->n; i++)
				put(e, c->ids[i], start_of(e, word, tr, c->at[i]));
			return NLP_OK;
		}
	}
	if ((t->flags & T_IGNORE_MERGES) || e->lines)
		whole = len <= t->max_text ? block_find(t, t->flags & T_BYTE_LEVEL ? A_DECODED : 0, word, len) : -1;
	if (whole >= 0)
		e->work.symbols[0] = (Symbol) {whole, (uint32_t) len, -1, -1, 0};
	else
		NLP_TRY(nlp_merge_word(&e->work, t, e->env, word, len, e->err));
	if (c)
		remember(e, c, word, len);
	return put_symbols(e, word, tr);
}

/* ---- stretches ---- */

static NlpStatus
plain_word(void *ctx, const uint8_t *begin, const uint8_t *end)
{
	return encode_word(ctx, (const char *) begin, (size_t) (end - begin), NULL);
}

static inline bool
is_space_sign(const char *p, const char *end)
{
	return *p == ' ' || (end - p >= 3 && memcmp(p, SPACE_SIGN, 3) == 0);
}

/* Where the part of [begin, end) that begins at begin ends: before the next space that
 * no piece holds together with what precedes it. */
static NlpStatus
part_end(Encoder *e, const char *begin, const char *end, const char **out)
{
	const uint8_t *glue = e->t->glue;
	const char *p = begin;
	const char *poll_at = begin + POLL_BYTES;
	bool		in_spaces = true;

	for (; p < end; p++)
	{
		unsigned char before;

		if (p >= poll_at)
		{
			NLP_TRY(nlp_poll(e->env, e->err));
			poll_at = p + POLL_BYTES;
		}
		if (*p != ' ' && *p != SPACE_SIGN[0])
		{
			in_spaces = false;
			continue;
		}
		if (!is_space_sign(p, end))
		{
			in_spaces = false;
			continue;
		}
		before = p > begin ? (unsigned char) p[-1] : ' ';
		if (!in_spaces && !(glue[before >> 3] & 1u << (before & 7)))
			break;
		if (*p != ' ')
			p += 2;
		in_spaces = true;
	}
	*out = p;
	return NLP_OK;
}

static NlpStatus
escape(Encoder *e, const char *begin, const char *end)
{
	bool		ok = true;
	size_t		n = 0;

	e->escaped.len = 0;
	if (e->prefix)
		ok = nlp_buf_append(&e->escaped, SPACE_SIGN, 3);
	while (ok && begin < end)
	{
		const char *window = (size_t) (end - begin) < POLL_BYTES ? end : begin + POLL_BYTES;
		const char *space = memchr(begin, ' ', (size_t) (window - begin));
		const char *stop = space ? space : window;

		ok = nlp_buf_append(&e->escaped, begin, (size_t) (stop - begin));
		if (ok && space)
			ok = nlp_buf_append(&e->escaped, SPACE_SIGN, 3);
		begin = space ? space + 1 : window;
		if (++n % 65536 == 0 || window != end)
			NLP_TRY(nlp_poll(e->env, e->err));
	}
	if (!ok)
		return nlp_no_memory(e->err, e->escaped.len * 2, "tokenizing text");
	return NLP_OK;
}

/* A stretch, or a line of one, of a vocabulary that writes spaces as U+2581. */
static NlpStatus
escaped_piece(void *ctx, const uint8_t *begin, const uint8_t *end_)
{
	Encoder    *e = ctx;
	const char *p = (const char *) begin;
	const char *end = (const char *) end_;

	e->lines = (e->t->flags & T_LINE_TOKEN) && *p == '\n';
	while (p < end)
	{
		const char *stop = end;
		Trail		tr = {p, 0, e->prefix};

		if (!e->lines)
			NLP_TRY(part_end(e, p, end, &stop));
		NLP_TRY(escape(e, p, stop));
		e->prefix = false;
		NLP_TRY(encode_word(e, e->escaped.data, e->escaped.len, &tr));
		if (++e->words % 8192 == 0)
			NLP_TRY(nlp_poll(e->env, e->err));
		p = stop;
	}
	return NLP_OK;
}

static NlpStatus
encode_fragments(Encoder *e, const Fragments *f)
{
	bool		after_marker = true;	/* the text's beginning counts as one */
	PreScan		scan;

	nlp_pre_init(&scan, e->t);
	scan.env = e->env;
	scan.err = e->err;
	scan.ctx = e;
	scan.word = e->t->flags & T_ESCAPE ? escaped_piece : plain_word;
	for (size_t i = 0; i < f->n; i++)
	{
		const uint8_t *begin = (const uint8_t *) e->text + f->items[i].at;
		const uint8_t *end = begin + f->items[i].len;

		if (f->items[i].id >= 0)
		{
			NLP_TRY(room(e, 1));
			put(e, f->items[i].id, f->items[i].at);
			after_marker = true;
			continue;
		}
		e->prefix = (e->t->flags & T_SPACE_PREFIX) && after_marker;
		after_marker = false;
		if (e->t->model == NLP_TOKEN_SPM)
			NLP_TRY(escaped_piece(e, begin, end));
		else
			NLP_TRY(nlp_pre_split(&scan, begin, end));
	}
	return NLP_OK;
}

static NlpStatus
check_text(const NlpEnv *env, const char *text, size_t len, NlpError *err)
{
	size_t		i = 0;
	size_t		poll_at = 0;

	if (len > MAX_TEXT)
		return nlp_fail(err, NLP_ELIMIT, "text of %zu bytes is longer than %zu bytes", len, MAX_TEXT);
	while (i < len)
	{
		uint32_t	cp;
		uint64_t	eight;
		int			n;

		if (i >= poll_at)
		{
			NLP_TRY(nlp_poll(env, err));
			poll_at = i + POLL_BYTES;
		}
		if (len - i >= 8)
		{
			memcpy(&eight, text + i, 8);
			if (!(eight & UINT64_C(0x8080808080808080)))
			{
				i += 8;
				continue;
			}
		}
		n = nlp_utf8_decode(text + i, len - i, &cp);
		if (n == 0)
			return nlp_fail_at(err, NLP_ETEXT, "", i, "text is not valid UTF-8");
		i += (size_t) n;
	}
	return NLP_OK;
}

static NlpStatus
encode(Encoder *e, size_t len, unsigned flags)
{
	const NlpTokenizer *t = e->t;
	bool		frame = !(flags & NLP_ENCODE_NO_BOS);
	Fragments	f;
	NlpStatus	st = NLP_OK;

	NLP_TRY(check_text(e->env, e->text, len, e->err));
	if (frame && (t->flags & T_ADD_BOS))
	{
		NLP_TRY(room(e, 1));
		put(e, t->bos, 0);
	}
	NLP_TRY(nlp_special_split(t, &e->coder->markers, e->env, e->text, len, flags & NLP_ENCODE_SPECIAL,
							  e->max_tokens, &f, e->err));
	st = encode_fragments(e, &f);
	nlp_free(e->env->alloc, f.items);
	NLP_TRY(st);
	if (frame && (t->flags & T_ADD_EOS))
	{
		NLP_TRY(room(e, 1));
		put(e, t->eos, len);
	}
	return NLP_OK;
}

NlpStatus
nlp_encode(NlpCoder *coder, const NlpEnv *env, const char *text, size_t len, unsigned flags,
		   bool want_starts, size_t max_tokens, NlpTokens *out, NlpError *err)
{
	Encoder		e = {.coder = coder,.t = coder->tok,.env = env,.err = err,.text = text,.out = out,
	.max_tokens = max_tokens,.want_starts = want_starts};
	NlpStatus	st;

	/* English takes a token for about four bytes. */
	e.first_cap = 16 + (len < POLL_BYTES ? len / 4 : POLL_BYTES / 4);
	if (max_tokens && e.first_cap > max_tokens)
		e.first_cap = max_tokens;

	*out = (NlpTokens) {NULL, 0, NULL};
	nlp_merge_init(&e.work, env->alloc);
	nlp_buf_init(&e.escaped, env->alloc);
	st = encode(&e, len, flags);
	nlp_merge_free(&e.work);
	nlp_buf_free(&e.escaped);
	if (st != NLP_OK)
	{
		nlp_free(env->alloc, out->ids);
		nlp_free(env->alloc, out->starts);
		*out = (NlpTokens) {NULL, 0, NULL};
	}
	return st;
}

NlpStatus
nlp_coder_open(const NlpTokenizer *tok, const NlpAlloc *alloc, NlpCoder **coder, NlpError *err)
{
	const size_t cache_bytes = CACHE_SLOTS * sizeof(CachedWord);
	NlpCoder   *c = nlp_alloc_zero(alloc, sizeof(NlpCoder));

	if (!c)
		return nlp_no_memory(err, sizeof(NlpCoder), "tokenizer");
	c->cache = nlp_alloc_zero(alloc, cache_bytes);
	if (!c->cache)
	{
		nlp_free(alloc, c);
		return nlp_no_memory(err, cache_bytes, "tokenizer");
	}
	c->tok = tok;
	c->alloc = alloc;
	nlp_marker_index(tok, &c->markers);
	*coder = c;
	return NLP_OK;
}

void
nlp_coder_close(NlpCoder *coder)
{
	if (!coder)
		return;
	nlp_free(coder->alloc, coder->cache);
	nlp_free(coder->alloc, coder);
}
