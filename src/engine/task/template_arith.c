/* template_arith.c --- the arithmetic operators of chat templates, on Python's
 * terms: true division, floored division and remainder, and + * % for texts and
 * lists. Integers are 64 bits wide; a result beyond that is an error. */
#include <math.h>
#include <string.h>

#include "task/template_internal.h"
#include "engine_only.h"

bool
nlp_tpl_as_int(const TplValue *v, int64_t *i)
{
	if (v->type == TPL_BOOL)
		*i = v->u.b;
	else if (v->type == TPL_INT)
		*i = v->u.i;
	else
		return false;
	return true;
}

bool
nlp_tpl_as_float(const TplValue *v, double *f)
{
	int64_t		i;

	if (v->type == TPL_FLOAT)
		*f = v->u.f;
	else if (nlp_tpl_as_int(v, &i))
		*f = (double) i;
	else
		return false;
	return true;
}

static NlpStatus
overflow(TplRun *r)
{
	return nlp_tpl_fail(r, NLP_ELIMIT, "integer in the chat template is out of range");
}

static NlpStatus
by_zero(TplRun *r)
{
	return nlp_tpl_fail(r, NLP_EINVALID, "chat template divides by zero");
}

static NlpStatus
int_power(TplRun *r, int64_t base, int64_t exponent, TplValue *out)
{
	int64_t		result = 1;

	while (exponent > 0)
	{
		if ((exponent & 1) && __builtin_mul_overflow(result, base, &result))
			return overflow(r);
		exponent >>= 1;
		if (exponent && __builtin_mul_overflow(base, base, &base))
			return overflow(r);
	}
	*out = tpl_int(result);
	return NLP_OK;
}

static NlpStatus
int_arith(TplRun *r, TplOp op, int64_t a, int64_t b, TplValue *out)
{
	int64_t		v = 0;
	bool		bad = false;

	switch (op)
	{
		case TPL_O_ADD:
			bad = __builtin_add_overflow(a, b, &v);
			break;
		case TPL_O_SUB:
			bad = __builtin_sub_overflow(a, b, &v);
			break;
		case TPL_O_MUL:
			bad = __builtin_mul_overflow(a, b, &v);
			break;
		case TPL_O_FLOORDIV:
		case TPL_O_MOD:
			if (b == 0)
				return by_zero(r);
			if (b == -1)
			{
				bad = op == TPL_O_FLOORDIV && __builtin_sub_overflow((int64_t) 0, a, &v);
				break;
			}
			v = op == TPL_O_FLOORDIV ? a / b : a % b;
			if (a % b != 0 && (a % b < 0) != (b < 0))
				v += op == TPL_O_FLOORDIV ? -1 : b;
			break;
		default:
			return int_power(r, a, b, out);
	}
	if (bad)
		return overflow(r);
	*out = tpl_int(v);
	return NLP_OK;
}

static NlpStatus
float_arith(TplRun *r, TplOp op, double a, double b, TplValue *out)
{
	double		m;

	if ((op == TPL_O_DIV || op == TPL_O_FLOORDIV || op == TPL_O_MOD) && b == 0)
		return by_zero(r);
	switch (op)
	{
		case TPL_O_ADD:
			*out = tpl_float(a + b);
			return NLP_OK;
		case TPL_O_SUB:
			*out = tpl_float(a - b);
			return NLP_OK;
		case TPL_O_MUL:
			*out = tpl_float(a * b);
			return NLP_OK;
		case TPL_O_DIV:
			*out = tpl_float(a / b);
			return NLP_OK;
		case TPL_O_FLOORDIV:
		case TPL_O_MOD:
			m = fmod(a, b);
			if (m != 0 && (m < 0) != (b < 0))
				m += b;
			else if (m == 0)
				m = copysign(0, b);
			*out = tpl_float(op == TPL_O_MOD ? m : floor((a - m) / b + 0.5));
			return NLP_OK;
		default:
			if (a == 0 && b < 0)
				return by_zero(r);
			m = pow(a, b);
			if (isnan(m) && !isnan(a) && !isnan(b))
				return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "chat template needs complex numbers");
			if (isinf(m) && !isinf(a) && !isinf(b))
				return nlp_tpl_fail(r, NLP_ELIMIT, "number in the chat template is out of range");
			*out = tpl_float(m);
			return NLP_OK;
	}
}

/* Joining texts: when one of them is marked safe, the other is escaped first. */
static NlpStatus
add_texts(TplRun *r, const TplValue *a, const TplValue *b, TplValue *out)
{
	size_t		mark = r->scratch.len;
	TplValue	left = *a,
				right = *b;

	if (a->kind != b->kind)
		NLP_TRY(nlp_tpl_escape(r, a->kind ? b : a, a->kind ? &right : &left));
	NLP_TRY(nlp_tpl_put(r, left.p.s, left.u.len));
	NLP_TRY(nlp_tpl_put(r, right.p.s, right.u.len));
	NLP_TRY(nlp_tpl_take(r, mark, out));
	out->kind = a->kind || b->kind;
	return NLP_OK;
}

static NlpStatus
add_lists(TplRun *r, const TplValue *a, const TplValue *b, TplValue *out)
{
	size_t		n = a->p.list->n;

	NLP_TRY(nlp_tpl_list(r, a->type, n + b->p.list->n, out));
	if (n)
		memcpy(out->p.list->items, a->p.list->items, n * sizeof(TplValue));
	if (b->p.list->n)
		memcpy(out->p.list->items + n, b->p.list->items, b->p.list->n * sizeof(TplValue));
	return NLP_OK;
}

static NlpStatus
repeat(TplRun *r, const TplValue *v, int64_t times, TplValue *out)
{
	size_t		mark = r->scratch.len;
	size_t		total;

	if (times < 0)
		times = 0;
	if (v->type == TPL_STR)
	{
		if (!nlp_mul_size(v->u.len, (size_t) times, &total) || total > r->limits.max_memory)
			return nlp_tpl_fail(r, NLP_ELIMIT, "string in the chat template is too long");
		for (int64_t i = 0; i < times && v->u.len; i++)
			NLP_TRY(nlp_tpl_put(r, v->p.s, v->u.len));
		NLP_TRY(nlp_tpl_take(r, mark, out));
		out->kind = v->kind;
		return NLP_OK;
	}
	if (!nlp_mul_size(v->p.list->n, (size_t) times, &total))
		return nlp_tpl_fail(r, NLP_ELIMIT, "list in the chat template is too long");
	NLP_TRY(nlp_tpl_list(r, v->type, total, out));
	for (size_t i = 0; i < total; i += v->p.list->n)
		memcpy(out->p.list->items + i, v->p.list->items, v->p.list->n * sizeof(TplValue));
	return NLP_OK;
}

static NlpStatus
percent(TplRun *r, const TplValue *fmt, const TplValue *b, TplValue *out)
{
	TplArgs		args = {.pos = b, .n = 1};

	if (b->type == TPL_TUPLE)
	{
		args.pos = b->p.list->items;
		args.n = b->p.list->n;
	}
	else if (b->type == TPL_DICT)
	{
		args.kw = b->p.dict->pairs;
		args.n_kw = b->p.dict->n;
	}
	return nlp_tpl_percent(r, fmt, &args, b->type != TPL_DICT && b->type != TPL_LIST &&
						   !(b->type == TPL_ITER && b->kind == TPL_ITER_RANGE), out);
}

static bool
is_sequence(const TplValue *v)
{
	return v->type == TPL_STR || v->type == TPL_LIST || v->type == TPL_TUPLE;
}

NlpStatus
nlp_tpl_arith(TplRun *r, TplOp op, const TplValue *a, const TplValue *b, TplValue *out)
{
	int64_t		i,
				j;
	double		f,
				g;

	if (a->type == TPL_UNDEFINED || b->type == TPL_UNDEFINED)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template calculates with an undefined value");
	if (op != TPL_O_DIV && nlp_tpl_as_int(a, &i) && nlp_tpl_as_int(b, &j) && !(op == TPL_O_POW && j < 0))
		return int_arith(r, op, i, j, out);
	if (nlp_tpl_as_float(a, &f) && nlp_tpl_as_float(b, &g))
		return float_arith(r, op, f, g, out);
	if (op == TPL_O_ADD && a->type == b->type)
	{
		if (a->type == TPL_STR)
			return add_texts(r, a, b, out);
		if (a->type == TPL_LIST || a->type == TPL_TUPLE)
			return add_lists(r, a, b, out);
	}
	if (op == TPL_O_MUL && is_sequence(a) && nlp_tpl_as_int(b, &j))
		return repeat(r, a, j, out);
	if (op == TPL_O_MUL && is_sequence(b) && nlp_tpl_as_int(a, &i))
		return repeat(r, b, i, out);
	if (op == TPL_O_MOD && a->type == TPL_STR)
		return percent(r, a, b, out);
	return nlp_tpl_fail(r, NLP_EINVALID, "chat template calculates with %s and %s", nlp_tpl_type_name(a),
						nlp_tpl_type_name(b));
}

NlpStatus
nlp_tpl_negate(TplRun *r, const TplValue *v, TplValue *out)
{
	int64_t		i;

	if (v->type == TPL_FLOAT)
	{
		*out = tpl_float(-v->u.f);
		return NLP_OK;
	}
	if (!nlp_tpl_as_int(v, &i))
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template negates %s", nlp_tpl_type_name(v));
	return int_arith(r, TPL_O_SUB, 0, i, out);
}
