/* nlp_run.c --- complete a prompt with a GGUF model, no server: for development.
 * usage: nlp_run MODEL PROMPT [max_tokens [threads [isa]]] */
#include <string.h>

#include "../test/bench/engine_model.h"
#include "core/cpu.h"
#include "decode/decoder.h"

int
main(int argc, char **argv)
{
	EngineModel m;
	NlpIsa		isa;
	NlpError	err = {0};
	NlpTokens	tokens;
	NlpDecoder *d;
	NlpGenResult result;
	NlpGenOptions options = {.max_tokens = argc > 3 ? atoi(argv[3]) : 64,.sampling = NLP_SAMPLING_GREEDY};
	NlpDecoderConfig config = {.max_seqs = 1};
	bool		busy = true;
	double		t0;

	if (argc < 3 || (argc > 5 && (!nlp_isa_parse(argv[5], &isa) || !nlp_isa_set(isa))))
	{
		fprintf(stderr, "usage: nlp_run MODEL PROMPT [max_tokens [threads [isa]]]\n");
		return 2;
	}
	engine_model_open(&m, argv[1], argc > 4 ? atoi(argv[4]) : 1);
	engine_must(nlp_encode(m.model->coder, &m.env, argv[2], strlen(argv[2]), NLP_ENCODE_SPECIAL, false, 0,
						   &tokens, &err), &err);
	config.max_positions = (int) tokens.n + options.max_tokens;
	t0 = engine_now();
	engine_must(nlp_decoder_open(m.model, &config, &m.env, &d, &err), &err);
	engine_must(nlp_decoder_submit(d, 0, tokens.ids, tokens.n, &options, &err), &err);
	while (busy)
	{
		const char *text;
		size_t		len;

		engine_must(nlp_decoder_step(d, &busy, &err), &err);
		engine_must(nlp_decoder_fresh(d, 0, &text, &len, &err), &err);
		fwrite(text, 1, len, stdout);
		fflush(stdout);
	}
	if (nlp_decoder_take(d, &result))
		fprintf(stderr, "\n[%zu prompt tokens, %zu tokens, finish %d, %.3f s after loading in %.3f s]\n",
				result.n_prompt, result.n_ids, result.finish, engine_now() - t0, m.load_s);
	nlp_decoder_close(d);
	nlp_free(m.env.alloc, tokens.ids);
	engine_model_close(&m);
	return 0;
}
