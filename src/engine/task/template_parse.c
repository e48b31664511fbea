/* template_parse.c --- tokens of a chat template to its syntax tree: expressions
 * here, statements in template_stmt.c.
 *
 * Trust:  a stranger's template; nesting is counted (TPL_MAX_DEPTH), and so is the
 *         height of what was built (TPL_MAX_HEIGHT), so that evaluation's use of
 *         the stack is bounded whatever the source.
 * Owns:   nothing; nodes live in the template's arena.
 * Source: the grammar in Jinja's "Template Designer Documentation". From loose to
 *         tight: if-else, or, and, not, comparisons, + -, ~, * / // %, **, unary;
 *         filters and tests bind tighter than any operator but a sign. */
#include <string.h>

#include "core/utf8.h"
#include "task/template_parser.h"
#include "engine_only.h"

/* ---- building nodes ---- */

NlpStatus
nlp_tpl_push(TplParser *p, TplVec *v, void *item)
{
	if (v->n == v->cap)
	{
		uint32_t	cap = v->cap ? v->cap * 2 : 4;
		void	  **more = nlp_tpl_node_alloc(p, cap * sizeof(void *));

		if (!more)
			return NLP_ENOMEM;
		if (v->n)
			memcpy(more, v->items, v->n * sizeof(void *));
		v->items = more;
		v->cap = cap;
	}
	v->items[v->n++] = item;
	return NLP_OK;
}

static NlpStatus
raise_height(TplParser *p, TplExpr *e, const TplExpr *kid, int step)
{
	if (kid && kid->height + step > e->height)
	{
		if (kid->height + step > TPL_MAX_HEIGHT)
			return nlp_tpl_syntax(p->t, e->pos, p->err, NLP_ECOMPLEX, "expression in the chat template is too deep");
		e->height = (uint8_t) (kid->height + step);
	}
	return NLP_OK;
}

/* A node over kids (some may be NULL); the array is kept. */
NlpStatus
nlp_tpl_expr(TplParser *p, TplExprKind kind, size_t pos, TplExpr **kids, uint32_t n, TplExpr **out)
{
	TplExpr    *e = nlp_tpl_node_alloc(p, sizeof(TplExpr));

	if (!e)
		return NLP_ENOMEM;
	e->kind = kind;
	e->pos = (uint32_t) pos;
	e->kids = kids;
	e->n = n;
	e->height = 1;
	for (uint32_t i = 0; i < n; i++)
		NLP_TRY(raise_height(p, e, kids[i], 1));
	*out = e;
	return NLP_OK;
}

static NlpStatus
unary(TplParser *p, TplExprKind kind, size_t pos, TplExpr *kid, TplExpr **out)
{
	TplExpr   **kids = nlp_tpl_node_alloc(p, sizeof(TplExpr *));

	if (!kids)
		return NLP_ENOMEM;
	kids[0] = kid;
	return nlp_tpl_expr(p, kind, pos, kids, 1, out);
}

static NlpStatus
constant(TplParser *p, size_t pos, TplValue value, TplExpr **out)
{
	TplValue   *v = nlp_tpl_node_alloc(p, sizeof(TplValue));

	if (!v)
		return NLP_ENOMEM;
	*v = value;
	NLP_TRY(nlp_tpl_expr(p, TPL_E_CONST, pos, NULL, 0, out));
	(*out)->u.value = v;
	return NLP_OK;
}

/* ---- literals ---- */

static int
hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The escape after a backslash at *s: writes its bytes, moves *s behind it. */
static bool
unescape(const char **s, const char *end, char **w)
{
	static const char from[] = "\\'\"abfnrtv";
	static const char to[] = "\\'\"\a\b\f\n\r\t\v";
	const char *q = *s;
	char		c = *q++;
	const char *simple = memchr(from, c, sizeof(from) - 1);
	uint32_t	cp = 0;
	int			digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;

	if (simple)
		*(*w)++ = to[simple - from];
	else if (c == '\n')
		;						/* a line continued */
	else if (digits)
	{
		for (int i = 0; i < digits; i++, q++)
		{
			int			h = q < end ? hex_value(*q) : -1;

			if (h < 0 || cp > 0xfffffff)
				return false;
			cp = cp * 16 + (uint32_t) h;
		}
		digits = nlp_utf8_encode(cp, *w);
		if (digits == 0 || cp == 0)
			return false;
		*w += digits;
	}
	else if (c >= '0' && c <= '7')
	{
		cp = (uint32_t) (c - '0');
		for (int i = 0; i < 2 && q < end && *q >= '0' && *q <= '7'; i++, q++)
			cp = cp * 8 + (uint32_t) (*q - '0');
		if (cp == 0)
			return false;
		*w += nlp_utf8_encode(cp, *w);
	}
	else
	{
		*(*w)++ = '\\';
		*(*w)++ = c;
	}
	*s = q;
	return true;
}

/* Text of a string token appended to buf at *len; it never grows by escapes
 * (the shortest, \x80, is four bytes for two). */
static NlpStatus
string_text(TplParser *p, const TplToken *tok, char *buf, size_t *len)
{
	const char *s = p->t->source + tok->pos + 1;
	const char *end = s + tok->len - 2;
	char	   *w = buf + *len;

	while (s < end)
	{
		if (*s != '\\')
			*w++ = *s++;
		else
		{
			s++;
			if (!unescape(&s, end, &w))
				return nlp_tpl_syntax(p->t, tok->pos, p->err, NLP_EINVALID,
									  "string in the chat template has a bad escape");
		}
	}
	*len = (size_t) (w - buf);
	return NLP_OK;
}

/* Adjacent strings are one. */
static NlpStatus
parse_string(TplParser *p, TplExpr **out)
{
	const TplToken *first = p->tok;
	size_t		total = 0;
	size_t		len = 0;
	char	   *buf;

	while (p->tok->type == TPL_T_STRING)
		total += (p->tok++)->len;
	buf = nlp_tpl_node_alloc(p, total);
	if (!buf)
		return NLP_ENOMEM;
	for (const TplToken *tok = first; tok < p->tok; tok++)
		NLP_TRY(string_text(p, tok, buf, &len));
	return constant(p, first->pos, tpl_text(buf, len), out);
}

static NlpStatus
parse_number(TplParser *p, TplExpr **out)
{
	const TplToken *tok = p->tok++;
	const char *s = p->t->source + tok->pos;
	char		buf[64];
	size_t		n = 0;
	int			base = 10;
	int64_t		v = 0;

	for (size_t i = 0; i < tok->len; i++)
	{
		if (s[i] == '_')
			continue;
		if (n == sizeof(buf) - 1)
			return nlp_tpl_syntax(p->t, tok->pos, p->err, NLP_ELIMIT, "number in the chat template is too long");
		buf[n++] = s[i];
	}
	buf[n] = '\0';
	if (tok->type == TPL_T_FLOAT)
		return constant(p, tok->pos, tpl_float(nlp_tpl_parse_float(buf)), out);
	s = buf;
	if (s[0] == '0' && n > 2)
		base = (s[1] | 32) == 'x' ? 16 : (s[1] | 32) == 'o' ? 8 : (s[1] | 32) == 'b' ? 2 : 10;
	if (base != 10)
		s += 2;
	for (; *s; s++)
	{
		int			d = hex_value(*s);

		if (d < 0 || d >= base)
			return nlp_tpl_syntax(p->t, tok->pos, p->err, NLP_EINVALID, "bad number in the chat template");
		if (__builtin_mul_overflow(v, (int64_t) base, &v) || __builtin_add_overflow(v, (int64_t) d, &v))
			return nlp_tpl_syntax(p->t, tok->pos, p->err, NLP_ELIMIT, "number in the chat template is out of range");
	}
	return constant(p, tok->pos, tpl_int(v), out);
}

/* ---- primaries ---- */

/* Words that end an expression where another could start. */
bool
nlp_tpl_tuple_end(const TplParser *p, const char *end_word)
{
	return p->tok->type == TPL_T_VAR_END || p->tok->type == TPL_T_BLOCK_END || p->tok->type == TPL_T_EOF ||
		nlp_tpl_at_op(p, TPL_O_RPAREN) || (end_word && nlp_tpl_at_word(p, end_word));
}

/* One expression, or several with commas: a tuple. */
NlpStatus
nlp_tpl_parse_tuple(TplParser *p, bool with_cond, const char *end_word, bool parens, TplExpr **out)
{
	TplVec		v = {0};
	size_t		pos = p->tok->pos;
	bool		tuple = false;

	while (!nlp_tpl_tuple_end(p, end_word))
	{
		TplExpr    *e;

		NLP_TRY(nlp_tpl_parse_expr(p, with_cond, &e));
		NLP_TRY(nlp_tpl_push(p, &v, e));
		if (!nlp_tpl_accept_op(p, TPL_O_COMMA))
			break;
		tuple = true;
	}
	if (!tuple && v.n == 1)
	{
		*out = v.items[0];
		return NLP_OK;
	}
	if (!tuple && !parens)
		return nlp_tpl_unexpected(p);
	return nlp_tpl_expr(p, TPL_E_TUPLE, pos, (TplExpr **) v.items, v.n, out);
}

static NlpStatus
parse_list(TplParser *p, TplExpr **out)
{
	size_t		pos = (p->tok++)->pos;
	TplVec		v = {0};

	while (!nlp_tpl_at_op(p, TPL_O_RBRACKET))
	{
		TplExpr    *e;

		if (v.n)
			NLP_TRY(nlp_tpl_expect_op(p, TPL_O_COMMA));
		if (nlp_tpl_at_op(p, TPL_O_RBRACKET))
			break;
		NLP_TRY(nlp_tpl_parse_expr(p, true, &e));
		NLP_TRY(nlp_tpl_push(p, &v, e));
	}
	p->tok++;
	return nlp_tpl_expr(p, TPL_E_LIST, pos, (TplExpr **) v.items, v.n, out);
}

static NlpStatus
parse_dict(TplParser *p, TplExpr **out)
{
	size_t		pos = (p->tok++)->pos;
	TplVec		v = {0};

	while (!nlp_tpl_at_op(p, TPL_O_RBRACE))
	{
		TplExpr    *e;

		if (v.n)
			NLP_TRY(nlp_tpl_expect_op(p, TPL_O_COMMA));
		if (nlp_tpl_at_op(p, TPL_O_RBRACE))
			break;
		NLP_TRY(nlp_tpl_parse_expr(p, true, &e));
		NLP_TRY(nlp_tpl_push(p, &v, e));
		NLP_TRY(nlp_tpl_expect_op(p, TPL_O_COLON));
		NLP_TRY(nlp_tpl_parse_expr(p, true, &e));
		NLP_TRY(nlp_tpl_push(p, &v, e));
	}
	p->tok++;
	return nlp_tpl_expr(p, TPL_E_DICT, pos, (TplExpr **) v.items, v.n, out);
}

static NlpStatus
parse_name(TplParser *p, TplExpr **out)
{
	static const struct
	{
		const char *word;
		uint8_t		type;
		bool		b;
	}			words[] = {
		{"true", TPL_BOOL, true}, {"True", TPL_BOOL, true}, {"false", TPL_BOOL, false},
		{"False", TPL_BOOL, false}, {"none", TPL_NONE, false}, {"None", TPL_NONE, false}
	};
	size_t		pos = p->tok->pos;
	uint32_t	name;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		if (nlp_tpl_accept_word(p, words[i].word))
			return constant(p, pos, words[i].type == TPL_BOOL ? tpl_bool(words[i].b) : tpl_none(), out);
	}
	NLP_TRY(nlp_tpl_expect_name(p, &name));
	NLP_TRY(nlp_tpl_expr(p, TPL_E_NAME, pos, NULL, 0, out));
	(*out)->name = name;
	p->saw_varargs |= name == p->t->name_varargs;
	p->saw_kwargs |= name == p->t->name_kwargs;
	p->saw_caller |= name == p->t->name_caller;
	return NLP_OK;
}

static NlpStatus
parse_primary(TplParser *p, TplExpr **out)
{
	switch (p->tok->type)
	{
		case TPL_T_NAME:
			return parse_name(p, out);
		case TPL_T_STRING:
			return parse_string(p, out);
		case TPL_T_INT:
		case TPL_T_FLOAT:
			return parse_number(p, out);
		case TPL_T_OP:
			if (nlp_tpl_accept_op(p, TPL_O_LPAREN))
			{
				NLP_TRY(nlp_tpl_parse_tuple(p, true, NULL, true, out));
				return nlp_tpl_expect_op(p, TPL_O_RPAREN);
			}
			if (nlp_tpl_at_op(p, TPL_O_LBRACKET))
				return parse_list(p, out);
			if (nlp_tpl_at_op(p, TPL_O_LBRACE))
				return parse_dict(p, out);
			break;
	}
	return nlp_tpl_unexpected(p);
}

/* ---- what follows a primary ---- */

/* `*args`, `**kwargs`, `name=value` or a value. */
static NlpStatus
parse_argument(TplParser *p, TplCallArgs *a, TplVec *pos, TplVec *names, TplVec *kw)
{
	TplExpr    *e;
	uint32_t	name;

	if (nlp_tpl_accept_op(p, TPL_O_MUL))
		return a->star || a->star_star ? nlp_tpl_unexpected(p) : nlp_tpl_parse_expr(p, true, &a->star);
	if (nlp_tpl_accept_op(p, TPL_O_POW))
		return a->star_star ? nlp_tpl_unexpected(p) : nlp_tpl_parse_expr(p, true, &a->star_star);
	if (a->star_star)
		return nlp_tpl_unexpected(p);
	if (p->tok->type == TPL_T_NAME && p->tok[1].type == TPL_T_OP && p->tok[1].op == TPL_O_ASSIGN)
	{
		NLP_TRY(nlp_tpl_expect_name(p, &name));
		p->tok++;
		NLP_TRY(nlp_tpl_parse_expr(p, true, &e));
		NLP_TRY(nlp_tpl_push(p, names, (void *) (uintptr_t) name));
		return nlp_tpl_push(p, kw, e);
	}
	if (kw->n || a->star)
		return nlp_tpl_unexpected(p);
	NLP_TRY(nlp_tpl_parse_expr(p, true, &e));
	return nlp_tpl_push(p, pos, e);
}

/* Arguments in parentheses, at the opening one; owner's height counts theirs. */
NlpStatus
nlp_tpl_parse_args(TplParser *p, TplExpr *owner)
{
	TplCallArgs *a = nlp_tpl_node_alloc(p, sizeof(TplCallArgs));
	TplVec		pos = {0},
				names = {0},
				kw = {0};
	bool		first = true;

	if (!a)
		return NLP_ENOMEM;
	NLP_TRY(nlp_tpl_expect_op(p, TPL_O_LPAREN));
	while (!nlp_tpl_at_op(p, TPL_O_RPAREN))
	{
		if (!first)
			NLP_TRY(nlp_tpl_expect_op(p, TPL_O_COMMA));
		if (nlp_tpl_at_op(p, TPL_O_RPAREN))
			break;
		NLP_TRY(parse_argument(p, a, &pos, &names, &kw));
		first = false;
	}
	p->tok++;
	a->pos = (TplExpr **) pos.items;
	a->n = pos.n;
	a->kw = (TplExpr **) kw.items;
	a->n_kw = kw.n;
	if (kw.n)
	{
		a->kw_names = nlp_tpl_node_alloc(p, kw.n * sizeof(uint32_t));
		if (!a->kw_names)
			return NLP_ENOMEM;
	}
	for (uint32_t i = 0; i < kw.n; i++)
		a->kw_names[i] = (uint32_t) (uintptr_t) names.items[i];
	for (uint32_t i = 0; i < a->n; i++)
		NLP_TRY(raise_height(p, owner, a->pos[i], 1));
	for (uint32_t i = 0; i < a->n_kw; i++)
		NLP_TRY(raise_height(p, owner, a->kw[i], 1));
	NLP_TRY(raise_height(p, owner, a->star, 1));
	NLP_TRY(raise_height(p, owner, a->star_star, 1));
	owner->u.args = a;
	return NLP_OK;
}

/* `[x]`, `[a:b:c]`, `[x, y]` after the bracket. */
static NlpStatus
parse_subscript(TplParser *p, size_t pos, TplExpr *obj, TplExpr **out)
{
	TplExpr   **kids = nlp_tpl_node_alloc(p, 4 * sizeof(TplExpr *));
	TplVec		v = {0};
	int			part = 1;
	bool		slice = false;

	if (!kids)
		return NLP_ENOMEM;
	kids[0] = obj;
	if (nlp_tpl_at_op(p, TPL_O_RBRACKET))
		return nlp_tpl_unexpected(p);
	while (!nlp_tpl_at_op(p, TPL_O_RBRACKET))
	{
		if (nlp_tpl_accept_op(p, TPL_O_COLON))
		{
			slice = true;
			if (++part > 3 || v.n)
				return nlp_tpl_unexpected(p);
			continue;
		}
		if (kids[part])
		{
			if (slice)
				return nlp_tpl_unexpected(p);
			NLP_TRY(nlp_tpl_push(p, &v, kids[part]));
			kids[part] = NULL;
			NLP_TRY(nlp_tpl_expect_op(p, TPL_O_COMMA));
			continue;
		}
		NLP_TRY(nlp_tpl_parse_expr(p, true, &kids[part]));
	}
	p->tok++;
	if (v.n)
	{
		if (kids[1])
			NLP_TRY(nlp_tpl_push(p, &v, kids[1]));
		NLP_TRY(nlp_tpl_expr(p, TPL_E_TUPLE, pos, (TplExpr **) v.items, v.n, &kids[1]));
	}
	return nlp_tpl_expr(p, slice ? TPL_E_SLICE : TPL_E_ITEM, pos, kids, slice ? 4 : 2, out);
}

/* `.name` or `.0` after the dot. */
static NlpStatus
parse_attribute(TplParser *p, size_t pos, TplExpr *obj, TplExpr **out)
{
	TplExpr   **kids;
	uint32_t	name;

	if (p->tok->type == TPL_T_INT)
	{
		kids = nlp_tpl_node_alloc(p, 2 * sizeof(TplExpr *));
		if (!kids)
			return NLP_ENOMEM;
		kids[0] = obj;
		NLP_TRY(parse_number(p, &kids[1]));
		return nlp_tpl_expr(p, TPL_E_ITEM, pos, kids, 2, out);
	}
	NLP_TRY(nlp_tpl_expect_name(p, &name));
	NLP_TRY(unary(p, TPL_E_ATTR, pos, obj, out));
	(*out)->name = name;
	(*out)->op = (uint8_t) nlp_tpl_method_id(p->t->names[name].s, p->t->names[name].len);
	return NLP_OK;
}

static NlpStatus
parse_call(TplParser *p, TplExpr *callee, TplExpr **out)
{
	NLP_TRY(unary(p, TPL_E_CALL, p->tok->pos, callee, out));
	return nlp_tpl_parse_args(p, *out);
}

static NlpStatus
parse_postfix(TplParser *p, TplExpr **e)
{
	for (;;)
	{
		size_t		pos = p->tok->pos;

		if (nlp_tpl_accept_op(p, TPL_O_DOT))
			NLP_TRY(parse_attribute(p, pos, *e, e));
		else if (nlp_tpl_accept_op(p, TPL_O_LBRACKET))
			NLP_TRY(parse_subscript(p, pos, *e, e));
		else if (nlp_tpl_at_op(p, TPL_O_LPAREN))
			NLP_TRY(parse_call(p, *e, e));
		else
			return NLP_OK;
	}
}

/* A name with dots; the id is looked up by who knows what it names. */
static NlpStatus
dotted_name(TplParser *p, uint32_t *name)
{
	const TplToken *first = p->tok;

	NLP_TRY(nlp_tpl_expect_name(p, name));
	while (nlp_tpl_at_op(p, TPL_O_DOT) && p->tok[1].type == TPL_T_NAME)
		p->tok += 2;
	*name = nlp_tpl_intern(p->t, p->t->source + first->pos, p->tok[-1].pos + p->tok[-1].len - first->pos);
	return *name ? NLP_OK : nlp_no_memory(p->err, sizeof(TplName), "the chat template");
}

/* `name` or `name(args)`, after the bar; kid may be NULL. */
static NlpStatus
parse_filter(TplParser *p, TplExpr *kid, TplExpr **out)
{
	size_t		pos = p->tok->pos;
	uint32_t	name;

	NLP_TRY(dotted_name(p, &name));
	NLP_TRY(unary(p, TPL_E_FILTER, pos, kid, out));
	(*out)->name = name;
	(*out)->op = (uint8_t) nlp_tpl_filter_id(p->t->names[name].s, p->t->names[name].len);
	return nlp_tpl_at_op(p, TPL_O_LPAREN) ? nlp_tpl_parse_args(p, *out) : NLP_OK;
}

/* Whether a test's argument may stand here without parentheses. */
static bool
test_argument_follows(const TplParser *p)
{
	switch (p->tok->type)
	{
		case TPL_T_NAME:
			return !nlp_tpl_at_word(p, "else") && !nlp_tpl_at_word(p, "or") && !nlp_tpl_at_word(p, "and");
		case TPL_T_STRING:
		case TPL_T_INT:
		case TPL_T_FLOAT:
			return true;
		default:
			return nlp_tpl_at_op(p, TPL_O_LBRACKET) || nlp_tpl_at_op(p, TPL_O_LBRACE);
	}
}

static NlpStatus
parse_test(TplParser *p, TplExpr *kid, TplExpr **out)
{
	size_t		pos = p->tok->pos;
	bool		negated = nlp_tpl_accept_word(p, "not");
	uint32_t	name;
	TplExpr    *arg;
	TplCallArgs *a;

	NLP_TRY(dotted_name(p, &name));
	NLP_TRY(unary(p, TPL_E_TEST, pos, kid, out));
	(*out)->name = name;
	(*out)->negated = negated;
	(*out)->op = (uint8_t) nlp_tpl_test_id(p->t->names[name].s, p->t->names[name].len);
	if (nlp_tpl_at_op(p, TPL_O_LPAREN))
		return nlp_tpl_parse_args(p, *out);
	if (!test_argument_follows(p))
		return NLP_OK;
	if (nlp_tpl_at_word(p, "is"))
		return nlp_tpl_unexpected(p);
	NLP_TRY(nlp_tpl_enter(p));
	NLP_TRY(parse_primary(p, &arg));
	NLP_TRY(parse_postfix(p, &arg));
	nlp_tpl_leave(p);
	a = nlp_tpl_node_alloc(p, sizeof(TplCallArgs));
	if (!a || !(a->pos = nlp_tpl_node_alloc(p, sizeof(TplExpr *))))
		return NLP_ENOMEM;
	a->pos[0] = arg;
	a->n = 1;
	(*out)->u.args = a;
	return raise_height(p, *out, arg, 1);
}

/* Filters, tests and calls behind an operand. */
static NlpStatus
parse_filters(TplParser *p, TplExpr **e)
{
	for (;;)
	{
		if (nlp_tpl_accept_op(p, TPL_O_PIPE))
			NLP_TRY(parse_filter(p, *e, e));
		else if (nlp_tpl_accept_word(p, "is"))
			NLP_TRY(parse_test(p, *e, e));
		else if (nlp_tpl_at_op(p, TPL_O_LPAREN))
			NLP_TRY(parse_call(p, *e, e));
		else
			return NLP_OK;
	}
}

/* `name(args) | name ...` at the head of a filter block or behind a set block's bar. */
NlpStatus
nlp_tpl_parse_filter_chain(TplParser *p, TplExpr **out)
{
	NLP_TRY(parse_filter(p, NULL, out));
	while (nlp_tpl_accept_op(p, TPL_O_PIPE))
		NLP_TRY(parse_filter(p, *out, out));
	return NLP_OK;
}

/* ---- operators ---- */

static NlpStatus
parse_unary(TplParser *p, bool with_filter, TplExpr **out)
{
	size_t		pos = p->tok->pos;
	TplExpr    *kid;

	NLP_TRY(nlp_tpl_enter(p));
	if (nlp_tpl_accept_op(p, TPL_O_SUB))
	{
		NLP_TRY(parse_unary(p, false, &kid));
		NLP_TRY(unary(p, TPL_E_NEG, pos, kid, out));
	}
	else if (nlp_tpl_accept_op(p, TPL_O_ADD))
	{
		NLP_TRY(parse_unary(p, false, &kid));
		NLP_TRY(unary(p, TPL_E_POS, pos, kid, out));
	}
	else
		NLP_TRY(parse_primary(p, out));
	NLP_TRY(parse_postfix(p, out));
	if (with_filter)
		NLP_TRY(parse_filters(p, out));
	nlp_tpl_leave(p);
	return NLP_OK;
}

/* The levels of binary operators, loose to tight. */
typedef enum Level
{
	LEVEL_OR,
	LEVEL_AND,
	LEVEL_COMPARE,
	LEVEL_ADD,
	LEVEL_CONCAT,
	LEVEL_MUL,
	LEVEL_POW,
	LEVEL_UNARY
} Level;

/* The operator at the place if it is of this level; more is how many tokens it has. */
static TplOp
level_op(const TplParser *p, Level level, int *more)
{
	TplOp		op = p->tok->type == TPL_T_OP ? (TplOp) p->tok->op : TPL_O_NONE;

	*more = 1;
	switch (level)
	{
		case LEVEL_OR:
			return nlp_tpl_at_word(p, "or") ? TPL_O_IN : TPL_O_NONE;
		case LEVEL_AND:
			return nlp_tpl_at_word(p, "and") ? TPL_O_IN : TPL_O_NONE;
		case LEVEL_COMPARE:
			if (nlp_tpl_at_word(p, "in"))
				return TPL_O_IN;
			if (nlp_tpl_at_word(p, "not") && nlp_tpl_token_is(p, p->tok + 1, "in"))
			{
				*more = 2;
				return TPL_O_NOTIN;
			}
			return op >= TPL_O_EQ && op <= TPL_O_GE ? op : TPL_O_NONE;
		case LEVEL_ADD:
			return op == TPL_O_ADD || op == TPL_O_SUB ? op : TPL_O_NONE;
		case LEVEL_CONCAT:
			return op == TPL_O_TILDE ? op : TPL_O_NONE;
		case LEVEL_MUL:
			return op >= TPL_O_MUL && op <= TPL_O_MOD ? op : TPL_O_NONE;
		case LEVEL_POW:
			return op == TPL_O_POW ? op : TPL_O_NONE;
		default:
			return TPL_O_NONE;
	}
}

static NlpStatus parse_level(TplParser *p, Level level, TplExpr **out);

static NlpStatus
parse_not(TplParser *p, TplExpr **out)
{
	size_t		pos = p->tok->pos;
	TplExpr    *kid;

	if (!nlp_tpl_at_word(p, "not"))
		return parse_level(p, LEVEL_COMPARE, out);
	p->tok++;
	NLP_TRY(nlp_tpl_enter(p));
	NLP_TRY(parse_not(p, &kid));
	nlp_tpl_leave(p);
	return unary(p, TPL_E_NOT, pos, kid, out);
}

static NlpStatus
parse_operand(TplParser *p, Level level, TplExpr **out)
{
	if (level == LEVEL_AND)
		return parse_not(p, out);
	if (level + 1 == LEVEL_UNARY)
		return parse_unary(p, true, out);
	return parse_level(p, level + 1, out);
}

/* Operands of one level: one node however many there are. */
static NlpStatus
parse_level(TplParser *p, Level level, TplExpr **out)
{
	static const uint8_t kinds[] = {TPL_E_OR, TPL_E_AND, TPL_E_COMPARE, TPL_E_CHAIN, TPL_E_CONCAT,
	TPL_E_CHAIN, TPL_E_CHAIN};
	size_t		pos = p->tok->pos;
	TplVec		kids = {0};
	TplVec		ops = {0};
	TplOp		op;
	int			more;

	NLP_TRY(parse_operand(p, level, out));
	if (level_op(p, level, &more) == TPL_O_NONE)
		return NLP_OK;
	NLP_TRY(nlp_tpl_push(p, &kids, *out));
	while ((op = level_op(p, level, &more)) != TPL_O_NONE)
	{
		p->tok += more;
		NLP_TRY(parse_operand(p, level, out));
		NLP_TRY(nlp_tpl_push(p, &kids, *out));
		NLP_TRY(nlp_tpl_push(p, &ops, (void *) (uintptr_t) op));
	}
	NLP_TRY(nlp_tpl_expr(p, kinds[level], pos, (TplExpr **) kids.items, kids.n, out));
	(*out)->u.ops = nlp_tpl_node_alloc(p, ops.n);
	if (!(*out)->u.ops)
		return NLP_ENOMEM;
	for (uint32_t i = 0; i < ops.n; i++)
		(*out)->u.ops[i] = (uint8_t) (uintptr_t) ops.items[i];
	return NLP_OK;
}

/* `a if b else c if d else e`: kept flat while parsing, joined from the right.
 * Evaluation walks the else parts in a loop, so they add no height. */
static NlpStatus
parse_cond(TplParser *p, TplExpr **out)
{
	TplVec		v = {0};		/* value, condition, value, condition, ..., last value */
	size_t		pos = p->tok->pos;
	TplExpr    *e;
	bool		has_else = true;

	NLP_TRY(parse_level(p, LEVEL_OR, &e));
	NLP_TRY(nlp_tpl_push(p, &v, e));
	while (nlp_tpl_accept_word(p, "if"))
	{
		NLP_TRY(parse_level(p, LEVEL_OR, &e));
		NLP_TRY(nlp_tpl_push(p, &v, e));
		has_else = nlp_tpl_accept_word(p, "else");
		if (!has_else)
			break;
		NLP_TRY(parse_level(p, LEVEL_OR, &e));
		NLP_TRY(nlp_tpl_push(p, &v, e));
	}
	e = has_else ? v.items[--v.n] : NULL;
	while (v.n)
	{
		TplExpr   **kids = nlp_tpl_node_alloc(p, 3 * sizeof(TplExpr *));
		TplExpr    *rest = e;

		if (!kids)
			return NLP_ENOMEM;
		kids[1] = v.items[--v.n];
		kids[0] = v.items[--v.n];
		NLP_TRY(nlp_tpl_expr(p, TPL_E_COND, pos, kids, 2, &e));
		kids[2] = rest;
		e->n = 3;
		NLP_TRY(raise_height(p, e, rest, 0));
	}
	*out = e;
	return NLP_OK;
}

NlpStatus
nlp_tpl_parse_expr(TplParser *p, bool with_cond, TplExpr **out)
{
	NLP_TRY(nlp_tpl_enter(p));
	if (with_cond)
		NLP_TRY(parse_cond(p, out));
	else
		NLP_TRY(parse_level(p, LEVEL_OR, out));
	nlp_tpl_leave(p);
	return NLP_OK;
}
