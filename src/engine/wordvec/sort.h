/* sort.h --- sorting ids by what they stand for: a bottom-up merge sort that polls. */
#ifndef NLP_WORDVEC_SORT_H
#define NLP_WORDVEC_SORT_H

#include "wordvec/pace.h"

/* Whether left, which stands before right, may stay there. */
typedef bool (*NlpInOrder) (const void *ctx, uint32_t left, uint32_t right);

/* Sort ids [n], with tmp [n]. Stable when in_order holds for equals. After an error ids are in no order. */
static inline NlpStatus
nlp_sort_ids(uint32_t *ids, uint32_t *tmp, size_t n, NlpInOrder in_order, const void *ctx, NlpPace *pace, NlpError *err)
{
	uint32_t   *from = ids,
			   *to = tmp;

	for (size_t run = 1; run < n; run *= 2)
	{
		uint32_t   *swap = from;

		for (size_t lo = 0; lo < n; lo += 2 * run)
		{
			size_t		mid = lo + run < n ? lo + run : n,
						hi = lo + 2 * run < n ? lo + 2 * run : n,
						a = lo,
						b = mid;

			for (size_t at = lo; at < hi; at++)
			{
				bool		left = a < mid && (b >= hi || in_order(ctx, from[a], from[b]));

				to[at] = left ? from[a++] : from[b++];
				NLP_TRY(nlp_pace(pace, 1, err));
			}
		}
		from = to;
		to = swap;
	}
	return from == ids ? NLP_OK : nlp_copy_paced(pace, ids, from, n * sizeof(*ids), err);
}

#endif
