/* answer.h --- the growing text of one answer: bytes of tokens become whole UTF-8
 * characters, and stop strings end it. */
#ifndef NLP_DECODE_ANSWER_H
#define NLP_DECODE_ANSWER_H

#include "token/token.h"

typedef struct NlpAnswer
{
	NlpBuf		text;			/* whole, valid characters only */
	char		pending[8];		/* bytes that do not make a character yet */
	int			n_pending;
	size_t		given;			/* bytes of text handed out by nlp_answer_fresh */
	int			n_stop;
	NlpStr	   *stop;			/* copies, one allocation */
	size_t		longest_stop;
	bool		stopped;
} NlpAnswer;

extern NlpStatus nlp_answer_init(NlpAnswer *a, const NlpAlloc *alloc, const NlpStr *stop, int n_stop, NlpError *err);
extern void nlp_answer_free(NlpAnswer *a);
/* Append what token id stands for. When a stop string appears, text ends before it
 * and stopped is set. Bytes that can be no character become U+FFFD. */
extern NlpStatus nlp_answer_add(NlpAnswer *a, const NlpTokenizer *t, int32_t id, NlpError *err);
/* New text that can no longer become part of a stop string; all of it when done. */
extern NlpStr nlp_answer_fresh(NlpAnswer *a, bool done);

#endif
