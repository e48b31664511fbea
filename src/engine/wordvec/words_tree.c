/* words_tree.c --- the tree of hierarchical softmax for a resident table.
 *
 * The trainer's (huffman.c), from the table's counts, and kept as the parents of all nodes: one walk
 * from the root reaches every word. */
#include "wordvec/train_private.h"
#include "wordvec/words_private.h"
#include "engine_only.h"

NlpStatus
nlp_words_tree(const NlpWords *w, const NlpEnv *env, uint32_t *tree, NlpError *err)
{
	size_t		bytes = (size_t) nlp_tree_work_bytes(w->n);
	void	   *work = nlp_alloc(env->alloc, bytes);
	NlpStatus	st;

	if (!work)
		return nlp_no_memory(err, bytes, "tree of words");
	st = nlp_tree_join(w->n, (const uint64_t *) ((const char *) w + w->counts_offset), work, env, err);
	if (st == NLP_OK)
		st = nlp_tree_parents(w->n, work, tree, env, err);
	nlp_free(env->alloc, work);
	return st;
}
