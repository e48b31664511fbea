/* words_private.h --- what the files of the word table share: the k best of many, and the
 * tree of hierarchical softmax. */
#ifndef NLP_WORDVEC_WORDS_PRIVATE_H
#define NLP_WORDVEC_WORDS_PRIVATE_H

#include "wordvec/words.h"

/* A heap of the best, the worst of them on top. */
typedef struct NlpBest
{
	NlpNeighbour *at;
	uint32_t	n,
				cap;
} NlpBest;

/* Whether a is a worse answer than b. */
static inline bool
nlp_worse(NlpNeighbour a, NlpNeighbour b)
{
	return a.score < b.score || (a.score == b.score && a.word > b.word);
}

static inline void
nlp_best_sift(NlpNeighbour *at, uint32_t n, uint32_t i)
{
	NlpNeighbour x = at[i];

	for (;;)
	{
		uint32_t	child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && nlp_worse(at[child + 1], at[child]))
			child++;
		if (!nlp_worse(at[child], x))
			break;
		at[i] = at[child];
		i = child;
	}
	at[i] = x;
}

static inline void
nlp_best_add(NlpBest *b, NlpNeighbour x)
{
	uint32_t	i;

	if (b->n == b->cap)
	{
		if (nlp_worse(b->at[0], x))
		{
			b->at[0] = x;
			nlp_best_sift(b->at, b->n, 0);
		}
		return;
	}
	for (i = b->n++; i > 0 && nlp_worse(x, b->at[(i - 1) / 2]); i = (i - 1) / 2)
		b->at[i] = b->at[(i - 1) / 2];
	b->at[i] = x;
}

/* Best first. */
static inline void
nlp_best_sort(NlpBest *b)
{
	for (uint32_t n = b->n; n > 1; n--)
	{
		NlpNeighbour worst = b->at[0];

		b->at[0] = b->at[n - 1];
		b->at[n - 1] = worst;
		nlp_best_sift(b->at, n - 1, 0);
	}
}

/* words_tree.c: the Huffman tree of the table's counts, as the trainer makes it, into
 * tree [2n - 1]: 2 * parent + code of leaf i (word i) and of inner node n + i; the root, 2n - 2, has 0. */
extern NlpStatus nlp_words_tree(const NlpWords *w, const NlpEnv *env, uint32_t *tree, NlpError *err);

#endif
