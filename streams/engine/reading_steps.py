"""Reads triggers and steps, and the blocks of steps within steps.

What is wrong in a step becomes findings; the step itself stays in the tree (with None for what
could not be read), so that jumps to it and what is in it are still checked.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from schemas.campaigns import Arm, Step, Trigger, When
from schemas.language import COMMON, OWN_BRANCH, STEP, STEPS_TABLE, TRIGGER, WHERE
from schemas.language_shapes import Key, Shape, Verb
from streams.engine.expression_names import did_you_mean
from streams.engine.findings import Findings, child
from streams.engine.notation import shown
from streams.engine.reading_values import ValueReader

MAX_BLOCKS: Final = 20
ENTER: Final = "enter"
_BLOCKS: Final = {
    "then": "then",
    "else": "else_",
    "otherwise": "otherwise",
    "on_success": "on_success",
    "on_failure": "on_failure",
}
_TRIGGER_PARTS: Final = {"names": "names", "name": "names", "globs": "names", "channels": "names"}


class StepReader(ValueReader):
    """Reads a whole document's triggers and steps."""

    def __init__(self, findings: Findings) -> None:
        super().__init__(findings)
        self._depth = 0
        self.kinds |= {
            "triggers": lambda _, value, path: self.triggers(value, path),
            "wait_triggers": lambda _, value, path: self.triggers(value, path, branches=True),
            "steps": lambda _, value, path: self.steps(value, path),
            "branches": self._branches,
            "arms": self._arms,
        }

    # Triggers

    def triggers(self, value: Any, path: str, *, branches: bool = False) -> tuple[Trigger, ...]:
        """One trigger or a list of them; with `branches` each of a list may carry a `then`."""
        if isinstance(value, dict):
            trigger = self._trigger(value, path, branches=False)
            return (trigger,) if trigger is not None else ()
        if not isinstance(value, list):
            self.wrong(path, f"{shown(value)} is not a trigger: write one as `event: Name`")
            return ()
        if not value:
            self.wrong(path, "the list of triggers is empty")
        found = [
            self._trigger(item, f"{path}[{i}]", branches=branches) for i, item in enumerate(value)
        ]
        return tuple(trigger for trigger in found if trigger is not None)

    def _trigger(self, data: Any, path: str, *, branches: bool) -> Trigger | None:
        if not isinstance(data, dict):
            self.wrong(path, f"{shown(data)} is not a trigger: write one as `event: Name`")
            return None
        verb = self._verb(data, path, TRIGGER, [WHERE.name, OWN_BRANCH.name], "trigger")
        if verb is None:
            return None
        if verb.only == ENTER and not (path == ENTER or path.startswith(f"{ENTER}[")):
            self.findings.add(
                "entry-only", path, f"`{verb.name}` lets leads in: it may only stand in `enter`"
            )
        place = f"trigger.{verb.name}"
        self.not_yet(place, None, data[verb.name], child(path, verb.name))
        main = Key(verb.name, verb.shape, verb.meaning)
        extra = [OWN_BRANCH] if branches else []
        found = self._options(verb, [main, *verb.options, WHERE, *extra], data, path, place)
        names, duration, number, value = (), None, None, found.pop(verb.name, None)
        if verb.shape.kind in _TRIGGER_PARTS and value is not None:
            names = value if isinstance(value, tuple) else (value,)
        elif verb.shape.kind == "duration":
            duration = value
        elif verb.shape.kind == "number":
            number = value
        elif verb.shape.kind == "instant" and value is not None:
            found[verb.name] = value
        where, then = found.pop("where", None), found.pop("then", None)
        return Trigger(verb.name, path, names, where, duration, number, found, then)

    # Steps

    def steps(self, value: Any, path: str) -> tuple[Step, ...]:
        """A block of steps."""
        if not isinstance(value, list):
            hint = ": write a list, each step behind a `-`" if isinstance(value, dict) else ""
            self.wrong(path, f"{shown(value)} is not a list of steps{hint}")
            return ()
        if self._depth >= MAX_BLOCKS:
            self.wrong(path, f"blocks of steps are nested over {MAX_BLOCKS} deep", "too-deep")
            return ()
        self._depth += 1
        found = [self._step(item, f"{path}[{i}]") for i, item in enumerate(value)]
        self._depth -= 1
        return tuple(step for step in found if step is not None)

    def _step(self, data: Any, path: str) -> Step | None:
        if not isinstance(data, dict):
            hint = ""
            if isinstance(data, str) and data in STEP:
                hint = f": write `{data}: …`"
            self.wrong(
                path, f"{shown(data)} is not a step: a step is a mapping with one verb{hint}"
            )
            return None
        verb = self._verb(data, path, STEP, [key.name for key in COMMON], "step")
        if verb is None:
            return Step("", self._id_of(data, path), path)
        place = f"step.{verb.name}"
        self.not_yet(place, None, data[verb.name], child(path, verb.name))
        main = Key(verb.name, verb.shape, verb.meaning)
        found = self._options(verb, [main, *verb.options, *COMMON], data, path, place)
        fields: dict[str, Any] = {
            field: found.pop(name) for name, field in _BLOCKS.items() if name in found
        }
        value = found.pop(verb.name, None)
        if "within" in data and verb.name == "wait_for":
            found.setdefault("within", None)  # unreadable, but there is a deadline
        id_, note = found.pop("id", path), found.pop("note", "")
        if verb.name in ("wait", "wait_until"):
            self._when(found, path)
        if verb.name == "notify" and value is not None and len(value) != 1:
            self.wrong(child(path, verb.name), "write either `email` or `slack`", "exclusive-keys")
        for key in verb.options:
            if key.shape.kind in ("boolean", "integer", "choice"):
                found.setdefault(key.name, key.default)
        return Step(verb.name, id_, path, value, found, note=note, **fields)

    def _id_of(self, data: dict[Any, Any], path: str) -> str:
        id_ = data.get("id")
        return id_ if isinstance(id_, str) and id_ else path

    def _when(self, options: dict[str, Any], path: str) -> None:
        """Put `at`, `between` and `on` together as the option `when`."""
        at, between = options.pop("at", None), options.pop("between", None)
        days = options.pop("on", frozenset())
        if at is not None and between is not None:
            self.wrong(
                child(path, "between"), "`at` and `between` exclude each other: keep one",
                "exclusive-keys",
            )  # fmt: skip
        if len(days) == 7:
            days = frozenset()
        if at is not None or between is not None or days:
            options["when"] = When(at, between, days)

    def _branches(self, _: Shape, value: Any, path: str) -> Any:
        if not isinstance(value, list) or not value:
            return self.wrong(path, f"{shown(value)} is not a list of branches, each a list")
        return tuple(self.steps(branch, f"{path}[{i}]") for i, branch in enumerate(value))

    def _arms(self, shape: Shape, value: Any, path: str) -> Any:
        if not isinstance(value, list) or not value:
            return self.wrong(path, f"{shown(value)} is not a {shape.label}")
        arms = []
        for index, data in enumerate(value):
            where = f"{path}[{index}]"
            if not isinstance(data, dict):
                self.wrong(where, f"{shown(data)} is not a branch: write {shape.label}")
                continue
            found = self.keys(shape.keys, data, where, "")
            arms.append(
                Arm(
                    where, found.get("steps", ()), found.get("when"), found.get("name", ""),
                    found.get("weight", 1),
                )
            )  # fmt: skip
        return tuple(arms)

    # Both

    def _verb(
        self, data: dict[Any, Any], path: str, table: dict[str, Verb], common: list[str], what: str
    ) -> Verb | None:
        """The one verb of a step or trigger, the first where there are several."""
        verbs = [name for name in data if isinstance(name, str) and name in table]
        for name in verbs[1:]:
            self.findings.add(
                "two-verbs",
                child(path, name),
                f"a {what} has one verb: `{verbs[0]}` and `{name}` are two {what}s",
                key=True,
            )
        if verbs:
            return table[verbs[0]]
        options = {key.name for verb in table.values() for key in verb.options} | set(common)
        unknown = [name for name in data if name not in options]
        some = "send_email, wait, if, …" if what == "step" else "event, visits_page, …"
        for name in unknown:
            close = did_you_mean(name, [*table, *options]) if isinstance(name, str) else ""
            hint = close or f": a {what} needs a verb ({some})"
            self.unknown(name, child(path, name), (), hint)
        if not unknown:
            self.wrong(path, f"a {what} needs one verb: {some}", "no-verb")
        return None

    def _options(
        self, verb: Verb, keys: list[Key], data: dict[Any, Any], path: str, place: str
    ) -> dict[str, Any]:
        """The values of a verb and its options; further verbs have been told already."""
        table: Collection[str] = STEP if place.startswith("step") else TRIGGER
        known = {key.name for key in keys}
        mine: dict[Any, Any] = {}
        for name, value in data.items():
            if name in known:
                mine[name] = value
            elif name not in table:
                self.unknown(name, child(path, name), known, _belongs(name, verb, place))
        return self.keys(keys, mine, path, place)


def _belongs(name: Any, verb: Verb, place: str) -> str:
    """Which verbs take this option, where it is one."""
    if place.startswith("trigger"):
        others = [other.name for other in TRIGGER.values() if _takes(other, name)]
        if name == OWN_BRANCH.name:
            return ": a trigger's own `then` may only stand in a list of `wait_for`"
        if any(key.name == name for key in STEP["wait_for"].options):
            return ": write it beside `wait_for`"
    else:
        others = [other.name for other in STEPS_TABLE if _takes(other, name)]
    return f": it belongs to {', '.join(others)}, not to {verb.name}" if others else ""


def _takes(verb: Verb, name: Any) -> bool:
    return any(key.name == name for key in verb.options)
