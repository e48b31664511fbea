/* pg_nlp.c --- the library's entry: settings, and the control block in shared memory.
 *
 * Preloaded, the block is sized for every backend and a slab for resident images is
 * reserved beside it. Loaded later, the block is the small form, taken from the
 * slack every server keeps; images then live in dynamic shared memory (pieces.c). */
#include "shared.h"

#include <unistd.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/guc.h"

#include "core/cpu.h"

PG_MODULE_MAGIC;

#define SMALL_SLOTS 12
#define SMALL_ACTIVITY 40
#define SMALL_COUNTERS 24
#define SMALL_TRAINING 8
#define FULL_SLOTS 64
#define FULL_COUNTERS 256
#define FULL_TRAINING 64
#define SLAB_ALIGN ((Size) 2 * 1024 * 1024)	/* of a huge page */
#define MB ((uint64) 1024 * 1024)

int			pg_nlp_threads = 1;
int			pg_nlp_compute_memory_mb = -1;
int			pg_nlp_max_active = 0;
char	   *pg_nlp_generation_model;
bool		pg_nlp_exiting;

static char *embedding_model;
static char *word_vectors_model;
static char *segmentation_model;
static char *tokenizer_model;
static int	shared_memory_mb = -1;	/* cap of resident images */
static int	slab_mb = 0;		/* pg_nlp.shared_memory_size */
static int	instruction_set = -1;	/* NlpIsa, -1: the best there is */
static char *huge_pages_dummy;

static const struct config_enum_entry instruction_sets[] = {
	{"auto", -1, false},
	{"plain", NLP_ISA_PLAIN, false},
	{"avx2", NLP_ISA_AVX2, false},
	{"avx512", NLP_ISA_AVX512, false},
	{"neon", NLP_ISA_NEON, false},
	{NULL, 0, false}
};

static shmem_request_hook_type next_shmem_request;
static shmem_startup_hook_type next_shmem_startup;

static PgNlpShared *attached;
static bool exit_registered;

extern void _PG_init(void);

/* ---- the machine's memory, for the settings that say -1 ---- */

static uint64
machine_memory(void)
{
	static uint64 bytes;
	FILE	   *f;
	unsigned long long limit;

	if (bytes != 0)
		return bytes;
	bytes = (uint64) sysconf(_SC_PHYS_PAGES) * (uint64) sysconf(_SC_PAGESIZE);
	f = fopen("/sys/fs/cgroup/memory.max", "r");	/* a container's share; "max" when none */
	if (f != NULL)
	{
		if (fscanf(f, "%llu", &limit) == 1 && limit > 0 && limit < bytes)
			bytes = limit;
		fclose(f);
	}
	return bytes;
}

static uint64
limit_bytes(int mb)
{
	return mb < 0 ? machine_memory() / 2 : (uint64) mb * MB;
}

uint64
pg_nlp_resident_limit(void)
{
	return limit_bytes(shared_memory_mb);
}

uint64
pg_nlp_compute_limit(void)
{
	return limit_bytes(pg_nlp_compute_memory_mb);
}

/* ---- the control block ---- */

static Size
block_bytes(int slots, int activity, int counters, int training)
{
	Size		bytes = MAXALIGN(sizeof(PgNlpShared));

	bytes = add_size(bytes, MAXALIGN(mul_size(slots, sizeof(PgNlpSlot))));
	bytes = add_size(bytes, MAXALIGN(mul_size(activity, sizeof(PgNlpActivity))));
	bytes = add_size(bytes, MAXALIGN(mul_size(counters, sizeof(PgNlpCounters))));
	return add_size(bytes, MAXALIGN(mul_size(training, sizeof(PgNlpTraining))));
}

PgNlpSlot *
pg_nlp_slots(PgNlpShared *shared)
{
	return (PgNlpSlot *) ((char *) shared + MAXALIGN(sizeof(PgNlpShared)));
}

PgNlpActivity *
pg_nlp_activity_rows(PgNlpShared *shared)
{
	return (PgNlpActivity *) ((char *) pg_nlp_slots(shared) + MAXALIGN(shared->n_slots * sizeof(PgNlpSlot)));
}

PgNlpCounters *
pg_nlp_counters(PgNlpShared *shared)
{
	return (PgNlpCounters *) ((char *) pg_nlp_activity_rows(shared) +
							  MAXALIGN(shared->n_activity * sizeof(PgNlpActivity)));
}

PgNlpTraining *
pg_nlp_training_rows(PgNlpShared *shared)
{
	return (PgNlpTraining *) ((char *) pg_nlp_counters(shared) +
							  MAXALIGN(shared->n_counters * sizeof(PgNlpCounters)));
}

/* Find or make the block. Holds AddinShmemInitLock. */
static PgNlpShared *
init_block(int slots, int activity, int counters, int training)
{
	bool		found;
	Size		bytes = block_bytes(slots, activity, counters, training);
	PgNlpShared *shared = ShmemInitStruct("pg_nlp", bytes, &found);

	if (found)
		return shared;
	memset(shared, 0, bytes);
	shared->tranche = LWLockNewTrancheId();
	LWLockInitialize(&shared->lock, shared->tranche);
	ConditionVariableInit(&shared->changed);
	pg_atomic_init_u64(&shared->clock, 1);
	pg_atomic_init_u64(&shared->budget_used, 0);
	shared->n_slots = slots;
	shared->n_activity = activity;
	shared->n_counters = counters;
	shared->n_training = training;
	shared->next_ticket = 1;
	shared->stats_reset = GetCurrentTimestamp();
	for (int i = 0; i < slots; i++)
	{
		PgNlpSlot  *slot = &pg_nlp_slots(shared)[i];

		pg_atomic_init_u32(&slot->pins, 0);
		pg_atomic_init_u64(&slot->last_used, 0);
		pg_atomic_init_u64(&slot->loaded_bytes, 0);
	}
	for (int i = 0; i < activity; i++)
	{
		PgNlpActivity *row = &pg_nlp_activity_rows(shared)[i];

		pg_atomic_init_u32(&row->phase, 0);
		pg_atomic_init_u64(&row->tokens, 0);
		pg_atomic_init_u64(&row->rows, 0);
	}
	return shared;
}

static Size
slab_request(void)
{
	return slab_mb > 0 ? add_size((Size) slab_mb * MB, SLAB_ALIGN) : 0;
}

static void
shmem_request(void)
{
	if (next_shmem_request)
		next_shmem_request();
	RequestAddinShmemSpace(add_size(block_bytes(FULL_SLOTS, MaxBackends, FULL_COUNTERS, FULL_TRAINING), slab_request()));
}

static void
shmem_startup(void)
{
	bool		found;

	if (next_shmem_startup)
		next_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	attached = init_block(FULL_SLOTS, MaxBackends, FULL_COUNTERS, FULL_TRAINING);
	if (slab_mb > 0)
	{
		char	   *raw = ShmemInitStruct("pg_nlp slab", slab_request(), &found);

		attached->slab = (char *) TYPEALIGN(SLAB_ALIGN, raw);
		attached->slab_bytes = (uint64) slab_mb * MB;
		pg_nlp_slab_init(attached);
	}
	LWLockRelease(AddinShmemInitLock);
	LWLockRegisterTranche(attached->tranche, "pg_nlp");
}

/* Everything this backend holds in shared memory goes back; threads stop. */
static void
at_exit(int code, Datum arg)
{
	if (pg_nlp_exiting)
		return;
	pg_nlp_pool_at_exit();
	pg_nlp_calls_at_exit();
	pg_nlp_train_at_exit();
	pg_nlp_resident_at_exit();
	pg_nlp_stats_at_exit();
	pg_nlp_memory_at_exit();
	pg_nlp_exiting = true;
}

static void
attach_late(void)
{
	MemoryContext mcxt = CurrentMemoryContext;

	PG_TRY();
	{
		LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
		attached = init_block(SMALL_SLOTS, SMALL_ACTIVITY, SMALL_COUNTERS, SMALL_TRAINING);
		LWLockRelease(AddinShmemInitLock);
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(mcxt);
		edata = CopyErrorData();
		if (edata->sqlerrcode != ERRCODE_OUT_OF_MEMORY)
			PG_RE_THROW();
		FlushErrorState();
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("no room in the server's shared memory for the table of resident models"),
				 errhint("Add pg_nlp to \"shared_preload_libraries\" and restart the server.")));
	}
	PG_END_TRY();
	LWLockRegisterTranche(attached->tranche, "pg_nlp");
}

PgNlpShared *
pg_nlp_shared(void)
{
	if (unlikely(attached == NULL))
		attach_late();
	if (unlikely(!exit_registered))
	{
		before_shmem_exit(at_exit, (Datum) 0);
		exit_registered = true;
	}
	return attached;
}

/* ---- settings ---- */

static bool
check_instruction_set(int *newval, void **extra, GucSource source)
{
	if (*newval >= 0 && !nlp_isa_available((NlpIsa) *newval))
	{
		GUC_check_errdetail("This machine does not have it; the best it has is \"%s\".",
							nlp_isa_name(nlp_isa_best()));
		return false;
	}
	return true;
}

static void
assign_instruction_set(int newval, void *extra)
{
	nlp_isa_set(newval < 0 ? nlp_isa_best() : (NlpIsa) newval);
}

static const char *
show_huge_pages(void)
{
	if (attached == NULL || attached->slab_bytes == 0)
		return "none";
	return attached->slab_page > 4096 ? "on" : "off";
}

/* The settings that name a task's default model; the first one that has a value counts. */
static const struct
{
	uint32		task;
	char	  **value;
	const char *setting;
}			default_models[] = {
	{NLP_TASK_TOKENIZER, &tokenizer_model, "pg_nlp.tokenizer_model"},
	{NLP_TASK_TOKENIZER | NLP_TASK_GENERATION, &pg_nlp_generation_model, "pg_nlp.generation_model"},
	{NLP_TASK_WORD_VECTORS, &word_vectors_model, "pg_nlp.word_vectors_model"},
	{NLP_TASK_SEGMENTATION, &segmentation_model, "pg_nlp.segmentation_model"},
};

const char *
pg_nlp_default_model(uint32 task, const char **setting)
{
	const char *name = NULL;
	const char *value = "";

	for (int i = 0; i < lengthof(default_models) && value[0] == '\0'; i++)
	{
		if (!(default_models[i].task & task))
			continue;
		name = default_models[i].setting;
		if (*default_models[i].value != NULL)
			value = *default_models[i].value;
	}
	if (setting)
		*setting = name;
	return value;
}

/* what is kept, not copied: it must be a constant. (Memory of _PG_init in the postmaster
 * is gone in a backend.) */
static void
define_model_setting(const char *name, char **variable, const char *what)
{
	DefineCustomStringVariable(name, what, "Empty: the only loaded model that can do it.",
							   variable, "", PGC_USERSET, 0, NULL, NULL, NULL);
}

static void
define_memory_settings(void)
{
	/* A postmaster setting cannot be made later: without preload there is no slab. */
	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable("pg_nlp.shared_memory_size",
								"Memory reserved at start for resident models.",
								"0: none; models then live in dynamic shared memory.",
								&slab_mb, 0, 0, INT_MAX, PGC_POSTMASTER, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_nlp.shared_memory",
							"Most memory that resident models may take.",
							"-1: half of the machine's memory.",
							&shared_memory_mb, -1, -1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_nlp.compute_memory",
							"Most memory that all calls together may take while they compute.",
							"-1: half of the machine's memory.",
							&pg_nlp_compute_memory_mb, -1, -1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomStringVariable("pg_nlp.huge_pages",
							   "Whether the memory reserved for models is in huge pages.",
							   NULL, &huge_pages_dummy, "none", PGC_INTERNAL,
							   GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, NULL, NULL, show_huge_pages);
}

static void
define_compute_settings(void)
{
	DefineCustomIntVariable("pg_nlp.threads",
							"Threads a call computes with.",
							"Parallel workers always use one.",
							&pg_nlp_threads, 1, 1, 256, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_nlp.max_active",
							"Most calls that compute at the same time; more wait their turn.",
							"0: no limit.",
							&pg_nlp_max_active, 0, 0, 10000, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("pg_nlp.instruction_set",
							 "Instruction set of the kernels.",
							 "Results are the same with all of them.",
							 &instruction_set, -1, instruction_sets, PGC_SUSET, 0,
							 check_instruction_set, assign_instruction_set, NULL);
}

void
_PG_init(void)
{
	define_memory_settings();
	define_compute_settings();
	define_model_setting("pg_nlp.generation_model", &pg_nlp_generation_model,
						 "Model that generate, chat and summarize use when none is named.");
	define_model_setting("pg_nlp.tokenizer_model", &tokenizer_model,
						 "Model that tokenize and token_count use when none is named.");
	define_model_setting("pg_nlp.embedding_model", &embedding_model,
						 "Model that embeddings use when none is named.");
	define_model_setting("pg_nlp.word_vectors_model", &word_vectors_model,
						 "Model that word_vector, similar_words and their kin use when none is named.");
	define_model_setting("pg_nlp.segmentation_model", &segmentation_model,
						 "Model that segment uses when none is named.");
	MarkGUCPrefixReserved("pg_nlp");
	pg_nlp_store_init();
	pg_nlp_resident_init();

	if (process_shared_preload_libraries_in_progress)
	{
		next_shmem_request = shmem_request_hook;
		shmem_request_hook = shmem_request;
		next_shmem_startup = shmem_startup_hook;
		shmem_startup_hook = shmem_startup;
	}
}
