#!/usr/bin/env python3
"""Writes syntax.jsonl: what of Jinja's grammar and library a chat template can use, and what the
reference Jinja2 makes of each snippet.

Run with jinja2 installed; prints nothing. The environment is make_named.py's. The lines are as those
of language.jsonl. A newline inside a snippet stands as ⏎.
"""

import json
import pathlib

from make_named import environment

VARIABLES = {
    "messages": [
        {"role": "user", "content": "  Hello Wörld\n", "n": 3},
        {"role": "assistant", "content": "a %s b", "n": 1},
        {"role": "user", "content": "x", "n": 3},
    ],
    "text": "one two three four five",
    "n": 7,
    "pair": [1, 2],
    "table": {"a": 1, "b": "two"},
}

SNIPPETS = r"""
{% raw %}{{ x }} {% if %} {# no #}{% endraw %}|
a  {%- raw -%}  {{ x }}  {%- endraw -%}  b
a {% raw %} b {% endraw %} c
{% raw %}never ends
{% with a = 1, b = n %}{{ a + b }}{% endwith %}{{ a is defined }}
{% with %}{% set a = 2 %}{{ a }}{% endwith %}{{ a is defined }}
{% with a = 1 %}{% with b = a %}{{ b }}{% endwith %}{% endwith %}
{{ (1,) }}{{ (1, 2) }}{{ () }}{{ (1) }}
{{ (1,)[0] }}{{ 1, 2 }}
{% set x = 1, %}{{ x }}
{% set a, b = pair %}{{ a }}-{{ b }}
{% set (a, b) = pair %}{{ a }}-{{ b }}
{% for a, b in table.items() %}{{ a }}={{ b }};{% endfor %}
{% for (a, b) in table.items() %}{{ a }}={{ b }};{% endfor %}
{{ 1e3 }} {{ 1.5e-3 }} {{ 2E2 }} {{ 1_000 }} {{ 0x1f }} {{ 0b101 }} {{ 0o17 }} {{ 1.25 }}
{{ 2 ** 3 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 2 ** -1 }} {{ 2.0 ** 3 }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1 == 1 }} {{ 3 > 2 > 1 != 0 }}
{{ 1 + 2 ~ 3 + 4 }}
{{ 1 ~ 2 * 3 }}
{{ -n | abs }} {{ -(n | abs) }} {{ - n }} {{ +n }} {{ 3 - -1 }} {{ n -1 }} {{ n-1 }}
{{- 1 }}{{-1}}
{{ not n == 7 }} {{ not (n == 7) }} {{ not not n }}
{{ 'a' 'b' "c" }}
{{ 'tab\tnew\nquote\'back\\ \x41 é \101 \q' }}
{{ 'a' if n > 3 }}{{ 'b' if n < 3 }}|
{{ 'a' if n < 3 else 'b' if n > 5 else 'c' }}
{{ [1, 2, 3][1:] }} {{ [1, 2, 3][::-1] }} {{ 'hello'[-3:] }} {{ [1, 2, 3][:2] }} {{ [1,2,3,4][1:4:2] }}
{{ pair.0 }}{{ pair[1] }}{{ messages.0.role }}
{{ {'a': 1, 'b': [2,],}.b }}
{{ [1, 2,] }}
{{ n is divisibleby 7 }} {{ n is divisibleby(3) }} {{ n is not odd }} {{ n is in [7] }} {{ n is in(pair) }}
{{ n is odd and n is number }} {{ 'x' if n is odd else 'y' }}
{{ n is eq 7 }} {{ n is sameas 7 }} {{ n is gt 3 }} {{ n is lt(3) }} {{ n is none or n is defined }}
{{ 'upper' is filter }} {{ 'nothing' is filter }} {{ 'odd' is test }} {{ 'nothing' is test }}
{{ 3 in [1, 2] }} {{ 3 not in [1, 2] }} {{ 'a' in 'abc' }} {{ 'a' in table }}
{% if n == 7 and not n == 8 or false %}yes{% endif %}
{% if n > 10 %}a{% elif n > 6 %}b{% elif n > 5 %}c{% else %}d{% endif %}
{% for x in [] %}a{% else %}b{% endfor %}
{% for x in [1, 2, 3] if x > 1 %}{{ loop.index }}:{{ x }} {% endfor %}
{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}
{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% macro f(a, b=2, c=n) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, c=3) }} {{ f(*pair) }} {{ f(**{'a': 5}) }}
{% macro f(a, b=1, c) %}{% endmacro %}
{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}x{% endcall %}
{% macro f() %}<{{ caller(1) }}>{% endmacro %}{% call(a) f() %}{{ a + 1 }}{% endcall %}
{% filter upper %}abc{% endfilter %} {% filter upper | replace('A', 'x') %}abc{% endfilter %}
{% set x | upper %}abc{% endset %}{{ x }}
{% set x %}{% set y = 1 %}abc{% endset %}{{ x }}{{ y is defined }}
{% set ns = namespace(a=1) %}{% for x in [1, 2] %}{% set ns.a = ns.a + x %}{% endfor %}{{ ns.a }}
{{ 'a %s b %d c' % ('x', 3) }} {{ '%s' % n }} {{ '%5.2f|%-5s|%05d|%x|%%' % (1.5, 'a', 42, 255) }}
{{ '%(a)s and %(b)s' % table }} {{ '%s' % 'one' }} {{ '%r' % 'one' }} {{ '%e' % 12345.678 }}
{{ '%s %s' % 'one' }}
{{ '%s' % ('one', 'two') }}
{{ '%d' % 'one' }}
{{ messages[1].content % 'inserted' }}
{{ '%s-%s' | format('a', 1) }} {{ '%(x)s' | format(x=2) }}
{{ text | truncate(12) }} {{ text | truncate(12, true) }} {{ text | truncate(12, true, '') }} {{ 'short' | truncate(3) }}
{{ 'ab' | center(7) }}|
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 0) | list }}
{{ [1, 2, 3, 4, 5] | slice(2) | list }} {{ [1, 2, 3, 4, 5] | slice(3, 'x') | list }}
{% for role, group in messages | groupby('role') %}{{ role }}:{{ group | length }};{% endfor %}
{% for n, group in messages | groupby('n') %}{{ n }}={{ group | map(attribute='role') | join(',') }};{% endfor %}
{{ 'a b&c/é' | urlencode }} {{ table | urlencode }}
{{ 'a<b' | forceescape }}
{{ 1000 | filesizeformat }} {{ 1 | filesizeformat }} {{ 1500000 | filesizeformat }} {{ 1048576 | filesizeformat(true) }}
{{ 'Ab'.swapcase() }} {{ 'ab'.index('b') }} {{ 'abab'.rindex('b') }} {{ '7'.zfill(3) }} {{ '-7'.zfill(4) }} {{ 'ß'.casefold() }} {{ 'a\tb'.expandtabs(4) }}
{{ 'ab'.index('z') }}
{{ 'ab'.isascii() }} {{ '12'.isdecimal() }}
{{ 'a-b'.partition('-') }} {{ 'a.b.c'.rsplit('.', 1) }}
{{ text.count('e') }} {{ 'x'.join(['a', 'b']) }}
{{ '{}-{}'.format(1, 'a') }} {{ '{a}'.format(a=2) }}
{{ table.get('z', 9) }} {{ table.keys() | list }} {{ table.values() | list }}
{# a comment #}x{#- another -#}  y {#+ kept +#}
a⏎    {# c #}⏎b
a⏎    {% if n %}⏎b⏎    {% endif %}⏎c
a⏎  {%+ if n %}x{% endif %}
{% if n %}⏎x⏎{%- endif +%}⏎y
{{ 'a' }}⏎b⏎   {{- 'a' -}}   ⏎b
{#- c -#}⏎  x  ⏎{#- c #}⏎y
  {% raw %}⏎ x ⏎  {% endraw %}⏎y
x⏎⏎
　{%- if n %}x{% endif %}
{% if n -%}   x   {%- endif %}
  {{ n }}  
{% for m in messages %}{{ m.role }}{{ loop.cycle(',', ';') }}{{ loop.previtem.role if loop.previtem }}{% endfor %}
{% for m in messages %}{{ loop.changed(m.role) }}{% endfor %}
{{ range(3) | list }} {{ range(1, 7, 2) | list }} {{ dict(a=1) }} {{ dict(table, c=3) }}
{% set j = joiner(', ') %}{% for x in pair %}{{ j() }}{{ x }}{% endfor %}
{{ n | string | length }}
{{ messages | map(attribute='role') | unique | join(',') }} {{ messages | sum(attribute='n') }}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ [0, 1] | select | list }}
{{ 'a' ~ 1 ~ none ~ true }}
{{ missing }}
{{ missing.x }}
{{ 'unclosed }}
{{ (1 }}
{{ 1 +}}
{{ }}
{% if %}{% endif %}
{% endif %}
{% if n %}
{% unknown %}
{% do n %}
{{ n is odd is even }}
{{ f(a=1, 2) }}
{{ 'x' | nothing }}
{{ n is nothing }}
{% for x in 5 %}{% endfor %}
{% set ns.x = 1 %}
{# unclosed
"""


def main():
    env = environment()
    env.globals["strftime_now"] = lambda format: "now"
    here = pathlib.Path(__file__).parent
    with open(here / "syntax.jsonl", "w", encoding="utf-8") as out:
        out.write(json.dumps({"variables": VARIABLES}, ensure_ascii=False) + "\n")
        for snippet in SNIPPETS.strip("\n").split("\n"):
            snippet = snippet.replace("⏎", "\n")
            case = {"template": snippet}
            try:
                case["text"] = env.from_string(snippet).render(**VARIABLES)
            except Exception as error:  # noqa: BLE001: the kind is the result
                case["error"] = type(error).__name__
            out.write(json.dumps(case, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
