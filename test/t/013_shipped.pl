# Models that come with the extension: there without loading, for everybody, in every
# database, on standbys, outside dumps, one image for the server; and what happens when
# their files are gone, changed or of a newer version.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Copy qw(copy);
use Test::More;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use NlpTest;

use constant CUT => q{SELECT segment('南京市长江大桥')};
use constant WORDS => '{南京市,长江大桥}';

sub loads { return $_[0]->safe_psql('postgres', q{SELECT coalesce(sum(loads), 0) FROM nlp.model_stats WHERE model = 'segment_zh'}); }

my $node = new_node('shipped', init => [ allows_streaming => 1 ]);
my $sum = $node->safe_psql('postgres', q{SELECT sha256 FROM nlp.models WHERE name = 'segment_zh' AND data IS NULL AND owner IS NULL});
like($sum, qr/^[0-9a-f]{64}$/, 'listed, belonging to nobody');

# Many first users at once: one of them builds.
my @s = map { session($node) } 1 .. 6;
$_->send_sql(CUT) for @s;
is($_->result, WORDS, 'a first user of several at once') for @s;
is(loads($node), '1', 'the image was built once');

# One image for all databases.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION pg_nlp');
is($node->safe_psql('other', CUT), WORDS, 'another database uses it');
is(loads($node), '1', 'and builds nothing');
is($node->safe_psql('other', q{SELECT count(*) || ' ' || min(name) FROM nlp.resident_models}), '1 segment_zh', 'which sees the image, too');

# Everybody may use it; giving its memory back takes a superuser.
$node->safe_psql('postgres', 'CREATE ROLE stranger');
is($node->safe_psql('postgres', 'SET ROLE stranger; ' . CUT), WORDS, 'a role without any right uses it');
is(sqlstate_of($node, q{SET ROLE stranger; SELECT nlp.evict('segment_zh')}), '42501', 'but may not evict it');
is(sqlstate_of($node, qq{SET ROLE $_; SELECT nlp.drop_model('segment_zh')}), '42809', "drop_model as $_") for qw(stranger postgres);
is($node->safe_psql('postgres', q{SELECT nlp.evict('segment_zh')}), 't', 'a superuser may');
is($node->safe_psql('postgres', q{SET ROLE stranger; SELECT nlp.prewarm('segment_zh') > 0}), 't', 'anybody may prewarm it');

# Parallel workers read the same image.
$node->safe_psql('postgres', q{CREATE TABLE t AS SELECT i, '今天是第' || i || '天，我们去长江大桥' AS body FROM generate_series(1, 20000) i; ANALYZE t});
my $hash = q{SELECT md5(string_agg(array_to_string(segment(body), '|'), ',' ORDER BY i)) FROM t};
my $serial = $node->safe_psql('postgres', "SET max_parallel_workers_per_gather = 0; $hash");
my $force = q{SET max_parallel_workers_per_gather = 2; SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; };
like($node->safe_psql('postgres', $force . "EXPLAIN SELECT sum(cardinality(segment(body))) FROM t"), qr/Gather/, 'a plan with workers');
is($node->safe_psql('postgres', $force . 'SELECT sum(cardinality(segment(body))) FROM t'),
	$node->safe_psql('postgres', 'SET max_parallel_workers_per_gather = 0; SELECT sum(cardinality(segment(body))) FROM t'), 'workers cut the same words');

# A dump knows nothing of it, and a restored database has it.
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $dump, 'postgres' ], 'pg_dump');
unlike(slurp_file($dump), qr/segment_zh/, 'is not in a dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-q', '-h', $node->host, '-p', $node->port, '-d', 'restored', '-f', $dump ], 'restored');
is($node->safe_psql('restored', $hash), $serial, 'a restored database cuts the same words');

# A standby and a restarted server have it, too.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', $hash), $serial, 'a standby cuts the same words');
is(sqlstate_of($standby, q{SELECT nlp.drop_model('segment_zh')}), '25006', 'and changes nothing');
$standby->stop;
$node->restart;
is($node->safe_psql('postgres', 'SELECT count(*) FROM nlp.resident_models'), '0', 'nothing is resident after a restart');
is($node->safe_psql('postgres', CUT), WORDS, 'until it is used');
$node->stop;

# Without shared_preload_libraries.
my $bare = new_node('bare', preload => 0);
is($bare->safe_psql('postgres', CUT), WORDS, 'without preload');
is($bare->safe_psql('postgres', q{SELECT nlp.evict('segment_zh')}), 't', 'without preload it can be evicted');
is($bare->safe_psql('postgres', 'SELECT count(*) FROM nlp.resident_models'), '0', 'and is gone');
$bare->stop;

# ---- files that are not as they should be, in an installation of our own ----
# Programs and share directory have a common ancestor; PostgreSQL finds one from the other.
my ($bin, $share) = map { chomp(my $d = `pg_config --$_`); $d } qw(bindir sharedir);
my @bin = split m{/}, $bin;
my @both;
for my $part (split m{/}, $share) { last if $part ne $bin[@both]; push @both, $part; }
my $top = join('/', @both);
if ($bin =~ m{^/usr/} || @both < 3)
{
	not_run("files that are gone or changed: the server's are not ours to copy");
	done_testing();
	exit;
}
my $copy = PostgreSQL::Test::Utils::tempdir() . '/inst';
system('cp', '-a', $top, $copy) == 0 or die "cannot copy $top";
my $models = $copy . substr($share, length $top) . '/extension/pg_nlp_models';
my $install = dirname($copy . substr($bin, length $top));
my $own = PostgreSQL::Test::Cluster->new('own', install_path => $install);
$own->init;
$own->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_nlp'\npg_nlp.shared_memory_size = '64MB'\nfsync = off\n");
$own->start;
$own->safe_psql('postgres', 'CREATE EXTENSION pg_nlp');
my $file = "$models/segment_zh-1.gguf";
my $index = "$models/models.list";
is($own->safe_psql('postgres', CUT), WORDS, 'a copied installation works');

# SQLSTATE and the whole message of a statement in a new session.
sub fails
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $own->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err;
}
sub evict { $own->safe_psql('postgres', q{SELECT nlp.evict('segment_zh')}); return; }
sub spew { my ($path, $bytes) = @_; open(my $f, '>:raw', $path) or die "$path: $!"; print $f $bytes; close($f) or die; return; }

my $bytes = do { open(my $f, '<:raw', $file) or die; local $/; <$f> };
my $list = slurp_file($index);

unlink $file or die;
is($own->safe_psql('postgres', CUT), WORDS, 'a resident image needs its file no more');
evict();
like(fails(CUT), qr/ERROR:  58P01: .*\Q$file\E/, 'a file that is gone: an error that names it');
like(fails(q{SELECT nlp.prewarm('segment_zh')}), qr/58P01: .*\Q$file\E/, 'the same for prewarm');
is($own->safe_psql('postgres', q{SELECT resident FROM nlp.models WHERE name = 'segment_zh'}), 'f', 'the list is read without it');
is($own->safe_psql('postgres', 'SELECT count(*) FROM nlp.resident_images()'), '0', 'nothing half-made is left');
mkdir $file or die;
like(fails(CUT), qr/ERROR:  42809: .*\Q$file\E.* is not a regular file/, 'a directory in its place');
rmdir $file;
spew($file, substr($bytes, 0, 100000));
like(fails(CUT), qr/ERROR:  XX001: .*\Q$file\E.*not the one that was installed.*size/s, 'a file cut short');
for my $at (5, 1000, length($bytes) - 1)
{
	my $bad = $bytes;
	substr($bad, $at, 1) ^= "\x01";
	spew($file, $bad);
	like(fails(CUT), qr/ERROR:  XX001: .*\Q$file\E.*not the one that was installed.*SHA-256/s, "a bit changed at byte $at");
}
chmod 0, $file or die;
SKIP: {
	skip 'root reads everything', 1 if $> == 0;
	like(fails(CUT), qr/ERROR:  42501: .*\Q$file\E/, 'a file that may not be read');
}
chmod 0644, $file;
spew($file, $bytes);
is($own->safe_psql('postgres', CUT), WORDS, 'put right, it is used again');

# The index.
evict();
unlink $index or die;
like(fails(CUT), qr/ERROR:  42704: no model for task "segmentation"/, 'without the index there is no shipped model');
is(sqlstate_of($own, q{SELECT segment('x', 'segment_zh')}), '42704', 'also not by name');
is($own->safe_psql('postgres', 'SELECT count(*) FROM nlp.models'), '0', 'and none in the list');
my @bad = ("garbage\n", "a\tb\n", $list =~ s/\t[^\t]*\.gguf/\t..\/..\/etc\/passwd/r, $list =~ s/segmentation/divination/r, $list =~ s/\t[0-9a-f]{64}/\tffff/r,
	$list =~ s/\t(\d+)\t/\t-$1\t/r, $list =~ s/\n/\tmore\n/r, "\x01\xff\n", 'x' x 100000);
for my $i (0 .. $#bad)
{
	spew($index, $bad[$i]);
	my ($rc, $out, $err) = $own->psql('postgres', 'SELECT count(*) FROM nlp.models');
	like($err, qr/WARNING:  line 1 of file "\Q$index\E" is not a model of this version/, "index line $i: a warning");
	is($out, '0', "index line $i: no model");
}
spew($index, "# comment\n\n$bad[0]$list");
my ($rc, $out, $err) = $own->psql('postgres', CUT);
is($out, WORDS, 'lines that are good are used');
like($err, qr/line 3/, 'and the bad one is named');
spew($index, $list);

# A newer version beside the old one: a session that knows the old one goes on with it.
my $old = session($own);
is($old->query(CUT), WORDS, 'a session on version 1');
my $newer = $bytes =~ s/segment_zh/SEGMENT_ZH/r;
spew("$models/segment_zh-2.gguf", $newer);
my $newer_sum = unpack('H*', pack('H*', `sha256sum $models/segment_zh-2.gguf` =~ s/ .*//sr));
spew($index, $list =~ s/segment_zh-1/segment_zh-2/r =~ s/[0-9a-f]{64}/$newer_sum/r);
is($own->safe_psql('postgres', q{SELECT sha256 FROM nlp.models WHERE name = 'segment_zh'}), $newer_sum, 'a new session has version 2');
is($own->safe_psql('postgres', CUT), WORDS, 'which works');
is($own->safe_psql('postgres', q{SELECT count(*) FROM nlp.resident_images()}), '2', 'both are resident');
evict();
is($old->query(q{SELECT nlp.evict('segment_zh')}), 't', 'the old session evicts the old one');
is($old->query(CUT), WORDS, 'and builds it again');
$own->stop;
done_testing();
