# Training from SQL, as others and accidents meet it: no snapshot is held, progress is seen by those
# who may, cancels come through in every phase, a run that was stopped (by a cancel, a timeout,
# pg_terminate_backend, kill -9, a dump and restore) goes on to the very same bytes, rows spill to a
# file, memory is asked for first.
# NLP_CANCELS: how many cancels in all (60 here for 200 there; a release runs 1,000).
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Utils;
use NlpTest;

my $cancels = int(($ENV{NLP_CANCELS} // 200) * 0.3);
my $node = new_node('train', conf => "max_wal_size = 4GB\nlog_statement = none\n");

# Words w0 .. by a steep distribution, in sentences of 200.
sub corpus_sql
{
	my ($table, $rows, $words) = @_;
	return "CREATE TABLE $table AS SELECT i AS id, (SELECT string_agg('w' || floor($words * power((hashint4(i * 1000 + j) & 2147483647) / 2147483648.0::float8, 3))::int, ' ' ORDER BY j)
		FROM generate_series(1, 200) j) AS body FROM generate_series(1, $rows) i; ANALYZE $table";
}
$node->safe_psql('postgres', corpus_sql('corpus', 2000, 5000));
$node->safe_psql('postgres', q{CREATE TABLE many AS SELECT i AS id, (SELECT string_agg('n' || (i * 100 + j), ' ') FROM generate_series(1, 100) j) AS body FROM generate_series(1, 1500) i});

my $observer = session($node);
my $query = 'SELECT body FROM corpus ORDER BY id';
sub call { my ($name, $q, $options) = @_; $q =~ s/'/''/g; return "CALL nlp.train_word2vec('$name', '$q', '$options')"; }
sub phase_of { my ($pid) = @_; return $observer->query("SELECT phase FROM nlp.training_progress WHERE pid = $pid"); }
sub wait_phase
{
	my ($s, $phase, $seconds) = @_;
	my $until = time() + ($seconds // 60);
	while (time() < $until) { return 1 if phase_of($s->pid) eq $phase; return 0 if $s->peek; sleep 0.002; }
	return 0;
}
sub sha { my ($name, $db) = @_; return $node->safe_psql($db // 'postgres', "SELECT sha256 FROM nlp.models WHERE name = '$name'"); }
sub orphans
{
	return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'nlp_data'::regnamespace AND relkind = 'r'
		AND oid NOT IN (SELECT data FROM nlp.model UNION ALL SELECT data FROM nlp.checkpoint UNION ALL SELECT data FROM nlp.retired)});
}
sub temp_files { return scalar grep { -s $_ } glob($node->data_dir . '/base/pgsql_tmp/*'); }

# ---- what others see, and that nothing is held back ----
my $s = session($node);
$s->send_sql(call('seen', $query, '{"dim": 100, "epochs": 2000, "checkpoint_seconds": 0, "quiet": true}'));
ok(wait_phase($s, 'training'), 'training begins');
my $held = 0;
for (1 .. 20)
{
	$held++ if $observer->query('SELECT backend_xmin IS NOT NULL OR backend_xid IS NOT NULL FROM pg_stat_activity WHERE pid = ' . $s->pid) ne 'f';
	sleep 0.03;
}
is($held, 0, 'no snapshot and no transaction id is held while it trains');
sleep 0.5;
is($observer->query('SELECT role, database, model, method, phase, rows, words, epochs, tokens_total > 0, tokens_done > 0, rate > 0, loss > 0, alpha > 0, seconds_left > 0, started < now()
	FROM nlp.training_progress'), 'postgres|postgres|seen|word2vec|training|2000|400000|2000|t|t|t|t|t|t|t', 'progress, seen by another session');
my $first = $observer->query('SELECT tokens_done FROM nlp.training_progress');
sleep 0.6;
cmp_ok($observer->query('SELECT tokens_done FROM nlp.training_progress'), '>', $first, 'and it moves');
like(activity_phase($observer, $s->pid), qr/^running nlp\.train_word2vec/, 'nlp.activity shows it');
$node->safe_psql('postgres', 'CREATE ROLE stranger LOGIN; CREATE ROLE watcher LOGIN; GRANT pg_read_all_stats TO watcher');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nlp.training_progress', extra_params => [ '-U', 'stranger' ]), '0', 'a stranger does not see it');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nlp.training_progress', extra_params => [ '-U', 'watcher' ]), '1', 'pg_read_all_stats does');
is(sqlstate_of($node, call('seen', $query, '{}')), '55006', 'the same name cannot be trained twice at once');
is(sqlstate_of($node, q{SELECT nlp.drop_checkpoint('seen')}), '55006', 'nor its checkpoint dropped');
kill 'INT', $s->pid;
like($s->result(30), qr/57014/, 'a cancel ends it');
is($observer->query('SELECT count(*) FROM nlp.training_progress'), '0', 'and its progress');
is($observer->query('SELECT count(*) FROM nlp.checkpoints'), '0', 'no checkpoint was asked for');

# ---- cancels in every phase ----
my (%cpu, %seen);
my %runs = (
	reading => [ call('c', 'SELECT body FROM corpus, generate_series(1, 50)', '{"dim": 20, "epochs": 1, "quiet": true, "replace": true}'), 0.5 ],
	training => [ call('c', $query, '{"dim": 100, "epochs": 2000, "checkpoint_seconds": 0.2, "quiet": true, "replace": true}'), 0.5 ],
	checkpoint => [ call('c', 'SELECT body FROM many', '{"dim": 200, "epochs": 2000, "min_count": 1, "checkpoint_seconds": 0.01, "quiet": true, "replace": true}'), 0.1 ],
	writing => [ call('c', 'SELECT body FROM many', '{"dim": 200, "epochs": 1, "min_count": 1, "checkpoint_seconds": 0, "quiet": true, "replace": true}'), 0.2 ],
);
my @all;
for my $phase (qw(reading training checkpoint writing))
{
	my ($sql, $window) = @{ $runs{$phase} };
	my $n = int($cancels / 4) || 1;
	my ($met, $hints, $wrong) = (0, 0, 0);
	for (my $tries = 0; $met < $n && $tries < 3 * $n; $tries++)
	{
		$s->send_sql($sql);
		if (!wait_phase($s, $phase)) { $s->result(60); next; }
		sleep(random_of($window));
		my $shown = phase_of($s->pid);
		my $before = cpu_ms($s->pid);
		kill 'INT', $s->pid;
		my $got = $s->result(60);
		my $spent = cpu_ms($s->pid) - $before;
		BAIL_OUT("no end after a cancel in $phase") unless defined $got;
		next unless $got =~ /57014/;
		$met++;
		$hints++ if $got =~ /HINT:.*"resume": true/;
		$wrong++ if $observer->query('SELECT count(*) FROM nlp.training_progress') ne '0' || $observer->query('SELECT count(*) FROM nlp.activity WHERE pid <> pg_backend_pid()') ne '0';
		$seen{$phase}{ $shown || 'nothing' }++;
		push @{ $cpu{$phase} }, $spent;
		push @all, $spent;
	}
	my @sorted = sort { $a <=> $b } @{ $cpu{$phase} // [] };
	cmp_ok($met, '>=', int($n * 0.7), "$phase: enough cancels met a running statement ($met of $n)");
	is($wrong, 0, "$phase: nothing runs on");
	cmp_ok($hints, '>', 0, "$phase: the error says how to resume") if $phase eq 'training';
	figure(sprintf('cancel in %s: %d, CPU time after the signal: median %.1f ms, worst %.1f ms; phase shown then: %s', $phase, scalar @sorted, $sorted[ @sorted / 2 ], $sorted[-1],
		join(', ', map { "$seen{$phase}{$_} x $_" } sort keys %{ $seen{$phase} }))) if @sorted;
	cmp_ok($seen{$phase}{$phase} // 0, '>=', $n * 0.3, "$phase: it was in that phase at enough of the signals");
}
@all = sort { $a <=> $b } @all;
cmp_ok(scalar(grep { $_ >= 50 } @all), '<=', @all * 0.01 + 1, '99 % end within 50 ms of CPU time');
cmp_ok($all[-1], '<', 100, 'all within 100 ms');
is(orphans(), '0', 'no half model');
is(temp_files(), 0, 'no temporary file');
is($observer->query(q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'nlp.checkpoint'::regclass}), '0', 'no lock');
$node->safe_psql('postgres', 'SELECT nlp.drop_checkpoint(name) FROM nlp.checkpoints');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nlp.checkpoint'), '0', 'nlp.drop_checkpoint');

# ---- a run that was stopped goes on to the same bytes ----
my $options = '"dim": 60, "epochs": 12, "seed": 5, "checkpoint_seconds": 0.15, "quiet": true';
$node->safe_psql('postgres', call('whole', $query, "{$options}"));
my $want = sha('whole');
is($observer->query('SELECT count(*) FROM nlp.checkpoints'), '0', 'a finished run leaves no checkpoint');
cmp_ok($observer->query(q{SELECT count(*) FROM nlp.training_log WHERE model = 'whole'}), '>=', 2, 'but its history');
is($observer->query(q{SELECT bool_and(loss > 0 AND alpha > 0 AND tokens > 0) AND count(DISTINCT started) = 1 AND max(epoch) = 12 FROM nlp.training_log WHERE model = 'whole'}), 't', 'which says how it went');
$node->safe_psql('postgres', q{SELECT nlp.drop_model('whole')});

# Run until there is a checkpoint and something after it; then do what ends it.
sub stop_once
{
	my ($sql, $how) = @_;
	my $done = $observer->query(q{SELECT coalesce(max(tokens_done), 0) FROM nlp.checkpoints WHERE name = 'whole'});
	$s->send_sql($sql);
	for (1 .. 5000)
	{
		last if $observer->query(qq{SELECT EXISTS (SELECT FROM nlp.checkpoints c JOIN nlp.training_progress p ON p.model = c.name
			WHERE c.name = 'whole' AND c.tokens_done > $done AND p.tokens_done > c.tokens_done)}) eq 't';
		return $s->result(1) if $s->peek;
		sleep 0.005;
	}
	$how->();
	return $s->result(60);
}
my $resume = call('whole', $query, "{$options, \"resume\": true}");
like(stop_once(call('whole', $query, "{$options}"), sub { kill 'INT', $s->pid }), qr/57014.*\nHINT:  Call nlp\.train_word2vec again with \{"resume": true\} to go on from the checkpoint/s, 'cancelled after a checkpoint');
is($observer->query(q{SELECT name, method, owner, rows, words, epochs, bytes > 0, tokens_done BETWEEN 1 AND tokens_total - 1 FROM nlp.checkpoints}), 'whole|word2vec|postgres|2000|400000|12|t|t', 'nlp.checkpoints shows it');
is(sqlstate_of($node, call('whole', $query, '{"resume": true, "dim": 61}')), '22023', 'not with another option');
is(sqlstate_of($node, call('whole', 'SELECT body FROM corpus ORDER BY id DESC', '{"resume": true}')), '55000', 'not with rows in another order');
is(sqlstate_of($node, call('whole', 'SELECT body FROM corpus WHERE id > 1 ORDER BY id', '{"resume": true}')), '55000', 'nor with other rows');
is(sqlstate_of($node, q{SELECT nlp.drop_checkpoint('whole')}, extra => [ '-U', 'stranger' ]), '42501', 'another role cannot drop it');
is(sqlstate_of($node, call('whole', q{SELECT 'a'::text}, '{"resume": true}'), extra => [ '-U', 'stranger' ]), '42501', 'nor resume it');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nlp.checkpoints', extra_params => [ '-U', 'stranger' ]), '0', 'nor see it');

# Elsewhere, after a dump and restore.
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('elsewhere') ], 'restored');
$node->safe_psql('elsewhere', $resume);
is(sha('whole', 'elsewhere'), $want, 'a restored checkpoint goes on to the same bytes');

# pg_terminate_backend, statement_timeout, kill -9: the same name, one after the other.
my $pid = $s->pid;
stop_once($resume, sub { $observer->query("SELECT pg_terminate_backend($pid, 10000)") });
$s = session($node);
is($observer->query('SELECT count(*) FROM nlp.training_progress'), '0', 'terminated');
$s->query('SET statement_timeout = 400');
my $timed = stop_once($resume, sub { sleep 1 });
like($timed, qr/57014.*"resume": true/s, 'statement_timeout, with the hint');
$s->query('RESET statement_timeout');
my $before_kill = $observer->query('SELECT tokens_done FROM nlp.checkpoints');
my $victim = $s->pid;
stop_once($resume, sub { kill 'KILL', $victim });
$s->close_session;
ok(wait_until_true($node, 'SELECT true', 60), 'back after kill -9');
$observer = session($node);
$s = session($node);
cmp_ok($observer->query('SELECT tokens_done FROM nlp.checkpoints'), '>', $before_kill, 'kill -9 lost no checkpoint');
is($observer->query('SELECT count(*) FROM nlp.training_progress'), '0', 'nothing runs');
is($observer->query(q{SELECT count(*) FROM nlp.models WHERE name = 'whole'}), '0', 'no half model');
$node->safe_psql('postgres', $resume);
is(sha('whole'), $want, 'cancel, termination, timeout and kill -9 later: the same bytes as the run that nothing stopped');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nlp.checkpoint'), '0', 'the checkpoint is gone');
is($observer->query(q{SELECT count(DISTINCT started) FROM nlp.training_log WHERE model = 'whole' AND started > (SELECT min(started) FROM nlp.training_log WHERE model = 'whole')}), '1', 'the log has it as one run');
is(orphans(), '0', 'no relation is left');

# ---- update: stopped, and replaced meanwhile ----
$node->safe_psql('postgres', q{CREATE TABLE news AS SELECT id, replace(body, 'w1 ', 'new ') AS body FROM corpus});
my $update = '"update": true, "epochs": 8, "checkpoint_seconds": 0.1, "quiet": true';
$node->safe_psql('postgres', call('u', $query, '{"dim": 60, "epochs": 1, "seed": 5, "quiet": true}'));
$node->safe_psql('postgres', call('u', 'SELECT body FROM news ORDER BY id', "{$update}"));
my $updated = sha('u');
is($node->safe_psql('postgres', q{SELECT card #>> '{training,options,dim}' || ' ' || (card #>> '{training,options,epochs}') FROM nlp.models WHERE name = 'u'}), '60 8', 'an update keeps what the model was trained with');
$node->safe_psql('postgres', call('u', $query, '{"dim": 60, "epochs": 1, "seed": 5, "quiet": true, "replace": true}'));
$s->send_sql(call('u', 'SELECT body FROM news ORDER BY id', "{$update}"));
for (1 .. 5000) { last if $observer->query(q{SELECT count(*) FROM nlp.checkpoints WHERE name = 'u'}) eq '1' || $s->peek; sleep 0.005; }
kill 'INT', $s->pid;
like($s->result(60), qr/57014/, 'an update is cancelled');
is(sqlstate_of($node, call('u', 'SELECT body FROM news ORDER BY id', '{"resume": true, "replace": true}')), '22023', 'it is resumed as an update');
$node->safe_psql('postgres', call('u', 'SELECT body FROM news ORDER BY id', "{$update, \"resume\": true}"));
is(sha('u'), $updated, 'and comes to the same bytes');

# ---- a checkpoint that its owner wrote to is refused; texts in other encodings ----
$s->send_sql(call('t', $query, '{"dim": 60, "epochs": 2000, "checkpoint_seconds": 0.05, "quiet": true}'));
for (1 .. 5000) { last if $observer->query(q{SELECT count(*) FROM nlp.checkpoints WHERE name = 't'}) eq '1' || $s->peek; sleep 0.005; }
kill 'INT', $s->pid;
$s->result(60);
my $data = $node->safe_psql('postgres', q{SELECT data FROM nlp.checkpoints WHERE name = 't'});
$node->safe_psql('postgres', "UPDATE $data SET data = set_byte(data, 100, get_byte(data, 100) # 1) WHERE seq = (SELECT max(seq) / 2 FROM $data)");
is(sqlstate_of($node, call('t', $query, '{"resume": true}')) =~ /^(?:22P03|XX001)$/ ? 'refused' : 'taken', 'refused', 'a changed checkpoint is refused');
$node->safe_psql('postgres', "DELETE FROM $data WHERE seq = (SELECT max(seq) FROM $data)");
is(sqlstate_of($node, call('t', $query, '{"resume": true}')) =~ /^(?:22P03|XX001)$/ ? 'refused' : 'taken', 'refused', 'a shortened one too');
$node->safe_psql('postgres', "DROP TABLE $data");
is(sqlstate_of($node, call('t', $query, '{"resume": true}')), '42704', 'and one whose relation is gone is none');
$node->safe_psql('postgres', q{SELECT nlp.drop_checkpoint('t')});
for my $encoding (qw(LATIN1 EUC_JP SQL_ASCII))
{
	my $db = lc $encoding;
	$node->safe_psql('postgres', "CREATE DATABASE $db ENCODING '$encoding' TEMPLATE template0 LOCALE 'C'");
	$node->safe_psql($db, 'CREATE EXTENSION pg_nlp');
	my $text = $encoding eq 'EUC_JP' ? q{convert_from('\xc6fcb3dab8ecc1', 'EUC_JP')} : q{'caf' || chr(233)};
	$text = q{convert_from('\xc6fccbdc', 'EUC_JP')} if $encoding eq 'EUC_JP';
	$text = q{convert_from('\x636166c3a9', 'SQL_ASCII')} if $encoding eq 'SQL_ASCII';
	$node->safe_psql($db, call('enc', "SELECT $text || ' one two' FROM generate_series(1, 20)", '{"dim": 4, "epochs": 1, "quiet": true}'));
	is($node->safe_psql($db, q{SELECT card #>> '{training,vocabulary}' FROM nlp.models WHERE name = 'enc'}), $encoding eq 'EUC_JP' ? '4' : '3', "$encoding: words are those of the text");
}
is(sqlstate_of($node, call('bad', q{SELECT convert_from('\xff', 'SQL_ASCII') || ' one two' FROM generate_series(1, 20)}, '{"quiet": true}'), db => 'sql_ascii'), '22021', 'bytes that are not UTF-8 are refused');

# ---- memory ----
my $big = 'SELECT body FROM corpus, generate_series(1, 8) AS s(s) ORDER BY s, id';
my $spilled = '{"dim": 10, "epochs": 1, "seed": 3, "quiet": true, "replace": true}';
$node->safe_psql('postgres', call('big', $big, $spilled));
my $in_memory = sha('big');
$node->safe_psql('postgres', q{ALTER SYSTEM SET pg_nlp.compute_memory = '24MB'});
$node->reload;
ok(wait_until_true($node, q{SELECT current_setting('pg_nlp.compute_memory') = '24MB'}), 'less memory');
$s->send_sql(call('big', $big, $spilled));
my $most = 0;
for (1 .. 20000) { last if $s->peek; my $now = temp_files(); $most = $now if $now > $most; sleep 0.005; }
is($s->result(120), '', 'more rows than the memory for them');
cmp_ok($most, '>=', 1, 'they went to a temporary file');
is(temp_files(), 0, 'which is gone');
is(sha('big'), $in_memory, 'and the vectors are the same');
my ($rc, $out, $err) = $node->psql('postgres', call('toobig', 'SELECT body FROM many', '{"dim": 300, "min_count": 1, "quiet": true}'), extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($err, qr/ERROR:  53200: out of compute memory for training word vectors \(\d+ bytes\)/, 'more than the budget is refused before it is taken');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET pg_nlp.compute_memory');
$node->reload;
ok(wait_until_true($node, q{SELECT current_setting('pg_nlp.compute_memory') = '-1'}), 'the default again');
$s->send_sql(call('big', 'SELECT body FROM corpus, generate_series(1, 500)', '{"dim": 10, "quiet": true, "replace": true}'));
ok(wait_phase($s, 'reading'), 'reading');
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $s->pid . ', 5000)');
ok(!-d '/proc/' . $s->pid, 'terminated while it reads');
is(temp_files(), 0, 'no temporary file is left');
$s = session($node);

# ---- threads: others' results may differ in bits, not in kind; max_active counts a training ----
is($s->query('SET pg_nlp.threads = 2; ' . call('two', $query, '{"dim": 20, "epochs": 1, "quiet": true}')), '', 'two threads');
$node->safe_psql('postgres', 'ALTER SYSTEM SET pg_nlp.max_active = 1');
$node->reload;
ok(wait_until_true($node, q{SELECT current_setting('pg_nlp.max_active') = '1'}), 'one at a time');
$s->send_sql(call('one', $query, '{"dim": 100, "epochs": 2000, "checkpoint_seconds": 0, "quiet": true}'));
ok(wait_phase($s, 'training'), 'one trains');
my $waiter = session($node);
$waiter->send_sql(call('other', $query, '{"dim": 20, "epochs": 1, "quiet": true}'));
for (1 .. 400) { last if activity_phase($observer, $waiter->pid) =~ /^waiting/; sleep 0.01; }
like(activity_phase($observer, $waiter->pid), qr/^waiting nlp\.train_word2vec/, 'another waits');
kill 'INT', $s->pid;
$s->result(30);
is($waiter->result(60), '', 'and trains when the first has ended');
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC:|TRAP:|WARNING:.*(?:leak|snapshot|lock)/, 'no crash and no leak in the log');
$_->close_session for $s, $waiter, $observer;
$node->stop;

# ---- without preload: the small table, eight rows of progress ----
my $late = new_node('train_late', preload => 0);
$late->safe_psql('postgres', corpus_sql('corpus', 300, 500));
my @ten = map { session($late) } 1 .. 10;
my $i = 0;
for my $t (@ten) { $i++; $t->send_sql(call("t$i", $query, '{"dim": 20, "epochs": 100000, "checkpoint_seconds": 0, "quiet": true}')); }
ok(wait_until_true($late, q{SELECT count(*) = 8 AND (SELECT count(*) FROM nlp.activity WHERE verb = 'nlp.train_word2vec' AND phase = 'running') = 10 FROM nlp.training_progress}, 30), 'ten trainings, eight of them shown');
kill 'INT', map { $_->pid } @ten;
is(scalar(grep { ($_->result(30) // '') =~ /57014/ } @ten), 10, 'all are cancelled');
is($late->safe_psql('postgres', 'SELECT count(*) FROM nlp.training_progress'), '0', 'and gone');
$_->close_session for @ten;
$late->stop;
done_testing();
