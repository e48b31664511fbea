/* store.c --- the rows of nlp.model, and the relations that hold the bytes.
 *
 * A model is a row (its name) and an ordinary relation in nlp_data (its bytes). The
 * relation carries everything the server knows how to do: owner, GRANT SELECT (the
 * right to use the model), dumps, DROP OWNED, space. A new version is a new
 * relation; the row's change is what makes it visible, at COMMIT.
 *
 * nlp.model is not writable by anybody: its rows change only here, by functions
 * that check that the effective role owns the relation. Nothing here depends on
 * search_path: objects are found by namespace and name, rows by their index. */
#include "shared.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/heap.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/typecmds.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* Columns of nlp.model, as 10_store.sql declares them. */
enum
{
	COL_NAME = 1,
	COL_DATA,
	COL_TASKS,
	COL_ARCHITECTURE,
	COL_PARAMETERS,
	COL_BYTES,
	COL_SHA256,
	COL_SOURCE,
	COL_CREATED,
	COL_CARD,
	N_COLS = COL_CARD
};

PG_FUNCTION_INFO_V1(pg_nlp_drop_model);
PG_FUNCTION_INFO_V1(pg_nlp_rename_model);
PG_FUNCTION_INFO_V1(pg_nlp_repair);

/* ---- small conversions ---- */

static const struct
{
	uint32		task;
	const char *name;
}			task_names[] = {
	{NLP_TASK_GENERATION, "generation"},
	{NLP_TASK_TOKENIZER, "tokenizer"},
	{NLP_TASK_WORD_VECTORS, "word_vectors"},
	{NLP_TASK_SEGMENTATION, "segmentation"},
};

const char *
pg_nlp_task_name(uint32 task)
{
	for (int i = 0; i < (int) lengthof(task_names); i++)
	{
		if (task_names[i].task == task)
			return task_names[i].name;
	}
	return "?";
}

uint32
pg_nlp_task_by_name(const char *name)
{
	for (int i = 0; i < (int) lengthof(task_names); i++)
	{
		if (strcmp(task_names[i].name, name) == 0)
			return task_names[i].task;
	}
	return 0;
}

Datum
pg_nlp_tasks_to_array(uint32 tasks)
{
	Datum		names[lengthof(task_names)];
	int			n = 0;

	for (int i = 0; i < (int) lengthof(task_names); i++)
	{
		if (tasks & task_names[i].task)
			names[n++] = CStringGetTextDatum(task_names[i].name);
	}
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

uint32
pg_nlp_tasks_from_array(Datum array)
{
	Datum	   *names;
	bool	   *nulls;
	int			n;
	uint32		tasks = 0;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			tasks |= pg_nlp_task_by_name(TextDatumGetCString(names[i]));
	}
	return tasks;
}

void
pg_nlp_hex(const uint8 *bytes, int n, char *out)
{
	for (int i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

bool
pg_nlp_from_hex(const char *hex, uint8 *bytes, int n)
{
	if (strlen(hex) != (size_t) n * 2)
		return false;
	for (int i = 0; i < n; i++)
	{
		unsigned	byte;

		if (!isxdigit((unsigned char) hex[2 * i]) || !isxdigit((unsigned char) hex[2 * i + 1]) ||
			sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		bytes[i] = (uint8) byte;
	}
	return true;
}

/* ---- finding our own objects ---- */

static Oid
schema_oid(const char *name)
{
	Oid			oid = get_namespace_oid(name, true);

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema \"%s\" does not exist", name),
				 errhint("Run CREATE EXTENSION pg_nlp in this database.")));
	return oid;
}

Oid
pg_nlp_data_namespace(void)
{
	return schema_oid("nlp_data");
}

Oid
pg_nlp_catalog(const char *relname)
{
	Oid			oid = get_relname_relid(relname, schema_oid("nlp"));

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"nlp.%s\" does not exist", relname),
				 errhint("Run CREATE EXTENSION pg_nlp in this database.")));
	return oid;
}

Snapshot
pg_nlp_statement_snapshot(void)
{
	return ActiveSnapshotSet() ? GetActiveSnapshot() : GetTransactionSnapshot();
}

bool
pg_nlp_relation_owner(Oid relation, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relation, role);
#else
	return pg_class_ownercheck(relation, role);
#endif
}

static void
check_owner(const PgNlpModelRow *row)
{
	if (!pg_nlp_relation_owner(row->relation, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of model \"%s\"", row->name)));
}

/* A name is letters, digits and punctuation that no setting or head ("model:head",
 * "en=model,zh=model") uses for itself. */
bool
pg_nlp_is_name(const char *name)
{
	size_t		len = strlen(name);
	bool		good = len > 0 && len < PG_NLP_NAME_BYTES && name[0] != ' ' && name[len - 1] != ' ';

	for (size_t i = 0; i < len && good; i++)
		good = (unsigned char) name[i] >= 0x20 && name[i] != 0x7f && strchr(":,=\"'\\", name[i]) == NULL;
	return good;
}

void
pg_nlp_check_name(const char *name)
{
	if (!pg_nlp_is_name(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid model name"),
				 errdetail("A name has 1 to %d bytes, no control characters, none of : , = \" ' \\ and no space at either end.",
						   PG_NLP_NAME_BYTES - 1)));
}

/* ---- reading ---- */

static bool
relation_exists(Oid relation)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation));
}

/* False for a row that nothing of ours wrote. */
static bool
read_row(Relation rel, HeapTuple tuple, PgNlpModelRow *row)
{
	Datum		values[N_COLS];
	bool		nulls[N_COLS];
	char	   *name;

	heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
	for (int i = 0; i < COL_SHA256; i++)
	{
		if (nulls[i])
			return false;
	}
	name = TextDatumGetCString(values[COL_NAME - 1]);
	if (!pg_nlp_copy(row->name, name, PG_NLP_NAME_BYTES))
		return false;
	row->relation = DatumGetObjectId(values[COL_DATA - 1]);
	row->tasks = pg_nlp_tasks_from_array(values[COL_TASKS - 1]);
	row->bytes = (uint64) DatumGetInt64(values[COL_BYTES - 1]);
	return pg_nlp_from_hex(TextDatumGetCString(values[COL_SHA256 - 1]), row->sha256, PG_NLP_SHA256_BYTES);
}

HeapTuple
pg_nlp_named_tuple(Relation rel, const char *index, const char *name, Snapshot snapshot)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, COL_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	scan = systable_beginscan(rel, pg_nlp_catalog(index), true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

/* The tuple of a model's name, or NULL. */
static HeapTuple
find_tuple(Relation rel, const char *name, Snapshot snapshot)
{
	return pg_nlp_named_tuple(rel, "model_pkey", name, snapshot);
}

bool
pg_nlp_store_find(const char *name, Snapshot snapshot, PgNlpModelRow *row)
{
	Relation	rel = table_open(pg_nlp_catalog("model"), AccessShareLock);
	HeapTuple	tuple = find_tuple(rel, name, snapshot);
	bool		found = HeapTupleIsValid(tuple) && read_row(rel, tuple, row);

	table_close(rel, AccessShareLock);
	return found;
}

static void
model_missing(const char *name)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" does not exist", name)));
}

void
pg_nlp_model_gone(const PgNlpModelRow *row)
{
	bool		stays = false;

	if (!IsInParallelMode())	/* where no snapshot may be taken */
	{
		PgNlpModelRow now;
		Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

		stays = pg_nlp_store_find(row->name, snapshot, &now) && now.relation == row->relation;
		UnregisterSnapshot(snapshot);
		if (!stays && !IsolationUsesXactSnapshot())
			model_missing(row->name);
	}
	if (stays)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the relation of model \"%s\" does not exist", row->name),
				 errhint("Load the model again, or remove its name with nlp.drop_model.")));
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("model \"%s\" was dropped or replaced by another transaction", row->name),
			 errhint("Run the statement again.")));
	pg_unreachable();
}

static bool
lock_relation(Oid relation)
{
	LockRelationOid(relation, AccessShareLock);
	if (relation_exists(relation))
		return true;
	UnlockRelationOid(relation, AccessShareLock);
	return false;
}

void
pg_nlp_lock_model(PgNlpModelRow *row)
{
	PgNlpModelRow newest;

	if (pg_nlp_is_shipped(row))
		return;
	/* More than once only if it is replaced again and again while we look. */
	for (int i = 0; i < 100; i++)
	{
		Snapshot	snapshot;
		bool		found;

		if (lock_relation(row->relation))
			return;
		if (IsolationUsesXactSnapshot() || IsInParallelMode())
			break;
		snapshot = RegisterSnapshot(GetLatestSnapshot());
		found = pg_nlp_store_find(row->name, snapshot, &newest);
		UnregisterSnapshot(snapshot);
		if (!found || newest.relation == row->relation)
			break;
		*row = newest;
	}
	pg_nlp_model_gone(row);
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

List *
pg_nlp_store_candidates(uint32 task, Snapshot snapshot)
{
	Relation	rel = table_open(pg_nlp_catalog("model"), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;
	List	   *names = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		PgNlpModelRow row;
		bool		missing = false;

		CHECK_FOR_INTERRUPTS();
		if (!read_row(rel, tuple, &row) || !(row.tasks & task))
			continue;
		if (pg_class_aclcheck_ext(row.relation, GetUserId(), ACL_SELECT, &missing) == ACLCHECK_OK && !missing)
			names = lappend(names, pstrdup(row.name));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	list_sort(names, compare_names);
	return names;
}

/* ---- relations for bytes ---- */

/* "SmolLM2 135M" -> smollm2_135m_1f0c55d2: readable, and unique by chance, so that
 * neither a dump nor two concurrent loads can collide. */
static void
relation_name(const char *model, char *out)
{
	uint8		random[6];
	int			n = 0;

	for (const char *p = model; *p && n < NAMEDATALEN - 16; p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		out[n++] = ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) ? (char) c : '_';
	}
	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
	out[n++] = '_';
	pg_nlp_hex(random, sizeof(random), out + n);
}

/* So that DROP EXTENSION asks for CASCADE. Not dumped: nlp.repair() makes it again.
 * True when it was there already. */
static bool
depend_on_extension(Oid relation)
{
	ObjectAddress self = {RelationRelationId, relation, 0};
	ObjectAddress extension = {ExtensionRelationId, get_extension_oid("pg_nlp", false), 0};
	bool		had = deleteDependencyRecordsForSpecific(RelationRelationId, relation, DEPENDENCY_NORMAL,
														 ExtensionRelationId, extension.objectId) > 0;

	recordDependencyOn(&self, &extension, DEPENDENCY_NORMAL);
	return had;
}

/* The schema has no CREATE for anybody: relations in it are made here and nowhere
 * else, straight for the role that asked. */
Oid
pg_nlp_create_relation(const char *name)
{
	char		relname[NAMEDATALEN];
	TupleDesc	desc = CreateTemplateTupleDesc(2);
	Oid			relation;

	relation_name(name, relname);
	TupleDescInitEntry(desc, 1, "seq", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "data", BYTEAOID, -1, 0);
	TupleDescAttr(desc, 0)->attnotnull = true;
	TupleDescAttr(desc, 1)->attnotnull = true;
	TupleDescAttr(desc, 1)->attstorage = TYPSTORAGE_PLAIN;
#if PG_VERSION_NUM >= 180000
	populate_compact_attribute(desc, 0);
	populate_compact_attribute(desc, 1);
#endif
	relation = heap_create_with_catalog(relname, pg_nlp_data_namespace(), InvalidOid, InvalidOid, InvalidOid,
										InvalidOid, GetUserId(), HEAP_TABLE_AM_OID, desc, NIL,
										RELKIND_RELATION, RELPERSISTENCE_PERMANENT, false, false,
										ONCOMMIT_NOOP, (Datum) 0, true, false, false, InvalidOid, NULL);
	if (!creating_extension)
		depend_on_extension(relation);
	CommandCounterIncrement();
	return relation;
}

static bool
depended_on(Relation depend, Oid classid, Oid objid)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(classid));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(objid));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = ((Form_pg_depend) GETSTRUCT(tuple))->deptype == DEPENDENCY_NORMAL;
	systable_endscan(scan);
	return found;
}

/* Whether something a user made (a view, a column of its row type) hangs on the
 * relation: then DROP RESTRICT would raise, in a commit that is not theirs. */
static bool
has_dependents(Oid relation)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	Oid			type = get_rel_type_id(relation);
	bool		found = depended_on(depend, RelationRelationId, relation) ||
		(OidIsValid(type) && (depended_on(depend, TypeRelationId, type) ||
							  depended_on(depend, TypeRelationId, get_array_type(type))));

	table_close(depend, AccessShareLock);
	return found;
}

/* Drop without waiting: false when somebody uses it, or something hangs on it. */
static bool
drop_now(Oid relation)
{
	ObjectAddress object = {RelationRelationId, relation, 0};

	if (!relation_exists(relation))
		return true;
	if (!ConditionalLockRelationOid(relation, AccessExclusiveLock))
		return false;
	if (relation_exists(relation))
	{
		if (has_dependents(relation))
			return false;
		performDeletion(&object, DROP_RESTRICT, 0);
		pg_nlp_forget_relation(relation);
	}
	return true;
}

/* Transactions that use a model hold its relation, as they would hold any table. A
 * replace or a drop neither waits for them nor makes others wait for its own
 * COMMIT: the name changes, and the relation goes to nlp.retired. As the last thing
 * before COMMIT, what is there and not in use is dropped; the rest is left for the
 * next load, drop, prewarm, evict or repair. */
void
pg_nlp_drop_relation(Oid relation)
{
	Relation	rel;
	Datum		values[2] = {ObjectIdGetDatum(relation), TimestampTzGetDatum(GetCurrentTimestamp())};
	bool		nulls[2] = {false, false};

	if (!relation_exists(relation))
		return;
	if (has_dependents(relation))
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop relation \"%s\" because other objects depend on it", get_rel_name(relation)),
				 errhint("Drop those objects first.")));
	rel = table_open(pg_nlp_catalog("retired"), RowExclusiveLock);
	CatalogTupleInsert(rel, heap_form_tuple(RelationGetDescr(rel), values, nulls));
	table_close(rel, NoLock);
	pg_nlp_want_purge();
}

static bool purge_wanted;

/* Look at nlp.retired before this transaction commits. */
void
pg_nlp_want_purge(void)
{
	purge_wanted = !RecoveryInProgress() && !XactReadOnly;
}

/* Drop what nobody uses any more. Left alone while another transaction does it. */
static void
purge_retired(void)
{
	Oid			retired = pg_nlp_catalog("retired");
	Relation	rel;
	SysScanDesc scan;
	Snapshot	snapshot;
	HeapTuple	tuple;

	if (!ConditionalLockRelationOid(retired, ShareUpdateExclusiveLock))
		return;
	rel = table_open(retired, RowExclusiveLock);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		null;

		if (drop_now(DatumGetObjectId(heap_getattr(tuple, 1, RelationGetDescr(rel), &null))))
			CatalogTupleDelete(rel, &tuple->t_self);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
}

static void
before_commit(XactEvent event, void *arg)
{
	bool		wanted = purge_wanted;

	if (event != XACT_EVENT_PRE_COMMIT)
	{
		if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
			purge_wanted = false;
		return;
	}
	purge_wanted = false;
	/* the extension itself may have been dropped */
	if (!wanted || !OidIsValid(get_extension_oid("pg_nlp", true)))
		return;
	CommandCounterIncrement();	/* the last statement's rows */
	PushActiveSnapshot(GetTransactionSnapshot());
	purge_retired();
	PopActiveSnapshot();
}

void
pg_nlp_store_init(void)
{
	RegisterXactCallback(before_commit, NULL);
}

/* ---- writing ---- */

/* Held to the end of the transaction: two loads, renames or drops of one name take
 * turns, others do not wait. */
static void
lock_name(const char *name)
{
	LockDatabaseObject(pg_nlp_catalog("model"),
					   (Oid) DatumGetUInt32(hash_any((const unsigned char *) name, (int) strlen(name))),
					   0, ExclusiveLock);
}

/* The newest committed (or own) version of a name. A transaction that must keep its
 * snapshot fails when that is not what the snapshot shows. */
static HeapTuple
newest_tuple(Relation rel, const char *name, PgNlpModelRow *row)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	HeapTuple	tuple = find_tuple(rel, name, snapshot);

	UnregisterSnapshot(snapshot);
	if (HeapTupleIsValid(tuple) && !read_row(rel, tuple, row))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("row of model \"%s\" in nlp.model is not valid", name)));
	if (IsolationUsesXactSnapshot())
	{
		PgNlpModelRow old;
		bool		had = pg_nlp_store_find(name, pg_nlp_statement_snapshot(), &old);

		if (had != HeapTupleIsValid(tuple) || (had && old.relation != row->relation))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to concurrent update of model \"%s\"", name)));
	}
	return tuple;
}

bool
pg_nlp_store_lock_name(const char *name, bool replace, PgNlpModelRow *old)
{
	Relation	rel = table_open(pg_nlp_catalog("model"), RowExclusiveLock);
	bool		found;

	lock_name(name);
	found = HeapTupleIsValid(newest_tuple(rel, name, old)) && relation_exists(old->relation);
	table_close(rel, NoLock);
	if (!found)
		return false;
	if (!replace)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" already exists", name),
				 errhint("Pass options => '{\"replace\": true}' to put a new version in its place.")));
	check_owner(old);
	return true;
}

/* A new version belongs to whom the old one belonged, and who could use that may use this. */
static void
inherit_rights(Oid from, Oid to)
{
	Relation	catalog = table_open(RelationRelationId, RowExclusiveLock);
	HeapTuple	old = SearchSysCache1(RELOID, ObjectIdGetDatum(from));
	HeapTuple	tuple = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(to));
	Datum		values[Natts_pg_class] = {0};
	bool		nulls[Natts_pg_class] = {0};
	bool		replaces[Natts_pg_class] = {0};
	bool		no_acl;
	Oid			owner,
				made_by;

	if (!HeapTupleIsValid(old) || !HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", HeapTupleIsValid(old) ? to : from);
	owner = ((Form_pg_class) GETSTRUCT(old))->relowner;
	made_by = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	values[Anum_pg_class_relowner - 1] = ObjectIdGetDatum(owner);
	values[Anum_pg_class_relacl - 1] = SysCacheGetAttr(RELOID, old, Anum_pg_class_relacl, &no_acl);
	nulls[Anum_pg_class_relacl - 1] = no_acl;
	replaces[Anum_pg_class_relowner - 1] = replaces[Anum_pg_class_relacl - 1] = true;
	tuple = heap_modify_tuple(tuple, RelationGetDescr(catalog), values, nulls, replaces);
	CatalogTupleUpdate(catalog, &tuple->t_self, tuple);
	if (owner != made_by)
	{
		changeDependencyOnOwner(RelationRelationId, to, owner);
		AlterTypeOwnerInternal(get_rel_type_id(to), owner);
	}
	if (!no_acl)
	{
		Oid		   *members;
		int			n = aclmembers(DatumGetAclP(values[Anum_pg_class_relacl - 1]), &members);

		updateAclDependencies(RelationRelationId, to, 0, owner, 0, NULL, n, members);
	}
	ReleaseSysCache(old);
	table_close(catalog, NoLock);
	CommandCounterIncrement();
}

void
pg_nlp_store_put(const PgNlpNewModel *model, bool replace)
{
	PgNlpModelRow old;
	char		hex[2 * PG_NLP_SHA256_BYTES + 1];
	Datum		values[N_COLS] = {0};
	bool		nulls[N_COLS] = {0};
	Relation	rel;
	HeapTuple	tuple;
	HeapTuple	new_tuple;
	bool		had = pg_nlp_store_lock_name(model->name, replace, &old);

	pg_nlp_hex(model->sha256, PG_NLP_SHA256_BYTES, hex);
	values[COL_NAME - 1] = CStringGetTextDatum(model->name);
	values[COL_DATA - 1] = ObjectIdGetDatum(model->relation);
	values[COL_TASKS - 1] = pg_nlp_tasks_to_array(model->tasks);
	values[COL_ARCHITECTURE - 1] = CStringGetTextDatum(model->architecture);
	values[COL_PARAMETERS - 1] = Int64GetDatum((int64) model->parameters);
	values[COL_BYTES - 1] = Int64GetDatum((int64) model->bytes);
	values[COL_SHA256 - 1] = CStringGetTextDatum(hex);
	nulls[COL_SOURCE - 1] = model->source == NULL;
	if (model->source)
		values[COL_SOURCE - 1] = CStringGetTextDatum(model->source);
	values[COL_CREATED - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	nulls[COL_CARD - 1] = model->card == NULL;
	values[COL_CARD - 1] = PointerGetDatum(model->card);

	rel = table_open(pg_nlp_catalog("model"), RowExclusiveLock);
	new_tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	tuple = newest_tuple(rel, model->name, &old);	/* also a row whose relation is gone */
	if (HeapTupleIsValid(tuple))
		CatalogTupleUpdate(rel, &tuple->t_self, new_tuple);
	else
		CatalogTupleInsert(rel, new_tuple);
	table_close(rel, NoLock);
	CommandCounterIncrement();
	if (had)
	{
		inherit_rights(old.relation, model->relation);
		pg_nlp_drop_relation(old.relation);
	}
	pg_nlp_want_purge();
}

/* No row has this name: what is shipped has none, and stays as it is. */
static _Noreturn void
not_stored(const char *name)
{
	PgNlpModelRow row;

	if (pg_nlp_shipped_find(name, &row))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" is shipped with the extension and cannot be changed", name),
				 errhint("A model of your own under this name takes its place.")));
	model_missing(name);
	pg_unreachable();
}

/* The row to change, its name locked, its owner checked. */
static HeapTuple
own_tuple(Relation rel, const char *name, PgNlpModelRow *row)
{
	HeapTuple	tuple;

	lock_name(name);
	tuple = newest_tuple(rel, name, row);
	if (!HeapTupleIsValid(tuple))
		not_stored(name);
	if (relation_exists(row->relation) || !superuser())
		check_owner(row);
	return tuple;
}

Datum
pg_nlp_drop_model(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Relation	rel;
	HeapTuple	tuple;
	PgNlpModelRow row;

	PreventCommandIfReadOnly("nlp.drop_model()");
	rel = table_open(pg_nlp_catalog("model"), RowExclusiveLock);
	tuple = own_tuple(rel, name, &row);
	CatalogTupleDelete(rel, &tuple->t_self);
	table_close(rel, NoLock);
	CommandCounterIncrement();
	pg_nlp_drop_relation(row.relation);
	pg_nlp_want_purge();
	PG_RETURN_VOID();
}

Datum
pg_nlp_rename_model(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *new_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Datum		values[N_COLS] = {0};
	bool		nulls[N_COLS] = {0};
	bool		replaces[N_COLS] = {0};
	Relation	rel;
	HeapTuple	tuple;
	HeapTuple	taken;
	PgNlpModelRow row,
				other;

	PreventCommandIfReadOnly("nlp.rename_model()");
	pg_nlp_check_name(new_name);
	rel = table_open(pg_nlp_catalog("model"), RowExclusiveLock);
	/* in one order, so that two renames crossing each other do not deadlock */
	lock_name(strcmp(name, new_name) < 0 ? name : new_name);
	lock_name(strcmp(name, new_name) < 0 ? new_name : name);
	tuple = own_tuple(rel, name, &row);
	taken = newest_tuple(rel, new_name, &other);
	if (HeapTupleIsValid(taken))
	{
		if (relation_exists(other.relation))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("model \"%s\" already exists", new_name)));
		CatalogTupleDelete(rel, &taken->t_self);	/* its relation is gone */
		CommandCounterIncrement();
	}
	values[COL_NAME - 1] = CStringGetTextDatum(new_name);
	replaces[COL_NAME - 1] = true;
	CatalogTupleUpdate(rel, &tuple->t_self,
					   heap_modify_tuple(tuple, RelationGetDescr(rel), values, nulls, replaces));
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* ---- nlp.repair(): after a restore ---- */

static void
repaired(ReturnSetInfo *rsinfo, const char *name, const char *action)
{
	Datum		values[2] = {CStringGetTextDatum(name), CStringGetTextDatum(action)};
	bool		nulls[2] = {false, false};

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* The relations of checkpoints, the same. */
static void
repair_checkpoints(ReturnSetInfo *rsinfo)
{
	Relation	rel = table_open(pg_nlp_catalog("checkpoint"), AccessShareLock);
	AttrNumber	name = get_attnum(RelationGetRelid(rel), "name");
	AttrNumber	data = get_attnum(RelationGetRelid(rel), "data");
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		null;
		Oid			relation = DatumGetObjectId(heap_getattr(tuple, data, RelationGetDescr(rel), &null));

		if (relation_exists(relation) && pg_nlp_relation_owner(relation, GetUserId()) && !depend_on_extension(relation))
			repaired(rsinfo, TextDatumGetCString(heap_getattr(tuple, name, RelationGetDescr(rel), &null)),
					 "its checkpoint bound to the extension");
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
}

/* Bind each model's relation to the extension again (a dump does not carry that),
 * and, for a superuser, remove rows whose relation was dropped behind our back.
 * Only models of roles that the caller is a member of are touched. */
Datum
pg_nlp_repair(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	Snapshot	snapshot;

	PreventCommandIfReadOnly("nlp.repair()");
	InitMaterializedSRF(fcinfo, 0);
	rel = table_open(pg_nlp_catalog("model"), RowExclusiveLock);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		PgNlpModelRow row;

		if (!read_row(rel, tuple, &row))
			continue;
		if (!relation_exists(row.relation))
		{
			if (!superuser())
				continue;
			CatalogTupleDelete(rel, &tuple->t_self);
			repaired(rsinfo, row.name, "removed: its relation does not exist");
		}
		else if (pg_nlp_relation_owner(row.relation, GetUserId()) && !depend_on_extension(row.relation))
			repaired(rsinfo, row.name, "bound to the extension");
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	repair_checkpoints(rsinfo);
	pg_nlp_evict_orphans();
	pg_nlp_want_purge();
	return (Datum) 0;
}
