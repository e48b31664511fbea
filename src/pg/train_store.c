/* train_store.c --- what a training leaves in tables: checkpoints, the log, the model.
 *
 * A checkpoint is a row of nlp.checkpoint and a relation like a model's, owned by the
 * role that trains; the owner of the relation is the owner of the checkpoint. A newer
 * one takes the place of the older in one transaction. Rows of nlp.checkpoint and
 * nlp.training_history are written here and nowhere else; roles see their own through
 * views. */
#include "train.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "load.h"

PG_FUNCTION_INFO_V1(pg_nlp_drop_checkpoint);

/* Columns of nlp.checkpoint and nlp.training_history, as 55_training.sql declares them. */
enum
{
	CP_NAME = 1, CP_DATA, CP_SHA256, CP_METHOD, CP_QUERY, CP_OPTIONS, CP_BASE, CP_VOCABULARY, CP_CORPUS, CP_ROWS, CP_WORDS,
	CP_EPOCH, CP_EPOCHS, CP_TOKENS_DONE, CP_TOKENS_TOTAL, CP_LOSS, CP_SECONDS, CP_STARTED, CP_CREATED,
	CP_COLS = CP_CREATED
};
enum
{
	LOG_MODEL = 1, LOG_METHOD, LOG_BY_ROLE, LOG_STARTED, LOG_AT, LOG_EPOCH, LOG_TOKENS, LOG_LOSS, LOG_ALPHA, LOG_RATE,
	LOG_COLS = LOG_RATE
};

typedef struct LogRow
{
	TimestampTz at;
	PgNlpTrainStep step;
	double		rate;
} LogRow;

/* ---- the row of a name ---- */

void
pg_nlp_train_lock(const char *name, bool session, LOCKTAG *tag)
{
	uint32		hash = DatumGetUInt32(hash_any((const unsigned char *) name, (int) strlen(name)));

	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, pg_nlp_catalog("checkpoint"), hash, 0);
	if (LockAcquire(tag, ExclusiveLock, session, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("model \"%s\" is being trained by another session", name),
				 errhint("nlp.training_progress shows trainings in progress.")));
}

/* The newest version, copied, or NULL. */
static HeapTuple
find_tuple(Relation rel, const char *name)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	HeapTuple	tuple = pg_nlp_named_tuple(rel, "checkpoint_pkey", name, snapshot);

	UnregisterSnapshot(snapshot);
	return tuple;
}

static Oid
tuple_relation(Relation rel, HeapTuple tuple)
{
	bool		null;

	return DatumGetObjectId(heap_getattr(tuple, CP_DATA, RelationGetDescr(rel), &null));
}

static bool
exists(Oid relation)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation));
}

/* A row whose relation is gone is nobody's. */
static void
check_owner(Oid relation, const char *name)
{
	if (exists(relation) && !pg_nlp_relation_owner(relation, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of the checkpoint of model \"%s\"", name)));
}

static char *
optional_text(Datum value, bool null)
{
	return null ? NULL : TextDatumGetCString(value);
}

static void
read_tuple(Relation rel, HeapTuple tuple, PgNlpCheckpoint *out)
{
	Datum		v[CP_COLS];
	bool		nulls[CP_COLS];

	heap_deform_tuple(tuple, RelationGetDescr(rel), v, nulls);
	*out = (PgNlpCheckpoint) {
		.relation = DatumGetObjectId(v[CP_DATA - 1]),
		.sha256 = TextDatumGetCString(v[CP_SHA256 - 1]),
		.options = DatumGetJsonbPCopy(v[CP_OPTIONS - 1]),
		.base = optional_text(v[CP_BASE - 1], nulls[CP_BASE - 1]),
		.vocabulary = TextDatumGetCString(v[CP_VOCABULARY - 1]),
		.corpus = TextDatumGetCString(v[CP_CORPUS - 1]),
		.rows = (uint64) DatumGetInt64(v[CP_ROWS - 1]),
		.words = (uint64) DatumGetInt64(v[CP_WORDS - 1]),
		.step = {
			.epoch = (uint32) Max(DatumGetInt32(v[CP_EPOCH - 1]), 1) - 1,
			.epochs = (uint32) DatumGetInt32(v[CP_EPOCHS - 1]),
			.done = (uint64) DatumGetInt64(v[CP_TOKENS_DONE - 1]),
			.total = (uint64) DatumGetInt64(v[CP_TOKENS_TOTAL - 1]),
			.loss = nulls[CP_LOSS - 1] ? 0 : DatumGetFloat8(v[CP_LOSS - 1])
		},
		.seconds = DatumGetFloat8(v[CP_SECONDS - 1]),
		.started = DatumGetTimestampTz(v[CP_STARTED - 1])
	};
}

bool
pg_nlp_checkpoint_find(const PgNlpTrainJob *job, PgNlpCheckpoint *out)
{
	MemoryContext old = MemoryContextSwitchTo(job->mcxt);
	Relation	rel = table_open(pg_nlp_catalog("checkpoint"), AccessShareLock);
	HeapTuple	tuple = find_tuple(rel, job->name);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
	{
		bool		null;
		Oid			relation = tuple_relation(rel, tuple);
		char	   *method = TextDatumGetCString(heap_getattr(tuple, CP_METHOD, RelationGetDescr(rel), &null));

		check_owner(relation, job->name);
		found = exists(relation);
		if (found && job->common->resume && strcmp(method, job->method) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("the checkpoint of model \"%s\" is not one of %s", job->name, job->procedure),
					 errdetail("Its method is \"%s\".", method)));
		read_tuple(rel, tuple, out);
	}
	table_close(rel, AccessShareLock);
	MemoryContextSwitchTo(old);
	return found;
}

/* The relation's owner may have written to it: its bytes are compared with the row's hash.
 * (What was read before that is checked by the trainer, as any file.) */
void
pg_nlp_checkpoint_read(PgNlpTrainJob *job, const PgNlpCheckpoint *from,
					   NlpStatus (*restore) (void *trainer, const NlpSource *source, const NlpEnv *env, NlpError *err))
{
	Relation	rel = table_open(from->relation, AccessShareLock);
	PgNlpSource source;
	uint8		sha256[PG_NLP_SHA256_BYTES];
	char		hex[2 * PG_NLP_SHA256_BYTES + 1];

	pg_nlp_source_relation(&source, rel, UINT64_MAX, true);
	if (restore(job->trainer, &source.source, &job->env, &job->err) != NLP_OK ||
		pg_nlp_source_sha256(&source, &job->env, sha256, &job->err) != NLP_OK)
		pg_nlp_raise(&job->err);
	pg_nlp_source_close(&source);
	table_close(rel, NoLock);
	pg_nlp_hex(sha256, PG_NLP_SHA256_BYTES, hex);
	if (strcmp(hex, from->sha256) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the checkpoint of model \"%s\" is not what was stored", job->name),
				 errhint("Its relation was changed. Remove it with nlp.drop_checkpoint and train from the beginning.")));
}

/* ---- bytes of a trainer into a relation ---- */

typedef struct HashedWriter
{
	PgNlpWriter writer;
	pg_cryptohash_ctx *hash;
} HashedWriter;

static void
hash_failed(void)
{
	ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not compute the SHA-256 of the training's result")));
}

/* The engine's frames are below: an error of the server's is kept, and thrown when the
 * engine has unwound. */
static NlpStatus
sink_write(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	MemoryContext mcxt = CurrentMemoryContext;
	HashedWriter *w = ctx;
	volatile NlpStatus status = NLP_OK;

	PG_TRY();
	{
		pg_nlp_write_bytes(&w->writer, bytes, len);
		if (pg_cryptohash_update(w->hash, bytes, len) < 0)
			hash_failed();
	}
	PG_CATCH();
	{
		pg_nlp_keep_error();
		status = nlp_fail(err, NLP_ECANCELLED, "storing the training's result failed");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(mcxt);
	return status;
}

/* Gives the relation and the hash of what is in it. */
static Oid
write_trainer(PgNlpTrainJob *job, bool checkpoint, uint8 *sha256)
{
	Oid			relation = pg_nlp_create_relation(job->name);
	HashedWriter w = {.hash = pg_cryptohash_create(PG_SHA256)};
	NlpSink		sink = {sink_write, &w};

	if (w.hash == NULL || pg_cryptohash_init(w.hash) < 0)
		hash_failed();
	pg_nlp_begin_write(&w.writer, relation, 0);
	if (job->write(job->trainer, job->utf8_name, checkpoint, &sink, &job->env, &job->err) != NLP_OK)
		pg_nlp_raise(&job->err);
	pg_nlp_end_write(&w.writer);
	if (pg_cryptohash_final(w.hash, sha256, PG_NLP_SHA256_BYTES) < 0)
		hash_failed();
	pg_cryptohash_free(w.hash);
	return relation;
}

void
pg_nlp_checkpoint_write(PgNlpTrainJob *job)
{
	const PgNlpCheckpoint *run = &job->run;
	Datum		v[CP_COLS] = {0};
	bool		nulls[CP_COLS] = {0};
	Relation	rel = table_open(pg_nlp_catalog("checkpoint"), RowExclusiveLock);
	HeapTuple	old = find_tuple(rel, job->name);
	HeapTuple	tuple;
	Oid			old_relation = HeapTupleIsValid(old) ? tuple_relation(rel, old) : InvalidOid;
	uint8		sha256[PG_NLP_SHA256_BYTES];
	char		hex[2 * PG_NLP_SHA256_BYTES + 1];

	if (OidIsValid(old_relation))
		check_owner(old_relation, job->name);
	v[CP_NAME - 1] = CStringGetTextDatum(job->name);
	v[CP_DATA - 1] = ObjectIdGetDatum(write_trainer(job, true, sha256));
	pg_nlp_hex(sha256, PG_NLP_SHA256_BYTES, hex);
	v[CP_SHA256 - 1] = CStringGetTextDatum(hex);
	v[CP_METHOD - 1] = CStringGetTextDatum(job->method);
	v[CP_QUERY - 1] = CStringGetTextDatum(job->query);
	v[CP_OPTIONS - 1] = JsonbPGetDatum(run->options);
	nulls[CP_BASE - 1] = run->base == NULL;
	if (run->base)
		v[CP_BASE - 1] = CStringGetTextDatum(run->base);
	v[CP_VOCABULARY - 1] = CStringGetTextDatum(run->vocabulary);
	v[CP_CORPUS - 1] = CStringGetTextDatum(run->corpus);
	v[CP_ROWS - 1] = Int64GetDatum((int64) run->rows);
	v[CP_WORDS - 1] = Int64GetDatum((int64) run->words);
	v[CP_EPOCH - 1] = Int32GetDatum((int32) Min(run->step.epoch + 1, run->step.epochs));
	v[CP_EPOCHS - 1] = Int32GetDatum((int32) run->step.epochs);
	v[CP_TOKENS_DONE - 1] = Int64GetDatum((int64) run->step.done);
	v[CP_TOKENS_TOTAL - 1] = Int64GetDatum((int64) run->step.total);
	v[CP_LOSS - 1] = Float8GetDatum(run->step.loss);
	nulls[CP_LOSS - 1] = run->step.loss == 0;
	v[CP_SECONDS - 1] = Float8GetDatum(run->seconds);
	v[CP_STARTED - 1] = TimestampTzGetDatum(run->started);
	v[CP_CREATED - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	tuple = heap_form_tuple(RelationGetDescr(rel), v, nulls);
	if (HeapTupleIsValid(old))
		CatalogTupleUpdate(rel, &old->t_self, tuple);
	else
		CatalogTupleInsert(rel, tuple);
	table_close(rel, NoLock);
	CommandCounterIncrement();
	if (OidIsValid(old_relation))
		pg_nlp_drop_relation(old_relation);
}

/* False: there was none. */
static bool
remove_checkpoint(const char *name)
{
	Relation	rel = table_open(pg_nlp_catalog("checkpoint"), RowExclusiveLock);
	HeapTuple	tuple = find_tuple(rel, name);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
	{
		Oid			relation = tuple_relation(rel, tuple);

		check_owner(relation, name);
		CatalogTupleDelete(rel, &tuple->t_self);
		CommandCounterIncrement();
		pg_nlp_drop_relation(relation);
	}
	table_close(rel, NoLock);
	return found;
}

/* drop_checkpoint(name text) */
Datum
pg_nlp_drop_checkpoint(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	LOCKTAG		tag;

	PreventCommandIfReadOnly("nlp.drop_checkpoint()");
	PreventCommandIfParallelMode("nlp.drop_checkpoint()");
	pg_nlp_train_lock(name, false, &tag);
	if (!remove_checkpoint(name))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("there is no checkpoint of model \"%s\"", name)));
	PG_RETURN_VOID();
}

/* ---- the log ---- */

/* The epoch, from 1, of the last token that was done: at an epoch's end the one that ended. */
static int32
epoch_of(const PgNlpTrainStep *step)
{
	double		passed = step->total > 0 ? (double) step->done / (double) step->total * step->epochs : step->epochs;

	return (int32) Min(Max(ceil(passed), 1), step->epochs);
}

void
pg_nlp_train_log(PgNlpTrainJob *job, const PgNlpTrainStep *step)
{
	MemoryContext old = MemoryContextSwitchTo(job->mcxt);
	LogRow	   *row = palloc(sizeof(LogRow));

	*row = (LogRow) {GetCurrentTimestamp(), *step, job->rate};
	job->log = lappend(job->log, row);
	MemoryContextSwitchTo(old);
}

void
pg_nlp_train_log_flush(PgNlpTrainJob *job)
{
	Relation	rel = table_open(pg_nlp_catalog("training_history"), RowExclusiveLock);
	NameData	role;
	ListCell   *lc;

	namestrcpy(&role, GetUserNameFromId(GetUserId(), false));
	foreach(lc, job->log)
	{
		LogRow	   *row = lfirst(lc);
		Datum		v[LOG_COLS] = {0};
		bool		nulls[LOG_COLS] = {0};

		v[LOG_MODEL - 1] = CStringGetTextDatum(job->name);
		v[LOG_METHOD - 1] = CStringGetTextDatum(job->method);
		v[LOG_BY_ROLE - 1] = NameGetDatum(&role);
		v[LOG_STARTED - 1] = TimestampTzGetDatum(job->run.started);
		v[LOG_AT - 1] = TimestampTzGetDatum(row->at);
		v[LOG_EPOCH - 1] = Int32GetDatum(epoch_of(&row->step));
		v[LOG_TOKENS - 1] = Int64GetDatum((int64) row->step.done);
		v[LOG_LOSS - 1] = Float8GetDatum(row->step.loss);
		nulls[LOG_LOSS - 1] = row->step.loss == 0;
		v[LOG_ALPHA - 1] = Float8GetDatum(row->step.alpha);
		v[LOG_RATE - 1] = Float8GetDatum(row->rate);
		CatalogTupleInsert(rel, heap_form_tuple(RelationGetDescr(rel), v, nulls));
	}
	table_close(rel, NoLock);
	CommandCounterIncrement();
	list_free_deep(job->log);
	job->log = NIL;
}

/* ---- the model ---- */

static Jsonb *
make_card(const PgNlpTrainJob *job, const char *training)
{
	Datum		own = DirectFunctionCall1(jsonb_in, CStringGetDatum(psprintf("{\"training\": %s}", training)));

	if (job->common->card == NULL)
		return DatumGetJsonbP(own);
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(job->common->card), own));
}

/* Whether the name was taken by a model that may not be replaced. */
static bool
taken(const PgNlpTrainJob *job)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	PgNlpModelRow row;
	bool		found = pg_nlp_store_find(job->name, snapshot, &row) && exists(row.relation);

	UnregisterSnapshot(snapshot);
	return found && !(job->common->replace && pg_nlp_relation_owner(row.relation, GetUserId()));
}

/* What others did with the name while we trained is known before the bytes are written,
 * and the work is kept: as a checkpoint at the end of the run, to be resumed with "replace" or
 * when the name is free. */
static void
check_meanwhile(PgNlpTrainJob *job)
{
	PgNlpModelRow row;
	char		hex[2 * PG_NLP_SHA256_BYTES + 1] = "";

	if (!job->atomic && !job->common->update && job->common->checkpoint_seconds > 0 && taken(job))
	{
		pg_nlp_train_keep(job);
		pg_nlp_train_phase(job, PG_NLP_TRAIN_WRITING);
		EnsurePortalSnapshotExists();
	}
	if (pg_nlp_store_lock_name(job->name, job->common->replace || job->common->update, &row))
		pg_nlp_hex(row.sha256, PG_NLP_SHA256_BYTES, hex);
	if (job->run.base && strcmp(job->run.base, hex) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("model \"%s\" was dropped or replaced by another transaction while it was updated", job->name)));
}

void
pg_nlp_train_store(PgNlpTrainJob *job, const char *training)
{
	MemoryContext old = MemoryContextSwitchTo(job->work);
	PgNlpLoadScope scope = {.env = job->env};
	PgNlpNewModel model = {.name = job->name, .source = job->procedure};
	uint8		written[PG_NLP_SHA256_BYTES];

	pg_nlp_train_phase(job, PG_NLP_TRAIN_WRITING);
	EnsurePortalSnapshotExists();
	check_meanwhile(job);
	model.relation = write_trainer(job, false, written);
	job->free(job->trainer);
	job->trainer = NULL;
	pg_nlp_describe_relation(&scope, &model);	/* reads it back, as any file */
	if (memcmp(written, model.sha256, PG_NLP_SHA256_BYTES) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("model \"%s\" is not what was stored", job->name)));
	model.card = make_card(job, training);
	pg_nlp_store_put(&model, job->common->replace || job->common->update);
	(void) remove_checkpoint(job->name);
	pg_nlp_train_log(job, &job->run.step);
	pg_nlp_train_log_flush(job);
	job->has_checkpoint = false;
	MemoryContextSwitchTo(old);
	MemoryContextReset(job->work);
}
