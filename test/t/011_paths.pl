# Paths that are no regular file, and files that change: each ends with its own error, soon.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use PostgreSQL::Test::Utils;
use NlpTest;

my $node = new_node('paths');
my $tmp = PostgreSQL::Test::Utils::tempdir();
system('mkfifo', "$tmp/fifo") == 0 or die;
symlink model_file(), "$tmp/link" or die;
symlink "$tmp/fifo", "$tmp/link_to_fifo" or die;
append_to_file("$tmp/empty", '');
append_to_file("$tmp/text", "not a model\n" x 1000);
my $bytes = slurp_file(model_file());
append_to_file("$tmp/cut", substr($bytes, 0, 3_000_000));
append_to_file("$tmp/long", $bytes . 'x' x 100_000);

my @cases = (
	[ 'a FIFO', "$tmp/fifo", qr/^(?!00000)/ ],
	[ 'a link to a FIFO', "$tmp/link_to_fifo", qr/^(?!00000)/ ],
	[ 'a device that never ends', '/dev/zero', qr/^(?!00000)/ ],
	[ 'a directory', $tmp, qr/^(?!00000)/ ],
	[ 'nothing', "$tmp/none", qr/^58P01/ ],
	[ 'an empty file', "$tmp/empty", qr/^(?!00000|XX)/ ],
	[ 'a text', "$tmp/text", qr/^(?!00000|XX000)/ ],
	[ 'a model cut short', "$tmp/cut", qr/^(?!00000|XX000)/ ],
	[ 'a model with bytes after its end', "$tmp/long", qr/^(?!00000|XX000)/ ],
	[ 'a file of /proc that says it is empty', '/proc/self/maps', qr/^(?!00000|XX000)/ ],
);
for my $c (@cases)
{
	my ($what, $path, $want) = @$c;
	my $t0 = time();
	my $got = sqlstate_of($node, "SET statement_timeout = '10s'; SELECT nlp.load_model('x', '$path')");
	like($got, $want, "$what is refused ($got)");
	isnt($got, '57014', "$what: by its own error, not by the timeout");
	cmp_ok(time() - $t0, '<', 5, "$what: soon");
}
is(sqlstate_of($node, "SELECT nlp.load_model('linked', '$tmp/link')"), '00000', 'a link to a model is followed');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nlp.models WHERE data IS NOT NULL'), '1', 'nothing else was stored');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'nlp_data'::regnamespace AND relkind = 'r'}), '1', 'nor any relation');
$node->stop;
done_testing();
