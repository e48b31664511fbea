/* word_class.h --- which characters make words, private to token/: the one table that
 * token/words.h and token/segment.h agree on. */
#ifndef NLP_TOKEN_WORD_CLASS_H
#define NLP_TOKEN_WORD_CLASS_H

#include "core/env.h"

typedef enum WordClass
{
	WC_OTHER = 0,				/* punctuation, symbols, controls: separate, and stand alone in a segmentation */
	WC_SPACE,
	WC_WORD,					/* letters, marks, digits of scripts that separate words */
	WC_DIGIT,					/* a decimal digit: also a letter of a word */
	WC_APOSTROPHE,				/* part of a word between two letters */
	WC_POINT,					/* between two digits part of a number, for the segmenter */
	WC_PERCENT,					/* after a digit the end of a number, for the segmenter */
	WC_HAN,
	WC_KANA						/* stands alone */
} WordClass;

extern const uint8_t nlp_word_ascii[128];	/* WordClass */
extern WordClass nlp_word_class_wide(uint32_t cp);	/* cp >= 128 */

static inline WordClass
nlp_word_class(uint32_t cp)
{
	return cp < 128 ? (WordClass) nlp_word_ascii[cp] : nlp_word_class_wide(cp);
}

/* NLP_ETEXT with the offset unless the text is valid UTF-8. Polls. */
extern NlpStatus nlp_word_check(const char *text, size_t len, const NlpEnv *env, NlpError *err);

/* Read the character at s, which is valid UTF-8; *bytes its length. */
static inline uint32_t
nlp_word_read(const char *text, unsigned *bytes)
{
	const unsigned char *s = (const unsigned char *) text;

	if (s[0] < 0x80)
	{
		*bytes = 1;
		return s[0];
	}
	if (s[0] < 0xe0)
	{
		*bytes = 2;
		return (uint32_t) (s[0] & 0x1f) << 6 | (s[1] & 0x3f);
	}
	if (s[0] < 0xf0)
	{
		*bytes = 3;
		return (uint32_t) (s[0] & 0x0f) << 12 | (uint32_t) (s[1] & 0x3f) << 6 | (s[2] & 0x3f);
	}
	*bytes = 4;
	return (uint32_t) (s[0] & 0x07) << 18 | (uint32_t) (s[1] & 0x3f) << 12 | (uint32_t) (s[2] & 0x3f) << 6 | (s[3] & 0x3f);
}

static inline bool
nlp_word_is_letter(WordClass c)
{
	return c == WC_WORD || c == WC_DIGIT;
}

/* *end: where the run of letters, marks and digits that begins at `at` ends: apostrophes between
 * letters belong to it, and with numbers points between digits and a percent sign after one. Polls. */
extern NlpStatus nlp_word_run(const char *text, uint32_t at, uint32_t len, bool numbers, const NlpEnv *env,
							  uint32_t *end, NlpError *err);

#endif
