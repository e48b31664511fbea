/* load.c --- bytes into the store and out of it: nlp.load_model, the three steps of
 * a long upload, nlp.export_model.
 *
 * Trust:  a file or a bytea is a stranger's. Its header, vocabulary and tensor
 *         directory pass nlp_image_plan before a byte is stored; its data is
 *         checked again whenever an image is built.
 * Atomic: relation, row and dependency belong to the caller's transaction. An upload
 *         lasts over transactions; what it has stored is in relations of its own
 *         (nlp.load, nlp.load_file) until load_finish makes one the model's.
 * WAL:    about the model's size; a new page needs no image of itself. */
#include "shared.h"

#include <sys/stat.h>

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* What fills a page with one tuple: header, seq, varlena header, bytes. */
#define CHUNK_BYTES ((MaxHeapTupleSize - MAXALIGN(SizeofHeapTupleHeader) - sizeof(int32) - VARHDRSZ) / 64 * 64)

PG_FUNCTION_INFO_V1(pg_nlp_load_model_path);
PG_FUNCTION_INFO_V1(pg_nlp_load_model_bytea);
PG_FUNCTION_INFO_V1(pg_nlp_load_begin);
PG_FUNCTION_INFO_V1(pg_nlp_load_append);
PG_FUNCTION_INFO_V1(pg_nlp_load_finish);
PG_FUNCTION_INFO_V1(pg_nlp_load_abort);
PG_FUNCTION_INFO_V1(pg_nlp_export_model);

/* ---- options ---- */

typedef struct LoadOptions
{
	bool		replace;
	char	   *source;			/* or NULL */
	Jsonb	   *card;			/* or NULL */
} LoadOptions;

static void
bad_option(const char *key, const char *want)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("option \"%s\" must be %s", key, want)));
}

static void
one_option(const char *key, JsonbValue *v, LoadOptions *out)
{
	if (strcmp(key, "replace") == 0)
	{
		if (v->type != jbvBool)
			bad_option(key, "true or false");
		out->replace = v->val.boolean;
	}
	else if (strcmp(key, "source") == 0)
	{
		if (v->type != jbvString)
			bad_option(key, "a string");
		out->source = pnstrdup(v->val.string.val, v->val.string.len);
	}
	else if (strcmp(key, "card") == 0)
	{
		if (v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
			bad_option(key, "an object");
		out->card = JsonbValueToJsonb(v);
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown option for loading a model"),
				 errhint("Known options are \"replace\", \"source\" and \"card\".")));
}

static void
load_options(Jsonb *options, LoadOptions *out)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;

	*out = (LoadOptions) {0};
	if (options == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("options must be a JSON object")));
	it = JsonbIteratorInit(&options->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			char	   *key = pnstrdup(v.val.string.val, v.val.string.len);

			(void) JsonbIteratorNext(&it, &v, true);
			one_option(key, &v, out);
		}
	}
}

static Jsonb *
arg_options(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : PG_GETARG_JSONB_P(i);
}

static void
refuse_null(FunctionCallInfo fcinfo, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument %d must not be null", i + 1)));
	}
}

/* ---- the scope of one load: memory, and a row in nlp.activity ---- */

typedef struct LoadScope
{
	MemoryContext mcxt;
	MemoryContextCallback undo;
	PgNlpMemory memory;
	NlpEnv		env;
	PgNlpActivity *activity;
	NlpError	err;
} LoadScope;

static void
undo_scope(void *arg)
{
	LoadScope  *scope = arg;

	pg_nlp_activity_end(scope->activity);
	pg_nlp_memory_release(&scope->memory);
}

static LoadScope *
begin_scope(const char *verb, const char *model)
{
	MemoryContext mcxt = AllocSetContextCreate(CurrentMemoryContext, "pg_nlp load", ALLOCSET_DEFAULT_SIZES);
	LoadScope  *scope = MemoryContextAllocZero(mcxt, sizeof(LoadScope));

	scope->mcxt = mcxt;
	pg_nlp_memory_init(&scope->memory, mcxt, true);
	pg_nlp_env_init(&scope->env, &scope->memory);
	scope->undo = (MemoryContextCallback) {.func = undo_scope, .arg = scope};
	MemoryContextRegisterResetCallback(mcxt, &scope->undo);
	scope->activity = pg_nlp_activity_begin(verb);
	pg_nlp_activity_model(scope->activity, model);
	pg_nlp_phase(scope->activity, PG_NLP_PHASE_LOADING);
	return scope;
}

static void
end_scope(LoadScope *scope)
{
	MemoryContextDelete(scope->mcxt);
}

/* What the row of nlp.model says of a file; a bad one raises. */
static void
describe(LoadScope *scope, const NlpSource *source, PgNlpNewModel *model)
{
	NlpImagePlan *plan;
	const NlpImage *header;

	if (nlp_image_plan(source, &scope->env, &plan, &scope->err) != NLP_OK)
		pg_nlp_raise(&scope->err);
	header = nlp_image_plan_header(plan);
	model->architecture = pstrdup(header->name);
	model->tasks = header->tasks;
	model->parameters = header->parameters;
	model->bytes = source->size;
	nlp_image_plan_free(plan);
}

/* ---- writing chunks ---- */

typedef struct Writer
{
	Relation	rel;
	BulkInsertState bulk;
	int32		seq;
	bytea	   *chunk;			/* room for CHUNK_BYTES */
	Size		fill;
} Writer;

static void
begin_write(Writer *w, Oid relation, int32 first_seq)
{
	*w = (Writer) {
		.rel = table_open(relation, RowExclusiveLock),
		.bulk = GetBulkInsertState(),
		.seq = first_seq,
		.chunk = palloc(CHUNK_BYTES + VARHDRSZ)
	};
}

static void
write_chunk(Writer *w)
{
	Datum		values[2] = {Int32GetDatum(w->seq), PointerGetDatum(w->chunk)};
	bool		nulls[2] = {false, false};
	HeapTuple	tuple;

	if (w->fill == 0)
		return;
	if (w->seq == PG_INT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("model has too many chunks")));
	SET_VARSIZE(w->chunk, w->fill + VARHDRSZ);
	tuple = heap_form_tuple(RelationGetDescr(w->rel), values, nulls);
	heap_insert(w->rel, tuple, GetCurrentCommandId(true), TABLE_INSERT_SKIP_FSM, w->bulk);
	heap_freetuple(tuple);
	w->seq++;
	w->fill = 0;
}

static void
write_bytes(Writer *w, const char *bytes, Size len)
{
	while (len > 0)
	{
		Size		n = Min(len, CHUNK_BYTES - w->fill);

		memcpy(VARDATA(w->chunk) + w->fill, bytes, n);
		w->fill += n;
		bytes += n;
		len -= n;
		if (w->fill == CHUNK_BYTES)
		{
			CHECK_FOR_INTERRUPTS();
			write_chunk(w);
		}
	}
}

static void
end_write(Writer *w)
{
	write_chunk(w);
	FreeBulkInsertState(w->bulk);
	table_finish_bulk_insert(w->rel, TABLE_INSERT_SKIP_FSM);
	table_close(w->rel, NoLock);
	pfree(w->chunk);
	CommandCounterIncrement();
}

static void
hash_failed(void)
{
	ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not compute the SHA-256 of the model")));
}

/* Copy a whole source into a new relation of the caller's, hashing as it goes. */
static void
store_source(LoadScope *scope, const NlpSource *source, PgNlpNewModel *model)
{
	const Size	step = 256 * 1024;
	char	   *buffer = palloc(step);
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	Writer		w;

	if (hash == NULL || pg_cryptohash_init(hash) < 0)
		hash_failed();
	model->relation = pg_nlp_create_relation(model->name);
	begin_write(&w, model->relation, 0);
	for (uint64 at = 0; at < source->size;)
	{
		Size		n = Min(step, source->size - at);

		CHECK_FOR_INTERRUPTS();
		if (source->read(source->ctx, at, n, buffer, &scope->err) != NLP_OK)
			pg_nlp_raise(&scope->err);
		if (pg_cryptohash_update(hash, (uint8 *) buffer, n) < 0)
			hash_failed();
		write_bytes(&w, buffer, n);
		at += n;
	}
	end_write(&w);
	if (pg_cryptohash_final(hash, model->sha256, PG_NLP_SHA256_BYTES) < 0)
		hash_failed();
	pg_cryptohash_free(hash);
	pfree(buffer);
}

/* ---- nlp.load_model ---- */

/* A name that is taken is refused before the bytes are copied; it is looked at again,
 * with the name locked, when the row is written. */
static void
check_taken(const char *name, bool replace)
{
	PgNlpModelRow row;

	if (!pg_nlp_store_find(name, pg_nlp_statement_snapshot(), &row))
		return;
	pg_nlp_store_lock_name(name, replace, &row);
}

static text *
load_source(FunctionCallInfo fcinfo, PgNlpSource *source, PgNlpNewModel *model, const LoadOptions *options)
{
	LoadScope  *scope;

	check_taken(model->name, options->replace);
	scope = begin_scope("nlp.load_model", model->name);
	describe(scope, &source->source, model);
	store_source(scope, &source->source, model);
	end_scope(scope);
	model->card = options->card;
	pg_nlp_store_put(model, options->replace);
	return cstring_to_text(model->name);
}

static void
begin_load(FunctionCallInfo fcinfo, const char *command, PgNlpNewModel *model, LoadOptions *options)
{
	PreventCommandIfReadOnly(command);
	PreventCommandIfParallelMode(command);
	refuse_null(fcinfo, 2);
	*model = (PgNlpNewModel) {.name = text_to_cstring(PG_GETARG_TEXT_PP(0))};
	pg_nlp_check_name(model->name);
	load_options(arg_options(fcinfo, 2), options);
}

/* load_model(name text, path text, options jsonb) */
Datum
pg_nlp_load_model_path(PG_FUNCTION_ARGS)
{
	PgNlpNewModel model;
	LoadOptions options;
	PgNlpSource source;
	struct stat st;
	char	   *path;
	text	   *name;

	/* before anything about the path can be learnt */
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to load a model from a server file"),
				 errdetail("Only roles with privileges of the \"pg_read_server_files\" role may read server files."),
				 errhint("Send the bytes instead: nlp.load_model(name, bytea), or nlp.load_begin, load_append and load_finish.")));
	begin_load(fcinfo, "nlp.load_model()", &model, &options);
	path = text_to_cstring(PG_GETARG_TEXT_PP(1));
	canonicalize_path(path);
	pg_nlp_source_file(&source, path);
	model.source = options.source ? options.source : path;
	name = load_source(fcinfo, &source, &model, &options);
	if (fstat(source.fd, &st) < 0 || (uint64) st.st_size != source.source.size)
		ereport(ERROR,
				(errcode(ERRCODE_IO_ERROR), errmsg("model file \"%s\" changed while it was read", path)));
	pg_nlp_source_close(&source);
	PG_RETURN_TEXT_P(name);
}

/* load_model(name text, data bytea, options jsonb) */
Datum
pg_nlp_load_model_bytea(PG_FUNCTION_ARGS)
{
	PgNlpNewModel model;
	LoadOptions options;
	PgNlpSource source;
	bytea	   *data;

	begin_load(fcinfo, "nlp.load_model()", &model, &options);
	data = PG_GETARG_BYTEA_PP(1);
	pg_nlp_source_bytes(&source, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
	model.source = options.source;
	PG_RETURN_TEXT_P(load_source(fcinfo, &source, &model, &options));
}

/* ---- uploads: load_begin, load_append, load_finish ---- */

/* Columns of nlp.load and nlp.load_file, as 10_store.sql declares them. */
enum
{
	LOAD_ID = 1, LOAD_NAME, LOAD_OWNER, LOAD_OPTIONS, LOAD_CREATED, LOAD_COLS = LOAD_CREATED
};
enum
{
	FILE_ID = 1, FILE_FILE, FILE_DATA, FILE_NEXT_SEQ, FILE_BYTES, FILE_COLS = FILE_BYTES
};

typedef struct Upload
{
	int64		id;
	char	   *name;
	Jsonb	   *options;
	HeapTuple	tuple;
} Upload;

/* Rows of one table by its primary key, newest committed or own version, copied. */
static List *
rows_by_id(Relation rel, const char *index, int64 id, const char *file)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *rows = NIL;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	if (file)
		ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(file));
	scan = systable_beginscan(rel, pg_nlp_catalog(index), true, snapshot, file ? 2 : 1, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		rows = lappend(rows, heap_copytuple(tuple));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	return rows;
}

/* Find an upload of the caller's and keep others off it until the transaction ends. */
static void
open_upload(int64 id, Upload *upload)
{
	Relation	rel = table_open(pg_nlp_catalog("load"), RowExclusiveLock);
	Datum		values[LOAD_COLS];
	bool		nulls[LOAD_COLS];
	List	   *rows;

	LockDatabaseObject(RelationGetRelid(rel), (Oid) id, 0, ExclusiveLock);
	rows = rows_by_id(rel, "load_pkey", id, NULL);
	if (rows == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("upload " INT64_FORMAT " does not exist", id),
				 errhint("nlp.load_begin(name) starts an upload and gives its number.")));
	upload->id = id;
	upload->tuple = linitial(rows);
	heap_deform_tuple(upload->tuple, RelationGetDescr(rel), values, nulls);
	if (!has_privs_of_role(GetUserId(), DatumGetObjectId(values[LOAD_OWNER - 1])))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("upload " INT64_FORMAT " belongs to another role", id)));
	upload->name = TextDatumGetCString(values[LOAD_NAME - 1]);
	upload->options = nulls[LOAD_OPTIONS - 1] ? NULL : DatumGetJsonbP(values[LOAD_OPTIONS - 1]);
	table_close(rel, NoLock);
}

/* load_begin(name text, options jsonb) */
Datum
pg_nlp_load_begin(PG_FUNCTION_ARGS)
{
	LoadOptions options;
	Datum		values[LOAD_COLS] = {0};
	bool		nulls[LOAD_COLS] = {0};
	Relation	rel;
	char	   *name;
	int64		id;

	PreventCommandIfReadOnly("nlp.load_begin()");
	PreventCommandIfParallelMode("nlp.load_begin()");
	refuse_null(fcinfo, 1);
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	pg_nlp_check_name(name);
	load_options(arg_options(fcinfo, 1), &options);
	check_taken(name, options.replace);
	id = nextval_internal(pg_nlp_catalog("load_id"), false);
	values[LOAD_ID - 1] = Int64GetDatum(id);
	values[LOAD_NAME - 1] = CStringGetTextDatum(name);
	values[LOAD_OWNER - 1] = ObjectIdGetDatum(GetUserId());
	nulls[LOAD_OPTIONS - 1] = PG_ARGISNULL(1);
	if (!PG_ARGISNULL(1))
		values[LOAD_OPTIONS - 1] = PG_GETARG_DATUM(1);
	values[LOAD_CREATED - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	rel = table_open(pg_nlp_catalog("load"), RowExclusiveLock);
	CatalogTupleInsert(rel, heap_form_tuple(RelationGetDescr(rel), values, nulls));
	table_close(rel, NoLock);
	PG_RETURN_INT64(id);
}

/* One file is a GGUF of any name; a folder's files have plain names. */
static void
check_file_name(const char *file)
{
	if (strlen(file) > 255 || strchr(file, '/') || strchr(file, '\\') || strcmp(file, "..") == 0 ||
		strcmp(file, ".") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid file name in an upload"),
				 errdetail("A name has at most 255 bytes and no directory.")));
}

/* load_append(id bigint, file text, chunk bytea): bytes of the file so far */
Datum
pg_nlp_load_append(PG_FUNCTION_ARGS)
{
	Upload		upload;
	Datum		values[FILE_COLS] = {0};
	bool		nulls[FILE_COLS] = {0};
	Relation	rel;
	HeapTuple	old = NULL;
	HeapTuple	tuple;
	List	   *rows;
	Writer		w;
	char	   *file;
	bytea	   *chunk;

	PreventCommandIfReadOnly("nlp.load_append()");
	PreventCommandIfParallelMode("nlp.load_append()");
	refuse_null(fcinfo, 3);
	open_upload(PG_GETARG_INT64(0), &upload);
	file = text_to_cstring(PG_GETARG_TEXT_PP(1));
	check_file_name(file);
	chunk = PG_GETARG_BYTEA_PP(2);
	rel = table_open(pg_nlp_catalog("load_file"), RowExclusiveLock);
	rows = rows_by_id(rel, "load_file_pkey", upload.id, file);
	if (rows != NIL)
	{
		old = linitial(rows);
		heap_deform_tuple(old, RelationGetDescr(rel), values, nulls);
	}
	else
	{
		values[FILE_ID - 1] = Int64GetDatum(upload.id);
		values[FILE_FILE - 1] = CStringGetTextDatum(file);
		values[FILE_DATA - 1] = ObjectIdGetDatum(pg_nlp_create_relation(upload.name));
	}
	begin_write(&w, DatumGetObjectId(values[FILE_DATA - 1]), DatumGetInt32(values[FILE_NEXT_SEQ - 1]));
	write_bytes(&w, VARDATA_ANY(chunk), VARSIZE_ANY_EXHDR(chunk));
	end_write(&w);
	values[FILE_NEXT_SEQ - 1] = Int32GetDatum(w.seq);
	values[FILE_BYTES - 1] = Int64GetDatum(DatumGetInt64(values[FILE_BYTES - 1]) + VARSIZE_ANY_EXHDR(chunk));
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	if (old)
		CatalogTupleUpdate(rel, &old->t_self, tuple);
	else
		CatalogTupleInsert(rel, tuple);
	table_close(rel, NoLock);
	PG_RETURN_DATUM(values[FILE_BYTES - 1]);
}

/* Take the upload's rows away; its relations too, unless one became the model's. */
static void
remove_upload(const Upload *upload, List *files, Oid keep)
{
	Relation	load = table_open(pg_nlp_catalog("load"), RowExclusiveLock);
	Relation	load_file = table_open(pg_nlp_catalog("load_file"), RowExclusiveLock);
	ListCell   *lc;

	foreach(lc, files)
	{
		HeapTuple	tuple = lfirst(lc);
		bool		null;
		Oid			relation = DatumGetObjectId(heap_getattr(tuple, FILE_DATA, RelationGetDescr(load_file), &null));

		CatalogTupleDelete(load_file, &tuple->t_self);
		if (relation != keep)
			pg_nlp_drop_relation(relation);
	}
	CatalogTupleDelete(load, &unconstify(Upload *, upload)->tuple->t_self);
	table_close(load_file, NoLock);
	table_close(load, NoLock);
	CommandCounterIncrement();
}

static List *
upload_files(const Upload *upload)
{
	Relation	rel = table_open(pg_nlp_catalog("load_file"), RowExclusiveLock);
	List	   *files = rows_by_id(rel, "load_file_pkey", upload->id, NULL);

	table_close(rel, NoLock);
	return files;
}

/* Check an uploaded GGUF and compute its hash, reading it back from its relation. */
static void
describe_relation(LoadScope *scope, PgNlpNewModel *model)
{
	PgNlpSource source;
	Relation	rel = table_open(model->relation, AccessShareLock);

	pg_nlp_source_relation(&source, rel, UINT64_MAX, true);
	describe(scope, &source.source, model);
	if (pg_nlp_source_sha256(&source, &scope->env, model->sha256, &scope->err) != NLP_OK)
		pg_nlp_raise(&scope->err);
	pg_nlp_source_close(&source);
	table_close(rel, NoLock);
}

/* load_finish(id bigint): the model's name */
Datum
pg_nlp_load_finish(PG_FUNCTION_ARGS)
{
	Upload		upload;
	LoadOptions options;
	PgNlpNewModel model;
	LoadScope  *scope;
	Relation	rel;
	List	   *files;
	bool		null;

	PreventCommandIfReadOnly("nlp.load_finish()");
	PreventCommandIfParallelMode("nlp.load_finish()");
	refuse_null(fcinfo, 1);
	open_upload(PG_GETARG_INT64(0), &upload);
	load_options(upload.options, &options);
	files = upload_files(&upload);
	if (list_length(files) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("upload " INT64_FORMAT " has %d files; a model is one GGUF file", upload.id,
						list_length(files))));
	rel = table_open(pg_nlp_catalog("load_file"), AccessShareLock);
	model = (PgNlpNewModel) {
		.name = upload.name,
		.relation = DatumGetObjectId(heap_getattr(linitial(files), FILE_DATA, RelationGetDescr(rel), &null)),
		.source = options.source,
		.card = options.card
	};
	table_close(rel, AccessShareLock);
	scope = begin_scope("nlp.load_finish", model.name);
	describe_relation(scope, &model);
	end_scope(scope);
	pg_nlp_store_put(&model, options.replace);
	remove_upload(&upload, files, model.relation);
	PG_RETURN_TEXT_P(cstring_to_text(model.name));
}

/* load_abort(id bigint) */
Datum
pg_nlp_load_abort(PG_FUNCTION_ARGS)
{
	Upload		upload;

	PreventCommandIfReadOnly("nlp.load_abort()");
	PreventCommandIfParallelMode("nlp.load_abort()");
	refuse_null(fcinfo, 1);
	open_upload(PG_GETARG_INT64(0), &upload);
	remove_upload(&upload, upload_files(&upload), InvalidOid);
	PG_RETURN_VOID();
}

/* ---- nlp.export_model ---- */

typedef struct Export
{
	Relation	rel;
	Snapshot	snapshot;
	TableScanDesc scan;
	TupleTableSlot *slot;
	ExprContext *econtext;
} Export;

static void
end_export(Datum arg)
{
	Export	   *e = (Export *) DatumGetPointer(arg);

	table_endscan(e->scan);
	ExecDropSingleTupleTableSlot(e->slot);
	UnregisterSnapshot(e->snapshot);
	table_close(e->rel, NoLock);
}

static Export *
begin_export(FunctionCallInfo fcinfo, const char *name)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Export	   *e = palloc0(sizeof(Export));
	PgNlpModelRow row;
	AclResult	allowed;

	if (!pg_nlp_store_find(name, pg_nlp_statement_snapshot(), &row))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" does not exist", name)));
	e->rel = table_open(row.relation, AccessShareLock);
	allowed = pg_class_aclcheck(row.relation, GetUserId(), ACL_SELECT);
	if (allowed != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied for model \"%s\"", name)));
	e->snapshot = RegisterSnapshot(GetLatestSnapshot());
	e->slot = table_slot_create(e->rel, NULL);
	e->scan = table_beginscan_strat(e->rel, e->snapshot, 0, NULL, true, false);
	e->econtext = rsinfo->econtext;
	RegisterExprContextCallback(e->econtext, end_export, PointerGetDatum(e));
	return e;
}

/* export_model(name text) returns setof (seq int, data bytea): the stored bytes, a
 * row at a time, so that a client that fetches as it goes needs no memory for them. */
Datum
pg_nlp_export_model(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	Export	   *e;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		funcctx = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &funcctx->tuple_desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		funcctx->tuple_desc = BlessTupleDesc(funcctx->tuple_desc);
		funcctx->user_fctx = begin_export(fcinfo, text_to_cstring(PG_GETARG_TEXT_PP(0)));
		MemoryContextSwitchTo(old);
	}
	funcctx = SRF_PERCALL_SETUP();
	e = funcctx->user_fctx;
	if (table_scan_getnextslot(e->scan, ForwardScanDirection, e->slot))
	{
		Datum		values[2];
		bool		nulls[2];

		for (int i = 0; i < 2; i++)
			values[i] = slot_getattr(e->slot, i + 1, &nulls[i]);
		SRF_RETURN_NEXT(funcctx, HeapTupleGetDatum(heap_form_tuple(funcctx->tuple_desc, values, nulls)));
	}
	UnregisterExprContextCallback(e->econtext, end_export, PointerGetDatum(e));
	end_export(PointerGetDatum(e));
	SRF_RETURN_DONE(funcctx);
}
