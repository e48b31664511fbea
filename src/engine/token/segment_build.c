/* segment_build.c --- from a GGUF's segmenter.* keys to the relocatable table, and the
 * check of a table that comes from elsewhere.
 *
 * Trust:  every value is a stranger's. Words are walked once to be checked and counted,
 *         so that the table's size is known before there is a table, and once to fill
 *         it; both walks are linear in the file, whatever is in it.
 * Owns:   nothing but the caller's block; no scratch that grows. */
#include <math.h>
#include <string.h>

#include "core/utf8.h"
#include "token/segment_table.h"
#include "engine_only.h"

#define POLL_WORDS 16384u
#define KEY(name) "segmenter." name

/* The file's values, checked. */
typedef struct Input
{
	const NlpGguf *g;
	const NlpEnv *env;
	NlpError   *err;
	const NlpGgufKv *words,
			   *frequencies,
			   *start,
			   *step,
			   *chars,
			   *emit,
			   *from,			/* NULL: nothing is folded */
			   *to;
} Input;

/* What the first walk learns. */
typedef struct Measure
{
	NlpSegmenter head;
	uint32_t	nodes[SEG_MAX_WORD + 1];	/* of each level; nodes[0] is the first */
	uint64_t	total;			/* of the frequencies */
	uint8_t		used[SEG_PAGES / 8];	/* pages with a character that has something to say */
} Measure;

/* A word as characters, and how many of them the word before begins with. */
typedef struct Word
{
	uint32_t	cp[SEG_MAX_WORD];
	uint32_t	n;
	uint32_t	common;
} Word;

static NlpStatus
bad(const Input *in, const NlpGgufKv *kv, const char *what)
{
	return nlp_fail_at(in->err, NLP_ECORRUPT, kv->key.data, kv->offset, "%s", what);
}

/* ---- words ---- */

/* Read the word that begins at byte *at into w, which holds the one before it (n 0: none). */
static NlpStatus
next_word(const Input *in, uint64_t *at, Word *w)
{
	const char *bytes = in->words->data;
	uint64_t	i = *at;
	uint32_t	n = 0,
				common = 0;
	uint32_t	before = 0;		/* of the last word, at the first difference */

	for (; i < in->words->count && bytes[i] != '\n'; n++)
	{
		uint32_t	cp;
		int			len = nlp_utf8_decode(bytes + i, (size_t) (in->words->count - i), &cp);

		if (len == 0)
			return bad(in, in->words, "a word is not valid UTF-8");
		if (cp <= ' ')
			return bad(in, in->words, "a word holds a control character or a space");
		if (n == SEG_MAX_WORD)
			return bad(in, in->words, "a word is longer than 64 characters");
		if (common == n && n < w->n)
		{
			before = w->cp[n];
			common += before == cp;
		}
		w->cp[n] = cp;
		i += (uint64_t) len;
	}
	if (n == 0)
		return bad(in, in->words, "a word is empty");
	if (common == n || (common < w->n && w->cp[common] < before))
		return bad(in, in->words, "words are not in ascending order, each once");
	if (i + 1 == in->words->count)
		return bad(in, in->words, "a word is empty");
	w->n = n;
	w->common = common;
	*at = i + 1;
	return NLP_OK;
}

static void
use_page(Measure *m, uint32_t cp)
{
	m->used[cp / SEG_PAGE / 8] |= (uint8_t) (1u << (cp / SEG_PAGE % 8));
}

static NlpStatus
measure_words(const Input *in, Measure *m)
{
	const uint32_t *f = in->frequencies->data;
	uint64_t	at = 0;
	Word		w = {.n = 0};

	for (uint64_t i = 0; at < in->words->count; i++)
	{
		if (i % POLL_WORDS == 0)
			NLP_TRY(nlp_poll(in->env, in->err));
		if (i == in->frequencies->count)
			return bad(in, in->frequencies, "there are fewer frequencies than words");
		NLP_TRY(next_word(in, &at, &w));
		if (f[i] == 0)
			return bad(in, in->frequencies, "a frequency is 0");
		m->total += f[i];
		for (uint32_t d = w.common; d < w.n; d++)
			m->nodes[d]++;
		use_page(m, w.cp[0]);
		m->head.n_words++;
	}
	if (m->head.n_words != in->frequencies->count)
		return bad(in, in->frequencies, "there are more frequencies than words");
	for (uint32_t d = 0; d < SEG_MAX_WORD; d++)
		m->head.n_nodes += m->nodes[d];
	return NLP_OK;
}

/* ---- keys ---- */

static NlpStatus
read_log_probabilities(const Input *in, const char *key, uint64_t count, const NlpGgufKv **kv)
{
	const float *v;

	NLP_TRY(nlp_gguf_array(in->g, key, NLP_GGUF_F32, kv, NULL, in->err));
	if ((*kv)->count != count)
		return nlp_fail_at(in->err, NLP_ECORRUPT, key, (*kv)->offset, "there are %llu values, not %llu",
						   (unsigned long long) (*kv)->count, (unsigned long long) count);
	v = (*kv)->data;
	for (uint64_t i = 0; i < count; i++)
	{
		if (!isfinite(v[i]) || v[i] > 0)
			return bad(in, *kv, "a log probability is not finite or above 0");
	}
	return NLP_OK;
}

static NlpStatus
check_ascending(const Input *in, const NlpGgufKv *kv)
{
	const uint32_t *v = kv->data;

	for (uint64_t i = 0; i < kv->count; i++)
	{
		char		unused[4];

		if (nlp_utf8_encode(v[i], unused) == 0)
			return bad(in, kv, "a code point is not a character");
		if (i > 0 && v[i] <= v[i - 1])
			return bad(in, kv, "code points are not in ascending order");
	}
	return NLP_OK;
}

static NlpStatus
read_fold(Input *in)
{
	bool		found;
	const uint32_t *to;

	NLP_TRY(nlp_gguf_array(in->g, KEY("fold.from"), NLP_GGUF_U32, &in->from, &found, in->err));
	if (!found)
	{
		in->from = NULL;
		return NLP_OK;
	}
	NLP_TRY(nlp_gguf_array(in->g, KEY("fold.to"), NLP_GGUF_U32, &in->to, NULL, in->err));
	NLP_TRY(check_ascending(in, in->from));
	if (in->to->count != in->from->count)
		return bad(in, in->to, "there are not as many characters to fold to as from");
	to = in->to->data;
	for (uint64_t i = 0; i < in->to->count; i++)
	{
		char		unused[4];

		if (to[i] == 0 || nlp_utf8_encode(to[i], unused) == 0)
			return bad(in, in->to, "a code point is not a character");
	}
	return NLP_OK;
}

static NlpStatus
read_keys(Input *in)
{
	NlpStr		language;

	NLP_TRY(nlp_gguf_str(in->g, KEY("language"), &language, NULL, in->err));
	NLP_TRY(nlp_gguf_array(in->g, KEY("words"), NLP_GGUF_U8, &in->words, NULL, in->err));
	NLP_TRY(nlp_gguf_array(in->g, KEY("frequencies"), NLP_GGUF_U32, &in->frequencies, NULL, in->err));
	NLP_TRY(nlp_gguf_array(in->g, KEY("hmm.chars"), NLP_GGUF_U32, &in->chars, NULL, in->err));
	if (in->words->count == 0)
		return bad(in, in->words, "there are no words");
	if (in->frequencies->count > SEG_MAX_WORDS)
		return bad(in, in->frequencies, "there are more than 16777216 words");
	if (in->chars->count > 0x110000)
		return bad(in, in->chars, "there are more code points than there are in Unicode");
	NLP_TRY(check_ascending(in, in->chars));
	NLP_TRY(read_log_probabilities(in, KEY("hmm.start"), 4, &in->start));
	NLP_TRY(read_log_probabilities(in, KEY("hmm.step"), 16, &in->step));
	NLP_TRY(read_log_probabilities(in, KEY("hmm.emit"), in->chars->count * 4, &in->emit));
	if (in->g->n_tensors != 0)
		return nlp_fail(in->err, NLP_ECORRUPT, "a segmenter has no tensors");
	return read_fold(in);
}

/* ---- layout ---- */

static bool
place(size_t *end, uint64_t *at, uint64_t count, size_t size)
{
	size_t		bytes;

	*at = *end;
	return nlp_mul_size((size_t) count, size, &bytes) && nlp_add_size(*end, bytes, end) && nlp_pad_size(*end, 64, end);
}

bool
nlp_segment_layout(NlpSegmenter *h)
{
	size_t		end = (sizeof(*h) + 63) & ~(size_t) 63;

	if (!place(&end, &h->pages_at, SEG_PAGES, sizeof(uint16_t)) ||
		!place(&end, &h->chars_at, (uint64_t) h->n_pages * SEG_PAGE, sizeof(SegChar)) ||
		!place(&end, &h->label_at, h->n_nodes, sizeof(uint32_t)) ||
		!place(&end, &h->first_at, (uint64_t) h->n_nodes + 1, sizeof(uint32_t)) ||
		!place(&end, &h->cost_at, h->n_nodes, sizeof(uint32_t)) ||
		!place(&end, &h->emit_at, (uint64_t) h->n_hmm * 4, sizeof(uint32_t)))
		return false;
	h->bytes = end;
	return true;
}

static NlpStatus
measure(Input *in, Measure *m)
{
	const uint32_t *chars;

	memset(m, 0, sizeof(*m));
	NLP_TRY(read_keys(in));
	NLP_TRY(measure_words(in, m));
	chars = in->chars->data;
	for (uint64_t i = 0; i < in->chars->count; i++)
		use_page(m, chars[i]);
	for (uint64_t i = 0; in->from && i < in->from->count; i++)
		use_page(m, ((const uint32_t *) in->from->data)[i]);
	m->head.magic = SEG_MAGIC;
	m->head.version = SEG_VERSION;
	m->head.n_hmm = (uint32_t) in->chars->count;
	m->head.n_pages = 1;
	for (uint32_t i = 0; i < SEG_PAGES; i++)
		m->head.n_pages += m->used[i / 8] >> (i % 8) & 1;
	if (!nlp_segment_layout(&m->head))
		return nlp_fail(in->err, NLP_ELIMIT, "the segmenter's table is too large");
	return NLP_OK;
}

NlpStatus
nlp_segmenter_plan(const NlpGguf *g, const NlpEnv *env, uint64_t *bytes, NlpError *err)
{
	Input		in = {.g = g, .env = env, .err = err};
	Measure		m;

	NLP_TRY(measure(&in, &m));
	*bytes = m.head.bytes;
	return NLP_OK;
}

/* ---- filling ---- */

/* log2(x) * 65536, rounded down; x >= 1. Bit by bit: the square of the mantissa tells
 * the next one, so that every machine finds the same. */
static uint32_t
log2_units(uint64_t x)
{
	unsigned	top = 63 - (unsigned) __builtin_clzll(x);
	uint64_t	m = top > 31 ? x >> (top - 31) : x << (31 - top);	/* in [2^31, 2^32) */
	uint32_t	result = top;

	for (int bit = 0; bit < 16; bit++)
	{
		m = m * m >> 31;
		result <<= 1;
		if (m >> 32)
		{
			m >>= 1;
			result |= 1;
		}
	}
	return result;
}

static uint32_t
cost_of(float log_probability)
{
	double		cost = -(double) log_probability * (SEG_UNIT * 1.4426950408889634);

	return cost < (double) SEG_MAX_COST ? (uint32_t) (cost + 0.5) : SEG_MAX_COST;
}

typedef struct Filling
{
	NlpSegmenter *s;
	uint16_t   *pages;
	SegChar    *chars;
	uint32_t   *label,
			   *first,
			   *cost,
			   *emit;
} Filling;

static SegChar *
char_of(const Filling *f, uint32_t cp)
{
	return &f->chars[(size_t) f->pages[cp / SEG_PAGE] * SEG_PAGE + cp % SEG_PAGE];
}

static void
fill_pages(const Filling *f, const Measure *m)
{
	uint16_t	n = 1;

	for (uint32_t i = 0; i < SEG_PAGES; i++)
		f->pages[i] = m->used[i / 8] >> (i % 8) & 1 ? n++ : 0;
	for (size_t i = 0; i < (size_t) n * SEG_PAGE; i++)
		f->chars[i] = (SegChar) {0, SEG_NONE, SEG_NONE, 0};
}

/* The nodes of a level follow each other in the order of the words, and so do the levels. */
static NlpStatus
fill_trie(const Input *in, const Filling *f, const Measure *m)
{
	const uint32_t *frequency = in->frequencies->data;
	uint32_t	total = log2_units(m->total);
	uint32_t	next[SEG_MAX_WORD + 1]; /* free node of each level */
	uint64_t	at = 0;
	Word		w = {.n = 0};

	next[0] = 0;
	for (uint32_t d = 0; d < SEG_MAX_WORD; d++)
		next[d + 1] = next[d] + m->nodes[d];
	for (uint64_t i = 0; at < in->words->count; i++)
	{
		if (i % POLL_WORDS == 0)
			NLP_TRY(nlp_poll(in->env, in->err));
		NLP_TRY(next_word(in, &at, &w));
		for (uint32_t d = w.common; d < w.n; d++)
		{
			uint32_t	node = next[d]++;

			f->label[node] = w.cp[d];
			f->first[node] = next[d + 1];
			f->cost[node] = SEG_NO_WORD;
			if (d == 0)
				char_of(f, w.cp[0])->node = node;
		}
		f->cost[next[w.n - 1] - 1] = total - log2_units(frequency[i]);
	}
	f->first[f->s->n_nodes] = f->s->n_nodes;
	f->s->unknown = total;
	return NLP_OK;
}

static void
fill_hmm(const Input *in, const Filling *f)
{
	const uint32_t *chars = in->chars->data;
	const float *emit = in->emit->data;

	for (int i = 0; i < 4; i++)
		f->s->start[i] = cost_of(((const float *) in->start->data)[i]);
	for (int i = 0; i < 16; i++)
		f->s->step[i] = cost_of(((const float *) in->step->data)[i]);
	for (uint32_t i = 0; i < f->s->n_hmm; i++)
	{
		char_of(f, chars[i])->hmm = i;
		for (int tag = 0; tag < 4; tag++)
			f->emit[i * 4 + tag] = cost_of(emit[(size_t) i * 4 + tag]);
	}
}

/* A folded character has the node and the emissions of what it is folded to. Chains are not
 * followed: what a character is folded to is looked at before anything is folded. */
static void
fill_fold(const Input *in, const Filling *f)
{
	const uint32_t *from = in->from ? in->from->data : NULL;
	const uint32_t *to = in->from ? in->to->data : NULL;

	for (uint64_t i = 0; in->from && i < in->from->count; i++)
		char_of(f, from[i])->fold = to[i];
	for (uint64_t i = 0; in->from && i < in->from->count; i++)
	{
		SegChar    *a = char_of(f, from[i]);
		const SegChar *b = char_of(f, to[i]);

		if (b->fold == 0)
		{
			a->node = b->node;
			a->hmm = b->hmm;
		}
	}
}

NlpStatus
nlp_segmenter_build(const NlpGguf *g, const NlpEnv *env, void *block, uint64_t bytes, NlpError *err)
{
	Input		in = {.g = g, .env = env, .err = err};
	Measure		m;
	char	   *base = block;
	Filling		f;

	NLP_TRY(measure(&in, &m));
	if (m.head.bytes != bytes)
		return nlp_fail(err, NLP_EINTERNAL, "the segmenter's table is not of the planned size");
	/* Gaps between parts are part of the block. */
	memset(block, 0, (size_t) bytes);
	memcpy(block, &m.head, sizeof(m.head));
	f = (Filling) {
		.s = block,
		.pages = (uint16_t *) (base + m.head.pages_at),
		.chars = (SegChar *) (base + m.head.chars_at),
		.label = (uint32_t *) (base + m.head.label_at),
		.first = (uint32_t *) (base + m.head.first_at),
		.cost = (uint32_t *) (base + m.head.cost_at),
		.emit = (uint32_t *) (base + m.head.emit_at)
	};
	fill_pages(&f, &m);
	NLP_TRY(fill_trie(&in, &f, &m));
	fill_hmm(&in, &f);
	fill_fold(&in, &f);
	return NLP_OK;
}

uint64_t
nlp_segmenter_words(const NlpSegmenter *s)
{
	return s->n_words;
}

/* ---- checking a table ---- */

static NlpStatus
broken(NlpError *err, const char *what)
{
	return nlp_fail(err, NLP_ECORRUPT, "segmenter image is damaged: %s", what);
}

static bool
costs_ok(const uint32_t *cost, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cost[i] > SEG_MAX_COST)
			return false;
	return true;
}

static NlpStatus
check_header(const NlpSegmenter *s, uint64_t bytes, NlpError *err)
{
	NlpSegmenter h;

	if (bytes < sizeof(NlpSegmenter) || (uintptr_t) s % 64 != 0)
		return broken(err, "size or alignment");
	if (s->magic != SEG_MAGIC || s->version != SEG_VERSION)
		return broken(err, "it is of another version");
	h = *s;
	if (s->n_pages == 0 || s->n_pages > SEG_PAGES + 1 || s->n_words == 0 || s->n_words > SEG_MAX_WORDS ||
		s->n_nodes == 0 || s->n_nodes > SEG_MAX_WORDS * SEG_MAX_WORD || s->n_hmm > 0x110000 || !nlp_segment_layout(&h))
		return broken(err, "counts");
	if (memcmp(&h, s, sizeof(h)) != 0 || h.bytes > bytes)
		return broken(err, "a part lies outside it");
	if (s->unknown > SEG_MAX_COST || !costs_ok(s->start, 4) || !costs_ok(s->step, 16) ||
		!costs_ok(seg_at(s, s->emit_at), (size_t) s->n_hmm * 4))
		return broken(err, "a cost");
	return NLP_OK;
}

NlpStatus
nlp_segmenter_check(const NlpSegmenter *s, uint64_t bytes, NlpError *err)
{
	const uint16_t *pages;
	const SegChar *chars;
	const uint32_t *first,
			   *cost;

	NLP_TRY(check_header(s, bytes, err));
	pages = seg_at(s, s->pages_at);
	for (uint32_t i = 0; i < SEG_PAGES; i++)
		if (pages[i] >= s->n_pages)
			return broken(err, "a page of characters");
	chars = seg_at(s, s->chars_at);
	for (size_t i = 0; i < (size_t) s->n_pages * SEG_PAGE; i++)
	{
		if ((chars[i].node != SEG_NONE && chars[i].node >= s->n_nodes) ||
			(chars[i].hmm != SEG_NONE && chars[i].hmm >= s->n_hmm))
			return broken(err, "a character");
	}
	first = seg_at(s, s->first_at);
	cost = seg_at(s, s->cost_at);
	for (uint32_t i = 0; i < s->n_nodes; i++)
	{
		if (first[i] <= i || first[i] > first[i + 1] || (cost[i] > SEG_MAX_COST && cost[i] != SEG_NO_WORD))
			return broken(err, "a node");
	}
	if (first[s->n_nodes] != s->n_nodes)
		return broken(err, "a node");
	return NLP_OK;
}
