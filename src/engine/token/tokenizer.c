/* tokenizer.c --- looking things up in a block, turning ids back into bytes, and
 * checking a block that comes from elsewhere. */
#include "core/utf8.h"
#include "token/pretoken.h"
#include "engine_only.h"

static const TokenRec *
rec(const NlpTokenizer *t, int32_t id)
{
	return id >= 0 && (uint32_t) id < t->n_tokens ? block_token(t, (uint32_t) id) : NULL;
}

uint32_t
nlp_tokenizer_size(const NlpTokenizer *t)
{
	return t->n_tokens;
}

NlpTokenModel
nlp_tokenizer_model(const NlpTokenizer *t)
{
	return (NlpTokenModel) t->model;
}

int32_t
nlp_tokenizer_bos(const NlpTokenizer *t)
{
	return t->bos;
}

int32_t
nlp_tokenizer_eos(const NlpTokenizer *t)
{
	return t->eos;
}

bool
nlp_tokenizer_is_eog(const NlpTokenizer *t, int32_t id)
{
	const TokenRec *r = rec(t, id);

	return r && (r->attr & A_EOG);
}

bool
nlp_tokenizer_is_special(const NlpTokenizer *t, int32_t id)
{
	const TokenRec *r = rec(t, id);

	return r && (r->attr & A_MARKER);
}

NlpStr
nlp_tokenizer_piece(const NlpTokenizer *t, int32_t id)
{
	const TokenRec *r = rec(t, id);

	return r ? (NlpStr) {block_text(t, r->text_at), r->text_len} : (NlpStr) {"", 0};
}

size_t
nlp_token_bytes(const NlpTokenizer *t, int32_t id, bool show_special, char *buf, size_t cap)
{
	const TokenRec *r = rec(t, id);

	if (!r || (!show_special && (r->attr & A_HIDDEN)))
		return 0;
	if (r->show_len <= cap)
		memcpy(buf, block_text(t, r->show_at), r->show_len);
	return r->show_len;
}

size_t
nlp_tokenizer_max_bytes(const NlpTokenizer *t)
{
	return t->max_show;
}

int32_t
nlp_tokenizer_find(const NlpTokenizer *t, const char *piece, size_t len)
{
	char		raw[MAX_PIECE];
	ptrdiff_t	n = -1;

	if (len == 0 || len > t->max_text)
		return -1;
	if (t->flags & T_BYTE_LEVEL)
		n = nlp_alphabet_decode(piece, len, raw, sizeof(raw));
	if (n >= 0)
		return block_find(t, A_DECODED, raw, (size_t) n);
	return block_find(t, 0, piece, len);
}

NlpStatus
nlp_decode_after(const NlpTokenizer *t, int32_t before, const int32_t *ids, size_t n, bool show_special,
				 NlpBuf *out, NlpError *err)
{
	/* SentencePiece puts a space before a text and after each marker: take it back. */
	const TokenRec *b = rec(t, before);
	bool		drop_space = (t->flags & T_SPACE_PREFIX) && (!b || (b->attr & A_MARKER));

	for (size_t i = 0; i < n; i++)
	{
		const TokenRec *r = rec(t, ids[i]);
		const char *show;
		size_t		len;

		if (!r)
			return nlp_fail(err, NLP_EINVALID, "token id %d is out of range; the vocabulary has %u tokens",
							ids[i], t->n_tokens);
		show = block_text(t, r->show_at);
		len = r->show_len;
		if (r->attr & A_MARKER)
		{
			drop_space = t->flags & T_SPACE_PREFIX;
			if (!show_special && (r->attr & A_HIDDEN))
				continue;
		}
		else
		{
			if (drop_space && len > 0 && show[0] == ' ')
			{
				show++;
				len--;
			}
			drop_space = false;
		}
		if (!nlp_buf_append(out, show, len))
			return nlp_no_memory(err, len, "decoded text");
	}
	return NLP_OK;
}

NlpStatus
nlp_decode(const NlpTokenizer *t, const int32_t *ids, size_t n, bool show_special, NlpBuf *out, NlpError *err)
{
	return nlp_decode_after(t, -1, ids, n, show_special, out, err);
}

/* ---- checking a block ---- */

static NlpStatus
broken(NlpError *err, const char *what)
{
	return nlp_fail(err, NLP_ECORRUPT, "tokenizer image is damaged: %s", what);
}

/* count items of size bytes at a 64-byte place inside the block. */
static bool
inside(size_t bytes, uint64_t at, uint64_t count, size_t size)
{
	size_t		len,
				end;

	return at % 64 == 0 && count <= SIZE_MAX && nlp_mul_size((size_t) count, size, &len) &&
		nlp_add_size((size_t) at, len, &end) && end <= bytes && at >= sizeof(NlpTokenizer);
}

static bool
id_ok(const NlpTokenizer *t, int32_t id)
{
	return id >= -1 && id < (int32_t) t->n_tokens;
}

static NlpStatus
check_tokens(const NlpTokenizer *t, NlpError *err)
{
	for (uint32_t i = 0; i < t->n_tokens; i++)
	{
		const TokenRec *r = block_token(t, i);
		size_t		bad;

		if ((uint64_t) r->text_at + r->text_len > t->pool_bytes ||
			(uint64_t) r->key_at + r->key_len > t->pool_bytes ||
			(uint64_t) r->show_at + r->show_len > t->pool_bytes)
			return broken(err, "text of a token");
		if (r->text_len == 0 || r->text_len > t->max_text || r->key_len == 0 || r->key_len > t->max_text ||
			r->show_len > t->max_show || r->score != r->score)
			return broken(err, "length or score of a token");
		if ((r->attr & A_MARKER) && !nlp_utf8_valid(block_text(t, r->text_at), r->text_len, &bad))
			return broken(err, "text of a special token");
	}
	return NLP_OK;
}

static NlpStatus
check_tables(const NlpTokenizer *t, NlpError *err)
{
	const TextSlot *slots = block_at(t, t->text_slots_at);
	const PairSlot *pairs = block_at(t, t->pair_slots_at);
	uint32_t	n_empty = 0;

	for (uint32_t i = 0; i < t->n_text_slots; i++)
	{
		n_empty += slots[i].id == NO_SLOT;
		if (slots[i].id != NO_SLOT && slots[i].id >= t->n_tokens)
			return broken(err, "text table");
	}
	if (n_empty == 0)
		return broken(err, "text table");
	n_empty = 0;
	for (uint32_t i = 0; i < t->n_pair_slots; i++)
	{
		n_empty += pairs[i].left == NO_SLOT;
		if (pairs[i].left != NO_SLOT && pairs[i].id >= t->n_tokens)
			return broken(err, "merge table");
	}
	if (t->model == NLP_TOKEN_BPE && n_empty == 0)
		return broken(err, "merge table");
	return NLP_OK;
}

static NlpStatus
check_special(const NlpTokenizer *t, NlpError *err)
{
	const uint32_t *special = block_at(t, t->special_at);
	const uint32_t *order = block_at(t, t->order_at);

	for (uint32_t i = 0; i < t->n_special; i++)
	{
		if (special[i] >= t->n_tokens || order[i] >= t->n_special ||
			!(block_token(t, special[i])->attr & A_MARKER))
			return broken(err, "special tokens");
		if (i > 0)
		{
			const TokenRec *a = block_token(t, special[i - 1]);
			const TokenRec *b = block_token(t, special[i]);
			size_t		n = a->text_len < b->text_len ? a->text_len : b->text_len;
			int			c = memcmp(block_text(t, a->text_at), block_text(t, b->text_at), n);

			if (c > 0 || (c == 0 && a->text_len >= b->text_len))
				return broken(err, "order of special tokens");
		}
	}
	return NLP_OK;
}

static NlpStatus
check_header(const NlpTokenizer *t, size_t bytes, NlpError *err)
{
	if (bytes < sizeof(NlpTokenizer) || (uintptr_t) t % 64 != 0)
		return broken(err, "size or alignment");
	if (t->magic != BLOCK_MAGIC || t->version != BLOCK_VERSION)
		return broken(err, "it is of another version");
	if (t->bytes > bytes)
		return broken(err, "it is cut short");
	if (t->model != NLP_TOKEN_BPE && t->model != NLP_TOKEN_SPM)
		return broken(err, "model");
	if (!nlp_pre_stages(t->rules) || t->n_tokens == 0 || t->n_tokens > MAX_TOKENS || t->max_text > MAX_PIECE ||
		t->max_show > MAX_PIECE || t->n_text_slots == 0 || (t->model == NLP_TOKEN_BPE && t->n_pair_slots == 0))
		return broken(err, "counts");
	if (!inside(t->bytes, t->tokens_at, t->n_tokens, sizeof(TokenRec)) ||
		!inside(t->bytes, t->pool_at, t->pool_bytes, 1) ||
		!inside(t->bytes, t->text_slots_at, t->n_text_slots, sizeof(TextSlot)) ||
		!inside(t->bytes, t->pair_slots_at, t->n_pair_slots, sizeof(PairSlot)) ||
		!inside(t->bytes, t->special_at, t->n_special, sizeof(uint32_t)) ||
		!inside(t->bytes, t->order_at, t->n_special, sizeof(uint32_t)) ||
		!inside(t->bytes, t->class_index_at, CLASS_INDEX, sizeof(uint16_t)) ||
		!inside(t->bytes, t->classes_at, t->n_classes, 128))
		return broken(err, "a part lies outside it");
	if (!id_ok(t, t->bos) || !id_ok(t, t->eos) || !id_ok(t, t->unk) ||
		((t->flags & T_ADD_BOS) && t->bos < 0) || ((t->flags & T_ADD_EOS) && t->eos < 0))
		return broken(err, "special token ids");
	return NLP_OK;
}

NlpStatus
nlp_tokenizer_check(const NlpTokenizer *t, size_t bytes, NlpError *err)
{
	const uint16_t *index;

	NLP_TRY(check_header(t, bytes, err));
	for (unsigned i = 0; i < 256; i++)
	{
		if (!id_ok(t, t->byte_id[i]) || (t->byte_id[i] < 0 && t->unk < 0 && t->model == NLP_TOKEN_SPM))
			return broken(err, "byte tokens");
	}
	index = block_at(t, t->class_index_at);
	for (unsigned i = 0; i < CLASS_INDEX; i++)
	{
		if (index[i] >= t->n_classes)
			return broken(err, "character classes");
	}
	NLP_TRY(check_tokens(t, err));
	NLP_TRY(check_tables(t, err));
	return check_special(t, err);
}
