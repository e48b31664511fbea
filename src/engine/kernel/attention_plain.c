/* attention_plain.c --- attention_body.h compiled for every machine. */
#define NLP_VEC_PLAIN
#define V_OPS nlp_attention_plain

#include "kernel/attention_body.h"
#include "engine_only.h"
