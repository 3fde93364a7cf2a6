"""The registry: what `campaign-changes` says up to one change, compiled. Immutable.

A fold sees a lead's own log and the registry of its place in that log, nothing else (architecture,
sentence 3). All snapshots of a process share their plans.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from schemas.campaigns import ListDefinition
from schemas.changes import Change
from schemas.errors import DataError
from schemas.records import Interaction
from streams.engine.compiling import compile_plan, index_keys
from streams.engine.events import SITE_TYPES, Occurrence, page_of
from streams.engine.expressions import CounterSpec, Expression, compile_expression
from streams.engine.liquid_paths import paths
from streams.engine.meaning import CONSENT_EVENTS
from streams.engine.plan import Plan
from streams.engine.reading import read_campaign, read_list
from streams.engine.triggers import Key, page_matcher

MEMO_PATHS = 100_000
PageTest = Callable[[str, str], bool]


class Template(Struct, frozen=True):
    """What the engine knows of a template: its text's digest and the paths it names."""

    digest: str
    paths: frozenset[str]


class LiveCounter(Struct, frozen=True):
    """A counter of a live campaign; `filter` is its compiled third argument."""

    spec: CounterSpec
    filter: Expression | None


class Registry:
    """A snapshot. `number` is the last change it holds, -1 for none."""

    def __init__(
        self,
        number: int = -1,
        versions: Mapping[str, tuple[Plan, ...]] | None = None,
        lists: Mapping[str, ListDefinition] | None = None,
        templates: Mapping[str, Template] | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> None:
        self.number = number
        self._versions: Mapping[str, tuple[Plan, ...]] = versions or {}
        self.lists: Mapping[str, ListDefinition] = lists or {}
        self.templates: Mapping[str, Template] = templates or {}
        self.digests: Mapping[str, str] = digests or {}
        newest = sorted((plans[-1] for plans in self._versions.values()), key=lambda p: p.order)
        self.campaigns: Mapping[str, Plan] = {plan.id: plan for plan in newest}
        self._entries = _entry_index(newest)
        self._page_entries: dict[tuple[str, str], tuple[Plan, ...]] = {}
        every = [plan for plans in self._versions.values() for plan in plans]
        self.sessions = _session_tests(every, self.campaigns)
        self._counters = _live_counters(every)
        self._watched_events, self._watched_pages = _watched(every)
        self._watched_events |= CONSENT_EVENTS | self._counters.keys()
        self._page_memo: dict[tuple[str, str], bool] = {}

    def plan(self, campaign: str, version: int) -> Plan:
        """The plan of any version ever published; versions count from 1."""
        return self._versions[campaign][version - 1]

    def counters_of(self, event: str) -> tuple[LiveCounter, ...]:
        """The counters of live campaigns that count events of this name."""
        return self._counters.get(event, ())

    def entries_for(self, occurrence: Occurrence) -> list[Plan]:
        """The live campaigns that may take the lead in, in the order they are visited."""
        found: dict[str, Plan] = {}
        for key in occurrence.index_keys():
            plans = self._pages(occurrence) if key[0] == "page" else self._entries.get(key, ())
            for plan in plans:
                found[plan.id] = plan
        return sorted(found.values(), key=lambda plan: plan.order)

    def _pages(self, occurrence: Occurrence) -> tuple[Plan, ...]:
        """Memoised per page: which campaigns a visit to it may enter."""
        page = (occurrence.page or "", occurrence.url or "")
        found = self._page_entries.get(page)
        if found is None:
            if len(self._page_entries) >= MEMO_PATHS:
                self._page_entries.clear()
            found = self._page_entries[page] = tuple(
                plan
                for plan in self._entries.get(("page", ""), ())
                if any(
                    trigger.verb == "visits_page" and trigger.test(occurrence, None)
                    for trigger in plan.enter
                )
            )
        return found

    def interest(self, interaction: Interaction) -> bool:
        """Whether any version, session or counter may care; False: surely not."""
        kind = interaction.type
        if kind == "identify":
            return bool(interaction.traits)
        if kind == "track":
            return bool(self.sessions) or interaction.event in self._watched_events
        if kind not in SITE_TYPES:
            return False
        if self.sessions:
            return True
        if not self._watched_pages:
            return False
        page = page_of(interaction)
        return page is not None and self._page_watched(page.path, page.url)

    def _page_watched(self, path: str, url: str) -> bool:
        key = (path, url if any(full for full, _ in self._watched_pages) else "")
        known = self._page_memo.get(key)
        if known is None:
            if len(self._page_memo) >= MEMO_PATHS:
                self._page_memo.clear()
            known = self._page_memo[key] = any(test(path, url) for _, test in self._watched_pages)
        return known

    def with_change(self, number: int, change: Change) -> Registry:
        """The snapshot one change later; `DataError` (`bad_document`) when it cannot be used."""
        versions = dict(self._versions)
        lists, templates = dict(self.lists), dict(self.templates)
        if change.kind == "campaign":
            plans = versions.get(change.id, ())
            versions[change.id] = (*plans, _plan(change, len(plans) + 1, number))
        elif change.kind == "list":
            lists[change.id] = _list(change)
        else:
            templates[change.id] = _template(change)
        digests = {**self.digests, change.key: change.digest}
        return Registry(number, versions, lists, templates, digests)


def _plan(change: Change, version: int, number: int) -> Plan:
    definition, findings = read_campaign(change.document)
    errors = [finding for finding in findings if finding.severity == "error"]
    if definition is None or errors:
        what = errors[0].message if errors else "not a campaign"
        raise DataError("bad_document", f"campaign {change.id}, change {number}: {what}")
    return compile_plan(definition, version, number)


def _list(change: Change) -> ListDefinition:
    definition, _ = read_list(change.document)
    if definition is None:
        raise DataError("bad_document", f"list {change.id} cannot be read")
    return definition


def _template(change: Change) -> Template:
    found: set[str] = set()
    for source in change.document.values():
        if isinstance(source, str):
            found |= paths(source)
    return Template(change.digest, frozenset(found))


def _entry_index(plans: Iterable[Plan]) -> dict[Key, tuple[Plan, ...]]:
    index: dict[Key, tuple[Plan, ...]] = {}
    for plan in plans:
        for key in dict.fromkeys(index_keys(plan)):
            index[key] = (*index.get(key, ()), plan)
    return index


def _session_tests(plans: Iterable[Plan], newest: Mapping[str, Plan]) -> dict[str, PageTest | None]:
    """What is asked of a session: its key, and which pages count (None: all).

    Of an older version only what its journeys may still wait for, not its entries.
    """
    tests: dict[str, PageTest | None] = {}
    for plan in plans:
        entries = plan.enter if newest[plan.id] is plan else ()
        for trigger in (*entries, *plan.goals, *plan.exits, *plan.waits):
            if trigger.verb == "spends_time":
                key = trigger.keys[0][1]
                patterns = tuple(key.split("|")[1:])
                tests[key] = page_matcher(patterns) if patterns else None
    return tests


def _live_counters(plans: Iterable[Plan]) -> dict[str, tuple[LiveCounter, ...]]:
    found: dict[str, dict[str, LiveCounter]] = {}
    for plan in plans:
        for spec in plan.counters:
            filter_ = compile_expression(spec.filter) if spec.filter else None
            found.setdefault(spec.event, {})[spec.key] = LiveCounter(spec, filter_)
    return {event: tuple(counters.values()) for event, counters in found.items()}


def _watched(plans: Iterable[Plan]) -> tuple[set[str | None], list[tuple[bool, PageTest]]]:
    """The event names and page globs that any version may care for."""
    events: set[str | None] = set()
    patterns: set[str] = set()
    for plan in plans:
        for trigger in plan.triggers:
            events.update(trigger.events)
            patterns.update(trigger.pages)
    full = tuple(sorted(pattern for pattern in patterns if "://" in pattern))
    short = tuple(sorted(patterns - set(full)))
    pages = [(bool(group is full), page_matcher(group)) for group in (full, short) if group]
    return events, pages


EMPTY = Registry()


class Registries:
    """All snapshots of a process by number; the tail of `campaign-changes` appends to it."""

    def __init__(self) -> None:
        self._numbers: list[int] = [-1]
        self._snapshots: list[Registry] = [EMPTY]
        self.changes: dict[int, Change] = {}

    @property
    def newest(self) -> int:
        """The number of the last change, -1 before the first."""
        return self._numbers[-1]

    def append(self, number: int, change: Change) -> None:
        """Take in the next change; one that is already there is ignored."""
        if number <= self.newest:
            return
        self._snapshots.append(self._snapshots[-1].with_change(number, change))
        self._numbers.append(number)
        self.changes[number] = change

    def at(self, number: int) -> Registry:
        """The snapshot in force after change `number`."""
        return self._snapshots[bisect_right(self._numbers, number) - 1]

    def between(self, after: int, upto: int) -> list[tuple[int, Change]]:
        """The changes in (after, upto], in order."""
        return [
            (number, self.changes[number]) for number in self._numbers if after < number <= upto
        ]
