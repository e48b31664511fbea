/* alloc.c --- allocators, arenas and the byte buffer. */
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "engine_only.h"

static void *
libc_alloc(void *ctx, size_t bytes)
{
	size_t		padded;

	(void) ctx;
	if (!nlp_pad_size(bytes ? bytes : 1, 64, &padded))
		return NULL;
	return aligned_alloc(64, padded);
}

static void
libc_free(void *ctx, void *ptr)
{
	(void) ctx;
	free(ptr);
}

const NlpAlloc nlp_libc_alloc = {libc_alloc, libc_free, NULL};

static void *
test_alloc(void *ctx, size_t bytes)
{
	NlpTestAlloc *t = ctx;
	void	   *p;

	if (t->calls++ == t->fail_at)
		return NULL;
	p = libc_alloc(NULL, bytes);
	if (p)
		t->live++;
	return p;
}

static void
test_free(void *ctx, void *ptr)
{
	NlpTestAlloc *t = ctx;

	if (ptr)
		t->live--;
	free(ptr);
}

void
nlp_test_alloc_init(NlpTestAlloc *t, long fail_at)
{
	t->alloc.alloc = test_alloc;
	t->alloc.free = test_free;
	t->alloc.ctx = t;
	t->fail_at = fail_at;
	t->calls = 0;
	t->live = 0;
}

void *
nlp_alloc(const NlpAlloc *a, size_t bytes)
{
	return a->alloc(a->ctx, bytes);
}

void *
nlp_alloc_zero(const NlpAlloc *a, size_t bytes)
{
	void	   *p = a->alloc(a->ctx, bytes);

	if (p)
		memset(p, 0, bytes);
	return p;
}

void *
nlp_realloc(const NlpAlloc *a, void *old, size_t old_bytes, size_t new_bytes)
{
	void	   *p = a->alloc(a->ctx, new_bytes);

	if (!p)
		return NULL;
	if (old)
	{
		memcpy(p, old, old_bytes < new_bytes ? old_bytes : new_bytes);
		a->free(a->ctx, old);
	}
	return p;
}

void
nlp_free(const NlpAlloc *a, void *ptr)
{
	if (ptr)
		a->free(a->ctx, ptr);
}

char *
nlp_strndup(const NlpAlloc *a, const char *s, size_t len)
{
	char	   *p;
	size_t		bytes;

	if (!nlp_add_size(len, 1, &bytes))
		return NULL;
	p = nlp_alloc(a, bytes);
	if (p)
	{
		memcpy(p, s, len);
		p[len] = '\0';
	}
	return p;
}

struct NlpArenaChunk
{
	NlpArenaChunk *next;
	size_t		cap;
	size_t		used;
	size_t		pad;			/* keeps data 16-byte aligned */
};

void
nlp_arena_init(NlpArena *arena, const NlpAlloc *alloc, size_t chunk_bytes)
{
	arena->alloc = alloc;
	arena->head = NULL;
	arena->chunk_bytes = chunk_bytes;
	arena->used_bytes = 0;
}

void *
nlp_arena_alloc(NlpArena *arena, size_t bytes)
{
	NlpArenaChunk *c = arena->head;
	size_t		need;
	void	   *p;

	if (!nlp_pad_size(bytes ? bytes : 1, 16, &need))
		return NULL;
	if (!c || c->cap - c->used < need)
	{
		size_t		cap = need > arena->chunk_bytes ? need : arena->chunk_bytes;
		size_t		total;

		if (!nlp_add_size(cap, sizeof(NlpArenaChunk), &total))
			return NULL;
		c = nlp_alloc(arena->alloc, total);
		if (!c)
			return NULL;
		c->cap = cap;
		c->used = 0;
		c->next = arena->head;
		arena->head = c;
	}
	p = (char *) (c + 1) + c->used;
	c->used += need;
	arena->used_bytes += need;
	return p;
}

void
nlp_arena_free(NlpArena *arena)
{
	while (arena->head)
	{
		NlpArenaChunk *next = arena->head->next;

		nlp_free(arena->alloc, arena->head);
		arena->head = next;
	}
	arena->used_bytes = 0;
}

void
nlp_buf_init(NlpBuf *b, const NlpAlloc *alloc)
{
	b->alloc = alloc;
	b->data = NULL;
	b->len = 0;
	b->cap = 0;
}

bool
nlp_buf_reserve(NlpBuf *b, size_t more)
{
	size_t		need;
	size_t		cap;
	char	   *p;

	if (!nlp_add_size(b->len, more, &need) || !nlp_add_size(need, 1, &need))
		return false;
	if (need <= b->cap)
		return true;
	cap = b->cap < 64 ? 64 : b->cap;
	while (cap < need)
	{
		if (!nlp_mul_size(cap, 2, &cap))
			return false;
	}
	p = nlp_realloc(b->alloc, b->data, b->len, cap);
	if (!p)
		return false;
	b->data = p;
	b->cap = cap;
	return true;
}

bool
nlp_buf_append(NlpBuf *b, const void *bytes, size_t len)
{
	if (!nlp_buf_reserve(b, len))
		return false;
	if (len)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
	return true;
}

void
nlp_buf_free(NlpBuf *b)
{
	nlp_free(b->alloc, b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}
