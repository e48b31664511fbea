/* wordvec.c --- reaches the word vector kernels of the instruction set in use.
 *
 * The bodies are in wordvec_body.h, compiled by wordvec_<isa>.c. */
#include "core/cpu.h"
#include "kernel/wordvec_ops.h"
#include "engine_only.h"

const NlpWordKernel *
nlp_word_kernel_of(int isa)
{
	switch (isa)
	{
		case NLP_ISA_PLAIN:
			return &nlp_word_kernel_plain;
#if defined(__x86_64__)
		case NLP_ISA_AVX2:
			return &nlp_word_kernel_avx2;
		case NLP_ISA_AVX512:
			return &nlp_word_kernel_avx512;
#elif defined(__aarch64__)
		case NLP_ISA_NEON:
			return &nlp_word_kernel_neon;
#endif
		default:
			return NULL;
	}
}

const NlpWordKernel *
nlp_word_kernel(void)
{
	return nlp_word_kernel_of(nlp_isa_current());
}
