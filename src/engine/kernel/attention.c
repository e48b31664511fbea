/* attention.c --- reaches the attention kernels of the instruction set in use.
 *
 * The body is in attention_body.h, compiled by attention_<isa>.c. */
#include "core/cpu.h"
#include "kernel/attention_ops.h"
#include "engine_only.h"

const NlpAttentionOps *
nlp_attention_ops(int isa)
{
	switch (isa)
	{
		case NLP_ISA_PLAIN:
			return &nlp_attention_plain;
#if defined(__x86_64__)
		case NLP_ISA_AVX2:
			return &nlp_attention_avx2;
		case NLP_ISA_AVX512:
			return &nlp_attention_avx512;
#elif defined(__aarch64__)
		case NLP_ISA_NEON:
			return &nlp_attention_neon;
#endif
		default:
			return NULL;
	}
}

void
nlp_kv_store(void *layer_page, int slot, int kv_heads, int head_dim, const float *k, const float *v)
{
	nlp_attention_ops(nlp_isa_current())->kv_store(layer_page, slot, kv_heads, head_dim, k, v);
}

/* Score rows, packed queries, output accumulators, one page of keys or values as
 * f32. In this order, each a multiple of 64 bytes. */
size_t
nlp_attention_work_bytes(const NlpAttnShape *shape, int positions)
{
	size_t		dim = nlp_attn_padded_dim(shape->head_dim);
	size_t		floats = NLP_ATTN_ROWS * nlp_attn_score_stride(positions) +
		2 * NLP_ATTN_ROWS * dim + NLP_KV_PAGE * dim;

	return floats * sizeof(float);
}

void
nlp_attention(const NlpAttnShape *shape, const float *q, size_t ldq, int t, int pos0,
			  void *const *pages, int g_from, int g_to, float *out, size_t ldo, void *work)
{
	nlp_attention_ops(nlp_isa_current())->attention(shape, q, ldq, t, pos0, pages, g_from, g_to,
													out, ldo, work);
}
