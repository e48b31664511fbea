/* token.h --- text to token ids and back: byte-level BPE and SentencePiece BPE
 * today; WordPiece and Unigram have their place beside them (NlpTokenModel).
 *
 * A tokenizer is one relocatable block (offsets only) built once from a GGUF
 * vocabulary and kept in the resident image, read-only. What cannot be shared
 * (compiled pre-tokenizer patterns, scratch) is a coder, one a backend.
 * Ids equal llama.cpp's for the same file. Vocabulary keys: tokenizer.ggml.*. */
#ifndef NLP_TOKEN_TOKEN_H
#define NLP_TOKEN_TOKEN_H

#include "format/gguf.h"

typedef enum NlpTokenModel
{
	NLP_TOKEN_BPE = 1,			/* "gpt2": byte-level BPE */
	NLP_TOKEN_SPM,				/* "llama": SentencePiece BPE with byte fallback */
	NLP_TOKEN_WORDPIECE,		/* "bert": later */
	NLP_TOKEN_UNIGRAM			/* "t5": later */
} NlpTokenModel;

typedef struct NlpTokenizer NlpTokenizer;	/* the block; its header is private to token/ */
typedef struct NlpCoder NlpCoder;

/* Build the block from a GGUF's metadata. Every row of the checklist: merges that
 * name no token, empty pieces, NaN scores, ids out of range, lengths that disagree
 * are refused with the key named. *block is alloc'ed, 64-aligned; caller frees. */
extern NlpStatus nlp_tokenizer_build(const NlpGguf *g, const NlpEnv *env,
									 NlpTokenizer **block, size_t *bytes, NlpError *err);

/* Prove the bounds of a block that comes from elsewhere (a stored image): after NLP_OK
 * no call below reads outside its bytes. Linear in the block. */
extern NlpStatus nlp_tokenizer_check(const NlpTokenizer *t, size_t bytes, NlpError *err);

extern uint32_t nlp_tokenizer_size(const NlpTokenizer *t);	/* V */
extern NlpTokenModel nlp_tokenizer_model(const NlpTokenizer *t);
extern int32_t nlp_tokenizer_bos(const NlpTokenizer *t);	/* -1: none */
extern int32_t nlp_tokenizer_eos(const NlpTokenizer *t);
/* End-of-generation tokens: eos, eot, eom and what llama.cpp counts as such. */
extern bool nlp_tokenizer_is_eog(const NlpTokenizer *t, int32_t id);
extern bool nlp_tokenizer_is_special(const NlpTokenizer *t, int32_t id);	/* control or user-defined marker */
/* The vocabulary's own text of a token ("Ġthe", "<|im_start|>"); not decoded. */
extern NlpStr nlp_tokenizer_piece(const NlpTokenizer *t, int32_t id);
/* The bytes a token stands for (for a special token: its text when show_special, else empty).
 * Returns the length; buf may be too small (cap), then nothing is written. */
extern size_t nlp_token_bytes(const NlpTokenizer *t, int32_t id, bool show_special, char *buf, size_t cap);
/* Longest possible nlp_token_bytes over the vocabulary. */
extern size_t nlp_tokenizer_max_bytes(const NlpTokenizer *t);
/* Exact text of a special token to its id, -1 if there is none. */
extern int32_t nlp_tokenizer_find(const NlpTokenizer *t, const char *piece, size_t len);

/* A backend's half. Keeps tok (in the image) and alloc. */
extern NlpStatus nlp_coder_open(const NlpTokenizer *tok, const NlpAlloc *alloc, NlpCoder **coder, NlpError *err);
extern void nlp_coder_close(NlpCoder *coder);

#define NLP_ENCODE_SPECIAL 1u	/* texts of special tokens become those tokens */
#define NLP_ENCODE_NO_BOS 2u	/* leave out bos/eos that the vocabulary asks for */

typedef struct NlpTokens
{
	int32_t    *ids;			/* alloc'ed with env->alloc; caller frees with nlp_free */
	size_t		n;
	uint32_t   *starts;			/* NULL, or per token: byte offset of its first byte in the text */
} NlpTokens;

/* Encode valid UTF-8 (NLP_ETEXT with the offset otherwise). Time near-linear in
 * len, polls env for cancel. '' gives no tokens (or bos alone). want_starts fills
 * out->starts. max_tokens 0: no limit, else NLP_ELIMIT as soon as it is passed. */
extern NlpStatus nlp_encode(NlpCoder *coder, const NlpEnv *env, const char *text, size_t len,
							unsigned flags, bool want_starts, size_t max_tokens,
							NlpTokens *out, NlpError *err);

/* Decode ids to bytes appended to out: exact inverse of encode for text, including
 * SPM's leading-space rule. Bytes may not be valid UTF-8 when ids are arbitrary. */
extern NlpStatus nlp_decode(const NlpTokenizer *t, const int32_t *ids, size_t n, bool show_special,
							NlpBuf *out, NlpError *err);

/* The same for ids that come after others, as when a text is streamed: before is the
 * id just ahead of them, -1 at the beginning of a text. Only SPM's leading-space rule
 * looks at it. */
extern NlpStatus nlp_decode_after(const NlpTokenizer *t, int32_t before, const int32_t *ids, size_t n,
								  bool show_special, NlpBuf *out, NlpError *err);

#endif
