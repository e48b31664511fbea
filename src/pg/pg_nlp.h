/* pg_nlp.h --- the server side's own header: what its files offer each other.
 *
 *   pg_nlp.c    _PG_init, settings, hooks           error.c    NlpError -> ereport
 *   memory.c    NlpAlloc over contexts, the budget   interrupt.c  the cancel hooks, the thread pool
 *   store.c     nlp.model rows and their relations   load.c     load, append, export
 *   source.c    NlpSource over a stored model, a file or a bytea
 *   resident.c  who holds which image, pins, LRU     slab.c, pieces.c   the two allocators
 *   call.c      one verb's use of a model            stats.c    activity, model_stats, the gate
 *   words_call.c   calls kept open over a statement's rows
 *   shared.h    what these files share in shared memory, and private headers of the store
 *   fn_*.c      SQL-callable functions, thin
 */
#ifndef PG_NLP_H
#define PG_NLP_H

#include "postgres.h"
#include "fmgr.h"
#include "utils/jsonb.h"

#include "core/pool.h"
#include "decode/decoder.h"
#include "model/model.h"

/* ---- settings (pg_nlp.c) ---- */
extern int	pg_nlp_threads;			/* pg_nlp.threads; callers use pg_nlp_pool() */
extern int	pg_nlp_compute_memory_mb;	/* -1: half of the machine's memory */
extern int	pg_nlp_max_active;		/* 0: no limit */
extern char *pg_nlp_generation_model;	/* '' : the only one loaded */

/* The setting that names the default model of a task: its value ('' when unset) and,
 * when setting is not NULL, its name. NULL: the task has none. */
extern const char *pg_nlp_default_model(uint32 task, const char **setting);

/* ---- error.c ---- */
/* Raise err as an ERROR with its SQLSTATE, detail and hint; NLP_ECANCELLED
 * rethrows the interrupt that pg_nlp_cancelled caught. */
extern _Noreturn void pg_nlp_raise(const NlpError *err);
extern int	pg_nlp_sqlstate(NlpStatus status);

/* ---- one verb's use of a model (call.c) ----
 *
 * pg_nlp_call_begin resolves the name (NULL: the task's default by settings, else
 * the only loaded model that can do it, else an error that lists the candidates),
 * checks SELECT on the model's relation for the effective role, makes it resident
 * (loading if need be), pins it, waits for a place under pg_nlp.max_active and
 * shows up in nlp.activity. Everything is undone by a callback on the memory
 * context that was current, so an ERROR needs no care; the normal way is
 * pg_nlp_call_end. What env.alloc gave is gone after either. */
typedef struct PgNlpCall
{
	NlpEnv		env;			/* alloc charges the budget; cancel hooks; pool */
	const NlpModel *model;
	NlpError	err;			/* for engine calls made under this one */
	struct PgNlpCallPrivate *priv;
} PgNlpCall;

/* fcinfo: where the name lookup is remembered (fn_extra, which must be NULL or what an
 * earlier call left there; fcinfo NULL: not remembered); verb: as shown in
 * nlp.activity; model_name: NULL or text. gate false: do not wait under
 * max_active, and have no threads (tokenizers, look-ups). language: of the text, for settings that name a
 * model for each ("en=a,zh=b"); NULL: the first one named. */
extern PgNlpCall *pg_nlp_call_begin(FunctionCallInfo fcinfo, const char *verb, uint32 task,
									const text *model_name, const char *language, bool gate);
extern void pg_nlp_call_end(PgNlpCall *call);
/* Whether beginning the call again now would give this one: same name, snapshot, command
 * and role. The role's right to use the model is checked again (ERROR without it). */
extern bool pg_nlp_call_is_current(PgNlpCall *call, const text *model_name, const char *language);
/* Live figures for nlp.activity and nlp.model_stats; cheap, call once a step. */
extern void pg_nlp_call_progress(PgNlpCall *call, const NlpDecoderStats *stats, uint64 rows_done);
/* Reserve bytes of the server-wide compute budget for this call (ERROR 53200
 * beyond it); given back at call_end or on error. */
extern void pg_nlp_call_reserve(PgNlpCall *call, Size bytes, const char *what);
/* Bytes that pg_nlp_call_reserve could get now; another call may be faster. */
extern Size pg_nlp_call_available(const PgNlpCall *call);
/* Give up the place under max_active while the client is awaited (a row has been
 * returned by a value-per-call function), and take one again. No-ops for gate false. */
extern void pg_nlp_call_pause(PgNlpCall *call);
extern void pg_nlp_call_resume(PgNlpCall *call);
/* The name the call's model goes by, for messages. */
extern const char *pg_nlp_call_model_name(const PgNlpCall *call);

/* ---- interrupt.c ---- */
extern NlpPool *pg_nlp_pool(void);	/* NULL when one thread; 1 in parallel workers */

#endif
