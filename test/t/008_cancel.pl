# Cancels, spread over load (into the store), pack (building the resident image), tokenise,
# prefill, decode and wait: the backend spends little
# CPU time between the signal and the end of the statement, and nothing is left of the call.
# CPU time is the scheduler's own account of all the backend's threads; since the session is
# idle once its statement has ended, it can be read at leisure after that.
# NLP_CANCELS: how many in all (200; a release runs 1,000).
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Utils;
use NlpTest;

my $cancels = $ENV{NLP_CANCELS} // 200;
my $node = new_node('cancel', conf => "pg_nlp.max_active = 2\nmax_wal_size = 4GB\n");
my $file = model_file();
load_smollm2($node);
my $answer = greedy($node);
$node->safe_psql('postgres', q{CREATE TABLE big AS SELECT string_agg(md5(i::text) || ' some words in between; ', '' ORDER BY i) AS t FROM generate_series(1, 150000) i});

my @phases = (
	[ load => sub { "SELECT nlp.load_model('c$_[0]', '$file')" }, 0.35 ],
	[ pack => sub { q{SELECT nlp.evict('smollm2'); SELECT nlp.prewarm('smollm2')} }, 0.12 ],
	[ tokenise => sub { 'SELECT token_count(t) FROM big' }, 0.35 ],
	[ prefill => sub { q{SELECT generate((SELECT left(t, 12000) FROM big), options => '{"max_tokens": 1}')} }, 0.6 ],
	[ decode => sub { q{SELECT generate('Once upon a time', options => '{"max_tokens": 2000, "ignore_eos": true}')} }, 0.8 ],
	[ wait => sub { q{SELECT generate('Once upon a time', options => '{"max_tokens": 2000, "ignore_eos": true}')} }, 0.5 ],
);
my $observer = session($node);
my @holders = map { session($node) } 1 .. 2;
my $victim = session($node);
my (%cpu, %seen, %missed, %planned, @all);

sub hold { for my $h (@holders) { $h->send_sql(q{SELECT length(generate('Once upon a time', options => '{"max_tokens": 6000, "ignore_eos": true}'))}); } sleep 0.5; return; }
sub release { for my $h (@holders) { kill 'INT', $h->pid; $h->result(60); } return; }

for my $p (@phases)
{
	my ($phase, $sql, $window) = @$p;
	my $n = int($cancels / @phases);
	$observer->query(q{SELECT nlp.prewarm('smollm2')}) if $phase ne 'pack';
	hold() if $phase eq 'wait';
	my $i = 0;
	my $tries = 0;
	while ($i < $n && $tries < $n * 3)
	{
		$tries++;
		$victim->send_sql($sql->($i));
		# A signal before the statement has begun would be lost: wait until it is seen to run.
		for (1 .. 400) { last if activity_phase($observer, $victim->pid) ne '' || defined($victim->peek); sleep 0.002; }
		sleep(random_of($window));
		my $shown = activity_phase($observer, $victim->pid) // '';
		my $before = cpu_ms($victim->pid);
		kill 'INT', $victim->pid;
		my $got = $victim->result(60);
		my $spent = cpu_ms($victim->pid) - $before;
		if (!defined $got || $got !~ /57014/)
		{
			# It had ended before the signal came; the signal itself was then ignored or met an idle session.
			BAIL_OUT("no end after a cancel in $phase") unless defined $got;
			$missed{$phase}++;
			$victim->query("SELECT nlp.drop_model('c$i')") if $phase eq 'load' && $got !~ /ERROR/;
			next;
		}
		$i++;
		$seen{$phase}{ $shown eq '' ? 'nothing' : $shown }++;
		$planned{$phase}++;
		push @{ $cpu{$phase} }, $spent;
		push @all, $spent;
	}
	release() if $phase eq 'wait';
	my @sorted = sort { $a <=> $b } @{ $cpu{$phase} // [] };
	cmp_ok(scalar @sorted, '>=', int($n * 0.9), "$phase: enough cancels met a running statement");
	next unless @sorted;
	figure(sprintf('cancel in %s: %d, CPU time after the signal: median %.1f ms, worst %.1f ms', $phase, scalar @sorted, $sorted[ @sorted / 2 ], $sorted[-1]));
}
my @sorted = sort { $a <=> $b } @all;
my $slow = grep { $_ >= 50 } @sorted;
for my $p (@phases) { my $h = $seen{ $p->[0] }; figure("nlp.activity at the signal, $p->[0]: " . join('; ', map { "$h->{$_} x $_" } sort keys %$h)); }
cmp_ok($slow, '<=', @sorted * 0.01, '99 % end within 50 ms of CPU time');
cmp_ok($sorted[-1], '<', 100, 'all within 100 ms');
# What nlp.activity must have shown when the signal was sent in each of our phases.
my %shown = (load => qr/^loading (?:nlp\.)?load_model/, pack => qr/^loading (?:nlp\.)?prewarm/, tokenise => qr/^running token_count/,
	prefill => qr/^running generate$/, decode => qr/^running generate, with tokens/, wait => qr/^waiting generate/);
for my $p (@phases)
{
	my $n = 0;
	for my $what (keys %{ $seen{ $p->[0] } }) { $n += $seen{ $p->[0] }{$what} if $what =~ $shown{ $p->[0] }; }
	cmp_ok($n, '>=', $planned{ $p->[0] } * 0.5, "$p->[0]: nlp.activity showed it so at most signals ($n of $planned{ $p->[0] })");
}

# Nothing is left.
is($observer->query('SELECT count(*) FROM nlp.activity WHERE pid <> pg_backend_pid()'), '0', 'nlp.activity is empty');
is($observer->query('SELECT coalesce(sum(pins), 0) FROM nlp.resident_models'), '0', 'no pin is left');
is($victim->query(NlpTest::GREEDY_SQL), $answer, 'the session answers as before');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'nlp_data'::regnamespace AND relkind = 'r'}), '1', 'no half model');

# statement_timeout and pg_terminate_backend end a call the same way.
is(sqlstate_of($node, q{SET statement_timeout = 200; SELECT generate('Once upon a time', options => '{"max_tokens": 4000, "ignore_eos": true}')}), '57014', 'statement_timeout');
my $dying = session($node);
$dying->send_sql(q{SELECT generate('Once upon a time', options => '{"max_tokens": 4000, "ignore_eos": true}')});
sleep 0.3;
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $dying->pid . ', 5000)');
ok(!-d '/proc/' . $dying->pid, 'pg_terminate_backend');
is($observer->query('SELECT coalesce(sum(pins), 0) FROM nlp.resident_models'), '0', 'and no pin is left by it');
is(greedy($node), $answer, 'the server answers');
$_->close_session for @holders, $victim, $observer;
$node->stop;
done_testing();
