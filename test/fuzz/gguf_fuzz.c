/* gguf_fuzz.c --- any bytes as a GGUF file: opened, asked for its keys, written again,
 * and taken through vocabulary, plan and image.
 *
 * Memory is capped at 16 MiB + 8 bytes for each byte of input: beyond it allocation
 * fails, and a reader that trusts a count of the file shows as an out-of-memory error
 * where the file was called valid before. Beside the sanitizers, checked here: an
 * accepted file is written back byte for byte (its version and unused padding apart),
 * tensors lie inside the file, an error says something, nothing leaks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/image.h"

#define REQUIRE(cond) \
	do { if (!(cond)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); abort(); } } while (0)

typedef struct Capped
{
	NlpAlloc	alloc;
	size_t		used,
				cap;
	long		live;
} Capped;

typedef struct Header
{
	_Alignas(64) size_t bytes;
} Header;

static void *
capped_alloc(void *ctx, size_t bytes)
{
	Capped	   *c = ctx;
	Header	   *h;

	if (bytes > c->cap - c->used)
		return NULL;
	h = aligned_alloc(64, (bytes + sizeof(Header) + 63) & ~(size_t) 63);
	if (!h)
		return NULL;
	h->bytes = bytes;
	c->used += bytes;
	c->live++;
	return h + 1;
}

static void
capped_free(void *ctx, void *ptr)
{
	Capped	   *c = ctx;

	if (!ptr)
		return;
	c->used -= ((Header *) ptr - 1)->bytes;
	c->live--;
	free((Header *) ptr - 1);
}

/* A sink that compares with the input instead of keeping what it gets. */
typedef struct Compare
{
	const uint8_t *data;
	size_t		size,
				at;
} Compare;

static NlpStatus
compare_write(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	Compare    *c = ctx;
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++, c->at++)
	{
		if (c->at >= 4 && c->at < 8)
			continue;			/* the version */
		if (c->at >= c->size)
			REQUIRE(b[i] == 0); /* padding that the file left out */
		else if (b[i] != 0)
			REQUIRE(b[i] == c->data[c->at]);	/* a file's padding may be anything */
	}
	return NLP_OK;
}

static void
write_again(const NlpGguf *g, const uint8_t *data, size_t size, const NlpAlloc *alloc)
{
	Compare		c = {data, size, 0};
	NlpSink		sink = {compare_write, &c};
	NlpGgufWriter *w;
	NlpError	err;
	NlpStatus	st = nlp_gguf_writer_new(alloc, &w, &err);

	REQUIRE(st == NLP_OK);
	for (uint64_t i = 0; i < g->n_kv && st == NLP_OK; i++)
		st = nlp_gguf_put_kv(w, &g->kv[i], &err);
	for (uint64_t i = 0; i < g->n_tensors && st == NLP_OK; i++)
		st = nlp_gguf_put_tensor(w, g->tensors[i].name.data, (NlpDtype) g->tensors[i].dtype, g->tensors[i].n_dims,
								 g->tensors[i].dims, &err);
	if (st == NLP_OK)
		st = nlp_gguf_write_header(w, &sink, &err);
	for (uint64_t i = 0; i < g->n_tensors && st == NLP_OK; i++)
		st = nlp_gguf_write_data(w, &sink, data + g->tensors[i].offset, (size_t) g->tensors[i].bytes, &err);
	if (st == NLP_OK)
		st = nlp_gguf_write_end(w, &sink, &err);
	REQUIRE(st == NLP_OK || st == NLP_ENOMEM);
	nlp_gguf_writer_free(w);
}

static void
inspect(const NlpGguf *g, const uint8_t *data, size_t size, const NlpAlloc *alloc)
{
	uint64_t	end = 0;
	NlpError	err;

	for (uint64_t i = 0; i < g->n_kv; i++)
	{
		const NlpGgufKv *kv = &g->kv[i];
		uint64_t	u;
		float		f;
		bool		b;
		NlpStr		s;

		REQUIRE(nlp_gguf_find(g, kv->key.data) == kv);
		REQUIRE(strlen(kv->key.data) == kv->key.len);
		nlp_gguf_u64(g, kv->key.data, 1, 1000, &u, NULL, &err);
		nlp_gguf_f32(g, kv->key.data, -1, 1, &f, NULL, &err);
		nlp_gguf_bool(g, kv->key.data, &b, NULL, &err);
		if (nlp_gguf_str(g, kv->key.data, &s, NULL, &err) == NLP_OK)
			REQUIRE(s.data[s.len] == '\0');
		if (kv->type == NLP_GGUF_ARRAY && kv->elem == NLP_GGUF_STRING)
		{
			for (uint64_t j = 0; j < kv->count; j++)
				REQUIRE(((const NlpStr *) kv->data)[j].data[((const NlpStr *) kv->data)[j].len] == '\0');
		}
	}
	for (uint64_t i = 0; i < g->n_tensors; i++)
	{
		const NlpGgufTensor *t = &g->tensors[i];

		REQUIRE(nlp_gguf_tensor(g, t->name.data) == t);
		REQUIRE(t->offset >= end && t->bytes <= size && t->offset <= size - t->bytes);
		REQUIRE(t->offset % g->alignment == 0 && t->bytes > 0);
		end = t->offset + t->bytes;
	}
	write_again(g, data, size, alloc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Capped		c = {{capped_alloc, capped_free, &c}, 0, ((size_t) 16 << 20) + 8 * size, 0};
	NlpEnv		env = {.alloc = &c.alloc};
	NlpMemorySource src;
	NlpGguf		g;
	NlpError	err = {0};
	NlpImagePlan *plan;
	NlpStatus	st;

	nlp_memory_source_init(&src, data, size);
	st = nlp_gguf_open(&src.source, &env, &g, &err);
	REQUIRE(st != NLP_EINTERNAL && st != NLP_ENOMEM);
	if (st != NLP_OK)
	{
		REQUIRE(err.message[0] && err.status == st && c.live == 0);
		return 0;
	}
	inspect(&g, data, size, &c.alloc);
	nlp_gguf_close(&g);
	REQUIRE(c.live == 0);
	st = nlp_image_plan(&src.source, &env, &plan, &err);
	REQUIRE(st != NLP_EINTERNAL);
	if (st == NLP_OK)
	{
		uint64_t	bytes = nlp_image_plan_bytes(plan);
		void	   *block = bytes < c.cap ? nlp_alloc(&c.alloc, (size_t) bytes) : NULL;

		if (block)
		{
			st = nlp_image_build(plan, &src.source, &env, block, NULL, &err);
			REQUIRE(st != NLP_EINTERNAL);
			if (st == NLP_OK)
				REQUIRE(nlp_image_check(block, bytes, &err) == NLP_OK);
		}
		nlp_free(&c.alloc, block);
		nlp_image_plan_free(plan);
	}
	REQUIRE(c.live == 0);
	return 0;
}
