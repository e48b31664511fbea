/* safetensors_fuzz.c --- any bytes as a safetensors file.
 *
 * Memory that the engine asks for is capped at 16 MiB + 8 bytes for each of input.
 * Checked beside the sanitizers: accepted tensors tile the data, nothing leaks, an
 * error says something. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/safetensors.h"

#define REQUIRE(cond) \
	do { if (!(cond)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); abort(); } } while (0)

typedef struct Capped
{
	NlpAlloc	alloc;
	size_t		left;
	long		live;
} Capped;

static void *
capped_alloc(void *ctx, size_t bytes)
{
	Capped	   *c = ctx;

	if (bytes > c->left)
		return NULL;
	c->left -= bytes;
	c->live++;
	return nlp_libc_alloc.alloc(NULL, bytes);
}

static void
capped_free(void *ctx, void *ptr)
{
	((Capped *) ctx)->live -= ptr != NULL;
	nlp_libc_alloc.free(NULL, ptr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Capped		c = {{capped_alloc, capped_free, &c}, ((size_t) 16 << 20) + 8 * size, 0};
	NlpEnv		env = {.alloc = &c.alloc};
	NlpMemorySource src;
	NlpSafetensors s;
	NlpError	err = {0};
	NlpStatus	st;

	nlp_memory_source_init(&src, data, size);
	st = nlp_safetensors_open(&src.source, &env, &s, &err);
	REQUIRE(st != NLP_EINTERNAL && st != NLP_ENOMEM);
	if (st == NLP_OK)
	{
		uint64_t	at = s.data_offset;

		for (uint64_t i = 0; i < s.n; i++)
		{
			REQUIRE(s.tensors[i].offset == at);
			REQUIRE(strlen(s.tensors[i].name.data) == s.tensors[i].name.len);
			at += s.tensors[i].bytes;
		}
		REQUIRE(at == size);
		nlp_safetensors_close(&s);
	}
	else
		REQUIRE(err.status == st && err.message[0]);
	REQUIRE(c.live == 0);
	return 0;
}
