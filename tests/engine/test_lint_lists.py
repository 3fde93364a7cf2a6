"""Lint of list documents and of circles among their rules."""

from __future__ import annotations

from typing import Any

import pytest

from streams.engine.lint import Known, lint_list
from tests.engine.linting import places


@pytest.mark.parametrize(
    ("document", "rules", "expected"),
    [
        ({"list": "a"}, {}, []),
        ({"list": "a", "when": "lead.points >= 50"}, {}, []),
        ({"list": "A"}, {}, [("wrong-type", "list")]),
        ({"name": "x"}, {}, [("missing-key", "")]),
        ("a", {}, [("wrong-type", "")]),
        ({"list": "a", "wen": "x"}, {}, [("unknown-key", "wen")]),
        ({"list": "a", "when": "lead.x =="}, {}, [("bad-expression", "when")]),
        ({"list": "a", "when": "now > lead.created_at"}, {}, [("rule-needs-clock", "when")]),
        ({"list": "a", "when": 'times("A", "1 day") > 1'}, {}, [("rule-needs-clock", "when")]),
        ({"list": "a", "when": "empty(lead.last_seen_at)"}, {}, [("rule-needs-clock", "when")]),
        ({"list": "a", "when": "event.name == 'A'"}, {}, [("bad-expression", "when")]),
        ({"list": "a", "when": "journey.variant('x') == 'A'"}, {}, [("bad-expression", "when")]),
        ({"list": "a", "when": "'a' in lead.lists"}, {}, [("rule-cycle", "when")]),
        ({"list": "a", "when": "'b' in lead.lists"}, {}, []),
        ({"list": "a", "when": "'b' in lead.lists"}, {"b": "lead.x"}, []),
        (
            {"list": "a", "when": "'b' in lead.lists"},
            {"b": "contains(lead.lists, 'c')", "c": "'a' not in lead.lists"},
            [("rule-cycle", "when")],
        ),
        ({"list": "a", "when": "length(lead.lists) > 3"}, {}, [("rule-cycle", "when")]),
        (
            {"list": "a", "when": "'b' in lead.lists"},
            {"b": "length(lead.lists) > 3"},
            [("rule-cycle", "when")],
        ),
        ({"list": "a", "when": "'b' in lead.lists"}, {"b": "lead.x =="}, []),
    ],
)
def test_lists(document: Any, rules: dict[str, str], expected: list[tuple[str, str]]) -> None:
    found = places(lint_list(document, None, Known(rules=rules)))
    assert [place for place in found if place != ("not-yet", "when")] == expected


def test_a_circle_of_rules_names_its_lists() -> None:
    (finding,) = (
        finding
        for finding in lint_list(
            {"list": "a", "when": "'b' in lead.lists"},
            None,
            Known(rules={"b": "'a' in lead.lists"}),
        )
        if finding.code == "rule-cycle"
    )
    assert "a → b → a" in finding.message
