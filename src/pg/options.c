/* options.c --- reading a verb's options jsonb. */
#include "postgres.h"

#include <limits.h>
#include <math.h>

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "fn_common.h"
#include "options.h"

typedef enum OptionType
{
	OPTION_INT,					/* int field, low..high */
	OPTION_FLOAT,				/* float field */
	OPTION_DOUBLE,
	OPTION_SEED,				/* uint64 field, from any bigint */
	OPTION_BOOL,
	OPTION_TEXT,				/* char * in the server's encoding */
	OPTION_UTF8,				/* char * in UTF-8 */
	OPTION_ON_ERROR,			/* "error" or "null" into a bool */
	OPTION_METHOD,
	OPTION_STOP,				/* string or array of strings */
	OPTION_WORDS,				/* array of strings */
	OPTION_WEIGHTING			/* "sif" or "mean" into a bool */
} OptionType;

typedef struct OptionSpec
{
	const char *key;
	uint64		bit;
	OptionType	type;
	size_t		offset;			/* of the field in PgNlpOptions */
	double		low,
				high;			/* numbers: allowed range, both ends in ... */
	bool		open_low;		/* ... but low itself is not */
} OptionSpec;

#define GEN(field) offsetof(PgNlpOptions, gen.field)
#define SAMPLING(field) offsetof(PgNlpOptions, gen.sampling.field)
#define OWN(field) offsetof(PgNlpOptions, field)

/* In the order in which hints list them. */
static const OptionSpec option_specs[] = {
	{"max_tokens", OPT_MAX_TOKENS, OPTION_INT, GEN(max_tokens), 1, 1000000, false},
	{"stop", OPT_STOP, OPTION_STOP, 0, 0, 0, false},
	{"ignore_eos", OPT_IGNORE_EOS, OPTION_BOOL, GEN(ignore_eos), 0, 0, false},
	{"truncate", OPT_TRUNCATE, OPTION_BOOL, GEN(truncate), 0, 0, false},
	{"on_error", OPT_ON_ERROR, OPTION_ON_ERROR, OWN(null_on_error), 0, 0, false},
	{"method", OPT_METHOD, OPTION_METHOD, OWN(method), 0, 0, false},
	{"instruction", OPT_INSTRUCTION, OPTION_UTF8, OWN(instruction), 0, 0, false},
	{"special", OPT_SPECIAL, OPTION_BOOL, OWN(special), 0, 0, false},
	{"bos", OPT_BOS, OPTION_BOOL, OWN(bos), 0, 0, false},
	{"temperature", OPT_TEMPERATURE, OPTION_FLOAT, SAMPLING(temperature), 0, 100, false},
	{"top_k", OPT_TOP_K, OPTION_INT, SAMPLING(top_k), 0, 1000000, false},
	{"top_p", OPT_TOP_P, OPTION_FLOAT, SAMPLING(top_p), 0, 1, true},
	{"min_p", OPT_MIN_P, OPTION_FLOAT, SAMPLING(min_p), 0, 1, false},
	{"repeat_penalty", OPT_REPEAT_PENALTY, OPTION_FLOAT, SAMPLING(repeat_penalty), 0, 10, true},
	{"presence_penalty", OPT_PRESENCE_PENALTY, OPTION_FLOAT, SAMPLING(presence_penalty), -10, 10, false},
	{"frequency_penalty", OPT_FREQUENCY_PENALTY, OPTION_FLOAT, SAMPLING(frequency_penalty), -10, 10, false},
	{"seed", OPT_SEED, OPTION_SEED, SAMPLING(seed), 0, 0, false},
	{"batch", OPT_BATCH, OPTION_INT, OWN(batch), 1, 100000, false},
	{"where", OPT_WHERE, OPTION_TEXT, OWN(where), 0, 0, false},
	{"sample_rows", OPT_SAMPLE_ROWS, OPTION_INT, OWN(sample_rows), 1, 100000, false},
	{"sample_seconds", OPT_SAMPLE_SECONDS, OPTION_DOUBLE, OWN(sample_seconds), 0, 3600, true},
	{"top", OPT_TOP, OPTION_INT, OWN(top), 1, INT_MAX, false},
	{"min_similarity", OPT_MIN_SIMILARITY, OPTION_FLOAT, OWN(min_similarity), -1, 1, false},
	{"min_count", OPT_MIN_COUNT, OPTION_INT, OWN(min_count), 0, INT_MAX, false},
	{"exclude", OPT_EXCLUDE, OPTION_WORDS, 0, 0, 0, false},
	{"pattern", OPT_PATTERN, OPTION_UTF8, OWN(pattern), 0, 0, false},
	{"normalize", OPT_NORMALIZE, OPTION_BOOL, OWN(normalize), 0, 0, false},
	{"subwords", OPT_SUBWORDS, OPTION_BOOL, OWN(subwords), 0, 0, false},
	{"weighting", OPT_WEIGHTING, OPTION_WEIGHTING, OWN(mean), 0, 0, false},
	{"keep_case", OPT_KEEP_CASE, OPTION_BOOL, OWN(keep_case), 0, 0, false},
	{"segmenter", OPT_SEGMENTER, OPTION_TEXT, OWN(segmenter), 0, 0, false},
	{"hmm", OPT_HMM, OPTION_BOOL, OWN(hmm), 0, 0, false},
};

static void
set_defaults(const PgNlpVerb *verb, PgNlpOptions *out)
{
	memset(out, 0, sizeof(*out));
	out->gen.max_tokens = verb->max_tokens;
	out->gen.sampling = NLP_SAMPLING_GREEDY;
	if (verb->keys & OPT_TEMPERATURE)
		out->gen.sampling = (NlpSampling) {
		.greedy = false,.temperature = 0.8f,.top_k = 40,.top_p = 0.95f,.min_p = 0.05f,.repeat_penalty = 1
	};
	out->batch = 64;
	out->sample_rows = 16;
	out->sample_seconds = 10;
	out->min_similarity = -2;
	out->subwords = true;
	out->hmm = true;
}

/* The keys a verb takes, for hints. */
static char *
known_keys(const PgNlpVerb *verb)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < lengthof(option_specs); i++)
		if (verb->keys & option_specs[i].bit)
			appendStringInfo(&list, "%s%s", list.len ? ", " : "", option_specs[i].key);
	return list.data;
}

static _Noreturn void
unknown_key(const PgNlpVerb *verb, const char *key, uint64 bit)
{
	if (verb->sampling_twin && (bit & OPTS_SAMPLING))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" is not for %s, which is greedy", key, verb->name),
				 errhint("Use %s, which samples.", verb->sampling_twin)));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s has no option \"%s\"", verb->name, key),
			 errhint("The options are: %s.", known_keys(verb))));
}

static _Noreturn void
wrong_type(const char *key, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"%s\" must be %s", key, wanted)));
}

/* A string of the jsonb as a C string; jsonb holds no NUL. */
static char *
string_value(const JsonbValue *v)
{
	return pnstrdup(v->val.string.val, v->val.string.len);
}

static void
read_number(const OptionSpec *spec, const JsonbValue *v, void *field)
{
	char		wanted[120];
	double		x;

	snprintf(wanted, sizeof(wanted), "%s %s %.15g and at most %.15g",
			 spec->type == OPTION_INT ? "a whole number" : "a number",
			 spec->open_low ? "greater than" : "of at least", spec->low, spec->high);
	if (v->type != jbvNumeric)
		wrong_type(spec->key, wanted);
	x = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(v->val.numeric)));
	if (!(x >= spec->low && x <= spec->high) || (spec->open_low && x == spec->low) ||
		(spec->type == OPTION_INT && x != floor(x)))
		wrong_type(spec->key, wanted);
	if (spec->type == OPTION_INT)
		*(int *) field = (int) x;
	else if (spec->type == OPTION_FLOAT)
	{
		*(float *) field = (float) x;
		/* A value that only float rounding brings onto the open end. */
		if (spec->open_low && *(float *) field <= (float) spec->low)
			wrong_type(spec->key, wanted);
	}
	else
		*(double *) field = x;
}

static void
read_seed(const OptionSpec *spec, const JsonbValue *v, uint64 *field)
{
	const char *wanted = "a whole number of bigint's range";
	char	   *text,
			   *end;
	long long	x;

	if (v->type != jbvNumeric)
		wrong_type(spec->key, wanted);
	text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v->val.numeric)));
	errno = 0;
	x = strtoll(text, &end, 10);
	if (errno != 0 || end == text)
		wrong_type(spec->key, wanted);
	/* 42.0 is whole, 42.5 is not. */
	if (*end == '.')
		end += 1 + strspn(end + 1, "0");
	if (*end != '\0')
		wrong_type(spec->key, wanted);
	*field = (uint64) x;
}

/* A whole string of an option in UTF-8. */
static char *
utf8_value(const char *key, const JsonbValue *v, size_t *len)
{
	NlpError	err;
	const char *utf8;
	size_t		n;

	if (pg_nlp_to_utf8(v->val.string.val, v->val.string.len, &utf8, &n, &err) != NLP_OK)
	{
		nlp_detail(&err, "The text is in the option \"%s\".", key);
		pg_nlp_raise(&err);
	}
	*len = n;
	return pnstrdup(utf8, n);
}

static void
add_stop(NlpGenOptions *gen, NlpStr *stops, const JsonbValue *v)
{
	NlpStr	   *stop = &stops[gen->n_stop];
	size_t		len;

	if (v->type != jbvString || v->val.string.len == 0)
		wrong_type("stop", "a string or an array of strings, none of them empty");
	if (gen->n_stop == OPT_MAX_STOPS)
		wrong_type("stop", psprintf("at most %d strings", OPT_MAX_STOPS));
	stop->data = utf8_value("stop", v, &len);
	stop->len = len;
	gen->n_stop++;
}

static void
read_stop(JsonbValue *v, NlpGenOptions *gen)
{
	NlpStr	   *stops = palloc0(OPT_MAX_STOPS * sizeof(NlpStr));
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	item;

	gen->stop = stops;
	if (v->type != jbvBinary)
	{
		add_stop(gen, stops, v);
		return;
	}
	it = JsonbIteratorInit(v->val.binary.data);
	token = JsonbIteratorNext(&it, &item, true);
	if (token != WJB_BEGIN_ARRAY)
		wrong_type("stop", "a string or an array of strings, none of them empty");
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			add_stop(gen, stops, &item);
}

/* An empty word excludes nothing. */
static void
read_exclude(JsonbValue *v, PgNlpOptions *out)
{
	const char *wanted = "an array of strings";
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	item;
	int			n;

	if (v->type != jbvBinary || !JsonContainerIsArray(v->val.binary.data))
		wrong_type("exclude", wanted);
	n = JsonContainerSize(v->val.binary.data);
	if (n > OPT_MAX_EXCLUDED)
		wrong_type("exclude", psprintf("at most %d strings", OPT_MAX_EXCLUDED));
	out->exclude = palloc0(Max(n, 1) * sizeof(NlpStr));
	it = JsonbIteratorInit(v->val.binary.data);
	(void) JsonbIteratorNext(&it, &item, true);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		NlpStr	   *word = &out->exclude[out->n_exclude];

		if (token != WJB_ELEM)
			continue;
		if (item.type != jbvString)
			wrong_type("exclude", wanted);
		word->data = utf8_value("exclude", &item, &word->len);
		out->n_exclude++;
	}
}

static bool
read_weighting(const JsonbValue *v)
{
	const char *wanted = "\"sif\" or \"mean\"";
	char	   *s;

	if (v->type != jbvString)
		wrong_type("weighting", wanted);
	s = string_value(v);
	if (strcmp(s, "sif") != 0 && strcmp(s, "mean") != 0)
		wrong_type("weighting", wanted);
	return s[0] == 'm';
}

static bool
read_on_error(const JsonbValue *v)
{
	const char *wanted = "\"error\" or \"null\"";
	char	   *s;

	if (v->type != jbvString)
		wrong_type("on_error", wanted);
	s = string_value(v);
	if (strcmp(s, "null") == 0)
		return true;
	if (strcmp(s, "error") != 0)
		wrong_type("on_error", wanted);
	return false;
}

static char *
read_method(const JsonbValue *v)
{
	const char *wanted = "\"abstractive\" or \"extractive\"";
	char	   *s;

	if (v->type != jbvString)
		wrong_type("method", wanted);
	s = string_value(v);
	if (strcmp(s, "extractive") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the method \"extractive\" is not available yet"),
				 errhint("Use \"abstractive\", the default.")));
	if (strcmp(s, "abstractive") != 0)
		wrong_type("method", wanted);
	return s;
}

static void
read_option(const OptionSpec *spec, JsonbValue *v, PgNlpOptions *out)
{
	void	   *field = (char *) out + spec->offset;
	size_t		len;

	switch (spec->type)
	{
		case OPTION_INT:
		case OPTION_FLOAT:
		case OPTION_DOUBLE:
			read_number(spec, v, field);
			break;
		case OPTION_SEED:
			read_seed(spec, v, field);
			break;
		case OPTION_BOOL:
			if (v->type != jbvBool)
				wrong_type(spec->key, "true or false");
			*(bool *) field = v->val.boolean;
			break;
		case OPTION_TEXT:
		case OPTION_UTF8:
			if (v->type != jbvString || v->val.string.len == 0)
				wrong_type(spec->key, "a string that is not empty");
			*(char **) field = spec->type == OPTION_TEXT ? string_value(v) : utf8_value(spec->key, v, &len);
			break;
		case OPTION_ON_ERROR:
			*(bool *) field = read_on_error(v);
			break;
		case OPTION_METHOD:
			*(char **) field = read_method(v);
			break;
		case OPTION_STOP:
			read_stop(v, &out->gen);
			break;
		case OPTION_WORDS:
			read_exclude(v, out);
			break;
		case OPTION_WEIGHTING:
			*(bool *) field = read_weighting(v);
			break;
	}
	out->given |= spec->bit;
}

static const OptionSpec *
find_option(const char *key)
{
	for (int i = 0; i < lengthof(option_specs); i++)
		if (strcmp(option_specs[i].key, key) == 0)
			return &option_specs[i];
	return NULL;
}

void
pg_nlp_options(const PgNlpVerb *verb, Jsonb *options, PgNlpOptions *out)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	const OptionSpec *spec = NULL;

	set_defaults(verb, out);
	if (options != NULL)
	{
		if (!JB_ROOT_IS_OBJECT(options))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("options must be a JSON object"),
					 errhint("The options are: %s.", known_keys(verb))));
		it = JsonbIteratorInit(&options->root);
		while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
		{
			if (token == WJB_KEY)
			{
				char	   *key = string_value(&v);

				spec = find_option(key);
				if (spec == NULL || !(verb->keys & spec->bit))
					unknown_key(verb, key, spec ? spec->bit : 0);
			}
			else if (token == WJB_VALUE && v.type != jbvNull)
				read_option(spec, &v, out); /* null stands for "not given" */
		}
	}
	if (out->gen.sampling.temperature == 0)
		out->gen.sampling.greedy = true;	/* also what the greedy verbs start from */
	if (!out->gen.sampling.greedy && !(out->given & OPT_SEED) &&
		!pg_strong_random(&out->gen.sampling.seed, sizeof(out->gen.sampling.seed)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not draw a random seed")));
}
