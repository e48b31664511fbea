/* embedding.h --- the type embedding: a varlena of f32, the same bytes as pgvector's vector. */
#ifndef PG_NLP_EMBEDDING_H
#define PG_NLP_EMBEDDING_H

#include "postgres.h"
#include "fmgr.h"

#define EMBEDDING_MAX_DIM 16000

typedef struct Embedding
{
	int32		vl_len_;		/* varlena header; use the macros */
	int16		dim;
	int16		unused;			/* 0 */
	float		x[FLEXIBLE_ARRAY_MEMBER];
} Embedding;

#define EMBEDDING_SIZE(dim) (offsetof(Embedding, x) + sizeof(float) * (dim))
#define DatumGetEmbedding(d) ((Embedding *) PG_DETOAST_DATUM(d))
#define PG_GETARG_EMBEDDING_P(n) DatumGetEmbedding(PG_GETARG_DATUM(n))
#define PG_RETURN_EMBEDDING_P(p) PG_RETURN_POINTER(p)

/* A palloc'ed value with room for dim numbers, x not filled. dim in 1..EMBEDDING_MAX_DIM is the caller's duty. */
extern Embedding *pg_nlp_new_embedding(int dim);
/* Copy of f32[dim], every value finite or an ERROR 22P02/22003. */
extern Embedding *pg_nlp_embedding_from(const float *x, int dim);
/* A datum from outside (any storage): dims, header and size agree, else ERROR 22P03. */
extern void pg_nlp_check_embedding(const Embedding *e);

#endif
