/* evaluate.c --- analogies by compute-accuracy's rules, pairs by rank correlation.
 *
 * A question is one exact search among the first words (words_query.c): their codes stay in
 * the processor's cache, so thousands a second need no batching. With fold, words that are
 * equal in lower case are one class, named by its first word. Sources: compute-accuracy.c of
 * word2vec and gensim's evaluate_word_analogies for the rules; Spearman 1904. */
#include <math.h>
#include <string.h>

#include <utf8proc.h>

#include "core/hash.h"
#include "core/utf8.h"
#include "wordvec/evaluate.h"
#include "wordvec/file_private.h"
#include "engine_only.h"

#define QUESTION_WORDS 4
#define FOLD_BYTES (2 * NLP_WORDS_MAX_BYTES)	/* a letter's lower case may be longer by half */

/* ---- lines and words ------------------------------------------------------ */

typedef struct Line
{
	const char *at,
			   *end;			/* without LF or CRLF */
	const char *next;
} Line;

static Line
line_at(const char *at, const char *text_end)
{
	const char *nl = memchr(at, '\n', (size_t) (text_end - at));
	Line		l = {at, nl ? nl : text_end, nl ? nl + 1 : text_end};

	if (l.end > l.at && l.end[-1] == '\r')
		l.end--;
	return l;
}

/* The next field, cut at any byte of stops; false: none is left. */
static bool
next_field(const char **at, const char *end, const char *stops, NlpStr *field)
{
	const char *p = *at;

	while (p < end && strchr(stops, *p))
		p++;
	if (p == end)
		return false;
	field->data = p;
	while (p < end && !strchr(stops, *p))
		p++;
	field->len = (size_t) (p - field->data);
	*at = p;
	return true;
}

/* ---- words by class -------------------------------------------------------- */

/* s in lower case into out [FOLD_BYTES]; 0: longer than any word, or not UTF-8. */
static size_t
lower(const char *s, size_t len, char *out)
{
	size_t		n = 0;
	uint32_t	cp;

	for (size_t i = 0; i < len;)
	{
		int			step = nlp_utf8_decode(s + i, len - i, &cp);

		if (step == 0 || n + 4 > FOLD_BYTES)
			return 0;
		n += (size_t) nlp_utf8_encode((uint32_t) utf8proc_tolower((utf8proc_int32_t) cp), out + n);
		i += (size_t) step;
	}
	return n;
}

/* The first words of a table by their lower case. */
typedef struct Classes
{
	const NlpWords *w;
	uint32_t	limit;
	uint32_t	mask;
	uint32_t   *slots;			/* first words of classes; NULL: words are not folded */
	uint32_t   *first;			/* [limit] the class of a word */
} Classes;

/* Where a lower-case word is, or would be. */
static uint32_t
class_slot(const Classes *c, const char *word, size_t len)
{
	uint32_t	slot = (uint32_t) nlp_hash_bytes(word, len) & c->mask;

	for (; c->slots[slot] != NLP_NO_WORD; slot = (slot + 1) & c->mask)
	{
		char		other[FOLD_BYTES];
		size_t		n;
		const char *text = nlp_words_text(c->w, c->slots[slot], &n);

		n = lower(text, n, other);
		if (n == len && memcmp(other, word, len) == 0)
			break;
	}
	return slot;
}

static NlpStatus
classes_new(Classes *c, const NlpWords *w, uint32_t limit, bool fold, const NlpEnv *env, NlpError *err)
{
	uint64_t	slots = 16;

	*c = (Classes) {.w = w, .limit = limit};
	if (!fold)
		return NLP_OK;
	while (slots < 2 * (uint64_t) limit)
		slots *= 2;
	c->mask = (uint32_t) (slots - 1);
	c->slots = nlp_alloc(env->alloc, (slots + limit) * sizeof(uint32_t));
	if (!c->slots)
		return nlp_no_memory(err, (slots + limit) * sizeof(uint32_t), "index of words in lower case");
	memset(c->slots, 0xff, slots * sizeof(uint32_t));
	c->first = c->slots + slots;
	for (uint32_t i = 0; i < limit; i++)
	{
		char		word[FOLD_BYTES];
		size_t		len;
		const char *text = nlp_words_text(w, i, &len);
		uint32_t	slot;

		len = lower(text, len, word);
		slot = class_slot(c, word, len);
		if (c->slots[slot] == NLP_NO_WORD)
			c->slots[slot] = i;
		c->first[i] = c->slots[slot];
		if (i % 16384 == 0)
			NLP_TRY(nlp_poll(env, err));
	}
	return NLP_OK;
}

static uint32_t
class_find(const Classes *c, NlpStr word)
{
	char		folded[FOLD_BYTES];
	size_t		len;
	uint32_t	id;

	if (!c->slots)
	{
		id = nlp_words_find(c->w, word.data, word.len);
		return id < c->limit ? id : NLP_NO_WORD;
	}
	len = lower(word.data, word.len, folded);
	return len == 0 ? NLP_NO_WORD : c->slots[class_slot(c, folded, len)];
}

static inline uint32_t
class_of(const Classes *c, uint32_t word)
{
	return c->first ? c->first[word] : word;
}

/* ---- analogies ------------------------------------------------------------- */

typedef struct Asking
{
	const Classes *classes;
	uint32_t	given[3];
	float	   *query;			/* [dim] */
	const NlpEnv *env;
} Asking;

static bool
is_not_given(void *ctx, uint32_t word)
{
	const Asking *a = ctx;
	uint32_t	c = class_of(a->classes, word);

	return c != a->given[0] && c != a->given[1] && c != a->given[2];
}

static NlpStatus
ask(Asking *a, NlpAnalogySection *s, const NlpStr q[QUESTION_WORDS], NlpError *err)
{
	static const float weights[3] = {-1, 1, 1};
	const Classes *c = a->classes;
	NlpWordFilter filter = {c->limit, -INFINITY, is_not_given, a};
	uint32_t	want = class_find(c, q[3]),
				found;
	NlpNeighbour answer;

	s->questions++;
	for (int i = 0; i < 3; i++)
	{
		a->given[i] = class_find(c, q[i]);
		if (a->given[i] == NLP_NO_WORD)
			return NLP_OK;
	}
	if (want == NLP_NO_WORD)
		return NLP_OK;
	s->asked++;
	nlp_words_mean(c->w, a->given, weights, 3, a->query);
	NLP_TRY(nlp_words_nearest(c->w, a->query, 1, &filter, a->env, &answer, &found, err));
	if (found && class_of(c, answer.word) == want)
		s->correct++;
	return NLP_OK;
}

static NlpStatus
add_section(NlpAnalogies *r, const char *at, const char *end, NlpError *err)
{
	NlpAnalogySection *s;

	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (r->n_sections == r->cap)
	{
		uint32_t	cap = r->cap ? 2 * r->cap : 16;

		s = nlp_realloc(r->alloc, r->sections, r->cap * sizeof(*s), cap * sizeof(*s));
		if (!s)
			return nlp_no_memory(err, cap * sizeof(*s), "sections of questions");
		r->sections = s;
		r->cap = cap;
	}
	r->sections[r->n_sections++] = (NlpAnalogySection) {
		.name = at, .name_len = (size_t) (end - at),
		.syntactic = end - at >= 4 && memcmp(at, "gram", 4) == 0
	};
	return NLP_OK;
}

static NlpStatus
bad_line(uint64_t number, const char *what, NlpError *err)
{
	return nlp_fail(err, NLP_EINVALID, "line %llu of the questions %s", (unsigned long long) number, what);
}

static NlpStatus
ask_line(Asking *a, NlpAnalogies *r, const Line *l, uint64_t number, NlpError *err)
{
	NlpStr		q[QUESTION_WORDS],
				more;
	const char *at = l->at;
	int			n = 0;

	if (*at == ':')
		return add_section(r, at + 1, l->end, err);
	while (n < QUESTION_WORDS && next_field(&at, l->end, " \t", &q[n]))
		n++;
	if (n == 0)
		return NLP_OK;
	if (n < QUESTION_WORDS || next_field(&at, l->end, " \t", &more))
		return bad_line(number, "has not four words", err);
	if (r->n_sections == 0)
		return bad_line(number, "belongs to no section", err);
	return ask(a, &r->sections[r->n_sections - 1], q, err);
}

static void
add_up(NlpAnalogySection *sum, const NlpAnalogySection *s)
{
	sum->questions += s->questions;
	sum->asked += s->asked;
	sum->correct += s->correct;
}

static NlpStatus
ask_all(const NlpWords *w, const char *text, size_t len, const Classes *classes, const NlpEnv *env,
		NlpAnalogies *r, NlpError *err)
{
	Asking		a = {.classes = classes, .env = env};
	uint64_t	number = 1;
	NlpStatus	st = NLP_OK;
	Line		l;

	a.query = nlp_alloc(env->alloc, w->stride * sizeof(float));
	if (!a.query)
		return nlp_no_memory(err, w->stride * sizeof(float), "question");
	for (const char *at = text; at < text + len && st == NLP_OK; at = l.next, number++)
	{
		l = line_at(at, text + len);
		if (l.at < l.end)
			st = ask_line(&a, r, &l, number, err);
		if (st == NLP_OK && number % 4096 == 0)
			st = nlp_poll(env, err);
	}
	nlp_free(env->alloc, a.query);
	return st;
}

NlpStatus
nlp_words_analogies(const NlpWords *w, const char *text, size_t len, const NlpAnalogyOptions *options,
					const NlpEnv *env, NlpAnalogies *r, NlpError *err)
{
	uint32_t	limit = options->restrict_to && options->restrict_to < w->n ? options->restrict_to : w->n;
	Classes		classes;
	NlpStatus	st;

	memset(r, 0, sizeof(*r));
	r->alloc = env->alloc;
	r->semantic.name = r->syntactic.name = r->total.name = "";
	r->syntactic.syntactic = true;
	st = classes_new(&classes, w, limit, options->fold, env, err);
	if (st == NLP_OK)
		st = ask_all(w, text, len, &classes, env, r, err);
	nlp_free(env->alloc, classes.slots);
	for (uint32_t i = 0; i < r->n_sections; i++)
	{
		add_up(r->sections[i].syntactic ? &r->syntactic : &r->semantic, &r->sections[i]);
		add_up(&r->total, &r->sections[i]);
	}
	return st;
}

void
nlp_analogies_free(NlpAnalogies *r)
{
	if (r->alloc)
		nlp_free(r->alloc, r->sections);
	memset(r, 0, sizeof(*r));
}

/* ---- correlations ---------------------------------------------------------- */

double
nlp_pearson(const double *x, const double *y, size_t n)
{
	double		mx = 0,
				my = 0,
				xx = 0,
				yy = 0,
				xy = 0;

	for (size_t i = 0; i < n; i++)
	{
		mx += x[i];
		my += y[i];
	}
	mx /= (double) n;
	my /= (double) n;
	for (size_t i = 0; i < n; i++)
	{
		xx += (x[i] - mx) * (x[i] - mx);
		yy += (y[i] - my) * (y[i] - my);
		xy += (x[i] - mx) * (y[i] - my);
	}
	if (n < 2 || !(xx > 0) || !(yy > 0))
		return NAN;
	return xy / sqrt(xx) / sqrt(yy);
}

/* Ranks of x, equal values having the mean of theirs. order, tmp [n] are scratch. */
static void
rank(const double *x, size_t n, size_t *order, size_t *tmp, double *ranks)
{
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	for (size_t run = 1; run < n; run *= 2)
	{
		size_t	   *swap = order;

		for (size_t lo = 0; lo < n; lo += 2 * run)
		{
			size_t		mid = lo + run < n ? lo + run : n,
						hi = lo + 2 * run < n ? lo + 2 * run : n,
						a = lo,
						b = mid;

			for (size_t at = lo; at < hi; at++)
				tmp[at] = a < mid && (b >= hi || x[order[a]] <= x[order[b]]) ? order[a++] : order[b++];
		}
		order = tmp;
		tmp = swap;
	}
	for (size_t i = 0, j; i < n; i = j)
	{
		for (j = i + 1; j < n && x[order[j]] == x[order[i]]; j++)
			;
		for (size_t k = i; k < j; k++)
			ranks[order[k]] = (double) (i + j - 1) / 2;
	}
}

NlpStatus
nlp_spearman(const double *x, const double *y, size_t n, const NlpAlloc *alloc, double *rho, NlpError *err)
{
	size_t		bytes;
	double	   *ranks;
	size_t	   *order;

	if (!nlp_mul_size(n ? n : 1, 2 * sizeof(double) + 2 * sizeof(size_t), &bytes))
		return nlp_fail(err, NLP_ELIMIT, "%zu pairs are too many", n);
	ranks = nlp_alloc(alloc, bytes);
	if (!ranks)
		return nlp_no_memory(err, bytes, "ranks");
	order = (size_t *) (ranks + 2 * n);
	rank(x, n, order, order + n, ranks);
	rank(y, n, order, order + n, ranks + n);
	*rho = nlp_pearson(ranks, ranks + n, n);
	nlp_free(alloc, ranks);
	return NLP_OK;
}

/* ---- pairs ----------------------------------------------------------------- */

typedef struct Pairs
{
	const NlpWords *w;
	bool		fold;
	float	   *a,				/* [dim] */
			   *b;
	const NlpAlloc *alloc;
	double	   *gold,
			   *ours;
	uint32_t	n,
				cap,
				lines;			/* pairs, known or not */
} Pairs;

static bool
pair_vector(const Pairs *p, NlpStr word, float *out)
{
	char		folded[FOLD_BYTES];
	size_t		len;

	if (p->fold && nlp_words_find(p->w, word.data, word.len) == NLP_NO_WORD &&
		(len = lower(word.data, word.len, folded)) > 0 && nlp_words_vector(p->w, folded, len, out))
		return true;
	return nlp_words_vector(p->w, word.data, word.len, out);
}

static NlpStatus
pairs_room(Pairs *p, NlpError *err)
{
	size_t		cap = p->cap ? 2 * (size_t) p->cap : 512;
	double	  **arrays[2] = {&p->gold, &p->ours};

	if (p->n < p->cap)
		return NLP_OK;
	for (int i = 0; i < 2; i++)
	{
		double	   *more = nlp_realloc(p->alloc, *arrays[i], p->cap * sizeof(double), cap * sizeof(double));

		if (!more)
			return nlp_no_memory(err, cap * sizeof(double), "pairs of words");
		*arrays[i] = more;
	}
	p->cap = (uint32_t) cap;
	return NLP_OK;
}

/* One line; a line that is no pair is passed over only where the header of a file may be. */
static NlpStatus
pair_line(Pairs *p, const Line *l, bool first, uint64_t number, NlpError *err)
{
	const char *stops = memchr(l->at, '\t', (size_t) (l->end - l->at)) ? "\t" : " ,;";
	const char *at = l->at;
	NlpStr		field[3];
	float		score,
				dot,
				aa,
				bb;
	bool		huge;

	for (int i = 0; i < 3; i++)
	{
		if (!next_field(&at, l->end, stops, &field[i]))
			return nlp_fail(err, NLP_EINVALID, "line %llu of the pairs has not two words and a score",
							(unsigned long long) number);
	}
	if (!nlp_wordfile_number(field[2].data, field[2].data + field[2].len, &score, &huge))
	{
		if (first)
			return NLP_OK;
		return nlp_fail(err, NLP_EINVALID, "line %llu of the pairs has a score that is not a number",
						(unsigned long long) number);
	}
	p->lines++;
	if (!pair_vector(p, field[0], p->a) || !pair_vector(p, field[1], p->b))
		return NLP_OK;
	NLP_TRY(pairs_room(p, err));
	nlp_cosine_f32(p->a, p->b, p->w->dim, &dot, &aa, &bb);
	p->gold[p->n] = score;
	p->ours[p->n++] = aa > 0 && bb > 0 ? dot / (sqrt((double) aa) * sqrt((double) bb)) : 0;
	return NLP_OK;
}

static NlpStatus
read_pairs(Pairs *p, const char *text, size_t len, const NlpEnv *env, NlpError *err)
{
	uint64_t	number = 1;
	bool		first = true;
	Line		l;

	for (const char *at = text; at < text + len; at = l.next, number++)
	{
		l = line_at(at, text + len);
		if (l.at == l.end || *l.at == '#')
			continue;
		NLP_TRY(pair_line(p, &l, first, number, err));
		first = false;
		if (number % 1024 == 0)
			NLP_TRY(nlp_poll(env, err));
	}
	return NLP_OK;
}

NlpStatus
nlp_words_pairs(const NlpWords *w, const char *text, size_t len, bool fold, const NlpEnv *env,
				NlpPairScores *result, NlpError *err)
{
	Pairs		p = {.w = w, .fold = fold, .alloc = env->alloc};
	NlpStatus	st;

	*result = (NlpPairScores) {0, 0, NAN, NAN};
	p.a = nlp_alloc(env->alloc, 2 * w->stride * sizeof(float));
	if (!p.a)
		return nlp_no_memory(err, 2 * w->stride * sizeof(float), "pair of words");
	p.b = p.a + w->stride;
	st = read_pairs(&p, text, len, env, err);
	if (st == NLP_OK)
		st = nlp_spearman(p.gold, p.ours, p.n, env->alloc, &result->spearman, err);
	if (st == NLP_OK)
	{
		result->pairs = p.lines;
		result->known = p.n;
		result->pearson = nlp_pearson(p.gold, p.ours, p.n);
	}
	nlp_free(env->alloc, p.a);
	nlp_free(env->alloc, p.gold);
	nlp_free(env->alloc, p.ours);
	return st;
}
