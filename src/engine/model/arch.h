/* arch.h --- what an architecture file provides, and the weights it names. */
#ifndef NLP_MODEL_ARCH_H
#define NLP_MODEL_ARCH_H

#include "format/gguf.h"
#include "graph/program.h"
#include "model/hparams.h"
#include "tensor/pack.h"

/* One weight an architecture wants from the file. Slots are numbered in the
 * order they are declared. */
typedef struct NlpSlotSpec
{
	char		name[64];		/* GGUF tensor name */
	uint64_t	rows;			/* N; 1 for vectors */
	uint64_t	cols;			/* K */
	bool		vector;			/* keep as plain f32 */
	bool		optional;
	NlpSlot		tied;			/* when absent, share this slot's bytes (output = token_embd); NO_SLOT: none */
} NlpSlotSpec;

typedef struct NlpSlotTable
{
	NlpArena   *arena;
	NlpSlotSpec *specs;
	uint32_t	n,
				cap;
	bool		failed;
} NlpSlotTable;

/* Declare a weight; returns its slot. name is printf-style for the layer number. */
extern NlpSlot nlp_slot_matrix(NlpSlotTable *t, uint64_t rows, uint64_t cols, const char *fmt,...) NLP_PRINTF(4, 5);
extern NlpSlot nlp_slot_vector(NlpSlotTable *t, uint64_t cols, const char *fmt,...) NLP_PRINTF(3, 4);
extern void nlp_slot_optional(NlpSlotTable *t, NlpSlot slot);
extern void nlp_slot_tied(NlpSlotTable *t, NlpSlot slot, NlpSlot to);

/* Slots whose tensor is absent have NLP_LAYOUT_ABSENT in the image. */
typedef struct NlpArch
{
	const char *name;			/* general.architecture */
	/* Read and range-check <arch>.* keys. */
	NlpStatus	(*hparams) (const NlpGguf *g, NlpHparams *h, NlpError *err);
	/* Declare every weight, in a fixed order that depends on h alone. */
	void		(*slots) (const NlpHparams *h, NlpSlotTable *t);
	/* Append the step program: tokens -> logits. w says which optional slots exist. */
	void		(*step) (const NlpHparams *h, const NlpWeight *w, NlpProgram *p);
} NlpArch;

extern const NlpArch *const nlp_archs[];	/* NULL-terminated */
extern const NlpArch *nlp_arch_find(const char *name, size_t len);	/* NULL: not supported */

/* Keys that all decoders share (context_length, embedding_length, block_count,
 * attention.head_count, head_count_kv, key_length, feed_forward_length, rope.*,
 * layer norm eps), read under "<arch>." with range checks. */
extern NlpStatus nlp_hparams_common(const NlpGguf *g, const char *arch, NlpHparams *h, NlpError *err);

#endif
