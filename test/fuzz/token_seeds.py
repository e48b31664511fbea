#!/usr/bin/env python3
"""Write the first corpus of token_fuzz.c. usage: token_seeds.py LINES.bin DIR"""
import os
import struct
import sys

lines, folder = sys.argv[1], sys.argv[2]
os.makedirs(folder, exist_ok=True)

U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def text(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    if kind == STRING:
        return text(v)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], v)


def gguf(keys):
    out = b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys))
    for key, kind, v in keys:
        out += text("tokenizer.ggml." + key if not key.startswith("general") else key)
        if isinstance(v, list):
            out += struct.pack("<IIQ", ARRAY, kind, len(v)) + b"".join(value(kind, x) for x in v)
        else:
            out += struct.pack("<I", kind) + value(kind, v)
    return out + bytes(-len(out) % 32)


BPE = ["h", "e", "l", "o", "Ġ", "Ċ", "1", "he", "ll", "hell", "hello", "Ġhe", "<|im_end|>", "<|u|>", "<s>"]
MERGES = ["h e", "l l", "he ll", "hell o", "Ġ he"]
TYPES = [1] * 12 + [3, 4, 3]
SPM = ["<unk>", "<s>", "</s>", "▁", "h", "e", "he", "▁he", "<0x0A>", "\n\n"]


def bpe(pre, *more):
    return gguf([("model", STRING, "gpt2"), ("pre", STRING, pre), ("tokens", STRING, BPE), ("token_type", I32, TYPES),
                 ("merges", STRING, MERGES), ("bos_token_id", U32, 14), ("eos_token_id", U32, 12), *more])


def spm(model, *more):
    return gguf([("model", STRING, model), ("tokens", STRING, SPM), ("scores", F32, [0.0, 0, 0, -1, -2, -3, -1.5, -0.5, 0, -4]),
                 ("token_type", I32, [2, 3, 3, 1, 1, 1, 1, 1, 6, 1]), ("unknown_token_id", U32, 0), *more])


seeds = {
    "gguf-gpt2": bpe("gpt-2"),
    "gguf-llama3": bpe("llama-bpe", ("add_eos_token", BOOL, True)),
    "gguf-gpt4o": bpe("gpt-4o", ("scores", F32, [0.5] * len(BPE))),
    "gguf-phi": bpe("default", ("general.name", STRING, "phi-3")),
    "gguf-spm": spm("llama", ("add_space_prefix", BOOL, False)),
    "gguf-gemma4": spm("gemma4", ("merges", STRING, ["h e", "▁ he"]), ("bos_token_id", U32, 1)),
    "gguf-no-space": bpe("gpt-2").replace(b"he ll", b"he_ll"),
    "gguf-bert": bpe("gpt-2").replace(b"gpt2", b"bert"),
}
for name, data in seeds.items():
    with open(os.path.join(folder, name), "wb") as f:
        f.write(b"\0" + data + b" hello <|u|> hell")
with open(lines, "rb") as f:
    texts = f.read().split(b"\0")
for i in range(64):
    with open(os.path.join(folder, "text-%02d" % i), "wb") as f:
        f.write(bytes([1 + 2 * (i % 4), i % 32]) + texts[i * 7].decode()[:60].encode())
for i, bad in enumerate([b"\xff", b"abc\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe4\xb8"]):
    with open(os.path.join(folder, "bad-%d" % i), "wb") as f:
        f.write(bytes([1, i]) + bad)
