#!/usr/bin/env bash
# train_sql.sh TEXT [EPOCHS] [OBJECTIVE] --- the whole of a training through SQL, beside the engine's own.
#
# TEXT is words between white space (text8 and its like). It becomes lines of 1,000 words, for the
# engine's program (word2vec_bench --lines) a file, for SQL a table of so many rows. Both count the
# vocabulary, train (dim 100, one thread, the defaults) and write the model: wall time, in
# alternating pairs, and the median of their ratios. The bound is 1.15. BENCH_PAIRS: how many (3);
# BENCH_BYTES: of TEXT at most so many. "words" cuts by Unicode and lower-cases, "plain" at white space only,
# as the engine's program does.
. "$(dirname "$0")/../../tools/lib.sh"
text=${1:?usage: train_sql.sh TEXT [EPOCHS] [OBJECTIVE]} epochs=${2:-1} objective=${3:-skip-gram} pairs=${BENCH_PAIRS:-3}
nlp_var_init
choose_pg
[ -n "${NLP_BIN:-}" ] || private_install "$NLP_VAR/inst"
make -C "$NLP_TOP" -f engine.mk --no-print-directory -s BUILD="$NLP_BUILD" "$NLP_BUILD/bench/word2vec_bench"
dir=$NLP_VAR/bench_train
server_stop "$dir" immediate 2>/dev/null || true
rm -rf "$dir/data"
server_init "$dir" <<CONF
shared_preload_libraries = 'pg_nlp'
shared_buffers = 256MB
max_wal_size = 4GB
fsync = off
CONF
server_start "$dir"
trap 'server_stop "$dir" immediate; rm -rf "$dir"' EXIT
export PGHOST=$dir/sock PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
q() { "$NLP_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
now() { date +%s.%N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

head -c "${BENCH_BYTES:-1000000000}" "$text" | perl -0777 -ne 'while (/((?:\S+\s*){1,1000})/g) { my $l = $1; $l =~ s/\s+/ /g; $l =~ s/ $//; print "$l\n"; }' > "$dir/lines.txt"
q -c 'CREATE EXTENSION pg_nlp' -c 'CREATE TABLE docs (id int GENERATED ALWAYS AS IDENTITY, body text)' \
	-c "\\copy docs (body) from '$dir/lines.txt'" -c 'VACUUM ANALYZE docs'
say "$objective, $epochs epoch(s), $(wc -w < "$dir/lines.txt") words in $(q -c 'SELECT count(*) FROM docs') rows; $(lscpu | sed -n 's/^Model name: *//p')"

for cut in plain words; do
	: > "$dir/ratios"
	for _ in $(seq "$pairs"); do
		a=$(now)
		"$NLP_BUILD/bench/word2vec_bench" "$dir/lines.txt" --lines --objective "$objective" --epochs "$epochs" --format gguf --out "$dir/engine.gguf" > "$dir/engine.log" 2>&1 ||
			{ cat "$dir/engine.log" >&2; die "word2vec_bench failed"; }
		b=$(now)
		q -c "CALL nlp.train_word2vec('m', 'SELECT body FROM docs', '{\"objective\": \"$objective\", \"epochs\": $epochs, \"segmenter\": \"$cut\", \"replace\": true, \"quiet\": true}')"
		c=$(now)
		awk -v a="$a" -v b="$b" -v c="$c" 'BEGIN { printf "%.4f %.2f %.2f\n", (c - b) / (b - a), b - a, c - b }' >> "$dir/ratios"
	done
	awk -v w="$cut" '{ e = e " " $2; s = s " " $3 } END { printf "%-6s engine, s:%s   SQL, s:%s\n", w, e, s }' "$dir/ratios"
	printf '%-6s whole run through SQL / engine alone: %s (must be <= 1.15)\n' "$cut" "$(awk '{ print $1 }' "$dir/ratios" | median)"
done
q -c "SELECT 'training alone took ' || (card #>> '{training,seconds}') || ' s of it' FROM nlp.models WHERE name = 'm'"
