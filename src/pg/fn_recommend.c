/* fn_recommend.c --- nlp.recommend: what is nearest to what somebody liked.
 *
 * The taste is the mean of the liked items' unit vectors; candidates are the other rows
 * that pass a filter, nearest first by cosine; each is explained by the liked item that
 * is nearest to it. It is one statement of SQL over a table of the caller's, run with the
 * caller's rights (docs/recommend.md shows it), so indexes on the column serve it and a filter loses no rows. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "fn_backfill.h"
#include "fn_common.h"

#define MAX_K 10000
#define COLUMNS 4				/* of a result row */

PG_FUNCTION_INFO_V1(pg_nlp_recommend);

typedef struct Recommend
{
	char	   *items;			/* schema.table, quoted */
	char	   *key;			/* quoted */
	char	   *key_type;		/* as SQL */
	char	   *vectors;		/* quoted */
	char	   *schema;			/* where the vectors' type and its operators are, quoted */
	char	   *filter;
	int			k;
} Recommend;

/* The quoted name of a column and its type. */
static char *
column(Oid relid, const char *name, Oid *type)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, name);

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", name, get_rel_name(relid))));
	*type = ((Form_pg_attribute) GETSTRUCT(tuple))->atttypid;
	ReleaseSysCache(tuple);
	return pstrdup(quote_identifier(name));
}

static char *
type_schema(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	name = get_namespace_name(((Form_pg_type) GETSTRUCT(tuple))->typnamespace);
	ReleaseSysCache(tuple);
	return pstrdup(quote_identifier(name));
}

/* recommend(items regclass, key name, vectors name, liked text[], k int, filter text) */
static void
read_arguments(FunctionCallInfo fcinfo, Recommend *r)
{
	Oid			relid = PG_GETARG_OID(0);
	char	   *name = get_rel_name(relid);
	Oid			type;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", relid)));
	r->items = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
	r->key = column(relid, NameStr(*PG_GETARG_NAME(1)), &type);
	r->key_type = format_type_be_qualified(type);
	r->vectors = column(relid, NameStr(*PG_GETARG_NAME(2)), &type);
	if (type_is_array(type) || get_typtype(type) != TYPTYPE_BASE || !OidIsValid(type) || type < FirstNormalObjectId)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("column \"%s\" of relation \"%s\" is not of type embedding", NameStr(*PG_GETARG_NAME(2)), name)));
	r->schema = type_schema(type);
	r->k = PG_GETARG_INT32(4);
	if (r->k < 1 || r->k > MAX_K)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("k must be between 1 and %d", MAX_K)));
	r->filter = "true";
	if (!PG_ARGISNULL(5))
	{
		r->filter = text_to_cstring(PG_GETARG_TEXT_PP(5));
		pg_nlp_check_expression(r->filter, "the filter");
	}
}

static char *
statement(const Recommend *r)
{
	return psprintf("WITH liked AS MATERIALIZED ("
					"SELECT t.%1$s::pg_catalog.text AS item, t.%3$s AS e FROM %4$s t"
					" WHERE t.%1$s OPERATOR(pg_catalog.=) ANY ($1::%2$s[]) AND t.%3$s IS NOT NULL),"
					" taste AS MATERIALIZED (SELECT %5$s.avg(%5$s.l2_normalize(e)) AS e FROM liked)"
					" SELECT c.item, (1.0::pg_catalog.float8 OPERATOR(pg_catalog.-) c.d)::pg_catalog.float4, w.item,"
					" (1.0::pg_catalog.float8 OPERATOR(pg_catalog.-) w.d)::pg_catalog.float4"
					" FROM taste CROSS JOIN LATERAL ("
					"SELECT t.%1$s::pg_catalog.text AS item, t.%3$s AS e, t.%3$s OPERATOR(%5$s.<=>) taste.e AS d FROM %4$s t"
					" WHERE t.%1$s OPERATOR(pg_catalog.<>) ALL ($1::%2$s[]) AND t.%3$s IS NOT NULL AND (%6$s\n)"
					" ORDER BY t.%3$s OPERATOR(%5$s.<=>) taste.e LIMIT %7$d) c"
					" CROSS JOIN LATERAL (SELECT l.item, l.e OPERATOR(%5$s.<=>) c.e AS d FROM liked l"
					" ORDER BY 2, 1 LIMIT 1) w"
					" WHERE taste.e IS NOT NULL ORDER BY c.d, c.item",
					r->key, r->key_type, r->vectors, r->items, r->schema, r->filter, r->k);
}

Datum
pg_nlp_recommend(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Recommend	r;
	Oid			types[] = {TEXTARRAYOID};
	Datum		args[1];
	ErrorContextCallback context;
	char	   *sql;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < 5; i++)
	{
		if (PG_ARGISNULL(i))
			return (Datum) 0;
	}
	read_arguments(fcinfo, &r);
	sql = statement(&r);
	args[0] = PG_GETARG_DATUM(3);
	SPI_connect();
	context = (ErrorContextCallback) {error_context_stack, pg_nlp_inner_position, sql};
	error_context_stack = &context;
	if (SPI_execute_with_args(sql, 1, types, args, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	error_context_stack = context.previous;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}
