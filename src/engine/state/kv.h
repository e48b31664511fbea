/* kv.h --- sequences and their paged keys and values.
 *
 * A page holds NLP_KV_PAGE positions of all layers and is reference-counted:
 * forked sequences (beams, shared prefixes) share pages and copy one on write. */
#ifndef NLP_STATE_KV_H
#define NLP_STATE_KV_H

#include "core/env.h"
#include "kernel/attention.h"

typedef struct NlpKv NlpKv;

typedef struct NlpKvShape
{
	int			layers;			/* L */
	int			kv_heads;		/* G */
	int			head_dim;		/* d */
} NlpKvShape;

/* n_pages pages are allocated lazily, up to the limit; max_seqs sequences. */
extern NlpStatus nlp_kv_new(NlpKvShape shape, int n_pages, int max_seqs, const NlpAlloc *alloc,
							NlpKv **kv, NlpError *err);
extern void nlp_kv_free(NlpKv *kv);
extern size_t nlp_kv_page_bytes(NlpKvShape shape);
extern int	nlp_kv_free_pages(const NlpKv *kv);

/* Sequence numbers are 0 .. max_seqs-1. */
extern void nlp_kv_clear(NlpKv *kv, int seq);	/* gives its pages back */
extern int	nlp_kv_length(const NlpKv *kv, int seq);	/* positions stored */
/* Make room for positions length .. length+n-1 of seq, with private pages where
 * writing will happen. NLP_ENOMEM when pages run out; then nothing changed. */
extern NlpStatus nlp_kv_extend(NlpKv *kv, int seq, int n, NlpError *err);
/* dst (cleared first) shares the first n positions of src. */
extern void nlp_kv_fork(NlpKv *kv, int dst, int src, int n);
extern void nlp_kv_truncate(NlpKv *kv, int seq, int n);

/* Layer parts of the sequence's pages, for the kernels: table[i] for page i. */
extern int	nlp_kv_table(const NlpKv *kv, int seq, int layer, void **table, int cap);
extern void *nlp_kv_layer_page(const NlpKv *kv, int seq, int layer, int position);

#endif
