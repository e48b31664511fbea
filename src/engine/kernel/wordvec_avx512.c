/* wordvec_avx512.c --- wordvec_body.h compiled for AVX-512. */
#if defined(__x86_64__)
#define NLP_VEC_AVX512
#define W_KERNEL nlp_word_kernel_avx512

#include "kernel/wordvec_body.h"
#include "engine_only.h"
#else
typedef int nlp_wordvec_avx512_is_empty;
#endif
