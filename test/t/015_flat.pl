# nlp_flat survives: kill -9 during inserts, vacuums and builds; replay on a standby with every
# replayed page compared, and promotion; many sessions that write, fail, vacuum and search at once.
# After each, the index gives what a sort gives. NLP_FLAT_KILLS: rounds (9; a release runs 200);
# NLP_FLAT_SECONDS: of concurrent work (15).
use strict;
use warnings;
use Test::More;
use IPC::Run ();
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use NlpTest;

my $rounds = $ENV{NLP_FLAT_KILLS} // 9;
my $seconds = $ENV{NLP_FLAT_SECONDS} // 15;
# Table and dimensions: many rows a page, one tile a page, tiles over two pages.
my %dims = (small => 12, middle => 300, wide => 700);

my $node = new_node('flat', preload => 0, init => [ allows_streaming => 1 ], conf => <<CONF);
wal_consistency_checking = 'all'
wal_keep_size = 2GB
autovacuum_naptime = 1s
autovacuum_vacuum_threshold = 20
max_parallel_maintenance_workers = 1
CONF
$node->safe_psql('postgres', <<'SQL');
SELECT setseed(0.25);
CREATE FUNCTION row_of(dim int) RETURNS embedding LANGUAGE sql VOLATILE AS
	$$ SELECT array_agg(random() - 0.5)::embedding FROM generate_series(1, dim) $$;
-- Beside writers call it in REPEATABLE READ: both searches must see one snapshot.
CREATE FUNCTION wrong(rel text, k int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	q embedding; dim int; op text; sql text; plan text; a float8[]; b float8[]; n int := 0;
BEGIN
	EXECUTE format('SELECT vector_dims(e) FROM %s LIMIT 1', rel) INTO dim;
	FOREACH op IN ARRAY '{<->,<#>,<=>}'::text[] LOOP
		q := row_of(dim);
		sql := format('SELECT array_agg(d) FROM (SELECT e %s $1 AS d FROM %s ORDER BY e %s $1 LIMIT %s) s', op, rel, op, k);
		PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true);
		EXECUTE 'EXPLAIN (FORMAT json) ' || sql INTO plan USING q;
		IF plan NOT LIKE '%Index Scan%' THEN RAISE 'no index scan'; END IF;
		EXECUTE sql INTO a USING q;
		PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'off', true);
		EXECUTE sql INTO b USING q;
		n := n + (a IS DISTINCT FROM b)::int;
	END LOOP;
	RETURN n;
END $$;
SQL
for my $t (sort keys %dims)
{
	$node->safe_psql('postgres', <<SQL);
CREATE TABLE $t (id int PRIMARY KEY, e embedding($dims{$t}));
INSERT INTO $t SELECT i, row_of($dims{$t}) FROM generate_series(1, 500) i;
CREATE INDEX ${t}_l2 ON $t USING nlp_flat (e);
CREATE INDEX ${t}_ip ON $t USING nlp_flat (e embedding_ip_ops);
CREATE INDEX ${t}_cos ON $t USING nlp_flat (e embedding_cosine_ops);
SQL
}
sub wrong { my ($n, $t) = @_; return $n->safe_psql('postgres', "SELECT wrong('$t', 100000)"); }
is(wrong($node, $_), 0, "$_: built") for sort keys %dims;

# ---- a standby ----
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('flat_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

# ---- kill -9 ----
my ($killed, $lost) = (0, 0);
for my $round (1 .. $rounds)
{
	my $t = (sort keys %dims)[ $round % 3 ];
	my $what = ('insert', 'build', 'vacuum')[ int(($round - 1) / 3) % 3 ];
	my @before = split /\|/, $node->safe_psql('postgres', "SELECT count(*), coalesce(max(id), 0) FROM $t");
	my $s = session($node);
	my $pid = $s->pid;
	my $from = 1000000 * $round;
	$s->query("DELETE FROM $t WHERE id % 3 = " . ($round % 3)) if $what eq 'vacuum';
	$s->send_sql($what eq 'insert' ? join(';', map { "INSERT INTO $t SELECT $from + $_, row_of($dims{$t})" } 1 .. 3000)
		: $what eq 'build' ? "REINDEX TABLE $t; REINDEX TABLE $t; REINDEX TABLE $t"
		: "VACUUM $t; INSERT INTO $t SELECT $from + i, row_of($dims{$t}) FROM generate_series(1, 3000) i");
	sleep(0.05 + random_of($what eq 'build' ? 0.3 : 0.8));
	$killed++ unless $s->peek;
	kill 'KILL', $pid;
	$s->close_session;
	wait_until_true($node, 'SELECT true', 60) or BAIL_OUT('the server does not come back');
	my $wrong = wrong($node, $t);
	my $after = $node->safe_psql('postgres', "SELECT count(*) FROM $t WHERE id <= $before[1]");
	$lost++ if $what ne 'vacuum' && $after != $before[0];
	is($wrong, 0, "round $round, $what on $t: the index is whole");
	$node->safe_psql('postgres', "INSERT INTO $t SELECT $from + 100000 + i, row_of($dims{$t}) FROM generate_series(1, 50) i; VACUUM $t");
	is(wrong($node, $t), 0, "and goes on");
}
is($lost, 0, 'no committed row is lost');
figure("$killed of $rounds kills during the work");

# A stop without a checkpoint, with an unlogged table's index.
$node->safe_psql('postgres', 'CREATE UNLOGGED TABLE u (id int, e embedding(12)); CREATE INDEX ON u USING nlp_flat (e); CREATE INDEX ON u USING nlp_flat (e embedding_ip_ops);
	CREATE INDEX ON u USING nlp_flat (e embedding_cosine_ops); INSERT INTO u SELECT i, row_of(12) FROM generate_series(1, 300) i');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', 'SELECT count(*) FROM u'), 0, 'an unlogged table is empty after a crash');
$node->safe_psql('postgres', 'INSERT INTO u SELECT i, row_of(12) FROM generate_series(1, 300) i');
is(wrong($node, 'u'), 0, 'and its indexes work');

# ---- many at once ----
sub script
{
	my ($name, $sql) = @_;
	my $file = $node->basedir . "/$name.sql";
	append_to_file($file, $sql);
	return $file;
}
my @files;
for my $t (sort keys %dims)
{
	my $d = $dims{$t};
	# One transaction in four fails after its work.
	push @files, '-f', script("write_$t", <<SQL) . '@4';
\\set a random(1, 3000)
\\set b random(1, 3000)
\\set c random(1, 3000)
DO \$\$ BEGIN
	INSERT INTO $t SELECT i, row_of($d) FROM generate_series(:a, :a + 5) i ON CONFLICT (id) DO NOTHING;
	DELETE FROM $t WHERE id BETWEEN :b AND :b + 4;
	UPDATE $t SET e = row_of($d) WHERE id = :c;
	IF random() < 0.25 THEN RAISE 'fail'; END IF;
EXCEPTION WHEN raise_exception OR deadlock_detected THEN NULL;
END \$\$;
SQL
	push @files, '-f', script("search_$t", <<SQL) . '@2';
\\set k random(1, 200)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT 1 / (wrong('$t', :k) = 0)::int;
COMMIT;
SQL
}
push @files, '-f', script('vacuum', "VACUUM small;\nVACUUM middle;\nVACUUM wide;\n") . '@1';
my $t0 = time();
my ($out, $err) = ('', '');
my $ok = IPC::Run::run([ 'pgbench', '-n', '-c', 6, '-j', 2, '-T', $seconds, '--random-seed=1', @files, '-h', $node->host, '-p', $node->port, 'postgres' ],
	'>', \$out, '2>', \$err);
ok($ok && $err !~ /ERROR|aborted/, 'writers, failures, vacuum and exact searches at once') or diag(substr($err, 0, 2000));
figure($1 . " transactions of six sessions in $seconds s, every search compared") if $out =~ /processed: (\d+)/;
is(wrong($node, $_), 0, "$_: right afterwards") for sort keys %dims;
my $size = $node->safe_psql('postgres', "SELECT pg_relation_size('small_l2') <= 4 * 8192 + 4 * (SELECT count(*) FROM small) * (12 + 18)");
is($size, 't', 'freed slots have been used again: the index has not grown without end');

# ---- the standby has all of it, page by page ----
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', "SELECT sum(wrong(t, 100000)) FROM unnest('{small,middle,wide}'::text[]) t"), 0, 'the standby searches the same');
unlike(slurp_file($standby->logfile), qr/inconsistent page|PANIC/, 'every replayed page was as on the primary');
$standby->promote;
$standby->safe_psql('postgres', "INSERT INTO $_ SELECT 90000000 + i, row_of($dims{$_}) FROM generate_series(1, 200) i; VACUUM $_") for sort keys %dims;
is(wrong($standby, $_), 0, "$_: right after promotion and more inserts") for sort keys %dims;
unlike(slurp_file($node->logfile), qr/inconsistent page|PANIC|wrong order/, 'nothing odd in the log');
$standby->stop;
$node->stop;
done_testing();
