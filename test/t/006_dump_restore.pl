# pg_dump and pg_restore, serial and -j4: models, their owners and grants, views and
# materialized views that call a model.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use NlpTest;

my $node = new_node('dump');
$node->safe_psql('postgres', 'CREATE ROLE model_user; CREATE ROLE model_owner; GRANT pg_read_server_files TO model_owner;
	GRANT CREATE ON SCHEMA public TO model_owner');
my $file = model_file();
$node->safe_psql('postgres', "SET ROLE model_owner; SELECT nlp.load_model('smollm2', '$file')");
$node->safe_psql('postgres', <<'SQL');
DO $$
BEGIN
	EXECUTE format('GRANT SELECT ON %s TO model_user', (SELECT data FROM nlp.model WHERE name = 'smollm2'));
END $$;
CREATE TABLE prompt (id int PRIMARY KEY, body text);
INSERT INTO prompt VALUES (1, 'The capital of France is'), (2, 'Water is made of');
CREATE VIEW answer AS SELECT id, generate(body, 'smollm2', '{"max_tokens": 8}') AS text FROM prompt;
CREATE MATERIALIZED VIEW answer_kept AS SELECT * FROM answer;
CREATE FUNCTION add_tokens() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN NEW.body := NEW.body || ' (' || token_count(NEW.body, 'smollm2') || ')'; RETURN NEW; END $$;
CREATE TABLE logged (body text);
CREATE TRIGGER t BEFORE INSERT ON logged FOR EACH ROW EXECUTE FUNCTION add_tokens();
INSERT INTO logged VALUES ('a trigger runs a model');
SQL
my $listing = q{SELECT name, bytes, sha256, owner, tasks FROM nlp.models};
my $kept = q{SELECT string_agg(id || ':' || text, '; ' ORDER BY id) FROM answer_kept};
my ($list0, $kept0) = map { $node->safe_psql('postgres', $_) } $listing, $kept;
my $answer = greedy($node);
my $tmp = PostgreSQL::Test::Utils::tempdir();

for my $how ([ 'serial', '-Fc', "$tmp/one.dump", [], [] ], [ 'four jobs', '-Fd', "$tmp/dir", [ '-j', '4' ], [ '-j', '4' ] ])
{
	my ($name, $format, $path, $dump_jobs, $restore_jobs) = @$how;
	my $db = $format eq '-Fc' ? 'restored1' : 'restored4';
	$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, $format, @$dump_jobs, '-f', $path, 'postgres' ], "$name: pg_dump");
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0");
	$node->command_ok([ 'pg_restore', '-h', $node->host, '-p', $node->port, '--exit-on-error', @$restore_jobs, '-d', $db, $path ], "$name: pg_restore");
	is($node->safe_psql($db, $listing), $list0, "$name: the same models, bytes, sums, owners and tasks");
	is($node->safe_psql($db, $kept), $kept0, "$name: the materialized view was made again by the restored model");
	is(greedy($node, $db), $answer, "$name: the same answer");
	is($node->safe_psql($db, 'SELECT body FROM logged'), $node->safe_psql('postgres', 'SELECT body FROM logged'), "$name: triggers did not run again");
	is(sqlstate_of($node, q{SET ROLE model_user; SELECT generate('x', 'smollm2', '{"max_tokens": 1}')}, db => $db), '00000', "$name: the grant came along");
	$node->safe_psql($db, 'SELECT nlp.repair()');
	is(sqlstate_of($node, 'DROP EXTENSION pg_nlp', db => $db), '2BP01', "$name: after nlp.repair(), DROP EXTENSION needs CASCADE");
	is(sqlstate_of($node, q{SELECT nlp.drop_model('smollm2')}, db => $db), '00000', "$name: a restored model can be dropped");
}
$node->stop;
done_testing();
