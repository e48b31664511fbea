/* call.c --- one verb's use of a model, from its name to the last byte given back.
 *
 * Names are looked up under the statement's snapshot. What was found is remembered
 * in fn_extra and used again only while the snapshot shows the same (snapshot,
 * command, transaction and subtransaction): PL/pgSQL keeps fn_extra over statements,
 * and changes of rows send no invalidation. The right to use the model is looked at
 * in every call, for the role that is effective then.
 *
 * A call owns a memory context; its reset callback undoes everything, so an ERROR
 * anywhere is the same as pg_nlp_call_end. Leaving the server undoes calls by the
 * list of them. A call may also stay open over the rows of a statement (words_call.c):
 * pg_nlp_call_is_current then stands for the look-up, and looks at the right again. */
#include "shared.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(pg_nlp_prewarm);
PG_FUNCTION_INFO_V1(pg_nlp_evict);

typedef struct PgNlpCallPrivate
{
	dlist_node	node;
	bool		open;			/* in the list; undone when false */
	bool		gated;			/* wants a place */
	bool		has_place;
	bool		holds_pool;
	MemoryContext mcxt;
	MemoryContextCallback undo;
	PgNlpMemory memory;
	PgNlpHandle *handle;
	PgNlpActivity *activity;
	PgNlpModelRow row;
	struct NameMemo *found;		/* how row was found */
	NlpDecoderStats stats;
	uint64		rows;
	bool		paused;
	instr_time	start;			/* of the call, or since it went on */
	instr_time	spent;			/* before that */
} PgNlpCallPrivate;

static dlist_head calls = DLIST_STATIC_INIT(calls);

/* ---- which model ---- */

/* Two equal ones show the same rows. */
typedef struct SnapshotKey
{
	LocalTransactionId lxid;
	SubTransactionId subxid;
	TransactionId xmin,
				xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
	uint64		completions;
} SnapshotKey;

typedef struct NameMemo
{
	SnapshotKey snapshot;
	Oid			role;
	uint32		task;
	char		asked[PG_NLP_NAME_BYTES];	/* name or default; "": the only one */
	PgNlpModelRow row;
} NameMemo;

static void
snapshot_key(Snapshot snapshot, SnapshotKey *key)
{
	memset(key, 0, sizeof(*key));	/* compared as bytes */
#if PG_VERSION_NUM >= 170000
	key->lxid = MyProc->vxid.lxid;
#else
	key->lxid = MyProc->lxid;
#endif
	key->subxid = GetCurrentSubTransactionId();
	key->xmin = snapshot->xmin;
	key->xmax = snapshot->xmax;
	key->xcnt = snapshot->xcnt;
	key->subxcnt = snapshot->subxcnt;
	key->curcid = snapshot->curcid;
	key->completions = snapshot->snapXactCompletionCount;
}

static char *
name_list(List *names)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, names)
		appendStringInfo(&buf, "%s\"%s\"", buf.len ? ", " : "", (char *) lfirst(lc));
	return buf.data;
}

/* No name and no setting: the only model that the role may use for the task. What is
 * shipped serves those who have none. */
static void
only_model(uint32 task, Snapshot snapshot, PgNlpModelRow *row)
{
	List	   *names = pg_nlp_store_candidates(task, snapshot);
	const char *setting;

	(void) pg_nlp_default_model(task, &setting);
	if (names == NIL)
		names = pg_nlp_shipped_candidates(task, snapshot);
	if (names == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no model for task \"%s\" is loaded that you may use", pg_nlp_task_name(task)),
				 errhint("Load one with nlp.load_model(name, path), or ask its owner for GRANT SELECT; nlp.models lists them.")));
	if (list_length(names) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
				 errmsg("more than one model can do task \"%s\"", pg_nlp_task_name(task)),
				 errdetail("Candidates are %s.", name_list(names)),
				 errhint("Name one in the model argument, or set \"%s\".", setting)));
	if (!pg_nlp_find_model(linitial(names), snapshot, row))
		elog(ERROR, "model \"%s\" vanished from its snapshot", (char *) linitial(names));
}

static void
cannot_do(const PgNlpModelRow *row, uint32 task)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" cannot do task \"%s\"", row->name, pg_nlp_task_name(task)),
			 errhint("nlp.models says what each model can do.")));
}

static void
named_model(const char *name, bool by_setting, uint32 task, Snapshot snapshot, PgNlpModelRow *row)
{
	const char *setting = NULL;

	if (by_setting)
		(void) pg_nlp_default_model(task, &setting);
	if (!pg_nlp_find_model(name, snapshot, row))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not exist", name),
				 by_setting ? errdetail("The setting \"%s\" names it.", setting) : 0,
				 name[0] == '{' && !by_setting ?
				 errhint("Options come after the model's name; give them alone as options => '{...}'.") :
				 errhint("nlp.models lists the models.")));
}

/* The model a setting of the form "en=a,zh=b" names for a language, or the first one it
 * names; a setting without "=" is one name. Palloc'ed. */
static char *
name_for_language(const char *value, uint32 task, const char *language)
{
	char	   *first = NULL;
	char	   *match = NULL;
	const char *setting;

	if (strchr(value, '=') == NULL)
		return pstrdup(value);
	for (const char *at = value; *at;)
	{
		size_t		len = strcspn(at, ",");
		const char *equal = memchr(at, '=', len);
		char	   *name;

		if (equal == NULL || equal == at || equal + 1 == at + len)
		{
			(void) pg_nlp_default_model(task, &setting);
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for setting \"%s\"", setting),
					 errhint("Give one model's name, or a name for each language: en=name,zh=name.")));
		}
		name = pnstrdup(equal + 1, at + len - equal - 1);
		if (language && strlen(language) == (size_t) (equal - at) && memcmp(language, at, equal - at) == 0)
			match = name;
		if (first == NULL)
			first = name;
		at += len + (at[len] == ',');
	}
	return match ? match : first;
}

/* Find and lock the model; *found is what the answer depends on. */
static void
resolve(FunctionCallInfo fcinfo, uint32 task, const text *model_name, const char *language, PgNlpModelRow *row,
		NameMemo *found)
{
	Snapshot	snapshot = pg_nlp_statement_snapshot();
	NameMemo   *memo = fcinfo ? fcinfo->flinfo->fn_extra : NULL;
	NameMemo	now;
	char	   *name = model_name ? text_to_cstring(model_name) :
		name_for_language(pg_nlp_default_model(task, NULL), task, language);

	memset(&now, 0, offsetof(NameMemo, row));
	snapshot_key(snapshot, &now.snapshot);
	now.role = GetUserId();
	now.task = task;
	if (model_name && name[0] == '\0')
		pg_nlp_check_name(name);	/* raises */
	if (!pg_nlp_copy(now.asked, name, sizeof(now.asked)))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model does not exist: its name is too long")));
	if (memo && memcmp(memo, &now, offsetof(NameMemo, row)) == 0)
	{
		*row = memo->row;
		*found = *memo;
		pfree(name);
		return;
	}
	if (name[0] == '\0')
		only_model(task, snapshot, &now.row);
	else
		named_model(name, model_name == NULL, task, snapshot, &now.row);
	pg_nlp_lock_model(&now.row);
	if (!(now.row.tasks & task))	/* replaced since the snapshot */
		cannot_do(&now.row, task);
	*row = now.row;
	*found = now;
	if (fcinfo)
	{
		if (memo == NULL)
			memo = fcinfo->flinfo->fn_extra = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(NameMemo));
		*memo = now;
	}
	pfree(name);
}

static void
check_right(const PgNlpModelRow *row)
{
	bool		missing = false;
	AclResult	allowed;

	if (pg_nlp_is_shipped(row))
		return;					/* everybody's */
	allowed = pg_class_aclcheck_ext(row->relation, GetUserId(), ACL_SELECT, &missing);
	if (missing)
		pg_nlp_model_gone(row);
	if (allowed != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for model \"%s\"", row->name),
				 errhint("Its owner can GRANT SELECT on its relation, which nlp.models names.")));
}

/* ---- a call ---- */

static void
stop_clock(PgNlpCallPrivate *p)
{
	instr_time	now;

	if (p->paused)
		return;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_ACCUM_DIFF(p->spent, now, p->start);
	p->paused = true;
}

static void
undo_call(void *arg)
{
	PgNlpCallPrivate *p = arg;

	if (!p->open)
		return;
	p->open = false;
	dlist_delete(&p->node);
	stop_clock(p);
	if (p->has_place)
		pg_nlp_gate_leave();
	p->has_place = false;
	if (p->handle)
	{
		pg_nlp_count_call(&p->row, &p->stats, p->rows, INSTR_TIME_GET_MICROSEC(p->spent));
		pg_nlp_release(p->handle);
		p->handle = NULL;
	}
	pg_nlp_activity_end(p->activity);
	p->activity = NULL;
	if (p->holds_pool)
		pg_nlp_pool_hold(-1);
	p->holds_pool = false;
	pg_nlp_memory_release(&p->memory);
}

void
pg_nlp_calls_at_exit(void)
{
	while (!dlist_is_empty(&calls))
		undo_call(dlist_container(PgNlpCallPrivate, node, dlist_head_node(&calls)));
}

static void
show_loading(void *ctx)
{
	pg_nlp_phase(((PgNlpCallPrivate *) ctx)->activity, PG_NLP_PHASE_LOADING);
}

static PgNlpCall *
new_call(const char *verb)
{
	MemoryContext mcxt = AllocSetContextCreate(CurrentMemoryContext, "pg_nlp call", ALLOCSET_DEFAULT_SIZES);
	PgNlpCall  *call = MemoryContextAllocZero(mcxt, sizeof(PgNlpCall));
	PgNlpCallPrivate *p = MemoryContextAllocZero(mcxt, sizeof(PgNlpCallPrivate));

	call->priv = p;
	p->mcxt = mcxt;
	INSTR_TIME_SET_CURRENT(p->start);
	pg_nlp_memory_init(&p->memory, mcxt, true);
	pg_nlp_env_init(&call->env, &p->memory);
	p->undo = (MemoryContextCallback) {.func = undo_call, .arg = p};
	MemoryContextRegisterResetCallback(mcxt, &p->undo);
	dlist_push_head(&calls, &p->node);
	p->open = true;
	p->activity = pg_nlp_activity_begin(verb);
	return call;
}

PgNlpCall *
pg_nlp_call_begin(FunctionCallInfo fcinfo, const char *verb, uint32 task, const text *model_name, const char *language, bool gate)
{
	PgNlpModelRow row;
	NameMemo	found;
	PgNlpCall  *call;
	PgNlpCallPrivate *p;

	(void) pg_nlp_shared();		/* or the reason why not, first */
	resolve(fcinfo, task, model_name, language, &row, &found);
	check_right(&row);
	call = new_call(verb);
	p = call->priv;
	p->row = row;
	p->found = MemoryContextAlloc(p->mcxt, sizeof(NameMemo));
	*p->found = found;
	p->gated = gate;
	pg_nlp_activity_model(p->activity, row.name);
	p->handle = pg_nlp_acquire(&row, show_loading, p);
	call->model = p->handle->model;
	pg_nlp_call_resume(call);
	if (gate)					/* the others do too little for threads */
		call->env.pool = pg_nlp_pool();
	if (call->env.pool)
	{
		pg_nlp_pool_hold(1);
		p->holds_pool = true;
	}
	return call;
}

/* The name a call would look up: as resolve() takes it, without a copy when it can. */
static bool
asks_the_same(const NameMemo *found, const text *model_name, const char *language)
{
	const char *value;
	char	   *name;
	bool		same;

	if (model_name)
	{
		size_t		len = VARSIZE_ANY_EXHDR(model_name);

		return len > 0 && len == strlen(found->asked) && memcmp(found->asked, VARDATA_ANY(model_name), len) == 0;
	}
	value = pg_nlp_default_model(found->task, NULL);
	if (strchr(value, '=') == NULL)
		return strcmp(found->asked, value) == 0;
	name = name_for_language(value, found->task, language);
	same = strcmp(found->asked, name) == 0;
	pfree(name);
	return same;
}

bool
pg_nlp_call_is_current(PgNlpCall *call, const text *model_name, const char *language)
{
	PgNlpCallPrivate *p = call->priv;
	SnapshotKey now;

	snapshot_key(pg_nlp_statement_snapshot(), &now);
	if (!p->open || memcmp(&now, &p->found->snapshot, sizeof(now)) != 0 || p->found->role != GetUserId() ||
		!asks_the_same(p->found, model_name, language))
		return false;
	check_right(&p->row);
	return true;
}

void
pg_nlp_call_end(PgNlpCall *call)
{
	MemoryContextDelete(call->priv->mcxt);	/* calls undo_call first */
}

void
pg_nlp_call_progress(PgNlpCall *call, const NlpDecoderStats *stats, uint64 rows_done)
{
	PgNlpCallPrivate *p = call->priv;

	if (stats)
		p->stats = *stats;
	p->rows = rows_done;
	if (p->activity)
	{
		pg_atomic_write_u64(&p->activity->tokens, p->stats.tokens);
		pg_atomic_write_u64(&p->activity->rows, rows_done);
	}
}

void
pg_nlp_call_reserve(PgNlpCall *call, Size bytes, const char *what)
{
	if (!pg_nlp_memory_reserve(&call->priv->memory, bytes))
		pg_nlp_budget_error(bytes, what);
}

Size
pg_nlp_call_available(const PgNlpCall *call)
{
	const PgNlpMemory *m = &call->priv->memory;
	uint64		limit = pg_nlp_compute_limit();
	uint64		used = pg_atomic_read_u64(&pg_nlp_shared()->budget_used);

	return (limit > used ? limit - used : 0) + (m->reserved - m->used);
}

void
pg_nlp_call_pause(PgNlpCall *call)
{
	PgNlpCallPrivate *p = call->priv;

	if (p->has_place)
		pg_nlp_gate_leave();
	p->has_place = false;
	stop_clock(p);
	pg_nlp_phase(p->activity, PG_NLP_PHASE_PAUSED);
}

void
pg_nlp_call_resume(PgNlpCall *call)
{
	PgNlpCallPrivate *p = call->priv;

	if (p->gated && !p->has_place)
	{
		pg_nlp_gate_enter(p->activity);
		p->has_place = true;
	}
	if (p->paused)
	{
		p->paused = false;
		INSTR_TIME_SET_CURRENT(p->start);
	}
	pg_nlp_phase(p->activity, PG_NLP_PHASE_RUNNING);
}

const char *
pg_nlp_call_model_name(const PgNlpCall *call)
{
	return call->priv->row.name;
}

/* ---- nlp.prewarm, nlp.evict ---- */

static void
find_model(FunctionCallInfo fcinfo, PgNlpModelRow *row)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (!pg_nlp_find_model(name, pg_nlp_statement_snapshot(), row))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" does not exist", name)));
}

/* prewarm(name text): make it resident; bytes of its image */
Datum
pg_nlp_prewarm(PG_FUNCTION_ARGS)
{
	PgNlpModelRow row;
	PgNlpCall  *call;
	PgNlpCallPrivate *p;
	uint64		bytes;

	(void) pg_nlp_shared();
	pg_nlp_want_purge();
	find_model(fcinfo, &row);
	pg_nlp_lock_model(&row);
	check_right(&row);
	call = new_call("nlp.prewarm");
	p = call->priv;
	p->row = row;
	pg_nlp_activity_model(p->activity, row.name);
	p->handle = pg_nlp_acquire(&row, show_loading, p);
	bytes = p->handle->image->bytes;
	pg_nlp_call_end(call);
	PG_RETURN_INT64((int64) bytes);
}

/* Who may give a model's memory back: its owner; of a shipped one, which serves the whole
 * server, who keeps that. */
static bool
may_evict(const PgNlpModelRow *row)
{
	if (!pg_nlp_is_shipped(row))
		return pg_nlp_relation_owner(row->relation, GetUserId());
#if PG_VERSION_NUM >= 170000
	if (has_privs_of_role(GetUserId(), ROLE_PG_MAINTAIN))
		return true;
#endif
	return superuser();
}

/* evict(name text): false when a call is reading it, or it is not resident */
Datum
pg_nlp_evict(PG_FUNCTION_ARGS)
{
	PgNlpModelRow row;

	find_model(fcinfo, &row);
	if (!may_evict(&row) && pg_nlp_is_shipped(&row))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to evict model \"%s\"", row.name),
				 errdetail("It is shipped with the extension and serves the whole server.")));
	if (!may_evict(&row))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be owner of model \"%s\"", row.name)));
	pg_nlp_want_purge();
	PG_RETURN_BOOL(pg_nlp_evict_model(&row));
}
