/* flat.h --- nlp_flat: an index of int8 codes that is read whole.
 *
 *   flat_handler.c  the handler, opclass checks, costs      flat_page.c    what a page looks like
 *   flat_code.c     rows and queries to codes, lower bounds  flat_build.c   CREATE INDEX, serial and parallel
 *   flat_insert.c   one row                                  flat_scan.c    ORDER BY e <-> q
 *   flat_vacuum.c   dead rows
 *
 * Idea. A row is 1 byte a dimension, 16 rows a tile, as kernel/scan.h lays them out. A scan
 * reads every page once and computes for every row a lower bound of its distance from the
 * query; rows go to the executor in the order of their bounds, and the executor computes the
 * distances themselves (xs_recheckorderby). So answers are exact, and any number of rows can
 * be asked for: a WHERE clause loses none.
 *
 * Pages. Block 0 is the metapage. The rest are units of one head page and, where 16 rows do
 * not fit a page, the pages that the head lists, each with a slice of the groups of dimensions.
 *
 *   head   | page header | from 64: tiles, or the first groups of the one tile | scale [rows]
 *          | error [rows] | norm [rows] | heap TIDs [rows] | pages of the unit | special |
 *   slice  | page header | from 64: the next groups of the tile                | special |
 *
 * A slot is free when its error is -infinity: its bound is then +infinity, which no scan takes.
 *
 * Locks. A unit is changed under the exclusive lock of its head; slices are locked after their
 * head. A slot is filled by writing slices first and the head last, one generic WAL record of
 * up to four pages each: until the head says so, the slot is free. Readers take the head shared,
 * copy what they need, and read slices after letting go of it.
 *
 * A slot freed by VACUUM and filled again between a scan's pass and its return of the row gives
 * a row that the scan's snapshot cannot see: the heap row that was there is dead to everybody, and
 * what came after was inserted after the snapshot. So no pin is held; snapshots that are not MVCC
 * are refused. */
#ifndef PG_NLP_FLAT_H
#define PG_NLP_FLAT_H

#include "postgres.h"
#include "access/amapi.h"
#include "access/generic_xlog.h"
#include "nodes/execnodes.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "kernel/scan.h"
#include "embedding.h"

/* ---- pages (flat_page.c) ---- */

typedef enum FlatMetric
{
	FLAT_L2 = 1,				/* <->, Euclidean distance */
	FLAT_IP,					/* <#>, negative inner product */
	FLAT_COSINE					/* <=>, cosine distance; rows of zeros are not indexed */
} FlatMetric;

#define FLAT_METAPAGE 0
#define FLAT_MAGIC 0x4e4c5046
#define FLAT_VERSION 1
#define FLAT_PAGE_ID 0xF1A7
#define FLAT_START 64			/* where tiles begin in a page: a cache line's multiple */
#define FLAT_GROUP_BYTES (4 * NLP_SCAN_ROWS)
#define FLAT_CODES_BYTES (4 * ((EMBEDDING_MAX_DIM + 3) / 4))

typedef struct FlatMeta
{
	uint32		magic;
	uint16		version;
	uint16		metric;			/* FlatMetric */
	uint32		dim;			/* 0: no row yet, and the column's type has no dimensions */
} FlatMeta;

#define FLAT_HEAD 1
#define FLAT_SLICE 2
#define FLAT_META 3

typedef struct FlatSpecial
{
	BlockNumber head;			/* of the unit; a head names itself */
	uint16		n_free;			/* free slots, in a head */
	uint16		kind;			/* FLAT_HEAD, FLAT_SLICE or FLAT_META */
	uint16		part;			/* 0 for a head, else which slice */
	uint16		page_id;		/* FLAT_PAGE_ID */
} FlatSpecial;

#define FLAT_SPECIAL(page) ((FlatSpecial *) PageGetSpecialPointer(page))

/* Where things lie for a number of dimensions. */
typedef struct FlatLayout
{
	int			dim;
	int			groups;			/* of 4 dimensions */
	int			rows;			/* slots a unit: a multiple of 16 */
	int			pages;			/* a unit: 1, or more and then rows is 16 */
	int			head_groups;	/* of the tile that lie in the head */
	int			slice_groups;	/* in each other page, the last one maybe less */
	uint16		scale_at;
	uint16		error_at;
	uint16		norm_at;
	uint16		tids_at;
	uint16		links_at;		/* BlockNumber [pages - 1] */
	uint16		end;
} FlatLayout;

#define FLAT_TILES(page) ((char *) (page) + FLAT_START)
#define FLAT_SCALE(page, l) ((float *) ((char *) (page) + (l)->scale_at))
#define FLAT_ERROR(page, l) ((float *) ((char *) (page) + (l)->error_at))
#define FLAT_NORM(page, l) ((float *) ((char *) (page) + (l)->norm_at))
#define FLAT_TIDS(page, l) ((ItemPointerData *) ((char *) (page) + (l)->tids_at))
#define FLAT_LINKS(page, l) ((BlockNumber *) ((char *) (page) + (l)->links_at))
#define FLAT_IS_FREE(page, l, slot) (FLAT_ERROR(page, l)[slot] == -INFINITY)

extern void flat_layout(FlatLayout *l, int dim);
/* Groups of the tile in page part (0: the head), and the first of them. */
extern int	flat_part_groups(const FlatLayout *l, int part, int *first);
extern void flat_init_head(Page page, const FlatLayout *l, BlockNumber self);
extern void flat_init_slice(Page page, const FlatLayout *l, BlockNumber head, int part);
extern void flat_init_meta(Page page, FlatMetric metric, int dim);
/* True when page is a head of this layout; a new page is not. */
extern bool flat_is_head(Page page, const FlatLayout *l);
/* Read and check the metapage; ERROR when it is not ours. */
extern void flat_read_meta(Relation index, FlatMeta *meta);
/* Make the index one of dim dimensions if it has none yet; ERROR when it has others. */
extern void flat_fix_dim(Relation index, int dim, FlatMeta *meta);
extern void flat_check_dim(Relation index, int want, int have);
/* A new block at the end of the index, exclusively locked. */
extern Buffer flat_extend(Relation index);
/* The metric of the index's opclass, and the dimensions of its column or 0. */
extern FlatMetric flat_metric(Relation index);
extern int	flat_column_dim(Relation index);

/* ---- codes (flat_code.c) ---- */

/* What is kept beside a row's codes. error is |x - scale * codes| rounded up, +infinity for a
 * row whose bound is the least there is (its squares may overflow), -infinity for a free slot;
 * norm is |scale * codes| squared for L2 and COSINE, |scale * codes| rounded up for IP. */
typedef struct FlatCode
{
	float		scale;
	float		error;
	float		norm;
} FlatCode;

/* Code x [dim] into codes [4 * groups]; work [dim] is scratch. False: not to be indexed. */
extern bool flat_encode(FlatMetric metric, const float *x, int dim, float *work, int8_t *codes, FlatCode *code);
/* Put a coded row into a page of its unit; code and tid only where the page is the head. */
extern void flat_put(Page page, const FlatLayout *l, int part, int slot, const int8_t *codes,
					 const FlatCode *code, ItemPointer tid);

/* A query, ready to be compared. A row's key rises with the lower bound of its distance. */
typedef struct FlatQuery
{
	FlatMetric	metric;
	NlpScanQuery q;
	bool		loose;			/* no bound can be given: every row may be nearest */
	float		a,
				b,
				s;				/* key = sqrt(a + b * norm - s * scale * sum) - error; IP: a * -error - b * norm - s * scale * sum */
	double		relative;		/* how far the operator's own rounding may reach */
	double		absolute;
} FlatQuery;

/* planes: nlp_scan_query_bytes(dim), 64-aligned; work [dim] scratch. */
extern void flat_query(FlatQuery *q, FlatMetric metric, const float *x, int dim, int8_t *planes, float *work);
/* keys [n], n a multiple of 16, none NaN; +infinity for free slots. */
extern void flat_keys(const FlatQuery *q, const float *sums, const float *scale, const float *error,
					  const float *norm, int n, float *keys);
/* The lower bound, as the operator would give it, that a key stands for. */
extern double flat_bound(const FlatQuery *q, float key);

/* ---- the access method's functions ---- */
extern IndexBuildResult *flat_build(Relation heap, Relation index, struct IndexInfo *info);
extern void flat_buildempty(Relation index);
extern char *flat_buildphasename(int64 phase);
extern bool flat_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid, Relation heap,
						IndexUniqueCheck unique, bool unchanged, struct IndexInfo *info);
extern IndexBulkDeleteResult *flat_bulkdelete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
											  IndexBulkDeleteCallback callback, void *state);
extern IndexBulkDeleteResult *flat_vacuumcleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats);
extern IndexScanDesc flat_beginscan(Relation index, int n_keys, int n_orderbys);
extern void flat_rescan(IndexScanDesc scan, ScanKey keys, int n_keys, ScanKey orderbys, int n_orderbys);
extern bool flat_gettuple(IndexScanDesc scan, ScanDirection direction);
extern void flat_endscan(IndexScanDesc scan);

/* In the free space map a head with a free slot, or a new page, has this much room. */
#define FLAT_ROOM (BLCKSZ / 2)

#endif
