/* hf_pre.c --- the pre-tokenizer of a tokenizer.json, by its rules, as the name that
 * tokenizer.ggml.pre gives to the same rules.
 *
 * llama.cpp's converter recognises a tokenizer by the ids it gives to one text; here
 * the rules themselves are compared, so a tokenizer trained by anybody is recognised
 * when it splits like a known one. What is not recognised is refused: a nearly right
 * split would give wrong ids without a word.
 * Source: the tokenizers library's JSON; patterns as published with GPT-2, Llama 3,
 * Qwen2, GPT-4o and Mistral's Tekken. */
#include <string.h>

#include "format/hf_private.h"
#include "engine_only.h"

#define MAX_PARTS 8

#define APOS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define TAIL_SLASH "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define OTHER "[^\\r\\n\\p{L}\\p{N}]?"

static const struct
{
	const char *pattern;
	const char *name;			/* with ignore_merges false, */
	const char *ignoring;		/* and true; NULL: no such name */
}			patterns[] = {
	{"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", "gpt-2", NULL},
	{APOS "|" OTHER "\\p{L}+|\\p{N}{1,3}" TAIL, "dbrx", "llama-bpe"},
	{APOS "|" OTHER "\\p{L}+|\\p{N}" TAIL, "qwen2", NULL},
	{OTHER UPPER "*" LOWER "+" APOS "?|" OTHER UPPER "+" LOWER "*" APOS "?|\\p{N}{1,3}" TAIL_SLASH, "gpt-4o", NULL},
	{OTHER UPPER "*" LOWER "+|" OTHER UPPER "+" LOWER "*|\\p{N}" TAIL_SLASH, "tekken", "tekken"},
};

static NlpStatus
refuse(HfImport *h, const char *what)
{
	nlp_fail(h->err, NLP_EUNSUPPORTED, "%s of tokenizer.json is not supported", what);
	return nlp_hint(h->err, "Pre-tokenizers with the rules of gpt-2, smollm, llama-bpe, qwen2, gpt-4o and tekken are recognised.");
}

/* The parts of a Sequence, or the one pre-tokenizer there is. */
static size_t
flatten(const json_t *pre, const json_t *parts[MAX_PARTS])
{
	const json_t *list = json_object_get(pre, "pretokenizers");
	size_t		n = json_array_size(list);

	if (!hf_is(json_object_get(pre, "type"), "Sequence"))
	{
		parts[0] = pre;
		return 1;
	}
	if (n > MAX_PARTS)
		return 0;
	for (size_t i = 0; i < n; i++)
		parts[i] = json_array_get(list, i);
	return n;
}

/* ByteLevel, with or without its own split by GPT-2's pattern. */
static bool
byte_level(const json_t *part, bool with_regex)
{
	const json_t *use = json_object_get(part, "use_regex");

	if (!hf_is(json_object_get(part, "type"), "ByteLevel") || json_is_true(json_object_get(part, "add_prefix_space")))
		return false;
	return with_regex ? !json_is_false(use) : json_is_false(use);
}

/* Split keeping matches as pieces: Isolated, or Removed with the match inverted,
 * which is the same for patterns that cover every text. NULL: another kind. */
static const char *
split_pattern(const json_t *part)
{
	const json_t *behavior = json_object_get(part, "behavior");
	bool		invert = json_is_true(json_object_get(part, "invert"));

	if (!hf_is(json_object_get(part, "type"), "Split"))
		return NULL;
	if (!(hf_is(behavior, "Isolated") && !invert) && !(hf_is(behavior, "Removed") && invert))
		return NULL;
	return json_string_value(json_object_get(json_object_get(part, "pattern"), "Regex"));
}

NlpStatus
hf_pretokenizer(HfImport *h, const char **name)
{
	const json_t *norm = json_object_get(h->tokenizer, "normalizer");
	const json_t *model = json_object_get(h->tokenizer, "model");
	bool		ignoring = json_is_true(json_object_get(model, "ignore_merges"));
	const json_t *parts[MAX_PARTS];
	size_t		n = flatten(json_object_get(h->tokenizer, "pre_tokenizer"), parts);
	const char *pattern;

	/* NFC (Qwen2) is left out by llama.cpp as well: texts are nearly always composed. */
	if (norm && !json_is_null(norm) && !hf_is(json_object_get(norm, "type"), "NFC"))
		return refuse(h, "the normalizer");
	if (n == 1 && byte_level(parts[0], true) && !ignoring)
	{
		*name = "gpt-2";
		return NLP_OK;
	}
	if (n == 2 && hf_is(json_object_get(parts[0], "type"), "Digits") && byte_level(parts[1], true) &&
		json_is_true(json_object_get(parts[0], "individual_digits")) && !ignoring)
	{
		*name = "smollm";
		return NLP_OK;
	}
	if (n == 2 && (pattern = split_pattern(parts[0])) != NULL && byte_level(parts[1], false))
	{
		for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		{
			*name = ignoring ? patterns[i].ignoring : patterns[i].name;
			if (strcmp(pattern, patterns[i].pattern) == 0 && *name)
				return NLP_OK;
		}
	}
	return refuse(h, "the pre-tokenizer");
}
