/* template_exec.c --- run a chat template's statements, and the public entry.
 *
 * Scopes follow Jinja: a loop's turn, a macro's body, with, filter, call and
 * block set have one of their own, if has none; set writes to the innermost. A
 * name that is not there is looked for outwards. */
#include <string.h>

#include "task/template_internal.h"
#include "engine_only.h"

static NlpStatus exec(TplRun *r, const TplStmt *s);

/* ---- scopes and variables ---- */

NlpStatus
nlp_tpl_set_var(TplRun *r, TplScope *scope, uint32_t name, const TplValue *v)
{
	for (uint32_t i = 0; i < scope->n; i++)
	{
		if (scope->vars[i].name == name)
		{
			scope->vars[i].value = *v;
			return NLP_OK;
		}
	}
	if (scope->n == scope->cap)
	{
		uint32_t	cap = scope->cap ? scope->cap * 2 : 4;
		TplVar	   *vars;

		NLP_TRY(nlp_tpl_alloc(r, cap, sizeof(TplVar), &vars));
		if (scope->n)
			memcpy(vars, scope->vars, scope->n * sizeof(TplVar));
		scope->vars = vars;
		scope->cap = cap;
	}
	scope->vars[scope->n].name = name;
	scope->vars[scope->n++].value = *v;
	return NLP_OK;
}

static NlpStatus
push_scope(TplRun *r, TplScope *parent)
{
	TplScope   *s;

	NLP_TRY(nlp_tpl_alloc(r, 1, sizeof(*s), &s));
	memset(s, 0, sizeof(*s));
	s->parent = parent;
	r->scope = s;
	return NLP_OK;
}

static NlpStatus
set_attribute(TplRun *r, const TplTarget *t, const TplValue *v)
{
	const TplName *attr = &r->t->names[t->attr];
	TplValue	ns;
	TplValue	key = tpl_text(attr->s, attr->len);

	NLP_TRY(nlp_tpl_lookup(r, t->name, &ns));
	if (ns.type != TPL_NAMESPACE)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template sets an attribute of %s, which is no namespace",
							nlp_tpl_type_name(&ns));
	if (attr->s[0] == '_')
		return nlp_tpl_fail(r, NLP_EINVALID, "a namespace's attribute may not start with an underscore");
	return nlp_tpl_dict_set(r, ns.p.dict, &key, v);
}

static NlpStatus
assign(TplRun *r, const TplTarget *t, const TplValue *v)
{
	const TplValue *items;
	size_t		n;

	if (!t->tuple)
		return t->attr ? set_attribute(r, t, v) : nlp_tpl_set_var(r, r->scope, t->name, v);
	NLP_TRY(nlp_tpl_items(r, v, &items, &n));
	if (n != t->n)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template unpacks %zu values into %u names", n, t->n);
	for (size_t i = 0; i < n; i++)
		NLP_TRY(assign(r, &t->kids[i], &items[i]));
	return NLP_OK;
}

/* ---- blocks whose text is captured ---- */

/* The text body writes, in a scope of its own. */
static NlpStatus
capture(TplRun *r, const TplStmt *body, TplValue *out)
{
	TplScope   *scope = r->scope;
	size_t		mark = r->scratch.len;
	NlpStatus	st;

	NLP_TRY(push_scope(r, scope));
	r->capturing++;
	st = exec(r, body);
	r->capturing--;
	r->scope = scope;
	NLP_TRY(st);
	return nlp_tpl_take(r, mark, out);
}

/* Filters read inside out: the innermost has no operand but text. */
static NlpStatus
apply_filters(TplRun *r, const TplExpr *e, const TplValue *text, TplValue *out)
{
	TplValue	v = *text;
	TplArgs		a;

	if (e->kids[0])
	{
		if (r->depth >= TPL_MAX_EVAL)
			return nlp_tpl_fail(r, NLP_ECOMPLEX, "chat template is nested too deeply");
		r->depth++;
		NLP_TRY(apply_filters(r, e->kids[0], text, &v));
		r->depth--;
	}
	NLP_TRY(nlp_tpl_args(r, e->u.args, &a));
	r->pos = e->pos;
	if (!e->op)
		return nlp_tpl_fail(r, NLP_EUNSUPPORTED, "filter is not supported in chat templates");
	return nlp_tpl_filter(r, e->op, &v, &a, out);
}

static NlpStatus
emit_value(TplRun *r, const TplValue *v)
{
	TplValue	text;

	NLP_TRY(nlp_tpl_str(r, v, &text));
	return nlp_tpl_emit(r, text.p.s, text.u.len);
}

static NlpStatus
exec_set_block(TplRun *r, const TplStmt *s)
{
	TplValue	text;

	NLP_TRY(capture(r, s->body, &text));
	if (r->flow)
		return NLP_OK;
	if (s->expr)
		NLP_TRY(apply_filters(r, s->expr, &text, &text));
	return assign(r, s->target, &text);
}

static NlpStatus
exec_filter(TplRun *r, const TplStmt *s)
{
	TplValue	text;

	NLP_TRY(capture(r, s->body, &text));
	if (r->flow)
		return NLP_OK;
	NLP_TRY(apply_filters(r, s->expr, &text, &text));
	if (text.type != TPL_STR)
		return nlp_tpl_fail(r, NLP_EINVALID, "filter block of the chat template gives %s", nlp_tpl_type_name(&text));
	return emit_value(r, &text);
}

/* ---- macros ---- */

static NlpStatus
make_macro(TplRun *r, const TplStmt *def, TplValue *out)
{
	TplMacro   *m;

	NLP_TRY(nlp_tpl_alloc(r, 1, sizeof(*m), &m));
	m->def = def;
	m->scope = r->scope;
	for (TplScope *s = r->scope; s && !s->captured; s = s->parent)
		s->captured = true;
	*out = (TplValue) {.type = TPL_MACRO};
	out->p.macro = m;
	return NLP_OK;
}

/* Keywords that no parameter took: to kwargs, to caller, or an error. */
static NlpStatus
extra_keywords(TplRun *r, const TplStmt *def, const TplArgs *a, const bool *taken, TplValue *caller)
{
	TplValue	kwargs;

	NLP_TRY(nlp_tpl_dict_new(r, TPL_DICT, &kwargs));
	for (size_t k = 0; k < a->n_kw; k++)
	{
		const TplValue *key = &a->kw[k].key;

		if (taken[k])
			continue;
		if (def->wants_caller && key->u.len == 6 && memcmp(key->p.s, "caller", 6) == 0)
			*caller = a->kw[k].value;
		else if (def->wants_kwargs)
			NLP_TRY(nlp_tpl_dict_set(r, kwargs.p.dict, key, &a->kw[k].value));
		else
			return nlp_tpl_fail(r, NLP_EINVALID, "chat template gives a macro an unknown keyword argument");
	}
	if (def->wants_kwargs)
		NLP_TRY(nlp_tpl_set_var(r, r->scope, r->t->name_kwargs, &kwargs));
	return NLP_OK;
}

/* In the macro's new scope: positions, keywords, defaults in order. */
static NlpStatus
bind_params(TplRun *r, const TplStmt *def, const TplArgs *a)
{
	bool	   *taken;
	TplValue	caller = tpl_undefined();
	bool		has_caller = false;

	if (a->n > def->n && !def->wants_varargs)
		return nlp_tpl_fail(r, NLP_EINVALID, "chat template gives a macro too many arguments");
	NLP_TRY(nlp_tpl_alloc(r, a->n_kw + 1, sizeof(bool), &taken));
	memset(taken, 0, a->n_kw + 1);
	for (uint32_t i = 0; i < def->n; i++)
	{
		const TplName *name = &r->t->names[def->params[i]];
		TplValue	v = tpl_undefined();
		bool		given = i < a->n;

		if (given)
			v = a->pos[i];
		for (size_t k = 0; k < a->n_kw && !given; k++)
		{
			const TplValue *key = &a->kw[k].key;

			if (key->u.len == name->len && memcmp(key->p.s, name->s, name->len) == 0)
			{
				v = a->kw[k].value;
				given = taken[k] = true;
			}
		}
		if (!given && def->defaults[i])
			NLP_TRY(nlp_tpl_eval(r, def->defaults[i], &v));
		NLP_TRY(nlp_tpl_set_var(r, r->scope, def->params[i], &v));
		has_caller |= def->params[i] == r->t->name_caller;
	}
	NLP_TRY(extra_keywords(r, def, a, taken, &caller));
	if (def->wants_caller && !has_caller)
		NLP_TRY(nlp_tpl_set_var(r, r->scope, r->t->name_caller, &caller));
	if (def->wants_varargs)
	{
		size_t		n = a->n > def->n ? a->n - def->n : 0;
		TplValue	rest;

		NLP_TRY(nlp_tpl_list(r, TPL_TUPLE, n, &rest));
		if (n)
			memcpy(rest.p.list->items, a->pos + def->n, n * sizeof(TplValue));
		NLP_TRY(nlp_tpl_set_var(r, r->scope, r->t->name_varargs, &rest));
	}
	return NLP_OK;
}

NlpStatus
nlp_tpl_call_macro(TplRun *r, const TplMacro *m, const TplArgs *a, TplValue *out)
{
	TplScope   *scope = r->scope;
	size_t		mark = r->scratch.len;
	int			flow = r->flow;
	NlpStatus	st;

	NLP_TRY(push_scope(r, m->scope));
	NLP_TRY(bind_params(r, m->def, a));
	r->capturing++;
	st = exec(r, m->def->body);
	r->capturing--;
	r->scope = scope;
	r->flow = flow;
	NLP_TRY(st);
	return nlp_tpl_take(r, mark, out);
}

/* The call gets one more keyword: a macro of the block's body. */
static NlpStatus
exec_call_block(TplRun *r, const TplStmt *s)
{
	TplValue	callee;
	TplValue	result;
	TplPair    *kw;
	TplArgs		a;

	NLP_TRY(nlp_tpl_eval(r, s->expr->kids[0], &callee));
	NLP_TRY(nlp_tpl_args(r, s->expr->u.args, &a));
	NLP_TRY(nlp_tpl_alloc(r, a.n_kw + 1, sizeof(TplPair), &kw));
	if (a.n_kw)
		memcpy(kw, a.kw, a.n_kw * sizeof(TplPair));
	kw[a.n_kw].key = tpl_text("caller", 6);
	NLP_TRY(make_macro(r, s, &kw[a.n_kw].value));
	a.kw = kw;
	a.n_kw++;
	NLP_TRY(nlp_tpl_call(r, &callee, &a, &result));
	return emit_value(r, &result);
}

/* ---- loops ---- */

/* A scope for one turn: the last turn's when no macro keeps it. */
static NlpStatus
turn_scope(TplRun *r, TplScope *parent, TplScope **scope)
{
	if (*scope && !(*scope)->captured)
	{
		(*scope)->n = 0;
		r->scope = *scope;
		return NLP_OK;
	}
	NLP_TRY(push_scope(r, parent));
	*scope = r->scope;
	return NLP_OK;
}

/* The items for which the loop's condition holds. */
static NlpStatus
filter_items(TplRun *r, const TplStmt *s, const TplValue **items, size_t *n)
{
	TplScope   *parent = r->scope;
	TplScope   *scope = NULL;
	TplValue   *kept;
	size_t		n_kept = 0;

	NLP_TRY(nlp_tpl_alloc(r, *n ? *n : 1, sizeof(TplValue), &kept));
	for (size_t i = 0; i < *n; i++)
	{
		TplValue	yes;

		NLP_TRY(nlp_tpl_turns(r, 1));
		NLP_TRY(turn_scope(r, parent, &scope));
		NLP_TRY(assign(r, s->target, &(*items)[i]));
		NLP_TRY(nlp_tpl_eval(r, s->test, &yes));
		if (nlp_tpl_truth(&yes))
			kept[n_kept++] = (*items)[i];
	}
	r->scope = parent;
	*items = kept;
	*n = n_kept;
	return NLP_OK;
}

static NlpStatus
exec_else(TplRun *r, const TplStmt *body)
{
	TplScope   *parent = r->scope;

	NLP_TRY(push_scope(r, parent));
	NLP_TRY(exec(r, body));
	r->scope = parent;
	return NLP_OK;
}

/* The else part runs when no turn came to its end: none at all, or each was left
 * by break or continue, as in Jinja. */
static NlpStatus
exec_for(TplRun *r, const TplStmt *s)
{
	TplScope   *parent = r->scope;
	TplScope   *scope = NULL;
	TplLoop    *loop;
	TplValue	v;
	bool		whole = false;	/* a turn came to its end */

	NLP_TRY(nlp_tpl_eval(r, s->expr, &v));
	NLP_TRY(nlp_tpl_alloc(r, 1, sizeof(*loop), &loop));
	memset(loop, 0, sizeof(*loop));
	NLP_TRY(nlp_tpl_items(r, &v, &loop->items, &loop->n));
	if (s->test)
		NLP_TRY(filter_items(r, s, &loop->items, &loop->n));
	v = (TplValue) {.type = TPL_LOOP};
	v.p.loop = loop;
	for (; loop->i < loop->n; loop->i++)
	{
		NLP_TRY(nlp_tpl_turns(r, 1));
		NLP_TRY(turn_scope(r, parent, &scope));
		NLP_TRY(nlp_tpl_set_var(r, scope, r->t->name_loop, &v));
		NLP_TRY(assign(r, s->target, &loop->items[loop->i]));
		NLP_TRY(exec(r, s->body));
		if (r->flow == TPL_S_BREAK)
			break;
		whole |= r->flow == 0;
		r->flow = 0;
	}
	r->flow = 0;
	r->scope = parent;
	return whole || !s->orelse ? NLP_OK : exec_else(r, s->orelse);
}

/* ---- statements ---- */

static NlpStatus
exec_if(TplRun *r, const TplStmt *s)
{
	for (;;)
	{
		TplValue	v;

		NLP_TRY(nlp_tpl_eval(r, s->expr, &v));
		if (nlp_tpl_truth(&v))
			return exec(r, s->body);
		/* an elif is an if alone on the else branch */
		if (!s->orelse || s->orelse->kind != TPL_S_IF || s->orelse->next)
			return exec(r, s->orelse);
		s = s->orelse;
	}
}

static NlpStatus
exec_scope(TplRun *r, const TplStmt *s)
{
	TplScope   *parent = r->scope;
	TplValue   *values = NULL;

	if (s->n)
		NLP_TRY(nlp_tpl_alloc(r, s->n, sizeof(TplValue), &values));
	for (uint32_t i = 0; i < s->n; i++)
		NLP_TRY(nlp_tpl_eval(r, s->defaults[i], &values[i]));
	NLP_TRY(push_scope(r, parent));
	for (uint32_t i = 0; i < s->n; i++)
		NLP_TRY(assign(r, &s->target[i], &values[i]));
	NLP_TRY(exec(r, s->body));
	r->scope = parent;
	return NLP_OK;
}

static NlpStatus
exec_one(TplRun *r, const TplStmt *s)
{
	TplValue	v;

	switch ((TplStmtKind) s->kind)
	{
		case TPL_S_TEXT:
			return nlp_tpl_emit(r, s->text, s->text_len);
		case TPL_S_OUTPUT:
			NLP_TRY(nlp_tpl_eval(r, s->expr, &v));
			return emit_value(r, &v);
		case TPL_S_FOR:
			return exec_for(r, s);
		case TPL_S_IF:
			return exec_if(r, s);
		case TPL_S_SET:
			NLP_TRY(nlp_tpl_eval(r, s->expr, &v));
			return assign(r, s->target, &v);
		case TPL_S_SET_BLOCK:
			return exec_set_block(r, s);
		case TPL_S_MACRO:
			NLP_TRY(make_macro(r, s, &v));
			return nlp_tpl_set_var(r, r->scope, s->name, &v);
		case TPL_S_CALL:
			return exec_call_block(r, s);
		case TPL_S_FILTER:
			return exec_filter(r, s);
		case TPL_S_SCOPE:
			return exec_scope(r, s);
		case TPL_S_BREAK:
		case TPL_S_CONTINUE:
			r->flow = s->kind;
			return NLP_OK;
	}
	return nlp_tpl_fail(r, NLP_EINTERNAL, "unknown statement in a chat template");
}

static NlpStatus
exec(TplRun *r, const TplStmt *s)
{
	NlpStatus	st = NLP_OK;

	if (r->depth >= TPL_MAX_EVAL)
		return nlp_tpl_fail(r, NLP_ECOMPLEX, "chat template is nested too deeply");
	r->depth++;
	for (; s && st == NLP_OK && !r->flow; s = s->next)
	{
		r->pos = s->pos;
		st = nlp_tpl_work(r, 1);
		if (st == NLP_OK)
			st = exec_one(r, s);
	}
	r->depth--;
	return st;
}

/* ---- the whole ---- */

/* Names the template uses, from the variables or the environment. */
static NlpStatus
set_globals(TplRun *r, const TplDict *variables)
{
	static const struct
	{
		const char *name;
		uint8_t		function;
	}			functions[] = {
		{"range", TPL_F_RANGE}, {"dict", TPL_F_DICT}, {"namespace", TPL_F_NAMESPACE},
		{"raise_exception", TPL_F_RAISE}, {"strftime_now", TPL_F_STRFTIME}
	};

	NLP_TRY(nlp_tpl_alloc(r, r->t->n_names, sizeof(TplValue), &r->globals));
	for (uint32_t i = 0; i < r->t->n_names; i++)
	{
		TplValue	key = tpl_text(r->t->names[i].s, r->t->names[i].len);
		const TplValue *found;

		r->globals[i] = tpl_undefined();
		NLP_TRY(nlp_tpl_dict_get(r, variables, &key, &found));
		if (found)
			r->globals[i] = *found;
		for (size_t k = 0; k < sizeof(functions) / sizeof(functions[0]); k++)
		{
			bool		date = functions[k].function == TPL_F_STRFTIME;

			if (strlen(functions[k].name) != key.u.len || memcmp(functions[k].name, key.p.s, key.u.len) != 0 ||
				(date ? !found || found->type != TPL_STR : found != NULL))
				continue;
			if (date)
			{
				r->now = found->p.s;
				r->now_len = found->u.len;
			}
			r->globals[i] = (TplValue) {.type = TPL_FUNCTION, .kind = functions[k].function};
		}
	}
	return NLP_OK;
}

NlpStatus
nlp_tpl_run(TplRun *r, const TplDict *variables)
{
	NLP_TRY(set_globals(r, variables));
	return exec(r, r->t->body);
}

NlpStatus
nlp_tpl_finish(TplRun *r, NlpStatus st)
{
	if (st != NLP_OK && r->out->len > r->out_start)
	{
		r->out->len = r->out_start;
		r->out->data[r->out->len] = '\0';
	}
	nlp_tpl_end(r);
	return st;
}

static NlpStatus
render(TplRun *r, const char *json, size_t json_len)
{
	TplValue	variables;

	NLP_TRY(nlp_tpl_json(r, json, json_len, "text of the template's variables", &variables));
	if (variables.type != TPL_DICT)
		return nlp_fail(r->err, NLP_EINVALID, "variables of the chat template are not a JSON object");
	return nlp_tpl_run(r, variables.p.dict);
}

NlpStatus
nlp_template_render_within(const NlpTemplate *tmpl, const NlpEnv *env, const NlpTemplateLimits *limits,
						   const char *json, size_t json_len, NlpBuf *out, NlpError *err)
{
	TplRun		r;
	NlpStatus	st = nlp_tpl_begin(&r, tmpl, env, limits, out, err);

	if (st == NLP_OK)
		st = render(&r, json, json_len);
	return nlp_tpl_finish(&r, st);
}

NlpStatus
nlp_template_render(const NlpTemplate *tmpl, const NlpEnv *env, const char *json, size_t json_len,
					NlpBuf *out, NlpError *err)
{
	return nlp_template_render_within(tmpl, env, NULL, json, json_len, out, err);
}
