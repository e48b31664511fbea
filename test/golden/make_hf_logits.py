#!/usr/bin/env python3
"""What transformers says to the folders of test/fixtures/make_hf.py.

    make_hf_logits.py FOLDERS > test/golden/hf/logits.txt

For each folder and text a line: folder, text (as JSON), ids (tokenizers for tokenizer.json,
sentencepiece for tokenizer.model), and the log-probabilities of tokens 0-39 after the text.
Made with transformers 5.23.0, torch 2.13.0, in f32 with eager attention.
"""
import json
import os
import sys

import torch
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

TEXTS = ["hello world the 12 thing", "abc bc the in  the ab\u00e9 the hello", "a"]
BOS = {"mistral": 1, "phi3": 1, "gemma2": 2, "gemma3": 2}

for name in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], name)
    if not os.path.isdir(path):
        continue
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
    spm = os.path.join(path, "tokenizer.model")
    tok = SentencePieceProcessor(model_file=spm) if os.path.exists(spm) else Tokenizer.from_file(os.path.join(path, "tokenizer.json"))
    for text in TEXTS:
        ids = [BOS[name]] + tok.encode(text) if os.path.exists(spm) else tok.encode(text).ids
        with torch.no_grad():
            p = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1].double(), -1)
        print(name, json.dumps(text, ensure_ascii=True), ",".join(map(str, ids)), " ".join(f"{v:.5f}" for v in p[:40].tolist()), sep="\t")
