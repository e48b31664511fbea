/* attention.h --- causal attention over paged keys and values (decoder), with
 * grouped heads, an optional window and softcap.
 *
 * KV storage, a page of 32 positions for one layer: for each kv head
 *   K as f16 [d][32]  (lanes over positions: a score is one fma chain over d)
 *   V as f16 [32][d]  (lanes over d: an output is one fma chain over positions)
 * so one page and layer takes G * d * 32 * 2 * 2 bytes, keys of all heads first.
 *
 * Numbers: scores for all positions first, exact max, exp and fixed-tree sum
 * (lane = absolute position mod 16), then the values' chain ascending over
 * absolute positions, divided by the sum last. So nothing depends on how the
 * prompt was cut into chunks. Source: Vaswani 2017; grouping: Ainslie 2023. */
#ifndef NLP_KERNEL_ATTENTION_H
#define NLP_KERNEL_ATTENTION_H

#include "core/status.h"

#define NLP_KV_PAGE 32			/* positions a page */

/* Bytes of one layer's part of a page. */
static inline size_t
nlp_kv_layer_bytes(int kv_heads, int head_dim)
{
	return (size_t) kv_heads * head_dim * NLP_KV_PAGE * 2 * 2;
}

/* Store the keys and values of one position: k, v are f32 [G, d]. slot is
 * position % 32; layer_page points at this layer's part of the page. Rounded to
 * nearest even; beyond 65,519 a value becomes infinite, and so does what sees it (or NaN). */
extern void nlp_kv_store(void *layer_page, int slot, int kv_heads, int head_dim,
						 const float *k, const float *v);

typedef struct NlpAttnShape
{
	int			heads;			/* H, a multiple of kv_heads */
	int			kv_heads;		/* G */
	int			head_dim;		/* d, a multiple of 8 */
	float		scale;			/* usually 1/sqrt(d) */
	float		softcap;		/* 0: none; else score = cap*tanh(score/cap) */
	int			window;			/* 0: all; else only positions > pos - window */
} NlpAttnShape;

/* Attention of t consecutive positions of one sequence, pos0 .. pos0+t-1, over
 * positions 0 .. own (causal), for kv heads [g_from, g_to) and their query heads.
 *   q      f32 [t, H*d], row stride ldq, rotary applied
 *   pages  layer parts of the sequence's pages, in order, covering pos0+t-1
 *   out    f32 [t, H*d], row stride ldo
 *   work   nlp_attention_work_bytes(shape, pos0+t) bytes, a thread's own, 64-aligned
 * Slots of no visible position may hold anything, also NaN: they never reach out.
 * No allocation; cannot fail. */
extern size_t nlp_attention_work_bytes(const NlpAttnShape *shape, int positions);
extern void nlp_attention(const NlpAttnShape *shape, const float *q, size_t ldq, int t, int pos0,
						  void *const *pages, int g_from, int g_to, float *out, size_t ldo, void *work);

#endif
