/* memory.c --- the engine's memory: an NlpAlloc over a memory context, charged to
 * the server-wide budget pg_nlp.compute_memory.
 *
 * A refused allocation is NULL, never a jump. The budget is one shared counter; a
 * PgNlpMemory takes of it in steps of 1 MB, so that the counter is touched rarely,
 * or all at once (pg_nlp_memory_reserve). What this backend holds is also summed
 * here, so that leaving the server gives it back whatever happened. */
#include "shared.h"

#include "utils/memutils.h"

#define STEP ((Size) 1024 * 1024)
#define ALIGN 64

/* In front of every block given out. */
typedef struct BlockHead
{
	void	   *raw;			/* what palloc gave */
	Size		bytes;			/* what was asked for */
} BlockHead;

static uint64 held_bytes;		/* of the budget, by this backend */
static bool refused;			/* an allocation was, for want of budget; until asked */

static bool
budget_take(Size bytes)
{
	PgNlpShared *shared = pg_nlp_shared();
	uint64		limit = pg_nlp_compute_limit();
	uint64		old = pg_atomic_read_u64(&shared->budget_used);

	do
	{
		if (bytes > limit || old > limit - bytes)
			return false;
	} while (!pg_atomic_compare_exchange_u64(&shared->budget_used, &old, old + bytes));
	held_bytes += bytes;
	return true;
}

static void
budget_give(Size bytes)
{
	if (pg_nlp_exiting || bytes == 0)
		return;
	pg_atomic_fetch_sub_u64(&pg_nlp_shared()->budget_used, bytes);
	held_bytes -= bytes;
}

/* Have at least bytes beyond what is in use, taking whole steps. */
static bool
make_room(PgNlpMemory *m, Size bytes, Size step)
{
	Size		need;
	Size		more;

	if (!m->charged || m->reserved - m->used >= bytes)
		return true;
	if (!nlp_add_size(m->used, bytes, &need) || !nlp_pad_size(need - m->reserved, step, &more) ||
		!budget_take(more))
	{
		refused = true;
		return false;
	}
	m->reserved += more;
	return true;
}

static void *
context_alloc(void *ctx, size_t bytes)
{
	PgNlpMemory *m = ctx;
	Size		total;
	char	   *raw;
	BlockHead  *head;

	if (!nlp_add_size(bytes, sizeof(BlockHead) + ALIGN, &total) || total > MaxAllocHugeSize ||
		!make_room(m, total, STEP))
		return NULL;
	raw = MemoryContextAllocExtended(m->mcxt, total, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (raw == NULL)
		return NULL;
	m->used += total;
	head = (BlockHead *) TYPEALIGN(ALIGN, raw + sizeof(BlockHead)) - 1;
	head->raw = raw;
	head->bytes = total;
	return head + 1;
}

static void
context_free(void *ctx, void *ptr)
{
	PgNlpMemory *m = ctx;
	BlockHead  *head = (BlockHead *) ptr - 1;

	if (ptr == NULL)
		return;
	m->used -= head->bytes;
	pfree(head->raw);
}

/* Blocks come from mcxt and die with it at the latest; m must live as long. */
void
pg_nlp_memory_init(PgNlpMemory *m, MemoryContext mcxt, bool charged)
{
	*m = (PgNlpMemory) {
		.alloc = {context_alloc, context_free, m},
		.mcxt = mcxt,
		.charged = charged
	};
}

bool
pg_nlp_memory_reserve(PgNlpMemory *m, Size bytes)
{
	return make_room(m, bytes, 1);
}

void
pg_nlp_memory_release(PgNlpMemory *m)
{
	budget_give(m->reserved);
	m->reserved = 0;
	m->charged = false;
}

/* Whether the budget was the reason for an engine's NLP_ENOMEM. */
bool
pg_nlp_budget_refused(void)
{
	bool		was = refused;

	refused = false;
	return was;
}

void
pg_nlp_memory_at_exit(void)
{
	budget_give(held_bytes);
}

/* Within ereport: what the budget is, and what to do. */
int
pg_nlp_budget_detail(void)
{
	errdetail("The server's calls hold " UINT64_FORMAT " of " UINT64_FORMAT " bytes.",
			  pg_atomic_read_u64(&pg_nlp_shared()->budget_used), pg_nlp_compute_limit());
	return errhint("Raise \"pg_nlp.compute_memory\", ask for fewer rows or tokens at once, or wait for other calls to end.");
}

void
pg_nlp_budget_error(Size bytes, const char *what)
{
	(void) pg_nlp_budget_refused();
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of compute memory for %s (%zu bytes)", what, bytes),
			 pg_nlp_budget_detail()));
	pg_unreachable();
}
