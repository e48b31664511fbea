/* evaluate.h --- how good word vectors are: analogies as word2vec's compute-accuracy asks
 * them, and similarity of pairs against people's scores.
 *
 * Formats (texts, lines end in LF or CRLF):
 *   questions   ": section" lines and lines of four words, by spaces or tabs. A section whose
 *               name begins with "gram" is syntactic, every other one semantic.
 *   pairs       word, word, score by tabs, commas, semicolons or spaces; further columns, empty
 *               lines, lines that begin with # and a first line whose score is no number are passed over.
 * Rules of analogies: only the first `restrict` words take part; a question with a word outside them is
 * skipped and counted; the answer is the nearest by cosine to b - a + c, the three words left out; with
 * fold, questions and table are compared in lower case (utf8proc): the first word of those that are equal
 * stands for them in a question, and any of them is an answer, as gensim's case_insensitive does. */
#ifndef NLP_WORDVEC_EVALUATE_H
#define NLP_WORDVEC_EVALUATE_H

#include "wordvec/words.h"

typedef struct NlpAnalogySection
{
	const char *name;			/* into the questions' text, not NUL-terminated */
	size_t		name_len;
	bool		syntactic;
	uint32_t	questions,		/* lines of the section */
				asked,			/* all four words known */
				correct;
} NlpAnalogySection;

typedef struct NlpAnalogies
{
	const NlpAlloc *alloc;
	NlpAnalogySection *sections;
	uint32_t	n_sections,
				cap;
	/* name is "" here */
	NlpAnalogySection semantic,
				syntactic,
				total;
} NlpAnalogies;

typedef struct NlpAnalogyOptions
{
	uint32_t	restrict_to;	/* only the first words of the table; 0: all; compute-accuracy's is 30,000 */
	bool		fold;			/* compare in lower case */
} NlpAnalogyOptions;

/* text: valid UTF-8. NLP_EINVALID with the line's number when a line is neither. Polls.
 * nlp_analogies_free gives back what result holds, also after an error. */
extern NlpStatus nlp_words_analogies(const NlpWords *w, const char *text, size_t len, const NlpAnalogyOptions *options,
									 const NlpEnv *env, NlpAnalogies *result, NlpError *err);
extern void nlp_analogies_free(NlpAnalogies *result);

typedef struct NlpPairScores
{
	uint32_t	pairs,
				known;			/* both words have a vector (n-grams included) */
	double		spearman,		/* rank correlation, ties by mean rank; NaN with fewer than two pairs or no spread */
				pearson;
} NlpPairScores;

/* text as above; a pair with an unknown word is left out. fold: words that are not found as they stand
 * are looked up in lower case. */
extern NlpStatus nlp_words_pairs(const NlpWords *w, const char *text, size_t len, bool fold, const NlpEnv *env,
								 NlpPairScores *result, NlpError *err);

/* Correlations of x and y [n]; NaN as above. rank scratch from alloc. */
extern NlpStatus nlp_spearman(const double *x, const double *y, size_t n, const NlpAlloc *alloc, double *rho, NlpError *err);
extern double nlp_pearson(const double *x, const double *y, size_t n);

#endif
