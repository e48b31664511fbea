/* wordvec_plain.c --- wordvec_body.h compiled for every machine. */
#define NLP_VEC_PLAIN
#define W_KERNEL nlp_word_kernel_plain

#include "kernel/wordvec_body.h"
#include "engine_only.h"
