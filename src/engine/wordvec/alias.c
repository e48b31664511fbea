/* alias.c --- drawing negatives: word i with probability count_i^0.75 / sum, in constant
 * time and two small reads.
 *
 * Source: Walker 1977, in Vose's 1991 form: every column of equal width is shared by at
 * most two words. The exponent is word2vec's (Mikolov et al. 2013).
 * The weights go through sqrt alone (x^0.75 = sqrt(x) sqrt(sqrt(x))), which IEEE rounds
 * correctly: pow would differ between machines. */
#include <math.h>

#include "wordvec/train_private.h"
#include "engine_only.h"

static NlpStatus
fill_weights(const NlpVocab *vocab, double *weights, uint32_t n, double *sum, NlpPace *pace, NlpError *err)
{
	*sum = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		double		root = sqrt((double) nlp_vocab_word_count(vocab, i));

		weights[i] = root * sqrt(root);
		*sum += weights[i];
		NLP_TRY(nlp_pace(pace, 1, err));
	}
	if (*sum > 0)
		return NLP_OK;
	*sum = n;
	for (uint32_t i = 0; i < n; i++)
	{
		weights[i] = 1;
		NLP_TRY(nlp_pace(pace, 1, err));
	}
	return NLP_OK;
}

NlpStatus
nlp_alias_build(const NlpVocab *vocab, NlpAlias *table, double *weights, uint32_t *work, const NlpEnv *env,
				NlpError *err)
{
	uint32_t	n = nlp_vocab_size(vocab);
	NlpPace		pace = {.env = env};
	double		sum,
				scale;
	uint32_t	small = 0,		/* work[0 .. small): less than a column */
				large = n;		/* work[large .. n): the others */

	NLP_TRY(fill_weights(vocab, weights, n, &sum, &pace, err));
	scale = n / sum;
	for (uint32_t i = 0; i < n; i++)
	{
		NLP_TRY(nlp_pace(&pace, 1, err));
		weights[i] *= scale;
		if (weights[i] < 1)
			work[small++] = i;
		else
			work[--large] = i;
	}
	while (small > 0 && large < n)
	{
		uint32_t	i = work[--small];
		uint32_t	j = work[large];

		NLP_TRY(nlp_pace(&pace, 1, err));
		table[i] = (NlpAlias) {(uint32_t) (weights[i] * 4294967296.0), j};
		weights[j] -= 1 - weights[i];
		if (weights[j] < 1)
		{
			large++;
			work[small++] = j;
		}
	}
	while (large < n)
	{
		uint32_t	i = work[large++];

		NLP_TRY(nlp_pace(&pace, 1, err));
		table[i] = (NlpAlias) {UINT32_MAX, i};
	}
	while (small > 0)
	{
		uint32_t	i = work[--small];

		NLP_TRY(nlp_pace(&pace, 1, err));
		table[i] = (NlpAlias) {UINT32_MAX, i};
	}
	return NLP_OK;
}
