/* segment.h --- cutting Chinese text into words: the most probable path through a
 * dictionary, and a hidden Markov model (B, M, E, S) for stretches it does not know.
 *
 * The GGUF form, architecture "segmenter":
 *   segmenter.language     str      "zh"
 *   segmenter.words        u8[]     words joined by newlines, sorted by bytes
 *   segmenter.frequencies  u32[]    one a word, at least 1
 *   segmenter.hmm.start    f32[4]   log probabilities of B, M, E, S
 *   segmenter.hmm.step     f32[16]  from row to column
 *   segmenter.hmm.chars    u32[]    code points, ascending
 *   segmenter.hmm.emit     f32[]    4 a code point
 *   segmenter.fold.from    u32[]    optional: code points, ascending, that are looked up
 *   segmenter.fold.to      u32[]    as others (traditional as simplified, full width as half)
 *   no tensors
 * The resident table holds a sorted trie; one relocatable block, offsets only.
 * Runs of Latin letters and digits are one word each, with a decimal point between digits and a
 * percent sign after them; punctuation stands alone; other scripts are cut as token/words.h cuts them. Source of the
 * method: the directed acyclic word graph with maximum log probability, and a 4-tag HMM
 * (Viterbi), as is common for Chinese (e.g. jieba's documentation); the model's numbers come
 * from our own script (models/make_segment_zh.py). Sums are of integers, so the words are the
 * same on every machine. */
#ifndef NLP_TOKEN_SEGMENT_H
#define NLP_TOKEN_SEGMENT_H

#include "core/env.h"
#include "format/gguf.h"

#define NLP_SEGMENT_ARCH "segmenter"

typedef struct NlpSegmenter NlpSegmenter;	/* the resident table */

/* Check every key of an open file (NLP_ECORRUPT names the field and what is wrong with it) and
 * say how large the table will be. */
extern NlpStatus nlp_segmenter_plan(const NlpGguf *g, const NlpEnv *env, uint64_t *bytes, NlpError *err);
/* Fill block (64-byte aligned, bytes as planned for the same file; every byte is written). */
extern NlpStatus nlp_segmenter_build(const NlpGguf *g, const NlpEnv *env, void *block, uint64_t bytes, NlpError *err);
/* Prove the bounds of a table that comes from elsewhere: after it nlp_segment reads only inside it. */
extern NlpStatus nlp_segmenter_check(const NlpSegmenter *s, uint64_t bytes, NlpError *err);
extern uint64_t nlp_segmenter_words(const NlpSegmenter *s);

/* A word of a text, as bytes of it. */
typedef struct NlpSpan
{
	uint32_t	start,
				len;
} NlpSpan;

typedef struct NlpSpans
{
	const NlpAlloc *alloc;
	NlpSpan    *spans;
	size_t		n,
				cap;
} NlpSpans;

/* Append the words of a text (UTF-8, checked: NLP_ETEXT; < 1 GB) to out, in order; every byte but white space
 * is in exactly one span. hmm false: dictionary only. Linear time; polls. Scratch from env->alloc,
 * a few hundred kilobytes whatever the text. The caller frees out->spans. */
extern NlpStatus nlp_segment(const NlpSegmenter *s, const char *text, size_t len, bool hmm, const NlpEnv *env,
							 NlpSpans *out, NlpError *err);

#endif
