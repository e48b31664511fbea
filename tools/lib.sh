# lib.sh --- what demo, check, soak and the benches share: packages, a private
# installation of the server beside the extension, private servers. Sourced by bash.
#
# Everything lives under $NLP_VAR (/var/tmp/pg_nlp-UID): any user may read the path, which
# matters when root runs this, because the server then runs as an unprivileged user.
# Nothing here touches the system's own clusters, ports or configuration.

set -euo pipefail
umask 022

NLP_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
NLP_VAR=${NLP_VAR:-/var/tmp/pg_nlp-$(id -u)}
BUILD=${BUILD:-build}
case $BUILD in /*) NLP_BUILD=$BUILD ;; *) NLP_BUILD=$NLP_TOP/$BUILD ;; esac
MODELS_DIR=${MODELS_DIR:-$NLP_VAR/models}
PG_NLP_MODELS=$MODELS_DIR
export PG_NLP_MODELS BUILD NLP_TOP NLP_VAR NLP_BUILD MODELS_DIR
export LC_ALL=C.UTF-8
unset MAKEFLAGS MFLAGS MAKELEVEL PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE 2>/dev/null || true

say() { printf '== %s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# ---- the directory of this user ----
nlp_var_init()
{
	[ -d "$NLP_VAR" ] || mkdir -m 755 "$NLP_VAR"
	# Somebody else's directory under a name that can be guessed is not to be used.
	[ -O "$NLP_VAR" ] && [ ! -L "$NLP_VAR" ] || die "$NLP_VAR belongs to someone else; set NLP_VAR"
	mkdir -p "$MODELS_DIR"
}

# ---- packages ----
# need_packages NAME...: apt-get installs those that are not there; says which.
need_packages()
{
	local p missing=()
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		say "no apt here; needed are the equivalents of: $*"
		return 0
	fi
	for p; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing with apt-get: ${missing[*]}"
	local as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || die "not root and no sudo here; install: ${missing[*]}"
		as_root=(sudo)
	fi
	local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
	{ "${apt[@]}" update -qq && "${apt[@]}" install -y -qq --no-install-recommends "${missing[@]}"; } > "$NLP_VAR/apt.log" 2>&1 </dev/null ||
		{ tail -n 20 "$NLP_VAR/apt.log" >&2; die "apt-get failed; the whole log is $NLP_VAR/apt.log"; }
}

NLP_BUILD_PACKAGES="postgresql-15 postgresql-client-15 postgresql-server-dev-15 gcc libc6-dev make pkg-config libutf8proc-dev libjansson-dev"
NLP_MODEL_PACKAGES="python3 python3-pip unzip ca-certificates"
NLP_TEST_PACKAGES="perl libipc-run-perl util-linux procps binutils"

# choose_pg: which server. PG_CONFIG when it was given, else the newest that has headers;
# when there is none, Debian's postgresql-15 is installed.
choose_pg()
{
	local c
	if [ -n "${PG_CONFIG:-}" ] && [ "$PG_CONFIG" != pg_config ]; then
		[ -f "$("$PG_CONFIG" --pgxs)" ] || die "$PG_CONFIG has no server headers"
		need_packages ${NLP_BUILD_PACKAGES#* * * }
	else
		PG_CONFIG=
		for c in $(ls -vr /usr/lib/postgresql/*/bin/pg_config 2>/dev/null); do
			if [ -f "$("$c" --pgxs)" ] && [ -x "${c%/*}/postgres" ]; then PG_CONFIG=$c; break; fi
		done
		if [ -z "$PG_CONFIG" ]; then
			need_packages $NLP_BUILD_PACKAGES
			PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config
		else
			need_packages ${NLP_BUILD_PACKAGES#* * * }
		fi
	fi
	export PG_CONFIG
}

# ---- the user the server runs as ----
server_user()
{
	if [ "$(id -u)" -ne 0 ]; then id -un
	elif id postgres >/dev/null 2>&1; then echo postgres
	else echo nobody
	fi
}

# as_server CMD...: run as the server's user, from a directory that user can be in.
as_server()
{
	if [ "$(id -u)" -ne 0 ]; then (cd "$NLP_VAR" && "$@")
	else (cd "$NLP_VAR" && runuser -u "$(server_user)" -- "$@")
	fi
}

# as_server_in WRAPPER... -- CMD...: the same, with a command of our own rights around it.
as_server_in()
{
	local wrap=()
	while [ "$1" != -- ]; do wrap+=("$1"); shift; done
	shift
	if [ "$(id -u)" -ne 0 ]; then (cd "$NLP_VAR" && "${wrap[@]}" "$@")
	else (cd "$NLP_VAR" && "${wrap[@]}" runuser -u "$(server_user)" -- "$@")
	fi
}

# give DIR...: a directory the server's user may write.
give()
{
	mkdir -p "$@"
	[ "$(id -u)" -ne 0 ] || chown "$(server_user)" "$@"
}

build_extension()
{
	make -C "$NLP_TOP" --no-print-directory -j"$(nproc)" -s PG_CONFIG="$PG_CONFIG" BUILD="$BUILD" "$@"
}

# private_install DIR: copy the server's programs and link its other files under DIR as with
# DESTDIR, then install the extension there. PostgreSQL finds its files relative to the
# program, so this is a whole installation, and the system's stays as it was.
# Sets NLP_BIN.
private_install()
{
	local dir=$1 d stamp
	stamp=$dir/.from
	if [ "$(cat "$stamp" 2>/dev/null)" != "$("$PG_CONFIG" --version --bindir)" ]; then
		rm -rf "$dir"
		mkdir -p "$dir$("$PG_CONFIG" --bindir)"
		cp -L "$("$PG_CONFIG" --bindir)"/* "$dir$("$PG_CONFIG" --bindir)/"
		for d in "$("$PG_CONFIG" --pkglibdir)" "$("$PG_CONFIG" --sharedir)"; do
			mkdir -p "$dir$d"
			(cd "$d" && find . -path ./bitcode -prune -o -type d -print) | (cd "$dir$d" && xargs mkdir -p)
			(cd "$d" && find . -path ./bitcode -prune -o ! -type d ! -name 'pg_nlp*' -print) |
				while read -r f; do ln -s "$d/${f#./}" "$dir$d/$f"; done
		done
		"$PG_CONFIG" --version --bindir > "$stamp"
	fi
	build_extension install DESTDIR="$dir" >/dev/null
	NLP_BIN=$dir$("$PG_CONFIG" --bindir)
	export NLP_BIN
}

# ---- private servers ----
# server_init DIR: initdb under DIR/data when it is not there; settings from stdin are written each time.
server_init()
{
	local dir=$1
	give "$dir"
	give "$dir/sock"
	if [ ! -f "$dir/data/PG_VERSION" ]; then
		rm -rf "$dir/data"
		as_server "$NLP_BIN/initdb" -D "$dir/data" -U postgres -E UTF8 --locale=C.UTF-8 -A trust -N > "$dir/initdb.log" 2>&1 ||
			{ cat "$dir/initdb.log" >&2; die "initdb failed"; }
		echo "include_if_exists = 'pg_nlp.conf'" >> "$dir/data/postgresql.conf"
	fi
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$dir/sock'"
		echo "unix_socket_permissions = 0700"
		echo "port = 5432"
		echo "log_line_prefix = '%m [%p] %q%u@%d '"
		cat
	} > "$dir/data/pg_nlp.conf.new"
	mv "$dir/data/pg_nlp.conf.new" "$dir/data/pg_nlp.conf"
	[ "$(id -u)" -ne 0 ] || chown "$(server_user)" "$dir/data/pg_nlp.conf"
}

server_running() { [ -f "$1/data/postmaster.pid" ] && as_server "$NLP_BIN/pg_ctl" -D "$1/data" status >/dev/null 2>&1; }

server_start()
{
	as_server "$NLP_BIN/pg_ctl" -D "$1/data" -l "$1/log" -w -t 120 start >/dev/null ||
		{ tail -n 30 "$1/log" >&2; die "the server did not start; its log is $1/log"; }
}

server_stop()
{
	if server_running "$1"; then as_server "$NLP_BIN/pg_ctl" -D "$1/data" -w -m "${2:-fast}" stop >/dev/null; fi
}
