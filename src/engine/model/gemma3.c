/* gemma3.c --- Gemma 3: like Gemma 2 without soft caps, with normed queries and keys;
 * five windowed layers (rotary base 10,000) to each global one. Source: Kamath 2025. */
#include <math.h>

#include "model/blocks.h"
#include "engine_only.h"

static const NlpDecoderTraits traits = {.post_norm = true, .qk_norm = true};

static NlpStatus
hparams(const NlpGguf *g, NlpHparams *h, NlpError *err)
{
	NLP_TRY(nlp_hparams_common(g, "gemma3", h, err));
	h->activation = NLP_ACTIVATION_GELU_TANH;
	h->embed_scale = sqrtf((float) h->width);
	h->window_pattern = 6;
	h->rope_base_local = 10000.0f;
	/* Files do not say so, but the 27B model (62 layers) scales by D/H, not by d. */
	if (h->n_layer == 62)
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

const NlpArch nlp_arch_gemma3 = {"gemma3", hparams, slots, step};
