/* train_run.c --- the run: blocks of the spool, the pool over each, private rows brought
 * together, progress.
 *
 * Only the caller's thread reads the spool, polls for cancels and calls back. When a cancel
 * is pending the threads leave the block where they are and, if it was not one, go on from there. */
#include <math.h>
#include <string.h>

#include "core/pool.h"
#include "wordvec/train_private.h"
#include "engine_only.h"

float
nlp_train_alpha(const NlpWord2vec *t, uint32_t epoch, uint64_t place)
{
	double		all = (double) t->o.epochs * (double) t->n_ids;
	double		part = ((double) epoch * (double) t->n_ids + (double) place) / all;

	return (float) (t->o.alpha - (t->o.alpha - (double) t->o.min_alpha) * part);
}

#define NEAR_ROWS 2000			/* private rows that are added up after every block ... */
#define FAR_PARTS 8				/* ... and into how many parts the others fall, one a block */

/* ---- blocks ---- */

/* Cut the n ids of the buffer into sentences and pieces. last: the spool ends with them, so what
 * is left at the end is a sentence too. Returns the ids used up. */
static uint32_t
cut_block(NlpWord2vec *t, uint32_t n, bool last)
{
	uint32_t	start = 0,
				n_sentences = 0,
				in_piece = 0;

	t->n_pieces = 0;
	for (uint32_t i = 0; i <= n; i++)
	{
		bool		end = i < n ? t->ids[i] == NLP_SENTENCE_END || i - start == t->cut : last;

		if (!end)
			continue;
		if (i > start)
		{
			if (in_piece == 0)
				t->pieces[t->n_pieces++] = n_sentences;
			t->sentences[n_sentences++] = (NlpSentence) {start, i - start};
			in_piece += i - start;
			if (in_piece >= t->cut)
				in_piece = 0;
		}
		start = i < n && t->ids[i] == NLP_SENTENCE_END ? i + 1 : i;
	}
	t->pieces[t->n_pieces] = n_sentences;
	return start;
}

/* ---- private rows ---- */

static float *
common_row(const NlpWord2vec *t, int side, uint32_t i)
{
	return side == 0 ? t->input + (size_t) i * t->stride : t->output + (size_t) (t->hot_out_first + i) * t->stride;
}

static float *
private_row(const NlpWord2vec *t, int rank, int side, uint32_t i)
{
	return (side == 0 ? t->thread[rank].hot_in : t->thread[rank].hot_out) + (size_t) i * t->stride;
}

/* What part of the sum of the threads' changes of a row is taken. Changes in directions of their own are all
 * needed. Those that agree were made by each thread alone towards the same place, and their sum may go past it:
 * it is held to twice their mean, which is what training stands (half of that costs accuracy, being slower). */
static float
share_of(const NlpWord2vec *t, int side, uint32_t i)
{
	const float *row = common_row(t, side, i);
	float		own = 0,
				all = 0;

	for (uint32_t c = 0; c < t->stride; c += 16)
	{
		float		sum[16] = {0};

		for (int rank = 0; rank < t->threads; rank++)
		{
			const float *mine = private_row(t, rank, side, i) + c;
			float		square = 0;

			for (int l = 0; l < 16; l++)
			{
				float		change = mine[l] - row[c + l];

				sum[l] += change;
				square += change * change;
			}
			own += square;
		}
		for (int l = 0; l < 16; l++)
			all += sum[l] * sum[l];
	}
	return all > 2 * own ? 2 * own / all : 1;
}

/* A row's changes by all threads come together, and all have the result. */
static void
add_up(NlpWord2vec *t, int side, uint32_t i)
{
	float	   *row = common_row(t, side, i);
	float		part = share_of(t, side, i);

	for (uint32_t c = 0; c < t->stride; c += 16)
	{
		float		sum[16] = {0};

		for (int rank = 0; rank < t->threads; rank++)
		{
			const float *mine = private_row(t, rank, side, i) + c;

			for (int l = 0; l < 16; l++)
				sum[l] += mine[l] - row[c + l];
		}
		for (int l = 0; l < 16; l++)
			row[c + l] += part * sum[l];
		for (int rank = 0; rank < t->threads; rank++)
			memcpy(private_row(t, rank, side, i) + c, row + c, 16 * sizeof(float));
	}
}

/* Rows first..end of both sides, the most frequent first. */
static void
share_rows(NlpWord2vec *t, uint32_t first, uint32_t end)
{
	bool		tree = t->o.loss == NLP_WORDS_HIERARCHICAL;	/* its last nodes are the frequent ones */

	for (uint32_t i = first; i < end; i++)
		add_up(t, 0, i);
	for (uint32_t i = first; i < end; i++)
		add_up(t, 1, tree ? t->hot - 1 - i : i);
}

static void
copy_rows(NlpWord2vec *t, uint32_t i)
{
	for (int side = 0; side < 2; side++)
		for (int rank = 0; rank < t->threads; rank++)
			memcpy(private_row(t, rank, side, i), common_row(t, side, i), t->stride * sizeof(float));
}

void
nlp_train_join(NlpWord2vec *t)
{
	if (t->apart)
		share_rows(t, 0, t->hot);
}

/* ---- the pool ---- */

static void
work_block(void *ctx, int rank, int size)
{
	NlpWord2vec *t = ctx;

	if (rank < t->threads)
		nlp_train_thread(t->thread + rank);
}

/* The rank's part of rows first..end. */
static void
share_part(NlpWord2vec *t, uint32_t first, uint32_t end, int rank, int size)
{
	uint64_t	n = end - first;

	share_rows(t, first + (uint32_t) (n * (uint64_t) rank / (uint64_t) size),
			   first + (uint32_t) (n * ((uint64_t) rank + 1) / (uint64_t) size));
}

/* After a block: the most frequent rows, and one part in turn of the others, which change less. */
static void
work_share(void *ctx, int rank, int size)
{
	NlpWord2vec *t = ctx;
	uint32_t	near = t->hot < NEAR_ROWS ? t->hot : NEAR_ROWS;
	uint64_t	far = t->hot - near;

	share_part(t, 0, near, rank, size);
	share_part(t, near + (uint32_t) (far * t->far_part / FAR_PARTS),
			   near + (uint32_t) (far * (t->far_part + 1) / FAR_PARTS), rank, size);
}

static NlpStatus
run_block(NlpWord2vec *t, const NlpEnv *env, NlpError *err)
{
	t->next_piece = 0;
	for (int rank = 0; rank < t->threads; rank++)
		t->thread[rank].busy = false;
	for (;;)
	{
		t->stop = 0;
		nlp_pool_run(env->pool, work_block, t);
		if (!t->stop)
			break;
		if (env->cancelled && env->cancelled(env->cancel_ctx))
			return nlp_fail(err, NLP_ECANCELLED, "canceled");
	}
	if (t->hot > 0)
	{
		nlp_pool_run(env->pool, work_share, t);
		t->far_part = (t->far_part + 1) % FAR_PARTS;
	}
	return NLP_OK;
}

/* ---- progress ---- */

static NlpStatus
tell(NlpWord2vec *t, NlpTrainProgress progress, void *ctx, NlpError *err)
{
	NlpTrainState s = {
		.epoch = t->epoch,
		.epochs = t->o.epochs,
		.tokens_total = (uint64_t) t->o.epochs * nlp_vocab_tokens(t->vocab),
	};
	double		loss = 0;
	uint64_t	pairs = 0;

	for (int rank = 0; rank < t->threads; rank++)
	{
		NlpTrainThread *th = t->thread + rank;

		t->tokens_done += th->tokens;
		loss += th->loss;
		pairs += th->loss_pairs;
		th->tokens = 0;
		th->loss = 0;
		th->loss_pairs = 0;
	}
	if (pairs > 0)
		t->last_loss = loss / (double) pairs;
	s.loss = t->last_loss;
	s.tokens_done = t->tokens_done;
	s.alpha = nlp_train_alpha(t, t->epoch, t->place);
	return progress ? progress(ctx, t, &s, err) : NLP_OK;
}

/* ---- one pass ---- */

static NlpStatus
run_epoch(NlpWord2vec *t, const NlpSource *spool, const NlpEnv *env, NlpTrainProgress progress, void *ctx,
		  NlpError *err)
{
	uint32_t	held = 0;		/* ids in the buffer already: the start of a sentence that goes on */

	while (t->place < t->n_ids)
	{
		uint64_t	left = t->n_ids - t->place - held;
		uint32_t	n = left < t->block_ids ? (uint32_t) left : t->block_ids;
		uint32_t	used;

		NLP_TRY(spool->read(spool->ctx, (t->place + held) * sizeof(uint32_t), (size_t) n * sizeof(uint32_t),
							t->ids + held, err));
		n += held;
		used = cut_block(t, n, t->place + n == t->n_ids);
		t->block_place = t->place;
		NLP_TRY(run_block(t, env, err));
		held = n - used;
		memmove(t->ids, t->ids + used, held * sizeof(uint32_t));
		t->place += used;
		NLP_TRY(tell(t, progress, ctx, err));
	}
	return NLP_OK;
}

/* Rows must be numbers: options may have been such that they are not. */
static NlpStatus
check_finite(const NlpWord2vec *t, const float *rows, uint64_t n, const NlpEnv *env, NlpError *err)
{
	NlpPace		pace = {.env = env};

	for (uint64_t i = 0; rows && i < n; i++)
	{
		if (!(t->kernel->largest(rows + i * t->stride, t->stride) < 3e38f))
		{
			nlp_fail(err, NLP_EINVALID, "training diverged: row %llu is not finite", (unsigned long long) i);
			return nlp_hint(err, "Lower option \"alpha\".");
		}
		NLP_TRY(nlp_pace(&pace, t->stride, err));
	}
	return NLP_OK;
}

static NlpStatus
check_spool(NlpWord2vec *t, const NlpSource *spool, NlpError *err)
{
	uint64_t	n = spool->size / sizeof(uint32_t);

	if (spool->size % sizeof(uint32_t) != 0)
		return nlp_fail(err, NLP_EINVALID, "the spool of token ids ends inside an id");
	if (n == 0 || nlp_vocab_tokens(t->vocab) == 0)
		return nlp_fail(err, NLP_EINVALID, "there are no words to train on: the texts hold none of the vocabulary's");
	if (t->restored && n != t->n_ids)
	{
		nlp_fail(err, NLP_EINVALID, "the checkpoint belongs to other data");
		return nlp_detail(err, "It was made from %llu words and ends of texts, but there are %llu now.",
						  (unsigned long long) t->n_ids, (unsigned long long) n);
	}
	t->n_ids = n;
	return NLP_OK;
}

NlpStatus
nlp_word2vec_run(NlpWord2vec *t, const NlpSource *spool, const NlpEnv *env, NlpTrainProgress progress, void *ctx,
				 NlpError *err)
{
	NlpPace		pace = {.env = env};

	NLP_TRY(check_spool(t, spool, err));
	if (nlp_pool_size(env->pool) < t->threads)
		return nlp_fail(err, NLP_EINTERNAL, "the trainer was made for more threads than there are");
	t->env = env;
	t->kernel = nlp_word_kernel();
	for (uint32_t i = 0; i < t->hot; i++)
	{
		copy_rows(t, i);
		NLP_TRY(nlp_pace(&pace, 2 * (uint64_t) t->threads * t->stride, err));
	}
	t->apart = t->hot > 0;
	for (; t->epoch < t->o.epochs; t->epoch++, t->place = 0)
		NLP_TRY(run_epoch(t, spool, env, progress, ctx, err));
	nlp_train_join(t);
	t->apart = false;
	if (!t->useful && !t->restored)
	{
		nlp_fail(err, NLP_EINVALID, "there is nothing to learn from: no text has two words of the vocabulary");
		return nlp_hint(err, "Give longer texts, or lower min_count.");
	}
	NLP_TRY(check_finite(t, t->input, t->n, env, err));
	NLP_TRY(check_finite(t, t->output, t->n_out, env, err));
	return check_finite(t, t->gram, t->o.buckets, env, err);
}
