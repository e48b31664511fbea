/* fn_rows.c --- rows of prompts through the decoder, as one batch.
 *
 * Every prompt is encoded and submitted before the first forward pass, so a row
 * that is too long is reported before anything was computed. */
#include "postgres.h"

#include "miscadmin.h"

#include "fn_common.h"
#include "kernel/attention.h"
#include "state/kv.h"

#define MAX_ROWS_AT_ONCE 32		/* beyond this the products no longer get cheaper a row */

bool
pg_nlp_is_data_error(NlpStatus status)
{
	return status == NLP_ELIMIT || status == NLP_ETEXT || status == NLP_EINVALID || status == NLP_ECOMPLEX;
}

void
pg_nlp_row_error(PgNlpRow *row, const PgNlpOptions *options, NlpError *err)
{
	if (!options->null_on_error || !pg_nlp_is_data_error(err->status))
	{
		if (row->element > 0 && err->detail[0] == '\0')
			nlp_detail(err, "The error is in element %d of the array.", row->element);
		pg_nlp_raise(err);
	}
	row->skip = true;
	row->answer = NULL;
}

/* A prompt is counted to its end while it is not absurdly long, so that the error
 * can tell its length; a longer one is given up early. */
static size_t
encode_limit(const PgNlpCall *call, const PgNlpOptions *options)
{
	size_t		n_ctx = call->model->image->hparams.n_ctx;

	return options->gen.truncate || n_ctx == 0 ? 0 : 4 * n_ctx + 1024;
}

static NlpStatus
too_long(PgNlpCall *call, size_t limit)
{
	nlp_fail(&call->err, NLP_ELIMIT, "the text has more than %zu tokens, and the model's context holds %u",
			 limit, call->model->image->hparams.n_ctx);
	return nlp_hint(&call->err, "Shorten the text.");
}

NlpStatus
pg_nlp_check_length(PgNlpCall *call, const PgNlpOptions *options, size_t len)
{
	size_t		limit = encode_limit(call, options);
	size_t		longest = nlp_tokenizer_max_bytes(nlp_image_tokenizer(call->model->image));

	return limit > 0 && len / Max(longest, 1) > limit ? too_long(call, limit) : NLP_OK;
}

void
pg_nlp_row_encode(PgNlpCall *call, const PgNlpOptions *options, PgNlpRow *row,
				  const char *utf8, size_t len, unsigned flags)
{
	size_t		limit = encode_limit(call, options);
	NlpStatus	status = pg_nlp_check_length(call, options, len);

	memset(&row->prompt, 0, sizeof(row->prompt));
	if (status == NLP_OK)
	{
		status = nlp_encode(call->model->coder, &call->env, utf8, len, flags, false, limit, &row->prompt, &call->err);
		if (status == NLP_ELIMIT && limit > 0)
			status = too_long(call, limit);
	}
	if (status != NLP_OK)
		pg_nlp_row_error(row, options, &call->err);
}

NlpGenOptions
pg_nlp_row_options(const PgNlpCall *call, const PgNlpOptions *options, const PgNlpRow *row)
{
	NlpGenOptions gen = options->gen;
	size_t		n_ctx = call->model->image->hparams.n_ctx;
	size_t		n = row->prompt.n;

	if (row->max_tokens > 0)
		gen.max_tokens = row->max_tokens;
	else if (!(options->given & OPT_MAX_TOKENS) && n < n_ctx && (size_t) gen.max_tokens > n_ctx - n)
		gen.max_tokens = (int) (n_ctx - n);
	return gen;
}

static size_t
pages_of(size_t positions)
{
	return (positions + NLP_KV_PAGE - 1) / NLP_KV_PAGE;
}

/* Bytes that a decoder needs to run its max_seqs longest rows at once. lengths are
 * descending. */
static size_t
bytes_wanted(const PgNlpCall *call, const NlpDecoderConfig *config, int threads, const size_t *lengths, int n)
{
	size_t		bytes = nlp_decoder_bytes(call->model, config, threads);	/* every sequence as long as the longest */
	size_t		page = nlp_kv_page_bytes(nlp_hparams_kv(&call->model->image->hparams));

	for (int i = 0; i < config->max_seqs && i < n; i++)
		bytes -= (pages_of(lengths[0]) - pages_of(lengths[i])) * page;
	return bytes;
}

static int
longer_first(const void *a, const void *b)
{
	size_t		x = *(const size_t *) a,
				y = *(const size_t *) b;

	return x < y ? 1 : x > y ? -1 : 0;
}

NlpDecoder *
pg_nlp_open_decoder(PgNlpCall *call, size_t *lengths, int n)
{
	size_t		n_ctx = call->model->image->hparams.n_ctx;
	size_t		page = nlp_kv_page_bytes(nlp_hparams_kv(&call->model->image->hparams));
	int			threads = nlp_pool_size(call->env.pool);
	NlpDecoderConfig config = {0};
	size_t		available,
				wanted,
				least;
	NlpDecoder *decoder;

	for (int i = 0; i < n; i++)
		lengths[i] = Max(1, Min(lengths[i], n_ctx));
	qsort(lengths, n, sizeof(size_t), longer_first);
	config.max_seqs = Min(n, MAX_ROWS_AT_ONCE);
	config.max_positions = (int) lengths[0];

	/* Half of what is left, so that another call finds some too; rows wait inside the
	 * decoder for memory. Only the longest row must fit, and takes the rest if need be. */
	available = pg_nlp_call_available(call);
	for (;;)
	{
		wanted = bytes_wanted(call, &config, threads, lengths, n);
		least = nlp_decoder_bytes(call->model, &config, threads) -
			(config.max_seqs - 1) * pages_of(lengths[0]) * page;
		if (least <= available || config.max_seqs == 1)
			break;
		config.max_seqs /= 2;
	}
	config.memory_bytes = Max(least, Min(wanted, available / 2));
	pg_nlp_call_reserve(call, config.memory_bytes, "the decoder");
	if (nlp_decoder_open(call->model, &config, &call->env, &decoder, &call->err) != NLP_OK)
		pg_nlp_raise(&call->err);
	return decoder;
}

/* Take what is finished; returns how many rows that was. */
static int
take_finished(PgNlpCall *call, NlpDecoder *decoder, const PgNlpOptions *options, PgNlpRow *rows)
{
	NlpGenResult result;
	int			taken = 0;

	while (nlp_decoder_take(decoder, &result))
	{
		PgNlpRow   *row = &rows[result.row];

		if (pg_nlp_from_utf8(result.text, result.len, &row->answer, &call->err) != NLP_OK)
			pg_nlp_row_error(row, options, &call->err);
		taken++;
	}
	return taken;
}

/* Lengths of the rows that are left, prompt and answer; how many there are. */
static int
row_lengths(const PgNlpCall *call, const PgNlpOptions *options, const PgNlpRow *rows, int n, size_t *lengths)
{
	int			left = 0;

	for (int i = 0; i < n; i++)
		if (!rows[i].skip)
			lengths[left++] = rows[i].prompt.n + pg_nlp_row_options(call, options, &rows[i]).max_tokens;
	return left;
}

static NlpDecoderStats
add_stats(const NlpDecoderStats *a, const NlpDecoderStats *b)
{
	return (NlpDecoderStats) {
		.passes = a->passes + b->passes,.prompt_tokens = a->prompt_tokens + b->prompt_tokens,
			.tokens = a->tokens + b->tokens
	};
}

void
pg_nlp_run_rows(PgNlpCall *call, const PgNlpOptions *options, PgNlpRow *rows, int n, PgNlpTally *before)
{
	size_t	   *lengths = palloc_extended((n + 1) * sizeof(size_t), MCXT_ALLOC_HUGE);
	int			left = row_lengths(call, options, rows, n, lengths);
	NlpDecoder *decoder;
	bool		busy = true;
	NlpDecoderStats stats = {0};
	uint64		done = 0;

	if (left == 0)
		return;
	decoder = pg_nlp_open_decoder(call, lengths, left);
	pfree(lengths);
	for (int i = 0; i < n; i++)
	{
		PgNlpRow   *row = &rows[i];
		NlpGenOptions gen;

		if (row->skip)
			continue;
		gen = pg_nlp_row_options(call, options, row);
		if (nlp_decoder_submit(decoder, i, row->prompt.ids, row->prompt.n, &gen, &call->err) != NLP_OK)
			pg_nlp_row_error(row, options, &call->err);
		nlp_free(call->env.alloc, row->prompt.ids);
		row->prompt.ids = NULL;
	}
	while (busy)
	{
		if (nlp_decoder_step(decoder, &busy, &call->err) != NLP_OK)
			pg_nlp_raise(&call->err);
		done += take_finished(call, decoder, options, rows);
		stats = before ? add_stats(&before->stats, nlp_decoder_stats(decoder)) : *nlp_decoder_stats(decoder);
		pg_nlp_call_progress(call, &stats, before ? before->rows : done);
	}
	if (before)
		before->stats = stats;
	nlp_decoder_close(decoder);
}
