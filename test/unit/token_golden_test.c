/* token_golden_test.c --- ids against llama.cpp's, for real vocabularies.
 *
 * Needs them on disk (tools/get_models.sh smollm2 vocabs): NLP_VOCAB_DIR and
 * NLP_SMOLLM2, or the model cache. Not finding them is a failure. Run from the top
 * directory, or with NLP_GOLDEN naming test/golden. */
#include <stdint.h>
#include <time.h>

#include "check.h"
#include "core/utf8.h"
#include "token/pretoken.h"
#include "token/token.h"

static const NlpEnv env = {.alloc = &nlp_libc_alloc};

static char *
read_whole(const char *path, size_t *len)
{
	FILE	   *f = fopen(path, "rb");
	char	   *p;
	long		n;

	CHECKF(f != NULL, "cannot open %s", path);
	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	p = malloc((size_t) n + 1);
	*len = fread(p, 1, (size_t) n, f);
	p[*len] = '\0';
	fclose(f);
	return p;
}

static const char *
golden(const char *name)
{
	static char path[1024];
	const char *dir = getenv("NLP_GOLDEN");

	snprintf(path, sizeof(path), "%s/token/%s", dir ? dir : "test/golden", name);
	return path;
}

static void
model_path(const char *file, char *out, size_t cap)
{
	const char *vocabs = getenv("NLP_VOCAB_DIR");
	const char *smollm2 = getenv("NLP_SMOLLM2");
	const char *cache = getenv("PG_NLP_MODELS");
	const char *home = getenv("HOME");
	char		dir[900];

	if (cache)
		snprintf(dir, sizeof(dir), "%s", cache);
	else
		snprintf(dir, sizeof(dir), "%s/.cache/pg_nlp/models", home ? home : "");
	if (strncmp(file, "SmolLM2", 7) == 0)
	{
		if (smollm2)
			snprintf(out, cap, "%s", smollm2);
		else
			snprintf(out, cap, "%s/%s", dir, file);
	}
	else if (vocabs)
		snprintf(out, cap, "%s/%s", vocabs, file);
	else
		snprintf(out, cap, "%s/vocabs/%s", dir, file);
}

typedef struct Tok
{
	NlpFileSource file;
	NlpBuf		copy;
	NlpMemorySource memory;
	NlpGguf		gguf;
	NlpTokenizer *t;
	size_t		bytes;
	NlpCoder   *coder;
} Tok;

/* ---- a copy of a vocabulary under another pre-tokenizer ---- */

static NlpStatus
append(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return nlp_buf_append(ctx, bytes, len) ? NLP_OK : nlp_no_memory(err, len, "copy");
}

/* Write g's tokenizer keys to out, model and pre replaced. */
static NlpStatus
copy_vocabulary(const NlpGguf *g, const char *model, const char *pre, NlpBuf *out, NlpError *err)
{
	NlpSink		sink = {append, out};
	NlpGgufWriter *w;

	NLP_TRY(nlp_gguf_writer_new(&nlp_libc_alloc, &w, err));
	for (uint64_t i = 0; i < g->n_kv; i++)
	{
		const NlpGgufKv *kv = &g->kv[i];
		const NlpStr *s = kv->data;

		if (strcmp(kv->key.data, "tokenizer.ggml.model") == 0)
			NLP_TRY(nlp_gguf_put_str(w, kv->key.data, model ? model : s->data, model ? strlen(model) : s->len, err));
		else if (strcmp(kv->key.data, "tokenizer.ggml.pre") == 0)
			continue;
		else if (kv->type == NLP_GGUF_STRING)
			NLP_TRY(nlp_gguf_put_str(w, kv->key.data, s->data, s->len, err));
		else if (kv->type == NLP_GGUF_U32)
			NLP_TRY(nlp_gguf_put_u32(w, kv->key.data, *(const uint32_t *) kv->data, err));
		else if (kv->type == NLP_GGUF_BOOL)
			NLP_TRY(nlp_gguf_put_bool(w, kv->key.data, *(const bool *) kv->data, err));
		else if (kv->type == NLP_GGUF_ARRAY)
			NLP_TRY(nlp_gguf_put_array(w, kv->key.data, kv->elem, kv->count, kv->data, err));
	}
	NLP_TRY(nlp_gguf_put_str(w, "tokenizer.ggml.pre", pre, strlen(pre), err));
	NLP_TRY(nlp_gguf_write_header(w, &sink, err));
	NLP_TRY(nlp_gguf_write_end(w, &sink, err));
	nlp_gguf_writer_free(w);
	return NLP_OK;
}

/* Open a vocabulary; pre and model "-" as in the file. */
static bool
tok_open(Tok *k, const char *file, const char *pre, const char *model)
{
	char		path[1024];
	NlpError	err;
	NlpStatus	st;

	memset(k, 0, sizeof(*k));
	model_path(file, path, sizeof(path));
	st = nlp_file_source_open(&k->file, path, &err);
	CHECKF(st == NLP_OK, "%s: %s (fetch it with tools/get_models.sh)", path, err.message);
	if (st != NLP_OK)
		return false;
	st = nlp_gguf_open(&k->file.source, &env, &k->gguf, &err);
	CHECK_OK(st, err);
	if (st != NLP_OK)
		return false;
	nlp_buf_init(&k->copy, &nlp_libc_alloc);
	if (strcmp(pre, "-") != 0)
	{
		st = copy_vocabulary(&k->gguf, strcmp(model, "-") == 0 ? NULL : model, pre, &k->copy, &err);
		CHECK_OK(st, err);
		nlp_gguf_close(&k->gguf);
		nlp_memory_source_init(&k->memory, k->copy.data, k->copy.len);
		st = nlp_gguf_open(&k->memory.source, &env, &k->gguf, &err);
		CHECK_OK(st, err);
		if (st != NLP_OK)
			return false;
	}
	st = nlp_tokenizer_build(&k->gguf, &env, &k->t, &k->bytes, &err);
	CHECKF(st == NLP_OK, "%s %s: %s %s", file, pre, err.message, err.hint);
	if (st != NLP_OK)
		return false;
	st = nlp_tokenizer_check(k->t, k->bytes, &err);
	CHECK_OK(st, err);
	st = nlp_coder_open(k->t, &nlp_libc_alloc, &k->coder, &err);
	CHECK_OK(st, err);
	return st == NLP_OK;
}

static void
tok_close(Tok *k)
{
	nlp_coder_close(k->coder);
	nlp_free(&nlp_libc_alloc, k->t);
	nlp_gguf_close(&k->gguf);
	nlp_buf_free(&k->copy);
	nlp_file_source_close(&k->file);
}

static uint32_t
mix(uint32_t h, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		h = (h ^ ((v >> (8 * i)) & 255)) * 16777619u;
	return h;
}

/* What a text comes back as: U+2581 and the space are one in a SentencePiece
 * vocabulary, and a byte-level one may lack bytes, which are then left out. */
static void
expected_back(const NlpTokenizer *t, const char *text, size_t len, NlpBuf *out)
{
	for (size_t i = 0; i < len; i++)
	{
		if ((t->flags & T_ESCAPE) && len - i >= 3 && memcmp(text + i, "\xe2\x96\x81", 3) == 0)
		{
			nlp_buf_append(out, " ", 1);
			i += 2;
		}
		else if (!(t->flags & T_BYTE_LEVEL) || t->byte_id[(unsigned char) text[i]] >= 0)
			nlp_buf_append(out, text + i, 1);
	}
}

/* Decoding in two calls, split before each token, gives whole characters first and the
 * same bytes in all. */
static bool
splits_well(const NlpTokenizer *t, const NlpTokens *out, const NlpBuf *whole)
{
	NlpBuf		part;
	NlpError	err;
	bool		ok = true;

	nlp_buf_init(&part, &nlp_libc_alloc);
	for (size_t i = 1; i < out->n; i++)
	{
		size_t		n;

		part.len = 0;
		ok &= nlp_decode(t, out->ids, i, false, &part, &err) == NLP_OK;
		n = nlp_utf8_whole(part.data ? part.data : "", part.len);
		ok &= nlp_utf8_valid(part.data ? part.data : "", n, NULL) && part.len - n <= 3;
		ok &= nlp_decode_after(t, out->ids[i - 1], out->ids + i, out->n - i, false, &part, &err) == NLP_OK;
		ok &= part.len == whole->len && memcmp(part.data, whole->data, part.len) == 0;
	}
	nlp_buf_free(&part);
	return ok;
}

/* Starts rise and lie in the text; each says where the token's bytes stand; ids decode
 * to the text, however the decoding is cut. */
static void
check_result(Tok *k, const char *text, size_t len, const NlpTokens *out, bool special, const char *what)
{
	bool		ok = true;
	bool		all_bytes = true;
	NlpBuf		back,
				want;
	NlpError	err;

	for (size_t i = 0; i < out->n; i++)
	{
		char		bytes[256];
		size_t		n = nlp_token_bytes(k->t, out->ids[i], false, bytes, sizeof(bytes));
		size_t		skip = 0;

		ok &= out->starts[i] <= len && (i == 0 || out->starts[i] >= out->starts[i - 1]);
		if (i == 0 || nlp_tokenizer_is_special(k->t, out->ids[i - 1]))
			skip = (k->t->flags & T_SPACE_PREFIX) && n > 0 && bytes[0] == ' ';
		/* The first bytes of the token are those of the text there. */
		if (n > skip && n <= sizeof(bytes) && !(k->t->flags & T_ESCAPE))
			ok &= out->starts[i] < len && text[out->starts[i]] == bytes[skip];
		else if (n > skip && n <= sizeof(bytes) && !strstr(text, "\xe2\x96\x81"))
			ok &= out->starts[i] < len && text[out->starts[i]] == bytes[skip];
	}
	CHECKF(ok, "%s: starts", what);
	if (special)
		return;					/* a marker may have swallowed white space */
	nlp_buf_init(&back, &nlp_libc_alloc);
	nlp_buf_init(&want, &nlp_libc_alloc);
	expected_back(k->t, text, len, &want);
	CHECK_OK(nlp_decode(k->t, out->ids, out->n, false, &back, &err), err);
	CHECKF(back.len == want.len && memcmp(back.data ? back.data : "", want.data ? want.data : "", want.len) == 0,
		   "%s: decoding", what);
	for (size_t i = 0; i < len && (k->t->flags & T_BYTE_LEVEL); i++)
		all_bytes &= k->t->byte_id[(unsigned char) text[i]] >= 0;
	if (all_bytes)
		CHECKF(splits_well(k->t, out, &back), "%s: decoding in parts", what);
	nlp_buf_free(&want);
	nlp_buf_free(&back);
}

/* One section of ids.txt; p is after its header line. */
static const char *
section(const char *p, const char *file, const char *pre, const char *model, size_t n, size_t group,
		const char *lines)
{
	Tok			k;
	bool		open = tok_open(&k, file, pre, model);
	uint32_t	h = 2166136261u;
	bool		exact = strcmp(pre, "-") == 0;
	unsigned	bad = 0;

	for (size_t i = 0; i < n; i++)
	{
		size_t		len = strlen(lines);
		NlpTokens	out;
		NlpError	err;
		NlpStatus	st;
		char		what[300];

		snprintf(what, sizeof(what), "%s %s text %zu", file, pre, i);
		if (open)
		{
			st = nlp_encode(k.coder, &env, lines, len, i & 1 ? NLP_ENCODE_SPECIAL : 0, true, 0, &out, &err);
			CHECK_OK(st, err);
			h = mix(h, (uint32_t) out.n);
			for (size_t j = 0; j < out.n; j++)
				h = mix(h, (uint32_t) out.ids[j]);
			if (exact)
				check_result(&k, lines, len, &out, i & 1, what);
			nlp_free(&nlp_libc_alloc, out.ids);
			nlp_free(&nlp_libc_alloc, out.starts);
		}
		lines += len + 1;
		if ((i + 1) % group == 0 || i + 1 == n)
		{
			uint32_t	want = (uint32_t) strtoul(p, (char **) &p, 16);

			if (open && h != want && bad++ < 5)
				CHECKF(h == want, "%s: ids differ", what);
			else if (open)
				CHECK(h == want);
			h = 2166136261u;
		}
	}
	tok_close(&k);
	return p;
}

static void
all_sections(void)
{
	size_t		n_ids,
				n_lines;
	char	   *ids = read_whole(golden("ids.txt"), &n_ids);
	char	   *lines = read_whole(golden("lines.bin"), &n_lines);
	unsigned	sections = 0;

	for (const char *p = ids; p && lines && (p = strchr(p, '=')) != NULL; sections++)
	{
		char		file[100],
					pre[100],
					model[100];
		size_t		n,
					group;
		int			used;

		if (sscanf(p, "= %99s %99s %99s %zu %zu%n", file, pre, model, &n, &group, &used) != 5)
			break;
		p = section(p + used, file, pre, model, n, group, lines);
	}
	CHECKF(sections == 107, "%u sections", sections);
	free(ids);
	free(lines);
}

/* ---- llama.cpp's own cases: NAME.inp has texts, NAME.out their ids, a line each ---- */

static void
own_cases(const char *vocab)
{
	static const char gap[] = "\n__ggml_vocab_test__\n";
	char		file[100],
				path[1024];
	size_t		n_in,
				n_out;
	char	   *in,
			   *want,
			   *p,
			   *q;
	Tok			k;
	unsigned	n = 0;

	snprintf(file, sizeof(file), "ggml-vocab-%s.gguf.inp", vocab);
	model_path(file, path, sizeof(path));
	in = read_whole(path, &n_in);
	snprintf(file, sizeof(file), "ggml-vocab-%s.gguf.out", vocab);
	model_path(file, path, sizeof(path));
	want = read_whole(path, &n_out);
	snprintf(file, sizeof(file), "ggml-vocab-%s.gguf", vocab);
	if (!in || !want || !tok_open(&k, file, "-", "-"))
		return;
	for (p = in, q = want; p; n++)
	{
		char	   *end = strstr(p, gap);
		size_t		len = end ? (size_t) (end - p) : strlen(p);
		NlpTokens	out;
		NlpError	err;
		bool		same = true;

		CHECK_OK(nlp_encode(k.coder, &env, p, len, NLP_ENCODE_NO_BOS, true, 0, &out, &err), err);
		for (size_t i = 0; i < out.n; i++)
		{
			char	   *stop;

			while (*q == ' ')
				q++;
			same &= *q != '\n' && strtol(q, &stop, 10) == out.ids[i];
			if (!same)
				break;
			q = stop;
		}
		while (*q == ' ')
			q++;
		same &= *q == '\n' || *q == '\0';
		CHECKF(same, "%s case %u", vocab, n);
		q = strchr(q, '\n');
		q = q ? q + 1 : want + n_out;
		nlp_free(&nlp_libc_alloc, out.ids);
		nlp_free(&nlp_libc_alloc, out.starts);
		p = end ? end + strlen(gap) : NULL;
	}
	CHECKF(n >= 45 && *q == '\0', "%s: %u cases", vocab, n);
	tok_close(&k);
	free(in);
	free(want);
}

/* ---- time ---- */

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec * 1e-9;
}

static void
timed(Tok *k, const char *what, const char *text, size_t len, double limit)
{
	NlpTokens	out;
	NlpError	err;
	double		start = seconds();
	double		took;
	NlpStatus	st = nlp_encode(k->coder, &env, text, len, NLP_ENCODE_NO_BOS, false, 0, &out, &err);

	took = seconds() - start;
	CHECK_OK(st, err);
	CHECKF(took < limit, "%s took %.2f s", what, took);
	printf("%s: %zu tokens, %.1f MB/s\n", what, out.n, (double) len / 1e6 / took);
	nlp_free(&nlp_libc_alloc, out.ids);
}

/* A megabyte of anything takes less than two seconds of CPU time. */
static void
long_texts(const char *file)
{
	const size_t len = 1000000;
	char	   *text = malloc(len);
	char		what[200];
	static const struct
	{
		const char *name;
		const char *part;
	}			kinds[] = {{"one letter", "a"}, {"spaces", " "}, {"line ends", "\n"}, {"a space and a letter", " x"},
	{"letters", "abcdefgh"}, {"digits", "1234567890"}, {"Han", "\xe4\xb8\xad\xe6\x96\x87"}, {"marks", "a\xcc\x81"},
	{"punctuation", "!?"}, {"white space of all kinds", " \t\xe3\x80\x80"}, {"quotes", "'"}, {"upper case", "\xc3\x80" "AB"}};
	Tok			k;

	if (!tok_open(&k, file, "-", "-"))
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		size_t		n = strlen(kinds[i].part);
		size_t		whole = len - len % n;

		for (size_t j = 0; j < whole; j++)
			text[j] = kinds[i].part[j % n];
		snprintf(what, sizeof(what), "%s, %s", file, kinds[i].name);
		timed(&k, what, text, whole, 2.0);
	}
	tok_close(&k);
	free(text);
}

int
main(void)
{
	static const char *const with_cases[] = {"command-r", "deepseek-coder", "deepseek-llm", "falcon", "gemma-4", "gpt-2",
		"llama-bpe", "llama-spm", "mpt", "phi-3", "qwen2", "qwen35", "refact", "starcoder"};

	all_sections();
	for (size_t i = 0; i < sizeof(with_cases) / sizeof(with_cases[0]); i++)
		own_cases(with_cases[i]);
	long_texts("ggml-vocab-gpt-2.gguf");
	long_texts("ggml-vocab-llama-spm.gguf");
	long_texts("ggml-vocab-gemma-4.gguf");
	long_texts("ggml-vocab-deepseek-llm.gguf");
	return check_done();
}
