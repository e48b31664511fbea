/* fn_generate.c --- generate and sample: a prompt continued by the model.
 *
 * The prompt goes to the model as it is, without a chat template; texts of special
 * tokens in it are plain text unless the option "special" asks for them. */
#include "postgres.h"

#include "utils/builtins.h"

#include "fn_common.h"

PG_FUNCTION_INFO_V1(pg_nlp_generate);
PG_FUNCTION_INFO_V1(pg_nlp_generate_array);
PG_FUNCTION_INFO_V1(pg_nlp_sample);
PG_FUNCTION_INFO_V1(pg_nlp_sample_array);

static const PgNlpVerb generate_verb = {
	"generate", NLP_TASK_GENERATION, OPTS_ANSWER | OPT_SPECIAL, 128, "sample"
};
static const PgNlpVerb sample_verb = {
	"sample", NLP_TASK_GENERATION, OPTS_ANSWER | OPT_SPECIAL | OPTS_SAMPLING, 128, NULL
};

static void
run_prompts(PgNlpCall *call, const PgNlpOptions *options, PgNlpRow *rows, const Datum *values, int n)
{
	for (int i = 0; i < n; i++)
	{
		text	   *prompt;
		const char *utf8;
		size_t		len;

		if (rows[i].skip)
			continue;
		prompt = DatumGetTextPP(values[i]);
		if (pg_nlp_to_utf8(VARDATA_ANY(prompt), VARSIZE_ANY_EXHDR(prompt), &utf8, &len, &call->err) != NLP_OK)
			pg_nlp_row_error(&rows[i], options, &call->err);
		else
			pg_nlp_row_encode(call, options, &rows[i], utf8, len, options->special ? NLP_ENCODE_SPECIAL : 0);
	}
	pg_nlp_run_rows(call, options, rows, n, NULL);
}

Datum
pg_nlp_generate(PG_FUNCTION_ARGS)
{
	return pg_nlp_verb_one(fcinfo, &generate_verb, run_prompts);
}

Datum
pg_nlp_generate_array(PG_FUNCTION_ARGS)
{
	return pg_nlp_verb_array(fcinfo, &generate_verb, run_prompts);
}

Datum
pg_nlp_sample(PG_FUNCTION_ARGS)
{
	return pg_nlp_verb_one(fcinfo, &sample_verb, run_prompts);
}

Datum
pg_nlp_sample_array(PG_FUNCTION_ARGS)
{
	return pg_nlp_verb_array(fcinfo, &sample_verb, run_prompts);
}
