/* template_lex.c --- cut a chat template into tokens.
 *
 * Trust:  the source is a stranger's; it is checked to be UTF-8 and its size is
 *         limited before anything else.
 * Owns:   nothing; tokens and the normalised source live in the template's arena.
 * Source: Jinja's documentation, "Whitespace Control" and "Escaping", with
 *         trim_blocks and lstrip_blocks on: the newline after a block or comment
 *         is dropped, and so is white space between the start of a line and a
 *         block or comment. One newline at the end of the source is dropped. */
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"
#include "task/template_internal.h"
#include "engine_only.h"

typedef struct Lexer
{
	NlpTemplate *t;
	const char *s;
	size_t		len;
	size_t		pos;
	bool		line_starting;	/* the last match ended with a newline */
	TplToken   *tokens;
	size_t		n;
	size_t		cap;
	NlpError   *err;
} Lexer;

/* Python's str.isspace and the \s of its regular expressions. */
bool
nlp_tpl_is_space(uint32_t cp)
{
	if (cp < 0x80)
		return (cp >= 9 && cp <= 13) || (cp >= 0x1c && cp <= 0x20);
	return cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) ||
		cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

/* Add the place of pos to an error, as a detail. */
void
nlp_tpl_where(const NlpTemplate *t, size_t pos, NlpError *err)
{
	size_t		line = 1;
	size_t		start = 0;

	if (!err)
		return;
	if (pos > t->source_len)
		pos = t->source_len;
	for (size_t i = 0; i < pos; i++)
	{
		if (t->source[i] == '\n')
		{
			line++;
			start = i + 1;
		}
	}
	nlp_detail(err, "At line %zu, column %zu of the chat template.", line,
			   nlp_utf8_count(t->source + start, pos - start) + 1);
}

NlpStatus
nlp_tpl_syntax(const NlpTemplate *t, size_t pos, NlpError *err, NlpStatus status, const char *fmt,...)
{
	char		text[200];
	va_list		ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	nlp_fail(err, status, "%s", text);
	nlp_tpl_where(t, pos, err);
	return status;
}

static NlpStatus
add_token(Lexer *lx, TplTokenType type, TplOp op, size_t pos, size_t len)
{
	TplToken   *tok;

	if (lx->n == lx->cap)
	{
		size_t		cap = lx->cap ? lx->cap * 2 : 64;
		TplToken   *more = nlp_arena_alloc(&lx->t->arena, cap * sizeof(TplToken));

		if (!more)
			return nlp_no_memory(lx->err, cap * sizeof(TplToken), "the chat template");
		if (lx->n)
			memcpy(more, lx->tokens, lx->n * sizeof(TplToken));
		lx->tokens = more;
		lx->cap = cap;
	}
	tok = &lx->tokens[lx->n++];
	tok->type = type;
	tok->op = op;
	tok->pos = (uint32_t) pos;
	tok->len = (uint32_t) len;
	return NLP_OK;
}

/* Offset after the white space that starts at pos. */
static size_t
skip_space(const Lexer *lx, size_t pos)
{
	uint32_t	cp;
	int			n;

	while (pos < lx->len && (n = nlp_utf8_decode(lx->s + pos, lx->len - pos, &cp)) > 0 && nlp_tpl_is_space(cp))
		pos += n;
	return pos;
}

/* Offset of the white space that ends at end, not before start. */
static size_t
space_before(const Lexer *lx, size_t start, size_t end)
{
	while (end > start)
	{
		size_t		p = end - 1;
		uint32_t	cp;

		while (p > start && ((unsigned char) lx->s[p] & 0xc0) == 0x80)
			p--;
		if (nlp_utf8_decode(lx->s + p, end - p, &cp) == 0 || !nlp_tpl_is_space(cp))
			break;
		end = p;
	}
	return end;
}

/* Where the text [start, end) before a tag with this sign ends once white space
 * is taken away; strip_line: a block or comment, not a variable. */
static size_t
text_end(const Lexer *lx, size_t start, size_t end, char sign, bool strip_line)
{
	size_t		line;

	if (sign == '-')
		return space_before(lx, start, end);
	if (sign == '+' || !strip_line)
		return end;
	line = end;
	while (line > start && lx->s[line - 1] != '\n')
		line--;
	if (line == start && !lx->line_starting)
		return end;
	return skip_space(lx, line) >= end ? line : end;
}

static NlpStatus
add_data(Lexer *lx, size_t start, size_t end)
{
	return end > start ? add_token(lx, TPL_T_DATA, TPL_O_NONE, start, end - start) : NLP_OK;
}

static bool
at(const Lexer *lx, size_t pos, const char *what)
{
	size_t		n = strlen(what);

	return lx->len - pos >= n && memcmp(lx->s + pos, what, n) == 0;
}

/* The end of a tag at pos: `-X` with white space after, `+X`, or `X` and, when
 * trim, one newline. Returns the offset after it, 0 if there is none. */
static size_t
tag_end(const Lexer *lx, size_t pos, const char *close, bool trim)
{
	if (pos >= lx->len)
		return 0;
	if (lx->s[pos] == '-' && at(lx, pos + 1, close))
		return skip_space(lx, pos + 3);
	if (trim && lx->s[pos] == '+' && at(lx, pos + 1, close))
		return pos + 3;
	if (!at(lx, pos, close))
		return 0;
	pos += 2;
	return trim && pos < lx->len && lx->s[pos] == '\n' ? pos + 1 : pos;
}

static void
move_to(Lexer *lx, size_t pos)
{
	lx->line_starting = pos > 0 && pos <= lx->len && lx->s[pos - 1] == '\n';
	lx->pos = pos;
}

static NlpStatus
lex_comment(Lexer *lx, size_t open)
{
	for (size_t p = open; p < lx->len; p++)
	{
		size_t		after = tag_end(lx, p, "#}", true);

		if (after)
		{
			move_to(lx, after);
			return NLP_OK;
		}
	}
	lx->pos = lx->len;
	if (open == lx->len)		/* nothing follows: Jinja takes that */
		return NLP_OK;
	return nlp_tpl_syntax(lx->t, open, lx->err, NLP_EINVALID, "comment in the chat template has no end");
}

/* After `{% raw %}`: everything up to `{% endraw %}` is text. */
static NlpStatus
lex_raw(Lexer *lx, size_t start)
{
	for (size_t p = start; p + 1 < lx->len; p++)
	{
		size_t		q;
		size_t		after;
		char		sign = 0;

		if (!at(lx, p, "{%"))
			continue;
		q = p + 2;
		if (q < lx->len && (lx->s[q] == '-' || lx->s[q] == '+'))
			sign = lx->s[q++];
		q = skip_space(lx, q);
		if (!at(lx, q, "endraw"))
			continue;
		after = tag_end(lx, skip_space(lx, q + 6), "%}", true);
		if (!after)
			continue;
		NLP_TRY(add_data(lx, start, text_end(lx, start, p, sign, true)));
		move_to(lx, after);
		return NLP_OK;
	}
	return nlp_tpl_syntax(lx->t, start, lx->err, NLP_EINVALID, "raw block in the chat template has no end");
}

/* Offset after `raw %}` of a block whose sign ends at pos, 0 if it is another block. */
static size_t
raw_begin(const Lexer *lx, size_t pos)
{
	pos = skip_space(lx, pos);
	if (!at(lx, pos, "raw"))
		return 0;
	return tag_end(lx, skip_space(lx, pos + 3), "%}", false);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

/* End of digits with single underscores between them; pos itself if there are none. */
static size_t
digits_end(const Lexer *lx, size_t pos, bool hex)
{
	size_t		start = pos;

	while (pos < lx->len)
	{
		char		c = lx->s[pos];
		bool		digit = is_digit(c) || (hex && ((c | 32) >= 'a' && (c | 32) <= 'f'));

		if (!digit && !(c == '_' && pos > start && lx->s[pos - 1] != '_'))
			break;
		pos++;
	}
	while (pos > start && lx->s[pos - 1] == '_')
		pos--;
	return pos;
}

/* 12, 1_000, 0x1f, 0b1, 0o7, 1.5, 1e9, 1.5e-3. */
static NlpStatus
lex_number(Lexer *lx)
{
	size_t		start = lx->pos;
	size_t		end;
	size_t		q;
	bool		real = false;

	if (lx->s[start] == '0' && start + 1 < lx->len && strchr("xXbBoO", lx->s[start + 1]) && lx->s[start + 1])
	{
		end = digits_end(lx, start + 2, (lx->s[start + 1] | 32) == 'x');
		if (end > start + 2)
		{
			move_to(lx, end);
			return add_token(lx, TPL_T_INT, TPL_O_NONE, start, end - start);
		}
	}
	end = digits_end(lx, start, false);
	if (start > 0 && lx->s[start - 1] == '.')	/* x.0.1 is two subscripts */
	{
		move_to(lx, end);
		return add_token(lx, TPL_T_INT, TPL_O_NONE, start, end - start);
	}
	if (end + 1 < lx->len && lx->s[end] == '.' && is_digit(lx->s[end + 1]))
	{
		end = digits_end(lx, end + 1, false);
		real = true;
	}
	if (end < lx->len && (lx->s[end] | 32) == 'e')
	{
		q = end + 1;
		if (q < lx->len && (lx->s[q] == '+' || lx->s[q] == '-'))
			q++;
		if (q < lx->len && is_digit(lx->s[q]))
		{
			end = digits_end(lx, q, false);
			real = true;
		}
	}
	move_to(lx, end);
	return add_token(lx, real ? TPL_T_FLOAT : TPL_T_INT, TPL_O_NONE, start, end - start);
}

static NlpStatus
lex_string(Lexer *lx)
{
	size_t		start = lx->pos;
	char		quote = lx->s[start];

	for (size_t p = start + 1; p < lx->len; p++)
	{
		if (lx->s[p] == '\\')
			p++;
		else if (lx->s[p] == quote)
		{
			move_to(lx, p + 1);
			return add_token(lx, TPL_T_STRING, TPL_O_NONE, start, p + 1 - start);
		}
	}
	return nlp_tpl_syntax(lx->t, start, lx->err, NLP_EINVALID, "string in the chat template has no end");
}

/* The operator at the place, longest first; TPL_O_NONE when there is none. */
static TplOp
operator_at(const Lexer *lx, size_t *len)
{
	static const struct
	{
		const char *text;
		TplOp		op;
	}			ops[] = {
		{"//", TPL_O_FLOORDIV}, {"**", TPL_O_POW}, {"==", TPL_O_EQ}, {"!=", TPL_O_NE}, {">=", TPL_O_GE},
		{"<=", TPL_O_LE}, {"+", TPL_O_ADD}, {"-", TPL_O_SUB}, {"/", TPL_O_DIV}, {"*", TPL_O_MUL},
		{"%", TPL_O_MOD}, {"~", TPL_O_TILDE}, {"[", TPL_O_LBRACKET}, {"]", TPL_O_RBRACKET},
		{"(", TPL_O_LPAREN}, {")", TPL_O_RPAREN}, {"{", TPL_O_LBRACE}, {"}", TPL_O_RBRACE},
		{">", TPL_O_GT}, {"<", TPL_O_LT}, {"=", TPL_O_ASSIGN}, {".", TPL_O_DOT}, {":", TPL_O_COLON},
		{"|", TPL_O_PIPE}, {",", TPL_O_COMMA}, {";", TPL_O_SEMICOLON}
	};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
	{
		if (at(lx, lx->pos, ops[i].text))
		{
			*len = strlen(ops[i].text);
			return ops[i].op;
		}
	}
	return TPL_O_NONE;
}

static NlpStatus
lex_operator(Lexer *lx, uint8_t *stack, int *depth)
{
	size_t		start = lx->pos;
	size_t		len = 0;
	TplOp		op = operator_at(lx, &len);

	if (op == TPL_O_NONE)
		return nlp_tpl_syntax(lx->t, start, lx->err, NLP_EINVALID, "unexpected character in the chat template");
	if (op == TPL_O_LPAREN || op == TPL_O_LBRACKET || op == TPL_O_LBRACE)
	{
		if (*depth == TPL_MAX_DEPTH)
			return nlp_tpl_syntax(lx->t, start, lx->err, NLP_ECOMPLEX, "chat template is nested too deeply");
		stack[(*depth)++] = (uint8_t) (op + 1);
	}
	else if (op == TPL_O_RPAREN || op == TPL_O_RBRACKET || op == TPL_O_RBRACE)
	{
		if (*depth == 0 || stack[--*depth] != op)
			return nlp_tpl_syntax(lx->t, start, lx->err, NLP_EINVALID,
								  "unbalanced bracket in the chat template");
	}
	move_to(lx, start + len);
	return add_token(lx, TPL_T_OP, op, start, len);
}

/* Tokens inside `{{ }}` or `{% %}`, its end included. */
static NlpStatus
lex_tag(Lexer *lx, bool block)
{
	uint8_t		stack[TPL_MAX_DEPTH];
	int			depth = 0;

	while ((lx->pos = skip_space(lx, lx->pos)) < lx->len)
	{
		size_t		pos = lx->pos;
		size_t		after = depth ? 0 : tag_end(lx, pos, block ? "%}" : "}}", block);
		char		c = lx->s[pos];

		if (after)
		{
			move_to(lx, after);
			return add_token(lx, block ? TPL_T_BLOCK_END : TPL_T_VAR_END, TPL_O_NONE, pos, 2);
		}
		if (is_digit(c))
			NLP_TRY(lex_number(lx));
		else if (is_name_char(c))
		{
			while (pos < lx->len && is_name_char(lx->s[pos]))
				pos++;
			NLP_TRY(add_token(lx, TPL_T_NAME, TPL_O_NONE, lx->pos, pos - lx->pos));
			move_to(lx, pos);
		}
		else if (c == '\'' || c == '"')
			NLP_TRY(lex_string(lx));
		else
			NLP_TRY(lex_operator(lx, stack, &depth));
	}
	return nlp_tpl_syntax(lx->t, lx->len, lx->err, NLP_EINVALID, "chat template ends inside a tag");
}

/* Text up to the next tag, and the tag. */
static NlpStatus
lex_piece(Lexer *lx)
{
	size_t		start = lx->pos;
	size_t		p = start;
	size_t		raw;
	char		sign = 0;
	char		kind;

	while (p < lx->len && !(lx->s[p] == '{' && p + 1 < lx->len &&
							(lx->s[p + 1] == '{' || lx->s[p + 1] == '%' || lx->s[p + 1] == '#')))
		p++;
	if (p >= lx->len)
	{
		lx->pos = lx->len;
		return add_data(lx, start, lx->len);
	}
	kind = lx->s[p + 1];
	if (p + 2 < lx->len && (lx->s[p + 2] == '-' || lx->s[p + 2] == '+'))
		sign = lx->s[p + 2];
	NLP_TRY(add_data(lx, start, text_end(lx, start, p, sign, kind != '{')));
	move_to(lx, p + 2 + (sign != 0));
	if (kind == '#')
		return lex_comment(lx, lx->pos);
	raw = kind == '%' ? raw_begin(lx, lx->pos) : 0;
	if (raw)
	{
		move_to(lx, raw);
		return lex_raw(lx, raw);
	}
	NLP_TRY(add_token(lx, kind == '%' ? TPL_T_BLOCK_BEGIN : TPL_T_VAR_BEGIN, TPL_O_NONE, p, 2));
	return lex_tag(lx, kind == '%');
}

/* Cut t->source; tokens end with TPL_T_EOF. */
NlpStatus
nlp_tpl_lex(NlpTemplate *t, TplToken **tokens, size_t *n, NlpError *err)
{
	Lexer		lx = {.t = t, .s = t->source, .len = t->source_len, .line_starting = true, .err = err};

	while (lx.pos < lx.len)
		NLP_TRY(lex_piece(&lx));
	NLP_TRY(add_token(&lx, TPL_T_EOF, TPL_O_NONE, lx.len, 0));
	*tokens = lx.tokens;
	*n = lx.n;
	return NLP_OK;
}
