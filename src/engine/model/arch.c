/* arch.c --- the list of architectures, slot declarations, common hyper-parameters. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/arch.h"
#include "engine_only.h"

extern const NlpArch nlp_arch_llama,
			nlp_arch_gpt2,
			nlp_arch_qwen2,
			nlp_arch_qwen3,
			nlp_arch_phi3,
			nlp_arch_gemma2,
			nlp_arch_gemma3;

const NlpArch *const nlp_archs[] = {
	&nlp_arch_llama, &nlp_arch_gpt2, &nlp_arch_qwen2, &nlp_arch_qwen3, &nlp_arch_phi3,
	&nlp_arch_gemma2, &nlp_arch_gemma3, NULL
};

const NlpArch *
nlp_arch_find(const char *name, size_t len)
{
	for (int i = 0; nlp_archs[i]; i++)
	{
		if (strlen(nlp_archs[i]->name) == len && memcmp(nlp_archs[i]->name, name, len) == 0)
			return nlp_archs[i];
	}
	return NULL;
}

static NlpSlot
declare(NlpSlotTable *t, uint64_t rows, uint64_t cols, bool vector, const char *fmt, va_list ap)
{
	NlpSlotSpec *spec;

	if (t->n == t->cap && !t->failed)
	{
		uint32_t	cap = t->cap ? t->cap * 2 : 512;
		NlpSlotSpec *fresh = cap < 0xffff ? nlp_arena_alloc(t->arena, cap * sizeof(*fresh)) : NULL;

		if (fresh)
		{
			if (t->n)
				memcpy(fresh, t->specs, t->n * sizeof(*fresh));
			t->specs = fresh;
			t->cap = cap;
		}
		else
			t->failed = true;
	}
	if (t->failed)
		return 0;
	spec = &t->specs[t->n];
	memset(spec, 0, sizeof(*spec));
	vsnprintf(spec->name, sizeof(spec->name), fmt, ap);
	spec->rows = rows;
	spec->cols = cols;
	spec->vector = vector;
	spec->tied = NLP_NO_SLOT;
	return (NlpSlot) t->n++;
}

NlpSlot
nlp_slot_matrix(NlpSlotTable *t, uint64_t rows, uint64_t cols, const char *fmt,...)
{
	va_list		ap;
	NlpSlot		s;

	va_start(ap, fmt);
	s = declare(t, rows, cols, false, fmt, ap);
	va_end(ap);
	return s;
}

NlpSlot
nlp_slot_vector(NlpSlotTable *t, uint64_t cols, const char *fmt,...)
{
	va_list		ap;
	NlpSlot		s;

	va_start(ap, fmt);
	s = declare(t, 1, cols, true, fmt, ap);
	va_end(ap);
	return s;
}

void
nlp_slot_optional(NlpSlotTable *t, NlpSlot slot)
{
	if (!t->failed)
		t->specs[slot].optional = true;
}

void
nlp_slot_tied(NlpSlotTable *t, NlpSlot slot, NlpSlot to)
{
	if (!t->failed)
		t->specs[slot].tied = to;
}

/* ---- hyper-parameters ---- */

static NlpStatus
get_u32(const NlpGguf *g, const char *arch, const char *key, uint32_t min, uint32_t max,
		uint32_t *value, bool *found, NlpError *err)
{
	char		full[160];
	uint64_t	v;
	bool		have = false;
	NlpStatus	st;

	snprintf(full, sizeof(full), "%s.%s", arch, key);
	st = nlp_gguf_u64(g, full, min, max, &v, found ? &have : NULL, err);
	if (st == NLP_OK && (have || !found))
		*value = (uint32_t) v;
	if (found)
		*found = have;
	return st;
}

static NlpStatus
get_f32(const NlpGguf *g, const char *arch, const char *key, double min, double max,
		float *value, NlpError *err)
{
	char		full[160];
	bool		have = false;

	snprintf(full, sizeof(full), "%s.%s", arch, key);
	return nlp_gguf_f32(g, full, min, max, value, &have, err);
}

static NlpStatus
rope_scaling(const NlpGguf *g, const char *arch, NlpHparams *h, NlpError *err)
{
	char		key[160];
	NlpStr		type;
	bool		found = false;
	uint32_t	original = 0;

	snprintf(key, sizeof(key), "%s.rope.scaling.type", arch);
	NLP_TRY(nlp_gguf_str(g, key, &type, &found, err));
	NLP_TRY(get_f32(g, arch, "rope.scaling.attn_factor", 1e-3, 1e3, &h->rope_attn_factor, err));
	if (!found || (type.len == 4 && memcmp(type.data, "none", 4) == 0))
		return NLP_OK;
	if (type.len == 6 && memcmp(type.data, "linear", 6) == 0)
		return get_f32(g, arch, "rope.scaling.factor", 1e-3, 1e6, &h->rope_scale, err);
	if (type.len == 8 && memcmp(type.data, "longrope", 8) == 0 && strcmp(arch, "phi3") == 0)
	{
		NLP_TRY(get_u32(g, arch, "rope.scaling.original_context_length", 1, 1u << 24, &original, &found, err));
		if (found && original < h->n_ctx)
			h->n_ctx = original;
		return NLP_OK;
	}
	nlp_fail(err, NLP_EUNSUPPORTED, "rotary scaling of this type is not supported");
	nlp_detail(err, "The file's key \"%s\" names a type other than none, linear or (for phi3) longrope.", key);
	return err ? err->status : NLP_EUNSUPPORTED;
}

/* Head counts and widths must fit each other. */
static NlpStatus
attention_shape(const NlpGguf *g, const char *arch, NlpHparams *h, NlpError *err)
{
	bool		found;
	uint32_t	value_dim;

	NLP_TRY(get_u32(g, arch, "attention.head_count", 1, 1024, &h->n_head, NULL, err));
	h->n_head_kv = h->n_head;
	NLP_TRY(get_u32(g, arch, "attention.head_count_kv", 1, 1024, &h->n_head_kv, &found, err));
	if (h->n_head % h->n_head_kv != 0)
		return nlp_fail(err, NLP_ECORRUPT, "%u attention heads cannot share %u key/value heads",
						h->n_head, h->n_head_kv);
	NLP_TRY(get_u32(g, arch, "attention.key_length", 8, 256, &h->head_dim, &found, err));
	if (!found)
	{
		if (h->width % h->n_head != 0)
			return nlp_fail(err, NLP_ECORRUPT, "embedding length %u is not a multiple of %u heads",
							h->width, h->n_head);
		h->head_dim = h->width / h->n_head;
	}
	value_dim = h->head_dim;
	NLP_TRY(get_u32(g, arch, "attention.value_length", 8, 256, &value_dim, &found, err));
	if (value_dim != h->head_dim || h->head_dim % 8 != 0 || h->head_dim > 256 || h->head_dim == 0)
		return nlp_fail(err, NLP_EUNSUPPORTED,
						"attention heads of %u for keys and %u for values are not supported", h->head_dim, value_dim);
	h->rot_dim = h->head_dim;
	NLP_TRY(get_u32(g, arch, "rope.dimension_count", 2, 256, &h->rot_dim, &found, err));
	if (h->rot_dim > h->head_dim || h->rot_dim % 2 != 0)
		return nlp_fail(err, NLP_ECORRUPT, "rotary dimension count %u does not fit heads of %u",
						h->rot_dim, h->head_dim);
	h->attn_scale = 1.0f / sqrtf((float) h->head_dim);
	return get_f32(g, arch, "attention.scale", 1e-6, 1e6, &h->attn_scale, err);
}

NlpStatus
nlp_hparams_common(const NlpGguf *g, const char *arch, NlpHparams *h, NlpError *err)
{
	const NlpGgufTensor *embd = nlp_gguf_tensor(g, "token_embd.weight");
	uint32_t	experts = 0;
	bool		found;

	memset(h, 0, sizeof(*h));
	if (!embd)
		return nlp_fail(err, NLP_ECORRUPT, "model has no tensor \"token_embd.weight\"");
	if (embd->n_dims != 2 || embd->dims[1] > (1u << 24))
		return nlp_fail(err, NLP_ECORRUPT, "tensor \"token_embd.weight\" is not a word table");
	h->n_vocab = (uint32_t) embd->dims[1];
	NLP_TRY(get_u32(g, arch, "context_length", 1, 1u << 24, &h->n_ctx, NULL, err));
	NLP_TRY(get_u32(g, arch, "embedding_length", 8, 1u << 16, &h->width, NULL, err));
	NLP_TRY(get_u32(g, arch, "block_count", 1, 1024, &h->n_layer, NULL, err));
	NLP_TRY(get_u32(g, arch, "feed_forward_length", 1, 1u << 20, &h->n_ff, NULL, err));
	NLP_TRY(get_u32(g, arch, "expert_count", 0, 1u << 16, &experts, &found, err));
	if (experts > 1)
		return nlp_fail(err, NLP_EUNSUPPORTED, "mixtures of experts are not supported");
	NLP_TRY(attention_shape(g, arch, h, err));
	h->rope_base = 10000.0f;
	NLP_TRY(get_f32(g, arch, "rope.freq_base", 1, 1e12, &h->rope_base, err));
	NLP_TRY(rope_scaling(g, arch, h, err));
	h->norm_eps = 1e-5f;
	NLP_TRY(get_f32(g, arch, "attention.layer_norm_rms_epsilon", 1e-12, 0.1, &h->norm_eps, err));
	NLP_TRY(get_f32(g, arch, "attention.layer_norm_epsilon", 1e-12, 0.1, &h->norm_eps, err));
	NLP_TRY(get_f32(g, arch, "attn_logit_softcapping", 0, 1e6, &h->attn_softcap, err));
	NLP_TRY(get_f32(g, arch, "final_logit_softcapping", 0, 1e6, &h->logit_softcap, err));
	return get_u32(g, arch, "attention.sliding_window", 0, 1u << 24, &h->window, &found, err);
}
