#!/usr/bin/env bash
# fuzz.sh [replay] --- the fuzz targets of test/fuzz.
#
# test/fuzz/NAME_fuzz.c defines LLVMFuzzerTestOneInput; its corpus is test/fuzz/corpus/NAME/.
#   replay    build with gcc under ASAN and UBSAN and run every corpus file once; ends with
#             "N passed, N failed", a file being a test
#   (none)    build with clang's libFuzzer and run each target FUZZ_SECONDS (default 60)
#             starting from its corpus; a finding is kept under BUILD/fuzz/NAME and fails
. "$(dirname "$0")/lib.sh"
cd "$NLP_TOP"
nlp_var_init

mode=${1:-run}
san="-O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
libs="-lutf8proc -ljansson -lpthread -lm"
targets=$(ls test/fuzz/*_fuzz.c 2>/dev/null || true)
[ -n "$targets" ] || die "no fuzz target in test/fuzz"
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:max_allocation_size_mb=2048
export UBSAN_OPTIONS=print_stacktrace=1

if [ "$mode" = replay ]; then
	b=$NLP_BUILD/asan
	make -f engine.mk -s --no-print-directory -j"$(nproc)" BUILD="$b" ENGINE_EXTRA="$san" KERNEL_EXTRA=-O1 engine
	mkdir -p "$b/fuzz"
	passed=0 failed=0
	for f in $targets; do
		t=$(basename "$f" _fuzz.c)
		if ! gcc -std=gnu11 -g $san -Isrc/engine -Itest/unit -Itest/fuzz -o "$b/fuzz/$t" "$f" test/harness/replay_main.c "$b/libnlp_engine.a" $libs; then
			echo "fuzz $t: failed to build"; failed=$((failed + 1)); continue
		fi
		n=0 bad=0
		# One process for all of a target's files; when it dies, the file it was at is the finding.
		mapfile -t inputs < <(find "test/fuzz/corpus/$t" -type f 2>/dev/null | sort)
		[ ${#inputs[@]} -gt 0 ] || { echo "fuzz $t: failed: no corpus"; failed=$((failed + 1)); continue; }
		i=0
		while [ $i -lt ${#inputs[@]} ]; do
			rc=0
			printf '%s\n' "${inputs[@]:$i}" | timeout -k 5 600 "$b/fuzz/$t" > "$b/fuzz/$t.log" 2>&1 || rc=$?
			done_n=$(grep -a -c '^replayed ' "$b/fuzz/$t.log" || true)
			n=$((n + done_n)); i=$((i + done_n))
			[ $rc -ne 0 ] || break
			echo "fuzz $t: failed on ${inputs[$i]:-the end (leaks?)}"
			grep -a -v '^replayed ' "$b/fuzz/$t.log" | head -n 25
			bad=$((bad + 1)); i=$((i + 1))
		done
		echo "fuzz $t: $n of ${#inputs[@]} inputs replayed"
		passed=$((passed + n)); failed=$((failed + bad))
	done
	echo "$passed passed, $failed failed"
	[ $failed -eq 0 ]
	exit
fi

need_packages clang llvm
clang=$(command -v clang || command -v clang-14) || die "clang is needed for fuzzing"
b=$NLP_BUILD/fuzz
make -f engine.mk -s --no-print-directory -j"$(nproc)" BUILD="$b" CC="$clang" ENGINE_EXTRA="$san -fsanitize=fuzzer-no-link" KERNEL_EXTRA=-O1 engine
failed=0
for f in $targets; do
	t=$(basename "$f" _fuzz.c)
	[ -z "${FUZZ_ONLY:-}" ] || [[ $t =~ $FUZZ_ONLY ]] || continue
	"$clang" -std=gnu11 -g $san -fsanitize=fuzzer -Isrc/engine -Itest/unit -Itest/fuzz -o "$b/$t" "$f" "$b/libnlp_engine.a" $libs
	mkdir -p "$b/$t.corpus" "$b/$t.found"
	[ ! -d "test/fuzz/corpus/$t" ] || mkdir -p "test/fuzz/corpus/$t"
	say "fuzzing $t for ${FUZZ_SECONDS:-60} s"
	if "$b/$t" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$b/$t.found/" "$b/$t.corpus" "test/fuzz/corpus/$t" > "$b/$t.log" 2>&1; then
		grep -E 'number_of_executed_units|Done ' "$b/$t.log" || true
	else
		failed=$((failed + 1))
		tail -n 40 "$b/$t.log"
	fi
done
say "$failed targets with findings; they lie in $b/*.found"
[ $failed -eq 0 ]
