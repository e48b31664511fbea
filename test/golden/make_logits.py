"""Golden logits of SmolLM2-135M-Instruct (Q4_1) from llama.cpp.

usage: LLAMA_CPP_LIB_PATH=<dir of libllama.so> PYTHONPATH=<llama-cpp-python source> \
       make_logits.py MODEL.gguf > test/golden/smollm2_logits.txt

For each text: its token ids, then for a few positions the 8 largest logits and
16 others at fixed ids. llama.cpp of llama-cpp-python 0.3.36, CPU, one thread,
flash attention off, f16 keys and values, one batch a text. Nothing is random.
"""
import sys
import numpy as np
import llama_cpp.llama_cpp as L

TEXTS = [
    "The capital of France is Paris, and the capital of Italy is",
    "Once upon a time there was a little girl who lived in a village near the forest. "
    "Whenever she went out, the little girl wore a red riding cloak, so everyone in the village called her",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "数据库是按照数据结构来组织、存储和管理数据的仓库。",
    "<|im_start|>user\nWrite one sentence about the sea.<|im_end|>\n<|im_start|>assistant\n",
]

def main(path):
    L.llama_backend_init()
    mp = L.llama_model_default_params()
    model = L.llama_model_load_from_file(path.encode(), mp)
    vocab = L.llama_model_get_vocab(model)
    n_vocab = L.llama_vocab_n_tokens(vocab)
    cp = L.llama_context_default_params()
    cp.n_ctx, cp.n_batch, cp.n_ubatch = 512, 512, 512
    cp.n_threads = cp.n_threads_batch = 1
    cp.flash_attn_type = 0
    ctx = L.llama_init_from_model(model, cp)
    print(f"# made by make_logits.py with llama.cpp; texts {len(TEXTS)}")
    for text in TEXTS:
        raw = text.encode()
        buf = (L.llama_token * 512)()
        n = L.llama_tokenize(vocab, raw, len(raw), buf, 512, False, True)
        ids = list(buf[:n])
        print("text", n, *ids)
        L.llama_memory_clear(L.llama_get_memory(ctx), True)
        batch = L.llama_batch_init(512, 0, 1)
        batch.n_tokens = n
        for i, t in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = t, i, 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1
        assert L.llama_decode(ctx, batch) == 0
        for pos in sorted({0, n // 3, n // 2, n - 1}):
            row = np.ctypeslib.as_array(L.llama_get_logits_ith(ctx, pos), (n_vocab,)).copy()
            top = np.argsort(-row, kind="stable")[:8]
            some = [(k * 2654435761 + pos) % n_vocab for k in range(1, 17)]
            print("row", pos, *(f"{i}:{row[i]:.4f}" for i in list(top) + some))
        L.llama_batch_free(batch)

main(sys.argv[1])
