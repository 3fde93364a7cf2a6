"""Rows of `when`: what happens in a scenario, and the record that each one stands for.

Any trigger's short form may stand in for the event it means (campaign-language, "Scenarios";
the events' names: interfaces, "Events and what they mean").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct

from schemas.commands import Command
from schemas.facts import iso
from schemas.ids import lead_id_problem
from schemas.records import NO_JSON, ByHand, Interaction, Outcome
from streams.simulation.scenario_values import ScenarioError, instant, lead_of, only

Document = dict[str, Any]
Body = Interaction | Outcome | ByHand

_encode = msgspec.json.Encoder().encode
_COMMON = frozenset({"at", "arrives", "lead"})
_OF_EVENT = frozenset({"context", "historical", "id"})
_MESSAGE = frozenset({"run", "campaign", "properties"})
_CHANGE = frozenset({"at", "arrives", "campaign", "list", "do", "document", "on_resume"})

# Each verb of a row about a lead, with the keys that it takes besides the common ones.
_VERBS: dict[str, frozenset[str]] = {
    "event": _OF_EVENT | {"properties"},
    "page": _OF_EVENT | {"properties", "referrer"},
    "visits_page": _OF_EVENT | {"properties", "referrer"},
    "identify": _OF_EVENT,
    "opens_email": _OF_EVENT | _MESSAGE,
    "clicks_email": _OF_EVENT | _MESSAGE | {"url"},
    "replies_to_email": _OF_EVENT | _MESSAGE,
    "submits_form": _OF_EVENT | {"properties"},
    "downloads": _OF_EVENT | {"properties"},
    "unsubscribes": _OF_EVENT | {"properties"},
    "bounces": _OF_EVENT | {"properties"},
    "changes_field": _OF_EVENT | {"to", "from"},
    "joins_list": frozenset({"id"}),
    "leaves_list": frozenset({"id"}),
    "enter": frozenset({"id"}),
    "called": frozenset({"id"}),
    "remove": frozenset({"id"}),
    "outcome": frozenset({"step", "run", "campaign", "detail", "id"}),
}
_NO_EVENT = {
    "becomes": "merging leads is not built yet",
    "spends_time": "write the page views and Heartbeat events that prove it",
    "reaches_points": "no event means it: let a campaign change the points",
    "is_created": "no event means it: write the lead's first event",
    "date": "dates come by themselves",
    "date_field": "dates come by themselves; identify sets the field",
}


class Row(Struct):
    """One row of `when`, checked. `lead` is "" for a change of a campaign or list.

    `arrives` is the record's time and `at` the event's own timestamp, both UTC ms; `options` are
    the row's other keys.
    """

    path: str
    arrives: int
    at: int
    lead: str
    verb: str
    value: Any
    options: Document


def read_rows(rows: Sequence[tuple[str, Document]]) -> list[Row]:
    """All rows in order of arrival, stable."""
    return sorted((_read(path, row) for path, row in rows), key=lambda row: row.arrives)


def _read(path: str, row: Document) -> Row:
    if "at" not in row and "arrives" not in row:
        raise ScenarioError(f"{path}.at", "the time is missing")
    at = instant(row.get("at", row.get("arrives")), f"{path}.at")
    arrives = instant(row["arrives"], f"{path}.arrives") if "arrives" in row else at
    if "lead" not in row:
        return _change(path, row, at, arrives)
    lead = lead_of(row, path)
    if problem := lead_id_problem(lead):
        raise ScenarioError(f"{path}.lead", problem)
    for verb, why in _NO_EVENT.items():
        if verb in row:
            raise ScenarioError(f"{path}.{verb}", why)
    # `campaign` narrows down a message, `id` names the record: neither is what happens.
    verbs = [key for key in row if key in _VERBS]
    if len(verbs) != 1:
        found = " and ".join(verbs) if verbs else "nothing"
        raise ScenarioError(path, f"must say one thing that happens, says {found}")
    verb = verbs[0]
    only(row, _COMMON | _VERBS[verb] | {verb}, path)
    _check(path, verb, row)
    options = {key: row[key] for key in row if key in _VERBS[verb]}
    return Row(path, arrives, at, lead, verb, row[verb], options)


def _check(path: str, verb: str, row: Document) -> None:
    mappings = {"properties", "context"} | ({"identify"} if verb == "identify" else set())
    for key in mappings & set(row):
        if not isinstance(row[key], dict):
            raise ScenarioError(f"{path}.{key}", "must be a mapping")
    if verb == "identify":
        return
    if not isinstance(row[verb], str) or not row[verb]:
        raise ScenarioError(f"{path}.{verb}", "must be one name")
    if verb == "outcome" and row[verb] not in ("delivered", "failed", "bounced"):
        raise ScenarioError(f"{path}.outcome", "is delivered, failed or bounced")
    if verb == "outcome" and not isinstance(row.get("step"), str):
        raise ScenarioError(f"{path}.step", "name the step whose action this is the outcome of")


def _change(path: str, row: Document, at: int, arrives: int) -> Row:
    """A row that changes a campaign or a list: `{campaign: id, do: publish, document: …}`."""
    only(row, _CHANGE, path)
    kinds = [kind for kind in ("campaign", "list") if kind in row]
    if len(kinds) != 1:
        raise ScenarioError(path, "names neither a lead nor a campaign")
    kind = kinds[0]
    do = row.get("do")
    if do in ("pause", "resume", "end", "archive"):
        raise ScenarioError(f"{path}.do", f"{do} is not built yet")
    if do != "publish":
        raise ScenarioError(f"{path}.do", "is publish, pause, resume, end or archive")
    document = row.get("document")
    if not isinstance(document, dict) or document.get(kind) != row[kind]:
        raise ScenarioError(f"{path}.document", f"must be a whole {kind} with the id {row[kind]}")
    return Row(path, arrives, at, "", kind, row[kind], {"do": do, "document": document})


def body_of(row: Row, messages: Sequence[Command]) -> Body:
    """The record that a row about a lead stands for; `messages` are its commands so far, in order.

    Raises `ScenarioError` where the outcome of an action is told that was never issued.
    """
    if row.verb == "outcome":
        return _outcome(row, messages)
    if row.verb in _BY_HAND:
        return ByHand(_BY_HAND[row.verb], row.value, by="scenario")
    kind, event, data = _EVENTS[row.verb](row, messages)
    return Interaction(
        type=kind,
        event=event,
        userId=row.lead,
        properties=_raw(
            {} if kind == "identify" else {**data, **row.options.get("properties", {})}
        ),
        traits=_raw(data if kind == "identify" else {}),
        context=_raw(row.options.get("context", {})),
        timestamp=iso(row.at),
        historical=bool(row.options.get("historical", False)),
    )


def _raw(value: Document) -> Raw:
    return Raw(_encode(value)) if value else NO_JSON


_BY_HAND: dict[str, Literal["enter", "remove", "join", "leave"]] = {
    "enter": "enter",
    "called": "enter",
    "remove": "remove",
    "joins_list": "join",
    "leaves_list": "leave",
}
_Event = tuple[Literal["track", "page", "identify"], str | None, Document]


def _page(row: Row, _: Sequence[Command]) -> _Event:
    if "://" in row.value:
        data = {"url": row.value, "path": urlsplit(row.value).path or "/"}
    else:
        data = {"path": row.value}
    if "referrer" in row.options:
        data["referrer"] = row.options["referrer"]
    return "page", None, data


def _message(name: str) -> Callable[[Row, Sequence[Command]], _Event]:
    """An event about a message: the newest of that step or template, or of the run that is named.

    Without such a message it names the template alone, as a provider's webhook would.
    """

    def event(row: Row, messages: Sequence[Command]) -> _Event:
        found = _find(row, row.value, messages)
        data: Document
        if found is None:
            data = {} if row.value == "any" else {"template": row.value}
        else:
            data = {"template": found.template, "message": {
                "command_id": found.id, "journey_id": found.journey_id,
                "step": found.step, "template": found.template,
            }}  # fmt: skip
        if name == "Email Link Clicked":
            data["link_url"] = row.options.get("url", "https://example.com/")
        return "track", name, data

    return event


def _find(row: Row, name: str, messages: Sequence[Command]) -> Command | None:
    for command in reversed(messages):
        if name not in ("any", command.step, command.template):
            continue
        if row.options.get("run", command.run) != command.run:
            continue
        if row.options.get("campaign", command.campaign) == command.campaign:
            return command
    return None


def _named(name: str, field: str) -> Callable[[Row, Sequence[Command]], _Event]:
    return lambda row, _: ("track", name, {field: row.value})


def _channel(name: str) -> Callable[[Row, Sequence[Command]], _Event]:
    """`unsubscribes: any` is the loss of one channel, which is mail."""
    return lambda row, _: (
        "track", name, {"channel": "email" if row.value == "any" else row.value}
    )  # fmt: skip


_EVENTS: dict[str, Callable[[Row, Sequence[Command]], _Event]] = {
    "event": lambda row, _: ("track", row.value, {}),
    "page": _page,
    "visits_page": _page,
    "identify": lambda row, _: ("identify", None, row.value),
    "changes_field": lambda row, _: ("identify", None, {row.value: row.options.get("to")}),
    "opens_email": _message("Email Opened"),
    "clicks_email": _message("Email Link Clicked"),
    "replies_to_email": _message("Email Replied"),
    "submits_form": _named("Form Submitted", "form_id"),
    "downloads": _named("File Downloaded", "name"),
    "unsubscribes": _channel("Unsubscribed"),
    "bounces": _channel("Email Bounced"),
}


def _outcome(row: Row, messages: Sequence[Command]) -> Outcome:
    found = _find(row, row.options["step"], messages)
    if found is None:
        step = row.options["step"]
        raise ScenarioError(row.path, f"{row.lead} has got no action of the step {step} so far")
    return Outcome(
        command_id=found.id,
        journey_id=found.journey_id,
        campaign=found.campaign,
        step=found.step,
        channel=found.channel,
        result=row.value,
        detail=row.options.get("detail", ""),
        address=found.address,
    )
