/* merge.c --- see merge.h. Ties go to the leftmost pair, as in llama.cpp.
 * Source: byte-pair encoding, Sennrich et al. 2016; SentencePiece, Kudo and
 * Richardson 2018. */
#include "core/utf8.h"
#include "token/merge.h"
#include "engine_only.h"

#define POLL_MERGES 16384u
#define POLL_SYMBOLS 65536

void
nlp_merge_init(MergeWork *w, const NlpAlloc *alloc)
{
	w->alloc = alloc;
	w->symbols = w->inline_symbols;
	w->heap = w->inline_heap;
	w->cap = MERGE_INLINE;
}

void
nlp_merge_free(MergeWork *w)
{
	if (w->symbols != w->inline_symbols)
		nlp_free(w->alloc, w->symbols);
	if (w->heap != w->inline_heap)
		nlp_free(w->alloc, w->heap);
	nlp_merge_init(w, w->alloc);
}

/* Room for n symbols and two heap entries each: every join takes one entry out and
 * puts at most two in, after n - 1 at the start. */
static NlpStatus
reserve(MergeWork *w, size_t n, NlpError *err)
{
	size_t		cap = n < 65536 ? n + n / 2 : n;
	size_t		symbol_bytes,
				heap_bytes;

	if (n <= w->cap)
		return NLP_OK;
	nlp_merge_free(w);
	if (!nlp_mul_size(cap, sizeof(Symbol), &symbol_bytes) || !nlp_mul_size(cap, 2 * sizeof(PairEntry), &heap_bytes))
		return nlp_fail(err, NLP_ELIMIT, "word of %zu bytes is too long", n);
	w->symbols = nlp_alloc(w->alloc, symbol_bytes);
	w->heap = w->symbols ? nlp_alloc(w->alloc, heap_bytes) : NULL;
	if (!w->heap)
	{
		nlp_free(w->alloc, w->symbols);
		nlp_merge_init(w, w->alloc);
		return nlp_no_memory(err, symbol_bytes + heap_bytes, "tokenizing a long word");
	}
	w->cap = cap;
	return NLP_OK;
}

static inline void
heap_push(PairEntry *heap, size_t *n, PairEntry e)
{
	size_t		i = (*n)++;

	while (i > 0)
	{
		size_t		up = (i - 1) / 2;

		if (heap[up].key <= e.key)
			break;
		heap[i] = heap[up];
		i = up;
	}
	heap[i] = e;
}

static inline PairEntry
heap_pop(PairEntry *heap, size_t *n)
{
	PairEntry	top = heap[0];
	PairEntry	last = heap[--(*n)];
	size_t		i = 0;

	for (;;)
	{
		size_t		c = 2 * i + 1;

		if (c >= *n)
			break;
		if (c + 1 < *n && heap[c + 1].key < heap[c].key)
			c++;
		if (heap[c].key >= last.key)
			break;
		heap[i] = heap[c];
		i = c;
	}
	heap[i] = last;
	return top;
}

/* Higher scores are smaller keys. No score is NaN; -0 counts as 0. */
static inline uint32_t
score_key(float score)
{
	uint32_t	bits;

	score += 0.0f;
	memcpy(&bits, &score, sizeof(bits));
	return bits & 0x80000000u ? bits : 0x7fffffffu - bits;
}

/* Put the pair (left, its next) on the heap if the two make a token. */
static inline void
add_pair(MergeWork *w, size_t *n_heap, const NlpTokenizer *t, const char *word, int32_t left)
{
	const Symbol *l = &w->symbols[left];
	const Symbol *r;
	PairEntry	e;

	if (l->next < 0)
		return;
	r = &w->symbols[l->next];
	e.len = l->len + r->len;
	if (t->model == NLP_TOKEN_SPM)
	{
		if (e.len > t->max_text)
			return;
		e.id = block_find(t, 0, word + l->at, e.len);
		if (e.id < 0)
			return;
		e.key = score_key(block_token(t, (uint32_t) e.id)->score);
	}
	else
	{
		const PairSlot *slot;

		if (l->id < 0 || r->id < 0)
			return;
		slot = block_pair(t, (uint32_t) l->id, (uint32_t) r->id);
		if (!slot)
			return;
		e.id = (int32_t) slot->id;
		e.key = slot->rank;
	}
	e.key = e.key << 32 | (uint32_t) left;
	heap_push(w->heap, n_heap, e);
}

/* One symbol a byte, or a character. */
static NlpStatus
cut_symbols(MergeWork *w, const NlpTokenizer *t, const NlpEnv *env, const char *word, size_t len, NlpError *err)
{
	size_t		n = 0;

	for (size_t i = 0; i < len;)
	{
		uint32_t	cp;
		int			width = 1;
		int32_t		id;

		if (t->flags & T_BYTE_LEVEL)
			id = t->byte_id[(unsigned char) word[i]];
		else
		{
			width = nlp_utf8_decode(word + i, len - i, &cp);
			if (width == 0)
				width = 1;
			id = block_find(t, 0, word + i, (size_t) width);
		}
		w->symbols[n] = (Symbol) {id, (uint32_t) width, (int32_t) n - 1, (int32_t) n + 1, (uint32_t) i};
		i += (size_t) width;
		if (++n % POLL_SYMBOLS == 0)
			NLP_TRY(nlp_poll(env, err));
	}
	w->symbols[n - 1].next = -1;
	return NLP_OK;
}

NlpStatus
nlp_merge_word(MergeWork *w, const NlpTokenizer *t, const NlpEnv *env, const char *word, size_t len,
			   NlpError *err)
{
	size_t		n_heap = 0;
	uint32_t	since_poll = 0;

	NLP_TRY(reserve(w, len, err));
	NLP_TRY(cut_symbols(w, t, env, word, len, err));
	for (int32_t i = 0; i >= 0; i = w->symbols[i].next)
	{
		add_pair(w, &n_heap, t, word, i);
		if (i % POLL_SYMBOLS == POLL_SYMBOLS - 1)
			NLP_TRY(nlp_poll(env, err));
	}
	while (n_heap > 0)
	{
		PairEntry	e = heap_pop(w->heap, &n_heap);
		int32_t		i = (int32_t) (uint32_t) e.key;
		Symbol	   *l = &w->symbols[i];
		Symbol	   *r;

		if (++since_poll == POLL_MERGES)
		{
			since_poll = 0;
			NLP_TRY(nlp_poll(env, err));
		}
		if (l->len == 0 || l->next < 0)
			continue;
		r = &w->symbols[l->next];
		if (l->len + r->len != e.len)
			continue;
		l->id = e.id;
		l->len = e.len;
		r->len = 0;
		l->next = r->next;
		if (l->next >= 0)
			w->symbols[l->next].prev = i;
		if (l->prev >= 0)
			add_pair(w, &n_heap, t, word, l->prev);
		add_pair(w, &n_heap, t, word, i);
	}
	return NLP_OK;
}
