/* kv.c --- page allocation, sharing and tables of paged keys and values.
 *
 * A page is one allocation holding NLP_KV_PAGE positions of every layer, layer
 * parts one after another. refs counts the sequences that list it; a page with
 * more than one is copied before anything is written to it. */
#include <string.h>

#include "state/kv.h"
#include "engine_only.h"

typedef struct Sequence
{
	int			length;			/* positions stored */
	int			n_pages;
	int		   *pages;			/* [max_pages] indices into kv->page */
} Sequence;

struct NlpKv
{
	const NlpAlloc *alloc;
	int			n_layer;
	int			max_seqs;
	int			max_pages;		/* also the longest sequence's page count */
	int			n_free;
	size_t		layer_bytes;
	size_t		page_bytes;
	char	  **page;			/* [max_pages]; NULL until first used */
	int		   *refs;			/* [max_pages] */
	int		   *free;			/* [n_free] stack; recently freed pages are reused first */
	Sequence   *seqs;			/* [max_seqs] */
};

size_t
nlp_kv_page_bytes(NlpKvShape shape)
{
	return (size_t) shape.layers * nlp_kv_layer_bytes(shape.kv_heads, shape.head_dim);
}

NlpStatus
nlp_kv_new(NlpKvShape shape, int n_pages, int max_seqs, const NlpAlloc *alloc, NlpKv **out, NlpError *err)
{
	NlpKv	   *kv = nlp_alloc_zero(alloc, sizeof(*kv));
	size_t		pages = (size_t) n_pages;
	int		   *lists;

	if (!kv)
		return nlp_no_memory(err, sizeof(*kv), "sequence state");
	kv->alloc = alloc;
	kv->n_layer = shape.layers;
	kv->max_seqs = max_seqs;
	kv->max_pages = n_pages;
	kv->layer_bytes = nlp_kv_layer_bytes(shape.kv_heads, shape.head_dim);
	kv->page_bytes = nlp_kv_page_bytes(shape);
	kv->page = nlp_alloc_zero(alloc, pages * sizeof(char *));
	kv->refs = nlp_alloc_zero(alloc, pages * sizeof(int));
	kv->free = nlp_alloc_zero(alloc, pages * sizeof(int));
	kv->seqs = nlp_alloc_zero(alloc, (size_t) max_seqs * sizeof(Sequence));
	lists = nlp_alloc_zero(alloc, (size_t) max_seqs * pages * sizeof(int));
	if (!kv->page || !kv->refs || !kv->free || !kv->seqs || !lists)
	{
		nlp_free(alloc, lists);
		nlp_kv_free(kv);
		return nlp_no_memory(err, (size_t) max_seqs * pages * sizeof(int), "sequence state");
	}
	for (int i = 0; i < max_seqs; i++)
		kv->seqs[i].pages = lists + (size_t) i * pages;
	for (int i = 0; i < n_pages; i++)
		kv->free[i] = n_pages - 1 - i;
	kv->n_free = n_pages;
	*out = kv;
	return NLP_OK;
}

void
nlp_kv_free(NlpKv *kv)
{
	if (!kv)
		return;
	for (int i = 0; kv->page && i < kv->max_pages; i++)
		nlp_free(kv->alloc, kv->page[i]);
	if (kv->seqs && kv->seqs[0].pages)
		nlp_free(kv->alloc, kv->seqs[0].pages);
	nlp_free(kv->alloc, kv->seqs);
	nlp_free(kv->alloc, kv->free);
	nlp_free(kv->alloc, kv->refs);
	nlp_free(kv->alloc, kv->page);
	nlp_free(kv->alloc, kv);
}

int
nlp_kv_free_pages(const NlpKv *kv)
{
	return kv->n_free;
}

static void
release(NlpKv *kv, int page)
{
	if (--kv->refs[page] == 0)
		kv->free[kv->n_free++] = page;
}

/* Take a free page with its memory; -1 when there is none. The kernels work on whole
 * vectors and mask what lies past a row's end, so that has to be some defined value. */
static int
take(NlpKv *kv)
{
	int			page;

	if (kv->n_free == 0)
		return -1;
	page = kv->free[kv->n_free - 1];
	if (!kv->page[page])
	{
		kv->page[page] = nlp_alloc_zero(kv->alloc, kv->page_bytes);
		if (!kv->page[page])
			return -1;
	}
	kv->n_free--;
	kv->refs[page] = 1;
	return page;
}

void
nlp_kv_truncate(NlpKv *kv, int seq, int n)
{
	Sequence   *s = &kv->seqs[seq];
	int			keep = (n + NLP_KV_PAGE - 1) / NLP_KV_PAGE;

	while (s->n_pages > keep)
		release(kv, s->pages[--s->n_pages]);
	if (s->length > n)
		s->length = n;
}

void
nlp_kv_clear(NlpKv *kv, int seq)
{
	nlp_kv_truncate(kv, seq, 0);
}

int
nlp_kv_length(const NlpKv *kv, int seq)
{
	return kv->seqs[seq].length;
}

/* The page that the next position goes to, when shared, becomes a private copy. */
static bool
privatise(NlpKv *kv, Sequence *s)
{
	int			last = s->length / NLP_KV_PAGE;
	int			copy;

	if (s->length % NLP_KV_PAGE == 0 || last >= s->n_pages || kv->refs[s->pages[last]] == 1)
		return true;
	copy = take(kv);
	if (copy < 0)
		return false;
	memcpy(kv->page[copy], kv->page[s->pages[last]], kv->page_bytes);
	release(kv, s->pages[last]);
	s->pages[last] = copy;
	return true;
}

NlpStatus
nlp_kv_extend(NlpKv *kv, int seq, int n, NlpError *err)
{
	Sequence   *s = &kv->seqs[seq];
	int			had = s->n_pages;
	int			need = (s->length + n + NLP_KV_PAGE - 1) / NLP_KV_PAGE;

	if (need > kv->max_pages || !privatise(kv, s))
		return nlp_no_memory(err, (size_t) (need - had) * kv->page_bytes, "keys and values");
	while (s->n_pages < need)
	{
		int			page = take(kv);

		if (page < 0)
		{
			while (s->n_pages > had)
				release(kv, s->pages[--s->n_pages]);
			return nlp_no_memory(err, (size_t) (need - had) * kv->page_bytes, "keys and values");
		}
		s->pages[s->n_pages++] = page;
	}
	s->length += n;
	return NLP_OK;
}

void
nlp_kv_fork(NlpKv *kv, int dst, int src, int n)
{
	Sequence   *d = &kv->seqs[dst];
	const Sequence *s = &kv->seqs[src];
	int			pages = (n + NLP_KV_PAGE - 1) / NLP_KV_PAGE;

	nlp_kv_clear(kv, dst);
	for (int i = 0; i < pages; i++)
	{
		d->pages[i] = s->pages[i];
		kv->refs[s->pages[i]]++;
	}
	d->n_pages = pages;
	d->length = n;
}

int
nlp_kv_table(const NlpKv *kv, int seq, int layer, void **table, int cap)
{
	const Sequence *s = &kv->seqs[seq];
	int			n = s->n_pages < cap ? s->n_pages : cap;

	for (int i = 0; i < n; i++)
		table[i] = kv->page[s->pages[i]] + (size_t) layer * kv->layer_bytes;
	return n;
}

void *
nlp_kv_layer_page(const NlpKv *kv, int seq, int layer, int position)
{
	return kv->page[kv->seqs[seq].pages[position / NLP_KV_PAGE]] + (size_t) layer * kv->layer_bytes;
}
