"""The trigger index of a registry: who may care for an occurrence, found without asking everybody.

Triggers are found by (kind, name) and, for pages, by a memo per page, so that a record that
concerns nobody costs the same with one live campaign and with a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from schemas.records import Interaction
from streams.engine.compiling import index_keys
from streams.engine.events import SITE_TYPES, Occurrence, page_of
from streams.engine.expressions import CounterSpec, Expression, compile_expression
from streams.engine.meaning import CONSENT_EVENTS
from streams.engine.plan import Plan
from streams.engine.triggers import SPENT_SEPARATOR, Key, page_matcher

MEMO_PAGES = 100_000
PageTest = Callable[[str, str], bool]
PAGE: Key = ("page", "")


class LiveCounter(Struct, frozen=True):
    """A counter that some version uses; `filter` is its compiled third argument."""

    spec: CounterSpec
    filter: Expression | None


class TriggerIndex:
    """Built once per registry, on first use; its memos are bounded.

    `greets` tells that a campaign takes leads in when they are first seen. `sessions` maps what is
    asked of a session to the pages that count (None: all of them).
    """

    def __init__(self, newest: Sequence[Plan], every: Sequence[Plan]) -> None:
        self._entries = _entries(newest)
        self._page_entries = _page_entries(newest)
        self._entry_memo: dict[tuple[str, str], tuple[Plan, ...]] = {}
        self.sessions = _sessions(newest, every)
        self._counters = _counters(every)
        names = {name for plan in every for trigger in plan.triggers for name in trigger.events}
        self._events = names | CONSENT_EVENTS | self._counters.keys()
        patterns = {
            pattern for plan in every for trigger in plan.triggers for pattern in trigger.pages
        }
        self._page_test = page_matcher(tuple(sorted(patterns))) if patterns else None
        self._full_urls = any("://" in pattern for pattern in patterns)
        self._page_memo: dict[tuple[str, str], bool] = {}
        self.greets = ("created", "") in self._entries

    def counters_of(self, event: str) -> tuple[LiveCounter, ...]:
        """The counters that count events of this name."""
        return self._counters.get(event, ())

    def entries_for(self, occurrence: Occurrence) -> list[Plan]:
        """The live campaigns that may take the lead in, in the order they are visited."""
        found: dict[str, Plan] = {}
        for key in occurrence.index_keys():
            plans = self._for_page(occurrence) if key == PAGE else self._entries.get(key, ())
            for plan in plans:
                found[plan.id] = plan
        if len(found) < 2:
            return list(found.values())
        return sorted(found.values(), key=lambda plan: plan.order)

    def _for_page(self, occurrence: Occurrence) -> tuple[Plan, ...]:
        page = self._memo_key(occurrence.page or "", occurrence.url or "")
        found = self._entry_memo.get(page)
        if found is None:
            if len(self._entry_memo) >= MEMO_PAGES:
                self._entry_memo.clear()
            found = self._entry_memo[page] = tuple(
                plan for test, plan in self._page_entries if test(*page)
            )
        return found

    def _memo_key(self, path: str, url: str) -> tuple[str, str]:
        return (path, url if self._full_urls else "")

    def interest(self, interaction: Interaction) -> bool:
        """Whether any version, session or counter may care; False: surely not."""
        kind = interaction.type
        if kind == "identify":
            return bool(interaction.traits)
        if kind == "track":
            return bool(self.sessions) or interaction.event in self._events
        if kind not in SITE_TYPES:
            return False
        if self.sessions or self._page_test is None:
            return bool(self.sessions)
        page = page_of(interaction)
        return page is not None and self._watched(page.path, page.url, self._page_test)

    def _watched(self, path: str, url: str, test: PageTest) -> bool:
        page = self._memo_key(path, url)
        known = self._page_memo.get(page)
        if known is None:
            if len(self._page_memo) >= MEMO_PAGES:
                self._page_memo.clear()
            known = self._page_memo[page] = test(path, url)
        return known


def _entries(plans: Iterable[Plan]) -> dict[Key, tuple[Plan, ...]]:
    index: dict[Key, list[Plan]] = {}
    for plan in plans:
        for key in dict.fromkeys(index_keys(plan)):
            index.setdefault(key, []).append(plan)
    return {key: tuple(found) for key, found in index.items()}


def _page_entries(plans: Iterable[Plan]) -> list[tuple[PageTest, Plan]]:
    found = []
    for plan in plans:
        patterns = tuple(pattern for trigger in plan.enter for pattern in trigger.pages)
        if patterns:
            found.append((page_matcher(patterns), plan))
    return found


def _sessions(newest: Sequence[Plan], every: Sequence[Plan]) -> dict[str, PageTest | None]:
    """Of an older version only what its journeys may still wait for, not its entries."""
    live: Mapping[str, Plan] = {plan.id: plan for plan in newest}
    tests: dict[str, PageTest | None] = {}
    for plan in every:
        entries = plan.enter if live[plan.id] is plan else ()
        for trigger in (*entries, *plan.goals, *plan.exits, *plan.waits):
            if trigger.verb == "spends_time":
                key = trigger.keys[0][1]
                patterns = tuple(key.split(SPENT_SEPARATOR)[1:])
                tests[key] = page_matcher(patterns) if patterns else None
    return tests


def _counters(plans: Iterable[Plan]) -> dict[str, tuple[LiveCounter, ...]]:
    found: dict[str, dict[str, LiveCounter]] = {}
    for plan in plans:
        for spec in plan.counters:
            filter_ = compile_expression(spec.filter) if spec.filter else None
            found.setdefault(spec.event, {})[spec.key] = LiveCounter(spec, filter_)
    return {event: tuple(counters.values()) for event, counters in found.items()}
