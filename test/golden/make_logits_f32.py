"""Float reference for the rows of smollm2_logits.txt: the same file's weights
unpacked to f32 and run by transformers (torch CPU, one thread, f32 throughout).
Made with torch 2.13.0, transformers 5.23, accelerate (needed to read GGUF).

usage: make_logits_f32.py DIR_OF_MODEL smollm2_logits.txt > smollm2_logits_f32.txt
"""
import sys
import torch
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(
    sys.argv[1], gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf", dtype=torch.float32)
for line in open(sys.argv[2]):
    words = line.split()
    if words[0] == "text":
        logits = model(torch.tensor([[int(w) for w in words[2:]]])).logits[0].detach()
        print(line.strip())
    elif words[0] == "row":
        pos, pairs = int(words[1]), [w.split(":")[0] for w in words[2:]]
        print("row", pos, *(f"{i}:{logits[pos][int(i)]:.4f}" for i in pairs))
