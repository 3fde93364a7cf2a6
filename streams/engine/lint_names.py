"""Lint of names: step ids, and what steps and triggers refer to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from schemas.campaigns import Definition, Step, Trigger
from streams.engine.expression_names import LEAD_FIELDS, did_you_mean
from streams.engine.findings import Findings, child
from streams.engine.tree import every_step, every_trigger

ANY: Final = "any"
THIS: Final = "this"
MESSAGE_TRIGGERS: Final = ("opens_email", "clicks_email", "replies_to_email")
MESSAGES: Final = ("send_email", "send_sms", "send_push")
# What the engine itself says when a journey ends (language, One record).
RESERVED_REASONS: Final = frozenset({
    "completed", "goal", "exit_trigger", "expired", "date_past", "date_missing", "unschedulable",
    "removed", "left", "superseded", "restarted", "merged", "ended", "step_removed", "runaway",
    "forgotten",
})  # fmt: skip
# Names under `lead.` that are no traits; `timezone` is both.
RESERVED_FIELDS: Final = frozenset(LEAD_FIELDS) - {"timezone"}


class KnownNames(Protocol):
    """What exists besides the campaign; None: not checked."""

    @property
    def templates(self) -> frozenset[str] | None: ...
    @property
    def lists(self) -> frozenset[str] | None: ...
    @property
    def connectors(self) -> frozenset[str] | None: ...
    @property
    def campaigns(self) -> frozenset[str] | None: ...


def check_names(definition: Definition, known: KnownNames, findings: Findings) -> None:
    """Every id and every reference of a campaign."""
    _Names(definition, known, findings).check()


class _Names:
    def __init__(self, definition: Definition, known: KnownNames, findings: Findings) -> None:
        self._definition = definition
        self._known = known
        self._findings = findings
        self._steps: dict[str, Step] = {}

    def check(self) -> None:
        """All of it."""
        every = list(every_step(self._definition.steps))
        for step in every:
            self._id(step)
        for step in every:
            self._step(step)
        for place, trigger in every_trigger(self._definition):
            self._trigger(place, trigger)

    def _id(self, step: Step) -> None:
        first = self._steps.setdefault(step.id, step)
        if first is not step:
            self._findings.add(
                "duplicate-step-id",
                child(step.path, "id"),
                f"the id `{step.id}` is taken by {first.path}: give this step another",
            )

    def _step(self, step: Step) -> None:
        path = child(step.path, step.verb)
        if step.value is None:
            return
        if step.verb == "jump_to" and step.value not in self._steps:
            hint = did_you_mean(step.value, list(self._steps)) or ": give the step aimed at an `id`"
            self._findings.add("unknown-step", path, f"no step has the id `{step.value}`{hint}")
        elif step.verb in MESSAGES:
            self._one(step.value, self._known.templates, "template", path)
        elif step.verb in ("add_to_list", "remove_from_list"):
            self._each(step.value, self._known.lists, "list", path)
        elif step.verb == "push_to_crm":
            self._one(step.value, self._known.connectors, "connector", path)
        elif step.verb == "notify" and "slack" in step.value:
            self._one(step.value["slack"], self._known.connectors, "connector", f"{path}.slack")
        elif step.verb in ("start_campaign", "leave_campaign"):
            if step.value not in (THIS, self._definition.id):
                self._one(step.value, self._known.campaigns, "campaign", path)
        elif step.verb == "exit" and step.value in RESERVED_REASONS:
            self._findings.add(
                "reserved-reason", path,
                f"the engine itself leaves with `{step.value}`: choose a reason of your own",
            )  # fmt: skip
        elif step.verb == "set_fields":
            for name in RESERVED_FIELDS.intersection(step.value):
                self._findings.add(
                    "reserved-field", child(path, name),
                    f"`{name}` is no trait: {_instead(name)}", key=True,
                )  # fmt: skip

    def _trigger(self, place: str, trigger: Trigger) -> None:
        path = child(trigger.path, trigger.verb)
        if trigger.verb in MESSAGE_TRIGGERS:
            for index, name in enumerate(trigger.names):
                self._message(place, name, self._at(path, index, trigger.names))
        elif trigger.verb in ("joins_list", "leaves_list"):
            self._each(trigger.names, self._known.lists, "list", path)
        if "list" in trigger.options:
            self._one(trigger.options["list"], self._known.lists, "list", f"{trigger.path}.list")

    def _message(self, place: str, name: str, path: str) -> None:
        """A message is one of a step of this journey, or of a template, or any."""
        templates = self._known.templates
        step = self._steps.get(name)
        if name == ANY or (templates is not None and name in templates):
            return
        if step is not None and place != "enter":
            if step.verb not in ("send_email", ""):
                self._findings.add(
                    "unknown-step", path,
                    f"the step `{name}` ({step.verb}) sends no mail: name a `send_email` step",
                )  # fmt: skip
            return
        if templates is None:
            return
        senders = [s.id for s in self._steps.values() if s.verb == "send_email"]
        what = "step that sends" if place != "enter" else "step can be meant here"
        hint = did_you_mean(name, [*senders, *templates])
        self._findings.add(
            "unknown-template", path, f"`{name}` is no template, and no {what}{hint}"
        )

    def _each(
        self, names: tuple[str, ...], known: frozenset[str] | None, what: str, path: str
    ) -> None:
        for index, name in enumerate(names):
            self._one(name, known, what, self._at(path, index, names))

    def _one(self, name: str, known: Iterable[str] | None, what: str, path: str) -> None:
        if known is None or name in known:
            return
        hint = did_you_mean(name, list(known))
        self._findings.add(f"unknown-{what}", path, f"there is no {what} `{name}`{hint}")

    def _at(self, path: str, index: int, names: tuple[str, ...]) -> str:
        """The path of the name in a list; a single one may stand without a list."""
        return f"{path}[{index}]" if len(names) > 1 else path


def _instead(name: str) -> str:
    return {
        "points": "use set_points or change_points",
        "tags": "use add_tags and remove_tags",
        "lists": "use add_to_list and remove_from_list",
    }.get(name, "the engine keeps it")
