"""What a scenario expects against what happened; each difference as lines for a person.

Only what a row names is compared (campaign-language, "Scenarios").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from schemas.facts import FactRow, iso
from schemas.state import Lead
from streams.simulation.happened import Difference, Happened, Wait, journeys, waits
from streams.simulation.scenario_actions import actions
from streams.simulation.scenario_reading import Document, Scenario
from streams.simulation.scenario_values import ScenarioError, instant

A = TypeVar("A")
B = TypeVar("B")


def differences(scenario: Scenario, happened: Happened) -> list[Difference]:
    """Everything that is not as the scenario says, in the order of its keys."""
    found = actions("then", scenario.then, happened.issued)
    found += actions("suppressed", scenario.suppressed, happened.suppressed)
    found += _facts(scenario.facts, happened)
    found += _never(scenario.never, happened)
    found += _finally(scenario.finally_, happened)
    found += _waiting(scenario.waiting, happened)
    found += _lint(scenario.lint, happened)
    return found


# Facts


def _fact_is(row: Document, lead: str, fact: FactRow) -> bool:
    for key, value in row.items():
        if key == "fact":
            actual: Any = fact.fact
        elif key == "lead":
            actual = lead
        elif key in ("at", "campaign", "version", "run", "step", "journey"):
            actual = getattr(fact, key)
        elif key == "detail" and isinstance(value, dict):
            if not all(_same(item, fact.detail.get(name)) for name, item in value.items()):
                return False
            continue
        elif key in fact.detail:
            actual = fact.detail[key]
        else:
            return False
        if not _same(value, actual):
            return False
    return True


def _same(wanted: Any, actual: Any) -> bool:
    """Equal; an instant may be written as text."""
    if isinstance(wanted, str) and isinstance(actual, int) and not isinstance(actual, bool):
        try:
            return instant(wanted, "") == actual
        except ScenarioError:
            return False
    if isinstance(wanted, bool) or isinstance(actual, bool):
        return wanted is actual
    return bool(wanted == actual)


def _facts(rows: list[Document], happened: Happened) -> list[Difference]:
    found = []
    for row in rows:
        wanted = rows.count(row)
        count = sum(_fact_is(row, lead, fact) for lead, fact in happened.facts)
        if count < wanted:
            times = "" if wanted == 1 else f" {wanted} times, is {count} times"
            lines = [f"facts: {_row(row)} is not among the facts{times}"]
            found.append(Difference("facts", lines + _near(row, happened)))
    return found


def _never(rows: list[Document], happened: Happened) -> list[Difference]:
    return [
        Difference("never", [f"never: {_row(row)} happened", f"  + {_fact(lead, fact)}"])
        for row in rows
        for lead, fact in happened.facts
        if _fact_is(row, lead, fact)
    ]


def _near(row: Document, happened: Happened, most: int = 20) -> list[str]:
    """The facts of that kind and lead, else the lead's facts, for comparison."""
    of_lead = [(lead, fact) for lead, fact in happened.facts if row.get("lead", lead) == lead]
    of_kind = [(lead, fact) for lead, fact in of_lead if fact.fact == row.get("fact")]
    lines = [f"    {_fact(lead, fact)}" for lead, fact in of_kind or of_lead]
    return lines[:most] + ([f"    … {len(lines) - most} more"] if len(lines) > most else [])


def _row(row: Document) -> str:
    shown = {key: iso(value) if key == "at" else value for key, value in row.items()}
    return "{" + ", ".join(f"{key}: {value}" for key, value in shown.items()) + "}"


def _fact(lead: str, fact: FactRow) -> str:
    where = " ".join(part for part in (fact.campaign, fact.step) if part)
    detail = ", ".join(f"{key}: {value}" for key, value in fact.detail.items())
    return f"{iso(fact.at)} {lead} {fact.fact} {where} {{{detail}}}"


# States at the end


def _finally(rows: list[Document], happened: Happened) -> list[Difference]:
    lines = []
    for row in rows:
        lead = happened.leads.get(row["lead"]) or Lead()
        for key, wanted, actual in _states(row, lead, happened.facts):
            if wanted != actual:
                lines.append(f"  {row['lead']}: {key} expected {wanted}, is {actual}")
    return [Difference("finally", ["finally:", *lines])] if lines else []


def _states(
    row: Document, lead: Lead, facts: Sequence[tuple[str, FactRow]]
) -> Iterable[tuple[str, Any, Any]]:
    """(what, expected, actual) of each thing that a row names."""
    if "points" in row:
        yield "points", row["points"], lead.points
    for key, actual in (("lists", lead.lists), ("tags", lead.tags)):
        if key in row:
            yield key, sorted(set(row[key])), sorted(actual)
    if "unsubscribed" in row:
        gone = [channel for channel, why in lead.blocked.items() if why == "unsubscribed"]
        yield "unsubscribed", sorted(set(row["unsubscribed"])), sorted(gone)
    for name, value in row.get("traits", {}).items():
        yield f"traits.{name}", value, lead.traits.get(name)
    for campaign, wanted in row.get("journeys", {}).items():
        runs = journeys(row["lead"], campaign, facts)
        if wanted in ("none", None):
            wanted = []
        yield f"journeys.{campaign}", wanted if isinstance(wanted, list) else [wanted], runs


def _waiting(rows: list[Document] | None, happened: Happened) -> list[Difference]:
    """Exactly, for the leads named; an empty list says that nobody waits."""
    if rows is None:
        return []
    named = {row["lead"] for row in rows}
    actual = [wait for wait in waits(happened.leads) if wait.lead in named or not named]
    missing, extra = unmatched(rows, actual, _wait_is)
    lines = []
    for row in missing:
        due = {"due": iso(row["due"]) if row["due"] is not None else None} if "due" in row else {}
        lines.append(f"  - {_row({**row, **due})}   expected, does not wait")
    lines += [f"  + {wait.lead}: {wait}   waits, not expected" for wait in extra]
    return [Difference("waiting", ["waiting:", *lines])] if lines else []


def _wait_is(row: Document, wait: Wait) -> bool:
    return all(getattr(wait, key) == value for key, value in row.items())


def _lint(rows: list[Document] | None, happened: Happened) -> list[Difference]:
    """The findings, exactly; where the scenario names none, an error fails it."""
    if rows is None:
        errors = [finding for finding in happened.findings if finding["severity"] == "error"]
        lines = [f"  + {_finding(finding)}" for finding in errors]
        return [Difference("lint", ["lint: errors in the documents", *lines])] if lines else []

    def matches(row: Document, finding: Document) -> bool:
        return all(finding[key] == value for key, value in row.items())

    missing, extra = unmatched(rows, happened.findings, matches)
    lines = [f"  - {_row(row)}   expected, not found" for row in missing]
    lines += [f"  + {_finding(finding)}   found, not expected" for finding in extra]
    return [Difference("lint", ["lint:", *lines])] if lines else []


def _finding(finding: Document) -> str:
    return f"{finding['severity']} {finding['code']} at {finding['path']}: {finding['message']}"


def unmatched(
    wanted: Sequence[A], actual: Sequence[B], matches: Callable[[A, B], bool]
) -> tuple[list[A], list[B]]:
    """What stays over on both sides when as many as possible are paired, one to one."""
    partner: dict[int, int] = {}

    def pair(i: int, tried: set[int]) -> bool:
        for j, candidate in enumerate(actual):
            if j in tried or not matches(wanted[i], candidate):
                continue
            tried.add(j)
            if j not in partner or pair(partner[j], tried):
                partner[j] = i
                return True
        return False

    missing = [wanted[i] for i in range(len(wanted)) if not pair(i, set())]
    return missing, [candidate for j, candidate in enumerate(actual) if j not in partner]
