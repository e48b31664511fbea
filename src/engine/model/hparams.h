/* hparams.h --- the numbers that describe a decoder, one struct for all
 * architectures, stored in the resident image. Zero means "does not apply". */
#ifndef NLP_MODEL_HPARAMS_H
#define NLP_MODEL_HPARAMS_H

#include <stdint.h>

#include "kernel/rowwise.h"
#include "state/kv.h"

typedef struct NlpHparams
{
	uint32_t	n_vocab;		/* V */
	uint32_t	n_ctx;			/* longest sequence the model was made for */
	uint32_t	width;			/* D */
	uint32_t	n_layer;		/* L */
	uint32_t	n_head;			/* H */
	uint32_t	n_head_kv;		/* G */
	uint32_t	head_dim;		/* d */
	uint32_t	n_ff;			/* F */
	uint32_t	rot_dim;
	uint32_t	rope_interleaved;
	float		rope_base;
	float		rope_base_local;	/* layers with a window (gemma3); 0: rope_base */
	float		rope_scale;		/* linear: positions are divided by it; 0 or 1: none */
	float		rope_attn_factor;	/* multiplies cos and sin (longrope); 0: 1 */
	float		norm_eps;
	float		attn_scale;
	float		attn_softcap;
	float		logit_softcap;
	float		embed_scale;	/* 0: none */
	float		logit_scale;	/* 0: none */
	uint32_t	window;			/* 0: none */
	uint32_t	window_pattern; /* every Nth layer is global; 0: all layers use window; 1: none */
	uint32_t	activation;		/* NlpActivation */
} NlpHparams;

/* What the keys and values of a position look like. */
static inline NlpKvShape
nlp_hparams_kv(const NlpHparams *h)
{
	return (NlpKvShape) {(int) h->n_layer, (int) h->n_head_kv, (int) h->head_dim};
}

#endif
