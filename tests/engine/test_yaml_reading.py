"""YAML as campaigns are written in: core schema, positions, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.yaml_reading import MAX_BYTES, load_yaml


def read(text: str) -> Any:
    document, _, findings = load_yaml(text)
    assert findings == []
    return document


@pytest.mark.parametrize(
    ("scalar", "expected"),
    [
        ("true", True), ("True", True), ("FALSE", False),
        ("yes", "yes"), ("no", "no"), ("NO", "NO"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("null", None), ("~", None), ("", None), ("NULL", None), ("none", "none"),
        ("17", 17), ("-5", -5), ("+5", 5), ("017", 17), ("0o17", 15), ("0x1F", 31), ("0b1", "0b1"),
        ("1_000", "1_000"), ("09:00", "09:00"), ("12:30:45", "12:30:45"),
        ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("1.5.6", "1.5.6"),
        ("2026-12-24", "2026-12-24"), ("2026-12-24T09:00:00Z", "2026-12-24T09:00:00Z"),
        ('"17"', "17"), ("'true'", "true"), ("!!str 17", "17"), ("10%", "10%"),
        ("9223372036854775807", 9223372036854775807), ("=", "="),
    ],
)  # fmt: skip
def test_scalars_by_the_core_schema(scalar: str, expected: Any) -> None:
    value = read(f"key: {scalar}")["key"]
    assert value == expected
    assert type(value) is type(expected)


def test_keys_are_texts() -> None:
    assert read("on: 1\nno: 2\n? long\n: 3\n") == {"on": 1, "no": 2, "long": 3}


def test_positions_of_values_and_keys() -> None:
    text = "campaign: x\nsteps:\n  - wait: 3 days\n    on: [mon,\n      tue]\n"
    _, positions, _ = load_yaml(text, "a.yaml")
    assert positions.file == "a.yaml"
    assert positions.of("campaign") == (1, 11)
    assert positions.of("campaign", key=True) == (1, 1)
    assert positions.of("steps") == (3, 3)
    assert positions.of("steps[0]") == (3, 5)
    assert positions.of("steps[0].on[1]") == (5, 7)
    assert positions.of("steps[0].on", key=True) == (4, 5)
    assert positions.of("steps[0].on[7].x") == (4, 9), "the nearest node around"
    assert positions.of("nothing") == (1, 1)


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("a: 1\nb: *x\n", 2, 4, "aliases"),
        ("a: &x 1\n", 1, 4, "anchors"),
        ("a: &x [1]\n", 1, 4, "anchors"),
        ("a: 1\n<<: {b: 1}\n", 2, 1, "merge"),
        ("a: 1\nb: 2\na: 3\n", 3, 1, "twice, first in line 1"),
        ("a:\n  b: 1\n  b: {c: [1]}\n", 3, 3, "twice"),
        ("1: x\n", 1, 1, '"1"'),
        ("true: x\n", 1, 1, '"true"'),
        ("? [a, b]\n: x\n", 1, 3, "text"),
        ("a: !!python/name:os.system x\n", 1, 4, "tags"),
        ("a: !mine {b: 1}\n", 1, 4, "tags"),
        ("a: !!int '1'\n", 1, 4, "tags"),
        ("a: .inf\n", 1, 4, "no number"),
        ("a: .NaN\n", 1, 4, "no number"),
        ("a: 9223372036854775808\n", 1, 4, "64 bits"),
        (f"a: {'9' * 5000}\n", 1, 4, "64 bits"),
        ("a: 1e999\n", 1, 4, "too large"),
        ("a: 1\n--- \nb: 1\n", 2, 1, "several documents"),
        ("", 0, 0, "empty"),
        ("# nothing\n", 0, 0, "empty"),
        ("a: b: c\n", 1, 5, "`: `"),
        ("a:\n\tb: 1\n", 2, 1, "tabs"),
        ("a: [1, 2\nb: 1\n", 1, 4, "bracket"),
        ("a: \x00\n", 1, 4, "control"),
        ("a: \ud800\n", 0, 0, "surrogate"),
        ("x: 1\nif: \"vip\" in lead.tags\n", 2, 11, "'\"vip\" in lead.tags'"),
        ("- if: 'a' == lead.x\n  then: []\n", 1, 11, "quoted as a whole"),
        ("only_if: \"x\" == lead.a and\n  lead.b\n", 1, 14, "quoted as a whole"),
        ("visits_page: *.pdf*\n", 1, 15, "`*` must be quoted"),
        ("name: \"Trial\"\n bad: 1\n", 2, 2, "not YAML: did not find"),
        ("on: [mon]\n bad\nx: 1", 2, 2, "not YAML"),
        ("a: \"x\nb: 1\n", 1, 4, "quoted as a whole"),
        ("if: [1] == lead.x\n", 1, 9, "`[` must be quoted"),
        ("a: @home\n", 1, 4, "`@` must be quoted"),
        ("a: " + "[" * 101 + "]" * 101, 1, 103, "100 deep"),
        ("a: '" + "x" * MAX_BYTES + "'", 0, 0, "at most 1048576"),
    ],
)  # fmt: skip
def test_refused(text: str, line: int, column: int, says: str) -> None:
    _, _, findings = load_yaml(text, "a.yaml")
    finding = findings[0]
    assert (finding.code, finding.line, finding.column) == ("yaml", line, column)
    assert says in finding.message
    assert finding.file == "a.yaml"
    assert finding.severity == "error"


def test_all_refusals_of_one_file_are_told_and_the_rest_is_read() -> None:
    document, _, findings = load_yaml("a: &x 1\nb: *x\na: 2\nc: {<<: 1, d: 2}\n7: {e: 1}\n")
    assert [finding.line for finding in findings] == [1, 2, 3, 4, 5]
    assert document == {"a": 1, "b": None, "c": {"d": 2}}


QUOTED = st.recursive(
    st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


@given(data=QUOTED)
def test_what_a_yaml_writer_quotes_comes_back(data: Any) -> None:
    document, _, findings = load_yaml(yaml.safe_dump(data, default_style='"', allow_unicode=True))
    assert findings == []
    assert document == data


@given(text=st.text(alphabet="ab:-[]{}\"'&*!|>#%@`\n ,?1.", max_size=60) | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    document, positions, findings = load_yaml(text)
    assert all(finding.code == "yaml" for finding in findings)
    assert document is None or "" in positions.values
