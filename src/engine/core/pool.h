/* pool.h --- one team of threads a backend.
 *
 * Team mode: nlp_pool_run calls fn(ctx, rank, size) on every thread, the caller
 * being rank 0, and returns when all have finished. Inside fn, nlp_pool_barrier
 * separates phases. Threads block all signals, call no server function and never
 * allocate; they spin briefly, then wait on a futex. */
#ifndef NLP_CORE_POOL_H
#define NLP_CORE_POOL_H

#include "core/status.h"

typedef struct NlpPool NlpPool;

/* size counts the caller: size 1 starts no thread. Created with libc memory, so
 * that it may outlive any memory context. NLP_ENOMEM when a thread cannot start. */
extern NlpStatus nlp_pool_new(int size, NlpPool **pool, NlpError *err);
extern void nlp_pool_free(NlpPool *pool);	/* joins; NULL is ignored */
extern int	nlp_pool_size(const NlpPool *pool); /* 1 for NULL */
extern void nlp_pool_run(NlpPool *pool, void (*fn) (void *ctx, int rank, int size), void *ctx);
extern void nlp_pool_barrier(NlpPool *pool);	/* from inside fn, by every rank; NULL: no-op */

#endif
