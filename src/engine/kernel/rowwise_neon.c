/* rowwise_neon.c --- rowwise_body.h compiled for NEON. */
#if defined(__aarch64__)
#define NLP_VEC_NEON
#define V_OPS nlp_rowwise_neon

#include "kernel/rowwise_body.h"
#include "engine_only.h"
#else
typedef int nlp_rowwise_neon_is_empty;
#endif
