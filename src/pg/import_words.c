/* import_words.c --- word vectors in other projects' formats: in, converted to GGUF by the
 * engine and stored as it comes; out, written from the resident table.
 *
 * Which format a file has is told by its bytes (wordvec/files.h), never by its name. A file that
 * is none of these is taken for a GGUF, whose errors then say what is wrong. */
#include "load.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "nodes/execnodes.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#define EXPORT_CHUNK ((Size) 256 * 1024)

/* ---- in ---- */

void
pg_nlp_only_gguf_options(const PgNlpLoadOptions *options)
{
	if (options->words_option)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" is for word vector files of other formats", options->words_option),
				 errdetail("GGUF files and Hugging Face folders are loaded whole.")));
	if (options->quantize)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"quantize\" is for Hugging Face folders"),
				 errdetail("A GGUF file is stored as it is.")));
}

bool
pg_nlp_is_word_file(PgNlpLoadScope *scope, const NlpSource *source)
{
	NlpWordFormat format;

	if (nlp_wordfile_detect(source, &format, &scope->err) != NLP_OK)
		pg_nlp_raise(&scope->err);
	return format != NLP_WORDFILE_NONE;
}

void
pg_nlp_import_words(PgNlpLoadScope *scope, const NlpSource *source, const PgNlpLoadOptions *options,
					PgNlpNewModel *model)
{
	NlpWordFileOptions want = {.limit = options->limit, .skip_bad_words = options->skip_bad_words};
	NlpWordFileReport report = {0};
	PgNlpWriter writer;
	NlpSink		sink = {pg_nlp_write_sink, &writer};

	if (options->quantize)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"quantize\" is for Hugging Face folders"),
				 errdetail("Word vectors are stored as 32-bit numbers.")));
	model->relation = pg_nlp_create_relation(model->name);
	pg_nlp_begin_write(&writer, model->relation, 0);
	/* no name of its own: the same file gives the same hash under every name */
	if (nlp_wordfile_import(source, &want, "", &sink, &scope->env, &report, &scope->err) != NLP_OK)
		pg_nlp_raise(&scope->err);
	pg_nlp_end_write(&writer);
	pg_nlp_describe_relation(scope, model);
	ereport(NOTICE,
			(errmsg("model \"%s\": %s, words: " UINT64_FORMAT ", dimensions: %u", model->name,
					nlp_wordfile_name(report.format), report.rows, report.dim),
			 report.skipped ? errdetail("Left out, since they were there twice, not UTF-8 or too long: " UINT64_FORMAT ".",
										report.skipped) : 0));
}

/* ---- out ---- */

typedef struct ChunkSink
{
	Tuplestorestate *store;
	TupleDesc	desc;
	int32		seq;
	bytea	   *chunk;
	Size		fill;
} ChunkSink;

static void
put_chunk(ChunkSink *s)
{
	Datum		values[2] = {Int32GetDatum(s->seq), PointerGetDatum(s->chunk)};
	bool		nulls[2] = {false, false};

	if (s->fill == 0)
		return;
	if (s->seq == PG_INT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("model has too many chunks")));
	SET_VARSIZE(s->chunk, s->fill + VARHDRSZ);
	tuplestore_putvalues(s->store, s->desc, values, nulls);
	s->seq++;
	s->fill = 0;
}

/* The engine's frames are below: an ERROR (no room for a temporary file) is kept. */
static NlpStatus
chunk_write(void *ctx, const void *bytes, size_t len, NlpError *err)
{
	ChunkSink  *s = ctx;
	MemoryContext mcxt = CurrentMemoryContext;
	const char *volatile from = bytes;
	volatile size_t left = len;
	volatile NlpStatus status = NLP_OK;

	PG_TRY();
	{
		while (left > 0)
		{
			Size		n = Min(left, EXPORT_CHUNK - s->fill);

			memcpy(VARDATA(s->chunk) + s->fill, from, n);
			s->fill += n;
			from += n;
			left -= n;
			if (s->fill == EXPORT_CHUNK)
				put_chunk(s);
		}
	}
	PG_CATCH();
	{
		pg_nlp_keep_error();
		status = nlp_fail(err, NLP_ECANCELLED, "writing the model failed");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(mcxt);
	return status;
}

void
pg_nlp_export_words(FunctionCallInfo fcinfo, const text *model_name, const char *format)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ChunkSink	chunks = {.store = rsinfo->setResult, .desc = rsinfo->setDesc};
	NlpSink		sink = {chunk_write, &chunks};
	bool		is_text = strcmp(format, "text") == 0;
	PgNlpCall  *call;

	if (!is_text && strcmp(format, "word2vec") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("format must be \"gguf\", \"word2vec\" or \"text\"")));
	call = pg_nlp_call_begin(NULL, "nlp.export_model", NLP_TASK_WORD_VECTORS, model_name, NULL, false);
	chunks.chunk = palloc(EXPORT_CHUNK + VARHDRSZ);
	if (nlp_wordfile_export(nlp_image_words(call->model->image), is_text ? NLP_WORDFILE_W2V_TEXT : NLP_WORDFILE_W2V_BIN,
							&sink, &call->env, &call->err) != NLP_OK)
		pg_nlp_raise(&call->err);
	put_chunk(&chunks);
	pg_nlp_call_progress(call, NULL, 1);
	pg_nlp_call_end(call);
}
