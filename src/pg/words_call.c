/* words_call.c --- calls that stay open over the rows of a statement.
 *
 * Where they are: fn_extra holds a place for each call; the calls' memory is below
 * fn_mcxt, the memory of the expression. When that goes, the calls go first, and a
 * callback empties their places.
 *
 * How long: fn_mcxt ends with the statement, with the transaction for PL/pgSQL's
 * expressions, and may last longer for an expression that the session caches. So whatever is
 * still open at the end of a transaction is closed then, when the lock on the model's
 * relation goes as well: no pin outlives its transaction.
 *
 * What is looked at in every row: snapshot, command, transaction, role and name are those the call
 * was begun with (so a model replaced meanwhile is met by the statement that sees
 * it), and the role may use the model (pg_nlp_call_is_current). The pin holds the image. */
#include "shared.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "words_call.h"

/* A place for a call. Lives in fn_mcxt. */
typedef struct Kept
{
	dlist_node	node;
	MemoryContext mcxt;			/* parent of the call's; NULL: nothing is open */
	MemoryContextCallback gone;
	PgNlpCall  *call;			/* NULL while it is being begun */
	uint64		rows;
} Kept;

typedef struct KeptCalls
{
	Kept		place[PG_NLP_KEPT_CALLS];
} KeptCalls;

static dlist_head open_calls = DLIST_STATIC_INIT(open_calls);

/* The call's memory is gone, and with it all that it held. */
static void
empty_place(void *arg)
{
	Kept	   *k = arg;

	dlist_delete(&k->node);
	k->mcxt = NULL;
	k->call = NULL;
}

static void
close_place(Kept *k)
{
	if (k->mcxt)
		MemoryContextDelete(k->mcxt);	/* the call's first, then empty_place */
}

static void
end_of_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
		event == XACT_EVENT_PRE_PREPARE)
		return;
	while (!dlist_is_empty(&open_calls))
		close_place(dlist_container(Kept, node, dlist_head_node(&open_calls)));
}

static KeptCalls *
places(FunctionCallInfo fcinfo)
{
	static bool registered = false;
	FmgrInfo   *flinfo = fcinfo->flinfo;

	if (flinfo->fn_extra == NULL)
	{
		if (!registered)
			RegisterXactCallback(end_of_transaction, NULL);
		registered = true;
		flinfo->fn_extra = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(KeptCalls));
	}
	return flinfo->fn_extra;
}

/* An ERROR while the call is begun leaves the place taken and without a call: the next
 * row, if there is one, or the end of the memory closes it. */
static void
open_place(Kept *k, MemoryContext parent, const char *verb, uint32 task, const text *model_name,
		   const char *language)
{
	MemoryContext old;

	close_place(k);
	k->mcxt = AllocSetContextCreate(parent, "pg_nlp kept call", ALLOCSET_SMALL_SIZES);
	k->gone = (MemoryContextCallback) {.func = empty_place, .arg = k};
	MemoryContextRegisterResetCallback(k->mcxt, &k->gone);
	dlist_push_head(&open_calls, &k->node);
	k->rows = 0;
	old = MemoryContextSwitchTo(k->mcxt);
	k->call = pg_nlp_call_begin(NULL, verb, task, model_name, language, false);
	MemoryContextSwitchTo(old);
}

PgNlpCall *
pg_nlp_kept_call(FunctionCallInfo fcinfo, PgNlpKeptCall which, const char *verb, uint32 task,
				 const text *model_name, const char *language)
{
	Kept	   *k = &places(fcinfo)->place[which];

	if (k->call && pg_nlp_call_is_current(k->call, model_name, language))
		pg_nlp_call_resume(k->call);
	else
		open_place(k, fcinfo->flinfo->fn_mcxt, verb, task, model_name, language);
	pg_nlp_call_progress(k->call, NULL, ++k->rows);
	return k->call;
}

void
pg_nlp_kept_call_rest(PgNlpCall *call)
{
	pg_nlp_call_pause(call);
}
