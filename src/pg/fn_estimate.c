/* fn_estimate.c --- nlp.estimate: how long would this query take? A sample of its rows
 * is really computed, within a time limit, and the rest is arithmetic.
 *
 * Everything runs in a read-only subtransaction that is always rolled back. The rows
 * of the whole are counted with the remaining time (a count does not evaluate the
 * select list); when that does not suffice they are the planner's guess. */
#include "postgres.h"

#include "access/xact.h"
#include "executor/execdesc.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/portal.h"
#include "utils/timestamp.h"

#include "fn_common.h"

PG_FUNCTION_INFO_V1(pg_nlp_estimate);

static const PgNlpVerb estimate_verb = {
	"nlp.estimate", 0, OPT_SAMPLE_ROWS | OPT_SAMPLE_SECONDS, 0, NULL
};

typedef struct Estimate
{
	PgNlpOptions options;
	int64		rows_total;
	bool		exact;			/* rows_total was counted */
	int64		rows_sampled;
	double		seconds_sampled;
	double		seconds_first;	/* until the first row: starting up included */
} Estimate;

static double
seconds_since(TimestampTz begin)
{
	return (double) (GetCurrentTimestamp() - begin) / USECS_PER_SEC;
}

static _Noreturn void
not_a_select(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("the query of nlp.estimate must be a single SELECT that writes nothing")));
}

/* One SELECT (or VALUES, WITH ...) and nothing else; what comes after it (a semicolon,
 * which would end the subquery of run_count) is cut off. */
static void
check_query(char *query)
{
	ErrorContextCallback context = {error_context_stack, pg_nlp_inner_position, query};
	List	   *list;
	RawStmt    *raw;

	error_context_stack = &context;
	list = raw_parser(query, RAW_PARSE_DEFAULT);
	error_context_stack = context.previous;
	if (list_length(list) != 1 || !IsA(linitial_node(RawStmt, list)->stmt, SelectStmt) ||
		castNode(SelectStmt, linitial_node(RawStmt, list)->stmt)->intoClause != NULL)
		not_a_select();
	raw = linitial_node(RawStmt, list);
	if (raw->stmt_len > 0)
		query[Max(raw->stmt_location, 0) + raw->stmt_len] = '\0';
}

static Portal
open_query(const char *query, SPIPlanPtr *plan)
{
	Portal		portal;

	*plan = SPI_prepare(query, 0, NULL);
	if (*plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	if (!SPI_is_cursor_plan(*plan))
		not_a_select();
	/* Writing is refused by the transaction being read-only, which says so better. */
	portal = SPI_cursor_open(NULL, *plan, NULL, NULL, false);
	/* A WITH that writes would run to its end at the first fetch. */
	if (portal->strategy != PORTAL_ONE_SELECT)
		not_a_select();
	return portal;
}

/* Compute rows until there are enough, the time is up or the query ends. */
static void
run_sample(const char *query, Estimate *e)
{
	SPIPlanPtr	plan;
	TimestampTz begin = GetCurrentTimestamp();
	Portal		portal = open_query(query, &plan);
	bool		ended = false;

	e->rows_total = (int64) portal->queryDesc->plannedstmt->planTree->plan_rows;
	while (e->rows_sampled < e->options.sample_rows && seconds_since(begin) < e->options.sample_seconds)
	{
		SPI_cursor_fetch(portal, true, 1);
		if (SPI_processed == 0)
		{
			ended = true;
			break;
		}
		SPI_freetuptable(SPI_tuptable);
		e->rows_sampled++;
		e->seconds_sampled = seconds_since(begin);
		if (e->rows_sampled == 1)
			e->seconds_first = e->seconds_sampled;
		CHECK_FOR_INTERRUPTS();
	}
	if (ended)
	{
		e->rows_total = e->rows_sampled;
		e->exact = true;
	}
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
}

/* Count the rows without their columns while there is time. */
static void
run_count(const char *query, Estimate *e)
{
	SPIPlanPtr	plan;
	TimestampTz begin = GetCurrentTimestamp();
	Portal		portal = open_query(psprintf("SELECT FROM (%s\n) q", query), &plan);
	int64		rows = 0;

	while (seconds_since(begin) < e->options.sample_seconds)
	{
		SPI_cursor_move(portal, true, rows == 0 ? 1 : 1000);
		if (SPI_processed == 0)
		{
			e->rows_total = rows;
			e->exact = true;
			break;
		}
		rows += SPI_processed;
		CHECK_FOR_INTERRUPTS();
	}
	/* The planner's guess, unless more have been seen already. */
	e->rows_total = Max(e->rows_total, rows);
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
}

static void
put_estimate(FunctionCallInfo fcinfo, const Estimate *e)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[6];
	bool		nulls[6] = {false};
	double		per_row;

	/* Starting up (loading the model, the plan's own beginnings) happens once. */
	if (e->rows_sampled > 1)
		per_row = (e->seconds_sampled - e->seconds_first) / (double) (e->rows_sampled - 1);
	else
		per_row = e->seconds_sampled;
	values[0] = Int64GetDatum(e->rows_total);
	values[1] = BoolGetDatum(e->exact);
	values[2] = Int64GetDatum(e->rows_sampled);
	values[3] = Float8GetDatum(e->seconds_sampled);
	values[4] = Float8GetDatum(per_row > 0 ? 1 / per_row : 0);
	nulls[4] = per_row <= 0;
	values[5] = Float8GetDatum(e->rows_sampled == 0 ? e->seconds_sampled :
							   e->seconds_first + per_row * (double) Max(e->rows_total - 1, 0));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
pg_nlp_estimate(PG_FUNCTION_ARGS)
{
	Estimate	e = {0};
	ErrorData  *volatile error = NULL;
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *query;

	InitMaterializedSRF(fcinfo, 0);
	pg_nlp_options(&estimate_verb, pg_nlp_arg_jsonb(fcinfo, 1), &e.options);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	check_query(query);

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	PG_TRY();
	{
		XactReadOnly = true;
		SPI_connect();
		run_sample(query, &e);
		if (!e.exact)
			run_count(query, &e);
		SPI_finish();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;
	if (error)
		ReThrowError(error);
	put_estimate(fcinfo, &e);
	PG_RETURN_NULL();
}
