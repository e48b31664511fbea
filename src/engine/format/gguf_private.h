/* gguf_private.h --- what the files of the GGUF reader share. */
#ifndef NLP_FORMAT_GGUF_PRIVATE_H
#define NLP_FORMAT_GGUF_PRIVATE_H

#include "format/gguf.h"

/* Limits beyond which a file is refused with NLP_ELIMIT, far above any real one. */
#define NLP_GGUF_MAX_KV 65536u
#define NLP_GGUF_MAX_TENSORS 65536u
#define NLP_GGUF_MAX_KEY 65535u	/* GGUF specification */
#define NLP_GGUF_MAX_NAME 64u	/* GGUF specification */
#define NLP_GGUF_MAX_STRING (16u << 20)
#define NLP_GGUF_MAX_ARRAY (1u << 28)
#define NLP_GGUF_MAX_ALIGNMENT (1u << 20)

/* Keys or names, sorted by hash and then by their bytes: equal ones are
 * neighbours whatever a file's author chose, and a lookup is a binary search. */
typedef struct NlpGgufEntry
{
	uint64_t	hash;
	uint32_t	item;
} NlpGgufEntry;

typedef struct NlpGgufIndex
{
	NlpGgufEntry *keys;			/* n_kv */
	NlpGgufEntry *names;		/* n_tensors */
} NlpGgufIndex;

/* Bytes of one value of a scalar type; 0 for strings, arrays and numbers that
 * name no type. */
extern size_t nlp_gguf_type_bytes(uint32_t type);
extern const char *nlp_gguf_type_name(uint32_t type);	/* "uint32"; "unknown" */

/* Sort entries for text(ctx, item); *first and *second are the items of the first
 * pair of equals, *second 0 when there is none. scratch has room for n. */
extern void nlp_gguf_index_sort(NlpGgufEntry *entries, NlpGgufEntry *scratch, uint32_t n,
								NlpStr (*text) (const void *ctx, uint32_t item), const void *ctx,
								uint32_t *first, uint32_t *second);

#endif
