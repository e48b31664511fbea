# Word vectors on a server: a call kept open over a statement's rows (what it holds, what others see,
# what ends it), cancels in a search, a judgement and a load, the gate, standbys, a server
# without preload, memory and cost per row.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use NlpTest;

my $src = $ENV{NLP_SRC} or die "NLP_SRC is not set";
my $golden = "$src/test/golden/words/model.gguf";
my $node = new_node('words', init => [ allows_streaming => 1 ], conf => "pg_nlp.max_active = 1\n");

# A large model: word2vec binary, 300,000 x 64, rows drawn from a pool and then made different.
my ($rows, $dim) = (300_000, 64);
my $dir = PostgreSQL::Test::Utils::tempdir;
chmod 0755, $dir;
my $big = "$dir/big.bin";
my @pool = map { pack 'f<*', map { random_of(2) - 1 } 1 .. $dim } 1 .. 1024;
open my $f, '>:raw', $big or die $!;
print $f "$rows $dim\n";
for my $i (0 .. $rows - 1)
{
	my $v = $pool[$i % 1024];
	substr($v, 4 * ($i % 60), 16, pack 'f<4', map { random_of(4) - 2 } 1 .. 4);
	print $f "w$i ", $v, "\n";
}
close $f;
$node->safe_psql('postgres', "SELECT nlp.load_model('big', '$big')");
$node->safe_psql('postgres', "SELECT nlp.load_model('golden', '$golden')");
$node->safe_psql('postgres', q{SELECT nlp.prewarm('big'), nlp.prewarm('golden')});
my $neighbours = q{SELECT string_agg(word || round(similarity::numeric, 4), ' ') FROM similar_words('w17', 10, 'big')};
my $answer = $node->safe_psql('postgres', $neighbours);
like($answer, qr/^(w\d+0\.\d+ ?){10}$/, 'ten neighbours in a large model');

my $a = session($node);
my $b = session($node);
my $observer = session($node);
sub pins { return $observer->query(q{SELECT pins FROM nlp.resident_models WHERE name = 'golden'}); }

# A cursor over rows keeps one call: pinned and shown once, paused between fetches.
my $cursor = q{DECLARE c CURSOR FOR SELECT word_vector('king', 'golden') IS NOT NULL FROM generate_series(1, 100000)};
$a->query('BEGIN');
$a->query($cursor);
is($a->query('FETCH 3 FROM c'), "t\nt\nt", 'rows of a cursor');
is(pins(), '1', 'an open statement has one pin');
is($observer->query('SELECT count(*), min(phase), min("rows"), min(verb) FROM nlp.activity WHERE pid = ' . $a->pid), '1|paused|3|word_vector',
	'and one row in nlp.activity, paused while nobody asks');
is($b->query(q{SELECT nlp.evict('golden')}), 'f', 'what it reads is not evicted');
# Replaced meanwhile: the cursor goes on with what it saw, a new statement sees the new one.
$b->query(q{SELECT nlp.load_model('golden', convert_to(E'king 1 2\n', 'UTF8'), '{"replace": true}')});
is($a->query('FETCH 1 FROM c'), 't', 'the cursor goes on when the model is replaced');
is($a->query(q{SELECT vector_dims(word_vector('king', 'golden'))}), '2', 'a new statement meets the new version');
$a->query('COMMIT');
is($observer->query(q{SELECT count(*) FROM nlp.resident_models WHERE pins > 0}), '0', 'at the end of the transaction nothing is pinned');
is($observer->query('SELECT count(*) FROM nlp.activity WHERE pid = ' . $a->pid), '0', 'or shown');
$b->query("SELECT nlp.load_model('golden', '$golden', '{\"replace\": true}')");

# However a statement ends, the pin goes: error, cancel, rollback to a savepoint, the session's end.
my $fails = q{SELECT count(word_vector('king', 'golden')), max(1 / (100000 - i)) FROM generate_series(1, 200000) i};
is(sqlstate_of($node, $fails), '22012', 'a statement that fails after many rows');
is(pins(), '0', 'leaves no pin');
$a->query('BEGIN');
$a->query('SAVEPOINT s');
$a->query($cursor);
$a->query('FETCH 1 FROM c');
is(pins(), '1', 'pinned in a subtransaction');
$a->query('ROLLBACK TO s');
is(pins(), '0', 'and no longer when that is rolled back');
is($a->query(q{SELECT word_vector('king', 'golden') IS NOT NULL}), 't', 'the transaction goes on');
$a->query('ROLLBACK');
$a->query('BEGIN');
$a->query($cursor);
$a->query('FETCH 1 FROM c');
$b->query('SELECT pg_terminate_backend(' . $a->pid . ')');
ok(wait_until_true($node, q{SELECT NOT EXISTS (SELECT FROM nlp.resident_models WHERE pins > 0)}), 'a session that is terminated gives its pin back');
$a = session($node);
# PL/pgSQL keeps its expressions to the end of the transaction.
$a->query('BEGIN');
$a->query(q{DO $$ DECLARE v embedding; BEGIN FOR i IN 1..1000 LOOP v := word_vector('king', 'golden'); END LOOP; END $$});
$a->query('COMMIT');
is(pins(), '0', 'nothing is pinned after a transaction of PL/pgSQL');

# The right to use a model is looked at in every row.
$node->safe_psql('postgres', q{CREATE ROLE reader});
my $data = $node->safe_psql('postgres', q{SELECT data FROM nlp.models WHERE name = 'golden'});
$node->safe_psql('postgres', "GRANT SELECT ON $data TO reader");
$a->query('SET ROLE reader');
$a->query('BEGIN');
$a->query($cursor);
is($a->query('FETCH 1 FROM c'), 't', 'a role that may use the model');
$b->query("REVOKE SELECT ON $data FROM reader");
$a->query('SELECT count(*) FROM nlp.models');	# takes notice of what others did
like($a->query('FETCH 1 FROM c'), qr/42501/, 'may not any more, in the middle of a statement');
$a->query('ROLLBACK');
$a->query('RESET ROLE');

# Cancels: little CPU time between the signal and the end.
$node->safe_psql('postgres', q{CREATE TABLE questions AS SELECT string_agg(format('w%s w%s w%s w%s', i, i + 1, i + 2, i + 3), E'\n' ORDER BY i) AS t FROM generate_series(1, 20000) i});
my %long = (
	search => q{SELECT count(*) FROM generate_series(1, 100000) i, LATERAL similar_words('w' || i, 100, 'big')},
	filter => q{SELECT count(*) FROM generate_series(1, 100000) i, LATERAL similar_words('w' || i, 1000, 'big', '{"pattern": "%1%2%3%"}')},
	judge => q{SELECT count(*) FROM nlp.evaluate_word_vectors('big', 'analogies', (SELECT E': s\n' || t FROM questions), 0)},
	# (in FROM, generate_series would fill a temporary file, whose end is the server's time and not ours)
	rows => q{SELECT count(word2vec_similarity('w' || i, 'w' || i + 1, 'big')) FROM (SELECT generate_series(1, 100000000) AS i) s},
	load => "SELECT nlp.load_model('again', '$big')",
	export => q{SELECT sum(length(data)) FROM generate_series(1, 100), nlp.export_model('big', 'text')},
);
for my $what (sort keys %long)
{
	my ($missed, $most) = (0, 0);
	for my $try (1 .. 8)
	{
		$a->send_sql($long{$what});
		for (1 .. 400) { last if activity_phase($observer, $a->pid) ne ''; sleep 0.002; }
		sleep 0.02 + random_of(0.25);
		if ($a->peek) { $missed++; $a->result; next; }
		my $before = cpu_ms($a->pid);
		kill 'INT', $a->pid;
		my $out = $a->result(30);
		my $spent = cpu_ms($a->pid) - $before;
		$most = $spent if $spent > $most;
		like($out // '', qr/57014/, "$what: cancelled") or last;
	}
	figure(sprintf("cancel in %s: most %.1f ms of CPU after the signal", $what, $most));
	cmp_ok($most, '<', 50, "$what: less than 50 ms of CPU after a cancel");
	cmp_ok($missed, '<', 4, "$what: cancelled while it ran");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM nlp.models WHERE name = 'again'}), '0', 'a load that was cancelled leaves no model');
is($node->safe_psql('postgres', $neighbours), $answer, 'the same answer after that');
is($observer->query(q{SELECT count(*) FROM nlp.resident_models WHERE pins > 0}), '0', 'and nothing pinned');

# The gate: a search waits for its place, a look-up does not.
$a->send_sql($long{judge});
wait_until_true($node, 'SELECT EXISTS (SELECT FROM nlp.activity WHERE phase = \'running\' AND pid = ' . $a->pid . ')');
is($b->query(q{SELECT word_vector('king', 'golden') IS NOT NULL}), 't', 'a look-up passes where max_active is reached');
$b->send_sql($neighbours);
ok(wait_until_true($node, 'SELECT EXISTS (SELECT FROM nlp.activity WHERE phase = \'waiting\' AND pid = ' . $b->pid . ')'), 'a search waits');
kill 'INT', $a->pid;
$a->result(30);
is($b->result(30), $answer, 'and gets its place');

# Cost of a row, and memory over many rows.
sub per_row
{
	my ($sql, $n) = @_;
	$a->query($sql);
	my $before = cpu_ms($a->pid);
	$a->query($sql);
	return (cpu_ms($a->pid) - $before) * 1000 / $n;
}
$a->query('SET max_parallel_workers_per_gather = 0; SET jit = off');
$a->query(q{CREATE TEMP TABLE pair AS SELECT a.word AS a, b.word AS b FROM nlp.words('golden') a JOIN nlp.words('golden') b ON b.rank <= 300});
my $n = $a->query('SELECT count(*) FROM pair');
my $empty = per_row('SELECT count(a), count(b) FROM pair', $n);
my $vector = per_row(q{SELECT count(word_vector(a, 'golden')) FROM pair}, $n) - $empty;
my $similarity = per_row(q{SELECT count(word2vec_similarity(a, b, 'golden')) FROM pair}, $n) - $empty;
figure(sprintf('CPU a row: word_vector %.2f us, word2vec_similarity %.2f us', $vector, $similarity));
cmp_ok($vector, '<', 5, 'word_vector: under 5 us a row');
cmp_ok($similarity, '<', 3, 'word2vec_similarity: under 3 us a row');
sub private_kb
{
	my $text = slurp_file('/proc/' . $a->pid . '/smaps_rollup');
	my $sum = 0;
	$sum += $1 while $text =~ /^Private_(?:Clean|Dirty):\s+(\d+)/mg;
	return $sum;
}
my $kb = private_kb();
$a->query(q{SELECT count(word_vector(a, 'golden')), count(phrase_vector(a || ' ' || b, 'golden')), count(odd_one_out(array[a, b, 'king'], 'golden')) FROM pair});
$a->query(q{SELECT count(*) FROM (SELECT DISTINCT a FROM pair) s, LATERAL similar_words(a, 10, 'golden')});
cmp_ok(private_kb() - $kb, '<', 8192, "$n rows leave nothing behind");

# A standby answers with what arrives by WAL.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', $neighbours), $answer, 'a standby finds the same neighbours');
is(sqlstate_of($standby, q{SELECT nlp.load_model('x', convert_to(E'king 1 2\n', 'UTF8'))}), '25006', 'and loads nothing');
$node->safe_psql('postgres', q{SELECT nlp.load_model('golden', convert_to(E'king 3 4\n', 'UTF8'), '{"replace": true}')});
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', q{SELECT word_vector('king', 'golden')}), '[3,4]', 'a new version arrives');
is($standby->safe_psql('postgres', q{SELECT string_agg(data, '' ORDER BY seq) FROM nlp.export_model('golden', 'text')}),
	$node->safe_psql('postgres', q{SELECT string_agg(data, '' ORDER BY seq) FROM nlp.export_model('golden', 'text')}), 'and is exported the same');
$_->close_session for $a, $b, $observer;
$standby->stop;
$node->stop;

# Without preload: the same answers, also from parallel workers.
my $plain = new_node('plain', preload => 0);
$plain->safe_psql('postgres', "SELECT nlp.load_model('big', '$big')");
is($plain->safe_psql('postgres', $neighbours), $answer, 'the same neighbours without preload');
$plain->safe_psql('postgres', q{CREATE TABLE w AS SELECT 'w' || i AS a, 'w' || (i + 7) AS b FROM generate_series(1, 50000) i; ANALYZE w});
my $sum = q{SELECT sum(word2vec_similarity(a, b, 'big')::numeric), count(word_vector(a, 'big')) FROM w};
my $serial = $plain->safe_psql('postgres', "SET max_parallel_workers_per_gather = 0; $sum");
my $setup = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;';
like($plain->safe_psql('postgres', "$setup EXPLAIN $sum"), qr/Workers Planned: 2/, 'a parallel plan');
is($plain->safe_psql('postgres', "$setup $sum"), $serial, 'gives the same sum');
$plain->stop;
done_testing();
