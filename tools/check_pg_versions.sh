#!/usr/bin/env bash
# check_pg_versions.sh [VERSION...] --- compile against other major versions, warnings being failures.
#
#   15  Debian bookworm   17  Debian trixie   18  Debian sid   16  the pgserver package of PyPI
#
# Headers are taken out of the packages into a temporary directory; nothing is installed and
# this machine's apt configuration is left alone. A version whose packages cannot be had is
# said to be "not run". Where the machine can run that version's server too, the extension is
# created in one and asked (16).
. "$(dirname "$0")/lib.sh"
cd "$NLP_TOP"
nlp_var_init
need_packages $NLP_BUILD_PACKAGES $NLP_MODEL_PACKAGES
work=$(mktemp -d /var/tmp/pg_nlp-versions.XXXXXX)
chmod 755 "$work"
trap '[ -n "${KEEP:-}" ] || rm -rf "$work"' EXIT
versions=${*:-15 16 17 18}
arch=$(dpkg --print-architecture)
failed=0

# fetch_debs SUITE DIR PACKAGE...: the packages' files under DIR, by apt with state of its own
fetch_debs()
{
	local suite=$1 dir=$2 s=$work/apt-$1
	shift 2
	mkdir -p "$s/lists/partial" "$s/cache/archives/partial" "$s/etc" "$dir"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" > "$s/etc/sources.list"
	: > "$s/status"
	local apt=(-o Dir::Etc::sourcelist="$s/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null
		-o Dir::State="$s" -o Dir::State::lists="$s/lists" -o Dir::State::status="$s/status" -o Dir::Cache="$s/cache"
		-o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Acquire::Languages=none)
	apt-get "${apt[@]}" update -qq > "$s/log" 2>&1 || return 1
	(cd "$s" && apt-get "${apt[@]}" download "$@" >> "$s/log" 2>&1) || return 1
	for d in "$s"/*.deb; do dpkg -x "$d" "$dir"; done
}

# pg_config_for DIR VERSION: a pg_config that answers for Debian's layout under DIR. (The packaged
# program is for a newer C library than this machine may have.)
pg_config_for()
{
	local dir=$1 v=$2
	mkdir -p "$dir/bin"
	cat > "$dir/bin/pg_config" <<WRAP
#!/bin/sh
for a; do case \$a in
--version) echo "PostgreSQL $v" ;;
--pgxs) echo "$dir/usr/lib/postgresql/$v/lib/pgxs/src/makefiles/pgxs.mk" ;;
--bindir) echo "$dir/usr/lib/postgresql/$v/bin" ;;
--includedir) echo "$dir/usr/include/postgresql" ;;
--pkgincludedir) echo "$dir/usr/include/postgresql" ;;
--includedir-server) echo "$dir/usr/include/postgresql/$v/server" ;;
--libdir) echo "$dir/usr/lib" ;;
--pkglibdir) echo "$dir/usr/lib/postgresql/$v/lib" ;;
--sharedir) echo "$dir/usr/share/postgresql/$v" ;;
--docdir|--htmldir) echo "$dir/usr/share/doc" ;;
--localedir|--mandir|--sysconfdir) echo "$dir/usr/share/none" ;;
*) echo ;;
esac; done
WRAP
	chmod 755 "$dir/bin/pg_config"
}

compile()
{
	local v=$1 pgc=$2 log=$work/$1.log
	# The engine does not see the server: built once, its objects are shared.
	if make -s --no-print-directory -j"$(nproc)" PG_CONFIG="$pgc" BUILD="$work/build" clean-pg > "$log" 2>&1 &&
		make -s --no-print-directory -j"$(nproc)" PG_CONFIG="$pgc" BUILD="$work/build" all >> "$log" 2>&1 &&
		make -s --no-print-directory PG_CONFIG="$pgc" BUILD="$work/build" check-exports >> "$log" 2>&1 &&
		! grep -q 'warning:' "$log"; then
		say "PostgreSQL $v: compiles without warnings ($("$pgc" --version))"
	else
		grep -E 'warning:|error:' "$log" | head -n 30 || tail -n 20 "$log"
		say "PostgreSQL $v: FAILED"
		failed=$((failed + 1))
		return 1
	fi
}

for v in $versions; do
	case $v in
	15) compile 15 /usr/lib/postgresql/15/bin/pg_config || true ;;
	17|18)
		suite=trixie
		[ "$v" = 17 ] || suite=sid
		if fetch_debs $suite "$work/$v" "postgresql-server-dev-$v:$arch" "postgresql-client-$v:$arch"; then
			pg_config_for "$work/$v" "$v"
			# Warnings that this machine's older compiler does not know.
			for flag in -Wmissing-variable-declarations; do
				gcc -Werror $flag -E -x c /dev/null >/dev/null 2>&1 ||
					sed -i "s/ $flag//" "$work/$v/usr/lib/postgresql/$v/lib/pgxs/src/Makefile.global"
			done
			compile "$v" "$work/$v/bin/pg_config" || true
		else
			tail -n 3 "$work/apt-$suite/log"
			echo "not run: PostgreSQL $v (its packages cannot be had)"
		fi ;;
	16)
		if python3 -m pip download -q --no-deps --disable-pip-version-check --only-binary :all: --python-version 3.11 pgserver -d "$work" > "$work/pip.log" 2>&1; then
			mkdir -p "$work/16"
			unzip -qo "$work"/pgserver-*.whl -d "$work/16"
			inst=$(dirname "$(dirname "$(find "$work/16" -name pg_config -path '*bin*' | head -n 1)")")
			chmod -R a+rX "$work/16"; chmod 755 "$inst"/bin/*
			if [ ! -f "$("$inst/bin/pg_config" --pgxs)" ]; then
				echo "not run: PostgreSQL 16 (pgserver came without pgxs)"
				continue
			fi
			compile 16 "$inst/bin/pg_config" || true
		else
			tail -n 3 "$work/pip.log"
			echo "not run: PostgreSQL 16 (pgserver cannot be had)"
		fi ;;
	*) die "unknown version $v" ;;
	esac
done
[ $failed -eq 0 ]
