# Who may do what: role x function x resident or not. SELECT on a model's relation is the
# right to use it, for the effective role, checked at every call also when it is resident.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use NlpTest;

my $node = new_node('grants');
my $file = model_file();
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE maker; CREATE ROLE friend; CREATE ROLE stranger; CREATE ROLE admin SUPERUSER;
GRANT pg_read_server_files TO maker;
GRANT CREATE ON SCHEMA public TO maker, stranger;
SQL
$node->safe_psql('postgres', "SET ROLE maker; SELECT nlp.load_model('m', '$file')");
is($node->safe_psql('postgres', "SELECT owner FROM nlp.models WHERE name = 'm'"), 'maker', 'a model belongs to whoever loaded it');
my $data = $node->safe_psql('postgres', "SELECT data FROM nlp.model WHERE name = 'm'");
$node->safe_psql('postgres', "SET ROLE maker; GRANT SELECT ON $data TO friend");

my %use = (
	generate => q{generate('x', 'm', '{"max_tokens": 1}')},
	generate_array => q{generate(array['x', 'y'], 'm', '{"max_tokens": 1}')},
	generate_stream => q{generate_stream('x', 'm', '{"max_tokens": 1}')},
	sample => q{sample('x', 'm', '{"max_tokens": 1, "seed": 1}')},
	chat => q{chat('[{"role": "user", "content": "x"}]', 'm', '{"max_tokens": 1}')},
	sample_chat => q{sample_chat('[{"role": "user", "content": "x"}]', 'm', '{"max_tokens": 1, "seed": 1}')},
	summarize => q{summarize('x', 'm', '{"max_tokens": 1}')},
	tokenize => q{tokenize('x', 'm')},
	token_ids => q{token_ids('x', 'm')},
	token_count => q{token_count('x', 'm')},
	detokenize => q{detokenize(array[1, 2], 'm')},
	next_tokens => q{next_tokens('x', 1, 'm')},
	perplexity => q{perplexity('some text', 'm')},
	export_model => q{nlp.export_model('m')},
	prewarm => q{nlp.prewarm('m')},
);
my %expect = (maker => '00000', friend => '00000', stranger => '42501', admin => '00000');
for my $cached (0, 1)
{
	for my $fn (sort keys %use)
	{
		for my $role (sort keys %expect)
		{
			$node->safe_psql('postgres', $cached ? "SELECT nlp.prewarm('m')" : "SELECT nlp.evict('m')");
			is(sqlstate_of($node, "SET ROLE $role; SELECT $use{$fn}"), $expect{$role},
				"$fn as $role, " . ($cached ? 'resident' : 'not resident') . ": $expect{$role}");
		}
	}
}

# Changing a model takes its owner.
for my $sql (q{nlp.drop_model('m')}, q{nlp.rename_model('m', 'n')}, q{nlp.evict('m')})
{
	is(sqlstate_of($node, "SET ROLE $_; SELECT $sql"), '42501', "$sql as $_: 42501") for qw(friend stranger);
}
# Reading a server's file takes pg_read_server_files, before the path is looked at.
is(sqlstate_of($node, "SET ROLE $_; SELECT nlp.load_model('x', '$file')"), '42501', "load_model from a path as $_: 42501") for qw(friend stranger);
is(sqlstate_of($node, "SET ROLE stranger; SELECT nlp.load_model('x', '/no/such/file')"), '42501', 'whether or not the path is there');

# A privilege taken back works at once, in a session that has used the model.
my $s = session($node);
$s->query('SET ROLE friend');
unlike($s->query("SELECT $use{generate}"), qr/ERROR/, 'friend may');
$node->safe_psql('postgres', "REVOKE SELECT ON $data FROM friend");
like($s->query("SELECT $use{generate}"), qr/ERROR:\s+42501/, 'and may not after REVOKE, in the same session');
$s->query('RESET ROLE');
$s->close_session;

# The effective role counts: a SECURITY DEFINER function lends its owner's right, a view its owner's rights to functions do not.
$node->safe_psql('postgres', q{SET ROLE maker; CREATE FUNCTION lent(p text) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT generate(p, 'm', '{"max_tokens": 1}') $$});
is(sqlstate_of($node, q{SET ROLE stranger; SELECT lent('x')}), '00000', 'SECURITY DEFINER: its owner is asked');
$node->safe_psql('postgres', q{SET ROLE stranger; CREATE FUNCTION trap(p text) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT generate(p, 'm', '{"max_tokens": 1}') $$});
is(sqlstate_of($node, q{SET ROLE maker; SELECT trap('x')}), '42501', "SECURITY DEFINER of a stranger's: the stranger is asked");

# A default model that the role may not use is no way in.
is(sqlstate_of($node, q{SET ROLE stranger; SELECT generate('x')}) eq '00000' ? 'used' : 'refused', 'refused', 'nor by default');
# Others' texts and doings are not shown.
is($node->safe_psql('postgres', q{SET ROLE stranger; SELECT count(*) FROM nlp.activity WHERE pid <> pg_backend_pid()}), '0', 'nlp.activity of others is not shown');
$node->stop;
done_testing();
