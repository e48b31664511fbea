-- Labels are true: what reads a model is STABLE, what draws at random VOLATILE; a batch
-- costs more than a text, and an answer more than a token. Everything has a comment.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;

CREATE TEMP VIEW member_object AS
	SELECT d.classid, d.objid
	FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'pg_nlp'
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e';

SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, p.provolatile, p.proparallel, p.proisstrict,
	p.procost, p.prorows
	FROM member_object m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	WHERE p.proname IN ('generate', 'sample', 'chat', 'sample_chat', 'generate_stream', 'summarize', 'tokenize',
		'token_ids', 'token_count', 'detokenize', 'next_tokens', 'perplexity', 'backfill', 'estimate')
	ORDER BY 1, 2;

-- never IMMUTABLE if it can read a model
SELECT p.proname FROM member_object m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	WHERE p.provolatile = 'i' AND 'model' = ANY (p.proargnames);
-- inputs, then model, then options, in all verbs
SELECT p.proname, p.proargnames FROM member_object m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	WHERE 'options' = ANY (p.proargnames) AND
		(array_position(p.proargnames, 'options') <> p.pronargs OR
		 array_position(p.proargnames, 'model') <> p.pronargs - 1 OR p.pronargdefaults < 1);

-- without a comment: nothing
SELECT pg_describe_object(m.classid, m.objid, 0) FROM member_object m
	LEFT JOIN pg_description d ON d.classoid = m.classid AND d.objoid = m.objid AND d.objsubid = 0
	LEFT JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	WHERE d.description IS NULL AND m.classid IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_namespace'::regclass, 'pg_type'::regclass)
		AND NOT (m.classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type t WHERE t.oid = m.objid AND (t.typrelid <> 0 OR t.typelem <> 0)))
		AND coalesce(c.relkind, 'r') NOT IN ('i', 'I', 't', 'S')
	ORDER BY 1;
