/* options.h --- the options jsonb that every verb takes: which keys a verb knows,
 * what each may hold, and the checked values.
 *
 * One table (options.c) describes every key; one small struct a verb says which of
 * them it takes. Nothing is ignored: an unknown key, a wrong type and a value out
 * of range are errors that name the key and what it may be. */
#ifndef PG_NLP_OPTIONS_H
#define PG_NLP_OPTIONS_H

#include "pg_nlp.h"

/* Keys, as bits. */
#define OPT_MAX_TOKENS			(UINT64CONST(1) << 0)
#define OPT_STOP				(UINT64CONST(1) << 1)
#define OPT_IGNORE_EOS			(UINT64CONST(1) << 2)
#define OPT_TRUNCATE			(UINT64CONST(1) << 3)
#define OPT_ON_ERROR			(UINT64CONST(1) << 4)
#define OPT_TEMPERATURE			(UINT64CONST(1) << 5)
#define OPT_TOP_K				(UINT64CONST(1) << 6)
#define OPT_TOP_P				(UINT64CONST(1) << 7)
#define OPT_MIN_P				(UINT64CONST(1) << 8)
#define OPT_REPEAT_PENALTY		(UINT64CONST(1) << 9)
#define OPT_PRESENCE_PENALTY	(UINT64CONST(1) << 10)
#define OPT_FREQUENCY_PENALTY	(UINT64CONST(1) << 11)
#define OPT_SEED				(UINT64CONST(1) << 12)
#define OPT_SPECIAL				(UINT64CONST(1) << 13)
#define OPT_BOS					(UINT64CONST(1) << 14)
#define OPT_METHOD				(UINT64CONST(1) << 15)
#define OPT_INSTRUCTION			(UINT64CONST(1) << 16)
#define OPT_BATCH				(UINT64CONST(1) << 17)
#define OPT_WHERE				(UINT64CONST(1) << 18)
#define OPT_SAMPLE_ROWS			(UINT64CONST(1) << 19)
#define OPT_SAMPLE_SECONDS		(UINT64CONST(1) << 20)
#define OPT_TOP					(UINT64CONST(1) << 21)
#define OPT_MIN_SIMILARITY		(UINT64CONST(1) << 22)
#define OPT_MIN_COUNT			(UINT64CONST(1) << 23)
#define OPT_EXCLUDE				(UINT64CONST(1) << 24)
#define OPT_PATTERN				(UINT64CONST(1) << 25)
#define OPT_NORMALIZE			(UINT64CONST(1) << 26)
#define OPT_SUBWORDS			(UINT64CONST(1) << 27)
#define OPT_WEIGHTING			(UINT64CONST(1) << 28)
#define OPT_KEEP_CASE			(UINT64CONST(1) << 29)
#define OPT_SEGMENTER			(UINT64CONST(1) << 30)
#define OPT_HMM					(UINT64CONST(1) << 31)

#define OPTS_ANSWER		(OPT_MAX_TOKENS | OPT_STOP | OPT_IGNORE_EOS | OPT_TRUNCATE | OPT_ON_ERROR)
#define OPTS_SAMPLING	(OPT_TEMPERATURE | OPT_TOP_K | OPT_TOP_P | OPT_MIN_P | OPT_REPEAT_PENALTY | \
						 OPT_PRESENCE_PENALTY | OPT_FREQUENCY_PENALTY | OPT_SEED)

/* which words may be answers */
#define OPTS_WORDS		(OPT_TOP | OPT_MIN_SIMILARITY | OPT_MIN_COUNT | OPT_EXCLUDE | OPT_PATTERN)

#define OPT_MAX_STOPS	16
#define OPT_MAX_EXCLUDED 100000

/* What a verb is, for its options and for nlp.activity. */
typedef struct PgNlpVerb
{
	const char *name;			/* as a user calls it */
	uint32		task;			/* NLP_TASK_* */
	uint64		keys;			/* OPT_* it takes */
	int			max_tokens;		/* default length of an answer; 0: does not apply */
	const char *sampling_twin;	/* the verb that takes the sampling keys, for a greedy one; or NULL */
} PgNlpVerb;

typedef struct PgNlpOptions
{
	uint64		given;			/* OPT_* present and not null */
	NlpGenOptions gen;			/* stop strings are UTF-8, palloc'ed in the caller's context */
	bool		null_on_error;
	bool		special;		/* texts of special tokens become those tokens */
	bool		bos;
	char	   *method;
	char	   *instruction;	/* UTF-8, or NULL */
	int			batch;
	char	   *where;
	int			sample_rows;
	double		sample_seconds;
	int			top;			/* only so many of the most frequent words; 0: all */
	float		min_similarity; /* -2: any */
	int			min_count;
	NlpStr	   *exclude;		/* UTF-8 */
	size_t		n_exclude;
	char	   *pattern;		/* of LIKE, UTF-8; or NULL */
	bool		normalize;
	bool		subwords;		/* true: words that are not in the vocabulary are made of their n-grams */
	bool		mean;			/* weighting is "mean", not "sif" */
	bool		keep_case;
	char	   *segmenter;		/* a model's name, or NULL */
	bool		hmm;			/* words that no dictionary holds are cut by a model of characters */
} PgNlpOptions;

/* Check options (NULL: all defaults) against what verb takes and fill out. A seed
 * that is wanted and not given is drawn at random. Raises 22023. */
extern void pg_nlp_options(const PgNlpVerb *verb, Jsonb *options, PgNlpOptions *out);

#endif
