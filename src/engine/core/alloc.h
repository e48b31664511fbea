/* alloc.h --- where memory comes from, checked size arithmetic, and arenas.
 *
 * The engine never calls malloc for anything that grows with a file or a text:
 * it asks the NlpAlloc it was given. alloc returns NULL when refused; nothing in
 * the engine jumps. Three lifetimes: weights (the resident image), backend (a
 * model's program and state), call (an arena rewound on return). */
#ifndef NLP_CORE_ALLOC_H
#define NLP_CORE_ALLOC_H

#include "core/status.h"

typedef struct NlpAlloc
{
	void	   *(*alloc) (void *ctx, size_t bytes); /* 64-byte aligned, or NULL */
	void		(*free) (void *ctx, void *ptr); /* NULL is ignored */
	void	   *ctx;
} NlpAlloc;

/* libc maker, for unit tests, tools and fuzzers. */
extern const NlpAlloc nlp_libc_alloc;

/* A maker for tests: fails the Nth allocation (0-based) and counts what is live. */
typedef struct NlpTestAlloc
{
	NlpAlloc	alloc;
	long		fail_at;		/* -1: never */
	long		calls;
	long		live;			/* allocations not yet freed */
} NlpTestAlloc;
extern void nlp_test_alloc_init(NlpTestAlloc *t, long fail_at);

/* Allocate, grow, free. nlp_realloc copies min(old, new) bytes; on failure the
 * old block stays valid and NULL is returned. */
extern void *nlp_alloc(const NlpAlloc *a, size_t bytes);
extern void *nlp_alloc_zero(const NlpAlloc *a, size_t bytes);
extern void *nlp_realloc(const NlpAlloc *a, void *old, size_t old_bytes, size_t new_bytes);
extern void nlp_free(const NlpAlloc *a, void *ptr);
extern char *nlp_strndup(const NlpAlloc *a, const char *s, size_t len);

/* Checked arithmetic: false on overflow, and then *out is untouched. */
static inline bool
nlp_mul_size(size_t a, size_t b, size_t *out)
{
	size_t		r;

	if (__builtin_mul_overflow(a, b, &r))
		return false;
	*out = r;
	return true;
}

static inline bool
nlp_add_size(size_t a, size_t b, size_t *out)
{
	size_t		r;

	if (__builtin_add_overflow(a, b, &r))
		return false;
	*out = r;
	return true;
}

/* Round up to a multiple of align, a power of two. */
static inline bool
nlp_pad_size(size_t a, size_t align, size_t *out)
{
	size_t		r;

	if (__builtin_add_overflow(a, align - 1, &r))
		return false;
	*out = r & ~(align - 1);
	return true;
}

/* Arena: chunks from an NlpAlloc, freed all at once or rewound to a mark. */
typedef struct NlpArenaChunk NlpArenaChunk;
typedef struct NlpArena
{
	const NlpAlloc *alloc;
	NlpArenaChunk *head;
	size_t		chunk_bytes;
	size_t		used_bytes;		/* handed out, for accounting */
} NlpArena;

extern void nlp_arena_init(NlpArena *arena, const NlpAlloc *alloc, size_t chunk_bytes);
extern void *nlp_arena_alloc(NlpArena *arena, size_t bytes);	/* 16-byte aligned, or NULL */
extern void nlp_arena_free(NlpArena *arena);	/* gives everything back; may be used again */

/* A growing byte buffer. data is NUL-terminated after every append when len > 0. */
typedef struct NlpBuf
{
	const NlpAlloc *alloc;
	char	   *data;
	size_t		len;
	size_t		cap;
} NlpBuf;

extern void nlp_buf_init(NlpBuf *b, const NlpAlloc *alloc);
extern bool nlp_buf_append(NlpBuf *b, const void *bytes, size_t len);	/* false: no memory */
extern bool nlp_buf_reserve(NlpBuf *b, size_t more);
extern void nlp_buf_free(NlpBuf *b);

#endif
