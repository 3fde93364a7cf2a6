"""The registry: what `campaign-changes` says up to one change, compiled. Immutable.

A fold sees a lead's own log and the registry of its place in that log, nothing else (architecture,
sentence 3).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property

from msgspec import Struct

from schemas.campaigns import Definition, ListDefinition
from schemas.changes import Change
from schemas.errors import DataError
from schemas.records import Interaction
from streams.engine.compiling import compile_plan
from streams.engine.dated import DATED
from streams.engine.events import Occurrence
from streams.engine.expressions import Expression, compile_expression
from streams.engine.liquid_paths import paths
from streams.engine.plan import Plan
from streams.engine.reading import read_campaign, read_list
from streams.engine.trigger_index import LiveCounter, PageTest, TriggerIndex

SNAPSHOTS = 64


class Template(Struct, frozen=True):
    """What the engine knows of a template: its text's digest and the paths it names."""

    digest: str
    paths: frozenset[str]


Checked = Definition | ListDefinition | Template


class Registry:
    """A snapshot. `number` is the last change it holds, -1 for none.

    `campaigns` maps an id to the newest version, in the order in which campaigns are visited.
    `digests` maps a change's key to the digest of what is published. `touching` maps the number
    of each change that concerns leads who are there already to its key (the newest of each key).
    """

    def __init__(
        self,
        number: int = -1,
        versions: Mapping[str, tuple[Plan, ...]] | None = None,
        lists: Mapping[str, ListDefinition] | None = None,
        templates: Mapping[str, Template] | None = None,
        digests: Mapping[str, str] | None = None,
        touching: Mapping[int, str] | None = None,
    ) -> None:
        self.number = number
        self._versions: Mapping[str, tuple[Plan, ...]] = versions or {}
        self.lists: Mapping[str, ListDefinition] = lists or {}
        self.templates: Mapping[str, Template] = templates or {}
        self.digests: Mapping[str, str] = digests or {}
        self.touching: Mapping[int, str] = touching or {}
        self.last_touching = max(self.touching, default=-1)

    @cached_property
    def campaigns(self) -> Mapping[str, Plan]:
        """The newest version of each campaign by id, in the order they are visited."""
        newest = sorted((plans[-1] for plans in self._versions.values()), key=lambda p: p.order)
        return {plan.id: plan for plan in newest}

    @cached_property
    def once(self) -> frozenset[str]:
        """The templates that some step of some version sends once in a lead's life."""
        plans = (plan for plans in self._versions.values() for plan in plans)
        return frozenset(template for plan in plans for template in plan.once)

    @cached_property
    def dated(self) -> tuple[Plan, ...]:
        """The live campaigns with entries by date."""
        return tuple(plan for plan in self.campaigns.values() if plan.dated)

    @cached_property
    def rules(self) -> tuple[tuple[str, Expression], ...]:
        """The lists with a rule, in the order in which rules run."""
        return tuple(
            (name, compile_expression(listed.when))
            for name, listed in sorted(self.lists.items())
            if listed.when is not None
        )

    @cached_property
    def index(self) -> TriggerIndex:
        """Who may care for an occurrence."""
        every = [plan for plans in self._versions.values() for plan in plans]
        return TriggerIndex(list(self.campaigns.values()), every)

    def plan(self, campaign: str, version: int) -> Plan:
        """The plan of any version ever published; versions count from 1."""
        return self._versions[campaign][version - 1]

    def interest(self, interaction: Interaction) -> bool:
        """Whether any version, session or counter may care; False: surely not."""
        return self.index.interest(interaction)

    def entries_for(self, occurrence: Occurrence) -> list[Plan]:
        """The live campaigns that may take the lead in, in the order they are visited."""
        return self.index.entries_for(occurrence)

    def counters_of(self, event: str) -> tuple[LiveCounter, ...]:
        """The counters that count events of this name."""
        return self.index.counters_of(event)

    @property
    def sessions(self) -> Mapping[str, PageTest | None]:
        """What is asked of a session, and which pages count for it (None: all)."""
        return self.index.sessions

    def with_change(self, number: int, change: Change) -> Registry:
        """The snapshot one change later; `DataError` (`bad_document`) when it cannot be used."""
        return self._with(number, change, _checked(number, change))

    def _with(self, number: int, change: Change, checked: Checked) -> Registry:
        versions, lists, templates = self._versions, self.lists, self.templates
        if isinstance(checked, Definition):
            plans = versions.get(change.id, ())
            try:
                plan = compile_plan(checked, len(plans) + 1, number)
            except ValueError as error:
                what = f"campaign {change.id}, change {number}: {error}"
                raise DataError("bad_document", what) from None
            versions = {**versions, change.id: (*plans, plan)}
        elif isinstance(checked, ListDefinition):
            lists = {**lists, change.id: checked}
        else:
            templates = {**templates, change.id: checked}
        digests = {**self.digests, change.key: change.digest}
        touching = self.touching
        if _touches(checked) or change.key in touching.values():
            touching = {n: key for n, key in touching.items() if key != change.key}
            touching[number] = change.key
        return Registry(number, versions, lists, templates, digests, touching)


EMPTY = Registry()


def _touches(checked: Checked) -> bool:
    """Whether the change concerns leads who are there already."""
    if isinstance(checked, Definition):
        return any(t.verb in DATED or t.options.get("existing") for t in checked.enter)
    return isinstance(checked, ListDefinition) and checked.when is not None


def _checked(number: int, change: Change) -> Checked:
    if change.kind == "campaign":
        definition, findings = read_campaign(change.document)
        errors = [finding for finding in findings if finding.severity == "error"]
        if definition is None or errors:
            what = errors[0].message if errors else "not a campaign"
            raise DataError("bad_document", f"campaign {change.id}, change {number}: {what}")
        if definition.id != change.id:
            raise DataError("bad_document", f"change {number}: {change.key} is {definition.id}")
        return definition
    if change.kind == "list":
        listed, _ = read_list(change.document)
        if listed is None:
            raise DataError("bad_document", f"list {change.id}, change {number}: not a list")
        return listed
    found: set[str] = set()
    for source in change.document.values():
        if isinstance(source, str):
            try:
                found |= paths(source)
            except ValueError as error:
                what = f"template {change.id}, change {number}: {error}"
                raise DataError("bad_document", what) from None
    return Template(change.digest, frozenset(found))


class Registries:
    """The registries of a process by number; the tail of `campaign-changes` appends to it.

    The newest and the last few asked for are kept, others are made again from the changes, which
    are all kept: a long history of changes costs no memory per change but its document.
    """

    def __init__(self) -> None:
        self._numbers: list[int] = [-1]
        self._newest = EMPTY
        self._kept: OrderedDict[int, Registry] = OrderedDict()
        self.changes: dict[int, Change] = {}

    @property
    def newest(self) -> int:
        """The number of the last change, -1 before the first."""
        return self._numbers[-1]

    def append(self, number: int, change: Change) -> None:
        """Take in the next change; one that is already there is ignored."""
        if number <= self.newest:
            return
        following = self._newest.with_change(number, change)
        self._keep(self._newest)
        self._newest = following
        self._numbers.append(number)
        self.changes[number] = change

    def at(self, number: int) -> Registry:
        """The registry in force after change `number`."""
        wanted = self._numbers[bisect_right(self._numbers, number) - 1]
        if wanted == self.newest:
            return self._newest
        found = self._kept.get(wanted)
        if found is None:
            below = [kept for kept in self._kept if kept < wanted]
            found = self._kept[max(below)] if below else EMPTY
            for next_number, change in self.between(found.number, wanted):
                found = found.with_change(next_number, change)
        self._keep(found)
        return found

    def _keep(self, registry: Registry) -> None:
        self._kept[registry.number] = registry
        self._kept.move_to_end(registry.number)
        if len(self._kept) > SNAPSHOTS:
            self._kept.popitem(last=False)

    def between(self, after: int, upto: int) -> list[tuple[int, Change]]:
        """The changes in (after, upto], in order."""
        first = bisect_right(self._numbers, max(after, -1))
        return [
            (number, self.changes[number])
            for number in self._numbers[first : bisect_right(self._numbers, upto)]
        ]
