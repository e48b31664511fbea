-- segment, and the model for it that comes with the extension.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_nlp;
RESET client_min_messages;

-- nothing has to be loaded
SELECT segment('我来到北京清华大学');
SELECT segment('PostgreSQL是一个功能强大的开源对象关系数据库系统，买了3.5万套！', 'segment_zh');
SELECT segment('南京市长江大桥') AS simplified, segment('烏魯木齊的乾隆皇帝') AS traditional;
SELECT segment(E'Hello,  world! don''t\tstop\n中文　空格') AS mixed;
SELECT segment(''), segment(E' \n　'), segment(NULL) IS NULL AS null;
-- words in order, nothing but white space is lost
CREATE TABLE t (body text);
INSERT INTO t VALUES ('今天天气真好，我们去公园玩吧。'), ('他说：“我不知道”！？'), ('ひらがなとカタカナ'), ('Ünïcödé naïve café'), ('１２３ＡＢＣ全角'), ('a'), ('的'),
	(repeat('我们中国人', 3000)), (repeat('龘', 9000)), (repeat('x', 100000)), ('👩‍👩‍👧 emoji'), (U&'\D87E\DC00\3400');
SELECT count(*) FROM t WHERE array_to_string(segment(body), '') <> regexp_replace(body, '\s', '', 'g');
SELECT cardinality(segment(repeat('我们中国人', 3000))) AS words;
-- the model of characters
SELECT segment('他来到了网易杭研大厦') AS hmm, segment('他来到了网易杭研大厦', options => '{"hmm": false}') AS dictionary;
-- options are checked
SELECT segment('x', options => '{"hmm": 1}');
SELECT segment('x', options => '{"max_tokens": 1}');
SELECT segment('x', 'nothing of this name');
SELECT segment('x', '');
SELECT generate('x', 'segment_zh');

-- as it is listed
SELECT name, tasks, architecture, parameters, bytes, sha256 ~ '^[0-9a-f]{64}$' AS sha256, source, owner, created, data, card FROM nlp.models WHERE name = 'segment_zh';
SELECT resident FROM nlp.models WHERE name = 'segment_zh';
SELECT name, state, bytes > 7000000 AS bytes, pins, relation FROM nlp.resident_models WHERE name = 'segment_zh';
SELECT model, calls > 0 AS calls, loads FROM nlp.model_stats WHERE model = 'segment_zh';
SELECT nlp.prewarm('segment_zh') > 7000000 AS bytes;
SELECT encode(sha256(string_agg(data, '' ORDER BY seq)), 'hex') = (SELECT sha256 FROM nlp.models WHERE name = 'segment_zh') AS same
	FROM nlp.export_model('segment_zh');
SELECT count(*) FROM nlp.export_model('segment_zh', 'text');
-- nobody's to change
SELECT nlp.drop_model('segment_zh');
SELECT nlp.rename_model('segment_zh', 'other');
SELECT nlp.evict('segment_zh');
SELECT resident FROM nlp.models WHERE name = 'segment_zh';
CREATE ROLE regress_nlp_segment;
SET ROLE regress_nlp_segment;
SELECT segment('我们都可以用'), name FROM nlp.models WHERE name = 'segment_zh';
SELECT nlp.evict('segment_zh');
SELECT nlp.drop_model('segment_zh');
RESET ROLE;

-- one's own takes its place
SELECT setting || '/extension/pg_nlp_models/segment_zh-1.gguf' AS file FROM pg_config WHERE name = 'SHAREDIR' \gset
BEGIN;
SELECT nlp.load_model('segment_zh', :'file');
SELECT segment('我们都可以用');
SELECT name, source LIKE '%/segment_zh-1.gguf' AS own, data IS NOT NULL AS stored FROM nlp.models WHERE name LIKE 'segment%';
SET ROLE regress_nlp_segment;
SAVEPOINT s;
SELECT segment('我们都可以用', 'segment_zh');
ROLLBACK TO s;
SELECT segment('我们都可以用');
ROLLBACK TO s;
RESET ROLE;
SELECT nlp.drop_model('segment_zh');
SELECT source FROM nlp.models WHERE name = 'segment_zh';
SELECT segment('我们都可以用');
-- what is shipped serves those who have none of their own
SELECT nlp.load_model('one', :'file');
SELECT segment('我们都可以用');
SELECT nlp.load_model('two', :'file');
SAVEPOINT s;
SELECT segment('我们都可以用');
ROLLBACK TO s;
SET LOCAL pg_nlp.segmentation_model = 'segment_zh';
SELECT segment('我们都可以用');
ROLLBACK;

SELECT provolatile, proparallel FROM pg_proc WHERE proname = 'segment' AND pronamespace = 'public'::regnamespace;
DROP TABLE t;
DROP ROLE regress_nlp_segment;
