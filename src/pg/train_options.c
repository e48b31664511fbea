/* train_options.c --- options of the training procedures, by a table that each has.
 *
 * Nothing is ignored: an unknown key, a wrong type and a value out of range are
 * errors that name the key and what it may be. The same table writes options back as
 * jsonb, for checkpoints and cards, and says in what two sets of options differ. */
#include "train.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

static char *
known_keys(const PgNlpTrainOptions *table)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < table->n; i++)
		appendStringInfo(&list, "%s%s", i ? ", " : "", table->specs[i].key);
	return list.data;
}

/* A number as an error shows it: without an exponent where it is a count. */
static const char *
number_text(double v)
{
	return v == floor(v) && fabs(v) < 1e15 ? psprintf("%.0f", v) : psprintf("%g", v);
}

static char *
choice_list(const char *const *choices)
{
	StringInfoData list;
	bool		first = true;

	initStringInfo(&list);
	for (int i = 0; choices[i]; i++)
	{
		if (choices[i][0] == '\0')
			continue;
		appendStringInfo(&list, "%s\"%s\"", first ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
		first = false;
	}
	return list.data;
}

/* What the option must be, in words. */
static const char *
wanted(const PgNlpTrainOption *spec)
{
	switch (spec->type)
	{
		case TRAIN_UINT:
			return psprintf("a whole number from %s to %s", number_text(spec->low), number_text(spec->high));
		case TRAIN_FLOAT:
		case TRAIN_DOUBLE:
			if (spec->open_low)
				return psprintf("a number above %s, at most %s", number_text(spec->low), number_text(spec->high));
			return psprintf("a number from %s to %s", number_text(spec->low), number_text(spec->high));
		case TRAIN_SEED:
			return "a whole number of type bigint";
		case TRAIN_BOOL:
			return "true or false";
		case TRAIN_CHOICE:
			return choice_list(spec->choices);
		case TRAIN_OBJECT:
			return "an object";
		case TRAIN_OWN:
			return spec->wanted;
	}
	return "something else";
}

static bool
read_number(const PgNlpTrainOption *spec, const JsonbValue *v, double *out)
{
	if (v->type != jbvNumeric)
		return false;
	*out = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(v->val.numeric)));
	if (spec->type == TRAIN_UINT && *out != floor(*out))
		return false;
	return *out <= spec->high && (spec->open_low ? *out > spec->low : *out >= spec->low);
}

static bool
read_seed(const JsonbValue *v, uint64 *out)
{
	bool		error = false;
	int64		seed;

	if (v->type != jbvNumeric)
		return false;
	/* fractions and what passes bigint are refused by their text */
	{
		char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v->val.numeric)));
		char	   *end;

		errno = 0;
		seed = strtoll(text, &end, 10);
		error = errno != 0 || *end != '\0';
	}
	*out = (uint64) seed;
	return !error;
}

static bool
read_choice(const PgNlpTrainOption *spec, const JsonbValue *v, int *out)
{
	if (v->type != jbvString)
		return false;
	for (int i = 0; spec->choices[i]; i++)
	{
		if (spec->choices[i][0] != '\0' && (int) strlen(spec->choices[i]) == v->val.string.len &&
			memcmp(spec->choices[i], v->val.string.val, v->val.string.len) == 0)
		{
			*out = i;
			return true;
		}
	}
	return false;
}

/* false: v is not what the option may be */
static bool
read_option(const PgNlpTrainOption *spec, JsonbValue *v, void *options)
{
	void	   *field = (char *) options + spec->offset;
	double		number;

	switch (spec->type)
	{
		case TRAIN_UINT:
			if (!read_number(spec, v, &number))
				return false;
			*(uint32 *) field = (uint32) number;
			return true;
		case TRAIN_FLOAT:
			if (!read_number(spec, v, &number))
				return false;
			*(float *) field = (float) number;
			return true;
		case TRAIN_DOUBLE:
			if (!read_number(spec, v, &number))
				return false;
			*(double *) field = number;
			return true;
		case TRAIN_SEED:
			return read_seed(v, field);
		case TRAIN_BOOL:
			if (v->type != jbvBool)
				return false;
			*(bool *) field = v->val.boolean;
			return true;
		case TRAIN_CHOICE:
			return read_choice(spec, v, field);
		case TRAIN_OBJECT:
			if (v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
				return false;
			*(Jsonb **) field = JsonbValueToJsonb(v);
			return true;
		case TRAIN_OWN:
			return spec->read(v, options);
	}
	return false;
}

static int
find_option(const PgNlpTrainOptions *table, const char *key)
{
	for (int i = 0; i < table->n; i++)
	{
		if (strcmp(table->specs[i].key, key) == 0)
			return i;
	}
	return -1;
}

bool
pg_nlp_train_given(const PgNlpTrainOptions *table, uint64 given, const char *key)
{
	return (given >> find_option(table, key)) & 1;
}

uint64
pg_nlp_train_options(const PgNlpTrainOptions *table, Jsonb *options, void *out)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	uint64		given = 0;

	Assert(table->n <= 64);
	if (options == NULL)
		return 0;
	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options must be a JSON object"),
				 errhint("The options are: %s.", known_keys(table))));
	it = JsonbIteratorInit(&options->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		char	   *key;
		int			i;

		if (token != WJB_KEY)
			continue;
		key = pnstrdup(v.val.string.val, v.val.string.len);
		i = find_option(table, key);
		if (i < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s has no option \"%s\"", table->procedure, key),
					 errhint("The options are: %s.", known_keys(table))));
		(void) JsonbIteratorNext(&it, &v, true);
		if (v.type == jbvNull)	/* stands for "not given" */
			continue;
		if (!read_option(&table->specs[i], &v, out))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" must be %s", key, wanted(&table->specs[i]))));
		given |= UINT64CONST(1) << i;
	}
	return given;
}

/* ---- back to jsonb ---- */

static void
put_option(StringInfo json, const PgNlpTrainOption *spec, const void *options)
{
	const void *field = (const char *) options + spec->offset;
	char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

	switch (spec->type)
	{
		case TRAIN_UINT:
			appendStringInfo(json, "%u", *(const uint32 *) field);
			break;
		case TRAIN_FLOAT:
			float_to_shortest_decimal_buf(*(const float *) field, number);
			appendStringInfoString(json, number);
			break;
		case TRAIN_DOUBLE:
			double_to_shortest_decimal_buf(*(const double *) field, number);
			appendStringInfoString(json, number);
			break;
		case TRAIN_SEED:
			appendStringInfo(json, INT64_FORMAT, (int64) *(const uint64 *) field);
			break;
		case TRAIN_BOOL:
			appendStringInfoString(json, *(const bool *) field ? "true" : "false");
			break;
		case TRAIN_CHOICE:
			appendStringInfo(json, "\"%s\"", spec->choices[*(const int *) field]);
			break;
		case TRAIN_OBJECT:
			appendStringInfoString(json, "null");
			break;
		case TRAIN_OWN:
			spec->put(json, options);
			break;
	}
}

Jsonb *
pg_nlp_train_options_json(const PgNlpTrainOptions *table, const void *options, unsigned flags)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < table->n; i++)
	{
		if (!(table->specs[i].flags & flags))
			continue;
		appendStringInfo(&json, "%s\"%s\": ", json.len > 1 ? ", " : "", table->specs[i].key);
		put_option(&json, &table->specs[i], options);
	}
	appendStringInfoChar(&json, '}');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

void
pg_nlp_train_options_agree(const PgNlpTrainOptions *table, uint64 given, const void *options, const void *have,
						   unsigned flags, const char *what)
{
	for (int i = 0; i < table->n; i++)
	{
		const PgNlpTrainOption *spec = &table->specs[i];
		StringInfoData a,
					b;

		if (!((given >> i) & 1) || !(spec->flags & flags))
			continue;
		initStringInfo(&a);
		initStringInfo(&b);
		put_option(&a, spec, options);
		put_option(&b, spec, have);
		if (strcmp(a.data, b.data) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" is %s, but it is %s in %s", spec->key, a.data, b.data, what),
					 errhint("Leave it out: what is not given is taken from there.")));
	}
}
