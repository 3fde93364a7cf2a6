"""A scenario file read into a `Scenario`: every key known, every time an instant.

Source of the format: campaign-language, "Scenarios". Nothing here touches a file: what lies behind
a path of `campaigns` or `lists` comes through the `load` that the caller hands in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from schemas.ids import lead_id_problem
from streams.simulation.given import Given
from streams.simulation.scenario_rows import Row, read_rows
from streams.simulation.scenario_values import ScenarioError, instant, lead_of, only

Document = dict[str, Any]
Load = Callable[[str], Any]

OUTWARD = ("send_email", "send_sms", "send_push", "call_webhook", "push_to_crm", "notify")


class Expected(Struct):
    """One row of `then` or `suppressed`; only what was written is compared.

    `action` is (verb, value) of a verb's short form, `at` UTC ms, `keys` the other keys.
    """

    lead: str
    at: int | None
    action: tuple[str, Any] | None
    keys: dict[str, Any]


class Scenario(Struct):
    """One scenario, checked. Lists of expectations are None where the key is absent."""

    name: str
    campaigns: list[Document]
    lists: list[Document]
    given: list[Given]
    rows: list[Row]
    first_ms: int
    until_ms: int
    then: list[Expected] | None = None
    suppressed: list[Expected] | None = None
    facts: list[Document] = []
    never: list[Document] = []
    finally_: list[Document] = []
    waiting: list[Document] | None = None
    lint: list[Document] | None = None


KEYS = frozenset({
    "scenario", "campaigns", "campaign", "lists", "given", "from", "when", "until",
    "then", "suppressed", "facts", "never", "finally", "waiting", "lint",
})  # fmt: skip


def is_scenario(document: Any) -> bool:
    """Whether a YAML document is a scenario at all."""
    return isinstance(document, dict) and "scenario" in document


def read_scenario(document: Any, load: Load) -> Scenario:
    """Check a document and convert it. Raises `ScenarioError` at the first thing that is wrong.

    `load(path)` gives the document of a file named in `campaigns` or `lists`, relative to the
    scenario's own file; it raises `UsageError` where there is none.
    """
    if not is_scenario(document):
        raise ScenarioError("scenario", "the key `scenario`, which names the scenario, is missing")
    only(document, KEYS, "")
    name = document["scenario"]
    if not isinstance(name, str) or not name.strip():
        raise ScenarioError("scenario", "must be a sentence that says what must hold")
    rows = read_rows(_rows(document, "when"))
    first = _first(document, rows)
    expected = {key: _expected(document, key) for key in ("then", "suppressed")}
    return Scenario(
        name=name.strip(),
        campaigns=_campaigns(document, load),
        lists=_documents(document, "lists", "list", load),
        given=_given(document),
        rows=rows,
        first_ms=first,
        until_ms=_until(document, rows, first, expected),
        then=expected["then"],
        suppressed=expected["suppressed"],
        facts=_fact_rows(document, "facts"),
        never=_fact_rows(document, "never"),
        finally_=_finally(document),
        waiting=_waiting(document) if document.get("waiting") is not None else None,
        lint=_lint(document) if document.get("lint") is not None else None,
    )


def _rows(document: Document, key: str) -> list[tuple[str, Document]]:
    """The mappings below a key, each with its path."""
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ScenarioError(key, "must be a list of rows")
    for index, row in enumerate(value):
        if not isinstance(row, dict):
            raise ScenarioError(f"{key}[{index}]", "must be a mapping, like {lead: ana, …}")
    return [(f"{key}[{index}]", row) for index, row in enumerate(value)]


def _campaigns(document: Document, load: Load) -> list[Document]:
    campaigns = _documents(document, "campaigns", "campaign", load)
    inline = document.get("campaign")
    if inline is not None:
        campaigns.append(_document(inline, "campaign", "campaign", load))
    return campaigns


def _documents(document: Document, key: str, kind: str, load: Load) -> list[Document]:
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ScenarioError(key, f"must be a list of paths or of whole {kind} documents")
    return [_document(item, f"{key}[{i}]", kind, load) for i, item in enumerate(value)]


def _document(item: Any, path: str, kind: str, load: Load) -> Document:
    loaded = load(item) if isinstance(item, str) else item
    if not isinstance(loaded, dict) or kind not in loaded:
        raise ScenarioError(path, f"is not a {kind}: its key `{kind}` is missing")
    return loaded


def _given(document: Document) -> list[Given]:
    given: list[Given] = []
    for path, row in _rows(document, "given"):
        row = {key: value for key, value in row.items() if value is not None or key == "lead"}
        try:
            one = msgspec.convert(row, Given)
        except msgspec.ValidationError as error:
            raise ScenarioError(path, str(error)) from None
        if problem := lead_id_problem(one.lead):
            raise ScenarioError(f"{path}.lead", problem)
        if any(one.lead == other.lead for other in given):
            raise ScenarioError(f"{path}.lead", f"{one.lead} is given twice")
        given.append(one)
    return given


def _first(document: Document, rows: list[Row]) -> int:
    """The first instant: `from`, else the first arrival."""
    if document.get("from") is not None:
        first = instant(document["from"], "from")
    elif rows:
        first = min(row.arrives for row in rows)
    elif document.get("until") is not None:
        first = instant(document["until"], "until")
    else:
        first = 0
    for row in rows:
        if row.arrives < first:
            raise ScenarioError(row.path, "arrives before the first instant (`from`)")
    return first


def _until(
    document: Document,
    rows: list[Row],
    first: int,
    expected: Mapping[str, list[Expected] | None],
) -> int:
    """The last instant: `until`, else the last time that is named at all."""
    last = max([first, *(row.arrives for row in rows)])
    if document.get("until") is not None:
        until = instant(document["until"], "until")
        if until < last:
            raise ScenarioError("until", "is before the last row of `when`, or before `from`")
        return until
    named = [row.at for rows in expected.values() for row in rows or () if row.at is not None]
    named += [row["at"] for row in _fact_rows(document, "facts") if row.get("at") is not None]
    return max([last, *named])


def _expected(document: Document, key: str) -> list[Expected] | None:
    if document.get(key) is None:
        return None
    return [_action(path, row, key) for path, row in _rows(document, key)]


def _action(path: str, row: Document, key: str) -> Expected:
    """One row of `then` or `suppressed`."""
    reason = {"reason"} if key == "suppressed" else set()
    allowed = frozenset({"at", "lead", "step", "campaign", "run", "version", *OUTWARD} | reason)
    only(row, allowed, path)
    verbs = [verb for verb in OUTWARD if verb in row]
    if len(verbs) > 1:
        raise ScenarioError(path, f"names two actions: {' and '.join(verbs)}")
    if not verbs and "step" not in row:
        raise ScenarioError(path, "names neither a step nor a verb, like send_email: welcome")
    return Expected(
        lead=lead_of(row, path),
        at=instant(row["at"], f"{path}.at") if row.get("at") is not None else None,
        action=(verbs[0], row[verbs[0]]) if verbs else None,
        keys={name: row[name] for name in row if name not in {"at", "lead", *OUTWARD}},
    )


def _fact_rows(document: Document, key: str) -> list[Document]:
    rows = []
    for path, row in _rows(document, key):
        if "fact" not in row:
            raise ScenarioError(path, "names no kind of fact, like fact: entered")
        if row.get("at") is not None:
            row = {**row, "at": instant(row["at"], f"{path}.at")}
        rows.append(row)
    return rows


_FINALLY = frozenset({"lead", "points", "lists", "tags", "traits", "journeys", "unsubscribed"})


def _finally(document: Document) -> list[Document]:
    for path, row in _rows(document, "finally"):
        only(row, _FINALLY, path)
        lead_of(row, path)
        for key, kind in (("lists", list), ("tags", list), ("traits", dict), ("journeys", dict)):
            if key in row and not isinstance(row[key], kind):
                raise ScenarioError(f"{path}.{key}", f"must be a {kind.__name__}")
    return [row for _, row in _rows(document, "finally")]


def _waiting(document: Document) -> list[Document]:
    rows = []
    for path, row in _rows(document, "waiting"):
        only(row, frozenset({"lead", "step", "due", "campaign", "run"}), path)
        lead_of(row, path)
        if row.get("due") is not None:
            row = {**row, "due": instant(row["due"], f"{path}.due")}
        rows.append(row)
    return rows


def _lint(document: Document) -> list[Document]:
    for path, row in _rows(document, "lint"):
        only(row, frozenset({"path", "code", "severity", "message", "line", "column"}), path)
    return [row for _, row in _rows(document, "lint")]
