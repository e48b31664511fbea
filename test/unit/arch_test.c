/* arch_test.c --- every decoder architecture against transformers.
 *
 * test/golden/make_archs.py ran small models whose weights are a formula of their
 * GGUF name; here the same weights are written as GGUF in memory, loaded as any
 * file would be, and logits and greedy tokens compared with test/golden/archs.txt.
 * Keys and values are f16 here and f32 there, hence the tolerance. */
#include "check.h"

#include <math.h>

#include "../bench/engine_model.h"
#include "core/hash.h"
#include "core/philox.h"
#include "decode/decoder.h"
#include "graph/exec.h"
#include "state/kv.h"

#define TOLERANCE 0.004f
#define V 128
#define CTX 128
#define D 64
#define F 96
#define N_IDS 40
#define STEPS 12

typedef struct Shape
{
	const char *name;			/* in the golden file */
	const char *arch;
	int			layers,
				heads,
				kv_heads,
				head_dim;
	float		eps,
				rope_base;
	int			window;
	float		attn_cap,
				logit_cap;
	float		linear;			/* rope scaling factor, 0: none */
	bool		tied;
} Shape;

static const Shape shapes[] = {
	{"llama", "llama", 4, 4, 2, 16, 1e-5f, 1e4f, 0, 0, 0, 0, false},
	{"mistral-window", "llama", 4, 4, 2, 16, 1e-5f, 1e4f, 9, 0, 0, 0, false},
	{"llama-linear", "llama", 4, 4, 2, 16, 1e-5f, 1e4f, 0, 0, 0, 4, false},
	{"qwen2", "qwen2", 4, 4, 2, 16, 1e-6f, 1e6f, 0, 0, 0, 0, false},
	{"qwen3", "qwen3", 4, 4, 2, 24, 1e-6f, 1e6f, 0, 0, 0, 0, false},
	{"phi3", "phi3", 4, 4, 2, 16, 1e-5f, 1e4f, 11, 0, 0, 0, false},
	{"gemma2", "gemma2", 4, 4, 2, 24, 1e-6f, 1e4f, 9, 50, 30, 0, true},
	{"gemma3", "gemma3", 7, 4, 2, 24, 1e-6f, 1e6f, 9, 0, 0, 8, true},
	{"gpt2", "gpt2", 4, 4, 4, 16, 1e-5f, 1e4f, 0, 0, 0, 0, true},
};

/* ---- writing the model ---- */

static NlpStatus
sink_write(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return nlp_buf_append(ctx, bytes, len) ? NLP_OK : nlp_no_memory(err, len, "test file");
}

typedef struct Tensor
{
	char		name[64];
	int			rows,
				cols;
} Tensor;

static Tensor tensors[256];
static int	n_tensors;

static void
tensor(int rows, int cols, const char *fmt, int layer)
{
	Tensor	   *t = &tensors[n_tensors++];

	snprintf(t->name, sizeof(t->name), fmt, layer);
	t->rows = rows;
	t->cols = cols;
}

static void
list_tensors(const Shape *s)
{
	bool		gpt2 = strcmp(s->arch, "gpt2") == 0,
				phi3 = strcmp(s->arch, "phi3") == 0,
				gemma = strncmp(s->arch, "gemma", 5) == 0,
				qk_norm = strcmp(s->arch, "qwen3") == 0 || strcmp(s->arch, "gemma3") == 0;
	int			Hd = s->heads * s->head_dim,
				Gd = s->kv_heads * s->head_dim;

	n_tensors = 0;
	tensor(V, D, "token_embd.weight", 0);
	tensor(1, D, "output_norm.weight", 0);
	if (!s->tied)
		tensor(V, D, "output.weight", 0);
	if (gpt2)
	{
		tensor(CTX, D, "position_embd.weight", 0);
		tensor(1, D, "output_norm.bias", 0);
	}
	for (int l = 0; l < s->layers; l++)
	{
		tensor(1, D, "blk.%d.attn_norm.weight", l);
		tensor(1, D, "blk.%d.ffn_norm.weight", l);
		tensor(D, Hd, "blk.%d.attn_output.weight", l);
		tensor(phi3 ? 2 * F : F, D, "blk.%d.ffn_up.weight", l);
		tensor(D, F, "blk.%d.ffn_down.weight", l);
		if (gpt2 || phi3)
			tensor(Hd + 2 * Gd, D, "blk.%d.attn_qkv.weight", l);
		else
		{
			tensor(Hd, D, "blk.%d.attn_q.weight", l);
			tensor(Gd, D, "blk.%d.attn_k.weight", l);
			tensor(Gd, D, "blk.%d.attn_v.weight", l);
			tensor(F, D, "blk.%d.ffn_gate.weight", l);
		}
		if (strcmp(s->arch, "qwen2") == 0)
		{
			tensor(1, Hd, "blk.%d.attn_q.bias", l);
			tensor(1, Gd, "blk.%d.attn_k.bias", l);
			tensor(1, Gd, "blk.%d.attn_v.bias", l);
		}
		if (qk_norm)
		{
			tensor(1, s->head_dim, "blk.%d.attn_q_norm.weight", l);
			tensor(1, s->head_dim, "blk.%d.attn_k_norm.weight", l);
		}
		if (gemma)
		{
			tensor(1, D, "blk.%d.post_attention_norm.weight", l);
			tensor(1, D, "blk.%d.post_ffw_norm.weight", l);
		}
		if (gpt2)
		{
			tensor(1, D, "blk.%d.attn_norm.bias", l);
			tensor(1, D, "blk.%d.ffn_norm.bias", l);
			tensor(1, 3 * D, "blk.%d.attn_qkv.bias", l);
			tensor(1, D, "blk.%d.attn_output.bias", l);
			tensor(1, F, "blk.%d.ffn_up.bias", l);
			tensor(1, D, "blk.%d.ffn_down.bias", l);
		}
	}
}

/* The formula of make_archs.py. */
static void
fill(const Tensor *t, float *w)
{
	uint64_t	key = nlp_hash_bytes(t->name, strlen(t->name));
	size_t		n = strlen(t->name);
	bool		bias = n > 5 && strcmp(t->name + n - 5, ".bias") == 0;
	float		scale = (float) (1.5 / sqrt((double) t->cols));

	for (int i = 0; i < t->rows * t->cols; i++)
	{
		uint32_t	r[4];
		float		u;

		nlp_philox(key, 0, (uint64_t) i, r);
		u = (float) ((r[0] >> 8) * 0x1p-24 * 2 - 1);
		w[i] = bias ? u * 0.1f : strstr(t->name, "norm") ? 1.0f + u * 0.2f : u * scale;
	}
}

static void
put_u32(NlpGgufWriter *w, const char *arch, const char *key, uint32_t v)
{
	char		full[128];
	NlpError	err = {0};

	snprintf(full, sizeof(full), "%s.%s", arch, key);
	engine_must(nlp_gguf_put_u32(w, full, v, &err), &err);
}

static void
put_f32(NlpGgufWriter *w, const char *arch, const char *key, float v)
{
	char		full[128];
	NlpError	err = {0};

	snprintf(full, sizeof(full), "%s.%s", arch, key);
	engine_must(nlp_gguf_put_f32(w, full, v, &err), &err);
}

static void
put_vocabulary(NlpGgufWriter *w)
{
	static char text[V][8];
	NlpStr		tokens[V];
	NlpError	err = {0};

	for (int i = 0; i < V; i++)
		tokens[i] = (NlpStr) {text[i], (size_t) snprintf(text[i], sizeof(text[i]), "t%d", i)};
	engine_must(nlp_gguf_put_str(w, "tokenizer.ggml.model", "gpt2", 4, &err), &err);
	engine_must(nlp_gguf_put_str(w, "tokenizer.ggml.pre", "gpt-2", 5, &err), &err);
	engine_must(nlp_gguf_put_array(w, "tokenizer.ggml.tokens", NLP_GGUF_STRING, V, tokens, &err), &err);
	/* GPT-2's default end token is 11, which the models do produce; 126 they do not. */
	engine_must(nlp_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", V - 2, &err), &err);
	engine_must(nlp_gguf_put_array(w, "tokenizer.ggml.merges", NLP_GGUF_STRING, 0, tokens, &err), &err);
}

static void
put_keys(NlpGgufWriter *w, const Shape *s)
{
	NlpError	err = {0};
	char		key[64];

	engine_must(nlp_gguf_put_str(w, "general.architecture", s->arch, strlen(s->arch), &err), &err);
	put_u32(w, s->arch, "context_length", CTX);
	put_u32(w, s->arch, "embedding_length", D);
	put_u32(w, s->arch, "block_count", (uint32_t) s->layers);
	put_u32(w, s->arch, "feed_forward_length", F);
	put_u32(w, s->arch, "attention.head_count", (uint32_t) s->heads);
	put_u32(w, s->arch, "attention.head_count_kv", (uint32_t) s->kv_heads);
	put_u32(w, s->arch, "attention.key_length", (uint32_t) s->head_dim);
	put_u32(w, s->arch, "attention.value_length", (uint32_t) s->head_dim);
	put_f32(w, s->arch, strcmp(s->arch, "gpt2") == 0 ? "attention.layer_norm_epsilon" :
			"attention.layer_norm_rms_epsilon", s->eps);
	put_f32(w, s->arch, "rope.freq_base", s->rope_base);
	if (s->window)
		put_u32(w, s->arch, "attention.sliding_window", (uint32_t) s->window);
	if (s->attn_cap != 0)
		put_f32(w, s->arch, "attn_logit_softcapping", s->attn_cap);
	if (s->logit_cap != 0)
		put_f32(w, s->arch, "final_logit_softcapping", s->logit_cap);
	if (s->linear != 0)
	{
		snprintf(key, sizeof(key), "%s.rope.scaling.type", s->arch);
		engine_must(nlp_gguf_put_str(w, key, "linear", 6, &err), &err);
		put_f32(w, s->arch, "rope.scaling.factor", s->linear);
	}
	put_vocabulary(w);
}

static void
write_model(const Shape *s, NlpBuf *file)
{
	NlpSink		sink = {sink_write, file};
	NlpGgufWriter *w;
	NlpError	err = {0};
	float	   *values = malloc(sizeof(float) * 256 * 256);

	engine_must(nlp_gguf_writer_new(&nlp_libc_alloc, &w, &err), &err);
	put_keys(w, s);
	list_tensors(s);
	for (int i = 0; i < n_tensors; i++)
	{
		const Tensor *t = &tensors[i];
		uint64_t	dims[2] = {(uint64_t) t->cols, (uint64_t) t->rows};

		engine_must(nlp_gguf_put_tensor(w, t->name, NLP_F32, t->rows > 1 ? 2 : 1, dims, &err), &err);
	}
	engine_must(nlp_gguf_write_header(w, &sink, &err), &err);
	for (int i = 0; i < n_tensors; i++)
	{
		fill(&tensors[i], values);
		engine_must(nlp_gguf_write_data(w, &sink, values,
										sizeof(float) * (size_t) (tensors[i].rows * tensors[i].cols), &err), &err);
	}
	engine_must(nlp_gguf_write_end(w, &sink, &err), &err);
	nlp_gguf_writer_free(w);
	free(values);
}

/* ---- comparing ---- */

static void
load(NlpBuf *file, EngineModel *m)
{
	NlpMemorySource src;
	NlpImagePlan *plan;
	NlpError	err = {0};

	m->env = (NlpEnv) {.alloc = &nlp_libc_alloc};
	nlp_memory_source_init(&src, file->data, file->len);
	engine_must(nlp_image_plan(&src.source, &m->env, &plan, &err), &err);
	m->block = nlp_alloc(m->env.alloc, nlp_image_plan_bytes(plan));
	engine_must(nlp_image_build(plan, &src.source, &m->env, m->block, NULL, &err), &err);
	nlp_image_plan_free(plan);
	engine_must(nlp_model_open(m->block, m->env.alloc, &m->model, &err), &err);
}

static void
check_row(const EngineModel *m, const char *name, const int32_t *ids, char *line, float *worst)
{
	NlpDecoderStats stats;
	int32_t		top[V];
	float		prob[V];
	double		sum = 0;
	char	   *at;
	int			pos = (int) strtol(line, &at, 10);
	NlpError	err = {0};
	float		want[48],
				got[48];

	/* Logits up to a constant, from the probabilities of every token. */
	CHECK_OK(nlp_next_tokens(m->model, &m->env, ids, (size_t) pos + 1, V, top, prob, &stats, &err), err);
	for (int i = 0; i < V; i++)
	{
		if (top[i] < 48)
			got[top[i]] = logf(prob[i]);
	}
	for (int i = 0; i < 48; i++)
	{
		want[i] = strtof(at, &at);
		sum += want[i] - got[i];
	}
	for (int i = 0; i < 48; i++)
	{
		float		diff = fabsf(want[i] - got[i] - (float) (sum / 48));

		if (!(diff <= *worst))
			*worst = diff;
		CHECKF(diff < TOLERANCE, "%s position %d token %d: differs by %.5f", name, pos, i, diff);
	}
}

static void
check_greedy(const EngineModel *m, const char *name, const int32_t *ids, char *line)
{
	NlpDecoderConfig config = {.max_seqs = 1};
	NlpGenOptions options = {.max_tokens = STEPS,.ignore_eos = true,.sampling = NLP_SAMPLING_GREEDY};
	NlpDecoder *d;
	NlpGenResult r;
	NlpError	err = {0};
	NlpDecoderStats stats;
	int32_t		all[N_IDS + STEPS],
				top;
	float		prob;
	bool		busy = true;
	char	   *at = line;
	int			compared = 0;

	CHECK_OK(nlp_decoder_open(m->model, &config, &m->env, &d, &err), err);
	CHECK_OK(nlp_decoder_submit(d, 0, ids, N_IDS, &options, &err), err);
	while (busy)
		engine_must(nlp_decoder_step(d, &busy, &err), &err);
	CHECK(nlp_decoder_take(d, &r) && r.n_ids == STEPS);
	for (int i = 0; i < STEPS; i++)
	{
		long		id = strtol(at, &at, 10);
		double		gap = strtod(at + 1, &at);

		if (gap < 2 * TOLERANCE)
			break;				/* the reference itself may go either way from here */
		CHECKF(r.ids[i] == id, "%s greedy token %d: want %ld, got %d", name, i, id, r.ids[i]);
		compared++;
	}
	printf("%s: %d greedy tokens equal\n", name, compared);
	/* The same tokens come out when each is asked for from scratch. */
	memcpy(all, ids, N_IDS * sizeof(int32_t));
	for (int i = 0; i < STEPS; i++)
	{
		CHECK_OK(nlp_next_tokens(m->model, &m->env, all, (size_t) (N_IDS + i), 1, &top, &prob, &stats, &err), err);
		CHECKF(top == r.ids[i], "%s token %d alone: %d, decoding: %d", name, i, top, r.ids[i]);
		all[N_IDS + i] = r.ids[i];
	}
	nlp_decoder_close(d);
}

int
main(void)
{
	FILE	   *f = fopen("test/golden/archs.txt", "r");
	static char line[1 << 16];
	int32_t		ids[N_IDS];
	EngineModel m = {0};
	const Shape *s = NULL;
	NlpBuf		file;
	float		worst = 0;
	int			seen = 0;

	CHECK(f != NULL);
	for (int i = 0; i < N_IDS; i++)
		ids[i] = (i * 37 + 3) % V;
	nlp_buf_init(&file, &nlp_libc_alloc);
	while (f && fgets(line, sizeof(line), f))
	{
		if (strncmp(line, "model ", 6) == 0)
		{
			line[strcspn(line, "\n")] = '\0';
			s = NULL;
			for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
			{
				if (strcmp(shapes[i].name, line + 6) == 0)
					s = &shapes[i];
			}
			CHECKF(s != NULL, "%s", line);
			if (!s)
				break;
			write_model(s, &file);
			load(&file, &m);
			worst = 0;
			seen++;
		}
		else if (s && strncmp(line, "row ", 4) == 0)
			check_row(&m, s->name, ids, line + 4, &worst);
		else if (s && strncmp(line, "greedy ", 7) == 0)
		{
			check_greedy(&m, s->name, ids, line + 7);
			printf("%s: largest difference %.5f\n", s->name, worst);
			nlp_model_close(m.model);
			nlp_free(m.env.alloc, m.block);
			file.len = 0;
		}
	}
	if (f)
		fclose(f);
	nlp_buf_free(&file);
	CHECK(seen == sizeof(shapes) / sizeof(shapes[0]));
	return check_done();
}
