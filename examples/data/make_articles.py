#!/usr/bin/env python3
"""Make articles.tsv: the opening paragraphs of a few Wikipedia articles.

usage: make_articles.py ENWIKI ZHWIKI > articles.tsv

ENWIKI and ZHWIKI are texts of the form "# Title" line, one paragraph a line, blank line
after each article (plain, .xz or .gz). Whole paragraphs are taken until the text is long
enough to be worth a summary; nothing else is changed, except that tabs become spaces.
"""
import gzip
import lzma
import sys
import urllib.parse

ENGLISH = ["Lascaux", "Laika", "Leap second", "Maple syrup", "Mariana Trench", "Microscope",
           "Pencil", "Photosynthesis", "Plate tectonics", "Polar bear", "Rosemary", "Radar"]
CHINESE = ["数学", "哲学"]


def articles(path):
    opener = {"xz": lzma.open, "gz": gzip.open}.get(path.rsplit(".", 1)[-1], open)
    title, paragraphs = None, []
    with opener(path, "rt", encoding="utf-8") as f:
        for line in f:
            line = line.strip().replace("\t", " ")
            if line.startswith("# "):
                if title:
                    yield title, paragraphs
                title, paragraphs = line[2:], []
            elif line:
                paragraphs.append(line)
    if title:
        yield title, paragraphs


def opening(paragraphs, enough):
    taken = []
    for p in paragraphs:
        taken.append(p)
        if sum(map(len, taken)) >= enough:
            break
    return "\\n\\n".join(p.replace("\\", "\\\\") for p in taken)


def main():
    print("title\tlang\tsource\tbody")
    for path, lang, wanted, enough in ((sys.argv[1], "en", ENGLISH, 1100), (sys.argv[2], "zh", CHINESE, 300)):
        found = {t: p for t, p in articles(path) if t in wanted}
        for title in wanted:
            url = f"https://{lang}.wikipedia.org/wiki/" + urllib.parse.quote(title.replace(" ", "_"))
            print(title, lang, url, opening(found[title], enough), sep="\t")


main()
