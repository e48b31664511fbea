/* wordvec_neon.c --- wordvec_body.h compiled for NEON. */
#if defined(__aarch64__)
#define NLP_VEC_NEON
#define W_KERNEL nlp_word_kernel_neon

#include "kernel/wordvec_body.h"
#include "engine_only.h"
#else
typedef int nlp_wordvec_neon_is_empty;
#endif
