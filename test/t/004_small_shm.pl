# /dev/shm of 64 MB, as containers have it: a model that does not fit there is refused with
# both remedies named, nothing stays behind, everything else works; preloaded it works.
use strict;
use warnings;

sub shm_size { my $kb = (split ' ', (split /\n/, `df -Pk /dev/shm`)[-1])[1]; return $kb * 1024; }

BEGIN
{
	# A mount namespace of our own; the inner user namespace gives the server its own user back.
	my $mount = 'mount -t tmpfs -o size=64m tmpfs /dev/shm';
	my $back = "unshare -U --map-user=$<";
	if (shm_size() > 70e6 && !$^C && system("unshare -Urm sh -c '$mount && $back true' >/dev/null 2>&1") == 0)
	{
		my $perl = join ' ', map { "'$_'" } $^X, (map { ('-I', $_) } @INC), $0;
		exec 'unshare', '-Urm', 'sh', '-c', "$mount && exec $back $perl";
	}
}

use Test::More;
use PostgreSQL::Test::Utils;
use NlpTest;

if (shm_size() > 70e6)
{
	not_run('a /dev/shm of 64 MB (no mount namespace to be had here)');
	ok(1, 'nothing else to test');
	done_testing();
	exit 0;
}

my $node = new_node('small', preload => 0);
my $at_rest = shm_bytes();
load_smollm2($node);
my ($rc, $out, $err) = $node->psql('postgres', NlpTest::GREEDY_SQL, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($err, qr/ERROR:\s+53100:/, 'refused with 53100');
like($err, qr/HINT:.*shared_preload_libraries/s, 'the hint names preloading');
like($err, qr/HINT:.*(?:shm|--shm-size)/s, 'and a larger /dev/shm');
cmp_ok(shm_bytes(), '<=', $at_rest + 1e6, 'nothing left behind');

sqlstate_of($node, NlpTest::GREEDY_SQL) for 1 .. 20;
cmp_ok(shm_bytes(), '<=', $at_rest + 1e6, 'nor after twenty more tries');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nlp.models WHERE data IS NOT NULL'), '1', 'the store works');
is($node->safe_psql('postgres', 'SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0;
	SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SELECT count(*) > 0 FROM pg_class'), 't', 'parallel query works');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_nlp'\npg_nlp.shared_memory_size = '320MB'\n");
$node->restart;
like(greedy($node), qr/Paris/, 'preloaded, the same machine serves the model');
$node->stop;
done_testing();
