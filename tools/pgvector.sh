#!/bin/sh
# pgvector.sh --- fetch and build pgvector; says how with no arguments. See test/harness/pgvector.sh.
exec "$(dirname "$0")/../test/harness/pgvector.sh" "$@"
