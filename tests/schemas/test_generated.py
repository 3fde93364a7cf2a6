"""What is generated from the schemas equals the code, and the JSON Schemas agree with lint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from schemas.changes import Change
from schemas.commands import Command
from schemas.facts import FactList, FactRow
from schemas.generate import files, write
from schemas.json_schemas import documents
from schemas.language import CAMPAIGN, NOT_YET, STEP, STEPS_TABLE, TRIGGER
from schemas.language_expressions import FUNCTIONS, NAMES
from schemas.records import Interaction, Outcome, WakeUp
from streams.engine.expression_functions import FUNCTIONS as BUILT
from streams.engine.expression_names import JOURNEY_FIELDS, LEAD_FIELDS
from streams.engine.findings import Findings
from streams.engine.reading import read_campaign
from streams.engine.reading_scalars import SCALARS
from streams.engine.reading_steps import StepReader
from tests.engine.documents import DOCUMENTS

ROOT = Path(__file__).parents[2]
SCHEMAS = documents()
CAMPAIGN_SCHEMA = Draft202012Validator(SCHEMAS["campaign"])


@pytest.mark.parametrize("name", sorted(files()))
def test_generated_files_are_those_of_the_code(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == files()[name], "run `make docs`"


def test_no_other_schema_lies_about() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in (ROOT / "schemas/json").iterdir()}
    assert found == {name for name in files() if name.startswith("schemas/json/")}


def test_writing_tells_what_changed(tmp_path: Path) -> None:
    assert len(write(tmp_path)) == len(files())
    assert write(tmp_path) == []


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schemas_are_valid(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


@settings(max_examples=500)
@given(document=DOCUMENTS)
def test_what_is_read_without_findings_is_valid_for_editors(document: Any) -> None:
    definition, _ = read_campaign(document)
    if definition is not None:
        assert list(CAMPAIGN_SCHEMA.iter_errors(document)) == []


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"enter": [{"called": True}]}, True),
        ({"exit": {"called": True}}, False),
        ({"entre": []}, False),
        ({"timezone": 3}, False),
        ({"priority": 10}, False),
        ({"steps": [{"wait": "3 days", "at": "09:00", "on": ["weekdays"]}]}, True),
        ({"steps": [{"wait": "P1DT2H"}, {"wait": 0}]}, True),
        ({"steps": [{"wait": "3 fortnights"}]}, False),
        ({"steps": [{"wait": "3 days", "then": []}]}, False),
        ({"steps": [{"wait_for": [{"event": "A", "then": []}]}]}, True),
        ({"steps": [{"wait_for": {"event": "A", "then": []}}]}, False),
        ({"steps": [{"if": "lead.x", "then": [{"exit": 3}]}]}, False),
        ({"steps": [{"set_fields": {"a": {"expr": "now"}, "b": [1]}}]}, True),
        ({"steps": [{"wait_until": {"field": "a", "offset": "-3 days"}, "if_past": "exit"}]}, True),
        ({"steps": [{}]}, False),
    ],
)
def test_the_campaign_schema(change: dict[str, Any], valid: bool) -> None:
    document = {"campaign": "c", "enter": {"event": "E"}, "steps": [], **change}
    assert CAMPAIGN_SCHEMA.is_valid(document) is valid
    assert (read_campaign(document)[0] is not None) is valid


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("interaction", Interaction("track", "A", "ana", properties=msgspec.Raw(b'{"a":1}'))),
        ("wake-up", WakeUp(5)),
        ("outcome", Outcome("c", "j", "a", "s", "email", "delivered")),
        ("command", Command("i", "j", "c", 1, 1, "s", "ana", "send_email", "email", 1, 2)),
        ("change", Change("list", "a", "publish", {"list": "a"}, "d")),
        ("facts", FactList("ana", 0, 1, 2, "r", [FactRow(1, "entered")])),
    ],
)
def test_messages_are_valid_by_their_schemas(name: str, message: Any) -> None:
    validator = Draft202012Validator(SCHEMAS[name])
    data = msgspec.json.decode(msgspec.json.encode(message))
    assert list(validator.iter_errors(data)) == []
    assert not validator.is_valid({})


def test_every_shape_of_the_table_has_a_reader() -> None:
    readers = {*SCALARS, *StepReader(Findings()).kinds}
    shapes = [key.shape for key in CAMPAIGN]
    for verb in (*STEPS_TABLE, *TRIGGER.values()):
        shapes += [verb.shape, *(key.shape for key in verb.options)]
    while shapes:
        shape = shapes.pop()
        assert shape.kind in readers
        shapes += [key.shape for key in shape.keys]
        shapes += [shape.item] if shape.item is not None else []


def test_what_is_not_built_yet_names_parts_of_the_language() -> None:
    header = {key.name for key in CAMPAIGN}
    for entry in NOT_YET:
        name = entry.split("!=")[0].split("=")[0]
        place, *rest = name.split(".")
        if place == "campaign":
            assert rest[0] in header
        elif place in ("step", "trigger") and rest[0] != "*":
            verb = (STEP if place == "step" else TRIGGER)[rest[0]]
            assert rest[1:] == [] or rest[1] in {key.name for key in verb.options}
        elif place == "step":
            assert any(key.name == rest[1] for verb in STEPS_TABLE for key in verb.options)
        else:
            assert name == "list.when"


def test_the_functions_and_names_told_are_those_built() -> None:
    told = {signature.split("(")[0] for signature in FUNCTIONS}
    assert told == {*BUILT, "regex", "times"}
    for signature in FUNCTIONS:
        name, _, arguments = signature.partition("(")
        if name in BUILT:
            assert arguments.count(",") + 1 == BUILT[name][1]
    assert {n for n in NAMES if n.startswith("lead.")} == {
        "lead.<field>",
        *(f"lead.{field}" for field in LEAD_FIELDS),
    }
    assert {n for n in NAMES if n.startswith("journey.")} == {
        'journey.variant("split-id")',
        *(f"journey.{field}" for field in JOURNEY_FIELDS),
    }
