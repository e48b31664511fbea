/* model.h --- a backend's handle on a resident image: the step program built from
 * its hyper-parameters and a coder for its tokenizer. Cheap (well under 1 ms). */
#ifndef NLP_MODEL_MODEL_H
#define NLP_MODEL_MODEL_H

#include "model/image.h"

typedef struct NlpModel
{
	const NlpAlloc *alloc;
	const NlpImage *image;		/* kept by the caller for the model's lifetime */
	NlpProgram	step;			/* empty when the image is not a network */
	NlpCoder   *coder;			/* NULL when the image has no tokenizer */
} NlpModel;

extern NlpStatus nlp_model_open(const NlpImage *image, const NlpAlloc *alloc, NlpModel **model, NlpError *err);
extern void nlp_model_close(NlpModel *model);

#endif
