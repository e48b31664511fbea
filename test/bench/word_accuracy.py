#!/usr/bin/env python3
"""What word_accuracy.sh needs of Python.

  word_accuracy.py corpus DATA         Chinese texts of the data sets, one a line
  word_accuracy.py gensim WORDS OUT    gensim's vectors of the same words and options, as word2vec binary
"""
import gzip, io, json, lzma, sys


def lines(path):
    opener = lzma.open if path.endswith(".xz") else gzip.open
    return io.TextIOWrapper(opener(path), encoding="utf-8")


def corpus(data):
    seen = set()

    def out(text):
        text = " ".join(text.split())
        if text and text not in seen:
            seen.add(text)
            print(text)

    for line in lines(data + "/zhwiki_sample/zhwiki_sample.txt.gz"):
        out(line)
    for line in lines(data + "/cmrc2018/dev.jsonl.xz"):
        out(json.loads(line)["context"])
    for name, columns in (("csl_zh/ts_dev.tsv.gz", "abstract title"), ("csl_zh/kg_dev.tsv.gz", "abstract"),
                          ("lcsts_part2/train.tsv.xz", "text summary"),
                          ("online_shopping_zh/train.tsv.xz", "text"), ("thucnews_titles/train_10k.tsv.gz", "title")):
        try:
            rows = lines(data + "/" + name)
        except FileNotFoundError:
            print("not there: " + name, file=sys.stderr)
            continue
        header = next(rows).rstrip("\n").split("\t")
        for row in rows:
            cells = dict(zip(header, row.rstrip("\n").split("\t")))
            for c in columns.split():
                out(cells.get(c, ""))


def peer(words, path):
    from gensim.models import Word2Vec
    model = Word2Vec(corpus_file=words, sg=1, vector_size=100, window=5, min_count=5, negative=5, sample=1e-4,
                     alpha=0.025, min_alpha=2.5e-6, epochs=10, workers=1, seed=1)
    model.wv.save_word2vec_format(path, binary=True)


if sys.argv[1] == "corpus":
    corpus(sys.argv[2])
else:
    peer(sys.argv[2], sys.argv[3])
