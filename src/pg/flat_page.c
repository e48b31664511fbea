/* flat_page.c --- the pages of nlp_flat: where things lie, the metapage, new blocks.
 *
 * Trust: pages are our own, but a page may be new (a crash between extending the file and
 * the first WAL record of the page) and is told by its special area. */
#include "flat.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/lmgr.h"

#define PAGE_END (BLCKSZ - MAXALIGN(sizeof(FlatSpecial)))
#define ROW_BYTES (3 * sizeof(float) + sizeof(ItemPointerData))

StaticAssertDecl(FLAT_START >= MAXALIGN(SizeOfPageHeaderData) + 0, "tiles begin after the page header");

void
flat_layout(FlatLayout *l, int dim)
{
	int			room = PAGE_END - FLAT_START;
	int			groups = (int) nlp_scan_groups(dim);
	int			tiles = room / (int) (NLP_SCAN_ROWS * ROW_BYTES + groups * FLAT_GROUP_BYTES);
	int			at;

	*l = (FlatLayout) {.dim = dim, .groups = groups, .pages = 1, .head_groups = groups};
	l->rows = NLP_SCAN_ROWS * Max(tiles, 1);
	l->slice_groups = room / FLAT_GROUP_BYTES;
	while (tiles == 0)			/* the more pages, the more links, the fewer groups in the head */
	{
		int			links = l->pages++;

		l->head_groups = (room - NLP_SCAN_ROWS * (int) ROW_BYTES - links * (int) sizeof(BlockNumber)) / FLAT_GROUP_BYTES;
		tiles = l->head_groups + links * l->slice_groups >= groups;
	}
	l->head_groups = Min(l->head_groups, groups);
	at = FLAT_START + (l->pages > 1 ? l->head_groups : groups * (l->rows / NLP_SCAN_ROWS)) * FLAT_GROUP_BYTES;
	l->scale_at = at;
	l->error_at = l->scale_at + l->rows * sizeof(float);
	l->norm_at = l->error_at + l->rows * sizeof(float);
	l->links_at = l->norm_at + l->rows * sizeof(float);
	l->tids_at = l->links_at + (l->pages - 1) * sizeof(BlockNumber);
	l->end = l->tids_at + l->rows * sizeof(ItemPointerData);
	Assert(l->end <= PAGE_END);
}

int
flat_part_groups(const FlatLayout *l, int part, int *first)
{
	if (part == 0)
	{
		*first = 0;
		return l->head_groups;
	}
	*first = l->head_groups + (part - 1) * l->slice_groups;
	return Min(l->slice_groups, l->groups - *first);
}

static void
init_page(Page page, int kind, BlockNumber head, int part, int end)
{
	FlatSpecial *special;

	PageInit(page, BLCKSZ, sizeof(FlatSpecial));
	memset((char *) page + SizeOfPageHeaderData, 0, PAGE_END - SizeOfPageHeaderData);
	/* WAL leaves out what lies between lower and upper. */
	((PageHeader) page)->pd_lower = end;
	special = FLAT_SPECIAL(page);
	special->head = head;
	special->n_free = 0;
	special->kind = kind;
	special->part = part;
	special->page_id = FLAT_PAGE_ID;
}

void
flat_init_head(Page page, const FlatLayout *l, BlockNumber self)
{
	init_page(page, FLAT_HEAD, self, 0, l->end);
	for (int i = 0; i < l->rows; i++)
		FLAT_ERROR(page, l)[i] = -INFINITY;
	for (int i = 0; i < l->pages - 1; i++)
		FLAT_LINKS(page, l)[i] = InvalidBlockNumber;
	FLAT_SPECIAL(page)->n_free = l->rows;
}

void
flat_init_slice(Page page, const FlatLayout *l, BlockNumber head, int part)
{
	int			first;

	init_page(page, FLAT_SLICE, head, part, FLAT_START + flat_part_groups(l, part, &first) * FLAT_GROUP_BYTES);
}

void
flat_init_meta(Page page, FlatMetric metric, int dim)
{
	FlatMeta   *meta = (FlatMeta *) PageGetContents(page);

	init_page(page, FLAT_META, FLAT_METAPAGE, 0, (char *) (meta + 1) - (char *) page);
	*meta = (FlatMeta) {.magic = FLAT_MAGIC, .version = FLAT_VERSION, .metric = metric, .dim = dim};
}

/* The kind of page, 0 for one that is new or not ours. */
static int
page_kind(Page page)
{
	if (PageIsNew(page) || PageGetSpecialSize(page) != MAXALIGN(sizeof(FlatSpecial)) ||
		FLAT_SPECIAL(page)->page_id != FLAT_PAGE_ID)
		return 0;
	return FLAT_SPECIAL(page)->kind;
}

bool
flat_is_head(Page page, const FlatLayout *l)
{
	return page_kind(page) == FLAT_HEAD && ((PageHeader) page)->pd_lower == l->end;
}

void
flat_check_dim(Relation index, int want, int have)
{
	if (want != have)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %d dimensions, not %d", want, have),
				 errdetail("Index \"%s\" holds embeddings of %d dimensions.", RelationGetRelationName(index), want),
				 errhint("A column of type embedding(%d) keeps others out; REINDEX lets an index take another number.", want)));
}

static void
check_meta(Relation index, Page page, FlatMeta *meta)
{
	if (page_kind(page) != FLAT_META)
		memset(meta, 0, sizeof(*meta));
	else
		*meta = *(FlatMeta *) PageGetContents(page);
	if (meta->magic != FLAT_MAGIC || meta->version != FLAT_VERSION || meta->dim > EMBEDDING_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" is not an nlp_flat index of version %d",
						RelationGetRelationName(index), FLAT_VERSION),
				 errhint("Rebuild it with REINDEX.")));
}

void
flat_read_meta(Relation index, FlatMeta *meta)
{
	Buffer		buffer = ReadBuffer(index, FLAT_METAPAGE);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	check_meta(index, BufferGetPage(buffer), meta);
	UnlockReleaseBuffer(buffer);
}

void
flat_fix_dim(Relation index, int dim, FlatMeta *meta)
{
	flat_read_meta(index, meta);
	if (meta->dim == 0)
	{
		Buffer		buffer = ReadBuffer(index, FLAT_METAPAGE);

		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		check_meta(index, BufferGetPage(buffer), meta);
		if (meta->dim == 0)
		{
			GenericXLogState *state = GenericXLogStart(index);
			Page		page = GenericXLogRegisterBuffer(state, buffer, 0);

			((FlatMeta *) PageGetContents(page))->dim = meta->dim = dim;
			GenericXLogFinish(state);
		}
		UnlockReleaseBuffer(buffer);
	}
	flat_check_dim(index, meta->dim, dim);
}

Buffer
flat_extend(Relation index)
{
	bool		shared = !RelationUsesLocalBuffers(index);	/* workers of a build extend a new index too */
	Buffer		buffer;

	if (shared)
		LockRelationForExtension(index, ExclusiveLock);
	buffer = ReadBufferExtended(index, MAIN_FORKNUM, P_NEW, RBM_NORMAL, NULL);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (shared)
		UnlockRelationForExtension(index, ExclusiveLock);
	return buffer;
}

FlatMetric
flat_metric(Relation index)
{
	return (FlatMetric) DatumGetInt32(FunctionCall1Coll(index_getprocinfo(index, 1, 1), InvalidOid, (Datum) 0));
}

int
flat_column_dim(Relation index)
{
	int			typmod = TupleDescAttr(RelationGetDescr(index), 0)->atttypmod;

	return typmod > 0 ? typmod : 0;
}
