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
#define OPT_MAX_TOKENS			(1u << 0)
#define OPT_STOP				(1u << 1)
#define OPT_IGNORE_EOS			(1u << 2)
#define OPT_TRUNCATE			(1u << 3)
#define OPT_ON_ERROR			(1u << 4)
#define OPT_TEMPERATURE			(1u << 5)
#define OPT_TOP_K				(1u << 6)
#define OPT_TOP_P				(1u << 7)
#define OPT_MIN_P				(1u << 8)
#define OPT_REPEAT_PENALTY		(1u << 9)
#define OPT_PRESENCE_PENALTY	(1u << 10)
#define OPT_FREQUENCY_PENALTY	(1u << 11)
#define OPT_SEED				(1u << 12)
#define OPT_SPECIAL				(1u << 13)
#define OPT_BOS					(1u << 14)
#define OPT_METHOD				(1u << 15)
#define OPT_INSTRUCTION			(1u << 16)
#define OPT_BATCH				(1u << 17)
#define OPT_WHERE				(1u << 18)
#define OPT_SAMPLE_ROWS			(1u << 19)
#define OPT_SAMPLE_SECONDS		(1u << 20)
#define OPT_TOP					(1u << 21)
#define OPT_MIN_SIMILARITY		(1u << 22)
#define OPT_MIN_COUNT			(1u << 23)
#define OPT_EXCLUDE				(1u << 24)
#define OPT_PATTERN				(1u << 25)
#define OPT_NORMALIZE			(1u << 26)
#define OPT_SUBWORDS			(1u << 27)
#define OPT_WEIGHTING			(1u << 28)
#define OPT_KEEP_CASE			(1u << 29)
#define OPT_SEGMENTER			(1u << 30)
#define OPT_HMM					(1u << 31)

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
	uint32		keys;			/* OPT_* it takes */
	int			max_tokens;		/* default length of an answer; 0: does not apply */
	const char *sampling_twin;	/* the verb that takes the sampling keys, for a greedy one; or NULL */
} PgNlpVerb;

typedef struct PgNlpOptions
{
	uint32		given;			/* OPT_* present and not null */
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
