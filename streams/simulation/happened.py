"""What a run of a scenario leaves behind: actions, facts, states, and how journeys stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from schemas.facts import FactRow, iso
from schemas.state import Lead


class Action(Struct):
    """An outward action that was issued, or suppressed for `reason`; `at` is UTC ms.

    `value` is what the verb's short form names: a template, or a webhook's mapping.
    """

    lead: str
    at: int
    campaign: str
    version: int
    run: int
    step: str
    verb: str
    value: Any = None
    reason: str = ""

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"{iso(self.at)} {self.verb} {short(self.value)} at {self.step}{reason}"


class Wait(Struct):
    """A place where a journey waits at the end; `due` None has no deadline."""

    lead: str
    campaign: str
    run: int
    step: str
    due: int | None

    def __str__(self) -> str:
        return f"{self.step} due {'null' if self.due is None else iso(self.due)}"


class Happened(Struct):
    """All that a run of a scenario left behind. `facts` are (lead, fact) in the order decided;
    `leads` the states at `until`; `findings` what lint said of all documents."""

    facts: list[tuple[str, FactRow]]
    issued: list[Action]
    suppressed: list[Action]
    leads: Mapping[str, Lead | None]
    findings: list[dict[str, Any]]


class Difference(Struct):
    """One thing that is not as expected: the scenario's key, and lines that show it."""

    part: str
    lines: list[str]


def short(value: Any) -> str:
    """A template's name, or a webhook's URL."""
    if isinstance(value, dict) and "url" in value:
        return str(value["url"])
    return "" if value is None else str(value)


def journeys(lead: str, campaign: str, facts: Sequence[tuple[str, FactRow]]) -> list[str]:
    """How each run of a lead in a campaign stands: `active`, `completed` or why it was left."""
    runs: dict[str, str] = {}
    for one, fact in facts:
        if one != lead or fact.campaign != campaign:
            continue
        if fact.fact == "entered":
            runs[fact.journey] = "active"
        elif fact.fact == "completed":
            runs[fact.journey] = "completed"
        elif fact.fact == "left":
            runs[fact.journey] = fact.detail["reason"]
    return list(runs.values())


def waits(leads: Mapping[str, Lead | None]) -> list[Wait]:
    """Where all journeys wait, without the timers of `expires_after`."""
    return [
        Wait(name, journey.campaign, journey.run, token.step, token.due or None)
        for name, lead in leads.items()
        if lead is not None
        for journey in lead.journeys
        if journey.status == "active"
        for token in journey.tokens
    ]
