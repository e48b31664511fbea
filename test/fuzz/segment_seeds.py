#!/usr/bin/env python3
"""Write the first corpus of segment_fuzz.c. usage: segment_seeds.py DIR"""
import os
import struct
import sys

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)


def text(b):
    return struct.pack("<Q", len(b)) + b


def array(key, code, fmt, values):
    data = bytes(values) if fmt == "B" else struct.pack("<%d%s" % (len(values), fmt), *values)
    return text(key.encode()) + struct.pack("<IIQ", 9, code, len(values)) + data


def gguf(words, frequencies, chars=(0x660e,), fold=((ord("K"),), (ord("k"),)), emit=None, language=True, step=None):
    keys = [text(b"general.architecture") + struct.pack("<I", 8) + text(b"segmenter")]
    if language:
        keys.append(text(b"segmenter.language") + struct.pack("<I", 8) + text(b"zh"))
    keys += [array("segmenter.words", 0, "B", words.encode() if isinstance(words, str) else words),
             array("segmenter.frequencies", 4, "I", frequencies),
             array("segmenter.hmm.start", 6, "f", [-0.3, -30, -30, -1.4]),
             array("segmenter.hmm.step", 6, "f", step or [-30, -3, -0.1, -30, -30, -1, -0.5, -30,
                                                          -0.7, -30, -30, -0.7, -0.7, -30, -30, -0.7]),
             array("segmenter.hmm.chars", 4, "I", chars),
             array("segmenter.hmm.emit", 6, "f", emit or [-2, -3, -2.5, -4] * len(chars))]
    if fold:
        keys += [array("segmenter.fold.from", 4, "I", fold[0]), array("segmenter.fold.to", 4, "I", fold[1])]
    out = b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)) + b"".join(keys)
    return out + bytes(-len(out) % 32)


WORDS = "t恤\n中国\n中国人\n人民\n卡拉ok\n国人\n在\n大学\n的"
files = {
    "good": gguf(WORDS, [20, 50, 40, 30, 10, 5, 1000, 60, 900]),
    "one_word": gguf("的", [1]),
    "astral": gguf("\U00020000\n\U00020000\U00020001", [1, 2], chars=(0x20000, 0x10fffd)),
    "no_fold": gguf(WORDS, [1] * 9, fold=None),
    "fold_chain": gguf(WORDS, [1] * 9, fold=((0x4e00, 0x4e8c), (0x4e8c, 0x4e00))),
    "large_frequencies": gguf(WORDS, [0xffffffff] * 9),
    "deep": gguf("中" * 64, [1]),
    "too_deep": gguf("中" * 65, [1]),
    "unsorted": gguf("国\n中", [1, 1]),
    "empty_word": gguf("中\n\n国", [1, 1, 1]),
    "bad_utf8": gguf(b"\xe4\xb8\xad\n\xe5\x9b", [1, 1]),
    "zero_frequency": gguf("中", [0]),
    "few_frequencies": gguf(WORDS, [1] * 8),
    "many_frequencies": gguf(WORDS, [1] * 10),
    "no_language": gguf(WORDS, [1] * 9, language=False),
    "surrogate": gguf(WORDS, [1] * 9, chars=(0xd800,)),
    "nan": gguf(WORDS, [1] * 9, emit=[float("nan"), -1, -1, -1]),
    "far": gguf(WORDS, [1] * 9, emit=[-3e38, -1e30, -0.0, -1]),
    "no_chars": gguf(WORDS, [1] * 9, chars=(), emit=[0.0][:0] or None),
}
texts = {
    "mixed": "王小明在中国人民的大学，ABC 卡拉OKs 3.14 ○ 二○ don't 12,5％ ＡＢＣ".encode(),
    "kana": "ひらがなとカタカナ、東京タワー".encode(),
    "scripts": "हिन्दी العربية 한국어 ПРИВЕТ ÀÉÎ Ⱥb ς İstanbul 👩‍👩‍👧".encode(),
    "spaces": " \t\n\v\f\r\x85\xa0\u1680\u2000\u2028\u2029\u202f\u205f\u3000a".encode(),
    "apostrophes": "' '' a' 'b a'b a''b rock'n'roll it’s 1.2.3 1..2 .5 5.".encode(),
    "astral": "\U00020000\U0002a6d6\U00010400\U0001d400\U0010fffd".encode(),
    "long": ("在ab" * 700 + "中国人" * 1500).encode(),
    "cut": "中国".encode()[:-1],
    "overlong": b"\xc0\x80\xe0\x80\x80\xf5\x80\x80\x80",
    "surrogate": b"a\xed\xa0\x80b",
    "zeros": b"a\0b\0\0",
    "empty": b"",
}
for name, data in files.items():
    with open(os.path.join(folder, "file_" + name), "wb") as f:
        f.write(b"\0" + data)
for name, data in texts.items():
    with open(os.path.join(folder, "text_" + name), "wb") as f:
        f.write(b"\1" + data)
