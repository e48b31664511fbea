/* summary_split.c --- cut a long text into pieces that fit a model.
 *
 * Three passes: borders by reading characters, tokens of each sentence by the
 * caller's count, then sentences put together. Sentences' counts are added up;
 * since tokenizers may merge across a border, or not, a finished piece is counted
 * whole and shortened if it came out over the limit.
 *
 * Sentence ends: the marks of English with white space behind, unless a small
 * letter follows or the word before is a known abbreviation or an initial; the
 * full-width marks of Chinese; quotes and brackets that close go with them.
 * Paragraphs end with an empty line. */
#include <string.h>

#include "core/utf8.h"
#include "task/summary.h"
#include "engine_only.h"

typedef struct Sentence
{
	size_t		start;
	size_t		end;			/* without the white space behind it */
	size_t		tokens;
	bool		last;			/* of its paragraph */
} Sentence;

typedef struct Splitter
{
	const NlpEnv *env;
	const char *text;
	size_t		len;
	size_t		max;
	NlpSummaryCount count;
	void	   *ctx;
	NlpError   *err;
	Sentence   *sentences;
	size_t		n;
	size_t		cap;
	NlpPiece   *pieces;
	size_t		n_pieces;
	size_t		cap_pieces;
	size_t		target;			/* tokens a piece should have, at most max */
} Splitter;

/* ---- characters ---- */

static bool
is_space(uint32_t cp)
{
	return cp == ' ' || (cp >= 9 && cp <= 13) || cp == 0x85 || cp == 0xa0 || (cp >= 0x2000 && cp <= 0x200b) ||
		cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x3000 || cp == 0xfeff;
}

static int
char_at(const Splitter *s, size_t i, uint32_t *cp)
{
	int			n = i < s->len ? nlp_utf8_decode(s->text + i, s->len - i, cp) : 0;

	if (n == 0)
		*cp = 0;
	return n;
}

static size_t
skip_space(const Splitter *s, size_t i)
{
	uint32_t	cp;
	int			n;

	while ((n = char_at(s, i, &cp)) > 0 && is_space(cp))
		i += n;
	return i;
}

static bool
is_wide_stop(uint32_t cp)
{
	return cp == 0x3002 || cp == 0xff01 || cp == 0xff1f || cp == 0xff61;	/* 。！？｡ */
}

static bool
is_stop(uint32_t cp)
{
	return cp == '.' || cp == '!' || cp == '?' || cp == 0x2026 || is_wide_stop(cp);
}

static bool
is_closing(uint32_t cp)
{
	return cp == '"' || cp == '\'' || cp == ')' || cp == ']' || cp == 0x201d || cp == 0x2019 || cp == 0xbb ||
		cp == 0x300d || cp == 0x300f || cp == 0xff09 || cp == 0x300b || cp == 0x3011;
}

/* Whether the word that ends before the full stop at i is one that goes on. */
static bool
abbreviation(const Splitter *s, size_t start, size_t i)
{
	static const char *const words[] = {"mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "no", "fig", "inc", "ltd",
	"jr", "sr", "co", "corp", "gen", "col", "lt", "sgt", "rev", "hon", "e.g", "i.e", "cf", "al", "approx"};
	size_t		p = i;
	size_t		n;

	while (p > start && ((s->text[p - 1] | 32) >= 'a' && (s->text[p - 1] | 32) <= 'z'))
		p--;
	if (p > start + 1 && s->text[p - 1] == '.' && (s->text[p - 2] | 32) >= 'a' && (s->text[p - 2] | 32) <= 'z')
		p -= 2;
	n = i - p;
	if (n == 1 && s->text[p] >= 'A' && s->text[p] <= 'Z')
		return true;			/* an initial */
	for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
	{
		size_t		m = 0;

		while (m < n && words[k][m] && (s->text[p + m] == '.' ? '.' : s->text[p + m] | 32) == words[k][m])
			m++;
		if (m == n && n && !words[k][m])
			return true;
	}
	return false;
}

/* ---- sentences ---- */

static NlpStatus
add_sentence(Splitter *s, size_t start, size_t end, bool last)
{
	if (s->n == s->cap)
	{
		size_t		cap = s->cap ? s->cap * 2 : 64;
		size_t		bytes;
		Sentence   *more;

		if (!nlp_mul_size(cap, sizeof(Sentence), &bytes) ||
			!(more = nlp_realloc(s->env->alloc, s->sentences, s->n * sizeof(Sentence), bytes)))
			return nlp_no_memory(s->err, cap * sizeof(Sentence), "sentences of a long text");
		s->sentences = more;
		s->cap = cap;
	}
	s->sentences[s->n++] = (Sentence) {.start = start, .end = end, .last = last};
	return s->n % 1024 == 0 ? nlp_poll(s->env, s->err) : NLP_OK;
}

/* Whether a sentence ends with the mark at i; *after is behind the marks and what
 * closes with them, from where to read on either way. */
static bool
sentence_end(const Splitter *s, size_t start, size_t i, size_t *after)
{
	uint32_t	cp;
	uint32_t	mark;
	size_t		end = i;
	int			n = char_at(s, i, &mark);
	bool		wide = is_wide_stop(mark) || mark == 0x2026;

	end += n;
	while ((n = char_at(s, end, &cp)) > 0 && is_stop(cp))
	{
		wide |= is_wide_stop(cp);
		end += n;
	}
	while ((n = char_at(s, end, &cp)) > 0 && is_closing(cp))
		end += n;
	*after = end;
	if (wide && mark != 0x2026)
		return true;
	if (n > 0 && !is_space(cp))
		return false;
	if (mark == '.' && end == i + 1 && abbreviation(s, start, i))
		return false;
	char_at(s, skip_space(s, end), &cp);
	return !(cp >= 'a' && cp <= 'z');
}

/* Whether the white space at i holds an empty line. */
static bool
paragraph_end(const Splitter *s, size_t i, size_t next)
{
	int			lines = 0;

	for (; i < next; i++)
		lines += s->text[i] == '\n';
	return lines > 1 || next == s->len;
}

static NlpStatus
find_sentences(Splitter *s)
{
	size_t		start = skip_space(s, 0);
	size_t		i = start;
	size_t		end = start;	/* after the last character that is no space */

	while (i < s->len)
	{
		uint32_t	cp;
		int			n = char_at(s, i, &cp);
		size_t		after = i + n;
		bool		ends;

		if (n == 0)
			return nlp_fail(s->err, NLP_ETEXT, "text to summarize is not valid UTF-8");
		if (is_space(cp))
		{
			size_t		next = skip_space(s, i);

			if (paragraph_end(s, i, next) && end > start)
			{
				NLP_TRY(add_sentence(s, start, end, true));
				start = next;
			}
			i = next;
			continue;
		}
		ends = is_stop(cp) && sentence_end(s, start, i, &after);
		i = end = after;
		if (ends)
		{
			size_t		next = skip_space(s, end);

			NLP_TRY(add_sentence(s, start, end, paragraph_end(s, end, next)));
			start = i = end = next;
		}
	}
	return end > start ? add_sentence(s, start, end, true) : NLP_OK;
}

/* ---- sentences over the limit ---- */

/* How good a cut before offset i is: after a line, a mark, a space, anywhere. */
static int
cut_quality(const Splitter *s, size_t start, size_t i)
{
	uint32_t	cp;
	size_t		p = i;

	while (p > start && ((unsigned char) s->text[p - 1] & 0xc0) == 0x80)
		p--;
	if (p == start)
		return 0;
	p--;
	char_at(s, p, &cp);
	if (cp == '\n')
		return 4;
	if (cp == 0xff0c || cp == 0x3001 || cp == 0xff1b || cp == 0xff1a)	/* ，、；： */
		return 3;
	if (!is_space(cp))
		return 1;
	return p > start && strchr(",;:", s->text[p - 1]) ? 3 : 2;
}

/* The best cut in the last third of [start, end); a whole character at least. */
static size_t
good_cut(const Splitter *s, size_t start, size_t end)
{
	size_t		from = start + (end - start) / 3 * 2;
	size_t		best = 0;
	int			best_quality = 0;

	for (size_t i = end; i > from; i--)
	{
		int			q;

		if (i < s->len && ((unsigned char) s->text[i] & 0xc0) == 0x80)
			continue;			/* inside a character */
		q = cut_quality(s, start, i);
		if (q > best_quality)
		{
			best = i;
			best_quality = q;
		}
	}
	if (best > start)
		return best;
	for (best = start + 1; best < s->len && ((unsigned char) s->text[best] & 0xc0) == 0x80; best++)
		;
	return best;
}

static size_t
trimmed_end(const Splitter *s, size_t start, size_t end)
{
	while (end > start)
	{
		uint32_t	cp;
		size_t		p = end - 1;

		while (p > start && ((unsigned char) s->text[p] & 0xc0) == 0x80)
			p--;
		char_at(s, p, &cp);
		if (!is_space(cp))
			break;
		end = p;
	}
	return end;
}

/* One bite of at most max tokens from a sentence's rest, of tokens in all. */
static NlpStatus
bite(Splitter *s, size_t start, size_t end, size_t tokens, size_t *cut, size_t *got)
{
	/* somewhat less than its share, since tokens are not spread evenly */
	double		share = (double) s->max / (double) tokens * 0.95;
	size_t		len = (size_t) ((double) (end - start) * (share < 1 ? share : 1));

	for (;;)
	{
		size_t		stop;

		*cut = len < end - start ? good_cut(s, start, start + (len ? len : 1)) : end;
		if (*cut > end)
			*cut = end;
		stop = trimmed_end(s, start, *cut);
		NLP_TRY(s->count(s->ctx, s->text + start, stop - start, s->max, got, s->err));
		if (*got <= s->max)
			return NLP_OK;
		NLP_TRY(nlp_poll(s->env, s->err));
		if (len <= 1)
			return nlp_fail(s->err, NLP_ELIMIT, "a piece of %zu tokens is too small for one character", s->max);
		len = (*cut - start < len ? *cut - start : len) / 4 * 3;
	}
}

static NlpStatus
add_piece(Splitter *s, size_t start, size_t end, size_t tokens)
{
	if (s->n_pieces == s->cap_pieces)
	{
		size_t		cap = s->cap_pieces ? s->cap_pieces * 2 : 16;
		NlpPiece   *more = nlp_realloc(s->env->alloc, s->pieces, s->n_pieces * sizeof(NlpPiece), cap * sizeof(NlpPiece));

		if (!more)
			return nlp_no_memory(s->err, cap * sizeof(NlpPiece), "pieces of a long text");
		s->pieces = more;
		s->cap_pieces = cap;
	}
	s->pieces[s->n_pieces++] = (NlpPiece) {.start = start, .len = end - start, .tokens = tokens};
	return nlp_poll(s->env, s->err);
}

/* Pieces of one sentence that is too long; what is left over for the last one. */
static NlpStatus
cut_sentence(Splitter *s, const Sentence *sentence)
{
	size_t		start = sentence->start;
	size_t		left = sentence->tokens;

	while (start < sentence->end)
	{
		size_t		cut;
		size_t		got;

		NLP_TRY(bite(s, start, sentence->end, left, &cut, &got));
		NLP_TRY(add_piece(s, start, trimmed_end(s, start, cut), got));
		left = left > got + 1 ? left - got : 1;
		start = skip_space(s, cut);
	}
	return NLP_OK;
}

/* ---- putting sentences together ---- */

/* A piece of sentences [i, j), shortened until its own count fits; *next is the
 * first sentence left over. */
static NlpStatus
close_piece(Splitter *s, size_t i, size_t j, size_t *next)
{
	for (;; j--)
	{
		size_t		start = s->sentences[i].start;
		size_t		end = s->sentences[j - 1].end;
		size_t		tokens;

		NLP_TRY(s->count(s->ctx, s->text + start, end - start, s->max, &tokens, s->err));
		if (tokens <= s->max || j == i + 1)
		{
			*next = j;
			return add_piece(s, start, end, tokens);
		}
	}
}

/* How many sentences from i on make the next piece. */
static size_t
next_piece(const Splitter *s, size_t i)
{
	size_t		sum = 0;
	size_t		j = i;

	while (j < s->n && s->sentences[j].tokens <= s->max - sum)
	{
		bool		paragraph = s->sentences[j].last;

		sum += s->sentences[j++].tokens;
		if (sum >= s->target || (paragraph && sum >= s->target / 4 * 3))
			break;
	}
	return j;
}

static NlpStatus
make_pieces(Splitter *s)
{
	size_t		total = 0;
	size_t		count;

	for (size_t i = 0; i < s->n; i++)
	{
		Sentence   *t = &s->sentences[i];

		NLP_TRY(s->count(s->ctx, s->text + t->start, t->end - t->start, SIZE_MAX, &t->tokens, s->err));
		if (!nlp_add_size(total, t->tokens, &total))
			return nlp_fail(s->err, NLP_ELIMIT, "text to summarize is too long");
		if (i % 64 == 0)
			NLP_TRY(nlp_poll(s->env, s->err));
	}
	if (s->n && total <= s->max)
	{
		size_t		next;

		NLP_TRY(close_piece(s, 0, s->n, &next));
		if (next == s->n)
			return NLP_OK;
		s->n_pieces = 0;
	}
	count = total / s->max + (total % s->max != 0);
	s->target = count ? total / count + 1 : 1;
	if (s->target > s->max)
		s->target = s->max;
	for (size_t i = 0; i < s->n;)
	{
		if (s->sentences[i].tokens > s->max)
			NLP_TRY(cut_sentence(s, &s->sentences[i++]));
		else
			NLP_TRY(close_piece(s, i, next_piece(s, i), &i));
	}
	return NLP_OK;
}

NlpStatus
nlp_summary_split(const NlpEnv *env, const char *text, size_t len, size_t max_tokens, NlpSummaryCount count,
				  void *ctx, NlpPiece **pieces, size_t *n, NlpError *err)
{
	Splitter	s = {.env = env, .text = text, .len = len, .max = max_tokens, .count = count, .ctx = ctx, .err = err};
	NlpStatus	st;

	*pieces = NULL;
	*n = 0;
	if (max_tokens == 0)
		return nlp_fail(err, NLP_EINVALID, "pieces of a text need at least one token");
	st = find_sentences(&s);
	if (st == NLP_OK)
		st = make_pieces(&s);
	nlp_free(env->alloc, s.sentences);
	if (st != NLP_OK)
	{
		nlp_free(env->alloc, s.pieces);
		return st;
	}
	*pieces = s.pieces;
	*n = s.n_pieces;
	return NLP_OK;
}
