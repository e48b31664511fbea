/* stats.c --- who runs what (nlp.activity), what was done (nlp.model_stats), what is
 * resident, and the gate of pg_nlp.max_active.
 *
 * The gate: a call takes a place or a ticket. A call that leaves hands its place to
 * the waiter with the lowest ticket and sets its latch; so nobody is overtaken and
 * one process wakes per place. A backend that holds a place already (a suspended
 * value-per-call function) takes no second one: it cannot wait for itself. */
#include "shared.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(pg_nlp_activity_rows_sql);
PG_FUNCTION_INFO_V1(pg_nlp_resident_images);
PG_FUNCTION_INFO_V1(pg_nlp_model_counters);
PG_FUNCTION_INFO_V1(pg_nlp_reset_model_stats);

static int	places;				/* calls of this backend under its one place */

static int
my_procno(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProcNumber;
#else
	return MyProc->pgprocno;
#endif
}

/* ---- activity ---- */

PgNlpActivity *
pg_nlp_activity_begin(const char *verb)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpActivity *rows = pg_nlp_activity_rows(shared);
	PgNlpActivity *row = NULL;
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared->n_activity && row == NULL; i++)
	{
		if (rows[i].pid == 0)
			row = &rows[i];
	}
	if (row)
	{
		row->pid = MyProcPid;
		row->procno = my_procno();
		row->role = GetUserId();
		row->database = MyDatabaseId;
		row->ticket = 0;
		row->granted = false;
		row->since = now;
		pg_nlp_copy(row->verb, verb, sizeof(row->verb));
		row->model[0] = '\0';
		pg_atomic_write_u32(&row->phase, PG_NLP_PHASE_STARTING);
		pg_atomic_write_u64(&row->tokens, 0);
		pg_atomic_write_u64(&row->rows, 0);
	}
	LWLockRelease(&shared->lock);
	return row;
}

void
pg_nlp_activity_model(PgNlpActivity *row, const char *model)
{
	PgNlpShared *shared = pg_nlp_shared();

	if (row == NULL)
		return;
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	pg_nlp_copy(row->model, model, sizeof(row->model));
	LWLockRelease(&shared->lock);
}

void
pg_nlp_phase(PgNlpActivity *row, PgNlpPhase phase)
{
	if (row)
		pg_atomic_write_u32(&row->phase, phase);
}

/* ---- the gate ---- */

/* The waiter that came first and has no place yet; under the lock. */
static PgNlpActivity *
first_waiter(PgNlpShared *shared)
{
	PgNlpActivity *rows = pg_nlp_activity_rows(shared);
	PgNlpActivity *first = NULL;

	for (int i = 0; i < shared->n_activity; i++)
	{
		if (rows[i].pid != 0 && rows[i].ticket != 0 && !rows[i].granted &&
			(first == NULL || rows[i].ticket < first->ticket))
			first = &rows[i];
	}
	return first;
}

/* Places that are free go to those who wait; under the lock. */
static void
hand_over(PgNlpShared *shared)
{
	PgNlpActivity *row;

	while ((pg_nlp_max_active == 0 || shared->active < pg_nlp_max_active) &&
		   (row = first_waiter(shared)) != NULL)
	{
		row->granted = true;
		shared->active++;
		SetLatch(&ProcGlobal->allProcs[row->procno].procLatch);
	}
}

void
pg_nlp_activity_end(PgNlpActivity *row)
{
	PgNlpShared *shared;

	if (row == NULL || pg_nlp_exiting)
		return;
	shared = pg_nlp_shared();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	row->pid = 0;
	row->ticket = 0;
	if (row->granted)			/* cancelled at the moment a place was handed over */
	{
		row->granted = false;
		shared->active--;
		hand_over(shared);
	}
	LWLockRelease(&shared->lock);
}

/* Take a place that is free and that nobody waits for. */
static bool
take_place(PgNlpShared *shared, PgNlpActivity *row)
{
	PgNlpActivity *first = first_waiter(shared);

	if (pg_nlp_max_active != 0 && shared->active >= pg_nlp_max_active)
		return false;
	if (first != NULL && first != row)
		return false;
	shared->active++;
	places = 1;
	return true;
}

void
pg_nlp_gate_enter(PgNlpActivity *row)
{
	PgNlpShared *shared = pg_nlp_shared();
	bool		entered;

	if (places > 0)
	{
		places++;
		return;
	}
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	entered = take_place(shared, row);
	if (!entered && row)
		row->ticket = shared->next_ticket++;
	LWLockRelease(&shared->lock);
	if (!entered)
		pg_nlp_phase(row, PG_NLP_PHASE_WAITING);
	while (!entered)
	{
		/* Without a row (the small table is full) nobody can wake us: look often. */
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, row ? 1000 : 10,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
		if (row && row->granted)
		{
			places = 1;
			entered = true;
		}
		else
			entered = take_place(shared, row);
		if (entered && row)
		{
			row->granted = false;
			row->ticket = 0;
		}
		LWLockRelease(&shared->lock);
	}
}

void
pg_nlp_gate_leave(void)
{
	PgNlpShared *shared;

	if (--places > 0 || pg_nlp_exiting)
		return;
	shared = pg_nlp_shared();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	shared->active--;
	hand_over(shared);
	LWLockRelease(&shared->lock);
}

/* What is still ours: rows of loads, and a place (calls have ended already). */
void
pg_nlp_stats_at_exit(void)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpActivity *rows = pg_nlp_activity_rows(shared);

	if (places > 0)
	{
		places = 1;
		pg_nlp_gate_leave();
	}
	for (int i = 0; i < shared->n_activity; i++)
	{
		if (rows[i].pid == MyProcPid)
			pg_nlp_activity_end(&rows[i]);
	}
}

/* ---- counters of a model ---- */

/* Under the lock. A full table loses the model that was used longest ago. */
static PgNlpCounters *
counters_of(PgNlpShared *shared, const PgNlpModelRow *row)
{
	Oid			database = pg_nlp_is_shipped(row) ? InvalidOid : MyDatabaseId;
	Oid			relation = pg_nlp_is_shipped(row) ? pg_nlp_shipped_number(row) : row->relation;
	PgNlpCounters *all = pg_nlp_counters(shared);
	PgNlpCounters *oldest = &all[0];

	for (int i = 0; i < shared->n_counters; i++)
	{
		if (all[i].relation == relation && all[i].database == database)
			return &all[i];
		if (all[i].last_used < oldest->last_used)
			oldest = &all[i];
	}
	*oldest = (PgNlpCounters) {.database = database, .relation = relation};
	return oldest;
}

void
pg_nlp_count_call(const PgNlpModelRow *row, const NlpDecoderStats *stats, uint64 rows, uint64 time_us)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpCounters *c;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	c = counters_of(shared, row);
	c->last_used = pg_atomic_fetch_add_u64(&shared->clock, 1);
	c->calls++;
	c->rows += rows;
	c->passes += stats->passes;
	c->prompt_tokens += stats->prompt_tokens;
	c->tokens += stats->tokens;
	c->time_us += time_us;
	LWLockRelease(&shared->lock);
}

void
pg_nlp_count_load(const PgNlpModelRow *row)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpCounters *c;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	c = counters_of(shared, row);
	c->last_used = pg_atomic_fetch_add_u64(&shared->clock, 1);
	c->loads++;
	LWLockRelease(&shared->lock);
}

/* ---- what a role may see ---- */

static bool
reads_all_stats(void)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
}

bool
pg_nlp_sees_role(Oid role)
{
	return reads_all_stats() || has_privs_of_role(GetUserId(), role);
}

/* Figures of a model: those who may use it, and those who may see all statistics. */
static bool
sees_model(Oid relation)
{
	bool		missing = false;

	return reads_all_stats() ||
		(pg_class_aclcheck_ext(relation, GetUserId(), ACL_SELECT, &missing) == ACLCHECK_OK && !missing);
}

/* ---- as rows ---- */

static const char *const phase_names[] = {"starting", "loading", "waiting", "running", "paused"};

/* (pid, role, database, model, verb, phase, tokens, rows, since) */
Datum
pg_nlp_activity_rows_sql(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PgNlpShared *shared = pg_nlp_shared();
	Size		bytes = shared->n_activity * sizeof(PgNlpActivity);
	PgNlpActivity *copy = palloc(bytes);

	InitMaterializedSRF(fcinfo, 0);
	LWLockAcquire(&shared->lock, LW_SHARED);
	memcpy(copy, pg_nlp_activity_rows(shared), bytes);
	LWLockRelease(&shared->lock);
	for (int i = 0; i < shared->n_activity; i++)
	{
		PgNlpActivity *a = &copy[i];
		uint32		phase = pg_atomic_read_u32(&a->phase);
		bool		nulls[9] = {0};
		Datum		values[9];

		if (a->pid == 0 || !pg_nlp_sees_role(a->role))
			continue;
		values[0] = Int32GetDatum(a->pid);
		values[1] = ObjectIdGetDatum(a->role);
		values[2] = ObjectIdGetDatum(a->database);
		values[3] = CStringGetTextDatum(a->model);
		nulls[3] = a->model[0] == '\0';
		values[4] = CStringGetTextDatum(a->verb);
		values[5] = CStringGetTextDatum(phase < lengthof(phase_names) ? phase_names[phase] : "running");
		values[6] = Int64GetDatum((int64) pg_atomic_read_u64(&a->tokens));
		values[7] = Int64GetDatum((int64) pg_atomic_read_u64(&a->rows));
		values[8] = TimestampTzGetDatum(a->since);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* (relation, sha256, state, bytes, pins, allocator, loaded, loaded_bytes) of this
 * database, and of shipped models (relation 0); what is not the caller's to know is NULL. */
Datum
pg_nlp_resident_images(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PgNlpShared *shared = pg_nlp_shared();
	Size		bytes = shared->n_slots * sizeof(PgNlpSlot);
	PgNlpSlot  *copy = palloc(bytes);

	InitMaterializedSRF(fcinfo, 0);
	LWLockAcquire(&shared->lock, LW_SHARED);
	memcpy(copy, pg_nlp_slots(shared), bytes);
	LWLockRelease(&shared->lock);
	for (int i = 0; i < shared->n_slots; i++)
	{
		PgNlpSlot  *s = &copy[i];
		char		hex[2 * PG_NLP_SHA256_BYTES + 1];
		bool		nulls[8] = {0};
		Datum		values[8];

		if ((s->key.database != MyDatabaseId && OidIsValid(s->key.database)) ||
			(s->state != PG_NLP_SLOT_READY && s->state != PG_NLP_SLOT_LOADING))
			continue;
		pg_nlp_hex(s->key.sha256, PG_NLP_SHA256_BYTES, hex);
		values[0] = ObjectIdGetDatum(s->key.relation);
		values[1] = CStringGetTextDatum(hex);
		values[2] = CStringGetTextDatum(s->state == PG_NLP_SLOT_READY ? "ready" : "loading");
		values[3] = Int64GetDatum((int64) s->bytes);
		values[4] = Int32GetDatum((int32) pg_atomic_read_u32(&s->pins));
		values[5] = CStringGetTextDatum(shared->slab_bytes ? "slab" : "dynamic");
		values[6] = TimestampTzGetDatum(s->loaded);
		values[7] = Int64GetDatum((int64) pg_atomic_read_u64(&s->loaded_bytes));
		nulls[6] = s->state != PG_NLP_SLOT_READY;
		nulls[7] = s->state == PG_NLP_SLOT_READY;
		if (OidIsValid(s->key.relation) && !sees_model(s->key.relation))
		{
			for (int c = 3; c < 8; c++)
				nulls[c] = true;
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* (relation, calls, rows, passes, prompt_tokens, tokens, loads, seconds, since, shipped) */
Datum
pg_nlp_model_counters(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PgNlpShared *shared = pg_nlp_shared();
	Size		bytes = shared->n_counters * sizeof(PgNlpCounters);
	PgNlpCounters *copy = palloc(bytes);
	TimestampTz since;

	InitMaterializedSRF(fcinfo, 0);
	LWLockAcquire(&shared->lock, LW_SHARED);
	memcpy(copy, pg_nlp_counters(shared), bytes);
	since = shared->stats_reset;
	LWLockRelease(&shared->lock);
	for (int i = 0; i < shared->n_counters; i++)
	{
		PgNlpCounters *c = &copy[i];
		const char *shipped = NULL;
		bool		nulls[10] = {0};
		Datum		values[10];

		if (!OidIsValid(c->relation) || (OidIsValid(c->database) && c->database != MyDatabaseId))
			continue;
		if (!OidIsValid(c->database))
			shipped = pg_nlp_shipped_name(c->relation);
		if (OidIsValid(c->database) ? !sees_model(c->relation) : shipped == NULL)
			continue;
		values[0] = ObjectIdGetDatum(c->relation);
		nulls[0] = shipped != NULL;
		values[1] = Int64GetDatum((int64) c->calls);
		values[2] = Int64GetDatum((int64) c->rows);
		values[3] = Int64GetDatum((int64) c->passes);
		values[4] = Int64GetDatum((int64) c->prompt_tokens);
		values[5] = Int64GetDatum((int64) c->tokens);
		values[6] = Int64GetDatum((int64) c->loads);
		values[7] = Float8GetDatum((double) c->time_us / 1e6);
		values[8] = TimestampTzGetDatum(since);
		nulls[9] = shipped == NULL;
		if (shipped)
			values[9] = CStringGetTextDatum(shipped);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* EXECUTE is not for PUBLIC. */
Datum
pg_nlp_reset_model_stats(PG_FUNCTION_ARGS)
{
	PgNlpShared *shared = pg_nlp_shared();
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	memset(pg_nlp_counters(shared), 0, shared->n_counters * sizeof(PgNlpCounters));
	shared->stats_reset = now;
	LWLockRelease(&shared->lock);
	PG_RETURN_VOID();
}
