/* vocab.c --- from a GGUF's tokenizer.ggml.* keys to the relocatable block.
 *
 * Trust:  every value is a stranger's. Types come through typed getters; counts are
 *         compared with each other; ids, texts, scores and merges are checked before
 *         the block refers to them; hash chains are bounded, so no file makes the
 *         tables slow.
 * Owns:   scratch of one call. The block is the caller's.
 * Source: key names of the GGUF specification; defaults per model as llama.cpp's. */
#include <math.h>
#include <stdio.h>

#include "core/utf8.h"
#include "token/pretoken.h"
#include "engine_only.h"

#define MAX_MERGES (1u << 26)
#define MAX_CHAIN 4096u			/* slots looked at for one key; honest tables need a few */
#define POLL_ITEMS 16384u
#define KEY(name) "tokenizer.ggml." name

typedef struct Build
{
	const NlpGguf *g;
	const NlpEnv *env;
	NlpError   *err;
	NlpTokenModel model;
	const PreFamily *family;	/* NULL for SPM */
	uint32_t	flags;
	const NlpGgufKv *tokens;
	const NlpGgufKv *scores;	/* NULL: none */
	const NlpGgufKv *merges;	/* NULL for SPM */
	uint32_t	n;
	SpecialKeys keys;
	int32_t		unk;
	uint16_t   *attr;			/* [n] */
	char	   *scratch;		/* [2 * max_text] */
	uint32_t	max_text;
	uint16_t	class_index[CLASS_INDEX];
	NlpTokenizer *t;
} Build;

static const NlpStr *
texts(const Build *b)
{
	return b->tokens->data;
}

/* ---- reading the keys ---- */

static NlpStatus
read_family(Build *b)
{
	NlpStr		pre = {"default", 7};
	bool		found;

	NLP_TRY(nlp_gguf_str(b->g, KEY("pre"), &pre, &found, b->err));
	if (found && pre.len == 0)
		pre = (NlpStr) {"default", 7};
	b->family = nlp_pre_family(pre.data, pre.len);
	if (!b->family)
	{
		char		names[430];
		const NlpGgufKv *kv = nlp_gguf_find(b->g, KEY("pre"));

		nlp_fail_at(b->err, NLP_EUNSUPPORTED, KEY("pre"), kv ? kv->offset : 0,
					"pre-tokenizer of the vocabulary is not supported");
		nlp_pre_names(names, sizeof(names));
		return nlp_hint(b->err, "Supported are %s, and their other names.", names);
	}
	b->flags = b->family->flags;
	if (!b->family->no_bos)
		b->keys.bos = 11;
	b->keys.eos = 11;
	return NLP_OK;
}

/* Which algorithm, and what follows from its name alone. */
static NlpStatus
read_model(Build *b)
{
	NlpStr		name;
	const NlpGgufKv *kv;

	NLP_TRY(nlp_gguf_str(b->g, KEY("model"), &name, NULL, b->err));
	b->keys = (SpecialKeys) {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
	b->unk = -1;
	if (name.len == 4 && memcmp(name.data, "gpt2", 4) == 0)
	{
		b->model = NLP_TOKEN_BPE;
		return read_family(b);
	}
	if (name.len == 6 && memcmp(name.data, "gemma4", 6) == 0)
	{
		b->model = NLP_TOKEN_BPE;
		b->family = nlp_pre_family("gemma4", 6);
		b->flags = b->family->flags;
		return NLP_OK;
	}
	if (name.len == 5 && memcmp(name.data, "llama", 5) == 0)
	{
		b->model = NLP_TOKEN_SPM;
		b->flags = T_ADD_BOS | T_SPACE_PREFIX | T_ESCAPE;
		b->keys.bos = 1;
		b->keys.eos = 2;
		b->unk = 0;
		return NLP_OK;
	}
	kv = nlp_gguf_find(b->g, KEY("model"));
	if (name.len == 4 && memcmp(name.data, "bert", 4) == 0)
		return nlp_fail_at(b->err, NLP_EUNSUPPORTED, KEY("model"), kv->offset,
						   "tokenizer model \"bert\" (WordPiece) is not supported");
	if (name.len == 2 && memcmp(name.data, "t5", 2) == 0)
		return nlp_fail_at(b->err, NLP_EUNSUPPORTED, KEY("model"), kv->offset,
						   "tokenizer model \"t5\" (Unigram) is not supported");
	nlp_fail_at(b->err, NLP_EUNSUPPORTED, KEY("model"), kv->offset, "tokenizer model is not supported");
	return nlp_hint(b->err, "Supported models are gpt2 and gemma4 (byte-pair encoding) and llama (SentencePiece).");
}

/* The file's token types, as attributes. */
static NlpStatus
read_types(Build *b)
{
	static const uint16_t attrs[] = {0, A_NORMAL, A_UNKNOWN, A_CONTROL, A_USER, A_UNUSED, A_BYTE};
	const NlpGgufKv *kv;
	const int32_t *types;
	bool		found;

	NLP_TRY(nlp_gguf_array(b->g, KEY("token_type"), NLP_GGUF_I32, &kv, &found, b->err));
	if (found && kv->count != b->n)
		return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("token_type"), kv->offset,
						   "there are %llu token types for %u tokens", (unsigned long long) kv->count, b->n);
	types = found ? kv->data : NULL;
	for (uint32_t i = 0; i < b->n; i++)
	{
		uint32_t	type = types ? (uint32_t) types[i] : 1;

		if (type >= sizeof(attrs) / sizeof(attrs[0]))
			return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("token_type"), kv->offset,
							   "type of token %u is not known", i);
		b->attr[i] = attrs[type];
	}
	return NLP_OK;
}

static float
score_of(const Build *b, uint32_t i)
{
	if (!b->scores)
		return 0.0f;
	if (b->scores->elem == NLP_GGUF_I32)
		return (float) ((const int32_t *) b->scores->data)[i];
	return ((const float *) b->scores->data)[i];
}

static NlpStatus
read_scores(Build *b)
{
	const NlpGgufKv *kv = nlp_gguf_find(b->g, KEY("scores"));

	if (!kv)
		return NLP_OK;
	if (kv->type != NLP_GGUF_ARRAY || (kv->elem != NLP_GGUF_F32 && kv->elem != NLP_GGUF_I32))
		return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("scores"), kv->offset,
						   "token scores are not an array of float32 or int32");
	if (kv->count != b->n)
		return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("scores"), kv->offset,
						   "there are %llu scores for %u tokens", (unsigned long long) kv->count, b->n);
	b->scores = kv;
	for (uint32_t i = 0; i < b->n; i++)
	{
		if (isnan(score_of(b, i)))
			return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("scores"), kv->offset, "score of token %u is NaN", i);
	}
	return NLP_OK;
}

static NlpStatus
read_id(Build *b, const char *key, int32_t *id)
{
	uint64_t	v;
	bool		found;

	if (*id >= 0 && (uint32_t) *id >= b->n)
		*id = -1;				/* a default this vocabulary does not reach */
	NLP_TRY(nlp_gguf_u64(b->g, key, 0, b->n - 1, &v, &found, b->err));
	if (found)
		*id = (int32_t) v;
	return NLP_OK;
}

static NlpStatus
read_flag(Build *b, const char *key, uint32_t flag)
{
	bool		v,
				found;

	NLP_TRY(nlp_gguf_bool(b->g, key, &v, &found, b->err));
	if (found)
		b->flags = v ? b->flags | flag : b->flags & ~flag;
	return NLP_OK;
}

static NlpStatus
read_special(Build *b)
{
	NLP_TRY(read_id(b, KEY("bos_token_id"), &b->keys.bos));
	NLP_TRY(read_id(b, KEY("eos_token_id"), &b->keys.eos));
	NLP_TRY(read_id(b, KEY("eot_token_id"), &b->keys.eot));
	NLP_TRY(read_id(b, KEY("eom_token_id"), &b->keys.eom));
	NLP_TRY(read_id(b, KEY("unknown_token_id"), &b->unk));
	NLP_TRY(read_id(b, KEY("fim_pre_token_id"), &b->keys.fim_pre));
	NLP_TRY(read_id(b, KEY("fim_suf_token_id"), &b->keys.fim_suf));
	NLP_TRY(read_id(b, KEY("fim_mid_token_id"), &b->keys.fim_mid));
	NLP_TRY(read_id(b, KEY("fim_pad_token_id"), &b->keys.fim_pad));
	NLP_TRY(read_id(b, KEY("fim_rep_token_id"), &b->keys.fim_rep));
	NLP_TRY(read_id(b, KEY("fim_sep_token_id"), &b->keys.fim_sep));
	NLP_TRY(read_id(b, KEY("prefix_token_id"), &b->keys.fim_pre));
	NLP_TRY(read_id(b, KEY("suffix_token_id"), &b->keys.fim_suf));
	NLP_TRY(read_id(b, KEY("middle_token_id"), &b->keys.fim_mid));
	NLP_TRY(read_flag(b, KEY("add_bos_token"), T_ADD_BOS));
	NLP_TRY(read_flag(b, KEY("add_eos_token"), T_ADD_EOS));
	if (b->model == NLP_TOKEN_SPM)
		NLP_TRY(read_flag(b, KEY("add_space_prefix"), T_SPACE_PREFIX));
	if (b->flags & T_LINE_TOKEN)
		b->flags |= T_ADD_BOS;	/* Gemma 4 files say otherwise by mistake */
	if ((b->flags & T_ADD_BOS) && b->keys.bos < 0)
		return nlp_fail(b->err, NLP_ECORRUPT, "vocabulary asks for a beginning-of-text token and names none");
	if ((b->flags & T_ADD_EOS) && b->keys.eos < 0)
		return nlp_fail(b->err, NLP_ECORRUPT, "vocabulary asks for an end-of-text token and names none");
	return NLP_OK;
}

static NlpStatus
read_tokens(Build *b)
{
	NLP_TRY(nlp_gguf_array(b->g, KEY("tokens"), NLP_GGUF_STRING, &b->tokens, NULL, b->err));
	if (b->tokens->count == 0 || b->tokens->count > MAX_TOKENS)
		return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("tokens"), b->tokens->offset,
						   "vocabulary has %llu tokens; from 1 to %u are possible",
						   (unsigned long long) b->tokens->count, MAX_TOKENS);
	b->n = (uint32_t) b->tokens->count;
	for (uint32_t i = 0; i < b->n; i++)
	{
		size_t		len = texts(b)[i].len;

		if (len == 0 || len > MAX_PIECE)
			return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("tokens"), b->tokens->offset,
							   "token %u has %zu bytes; from 1 to %u are possible", i, len, MAX_PIECE);
		if (len > b->max_text)
			b->max_text = (uint32_t) len;
	}
	return NLP_OK;
}

static NlpStatus
read_merges(Build *b)
{
	if (b->model != NLP_TOKEN_BPE)
		return NLP_OK;
	NLP_TRY(nlp_gguf_array(b->g, KEY("merges"), NLP_GGUF_STRING, &b->merges, NULL, b->err));
	if (b->merges->count > MAX_MERGES)
		return nlp_fail_at(b->err, NLP_ELIMIT, KEY("merges"), b->merges->offset,
						   "vocabulary has more than %u merges", MAX_MERGES);
	return NLP_OK;
}

static NlpStatus
read_attributes(Build *b)
{
	NlpStr		none = {"", 0};
	NlpStr		name = none,
				pre = none,
				arch = none;
	bool		found;

	NLP_TRY(nlp_gguf_str(b->g, "general.name", &name, &found, b->err));
	NLP_TRY(nlp_gguf_str(b->g, "general.architecture", &arch, &found, b->err));
	NLP_TRY(nlp_gguf_str(b->g, KEY("pre"), &pre, &found, b->err));
	nlp_special_attributes(texts(b), b->n, &b->keys, name, pre, arch, b->attr);
	for (uint32_t i = 0; i < b->n; i++)
	{
		size_t		bad;

		if ((b->attr[i] & A_MARKER) && !nlp_utf8_valid(texts(b)[i].data, texts(b)[i].len, &bad))
			return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("tokens"), b->tokens->offset,
							   "special token %u is not valid UTF-8", i);
	}
	return NLP_OK;
}

/* ---- laying out ---- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* The byte of <0xHH>, or -1. */
static int
byte_of(NlpStr s)
{
	int			hi,
				lo;

	if (s.len != 6 || memcmp(s.data, "<0x", 3) != 0 || s.data[5] != '>')
		return -1;
	hi = hex_digit(s.data[3]);
	lo = hex_digit(s.data[4]);
	return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

/* Copy s with U+2581 as spaces; returns the length. */
static size_t
unescape(NlpStr s, char *out)
{
	size_t		n = 0;

	for (size_t i = 0; i < s.len;)
	{
		if (s.len - i >= 3 && memcmp(s.data + i, "\xe2\x96\x81", 3) == 0)
		{
			out[n++] = ' ';
			i += 3;
		}
		else
			out[n++] = s.data[i++];
	}
	return n;
}

/* Where key and show of a token come from; the bytes are in scratch: key first. */
typedef struct Spans
{
	bool		own_key;		/* scratch[0..key_len): raw bytes of the alphabet */
	size_t		key_len;
	bool		own_show;		/* scratch[max_text..+show_len) */
	bool		show_is_key;
	size_t		show_len;
} Spans;

static NlpStatus
describe(Build *b, uint32_t i, Spans *sp)
{
	NlpStr		s = texts(b)[i];
	ptrdiff_t	raw = -1;

	*sp = (Spans) {.key_len = s.len, .show_len = s.len};
	if (b->flags & T_BYTE_LEVEL)
		raw = nlp_alphabet_decode(s.data, s.len, b->scratch, s.len);
	if (raw >= 0)
	{
		sp->own_key = true;
		sp->key_len = (size_t) raw;
	}
	if (b->attr[i] & A_MARKER)
		return NLP_OK;
	if (b->attr[i] & A_BYTE)
	{
		int			byte = byte_of(s);

		if (byte >= 0)
		{
			sp->own_show = true;
			sp->show_len = 1;
			b->scratch[b->max_text] = (char) byte;
			return NLP_OK;
		}
		if (!(b->flags & T_BYTE_LEVEL))
			return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("tokens"), b->tokens->offset,
							   "byte token %u is not written as <0x00> to <0xFF>", i);
	}
	if (raw >= 0)
	{
		sp->show_is_key = true;
		sp->show_len = sp->key_len;
	}
	else if (b->flags & T_ESCAPE)
	{
		sp->show_len = unescape(s, b->scratch + b->max_text);
		sp->own_show = sp->show_len != s.len;
	}
	return NLP_OK;
}

/* Take count items of size bytes at the next multiple of 64. */
static bool
place(size_t *total, size_t count, size_t size, uint64_t *at)
{
	size_t		bytes;

	if (!nlp_mul_size(count, size, &bytes) || !nlp_pad_size(*total, 64, total))
		return false;
	*at = *total;
	return nlp_add_size(*total, bytes, total);
}

static NlpStatus
lay_out(Build *b, size_t *bytes)
{
	size_t		total = sizeof(NlpTokenizer);
	size_t		pool = 0;
	uint32_t	n_special = 0;
	NlpTokenizer h = {.magic = BLOCK_MAGIC,.version = BLOCK_VERSION};

	for (uint32_t i = 0; i < b->n; i++)
	{
		Spans		sp;

		NLP_TRY(describe(b, i, &sp));
		pool += texts(b)[i].len + (sp.own_key ? sp.key_len : 0) + (sp.own_show ? sp.show_len : 0);
		n_special += (b->attr[i] & A_MARKER) != 0;
		if (i % POLL_ITEMS == 0)
			NLP_TRY(nlp_poll(b->env, b->err));
	}
	if (pool > UINT32_MAX)
		return nlp_fail(b->err, NLP_ELIMIT, "texts of the vocabulary take more than 4 GB");
	h.n_special = n_special;
	h.pool_bytes = pool;
	h.n_text_slots = b->n + b->n / 2 + 2;
	h.n_pair_slots = b->merges ? (uint32_t) b->merges->count + (uint32_t) (b->merges->count / 4 * 3) + 2 : 0;
	h.n_classes = nlp_class_blocks(b->class_index);
	if (!place(&total, b->n, sizeof(TokenRec), &h.tokens_at) || !place(&total, pool, 1, &h.pool_at) ||
		!place(&total, h.n_text_slots, sizeof(TextSlot), &h.text_slots_at) ||
		!place(&total, h.n_pair_slots, sizeof(PairSlot), &h.pair_slots_at) ||
		!place(&total, n_special, sizeof(uint32_t), &h.special_at) ||
		!place(&total, n_special, sizeof(uint32_t), &h.order_at) ||
		!place(&total, CLASS_INDEX, sizeof(uint16_t), &h.class_index_at) ||
		!place(&total, h.n_classes, 128, &h.classes_at) || !nlp_pad_size(total, 64, &total))
		return nlp_fail(b->err, NLP_ELIMIT, "vocabulary is too large");
	b->t = nlp_alloc_zero(b->env->alloc, total);
	if (!b->t)
		return nlp_no_memory(b->err, total, "vocabulary");
	h.bytes = total;
	h.model = b->model;
	h.flags = b->flags;
	h.rules = b->family ? b->family->rules : 0;
	h.n_tokens = b->n;
	h.max_text = b->max_text;
	h.bos = b->keys.bos;
	h.eos = b->keys.eos;
	h.unk = b->unk;
	*b->t = h;
	*bytes = total;
	return NLP_OK;
}

/* ---- filling ---- */

static void *
part(NlpTokenizer *t, uint64_t at)
{
	return (char *) t + at;
}

static NlpStatus
fill_tokens(Build *b)
{
	NlpTokenizer *t = b->t;
	TokenRec   *recs = part(t, t->tokens_at);
	char	   *pool = part(t, t->pool_at);
	uint32_t	used = 0;

	for (uint32_t i = 0; i < b->n; i++)
	{
		NlpStr		s = texts(b)[i];
		TokenRec   *r = &recs[i];
		Spans		sp;

		NLP_TRY(describe(b, i, &sp));
		r->text_at = r->key_at = r->show_at = used;
		r->text_len = (uint16_t) s.len;
		r->key_len = (uint16_t) sp.key_len;
		r->show_len = (uint16_t) sp.show_len;
		r->score = score_of(b, i);
		r->attr = b->attr[i];
		memcpy(pool + used, s.data, s.len);
		used += (uint32_t) s.len;
		if (sp.own_key)
		{
			r->attr |= A_DECODED;
			r->key_at = used;
			memcpy(pool + used, b->scratch, sp.key_len);
			used += (uint32_t) sp.key_len;
		}
		if (sp.show_is_key)
			r->show_at = r->key_at;
		if (sp.own_show)
		{
			r->show_at = used;
			memcpy(pool + used, b->scratch + b->max_text, sp.show_len);
			used += (uint32_t) sp.show_len;
		}
		if (r->show_len > t->max_show)
			t->max_show = r->show_len;
		if (i % POLL_ITEMS == 0)
			NLP_TRY(nlp_poll(b->env, b->err));
	}
	return NLP_OK;
}

static NlpStatus
fill_text_slots(Build *b)
{
	NlpTokenizer *t = b->t;
	TextSlot   *slots = part(t, t->text_slots_at);

	memset(slots, 0xff, (size_t) t->n_text_slots * sizeof(TextSlot));
	for (uint32_t i = 0; i < b->n; i++)
	{
		const TokenRec *r = block_token(t, i);
		const char *key = block_text(t, r->key_at);
		uint64_t	h = token_hash(key, r->key_len) + (r->attr & A_DECODED);
		uint32_t	at = slot_of(h, t->n_text_slots);
		uint32_t	chain = 0;

		for (; slots[at].id != NO_SLOT; at = at + 1 == t->n_text_slots ? 0 : at + 1)
		{
			const TokenRec *o = block_token(t, slots[at].id);

			if (slots[at].tag == (uint32_t) h && o->key_len == r->key_len &&
				((o->attr ^ r->attr) & A_DECODED) == 0 && memcmp(block_text(t, o->key_at), key, r->key_len) == 0)
				return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("tokens"), b->tokens->offset,
								   "tokens %u and %u have the same text", slots[at].id, i);
			if (++chain > MAX_CHAIN)
				return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("tokens"), b->tokens->offset,
								   "too many tokens collide at token %u", i);
		}
		slots[at] = (TextSlot) {(uint32_t) h, i};
		if (i % POLL_ITEMS == 0)
			NLP_TRY(nlp_poll(b->env, b->err));
	}
	return NLP_OK;
}

static NlpStatus
fill_byte_ids(Build *b)
{
	NlpTokenizer *t = b->t;

	for (unsigned byte = 0; byte < 256; byte++)
	{
		char		name[8];
		char		raw = (char) byte;

		if (t->flags & T_BYTE_LEVEL)
		{
			t->byte_id[byte] = block_find(t, A_DECODED, &raw, 1);
			continue;
		}
		snprintf(name, sizeof(name), "<0x%02X>", byte);
		t->byte_id[byte] = block_find(t, 0, name, 6);
		if (t->model != NLP_TOKEN_SPM || t->byte_id[byte] >= 0)
			continue;
		t->byte_id[byte] = block_find(t, 0, &raw, 1);
		if (t->byte_id[byte] < 0 && t->unk < 0)
			return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("tokens"), b->tokens->offset,
							   "vocabulary has no token for byte 0x%02X and no unknown token", byte);
	}
	return NLP_OK;
}

/* Which characters stand before an inner U+2581 of some piece: words may be cut before
 * any other one. */
static void
fill_glue(Build *b)
{
	for (uint32_t i = 0; (b->flags & T_ESCAPE) && i < b->n; i++)
	{
		NlpStr		s = texts(b)[i];

		for (size_t j = 1; j + 3 <= s.len; j++)
		{
			unsigned char before = (unsigned char) s.data[j - 1];

			if (memcmp(s.data + j, "\xe2\x96\x81", 3) == 0 &&
				!(j >= 3 && memcmp(s.data + j - 3, "\xe2\x96\x81", 3) == 0))
				b->t->glue[before >> 3] |= (uint8_t) (1u << (before & 7));
		}
	}
}

/* Token of a text as the file writes it; -1: none. */
static int32_t
find_text(Build *b, const char *text, size_t len)
{
	ptrdiff_t	raw = -1;

	if (len > b->max_text)
		return -1;
	if (b->flags & T_BYTE_LEVEL)
		raw = nlp_alphabet_decode(text, len, b->scratch + b->max_text, b->max_text);
	if (raw >= 0)
		return block_find(b->t, A_DECODED, b->scratch + b->max_text, (size_t) raw);
	return block_find(b->t, 0, text, len);
}

static NlpStatus
bad_merge(Build *b, uint32_t i, const char *what)
{
	return nlp_fail_at(b->err, NLP_ECORRUPT, KEY("merges"), b->merges->offset, "merge %u %s", i, what);
}

static NlpStatus
add_merge(Build *b, uint32_t rank, uint32_t left, uint32_t right, uint32_t id)
{
	NlpTokenizer *t = b->t;
	PairSlot   *slots = part(t, t->pair_slots_at);
	uint32_t	at = slot_of(pair_hash(left, right), t->n_pair_slots);
	uint32_t	chain = 0;

	for (; slots[at].left != NO_SLOT; at = at + 1 == t->n_pair_slots ? 0 : at + 1)
	{
		if (slots[at].left == left && slots[at].right == right)
			return NLP_OK;		/* listed twice: the first rank counts */
		if (++chain > MAX_CHAIN)
			return bad_merge(b, rank, "collides with too many others");
	}
	slots[at] = (PairSlot) {left, right, rank, id};
	return NLP_OK;
}

static NlpStatus
fill_pairs(Build *b)
{
	const NlpStr *merges;

	if (!b->merges)
		return NLP_OK;
	merges = b->merges->data;
	memset(part(b->t, b->t->pair_slots_at), 0xff, (size_t) b->t->n_pair_slots * sizeof(PairSlot));
	for (uint32_t i = 0; i < b->merges->count; i++)
	{
		NlpStr		m = merges[i];
		const char *space = m.len > 1 ? memchr(m.data + 1, ' ', m.len - 1) : NULL;
		size_t		n_left,
					n_right;
		int32_t		left,
					right,
					id;

		if (!space)
			return bad_merge(b, i, "has no space between its parts");
		n_left = (size_t) (space - m.data);
		n_right = m.len - n_left - 1;
		if (n_left + n_right > b->max_text)
			return bad_merge(b, i, "is longer than any token");
		left = find_text(b, m.data, n_left);
		right = find_text(b, space + 1, n_right);
		memcpy(b->scratch, m.data, n_left);
		memcpy(b->scratch + n_left, space + 1, n_right);
		id = find_text(b, b->scratch, n_left + n_right);
		if (left < 0 || right < 0)
			return bad_merge(b, i, "has a part that is not a token");
		if (id < 0)
			return bad_merge(b, i, "makes a text that is not a token");
		NLP_TRY(add_merge(b, i, (uint32_t) left, (uint32_t) right, (uint32_t) id));
		if (i % POLL_ITEMS == 0)
			NLP_TRY(nlp_poll(b->env, b->err));
	}
	return NLP_OK;
}

/* ---- specials, in two orders ---- */

static bool
text_less(const NlpTokenizer *t, uint32_t a, uint32_t b)
{
	const TokenRec *x = block_token(t, a);
	const TokenRec *y = block_token(t, b);
	int			c = memcmp(block_text(t, x->text_at), block_text(t, y->text_at),
						   x->text_len < y->text_len ? x->text_len : y->text_len);

	return c ? c < 0 : x->text_len < y->text_len;
}

/* Places in special[], by length of text and then id. */
static bool
longer_first(const NlpTokenizer *t, uint32_t a, uint32_t b)
{
	const uint32_t *special = block_at(t, t->special_at);
	const TokenRec *x = block_token(t, special[a]);
	const TokenRec *y = block_token(t, special[b]);

	return x->text_len != y->text_len ? x->text_len > y->text_len : special[a] < special[b];
}

/* Heap sort: in place, n log n whatever the file holds. */
static void
sort(const NlpTokenizer *t, uint32_t *items, uint32_t n,
	 bool (*less) (const NlpTokenizer *t, uint32_t a, uint32_t b))
{
	for (uint32_t build = n / 2, last = n; last > 1;)
	{
		uint32_t	i,
					v;

		if (build > 0)
			v = items[i = --build];
		else
		{
			v = items[--last];
			items[last] = items[0];
			i = 0;
		}
		for (;;)
		{
			uint32_t	c = 2 * i + 1;

			if (c >= last)
				break;
			if (c + 1 < last && less(t, items[c], items[c + 1]))
				c++;
			if (!less(t, v, items[c]))
				break;
			items[i] = items[c];
			i = c;
		}
		items[i] = v;
	}
}

static void
fill_special(Build *b)
{
	NlpTokenizer *t = b->t;
	uint32_t   *special = part(t, t->special_at);
	uint32_t   *order = part(t, t->order_at);
	uint32_t	n = 0;

	for (uint32_t i = 0; i < b->n; i++)
	{
		if (b->attr[i] & A_MARKER)
		{
			order[n] = n;
			special[n++] = i;
		}
	}
	sort(t, special, n, text_less);
	sort(t, order, n, longer_first);
}

static NlpStatus
build(Build *b, size_t *bytes)
{
	NLP_TRY(read_model(b));
	NLP_TRY(read_tokens(b));
	b->attr = nlp_alloc(b->env->alloc, b->n * sizeof(uint16_t));
	b->scratch = b->attr ? nlp_alloc(b->env->alloc, 2 * (size_t) b->max_text) : NULL;
	if (!b->scratch)
		return nlp_no_memory(b->err, b->n * sizeof(uint16_t), "vocabulary");
	NLP_TRY(read_types(b));
	NLP_TRY(read_scores(b));
	NLP_TRY(read_merges(b));
	NLP_TRY(read_special(b));
	NLP_TRY(read_attributes(b));
	NLP_TRY(lay_out(b, bytes));
	NLP_TRY(fill_tokens(b));
	NLP_TRY(fill_text_slots(b));
	NLP_TRY(fill_byte_ids(b));
	fill_glue(b);
	NLP_TRY(fill_pairs(b));
	fill_special(b);
	memcpy(part(b->t, b->t->class_index_at), b->class_index, sizeof(b->class_index));
	nlp_class_fill(b->class_index, part(b->t, b->t->classes_at));
	return NLP_OK;
}

NlpStatus
nlp_tokenizer_build(const NlpGguf *g, const NlpEnv *env, NlpTokenizer **block, size_t *bytes, NlpError *err)
{
	Build		b = {.g = g,.env = env,.err = err};
	NlpStatus	st;

	st = build(&b, bytes);
	nlp_free(env->alloc, b.scratch);
	nlp_free(env->alloc, b.attr);
	if (st != NLP_OK)
	{
		nlp_free(env->alloc, b.t);
		return st;
	}
	*block = b.t;
	return NLP_OK;
}
