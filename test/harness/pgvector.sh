#!/bin/sh
# pgvector.sh source|install ... --- pgvector, for tests and benches that run beside it.
#
#   source DIR             its source under DIR; prints the path
#   install ROOT [WORK]    built for the server of PG_CONFIG with pgvector's own flags, in WORK (a
#                          new temporary directory), and put where that server has its files, under
#                          ROOT (as with DESTDIR)
#
# The source is that of Debian trixie's source package, checked by sha256. It is fetched over
# https without any apt configuration and kept in $NLP_VAR/pgvector, if that may be written;
# nothing of it is ever part of this tree. (This file lies under test/ because tests run as a user
# who may not see the rest; tools/pgvector.sh is its name for everybody else.)
set -eu

version=0.8.0
file=pgvector_$version.orig.tar.gz
sum=867a2c328d4928a5a9d6f052cd3bc78c7d60228a9b914ad32aa3db88e9de27b0
# Debian's mirrors drop a version when no release has it any more; the second keeps everything.
urls="https://deb.debian.org/debian/pool/main/p/pgvector/$file
https://snapshot.debian.org/archive/debian/20250801T000000Z/pool/main/p/pgvector/$file"

fail() { echo "pgvector.sh: $*" >&2; exit 1; }
right() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = $sum ]; }

download()	# URL FILE
{
	if command -v curl >/dev/null; then curl -fsSL --retry 3 --connect-timeout 20 -o "$2" "$1"
	elif command -v wget >/dev/null; then wget -q --tries=3 --timeout=60 -O "$2" "$1"
	else python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(sys.argv[1], sys.argv[2])' "$1" "$2"
	fi
}

# The tarball's path in $tarball: kept from before, or fetched, to DIR when the cache is not ours.
get()
{
	cache=${NLP_VAR:-/var/tmp/pg_nlp-$(id -u)}/pgvector
	tarball=$cache/$file
	! right "$tarball" || return 0
	mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || cache=$1
	tarball=$cache/$file
	! right "$tarball" || return 0
	for url in $urls; do
		if download "$url" "$tarball.$$" && right "$tarball.$$"; then
			mv "$tarball.$$" "$tarball"
			return 0
		fi
		rm -f "$tarball.$$"
	done
	fail "could not fetch $file with the expected sha256 from deb.debian.org or snapshot.debian.org"
}

unpack()	# DIR
{
	mkdir -p "$1"
	get "$1"
	tar -xzf "$tarball" -C "$1" --no-same-owner
	[ -f "$1/pgvector-$version/vector.control" ] || fail "$file holds something else than expected"
}

case ${1-} in
source)
	[ $# -eq 2 ] || fail "usage: pgvector.sh source DIR"
	unpack "$2"
	echo "$2/pgvector-$version"
	;;
install)
	[ $# -ge 2 ] || fail "usage: pgvector.sh install ROOT [WORK]"
	work=${3:-}
	if [ -z "$work" ]; then
		work=$(mktemp -d "${TMPDIR:-/tmp}/pgvector.XXXXXX")
		trap 'rm -rf "$work"' EXIT
	fi
	unpack "$work"
	# No bitcode: it is used by the server's JIT alone and needs the server's own clang.
	make -s -C "$work/pgvector-$version" PG_CONFIG="${PG_CONFIG:-pg_config}" with_llvm=no all install DESTDIR="$2" > "$work/build.log" 2>&1 ||
		{ tail -n 20 "$work/build.log" >&2; fail "pgvector does not build"; }
	;;
*)
	fail "usage: pgvector.sh source DIR | install ROOT [WORK]"
	;;
esac
