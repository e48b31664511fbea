/* random_llama.c --- write a llama model with random F16 weights and the vocabulary
 * of another file: something of real size to quantise and measure where no real
 * weights are to be had. Never shipped.
 *
 * usage: random_llama VOCABULARY.gguf OUT.gguf [width layers heads kv_heads ffn]
 * Weights: Philox by tensor number and index, uniform, scaled by 1/sqrt(K). */
#include <math.h>
#include <string.h>

#include "../test/bench/engine_model.h"
#include "core/half.h"
#include "core/philox.h"
#include "format/gguf.h"

static NlpStatus
file_write(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return fwrite(bytes, 1, len, ctx) == len ? NLP_OK : nlp_fail(err, NLP_EIO, "could not write");
}

static void
copy_vocabulary(const NlpGguf *g, NlpGgufWriter *w)
{
	NlpError	err = {0};

	for (uint64_t i = 0; i < g->n_kv; i++)
	{
		const NlpGgufKv *kv = &g->kv[i];
		NlpStatus	st = NLP_OK;

		if (strncmp(kv->key.data, "tokenizer.", 10) != 0)
			continue;
		if (kv->type == NLP_GGUF_ARRAY)
			st = nlp_gguf_put_array(w, kv->key.data, kv->elem, kv->count, kv->data, &err);
		else if (kv->type == NLP_GGUF_STRING)
			st = nlp_gguf_put_str(w, kv->key.data, ((const NlpStr *) kv->data)->data, ((const NlpStr *) kv->data)->len, &err);
		else if (kv->type == NLP_GGUF_U32)
			st = nlp_gguf_put_u32(w, kv->key.data, *(const uint32_t *) kv->data, &err);
		else if (kv->type == NLP_GGUF_BOOL)
			st = nlp_gguf_put_bool(w, kv->key.data, *(const uint8_t *) kv->data != 0, &err);
		engine_must(st, &err);
	}
}

typedef struct Tensor
{
	char		name[64];
	uint64_t	rows,
				cols;
} Tensor;

static Tensor tensors[4096];
static int	n_tensors;

static void
tensor(uint64_t rows, uint64_t cols, const char *fmt, int layer)
{
	Tensor	   *t = &tensors[n_tensors++];

	snprintf(t->name, sizeof(t->name), fmt, layer);
	t->rows = rows;
	t->cols = cols;
}

static void
write_tensor(const Tensor *t, int number, NlpGgufWriter *w, const NlpSink *sink)
{
	NlpError	err = {0};
	bool		norm = t->rows == 1;
	size_t		n = (size_t) t->cols;
	float	   *f = malloc(n * sizeof(float));
	uint16_t   *h = malloc(n * sizeof(uint16_t));
	float		scale = 1.7f / sqrtf((float) t->cols);

	for (uint64_t r = 0; r < t->rows; r++)
	{
		for (size_t i = 0; i < n; i++)
		{
			float		u = (float) (nlp_philox_uniform((uint64_t) number, r, i) * 2 - 1);

			f[i] = norm ? 1.0f + 0.1f * u : u * scale;
			h[i] = nlp_f32_to_f16(f[i]);
		}
		if (norm)
			engine_must(nlp_gguf_write_data(w, sink, f, n * sizeof(float), &err), &err);
		else
			engine_must(nlp_gguf_write_data(w, sink, h, n * sizeof(uint16_t), &err), &err);
	}
	free(f);
	free(h);
}

int
main(int argc, char **argv)
{
	NlpFileSource src;
	NlpEnv		env = {.alloc = &nlp_libc_alloc};
	NlpError	err = {0};
	NlpGguf		g;
	NlpGgufWriter *w;
	FILE	   *out;
	NlpSink		sink = {file_write, NULL};
	uint32_t	shape[5] = {1024, 12, 16, 4, 2816};
	const NlpGgufKv *tokens;

	if (argc < 3 || !(out = fopen(argv[2], "wb")))
	{
		fprintf(stderr, "usage: random_llama VOCABULARY.gguf OUT.gguf [width layers heads kv_heads ffn]\n");
		return 2;
	}
	for (int i = 3; i < argc && i < 8; i++)
		shape[i - 3] = (uint32_t) atoi(argv[i]);
	sink.ctx = out;
	engine_must(nlp_file_source_open(&src, argv[1], &err), &err);
	engine_must(nlp_gguf_open(&src.source, &env, &g, &err), &err);
	engine_must(nlp_gguf_array(&g, "tokenizer.ggml.tokens", NLP_GGUF_STRING, &tokens, NULL, &err), &err);
	engine_must(nlp_gguf_writer_new(env.alloc, &w, &err), &err);
	engine_must(nlp_gguf_put_str(w, "general.architecture", "llama", 5, &err), &err);
	engine_must(nlp_gguf_put_u32(w, "llama.context_length", 2048, &err), &err);
	engine_must(nlp_gguf_put_u32(w, "llama.embedding_length", shape[0], &err), &err);
	engine_must(nlp_gguf_put_u32(w, "llama.block_count", shape[1], &err), &err);
	engine_must(nlp_gguf_put_u32(w, "llama.attention.head_count", shape[2], &err), &err);
	engine_must(nlp_gguf_put_u32(w, "llama.attention.head_count_kv", shape[3], &err), &err);
	engine_must(nlp_gguf_put_u32(w, "llama.feed_forward_length", shape[4], &err), &err);
	engine_must(nlp_gguf_put_u32(w, "llama.rope.dimension_count", shape[0] / shape[2], &err), &err);
	engine_must(nlp_gguf_put_f32(w, "llama.attention.layer_norm_rms_epsilon", 1e-5f, &err), &err);
	engine_must(nlp_gguf_put_f32(w, "llama.rope.freq_base", 10000, &err), &err);
	copy_vocabulary(&g, w);
	tensor(tokens->count, shape[0], "token_embd.weight", 0);
	tensor(tokens->count, shape[0], "output.weight", 0);
	tensor(1, shape[0], "output_norm.weight", 0);
	for (int l = 0; l < (int) shape[1]; l++)
	{
		uint64_t	kv = shape[0] / shape[2] * shape[3];

		tensor(1, shape[0], "blk.%d.attn_norm.weight", l);
		tensor(shape[0], shape[0], "blk.%d.attn_q.weight", l);
		tensor(kv, shape[0], "blk.%d.attn_k.weight", l);
		tensor(kv, shape[0], "blk.%d.attn_v.weight", l);
		tensor(shape[0], shape[0], "blk.%d.attn_output.weight", l);
		tensor(1, shape[0], "blk.%d.ffn_norm.weight", l);
		tensor(shape[4], shape[0], "blk.%d.ffn_gate.weight", l);
		tensor(shape[4], shape[0], "blk.%d.ffn_up.weight", l);
		tensor(shape[0], shape[4], "blk.%d.ffn_down.weight", l);
	}
	for (int i = 0; i < n_tensors; i++)
	{
		uint64_t	dims[2] = {tensors[i].cols, tensors[i].rows};

		engine_must(nlp_gguf_put_tensor(w, tensors[i].name, tensors[i].rows == 1 ? NLP_F32 : NLP_F16,
										tensors[i].rows == 1 ? 1 : 2, dims, &err), &err);
	}
	engine_must(nlp_gguf_write_header(w, &sink, &err), &err);
	for (int i = 0; i < n_tensors; i++)
		write_tensor(&tensors[i], i, w, &sink);
	engine_must(nlp_gguf_write_end(w, &sink, &err), &err);
	nlp_gguf_writer_free(w);
	nlp_gguf_close(&g);
	nlp_file_source_close(&src);
	return fclose(out) != 0;
}
