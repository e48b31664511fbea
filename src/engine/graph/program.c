/* program.c --- appending values and ops to a program. */
#include <string.h>

#include "graph/program.h"
#include "engine_only.h"

void
nlp_program_init(NlpProgram *p, const NlpAlloc *alloc)
{
	memset(p, 0, sizeof(*p));
	nlp_arena_init(&p->arena, alloc, 64 * 1024);
	p->hidden = p->logits = NLP_NO_VAL;
	p->rope_factors = NLP_NO_SLOT;
}

void
nlp_program_free(NlpProgram *p)
{
	nlp_arena_free(&p->arena);
	p->n_values = p->n_ops = 0;
}

/* Make room for one more item of `bytes` in an array; false marks the program failed. */
static bool
grow(NlpProgram *p, void **items, uint32_t n, uint32_t *cap, size_t bytes)
{
	uint32_t	new_cap = *cap ? *cap * 2 : 128;
	void	   *fresh;

	if (n < *cap)
		return true;
	/* Both are indexed by 16 bits; 0xffff means none. */
	if (p->failed || new_cap > 0x10000 || n + 1 >= 0xffff)
	{
		p->failed = true;
		return false;
	}
	fresh = nlp_arena_alloc(&p->arena, new_cap * bytes);
	if (!fresh)
	{
		p->failed = true;
		return false;
	}
	if (n)
		memcpy(fresh, *items, n * bytes);
	*items = fresh;
	*cap = new_cap;
	return true;
}

NlpVal
nlp_program_value(NlpProgram *p, uint32_t width, NlpRows rows)
{
	if (!grow(p, (void **) &p->values, p->n_values, &p->cap_values, sizeof(NlpValue)))
		return 0;
	p->values[p->n_values] = (NlpValue) {.width = width, .rows = (uint8_t) rows};
	return (NlpVal) p->n_values++;
}

NlpOp *
nlp_program_op(NlpProgram *p, NlpOpKind kind)
{
	static NlpOp scratch;		/* written to, never read, once the program failed */
	NlpOp	   *op = &scratch;

	if (grow(p, (void **) &p->ops, p->n_ops, &p->cap_ops, sizeof(NlpOp)))
		op = &p->ops[p->n_ops++];
	memset(op, 0, sizeof(*op));
	op->kind = (uint8_t) kind;
	op->out[0] = op->out[1] = op->out[2] = NLP_NO_VAL;
	op->a = op->b = op->residual = NLP_NO_VAL;
	for (int i = 0; i < 3; i++)
		op->w[i] = op->bias[i] = NLP_NO_SLOT;
	return op;
}
