/* flat_handler.c --- what the server is told of nlp_flat: the handler, its options, the check
 * of operator classes, what a scan costs. */
#include "flat.h"

#include <float.h>
#include <math.h>

#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "commands/vacuum.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"
#include "utils/syscache.h"

#define STRATEGY_DISTANCE 1
#define PROC_METRIC 1

/* ---- support function 1: what the operator of the class measures ---- */

PG_FUNCTION_INFO_V1(pg_nlp_flat_metric_l2);
Datum
pg_nlp_flat_metric_l2(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(FLAT_L2);
}

PG_FUNCTION_INFO_V1(pg_nlp_flat_metric_ip);
Datum
pg_nlp_flat_metric_ip(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(FLAT_IP);
}

PG_FUNCTION_INFO_V1(pg_nlp_flat_metric_cosine);
Datum
pg_nlp_flat_metric_cosine(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(FLAT_COSINE);
}

/* ---- costs ---- */

/* Startup is the whole pass: pages in order, most often in memory, some 4 ns a row. A planner's
 * page costs 1 when it must be read and when it need not; tables of long values, whose bytes lie
 * in TOAST where no page is counted, would always look cheaper than their index at that price. */
#define PAGE_SHARE 0.2
#define ROW_OPERATORS 0.1
/* Rows that are fetched and turn out farther than their bound. */
#define EXTRA_ROWS 30

static void
flat_costestimate(PlannerInfo *root, IndexPath *path, double loop_count, Cost *startup, Cost *total,
				  Selectivity *selectivity, double *correlation, double *pages)
{
	IndexOptInfo *index = path->indexinfo;
	double		random_page;
	double		seq_page;

	*selectivity = 1;
	*correlation = 0;
	*pages = index->pages;
	if (path->indexorderbys == NIL)
	{
		*startup = *total = get_float8_infinity();
#if PG_VERSION_NUM >= 180000
		path->path.disabled_nodes = 2;
#endif
		return;
	}
	get_tablespace_page_costs(index->reltablespace, &random_page, &seq_page);
	*startup = PAGE_SHARE * seq_page * index->pages + ROW_OPERATORS * cpu_operator_cost * index->tuples +
		Min(EXTRA_ROWS, index->tuples) * (random_page + cpu_tuple_cost + cpu_operator_cost);
	*total = *startup + index->tuples * (cpu_index_tuple_cost + PAGE_SHARE * seq_page);
}

/* ---- options: none ---- */

static bytea *
flat_options(Datum options, bool validate)
{
	local_relopts none;

	init_local_reloptions(&none, sizeof(int32));
	return build_local_reloptions(&none, options, validate);
}

/* ---- properties ---- */

static bool
flat_property(Oid index, int column, IndexAMProperty property, const char *name, bool *result, bool *is_null)
{
	if (property != AMPROP_DISTANCE_ORDERABLE || column == 0)
		return false;			/* as the server has it */
	*result = true;
	return true;
}

/* ---- operator classes ---- */

/* Say what is wrong with a class; gives false. */
static bool
invalid(Oid opclass, const char *what)
{
	ereport(INFO,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("operator class %u of access method nlp_flat %s", opclass, what)));
	return false;
}

static bool
valid_operator(Oid opclass, Form_pg_amop op, Oid type)
{
	if (op->amopstrategy != STRATEGY_DISTANCE)
		return invalid(opclass, "has an operator with a strategy number other than 1");
	if (op->amoppurpose != AMOP_ORDER)
		return invalid(opclass, "has an operator that is not FOR ORDER BY");
	if (!opfamily_can_sort_type(op->amopsortfamily, get_op_rettype(op->amopopr)) ||
		!check_amop_signature(op->amopopr, FLOAT8OID, op->amoplefttype, op->amoprighttype))
		return invalid(opclass, "has an operator that does not give a double precision to sort by");
	if (op->amoplefttype != type || op->amoprighttype != type)
		return invalid(opclass, "has an operator on another type");
	return true;
}

static bool
flat_validate(Oid opclass)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Form_pg_opclass class;
	Oid			family;
	Oid			type;
	CatCList   *ops;
	CatCList   *procs;
	int			n_ops = 0;
	int			n_procs = 0;
	bool		ok = true;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclass);
	class = (Form_pg_opclass) GETSTRUCT(tuple);
	family = class->opcfamily;
	type = class->opcintype;
	if (OidIsValid(class->opckeytype) && class->opckeytype != type)
		ok = invalid(opclass, "stores another type than it indexes");
	ReleaseSysCache(tuple);
	ops = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family));
	procs = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family));
	for (int i = 0; i < ops->n_members; i++)
	{
		Form_pg_amop op = (Form_pg_amop) GETSTRUCT(&ops->members[i]->tuple);

		n_ops += op->amoplefttype == type;
		ok = valid_operator(opclass, op, op->amoplefttype) && ok;
	}
	for (int i = 0; i < procs->n_members; i++)
	{
		Form_pg_amproc proc = (Form_pg_amproc) GETSTRUCT(&procs->members[i]->tuple);

		if (proc->amprocnum != PROC_METRIC)
			ok = invalid(opclass, "has a support function with a number other than 1");
		else if (!check_amproc_signature(proc->amproc, INT4OID, true, 1, 1, INTERNALOID))
			ok = invalid(opclass, "has a support function that is not (internal) returns integer");
		else
			n_procs += proc->amproclefttype == type && proc->amprocrighttype == type;
	}
	if (n_ops != 1)
		ok = invalid(opclass, "needs one operator on its type");
	if (n_procs != 1)
		ok = invalid(opclass, "needs support function 1, which names the distance");
	ReleaseCatCacheList(procs);
	ReleaseCatCacheList(ops);
	return ok;
}

/* ---- the handler ---- */

PG_FUNCTION_INFO_V1(pg_nlp_flat_handler);
Datum
pg_nlp_flat_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *am = makeNode(IndexAmRoutine);	/* what is not named is false, 0 or NULL */

	am->amstrategies = STRATEGY_DISTANCE;
	am->amsupport = PROC_METRIC;
	am->amcanorderbyop = true;
	am->amoptionalkey = true;
	am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL | VACUUM_OPTION_PARALLEL_COND_CLEANUP;
#if PG_VERSION_NUM >= 170000
	am->amcanbuildparallel = true;
#endif
	am->amkeytype = InvalidOid;
	am->ambuild = flat_build;
	am->ambuildempty = flat_buildempty;
	am->aminsert = flat_insert;
	am->ambulkdelete = flat_bulkdelete;
	am->amvacuumcleanup = flat_vacuumcleanup;
	am->amcostestimate = flat_costestimate;
	am->amoptions = flat_options;
	am->amproperty = flat_property;
	am->ambuildphasename = flat_buildphasename;
	am->amvalidate = flat_validate;
	am->ambeginscan = flat_beginscan;
	am->amrescan = flat_rescan;
	am->amgettuple = flat_gettuple;
	am->amendscan = flat_endscan;
	PG_RETURN_POINTER(am);
}
