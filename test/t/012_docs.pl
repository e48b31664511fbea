# The README is true: it names every function, option, setting and view there is, no other,
# and its SQL runs, in order, on the example articles and a real model.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use NlpTest;

my $src = $ENV{NLP_SRC} or die "NLP_SRC is not set";
my $readme = slurp_file("$src/README.md");
my $node = new_node('docs');
load_smollm2($node);

my $members = sub {
	my ($sql) = @_;
	return split /\n/, $node->safe_psql('postgres', $sql);
};
for my $f ($members->(q{SELECT DISTINCT CASE WHEN n.nspname = 'nlp' THEN 'nlp.' ELSE '' END || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_nlp' WHERE p.prorettype <> 'trigger'::regtype AND has_function_privilege('public', p.oid, 'EXECUTE')
	AND p.proname !~ '^(embedding_|flat_|array_to_embedding$)'	-- behind the type's operators, casts and index classes
	ORDER BY 1}))
{
	like($readme, qr/`(?:CALL )?\Q$f\E\(/, "README tells of $f()");
}
for my $v ($members->(q{SELECT 'nlp.' || c.relname FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_nlp' WHERE c.relkind IN ('v', 'r') AND c.relnamespace = 'nlp'::regnamespace
	AND has_table_privilege('public', c.oid, 'SELECT') ORDER BY 1}))
{
	like($readme, qr/`\Q$v\E`/, "README tells of $v");
	for my $col ($members->("SELECT attname FROM pg_attribute WHERE attrelid = '$v'::regclass AND attnum > 0 AND NOT attisdropped"))
	{
		like($readme, qr/`$col`/, "README tells of ${v}'s column $col");
	}
}
my @settings = $members->(q{SELECT name FROM pg_settings WHERE name LIKE 'pg\_nlp.%'});
like($readme, qr/`\Q$_\E`/, "README tells of $_") for @settings;
my %known = map { $_ => 1 } @settings;
for my $named ($readme =~ /`(pg_nlp\.[a-z_]+)`/g) { ok($known{$named}, "the setting $named that README names exists"); }

# Options: the server names those it knows when it meets one that it does not.
my (undef, undef, $err) = $node->psql('postgres', q{SELECT sample('x', options => '{"no_such": 1}')});
my ($list) = $err =~ /options are: (.*?)\.\s*$/m;
ok(defined $list, 'an unknown option is answered with the list');
like($readme, qr/`\Q$_\E`/, "README tells of the option $_") for split /, /, $list // '';

# Everything has a COMMENT, and none of its names is a reserved word.
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_nlp'
	WHERE d.deptype = 'e' AND d.classid IN ('pg_proc'::regclass, 'pg_class'::regclass) AND obj_description(d.objid, d.classid::regclass::name) IS NULL
	AND NOT EXISTS (SELECT FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('i', 'S', 't'))}), '0', 'everything has a COMMENT');

# Its SQL, each block as a script of its own, in order.
$node->safe_psql('postgres', q{CREATE TABLE article_in (title text, lang text, source text, body text)});
my $articles = slurp_file("$src/examples/data/articles.tsv");
$node->safe_psql('postgres', "CREATE TABLE article (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text, lang text, source text, body text, summary text);\n"
	. "COPY article_in FROM STDIN WITH (HEADER);\n$articles\\.\nINSERT INTO article (title, lang, source, body) SELECT * FROM article_in");
my $file = model_file();
my $blocks = 0;
for my $page ('README.md', map { "docs/" . (split m{/}, $_)[-1] } sort glob "$src/docs/*.md")
{
	my $text = slurp_file("$src/$page");
	while ($text =~ /^```sql([^\n]*)\n(.*?)^```/msg)
	{
		my ($info, $sql) = ($1, $2);
		next if $info =~ /no-run/;
		$sql =~ s{'/path/to/[^']*\.gguf'}{'$file'}g;
		$blocks++;
		my ($rc, $out, $stderr) = $node->psql('postgres', $sql, on_error_stop => 1, on_error_die => 0);
		is($rc, 0, "$page: block $blocks runs") or diag("$sql\n$stderr");
	}
}
cmp_ok($blocks, '>=', 3, 'there were blocks to run');
# The first five statements themselves, but for the extension, which is there, and the model's name.
my ($five) = $readme =~ /## First five statements\s+```sql no-run\n(.*?)```/s;
$five =~ s/^CREATE EXTENSION.*?;//m;
$five =~ s{'smollm2', '/path/to/[^']*'}{'smollm2b', '$file'};
$five = "SET pg_nlp.generation_model = 'smollm2';\n$five";
my ($rc, $out, $stderr) = $node->psql('postgres', $five, on_error_stop => 1);
is($rc, 0, 'the first five statements run') or diag($stderr);
is($node->safe_psql('postgres', 'SELECT count(*) FROM article WHERE summary IS NULL'), '0', 'and every article has a summary');
$node->stop;
done_testing();
