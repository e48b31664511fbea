-- No argument, output column or option is an SQL reserved word: each is used unquoted.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;

CREATE TEMP VIEW member_function AS
	SELECT p.oid, p.proname, p.prokind, p.pronamespace::regnamespace AS schema_name, p.proargnames, p.proargmodes,
		p.proargtypes, p.proretset
	FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'pg_nlp'
		JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e';

-- what would need quotes: nothing
SELECT proname, argument FROM member_function, unnest(proargnames) AS argument
	WHERE argument <> '' AND quote_ident(argument) <> argument;

-- every function that names its arguments, prepared with all of them by name, unquoted
DO $$
DECLARE
	f record; args text; n int := 0;
BEGIN
	FOR f IN SELECT * FROM member_function WHERE prokind = 'f' AND proargnames IS NOT NULL LOOP
		SELECT string_agg(f.proargnames[i] || ' => NULL::' || format_type(f.proargtypes[i - 1], NULL), ', ' ORDER BY i)
			INTO args FROM generate_series(1, cardinality(f.proargtypes)) AS i;
		CONTINUE WHEN args IS NULL;
		EXECUTE format('PREPARE words_test AS SELECT * FROM %s.%s(%s)', f.schema_name, f.proname, args);
		DEALLOCATE words_test;
		n := n + 1;
	END LOOP;
	RAISE NOTICE 'enough functions: %', n >= 15;
END $$;

-- every output column of a function, unquoted
DO $$
DECLARE
	f record; cols text; n int := 0;
BEGIN
	FOR f IN SELECT * FROM member_function WHERE prokind = 'f' AND 'o' = ANY (proargmodes) OR 't' = ANY (proargmodes) LOOP
		SELECT string_agg('(r).' || f.proargnames[i] || ' AS x' || i, ', ') INTO cols
			FROM generate_subscripts(f.proargmodes, 1) AS i WHERE f.proargmodes[i] IN ('o', 't');
		EXECUTE format('PREPARE words_test AS SELECT %s FROM (SELECT %s.%s(%s) AS r) s', replace(cols, '(r).', '(s.r).'), f.schema_name, f.proname,
			(SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY o) FROM unnest(f.proargtypes) WITH ORDINALITY AS u(t, o)));
		DEALLOCATE words_test;
		n := n + 1;
	END LOOP;
	RAISE NOTICE 'enough functions: %', n >= 2;
END $$;

-- every column of a table or view, unquoted
DO $$
DECLARE
	r record; n int := 0;
BEGIN
	FOR r IN SELECT c.oid::regclass AS rel, string_agg(a.attname, ', ' ORDER BY a.attnum) AS cols
			FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'pg_nlp'
				JOIN pg_class c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND c.relkind IN ('r', 'v')
				JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' GROUP BY c.oid LOOP
		EXECUTE format('PREPARE words_test AS SELECT %s FROM %s', r.cols, r.rel);
		DEALLOCATE words_test;
		n := n + 1;
	END LOOP;
	RAISE NOTICE 'enough relations: %', n >= 3;
END $$;

-- the procedures' arguments, and every option as an unquoted column of a row made into jsonb.
-- ("where" of nlp.backfill is the one exception: it holds what follows WHERE.)
CALL nlp.backfill(target => NULL, column_name => NULL, expression => NULL, options => NULL);
SELECT generate('{}'::text[], model => NULL, options => to_jsonb(o)) FROM
	(SELECT max_tokens, stop, ignore_eos, truncate, on_error, special
	 FROM (VALUES (1, 'x', true, true, 'null', true)) AS v(max_tokens, stop, ignore_eos, truncate, on_error, special)) o;
SELECT sample('{}'::text[], options => to_jsonb(o)) FROM
	(SELECT temperature, top_k, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty, seed
	 FROM (VALUES (1, 1, 1, 1, 1, 1, 1, 1)) AS v(temperature, top_k, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty, seed)) o;
SELECT summarize('{}'::text[], options => to_jsonb(o)) FROM
	(SELECT method, instruction FROM (VALUES ('abstractive', 'In one sentence.')) AS v(method, instruction)) o;
SELECT tokenize(NULL, options => to_jsonb(o)) FROM (SELECT bos FROM (VALUES (true)) AS v(bos)) o;
SELECT * FROM nlp.estimate(NULL, to_jsonb((SELECT o FROM
	(SELECT sample_rows, sample_seconds FROM (VALUES (1, 1)) AS v(sample_rows, sample_seconds)) o)));
