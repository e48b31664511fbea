/* fn_train_word2vec.c --- CALL nlp.train_word2vec(name, query, options): word vectors from
 * rows. The job (train.c) reads, commits, keeps checkpoints and stores; the engine
 * (wordvec/train.h) counts words and trains.
 *
 * The query's one column is text, cut into words here (token/words.h), or text[], whose
 * elements are words as they are. A row is a sentence: windows do not cross it. */
#include "train.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "fn_common.h"
#include "token/words.h"
#include "wordvec/train.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

PG_FUNCTION_INFO_V1(pg_nlp_train_word2vec);

/* ---- options ---- */

typedef enum Segmenter
{
	CUT_WORDS, CUT_CHINESE, CUT_PLAIN
} Segmenter;

typedef struct Word2vecOptions
{
	PgNlpTrainCommon common;
	NlpWord2vecOptions w;
	int			objective;		/* w's, as int for the table */
	int			loss;
	int			segmenter;		/* Segmenter */
	bool		lower;
	bool		own_buckets;	/* of subwords, asked for in so many words */
} Word2vecOptions;

static const char *const objective_names[] = {"", "skip-gram", "cbow", NULL};
static const char *const loss_names[] = {"", "negative", "hierarchical", "softmax", NULL};
static const char *const segmenter_names[] = {"words", "chinese", "plain", NULL};

StaticAssertDecl(NLP_WORDS_SKIPGRAM == 1 && NLP_WORDS_CBOW == 2, "names of objectives by number");
StaticAssertDecl(NLP_WORDS_NEGATIVE == 1 && NLP_WORDS_HIERARCHICAL == 2 && NLP_WORDS_SOFTMAX == 3, "names of losses by number");

#define SUBWORD_MIN 3
#define SUBWORD_MAX 6
#define SUBWORD_BUCKETS 2000000
#define SUBWORD_LEAST 10000
#define ENOUGH_WORDS UINT64CONST(10000000)
#define MOST_EPOCHS 30

static bool
subword_number(const JsonbValue *v, uint32 low, uint32 high, uint32 *out)
{
	double		number;

	if (v->type != jbvNumeric)
		return false;
	number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(v->val.numeric)));
	if (!(number >= low && number <= high) || number != (double) (uint32) number)
		return false;
	*out = (uint32) number;
	return true;
}

/* true, false or {"min": 3, "max": 6, "buckets": 2000000} */
static bool
read_subwords(JsonbValue *v, void *options)
{
	Word2vecOptions *o = options;
	NlpWord2vecOptions *w = &o->w;
	JsonbIterator *it;
	JsonbValue	item;
	JsonbIteratorToken token;

	w->subword_min = SUBWORD_MIN;
	w->subword_max = SUBWORD_MAX;
	w->buckets = SUBWORD_BUCKETS;
	o->own_buckets = false;
	if (v->type == jbvBool)
	{
		if (!v->val.boolean)
			w->subword_min = w->subword_max = w->buckets = 0;
		return true;
	}
	if (v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
		return false;
	it = JsonbIteratorInit(v->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		char	   *key;
		bool		good;

		if (token != WJB_KEY)
			continue;
		key = pnstrdup(item.val.string.val, item.val.string.len);
		(void) JsonbIteratorNext(&it, &item, true);
		if (strcmp(key, "min") == 0)
			good = subword_number(&item, 1, 64, &w->subword_min);
		else if (strcmp(key, "max") == 0)
			good = subword_number(&item, 1, 64, &w->subword_max);
		else
			good = o->own_buckets = strcmp(key, "buckets") == 0 && subword_number(&item, 1, 100000000, &w->buckets);
		if (!good)
			return false;
	}
	return w->subword_min <= w->subword_max;
}

static void
put_subwords(StringInfo json, const void *options)
{
	const NlpWord2vecOptions *w = &((const Word2vecOptions *) options)->w;

	if (w->subword_min == 0)
		appendStringInfoString(json, "false");
	else
		appendStringInfo(json, "{\"min\": %u, \"max\": %u, \"buckets\": %u}", w->subword_min, w->subword_max, w->buckets);
}

#define OWN(field) offsetof(Word2vecOptions, field)
#define DEFINES TRAIN_DEFINES
#define SHAPE (TRAIN_DEFINES | TRAIN_SHAPE)

static const PgNlpTrainOption option_specs[] = {
	{"objective", TRAIN_CHOICE, OWN(objective), SHAPE, .choices = objective_names},
	{"dim", TRAIN_UINT, OWN(w.dim), SHAPE, 1, 16000},
	{"window", TRAIN_UINT, OWN(w.window), DEFINES, 1, 1000},
	{"negative", TRAIN_UINT, OWN(w.negative), DEFINES, 1, 64},
	{"loss", TRAIN_CHOICE, OWN(loss), SHAPE, .choices = loss_names},
	{"epochs", TRAIN_UINT, OWN(w.epochs), DEFINES, 1, 100000},
	{"min_count", TRAIN_UINT, OWN(w.min_count), DEFINES, 1, 1000000000},
	{"max_words", TRAIN_UINT, OWN(w.max_words), DEFINES, 0, 1000000000},
	{"sample", TRAIN_DOUBLE, OWN(w.sample), DEFINES, 0, 1},
	{"alpha", TRAIN_FLOAT, OWN(w.alpha), DEFINES, 0, 1, true},
	{"min_alpha", TRAIN_FLOAT, OWN(w.min_alpha), DEFINES, 0, 1},
	{"seed", TRAIN_SEED, OWN(w.seed), DEFINES},
	{"cbow_mean", TRAIN_BOOL, OWN(w.cbow_mean), SHAPE},
	{"exact", TRAIN_BOOL, OWN(w.exact), DEFINES},
	{"subwords", TRAIN_OWN, 0, SHAPE,
		.wanted = "true, false or an object of \"min\", \"max\" (characters, 1 to 64) and \"buckets\" (1 to 100000000)",
	.read = read_subwords,.put = put_subwords},
	{"segmenter", TRAIN_CHOICE, OWN(segmenter), SHAPE, .choices = segmenter_names},
	{"lower", TRAIN_BOOL, OWN(lower), SHAPE},
	TRAIN_COMMON_OPTIONS
};

static const PgNlpTrainOptions table = {"nlp.train_word2vec", option_specs, lengthof(option_specs)};

static void
set_defaults(Word2vecOptions *o, int objective)
{
	memset(o, 0, sizeof(*o));
	nlp_word2vec_defaults((NlpWordObjective) objective, &o->w);
	o->objective = objective;
	o->loss = (int) o->w.loss;
	o->segmenter = CUT_WORDS;
	o->lower = true;
	o->common.checkpoint_seconds = 60;
}

/* What goes together, once every option is known. */
static void
settle(Word2vecOptions *o, uint64 given)
{
	NlpError	err = {0};

	o->w.objective = (NlpWordObjective) o->objective;
	o->w.loss = (NlpWordLoss) o->loss;
	o->w.chinese = o->segmenter == CUT_CHINESE;
	if (o->segmenter == CUT_PLAIN)
	{
		if (pg_nlp_train_given(&table, given, "lower") && o->lower)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"lower\" cannot be true with the segmenter \"plain\""),
					 errdetail("It cuts at white space and changes nothing.")));
		o->lower = false;
	}
	if (pg_nlp_train_given(&table, given, "alpha") && !pg_nlp_train_given(&table, given, "min_alpha"))
		o->w.min_alpha = o->w.alpha * 1e-4f;
	if (o->w.min_alpha > o->w.alpha)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"min_alpha\" must be at most \"alpha\", which is %g", o->w.alpha)));
	if (nlp_word2vec_check(&o->w, &err) != NLP_OK)
		pg_nlp_raise(&err);
}

/* ---- the training ---- */

typedef struct Word2vec
{
	PgNlpTrainJob *job;
	Word2vecOptions options;
	uint64		given;			/* bits of the options of this call */
	Jsonb	   *asked;			/* this call's options, or NULL */
	PgNlpCheckpoint *from;		/* go on from here, or NULL */
	PgNlpCall  *base;			/* the model that is updated, while it is needed */
	PgNlpCall  *segmenter;
	NlpWordCut	cut;
	Oid			element;		/* of the column, when it is an array */
	uint64		long_words;		/* left out */
	uint64		tokens;			/* one epoch's */
	NlpVocab   *vocab;
	NlpWord2vec *trainer;
} Word2vec;

static const NlpWords *
base_words(const Word2vec *t)
{
	return nlp_image_words(t->base->model->image);
}

/* How the model that is updated was trained: what its card says, when it was trained here, and
 * what its table says. */
static void
base_options(Word2vec *t, Word2vecOptions *have)
{
	const NlpWords *words = base_words(t);
	Oid			type = TEXTOID;
	Datum		name = CStringGetTextDatum(t->job->name);
	bool		null = true;

	if (words->objective == NLP_WORDS_PLAIN || words->loss == NLP_WORDS_NO_LOSS)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" cannot be updated", t->job->name),
				 errdetail("It has vectors only: how they were trained, and the output rows, are not known.")));
	set_defaults(have, (int) words->objective);
	SPI_execute_with_args("SELECT card OPERATOR(pg_catalog.->) 'training' OPERATOR(pg_catalog.->) 'options' FROM nlp.model"
						  " WHERE name OPERATOR(pg_catalog.=) $1 AND source OPERATOR(pg_catalog.=) 'nlp.train_word2vec'"
						  " AND pg_catalog.jsonb_typeof(card OPERATOR(pg_catalog.->) 'training' OPERATOR(pg_catalog.->) 'options')"
						  " OPERATOR(pg_catalog.=) 'object'",
						  1, &type, &name, NULL, true, 1);
	if (SPI_processed > 0)
	{
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);

		if (!null)
			(void) pg_nlp_train_options(&table, DatumGetJsonbPCopy(value), have);
	}
	SPI_freetuptable(SPI_tuptable);
	have->objective = (int) words->objective;
	have->loss = (int) words->loss;
	have->w.dim = words->dim;
	have->w.cbow_mean = words->cbow_mean != 0;
	have->w.window = words->window > 0 ? words->window : have->w.window;
	have->w.subword_min = words->subword_min;
	have->w.subword_max = words->subword_max;
	have->w.buckets = words->buckets;
	if (words->chinese)
		have->segmenter = CUT_CHINESE;
}

/* Options of an update: the model's, and what was given besides. */
static void
update_options(Word2vec *t)
{
	char	   *what = psprintf("model \"%s\"", t->job->name);
	PgNlpTrainCommon common = t->options.common;
	Word2vecOptions have;
	uint32		buckets;

	base_options(t, &have);
	buckets = have.w.buckets;
	if (!t->options.own_buckets)
		t->options.w.buckets = buckets;
	pg_nlp_train_options_agree(&table, t->given, &t->options, &have, TRAIN_SHAPE, what);
	have.common = common;
	(void) pg_nlp_train_options(&table, t->asked, &have);
	if (!have.own_buckets)
		have.w.buckets = buckets;
	t->options = have;
}

/* Options of a resumed run: the checkpoint's. */
static void
resume_options(Word2vec *t)
{
	PgNlpTrainCommon common = t->options.common;
	Word2vecOptions have;

	set_defaults(&have, NLP_WORDS_SKIPGRAM);
	(void) pg_nlp_train_options(&table, t->from->options, &have);
	/* what follows from other options is settled in both */
	if (pg_nlp_train_given(&table, t->given, "segmenter") && t->options.segmenter == CUT_PLAIN &&
		!pg_nlp_train_given(&table, t->given, "lower"))
		t->options.lower = false;
	if (!t->options.own_buckets)
		t->options.w.buckets = have.w.buckets;
	pg_nlp_train_options_agree(&table, t->given, &t->options, &have, TRAIN_DEFINES, "the checkpoint");
	have.common = common;
	t->options = have;
}

static void
find_checkpoint(Word2vec *t)
{
	PgNlpTrainJob *job = t->job;
	PgNlpCheckpoint *found = MemoryContextAllocZero(job->mcxt, sizeof(PgNlpCheckpoint));
	bool		there = pg_nlp_checkpoint_find(job, found);

	if (there && !job->common->resume && !job->common->quiet)
		ereport(NOTICE,
				(errmsg("there is a checkpoint of an earlier training of \"%s\", at epoch %u of %u", job->name,
						found->step.epoch + 1, found->step.epochs),
				 errhint("This run will replace it; {\"resume\": true} would go on from it.")));
	if (!job->common->resume)
		return;
	if (!there)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no checkpoint of model \"%s\"", job->name),
				 errhint("nlp.checkpoints lists yours; leave \"resume\" out to train from the beginning.")));
	if ((found->base != NULL) != job->common->update)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 found->base ? errmsg("the checkpoint of model \"%s\" is of an update", job->name) :
				 errmsg("the checkpoint of model \"%s\" is not of an update", job->name),
				 found->base ? errhint("Resume it with {\"resume\": true, \"update\": true}.") :
				 errhint("Resume it without \"update\".")));
	t->from = found;
	job->seconds_before = found->seconds;
	job->run.started = found->started;
	job->has_checkpoint = true;
	job->saved = found->step;
}

/* The model that is updated, resident and pinned. */
static void
open_base(Word2vec *t)
{
	PgNlpTrainJob *job = t->job;
	PgNlpModelRow row;
	char	   *sha256 = MemoryContextAlloc(job->mcxt, 2 * PG_NLP_SHA256_BYTES + 1);

	(void) pg_nlp_store_lock_name(job->name, true, &row);
	pg_nlp_hex(row.sha256, PG_NLP_SHA256_BYTES, sha256);
	if (t->from && strcmp(t->from->base, sha256) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" is not the one that the checkpoint's update began with", job->name),
				 errhint("Start the update again, without \"resume\".")));
	job->run.base = sha256;
	t->base = pg_nlp_call_begin(NULL, table.procedure, NLP_TASK_WORD_VECTORS, cstring_to_text(job->name), NULL, false);
}

static void
open_segmenter(Word2vec *t)
{
	t->segmenter = pg_nlp_call_begin(NULL, table.procedure, NLP_TASK_SEGMENTATION, NULL, "zh", false);
	t->cut.segmenter = nlp_image_segmenter(t->segmenter->model->image);
}

static void
end_call(PgNlpCall **call)
{
	if (*call)
		pg_nlp_call_end(*call);
	*call = NULL;
}

/* ---- reading ---- */

static void
describe(void *ctx, TupleDesc desc)
{
	Word2vec   *t = ctx;
	Oid			type = desc->natts == 1 ? getBaseType(TupleDescAttr(desc, 0)->atttypid) : InvalidOid;
	Oid			array_of = OidIsValid(type) ? get_element_type(type) : InvalidOid;
	Oid			element = OidIsValid(array_of) ? getBaseType(array_of) : InvalidOid;

	if (desc->natts != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the query of nlp.train_word2vec must give one column, not %d", desc->natts)));
	if (element == TEXTOID || element == VARCHAROID || element == BPCHAROID)
		t->element = array_of;
	else if (type != TEXTOID && type != VARCHAROID && type != BPCHAROID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the query of nlp.train_word2vec must give text or text[], not %s",
						format_type_be(TupleDescAttr(desc, 0)->atttypid)),
				 errhint("Cast it; numbers of items, for example, as array_agg(item::text).")));
}

static NlpStatus
add_word(void *ctx, const char *word, size_t len, NlpError *err)
{
	Word2vec   *t = ctx;
	uint32_t	id;

	if (unlikely(len > NLP_WORDS_MAX_BYTES))
	{
		t->long_words++;
		return NLP_OK;
	}
	NLP_TRY(nlp_vocab_add(t->vocab, word, len, &id, err));
	t->job->run.words++;
	return pg_nlp_spool_add(&t->job->spool, id, err);
}

static void
check(Word2vec *t, NlpStatus status)
{
	if (status != NLP_OK)
		pg_nlp_raise(&t->job->err);
}

static void
add_words(Word2vec *t, ArrayType *words)
{
	NlpError   *err = &t->job->err;
	int16		len;
	bool		byval;
	char		align;
	Datum	   *values;
	bool	   *nulls;
	int			n;

	get_typlenbyvalalign(t->element, &len, &byval, &align);
	deconstruct_array(words, t->element, len, byval, align, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		text	   *word = nulls[i] ? NULL : DatumGetTextPP(values[i]);
		const char *utf8;
		size_t		bytes;

		if ((i & 0xffff) == 0)
			CHECK_FOR_INTERRUPTS();
		if (word == NULL || VARSIZE_ANY_EXHDR(word) == 0)
			continue;
		check(t, pg_nlp_to_utf8(VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word), &utf8, &bytes, err));
		check(t, add_word(t, utf8, bytes, err));
	}
}

static bool
add_row(void *ctx, TupleTableSlot *slot)
{
	Word2vec   *t = ctx;
	NlpError   *err = &t->job->err;
	uint64		before = t->job->run.words;
	bool		null;
	Datum		value = slot_getattr(slot, 1, &null);

	if (null)
		return false;
	if (OidIsValid(t->element))
		add_words(t, DatumGetArrayTypeP(value));
	else
	{
		text	   *row = DatumGetTextPP(value);
		const char *utf8;
		size_t		len;

		check(t, pg_nlp_to_utf8(VARDATA_ANY(row), VARSIZE_ANY_EXHDR(row), &utf8, &len, err));
		check(t, nlp_cut_words(&t->cut, utf8, len, &t->job->env, add_word, t, err));
	}
	if (t->job->run.words > before)
		check(t, pg_nlp_spool_add(&t->job->spool, NLP_SENTENCE_END, err));
	return true;
}

static void
read_rows(Word2vec *t)
{
	PgNlpTrainJob *job = t->job;

	check(t, nlp_vocab_new(job->env.alloc, &t->vocab, &job->err));
	if (t->base)
		check(t, nlp_vocab_seed(t->vocab, base_words(t), &job->env, &job->err));
	t->cut.keep_case = !t->options.lower;
	t->cut.plain = t->options.segmenter == CUT_PLAIN;
	if (t->options.segmenter == CUT_CHINESE)
		open_segmenter(t);
	pg_nlp_train_read(job, describe, add_row, t);
	end_call(&t->segmenter);
	check(t, pg_nlp_spool_finish(&job->spool, &job->err));
	if (t->long_words > 0 && !job->common->quiet)
		ereport(NOTICE,
				(errmsg(UINT64_FORMAT " words of more than %d bytes were left out", t->long_words, NLP_WORDS_MAX_BYTES)));
	check(t, nlp_vocab_finish(t->vocab, t->options.w.min_count, t->options.w.max_words, &job->env, &job->err));
	t->tokens = nlp_vocab_tokens(t->vocab);
	if (job->run.words == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query gave no words to train on"),
				 errdetail("It gave " UINT64_FORMAT " rows that are not null.", job->run.rows)));
	if (t->tokens == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no word occurs as often as \"min_count\" says, %u times", t->options.w.min_count),
				 t->base ?
				 errdetail("The query gave " UINT64_FORMAT " rows with " UINT64_FORMAT " words, none of them the model's.",
						   job->run.rows, job->run.words) :
				 errdetail("The query gave " UINT64_FORMAT " rows with " UINT64_FORMAT " words, " UINT64_FORMAT " of them different.",
						   job->run.rows, job->run.words, nlp_vocab_distinct(t->vocab)),
				 errhint("Give a smaller \"min_count\", or more rows.")));
}

/* What the user left to us, by the size of the data. A small corpus is passed more often, until some ten million
 * words have been seen (a full softmax costs too much for that); n-grams get ten buckets a word, fastText's two
 * millions at most. */
static void
choose_sizes(Word2vec *t)
{
	NlpWord2vecOptions *w = &t->options.w;

	if (t->from || t->base)
		return;
	if (w->subword_min > 0 && !t->options.own_buckets)
		w->buckets = Min(SUBWORD_BUCKETS, Max(SUBWORD_LEAST, 10 * nlp_vocab_size(t->vocab)));
	if (w->loss == NLP_WORDS_SOFTMAX || pg_nlp_train_given(&table, t->given, "epochs"))
		return;
	w->epochs = Max(w->epochs, (uint32) Min(MOST_EPOCHS, (ENOUGH_WORDS + t->tokens - 1) / t->tokens));
}

/* ---- running ---- */

static char *
hash_text(PgNlpTrainJob *job, uint64 hash)
{
	char	   *text = MemoryContextAlloc(job->mcxt, 17);

	snprintf(text, 17, "%016llx", (unsigned long long) hash);
	return text;
}

/* What checkpoints will say, and whether the rows are those of the one to go on from. */
static void
note_data(Word2vec *t)
{
	PgNlpTrainJob *job = t->job;
	MemoryContext old = MemoryContextSwitchTo(job->mcxt);

	job->run.options = pg_nlp_train_options_json(&table, &t->options, TRAIN_DEFINES);
	MemoryContextSwitchTo(old);
	job->run.vocabulary = hash_text(job, nlp_vocab_hash(t->vocab));
	job->run.corpus = hash_text(job, job->spool.hash);
	if (t->from == NULL ||
		(strcmp(t->from->vocabulary, job->run.vocabulary) == 0 && strcmp(t->from->corpus, job->run.corpus) == 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the query does not give the rows that the checkpoint of model \"%s\" was made with", job->name),
			 t->from->rows == job->run.rows && t->from->words == job->run.words ?
			 errdetail("Their number is the same, their words or their order are not.") :
			 errdetail("There were " UINT64_FORMAT " rows with " UINT64_FORMAT " words, there are " UINT64_FORMAT
					   " rows with " UINT64_FORMAT " words.",
					   t->from->rows, t->from->words, job->run.rows, job->run.words),
			 errhint("Train from the beginning, without \"resume\"; an ORDER BY keeps rows in order when they are updated.")));
}

static NlpStatus
write_trainer(void *ctx, const char *name, bool checkpoint, const NlpSink *sink, const NlpEnv *env, NlpError *err)
{
	return nlp_word2vec_write(((Word2vec *) ctx)->trainer, name, checkpoint, sink, env, err);
}

static void
free_trainer(void *ctx)
{
	Word2vec   *t = ctx;

	nlp_word2vec_free(t->trainer);
	nlp_vocab_free(t->vocab);
	t->trainer = NULL;
	t->vocab = NULL;
}

static NlpStatus
restore_trainer(void *ctx, const NlpSource *source, const NlpEnv *env, NlpError *err)
{
	return nlp_word2vec_restore(((Word2vec *) ctx)->trainer, source, env, err);
}

/* What writing a model or a checkpoint takes beside the trainer, amply: the words as a list and, a few
 * times as they grow, in the file's header. Known before the work begins, not after. */
static uint64
write_bytes(const NlpVocab *vocab)
{
	return 1024 * 1024 + nlp_vocab_size(vocab) * (uint64) (sizeof(NlpStr) + 8 * sizeof(uint64)) +
		4 * nlp_vocab_text_bytes(vocab);
}

static void
make_trainer(Word2vec *t)
{
	PgNlpTrainJob *job = t->job;

	pg_nlp_train_reserve(job, nlp_word2vec_bytes(&t->options.w, t->vocab, nlp_pool_size(job->env.pool)) +
						 write_bytes(t->vocab), "training word vectors");
	check(t, nlp_word2vec_new(&t->options.w, t->vocab, &job->env, &t->trainer, &job->err));
	job->trainer = t;
	job->write = write_trainer;
	job->free = free_trainer;
	if (t->base)
		check(t, nlp_word2vec_start_from(t->trainer, base_words(t), &job->env, &job->err));
	if (t->from)
		pg_nlp_checkpoint_read(job, t->from, restore_trainer);
	end_call(&t->base);
}

static NlpStatus
on_progress(void *ctx, NlpWord2vec *trainer, const NlpTrainState *state, NlpError *err)
{
	Word2vec   *t = ctx;
	PgNlpTrainStep step = {
		.epoch = state->epoch,
		.epochs = state->epochs,
		.done = state->tokens_done,
		.total = state->tokens_total,
		.loss = state->loss,
		.alpha = state->alpha
	};

	return pg_nlp_train_step(t->job, &step, err);
}

static void
run(Word2vec *t)
{
	PgNlpTrainStep start = {
		.epochs = t->options.w.epochs,
		.total = t->tokens * t->options.w.epochs,
		.alpha = t->options.w.alpha
	};

	pg_nlp_train_start(t->job, t->from ? &t->from->step : &start);
	check(t, nlp_word2vec_run(t->trainer, &t->job->spool.source, &t->job->env, on_progress, t, &t->job->err));
	pg_nlp_spool_free(&t->job->spool);
}

/* The "training" of the model's card. */
static char *
training_text(Word2vec *t, double seconds)
{
	PgNlpTrainJob *job = t->job;
	Jsonb	   *options = pg_nlp_train_options_json(&table, &t->options, TRAIN_DEFINES);
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"method\": \"word2vec\", \"options\": %s", JsonbToCString(NULL, &options->root, VARSIZE(options)));
	appendStringInfo(&json, ", \"rows\": " UINT64_FORMAT ", \"words\": " UINT64_FORMAT ", \"tokens\": " UINT64_FORMAT
					 ", \"vocabulary\": %u, \"seconds\": %.3f",
					 job->run.rows, job->run.words, t->tokens, nlp_vocab_size(t->vocab), seconds);
	if (job->run.step.loss > 0)
		appendStringInfo(&json, ", \"loss\": %.6f", job->run.step.loss);
	if (job->run.base)
		appendStringInfo(&json, ", \"updated\": \"%s\"", job->run.base);
	appendStringInfoChar(&json, '}');
	return json.data;
}

static void
finish(Word2vec *t)
{
	PgNlpTrainJob *job = t->job;
	double		seconds = pg_nlp_train_seconds(job);
	uint32		n = nlp_vocab_size(t->vocab);

	pg_nlp_train_store(job, training_text(t, seconds));
	if (!job->common->quiet)
		ereport(NOTICE,
				(errmsg("model \"%s\" has %u words of %u dimensions, trained on " UINT64_FORMAT " words of " UINT64_FORMAT
						" rows in %.1f s", job->name, n, t->options.w.dim, job->run.words, job->run.rows, seconds)));
}

/* train_word2vec(name text, query text, options jsonb) */
Datum
pg_nlp_train_word2vec(PG_FUNCTION_ARGS)
{
	Word2vec   *t = palloc0(sizeof(Word2vec));

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("name and query must not be null")));
	t->asked = pg_nlp_arg_jsonb(fcinfo, 2);
	set_defaults(&t->options, NLP_WORDS_SKIPGRAM);
	t->given = pg_nlp_train_options(&table, t->asked, &t->options);
	if (t->options.objective != NLP_WORDS_SKIPGRAM)
	{
		set_defaults(&t->options, t->options.objective);
		(void) pg_nlp_train_options(&table, t->asked, &t->options);
	}
	if (!t->options.common.resume && !t->options.common.update)
		settle(&t->options, t->given);
	t->job = pg_nlp_train_begin(table.procedure, "word2vec", PG_GETARG_TEXT_PP(0), PG_GETARG_TEXT_PP(1),
								&t->options.common, pg_nlp_train_atomic(fcinfo));
	find_checkpoint(t);
	if (t->options.common.update)
		open_base(t);
	if (t->from)
		resume_options(t);
	else if (t->base)
		update_options(t);
	settle(&t->options, t->from ? 0 : t->given);
	read_rows(t);
	choose_sizes(t);
	note_data(t);
	make_trainer(t);
	run(t);
	finish(t);
	pg_nlp_train_end(t->job);
	return (Datum) 0;
}
