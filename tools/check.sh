#!/usr/bin/env bash
# check.sh [PART...] --- every test; ends with one line "N passed, N failed".
#
# Parts, in order: engine unit fuzz exports regress isolation tap. Without arguments all of
# them. Servers are private (see lib.sh) and stopped at the end; a demo beside it goes on.
# A program that crashes, hangs or says no summary is a failed test; what this machine
# cannot run is shown as "not run: ..." and counted neither way.
. "$(dirname "$0")/lib.sh"
cd "$NLP_TOP"

parts=${*:-engine unit fuzz exports regress isolation tap}
nlp_var_init
choose_pg
need_packages $NLP_MODEL_PACKAGES $NLP_TEST_PACKAGES

name=check
[ "$BUILD" = build ] || name=check-$(basename "$BUILD")
work=$NLP_VAR/$name			# may be read by the server's user
logs=$NLP_BUILD/logs
mkdir -p "$logs" "$work"
passed=0 failed=0 failures=()
started=$SECONDS

pass() { passed=$((passed + $1)); }
fail() { failed=$((failed + $2)); failures+=("$1: $2 failed"); }
part() { case " $parts " in *" $1 "*) say "$1 (at $((SECONDS - started)) s)"; return 0 ;; esac; return 1; }

# run_summed NAME LOG CMD...: run a program that ends with "N passed, N failed"
run_summed()
{
	local what=$1 log=$2 t0=$SECONDS rc=0 line
	shift 2
	timeout -k 10 "${TEST_TIMEOUT:-900}" "$@" > "$log" 2>&1 </dev/null || rc=$?
	grep -a -E '^not run: ' "$log" || true
	line=$(grep -a -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1 || true)
	if [ -z "$line" ] || { [ $rc -ne 0 ] && [ "${line#*, }" = "0 failed" ]; }; then
		printf '%s: no summary, or died after it (status %d); %s ends with:\n' "$what" $rc "$log"
		tail -n 15 "$log"
		fail "$what" 1
		[ -n "$line" ] || return 0
	fi
	pass "${line%% *}"
	line=${line#*, }
	if [ "${line%% *}" -ne 0 ]; then
		grep -a 'failed' "$log" | grep -a -v -E '^[0-9]+ passed, ' | head -n 15 || true
		fail "$what" "${line%% *}"
	fi
	printf '%-34s %s (%d s)\n' "$what" "$(grep -a -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)" $((SECONDS - t0))
}

# run_step NAME LOG CMD...: a command that either works or is one failed test
run_step()
{
	local what=$1 log=$2
	shift 2
	if "$@" > "$log" 2>&1 </dev/null; then pass 1; return 0; fi
	printf '%s: failed; %s ends with:\n' "$what" "$log"
	tail -n 20 "$log"
	fail "$what" 1
	return 1
}

emake() { make -f engine.mk --no-print-directory -s -k -j"$(nproc)" BUILD="$NLP_BUILD" "$@"; }

run_step "build without warnings" "$logs/build.log" build_extension all || true
if grep -n 'warning:' "$logs/build.log"; then fail "compiler warnings" 1; fi
run_step "fetch models" "$logs/models.log" "$NLP_TOP/tools/get_models.sh" "$MODELS_DIR" smollm2 vocabs || true

if part engine; then
	run_step "engine without server headers" "$logs/engine.log" emake engine-only || true
	run_step "rooms include what they may" "$logs/arrows.log" tools/check_arrows.sh || true
fi

if part unit; then
	run_step "build unit tests" "$logs/unit_build.log" emake unit engine-tools || true
	for f in test/unit/*_test.c; do
		t=$(basename "$f" .c)
		if [ ! -x "$NLP_BUILD/unit/$t" ]; then fail "unit $t (did not build)" 1; continue; fi
		run_summed "unit $t" "$logs/unit_$t.log" "$NLP_BUILD/unit/$t"
	done
fi

if part fuzz; then
	TEST_TIMEOUT=900 run_summed "fuzz corpora" "$logs/fuzz.log" tools/fuzz.sh replay
fi

# ---- with a server ----
regress_dir=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
if part exports; then
	run_step "exported symbols" "$logs/exports.log" build_extension check-exports || true
fi

need_server() { case " $parts " in *" regress "*|*" isolation "*|*" tap "*) return 0 ;; esac; return 1; }
if need_server; then
	run_step "private installation" "$logs/install.log" private_install "$work/inst" || die "cannot go on without it"
	NLP_BIN=$work/inst$("$PG_CONFIG" --bindir)
	# The server's user may not be able to read this tree: what tests read is copied.
	rm -rf "$work/src"
	mkdir -p "$work/src"
	cp -r sql expected test examples README.md "$work/src/"
	[ ! -d docs ] || cp -r docs "$work/src/"
	chmod -R a+rX "$work/src"
	export NLP_SRC=$work/src
fi

# Results of pg_regress 15 ("test x ... ok") and of later ones ("ok 1 - x").
count_regress()
{
	local what=$1 log=$2 good bad
	grep -E '^(test|not ok|ok) |^ +[a-z0-9_-]+ +\.\.\. ' "$log" | sed 's/^/  /' || true
	good=$(grep -c -E '\.\.\. +ok |^ok [0-9]' "$log" || true)
	bad=$(grep -c -E '\.\.\. +(FAILED|failed)|^not ok [0-9]' "$log" || true)
	pass "$good"
	if [ "$bad" -gt 0 ]; then
		fail "$what" "$bad"
		head -n 60 "$NLP_BUILD/$what/regression.diffs" 2>/dev/null || true
	elif [ "$3" -ne 0 ] || [ "$good" -eq 0 ]; then
		tail -n 15 "$log"
		fail "$what (status $3)" 1
	fi
}

if part regress || part isolation; then
	server_stop "$work" immediate 2>/dev/null || true
	rm -rf "$work/data"
	server_init "$work" <<'CONF'
shared_preload_libraries = 'pg_nlp'
pg_nlp.shared_memory_size = '512MB'
fsync = off
max_connections = 50
max_prepared_transactions = 10
log_statement = none
CONF
	trap 'server_stop "$work" immediate 2>/dev/null || true' EXIT
	run_step "server with the library preloaded" "$logs/server.log" server_start "$work" || die "no server; $work/log says why"
	export PGHOST=$work/sock PGPORT=5432 PGUSER=postgres

	case " $parts " in *" regress "*)
		tests=$(cd sql && ls ./*.sql 2>/dev/null | sed 's,^\./,,; s/\.sql$//' | sort)
		mkdir -p "$NLP_BUILD/regress"
		rc=0
		timeout -k 10 900 "$regress_dir/regress/pg_regress" --bindir="$NLP_BIN" --inputdir="$NLP_SRC" \
			--outputdir="$NLP_BUILD/regress" --host="$PGHOST" --port=5432 --user=postgres --dbname=pg_nlp_regress \
			$tests > "$logs/regress.log" 2>&1 </dev/null || rc=$?
		count_regress regress "$logs/regress.log" $rc ;;
	esac
	server_stop "$work"		# each begins with nothing resident
	server_start "$work"
	case " $parts " in *" isolation "*)
		specs=$(cd test/isolation/specs && ls ./*.spec 2>/dev/null | sed 's,^\./,,; s/\.spec$//' | sort)
		mkdir -p "$NLP_BUILD/isolation"
		rc=0
		timeout -k 10 900 "$regress_dir/isolation/pg_isolation_regress" --bindir="$NLP_BIN" --inputdir="$NLP_SRC/test/isolation" \
			--outputdir="$NLP_BUILD/isolation" --host="$PGHOST" --port=5432 --user=postgres --dbname=pg_nlp_isolation \
			$specs > "$logs/isolation.log" 2>&1 </dev/null || rc=$?
		count_regress isolation "$logs/isolation.log" $rc ;;
	esac
	# A backend that crashed in some test may have been forgiven by it; not by us.
	if grep -a -E 'was terminated by signal|PANIC:|TRAP:' "$work/log"; then fail "the server's log" 1; else pass 1; fi
	server_stop "$work"
	trap - EXIT
	unset PGHOST PGPORT PGUSER
fi

if part tap; then
	give "$work/tap"
	perl_dir=$regress_dir/perl
	for f in test/t/*.pl; do
		t=$(basename "$f" .pl) log=$logs/tap_$(basename "$f" .pl).log rc=0 t0=$SECONDS
		[ -n "${TAP_ONLY:-}" ] && [[ ! $t =~ $TAP_ONLY ]] && continue
		: > "$log"
		give "$work/tap/$t"
		# Where root may mount, each test has a /dev/shm of its own, so that it can count what is in
		# there whoever else runs servers; and a small one where it asks for that. (Others try a user
		# namespace in the test that needs it.)
		ns=() shm=mode=1777
		[[ $t != *small_shm* ]] || shm=$shm,size=64m
		if unshare -m sh -c "mount -t tmpfs -o $shm tmpfs /dev/shm" 2>/dev/null; then
			ns=(unshare -m sh -c "mount -t tmpfs -o $shm tmpfs /dev/shm && exec \"\$@\"" sh)
		fi
		as_server_in "${ns[@]}" -- env PATH="$NLP_BIN:$PATH" PG_REGRESS="$regress_dir/regress/pg_regress" PG_TEST_TIMEOUT_DEFAULT=120 \
			TESTDIR="$work/tap/$t" TESTLOGDIR="$work/tap/$t/log" TESTDATADIR="$work/tap/$t/data" \
			NLP_SRC="$NLP_SRC" MODELS_DIR="$MODELS_DIR" \
			timeout -k 10 "${TEST_TIMEOUT:-900}" perl -I "$perl_dir" -I "$NLP_SRC/test/t/lib" "$NLP_SRC/test/t/$t.pl" > "$log" 2>&1 </dev/null || rc=$?
		for inner in "$work/tap/$t"/tmp_check/log/regress_log_*; do	# what the test's own commands said
			[ ! -e "$inner" ] || cp "$inner" "$logs/tap_$t.inner.log"
		done
		cat "$work/tap/$t"/tmp_check/log/*.log > "$logs/tap_$t.server.log" 2>/dev/null || true
		good=$(grep -c -E '^ok [0-9]+' "$log" || true)
		bad=$(grep -c -E '^not ok [0-9]+' "$log" || true)
		grep -E '^# not run: |^# figure: ' "$log" | sed 's/^# //' || true
		pass "$good"
		if [ "$bad" -gt 0 ]; then
			grep -A 8 -E '^not ok' "$log" | head -n 40
			fail "tap $t" "$bad"
		elif [ $rc -ne 0 ] || ! grep -q -E '^1\.\.[1-9]' "$log"; then
			tail -n 15 "$log"
			tail -n 15 "$logs/tap_$t.inner.log" || true
			fail "tap $t (status $rc)" 1
		fi
		printf '%-34s %d passed, %d failed (%d s)\n' "tap $t" "$good" "$bad" $((SECONDS - t0))
		as_server rm -rf "$work/tap/$t/tmp_check" "$work/tap/$t/data" "$work/tap/$t"/*/pgdata
	done
fi

say "done in $((SECONDS - started)) s; logs are in $logs"
for f in "${failures[@]}"; do printf 'FAILED  %s\n' "$f"; done
printf '%d passed, %d failed\n' $passed $failed
[ $failed -eq 0 ]
