/* fn_common.h --- what the SQL-callable files share: a result remembered for
 * constant arguments, texts to and from UTF-8, and rows run through the decoder. */
#ifndef PG_NLP_FN_COMMON_H
#define PG_NLP_FN_COMMON_H

#include "options.h"
#include "utils/array.h"

/* ---- arguments ---- */
/* Options argument i as a Jsonb, NULL when absent or SQL NULL. */
extern Jsonb *pg_nlp_arg_jsonb(FunctionCallInfo fcinfo, int i);
extern text *pg_nlp_arg_text(FunctionCallInfo fcinfo, int i);

/* An error context callback for SQL that came in an argument (arg: the char * text):
 * positions of errors are in it and not in the user's statement. */
extern void pg_nlp_inner_position(void *arg);

/* A call record whose fn_extra belongs to pg_nlp_call_begin; the real one holds
 * our own state. Lives as long as fcinfo->flinfo. */
extern FunctionCallInfo pg_nlp_lookup(FunctionCallInfo fcinfo);

/* ---- constant arguments: once a statement ----
 *
 * When every argument is a constant or a parameter of the statement, the result is
 * kept, in fn_extra and for the last few also in the session, with the arguments'
 * bytes, the snapshot, the command, the transactions, the effective role and the
 * setting that names the task's default model; it is given again only while all of
 * these are the same (PL/pgSQL keeps fn_extra across statements). */
extern bool pg_nlp_recall(FunctionCallInfo fcinfo, uint32 task, Datum *result, bool *isnull);
extern void pg_nlp_remember(FunctionCallInfo fcinfo, uint32 task, Datum result, bool isnull);

/* ---- texts ----
 *
 * Errors are values, so that on_error => null needs no subtransaction. */
/* "zh" when the text (or the jsonb, by its strings) is mainly Chinese, else "en". */
extern const char *pg_nlp_language(Datum value);
/* *utf8 is s itself or a palloc'ed copy; not NUL-terminated. NLP_ETEXT with the offset. */
extern NlpStatus pg_nlp_to_utf8(const char *s, size_t len, const char **utf8, size_t *utf8_len, NlpError *err);
/* A palloc'ed text in the database's encoding. NLP_ETEXT when it cannot hold the
 * characters, NLP_ELIMIT over 1 GB. */
extern NlpStatus pg_nlp_from_utf8(const char *utf8, size_t len, text **out, NlpError *err);
/* Bytes that may not be UTF-8: what is not becomes U+FFFD. */
extern NlpStatus pg_nlp_from_bytes(const char *bytes, size_t len, text **out, NlpError *err);

/* Whether an error is about the row's own data (on_error => null makes it NULL) and
 * not about the model, memory or a cancel. */
extern bool pg_nlp_is_data_error(NlpStatus status);

/* ---- rows through the decoder ---- */
typedef struct PgNlpRow
{
	int			element;		/* of the array it came from, from 1; 0: not from an array */
	bool		skip;			/* NULL in, or given up under on_error => null */
	int			max_tokens;		/* of this row; 0: as the options say */
	NlpTokens	prompt;
	text	   *answer;			/* NULL while skip */
} PgNlpRow;

/* An error of a row: raise it (naming the element) or, if it is a data error and the
 * options say so, give the row up. */
extern void pg_nlp_row_error(PgNlpRow *row, const PgNlpOptions *options, NlpError *err);
/* NLP_ELIMIT when a text of len bytes cannot but have far more tokens than the context,
 * told without reading it; NLP_OK when truncate is asked. */
extern NlpStatus pg_nlp_check_length(PgNlpCall *call, const PgNlpOptions *options, size_t len);
/* Encode a UTF-8 prompt into row. flags: NLP_ENCODE_*. */
extern void pg_nlp_row_encode(PgNlpCall *call, const PgNlpOptions *options, PgNlpRow *row,
							  const char *utf8, size_t len, unsigned flags);
/* Answer every row that is not skipped, as one batch; frees the prompts. Answers are
 * palloc'ed in the current context. before, when not NULL, is what the call has done
 * in earlier batches, and is brought up to date; rows are then not counted here. */
typedef struct PgNlpTally
{
	NlpDecoderStats stats;
	uint64		rows;
} PgNlpTally;
extern void pg_nlp_run_rows(PgNlpCall *call, const PgNlpOptions *options, PgNlpRow *rows, int n, PgNlpTally *before);

/* The decoder for n >= 1 rows of these lengths, prompt and answer in tokens (put into
 * another order here): as many at once as the compute memory allows, its memory reserved. */
extern NlpDecoder *pg_nlp_open_decoder(PgNlpCall *call, size_t *lengths, int n);
/* The options of one row: a max_tokens that was not asked for shrinks to the room left. */
extern NlpGenOptions pg_nlp_row_options(const PgNlpCall *call, const PgNlpOptions *options, const PgNlpRow *row);

/* ---- the two shapes of a verb, (input, model, options) and (inputs[], model, options) ----
 *
 * run fills the answers of all rows that are not skipped from their values. */
typedef void (*PgNlpRun) (PgNlpCall *call, const PgNlpOptions *options, PgNlpRow *rows, const Datum *values, int n);
extern Datum pg_nlp_verb_one(FunctionCallInfo fcinfo, const PgNlpVerb *verb, PgNlpRun run);
extern Datum pg_nlp_verb_array(FunctionCallInfo fcinfo, const PgNlpVerb *verb, PgNlpRun run);

#endif
