/* embedding.h --- the type embedding: a varlena of f32, the same bytes as pgvector's vector. */
#ifndef PG_NLP_EMBEDDING_H
#define PG_NLP_EMBEDDING_H

#include "postgres.h"
#include "fmgr.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

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

/* ---- what the type's own files share (embedding_io.c) ---- */

/* ERROR 22000 unless dim is at least 1, 54000 when over EMBEDDING_MAX_DIM. */
extern void pg_nlp_embedding_check_dim(int64 dim);
/* ERROR 22000 unless the modifier allows dim; -1 allows every one. */
extern void pg_nlp_embedding_check_typmod(int32 typmod, int dim);
/* ERROR 22000 for NaN and infinity, as pgvector has it for input. */
extern void pg_nlp_embedding_check_finite(const float *x, int dim);
/* ERROR 22000: a and b must have as many dimensions as each other. */
extern void pg_nlp_embedding_check_same(const Embedding *a, const Embedding *b);

/* Order by values, then by the number of them; -0 equals 0. <0, 0, >0. */
extern int	pg_nlp_embedding_compare(const Embedding *a, const Embedding *b);

#endif
