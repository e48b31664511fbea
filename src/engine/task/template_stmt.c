/* template_stmt.c --- parse a chat template: its statements, and the public entry.
 *
 * Trust, ownership and source as in template_parse.c. */
#include <string.h>

#include "core/utf8.h"
#include "task/template_parser.h"
#include "engine_only.h"

static NlpStatus parse_body(TplParser *p, const char *const *ends, TplStmt **out);

static NlpStatus
new_stmt(TplParser *p, TplStmtKind kind, size_t pos, TplStmt **out)
{
	TplStmt    *s = nlp_tpl_node_alloc(p, sizeof(TplStmt));

	if (!s)
		return NLP_ENOMEM;
	s->kind = kind;
	s->pos = (uint32_t) pos;
	*out = s;
	return NLP_OK;
}

static NlpStatus
expect_block_end(TplParser *p)
{
	if (p->tok->type != TPL_T_BLOCK_END)
		return nlp_tpl_unexpected(p);
	p->tok++;
	return NLP_OK;
}

/* The body of a block whose opening tag's words have been read, up to one of
 * ends, whose word is the next token. */
static NlpStatus
parse_block(TplParser *p, const char *const *ends, TplStmt **out)
{
	nlp_tpl_accept_op(p, TPL_O_COLON);
	NLP_TRY(expect_block_end(p));
	NLP_TRY(nlp_tpl_enter(p));
	NLP_TRY(parse_body(p, ends, out));
	nlp_tpl_leave(p);
	return NLP_OK;
}

static NlpStatus
parse_block_to(TplParser *p, const char *end, TplStmt **out)
{
	const char *ends[] = {end, NULL};

	NLP_TRY(parse_block(p, ends, out));
	p->tok++;
	return NLP_OK;
}

/* ---- targets of for, set and with ---- */

static NlpStatus
parse_one_target(TplParser *p, bool with_attr, TplTarget *out)
{
	static const char *const constants[] = {"true", "True", "false", "False", "none", "None"};

	if (nlp_tpl_accept_op(p, TPL_O_LPAREN))
	{
		NLP_TRY(nlp_tpl_enter(p));
		TplVec		v = {0};

		while (!nlp_tpl_at_op(p, TPL_O_RPAREN))
		{
			TplTarget  *kid = nlp_tpl_node_alloc(p, sizeof(TplTarget));

			if (!kid)
				return NLP_ENOMEM;
			NLP_TRY(parse_one_target(p, with_attr, kid));
			NLP_TRY(nlp_tpl_push(p, &v, kid));
			if (!nlp_tpl_accept_op(p, TPL_O_COMMA))
				break;
		}
		NLP_TRY(nlp_tpl_expect_op(p, TPL_O_RPAREN));
		nlp_tpl_leave(p);
		out->tuple = true;
		out->n = v.n;
		out->kids = nlp_tpl_node_alloc(p, (v.n ? v.n : 1) * sizeof(TplTarget));
		if (!out->kids)
			return NLP_ENOMEM;
		for (uint32_t i = 0; i < v.n; i++)
			out->kids[i] = *(TplTarget *) v.items[i];
		return NLP_OK;
	}
	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
	{
		if (nlp_tpl_at_word(p, constants[i]))
			return nlp_tpl_unexpected(p);
	}
	NLP_TRY(nlp_tpl_expect_name(p, &out->name));
	if (with_attr && nlp_tpl_accept_op(p, TPL_O_DOT))
		return nlp_tpl_expect_name(p, &out->attr);
	return NLP_OK;
}

/* `a`, `a.b`, `a, b` or `(a, b), c`. */
static NlpStatus
parse_target(TplParser *p, bool with_attr, const char *end_word, TplTarget **target)
{
	TplTarget  *out = nlp_tpl_node_alloc(p, sizeof(TplTarget));
	TplVec		v = {0};
	bool		tuple = false;

	if (!out)
		return NLP_ENOMEM;
	do
	{
		TplTarget  *kid;

		if (v.n && ((end_word && nlp_tpl_at_word(p, end_word)) || nlp_tpl_at_op(p, TPL_O_ASSIGN)))
			break;
		kid = nlp_tpl_node_alloc(p, sizeof(TplTarget));
		if (!kid)
			return NLP_ENOMEM;
		NLP_TRY(parse_one_target(p, with_attr, kid));
		NLP_TRY(nlp_tpl_push(p, &v, kid));
		tuple |= nlp_tpl_at_op(p, TPL_O_COMMA);
	} while (nlp_tpl_accept_op(p, TPL_O_COMMA));
	*target = out;
	if (!tuple)
	{
		*out = *(TplTarget *) v.items[0];
		return NLP_OK;
	}
	out->tuple = true;
	out->n = v.n;
	out->kids = nlp_tpl_node_alloc(p, v.n * sizeof(TplTarget));
	if (!out->kids)
		return NLP_ENOMEM;
	for (uint32_t i = 0; i < v.n; i++)
		out->kids[i] = *(TplTarget *) v.items[i];
	return NLP_OK;
}

/* ---- statements, each with its tag's first word already read ---- */

static NlpStatus
parse_for(TplParser *p, TplStmt *s)
{
	static const char *const ends[] = {"endfor", "else", NULL};

	s->kind = TPL_S_FOR;
	NLP_TRY(parse_target(p, false, "in", &s->target));
	if (!nlp_tpl_accept_word(p, "in"))
		return nlp_tpl_unexpected(p);
	NLP_TRY(nlp_tpl_parse_tuple(p, false, "recursive", false, &s->expr));
	if (nlp_tpl_accept_word(p, "if"))
		NLP_TRY(nlp_tpl_parse_expr(p, true, &s->test));
	if (nlp_tpl_at_word(p, "recursive"))
		return nlp_tpl_syntax(p->t, p->tok->pos, p->err, NLP_EUNSUPPORTED,
							  "recursive loops are not supported in chat templates");
	p->loops++;
	NLP_TRY(parse_block(p, ends, &s->body));
	p->loops--;
	if (nlp_tpl_token_is(p, p->tok++, "else"))
		return parse_block_to(p, "endfor", &s->orelse);
	return NLP_OK;
}

/* elif branches hang on orelse, found in a loop rather than by recursion. */
static NlpStatus
parse_if(TplParser *p, TplStmt *s)
{
	static const char *const ends[] = {"elif", "else", "endif", NULL};

	for (;;)
	{
		TplStmt    *branch;

		s->kind = TPL_S_IF;
		NLP_TRY(nlp_tpl_parse_tuple(p, false, NULL, false, &s->expr));
		NLP_TRY(parse_block(p, ends, &s->body));
		if (nlp_tpl_accept_word(p, "endif"))
			return NLP_OK;
		if (nlp_tpl_accept_word(p, "else"))
			return parse_block_to(p, "endif", &s->orelse);
		p->tok++;
		NLP_TRY(new_stmt(p, TPL_S_IF, p->tok->pos, &branch));
		s->orelse = branch;
		s = branch;
	}
}

static NlpStatus
parse_set(TplParser *p, TplStmt *s)
{
	NLP_TRY(parse_target(p, true, NULL, &s->target));
	if (nlp_tpl_accept_op(p, TPL_O_ASSIGN))
	{
		s->kind = TPL_S_SET;
		return nlp_tpl_parse_tuple(p, true, NULL, false, &s->expr);
	}
	s->kind = TPL_S_SET_BLOCK;
	if (s->target->tuple)
		return nlp_tpl_unexpected(p);
	if (nlp_tpl_accept_op(p, TPL_O_PIPE))
		NLP_TRY(nlp_tpl_parse_filter_chain(p, &s->expr));
	return parse_block_to(p, "endset", &s->body);
}

/* `(a, b=1)` of a macro or call block. */
static NlpStatus
parse_params(TplParser *p, TplStmt *s)
{
	TplVec		names = {0};
	TplVec		defaults = {0};
	bool		had_default = false;

	NLP_TRY(nlp_tpl_expect_op(p, TPL_O_LPAREN));
	while (!nlp_tpl_at_op(p, TPL_O_RPAREN))
	{
		uint32_t	name;
		TplExpr    *value = NULL;

		if (names.n)
			NLP_TRY(nlp_tpl_expect_op(p, TPL_O_COMMA));
		NLP_TRY(nlp_tpl_expect_name(p, &name));
		if (nlp_tpl_accept_op(p, TPL_O_ASSIGN))
		{
			NLP_TRY(nlp_tpl_parse_expr(p, true, &value));
			had_default = true;
		}
		else if (had_default)
			return nlp_tpl_syntax(p->t, p->tok->pos, p->err, NLP_EINVALID,
								  "macro parameter without a default follows one with a default");
		NLP_TRY(nlp_tpl_push(p, &names, (void *) (uintptr_t) name));
		NLP_TRY(nlp_tpl_push(p, &defaults, value));
	}
	p->tok++;
	s->n = names.n;
	s->defaults = (TplExpr **) defaults.items;
	s->params = nlp_tpl_node_alloc(p, (names.n ? names.n : 1) * sizeof(uint32_t));
	if (!s->params)
		return NLP_ENOMEM;
	for (uint32_t i = 0; i < names.n; i++)
		s->params[i] = (uint32_t) (uintptr_t) names.items[i];
	return NLP_OK;
}

/* A body that is a function of its own: break does not reach out of it, and it
 * notes which of the special names it reads. */
static NlpStatus
parse_function_body(TplParser *p, TplStmt *s, const char *end)
{
	int			loops = p->loops;
	bool		varargs = p->saw_varargs,
				kwargs = p->saw_kwargs,
				caller = p->saw_caller;

	p->loops = 0;
	p->saw_varargs = p->saw_kwargs = p->saw_caller = false;
	NLP_TRY(parse_block_to(p, end, &s->body));
	s->wants_varargs = p->saw_varargs;
	s->wants_kwargs = p->saw_kwargs;
	s->wants_caller = p->saw_caller;
	p->loops = loops;
	p->saw_varargs |= varargs;
	p->saw_kwargs |= kwargs;
	p->saw_caller |= caller;
	return NLP_OK;
}

static NlpStatus
parse_macro(TplParser *p, TplStmt *s)
{
	s->kind = TPL_S_MACRO;
	NLP_TRY(nlp_tpl_expect_name(p, &s->name));
	NLP_TRY(parse_params(p, s));
	return parse_function_body(p, s, "endmacro");
}

static NlpStatus
parse_call_block(TplParser *p, TplStmt *s)
{
	s->kind = TPL_S_CALL;
	s->name = p->t->name_caller;
	if (nlp_tpl_at_op(p, TPL_O_LPAREN))
		NLP_TRY(parse_params(p, s));
	NLP_TRY(nlp_tpl_parse_expr(p, true, &s->expr));
	if (s->expr->kind != TPL_E_CALL)
		return nlp_tpl_unexpected(p);
	return parse_function_body(p, s, "endcall");
}

static NlpStatus
parse_filter_block(TplParser *p, TplStmt *s)
{
	s->kind = TPL_S_FILTER;
	NLP_TRY(nlp_tpl_parse_filter_chain(p, &s->expr));
	return parse_block_to(p, "endfilter", &s->body);
}

static NlpStatus
parse_with(TplParser *p, TplStmt *s)
{
	TplVec		targets = {0};
	TplVec		values = {0};

	s->kind = TPL_S_SCOPE;
	while (p->tok->type != TPL_T_BLOCK_END)
	{
		TplTarget  *target = nlp_tpl_node_alloc(p, sizeof(TplTarget));
		TplExpr    *value;

		if (!target)
			return NLP_ENOMEM;
		if (targets.n)
			NLP_TRY(nlp_tpl_expect_op(p, TPL_O_COMMA));
		NLP_TRY(parse_one_target(p, false, target));
		NLP_TRY(nlp_tpl_expect_op(p, TPL_O_ASSIGN));
		NLP_TRY(nlp_tpl_parse_expr(p, true, &value));
		NLP_TRY(nlp_tpl_push(p, &targets, target));
		NLP_TRY(nlp_tpl_push(p, &values, value));
	}
	s->n = targets.n;
	s->defaults = (TplExpr **) values.items;
	s->target = nlp_tpl_node_alloc(p, (targets.n ? targets.n : 1) * sizeof(TplTarget));
	if (!s->target)
		return NLP_ENOMEM;
	for (uint32_t i = 0; i < targets.n; i++)
		s->target[i] = *(TplTarget *) targets.items[i];
	return parse_block_to(p, "endwith", &s->body);
}

/* Marks text the model writes, for training; a scope like a macro's body. */
static NlpStatus
parse_generation(TplParser *p, TplStmt *s)
{
	s->kind = TPL_S_SCOPE;
	return parse_function_body(p, s, "endgeneration");
}

static NlpStatus
parse_jump(TplParser *p, TplStmt *s, TplStmtKind kind)
{
	if (p->loops == 0)
		return nlp_tpl_syntax(p->t, s->pos, p->err, NLP_EINVALID,
							  "break or continue outside a loop in the chat template");
	s->kind = kind;
	return NLP_OK;
}

static NlpStatus
parse_keyword(TplParser *p, TplStmt *s)
{
	static const char *const other[] = {"extends", "include", "import", "from", "block", "autoescape", "do",
	"trans", "debug"};

	if (nlp_tpl_accept_word(p, "for"))
		return parse_for(p, s);
	if (nlp_tpl_accept_word(p, "if"))
		return parse_if(p, s);
	if (nlp_tpl_accept_word(p, "set"))
		return parse_set(p, s);
	if (nlp_tpl_accept_word(p, "macro"))
		return parse_macro(p, s);
	if (nlp_tpl_accept_word(p, "call"))
		return parse_call_block(p, s);
	if (nlp_tpl_accept_word(p, "filter"))
		return parse_filter_block(p, s);
	if (nlp_tpl_accept_word(p, "with"))
		return parse_with(p, s);
	if (nlp_tpl_accept_word(p, "generation"))
		return parse_generation(p, s);
	if (nlp_tpl_accept_word(p, "break"))
		return parse_jump(p, s, TPL_S_BREAK);
	if (nlp_tpl_accept_word(p, "continue"))
		return parse_jump(p, s, TPL_S_CONTINUE);
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
	{
		if (nlp_tpl_at_word(p, other[i]))
			return nlp_tpl_syntax(p->t, s->pos, p->err, NLP_EUNSUPPORTED,
								  "statement \"%s\" is not supported in chat templates", other[i]);
	}
	return nlp_tpl_unexpected(p);
}

/* `{{ ... }}` or `{% ... %}`, at its opening token. */
static NlpStatus
parse_tag(TplParser *p, TplStmt **out)
{
	size_t		pos = p->tok->pos;
	bool		block = (p->tok++)->type == TPL_T_BLOCK_BEGIN;

	NLP_TRY(new_stmt(p, TPL_S_OUTPUT, pos, out));
	if (block)
	{
		NLP_TRY(parse_keyword(p, *out));
		return expect_block_end(p);
	}
	NLP_TRY(nlp_tpl_parse_tuple(p, true, NULL, false, &(*out)->expr));
	if (p->tok->type != TPL_T_VAR_END)
		return nlp_tpl_unexpected(p);
	p->tok++;
	return NLP_OK;
}

static bool
at_end(const TplParser *p, const char *const *ends)
{
	for (; *ends; ends++)
	{
		if (nlp_tpl_token_is(p, p->tok + 1, *ends))
			return true;
	}
	return false;
}

/* Statements up to a tag that starts with one of ends (NULL: to the end of the
 * source); p->tok is then that word. */
static NlpStatus
parse_body(TplParser *p, const char *const *ends, TplStmt **out)
{
	TplStmt   **tail = out;

	*out = NULL;
	for (;;)
	{
		TplStmt    *s;

		if (p->tok->type == TPL_T_EOF)
			return ends ? nlp_tpl_syntax(p->t, p->tok->pos, p->err, NLP_EINVALID,
										 "chat template ends inside a block") : NLP_OK;
		if (p->tok->type == TPL_T_DATA)
		{
			NLP_TRY(new_stmt(p, TPL_S_TEXT, p->tok->pos, &s));
			s->text = p->t->source + p->tok->pos;
			s->text_len = p->tok->len;
			p->tok++;
		}
		else if (ends && p->tok->type == TPL_T_BLOCK_BEGIN && at_end(p, ends))
		{
			p->tok++;
			return NLP_OK;
		}
		else
			NLP_TRY(parse_tag(p, &s));
		*tail = s;
		tail = &s->next;
	}
}

/* ---- the whole ---- */

/* Copy the source with CRLF and CR as LF and without one trailing newline. */
static NlpStatus
copy_source(NlpTemplate *t, const char *source, size_t len, NlpError *err)
{
	char	   *w = nlp_arena_alloc(&t->arena, len + 1);
	size_t		n = 0;

	if (!w)
		return nlp_no_memory(err, len, "the chat template");
	for (size_t i = 0; i < len; i++)
	{
		if (source[i] == '\r')
		{
			w[n++] = '\n';
			if (i + 1 < len && source[i + 1] == '\n')
				i++;
		}
		else
			w[n++] = source[i];
	}
	if (n && w[n - 1] == '\n')
		n--;
	w[n] = '\0';
	t->source = w;
	t->source_len = n;
	return NLP_OK;
}

static NlpStatus
parse_template(NlpTemplate *t, const char *source, size_t len, NlpError *err)
{
	TplParser	p = {.t = t, .err = err};
	TplToken   *tokens;
	size_t		n;

	NLP_TRY(copy_source(t, source, len, err));
	t->name_loop = nlp_tpl_intern(t, "loop", 4);
	t->name_caller = nlp_tpl_intern(t, "caller", 6);
	t->name_varargs = nlp_tpl_intern(t, "varargs", 7);
	t->name_kwargs = nlp_tpl_intern(t, "kwargs", 6);
	if (!t->name_loop || !t->name_caller || !t->name_varargs || !t->name_kwargs)
		return nlp_no_memory(err, sizeof(TplName), "the chat template");
	NLP_TRY(nlp_tpl_lex(t, &tokens, &n, err));
	p.tok = tokens;
	return parse_body(&p, NULL, &t->body);
}

NlpStatus
nlp_template_parse(const char *source, size_t len, const NlpAlloc *alloc, NlpTemplate **tmpl, NlpError *err)
{
	NlpTemplate *t;
	size_t		bad;
	NlpStatus	st;

	*tmpl = NULL;
	if (len > TPL_MAX_SOURCE)
		return nlp_fail(err, NLP_ELIMIT, "chat template of %zu bytes is over the limit of %zu", len, TPL_MAX_SOURCE);
	if (!nlp_utf8_valid(source, len, &bad))
	{
		nlp_fail(err, NLP_ETEXT, "chat template is not valid UTF-8");
		return nlp_detail(err, "The first invalid byte is at offset %zu.", bad);
	}
	if (memchr(source, 0, len))
		return nlp_fail(err, NLP_ETEXT, "chat template contains a NUL byte");
	t = nlp_alloc_zero(alloc, sizeof(*t));
	if (!t)
		return nlp_no_memory(err, sizeof(*t), "the chat template");
	t->alloc = alloc;
	nlp_arena_init(&t->arena, alloc, 16 * 1024);
	st = parse_template(t, source, len, err);
	if (st != NLP_OK)
	{
		nlp_template_free(t);
		return st;
	}
	*tmpl = t;
	return NLP_OK;
}

void
nlp_template_free(NlpTemplate *tmpl)
{
	if (!tmpl)
		return;
	nlp_arena_free(&tmpl->arena);
	nlp_free(tmpl->alloc, tmpl);
}
