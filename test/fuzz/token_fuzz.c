/* token_fuzz.c --- libFuzzer target for tokenizers.
 *
 * The first byte says what the rest is:
 *   even  a GGUF file: read it, build its tokenizer, check the block, encode a text
 *         that ends the file's bytes
 *   odd   a text, for one of the small vocabularies made below (one for every set of
 *         pre-tokenizer rules, and SentencePiece): ids must decode to the text
 * A broken promise is a crash: abort() when something does not hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "token/pretoken.h"
#include "token/token.h"

#define MAX_VOCABS 48

typedef struct Made
{
	NlpTokenizer *t;
	NlpCoder   *coder;
} Made;

static Made made[MAX_VOCABS];
static unsigned n_made;
static const NlpEnv env = {.alloc = &nlp_libc_alloc};

#define MUST(cond) do { if (!(cond)) { fprintf(stderr, "broken: %s\n", #cond); abort(); } } while (0)

/* ---- vocabularies ---- */

static NlpStatus
append(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return nlp_buf_append(ctx, bytes, len) ? NLP_OK : nlp_no_memory(err, len, "file");
}

typedef struct Words
{
	NlpStr		tokens[400];
	int32_t		types[400];
	float		scores[400];
	uint32_t	n;
	NlpStr		merges[64];
	uint32_t	n_merges;
	char		bytes[256][8];
} Words;

static void
word(Words *w, const char *text, int32_t type)
{
	w->tokens[w->n] = (NlpStr) {text, strlen(text)};
	w->types[w->n] = type;
	w->scores[w->n] = (float) (w->n % 7) - (float) w->n / 50;
	w->n++;
}

static void
joined(Words *w, const char *text, const char *parts)
{
	word(w, text, 1);
	w->merges[w->n_merges++] = (NlpStr) {parts, strlen(parts)};
}

static void
byte_words(Words *w)
{
	for (unsigned b = 0; b < 256; b++)
	{
		w->bytes[b][nlp_utf8_encode(nlp_alphabet_char((uint8_t) b), w->bytes[b])] = '\0';
		word(w, w->bytes[b], 1);
	}
	joined(w, "th", "t h");
	joined(w, "the", "th e");
	joined(w, "\xc4\xa0the", "\xc4\xa0 the");
	joined(w, "in", "i n");
	joined(w, "aa", "a a");
	joined(w, "aaaa", "aa aa");
	joined(w, "\xc4\xa0\xc4\xa0", "\xc4\xa0 \xc4\xa0");
	joined(w, "\xc4\x8a\xc4\x8a", "\xc4\x8a \xc4\x8a");
	joined(w, "12", "1 2");
	joined(w, "\xc3\xa4\xc2\xb8", "\xc3\xa4 \xc2\xb8");
}

static void
piece_words(Words *w)
{
	static const char *const pieces[] = {"t", "h", "e", "a", "i", "n", "1", "2", "\n", "\xe2\x96\x81", "\xe4\xb8\xad"};

	word(w, "<unk>", 2);
	for (unsigned b = 0; b < 256; b++)
	{
		snprintf(w->bytes[b], sizeof(w->bytes[b]), "<0x%02X>", b);
		word(w, w->bytes[b], 6);
	}
	for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		word(w, pieces[i], 1);
	joined(w, "th", "t h");
	joined(w, "the", "th e");
	joined(w, "\xe2\x96\x81the", "\xe2\x96\x81 the");
	joined(w, "\xe2\x96\x81\xe2\x96\x81", "\xe2\x96\x81 \xe2\x96\x81");
	joined(w, "in", "i n");
	joined(w, "n\xe2\x96\x81", "n \xe2\x96\x81");
	joined(w, "aa", "a a");
	joined(w, "\n\n", "\n \n");
}

static void
make(const char *model, const char *pre, bool bytes)
{
	static Words w;
	NlpGgufWriter *writer;
	NlpBuf		file;
	NlpSink		sink = {append, &file};
	NlpMemorySource src;
	NlpGguf		g;
	NlpError	err;
	size_t		size;
	Made	   *m = &made[n_made];

	memset(&w, 0, sizeof(w));
	nlp_buf_init(&file, &nlp_libc_alloc);
	if (bytes)
		byte_words(&w);
	else
		piece_words(&w);
	word(&w, "<|a|>", 3);
	word(&w, "<|b|>", 4);
	word(&w, "<|b|><", 4);
	word(&w, "   ", 4);
	MUST(nlp_gguf_writer_new(&nlp_libc_alloc, &writer, &err) == NLP_OK);
	nlp_gguf_put_str(writer, "tokenizer.ggml.model", model, strlen(model), &err);
	nlp_gguf_put_str(writer, "tokenizer.ggml.pre", pre, strlen(pre), &err);
	nlp_gguf_put_u32(writer, "tokenizer.ggml.bos_token_id", 0, &err);
	nlp_gguf_put_u32(writer, "tokenizer.ggml.eos_token_id", 1, &err);
	nlp_gguf_put_array(writer, "tokenizer.ggml.tokens", NLP_GGUF_STRING, w.n, w.tokens, &err);
	nlp_gguf_put_array(writer, "tokenizer.ggml.token_type", NLP_GGUF_I32, w.n, w.types, &err);
	nlp_gguf_put_array(writer, "tokenizer.ggml.scores", NLP_GGUF_F32, w.n, w.scores, &err);
	nlp_gguf_put_array(writer, "tokenizer.ggml.merges", NLP_GGUF_STRING, w.n_merges, w.merges, &err);
	MUST(nlp_gguf_write_header(writer, &sink, &err) == NLP_OK);
	MUST(nlp_gguf_write_end(writer, &sink, &err) == NLP_OK);
	nlp_gguf_writer_free(writer);
	nlp_memory_source_init(&src, file.data, file.len);
	MUST(nlp_gguf_open(&src.source, &env, &g, &err) == NLP_OK);
	MUST(nlp_tokenizer_build(&g, &env, &m->t, &size, &err) == NLP_OK);
	MUST(nlp_tokenizer_check(m->t, size, &err) == NLP_OK);
	MUST(nlp_coder_open(m->t, &nlp_libc_alloc, &m->coder, &err) == NLP_OK);
	nlp_gguf_close(&g);
	nlp_buf_free(&file);
	n_made++;
}

static void
make_all(void)
{
	NlpPreRules seen[MAX_VOCABS];
	unsigned	n_seen = 0;
	const PreFamily *f;

	for (size_t i = 0; (f = nlp_pre_family_at(i)) != NULL; i++)
	{
		unsigned	j = 0;

		while (j < n_seen && seen[j] != f->rules)
			j++;
		if (j < n_seen)
			continue;
		MUST(n_seen < MAX_VOCABS - 2);
		seen[n_seen++] = f->rules;
		make("gpt2", f->name, f->flags & T_BYTE_LEVEL);
	}
	make("llama", "default", false);
}

/* ---- the two kinds of input ---- */

static void
encode_text(Made *m, const char *text, size_t len, unsigned flags)
{
	NlpTokens	out,
				again;
	NlpError	err;
	NlpBuf		back;
	size_t		bad = 0;
	bool		escape = m->t->flags & T_ESCAPE;
	NlpStatus	st = nlp_encode(m->coder, &env, text, len, flags, true, 0, &out, &err);

	if (!nlp_utf8_valid(text, len, &bad))
	{
		MUST(st == NLP_ETEXT && err.offset == bad && out.ids == NULL);
		return;
	}
	MUST(st == NLP_OK);
	for (size_t i = 0; i < out.n; i++)
	{
		MUST(out.ids[i] >= 0 && out.ids[i] < (int32_t) nlp_tokenizer_size(m->t));
		MUST(out.starts[i] <= len && (i == 0 || out.starts[i] >= out.starts[i - 1]));
	}
	nlp_buf_init(&back, &nlp_libc_alloc);
	MUST(nlp_decode(m->t, out.ids, out.n, flags & NLP_ENCODE_SPECIAL, &back, &err) == NLP_OK);
	if (flags & NLP_ENCODE_NO_BOS)
	{
		bool		sign = false;

		for (size_t i = 0; i + 3 <= len; i++)
			sign |= memcmp(text + i, "\xe2\x96\x81", 3) == 0;
		if (!escape || !sign)
			MUST(back.len == len && memcmp(back.data ? back.data : "", text, len) == 0);
	}
	/* The same again, now that words are in the cache, and within the limit just met. */
	MUST(nlp_encode(m->coder, &env, text, len, flags, false, out.n, &again, &err) == NLP_OK);
	MUST(again.n == out.n && (out.n == 0 || memcmp(again.ids, out.ids, out.n * sizeof(int32_t)) == 0));
	nlp_free(&nlp_libc_alloc, again.ids);
	if (out.n > 1)
		MUST(nlp_encode(m->coder, &env, text, len, flags, false, out.n - 1, &again, &err) == NLP_ELIMIT);
	nlp_buf_free(&back);
	nlp_free(&nlp_libc_alloc, out.ids);
	nlp_free(&nlp_libc_alloc, out.starts);
}

static void
build_file(const char *bytes, size_t len)
{
	NlpMemorySource src;
	NlpGguf		g;
	NlpError	err;
	NlpTokenizer *t;
	NlpCoder   *coder;
	size_t		size;

	nlp_memory_source_init(&src, bytes, len);
	if (nlp_gguf_open(&src.source, &env, &g, &err) != NLP_OK)
		return;
	if (nlp_tokenizer_build(&g, &env, &t, &size, &err) == NLP_OK)
	{
		size_t		n = len < 200 ? len : 200;
		NlpTokens	out;

		MUST(nlp_tokenizer_check(t, size, &err) == NLP_OK);
		MUST(nlp_coder_open(t, &nlp_libc_alloc, &coder, &err) == NLP_OK);
		if (nlp_encode(coder, &env, bytes + len - n, n, NLP_ENCODE_SPECIAL, true, 0, &out, &err) == NLP_OK)
		{
			NlpBuf		back;

			nlp_buf_init(&back, &nlp_libc_alloc);
			MUST(nlp_decode(t, out.ids, out.n, true, &back, &err) == NLP_OK);
			nlp_buf_free(&back);
			nlp_free(&nlp_libc_alloc, out.ids);
			nlp_free(&nlp_libc_alloc, out.starts);
		}
		nlp_coder_close(coder);
		nlp_free(&nlp_libc_alloc, t);
	}
	nlp_gguf_close(&g);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned	kind;

	if (n_made == 0)
		make_all();
	if (size < 2)
		return 0;
	kind = data[0];
	if (kind & 1)
		encode_text(&made[data[1] % n_made], (const char *) data + 2, size - 2,
					(kind >> 1) & (NLP_ENCODE_SPECIAL | NLP_ENCODE_NO_BOS));
	else
		build_file((const char *) data + 1, size - 1);
	return 0;
}
