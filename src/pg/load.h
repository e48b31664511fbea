/* load.h --- what the ways of loading a model share: options, the scope of a
 * load, chunks written to a relation, what a file says of itself. */
#ifndef PG_NLP_LOAD_H
#define PG_NLP_LOAD_H

#include "shared.h"

#include "access/heapam.h"
#include "format/hf_import.h"
#include "wordvec/files.h"

typedef struct PgNlpLoadOptions
{
	bool		replace;
	bool		quantize;		/* output was given */
	NlpHfOutput output;			/* of a Hugging Face folder */
	char	   *source;			/* or NULL */
	Jsonb	   *card;			/* or NULL */
	uint32		limit;			/* words of a word vector file; 0: all */
	bool		skip_bad_words;
	const char *words_option;	/* the first given of those two, or NULL */
} PgNlpLoadOptions;

/* options jsonb, or NULL; unknown keys and wrong types raise. */
extern void pg_nlp_load_options(Jsonb *options, PgNlpLoadOptions *out);
extern Jsonb *pg_nlp_arg_options(FunctionCallInfo fcinfo, int i);
extern void pg_nlp_refuse_null(FunctionCallInfo fcinfo, int n); /* the first n arguments */
/* A name that is taken is refused before bytes are copied; it is looked at again, with
 * the name locked, when the row is written. */
extern void pg_nlp_check_taken(const char *name, bool replace);

/* Memory charged to the budget and a row in nlp.activity, undone by the reset of the
 * context that was current. */
typedef struct PgNlpLoadScope
{
	MemoryContext mcxt;
	MemoryContextCallback undo;
	PgNlpMemory memory;
	NlpEnv		env;
	PgNlpActivity *activity;
	NlpError	err;
} PgNlpLoadScope;

extern PgNlpLoadScope *pg_nlp_begin_scope(const char *verb, const char *model);
extern void pg_nlp_end_scope(PgNlpLoadScope *scope);

/* Check a GGUF and fill in what its row says; a bad one raises. */
extern void pg_nlp_describe(PgNlpLoadScope *scope, const NlpSource *source, PgNlpNewModel *model);
extern void pg_nlp_describe_relation(PgNlpLoadScope *scope, PgNlpNewModel *model);

/* Bytes appended to a relation as full chunks. */
typedef struct PgNlpWriter
{
	Relation	rel;
	BulkInsertState bulk;
	int32		seq;			/* of the next chunk */
	bytea	   *chunk;
	Size		fill;
} PgNlpWriter;

extern void pg_nlp_begin_write(PgNlpWriter *w, Oid relation, int32 first_seq);
extern void pg_nlp_write_bytes(PgNlpWriter *w, const char *bytes, Size len);
extern void pg_nlp_end_write(PgNlpWriter *w);

/* ---- import.c: Hugging Face folders ---- */
typedef struct PgNlpFolder
{
	int			n;
	char	  **names;
	PgNlpSource **sources;
} PgNlpFolder;

extern void pg_nlp_folder_add(PgNlpFolder *folder, const char *name, PgNlpSource *source);
extern bool pg_nlp_is_folder(const char *path);
extern void pg_nlp_open_folder(PgNlpFolder *folder, const char *path);
extern void pg_nlp_close_folder(PgNlpFolder *folder);
/* Convert to GGUF in a new relation of the caller's, check it, fill in model. */
extern void pg_nlp_import(PgNlpLoadScope *scope, PgNlpFolder *folder, const PgNlpLoadOptions *options,
						  PgNlpNewModel *model);

/* ---- import_words.c: word vector files ---- */
/* Raises when options are not for a file that is stored as it is. */
extern void pg_nlp_only_gguf_options(const PgNlpLoadOptions *options);
/* Whether source is a word vector file of another project. */
extern bool pg_nlp_is_word_file(PgNlpLoadScope *scope, const NlpSource *source);
/* Convert it to GGUF in a new relation of the caller's, check it, fill in model; a NOTICE
 * says what was read. */
extern void pg_nlp_import_words(PgNlpLoadScope *scope, const NlpSource *source, const PgNlpLoadOptions *options,
								PgNlpNewModel *model);
/* Rows (seq, data) of the SRF that InitMaterializedSRF began: a word vector model's table in
 * another project's format. */
extern void pg_nlp_export_words(FunctionCallInfo fcinfo, const text *model_name, const char *format);

/* A sink over a PgNlpWriter, as NlpSink.write; an ERROR is kept for pg_nlp_raise. */
extern NlpStatus pg_nlp_write_sink(void *writer, const void *bytes, size_t len, NlpError *err);

#endif
