#!/usr/bin/env bash
# word2vec_peer.sh TEXT --- training rates beside gensim's, fastText's and word2vec.c's: one run,
# same words, same vocabulary (min_count 5), one thread, thousand words per second of CPU time.
# fastText and ours beside it train n-grams of 3 to 6 characters too.
#
# TEXT: words between spaces (text8 and the like). Rounds alternate; a figure is the median of them.
#   W2V_BYTES   first bytes of TEXT that are used (default 20,000,000; 0: all)     W2V_ROUNDS  (default 3)
#   W2V_DIM     (default 100)      W2V_PEERS  (default "gensim fasttext")
#   W2V_PYTHON  a python with gensim and fasttext (default python3)
#   WORD2VEC_C  word2vec.c's program, built by hand: measured too. It counts in clock(), its whole training.
# Then two threads against one: wall time, each thread pinned, alternating pairs (W2V_PAIRS, default 10), median of the ratios.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
text=${1:?usage: word2vec_peer.sh TEXT}
bench=${BUILD:-build}/bench/word2vec_bench
[ -x "$bench" ] || { echo "build $bench first: make -f engine.mk engine-bench" >&2; exit 1; }
python=${W2V_PYTHON:-python3} dim=${W2V_DIM:-100} rounds=${W2V_ROUNDS:-3} pairs=${W2V_PAIRS:-10}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bytes=${W2V_BYTES:-20000000}
if [ "$bytes" = 0 ]; then cat "$text"; else head -c "$bytes" "$text"; fi | tr -s ' \n' '  ' >"$tmp/flat"
tr ' ' '\n' <"$tmp/flat" | grep -v '^$' | paste -d' ' -s | xargs -n 1000 >"$tmp/lines"

isas=avx2
grep -q -w avx512_vnni /proc/cpuinfo && isas="avx2 avx512"
grep -q -w avx2 /proc/cpuinfo || isas=$("$bench" "$tmp/flat" --epochs 1 --quiet | sed -n 's/.*isa //p')
echo "instruction sets: $isas; $(wc -w <"$tmp/lines") words; dim $dim"

ours() { "$bench" "$tmp/lines" --lines --quiet --epochs 1 --sample 1e-4 --dim "$dim" "$@"; }
rate() { sed -n 's/.* s, \([0-9.]*\) k words\/CPU s.*/\1/p'; }
wall() { sed -n 's/.*CPU s, \([0-9.]*\) s, .*/\1/p'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
peer_c() { "$WORD2VEC_C" -train "$tmp/lines" -output "$tmp/vec" -size "$dim" -window "$2" -negative 5 -sample 1e-4 -threads 1 \
	-iter 1 -min-count 5 -cbow "$1" -binary 1 | tr '\r' '\n' | sed -n 's/.*thread\/sec: *\([0-9.]*\)k.*/\1/p' | tail -1; }

for objective in skip-gram cbow; do
	window=5 alpha=0.025 cbow=0
	[ $objective = skip-gram ] || window=8 alpha=0.05 cbow=1
	for ((round = 0; round < rounds; round++)); do
		for isa in $isas; do
			ours --objective $objective --isa "$isa" | rate >>"$tmp/$objective.$isa"
			ours --objective $objective --isa "$isa" --subword 3,6 | rate >>"$tmp/$objective.$isa.grams"
		done
		for p in ${W2V_PEERS:-gensim fasttext}; do
			"$python" "$here/word2vec_peer.py" "$p" $objective "$tmp/lines" "$dim" $window $alpha 2>/dev/null >>"$tmp/$objective.$p"
		done
		[ -z "${WORD2VEC_C:-}" ] || peer_c $cbow $window >>"$tmp/$objective.word2vec.c"
	done
	for isa in $isas; do
		plain=$(median <"$tmp/$objective.$isa") grams=$(median <"$tmp/$objective.$isa.grams")
		echo "$objective, ours, $isa: $plain k words/CPU s, with n-grams $grams"
		for p in ${W2V_PEERS:-gensim fasttext} ${WORD2VEC_C:+word2vec.c}; do
			them=$(median <"$tmp/$objective.$p")
			us=$plain
			[ "$p" != fasttext ] || us=$grams
			awk -v a="$us" -v b="$them" -v p="$p" 'BEGIN { printf "    %-12s %8.1f k words/CPU s   ratio %.2f\n", p, b, a / b }'
		done
	done
	for ((i = 0; i < pairs; i++)); do
		one=$(ours --objective $objective --epochs 2 --pin --threads 1 | wall)
		two=$(ours --objective $objective --epochs 2 --pin --threads 2 | wall)
		awk -v a="$one" -v b="$two" 'BEGIN { print a / b }'
	done | median | awk -v o=$objective '{ printf "%s, 2 threads: %.2f times 1 thread (wall)\n", o, $1 }'
done
