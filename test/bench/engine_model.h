/* engine_model.h --- load a GGUF file without a server, for programs beside it. */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "core/pool.h"
#include "format/source.h"
#include "model/model.h"

#define HUGE_PAGE ((size_t) 2 << 20)

typedef struct EngineModel
{
	NlpFileSource file;
	NlpEnv		env;
	void	   *block;
	NlpModel   *model;
	double		load_s;
} EngineModel;

static inline double
engine_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static inline void
engine_must(NlpStatus st, const NlpError *err)
{
	if (st == NLP_OK)
		return;
	fprintf(stderr, "error %d: %s%s%s\n%s\n", st, err->message, err->field[0] ? " at " : "", err->field, err->detail);
	exit(1);
}

static inline void
engine_model_open(EngineModel *m, const char *path, int threads)
{
	NlpError	err = {0};
	NlpImagePlan *plan;
	double		t0 = engine_now();

	m->env = (NlpEnv) {.alloc = &nlp_libc_alloc};
	if (threads > 1)
		engine_must(nlp_pool_new(threads, &m->env.pool, &err), &err);
	engine_must(nlp_file_source_open(&m->file, path, &err), &err);
	engine_must(nlp_image_plan(&m->file.source, &m->env, &plan, &err), &err);
	/* Huge pages where the system grants them, as a preloaded server has. */
	m->block = aligned_alloc(HUGE_PAGE, (nlp_image_plan_bytes(plan) + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	engine_must(m->block ? NLP_OK : NLP_ENOMEM, &err);
	if (!getenv("NLP_SMALL_PAGES"))
		madvise(m->block, nlp_image_plan_bytes(plan), MADV_HUGEPAGE);
	engine_must(nlp_image_build(plan, &m->file.source, &m->env, m->block, NULL, &err), &err);
	engine_must(nlp_image_check(m->block, nlp_image_plan_bytes(plan), &err), &err);
	nlp_image_plan_free(plan);
	engine_must(nlp_model_open(m->block, m->env.alloc, &m->model, &err), &err);
	m->load_s = engine_now() - t0;
}

static inline void
engine_model_close(EngineModel *m)
{
	nlp_model_close(m->model);
	free(m->block);
	nlp_file_source_close(&m->file);
	nlp_pool_free(m->env.pool);
}

#endif
