/* score.c --- probabilities of given texts, and of what may come next. */
#include <math.h>
#include <string.h>

#include "decode/decoder.h"
#include "graph/exec.h"
#include "state/kv.h"
#include "engine_only.h"

#define SCORE_CHUNK 64			/* rows of logits at once */
#define PROMPT_CHUNK 512

typedef struct Scorer
{
	const NlpModel *model;
	const NlpEnv *env;
	NlpKv	   *kv;
	NlpExec    *exec;
	int32_t    *lists;			/* positions, seqs, outputs */
	int			chunk;
} Scorer;

static NlpStatus
open_scorer(Scorer *s, const NlpModel *m, const NlpEnv *env, size_t n, int chunk, int outputs, NlpError *err)
{
	const NlpHparams *h = &m->image->hparams;
	int			pages = (int) ((n + NLP_KV_PAGE - 1) / NLP_KV_PAGE);

	memset(s, 0, sizeof(*s));
	s->model = m;
	s->env = env;
	s->chunk = (size_t) chunk < n ? chunk : (int) n;
	if (!(m->image->tasks & NLP_TASK_GENERATION))
		return nlp_fail(err, NLP_EUNSUPPORTED, "the model holds a tokenizer only and has no probabilities");
	if (n > h->n_ctx)
	{
		nlp_fail(err, NLP_ELIMIT, "the text's %zu tokens exceed the context of %u tokens", n, h->n_ctx);
		nlp_hint(err, "Shorten the text.");
		return NLP_ELIMIT;
	}
	s->lists = nlp_alloc(env->alloc, (size_t) s->chunk * 3 * sizeof(int32_t));
	if (!s->lists)
		return nlp_no_memory(err, (size_t) s->chunk * 3 * sizeof(int32_t), "scoring");
	NLP_TRY(nlp_kv_new(nlp_hparams_kv(h), pages, 1, env->alloc, &s->kv, err));
	return nlp_exec_new(&m->step, nlp_image_weights(m->image), m->image, s->kv, s->chunk,
						outputs < s->chunk ? outputs : s->chunk, (int) n, env, &s->exec, err);
}

static void
close_scorer(Scorer *s)
{
	nlp_exec_free(s->exec);
	nlp_kv_free(s->kv);
	nlp_free(s->env->alloc, s->lists);
}

/* Run tokens [from, from + n); logits of all of them, or of the last one. */
static NlpStatus
run_chunk(Scorer *s, const int32_t *ids, size_t from, int n, bool all, NlpError *err)
{
	NlpBatch	b = {n, ids + from, s->lists, s->lists + s->chunk, all ? n : 1, s->lists + 2 * s->chunk};

	NLP_TRY(nlp_kv_extend(s->kv, 0, n, err));
	for (int i = 0; i < n; i++)
	{
		s->lists[i] = (int32_t) from + i;
		s->lists[s->chunk + i] = 0;
		s->lists[2 * s->chunk + i] = all ? i : n - 1;
	}
	return nlp_exec_run(s->exec, &b, s->env, err);
}

static NlpStatus
score_all(Scorer *s, const int32_t *ids, size_t n, float *logprob, NlpDecoderStats *stats, NlpError *err)
{
	size_t		vocab = s->model->image->hparams.n_vocab;

	/* The last token predicts nothing that is asked for. */
	for (size_t from = 0; from + 1 < n; from += (size_t) s->chunk)
	{
		int			m = n - 1 - from < (size_t) s->chunk ? (int) (n - 1 - from) : s->chunk;

		NLP_TRY(run_chunk(s, ids, from, m, true, err));
		stats->passes++;
		stats->prompt_tokens += (uint64_t) m;
		for (int i = 0; i < m; i++)
		{
			const float *logits = nlp_exec_logits(s->exec, i);

			logprob[from + i] = (float) (logits[ids[from + i + 1]] - nlp_logsumexp(logits, vocab));
			if (i % 8 == 7)
				NLP_TRY(nlp_poll(s->env, err));
		}
	}
	return NLP_OK;
}

NlpStatus
nlp_score(const NlpModel *model, const NlpEnv *env, const int32_t *ids, size_t n,
		  float *logprob, NlpDecoderStats *stats, NlpError *err)
{
	Scorer		s;
	NlpStatus	st;

	memset(stats, 0, sizeof(*stats));
	if (n < 2)
		return nlp_fail(err, NLP_EINVALID, "a text of fewer than two tokens has no probability");
	for (size_t i = 0; i < n; i++)
	{
		if (ids[i] < 0 || (uint32_t) ids[i] >= model->image->hparams.n_vocab)
			return nlp_fail(err, NLP_EINVALID, "token id %d is out of range", ids[i]);
	}
	st = open_scorer(&s, model, env, n, SCORE_CHUNK, SCORE_CHUNK, err);
	if (st == NLP_OK)
		st = score_all(&s, ids, n, logprob, stats, err);
	close_scorer(&s);
	return st;
}

/* The k largest of logits, descending, ties by id, by repeated insertion. */
static int
select_top(const float *logits, size_t vocab, int k, int32_t *top)
{
	int			n = 0;

	for (size_t i = 0; i < vocab; i++)
	{
		int			at;

		if (isnan(logits[i]) || (n == k && !(logits[i] > logits[top[n - 1]])))
			continue;
		if (n < k)
			n++;
		for (at = n - 1; at > 0 && logits[i] > logits[top[at - 1]]; at--)
			top[at] = top[at - 1];
		top[at] = (int32_t) i;
	}
	return n;
}

NlpStatus
nlp_next_tokens(const NlpModel *model, const NlpEnv *env, const int32_t *ids, size_t n,
				int k, int32_t *top_ids, float *top_prob, NlpDecoderStats *stats, NlpError *err)
{
	size_t		vocab = nlp_tokenizer_size(nlp_image_tokenizer(model->image));
	Scorer		s;
	NlpStatus	st;

	memset(stats, 0, sizeof(*stats));
	if (n == 0)
	{
		nlp_fail(err, NLP_EINVALID, "the prompt has no tokens, and the model has no token to begin a text with");
		nlp_hint(err, "Give a text of at least one character, or NULL to get NULL.");
		return NLP_EINVALID;
	}
	if (k < 1 || (size_t) k > vocab)
		return nlp_fail(err, NLP_EINVALID, "k must be between 1 and %zu", vocab);
	st = open_scorer(&s, model, env, n, PROMPT_CHUNK, 1, err);
	for (size_t from = 0; st == NLP_OK && from < n; from += (size_t) s.chunk)
	{
		int			m = n - from < (size_t) s.chunk ? (int) (n - from) : s.chunk;

		st = run_chunk(&s, ids, from, m, false, err);
		stats->passes++;
		stats->prompt_tokens += (uint64_t) m;
	}
	if (st == NLP_OK)
	{
		const float *logits = nlp_exec_logits(s.exec, 0);
		double		norm = nlp_logsumexp(logits, vocab);
		int			got = select_top(logits, vocab, k, top_ids);

		for (int i = 0; i < k; i++)
		{
			if (i >= got)
				top_ids[i] = -1;
			top_prob[i] = i < got ? (float) exp(logits[top_ids[i]] - norm) : 0.0f;
		}
	}
	close_scorer(&s);
	return st;
}
