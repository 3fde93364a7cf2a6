"""Expressions: every rule of campaign-language, "Expressions", and that no data makes one raise."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.campaigns import Duration
from schemas.state import Entry, Journey, Lead
from streams.engine.expressions import (
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
        ("days(1e305)", None),
        ("- (-9223372036854775807 - 1)", 9223372036854775808.0),
        ('"a" != "b"', True),
        ("1 and 0 and 2", 0),
        ('matches("/a/b", "/" + "a*")', True),
        ("matches(1, 2)", False),
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


def test_data_of_every_kind_is_compared_whole() -> None:
    assert value("lead.a == lead.b", a={"x": [1, "y"]}, b={"x": [1.0, "y"]}) is True
    assert value("lead.a == lead.b", a={"x": 1}, b={"y": 1}) is False
    assert value("lead.a == lead.b", a={"x": 1}, b=[1]) is False
    assert value("lead.a == lead.b", a=[1], b=[1, 2]) is False
    assert value('"x" in lead.a and "y" not in lead.a', a={"x": 1}) is True
    assert value("[1] in lead.a", a=[[1.0]]) is True
    assert value("lead.a + 1", a=10**400) is None
    assert value("date(lead.a)", a=float("inf")) is None


def test_an_expression_shows_its_text() -> None:
    assert repr(compile_expression("lead.x")) == "Expression('lead.x')"
