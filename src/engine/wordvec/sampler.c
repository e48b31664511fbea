/* sampler.c --- random numbers of a sentence, and which of its words are kept.
 *
 * Subsampling is word2vec.c's: an occurrence of a word that makes up the part f of the
 * text stays with probability sqrt(s / f) + s / f, s the option sample. */
#include <math.h>

#include "wordvec/train_private.h"
#include "engine_only.h"

NlpDraws
nlp_draws_of(uint64_t seed, uint32_t epoch, uint64_t place)
{
	uint32_t	r[4];

	nlp_philox(seed, place, epoch, r);
	return (NlpDraws) {(uint64_t) r[0] << 32 | r[1], (uint64_t) r[2] << 32 | r[3]};
}

static uint32_t
keep_chance(uint64_t count, uint64_t total, double sample)
{
	double		part = sample * (double) total,
				ratio,
				p;

	if (sample <= 0 || count == 0)
		return UINT32_MAX;
	ratio = part / (double) count;
	p = sqrt(ratio) + ratio;
	return p >= 1 ? UINT32_MAX : (uint32_t) (p * 4294967296.0);
}

NlpStatus
nlp_keep_build(const NlpVocab *vocab, double sample, NlpKeep *keep, const NlpEnv *env, NlpError *err)
{
	NlpPace		pace = {.env = env};
	uint64_t	distinct = nlp_vocab_distinct(vocab);
	uint32_t	n = nlp_vocab_size(vocab);
	uint64_t	total = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		total += nlp_vocab_word_count(vocab, i);
		NLP_TRY(nlp_pace(&pace, 1, err));
	}
	for (uint64_t id = 0; id < distinct; id++)
	{
		uint32_t	rank = nlp_vocab_map(vocab, (uint32_t) id);

		keep[id].rank = rank;
		keep[id].keep = rank == NLP_NO_WORD ? 0 : keep_chance(nlp_vocab_word_count(vocab, rank), total, sample);
		NLP_TRY(nlp_pace(&pace, 1, err));
	}
	return NLP_OK;
}

uint32_t
nlp_keep_sentence(const NlpKeep *keep, uint64_t n_keep, const uint32_t *ids, uint32_t n, uint64_t draws,
				  uint32_t *out, uint32_t *known)
{
	uint32_t	kept = 0,
				seen = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		NlpKeep		k = ids[i] < n_keep ? keep[ids[i]] : (NlpKeep) {NLP_NO_WORD, 0};
		uint32_t	draw = (uint32_t) (nlp_draw(draws, i) >> 32);
		uint32_t	in = k.rank != NLP_NO_WORD;

		out[kept] = k.rank;
		seen += in;
		kept += in & ((k.keep == UINT32_MAX) | (draw < k.keep));
	}
	*known = seen;
	return kept;
}
