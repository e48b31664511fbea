/* phi3.c --- Phi-3, 3.5 and 4-mini: one matrix for queries, keys and values, one for
 * gate and up; rotary pairs half apart; longrope factors. Source: Abdin 2024. */
#include "model/blocks.h"
#include "engine_only.h"

static const NlpDecoderTraits traits = {.fused_qkv = true, .fused_gate_up = true, .longrope = true};

static NlpStatus
hparams(const NlpGguf *g, NlpHparams *h, NlpError *err)
{
	NLP_TRY(nlp_hparams_common(g, "phi3", h, err));
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

const NlpArch nlp_arch_phi3 = {"phi3", hparams, slots, step};
