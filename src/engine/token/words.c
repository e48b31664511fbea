/* words.c --- cutting text into words: which characters make words, runs of them, and
 * the two ways to cut (natural text, prepared text). ASCII is decided by one table of
 * bytes, everything else by utf8proc's categories.
 *
 * Not here: where Chinese words end (segment.c). */
#include <string.h>

#include <utf8proc.h>

#include "core/utf8.h"
#include "token/segment_work.h"
#include "token/word_class.h"
#include "token/words.h"
#include "engine_only.h"

#define POLL_BYTES (1u << 16)
#define STRETCH_BYTES (1u << 15)	/* of Han text cut by the segmenter at once */
#define SHORT_WORD 256u			/* bytes of a word whose lower-case form is made on the stack */

/* ---- classes ---- */

#define O WC_OTHER
#define S WC_SPACE
#define W WC_WORD
#define D WC_DIGIT
const uint8_t nlp_word_ascii[128] = {
	O, O, O, O, O, O, O, O, O, S, S, S, S, S, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	S, O, O, O, O, WC_PERCENT, O, WC_APOSTROPHE, O, O, O, O, O, O, WC_POINT, O,
	D, D, D, D, D, D, D, D, D, D, O, O, O, O, O, O,
	O, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W,
	W, W, W, W, W, W, W, W, W, W, W, O, O, O, O, O,
	O, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W,
	W, W, W, W, W, W, W, W, W, W, W, O, O, O, O, O,
};
#undef O
#undef S
#undef W
#undef D

/* Ranges of the Unicode block list (Unicode 15, Blocks.txt and Scripts.txt: Han). */
static bool
is_han(uint32_t cp)
{
	if (cp < 0x3400)
		return cp == 0x3005 || cp == 0x3007 || (cp >= 0x3021 && cp <= 0x3029) || (cp >= 0x2e80 && cp <= 0x2fdf);
	return cp <= 0x4dbf || (cp >= 0x4e00 && cp <= 0x9fff) || (cp >= 0xf900 && cp <= 0xfaff) ||
		(cp >= 0x20000 && cp <= 0x3ffff);
}

static bool
is_kana(uint32_t cp)
{
	return (cp >= 0x3041 && cp <= 0x3096) || (cp >= 0x309d && cp <= 0x309f) || (cp >= 0x30a1 && cp <= 0x30fa) ||
		(cp >= 0x30fc && cp <= 0x30ff) || (cp >= 0x31f0 && cp <= 0x31ff) || (cp >= 0xff66 && cp <= 0xff9d);
}

WordClass
nlp_word_class_wide(uint32_t cp)
{
	if (cp >= 0x2e80 && is_han(cp))
		return WC_HAN;
	if (cp == 0x2019)
		return WC_APOSTROPHE;
	if (cp == 0xff0e)
		return WC_POINT;
	if (cp == 0xff05)
		return WC_PERCENT;
	if (cp >= 0x3041 && is_kana(cp))
		return WC_KANA;
	switch (utf8proc_category((utf8proc_int32_t) cp))
	{
		case UTF8PROC_CATEGORY_LU:
		case UTF8PROC_CATEGORY_LL:
		case UTF8PROC_CATEGORY_LT:
		case UTF8PROC_CATEGORY_LM:
		case UTF8PROC_CATEGORY_LO:
		case UTF8PROC_CATEGORY_MN:
		case UTF8PROC_CATEGORY_MC:
		case UTF8PROC_CATEGORY_ME:
		case UTF8PROC_CATEGORY_NL:
		case UTF8PROC_CATEGORY_NO:
			return WC_WORD;
		case UTF8PROC_CATEGORY_ND:
			return WC_DIGIT;
		case UTF8PROC_CATEGORY_ZS:
		case UTF8PROC_CATEGORY_ZL:
		case UTF8PROC_CATEGORY_ZP:
			return WC_SPACE;
		default:
			return cp == 0x85 ? WC_SPACE : WC_OTHER;
	}
}

NlpStatus
nlp_word_check(const char *text, size_t len, const NlpEnv *env, NlpError *err)
{
	for (size_t at = 0; at < len;)
	{
		size_t		until = len - at > POLL_BYTES ? at + POLL_BYTES : len;

		while (at < until)
		{
			uint32_t	cp;
			uint64_t	eight;
			int			n = 1;

			if (until - at >= 8)
			{
				memcpy(&eight, text + at, 8);
				if (!(eight & UINT64_C(0x8080808080808080)))
				{
					at += 8;
					continue;
				}
			}
			if ((unsigned char) text[at] >= 0x80)
				n = nlp_utf8_decode(text + at, len - at, &cp);
			if (n == 0)
				return nlp_fail(err, NLP_ETEXT, "text is not valid UTF-8 at byte %zu", at);
			at += (size_t) n;
		}
		NLP_TRY(nlp_poll(env, err));
	}
	return NLP_OK;
}

/* ---- runs ---- */

/* Whether the character at `at` (an apostrophe or a point) is inside a run: what comes
 * after it goes on. before: the class of what came before it. */
static bool
goes_on(const char *text, uint32_t at, uint32_t len, WordClass before, WordClass middle, bool numbers)
{
	unsigned	bytes;
	WordClass	after;

	if (at >= len)
		return false;
	after = nlp_word_class(nlp_word_read(text + at, &bytes));
	if (middle == WC_APOSTROPHE)
		return nlp_word_is_letter(after);
	return numbers && before == WC_DIGIT && after == WC_DIGIT;
}

NlpStatus
nlp_word_run(const char *text, uint32_t at, uint32_t len, bool numbers, const NlpEnv *env,
			 uint32_t *end, NlpError *err)
{
	WordClass	before = WC_OTHER;
	uint32_t	polled = at;

	while (at < len)
	{
		unsigned	bytes = 1;
		unsigned char b = (unsigned char) text[at];
		WordClass	class = b < 0x80 ? (WordClass) nlp_word_ascii[b] : nlp_word_class(nlp_word_read(text + at, &bytes));

		if (!nlp_word_is_letter(class) &&
			!((class == WC_APOSTROPHE || class == WC_POINT) &&
			  goes_on(text, at + bytes, len, before, class, numbers)))
		{
			if (class == WC_PERCENT && numbers && before == WC_DIGIT)
				at += bytes;
			break;
		}
		before = class;
		at += bytes;
		if (at - polled >= POLL_BYTES)
		{
			NLP_TRY(nlp_poll(env, err));
			polled = at;
		}
	}
	*end = at;
	return NLP_OK;
}

/* ---- handing a word over ---- */

typedef struct Cutter
{
	const NlpWordCut *cut;
	const NlpEnv *env;
	NlpWordFn	fn;
	void	   *ctx;
	NlpError   *err;
	SegmentWork segment;		/* open when there is a segmenter */
	NlpSpans	spans;
	NlpBuf		lower;			/* for long words */
} Cutter;

static inline bool
is_upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

/* Lower-case a word into out, which has room for 2 * len bytes: the lower case of a character
 * of two bytes may have three, of one byte or three no more than that. */
static NlpStatus
lower_word(const Cutter *c, const char *word, size_t len, char *out, size_t *out_len)
{
	size_t		n = 0,
				polled = 0;

	for (size_t i = 0; i < len;)
	{
		unsigned	bytes;
		uint32_t	cp = nlp_word_read(word + i, &bytes);

		if (i - polled >= POLL_BYTES)
		{
			NLP_TRY(nlp_poll(c->env, c->err));
			polled = i;
		}
		if (cp < 128)
			out[n++] = (char) (is_upper((unsigned char) cp) ? cp + 32 : cp);
		else
			n += (size_t) nlp_utf8_encode((uint32_t) utf8proc_tolower((utf8proc_int32_t) cp), out + n);
		i += bytes;
	}
	*out_len = n;
	return NLP_OK;
}

/* Whether lower-casing a word of ASCII would change nothing; false for others. */
static bool
is_lower_ascii(const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char) word[i] >= 0x80 || is_upper((unsigned char) word[i]))
			return false;
	return true;
}

static NlpStatus
hand_over(Cutter *c, const char *word, size_t len)
{
	char		small[2 * SHORT_WORD];
	char	   *out = small;
	size_t		out_len;

	if (c->cut->keep_case || is_lower_ascii(word, len))
		return c->fn(c->ctx, word, len, c->err);
	if (len > SHORT_WORD)
	{
		c->lower.len = 0;
		if (!nlp_buf_reserve(&c->lower, 2 * len))
			return nlp_no_memory(c->err, 2 * len, "a word");
		out = c->lower.data;
	}
	NLP_TRY(lower_word(c, word, len, out, &out_len));
	return c->fn(c->ctx, out, out_len, c->err);
}

/* ---- natural text ---- */

/* *end: of a stretch for the segmenter that begins at `at`, Han characters and the letters that
 * touch them; a bound keeps it short, if not a run of letters. */
static NlpStatus
stretch_end(const Cutter *c, const char *text, uint32_t at, uint32_t len, uint32_t *end)
{
	uint32_t	limit = len - at > STRETCH_BYTES ? at + STRETCH_BYTES : len;

	while (at < limit)
	{
		unsigned	bytes;
		WordClass	class = nlp_word_class(nlp_word_read(text + at, &bytes));

		if (nlp_word_is_letter(class))
			NLP_TRY(nlp_word_run(text, at, len, false, c->env, &at, c->err));
		else if (class == WC_HAN)
			at += bytes;
		else
			break;
	}
	*end = at;
	return NLP_OK;
}

static NlpStatus
cut_stretch(Cutter *c, const char *text, uint32_t len)
{
	c->spans.n = 0;
	NLP_TRY(nlp_segment_text(&c->segment, text, len, &c->spans, c->err));
	for (size_t i = 0; i < c->spans.n; i++)
		NLP_TRY(hand_over(c, text + c->spans.spans[i].start, c->spans.spans[i].len));
	return NLP_OK;
}

static bool
touches_han(const char *text, uint32_t at, uint32_t len)
{
	unsigned	bytes;

	return at < len && (unsigned char) text[at] >= 0xe2 && nlp_word_class(nlp_word_read(text + at, &bytes)) == WC_HAN;
}

static NlpStatus
cut_natural(Cutter *c, const char *text, uint32_t len)
{
	uint32_t	polled = 0;

	for (uint32_t at = 0; at < len;)
	{
		unsigned	bytes;
		WordClass	class = nlp_word_class(nlp_word_read(text + at, &bytes));
		uint32_t	end = at + bytes;

		if (at - polled >= POLL_BYTES)
		{
			NLP_TRY(nlp_poll(c->env, c->err));
			polled = at;
		}
		if (nlp_word_is_letter(class))
			NLP_TRY(nlp_word_run(text, at, len, false, c->env, &end, c->err));
		if (c->cut->segmenter && (class == WC_HAN || (nlp_word_is_letter(class) && touches_han(text, end, len))))
		{
			NLP_TRY(stretch_end(c, text, at, len, &end));
			NLP_TRY(cut_stretch(c, text + at, end - at));
		}
		else if (nlp_word_is_letter(class) || class == WC_HAN || class == WC_KANA)
			NLP_TRY(hand_over(c, text + at, end - at));
		at = end;
	}
	return NLP_OK;
}

/* ---- prepared text ---- */

/* Whether white space begins at s; *bytes its length. */
static inline bool
is_space(const char *s, unsigned *bytes)
{
	unsigned char b = (unsigned char) *s;

	*bytes = 1;
	if (b < 0x80)
		return b == ' ' || (b >= '\t' && b <= '\r');
	/* No others begin with any other byte: U+0085, U+00A0, U+1680, U+2000.., U+3000. */
	if (b != 0xc2 && b != 0xe1 && b != 0xe2 && b != 0xe3)
		return false;
	return nlp_word_class(nlp_word_read(s, bytes)) == WC_SPACE;
}

static NlpStatus
cut_plain(Cutter *c, const char *text, uint32_t len)
{
	uint32_t	start = 0;		/* of the word that at is in */

	for (uint32_t at = 0; at < len;)
	{
		uint32_t	until = len - at > POLL_BYTES ? at + POLL_BYTES : len;

		while (at < until)
		{
			unsigned	bytes;

			if (!is_space(text + at, &bytes))
			{
				at++;
				continue;
			}
			if (at > start)
				NLP_TRY(c->fn(c->ctx, text + start, at - start, c->err));
			start = at += bytes;
		}
		NLP_TRY(nlp_poll(c->env, c->err));
	}
	return len > start ? c->fn(c->ctx, text + start, len - start, c->err) : NLP_OK;
}

NlpStatus
nlp_cut_words(const NlpWordCut *cut, const char *text, size_t len, const NlpEnv *env,
			  NlpWordFn fn, void *ctx, NlpError *err)
{
	Cutter		c = {.cut = cut, .env = env, .fn = fn, .ctx = ctx, .err = err, .spans = {.alloc = env->alloc}};
	NlpStatus	st;

	if (len >= (size_t) 1 << 30)
		return nlp_fail(err, NLP_ELIMIT, "a text of 1 GB or more cannot be cut into words");
	NLP_TRY(nlp_word_check(text, len, env, err));
	if (cut->plain)
		return cut_plain(&c, text, (uint32_t) len);
	nlp_buf_init(&c.lower, env->alloc);
	if (cut->segmenter)
		NLP_TRY(nlp_segment_open(&c.segment, cut->segmenter, true, env, len, err));
	st = cut_natural(&c, text, (uint32_t) len);
	if (cut->segmenter)
		nlp_segment_close(&c.segment);
	nlp_free(env->alloc, c.spans.spans);
	nlp_buf_free(&c.lower);
	return st;
}
