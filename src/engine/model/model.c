/* model.c --- opening a resident image in a backend. */
#include <string.h>

#include "model/model.h"
#include "engine_only.h"

static NlpStatus
build_step(NlpModel *m, NlpError *err)
{
	const NlpImage *im = m->image;

	if (!nlp_image_is_network(im))
		return NLP_OK;
	nlp_archs[im->arch]->step(&im->hparams, nlp_image_weights(im), &m->step);
	if (m->step.failed)
		return nlp_no_memory(err, sizeof(NlpOp), "step program");
	return NLP_OK;
}

NlpStatus
nlp_model_open(const NlpImage *image, const NlpAlloc *alloc, NlpModel **out, NlpError *err)
{
	NlpModel   *m = nlp_alloc_zero(alloc, sizeof(*m));
	NlpStatus	st;

	if (!m)
		return nlp_no_memory(err, sizeof(*m), "model");
	m->alloc = alloc;
	m->image = image;
	nlp_program_init(&m->step, alloc);
	st = build_step(m, err);
	if (st == NLP_OK && nlp_image_has_tokenizer(image))
		st = nlp_coder_open(nlp_image_tokenizer(image), alloc, &m->coder, err);
	if (st != NLP_OK)
		nlp_model_close(m);
	else
		*out = m;
	return st;
}

void
nlp_model_close(NlpModel *m)
{
	if (!m)
		return;
	if (m->coder)
		nlp_coder_close(m->coder);
	nlp_program_free(&m->step);
	nlp_free(m->alloc, m);
}
