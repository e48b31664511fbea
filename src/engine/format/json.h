/* json.h --- strict JSON for files from strangers, over jansson.
 *
 * RFC 8259 and nothing beside it: UTF-8 without a byte order mark, no duplicate keys
 * (compared after unescaping), no \u0000, no lone surrogates, numbers that fit a
 * double or a 64-bit integer, at most NLP_JSON_DEPTH levels. Errors name line and
 * column and never repeat text of the file.
 * Memory of the tree is jansson's (libc). */
#ifndef NLP_FORMAT_JSON_H
#define NLP_FORMAT_JSON_H

#include <jansson.h>

#include "format/gguf.h"

#define NLP_JSON_DEPTH 64

/* Parse len bytes; what names the text in errors ("config.json"). *root must be
 * given back with json_decref. */
extern NlpStatus nlp_json_parse(const char *text, size_t len, const char *what, json_t **root, NlpError *err);

/* Rewrite integers of 19 digits and more as numbers with an exponent, in place, so that
 * they parse as doubles: transformers writes model_max_length as the integer 10^30.
 * Whoever wants an integer still refuses them. */
extern void nlp_json_soften_integers(char *text, size_t len);

/* The string of a JSON string value: borrowed from it; may not hold NUL (refused by the parser). */
static inline NlpStr
nlp_json_str(const json_t *s)
{
	return (NlpStr) {json_string_value(s), json_string_length(s)};
}

#endif
