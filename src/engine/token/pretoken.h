/* pretoken.h --- cutting text into words before merges: the rules that go by the
 * names in tokenizer.ggml.pre. Private to token/.
 *
 * A rule set is a list of stages. A stage finds matches from left to right; each
 * match and each stretch between matches is a piece, and the next stage works
 * inside that piece alone (it sees no neighbour: a look-ahead ends at its end).
 * What the last stage leaves are the words.
 *
 * Every stage is a hand-written scanner: no pattern comes from a file, matching is
 * linear, and nothing is compiled for a backend. */
#ifndef NLP_TOKEN_PRETOKEN_H
#define NLP_TOKEN_PRETOKEN_H

#include "token/block.h"

/* Character classes, one bit each, as unicode_runs.h has them. */
#define C_NUMBER 1u
#define C_LETTER 2u
#define C_MARK 4u
#define C_PUNCT 8u
#define C_SYMBOL 16u
#define C_SPACE 32u
#define C_ANY 64u				/* set for every character: 0 is the end */

typedef enum StageKind
{
	STAGE_END,					/* closes the list */
	STAGE_LINES,				/* [^\n]+|[\n]+ */
	STAGE_RUN,					/* prefix? set{min,max} */
	STAGE_RUNS,					/* one of four sets, each + (youtu) */
	STAGE_WORDS,				/* GPT-2 and its descendants, by options */
	STAGE_CASED,				/* GPT-4o and tekken: words end where case turns */
	STAGE_MARKED,				/* DeepSeek-V3: letters with marks, punctuation apart */
	STAGE_KIMI,					/* Kimi K2: Han apart */
	STAGE_SPACE_TAIL,			/* \s+$ */
	STAGE_DIGITS_TAIL,			/* number runs in threes from the right, the rest joins its first group */
	STAGE_DIGITS_BEFORE,		/* (?=(\d{3})+(?!\d)), a cut of no width */
	STAGE_SENTINEL,				/* <sentinel:[0-9]+> */
	STAGE_IMAGE,				/* (IMGIMG)((A|B|...|I){1,4})Z */
	STAGE_INDENT				/* [\t\n]|four spaces|two spaces */
} StageKind;

/* STAGE_RUN's sets */
typedef enum SetId
{
	SET_NUMBER,
	SET_LETTER,
	SET_PUNCT,
	SET_PUNCT_DEFAULT,			/* \p{P} $ + < = > ^ ~ | */
	SET_PUNCT_FALCON,			/* ... and ` */
	SET_PUNCT_ASCII,			/* \p{P} and every printable ASCII mark */
	SET_DIGIT,					/* 0-9 */
	SET_CRLF,
	SET_BLOOM,
	SET_CJK_DEEPSEEK,
	SET_CJK_KANA,
	SET_LETTER_DEEPSEEK,
	SET_PUNCT_DEEPSEEK,
	SET_ASIAN_AFMOE,
	SET_HANGUL_YOUTU,
	SET_PUNCT_YOUTU,
	SET_BOPOMOFO_YOUTU
} SetId;

/* Stage.options */
#define O_PREFIX_SPACE 1u		/* run: an optional space before */
#define O_PREFIX_WHITE 2u		/* run: any white space before */
#define O_APOS_LOWER 4u			/* 's 't 're 've 'm 'll 'd first */
#define O_APOS_ANY 8u			/* ... in any case; STAGE_CASED: after a word */
#define O_MARKS 16u				/* letters include marks */
#define O_SPACE_WORD 32u		/* GPT-2: only a space may lead a word or a number run */
#define O_TAIL_CRLF 64u			/* line ends stay with the punctuation before them */
#define O_TAIL_SLASH 128u		/* ... and slashes */
#define O_TAIL_ONE 256u			/* ... at most one of these */
#define O_LINE_ENDS 512u		/* \s*[\r\n]+ before plain white space */
#define O_PHRASES 1024u			/* EXAONE: words joined by single spaces */
#define O_LADDER 2048u			/* Jais 2: white space in powers of two */
#define O_CASE 4096u			/* STAGE_CASED: ASCII case really counts */
#define O_CRLF_ALONE 8192u		/* STAGE_MARKED: each line end alone */

typedef struct Stage
{
	uint8_t		kind;			/* StageKind */
	uint8_t		set;			/* SetId */
	uint16_t	min;			/* run: repeats; words: digits in max */
	uint16_t	max;			/* 0: no limit */
	uint16_t	options;
} Stage;

/* Rule sets, in the order of the table in prefamily.c; stored in blocks. */
typedef uint32_t NlpPreRules;

typedef struct PreFamily
{
	const char *name;
	NlpPreRules rules;
	uint32_t	flags;			/* T_* the name brings with it */
	bool		no_bos;			/* no default bos */
} PreFamily;

/* NULL when the name is not supported. */
extern const PreFamily *nlp_pre_family(const char *name, size_t len);
/* One name for each set of rules, for an error's hint: "a, b, c", as many as fit. */
extern void nlp_pre_names(char *out, size_t cap);
/* i-th family or NULL past the last. */
extern const PreFamily *nlp_pre_family_at(size_t i);
extern const Stage *nlp_pre_stages(NlpPreRules rules);	/* NULL: no such rules */
extern bool nlp_set_has(SetId set, uint32_t cp, unsigned cls);

/* One pass over text. word() gets each word in order; a status other than OK stops.
 * The caller sets word, ctx, env and err after nlp_pre_init. */
typedef struct PreScan
{
	const uint16_t *class_index;
	const uint8_t *classes;
	const uint8_t *ascii;		/* classes of 0..127, C_ANY not set */
	const Stage *stages;
	NlpStatus	(*word) (void *ctx, const uint8_t *begin, const uint8_t *end);
	void	   *ctx;
	const NlpEnv *env;
	NlpError   *err;
	uint32_t	words;			/* since the last poll */
	NlpStatus	status;			/* set by a poll inside a long run */
	const uint8_t *white_begin; /* the white space run last measured */
	const uint8_t *white_end;
	const uint8_t *white_line;	/* after its last line end, or NULL */
} PreScan;

extern void nlp_pre_init(PreScan *s, const NlpTokenizer *t);
extern NlpStatus nlp_pre_split(PreScan *s, const uint8_t *begin, const uint8_t *end);

#endif
