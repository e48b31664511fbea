"""Small templates, one subject each, with their variables."""
V = {"x": 3, "f": 2.5, "s": "Hello World", "n": None, "t": True, "l": [1, 2, 3], "e": [],
     "d": {"b": 1, "a": 2, "items": 5}, "u": "héllo wörld 你好 ß", "q": "it's \"q\"\n",
     "p": [{"n": "bob", "a": 3}, {"n": "Al", "a": 1}, {"n": "cy", "a": 2, "z": {"k": [7, 8]}}],
     "big": 9007199254740993, "sp": "  \t pad \n "}

EXPRESSIONS = r"""
1 + 2 * 3
(1 + 2) * 3
7 // 2
-7 // 2
7 // -2
-7 % 3
7 % -3
7.5 // 2
-7.5 % 2
7 / 2
4 / 2
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
1 + 2 ~ 3 + 4
1 ~ 2 * 3 ~ 'a'
'a' ~ none ~ true ~ 1.0 ~ [1, 'b']
1.0
1e100
1e16
123456789012345680.0
0.1 + 0.2
1e-5
0.0001
100.0 / 3
1_000
0x1f
0b101
0o17
true and 'x' or 'y'
none or 0
0 or none
not none
not x == 3
1 < 2 < 3
1 < 3 < 2
1 == 1.0
true == 1
'a' < 'b'
[1, 2] < [1, 3]
[1, 2] == [1, 2]
(1, 2) == [1, 2]
{'a': 1} == {'a': 1.0}
'ell' in s
'xyz' not in s
2 in l
5 in l
'a' in d
'z' not in d
1 in 'abc'
x if t else 'no'
x if not t
x if n else 's' if t else 'u'
missing
missing.foo
missing['foo']
missing + 1
missing ~ 'x'
missing == other
missing is defined
d.zzz
d.zzz.y
d['b']
d.b
d.items is callable
d['items']
d.items() | list
d.keys() | list
d.values() | list
d.get('a')
d.get('zz')
d.get('zz', 'dflt')
l[0]
l[-1]
l[7]
l[1:]
l[::-1]
l[:2]
l[-2:]
l[::2]
l[5:1:-1]
s[1:4]
s[::-1]
s[-3:]
u[6:8]
u[::-1]
u[0]
u[-1]
s[100]
s.upper()
u.upper()
u | upper
u | title
u | capitalize
s.lower()
'hello WORLD foo-bar (baz)' | title
'hello WORLD foo-bar (baz)'.title()
sp.strip()
sp | trim
'xxhixx'.strip('x')
'xxhixx'.lstrip('x')
'xxhixx'.rstrip('x')
'xyhiyx' | trim('xy')
' a  b c '.split()
' a  b c '.split(none, 1)
'a,b,,c'.split(',')
'a,b,,c'.split(',', 1)
'a,b,,c'.rsplit(',', 1)
' a  b c '.rsplit(none, 1)
'a,b,,c'.split(',', maxsplit=2)
'a</think>b</think>c'.split('</think>')[-1]
'abc'.split('')
'a\nb\r\nc\n'.splitlines()
s.startswith('Hell')
s.startswith(('x', 'H'))
s.endswith('World')
s.replace('l', 'L')
s.replace('l', 'L', 1)
'abc'.replace('', '-')
s | replace('World', 'There')
s | replace('l', 'L', 2)
', '.join(['a', 'b'])
', '.join([1])
l | join(', ')
p | join(', ', attribute='n')
s.find('o')
s.rfind('o')
s.find('zz')
u.find('你')
s.index('W')
s.index('zz')
s.count('o')
'%s is %d' % ('x', 5)
'%5.2f|%-5s|%05d|%x' % (3.14159, 'ab', 42, 255)
'%s' % 'one'
'%s %s' % 'one'
'%(a)s-%(b)r' % {'a': 1, 'b': 'q'}
'{} and {}'.format('a', 1)
'{0}{1}{0}'.format('a', 'b')
'{x}/{y}'.format(x=1, y='z')
'{:>5}|{:<5}|{:^5}|{:05d}|{:.2f}'.format('a', 'b', 'c', 42, 3.14159)
'{:,}'.format(1234567)
'{0[a]} {1.b}'.format(d, d)
'{{}}'.format()
'{!r}'.format('x')
'{'.format()
'a-b'.partition('-')
'abc'.partition('-')
'abc'.isdigit()
'123'.isdigit()
'12'.zfill(5)
'-12'.zfill(5)
'ab'.center(7, '*')
'ab'.ljust(4) ~ '|'
'prefix-x'.removeprefix('prefix-')
l.append(4)
d.update({'c': 1})
l | length
s | length
u | length
d | length
n | length
missing | length
x | length
l | first
l | last
e | first
s | first
s | last
l | sum
p | sum(attribute='a')
l | max
l | min
p | max(attribute='a')
e | max
l | reverse | list
s | reverse
[3, 1, 2] | sort
[3, 1, 2] | sort(reverse=true)
['b', 'A', 'c'] | sort
['b', 'A', 'c'] | sort(case_sensitive=true)
p | sort(attribute='n') | map(attribute='n') | list
p | map(attribute='z.k.0') | list
p | map(attribute='z', default='-') | list
['a', 'b'] | map('upper') | list
l | map('string') | join('-')
l | map('nosuch') | list
p | selectattr('a', 'gt', 1) | map(attribute='n') | list
p | selectattr('z') | list | length
p | selectattr('z', 'defined') | list | length
p | rejectattr('z', 'defined') | map(attribute='n') | join(' ')
l | select('odd') | list
l | reject('odd') | list
[0, 1, '', 'x', none] | select | list
l | select('divisibleby', 3) | list
['a', 'b', 'A'] | unique | list
d | dictsort
d | dictsort(reverse=true)
d | dictsort(by='value')
{'b': 1, 'A': 2} | dictsort(true)
d | items | list
missing | items | list
n | items | list
l | batch(2) | list
l | batch(2, 0) | list
l | slice(2) | list
l | slice(2, 'x') | list
p | groupby('a') | list | length
s | list
d | list
l | string
l | tojson
d | tojson
d | tojson(indent=2)
p | tojson(indent=4)
{'a': [], 'b': {}, 'c': none} | tojson(indent=2)
u | tojson
u | tojson(ensure_ascii=true)
'😀' | tojson(ensure_ascii=true)
q | tojson
'<b>&\'' | tojson
[1.0, 0.1, 1e20, true, none] | tojson
d | tojson(sort_keys=true)
l | tojson(separators=(',', ':'))
d | tojson(separators=(',', ':'), indent=1)
{1: 'a', true: 'b', none: 'c'} | tojson
missing | tojson
(1, 2) | tojson
'{"a": [1, 2.5, "x"]}' | from_json
'42' | int
'42.7' | int
'x' | int
'x' | int(7)
3.99 | int
-3.99 | int
'3.5' | float
'x' | float
true | int
none | int
missing | int
3.14159 | round(2)
2.5 | round
3.5 | round
42.55 | round(1, 'floor')
42.51 | round(1, 'ceil')
7 | round
-5 | abs
missing | default('d')
n | default('d')
n | default('d', true)
'' | default('d', boolean=true)
missing | d
'a\nb\n\nc' | indent
'a\nb\n\nc' | indent(2, first=true)
'a\nb\n\nc' | indent(2, blank=true)
'a\nb' | indent('> ')
'a\nb\n' | indent
'foo bar baz qux' | truncate(9)
'foo bar baz qux' | truncate(9, true)
'foo bar baz qux' | truncate(11)
'foo bar baz qux' | truncate(11, false, '...', 0)
'ab' | center(6) ~ '|'
'one two three' | wordcount
'%s-%s' | format(1, 2)
'a b/c&é' | urlencode
'<a href="x">\'&' | escape
'<a>' | e
('<a>' | safe) ~ '<b>'
('<a>' | safe) + '<b>'
'<b>' + ('<a>' | safe)
'<b>' | safe | e
'<b>' | safe | length
x is number
s is string
l is iterable
s is iterable
x is iterable
missing is iterable
d is mapping
l is mapping
l is sequence
d is sequence
s is sequence
x is sequence
n is none
n is not none
t is boolean
x is boolean
t is true
x is true
false is false
x is integer
f is integer
f is float
x is odd
x is even
x is divisibleby 3
x is divisibleby(2)
x is eq 3
x is equalto(3)
x is ne 3
x is lt 4
x is gt 4
x is ge 3
x is in [1, 2, 3]
x is in([])
s is lower
'abc' is lower
'ABC' is upper
'upper' is filter
'nosuch' is filter
'odd' is test
x is sameas 3
range is callable
x is nosuch
x | nosuch
s is string and x is number
not x is string
x is not string and t
range(5) | list
range(2, 10, 3) | list
range(5, 0, -2) | list
range(3)[1]
range(200000)
range(1, 2, 0)
dict(a=1, b=2)
dict([('a', 1)])
dict({'a': 1}, b=2)
namespace(a=1).a
namespace(a=1).b
namespace(_a=1)
{'a': 1, 'b': {'c': [1, 2]}}
{'a': 1, 'a': 2}
{[1]: 2}
{(1, 2): 3}[(1, 2)]
['it\'s', "q\"", 'both\'"', 'tab\t', '\x01', 'é', '\u4f60']
'\x41\u4f60\n\q'
'a' 'b' "c"
(1,)
()
(1, 2)[0]
[1, 2,]
[[1, 2], [3]]
'a' * 3
3 * 'ab'
[1] * 2
[1] + [2]
(1,) + (2,)
[1] + (2,)
'a' + 1
1 + '1'
'a' - 'b'
1 / 0
1 % 0
1 // 0
1.0 % 0
-x
+x
--x
-s
'a' < 1
none < 1
big
big + 1
-(5 - 8)
l.index(2)
l.count(2)
l.0
p.1.n
p[2].z.k[1]
d.__class__
s.__class__
''.__class__.__mro__
loop
raise_exception('stop here')
raise_exception('a' ~ 1)
nosuch()
x()
s.upper(1)
strftime_now is defined
strftime_now('%Y')
n.foo
n.foo.bar
x.foo
'abc'[1]['upper']()
d['get']('a')
(d | attr('keys'))() | list
namespace(k=5) | attr('k')
p | map(attribute='n') | length
(p | map(attribute='n'))[0]
d.keys()[0]
1 if
'unterminated
{{ nested
[1, 2
1 2
a b
x..y
x is
| upper
foo(a=1, 2)
f(*[1])
range(*[1, 4]) | list
dict(**{'a': 1})
'a' if missing is undefined else 'b'
1 and 2 and 0 and 3
0 or '' or 'z'
1 in [1] in [[1]]
1 != 2 != 3
"\\" ~ '\\\\'
{'x': x, 'y': [x, {'z': none}]}
{'a': true}
'İ' | lower
'ΑΣ ΣΑΣ' | lower
'ǆ' | title
'ŉ' | upper
'ﬁne' | upper
'a\u00a0b\u3000'.strip() ~ '|'
'a\u2028b'.splitlines()
[1, 2] is sequence
'%d%%' % 5
'%c%c' % ('a', 8364)
'%s' % [1, 2]
'%s' % none
'x' in missing
missing in 'x'
missing in [missing]
l == missing
[missing]
[[], {}, (), '', 0]
"a\
b"
'é' == '\xe9'
1.5 == 3 / 2
1e400
10 ** 18
10 ** 18 * 5 - 10 ** 18 * 4
0.5 | tojson
1e22 | tojson
'abc' | list | join('.')
'a.b.c'.split('.') | last
((1, 2), (3, 4)) | map('first') | list
((1, 2), (3, 4)) | map('join', '-') | list
[{'a': 1}] | map(attribute='a') | sum
[[1, 2], [3]] | sum(start=[])
[1.5, 2] | sum
['b', 'a'] | min
[none, 1] | sort
{'a': 1}.items() | list | tojson
{'a': 1}.items() | tojson
d.copy()
'a,b' | replace(',', none)
5 | string | length
'Hello'.isupper()
'HELLO'.isupper()
' '.isspace()
'a1'.isalnum()
"tab\there"
'x' ~ -1
1 - -1
1 -1
l[x - 1]
l[x - 1:x]
l['a']
d[1]
s['a']
l[none:2]
s[true]
l[1.0]
""".strip("\n").replace("\"a\\\nb\"", "\"a\\@@b\"").split("\n")

BLOCKS = [
    "{% for i in l %}{{ i }}{% endfor %}",
    "{% for i in e %}x{% else %}none{% endfor %}",
    "{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}"
    "{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}",
    "{% for i in l %}{{ loop.previtem is defined }}{{ loop.nextitem is undefined }} {% endfor %}",
    "{% for i in l if i != 2 %}{{ loop.index }}:{{ i }}/{{ loop.length }} {% endfor %}",
    "{% for i in l if i > 5 %}x{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}",
    "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}",
    "{% for i in l %}{% for j in l %}{{ loop.index }}{{ i }}{{ j }} {% endfor %}{{ loop.index }}{% endfor %}",
    "{% for i in l %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in l %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in l %}{% for j in l %}{% if j == 2 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
    "{% break %}",
    "{% for i in l %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{% endfor %}",
    "{% for i in x %}{% endfor %}",
    "{% for i in missing %}x{% else %}e{% endfor %}",
    "{% for c in u %}{{ c }}.{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}",
    "{% for i in range(3) %}{{ i }}{% endfor %}",
    "{% set g = l|select('odd') %}{% for i in g %}{{ i }}{% endfor %}{% for i in g %}again{% endfor %}",
    "{% set g = l|map('string') %}{{ 'yes' if g else 'no' }}{{ g|first }}{{ g|list }}",
    "{% set y = 1 %}{% for i in l %}{% set y = y + i %}{{ y }} {% endfor %}{{ y }}",
    "{% set ns = namespace(c=0) %}{% for i in l %}{% set ns.c = ns.c + i %}{% endfor %}{{ ns.c }}",
    "{% set ns = namespace() %}{% set ns.q = 'v' %}{{ ns.q }}{{ ns.r }}",
    "{% set d.k = 1 %}",
    "{% set ns = namespace() %}{% set ns._q = 'v' %}",
    "{% set a, b = 1, 2 %}{{ b }}{{ a }}",
    "{% set a, b = b, a %}{{ a }}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% set txt %}ab{{ x }}\n{% endset %}[{{ txt }}]",
    "{% set txt | upper | replace('A', 'z') %}ab{{ x }}{% endset %}[{{ txt }}]",
    "{% if x == 3 %}three{% elif x == 4 %}four{% else %}other{% endif %}",
    "{% if x == 4 %}three{% elif x == 3 %}four{% else %}other{% endif %}",
    "{% if x == 4 %}three{% elif x == 5 %}four{% else %}other{% endif %}",
    "{% if n %}x{% endif %}",
    "{% if t %}{% set z = 5 %}{% endif %}{{ z }}",
    "{% if not t %}{% set tt = 5 %}{% endif %}{{ tt }}{{ tt is defined }}",
    "{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 5) }} {{ m(1, c=9) }} {{ m() }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, k=4) }}",
    "{% macro m(n) %}{% if n > 0 %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}",
    "{% macro m() %}{{ y }}{% endmacro %}{% set y = 7 %}{{ m() }}{% set y = 8 %}{{ m() }}",
    "{% macro m() %}{% set y = 9 %}{{ y }}{% endmacro %}{% set y = 7 %}{{ m() }}{{ y }}",
    "{% for i in l %}{% macro m() %}<{{ i }}>{% endmacro %}{{ m() }}{% endfor %}",
    "{% macro m(x, y) %}{{ x }}-{{ y }}{% endmacro %}{{ m(y=1, x=2) }}{{ m.name }}{{ m.arguments }}",
    "{% macro m() %}  text \n{% endmacro %}[{{ m() | trim }}][{{ m() | length }}]",
    "{% macro m() %}a{{ caller() }}b{% endmacro %}{% call m() %}in{{ x }}{% endcall %}",
    "{% macro m() %}{{ caller(1, k=2) }}{% endmacro %}{% call(a, k) m() %}{{ a }}{{ k }}{% endcall %}",
    "{% filter upper %}a{{ s }}{% endfilter %}",
    "{% filter replace('l', '1') | upper %}{{ s }}{% endfilter %}",
    "{% generation %}{{ x }}{% set q = 1 %}{% endgeneration %}{{ q }}",
    "{% with a = 1, b = x %}{{ a }}{{ b }}{% set c = 1 %}{% endwith %}{{ a }}{{ c }}",
    "{% raw %}{{ x }} {% if %}{% endraw %}",
    "a {%- raw -%}  {{ x }}  {%- endraw -%} b",
    "  {% raw %}\n x {% endraw %}\n y",
    "{# comment #}a{#- c -#} b {# {{ x }} #}",
    "a\n  {# comment #}\nb",
    "a\n  {% if t %}\n  b\n  {% endif %}\nc",
    "a\n  {%- if t %}\n  b\n  {%- endif %}\nc",
    "a\n  {% if t -%}\n  b\n  {% endif -%}\nc",
    "a\n  {%+ if t %}\n  b\n  {%+ endif +%}\nc",
    "a\n  {{ x }}\n  b",
    "a\n  {{- x -}}\n  b",
    "a  {% if t %}  b  {% endif %}  c",
    "{{ x }}  {% if t %}y{% endif %}",
    "{{ x }}\n  {% if t %}y{% endif %}",
    "   {% if t %}y{% endif %}",
    "{% if t %}\n\ny{% endif %}",
    "{% if t -%}\n\n  y{% endif %}",
    "a\u00a0{%- if t %}b{% endif %}",
    "a\u3000\n{{- x }}",
    "x\n", "x\n\n", "x\r\ny\rz\n", "\n", "", "\n\n",
    "{% if t %}\r\na\r\n{% endif %}\r\nb",
    "{{ '\r\n' | length }}",
    "{{ x }", "{% if x %}", "{% endif %}", "{% for %}", "{% unknown %}", "{{ }}", "{% set %}", "{{ x }}{% else %}",
    "{% if t %}a{% else %}b{% else %}c{% endif %}",
    "{# open", "{% raw %}x", "{{ 'a", "{{ (1 }}", "{{ 1) }}", "{{ [1) }}",
    "{% macro %}{% endmacro %}", "{% macro m(a=1, b) %}{% endmacro %}",
    "{% for true in l %}{% endfor %}",
    "{{ {'a': {'b': 1}}['a']['b'] }}",
    "{{ {'a': 1} }}", "{{{'a': 1}}}", "{{ {} }}", "{{ {}|length }}",
    "{{ '}}' }}{{ '%}' }}{% if '%}' == '%}' %}ok{% endif %}",
    "{% if t: %}x{% endif %}",
    "{%if t%}x{%endif%}{{x}}{{-x-}}",
    "{%- if t -%}\n x \n{%- endif -%}",
    "{{ x -}}   y", "{{ x }}\ny", "{{- x }}", "a {{+ x }}",
    "{% for m in p %}{{ m['n'] }}{{ ' ' if not loop.last }}{% endfor %}",
    "{% for m in p %}{{ m.n + ':' + m.a|string }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for m in p[1:] %}{{ m.n }}{% endfor %}",
    "{% set l2 = p[1:] %}{{ l2|length }}{{ l2[0].n }}",
    "{% for m in p[::-1] %}{{ loop.index0 }}{{ m.n }}{% endfor %}",
    "{% set loop_messages = p %}{% for m in loop_messages %}{% set c = m.n %}{{ c }}{% endfor %}{{ c }}",
    "{% set x = 10 %}{% if true %}{% set x = 11 %}{% endif %}{{ x }}",
    "{% for i in l %}{% if loop.first %}{% set k = i %}{% endif %}{{ k }}{% endfor %}",
    "{% for i in l %}{% set txt %}{{ i }}{% if i == 2 %}{% break %}{% endif %}{% endset %}{{ txt }}{% endfor %}",
    "{% set m = namespace(l=[]) %}{% for i in l %}{% set m.l = m.l + [i * 2] %}{% endfor %}{{ m.l }}",
    "{% set m = namespace(d={}) %}{% set m.d = dict(m.d, **{'k': 1}) %}{{ m.d }}",
    "{% if x is defined and x is not none and x > 2 %}ok{% endif %}",
    "{% if missing is defined and missing.foo %}a{% else %}b{% endif %}",
    "{% if (x == 3) and not (s == 'q') or false %}ok{% endif %}",
    "{{ 'a' if x == 3 else raise_exception('no') }}",
    "{% if x != 3 %}{{ raise_exception('no') }}{% endif %}fine",
    "{{ raise_exception('Conversation roles must alternate') }}",
    "{{ x }}{{ raise_exception('') }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{% macro r(o) %}{% for k, v in o.items() %}{{ k }}({% if v is mapping %}{{ r(v) }}{% else %}{{ v }}{% endif %}){% endfor %}{% endmacro %}{{ r({'a': {'b': 1}, 'c': 2}) }}",
    "{% extends 'a' %}", "{% include 'a' %}", "{% import 'a' as b %}", "{% do l %}",
    "{%- for i in l -%} {{ i }} {%- endfor -%}",
    "{%- for i in l %}\n    {{ i }}\n{%- endfor %}\nend",
    "{% set x = 'a\nb' %}{{ x }}",
    "{{ \"multi\nline\" }}",
    "{% set q = q | trim | replace('\"', '') %}{{ q }}",
    "{{ l is sequence and l is not string and l is not mapping }}",
    "{% for i in l %}{{ i if loop.index is even else '-' }}{% endfor %}",
    "{{ (p | selectattr('n', 'equalto', 'cy') | first).z.k | last }}",
    "{{ p | selectattr('n', 'in', ['bob', 'cy']) | map(attribute='a') | list }}",
    "{% for a in p | groupby('a') %}{{ a[0] }}:{{ a[1] | length }} {% endfor %}",
    "{{ p | map(attribute='n') | map('upper') | join('/') }}",
    "{% set y %}{% for i in l %}{{ i }}{% endfor %}{% endset %}{{ y|length }}",
    "{% filter trim %}\n  {% for i in l %}{{ i }} {% endfor %}\n{% endfilter %}|",
    "{{ strftime_now('%d %b %Y') }}",
    "{% for i in l %}{% continue %}{% else %}e{% endfor %}",
    "{% for i in l %}{% break %}{% else %}e{% endfor %}",
    "{% for i in l %}{% if i == 2 %}{% break %}{% endif %}{% else %}e{% endfor %}",
    "{% for i in l %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% else %}e{% endfor %}",
    "{% filter length %}abc{% endfilter %}",
    "a{#", "a{#-", "{{ x[1:] }}", "{{ d[1:] }}", "{{ n[::2] }}", "{{ s['a':] }}", "{{ l['a':] }}",
    "{{ d.items() }}{{ d.keys() }}{{ d.values() }}",
    "{{ [missing, none] | sort | length }}", "{{ [none, none] | sort }}", "{{ [none, 1] | sort }}",
    "{{ p | sort(attribute='zz') | length }}", "{{ p | sort(attribute='a,n') | map(attribute='n') | list }}",
    "{{ 'x' % [1] }}", "{{ 'x' % {} }}", "{{ 'x' % {'a': 1} }}", "{{ 'x' % (1,) }}", "{{ 'x' % 1 }}", "{{ '%s' % {'a': 1} }}",
    "{{ ('<l>' | safe).partition('l') }}", "{{ 2.5 | urlencode }}", "{{ l | truncate(5) }}",
    "{{ '1e3' | int }}{{ '1_0' | int }}{{ ' 7 ' | int }}{{ '+7' | int }}{{ '7.' | float }}{{ '.5' | float }}{{ '5e' | float }}{{ '' | int }}{{ '-' | int }}",
    "{{ '%5s|%-5s|%.2s|%+d|% d|%e|%g|%i|%o|%X|%#x' % ('a', 'b', 'cde', 5, 5, 12345.678, 0.0001, 3.9, 8, 255, 255) }}",
    "{{ '%f' % 'a' }}", "{{ '%d' % 'a' }}", "{{ '%q' % 1 }}", "{{ '%' % 1 }}", "{{ '%(a)s' % {'b': 1} }}", "{{ '%(a' % {'b': 1} }}",
    "{{ '{:+d}{: d}{:x}{:#x}{:b}{:o}{:e}{:g}{:%}'.format(5, 5, 255, 255, 5, 8, 12345.678, 0.0001, 0.25) }}",
    "{{ '{:*^9}|{:>4}|{:<4}|{:=+5d}|{:.1}|{:5}|{:5}'.format('ab', 1, 2, 3, 'xyz', 'a', 1.5) }}",
    "{{ '{:d}'.format('a') }}", "{{ '{:f}'.format('a') }}", "{{ '{:s}'.format(1) }}", "{{ '{1}'.format(1) }}", "{{ '{a}'.format(1) }}",
    "{{ '}'.format(1) }}", "{{ '{[0]}{[k]}'.format(l, {'k': 2}) }}", "{{ '{0[0]}{0[1]}'.format(l) }}", "{{ '{:,.2f}'.format(12345.678) }}",
    "{{ '{!s}{!r}'.format('a', 'b') }}{{ '{!r:>5}'.format('b') }}",
    "{{ 'ab'.rjust(4) }}{{ 'ab'.ljust(4, '.') }}{{ 'abc'.center(6) }}{{ 'ab'.center(5, 'x') }}{{ '+5'.zfill(4) }}",
    "{{ 'a.b.c'.rpartition('.') }}{{ 'abc'.rpartition('.') }}{{ 'abc'.rindex('c') }}{{ 'abcabc'.rfind('b', 0, 3) }}{{ 'abcabc'.find('b', 2) }}",
    "{{ 'abc'.startswith('b', 1) }}{{ 'abc'.endswith('b', 0, 2) }}{{ 'abc'.count('') }}{{ 'aXa'.count('a', 1) }}",
    "{{ 'a\x0bb\x1cc'.splitlines() }}{{ 'a\nb'.splitlines(true) }}",
    "{{ s.removesuffix('World') }}{{ s.removeprefix('x') }}{{ s.capitalize() }}{{ s.islower() }}{{ 'a b'.isalpha() }}{{ 'ab'.isalpha() }}",
    "{{ [1,2].copy() }}{{ (1,2,1).count(1) }}{{ (1,2).index(2) }}", "{{ (1,2).index(3) }}",
    "{{ x | abs }}{{ -2.5 | abs }}{{ true | abs }}", "{{ s | abs }}", "{{ 1234.5 | round(-2) }}{{ 1234 | round(-2) }}{{ 2.675 | round(2) }}", "{{ s | round }}",
    "{{ [['a', 1], ['b', 2]] | map('last') | list }}{{ ['b', 'a'] | max }}{{ ['b', 'A'] | min(case_sensitive=true) }}",
    "{{ p | groupby('zz', default=5) | map('first') | list }}{{ [{'k': 'B'}, {'k': 'b'}] | groupby('k') | map('first') | list }}",
    "{{ p | unique(attribute='a') | map(attribute='n') | list }}{{ ['a', 'A'] | unique(true) | list }}",
    "{{ l is sameas l }}{{ none is sameas none }}{{ ('a'|safe) is escaped }}",
    "{{ 4 is divisibleby(0) }}", "{{ 'a' is odd }}", "{{ 1 is in(5) }}", "{{ 1 is defined(2) }}", "{{ 1 is eq }}",
    "{% for i in l %}{{ loop }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.nope }}{% endfor %}", "{% for i in l %}{{ loop.cycle() }}{% endfor %}",
    "{{ m }}{% macro m(a) %}{% endmacro %}{{ m is defined }}{{ m.nope }}", "{{ namespace(a=1, b='x') }}",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a + ns.b }}{{ ns['a'] }}", "{{ dict([1]) }}", "{{ dict(1) }}", "{{ namespace(1, 2) }}",
    "{{ range() }}", "{{ range('a') }}", "{{ range(1, 2, 3, 4) }}", "{{ range(0) }}{{ range(5) }}{{ range(1, 6, 2) }}",
    "{{ {}[[]] }}", "{{ {[]: 1} }}", "{{ [] in {} }}", "{{ {'a': 1} == {'a': 2} }}{{ {'a': 1} == {'b': 1} }}{{ {'a': 1} != {} }}",
    "{{ [1, [2]] == [1, [2]] }}{{ [1] == [1, 2] }}{{ (1,) < (1, 2) }}{{ [2] > [1, 5] }}{{ 'b' >= 'a' }}{{ 1.5 <= 2 }}",
    "{{ [1] < (1,) }}", "{{ {} < {} }}", "{{ 0.0 == -0.0 }}{{ 1 in [true] }}{{ 'a' == 1 }}{{ none == false }}",
    "{{ 0XF }}{{ 0B11 }}{{ 0O7 }}", "{{ 00 }}", "{{ 1__0 }}", "{{ 1e3 }}{{ 1E-2 }}{{ 1_0.5 }}",
    "{{ a.b }}" , "{{ x.1 }}", "{{ l.1 }}{{ p.2.z.k.0 }}", "{{ x[ }}", "{{ x[1:2:3:4] }}", "{{ {(1, 2): 'q'}[1, 2] }}",
    "{{ f(x=1, x=2) }}", "{{ dict(a=1, **{'b': 2}) }}", "{{ dict(**1) }}", "{{ dict(*1) }}", "{{ dict(**{1: 2}) }}",
    "{{ '%s' % (1, 2) }}", "{{ 'a' | replace }}", "{{ 'a' | replace('a') }}", "{{ 'a' | upper(1) }}", "{{ 'a' | trim(x=1) }}",
    "{{ 'a' | trim('a', 'b') }}", "{{ 'a'.strip(1) }}", "{{ 'a'.replace('a') }}", "{{ 'a'.split(1) }}", "{{ 'a'.split('a', 'b') }}", "{{ ','.join(1) }}",
    "{{ l | tojson(indent=0) }}", "{{ d | tojson(indent='--') }}", "{{ l | tojson(separators=1) }}", "{{ {(1, 2): 3} | tojson }}",
    "{{ {'b': {'z': 1, 'a': 2}, 'a': [1, {'y': 1}]} | tojson(sort_keys=true, indent=1) }}", "{{ 'é\\x7f\\b\\f\\t\\r\\x1f/' | tojson }}",
    "{{ 'not json' | from_json }}", "{{ 1 | from_json }}", "{{ 'a' | attr(1) }}", "{{ d | attr('b') is undefined }}{{ (d | attr('get'))('b') }}",
    "{% set a = 1 %}{% set a = a + 1 %}{{ a }}{% set b, (c, d2) = 1, (2, 3) %}{{ c }}{{ d2 }}", "{% set a, b = 1 %}", "{% set a, b = 5, %}", "{% set (a, b) = l %}",
    "{% set none = 1 %}", "{% set a.b.c = 1 %}", "{% set a, b %}x{% endset %}", "{% set x[0] = 1 %}", "{% with a = 1, b = a %}{{ b }}{% endwith %}", "{% with %}{{ x }}{% endwith %}",
    "{% call s %}{% endcall %}", "{% call s() %}{% endcall %}", "{% filter nosuch %}{% endfilter %}", "{% set z | nosuch %}{% endset %}",
    "{% macro m() %}{{ kwargs }}{{ varargs }}{% endmacro %}{{ m() }}{{ m(1, b=2) }}{{ m(*l, **{'k': 1}) }}",
    "{% elif x %}", "{% else %}", "{% if x %}{% endfor %}", "{% for i in %}{% endfor %}", "{% for i l %}{% endfor %}", "{% for 1 in l %}{% endfor %}", "{% if %}{% endif %}",
    "{% for i in l if %}{% endfor %}", "{% endmacro %}", "{% macro 1() %}{% endmacro %}", "{% macro m %}{% endmacro %}", "{% continue %}", "{% generation %}{% break %}{% endgeneration %}",
    "{{ x | }}", "{{ x is }}", "{{ x is not }}", "{{ x if }}", "{{ not }}", "{{ - }}", "{{ x. }}", "{{ x.'a' }}", "{{ (x }}", "{{ {x} }}", "{{ {x: } }}", "{{ [x y] }}", "{{ f(x y) }}", "{{ f(**a, b) }}",
    "{{ x $ y }}", "{{ x ; y }}", "{{ x is string is string }}", "{{ x is eq x is eq }}", "{{ a b }}", "{{ x == }}", "{{ 'a' ~ }}", "{{ x ** }}", "{{ 1 if x else }}",
]

BLOCKS += [
    "{{ 1234.5 | round(-2) }}{{ 1234 | round(-2) }}{{ 2.675 | round(2) }}", "{{ 5 | round(1, 'up') }}", "{{ d | dictsort(by='x') }}",
    "{{ l | dictsort }}", "{{ l | map | list }}", "{{ '1e3' | int }}{{ '1_0' | int }}{{ ' 7 ' | int }}{{ '+7' | int }}{{ '-' | int }}",
    "{{ '7.' | float }}{{ '.5' | float }}{{ '5e' | float }}{{ '' | int }}{{ '-1.5e+2' | float }}{{ '1.2.3' | float }}",
    "{{ 'a' 'b' }}{{ \"\\x41\\u00e9\\101\\0501\" }}", "{{ '\\x4' }}", "{{ '\\U0001F600' }}{{ '\\a' | length }}",
    "{{ 0XF }}{{ 0B11 }}{{ 0O7 }}", "{{ 00 }}", "{{ 1__0 }}", "{{ 1e3 }}{{ 1E-2 }}{{ 1_0.5 }}", "{{ ',' | join(1) }}", "{{ ','.join(1) }}",
    "{{ l | tojson(indent=0) }}", "{{ l is sameas l }}{{ none is sameas none }}{{ ('a'|safe) is escaped }}{{ 1 is sameas true }}",
    "{% macro m(a, b) %}{{ a }}{% endmacro %}{{ m(1, 2) }}{{ m(*[1], b=3) }}", "{{ -0.0 }}{{ 0.0 * -1 }}{{ 1e15 }}{{ 1e17 }}{{ 5e-324 }}{{ 1.7976931348623157e308 }}",
    "{{ 'x'.strip('') }}{{ 'aXa' | trim('a') }}{{ s | trim }}{{ s.strip(none) }}", "{{ 2.5 // 0 }}", "{{ 0.0 / 0 }}", "{{ 0.0 ** -1 }}",
    "{{ 10.0 ** 400 }}", "{{ 5.5 // 2 }}{{ -5.5 // 2 }}{{ 5.5 % -2 }}{{ 2 ** 0.5 }}{{ 2.0 ** 3 }}{{ 0 ** 0 }}{{ (-2) ** 3 }}", "{{ true + true }}{{ true * 3 }}{{ -true }}{{ +true }}",
    "{{ [1] * 0 }}{{ 'a' * -1 }}{{ (1,) * 2 }}{{ 2 * [0] }}", "{{ [1] + 'a' }}", "{{ none + 1 }}", "{{ {} + {} }}", "{{ +s }}", "{{ -none }}",
]

CASES = [("{{ " + e.replace("@@", "\n") + " }}", V) for e in EXPRESSIONS]
CASES += [(b, V) for b in BLOCKS]
DATE = {**V, "strftime_now": "2024-07-09T15:04:05"}
FORMATS = ("%Y-%m-%d", "%d %b %Y", "%B %d, %Y", "%A %a %H:%M:%S", "%I %p %j %y %%", "%-d/%-m", "%e", "%F %T", "%w %u",
           "%h %D %R %c %x %X", "%f %Z%z", "%n%t", "no codes", "%-I %-H %-M %-S %-j %-y")
CASES += [("{{ strftime_now('%s') }}" % f, DATE) for f in FORMATS]
CASES += [("{{ strftime_now is defined }}{{ strftime_now is callable }}", DATE)]
CASES += [("{{ strftime_now('%A %j') }}", {"strftime_now": d}) for d in ("2000-02-29", "1999-12-31", "2024-12-31T00:00:00")]
CASES += [
    ("{{ range }}{{ namespace }}", {"range": 1, "namespace": "n"}),
    ("{{ a }}|{{ b }}|{{ c }}", {"a": 1.0, "b": -0.0, "c": 1e300}),
    ("{{ a }}{{ a|tojson }}", {"a": "\u0001\u007f\u0080\u2028"}),
    ("{{ [a] }}", {"a": "\u0001\u007f\u0080\u2028\u00ad\U0001F600\ue000"}),
    ("{{ m.content.keys is callable }}", {"m": {"content": {"keys": 1}}}),
    ("{% for k, v in m.items() %}{{ k }}{{ v }}{% endfor %}", {"m": {"items": 1}}),
    ("|{{ m.pop is defined }}|{{ m['pop'] }}", {"m": {"pop": 1}}),
    ("{{ {'1': 1}[1] }}{{ {1: 2}[1.0] }}{{ {1: 3}[true] }}", {}),
    ("{{ big|tojson }}", {"big": -9223372036854775808}),
]
