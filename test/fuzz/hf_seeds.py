#!/usr/bin/env python3
"""Seeds for hf_fuzz: one right file of each kind, and tokenizer.json of the other families.

    hf_seeds.py        writes test/fuzz/corpus/hf/*
"""
import json
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "fixtures"))
import make_hf as hf  # noqa: E402

out = os.path.join(here, "corpus", "hf")
os.makedirs(out, exist_ok=True)
KINDS = ["config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "model.safetensors", "generation_config.json"]


def seed(name, kind, content, output=0):
    data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    with open(os.path.join(out, name), "wb") as f:
        f.write(bytes([KINDS.index(kind) + 6 * output]) + data)


config = {"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
          "intermediate_size": 8, "max_position_embeddings": 16, "tie_word_embeddings": True}
seed("config", "config.json", config)
seed("config_rope", "config.json", {**config, "rope_theta": 1e4, "rope_scaling": {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8}})
seed("config_linear", "config.json", {**config, "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}}, 1)
for t in ("mistral", "qwen2", "qwen3", "phi3", "gemma2", "gemma3_text", "gpt2"):
    seed("config_" + t, "config.json", {**config, "model_type": t, "sliding_window": 4, "head_dim": 4})

model = {"type": "BPE", "byte_fallback": False, "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3}, "merges": [["a", "b"]]}
tok = {"added_tokens": [hf.added(4, "<s>")], "normalizer": None, "pre_tokenizer": hf.BYTE_LEVEL, "post_processor": hf.template_bos("<s>", 4), "model": model}
seed("tokenizer", "tokenizer.json", tok)
seed("tokenizer_strings", "tokenizer.json", {**tok, "model": {**model, "merges": ["a b"]}})
seed("tokenizer_llama3", "tokenizer.json", {**tok, "pre_tokenizer": hf.split(hf.LLAMA3), "model": {**model, "ignore_merges": True}})
seed("tokenizer_qwen2", "tokenizer.json", {**tok, "pre_tokenizer": hf.split(hf.QWEN2), "normalizer": {"type": "NFC"}})
pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), ("<0x0A>", 0.0, 6), ("ab", 0.0, 1), ("a", -1.0, 1), ("b", -2.0, 1), (hf.SPACE, -3.0, 1)]
seed("tokenizer_spm", "tokenizer.json", hf.spm_json(pieces))
seed("model", "tokenizer.model", hf.spm_model(pieces))
seed("model_no_prefix", "tokenizer.model", hf.spm_model(pieces, False))
seed("tokenizer_config", "tokenizer_config.json", {"bos_token": "<s>", "eos_token": {"content": "c"}, "add_bos_token": True, "add_eos_token": False,
                                                    "chat_template": [{"name": "default", "template": "x"}],
                                                    "added_tokens_decoder": {"5": hf.added(5, "<x" + hf.SPACE + ">", False)}})
seed("generation", "generation_config.json", {"eos_token_id": [2, 4]})
tensors = hf.decoder(8, 8, 1, 2, 1, 4, 8, head=False)
for i, dtype in enumerate(("F32", "F16", "BF16")):
    seed("weights_" + dtype.lower(), "model.safetensors", hf.safetensors(tensors, dtype), i)
