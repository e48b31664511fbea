#!/usr/bin/env bash
# instrumented.sh [PART...] --- memory and assertion errors, found by tools rather than by luck.
#
# Builds a PostgreSQL with assertions and valgrind's marks, outside this tree, and runs on it,
# with the extension under UBSAN:
#   cassert    SQL_CASSERT (all of sql/) and the isolation specs
#   caches     SQL_CACHES with every catalog cache thrown away at each chance
#   parallel   SQL_PARALLEL with plans forced through a parallel worker
#   nomemory   SQL_VALGRIND in sessions whose address space ends early: errors, but no crash
#   valgrind   SQL_VALGRIND under memcheck, a tiny model standing in for the real one, so that
#              answers differ from expected/ and only memcheck's reports count
#   asan       the engine's unit programs under ASAN and UBSAN; needs no server
# Without arguments all of them. Ends with "N passed, N failed".
#
# PG_SOURCE names an unpacked source tree; without it Debian's source package of
# INSTRUMENTED_PG (default postgresql-15) is fetched with apt lists of our own: the system's
# stay as they are. JOBS: of make. VALGRIND_MODEL=real runs memcheck on the real model (hours).
. "$(dirname "$0")/../../tools/lib.sh"
cd "$NLP_TOP"

parts=${*:-cassert caches parallel nomemory valgrind asan}
jobs=${JOBS:-$(nproc)}
package=${INSTRUMENTED_PG:-postgresql-15}
sql_cassert=${SQL_CASSERT:-$(cd sql && ls ./*.sql | sed 's,^\./,,; s/\.sql$//' | sort)}
sql_caches=${SQL_CACHES:-options store}
sql_parallel=${SQL_PARALLEL:-generate labels tokenize embedding word_vectors segment}
sql_valgrind=${SQL_VALGRIND:-options store generate stream tokenize embedding segment recommend train_word2vec word_vectors}
here=$NLP_VAR/instrumented
logs=$here/logs
work=$here/${INSTRUMENTED_SERVER:-server}	# another name lets parts run beside each other
pg=$here/pg
passed=0 failed=0 failures=()
started=$SECONDS
# gcc's -fsanitize=undefined leaves float-to-int casts alone; they are ours to watch.
ubsan="-fsanitize=undefined,float-cast-overflow,float-divide-by-zero -fno-sanitize=float-divide-by-zero"

nlp_var_init
mkdir -p "$here" "$logs"
part() { case " $parts " in *" $1 "*) say "$1 (at $((SECONDS - started)) s)"; return 0 ;; esac; return 1; }
pass() { passed=$((passed + $1)); }
fail() { failed=$((failed + $2)); failures+=("$1: $2 failed"); }

# ---- the server ----
fetch_source()
{
	local apt=$here/apt
	need_packages ca-certificates bzip2 xz-utils
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/src"
	echo "deb-src ${DEB_MIRROR:-http://deb.debian.org/debian} $(. /etc/os-release && echo "${VERSION_CODENAME:-stable}") main" > "$apt/sources.list"
	cat > "$apt/apt.conf" <<CONF
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
CONF
	[ "$(id -u)" -ne 0 ] || echo 'APT::Sandbox::User "";' >> "$apt/apt.conf"
	(cd "$apt/src" && export APT_CONFIG=$apt/apt.conf && apt-get update -qq && apt-get source -qq --download-only "$package")
	mkdir -p "$here/src"
	tar -xf "$(ls -t "$apt/src/${package}"_*.orig.tar.* | head -n 1)" -C "$here/src" --strip-components=1
}

# Only what the tests use: no documentation, contrib, ecpg or client programs besides psql.
build_server()
{
	local source=$1 d
	mkdir -p "$here/obj"
	cd "$here/obj"
	"$source/configure" --prefix="$pg" --enable-cassert --enable-debug --without-readline --without-zlib --without-icu \
		CFLAGS="-O1 -g -fno-omit-frame-pointer -DUSE_VALGRIND" ||
	"$source/configure" --prefix="$pg" --enable-cassert --enable-debug --without-readline --without-zlib \
		CFLAGS="-O1 -g -fno-omit-frame-pointer -DUSE_VALGRIND"
	make -s -C src/backend generated-headers
	for d in common port include timezone backend backend/utils/mb/conversion_procs backend/snowball interfaces/libpq \
		fe_utils bin/initdb bin/pg_ctl bin/psql bin/pg_config pl/plpgsql makefiles test/regress test/isolation
	do
		make -s -j"$jobs" -C "src/$d" install || return 1
	done
	make -s -C config install
	make -s -C src install-local
}

need_instrumented_server()
{
	local source=${PG_SOURCE:-$here/src}
	need_packages valgrind perl ${NLP_BUILD_PACKAGES#* * * }
	if [ ! -f "$source/configure" ]; then
		say "fetching the source of $package"
		fetch_source > "$logs/source.log" 2>&1 || die "no source; $logs/source.log says why"
	fi
	[ -f "$source/src/backend/parser/gram.c" ] || need_packages bison flex	# releases up to 16 carry it
	if [ ! -f "$pg/.built" ]; then
		say "building $package with assertions (minutes)"
		(build_server "$(cd "$source" && pwd)") > "$logs/server_build.log" 2>&1 ||
			die "the server did not build; $logs/server_build.log says why"
		touch "$pg/.built"
	fi
	PG_CONFIG=$pg/bin/pg_config
	supp=$source/src/tools/valgrind.supp
	BUILD=$here/build NLP_BUILD=$here/build
	export PG_CONFIG BUILD NLP_BUILD
	"$NLP_TOP/tools/get_models.sh" "$MODELS_DIR" smollm2 > "$logs/models.log" 2>&1 || die "no model; $logs/models.log says why"
	# COPT and ENGINE_EXTRA reach the compilers of the two rooms. The parent's nproc is
	# what build_extension would use; OMP_NUM_THREADS is how nproc is told otherwise.
	export COPT="-O1 -fno-omit-frame-pointer $ubsan" ENGINE_EXTRA="-O1 -fno-omit-frame-pointer $ubsan"
	say "building the extension under UBSAN"
	OMP_NUM_THREADS=$jobs build_extension all > "$logs/install.log" 2>&1 ||
		{ tail -n 20 "$logs/install.log" >&2; die "the extension did not build"; }
	private_install "$work/inst" >> "$logs/install.log" 2>&1 &	# by itself, so that it stops at an error
	wait $! || { tail -n 20 "$logs/install.log" >&2; die "the extension was not installed"; }
	unset COPT ENGINE_EXTRA
	NLP_BIN=$work/inst$("$PG_CONFIG" --bindir)
	regress_dir=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
	rm -rf "$work/src"
	mkdir -p "$work/src"
	cp -r sql expected test "$work/src/"
	chmod -R a+rX "$work/src"
}

# start SETTINGS...: a fresh server with these lines of configuration.
start()
{
	server_stop "$work" immediate 2>/dev/null || true
	rm -rf "$work/data" "$work/log"
	server_init "$work" <<CONF
shared_preload_libraries = 'pg_nlp'
pg_nlp.shared_memory_size = '${SLAB:-512MB}'
fsync = off
max_connections = 50
max_prepared_transactions = 10
log_statement = none
$(printf '%s\n' "$@")
CONF
	server_start "$work"
	export PGHOST=$work/sock PGPORT=5432 PGUSER=postgres
}

stop()
{
	server_stop "$work" "${1:-fast}"
	unset PGHOST PGPORT PGUSER
}

# regress NAME PROGRAM INPUTDIR TEST...: run, and leave the counting to the caller.
regress()
{
	local name=$1 program=$2 input=$3
	shift 3
	mkdir -p "$logs/$name"
	timeout -k 10 "${TEST_TIMEOUT:-7200}" "$regress_dir/$program" --bindir="$NLP_BIN" --inputdir="$input" \
		--outputdir="$logs/$name" --host="$PGHOST" --port=5432 --user=postgres --dbname="nlp_$name" \
		"$@" > "$logs/$name.log" 2>&1 </dev/null
}

# count NAME STATUS: results of pg_regress 15 ("test x ... ok") and of later ones ("ok 1 - x").
count()
{
	local name=$1 good bad
	good=$(grep -c -E '\.\.\. +ok |^ok [0-9]' "$logs/$name.log" || true)
	bad=$(grep -c -E '\.\.\. +(FAILED|failed)|^not ok [0-9]' "$logs/$name.log" || true)
	grep -E '^(test|not ok|ok) |^ +[a-z0-9_-]+ +\.\.\. ' "$logs/$name.log" | sed 's/^/  /' || true
	pass "$good"
	if [ "$bad" -gt 0 ]; then
		head -n 60 "$logs/$name/regression.diffs" || true
		fail "$name" "$bad"
	elif [ "$2" -ne 0 ] || [ "$good" -eq 0 ]; then
		tail -n 15 "$logs/$name.log"
		fail "$name (status $2)" 1
	fi
}

# What no test may leave in the server's log: a failed assertion, a crash, a leaked
# resource, a chunk written past its end, undefined behaviour.
server_log_clean()
{
	local name=$1
	cp "$work/log" "$logs/$name.server.log"
	if grep -a -E 'TRAP:|PANIC:|was terminated by signal|runtime error:|WARNING: .*(leak|detected write past chunk end|still referenced|still pinned|snapshot reference)' "$work/log"
	then fail "the server's log of $name" 1; else pass 1; fi
}

case " $parts " in *" cassert "*|*" caches "*|*" parallel "*|*" nomemory "*|*" valgrind "*)
	need_instrumented_server
	trap 'server_stop "$work" immediate 2>/dev/null || true' EXIT ;;
esac

if part cassert; then
	start
	rc=0; regress sql regress/pg_regress "$work/src" $sql_cassert || rc=$?
	count sql $rc
	rc=0; regress isolation isolation/pg_isolation_regress "$work/src/test/isolation" $(cd test/isolation/specs && ls ./*.spec | sed 's,^\./,,; s/\.spec$//' | sort) || rc=$?
	count isolation $rc
	stop
	server_log_clean cassert
fi

if part caches; then
	start
	# The extension is made first: its script under this setting takes minutes and shows nothing.
	"$NLP_BIN/createdb" nlp_caches 2>/dev/null || "$NLP_BIN/psql" -q -d postgres -c 'CREATE DATABASE nlp_caches'
	"$NLP_BIN/psql" -q -d nlp_caches -c 'CREATE EXTENSION pg_nlp' -c 'ALTER DATABASE nlp_caches SET debug_discard_caches = 1'
	rc=0; regress caches regress/pg_regress "$work/src" --use-existing $sql_caches || rc=$?
	count caches $rc
	stop
	server_log_clean caches
fi

if part parallel; then
	force=force_parallel_mode
	"$NLP_BIN/postgres" --describe-config | grep -q '^debug_parallel_query' && force=debug_parallel_query
	start "$force = regress" "max_parallel_workers_per_gather = 2" "max_parallel_workers = 8"
	rc=0; regress parallel regress/pg_regress "$work/src" $sql_parallel || rc=$?
	count parallel $rc
	stop
	server_log_clean parallel
fi

# A directory where the tiny model has the real one's name.
tiny_models()
{
	mkdir -p "$work/tiny"
	cp test/fixtures/tiny_llama.gguf "$work/tiny/SmolLM2-135M-Instruct.Q4_1.gguf"
	chmod -R a+rX "$work/tiny"
}

# One session after another with a little more address space above what a fresh one has:
# the failing allocation wanders through loading, planning and computing. Every session must
# end in an answer or an error; at the end the server must answer as at the beginning.
if part nomemory; then
	need_packages util-linux
	tiny_models
	SLAB=64MB start "restart_after_crash = on"
	"$NLP_BIN/psql" -q -d postgres -c 'CREATE EXTENSION pg_nlp' >/dev/null
	"$NLP_BIN/psql" -q -d postgres -c "SELECT nlp.load_model('tiny', '$work/tiny/SmolLM2-135M-Instruct.Q4_1.gguf')" >/dev/null
	# Sums of answers, large enough to need more than a session's heap has free.
	ask="SELECT count(a), md5(string_agg(a, ',' ORDER BY n)) FROM unnest(generate(array_fill('the dog sleeps'::text, ARRAY[64]), 'tiny', '{\"max_tokens\": 8}')) WITH ORDINALITY AS u(a, n);
		SELECT token_count(repeat('the dog sleeps ', 60000), 'tiny')"
	# A stack that cannot grow is a segfault, not an error: it is made deep beforehand.
	"$NLP_BIN/psql" -q -d postgres -c 'CREATE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql AS
		$f$ BEGIN RETURN CASE WHEN n = 0 THEN 0 ELSE public.deep(n - 1) END; END $f$'
	want=$("$NLP_BIN/psql" -X -A -t -d postgres -c "$ask")
	limit=prlimit			# of a process of the same user: root may lack the right to others'
	[ "$(id -u)" -ne 0 ] || limit="runuser -u $(server_user) -- prlimit"
	: > "$logs/nomemory.log"
	answers=0 errors=0
	for step in $(seq 0 "${NOMEMORY_STEPS:-200}"); do
		# The session tells its pid, waits for its limit, then works; the image is dropped
		# every other time so that loading is met too.
		out=$({
			echo "SELECT deep(100) AS deep \\gset"
			echo "SELECT pg_backend_pid() AS pid, coalesce((regexp_match(pg_read_file('/proc/self/statm'), '^[0-9]+'))[1]::bigint, 0) * 4096 AS size \\gset"
			echo "\\setenv PID :pid"
			echo "\\setenv SIZE :size"
			echo "\\! $limit --pid \$PID --as=\$((SIZE + $step * ${NOMEMORY_STRIDE:-65536}))"
			[ $((step % 2)) -eq 0 ] || echo "SELECT nlp.evict('tiny');"
			echo "$ask;"
			echo "$ask;"
		} | "$NLP_BIN/psql" -X -A -t -d postgres 2>&1 || true)
		printf -- '-- %d\n%s\n' "$step" "$out" >> "$logs/nomemory.log"
		case $out in *ERROR:*|*FATAL:*) errors=$((errors + 1)) ;; *) answers=$((answers + 1)) ;; esac
		case $out in *'server closed the connection'*) fail "nomemory step $step: connection lost" 1 ;; esac
	done
	say "nomemory: $answers sessions answered, $errors met an error"
	[ "$errors" -gt 0 ] && pass 1 || fail "nomemory: no allocation failed" 1
	if [ "$("$NLP_BIN/psql" -X -A -t -d postgres -c "$ask")" = "$want" ] &&
		[ "$("$NLP_BIN/psql" -X -A -t -d postgres -c "SELECT count(*) FROM nlp.activity WHERE pid <> pg_backend_pid()")" = 0 ]
	then pass 1; else fail "nomemory: the server after it" 1; fi
	stop
	server_log_clean nomemory
fi

if part valgrind; then
	need_packages valgrind
	dir=$here/memcheck
	rm -rf "$dir" "$logs/memcheck.ours"
	give "$dir"
	cp "$supp" "$work/valgrind.supp"
	chmod a+r "$work/valgrind.supp"
	cat > "$work/postgres.memcheck" <<WRAP
#!/bin/sh
exec valgrind --quiet --trace-children=no --track-origins=yes --num-callers=40 --fullpath-after= \\
	--suppressions="$work/valgrind.supp" --error-limit=no --error-markers=REPORT-BEGIN,REPORT-END \\
	--leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=none \\
	--log-file="$dir/%p.log" "$NLP_BIN/postgres" "\$@"
WRAP
	chmod a+rx "$work/postgres.memcheck"
	models=$MODELS_DIR
	if [ "${VALGRIND_MODEL:-tiny}" = tiny ]; then tiny_models; models=$work/tiny; fi
	server_stop "$work" immediate 2>/dev/null || true
	start_memcheck()
	{
		as_server "$NLP_BIN/pg_ctl" -D "$work/data" -l "$work/log" -w -t 600 -p "$work/postgres.memcheck" start >/dev/null
	}
	server_start() { start_memcheck || { tail -n 30 "$work/log" >&2; die "no server under memcheck"; }; }
	SLAB=64MB start "shared_buffers = 32MB" "autovacuum = off" "statement_timeout = 0"
	rc=0
	MODELS_DIR=$models regress memcheck regress/pg_regress "$work/src" $sql_valgrind || rc=$?
	stop
	grep -a -E '^test|^ok |^not ok' "$logs/memcheck.log" | sed 's/^/  /' || true
	# pg_regress itself must have got to its end; its verdicts on a tiny model mean nothing.
	grep -q -E 'tests? (failed|passed)|^# .*(failed|passed)' "$logs/memcheck.log" && pass 1 || fail "memcheck: pg_regress" 1
	cat "$dir"/*.log > "$logs/memcheck.reports" 2>/dev/null || true
	# An error counts wherever it is; a loss counts when it was one of our frames that asked
	# the allocator (what the server keeps for its life without a pointer is its own affair).
	sed 's/^==[0-9]*== \{0,1\}//' "$logs/memcheck.reports" | awk -v out="$logs/memcheck.ours" '
		/^REPORT-BEGIN/ { text = ""; asker = 0; next }
		/^REPORT-END/ { show(); next }
		{ text = text $0 "\n" }
		/^ +(at|by) / && !asker && !/utils\/mmgr\/|nodes\/list\.c|lib\/stringinfo\.c|psprintf\.c|guc_strdup/ {
			if (/\/src\/(pg|engine)\//) asker = 1; else if (/\/src\/(backend|common|port|include)\//) asker = 2
		}
		function show() {
			if (text ~ /definitely lost/) { if (asker != 1) { theirs++; return } lost++ } else errors++
			printf "%s\n", text > out
		}
		END { printf "memcheck: %d errors, %d losses of ours, %d of the server'"'"'s\n", errors, lost, theirs; exit errors + lost > 0 }' &&
		pass 1 || { head -n 120 "$logs/memcheck.ours"; fail "memcheck: reports, in $logs/memcheck.ours" 1; }
	server_log_clean memcheck
fi

if part asan; then
	"$NLP_TOP/tools/get_models.sh" "$MODELS_DIR" smollm2 vocabs > "$logs/models.log" 2>&1 || die "no models; $logs/models.log says why"
	san="-O1 -fno-omit-frame-pointer -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all"
	make -f engine.mk -s -j"$jobs" BUILD="$here/asan" ENGINE_EXTRA="$san" unit > "$logs/asan_build.log" 2>&1 ||
		{ tail -n 20 "$logs/asan_build.log"; fail "asan build" 1; }
	for f in test/unit/*_test.c; do
		t=$(basename "$f" .c) rc=0
		timeout -k 10 "${TEST_TIMEOUT:-7200}" "$here/asan/unit/$t" > "$logs/asan_$t.log" 2>&1 </dev/null || rc=$?
		printf '  %-24s %s\n' "$t" "$(tail -n 1 "$logs/asan_$t.log")"
		if [ $rc -eq 0 ]; then pass 1; else tail -n 30 "$logs/asan_$t.log"; fail "asan $t" 1; fi
	done
fi

say "done in $((SECONDS - started)) s; logs are in $logs"
for f in "${failures[@]}"; do printf 'FAILED  %s\n' "$f"; done
printf '%d passed, %d failed\n' $passed $failed
[ $failed -eq 0 ]
