/* hf_fuzz.c --- a Hugging Face folder with one file from the fuzzer.
 *
 * The first byte of the input says which: config.json, tokenizer.json (byte-level or
 * with byte fallback), tokenizer.model, tokenizer_config.json or the weights; the
 * others are a right folder of one small layer. What import accepts must be a GGUF
 * that opens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/hf_import.h"

#define REQUIRE(cond) \
	do { if (!(cond)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); abort(); } } while (0)

static const char config[] =
	"{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"num_key_value_heads\":1,"
	"\"intermediate_size\":8,\"max_position_embeddings\":16,\"tie_word_embeddings\":true}";

static const char tokenizer[] =
	"{\"added_tokens\":[{\"id\":4,\"content\":\"<s>\",\"special\":true}],\"normalizer\":null,"
	"\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},\"post_processor\":null,"
	"\"model\":{\"type\":\"BPE\",\"byte_fallback\":false,\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3},\"merges\":[[\"a\",\"b\"]]}}";

static const char *const names[] = {
	"config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "model.safetensors", "generation_config.json"
};

/* The weights: names and shapes, all values zero. */
static char *weights;
static size_t weights_bytes;

static void
make_weights(void)
{
	static const struct
	{
		const char *name;
		int			rows,
					cols;
	}			t[] = {
		{"model.embed_tokens.weight", 8, 8}, {"model.layers.0.input_layernorm.weight", 0, 8},
		{"model.layers.0.self_attn.q_proj.weight", 8, 8}, {"model.layers.0.self_attn.k_proj.weight", 4, 8},
		{"model.layers.0.self_attn.v_proj.weight", 4, 8}, {"model.layers.0.self_attn.o_proj.weight", 8, 8},
		{"model.layers.0.post_attention_layernorm.weight", 0, 8}, {"model.layers.0.mlp.gate_proj.weight", 8, 8},
		{"model.layers.0.mlp.up_proj.weight", 8, 8}, {"model.layers.0.mlp.down_proj.weight", 8, 8}, {"model.norm.weight", 0, 8},
	};
	char		header[4096] = "{";
	int			at = 0;
	uint64_t	len;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
	{
		int			n = (t[i].rows ? t[i].rows : 1) * t[i].cols * 4;
		char		shape[32];

		if (t[i].rows)
			snprintf(shape, sizeof(shape), "%d,%d", t[i].rows, t[i].cols);
		else
			snprintf(shape, sizeof(shape), "%d", t[i].cols);
		snprintf(header + strlen(header), sizeof(header) - strlen(header), "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%d,%d]}",
				 i ? "," : "", t[i].name, shape, at, at + n);
		at += n;
	}
	strcat(header, "}");
	len = strlen(header);
	weights_bytes = 8 + (size_t) len + (size_t) at;
	weights = calloc(1, weights_bytes);
	memcpy(weights, &len, 8);
	memcpy(weights + 8, header, (size_t) len);
}

static NlpStatus
collect(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	if (!nlp_buf_append(ctx, bytes, len))
		return nlp_no_memory(err, len, "fuzz");
	return NLP_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	NlpTestAlloc counting;
	NlpEnv		env = {.alloc = &counting.alloc};
	NlpMemorySource sources[4];
	NlpHfFile	files[4];
	size_t		n = 0,
				which;
	NlpHfOptions options;
	NlpBuf		out;
	NlpSink		sink = {collect, &out};
	NlpError	err = {0};
	NlpStatus	st;

	if (size < 1)
		return 0;
	if (!weights)
		make_weights();
	which = data[0] % 6;
	options = (NlpHfOptions) {(NlpHfOutput) (data[0] / 6 % 5), NULL};
	nlp_memory_source_init(&sources[n], data + 1, size - 1);
	files[n] = (NlpHfFile) {names[which], &sources[n].source};
	n++;
	if (which != 0)
	{
		nlp_memory_source_init(&sources[n], config, sizeof(config) - 1);
		files[n] = (NlpHfFile) {"config.json", &sources[n].source};
		n++;
	}
	if (which != 1 && which != 2)
	{
		nlp_memory_source_init(&sources[n], tokenizer, sizeof(tokenizer) - 1);
		files[n] = (NlpHfFile) {"tokenizer.json", &sources[n].source};
		n++;
	}
	if (which != 4)
	{
		nlp_memory_source_init(&sources[n], weights, weights_bytes);
		files[n] = (NlpHfFile) {"model.safetensors", &sources[n].source};
		n++;
	}
	nlp_test_alloc_init(&counting, -1);
	nlp_buf_init(&out, &nlp_libc_alloc);
	st = nlp_hf_import(files, n, &options, &env, &sink, NULL, &err);
	REQUIRE(st != NLP_EINTERNAL && st != NLP_ENOMEM);
	REQUIRE(counting.live == 0);
	if (st == NLP_OK)
	{
		NlpMemorySource src;
		NlpGguf		g;

		nlp_memory_source_init(&src, out.data, out.len);
		REQUIRE(nlp_gguf_open(&src.source, &env, &g, &err) == NLP_OK);
		nlp_gguf_close(&g);
	}
	else
		REQUIRE(err.status == st && err.message[0]);
	nlp_buf_free(&out);
	return 0;
}
