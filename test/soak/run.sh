#!/usr/bin/env bash
# run.sh --- the long campaigns, before a release: hours on two cores.
#
#   1,000 cancels (at least 150 in each phase), 100 kills, 200 steps of a standby, 64 sessions'
#   memory, 10,000 events over an hour with and without preloading, every unit program under
#   ASAN and UBSAN, then every fuzz target for FUZZ_SECONDS (an hour each).
# SOAK_SCALE=0.01 runs all of it shortened, to try the scripts themselves.
. "$(dirname "$0")/../../tools/lib.sh"
cd "$NLP_TOP"
scale=${SOAK_SCALE:-1}
n() { awk -v a="$1" -v s="$scale" 'BEGIN { v = int(a * s); print (v < 1 ? 1 : v) }'; }
failed=()
step() { say "$1"; shift; "$@" || failed+=("$*"); }

step "events" env TAP_ONLY=010 TEST_TIMEOUT=20000 NLP_EVENTS="$(n 10000)" NLP_MINUTES="$(n 60)" tools/check.sh tap
step "events, not preloaded" env TAP_ONLY=010 TEST_TIMEOUT=20000 NLP_PRELOAD=0 NLP_EVENTS="$(n 10000)" NLP_MINUTES="$(n 60)" tools/check.sh tap
step "cancels" env TAP_ONLY=008 TEST_TIMEOUT=20000 NLP_CANCELS="$(n 1000)" tools/check.sh tap
step "kills" env TAP_ONLY=002 TEST_TIMEOUT=20000 NLP_KILLS="$(n 100)" tools/check.sh tap
step "standby" env TAP_ONLY=007 TEST_TIMEOUT=20000 NLP_STANDBY_STEPS="$(n 200)" tools/check.sh tap
step "memory of 64 sessions" env TAP_ONLY=005 TEST_TIMEOUT=20000 NLP_SESSIONS=64 tools/check.sh tap

say "unit programs under ASAN and UBSAN"
san="-O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
make -f engine.mk -s -j"$(nproc)" BUILD="$NLP_BUILD/asan-all" ENGINE_EXTRA="$san" unit
for u in "$NLP_BUILD"/asan-all/unit/*_test; do
	"$u" > "$u.log" 2>&1 || { tail -n 20 "$u.log"; failed+=("$u"); }
	tail -n 1 "$u.log"
done

step "fuzzing" env FUZZ_SECONDS="${FUZZ_SECONDS:-$(n 3600)}" tools/fuzz.sh
for f in "${failed[@]}"; do echo "FAILED  $f"; done
[ ${#failed[@]} -eq 0 ] && echo "soak: all well"
