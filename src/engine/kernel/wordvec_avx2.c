/* wordvec_avx2.c --- wordvec_body.h compiled for AVX2 and FMA. */
#if defined(__x86_64__)
#define NLP_VEC_AVX2
#define W_KERNEL nlp_word_kernel_avx2

#include "kernel/wordvec_body.h"
#include "engine_only.h"
#else
typedef int nlp_wordvec_avx2_is_empty;
#endif
