/* fn_backfill_plan.c --- what a backfill is asked to do: the target and its key, and
 * whether the expression is a single call of one of our verbs.
 *
 * The expression is parsed and analysed over the target's columns, as a statement
 * would be. If it is a call of a function of this extension whose other arguments
 * are constants, and the same function exists for an array of the first argument,
 * rows can share every pass over the weights. Nothing here asks what the verb is. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "rewrite/rewriteManip.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "fn_backfill.h"
#include "fn_common.h"

/* ---- the target ---- */

static void
check_relation(Oid relid, BackfillPlan *plan)
{
	char		kind = get_rel_relkind(relid);
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", name)));
	plan->relid = relid;
	plan->relation_name = name;
	plan->relation = psprintf("%s%s", kind == RELKIND_RELATION ? "ONLY " : "",
							  quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name));
}

/* The column exists, can be written, and the caller may write it. */
static void
check_column(const char *column, BackfillPlan *plan)
{
	HeapTuple	tuple = SearchSysCacheAttName(plan->relid, column);
	Form_pg_attribute att;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", column, plan->relation_name)));
	att = (Form_pg_attribute) GETSTRUCT(tuple);
	if (att->attnum <= 0 || att->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("column \"%s\" of relation \"%s\" cannot be written", column, plan->relation_name)));
	if (pg_class_aclcheck(plan->relid, GetUserId(), ACL_UPDATE) != ACLCHECK_OK &&
		pg_attribute_aclcheck(plan->relid, att->attnum, GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		aclcheck_error_col(ACLCHECK_NO_PRIV, OBJECT_COLUMN, plan->relation_name, column);
	plan->column = pstrdup(quote_identifier(column));
	plan->column_literal = quote_literal_cstr(column);
	ReleaseSysCache(tuple);
}

/* An operator as SQL that does not depend on search_path; name alone when there is none. */
static char *
operator_sql(Oid oper, const char *name)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(oper));
	Form_pg_operator form;
	char	   *sql;

	if (!HeapTupleIsValid(tuple))
		return pstrdup(name);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	sql = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return sql;
}

static void
read_keys(BackfillPlan *plan)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(plan->relid)};

	SPI_execute_with_args("SELECT a.attname::pg_catalog.text, pg_catalog.format_type(a.atttypid, NULL), a.atttypid::pg_catalog.text"
						  " FROM pg_catalog.pg_index i, LATERAL pg_catalog.unnest(i.indkey) WITH ORDINALITY k(attnum, n),"
						  " pg_catalog.pg_attribute a"
						  " WHERE i.indrelid OPERATOR(pg_catalog.=) $1 AND i.indisprimary"
						  " AND k.n OPERATOR(pg_catalog.<=) i.indnkeyatts AND a.attrelid OPERATOR(pg_catalog.=) i.indrelid"
						  " AND a.attnum OPERATOR(pg_catalog.=) k.attnum ORDER BY k.n",
						  1, types, args, NULL, true, 0);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("table \"%s\" has no primary key", plan->relation_name),
				 errdetail("A backfill goes through the rows in the order of the primary key and finds each again by it."),
				 errhint("Add one: ALTER TABLE %s ADD PRIMARY KEY (...).", quote_identifier(plan->relation_name))));
	plan->n_keys = (int) SPI_processed;
	plan->keys = palloc0(plan->n_keys * sizeof(BackfillKey));
	for (int i = 0; i < plan->n_keys; i++)
	{
		BackfillKey *key = &plan->keys[i];
		TypeCacheEntry *type;

		key->name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		key->quoted = pstrdup(quote_identifier(key->name));
		key->type = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);
		key->type_oid = atooid(SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3));
		get_typlenbyval(key->type_oid, &key->len, &key->byval);
		type = lookup_type_cache(key->type_oid, TYPECACHE_EQ_OPR | TYPECACHE_GT_OPR);
		key->equal = operator_sql(type->eq_opr, "=");
		key->greater = operator_sql(type->gt_opr, ">");
	}
}

/* ---- the expression ---- */

/* text is one expression and nothing else: no list, no clause after it, no second
 * statement. It is put between parentheses with a newline before the closing one,
 * so a comment at its end does no harm. */
void
pg_nlp_check_expression(const char *text, const char *what)
{
	ErrorContextCallback context = {error_context_stack, pg_nlp_inner_position, unconstify(char *, text)};
	List	   *list;
	SelectStmt *select;

	error_context_stack = &context;
	list = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
	error_context_stack = context.previous;
	select = castNode(SelectStmt, linitial_node(RawStmt, list)->stmt);
	if (list_length(list) != 1 || list_length(select->targetList) != 1 || select->op != SETOP_NONE ||
		select->fromClause || select->whereClause || select->groupClause || select->havingClause ||
		select->windowClause || select->sortClause || select->limitCount || select->limitOffset ||
		select->distinctClause || select->lockingClause || select->withClause)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s must be a single expression", what)));
}

static Query *
analyse(char *sql)
{
	ErrorContextCallback context = {error_context_stack, pg_nlp_inner_position, sql};
	Query	   *query;

	error_context_stack = &context;
	query = parse_analyze_fixedparams(linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT)), sql, NULL, 0, NULL);
	error_context_stack = context.previous;
	return query;
}

/* The expression over a row of the target, analysed. */
static Node *
analyse_expression(const BackfillPlan *plan)
{
	Query	   *query = analyse(psprintf("SELECT (%s\n) FROM %s", plan->expression, plan->relation));

	if (query->hasAggs || query->hasWindowFuncs)
		ereport(ERROR,
				(errcode(ERRCODE_GROUPING_ERROR),
				 errmsg("the expression of a backfill must not aggregate rows")));
	if (query->hasTargetSRFs)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the expression of a backfill must not return a set")));
	return (Node *) linitial_node(TargetEntry, query->targetList)->expr;
}

static bool
is_constant(Node *node)
{
	return !contain_var_clause(node) && !contain_volatile_functions(node) && !checkExprHasSubLink(node);
}

/* The function of the same name and schema whose first argument is an array of
 * func's first argument's type, with the same others; its result must be an array of func's. */
static Oid
array_form(Oid func, const Oid *arg_types, int n_args, Oid result_type)
{
	Oid			types[FUNC_MAX_ARGS];
	char	   *name = get_func_name(func);
	Oid			twin;

	memcpy(types, arg_types, n_args * sizeof(Oid));
	types[0] = get_array_type(arg_types[0]);
	if (!OidIsValid(types[0]))
		return InvalidOid;
	twin = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
						   PointerGetDatum(buildoidvector(types, n_args)),
						   ObjectIdGetDatum(get_func_namespace(func)));
	return OidIsValid(twin) && get_func_rettype(twin) == get_array_type(result_type) ? twin : InvalidOid;
}

/* If expr is a verb call that can be batched, say how. */
static void
recognise_verb(BackfillPlan *plan, Node *expr)
{
	List	   *context;
	FuncExpr   *func;
	HeapTuple	tuple;
	List	   *args;
	ListCell   *lc;
	Oid			types[FUNC_MAX_ARGS];
	int			n = 0;
	StringInfoData call;

	while (IsA(expr, RelabelType))
		expr = (Node *) castNode(RelabelType, expr)->arg;
	if (!IsA(expr, FuncExpr))
		return;
	func = (FuncExpr *) expr;
	if (getExtensionOfObject(ProcedureRelationId, func->funcid) != get_extension_oid("pg_nlp", false))
		return;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(func->funcid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", func->funcid);
	args = expand_function_arguments(func->args, false, func->funcresulttype, tuple);
	ReleaseSysCache(tuple);
	if (args == NIL || checkExprHasSubLink(linitial(args)))
		return;
	context = deparse_context_for(plan->relation_name, plan->relid);
	initStringInfo(&call);
	foreach(lc, args)
	{
		Node	   *arg = lfirst(lc);

		types[n] = exprType(arg);
		if (n++ == 0)
			continue;
		if (!is_constant(arg))
			return;
		appendStringInfo(&call, ", %s", deparse_expression(arg, context, false, false));
	}
	if (!OidIsValid(array_form(func->funcid, types, n, func->funcresulttype)))
		return;
	plan->batched = true;
	plan->input = deparse_expression(linitial(args), context, false, false);
	plan->call = psprintf("%s($1%s)",
						  quote_qualified_identifier(get_namespace_name(get_func_namespace(func->funcid)),
													 get_func_name(func->funcid)), call.data);
	plan->input_type = types[0];
	plan->input_equal = operator_sql(lookup_type_cache(types[0], TYPECACHE_EQ_OPR)->eq_opr, "=");
	plan->input_array = get_array_type(types[0]);
	plan->result_type = func->funcresulttype;
}

void
pg_nlp_backfill_plan(Oid relid, const char *column, const char *expression, const char *where, BackfillPlan *plan)
{
	memset(plan, 0, sizeof(*plan));
	check_relation(relid, plan);
	check_column(column, plan);
	read_keys(plan);
	pg_nlp_check_expression(expression, "the expression");
	plan->expression = pstrdup(expression);
	if (where)
		pg_nlp_check_expression(where, "the option \"where\"");
	plan->where = pstrdup(where ? where : "true");
	recognise_verb(plan, analyse_expression(plan));
	analyse(psprintf("SELECT FROM %s WHERE (%s\n)", plan->relation, plan->where));
}
