/* template_tests.c --- the tests behind `is` in chat templates.
 *
 * Source: "List of Builtin Tests" in Jinja's Template Designer Documentation. */
#include <math.h>
#include <string.h>

#include "task/template_internal.h"
#include "engine_only.h"

typedef enum Test
{
	T_NONE,
	T_DEFINED, T_UNDEFINED, T_IS_NONE, T_STRING, T_MAPPING, T_ITERABLE, T_SEQUENCE, T_NUMBER, T_INTEGER,
	T_FLOAT, T_BOOLEAN, T_TRUE, T_FALSE, T_CALLABLE, T_LOWER, T_UPPER, T_ODD, T_EVEN, T_DIVISIBLE, T_ESCAPED,
	T_FILTER, T_TEST, T_SAMEAS,
	T_EQ, T_NE, T_LT, T_LE, T_GT, T_GE, T_IN
} Test;

static const struct
{
	const char *name;
	uint8_t		id;
}			tests[] = {
	{"defined", T_DEFINED}, {"undefined", T_UNDEFINED}, {"none", T_IS_NONE}, {"string", T_STRING},
	{"mapping", T_MAPPING}, {"iterable", T_ITERABLE}, {"sequence", T_SEQUENCE}, {"number", T_NUMBER},
	{"integer", T_INTEGER}, {"float", T_FLOAT}, {"boolean", T_BOOLEAN}, {"true", T_TRUE}, {"false", T_FALSE},
	{"callable", T_CALLABLE}, {"lower", T_LOWER}, {"upper", T_UPPER}, {"odd", T_ODD}, {"even", T_EVEN},
	{"divisibleby", T_DIVISIBLE}, {"escaped", T_ESCAPED}, {"filter", T_FILTER}, {"test", T_TEST},
	{"sameas", T_SAMEAS}, {"eq", T_EQ}, {"equalto", T_EQ}, {"==", T_EQ}, {"ne", T_NE}, {"!=", T_NE},
	{"lt", T_LT}, {"lessthan", T_LT}, {"<", T_LT}, {"le", T_LE}, {"<=", T_LE}, {"gt", T_GT},
	{"greaterthan", T_GT}, {">", T_GT}, {"ge", T_GE}, {">=", T_GE}, {"in", T_IN}
};

int
nlp_tpl_test_id(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
	{
		if (strlen(tests[i].name) == len && memcmp(tests[i].name, name, len) == 0)
			return tests[i].id;
	}
	return 0;
}

/* Tests of the value alone. */
static NlpStatus
test_one(TplRun *r, Test id, const TplValue *v, bool *yes)
{
	TplValue	text;

	switch (id)
	{
		case T_DEFINED:
			*yes = v->type != TPL_UNDEFINED;
			return NLP_OK;
		case T_UNDEFINED:
			*yes = v->type == TPL_UNDEFINED;
			return NLP_OK;
		case T_IS_NONE:
			*yes = v->type == TPL_NONE;
			return NLP_OK;
		case T_STRING:
			*yes = v->type == TPL_STR;
			return NLP_OK;
		case T_MAPPING:
			*yes = v->type == TPL_DICT;
			return NLP_OK;
		case T_ITERABLE:
			*yes = nlp_tpl_iterable(v);
			return NLP_OK;
		case T_SEQUENCE:
			*yes = v->type == TPL_UNDEFINED || v->type == TPL_STR || v->type == TPL_LIST || v->type == TPL_TUPLE ||
				v->type == TPL_DICT || (v->type == TPL_ITER && v->kind == TPL_ITER_RANGE);
			return NLP_OK;
		case T_NUMBER:
			*yes = v->type == TPL_INT || v->type == TPL_FLOAT || v->type == TPL_BOOL;
			return NLP_OK;
		case T_INTEGER:
			*yes = v->type == TPL_INT;
			return NLP_OK;
		case T_FLOAT:
			*yes = v->type == TPL_FLOAT;
			return NLP_OK;
		case T_BOOLEAN:
			*yes = v->type == TPL_BOOL;
			return NLP_OK;
		case T_TRUE:
		case T_FALSE:
			*yes = v->type == TPL_BOOL && v->u.b == (id == T_TRUE);
			return NLP_OK;
		case T_CALLABLE:
			*yes = v->type == TPL_MACRO || v->type == TPL_METHOD || v->type == TPL_FUNCTION || v->type == TPL_LOOP ||
				v->type == TPL_UNDEFINED;
			return NLP_OK;
		case T_ESCAPED:
			*yes = v->type == TPL_STR && v->kind;
			return NLP_OK;
		case T_LOWER:
		case T_UPPER:
			NLP_TRY(nlp_tpl_str(r, v, &text));
			return nlp_tpl_is_case(r, &text, id == T_UPPER, yes);
		case T_FILTER:
		case T_TEST:
			*yes = v->type == TPL_STR && (id == T_FILTER ? nlp_tpl_filter_id(v->p.s, v->u.len) :
										  nlp_tpl_test_id(v->p.s, v->u.len)) != 0;
			return NLP_OK;
		default:
			return nlp_tpl_fail(r, NLP_EINTERNAL, "unknown test in a chat template");
	}
}

/* odd, even, divisibleby: v % by == remainder. */
static NlpStatus
test_remainder(TplRun *r, const TplValue *v, const TplValue *by, int64_t remainder, bool *yes)
{
	TplValue	rest;
	TplValue	want = tpl_int(remainder);

	NLP_TRY(nlp_tpl_arith(r, TPL_O_MOD, v, by, &rest));
	return nlp_tpl_equal(r, &rest, &want, yes);
}

/* `is` of Python, as far as values of a template tell. */
static NlpStatus
same(TplRun *r, const TplValue *a, const TplValue *b, bool *yes)
{
	*yes = false;
	if (a->type != b->type)
		return NLP_OK;
	switch (a->type)
	{
		case TPL_LIST:
		case TPL_TUPLE:
		case TPL_DICT:
		case TPL_ITER:
		case TPL_NAMESPACE:
			*yes = a->p.list == b->p.list;
			return NLP_OK;
		default:
			return nlp_tpl_equal(r, a, b, yes);
	}
}

NlpStatus
nlp_tpl_test(TplRun *r, int id, const TplValue *v, const TplArgs *a, bool *yes)
{
	static const char *const names[] = {""};
	static const uint8_t ops[] = {TPL_O_EQ, TPL_O_NE, TPL_O_LT, TPL_O_LE, TPL_O_GT, TPL_O_GE, TPL_O_IN};
	const TplValue *got[1];
	TplValue	two = tpl_int(2);
	bool		with_arg = id >= T_SAMEAS || id == T_DIVISIBLE;

	*yes = false;
	NLP_TRY(nlp_tpl_bind(r, "test", a, with_arg, with_arg, names, got));
	switch (id)
	{
		case T_ODD:
			return test_remainder(r, v, &two, 1, yes);
		case T_EVEN:
			return test_remainder(r, v, &two, 0, yes);
		case T_DIVISIBLE:
			return test_remainder(r, v, got[0], 0, yes);
		case T_SAMEAS:
			return same(r, v, got[0], yes);
		default:
			if (with_arg)
				return nlp_tpl_compare(r, (TplOp) ops[id - T_EQ], v, got[0], yes);
			return test_one(r, (Test) id, v, yes);
	}
}
