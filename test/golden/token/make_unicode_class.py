#!/usr/bin/env python3
"""Write src/engine/token/unicode_runs.h: the character classes of Unicode 15.1 as runs.

The pre-tokenizers need six classes. They are fixed to one Unicode version, so that ids do
not change with the utf8proc a machine happens to have. Input: libutf8proc of Unicode 15.0
(2.8.0); what 15.1 added (627 characters) stands below, from UnicodeData-15.1.0.txt.

usage: make_unicode_class.py > src/engine/token/unicode_runs.h
"""
import ctypes
import ctypes.util

lib = ctypes.CDLL(ctypes.util.find_library("utf8proc"))
lib.utf8proc_unicode_version.restype = ctypes.c_char_p
lib.utf8proc_category_string.restype = ctypes.c_char_p
assert lib.utf8proc_unicode_version() == b"15.0.0", lib.utf8proc_unicode_version()

NUMBER, LETTER, MARK, PUNCT, SYMBOL, SPACE = 1, 2, 4, 8, 16, 32
MAJOR = {"N": NUMBER, "L": LETTER, "M": MARK, "P": PUNCT, "S": SYMBOL, "Z": 0, "C": 0}
# White_Space=yes of PropList.txt
WHITE = [*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
ADDED = [(0x2FFC, 0x2FFF, SYMBOL), (0x31EF, 0x31EF, SYMBOL), (0x2EBF0, 0x2EE5D, LETTER)]

cls = [MAJOR[lib.utf8proc_category_string(c).decode()[0]] for c in range(0x110000)]
for c in WHITE:
    cls[c] = SPACE
for a, b, v in ADDED:
    for c in range(a, b + 1):
        assert cls[c] == 0
        cls[c] = v

runs = []
for c in range(0x110000):
    if runs and runs[-1][1] == cls[c]:
        runs[-1][0] += 1
    else:
        runs.append([1, cls[c]])
print("""/* unicode_runs.h --- character classes of Unicode 15.1.0, run by run from U+0000:
 * length << 6 | class. Made by test/golden/token/make_unicode_class.py; not edited. */
static const uint32_t class_runs[] = {""")
line = ""
for n, v in runs:
    item = "%d," % (n << 6 | v)
    if len(line) + len(item) > 96:
        print("\t" + line)
        line = ""
    line += item
print("\t" + line)
print("};")
