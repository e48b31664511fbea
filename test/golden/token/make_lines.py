#!/usr/bin/env python3
"""Write lines.bin: 1,000 texts for comparing tokenizers, each ended by a NUL byte.

usage: make_lines.py SHAKESPEARE POEMS > lines.bin
  SHAKESPEARE  plain text (Tiny Shakespeare; public domain)
  POEMS        tab-separated, poems with lines joined by | (Tang poems; public domain)
Both may be .gz. Everything else is generated; the seed fixes it all.
"""
import gzip
import random
import sys

rnd = random.Random(20240715)


def read(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as f:
        return f.read()


shakespeare = read(sys.argv[1]).split("\n")
poems = [row.split("\t") for row in read(sys.argv[2]).split("\n")[1:] if row]

SCRIPTS = [(0x20, 0x7E), (0xA0, 0x17F), (0x300, 0x36F), (0x370, 0x52F), (0x5D0, 0x5EA), (0x600, 0x6FF),
           (0x900, 0x97F), (0x980, 0x9FF), (0xC00, 0xC7F), (0xE00, 0xE7F), (0x1000, 0x109F), (0x10A0, 0x10FF),
           (0x1100, 0x11FF), (0x1780, 0x17FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x20CF),
           (0x2100, 0x23FF), (0x2460, 0x27BF), (0x2C00, 0x2DFF), (0x2E80, 0x303F), (0x3040, 0x31FF),
           (0x3200, 0x4DBF), (0x4E00, 0x9FFF), (0xA640, 0xA7FF), (0xAC00, 0xD7FF), (0xE000, 0xE0FF),
           (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFFFD), (0x10000, 0x107FF), (0x10C80, 0x10CFF),
           (0x118A0, 0x118DF), (0x1D400, 0x1D7FF), (0x1E900, 0x1E95F), (0x1F300, 0x1FAFF), (0x20000, 0x2EE5D),
           (0x2F800, 0x2FA1F), (0x30000, 0x3134F), (0xE0000, 0xE007F), (0xF0000, 0xF00FF)]
SPACES = [" ", " ", " ", "\t", "\n", "\n", "\r\n", "\r", "\v", "\f", "\x85", "\xa0", "\u1680", "\u2003", "\u2028",
          "\u2029", "\u202f", "\u205f", "\u3000", "\u180e", "\u200b", "\ufeff"]
EMOJI = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "❤️", "🇨🇳", "🇺🇸", "1️⃣", "🫠", "🤦🏿‍♀️", "™", "☃", "𝒳", "🀄"]
MARKERS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>", "</s>", "<unk>", "<pad>", "<|eot_id|>", "<|begin_of_text|>",
           "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<bos>", "<eos>", "<turn|>", "<|turn>", "<mask>", "[MASK]",
           "<fim_prefix>", "<fim_suffix>", "<repo_name>", "<0x0A>", "[PAD151650]", "[PAD50277]", "<|placeholder1|>",
           "<｜begin▁of▁sentence｜>", "<｜fim▁hole｜>", "<|START_OF_TURN_TOKEN|>", "<|tool_call>", "<reponame>", ">>TITLE<<",
           "<sentinel:12>", "IMGIMGABCDZ", "IMGIMGAAAAAZ", "▁", "▁▁the", "Ġ", "Ċ", "[UNK_BYTE_0xe29681▁]"]
WORDS = ("the of and PostgreSQL don't I'LL WE'VE it's They'd cafe\u0301 naïve Ünïcödé HTTPServer parseJSON iPhone XMLHttpRequest "
         "ÀÉÎ ÀbC straße İstanbul ǅungla ﬁne résumé's Ωmega ΑΒΓδ Привет МИР мир'S שלום مرحبا नमस्ते ไทย ខ្មែរ မြန်မာ 한국어 日本語 ひらがな カタカナ ｶﾀｶﾅ "
         "中文 ，。！ ㄅㄆㄇ x² ½ Ⅷ ٣٤٥ １２３ 𝟘𝟙 ²³ o'clock 'tis rock'n'roll y'all'd've").split()
CODE = ["def {f}({a}, {b}=None):\n    return {a} + {n}\n", "for (int {a} = 0; {a} < {n}; {a}++) {{\n\t\t{f}({a});\n\t}}\n",
        "SELECT {a}, count(*) FROM {f} WHERE {b} >= {n}.{n} GROUP BY 1;", "if ({a} != {b} && !{f}) {{ return -{n}; }} // TODO: {a}",
        "#include <{a}.h>\n#define {f}({b}) (({b}) << {n})\n", "{{\"{a}\": [{n}, {n}, null], \"{b}\": {{\"{f}\": true}}}}",
        "<div class=\"{a}\">\n      <p>{f}&nbsp;{n}</p>\n</div>", "x = {a}[{n}:{b}]  # {f}\n\n\n        y = lambda: {n}e-{n}",
        "https://{a}.example.org/{b}/{f}?id={n}&q=%20#{a}", "{a}::{b}<{f}>*  {a}->{b}[0x{n}ff] |= ~{n}u;",
        "\t\t\t{a}\t{b}\n\t{f}\t{n}", "C:\\{a}\\{b}\\{f}_{n}.txt /usr/{a}/{b}.{f}", "$ {f} --{a}={n} -{b} | grep '^{n}' > /dev/null 2>&1"]
NAMES = "foo bar i j idx self ctx node_count HTTPClient getValue _tmp __init__ x1 camelCase UPPER_SNAKE printf malloc".split()


def english():
    i = rnd.randrange(len(shakespeare) - 5)
    return "\n".join(shakespeare[i:i + rnd.randint(1, 4)])


def chinese():
    row = rnd.choice(poems)
    text = row[-1].replace("|", rnd.choice(["\n", "", "，", " "]))
    return rnd.choice(row[:-1]) + rnd.choice(["：", "\n", " - "]) + text[:rnd.randint(5, 160)]


def code():
    out = ""
    for _ in range(rnd.randint(1, 3)):
        out += rnd.choice(CODE).format(f=rnd.choice(NAMES), a=rnd.choice(NAMES), b=rnd.choice(NAMES),
                                       n=rnd.choice([0, 1, 7, 42, 100, 2024, 65535, 3141592653]))
    return out


def odd():
    out = []
    for _ in range(rnd.randint(1, 6)):
        a, b = rnd.choice(SCRIPTS)
        for _ in range(rnd.randint(1, 12)):
            c = rnd.randint(a, b)
            if not 0xD800 <= c < 0xE000:
                out.append(chr(c))
        if rnd.random() < 0.4:
            out.append(rnd.choice(SPACES))
    return "".join(out)


def anything():
    return "".join(chr(c) for c in (rnd.choice([rnd.randint(1, 0x7F), rnd.randint(1, 0x2FFF), rnd.randint(1, 0x10FFFF)])
                                    for _ in range(rnd.randint(1, 40))) if not 0xD800 <= c < 0xE000)


def spaces():
    out = []
    for _ in range(rnd.randint(1, 8)):
        if rnd.random() < 0.6:
            out.append(rnd.choice([" ", "\n", "\t", "\r\n", "\u3000"]) * rnd.choice([1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 70]))
        else:
            out.append("".join(rnd.choice(SPACES) for _ in range(rnd.randint(1, 6))))
        out.append(rnd.choice(["", "", "a", "if", "}", "'s", "9", "é", "中", ".", "//", "\u0301", "\x01"]))
    return "".join(out)


def digits():
    out = []
    for _ in range(rnd.randint(1, 10)):
        out.append(rnd.choice(["", " ", "-", "$", "#", "v", "x", ".", "٣", "①", "²", "\u0301", ","]))
        out.append("".join(rnd.choice("0123456789") for _ in range(rnd.randint(1, 14))))
        out.append(rnd.choice(["", " ", ",", ".", "%", "th", "e+", ":", "/", "\n", "Ⅳ", "９９"]))
    return "".join(out)


def words():
    out = []
    for _ in range(rnd.randint(1, 18)):
        w = rnd.choice(WORDS)
        out.append(rnd.choice([w, w, w.upper(), w.lower(), w.title()]))
        out.append(rnd.choice([" ", " ", " ", "", "  ", "\n", ", ", "... ", "!?", " (", ") ", "'", "\"", "/", "\n/\n", "-", "\u0301", "\u200d"]))
    return "".join(out)


def punctuation():
    chars = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + "。，！？、：；“”‘’…—《》（）।۔،؟¿¡«»§¶†‡•€£¥©®±×÷≠≤∞→" + "\r\n /ab1"
    return "".join(rnd.choice(chars) for _ in range(rnd.randint(1, 40)))


def markers():
    out = []
    for _ in range(rnd.randint(1, 6)):
        out.append(rnd.choice(MARKERS))
        out.append(rnd.choice(["", "", " ", "\n", "  x ", "user\n", "Hello", " \t\n ", "你好", "s>", "<|"]))
    return "".join(out)


def emoji():
    return "".join(rnd.choice(EMOJI) * rnd.randint(1, 3) + rnd.choice(["", " ", "a", "。", "\n", "!"]) for _ in range(rnd.randint(1, 12)))


KINDS = [(english, 190), (chinese, 150), (code, 140), (odd, 120), (anything, 60), (spaces, 90), (digits, 70), (words, 90),
         (punctuation, 50), (markers, 60), (emoji, 30)]
texts = [kind() for kind, n in KINDS for _ in range(n)]
assert len(texts) == 1050
for i in range(100):            # mixtures, in place of others
    texts[rnd.randrange(len(texts))] = "".join(rnd.choice(KINDS)[0]() for _ in range(3))
rnd.shuffle(texts)
texts = [t.replace("\0", "") for t in texts][:1000]
sys.stdout.buffer.write(b"".join(t.encode() + b"\0" for t in texts))
