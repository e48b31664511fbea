/* train.h --- what every training procedure shares: a job that reads rows, commits,
 * trains, keeps checkpoints, tells of its progress, and puts a model into the store.
 *
 *   train.c          the job's life, progress in shared memory, notices
 *   train_read.c     the rows of a query, once, by a cursor
 *   train_spool.c    u32 values kept in memory and then in a temporary file
 *   train_store.c    checkpoints, the log, the finished model
 *   train_options.c  options as a checked table
 *   fn_train_*.c     one procedure each
 *
 * Outside a transaction block the job commits once the rows are in and at each
 * checkpoint, so that no snapshot is held while it trains. Inside one (or in a function,
 * or under a PL/pgSQL EXCEPTION block) everything is one transaction, without checkpoints.
 *
 * Everything a job holds is undone by the reset of its memory context, which lives
 * in the procedure's SPI connection; or, when the process leaves, by the list of jobs. */
#ifndef PG_NLP_TRAIN_H
#define PG_NLP_TRAIN_H

#include "shared.h"

#include "executor/tuptable.h"
#include "storage/fd.h"
#include "storage/lock.h"

/* ---- options (train_options.c) ---- */

/* Options of every training procedure; the first member of a procedure's own struct. */
typedef struct PgNlpTrainCommon
{
	bool		replace;
	bool		resume;
	bool		update;
	bool		quiet;			/* no notices */
	double		checkpoint_seconds; /* 0: none */
	Jsonb	   *card;			/* or NULL */
} PgNlpTrainCommon;

typedef enum PgNlpTrainOptionType
{
	TRAIN_UINT,					/* uint32 field, low..high */
	TRAIN_FLOAT,				/* float field */
	TRAIN_DOUBLE,
	TRAIN_BOOL,
	TRAIN_SEED,					/* uint64 field, from any bigint */
	TRAIN_CHOICE,				/* int field: the index of a string in choices */
	TRAIN_OBJECT,				/* Jsonb * field */
	TRAIN_OWN					/* read and put */
} PgNlpTrainOptionType;

#define TRAIN_DEFINES 1u		/* says what is trained: may not differ when a run is resumed */
#define TRAIN_SHAPE 2u			/* may not differ from the model that is updated either */

typedef struct PgNlpTrainOption
{
	const char *key;
	PgNlpTrainOptionType type;
	size_t		offset;			/* of the field in the procedure's struct */
	unsigned	flags;
	double		low,
				high;			/* numbers: both ends in ... */
	bool		open_low;		/* ... but low itself is not */
	const char *const *choices; /* ends with NULL; "" is no choice */
	const char *wanted;			/* what it must be, for errors of TRAIN_OWN */
	bool		(*read) (JsonbValue *v, void *options);	/* false: not what is wanted */
	void		(*put) (StringInfo json, const void *options);
} PgNlpTrainOption;

typedef struct PgNlpTrainOptions
{
	const char *procedure;
	const PgNlpTrainOption *specs;
	int			n;				/* at most 64 */
} PgNlpTrainOptions;

#define TRAIN_COMMON_OPTIONS \
	{"replace", TRAIN_BOOL, offsetof(PgNlpTrainCommon, replace)}, \
	{"resume", TRAIN_BOOL, offsetof(PgNlpTrainCommon, resume)}, \
	{"update", TRAIN_BOOL, offsetof(PgNlpTrainCommon, update)}, \
	{"quiet", TRAIN_BOOL, offsetof(PgNlpTrainCommon, quiet)}, \
	{"checkpoint_seconds", TRAIN_DOUBLE, offsetof(PgNlpTrainCommon, checkpoint_seconds), 0, 0, 86400}, \
	{"card", TRAIN_OBJECT, offsetof(PgNlpTrainCommon, card)}

/* Read options (NULL: none) over what out has; the bits of the keys that were given, by
 * their place in specs. An unknown key, a wrong type and a value out of range raise 22023. */
extern uint64 pg_nlp_train_options(const PgNlpTrainOptions *table, Jsonb *options, void *out);
extern bool pg_nlp_train_given(const PgNlpTrainOptions *table, uint64 given, const char *key);
/* Options with one of flags, as jsonb. */
extern Jsonb *pg_nlp_train_options_json(const PgNlpTrainOptions *table, const void *options, unsigned flags);
/* Raise when an option that was given and has one of flags differs from have; what: whose it is. */
extern void pg_nlp_train_options_agree(const PgNlpTrainOptions *table, uint64 given, const void *options,
									   const void *have, unsigned flags, const char *what);

/* ---- the spool (train_spool.c) ---- */
typedef struct PgNlpSpool
{
	NlpSource	source;			/* once finished: all values, 4 bytes each */
	const NlpAlloc *alloc;
	uint64		memory_bytes;	/* at most so many in memory */
	uint32	  **blocks;
	Size		n_blocks,		/* in memory; the last one is being filled */
				cap_blocks;
	uint32	   *block;
	Size		fill;			/* values in block */
	File		file;			/* what came after the blocks in memory; < 0: none */
	uint64		file_bytes;
	uint64		n;				/* values added */
	uint64		hash;			/* of all of them in order */
} PgNlpSpool;

#define PG_NLP_SPOOL_BLOCK ((Size) 1024 * 1024) /* bytes */

extern void pg_nlp_spool_init(PgNlpSpool *s, const NlpAlloc *alloc, uint64 memory_bytes);
extern NlpStatus pg_nlp_spool_next_block(PgNlpSpool *s, NlpError *err);
extern NlpStatus pg_nlp_spool_finish(PgNlpSpool *s, NlpError *err);
extern void pg_nlp_spool_close(PgNlpSpool *s);	/* the file; never raises; may be repeated */
extern void pg_nlp_spool_free(PgNlpSpool *s);	/* the memory too */

/* Server errors (a full disk) are kept for pg_nlp_raise, so that an engine may be below. */
static inline NlpStatus
pg_nlp_spool_add(PgNlpSpool *s, uint32 value, NlpError *err)
{
	if (unlikely(s->block == NULL || s->fill == PG_NLP_SPOOL_BLOCK / sizeof(uint32)))
		NLP_TRY(pg_nlp_spool_next_block(s, err));
	s->block[s->fill++] = value;
	s->n++;
	s->hash = (s->hash ^ value) * UINT64CONST(0x9E3779B97F4A7C15);
	s->hash ^= s->hash >> 29;
	return NLP_OK;
}

/* ---- the job (train.c) ---- */
typedef enum PgNlpTrainPhase
{
	PG_NLP_TRAIN_READING = 0,
	PG_NLP_TRAIN_TRAINING,
	PG_NLP_TRAIN_CHECKPOINT,
	PG_NLP_TRAIN_WRITING
} PgNlpTrainPhase;

/* Where a run stands, as its trainer says. */
typedef struct PgNlpTrainStep
{
	uint32		epoch,			/* from 0 */
				epochs;
	uint64		done;			/* tokens, all epochs together */
	uint64		total;
	double		loss;			/* 0: not known */
	double		alpha;
} PgNlpTrainStep;

/* What a checkpoint's row says. */
typedef struct PgNlpCheckpoint
{
	Oid			relation;
	char	   *sha256;			/* of its bytes, in hex */
	Jsonb	   *options;		/* those with TRAIN_DEFINES */
	char	   *base;			/* sha256 of the model that is updated, or NULL */
	char	   *vocabulary;		/* hashes, as the procedure makes them */
	char	   *corpus;
	uint64		rows;
	uint64		words;
	PgNlpTrainStep step;
	double		seconds;		/* spent training */
	TimestampTz started;		/* of the run's first part */
} PgNlpCheckpoint;

typedef struct PgNlpTrainJob
{
	/* what is trained */
	const char *procedure;		/* "nlp.train_word2vec" */
	const char *method;			/* "word2vec" */
	char	   *name;
	const char *utf8_name;
	char	   *query;
	const PgNlpTrainCommon *common;
	bool		atomic;

	/* what it holds */
	dlist_node	node;
	bool		open;
	MemoryContext mcxt;
	MemoryContext work;			/* reset after each checkpoint */
	MemoryContextCallback undo;
	ErrorContextCallback context;
	PgNlpMemory memory;
	NlpEnv		env;
	NlpError	err;
	PgNlpActivity *activity;
	PgNlpTraining *row;			/* NULL: none was free */
	bool		has_place;
	bool		holds_pool;
	bool		locked;			/* the name, for the session */
	LOCKTAG		lock;
	PgNlpSpool	spool;

	/* how far it is */
	PgNlpTrainPhase phase;
	PgNlpCheckpoint run;		/* what the next checkpoint will say */
	bool		has_checkpoint; /* one is stored */
	PgNlpTrainStep saved;		/* its place */
	double		seconds_before; /* of the run's earlier parts */
	TimestampTz started,		/* of this part's training */
				told,			/* the last notice */
				stored,			/* the last checkpoint */
				logged,
				rated;
	double		store_seconds;	/* that the last checkpoint took */
	uint64		rated_done;
	uint64		first_done;		/* tokens done when this part began */
	double		rate;
	List	   *log;			/* rows to be written, in mcxt */

	/* the trainer: how it writes itself */
	void	   *trainer;
	NlpStatus	(*write) (void *trainer, const char *name, bool checkpoint, const NlpSink *sink,
						  const NlpEnv *env, NlpError *err);
	void		(*free) (void *trainer);
} PgNlpTrainJob;

/* Whether the procedure may not commit. */
extern bool pg_nlp_train_atomic(FunctionCallInfo fcinfo);
/* Connect to SPI, check the name, take it for this session, and a place under
 * pg_nlp.max_active. common must outlive the job. */
extern PgNlpTrainJob *pg_nlp_train_begin(const char *procedure, const char *method, const text *name,
										 const text *query, const PgNlpTrainCommon *common, bool atomic);
extern void pg_nlp_train_end(PgNlpTrainJob *job);
/* ERROR 53200 unless so many bytes can be had. */
extern void pg_nlp_train_reserve(PgNlpTrainJob *job, uint64 bytes, const char *what);
/* The rows are in and the trainer is ready: commit, if that may be. */
extern void pg_nlp_train_start(PgNlpTrainJob *job, const PgNlpTrainStep *step);
/* After each block of training, the engine below: progress, notices, checkpoints. */
extern NlpStatus pg_nlp_train_step(PgNlpTrainJob *job, const PgNlpTrainStep *step, NlpError *err);
/* Make a checkpoint and commit; not when atomic. */
extern void pg_nlp_train_keep(PgNlpTrainJob *job);
extern void pg_nlp_train_phase(PgNlpTrainJob *job, PgNlpTrainPhase phase);
extern void pg_nlp_train_show(PgNlpTrainJob *job);	/* to nlp.training_progress */
/* Once a while during reading. */
extern void pg_nlp_train_reading(PgNlpTrainJob *job);
extern double pg_nlp_train_seconds(const PgNlpTrainJob *job);

/* ---- the rows (train_read.c) ----
 *
 * describe raises when the query's columns are not what the method needs; row gets each row,
 * in a memory context that is reset after it. Counts job->run.rows (rows may be skipped
 * by giving false). The query must be one SELECT that writes nothing; it runs with the
 * caller's rights, serially and from the start of each table, so that it gives the same order again. */
extern void pg_nlp_train_read(PgNlpTrainJob *job, void (*describe) (void *ctx, TupleDesc desc),
							  bool (*row) (void *ctx, TupleTableSlot *slot), void *ctx);

/* ---- checkpoints, log, model (train_store.c) ---- */
/* The stored checkpoint of job's name and method; false: there is none. Raises when it is another
 * role's. Strings in job->mcxt. */
extern bool pg_nlp_checkpoint_find(const PgNlpTrainJob *job, PgNlpCheckpoint *out);
/* Lock a name against other trainings of it and nlp.drop_checkpoint; raises when somebody has it. */
extern void pg_nlp_train_lock(const char *name, bool session, LOCKTAG *tag);
extern void pg_nlp_checkpoint_read(PgNlpTrainJob *job, const PgNlpCheckpoint *from,
								   NlpStatus (*restore) (void *trainer, const NlpSource *source, const NlpEnv *env, NlpError *err));
extern void pg_nlp_checkpoint_write(PgNlpTrainJob *job);	/* the caller commits */
extern void pg_nlp_train_log(PgNlpTrainJob *job, const PgNlpTrainStep *step);	/* remember a row */
extern void pg_nlp_train_log_flush(PgNlpTrainJob *job);	/* write what is remembered */
/* Store the trained model, remove the checkpoint. training: an object for the model's card, beside the
 * user's own keys. The trainer is freed on the way. */
extern void pg_nlp_train_store(PgNlpTrainJob *job, const char *training);

#endif
