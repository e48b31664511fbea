/* slab.c --- ranges of the slab reserved at the server's start.
 *
 * There is no list of free ranges: the slots that hold a range are the list. With a
 * few dozen images a scan costs less than an image's first cache line. Ranges start
 * on pages, so that two images never share one: a loader makes its own pages writable,
 * everybody else's mapping is read-only. */
#include "shared.h"

#include <stdio.h>
#include <sys/mman.h>

#include "miscadmin.h"

#define SMALL_PAGE ((uint64) 4096)

static int
by_offset(const void *a, const void *b)
{
	const PgNlpSlot *x = *(PgNlpSlot *const *) a;
	const PgNlpSlot *y = *(PgNlpSlot *const *) b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The smallest gap that takes bytes (a multiple of slab_page). */
bool
pg_nlp_slab_find(PgNlpShared *shared, uint64 bytes, uint64 *offset)
{
	PgNlpSlot  *slots = pg_nlp_slots(shared);
	PgNlpSlot  *used[256];
	int			n = 0;
	uint64		start = 0;
	uint64		best = UINT64_MAX;

	for (int i = 0; i < shared->n_slots && n < (int) lengthof(used); i++)
	{
		if (slots[i].state != PG_NLP_SLOT_FREE && slots[i].in_slab && slots[i].bytes > 0)
			used[n++] = &slots[i];
	}
	qsort(used, n, sizeof(used[0]), by_offset);
	for (int i = 0; i <= n; i++)
	{
		uint64		end = i < n ? used[i]->offset : shared->slab_bytes;
		uint64		gap = end > start ? end - start : 0;

		if (gap >= bytes && gap < best)
		{
			best = gap;
			*offset = start;
		}
		if (i < n)
			start = used[i]->offset + used[i]->bytes;
	}
	return best != UINT64_MAX;
}

/* The page size of the mapping that holds the slab, as the kernel reports it. */
static long
mapped_page_kb(const void *address)
{
	FILE	   *f = fopen("/proc/self/smaps", "r");
	char		line[512];
	bool		inside = false;
	long		kb = 0;

	if (f == NULL)
		return 0;
	while (kb == 0 && fgets(line, sizeof(line), f))
	{
		unsigned long from,
					to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long) address >= from && (unsigned long) address < to;
		else if (inside)
			(void) sscanf(line, "KernelPageSize: %ld kB", &kb);
	}
	fclose(f);
	return kb;
}

void
pg_nlp_slab_init(PgNlpShared *shared)
{
	long		kb = mapped_page_kb(shared->slab);

	shared->slab_page = kb > 0 ? (uint64) kb * 1024 : SMALL_PAGE;
	shared->slab_bytes = shared->slab_bytes / shared->slab_page * shared->slab_page;
	if (mprotect(shared->slab, shared->slab_bytes, PROT_READ) != 0)
		ereport(LOG, (errmsg("could not make the memory for models read-only: %m")));
}

void
pg_nlp_slab_writable(PgNlpShared *shared, uint64 offset, uint64 bytes)
{
	if (mprotect(shared->slab + offset, bytes, PROT_READ | PROT_WRITE) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("could not make memory for a model writable: %m")));
}

void
pg_nlp_slab_readonly(PgNlpShared *shared, uint64 offset, uint64 bytes)
{
	(void) mprotect(shared->slab + offset, bytes, PROT_READ);
}
