#!/usr/bin/env bash
# bench.sh --- speed claims, each beside its peer in one run.
#
# Builds test/bench/*_bench.c with the engine, and llama.cpp's tools from its source package
# (outside the tree; NLP_PEER names a directory whose bin/ has them already), then runs every
# program: PROGRAM MODEL PEER_BIN. Each prints what it measured, the peer and the ratio.
# Then test/bench/*.sh but the peer's, which measure through SQL on a private server.
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

say "$(grep -m 1 'model name' /proc/cpuinfo | cut -d: -f2-), $(nproc) CPUs; flags: $(grep -m 1 -o -w -E 'avx2|avx512_vnni|avx512f|avx_vnni' /proc/cpuinfo | sort -u | tr '\n' ' ')"
make -f engine.mk -s --no-print-directory -j"$(nproc)" BUILD="$NLP_BUILD" engine-bench engine-tools
for b in test/bench/*_bench.c; do
	[ -e "$b" ] || continue
	t=$(basename "$b" .c)
	[ -z "${BENCH_ONLY:-}" ] || [[ $t =~ $BENCH_ONLY ]] || continue
	say "$t"
	"$NLP_BUILD/bench/$t" "$model" "$peer/bin"
done

say "installing for the measurements through SQL"
private_install "$NLP_VAR/inst"
for b in test/bench/*.sh; do
	t=$(basename "$b" .sh)
	[ "$t" != build_peer ] || continue
	[ -z "${BENCH_ONLY:-}" ] || [[ $t =~ $BENCH_ONLY ]] || continue
	say "$t"
	"$b" "$model" "$peer/bin"
done
