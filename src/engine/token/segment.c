/* segment.c --- the most probable words of a text.
 *
 * A text falls into blocks: Han characters, and runs of letters and digits that touch
 * them, without anything between. A block's units are its Han characters and its runs.
 * Every word of the dictionary that begins and ends at a unit's border is an edge with the
 * word's cost; the cheapest path wins, the longer word where two cost the same. Han
 * characters that stay alone on the path are then cut by the HMM, stretch by stretch.
 *
 * Work on a block goes through a window of units, so memory is bounded whatever the
 * text: in a block that is longer, words are settled but for the last ones of each window.
 *
 * Not here: which characters are letters (words.c), the table (segment_build.c). */
#include <string.h>

#include "token/segment_work.h"
#include "token/word_class.h"
#include "engine_only.h"

#define POLL_BYTES (1u << 16)
#define KEEP_UNITS (2 * SEG_MAX_WORD)	/* of a full window are looked at again with what follows */
#define CIRCLE 0x25cbu			/* a zero among Chinese digits, as often typed */
#define ZERO 0x3007u

/* A Han character or a run of letters. */
struct SegUnit
{
	uint32_t	start;			/* byte in the text */
	uint32_t	cp;				/* folded; 0: a run */
	uint32_t	node;			/* of the trie's first level, for a character */
	uint32_t	hmm;
};

static inline const SegChar *
seg_char(const NlpSegmenter *s, uint32_t cp)
{
	const uint16_t *pages = seg_at(s, s->pages_at);
	const SegChar *chars = seg_at(s, s->chars_at);

	return &chars[(size_t) pages[cp / SEG_PAGE] * SEG_PAGE + cp % SEG_PAGE];
}

/* ---- scratch ---- */

NlpStatus
nlp_segment_open(SegmentWork *w, const NlpSegmenter *s, bool hmm, const NlpEnv *env, size_t text_bytes, NlpError *err)
{
	size_t		cap = text_bytes < SEG_WINDOW ? text_bytes + 1 : SEG_WINDOW;
	size_t		each = sizeof(SegUnit) + sizeof(int64_t) + 2 * sizeof(uint32_t) + 5;
	char	   *p;

	memset(w, 0, sizeof(*w));
	w->s = s;
	w->hmm = hmm;
	w->env = env;
	p = nlp_alloc(env->alloc, (cap + 1) * each);
	if (!p)
		return nlp_no_memory(err, (cap + 1) * each, "cutting a text into words");
	w->memory = p;
	w->cap = (uint32_t) cap;
	w->best = (int64_t *) p;
	p += (cap + 1) * sizeof(int64_t);
	w->unit = (SegUnit *) p;
	p += (cap + 1) * sizeof(SegUnit);
	w->from = (uint32_t *) p;
	p += (cap + 1) * sizeof(uint32_t);
	w->next = (uint32_t *) p;
	p += (cap + 1) * sizeof(uint32_t);
	w->back = (uint8_t *) p;
	p += (cap + 1) * 4;
	w->tags = (uint8_t *) p;
	return NLP_OK;
}

void
nlp_segment_close(SegmentWork *w)
{
	nlp_free(w->env->alloc, w->memory);
	w->memory = NULL;
}

/* ---- words found ---- */

static NlpStatus
more_spans(NlpSpans *out, NlpError *err)
{
	size_t		cap = out->cap ? out->cap * 2 : 64;
	NlpSpan    *p = nlp_realloc(out->alloc, out->spans, out->cap * sizeof(NlpSpan), cap * sizeof(NlpSpan));

	if (!p)
		return nlp_no_memory(err, cap * sizeof(NlpSpan), "the words of a text");
	out->spans = p;
	out->cap = cap;
	return NLP_OK;
}

static inline NlpStatus
found(SegmentWork *w, uint32_t start, uint32_t end, NlpError *err)
{
	NlpSpans   *out = w->out;

	if (out->n == out->cap)
		NLP_TRY(more_spans(out, err));
	out->spans[out->n++] = (NlpSpan) {start, end - start};
	return NLP_OK;
}

static inline NlpStatus
found_units(SegmentWork *w, uint32_t a, uint32_t b, NlpError *err)
{
	return found(w, w->unit[a].start, w->unit[b].start, err);
}

/* ---- the graph of words ---- */

/* The child of node by the character cp, or SEG_NONE. */
static inline uint32_t
child(const NlpSegmenter *s, uint32_t node, uint32_t cp)
{
	const uint32_t *first = seg_at(s, s->first_at);
	const uint32_t *label = seg_at(s, s->label_at);
	uint32_t	at = first[node];
	uint32_t	n = first[node + 1] - at;

	if (n == 0)
		return SEG_NONE;
	while (n > 1)
	{
		uint32_t	half = n / 2;

		at = label[at + half] <= cp ? at + half : at;
		n -= half;
	}
	return label[at] == cp ? at : SEG_NONE;
}

/* From node (SEG_NONE: the root) by unit i. */
static uint32_t
walk_unit(const SegmentWork *w, uint32_t node, bool root, uint32_t i)
{
	const SegUnit *u = &w->unit[i];

	if (u->cp)
		return root ? u->node : child(w->s, node, u->cp);
	for (uint32_t at = u->start; at < w->unit[i + 1].start;)
	{
		unsigned	bytes;
		uint32_t	cp = nlp_word_read(w->text + at, &bytes);
		const SegChar *c = seg_char(w->s, cp);

		node = root ? c->node : child(w->s, node, c->fold ? c->fold : cp);
		root = false;
		if (node == SEG_NONE)
			break;
		at += bytes;
	}
	return node;
}

static inline void
relax(SegmentWork *w, uint32_t from, uint32_t to, uint32_t cost)
{
	int64_t		sum = w->best[from] + cost;

	if (sum < w->best[to])
	{
		w->best[to] = sum;
		w->from[to] = from;
	}
}

/* The cheapest path to every border of units. */
static void
find_paths(SegmentWork *w)
{
	const NlpSegmenter *s = w->s;
	const uint32_t *cost = seg_at(s, s->cost_at);

	w->best[0] = 0;
	for (uint32_t i = 1; i <= w->n; i++)
		w->best[i] = INT64_MAX;
	for (uint32_t i = 0; i < w->n; i++)
	{
		uint32_t	node = walk_unit(w, SEG_NONE, true, i);

		relax(w, i, i + 1, node != SEG_NONE && cost[node] != SEG_NO_WORD ? cost[node] : s->unknown);
		for (uint32_t j = i + 1; node != SEG_NONE && j < w->n && j - i < SEG_MAX_WORD; j++)
		{
			node = walk_unit(w, node, false, j);
			if (node != SEG_NONE && cost[node] != SEG_NO_WORD)
				relax(w, i, j + 1, cost[node]);
		}
	}
}

/* Whether units [a, b) are one word of the dictionary. */
static bool
is_word(const SegmentWork *w, uint32_t a, uint32_t b)
{
	const uint32_t *cost = seg_at(w->s, w->s->cost_at);
	uint32_t	node = SEG_NONE;

	if (b - a > SEG_MAX_WORD)
		return false;
	for (uint32_t i = a; i < b; i++)
	{
		node = walk_unit(w, node, i == a, i);
		if (node == SEG_NONE)
			return false;
	}
	return cost[node] != SEG_NO_WORD;
}

/* ---- the hidden Markov model ---- */

enum
{
	TAG_B, TAG_M, TAG_E, TAG_S
};

/* Which tags may stand before each. */
static const uint8_t before[4][2] = {{TAG_E, TAG_S}, {TAG_B, TAG_M}, {TAG_B, TAG_M}, {TAG_E, TAG_S}};

static inline void
add_emission(const SegmentWork *w, uint32_t i, int64_t cost[4])
{
	const uint32_t *emit = seg_at(w->s, w->s->emit_at);
	uint32_t	row = w->unit[i].hmm;

	for (int t = 0; row != SEG_NONE && t < 4; t++)
		cost[t] += emit[(size_t) row * 4 + t];
}

/* Cut units [a, b), all Han, b - a >= 2: w->tags[0 .. b - a) are the tags. */
static void
tag(SegmentWork *w, uint32_t a, uint32_t b)
{
	const NlpSegmenter *s = w->s;
	uint8_t    *back = w->back; /* [b - a][4]: the tag before */
	int64_t		cost[4];
	int			t;

	for (t = 0; t < 4; t++)
		cost[t] = s->start[t];
	add_emission(w, a, cost);
	for (uint32_t i = a + 1; i < b; i++)
	{
		int64_t		now[4];

		for (t = 0; t < 4; t++)
		{
			int			p = before[t][0],
						q = before[t][1];
			int64_t		x = cost[p] + s->step[p * 4 + t];
			int64_t		y = cost[q] + s->step[q * 4 + t];

			now[t] = x <= y ? x : y;
			back[(size_t) (i - a) * 4 + t] = (uint8_t) (x <= y ? p : q);
		}
		memcpy(cost, now, sizeof(cost));
		add_emission(w, i, cost);
	}
	t = cost[TAG_E] <= cost[TAG_S] ? TAG_E : TAG_S;
	for (uint32_t i = b - a; i-- > 0;)
	{
		w->tags[i] = (uint8_t) t;
		t = i > 0 ? back[(size_t) i * 4 + t] : 0;
	}
}

/* Units [a, b): Han characters that are single on the path. */
static NlpStatus
cut_singles(SegmentWork *w, uint32_t a, uint32_t b, NlpError *err)
{
	bool		single = !w->hmm || b - a < 2 || is_word(w, a, b);
	uint32_t	word = a;

	if (!single)
		tag(w, a, b);
	for (uint32_t i = a; i < b; i++)
	{
		if (!single && i + 1 < b && (w->tags[i - a] == TAG_B || w->tags[i - a] == TAG_M))
			continue;
		NLP_TRY(found_units(w, word, i + 1, err));
		word = i + 1;
	}
	return NLP_OK;
}

/* ---- a window ---- */

/* Cut the window's units; all of them when the block ends here (at byte end), else all but the last ones. */
static NlpStatus
settle(SegmentWork *w, uint32_t end, bool block_ends, NlpError *err)
{
	uint32_t	limit = block_ends ? w->n : w->n - KEEP_UNITS;
	uint32_t	at = 0,
				single = 0;		/* first of the singles that end at `at` */

	if (w->n == 0)
		return NLP_OK;
	w->unit[w->n].start = end;
	find_paths(w);
	for (uint32_t i = w->n; i > 0; i = w->from[i])
		w->next[w->from[i]] = i;
	while (at < limit)
	{
		uint32_t	to = w->next[at];

		if (to > limit && at > 0)
			break;
		if (to == at + 1 && w->unit[at].cp)
		{
			at = to;
			continue;
		}
		if (single < at)
			NLP_TRY(cut_singles(w, single, at, err));
		NLP_TRY(found_units(w, at, to, err));
		at = single = to;
	}
	if (single < at)
		NLP_TRY(cut_singles(w, single, at, err));
	w->n -= at;
	memmove(w->unit, w->unit + at, w->n * sizeof(SegUnit));
	return nlp_poll(w->env, err);
}

static inline NlpStatus
add_unit(SegmentWork *w, uint32_t start, uint32_t cp, NlpError *err)
{
	SegUnit    *u;

	if (w->n == w->cap)
		NLP_TRY(settle(w, start, false, err));
	u = &w->unit[w->n++];
	*u = (SegUnit) {start, 0, SEG_NONE, SEG_NONE};
	if (cp)
	{
		const SegChar *c = seg_char(w->s, cp);

		*u = (SegUnit) {start, c->fold ? c->fold : cp, c->node, c->hmm};
	}
	return NLP_OK;
}

/* A circle after a Han character and, but for the last of them, before one is the digit zero. */
static bool
is_zero(const SegmentWork *w, uint32_t cp)
{
	return cp == CIRCLE && w->n > 0 && w->unit[w->n - 1].cp != 0;
}

static bool
is_han_at(const SegmentWork *w, uint32_t at, uint32_t len)
{
	unsigned	bytes;

	return at < len && (unsigned char) w->text[at] >= 0xe2 &&
		nlp_word_class(nlp_word_read(w->text + at, &bytes)) == WC_HAN;
}

NlpStatus
nlp_segment_text(SegmentWork *w, const char *text, uint32_t len, NlpSpans *out, NlpError *err)
{
	uint32_t	polled = 0;

	w->text = text;
	w->out = out;
	w->n = 0;
	for (uint32_t at = 0; at < len;)
	{
		unsigned	bytes;
		uint32_t	cp = nlp_word_read(text + at, &bytes);
		WordClass	class = nlp_word_class(cp);
		uint32_t	end = at + bytes;

		if (at - polled >= POLL_BYTES)
		{
			NLP_TRY(nlp_poll(w->env, err));
			polled = at;
		}
		if (class == WC_HAN || is_zero(w, cp))
			NLP_TRY(add_unit(w, at, cp == CIRCLE ? ZERO : cp, err));
		else if (nlp_word_is_letter(class))
		{
			NLP_TRY(nlp_word_run(text, at, len, true, w->env, &end, err));
			if (w->n > 0 || is_han_at(w, end, len))
				NLP_TRY(add_unit(w, at, 0, err));
			else
				NLP_TRY(found(w, at, end, err));
		}
		else
		{
			NLP_TRY(settle(w, at, true, err));
			if (class != WC_SPACE)
				NLP_TRY(found(w, at, end, err));
		}
		at = end;
	}
	return settle(w, len, true, err);
}

NlpStatus
nlp_segment(const NlpSegmenter *s, const char *text, size_t len, bool hmm, const NlpEnv *env,
			NlpSpans *out, NlpError *err)
{
	SegmentWork w;
	NlpStatus	st;

	if (len >= (size_t) 1 << 30)
		return nlp_fail(err, NLP_ELIMIT, "a text of 1 GB or more cannot be cut into words");
	NLP_TRY(nlp_word_check(text, len, env, err));
	NLP_TRY(nlp_segment_open(&w, s, hmm, env, len, err));
	st = nlp_segment_text(&w, text, (uint32_t) len, out, err);
	nlp_segment_close(&w);
	return st;
}
