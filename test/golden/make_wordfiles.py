#!/usr/bin/env python3
"""Make test/golden/wordfile: word vectors as other programs write them, and what they answer.

    make_wordfiles.py [DIR]     needs gensim and fasttext

Made with gensim 4.4.0, fasttext 0.9.3 and NumPy 2.4.6. Texts are drawn with a fixed generator; training
uses one thread. A run of fastText need not give the same bits everywhere: expected.tsv is written from the
files of the same run. Its lines, tab-separated:

    vector  FILE WORD NUMBERS...           get_word_vector, or gensim's row
    chance  FILE GIVEN WORD P              skip-gram: the chance of WORD near GIVEN, computed here from the
                                           file's own matrices by fastText's loss (its tree built as loss.cc does)
"""
import math
import os
import struct
import sys
import tempfile

import fasttext
import numpy as np
from gensim.models import KeyedVectors

DIR = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "wordfile")
WORDS = ("the of and water river river's Fluß café naïve 北京 大学 东京 日本語 слово вода a I 42 3.14 - e-mail "
         "New_York king queen man woman city cities 😀 supercalifragilistic").split()
UNKNOWN = ["waters", "rivers", "kingdom", "北京大学", "ab", "Flußufer", "словами", "zzz", "x"]
expected = []


def vector(file, word, v):
    expected.append("\t".join(["vector", file, word] + ["%.9g" % float(x) for x in v]))


def text():
    state, lines = 20240611, []
    for _ in range(400):
        line = []
        for _ in range(12):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            r = (state >> 33) / 2**31
            line.append(WORDS[int(len(WORDS) * r * r)])
        lines.append(" ".join(line))
    return "\n".join(lines) + "\n"


def gensim_files():
    rng = np.random.default_rng(7)
    m = rng.standard_normal((len(WORDS), 10)).astype(np.float32)
    m[3] = 0
    m[4] *= np.float32(1e-30)
    m[5] *= np.float32(1e30)
    m[6, :] = [1, -1, 0.5, 100, 1e10, -1e-10, 16777216, 0.1, 1 / 3, 2**-149]
    kv = KeyedVectors(10)
    kv.add_vectors(WORDS, m)
    kv.save_word2vec_format(os.path.join(DIR, "gensim.bin"), binary=True)
    kv.save_word2vec_format(os.path.join(DIR, "gensim.txt"), binary=False)
    for w, row in zip(WORDS, m):
        vector("gensim.bin", w, row)
        vector("gensim.txt", w, row)


def matrices(path):
    b = open(path, "rb").read()
    at, counts = 92, []
    words = []
    for _ in range(struct.unpack_from("<i", b, 64)[0]):
        end = b.index(b"\0", at)
        words.append(b[at:end].decode())
        counts.append(struct.unpack_from("<q", b, end + 1)[0])
        at = end + 10
    found = []
    for _ in range(2):
        rows, dim = struct.unpack_from("<qq", b, at + 1)
        found.append(np.frombuffer(b, "<f4", rows * dim, at + 17).reshape(rows, dim).astype(np.float64))
        at += 17 + 4 * rows * dim
    assert at == len(b)
    return words, counts, found[1]


def tree(counts):
    """Paths and codes of the leaves, root last, as HierarchicalSoftmaxLoss::buildTree."""
    n = len(counts)
    count = counts + [10**15] * (n - 1)
    parent, code = [-1] * (2 * n - 1), [False] * (2 * n - 1)
    leaf, node = n - 1, n
    for i in range(n, 2 * n - 1):
        mini = []
        for _ in range(2):
            if leaf >= 0 and count[leaf] < count[node]:
                mini.append(leaf)
                leaf -= 1
            else:
                mini.append(node)
                node += 1
        count[i] = count[mini[0]] + count[mini[1]]
        parent[mini[0]] = parent[mini[1]] = i
        code[mini[1]] = True
    out = []
    for i in range(n):
        path, j = [], i
        while parent[j] != -1:
            path.append((parent[j] - n, code[j]))
            j = parent[j]
        out.append(path)
    return out


def chances(file, model, loss):
    words, counts, output = matrices(os.path.join(DIR, file))
    for given in ("the", "北京"):
        h = model.get_word_vector(given).astype(np.float64)
        if loss == "hs":
            p = [math.prod(1 / (1 + math.exp(-(1 if bit else -1) * (output[row] @ h))) for row, bit in path)
                 for path in tree(counts)]
        else:
            z = np.exp(output @ h - (output @ h).max())
            p = list(z / z.sum())
        assert abs(sum(p) - 1) < 1e-9
        for w in words:
            expected.append("\t".join(["chance", file, given, w, "%.9g" % p[words.index(w)]]))


def train(*args, **options):
    """The package sometimes stops with "Encountered NaN", with the same input: it starts from memory it has not set."""
    for _ in range(100):
        try:
            return fasttext.train_unsupervised(*args, **options)
        except RuntimeError as e:
            assert "NaN" in str(e)
    raise RuntimeError("fastText met NaN 100 times")


def fasttext_files():
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
        f.write(text())
        f.flush()
        for name, kind, loss, minn, maxn, bucket in (("ft_sg", "skipgram", "ns", 3, 6, 2000), ("ft_cbow", "cbow", "ns", 1, 4, 300),
                                                     ("ft_hs", "skipgram", "hs", 2, 3, 300), ("ft_plain", "skipgram", "softmax", 0, 0, 0)):
            m = train(f.name, model=kind, loss=loss, dim=10, epoch=20, minCount=2, thread=1, t=0.5, lr=0.05, minn=minn,
                      maxn=maxn, bucket=bucket, verbose=0)
            m.save_model(os.path.join(DIR, name + ".bin"))
            with open(os.path.join(DIR, name + ".vec"), "w") as out:  # as its saveVectors: 5 digits, a space after each
                words = m.get_words()
                out.write("%d %d\n" % (len(words), m.get_dimension()))
                for w in words:
                    out.write(w + " " + "".join("%.5g " % x for x in m.get_word_vector(w)) + "\n")
            for w in words + (UNKNOWN if maxn else []):
                vector(name + ".bin", w, m.get_word_vector(w))
            if kind == "skipgram":
                chances(name + ".bin", m, loss)


os.makedirs(DIR, exist_ok=True)
gensim_files()
fasttext_files()
with open(os.path.join(DIR, "expected.tsv"), "w") as f:
    f.write("\n".join(expected) + "\n")
