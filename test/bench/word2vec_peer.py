# word2vec_peer.py PEER OBJECTIVE FILE DIM WINDOW ALPHA --- one epoch of gensim or fastText over
# a file of 1,000 words a line; prints words of the vocabulary per second of CPU time.
#
# One worker. Only training is counted: of gensim model.train() (its fastest form, corpus_file), of
# fastText the difference between two epochs and one, as it reads and trains in one call. fastText
# trains with its n-grams of 3 to 6 characters (versions 0.9.2 and 0.9.3 end in NaN without any).
import logging
import sys
import time

logging.disable(logging.WARNING)
peer, objective, path, dim, window, alpha = sys.argv[1:7]
dim, window, alpha = int(dim), int(window), float(alpha)


def gensim_rate():
    from gensim.models import Word2Vec

    model = Word2Vec(vector_size=dim, window=window, min_count=5, sample=1e-4, negative=5, workers=1, alpha=alpha,
                     min_alpha=alpha * 1e-4, sg=objective == "skip-gram", epochs=1, seed=1)
    model.build_vocab(corpus_file=path)
    words = sum(model.wv.get_vecattr(w, "count") for w in model.wv.index_to_key)
    start = time.process_time()
    model.train(corpus_file=path, total_words=model.corpus_total_words, epochs=1)
    return words / (time.process_time() - start)


def fasttext_rate():
    import collections
    import fasttext

    took = []
    for epochs in (1, 2):
        start = time.process_time()
        fasttext.train_unsupervised(path, model="skipgram" if objective == "skip-gram" else "cbow", lr=alpha, dim=dim, ws=window,
                                    epoch=epochs, minCount=5, minn=3, maxn=6, neg=5, t=1e-4, thread=1, verbose=0)
        took.append(time.process_time() - start)
    counts = collections.Counter(open(path).read().split())
    return sum(n for n in counts.values() if n >= 5) / (took[1] - took[0])


print("%.1f" % ((gensim_rate() if peer == "gensim" else fasttext_rate()) / 1e3))
