"""No expression raises on any data, and what it gives can be stored."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.state import Entry, Lead
from streams.engine.expressions import ExpressionError, compile_expression
from tests.engine.expression_scope import HandMadeScope, value

NAMES = ["lead.a", "lead.b", "lead.a.b", "lead.points", "lead.tags", "event.properties.a", "now",
         "entry.context.b", "journey.run", "lead.timezone", "event.name"]  # fmt: skip
LITERALS = ["1", "-2.5", '"x"', '""', "[]", '["x", 1]', "true", "(null or 0)", "lower(1)",
            "9223372036854775807", "1e308", '"2026-03-29T02:30"']  # fmt: skip


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
