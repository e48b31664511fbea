/* hf_private.h --- what the files of the Hugging Face import share.
 *
 *   hf_import.c    the files, the order of work     hf_config.c   config.json to <arch>.* keys
 *   hf_tensor.c    names, types, transforms, data   hf_token.c    tokenizer.json to tokenizer.ggml.*
 *   hf_pre.c       pre-tokenizers by their rules    hf_spm.c      SentencePiece: tokenizer.model, merges to scores
 *   hf_special.c   bos, eos and friends, templates */
#ifndef NLP_FORMAT_HF_PRIVATE_H
#define NLP_FORMAT_HF_PRIVATE_H

#include "format/hf_import.h"
#include "format/json.h"
#include "format/safetensors.h"

typedef enum HfFamily
{
	HF_LLAMA, HF_GPT2, HF_QWEN2, HF_QWEN3, HF_PHI3, HF_GEMMA2, HF_GEMMA3
} HfFamily;

typedef struct HfArch
{
	const char *model_type;		/* of config.json */
	const char *name;			/* general.architecture */
	HfFamily	family;
	const char *activation;		/* the one the engine computes */
	bool		tied;			/* tie_word_embeddings when config.json does not say */
} HfArch;

/* What later steps need of config.json. */
typedef struct HfShape
{
	uint32_t	n_layer,
				n_head,
				n_head_kv,
				head_dim,
				width,
				n_ctx;
	bool		tied;
} HfShape;

/* A tensor that is computed, not read (rotary factors). */
typedef struct HfExtra
{
	char		name[32];
	uint32_t	n;
	float	   *values;
} HfExtra;

typedef struct HfTensor HfTensor;	/* hf_tensor.c */

typedef struct HfImport
{
	const NlpHfFile *files;
	size_t		n_files;
	NlpHfOutput output;
	const char *model_name;
	const NlpEnv *env;
	NlpError   *err;
	NlpGgufWriter *w;
	NlpArena	arena;
	json_t	   *config;			/* config.json */
	json_t	   *text;			/* its text_config, or config itself; borrowed */
	json_t	   *tokenizer;		/* tokenizer.json, or NULL */
	json_t	   *tokenizer_config;	/* or NULL */
	json_t	   *generation;		/* generation_config.json, or NULL */
	const HfArch *arch;
	HfShape		shape;
	HfExtra		extra[2];
	uint32_t	n_extra;
	NlpSafetensors *shards;
	const NlpHfFile **shard_files;
	size_t		n_shards;
	HfTensor   *tensors;
	size_t		n_tensors;
	uint32_t	n_vocab;		/* rows of the word table */
} HfImport;

/* ---- hf_import.c ---- */
extern const NlpHfFile *hf_file(const HfImport *h, const char *name);	/* NULL: not given */
/* The whole file as text in the arena, NUL-terminated. */
extern NlpStatus hf_read(HfImport *h, const NlpHfFile *f, size_t max, NlpStr *text);
extern NlpStatus hf_no_memory(HfImport *h, size_t bytes);
extern void *hf_alloc(HfImport *h, size_t n, size_t size);	/* in the arena; NULL */

/* ---- hf_config.c ---- */
/* A member of text_config or of config.json; NULL when absent or null. names may
 * list alternatives: "hidden_size|n_embd". */
extern const json_t *hf_config_value(const HfImport *h, const char *names);
extern NlpStatus hf_config_read(HfImport *h);	/* arch, shape, extra; refuses what cannot be run */
extern NlpStatus hf_config_write(HfImport *h);	/* <arch>.* keys */

/* ---- hf_tensor.c ---- */
extern NlpStatus hf_tensors_map(HfImport *h);	/* every tensor of the shards; n_vocab */
extern uint32_t hf_file_type(const HfImport *h);	/* general.file_type */
extern NlpStatus hf_tensors_declare(HfImport *h);
extern NlpStatus hf_tensors_write(HfImport *h, const NlpSink *sink, volatile uint64_t *done);

/* ---- tokenizer ---- */
/* Tokens by id while they are gathered: texts, types and, for SPM, scores. */
typedef struct HfVocab
{
	uint32_t	n;
	NlpStr	   *texts;
	int32_t    *types;
	float	   *scores;			/* NULL for byte-level BPE */
} HfVocab;

#define HF_NORMAL 1
#define HF_UNKNOWN 2
#define HF_CONTROL 3
#define HF_USER 4
#define HF_UNUSED 5
#define HF_BYTE 6

extern NlpStatus hf_tokenizer_write(HfImport *h);	/* hf_token.c */
extern NlpStatus hf_added_tokens(HfImport *h, HfVocab *v);	/* hf_token.c */
extern NlpStatus hf_pretokenizer(HfImport *h, const char **name);	/* hf_pre.c */
extern NlpStatus hf_spm_model(HfImport *h, const NlpHfFile *f, HfVocab *v, bool *space_prefix); /* hf_spm.c */
extern NlpStatus hf_spm_scores(HfImport *h, HfVocab *v);	/* hf_spm.c */
extern NlpStatus hf_special_write(HfImport *h, const HfVocab *v);	/* hf_special.c */

static inline bool
hf_is(const json_t *v, const char *text)
{
	return json_is_string(v) && strcmp(json_string_value(v), text) == 0;
}

#endif
