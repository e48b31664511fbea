/* flat_build.c --- CREATE INDEX: every process of the build scans its share of the table and
 * fills units of its own, which go to the end of the index one by one. The pages are logged
 * whole when the scan is done: until the build commits, nobody reads them. */
#include "flat.h"

#include "access/genam.h"
#include "access/parallel.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "storage/condition_variable.h"
#include "storage/smgr.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define PHASE_SCAN (PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE + 1)
#define PHASE_LOG (PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE + 2)

#define KEY_SHARED UINT64CONST(0xF1A7000000000001)
#define KEY_SCAN UINT64CONST(0xF1A7000000000002)
#define KEY_QUERY UINT64CONST(0xF1A7000000000003)

/* What leader and workers share. */
typedef struct FlatShared
{
	Oid			heap;
	Oid			index;
	bool		concurrent;
	ConditionVariable done;		/* a worker has ended */
	slock_t		mutex;			/* guards what follows */
	int			n_done;
	double		heap_tuples;
	double		index_tuples;
} FlatShared;

/* One process's part. */
typedef struct FlatBuild
{
	Relation	index;
	FlatMetric	metric;
	FlatLayout	l;				/* l.dim 0: no row yet */
	char	   *pages;			/* [l.pages] of BLCKSZ: the unit being filled */
	int			n_rows;			/* in it */
	int8_t	   *codes;
	float	   *work;
	double		index_tuples;
	MemoryContext context;		/* of the build */
	MemoryContext row;			/* reset after each row */
} FlatBuild;

char *
flat_buildphasename(int64 phase)
{
	switch (phase)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case PHASE_SCAN:
			return "coding rows";
		case PHASE_LOG:
			return "writing WAL";
		default:
			return NULL;
	}
}

/* ---- units ---- */

static void
begin_unit(FlatBuild *b)
{
	flat_init_head((Page) b->pages, &b->l, InvalidBlockNumber);
	for (int part = 1; part < b->l.pages; part++)
		flat_init_slice((Page) (b->pages + part * BLCKSZ), &b->l, InvalidBlockNumber, part);
	b->n_rows = 0;
}

/* The unit goes to the end of the index. */
static void
end_unit(FlatBuild *b)
{
	BlockNumber head = InvalidBlockNumber;
	Buffer		buffers[FLAT_CODES_BYTES * NLP_SCAN_ROWS / BLCKSZ * 2];

	if (b->l.dim == 0 || b->n_rows == 0)
		return;
	CHECK_FOR_INTERRUPTS();
	for (int part = 0; part < b->l.pages; part++)
	{
		buffers[part] = flat_extend(b->index);
		if (part == 0)
			head = BufferGetBlockNumber(buffers[0]);
		else
			FLAT_LINKS((Page) b->pages, &b->l)[part - 1] = BufferGetBlockNumber(buffers[part]);
	}
	for (int part = 0; part < b->l.pages; part++)
	{
		char	   *page = b->pages + part * BLCKSZ;

		FLAT_SPECIAL((Page) page)->head = head;
		START_CRIT_SECTION();
		memcpy(BufferGetPage(buffers[part]), page, BLCKSZ);
		MarkBufferDirty(buffers[part]);
		END_CRIT_SECTION();
		UnlockReleaseBuffer(buffers[part]);
	}
	begin_unit(b);
}

static void
begin_build(FlatBuild *b, Relation index)
{
	memset(b, 0, sizeof(*b));
	b->index = index;
	b->metric = flat_metric(index);
	b->context = CurrentMemoryContext;
	b->row = AllocSetContextCreate(CurrentMemoryContext, "nlp_flat row", ALLOCSET_DEFAULT_SIZES);
	b->codes = palloc0(FLAT_CODES_BYTES);
	b->work = palloc(EMBEDDING_MAX_DIM * sizeof(float));
}

/* The first row of this process: the index has its dimensions, or gets the row's. */
static void
learn_dim(FlatBuild *b, int dim)
{
	MemoryContext outer = MemoryContextSwitchTo(b->context);
	FlatMeta	meta;

	flat_fix_dim(b->index, dim, &meta);
	flat_layout(&b->l, dim);
	b->pages = palloc(b->l.pages * BLCKSZ);
	begin_unit(b);
	MemoryContextSwitchTo(outer);
}

static void
build_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *state)
{
	FlatBuild  *b = state;
	MemoryContext outer;
	Embedding  *e;
	FlatCode	code;

	if (isnull[0])
		return;
	outer = MemoryContextSwitchTo(b->row);
	e = DatumGetEmbedding(values[0]);
	if (b->l.dim == 0)
		learn_dim(b, e->dim);
	flat_check_dim(b->index, b->l.dim, e->dim);
	if (flat_encode(b->metric, e->x, e->dim, b->work, b->codes, &code))
	{
		for (int part = 0; part < b->l.pages; part++)
			flat_put((Page) (b->pages + part * BLCKSZ), &b->l, part, b->n_rows, b->codes, &code, tid);
		b->index_tuples++;
		if (++b->n_rows == b->l.rows)
			end_unit(b);
	}
	MemoryContextSwitchTo(outer);
	if ((void *) e != DatumGetPointer(values[0]))
		MemoryContextReset(b->row);
}

/* ---- parallel ---- */

static ParallelTableScanDesc
shared_scan(FlatShared *shared)
{
	return (ParallelTableScanDesc) ((char *) shared + BUFFERALIGN(sizeof(FlatShared)));
}

/* This process's share of the table, into the index and into the sums. */
static void
scan_share(FlatShared *shared, Relation heap, Relation index, bool progress)
{
	IndexInfo  *info = BuildIndexInfo(index);
	FlatBuild	b;
	double		tuples;

	info->ii_Concurrent = shared->concurrent;
	begin_build(&b, index);
	tuples = table_index_build_scan(heap, index, info, true, progress, build_row, &b,
									table_beginscan_parallel(heap, shared_scan(shared)));
	end_unit(&b);
	SpinLockAcquire(&shared->mutex);
	shared->n_done++;
	shared->heap_tuples += tuples;
	shared->index_tuples += b.index_tuples;
	SpinLockRelease(&shared->mutex);
	ConditionVariableSignal(&shared->done);
}

extern PGDLLEXPORT void pg_nlp_flat_build_main(dsm_segment *segment, shm_toc *toc);

void
pg_nlp_flat_build_main(dsm_segment *segment, shm_toc *toc)
{
	FlatShared *shared = shm_toc_lookup(toc, KEY_SHARED, false);
	LOCKMODE	heap_lock = shared->concurrent ? ShareUpdateExclusiveLock : ShareLock;
	LOCKMODE	index_lock = shared->concurrent ? RowExclusiveLock : AccessExclusiveLock;
	Relation	heap;
	Relation	index;

	debug_query_string = shm_toc_lookup(toc, KEY_QUERY, true);
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
	heap = table_open(shared->heap, heap_lock);
	index = index_open(shared->index, index_lock);
	scan_share(shared, heap, index, false);
	index_close(index, index_lock);
	table_close(heap, heap_lock);
}

/* The leader's state of a parallel build; NULL when no worker could be had. */
typedef struct FlatLeader
{
	ParallelContext *pcxt;
	FlatShared *shared;
	Snapshot	snapshot;
} FlatLeader;

static void
end_parallel(FlatLeader *leader)
{
	WaitForParallelWorkersToFinish(leader->pcxt);
	if (IsMVCCSnapshot(leader->snapshot))
		UnregisterSnapshot(leader->snapshot);
	DestroyParallelContext(leader->pcxt);
	ExitParallelMode();
}

static bool
begin_parallel(FlatLeader *leader, Relation heap, Relation index, bool concurrent, int n_workers)
{
	Size		scan_bytes;
	Size		query_bytes = debug_query_string ? strlen(debug_query_string) + 1 : 0;
	ParallelContext *pcxt;
	FlatShared *shared;

	EnterParallelMode();
	leader->pcxt = pcxt = CreateParallelContext("pg_nlp", "pg_nlp_flat_build_main", n_workers);
	leader->snapshot = concurrent ? RegisterSnapshot(GetTransactionSnapshot()) : SnapshotAny;
	scan_bytes = add_size(BUFFERALIGN(sizeof(FlatShared)), table_parallelscan_estimate(heap, leader->snapshot));
	shm_toc_estimate_chunk(&pcxt->estimator, scan_bytes);
	shm_toc_estimate_keys(&pcxt->estimator, 1);
	if (query_bytes > 0)
	{
		shm_toc_estimate_chunk(&pcxt->estimator, query_bytes);
		shm_toc_estimate_keys(&pcxt->estimator, 1);
	}
	InitializeParallelDSM(pcxt);
	if (pcxt->seg == NULL)
	{
		leader->pcxt->nworkers_launched = 0;
		if (IsMVCCSnapshot(leader->snapshot))
			UnregisterSnapshot(leader->snapshot);
		DestroyParallelContext(pcxt);
		ExitParallelMode();
		return false;
	}
	leader->shared = shared = shm_toc_allocate(pcxt->toc, scan_bytes);
	memset(shared, 0, sizeof(*shared));
	shared->heap = RelationGetRelid(heap);
	shared->index = RelationGetRelid(index);
	shared->concurrent = concurrent;
	ConditionVariableInit(&shared->done);
	SpinLockInit(&shared->mutex);
	table_parallelscan_initialize(heap, shared_scan(shared), leader->snapshot);
	shm_toc_insert(pcxt->toc, KEY_SHARED, shared);
	if (query_bytes > 0)
	{
		char	   *query = shm_toc_allocate(pcxt->toc, query_bytes);

		memcpy(query, debug_query_string, query_bytes);
		shm_toc_insert(pcxt->toc, KEY_QUERY, query);
	}
	LaunchParallelWorkers(pcxt);
	if (pcxt->nworkers_launched == 0)
	{
		end_parallel(leader);
		return false;
	}
	return true;
}

/* Wait for everybody's share; a worker's error comes out of the wait for its messages. */
static void
wait_for_shares(FlatLeader *leader)
{
	FlatShared *shared = leader->shared;

	WaitForParallelWorkersToAttach(leader->pcxt);
	for (;;)
	{
		bool		all;

		SpinLockAcquire(&shared->mutex);
		all = shared->n_done == leader->pcxt->nworkers_launched + 1;
		SpinLockRelease(&shared->mutex);
		if (all)
			break;
		ConditionVariableSleep(&shared->done, WAIT_EVENT_PARALLEL_CREATE_INDEX_SCAN);
	}
	ConditionVariableCancelSleep();
}

static int
workers_wanted(Relation heap, Relation index, struct IndexInfo *info)
{
#if PG_VERSION_NUM >= 170000
	return info->ii_ParallelWorkers;
#else
	/* The server plans workers for its own B-trees only. */
	return plan_create_index_workers(RelationGetRelid(heap), RelationGetRelid(index));
#endif
}

/* ---- the build ---- */

static void
write_meta(Relation index, ForkNumber fork)
{
	FlatMetric	metric = flat_metric(index);
	int			dim = flat_column_dim(index);
	Buffer		buffer = ReadBufferExtended(index, fork, P_NEW, RBM_NORMAL, NULL);

	Assert(BufferGetBlockNumber(buffer) == FLAT_METAPAGE);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	START_CRIT_SECTION();
	flat_init_meta(BufferGetPage(buffer), metric, dim);
	MarkBufferDirty(buffer);
	if (fork == INIT_FORKNUM || RelationNeedsWAL(index))
		log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
}

IndexBuildResult *
flat_build(Relation heap, Relation index, struct IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof(*result));
	FlatLeader	leader;
	int			n_workers = workers_wanted(heap, index, info);
	BlockNumber n_blocks;

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
	if (flat_column_dim(index) > EMBEDDING_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a column cannot have more than %d dimensions for an nlp_flat index", EMBEDDING_MAX_DIM)));
	write_meta(index, MAIN_FORKNUM);
	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, PHASE_SCAN);
	if (n_workers > 0 && begin_parallel(&leader, heap, index, info->ii_Concurrent, n_workers))
	{
		scan_share(leader.shared, heap, index, true);
		wait_for_shares(&leader);
		result->heap_tuples = leader.shared->heap_tuples;
		result->index_tuples = leader.shared->index_tuples;
		end_parallel(&leader);
	}
	else
	{
		FlatBuild	b;

		begin_build(&b, index);
		result->heap_tuples = table_index_build_scan(heap, index, info, true, true, build_row, &b, NULL);
		end_unit(&b);
		result->index_tuples = b.index_tuples;
	}
	n_blocks = RelationGetNumberOfBlocks(index);
	if (RelationNeedsWAL(index))
	{
		pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, PHASE_LOG);
		log_newpage_range(index, MAIN_FORKNUM, 0, n_blocks, true);
	}
	return result;
}

void
flat_buildempty(Relation index)
{
	write_meta(index, INIT_FORKNUM);
}
