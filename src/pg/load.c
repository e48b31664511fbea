/* load.c --- a model's bytes into the store and out of it: nlp.load_model and
 * nlp.export_model. Uploads are in upload.c, Hugging Face folders in import.c, word
 * vector files in import_words.c.
 *
 * Trust:  a file or a bytea is a stranger's. Its header, vocabulary and tensor
 *         directory pass nlp_image_plan, its data nlp_image_verify, before a row names it; both are
 *         checked again whenever an image is built.
 * Atomic: relation, row and dependency belong to the caller's transaction.
 * WAL:    about the model's size; a new page needs no image of itself. */
#include "load.h"

#include <limits.h>
#include <sys/stat.h>

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* What fills a page with one tuple: header, seq, varlena header, bytes. */
#define CHUNK_BYTES ((MaxHeapTupleSize - MAXALIGN(SizeofHeapTupleHeader) - sizeof(int32) - VARHDRSZ) / 64 * 64)

PG_FUNCTION_INFO_V1(pg_nlp_load_model_path);
PG_FUNCTION_INFO_V1(pg_nlp_load_model_bytea);
PG_FUNCTION_INFO_V1(pg_nlp_export_model);

/* ---- options ---- */

static void
bad_option(const char *key, const char *want)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("option \"%s\" must be %s", key, want)));
}

/* "limit": at least 1, at most what a vocabulary can have. */
static uint32
row_limit(const JsonbValue *v)
{
	double		x = 0;

	if (v->type == jbvNumeric)
		x = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(v->val.numeric)));
	if (!(x >= 1 && x <= INT_MAX) || x != (double) (uint32) x)
		bad_option("limit", "a whole number of at least 1");
	return (uint32) x;
}

static void
one_option(const char *key, JsonbValue *v, PgNlpLoadOptions *out)
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
	else if (strcmp(key, "quantize") == 0)
	{
		if (v->type != jbvString || !nlp_hf_output_parse(pnstrdup(v->val.string.val, v->val.string.len), &out->output))
			bad_option(key, "\"keep\", \"f16\", \"q8_0\", \"q4_0\" or \"q4_1\"");
		out->quantize = true;
	}
	else if (strcmp(key, "limit") == 0)
	{
		out->limit = row_limit(v);
		out->words_option = "limit";
	}
	else if (strcmp(key, "skip_bad_words") == 0)
	{
		if (v->type != jbvBool)
			bad_option(key, "true or false");
		out->skip_bad_words = v->val.boolean;
		out->words_option = "skip_bad_words";
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("loading a model has no option \"%s\"", key),
				 errhint("Known options are \"replace\", \"source\", \"card\", \"quantize\", \"limit\" and \"skip_bad_words\".")));
}

void
pg_nlp_load_options(Jsonb *options, PgNlpLoadOptions *out)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;

	*out = (PgNlpLoadOptions) {0};
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

Jsonb *
pg_nlp_arg_options(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : PG_GETARG_JSONB_P(i);
}

void
pg_nlp_refuse_null(FunctionCallInfo fcinfo, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument %d must not be null", i + 1)));
	}
}

/* ---- the scope of one load: memory, and a row in nlp.activity ---- */

static void
undo_scope(void *arg)
{
	PgNlpLoadScope  *scope = arg;

	pg_nlp_activity_end(scope->activity);
	pg_nlp_memory_release(&scope->memory);
}

PgNlpLoadScope *
pg_nlp_begin_scope(const char *verb, const char *model)
{
	MemoryContext mcxt = AllocSetContextCreate(CurrentMemoryContext, "pg_nlp load", ALLOCSET_DEFAULT_SIZES);
	PgNlpLoadScope  *scope = MemoryContextAllocZero(mcxt, sizeof(PgNlpLoadScope));

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

void
pg_nlp_end_scope(PgNlpLoadScope *scope)
{
	MemoryContextDelete(scope->mcxt);
}

/* What the row of nlp.model says of a file; a bad one raises. */
void
pg_nlp_describe(PgNlpLoadScope *scope, const NlpSource *source, PgNlpNewModel *model)
{
	NlpImagePlan *plan;
	const NlpImage *header;

	if (nlp_image_plan(source, &scope->env, &plan, &scope->err) != NLP_OK ||
		nlp_image_verify(plan, source, &scope->env, &scope->err) != NLP_OK)
		pg_nlp_raise(&scope->err);
	header = nlp_image_plan_header(plan);
	model->architecture = pstrdup(header->name);
	model->tasks = header->tasks;
	model->parameters = header->parameters;
	model->bytes = source->size;
	nlp_image_plan_free(plan);
}

/* The same for a GGUF that is in model->relation, and its hash, by reading it back. */
void
pg_nlp_describe_relation(PgNlpLoadScope *scope, PgNlpNewModel *model)
{
	PgNlpSource source;
	Relation	rel = table_open(model->relation, AccessShareLock);

	pg_nlp_source_relation(&source, rel, UINT64_MAX, true);
	pg_nlp_describe(scope, &source.source, model);
	if (pg_nlp_source_sha256(&source, &scope->env, model->sha256, &scope->err) != NLP_OK)
		pg_nlp_raise(&scope->err);
	pg_nlp_source_close(&source);
	table_close(rel, NoLock);
}

/* ---- writing chunks ---- */

void
pg_nlp_begin_write(PgNlpWriter *w, Oid relation, int32 first_seq)
{
	*w = (PgNlpWriter) {
		.rel = table_open(relation, RowExclusiveLock),
		.bulk = GetBulkInsertState(),
		.seq = first_seq,
		.chunk = palloc(CHUNK_BYTES + VARHDRSZ)
	};
	pg_nlp_check_data(w->rel);
}

static void
write_chunk(PgNlpWriter *w)
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

void
pg_nlp_write_bytes(PgNlpWriter *w, const char *bytes, Size len)
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

void
pg_nlp_end_write(PgNlpWriter *w)
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
store_source(PgNlpLoadScope *scope, const NlpSource *source, PgNlpNewModel *model)
{
	const Size	step = 256 * 1024;
	char	   *buffer = palloc(step);
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	PgNlpWriter		w;

	if (hash == NULL || pg_cryptohash_init(hash) < 0)
		hash_failed();
	model->relation = pg_nlp_create_relation(model->name);
	pg_nlp_begin_write(&w, model->relation, 0);
	for (uint64 at = 0; at < source->size;)
	{
		Size		n = Min(step, source->size - at);

		CHECK_FOR_INTERRUPTS();
		if (source->read(source->ctx, at, n, buffer, &scope->err) != NLP_OK)
			pg_nlp_raise(&scope->err);
		if (pg_cryptohash_update(hash, (uint8 *) buffer, n) < 0)
			hash_failed();
		pg_nlp_write_bytes(&w, buffer, n);
		at += n;
	}
	pg_nlp_end_write(&w);
	if (pg_cryptohash_final(hash, model->sha256, PG_NLP_SHA256_BYTES) < 0)
		hash_failed();
	pg_cryptohash_free(hash);
	pfree(buffer);
}

/* ---- nlp.load_model ---- */

void
pg_nlp_check_taken(const char *name, bool replace)
{
	PgNlpModelRow row;

	if (!pg_nlp_store_find(name, pg_nlp_statement_snapshot(), &row))
		return;
	pg_nlp_store_lock_name(name, replace, &row);
}

/* One file: a GGUF, which is stored as it is, or word vectors of another format. */
static text *
load_source(PgNlpSource *source, PgNlpNewModel *model, const PgNlpLoadOptions *options)
{
	PgNlpLoadScope *scope;

	pg_nlp_check_taken(model->name, options->replace);
	scope = pg_nlp_begin_scope("nlp.load_model", model->name);
	if (pg_nlp_is_word_file(scope, &source->source))
		pg_nlp_import_words(scope, &source->source, options, model);
	else
	{
		pg_nlp_only_gguf_options(options);
		pg_nlp_describe(scope, &source->source, model);
		store_source(scope, &source->source, model);
	}
	pg_nlp_end_scope(scope);
	model->card = options->card;
	pg_nlp_store_put(model, options->replace);
	return cstring_to_text(model->name);
}

static text *
load_folder(const char *path, PgNlpNewModel *model, const PgNlpLoadOptions *options)
{
	PgNlpLoadScope *scope;
	PgNlpFolder folder = {0};

	if (options->words_option)
		pg_nlp_only_gguf_options(options);
	pg_nlp_check_taken(model->name, options->replace);
	scope = pg_nlp_begin_scope("nlp.load_model", model->name);
	pg_nlp_open_folder(&folder, path);
	pg_nlp_import(scope, &folder, options, model);
	pg_nlp_close_folder(&folder);
	pg_nlp_end_scope(scope);
	model->card = options->card;
	pg_nlp_store_put(model, options->replace);
	return cstring_to_text(model->name);
}

static void
begin_load(FunctionCallInfo fcinfo, const char *command, PgNlpNewModel *model, PgNlpLoadOptions *options)
{
	PreventCommandIfReadOnly(command);
	PreventCommandIfParallelMode(command);
	pg_nlp_refuse_null(fcinfo, 2);
	*model = (PgNlpNewModel) {.name = text_to_cstring(PG_GETARG_TEXT_PP(0))};
	pg_nlp_check_name(model->name);
	pg_nlp_load_options(pg_nlp_arg_options(fcinfo, 2), options);
}

/* load_model(name text, path text, options jsonb) */
Datum
pg_nlp_load_model_path(PG_FUNCTION_ARGS)
{
	PgNlpNewModel model;
	PgNlpLoadOptions options;
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
	model.source = options.source ? options.source : path;
	if (pg_nlp_is_folder(path))
		PG_RETURN_TEXT_P(load_folder(path, &model, &options));
	pg_nlp_source_file(&source, path);
	name = load_source(&source, &model, &options);
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
	PgNlpLoadOptions options;
	PgNlpSource source;
	bytea	   *data;

	begin_load(fcinfo, "nlp.load_model()", &model, &options);
	data = PG_GETARG_BYTEA_PP(1);
	pg_nlp_source_bytes(&source, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
	model.source = options.source;
	PG_RETURN_TEXT_P(load_source(&source, &model, &options));
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
	pg_nlp_check_data(e->rel);
	e->snapshot = RegisterSnapshot(IsInParallelMode() ? GetTransactionSnapshot() : GetLatestSnapshot());
	e->slot = table_slot_create(e->rel, NULL);
	e->scan = table_beginscan_strat(e->rel, e->snapshot, 0, NULL, true, false);
	e->econtext = rsinfo->econtext;
	RegisterExprContextCallback(e->econtext, end_export, PointerGetDatum(e));
	return e;
}

/* export_model(name text, format text) returns setof (seq int, data bytea). "gguf": the
 * stored bytes, a row at a time, so that a client that fetches as it goes needs no memory
 * for them. The other formats are made at once, into a tuplestore. */
Datum
pg_nlp_export_model(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	Export	   *e;

	if (SRF_IS_FIRSTCALL())
	{
		char	   *format = PG_NARGS() > 1 ? text_to_cstring(PG_GETARG_TEXT_PP(1)) : "gguf";
		PgNlpModelRow row;

		if (strcmp(format, "gguf") != 0)
		{
			InitMaterializedSRF(fcinfo, 0);
			pg_nlp_export_words(fcinfo, PG_GETARG_TEXT_PP(0), format);
			PG_RETURN_NULL();
		}
		if (pg_nlp_find_model(text_to_cstring(PG_GETARG_TEXT_PP(0)), pg_nlp_statement_snapshot(), &row) &&
			pg_nlp_is_shipped(&row))
		{
			pg_nlp_shipped_export(fcinfo, &row);
			PG_RETURN_NULL();
		}
	}
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
