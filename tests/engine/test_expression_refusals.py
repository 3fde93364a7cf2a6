"""What is no expression: refused with a message that says what to write instead."""

from __future__ import annotations

import pytest

from streams.engine.expressions import (
    MAX_BYTES,
    MAX_NODES,
    ExpressionError,
    compile_expression,
)
from tests.engine.expression_scope import value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("lead.points >", "not an expression"),
        ("lead.points = 3", "=="),
        ("lead.a && lead.b", "and"),
        ("!lead.a", "not"),
        ("lead", "name a field"),
        ("event.order_id == 1", "event.properties.order_id"),
        ("event.properties == 1", "path"),
        ("event == 1", "event.properties"),
        ("event.name.x", "no fields"),
        ("entry.total", "entry.properties.total"),
        ("journey.runs == 1", "journey.run"),
        ("journey == 1", "journey.run"),
        ("lead.points.x", "no fields"),
        ("leed.email == 1", "did you mean `lead`"),
        ("DE == lead.country", '"DE"'),
        ("now.x", "names begin with"),
        ("lead.__class__", "no name"),
        ("lead.x.__class__.y", "no name"),
        ("__import__", "no name"),
        ('__import__("os")', "no function"),
        ('lead.x.lower() == "a"', "lower("),
        ("lead.x.foo()", "not part of the language"),
        ("lenght(lead.x)", "did you mean `length`"),
        ("lower", "lower(…)"),
        ("lower()", "1 argument"),
        ("lower(1, 2)", "1 argument, not 2"),
        ("lower(x=1)", "plainly"),
        ("lower(*lead.x)", "plainly"),
        ("(lower)(lead.x)(1)", "functions of the language"),
        ("(1).real", "dot"),
        ("lead.class ==", "not an expression"),
        ("lead.class == (", "not an expression"),
        ("lead.x == '#", "not an expression"),
        ('"a".x', "dot"),
        ("lead.x is 3", "=="),
        ("1 if lead.x else 2", "step `if`"),
        ("lead.x[0]", "dots"),
        ("lambda: 1", "functions"),
        ("(x := 1)", "assignment"),
        ('f"{lead.x}"', "f-texts"),
        ("(1, 2)", "brackets"),
        ("{1, 2}", "brackets"),
        ("{1: 2}", "objects"),
        ("[x for x in lead.tags]", "not part"),
        ("2 ** 3", "`**`"),
        ("2 % 3", "`%`"),
        ("~lead.x", "not"),
        ("1j", "literal"),
        ('b"x"', "literal"),
        ("...", "literal"),
        ("1e999", "too large"),
        ("99999999999999999999", "64 bits"),
        (r'"\ud800"', "half a character"),
        ("lead.x # a comment", "comment"),
        ("lead.x == 1 \n# c\n and false", "comment"),
        ("await lead.x", "not part"),
        ('regex(lead.x, "(")', "RE2"),
        (r'regex(lead.x, "(a)\\1")', "RE2"),
        ("regex(lead.x, lead.y)", "quotes"),
        (f'regex(lead.x, "{"a" * 1001}")', "1001"),
        ("regex(lead.x)", "2 arguments"),
        ('times("x")', "2 or 3"),
        ('times("x", "7")', "unit"),
        ('times("x", "0 days")', "more than nothing"),
        ('times("", "7 days")', "name of an event"),
        ("times(lead.x, lead.y)", "quotes"),
        ('times("x", "7 days", "lead.x == 1")', "event"),
        ('times("x", "7 days", "in_campaign(event.name)")', "event"),
        ('times("x", "7 days", "event.properties.a ==")', "in the filter"),
        ('times("x", "7 days", "times(event.name)")', "in the filter"),
        ('times("x", "7 days", "times(\'y\', \'1 day\')")', "count itself"),
        ('times("x", "7 days", "journey.variant(\'y\') == \'a\'")', "event"),
        ("journey.variant(lead.x)", "quotes"),
        ("journey.variant()", "1 argument"),
        ("(" * 300 + "1" + ")" * 300, "not an expression"),
        ("-" * 3000 + "1", "not an expression"),
        ("not " * 1000 + "1", "at most"),
        ("\0", "not an expression"),
    ],
)
def test_what_is_not_an_expression(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert caught.value.code == "bad-expression"
    assert says in caught.value.message


@pytest.mark.parametrize(
    "text",
    ["lead.x == null", "null != lead.x", "lead.x < None", "1 < lead.x < null", "lead.x in null",
     'lead.x in ["a", null]'],
)  # fmt: skip
def test_a_literal_null_in_a_comparison(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert caught.value.code == "null-comparison"
    assert "empty(" in caught.value.message


def test_the_column_is_that_of_the_culprit() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression('lead.größe == "ä" and lenght(lead.x)')
    assert caught.value.column == 23
    with pytest.raises(ExpressionError) as caught:
        compile_expression("lead.from == 1 and event.x")
    assert caught.value.column == 20


def test_limits_are_inclusive() -> None:
    comparisons = [f"lead.a == {n}" for n in range(MAX_NODES // 4 + 16)]
    at_limit = " or ".join(comparisons)  # 66 comparisons of 3 nodes, the `or`, and one more
    assert value(at_limit + " or 1") == 1
    with pytest.raises(ExpressionError, match="at most 200"):
        compile_expression(at_limit + " or 1 or 2")
    text = '"' + "x" * (MAX_BYTES - 2) + '"'
    assert value(text) == text[1:-1]
    with pytest.raises(ExpressionError, match="4097 bytes"):
        compile_expression(text[:-1] + 'x"')


def test_lines_are_joined() -> None:
    assert value("lead.x == 1\n  or true\n") is True
