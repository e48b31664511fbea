/* template_parser.h --- what the two halves of the template parser share. */
#ifndef NLP_TASK_TEMPLATE_PARSER_H
#define NLP_TASK_TEMPLATE_PARSER_H

#include "task/template_internal.h"

typedef struct TplParser
{
	NlpTemplate *t;
	const TplToken *tok;		/* the next one; the last is TPL_T_EOF and is never passed */
	int			depth;
	int			loops;			/* open loops that break and continue may mean */
	bool		saw_varargs;	/* names met since the macro began */
	bool		saw_kwargs;
	bool		saw_caller;
	NlpError   *err;
} TplParser;

/* Pointers collected in the arena while their number is unknown. */
typedef struct TplVec
{
	void	  **items;
	uint32_t	n;
	uint32_t	cap;
} TplVec;

/* template_token.c */
extern NlpStatus nlp_tpl_unexpected(TplParser *p);
extern bool nlp_tpl_at_op(const TplParser *p, TplOp op);
extern bool nlp_tpl_token_is(const TplParser *p, const TplToken *tok, const char *word);
extern bool nlp_tpl_at_word(const TplParser *p, const char *word);
extern bool nlp_tpl_accept_op(TplParser *p, TplOp op);
extern bool nlp_tpl_accept_word(TplParser *p, const char *word);
extern NlpStatus nlp_tpl_expect_op(TplParser *p, TplOp op);
extern NlpStatus nlp_tpl_expect_name(TplParser *p, uint32_t *name);
extern NlpStatus nlp_tpl_enter(TplParser *p);
extern void nlp_tpl_leave(TplParser *p);
extern void *nlp_tpl_node_alloc(TplParser *p, size_t bytes);	/* zeroed; NULL fills the error */

/* template_parse.c */
extern NlpStatus nlp_tpl_push(TplParser *p, TplVec *v, void *item);
extern NlpStatus nlp_tpl_expr(TplParser *p, TplExprKind kind, size_t pos, TplExpr **kids, uint32_t n,
							  TplExpr **out);
extern bool nlp_tpl_tuple_end(const TplParser *p, const char *end_word);
extern NlpStatus nlp_tpl_parse_tuple(TplParser *p, bool with_cond, const char *end_word, bool parens,
									 TplExpr **out);
extern NlpStatus nlp_tpl_parse_args(TplParser *p, TplExpr *owner);
extern NlpStatus nlp_tpl_parse_filter_chain(TplParser *p, TplExpr **out);
extern NlpStatus nlp_tpl_parse_expr(TplParser *p, bool with_cond, TplExpr **out);

#endif
