"""JSON Schemas (draft 2020-12): of campaign and list files for editors, of what lies on topics.

The first are made from the language's table, the others from the msgspec Structs. A schema is
never stricter than the reader (`streams.engine.reading`), which alone decides.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from typing import Any, Final, get_type_hints

import msgspec
from msgspec import Raw, Struct

from schemas.changes import Change
from schemas.commands import Command, Suppression
from schemas.facts import SHIPPED, FactList
from schemas.language import CAMPAIGN, COMMON, LIST, OWN_BRANCH, STEP, TRIGGER, WHERE
from schemas.language_shapes import Key, Shape, Verb
from schemas.records import SCHEMAS

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_UNIT: Final = "seconds?|minutes?|hours?|days?|weeks?|months?|years?"
_ISO: Final = r"P(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?"
_DAYS: Final = ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "weekdays", "weekends"]
_DATE: Final = (
    r"^\s*\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?\s*$"
)
_TIME: Final = r"([01]\d|2[0-3]):[0-5]\d"


def documents() -> dict[str, Schema]:
    """Every schema by its name: `campaign`, `list`, and the `schema` header of each message."""
    found = {
        "campaign": {**_document("A campaign file", CAMPAIGN), "$defs": _definitions()},
        "list": _document("A list file", LIST),
    }
    messages: dict[str, type[Struct]] = {name.split("/")[0]: kind for name, kind in SCHEMAS.items()}
    messages |= {
        "change": Change, "command": Command, "facts": FactList, "suppression": Suppression,
    }  # fmt: skip
    return found | {name: _message(kind) for name, kind in messages.items()}


# Files that people write


def _document(title: str, keys: tuple[Key, ...]) -> Schema:
    return {"$schema": DRAFT, "title": title, **_object(keys)}


def _definitions() -> dict[str, Schema]:
    return {
        "duration": _duration(""),
        "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
        "step": {
            "type": "object",
            "anyOf": [_verb(verb, verb.options, COMMON) for verb in STEP.values()],
        },
        "trigger": _trigger(entries=False, branches=False),
        "entry": _trigger(entries=True, branches=False),
        "branch": _trigger(entries=False, branches=True),
    }


def _trigger(*, entries: bool, branches: bool) -> Schema:
    common = (WHERE, OWN_BRANCH) if branches else (WHERE,)
    verbs = [verb for verb in TRIGGER.values() if entries or not verb.only]
    return {"type": "object", "anyOf": [_verb(verb, verb.options, common) for verb in verbs]}


def _verb(verb: Verb, options: tuple[Key, ...], common: tuple[Key, ...]) -> Schema:
    main = Key(verb.name, verb.shape, verb.meaning, required=True)
    return {"title": verb.name, **_object((main, *options, *common))}


def _object(keys: tuple[Key, ...]) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {key.name: _property(key) for key in keys},
        "additionalProperties": False,
    }
    if required := [key.name for key in keys if key.required]:
        schema["required"] = required
    return schema


def _property(key: Key) -> Schema:
    entries = key.name == "enter"
    schema = _triggers("entry", "entry") if entries else shape_schema(key.shape)
    told = {"description": key.meaning[0].upper() + key.meaning[1:] + "."}
    if key.default is not None and key.shape.kind in ("boolean", "integer", "choice"):
        told["default"] = key.default
    return {**schema, **told}


def shape_schema(shape: Shape) -> Schema:
    """The schema of a value of this shape."""
    made = _KINDS.get(shape.kind)
    schema = made(shape) if made else dict(_FIXED[shape.kind])
    return {**schema, "examples": [shape.example]} if shape.example else schema


def _text(shape: Shape) -> Schema:
    schema: Schema = {"type": "string"}
    if shape.least:
        schema["minLength"] = int(shape.least)
    if shape.most is not None:
        schema["maxLength"] = int(shape.most)
    return schema


def _one_or_list(item: Schema) -> Schema:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


def _bounded(kind: str) -> Callable[[Shape], Schema]:
    def bounded(shape: Shape) -> Schema:
        schema: Schema = {"type": kind}
        for name, bound in (("minimum", shape.least), ("maximum", shape.most)):
            if bound is not None:
                schema[name] = bound
        return schema

    return bounded


def _triggers(single: str, listed: str) -> Schema:
    one, items = ({"$ref": f"#/$defs/{name}"} for name in (single, listed))
    return {"anyOf": [one, {"type": "array", "items": items, "minItems": 1}]}


def _duration(sign: str) -> Schema:
    pattern = rf"^\s*({sign}\d+\s*({_UNIT})|{sign}{_ISO}|0)\s*$"
    return {"anyOf": [{"type": "string", "pattern": pattern}, {"const": 0}]}


def _target(shape: Shape) -> Schema:
    return {"anyOf": [_FIXED["instant"], _object(shape.keys)]}


def _map(shape: Shape) -> Schema:
    assert shape.item is not None, "a map without an item"
    return {"type": "object", "additionalProperties": shape_schema(shape.item)}


_EXPR: Final[Schema] = {
    "type": "object",
    "properties": {"expr": {"type": ["string", "boolean"]}},
    "required": ["expr"],
    "additionalProperties": False,
}
_STEPS: Final[Schema] = {"$ref": "#/$defs/steps"}
_FIXED: Final[dict[str, Schema]] = {
    "boolean": {"type": "boolean"},
    "true": {"const": True},
    "zone": {"type": "string"},
    "expression": {"type": ["string", "boolean"]},
    "liquid_data": {},
    "value": {},
    "computed": {},
    "computed_number": {"anyOf": [{"type": "number"}, _EXPR]},
    "duration": {"$ref": "#/$defs/duration"},
    "offset": _duration("[+-]?"),
    "instant": {"type": "string", "pattern": _DATE},
    "deadline": {"anyOf": [{"$ref": "#/$defs/duration"}, {"type": "string", "pattern": _DATE}]},
    "time": {"type": "string", "pattern": rf"^\s*{_TIME}\s*$"},
    "window": {"type": "string", "pattern": rf"^\s*{_TIME}\s*[-–]\s*({_TIME}|24:00)\s*$"},
    "days": {
        "anyOf": [{"enum": _DAYS}, {"type": "array", "items": {"enum": _DAYS}}],
    },
    "percent": {"type": "string", "pattern": r"^\s*\d{1,3}(\.\d+)?\s*%\s*$"},
    "rate": {"type": "string", "pattern": r"^\s*\d+\s+per\s+(second|minute|hour|day)\s*$"},
    "every": {"type": "string", "pattern": r"^(day|week|month|year)( on \w+)?( at \d{2}:\d{2})?$"},
    "triggers": _triggers("trigger", "trigger"),
    "wait_triggers": _triggers("trigger", "branch"),
    "steps": _STEPS,
    "branches": {"type": "array", "items": _STEPS, "minItems": 1},
    "removed_steps": {
        "anyOf": [
            {"const": "exit"},
            {"type": "object", "additionalProperties": {"type": "string"}},
        ]
    },
}
_KINDS: Final[dict[str, Callable[[Shape], Schema]]] = {
    "text": _text,
    "name": _text,
    "liquid": _text,
    "names": lambda shape: _one_or_list(_text(shape)),
    "globs": lambda shape: _one_or_list(_text(shape)),
    "id": lambda shape: {"type": "string", "pattern": f"^{shape.pattern}$"},
    "choice": lambda shape: {"enum": list(shape.choices)},
    "channels": lambda shape: _one_or_list({"enum": list(shape.choices)}),
    "integer": _bounded("integer"),
    "number": _bounded("number"),
    "mapping": lambda shape: _object(shape.keys),
    "map": _map,
    "target": _target,
    "arms": lambda shape: {"type": "array", "items": _object(shape.keys), "minItems": 1},
}


# What lies on topics


def _message(kind: type[Struct]) -> Schema:
    mirrored = _without_raw(kind)
    _, components = msgspec.json.schema_components([mirrored], ref_template="#/$defs/{name}")
    main: Schema = components.pop(kind.__name__)
    if row := components.get("FactRow"):
        row["properties"]["fact"] = {"enum": sorted(SHIPPED)}
    for schema in (main, *components.values()):
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    return {"$schema": DRAFT, **main, **({"$defs": components} if components else {})}


def _without_raw(kind: type[Struct]) -> type[Struct]:
    """The same Struct with objects where it keeps raw JSON, which msgspec cannot describe."""
    hints = get_type_hints(kind)
    if Raw not in hints.values():
        return kind
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        if field.type is Raw:
            fields.append((field.encode_name, dict[str, Any], msgspec.field(default_factory=dict)))
        elif field.required:
            fields.append((field.encode_name, field.type))
        else:
            fields.append((field.encode_name, field.type, field.default))
    return msgspec.defstruct(kind.__name__, fields, namespace={"__doc__": kind.__doc__})
