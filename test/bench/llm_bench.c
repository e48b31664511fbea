/* llm_bench.c --- prefill, decode and batched decode of a GGUF model, engine only.
 *
 * usage: llm_bench MODEL [--threads N] [--isa plain|avx2|avx512] [--prompt N]
 *                  [--decode N] [--batch N,N] [--repeat N]
 * Prints one line a measurement: name, tokens/s (best and median of the repeats).
 * Tokens are arbitrary ids, as in llama-bench; end tokens are ignored. */
#include <string.h>

#include "core/cpu.h"
#include "decode/decoder.h"
#include "engine_model.h"

static int
by_size(const void *a, const void *b)
{
	double		x = *(const double *) a,
				y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
report(const char *what, int n, double *rate, int repeats)
{
	qsort(rate, (size_t) repeats, sizeof(double), by_size);
	printf("%s %d: %.1f tokens/s (median %.1f of %d)\n", what, n, rate[repeats - 1], rate[repeats / 2], repeats);
	fflush(stdout);
}

/* Seconds for rows of prompt tokens each, generating max_tokens; prompt time apart. */
static double
run(EngineModel *m, int rows, int prompt, int max_tokens, double *prompt_s)
{
	NlpDecoderConfig config = {.max_seqs = rows,.max_positions = prompt + max_tokens};
	NlpGenOptions options = {.max_tokens = max_tokens,.ignore_eos = true,.sampling = NLP_SAMPLING_GREEDY};
	NlpDecoder *d;
	NlpError	err = {0};
	int32_t    *ids = malloc((size_t) prompt * sizeof(int32_t));
	bool		busy = true;
	double		t0,
				t1;
	uint64_t	first = 0;

	engine_must(nlp_decoder_open(m->model, &config, &m->env, &d, &err), &err);
	for (int r = 0; r < rows; r++)
	{
		for (int i = 0; i < prompt; i++)
			ids[i] = (int32_t) ((unsigned) (i * 7919 + r * 104729 + 11) % nlp_tokenizer_size(nlp_image_tokenizer(m->model->image)));
		engine_must(nlp_decoder_submit(d, r, ids, (size_t) prompt, &options, &err), &err);
	}
	t0 = engine_now();
	while (nlp_decoder_stats(d)->prompt_tokens < (uint64_t) rows * (uint64_t) prompt)
		engine_must(nlp_decoder_step(d, &busy, &err), &err);
	t1 = engine_now();
	*prompt_s = t1 - t0;
	first = nlp_decoder_stats(d)->tokens;
	while (busy)
		engine_must(nlp_decoder_step(d, &busy, &err), &err);
	t1 = engine_now() - t1;
	if (nlp_decoder_stats(d)->tokens > first)
		t1 /= (double) (nlp_decoder_stats(d)->tokens - first);
	nlp_decoder_close(d);
	free(ids);
	return t1;					/* seconds a generated token */
}

int
main(int argc, char **argv)
{
	EngineModel m;
	int			threads = 1,
				prompt = 512,
				decode = 128,
				repeats = 3;
	const char *batches = "8,32";
	double		rate[64],
				prompt_s;

	for (int i = 2; i + 1 < argc; i += 2)
	{
		NlpIsa		isa;

		if (strcmp(argv[i], "--threads") == 0)
			threads = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--prompt") == 0)
			prompt = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--decode") == 0)
			decode = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--batch") == 0)
			batches = argv[i + 1];
		else if (strcmp(argv[i], "--repeat") == 0)
			repeats = atoi(argv[i + 1]) < 64 ? atoi(argv[i + 1]) : 64;
		else if (strcmp(argv[i], "--isa") == 0 && nlp_isa_parse(argv[i + 1], &isa) && nlp_isa_set(isa))
			continue;
		else
		{
			fprintf(stderr, "bad option or instruction set: %s %s\n", argv[i], argv[i + 1]);
			return 2;
		}
	}
	if (argc < 2)
	{
		fprintf(stderr, "usage: llm_bench MODEL [options]\n");
		return 2;
	}
	engine_model_open(&m, argv[1], threads);
	printf("model %s, %s, %d threads, loaded in %.3f s\n", argv[1], nlp_isa_name(nlp_isa_current()), threads, m.load_s);
	for (int r = 0; prompt > 0 && r < repeats; r++)
	{
		run(&m, 1, prompt, 1, &prompt_s);
		rate[r] = prompt / prompt_s;
	}
	if (prompt > 0)
		report("prefill", prompt, rate, repeats);
	for (int r = 0; decode > 0 && r < repeats; r++)
		rate[r] = 1 / run(&m, 1, 1, decode, &prompt_s);
	if (decode > 0)
		report("decode", decode, rate, repeats);
	for (const char *b = batches; b && *b; b = strchr(b, ',') ? strchr(b, ',') + 1 : NULL)
	{
		int			n = atoi(b);

		for (int r = 0; n > 0 && r < repeats; r++)
			rate[r] = 1 / run(&m, n, 16, 64, &prompt_s);
		if (n > 0)
			report("batch", n, rate, repeats);
	}
	engine_model_close(&m);
	return 0;
}
