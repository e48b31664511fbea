# A model is data: it is there after a clean restart and after a crash, gives the same
# answer, and one whose transaction never committed is not.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use NlpTest;

my $node = new_node('restart');
load_smollm2($node);
my $listed = $node->safe_psql('postgres', 'SELECT name, bytes, sha256, owner FROM nlp.models WHERE data IS NOT NULL ORDER BY name');
like($listed, qr/^smollm2\|\d+\|[0-9a-f]{64}\|/, 'the model is listed with its bytes and sha256');
my $answer = greedy($node);
like($answer, qr/Paris/, 'the model answers');

$node->restart;
is($node->safe_psql('postgres', 'SELECT name, bytes, sha256, owner FROM nlp.models WHERE data IS NOT NULL ORDER BY name'),
	$listed, 'same list after a restart');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nlp.resident_models'), '0', 'nothing resident before the first use');
is(greedy($node), $answer, 'same answer after a restart');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nlp.resident_models'), '1', 'one image resident after the first use');

# A crash with one transaction open that has loaded another model.
my $s = session($node);
$s->query('BEGIN');
my $file = model_file();
$s->query("SELECT nlp.load_model('open', '$file')");
is($s->query("SELECT count(*) FROM nlp.models WHERE name = 'open'"), '1', 'visible inside its own transaction');
like($s->query("SELECT generate('The capital of France is', 'open', '{\"max_tokens\": 16}')"), qr/Paris/,
	'and usable there');
is($node->safe_psql('postgres', "SELECT count(*) FROM nlp.models WHERE name = 'open'"), '0', 'not for others');
$node->stop('immediate');
$s->close_session;
$node->start;
is($node->safe_psql('postgres', 'SELECT name, bytes, sha256, owner FROM nlp.models WHERE data IS NOT NULL ORDER BY name'),
	$listed, 'after a crash: the committed model, and no other');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'nlp_data'::regnamespace AND relkind = 'r'}),
	'1', 'and one relation of model bytes');
is(greedy($node), $answer, 'same answer after a crash');

# What goes out is what came in.
is($node->safe_psql('postgres', "SELECT encode(sha256(string_agg(data, ''::bytea ORDER BY seq)), 'hex')
	= (SELECT sha256 FROM nlp.models WHERE name = 'smollm2') FROM nlp.export_model('smollm2')"),
	't', 'the export has the sha256 that is listed');

done_testing();
