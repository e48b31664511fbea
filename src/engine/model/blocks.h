/* blocks.h --- the pre-norm decoder that most architectures are variations of.
 *
 * An architecture file reads its hyper-parameters and says by traits how it
 * differs; the slots and the step program follow from those. Biases and rotary
 * frequency factors are optional everywhere: used when the file has them. */
#ifndef NLP_MODEL_BLOCKS_H
#define NLP_MODEL_BLOCKS_H

#include "model/arch.h"

typedef struct NlpDecoderTraits
{
	bool		layernorm;		/* LayerNorm with bias in place of RMSNorm (gpt2) */
	bool		learned_positions;	/* position_embd added to the words; no rotary (gpt2) */
	bool		fused_qkv;		/* one attn_qkv matrix, rows q then k then v (gpt2, phi3) */
	bool		fused_gate_up;	/* ffn_up holds gate rows, then up rows (phi3) */
	bool		plain_ffn;		/* up, activation, down; no gate (gpt2) */
	bool		qk_norm;		/* RMSNorm over each query and key head (qwen3, gemma3) */
	bool		longrope;		/* rotary factors come as a short and a long set (phi3) */
	bool		post_norm;		/* RMSNorm on each block's output before the residual (gemma2, gemma3) */
} NlpDecoderTraits;

extern void nlp_decoder_slots(const NlpDecoderTraits *traits, const NlpHparams *h, NlpSlotTable *t);
extern void nlp_decoder_step_program(const NlpDecoderTraits *traits, const NlpHparams *h,
									 const NlpWeight *w, NlpProgram *p);

#endif
