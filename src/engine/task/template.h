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

/* Parse once, render often. Keeps a copy of the source in its own arena. Errors
 * carry line and column. */
extern NlpStatus nlp_template_parse(const char *source, size_t len, const NlpAlloc *alloc,
									NlpTemplate **tmpl, NlpError *err);
extern void nlp_template_free(NlpTemplate *tmpl);

/* Render with variables given as one JSON object text: {"messages": [...],
 * "add_generation_prompt": true, "bos_token": "...", "eos_token": "...", ...}.
 * raise_exception('...') in the template becomes NLP_EINVALID with its text.
 * Output is appended to out. Polls env. */
extern NlpStatus nlp_template_render(const NlpTemplate *tmpl, const NlpEnv *env, const char *json,
									 size_t json_len, NlpBuf *out, NlpError *err);

#endif
