/* unwind_test.c --- every way out of a whole use of a model: load, encode, generate,
 * stream, score. One allocation, one read or one poll fails, for each there is; the call
 * says so, nothing is left behind and the next use works. Run it under ASAN too. */
#include "check.h"
#include "decode/decoder.h"
#include "format/source.h"

static unsigned char *file_bytes;
static size_t file_len;

typedef struct Use
{
	NlpTestAlloc alloc;
	NlpMemorySource memory;
	NlpSource	source;			/* memory, counted */
	NlpEnv		env;
	long		reads,
				read_fails_at;
	long		polls,
				cancel_at;
	const char *stage;			/* where it ended */
	uint64_t	sum;			/* of everything answered */
} Use;

static NlpStatus
counted_read(void *ctx, uint64_t offset, size_t len, void *dst, NlpError *err)
{
	Use		   *u = ctx;

	if (u->reads++ == u->read_fails_at)
		return nlp_fail(err, NLP_EIO, "asked to");
	return u->memory.source.read(u->memory.source.ctx, offset, len, dst, err);
}

static bool
pending(void *ctx)
{
	Use		   *u = ctx;

	return u->polls++ >= u->cancel_at && u->cancel_at >= 0;	/* stays so, as a cancel does */
}

static bool
cancelled(void *ctx)
{
	(void) ctx;
	return true;
}

static void
add(Use *u, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		u->sum = u->sum * 1099511628211u + ((const unsigned char *) bytes)[i];
}

/* Four rows through two places, one with stop strings, one streamed. */
static NlpStatus
generate(Use *u, const NlpModel *model, NlpError *err)
{
	static const char *const prompts[] = {"the dog sleeps", "a cat", "the old man and the dog eat bread", "the"};
	static const NlpStr stop[] = {{"zq", 2}, {"xyzzy", 5}};
	NlpDecoderConfig config = {.max_seqs = 2,.max_positions = 48,.chunk_tokens = 4,.memory_bytes = 1 << 28};
	NlpDecoder *d = NULL;
	NlpGenResult result;
	NlpStatus	st;
	bool		busy = true;

	u->stage = "decoder";
	st = nlp_decoder_open(model, &config, &u->env, &d, err);
	for (int i = 0; i < 4 && !st; i++)
	{
		NlpGenOptions options = {.max_tokens = 6 + i,.ignore_eos = true,.truncate = i == 2,
			.sampling = NLP_SAMPLING_GREEDY,.n_stop = i == 1 ? 2 : 0,.stop = stop};
		NlpTokens	tokens = {0};

		u->stage = "encode";
		st = nlp_encode(model->coder, &u->env, prompts[i], strlen(prompts[i]), 0, i == 0, 0, &tokens, err);
		if (!st)
		{
			u->stage = "submit";
			st = nlp_decoder_submit(d, i, tokens.ids, tokens.n, &options, err);
			nlp_free(u->env.alloc, tokens.ids);
			nlp_free(u->env.alloc, tokens.starts);
		}
	}
	while (!st && busy)
	{
		const char *text;
		size_t		len;
		NlpError	gone;			/* row 0 has finished */

		u->stage = "step";
		st = nlp_decoder_step(d, &busy, err);
		u->stage = "fresh";
		if (!st && !nlp_decoder_fresh(d, 0, &text, &len, &gone))
			add(u, text, len);
		while (!st && nlp_decoder_take(d, &result))
			add(u, result.text, result.len);
	}
	nlp_decoder_close(d);
	return st;
}

static NlpStatus
score(Use *u, const NlpModel *model, NlpError *err)
{
	static const char text[] = "the dog and the cat eat bread";
	NlpTokens	tokens = {0};
	NlpDecoderStats stats = {0};
	float		logprob[64];
	int32_t		ids[5];
	float		prob[5];
	NlpBuf		out;
	NlpStatus	st;

	u->stage = "encode to score";
	st = nlp_encode(model->coder, &u->env, text, strlen(text), 0, false, 64, &tokens, err);
	if (st)
		return st;
	u->stage = "score";
	st = nlp_score(model, &u->env, tokens.ids, tokens.n, logprob, &stats, err);
	if (!st)
	{
		add(u, logprob, (tokens.n - 1) * sizeof(float));
		u->stage = "next tokens";
		st = nlp_next_tokens(model, &u->env, tokens.ids, tokens.n, 5, ids, prob, &stats, err);
	}
	if (!st)
	{
		add(u, ids, sizeof(ids));
		add(u, prob, sizeof(prob));
		u->stage = "decode";
		nlp_buf_init(&out, u->env.alloc);
		st = nlp_decode(nlp_image_tokenizer(model->image), tokens.ids, tokens.n, true, &out, err);
		if (!st)
			add(u, out.data, out.len);
		nlp_buf_free(&out);
	}
	nlp_free(u->env.alloc, tokens.ids);
	nlp_free(u->env.alloc, tokens.starts);
	return st;
}

/* The whole of it, giving back what it holds however it ends. */
static NlpStatus
use(Use *u, long alloc_fails_at, long read_fails_at, long cancel_at, NlpError *err)
{
	NlpImagePlan *plan = NULL;
	NlpModel   *model = NULL;
	void	   *block = NULL;
	NlpStatus	st;

	*u = (Use) {.read_fails_at = read_fails_at,.cancel_at = cancel_at,.stage = "plan"};
	*err = (NlpError) {0};
	nlp_test_alloc_init(&u->alloc, alloc_fails_at);
	nlp_memory_source_init(&u->memory, file_bytes, file_len);
	u->source = (NlpSource) {u->memory.source.size, counted_read, u};
	u->env = (NlpEnv) {.alloc = &u->alloc.alloc,.pending = pending,.cancelled = cancelled,.cancel_ctx = u};

	st = nlp_image_plan(&u->source, &u->env, &plan, err);
	if (!st)
	{
		u->stage = "block";
		block = nlp_alloc(u->env.alloc, nlp_image_plan_bytes(plan));
		if (!block)
			st = nlp_fail(err, NLP_ENOMEM, "no block");
	}
	if (!st)
	{
		u->stage = "build";
		st = nlp_image_build(plan, &u->source, &u->env, block, NULL, err);
	}
	if (!st)
		st = nlp_image_check(block, nlp_image_plan_bytes(plan), err);
	nlp_image_plan_free(plan);
	if (!st)
	{
		u->stage = "model";
		st = nlp_model_open(block, u->env.alloc, &model, err);
	}
	if (!st)
		st = generate(u, model, err);
	if (!st)
		st = score(u, model, err);
	nlp_model_close(model);
	nlp_free(u->env.alloc, block);
	return st;
}

/* One thing fails; want is what the call must end with. */
static void
failing(const char *what, long n, NlpStatus want, long alloc_at, long read_at, long cancel_at)
{
	Use			u;
	NlpError	err;
	NlpStatus	st = use(&u, alloc_at, read_at, cancel_at, &err);

	CHECKF(st == want && err.status == want && err.message[0], "%s %ld, %s: %d (%s)", what, n, u.stage, st, err.message);
	CHECKF(u.alloc.live == 0, "%s %ld, %s: %ld allocations left", what, n, u.stage, u.alloc.live);
}

int
main(void)
{
	FILE	   *f = fopen("test/fixtures/tiny_llama.gguf", "rb");
	Use			whole,
				again;
	NlpError	err;
	NlpStatus	st;

	if (!f || fseek(f, 0, SEEK_END) != 0)
	{
		printf("run me in the top directory\n");
		return 1;
	}
	file_len = (size_t) ftell(f);
	rewind(f);
	file_bytes = malloc(file_len);
	CHECK(fread(file_bytes, 1, file_len, f) == file_len);
	fclose(f);

	st = use(&whole, -1, -1, -1, &err);
	CHECK_OK(st, err);
	CHECKF(whole.alloc.live == 0, "%ld allocations left", whole.alloc.live);
	printf("%ld allocations, %ld reads, %ld polls\n", whole.alloc.calls, whole.reads, whole.polls);
	CHECK(whole.alloc.calls > 20 && whole.reads > 5 && whole.polls > 20);
	for (long n = 0; n < whole.alloc.calls; n++)
		failing("allocation", n, NLP_ENOMEM, n, -1, -1);
	for (long n = 0; n < whole.reads; n++)
		failing("read", n, NLP_EIO, -1, n, -1);
	for (long n = 0; n < whole.polls; n++)
		failing("poll", n, NLP_ECANCELLED, -1, -1, n);
	st = use(&again, -1, -1, -1, &err);
	CHECK_OK(st, err);
	CHECK(again.sum == whole.sum && again.alloc.calls == whole.alloc.calls);
	free(file_bytes);
	return check_done();
}
