"""A campaign as graph, Mermaid and SVG: complete, deterministic, escaped, nothing overlapping."""

from __future__ import annotations

from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.campaigns import Definition, Duration, Instant, Step, Trigger, When, Window
from streams.engine.drawing_layout import WIDTH, lay_out
from streams.engine.flow import flow_of, reachable
from streams.engine.graph import Edge, graph_of, mermaid, svg
from streams.engine.reading import read_campaign
from streams.engine.wording import (
    duration_text,
    header_lines,
    instant_text,
    step_text,
    trigger_text,
    when_text,
)
from tests.engine.documents import CAMPAIGNS

SVG = "{http://www.w3.org/2000/svg}"
STEPS = [
    {"send_email": "welcome", "id": "welcome"},
    {
        "wait_for": [{"clicks_email": "welcome", "then": [{"add_tags": "clicked"}]},
                     {"opens_email": "welcome"}],
        "within": "7 days",
        "then": [{"if": 'lead.x < 3 and "a" in lead.tags', "then": [{"exit": "bored"}]}],
        "else": [{"jump_to": "welcome"}],
    },
    {"split": [{"name": "a", "weight": 1, "steps": [{"set_points": 1}]},
               {"name": "b", "weight": 1, "steps": []}]},
]  # fmt: skip


def define(*steps: Any, **header: Any) -> Definition:
    document = {"campaign": "c", "enter": {"event": "E"}, "steps": list(steps), **header}
    definition, findings = read_campaign(document)
    assert definition is not None, findings
    return definition


def test_nodes_and_edges() -> None:
    graph = graph_of(define(*STEPS))
    assert [(node.id, node.kind, node.verb, node.step) for node in graph.nodes] == [
        ("start", "start", "enter", ""),
        ("s0", "message", "send_email", "welcome"),
        ("s1", "wait", "wait_for", "steps[1]"),
        ("s2", "inward", "add_tags", "steps[1].wait_for[0].then[0]"),
        ("s3", "decision", "if", "steps[1].then[0]"),
        ("s4", "exit", "exit", "steps[1].then[0].then[0]"),
        ("s5", "jump", "jump_to", "steps[1].else[0]"),
        ("s6", "decision", "split", "steps[2]"),
        ("s7", "inward", "set_points", "steps[2].split[0].steps[0]"),
        ("done", "end", "completed", ""),
    ]
    assert graph.edges == (
        Edge("start", "s0"),
        Edge("s0", "s1"),
        Edge("s1", "s2", "clicks_email welcome"),
        Edge("s1", "s3", "then"),
        Edge("s1", "s5", "not within 7 days"),
        Edge("s2", "s6"),
        Edge("s3", "s4", "then"),
        Edge("s3", "s6", "else"),
        Edge("s5", "s0", jump=True),
        Edge("s5", "s6", "used up"),
        Edge("s6", "s7", "a"),
        Edge("s6", "done", "b"),
        Edge("s7", "done"),
    )


def test_a_campaign_without_steps_completes_at_once() -> None:
    assert graph_of(define()).edges == (Edge("start", "done"),)
    assert "completed" in svg(define())


def test_labels_say_what_a_branch_is_for() -> None:
    graph = graph_of(
        define(
            {"wait_for": {"event": "A"}, "within": "2026-12-24"},
            {"choose": [{"when": "lead.x", "steps": [{"set_points": 1}]}]},
            {"send_email": "a", "on_failure": [{"set_points": 2}]},
        )
    )
    assert {edge.label for edge in graph.edges} == {
        "", "then", "not by 2026-12-24", "lead.x", "otherwise", "delivered", "failed", "suppressed",
    }  # fmt: skip


def test_the_header_is_told_in_lines() -> None:
    definition = define(
        goal={"on": {"event": "Bought"}, "within": "30 days"}, exit={"unsubscribes": "any"},
        only_if="lead.x", expires_after="90 days",
    )  # fmt: skip
    assert header_lines(definition) == [
        "only if lead.x",
        "goal: event Bought within 30 days",
        "leaves when unsubscribes any",
        "expires after 90 days",
    ]


def test_parallel_branches_meet_again() -> None:
    graph = graph_of(define({"parallel": [[{"add_tags": "a"}], []]}, {"exit": "x"}))
    assert graph.edges[1:] == (
        Edge("s0", "s1"), Edge("s0", "s2"), Edge("s1", "s2"),
    )  # fmt: skip


def test_mermaid() -> None:
    definition = define({"if": 'lead.x == "<a|b>"', "then": [{"exit": "it's over"}]})
    assert mermaid(definition) == (
        "flowchart TD\n"
        "  %% c\n"
        '  start(["<b>enter</b><br/>event E"])\n'
        '  s0{"<b>if</b><br/>lead.x == #34;#60;a#124;b#62;#34;"}\n'
        '  s1(["<b>exit</b><br/>it\'s over"])\n'
        '  done(["<b>completed</b>"])\n'
        "  start --> s0\n"
        '  s0 -->|"then"| s1\n'
        '  s0 -->|"else"| done\n'
    )
    assert "  s1 -.-> s0\n" in mermaid(define({"wait": "1 day", "id": "a"}, {"jump_to": "a"}))


def test_svg_holds_every_node_with_its_full_text() -> None:
    long = 'lead.a == "' + "x" * 200 + '" and lead.b < 3'
    definition = define(*STEPS, {"if": long}, name='A & <b> "c"\x01')
    root = ElementTree.fromstring(svg(definition, {"welcome": "17 <waiting>"}))
    titles = [element.text for element in root.iter(f"{SVG}title")]
    assert titles[0] == 'Campaign A & <b> "c"'
    assert f"if {long} (steps[3])" in titles
    nodes = [element for element in root.iter(f"{SVG}g") if "class" in element.attrib]
    assert len(nodes) == len(graph_of(definition).nodes)
    assert [node.get("data-step") for node in nodes if node.get("data-step")] == [
        node.step for node in graph_of(definition).nodes if node.step
    ]
    assert "17 <waiting>" in [element.text for element in root.iter(f"{SVG}text")]
    assert "prefers-color-scheme:dark" in (root.findtext(f"{SVG}style") or "")


def test_svg_has_a_line_for_every_edge() -> None:
    definition = define(*STEPS)
    root = ElementTree.fromstring(svg(definition))
    drawn = [e for e in root.iter(f"{SVG}path") if "edge" in e.get("class", "").split()]
    assert len(drawn) == len(graph_of(definition).edges)


def _overlap(definition: Definition) -> list[tuple[str, str]]:
    layout = lay_out(definition.steps, lambda _: 40, 0, "")
    found = []
    for (a, box), (b, other) in combinations(layout.boxes.items(), 2):
        beside = abs(box.x - other.x) >= WIDTH
        below = box.bottom <= other.y or other.bottom <= box.y
        if not beside and not below:
            found.append((a, b))
    assert all(box.x - WIDTH / 2 >= 0 for box in layout.boxes.values())
    assert all(box.x + WIDTH / 2 <= layout.width for box in layout.boxes.values())
    assert all(box.bottom <= layout.bottom for box in layout.boxes.values())
    return found


BLOCKS: st.SearchStrategy[list[Any]] = st.recursive(
    st.lists(
        st.sampled_from([{"wait": "1 day"}, {"exit": "x"}, {"add_tags": "a"}, {"jump_to": "top"}]),
        max_size=3,
    ),
    lambda block: st.lists(
        st.one_of(
            st.builds(lambda a, b: {"if": "lead.x", "then": a, "else": b}, block, block),
            st.builds(
                lambda a, b: {"wait_for": {"event": "E"}, "within": "1 day", "then": a, "else": b},
                block, block,
            ),
            st.builds(
                lambda a, b, c: {"choose": [{"when": "lead.x", "steps": a},
                                            {"when": "lead.y", "steps": b}], "otherwise": c},
                block, block, block,
            ),
            st.builds(lambda a, b: {"parallel": [a, b]}, block, block),
        ),
        max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=200)
@given(block=BLOCKS)
def test_no_two_nodes_overlap_and_all_edges_are_drawn(block: list[Any]) -> None:
    definition = define({"wait": "1 day", "id": "top"}, *block)
    assert _overlap(definition) == []
    text = svg(definition)
    assert text == svg(definition)
    ElementTree.fromstring(text)
    graph = graph_of(definition)
    names = {node.id for node in graph.nodes}
    assert all(edge.source in names and edge.target in names for edge in graph.edges)
    assert mermaid(definition).count("\n") >= len(graph.nodes) + len(graph.edges)


@settings(max_examples=300)
@given(document=CAMPAIGNS)
def test_whatever_can_be_read_can_be_drawn(document: Any) -> None:
    definition, _ = read_campaign(document)
    if definition is not None:
        ElementTree.fromstring(svg(definition))
        assert mermaid(definition).startswith("flowchart TD\n")
        assert reachable(flow_of(definition.steps))


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (Duration(), "0"),
        (Duration(days=3), "3 days"),
        (Duration(days=1), "1 day"),
        (Duration(months=14, days=-0), "1 year 2 months"),
        (Duration(days=1, ms=7_200_000), "1 day 2 hours"),
        (Duration(ms=90 * 60_000), "1 hour 30 minutes"),
        (Duration(days=-3), "-3 days"),
    ],
)
def test_durations_in_words(duration: Duration, text: str) -> None:
    assert duration_text(duration) == text


def test_values_in_words() -> None:
    assert instant_text(Instant(local="2026-12-24T00:00:00", plain_date=True)) == "2026-12-24"
    assert instant_text(Instant(local="2026-12-24T09:00:00")) == "2026-12-24T09:00"
    assert instant_text(Instant(ms=1_767_949_200_000)) == "2026-01-09T09:00Z"
    assert when_text(When(None, Window(1320, 360), frozenset({0, 6}))) == (
        "between 22:00-06:00 on mon, sun"
    )
    assert when_text(When(540, None, frozenset(range(5)))) == "at 09:00 on weekdays"
    spends = Trigger("spends_time", "", duration=Duration(ms=300_000), options={"on": ("/a*",)})
    assert trigger_text(spends) == "spends_time 5 minutes on /a*"
    assert trigger_text(Trigger("reaches_points", "", number=100, where="lead.x")) == (
        "reaches_points 100 where lead.x"
    )
    target = {"field": "ends", "offset": Duration(days=-3)}
    assert step_text(Step("wait_until", "a", "a", target)) == "3 days before lead.ends"
    assert step_text(Step("wait_until", "a", "a", {"field": "ends", "offset": Duration()})) == (
        "lead.ends"
    )
    assert step_text(Step("record_event", "a", "a", {"name": "Ended"})) == "Ended"
    assert step_text(Step("set_fields", "a", "a", {"b": {"expr": "now"}})) == "b: expr: now"
