#!/usr/bin/env bash
# word_accuracy.sh [MODEL PEER_BIN] --- how good the vectors are that train_word2vec makes, beside known results.
#
# Through SQL, on a private server: CBOW and skip-gram on enwiki_text8style (Google analogies by
# compute-accuracy's rules among the first 30,000 words, WordSim-353, SimLex-999), and Chinese vectors beside
# gensim's on the same words (CA8, semantic part). Needs the project's data sets in NLP_DATA and, for the Chinese
# part, a Python with gensim in PYTHON. WORD_PARTS chooses among: cbow skipgram chinese (all).
# Sources of the known results: word2vec.c and gensim on the same corpus, as the data sets' README and docs/speed.md say.
. "$(dirname "$0")/../../tools/lib.sh"
: ${NLP_DATA:?set NLP_DATA to the directory of the data sets}
parts=${WORD_PARTS:-cbow skipgram chinese}
nlp_var_init
choose_pg
[ -n "${NLP_BIN:-}" ] || private_install "$NLP_VAR/inst"
dir=$NLP_VAR/accuracy
server_stop "$dir" immediate 2>/dev/null || true
rm -rf "$dir/data"
server_init "$dir" <<CONF
shared_preload_libraries = 'pg_nlp'
pg_nlp.shared_memory_size = '1GB'
shared_buffers = '512MB'
fsync = off
max_wal_size = '8GB'
CONF
server_start "$dir"
trap 'server_stop "$dir" immediate' EXIT
export PGHOST=$dir/sock PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
q() { "$NLP_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
q -c 'CREATE EXTENSION pg_nlp' -c "SET client_min_messages = warning"
give "$dir/in"
# put NAME FILE: a text of the server's, as a psql variable's worth of a table
put() { q -c "CREATE TABLE IF NOT EXISTS file (name text, body text)" -c "CREATE TEMP TABLE line (n int GENERATED ALWAYS AS IDENTITY, l text)" \
	-c "\\copy line (l) FROM '$2' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')" \
	-c "INSERT INTO file SELECT '$1', string_agg(l, E'\\n' ORDER BY n) FROM line"; }
gzip -dc "$NLP_DATA/analogy_en/questions-words.txt.gz" > "$dir/in/en"; put analogies "$dir/in/en"
for s in WS-353-ALL SIMLEX-999; do gzip -dc "$NLP_DATA/wordsim/EN-$s.tsv.gz" > "$dir/in/s"; put $s "$dir/in/s"; done
gzip -dc "$NLP_DATA/analogy_zh/semantic.txt.gz" > "$dir/in/zh"; put ca8 "$dir/in/zh"

# analogies MODEL FILE TOP LABEL
analogies()
{
	q -F ' ' -c "SELECT coalesce(kind, 'all'), correct, total, skipped, round((100 * accuracy)::numeric, 2) FROM nlp.evaluate_word_vectors('$1', 'analogies', (SELECT body FROM file WHERE name = '$2'), $3, true) WHERE section IS NULL OR section IN ('total', 'semantic', 'syntactic')" |
		while read -r kind correct total skipped accuracy; do printf '%-44s %-10s %6s of %6s asked = %s %%  (%s skipped)\n' "$4" "$kind" "$correct" "$total" "$accuracy" "$skipped"; done
}
pairs() { printf '%-44s %s\n' "$3" "$(q -c "SELECT 'Spearman ' || round(spearman::numeric, 3) || ', ' || total || ' pairs found' FROM nlp.evaluate_word_vectors('$1', 'similarity', (SELECT body FROM file WHERE name = '$2'))")"; }
train() { local t0=$SECONDS; q -c "SET pg_nlp.threads = ${BENCH_THREADS:-1}" -c "CALL nlp.train_word2vec('$1', '$2', '$3')"; say "$1: $((SECONDS - t0)) s, options $3"; }

case " $parts " in *" cbow "*|*" skipgram "*)
	say "enwiki_text8style as rows of 1,000 words"
	q -c "CREATE TABLE en (body text)"
	xz -dc "$NLP_DATA/enwiki/enwiki_text8style.xz" | tr ' ' '\n' | sed '/^$/d' | paste -d' ' -s | fold -s -w 6000 | q -c "COPY en FROM STDIN" ;;
esac
case " $parts " in *" cbow "*)
	train cbow 'SELECT body FROM en' '{"segmenter": "plain", "objective": "cbow", "dim": 200, "window": 8, "negative": 25, "sample": 1e-4, "epochs": 5, "alpha": 0.05, "seed": 1}'
	analogies cbow analogies 30000 'CBOW 200, 5 passes (word2vec.c 42.70 %)'
	pairs cbow WS-353-ALL 'WordSim-353 (word2vec.c 0.685)'
	pairs cbow SIMLEX-999 'SimLex-999 (word2vec.c 0.302)' ;;
esac
case " $parts " in *" skipgram "*)
	train skipgram 'SELECT body FROM en' '{"segmenter": "plain", "dim": 100, "epochs": 3, "sample": 1e-4, "seed": 1}'
	analogies skipgram analogies 30000 'skip-gram 100, 3 passes (word2vec.c 28.8 %)' ;;
esac
case " $parts " in *" chinese "*)
	say "Chinese: zhwiki_sample, cmrc2018, csl, lcsts, online shopping, headlines; cut by segment()"
	python=${PYTHON:?set PYTHON to a Python that has gensim}
	"$python" "$NLP_TOP/test/bench/word_accuracy.py" corpus "$NLP_DATA" > "$dir/in/corpus"
	q -c "CREATE TABLE zh_text (body text)" -c "\\copy zh_text FROM '$dir/in/corpus' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')" \
		-c "CREATE TABLE zh AS SELECT segment(body) AS words FROM zh_text"
	q -c "COPY (SELECT array_to_string(words, ' ') FROM zh) TO STDOUT" > "$dir/in/words"
	train chinese 'SELECT words FROM zh' '{"dim": 100, "epochs": 10, "sample": 1e-4, "seed": 1}'
	t0=$SECONDS
	"$python" "$NLP_TOP/test/bench/word_accuracy.py" gensim "$dir/in/words" "$dir/in/gensim.bin"
	say "gensim: $((SECONDS - t0)) s"
	chmod 644 "$dir/in/gensim.bin"
	q -c "SELECT nlp.load_model('gensim', '$dir/in/gensim.bin')" > /dev/null
	for m in chinese gensim; do analogies $m ca8 1000000 "CA8 semantic, $m"; done ;;
esac
