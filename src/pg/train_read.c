/* train_read.c --- the rows of a training query, once, by a cursor.
 *
 * Trust:  the query is the caller's, and runs with the caller's rights. It must be one
 *         SELECT; the transaction is read-only while it runs, so that functions it
 *         calls cannot write either.
 * Order:  serial, and sequential scans start at the beginning of their tables: the same
 *         rows come in the same order again, which a resumed run needs.
 * Rows:   go from the executor to the procedure as they are, without a copy. */
#include "train.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

#include "fn_common.h"

#define FETCH_ROWS 500
#define SHOW_ROWS 64			/* looks at the clock after so many */

typedef struct Receiver
{
	DestReceiver pub;
	PgNlpTrainJob *job;
	MemoryContext row_context;
	bool		(*row) (void *ctx, TupleTableSlot *slot);
	void	   *ctx;
} Receiver;

static void
not_a_select(const PgNlpTrainJob *job)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("the query of %s must be a single SELECT that writes nothing", job->procedure)));
}

/* One SELECT (or VALUES, WITH ...) and nothing else. */
static void
check_query(const PgNlpTrainJob *job)
{
	ErrorContextCallback context = {error_context_stack, pg_nlp_inner_position, job->query};
	List	   *list;

	error_context_stack = &context;
	list = raw_parser(job->query, RAW_PARSE_DEFAULT);
	error_context_stack = context.previous;
	if (list_length(list) != 1 || !IsA(linitial_node(RawStmt, list)->stmt, SelectStmt) ||
		castNode(SelectStmt, linitial_node(RawStmt, list)->stmt)->intoClause != NULL)
		not_a_select(job);
}

static Portal
open_query(const PgNlpTrainJob *job)
{
	SPIPlanPtr	plan = SPI_prepare(job->query, 0, NULL);
	Portal		portal;

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	if (!SPI_is_cursor_plan(plan))
		not_a_select(job);
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	/* A WITH that writes would run to its end at the first fetch. */
	if (portal->strategy != PORTAL_ONE_SELECT)
		not_a_select(job);
	return portal;
}

/* ---- the receiver ---- */

static void
receive_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
receive_shutdown(DestReceiver *self)
{
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Receiver   *r = (Receiver *) self;
	PgNlpTrainJob *job = r->job;
	MemoryContext old = MemoryContextSwitchTo(r->row_context);

	if (r->row(r->ctx, slot))
		job->run.rows++;
	MemoryContextSwitchTo(old);
	MemoryContextReset(r->row_context);
	if (job->run.rows % SHOW_ROWS == 0)
		pg_nlp_train_reading(job);
	return true;
}

void
pg_nlp_train_read(PgNlpTrainJob *job, void (*describe) (void *ctx, TupleDesc desc),
				  bool (*row) (void *ctx, TupleTableSlot *slot), void *ctx)
{
	bool		was_read_only = XactReadOnly;
	int			guc_level = NewGUCNestLevel();
	MemoryContext old = CurrentMemoryContext;
	Receiver	receiver = {
		.pub = {receive_row, receive_startup, receive_shutdown, receive_shutdown, DestNone},
		.job = job,
		.row_context = AllocSetContextCreate(job->mcxt, "pg_nlp training row", ALLOCSET_DEFAULT_SIZES),
		.row = row,
		.ctx = ctx
	};
	Portal		portal;

	check_query(job);
	EnsurePortalSnapshotExists();
	(void) set_config_option("synchronize_seqscans", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	XactReadOnly = true;		/* an error ends the (sub)transaction, and this with it */
	portal = open_query(job);
	describe(ctx, portal->tupDesc);
	while (PortalRunFetch(portal, FETCH_FORWARD, FETCH_ROWS, &receiver.pub) == FETCH_ROWS)
		CHECK_FOR_INTERRUPTS();
	SPI_cursor_close(portal);
	XactReadOnly = was_read_only;
	AtEOXact_GUC(true, guc_level);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(receiver.row_context);
}
