"""Lists with a rule: kept at every change of the lead, without a rebuild job.

Source: campaign-language, "Lists". Rules run in the order of their ids until nothing changes; a
rule sees the lead alone, no event and no clock (lint refuses others, and cycles).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas import facts as f
from streams.engine.changing import Changes
from streams.engine.expressions import Expression

if TYPE_CHECKING:
    from streams.engine.turn import Turn


def keep_lists(turn: Turn, changes: Changes) -> None:
    """Join and leave the lists whose rule says so; `changes` is who brought it about.

    Rules that still change something after as many rounds as there are rules are in a cycle.
    """
    rules = turn.registry.rules
    turn.campaign_zone = "UTC"
    for _ in range(len(rules) + 1):
        if not turn.rules_due:
            return
        turn.rules_due = False
        for name, rule in rules:
            _keep(turn, changes, name, rule)
    if turn.rules_due:
        turn.rules_due = False
        turn.tell(f.LimitReached(turn.now, limit="list_rules"))


def _keep(turn: Turn, changes: Changes, name: str, rule: Expression) -> None:
    holds = turn.truth(rule, None, None, None)
    member = name in turn.lead.lists
    if holds and not member:
        changes.join(name)
    elif member and not holds:
        changes.leave_list(name)
