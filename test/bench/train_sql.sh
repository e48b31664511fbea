#!/usr/bin/env bash
# train_sql.sh TEXT [EPOCHS] [OBJECTIVE] --- the whole of a training through SQL, beside the engine's own.
#
# TEXT is words between white space (text8 and its like). It becomes lines of 1,000 words, for the
# engine's program (word2vec_bench --lines) a file, for SQL a table of so many rows. Both count the
# vocabulary, train (dim 100, one thread, the defaults) and write the model: wall time, in
# alternating pairs, and the median of their ratios. The bound is 1.15. CPU time is told beside it, for
# machines that others use too. BENCH_PAIRS: how many (3);
# BENCH_BYTES: of TEXT at most so many. "words" cuts by Unicode and lower-cases, "plain" at white space only,
# as the engine's program does.
. "$(dirname "$0")/../../tools/lib.sh"
text=${1:?usage: train_sql.sh TEXT [EPOCHS] [OBJECTIVE]} epochs=${2:-3} objective=${3:-skip-gram} pairs=${BENCH_PAIRS:-3}
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

cpu_of='awk "{ print \$1 / 1e9 }" /proc/$PID/schedstat >>'
for cut in plain words; do
	: > "$dir/ratios"
	for _ in $(seq "$pairs"); do
		a=$(now)
		TIMEFORMAT='%U %S'
		{ time "$NLP_BUILD/bench/word2vec_bench" "$dir/lines.txt" --lines --objective "$objective" --epochs "$epochs" --format gguf --out "$dir/engine.gguf" > "$dir/engine.log" 2>&1; } 2> "$dir/engine.cpu" ||
			{ cat "$dir/engine.log" >&2; die "word2vec_bench failed"; }
		b=$(now)
		: > "$dir/sql.cpu"
		q > /dev/null <<SQL
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! $cpu_of $dir/sql.cpu
CALL nlp.train_word2vec('m', 'SELECT body FROM docs', '{"objective": "$objective", "epochs": $epochs, "segmenter": "$cut", "replace": true, "quiet": true}');
\\! $cpu_of $dir/sql.cpu
SQL
		c=$(now)
		awk -v a="$a" -v b="$b" -v c="$c" -v e="$(tail -n 1 "$dir/engine.cpu")" -v s="$(tr '\n' ' ' < "$dir/sql.cpu")" 'BEGIN {
			split(e, ec, " "); split(s, sc, " "); ecpu = ec[1] + ec[2]; scpu = sc[2] - sc[1]
			printf "%.4f %.2f %.2f %.4f %.2f %.2f\n", (c - b) / (b - a), b - a, c - b, scpu / ecpu, ecpu, scpu }' >> "$dir/ratios"
	done
	awk -v w="$cut" '{ e = e " " $2; s = s " " $3; f = f " " $5; t = t " " $6 }
		END { printf "%-6s wall, s: engine%s   SQL%s\n%-6s CPU, s:  engine%s   SQL%s\n", w, e, s, w, f, t }' "$dir/ratios"
	printf '%-6s whole run through SQL / engine alone: wall %s (must be <= 1.15), CPU %s\n' "$cut" \
		"$(awk '{ print $1 }' "$dir/ratios" | median)" "$(awk '{ print $4 }' "$dir/ratios" | median)"
done
q -c "SELECT 'training alone took ' || (card #>> '{training,seconds}') || ' s of it' FROM nlp.models WHERE name = 'm'"
