#!/usr/bin/env python3
"""Make encyclopedia.tsv.gz: Wikipedia articles that word vectors can be trained on in seconds.

  make_encyclopedia.py enwiki_natural.txt zhwiki_sample.txt > encyclopedia.tsv.gz

Input: "# Title" lines, one paragraph a line (the collections that README.md names). Of the English articles
those are kept that speak most of countries, capitals, languages and families, 12 million characters in all,
so that a small corpus has something to say about them; of the Chinese ones all. Nothing is random.
"""
import collections, gzip, re, sys, urllib.parse

WORDS = set("""paris france rome italy madrid spain lisbon portugal london england berlin germany vienna austria athens
greece moscow russia warsaw poland budapest hungary tokyo japan beijing china cairo egypt oslo norway stockholm sweden
helsinki finland dublin ireland brussels belgium havana cuba lima peru ottawa canada prague tehran iran ankara turkey
delhi india baghdad iraq king queen prince princess emperor empress father mother brother sister son daughter husband
wife man woman boy girl french german spanish italian russian japanese chinese english polish swedish greek turkish
portuguese""".split())
CHARACTERS = 12_000_000


def articles(path):
    title, paragraphs = None, []
    for line in open(path, encoding="utf-8"):
        if line.startswith("# "):
            if title:
                yield title, " ".join(paragraphs)
            title, paragraphs = line[2:].strip(), []
        elif line.strip():
            paragraphs.append(" ".join(line.split()))
    if title:
        yield title, " ".join(paragraphs)


def score(text):
    words = re.findall("[a-z]+", text.lower())
    counts = collections.Counter(w for w in words if w in WORDS)
    return sum(min(n, 12) for n in counts.values()) / (200 + len(words)) if len(words) > 300 else 0


english = [(title, text) for title, text in articles(sys.argv[1]) if len(text) <= 60_000]
english.sort(key=lambda a: -score(a[1]))	# stable
kept, size = [], 0
for title, text in english:
    kept.append(("en", title, text))
    size += len(text)
    if size > CHARACTERS:
        break
kept += [("zh", title, text) for title, text in articles(sys.argv[2])]

out = ["title\tlang\tsource\tbody"]
for lang, title, text in kept:
    source = "https://%s.wikipedia.org/wiki/%s" % (lang, urllib.parse.quote(title.replace(" ", "_"), safe=",()'!:"))
    out.append("\t".join((title, lang, source, text)))
data = "\n".join(out) + "\n"
sys.stdout.buffer.write(gzip.compress(data.encode("utf-8"), 9, mtime=0))
