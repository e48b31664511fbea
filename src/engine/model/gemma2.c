/* gemma2.c --- Gemma 2: word vectors scaled by sqrt(D), norms after each block too, soft
 * caps on scores and logits, every other layer windowed. Source: Riviere 2024. */
#include <math.h>

#include "model/blocks.h"
#include "engine_only.h"

static const NlpDecoderTraits traits = {.post_norm = true};

static NlpStatus
hparams(const NlpGguf *g, NlpHparams *h, NlpError *err)
{
	NLP_TRY(nlp_hparams_common(g, "gemma2", h, err));
	h->activation = NLP_ACTIVATION_GELU_TANH;
	h->embed_scale = sqrtf((float) h->width);
	h->window_pattern = 2;
	/* Files do not say so, but the 27B model (46 layers) scales by D/H, not by d. */
	if (h->n_layer == 46)
		h->attn_scale = 1.0f / sqrtf((float) h->width / (float) h->n_head);
	return NLP_OK;
}

static void
slots(const NlpHparams *h, NlpSlotTable *t)
{
	nlp_decoder_slots(&traits, h, t);
}

static void
step(const NlpHparams *h, const NlpWeight *w, NlpProgram *p)
{
	nlp_decoder_step_program(&traits, h, w, p);
}

const NlpArch nlp_arch_gemma2 = {"gemma2", hparams, slots, step};
