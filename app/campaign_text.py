"""A campaign as text: what lets leads in and out, and its steps with the ids that facts name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from schemas.campaigns import Arm, Definition, Duration, Instant, Step, Trigger, When, Window

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1))


def described(campaign: Definition) -> Iterator[str]:
    """Line by line."""
    yield f"{campaign.id}" + (f": {campaign.name}" if campaign.name else "")
    yield f"  enters     {_triggers(campaign.enter)}"
    if campaign.only_if:
        yield f"  only if    {campaign.only_if}"
    again = f", not within {_value(campaign.reentry_after)}" if campaign.reentry_after else ""
    yield f"  again      {campaign.reentry}{again}" + (
        f", one journey per {campaign.per}" if campaign.per else ""
    )
    if campaign.goal:
        within = f" within {_value(campaign.goal.within)}" if campaign.goal.within else ""
        yield f"  goal       {_triggers(campaign.goal.on)}{within}"
    if campaign.exit:
        yield f"  leaves on  {_triggers(campaign.exit)}"
    if campaign.expires_after:
        yield f"  lives      at most {_value(campaign.expires_after)}"
    yield f"  zone       {campaign.timezone}"
    yield from _block(campaign.steps, "  ")


def _block(steps: Sequence[Step], indent: str) -> Iterator[str]:
    for step in steps:
        yield f"{indent}{step.id:<22} {step.verb} {_said(step)}".rstrip()
        yield from _branches(step, indent + "    ")


def _branches(step: Step, indent: str) -> Iterator[str]:
    if isinstance(step.value, tuple):
        for each in step.value:
            if isinstance(each, Arm):
                yield f"{indent}{each.name or 'when ' + str(each.when)}:"
                yield from _block(each.steps, indent + "  ")
            elif isinstance(each, Trigger) and each.then is not None:
                yield f"{indent}on {_trigger(each)}:"
                yield from _block(each.then, indent + "  ")
            elif isinstance(each, tuple):
                yield f"{indent}beside:"
                yield from _block(each, indent + "  ")
    for name in ("then", "else_", "otherwise", "on_success", "on_failure"):
        block = getattr(step, name)
        if block is not None:
            yield f"{indent}{name.rstrip('_').replace('_', ' ')}:"
            yield from _block(block, indent + "  ")


def _said(step: Step) -> str:
    value = step.value
    if isinstance(value, tuple) and value and isinstance(value[0], Arm):
        said = ", ".join(f"{arm.name} {arm.weight:g}" for arm in value if arm.name)
    elif isinstance(value, tuple) and value and isinstance(value[0], Trigger):
        said = _triggers(value)
    elif isinstance(value, tuple) and value and isinstance(value[0], tuple):
        said = f"{len(value)} branches"
    else:
        said = _value(value)
    written = {k: v for k, v in step.options.items() if v not in (None, False, "arrival")}
    return " ".join([said, *(_option(name, value) for name, value in written.items())])


def _option(name: str, value: Any) -> str:
    if name == "when" and isinstance(value, When):
        return _when(value)
    shown = _triggers(value) if isinstance(value, tuple) else _value(value)
    return f"({name.replace('_', ' ')} {shown})"


def _when(when: When) -> str:
    said = []
    if when.at is not None:
        said.append(f"at {_time(when.at)}")
    if when.between is not None:
        said.append(f"between {_value(when.between)}")
    if when.days:
        said.append("on " + " ".join(_DAYS[day] for day in sorted(when.days)))
    return " ".join(said)


def _triggers(triggers: Sequence[Any]) -> str:
    return " or ".join(_trigger(t) if isinstance(t, Trigger) else str(t) for t in triggers)


def _trigger(trigger: Trigger) -> str:
    names = ", ".join(trigger.names)
    what = [trigger.verb, names, _value(trigger.duration) if trigger.duration else ""]
    if trigger.number is not None:
        what.append(f"{trigger.number:g}")
    said = " ".join(word for word in what if word)
    return said + (f" where {trigger.where}" if trigger.where else "")


def _value(value: Any) -> str:
    if isinstance(value, Duration):
        return _duration(value)
    if isinstance(value, Window):
        return f"{_time(value.start)}-{_time(value.end)}"
    if isinstance(value, Instant):
        return str(value.local if value.ms is None else value.ms)
    if isinstance(value, tuple | frozenset):
        return ", ".join(_value(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_value(each)}" for key, each in value.items())
    if isinstance(value, msgspec.Struct):
        return str(msgspec.to_builtins(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _duration(value: Duration) -> str:
    parts = [f"{value.months} months"] if value.months else []
    parts += [f"{value.days} days"] if value.days else []
    rest = value.ms
    for unit, length in _UNITS:
        if rest >= length:
            parts.append(f"{rest // length} {unit}")
            rest %= length
    return " ".join(parts) or "0"


def _time(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
