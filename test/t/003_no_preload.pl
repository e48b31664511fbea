# Without shared_preload_libraries everything works: the image lives in dynamic shared
# memory, once for all sessions, and goes away when asked.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use NlpTest;

my $node = new_node('preloaded');
load_smollm2($node);
my $answer = greedy($node);
$node->stop;

my $bare = new_node('bare', preload => 0);
my $before = shm_bytes();
load_smollm2($bare);
is(greedy($bare), $answer, 'the same answer as with the library preloaded');
my $bytes = $bare->safe_psql('postgres', 'SELECT bytes FROM nlp.resident_models');
my $one = shm_bytes() - $before;
cmp_ok($one, '>=', $bytes * 0.9, 'the image is in shared memory');

my @s = map { session($bare) } 1 .. 4;
$_->send_sql(NlpTest::GREEDY_SQL) for @s;
is($_->result, $answer, 'a session of several at once') for @s;
my $four = shm_bytes() - $before;
cmp_ok($four, '<=', $one * 1.05 + 8e6, 'still one copy with four sessions on it');
figure(sprintf('without preload: image of %.0f MB takes %.0f MB of shared memory, %.0f MB with 5 sessions', $bytes / 1e6, $one / 1e6, $four / 1e6));

$bare->safe_psql('postgres', "SELECT nlp.evict('smollm2')");
is($bare->safe_psql('postgres', 'SELECT count(*) FROM nlp.resident_models'), '0', 'evicted');
cmp_ok(shm_bytes() - $before, '<=', 8e6, 'its memory is given back though sessions stay attached');
is($s[0]->query(NlpTest::GREEDY_SQL), $answer, 'an old session loads it again');
$_->close_session for @s;

# The cap holds, and says so.
$bare->append_conf('postgresql.conf', "pg_nlp.shared_memory = '40MB'\n");
$bare->reload;
$bare->safe_psql('postgres', "SELECT nlp.evict('smollm2')");
is(sqlstate_of($bare, NlpTest::GREEDY_SQL), '53200', 'a model over the cap is refused with 53200');
$bare->append_conf('postgresql.conf', "pg_nlp.shared_memory = '1GB'\n");
$bare->reload;
is(greedy($bare), $answer, 'and answers once the cap allows it');

$bare->restart;
is(greedy($bare), $answer, 'same answer after a restart');
$bare->stop;
cmp_ok(shm_bytes(), '<=', $before, 'nothing left in /dev/shm');
done_testing();
