/* template_token.c --- what the parser of chat templates stands on: interned
 * names, looking at tokens, counting depth, memory for nodes. */
#include <string.h>

#include "core/hash.h"
#include "task/template_parser.h"
#include "engine_only.h"

/* ---- names ---- */

static bool
grow_name_index(NlpTemplate *t)
{
	uint32_t	size = t->name_index_size ? t->name_index_size * 2 : 64;
	uint32_t   *index = nlp_arena_alloc(&t->arena, size * sizeof(uint32_t));

	if (!index)
		return false;
	memset(index, 0, size * sizeof(uint32_t));
	for (uint32_t i = 1; i < t->n_names; i++)
	{
		uint64_t	h = nlp_hash_bytes(t->names[i].s, t->names[i].len);

		while (index[h & (size - 1)])
			h++;
		index[h & (size - 1)] = i;
	}
	t->name_index = index;
	t->name_index_size = size;
	return true;
}

/* The number of a name, the same for equal names; s must stay. */
uint32_t
nlp_tpl_intern(NlpTemplate *t, const char *s, size_t len)
{
	uint64_t	h = nlp_hash_bytes(s, len);

	if (t->n_names * 2 >= t->name_index_size && !grow_name_index(t))
		return 0;
	for (;; h++)
	{
		uint32_t	i = t->name_index[h & (t->name_index_size - 1)];

		if (!i)
			break;
		if (t->names[i].len == len && memcmp(t->names[i].s, s, len) == 0)
			return i;
	}
	if (t->n_names == t->name_cap)
	{
		uint32_t	cap = t->name_cap ? t->name_cap * 2 : 64;
		TplName    *names = nlp_arena_alloc(&t->arena, cap * sizeof(TplName));

		if (!names)
			return 0;
		if (t->n_names)
			memcpy(names, t->names, t->n_names * sizeof(TplName));
		t->names = names;
		t->name_cap = cap;
	}
	if (t->n_names == 0)
		t->names[t->n_names++] = (TplName) {"", 0};
	t->names[t->n_names] = (TplName) {s, len};
	t->name_index[h & (t->name_index_size - 1)] = t->n_names;
	return t->n_names++;
}

/* ---- tokens ---- */

NlpStatus
nlp_tpl_unexpected(TplParser *p)
{
	return nlp_tpl_syntax(p->t, p->tok->pos, p->err, NLP_EINVALID, "chat template has a syntax error");
}

bool
nlp_tpl_at_op(const TplParser *p, TplOp op)
{
	return p->tok->type == TPL_T_OP && p->tok->op == op;
}

bool
nlp_tpl_token_is(const TplParser *p, const TplToken *tok, const char *word)
{
	return tok->type == TPL_T_NAME && tok->len == strlen(word) &&
		memcmp(p->t->source + tok->pos, word, tok->len) == 0;
}

bool
nlp_tpl_at_word(const TplParser *p, const char *word)
{
	return nlp_tpl_token_is(p, p->tok, word);
}

bool
nlp_tpl_accept_op(TplParser *p, TplOp op)
{
	if (!nlp_tpl_at_op(p, op))
		return false;
	p->tok++;
	return true;
}

bool
nlp_tpl_accept_word(TplParser *p, const char *word)
{
	if (!nlp_tpl_at_word(p, word))
		return false;
	p->tok++;
	return true;
}

NlpStatus
nlp_tpl_expect_op(TplParser *p, TplOp op)
{
	return nlp_tpl_accept_op(p, op) ? NLP_OK : nlp_tpl_unexpected(p);
}

NlpStatus
nlp_tpl_expect_name(TplParser *p, uint32_t *name)
{
	if (p->tok->type != TPL_T_NAME)
		return nlp_tpl_unexpected(p);
	*name = nlp_tpl_intern(p->t, p->t->source + p->tok->pos, p->tok->len);
	if (!*name)
		return nlp_no_memory(p->err, sizeof(TplName), "the chat template");
	p->tok++;
	return NLP_OK;
}

/* Balanced by nlp_tpl_leave, but for errors, which end the parse. */
NlpStatus
nlp_tpl_enter(TplParser *p)
{
	if (++p->depth > TPL_MAX_DEPTH)
		return nlp_tpl_syntax(p->t, p->tok->pos, p->err, NLP_ECOMPLEX, "chat template is nested too deeply");
	return NLP_OK;
}

void
nlp_tpl_leave(TplParser *p)
{
	p->depth--;
}

void *
nlp_tpl_node_alloc(TplParser *p, size_t bytes)
{
	void	   *ptr = nlp_arena_alloc(&p->t->arena, bytes);

	if (ptr)
		memset(ptr, 0, bytes);
	else
		nlp_no_memory(p->err, bytes, "the chat template");
	return ptr;
}
