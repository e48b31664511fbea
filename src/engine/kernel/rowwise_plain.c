/* rowwise_plain.c --- rowwise_body.h compiled for every machine. */
#define NLP_VEC_PLAIN
#define V_OPS nlp_rowwise_plain

#include "kernel/rowwise_body.h"
#include "engine_only.h"
