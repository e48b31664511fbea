/* segment_table.h --- the segmenter's relocatable block, private to token/.
 *
 * One allocation, offsets only, read-only once built. Parts, each 64-byte aligned:
 *
 *   header | pages u16[N_PAGES] | chars SegChar[n_pages * PAGE] | label u32[n_nodes]
 *   | first u32[n_nodes + 1] | cost u32[n_nodes] | emit i32[n_hmm * 4]
 *
 * The trie is laid out by levels: the children of node i are the nodes first[i] up to
 * first[i + 1], in ascending order of label (the code point on the way to them). Nodes of
 * the first level are found through chars, which answers everything about a character
 * at once. Logarithms are to base 2, times 65536: costs are added as integers. */
#ifndef NLP_TOKEN_SEGMENT_TABLE_H
#define NLP_TOKEN_SEGMENT_TABLE_H

#include "token/segment.h"

#define SEG_MAGIC UINT64_C(0x314745535f504c4e)	/* "NLP_SEG1" */
#define SEG_VERSION 1u
#define SEG_PAGE 128u			/* code points a page */
#define SEG_PAGES (0x110000u / SEG_PAGE)
#define SEG_MAX_WORD 64u		/* characters of a word */
#define SEG_MAX_WORDS (1u << 24)
#define SEG_NO_WORD UINT32_MAX	/* cost of a node where no word ends */
#define SEG_NONE UINT32_MAX		/* no node, no row of emissions */
#define SEG_UNIT 65536.0
#define SEG_MAX_COST (1u << 30) /* of one word, step or emission */

/* What there is to know of a character. */
typedef struct SegChar
{
	uint32_t	fold;			/* looked up as */
	uint32_t	node;			/* of the first level for fold, or SEG_NONE */
	uint32_t	hmm;			/* row of emit for fold, or SEG_NONE */
	uint32_t	reserved;
} SegChar;

struct NlpSegmenter
{
	uint64_t	magic;
	uint32_t	version;
	uint32_t	n_words;
	uint64_t	bytes;
	uint32_t	n_pages;		/* the first one answers for characters of no other */
	uint32_t	n_nodes;
	uint32_t	n_hmm;
	uint32_t	unknown;		/* cost of a character that is no word */
	uint32_t	start[4];		/* costs of B, M, E, S */
	uint32_t	step[16];
	uint64_t	pages_at,
				chars_at,
				label_at,
				first_at,
				cost_at,
				emit_at;
};

static inline const void *
seg_at(const NlpSegmenter *s, uint64_t offset)
{
	return (const char *) s + offset;
}

/* Where the parts go, for these counts; false on overflow. */
extern bool nlp_segment_layout(NlpSegmenter *head);

#endif
