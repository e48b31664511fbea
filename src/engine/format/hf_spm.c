/* hf_spm.c --- SentencePiece vocabularies: tokenizer.model, and scores out of merges.
 *
 * tokenizer.model is a protocol buffer. Read from it are
 *   1 pieces (repeated)   1 piece, 2 score, 3 type
 *   2 trainer_spec        3 model_type (2: BPE)
 *   3 normalizer_spec     2 precompiled_charsmap, 3 add_dummy_prefix
 * and everything else is passed over by its wire type.
 *
 * Without it, a tokenizer.json that was made from one still has the order of merges.
 * SentencePiece joins the pair whose result scores best, the merges of such a file
 * list every pair that gives a token, in the order of the tokens' scores: so a
 * token's place in that order, negated, is a score that gives the same ids. A file
 * whose merges are not of this kind would be tokenised otherwise, and is refused.
 *
 * Trust:  lengths against the bytes left; hash chains bounded.
 * Source: sentencepiece_model.proto of SentencePiece; the protocol buffers encoding. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/utf8.h"
#include "format/hf_private.h"
#include "engine_only.h"

#define MAX_MODEL_BYTES (64u << 20)
#define MAX_PIECE 1024u
#define MAX_CHAIN 4096u

/* ---- protocol buffers ---- */

typedef struct Proto
{
	const unsigned char *p,
			   *end;
} Proto;

/* One field: its number, and by wire type a value or a stretch of bytes. */
typedef struct Field
{
	uint32_t	number,
				wire;
	uint64_t	value;			/* varint, or fixed bits */
	Proto		bytes;			/* length-delimited */
} Field;

static bool
varint(Proto *b, uint64_t *v)
{
	*v = 0;
	for (int shift = 0; shift < 64 && b->p < b->end; shift += 7)
	{
		unsigned char c = *b->p++;

		*v |= (uint64_t) (c & 127) << shift;
		if (c < 128)
			return true;
	}
	return false;
}

static bool
next_field(Proto *b, Field *f)
{
	uint64_t	tag;
	size_t		n;

	if (!varint(b, &tag) || tag >> 3 == 0 || tag >> 3 > 536870911)
		return false;
	f->number = (uint32_t) (tag >> 3);
	f->wire = tag & 7;
	switch (f->wire)
	{
		case 0:
			return varint(b, &f->value);
		case 1:
		case 5:
			n = f->wire == 1 ? 8 : 4;
			if ((size_t) (b->end - b->p) < n)
				return false;
			f->value = 0;
			memcpy(&f->value, b->p, n);
			b->p += n;
			return true;
		case 2:
			if (!varint(b, &f->value) || f->value > (uint64_t) (b->end - b->p))
				return false;
			f->bytes = (Proto) {b->p, b->p + f->value};
			b->p += f->value;
			return true;
		default:
			return false;
	}
}

/* ---- tokenizer.model ---- */

static NlpStatus
bad_model(HfImport *h, const char *what)
{
	return nlp_fail(h->err, NLP_ECORRUPT, "tokenizer.model: %s", what);
}

static NlpStatus
read_piece(HfImport *h, Proto b, HfVocab *v, uint32_t id)
{
	Field		f;
	float		score = 0;
	uint64_t	type = HF_NORMAL;
	uint32_t	bits;

	if (id >= v->n)
		return bad_model(h, "more pieces than the word table has rows");
	while (b.p < b.end)
	{
		if (!next_field(&b, &f))
			return bad_model(h, "a piece is cut short");
		if (f.number == 1 && f.wire == 2)
		{
			char	   *copy = hf_alloc(h, (size_t) f.value + 1, 1);

			if (!copy)
				return hf_no_memory(h, (size_t) f.value);
			if (f.value)
				memcpy(copy, f.bytes.p, (size_t) f.value);
			v->texts[id] = (NlpStr) {copy, (size_t) f.value};
		}
		else if (f.number == 2 && f.wire == 5)
		{
			bits = (uint32_t) f.value;
			memcpy(&score, &bits, sizeof(score));
		}
		else if (f.number == 3 && f.wire == 0)
			type = f.value;
	}
	if (v->texts[id].len == 0 || memchr(v->texts[id].data, 0, v->texts[id].len) ||
		!nlp_utf8_valid(v->texts[id].data, v->texts[id].len, NULL))
		return bad_model(h, "a piece is empty or not valid UTF-8");
	if (!isfinite(score))
		return bad_model(h, "a score is not finite");
	if (type < HF_NORMAL || type > HF_BYTE)
		return bad_model(h, "a piece is of an unknown type");
	v->scores[id] = score;
	/* llama.cpp's converter makes user-defined pieces normal ones: joined by score. */
	v->types[id] = type == HF_USER ? HF_NORMAL : (int32_t) type;
	return NLP_OK;
}

static NlpStatus
read_trainer(HfImport *h, Proto b)
{
	Field		f;
	uint64_t	model = 1;		/* Unigram */

	while (b.p < b.end)
	{
		if (!next_field(&b, &f))
			return bad_model(h, "trainer_spec is cut short");
		if (f.number == 3 && f.wire == 0)
			model = f.value;
	}
	if (model != 2)
		return nlp_fail(h->err, NLP_EUNSUPPORTED, "tokenizer.model is not a BPE model, which alone is supported");
	return NLP_OK;
}

static NlpStatus
read_normalizer(HfImport *h, Proto b, bool *space_prefix)
{
	Field		f;

	while (b.p < b.end)
	{
		if (!next_field(&b, &f))
			return bad_model(h, "normalizer_spec is cut short");
		if (f.number == 2 && f.wire == 2 && f.value > 0)
			return nlp_fail(h->err, NLP_EUNSUPPORTED, "tokenizer.model normalises its text, which is not supported");
		if (f.number == 3 && f.wire == 0)
			*space_prefix = f.value != 0;
	}
	return NLP_OK;
}

NlpStatus
hf_spm_model(HfImport *h, const NlpHfFile *file, HfVocab *v, bool *space_prefix)
{
	NlpStr		text;
	Proto		b;
	Field		f;
	uint32_t	n = 0;
	bool		trained = false;

	NLP_TRY(hf_read(h, file, MAX_MODEL_BYTES, &text));
	b = (Proto) {(const unsigned char *) text.data, (const unsigned char *) text.data + text.len};
	*space_prefix = true;
	while (b.p < b.end)
	{
		if (!next_field(&b, &f))
			return bad_model(h, "a field is cut short");
		if (f.wire != 2)
			continue;
		if (f.number == 1)
			NLP_TRY(read_piece(h, f.bytes, v, n++));
		else if (f.number == 2)
		{
			NLP_TRY(read_trainer(h, f.bytes));
			trained = true;
		}
		else if (f.number == 3)
			NLP_TRY(read_normalizer(h, f.bytes, space_prefix));
	}
	if (n == 0 || !trained)
		return bad_model(h, "it has no pieces or no trainer_spec");
	return NLP_OK;
}

/* ---- merges to scores ---- */

typedef struct Table
{
	const HfVocab *v;
	uint32_t   *slots;			/* id + 1 */
	size_t		mask;
	uint32_t   *listed;			/* per token: merges that give it */
} Table;

static NlpStatus
table_new(HfImport *h, const HfVocab *v, Table *t)
{
	size_t		cap = 16;

	while (cap < (size_t) v->n * 2)
		cap *= 2;
	*t = (Table) {.v = v, .mask = cap - 1};
	t->slots = hf_alloc(h, cap, sizeof(uint32_t));
	t->listed = hf_alloc(h, v->n, sizeof(uint32_t));
	if (!t->slots || !t->listed)
		return hf_no_memory(h, cap * sizeof(uint32_t));
	for (uint32_t id = 0; id < v->n; id++)
	{
		size_t		slot,
					steps = 0;

		if (!v->texts[id].data)
			continue;
		slot = nlp_hash_bytes(v->texts[id].data, v->texts[id].len) & t->mask;
		while (t->slots[slot])
		{
			slot = (slot + 1) & t->mask;
			if (++steps > MAX_CHAIN)
				return nlp_fail(h->err, NLP_ELIMIT, "vocabulary of tokenizer.json cannot be indexed");
		}
		t->slots[slot] = id + 1;
	}
	return NLP_OK;
}

/* UINT32_MAX: no such token. */
static uint32_t
table_find(const Table *t, const char *s, size_t len)
{
	size_t		slot = nlp_hash_bytes(s, len) & t->mask;

	for (; t->slots[slot]; slot = (slot + 1) & t->mask)
	{
		const NlpStr *x = &t->v->texts[t->slots[slot] - 1];

		if (x->len == len && memcmp(x->data, s, len) == 0)
			return t->slots[slot] - 1;
	}
	return UINT32_MAX;
}

static NlpStatus
not_sentencepiece(HfImport *h)
{
	nlp_fail(h->err, NLP_EUNSUPPORTED, "the merges of tokenizer.json are not those of a SentencePiece vocabulary");
	return nlp_hint(h->err, "Add the model's tokenizer.model to the folder.");
}

/* The two halves of a merge, end to end in buf; left_len of them is the first. */
static bool
halves(const json_t *m, char *buf, size_t cap, size_t *left_len, size_t *len)
{
	NlpStr		a,
				b;
	const char *space;

	if (json_is_string(m))
	{
		a = nlp_json_str(m);
		space = memchr(a.data, ' ', a.len);
		if (!space)
			return false;
		b = (NlpStr) {space + 1, a.len - (size_t) (space + 1 - a.data)};
		a.len = (size_t) (space - a.data);
	}
	else
	{
		if (!json_is_string(json_array_get(m, 0)) || !json_is_string(json_array_get(m, 1)) || json_array_size(m) != 2)
			return false;
		a = nlp_json_str(json_array_get(m, 0));
		b = nlp_json_str(json_array_get(m, 1));
	}
	if (a.len == 0 || b.len == 0 || a.len + b.len > cap)
		return false;
	memcpy(buf, a.data, a.len);
	memcpy(buf + a.len, b.data, b.len);
	*left_len = a.len;
	*len = a.len + b.len;
	return true;
}

/* In the order of the file, each new result scores one less; its merges must lie together. */
static NlpStatus
rank_results(HfImport *h, const json_t *merges, Table *t, HfVocab *v)
{
	char		buf[MAX_PIECE];
	uint32_t	last = UINT32_MAX,
				rank = 0;

	for (size_t i = 0; i < json_array_size(merges); i++)
	{
		size_t		left,
					len;
		uint32_t	id;

		if (i % 4096 == 0)
			NLP_TRY(nlp_poll(h->env, h->err));
		if (!halves(json_array_get(merges, i), buf, sizeof(buf), &left, &len))
			return nlp_fail(h->err, NLP_ECORRUPT, "merge %zu of tokenizer.json is not a pair of short strings", i);
		id = table_find(t, buf, len);
		if (id == UINT32_MAX || table_find(t, buf, left) == UINT32_MAX || table_find(t, buf + left, len - left) == UINT32_MAX)
			return nlp_fail(h->err, NLP_ECORRUPT, "merge %zu of tokenizer.json names no token", i);
		if (id != last && t->listed[id] > 0)
			return not_sentencepiece(h);
		if (id != last)
			v->scores[id] = -(float) rank++;
		t->listed[id]++;
		last = id;
	}
	return NLP_OK;
}

/* Every way to cut a token into two tokens must be a merge, as SentencePiece would join them. */
static NlpStatus
check_complete(HfImport *h, const Table *t, const HfVocab *v)
{
	for (uint32_t id = 0; id < v->n; id++)
	{
		const NlpStr *s = &v->texts[id];
		uint32_t	ways = 0;

		if (!s->data || v->types[id] != HF_NORMAL)
			continue;
		if (s->len > MAX_PIECE)
			return nlp_fail(h->err, NLP_ELIMIT, "token %u of tokenizer.json is longer than %u bytes", id, MAX_PIECE);
		if (id % 1024 == 0)
			NLP_TRY(nlp_poll(h->env, h->err));
		for (size_t cut = 1; cut < s->len; cut++)
		{
			if (((unsigned char) s->data[cut] & 0xc0) == 0x80)
				continue;
			ways += table_find(t, s->data, cut) != UINT32_MAX && table_find(t, s->data + cut, s->len - cut) != UINT32_MAX;
		}
		if (ways != t->listed[id])
			return not_sentencepiece(h);
	}
	return NLP_OK;
}

NlpStatus
hf_spm_scores(HfImport *h, HfVocab *v)
{
	const json_t *merges = json_object_get(json_object_get(h->tokenizer, "model"), "merges");
	Table		t;

	if (!json_is_array(merges) || json_array_size(merges) > (1u << 24))
		return nlp_fail(h->err, NLP_ECORRUPT, "tokenizer.json has no list of merges, or one that is too long");
	NLP_TRY(table_new(h, v, &t));
	for (uint32_t id = 0; id < v->n; id++)
	{
		if (v->types[id] == HF_NORMAL)
			v->scores[id] = -(float) (1u << 24);	/* what no merge gives */
	}
	NLP_TRY(rank_results(h, merges, &t, v));
	return check_complete(h, &t, v);
}
