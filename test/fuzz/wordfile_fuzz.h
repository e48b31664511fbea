/* wordfile_fuzz.h --- any bytes as a word vector file: imported, built, written out, imported again.
 *
 * The first byte says: bit 0 skip_bad_words; the rest of it the limit. Checked beside the sanitizers: what the
 * importer accepts, the model's loader accepts; text and binary made of it come back with the same bits; an error
 * has a message and an offset in the file; no memory beyond the cap is asked for; nothing leaks. */
#ifndef WORDFILE_FUZZ_H
#define WORDFILE_FUZZ_H

#include "wordfuzz.h"

static NlpStatus
import(const void *bytes, size_t len, const NlpWordFileOptions *options, const NlpEnv *env, NlpBuf *gguf, NlpWordFileReport *report,
	   NlpError *err)
{
	NlpMemorySource src;
	NlpSink		sink = {keep_bytes, gguf};

	nlp_buf_init(gguf, &nlp_libc_alloc);
	nlp_memory_source_init(&src, bytes, len);
	return nlp_wordfile_import(&src.source, options, "fuzz", &sink, env, report, err);
}

/* Out and in again. */
static void
round_trip(const NlpWords *w, NlpWordFormat format, const NlpEnv *env)
{
	NlpBuf		file,
				gguf;
	NlpSink		sink = {keep_bytes, &file};
	NlpWordFileReport report;
	NlpError	err = {0};
	NlpStatus	st;

	nlp_buf_init(&file, &nlp_libc_alloc);
	st = nlp_wordfile_export(w, format, &sink, env, &err);
	REQUIRE(st == NLP_OK || st == NLP_EINVALID);	/* a word that the format cannot hold */
	if (st == NLP_OK)
	{
		NlpWords   *again;
		NlpMemorySource src;
		NlpWordFormat found;

		/* rows of few numbers may be valid as text and as binary */
		nlp_memory_source_init(&src, file.data, file.len);
		REQUIRE(nlp_wordfile_detect(&src.source, &found, &err) == NLP_OK);
		if (found != format)
		{
			REQUIRE(w->dim <= 8 && format == NLP_WORDFILE_W2V_BIN);
			nlp_buf_free(&file);
			return;
		}
		REQUIRE(import(file.data, file.len, NULL, env, &gguf, &report, &err) == NLP_OK);
		again = build_words(gguf.data, gguf.len, env, SIZE_MAX, &st, &err);
		REQUIRE(again && report.format == format && again->n == w->n && again->dim == w->dim);
		for (uint32_t i = 0; i < w->n; i++)
		{
			size_t		a,
						b;
			const char *wa = nlp_words_text(w, i, &a);
			const char *wb = nlp_words_text(again, i, &b);

			REQUIRE(a == b && memcmp(wa, wb, a) == 0);
			REQUIRE(memcmp(nlp_words_row(w, i), nlp_words_row(again, i), w->dim * sizeof(float)) == 0);
		}
		nlp_free(env->alloc, again);
		nlp_buf_free(&gguf);
	}
	nlp_buf_free(&file);
}

static void
try_file(const uint8_t *data, size_t size)
{
	Capped		capped = CAPPED(size);
	NlpEnv		env = {.alloc = &capped.alloc};
	NlpEnv		free_env = {.alloc = &nlp_libc_alloc};
	NlpWordFileOptions options = {0};
	NlpWordFileReport report;
	NlpBuf		gguf;
	NlpError	err = {0};
	NlpStatus	st;

	if (size == 0)
		return;
	options.skip_bad_words = data[0] & 1;
	options.limit = data[0] >> 1;
	st = import(data + 1, size - 1, &options, &env, &gguf, &report, &err);
	REQUIRE(capped.live == 0);
	REQUIRE(st == NLP_OK || st == NLP_ECORRUPT || st == NLP_EUNSUPPORTED || st == NLP_ELIMIT);
	if (st != NLP_OK)
		REQUIRE(err.status == st && err.message[0] && err.has_offset && err.offset <= size - 1);
	else
	{
		NlpWords   *w = build_words(gguf.data, gguf.len, &free_env, SIZE_MAX, &st, &err);

		/* its norm, or what the loader asks beyond finite numbers, is the loader's to refuse */
		REQUIRE(w || st == NLP_ECORRUPT || st == NLP_ELIMIT);
		if (w)
		{
			REQUIRE(w->n == report.rows && w->dim == report.dim && report.rows > 0);
			round_trip(w, NLP_WORDFILE_W2V_BIN, &free_env);
			round_trip(w, NLP_WORDFILE_W2V_TEXT, &free_env);
		}
		nlp_free(&nlp_libc_alloc, w);
	}
	nlp_buf_free(&gguf);
}

#endif
