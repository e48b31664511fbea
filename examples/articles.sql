-- articles.sql --- the table of articles that the examples use. Run from the repository's root:
--   .server/psql -f examples/articles.sql
-- Texts: Wikipedia, CC BY-SA 3.0; see examples/data/README.md.
\set ON_ERROR_STOP on
SET client_min_messages = warning;	-- no word about a table that is there
CREATE TABLE IF NOT EXISTS article (
	id		int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	title	text NOT NULL UNIQUE,
	lang	text NOT NULL,
	source	text NOT NULL,
	body	text NOT NULL,
	summary	text
);
RESET client_min_messages;
CREATE TEMP TABLE article_in (title text, lang text, source text, body text);
\copy article_in FROM 'examples/data/articles.tsv' WITH (HEADER)
INSERT INTO article (title, lang, source, body)
	SELECT title, lang, source, body FROM article_in
	ON CONFLICT (title) DO NOTHING;
DROP TABLE article_in;
