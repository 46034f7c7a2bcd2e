// Small templates with what Python's Jinja 3.1 renders in the sandbox of transformers (trim_blocks, lstrip_blocks, loop controls).

import t from 'tap';
import { JinjaTemplate } from './render.ts';

const context = {
  s: 'Hello World',
  e: '',
  u: 'héllo 🙂 ẞß',
  n: 3,
  z: 0,
  neg: -7,
  f: 2.5,
  t: true,
  fa: false,
  no: null,
  l: [3, 1, 2],
  ls: ['b', 'a', 'C'],
  ll: [[1, 2], [3]],
  d: { b: 1, a: { x: null }, items: 5, 'k k': [] },
  dl: [{ a: 1, n: 'x' }, { a: 2, n: 'y' }, { n: 'Z' }],
  mixed: [1, 'a', null, true, 2.5, { q: '"\'\n' }],
  html: '<b>"x"&\'y\'</b>',
  lines: 'a\n\n  b\r\nc',
  sp: '  pad \n',
  digits: '42',
  fl: '3.7e2',
  nested: { a: { b: { c: [1, { d: 'deep' }] } } },
};

type Expected = string | { readonly error: string };

const rows: readonly (readonly [template: string, expected: Expected])[] = [
  [
    '{{ s }}|{{ e }}|{{ n }}|{{ f }}|{{ t }}|{{ no }}|{{ l }}|{{ d }}|{{ mixed }}|{{ missing }}',
    "Hello World||3|2.5|True|None|[3, 1, 2]|{'b': 1, 'a': {'x': None}, 'items': 5, 'k k': []}|[1, 'a', None, True, 2.5, {'q': '\"\\'\\n'}]|",
  ],
  [
    '{{ s.upper() }} {{ s.lower() }} {{ s.title() }} {{ s.swapcase() }} {{ s.capitalize() }}',
    'HELLO WORLD hello world Hello World hELLO wORLD Hello world',
  ],
  [
    "{{ s|upper }} {{ u|upper }} {{ u|lower }} {{ u|capitalize }} {{ 'hello wORLD-foo (bar'|title }}",
    'HELLO WORLD HÉLLO 🙂 ẞSS héllo 🙂 ßß Héllo 🙂 ßß Hello World-Foo (Bar',
  ],
  [
    "{{ s.split() }} {{ s.split('o') }} {{ s.split('o', 1) }} {{ ' a  b c '.split() }} {{ ' a  b c '.split(none, 1) }} {{ 'a,b,c'.rsplit(',', 1) }}",
    "['Hello', 'World'] ['Hell', ' W', 'rld'] ['Hell', ' World'] ['a', 'b', 'c'] ['a', 'b c '] ['a,b', 'c']",
  ],
  [
    "{{ lines.splitlines() }} {{ lines.splitlines(true) }} {{ 'a\\n'.splitlines() }}",
    "['a', '', '  b', 'c'] ['a\\n', '\\n', '  b\\r\\n', 'c'] ['a']",
  ],
  [
    "{{ sp.strip() }}| {{ sp.lstrip() }}|{{ sp.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xyaxy'.lstrip('xy') }}|{{ sp|trim }}|{{ 'xax'|trim('x') }}",
    'pad| pad \n|  pad|a|axy|pad|a',
  ],
  [
    "{{ s.replace('o','0') }} {{ s.replace('o','0',1) }} {{ s|replace('o','0') }} {{ 'aaa'.replace('','-') }} {{ 'aaa'|replace('a','b',2) }}",
    'Hell0 W0rld Hell0 World Hell0 W0rld -a-a-a- bba',
  ],
  [
    "{{ s.startswith('He') }} {{ s.startswith(('x','He')) }} {{ s.endswith('ld') }} {{ s.find('o') }} {{ s.rfind('o') }} {{ s.count('o') }} {{ u.find('🙂') }}",
    'True True True 4 7 2 6',
  ],
  [
    "{{ s.index('W') }} {{ s.partition(' ') }} {{ s.rpartition('o') }}",
    "6 ('Hello', ' ', 'World') ('Hello W', 'o', 'rld')",
  ],
  [
    "{{ ', '.join(ls) }} {{ ls|join }} {{ ls|join('-') }} {{ mixed|join(',') }} {{ dl|join(',', attribute='n') }}",
    "b, a, C baC b-a-C 1,a,None,True,2.5,{'q': '\"\\'\\n'} x,y,Z",
  ],
  [
    '{{ s[0] }} {{ s[-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ u[6] }} {{ u[::2] }} {{ l[0:2] }} {{ l[::-1] }} {{ l[-1] }} {{ l[5] }}|{{ s[99] }}',
    'H d ell dlroW olleH 🙂 hlo🙂ẞ [3, 1] [2, 1, 3] 2 |',
  ],
  ['{{ s|length }} {{ u|length }} {{ l|length }} {{ d|length }} {{ missing|length }} {{ l|count }}', '11 10 3 4 0 3'],
  [
    "{{ l|sort }} {{ ls|sort }} {{ ls|sort(case_sensitive=true) }} {{ l|sort(reverse=true) }} {{ dl[:2]|sort(attribute='a', reverse=true) }}",
    "[1, 2, 3] ['a', 'b', 'C'] ['C', 'a', 'b'] [3, 2, 1] [{'a': 2, 'n': 'y'}, {'a': 1, 'n': 'x'}]",
  ],
  [
    "{{ l|first }} {{ l|last }} {{ []|first }} {{ l|reverse|list }} {{ s|reverse }} {{ l|max }} {{ l|min }} {{ l|sum }} {{ dl[:2]|sum(attribute='a') }}",
    '3 2  [2, 1, 3] dlroW olleH 3 1 6 3',
  ],
  [
    "{{ [1,1,2,'a','A']|unique|list }} {{ s|list }} {{ d|list }}",
    "[1, 2, 'a'] ['H', 'e', 'l', 'l', 'o', ' ', 'W', 'o', 'r', 'l', 'd'] ['b', 'a', 'items', 'k k']",
  ],
  [
    "{{ dl|map(attribute='n')|list }} {{ dl|map(attribute='a', default=0)|list }} {{ ls|map('upper')|list }} {{ l|map('string')|join }}",
    "['x', 'y', 'Z'] [1, 2, 0] ['B', 'A', 'C'] 312",
  ],
  [
    "{{ dl|selectattr('a','defined')|list }} {{ dl|rejectattr('a','defined')|list }} {{ dl|selectattr('a')|list|length }} {{ dl|selectattr('n','equalto','x')|list }} {{ l|select('odd')|list }} {{ l|reject('gt', 1)|list }} {{ dl|selectattr('n','in',['x','y'])|map(attribute='n')|list }}",
    "[{'a': 1, 'n': 'x'}, {'a': 2, 'n': 'y'}] [{'n': 'Z'}] 2 [{'a': 1, 'n': 'x'}] [3, 1] [1] ['x', 'y']",
  ],
  [
    "{{ {'b':2,'a':1}|dictsort }} {{ {'b':1,'A':2}|dictsort(by='value', reverse=true) }}",
    "[('a', 1), ('b', 2)] [('A', 2), ('b', 1)]",
  ],
  [
    "{{ d|tojson }} {{ d|tojson(indent=2) }} {{ mixed|tojson }} {{ u|tojson }} {{ u|tojson(ensure_ascii=true) }} {{ d|tojson(separators=(',',':')) }} {{ d|tojson(sort_keys=true) }} {{ []|tojson(indent=4) }} {{ [1,[2]]|tojson(indent=4) }}",
    '{"b": 1, "a": {"x": null}, "items": 5, "k k": []} {\n  "b": 1,\n  "a": {\n    "x": null\n  },\n  "items": 5,\n  "k k": []\n} [1, "a", null, true, 2.5, {"q": "\\"\'\\n"}] "héllo 🙂 ẞß" "h\\u00e9llo \\ud83d\\ude42 \\u1e9e\\u00df" {"b":1,"a":{"x":null},"items":5,"k k":[]} {"a": {"x": null}, "b": 1, "items": 5, "k k": []} [] [\n    1,\n    [\n        2\n    ]\n]',
  ],
  [
    '{{ 1 + 2 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ 7 // 2 }} {{ neg // 2 }} {{ neg % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.0 // 2 }} {{ f * 2 }} {{ -n }} {{ +n }} {{ 1e3 }} {{ 10 / 3 }} {{ 0.1 + 0.2 }} {{ 1e16 * 1.0 }} {{ 1 / 3 * 1e-5 }}',
    '3 3.5 2.0 3 -4 2 -2 1024 0.5 3.0 5.0 -3 3 1000.0 3.3333333333333335 0.30000000000000004 1e+16 3.3333333333333333e-06',
  ],
  [
    "{{ 'a' * 3 }} {{ [1] * 2 }} {{ 'a' + 'b' }} {{ [1] + [2] }} {{ 'a' ~ 1 ~ none ~ true ~ missing ~ [1] }} {{ (1,2) + (3,) }}",
    'aaa [1, 1] ab [1, 2] a1NoneTrue[1] (1, 2, 3)',
  ],
  [
    "{{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ none == missing }} {{ [1,2] == [1,2] }} {{ {'a':1} == {'a':1.0} }} {{ 'a' < 'b' }} {{ [1,2] < [1,3] }} {{ 1 < 2.5 }} {{ 'a' in 'cat' }} {{ 1 in l }} {{ 'b' in d }} {{ 'x' not in ls }} {{ 1.0 in [1] }} {{ missing in l }}",
    'True True False False True True True True True True True True True True False',
  ],
  [
    "{{ 'yes' if t else 'no' }} {{ 'x' if fa }} {{ (t and 'a') or 'b' }} {{ e or 'default' }} {{ not t }} {{ not e }} {{ no and 1 }} {{ 0 or [] or 'z' }}",
    'yes  a default False True None z',
  ],
  [
    "{{ missing|default('d') }} {{ e|default('d') }} {{ e|default('d', true) }} {{ no|default('d') }} {{ no|d('d', boolean=true) }} {{ missing.foo|default('q') if missing is defined else 'undef' }}",
    'd  d None d undef',
  ],
  [
    "{{ s is string }} {{ n is number }} {{ t is number }} {{ t is integer }} {{ f is float }} {{ n is integer }} {{ l is sequence }} {{ d is mapping }} {{ d is iterable }} {{ s is iterable }} {{ n is iterable }} {{ no is none }} {{ missing is defined }} {{ missing is undefined }} {{ t is true }} {{ fa is false }} {{ t is boolean }} {{ 1 is true }} {{ s is mapping }} {{ n is odd }} {{ n is even }} {{ s is lower }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ raise_exception is callable }}",
    'True True True False True True True True True True False True False True True True True False False True False False True True True',
  ],
  [
    "{{ 6 is divisibleby(3) }} {{ 6 is not divisibleby 4 }} {{ n is eq(3) }} {{ n is sameas(3) }} {{ 'a' is in(['a']) }} {{ n is ge 3 }} {{ n is equalto 3 }} {{ n is not equalto 3 }}",
    'True True True True True True True False',
  ],
  [
    "{{ '42'|int }} {{ 'x'|int }} {{ 'x'|int(5) }} {{ '3.9'|int }} {{ '0x1f'|int(base=16) }} {{ f|int }} {{ '1.5'|float }} {{ 'q'|float }} {{ 'q'|float(1.5) }} {{ 3|float }} {{ -3|abs }} {{ 2.567|round(2) }} {{ 2.5|round }} {{ 3.5|round }} {{ 42.55|round(1, 'floor') }} {{ 42.55|round(1,'ceil') }} {{ true|int }} {{ none|int }} {{ digits|int + 1 }} {{ fl|float }}",
    '42 0 5 3 31 2 1.5 0.0 1.5 3.0 3 2.57 2.0 4.0 42.5 42.6 1 0 43 370.0',
  ],
  [
    "{{ html|e }} {{ html|safe }} {{ html|escape|safe }} {{ ('<a>'|safe) + '<b>' }} {{ '<x>' + ('<a>'|safe) }} {{ ('<a>'|safe)|upper }} {{ ('<a>'|safe) ~ '<b>' }} {{ ('<a>'|safe)|tojson }} {{ [('<a>'|safe)] }} {{ (('<a>'|safe) + '\"').strip() + \"'\" }}",
    '&lt;b&gt;&#34;x&#34;&amp;&#39;y&#39;&lt;/b&gt; <b>"x"&\'y\'</b> &lt;b&gt;&#34;x&#34;&amp;&#39;y&#39;&lt;/b&gt; <a>&lt;b&gt; &lt;x&gt;<a> <A> <a><b> "<a>" [Markup(\'<a>\')] <a>&#34;&#39;',
  ],
  [
    "{{ lines|indent }}|{{ lines|indent(2, true) }}|{{ lines|indent(width=3, blank=true) }}|{{ 'a\\nb'|indent('>>') }}|{{ 'a\\nb\\n'|indent(2, first=true) }}",
    'a\n\n      b\n    c|  a\n\n    b\n  c|a\n   \n     b\n   c|a\n>>b|  a\n  b\n',
  ],
  [
    "{{ 'a%sb%d' % ('x', 3) }} {{ '%s' % s }} {{ '%.2f' % 3.14159 }} {{ '%05d' % 42 }} {{ '%-5s|' % 'a' }} {{ '%r' % 'q' }} {{ '%s and %s'|format(1, 'b') }} {{ '100%%' % () }}",
    "axb3 Hello World 3.14 00042 a    | 'q' 1 and b 100%",
  ],
  [
    "{{ '{} {}'.format(1, 'b') }} {{ '{0}-{1}-{0}'.format('a','b') }} {{ '{x}'.format(x=5) }} {{ '{:>5}|{:<5}|{:^5}'.format('a','b','c') }} {{ '{:.2f}'.format(1.005) }} {{ '{:03d}'.format(7) }}",
    '1 b a-b-a 5     a|b    |  c   1.00 007',
  ],
  [
    '{{ range(3)|list }} {{ range(1,4)|list }} {{ range(10,0,-3)|list }} {{ range(0)|list }}',
    '[0, 1, 2] [1, 2, 3] [10, 7, 4, 1] []',
  ],
  ['{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }},{% endfor %}{{ x }}', '4,2,3,1'],
  [
    "{% set ns = namespace(a=1, b='q') %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.missing }}",
    '7q',
  ],
  [
    "{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a','b') }};{% endfor %}",
    '1032TrueFalse31a;2121FalseFalse332b;3210FalseTrue31a;',
  ],
  [
    '{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}',
    "b=1;a={'x': None};items=5;k k=[];baitemsk k",
  ],
  [
    "{% for c in 'abc' %}{{ c }}.{% endfor %}{% for x in missing %}x{% else %}none{% endfor %}{% for x in [] %}x{% else %}empty{% endfor %}",
    'a.b.c.noneempty',
  ],
  [
    '{% for i in range(10) if i is odd %}{{ i }}{{ loop.length }}{% endfor %}{% for i in range(10) %}{% if i == 3 %}{% continue %}{% endif %}{% if i > 5 %}{% break %}{% endif %}{{ i }}{% endfor %}',
    '153555759501245',
  ],
  ["{% for m in dl %}{% if loop.first %}{% set q = 'set' %}{% endif %}{{ q }}|{% endfor %}", 'set|||'],
  [
    '{% macro f(a, b=2, c=none) %}[{{ a }}{{ b }}{{ c }}{{ varargs }}{{ kwargs }}]{% endmacro %}{{ f(1) }}{{ f(1, c=3) }}{{ f(1,2,3,4) }}{{ f(1, z=9) }}',
    "[12None(){}][123(){}][123(4,){}][12None(){'z': 9}]",
  ],
  [
    "{% macro g(x) %}{{ x }}{{ outer }}{% endmacro %}{% set outer = 'O' %}{{ g('i') }}{% for outer in ['L'] %}{{ g('j') }}{% endfor %}",
    'iOjO',
  ],
  ['{% macro w() %}<{{ caller() }}>{% endmacro %}{% call w() %}body{{ n }}{% endcall %}', '<body3>'],
  [
    "{% macro h(x) %}{{ x }}{% endmacro %}{% set r = h('val') %}{{ r|upper }}{{ h(h('a')) }}{{ h(1) == '1' }}{{ h('')|length }}",
    'VALaTrue0',
  ],
  ['{% set b %}block {{ n }}{% endset %}{{ b|upper }}{{ b is string }}', 'BLOCK 3True'],
  ['{% filter upper %}abc{{ s }}{% endfilter %}', 'ABCHELLO WORLD'],
  ['{% set a, c = 1, 2 %}{{ a }}{{ c }}{% set (p, q) = l[:2] %}{{ p }}{{ q }}', '1231'],
  [
    '{% if n > 2 and not e %}A{% elif n %}B{% else %}C{% endif %}{% if missing %}x{% endif %}{% if l %}L{% endif %}{% if {} %}D{% endif %}',
    'AL',
  ],
  ['  x', '  x'],
  ['y {#- c -#} z', 'yz'],
  ['{%- if true -%}  a  {%- endif -%}  b', 'ab'],
  ["{{- '  x  ' -}}   y", '  x  y'],
  [
    "{{ nested.a.b.c[1].d }} {{ nested['a']['b'].c[0] }} {{ nested.a['zz'] }} {{ dl[0].n }} {{ dl.0.n }} {{ dl[2].a }} {{ d['k k'] }}",
    'deep 1  x x  []',
  ],
  ['{{ missing.foo }}', { error: "'missing' is undefined" }],
  ['{{ missing() }}', { error: "'missing' is undefined" }],
  ['{{ missing + 1 }}', { error: "'missing' is undefined" }],
  ['{{ no.foo }}|{{ no.foo.bar }}', { error: "'None' has no attribute 'foo'" }],
  ['{{ s + 1 }}', { error: 'can only concatenate str (not "int") to str' }],
  ['{{ 1 + s }}', { error: "unsupported operand type(s) for +: 'int' and 'str'" }],
  ['{{ s + l }}', { error: 'can only concatenate str (not "list") to str' }],
  ['{{ none + 1 }}', { error: "unsupported operand type(s) for +: 'NoneType' and 'int'" }],
  ["{{ l + 'a' }}", { error: 'can only concatenate list (not "str") to list' }],
  ['{{ 1 in 5 }}', { error: "argument of type 'int' is not iterable" }],
  ["{{ 1 in 'a' }}", { error: "'in <string>' requires string as left operand, not int" }],
  ['{{ 1 in none }}', { error: "argument of type 'NoneType' is not iterable" }],
  ["{{ 'a' < 1 }}", { error: "'<' not supported between instances of 'str' and 'int'" }],
  ['{{ missing < 1 }}', { error: "'missing' is undefined" }],
  ['{% for x in none %}{% endfor %}', { error: "'NoneType' object is not iterable" }],
  ['{% for x in 5 %}{% endfor %}', { error: "'int' object is not iterable" }],
  ['{{ none|length }}', { error: "object of type 'NoneType' has no len()" }],
  ['{{ 5|length }}', { error: "object of type 'int' has no len()" }],
  ['{{ missing|tojson }}', { error: 'Object of type Undefined is not JSON serializable' }],
  ["{{ raise_exception('oh no') }}", { error: 'oh no' }],
  ['{{ l.append(4) }}', { error: "access to attribute 'append' of 'list' object is unsafe." }],
  ['{{ d.update({}) }}', { error: "access to attribute 'update' of 'dict' object is unsafe." }],
  ['{{ s|nofilter }}', { error: "No filter named 'nofilter'." }],
  ['{{ s is notest }}', { error: "No test named 'notest'." }],
  ['{{ n() }}', { error: "'int' object is not callable" }],
  ['{{ d.nokey() }}', { error: "'dict object' has no attribute 'nokey'" }],
  ['{{ 1/0 }}', { error: 'division by zero' }],
  ["{{ 'a'|int + 'b' }}", { error: "unsupported operand type(s) for +: 'int' and 'str'" }],
  ['{% set a, b = [1] %}', { error: 'not enough values to unpack (expected 2, got 1)' }],
  ['{% set a, b = [1,2,3] %}', { error: 'too many values to unpack (expected 2)' }],
  ['{{ [1,2,3][1:] }} {{ (1,2,3)[0] }} {{ (1,) }} {{ () }} {{ [] }} {{ {} }}', '[2, 3] 1 (1,) () [] {}'],
  ["{{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }}", "{'a': 1, 'b': 2} {'x': 1}"],
  [
    "{{ \"it's\" }} {{ [\"it's\"] }} {{ ['say \"hi\"'] }} {{ ['both \\' \"'] }} {{ ['tab\\t nl\\n'] }} {{ ['é🙂'] }} {{ ['\\x07'] }}",
    "it's [\"it's\"] ['say \"hi\"'] ['both \\' \"'] ['tab\\t nl\\n'] ['é🙂'] ['\\x07']",
  ],
  [
    '{{ 1000000000000000000000 }} {{ 1e22 }} {{ 123456789.123 }} {{ 1e-7 }} {{ 100000.0 }}',
    '1000000000000000000000 1e+22 123456789.123 1e-07 100000.0',
  ],
  [
    "{{ 'abc'.isdigit() }} {{ '12'.isdigit() }} {{ 'abc'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' '.isspace() }} {{ ''.isdigit() }} {{ 'A'.isupper() }}",
    'False True True True True False True',
  ],
  [
    "{{ 'x'.zfill(3) }} {{ '-5'.zfill(4) }} {{ 'a'.ljust(3) }}| {{ 'a'.rjust(3,'*') }} {{ 'a'.center(4) }}| {{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }}",
    '00x -005 a  | **a  a  | bc ab',
  ],
  [
    "{{ l.index(1) }} {{ l.count(1) }} {{ s|wordcount }} {{ s|string }} {{ n|string + 'x' }} {{ t|string }} {{ no|string }} {{ l|string }}",
    '1 1 2 Hello World 3x True None [3, 1, 2]',
  ],
  [
    "{{ d is defined and d.b is defined and d.b == 1 }} {{ (n if n > 5 else 'small') ~ '!' }} {{ n > 1 > 0 }}",
    'True small! True',
  ],
  [
    "{{ s|attr('upper') is callable }} {{ ls|map('length')|list }} {{ 'a b'|upper|replace(' ', '_') }} {{ -1|abs }} {{ 'x' if not missing else 'y' }}",
    'True [1, 1, 1] A_B 1 x',
  ],
  [
    '{{ "a" "b" }} {{ \'tab\\tx\' }} {{ \'uni\\u00e9\' }} {{ "q\\"q" }} {{ \'back\\\\slash\' }}',
    'ab tab\tx unié q"q back\\slash',
  ],
  [
    "{{ ['a','b']|tojson|safe }} {{ {'k': '<é>'}|tojson }} {{ 1.0|tojson }} {{ 1e20|tojson }} {{ true|tojson }} {{ none|tojson }} {{ 'a\\u2028b\\x7f'|tojson }}",
    '["a", "b"] {"k": "<é>"} 1.0 1e+20 true null "a\u2028b\u007f"',
  ],
  [
    "{{ [none, true, 1.5]|join(' ') }} {{ [[1],[2]]|sum(start=[]) }} {{ 'abc'|first }} {{ 'abc'|last }} {{ {'a':1}|first }}",
    'None True 1.5 [1, 2] a c a',
  ],
  [
    "{{ 'A' if e is none else 'B' }} {{ e is not none and e|length == 0 }} {{ s is not string }} {{ not s is string }} {{ s is string and n is number }}",
    'B True False False True',
  ],
  [
    "{{ namespace(a=1).a }} {{ ns2 is defined }} {% set ns2 = namespace({'q': 2}) %}{{ ns2.q }} {{ 'q' in ns2.__dict__ if false else '' }}",
    '1 False 2 ',
  ],
  ['{% generation %}gen{{ n }}{% endgeneration %} after', 'gen3 after'],
  ['{%- generation -%} gen {%- endgeneration -%} after', 'genafter'],
  ['{% for x in [1,2] -%} {{ x }} {%- endfor %}', '12'],
  ["{{ ls | map('lower') | join(', ') | title }} {{ dl | map(attribute='n') | map('upper') | first }}", 'B, A, C X'],
  [
    "{{ '%s' % none }} {{ '%s' % [1,2] }} {{ '%d' % 3.7 }} {{ '%s %s' % (1,) }}",
    { error: 'not enough arguments for format string' },
  ],
  [
    '{{ s[:5] + s[5:] == s }} {{ s[-5:] }} {{ s[3:100] }} {{ s[5:2] }}|{{ l[::2] }} {{ l[-2:] }}',
    'True World lo World |[3, 2] [1, 2]',
  ],
  [
    "{{ (1 if true) }} {{ (1 if false) is defined }} {{ ('a' if false) ~ 'b' }} {{ 'x' ~ ('a' if false else '') }}",
    '1 False b x',
  ],
  [
    "{% if l | length > 2 %}big{% endif %}{% if 'x' in d.a %}hasx{% endif %}{% if d.a is mapping and 'x' in d.a %}ok{% endif %}",
    'bighasxok',
  ],
  ['{% macro outer() %}{% macro inner() %}I{% endmacro %}{{ inner() }}{% endmacro %}{{ outer() }}', 'I'],
  [
    "{% set content = 'a' %}{% if true %}{% set content = 'b' %}{% endif %}{{ content }}{% for i in [1] %}{% set content = 'c' %}{% endfor %}{{ content }}",
    'bb',
  ],
  [
    "{% set ns = namespace(found=false) %}{% for m in dl %}{% if not ns.found and m.n == 'y' %}{% set ns.found = true %}{{ loop.index0 }}{% endif %}{% endfor %}",
    '1',
  ],
  [
    "{{ d.items()|list|length }} {{ d.items()|first }} {{ (d.items()|list)[0][0] }} {{ d.keys() | join(',') }} {{ d.values() | first }}",
    "4 ('b', 1) b b,a,items,k k 1",
  ],
  ['{{ ls|tojson(4) }}', '["b", "a", "C"]'],
  ['a\n{%- set x = 1 %}\nb\n{% set y = 2 -%}\n\n c', 'ab\nc'],
  ['{# c #}\nx\n  {# d #}  \ny', 'x\n  \ny'],
  ['{% for i in [1,2] %}\n  {{ i }}\n{% endfor %}\nend\n', '  1\n  2\nend'],
  ['\n\n{{ s }}\n\n', '\n\nHello World\n'],
  ['{% if true %}\r\nx\r\n{% endif %}\r\n', 'x\n'],
  ['x{% if true %}\n\n\ny{% endif %}', 'x\n\ny'],
  ["{{ '{{' }} {{ '%}' }} {{ \"}}\" }}", '{{ %} }}'],
  [
    "{%- for m in dl %}\n    {%- if m.a is defined %}\n        {{- m.n + '\\n' }}\n    {%- endif %}\n{%- endfor %}",
    'x\ny\n',
  ],
  ["{{ {'a': {'b': 1}} }}", "{'a': {'b': 1}}"],
  ["{{ {'a': {'b': 1}}['a'] }}", "{'b': 1}"],
  ['text {% raw %}{{ x }}{% endraw %} y', 'text {{ x }} y'],
  ['a {%+ if true %}b{% endif +%}\n c', 'a b\n c'],
  ['{% set x %}\n  line\n{% endset %}\n[{{ x }}]', '[  line\n]'],
];

const now = (): Date => new Date(2026, 10, 20, 10, 30, 0);

function render(source: string, variables: Readonly<Record<string, unknown>> = context): Expected {
  try {
    return new JinjaTemplate(source).render(variables, now);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

void t.test('templates render as in Python', async (t) => {
  for (const [template, expected] of rows) t.same(render(template), expected, template);
});

void t.test('what cannot be read is refused in words', async (t) => {
  const refusals: readonly (readonly [template: string, words: RegExp])[] = [
    ['{% if x %}', /ends inside a block/],
    ['{{ x', /ends inside \{\{ x/],
    ['{% raw %}x', /ends inside a raw block/],
    ['{% frobnicate %}', /Unknown statement type: frobnicate/],
    ['{# x', /ends inside \{# x/],
    ['x'.repeat(600_000), /600000 characters/],
    [`{% ${' '.repeat(2000)} if x %}{% endif %}`, /white space/],
    ['{{ '.concat('('.repeat(200_000), '1', ')'.repeat(200_000), ' }}'), /./],
  ];
  for (const [template, words] of refusals) t.throws(() => new JinjaTemplate(template), { message: words });
});

void t.test('a hostile template comes to an end', async (t) => {
  const hostile: readonly (readonly [template: string, words: RegExp])[] = [
    ['{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}', /call stack/],
    ['{{ range(10000000000) }}', /Range too big/],
    ["{{ 'x' * 10000000000 }}", /too long/],
    [
      "{% set ns = namespace(s='xxxxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
      /too long/,
    ],
    [
      "{% set ns = namespace(s='xxxxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      /too long/,
    ],
    [
      "{% set ns = namespace(s='xxxxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s.replace('x', ns.s) %}{% endfor %}",
      /too long/,
    ],
    [
      "{% set ns = namespace(s='xxxxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s|join(ns.s) %}{% endfor %}",
      /too long/,
    ],
    [
      "{% set ns = namespace(s='<>') %}{% for i in range(60) %}{% set ns.s = (ns.s|e|string) ~ ns.s %}{% endfor %}",
      /too long/,
    ],
    ['{% set ns = namespace(l=[1, 2]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}', /too long/],
    [
      '{% for a in range(3000) %}{% for b in range(3000) %}{{ a * b }}{% endfor %}{% endfor %}',
      /too many steps|too long/,
    ],
    ["{{ '%999999999d' % 1 }}", /width/],
    ["{{ 'x'.center(999999999) }}", /width/],
    ["{{ 'a\\nb'|indent(999999999) }}", /too long/],
    [
      '{% set ns = namespace(d={}) %}{% for i in range(2000) %}{% set ns.d = {1: ns.d} %}{% endfor %}{{ ns.d }}',
      /recursion|call stack/,
    ],
    ['{{ (1,) * 10000000000 }}', /./],
  ];
  for (const [template, words] of hostile) {
    const result = render(template);
    t.match(typeof result === 'string' ? result : result.error, words, template);
  }
});

void t.test('a template sees no more of the process than its context', async (t) => {
  for (const name of ['constructor', '__proto__', 'toString', 'process', 'globalThis', 'hasOwnProperty']) {
    t.equal(
      render(
        `{{ ${name} is defined }}{{ {}['${name}'] is defined }}{{ {}.${name} is defined }}{{ 'x'.${name} is defined }}`,
      ),
      'FalseFalseFalseFalse',
    );
  }
});
