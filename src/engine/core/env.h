/* env.h --- what a long engine call needs from whoever runs it: memory, a
 * cancel hook and threads. Passed down, never kept beyond the call unless said. */
#ifndef NLP_CORE_ENV_H
#define NLP_CORE_ENV_H

#include "core/alloc.h"

struct NlpPool;

typedef struct NlpEnv
{
	const NlpAlloc *alloc;
	/* Cheap: whether cancelled() is worth calling. May be called while the pool runs. NULL: never. */
	bool		(*pending) (void *ctx);
	/* Serves interrupts; true: unwind with NLP_ECANCELLED. Called on the caller's thread only, with
	 * no pool thread running and nothing held that a long call needs. NULL: never. */
	bool		(*cancelled) (void *ctx);
	void	   *cancel_ctx;
	struct NlpPool *pool;		/* NULL: one thread */
} NlpEnv;

/* Poll between ops and inside long ones (at most about 1 GFLOP apart). */
static inline NlpStatus
nlp_poll(const NlpEnv *env, NlpError *err)
{
	if (env->pending && env->pending(env->cancel_ctx) && env->cancelled(env->cancel_ctx))
		return nlp_fail(err, NLP_ECANCELLED, "canceled");
	return NLP_OK;
}

#endif
