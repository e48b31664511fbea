/* huffman.c --- the binary tree of hierarchical softmax.
 *
 * word2vec.c's construction: leaves in order of rank (counts fall), two sorted queues, the two
 * smallest join; a leaf is taken when its count is strictly less than the inner node's. Inner
 * nodes are numbered as they are made, so the root is n - 2; the second of a pair gets code 1.
 * Where words were given an order of their own (an updated model's), leaves are sorted by count
 * first, the higher rank being the smaller of equals. A count of 0 (not known) is taken for 1: sums of at
 * least 1 that stay below 2^64 keep every path under 93 nodes, whatever the file says. */
#include <string.h>

#include "wordvec/train_private.h"
#include "engine_only.h"

/* Work: leaves in ascending order, counts of all 2n - 1 nodes, parents, codes. */
typedef struct Work
{
	uint64_t   *count;			/* [2n] */
	uint32_t   *parent;			/* [2n] */
	uint32_t   *leaf;			/* [n] ranks, ascending by count */
	uint32_t   *tmp;			/* [n] */
	uint8_t    *code;			/* [2n] */
} Work;

uint64_t
nlp_tree_work_bytes(uint32_t n)
{
	return (uint64_t) n * (2 * 8 + 2 * 4 + 4 + 4 + 2) + 64;
}

static Work
lay_out(void *work, uint32_t n)
{
	Work		w;

	w.count = work;
	w.parent = (uint32_t *) (w.count + 2 * (size_t) n);
	w.leaf = w.parent + 2 * (size_t) n;
	w.tmp = w.leaf + n;
	w.code = (uint8_t *) (w.tmp + n);
	return w;
}

/* Ascending by count, of equals the higher rank first: the reverse of a sorted vocabulary. */
static void
sort_leaves(const NlpVocab *vocab, Work *w, uint32_t n)
{
	uint32_t   *from = w->leaf,
			   *to = w->tmp;

	for (uint32_t i = 0; i < n; i++)
		from[i] = n - 1 - i;
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
				bool		left = a < mid && (b >= hi || nlp_vocab_word_count(vocab, from[a]) <=
											   nlp_vocab_word_count(vocab, from[b]));

				to[at] = left ? from[a++] : from[b++];
			}
		}
		from = to;
		to = swap;
	}
	if (from != w->leaf)
		memcpy(w->leaf, from, n * sizeof(*from));
}

/* Take the smaller head of the two queues. */
static uint32_t
take(const Work *w, uint32_t n, uint32_t *leaf, uint32_t *inner, uint32_t made)
{
	if (*leaf < n && (*inner >= made || w->count[*leaf] < w->count[*inner]))
		return (*leaf)++;
	return (*inner)++;
}

NlpStatus
nlp_tree_measure(const NlpVocab *vocab, void *work, uint64_t *total, uint32_t *longest, NlpError *err)
{
	uint32_t	n = nlp_vocab_size(vocab);
	Work		w = lay_out(work, n);
	uint32_t	leaf = 0,
				inner = n;

	sort_leaves(vocab, &w, n);
	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t	count = nlp_vocab_word_count(vocab, w.leaf[i]);

		w.count[i] = count > 0 ? count : 1;
	}
	for (uint32_t made = n; made + 1 < 2 * n; made++)
	{
		uint32_t	a = take(&w, n, &leaf, &inner, made);
		uint32_t	b = take(&w, n, &leaf, &inner, made);

		if (__builtin_add_overflow(w.count[a], w.count[b], &w.count[made]))
			return nlp_fail(err, NLP_ELIMIT, "the counts of the words add up to more than 2^64");
		w.parent[a] = w.parent[b] = made;
		w.code[a] = 0;
		w.code[b] = 1;
	}
	*total = 0;
	*longest = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	len = 0;

		for (uint32_t at = i; at != 2 * n - 2; at = w.parent[at])
			len++;
		*total += len;
		*longest = len > *longest ? len : *longest;
	}
	if (*total > UINT32_MAX)
		return nlp_fail(err, NLP_ELIMIT, "the tree of the words is too deep");
	return NLP_OK;
}

void
nlp_tree_fill(uint32_t n, const void *work, NlpTree *tree)
{
	Work		w = lay_out((void *) work, n);
	uint32_t   *len = w.tmp;	/* code length by rank */
	uint32_t	at = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		len[w.leaf[i]] = 0;
		for (uint32_t node = i; node != 2 * n - 2; node = w.parent[node])
			len[w.leaf[i]]++;
	}
	for (uint32_t rank = 0; rank < n; rank++)
	{
		tree->start[rank] = at;
		at += len[rank];
	}
	tree->start[n] = at;
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	end = tree->start[w.leaf[i] + 1];

		for (uint32_t node = i; node != 2 * n - 2; node = w.parent[node])
		{
			end--;
			tree->nodes[end] = w.parent[node] - n;
			tree->codes[end] = w.code[node];
		}
	}
}
