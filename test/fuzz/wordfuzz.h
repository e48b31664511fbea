/* wordfuzz.h --- what the fuzz targets of word vectors share: capped memory, a sink, asking a table. */
#ifndef WORDFUZZ_H
#define WORDFUZZ_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wordvec/files.h"

#define REQUIRE(cond) \
	do { if (!(cond)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); abort(); } } while (0)

/* At most cap bytes at once: 16 MiB + 8 for each byte of input. */
typedef struct Capped
{
	NlpAlloc	alloc;
	size_t		used,
				cap;
	long		live;
} Capped;

static void *
capped_alloc(void *ctx, size_t bytes)
{
	Capped	   *c = ctx;
	size_t	   *p;

	if (bytes > c->cap - c->used)
		return NULL;
	p = nlp_libc_alloc.alloc(NULL, bytes + 64);
	if (!p)
		return NULL;
	*p = bytes;
	c->used += bytes;
	c->live++;
	return (char *) p + 64;
}

static void
capped_free(void *ctx, void *ptr)
{
	Capped	   *c = ctx;

	if (!ptr)
		return;
	ptr = (char *) ptr - 64;
	c->used -= *(size_t *) ptr;
	c->live--;
	nlp_libc_alloc.free(NULL, ptr);
}

#define CAPPED(size) {{capped_alloc, capped_free, &capped}, 0, ((size_t) 16 << 20) + 8 * (size), 0}

static NlpStatus
keep_bytes(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	return nlp_buf_append(ctx, bytes, len) ? NLP_OK : nlp_no_memory(err, len, "fuzzer");
}

/* A table from GGUF bytes, or NULL with the status. The caller frees it with env's alloc. */
static NlpWords *
build_words(const void *bytes, size_t len, const NlpEnv *env, size_t most, NlpStatus *st, NlpError *err)
{
	NlpMemorySource src;
	NlpGguf		g;
	NlpWordsPlan *plan = NULL;
	NlpWords   *w = NULL;

	nlp_memory_source_init(&src, bytes, len);
	*st = nlp_gguf_open(&src.source, env, &g, err);
	if (*st != NLP_OK)
		return NULL;
	*st = nlp_words_plan(&g, env, &plan, err);
	if (*st == NLP_OK)
	{
		uint64_t	block = nlp_words_plan_bytes(plan);

		w = block < most ? nlp_alloc(env->alloc, (size_t) block) : NULL;
		if (!w)
			*st = nlp_no_memory(err, (size_t) block, "table");
		else
		{
			memset(w, 0x5a, (size_t) block);
			*st = nlp_words_build(plan, &src.source, env, w, NULL, err);
			if (*st == NLP_OK)
				REQUIRE(nlp_words_check(w, block, err) == NLP_OK);
		}
		if (*st != NLP_OK)
		{
			nlp_free(env->alloc, w);
			w = NULL;
		}
		nlp_words_plan_free(plan);
	}
	nlp_gguf_close(&g);
	return w;
}

#endif
