/* qwen2.c --- Qwen 2 and 2.5: Llama's block with biases on queries, keys and
 * values (they are in the file) and rotary pairs half a head apart. Source: Yang 2024. */
#include "model/blocks.h"
#include "engine_only.h"

static const NlpDecoderTraits traits = {0};

static NlpStatus
hparams(const NlpGguf *g, NlpHparams *h, NlpError *err)
{
	NLP_TRY(nlp_hparams_common(g, "qwen2", h, err));
	h->activation = NLP_ACTIVATION_SILU;
	h->window = 0;				/* the published models have use_sliding_window off */
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

const NlpArch nlp_arch_qwen2 = {"qwen2", hparams, slots, step};
