#!/usr/bin/env python3
"""What llama.cpp's converter makes of the folders of test/fixtures/make_hf.py.

    make_hf_golden.py LLAMA_CPP_DIR FOLDERS OUT_DIR     OUT_DIR/NAME.tsv for each folder
    make_hf_golden.py --list FILE.gguf                  the listing of one file

Made with llama.cpp as in llama-cpp-python 0.3.36, gguf 0.19.0, transformers 5.23.0. A listing has a
line for each key (type, value; arrays by length and hash) and each tensor (type, dims, hash of its
bytes). The converter knows byte-level pre-tokenizers by a hash over ids, which no made-up vocabulary
has: their names are given to it here.
"""
import os
import subprocess
import runpy, sys
import tempfile

import numpy as np

MASK = 2**64 - 1
PRE = {"llama": "llama-bpe", "gpt2": "gpt-2", "qwen2": "qwen2", "qwen3": "qwen2"}

RUNNER = """
import runpy, sys
sys.path.insert(0, sys.argv[1]); sys.path.insert(0, sys.argv[1] + "/gguf-py")
import conversion.base as base
pre, script = sys.argv[2], sys.argv[1] + "/convert_hf_to_gguf.py"
base.TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
sys.argv = ["convert_hf_to_gguf.py"] + sys.argv[3:]
runpy.run_path(script, run_name="__main__")
"""


def fnv(data):
    h = 0xcbf29ce484222325
    for b in data:
        h = ((h ^ b) * 0x100000001b3) & MASK
    h ^= h >> 32
    h = (h * 0x9e3779b97f4a7c15) & MASK
    return h ^ (h >> 29)


def listing(path):
    from gguf import GGUFReader, GGUFValueType
    r = GGUFReader(path)
    for f in r.fields.values():
        if f.name.startswith("GGUF."):
            continue
        t = f.types[-1]
        if f.types[0] == GGUFValueType.ARRAY:
            data = b"".join(bytes(f.parts[i - 1]) + bytes(f.parts[i]) if t == GGUFValueType.STRING else bytes(f.parts[i]) for i in f.data)
            yield f"{f.name}\t{t.name}[{len(f.data)}]\t{fnv(data):016x}"
        elif t == GGUFValueType.STRING:
            yield f"{f.name}\tSTRING\t{bytes(f.parts[-1]).decode()!r}" if len(f.parts[-1]) < 40 else f"{f.name}\tSTRING\t{fnv(bytes(f.parts[-1])):016x}"
        else:
            yield f"{f.name}\t{t.name}\t{f.parts[-1][0]:.9g}"
    for t in r.tensors:
        yield f"{t.name}\t{t.tensor_type.name}\t{[int(d) for d in t.shape]}\t{fnv(np.ascontiguousarray(t.data).view(np.uint8).tobytes()):016x}"


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--list":
        print("\n".join(listing(sys.argv[2])))
        return
    llama, folders, out = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    for name in sorted(os.listdir(folders)):
        if not os.path.isdir(os.path.join(folders, name)):
            continue
        with tempfile.TemporaryDirectory() as tmp:
            gguf = os.path.join(tmp, "out.gguf")
            run = subprocess.run([sys.executable, "-c", RUNNER, llama, PRE.get(name, "default"), os.path.join(folders, name), "--outfile", gguf,
                            "--outtype", {"gpt2": "f32", "llama_spm": "f32", "qwen3": "f32", "gemma2": "f32", "mistral": "f16"}.get(name, "bf16")],
                           capture_output=True, text=True)
            if run.returncode != 0:
                print(name, "failed:", run.stderr[-1500:])
                continue
            with open(os.path.join(out, name + ".tsv"), "w") as f:
                f.write("\n".join(listing(gguf)) + "\n")


main()
