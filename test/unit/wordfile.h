/* wordfile.h --- what the unit programs of word vector files share: from a file's bytes to the table that answers. */
#ifndef TEST_WORDFILE_H
#define TEST_WORDFILE_H

#include <math.h>
#include <unistd.h>

#include "check.h"
#include "wordvec/file_private.h"

static const NlpEnv libc_env = {.alloc = &nlp_libc_alloc};

static char *
read_whole(const char *path, size_t *len)
{
	FILE	   *f = fopen(path, "rb");
	char	   *data;
	long		size;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	data = malloc((size_t) size + 1);
	*len = fread(data, 1, (size_t) size, f);
	data[*len] = '\0';
	fclose(f);
	return data;
}

/* ---- a sink that keeps, and the way from a file to a table ---- */

static NlpStatus
keep_bytes(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return nlp_buf_append(ctx, bytes, len) ? NLP_OK : nlp_no_memory(err, len, "test");
}

typedef struct Loaded
{
	NlpBuf		gguf;
	NlpWords   *words;
	NlpWordFileReport report;
} Loaded;

static void
unload(Loaded *l)
{
	nlp_buf_free(&l->gguf);
	nlp_free(&nlp_libc_alloc, l->words);
	l->words = NULL;
}

static NlpStatus
import_source(const NlpSource *src, const NlpWordFileOptions *options, const NlpEnv *env, Loaded *l, NlpError *err)
{
	NlpSink		sink = {keep_bytes, &l->gguf};

	memset(l, 0, sizeof(*l));
	nlp_buf_init(&l->gguf, &nlp_libc_alloc);
	return nlp_wordfile_import(src, options, "test", &sink, env, &l->report, err);
}

static inline NlpStatus
import_bytes(const char *data, size_t len, const NlpWordFileOptions *options, Loaded *l, NlpError *err)
{
	NlpMemorySource src;

	nlp_memory_source_init(&src, data, len);
	return import_source(&src.source, options, &libc_env, l, err);
}

/* The GGUF as the server would load it. */
static NlpStatus
build_table(Loaded *l, NlpError *err)
{
	NlpMemorySource src;
	NlpGguf		g;
	NlpWordsPlan *plan = NULL;
	NlpStatus	st;

	nlp_memory_source_init(&src, l->gguf.data, l->gguf.len);
	NLP_TRY(nlp_gguf_open(&src.source, &libc_env, &g, err));
	st = nlp_words_plan(&g, &libc_env, &plan, err);
	if (st == NLP_OK)
	{
		uint64_t	bytes = nlp_words_plan_bytes(plan);

		l->words = nlp_alloc(&nlp_libc_alloc, bytes);
		st = nlp_words_build(plan, &src.source, &libc_env, l->words, NULL, err);
		if (st == NLP_OK)
			st = nlp_words_check(l->words, bytes, err);
		nlp_words_plan_free(plan);
	}
	nlp_gguf_close(&g);
	return st;
}

static inline bool
load_bytes(const char *data, size_t len, const NlpWordFileOptions *options, Loaded *l)
{
	NlpError	err = {0};
	NlpStatus	st = import_bytes(data, len, options, l, &err);

	if (st == NLP_OK)
		st = build_table(l, &err);
	CHECK_OK(st, err);
	return st == NLP_OK;
}

static inline bool
load_path(const char *path, Loaded *l)
{
	size_t		len;
	char	   *data = read_whole(path, &len);
	bool		ok;

	CHECKF(data != NULL, "%s", path);
	ok = data && load_bytes(data, len, NULL, l);
	free(data);
	return ok;
}

/* ---- random numbers, the same every time ---- */

static uint64_t state = 20240611;

static uint64_t
draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1du;
}

static inline float
draw_float(void)
{
	for (;;)
	{
		uint32_t	u = (uint32_t) (draw() >> 32);
		float		f;

		memcpy(&f, &u, 4);
		if (isfinite(f))
			return f;
	}
}

#endif
