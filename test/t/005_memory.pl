# Sessions that each finished a 64-token generate and still hold their connection: the sum
# of what their processes take (PSS and page tables) stays under 1.05 x weights + 10 MB each.
# NLP_SESSIONS: how many (32).
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use NlpTest;

my $sessions = $ENV{NLP_SESSIONS} // 32;

sub memory_of
{
	my ($pid) = @_;
	my ($pss, $pte, $huge) = (0, 0, 0);
	return (0, 0, 0) unless -r "/proc/$pid/smaps_rollup" && `cat /proc/$pid/smaps_rollup 2>/dev/null`;	# it has ended
	for my $line (split /\n/, slurp_file("/proc/$pid/smaps_rollup")) { $pss = $1 if $line =~ /^Pss:\s+(\d+) kB/; $huge += $1 if $line =~ /^(?:Shared|Private)_Hugetlb:\s+(\d+) kB/; }
	for my $line (split /\n/, slurp_file("/proc/$pid/status")) { $pte = $1 if $line =~ /^VmPTE:\s+(\d+) kB/; }
	return ($pss * 1024, $pte * 1024, $huge * 1024);
}

# PSS and page tables of all processes. Huge pages are in no PSS: the most that one process
# has of them is added once, since all of it is shared.
sub memory_of_all
{
	my ($pss, $pte, $huge) = (0, 0, 0);
	for my $pid (@_) { my ($a, $b, $c) = memory_of($pid); $pss += $a; $pte += $b; $huge = $c if $c > $huge; }
	return ($pss + $huge, $pte, $huge);
}

sub children { my ($pid) = @_; return grep { /\d/ } split ' ', `cat /proc/$pid/task/*/children`; }

for my $preload (1, 0)
{
	my $how = $preload ? 'preloaded' : 'not preloaded';
	my $node = new_node("memory$preload", preload => $preload);
	load_smollm2($node);
	my @s = map { session($node) } 1 .. $sessions;
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	my ($idle_pss, $idle_pte) = memory_of_all($postmaster, children($postmaster));
	my $idle = $idle_pss + $idle_pte;

	$_->send_sql(q{SELECT length(generate('Once upon a time', options => '{"max_tokens": 64, "ignore_eos": true}')) > 0}) for @s;
	my $good = grep { ($_->result(600) // '') eq 't' } @s;
	is($good, $sessions, "$how: every session answered");
	my $weights = $node->safe_psql('postgres', 'SELECT sum(bytes) FROM nlp.resident_models');
	my ($pss, $pte, $huge) = memory_of_all($postmaster, children($postmaster));
	my $limit = 1.05 * $weights + $sessions * 10e6;
	cmp_ok($pss + $pte, '<=', $limit, "$how: PSS and page tables of the whole server stay under the limit");
	figure(sprintf('%s, %d sessions after a 64-token generate: %.0f MB PSS + %.0f MB page tables (%s pages), image %.0f MB, limit %.0f MB; before: %.0f MB',
		$how, $sessions, $pss / 1e6, $pte / 1e6, $huge ? '2 MB' : '4 kB', $weights / 1e6, $limit / 1e6, $idle / 1e6));

	# What a session keeps to itself, above one that never called us.
	my $fresh = session($node);
	$fresh->query('SELECT count(*) FROM pg_class');
	my $own = sub {
		my ($pid) = @_;
		my $sum = 0;
		for my $line (split /\n/, slurp_file("/proc/$pid/smaps_rollup")) { $sum += $1 if $line =~ /^Anonymous:\s+(\d+) kB/; }
		return $sum * 1024;
	};
	my $used = 0;
	$used += $own->($_->pid) for @s;
	cmp_ok($used / $sessions - $own->($fresh->pid), '<=', 10e6, "$how: an idle session keeps less than 10 MB of its own");
	figure(sprintf('%s: an idle session that has answered keeps %.1f MB of its own, a fresh one %.1f MB',
		$how, $used / $sessions / 1e6, $own->($fresh->pid) / 1e6));
	$_->close_session for @s, $fresh;
	$node->stop;
}
done_testing();
