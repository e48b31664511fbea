#!/usr/bin/env python3
"""Make dtype.bin: what the gguf Python package gives for quantising and unpacking.

    make_dtype.py [--ggml libggml-base.so] [--check-rounds N]

Made with gguf 0.19.0 and NumPy 2.4.6, seed 20240611. With --ggml every record is also computed by
ggml's own C functions and must be equal; --check-rounds then compares more random blocks
that are not written. The file is a row of records, little-endian:

    dtype u32 | direction u32 (0: unpack, 1: quantise) | elements u32 | src bytes u32 | dst bytes u32 | src | dst
"""
import argparse
import ctypes
import os
import struct

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGML_QUANT_SIZES, quants

UNPACK = [T.F32, T.F16, T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q4_K, T.Q5_K, T.Q6_K]
QUANTISE = [T.F32, T.F16, T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0]
# Where the f16 scales lie in a block: they get sane values, so that no product is NaN.
SCALES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}


def random_blocks(rng, t, n):
    elems, size = GGML_QUANT_SIZES[t]
    raw = rng.integers(0, 256, (n, size), dtype=np.uint8)
    for at in SCALES.get(t, []):
        s = rng.normal(0, 0.05, n).astype(np.float16)
        s[:3] = np.array([6e-8, -0.0, 1.0], np.float16)[:min(3, n)]  # a subnormal, a zero
        raw[:, at:at + 2] = s.view(np.uint8).reshape(n, 2)
    if t == T.F32:
        raw = rng.normal(0, 1, n).astype(np.float32).view(np.uint8).reshape(n, 4)
    if t in (T.F16, T.BF16):
        raw[:, 1] &= 0xbf  # no infinity or NaN
    return raw.reshape(-1)


def float_blocks(rng, n):
    x = rng.normal(0, 1, (n, 32)).astype(np.float32)
    x[0] = 0
    x[1] = 0.37
    x[2] = np.arange(-16, 16) / 16.0  # ties between codes
    x[3] = rng.integers(-127, 128, 32)
    x[4] *= np.float32(1e-6)
    x[5] *= np.float32(1e4)
    x[6] = np.arange(-16, 16) + 0.5
    x[7] = -np.abs(x[7])
    return x.reshape(-1)


def by_ggml(lib, t, direction, src, n):
    name = t.name.lower().replace("_k", "_K")
    if t in (T.F32, T.F16, T.BF16):
        return None
    fn = getattr(lib, f"dequantize_row_{name}" if direction == 0 else f"quantize_row_{name}_ref")
    elems, size = GGML_QUANT_SIZES[t]
    out = np.zeros(n * 4 if direction == 0 else n // elems * size, np.uint8)
    fn(src.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(n))
    return out


def record(lib, t, direction, src, n):
    if direction == 0:
        dst = quants.dequantize(src, t).astype(np.float32).reshape(-1).view(np.uint8)
    else:
        dst = np.ascontiguousarray(quants.quantize(src.view(np.float32), t)).reshape(-1).view(np.uint8)
    if lib:
        other = by_ggml(lib, t, direction, src, n)
        if other is not None and not np.array_equal(other, dst):
            raise SystemExit(f"{t.name}: the gguf package and ggml differ")
    return struct.pack("<5I", t, direction, n, src.nbytes, dst.nbytes) + src.tobytes() + dst.tobytes()


def records(rng, lib, small):
    for t in UNPACK:
        elems, _ = GGML_QUANT_SIZES[t]
        n = {1: 256, 32: 8, 256: 3}[elems] * (1 if small else 200)
        yield record(lib, t, 0, random_blocks(rng, t, n), n * elems)
    for t in QUANTISE:
        n = 12 if small else 2000
        yield record(lib, t, 1, float_blocks(rng, n).view(np.uint8), n * 32)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--ggml")
    ap.add_argument("--check-rounds", type=int, default=0)
    ap.add_argument("--big", help="also write a larger file of the same kind here")
    args = ap.parse_args()
    lib = ctypes.CDLL(args.ggml) if args.ggml else None
    rng = np.random.default_rng(20240611)
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "dtype.bin"), "wb") as f:
        for r in records(rng, lib, True):
            f.write(r)
    if args.big:
        with open(args.big, "wb") as f:
            for r in records(rng, lib, False):
                f.write(r)
    for _ in range(args.check_rounds):
        for _ in records(rng, lib, False):
            pass


main()
