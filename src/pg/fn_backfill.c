/* fn_backfill.c --- CALL nlp.backfill: fill a column from an expression, in batches,
 * committing as it goes.
 *
 * A batch is the next rows in the order of the primary key for which the condition
 * holds. Their answers are computed without any lock, as one call of the verb's array
 * form, and then written row by row: a row that is gone, no longer meets the condition
 * or has another input by now is left alone and counted. An expression that is not a
 * single verb call is evaluated inside the UPDATE of its row.
 *
 * Errors of the data are caught in subtransactions: a batch that fails is halved
 * until the bad row is found, which goes to nlp.backfill_error. Everything else
 * (cancel, memory, privileges, a missing model) ends the job; what was committed stays.
 *
 * Inside a transaction block, or called from a function, everything is one transaction. */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/pquery.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "fn_backfill.h"
#include "fn_common.h"

PG_FUNCTION_INFO_V1(pg_nlp_backfill);

#define NOTICE_EVERY_MS 5000
#define ROWWISE_COMMIT_MS 1000	/* row locks of the row-by-row way are not held longer */

static const PgNlpVerb backfill_verb = {
	"nlp.backfill", 0, OPT_BATCH | OPT_WHERE | OPT_ON_ERROR, 0, NULL
};

typedef struct BackfillRow
{
	Datum	   *keys;
	Datum		input;
	bool		input_null;
	Datum		result;
	bool		result_null;
	bool		bad;
	int			sqlstate;
	char	   *message;
} BackfillRow;

typedef struct Backfill
{
	BackfillPlan plan;
	PgNlpOptions options;
	bool		atomic;
	bool		old_errors;		/* nlp.backfill_error knows rows of this table */
	uint64		total;			/* rows to do, counted at the start */
	uint64		done,			/* written */
				bad,
				passed;			/* changed or gone while they were computed */
	TimestampTz started,
				told;
	MemoryContext batch_context;	/* reset for every batch; survives its errors */
	SPIPlanPtr	select,			/* prepared for every batch: it may be another transaction */
				compute,
				write,
				clear;
	BackfillRow *rows;
	int			n;
	Datum	   *last_key;		/* NULL before the first batch */
	MemoryContext key_context;	/* holds last_key */
} Backfill;

/* ---- SQL ---- */

/* Append "AND k1 = $first AND k2 = $first+1 ...", the operators qualified */
static void
append_key_match(StringInfo sql, const BackfillPlan *plan, int first)
{
	for (int i = 0; i < plan->n_keys; i++)
		appendStringInfo(sql, " AND %s %s $%d", plan->keys[i].quoted, plan->keys[i].equal, first + i);
}

static char *
key_list(const BackfillPlan *plan)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < plan->n_keys; i++)
		appendStringInfo(&list, "%s%s", i ? ", " : "", plan->keys[i].quoted);
	return list.data;
}

/* jsonb_build_object('k1', $first, ...) */
static char *
key_object(const BackfillPlan *plan, int first)
{
	StringInfoData call;

	initStringInfo(&call);
	appendStringInfoString(&call, "pg_catalog.jsonb_build_object(");
	for (int i = 0; i < plan->n_keys; i++)
		appendStringInfo(&call, "%s%s, $%d", i ? ", " : "", quote_literal_cstr(plan->keys[i].name), first + i);
	appendStringInfoChar(&call, ')');
	return call.data;
}

static SPIPlanPtr
prepare(const char *sql, int n, Oid *types)
{
	SPIPlanPtr	spi_plan = SPI_prepare(sql, n, types);

	if (spi_plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	return spi_plan;
}

static void
prepare_select(Backfill *job, const char *keys, Oid *key_types)
{
	const BackfillPlan *plan = &job->plan;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, %s FROM %s WHERE (%s\n)", keys, plan->batched ? plan->input : "NULL",
					 plan->relation, plan->where);
	if (job->last_key)
	{
		const char *greater = plan->keys[0].greater;

		for (int i = 1; i < plan->n_keys; i++)
			if (strcmp(plan->keys[i].greater, greater) != 0)
				greater = ">";	/* types of several schemas: theirs must be in search_path */
		appendStringInfo(&sql, " AND (%s) %s (", keys, greater);
		for (int i = 0; i < plan->n_keys; i++)
			appendStringInfo(&sql, "%s$%d", i ? ", " : "", i + 1);
		appendStringInfoChar(&sql, ')');
	}
	appendStringInfo(&sql, " ORDER BY %s LIMIT %d", keys, job->options.batch);
	job->select = prepare(sql.data, job->last_key ? plan->n_keys : 0, key_types);
}

/* Parameters: the key's columns, then (batched) the result and the input. */
static void
prepare_write(Backfill *job, Oid *types)
{
	const BackfillPlan *plan = &job->plan;
	StringInfoData sql;

	initStringInfo(&sql);
	if (plan->batched)
		/* A NULL over a NULL would only leave a dead row. */
		appendStringInfo(&sql, "UPDATE %s SET %s = $%d WHERE (%s\n)"
						 " AND CASE WHEN $%d IS NULL THEN (%s) IS NULL ELSE (%s) %s $%d END"
						 " AND ($%d IS NOT NULL OR %s IS NOT NULL)",
						 plan->relation, plan->column, plan->n_keys + 1, plan->where,
						 plan->n_keys + 2, plan->input, plan->input, plan->input_equal, plan->n_keys + 2,
						 plan->n_keys + 1, plan->column);
	else
		appendStringInfo(&sql, "UPDATE %s SET %s = (%s\n) WHERE (%s\n)",
						 plan->relation, plan->column, plan->expression, plan->where);
	append_key_match(&sql, plan, 1);
	types[plan->n_keys] = plan->result_type;
	types[plan->n_keys + 1] = plan->input_type;
	job->write = prepare(sql.data, plan->n_keys + (plan->batched ? 2 : 0), types);
}

static void
prepare_batch(Backfill *job)
{
	const BackfillPlan *plan = &job->plan;
	Oid		   *types = palloc((plan->n_keys + 3) * sizeof(Oid));

	for (int i = 0; i < plan->n_keys; i++)
		types[i] = plan->keys[i].type_oid;
	prepare_select(job, key_list(plan), types);
	prepare_write(job, types);
	if (plan->batched)
	{
		Oid			array_type = plan->input_array;

		job->compute = prepare(psprintf("SELECT %s", plan->call), 1, &array_type);
	}
	if (job->old_errors)
	{
		types[plan->n_keys] = REGCLASSOID;
		job->clear = prepare(psprintf("DELETE FROM nlp.backfill_error WHERE target OPERATOR(pg_catalog.=) $%d"
									  " AND column_name OPERATOR(pg_catalog.=) %s::pg_catalog.name"
									  " AND key OPERATOR(pg_catalog.=) %s",
									  plan->n_keys + 1, plan->column_literal, key_object(plan, 1)),
							 plan->n_keys + 1, types);
	}
}

/* ---- errors of the data ---- */

/* Whether an error is about the row and not about the job. */
static bool
is_row_error(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case MAKE_SQLSTATE('2', '1', '0', '0', '0'):	/* cardinality violation */
		case MAKE_SQLSTATE('2', '2', '0', '0', '0'):	/* data exception */
		case MAKE_SQLSTATE('2', '3', '0', '0', '0'):	/* integrity constraint violation */
		case MAKE_SQLSTATE('3', '8', '0', '0', '0'):	/* external routine exceptions */
		case MAKE_SQLSTATE('3', '9', '0', '0', '0'):
		case MAKE_SQLSTATE('4', '4', '0', '0', '0'):	/* with check option violation */
		case MAKE_SQLSTATE('5', '4', '0', '0', '0'):	/* program limit exceeded: a text too long */
		case MAKE_SQLSTATE('P', '0', '0', '0', '0'):	/* raised by a trigger */
			return true;
		default:
			return false;
	}
}

typedef void (*Attempt) (Backfill *job, int first, int n);

/* Run attempt over rows first .. first+n in a subtransaction. False when it failed
 * with an error of the data; then *error is a copy in the batch's context. Other
 * errors are thrown on. */
static bool
try_rows(Backfill *job, Attempt attempt, int first, int n, ErrorData **error)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool ok = true;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	PG_TRY();
	{
		attempt(job, first, n);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(job->batch_context);
		*error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		ok = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;
	if (!ok && (!is_row_error((*error)->sqlerrcode) ||
				((job->options.given & OPT_ON_ERROR) && !job->options.null_on_error)))
		ReThrowError(*error);
	return ok;
}

/* The same, halving until the bad rows are found and marked. */
static void
try_halving(Backfill *job, Attempt attempt, int first, int n)
{
	ErrorData  *error = NULL;

	CHECK_FOR_INTERRUPTS();
	if (n == 0 || try_rows(job, attempt, first, n, &error))
		return;
	if (n == 1)
	{
		BackfillRow *row = &job->rows[first];

		row->bad = true;
		row->sqlstate = error->sqlerrcode;
		row->message = error->message ? error->message : "";
		return;
	}
	try_halving(job, attempt, first, n / 2);
	try_halving(job, attempt, first + n / 2, n - n / 2);
}

/* ---- one batch ---- */

static Datum
copy_value(Datum value, bool isnull, bool byval, int16 len)
{
	if (isnull)
		return (Datum) 0;
	if (!byval && len == -1)
		return PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
	return datumCopy(value, byval, len);
}

static void
read_rows(Backfill *job)
{
	const BackfillPlan *plan = &job->plan;
	MemoryContext old;
	bool		isnull;
	int16		len = 0;
	bool		byval = false;

	SPI_execute_plan(job->select, job->last_key, NULL, false, 0);
	old = MemoryContextSwitchTo(job->batch_context);
	job->n = (int) SPI_processed;
	job->rows = palloc0((job->n + 1) * sizeof(BackfillRow));
	if (plan->batched)
		get_typlenbyval(plan->input_type, &len, &byval);
	for (int i = 0; i < job->n; i++)
	{
		BackfillRow *row = &job->rows[i];
		HeapTuple	tuple = SPI_tuptable->vals[i];

		row->keys = palloc(plan->n_keys * sizeof(Datum));
		for (int k = 0; k < plan->n_keys; k++)
		{
			Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, k + 1, &isnull);

			row->keys[k] = copy_value(value, isnull, plan->keys[k].byval, plan->keys[k].len);
		}
		row->input = SPI_getbinval(tuple, SPI_tuptable->tupdesc, plan->n_keys + 1, &row->input_null);
		row->input = copy_value(row->input, row->input_null, byval, len);
	}
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
}

/* Attempt: answers of rows first .. first+n through the verb's array form. */
static void
compute_rows(Backfill *job, int first, int n)
{
	const BackfillPlan *plan = &job->plan;
	Datum	   *values = palloc(n * sizeof(Datum));
	bool	   *nulls = palloc(n * sizeof(bool));
	int			dims[1] = {n};
	int			lower[1] = {1};
	int16		len;
	bool		byval;
	char		align;
	bool		isnull;
	Datum		array;
	MemoryContext old;
	int			n_results;

	for (int i = 0; i < n; i++)
	{
		values[i] = job->rows[first + i].input;
		nulls[i] = job->rows[first + i].input_null;
	}
	get_typlenbyvalalign(plan->input_type, &len, &byval, &align);
	array = PointerGetDatum(construct_md_array(values, nulls, 1, dims, lower, plan->input_type, len, byval, align));
	SPI_execute_plan(job->compute, &array, NULL, false, 0);
	array = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	get_typlenbyvalalign(plan->result_type, &len, &byval, &align);
	old = MemoryContextSwitchTo(job->batch_context);
	deconstruct_array(DatumGetArrayTypePCopy(array), plan->result_type, len, byval, align, &values, &nulls, &n_results);
	MemoryContextSwitchTo(old);
	if (n_results != n)
		elog(ERROR, "%s gave %d results for %d inputs", plan->call, n_results, n);
	for (int i = 0; i < n; i++)
	{
		job->rows[first + i].result = values[i];
		job->rows[first + i].result_null = nulls[i];
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Attempt: write rows first .. first+n that are not bad. */
static void
write_rows(Backfill *job, int first, int n)
{
	const BackfillPlan *plan = &job->plan;
	Datum	   *values = palloc((plan->n_keys + 2) * sizeof(Datum));
	char	   *nulls = palloc0(plan->n_keys + 3);
	uint64		done = 0,
				passed = 0;

	memset(nulls, ' ', plan->n_keys + 2);
	for (int i = first; i < first + n; i++)
	{
		BackfillRow *row = &job->rows[i];

		if (row->bad)
			continue;
		memcpy(values, row->keys, plan->n_keys * sizeof(Datum));
		values[plan->n_keys] = row->result;
		values[plan->n_keys + 1] = row->input;
		nulls[plan->n_keys] = row->result_null ? 'n' : ' ';
		nulls[plan->n_keys + 1] = row->input_null ? 'n' : ' ';
		SPI_execute_plan(job->write, values, nulls, false, 0);
		if (SPI_processed > 0 || (plan->batched && row->result_null))
			done++;
		else
			passed++;
		if (job->clear && SPI_processed > 0)
		{
			values[plan->n_keys] = ObjectIdGetDatum(plan->relid);
			SPI_execute_plan(job->clear, values, NULL, false, 0);
		}
	}
	job->done += done;
	job->passed += passed;
}

/* Rows found bad go to nlp.backfill_error, in place of what it said about them before. */
static void
note_bad_rows(Backfill *job)
{
	const BackfillPlan *plan = &job->plan;
	Oid		   *types = palloc((plan->n_keys + 3) * sizeof(Oid));
	Datum	   *values = palloc((plan->n_keys + 3) * sizeof(Datum));
	char	   *sql;

	for (int i = 0; i < plan->n_keys; i++)
		types[i] = plan->keys[i].type_oid;
	types[plan->n_keys] = REGCLASSOID;
	types[plan->n_keys + 1] = TEXTOID;
	types[plan->n_keys + 2] = TEXTOID;
	sql = psprintf("INSERT INTO nlp.backfill_error (target, column_name, key, sqlstate, message)"
				   " VALUES ($%d, %s, %s, $%d, $%d)"
				   " ON CONFLICT (target, column_name, key, by_role) DO UPDATE SET sqlstate = excluded.sqlstate, message = excluded.message,"
				   " noted_at = excluded.noted_at",
				   plan->n_keys + 1, plan->column_literal, key_object(plan, 1), plan->n_keys + 2, plan->n_keys + 3);
	for (int i = 0; i < job->n; i++)
	{
		BackfillRow *row = &job->rows[i];

		if (!row->bad)
			continue;
		memcpy(values, row->keys, plan->n_keys * sizeof(Datum));
		values[plan->n_keys] = ObjectIdGetDatum(plan->relid);
		values[plan->n_keys + 1] = CStringGetTextDatum(unpack_sql_state(row->sqlstate));
		values[plan->n_keys + 2] = CStringGetTextDatum(row->message);
		SPI_execute_with_args(sql, plan->n_keys + 3, types, values, NULL, false, 0);
		job->bad++;
	}
}

/* Row by row: the expression runs inside the UPDATE. Stops early when locks have been
 * held for a while and they can be given up; job->n becomes what was done. */
static void
run_rowwise(Backfill *job)
{
	TimestampTz begin = GetCurrentTimestamp();

	for (int i = 0; i < job->n; i++)
	{
		if (i > 0 && !job->atomic && TimestampDifferenceExceeds(begin, GetCurrentTimestamp(), ROWWISE_COMMIT_MS))
		{
			job->n = i;
			return;
		}
		try_halving(job, write_rows, i, 1);
	}
}

static void
remember_last_key(Backfill *job)
{
	const BackfillPlan *plan = &job->plan;
	const BackfillRow *row = &job->rows[job->n - 1];
	MemoryContext old;

	MemoryContextReset(job->key_context);
	old = MemoryContextSwitchTo(job->key_context);
	job->last_key = palloc(plan->n_keys * sizeof(Datum));
	for (int i = 0; i < plan->n_keys; i++)
		job->last_key[i] = datumCopy(row->keys[i], plan->keys[i].byval, plan->keys[i].len);
	MemoryContextSwitchTo(old);
}

/* ---- the job ---- */

static void
tell_progress(Backfill *job, bool end)
{
	TimestampTz now = GetCurrentTimestamp();
	double		seconds = Max((double) (now - job->started) / USECS_PER_SEC, 1e-6);
	uint64		seen = job->done + job->bad + job->passed;
	double		rate = seen / seconds;
	StringInfoData extra;

	if (!end && !TimestampDifferenceExceeds(job->told, now, NOTICE_EVERY_MS))
		return;
	job->told = now;
	initStringInfo(&extra);
	if (job->bad > 0)
		appendStringInfo(&extra, ", " UINT64_FORMAT " bad (see nlp.backfill_error)", job->bad);
	if (job->passed > 0)
		appendStringInfo(&extra, ", " UINT64_FORMAT " changed meanwhile and left alone", job->passed);
	if (end)
		ereport(NOTICE,
				(errmsg("backfill of %s.%s: " UINT64_FORMAT " rows written in %.1f s, %.2f rows/s%s",
						job->plan.relation_name, job->plan.column, job->done, seconds, rate, extra.data)));
	else
		ereport(NOTICE,
				(errmsg("backfill of %s.%s: " UINT64_FORMAT " of " UINT64_FORMAT " rows, %.2f rows/s, about %.0f s left%s",
						job->plan.relation_name, job->plan.column, seen, Max(seen, job->total), rate,
						seen > 0 && job->total > seen ? (job->total - seen) / rate : 0, extra.data)));
}

static uint64
count_rows(const char *sql, int n, Oid *types, Datum *values)
{
	bool		isnull;

	SPI_execute_with_args(sql, n, types, values, NULL, true, 0);
	return (uint64) DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

/* Before the first batch: how much there is to do, and a call without rows, which
 * checks the verb's options once for all. */
static void
start_job(Backfill *job)
{
	const BackfillPlan *plan = &job->plan;
	Oid			type = REGCLASSOID;
	Datum		target = ObjectIdGetDatum(plan->relid);

	job->total = count_rows(psprintf("SELECT pg_catalog.count(*) FROM %s WHERE (%s\n)", plan->relation, plan->where),
							0, NULL, NULL);
	job->old_errors = count_rows("SELECT pg_catalog.count(*) FROM (SELECT FROM nlp.backfill_error"
								 " WHERE target OPERATOR(pg_catalog.=) $1 LIMIT 1) q", 1, &type, &target) > 0;
	if (plan->batched)
	{
		Datum		empty = PointerGetDatum(construct_empty_array(plan->input_type));

		type = plan->input_array;
		SPI_execute_with_args(psprintf("SELECT %s", plan->call), 1, &type, &empty, NULL, true, 0);
	}
	job->started = job->told = GetCurrentTimestamp();
}

/* One batch; false when there was no row left. */
static bool
run_batch(Backfill *job)
{
	MemoryContext old;
	ErrorData  *error;
	bool		more;

	/* After a commit there is none, and values are fetched from their TOAST tables. */
	EnsurePortalSnapshotExists();
	MemoryContextReset(job->batch_context);
	old = MemoryContextSwitchTo(job->batch_context);
	job->clear = NULL;
	prepare_batch(job);
	read_rows(job);
	more = job->n > 0;
	if (more && job->plan.batched)
	{
		try_halving(job, compute_rows, 0, job->n);
		if (!try_rows(job, write_rows, 0, job->n, &error))
			for (int i = 0; i < job->n; i++)
				try_halving(job, write_rows, i, 1);
	}
	else if (more)
		run_rowwise(job);
	if (more)
	{
		note_bad_rows(job);
		remember_last_key(job);
	}
	SPI_freeplan(job->select);
	SPI_freeplan(job->write);
	if (job->compute)
		SPI_freeplan(job->compute);
	if (job->clear)
		SPI_freeplan(job->clear);
	MemoryContextSwitchTo(old);
	return more;
}

Datum
pg_nlp_backfill(PG_FUNCTION_ARGS)
{
	Backfill   *job;
	char	   *expression;

	for (int i = 0; i < 3; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("target, column_name and expression must not be null")));
	expression = text_to_cstring(PG_GETARG_TEXT_PP(2));
	job = palloc0(sizeof(Backfill));
	job->atomic = !(fcinfo->context && IsA(fcinfo->context, CallContext) &&
					!castNode(CallContext, fcinfo->context)->atomic);
	pg_nlp_options(&backfill_verb, pg_nlp_arg_jsonb(fcinfo, 3), &job->options);

	SPI_connect_ext(job->atomic ? 0 : SPI_OPT_NONATOMIC);
	pg_nlp_backfill_plan(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)), expression, job->options.where, &job->plan);
	job->batch_context = AllocSetContextCreate(CurrentMemoryContext, "pg_nlp backfill batch", ALLOCSET_DEFAULT_SIZES);
	job->key_context = AllocSetContextCreate(CurrentMemoryContext, "pg_nlp backfill key", ALLOCSET_SMALL_SIZES);
	start_job(job);
	while (run_batch(job))
	{
		if (!job->atomic)
			SPI_commit();
		tell_progress(job, false);
		CHECK_FOR_INTERRUPTS();
	}
	tell_progress(job, true);
	SPI_finish();
	return (Datum) 0;
}
