#!/usr/bin/env bash
# flat_bench.sh [VECTORS.npy] --- nlp_flat beside pgvector (HNSW and exact scan) on the same rows.
#
# VECTORS.npy: word vectors, f32 [words, 100], most frequent first; without it they are trained here by
# gensim from TEXT (a file of words in one line), one epoch of CBOW. BENCH_DATA (a directory) keeps the rows for the next run.
# The rows are those and copies with noise up to 341,479. PGVECTOR: pgvector's source (default: what
# tools/pgvector.sh fetches). PYTHON needs numpy, and gensim to train. ROUNDS, SECONDS_EACH, EFS:
# see flat_bench.py. The HNSW build takes minutes.
. "$(dirname "$0")/../../tools/lib.sh"
cd "$NLP_TOP"
nlp_var_init
choose_pg
PYTHON=${PYTHON:-python3}
work=$NLP_VAR/flat-bench
data=${BENCH_DATA:-$work/rows}
mkdir -p "$work" "$data"
trap 'server_stop "$work/server" immediate' EXIT

if [ ! -f "$data/bench.npz" ]; then
	vectors=${1:-$data/words.npy}
	if [ ! -f "$vectors" ]; then
		say "training word vectors with gensim"
		"$PYTHON" - "${TEXT:?a file of words, one line}" "$vectors" <<-'PY'
		import sys
		import numpy as np
		from gensim.models.word2vec import Text8Corpus, Word2Vec
		m = Word2Vec(Text8Corpus(sys.argv[1]), vector_size=100, min_count=5, sg=0, epochs=1, seed=7, workers=2)
		np.save(sys.argv[2], m.wv.vectors)
		PY
	fi
	say "rows and queries"
	"$PYTHON" test/bench/flat_bench.py make "$data" "$vectors"
	chmod 644 "$data"/*.tsv
fi

private_install "$work/install"
if [ -n "${PGVECTOR:-}" ]; then
	make -s -C "$PGVECTOR" with_llvm=no PG_CONFIG="$PG_CONFIG" >/dev/null
	make -s -C "$PGVECTOR" with_llvm=no PG_CONFIG="$PG_CONFIG" DESTDIR="$work/install" install >/dev/null
else
	tools/pgvector.sh install "$work/install" "$work/pgvector"
fi
server_stop "$work/server" immediate
rm -rf "$work/server/data"
server_init "$work/server" <<-CONF
	shared_buffers = 3GB
	max_wal_size = 16GB
	checkpoint_timeout = 1h
	fsync = off
	jit = off
CONF
server_start "$work/server"
export PATH=$NLP_BIN:$PATH PGHOST=$work/server/sock PGUSER=postgres PGDATABASE=postgres
psql -X -q -c 'CREATE EXTENSION pg_nlp' -c 'CREATE EXTENSION vector'
"$PYTHON" test/bench/flat_bench.py run "$data"
