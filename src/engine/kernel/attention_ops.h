/* attention_ops.h --- the table one instruction set fills for attention.h, and the
 * layout of its work memory; private to attention*.c. */
#ifndef NLP_KERNEL_ATTENTION_OPS_H
#define NLP_KERNEL_ATTENTION_OPS_H

#include "kernel/attention.h"

#define NLP_ATTN_ROWS 48		/* query rows (token, head) that share one pass over the pages */

/* Floats between two score rows for this many positions: whole pages, and half a
 * page more so that rows do not fall into the same cache sets. */
static inline size_t
nlp_attn_score_stride(int positions)
{
	return (((size_t) positions + NLP_KV_PAGE - 1) & ~(size_t) (NLP_KV_PAGE - 1)) + NLP_KV_PAGE / 2;
}

/* Head width in floats, padded to whole vectors. */
static inline size_t
nlp_attn_padded_dim(int head_dim)
{
	return ((size_t) head_dim + 15) & ~(size_t) 15;
}

typedef struct NlpAttentionOps
{
	void		(*kv_store) (void *layer_page, int slot, int kv_heads, int head_dim,
							 const float *k, const float *v);
	void		(*attention) (const NlpAttnShape *shape, const float *q, size_t ldq, int t, int pos0,
							  void *const *pages, int g_from, int g_to, float *out, size_t ldo, void *work);
} NlpAttentionOps;

/* NULL for a level this build does not have. */
extern const NlpAttentionOps *nlp_attention_ops(int isa);

extern const NlpAttentionOps nlp_attention_plain;
#if defined(__x86_64__)
extern const NlpAttentionOps nlp_attention_avx2;
extern const NlpAttentionOps nlp_attention_avx512;
#elif defined(__aarch64__)
extern const NlpAttentionOps nlp_attention_neon;
#endif

#endif
