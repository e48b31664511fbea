/* decoder.c --- continuous batching over one executor and one page pool.
 *
 * A row waits in the queue until a sequence number and pages for its whole length
 * (prompt and longest answer) are free, so it never runs out of memory half way.
 * A step gives every running row one token, then fills what is left of the chunk
 * with prompt tokens, oldest row first. */
#include <math.h>
#include <string.h>

#include "core/pool.h"
#include "decode/answer.h"
#include "decode/decoder.h"
#include "graph/exec.h"
#include "state/kv.h"
#include "engine_only.h"

#define DEFAULT_CHUNK 512

typedef struct Row Row;
struct Row
{
	Row		   *next;			/* in the queue or among the finished */
	int64_t		row;
	int32_t    *ids;			/* prompt, then answer; [n_prompt + max_tokens] */
	size_t		n_prompt;
	size_t		n_ids;			/* prompt and answer so far */
	size_t		fed;			/* tokens the model has seen */
	int			seq;			/* -1: queued */
	int			pages;			/* reserved */
	int			max_tokens;
	bool		ignore_eos;
	NlpSampling sampling;
	int32_t    *counts;			/* [V] for penalties, or NULL */
	NlpAnswer	answer;
	NlpFinish	finish;			/* 0 while running */
};

struct NlpDecoder
{
	const NlpModel *model;
	const NlpTokenizer *tokenizer;
	NlpEnv		env;
	NlpDecoderConfig config;
	NlpKv	   *kv;
	NlpExec    *exec;
	Row		   *queue,
			   *queue_tail,
			   *finished,
			   *finished_tail;
	Row		   *taken;			/* the row nlp_decoder_take gave out last */
	Row		  **active;			/* [max_seqs], oldest first */
	int			n_active;
	bool	   *seq_used;		/* [max_seqs] */
	int			free_pages;		/* not reserved by an active row */
	int			total_pages;
	int32_t    *ids,
			   *positions,
			   *seqs,
			   *outputs;		/* [chunk_tokens] */
	Row		  **output_row;		/* [max_seqs] */
	void	   *work;			/* for nlp_sample */
	int32_t    *eog;			/* end-of-generation ids, when a row ignores them */
	size_t		n_eog;
	size_t		n_vocab;		/* ids that may be chosen */
	bool		broken;			/* a step failed: the state is undefined */
	NlpDecoderStats stats;
};

/* ---- sizes ---- */

/* Fill in what the caller left open. */
static NlpDecoderConfig
complete(const NlpModel *m, const NlpDecoderConfig *given)
{
	NlpDecoderConfig c = *given;
	int			n_ctx = (int) m->image->hparams.n_ctx;

	if (c.max_seqs < 1)
		c.max_seqs = 1;
	if (c.max_seqs > 256)
		c.max_seqs = 256;
	if (c.max_positions <= 0 || c.max_positions > n_ctx)
		c.max_positions = n_ctx;
	if (c.chunk_tokens <= 0)
		c.chunk_tokens = DEFAULT_CHUNK;
	if ((int64_t) c.chunk_tokens > (int64_t) c.max_seqs * c.max_positions)
		c.chunk_tokens = c.max_seqs * c.max_positions;
	if (c.chunk_tokens < c.max_seqs)
		c.chunk_tokens = c.max_seqs;
	return c;
}

static int
pages_for(size_t positions)
{
	return (int) ((positions + NLP_KV_PAGE - 1) / NLP_KV_PAGE);
}

static size_t
fixed_bytes(const NlpModel *m, const NlpDecoderConfig *c, int threads)
{
	size_t		bytes = nlp_exec_bytes(&m->step, nlp_image_weights(m->image), c->chunk_tokens, c->max_seqs,
									   c->max_positions, threads, m->alloc);
	size_t		more = (size_t) m->image->hparams.n_vocab * 8 + (size_t) c->chunk_tokens * 16 +
		(size_t) c->max_seqs * (size_t) c->max_seqs * (size_t) pages_for((size_t) c->max_positions) * 4;

	return bytes > SIZE_MAX - more ? SIZE_MAX : bytes + more;
}

/* Pages the pool may hold: for every sequence at full length, or what memory allows. */
static int
pool_pages(const NlpModel *m, const NlpDecoderConfig *c, int threads)
{
	int64_t		all = (int64_t) c->max_seqs * pages_for((size_t) c->max_positions);
	size_t		fixed = fixed_bytes(m, c, threads);
	size_t		page = nlp_kv_page_bytes(nlp_hparams_kv(&m->image->hparams));

	if (c->memory_bytes)
	{
		int64_t		fit = fixed < c->memory_bytes ? (int64_t) ((c->memory_bytes - fixed) / page) : 0;

		if (fit < all)
			all = fit;
	}
	return all > INT32_MAX / 2 ? INT32_MAX / 2 : (int) all;
}

size_t
nlp_decoder_bytes(const NlpModel *m, const NlpDecoderConfig *config, int threads)
{
	NlpDecoderConfig c = complete(m, config);
	size_t		fixed = fixed_bytes(m, &c, threads);
	size_t		pages;

	if (fixed == SIZE_MAX ||
		!nlp_mul_size((size_t) pool_pages(m, &c, threads), nlp_kv_page_bytes(nlp_hparams_kv(&m->image->hparams)), &pages) ||
		!nlp_add_size(fixed, pages, &fixed))
		return SIZE_MAX;
	return fixed;
}

/* ---- opening and closing ---- */

static NlpStatus
open_parts(NlpDecoder *d, NlpError *err)
{
	const NlpModel *m = d->model;
	const NlpAlloc *alloc = d->env.alloc;
	NlpDecoderConfig *c = &d->config;
	size_t		chunk = (size_t) c->chunk_tokens,
				seqs = (size_t) c->max_seqs;
	int			threads = nlp_pool_size(d->env.pool);

	d->total_pages = d->free_pages = pool_pages(m, c, threads);
	if (d->total_pages < 1)
		return nlp_no_memory(err, nlp_kv_page_bytes(nlp_hparams_kv(&m->image->hparams)), "keys and values");
	d->ids = nlp_alloc(alloc, chunk * 4 * sizeof(int32_t));
	d->active = nlp_alloc_zero(alloc, seqs * sizeof(Row *));
	d->output_row = nlp_alloc_zero(alloc, seqs * sizeof(Row *));
	d->seq_used = nlp_alloc_zero(alloc, seqs * sizeof(bool));
	d->work = nlp_alloc(alloc, (size_t) m->image->hparams.n_vocab * 8);
	if (!d->ids || !d->active || !d->output_row || !d->seq_used || !d->work)
		return nlp_no_memory(err, chunk * 4 * sizeof(int32_t), "decoder");
	d->positions = d->ids + chunk;
	d->seqs = d->positions + chunk;
	d->outputs = d->seqs + chunk;
	NLP_TRY(nlp_kv_new(nlp_hparams_kv(&m->image->hparams), d->total_pages, c->max_seqs, alloc, &d->kv, err));
	return nlp_exec_new(&m->step, nlp_image_weights(m->image), m->image, d->kv, c->chunk_tokens,
						c->max_seqs, c->max_positions, &d->env, &d->exec, err);
}

NlpStatus
nlp_decoder_open(const NlpModel *model, const NlpDecoderConfig *config, const NlpEnv *env,
				 NlpDecoder **out, NlpError *err)
{
	NlpDecoder *d;
	NlpStatus	st;

	if (!(model->image->tasks & NLP_TASK_GENERATION))
		return nlp_fail(err, NLP_EUNSUPPORTED, "the model holds a tokenizer only and cannot generate");
	d = nlp_alloc_zero(env->alloc, sizeof(*d));
	if (!d)
		return nlp_no_memory(err, sizeof(*d), "decoder");
	d->model = model;
	d->tokenizer = nlp_image_tokenizer(model->image);
	d->env = *env;
	d->config = complete(model, config);
	d->n_vocab = nlp_tokenizer_size(d->tokenizer);
	st = open_parts(d, err);
	if (st != NLP_OK)
		nlp_decoder_close(d);
	else
		*out = d;
	return st;
}

static void
free_row(NlpDecoder *d, Row *r)
{
	if (!r)
		return;
	nlp_answer_free(&r->answer);
	nlp_free(d->env.alloc, r->counts);
	nlp_free(d->env.alloc, r->ids);
	nlp_free(d->env.alloc, r);
}

static void
free_list(NlpDecoder *d, Row *r)
{
	while (r)
	{
		Row		   *next = r->next;

		free_row(d, r);
		r = next;
	}
}

void
nlp_decoder_close(NlpDecoder *d)
{
	const NlpAlloc *alloc;

	if (!d)
		return;
	alloc = d->env.alloc;
	free_list(d, d->queue);
	free_list(d, d->finished);
	free_row(d, d->taken);
	for (int i = 0; i < d->n_active; i++)
		free_row(d, d->active[i]);
	nlp_exec_free(d->exec);
	nlp_kv_free(d->kv);
	nlp_free(alloc, d->eog);
	nlp_free(alloc, d->work);
	nlp_free(alloc, d->seq_used);
	nlp_free(alloc, d->output_row);
	nlp_free(alloc, d->active);
	nlp_free(alloc, d->ids);
	nlp_free(alloc, d);
}

const NlpDecoderStats *
nlp_decoder_stats(const NlpDecoder *d)
{
	return &d->stats;
}

/* ---- submitting ---- */

static void
append(Row **head, Row **tail, Row *r)
{
	r->next = NULL;
	if (*tail)
		(*tail)->next = r;
	else
		*head = r;
	*tail = r;
}

/* How many prompt tokens to keep, or an error that gives the numbers. */
static NlpStatus
fit_prompt(NlpDecoder *d, size_t n, const NlpGenOptions *o, size_t *keep, NlpError *err)
{
	size_t		limit = (size_t) d->config.max_positions;
	size_t		n_ctx = d->model->image->hparams.n_ctx;

	*keep = n;
	if (n == 0)
	{
		nlp_fail(err, NLP_EINVALID, "the prompt has no tokens, and the model has no token to begin a text with");
		nlp_hint(err, "Give a text of at least one character, or NULL to get NULL.");
		return NLP_EINVALID;
	}
	if (o->max_tokens < 1)
		return nlp_fail(err, NLP_EINVALID, "max_tokens must be at least 1");
	if (n + (size_t) o->max_tokens <= limit)
		return NLP_OK;
	if (o->truncate && (size_t) o->max_tokens < limit)
	{
		*keep = limit - (size_t) o->max_tokens;
		return NLP_OK;
	}
	nlp_fail(err, NLP_ELIMIT, "the prompt's %zu tokens and max_tokens %d exceed the context of %zu tokens",
			 n, o->max_tokens, limit < n_ctx ? limit : n_ctx);
	nlp_hint(err, "Lower max_tokens, shorten the text, or use the option \"truncate\": true to drop its beginning.");
	return NLP_ELIMIT;
}

static NlpStatus
find_eog(NlpDecoder *d, NlpError *err)
{
	if (d->eog)
		return NLP_OK;
	d->n_eog = 0;
	for (size_t i = 0; i < d->n_vocab; i++)
		d->n_eog += nlp_tokenizer_is_eog(d->tokenizer, (int32_t) i);
	d->eog = nlp_alloc(d->env.alloc, (d->n_eog + 1) * sizeof(int32_t));
	if (!d->eog)
		return nlp_no_memory(err, d->n_eog * sizeof(int32_t), "decoder");
	for (size_t i = 0, n = 0; i < d->n_vocab; i++)
	{
		if (nlp_tokenizer_is_eog(d->tokenizer, (int32_t) i))
			d->eog[n++] = (int32_t) i;
	}
	return NLP_OK;
}

/* A truncated prompt loses its beginning but keeps the begin-of-text token. */
static void
copy_prompt(NlpDecoder *d, Row *r, const int32_t *ids, size_t n, size_t keep)
{
	bool		bos = keep < n && keep > 0 && ids[0] == nlp_tokenizer_bos(d->tokenizer);

	memcpy(r->ids, ids + (n - keep), keep * sizeof(int32_t));
	if (bos)
		r->ids[0] = ids[0];
	r->n_prompt = r->n_ids = keep;
}

static bool
has_penalties(const NlpSampling *s)
{
	return s->repeat_penalty != 1 || s->presence_penalty != 0 || s->frequency_penalty != 0;
}

static NlpStatus
fill_row(NlpDecoder *d, Row *r, const int32_t *ids, size_t n, size_t keep, const NlpGenOptions *o, NlpError *err)
{
	size_t		total = keep + (size_t) o->max_tokens;

	r->seq = -1;
	r->pages = pages_for(total);
	r->max_tokens = o->max_tokens;
	r->ignore_eos = o->ignore_eos;
	r->sampling = o->sampling;
	if (r->pages > d->total_pages)
	{
		nlp_no_memory(err, (size_t) r->pages * nlp_kv_page_bytes(nlp_hparams_kv(&d->model->image->hparams)), "keys and values");
		nlp_hint(err, "Raise pg_nlp.compute_memory, or lower max_tokens.");
		return NLP_ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
	{
		if (ids[i] < 0 || (size_t) ids[i] >= d->n_vocab)
			return nlp_fail(err, NLP_EINVALID, "token id %d is out of range", ids[i]);
	}
	r->ids = nlp_alloc(d->env.alloc, total * sizeof(int32_t));
	if (!r->ids)
		return nlp_no_memory(err, total * sizeof(int32_t), "prompt");
	copy_prompt(d, r, ids, n, keep);
	if (has_penalties(&r->sampling))
	{
		r->counts = nlp_alloc_zero(d->env.alloc, d->n_vocab * sizeof(int32_t));
		if (!r->counts)
			return nlp_no_memory(err, d->n_vocab * sizeof(int32_t), "token counts");
		for (size_t i = 0; i < r->n_ids; i++)
			r->counts[r->ids[i]]++;
	}
	if (r->ignore_eos)
		NLP_TRY(find_eog(d, err));
	return nlp_answer_init(&r->answer, d->env.alloc, o->stop, o->n_stop, err);
}

NlpStatus
nlp_decoder_submit(NlpDecoder *d, int64_t row, const int32_t *ids, size_t n, const NlpGenOptions *o, NlpError *err)
{
	Row		   *r;
	size_t		keep;
	NlpStatus	st;

	NLP_TRY(fit_prompt(d, n, o, &keep, err));
	r = nlp_alloc_zero(d->env.alloc, sizeof(*r));
	if (!r)
		return nlp_no_memory(err, sizeof(*r), "row");
	r->row = row;
	st = fill_row(d, r, ids, n, keep, o, err);
	if (st != NLP_OK)
		free_row(d, r);
	else
		append(&d->queue, &d->queue_tail, r);
	return st;
}

/* ---- stepping ---- */

static void
admit(NlpDecoder *d)
{
	while (d->queue && d->n_active < d->config.max_seqs && d->queue->pages <= d->free_pages)
	{
		Row		   *r = d->queue;

		d->queue = r->next;
		if (!d->queue)
			d->queue_tail = NULL;
		r->seq = 0;
		while (d->seq_used[r->seq])
			r->seq++;
		d->seq_used[r->seq] = true;
		d->free_pages -= r->pages;
		d->active[d->n_active++] = r;
	}
}

/* Add the row's next n tokens to the batch. */
static NlpStatus
feed(NlpDecoder *d, NlpBatch *b, Row *r, size_t n, NlpError *err)
{
	NLP_TRY(nlp_kv_extend(d->kv, r->seq, (int) n, err));
	for (size_t i = 0; i < n; i++)
	{
		d->ids[b->n_tokens] = r->ids[r->fed + i];
		d->positions[b->n_tokens] = (int32_t) (r->fed + i);
		d->seqs[b->n_tokens] = r->seq;
		b->n_tokens++;
	}
	r->fed += n;
	if (r->fed == r->n_ids)
	{
		d->outputs[b->n_outputs] = b->n_tokens - 1;
		d->output_row[b->n_outputs++] = r;
	}
	return NLP_OK;
}

static NlpStatus
build_batch(NlpDecoder *d, NlpBatch *b, NlpError *err)
{
	size_t		room = (size_t) d->config.chunk_tokens;

	*b = (NlpBatch) {0, d->ids, d->positions, d->seqs, 0, d->outputs};
	for (int i = 0; i < d->n_active; i++)
	{
		if (d->active[i]->n_ids - d->active[i]->fed == 1)
		{
			d->stats.prompt_tokens += d->active[i]->fed < d->active[i]->n_prompt;
			NLP_TRY(feed(d, b, d->active[i], 1, err));
			room--;
		}
	}
	for (int i = 0; i < d->n_active && room > 0; i++)
	{
		Row		   *r = d->active[i];
		size_t		left = r->n_ids - r->fed;

		if (left == 0 || r->fed + left > r->n_prompt)
			continue;
		if (left > room)
			left = room;
		room -= left;
		d->stats.prompt_tokens += left;
		NLP_TRY(feed(d, b, r, left, err));
	}
	return NLP_OK;
}

/* Choose the row's next token and see whether the answer is over. */
static NlpStatus
choose(NlpDecoder *d, Row *r, float *logits, NlpError *err)
{
	uint64_t	step = r->n_ids - r->n_prompt;
	int32_t		id;

	for (size_t i = 0; r->ignore_eos && i < d->n_eog; i++)
		logits[d->eog[i]] = -INFINITY;
	id = nlp_sample(&r->sampling, logits, d->n_vocab, r->counts, (uint64_t) r->row, step, d->work, NULL);
	if (!r->ignore_eos && nlp_tokenizer_is_eog(d->tokenizer, id))
	{
		r->finish = NLP_FINISH_EOS;
		return NLP_OK;
	}
	d->stats.tokens++;
	r->ids[r->n_ids++] = id;
	if (r->counts)
		r->counts[id]++;
	NLP_TRY(nlp_answer_add(&r->answer, d->tokenizer, id, err));
	if (r->answer.stopped)
		r->finish = NLP_FINISH_STOP;
	else if (r->n_ids - r->n_prompt == (size_t) r->max_tokens)
		r->finish = NLP_FINISH_LENGTH;
	return NLP_OK;
}

static void
retire_finished(NlpDecoder *d)
{
	int			kept = 0;

	for (int i = 0; i < d->n_active; i++)
	{
		Row		   *r = d->active[i];

		if (!r->finish)
		{
			d->active[kept++] = r;
			continue;
		}
		nlp_kv_clear(d->kv, r->seq);
		d->seq_used[r->seq] = false;
		d->free_pages += r->pages;
		append(&d->finished, &d->finished_tail, r);
	}
	d->n_active = kept;
}

static NlpStatus
step(NlpDecoder *d, NlpError *err)
{
	NlpBatch	batch;

	NLP_TRY(build_batch(d, &batch, err));
	NLP_TRY(nlp_exec_run(d->exec, &batch, &d->env, err));
	d->stats.passes++;
	for (int i = 0; i < batch.n_outputs; i++)
		NLP_TRY(choose(d, d->output_row[i], nlp_exec_logits(d->exec, i), err));
	retire_finished(d);
	return NLP_OK;
}

NlpStatus
nlp_decoder_step(NlpDecoder *d, bool *busy, NlpError *err)
{
	NlpStatus	st;

	*busy = false;
	if (d->broken)
		return nlp_fail(err, NLP_EINTERNAL, "the decoder was used after a failed step");
	admit(d);
	if (d->n_active == 0)
		return NLP_OK;
	st = step(d, err);
	if (st != NLP_OK)
		d->broken = true;
	*busy = d->n_active > 0 || d->queue;
	return st;
}

bool
nlp_decoder_take(NlpDecoder *d, NlpGenResult *result)
{
	Row		   *r = d->finished;

	if (!r)
		return false;
	d->finished = r->next;
	if (!d->finished)
		d->finished_tail = NULL;
	free_row(d, d->taken);
	d->taken = r;
	*result = (NlpGenResult) {
		.row = r->row,.text = r->answer.text.data ? r->answer.text.data : "",.len = r->answer.text.len,
		.ids = r->ids + r->n_prompt,.n_ids = r->n_ids - r->n_prompt,.n_prompt = r->n_prompt,.finish = r->finish
	};
	return true;
}

NlpStatus
nlp_decoder_fresh(NlpDecoder *d, int64_t row, const char **text, size_t *len, NlpError *err)
{
	Row		   *found = NULL;
	NlpStr		s;

	for (int i = 0; i < d->n_active && !found; i++)
	{
		if (d->active[i]->row == row)
			found = d->active[i];
	}
	for (Row *r = d->finished; r && !found; r = r->next)
	{
		if (r->row == row)
			found = r;
	}
	for (Row *r = d->queue; r && !found; r = r->next)
	{
		if (r->row == row)
			found = r;
	}
	if (!found)
		return nlp_fail(err, NLP_ENOTFOUND, "no such row");
	s = nlp_answer_fresh(&found->answer, found->finish != 0);
	*text = s.data;
	*len = s.len;
	return NLP_OK;
}
