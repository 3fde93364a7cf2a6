"""Lint: every finding of a document at once, the reader's and those of a second look.

Codes and severities: `schemas.language.CODES`. The checks see a draft, in which values that could
not be read are None; none of them raises.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from schemas.campaigns import Finding
from streams.engine.findings import Positions
from streams.engine.lint_expressions import check_expressions
from streams.engine.lint_flow import check_flow
from streams.engine.lint_lists import check_rule
from streams.engine.lint_names import check_names
from streams.engine.lint_times import check_times
from streams.engine.reading import draft_campaign, draft_list


class Known(Struct, frozen=True):
    """The names that exist besides the document; None: not checked.

    `rules` are the other lists' rules by list, for circles among them.
    """

    templates: frozenset[str] | None = None
    lists: frozenset[str] | None = None
    connectors: frozenset[str] | None = None
    campaigns: frozenset[str] | None = None
    rules: dict[str, str] | None = None


def lint_campaign(
    document: Any, positions: Positions | None = None, known: Known | None = None
) -> list[Finding]:
    """All findings of a campaign, by line."""
    draft, findings = draft_campaign(document, positions)
    if draft is not None:
        known = known or Known()
        check_names(draft, known, findings)
        check_flow(draft, findings)
        check_times(draft, findings)
        check_expressions(draft, findings)
    return findings.sorted()


def lint_list(
    document: Any, positions: Positions | None = None, known: Known | None = None
) -> list[Finding]:
    """All findings of a list, by line."""
    draft, findings = draft_list(document, positions)
    if draft is not None:
        check_rule(draft, (known or Known()).rules or {}, findings)
    return findings.sorted()
