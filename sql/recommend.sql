-- What is nearest to what somebody liked: nlp.recommend.
\set SHOW_CONTEXT never
CREATE TABLE dish (id int PRIMARY KEY, name text, hot boolean, e embedding(2));
INSERT INTO dish VALUES
	(1, 'soup', true, '[1,0]'), (2, 'stew', true, '[0.9,0.1]'), (3, 'broth', true, '[0.95,0.3]'),
	(4, 'ice', false, '[0,1]'), (5, 'sorbet', false, '[0.1,0.9]'), (6, 'melon', false, '[0.5,0.6]'), (7, 'no vector', false, NULL);
SELECT item, round(similarity::numeric, 3) AS similarity, because, round(because_similarity::numeric, 3) AS because_similarity
	FROM nlp.recommend('dish', 'id', 'e', '{1}', 3);
-- two liked ones: each answer names the nearer
SELECT item, because FROM nlp.recommend('dish', 'id', 'e', '{1,4}', 10);
-- a filter loses nothing, with and without an index
SELECT item, because FROM nlp.recommend('dish', 'id', 'e', '{1}', 2, 'NOT hot');
CREATE INDEX dish_e ON dish USING nlp_flat (e embedding_cosine_ops);
SET enable_seqscan = off;
SELECT item, because FROM nlp.recommend('dish', 'id', 'e', '{1}', 2, 'NOT hot');
RESET enable_seqscan;
-- a column named e, a comment in the filter, a schema to be quoted
CREATE SCHEMA "Odd one";
CREATE TABLE "Odd one"."Item" ("The key" text PRIMARY KEY, "a vector" embedding);
INSERT INTO "Odd one"."Item" VALUES ('x', '[1,0]'), ('it''s', '[1,1]'), ('z', '[0,1]');
SELECT item, because FROM nlp.recommend('"Odd one"."Item"', 'The key', 'a vector', ARRAY['it''s'], filter => '"The key" <> ''z'' -- not z');
-- nothing liked, unknown items, NULLs: no rows
SELECT count(*) FROM nlp.recommend('dish', 'id', 'e', '{}');
SELECT count(*) FROM nlp.recommend('dish', 'id', 'e', '{99}');
SELECT count(*) FROM nlp.recommend('dish', 'id', 'e', '{7}');
SELECT count(*) FROM nlp.recommend('dish', 'id', 'e', NULL);
-- errors
SELECT * FROM nlp.recommend('dish', 'id', 'e', '{x}');
SELECT * FROM nlp.recommend('dish', 'id', 'e', '{1}', 0);
SELECT * FROM nlp.recommend('dish', 'no', 'e', '{1}');
SELECT * FROM nlp.recommend('dish', 'id', 'name', '{1}');
SELECT * FROM nlp.recommend('dish', 'id', 'e', '{1}', 5, 'true) OR (true');
SELECT * FROM nlp.recommend('dish', 'id', 'e', '{1}', 5, 'no_such_column');
-- with the rights of the caller
CREATE ROLE regress_diner;
SET ROLE regress_diner;
SELECT * FROM nlp.recommend('dish', 'id', 'e', '{1}');
RESET ROLE;
DROP ROLE regress_diner;
SET search_path = pg_catalog;
SELECT item, because FROM nlp.recommend('public.dish', 'id', 'e', '{1,4}', 2);
RESET search_path;
DROP TABLE dish;
DROP SCHEMA "Odd one" CASCADE;
