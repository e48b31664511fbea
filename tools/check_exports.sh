#!/bin/sh
# check_exports.sh LIBRARY MAP POSTGRES --- what the library offers is what the map names, and nothing
# else; what it wants, the server or a library it is linked with has.
set -eu
lib=$1 map=$2 postgres=$3
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
nm -D --defined-only "$lib" | awk '{ print $NF }' | sort > "$work/have"
grep -v '^{\|^local' "$map" | tr ';' '\n' | sed 's/ //g; /^$/d' | sort > "$work/named"
printf '%s\n' Pg_magic_func _PG_init >> "$work/named"
sort -u -o "$work/named" "$work/named"
if ! extra=$(comm -23 "$work/have" "$work/named" | grep -v '^pg_nlp_.*_main$'); then extra=; fi
missing=$(comm -13 "$work/have" "$work/named")
# Symbols of shared libraries carry a version or a prefix of theirs; the rest is the server's.
nm -D --defined-only "$postgres" | awk '{ print $NF }' | sed 's/@.*//' | sort -u > "$work/server"
nm -D --undefined-only "$lib" | awk '$(NF - 1) == "U" { print $NF }' | grep -v -E '@|^(utf8proc_|json_)' | sort -u > "$work/wanted"
unknown=
if [ -s "$work/server" ]; then unknown=$(comm -13 "$work/server" "$work/wanted"); fi
[ -z "$unknown" ] || { echo "wanted, and nobody has it:"; echo "$unknown"; }
[ -z "$extra" ] || { echo "exported though nobody looks it up:"; echo "$extra"; }
[ -z "$missing" ] || { echo "not exported though the map names it:"; echo "$missing"; }
[ -z "$extra$missing$unknown" ] && echo "exports: $(wc -l < "$work/have") symbols, as meant"
