#!/usr/bin/env bash
# sql_speed.sh MODEL PEER_BIN --- what a user of SQL gets, beside the peer on the same file.
#
#   decode, prefill and 32 sequences through SQL, one and two threads, beside llama-bench and
#   llama-batched-bench; the first call of a new connection beside its second; pgbench's
#   latency while 50 sessions ask for long answers, with and without pg_nlp.max_active.
# Each figure is the median of several; ratios above 1 are in our favour. Runs on a private
# server; BENCH_THREADS (default "1 2") names the thread counts, none when empty. For huge pages
# reserve them first: echo 420 > /proc/sys/vm/nr_hugepages.
. "$(dirname "$0")/../../tools/lib.sh"
model=${1:?usage: sql_speed.sh MODEL PEER_BIN} peer=${2:?usage: sql_speed.sh MODEL PEER_BIN}
nlp_var_init
choose_pg
[ -n "${NLP_BIN:-}" ] || private_install "$NLP_VAR/inst"
dir=$NLP_VAR/bench
server_stop "$dir" immediate 2>/dev/null || true
rm -rf "$dir/data"
server_init "$dir" <<CONF
shared_preload_libraries = 'pg_nlp'
pg_nlp.shared_memory_size = '512MB'
huge_pages = ${BENCH_HUGE_PAGES:-try}
max_connections = 120
fsync = off
CONF
server_start "$dir"
trap 'server_stop "$dir" immediate' EXIT
export PGHOST=$dir/sock PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
q() { "$NLP_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
give "$dir/in"; cp "$model" "$dir/in/m.gguf"; chmod 644 "$dir/in/m.gguf"
q -c 'CREATE EXTENSION pg_nlp' -c "SELECT nlp.load_model('m', '$dir/in/m.gguf')" -c "SELECT nlp.prewarm('m')" >/dev/null
rm -f "$dir/in/m.gguf"
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
# ms_of SQL [SET...]: milliseconds of a statement, median of five in one warm session
ms_of()
{
	{ printf '%s\n' "${2:-}" "$1;"; echo '\timing on'; for _ in 1 2 3 4 5; do printf '%s;\n' "$1"; done; } |
		q -o /dev/null -f - | awk '/^Time:/ { print $2 }' | median
}
peer_ts() { awk -F, -v t="$1" '$0 ~ t { gsub(/"/, ""); print $0 }' | tail -n 1; }
row() { awk -v w="$1" -v a="$2" -v b="$3" 'BEGIN { printf "%-44s ours %8.1f tokens/s   peer %8s   ratio %s\n", w, a, (b > 0 ? sprintf("%.1f", b) : "-"), (b > 0 ? sprintf("%.2f", a / b) : "-") }'; }
bench_of() { "$peer/llama-bench" -m "$model" -t "$1" -r 3 -o csv "${@:2}" 2>/dev/null | python3 -c 'import csv, sys; print([r["avg_ts"] for r in csv.DictReader(sys.stdin)][-1])' || echo 0; }

words=$(q -c "SELECT n FROM generate_series(380, 520) n WHERE token_count(repeat('word ', n), options => '{\"bos\": true}') = 512 LIMIT 1")
words=${words:-512}
for t in ${BENCH_THREADS-1 2}; do
	set_t="SET pg_nlp.threads = $t"
	# decode: the difference of two lengths, so that prompt and statement cost cancel out
	long=$(ms_of "SELECT length(generate('Once upon a time', options => '{\"max_tokens\": 160, \"ignore_eos\": true}'))" "$set_t;")
	short=$(ms_of "SELECT length(generate('Once upon a time', options => '{\"max_tokens\": 32, \"ignore_eos\": true}'))" "$set_t;")
	row "decode, $t thread(s), through SQL" "$(awk -v a="$long" -v b="$short" 'BEGIN { print 128000 / (a - b) }')" "$(bench_of "$t" -p 0 -n 128)"
	ms=$(ms_of "SELECT length(generate(repeat('word ', $words), options => '{\"max_tokens\": 1}'))" "$set_t;")
	row "prefill 512, $t thread(s), through SQL" "$(awk -v a="$ms" 'BEGIN { print 512000 / a }')" "$(bench_of "$t" -p 512 -n 0)"
	long=$(ms_of "SELECT cardinality(generate(array_agg('Number ' || i || ' is'), options => '{\"max_tokens\": 96, \"ignore_eos\": true}')) FROM generate_series(1, 32) i" "$set_t;")
	short=$(ms_of "SELECT cardinality(generate(array_agg('Number ' || i || ' is'), options => '{\"max_tokens\": 32, \"ignore_eos\": true}')) FROM generate_series(1, 32) i" "$set_t;")
	b=$("$peer/llama-batched-bench" -m "$model" -t "$t" -tb "$t" -c 8192 -b 2048 -npp 8 -ntg 64 -npl 32 2>/dev/null | awk -F'|' '$4 + 0 == 32 { print $9 }' || true)
	row "32 sequences, decode, $t thread(s), through SQL" "$(awk -v a="$long" -v b="$short" 'BEGIN { print 32 * 64000 / (a - b) }')" "${b:-0}"
done

say "first call of a new connection, resident model (huge pages: $(q -c 'SHOW pg_nlp.huge_pages'))"
for i in $(seq 60); do
	{ echo '\timing on'; for _ in 1 2 3; do echo "SELECT token_count('some words');"; done; } | q -o /dev/null -f - | awk '/^Time:/ { v[++n] = $2 } END { print v[1], v[1] - v[3] }'
done > "$dir/cold_token"
for i in $(seq 60); do
	{ echo '\timing on'; for _ in 1 2 3; do echo "SELECT generate('Hi', options => '{\"max_tokens\": 1}');"; done; } | q -o /dev/null -f - | awk '/^Time:/ { v[++n] = $2 } END { print v[1], v[1] - v[3] }'
done > "$dir/cold_generate"
for f in token generate; do
	printf '%-44s first call %.2f ms, over a warm one by %.2f ms (median of 60 connections)\n' "$f" "$(cut -d' ' -f1 "$dir/cold_$f" | median)" "$(cut -d' ' -f2 "$dir/cold_$f" | median)"
done

[ -z "${BENCH_COLD_ONLY:-}" ] || exit 0
say "pgbench (select only, one client) beside 50 sessions that generate"
"$NLP_BIN/pgbench" -i -s 5 -q >/dev/null 2>&1
latency() { "$NLP_BIN/pgbench" -n -S -c 1 -T 6 2>/dev/null | awk '/latency average/ { print $4 }'; }
printf '%-44s %s ms\n' "alone" "$(latency)"
for limit in 0 2 1; do
	q -c "ALTER SYSTEM SET pg_nlp.max_active = $limit" -c 'SELECT pg_reload_conf()' >/dev/null
	pids=()
	for i in $(seq 50); do
		q -c "SELECT length(generate('Once upon a time', options => '{\"max_tokens\": 4000, \"ignore_eos\": true}'))" >/dev/null 2>&1 &
		pids+=($!)
	done
	sleep 2
	printf '%-44s %s ms\n' "pg_nlp.max_active = $limit" "$(latency)"
	q -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT length%'" >/dev/null
	wait "${pids[@]}" 2>/dev/null || true
done
