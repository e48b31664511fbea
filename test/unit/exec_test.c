/* exec_test.c --- the whole network: golden logits against llama.cpp, and the
 * promise that a row's bits do not depend on batch size, neighbours, prompt
 * chunks, threads or instruction set; with dead values poisoned. */
#include "check.h"

#include <math.h>
#include <unistd.h>

#include "../bench/engine_model.h"
#include "core/cpu.h"
#include "core/hash.h"
#include "graph/exec.h"
#include "kernel/matmul.h"
#include "state/kv.h"

#define MAX_LEN 200

static const char *
smollm2_path(void)
{
	static char path[1024];
	const char *given = getenv("NLP_SMOLLM2");
	const char *cache = getenv("PG_NLP_MODELS");
	const char *home = getenv("HOME");

	if (given)
		return given;
	if (cache)
		snprintf(path, sizeof(path), "%s/SmolLM2-135M-Instruct.Q4_1.gguf", cache);
	else
		snprintf(path, sizeof(path), "%s/.cache/pg_nlp/models/SmolLM2-135M-Instruct.Q4_1.gguf", home ? home : "");
	return path;
}

/* ---- running one sequence among others ---- */

typedef struct Run
{
	int			rows;			/* sequences in the batch; ours is the one in the middle */
	int			chunk;			/* prompt tokens of ours a step */
	int			threads;
	bool		poison;
} Run;

/* Feed ids in chunks beside rows-1 neighbours of other text; copy the logits of
 * our last token to out [V]. */
static void
last_logits(EngineModel *m, const int32_t *ids, int n, Run how, float *out)
{
	const NlpImage *im = m->model->image;
	NlpEnv		env = m->env;
	NlpError	err = {0};
	NlpKv	   *kv;
	NlpExec    *ex;
	int			ours = how.rows / 2,
				cap = how.chunk + (how.rows - 1) * 2,
				step = 0;
	int32_t    *list = malloc(sizeof(int32_t) * (size_t) cap * 4);

	if (how.threads > 1)
		engine_must(nlp_pool_new(how.threads, &env.pool, &err), &err);
	engine_must(nlp_kv_new(nlp_hparams_kv(&im->hparams), how.rows * 16, how.rows, env.alloc, &kv, &err), &err);
	engine_must(nlp_exec_new(&m->model->step, nlp_image_weights(im), im, kv, cap, how.rows, 512, &env, &ex, &err), &err);
	nlp_exec_poison(ex, how.poison);
	for (int fed = 0; fed < n; step++)
	{
		int			mine = n - fed < how.chunk ? n - fed : how.chunk;
		NlpBatch	b = {0, list, list + cap, list + 2 * cap, 0, list + 3 * cap};

		for (int s = 0; s < how.rows; s++)
		{
			/* Neighbours take one or two tokens a step. */
			int			take = s == ours ? mine : 1 + (s + step) % 2;
			int			pos = nlp_kv_length(kv, s);

			if (s != ours && pos + take > 400)
				continue;
			CHECK_OK(nlp_kv_extend(kv, s, take, &err), err);
			for (int i = 0; i < take; i++)
			{
				list[b.n_tokens] = s == ours ? ids[fed + i] : (int32_t) ((s * 31 + pos + i) % (int) im->hparams.n_vocab);
				list[cap + b.n_tokens] = pos + i;
				list[2 * cap + b.n_tokens] = s;
				b.n_tokens++;
			}
			list[3 * cap + b.n_outputs++] = b.n_tokens - 1;
		}
		CHECK_OK(nlp_exec_run(ex, &b, &env, &err), err);
		fed += mine;
		if (fed == n)
			memcpy(out, nlp_exec_logits(ex, ours), im->hparams.n_vocab * sizeof(float));
	}
	nlp_exec_free(ex);
	nlp_kv_free(kv);
	nlp_pool_free(env.pool);
	free(list);
}

/* ---- the promise ---- */

static void
check_same_bits(EngineModel *m, const int32_t *ids, int n, bool thorough)
{
	static const Run few[] = {
		{1, 1, 1, true}, {1, 3, 1, false}, {1, 32, 1, false}, {1, 33, 1, true}, {2, 200, 1, false}, {3, 7, 2, true},
		{9, 200, 3, false}, {33, 5, 4, false}, {17, 200, 2, true}
	};
	size_t		bytes = m->model->image->hparams.n_vocab * sizeof(float);
	float	   *want = malloc(bytes),
			   *got = malloc(bytes);
	NlpIsa		best = nlp_isa_best();

	nlp_isa_set(best);
	last_logits(m, ids, n, (Run) {1, n, 1, false}, want);
	CHECK(want[0] == want[0]);
	for (NlpIsa isa = 0; isa < NLP_ISA_COUNT; isa++)
	{
		uint64_t	before = nlp_kernel_calls[isa];

		if (!nlp_isa_set(isa))
		{
			if (isa != NLP_ISA_NEON)
				check_not_run(nlp_isa_name(isa));
			continue;
		}
		for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++)
		{
			if (isa == NLP_ISA_PLAIN && !thorough && i > 0)
				break;
			memset(got, 0, bytes);
			last_logits(m, ids, n, few[i], got);
			CHECKF(memcmp(want, got, bytes) == 0, "%s, %d rows, chunk %d, %d threads",
				   nlp_isa_name(isa), few[i].rows, few[i].chunk, few[i].threads);
		}
		CHECKF(nlp_kernel_calls[isa] > before, "%s kernels ran", nlp_isa_name(isa));
	}
	for (int rows = 1; thorough && rows <= 33; rows++)
	{
		nlp_isa_set(best);
		last_logits(m, ids, n, (Run) {rows, 1 + rows % 5, 1 + rows % 4, rows % 2 == 0}, got);
		CHECKF(memcmp(want, got, bytes) == 0, "%d rows", rows);
	}
	nlp_isa_set(best);
	free(want);
	free(got);
}

/* ---- golden logits ---- */

#define TOLERANCE 1.2

static double sum_squares;
static int	n_compared;
static int32_t ids[MAX_LEN];
static int	n_ids;

/* One "row" line: position, then id:logit pairs, the 8 largest first. The greedy
 * token must be the reference's when its two best differ by more than twice the
 * tolerance. */
static void
check_row(EngineModel *m, char *line, double *worst)
{
	float	   *logits = malloc(m->model->image->hparams.n_vocab * sizeof(float));
	char	   *at;
	int			pos = (int) strtol(line, &at, 10);
	double		best = 0;
	long		best_id = 0;
	int			k = 0;

	last_logits(m, ids, pos + 1, (Run) {1, pos + 1, 1, false}, logits);
	while (*at == ' ')
	{
		long		id = strtol(at + 1, &at, 10);
		double		want = strtod(at + 1, &at);
		double		diff = want - logits[id];

		if (diff < 0)
			diff = -diff;
		if (diff > *worst)
			*worst = diff;
		sum_squares += diff * diff;
		n_compared++;
		CHECKF(diff < TOLERANCE, "position %d id %ld: want %.4f, got %.4f", pos, id, want, logits[id]);
		if (k == 0)
		{
			best = want;
			best_id = id;
		}
		if (k == 1 && best - want > 2 * TOLERANCE)
			CHECKF(nlp_argmax(logits, m->model->image->hparams.n_vocab) == (uint32_t) best_id,
				   "greedy token at %d", pos);
		k++;
	}
	free(logits);
}

static void
check_golden(EngineModel *m, const char *name, double rms_limit)
{
	FILE	   *f = fopen(name, "r");
	static char line[8192];
	double		worst = 0,
				rms;
	int			rows = 0;

	sum_squares = 0;
	n_compared = 0;
	CHECK(f != NULL);
	while (f && fgets(line, sizeof(line), f))
	{
		if (strncmp(line, "text ", 5) == 0)
		{
			char	   *at = line + 5;

			n_ids = (int) strtol(at, &at, 10);
			CHECK(n_ids > 0 && n_ids <= MAX_LEN);
			for (int i = 0; i < n_ids; i++)
				ids[i] = (int32_t) strtol(at, &at, 10);
		}
		else if (strncmp(line, "row ", 4) == 0)
		{
			check_row(m, line + 4, &worst);
			rows++;
		}
	}
	if (f)
		fclose(f);
	CHECK(rows >= 15);
	rms = sqrt(sum_squares / (n_compared ? n_compared : 1));
	CHECKF(rms < rms_limit, "%s: root mean square %.4f", name, rms);
	printf("%s: %d rows, largest difference %.4f, root mean square %.4f\n", name, rows, worst, rms);
}

/* Without arguments the tests; MODEL GOLDEN RMS compares another pair of files, made
 * by make_logits.py, in the same way. */
int
main(int argc, char **argv)
{
	EngineModel m;
	const char *tiny = "test/fixtures/tiny_llama.gguf";

	if (argc == 4)
	{
		engine_model_open(&m, argv[1], 1);
		check_golden(&m, argv[2], atof(argv[3]));
		engine_model_close(&m);
		return check_done();
	}
	engine_model_open(&m, tiny, 1);
	for (n_ids = 0; n_ids < 70; n_ids++)
		ids[n_ids] = (n_ids * 37 + 5) % (int) m.model->image->hparams.n_vocab;
	check_same_bits(&m, ids, n_ids, true);
	engine_model_close(&m);

	if (access(smollm2_path(), R_OK) != 0)
	{
		CHECKF(false, "SmolLM2 is not at %s; run make models", smollm2_path());
		return check_done();
	}
	engine_model_open(&m, smollm2_path(), 1);
	/* Both runners code activations in 8 bits: each stands about 0.2 (root mean
	 * square) from the float reference, llama.cpp 0.24, and so from each other. */
	check_golden(&m, "test/golden/smollm2_logits_f32.txt", 0.24);
	check_golden(&m, "test/golden/smollm2_logits.txt", 0.26);
	check_same_bits(&m, ids, n_ids < 24 ? n_ids : 24, false);
	engine_model_close(&m);
	return check_done();
}
