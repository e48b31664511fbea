"""Golden logits and greedy tokens of every decoder architecture from transformers.

Small random models: each weight is a formula of its GGUF name and index (Philox, as
core/philox.h), so nothing but the answers needs keeping. test/unit/arch_test.c makes
the same weights, writes them as GGUF in memory and compares. Here they are turned
into the layout transformers wants: llama's rotary pairs are un-permuted, gpt2's
matrices transposed, gemma's norms lessened by one.

usage: make_archs.py > test/golden/archs.txt      (torch 2.13.0, transformers 5.23.0, f32, eager)
"""
import numpy as np
import torch
import transformers as T

torch.set_num_threads(1)
V, CTX, STEPS = 128, 128, 12
IDS = [(i * 37 + 3) % V for i in range(40)]


def fnv(name):
    """core/hash.h nlp_hash_bytes."""
    m = (1 << 64) - 1
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = ((h ^ b) * 0x100000001B3) & m
    h ^= h >> 32
    h = (h * 0x9E3779B97F4A7C15) & m
    return h ^ (h >> 29)


def uniform(name, n):
    """n values in [-1, 1): Philox 4x32-10, key = hash of the name, counter = index."""
    key = fnv(name)
    c = [np.arange(n, dtype=np.uint64), np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(n, np.uint64)]
    k0, k1 = np.uint64(key & 0xFFFFFFFF), np.uint64(key >> 32)
    low, s = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> s) ^ c[1] ^ k0, p1 & low, (p0 >> s) ^ c[3] ^ k1, p0 & low]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return ((c[0] >> np.uint64(8)).astype(np.float64) * 2.0 ** -24 * 2 - 1).astype(np.float32)


def weight(name, rows, cols):
    u = uniform(name, rows * cols)
    if name.endswith(".bias"):
        u = u * np.float32(0.1)
    elif "norm" in name:
        u = np.float32(1) + u * np.float32(0.2)
    elif "rope_f" in name:
        u = np.float32(2) + u
    else:
        u = u * np.float32(1.5 / np.sqrt(cols))
    u = u.astype(np.float32)
    return torch.tensor(u.reshape(rows, cols) if rows > 1 else u)


def unpermute(w, heads):
    """GGUF's interleaved rotary pairs back to halves: row 2j+k of a head becomes k*d/2+j."""
    d = w.shape[0] // heads
    return w.reshape(heads, d // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)


D, L, H, G, F = 64, 4, 4, 2, 96
BASE = dict(vocab_size=V, hidden_size=D, num_hidden_layers=L, num_attention_heads=H, num_key_value_heads=G,
            intermediate_size=F, max_position_embeddings=CTX, tie_word_embeddings=False,
            bos_token_id=0, eos_token_id=1, pad_token_id=None, attn_implementation="eager")


def decoder_state(d=16, layers=L, qkv_bias=False, qk_norm=False, llama=False, fused=False, post=False,
                  less_one=False, tied=False):
    """State dict of the Llama family under transformers' names."""
    one = 1 if less_one else 0
    s = {"model.embed_tokens.weight": weight("token_embd.weight", V, D),
         "model.norm.weight": weight("output_norm.weight", 1, D) - one,
         "lm_head.weight": weight("token_embd.weight" if tied else "output.weight", V, D)}
    for l in range(layers):
        b, p = f"blk.{l}.", f"model.layers.{l}."
        q, k, v = (weight(b + n, r * d, D) for n, r in (("attn_q.weight", H), ("attn_k.weight", G), ("attn_v.weight", G)))
        if llama:
            q, k = unpermute(q, H), unpermute(k, G)
        if fused:
            s[p + "self_attn.qkv_proj.weight"] = weight(b + "attn_qkv.weight", (H + 2 * G) * d, D)
            s[p + "mlp.gate_up_proj.weight"] = weight(b + "ffn_up.weight", 2 * F, D)
        else:
            s[p + "self_attn.q_proj.weight"], s[p + "self_attn.k_proj.weight"], s[p + "self_attn.v_proj.weight"] = q, k, v
            s[p + "mlp.gate_proj.weight"] = weight(b + "ffn_gate.weight", F, D)
            s[p + "mlp.up_proj.weight"] = weight(b + "ffn_up.weight", F, D)
        s[p + "self_attn.o_proj.weight"] = weight(b + "attn_output.weight", D, H * d)
        s[p + "mlp.down_proj.weight"] = weight(b + "ffn_down.weight", D, F)
        s[p + "input_layernorm.weight"] = weight(b + "attn_norm.weight", 1, D) - one
        ffn_norm = weight(b + "ffn_norm.weight", 1, D) - one
        if post:
            s[p + "pre_feedforward_layernorm.weight"] = ffn_norm
            s[p + "post_attention_layernorm.weight"] = weight(b + "post_attention_norm.weight", 1, D) - one
            s[p + "post_feedforward_layernorm.weight"] = weight(b + "post_ffw_norm.weight", 1, D) - one
        else:
            s[p + "post_attention_layernorm.weight"] = ffn_norm
        if qkv_bias:
            for n, r in (("q", H), ("k", G), ("v", G)):
                s[p + f"self_attn.{n}_proj.bias"] = weight(b + f"attn_{n}.bias", 1, r * d)
        if qk_norm:
            for n in "qk":
                s[p + f"self_attn.{n}_norm.weight"] = weight(b + f"attn_{n}_norm.weight", 1, d) - one
    return s


def gpt2_state():
    s = {"transformer.wte.weight": weight("token_embd.weight", V, D),
         "transformer.wpe.weight": weight("position_embd.weight", CTX, D),
         "transformer.ln_f.weight": weight("output_norm.weight", 1, D),
         "transformer.ln_f.bias": weight("output_norm.bias", 1, D),
         "lm_head.weight": weight("token_embd.weight", V, D)}
    for l in range(L):
        b, p = f"blk.{l}.", f"transformer.h.{l}."
        for n, m in (("ln_1", "attn_norm"), ("ln_2", "ffn_norm")):
            s[p + n + ".weight"], s[p + n + ".bias"] = weight(b + m + ".weight", 1, D), weight(b + m + ".bias", 1, D)
        for n, m, r, c in (("attn.c_attn", "attn_qkv", 3 * D, D), ("attn.c_proj", "attn_output", D, D),
                           ("mlp.c_fc", "ffn_up", F, D), ("mlp.c_proj", "ffn_down", D, F)):
            s[p + n + ".weight"] = weight(b + m + ".weight", r, c).T.contiguous()
            s[p + n + ".bias"] = weight(b + m + ".bias", 1, r)
    return s


def rope(theta, **more):
    return dict(rope_type=more.pop("kind", "default"), rope_theta=theta, **more)


def models():
    yield "llama", T.LlamaForCausalLM(T.LlamaConfig(**BASE, rms_norm_eps=1e-5, rope_parameters=rope(10000.0))), decoder_state(llama=True)
    yield "mistral-window", T.MistralForCausalLM(T.MistralConfig(**BASE, head_dim=16, rms_norm_eps=1e-5, sliding_window=9,
          rope_parameters=rope(10000.0))), decoder_state(llama=True)
    yield "llama-linear", T.LlamaForCausalLM(T.LlamaConfig(**BASE, rms_norm_eps=1e-5,
          rope_parameters=rope(10000.0, kind="linear", factor=4.0))), decoder_state(llama=True)
    yield "qwen2", T.Qwen2ForCausalLM(T.Qwen2Config(**BASE, rms_norm_eps=1e-6, rope_parameters=rope(1000000.0))), decoder_state(qkv_bias=True)
    yield "qwen3", T.Qwen3ForCausalLM(T.Qwen3Config(**BASE, head_dim=24, rms_norm_eps=1e-6, rope_parameters=rope(1000000.0))), \
        decoder_state(d=24, qk_norm=True)
    yield "phi3", T.Phi3ForCausalLM(T.Phi3Config(**BASE, rms_norm_eps=1e-5, sliding_window=11, rope_parameters=rope(10000.0, partial_rotary_factor=1.0))), \
        decoder_state(fused=True)
    tied = dict(BASE, tie_word_embeddings=True)
    yield "gemma2", T.Gemma2ForCausalLM(T.Gemma2Config(**tied, head_dim=24, rms_norm_eps=1e-6, sliding_window=9, query_pre_attn_scalar=24,
          attn_logit_softcapping=50.0, final_logit_softcapping=30.0, rope_parameters=rope(10000.0))), \
        decoder_state(d=24, post=True, less_one=True, tied=True)
    yield "gemma3", T.Gemma3ForCausalLM(T.Gemma3TextConfig(**dict(tied, num_hidden_layers=7), head_dim=24, rms_norm_eps=1e-6, sliding_window=9,
          query_pre_attn_scalar=24, rope_parameters={"full_attention": rope(1000000.0, kind="linear", factor=8.0),
                                                       "sliding_attention": rope(10000.0)})), \
        decoder_state(d=24, layers=7, post=True, less_one=True, qk_norm=True, tied=True)
    yield "gpt2", T.GPT2LMHeadModel(T.GPT2Config(vocab_size=V, n_positions=CTX, n_embd=D, n_layer=L, n_head=H, n_inner=F,
          activation_function="gelu_new", layer_norm_epsilon=1e-5, attn_implementation="eager")), gpt2_state()


print(f"# made by make_archs.py: torch {torch.__version__}, transformers {T.__version__}")
for name, model, state in models():
    model = model.float().eval()
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = [m for m in missing if "rotary" not in m and "masked_bias" not in m and not m.endswith("attn.bias")]
    assert not missing and not unexpected, (name, missing, unexpected)
    ids = list(IDS)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
        print("model", name)
        for pos in (0, 7, 20, 39):
            print("row", pos, *(f"{x:.4f}" for x in logits[pos][:48].tolist()))
        tokens, gaps = [], []
        for _ in range(STEPS):
            last = model(torch.tensor([ids])).logits[0, -1]
            best = torch.topk(last, 2)
            tokens.append(int(best.indices[0]))
            gaps.append(float(best.values[0] - best.values[1]))
            ids.append(tokens[-1])
    print("greedy", *(f"{t}:{g:.5f}" for t, g in zip(tokens, gaps)))
