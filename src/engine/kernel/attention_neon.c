/* attention_neon.c --- attention_body.h compiled for NEON. */
#if defined(__aarch64__)
#define NLP_VEC_NEON
#define V_OPS nlp_attention_neon

#include "kernel/attention_body.h"
#include "engine_only.h"
#else
typedef int nlp_attention_neon_is_empty;
#endif
