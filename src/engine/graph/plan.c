/* plan.c --- phases and memory of a program. */
#include <string.h>

#include "graph/plan.h"
#include "engine_only.h"

#define NEVER UINT32_MAX

static NlpPhaseKind
kind_of(const NlpOp *op)
{
	if (op->kind == NLP_OP_LINEAR)
		return NLP_PHASE_TILES;
	return op->kind == NLP_OP_ATTN_PAGED ? NLP_PHASE_ATTN : NLP_PHASE_ROWS;
}

/* Rows an op works over: those of what it writes, or of what it stores. */
static uint8_t
rows_of(const NlpProgram *p, const NlpOp *op)
{
	return p->values[op->out[0] != NLP_NO_VAL ? op->out[0] : op->a].rows;
}

/* Whether op may join an open ROWS phase: same rows, and no look at other rows. */
static bool
joins(const NlpPhase *ph, uint8_t rows, const NlpOp *op)
{
	return ph->kind == NLP_PHASE_ROWS && ph->rows == rows && op->kind != NLP_OP_GATHER_ROWS;
}

static void
add_phase(NlpPlan *plan, NlpPhaseKind kind, uint8_t rows, uint32_t op)
{
	plan->phases[plan->n_phases++] = (NlpPhase) {(uint8_t) kind, rows, op, op};
}

static void
cut_phases(const NlpProgram *p, NlpPlan *plan)
{
	for (uint32_t i = 0; i < p->n_ops; i++)
	{
		const NlpOp *op = &p->ops[i];
		NlpPhaseKind kind = kind_of(op);
		uint8_t		rows = kind == NLP_PHASE_TILES ? p->values[op->a].rows : rows_of(p, op);
		NlpPhase   *open = plan->n_phases ? &plan->phases[plan->n_phases - 1] : NULL;

		/* A product's input is coded row by row first. */
		if (kind != NLP_PHASE_ATTN)
		{
			if (open && joins(open, rows, op))
				open->last_op = i;
			else
				add_phase(plan, NLP_PHASE_ROWS, rows, i);
		}
		if (kind != NLP_PHASE_ROWS)
			add_phase(plan, kind, rows, i);
	}
}

static void
touch(NlpPlan *plan, NlpVal v, uint32_t phase, bool writes)
{
	if (v == NLP_NO_VAL)
		return;
	if (writes && plan->first[v] == NEVER)
		plan->first[v] = phase;
	if (plan->last[v] == NEVER || plan->last[v] < phase)
		plan->last[v] = phase;
}

static void
find_lifetimes(const NlpProgram *p, NlpPlan *plan)
{
	memset(plan->first, 0xff, p->n_values * sizeof(uint32_t));
	memset(plan->last, 0xff, p->n_values * sizeof(uint32_t));
	for (uint32_t ph = 0; ph < plan->n_phases; ph++)
	{
		const NlpPhase *phase = &plan->phases[ph];

		for (uint32_t i = phase->first_op; i <= phase->last_op; i++)
		{
			const NlpOp *op = &p->ops[i];
			bool		coding = phase->kind == NLP_PHASE_ROWS && op->kind == NLP_OP_LINEAR;

			if (phase->kind != NLP_PHASE_TILES)
			{
				touch(plan, op->a, ph, false);
				touch(plan, op->b, ph, false);
			}
			if (coding)
				continue;
			touch(plan, op->residual, ph, false);
			for (int k = 0; k < 3; k++)
				touch(plan, op->out[k], ph, true);
		}
	}
	for (uint32_t v = 0; v < p->n_values; v++)
	{
		if (p->values[v].keep)
			plan->last[v] = plan->n_phases;
	}
}

/* Lowest offset where `bytes` fit beside every placed value alive at the same time. */
static size_t
find_place(const NlpPlan *plan, const size_t *bytes, const uint32_t *placed, uint32_t n, uint32_t v)
{
	size_t		at = 0;
	bool		moved = true;

	while (moved)
	{
		moved = false;
		for (uint32_t i = 0; i < n; i++)
		{
			uint32_t	o = placed[i];

			if (plan->last[o] < plan->first[v] || plan->first[o] > plan->last[v])
				continue;
			if (at < plan->offset[o] + bytes[o] && plan->offset[o] < at + bytes[v])
			{
				at = plan->offset[o] + bytes[o];
				moved = true;
			}
		}
	}
	return at;
}

static NlpStatus
place_values(const NlpProgram *p, NlpPlan *plan, int max_tokens, int max_outputs, NlpArena *arena, NlpError *err)
{
	size_t	   *bytes = nlp_arena_alloc(arena, (p->n_values + 1) * sizeof(size_t));
	uint32_t   *placed = nlp_arena_alloc(arena, (p->n_values + 1) * sizeof(uint32_t));
	uint32_t	n = 0;

	if (!bytes || !placed)
		return nlp_no_memory(err, p->n_values * sizeof(size_t), "memory plan");
	for (uint32_t v = 0; v < p->n_values; v++)
	{
		size_t		rows = (size_t) (p->values[v].rows == NLP_ROWS_TOKENS ? max_tokens : max_outputs);

		plan->ld[v] = ((size_t) p->values[v].width + 15) & ~(size_t) 15;
		plan->offset[v] = 0;
		if (plan->first[v] == NEVER)
			continue;
		if (!nlp_mul_size(rows, plan->ld[v] * sizeof(float), &bytes[v]))
			return nlp_fail(err, NLP_ELIMIT, "a step of %d tokens is too large", max_tokens);
		plan->offset[v] = find_place(plan, bytes, placed, n, v);
		if (plan->offset[v] + bytes[v] > plan->buffer_bytes)
			plan->buffer_bytes = plan->offset[v] + bytes[v];
		placed[n++] = v;
	}
	return NLP_OK;
}

static void
size_coded_inputs(const NlpProgram *p, const NlpWeight *w, NlpPlan *plan, int max_tokens, int max_outputs)
{
	for (uint32_t i = 0; i < p->n_ops; i++)
	{
		const NlpOp *op = &p->ops[i];

		if (op->kind == NLP_OP_ROPE && op->rot_dim > plan->max_rot)
			plan->max_rot = op->rot_dim;
		for (int k = 0; op->kind == NLP_OP_LINEAR && k < op->n; k++)
		{
			NlpActKind	kind = nlp_act_kind((NlpDtype) w[op->w[k]].dtype);
			size_t		rows = (size_t) (p->values[op->a].rows == NLP_ROWS_TOKENS ? max_tokens : max_outputs);
			size_t		bytes = rows * nlp_act_row_bytes(kind, w[op->w[k]].cols);

			if (bytes > plan->act_bytes[kind])
				plan->act_bytes[kind] = bytes;
		}
	}
}

NlpStatus
nlp_plan_program(const NlpProgram *p, const NlpWeight *w, int max_tokens, int max_outputs,
				 NlpArena *arena, NlpPlan *plan, NlpError *err)
{
	size_t		n = p->n_values + 1;

	memset(plan, 0, sizeof(*plan));
	plan->phases = nlp_arena_alloc(arena, (p->n_ops * 2 + 1) * sizeof(NlpPhase));
	plan->offset = nlp_arena_alloc(arena, n * sizeof(size_t));
	plan->ld = nlp_arena_alloc(arena, n * sizeof(size_t));
	plan->first = nlp_arena_alloc(arena, n * sizeof(uint32_t));
	plan->last = nlp_arena_alloc(arena, n * sizeof(uint32_t));
	if (!plan->phases || !plan->offset || !plan->ld || !plan->first || !plan->last)
		return nlp_no_memory(err, n * sizeof(size_t), "memory plan");
	cut_phases(p, plan);
	find_lifetimes(p, plan);
	size_coded_inputs(p, w, plan, max_tokens, max_outputs);
	return place_values(p, plan, max_tokens, max_outputs, arena, err);
}
