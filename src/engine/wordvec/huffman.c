/* huffman.c --- the binary tree of hierarchical softmax.
 *
 * word2vec.c's construction: leaves in order of rank (counts fall), two sorted queues, the two
 * smallest join; a leaf is taken when its count is strictly less than the inner node's. Inner
 * nodes are numbered as they are made, so the root is n - 2; the second of a pair gets code 1.
 * Where words were given an order of their own (an updated model's), leaves are sorted by count
 * first, the higher rank being the smaller of equals. A count of 0 (not known) is taken for 1: sums of at
 * least 1 that stay below 2^64 keep every path under 93 nodes, whatever the file says. */
#include <string.h>

#include "wordvec/sort.h"
#include "wordvec/train_private.h"
#include "engine_only.h"

/* Work: leaves in ascending order, counts of all 2n - 1 nodes, parents, codes. Before there are
 * inner nodes the second half of count holds the counts by rank. */
typedef struct Work
{
	uint64_t   *count;			/* [2n] */
	uint32_t   *parent;			/* [2n] */
	uint32_t   *leaf;			/* [n] ranks, ascending by count */
	uint32_t   *tmp;			/* [n]; after measuring, the depths of inner nodes */
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

static bool
not_more(const void *ctx, uint32_t a, uint32_t b)
{
	const uint64_t *by_rank = ctx;

	return by_rank[a] <= by_rank[b];
}

/* Ascending by count, of equals the higher rank first: the reverse of a sorted vocabulary, which most are.
 * by_rank [n] */
static NlpStatus
sort_leaves(const uint64_t *by_rank, Work *w, uint32_t n, NlpPace *pace, NlpError *err)
{
	bool		sorted = true;

	for (uint32_t i = 0; i < n; i++)
	{
		w->leaf[i] = n - 1 - i;
		sorted &= i == 0 || by_rank[n - 1 - i] >= by_rank[n - i];
		NLP_TRY(nlp_pace(pace, 1, err));
	}
	return sorted ? NLP_OK : nlp_sort_ids(w->leaf, w->tmp, n, not_more, by_rank, pace, err);
}

/* Take the smaller head of the two queues. */
static uint32_t
take(const Work *w, uint32_t n, uint32_t *leaf, uint32_t *inner, uint32_t made)
{
	if (*leaf < n && (*inner >= made || w->count[*leaf] < w->count[*inner]))
		return (*leaf)++;
	return (*inner)++;
}

/* From the counts by rank in the second half of count. */
static NlpStatus
join(Work *w, uint32_t n, NlpPace *pace, NlpError *err)
{
	const uint64_t *by_rank = w->count + n;
	uint32_t	leaf = 0,
				inner = n;

	NLP_TRY(sort_leaves(by_rank, w, n, pace, err));
	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t	count = by_rank[w->leaf[i]];

		w->count[i] = count > 0 ? count : 1;
		NLP_TRY(nlp_pace(pace, 1, err));
	}
	for (uint32_t made = n; made + 1 < 2 * n; made++)
	{
		uint32_t	a = take(w, n, &leaf, &inner, made);
		uint32_t	b = take(w, n, &leaf, &inner, made);

		if (__builtin_add_overflow(w->count[a], w->count[b], &w->count[made]))
			return nlp_fail(err, NLP_ELIMIT, "the counts of the words add up to more than 2^64");
		w->parent[a] = w->parent[b] = made;
		w->code[a] = 0;
		w->code[b] = 1;
		NLP_TRY(nlp_pace(pace, 2, err));
	}
	return NLP_OK;
}

NlpStatus
nlp_tree_join(uint32_t n, const uint64_t *counts, void *work, const NlpEnv *env, NlpError *err)
{
	Work		w = lay_out(work, n);
	NlpPace		pace = {.env = env};

	NLP_TRY(nlp_copy_paced(&pace, w.count + n, counts, n * sizeof(*counts), err));
	return join(&w, n, &pace, err);
}

/* Inner nodes on the way from the root to leaf i. */
static inline uint32_t
code_length(const Work *w, uint32_t n, uint32_t i)
{
	return n > 1 ? w->tmp[w->parent[i] - n] + 1 : 0;
}

NlpStatus
nlp_tree_measure(const NlpVocab *vocab, void *work, const NlpEnv *env, uint64_t *total, uint32_t *longest, NlpError *err)
{
	uint32_t	n = nlp_vocab_size(vocab);
	Work		w = lay_out(work, n);
	NlpPace		pace = {.env = env};

	for (uint32_t i = 0; i < n; i++)
	{
		w.count[n + i] = nlp_vocab_word_count(vocab, i);
		NLP_TRY(nlp_pace(&pace, 1, err));
	}
	NLP_TRY(join(&w, n, &pace, err));
	for (uint32_t i = n > 1 ? n - 1 : 0; i-- > 0;)	/* a parent was made after its children */
	{
		w.tmp[i] = i == n - 2 ? 0 : w.tmp[w.parent[n + i] - n] + 1;
		NLP_TRY(nlp_pace(&pace, 1, err));
	}
	*total = 0;
	*longest = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	len = code_length(&w, n, i);

		*total += len;
		*longest = len > *longest ? len : *longest;
		NLP_TRY(nlp_pace(&pace, 1, err));
	}
	if (*total > UINT32_MAX)
		return nlp_fail(err, NLP_ELIMIT, "the tree of the words is too deep");
	return NLP_OK;
}

NlpStatus
nlp_tree_fill(uint32_t n, const void *work, NlpTree *tree, const NlpEnv *env, NlpError *err)
{
	Work		w = lay_out((void *) work, n);
	NlpPace		pace = {.env = env};
	uint32_t	at = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		tree->start[w.leaf[i]] = code_length(&w, n, i);
		NLP_TRY(nlp_pace(&pace, 1, err));
	}
	for (uint32_t rank = 0; rank <= n; rank++)
	{
		uint32_t	len = rank < n ? tree->start[rank] : 0;

		tree->start[rank] = at;
		at += len;
		NLP_TRY(nlp_pace(&pace, 1, err));
	}
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	end = tree->start[w.leaf[i] + 1];

		NLP_TRY(nlp_pace(&pace, code_length(&w, n, i), err));
		for (uint32_t node = i; node != 2 * n - 2; node = w.parent[node])
		{
			end--;
			tree->nodes[end] = w.parent[node] - n;
			tree->codes[end] = w.code[node];
		}
	}
	return NLP_OK;
}

NlpStatus
nlp_tree_parents(uint32_t n, const void *work, uint32_t *out, const NlpEnv *env, NlpError *err)
{
	Work		w = lay_out((void *) work, n);
	NlpPace		pace = {.env = env};
	uint32_t	root = 2 * n - 2;

	for (uint32_t i = 0; i < root; i++)
	{
		out[i < n ? w.leaf[i] : i] = 2 * w.parent[i] + w.code[i];
		NLP_TRY(nlp_pace(&pace, 1, err));
	}
	out[root] = 0;
	return NLP_OK;
}
