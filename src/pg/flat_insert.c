/* flat_insert.c --- one row into the index.
 *
 * A backend goes on filling the unit it filled last (the relation's target block). Without one,
 * it asks the free space map, then tries the last unit of the index if nobody holds it, then adds
 * a unit of its own: several inserters soon have a unit each and do not wait for one another. */
#include "flat.h"

#include <math.h>

#include "access/genam.h"
#include "miscadmin.h"
#include "storage/freespace.h"
#include "storage/smgr.h"
#include "utils/memutils.h"

typedef struct FlatRow
{
	int8_t	   *codes;
	FlatCode	code;
	ItemPointer tid;
} FlatRow;

/* Write the row's groups into the slices of a unit whose head is locked. */
static void
put_slices(Relation index, const FlatLayout *l, const BlockNumber *links, BlockNumber head, int slot, const FlatRow *row)
{
	for (int part = 1; part < l->pages; part += MAX_GENERIC_XLOG_PAGES)
	{
		int			n = Min(MAX_GENERIC_XLOG_PAGES, l->pages - part);
		Buffer		buffers[MAX_GENERIC_XLOG_PAGES];
		GenericXLogState *state = GenericXLogStart(index);

		for (int i = 0; i < n; i++)
		{
			Page		page;

			buffers[i] = ReadBuffer(index, links[part + i - 1]);
			LockBuffer(buffers[i], BUFFER_LOCK_EXCLUSIVE);
			page = GenericXLogRegisterBuffer(state, buffers[i], 0);
			if (PageIsNew(page) || FLAT_SPECIAL(page)->head != head)
				ereport(ERROR,
						(errcode(ERRCODE_INDEX_CORRUPTED),
						 errmsg("block %u of index \"%s\" does not belong to block %u",
								links[part + i - 1], RelationGetRelationName(index), head)));
			flat_put(page, l, part + i, slot, row->codes, NULL, NULL);
		}
		GenericXLogFinish(state);
		for (int i = 0; i < n; i++)
			UnlockReleaseBuffer(buffers[i]);
	}
}

/* Put the row into a free slot of the head in buffer, which is exclusively locked. */
static void
put_row(Relation index, const FlatLayout *l, Buffer buffer, const FlatRow *row)
{
	Page		page = BufferGetPage(buffer);
	GenericXLogState *state;
	int			slot = 0;

	while (!FLAT_IS_FREE(page, l, slot))
		slot++;
	if (l->pages > 1)
		put_slices(index, l, FLAT_LINKS(page, l), BufferGetBlockNumber(buffer), slot, row);
	state = GenericXLogStart(index);
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	flat_put(page, l, 0, slot, row->codes, &row->code, row->tid);
	GenericXLogFinish(state);
}

static bool
has_room(Page page, const FlatLayout *l)
{
	if (!flat_is_head(page, l) || FLAT_SPECIAL(page)->n_free == 0)
		return false;
	for (int i = 0; i < l->rows; i++)
		if (FLAT_IS_FREE(page, l, i))
			return true;
	return false;
}

/* Try the unit that block belongs to. wait false: only if its lock is free. */
static bool
try_block(Relation index, const FlatLayout *l, BlockNumber block, bool wait, const FlatRow *row)
{
	Buffer		buffer = ReadBuffer(index, block);
	Page		page = BufferGetPage(buffer);
	bool		done = false;

	if (wait)
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	else if (!ConditionalLockBuffer(buffer))
	{
		ReleaseBuffer(buffer);
		return false;
	}
	if (PageIsNew(page) && l->pages == 1)
	{
		GenericXLogState *state = GenericXLogStart(index);

		flat_init_head(GenericXLogRegisterBuffer(state, buffer, GENERIC_XLOG_FULL_IMAGE), l, block);
		GenericXLogFinish(state);
	}
	if (has_room(page, l))
	{
		put_row(index, l, buffer, row);
		RelationSetTargetBlock(index, block);
		done = true;
	}
	UnlockReleaseBuffer(buffer);
	return done;
}

/* The head of the index's last unit, or InvalidBlockNumber. */
static BlockNumber
last_head(Relation index, const FlatLayout *l, BlockNumber n_blocks)
{
	BlockNumber block = n_blocks - 1;
	Buffer		buffer;
	Page		page;

	if (n_blocks <= FLAT_METAPAGE + 1 || l->pages == 1)
		return n_blocks <= FLAT_METAPAGE + 1 ? InvalidBlockNumber : block;
	buffer = ReadBuffer(index, block);
	page = BufferGetPage(buffer);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	block = PageIsNew(page) ? InvalidBlockNumber : FLAT_SPECIAL(page)->head;
	UnlockReleaseBuffer(buffer);
	return block != InvalidBlockNumber && block < n_blocks && block != FLAT_METAPAGE ? block : InvalidBlockNumber;
}

/* Add a unit with the row in its first slot. Pages of a unit that was being added when
 * the server died stay unused until REINDEX. */
static void
add_unit(Relation index, const FlatLayout *l, const FlatRow *row)
{
	Buffer		head = flat_extend(index);
	BlockNumber block = BufferGetBlockNumber(head);
	BlockNumber *links = palloc(l->pages * sizeof(BlockNumber));
	GenericXLogState *state;
	Page		page;

	for (int part = 1; part < l->pages; part++)
	{
		Buffer		slice = flat_extend(index);

		state = GenericXLogStart(index);
		page = GenericXLogRegisterBuffer(state, slice, GENERIC_XLOG_FULL_IMAGE);
		flat_init_slice(page, l, block, part);
		flat_put(page, l, part, 0, row->codes, NULL, NULL);
		GenericXLogFinish(state);
		links[part - 1] = BufferGetBlockNumber(slice);
		UnlockReleaseBuffer(slice);
	}
	state = GenericXLogStart(index);
	page = GenericXLogRegisterBuffer(state, head, GENERIC_XLOG_FULL_IMAGE);
	flat_init_head(page, l, block);
	memcpy(FLAT_LINKS(page, l), links, (l->pages - 1) * sizeof(BlockNumber));
	flat_put(page, l, 0, 0, row->codes, &row->code, row->tid);
	GenericXLogFinish(state);
	UnlockReleaseBuffer(head);
	RelationSetTargetBlock(index, block);
	pfree(links);
}

static void
place_row(Relation index, const FlatLayout *l, const FlatRow *row)
{
	BlockNumber block = RelationGetTargetBlock(index);
	BlockNumber n_blocks = RelationGetNumberOfBlocks(index);
	BlockNumber last;

	if (block != InvalidBlockNumber)
	{
		if (block < n_blocks && try_block(index, l, block, true, row))
			return;
		RelationSetTargetBlock(index, InvalidBlockNumber);
	}
	/* What the map says is a hint: blocks past the end, slots that others took. */
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		block = GetPageWithFreeSpace(index, FLAT_ROOM);
		if (block == InvalidBlockNumber)
			break;
		if (block != FLAT_METAPAGE && block < n_blocks && try_block(index, l, block, true, row))
			return;
		RecordPageWithFreeSpace(index, block, 0);
	}
	last = last_head(index, l, n_blocks);
	if (last != InvalidBlockNumber && try_block(index, l, last, false, row))
		return;
	add_unit(index, l, row);
}

bool
flat_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid, Relation heap,
			IndexUniqueCheck unique, bool unchanged, struct IndexInfo *info)
{
	MemoryContext context;
	MemoryContext outer;
	Embedding  *e;
	FlatMeta	meta;
	FlatLayout	layout;
	FlatRow		row = {.tid = tid};

	if (isnull[0])
		return false;
	context = AllocSetContextCreate(CurrentMemoryContext, "nlp_flat insert", ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(context);
	e = DatumGetEmbedding(values[0]);
	flat_fix_dim(index, e->dim, &meta);
	row.codes = palloc(4 * nlp_scan_groups(e->dim));
	if (flat_encode(meta.metric, e->x, e->dim, palloc(e->dim * sizeof(float)), row.codes, &row.code))
	{
		flat_layout(&layout, e->dim);
		place_row(index, &layout, &row);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(context);
	return false;
}
