/* hf_config.c --- config.json: what the model is, and the <arch>.* keys that say so.
 *
 * Trust:  values are typed and ranged here; that they agree with the tensors is
 *         checked again when the GGUF is loaded. An option that changes the network
 *         and that the engine does not compute is refused, never passed over.
 * Source: the configuration classes of transformers for names and defaults;
 *         llama.cpp's converter for keys. Departs from the latter: a Mistral sliding
 *         window and a query scale of Gemma's are written, and Phi-3's longrope type. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format/hf_private.h"
#include "engine_only.h"

static const HfArch archs[] = {
	{"llama", "llama", HF_LLAMA, "silu", false},
	{"mistral", "llama", HF_LLAMA, "silu", false},
	{"gpt2", "gpt2", HF_GPT2, "gelu_new", true},
	{"qwen2", "qwen2", HF_QWEN2, "silu", false},
	{"qwen3", "qwen3", HF_QWEN3, "silu", false},
	{"phi3", "phi3", HF_PHI3, "silu", false},
	{"gemma2", "gemma2", HF_GEMMA2, "gelu_pytorch_tanh", true},
	{"gemma3_text", "gemma3", HF_GEMMA3, "gelu_pytorch_tanh", true},
	{"gemma3", "gemma3", HF_GEMMA3, "gelu_pytorch_tanh", true},
};

/* ---- values ---- */

const json_t *
hf_config_value(const HfImport *h, const char *names)
{
	char		name[64];

	while (*names)
	{
		size_t		len = strcspn(names, "|");
		const json_t *v;

		snprintf(name, sizeof(name), "%.*s", (int) len, names);
		v = json_object_get(h->text, name);
		if (!v || json_is_null(v))
			v = json_object_get(h->config, name);
		if (v && !json_is_null(v))
			return v;
		names += len;
		names += *names == '|';
	}
	return NULL;
}

static NlpStatus
missing(HfImport *h, const char *names)
{
	return nlp_fail(h->err, NLP_ECORRUPT, "config.json has no \"%.*s\"", (int) strcspn(names, "|"), names);
}

/* found NULL: required. */
static NlpStatus
get_u32(HfImport *h, const char *names, uint32_t min, uint32_t max, uint32_t *out, bool *found)
{
	const json_t *v = hf_config_value(h, names);

	if (found)
		*found = v != NULL;
	if (!v)
		return found ? NLP_OK : missing(h, names);
	if (!json_is_integer(v) || json_integer_value(v) < (json_int_t) min || json_integer_value(v) > (json_int_t) max)
		return nlp_fail(h->err, NLP_ECORRUPT, "\"%.*s\" of config.json must be an integer between %u and %u",
						(int) strcspn(names, "|"), names, min, max);
	*out = (uint32_t) json_integer_value(v);
	return NLP_OK;
}

static NlpStatus
number(HfImport *h, const json_t *v, const char *name, double min, double max, double *out)
{
	if (!json_is_number(v) || !(json_number_value(v) >= min && json_number_value(v) <= max))
		return nlp_fail(h->err, NLP_ECORRUPT, "\"%s\" of config.json must be a number between %g and %g", name, min, max);
	*out = json_number_value(v);
	return NLP_OK;
}

static NlpStatus
get_number(HfImport *h, const char *name, double min, double max, double *out, bool *found)
{
	const json_t *v = hf_config_value(h, name);

	if (found)
		*found = v != NULL;
	if (!v)
		return found ? NLP_OK : missing(h, name);
	return number(h, v, name, min, max, out);
}

static NlpStatus
unsupported(HfImport *h, const char *what)
{
	return nlp_fail(h->err, NLP_EUNSUPPORTED, "config.json asks for %s, which is not supported for this architecture", what);
}

/* ---- what the model is ---- */

static NlpStatus
find_arch(HfImport *h)
{
	const json_t *type = json_object_get(h->config, "model_type");
	char		list[200] = "";

	if (!json_is_string(type))
		return nlp_fail(h->err, NLP_ECORRUPT, "config.json has no \"model_type\"");
	for (size_t i = 0; i < sizeof(archs) / sizeof(archs[0]); i++)
	{
		if (hf_is(type, archs[i].model_type))
			h->arch = &archs[i];
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", archs[i].model_type);
	}
	if (!h->arch)
	{
		nlp_fail(h->err, NLP_EUNSUPPORTED, "model_type of config.json is not supported");
		return nlp_hint(h->err, "Supported are: %s.", list);
	}
	h->text = json_object_get(h->config, "text_config");
	if (!h->text)
		h->text = h->config;
	if (!json_is_object(h->text))
		return nlp_fail(h->err, NLP_ECORRUPT, "\"text_config\" of config.json is not an object");
	return NLP_OK;
}

static NlpStatus
read_shape(HfImport *h)
{
	HfShape    *s = &h->shape;
	bool		gemma3 = h->arch->family == HF_GEMMA3;
	bool		found;
	const json_t *tied = hf_config_value(h, "tie_word_embeddings");

	NLP_TRY(get_u32(h, "num_hidden_layers|n_layer", 1, 1024, &s->n_layer, NULL));
	NLP_TRY(get_u32(h, "hidden_size|n_embd", 1, 1u << 16, &s->width, NULL));
	s->n_head = 8;
	NLP_TRY(get_u32(h, "num_attention_heads|n_head", 1, 1024, &s->n_head, gemma3 ? &found : NULL));
	s->n_head_kv = gemma3 ? 4 : s->n_head;
	NLP_TRY(get_u32(h, "num_key_value_heads", 1, 1024, &s->n_head_kv, &found));
	s->head_dim = 0;
	NLP_TRY(get_u32(h, "head_dim", 1, 1024, &s->head_dim, &found));
	if (!found)
		s->head_dim = h->arch->family == HF_GEMMA3 || h->arch->family == HF_GEMMA2 ? 256
			: h->arch->family == HF_QWEN3 ? 128 : s->width / s->n_head;
	if (s->head_dim == 0 || s->n_head % s->n_head_kv != 0)
		return nlp_fail(h->err, NLP_ECORRUPT, "head counts of config.json do not fit each other or the hidden size");
	s->n_ctx = gemma3 ? 131072 : 0;
	NLP_TRY(get_u32(h, "max_position_embeddings|n_positions|n_ctx", 1, 1u << 24, &s->n_ctx, gemma3 ? &found : NULL));
	s->tied = tied ? json_is_true(tied) : h->arch->tied;
	return NLP_OK;
}

/* Members that would make it another network. */
static NlpStatus
check_network(HfImport *h)
{
	const json_t *act = hf_config_value(h, h->arch->family == HF_GPT2 ? "activation_function"
										: "hidden_activation|hidden_act");

	if (act && !hf_is(act, h->arch->activation) &&
		!(strcmp(h->arch->activation, "gelu_new") == 0 && hf_is(act, "gelu_pytorch_tanh")))
		return unsupported(h, "another activation");
	if (hf_config_value(h, "quantization_config"))
		return unsupported(h, "quantised weights");
	if (hf_config_value(h, "num_local_experts|num_experts"))
		return unsupported(h, "a mixture of experts");
	if (json_is_true(hf_config_value(h, "scale_attn_by_inverse_layer_idx")) ||
		json_is_true(hf_config_value(h, "add_cross_attention")) ||
		json_is_false(hf_config_value(h, "scale_attn_weights")))
		return unsupported(h, "another scaling of attention or cross-attention");
	if (json_is_true(hf_config_value(h, "use_sliding_window")))
		return unsupported(h, "a sliding window");
	return NLP_OK;
}

/* ---- rotary embedding ---- */

/* rope_parameters of recent configs, rope_scaling of older ones; the part for full
 * attention when there are two. NULL: none. */
static const json_t *
rope_object(const HfImport *h)
{
	const json_t *rope = hf_config_value(h, "rope_parameters|rope_scaling");
	const json_t *full = json_object_get(rope, "full_attention");

	return json_is_object(full) ? full : json_is_object(rope) ? rope : NULL;
}

static const char *
rope_type(const HfImport *h)
{
	const json_t *rope = rope_object(h);
	const json_t *type = json_object_get(rope, "rope_type");

	if (!json_is_string(type))
		type = json_object_get(rope, "type");
	return json_is_string(type) ? json_string_value(type) : "default";
}

static NlpStatus
rope_number(HfImport *h, const char *name, double fallback, double min, double max, double *out)
{
	const json_t *v = json_object_get(rope_object(h), name);

	if (!v || json_is_null(v))
		v = hf_config_value(h, name);
	*out = fallback;
	return v ? number(h, v, name, min, max, out) : NLP_OK;
}

static NlpStatus
add_extra(HfImport *h, const char *name, uint32_t n, float **values)
{
	HfExtra    *e = &h->extra[h->n_extra++];

	snprintf(e->name, sizeof(e->name), "%s", name);
	e->n = n;
	e->values = hf_alloc(h, n, sizeof(float));
	if (!e->values)
		return hf_no_memory(h, n * sizeof(float));
	*values = e->values;
	return NLP_OK;
}

/* Llama 3.1's scaling as factors by which each frequency is divided: none for short
 * waves, all of factor for long ones, between them by the wave's place. */
static NlpStatus
llama3_factors(HfImport *h)
{
	double		theta,
				factor,
				low,
				high,
				old_ctx;
	uint32_t	n = h->shape.head_dim / 2;
	float	   *out = NULL;

	NLP_TRY(rope_number(h, "rope_theta", 10000, 1, 1e12, &theta));
	NLP_TRY(rope_number(h, "factor", 8, 1e-3, 1e6, &factor));
	NLP_TRY(rope_number(h, "low_freq_factor", 1, 1e-3, 1e6, &low));
	NLP_TRY(rope_number(h, "high_freq_factor", 4, 1e-3, 1e6, &high));
	NLP_TRY(rope_number(h, "original_max_position_embeddings", 8192, 1, 1e9, &old_ctx));
	NLP_TRY(add_extra(h, "rope_freqs.weight", n, &out));
	/* In f32, as transformers computes them. */
	for (uint32_t i = 0; i < n; i++)
	{
		float		freq = 1.0f / powf((float) theta, (float) (2 * i) / (float) h->shape.head_dim);
		float		wave = (float) (2 * M_PI) / freq;

		if (wave < (float) (old_ctx / high))
			out[i] = 1;
		else if (wave > (float) (old_ctx / low))
			out[i] = (float) factor;
		else
		{
			float		smooth = ((float) old_ctx / wave - (float) low) / (float) (high - low);

			out[i] = 1.0f / ((1.0f - smooth) / (float) factor + smooth);
		}
	}
	return NLP_OK;
}

static NlpStatus
factor_list(HfImport *h, const char *member, const char *tensor, uint32_t n)
{
	const json_t *list = json_object_get(rope_object(h), member);
	float	   *out = NULL;

	if (!json_is_array(list) || json_array_size(list) != n)
		return nlp_fail(h->err, NLP_ECORRUPT, "\"%s\" of config.json must be a list of %u numbers", member, n);
	NLP_TRY(add_extra(h, tensor, n, &out));
	for (uint32_t i = 0; i < n; i++)
	{
		double		v = 0;

		NLP_TRY(number(h, json_array_get(list, i), member, 1e-6, 1e6, &v));
		out[i] = (float) v;
	}
	return NLP_OK;
}

static NlpStatus
rot_dim(HfImport *h, uint32_t *dim)
{
	double		part;

	NLP_TRY(rope_number(h, "partial_rotary_factor", 1, 0.01, 1, &part));
	*dim = (uint32_t) (part * h->shape.width) / h->shape.n_head;
	return NLP_OK;
}

static NlpStatus
read_rope(HfImport *h)
{
	const char *type = rope_type(h);
	uint32_t	dim;

	if (h->arch->family == HF_GPT2 || strcmp(type, "default") == 0 || strcmp(type, "linear") == 0)
		return NLP_OK;
	if (strcmp(type, "llama3") == 0 && h->arch->family == HF_LLAMA)
		return llama3_factors(h);
	if ((strcmp(type, "longrope") == 0 || strcmp(type, "su") == 0) && h->arch->family == HF_PHI3)
	{
		NLP_TRY(rot_dim(h, &dim));
		NLP_TRY(factor_list(h, "long_factor", "rope_factors_long.weight", dim / 2));
		return factor_list(h, "short_factor", "rope_factors_short.weight", dim / 2);
	}
	return unsupported(h, "this scaling of rotary positions");
}

/* Which layers see a window only must be as the architecture has it: every period-th
 * layer is full, the others are not. */
static NlpStatus
check_layer_types(HfImport *h, uint32_t period)
{
	const json_t *types = hf_config_value(h, "layer_types");
	uint32_t	pattern = period;
	bool		found;

	NLP_TRY(get_u32(h, "sliding_window_pattern|_sliding_window_pattern", 1, 1024, &pattern, &found));
	if (pattern != period)
		return unsupported(h, "another pattern of windowed layers");
	for (size_t i = 0; i < json_array_size(types); i++)
	{
		const char *want = (i + 1) % period == 0 ? "full_attention" : "sliding_attention";

		if (!hf_is(json_array_get(types, i), want))
			return unsupported(h, "another pattern of windowed layers");
	}
	return NLP_OK;
}

/* In the other architectures no layer may be windowed by its type. */
static NlpStatus
check_all_full(HfImport *h)
{
	const json_t *types = hf_config_value(h, "layer_types");

	for (size_t i = 0; i < json_array_size(types); i++)
	{
		if (!hf_is(json_array_get(types, i), "full_attention"))
			return unsupported(h, "a pattern of windowed layers");
	}
	return NLP_OK;
}

NlpStatus
hf_config_read(HfImport *h)
{
	NLP_TRY(find_arch(h));
	NLP_TRY(read_shape(h));
	NLP_TRY(check_network(h));
	if (h->arch->family == HF_GEMMA2)
		NLP_TRY(check_layer_types(h, 2));
	else if (h->arch->family == HF_GEMMA3)
		NLP_TRY(check_layer_types(h, 6));
	else if (h->arch->family == HF_QWEN2 || h->arch->family == HF_QWEN3)
		NLP_TRY(check_all_full(h));
	return read_rope(h);
}

/* ---- keys ---- */

static NlpStatus
put_u32(HfImport *h, const char *key, uint32_t v)
{
	char		full[96];

	snprintf(full, sizeof(full), "%s.%s", h->arch->name, key);
	return nlp_gguf_put_u32(h->w, full, v, h->err);
}

static NlpStatus
put_f32(HfImport *h, const char *key, double v)
{
	char		full[96];

	snprintf(full, sizeof(full), "%s.%s", h->arch->name, key);
	return nlp_gguf_put_f32(h->w, full, (float) v, h->err);
}

static NlpStatus
put_str(HfImport *h, const char *key, const char *v)
{
	char		full[96];

	snprintf(full, sizeof(full), "%s.%s", h->arch->name, key);
	return nlp_gguf_put_str(h->w, full, v, strlen(v), h->err);
}

static NlpStatus
write_gpt2(HfImport *h)
{
	uint32_t	inner = 4 * h->shape.width;
	bool		found;
	double		eps = 1e-5;

	NLP_TRY(get_u32(h, "n_inner", 1, 1u << 20, &inner, &found));
	NLP_TRY(get_number(h, "layer_norm_epsilon", 1e-12, 0.1, &eps, &found));
	NLP_TRY(put_u32(h, "feed_forward_length", inner));
	NLP_TRY(put_u32(h, "attention.head_count", h->shape.n_head));
	return put_f32(h, "attention.layer_norm_epsilon", eps);
}

static NlpStatus
write_rope(HfImport *h)
{
	bool		gemma3 = h->arch->family == HF_GEMMA3;
	const char *type = rope_type(h);
	double		theta,
				factor;

	NLP_TRY(rope_number(h, "rope_theta", gemma3 ? 1000000 : 10000, 1, 1e12, &theta));
	NLP_TRY(put_f32(h, "rope.freq_base", theta));
	if (gemma3)
	{
		const json_t *local = json_object_get(json_object_get(hf_config_value(h, "rope_parameters"), "sliding_attention"),
											  "rope_theta");

		if (!local)
			local = hf_config_value(h, "rope_local_base_freq");
		if (local && json_number_value(local) != 10000.0)
			return unsupported(h, "another rotary base of windowed layers");
	}
	if (strcmp(type, "linear") == 0)
	{
		NLP_TRY(rope_number(h, "factor", 1, 1e-3, 1e6, &factor));
		NLP_TRY(put_str(h, "rope.scaling.type", "linear"));
		NLP_TRY(put_f32(h, "rope.scaling.factor", factor));
	}
	return NLP_OK;
}

static NlpStatus
write_phi3(HfImport *h)
{
	double		original;
	uint32_t	dim;

	NLP_TRY(rot_dim(h, &dim));
	NLP_TRY(put_u32(h, "rope.dimension_count", dim));
	NLP_TRY(rope_number(h, "original_max_position_embeddings", h->shape.n_ctx, 2, 1e9, &original));
	NLP_TRY(put_u32(h, "rope.scaling.original_context_length", (uint32_t) original));
	if (h->n_extra > 0)
	{
		double		scale = h->shape.n_ctx / original;

		NLP_TRY(put_str(h, "rope.scaling.type", "longrope"));
		NLP_TRY(put_f32(h, "rope.scaling.attn_factor", scale > 1 ? sqrt(1 + log(scale) / log(original)) : 1.0));
	}
	return NLP_OK;
}

/* Scores are scaled by 1/sqrt(query_pre_attn_scalar). GGUF has a key for it that
 * llama.cpp does not read for Gemma, so it is written only where it is not 1/sqrt(d). */
static NlpStatus
write_gemma(HfImport *h)
{
	double		scalar = h->shape.head_dim,
				cap = 0;
	bool		found;

	NLP_TRY(get_number(h, "query_pre_attn_scalar", 1e-3, 1e6, &scalar, &found));
	if (scalar != h->shape.head_dim)
		NLP_TRY(put_f32(h, "attention.scale", 1 / sqrt(scalar)));
	NLP_TRY(get_number(h, "attn_logit_softcapping", 0, 1e6, &cap, &found));
	if (found && h->arch->family == HF_GEMMA3)
		return unsupported(h, "a soft cap of attention");
	if (found)
		NLP_TRY(put_f32(h, "attn_logit_softcapping", cap));
	NLP_TRY(get_number(h, "final_logit_softcapping", 0, 1e6, &cap, &found));
	if (found)
		NLP_TRY(put_f32(h, "final_logit_softcapping", cap));
	return NLP_OK;
}

static NlpStatus
write_window(HfImport *h)
{
	HfFamily	f = h->arch->family;
	uint32_t	window = f == HF_GEMMA2 || f == HF_GEMMA3 ? 4096 : 0;
	bool		found;

	if (f == HF_QWEN2 || f == HF_QWEN3)
		return NLP_OK;			/* named there, but used by none */
	NLP_TRY(get_u32(h, "sliding_window", 1, 1u << 24, &window, &found));
	if (f == HF_LLAMA && (!found || strcmp(h->arch->model_type, "mistral") != 0))
		return NLP_OK;
	return put_u32(h, "attention.sliding_window", window);
}

NlpStatus
hf_config_write(HfImport *h)
{
	HfFamily	f = h->arch->family;
	uint32_t	n_ff;
	double		eps = 1e-6;
	bool		found;

	NLP_TRY(put_u32(h, "block_count", h->shape.n_layer));
	NLP_TRY(put_u32(h, "context_length", h->shape.n_ctx));
	NLP_TRY(put_u32(h, "embedding_length", h->shape.width));
	if (f == HF_GPT2)
		return write_gpt2(h);
	NLP_TRY(get_u32(h, "intermediate_size", 1, 1u << 20, &n_ff, NULL));
	NLP_TRY(put_u32(h, "feed_forward_length", n_ff));
	NLP_TRY(put_u32(h, "attention.head_count", h->shape.n_head));
	NLP_TRY(put_u32(h, "attention.head_count_kv", h->shape.n_head_kv));
	NLP_TRY(write_rope(h));
	NLP_TRY(get_number(h, "rms_norm_eps", 1e-12, 0.1, &eps, &found));
	NLP_TRY(put_f32(h, "attention.layer_norm_rms_epsilon", eps));
	if (f != HF_PHI3)
	{
		NLP_TRY(put_u32(h, "attention.key_length", h->shape.head_dim));
		NLP_TRY(put_u32(h, "attention.value_length", h->shape.head_dim));
	}
	NLP_TRY(write_window(h));
	if (f == HF_LLAMA)
	{
		NLP_TRY(put_u32(h, "vocab_size", h->n_vocab));
		NLP_TRY(put_u32(h, "rope.dimension_count", h->shape.head_dim));
	}
	if (f == HF_PHI3)
		NLP_TRY(write_phi3(h));
	if (f == HF_GEMMA2 || f == HF_GEMMA3)
		NLP_TRY(write_gemma(h));
	return NLP_OK;
}
