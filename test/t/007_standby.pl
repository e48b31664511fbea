# A standby answers with what arrives by WAL: the same bytes, replaced and dropped models
# too, and goes on after promotion. NLP_STANDBY_STEPS: random steps (12; a release runs 200).
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use NlpTest;

my $steps = $ENV{NLP_STANDBY_STEPS} // 12;
my $primary = new_node('primary', init => [ allows_streaming => 1 ]);
load_smollm2($primary);
my $answer = greedy($primary);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub catch_up { $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert')); return; }

catch_up();
is(greedy($standby), $answer, 'the standby gives the same answer');
is(sqlstate_of($standby, q{SELECT nlp.drop_model('smollm2')}), '25006', 'and refuses to change models');
is($standby->safe_psql('postgres', q{SELECT token_count('two words', 'smollm2')}), $primary->safe_psql('postgres', q{SELECT token_count('two words', 'smollm2')}),
	'tokenizers too');

# The same bytes under changing names, loaded, replaced, renamed and dropped on the primary.
my $file = model_file();
my %there = (smollm2 => 1);
my $wrong = 0;
for my $step (1 .. $steps)
{
	my @names = sort grep { $_ ne 'smollm2' } keys %there;
	my $kind = int random_of(4);
	if ($kind == 0 || !@names) { $primary->safe_psql('postgres', "SELECT nlp.load_model('s$step', '$file')"); $there{"s$step"} = 1; }
	elsif ($kind == 1) { $primary->safe_psql('postgres', "SELECT nlp.rename_model('$names[0]', 'r$step')"); delete $there{ $names[0] }; $there{"r$step"} = 1; }
	elsif ($kind == 2) { $primary->safe_psql('postgres', "SELECT nlp.drop_model('$names[0]')"); delete $there{ $names[0] }; }
	else { $primary->safe_psql('postgres', "BEGIN; SELECT nlp.drop_model('smollm2'); SELECT nlp.load_model('smollm2', '$file'); COMMIT"); }
	catch_up();
	my $names = $standby->safe_psql('postgres', 'SELECT string_agg(name, \',\' ORDER BY name COLLATE "C") FROM nlp.models WHERE data IS NOT NULL');
	my $some = (sort keys %there)[ int random_of(scalar keys %there) ];
	my ($rc, $out, $err) = $standby->psql('postgres', "SELECT generate('The capital of France is', '$some', '{\"max_tokens\": 16}')");
	next if $names eq join(',', sort keys %there) && $out eq $answer;
	$wrong++;
	diag("step $step, kind $kind: standby lists $names and '$some' says: $out $err");
}
is($wrong, 0, "$steps random steps arrive: list and answers are right after each");

my $s = session($standby);
$s->query(NlpTest::GREEDY_SQL);
$standby->promote;
is($s->query(NlpTest::GREEDY_SQL), $answer, 'an open session goes on over the promotion');
$standby->safe_psql('postgres', "SELECT nlp.load_model('after', '$file')");
like($standby->safe_psql('postgres', q{SELECT generate('The capital of France is', 'after', '{"max_tokens": 16}')}), qr/Paris/, 'and new models can be loaded');
$s->close_session;
$standby->stop;
$primary->stop;
done_testing();
