/* shared.h --- what the files of the store share with each other and not with the
 * verbs: the control block in shared memory, the resident cache's interface, the
 * rows of nlp.model, byte sources, memory under the budget.
 *
 * The control block is one fixed struct with three arrays behind it. Preloaded, it
 * is sized by the server's settings; loaded later, it must fit the server's slack,
 * so it is the small form (under 16 kB).
 *
 * Locks: PgNlpShared.lock is the only one. Each field says who guards it. Nothing
 * is called under it that can raise, wait or look at a catalog. */
#ifndef PG_NLP_SHARED_H
#define PG_NLP_SHARED_H

#include "pg_nlp.h"

#include "access/relation.h"
#include "common/cryptohash.h"
#include "lib/ilist.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/dsm.h"
#include "storage/lwlock.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"

#define PG_NLP_SHA256_BYTES 32
#define PG_NLP_NAME_BYTES 128	/* a model's name, with its NUL */
#define PG_NLP_VERB_BYTES 32

/* Copy a string into a fixed array, cut to fit; false when it was cut. (strlcpy is the
 * server's in some versions and the C library's in others.) */
static inline bool
pg_nlp_copy(char *dst, const char *src, size_t size)
{
	size_t		len = strlen(src);
	size_t		n = len < size ? len : size - 1;

	memcpy(dst, src, n);
	dst[n] = '\0';
	return n == len;
}

/* Which image: content and place. Both, so that an id never names another's bytes. A shipped
 * model is in no place: database and relation are InvalidOid. */
typedef struct PgNlpKey
{
	Oid			database;
	Oid			relation;
	uint8		sha256[PG_NLP_SHA256_BYTES];
} PgNlpKey;

typedef enum PgNlpSlotState
{
	PG_NLP_SLOT_FREE = 0,
	PG_NLP_SLOT_LOADING,		/* one backend builds the image; others wait on changed */
	PG_NLP_SLOT_READY,
	PG_NLP_SLOT_EVICTING		/* one backend returns the memory; not to be found by key */
} PgNlpSlotState;

/* One resident image. All but the atomics is guarded by lock; pins may be raised
 * under a shared lock and is looked at for eviction under an exclusive one. */
typedef struct PgNlpSlot
{
	PgNlpKey	key;
	uint32		state;			/* PgNlpSlotState */
	uint32		generation;		/* changes when the slot gets another image */
	int			pid;			/* who loads or evicts */
	bool		in_slab;
	dsm_handle	first;			/* pieces: the segment with the directory */
	uint64		offset;			/* slab: start of the range */
	uint64		bytes;			/* memory taken; 0 until the loader knows */
	uint64		image_bytes;
	TimestampTz loaded;
	pg_atomic_uint32 pins;		/* backends inside a call that reads this image */
	pg_atomic_uint64 last_used; /* clock of PgNlpShared */
	pg_atomic_uint64 loaded_bytes;	/* loading: file bytes read so far */
} PgNlpSlot;

/* One call in progress. Written by its own backend under an exclusive lock, except
 * the atomics, which it updates alone. */
typedef struct PgNlpActivity
{
	int			pid;			/* 0: free */
	int			procno;			/* whose latch to set when granted a place */
	Oid			role;
	Oid			database;
	uint64		ticket;			/* waiting for a place: order of arrival; 0: not waiting */
	bool		granted;		/* a leaving call handed its place over */
	TimestampTz since;
	char		verb[PG_NLP_VERB_BYTES];
	char		model[64];
	pg_atomic_uint32 phase;		/* PgNlpPhase */
	pg_atomic_uint64 tokens;
	pg_atomic_uint64 rows;
} PgNlpActivity;

typedef enum PgNlpPhase
{
	PG_NLP_PHASE_STARTING = 0,
	PG_NLP_PHASE_LOADING,
	PG_NLP_PHASE_WAITING,
	PG_NLP_PHASE_RUNNING,
	PG_NLP_PHASE_PAUSED
} PgNlpPhase;

/* Figures of one model since the start or the reset; guarded by lock. A shipped model has
 * those of all databases together: database InvalidOid, and its number. */
typedef struct PgNlpCounters
{
	Oid			database;
	Oid			relation;		/* InvalidOid: free */
	uint64		last_used;
	uint64		calls;
	uint64		rows;
	uint64		passes;
	uint64		prompt_tokens;
	uint64		tokens;
	uint64		loads;
	uint64		time_us;
} PgNlpCounters;

/* One training in progress, for nlp.training_progress; all of it guarded by lock. */
typedef struct PgNlpTraining
{
	int			pid;			/* 0: free */
	Oid			role;
	Oid			database;
	uint32		phase;			/* PgNlpTrainPhase (train.h) */
	char		model[PG_NLP_NAME_BYTES];
	char		method[PG_NLP_VERB_BYTES];
	TimestampTz started;
	uint64		rows;			/* read from the query */
	uint64		words;			/* read from the query */
	uint32		epoch;			/* from 1; 0: not yet training */
	uint32		epochs;
	uint64		tokens_done;
	uint64		tokens_total;
	double		rate;			/* tokens a second */
	double		loss;			/* 0: not yet known */
	double		alpha;
	double		seconds_left;	/* negative: not yet known */
} PgNlpTraining;

typedef struct PgNlpShared
{
	LWLock		lock;
	int			tranche;
	int			n_slots;
	int			n_activity;
	int			n_counters;
	int			n_training;
	ConditionVariable changed;	/* a slot left LOADING or EVICTING */
	pg_atomic_uint64 clock;		/* ticks at every use */
	pg_atomic_uint64 budget_used;	/* bytes of pg_nlp.compute_memory reserved */
	uint64		resident_bytes; /* sum of slots' bytes; guarded by lock */
	uint64		next_ticket;	/* guarded by lock */
	int			active;			/* places taken under max_active; guarded by lock */
	uint64		slab_bytes;		/* 0: no slab. Set at start. */
	char	   *slab;			/* same address in every process; read-only but for loaders' ranges */
	uint64		slab_page;		/* of the mapping; ranges are multiples of it */
	TimestampTz stats_reset;	/* guarded by lock */
} PgNlpShared;

/* pg_nlp.c: attaches (and without preload, creates) the block. Raises when the
 * server has no room for it. Also registers this backend's exit callback. */
extern PgNlpShared *pg_nlp_shared(void);
extern PgNlpSlot *pg_nlp_slots(PgNlpShared *shared);
extern PgNlpActivity *pg_nlp_activity_rows(PgNlpShared *shared);
extern PgNlpCounters *pg_nlp_counters(PgNlpShared *shared);
extern PgNlpTraining *pg_nlp_training_rows(PgNlpShared *shared);
extern bool pg_nlp_exiting;		/* before_shmem_exit has run: nothing shared may be touched */
extern uint64 pg_nlp_resident_limit(void);	/* bytes, from pg_nlp.shared_memory */
extern uint64 pg_nlp_compute_limit(void);	/* bytes, from pg_nlp.compute_memory */

/* ---- memory.c ---- */
typedef struct PgNlpMemory
{
	NlpAlloc	alloc;
	MemoryContext mcxt;
	bool		charged;		/* to the server-wide budget */
	Size		used;
	Size		reserved;		/* of the budget; used <= reserved when charged */
} PgNlpMemory;

extern void pg_nlp_memory_init(PgNlpMemory *m, MemoryContext mcxt, bool charged);
extern bool pg_nlp_memory_reserve(PgNlpMemory *m, Size bytes);	/* beyond what is in use */
extern void pg_nlp_memory_release(PgNlpMemory *m);	/* gives the reservation back; may be repeated */
extern void pg_nlp_memory_at_exit(void);
extern bool pg_nlp_budget_refused(void);	/* since it was last asked */
extern int	pg_nlp_budget_detail(void);
extern _Noreturn void pg_nlp_budget_error(Size bytes, const char *what);

/* ---- interrupt.c ---- */
extern bool pg_nlp_pending(void *ctx);
extern bool pg_nlp_cancelled(void *ctx);
extern void pg_nlp_keep_error(void);	/* in a PG_CATCH */
extern void pg_nlp_rethrow_cancel(void);	/* returns when nothing was caught */
extern void pg_nlp_pool_hold(int delta);	/* calls whose env names the pool */
extern void pg_nlp_pool_at_exit(void);
/* env with m's allocator, the cancel hooks and no pool. */
extern void pg_nlp_env_init(NlpEnv *env, PgNlpMemory *m);

/* ---- source.c ---- */
typedef struct PgNlpSource
{
	NlpSource	source;
	void		(*close) (struct PgNlpSource *s);
	/* the stored model's relation */
	Relation	rel;
	struct TableScanDescData *scan;
	struct TupleTableSlot *slot;
	Snapshot	snapshot;
	int32		next_seq;		/* of the chunk the scan gives next */
	uint64		chunk_start,
				chunk_end;		/* file range of the chunk in hand */
	const char *chunk;
	/* seekable: where each chunk begins, so that a read far away starts near it */
	struct PgNlpChunkPlace *places;
	Size		n_places,
				cap_places;
	/* every byte goes through the hash once, in order */
	pg_cryptohash_ctx *hash;
	uint64		hashed;
	/* a server file */
	int			fd;
	char	   *path;
	/* memory */
	const char *bytes;
} PgNlpSource;

/* size: of the whole file, from nlp.model; UINT64_MAX: count it. The relation stays
 * open, locked, until close. hash: the bytes are to be hashed. */
extern void pg_nlp_check_data(Relation rel);
extern void pg_nlp_source_relation(PgNlpSource *s, Relation rel, uint64 size, bool hash);
/* The same for reads in any order: counts the size and remembers where chunks are. */
extern void pg_nlp_source_seekable(PgNlpSource *s, Relation rel);
extern void pg_nlp_source_file(PgNlpSource *s, const char *path);
extern void pg_nlp_source_bytes(PgNlpSource *s, const char *bytes, Size len);
extern void pg_nlp_source_close(PgNlpSource *s);
/* Read what has not been read and give the hash of the whole file (relation sources). */
extern NlpStatus pg_nlp_source_sha256(PgNlpSource *s, const NlpEnv *env, uint8 *sha256, NlpError *err);

/* ---- store.c ---- */
typedef struct PgNlpModelRow
{
	char		name[PG_NLP_NAME_BYTES];
	Oid			relation;		/* InvalidOid: shipped with the extension */
	uint32		tasks;			/* NLP_TASK_* */
	uint64		bytes;
	uint8		sha256[PG_NLP_SHA256_BYTES];
} PgNlpModelRow;

/* What load.c knows of a model it registers. */
typedef struct PgNlpNewModel
{
	const char *name;
	Oid			relation;
	uint32		tasks;
	const char *architecture;
	uint64		parameters;
	uint64		bytes;
	uint8		sha256[PG_NLP_SHA256_BYTES];
	const char *source;			/* where it came from, or NULL */
	Jsonb	   *card;			/* or NULL */
} PgNlpNewModel;

extern Oid	pg_nlp_catalog(const char *relname);	/* nlp.<relname>; raises when missing */
extern Oid	pg_nlp_data_namespace(void);
extern Snapshot pg_nlp_statement_snapshot(void);
/* The tuple of a table of ours whose first column, index's only one, is name; copied, or NULL. */
extern HeapTuple pg_nlp_named_tuple(Relation rel, const char *index, const char *name, Snapshot snapshot);
extern bool pg_nlp_store_find(const char *name, Snapshot snapshot, PgNlpModelRow *row);
/* Raise: the row's relation is gone. Says whether trying again helps. */
extern _Noreturn void pg_nlp_model_gone(const PgNlpModelRow *row);
/* Hold the row's relation to the end of the transaction, as a query does with a table.
 * When it has gone since the snapshot was taken, the newest row takes its place,
 * unless the transaction has to keep its snapshot. */
extern void pg_nlp_lock_model(PgNlpModelRow *row);
/* Models that can do task and that the effective role may use: names, sorted, palloc'ed. */
extern List *pg_nlp_store_candidates(uint32 task, Snapshot snapshot);
/* Wait for other writers of this name, then say whether its newest version exists.
 * Raises when it does and replace is false or the caller does not own it. */
extern bool pg_nlp_store_lock_name(const char *name, bool replace, PgNlpModelRow *old);
extern void pg_nlp_store_put(const PgNlpNewModel *model, bool replace);
extern void pg_nlp_check_name(const char *name);
extern bool pg_nlp_is_name(const char *name);
extern bool pg_nlp_relation_owner(Oid relation, Oid role);
/* One relation for a model's or an upload's bytes, owned by the effective role. */
extern Oid	pg_nlp_create_relation(const char *name);
extern void pg_nlp_drop_relation(Oid relation); /* at COMMIT, or once nobody holds it */
extern void pg_nlp_want_purge(void);
extern void pg_nlp_store_init(void);
extern uint32 pg_nlp_tasks_from_array(Datum array);
extern Datum pg_nlp_tasks_to_array(uint32 tasks);
extern const char *pg_nlp_task_name(uint32 task);
extern uint32 pg_nlp_task_by_name(const char *name);	/* 0: none */
extern void pg_nlp_hex(const uint8 *bytes, int n, char *out);	/* 2n + 1 characters */
extern bool pg_nlp_from_hex(const char *hex, uint8 *bytes, int n);

/* ---- shipped.c: models that come with the extension ---- */
static inline bool
pg_nlp_is_shipped(const PgNlpModelRow *row)
{
	return !OidIsValid(row->relation);
}

extern bool pg_nlp_shipped_find(const char *name, PgNlpModelRow *row);
/* A user's model of this name, else a shipped one. */
extern bool pg_nlp_find_model(const char *name, Snapshot snapshot, PgNlpModelRow *row);
/* Those whose name no user's model has taken: names, palloc'ed. */
extern List *pg_nlp_shipped_candidates(uint32 task, Snapshot snapshot);
/* The file, compared with its hash; errors name it. */
extern void pg_nlp_shipped_source(PgNlpSource *s, const PgNlpModelRow *row);
extern void pg_nlp_shipped_export(FunctionCallInfo fcinfo, const PgNlpModelRow *row);
/* Stands for a shipped model where others have a relation; and back, NULL: not known. */
extern uint32 pg_nlp_shipped_number(const PgNlpModelRow *row);
extern const char *pg_nlp_shipped_name(uint32 number);

/* ---- resident.c ---- */
typedef struct PgNlpHandle
{
	dlist_node	node;
	PgNlpKey	key;
	bool		private_image;	/* of a model this transaction made: backend memory */
	bool		doomed;			/* free at the last release */
	int			slot;
	uint32		generation;
	int			pins;			/* calls of this backend; > 0 is one pin of the slot */
	char	   *map;			/* pieces: our own contiguous mapping */
	Size		map_bytes;
	const NlpImage *image;
	MemoryContext mcxt;			/* model's memory; for a private image also the image */
	PgNlpMemory memory;
	NlpModel   *model;
} PgNlpHandle;

/* The row's image, resident and pinned, with an open model. Loads it if need be.
 * loading, when not NULL, is called when this backend has to load or to wait. */
extern PgNlpHandle *pg_nlp_acquire(const PgNlpModelRow *row, void (*loading) (void *ctx), void *ctx);
extern void pg_nlp_release(PgNlpHandle *handle);
extern void pg_nlp_resident_at_exit(void);
extern void pg_nlp_forget_relation(Oid relation);	/* at commit: drop its image */
/* false: pinned, or not there. */
extern bool pg_nlp_evict_model(const PgNlpModelRow *row);
extern void pg_nlp_evict_orphans(void);
extern void pg_nlp_resident_init(void);

/* ---- slab.c: ranges of the slab. Called under the lock, exclusively ---- */
extern bool pg_nlp_slab_find(PgNlpShared *shared, uint64 bytes, uint64 *offset);
/* In the postmaster, once there is a slab: learn its page size, make it read-only for
 * every process to come. */
extern void pg_nlp_slab_init(PgNlpShared *shared);
/* Let this process, which loads, write a range; and no longer. */
extern void pg_nlp_slab_writable(PgNlpShared *shared, uint64 offset, uint64 bytes);
extern void pg_nlp_slab_readonly(PgNlpShared *shared, uint64 offset, uint64 bytes);

/* ---- pieces.c: pinned DSM segments seen as one block ---- */
typedef struct PgNlpPieces
{
	int			n;
	dsm_segment **segs;
	char	   *map;			/* contiguous; the image starts at map + PG_NLP_PIECE_HEAD */
	Size		map_bytes;
} PgNlpPieces;
#define PG_NLP_PIECE_BYTES ((Size) 64 * 1024 * 1024)
#define PG_NLP_PIECE_HEAD ((Size) 4096) /* directory of the segments, in front of the image */

extern Size pg_nlp_pieces_bytes(Size image_bytes);	/* with head and rounding */
extern void pg_nlp_pieces_create(PgNlpPieces *p, Size image_bytes);
extern void pg_nlp_pieces_abort(PgNlpPieces *p);	/* not published: everything back */
extern dsm_handle pg_nlp_pieces_publish(PgNlpPieces *p);	/* pins, detaches; the map stays, read-only */
extern bool pg_nlp_pieces_attach(dsm_handle first, char **map, Size *map_bytes);
extern void pg_nlp_pieces_unmap(char *map, Size map_bytes);
extern void pg_nlp_pieces_free(dsm_handle first);	/* return the pages, unpin */

/* ---- stats.c ---- */
extern PgNlpActivity *pg_nlp_activity_begin(const char *verb);	/* NULL: no row free */
extern void pg_nlp_activity_model(PgNlpActivity *row, const char *model);
extern void pg_nlp_activity_end(PgNlpActivity *row);
extern void pg_nlp_phase(PgNlpActivity *row, PgNlpPhase phase);
extern void pg_nlp_gate_enter(PgNlpActivity *row);	/* waits, cancellably */
extern void pg_nlp_gate_leave(void);
extern void pg_nlp_count_call(const PgNlpModelRow *row, const NlpDecoderStats *stats, uint64 rows, uint64 time_us);
extern void pg_nlp_count_load(const PgNlpModelRow *row);
extern bool pg_nlp_sees_role(Oid role);	/* what a role does: its members, and pg_read_all_stats */
extern void pg_nlp_stats_at_exit(void);

/* ---- call.c ---- */
extern void pg_nlp_calls_at_exit(void);

/* ---- train.c ---- */
extern void pg_nlp_train_at_exit(void);

#endif
