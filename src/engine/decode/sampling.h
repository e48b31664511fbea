/* sampling.h --- from logits to a token: greedy, or a filtered random draw. */
#ifndef NLP_DECODE_SAMPLING_H
#define NLP_DECODE_SAMPLING_H

#include "core/env.h"

typedef struct NlpSampling
{
	bool		greedy;			/* penalties apply, nothing random */
	float		temperature;	/* > 0; 0 means greedy */
	int			top_k;			/* 0: off */
	float		top_p;			/* 1: off */
	float		min_p;			/* 0: off */
	float		repeat_penalty; /* 1: off; Keskar 2019 */
	float		presence_penalty;	/* 0: off */
	float		frequency_penalty;	/* 0: off */
	uint64_t	seed;
} NlpSampling;

#define NLP_SAMPLING_GREEDY ((NlpSampling) {true, 0, 0, 1, 0, 1, 0, 0, 0})

/* Choose a token from logits [V] (changed in place by penalties). counts, when not
 * NULL, are occurrences of each token in prompt and answer (int32[V], for
 * penalties). Order: penalties, top_k, temperature, top_p, min_p, draw with
 * Philox(seed, row, step). work: V * 8 bytes. *logprob (may be NULL) gets the
 * log-probability under the unfiltered softmax. */
extern int32_t nlp_sample(const NlpSampling *s, float *logits, size_t n_vocab, const int32_t *counts,
						  uint64_t row, uint64_t step, void *work, float *logprob);

#endif
