/* train.c --- a training job: its life, its progress as others see it, its notices and
 * when it makes checkpoints. What is trained, and how, is the procedure's.
 *
 * The trainer calls back after each block of work (pg_nlp_train_step), with the engine's
 * frames below: whatever the server raises there is kept and thrown when the engine
 * has unwound, as interrupt.c does it for cancels. */
#include "train.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/pquery.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "fn_common.h"
#include "load.h"

PG_FUNCTION_INFO_V1(pg_nlp_training_rows_sql);

#define NOTICE_SECONDS 10
#define LOG_SECONDS 5			/* rows of the log wait at most so long for their commit */
#define RATE_SECONDS 2
#define SHOW_MS 200

static dlist_head jobs = DLIST_STATIC_INIT(jobs);

static double
seconds_between(TimestampTz from, TimestampTz to)
{
	return (double) (to - from) / USECS_PER_SEC;
}

/* ---- progress in shared memory ---- */

static PgNlpTraining *
take_row(const PgNlpTrainJob *job)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpTraining *rows = pg_nlp_training_rows(shared);
	PgNlpTraining *row = NULL;
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared->n_training && row == NULL; i++)
	{
		if (rows[i].pid == 0)
			row = &rows[i];
	}
	if (row)
	{
		*row = (PgNlpTraining) {.pid = MyProcPid, .role = GetUserId(), .database = MyDatabaseId, .started = now, .seconds_left = -1};
		pg_nlp_copy(row->model, job->name, sizeof(row->model));
		pg_nlp_copy(row->method, job->method, sizeof(row->method));
	}
	LWLockRelease(&shared->lock);
	return row;
}

static void
free_row(PgNlpTraining *row)
{
	PgNlpShared *shared;

	if (row == NULL || pg_nlp_exiting)
		return;
	shared = pg_nlp_shared();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	row->pid = 0;
	LWLockRelease(&shared->lock);
}

void
pg_nlp_train_show(PgNlpTrainJob *job)
{
	const PgNlpTrainStep *step = &job->run.step;
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpTraining *row = job->row;

	if (job->activity)
	{
		pg_atomic_write_u64(&job->activity->tokens, step->done);
		pg_atomic_write_u64(&job->activity->rows, job->run.rows);
	}
	if (row == NULL)
		return;
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	row->phase = job->phase;
	row->rows = job->run.rows;
	row->words = job->run.words;
	if (step->epochs > 0)
	{
		row->epoch = Min(step->epoch + 1, step->epochs);
		row->epochs = step->epochs;
		row->tokens_done = step->done;
		row->tokens_total = step->total;
		row->rate = job->rate;
		row->loss = step->loss;
		row->alpha = step->alpha;
		row->seconds_left = job->rate > 0 ? (double) (step->total - Min(step->done, step->total)) / job->rate : -1;
	}
	LWLockRelease(&shared->lock);
}

void
pg_nlp_train_phase(PgNlpTrainJob *job, PgNlpTrainPhase phase)
{
	job->phase = phase;
	pg_nlp_train_show(job);
}

static const char *const phase_names[] = {"reading", "training", "checkpoint", "writing"};

/* (pid, role, database, model, method, phase, rows, words, epoch, epochs, tokens_done, tokens_total, rate, loss, alpha,
 * started, seconds_left) */
Datum
pg_nlp_training_rows_sql(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PgNlpShared *shared = pg_nlp_shared();
	Size		bytes = shared->n_training * sizeof(PgNlpTraining);
	PgNlpTraining *copy = palloc(bytes);

	InitMaterializedSRF(fcinfo, 0);
	LWLockAcquire(&shared->lock, LW_SHARED);
	memcpy(copy, pg_nlp_training_rows(shared), bytes);
	LWLockRelease(&shared->lock);
	for (int i = 0; i < shared->n_training; i++)
	{
		PgNlpTraining *t = &copy[i];
		bool		nulls[17] = {0};
		Datum		values[17];

		if (t->pid == 0 || !pg_nlp_sees_role(t->role))
			continue;
		values[0] = Int32GetDatum(t->pid);
		values[1] = ObjectIdGetDatum(t->role);
		values[2] = ObjectIdGetDatum(t->database);
		values[3] = CStringGetTextDatum(t->model);
		values[4] = CStringGetTextDatum(t->method);
		values[5] = CStringGetTextDatum(phase_names[t->phase % lengthof(phase_names)]);
		values[6] = Int64GetDatum((int64) t->rows);
		values[7] = Int64GetDatum((int64) t->words);
		values[8] = Int32GetDatum((int32) t->epoch);
		values[9] = Int32GetDatum((int32) t->epochs);
		values[10] = Int64GetDatum((int64) t->tokens_done);
		values[11] = Int64GetDatum((int64) t->tokens_total);
		values[12] = Float8GetDatum(t->rate);
		values[13] = Float8GetDatum(t->loss);
		values[14] = Float8GetDatum(t->alpha);
		values[15] = TimestampTzGetDatum(t->started);
		values[16] = Float8GetDatum(t->seconds_left);
		for (int c = 8; c <= 11; c++)
			nulls[c] = t->epochs == 0;
		nulls[12] = t->rate == 0;
		nulls[13] = t->loss == 0;
		nulls[14] = t->epochs == 0;
		nulls[16] = t->seconds_left < 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- what an error says besides ---- */

static void
add_context(void *arg)
{
	PgNlpTrainJob *job = arg;
	int			code = geterrcode();

	/* notices and warnings are not about the job's place */
	if (ERRCODE_TO_CATEGORY(code) == 0 || ERRCODE_TO_CATEGORY(code) == ERRCODE_WARNING || !job->open)
		return;
	if ((code == ERRCODE_QUERY_CANCELED || code == ERRCODE_ADMIN_SHUTDOWN) && job->has_checkpoint)
		errhint("Call %s again with {\"resume\": true} to go on from the checkpoint at epoch %u of %u (%.0f %%).",
				job->procedure, Min(job->saved.epoch + 1, job->saved.epochs), job->saved.epochs,
				job->saved.total > 0 ? 100.0 * (double) job->saved.done / (double) job->saved.total : 0);
	else if (code == ERRCODE_QUERY_CANCELED && job->phase == PG_NLP_TRAIN_TRAINING)
		errhint("There was no checkpoint yet to go on from; the option \"checkpoint_seconds\" says how often one is made.");
	if (job->phase == PG_NLP_TRAIN_READING && job->run.rows > 0)
		errcontext("training of model \"%s\", reading rows", job->name);
	else if (job->phase != PG_NLP_TRAIN_READING)
		errcontext("training of model \"%s\", epoch %u of %u%s", job->name,
				   Min(job->run.step.epoch + 1, job->run.step.epochs), job->run.step.epochs,
				   job->has_checkpoint ? "; a checkpoint is kept" : "");
}

/* ---- the job's life ---- */

bool
pg_nlp_train_atomic(FunctionCallInfo fcinfo)
{
	return !(fcinfo->context && IsA(fcinfo->context, CallContext) && !castNode(CallContext, fcinfo->context)->atomic) ||
		IsSubTransaction();		/* an EXCEPTION block of PL/pgSQL is around us */
}

/* A transaction that fails releases the session's locks too, before or after we are undone. */
static bool
holds_lock(const LOCKTAG *tag)
{
#if PG_VERSION_NUM >= 170000
	return LockHeldByMe(tag, ExclusiveLock, false);
#else
	return LockHeldByMe(tag, ExclusiveLock);
#endif
}

/* Everything that does not go with memory. Never raises. */
static void
undo_job(void *arg)
{
	PgNlpTrainJob *job = arg;

	if (!job->open)
		return;
	job->open = false;
	dlist_delete(&job->node);
	pg_nlp_spool_close(&job->spool);
	free_row(job->row);
	if (job->has_place)
		pg_nlp_gate_leave();
	pg_nlp_activity_end(job->activity);
	if (job->holds_pool)
		pg_nlp_pool_hold(-1);
	pg_nlp_memory_release(&job->memory);
	if (job->locked && holds_lock(&job->lock))
		LockRelease(&job->lock, ExclusiveLock, true);
}

/* The process's end releases locks of the session itself. */
void
pg_nlp_train_at_exit(void)
{
	while (!dlist_is_empty(&jobs))
	{
		PgNlpTrainJob *job = dlist_container(PgNlpTrainJob, node, dlist_head_node(&jobs));

		job->locked = false;
		undo_job(job);
	}
}

static PgNlpTrainJob *
new_job(void)
{
	MemoryContext mcxt = AllocSetContextCreate(CurrentMemoryContext, "pg_nlp training", ALLOCSET_DEFAULT_SIZES);
	PgNlpTrainJob *job = MemoryContextAllocZero(mcxt, sizeof(PgNlpTrainJob));

	job->mcxt = mcxt;
	job->work = AllocSetContextCreate(mcxt, "pg_nlp training checkpoint", ALLOCSET_DEFAULT_SIZES);
	pg_nlp_memory_init(&job->memory, mcxt, true);
	pg_nlp_env_init(&job->env, &job->memory);
	pg_nlp_spool_init(&job->spool, job->env.alloc, 0);
	job->undo = (MemoryContextCallback) {.func = undo_job, .arg = job};
	MemoryContextRegisterResetCallback(mcxt, &job->undo);
	dlist_push_head(&jobs, &job->node);
	job->open = true;
	return job;
}

/* A name that is taken, or another's, before any work. */
static void
check_taken(const PgNlpTrainJob *job)
{
	PgNlpModelRow row;

	if (!job->common->update)
		pg_nlp_check_taken(job->name, job->common->replace);
	else if (!pg_nlp_store_lock_name(job->name, true, &row))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not exist", job->name),
				 errhint("Only a model that is there can be updated; leave \"update\" out to train a new one.")));
}

PgNlpTrainJob *
pg_nlp_train_begin(const char *procedure, const char *method, const text *name, const text *query,
				   const PgNlpTrainCommon *common, bool atomic)
{
	PgNlpTrainJob *job;
	char	   *command = psprintf("CALL %s()", procedure);
	size_t		utf8_len;

	PreventCommandIfReadOnly(command);
	PreventCommandIfParallelMode(command);
	(void) pg_nlp_shared();		/* or the reason why not, first */
	SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC);
	job = new_job();
	job->procedure = procedure;
	job->method = method;
	job->name = text_to_cstring(name);
	job->query = text_to_cstring(query);
	job->common = common;
	job->atomic = atomic;
	pg_nlp_check_name(job->name);
	if (pg_nlp_to_utf8(job->name, strlen(job->name), &job->utf8_name, &utf8_len, &job->err) != NLP_OK)
		pg_nlp_raise(&job->err);
	pg_nlp_train_lock(job->name, true, &job->lock);
	job->locked = true;
	check_taken(job);
	job->context = (ErrorContextCallback) {error_context_stack, add_context, job};
	error_context_stack = &job->context;

	job->activity = pg_nlp_activity_begin(procedure);
	pg_nlp_activity_model(job->activity, job->name);
	job->row = take_row(job);
	pg_nlp_gate_enter(job->activity);
	job->has_place = true;
	pg_nlp_phase(job->activity, PG_NLP_PHASE_RUNNING);
	job->env.pool = pg_nlp_pool();
	if (job->env.pool)
	{
		pg_nlp_pool_hold(1);
		job->holds_pool = true;
	}
	job->run.started = job->started = job->told = GetCurrentTimestamp();
	/* rows wait in memory, but for data larger than an eighth of what all calls may take */
	pg_nlp_spool_init(&job->spool, job->env.alloc, pg_nlp_compute_limit() / 8);
	if (atomic && !common->quiet)
		ereport(NOTICE,
				(errmsg("training of \"%s\" makes no checkpoints inside a transaction", job->name),
				 errdetail("It is one transaction, which also holds back VACUUM until it ends."),
				 errhint("Call %s outside a transaction block.", procedure)));
	return job;
}

void
pg_nlp_train_end(PgNlpTrainJob *job)
{
	error_context_stack = job->context.previous;
	MemoryContextDelete(job->mcxt); /* calls undo_job first */
	SPI_finish();
}

void
pg_nlp_train_reserve(PgNlpTrainJob *job, uint64 bytes, const char *what)
{
	if (bytes > MaxAllocHugeSize || !pg_nlp_memory_reserve(&job->memory, bytes))
		pg_nlp_budget_error(bytes, what);
}

double
pg_nlp_train_seconds(const PgNlpTrainJob *job)
{
	return job->seconds_before + seconds_between(job->started, GetCurrentTimestamp());
}

/* ---- reading ---- */

void
pg_nlp_train_reading(PgNlpTrainJob *job)
{
	TimestampTz now = GetCurrentTimestamp();

	if (TimestampDifferenceExceeds(job->rated, now, SHOW_MS))
	{
		job->rated = now;
		pg_nlp_train_show(job);
	}
	if (job->common->quiet || !TimestampDifferenceExceeds(job->told, now, NOTICE_SECONDS * 1000))
		return;
	job->told = now;
	ereport(NOTICE,
			(errmsg("training of \"%s\": " UINT64_FORMAT " rows read, " UINT64_FORMAT " words", job->name,
					job->run.rows, job->run.words)));
}

/* ---- training ---- */

/* A new transaction, which holds no snapshot until it needs one. */
static void
commit(void)
{
	SPI_commit();
	InvalidateCatalogSnapshot();
}

void
pg_nlp_train_start(PgNlpTrainJob *job, const PgNlpTrainStep *step)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!job->atomic)
		commit();
	job->run.step = *step;
	job->first_done = job->rated_done = step->done;
	job->started = job->stored = job->logged = job->rated = now;
	pg_nlp_train_phase(job, PG_NLP_TRAIN_TRAINING);
}

static void
tell(PgNlpTrainJob *job, TimestampTz now)
{
	const PgNlpTrainStep *step = &job->run.step;
	StringInfoData more;

	if (job->common->quiet || !TimestampDifferenceExceeds(job->told, now, NOTICE_SECONDS * 1000))
		return;
	job->told = now;
	initStringInfo(&more);
	if (step->loss > 0)
		appendStringInfo(&more, ", loss %.4f", step->loss);
	if (job->rate > 0)
		appendStringInfo(&more, ", about %.0f s left", (double) (step->total - Min(step->done, step->total)) / job->rate);
	ereport(NOTICE,
			(errmsg("training of \"%s\": epoch %u of %u, %.1f %%, %.0f tokens/s%s", job->name,
					Min(step->epoch + 1, step->epochs), step->epochs,
					step->total > 0 ? 100.0 * (double) step->done / (double) step->total : 100.0, job->rate, more.data)));
	pfree(more.data);
}

static void
measure_rate(PgNlpTrainJob *job, TimestampTz now)
{
	double		seconds = seconds_between(job->rated, now);

	if (seconds <= 0 || (job->rate > 0 && seconds < RATE_SECONDS))
		return;
	job->rate = (double) (job->run.step.done - job->rated_done) / seconds;
	if (seconds < RATE_SECONDS)
		return;					/* the first guess */
	job->rated = now;
	job->rated_done = job->run.step.done;
}

void
pg_nlp_train_keep(PgNlpTrainJob *job)
{
	MemoryContext old = MemoryContextSwitchTo(job->work);
	TimestampTz begin = GetCurrentTimestamp();

	pg_nlp_train_phase(job, PG_NLP_TRAIN_CHECKPOINT);
	EnsurePortalSnapshotExists();
	job->run.seconds = pg_nlp_train_seconds(job);
	pg_nlp_checkpoint_write(job);
	pg_nlp_train_log(job, &job->run.step);
	pg_nlp_train_log_flush(job);
	commit();
	job->has_checkpoint = true;
	job->saved = job->run.step;
	MemoryContextSwitchTo(old);
	MemoryContextReset(job->work);
	job->stored = job->logged = GetCurrentTimestamp();
	job->store_seconds = seconds_between(begin, job->stored);
	pg_nlp_train_phase(job, PG_NLP_TRAIN_TRAINING);
}

static bool
checkpoint_due(const PgNlpTrainJob *job, TimestampTz now, bool epoch_end)
{
	double		every = Max(job->common->checkpoint_seconds, 10 * job->store_seconds);
	double		since = seconds_between(job->stored, now);

	return !job->atomic && job->common->checkpoint_seconds > 0 && job->run.step.done < job->run.step.total &&
		(since >= every || (epoch_end && since >= every / 2));
}

static void
one_step(PgNlpTrainJob *job, const PgNlpTrainStep *step)
{
	TimestampTz now = GetCurrentTimestamp();
	uint64		one_epoch = Max(step->total / Max(step->epochs, 1), 1);
	bool		epoch_end = step->done / one_epoch > job->run.step.done / one_epoch && step->done < step->total;

	job->run.step = *step;
	measure_rate(job, now);
	pg_nlp_train_show(job);
	if (checkpoint_due(job, now, epoch_end))
		pg_nlp_train_keep(job);
	else if (epoch_end)
		pg_nlp_train_log(job, step);
	if (!job->atomic && job->log != NIL && TimestampDifferenceExceeds(job->logged, now, LOG_SECONDS * 1000))
	{
		EnsurePortalSnapshotExists();
		pg_nlp_train_log_flush(job);
		commit();
		job->logged = now;
	}
	tell(job, now);
}

NlpStatus
pg_nlp_train_step(PgNlpTrainJob *job, const PgNlpTrainStep *step, NlpError *err)
{
	MemoryContext mcxt = CurrentMemoryContext;
	volatile NlpStatus status = NLP_OK;

	PG_TRY();
	{
		one_step(job, step);
	}
	PG_CATCH();
	{
		pg_nlp_keep_error();
		status = nlp_fail(err, NLP_ECANCELLED, "the training's progress could not be kept");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(mcxt);
	return status;
}
