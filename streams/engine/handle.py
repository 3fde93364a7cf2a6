"""`handle(lead, record, registry)`: one record of a lead's log, step by step.

The order is that of campaign-language, "One record, step by step"; the numbers in the comments
are its. Pure: the time is in the record, ids are derived from its place in the log.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from schemas import facts as f
from schemas.commands import Command
from schemas.ids import short_hash
from schemas.records import ByHand, Interaction, Outcome, Record, WakeUp
from schemas.state import QUARANTINED, QUARTER_MS, Lead, Prefix
from streams.engine.changes import History, catch_up
from streams.engine.decide import changed_by, happen, made_by_hand, settle, take_outcome
from streams.engine.events import names_zone
from streams.engine.registry import Registry
from streams.engine.rescheduling import reschedule
from streams.engine.timers import fire_due
from streams.engine.turn import Block, Turn, fresh_lead


class Handled(Struct):
    """What one record led to.

    `lead` is the object that was given, changed; None when a record without effect met no lead.
    `effect`: the lead changed beyond bookkeeping, or a command was issued. `facts` are those to
    ship, in order. `blocks` become `suppressions`. `counted` names what is only counted:
    refusals by reason, `repeated`, `unknown_timezone`, `type_mismatch`.
    """

    lead: Lead | None
    effect: bool
    facts: list[f.Fact]
    commands: list[Command]
    blocks: list[Block]
    counted: list[str]


def _no_undo(lead: Lead | None) -> None:
    """Nobody keeps an undo copy."""


def concerns(prefix: Prefix | None, record: Record, registry: Registry) -> bool:
    """False: the record is surely without effect, as the prefix of the lead's state tells."""
    body = record.body
    if not isinstance(body, Interaction):
        return True
    if prefix is not None and (
        record.time_ms > prefix.next_due
        or registry.last_touching >= prefix.change
        or prefix.change == QUARANTINED  # not for the engine, but the partition must see it
        or (record.time_ms // QUARTER_MS > prefix.quarter and not body.historical)
        or names_zone(body)
    ):
        return True
    if prefix is None and registry.index.greets:
        return True
    return registry.interest(body)


def handle(
    lead: Lead | None,
    record: Record,
    registry: Registry,
    before_effect: Callable[[Lead | None], None] = _no_undo,
    keep_refusals: bool = False,
    history: History | None = None,
) -> Handled:
    """Handle one record; `lead` is changed in place, and only if the record has an effect.

    `before_effect` is called once, with the lead as it was (None: there was none), before the
    first change. `keep_refusals` ships also the refusals that are only counted live. `history`
    tells how changes took effect in this partition; it is needed where a change touched leads.
    """
    body = record.body
    turn = _turn(lead, record, registry, before_effect, keep_refusals)
    if turn.existed:
        if history is not None and registry.last_touching >= turn.lead.change:
            catch_up(turn, history)
            turn.now = max(turn.lead.clock, record.time_ms)
        fire_due(turn, inclusive=isinstance(body, WakeUp))  # 2
        turn.now = max(turn.lead.clock, record.time_ms)
    if isinstance(body, Interaction):
        _interaction(turn, record, body)
    elif isinstance(body, Outcome):
        take_outcome(turn, body)
    elif isinstance(body, ByHand):
        made_by_hand(turn, body)
    if turn.effect:
        turn.lead.clock = max(turn.lead.clock, record.time_ms)  # 1, kept only with an effect
    return Handled(
        turn.lead if turn.existed or turn.effect else None,
        turn.effect, turn.facts, turn.commands, turn.blocks, turn.counted,
    )  # fmt: skip


def _turn(
    lead: Lead | None,
    record: Record,
    registry: Registry,
    before_effect: Callable[[Lead | None], None],
    keep_refusals: bool,
) -> Turn:
    time_ms = record.time_ms
    now_lead = lead if lead is not None else fresh_lead(time_ms, registry.number)
    return Turn(
        now_lead, record.lead, registry, record.partition, record.offset, time_ms,
        max(now_lead.clock, time_ms), lead is not None, before_effect, keep_refusals,
    )  # fmt: skip


def _interaction(turn: Turn, record: Record, body: Interaction) -> None:
    mark = short_hash(record.id)
    ids = turn.lead.ids
    if mark in ids and any(ids[at : at + 8] == mark for at in range(0, len(ids), 8)):
        turn.counted.append("repeated")
        return
    quarter = record.time_ms // QUARTER_MS
    if turn.existed and quarter > turn.lead.quarter and not body.historical:
        turn.tell(f.Seen(turn.now, quarter=quarter))
    occurrence = changed_by(turn, body)  # 3
    turn.at_hand = occurrence.event
    if body.historical:
        reschedule(turn, historical=True)
    else:
        happen(turn, occurrence)  # 4 to 6
    settle(turn)  # 7
    if turn.effect:
        turn.tell(f.IdRemembered(turn.now, hash=mark))
