/* summary.h --- abstractive summaries of texts of any length: cut the text into
 * pieces that fit the model, ask for a summary of each, then for one of them all.
 *
 * Nothing here knows a model: tokens are counted and answers written through the
 * caller's hooks. All texts are valid UTF-8. */
#ifndef NLP_TASK_SUMMARY_H
#define NLP_TASK_SUMMARY_H

#include "core/env.h"

/* Tokens of text, without special ones. May stop counting beyond max and give
 * any number above it. Errors are passed on. */
typedef NlpStatus (*NlpSummaryCount) (void *ctx, const char *text, size_t len, size_t max, size_t *tokens,
									  NlpError *err);

typedef struct NlpPiece
{
	size_t		start;			/* bytes of the text */
	size_t		len;
	size_t		tokens;
} NlpPiece;

/* Cut text into pieces of at most max_tokens, about equally long, at the ends of
 * paragraphs or sentences (English and Chinese); a longer sentence is cut at a
 * line end, a comma or a space, and if there is none between two characters. White
 * space around a piece belongs to none; what is left is covered exactly once, in
 * order. No piece for a text of white space. *pieces is alloc'ed; caller frees.
 * NLP_ELIMIT when one character has more tokens than max_tokens. */
extern NlpStatus nlp_summary_split(const NlpEnv *env, const char *text, size_t len, size_t max_tokens,
								   NlpSummaryCount count, void *ctx, NlpPiece **pieces, size_t *n,
								   NlpError *err);

/* What a request asks to be summarised. */
typedef enum NlpSummaryPart
{
	NLP_SUMMARY_WHOLE,			/* a text */
	NLP_SUMMARY_PART,			/* one of several pieces of a text */
	NLP_SUMMARY_JOINED			/* summaries of the pieces, in order */
} NlpSummaryPart;

/* Append the conversation that asks for it, as JSON for nlp_chat_render: one
 * user's message, worded in Chinese when the text is mainly Chinese, else in
 * English. words 0: no wish for the length. number and of count PARTs from 1. */
extern NlpStatus nlp_summary_messages(NlpSummaryPart part, size_t number, size_t of, size_t words,
									  const char *text, size_t len, NlpBuf *out, NlpError *err);

/* Whether text is mainly Chinese: Han characters outweigh other letters, and
 * there is hardly any kana. */
extern bool nlp_summary_is_chinese(const char *text, size_t len);

/* The answer proper: without a leading <think> ... </think> and without white
 * space at its ends. A view of answer. */
extern void nlp_summary_clean(const char *answer, size_t len, const char **clean, size_t *clean_len);

/* One request to the model and its answer, raw. */
typedef struct NlpSummaryRequest
{
	NlpBuf		messages;		/* JSON text */
	size_t		max_tokens;		/* the answer may have so many */
	NlpBuf		answer;			/* the hook appends */
} NlpSummaryRequest;

typedef struct NlpSummaryHooks
{
	NlpSummaryCount count;
	/* Answer n requests, in one batch where that pays. */
	NlpStatus	(*answer) (void *ctx, NlpSummaryRequest *requests, size_t n, NlpError *err);
	void	   *ctx;
	size_t		room;			/* tokens a prompt may have, template and instruction included */
	size_t		overhead;		/* tokens of the template and the longest instruction (nlp_summary_overhead) */
	size_t		answer_tokens;	/* of the final summary, at most */
	size_t		words;			/* wish for the final summary's length, 0: none */
} NlpSummaryHooks;

/* Tokens of the longest instruction, to which the caller adds those of the
 * template around one message. */
extern NlpStatus nlp_summary_overhead(NlpSummaryCount count, void *ctx, size_t *tokens, NlpError *err);

/* Append the summary of text to out: at once when it fits, else in rounds, each
 * shorter than the last. '' when text is white space. NLP_ELIMIT when the room is
 * too small for that, or the answers of a round do not get shorter. */
extern NlpStatus nlp_summarize(const NlpEnv *env, const NlpSummaryHooks *hooks, const char *text, size_t len,
							   NlpBuf *out, NlpError *err);

#endif
