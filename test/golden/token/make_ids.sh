#!/bin/sh
# Write ids.txt: what llama.cpp makes of lines.bin, for every vocabulary and pre-tokenizer.
# usage: make_ids.sh PEER_IDS VOCAB_DIR SMOLLM2.gguf > ids.txt      (PEER_IDS: built from peer_ids.cpp)
set -eu
here=$(dirname "$0")
peer=$1 vocabs=$2 smollm2=$3
names=$(sed -n 's/^\t{"\([^"]*\)", PRE_.*T_BYTE_LEVEL.*/\1/p' "$here/../../../src/engine/token/prefamily.c")

set --
for v in aquila baichuan command-r deepseek-coder deepseek-llm falcon gemma-4 gpt-2 gpt-neox llama-bpe llama-spm mpt phi-3 \
	qwen2 qwen35 refact starcoder; do
	set -- "$@" "$vocabs/ggml-vocab-$v.gguf"
done
"$peer" "$here/lines.bin" 1 "$@" "$smollm2"

set --
for n in $names; do
	set -- "$@" "$vocabs/ggml-vocab-gpt-2.gguf,$n"
done
for n in granite-embed-multi-311m sarvam-moe; do
	set -- "$@" "$vocabs/ggml-vocab-gemma-4.gguf,$n,gpt2"
done
"$peer" "$here/lines.bin" 10 "$@"
