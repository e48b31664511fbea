#!/usr/bin/env bash
# check_neon.sh --- the kernels on aarch64: cross-compiled, and run under qemu where it can be had.
#
# Compiles every kernel for armv8.2-a with dot product, warnings being failures, and the trainer of
# word vectors, then links the kernels' unit programs statically and runs them: their comparisons
# with the plain twins are bit for bit. qemu computes exactly; its speed says nothing. Packages are installed by apt.
. "$(dirname "$0")/lib.sh"
cd "$NLP_TOP"
nlp_var_init
need_packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static make
b=$NLP_BUILD/neon
mkdir -p "$b"
ar=aarch64-linux-gnu-ar cc=aarch64-linux-gnu-gcc
flags="-std=gnu11 -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror -ffp-contract=off -fno-math-errno -fno-trapping-math -Isrc/engine -Itest/unit"
objs=() failed=0
for f in src/engine/core/*.c src/engine/tensor/*.c src/engine/kernel/*.c src/engine/format/gguf*.c src/engine/format/source*.c \
	src/engine/wordvec/{alias,huffman,sampler,subword,train*,vocab,words*}.c; do
	o=$b/$(basename "$f" .c).o isa=
	case $f in *_neon.c) isa="-march=armv8.2-a+dotprod+fp16" ;; esac
	if [ ! "$o" -nt "$f" ]; then "$cc" $flags $isa -c -o "$o" "$f" || { failed=$((failed + 1)); continue; }; fi
	objs+=("$o")
done
[ $failed -eq 0 ] || { echo "0 passed, $failed failed"; exit 1; }
say "core, tensor, kernel and wordvec compile for aarch64"
rm -f "$b/lib.a"
"$ar" rcs "$b/lib.a" "${objs[@]}"
passed=0
for t in ${*:-attention_test rowwise_test matmul_test pack_test dtype_test scan_test word2vec_parts_test}; do
	"$cc" ${flags/-Werror/} -static -o "$b/$t" "test/unit/$t.c" "$b/lib.a" -lpthread -lm
	rc=0
	timeout 1800 qemu-aarch64-static -cpu max "$b/$t" > "$b/$t.log" 2>&1 || rc=$?
	grep '^not run' "$b/$t.log" || true
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$b/$t.log" || echo "0 passed, 1 failed")
	echo "$t on neon (qemu): $line"
	[ $rc -eq 0 ] || { grep failed: "$b/$t.log" | head; failed=$((failed + 1)); }
	passed=$((passed + ${line%% *}))
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
