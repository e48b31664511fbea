/* program.h --- a network as a list of ops over [rows, width] values.
 *
 * Values are ragged: [tokens, width] for all sequences of a step together. Row
 * counts are symbolic; nlp_plan (plan.h) lays the values out for a capacity once,
 * and the executor (exec.h) runs the list for any smaller step without building
 * anything. Ops name weights by slot, never by pointer, so one program serves
 * packed blocks at inference and f32 masters in training. */
#ifndef NLP_GRAPH_PROGRAM_H
#define NLP_GRAPH_PROGRAM_H

#include "core/env.h"
#include "kernel/rowwise.h"

typedef uint16_t NlpVal;		/* index into values; NLP_NO_VAL: none */
typedef uint16_t NlpSlot;		/* index into the image's weights; NLP_NO_SLOT: none */
#define NLP_NO_VAL 0xffff
#define NLP_NO_SLOT 0xffff

typedef enum NlpRows
{
	NLP_ROWS_TOKENS = 0,		/* every token of the step */
	NLP_ROWS_OUTPUTS			/* tokens whose output is wanted */
} NlpRows;

typedef enum NlpOpKind
{
	NLP_OP_EMBED = 1,			/* out = table[ids] * scale; ids are tokens or positions */
	NLP_OP_GATHER_ROWS,			/* out[outputs] = in[the rows wanted] */
	NLP_OP_LINEAR,				/* up to 3 products of one input: out_i = in W_i^T + b_i (+ residual) */
	NLP_OP_RMSNORM,				/* over width, or per group of `dim` columns with one w[dim] */
	NLP_OP_LAYERNORM,
	NLP_OP_ADD,
	NLP_OP_ACT,
	NLP_OP_GLU,					/* out = act(a) * b; b may be NO_VAL: a is [rows, 2F], gate first */
	NLP_OP_ROPE,				/* in place on value a */
	NLP_OP_KV_WRITE,			/* a = keys, b = values of this layer */
	NLP_OP_ATTN_PAGED,			/* out = attention(a = queries) over the layer's pages */
	NLP_OP_SCALE,
	NLP_OP_SOFTCAP
} NlpOpKind;

typedef struct NlpOp
{
	uint8_t		kind;			/* NlpOpKind */
	uint8_t		n;				/* LINEAR: products */
	uint16_t	layer;
	NlpVal		out[3];
	NlpVal		a,
				b;				/* inputs */
	NlpVal		residual;		/* LINEAR with n == 1: added to out; may be out itself */
	NlpSlot		w[3];
	NlpSlot		bias[3];
	uint16_t	heads;			/* ROPE, RMSNORM per head, ATTN */
	uint16_t	kv_heads;
	uint16_t	dim;			/* head width, or group width */
	uint16_t	rot_dim;
	uint8_t		activation;		/* NlpActivation */
	uint8_t		positions;		/* EMBED: ids are positions */
	uint8_t		interleaved;	/* ROPE */
	uint8_t		local;			/* ROPE: the local table */
	float		f;				/* eps, scale or cap */
	float		softcap;		/* ATTN */
	uint32_t	window;			/* ATTN */
	uint32_t	col,			/* first column of a, and of b: views into fused values (qkv) */
				col_b;
} NlpOp;

typedef struct NlpValue
{
	uint32_t	width;
	uint8_t		rows;			/* NlpRows */
	uint8_t		keep;			/* lives to the end (logits, hidden states asked for) */
} NlpValue;

typedef struct NlpProgram
{
	NlpArena	arena;
	NlpValue   *values;
	uint32_t	n_values,
				cap_values;
	NlpOp	   *ops;
	uint32_t	n_ops,
				cap_ops;
	NlpVal		hidden;			/* final hidden state of OUTPUTS rows */
	NlpVal		logits;			/* [outputs, V], or NO_VAL */
	float		rope_base,
				rope_base_local,	/* of ops marked local; 0: none are */
				rope_scale;		/* positions are divided by it; 0: 1 */
	float		rope_attn_factor;	/* multiplies cos and sin; 0: 1 */
	uint32_t	rot_dim;		/* 0: no rotary embedding */
	NlpSlot		rope_factors;	/* f32[rot_dim/2] frequency divisors, or NO_SLOT */
	bool		failed;			/* an append ran out of memory; checked once at the end */
} NlpProgram;

extern void nlp_program_init(NlpProgram *p, const NlpAlloc *alloc);
extern void nlp_program_free(NlpProgram *p);
extern NlpVal nlp_program_value(NlpProgram *p, uint32_t width, NlpRows rows);
extern NlpOp *nlp_program_op(NlpProgram *p, NlpOpKind kind);	/* never NULL: a scratch op once failed */

#endif
