/* template.h --- chat templates: the part of Jinja that model files use.
 *
 * A template comes from the model file (a stranger's bytes): parse depth, loop
 * turns and output size are limited (NLP_ECOMPLEX, NLP_ELIMIT), and nothing but
 * the given variables can be reached. Checked against Python's jinja2 with
 * trim_blocks and lstrip_blocks on, as transformers renders them. */
#ifndef NLP_TASK_TEMPLATE_H
#define NLP_TASK_TEMPLATE_H

#include "core/env.h"

typedef struct NlpTemplate NlpTemplate;

/* Parse once, render often. Keeps a copy of the source in its own arena, which
 * uses alloc until nlp_template_free. Errors carry line and column as a detail:
 * NLP_EINVALID for a syntax error, NLP_EUNSUPPORTED for Jinja that no chat
 * template uses (extends, import, ...), NLP_ETEXT when not UTF-8, NLP_ELIMIT
 * over 1 MiB, NLP_ECOMPLEX when nested too deeply. */
extern NlpStatus nlp_template_parse(const char *source, size_t len, const NlpAlloc *alloc,
									NlpTemplate **tmpl, NlpError *err);
extern void nlp_template_free(NlpTemplate *tmpl);

/* What one rendering may use up. */
typedef struct NlpTemplateLimits
{
	size_t		max_output;		/* bytes written, captured text included: NLP_ELIMIT */
	size_t		max_memory;		/* bytes of values made while rendering: NLP_ELIMIT */
	uint64_t	max_turns;		/* loop turns and items made by filters: NLP_ECOMPLEX */
	uint64_t	max_work;		/* nodes evaluated plus bytes touched: NLP_ECOMPLEX */
} NlpTemplateLimits;

/* 64 MiB, 256 MiB, 1,000,000 and 2 * 10^8. */
extern const NlpTemplateLimits nlp_template_default_limits;

/* Render with variables given as one JSON object text: {"messages": [...],
 * "add_generation_prompt": true, "bos_token": "...", "eos_token": "...", ...}.
 * raise_exception('...') in the template becomes NLP_EINVALID with its text.
 * Output is appended to out; on error what was appended is taken back. Polls env.
 *
 * A variable "strftime_now", the text YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS, gives
 * templates the function of that name; without it the function is undefined. */
extern NlpStatus nlp_template_render(const NlpTemplate *tmpl, const NlpEnv *env, const char *json,
									 size_t json_len, NlpBuf *out, NlpError *err);

/* The same with limits of the caller's (NULL: the default ones). */
extern NlpStatus nlp_template_render_within(const NlpTemplate *tmpl, const NlpEnv *env,
											const NlpTemplateLimits *limits, const char *json,
											size_t json_len, NlpBuf *out, NlpError *err);

#endif
