/* flat_scan.c --- ORDER BY e <-> q: one pass over the index, then rows in the order of their
 * lower bounds, for as long as the executor asks.
 *
 * The pass computes a key for every row (flat_code.c) and keeps the few best. Most queries end
 * within them. When they run out the next batch, four times as large, is chosen from the keys
 * that the pass left in memory; where those would take more than work_mem, by another pass. A row
 * is known by its position, that is its block and slot; its TID is read when it is returned.
 *
 * Rows are told apart by (key, position), so a batch goes on exactly where the last one ended.
 * A key does not change while a snapshot can see its row. */
#include "flat.h"

#include <float.h>
#include <math.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "access/genam.h"
#include "access/relscan.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define FIRST_BATCH 512
#define ALIGNED_BYTES 64

#if defined(__GNUC__)
#define ask_for(p) __builtin_prefetch(p, 0, 2)	/* into the second cache: the first takes few at a time */
#else
#define ask_for(p) ((void) (p))
#endif

/* A row as one number: its key, made to sort as an unsigned number, above its position. */
typedef uint64 FlatItem;

/* The best rows above a floor. All rows of which item > floor and item <= limit are in
 * items, once everything has been added. */
typedef struct FlatBest
{
	FlatItem   *items;			/* [2 * keep]; a heap, least first, once chosen */
	int			keep;
	int			n;
	FlatItem	floor;
	FlatItem	limit;
	float		limit_key;
	bool		dropped;		/* there are rows beyond limit */
} FlatBest;

typedef struct FlatScan
{
	MemoryContext context;		/* all below */
	FlatMeta	meta;
	FlatLayout	l;
	FlatQuery	query;
	int8_t	   *planes;
	float	   *work;
	int			room_dim;		/* that planes and work were made for */
	bool		started;
	bool		is_null;		/* the query; all distances are NULL */
	bool		is_nan;			/* COSINE and a query of zeros: all are NaN */
	BlockNumber n_blocks;
	float	   *keys;			/* by position, or NULL: beyond work_mem */
	Size		keys_room;
	FlatBest	best;
	int			best_room;
	BufferAccessStrategy strategy;
} FlatScan;

/* ---- the best rows ---- */

static inline FlatItem
make_item(float key, uint32 position)
{
	uint32		bits;

	memcpy(&bits, &key, sizeof(bits));
	bits ^= (bits >> 31) ? 0xFFFFFFFFu : 0x80000000u;
	return ((uint64) bits << 32) | position;
}

static inline float
item_key(FlatItem item)
{
	uint32		bits = (uint32) (item >> 32);
	float		key;

	bits ^= (bits >> 31) ? 0x80000000u : 0xFFFFFFFFu;
	memcpy(&key, &bits, sizeof(key));
	return key;
}

static inline void
swap_items(FlatItem *a, FlatItem *b)
{
	FlatItem	t = *a;

	*a = *b;
	*b = t;
}

/* Reorder items [n] so that the k least come first. Items are distinct. */
static void
select_least(FlatItem *items, int n, int k)
{
	int			low = 0;
	int			high = n - 1;

	while (low < high)
	{
		FlatItem	a = items[low],
					b = items[low + (high - low) / 2],
					c = items[high];
		FlatItem	pivot = a < b ? (b < c ? b : Max(a, c)) : (a < c ? a : Max(b, c));
		int			i = low,
					j = high;

		while (i <= j)
		{
			while (items[i] < pivot)
				i++;
			while (items[j] > pivot)
				j--;
			if (i <= j)
				swap_items(&items[i++], &items[j--]);
		}
		if (k <= j + 1)
			high = j;
		else if (k > i)
			low = i;
		else
			return;
	}
}

static void
shrink(FlatBest *best)
{
	FlatItem	most = 0;

	select_least(best->items, best->n, best->keep);
	best->n = best->keep;
	for (int i = 0; i < best->n; i++)
		most = Max(most, best->items[i]);
	best->limit = most;
	best->limit_key = item_key(most);
	best->dropped = true;
}

static inline bool
any_within(const float *keys, float limit)
{
#if defined(__SSE2__)
	__m128		l = _mm_set1_ps(limit);
	__m128		a = _mm_or_ps(_mm_cmple_ps(_mm_loadu_ps(keys), l), _mm_cmple_ps(_mm_loadu_ps(keys + 4), l));
	__m128		b = _mm_or_ps(_mm_cmple_ps(_mm_loadu_ps(keys + 8), l), _mm_cmple_ps(_mm_loadu_ps(keys + 12), l));

	return _mm_movemask_ps(_mm_or_ps(a, b)) != 0;
#else
	int			any = 0;

	for (int i = 0; i < 16; i++)
		any |= keys[i] <= limit;
	return any != 0;
#endif
}

/* n, a multiple of 16, rows at position and after. */
static void
add_keys(FlatBest *best, const float *keys, int n, uint32 position)
{
	for (int at = 0; at < n; at += 16)
	{
		if (!any_within(keys + at, best->limit_key))
			continue;
		for (int i = at; i < at + 16; i++)
		{
			FlatItem	item;

			if (!(keys[i] <= best->limit_key))
				continue;
			item = make_item(keys[i], position + i);
			if (item <= best->floor || item > best->limit)
				continue;
			best->items[best->n++] = item;
			if (best->n == 2 * best->keep)
				shrink(best);
		}
	}
}

static void
sift_down(FlatItem *items, int n, int i)
{
	FlatItem	item = items[i];

	for (;;)
	{
		int			child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && items[child + 1] < items[child])
			child++;
		if (items[child] >= item)
			break;
		items[i] = items[child];
		i = child;
	}
	items[i] = item;
}

static FlatItem
take_least(FlatBest *best)
{
	FlatItem	item = best->items[0];

	best->items[0] = best->items[--best->n];
	if (best->n > 0)
		sift_down(best->items, best->n, 0);
	return item;
}

static inline uint32
position_of(const FlatScan *s, BlockNumber block)
{
	return (block - FLAT_METAPAGE - 1) * (uint32) s->l.rows;
}

static Buffer
read_block(Relation index, FlatScan *s, BlockNumber block)
{
	Buffer		buffer = ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, s->strategy);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	return buffer;
}

/* ---- where the blocks were last time ----
 *
 * Finding a buffer by its block, and waiting for the first bytes of a page, would take longer than
 * the arithmetic. So a backend remembers in which buffers it found the blocks (rd_amcache, copied for
 * the time of a pass): the server checks the guess while pinning, which is cheap, and the bytes of
 * a page to come are asked for while this one is worked on. Such pins do not count as use of the
 * buffer, so each pass takes the usual way for one block in USUAL_WAY. */

#define USUAL_WAY 16
#define DESCRIPTORS_AHEAD 6
#define PAGES_AHEAD 2
#define LINE 64

typedef struct FlatPlaces
{
	uint32		n_blocks;
	uint32		turn;			/* of USUAL_WAY */
	Buffer		buffers[FLEXIBLE_ARRAY_MEMBER];
} FlatPlaces;

#define PLACES_SIZE(n) (offsetof(FlatPlaces, buffers) + (Size) (n) * sizeof(Buffer))

/* A copy of what is remembered, all unknown where nothing is; NULL when it is of no use. */
static FlatPlaces *
begin_places(Relation index, const FlatScan *s)
{
	FlatPlaces *kept = index->rd_amcache;
	FlatPlaces *places;

	if (s->strategy || RelationUsesLocalBuffers(index))
		return NULL;
	places = MemoryContextAllocHuge(s->context, PLACES_SIZE(s->n_blocks));
	memset(places, 0, PLACES_SIZE(s->n_blocks));
	if (kept)
		memcpy(places, kept, PLACES_SIZE(Min(kept->n_blocks, s->n_blocks)));
	places->n_blocks = s->n_blocks;
	places->turn++;
	return places;
}

static void
end_places(Relation index, FlatPlaces *places)
{
	FlatPlaces *kept = index->rd_amcache;

	if (!places)
		return;
	if (kept && kept->n_blocks != places->n_blocks)
	{
		index->rd_amcache = NULL;
		pfree(kept);
		kept = NULL;
	}
	if (!kept)
		kept = MemoryContextAllocHuge(index->rd_indexcxt, PLACES_SIZE(places->n_blocks));
	memcpy(kept, places, PLACES_SIZE(places->n_blocks));
	index->rd_amcache = kept;
	pfree(places);
}

static inline bool
at_place(Relation index, BlockNumber block, Buffer buffer)
{
#if PG_VERSION_NUM >= 160000
	return ReadRecentBuffer(index->rd_locator, MAIN_FORKNUM, block, buffer);
#else
	return ReadRecentBuffer(index->rd_node, MAIN_FORKNUM, block, buffer);
#endif
}

/* As read_block; *next is where the block PAGES_AHEAD was, or NULL. */
static Buffer
read_placed(Relation index, FlatScan *s, FlatPlaces *places, BlockNumber block, const char **next)
{
	Buffer		buffer = places->buffers[block];

	*next = NULL;
	if (block + DESCRIPTORS_AHEAD < places->n_blocks && places->buffers[block + DESCRIPTORS_AHEAD] > 0)
		ask_for(GetBufferDescriptor(places->buffers[block + DESCRIPTORS_AHEAD] - 1));
	if (block + PAGES_AHEAD < places->n_blocks && places->buffers[block + PAGES_AHEAD] > 0)
		*next = BufferGetPage(places->buffers[block + PAGES_AHEAD]);
	if (buffer <= 0 || (block + places->turn) % USUAL_WAY == 0 || !at_place(index, block, buffer))
	{
		buffer = ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, NULL);
		places->buffers[block] = buffer;
	}
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	return buffer;
}

/* ---- the pass ---- */

/* Keys of a unit of one page; keys [rows] are all free slots' when the page is no head. */
static void
keys_of_page(Relation index, FlatScan *s, FlatPlaces *places, BlockNumber block, float *keys)
{
	const char *next = NULL;
	Buffer		buffer = places ? read_placed(index, s, places, block, &next) : read_block(index, s, block);
	Page		page = BufferGetPage(buffer);
	float		sums[(BLCKSZ / FLAT_GROUP_BYTES + 1) * NLP_SCAN_ROWS];
	int			n_tiles = s->l.rows / NLP_SCAN_ROWS;
	int			share = (s->l.end / n_tiles + LINE) / LINE * LINE;

	if (flat_is_head(page, &s->l))
	{
		for (int i = 0; i < n_tiles; i++)
		{
			for (int at = i * share; next && at < (i + 1) * share; at += LINE)
				ask_for(next + at);
			nlp_scan_tiles(&s->query.q, FLAT_TILES(page) + i * s->l.groups * FLAT_GROUP_BYTES, 1,
						   sums + i * NLP_SCAN_ROWS);
		}
		flat_keys(&s->query, sums, FLAT_SCALE(page, &s->l), FLAT_ERROR(page, &s->l), FLAT_NORM(page, &s->l),
				  s->l.rows, keys);
	}
	else
		for (int i = 0; i < s->l.rows; i++)
			keys[i] = INFINITY;
	UnlockReleaseBuffer(buffer);
}

static Buffer
read_part(Relation index, FlatScan *s, FlatPlaces *places, BlockNumber block, const char **next)
{
	*next = NULL;
	/* A unit that was begun as the scan started may have pages behind its end. */
	return places && block < places->n_blocks ? read_placed(index, s, places, block, next) : read_block(index, s, block);
}

/* Add a slice up, asking for next on the way. */
static void
add_slice(const FlatScan *s, const char *slice, int first, int n, const char *next, int32_t *high, int32_t *low)
{
	const int	step = 16;

	for (int at = 0; at < n; at += step)
	{
		for (int i = at; next && i < at + step; i++)
			ask_for(next + i * LINE);
		nlp_scan_slice(&s->query.q, slice + at * FLAT_GROUP_BYTES, first + at, Min(step, n - at), high, low);
	}
}

/* Keys of the unit whose head is block, if it is one; returns how many of the blocks that
 * follow belong to it. */
static int
keys_of_unit(Relation index, FlatScan *s, FlatPlaces *places, BlockNumber block, float *keys)
{
	const FlatLayout *l = &s->l;
	BlockNumber links[FLAT_CODES_BYTES * NLP_SCAN_ROWS / BLCKSZ * 2];
	float		beside[3][NLP_SCAN_ROWS];
	float		sums[NLP_SCAN_ROWS];
	int32_t		high[NLP_SCAN_ROWS] = {0};
	int32_t		low[NLP_SCAN_ROWS] = {0};
	const char *next;
	Buffer		buffer = read_part(index, s, places, block, &next);
	Page		page = BufferGetPage(buffer);
	bool		is_head = flat_is_head(page, l);
	int			follow = 0;

	if (is_head)
	{
		add_slice(s, FLAT_TILES(page), 0, l->head_groups, next, high, low);
		memcpy(beside[0], FLAT_SCALE(page, l), sizeof(beside[0]));
		memcpy(beside[1], FLAT_ERROR(page, l), sizeof(beside[1]));
		memcpy(beside[2], FLAT_NORM(page, l), sizeof(beside[2]));
		memcpy(links, FLAT_LINKS(page, l), (l->pages - 1) * sizeof(BlockNumber));
	}
	UnlockReleaseBuffer(buffer);
	for (int i = 0; !is_head && i < l->rows; i++)
		keys[i] = INFINITY;
	if (!is_head)
		return 0;
	for (int part = 1; part < l->pages; part++)
	{
		int			first;
		int			n = flat_part_groups(l, part, &first);

		buffer = read_part(index, s, places, links[part - 1], &next);
		page = BufferGetPage(buffer);
		add_slice(s, FLAT_TILES(page), first, n, next, high, low);
		UnlockReleaseBuffer(buffer);
		if (links[part - 1] == block + follow + 1)
			follow++;
	}
	for (int i = 0; i < NLP_SCAN_ROWS; i++)
		sums[i] = (float) (128 * (double) high[i] + low[i]);
	flat_keys(&s->query, sums, beside[0], beside[1], beside[2], NLP_SCAN_ROWS, keys);
	return follow;
}

static void
pass(Relation index, FlatScan *s)
{
	float		scratch[BLCKSZ / FLAT_GROUP_BYTES * NLP_SCAN_ROWS];
	int			rows = s->l.rows;
	FlatPlaces *places = begin_places(index, s);

	for (BlockNumber block = FLAT_METAPAGE + 1; block < s->n_blocks; block++)
	{
		uint32		position = position_of(s, block);
		float	   *keys = s->keys ? s->keys + position : scratch;
		int			follow = 0;

		CHECK_FOR_INTERRUPTS();
		if (s->l.pages == 1)
			keys_of_page(index, s, places, block, keys);
		else
			follow = keys_of_unit(index, s, places, block, keys);
		add_keys(&s->best, keys, rows, position);
		for (; follow > 0 && block + 1 < s->n_blocks; follow--)
		{
			block++;
			if (s->keys)
				for (int i = 0; i < rows; i++)
					s->keys[position_of(s, block) + i] = INFINITY;
		}
	}
	end_places(index, places);
}

/* ---- batches ---- */

/* Choose the next batch: by a pass when first, else from what the first one left. */
static void
next_batch(Relation index, FlatScan *s, bool first)
{
	FlatBest   *best = &s->best;
	Size		n = (Size) (s->n_blocks - FLAT_METAPAGE - 1) * s->l.rows;

	if (best->keep > s->best_room)
	{
		if (best->items)
			pfree(best->items);
		best->items = MemoryContextAllocHuge(s->context, 2 * (Size) best->keep * sizeof(FlatItem));
		s->best_room = best->keep;
	}
	best->n = 0;
	best->limit = UINT64_MAX;
	best->limit_key = FLT_MAX;
	best->dropped = false;
	if (first || !s->keys)
		pass(index, s);
	else
	{
		const Size	step = 1 << 16;

		for (Size at = 0; at < n; at += step)
		{
			CHECK_FOR_INTERRUPTS();
			add_keys(best, s->keys + at, (int) Min(step, n - at), (uint32) at);
		}
	}
	for (int i = best->n / 2; i-- > 0;)
		sift_down(best->items, best->n, i);
}

/* The rows' TID, or false when VACUUM has freed the slot. */
static bool
tid_at(Relation index, FlatScan *s, uint32 position, ItemPointer tid)
{
	BlockNumber block = FLAT_METAPAGE + 1 + position / s->l.rows;
	int			slot = position % s->l.rows;
	Buffer		buffer = read_block(index, s, block);
	Page		page = BufferGetPage(buffer);
	bool		there = flat_is_head(page, &s->l) && !FLAT_IS_FREE(page, &s->l, slot);

	if (there)
		*tid = FLAT_TIDS(page, &s->l)[slot];
	UnlockReleaseBuffer(buffer);
	return there;
}

/* ---- the access method's functions ---- */

IndexScanDesc
flat_beginscan(Relation index, int n_keys, int n_orderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, n_keys, n_orderbys);
	FlatScan   *s = palloc0(sizeof(*s));

	s->context = AllocSetContextCreate(CurrentMemoryContext, "nlp_flat scan", ALLOCSET_DEFAULT_SIZES);
	scan->opaque = s;
	if (n_orderbys > 0)
	{
		scan->xs_orderbyvals = palloc0(n_orderbys * sizeof(Datum));
		scan->xs_orderbynulls = palloc(n_orderbys * sizeof(bool));
		memset(scan->xs_orderbynulls, true, n_orderbys * sizeof(bool));
	}
	return scan;
}

void
flat_rescan(IndexScanDesc scan, ScanKey keys, int n_keys, ScanKey orderbys, int n_orderbys)
{
	FlatScan   *s = scan->opaque;

	s->started = false;
	if (keys && scan->numberOfKeys > 0)
		memmove(scan->keyData, keys, scan->numberOfKeys * sizeof(ScanKeyData));
	if (orderbys && scan->numberOfOrderBys > 0)
		memmove(scan->orderByData, orderbys, scan->numberOfOrderBys * sizeof(ScanKeyData));
}

static bool
all_zero(const Embedding *e)
{
	for (int i = 0; i < e->dim; i++)
		if (e->x[i] != 0)
			return false;
	return true;
}

/* Make the query of the scan key, in memory that later scans use again. */
static void
take_query(IndexScanDesc scan, FlatScan *s)
{
	ScanKey		key = &scan->orderByData[0];
	Embedding  *e = NULL;
	int			dim = s->meta.dim;
	float	   *zeros;

	s->is_null = (key->sk_flags & SK_ISNULL) != 0;
	s->is_nan = false;
	if (s->room_dim != dim)
	{
		if (s->planes)
			pfree(s->planes);
		if (s->work)
			pfree(s->work);
		s->planes = MemoryContextAllocHuge(s->context, nlp_scan_query_bytes(dim) + ALIGNED_BYTES);
		s->work = MemoryContextAlloc(s->context, dim * sizeof(float));
		s->room_dim = dim;
	}
	if (!s->is_null)
	{
		e = DatumGetEmbedding(key->sk_argument);
		flat_check_dim(scan->indexRelation, dim, e->dim);
		s->is_nan = s->meta.metric == FLAT_COSINE && all_zero(e);
	}
	zeros = s->is_null ? palloc0(dim * sizeof(float)) : NULL;
	flat_query(&s->query, s->meta.metric, e ? e->x : zeros, dim,
			   (int8_t *) TYPEALIGN(ALIGNED_BYTES, s->planes), s->work);
	if (zeros)
		pfree(zeros);
	else if ((void *) e != DatumGetPointer(key->sk_argument))
		pfree(e);
}

/* Memory for the keys of all rows, if work_mem has room. */
static void
room_for_keys(FlatScan *s)
{
	Size		bytes = (Size) (s->n_blocks - FLAT_METAPAGE - 1) * s->l.rows * sizeof(float);

	if (bytes > (Size) work_mem * 1024)
	{
		if (s->keys)
			pfree(s->keys);
		s->keys = NULL;
		s->keys_room = 0;
	}
	else if (bytes > s->keys_room)
	{
		if (s->keys)
			pfree(s->keys);
		s->keys = NULL;
		s->keys = MemoryContextAllocHuge(s->context, bytes);
		s->keys_room = bytes;
	}
}

/* False: there are no rows. */
static bool
start(IndexScanDesc scan, FlatScan *s)
{
	Relation	index = scan->indexRelation;

	if (scan->numberOfOrderBys == 0)
		elog(ERROR, "cannot scan an nlp_flat index without ORDER BY");
	if (!IsMVCCSnapshot(scan->xs_snapshot))
		elog(ERROR, "an nlp_flat index can be scanned with an MVCC snapshot only");
	pgstat_count_index_scan(index);
#if PG_VERSION_NUM >= 180000
	if (scan->instrument)
		scan->instrument->nsearches++;
#endif
	s->started = true;
	s->best.n = 0;
	s->best.dropped = false;
	flat_read_meta(index, &s->meta);
	if (s->meta.dim == 0)
		return false;
	flat_layout(&s->l, s->meta.dim);
	s->n_blocks = RelationGetNumberOfBlocks(index);
	if ((uint64) s->n_blocks * s->l.rows > PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("index \"%s\" has more than %u rows", RelationGetRelationName(index), PG_UINT32_MAX)));
	/* An index that does not fit the buffers is read through a ring, not to empty them. */
	if (s->n_blocks > (BlockNumber) NBuffers && !s->strategy)
		s->strategy = GetAccessStrategy(BAS_BULKREAD);
	take_query(scan, s);
	room_for_keys(s);
	s->best.keep = FIRST_BATCH;
	s->best.floor = 0;
	next_batch(index, s, true);
	return true;
}

static void
set_bound(IndexScanDesc scan, const FlatScan *s, float key)
{
	Oid			types[INDEX_MAX_KEYS];
	IndexOrderByDistance bounds[INDEX_MAX_KEYS];

	/* More ORDER BY operators on the column than one: nothing is known of the others. */
	for (int i = 0; i < scan->numberOfOrderBys; i++)
	{
		types[i] = FLOAT8OID;
		bounds[i].value = i > 0 ? -get_float8_infinity() : s->is_nan ? get_float8_nan() : flat_bound(&s->query, key);
		bounds[i].isnull = i == 0 && s->is_null;
	}
	index_store_float8_orderby_distances(scan, types, bounds, true);
}

bool
flat_gettuple(IndexScanDesc scan, ScanDirection direction)
{
	FlatScan   *s = scan->opaque;
	FlatBest   *best = &s->best;
	MemoryContext outer;

	Assert(ScanDirectionIsForward(direction));
	if (!s->started)
	{
		outer = MemoryContextSwitchTo(s->context);
		start(scan, s);
		MemoryContextSwitchTo(outer);
	}
	for (;;)
	{
		FlatItem	item;

		if (best->n == 0)
		{
			int			most = Max((int) ((Size) work_mem * 1024 / (2 * sizeof(FlatItem))), FIRST_BATCH);

			if (!best->dropped)
				return false;
			best->floor = best->limit;
			best->keep = Min(best->keep, most / 4) * 4;
			next_batch(scan->indexRelation, s, false);
			continue;
		}
		item = take_least(best);
		if (!tid_at(scan->indexRelation, s, (uint32) item, &scan->xs_heaptid))
			continue;
		set_bound(scan, s, item_key(item));
		scan->xs_recheck = false;
		scan->xs_recheckorderby = true;
		return true;
	}
}

void
flat_endscan(IndexScanDesc scan)
{
	FlatScan   *s = scan->opaque;

	if (s->strategy)
		FreeAccessStrategy(s->strategy);
	MemoryContextDelete(s->context);
	pfree(s);
	scan->opaque = NULL;
}
