/* plan.h --- from a program to phases and offsets.
 *
 * A phase is what the team runs between two barriers:
 *   ROWS   ops that work row by row, and the coding of a product's input; every
 *          thread takes a range of rows and runs all steps on it
 *   TILES  one product; threads split the output columns
 *   ATTN   attention; threads split (sequence, query block, kv head)
 * Values get offsets in one buffer; bytes of a value may be reused by another
 * whose first phase comes after its last one (never within a phase: threads are
 * at different steps there). */
#ifndef NLP_GRAPH_PLAN_H
#define NLP_GRAPH_PLAN_H

#include "graph/program.h"
#include "kernel/matmul.h"

typedef enum NlpPhaseKind
{
	NLP_PHASE_ROWS,
	NLP_PHASE_TILES,
	NLP_PHASE_ATTN
} NlpPhaseKind;

typedef struct NlpPhase
{
	uint8_t		kind;			/* NlpPhaseKind */
	uint8_t		rows;			/* NlpRows */
	uint32_t	first_op;		/* ROWS: ops first_op .. last_op; a LINEAR there means: code its input */
	uint32_t	last_op;
} NlpPhase;

#define NLP_ACT_KINDS 3

typedef struct NlpPlan
{
	NlpPhase   *phases;
	uint32_t	n_phases;
	size_t	   *offset;			/* [values] bytes into the buffer */
	size_t	   *ld;				/* [values] row stride in floats */
	uint32_t   *first;			/* [values] phase that writes it first */
	uint32_t   *last;			/* [values] phase after which it is dead */
	size_t		buffer_bytes;
	size_t		act_bytes[NLP_ACT_KINDS];	/* largest coded input of each kind, all rows */
	uint32_t	max_rot;
} NlpPlan;

/* All arrays come from arena. NLP_ENOMEM or NLP_ELIMIT (overflow). */
extern NlpStatus nlp_plan_program(const NlpProgram *p, const NlpWeight *w, int max_tokens, int max_outputs,
								  NlpArena *arena, NlpPlan *plan, NlpError *err);

#endif
