"""Expressions: every rule of campaign-language, "Expressions", and that no data makes one raise."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.campaigns import Duration
from schemas.state import Entry, Journey, Lead
from streams.engine.expressions import (
    MAX_BYTES,
    MAX_NODES,
    ExpressionError,
    compile_expression,
)
from tests.engine.expression_scope import NOW, HandMadeScope, value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # null: a comparison with it is false, `!=` and `not in` are true
        ("lead.x == 1", False),
        ("lead.x == lead.y", False),
        ("lead.x != 1", True),
        ("lead.x != lead.x", True),
        ("lead.x < 1", False),
        ("lead.x >= 1", False),
        ('lead.x in ["a"]', False),
        ('lead.x not in ["a"]', True),
        ('"a" in lead.x', False),
        ('"a" not in lead.x', True),
        ("1 in lead.x", False),
        ("lead.x in lead.y", False),
        ("lead.x not in lead.y", True),
        ("not lead.x", True),
        ("lead.x and true", False),
        ("true and lead.x", False),
        ("lead.x or lead.y", False),
        ("lead.x or true", True),
        ("lead.x + 1", None),
        ("1 - lead.x", None),
        ("-lead.x", None),
        ("1 / 0", None),
        ("1.5 / 0.0", None),
        ("length(lead.x)", 0),
        ("empty(lead.x)", True),
        ("lower(lead.x)", None),
        ("contains(lead.x, 1)", False),
        ("not contains(lead.x, 1)", True),
        ("days(lead.x)", None),
        ("date(lead.x)", None),
        ("weekday(lead.x)", None),
        ('matches(lead.x, "*")', False),
        ('regex(lead.x, ".*")', False),
        ("null", None),
        ("empty(None)", True),
        ("1 < lead.x < 3", False),
        # types: order comparisons of different types are false, equality is simply unequal
        ('"a" < 3', False),
        ('"a" >= 3', False),
        ('"a" == 3', False),
        ('"a" != 3', True),
        ("true == 1", False),
        ("true != 1", True),
        ("false == 0", False),
        ("1 in [true]", False),
        ("true in [1, true]", True),
        ("true < 2", False),
        ("true + 1", None),
        ("1 == 1.0", True),
        ("[1, 2] == [1, 2.0]", True),
        ("[1] == [true]", False),
        ("[1, 2] < [1, 3]", False),
        ('"a" < "b"', True),
        ('"3" in 3', False),
        ('3 in "3"', False),
        ('"b" in "abc"', True),
        # the rest of the operators
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("3 > 2 >= 2 == 2.0", True),
        ("1 + 2 * 3 - 4 / 2", 5.0),
        ('"a" + "b"', "ab"),
        ('"a" * 3', None),
        ('3 * "a"', None),
        ('"a" + 1', None),
        ("-3", -3),
        ("+3", 3),
        ("- - 3", 3),
        ('-"a"', None),
        ("not (1 == 2)", True),
        ("not true == false", True),
        ('"x" or "y"', "x"),
        ('0 or "y"', "y"),
        ("1 and 2 and 3", 3),
        ("0 or false or lead.x", False),
        ("true and True and not False", True),
        ('1 in [1, "a"] and 2 not in [1, "a"]', True),
        ('lead.x in ["a", 1]', False),
        # numbers stay what JSON and msgpack can carry
        ("9223372036854775807 + 1", 9223372036854775808.0),
        ("1e308 * 10", None),
        ("1e308 * 10 - 1e308 * 10", None),
        # functions
        ('lower("ÄB")', "äb"),
        ("lower(3)", None),
        ('matches("/a/b/c", "/a*c")', True),
        ('matches("/A", "/a*")', False),
        ('contains("abc", "b")', True),
        ('contains(["a"], "a")', True),
        ("contains([1], true)", False),
        ("contains(3, 3)", False),
        ('starts_with("abc", "ab")', True),
        ('ends_with("abc", "bc")', True),
        ("starts_with(1, 1)", False),
        ('regex("order-17", "[0-9]+$")', True),
        (r'regex("a1", "^\\d")', False),
        ('empty("")', True),
        ("empty([])", True),
        ("empty(0)", False),
        ("empty(false)", False),
        ('length("äöü")', 3),
        ("length([1, 2])", 2),
        ("length(7)", None),
        ("days(2)", 172_800_000),
        ("hours(1.5)", 5_400_000),
        ('date("2026-01-09T09:00:00Z")', NOW),
        ('date("2026-01-09T10:00:00+01:00")', NOW),
        ('date("no date")', None),
        ("date(now)", NOW),
        ("date(true)", None),
        ("weekday(now)", "fri"),
        ('weekday("2026-01-04")', "sun"),
        ('in_campaign("inside") and not in_campaign("x")', True),
        ('completed_campaign("done") and not completed_campaign(3)', True),
        ("now - days(1) < now", True),
    ],
)
def test_value(text: str, expected: Any) -> None:
    got = value(text)
    assert got == expected
    assert type(got) is type(expected)


def test_names_of_the_lead() -> None:
    lead = Lead(
        created_at=5, quarter=2, traits={"email": "a@example.org", "address": {"city": "Bonn"}},
        points=7, tags=["vip"], lists=["trial"],
    )  # fmt: skip
    scope = HandMadeScope(lead, zone="Europe/Berlin")
    assert value("lead.points", scope) == 7
    assert value("lead.tags", scope) == ["vip"]
    assert value('"trial" in lead.lists', scope) is True
    assert value("lead.timezone", scope) == "Europe/Berlin"
    assert value("lead.created_at", scope) == 5
    assert value("lead.last_seen_at", scope) == 1_800_000
    assert value("lead.email", scope) == "a@example.org"
    assert value("lead.address.city", scope) == "Bonn"
    assert value("lead.address.city.part", scope) is None
    assert value("lead.email.part", scope) is None
    assert value("empty(lead.created_at)") is True
    assert value("empty(lead.last_seen_at)") is True


def test_names_of_events_and_journey() -> None:
    scope = HandMadeScope(
        event=Entry("Order Completed", {"total": 5, "from": "x", "a": {"class": 1}}, {"ip": "::1"}),
        entry=Entry("Form Submitted", {"form_id": "f"}, {"page": {"path": "/"}}),
        journey=Journey("j", "c", 1, 3, "", 17, 0, 0, Entry("", {}, {}), splits={"s": "b"}),
    )
    assert value("event.name", scope) == "Order Completed"
    assert value("event.properties.total > 4", scope) is True
    assert value("event.properties.from", scope) == "x", "a keyword is a field like any other"
    assert value('event.properties.a.class == 1 and "is" != event.properties.in', scope) is True
    assert value("event.context.ip", scope) == "::1"
    assert value("entry.name", scope) == "Form Submitted"
    assert value("entry.properties.form_id", scope) == "f"
    assert value("entry.context.page.path", scope) == "/"
    assert value("journey.run + journey.entered_at", scope) == 20
    assert value('journey.variant("s")', scope) == "b"
    assert value('journey.variant("t")', scope) is None


@pytest.mark.parametrize(
    "name",
    ["event.name", "event.properties.a", "event.context.a.b", "entry.name", "entry.properties.a",
     "entry.context.a", "journey.run", "journey.entered_at", 'journey.variant("s")'],
)  # fmt: skip
def test_event_entry_and_journey_are_null_without_one(name: str) -> None:
    assert value(name) is None


def test_dates_are_local_to_the_lead() -> None:
    berlin = HandMadeScope(zone="Europe/Berlin")
    assert value('date("2026-01-09T10:00")', berlin) == NOW
    assert value('date("2026-01-09")', berlin) == NOW - 10 * 3_600_000
    # 02:30 does not exist on this day: 03:30 summer time, 01:30 UTC
    assert value('date("2026-03-29T02:30")', berlin) == value('date("2026-03-29T01:30:00Z")')
    # 02:30 comes twice: the first
    assert value('date("2026-10-25T02:30")', berlin) == value('date("2026-10-25T00:30:00Z")')
    assert value('weekday("2026-01-09T23:30:00Z")', berlin) == "sat"


def test_mismatches_are_counted() -> None:
    scope = HandMadeScope()
    value('"a" < 3 or true > 1 or "a" * 2 or length(3) or 3 in "3" or lower(1)', scope)
    assert scope.mismatches == 6
    value("lead.x < 3 or lead.x * 2 or 3 == true or lower(lead.x)", scope)
    assert scope.mismatches == 6, "null is no mismatch, nor is ==="


def test_what_an_expression_tells_about_itself() -> None:
    text = (
        'lead.address.city == "Bonn" and event.properties.id == entry.properties.id '
        'and now > lead.created_at and journey.variant("s") == "a" '
        'and times("Viewed", "7 days") + times("Viewed", "7 days", "event.properties.n > 1") > 3'
    )
    compiled = compile_expression(text)
    assert compiled.text == text
    assert compiled.paths == {
        "lead.address.city", "event.properties.id", "entry.properties.id", "now", "lead.created_at",
    }  # fmt: skip
    assert compiled.variants == {"s"}
    plain, filtered = compiled.counters
    assert (plain.event, plain.period, plain.filter) == ("Viewed", Duration(days=7), None)
    assert filtered.filter == "event.properties.n > 1"
    assert plain.key != filtered.key
    assert compile_expression('times("Viewed", "7 days")').counters == (plain,)
    assert compile_expression('times("Viewed", "1 week")').counters[0].key == plain.key


def test_times_asks_the_engine() -> None:
    spec = compile_expression('times("Viewed", "7 days")').counters[0]
    scope = HandMadeScope(counts={spec.key: 3})
    assert value('times("Viewed", "7 days") >= 3', scope) is True
    assert value('times("Viewed", "8 days") >= 3', scope) is False


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


@pytest.mark.parametrize("text", ["lead.x != 1", "1 != lead.x"])
def test_deep_data_is_compared_without_recursion(text: str) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    twin: Any = []
    for _ in range(100_000):
        twin = [twin]
    assert value(text, x=deep) is True
    assert value("lead.x == lead.y and lead.x in [lead.y] and lead.x != [lead.y]", x=deep, y=twin)


NAMES = ["lead.a", "lead.b", "lead.a.b", "lead.points", "lead.tags", "event.properties.a", "now",
         "entry.context.b", "journey.run", "lead.timezone", "event.name"]  # fmt: skip
LITERALS = ["1", "-2.5", '"x"', '""', "[]", '["x", 1]', "true", "(null or 0)", "lower(1)", "9223372036854775807",
            "1e308", '"2026-03-29T02:30"']  # fmt: skip


def _combine(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from(
        ["==", "!=", "<", "<=", ">", ">=", "in", "not in", "+", "-", "*", "/", "and", "or"]
    )
    one = st.sampled_from(["lower", "empty", "length", "days", "hours", "date", "weekday",
                           "in_campaign", "not ", "-"])  # fmt: skip
    two = st.sampled_from(["contains", "starts_with", "ends_with", "matches"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, operator, inner),
        st.builds("({} {} {} {} {})".format, inner, operator, inner, operator, inner),
        st.builds("({}({}))".format, one, inner),
        st.builds("{}({}, {})".format, two, inner, inner),
        st.builds('regex({}, "[a-z]+$")'.format, inner),
        st.builds("[{}, {}]".format, inner, inner),
    )


EXPRESSIONS = st.recursive(st.sampled_from(NAMES + LITERALS), _combine, max_leaves=8)
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**4000)
    | st.integers(min_value=-(2**65), max_value=2**65)
    | st.floats()
    | st.text()
    | st.sampled_from(["2026-02-30", "9999-12-31T23:59:59-23:59", "0001-01-01", "\ud800"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b"]), DATA)


@settings(max_examples=600, deadline=None)
@given(
    text=EXPRESSIONS,
    traits=OBJECTS,
    points=st.integers() | st.floats(),
    properties=OBJECTS,
    now=st.integers(min_value=0, max_value=2**62),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati"]),
)
def test_no_expression_raises_on_data(
    text: str,
    traits: dict[str, Any],
    points: float,
    properties: dict[str, Any],
    now: int,
    zone: str,
) -> None:
    expression = compile_expression(text)
    event = Entry("E", properties, properties)
    scope = HandMadeScope(
        Lead(traits=traits, points=points, tags=["x"]), event=event, entry=event, now=now, zone=zone
    )
    result = expression.value(scope)
    assert expression.truth(scope) is bool(result)
    assert expression.truth(scope) is expression.truth(scope)


@settings(max_examples=300, deadline=None)
@given(a=DATA, b=DATA)
def test_arithmetic_gives_what_can_be_stored(a: Any, b: Any) -> None:
    for operator in "+-*/":
        result = value(f"lead.a {operator} lead.b", a=a, b=b)
        if isinstance(result, float):
            assert math.isfinite(result)
        elif isinstance(result, int):
            assert -(2**63) <= result < 2**63
        else:
            assert result is None or isinstance(result, str)


@settings(max_examples=300, deadline=None)
@given(a=DATA, b=DATA)
def test_negations_agree(a: Any, b: Any) -> None:
    assert value("lead.a != lead.b", a=a, b=b) is not value("lead.a == lead.b", a=a, b=b)
    assert value("lead.a not in lead.b", a=a, b=b) is not value("lead.a in lead.b", a=a, b=b)
    less = value("lead.a < lead.b", a=a, b=b)
    assert less is value("lead.b > lead.a", a=a, b=b)
    assert not (less and value("lead.a >= lead.b", a=a, b=b))


@settings(max_examples=300, deadline=None)
@given(text=st.text())
def test_any_text_compiles_or_is_refused(text: str) -> None:
    refused: ExpressionError | None = None
    try:
        compile_expression(text)
    except ExpressionError as error:
        refused = error
    assert refused is None or (refused.column >= 1 and refused.message)
