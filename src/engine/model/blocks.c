/* blocks.c --- slots and step program of the pre-norm decoder.
 *
 * Per layer (Vaswani 2017 with the changes named in hparams.h):
 *   x += O(attention(rope(Q n), rope(K n), V n)),   n = norm(x)
 *   x += Down(act(Gate m) * Up m),                  m = norm(x)
 * then a final norm of the rows whose output is wanted, and the head. */
#include "model/blocks.h"
#include "engine_only.h"

/* Slots in declaration order. Every architecture declares all of them; those it
 * does not have stay undeclared names marked optional, so numbers never move. */
enum
{
	EMBED, POSITIONS, OUT_NORM, OUT_NORM_B, OUTPUT, OUTPUT_B, ROPE_FACTORS, ROPE_LONG, FIRST_LAYER
};
enum
{
	ATTN_NORM, ATTN_NORM_B, QKV, Q, K, V, QKV_B, Q_B, K_B, V_B, Q_NORM, K_NORM, O, O_B,
	ATTN_POST_NORM, FFN_NORM, FFN_NORM_B, GATE, UP, DOWN, GATE_B, UP_B, DOWN_B, FFN_POST_NORM,
	LAYER_SLOTS
};

static NlpSlot
layer_slot(uint32_t layer, int which)
{
	return (NlpSlot) (FIRST_LAYER + layer * LAYER_SLOTS + which);
}

/* A slot this architecture never has: declared so that numbering is fixed. */
static void
unused(NlpSlotTable *t)
{
	nlp_slot_optional(t, nlp_slot_vector(t, 1, "%s", ""));
}

static void
matrix_if(NlpSlotTable *t, bool have, uint64_t rows, uint64_t cols, const char *name, uint32_t layer)
{
	if (have)
		nlp_slot_matrix(t, rows, cols, "blk.%u.%s.weight", layer, name);
	else
		unused(t);
}

static void
vector_if(NlpSlotTable *t, bool have, bool optional, uint64_t cols, const char *name, const char *kind,
		  uint32_t layer)
{
	NlpSlot		s;

	if (!have)
	{
		unused(t);
		return;
	}
	s = nlp_slot_vector(t, cols, "blk.%u.%s.%s", layer, name, kind);
	if (optional)
		nlp_slot_optional(t, s);
}

static void
layer_slots(const NlpDecoderTraits *tr, const NlpHparams *h, uint32_t l, NlpSlotTable *t)
{
	uint64_t	D = h->width,
				Hd = (uint64_t) h->n_head * h->head_dim,
				Gd = (uint64_t) h->n_head_kv * h->head_dim,
				F = h->n_ff;
	bool		gate = !tr->plain_ffn && !tr->fused_gate_up;

	vector_if(t, true, false, D, "attn_norm", "weight", l);
	vector_if(t, tr->layernorm, false, D, "attn_norm", "bias", l);
	matrix_if(t, tr->fused_qkv, Hd + 2 * Gd, D, "attn_qkv", l);
	matrix_if(t, !tr->fused_qkv, Hd, D, "attn_q", l);
	matrix_if(t, !tr->fused_qkv, Gd, D, "attn_k", l);
	matrix_if(t, !tr->fused_qkv, Gd, D, "attn_v", l);
	vector_if(t, tr->fused_qkv, true, Hd + 2 * Gd, "attn_qkv", "bias", l);
	vector_if(t, !tr->fused_qkv, true, Hd, "attn_q", "bias", l);
	vector_if(t, !tr->fused_qkv, true, Gd, "attn_k", "bias", l);
	vector_if(t, !tr->fused_qkv, true, Gd, "attn_v", "bias", l);
	vector_if(t, tr->qk_norm, false, h->head_dim, "attn_q_norm", "weight", l);
	vector_if(t, tr->qk_norm, false, h->head_dim, "attn_k_norm", "weight", l);
	matrix_if(t, true, D, Hd, "attn_output", l);
	vector_if(t, true, true, D, "attn_output", "bias", l);
	vector_if(t, tr->post_norm, false, D, "post_attention_norm", "weight", l);
	vector_if(t, true, false, D, "ffn_norm", "weight", l);
	vector_if(t, tr->layernorm, false, D, "ffn_norm", "bias", l);
	matrix_if(t, gate, F, D, "ffn_gate", l);
	matrix_if(t, true, tr->fused_gate_up ? 2 * F : F, D, "ffn_up", l);
	matrix_if(t, true, D, F, "ffn_down", l);
	vector_if(t, gate, true, F, "ffn_gate", "bias", l);
	vector_if(t, true, true, tr->fused_gate_up ? 2 * F : F, "ffn_up", "bias", l);
	vector_if(t, true, true, D, "ffn_down", "bias", l);
	vector_if(t, tr->post_norm, false, D, "post_ffw_norm", "weight", l);
}

void
nlp_decoder_slots(const NlpDecoderTraits *tr, const NlpHparams *h, NlpSlotTable *t)
{
	NlpSlot		embed = nlp_slot_matrix(t, h->n_vocab, h->width, "token_embd.weight");
	NlpSlot		output;

	if (tr->learned_positions)
		nlp_slot_matrix(t, h->n_ctx, h->width, "position_embd.weight");
	else
		unused(t);
	nlp_slot_vector(t, h->width, "output_norm.weight");
	if (tr->layernorm)
		nlp_slot_vector(t, h->width, "output_norm.bias");
	else
		unused(t);
	output = nlp_slot_matrix(t, h->n_vocab, h->width, "output.weight");
	nlp_slot_tied(t, output, embed);
	nlp_slot_optional(t, nlp_slot_vector(t, h->n_vocab, "output.bias"));
	/* Rotary frequency divisors: Llama 3's, or Phi-3's for the original context (its
	 * factors for longer texts are in the file too; contexts stop before they apply). */
	if (h->rot_dim)
		nlp_slot_optional(t, nlp_slot_vector(t, h->rot_dim / 2, "%s",
											 tr->longrope ? "rope_factors_short.weight" : "rope_freqs.weight"));
	else
		unused(t);
	if (tr->longrope)
		nlp_slot_optional(t, nlp_slot_vector(t, h->rot_dim / 2, "rope_factors_long.weight"));
	else
		unused(t);
	for (uint32_t l = 0; l < h->n_layer; l++)
		layer_slots(tr, h, l, t);
}

/* ---- the program ---- */

typedef struct Builder
{
	const NlpDecoderTraits *tr;
	const NlpHparams *h;
	const NlpWeight *w;
	NlpProgram *p;
} Builder;

static NlpSlot
present(const Builder *b, NlpSlot s)
{
	return b->w[s].layout == NLP_LAYOUT_ABSENT ? NLP_NO_SLOT : s;
}

static NlpVal
norm(Builder *b, NlpVal x, NlpSlot weight, NlpSlot bias)
{
	NlpValue	v;
	NlpVal		out;
	NlpOp	   *op;

	if (b->p->failed)
		return 0;
	v = b->p->values[x];
	out = nlp_program_value(b->p, v.width, v.rows);
	op = nlp_program_op(b->p, b->tr->layernorm ? NLP_OP_LAYERNORM : NLP_OP_RMSNORM);
	op->a = x;
	op->out[0] = out;
	op->w[0] = weight;
	if (b->tr->layernorm)
		op->bias[0] = bias;
	op->f = b->h->norm_eps;
	return out;
}

/* out = x W^T + bias, with the residual added when there is one. */
static NlpVal
linear(Builder *b, NlpVal x, NlpSlot w, NlpSlot bias, NlpVal residual)
{
	NlpVal		out = residual;
	NlpOp	   *op;

	if (b->p->failed)
		return 0;
	if (residual == NLP_NO_VAL)
		out = nlp_program_value(b->p, (uint32_t) b->w[w].rows, b->p->values[x].rows);
	op = nlp_program_op(b->p, NLP_OP_LINEAR);
	op->n = 1;
	op->a = x;
	op->out[0] = out;
	op->w[0] = w;
	op->bias[0] = present(b, bias);
	op->residual = residual;
	return out;
}

static void
head_norm(Builder *b, NlpVal x, NlpSlot w, uint32_t col, uint32_t heads)
{
	NlpOp	   *op = nlp_program_op(b->p, NLP_OP_RMSNORM);

	op->a = op->out[0] = x;
	op->w[0] = w;
	op->heads = (uint16_t) heads;
	op->dim = (uint16_t) b->h->head_dim;
	op->col = col;
	op->f = b->h->norm_eps;
}

static void
rope(Builder *b, NlpVal x, uint32_t col, uint32_t heads, bool local)
{
	NlpOp	   *op;

	if (!b->h->rot_dim)
		return;
	op = nlp_program_op(b->p, NLP_OP_ROPE);
	op->a = op->out[0] = x;
	op->col = col;
	op->heads = (uint16_t) heads;
	op->dim = (uint16_t) b->h->head_dim;
	op->rot_dim = (uint16_t) b->h->rot_dim;
	op->interleaved = (uint8_t) b->h->rope_interleaved;
	op->local = local && b->h->rope_base_local != 0;
}

/* Whether layer l attends through the window only. */
static bool
is_local(const NlpHparams *h, uint32_t l)
{
	if (h->window == 0)
		return false;
	return h->window_pattern == 0 || (l + 1) % h->window_pattern != 0;
}

/* Queries, keys and values of a layer: three values, or one with columns q | k | v. */
static NlpVal
attention(Builder *b, uint32_t l, NlpVal x)
{
	const NlpHparams *h = b->h;
	uint32_t	Hd = h->n_head * h->head_dim,
				Gd = h->n_head_kv * h->head_dim;
	NlpVal		q,
				k,
				v,
				out;
	uint32_t	k_col = 0,
				v_col = 0;
	bool		local = is_local(h, l);
	NlpOp	   *op;

	if (b->tr->fused_qkv)
	{
		q = k = v = linear(b, x, layer_slot(l, QKV), layer_slot(l, QKV_B), NLP_NO_VAL);
		k_col = Hd;
		v_col = Hd + Gd;
	}
	else
	{
		q = nlp_program_value(b->p, Hd, NLP_ROWS_TOKENS);
		k = nlp_program_value(b->p, Gd, NLP_ROWS_TOKENS);
		v = nlp_program_value(b->p, Gd, NLP_ROWS_TOKENS);
		op = nlp_program_op(b->p, NLP_OP_LINEAR);
		op->n = 3;
		op->a = x;
		op->out[0] = q;
		op->out[1] = k;
		op->out[2] = v;
		for (int i = 0; i < 3; i++)
		{
			op->w[i] = layer_slot(l, Q + i);
			op->bias[i] = present(b, layer_slot(l, Q_B + i));
		}
	}
	if (b->tr->qk_norm)
	{
		head_norm(b, q, layer_slot(l, Q_NORM), 0, h->n_head);
		head_norm(b, k, layer_slot(l, K_NORM), k_col, h->n_head_kv);
	}
	rope(b, q, 0, h->n_head, local);
	rope(b, k, k_col, h->n_head_kv, local);

	op = nlp_program_op(b->p, NLP_OP_KV_WRITE);
	op->layer = (uint16_t) l;
	op->a = k;
	op->col = k_col;
	op->b = v;
	op->col_b = v_col;
	op->kv_heads = (uint16_t) h->n_head_kv;
	op->dim = (uint16_t) h->head_dim;

	out = nlp_program_value(b->p, Hd, NLP_ROWS_TOKENS);
	op = nlp_program_op(b->p, NLP_OP_ATTN_PAGED);
	op->layer = (uint16_t) l;
	op->a = q;
	op->out[0] = out;
	op->heads = (uint16_t) h->n_head;
	op->kv_heads = (uint16_t) h->n_head_kv;
	op->dim = (uint16_t) h->head_dim;
	op->f = h->attn_scale;
	op->softcap = h->attn_softcap;
	op->window = local ? h->window : 0;
	return out;
}

static NlpVal
feed_forward(Builder *b, uint32_t l, NlpVal x)
{
	const NlpHparams *h = b->h;
	NlpVal		up,
				gate = NLP_NO_VAL,
				out;
	NlpOp	   *op;

	if (b->tr->plain_ffn || b->tr->fused_gate_up)
		up = linear(b, x, layer_slot(l, UP), layer_slot(l, UP_B), NLP_NO_VAL);
	else
	{
		gate = nlp_program_value(b->p, h->n_ff, NLP_ROWS_TOKENS);
		up = nlp_program_value(b->p, h->n_ff, NLP_ROWS_TOKENS);
		op = nlp_program_op(b->p, NLP_OP_LINEAR);
		op->n = 2;
		op->a = x;
		op->out[0] = gate;
		op->out[1] = up;
		op->w[0] = layer_slot(l, GATE);
		op->w[1] = layer_slot(l, UP);
		op->bias[0] = present(b, layer_slot(l, GATE_B));
		op->bias[1] = present(b, layer_slot(l, UP_B));
	}
	out = nlp_program_value(b->p, h->n_ff, NLP_ROWS_TOKENS);
	op = nlp_program_op(b->p, b->tr->plain_ffn ? NLP_OP_ACT : NLP_OP_GLU);
	op->activation = (uint8_t) h->activation;
	op->a = gate != NLP_NO_VAL ? gate : up;
	if (gate != NLP_NO_VAL)
		op->b = up;
	op->out[0] = out;
	return out;
}

/* x += [norm of] W in, in place. */
static void
add_block(Builder *b, NlpVal x, NlpVal in, NlpSlot w, NlpSlot bias, NlpSlot post_norm)
{
	NlpOp	   *op;
	NlpVal		y;

	if (!b->tr->post_norm)
	{
		linear(b, in, w, bias, x);
		return;
	}
	y = linear(b, in, w, bias, NLP_NO_VAL);
	y = norm(b, y, post_norm, NLP_NO_SLOT);
	op = nlp_program_op(b->p, NLP_OP_ADD);
	op->a = x;
	op->b = y;
	op->out[0] = x;
}

static NlpVal
embed(Builder *b)
{
	NlpVal		x = nlp_program_value(b->p, b->h->width, NLP_ROWS_TOKENS);
	NlpOp	   *op = nlp_program_op(b->p, NLP_OP_EMBED);

	op->out[0] = x;
	op->w[0] = EMBED;
	op->f = b->h->embed_scale;
	if (b->tr->learned_positions)
	{
		NlpVal		pos = nlp_program_value(b->p, b->h->width, NLP_ROWS_TOKENS);

		op = nlp_program_op(b->p, NLP_OP_EMBED);
		op->out[0] = pos;
		op->w[0] = POSITIONS;
		op->positions = 1;
		op = nlp_program_op(b->p, NLP_OP_ADD);
		op->a = x;
		op->b = pos;
		op->out[0] = x;
	}
	return x;
}

static void
head(Builder *b, NlpVal x)
{
	NlpProgram *p = b->p;
	NlpVal		rows = nlp_program_value(p, b->h->width, NLP_ROWS_OUTPUTS);
	NlpOp	   *op = nlp_program_op(p, NLP_OP_GATHER_ROWS);

	op->a = x;
	op->out[0] = rows;
	p->hidden = norm(b, rows, OUT_NORM, OUT_NORM_B);
	p->logits = linear(b, p->hidden, OUTPUT, OUTPUT_B, NLP_NO_VAL);
	if (p->failed)
		return;
	p->values[p->hidden].keep = 1;
	p->values[p->logits].keep = 1;
	if (b->h->logit_scale != 0)
	{
		op = nlp_program_op(p, NLP_OP_SCALE);
		op->a = op->out[0] = p->logits;
		op->f = b->h->logit_scale;
	}
	if (b->h->logit_softcap != 0)
	{
		op = nlp_program_op(p, NLP_OP_SOFTCAP);
		op->a = op->out[0] = p->logits;
		op->f = b->h->logit_softcap;
	}
}

void
nlp_decoder_step_program(const NlpDecoderTraits *tr, const NlpHparams *h, const NlpWeight *w, NlpProgram *p)
{
	Builder		b = {tr, h, w, p};
	NlpVal		x;

	p->rope_base = h->rope_base;
	p->rope_base_local = h->rope_base_local;
	p->rope_scale = h->rope_scale;
	p->rope_attn_factor = h->rope_attn_factor;
	p->rot_dim = h->rot_dim;
	p->rope_factors = present(&b, ROPE_FACTORS);
	x = embed(&b);
	for (uint32_t l = 0; l < h->n_layer && !p->failed; l++)
	{
		NlpVal		n = norm(&b, x, layer_slot(l, ATTN_NORM), layer_slot(l, ATTN_NORM_B));

		add_block(&b, x, attention(&b, l, n), layer_slot(l, O), layer_slot(l, O_B),
				  layer_slot(l, ATTN_POST_NORM));
		n = norm(&b, x, layer_slot(l, FFN_NORM), layer_slot(l, FFN_NORM_B));
		add_block(&b, x, feed_forward(&b, l, n), layer_slot(l, DOWN), layer_slot(l, DOWN_B),
				  layer_slot(l, FFN_POST_NORM));
	}
	if (!p->failed)
		head(&b, x);
}
