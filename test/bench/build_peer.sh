#!/usr/bin/env bash
# build_peer.sh DIR --- llama.cpp's own tools, the peer of our speed claims, under DIR/bin.
#
# Source: the source package of llama-cpp-python, which carries llama.cpp whole, fetched with
# pip. Built outside the tree for the machine it runs on (GGML_NATIVE), without OpenMP or
# BLAS, so that threads mean the same on both sides. PEER_CMAKE_ARGS adds to that, for
# example -DGGML_AVX512=OFF with -DGGML_NATIVE=OFF. About ten minutes on two cores.
set -euo pipefail
version=0.3.36
dir=${1:?usage: build_peer.sh DIR}
mkdir -p "$dir"; dir=$(cd "$dir" && pwd)
programs="llama-bench llama-batched-bench llama-completion llama-perplexity llama-quantize llama-tokenize"
have=1
for p in $programs; do [ -x "$dir/bin/$p" ] || have=0; done
[ $have -eq 0 ] || { echo "peer: already built in $dir/bin"; exit 0; }

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
echo "peer: fetching the source package llama-cpp-python $version"
python3 -m pip download -q --no-deps --no-build-isolation --disable-pip-version-check --no-binary llama-cpp-python \
	"llama-cpp-python==$version" -d "$work" > "$dir/fetch.log" 2>&1 || {
	# pip asks the package for its metadata, which needs its build tools; they come with it into a throw-away environment.
	python3 -m venv "$work/venv"
	"$work/venv/bin/pip" install -q --disable-pip-version-check scikit-build-core cmake ninja >> "$dir/fetch.log" 2>&1
	"$work/venv/bin/python" -m pip download -q --no-deps --no-build-isolation --disable-pip-version-check --no-binary llama-cpp-python \
		"llama-cpp-python==$version" -d "$work" >> "$dir/fetch.log" 2>&1 || { tail "$dir/fetch.log"; exit 1; }
}
tar xzf "$work"/llama_cpp_python-*.tar.gz -C "$work"
src=$(echo "$work"/llama_cpp_python-*/vendor/llama.cpp)
cmake=$(command -v cmake || echo "$work/venv/bin/cmake")
echo "peer: building ($dir/build.log)"
"$cmake" -S "$src" -B "$dir/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DGGML_OPENMP=OFF -DGGML_BLAS=OFF \
	-DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF -DBUILD_SHARED_LIBS=OFF ${PEER_CMAKE_ARGS:-} > "$dir/build.log" 2>&1
"$cmake" --build "$dir/build" -j"$(nproc)" --target $programs >> "$dir/build.log" 2>&1 || { tail -n 20 "$dir/build.log"; exit 1; }
mkdir -p "$dir/bin"
for p in $programs; do cp "$dir/build/bin/$p" "$dir/bin/"; done
rm -rf "$dir/build"
echo "peer: built in $dir/bin"
