/* hf_tensor.c --- the weights: which GGUF tensor each one is, of what type, and the
 * copying with its transforms.
 *
 *   q, k of llama   rows of a head go from halves (x0..x_h, y0..y_h) to pairs
 *                   (x0 y0 x1 y1 ...), the order of GGUF's rotary embedding
 *   gpt2            Conv1D weights are [in, out]: transposed
 *   gemma norms     stored as w with 1 + w meant: 1 is added
 *
 * Trust:  names are matched against a table, layer numbers parsed strictly, shapes
 *         checked against heads where rows move; values that are not finite, or too
 *         large for f16, are refused. One tensor at a time is in memory, and only
 *         those whose rows move are there whole.
 * Source: transformers' module names; names and transforms as llama.cpp's converter. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "format/hf_private.h"
#include "engine_only.h"

#define CHUNK_ELEMS 65536u		/* a multiple of every block */
#define F16_MAX 65504.0f

typedef enum Transform
{
	AS_IS, PAIR_Q, PAIR_K, TRANSPOSE, PLUS_ONE, SKIP
} Transform;

struct HfTensor
{
	const NlpSafetensor *src;
	const NlpSource *file;
	char		name[64];
	uint64_t	rows,
				cols;
	uint32_t	n_dims;
	NlpDtype	dtype;			/* to be written */
	Transform	transform;
};

/* ---- names ---- */

typedef struct Rule
{
	const char *hf;				/* module */
	const char *gguf;
	unsigned	families;		/* bits of HfFamily */
	Transform	weight;			/* of its weight */
	Transform	bias;
} Rule;

#define BIT(f) (1u << (f))
#define GEMMA (BIT(HF_GEMMA2) | BIT(HF_GEMMA3))
#define ROPE (BIT(HF_LLAMA) | BIT(HF_QWEN2) | BIT(HF_QWEN3) | BIT(HF_PHI3) | GEMMA)
#define SPLIT (ROPE & ~BIT(HF_PHI3))

static const Rule top_rules[] = {
	{"embed_tokens", "token_embd", ROPE, AS_IS, AS_IS},
	{"norm", "output_norm", ROPE & ~GEMMA, AS_IS, AS_IS},
	{"norm", "output_norm", GEMMA, PLUS_ONE, AS_IS},
	{"lm_head", "output", ~0u, AS_IS, AS_IS},
	{"wte", "token_embd", BIT(HF_GPT2), AS_IS, AS_IS},
	{"wpe", "position_embd", BIT(HF_GPT2), AS_IS, AS_IS},
	{"ln_f", "output_norm", BIT(HF_GPT2), AS_IS, AS_IS},
};

static const Rule layer_rules[] = {
	{"input_layernorm", "attn_norm", ROPE & ~GEMMA, AS_IS, AS_IS},
	{"input_layernorm", "attn_norm", GEMMA, PLUS_ONE, AS_IS},
	{"self_attn.q_proj", "attn_q", BIT(HF_LLAMA), PAIR_Q, PAIR_Q},
	{"self_attn.k_proj", "attn_k", BIT(HF_LLAMA), PAIR_K, PAIR_K},
	{"self_attn.q_proj", "attn_q", SPLIT & ~BIT(HF_LLAMA), AS_IS, AS_IS},
	{"self_attn.k_proj", "attn_k", SPLIT & ~BIT(HF_LLAMA), AS_IS, AS_IS},
	{"self_attn.v_proj", "attn_v", SPLIT, AS_IS, AS_IS},
	{"self_attn.qkv_proj", "attn_qkv", BIT(HF_PHI3), AS_IS, AS_IS},
	{"self_attn.o_proj", "attn_output", ROPE, AS_IS, AS_IS},
	{"self_attn.q_norm", "attn_q_norm", BIT(HF_QWEN3), AS_IS, AS_IS},
	{"self_attn.k_norm", "attn_k_norm", BIT(HF_QWEN3), AS_IS, AS_IS},
	{"self_attn.q_norm", "attn_q_norm", BIT(HF_GEMMA3), PLUS_ONE, AS_IS},
	{"self_attn.k_norm", "attn_k_norm", BIT(HF_GEMMA3), PLUS_ONE, AS_IS},
	{"post_attention_layernorm", "ffn_norm", ROPE & ~GEMMA, AS_IS, AS_IS},
	{"post_attention_layernorm", "post_attention_norm", GEMMA, PLUS_ONE, AS_IS},
	{"pre_feedforward_layernorm", "ffn_norm", GEMMA, PLUS_ONE, AS_IS},
	{"post_feedforward_layernorm", "post_ffw_norm", GEMMA, PLUS_ONE, AS_IS},
	{"mlp.gate_proj", "ffn_gate", SPLIT, AS_IS, AS_IS},
	{"mlp.up_proj", "ffn_up", SPLIT, AS_IS, AS_IS},
	{"mlp.gate_up_proj", "ffn_up", BIT(HF_PHI3), AS_IS, AS_IS},
	{"mlp.down_proj", "ffn_down", ROPE, AS_IS, AS_IS},
	{"ln_1", "attn_norm", BIT(HF_GPT2), AS_IS, AS_IS},
	{"attn.c_attn", "attn_qkv", BIT(HF_GPT2), TRANSPOSE, AS_IS},
	{"attn.c_proj", "attn_output", BIT(HF_GPT2), TRANSPOSE, AS_IS},
	{"ln_2", "ffn_norm", BIT(HF_GPT2), AS_IS, AS_IS},
	{"mlp.c_fc", "ffn_up", BIT(HF_GPT2), TRANSPOSE, AS_IS},
	{"mlp.c_proj", "ffn_down", BIT(HF_GPT2), TRANSPOSE, AS_IS},
};

static bool
strip(const char **s, const char *prefix)
{
	size_t		n = strlen(prefix);

	if (strncmp(*s, prefix, n) != 0)
		return false;
	*s += n;
	return true;
}

static bool
ends_with(const char *s, const char *suffix)
{
	size_t		n = strlen(s),
				m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* "12." to 12: digits alone, no leading zero, below limit. */
static bool
layer_number(const char **s, uint32_t limit, uint32_t *layer)
{
	const char *p = *s;
	uint32_t	v = 0;
	int			digits = 0;

	while (*p >= '0' && *p <= '9' && digits < 5)
	{
		v = v * 10 + (uint32_t) (*p++ - '0');
		digits++;
	}
	if (digits == 0 || (digits > 1 && **s == '0') || *p != '.' || v >= limit)
		return false;
	*s = p + 1;
	*layer = v;
	return true;
}

static const Rule *
find_rule(const Rule *rules, size_t n, const char *module, size_t len, HfFamily family)
{
	for (size_t i = 0; i < n; i++)
	{
		if ((rules[i].families & BIT(family)) && strlen(rules[i].hf) == len && memcmp(rules[i].hf, module, len) == 0)
			return &rules[i];
	}
	return NULL;
}

/* Fill name and transform; false: no rule for it. */
static bool
map_name(const HfImport *h, const char *name, HfTensor *t)
{
	bool		weight = ends_with(name, ".weight");
	bool		layered;
	const char *p = name;
	const Rule *rule;
	uint32_t	layer = 0;
	size_t		len;

	t->transform = SKIP;
	if (ends_with(name, ".rotary_emb.inv_freq") || strncmp(name, "vision_tower.", 13) == 0 ||
		strncmp(name, "multi_modal_projector.", 22) == 0 || strncmp(name, "model.vision_tower.", 19) == 0 ||
		strncmp(name, "model.multi_modal_projector.", 28) == 0)
		return true;
	if (h->arch->family == HF_GPT2 && (ends_with(name, ".attn.bias") || ends_with(name, ".attn.masked_bias")))
		return true;
	strip(&p, "language_model.");
	strip(&p, "model.");
	strip(&p, "language_model.");
	strip(&p, "transformer.");
	layered = strip(&p, h->arch->family == HF_GPT2 ? "h." : "layers.");
	if ((layered && !layer_number(&p, h->shape.n_layer, &layer)) || (!weight && !ends_with(name, ".bias")))
		return false;
	len = strlen(p) - (weight ? 7 : 5);
	if (strlen(p) < (weight ? 8u : 6u))
		return false;
	rule = layered ? find_rule(layer_rules, sizeof(layer_rules) / sizeof(*layer_rules), p, len, h->arch->family)
		: find_rule(top_rules, sizeof(top_rules) / sizeof(*top_rules), p, len, h->arch->family);
	if (!rule)
		return false;
	t->transform = weight ? rule->weight : rule->bias;
	if (layered)
		snprintf(t->name, sizeof(t->name), "blk.%u.%s.%s", layer, rule->gguf, weight ? "weight" : "bias");
	else
		snprintf(t->name, sizeof(t->name), "%s.%s", rule->gguf, weight ? "weight" : "bias");
	if (h->shape.tied && strcmp(t->name, "output.weight") == 0)
		t->transform = SKIP;	/* the word table again */
	return true;
}

/* ---- types ---- */

static NlpDtype
choose_dtype(const HfImport *h, const HfTensor *t)
{
	static const NlpDtype types[] = {NLP_F32, NLP_F16, NLP_Q8_0, NLP_Q4_0, NLP_Q4_1};
	NlpDtype	dtype = types[h->output];
	bool		table = strcmp(t->name, "token_embd.weight") == 0 || strcmp(t->name, "output.weight") == 0;

	if (t->n_dims < 2 || ends_with(t->name, "_norm.weight") || !ends_with(t->name, ".weight") ||
		strcmp(t->name, "position_embd.weight") == 0)
		return NLP_F32;
	if (h->output == NLP_HF_KEEP)
		return t->src->dtype;
	if (table && (dtype == NLP_Q4_0 || dtype == NLP_Q4_1))
		dtype = NLP_Q8_0;
	if (t->cols % nlp_dtype_info(dtype)->block_elems != 0)
		dtype = NLP_F16;
	return dtype;
}

uint32_t
hf_file_type(const HfImport *h)
{
	static const uint32_t types[] = {0, 1, 7, 2, 3};
	uint64_t	f16 = 0,
				bf16 = 0,
				f32 = 0;

	if (h->output != NLP_HF_KEEP)
		return types[h->output];
	for (size_t i = 0; i < h->n_tensors; i++)
	{
		const HfTensor *t = &h->tensors[i];

		if (t->n_dims == 2)
			*(t->dtype == NLP_F16 ? &f16 : t->dtype == NLP_BF16 ? &bf16 : &f32) += t->rows * t->cols;
	}
	return bf16 > f16 && bf16 > f32 ? 32 : f16 > f32 ? 1 : 0;
}

/* ---- mapping ---- */

static NlpStatus
map_tensor(HfImport *h, size_t shard, uint64_t index, HfTensor *t, bool *take)
{
	const NlpSafetensor *s = &h->shards[shard].tensors[index];
	uint32_t	heads = 1;

	*take = false;
	if (!map_name(h, s->name.data, t))
	{
		nlp_fail_at(h->err, NLP_EUNSUPPORTED, "", s->offset, "shard %zu has a tensor that architecture \"%s\" does not use",
					shard + 1, h->arch->name);
		return nlp_detail(h->err, "It is the tensor whose data begin at byte %llu.", (unsigned long long) s->offset);
	}
	if (t->transform == SKIP)
		return NLP_OK;
	if (!s->is_float)
		return nlp_fail_at(h->err, NLP_EUNSUPPORTED, "dtype", s->offset, "tensor \"%s\" is of type %s, but must be F32, F16 or BF16",
						   t->name, s->dtype_name);
	if (s->n_dims < 1 || s->n_dims > 2 || s->elems == 0)
		return nlp_fail_at(h->err, NLP_ECORRUPT, "shape", s->offset, "tensor \"%s\" must have 1 or 2 dimensions, none empty", t->name);
	t->src = s;
	t->file = h->shard_files[shard]->source;
	t->n_dims = s->n_dims;
	t->rows = s->n_dims == 2 ? s->dims[0] : 1;
	t->cols = s->dims[s->n_dims - 1];
	if (t->transform == TRANSPOSE)
	{
		if (t->n_dims != 2)
			return nlp_fail_at(h->err, NLP_ECORRUPT, "shape", s->offset, "tensor \"%s\" must have 2 dimensions", t->name);
		t->rows = s->dims[1];
		t->cols = s->dims[0];
	}
	if (t->transform == PAIR_Q || t->transform == PAIR_K)
	{
		heads = t->transform == PAIR_Q ? h->shape.n_head : h->shape.n_head_kv;
		if ((t->n_dims == 2 ? t->rows : t->cols) % (2 * (uint64_t) heads) != 0)
			return nlp_fail_at(h->err, NLP_ECORRUPT, "shape", s->offset, "rows of tensor \"%s\" do not fit %u heads", t->name, heads);
	}
	t->dtype = choose_dtype(h, t);
	*take = true;
	return NLP_OK;
}

/* No two tensors may come to one name. */
static NlpStatus
check_distinct(HfImport *h)
{
	size_t		cap = 16;
	uint32_t   *table;

	while (cap < h->n_tensors * 2)
		cap *= 2;
	table = hf_alloc(h, cap, sizeof(uint32_t));
	if (!table)
		return hf_no_memory(h, cap * sizeof(uint32_t));
	for (size_t i = 0; i < h->n_tensors; i++)
	{
		const char *name = h->tensors[i].name;
		size_t		slot = nlp_hash_bytes(name, strlen(name)) & (cap - 1);

		/* GGUF names come from our table and a bounded layer number: no attack on the hash. */
		for (; table[slot]; slot = (slot + 1) & (cap - 1))
		{
			if (strcmp(h->tensors[table[slot] - 1].name, name) == 0)
				return nlp_fail(h->err, NLP_ECORRUPT, "model folder has tensor \"%s\" twice", name);
		}
		table[slot] = (uint32_t) i + 1;
	}
	return NLP_OK;
}

static NlpStatus
check_tables(HfImport *h)
{
	bool		output = false;

	for (size_t i = 0; i < h->n_tensors; i++)
	{
		const HfTensor *t = &h->tensors[i];

		if (strcmp(t->name, "token_embd.weight") == 0)
		{
			if (t->n_dims != 2 || t->rows > (1u << 24))
				return nlp_fail(h->err, NLP_ECORRUPT, "word table of the model folder has a wrong shape");
			h->n_vocab = (uint32_t) t->rows;
		}
		output |= strcmp(t->name, "output.weight") == 0;
	}
	if (h->n_vocab == 0)
		return nlp_fail(h->err, NLP_ECORRUPT, "model folder has no word table");
	if (!output && !h->shape.tied)
		return nlp_fail(h->err, NLP_ECORRUPT, "model folder has no lm_head.weight, and config.json does not tie it to the word table");
	return NLP_OK;
}

NlpStatus
hf_tensors_map(HfImport *h)
{
	size_t		total = 0;

	for (size_t s = 0; s < h->n_shards; s++)
		total += (size_t) h->shards[s].n;
	h->tensors = hf_alloc(h, total, sizeof(HfTensor));
	if (!h->tensors)
		return hf_no_memory(h, total * sizeof(HfTensor));
	for (size_t s = 0; s < h->n_shards; s++)
	{
		for (uint64_t i = 0; i < h->shards[s].n; i++)
		{
			bool		take;

			NLP_TRY(map_tensor(h, s, i, &h->tensors[h->n_tensors], &take));
			h->n_tensors += take;
		}
		NLP_TRY(nlp_poll(h->env, h->err));
	}
	NLP_TRY(check_distinct(h));
	return check_tables(h);
}

NlpStatus
hf_tensors_declare(HfImport *h)
{
	for (uint32_t i = 0; i < h->n_extra; i++)
	{
		uint64_t	n = h->extra[i].n;

		NLP_TRY(nlp_gguf_put_tensor(h->w, h->extra[i].name, NLP_F32, 1, &n, h->err));
	}
	for (size_t i = 0; i < h->n_tensors; i++)
	{
		const HfTensor *t = &h->tensors[i];
		uint64_t	dims[2] = {t->cols, t->rows};

		NLP_TRY(nlp_gguf_put_tensor(h->w, t->name, t->dtype, t->n_dims, dims, h->err));
	}
	return NLP_OK;
}

/* ---- data ---- */

typedef struct Copy
{
	HfImport   *h;
	const NlpSink *sink;
	float	   *f32;			/* [CHUNK_ELEMS] */
	char	   *out;			/* CHUNK_ELEMS in the written type, at most 4 bytes each */
	char	   *raw;			/* CHUNK_ELEMS in the file's type, at most 4 bytes each */
} Copy;

/* Check n values in c->f32, convert and write them. n is a multiple of the block. */
static NlpStatus
emit(Copy *c, const HfTensor *t, size_t n)
{
	float		limit = t->dtype == NLP_F32 || t->dtype == NLP_BF16 ? HUGE_VALF : F16_MAX;
	const NlpDtypeInfo *info = nlp_dtype_info(t->dtype);

	for (size_t i = 0; i < n; i++)
	{
		if (t->transform == PLUS_ONE)
			c->f32[i] += 1.0f;
		if (!isfinite(c->f32[i]))
			return nlp_fail_at(c->h->err, NLP_ECORRUPT, t->name, t->src->offset, "tensor \"%s\" has a value that is not finite", t->name);
		if (fabsf(c->f32[i]) > limit)
		{
			nlp_fail_at(c->h->err, NLP_ECORRUPT, t->name, t->src->offset, "tensor \"%s\" has a value too large for %s",
						t->name, info->name);
			return nlp_hint(c->h->err, "Import it with the types that it has (output \"keep\").");
		}
	}
	nlp_dtype_from_f32(t->dtype, c->f32, c->out, n);
	return nlp_gguf_write_data(c->h->w, c->sink, c->out, n / info->block_elems * info->block_bytes, c->h->err);
}

/* Values in the order of the file. Rows are whole blocks, so any multiple of a
 * block may end a chunk. */
static NlpStatus
copy_straight(Copy *c, const HfTensor *t)
{
	size_t		size = nlp_dtype_info(t->src->dtype)->block_bytes;

	for (uint64_t at = 0; at < t->src->elems; at += CHUNK_ELEMS)
	{
		size_t		n = t->src->elems - at < CHUNK_ELEMS ? (size_t) (t->src->elems - at) : CHUNK_ELEMS;

		NLP_TRY(nlp_poll(c->h->env, c->h->err));
		NLP_TRY(t->file->read(t->file->ctx, t->src->offset + at * size, n * size, c->raw, c->h->err));
		nlp_dtype_to_f32(t->src->dtype, c->raw, c->f32, n);
		NLP_TRY(emit(c, t, n));
	}
	return NLP_OK;
}

/* Where element (row, col) of the output lies in the source. */
static inline uint64_t
source_index(const HfTensor *t, uint32_t heads, uint64_t row, uint64_t col)
{
	uint64_t	head_rows,
				in_head;

	if (t->transform == TRANSPOSE)
		return col * t->rows + row;
	head_rows = (t->n_dims == 2 ? t->rows : t->cols) / heads;
	if (t->n_dims == 1)
	{
		row = col;
		col = 0;
	}
	in_head = row % head_rows;
	row = row - in_head + in_head % 2 * (head_rows / 2) + in_head / 2;
	return t->n_dims == 2 ? row * t->cols + col : row;
}

static NlpStatus
copy_moved(Copy *c, const HfTensor *t, const char *whole)
{
	size_t		size = nlp_dtype_info(t->src->dtype)->block_bytes;
	uint32_t	heads = t->transform == PAIR_K ? c->h->shape.n_head_kv : c->h->shape.n_head;
	uint64_t	row = 0,
				col = 0;

	for (uint64_t at = 0; at < t->src->elems; at += CHUNK_ELEMS)
	{
		size_t		n = t->src->elems - at < CHUNK_ELEMS ? (size_t) (t->src->elems - at) : CHUNK_ELEMS;

		NLP_TRY(nlp_poll(c->h->env, c->h->err));
		for (size_t i = 0; i < n; i++)
		{
			memcpy(c->raw + i * size, whole + source_index(t, heads, row, col) * size, size);
			if (++col == t->cols)
			{
				col = 0;
				row++;
			}
		}
		nlp_dtype_to_f32(t->src->dtype, c->raw, c->f32, n);
		NLP_TRY(emit(c, t, n));
	}
	return NLP_OK;
}

static NlpStatus
copy_tensor(Copy *c, const HfTensor *t)
{
	const NlpAlloc *alloc = c->h->env->alloc;
	char	   *whole;
	NlpStatus	st;

	if (t->transform == AS_IS || t->transform == PLUS_ONE)
		return copy_straight(c, t);
	whole = nlp_alloc(alloc, (size_t) t->src->bytes);
	if (!whole)
		return hf_no_memory(c->h, (size_t) t->src->bytes);
	st = t->file->read(t->file->ctx, t->src->offset, (size_t) t->src->bytes, whole, c->h->err);
	if (st == NLP_OK)
		st = copy_moved(c, t, whole);
	nlp_free(alloc, whole);
	return st;
}

NlpStatus
hf_tensors_write(HfImport *h, const NlpSink *sink, volatile uint64_t *done)
{
	Copy		c = {h, sink, NULL, NULL, NULL};

	c.f32 = hf_alloc(h, CHUNK_ELEMS, sizeof(float));
	c.out = hf_alloc(h, CHUNK_ELEMS, sizeof(float));
	c.raw = hf_alloc(h, CHUNK_ELEMS, sizeof(float));
	if (!c.f32 || !c.out || !c.raw)
		return hf_no_memory(h, CHUNK_ELEMS * sizeof(float));
	for (uint32_t i = 0; i < h->n_extra; i++)
		NLP_TRY(nlp_gguf_write_data(h->w, sink, h->extra[i].values, h->extra[i].n * sizeof(float), h->err));
	for (size_t i = 0; i < h->n_tensors; i++)
	{
		NLP_TRY(copy_tensor(&c, &h->tensors[i]));
		if (done)
			*done += h->tensors[i].src->bytes;
	}
	return NLP_OK;
}
