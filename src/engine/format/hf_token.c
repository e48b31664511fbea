/* hf_token.c --- tokenizer.json or tokenizer.model to the tokenizer.ggml.* keys.
 *
 *   BPE, bytes as letters        "gpt2": tokens, types, merges, and the pre-tokenizer's name
 *   BPE with byte fallback       "llama": tokens, types, scores (from tokenizer.model when it
 *                                is there, else from the order of merges)
 *
 * The vocabulary is padded with unused tokens to the rows of the word table.
 * Trust:  ids must be distinct and below the number of rows; nlp_tokenizer_build
 *         checks everything again when the GGUF is loaded. */
#include <stdio.h>
#include <string.h>

#include "format/hf_private.h"
#include "engine_only.h"

#define MAX_MERGES (1u << 22)

static NlpStatus
vocab_new(HfImport *h, bool scores, HfVocab *v)
{
	v->n = h->n_vocab;
	v->texts = hf_alloc(h, v->n, sizeof(NlpStr));
	v->types = hf_alloc(h, v->n, sizeof(int32_t));
	v->scores = scores ? hf_alloc(h, v->n, sizeof(float)) : NULL;
	if (!v->texts || !v->types || (scores && !v->scores))
		return hf_no_memory(h, v->n * sizeof(NlpStr));
	return NLP_OK;
}

static bool
token_id(const HfVocab *v, const json_t *id, uint32_t *out)
{
	if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= (json_int_t) v->n)
		return false;
	*out = (uint32_t) json_integer_value(id);
	return true;
}

/* model.vocab: token to id. */
static NlpStatus
read_vocab(HfImport *h, HfVocab *v)
{
	json_t	   *vocab = json_object_get(json_object_get(h->tokenizer, "model"), "vocab");
	void	   *iter;

	if (!json_is_object(vocab))
		return nlp_fail(h->err, NLP_ECORRUPT, "tokenizer.json has no model.vocab");
	for (iter = json_object_iter(vocab); iter; iter = json_object_iter_next(vocab, iter))
	{
		const char *text = json_object_iter_key(iter);
		uint32_t	id;

		if (!token_id(v, json_object_iter_value(iter), &id))
			return nlp_fail(h->err, NLP_ECORRUPT, "tokenizer.json has a token id that is not below the %u rows of the word table", v->n);
		if (v->texts[id].data)
			return nlp_fail(h->err, NLP_ECORRUPT, "tokenizer.json gives id %u to two tokens", id);
		if (!text[0])
			return nlp_fail(h->err, NLP_ECORRUPT, "token %u of tokenizer.json is empty", id);
		v->texts[id] = (NlpStr) {text, strlen(text)};
		v->types[id] = HF_NORMAL;
	}
	return NLP_OK;
}

/* Tokens that are markers although their file does not call them special. */
static bool
looks_special(const char *s, size_t len)
{
	static const char *const names[] = {"<pad>", "<mask>", "<2mass>", "[@BOS@]"};

	for (size_t i = 0; i < 4; i++)
	{
		if (strcmp(s, names[i]) == 0)
			return true;
	}
	if (len >= 4 && memcmp(s, "<|", 2) == 0 && memcmp(s + len - 2, "|>", 2) == 0)
		return true;
	if (len >= 8 && memcmp(s, "<\xef\xbd\x9c", 4) == 0 && memcmp(s + len - 4, "\xef\xbd\x9c>", 4) == 0)
		return true;
	return len >= 8 && memcmp(s, "<unused", 7) == 0 && s[len - 1] == '>';
}

/* A user's marker is matched in plain text, where SentencePiece's space is a space. */
static NlpStatus
plain_spaces(HfImport *h, NlpStr *s)
{
	char	   *copy;
	size_t		n = 0;

	if (!strstr(s->data, "\xe2\x96\x81"))
		return NLP_OK;
	copy = hf_alloc(h, s->len + 1, 1);
	if (!copy)
		return hf_no_memory(h, s->len);
	for (size_t i = 0; i < s->len;)
	{
		if (s->len - i >= 3 && memcmp(s->data + i, "\xe2\x96\x81", 3) == 0)
		{
			copy[n++] = ' ';
			i += 3;
		}
		else
			copy[n++] = s->data[i++];
	}
	*s = (NlpStr) {copy, n};
	return NLP_OK;
}

static NlpStatus
add_token(HfImport *h, HfVocab *v, uint32_t id, const json_t *content, const json_t *special)
{
	NlpStr		text = nlp_json_str(content);

	if (!json_is_string(content) || text.len == 0)
		return nlp_fail(h->err, NLP_ECORRUPT, "added token %u of the tokenizer is empty or not a string", id);
	if (v->types[id] == HF_UNKNOWN || v->types[id] == HF_BYTE)
		return NLP_OK;
	if (json_is_true(special) || looks_special(text.data, text.len))
		v->types[id] = HF_CONTROL;
	else
	{
		NLP_TRY(plain_spaces(h, &text));
		v->types[id] = HF_USER;
	}
	v->texts[id] = text;
	if (v->scores)
		v->scores[id] = -1000.0f;
	return NLP_OK;
}

/* added_tokens of tokenizer.json, else added_tokens_decoder of tokenizer_config.json. */
NlpStatus
hf_added_tokens(HfImport *h, HfVocab *v)
{
	const json_t *list = json_object_get(h->tokenizer, "added_tokens");
	json_t	   *decoder = json_object_get(h->tokenizer_config, "added_tokens_decoder");
	const char *key;
	json_t	   *t;
	uint32_t	id;

	for (size_t i = 0; i < json_array_size(list); i++)
	{
		const json_t *a = json_array_get(list, i);

		if (!token_id(v, json_object_get(a, "id"), &id))
			return nlp_fail(h->err, NLP_ECORRUPT, "added token %zu of tokenizer.json has an id that is not below the %u rows of the word table",
							i, v->n);
		NLP_TRY(add_token(h, v, id, json_object_get(a, "content"), json_object_get(a, "special")));
	}
	if (json_array_size(list) > 0 || !decoder)
		return NLP_OK;
	json_object_foreach(decoder, key, t)
	{
		size_t		n = strspn(key, "0123456789");

		id = 0;
		for (size_t i = 0; i < n && n <= 8; i++)
			id = id * 10 + (uint32_t) (key[i] - '0');
		if (n == 0 || n > 8 || key[n] || id >= v->n)
			return nlp_fail(h->err, NLP_ECORRUPT, "tokenizer_config.json has an added token whose id is not below the %u rows of the word table", v->n);
		NLP_TRY(add_token(h, v, id, json_object_get(t, "content"), json_object_get(t, "special")));
	}
	return NLP_OK;
}

/* Rows of the word table that no token names. */
static NlpStatus
pad_vocab(HfImport *h, HfVocab *v)
{
	for (uint32_t id = 0; id < v->n; id++)
	{
		char	   *name;
		int			len;

		if (v->texts[id].data)
			continue;
		name = hf_alloc(h, 20, 1);
		if (!name)
			return hf_no_memory(h, 20);
		len = snprintf(name, 20, "[PAD%u]", id);
		v->texts[id] = (NlpStr) {name, (size_t) len};
		v->types[id] = HF_UNUSED;
		if (v->scores)
			v->scores[id] = -10000.0f;
	}
	return NLP_OK;
}

/* ---- merges ---- */

/* One half of a merge; a space inside is written as the byte alphabet's letter for it. */
static NlpStatus
append_half(HfImport *h, NlpBuf *b, NlpStr half)
{
	for (size_t i = 0; i < half.len; i++)
	{
		bool		ok = half.data[i] == ' ' ? nlp_buf_append(b, "\xc4\xa0", 2) : nlp_buf_append(b, half.data + i, 1);

		if (!ok)
			return hf_no_memory(h, b->len);
	}
	return NLP_OK;
}

static NlpStatus
merge_text(HfImport *h, size_t index, const json_t *m, NlpBuf *b)
{
	const json_t *left = json_array_get(m, 0);
	const json_t *right = json_array_get(m, 1);

	b->len = 0;
	if (json_is_string(m))
	{
		if (!nlp_buf_append(b, json_string_value(m), json_string_length(m)))
			return hf_no_memory(h, b->len);
		return NLP_OK;
	}
	if (!json_is_array(m) || json_array_size(m) != 2 || !json_is_string(left) || !json_is_string(right))
		return nlp_fail(h->err, NLP_ECORRUPT, "merge %zu of tokenizer.json is neither a string nor a pair of strings", index);
	NLP_TRY(append_half(h, b, nlp_json_str(left)));
	if (!nlp_buf_append(b, " ", 1))
		return hf_no_memory(h, b->len);
	return append_half(h, b, nlp_json_str(right));
}

static NlpStatus
write_merges(HfImport *h)
{
	const json_t *merges = json_object_get(json_object_get(h->tokenizer, "model"), "merges");
	size_t		n = json_array_size(merges);
	NlpStr	   *texts;
	NlpBuf		b;
	NlpStatus	st = NLP_OK;

	if (!json_is_array(merges) || n > MAX_MERGES)
		return nlp_fail(h->err, NLP_ECORRUPT, "tokenizer.json has no list of merges, or one of more than %u", MAX_MERGES);
	texts = hf_alloc(h, n, sizeof(NlpStr));
	if (!texts)
		return hf_no_memory(h, n * sizeof(NlpStr));
	nlp_buf_init(&b, h->env->alloc);
	for (size_t i = 0; i < n && st == NLP_OK; i++)
	{
		char	   *copy;

		st = merge_text(h, i, json_array_get(merges, i), &b);
		if (st != NLP_OK)
			break;
		copy = hf_alloc(h, b.len + 1, 1);
		if (!copy)
			st = hf_no_memory(h, b.len);
		else
		{
			if (b.len)
				memcpy(copy, b.data, b.len);
			texts[i] = (NlpStr) {copy, b.len};
		}
	}
	nlp_buf_free(&b);
	if (st == NLP_OK)
		st = nlp_gguf_put_array(h->w, "tokenizer.ggml.merges", NLP_GGUF_STRING, n, texts, h->err);
	return st;
}

/* ---- the two kinds ---- */

static NlpStatus
write_tokens(HfImport *h, const char *model, const char *pre, const HfVocab *v)
{
	NLP_TRY(nlp_gguf_put_str(h->w, "tokenizer.ggml.model", model, strlen(model), h->err));
	NLP_TRY(nlp_gguf_put_str(h->w, "tokenizer.ggml.pre", pre, strlen(pre), h->err));
	NLP_TRY(nlp_gguf_put_array(h->w, "tokenizer.ggml.tokens", NLP_GGUF_STRING, v->n, v->texts, h->err));
	if (v->scores)
		NLP_TRY(nlp_gguf_put_array(h->w, "tokenizer.ggml.scores", NLP_GGUF_F32, v->n, v->scores, h->err));
	return nlp_gguf_put_array(h->w, "tokenizer.ggml.token_type", NLP_GGUF_I32, v->n, v->types, h->err);
}

static NlpStatus
write_bpe(HfImport *h)
{
	HfVocab		v;
	const char *pre;

	NLP_TRY(hf_pretokenizer(h, &pre));
	NLP_TRY(vocab_new(h, false, &v));
	NLP_TRY(read_vocab(h, &v));
	NLP_TRY(hf_added_tokens(h, &v));
	NLP_TRY(pad_vocab(h, &v));
	NLP_TRY(write_tokens(h, "gpt2", pre, &v));
	NLP_TRY(write_merges(h));
	return hf_special_write(h, &v);
}

/* Pieces of the file's own kinds: <0x..> and the unknown token. */
static void
spm_types(HfImport *h, HfVocab *v)
{
	const json_t *unk = json_object_get(json_object_get(h->tokenizer, "model"), "unk_token");

	for (uint32_t id = 0; id < v->n; id++)
	{
		const NlpStr *s = &v->texts[id];
		unsigned	byte;
		char		end;

		if (!s->data)
			continue;
		if (s->len == 6 && sscanf(s->data, "<0x%2X%c", &byte, &end) == 2 && end == '>')
			v->types[id] = HF_BYTE;
		else if (hf_is(unk, s->data))
			v->types[id] = HF_UNKNOWN;
	}
}

/* Whether a text gets a space in front, as tokenizer.json says: by Prepend, or by
 * Metaspace unless its scheme is "never". The space itself must become U+2581. */
static NlpStatus
json_space_prefix(HfImport *h, bool *prefix)
{
	const json_t *norm = json_object_get(h->tokenizer, "normalizer");
	const json_t *pre = json_object_get(h->tokenizer, "pre_tokenizer");
	const json_t *list = json_object_get(norm, "normalizers");
	const json_t *scheme = json_object_get(pre, "prepend_scheme");
	bool		sequence = hf_is(json_object_get(norm, "type"), "Sequence");
	size_t		n = sequence ? json_array_size(list) : json_is_object(norm) ? 1 : 0;

	*prefix = false;
	for (size_t i = 0; i < n; i++)
	{
		const json_t *one = sequence ? json_array_get(list, i) : norm;

		if (hf_is(json_object_get(one, "type"), "Prepend") && hf_is(json_object_get(one, "prepend"), "\xe2\x96\x81"))
			*prefix = true;
		else if (!hf_is(json_object_get(one, "type"), "Replace") || !hf_is(json_object_get(one, "content"), "\xe2\x96\x81"))
			return nlp_fail(h->err, NLP_EUNSUPPORTED, "the normalizer of tokenizer.json is not supported");
	}
	if (hf_is(json_object_get(pre, "type"), "Metaspace"))
		*prefix = !hf_is(scheme, "never") && !json_is_false(json_object_get(pre, "add_prefix_space"));
	else if (json_is_object(pre) && !hf_is(json_object_get(pre, "type"), "Split"))
		return nlp_fail(h->err, NLP_EUNSUPPORTED, "the pre-tokenizer of tokenizer.json is not supported");
	return NLP_OK;
}

static NlpStatus
write_spm(HfImport *h, const NlpHfFile *model)
{
	HfVocab		v;
	bool		prefix;

	NLP_TRY(vocab_new(h, true, &v));
	if (model)
		NLP_TRY(hf_spm_model(h, model, &v, &prefix));
	else
	{
		NLP_TRY(read_vocab(h, &v));
		spm_types(h, &v);
		NLP_TRY(json_space_prefix(h, &prefix));
	}
	NLP_TRY(hf_added_tokens(h, &v));
	if (!model)
		NLP_TRY(hf_spm_scores(h, &v));
	NLP_TRY(pad_vocab(h, &v));
	NLP_TRY(nlp_gguf_put_bool(h->w, "tokenizer.ggml.add_space_prefix", prefix, h->err));
	NLP_TRY(write_tokens(h, "llama", "default", &v));
	return hf_special_write(h, &v);
}

NlpStatus
hf_tokenizer_write(HfImport *h)
{
	const json_t *model = json_object_get(h->tokenizer, "model");
	const NlpHfFile *spm = hf_file(h, "tokenizer.model");
	bool		bpe = hf_is(json_object_get(model, "type"), "BPE");
	bool		fallback = json_is_true(json_object_get(model, "byte_fallback"));

	if (spm && (!h->tokenizer || (bpe && fallback)))
		return write_spm(h, spm);
	if (!h->tokenizer)
		return nlp_fail(h->err, NLP_ENOTFOUND, "model folder has neither tokenizer.json nor tokenizer.model");
	if (!bpe)
		return nlp_fail(h->err, NLP_EUNSUPPORTED, "the model of tokenizer.json is not BPE, which alone is supported");
	return fallback ? write_spm(h, NULL) : write_bpe(h);
}
