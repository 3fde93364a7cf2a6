"""Run one scenario: its documents published, its rows appended, and what came of it compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from schemas.changes import Change, digest_of
from schemas.commands import Command
from schemas.errors import DriplineError
from schemas.facts import FactRow
from schemas.records import ByHand
from streams.engine.lint import lint_campaign, lint_list
from streams.engine.tree import every_step
from streams.simulation.given import states
from streams.simulation.happened import Action, Difference, Happened
from streams.simulation.scenario_checks import differences
from streams.simulation.scenario_reading import Document, Load, Scenario, read_scenario
from streams.simulation.scenario_rows import Row, body_of
from streams.simulation.scenario_values import ScenarioError
from streams.simulation.world import World


class ScenarioResult(Struct):
    """What became of a scenario; it passed when nothing differs."""

    name: str
    differences: list[Difference]

    @property
    def passed(self) -> bool:
        """Whether all is as the scenario says."""
        return not self.differences


def run_scenario(document: Any, load: Load) -> ScenarioResult:
    """Read, run and compare a scenario; whatever stops it is a difference of the part `scenario`.

    `load(path)` gives the document of a file that `campaigns` or `lists` name.
    """
    name = document["scenario"] if isinstance(document, dict) else ""
    try:
        scenario = read_scenario(document, load)
        return ScenarioResult(scenario.name, differences(scenario, play(scenario)))
    except DriplineError as error:
        return ScenarioResult(str(name), [Difference("scenario", [str(error)])])


def play(scenario: Scenario) -> Happened:
    """Run a scenario from its first instant to its last."""
    run = _Run(scenario)
    for row in scenario.rows:
        run.take(row)
    run.world.advance(scenario.until_ms)
    run.check("until")
    return run.happened()


class _Run:
    def __init__(self, scenario: Scenario) -> None:
        self._findings: list[Document] = []
        first = scenario.first_ms
        changes = [
            change
            for kind, documents in (("list", scenario.lists), ("campaign", scenario.campaigns))
            for document in documents
            if (change := self._change(kind, document)) is not None
        ]
        leads = states(scenario.given, changes, first - 1)
        self.world = World(changes, leads, first_ms=first - 1)
        self._named = list(leads)
        for given in scenario.given:
            for campaign in given.in_:
                body = ByHand("enter", campaign, by="given", rules=False)
                self.world.append(given.lead, body, first)

    def _change(self, kind: Any, document: Document) -> Change | None:
        """The publishing of a document; None where lint finds an error in it."""
        lint = lint_campaign if kind == "campaign" else lint_list
        errors = False
        for finding in lint(document, None, None):
            errors = errors or finding.severity == "error"
            self._findings.append({
                "code": finding.code, "path": finding.path, "severity": finding.severity,
                "message": finding.message, "line": finding.line, "column": finding.column,
            })  # fmt: skip
        if errors:
            return None
        return Change(kind, str(document[kind]), "publish", document, digest_of(document))

    def take(self, row: Row) -> None:
        """Append what a row stands for."""
        self.world.advance(row.arrives, inclusive=False)
        if not row.lead:
            change = self._change(row.verb, row.options["document"])
            if change is not None:
                self.world.publish(change, row.arrives)
            return
        if row.lead not in self._named:
            self._named.append(row.lead)
        messages = [command for command in self.world.commands if command.lead == row.lead]
        body = body_of(row, messages)
        self.world.append(row.lead, body, row.arrives, id=str(row.options.get("id", "")))
        self.check(row.path)

    def check(self, path: str) -> None:
        """Whatever became a dead letter, a row or a wake-up before it, ends the scenario."""
        for letter in self.world.dead_letters:
            raise ScenarioError(path, f"was not taken: {letter.reason}: {letter.detail}")

    def happened(self) -> Happened:
        """All that came of it."""
        facts = [(told.lead, fact) for told in self.world.facts for fact in told.facts]
        commands = {command.id: command for command in self.world.commands}
        return Happened(
            facts=facts,
            issued=_actions(facts, "action_issued", commands),
            suppressed=[self._named_value(a) for a in _actions(facts, "action_suppressed", {})],
            leads={name: self.world.lead(name) for name in self._named},
            findings=self._findings,
        )

    def _named_value(self, action: Action) -> Action:
        """A suppressed action with what its step would have called."""
        if action.value is None:
            definition = self.world.definition(action.campaign, action.version)
            steps = {step.id: step for step in every_step(definition.steps)}
            action.value = steps[action.step].value
        return action


def _actions(
    facts: Sequence[tuple[str, FactRow]], kind: str, commands: dict[str, Command]
) -> list[Action]:
    found = []
    for lead, fact in facts:
        if fact.fact != kind:
            continue
        detail = fact.detail
        command = commands.get(detail.get("command", ""))
        value = detail.get("template")
        if value is None and command is not None:
            value = command.settings
        found.append(Action(
            lead, fact.at, fact.campaign, fact.version, fact.run, fact.step,
            detail["verb"], value, detail.get("reason", ""),
        ))  # fmt: skip
    return found
