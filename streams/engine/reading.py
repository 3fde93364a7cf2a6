"""From a document (plain data, as YAML or JSON gives it) to a definition, with all findings.

Nothing here raises, whatever the document is. A definition comes back when all of it could be
read; what is merely not built yet (`NOT_YET`) is told and read all the same.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.campaigns import (
    Active,
    Definition,
    Finding,
    Frequency,
    Goal,
    Limits,
    ListDefinition,
    Trigger,
)
from schemas.language import CAMPAIGN, LIST, NOT_YET
from streams.engine.findings import ROOT, Findings, Positions
from streams.engine.notation import shown
from streams.engine.reading_steps import StepReader

__all__ = ["NOT_YET", "draft_campaign", "draft_list", "read_campaign", "read_list"]

_NOT_BLOCKING: Final = frozenset({"not-yet"})
# Keys of the header that the definition has under the same name, already converted.
_PLAIN: Final = (
    "name", "timezone", "channel_defaults", "only_if", "reentry_after", "per", "exit",
    "expires_after", "holdout", "priority", "exclusive_group", "failure_limit", "in_flight",
    "on_resume",
)  # fmt: skip


def read_campaign(
    document: Any, positions: Positions | None = None
) -> tuple[Definition | None, list[Finding]]:
    """The definition of a campaign, None when something in it cannot be read."""
    definition, findings = draft_campaign(document, positions)
    found = findings.sorted()
    return (None if _blocked(found) else definition), found


def read_list(
    document: Any, positions: Positions | None = None
) -> tuple[ListDefinition | None, list[Finding]]:
    """The definition of a list, None when something in it cannot be read."""
    definition, findings = draft_list(document, positions)
    found = findings.sorted()
    return (None if _blocked(found) else definition), found


def _blocked(findings: list[Finding]) -> bool:
    return any(
        finding.severity == "error" and finding.code not in _NOT_BLOCKING for finding in findings
    )


def draft_campaign(
    document: Any, positions: Positions | None = None
) -> tuple[Definition | None, Findings]:
    """As much of a definition as could be read, with None for values that could not."""
    findings = Findings(positions)
    reader = StepReader(findings)
    if not isinstance(document, dict):
        findings.add("wrong-type", ROOT, f"{shown(document)} is not a campaign: write a mapping")
        return None, findings
    found = reader.keys(CAMPAIGN, document, ROOT, "campaign")
    header = {name: found[name] for name in _PLAIN if name in found}
    enter: tuple[Trigger, ...] = found.get("enter", ())
    entries = found.get("entries_at_most", {})
    definition = Definition(
        found.get("campaign", ""),
        enter,
        found.get("steps", ()),
        **header,
        reentry=found.get("reentry") or _default_reentry(enter),
        goal=_goal(found.get("goal")),
        active=_active(found.get("active")),
        limits=_limits(found.get("limits", {})),
        entries_per_lead=entries.get("per_lead"),
        entry_rate=entries.get("rate"),
    )
    return definition, findings


def draft_list(
    document: Any, positions: Positions | None = None
) -> tuple[ListDefinition | None, Findings]:
    """As much of a list as could be read."""
    findings = Findings(positions)
    reader = StepReader(findings)
    if not isinstance(document, dict):
        findings.add("wrong-type", ROOT, f"{shown(document)} is not a list: write a mapping")
        return None, findings
    found = reader.keys(LIST, document, ROOT, "list")
    definition = ListDefinition(found.get("list", ""), found.get("when"), found.get("name", ""))
    return definition, findings


def _default_reentry(enter: tuple[Trigger, ...]) -> Any:
    """`never`, but `after_exit` where the entry repeats by nature (language, Re-entry)."""
    repeats = any("every" in entry.options or entry.options.get("yearly") for entry in enter)
    return "after_exit" if repeats else "never"


def _goal(found: dict[str, Any] | None) -> Goal | None:
    if found is None:
        return None
    return Goal(found.get("on", ()), found.get("within"), found.get("exit", True))


def _active(found: dict[str, Any] | None) -> Active | None:
    if found is None:
        return None
    return Active(found.get("from"), found.get("until"), found.get("then", "drain"))


def _limits(found: dict[str, Any]) -> Limits:
    frequency = {
        channel: Frequency(limit["at_most"], limit["per"], limit.get("then", "skip"))
        for channel, limit in found.get("frequency", {}).items()
        if "at_most" in limit and "per" in limit
    }
    return Limits(
        found.get("quiet_hours"), found.get("quiet_days", frozenset()), frequency,
        found.get("send_rate"),
    )  # fmt: skip
