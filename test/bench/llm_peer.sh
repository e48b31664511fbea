#!/usr/bin/env bash
# llm_peer.sh MODEL PEER_BIN --- the engine beside llama.cpp, same files, same threads, one run.
#
# Files: MODEL (SmolLM2 Q4_1), the same requantised to Q4_0 and Q8_0 by llama-quantize, and a
# random llama of width 1,024 as Q4_K_M, Q5_K_M and Q6_K. Each on the instruction set the
# machine has, and, where that is AVX-512, on AVX2 too beside a peer built without AVX-512.
# Ours and the peer alternate; a figure is the best of three, the ratio is what counts.
# LLM_THREADS (default "1 2"), LLM_FILES (names to run, default all).
. "$(dirname "$0")/../../tools/lib.sh"
model=${1:?usage: llm_peer.sh MODEL PEER_BIN} peer=${2:?usage: llm_peer.sh MODEL PEER_BIN}
nlp_var_init
files=$NLP_VAR/bench-files
mkdir -p "$files"
bin=$NLP_BUILD/bench/llm_bench

isas=avx2
peer_avx2=$peer
if grep -q -w avx512_vnni /proc/cpuinfo; then
	isas="avx2 avx512"
	peer_avx2=${NLP_PEER_AVX2:-$NLP_VAR/peer-avx2}/bin
	[ -x "$peer_avx2/llama-bench" ] || PEER_CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON" \
		"$NLP_TOP/test/bench/build_peer.sh" "$(dirname "$peer_avx2")"
fi

quantised() # FROM TO TYPE
{
	[ -s "$2" ] || "$peer/llama-quantize" --allow-requantize "$1" "$2" "$3" 2 >/dev/null 2>&1
}
quantised "$model" "$files/smollm2-Q4_0.gguf" Q4_0
quantised "$model" "$files/smollm2-Q8_0.gguf" Q8_0
if [ ! -s "$files/random-Q6_K.gguf" ]; then
	"$NLP_BUILD/tools/random_llama" "$model" "$files/random-f16.gguf"
	for t in Q4_K_M Q5_K_M Q6_K; do quantised "$files/random-f16.gguf" "$files/random-$t.gguf" $t; done
	rm -f "$files/random-f16.gguf"
fi

peer_bench() { "$1/llama-bench" -m "$2" -t "$3" -r 3 -o csv "${@:4}" 2>/dev/null | python3 -c 'import csv, sys
print(max(float(x) for r in csv.DictReader(sys.stdin) for x in [r["avg_ts"]]))' || echo 0; }
peer_batch() { "$1/llama-batched-bench" -m "$2" -t "$3" -tb "$3" -c 4096 -b 2048 -npp 16 -ntg 64 -npl 32 2>/dev/null |
	awk -F'|' '$4 + 0 == 32 { print $9 + 0 }'; }
ours() { "$bin" "$@" | awk '/tokens\/s/ { print $3 }'; }
row() { awk -v w="$1" -v a="$2" -v b="${3:-0}" 'BEGIN { printf "%-48s ours %8.1f tokens/s   peer %8.1f   ratio %s\n", w, a, b, (b > 0 ? sprintf("%.2f", a / b) : "-") }'; }

for file in "$model" "$files"/smollm2-Q4_0.gguf "$files"/smollm2-Q8_0.gguf "$files"/random-{Q4_K_M,Q5_K_M,Q6_K}.gguf; do
	name=$(basename "$file" .gguf)
	[ -z "${LLM_FILES:-}" ] || [[ " $LLM_FILES " == *" $name "* ]] || continue
	for isa in $isas; do
		p=$peer
		[ $isa = avx512 ] || p=$peer_avx2
		for t in ${LLM_THREADS:-1 2}; do
			what="$name, $isa, $t thread(s)"
			row "$what: decode" "$(ours "$file" --isa $isa --threads "$t" --prompt 0 --batch 0)" "$(peer_bench "$p" "$file" "$t" -p 0 -n 128)"
			row "$what: prefill 512" "$(ours "$file" --isa $isa --threads "$t" --decode 0 --batch 0)" "$(peer_bench "$p" "$file" "$t" -p 512 -n 0)"
			row "$what: 32 sequences" "$(ours "$file" --isa $isa --threads "$t" --prompt 0 --decode 0 --batch 32)" "$(peer_batch "$p" "$file" "$t")"
		done
	done
done
