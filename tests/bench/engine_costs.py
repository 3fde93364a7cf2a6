"""Microseconds a record costs in the engine alone: `.venv/bin/python -m tests.bench.engine_costs`.

Each row is the best of several rounds over a few thousand leads; decoding of the record and of
the state is named apart. Nothing here touches Kafka.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import process_time
from typing import Any

from schemas.records import DECODERS, ENCODE, Interaction, Record, WakeUp
from schemas.state import Lead, decode, encode, prefix_of
from streams.engine.handle import concerns, handle
from streams.engine.registry import Registry
from tests.engine.folding import ms, raw, registry_of

LEADS = 3_000
ROUNDS = 5
START = ms("2026-01-05T10:00")
MINUTE = 60_000

TEMPLATE = {
    "template": "hello",
    "subject": "{{ lead.first_name }}, welcome",
    "html": "{{ lead.first_name }} {{ entry.properties.form_id }} {{ unsubscribe_url }}",
}
NURTURE = """
campaign: nurture
timezone: Europe/Berlin
enter: [{submits_form: trial}, {joins_list: trial-users}]
only_if: lead.country in ["DE", "AT"]
goal: {on: {event: Order Completed}, within: 30 days}
exit: [{leaves_list: trial-users}, {unsubscribes: email}]
expires_after: 90 days
steps:
  - {send_email: hello, id: welcome}
  - {wait: 3 days, at: "09:00", on: [mon, tue, wed, thu, fri]}
  - {wait_for: {opens_email: welcome}, within: 7 days}
"""
WAITS = """
campaign: waits
enter: [{event: Go}]
steps: [{wait_for: {event: Paid}}, {wait_for: {event: Shipped}}]
"""
TIMER = "{campaign: timer, enter: [{event: Go}], steps: [{wait: 1 hour}, {wait: 1 hour}]}"
CHANGES = """
campaign: changes
enter: [{event: Go}]
reentry: after_exit
steps: [{change_points: 5}, {if: lead.points > 3, then: [{add_tags: keen}]}]
"""
OTHERS = [
    f"{{campaign: other-{n}, enter: [{{event: Other {n}}}, {{visits_page: '/other/{n}/*'}}], "
    "steps: [{wait: 1 day}]}"
    for n in range(100)
]
CONTEXT = {"page": {"path": "/pricing", "url": "https://example.com/pricing", "title": "Pricing"},
           "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/135.0"}  # fmt: skip


def record(n: int, at: int, body: Any, id: str) -> Record:
    return Record(0, n, at, f"lead-{n}", f"{id}-{n}", body)


def track(event: str, **properties: Any) -> Interaction:
    return Interaction("track", event, properties=raw(properties), context=raw(CONTEXT))


def leads(registry: Registry, *bodies: Any) -> list[bytes]:
    """States of leads who have identified themselves and taken these records."""
    traits = raw({"email": "ana@example.com", "first_name": "Ana", "country": "DE"})
    states = []
    for n in range(LEADS):
        lead: Lead | None = None
        for k, body in enumerate((Interaction("identify", traits=traits), *bodies)):
            lead = handle(lead, record(n, START + k, body, f"before{k}"), registry).lead
        assert lead is not None
        states.append(encode(lead, 1))
    return states


def best(prepare: Callable[[], list[Any]], run: Callable[[list[Any]], None]) -> float:
    """Microseconds an item, the best round."""
    found = float("inf")
    for _ in range(ROUNDS):
        items = prepare()
        gc.collect()
        gc.disable()
        begin = process_time()
        run(items)
        found = min(found, (process_time() - begin) * 1e6 / len(items))
        gc.enable()
    return found


def handled(registry: Registry, states: list[bytes], body: Any, at: int) -> float:
    """Handling one record of each lead, states decoded before."""

    def prepare() -> list[Any]:
        return [(decode(state), record(n, at, body, "now")) for n, state in enumerate(states)]

    def run(items: list[Any]) -> None:
        for lead, item in items:
            handle(lead, item, registry)

    return best(prepare, run)


def main() -> None:
    """Print one line a kind of record."""
    everything = registry_of(TEMPLATE, NURTURE, WAITS, TIMER, CHANGES, *OTHERS)
    plain = leads(everything)
    page = Interaction("page", properties=raw({"path": "/docs/a", "title": "A"}),
                       context=raw(CONTEXT))  # fmt: skip
    prefixes = [prefix_of(state) for state in plain]

    def ruled_out(items: list[Any]) -> None:
        for prefix, item in items:
            concerns(prefix, item, everything)

    rows = [
        ("page view that interests nobody, by the prefix", best(
            lambda: [(p, record(n, START + 5, page, "now")) for n, p in enumerate(prefixes)],
            ruled_out)),
        ("the same, handled", handled(everything, plain, page, START + 5)),
        ("event that fires a wait", handled(
            registry_of(WAITS, *OTHERS), leads(registry_of(WAITS, *OTHERS), track("Go")),
            track("Paid", amount=5), START + MINUTE)),
        ("the same, with goal, exits and expiry of another journey", handled(
            everything, leads(everything, track("Form Submitted", form_id="trial"), track("Go")),
            track("Paid", amount=5), START + MINUTE)),
        ("entry with a mail and a wait until a weekday", handled(
            registry_of(TEMPLATE, NURTURE, *OTHERS), leads(registry_of(TEMPLATE, NURTURE)),
            track("Form Submitted", form_id="trial"), START + MINUTE)),
        ("entry, points, a condition, a tag, the end", handled(
            registry_of(CHANGES, *OTHERS), leads(registry_of(CHANGES)), track("Go"),
            START + MINUTE)),
        ("timer that fires and is set again", handled(
            registry_of(TIMER, *OTHERS), leads(registry_of(TIMER), track("Go")),
            WakeUp(START), START + 61 * MINUTE)),
        ("identify that repeats known traits", handled(
            everything, plain, Interaction("identify", traits=raw({"country": "DE"})),
            START + 5)),
    ]  # fmt: skip
    inside = leads(everything, track("Form Submitted", form_id="trial"), track("Go"))
    raw_record = ENCODE(track("Paid", amount=5))
    rows += [
        ("decoding a record", best(lambda: [raw_record] * LEADS,
                                   lambda items: _each(DECODERS["interaction/1"].decode, items))),
        (f"decoding a state of {len(inside[0])} bytes", best(
            lambda: list(inside), lambda items: _each(decode, items))),
        ("encoding it", best(lambda: [decode(state) for state in inside],
                             lambda items: _each(lambda lead: encode(lead, 1), items))),
    ]  # fmt: skip
    for name, cost in rows:
        print(f"{cost:8.1f} µs  {name}")


def _each(function: Callable[[Any], Any], items: list[Any]) -> None:
    for item in items:
        function(item)


if __name__ == "__main__":
    main()
