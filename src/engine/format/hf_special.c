/* hf_special.c --- bos, eos and the other named tokens, whether bos and eos are added,
 * and the chat template.
 *
 * Names come from tokenizer_config.json, else ids from config.json. Whether bos is
 * added is what the post-processor of tokenizer.json does, else add_bos_token; it is
 * always written when there is a tokenizer.json, since llama.cpp's defaults go by
 * the pre-tokenizer's name and would differ from the folder's own tokenizer.
 * Source: key names of llama.cpp ("seperator" is theirs). */
#include <string.h>

#include "format/hf_private.h"
#include "engine_only.h"

#define KEY(name) "tokenizer.ggml." name
#define MAX_TEMPLATE (1u << 20)
#define NO_TOKEN UINT32_MAX

typedef struct Special
{
	const char *member;			/* of tokenizer_config.json */
	const char *id_member;		/* of config.json */
	const char *key;
} Special;

static const Special specials[] = {
	{"bos_token", "bos_token_id", KEY("bos_token_id")},
	{"eos_token", "eos_token_id", KEY("eos_token_id")},
	{"unk_token", "unk_token_id", KEY("unknown_token_id")},
	{"sep_token", "sep_token_id", KEY("seperator_token_id")},
	{"pad_token", "pad_token_id", KEY("padding_token_id")},
	{"cls_token", "cls_token_id", KEY("cls_token_id")},
	{"mask_token", "mask_token_id", KEY("mask_token_id")},
};
#define N_SPECIAL (sizeof(specials) / sizeof(specials[0]))

/* The token of this text; a marker before an ordinary one. */
static uint32_t
find_token(const HfVocab *v, NlpStr text)
{
	uint32_t	found = NO_TOKEN;

	for (uint32_t id = 0; id < v->n; id++)
	{
		if (v->texts[id].len != text.len || memcmp(v->texts[id].data, text.data, text.len) != 0)
			continue;
		if (v->types[id] != HF_NORMAL)
			return id;
		if (found == NO_TOKEN)
			found = id;
	}
	return found;
}

/* "<s>" or {"content": "<s>", ...}. */
static const json_t *
token_text(const HfImport *h, const char *member)
{
	const json_t *v = json_object_get(h->tokenizer_config, member);

	if (json_is_object(v))
		v = json_object_get(v, "content");
	return json_is_string(v) && json_string_length(v) > 0 ? v : NULL;
}

static uint32_t
special_id(const HfImport *h, const HfVocab *v, const Special *s)
{
	const json_t *text = token_text(h, s->member);
	const json_t *id;
	uint32_t	found = NO_TOKEN;

	if (text)
		found = find_token(v, nlp_json_str(text));
	if (found != NO_TOKEN)
		return found;
	id = hf_config_value(h, s->id_member);
	if (json_is_array(id))		/* Llama 3.1 lists several; the first */
		id = json_array_get(id, 0);
	if (json_is_integer(id) && json_integer_value(id) >= 0 && json_integer_value(id) < (json_int_t) v->n)
		return (uint32_t) json_integer_value(id);
	return NO_TOKEN;
}

/* Another end that generation_config.json lists besides eos. */
static NlpStatus
write_second_end(HfImport *h, const HfVocab *v, uint32_t eos)
{
	const json_t *ids = json_object_get(h->generation, "eos_token_id");

	for (size_t i = 0; i < json_array_size(ids); i++)
	{
		const json_t *id = json_array_get(ids, i);

		if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= (json_int_t) v->n)
			return nlp_fail(h->err, NLP_ECORRUPT, "\"eos_token_id\" of generation_config.json names no token");
		if ((uint32_t) json_integer_value(id) != eos)
			return nlp_gguf_put_u32(h->w, KEY("eot_token_id"), (uint32_t) json_integer_value(id), h->err);
	}
	return NLP_OK;
}

/* The special token at one end of a template's sequence; NULL: the text is there. */
static const char *
template_token(const json_t *single, size_t at)
{
	return json_string_value(json_object_get(json_object_get(json_array_get(single, at), "SpecialToken"), "id"));
}

typedef struct Adds
{
	bool		bos_known,
				bos,
				eos_known,
				eos;
} Adds;

static void
read_processor(const json_t *p, const HfVocab *v, uint32_t bos, uint32_t eos, Adds *a)
{
	const json_t *single = json_object_get(p, "single");
	size_t		n = json_array_size(single);

	if (hf_is(json_object_get(p, "type"), "ByteLevel"))
		a->bos_known = true;
	if (hf_is(json_object_get(p, "type"), "TemplateProcessing") && n > 0)
	{
		const char *first = template_token(single, 0);
		const char *last = template_token(single, n - 1);

		a->bos_known = a->eos_known = true;
		a->bos = n > 1 && first && bos != NO_TOKEN && strcmp(first, v->texts[bos].data) == 0;
		a->eos = n > 1 && last && eos != NO_TOKEN && strcmp(last, v->texts[eos].data) == 0;
	}
}

static NlpStatus
write_adds(HfImport *h, const HfVocab *v, uint32_t bos, uint32_t eos)
{
	const json_t *post = json_object_get(h->tokenizer, "post_processor");
	const json_t *list = json_object_get(post, "processors");
	const json_t *flag;
	Adds		a = {false, false, false, false};

	if (json_is_array(list))
	{
		for (size_t i = 0; i < json_array_size(list); i++)
			read_processor(json_array_get(list, i), v, bos, eos, &a);
	}
	else
		read_processor(post, v, bos, eos, &a);
	flag = json_object_get(h->tokenizer_config, "add_bos_token");
	if (!a.bos_known && json_is_boolean(flag))
	{
		a.bos_known = true;
		a.bos = json_is_true(flag);
	}
	flag = json_object_get(h->tokenizer_config, "add_eos_token");
	if (!a.eos_known && json_is_boolean(flag))
	{
		a.eos_known = true;
		a.eos = json_is_true(flag);
	}
	if (a.bos_known || h->tokenizer)
		NLP_TRY(nlp_gguf_put_bool(h->w, KEY("add_bos_token"), a.bos, h->err));
	if (a.eos_known)
		NLP_TRY(nlp_gguf_put_bool(h->w, KEY("add_eos_token"), a.eos, h->err));
	return NLP_OK;
}

/* chat_template of tokenizer_config.json (of several, the one named "default"),
 * else chat_template.jinja. */
static NlpStatus
write_template(HfImport *h)
{
	const json_t *t = json_object_get(h->tokenizer_config, "chat_template");
	const NlpHfFile *f = hf_file(h, "chat_template.jinja");
	NlpStr		text = {NULL, 0};

	for (size_t i = 0; i < json_array_size(t); i++)
	{
		const json_t *one = json_array_get(t, i);

		if (hf_is(json_object_get(one, "name"), "default"))
		{
			t = json_object_get(one, "template");
			break;
		}
	}
	if (json_is_string(t))
		text = nlp_json_str(t);
	else if (f)
		NLP_TRY(hf_read(h, f, MAX_TEMPLATE, &text));
	if (!text.data)
		return NLP_OK;
	return nlp_gguf_put_str(h->w, "tokenizer.chat_template", text.data, text.len, h->err);
}

NlpStatus
hf_special_write(HfImport *h, const HfVocab *v)
{
	uint32_t	ids[N_SPECIAL];

	for (size_t i = 0; i < N_SPECIAL; i++)
	{
		ids[i] = special_id(h, v, &specials[i]);
		if (ids[i] != NO_TOKEN)
			NLP_TRY(nlp_gguf_put_u32(h->w, specials[i].key, ids[i], h->err));
	}
	NLP_TRY(write_second_end(h, v, ids[1]));
	NLP_TRY(write_adds(h, v, ids[0], ids[1]));
	return write_template(h);
}
