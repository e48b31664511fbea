/* exec.h --- plan a program for a capacity and run it.
 *
 * The planner gives every value an offset in one buffer, reusing bytes of values
 * that are dead (poisoned in tests). The executor runs ops in order, each split
 * over the team's threads by output columns or rows with a barrier between. */
#ifndef NLP_GRAPH_EXEC_H
#define NLP_GRAPH_EXEC_H

#include "graph/program.h"
#include "tensor/pack.h"

struct NlpKv;

typedef struct NlpBatch
{
	int			n_tokens;
	const int32_t *ids;			/* [n_tokens] */
	const int32_t *positions;	/* [n_tokens] */
	const int32_t *seqs;		/* [n_tokens]; a sequence's tokens are adjacent and consecutive */
	int			n_outputs;
	const int32_t *outputs;		/* [n_outputs] rows whose logits are wanted, ascending */
} NlpBatch;

typedef struct NlpExec NlpExec;

/* Keeps program, image (base of weights) and kv. Capacities bound later batches. */
extern NlpStatus nlp_exec_new(const NlpProgram *program, const NlpWeight *weights, const void *image,
							  struct NlpKv *kv, int max_tokens, int max_outputs, int max_positions,
							  const NlpEnv *env, NlpExec **exec, NlpError *err);
extern void nlp_exec_free(NlpExec *exec);
/* Bytes nlp_exec_new would take, so that they can be reserved first. */
extern size_t nlp_exec_bytes(const NlpProgram *program, const NlpWeight *weights,
							 int max_tokens, int max_outputs, int max_positions, int threads,
							 const NlpAlloc *alloc);	/* SIZE_MAX when it cannot be told */

/* One step. The kv must have been extended by the caller for every token. On
 * NLP_ECANCELLED the step's kv contents are undefined; truncate before reuse. */
extern NlpStatus nlp_exec_run(NlpExec *exec, const NlpBatch *batch, const NlpEnv *env, NlpError *err);

/* Row i of the outputs after a run: f32[V] (may be written by the caller) and f32[D]. */
extern float *nlp_exec_logits(NlpExec *exec, int i);
extern const float *nlp_exec_hidden(NlpExec *exec, int i);

/* Tests: fill dead buffers with NaN between ops. */
extern void nlp_exec_poison(NlpExec *exec, bool on);

#endif
