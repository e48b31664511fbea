# NlpTest.pm --- what the TAP tests share: a server with the extension, a model in it,
# sessions that can be left running, and what the operating system says about a backend.
package NlpTest;

use strict;
use warnings;
use Exporter 'import';
use IPC::Open2;
use Time::HiRes qw(time sleep usleep);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_node model_file load_smollm2 greedy figure not_run session cpu_ms
  shm_bytes wait_until_true sqlstate_of activity_phase random_of GREEDY_SQL);

# A statement with one right answer, used before and after whatever a test does.
use constant GREEDY_SQL =>
  q{SELECT generate('The capital of France is', 'smollm2', '{"max_tokens": 16}')};

# A figure worth keeping: shown by tools/check.sh.
sub figure { note('figure: ' . join('', @_)); return; }

# Something this machine cannot do: shown, and counted neither way.
sub not_run { note('not run: ' . join('', @_)); return; }

sub model_file
{
	my $dir = $ENV{MODELS_DIR} or die "MODELS_DIR is not set";
	my $file = "$dir/SmolLM2-135M-Instruct.Q4_1.gguf";
	-r $file or die "no model at $file; \"make models\" fetches it";
	return $file;
}

# new_node(NAME, preload => 1, conf => '...', init => [...], start => 1)
sub new_node
{
	my ($name, %opt) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(@{ $opt{init} // [] });
	$node->append_conf('postgresql.conf', <<CONF);
restart_after_crash = on
fsync = off
shared_buffers = 32MB
max_connections = 100
max_wal_size = 2GB
CONF
	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = 'pg_nlp'\npg_nlp.shared_memory_size = '320MB'\n")
	  if $opt{preload} // 1;
	$node->append_conf('postgresql.conf', $opt{conf}) if $opt{conf};
	return $node if exists $opt{start} && !$opt{start};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_nlp');
	return $node;
}

sub load_smollm2
{
	my ($node, $name, $db) = @_;
	$name //= 'smollm2';
	my $file = model_file();
	return $node->safe_psql($db // 'postgres', "SELECT nlp.load_model('$name', '$file')");
}

sub greedy { my ($node, $db) = @_; return $node->safe_psql($db // 'postgres', GREEDY_SQL); }

# The SQLSTATE a statement ends with; '00000' when it works.
sub sqlstate_of
{
	my ($node, $sql, %opt) = @_;
	my ($rc, $out, $err) = $node->psql($opt{db} // 'postgres', $sql,
		extra_params => [ '-v', 'VERBOSITY=verbose', @{ $opt{extra} // [] } ]);
	return '00000' if $err !~ /(?:ERROR|FATAL):\s+([0-9A-Z]{5}):/;
	return $1;
}

# Wait until a query gives 't'; seconds at most.
sub wait_until_true
{
	my ($node, $sql, $seconds) = @_;
	my $until = time() + ($seconds // 60);
	while (time() < $until)
	{
		my ($rc, $out) = $node->psql('postgres', $sql);
		return 1 if defined $out && $rc == 0 && $out eq 't';
		sleep 0.05;
	}
	return 0;
}

# CPU time of a process, all its threads, in ms, from the scheduler's own account.
sub cpu_ms
{
	my ($pid) = @_;
	my $ns = 0;
	for my $file (glob "/proc/$pid/task/*/schedstat")
	{
		open my $f, '<', $file or next;
		my $line = <$f> // '';
		$ns += $1 if $line =~ /^(\d+)/;
	}
	return $ns / 1e6;
}

# Bytes that POSIX shared memory segments of servers take.
sub shm_bytes
{
	my $sum = 0;
	for my $file (glob '/dev/shm/PostgreSQL.*') { my @s = stat $file; $sum += ($s[12] // 0) * 512; }
	return $sum;
}

# A small generator of our own: the same steps on every machine.
my $seed = 12345;
sub random_of { my ($n) = @_; $seed = ($seed * 1103515245 + 12345) % 2147483648; return $seed / 2147483648 * $n; }

# What nlp.activity shows for a backend: phase, verb, and whether tokens have been made; '' for nothing.
sub activity_phase
{
	my ($observer, $pid) = @_;
	return $observer->query("SELECT phase || ' ' || verb || CASE WHEN tokens > 0 THEN ', with tokens' ELSE '' END
		FROM nlp.activity WHERE pid = $pid");
}

# ---- sessions: a psql left open, whose statement may be running while we do other things ----
sub session { return NlpTest::Session->new(@_); }

package NlpTest::Session;

use strict;
use warnings;
use IPC::Open2;
use IO::Select;
use Time::HiRes qw(time);

# new(NODE [, db => 'postgres', user => undef])
sub new
{
	my ($class, $node, %opt) = @_;
	my $self = bless { marks => 0, buffer => '' }, $class;
	my @cmd = ('psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-v', 'ON_ERROR_STOP=0', '-h', $node->host, '-p', $node->port,
		'-d', $opt{db} // 'postgres');
	push @cmd, '-U', $opt{user} if $opt{user};
	$self->{child} = open2($self->{out}, $self->{in}, "exec @cmd 2>&1");
	$self->{select} = IO::Select->new($self->{out});
	$self->{pid} = $self->query('SELECT pg_backend_pid()');
	return $self;
}

sub pid { return $_[0]{pid}; }

# Start a statement; result() gives what it printed.
sub send_sql
{
	my ($self, $sql) = @_;
	$self->{marks}++;
	my $in = $self->{in};
	print $in "$sql;\n\\echo mark-$self->{marks}\n";
	$in->flush;
	return;
}

# What the statement printed; undef when it has not ended after so many seconds, or psql died.
sub result
{
	my ($self, $seconds) = @_;
	my $until = time() + ($seconds // 120);
	my $mark = "mark-$self->{marks}\n";
	while ((my $at = index($self->{buffer}, $mark)) < 0)
	{
		my $left = $until - time();
		return undef if $left <= 0;
		next unless $self->{select}->can_read($left);
		my $n = sysread($self->{out}, $self->{buffer}, 65536, length $self->{buffer});
		return undef unless $n;
	}
	my $at = index($self->{buffer}, $mark);
	my $text = substr($self->{buffer}, 0, $at);
	$self->{buffer} = substr($self->{buffer}, $at + length $mark);
	chomp $text;
	return $text;
}

# True when the statement has ended; its result stays to be read.
sub peek
{
	my ($self) = @_;
	while ($self->{select}->can_read(0)) { last unless sysread($self->{out}, $self->{buffer}, 65536, length $self->{buffer}); }
	return index($self->{buffer}, "mark-$self->{marks}\n") >= 0 ? 1 : undef;
}

sub query { my ($self, $sql, $seconds) = @_; $self->send_sql($sql); return $self->result($seconds); }

sub close_session
{
	my ($self) = @_;
	return unless $self->{child};
	{
		local $SIG{PIPE} = 'IGNORE';
		my $in = $self->{in};
		print $in "\\q\n";
		close $in;
	}
	close $self->{out};
	waitpid $self->{child}, 0;
	delete $self->{child};
	return;
}

sub DESTROY { my ($self) = @_; local $?; $self->close_session; return; }

1;
