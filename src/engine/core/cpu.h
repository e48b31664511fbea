/* cpu.h --- which instruction sets this machine has, and which one is in use.
 *
 * Kernels come in one variant per level and are reached through tables chosen by
 * nlp_isa_current(). Results are bit-equal on all levels; the setting that lowers
 * the level exists for tests and for measuring. */
#ifndef NLP_CORE_CPU_H
#define NLP_CORE_CPU_H

#include <stdbool.h>

typedef enum NlpIsa
{
	NLP_ISA_PLAIN = 0,			/* plain C twin, every machine */
	NLP_ISA_AVX2,				/* AVX2, FMA, F16C */
	NLP_ISA_AVX512,				/* AVX-512 F, BW, VL, DQ and VNNI */
	NLP_ISA_NEON,				/* aarch64 with dot product */
	NLP_ISA_COUNT
} NlpIsa;

extern bool nlp_isa_available(NlpIsa isa);
extern NlpIsa nlp_isa_best(void);
extern NlpIsa nlp_isa_current(void);	/* best unless lowered */
extern bool nlp_isa_set(NlpIsa isa);	/* false, and nothing changed, when not available */
extern const char *nlp_isa_name(NlpIsa isa);	/* "plain", "avx2", "avx512", "neon" */
extern bool nlp_isa_parse(const char *name, NlpIsa *isa);

#endif
