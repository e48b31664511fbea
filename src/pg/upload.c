/* upload.c --- a model sent by a client in pieces: nlp.load_begin, load_append,
 * load_finish, load_abort.
 *
 * An upload lasts over transactions and sessions. Its files are in relations of
 * their own, named by nlp.load_file; load_finish makes a GGUF's relation the model's,
 * or converts word vectors or a Hugging Face folder's files into a new one, and removes
 * the rest. */
#include "load.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(pg_nlp_load_begin);
PG_FUNCTION_INFO_V1(pg_nlp_load_append);
PG_FUNCTION_INFO_V1(pg_nlp_load_finish);
PG_FUNCTION_INFO_V1(pg_nlp_load_abort);

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
	PgNlpLoadOptions options;
	Datum		values[LOAD_COLS] = {0};
	bool		nulls[LOAD_COLS] = {0};
	Relation	rel;
	char	   *name;
	int64		id;

	PreventCommandIfReadOnly("nlp.load_begin()");
	PreventCommandIfParallelMode("nlp.load_begin()");
	pg_nlp_refuse_null(fcinfo, 1);
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	pg_nlp_check_name(name);
	pg_nlp_load_options(pg_nlp_arg_options(fcinfo, 1), &options);
	pg_nlp_check_taken(name, options.replace);
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
	CommandCounterIncrement();
	PG_RETURN_INT64(id);
}

/* A file that is alone may have any name; a folder's files have plain names. */
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
	PgNlpWriter		w;
	char	   *file;
	bytea	   *chunk;

	PreventCommandIfReadOnly("nlp.load_append()");
	PreventCommandIfParallelMode("nlp.load_append()");
	pg_nlp_refuse_null(fcinfo, 3);
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
	pg_nlp_begin_write(&w, DatumGetObjectId(values[FILE_DATA - 1]), DatumGetInt32(values[FILE_NEXT_SEQ - 1]));
	pg_nlp_write_bytes(&w, VARDATA_ANY(chunk), VARSIZE_ANY_EXHDR(chunk));
	pg_nlp_end_write(&w);
	values[FILE_NEXT_SEQ - 1] = Int32GetDatum(w.seq);
	values[FILE_BYTES - 1] = Int64GetDatum(DatumGetInt64(values[FILE_BYTES - 1]) + VARSIZE_ANY_EXHDR(chunk));
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	if (old)
		CatalogTupleUpdate(rel, &old->t_self, tuple);
	else
		CatalogTupleInsert(rel, tuple);
	table_close(rel, NoLock);
	CommandCounterIncrement();	/* the same statement may append again */
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

/* The files as a Hugging Face folder, each read from its relation. */
static void
import_files(PgNlpLoadScope *scope, List *files, TupleDesc desc, const PgNlpLoadOptions *options,
			 PgNlpNewModel *model)
{
	PgNlpFolder folder = {0};
	ListCell   *lc;

	foreach(lc, files)
	{
		Datum		values[FILE_COLS];
		bool		nulls[FILE_COLS];
		PgNlpSource *source = palloc(sizeof(PgNlpSource));

		heap_deform_tuple(lfirst(lc), desc, values, nulls);
		pg_nlp_source_seekable(source, table_open(DatumGetObjectId(values[FILE_DATA - 1]), AccessShareLock));
		pg_nlp_folder_add(&folder, TextDatumGetCString(values[FILE_FILE - 1]), source);
	}
	pg_nlp_import(scope, &folder, options, model);
	for (int i = 0; i < folder.n; i++)
	{
		Relation	rel = folder.sources[i]->rel;

		pg_nlp_source_close(folder.sources[i]);
		table_close(rel, NoLock);
	}
}

/* One file of word vectors is converted; false when it is something else. */
static bool
import_word_file(PgNlpLoadScope *scope, Oid relation, const PgNlpLoadOptions *options, PgNlpNewModel *model)
{
	PgNlpSource source;
	Relation	rel = table_open(relation, AccessShareLock);
	bool		is_words;

	pg_nlp_source_seekable(&source, rel);
	is_words = pg_nlp_is_word_file(scope, &source.source);
	if (is_words)
		pg_nlp_import_words(scope, &source.source, options, model);
	pg_nlp_source_close(&source);
	table_close(rel, NoLock);
	return is_words;
}

/* One file is a GGUF, and its relation becomes the model's, or word vectors; several are
 * a Hugging Face folder. */
static void
finish_files(PgNlpLoadScope *scope, const Upload *upload, List *files, const PgNlpLoadOptions *options,
			 PgNlpNewModel *model)
{
	Relation	rel = table_open(pg_nlp_catalog("load_file"), AccessShareLock);
	bool		null;

	if (files == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("upload " INT64_FORMAT " has no files", upload->id)));
	if (list_length(files) > 1)
	{
		if (options->words_option)
			pg_nlp_only_gguf_options(options);
		import_files(scope, files, RelationGetDescr(rel), options, model);
	}
	else
	{
		Oid			relation = DatumGetObjectId(heap_getattr(linitial(files), FILE_DATA, RelationGetDescr(rel), &null));

		if (!import_word_file(scope, relation, options, model))
		{
			pg_nlp_only_gguf_options(options);
			model->relation = relation;
			pg_nlp_describe_relation(scope, model);
		}
	}
	table_close(rel, AccessShareLock);
}

/* load_finish(id bigint): the model's name */
Datum
pg_nlp_load_finish(PG_FUNCTION_ARGS)
{
	Upload		upload;
	PgNlpLoadOptions options;
	PgNlpNewModel model;
	PgNlpLoadScope *scope;
	List	   *files;

	PreventCommandIfReadOnly("nlp.load_finish()");
	PreventCommandIfParallelMode("nlp.load_finish()");
	pg_nlp_refuse_null(fcinfo, 1);
	open_upload(PG_GETARG_INT64(0), &upload);
	pg_nlp_load_options(upload.options, &options);
	files = upload_files(&upload);
	model = (PgNlpNewModel) {.name = upload.name, .source = options.source, .card = options.card};
	scope = pg_nlp_begin_scope("nlp.load_finish", model.name);
	finish_files(scope, &upload, files, &options, &model);
	pg_nlp_end_scope(scope);
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
	pg_nlp_refuse_null(fcinfo, 1);
	open_upload(PG_GETARG_INT64(0), &upload);
	remove_upload(&upload, upload_files(&upload), InvalidOid);
	PG_RETURN_VOID();
}
