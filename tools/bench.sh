#!/usr/bin/env bash
# bench.sh --- speed claims, each beside its peer in one run.
#
# Builds test/bench/*_bench.c with the engine, and llama.cpp's tools from its source package
# (outside the tree; NLP_PEER names a directory whose bin/ has them already), then runs every
# program and then every test/bench/*.sh, which measure through SQL on private servers. Each prints
# what it measured, the peer and the ratio. BENCH_ONLY: a pattern of their names. Word vectors are trained
# on BENCH_TEXT, words between spaces (default: the examples' encyclopedia, 2 million words; text8 and its like
# say more); their peers gensim and fastText are run with PYTHON when it has them, and word_accuracy.sh when
# NLP_DATA names the data sets.
. "$(dirname "$0")/lib.sh"
cd "$NLP_TOP"
nlp_var_init
choose_pg
need_packages $NLP_MODEL_PACKAGES python3-venv cmake g++
tools/get_models.sh "$MODELS_DIR" smollm2
model=$MODELS_DIR/SmolLM2-135M-Instruct.Q4_1.gguf
peer=${NLP_PEER:-$NLP_VAR/peer}
test/bench/build_peer.sh "$peer"
export NLP_PEER=$peer

python=${PYTHON:-python3}
has() { "$python" -c "import $1" 2>/dev/null; }
text=${BENCH_TEXT:-$NLP_VAR/bench-words.txt}
[ -f "$text" ] || gzip -dc examples/data/encyclopedia.tsv.gz | awk -F'\t' '$2 == "en" { print tolower($4) }' |
	tr -cs 'a-z\n' ' ' > "$text"

# run NAME PROGRAM: with what it wants
run()
{
	case $1 in
	word2vec_bench) "$2" "$text" --epochs 1 ;;
	scan_bench) "$2" ;;
	segment_bench) "$2" models/segment_zh.gguf "$text" ;;
	word2vec_peer)
		if has gensim; then W2V_PYTHON=$python W2V_PEERS="gensim$(has fasttext && echo ' fasttext')" "$2" "$text"
		else echo "not run: $python has no gensim"; fi ;;
	train_sql) "$2" "$text" ;;
	flat_bench) if has numpy && { [ -f "$NLP_VAR/flat-bench/rows/bench.npz" ] || has gensim; }; then TEXT=$text PYTHON=$python "$2"
		else echo "not run: $python has no numpy and gensim"; fi ;;
	word_accuracy) if [ -n "${NLP_DATA:-}" ] && has gensim; then PYTHON=$python "$2"
		else echo "not run: NLP_DATA is not set, or $python has no gensim"; fi ;;
	exact_scan) "$2" distances ;;
	*) "$2" "$model" "$peer/bin" ;;
	esac
}

say "$(grep -m 1 'model name' /proc/cpuinfo | cut -d: -f2-), $(nproc) CPUs; flags: $(grep -m 1 -o -w -E 'avx2|avx512_vnni|avx512f|avx_vnni' /proc/cpuinfo | sort -u | tr '\n' ' ')"
make -f engine.mk -s --no-print-directory -j"$(nproc)" BUILD="$NLP_BUILD" engine-bench engine-tools
for b in test/bench/*_bench.c; do
	[ -e "$b" ] || continue
	t=$(basename "$b" .c)
	[ -z "${BENCH_ONLY:-}" ] || [[ $t =~ $BENCH_ONLY ]] || continue
	say "$t"
	run "$t" "$NLP_BUILD/bench/$t"
done

say "installing for the measurements through SQL"
private_install "$NLP_VAR/inst"
for b in test/bench/*.sh; do
	t=$(basename "$b" .sh)
	[ "$t" != build_peer ] || continue
	[ -z "${BENCH_ONLY:-}" ] || [[ $t =~ $BENCH_ONLY ]] || continue
	say "$t"
	run "$t" "$b"
done
