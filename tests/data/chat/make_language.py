#!/usr/bin/env python3
"""Writes language.jsonl: snippets of templates, and what transformers' Jinja makes of them.

Run with transformers installed; prints nothing. One object a line: template, and either text or the
name of the exception (TemplateError and the like; Python's own TypeError, ZeroDivisionError, ...).
"""

import json
import pathlib

from transformers.utils.chat_template_utils import _compile_jinja_template

VARIABLES = {
    "messages": [
        {"role": "user", "content": "  Hello Wörld\n", "tags": ["b", "a", "C", "a"], "n": 3},
        {"role": "assistant", "content": None, "score": 1.5, "big": 1e20, "small": 0.00001,
         "nested": {"z": 1, "a": [True, None, "q\"uo\\te\u2028\x01"], "é": {}}},
    ],
    "text": "a-b-c d,e  f",
    "unicode": "straße ÄÖ 日本",
    "empty": "",
    "bos_token": "<s>",
}

EXPRESSIONS = r"""
1 + 2 * 3
7 // 2 ~ '|' ~ -7 // 2 ~ '|' ~ 7 % -3 ~ '|' ~ -7 % 3
7 / 2
2.0 * 3
1 / 3
10 / 0
'a' + 'b' ~ 1
'a' + 1
'a' * 3
[1, 2] + [3]
'x' ~ none ~ true ~ 1.0 ~ missing
missing
missing + 'a'
missing.attribute
missing['item']
messages[0].missing
messages[0].missing.deeper
messages[9]
messages[9].role
messages[-1].role
messages[1].content
messages[1].content + 'a'
messages[1].content | trim
messages[1].content ~ 'a'
messages[1].content or 'fallback'
messages[1].content is none
messages[1].content is string
messages[1].content.strip()
missing is defined
missing is undefined
missing or 'x'
not missing
missing == none
missing | default('d')
messages[1].content | default('d')
messages[1].content | default('d', true)
missing | length
missing | tojson
missing | upper
missing | join(',')
missing is iterable
1 < 2 and 2 < 3 or false
'a' < 'b'
'a' < 1
none < 1
'a' in 'abc'
1 in 'abc'
'a' in ['a', 'b']
'role' in messages[0]
'x' not in messages[0]
'a' in none
'a' in missing
1 == 1.0 and true == 1
'1' == 1
[1, 2] == [1, 2]
{'a': 1} == {'a': 1}
messages[0].content | trim
messages[0].content.strip() + '|'
messages[0].content.lstrip()
messages[0].content.rstrip('\n ')
'xxaxx'.strip('x')
text.split('-')
text.split()
text.split('-', 1)
text.split('-')[-1]
text.rsplit('-', 1)
text.rsplit(none, 1)
text.split(none, 1)
'a\nb\r\nc'.splitlines()
text.replace('-', '+')
text.replace('-', '+', 1)
text.upper() ~ text.title() ~ text.capitalize()
text | title
unicode.upper()
unicode | lower
unicode | length
unicode[1:3]
unicode[-2:]
unicode[::-1]
unicode[0]
unicode[100]
text[2:5] ~ '|' ~ text[:-2] ~ '|' ~ text[5:2]
text.startswith('a-') and text.endswith('f')
text.startswith(('x', 'a'))
text.find('b') ~ text.find('zz')
text.count('-')
'-'.join(['a', 'b'])
'-'.join([1, 2])
['a', 'b'] | join('-')
[1, none, 'x'] | join(', ')
messages | map(attribute='role') | join(',')
messages | map(attribute='missing') | list
messages | selectattr('role', 'equalto', 'user') | list | length
messages | rejectattr('role', 'eq', 'user') | map(attribute='role') | list
messages | selectattr('content') | list | length
[1, 2, 3, 4] | select('odd') | list
[1, 2, 3, 4] | reject('even') | list
['a', 'B'] | map('upper') | list
messages[0].tags | sort | join
messages[0].tags | sort(case_sensitive=true) | join
messages[0].tags | sort(reverse=true) | join
messages[0].tags | unique | list
messages[0].tags | first ~ messages[0].tags | last
[] | first
[3, 1, 2] | max ~ [3, 1, 2] | min ~ [3, 1, 2] | sum
[3, 1, 2] | sort
messages[0].tags | reverse | list
'abc' | reverse
messages[0].tags | length
messages[0].tags.index('a')
messages[0].tags.append('x')
messages[1].nested | tojson
messages[1].nested | tojson(indent=2)
messages[1].nested | tojson(ensure_ascii=true)
messages[1].nested | tojson(separators=(',', ':'))
messages[1].nested | tojson(sort_keys=true)
[] | tojson(indent=2)
'<b> & \'c\'' | tojson
{'a': 1, 2: 'b', true: none} | tojson
messages[1].score ~ ' ' ~ messages[1].big ~ ' ' ~ messages[1].small
messages[1].score | tojson
1.0 | int
'42' | int + 1
'4x' | int
'4.7' | int
'3.5' | float
3.14159 | round(2)
2.5 | round
3.7 | round(0, 'floor')
-3 | abs
messages[1].nested
messages[0].tags
messages[1].nested.items() | list
messages[1].nested | items | list
messages[1].nested.keys() | list
messages[1].nested.get('z') ~ messages[1].nested.get('y', 'none')
messages[1].nested['a'][0]
messages[1].nested.a[2]
messages[1].nested | dictsort
{'b': 1, 'a': 2} | dictsort(by='value')
dict(a=1, b='x')
range(3) | list
range(1, 10, 4) | list
range(5, 0, -2) | list
'a' if true else 'b'
'a' if false
('a' if false) is undefined
(1, 2)
[1, 'two', none, true, 2.5]
"it's" ~ ["it's", 'say "hi"']
'%'
true and 'x' or 'y'
not true
not 'a' == 'b'
1 is number and 1.5 is float and 1 is integer and 'a' is string
true is boolean and true is true and none is none
{} is mapping and [] is sequence and 'a' is sequence and 1 is not iterable
4 is divisibleby 2 and 3 is odd and 4 is even
'abc' is lower and 'ABC' is upper
1 is in [1, 2]
'a' is eq 'a'
1 is sameas true
raise_exception('stop here')
bos_token ~ 'x'
'a' | indent(2)
'a\nb\n\nc' | indent(2)
'a\nb' | indent(2, true)
'<a> & "b"' | escape
' padded ' | trim | length
'a b  c' | wordcount
'abc' | capitalize | replace('A', 'b')
'aXbX' | replace('X', '', 1)
'abc'.isdigit() ~ '12'.isdigit() ~ 'ab'.isalpha() ~ ' '.isspace()
'abc' | list
unknown_function()
'a' | unknown_filter
'a' is unknown_test
'a'()
messages[0].content.unknown()
loop
namespace(a=1).a
'ab'.center(5, '*') ~ '|' ~ 'ab'.ljust(4) ~ '|' ~ 'ab'.rjust(4)
'prefix-x'.removeprefix('prefix-') ~ 'x.txt'.removesuffix('.txt')
'a=b=c'.partition('=')
'a=b=c'.rpartition('=')
strftime_now('%Y') | length
9223372036854775807
-5 // 2
2 * 'ab'
[0] * 3
('abc' | attr('upper'))()
'{0} and {1}'.format('a', 'b')
'{}-{}'.format(1, 'b')
'{x}{{}}'.format(x=2)
messages | map(attribute='role') | length
[] | map('upper') | tojson
([] | map('upper')) is iterable
'yes' if [] | select else 'no'
none | map('upper') | list
none | selectattr('a') | list
none[1:]
[1, 2] | reverse | first
""".strip("\n").split("\n")

BLOCKS = [
    "{% for m in messages %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}",
    "{% for x in [1,2,3,4] if x is even %}{{ loop.index0 }}:{{ x }} {% else %}none{% endfor %}",
    "{% for x in [] %}{{ x }}{% else %}none{% endfor %}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}",
    "{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}",
    "{% for c in 'äb' %}[{{ c }}]{% endfor %}",
    "{% for x in missing %}{{ x }}{% endfor %}.",
    "{% for x in none %}{{ x }}{% endfor %}.",
    "{% for x in [1,2,3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in [1,2,3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in [1,2] %}{% for y in [3,4] %}{{ loop.depth }}{{ y }}{% endfor %}{% endfor %}",
    "{% for x in [1,1,2] %}{{ loop.changed(x) }}{{ loop.cycle('a','b') }}{% endfor %}",
    "{% for x in [1,2,3] %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in [1,2,3] %}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{% endfor %}",
    "{% set x = 1 %}{% for i in [1,2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}",
    "{% set ns = namespace(x=0) %}{% for i in [1,2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% if true %}{% set y = 5 %}{% endif %}{{ y }}",
    "{% if messages[0].role == 'user' and not missing %}yes{% elif x %}no{% else %}other{% endif %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set block %}x{{ 1 }}y{% endset %}{{ block | upper }}",
    "{% macro greet(name, mark='!') %}Hi {{ name }}{{ mark }}{% endmacro %}{{ greet('A') }}{{ greet('B', mark='?') }}",
    "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% macro f(x) %}{{ x }}{% endmacro %}{{ f() }}|{{ f(1) | upper }}",
    "{% macro f(x) %}{{ x }}{% endmacro %}{{ f(1, 2) }}",
    "{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}inner{% endcall %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% filter upper %}abc{{ 1 }}{% endfilter %}",
    "a {%- if true -%}  b  {%- endif -%} c",
    "  {% if true %}\n  x\n  {% endif %}\ny\n",
    "{# comment #}a{#- other -#} b\n",
    "{{ 'a' -}}   \n b",
    "{%- set x = {'a': [1, {'b': 'c'}]} -%}{{ x.a[1].b }}{{ x['a'][0] }}",
    "{{ raise_exception('No ' ~ messages[0].role) }}",
    "{% set messages = messages[1:] %}{{ messages | length }}{{ messages[0]['role'] }}",
    "{% set x = messages[0].content.split('o') | map('trim') | join('/') %}{{ x }}",
    "{% generation %}a{% endgeneration %}b",
    "{{ messages[0]['content'][::2] }}",
    "{% for m in messages[::-1] %}{{ m.role }}{{ loop.index0 }}{% endfor %}",
    "{% for m in messages %}{% if loop.index0 > 0 and messages[loop.index0 - 1].role == 'user' %}x{% endif %}{% endfor %}",
    "{{- 'x' }}\n{{ 'y' }}\n",
    "x{% if false %}{% endif %}\n\ny",
    "{% endif %}",
    "{{ 'unterminated }}",
    "{% unknown %}",
]


def outcome(template):
    try:
        return {"text": _compile_jinja_template(template).render(**VARIABLES)}
    except Exception as error:
        return {"error": type(error).__name__}


def main():
    here = pathlib.Path(__file__).parent
    templates = ["{{ " + expression + " }}" for expression in EXPRESSIONS] + BLOCKS
    with open(here / "language.jsonl", "w", encoding="utf-8") as out:
        out.write(json.dumps({"variables": VARIABLES}) + "\n")
        for template in templates:
            out.write(json.dumps({"template": template, **outcome(template)}) + "\n")


if __name__ == "__main__":
    main()
