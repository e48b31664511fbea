/* fn_common.c --- arguments, results remembered for constant arguments, arrays of
 * texts, and the two shapes of a verb: one text, or an array as one batch. */
#include "postgres.h"

#include "access/detoast.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "fn_common.h"
#include "task/summary.h"

#define MAX_KEPT_ARGS 6
#define MAX_KEPT_BYTES (8 * 1024 * 1024)	/* for a query; more is not kept */
#define MAX_RECENT_BYTES (256 * 1024)	/* for the session */

/* Two equal ones see the same rows, as the same role, so the same models. */
typedef struct Statement
{
	TransactionId xmin,
				xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
	LocalTransactionId lxid;
	SubTransactionId subxid;	/* what a rolled back one saw is gone */
	Oid			role;
} Statement;

/* A result and all that it depends on. */
typedef struct Kept
{
	MemoryContext mcxt;			/* holds everything pointed to; NULL: nothing was ever kept */
	bool		valid;
	Oid			function;
	Statement	statement;
	char	   *setting;		/* value of the default model's setting */
	int			n_args;
	NullableDatum args[MAX_KEPT_ARGS];
	bool		isnull;
	Datum		result;
} Kept;

typedef struct Extra
{
	FmgrInfo	lookup_info;	/* its fn_extra is pg_nlp_call_begin's */
	FunctionCallInfo lookup;
	bool		constant;		/* every argument is, in this expression */
	int16		arg_len[MAX_KEPT_ARGS];
	bool		arg_byval[MAX_KEPT_ARGS];
	int16		result_len;
	bool		result_byval;
	Kept		kept;
} Extra;

/* The planner evaluates a constant call in a condition to guess how many rows it
 * meets, and the executor evaluates it again with another fn_extra: the last few
 * results are also kept here. */
static Kept recent[4];
static int	next_recent = 0;

Jsonb *
pg_nlp_arg_jsonb(FunctionCallInfo fcinfo, int i)
{
	return PG_NARGS() > i && !PG_ARGISNULL(i) ? PG_GETARG_JSONB_P(i) : NULL;
}

text *
pg_nlp_arg_text(FunctionCallInfo fcinfo, int i)
{
	return PG_NARGS() > i && !PG_ARGISNULL(i) ? PG_GETARG_TEXT_PP(i) : NULL;
}

void
pg_nlp_inner_position(void *arg)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(arg);
	}
}

/* ---- remembered results ---- */

static Extra *
get_extra(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	Extra	   *x = flinfo->fn_extra;

	if (x != NULL)
		return x;
	x = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(Extra));
	x->lookup_info = *flinfo;
	x->lookup_info.fn_extra = NULL;
	x->lookup = MemoryContextAllocZero(flinfo->fn_mcxt, SizeForFunctionCallInfo(0));
	InitFunctionCallInfoData(*x->lookup, &x->lookup_info, 0, fcinfo->fncollation, NULL, NULL);
	x->constant = PG_NARGS() <= MAX_KEPT_ARGS && flinfo->fn_expr != NULL;
	for (int i = 0; x->constant && i < PG_NARGS(); i++)
	{
		x->constant = get_fn_expr_arg_stable(flinfo, i);
		if (x->constant)
			get_typlenbyval(get_fn_expr_argtype(flinfo, i), &x->arg_len[i], &x->arg_byval[i]);
	}
	if (x->constant)
		get_typlenbyval(get_fn_expr_rettype(flinfo), &x->result_len, &x->result_byval);
	flinfo->fn_extra = x;
	return x;
}

FunctionCallInfo
pg_nlp_lookup(FunctionCallInfo fcinfo)
{
	return get_extra(fcinfo)->lookup;
}

static bool
get_statement(Statement *st)
{
	Snapshot	snapshot;

	if (!ActiveSnapshotSet())
		return false;
	snapshot = GetActiveSnapshot();
	memset(st, 0, sizeof(*st));
	st->xmin = snapshot->xmin;
	st->xmax = snapshot->xmax;
	st->xcnt = snapshot->xcnt;
	st->subxcnt = snapshot->subxcnt;
	st->curcid = snapshot->curcid;
#if PG_VERSION_NUM >= 170000
	st->lxid = MyProc->vxid.lxid;
#else
	st->lxid = MyProc->lxid;
#endif
	st->subxid = GetCurrentSubTransactionId();
	st->role = GetUserId();
	return true;
}

static const char *
setting_value(uint32 task)
{
	const char *value = pg_nlp_default_model(task, NULL);

	return value ? value : "";
}

static bool
same_datum(Datum a, Datum b, bool byval, int16 len)
{
	struct varlena *va,
			   *vb;
	bool		same;

	if (byval)
		return a == b;
	if (len != -1)
		return datumIsEqual(a, b, byval, len);
	vb = PG_DETOAST_DATUM_PACKED(b);
	va = (struct varlena *) DatumGetPointer(a);
	same = VARSIZE_ANY_EXHDR(va) == VARSIZE_ANY_EXHDR(vb) &&
		memcmp(VARDATA_ANY(va), VARDATA_ANY(vb), VARSIZE_ANY_EXHDR(va)) == 0;
	if ((Pointer) vb != DatumGetPointer(b))
		pfree(vb);
	return same;
}

static bool
is_same(const Kept *k, FunctionCallInfo fcinfo, const Extra *x, const Statement *now, const char *setting)
{
	if (!k->valid || k->function != fcinfo->flinfo->fn_oid || k->n_args != PG_NARGS() ||
		memcmp(now, &k->statement, sizeof(*now)) != 0 || strcmp(setting, k->setting) != 0)
		return false;
	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i) != k->args[i].isnull ||
			(!PG_ARGISNULL(i) &&
			 !same_datum(k->args[i].value, PG_GETARG_DATUM(i), x->arg_byval[i], x->arg_len[i])))
			return false;
	return true;
}

/* Fill k, whose context is a child of parent. */
static void
keep(Kept *k, MemoryContext parent, FunctionCallInfo fcinfo, const Extra *x, const Statement *now,
	 const char *setting, Datum result, bool isnull)
{
	MemoryContext old;

	k->valid = false;
	if (k->mcxt == NULL)
		k->mcxt = AllocSetContextCreate(parent, "pg_nlp remembered result", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(k->mcxt);
	old = MemoryContextSwitchTo(k->mcxt);
	k->function = fcinfo->flinfo->fn_oid;
	k->statement = *now;
	k->setting = pstrdup(setting);
	k->n_args = PG_NARGS();
	for (int i = 0; i < PG_NARGS(); i++)
	{
		k->args[i].isnull = PG_ARGISNULL(i);
		if (PG_ARGISNULL(i))
			continue;
		if (x->arg_len[i] == -1)
			k->args[i].value = PointerGetDatum(PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(i)));
		else
			k->args[i].value = datumCopy(PG_GETARG_DATUM(i), x->arg_byval[i], x->arg_len[i]);
	}
	k->isnull = isnull;
	k->result = isnull ? (Datum) 0 : datumCopy(result, x->result_byval, x->result_len);
	k->valid = true;
	MemoryContextSwitchTo(old);
}

bool
pg_nlp_recall(FunctionCallInfo fcinfo, uint32 task, Datum *result, bool *isnull)
{
	Extra	   *x = get_extra(fcinfo);
	const char *setting = setting_value(task);
	Statement	now;

	if (!x->constant || !get_statement(&now))
		return false;
	if (!is_same(&x->kept, fcinfo, x, &now, setting))
	{
		Kept	   *k = NULL;

		for (int i = 0; i < lengthof(recent) && k == NULL; i++)
			if (is_same(&recent[i], fcinfo, x, &now, setting))
				k = &recent[i];
		if (k == NULL)
			return false;
		keep(&x->kept, fcinfo->flinfo->fn_mcxt, fcinfo, x, &now, setting, k->result, k->isnull);
	}
	*result = x->kept.result;
	*isnull = x->kept.isnull;
	return true;
}

/* Bytes of the arguments and the result. */
static Size
bytes_of(FunctionCallInfo fcinfo, const Extra *x, Datum result, bool isnull)
{
	Size		bytes = 0;

	for (int i = 0; i < PG_NARGS(); i++)
		if (!PG_ARGISNULL(i) && x->arg_len[i] == -1)
			bytes += toast_raw_datum_size(PG_GETARG_DATUM(i));
	if (!isnull && x->result_len == -1)
		bytes += VARSIZE_ANY(DatumGetPointer(result));
	return bytes;
}

void
pg_nlp_remember(FunctionCallInfo fcinfo, uint32 task, Datum result, bool isnull)
{
	Extra	   *x = get_extra(fcinfo);
	const char *setting = setting_value(task);
	Statement	now;
	Size		bytes;

	if (!x->constant || !get_statement(&now))
		return;
	bytes = bytes_of(fcinfo, x, result, isnull);
	if (bytes <= MAX_KEPT_BYTES)
		keep(&x->kept, fcinfo->flinfo->fn_mcxt, fcinfo, x, &now, setting, result, isnull);
	if (bytes <= MAX_RECENT_BYTES)
	{
		keep(&recent[next_recent], TopMemoryContext, fcinfo, x, &now, setting, result, isnull);
		next_recent = (next_recent + 1) % lengthof(recent);
	}
}

/* ---- the two shapes of a verb ---- */

/* A verb that always gives the same answer, so one that may be remembered. */
static inline bool
is_greedy(const PgNlpVerb *verb)
{
	return (verb->keys & OPT_TEMPERATURE) == 0;
}

const char *
pg_nlp_language(Datum value)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(value);
	const char *utf8;
	size_t		len;

	/* A jsonb holds its strings as they are, between bytes that are no letters. */
	if (pg_nlp_to_utf8(VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v), &utf8, &len, NULL) != NLP_OK)
	{
		utf8 = VARDATA_ANY(v);
		len = VARSIZE_ANY_EXHDR(v);
	}
	return nlp_summary_is_chinese(utf8, len) ? "zh" : "en";
}

/* Run the rows of one language, or all of them. */
static void
run_language(FunctionCallInfo fcinfo, const PgNlpVerb *verb, PgNlpRun run, const PgNlpOptions *options,
			 PgNlpRow *rows, const Datum *values, int n, const char *language)
{
	bool	   *other = palloc0(n * sizeof(bool));
	int			work = 0;
	PgNlpCall  *call;

	for (int i = 0; i < n; i++)
	{
		if (rows[i].skip)
			continue;
		other[i] = language && strcmp(pg_nlp_language(values[i]), language) != 0;
		rows[i].skip = other[i];
		work += !other[i];
	}
	if (work > 0)
	{
		call = pg_nlp_call_begin(pg_nlp_lookup(fcinfo), verb->name, verb->task, pg_nlp_arg_text(fcinfo, 1),
								 language, true);
		run(call, options, rows, values, n);
		pg_nlp_call_end(call);
	}
	for (int i = 0; i < n; i++)
	{
		if (other[i])
			rows[i].skip = false;
	}
	pfree(other);
}

static void
answer(FunctionCallInfo fcinfo, const PgNlpVerb *verb, PgNlpRun run, PgNlpRow *rows, const Datum *values, int n)
{
	PgNlpOptions options;

	/* Options are checked also when there is nothing to do. */
	pg_nlp_options(verb, pg_nlp_arg_jsonb(fcinfo, 2), &options);
	if (PG_ARGISNULL(1) && strchr(pg_nlp_default_model(verb->task, NULL), '='))
	{
		/* A model for each language: two batches. */
		run_language(fcinfo, verb, run, &options, rows, values, n, "en");
		for (int i = 0; i < n; i++)
			rows[i].skip = rows[i].skip || rows[i].answer != NULL;
		run_language(fcinfo, verb, run, &options, rows, values, n, "zh");
	}
	else
		run_language(fcinfo, verb, run, &options, rows, values, n, NULL);
}

Datum
pg_nlp_verb_one(FunctionCallInfo fcinfo, const PgNlpVerb *verb, PgNlpRun run)
{
	bool		keep = is_greedy(verb);
	PgNlpRow	row = {0};
	Datum		result;
	bool		isnull;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (keep && pg_nlp_recall(fcinfo, verb->task, &result, &isnull))
	{
		fcinfo->isnull = isnull;
		return result;
	}
	result = PG_GETARG_DATUM(0);
	answer(fcinfo, verb, run, &row, &result, 1);
	isnull = row.answer == NULL;
	if (keep)
		pg_nlp_remember(fcinfo, verb->task, PointerGetDatum(row.answer), isnull);
	fcinfo->isnull = isnull;
	return PointerGetDatum(row.answer);
}

/* The answers as an array of the same dimensions; given-up rows are NULL. */
static ArrayType *
answer_array(ArrayType *inputs, const PgNlpRow *rows, int n)
{
	Datum	   *values;
	bool	   *nulls;

	if (n == 0)
		return construct_empty_array(TEXTOID);
	values = palloc_extended(n * sizeof(Datum), MCXT_ALLOC_HUGE);
	nulls = palloc(n);
	for (int i = 0; i < n; i++)
	{
		nulls[i] = rows[i].answer == NULL;
		values[i] = PointerGetDatum(rows[i].answer);
	}
	return construct_md_array(values, nulls, ARR_NDIM(inputs), ARR_DIMS(inputs), ARR_LBOUND(inputs),
							  TEXTOID, -1, false, TYPALIGN_INT);
}

Datum
pg_nlp_verb_array(FunctionCallInfo fcinfo, const PgNlpVerb *verb, PgNlpRun run)
{
	bool		keep = is_greedy(verb);
	ArrayType  *inputs;
	Datum	   *values;
	bool	   *nulls;
	int			n;
	PgNlpRow   *rows;
	Datum		result;
	bool		isnull;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (keep && pg_nlp_recall(fcinfo, verb->task, &result, &isnull))
		return result;
	inputs = PG_GETARG_ARRAYTYPE_P(0);
	deconstruct_array(inputs, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	rows = palloc_extended((n + 1) * sizeof(PgNlpRow), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < n; i++)
	{
		rows[i].element = i + 1;
		rows[i].skip = nulls[i];
	}
	answer(fcinfo, verb, run, rows, values, n);
	result = PointerGetDatum(answer_array(inputs, rows, n));
	if (keep)
		pg_nlp_remember(fcinfo, verb->task, result, false);
	return result;
}
