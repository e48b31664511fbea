/* flat_vacuum.c --- freeing the slots of dead rows, and telling the free space map of free slots.
 *
 * Only heads are looked at. Pages never move and rows stay where they are, so one pass over the
 * blocks there were at its start sees every row that can be dead. */
#include "flat.h"

#include <math.h>

#include "access/genam.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/freespace.h"
#include "storage/indexfsm.h"

static void
delay_point(void)
{
#if PG_VERSION_NUM >= 180000
	vacuum_delay_point(false);
#else
	vacuum_delay_point();
#endif
}

/* Free the slots whose rows callback calls dead, in the locked head in buffer; one WAL record. */
static void
free_dead(Relation index, const FlatLayout *l, Buffer buffer, IndexBulkDeleteCallback callback, void *state,
		  IndexBulkDeleteResult *stats)
{
	Page		page = BufferGetPage(buffer);
	bool	   *dead = NULL;
	GenericXLogState *xlog;

	for (int i = 0; i < l->rows; i++)
	{
		ItemPointerData tid = FLAT_TIDS(page, l)[i];

		if (FLAT_IS_FREE(page, l, i) || !callback(&tid, state))
			continue;
		if (!dead)
			dead = palloc0(l->rows * sizeof(bool));
		dead[i] = true;
	}
	if (!dead)
		return;
	xlog = GenericXLogStart(index);
	page = GenericXLogRegisterBuffer(xlog, buffer, 0);
	for (int i = 0; i < l->rows; i++)
	{
		if (!dead[i])
			continue;
		FLAT_ERROR(page, l)[i] = -INFINITY;
		FLAT_SCALE(page, l)[i] = FLAT_NORM(page, l)[i] = 0;
		ItemPointerSetInvalid(&FLAT_TIDS(page, l)[i]);
		FLAT_SPECIAL(page)->n_free++;
		stats->tuples_removed++;
	}
	GenericXLogFinish(xlog);
	pfree(dead);
}

/* One pass; callback NULL: only count and note free slots. */
static void
vacuum_pass(IndexVacuumInfo *info, IndexBulkDeleteResult *stats, IndexBulkDeleteCallback callback, void *state)
{
	Relation	index = info->index;
	BlockNumber n_blocks = RelationGetNumberOfBlocks(index);
	FlatMeta	meta;
	FlatLayout	l;

	flat_read_meta(index, &meta);
	flat_layout(&l, meta.dim > 0 ? meta.dim : 1);
	stats->num_pages = n_blocks;
	stats->num_index_tuples = 0;
	stats->estimated_count = false;
	stats->pages_free = 0;
	for (BlockNumber block = FLAT_METAPAGE + 1; block < n_blocks; block++)
	{
		Buffer		buffer;
		Page		page;
		int			n_free = 0;

		delay_point();
		buffer = ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, info->strategy);
		page = BufferGetPage(buffer);
		LockBuffer(buffer, callback ? BUFFER_LOCK_EXCLUSIVE : BUFFER_LOCK_SHARE);
		if (flat_is_head(page, &l))
		{
			if (callback)
				free_dead(index, &l, buffer, callback, state, stats);
			n_free = FLAT_SPECIAL(page)->n_free;
			stats->num_index_tuples += l.rows - n_free;
			if (n_free == l.rows)
				stats->pages_free += l.pages;
		}
		else if (PageIsNew(page) && l.pages == 1)
			n_free = l.rows;
		UnlockReleaseBuffer(buffer);
		RecordPageWithFreeSpace(index, block, n_free > 0 ? FLAT_ROOM : 0);
	}
	IndexFreeSpaceMapVacuum(index);
}

IndexBulkDeleteResult *
flat_bulkdelete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats, IndexBulkDeleteCallback callback, void *state)
{
	if (!stats)
		stats = palloc0(sizeof(*stats));
	vacuum_pass(info, stats, callback, state);
	return stats;
}

IndexBulkDeleteResult *
flat_vacuumcleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	if (info->analyze_only || stats)
		return stats;
	stats = palloc0(sizeof(*stats));
	vacuum_pass(info, stats, NULL, NULL);
	return stats;
}
