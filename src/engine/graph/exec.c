/* exec.c --- running a planned program with a team of threads.
 *
 * All ranks walk the phases together, a barrier after each. When rank 0 sees an
 * interrupt it marks the phase; every rank leaves its work at the next unit, meets
 * the others at the barrier and returns, so the interrupt is served with the pool
 * parked. If it was not a cancel, the run goes on from the units not yet done. */
#include <math.h>
#include <string.h>

#include "graph/exec_internal.h"
#include "engine_only.h"

/* Largest attention scratch any op needs for a sequence this long. */
static size_t
attention_work(const NlpProgram *p, int max_positions)
{
	size_t		most = 0;

	for (uint32_t i = 0; i < p->n_ops; i++)
	{
		const NlpOp *op = &p->ops[i];
		NlpAttnShape shape = {op->heads, op->kv_heads, op->dim, op->f, op->softcap, (int) op->window};
		size_t		bytes;

		if (op->kind != NLP_OP_ATTN_PAGED)
			continue;
		bytes = nlp_attention_work_bytes(&shape, max_positions);
		if (bytes > most)
			most = bytes;
	}
	return (most + 63) & ~(size_t) 63;
}

static size_t
table_entries(int max_positions)
{
	return (size_t) max_positions / NLP_KV_PAGE + 1;
}

/* Divisors of the file scale each frequency; see Su 2021 for the base formula. */
static void
fill_frequencies(NlpExec *ex, int which, double base, double scale)
{
	const NlpProgram *p = ex->program;
	const float *factors = nlp_exec_vector(ex, which == 0 ? p->rope_factors : NLP_NO_SLOT);

	for (uint32_t j = 0; j < p->rot_dim / 2; j++)
		ex->inv_freq[which][j] = pow(base, -2.0 * j / p->rot_dim) / scale / (factors ? factors[j] : 1.0);
}

static NlpStatus
allocate(NlpExec *ex, NlpError *err)
{
	const NlpProgram *p = ex->program;
	size_t		rot = p->rot_dim;
	size_t		threads = (size_t) ex->threads;
	bool		ok;

	ex->buffer = nlp_alloc(ex->alloc, ex->plan.buffer_bytes);
	ok = ex->buffer != NULL;
	for (int k = 0; k < NLP_ACT_KINDS; k++)
	{
		if (ex->plan.act_bytes[k])
			ok &= (ex->act[k] = nlp_alloc(ex->alloc, ex->plan.act_bytes[k])) != NULL;
	}
	for (int i = 0; i < 2 && rot; i++)
	{
		ok &= (ex->inv_freq[i] = nlp_arena_alloc(&ex->arena, rot / 2 * sizeof(double))) != NULL;
		ok &= (ex->cos_sin[i] = nlp_alloc(ex->alloc, (size_t) ex->max_tokens * rot * sizeof(float))) != NULL;
	}
	ex->work_bytes = attention_work(p, ex->max_positions);
	ok &= (ex->work = nlp_alloc(ex->alloc, threads * ex->work_bytes + 64)) != NULL;
	ok &= (ex->tables = nlp_alloc(ex->alloc, threads * table_entries(ex->max_positions) * sizeof(void *))) != NULL;
	ok &= (ex->segments = nlp_alloc(ex->alloc, (size_t) ex->max_tokens * sizeof(NlpSegment))) != NULL;
	if (!ok)
		return nlp_no_memory(err, ex->plan.buffer_bytes, "a step's values");
	if (rot)
	{
		double		scale = p->rope_scale != 0 ? p->rope_scale : 1.0;

		fill_frequencies(ex, 0, p->rope_base, scale);
		fill_frequencies(ex, 1, p->rope_base_local != 0 ? p->rope_base_local : p->rope_base, 1.0);
	}
	return NLP_OK;
}

NlpStatus
nlp_exec_new(const NlpProgram *program, const NlpWeight *weights, const void *image, NlpKv *kv,
			 int max_tokens, int max_outputs, int max_positions, const NlpEnv *env, NlpExec **out, NlpError *err)
{
	NlpExec    *ex = nlp_alloc_zero(env->alloc, sizeof(*ex));
	NlpStatus	st;

	if (!ex)
		return nlp_no_memory(err, sizeof(*ex), "executor");
	ex->alloc = env->alloc;
	ex->program = program;
	ex->weights = weights;
	ex->image = image;
	ex->kv = kv;
	ex->max_tokens = max_tokens;
	ex->max_outputs = max_outputs;
	ex->max_positions = max_positions;
	ex->threads = nlp_pool_size(env->pool);
	if (ex->threads > NLP_EXEC_MAX_THREADS)
		ex->threads = NLP_EXEC_MAX_THREADS;
	nlp_arena_init(&ex->arena, env->alloc, 32 * 1024);
	st = nlp_plan_program(program, weights, max_tokens, max_outputs, &ex->arena, &ex->plan, err);
	if (st == NLP_OK)
		st = allocate(ex, err);
	if (st != NLP_OK)
		nlp_exec_free(ex);
	else
		*out = ex;
	return st;
}

void
nlp_exec_free(NlpExec *ex)
{
	if (!ex)
		return;
	nlp_free(ex->alloc, ex->segments);
	nlp_free(ex->alloc, ex->tables);
	nlp_free(ex->alloc, ex->work);
	nlp_free(ex->alloc, ex->cos_sin[0]);
	nlp_free(ex->alloc, ex->cos_sin[1]);
	for (int k = 0; k < NLP_ACT_KINDS; k++)
		nlp_free(ex->alloc, ex->act[k]);
	nlp_free(ex->alloc, ex->buffer);
	nlp_arena_free(&ex->arena);
	nlp_free(ex->alloc, ex);
}

size_t
nlp_exec_bytes(const NlpProgram *p, const NlpWeight *weights, int max_tokens, int max_outputs,
			   int max_positions, int threads, const NlpAlloc *alloc)
{
	NlpArena	arena;
	NlpPlan		plan;
	size_t		bytes = SIZE_MAX;

	nlp_arena_init(&arena, alloc, 32 * 1024);
	if (nlp_plan_program(p, weights, max_tokens, max_outputs, &arena, &plan, NULL) == NLP_OK)
	{
		bytes = sizeof(NlpExec) + arena.used_bytes + plan.buffer_bytes;
		for (int k = 0; k < NLP_ACT_KINDS; k++)
			bytes += plan.act_bytes[k];
		bytes += 2 * (size_t) max_tokens * p->rot_dim * sizeof(float);
		bytes += (size_t) threads * (attention_work(p, max_positions) +
									 table_entries(max_positions) * sizeof(void *));
		bytes += (size_t) max_tokens * sizeof(NlpSegment);
	}
	nlp_arena_free(&arena);
	return bytes;
}

/* ---- one step ---- */

static NlpStatus
check_batch(NlpExec *ex, const NlpBatch *b, NlpError *err)
{
	uint64_t	vocab = ex->weights[ex->program->ops[0].w[0]].rows;

	if (b->n_tokens < 1 || b->n_tokens > ex->max_tokens || b->n_outputs < 0 || b->n_outputs > ex->max_outputs)
		return nlp_fail(err, NLP_EINTERNAL, "a step of %d tokens and %d outputs is over its plan",
						b->n_tokens, b->n_outputs);
	ex->n_segments = 0;
	for (int i = 0; i < b->n_tokens; i++)
	{
		NlpSegment *seg = ex->n_segments ? &ex->segments[ex->n_segments - 1] : NULL;

		if (b->ids[i] < 0 || (uint64_t) b->ids[i] >= vocab)
			return nlp_fail(err, NLP_EINVALID, "token id %d is out of range", b->ids[i]);
		if (b->positions[i] < 0 || b->positions[i] >= ex->max_positions)
			return nlp_fail(err, NLP_EINTERNAL, "position %d is over the plan", b->positions[i]);
		if (seg && seg->seq == b->seqs[i])
			seg->n++;
		else
			ex->segments[ex->n_segments++] = (NlpSegment) {i, 1, b->seqs[i], b->positions[i]};
	}
	return NLP_OK;
}

static void
fill_rotations(NlpExec *ex)
{
	const NlpProgram *p = ex->program;
	uint32_t	half = p->rot_dim / 2;
	double		factor = p->rope_attn_factor != 0 ? p->rope_attn_factor : 1.0;
	int			sets = p->rope_base_local != 0 ? 2 : 1;

	for (int s = 0; s < sets; s++)
	{
		for (int i = 0; i < ex->batch->n_tokens; i++)
		{
			float	   *row = ex->cos_sin[s] + (size_t) i * p->rot_dim;

			for (uint32_t j = 0; j < half; j++)
			{
				double		angle = ex->batch->positions[i] * ex->inv_freq[s][j];

				row[j] = (float) (factor * cos(angle));
				row[half + j] = (float) (factor * sin(angle));
			}
		}
	}
}

/* Tests: values that died in this phase become NaN. */
static void
poison_dead(NlpExec *ex, uint32_t ph)
{
	for (uint32_t v = 0; v < ex->program->n_values; v++)
	{
		size_t		rows = (size_t) (ex->program->values[v].rows == NLP_ROWS_TOKENS ?
									 ex->max_tokens : ex->max_outputs);

		if (ex->plan.last[v] == ph)
			memset(nlp_exec_value(ex, (NlpVal) v), 0xff, rows * ex->plan.ld[v] * sizeof(float));
	}
}

static void
team_main(void *ctx, int rank, int size)
{
	NlpExec    *ex = ctx;
	NlpPool    *pool = size > 1 ? ex->env->pool : NULL;

	for (uint32_t ph = ex->phase; ph < ex->plan.n_phases; ph++)
	{
		nlp_exec_phase(ex, ph, rank, size);
		nlp_pool_barrier(pool);
		if (atomic_load_explicit(&ex->stop_phase, memory_order_acquire) == (int) ph)
		{
			if (rank == 0)
				ex->phase = ph;
			return;
		}
		ex->progress[rank].done = 0;
		if (ex->poison)
		{
			if (rank == 0)
				poison_dead(ex, ph);
			nlp_pool_barrier(pool);
		}
	}
	if (rank == 0)
		ex->phase = ex->plan.n_phases;
}

NlpStatus
nlp_exec_run(NlpExec *ex, const NlpBatch *batch, const NlpEnv *env, NlpError *err)
{
	NlpPool    *pool = nlp_pool_size(env->pool) <= ex->threads ? env->pool : NULL;

	NLP_TRY(check_batch(ex, batch, err));
	ex->batch = batch;
	ex->env = env;
	ex->phase = 0;
	for (int i = 0; i < NLP_EXEC_MAX_THREADS; i++)
		ex->progress[i].done = 0;
	if (ex->program->rot_dim)
		fill_rotations(ex);
	while (ex->phase < ex->plan.n_phases)
	{
		atomic_store(&ex->stop_phase, -1);
		nlp_pool_run(pool, team_main, ex);
		if (ex->phase < ex->plan.n_phases)
			NLP_TRY(nlp_poll(env, err));
	}
	return NLP_OK;
}

float *
nlp_exec_logits(NlpExec *ex, int i)
{
	return nlp_exec_value(ex, ex->program->logits) + (size_t) i * ex->plan.ld[ex->program->logits];
}

const float *
nlp_exec_hidden(NlpExec *ex, int i)
{
	return nlp_exec_value(ex, ex->program->hidden) + (size_t) i * ex->plan.ld[ex->program->hidden];
}

void
nlp_exec_poison(NlpExec *ex, bool on)
{
	ex->poison = on;
}
