-- recommend.sql --- recommendations: by what titles are about, and by what is watched together.
-- Run from the repository's root, after examples/vectors.sql (it uses the model 'wiki'):
--   .server/psql -f examples/recommend.sql
-- Titles: CC0; see examples/data/README.md. Viewers are made here, from the catalogue itself.
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
DROP TABLE IF EXISTS title, viewing;
RESET client_min_messages;
CREATE TABLE title (
	show_id			text PRIMARY KEY,
	type			text,
	title			text,
	director		text,
	"cast"			text,
	country			text,
	release_year	int,
	rating			text,
	duration		text,
	listed_in		text,
	description		text,
	about			embedding(100),	-- from the description
	watched			embedding(32)	-- from sessions
);
\copy title (show_id, type, title, director, "cast", country, release_year, rating, duration, listed_in, description) FROM PROGRAM 'gzip -dc examples/data/titles.tsv.gz' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\b', HEADER)

\echo
\echo '-- 1. By what titles are about: the weighted mean of the words of description and genres'
\set ECHO queries
UPDATE title SET about = phrase_vector(description || ' ' || listed_in, 'wiki');
CREATE INDEX title_about ON title USING nlp_flat (about embedding_cosine_ops);
SELECT t.title, t.listed_in, round((t.about <=> q.about)::numeric, 3) AS distance
	FROM title q, LATERAL (SELECT * FROM title t WHERE t.show_id <> q.show_id ORDER BY t.about <=> q.about LIMIT 5) t
	WHERE q.title = 'Our Planet';

\echo
\echo '-- 2. By what is watched together (item2vec): each viewer likes two kinds of titles and sees twelve of them'
CREATE TABLE viewing AS
	WITH kind AS (	-- genre and country, where there are enough titles
		SELECT genre || '/' || split_part(country, ',', 1) AS kind, array_agg(show_id) AS items
		FROM title, regexp_split_to_table(listed_in, ', ') AS genre WHERE country <> ''
		GROUP BY 1 HAVING count(*) >= 8),
	numbered AS (SELECT *, row_number() OVER (ORDER BY kind) - 1 AS n, count(*) OVER () AS kinds FROM kind)
	SELECT viewer, array_agg(item ORDER BY h) AS items
	FROM (SELECT viewer, item, md5(viewer || item) AS h, row_number() OVER (PARTITION BY viewer ORDER BY md5(viewer || item)) AS place
	      FROM generate_series(1, 20000) AS viewer, numbered k, unnest(k.items) AS item
	      WHERE k.n = viewer % k.kinds OR (k.n = (viewer / k.kinds) % k.kinds AND viewer % 3 = 0)) s
	WHERE place <= 12 GROUP BY viewer;
CALL nlp.train_word2vec('item2vec', 'SELECT items FROM viewing',
                        '{"dim": 32, "window": 12, "min_count": 1, "sample": 0.001, "epochs": 20, "seed": 1, "replace": true}');
UPDATE title SET watched = word_vector(show_id, 'item2vec');
CREATE INDEX title_watched ON title USING nlp_flat (watched embedding_cosine_ops);

\echo
\echo '-- Somebody liked three titles: what next, and because of which of them?'
SELECT t.title, t.listed_in, round(r.similarity::numeric, 2) AS similarity, b.title AS because
	FROM nlp.recommend('title', 'show_id', 'watched',
	                   (SELECT array_agg(show_id) FROM title WHERE title IN ('Dark', 'Babylon Berlin', 'Narcos')), 8,
	                   $$type = 'TV Show' AND release_year >= 2015$$) r
	JOIN title t ON t.show_id = r.item JOIN title b ON b.show_id = r.because
	ORDER BY r.similarity DESC;

\echo
\echo '-- The same question put in plain SQL'
WITH liked AS (SELECT * FROM title WHERE title IN ('Dark', 'Babylon Berlin', 'Narcos')),
     taste AS (SELECT avg(l2_normalize(watched)) AS e FROM liked)
SELECT t.title, round((1 - (t.watched <=> taste.e))::numeric, 2) AS similarity,
       (SELECT l.title FROM liked l ORDER BY l.watched <=> t.watched LIMIT 1) AS because
	FROM taste, LATERAL (SELECT * FROM title t
		WHERE t.show_id NOT IN (SELECT show_id FROM liked) AND t.type = 'TV Show' AND t.release_year >= 2015
		ORDER BY t.watched <=> taste.e LIMIT 8) t;
\set ECHO none
