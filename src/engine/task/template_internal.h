/* template_internal.h --- what the files of the template engine share: values,
 * syntax trees and the state of one rendering.
 *
 * Values are immutable but for namespaces and iterators. Everything a rendering
 * makes lives in its arena; strings may also point into the template's arena
 * (literals) or into the caller's JSON text. Texts are valid UTF-8, lengths in
 * bytes, and carry no terminating NUL. */
#ifndef NLP_TASK_TEMPLATE_INTERNAL_H
#define NLP_TASK_TEMPLATE_INTERNAL_H

#include "task/template.h"

#define TPL_MAX_SOURCE ((size_t) 1 << 20)
#define TPL_MAX_DEPTH 64		/* nesting the parser follows */
#define TPL_MAX_HEIGHT 200		/* height of an expression's tree */
#define TPL_MAX_EVAL 1000		/* expressions and statements open at once while rendering */
#define TPL_MAX_JSON 512		/* nesting of the JSON variables */
#define TPL_MAX_RANGE 100000	/* as jinja2's sandbox */

/* ---- values ---- */

typedef enum TplType
{
	TPL_UNDEFINED,
	TPL_NONE,
	TPL_BOOL,
	TPL_INT,
	TPL_FLOAT,
	TPL_STR,
	TPL_LIST,
	TPL_TUPLE,
	TPL_DICT,
	TPL_ITER,					/* generators, views and ranges */
	TPL_NAMESPACE,
	TPL_LOOP,
	TPL_MACRO,
	TPL_METHOD,					/* a value's method, bound */
	TPL_FUNCTION
} TplType;

typedef enum TplIterKind
{
	TPL_ITER_GENERATOR,			/* used up by reading; no length */
	TPL_ITER_RANGE,
	TPL_ITER_KEYS,				/* views of a mapping: a length, no subscripts */
	TPL_ITER_VALUES,
	TPL_ITER_ITEMS
} TplIterKind;

typedef enum TplFunction
{
	TPL_F_RANGE = 1,
	TPL_F_DICT,
	TPL_F_NAMESPACE,
	TPL_F_RAISE,
	TPL_F_STRFTIME
} TplFunction;

typedef struct TplValue TplValue;
typedef struct TplDict TplDict;
typedef struct TplScope TplScope;
typedef struct TplLoop TplLoop;
typedef struct TplStmt TplStmt;
typedef struct TplExpr TplExpr;

typedef struct TplList
{
	TplValue   *items;
	size_t		n;
	size_t		pos;			/* generators: items already taken */
} TplList;

typedef struct TplMacro
{
	const TplStmt *def;
	TplScope   *scope;			/* where it was defined */
} TplMacro;

struct TplValue
{
	uint8_t		type;			/* TplType */
	uint8_t		kind;			/* TplIterKind, TplFunction, method id; TPL_STR: 1 when marked safe */
	union
	{
		bool		b;
		int64_t		i;
		double		f;
		size_t		len;		/* TPL_STR */
	}			u;
	union
	{
		const char *s;
		TplList    *list;		/* list, tuple, iter */
		TplDict    *dict;		/* dict, namespace */
		TplLoop    *loop;
		const TplMacro *macro;
		const TplValue *self;	/* method */
	}			p;
};

typedef struct TplPair
{
	TplValue	key;
	TplValue	value;
} TplPair;

/* Insertion order; an index of hashes once it has more than 8 pairs. */
struct TplDict
{
	TplPair    *pairs;
	size_t		n;
	size_t		cap;
	uint32_t   *index;			/* position + 1, 0 for empty; size is a power of two */
	size_t		index_size;
};

struct TplLoop
{
	const TplValue *items;
	size_t		n;
	size_t		i;
	TplValue   *changed;		/* last arguments of loop.changed() */
	size_t		n_changed;
};

/* Filters that take or give sequences. */
typedef enum TplSeqFilter
{
	TPL_Q_FIRST, TPL_Q_LAST, TPL_Q_LIST, TPL_Q_JOIN, TPL_Q_REVERSE, TPL_Q_SORT, TPL_Q_UNIQUE, TPL_Q_MIN, TPL_Q_MAX,
	TPL_Q_SUM, TPL_Q_MAP, TPL_Q_SELECT, TPL_Q_REJECT, TPL_Q_SELECTATTR, TPL_Q_REJECTATTR, TPL_Q_DICTSORT, TPL_Q_ITEMS,
	TPL_Q_BATCH, TPL_Q_SLICE, TPL_Q_GROUPBY, TPL_Q_LENGTH
} TplSeqFilter;

/* Arguments of a call, a filter or a test, evaluated. */
typedef struct TplArgs
{
	const TplValue *pos;
	size_t		n;
	const TplPair *kw;			/* keys are strings */
	size_t		n_kw;
} TplArgs;

/* ---- syntax ---- */

typedef enum TplTokenType
{
	TPL_T_EOF,
	TPL_T_DATA,
	TPL_T_VAR_BEGIN,
	TPL_T_VAR_END,
	TPL_T_BLOCK_BEGIN,
	TPL_T_BLOCK_END,
	TPL_T_NAME,
	TPL_T_STRING,				/* with its quotes */
	TPL_T_INT,
	TPL_T_FLOAT,
	TPL_T_OP
} TplTokenType;

typedef enum TplOp
{
	TPL_O_NONE,
	TPL_O_ADD,
	TPL_O_SUB,
	TPL_O_MUL,
	TPL_O_DIV,
	TPL_O_FLOORDIV,
	TPL_O_MOD,
	TPL_O_POW,
	TPL_O_TILDE,
	TPL_O_EQ,
	TPL_O_NE,
	TPL_O_LT,
	TPL_O_LE,
	TPL_O_GT,
	TPL_O_GE,
	TPL_O_IN,					/* from names, never a token */
	TPL_O_NOTIN,
	TPL_O_ASSIGN,
	TPL_O_DOT,
	TPL_O_COLON,
	TPL_O_PIPE,
	TPL_O_COMMA,
	TPL_O_SEMICOLON,
	TPL_O_LPAREN,
	TPL_O_RPAREN,
	TPL_O_LBRACKET,
	TPL_O_RBRACKET,
	TPL_O_LBRACE,
	TPL_O_RBRACE
} TplOp;

typedef struct TplToken
{
	uint8_t		type;
	uint8_t		op;
	uint32_t	pos;			/* byte offset in the normalised source */
	uint32_t	len;
} TplToken;

typedef enum TplExprKind
{
	TPL_E_CONST,				/* value */
	TPL_E_NAME,					/* name */
	TPL_E_LIST,
	TPL_E_TUPLE,
	TPL_E_DICT,					/* kids: key, value, key, value, ... */
	TPL_E_ATTR,					/* kids[0] . name */
	TPL_E_ITEM,					/* kids[0] [ kids[1] ] */
	TPL_E_SLICE,				/* kids[0] [ kids[1] : kids[2] : kids[3] ], parts may be NULL */
	TPL_E_CALL,					/* kids[0] ( args ) */
	TPL_E_FILTER,				/* kids[0] | name ( args ); kids[0] is NULL at the head of a filter block */
	TPL_E_TEST,					/* kids[0] is [not] name ( args ) */
	TPL_E_CHAIN,				/* kids[0] ops[0] kids[1] ops[1] ...: arithmetic, left to right */
	TPL_E_COMPARE,				/* the same, chained as in Python */
	TPL_E_CONCAT,
	TPL_E_AND,
	TPL_E_OR,
	TPL_E_NOT,
	TPL_E_NEG,
	TPL_E_POS,
	TPL_E_COND					/* kids[0] if kids[1] else kids[2], which may be NULL */
} TplExprKind;

typedef struct TplCallArgs
{
	TplExpr   **pos;
	uint32_t	n;
	uint32_t	n_kw;
	uint32_t   *kw_names;		/* interned */
	TplExpr   **kw;
	TplExpr    *star;			/* *args, **kwargs, or NULL */
	TplExpr    *star_star;
} TplCallArgs;

struct TplExpr
{
	uint8_t		kind;
	uint8_t		op;				/* filter or test id, method id of an attribute */
	bool		negated;
	uint8_t		height;
	uint32_t	pos;			/* in the source, for errors */
	uint32_t	name;			/* interned */
	uint32_t	n;
	TplExpr   **kids;
	union
	{
		uint8_t    *ops;
		TplCallArgs *args;
		TplValue   *value;
	}			u;
};

typedef enum TplStmtKind
{
	TPL_S_TEXT,
	TPL_S_OUTPUT,				/* expr */
	TPL_S_FOR,					/* target in expr if test: body else orelse */
	TPL_S_IF,					/* expr: body; orelse is the elif or else branch */
	TPL_S_SET,					/* target = expr */
	TPL_S_SET_BLOCK,			/* target = body | expr (filters, may be NULL) */
	TPL_S_MACRO,
	TPL_S_CALL,					/* call block: expr is the call, params and body its caller */
	TPL_S_FILTER,				/* body | expr */
	TPL_S_SCOPE,				/* with (targets = values), generation: body in a scope of its own */
	TPL_S_BREAK,
	TPL_S_CONTINUE
} TplStmtKind;

typedef struct TplTarget
{
	uint32_t	name;			/* when n == 0 */
	uint32_t	attr;			/* name.attr of a namespace, 0: none */
	uint32_t	n;				/* unpacked into so many */
	bool		tuple;
	struct TplTarget *kids;
} TplTarget;

struct TplStmt
{
	uint8_t		kind;
	bool		wants_varargs;	/* macro: the body names varargs, kwargs, caller */
	bool		wants_kwargs;
	bool		wants_caller;
	uint32_t	pos;
	uint32_t	name;			/* macro */
	uint32_t	n;				/* macro parameters, with targets */
	const char *text;
	size_t		text_len;
	TplTarget  *target;			/* [n] for with */
	TplExpr    *expr;
	TplExpr    *test;
	TplStmt    *body;
	TplStmt    *orelse;
	uint32_t   *params;			/* [n] interned */
	TplExpr   **defaults;		/* [n] or NULL entries; with: the values */
	TplStmt    *next;
};

typedef struct TplName
{
	const char *s;
	size_t		len;
} TplName;

struct NlpTemplate
{
	NlpArena	arena;
	const NlpAlloc *alloc;
	const char *source;			/* newlines normalised */
	size_t		source_len;
	TplStmt    *body;
	TplName    *names;			/* interned; 0 is unused */
	uint32_t	n_names;
	uint32_t	name_cap;
	uint32_t   *name_index;		/* hash table of name_index_size, a power of two */
	uint32_t	name_index_size;
	uint32_t	name_loop;		/* "loop", "caller", "varargs", "kwargs" */
	uint32_t	name_caller;
	uint32_t	name_varargs;
	uint32_t	name_kwargs;
};

/* ---- one rendering ---- */

typedef struct TplVar
{
	uint32_t	name;
	TplValue	value;
} TplVar;

struct TplScope
{
	TplScope   *parent;
	TplVar	   *vars;
	uint32_t	n;
	uint32_t	cap;
	bool		captured;		/* a macro keeps it */
};

typedef struct TplRun
{
	const NlpTemplate *t;
	const NlpEnv *env;
	NlpError   *err;
	NlpTemplateLimits limits;
	NlpArena	arena;
	NlpBuf	   *out;
	size_t		out_start;
	NlpBuf		scratch;		/* a stack of texts being made */
	int			capturing;		/* output goes to scratch when > 0 */
	uint64_t	work;
	uint64_t	next_poll;
	uint64_t	turns;
	int			depth;
	int			flow;			/* 0, or TPL_S_BREAK, TPL_S_CONTINUE on its way to the loop */
	uint32_t	pos;			/* of the node being evaluated, for errors */
	TplScope   *scope;
	TplValue   *globals;		/* by interned name */
	const char *now;			/* date for strftime_now, or NULL */
	size_t		now_len;
} TplRun;

/* template_lex.c */
extern NlpStatus nlp_tpl_lex(NlpTemplate *t, TplToken **tokens, size_t *n, NlpError *err);
extern bool nlp_tpl_is_space(uint32_t cp);
extern NlpStatus nlp_tpl_syntax(const NlpTemplate *t, size_t pos, NlpError *err, NlpStatus status,
								const char *fmt,...) NLP_PRINTF(5, 6);
extern void nlp_tpl_where(const NlpTemplate *t, size_t pos, NlpError *err);

/* template_token.c */
extern uint32_t nlp_tpl_intern(NlpTemplate *t, const char *s, size_t len);	/* 0: no memory */

/* template_number.c: decimal text, whatever the locale */
extern double nlp_tpl_parse_float(const char *s);	/* of a checked, NUL-terminated number */
extern size_t nlp_tpl_float_text(double f, char out[40]);	/* as Python's repr; the length */
extern size_t nlp_tpl_fixed_text(double f, int places, char *out, size_t cap);	/* as %.{places}f */

/* template_json.c: strict RFC 8259; object members keep their order. Strings
 * without escapes point into text. NUL characters are refused. */
extern NlpStatus nlp_tpl_json(TplRun *r, const char *text, size_t len, const char *what, TplValue *out);
extern NlpStatus nlp_tpl_tojson(TplRun *r, const TplValue *v, const TplArgs *a, TplValue *out);

/* template_value.c: memory, errors, texts, dicts, comparison */
extern NlpStatus nlp_tpl_begin(TplRun *r, const NlpTemplate *t, const NlpEnv *env,
							   const NlpTemplateLimits *limits, NlpBuf *out, NlpError *err);
extern void nlp_tpl_end(TplRun *r);
extern NlpStatus nlp_tpl_fail(TplRun *r, NlpStatus status, const char *fmt,...) NLP_PRINTF(3, 4);
extern NlpStatus nlp_tpl_work(TplRun *r, uint64_t amount);
extern NlpStatus nlp_tpl_turns(TplRun *r, uint64_t amount);
extern NlpStatus nlp_tpl_alloc(TplRun *r, size_t n, size_t each, void *ptr);	/* *(void **) ptr is set */
extern NlpStatus nlp_tpl_list(TplRun *r, TplType type, size_t n, TplValue *out);	/* items not filled */
extern NlpStatus nlp_tpl_iterator(TplRun *r, TplIterKind kind, TplValue *items, size_t n, TplValue *out);
extern NlpStatus nlp_tpl_put(TplRun *r, const char *s, size_t len); /* to scratch */
extern NlpStatus nlp_tpl_put_value(TplRun *r, const TplValue *v);	/* as str() */
extern NlpStatus nlp_tpl_put_repr(TplRun *r, const TplValue *v);
extern NlpStatus nlp_tpl_take(TplRun *r, size_t mark, TplValue *out);	/* text since mark, popped */
extern NlpStatus nlp_tpl_emit(TplRun *r, const char *s, size_t len);	/* to the output or its capture */
extern NlpStatus nlp_tpl_str(TplRun *r, const TplValue *v, TplValue *out);
extern bool nlp_tpl_truth(const TplValue *v);
extern NlpStatus nlp_tpl_equal(TplRun *r, const TplValue *a, const TplValue *b, bool *eq);
extern NlpStatus nlp_tpl_less(TplRun *r, const TplValue *a, const TplValue *b, bool *less);
extern NlpStatus nlp_tpl_compare(TplRun *r, TplOp op, const TplValue *a, const TplValue *b, bool *yes);
extern NlpStatus nlp_tpl_contains(TplRun *r, const TplValue *item, const TplValue *in, bool *yes);
extern NlpStatus nlp_tpl_items(TplRun *r, const TplValue *v, const TplValue **items, size_t *n);
extern bool nlp_tpl_iterable(const TplValue *v);
extern bool nlp_tpl_length(const TplValue *v, size_t *n);	/* false: has none */
extern const char *nlp_tpl_type_name(const TplValue *v);
extern NlpStatus nlp_tpl_dict_new(TplRun *r, TplType type, TplValue *out);
extern NlpStatus nlp_tpl_dict_set(TplRun *r, TplDict *d, const TplValue *key, const TplValue *value);
/* found is NULL when absent; NLP_EINVALID when key cannot be one. */
extern NlpStatus nlp_tpl_dict_get(TplRun *r, const TplDict *d, const TplValue *key, const TplValue **found);
extern const TplValue *nlp_tpl_dict_find(const TplDict *d, const char *key);	/* short string keys; no errors */
extern NlpStatus nlp_tpl_dict_view(TplRun *r, const TplDict *d, int what, TplValue *out);	/* 0 keys, 1 values, 2 items */

/* template_eval.c */
extern NlpStatus nlp_tpl_eval(TplRun *r, const TplExpr *e, TplValue *out);
extern NlpStatus nlp_tpl_args(TplRun *r, const TplCallArgs *c, TplArgs *a);
extern NlpStatus nlp_tpl_lookup(TplRun *r, uint32_t name, TplValue *out);
extern NlpStatus nlp_tpl_getitem(TplRun *r, const TplValue *obj, const TplValue *key, TplValue *out);
extern NlpStatus nlp_tpl_getattr(TplRun *r, const TplValue *obj, const char *name, size_t len, int method,
								 TplValue *out);
extern NlpStatus nlp_tpl_slice(TplRun *r, const TplValue *obj, const TplValue part[3], TplValue *out);

/* template_arith.c */
extern NlpStatus nlp_tpl_arith(TplRun *r, TplOp op, const TplValue *a, const TplValue *b, TplValue *out);
extern NlpStatus nlp_tpl_negate(TplRun *r, const TplValue *v, TplValue *out);
extern bool nlp_tpl_as_int(const TplValue *v, int64_t *i);	/* int or bool */
extern bool nlp_tpl_as_float(const TplValue *v, double *f); /* any number */

/* template_exec.c */
extern NlpStatus nlp_tpl_call_macro(TplRun *r, const TplMacro *m, const TplArgs *a, TplValue *out);
/* Run r->t with these variables; then end the run, taking back output unless st is NLP_OK. */
extern NlpStatus nlp_tpl_run(TplRun *r, const TplDict *variables);
extern NlpStatus nlp_tpl_finish(TplRun *r, NlpStatus st);
extern NlpStatus nlp_tpl_set_var(TplRun *r, TplScope *scope, uint32_t name, const TplValue *v);

/* template_call.c: functions of the environment, loop.cycle and the like */
extern NlpStatus nlp_tpl_call(TplRun *r, const TplValue *callee, const TplArgs *a, TplValue *out);
/* Bind a's arguments to names[0..n) in order and by keyword; absent ones are NULL. */
extern NlpStatus nlp_tpl_bind(TplRun *r, const char *what, const TplArgs *a, size_t n, size_t required,
							  const char *const *names, const TplValue **got);

/* template_method.c */
extern int	nlp_tpl_method_id(const char *name, size_t len);	/* 0: no type has such a method */
extern bool nlp_tpl_has_method(const TplValue *v, int id);
extern bool nlp_tpl_method_mutates(const TplValue *v, int id);
extern NlpStatus nlp_tpl_call_method(TplRun *r, int id, const TplValue *self, const TplArgs *a, TplValue *out);

/* template_text.c: what Python's str does */
extern NlpStatus nlp_tpl_upper(TplRun *r, const TplValue *s, TplValue *out);
extern NlpStatus nlp_tpl_lower(TplRun *r, const TplValue *s, TplValue *out);
extern NlpStatus nlp_tpl_capitalize(TplRun *r, const TplValue *s, TplValue *out);
extern NlpStatus nlp_tpl_title(TplRun *r, const TplValue *s, TplValue *out);
extern NlpStatus nlp_tpl_title_filter(TplRun *r, const TplValue *s, TplValue *out);
extern NlpStatus nlp_tpl_strip(TplRun *r, const TplValue *s, const TplValue *chars, bool left, bool right,
							   TplValue *out);
extern NlpStatus nlp_tpl_split(TplRun *r, const TplValue *s, const TplValue *sep, int64_t max, bool from_right,
							   TplValue *out);
extern NlpStatus nlp_tpl_splitlines(TplRun *r, const TplValue *s, bool keep_ends, TplValue *out);
extern NlpStatus nlp_tpl_replace(TplRun *r, const TplValue *s, const TplValue *from, const TplValue *to,
								 int64_t max, TplValue *out);
extern NlpStatus nlp_tpl_escape(TplRun *r, const TplValue *s, TplValue *out);
/* First or last place of needle in hay, NULL if none; charges work. */
extern NlpStatus nlp_tpl_find(TplRun *r, const TplValue *hay, const TplValue *needle, bool last, const char **at);
extern NlpStatus nlp_tpl_is_case(TplRun *r, const TplValue *s, bool upper, bool *yes);

/* template_format.c */
/* exact: every argument by position must be used. */
extern NlpStatus nlp_tpl_percent(TplRun *r, const TplValue *fmt, const TplArgs *a, bool exact, TplValue *out);
extern NlpStatus nlp_tpl_format(TplRun *r, const TplValue *fmt, const TplArgs *a, TplValue *out);
extern NlpStatus nlp_tpl_strftime(TplRun *r, const TplValue *fmt, TplValue *out);

/* template_filters.c and template_seq.c; template_tests.c */
extern int	nlp_tpl_filter_id(const char *name, size_t len);	/* 0: unknown */
extern NlpStatus nlp_tpl_filter(TplRun *r, int id, const TplValue *v, const TplArgs *a, TplValue *out);
extern NlpStatus nlp_tpl_seq_filter(TplRun *r, TplSeqFilter which, const TplValue *v, const TplArgs *a, TplValue *out);
/* A filter's optional integer argument. */
extern NlpStatus nlp_tpl_int_arg(TplRun *r, const TplValue *v, int64_t none, int64_t *i);
extern int	nlp_tpl_test_id(const char *name, size_t len);	/* 0: unknown */
extern NlpStatus nlp_tpl_test(TplRun *r, int id, const TplValue *v, const TplArgs *a, bool *yes);

/* ---- small helpers ---- */

static inline TplValue
tpl_undefined(void)
{
	TplValue	v = {.type = TPL_UNDEFINED};

	return v;
}

static inline TplValue
tpl_none(void)
{
	TplValue	v = {.type = TPL_NONE};

	return v;
}

static inline TplValue
tpl_bool(bool b)
{
	TplValue	v = {.type = TPL_BOOL};

	v.u.b = b;
	return v;
}

static inline TplValue
tpl_int(int64_t i)
{
	TplValue	v = {.type = TPL_INT};

	v.u.i = i;
	return v;
}

static inline TplValue
tpl_float(double f)
{
	TplValue	v = {.type = TPL_FLOAT};

	v.u.f = f;
	return v;
}

static inline TplValue
tpl_text(const char *s, size_t len)
{
	TplValue	v = {.type = TPL_STR};

	v.u.len = len;
	v.p.s = s;
	return v;
}

/* Length of the character that starts at s, in valid UTF-8. */
static inline size_t
tpl_char_len(const char *s)
{
	unsigned char c = (unsigned char) *s;

	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

#endif
