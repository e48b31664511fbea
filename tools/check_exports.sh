#!/bin/sh
# check_exports.sh LIBRARY MAP --- what the library offers is what the map names, and nothing else.
set -eu
lib=$1 map=$2
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
nm -D --defined-only "$lib" | awk '{ print $NF }' | sort > "$work/have"
grep -v '^{\|^local' "$map" | tr ';' '\n' | sed 's/ //g; /^$/d' | sort > "$work/named"
printf '%s\n' Pg_magic_func _PG_init >> "$work/named"
sort -u -o "$work/named" "$work/named"
if ! extra=$(comm -23 "$work/have" "$work/named" | grep -v '^pg_nlp_.*_main$'); then extra=; fi
missing=$(comm -13 "$work/have" "$work/named")
[ -z "$extra" ] || { echo "exported though nobody looks it up:"; echo "$extra"; }
[ -z "$missing" ] || { echo "not exported though the map names it:"; echo "$missing"; }
[ -z "$extra$missing" ] && echo "exports: $(wc -l < "$work/have") symbols, as meant"
