/* token_test.c --- tokenizers of a few dozen tokens, made here: rules, errors, memory.
 * Real vocabularies are token_golden_test.c's. */
#include <math.h>
#include <stdint.h>

#include "check.h"
#include "core/utf8.h"
#include "token/pretoken.h"
#include "token/token.h"

#define MAX_WORDS 6000
#define SPACE "\xe2\x96\x81"	/* U+2581 */

static const NlpEnv env = {.alloc = &nlp_libc_alloc};

/* ---- making vocabularies ---- */

typedef struct Vocab
{
	const char *model;			/* NULL: key left out */
	const char *pre;
	const char *name;
	NlpStr		tokens[MAX_WORDS];
	int32_t		types[MAX_WORDS];
	float		scores[MAX_WORDS];
	uint32_t	n;
	NlpStr		merges[200];
	uint32_t	n_merges;
	bool		with_scores;
	int			extra_types;	/* lengths that disagree */
	int			extra_scores;
	bool		no_merges;
	bool		no_tokens;
	bool		scores_as_u8;
	bool		scores_as_i32;
	bool		types_as_u32;
	bool		merges_as_i32;
	bool		bos_as_string;
	int64_t		bos;			/* -1: key left out */
	int64_t		eos;
	int64_t		unk;
	int			add_bos;		/* -1: key left out */
	int			add_eos;
	int			space_prefix;
	char		byte_text[256][8];
} Vocab;

static void
add(Vocab *v, const char *text, int32_t type, float score)
{
	v->tokens[v->n] = (NlpStr) {text, strlen(text)};
	v->types[v->n] = type;
	v->scores[v->n] = score;
	v->n++;
}

static void
merge(Vocab *v, const char *text)
{
	v->merges[v->n_merges++] = (NlpStr) {text, strlen(text)};
}

static void
start(Vocab *v, const char *model, const char *pre)
{
	memset(v, 0, sizeof(*v));
	v->model = model;
	v->pre = pre;
	v->bos = v->eos = v->unk = -1;
	v->add_bos = v->add_eos = v->space_prefix = -1;
}

/* Every byte, then what a few merges make, then markers. */
static void
byte_level(Vocab *v, const char *pre)
{
	static const char *const made[] = {"he", "ll", "hell", "hello", "\xc4\xa0w", "or", "\xc4\xa0wor", "ld", "\xc4\xa0world",
	"aa", "aaaa", "\xc3\xa4\xc2\xb8", "\xc3\xa4\xc2\xb8\xc5\x83"};
	static const char *const from[] = {"h e", "l l", "he ll", "hell o", "\xc4\xa0 w", "o r", "\xc4\xa0w or", "l d", "\xc4\xa0wor ld",
	"a a", "aa aa", "\xc3\xa4 \xc2\xb8", "\xc3\xa4\xc2\xb8 \xc5\x83"};

	start(v, "gpt2", pre);
	for (unsigned b = 0; b < 256; b++)
	{
		int			n = nlp_utf8_encode(nlp_alphabet_char((uint8_t) b), v->byte_text[b]);

		v->byte_text[b][n] = '\0';
		add(v, v->byte_text[b], 1, 0);
	}
	for (unsigned i = 0; i < sizeof(made) / sizeof(made[0]); i++)
	{
		add(v, made[i], 1, 0);
		merge(v, from[i]);
	}
	add(v, "<|im_start|>", 3, 0);
	add(v, "<|im_end|>", 3, 0);
	add(v, "<|user|>", 4, 0);
	add(v, "<|user|>x", 4, 0);
	add(v, "  ", 4, 0);
	add(v, "<s>", 3, 0);
	add(v, "</s>", 3, 0);
	v->bos = v->n - 2;
	v->eos = v->n - 1;
}

/* SentencePiece: unknown, bos, eos, bytes, pieces by score. */
static void
spm(Vocab *v)
{
	static const char *const pieces[] = {SPACE, "h", "e", "l", "o", "w", "r", "d", "he", "ll", "hell", "hello", SPACE "hello",
	SPACE "w", "or", SPACE "wor", "ld", SPACE "world", SPACE SPACE, "\xe4\xb8\xad"};

	start(v, "llama", NULL);
	add(v, "<unk>", 2, 0);
	add(v, "<s>", 3, 0);
	add(v, "</s>", 3, 0);
	for (unsigned b = 0; b < 256; b++)
	{
		snprintf(v->byte_text[b], sizeof(v->byte_text[b]), "<0x%02X>", b);
		add(v, v->byte_text[b], 6, 0);
	}
	for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		add(v, pieces[i], 1, -(float) (sizeof(pieces) / sizeof(pieces[0]) - i) / 8);
	add(v, "<user>", 4, 0);
	v->with_scores = true;
}

static NlpStatus
append(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return nlp_buf_append(ctx, bytes, len) ? NLP_OK : nlp_no_memory(err, len, "file");
}

#define PUT(call) do { NlpStatus st_ = (call); CHECK_OK(st_, err); } while (0)

static void
write_arrays(NlpGgufWriter *w, Vocab *v)
{
	static const uint8_t bytes[MAX_WORDS];
	NlpError	err;
	NlpGgufType i32 = v->types_as_u32 ? NLP_GGUF_U32 : NLP_GGUF_I32;

	if (!v->no_tokens)
		PUT(nlp_gguf_put_array(w, "tokenizer.ggml.tokens", NLP_GGUF_STRING, v->n, v->tokens, &err));
	PUT(nlp_gguf_put_array(w, "tokenizer.ggml.token_type", i32, (uint64_t) ((int) v->n + v->extra_types), v->types, &err));
	if (v->scores_as_u8)
		PUT(nlp_gguf_put_array(w, "tokenizer.ggml.scores", NLP_GGUF_U8, v->n, bytes, &err));
	else if (v->scores_as_i32)
		PUT(nlp_gguf_put_array(w, "tokenizer.ggml.scores", NLP_GGUF_I32, v->n, v->types, &err));
	else if (v->with_scores)
		PUT(nlp_gguf_put_array(w, "tokenizer.ggml.scores", NLP_GGUF_F32, (uint64_t) ((int) v->n + v->extra_scores),
							   v->scores, &err));
	if (v->merges_as_i32)
		PUT(nlp_gguf_put_array(w, "tokenizer.ggml.merges", NLP_GGUF_I32, v->n, v->types, &err));
	else if (!v->no_merges && strcmp(v->model ? v->model : "", "llama") != 0)
		PUT(nlp_gguf_put_array(w, "tokenizer.ggml.merges", NLP_GGUF_STRING, v->n_merges, v->merges, &err));
}

static void
write_vocab(Vocab *v, NlpBuf *out)
{
	NlpSink		sink = {append, out};
	NlpGgufWriter *w;
	NlpError	err;

	nlp_buf_init(out, &nlp_libc_alloc);
	PUT(nlp_gguf_writer_new(&nlp_libc_alloc, &w, &err));
	if (v->model)
		PUT(nlp_gguf_put_str(w, "tokenizer.ggml.model", v->model, strlen(v->model), &err));
	if (v->pre)
		PUT(nlp_gguf_put_str(w, "tokenizer.ggml.pre", v->pre, strlen(v->pre), &err));
	if (v->name)
		PUT(nlp_gguf_put_str(w, "general.name", v->name, strlen(v->name), &err));
	write_arrays(w, v);
	if (v->bos_as_string)
		PUT(nlp_gguf_put_str(w, "tokenizer.ggml.bos_token_id", "1", 1, &err));
	else if (v->bos >= 0)
		PUT(nlp_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", (uint32_t) v->bos, &err));
	if (v->eos >= 0)
		PUT(nlp_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t) v->eos, &err));
	if (v->unk >= 0)
		PUT(nlp_gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", (uint32_t) v->unk, &err));
	if (v->add_bos >= 0)
		PUT(nlp_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", v->add_bos, &err));
	if (v->add_eos >= 0)
		PUT(nlp_gguf_put_bool(w, "tokenizer.ggml.add_eos_token", v->add_eos, &err));
	if (v->space_prefix >= 0)
		PUT(nlp_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", v->space_prefix, &err));
	PUT(nlp_gguf_write_header(w, &sink, &err));
	PUT(nlp_gguf_write_end(w, &sink, &err));
	nlp_gguf_writer_free(w);
}

/* Build with the given allocator; NULL when refused, err saying why. */
static NlpTokenizer *
build(Vocab *v, const NlpAlloc *alloc, size_t *bytes, NlpError *err)
{
	NlpEnv		e = {.alloc = alloc};
	NlpBuf		file;
	NlpMemorySource src;
	NlpGguf		g;
	NlpTokenizer *t = NULL;

	memset(err, 0, sizeof(*err));
	write_vocab(v, &file);
	nlp_memory_source_init(&src, file.data, file.len);
	CHECK_OK(nlp_gguf_open(&src.source, &env, &g, err), *err);
	if (nlp_tokenizer_build(&g, &e, &t, bytes, err) != NLP_OK)
		t = NULL;
	nlp_gguf_close(&g);
	nlp_buf_free(&file);
	return t;
}

static NlpTokenizer *
built(Vocab *v)
{
	NlpError	err;
	size_t		bytes;
	NlpTokenizer *t = build(v, &nlp_libc_alloc, &bytes, &err);

	CHECKF(t != NULL, "%s", err.message);
	if (!t)
		exit(check_done());
	CHECK_OK(nlp_tokenizer_check(t, bytes, &err), err);
	return t;
}

/* Encode and compare with pieces joined by '|': "<s>|hell|o". */
static void
expect(const NlpTokenizer *t, const char *text, unsigned flags, const char *want)
{
	NlpCoder   *coder;
	NlpError	err;
	NlpTokens	out;

	PUT(nlp_coder_open(t, &nlp_libc_alloc, &coder, &err));
	for (int again = 0; again < 2; again++)		/* the second time from the cache */
	{
		char		got[1000] = "";

		PUT(nlp_encode(coder, &env, text, strlen(text), flags, false, 0, &out, &err));
		for (size_t i = 0; i < out.n; i++)
		{
			NlpStr		p = nlp_tokenizer_piece(t, out.ids[i]);

			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%.*s", i ? "|" : "", (int) p.len, p.data);
		}
		CHECKF(strcmp(got, want) == 0, "\"%s\": got %s, want %s", text, got, want);
		CHECK(out.starts == NULL);
		nlp_free(&nlp_libc_alloc, out.ids);
	}
	nlp_coder_close(coder);
}

/* ---- tests ---- */

static void
test_byte_level(void)
{
	static Vocab v;
	NlpTokenizer *t;
	char		buf[16];
	NlpBuf		out;
	NlpError	err;
	int32_t		hello;

	byte_level(&v, "gpt-2");
	t = built(&v);
	CHECK(nlp_tokenizer_size(t) == v.n && nlp_tokenizer_model(t) == NLP_TOKEN_BPE);
	CHECK(nlp_tokenizer_bos(t) == v.bos && nlp_tokenizer_eos(t) == v.eos);
	expect(t, "", 0, "");
	expect(t, "hello world", 0, "hello|\xc4\xa0world");
	expect(t, "hellos", 0, "hello|s");
	expect(t, "aaaaaaa", 0, "aaaa|aa|a");
	expect(t, "\xe4\xb8\xad", 0, "\xc3\xa4\xc2\xb8\xc5\x83");
	expect(t, "\xe4\xb8\xae", 0, "\xc3\xa4\xc2\xb8|\xc2\xae");
	hello = nlp_tokenizer_find(t, "hello", 5);
	CHECK(hello >= 0 && nlp_tokenizer_find(t, "hellx", 5) == -1 && nlp_tokenizer_find(t, "", 0) == -1);
	CHECK(nlp_tokenizer_find(t, "\xc4\xa0world", 7) >= 0 && nlp_tokenizer_find(t, " world", 6) == -1);
	CHECK(nlp_tokenizer_find(t, "<|im_end|>", 10) == (int32_t) v.n - 6);
	CHECK(nlp_token_bytes(t, hello, false, buf, sizeof(buf)) == 5 && memcmp(buf, "hello", 5) == 0);
	buf[0] = '?';
	CHECK(nlp_token_bytes(t, hello, false, buf, 4) == 5 && buf[0] == '?');
	CHECK(nlp_token_bytes(t, (int32_t) v.n - 6, false, buf, 16) == 0);
	CHECK(nlp_token_bytes(t, (int32_t) v.n - 6, true, buf, 16) == 10);
	CHECK(nlp_token_bytes(t, -1, true, buf, 16) == 0 && nlp_token_bytes(t, (int32_t) v.n, true, buf, 16) == 0);
	CHECK(nlp_tokenizer_max_bytes(t) == 12);
	CHECK(nlp_tokenizer_is_eog(t, (int32_t) v.n - 6) && nlp_tokenizer_is_eog(t, (int32_t) v.n - 1));
	CHECK(!nlp_tokenizer_is_eog(t, hello) && !nlp_tokenizer_is_eog(t, -1) && !nlp_tokenizer_is_eog(t, 1 << 30));
	CHECK(nlp_tokenizer_is_special(t, (int32_t) v.n - 5) && !nlp_tokenizer_is_special(t, hello));
	CHECK(nlp_tokenizer_piece(t, -5).len == 0);
	nlp_buf_init(&out, &nlp_libc_alloc);
	CHECK(nlp_decode(t, (int32_t[]) {(int32_t) v.n}, 1, true, &out, &err) == NLP_EINVALID);
	CHECK(nlp_decode(t, (int32_t[]) {-1}, 1, true, &out, &err) == NLP_EINVALID);
	CHECK(nlp_decode(t, (int32_t[]) {(int32_t) v.n - 7, hello}, 2, true, &out, &err) == NLP_OK);
	CHECK(out.len == 17 && memcmp(out.data, "<|im_start|>hello", 17) == 0);
	nlp_buf_free(&out);
	nlp_free(&nlp_libc_alloc, t);
}

/* A marker across the windows of a long search. */
static void
test_far_marker(const NlpTokenizer *t)
{
	const size_t len = (size_t) 9 << 20;
	char	   *text = malloc(len);
	NlpCoder   *coder;
	NlpError	err;

	PUT(nlp_coder_open(t, &nlp_libc_alloc, &coder, &err));
	memset(text, '\n', len);
	for (size_t at = ((size_t) 1 << 22) - 10; at < len - 8; at += ((size_t) 1 << 22) + 1)
	{
		NlpTokens	out;
		size_t		n = 0;

		memcpy(text + at, "<|user|>", 8);
		PUT(nlp_encode(coder, &env, text, len, 0, true, 0, &out, &err));
		for (size_t i = 0; i < out.n; i++)
			n += nlp_tokenizer_is_special(t, out.ids[i]) && out.starts[i] == at;
		CHECK(n == 1);
		nlp_free(&nlp_libc_alloc, out.ids);
		nlp_free(&nlp_libc_alloc, out.starts);
	}
	nlp_coder_close(coder);
	free(text);
}

static void
test_markers(void)
{
	static Vocab v;
	NlpTokenizer *t;

	byte_level(&v, "gpt-2");
	t = built(&v);
	/* Control tokens only when asked for, user-defined ones always, the longest first. */
	expect(t, "<|im_end|>", NLP_ENCODE_SPECIAL, "<|im_end|>");
	expect(t, "<|im_end|>", 0, "<|||i|m|_|e|n|d|||>");
	expect(t, "<|user|>hello", 0, "<|user|>|hello");
	expect(t, "<|user|>x<|user|>", 0, "<|user|>x|<|user|>");
	expect(t, "hello<|im_end|><|user|>  <s>", NLP_ENCODE_SPECIAL, "hello|<|im_end|>|<|user|>|  |<s>");
	expect(t, "a   a", 0, "a|  |\xc4\xa0|a");
	expect(t, "<|use<|user|>", 0, "<|||u|s|e|<|user|>");
	expect(t, "<s", NLP_ENCODE_SPECIAL, "<|s");
	test_far_marker(t);
	nlp_free(&nlp_libc_alloc, t);

	/* Phi-3 strips what follows a marker; <s> is excepted. */
	v.name = "Phi-3-mini";
	t = built(&v);
	expect(t, "a<|user|> \n hello", 0, "a|<|user|>|hello");
	expect(t, "<s> hello", NLP_ENCODE_SPECIAL, "<s>|\xc4\xa0|hello");
	expect(t, "</s> \t", NLP_ENCODE_SPECIAL, "</s>");
	nlp_free(&nlp_libc_alloc, t);

	/* A mask that takes the space before it. */
	byte_level(&v, "jina-v2-code");
	add(&v, "<mask>", 3, 0);
	t = built(&v);
	expect(t, "hello \t<mask>a", NLP_ENCODE_SPECIAL, "hello|<mask>|a");
	expect(t, " <mask>", NLP_ENCODE_SPECIAL, "<mask>");
	nlp_free(&nlp_libc_alloc, t);
}

/* What ends a text, by llama.cpp's list, and where it is taken back. */
static void
test_end_of_generation(void)
{
	static Vocab v;
	NlpTokenizer *t;
	static const char *const texts[] = {"<|eom_id|>", "<|return|>", "<|call|>", "<|end|>", "<|channel|>", "<fim_pad>",
	"<|file_sep|>", "<fim_prefix>", "plain"};
	static const bool ends[] = {true, true, true, false, false, true, true, false, false};
	static const bool special[] = {true, true, true, true, true, true, true, true, false};

	byte_level(&v, "gpt-2");
	for (size_t i = 0; i < 9; i++)
		add(&v, texts[i], 1, 0);
	t = built(&v);
	for (size_t i = 0; i < 9; i++)
	{
		int32_t		id = nlp_tokenizer_find(t, texts[i], strlen(texts[i]));

		CHECKF(nlp_tokenizer_is_eog(t, id) == ends[i], "%s", texts[i]);
		CHECKF(nlp_tokenizer_is_special(t, id) == special[i], "%s", texts[i]);
	}
	/* Control-looking tokens of normal type count as control; taken-back ones as user-defined. */
	expect(t, "<|return|>", 0, "<|||r|e|t|u|r|n|||>");
	expect(t, "<|channel|><|end|>", 0, "<|channel|>|<|end|>");
	nlp_free(&nlp_libc_alloc, t);

	byte_level(&v, "gpt-2");
	add(&v, "<|tool_response>", 4, 0);
	t = built(&v);
	CHECK(!nlp_tokenizer_is_eog(t, nlp_tokenizer_find(t, "<|im_start|>", 12)));
	CHECK(nlp_tokenizer_is_eog(t, nlp_tokenizer_find(t, "<|tool_response>", 16)));
	CHECK(!nlp_tokenizer_is_special(t, nlp_tokenizer_find(t, "</s>", 4)));
	nlp_free(&nlp_libc_alloc, t);

	byte_level(&v, "gpt-2");
	v.name = "Modern-BERT";
	add(&v, "[MASK]", 3, 0);
	t = built(&v);
	expect(t, "a [MASK] a", NLP_ENCODE_SPECIAL, "a|[MASK]|\xc4\xa0|a");
	nlp_free(&nlp_libc_alloc, t);
}

/* Odd files that are still fine. */
static void
test_accepted(void)
{
	static Vocab v;
	NlpTokenizer *t;

	byte_level(&v, "");			/* no name: the default rules */
	merge(&v, "h e");			/* a merge listed twice keeps its first rank */
	v.scores_as_i32 = true;
	t = built(&v);
	expect(t, "hello 1234", 0, "hello|\xc4\xa0|1|2|3|4");
	nlp_free(&nlp_libc_alloc, t);

	start(&v, "gpt2", "gpt-2");	/* bos and eos default to 11: not in a small vocabulary */
	add(&v, "a", 1, 0);
	t = built(&v);
	CHECK(nlp_tokenizer_bos(t) == -1 && nlp_tokenizer_eos(t) == -1);
	expect(t, "ab", 0, "a");	/* what has no token is left out, as by llama.cpp */
	nlp_free(&nlp_libc_alloc, t);
}

/* Invert token_hash for a text of eight bytes. */
static uint64_t
inverse(uint64_t odd)
{
	uint64_t	x = odd;

	for (int i = 0; i < 6; i++)
		x *= 2 - odd * x;
	return x;
}

static void
text_of_hash(uint64_t h, char out[8])
{
	uint64_t	x = h ^ (h >> 29) ^ (h >> 58);

	x *= inverse(UINT64_C(0xc4ceb9fe1a85ec53));
	x ^= x >> 32;
	x *= inverse(UINT64_C(0xff51afd7ed558ccd));
	x ^= 8 * UINT64_C(0x9e3779b97f4a7c15);
	memcpy(out, &x, 8);
}

/* A file whose tokens all fall on one place of the table is refused, not slow. */
static void
test_collisions(void)
{
	static Vocab v;
	static char texts[5000][8];
	NlpTestAlloc ta;
	NlpTokenizer *t;
	NlpError	err;
	size_t		bytes;

	spm(&v);
	for (uint32_t i = 0; i < 5000; i++)
	{
		text_of_hash(UINT64_C(0x1234567800000000) + i, texts[i]);
		CHECK(token_hash(texts[i], 8) == UINT64_C(0x1234567800000000) + i);
		v.tokens[v.n] = (NlpStr) {texts[i], 8};
		v.types[v.n++] = 1;
	}
	nlp_test_alloc_init(&ta, -1);
	t = build(&v, &ta.alloc, &bytes, &err);
	CHECKF(t == NULL && err.status == NLP_ECORRUPT && strstr(err.message, "collide"), "%s", err.message);
	CHECK(ta.live == 0);
}

static void
test_frame(void)
{
	static Vocab v;
	NlpTokenizer *t;
	NlpCoder   *coder;
	NlpTokens	out;
	NlpError	err;

	byte_level(&v, "llama-bpe");
	v.add_eos = 1;
	t = built(&v);
	expect(t, "", 0, "<s>|</s>");
	expect(t, "", NLP_ENCODE_NO_BOS, "");
	expect(t, "hello", 0, "<s>|hello|</s>");
	expect(t, "hello", NLP_ENCODE_NO_BOS, "hello");
	PUT(nlp_coder_open(t, &nlp_libc_alloc, &coder, &err));
	PUT(nlp_encode(coder, &env, "hello world", 11, 0, true, 4, &out, &err));
	CHECK(out.n == 4 && out.starts[0] == 0 && out.starts[1] == 0 && out.starts[2] == 5 && out.starts[3] == 11);
	nlp_free(&nlp_libc_alloc, out.ids);
	nlp_free(&nlp_libc_alloc, out.starts);
	for (size_t max = 1; max < 4; max++)
	{
		CHECK(nlp_encode(coder, &env, "hello world", 11, 0, true, max, &out, &err) == NLP_ELIMIT);
		CHECK(out.ids == NULL && out.starts == NULL && out.n == 0);
	}
	CHECK(nlp_encode(coder, &env, "  <|user|>  ", 12, 0, false, 2, &out, &err) == NLP_ELIMIT);
	CHECK(nlp_encode(coder, &env, "x", (size_t) INT32_MAX + 1, 0, false, 0, &out, &err) == NLP_ELIMIT);
	CHECK(nlp_encode(coder, &env, "x", SIZE_MAX, 0, false, 0, &out, &err) == NLP_ELIMIT);
	nlp_coder_close(coder);
	nlp_coder_close(NULL);
	nlp_free(&nlp_libc_alloc, t);
	v.add_bos = 0;
	v.add_eos = 0;
	t = built(&v);
	expect(t, "hello", 0, "hello");
	nlp_free(&nlp_libc_alloc, t);
}

static void
test_spm(void)
{
	static Vocab v;
	NlpTokenizer *t;
	NlpCoder   *coder;
	NlpTokens	out;
	NlpError	err;
	NlpBuf		back;

	spm(&v);
	t = built(&v);
	CHECK(nlp_tokenizer_model(t) == NLP_TOKEN_SPM && nlp_tokenizer_bos(t) == 1 && nlp_tokenizer_eos(t) == 2);
	expect(t, "", 0, "<s>");
	expect(t, "hello world", 0, "<s>|" SPACE "hello|" SPACE "world");
	expect(t, " hello", NLP_ENCODE_NO_BOS, SPACE SPACE "|hello");
	expect(t, "x", NLP_ENCODE_NO_BOS, SPACE "|<0x78>");
	expect(t, "\xe4\xb8\xad\xe4\xb8\xae", NLP_ENCODE_NO_BOS, SPACE "|\xe4\xb8\xad|<0xE4>|<0xB8>|<0xAE>");
	expect(t, "hello<user>hello", NLP_ENCODE_NO_BOS, SPACE "hello|<user>|" SPACE "hello");
	expect(t, "</s>hello", NLP_ENCODE_SPECIAL | NLP_ENCODE_NO_BOS, "</s>|" SPACE "hello");
	PUT(nlp_coder_open(t, &nlp_libc_alloc, &coder, &err));
	PUT(nlp_encode(coder, &env, "hello world<user>\xe4\xb8\xae w", 22, 0, true, 0, &out, &err));
	{
		static const char *const pieces[] = {"<s>", SPACE "hello", SPACE "world", "<user>", SPACE, "<0xE4>", "<0xB8>",
		"<0xAE>", SPACE "w"};
		static const uint32_t starts[] = {0, 0, 5, 11, 17, 17, 18, 19, 20};
		bool		ok = out.n == 9;

		for (size_t i = 0; ok && i < 9; i++)
		{
			NlpStr		p = nlp_tokenizer_piece(t, out.ids[i]);

			ok &= p.len == strlen(pieces[i]) && memcmp(p.data, pieces[i], p.len) == 0 && out.starts[i] == starts[i];
			CHECKF(ok, "token %zu is %.*s at %u", i, (int) p.len, p.data, out.starts[i]);
		}
		CHECK(ok);
	}
	nlp_buf_init(&back, &nlp_libc_alloc);
	PUT(nlp_decode(t, out.ids, out.n, false, &back, &err));
	CHECK(back.len == 22 && memcmp(back.data, "hello world<user>\xe4\xb8\xae w", 22) == 0);
	back.len = 0;
	PUT(nlp_decode_after(t, out.ids[1], out.ids + 2, 1, false, &back, &err));
	CHECK(back.len == 6 && memcmp(back.data, " world", 6) == 0);
	nlp_buf_free(&back);
	nlp_free(&nlp_libc_alloc, out.ids);
	nlp_free(&nlp_libc_alloc, out.starts);
	nlp_coder_close(coder);
	nlp_free(&nlp_libc_alloc, t);

	v.space_prefix = 0;
	v.add_bos = 0;
	t = built(&v);
	expect(t, "hello world", 0, "hello|" SPACE "world");
	nlp_free(&nlp_libc_alloc, t);

	/* Without byte tokens what is unknown is the unknown token, a character at a time. */
	for (unsigned i = 3; i < 259; i++)
		v.tokens[i] = (NlpStr) {v.byte_text[i - 3], (size_t) snprintf(v.byte_text[i - 3], 8, "_%u", i)}, v.types[i] = 1;
	t = built(&v);
	expect(t, "x\xe4\xb8\xaeh", 0, "<unk>|<unk>|h");
	nlp_free(&nlp_libc_alloc, t);
}

/* Pieces that hold a space inside: the stretch must not be cut there. */
static void
test_spm_inner_space(void)
{
	static Vocab v;
	NlpTokenizer *t;

	spm(&v);
	add(&v, "o" SPACE, 1, 0.5f);
	add(&v, "o" SPACE "w", 1, 0.75f);
	t = built(&v);
	expect(t, "hello world", NLP_ENCODE_NO_BOS, SPACE "|hell|o" SPACE "w|or|ld");
	nlp_free(&nlp_libc_alloc, t);
}

static void
test_gemma4(void)
{
	static Vocab v;
	NlpTokenizer *t;

	spm(&v);
	v.model = "gemma4";
	v.bos = 1;
	v.eos = 2;
	v.unk = 0;
	merge(&v, "l l");
	merge(&v, "h e");
	merge(&v, "he ll");
	merge(&v, "hell o");
	merge(&v, SPACE " " SPACE);
	merge(&v, SPACE " w");
	add(&v, "\n\n", 1, 0);
	t = built(&v);
	expect(t, "hello w\n\nhe\n  w", 0, "<s>|hello|" SPACE "w|\n\n|he|<0x0A>|" SPACE SPACE "|w");
	expect(t, "\xe4\xb8\xae", 0, "<s>|<0xE4>|<0xB8>|<0xAE>");
	nlp_free(&nlp_libc_alloc, t);
}

static void
test_bad_text(void)
{
	static const struct
	{
		const char *text;
		size_t		len;
		size_t		offset;
	}			cases[] = {{"\xff", 1, 0}, {"abc\x80", 4, 3}, {"0123456789\xc0\xaf", 12, 10}, {"a\xed\xa0\x80", 4, 1},
	{"\xe4\xb8", 2, 0}, {"\xe4\xb8\xad\xf0\x9f\x98", 6, 3}, {"\xf4\x90\x80\x80", 4, 0}, {"aaaaaaaaaaaaaaaa\xc3(", 18, 16}};
	static Vocab v;
	NlpTokenizer *t;
	NlpCoder   *coder;
	NlpTokens	out;
	NlpError	err;

	byte_level(&v, "gpt-2");
	t = built(&v);
	PUT(nlp_coder_open(t, &nlp_libc_alloc, &coder, &err));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		CHECK(nlp_encode(coder, &env, cases[i].text, cases[i].len, 0, true, 0, &out, &err) == NLP_ETEXT);
		CHECKF(err.has_offset && err.offset == cases[i].offset, "case %zu: offset %llu", i, (unsigned long long) err.offset);
		CHECK(out.ids == NULL);
	}
	/* NUL is a character like another. */
	PUT(nlp_encode(coder, &env, "a\0b", 3, 0, false, 0, &out, &err));
	CHECK(out.n == 3);
	nlp_free(&nlp_libc_alloc, out.ids);
	nlp_coder_close(coder);
	nlp_free(&nlp_libc_alloc, t);
}

/* ---- what is refused ---- */

typedef void (*Spoil) (Vocab *v);
static void spoil_none(Vocab *v) {(void) v;}
static void spoil_model(Vocab *v) {v->model = "bert";}
static void spoil_unigram(Vocab *v) {v->model = "t5";}
static void spoil_unknown(Vocab *v) {v->model = "rwkv";}
static void spoil_no_model(Vocab *v) {v->model = NULL;}
static void spoil_pre(Vocab *v) {v->pre = "no-such-rule";}
static void spoil_no_tokens(Vocab *v) {v->no_tokens = true;}
static void spoil_zero_tokens(Vocab *v) {v->n = 0; v->with_scores = false;}
static void spoil_empty(Vocab *v) {v->tokens[7].len = 0;}
static void spoil_duplicate(Vocab *v) {v->tokens[7] = v->tokens[8];}
static void spoil_few_types(Vocab *v) {v->extra_types = -1;}
static void spoil_many_types(Vocab *v) {v->extra_types = 1;}
static void spoil_type(Vocab *v) {v->types[5] = 7;}
static void spoil_type_low(Vocab *v) {v->types[5] = -1;}
static void spoil_type_kind(Vocab *v) {v->types_as_u32 = true;}
static void spoil_score_kind(Vocab *v) {v->scores_as_u8 = true;}
static void spoil_few_scores(Vocab *v) {v->with_scores = true; v->extra_scores = -1;}
static void spoil_nan(Vocab *v) {v->with_scores = true; v->scores[11] = NAN;}
static void spoil_bos(Vocab *v) {v->bos = v->n;}
static void spoil_bos_max(Vocab *v) {v->bos = UINT32_MAX;}
static void spoil_bos_kind(Vocab *v) {v->bos_as_string = true;}
static void spoil_eos(Vocab *v) {v->eos = 1 << 30;}
static void spoil_no_merges(Vocab *v) {v->no_merges = true;}
static void spoil_merge_kind(Vocab *v) {v->merges_as_i32 = true;}
static void spoil_merge_space(Vocab *v) {v->merges[3] = (NlpStr) {"hello", 5};}
static void spoil_merge_lead(Vocab *v) {v->merges[3] = (NlpStr) {" hello", 6};}
static void spoil_merge_empty(Vocab *v) {v->merges[3] = (NlpStr) {"", 0};}
static void spoil_merge_right(Vocab *v) {v->merges[3] = (NlpStr) {"hell ", 5};}
static void spoil_merge_part(Vocab *v) {v->merges[3] = (NlpStr) {"helo x", 6};}
static void spoil_merge_whole(Vocab *v) {v->merges[3] = (NlpStr) {"hello x", 7};}
static void spoil_merge_long(Vocab *v)
{
	static char text[70000];

	memset(text, 'a', sizeof(text));
	text[100] = ' ';
	v->merges[3] = (NlpStr) {text, sizeof(text)};
}
static void spoil_long(Vocab *v)
{
	static char text[65536];

	memset(text, 'a', sizeof(text));
	v->tokens[7] = (NlpStr) {text, sizeof(text)};
}
static void spoil_marker(Vocab *v) {v->tokens[v->n - 1] = (NlpStr) {"<\xff>", 3};}
static void spoil_add_bos(Vocab *v) {v->pre = "glm4"; v->bos = -1; v->add_bos = 1;}
static void spoil_byte(Vocab *v) {v->tokens[40] = (NlpStr) {"<0xG5>", 6};}
static void spoil_unk(Vocab *v) {v->tokens[40] = (NlpStr) {"<0xg>", 5}; v->types[40] = 1; v->unk = v->n;}

static void
test_refused(void)
{
	static const struct
	{
		const char *name;
		Spoil		spoil;
		bool		spm;
		NlpStatus	status;
		const char *field;
	}			cases[] = {
		{"none", spoil_none, false, NLP_OK, ""},
		{"none", spoil_none, true, NLP_OK, ""},
		{"model bert", spoil_model, false, NLP_EUNSUPPORTED, "tokenizer.ggml.model"},
		{"model t5", spoil_unigram, true, NLP_EUNSUPPORTED, "tokenizer.ggml.model"},
		{"model rwkv", spoil_unknown, true, NLP_EUNSUPPORTED, "tokenizer.ggml.model"},
		{"no model", spoil_no_model, false, NLP_ECORRUPT, "tokenizer.ggml.model"},
		{"pre", spoil_pre, false, NLP_EUNSUPPORTED, "tokenizer.ggml.pre"},
		{"no tokens", spoil_no_tokens, false, NLP_ECORRUPT, "tokenizer.ggml.tokens"},
		{"zero tokens", spoil_zero_tokens, true, NLP_ECORRUPT, "tokenizer.ggml.tokens"},
		{"empty token", spoil_empty, false, NLP_ECORRUPT, "tokenizer.ggml.tokens"},
		{"empty piece", spoil_empty, true, NLP_ECORRUPT, "tokenizer.ggml.tokens"},
		{"duplicate", spoil_duplicate, false, NLP_ECORRUPT, "tokenizer.ggml.tokens"},
		{"long token", spoil_long, false, NLP_ECORRUPT, "tokenizer.ggml.tokens"},
		{"marker bytes", spoil_marker, false, NLP_ECORRUPT, "tokenizer.ggml.tokens"},
		{"few types", spoil_few_types, false, NLP_ECORRUPT, "tokenizer.ggml.token_type"},
		{"many types", spoil_many_types, true, NLP_ECORRUPT, "tokenizer.ggml.token_type"},
		{"type 7", spoil_type, false, NLP_ECORRUPT, "tokenizer.ggml.token_type"},
		{"type -1", spoil_type_low, true, NLP_ECORRUPT, "tokenizer.ggml.token_type"},
		{"types u32", spoil_type_kind, false, NLP_ECORRUPT, "tokenizer.ggml.token_type"},
		{"scores u8", spoil_score_kind, true, NLP_ECORRUPT, "tokenizer.ggml.scores"},
		{"few scores", spoil_few_scores, true, NLP_ECORRUPT, "tokenizer.ggml.scores"},
		{"NaN", spoil_nan, true, NLP_ECORRUPT, "tokenizer.ggml.scores"},
		{"NaN in BPE", spoil_nan, false, NLP_ECORRUPT, "tokenizer.ggml.scores"},
		{"bos = V", spoil_bos, false, NLP_ECORRUPT, "tokenizer.ggml.bos_token_id"},
		{"bos = 2^32-1", spoil_bos_max, true, NLP_ECORRUPT, "tokenizer.ggml.bos_token_id"},
		{"bos text", spoil_bos_kind, false, NLP_ECORRUPT, "tokenizer.ggml.bos_token_id"},
		{"eos", spoil_eos, true, NLP_ECORRUPT, "tokenizer.ggml.eos_token_id"},
		{"bos wanted", spoil_add_bos, false, NLP_ECORRUPT, NULL},
		{"no merges", spoil_no_merges, false, NLP_ECORRUPT, "tokenizer.ggml.merges"},
		{"merges i32", spoil_merge_kind, false, NLP_ECORRUPT, "tokenizer.ggml.merges"},
		{"merge without space", spoil_merge_space, false, NLP_ECORRUPT, "tokenizer.ggml.merges"},
		{"merge of a space", spoil_merge_lead, false, NLP_ECORRUPT, "tokenizer.ggml.merges"},
		{"empty merge", spoil_merge_empty, false, NLP_ECORRUPT, "tokenizer.ggml.merges"},
		{"merge with nothing", spoil_merge_right, false, NLP_ECORRUPT, "tokenizer.ggml.merges"},
		{"merge part", spoil_merge_part, false, NLP_ECORRUPT, "tokenizer.ggml.merges"},
		{"merge whole", spoil_merge_whole, false, NLP_ECORRUPT, "tokenizer.ggml.merges"},
		{"long merge", spoil_merge_long, false, NLP_ECORRUPT, "tokenizer.ggml.merges"},
		{"byte token", spoil_byte, true, NLP_ECORRUPT, "tokenizer.ggml.tokens"},
		{"unknown id", spoil_unk, true, NLP_ECORRUPT, "tokenizer.ggml.unknown_token_id"},
	};
	static Vocab v;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		NlpTestAlloc ta;
		NlpTokenizer *t;
		NlpError	err;
		size_t		bytes;

		if (cases[i].spm)
			spm(&v);
		else
			byte_level(&v, "gpt-2");
		cases[i].spoil(&v);
		nlp_test_alloc_init(&ta, -1);
		t = build(&v, &ta.alloc, &bytes, &err);
		CHECKF((t ? NLP_OK : err.status) == cases[i].status, "%s: status %d, %s", cases[i].name, err.status, err.message);
		if (!t && cases[i].field)
			CHECKF(strcmp(err.field, cases[i].field) == 0, "%s: field %s", cases[i].name, err.field);
		if (cases[i].status == NLP_EUNSUPPORTED)
			CHECKF(strstr(err.message, "not supported") != NULL, "%s", err.message);
		if (cases[i].spoil == spoil_model)
			CHECK(strstr(err.message, "WordPiece") != NULL);
		if (cases[i].spoil == spoil_unigram)
			CHECK(strstr(err.message, "Unigram") != NULL);
		if (cases[i].spoil == spoil_pre)
			CHECKF(strstr(err.hint, "gpt-2") && strstr(err.hint, "llama3") && strstr(err.hint, "sarvam-moe"), "%s", err.hint);
		nlp_free(&ta.alloc, t);
		CHECKF(ta.live == 0, "%s leaks %ld", cases[i].name, ta.live);
	}
}

/* Every name builds and tokenizes. */
static void
test_families(void)
{
	static const char text[] = "Hello, WORLD's 12345 x\xc3\x89t\xc3\xa9  \xe4\xb8\xad\xe6\x96\x87\xe3\x80\x82\n\n\t if (a[0] != '\\n') IMGIMGABZ <sentinel:1>  ";
	static Vocab v;
	size_t		n = 0;

	for (const PreFamily *f; (f = nlp_pre_family_at(n)) != NULL; n++)
	{
		NlpTokenizer *t;
		NlpCoder   *coder;
		NlpTokens	out;
		NlpError	err;
		NlpBuf		back;

		CHECK(nlp_pre_family(f->name, strlen(f->name)) == f);
		byte_level(&v, f->name);
		t = built(&v);
		PUT(nlp_coder_open(t, &nlp_libc_alloc, &coder, &err));
		PUT(nlp_encode(coder, &env, text, strlen(text), NLP_ENCODE_NO_BOS, true, 0, &out, &err));
		nlp_buf_init(&back, &nlp_libc_alloc);
		PUT(nlp_decode(t, out.ids, out.n, false, &back, &err));
		if (f->flags & T_BYTE_LEVEL)
			CHECKF(back.len == strlen(text) && memcmp(back.data, text, back.len) == 0, "%s", f->name);
		nlp_buf_free(&back);
		nlp_free(&nlp_libc_alloc, out.ids);
		nlp_free(&nlp_libc_alloc, out.starts);
		nlp_coder_close(coder);
		nlp_free(&nlp_libc_alloc, t);
	}
	CHECK(n >= 90 && nlp_pre_family_at(n) == NULL && nlp_pre_family("gpt-", 4) == NULL);
	CHECK(nlp_pre_stages(9999) == NULL);
}

/* ---- memory, cancel, images ---- */

/* A text that uses every path: markers, cache, long words, escapes. */
static char *
long_text(size_t *len)
{
	static char text[6000];
	size_t		n = 0;

	for (int i = 0; i < 40; i++)
		n += (size_t) sprintf(text + n, "hello world<|user|>  %d </s>\xe4\xb8\xad\n", i);
	memset(text + n, 'a', 3000);
	n += 3000;
	*len = n;
	return text;
}

static void
test_no_memory(bool with_spm)
{
	static Vocab v;
	size_t		len;
	char	   *text = long_text(&len);
	long		fails = 0;

	if (with_spm)
		spm(&v);
	else
		byte_level(&v, "smollm");
	for (long at = 0;; at++)
	{
		NlpTestAlloc ta;
		NlpEnv		e = {.alloc = &ta.alloc};
		NlpTokenizer *t;
		NlpCoder   *coder = NULL;
		NlpTokens	out = {NULL, 0, NULL};
		NlpError	err;
		size_t		bytes;
		NlpStatus	st = NLP_ENOMEM;

		nlp_test_alloc_init(&ta, at);
		t = build(&v, &ta.alloc, &bytes, &err);
		if (t)
			st = nlp_coder_open(t, &ta.alloc, &coder, &err);
		if (t && st == NLP_OK)
			st = nlp_encode(coder, &e, text, len, NLP_ENCODE_SPECIAL | NLP_ENCODE_NO_BOS, true, 0, &out, &err);
		if (st == NLP_OK)
		{
			NlpBuf		back;

			nlp_buf_init(&back, &ta.alloc);
			st = nlp_decode(t, out.ids, out.n, true, &back, &err);
			if (st == NLP_OK)
				CHECK(back.len == len && memcmp(back.data, text, len) == 0);
			nlp_buf_free(&back);
		}
		CHECKF(st == NLP_OK || (err.status == NLP_ENOMEM && strstr(err.message, "out of memory")), "%s", err.message);
		nlp_free(&ta.alloc, out.ids);
		nlp_free(&ta.alloc, out.starts);
		nlp_coder_close(coder);
		nlp_free(&ta.alloc, t);
		CHECKF(ta.live == 0, "allocation %ld leaks %ld", at, ta.live);
		if (ta.calls <= at)
		{
			CHECK(st == NLP_OK);
			break;
		}
		CHECKF(st == NLP_ENOMEM, "allocation %ld", at);
		fails++;
	}
	CHECKF(fails > 15, "%ld allocations", fails);
}

static long polls_left;
static bool
pending(void *ctx)
{
	(void) ctx;
	return polls_left-- <= 0;
}

static bool
cancelled(void *ctx)
{
	(void) ctx;
	return true;
}

static void
test_cancel(const char *pre, const char *unit)
{
	static Vocab v;
	const size_t len = (5 << 19) / 24 * 24;
	char	   *text = malloc(len);
	NlpTestAlloc ta;
	NlpEnv		e = {.alloc = &ta.alloc,.pending = pending,.cancelled = cancelled};
	NlpTokenizer *t;
	NlpCoder   *coder;
	NlpTokens	out;
	NlpError	err;
	long		polls = 0;

	if (!pre)
		spm(&v);
	else
		byte_level(&v, pre);
	t = built(&v);
	for (size_t i = 0, n = strlen(unit); i < len; i++)
		text[i] = i < len / n * n ? unit[i % n] : 'a';
	nlp_test_alloc_init(&ta, -1);
	PUT(nlp_coder_open(t, &nlp_libc_alloc, &coder, &err));
	polls_left = 1L << 40;
	PUT(nlp_encode(coder, &e, text, len, NLP_ENCODE_SPECIAL, true, 0, &out, &err));
	polls = (1L << 40) - polls_left;
	CHECKF(polls > 5, "%ld polls", polls);
	nlp_free(&ta.alloc, out.ids);
	nlp_free(&ta.alloc, out.starts);
	for (long at = 0; at < polls; at += 1 + polls / 4)
	{
		polls_left = at;
		CHECK(nlp_encode(coder, &e, text, len, NLP_ENCODE_SPECIAL, true, 0, &out, &err) == NLP_ECANCELLED);
		CHECK(ta.live == 0);
	}
	nlp_coder_close(coder);
	nlp_free(&nlp_libc_alloc, t);
	free(text);
}

/* A block works wherever it lies, and a damaged one is refused or harmless. */
static void
test_image(bool with_spm)
{
	static Vocab v;
	NlpError	err;
	size_t		bytes,
				len;
	NlpTokenizer *t,
			   *moved;
	char	   *text = long_text(&len);
	uint64_t	rnd = 12345;
	unsigned	refused = 0;

	if (with_spm)
		spm(&v);
	else
		byte_level(&v, "gpt-4o");
	t = build(&v, &nlp_libc_alloc, &bytes, &err);
	moved = nlp_alloc(&nlp_libc_alloc, bytes);
	memcpy(moved, t, bytes);
	memset(t, 0xa5, bytes);
	expect(moved, "hello world", NLP_ENCODE_NO_BOS, with_spm ? SPACE "hello|" SPACE "world" : "hello|\xc4\xa0world");
	CHECK(nlp_tokenizer_check(t, bytes, &err) == NLP_ECORRUPT);
	CHECK(nlp_tokenizer_check(moved, bytes - 1, &err) == NLP_ECORRUPT);
	CHECK(nlp_tokenizer_check(moved, 10, &err) == NLP_ECORRUPT);
	for (int i = 0; i < 1500; i++)
	{
		size_t		at;
		NlpCoder   *coder;
		NlpTokens	out;

		memcpy(t, moved, bytes);
		rnd = rnd * UINT64_C(6364136223846793005) + 1442695040888963407u;
		/* Half of the time in the header, else anywhere. */
		at = (size_t) (rnd >> 33) % (i & 1 ? sizeof(NlpTokenizer) : bytes);
		((unsigned char *) t)[at] ^= (unsigned char) (1u << (rnd >> 20 & 7));
		if (nlp_tokenizer_check(t, bytes, &err) != NLP_OK)
		{
			refused++;
			continue;
		}
		PUT(nlp_coder_open(t, &nlp_libc_alloc, &coder, &err));
		if (nlp_encode(coder, &env, text, 1200, NLP_ENCODE_SPECIAL, true, 0, &out, &err) == NLP_OK)
		{
			NlpBuf		back;

			nlp_buf_init(&back, &nlp_libc_alloc);
			PUT(nlp_decode(t, out.ids, out.n, true, &back, &err));
			nlp_buf_free(&back);
			nlp_free(&nlp_libc_alloc, out.ids);
			nlp_free(&nlp_libc_alloc, out.starts);
		}
		nlp_coder_close(coder);
	}
	CHECKF(refused > 100, "%u refused", refused);
	nlp_free(&nlp_libc_alloc, moved);
	nlp_free(&nlp_libc_alloc, t);
}

static void
test_alphabet(void)
{
	bool		seen[0x144] = {false};
	char		text[8],
				raw[8];

	for (unsigned b = 0; b < 256; b++)
	{
		uint32_t	cp = nlp_alphabet_char((uint8_t) b);
		int			n = nlp_utf8_encode(cp, text);

		CHECK(cp < 0x144 && !seen[cp]);
		seen[cp] = true;
		CHECK(nlp_alphabet_decode(text, (size_t) n, raw, 8) == 1 && (unsigned char) raw[0] == b);
	}
	CHECK(nlp_alphabet_decode(" ", 1, raw, 8) == -1 && nlp_alphabet_decode("\xc5\x84", 2, raw, 8) == -1);
	CHECK(nlp_alphabet_decode("\xc2\xad", 2, raw, 8) == -1 && nlp_alphabet_decode("\xff", 1, raw, 8) == -1);
	CHECK(nlp_alphabet_decode("abc", 3, raw, 2) == -1);
}

int
main(void)
{
	test_alphabet();
	test_byte_level();
	test_markers();
	test_end_of_generation();
	test_accepted();
	test_collisions();
	test_frame();
	test_spm();
	test_spm_inner_space();
	test_gemma4();
	test_bad_text();
	test_refused();
	test_families();
	test_no_memory(false);
	test_no_memory(true);
	test_cancel("smollm", "a");
	test_cancel("smollm", " ");
	test_cancel("smollm", "<|user|>");
	test_cancel("smollm", "hello world ");
	test_cancel("gpt-4o", "AAAAb");
	test_cancel("gpt-4o", "A");
	test_cancel("kimi-k2", "\xe4\xb8\xad");
	test_cancel("deepseek-llm", "\xe4\xb8\xad");
	test_cancel("deepseek-llm", " ");
	test_cancel("jais-2", " \n");
	test_cancel("chameleon", "x");
	test_cancel(NULL, "a");
	test_cancel(NULL, "hello ");
	test_image(false);
	test_image(true);
	return check_done();
}
