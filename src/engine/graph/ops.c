/* ops.c --- what each op does. Row ops take a range of rows; products a range of
 * tiles; attention a unit of (segment, query block, kv head). Nothing allocates. */
#include <string.h>

#include "graph/exec_internal.h"
#include "engine_only.h"

#define PIECE_OPS 100000000.0	/* multiply-adds between two looks for an interrupt */

static void
op_embed(NlpExec *ex, const NlpOp *op, int from, int to)
{
	const NlpWeight *w = &ex->weights[op->w[0]];
	const int32_t *ids = op->positions ? ex->batch->positions : ex->batch->ids;
	size_t		ld = ex->plan.ld[op->out[0]];
	float	   *out = nlp_exec_value(ex, op->out[0]);

	for (int i = from; i < to; i++)
		nlp_unpack_row((NlpDtype) w->dtype, ex->image + w->offset, w->cols, (uint64_t) ids[i], out + i * ld);
	if (op->f != 0)
		nlp_scale(out + from * ld, ld, to - from, w->cols, op->f, out + from * ld, ld);
}

static void
op_gather(NlpExec *ex, const NlpOp *op, int from, int to)
{
	size_t		width = ex->program->values[op->a].width;
	const float *in = nlp_exec_value(ex, op->a);
	float	   *out = nlp_exec_value(ex, op->out[0]);

	for (int i = from; i < to; i++)
		memcpy(out + i * ex->plan.ld[op->out[0]], in + ex->batch->outputs[i] * ex->plan.ld[op->a],
			   width * sizeof(float));
}

/* Code the input of a product once for every kind its weights want. */
static void
op_code_input(NlpExec *ex, const NlpOp *op, int from, int to)
{
	unsigned	done = 0;
	size_t		ld = ex->plan.ld[op->a];
	const float *x = nlp_exec_value(ex, op->a);

	for (int k = 0; k < op->n; k++)
	{
		const NlpWeight *w = &ex->weights[op->w[k]];
		NlpActKind	kind = nlp_act_kind((NlpDtype) w->dtype);

		if (done & (1u << kind))
			continue;
		done |= 1u << kind;
		nlp_quantize_rows(kind, x + from * ld, ld, to - from, w->cols,
						  ex->act[kind] + (size_t) from * nlp_act_row_bytes(kind, w->cols));
	}
}

static void
op_norm(NlpExec *ex, const NlpOp *op, int from, int to)
{
	size_t		lda = ex->plan.ld[op->a],
				ldo = ex->plan.ld[op->out[0]];
	float	   *in = nlp_exec_value(ex, op->a),
			   *out = nlp_exec_value(ex, op->out[0]);
	const float *w = nlp_exec_vector(ex, op->w[0]);
	size_t		width = ex->program->values[op->a].width;

	if (op->kind == NLP_OP_LAYERNORM)
		nlp_layernorm(in + from * lda, lda, to - from, width, w, nlp_exec_vector(ex, op->bias[0]), op->f,
					  out + from * ldo, ldo);
	else if (op->heads)
	{
		for (int i = from; i < to; i++)
			nlp_rmsnorm(in + i * lda + op->col, op->dim, op->heads, op->dim, w, op->f,
						out + i * ldo + op->col, op->dim);
	}
	else
		nlp_rmsnorm(in + from * lda, lda, to - from, width, w, op->f, out + from * ldo, ldo);
}

static void
op_elementwise(NlpExec *ex, const NlpOp *op, int from, int to)
{
	size_t		lda = ex->plan.ld[op->a],
				ldo = ex->plan.ld[op->out[0]],
				ldb = op->b == NLP_NO_VAL ? 0 : ex->plan.ld[op->b];
	int			m = to - from;
	size_t		width = ex->program->values[op->out[0]].width;
	const float *a = nlp_exec_value(ex, op->a) + from * lda;
	const float *b = op->b == NLP_NO_VAL ? NULL : nlp_exec_value(ex, op->b) + from * ldb;
	float	   *out = nlp_exec_value(ex, op->out[0]) + from * ldo;

	switch (op->kind)
	{
		case NLP_OP_ADD:
			nlp_add(a, lda, b, ldb, m, width, out, ldo);
			break;
		case NLP_OP_ACT:
			nlp_activate((NlpActivation) op->activation, a, lda, m, width, out, ldo);
			break;
		case NLP_OP_GLU:
			if (!b)
			{
				b = a + width;
				ldb = lda;
			}
			nlp_glu((NlpActivation) op->activation, a, lda, b, ldb, m, width, out, ldo);
			break;
		case NLP_OP_SCALE:
			nlp_scale(a, lda, m, width, op->f, out, ldo);
			break;
		default:
			nlp_softcap(a, lda, m, width, op->f, out, ldo);
	}
}

static void
op_rope(NlpExec *ex, const NlpOp *op, int from, int to)
{
	size_t		ld = ex->plan.ld[op->a];

	nlp_rope(nlp_exec_value(ex, op->a) + from * ld + op->col, ld, to - from, op->heads, op->dim, op->rot_dim,
			 ex->cos_sin[op->local] + (size_t) from * op->rot_dim, op->interleaved);
}

static void
op_kv_write(NlpExec *ex, const NlpOp *op, int from, int to)
{
	const float *k = nlp_exec_value(ex, op->a) + op->col;
	const float *v = nlp_exec_value(ex, op->b) + op->col_b;

	for (int i = from; i < to; i++)
	{
		int			pos = ex->batch->positions[i];

		nlp_kv_store(nlp_kv_layer_page(ex->kv, ex->batch->seqs[i], op->layer, pos), pos % NLP_KV_PAGE,
					 op->kv_heads, op->dim, k + i * ex->plan.ld[op->a], v + i * ex->plan.ld[op->b]);
	}
}

static void
run_row_op(NlpExec *ex, const NlpOp *op, int from, int to)
{
	switch (op->kind)
	{
		case NLP_OP_EMBED:
			op_embed(ex, op, from, to);
			break;
		case NLP_OP_GATHER_ROWS:
			op_gather(ex, op, from, to);
			break;
		case NLP_OP_LINEAR:
			op_code_input(ex, op, from, to);
			break;
		case NLP_OP_RMSNORM:
		case NLP_OP_LAYERNORM:
			op_norm(ex, op, from, to);
			break;
		case NLP_OP_ROPE:
			op_rope(ex, op, from, to);
			break;
		case NLP_OP_KV_WRITE:
			op_kv_write(ex, op, from, to);
			break;
		default:
			op_elementwise(ex, op, from, to);
	}
}

static int
rows_now(const NlpExec *ex, uint8_t rows)
{
	return rows == NLP_ROWS_TOKENS ? ex->batch->n_tokens : ex->batch->n_outputs;
}

/* Every step of the phase on this rank's rows; one unit a step. Steps in place
 * (rope) may not run twice, which is why progress counts them. */
static void
phase_rows(NlpExec *ex, uint32_t ph, int rank, int size)
{
	const NlpPhase *phase = &ex->plan.phases[ph];
	int64_t		m = rows_now(ex, phase->rows);
	int			from = (int) (m * rank / size),
				to = (int) (m * (rank + 1) / size);
	uint64_t	n = phase->last_op - phase->first_op + 1;

	while (ex->progress[rank].done < n && !nlp_exec_leave(ex, ph, rank))
	{
		if (from < to)
			run_row_op(ex, &ex->program->ops[phase->first_op + ex->progress[rank].done], from, to);
		ex->progress[rank].done++;
	}
}

/* Tiles [from, to) of the op's weights laid end to end. */
static void
run_tiles(NlpExec *ex, const NlpOp *op, int m, uint64_t from, uint64_t to)
{
	uint64_t	start = 0;

	for (int k = 0; k < op->n; k++)
	{
		const NlpWeight *w = &ex->weights[op->w[k]];
		uint64_t	tiles = (w->rows + NLP_TILE_ROWS - 1) / NLP_TILE_ROWS;
		uint64_t	lo = from > start ? from : start,
					hi = to < start + tiles ? to : start + tiles;

		if (lo < hi)
			nlp_matmul(w, ex->image, ex->act[nlp_act_kind((NlpDtype) w->dtype)], m, lo - start, hi - start,
					   nlp_exec_vector(ex, op->bias[k]),
					   op->residual == NLP_NO_VAL ? NULL : nlp_exec_value(ex, op->residual),
					   nlp_exec_value(ex, op->out[k]), ex->plan.ld[op->out[k]]);
		start += tiles;
	}
}

static void
phase_tiles(NlpExec *ex, uint32_t ph, int rank, int size)
{
	const NlpPhase *phase = &ex->plan.phases[ph];
	const NlpOp *op = &ex->program->ops[phase->first_op];
	int			m = rows_now(ex, phase->rows);
	uint64_t	total = 0,
				from,
				to;
	double		tile_ops = (double) NLP_TILE_ROWS * (double) ex->weights[op->w[0]].cols * (m ? m : 1);
	uint64_t	piece = tile_ops < PIECE_OPS ? (uint64_t) (PIECE_OPS / tile_ops) : 1;

	for (int k = 0; k < op->n; k++)
		total += (ex->weights[op->w[k]].rows + NLP_TILE_ROWS - 1) / NLP_TILE_ROWS;
	from = total * (uint64_t) rank / (uint64_t) size;
	to = total * ((uint64_t) rank + 1) / (uint64_t) size;
	while (m > 0 && from + ex->progress[rank].done < to && !nlp_exec_leave(ex, ph, rank))
	{
		uint64_t	lo = from + ex->progress[rank].done;
		uint64_t	hi = to - lo < piece ? to : lo + piece;

		run_tiles(ex, op, m, lo, hi);
		ex->progress[rank].done += hi - lo;
	}
}

static void
run_attention(NlpExec *ex, const NlpOp *op, const NlpSegment *seg, int block, int head, int rank)
{
	NlpAttnShape shape = {op->heads, op->kv_heads, op->dim, op->f, op->softcap, (int) op->window};
	int			table_len = ex->max_positions / NLP_KV_PAGE + 1;
	void	  **table = ex->tables + (size_t) rank * (size_t) table_len;
	int			from = block * NLP_ATTN_BLOCK;
	int			n = seg->n - from < NLP_ATTN_BLOCK ? seg->n - from : NLP_ATTN_BLOCK;
	size_t		row = (size_t) (seg->first + from);

	nlp_kv_table(ex->kv, seg->seq, op->layer, table, table_len);
	nlp_attention(&shape, nlp_exec_value(ex, op->a) + row * ex->plan.ld[op->a], ex->plan.ld[op->a], n,
				  seg->pos0 + from, table, head, head + 1,
				  nlp_exec_value(ex, op->out[0]) + row * ex->plan.ld[op->out[0]], ex->plan.ld[op->out[0]],
				  ex->work + (size_t) rank * ex->work_bytes);
}

/* Units are dealt out in turn, so that long and short ones mix. */
static void
phase_attention(NlpExec *ex, uint32_t ph, int rank, int size)
{
	const NlpOp *op = &ex->program->ops[ex->plan.phases[ph].first_op];
	uint64_t	unit = 0,
				mine = 0;

	for (int s = 0; s < ex->n_segments; s++)
	{
		const NlpSegment *seg = &ex->segments[s];
		int			blocks = (seg->n + NLP_ATTN_BLOCK - 1) / NLP_ATTN_BLOCK;

		for (int u = 0; u < blocks * op->kv_heads; u++, unit++)
		{
			if (unit % (uint64_t) size != (uint64_t) rank || mine++ < ex->progress[rank].done)
				continue;
			if (nlp_exec_leave(ex, ph, rank))
				return;
			run_attention(ex, op, seg, u / op->kv_heads, u % op->kv_heads, rank);
			ex->progress[rank].done++;
		}
	}
}

void
nlp_exec_phase(NlpExec *ex, uint32_t ph, int rank, int size)
{
	switch (ex->plan.phases[ph].kind)
	{
		case NLP_PHASE_ROWS:
			phase_rows(ex, ph, rank, size);
			break;
		case NLP_PHASE_TILES:
			phase_tiles(ex, ph, rank, size);
			break;
		default:
			phase_attention(ex, ph, rank, size);
	}
}
