/* image.h --- the resident image: one relocatable block that holds everything a
 * backend needs of a model. Header, hyper-parameters, packed weights, tokenizer
 * tables, chat template. Offsets only; read-only once published.
 *
 * Two steps, so that the server can reserve memory in between:
 *   plan   parse and check the GGUF header, the vocabulary and every tensor's
 *          name, shape and type; compute the size.
 *   build  read tensor data in file order and pack it into the block.
 * A file with a vocabulary and no tensors gives a tokenizer image. */
#ifndef NLP_MODEL_IMAGE_H
#define NLP_MODEL_IMAGE_H

#include "model/arch.h"
#include "token/segment.h"
#include "token/token.h"
#include "wordvec/words.h"

#define NLP_TASK_GENERATION 1u
#define NLP_TASK_TOKENIZER 2u
#define NLP_TASK_WORD_VECTORS 4u
#define NLP_TASK_SEGMENTATION 8u
/* embedding, classification, tagging, ... take the next bits */

/* What an image holds beside its header: NlpImage.arch is an index into nlp_archs, or one of these. */
#define NLP_IMAGE_TOKENIZER UINT32_MAX	/* a tokenizer only */
#define NLP_IMAGE_WORDS (UINT32_MAX - 1)	/* an NlpWords (wordvec/words.h), no tokenizer */
#define NLP_IMAGE_SEGMENTER (UINT32_MAX - 2)	/* an NlpSegmenter (token/segment.h), no tokenizer */

typedef struct NlpImage
{
	char		magic[8];		/* "NLPIMG1" */
	uint64_t	abi_hash;		/* layout version of this build; another build's image is refused */
	uint64_t	bytes;			/* whole block */
	uint32_t	arch;			/* index into nlp_archs, or NLP_IMAGE_* */
	uint32_t	tasks;			/* NLP_TASK_* */
	NlpHparams	hparams;
	uint64_t	parameters;		/* weights counted once */
	uint64_t	weights_offset; /* NlpWeight[n_weights] */
	uint32_t	n_weights;
	uint32_t	reserved;
	uint64_t	tokenizer_offset;
	uint64_t	tokenizer_bytes;
	uint64_t	template_offset;	/* chat template, NUL-terminated; 0: none */
	uint64_t	template_bytes; /* without the NUL */
	uint64_t	table_offset;	/* NlpWords or NlpSegmenter; 0: none */
	uint64_t	table_bytes;
	char		name[64];		/* general.architecture */
} NlpImage;

typedef struct NlpImagePlan NlpImagePlan;

extern NlpStatus nlp_image_plan(const NlpSource *src, const NlpEnv *env, NlpImagePlan **plan, NlpError *err);
extern void nlp_image_plan_free(NlpImagePlan *plan);
extern uint64_t nlp_image_plan_bytes(const NlpImagePlan *plan); /* size of the block */
extern const NlpImage *nlp_image_plan_header(const NlpImagePlan *plan);	/* what build will write first */

/* Fill block (nlp_image_plan_bytes, 64-aligned, need not be zeroed: every byte is
 * written). src must be the same file. Cancellable; on error block is garbage.
 * done, when not NULL, is updated with bytes read, for progress. */
extern NlpStatus nlp_image_build(NlpImagePlan *plan, const NlpSource *src, const NlpEnv *env,
								 void *block, volatile uint64_t *done, NlpError *err);

/* Read and check all tensor data as build does (scales and values that are not finite
 * are refused), keeping none of it. Cancellable. */
extern NlpStatus nlp_image_verify(NlpImagePlan *plan, const NlpSource *src, const NlpEnv *env, NlpError *err);

/* Check magic, abi and bounds of a finished block; keeps nothing. */
extern NlpStatus nlp_image_check(const void *block, uint64_t bytes, NlpError *err);

static inline const NlpWeight *
nlp_image_weights(const NlpImage *im)
{
	return (const NlpWeight *) ((const char *) im + im->weights_offset);
}

static inline bool
nlp_image_is_network(const NlpImage *im)
{
	return im->arch < NLP_IMAGE_SEGMENTER;
}

static inline bool
nlp_image_has_tokenizer(const NlpImage *im)
{
	return nlp_image_is_network(im) || im->arch == NLP_IMAGE_TOKENIZER;
}

static inline const NlpWords *
nlp_image_words(const NlpImage *im)
{
	return im->arch == NLP_IMAGE_WORDS ? (const NlpWords *) ((const char *) im + im->table_offset) : NULL;
}

static inline const NlpSegmenter *
nlp_image_segmenter(const NlpImage *im)
{
	return im->arch == NLP_IMAGE_SEGMENTER ? (const NlpSegmenter *) ((const char *) im + im->table_offset) : NULL;
}

static inline const NlpTokenizer *
nlp_image_tokenizer(const NlpImage *im)
{
	return (const NlpTokenizer *) ((const char *) im + im->tokenizer_offset);
}

#endif
