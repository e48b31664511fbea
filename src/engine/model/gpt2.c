/* gpt2.c --- GPT-2: LayerNorm, learned positions, fused queries, keys and values, a
 * plain feed-forward with tanh-GELU, biases throughout. Source: Radford 2019. */
#include "model/blocks.h"
#include "engine_only.h"

static const NlpDecoderTraits traits = {.layernorm = true, .learned_positions = true, .fused_qkv = true, .plain_ffn = true};

static NlpStatus
hparams(const NlpGguf *g, NlpHparams *h, NlpError *err)
{
	NLP_TRY(nlp_hparams_common(g, "gpt2", h, err));
	h->activation = NLP_ACTIVATION_GELU_TANH;
	h->rot_dim = 0;
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

const NlpArch nlp_arch_gpt2 = {"gpt2", hparams, slots, step};
