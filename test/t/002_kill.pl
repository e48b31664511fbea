# kill -9, of backends while they load or answer, and of the postmaster: the server comes
# back by itself, committed models are whole, half models are nowhere, nothing is orphaned.
# NLP_KILLS: rounds (10; a release runs 500).
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Utils;
use POSIX ':sys_wait_h';
use NlpTest;

# Orphans come to us (prctl PR_SET_CHILD_SUBREAPER): in a container whose first process
# reaps nobody, a killed postmaster would stay a zombie, and its pid file valid, for ever.
syscall((POSIX::uname())[4] eq 'aarch64' ? 167 : 157, 36, 1, 0, 0, 0);

my $rounds = $ENV{NLP_KILLS} // 10;
my $node = new_node('kill');
my $file = model_file();
load_smollm2($node);
my $answer = greedy($node);
my %shm_at_rest = (bytes => shm_bytes());
my $long = q{SELECT length(generate('Once upon a time', options => '{"max_tokens": 400, "ignore_eos": true}'))};
my ($load_kills, $generate_kills, $late) = (0, 0, 0);
my $worst = 0;

for my $round (1 .. $rounds)
{
	my $what = ('load', 'generate', 'postmaster')[$round % 3];
	my $s = session($node);
	my $pid = $s->pid;
	$s->send_sql($what eq 'generate' ? $long : "SELECT nlp.load_model('m$round', '$file')");
	sleep(0.02 + random_of(0.5));
	my $ended = $s->result(0.001);
	my $victim = $pid;
	if ($what eq 'postmaster')
	{
		$victim = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	}
	defined $ended ? $late++ : $what eq 'generate' ? $generate_kills++ : $load_kills++;
	kill 'KILL', $victim;
	$s->close_session;
	my $t0 = time();
	if ($what eq 'postmaster')
	{
		# Its children notice and leave; only then may a new one start.
		for (1 .. 600)
		{
			waitpid($_, WNOHANG) for $victim, $pid;
			last unless grep { -d "/proc/$_" } ($victim, $pid);
			sleep 0.05;
		}
		$node->{_pid} = undef;
		$t0 = time();
		my $started = 0;
		for (1 .. 100) { $started = $node->start(fail_ok => 1); last if $started; sleep 0.1; }
		BAIL_OUT('the server does not come back') unless $started;
	}
	wait_until_true($node, 'SELECT true', 60) or BAIL_OUT('the server does not come back');
	my $took = time() - $t0;
	$worst = $took if $took > $worst;

	# A load that had returned was committed; one that had not may or may not be, but never by half.
	my $wrong = $node->safe_psql('postgres', q{SELECT count(*) FROM nlp.models WHERE name LIKE 'm%' AND bytes <>
		(SELECT bytes FROM nlp.models WHERE name = 'smollm2')});
	my $orphans = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'nlp_data'::regnamespace
		AND relkind = 'r' AND oid NOT IN (SELECT data FROM nlp.model UNION ALL SELECT data FROM nlp.retired)});
	my $now = greedy($node);
	my $running = $node->safe_psql('postgres', 'SELECT count(*) FROM nlp.activity WHERE pid <> pg_backend_pid()');
	ok($wrong eq '0' && $orphans eq '0' && $now eq $answer && $running eq '0',
		"round $round ($what): nothing lost, nothing half, nothing left running")
	  or diag("wrong $wrong, orphans $orphans, running $running, answer: $now");
	$node->safe_psql('postgres', "SELECT nlp.drop_model(name) FROM nlp.models WHERE name = 'm$round'");
}

figure("kill -9: $load_kills during load, $generate_kills during generate, $late after the statement; back after at most "
	. sprintf('%.2f', $worst) . ' s, recovery included');
ok($load_kills >= 1 && $generate_kills >= 1, 'kills met loads and answers at work');
$node->stop;
cmp_ok(shm_bytes(), '<=', $shm_at_rest{bytes}, 'no shared memory segment is left behind');

done_testing();
