/* resident.c --- which images are in shared memory, who uses them, who goes first.
 *
 * One backend builds an image; others that want it wait on a condition variable and
 * take over when the builder fails. A call pins the image it reads; an image without
 * pins may be evicted, the least recently used first. What a backend keeps between
 * calls is a handle (mapping, step program, coder), checked against the slot's
 * generation before it is used again.
 *
 * A model that the current transaction made is nobody else's business yet: its image
 * lives in this backend's memory, charged to the compute budget, until the
 * transaction ends.
 *
 * Undo: PG_CATCH for errors, the exit callback for FATAL; loading_slot and
 * evicting_slot say what is to be undone. A killed backend restarts the server. */
#include "shared.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

static dlist_head handles = DLIST_STATIC_INIT(handles);
static MemoryContext models_mcxt;
static int	loading_slot = -1;
static int	evicting_slot = -1;
static List *dropped;			/* relations this transaction dropped; TopTransactionContext */

static bool
same_key(const PgNlpKey *a, const PgNlpKey *b)
{
	return a->relation == b->relation && a->database == b->database &&
		memcmp(a->sha256, b->sha256, PG_NLP_SHA256_BYTES) == 0;
}

static void
row_key(const PgNlpModelRow *row, PgNlpKey *key)
{
	key->database = pg_nlp_is_shipped(row) ? InvalidOid : MyDatabaseId;
	key->relation = row->relation;
	memcpy(key->sha256, row->sha256, PG_NLP_SHA256_BYTES);
}

/* ---- slots; all of these under the lock ---- */

static int
find_slot(PgNlpShared *shared, const PgNlpKey *key)
{
	PgNlpSlot  *slots = pg_nlp_slots(shared);

	for (int i = 0; i < shared->n_slots; i++)
	{
		if ((slots[i].state == PG_NLP_SLOT_READY || slots[i].state == PG_NLP_SLOT_LOADING) &&
			same_key(&slots[i].key, key))
			return i;
	}
	return -1;
}

static int
free_slot(PgNlpShared *shared)
{
	for (int i = 0; i < shared->n_slots; i++)
	{
		if (pg_nlp_slots(shared)[i].state == PG_NLP_SLOT_FREE)
			return i;
	}
	return -1;
}

/* The image nobody reads that was used longest ago, or -1. */
static int
victim_slot(PgNlpShared *shared)
{
	PgNlpSlot  *slots = pg_nlp_slots(shared);
	int			best = -1;

	for (int i = 0; i < shared->n_slots; i++)
	{
		if (slots[i].state != PG_NLP_SLOT_READY || pg_atomic_read_u32(&slots[i].pins) != 0)
			continue;
		if (best < 0 || pg_atomic_read_u64(&slots[i].last_used) < pg_atomic_read_u64(&slots[best].last_used))
			best = i;
	}
	return best;
}

static bool
any_evicting(PgNlpShared *shared)
{
	for (int i = 0; i < shared->n_slots; i++)
	{
		if (pg_nlp_slots(shared)[i].state == PG_NLP_SLOT_EVICTING)
			return true;
	}
	return false;
}

static void
clear_slot(PgNlpShared *shared, int i)
{
	PgNlpSlot  *slot = &pg_nlp_slots(shared)[i];

	shared->resident_bytes -= slot->bytes;
	slot->bytes = 0;
	slot->state = PG_NLP_SLOT_FREE;
	slot->pid = 0;
}

/* The same, taking the lock, and waking who waits. */
static void
give_slot_back(int i)
{
	PgNlpShared *shared = pg_nlp_shared();

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	clear_slot(shared, i);
	LWLockRelease(&shared->lock);
	ConditionVariableBroadcast(&shared->changed);
}

static void
touch(PgNlpShared *shared, PgNlpSlot *slot)
{
	pg_atomic_write_u64(&slot->last_used, pg_atomic_fetch_add_u64(&shared->clock, 1));
}

/* ---- eviction ---- */

/* Slot i has been marked EVICTING by us, and the lock released. */
static void
evict(int i)
{
	PgNlpSlot  *slot = &pg_nlp_slots(pg_nlp_shared())[i];

	evicting_slot = i;
	PG_TRY();
	{
		if (!slot->in_slab)
			pg_nlp_pieces_free(slot->first);
	}
	PG_CATCH();
	{
		evicting_slot = -1;
		give_slot_back(i);
		PG_RE_THROW();
	}
	PG_END_TRY();
	evicting_slot = -1;
	give_slot_back(i);
}

static void
mark_evicting(PgNlpSlot *slot)
{
	slot->state = PG_NLP_SLOT_EVICTING;
	slot->pid = MyProcPid;
}

bool
pg_nlp_evict_model(const PgNlpModelRow *row)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpSlot  *slots = pg_nlp_slots(shared);
	PgNlpKey	key;
	int			i;

	row_key(row, &key);
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	i = find_slot(shared, &key);
	if (i >= 0 && (slots[i].state != PG_NLP_SLOT_READY || pg_atomic_read_u32(&slots[i].pins) != 0))
		i = -1;
	if (i >= 0)
		mark_evicting(&slots[i]);
	LWLockRelease(&shared->lock);
	if (i < 0)
		return false;
	evict(i);
	return true;
}

/* All unpinned images of a relation. */
static void
evict_relation(Oid relation)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpSlot  *slots = pg_nlp_slots(shared);

	for (int i = 0; i < shared->n_slots; i++)
	{
		bool		mine;

		LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
		mine = slots[i].state == PG_NLP_SLOT_READY && slots[i].key.relation == relation &&
			slots[i].key.database == MyDatabaseId && pg_atomic_read_u32(&slots[i].pins) == 0;
		if (mine)
			mark_evicting(&slots[i]);
		LWLockRelease(&shared->lock);
		if (mine)
			evict(i);
	}
}

/* Images of this database whose relation was dropped behind our back (DROP TABLE, DROP
 * OWNED). They would go by themselves, when their room is wanted. */
void
pg_nlp_evict_orphans(void)
{
	PgNlpShared *shared = pg_nlp_shared();

	for (int i = 0; i < shared->n_slots; i++)
	{
		Oid			relation = InvalidOid;

		LWLockAcquire(&shared->lock, LW_SHARED);
		if (pg_nlp_slots(shared)[i].state == PG_NLP_SLOT_READY && pg_nlp_slots(shared)[i].key.database == MyDatabaseId)
			relation = pg_nlp_slots(shared)[i].key.relation;
		LWLockRelease(&shared->lock);
		if (OidIsValid(relation) && !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)))
			evict_relation(relation);
	}
}

/* ---- room for a new image ---- */

static void
too_large(Size bytes, uint64 limit, const char *setting)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("model of %zu bytes does not fit in the shared memory for models", bytes),
			 errdetail("\"%s\" allows " UINT64_FORMAT " bytes.", setting, limit),
			 errhint("Raise \"%s\".", setting)));
}

static void
all_pinned(Size bytes)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("no room in shared memory for a model of %zu bytes", bytes),
			 errdetail("All other resident models are in use."),
			 errhint("Try again later, or raise \"pg_nlp.shared_memory\"%s.",
					 pg_nlp_shared()->slab_bytes ? " and \"pg_nlp.shared_memory_size\"" : "")));
}

/* Try once, under the lock. */
static bool
take_room(PgNlpShared *shared, PgNlpSlot *slot, Size need, uint64 limit)
{
	uint64		offset = 0;

	if (shared->resident_bytes + need > limit)
		return false;
	if (shared->slab_bytes && !pg_nlp_slab_find(shared, need, &offset))
		return false;
	slot->in_slab = shared->slab_bytes > 0;
	slot->offset = offset;
	slot->bytes = need;
	shared->resident_bytes += need;
	return true;
}

/* Give slot i (ours, LOADING) memory for an image, evicting as many others as it takes. */
static void
make_room(int i, Size image_bytes)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpSlot  *slots = pg_nlp_slots(shared);
	Size		need = shared->slab_bytes ? TYPEALIGN(shared->slab_page, image_bytes) : pg_nlp_pieces_bytes(image_bytes);
	uint64		limit = pg_nlp_resident_limit();

	if (shared->slab_bytes && need > shared->slab_bytes)
		too_large(image_bytes, shared->slab_bytes, "pg_nlp.shared_memory_size");
	if (need > limit)
		too_large(image_bytes, limit, "pg_nlp.shared_memory");
	for (;;)
	{
		int			victim;
		bool		taken;
		bool		wait;

		LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
		taken = take_room(shared, &slots[i], need, limit);
		victim = taken ? -1 : victim_slot(shared);
		if (victim >= 0)
			mark_evicting(&slots[victim]);
		wait = !taken && victim < 0 && any_evicting(shared);
		LWLockRelease(&shared->lock);
		if (taken)
			break;
		if (victim >= 0)
			evict(victim);
		else if (wait)
			ConditionVariableSleep(&shared->changed, PG_WAIT_EXTENSION);
		else
			all_pinned(image_bytes);
	}
	ConditionVariableCancelSleep();
}

/* ---- building ---- */

typedef struct Build
{
	MemoryContext mcxt;
	PgNlpMemory memory;
	NlpEnv		env;
	PgNlpSource source;
	Relation	rel;			/* NULL: shipped */
	NlpImagePlan *plan;
	PgNlpPieces pieces;
	NlpError	err;
} Build;

static Build *
begin_build(void)
{
	MemoryContext mcxt = AllocSetContextCreate(CurrentMemoryContext, "pg_nlp build", ALLOCSET_DEFAULT_SIZES);
	Build	   *b = MemoryContextAllocZero(mcxt, sizeof(Build));

	b->mcxt = mcxt;
	pg_nlp_memory_init(&b->memory, mcxt, true);
	pg_nlp_env_init(&b->env, &b->memory);
	return b;
}

static void
plan_build(Build *b, const PgNlpModelRow *row)
{
	if (pg_nlp_is_shipped(row))
		pg_nlp_shipped_source(&b->source, row);
	else
	{
		b->rel = try_relation_open(row->relation, AccessShareLock);
		if (b->rel == NULL)
			pg_nlp_model_gone(row);
		pg_nlp_source_relation(&b->source, b->rel, row->bytes, true);
	}
	if (nlp_image_plan(&b->source.source, &b->env, &b->plan, &b->err) != NLP_OK)
		pg_nlp_raise(&b->err);
}

/* Fill block and compare the bytes read with the hash that nlp.model holds: the
 * relation's owner could have changed them. (A shipped file has been compared.) */
static void
fill(Build *b, const PgNlpModelRow *row, void *block, volatile uint64 *done)
{
	uint8		sha256[PG_NLP_SHA256_BYTES];
	uint64		bytes = nlp_image_plan_bytes(b->plan);

	if (nlp_image_build(b->plan, &b->source.source, &b->env, block, done, &b->err) != NLP_OK ||
		(b->rel && pg_nlp_source_sha256(&b->source, &b->env, sha256, &b->err) != NLP_OK) ||
		nlp_image_check(block, bytes, &b->err) != NLP_OK)
		pg_nlp_raise(&b->err);
	if (b->rel && memcmp(sha256, row->sha256, PG_NLP_SHA256_BYTES) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored bytes of model \"%s\" do not have the SHA-256 in nlp.model", row->name),
				 errhint("Its relation was changed. Load the model again.")));
}

static void
end_build(Build *b)
{
	nlp_image_plan_free(b->plan);
	pg_nlp_source_close(&b->source);
	/* The image needs the relation no more: a replace or a drop must not wait for us. */
	if (b->rel)
		relation_close(b->rel, AccessShareLock);
	pg_nlp_memory_release(&b->memory);
	MemoryContextDelete(b->mcxt);
}

/* Slot i is ours, LOADING, in loading_slot. Build, and publish with one pin. *map:
 * pieces' mapping. */
static void
load_slot(int i, const PgNlpModelRow *row, char **map, Size *map_bytes, void (*loading) (void *ctx), void *ctx)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpSlot  *slot = &pg_nlp_slots(shared)[i];
	Build	   *volatile b = NULL;

	PG_TRY();
	{
		Size		bytes;

		if (loading)
			loading(ctx);
		b = begin_build();
		plan_build(b, row);
		bytes = nlp_image_plan_bytes(b->plan);
		make_room(i, bytes);
		if (slot->in_slab)
		{
			pg_nlp_slab_writable(shared, slot->offset, slot->bytes);
			fill(b, row, shared->slab + slot->offset, &slot->loaded_bytes.value);
			pg_nlp_slab_readonly(shared, slot->offset, slot->bytes);
		}
		else
		{
			pg_nlp_pieces_create(&b->pieces, bytes);
			fill(b, row, b->pieces.map + PG_NLP_PIECE_HEAD, &slot->loaded_bytes.value);
		}
		slot->image_bytes = bytes;
		slot->first = slot->in_slab ? DSM_HANDLE_INVALID : pg_nlp_pieces_publish(&b->pieces);
	}
	PG_CATCH();
	{
		if (b)
		{
			pg_nlp_memory_release(&b->memory);
			pg_nlp_pieces_abort(&b->pieces);
		}
		if (slot->in_slab && slot->bytes > 0)
			pg_nlp_slab_readonly(shared, slot->offset, slot->bytes);
		loading_slot = -1;
		give_slot_back(i);
		PG_RE_THROW();
	}
	PG_END_TRY();
	*map = b->pieces.map;
	*map_bytes = b->pieces.map_bytes;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	slot->state = PG_NLP_SLOT_READY;
	slot->loaded = GetCurrentTimestamp();
	pg_atomic_write_u32(&slot->pins, 1);
	touch(shared, slot);
	LWLockRelease(&shared->lock);
	loading_slot = -1;
	ConditionVariableBroadcast(&shared->changed);
	pg_nlp_count_load(row);
	end_build(b);
}

/* ---- handles ---- */

static PgNlpHandle *
new_handle(const PgNlpKey *key)
{
	MemoryContext mcxt;
	PgNlpHandle *h;

	if (models_mcxt == NULL)
		models_mcxt = AllocSetContextCreate(TopMemoryContext, "pg_nlp models", ALLOCSET_SMALL_SIZES);
	mcxt = AllocSetContextCreate(models_mcxt, "pg_nlp model", ALLOCSET_DEFAULT_SIZES);
	h = MemoryContextAllocZero(mcxt, sizeof(PgNlpHandle));
	h->mcxt = mcxt;
	h->key = *key;
	h->slot = -1;
	pg_nlp_memory_init(&h->memory, mcxt, false);
	dlist_push_head(&handles, &h->node);
	return h;
}

static void
free_handle(PgNlpHandle *h)
{
	dlist_delete(&h->node);
	if (h->model)
		nlp_model_close(h->model);
	if (h->map)
		pg_nlp_pieces_unmap(h->map, h->map_bytes);
	pg_nlp_memory_release(&h->memory);
	MemoryContextDelete(h->mcxt);
}

static void
unpin(PgNlpHandle *h)
{
	if (h->slot >= 0 && !pg_nlp_exiting)
		pg_atomic_fetch_sub_u32(&pg_nlp_slots(pg_nlp_shared())[h->slot].pins, 1);
}

void
pg_nlp_release(PgNlpHandle *h)
{
	if (--h->pins > 0)
		return;
	unpin(h);
	if (h->doomed)
		free_handle(h);
}

static void
open_model(PgNlpHandle *h)
{
	NlpError	err = {0};

	if (nlp_model_open(h->image, &h->memory.alloc, &h->model, &err) != NLP_OK)
		pg_nlp_raise(&err);
}

/* Whether the slot still holds the handle's image; pins it if so. */
static bool
pin_again(PgNlpHandle *h)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpSlot  *slot = &pg_nlp_slots(shared)[h->slot];
	bool		same;

	LWLockAcquire(&shared->lock, LW_SHARED);
	same = slot->state == PG_NLP_SLOT_READY && slot->generation == h->generation;
	if (same)
	{
		pg_atomic_fetch_add_u32(&slot->pins, 1);
		touch(shared, slot);
	}
	LWLockRelease(&shared->lock);
	return same;
}

static PgNlpHandle *
kept_handle(const PgNlpKey *key)
{
	dlist_iter	iter;

	dlist_foreach(iter, &handles)
	{
		PgNlpHandle *h = dlist_container(PgNlpHandle, node, iter.cur);

		if (!same_key(&h->key, key) || h->doomed)
			continue;
		if (h->pins == 0 && !h->private_image && !pin_again(h))
		{
			free_handle(h);
			return NULL;
		}
		h->pins++;
		return h;
	}
	return NULL;
}

/* Let go of mappings whose image was evicted meanwhile. */
static void
drop_stale_handles(void)
{
	PgNlpShared *shared = pg_nlp_shared();
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &handles)
	{
		PgNlpHandle *h = dlist_container(PgNlpHandle, node, iter.cur);

		if (h->pins == 0 && h->slot >= 0 && pg_nlp_slots(shared)[h->slot].generation != h->generation)
			free_handle(h);
	}
}

/* ---- models of this transaction ---- */

/* Made by this transaction, in this backend or in the leader of this worker. */
static bool
made_here(const PgNlpModelRow *row)
{
	Relation	rel = try_relation_open(row->relation, AccessShareLock);
	bool		here;

	if (rel == NULL)
		pg_nlp_model_gone(row);
	here = rel->rd_createSubid != InvalidSubTransactionId;
	relation_close(rel, AccessShareLock);
	if (!here && IsParallelWorker())
	{
		HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(row->relation));

		if (HeapTupleIsValid(tuple))
		{
			here = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
			ReleaseSysCache(tuple);
		}
	}
	return here;
}

static PgNlpHandle *
load_private(const PgNlpKey *key, const PgNlpModelRow *row)
{
	PgNlpHandle *h = new_handle(key);
	Build	   *volatile b = NULL;

	h->private_image = true;
	h->memory.charged = true;
	PG_TRY();
	{
		Size		bytes;
		void	   *block;

		b = begin_build();
		plan_build(b, row);
		bytes = nlp_image_plan_bytes(b->plan);
		block = nlp_alloc(&h->memory.alloc, bytes);
		if (block == NULL)
			pg_nlp_budget_error(bytes, "a model of this transaction");
		fill(b, row, block, NULL);
		h->image = block;
		open_model(h);
	}
	PG_CATCH();
	{
		if (b)
			pg_nlp_memory_release(&b->memory);
		free_handle(h);
		PG_RE_THROW();
	}
	PG_END_TRY();
	end_build(b);
	h->pins = 1;
	return h;
}

/* ---- acquire ---- */

/* Pin the key's slot; -1: this backend has to build it (in *claimed). Waits while
 * another one builds. */
static int
pin_or_claim(const PgNlpKey *key, int *claimed, void (*loading) (void *ctx), void *ctx)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpSlot  *slots = pg_nlp_slots(shared);

	for (;;)
	{
		int			i;
		int			victim = -1;
		bool		wait = false;

		*claimed = -1;
		LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
		i = find_slot(shared, key);
		if (i >= 0 && slots[i].state == PG_NLP_SLOT_READY)
		{
			pg_atomic_fetch_add_u32(&slots[i].pins, 1);
			touch(shared, &slots[i]);
		}
		else if (i >= 0)
			wait = true;
		else if ((*claimed = free_slot(shared)) >= 0)
		{
			PgNlpSlot  *slot = &slots[*claimed];

			slot->key = *key;
			slot->state = PG_NLP_SLOT_LOADING;
			slot->generation++;
			slot->pid = MyProcPid;
			slot->in_slab = false;
			pg_atomic_write_u32(&slot->pins, 0);
			pg_atomic_write_u64(&slot->loaded_bytes, 0);
			loading_slot = *claimed;
		}
		else if ((victim = victim_slot(shared)) >= 0)
			mark_evicting(&slots[victim]);
		else
			wait = any_evicting(shared);
		LWLockRelease(&shared->lock);

		if (victim >= 0)
			evict(victim);
		else if (wait)
		{
			if (loading)
				loading(ctx);
			ConditionVariableSleep(&shared->changed, PG_WAIT_EXTENSION);
		}
		else if (i < 0 && *claimed < 0)
			all_pinned(0);
		else
		{
			ConditionVariableCancelSleep();
			return i;
		}
	}
}

/* A handle of our own on a slot that we have pinned. */
static PgNlpHandle *
bind_handle(const PgNlpKey *key, int i, char *map, Size map_bytes)
{
	PgNlpShared *shared = pg_nlp_shared();
	PgNlpSlot  *slot = &pg_nlp_slots(shared)[i];
	PgNlpHandle *h = new_handle(key);

	h->slot = i;
	h->generation = slot->generation;
	h->pins = 1;
	h->map = map;
	h->map_bytes = map_bytes;
	PG_TRY();
	{
		if (!slot->in_slab && h->map == NULL && !pg_nlp_pieces_attach(slot->first, &h->map, &h->map_bytes))
			ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("a resident model has lost its memory")));
		h->image = (const NlpImage *) (slot->in_slab ? shared->slab + slot->offset : h->map + PG_NLP_PIECE_HEAD);
		open_model(h);
	}
	PG_CATCH();
	{
		h->doomed = true;
		pg_nlp_release(h);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return h;
}

PgNlpHandle *
pg_nlp_acquire(const PgNlpModelRow *row, void (*loading) (void *ctx), void *ctx)
{
	PgNlpKey	key;
	PgNlpHandle *h;
	char	   *map = NULL;
	Size		map_bytes = 0;
	int			claimed;
	int			i;

	row_key(row, &key);
	h = kept_handle(&key);
	if (h)
		return h;
	drop_stale_handles();
	if (!pg_nlp_is_shipped(row) && made_here(row))
	{
		if (loading)
			loading(ctx);
		return load_private(&key, row);
	}
	i = pin_or_claim(&key, &claimed, loading, ctx);
	if (i < 0)
	{
		load_slot(claimed, row, &map, &map_bytes, loading, ctx);
		i = claimed;
	}
	return bind_handle(&key, i, map, map_bytes);
}

/* ---- ends of transactions and of the backend ---- */

void
pg_nlp_forget_relation(Oid relation)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

	dropped = lappend_oid(dropped, relation);
	MemoryContextSwitchTo(old);
}

/* The transaction is committed: nothing may raise here. An image that cannot be
 * evicted now, because somebody reads it, goes when its room is wanted. */
static void
evict_dropped(void)
{
	MemoryContext mcxt = CurrentMemoryContext;

	PG_TRY();
	{
		ListCell   *lc;

		foreach(lc, dropped)
			evict_relation(lfirst_oid(lc));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(mcxt);
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(mcxt);
}

static void
end_of_transaction(XactEvent event, void *arg)
{
	dlist_mutable_iter iter;

	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
		event == XACT_EVENT_PRE_PREPARE)
		return;
	if (event == XACT_EVENT_COMMIT && dropped != NIL)
		evict_dropped();
	dropped = NIL;
	dlist_foreach_modify(iter, &handles)
	{
		PgNlpHandle *h = dlist_container(PgNlpHandle, node, iter.cur);

		if (!h->private_image)
			continue;
		h->doomed = true;
		if (h->pins == 0)
			free_handle(h);
	}
}

void
pg_nlp_resident_init(void)
{
	RegisterXactCallback(end_of_transaction, NULL);
}

void
pg_nlp_resident_at_exit(void)
{
	dlist_iter	iter;

	if (loading_slot >= 0)
		give_slot_back(loading_slot);
	if (evicting_slot >= 0)
		give_slot_back(evicting_slot);
	loading_slot = evicting_slot = -1;
	dlist_foreach(iter, &handles)
	{
		PgNlpHandle *h = dlist_container(PgNlpHandle, node, iter.cur);

		if (h->pins > 0)
			unpin(h);
		h->pins = 0;
		h->slot = -1;
	}
}
