/* segment_work.h --- the scratch of cutting, private to token/: words.c keeps one for many
 * short stretches of a text. */
#ifndef NLP_TOKEN_SEGMENT_WORK_H
#define NLP_TOKEN_SEGMENT_WORK_H

#include "token/segment_table.h"

#define SEG_WINDOW 4096u		/* units looked at together */

typedef struct SegUnit SegUnit;

typedef struct SegmentWork
{
	const NlpSegmenter *s;
	const NlpEnv *env;
	bool		hmm;
	const char *text;
	NlpSpans   *out;
	uint32_t	n,				/* units in the window */
				cap;
	SegUnit    *unit;			/* [cap + 1] */
	int64_t    *best;			/* cost of the cheapest path to a border */
	uint32_t   *from,			/* where its last word begins */
			   *next;			/* where the word that begins here ends */
	uint8_t    *back,			/* of the HMM */
			   *tags;
	void	   *memory;
} SegmentWork;

/* Texts are valid UTF-8 (nlp_word_check). text_bytes: no text will be longer; memory is bounded whatever it is. */
extern NlpStatus nlp_segment_open(SegmentWork *w, const NlpSegmenter *s, bool hmm, const NlpEnv *env,
								  size_t text_bytes, NlpError *err);
extern void nlp_segment_close(SegmentWork *w);
extern NlpStatus nlp_segment_text(SegmentWork *w, const char *text, uint32_t len, NlpSpans *out, NlpError *err);

#endif
