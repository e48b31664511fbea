/* block.h --- the tokenizer's relocatable block, private to token/.
 *
 * One allocation, offsets only, read-only once built: it may lie in shared memory
 * at a different address in every process. Layout, each part 64-byte aligned:
 *
 *   header | tokens [V] | pool | text slots | pair slots | specials | class tables
 *
 * Trust:  written by vocab.c from checked input; nlp_tokenizer_check() proves the
 *         bounds again for a block that comes from elsewhere. */
#ifndef NLP_TOKEN_BLOCK_H
#define NLP_TOKEN_BLOCK_H

#include <string.h>

#include "token/token.h"

#define BLOCK_MAGIC UINT64_C(0x314b4f54504c4e)	/* "NLPTOK1" */
#define BLOCK_VERSION 1u
#define MAX_TOKENS (1u << 24)
#define MAX_PIECE 65535u		/* bytes of one token's text */

/* NlpTokenizer.flags */
#define T_ADD_BOS 1u
#define T_ADD_EOS 2u
#define T_SPACE_PREFIX 4u		/* a space before the text, as SentencePiece has it */
#define T_ESCAPE 8u				/* spaces are U+2581 inside the vocabulary */
#define T_IGNORE_MERGES 16u		/* a word that is a token is that token */
#define T_BYTE_LEVEL 32u		/* GPT-2's byte alphabet */
#define T_LINE_TOKEN 64u		/* a run of newlines that is a token is that token */

/* TokenRec.attr */
#define A_UNKNOWN 1u
#define A_UNUSED 2u
#define A_NORMAL 4u
#define A_CONTROL 8u
#define A_USER 16u
#define A_BYTE 32u
#define A_LSTRIP 64u			/* swallows the white space before it */
#define A_RSTRIP 128u			/* ... after it */
#define A_EOG 256u
#define A_DECODED 512u			/* key is in raw bytes, not in the byte alphabet */

#define A_HIDDEN (A_UNKNOWN | A_CONTROL)	/* only in text when special tokens are asked for */
#define A_MARKER (A_HIDDEN | A_USER)

/* One token: three spans of the pool, often the same bytes.
 *   text  as in the file
 *   key   what words are looked up by: raw bytes for the byte alphabet, else text
 *   show  what the token decodes to */
typedef struct TokenRec
{
	uint32_t	text_at;
	uint32_t	key_at;
	uint32_t	show_at;
	uint16_t	text_len;
	uint16_t	key_len;
	uint16_t	show_len;
	uint16_t	attr;
	float		score;
} TokenRec;

typedef struct TextSlot
{
	uint32_t	tag;			/* low half of the hash */
	uint32_t	id;				/* NO_SLOT: empty */
} TextSlot;

typedef struct PairSlot
{
	uint32_t	left;			/* NO_SLOT: empty */
	uint32_t	right;
	uint32_t	rank;
	uint32_t	id;				/* what the pair becomes */
} PairSlot;

#define NO_SLOT UINT32_MAX

struct NlpTokenizer
{
	uint64_t	magic;
	uint32_t	version;
	uint32_t	model;			/* NlpTokenModel */
	uint64_t	bytes;			/* of the whole block */
	uint32_t	flags;
	uint32_t	rules;			/* pre-tokenizer, NlpPreRules of pretoken.h */
	uint32_t	n_tokens;
	uint32_t	n_special;		/* tokens with an A_MARKER attribute */
	uint32_t	n_text_slots;
	uint32_t	n_pair_slots;	/* 0 for SPM */
	uint32_t	n_classes;		/* blocks of 128 code points */
	uint32_t	max_text;
	uint32_t	max_show;
	int32_t		bos;
	int32_t		eos;
	int32_t		unk;
	uint64_t	tokens_at;
	uint64_t	pool_at;
	uint64_t	pool_bytes;
	uint64_t	text_slots_at;
	uint64_t	pair_slots_at;
	uint64_t	special_at;		/* uint32_t id [n_special], sorted by text */
	uint64_t	order_at;		/* uint32_t index into special [n_special], longest text first */
	uint64_t	class_index_at; /* uint16_t [CLASS_INDEX] */
	uint64_t	classes_at;		/* uint8_t [n_classes * 128] */
	int32_t		byte_id[256];	/* token of one byte: byte alphabet or <0xXX>; -1: none */
	uint8_t		glue[32];		/* last bytes of characters that precede U+2581 inside a piece */
};

#define CLASS_INDEX (0x110000 >> 7)

static inline const void *
block_at(const NlpTokenizer *t, uint64_t at)
{
	return (const char *) t + at;
}

static inline const TokenRec *
block_token(const NlpTokenizer *t, uint32_t id)
{
	return (const TokenRec *) block_at(t, t->tokens_at) + id;
}

static inline const char *
block_text(const NlpTokenizer *t, uint32_t at)
{
	return (const char *) block_at(t, t->pool_at) + at;
}

/* Hash of a short byte string: eight bytes a step, the tail read overlapping. */
static inline uint64_t
token_hash(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t	h = len * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t	v;

	if (len >= 8)
	{
		for (size_t i = 0; i + 8 < len; i += 8)
		{
			memcpy(&v, p + i, 8);
			h = (h ^ v) * UINT64_C(0xff51afd7ed558ccd);
			h ^= h >> 32;
		}
		memcpy(&v, p + len - 8, 8);
	}
	else if (len >= 4)
	{
		uint32_t	a,
					b;

		memcpy(&a, p, 4);
		memcpy(&b, p + len - 4, 4);
		v = (uint64_t) a << 32 | b;
	}
	else
		v = len ? (uint64_t) p[0] << 16 | (uint64_t) p[len >> 1] << 8 | p[len - 1] : 0;
	h = (h ^ v) * UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 32;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ (h >> 29);
}

static inline uint64_t
pair_hash(uint32_t left, uint32_t right)
{
	uint64_t	h = ((uint64_t) left << 32 | right) * UINT64_C(0x9e3779b97f4a7c15);

	h ^= h >> 32;
	return h * UINT64_C(0xff51afd7ed558ccd);
}

/* The high half of a hash spread over n slots. */
static inline uint32_t
slot_of(uint64_t hash, uint32_t n)
{
	return (uint32_t) (((hash >> 32) * n) >> 32);
}

/* Token whose key is these bytes, of the kind attr & A_DECODED says; -1: none. */
static inline int32_t
block_find(const NlpTokenizer *t, unsigned kind, const char *key, size_t len)
{
	const TextSlot *slots = block_at(t, t->text_slots_at);
	uint64_t	h = token_hash(key, len) + kind;
	uint32_t	i = slot_of(h, t->n_text_slots);

	while (slots[i].id != NO_SLOT)
	{
		if (slots[i].tag == (uint32_t) h)
		{
			const TokenRec *r = block_token(t, slots[i].id);

			if (r->key_len == len && (r->attr & A_DECODED) == kind &&
				memcmp(block_text(t, r->key_at), key, len) == 0)
				return (int32_t) slots[i].id;
		}
		if (++i == t->n_text_slots)
			i = 0;
	}
	return -1;
}

static inline const PairSlot *
block_pair(const NlpTokenizer *t, uint32_t left, uint32_t right)
{
	const PairSlot *slots = block_at(t, t->pair_slots_at);
	uint32_t	i = slot_of(pair_hash(left, right), t->n_pair_slots);

	while (slots[i].left != NO_SLOT)
	{
		if (slots[i].left == left && slots[i].right == right)
			return &slots[i];
		if (++i == t->n_pair_slots)
			i = 0;
	}
	return NULL;
}

/* GPT-2's byte alphabet (alphabet.c): the character that stands for a byte, and
 * back. alphabet_decode gives the raw bytes of a text wholly in the alphabet, at
 * most cap of them (never more than len); -1 when it is not. */
extern uint32_t nlp_alphabet_char(uint8_t byte);
extern ptrdiff_t nlp_alphabet_decode(const char *text, size_t len, char *out, size_t cap);

/* Character classes (unicode_class.c): how many blocks of 128 the table takes, and
 * writing it. index [CLASS_INDEX], classes [n * 128]. */
extern uint32_t nlp_class_blocks(uint16_t *index);
extern void nlp_class_fill(const uint16_t *index, uint8_t *classes);

/* End-of-generation and other attributes that follow from texts (special.c). attr
 * [n] holds the file's types on entry. model_name may be empty. */
typedef struct SpecialKeys
{
	int32_t		bos;
	int32_t		eos;
	int32_t		eot;
	int32_t		eom;
	int32_t		fim_pre;
	int32_t		fim_suf;
	int32_t		fim_mid;
	int32_t		fim_pad;
	int32_t		fim_rep;
	int32_t		fim_sep;
} SpecialKeys;
extern void nlp_special_attributes(const NlpStr *tokens, uint32_t n, SpecialKeys *keys, NlpStr model_name,
								   NlpStr pre, NlpStr arch, uint16_t *attr);

#endif
