# Eight sessions at once doing what goes wrong: answers, errors, cancels, evictions,
# replacements, drops, rollbacks, sessions that end. Afterwards: nothing pinned, nothing
# running, nothing lost, memory of a session that lived through it all does not grow.
# NLP_EVENTS: how many (500; make soak 10,000), NLP_MINUTES: go on at least so long.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Utils;
use NlpTest;

my $events = $ENV{NLP_EVENTS} // 500;
my $minutes = $ENV{NLP_MINUTES} // 0;
my $preload = $ENV{NLP_PRELOAD} // 1;
my $node = new_node('events', preload => $preload, conf => "pg_nlp.max_active = 3\nlog_min_messages = fatal\n");
my $file = model_file();
load_smollm2($node);
load_smollm2($node, 'moving');
my $answer = greedy($node);
my $shm0 = shm_bytes();

my @kinds = (
	[ 12, 'answer', sub { q{SELECT generate('The capital of France is', 'smollm2', '{"max_tokens": 16}')} } ],
	[ 6, 'batch', sub { q{SELECT count(*) FROM unnest(generate(array['One', 'Two', NULL, 'Three'], 'smollm2', '{"max_tokens": 4}'))} } ],
	[ 4, 'moving', sub { q{SELECT generate('x', 'moving', '{"max_tokens": 2}')} } ],
	[ 4, 'unknown option', sub { q{SELECT generate('x', 'smollm2', '{"max_tokenz": 2}')} } ],
	[ 3, 'unknown model', sub { q{SELECT generate('x', 'nothing', '{"max_tokens": 2}')} } ],
	[ 3, 'context overflow', sub { q{SELECT generate(repeat('many words ', 6000), 'smollm2', '{"max_tokens": 1}')} } ],
	[ 3, 'caught error', sub { q{DO $$ BEGIN PERFORM generate('x', 'smollm2', '{"max_tokens": -1}'); EXCEPTION WHEN OTHERS THEN PERFORM token_count('x', 'smollm2'); END $$} } ],
	[ 4, 'cancelled', sub { q{SELECT generate('Once', 'smollm2', '{"max_tokens": 3000, "ignore_eos": true}')} } ],
	[ 3, 'timeout', sub { q{SET statement_timeout = 60; SELECT generate('Once', 'smollm2', '{"max_tokens": 3000, "ignore_eos": true}')} . '; RESET statement_timeout' } ],
	[ 3, 'cursor left', sub { q{BEGIN; DECLARE c CURSOR FOR SELECT generate_stream('Once', 'smollm2', '{"max_tokens": 40}'); FETCH 2 FROM c; ROLLBACK} } ],
	[ 3, 'limit', sub { q{SELECT generate_stream('Once', 'smollm2', '{"max_tokens": 40}') LIMIT 2} } ],
	[ 2, 'evict', sub { q{SELECT nlp.evict('smollm2')} } ],
	[ 2, 'evict', sub { q{SELECT nlp.evict('moving')} } ],
	[ 2, 'rolled back load', sub { "BEGIN; SELECT nlp.load_model('never$_[0]', '$file'); ROLLBACK" } ],
	[ 1, 'replace', sub { "BEGIN; SELECT nlp.drop_model('moving'); SELECT nlp.load_model('moving', '$file'); COMMIT" } ],
	[ 1, 'savepoint', sub { "BEGIN; SAVEPOINT s; SELECT nlp.load_model('never$_[0]', '$file'); SELECT generate('x', 'never$_[0]', '{\"max_tokens\": 1}'); ROLLBACK TO s; SELECT token_count('x', 'smollm2'); COMMIT" } ],
	[ 2, 'session ends', sub { undef } ],
);
my @deck = map { my $k = $_; ($k) x $k->[0] } @kinds;

my @slots = map { { s => session($node), busy => 0 } } 1 .. 8;
my $keeper = session($node);
sub own_kb { my ($pid) = @_; my $kb = 0; for (split /\n/, slurp_file("/proc/$pid/smaps_rollup")) { $kb += $1 if /^Anonymous:\s+(\d+)/; } return $kb; }
# Everything it will do it has done before it is measured: others evict the model, and then
# a call of its own builds the image, with its file's tables in memory for a while.
for (1 .. 3)
{
	$keeper->query("SELECT nlp.evict('smollm2')");
	$keeper->query(NlpTest::GREEDY_SQL) for 1 .. 3;
}
my $kb0 = own_kb($keeper->pid);
my (%count, $wrong, $lost, $answers) = ();
($wrong, $lost, $answers) = (0, 0, 0);
my ($n, $keeper_calls) = (0, 0);
my $t0 = time();

while ($n < $events || time() - $t0 < $minutes * 60)
{
	my $moved = 0;
	for my $slot (@slots)
	{
		if ($slot->{busy})
		{
			kill 'INT', $slot->{s}->pid if $slot->{kind} eq 'cancelled' && time() > $slot->{at};
			my $got = $slot->{s}->result(0.002);
			if (!defined $got)
			{
				if (time() - $slot->{since} > 120) { $lost++; diag("$slot->{kind} has not ended after 120 s"); $slot->{busy} = 0; $slot->{s} = session($node); }
				next;
			}
			$slot->{busy} = 0;
			if ($slot->{kind} eq 'answer') { $answers++; if ($got ne $answer) { $wrong++; diag("wrong answer: $got"); } }
			if ($got =~ /XX000|server closed/) { $wrong++; diag("$slot->{kind}: $got"); }
			$slot->{s}->query('ROLLBACK') if $got =~ /ERROR/;
		}
		my $kind = $deck[ int random_of(scalar @deck) ];
		$n++;
		$count{ $kind->[1] }++;
		my $sql = $kind->[2]->($n);
		$moved = 1;
		if (!defined $sql)
		{
			# a session that ends in the middle of an answer
			$slot->{s}->send_sql(q{SELECT generate('Once', 'smollm2', '{"max_tokens": 500, "ignore_eos": true}')});
			sleep random_of(0.1);
			kill 'TERM', $slot->{s}->pid;
			$slot->{s} = session($node);
			next;
		}
		$slot->{s}->send_sql($sql);
		@$slot{qw(busy kind since at)} = (1, $kind->[1], time(), time() + random_of(0.3));
	}
	if ($n % 50 < 8) { $keeper->query(NlpTest::GREEDY_SQL); $keeper_calls++; }
	sleep 0.005 unless $moved;
}
for my $slot (@slots)
{
	kill 'INT', $slot->{s}->pid if $slot->{busy} && $slot->{kind} eq 'cancelled';
	$slot->{s}->result(120) if $slot->{busy};
	$slot->{s}->query('ROLLBACK');	# one that failed in the middle of its transaction is out of it
}

figure("$n events in " . sprintf('%.0f s: ', time() - $t0) . join(', ', map { "$count{$_} $_" } sort keys %count));
is($wrong, 0, "all $answers answers right, no internal error");
is($lost, 0, 'every statement ended');
is($keeper->query('SELECT coalesce(sum(pins), 0) FROM nlp.resident_models'), '0', 'nothing is pinned');
is($keeper->query('SELECT count(*) FROM nlp.activity WHERE pid <> pg_backend_pid()'), '0', 'nothing is running');
is($keeper->query('SELECT string_agg(name, \',\' ORDER BY name) FROM nlp.models WHERE data IS NOT NULL'), 'moving,smollm2', 'the two models are there and no other');
$keeper->query('SELECT nlp.repair()');
is($keeper->query(q{SELECT count(*) FROM pg_class WHERE relnamespace = 'nlp_data'::regnamespace AND relkind = 'r'}), '2', 'with a relation each');
is(greedy($node), $answer, 'the server answers');
my $grown = own_kb($keeper->pid) - $kb0;
cmp_ok($grown, '<=', 1024 + 1024 * (time() - $t0) / 3600, 'memory of a session that called all along does not grow');
figure("a session with $keeper_calls calls meanwhile grew by $grown kB");
$keeper->query("SELECT nlp.evict(name) FROM nlp.models");
is($keeper->query('SELECT count(*) FROM nlp.resident_models'), '0', 'everything can be evicted');
cmp_ok(shm_bytes(), '<=', $shm0 + 8e6, 'and its shared memory is given back');
my $log = slurp_file($node->logfile);
unlike($log, qr/was terminated by signal|PANIC:|TRAP:/, 'no crash in the log');
$_->{s}->close_session for @slots;
$keeper->close_session;
$node->stop;
done_testing();
