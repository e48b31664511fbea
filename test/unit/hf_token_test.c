/* hf_token_test.c --- the small print of importing: tokenizers of every kind that is
 * recognised or refused, tokenizer.model byte by byte, names and shapes of weights.
 *
 * All of it on one made-up folder: a llama of one layer, width 8, 16 tokens. */
#define _GNU_SOURCE

#include "hf_folder.h"

#define CONFIG \
	"{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"num_key_value_heads\":1," \
	"\"intermediate_size\":8,\"max_position_embeddings\":16,\"tie_word_embeddings\":true,\"bos_token_id\":[5,6],\"eos_token_id\":6}"
#define VOCAB "\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3}"
#define BPE "\"model\":{\"type\":\"BPE\",\"byte_fallback\":false," VOCAB ",\"merges\":[[\"a\",\"b\"]]}"
#define ADDED "\"added_tokens\":[{\"id\":5,\"content\":\"<s>\",\"special\":true},{\"id\":6,\"content\":\"<|x|>\",\"special\":false}," \
	"{\"id\":7,\"content\":\"<unused1>\",\"special\":false},{\"id\":8,\"content\":\"<pad>\",\"special\":false}," \
	"{\"id\":9,\"content\":\"<\xef\xbd\x9cz\xef\xbd\x9c>\",\"special\":false},{\"id\":10,\"content\":\"p\xe2\x96\x81q\",\"special\":false}]"
#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
#define TOKENIZER "{" ADDED ",\"pre_tokenizer\":" BYTE_LEVEL "," BPE "}"

/* ---- the folder ---- */

typedef struct W
{
	const char *name;
	const char *dtype;
	const char *shape;			/* as JSON */
	size_t		bytes;
} W;

static const W usual[] = {
	{"model.embed_tokens.weight", "F32", "[16,8]", 512}, {"model.layers.0.input_layernorm.weight", "F32", "[8]", 32},
	{"model.layers.0.self_attn.q_proj.weight", "F32", "[8,8]", 256}, {"model.layers.0.self_attn.k_proj.weight", "F32", "[4,8]", 128},
	{"model.layers.0.self_attn.v_proj.weight", "F32", "[4,8]", 128}, {"model.layers.0.self_attn.o_proj.weight", "F32", "[8,8]", 256},
	{"model.layers.0.post_attention_layernorm.weight", "F32", "[8]", 32}, {"model.layers.0.mlp.gate_proj.weight", "F32", "[8,8]", 256},
	{"model.layers.0.mlp.up_proj.weight", "F32", "[8,8]", 256}, {"model.layers.0.mlp.down_proj.weight", "F32", "[8,8]", 256},
	{"model.norm.weight", "F32", "[8]", 32}
};
#define N_USUAL (sizeof(usual) / sizeof(usual[0]))

/* The usual weights, the one called `instead` left out, `other` appended; zeros. */
static void
put_weights(Folder *f, const char *instead, const W *other)
{
	NlpBuf		b;
	char		text[600];
	size_t		at = 0;
	uint64_t	len;

	nlp_buf_init(&b, &nlp_libc_alloc);
	nlp_buf_append(&b, "12345678", 8);
	for (size_t i = 0; i <= N_USUAL; i++)
	{
		const W    *w = i < N_USUAL ? &usual[i] : other;

		if (!w || (instead && i < N_USUAL && strcmp(w->name, instead) == 0))
			continue;
		snprintf(text, sizeof(text), "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}", at ? "," : "{",
				 w->name, w->dtype, w->shape, at, at + w->bytes);
		nlp_buf_append(&b, text, strlen(text));
		at += w->bytes;
	}
	nlp_buf_append(&b, "}", 1);
	len = b.len - 8;
	memcpy(b.data, &len, 8);
	for (size_t i = 0; i < at; i++)
		nlp_buf_append(&b, "", 1);
	folder_put(f, "model.safetensors", b.data, b.len);
	nlp_buf_free(&b);
}

static void
make_folder(Folder *f)
{
	f->n = 0;
	folder_put(f, "config.json", CONFIG, strlen(CONFIG));
	folder_put(f, "tokenizer.json", TOKENIZER, strlen(TOKENIZER));
	put_weights(f, NULL, NULL);
}

/* Import and open; *out holds the file while g is in use. */
static NlpStatus
import_open(Folder *f, NlpHfOutput output, NlpBuf *out, NlpGguf *g, NlpError *err)
{
	NlpTestAlloc counting;
	NlpEnv		env = {.alloc = &counting.alloc};
	NlpMemorySource src;
	NlpStatus	st;

	nlp_test_alloc_init(&counting, -1);
	st = import(f, output, &env, out, err);
	CHECK(counting.live == 0);
	if (st != NLP_OK)
		return st;
	nlp_memory_source_init(&src, out->data, out->len);
	return nlp_gguf_open(&src.source, &libc_env, g, err);
}

/* ---- pre-tokenizers ---- */

#define SPLIT(pattern, behavior, invert) \
	"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"},\"behavior\":\"" behavior \
	"\",\"invert\":" invert "},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}"
#define APOS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define UPPER "[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LOWER "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define NOT "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?"
#define TAIL "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define SLASH "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

static void
test_pretokenizers(void)
{
	static const struct
	{
		const char *pre;
		const char *normalizer;
		bool		ignore_merges;
		const char *name;		/* NULL: refused */
	}			cases[] = {
		{BYTE_LEVEL, "null", false, "gpt-2"}, {BYTE_LEVEL, "{\"type\":\"NFC\"}", false, "gpt-2"}, {BYTE_LEVEL, "null", true, NULL},
		{BYTE_LEVEL, "{\"type\":\"NFKC\"}", false, NULL}, {BYTE_LEVEL, "{\"type\":\"Lowercase\"}", false, NULL},
		{"{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":true}", "null", false, NULL},
		{"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}", "null", false, NULL},
		{"{\"type\":\"Sequence\",\"pretokenizers\":[" BYTE_LEVEL "]}", "null", false, "gpt-2"},
		{"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true}," BYTE_LEVEL "]}", "null", false, "smollm"},
		{"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":false}," BYTE_LEVEL "]}", "null", false, NULL},
		{SPLIT("'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+", "Isolated", "false"), "null", false, "gpt-2"},
		{SPLIT(APOS "|" NOT "\\\\p{L}+|\\\\p{N}{1,3}" TAIL, "Isolated", "false"), "null", true, "llama-bpe"},
		{SPLIT(APOS "|" NOT "\\\\p{L}+|\\\\p{N}{1,3}" TAIL, "Isolated", "false"), "null", false, "dbrx"},
		{SPLIT(APOS "|" NOT "\\\\p{L}+|\\\\p{N}{1,3}" TAIL, "Removed", "true"), "null", false, "dbrx"},
		{SPLIT(APOS "|" NOT "\\\\p{L}+|\\\\p{N}{1,3}" TAIL, "Removed", "false"), "null", false, NULL},
		{SPLIT(APOS "|" NOT "\\\\p{L}+|\\\\p{N}{1,3}" TAIL, "Isolated", "true"), "null", false, NULL},
		{SPLIT(APOS "|" NOT "\\\\p{L}+|\\\\p{N}" TAIL, "Isolated", "false"), "{\"type\":\"NFC\"}", false, "qwen2"},
		{SPLIT(APOS "|" NOT "\\\\p{L}+|\\\\p{N}" TAIL, "Isolated", "false"), "null", true, NULL},
		{SPLIT(NOT UPPER "*" LOWER "+" APOS "?|" NOT UPPER "+" LOWER "*" APOS "?|\\\\p{N}{1,3}" SLASH, "Removed", "true"), "null", false, "gpt-4o"},
		{SPLIT(NOT UPPER "*" LOWER "+|" NOT UPPER "+" LOWER "*|\\\\p{N}" SLASH, "Isolated", "false"), "null", true, "tekken"},
		{SPLIT("a|b", "Isolated", "false"), "null", false, NULL}, {"{\"type\":\"Whitespace\"}", "null", false, NULL}, {"null", "null", false, NULL},
		{"{\"type\":\"Sequence\",\"pretokenizers\":[1,2,3,4,5,6,7,8,9]}", "null", false, NULL},
		{"{\"type\":\"Sequence\",\"pretokenizers\":[1,2]}", "null", false, NULL}, {"7", "null", false, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Folder		f;
		NlpBuf		out;
		NlpGguf		g;
		NlpError	err = {0};
		NlpStr		name;
		NlpStatus	st;
		char		text[4000];

		make_folder(&f);
		snprintf(text, sizeof(text), "{" ADDED ",\"normalizer\":%s,\"pre_tokenizer\":%s,\"model\":{\"type\":\"BPE\",\"ignore_merges\":%s,"
				 VOCAB ",\"merges\":[\"a b\"]}}", cases[i].normalizer, cases[i].pre, cases[i].ignore_merges ? "true" : "false");
		folder_put(&f, "tokenizer.json", text, strlen(text));
		st = import_open(&f, NLP_HF_KEEP, &out, &g, &err);
		CHECKF(st == (cases[i].name ? NLP_OK : NLP_EUNSUPPORTED), "case %zu: status %d: %s", i, st, err.message);
		if (st == NLP_OK)
		{
			CHECK_OK(nlp_gguf_str(&g, "tokenizer.ggml.pre", &name, NULL, &err), err);
			CHECKF(cases[i].name && strcmp(name.data, cases[i].name) == 0, "case %zu: %s", i, name.data);
			nlp_gguf_close(&g);
		}
		nlp_buf_free(&out);
		folder_free(&f);
	}
}

/* ---- tokens, special tokens ---- */

static void
test_token_types(void)
{
	static const int32_t want[16] = {1, 1, 1, 1, 5, 3, 3, 3, 3, 3, 4, 5, 5, 5, 5, 5};
	Folder		f;
	NlpBuf		out;
	NlpGguf		g;
	NlpError	err = {0};
	const NlpGgufKv *types,
			   *texts;
	uint64_t	id;
	bool		add = true;

	make_folder(&f);
	CHECK_OK(import_open(&f, NLP_HF_KEEP, &out, &g, &err), err);
	CHECK_OK(nlp_gguf_array(&g, "tokenizer.ggml.token_type", NLP_GGUF_I32, &types, NULL, &err), err);
	CHECK_OK(nlp_gguf_array(&g, "tokenizer.ggml.tokens", NLP_GGUF_STRING, &texts, NULL, &err), err);
	CHECK(types->count == 16 && memcmp(types->data, want, sizeof(want)) == 0);
	CHECK(strcmp(((const NlpStr *) texts->data)[10].data, "p q") == 0);
	CHECK(strcmp(((const NlpStr *) texts->data)[4].data, "[PAD4]") == 0);
	CHECK(nlp_gguf_u64(&g, "tokenizer.ggml.bos_token_id", 0, 15, &id, NULL, &err) == NLP_OK && id == 5);
	CHECK(nlp_gguf_u64(&g, "tokenizer.ggml.eos_token_id", 0, 15, &id, NULL, &err) == NLP_OK && id == 6);
	CHECK(nlp_gguf_bool(&g, "tokenizer.ggml.add_bos_token", &add, NULL, &err) == NLP_OK && !add);
	nlp_gguf_close(&g);
	nlp_buf_free(&out);
	folder_free(&f);
}

static void
test_tokenizer_config(void)
{
	static const char config[] =
		"{\"bos_token\":{\"content\":\"ab\"},\"eos_token\":\"<|x|>\",\"unk_token\":\"nowhere\",\"pad_token\":null,\"add_bos_token\":true,"
		"\"add_eos_token\":true,\"chat_template\":[{\"name\":\"tool\",\"template\":\"T\"},{\"name\":\"default\",\"template\":\"D\"}]}";
	Folder		f;
	NlpBuf		out;
	NlpGguf		g;
	NlpError	err = {0};
	uint64_t	id;
	bool		add = false,
				found;
	NlpStr		text;

	make_folder(&f);
	folder_put(&f, "tokenizer_config.json", config, sizeof(config) - 1);
	folder_put(&f, "chat_template.jinja", "J", 1);
	CHECK_OK(import_open(&f, NLP_HF_KEEP, &out, &g, &err), err);
	CHECK(nlp_gguf_u64(&g, "tokenizer.ggml.bos_token_id", 0, 15, &id, NULL, &err) == NLP_OK && id == 3);
	CHECK(nlp_gguf_u64(&g, "tokenizer.ggml.eos_token_id", 0, 15, &id, NULL, &err) == NLP_OK && id == 6);
	CHECK(nlp_gguf_u64(&g, "tokenizer.ggml.unknown_token_id", 0, 15, &id, &found, &err) == NLP_OK && !found);
	CHECK(nlp_gguf_bool(&g, "tokenizer.ggml.add_bos_token", &add, NULL, &err) == NLP_OK && add);
	CHECK(nlp_gguf_bool(&g, "tokenizer.ggml.add_eos_token", &add, NULL, &err) == NLP_OK && add);
	CHECK(nlp_gguf_str(&g, "tokenizer.chat_template", &text, NULL, &err) == NLP_OK && strcmp(text.data, "D") == 0);
	nlp_gguf_close(&g);
	nlp_buf_free(&out);
	folder_free(&f);
}

/* ---- byte fallback, from tokenizer.json ---- */

#define SPM_HEAD "{\"added_tokens\":[],\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0," \
	"\"<0x0A>\":1,\"a\":2,\"b\":3,\"c\":4,\"ab\":5,\"bc\":6,\"abc\":7,\"\xe2\x96\x81\":8},\"merges\":"
#define GOOD "[[\"a\",\"b\"],\"b c\",[\"a\",\"bc\"],[\"ab\",\"c\"]]"

static void
test_byte_fallback(void)
{
	static const struct
	{
		const char *merges;
		const char *rest;		/* after the model */
		NlpStatus	status;
		int			prefix;		/* -1: not looked at */
	}			cases[] = {
		{GOOD, "", NLP_OK, 0},
		{GOOD, ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xe2\x96\x81\"}", NLP_OK, 0},
		{GOOD, ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81\"}]}", NLP_OK, 1},
		{GOOD, ",\"normalizer\":{\"type\":\"NFKC\"}", NLP_EUNSUPPORTED, -1},
		{GOOD, ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"prepend_scheme\":\"first\"}", NLP_OK, 1},
		{GOOD, ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"prepend_scheme\":\"never\"}", NLP_OK, 0},
		{GOOD, ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"add_prefix_space\":false}", NLP_OK, 0},
		{GOOD, ",\"pre_tokenizer\":{\"type\":\"Whitespace\"}", NLP_EUNSUPPORTED, -1},
		{"[[\"a\",\"b\"],[\"b\",\"c\"],[\"a\",\"bc\"]]", "", NLP_EUNSUPPORTED, -1}, /* a way to abc is missing */
		{"[[\"a\",\"b\"],[\"a\",\"bc\"],[\"b\",\"c\"],[\"ab\",\"c\"]]", "", NLP_EUNSUPPORTED, -1},	/* those of abc lie apart */
		{"[[\"a\",\"c\"]]", "", NLP_ECORRUPT, -1}, {"[\"ab\"]", "", NLP_ECORRUPT, -1}, {"[[\"a\"]]", "", NLP_ECORRUPT, -1},
		{"[[\"a\",1]]", "", NLP_ECORRUPT, -1}, {"[[\"\",\"a\"]]", "", NLP_ECORRUPT, -1}, {"[1]", "", NLP_ECORRUPT, -1},
		{"{}", "", NLP_ECORRUPT, -1}, {"null", "", NLP_ECORRUPT, -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Folder		f;
		NlpBuf		out;
		NlpGguf		g;
		NlpError	err = {0};
		const NlpGgufKv *scores,
				   *types;
		const float *s;
		bool		prefix = false;
		char		text[2000];
		NlpStatus	st;

		make_folder(&f);
		snprintf(text, sizeof(text), SPM_HEAD "%s}%s}", cases[i].merges, cases[i].rest);
		folder_put(&f, "tokenizer.json", text, strlen(text));
		st = import_open(&f, NLP_HF_KEEP, &out, &g, &err);
		CHECKF(st == cases[i].status, "case %zu: status %d: %s", i, st, err.message);
		if (st == NLP_OK)
		{
			CHECK_OK(nlp_gguf_array(&g, "tokenizer.ggml.scores", NLP_GGUF_F32, &scores, NULL, &err), err);
			CHECK_OK(nlp_gguf_array(&g, "tokenizer.ggml.token_type", NLP_GGUF_I32, &types, NULL, &err), err);
			s = scores->data;
			CHECKF(s[5] == 0 && s[6] == -1 && s[7] == -2 && s[2] < -2, "case %zu: %g %g %g", i, (double) s[5], (double) s[6], (double) s[7]);
			CHECK(((const int32_t *) types->data)[0] == 2 && ((const int32_t *) types->data)[1] == 6);
			CHECK_OK(nlp_gguf_bool(&g, "tokenizer.ggml.add_space_prefix", &prefix, NULL, &err), err);
			CHECKF(prefix == cases[i].prefix, "case %zu", i);
			nlp_gguf_close(&g);
		}
		nlp_buf_free(&out);
		folder_free(&f);
	}
}

/* ---- tokenizer.json, broken ---- */

static void
test_broken_json(void)
{
	static const struct
	{
		const char *text;
		NlpStatus	status;
	}			cases[] = {
		{"{}", NLP_EUNSUPPORTED}, {"{\"model\":{\"type\":\"Unigram\"}}", NLP_EUNSUPPORTED},
		{"{\"pre_tokenizer\":" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"merges\":[]}}", NLP_ECORRUPT},
		{"{\"pre_tokenizer\":" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":[],\"merges\":[]}}", NLP_ECORRUPT},
		{"{\"pre_tokenizer\":" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\"," VOCAB "}}", NLP_ECORRUPT},
		{"{\"pre_tokenizer\":" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\"," VOCAB ",\"merges\":[1]}}", NLP_ECORRUPT},
		{"{\"pre_tokenizer\":" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\"," VOCAB ",\"merges\":[[\"a\",\"b\",\"c\"]]}}", NLP_ECORRUPT},
		{"{\"pre_tokenizer\":" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":16},\"merges\":[]}}", NLP_ECORRUPT},
		{"{\"pre_tokenizer\":" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1,\"b\":1},\"merges\":[]}}", NLP_ECORRUPT},
		{"{\"pre_tokenizer\":" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1.0},\"merges\":[]}}", NLP_ECORRUPT},
		{"{\"added_tokens\":[{\"id\":16,\"content\":\"x\"}],\"pre_tokenizer\":" BYTE_LEVEL "," BPE "}", NLP_ECORRUPT},
		{"{\"added_tokens\":[{\"id\":-1,\"content\":\"x\"}],\"pre_tokenizer\":" BYTE_LEVEL "," BPE "}", NLP_ECORRUPT},
		{"{\"added_tokens\":[{\"id\":5,\"content\":\"\"}],\"pre_tokenizer\":" BYTE_LEVEL "," BPE "}", NLP_ECORRUPT},
		{"{\"added_tokens\":[{\"id\":5,\"content\":5}],\"pre_tokenizer\":" BYTE_LEVEL "," BPE "}", NLP_ECORRUPT},
		{"{\"added_tokens\":[{\"content\":\"x\"}],\"pre_tokenizer\":" BYTE_LEVEL "," BPE "}", NLP_ECORRUPT},
	};
	static const char *const decoders[] = {"16", "x", "", "1x", "999999999"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) + 5; i++)
	{
		Folder		f;
		NlpBuf		out;
		NlpGguf		g;
		NlpError	err = {0};
		NlpStatus	want = NLP_ECORRUPT,
					st;

		make_folder(&f);
		if (i < sizeof(cases) / sizeof(cases[0]))
		{
			folder_put(&f, "tokenizer.json", cases[i].text, strlen(cases[i].text));
			want = cases[i].status;
		}
		else
		{
			char		text[200];

			folder_put(&f, "tokenizer.json", "{\"pre_tokenizer\":" BYTE_LEVEL "," BPE "}", strlen("{\"pre_tokenizer\":" BYTE_LEVEL "," BPE "}"));
			snprintf(text, sizeof(text), "{\"added_tokens_decoder\":{\"%s\":{\"content\":\"x\"}}}", decoders[i - sizeof(cases) / sizeof(cases[0])]);
			folder_put(&f, "tokenizer_config.json", text, strlen(text));
		}
		st = import_open(&f, NLP_HF_KEEP, &out, &g, &err);
		CHECKF(st == want, "case %zu: status %d: %s", i, st, err.message);
		if (st == NLP_OK)
			nlp_gguf_close(&g);
		nlp_buf_free(&out);
		folder_free(&f);
	}
}

/* ---- tokenizer.model ---- */

#define PIECE(text, len) "\x0a" len "\x0a" text
#define TRAINER "\x12\x02\x18\x02"
#define UNK "\x0a\x09\x0a\x05<unk>\x18\x02"
#define BYTES(s) s, sizeof(s) - 1

static void
test_model(void)
{
	static const struct
	{
		const char *bytes;
		size_t		len;
		NlpStatus	status;
	}			cases[] = {
		{BYTES(UNK "\x0a\x08\x0a\x01""a\x15\0\0\x80\xbf" TRAINER), NLP_OK},
		{BYTES(UNK TRAINER "\x1a\x02\x18\x00"), NLP_OK},	/* no dummy prefix */
		{BYTES(UNK TRAINER "\x18\x01\x21""12345678\x25""1234"), NLP_OK},	/* other wire types are passed over */
		{BYTES(UNK), NLP_ECORRUPT}, {BYTES(TRAINER), NLP_ECORRUPT}, {BYTES(UNK "\x12\x02\x18\x01"), NLP_EUNSUPPORTED},
		{BYTES(UNK "\x12\x00"), NLP_EUNSUPPORTED}, {BYTES(UNK TRAINER "\x1a\x03\x12\x01x"), NLP_EUNSUPPORTED},
		{BYTES("\x0a\x00" TRAINER), NLP_ECORRUPT}, {BYTES("\x0a\x02\x0a\x00" TRAINER), NLP_ECORRUPT},
		{BYTES("\x0a\x03\x0a\x01\xff" TRAINER), NLP_ECORRUPT}, {BYTES("\x0a\x03\x0a\x01\x00" TRAINER), NLP_ECORRUPT},
		{BYTES("\x0a\x08\x0a\x01""a\x15\0\0\xc0\x7f" TRAINER), NLP_ECORRUPT}, {BYTES("\x0a\x08\x0a\x01""a\x15\0\0\x80\x7f" TRAINER), NLP_ECORRUPT},
		{BYTES("\x0a\x05\x0a\x01""a\x18\x07" TRAINER), NLP_ECORRUPT}, {BYTES("\x0a\x05\x0a\x01""a\x18\x00" TRAINER), NLP_ECORRUPT},
		{BYTES("\x0a\x04\x0a\x03""ab" TRAINER), NLP_ECORRUPT}, {BYTES("\x0a\x7f\x0a"), NLP_ECORRUPT},
		{BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), NLP_ECORRUPT}, {BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), NLP_ECORRUPT},
		{BYTES("\x03"), NLP_ECORRUPT}, {BYTES("\x02"), NLP_ECORRUPT}, {BYTES("\x0f"), NLP_ECORRUPT}, {BYTES("\x09""123"), NLP_ECORRUPT},
		{BYTES(UNK "\x12\x01\x18"), NLP_ECORRUPT}, {BYTES(UNK TRAINER "\x1a\x01\x18"), NLP_ECORRUPT},
		{BYTES("\x80\x80\x80\x80\x80\x01"), NLP_ECORRUPT},
	};

	for (size_t i = 0; i <= sizeof(cases) / sizeof(cases[0]); i++)
	{
		Folder		f;
		NlpBuf		out;
		NlpGguf		g;
		NlpError	err = {0};
		NlpStatus	want = NLP_ECORRUPT,
					st;

		make_folder(&f);
		folder_drop(&f, "tokenizer.json");
		if (i < sizeof(cases) / sizeof(cases[0]))
		{
			folder_put(&f, "tokenizer.model", cases[i].bytes, cases[i].len);
			want = cases[i].status;
		}
		else
		{
			char		many[17 * 5 + 5] = "";	/* 17 pieces for 16 rows */
			size_t		n = 0;

			for (int k = 0; k < 17; k++, n += 5)
				memcpy(many + n, "\x0a\x03\x0a\x01z", 5);
			folder_put(&f, "tokenizer.model", many, n);
		}
		st = import_open(&f, NLP_HF_KEEP, &out, &g, &err);
		CHECKF(st == want, "case %zu: status %d: %s", i, st, err.message);
		if (st == NLP_OK)
			nlp_gguf_close(&g);
		nlp_buf_free(&out);
		folder_free(&f);
	}
}

/* Cut at every byte: accepted or refused, never read past its end (the sanitizers). */
static void
test_model_cut(void)
{
	static const char whole[] = UNK "\x0a\x08\x0a\x01""a\x15\0\0\x80\xbf" TRAINER "\x1a\x02\x18\x00";
	size_t		refused = 0;

	for (size_t n = 0; n < sizeof(whole) - 1; n++)
	{
		Folder		f;
		NlpBuf		out;
		NlpGguf		g;
		NlpError	err = {0};
		NlpStatus	st;

		make_folder(&f);
		folder_drop(&f, "tokenizer.json");
		folder_put(&f, "tokenizer.model", whole, n);
		st = import_open(&f, NLP_HF_KEEP, &out, &g, &err);
		refused += st == NLP_ECORRUPT;
		if (st == NLP_OK)
			nlp_gguf_close(&g);
		nlp_buf_free(&out);
		folder_free(&f);
	}
	/* Only behind the trainer, before the normalizer, is a cut a whole file. */
	CHECKF(refused == sizeof(whole) - 2, "%zu of %zu", refused, sizeof(whole) - 1);
}

/* ---- weights ---- */

static void
test_weights(void)
{
	static const struct
	{
		const char *instead;
		W			other;
		NlpStatus	status;
	}			cases[] = {
		{"none", {"lm_head.weight", "F32", "[16,8]", 512}, NLP_OK}, /* tied: passed over */
		{"none", {"model.layers.0.self_attn.rotary_emb.inv_freq", "F32", "[4]", 16}, NLP_OK},
		{"none", {"vision_tower.x.weight", "I8", "[3]", 3}, NLP_OK},
		{"model.norm.weight", {"language_model.model.norm.weight", "F32", "[8]", 32}, NLP_OK},
		{"none", {"norm.weight", "F32", "[8]", 32}, NLP_ECORRUPT},	/* the same name twice */
		{"model.norm.weight", {"model.norm.weight", "I32", "[8]", 32}, NLP_EUNSUPPORTED},
		{"model.norm.weight", {"model.norm.weight", "F32", "[]", 4}, NLP_ECORRUPT},
		{"model.norm.weight", {"model.norm.weight", "F32", "[2,2,2]", 32}, NLP_ECORRUPT},
		{"model.norm.weight", {"model.norm.weight", "F32", "[0]", 0}, NLP_ECORRUPT},
		{"model.embed_tokens.weight", {"model.embed_tokens.weight", "F32", "[8]", 32}, NLP_ECORRUPT},
		{"model.embed_tokens.weight", {"model.layers.0.self_attn.q_proj.bias", "F32", "[8]", 32}, NLP_ECORRUPT},
		{"model.layers.0.self_attn.q_proj.weight", {"model.layers.0.self_attn.q_proj.weight", "F32", "[6,8]", 192}, NLP_ECORRUPT},
		{"none", {"model.layers.1.input_layernorm.weight", "F32", "[8]", 32}, NLP_EUNSUPPORTED},
		{"none", {"model.layers.00.input_layernorm.weight", "F32", "[8]", 32}, NLP_EUNSUPPORTED},
		{"none", {"model.layers.4294967296.input_layernorm.weight", "F32", "[8]", 32}, NLP_EUNSUPPORTED},
		{"none", {"model.layers.-1.input_layernorm.weight", "F32", "[8]", 32}, NLP_EUNSUPPORTED},
		{"none", {"model.layers.0.mlp.abacus.weight", "F32", "[8]", 32}, NLP_EUNSUPPORTED},
		{"none", {"model.layers.0.weight", "F32", "[8]", 32}, NLP_EUNSUPPORTED},
		{"none", {"model.norm.scale", "F32", "[8]", 32}, NLP_EUNSUPPORTED}, {"none", {".weight", "F32", "[8]", 32}, NLP_EUNSUPPORTED},
		{"none", {"weight", "F32", "[8]", 32}, NLP_EUNSUPPORTED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Folder		f;
		NlpBuf		out;
		NlpGguf		g;
		NlpError	err = {0};
		NlpStatus	st;

		make_folder(&f);
		put_weights(&f, cases[i].instead, &cases[i].other);
		st = import_open(&f, NLP_HF_Q8_0, &out, &g, &err);
		CHECKF(st == cases[i].status, "case %zu (%s): status %d: %s", i, cases[i].other.name, st, err.message);
		if (st == NLP_OK)
		{
			/* Rows of 8 do not fill a block: f16. */
			CHECK(nlp_gguf_tensor(&g, "blk.0.attn_q.weight")->dtype == NLP_F16);
			CHECK(nlp_gguf_tensor(&g, "output.weight") == NULL && g.n_tensors == N_USUAL);
			nlp_gguf_close(&g);
		}
		nlp_buf_free(&out);
		folder_free(&f);
	}
}

static void
test_rest(void)
{
	Folder		f;
	NlpBuf		out;
	NlpGguf		g;
	NlpError	err = {0};
	NlpHfOutput output;
	NlpHfOptions options = {NLP_HF_KEEP, NULL};
	NlpSink		sink = {collect, &out};
	volatile uint64_t done = 0;

	CHECK(!nlp_hf_output_parse("q5_0", &output) && !nlp_hf_output_parse("", &output));
	make_folder(&f);
	nlp_buf_init(&out, &nlp_libc_alloc);
	CHECK_OK(nlp_hf_import(f.files, f.n, &options, &libc_env, &sink, &done, &err), err);
	CHECKF(done == 512 + 3 * 32 + 2 * 128 + 5 * 256, "%llu bytes", (unsigned long long) done);
	nlp_buf_free(&out);
	folder_drop(&f, "model.safetensors");
	CHECK(import_open(&f, NLP_HF_KEEP, &out, &g, &err) == NLP_ENOTFOUND && err.hint[0]);
	nlp_buf_free(&out);
	folder_free(&f);
	make_folder(&f);
	CHECK(replace(&f, "config.json", "\"tie_word_embeddings\":true", "\"tie_word_embeddings\":false"));
	CHECK(import_open(&f, NLP_HF_KEEP, &out, &g, &err) == NLP_ECORRUPT && strstr(err.message, "lm_head"));
	nlp_buf_free(&out);
	folder_free(&f);
}

int
main(void)
{
	test_pretokenizers();
	test_token_types();
	test_tokenizer_config();
	test_byte_fallback();
	test_broken_json();
	test_model();
	test_model_cut();
	test_weights();
	test_rest();
	return check_done();
}
