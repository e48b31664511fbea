/* words.h --- cutting text into the words that word vectors are trained on and asked with.
 *
 * A word is a run of letters, marks, digits and inner apostrophes (U+0027, U+2019) of any script that
 * separates words; everything else separates. Han, kana and Thai have no spaces: without a
 * segmenter each Han or kana character is a word; with one (token/segment.h), runs of Han, and letters
 * that touch them, go to it.
 * Words are lower-cased (utf8proc, the simple mapping) unless asked not to. Categories are utf8proc's.
 * A text is valid UTF-8 (NLP_ETEXT if not) and under 1 GB. */
#ifndef NLP_TOKEN_WORDS_H
#define NLP_TOKEN_WORDS_H

#include "token/segment.h"

typedef struct NlpWordCut
{
	const NlpSegmenter *segmenter;	/* NULL: Han characters stand alone */
	bool		keep_case;
	bool		plain;			/* cut at white space alone and change nothing (text8 and other prepared text) */
} NlpWordCut;

/* fn is called for each word, in order; word is valid until it returns. A status other than NLP_OK stops. */
typedef NlpStatus (*NlpWordFn) (void *ctx, const char *word, size_t len, NlpError *err);
extern NlpStatus nlp_cut_words(const NlpWordCut *cut, const char *text, size_t len, const NlpEnv *env,
							   NlpWordFn fn, void *ctx, NlpError *err);

#endif
