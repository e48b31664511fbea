/* attention_avx512.c --- attention_body.h compiled for AVX-512. */
#if defined(__x86_64__)
#define NLP_VEC_AVX512
#define V_OPS nlp_attention_avx512

#include "kernel/attention_body.h"
#include "engine_only.h"
#else
typedef int nlp_attention_avx512_is_empty;
#endif
