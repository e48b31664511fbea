/* exec_internal.h --- the executor's state, shared by exec.c (the team loop) and
 * ops.c (what each op does to rows, tiles or attention units). */
#ifndef NLP_GRAPH_EXEC_INTERNAL_H
#define NLP_GRAPH_EXEC_INTERNAL_H

#include <stdatomic.h>

#include "core/pool.h"
#include "graph/exec.h"
#include "graph/plan.h"
#include "state/kv.h"

/* Adjacent tokens of one sequence in a batch. */
typedef struct NlpSegment
{
	int			first;			/* row in the batch */
	int			n;
	int			seq;
	int			pos0;
} NlpSegment;

#define NLP_EXEC_MAX_THREADS 64
#define NLP_ATTN_BLOCK 64		/* query rows of one attention unit */

struct NlpExec
{
	const NlpAlloc *alloc;
	NlpArena	arena;
	const NlpProgram *program;
	const NlpWeight *weights;
	const char *image;
	NlpKv	   *kv;
	NlpPlan		plan;
	int			max_tokens,
				max_outputs,
				max_positions,
				threads;
	char	   *buffer;			/* values */
	char	   *act[NLP_ACT_KINDS]; /* coded inputs */
	double	   *inv_freq[2];	/* [rot_dim/2]: global and local rotary frequencies */
	float	   *cos_sin[2];		/* [max_tokens][rot_dim] */
	size_t		work_bytes;		/* attention scratch of one thread */
	char	   *work;			/* [threads][work_bytes] */
	void	  **tables;			/* [threads][max_positions / NLP_KV_PAGE + 1] */
	NlpSegment *segments;		/* [max_tokens] */
	int			n_segments;
	bool		poison;

	/* of the run in progress */
	const NlpBatch *batch;
	const NlpEnv *env;
	uint32_t	phase;			/* where the team starts, or goes on after an interrupt */
	atomic_int	stop_phase;		/* phase in which rank 0 saw an interrupt, or -1 */
	struct
	{
		_Alignas(64) uint64_t done; /* units of the phase this rank has finished */
	}			progress[NLP_EXEC_MAX_THREADS];
};

static inline float *
nlp_exec_value(const NlpExec *ex, NlpVal v)
{
	return (float *) (ex->buffer + ex->plan.offset[v]);
}

static inline const float *
nlp_exec_vector(const NlpExec *ex, NlpSlot s)
{
	return s == NLP_NO_SLOT ? NULL : (const float *) (ex->image + ex->weights[s].offset);
}

/* Rank 0 looks for an interrupt; all ranks learn whether to leave the phase early. */
static inline bool
nlp_exec_leave(NlpExec *ex, uint32_t phase, int rank)
{
	if (rank == 0 && ex->env->pending && ex->env->pending(ex->env->cancel_ctx))
		atomic_store_explicit(&ex->stop_phase, (int) phase, memory_order_release);
	return atomic_load_explicit(&ex->stop_phase, memory_order_acquire) == (int) phase;
}

extern void nlp_exec_phase(NlpExec *ex, uint32_t phase, int rank, int size);

#endif
