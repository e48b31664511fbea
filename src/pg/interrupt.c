/* interrupt.c --- cancel, statement_timeout and termination inside the engine, and
 * the backend's thread pool.
 *
 * The engine polls; the hook serves interrupts inside PG_TRY. An error is kept,
 * the engine unwinds with NLP_ECANCELLED, and pg_nlp_raise throws the error kept.
 * FATAL leaves at once through the exit callbacks, with the engine's frames still
 * on the stack: no pool thread runs then (the contract of env.cancelled). */
#include "shared.h"

#include <unistd.h>

#include "access/parallel.h"
#include "miscadmin.h"
#include "utils/memutils.h"

static MemoryContext caught_mcxt;
static ErrorData *caught;

bool
pg_nlp_pending(void *ctx)
{
	return InterruptPending;
}

/* In a PG_CATCH: keep the error for pg_nlp_rethrow_cancel, and go on. */
void
pg_nlp_keep_error(void)
{
	if (caught_mcxt == NULL)
		caught_mcxt = AllocSetContextCreate(TopMemoryContext, "pg_nlp caught error", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(caught_mcxt);
	MemoryContextSwitchTo(caught_mcxt);
	caught = CopyErrorData();
	FlushErrorState();
}

bool
pg_nlp_cancelled(void *ctx)
{
	MemoryContext mcxt = CurrentMemoryContext;
	volatile bool failed = false;

	PG_TRY();
	{
		CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		pg_nlp_keep_error();
		failed = true;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(mcxt);
	return failed;
}

void
pg_nlp_rethrow_cancel(void)
{
	ErrorData  *edata = caught;

	if (edata == NULL)
		return;
	caught = NULL;
	ReThrowError(edata);
}

void
pg_nlp_env_init(NlpEnv *env, PgNlpMemory *m)
{
	*env = (NlpEnv) {
		.alloc = &m->alloc,
		.pending = pg_nlp_pending,
		.cancelled = pg_nlp_cancelled
	};
}

/* ---- the pool ---- */

static NlpPool *pool;
static int	holders;			/* calls whose env points at pool */

/* The team for a new call. A call under way (a suspended value-per-call function)
 * keeps the pool it began with, so the setting takes effect once none is left. */
NlpPool *
pg_nlp_pool(void)
{
	/* More threads than processors would only wait for each other at every barrier. (To ask
	 * how many there are opens a file of the kernel's.) */
	int			want = IsParallelWorker() || pg_nlp_threads == 1 ? 1 :
		Min(pg_nlp_threads, Max((int) sysconf(_SC_NPROCESSORS_ONLN), 1));
	NlpError	err = {0};

	if (nlp_pool_size(pool) == want || (pool != NULL && holders > 0))
		return want == 1 ? NULL : pool;
	nlp_pool_free(pool);
	pool = NULL;
	if (want > 1 && nlp_pool_new(want, &pool, &err) != NLP_OK)
	{
		pool = NULL;
		pg_nlp_raise(&err);
	}
	return pool;
}

void
pg_nlp_pool_hold(int delta)
{
	holders += delta;
}

void
pg_nlp_pool_at_exit(void)
{
	nlp_pool_free(pool);
	pool = NULL;
}
