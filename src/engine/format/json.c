/* json.c --- the checks that jansson does not make, then jansson.
 *
 * jansson parses recursively, so depth is bounded by a scan before it runs; the scan
 * also refuses bytes that are not UTF-8 and a byte order mark, with their line and
 * column. jansson's own messages quote the text near an error: only its code and
 * position are used. */
#include <string.h>

#include "core/utf8.h"
#include "format/json.h"
#include "engine_only.h"

#define MAX_BYTES ((size_t) 256 << 20)

static NlpStatus
at_position(const char *text, size_t offset, const char *what, const char *problem, NlpError *err)
{
	size_t		line = 1,
				column = 1;

	for (size_t i = 0; i < offset; i++)
	{
		if (text[i] == '\n')
		{
			line++;
			column = 1;
		}
		else if (((unsigned char) text[i] & 0xc0) != 0x80)
			column++;
	}
	return nlp_fail_at(err, NLP_ECORRUPT, what, offset, "JSON of %s: %s at line %zu, column %zu",
					   what, problem, line, column);
}

/* Brackets outside of strings never nest deeper than the limit. */
static NlpStatus
check_depth(const char *text, size_t len, const char *what, NlpError *err)
{
	int			depth = 0;
	bool		in_string = false;

	for (size_t i = 0; i < len; i++)
	{
		char		c = text[i];

		if (in_string)
		{
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		}
		else if (c == '"')
			in_string = true;
		else if (c == '{' || c == '[')
		{
			if (++depth > NLP_JSON_DEPTH)
				return at_position(text, i, what, "nesting deeper than 64 levels", err);
		}
		else if (c == '}' || c == ']')
			depth--;
	}
	return NLP_OK;
}

/* Our words for a code of jansson's. */
static const char *
problem_of(enum json_error_code code)
{
	switch (code)
	{
		case json_error_premature_end_of_input:
			return "text ends too early";
		case json_error_end_of_input_expected:
			return "more text after the value";
		case json_error_invalid_utf8:
			return "text is not valid UTF-8";
		case json_error_duplicate_key:
			return "key given twice";
		case json_error_numeric_overflow:
			return "number out of range";
		case json_error_null_character:
		case json_error_null_byte_in_key:
			return "zero character in a string";
		case json_error_stack_overflow:
			return "nesting too deep";
		default:
			return "syntax error";
	}
}

void
nlp_json_soften_integers(char *text, size_t len)
{
	bool		in_string = false;

	for (size_t i = 0; i < len; i++)
	{
		size_t		start = i;

		if (in_string)
		{
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
			continue;
		}
		in_string = text[i] == '"';
		while (i < len && text[i] >= '0' && text[i] <= '9')
			i++;
		/* An integer, and more digits than int64 holds: its last two become an exponent. */
		if (i - start >= 19 && (i == len || !strchr(".eE", text[i])) &&
			(start == 0 || !strchr(".eE+", text[start - 1])))
			memcpy(text + i - 2, "e2", 2);
		if (i > start)
			i--;
	}
}

NlpStatus
nlp_json_parse(const char *text, size_t len, const char *what, json_t **root, NlpError *err)
{
	json_error_t e;
	size_t		bad;
	json_t	   *parsed;

	if (len > MAX_BYTES)
		return nlp_fail(err, NLP_ELIMIT, "JSON of %s has %zu bytes, more than the limit of %zu", what, len, MAX_BYTES);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return at_position(text, 0, what, "byte order mark", err);
	if (!nlp_utf8_valid(text, len, &bad))
		return at_position(text, bad, what, "text is not valid UTF-8", err);
	NLP_TRY(check_depth(text, len, what, err));
	parsed = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (!parsed)
	{
		enum json_error_code code = json_error_code(&e);

		if (code == json_error_out_of_memory)
			return nlp_no_memory(err, len, what);
		return nlp_fail_at(err, NLP_ECORRUPT, what, e.position > 0 ? (uint64_t) e.position : 0,
						   "JSON of %s: %s at line %d, column %d", what, problem_of(code), e.line, e.column);
	}
	*root = parsed;
	return NLP_OK;
}
