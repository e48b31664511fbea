# Beside pgvector, fetched and built here: its own tests for vector give the same answers and
# the same SQLSTATEs with our type in its place; the bridge's casts and index classes work; the
# statements of both READMEs mean the same whether the other extension is there or not.
# When pgvector's source cannot be had, this fails.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use Test::More;
use PostgreSQL::Test::Utils;
use NlpTest;

my $src = $ENV{NLP_SRC} or die "NLP_SRC is not set";
my $dir = ($ENV{TESTDATADIR} // die "TESTDATADIR is not set") . '/pgvector';

# ---- an installation of our own: the one under test, by links, and pgvector ----
sub answer_of { my $out = `@_`; die "@_ failed\n" if $?; chomp $out; return $out; }
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my ($bindir, $libdir, $sharedir) = map { answer_of($pg_config, "--$_") } qw(bindir pkglibdir sharedir);
(my $from = $ENV{NLP_BIN} // answer_of('pg_config', '--bindir')) =~ s/\Q$bindir\E$//;
remove_tree($dir);
make_path("$dir/inst$bindir", "$dir/work", "$dir/results");
# Programs find their files from where they are, links followed: they are copied.
for my $program (glob "$from$bindir/*")
{
	my $to = "$dir/inst$bindir/" . ($program =~ s{.*/}{}r);
	copy($program, $to) or die "cannot copy $program: $!";
	chmod 0755, $to;
}
for my $d ($libdir, $sharedir)
{
	make_path("$dir/inst$d");
	system_or_bail('cp', '-rs', abs_path("$from$d") . '/.', "$dir/inst$d");
}
unlink glob "$dir/inst$libdir/vector.so $dir/inst$sharedir/extension/vector*";
$ENV{PATH} = "$dir/inst$bindir:$ENV{PATH}";

if (system("$src/test/harness/pgvector.sh", 'install', "$dir/inst", "$dir/work") != 0)
{
	fail('pgvector could be fetched and built');
	done_testing();
	exit 1;
}
pass('pgvector could be fetched and built');
my ($source) = glob "$dir/work/pgvector-*";

my $node = new_node('pgvector');
my %extensions = (theirs => ['vector'], ours => ['pg_nlp'], side => [ 'pg_nlp', 'vector', 'pg_nlp_vector' ]);
sub fresh
{
	my ($db) = @_;
	$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $db");
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, join '', map { "CREATE EXTENSION $_;" } @{ $extensions{$db} });
	return;
}

# What psql shows of a script, statements echoed.
sub shown
{
	my ($db, $sql, @options) = @_;
	my $out = '';
	IPC::Run::run([ 'psql', '-X', '-a', '-q', '-h', $node->host, '-p', $node->port, '-d', $db, @options ],
		'<', \$sql, '&>', \$out, init => sub { chdir $dir or die; });
	return $out;
}

# ---- its regression tests ----

# The part about vector of one of its test files, and of what it is expected to show: by
# section where a file has such, else by statement.
sub vector_part
{
	my ($text, $sql) = @_;
	my %statement = map { $_ => 1 } split /\n/, $sql;
	my $sections = $sql =~ /^-- halfvec$/m;
	my ($keep, $part) = (1, '');
	for my $line (split /\n/, $text)
	{
		if ($sections) { $keep = $1 eq 'vector' if $line =~ /^-- (vector|halfvec|sparsevec)$/; }
		elsif ($statement{$line} && $line ne '') { $keep = $line !~ /halfvec|sparsevec/; }
		$part .= "$line\n" if $keep;
	}
	return $part;
}

# vector, and what is named after it, under our names; the two functions that users call by
# a name with "vector" in it are called so here, too.
sub renamed
{
	my ($text) = @_;
	$text =~ s/\bvector_(dims|norm)\b/\0$1/g;
	$text =~ s/\bvector_/embedding_/g;
	$text =~ s/_to_vector\b/_to_embedding/g;
	$text =~ s/\bvector\b/embedding/g;
	$text =~ s/\0(dims|norm)/vector_$1/g;
	return $text;
}

# Column rulers and padding follow from the length of a type's name.
sub squeezed
{
	my ($text) = @_;
	$text =~ s/^[-+]+$/---/mg;
	$text =~ s/^ +//mg;
	$text =~ s/ +$//mg;
	$text =~ s/\n\n+/\n/g;
	return $text;
}

# Words of errors are each one's own.
sub wordless
{
	my ($text) = @_;
	$text =~ s/^(?:psql:[^ ]* )?ERROR:.*/ERROR/mg;
	$text =~ s/^(?:LINE \d|DETAIL|HINT|CONTEXT).*\n//mg;
	$text =~ s/^ *\^\n//mg;
	return $text;
}

my ($statements, $errors) = (0, 0);
for my $test (qw(vector_type btree cast copy hnsw_vector ivfflat_vector))
{
	# its indexes reach our type over the bridge
	my $db = $test =~ /^hnsw|^ivfflat/ ? 'side' : 'ours';
	my $sql = slurp_file("$source/test/sql/$test.sql");
	my $expected = slurp_file("$source/test/expected/$test.out");
	my $part = vector_part($sql, $sql);
	my $wanted = vector_part($expected, $sql);
	fresh($_) for 'theirs', $db;
	is(wordless(squeezed(shown($db, renamed($part)))), wordless(squeezed(renamed($wanted))),
		"pgvector's test $test, renamed, passes with type embedding");
	fresh($_) for 'theirs', $db;
	my $states = "\\set VERBOSITY sqlstate\n";
	my $ours = squeezed(shown($db, $states . renamed($part)));
	is($ours, squeezed(renamed(shown('theirs', $states . $part))), "$test: answers and SQLSTATEs are pgvector's");
	$statements += () = $part =~ /;$/mg;
	$errors += () = $ours =~ /^ERROR/mg;
}
cmp_ok($statements, '>=', 290, 'that was all of them');
cmp_ok($errors, '>=', 70, 'and errors were compared');
figure("pgvector's regression tests for vector: $statements statements, $errors of them errors, equal");

# ---- the bridge ----
$node->safe_psql('postgres', 'CREATE DATABASE alone');
my (undef, undef, $err) = $node->psql('alone', 'CREATE EXTENSION pg_nlp; CREATE EXTENSION pg_nlp_vector');
like($err, qr/required extension "vector" is not installed/, 'the bridge says that it needs pgvector');
fresh('side');
$node->safe_psql('side', q{
	CREATE TABLE t (id int PRIMARY KEY, e embedding(8), v vector(8));
	SELECT setseed(0.25);
	INSERT INTO t SELECT i, a, a FROM (SELECT i, (SELECT array_agg((random() - 0.5)::real) FROM generate_series(1, 8) WHERE i > 0) AS a
		FROM generate_series(1, 3000) AS i) AS s;
	CREATE INDEX t_l2 ON t USING hnsw (e embedding_l2_ops);
	CREATE INDEX t_ip ON t USING hnsw (e embedding_ip_ops);
	CREATE INDEX t_cosine ON t USING hnsw (e embedding_cosine_ops);
	CREATE INDEX t_l1 ON t USING hnsw (e embedding_l1_ops);
	CREATE TABLE u AS SELECT id, e FROM t;
	CREATE INDEX u_l2 ON u USING ivfflat (e) WITH (lists = 20);
	CREATE INDEX u_ip ON u USING ivfflat (e embedding_ip_ops) WITH (lists = 20);
	CREATE INDEX u_cosine ON u USING ivfflat (e embedding_cosine_ops) WITH (lists = 20);
	INSERT INTO t SELECT i, e, v FROM t JOIN generate_series(3001, 3100) AS i ON t.id = i - 3000;
	ANALYZE});
is($node->safe_psql('side', q{SELECT castmethod, castcontext FROM pg_cast WHERE castsource = 'embedding'::regtype AND casttarget = 'vector'::regtype}),
	'b|i', 'embedding to vector copies nothing and is implicit');
is($node->safe_psql('side', q{SELECT castmethod, castcontext FROM pg_cast WHERE castsource = 'vector'::regtype AND casttarget = 'embedding'::regtype}),
	'b|a', 'vector to embedding copies nothing and is for assignments');
is($node->safe_psql('side', q{SELECT count(*) FROM t WHERE e::vector = v AND v::embedding = e AND e = v AND v = e
	AND e::text = v::text AND embedding_send(e) = vector_send(v)}), '3100', 'a value of one type is the same value of the other');
is($node->safe_psql('side', q{SELECT bool_and(abs((e <-> '[1,2,3,4,5,6,7,8]') - (v <-> '[1,2,3,4,5,6,7,8]')) < 1e-5
	AND abs((e <#> '[1,2,3,4,5,6,7,8]') - (v <#> '[1,2,3,4,5,6,7,8]')) < 1e-5
	AND abs((e <=> '[1,2,3,4,5,6,7,8]') - (v <=> '[1,2,3,4,5,6,7,8]')) < 1e-5
	AND abs((e <+> '[1,2,3,4,5,6,7,8]') - (v <+> '[1,2,3,4,5,6,7,8]')) < 1e-5
	AND (e <-> v) = 0 AND (v <-> e) = 0) FROM t}), 't', 'distances agree, also between the two types');
is($node->safe_psql('side', q{SELECT '[1,0,2]'::embedding::halfvec, '[1,0,2]'::embedding::sparsevec,
	'[1,2]'::halfvec::embedding, '{1:1}/3'::sparsevec::embedding}), '[1,0,2]|{1:1,3:2}/3|[1,2]|[1,0,0]',
	'halfvec and sparsevec are one cast away');
is(sqlstate_of($node, q{SELECT '[1,2]'::embedding::vector(3)}, db => 'side'), '22000', 'a cast to vector(n) checks n');
is(sqlstate_of($node, q{UPDATE t SET e = v || v}, db => 'side'), '22000', 'so does an assignment to embedding(n)');
$node->safe_psql('side', q{UPDATE t SET e = v, v = e WHERE id <= 100});

for my $case ([ 't', '<->', 't_l2' ], [ 't', '<#>', 't_ip' ], [ 't', '<=>', 't_cosine' ], [ 't', '<+>', 't_l1' ],
	[ 'u', '<->', 'u_l2' ], [ 'u', '<#>', 'u_ip' ], [ 'u', '<=>', 'u_cosine' ])
{
	my ($table, $operator, $index) = @$case;
	my $by_index = "SET enable_seqscan = off; SET hnsw.ef_search = 400; SET ivfflat.probes = 20;";
	my $query = "SELECT id FROM $table ORDER BY e $operator '[.1,-.2,.3,-.4,.3,-.2,.1,0]' LIMIT 20";
	# ivfflat with all lists probed is exact, and the planner knows that the scan is no gain
	$by_index .= 'SET enable_sort = off;';
	like($node->safe_psql('side', "$by_index EXPLAIN $query"), qr/Index Scan using $index /, "$table $operator uses $index");
	my %exact = map { $_ => 1 } split /\n/, $node->safe_psql('side', "SET enable_indexscan = off; $query");
	my $found = grep { $exact{$_} } split /\n/, $node->safe_psql('side', "$by_index $query");
	cmp_ok($found, '>=', 19, "$index finds what is near");
}
like($node->safe_psql('side', q{SET enable_seqscan = off; SET hnsw.iterative_scan = strict_order;
	EXPLAIN SELECT id FROM t WHERE id % 10 = 0 ORDER BY e <=> (SELECT v FROM t WHERE id = 7)::embedding LIMIT 5}), qr/t_cosine/, 'a row of the other type can be the query');
$node->safe_psql('side', 'CREATE TABLE w AS SELECT id, v FROM t; CREATE INDEX w_l2 ON w USING hnsw (v vector_l2_ops)');
like($node->safe_psql('side', q{SET enable_seqscan = off; EXPLAIN SELECT id FROM w ORDER BY v <-> l2_normalize('[1,2,3,4,5,6,7,8]'::embedding) LIMIT 5}),
	qr/w_l2/, 'an embedding searches an index of vectors');

# Dumped and restored, in whatever order pg_dump chooses.
my $before = $node->safe_psql('side', 'SELECT count(*), sum(e) FROM t WHERE id < 50');
system_or_bail('sh', '-c', "pg_dump -h '" . $node->host . "' -p " . $node->port . " side > '$dir/both.sql'");
$node->safe_psql('postgres', 'CREATE DATABASE restored');
my ($rc, undef, $noise) = $node->psql('restored', '', extra_params => [ '-v', 'ON_ERROR_STOP=1', '-q', '-f', "$dir/both.sql" ]);
is($rc, 0, 'a dump with both types restores') or diag($noise);
is($node->safe_psql('restored', 'SELECT count(*), sum(e) FROM t WHERE id < 50'), $before, 'with the same values');
like($node->safe_psql('restored', q{SET enable_seqscan = off; EXPLAIN SELECT id FROM t ORDER BY e <-> '[1,2,3,4,5,6,7,8]' LIMIT 5}), qr/t_l2/, 'and its indexes');
is(sqlstate_of($node, 'DROP EXTENSION pg_nlp_vector', db => 'side'), '2BP01', 'indexes hold the bridge');

# ---- both READMEs in one schema ----

# SQL of a page, block by block.
sub blocks_of { my ($page) = @_; return slurp_file($page) =~ /^```(?:t?sql|postgresql)\n(.*?)^```/msg; }

# pgvector's: each block on tables as its page has them at that point, alone and beside us.
my $setting = q{SET client_min_messages = error;
	DROP TABLE IF EXISTS items, categories, users CASCADE; DROP FUNCTION IF EXISTS inner_vector CASCADE;};
my $tables = q{
	CREATE TABLE items (id bigserial PRIMARY KEY, embedding vector(3), category_id int, location_id int, name text, content text,
		textsearch tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce(content, ''))) STORED);
	INSERT INTO items (embedding, category_id, location_id, name, content)
		SELECT array[i, i % 7, i % 3]::vector, i % 5, i % 4, 'n' || i, 'hello search ' || i FROM generate_series(1, 200) AS i;};
fresh($_) for 'theirs', 'side';
my ($ran, $failed) = (0, 0);
for my $block (blocks_of("$source/README.md"))
{
	next if $block =~ /halfvec|sparsevec|'\{1:|bit_|\bbit\(|<~>|<%>|::bit|EXTENSION|SELECT \.\.\.|ALTER SYSTEM|VACUUM|PARTITION OF/;
	$block =~ s/^# or\n//mg;
	my $makes = $block =~ /CREATE TABLE items/;
	my $adds = $block =~ /ADD COLUMN embedding/;
	my $first = $setting . ($makes ? '' : $adds ? 'CREATE TABLE items (id bigserial PRIMARY KEY, category_id int);' : $tables);
	$block .= "1\t[1,2,3]\n\\.\n" if $block =~ /^COPY .* FROM STDIN/m && $block !~ /BINARY/;
	next if $block =~ /BINARY/;
	my @answers = map { shown($_, "$first\n\\set VERBOSITY sqlstate\n$block") } 'theirs', 'side';
	s/(?:Time|time=|ms)[^\n]*//g, s/[\d.]+ kB//g for @answers;	# what EXPLAIN ANALYZE measures
	is($answers[1], $answers[0], 'beside us: ' . ($block =~ /^(.*)$/m)[0]);
	if ($answers[1] =~ /ERROR/) { $failed++; note("fails in both: $block"); }
	else { $ran++; }
}
cmp_ok($ran, '>=', 35, "statements of pgvector's README run");
# (an index_name, a 5-dimensional table, pg_stat_statements, clauses of a statement)
cmp_ok($failed, '<=', 6, 'and few need what the page does not show');
figure("pgvector's README: $ran blocks give the same beside us, $failed need more than the page shows");
is($node->safe_psql('side', "$setting $tables SELECT count(*) FROM (SELECT AVG(embedding) FROM items) s"), '1', 'a column named like our type is a column');

# Ours: planned alone and beside pgvector; whatever is ambiguous would be an error there only.
fresh($_) for 'ours', 'side';
my ($ours, $different) = (0, 0);
for my $page ("$src/README.md", sort glob "$src/docs/*.md")
{
	for my $block (blocks_of($page))
	{
		next if $block =~ /^\\|\bEXTENSION\b/m;
		for my $statement (split /;\s*(?:--.*)?\n/, $block)
		{
			$statement =~ s/^\s*--.*\n//mg;
			$statement =~ s/;\s*$//;
			next if $statement !~ /\S/;
			my $planned = $statement =~ /^\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b/i ? "EXPLAIN $statement" : $statement;
			next if $planned =~ /^\s*(?:CALL|GRANT|REVOKE|SET ROLE)\b|\b(?:ROLE|DATABASE|SYSTEM)\b/i;	# what two databases share
			my @answers = map { sqlstate_of($node, $planned, db => $_) } 'ours', 'side';
			$ours++;
			is($answers[1], $answers[0], "beside pgvector: $statement") if $answers[1] ne $answers[0];
			$different++ if $answers[1] ne $answers[0];
		}
	}
}
is($different, 0, 'no statement of our pages means something else beside pgvector');
cmp_ok($ours, '>=', 15, 'there were some');
figure("our pages: $ours statements planned alone and beside pgvector, alike");

$node->stop;
remove_tree($dir);
done_testing();
