#!/usr/bin/env python3
"""make_words.py --- reference answers for word vectors, by gensim, numpy and scipy.

A CBOW model with negative sampling over the most frequent words of a text (at most 1,500; gensim keeps 1,493) is trained by
gensim, its two matrices are rounded to f16, and everything below is computed from the rounded
values, so that test/unit/words_test.c and word_eval_test.c can ask the same of the same numbers.

usage: make_words.py TEXT    (text8 style, the first 20 MB are read; made from data/enwiki)

Writes words/model.gguf (the form of src/engine/wordvec/words.h, f16), words/expected.tsv,
words/questions.txt and words/pairs.tsv. Seeds are fixed and one worker trains, so a run with
the same versions (first lines of expected.tsv) gives the same files.
"""
import os
import struct
import sys

import gensim
import numpy as np
import scipy
import scipy.stats
from gensim.models import Word2Vec

N, DIM = 1500, 32
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "words")


def stable_hash(text):
    h = 0
    for c in text.encode():
        h = (h * 31 + c) & 0x7FFFFFFF
    return h


def train(path):
    with open(path, encoding="utf-8") as f:
        tokens = f.read(20_000_000).split()
    sentences = [tokens[i:i + 1000] for i in range(0, len(tokens), 1000)]
    m = Word2Vec(vector_size=DIM, window=5, sg=0, negative=5, cbow_mean=1, sample=1e-3, epochs=3,
                 seed=7, workers=1, min_count=1, max_final_vocab=N, hashfxn=stable_hash)
    m.build_vocab(sentences)
    m.train(sentences, total_examples=m.corpus_count, epochs=m.epochs)
    m.wv.vectors = m.wv.vectors.astype(np.float16).astype(np.float32)
    m.syn1neg = m.syn1neg.astype(np.float16).astype(np.float32)
    m.wv.fill_norms(force=True)
    return m


# ---- GGUF ---------------------------------------------------------------------

U32, F32, BOOL, STR, ARR, U64 = 4, 6, 7, 8, 9, 10


def gguf_str(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def gguf_value(kind, v):
    if kind == STR:
        return gguf_str(v)
    return struct.pack({U32: "<I", F32: "<f", BOOL: "<?", U64: "<Q"}[kind], v)


def write_gguf(path, m):
    words = m.wv.index_to_key
    counts = [m.wv.get_vecattr(w, "count") for w in words]
    keys = [("general.architecture", STR, "word2vec"), ("general.name", STR, "golden"),
            ("word2vec.embedding_length", U32, DIM), ("word2vec.words", (ARR, STR), words),
            ("word2vec.counts", (ARR, U64), counts), ("word2vec.objective", STR, "cbow"),
            ("word2vec.loss", STR, "negative"), ("word2vec.window", U32, 5),
            ("word2vec.cbow_mean", BOOL, True), ("word2vec.segmenter", STR, "words")]
    tensors = [("token_embd.weight", m.wv.vectors), ("output.weight", m.syn1neg)]
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    for name, kind, v in keys:
        out += gguf_str(name)
        if isinstance(kind, tuple):
            out += struct.pack("<IIQ", ARR, kind[1], len(v)) + b"".join(gguf_value(kind[1], x) for x in v)
        else:
            out += struct.pack("<I", kind) + gguf_value(kind, v)
    offset = 0
    for name, x in tensors:
        out += gguf_str(name) + struct.pack("<IQQIQ", 2, x.shape[1], x.shape[0], 1, offset)
        offset += x.size * 2
    out += b"\0" * (-len(out) % 32)
    for _, x in tensors:
        out += x.astype("<f2").tobytes()
    with open(path, "wb") as f:
        f.write(out)


# ---- answers ------------------------------------------------------------------

def row(*cells):
    return "\t".join(c if isinstance(c, str) else "%.9g" % c for c in cells)


def neighbours(found):
    return [c for w, s in found for c in (w, s)]


def answers(m, rng):
    words = m.wv.index_to_key
    lines = []
    for w in rng.choice(words, 25, replace=False):
        lines.append(row("similar", w, *neighbours(m.wv.most_similar(w, topn=10))))
    for w in rng.choice(words, 5, replace=False):
        lines.append(row("restricted", w, *neighbours(m.wv.most_similar(w, topn=10, restrict_vocab=300))))
    for _ in range(25):
        a, b, c = rng.choice(words, 3, replace=False)
        found = m.wv.most_similar(positive=[b, c], negative=[a], topn=5)
        lines.append(row("analogy", a, b, c, *neighbours(found)))
    for _ in range(20):
        a, b = rng.choice(words, 2)
        lines.append(row("similarity", a, b, float(m.wv.similarity(a, b))))
    for _ in range(15):
        some = rng.choice(words, int(rng.integers(3, 8)), replace=False)
        lines.append(row("odd", *some, m.wv.doesnt_match(list(some))))
    for _ in range(15):
        some = list(rng.choice(words, int(rng.integers(1, 7))))
        found = m.predict_output_word(some, topn=10)
        lines.append(row("predict", " ".join(some), *neighbours(found)))
    for w in rng.choice(words, 5, replace=False):
        logits = m.syn1neg.astype(np.float64) @ m.wv[w].astype(np.float64)
        p = np.exp(logits - logits.max())
        p /= p.sum()
        best = np.argsort(-p, kind="stable")[:10]
        lines.append(row("context", w, *neighbours([(words[i], p[i]) for i in best])))
    total = sum(m.wv.get_vecattr(w, "count") for w in words)
    for _ in range(10):
        some = list(rng.choice(words, 4))
        v = np.mean([1e-3 / (1e-3 + m.wv.get_vecattr(w, "count") / total) * m.wv[w].astype(np.float64)
                     for w in some], axis=0)
        lines.append(row("phrase", " ".join(some), *v))
    return lines


# Half of the questions are such that the model knows the answer. Some words are not in the
# vocabulary or not in its first 1,000, some are in capitals, some sections are empty of answers.
def questions(m, rng):
    words = m.wv.index_to_key
    text = []
    for s, name in enumerate(["capital-made", "family", "gram1-made", "gram2-made", "gram3-none"]):
        text.append(": " + name)
        for i in range(40 if s < 4 else 3):
            a, b, c = rng.choice(words[:1100], 3, replace=False)
            d = str(rng.choice(words[:1100]))
            if i % 2 and s < 4:
                d = [w for w, _ in m.wv.most_similar(positive=[b, c], negative=[a], topn=5, restrict_vocab=1000)][0]
            if s == 4 or i % 11 == 5:
                d = "notaword"
            q = [a, b, c, d]
            text.append(" ".join(w.upper() if (i + j) % 7 == 0 else w for j, w in enumerate(q)))
    path = os.path.join(HERE, "questions.txt")
    with open(path, "w") as f:
        f.write("\n".join(text) + "\n")
    lines = []
    for fold in (True, False):
        _, sections = m.wv.evaluate_word_analogies(path, restrict_vocab=1000, case_insensitive=fold)
        for s in sections:
            lines.append(row("analogies", str(int(fold)), s["section"], str(len(s["correct"])),
                             str(len(s["correct"]) + len(s["incorrect"]))))
    return lines


def pairs(m, rng):
    words = m.wv.index_to_key
    rows = []
    for i in range(120):
        a, b = rng.choice(words, 2)
        score = round(5 + 4 * float(m.wv.similarity(a, b)) + float(rng.normal()), 0)    # many ties
        if i % 17 == 3:
            b = "notaword"
        rows.append((a.upper() if i % 5 == 0 else a, b, score))
    with open(os.path.join(HERE, "pairs.tsv"), "w") as f:
        f.write("word1\tword2\tscore\n# made by make_words.py\n")
        for a, b, s in rows:
            f.write("%s\t%s\t%g\n" % (a, b, s))
    lines = []
    for fold in (True, False):
        known = [(a.lower() if fold and a not in m.wv else a, b, s) for a, b, s in rows]
        known = [(a, b, s) for a, b, s in known if a in m.wv and b in m.wv]
        sims = [float(m.wv.similarity(a, b)) for a, b, _ in known]
        gold = [s for _, _, s in known]
        lines.append(row("pairs", str(int(fold)), str(len(rows)), str(len(known)),
                         float(scipy.stats.spearmanr(gold, sims)[0]), float(scipy.stats.pearsonr(gold, sims)[0])))
    x = rng.integers(0, 6, 50)
    y = rng.integers(0, 6, 50) + x
    lines.append(row("spearman", " ".join(map(str, x)), " ".join(map(str, y)),
                     float(scipy.stats.spearmanr(x, y)[0]), float(scipy.stats.pearsonr(x, y)[0])))
    return lines


def components(m, rng):
    words = m.wv.index_to_key
    lines = []
    for n, k in ((200, 3), (20, 2), (3, 3)):
        ids = sorted(rng.choice(len(words), n, replace=False))
        x = m.wv.vectors[ids].astype(np.float64)
        x -= x.mean(axis=0)
        u, s, vt = np.linalg.svd(x, full_matrices=False)
        for j in range(k):
            v = vt[j] if j < len(s) and s[j] > 1e-9 * s[0] else np.zeros(DIM)
            v = -v if v[np.argmax(np.abs(v))] < 0 else v
            share = s[j] ** 2 / (s ** 2).sum() if v.any() else 0.0
            lines.append(row("pca", str(j), " ".join(map(str, ids)), share, *(x @ v)))
    return lines


def main():
    m = train(sys.argv[1])
    rng = np.random.default_rng(7)
    os.makedirs(HERE, exist_ok=True)
    write_gguf(os.path.join(HERE, "model.gguf"), m)
    lines = ["# made by make_words.py: gensim %s, numpy %s, scipy %s" %
             (gensim.__version__, np.__version__, scipy.__version__)]
    lines += answers(m, rng) + questions(m, rng) + pairs(m, rng) + components(m, rng)
    with open(os.path.join(HERE, "expected.tsv"), "w") as f:
        f.write("\n".join(lines) + "\n")


main()
