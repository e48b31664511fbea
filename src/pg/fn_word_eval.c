/* fn_word_eval.c --- nlp.evaluate_word_vectors and nlp.project: judging word vectors and
 * drawing them. */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "fn_words.h"
#include "wordvec/evaluate.h"
#include "wordvec/project.h"

PG_FUNCTION_INFO_V1(pg_nlp_evaluate_word_vectors);
PG_FUNCTION_INFO_V1(pg_nlp_evaluate_word_vectors_array);
PG_FUNCTION_INFO_V1(pg_nlp_project);

#define RESTRICT_TO 30000		/* compute-accuracy's own */

static const PgNlpVerb evaluate_verb = {"nlp.evaluate_word_vectors", NLP_TASK_WORD_VECTORS, 0, 0, NULL};
static const PgNlpVerb project_verb = {"nlp.project", NLP_TASK_WORD_VECTORS, 0, 0, NULL};

/* ---- nlp.evaluate_word_vectors ---- */

/* Columns of the result. */
enum
{
	EVAL_SECTION, EVAL_KIND, EVAL_CORRECT, EVAL_TOTAL, EVAL_SKIPPED, EVAL_ACCURACY, EVAL_SPEARMAN, EVAL_PEARSON,
	EVAL_COLS
};

static void
put_number(Datum *values, bool *nulls, int col, double x)
{
	values[col] = Float8GetDatum(x);
	nulls[col] = isnan(x);
}

/* named: a section of the questions; else a sum over sections. */
static void
put_section(ReturnSetInfo *rsinfo, const NlpAnalogySection *s, bool named, const char *kind)
{
	Datum		values[EVAL_COLS];
	bool		nulls[EVAL_COLS] = {0};
	NlpError	err = {0};
	text	   *name;

	nulls[EVAL_SECTION] = !named;
	if (named)
	{
		if (pg_nlp_from_utf8(s->name, s->name_len, &name, &err) != NLP_OK)
			pg_nlp_raise(&err);
		values[EVAL_SECTION] = PointerGetDatum(name);
	}
	values[EVAL_KIND] = CStringGetTextDatum(kind);
	values[EVAL_CORRECT] = Int32GetDatum((int32) s->correct);
	values[EVAL_TOTAL] = Int32GetDatum((int32) s->asked);
	values[EVAL_SKIPPED] = Int32GetDatum((int32) (s->questions - s->asked));
	put_number(values, nulls, EVAL_ACCURACY, s->asked ? (double) s->correct / s->asked : NAN);
	nulls[EVAL_SPEARMAN] = nulls[EVAL_PEARSON] = true;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
analogies(ReturnSetInfo *rsinfo, PgNlpCall *call, NlpStr data, int top, bool fold)
{
	NlpAnalogyOptions options = {.restrict_to = (uint32) top, .fold = fold};
	NlpAnalogies a = {0};

	if (nlp_words_analogies(pg_nlp_words_table(call), data.data, data.len, &options, &call->env, &a,
							&call->err) != NLP_OK)
		pg_nlp_raise(&call->err);	/* a's memory is the call's */
	for (uint32 i = 0; i < a.n_sections; i++)
		put_section(rsinfo, &a.sections[i], true, a.sections[i].syntactic ? "syntactic" : "semantic");
	put_section(rsinfo, &a.semantic, false, "semantic");
	put_section(rsinfo, &a.syntactic, false, "syntactic");
	put_section(rsinfo, &a.total, false, "total");
	nlp_analogies_free(&a);
}

static void
similarity(ReturnSetInfo *rsinfo, PgNlpCall *call, NlpStr data, bool fold)
{
	NlpPairScores s;
	Datum		values[EVAL_COLS] = {0};
	bool		nulls[EVAL_COLS] = {0};

	if (nlp_words_pairs(pg_nlp_words_table(call), data.data, data.len, fold, &call->env, &s, &call->err) != NLP_OK)
		pg_nlp_raise(&call->err);
	nulls[EVAL_SECTION] = nulls[EVAL_CORRECT] = nulls[EVAL_ACCURACY] = true;
	values[EVAL_KIND] = CStringGetTextDatum("similarity");
	values[EVAL_TOTAL] = Int32GetDatum((int32) s.known);
	values[EVAL_SKIPPED] = Int32GetDatum((int32) (s.pairs - s.known));
	put_number(values, nulls, EVAL_SPEARMAN, s.spearman);
	put_number(values, nulls, EVAL_PEARSON, s.pearson);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Arguments (model, task, data, top, fold_case), data aside. */
static void
evaluate(FunctionCallInfo fcinfo, const text *data)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *task = text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool		is_similarity = strcmp(task, "similarity") == 0;
	int			top = PG_ARGISNULL(3) ? RESTRICT_TO : PG_GETARG_INT32(3);
	bool		fold = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	PgNlpCall  *call;

	if (!is_similarity && strcmp(task, "analogies") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("task must be \"analogies\" or \"similarity\"")));
	if (top < 0 || (is_similarity && !PG_ARGISNULL(3)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 is_similarity ? errmsg("top is for analogies only") : errmsg("top must not be negative"),
				 is_similarity ? 0 : errhint("0 stands for the whole vocabulary.")));
	call = pg_nlp_words_begin(NULL, &evaluate_verb, pg_nlp_arg_text(fcinfo, 0), data);
	if (is_similarity)
		similarity(rsinfo, call, pg_nlp_word(data), fold);
	else
		analogies(rsinfo, call, pg_nlp_word(data), top, fold);
	pg_nlp_call_progress(call, NULL, 1);
	pg_nlp_call_end(call);
}

/* evaluate_word_vectors(model text, task text, data text, top int, fold_case boolean) */
Datum
pg_nlp_evaluate_word_vectors(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
		evaluate(fcinfo, PG_GETARG_TEXT_PP(2));
	PG_RETURN_NULL();
}

/* The same with a line of data in each element; NULL elements are no lines. */
Datum
pg_nlp_evaluate_word_vectors_array(PG_FUNCTION_ARGS)
{
	StringInfoData lines;
	Datum	   *values;
	bool	   *nulls;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	initStringInfo(&lines);
	for (int i = 0; i < n; i++)
	{
		text	   *line = nulls[i] ? NULL : DatumGetTextPP(values[i]);

		if (line == NULL)
			continue;
		appendBinaryStringInfo(&lines, VARDATA_ANY(line), VARSIZE_ANY_EXHDR(line));
		appendStringInfoChar(&lines, '\n');
	}
	evaluate(fcinfo, cstring_to_text_with_len(lines.data, lines.len));
	PG_RETURN_NULL();
}

/* ---- nlp.project ---- */

/* Rows of the known words, one after the other; known[i] is the place in words. */
static float *
gather_rows(PgNlpCall *call, const NlpStr *words, size_t n, size_t *known, size_t *n_known)
{
	const NlpWords *w = pg_nlp_words_table(call);
	size_t		bytes;
	float	   *rows;

	if (!nlp_mul_size(n + 1, w->dim * sizeof(float), &bytes) ||
		(rows = nlp_alloc(call->env.alloc, bytes)) == NULL)
	{
		nlp_no_memory(&call->err, n * w->dim * sizeof(float), "the vectors of the words");
		pg_nlp_raise(&call->err);
	}
	*n_known = 0;
	for (size_t i = 0; i < n; i++)
	{
		float	   *made = NULL;
		const float *row = pg_nlp_word_row(w, words[i], true, &made);

		CHECK_FOR_INTERRUPTS();
		if (row == NULL)
			continue;
		memcpy(rows + *n_known * w->dim, row, w->dim * sizeof(float));
		known[(*n_known)++] = i;
		if (made)
			pfree(made);
	}
	return rows;
}

static void
put_points(ReturnSetInfo *rsinfo, const NlpStr *words, const size_t *known, size_t n, const float *xy, uint32 k)
{
	NlpError	err = {0};

	for (size_t i = 0; i < n; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {0};
		const NlpStr *word = &words[known[i]];
		text	   *t;

		if (pg_nlp_from_utf8(word->data, word->len, &t, &err) != NLP_OK)
			pg_nlp_raise(&err);
		values[0] = PointerGetDatum(t);
		values[1] = Float4GetDatum(xy[i * k]);
		values[2] = Float4GetDatum(k > 1 ? xy[i * k + 1] : 0);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		pfree(t);
	}
}

/* project(model text, words text[], method text): setof (word, x, y) */
Datum
pg_nlp_project(PG_FUNCTION_ARGS)
{
	PgNlpCall  *call;
	NlpStr	   *words;
	text	   *sample;
	size_t	   *known;
	size_t		n,
				n_known;
	uint32		dim,
				k;
	float	   *rows,
			   *xy;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	if (strcmp(text_to_cstring(PG_GETARG_TEXT_PP(2)), "pca") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("method must be \"pca\"")));
	words = pg_nlp_word_array(PG_GETARG_ARRAYTYPE_P(1), &n, &sample);
	call = pg_nlp_words_begin(NULL, &project_verb, pg_nlp_arg_text(fcinfo, 0), sample);
	dim = pg_nlp_words_table(call)->dim;
	k = Min(dim, 2);
	known = palloc_extended((n + 1) * sizeof(size_t), MCXT_ALLOC_HUGE);
	rows = gather_rows(call, words, n, known, &n_known);
	xy = palloc_extended((n_known + 1) * k * sizeof(float), MCXT_ALLOC_HUGE);
	if (n_known > 0 && nlp_project_pca(rows, dim, (uint32) n_known, dim, k, &call->env, xy, NULL, &call->err) != NLP_OK)
		pg_nlp_raise(&call->err);
	put_points((ReturnSetInfo *) fcinfo->resultinfo, words, known, n_known, xy, k);
	pg_nlp_call_progress(call, NULL, 1);
	pg_nlp_call_end(call);
	PG_RETURN_NULL();
}
