/* wordvec_ops.h --- the tables of wordvec.h, one an instruction set; private to wordvec*.c. */
#ifndef NLP_KERNEL_WORDVEC_OPS_H
#define NLP_KERNEL_WORDVEC_OPS_H

#include "kernel/wordvec.h"

extern const NlpWordKernel nlp_word_kernel_plain;
#if defined(__x86_64__)
extern const NlpWordKernel nlp_word_kernel_avx2;
extern const NlpWordKernel nlp_word_kernel_avx512;
#elif defined(__aarch64__)
extern const NlpWordKernel nlp_word_kernel_neon;
#endif

#endif
