/* decoder.h --- many texts through one model: continuous batching.
 *
 * Rows are submitted, steps are run, finished rows are taken, in any order. A step
 * is one forward pass mixing prompt chunks of new rows and one token of each
 * running row. The answer of a row does not depend on the others. */
#ifndef NLP_DECODE_DECODER_H
#define NLP_DECODE_DECODER_H

#include "decode/sampling.h"
#include "model/model.h"

typedef struct NlpGenOptions
{
	int			max_tokens;		/* > 0 */
	bool		ignore_eos;		/* run to max_tokens */
	bool		truncate;		/* a prompt too long for the context loses its beginning; else NLP_ELIMIT */
	NlpSampling sampling;
	int			n_stop;
	const NlpStr *stop;			/* the answer ends before the first of these; copied */
} NlpGenOptions;

typedef struct NlpDecoderConfig
{
	int			max_seqs;		/* rows running at once, 1..256 */
	int			max_positions;	/* longest row, prompt and answer; 0: the model's n_ctx */
	int			chunk_tokens;	/* tokens a step, 0: 512 */
	size_t		memory_bytes;	/* limit for scratch and KV pages; 0: none */
} NlpDecoderConfig;

typedef enum NlpFinish
{
	NLP_FINISH_EOS = 1,
	NLP_FINISH_STOP,
	NLP_FINISH_LENGTH
} NlpFinish;

typedef struct NlpGenResult
{
	int64_t		row;
	const char *text;			/* valid until the next decoder call; whole UTF-8 characters: an
								 * incomplete tail is dropped, an invalid sequence becomes U+FFFD */
	size_t		len;
	const int32_t *ids;
	size_t		n_ids;			/* tokens of the answer, without the end token */
	size_t		n_prompt;
	NlpFinish	finish;
} NlpGenResult;

typedef struct NlpDecoderStats
{
	uint64_t	passes;			/* forward passes */
	uint64_t	prompt_tokens;
	uint64_t	tokens;			/* generated */
} NlpDecoderStats;

typedef struct NlpDecoder NlpDecoder;

/* Keeps model and env (its alloc, cancel and pool) until close. */
extern NlpStatus nlp_decoder_open(const NlpModel *model, const NlpDecoderConfig *config, const NlpEnv *env,
								  NlpDecoder **decoder, NlpError *err);
extern void nlp_decoder_close(NlpDecoder *decoder);
/* Bytes a decoder of this size needs at most, so that they can be reserved first. */
extern size_t nlp_decoder_bytes(const NlpModel *model, const NlpDecoderConfig *config, int threads);

/* Queue a row (ids are copied). NLP_ELIMIT when prompt + max_tokens cannot fit and
 * truncate is off; the message gives both numbers. n may be 0 only if the
 * vocabulary has bos. */
extern NlpStatus nlp_decoder_submit(NlpDecoder *decoder, int64_t row, const int32_t *ids, size_t n,
									const NlpGenOptions *options, NlpError *err);
/* One forward pass. *busy is false when nothing is left to run. */
extern NlpStatus nlp_decoder_step(NlpDecoder *decoder, bool *busy, NlpError *err);
/* Next finished row; false when there is none. */
extern bool nlp_decoder_take(NlpDecoder *decoder, NlpGenResult *result);
/* New whole characters of a running row since the last call that can no longer
 * become part of a stop string (for streaming). len may be 0. */
extern NlpStatus nlp_decoder_fresh(NlpDecoder *decoder, int64_t row, const char **text, size_t *len, NlpError *err);
extern const NlpDecoderStats *nlp_decoder_stats(const NlpDecoder *decoder);

/* Score a text: log-probabilities (natural) of ids[1..n) given what precedes, in
 * chunks; logprob[i] for ids[i+1], n-1 of them. perplexity = exp(-mean). */
extern NlpStatus nlp_score(const NlpModel *model, const NlpEnv *env, const int32_t *ids, size_t n,
						   float *logprob, NlpDecoderStats *stats, NlpError *err);

/* Probabilities of the k likeliest next tokens, descending, ties by id. */
extern NlpStatus nlp_next_tokens(const NlpModel *model, const NlpEnv *env, const int32_t *ids, size_t n,
								 int k, int32_t *top_ids, float *top_prob, NlpDecoderStats *stats, NlpError *err);

#endif
