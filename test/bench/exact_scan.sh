#!/usr/bin/env bash
# exact_scan.sh [distances] [storage] --- exact search in a heap, beside pgvector on the same rows.
#
#   distances   ORDER BY e <op> q LIMIT 10 over rows all in shared buffers, the same serial plan
#               on both sides, statements in turn: 341,479 x 100, 100,000 x 384, 60,000 x 768
#   storage     each storage of a column at 100 to 3,000 dimensions: insert, size, read
#
# Ratios above 1 are in our favour: medians of pairs, so that a machine with other work does both
# sides alike. Rows are seeded noise: an exact scan takes the same steps whatever the numbers.
# pgvector is built with its own flags and stores PLAIN, as the fastest it can do. ROWS_PERCENT
# (100) makes everything smaller. About 2.5 GB of memory.
. "$(dirname "$0")/../../tools/lib.sh"
nlp_var_init
choose_pg
parts="distances storage"
case " ${*:-} " in *" distances "*|*" storage "*) parts=$* ;; esac	# make bench gives other arguments
dir=$NLP_VAR/exact_scan
percent=${ROWS_PERCENT:-100}
private_install "$dir/inst"
"$NLP_TOP/tools/pgvector.sh" install "$dir/inst"
server_stop "$dir/srv" immediate 2>/dev/null || true
rm -rf "$dir/srv/data"
server_init "$dir/srv" <<CONF
shared_buffers = 2GB
huge_pages = ${BENCH_HUGE_PAGES:-try}
max_parallel_workers_per_gather = 0
maintenance_work_mem = 256MB
max_wal_size = 8GB
wal_level = minimal
max_wal_senders = 0
fsync = off
autovacuum = off
jit = off
CONF
server_start "$dir/srv"
trap 'server_stop "$dir/srv" immediate; rm -rf "$dir/srv/data"' EXIT
export PGHOST=$dir/srv/sock PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
export PGOPTIONS='-c client_min_messages=warning'
q() { "$NLP_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
q -c 'CREATE EXTENSION pg_nlp' -c 'CREATE EXTENSION vector'
say "$(grep -m 1 'model name' /proc/cpuinfo | cut -d: -f2-), $(nproc) CPUs, flags: $(grep -m 1 -o -w -E 'avx2|avx512f' /proc/cpuinfo | sort -u | tr '\n' ' ')"
say "PostgreSQL $(q -c 'SHOW server_version'), pgvector $(q -c "SELECT extversion FROM pg_extension WHERE extname = 'vector'"), huge_pages = $(q -c "SHOW huge_pages")"

# noise DIM ROWS: a query that gives (id, a real[])
noise()
{
	echo "SELECT i AS id, (SELECT array_agg((random() + random() + random() - 1.5)::real) FROM generate_series(1, $1) WHERE i > 0) AS a FROM generate_series(1, $2) AS i"
}

# fill DIM ROWS: tables theirs and ours with the same rows, read once
fill()
{
	q <<SQL > /dev/null
DROP TABLE IF EXISTS raw, theirs, ours;
SELECT setseed(0.5);
CREATE UNLOGGED TABLE raw AS $(noise "$1" "$2");
CREATE TABLE theirs (id int, e vector($1));
ALTER TABLE theirs ALTER e SET STORAGE PLAIN;
CREATE TABLE ours (id int, e embedding($1));
INSERT INTO theirs SELECT id, a FROM raw ORDER BY id;
INSERT INTO ours SELECT id, a FROM raw ORDER BY id;
DROP TABLE raw;
VACUUM ANALYZE theirs;
VACUUM ANALYZE ours;
SQL
}

# race DIM ROWS OPERATOR: both, in turn
race()
{
	local runs=${RUNS:-15}
	{
		echo "SELECT e AS q FROM ours WHERE id = 77 \\gset"
		for t in theirs ours; do
			echo "PREPARE p_$t AS SELECT id FROM $t ORDER BY e $3 :'q' LIMIT 10;"
			echo "EXECUTE p_$t \\g /dev/null"
			echo "EXECUTE p_$t \\g /dev/null"
		done
		echo '\timing on'
		for _ in $(seq "$runs"); do printf 'EXECUTE p_theirs \\g /dev/null\nEXECUTE p_ours \\g /dev/null\n'; done
	} | q -f - | awk '/^Time:/ { print $2 }' | paste - - > "$dir/times"
	printf '%-28s pgvector %6.1f ms  ours %6.1f ms  ratio %s\n' "$2 x $1, $3" "$(cut -f1 "$dir/times" | median)" "$(cut -f2 "$dir/times" | median)" \
		"$(awk '{ print $1 / $2 }' "$dir/times" | median | cut -c1-4)"
}

# The ten nearest must be the same rows, or the race is about something else.
same_answers()
{
	[ "$(q -c "SELECT string_agg(id::text, ' ') FROM (SELECT id FROM ours ORDER BY e $1 (SELECT e FROM ours WHERE id = 77), id LIMIT 10) s")" = \
	  "$(q -c "SELECT string_agg(id::text, ' ') FROM (SELECT id FROM theirs ORDER BY e $1 (SELECT e FROM theirs WHERE id = 77), id LIMIT 10) s")" ] ||
		die "$1 finds other rows than pgvector"
}

case $parts in *distances*)
	for shape in "100 341479" "384 100000" "768 60000"; do
		set -- $shape
		rows=$(($2 * percent / 100))
		fill "$1" "$rows"
		for op in '<->' '<=>' '<#>' '<+>'; do
			same_answers "$op"
			race "$1" "$rows" "$op"
		done
	done
	q -c 'DROP TABLE theirs, ours' ;;
esac

case $parts in *storage*)
	printf '%-10s %-10s %14s %14s %14s\n' dimensions storage 'insert, us/row' 'bytes/row' 'read, ns/row'
	for d in 100 384 768 1536 3000; do
		rows=$(((d < 1000 ? 20000 : 8000) * percent / 100))
		# Source values lie plain, or out of line where they must, so that reading them costs the same for all.
		q -c 'DROP TABLE IF EXISTS raw' -c 'CREATE UNLOGGED TABLE raw (id int, e embedding)' \
			-c "ALTER TABLE raw ALTER e SET STORAGE $([ $d -lt 2000 ] && echo PLAIN || echo EXTERNAL)" \
			-c 'SELECT setseed(0.5)' -c "INSERT INTO raw $(noise $d $rows)" > /dev/null
		for s in PLAIN EXTERNAL MAIN EXTENDED; do
			if [ $s = PLAIN ] && [ $d -gt 2000 ]; then
				printf '%-10s %-10s does not fit a page\n' $d $s
				continue
			fi
			q -c 'DROP TABLE IF EXISTS stored' -c 'CREATE TABLE stored (id int, e embedding)' -c "ALTER TABLE stored ALTER e SET STORAGE $s"
			{ echo '\timing on'; for _ in 1 2 3 4 5; do printf 'INSERT INTO stored SELECT * FROM raw;\nTRUNCATE stored;\n'; done; } |
				q -f - | awk '/^Time:/ && NR % 2 { print $2 }' | median > "$dir/insert"
			q -c 'INSERT INTO stored SELECT * FROM raw' -c 'VACUUM ANALYZE stored'
			{ echo 'SELECT e AS q FROM raw WHERE id = 7 \gset'; echo '\timing on'; for _ in 1 2 3 4 5 6 7; do echo "SELECT count(*) FROM stored WHERE e <-> :'q' < 0 \\g /dev/null"; done; } |
				q -f - | awk '/^Time:/ { print $2 }' | median > "$dir/read"
			awk -v d=$d -v s=$s -v n=$rows -v i="$(cat "$dir/insert")" -v r="$(cat "$dir/read")" -v b="$(q -c "SELECT pg_table_size('stored')")" \
				'BEGIN { printf "%-10d %-10s %14.1f %14.0f %14.0f\n", d, s, i * 1000 / n, b / n, r * 1e6 / n }'
		done
	done ;;
esac
