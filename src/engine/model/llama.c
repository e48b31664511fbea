/* llama.c --- Llama 1-3, Mistral, SmolLM and others of GGUF architecture "llama":
 * RMSNorm, rotary embedding on interleaved pairs, grouped-query attention,
 * SwiGLU. Source: Touvron 2023; Jiang 2023 (Mistral). A sliding window in a
 * Mistral file is honoured. */
#include "model/blocks.h"
#include "engine_only.h"

static const NlpDecoderTraits traits = {0};

static NlpStatus
hparams(const NlpGguf *g, NlpHparams *h, NlpError *err)
{
	NLP_TRY(nlp_hparams_common(g, "llama", h, err));
	h->rope_interleaved = 1;
	h->activation = NLP_ACTIVATION_SILU;
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

const NlpArch nlp_arch_llama = {"llama", hparams, slots, step};
