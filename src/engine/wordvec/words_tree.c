/* words_tree.c --- the tree of hierarchical softmax for a resident table.
 *
 * The trainer builds it from its vocabulary (huffman.c); here the table's words and counts
 * become a vocabulary again, so that both have the same tree, and the paths are turned into
 * parents, by which one walk from the root reaches every word. */
#include "wordvec/train_private.h"
#include "wordvec/words_private.h"
#include "engine_only.h"

/* Every node on a word's path tells the parent and the code of the next. */
static void
parents_of(const NlpTree *t, uint32_t n, uint32_t *tree)
{
	tree[2 * (size_t) n - 2] = 0;
	for (uint32_t word = 0; word < n; word++)
	{
		for (uint32_t i = t->start[word]; i < t->start[word + 1]; i++)
		{
			bool		last = i + 1 == t->start[word + 1];
			uint32_t	child = last ? word : n + t->nodes[i + 1];

			tree[child] = 2 * (n + t->nodes[i]) + t->codes[i];
		}
	}
}

static NlpStatus
tree_of(const NlpVocab *v, uint32_t n, const NlpEnv *env, void *work, uint32_t *tree, NlpError *err)
{
	NlpTree		t = {NULL, NULL, NULL, 0};
	uint64_t	total;
	size_t		bytes;
	char	   *room;

	NLP_TRY(nlp_tree_measure(v, work, &total, &t.longest, err));
	bytes = ((size_t) n + 1) * sizeof(uint32_t) + (size_t) total * (sizeof(uint32_t) + 1);
	room = nlp_alloc(env->alloc, bytes);
	if (!room)
		return nlp_no_memory(err, bytes, "tree of words");
	t.start = (uint32_t *) room;
	t.nodes = t.start + n + 1;
	t.codes = (uint8_t *) (t.nodes + total);
	nlp_tree_fill(n, work, &t);
	parents_of(&t, n, tree);
	nlp_free(env->alloc, room);
	return NLP_OK;
}

NlpStatus
nlp_words_tree(const NlpWords *w, const NlpEnv *env, uint32_t *tree, NlpError *err)
{
	size_t		bytes = (size_t) nlp_tree_work_bytes(w->n);
	void	   *work = nlp_alloc(env->alloc, bytes);
	NlpVocab   *v = NULL;
	NlpStatus	st;

	if (!work)
		return nlp_no_memory(err, bytes, "tree of words");
	st = nlp_vocab_new(env->alloc, &v, err);
	if (st == NLP_OK)
		st = nlp_vocab_seed(v, w, err);
	if (st == NLP_OK)
		st = nlp_vocab_finish(v, 1, 0, env, err);
	if (st == NLP_OK)
		st = tree_of(v, w->n, env, work, tree, err);
	nlp_vocab_free(v);
	nlp_free(env->alloc, work);
	return st;
}
