/* qwen3.c --- Qwen 3: RMSNorm over each query and key head, no biases. Source: Yang 2025. */
#include "model/blocks.h"
#include "engine_only.h"

static const NlpDecoderTraits traits = {.qk_norm = true};

static NlpStatus
hparams(const NlpGguf *g, NlpHparams *h, NlpError *err)
{
	NLP_TRY(nlp_hparams_common(g, "qwen3", h, err));
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

const NlpArch nlp_arch_qwen3 = {"qwen3", hparams, slots, step};
