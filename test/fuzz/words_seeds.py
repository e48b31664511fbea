#!/usr/bin/env python3
"""Write the seeds of words_fuzz: small GGUF models of word vectors (wordvec/words.h), right and wrong.

    words_seeds.py DIR     (test/fuzz/corpus/words)
"""
import os
import struct
import sys

U32, F32, BOOL, STR, ARR, U64 = 4, 6, 7, 8, 9, 10


def string(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(b)) + b


def kv(key, t, v):
    head = string(key) + struct.pack("<I", t)
    if t == STR:
        return head + string(v)
    if t == ARR:
        elem, values = v
        return head + struct.pack("<IQ", elem, len(values)) + b"".join(string(x) if elem == STR else struct.pack("<Q", x) for x in values)
    return head + struct.pack({U32: "<I", F32: "<f", BOOL: "<B", U64: "<Q"}[t], v)


def gguf(keys, tensors):
    """tensors: name, dtype (0 f32, 1 f16, 8 q8_0), dims; numbers between -1 and 1."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys)
    data = b""
    for name, t, dims in tensors:
        n = dims[0] * dims[1]
        out += string(name) + struct.pack("<I", 2) + struct.pack("<QQ", *dims) + struct.pack("<IQ", t, len(data))
        v = [((i * 7 + len(name)) % 19 - 9) / 9 for i in range(n)]
        if t == 8:
            data += b"".join(struct.pack("<e32b", 1 / 127, *[int(127 * x) for x in v[i:i + 32]]) for i in range(0, n, 32))
        else:
            data += struct.pack("<%d%s" % (n, "e" if t else "f"), *v)
        data += bytes(-len(data) % 32)
    return out + bytes(-len(out) % 32) + data


def model(words=("the", "of", "Fluß", "北京"), dim=4, dtype=0, counts=(9, 5, 5, 1), objective="skip-gram", loss="negative", subword=None, output=True,
          extra=(), out_rows=None, rows=None):
    n = len(words)
    keys = [kv("general.architecture", STR, "word2vec"), kv("word2vec.embedding_length", U32, dim), kv("word2vec.words", ARR, (STR, words))]
    if counts:
        keys.append(kv("word2vec.counts", ARR, (U64, counts)))
    if objective:
        keys += [kv("word2vec.objective", STR, objective), kv("word2vec.loss", STR, loss), kv("word2vec.window", U32, 5),
                 kv("word2vec.cbow_mean", BOOL, 1), kv("word2vec.segmenter", STR, "words")]
    tensors = [("token_embd.weight", dtype, (dim, n if rows is None else rows))]
    if subword:
        keys += [kv("word2vec.subword." + k, U32, v) for k, v in zip(("min", "max", "buckets"), subword)]
        tensors += [("word_input.weight", 0, (dim, n)), ("subword.weight", dtype, (dim, subword[2]))]
    if output and loss == "hierarchical":
        tensors.append(("output_nodes.weight", 0, (dim, n - 1 if out_rows is None else out_rows)))
    elif output:
        tensors.append(("output.weight", dtype, (dim, n if out_rows is None else out_rows)))
    return gguf(keys + list(extra), tensors)


SEEDS = {
    "skipgram": model(), "cbow": model(objective="cbow"), "plain": model(objective=None, output=False, counts=None),
    "hierarchical": model(loss="hierarchical"), "cbow_hierarchical": model(objective="cbow", loss="hierarchical"),
    "softmax": model(loss="softmax"), "subwords": model(subword=(3, 6, 11)), "subwords_short": model(subword=(1, 2, 3)),
    "f16": model(dtype=1), "q8_0": model(dtype=8, dim=32), "dim_17": model(dim=17), "one_word": model(words=("a",), counts=(1,)),
    "one_word_hierarchical": model(words=("a",), counts=(1,), loss="hierarchical", output=False),
    "many": model(words=["w%d" % i for i in range(40)], counts=[100 - i for i in range(40)]),
    "counts_wrap": model(counts=(2**63, 2**63, 1, 1)), "counts_fewer": model(counts=(1, 2)), "counts_zero": model(counts=(0, 0, 0, 0)),
    "counts_rise": model(counts=(1, 2, 3, 4), loss="hierarchical"), "word_twice": model(words=("a", "b", "a", "c")),
    "word_empty": model(words=("a", "", "b", "c")), "word_invalid": model(words=("a", b"\xff", "b", "c")),
    "rows_fewer": model(rows=3), "out_rows_fewer": model(out_rows=2), "subwords_reversed": model(subword=(6, 3, 11)),
    "unknown_objective": model(objective="glove"), "unknown_loss": model(loss="ova"), "no_words": model(words=(), counts=()),
}
os.makedirs(sys.argv[1], exist_ok=True)
for name, data in SEEDS.items():
    with open(os.path.join(sys.argv[1], name + ".gguf"), "wb") as f:
        f.write(data)
