/* rowwise_avx2.c --- rowwise_body.h compiled for AVX2, FMA and F16C. */
#if defined(__x86_64__)
#define NLP_VEC_AVX2
#define V_OPS nlp_rowwise_avx2

#include "kernel/rowwise_body.h"
#include "engine_only.h"
#else
typedef int nlp_rowwise_avx2_is_empty;
#endif
