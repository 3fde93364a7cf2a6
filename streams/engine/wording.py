"""Steps, triggers and values in short words: for graphs, `campaign show` and pages."""

from __future__ import annotations

from typing import Any, Final

from schemas.campaigns import Definition, Duration, Instant, Step, Trigger, When, Window
from schemas.facts import iso
from streams.engine.notation import HOUR_MS, MINUTE_MS, SECOND_MS, WEEKDAYS, repr_of

_EXACT: Final = (("hour", HOUR_MS), ("minute", MINUTE_MS), ("second", SECOND_MS))
_CALENDAR: Final = (("year", 12), ("month", 1))
_DAY_RANGES: Final = {
    frozenset(range(5)): "weekdays",
    frozenset((5, 6)): "weekends",
}


def duration_text(duration: Duration) -> str:
    """`3 days`, `1 month 2 hours`; `0` for nothing."""
    parts: list[str] = []
    for count, units in (
        (duration.months, _CALENDAR),
        (duration.days, (("day", 1),)),
        (duration.ms, _EXACT),
    ):
        left = abs(count)
        for name, size in units:
            number, left = divmod(left, size)
            if number:
                parts.append(f"{number} {name}{'s' * (number > 1)}")
    negative = min(duration.months, duration.days, duration.ms) < 0
    return ("-" if negative else "") + " ".join(parts) if parts else "0"


def time_text(minutes: int) -> str:
    """`09:00`."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def window_text(window: Window) -> str:
    """`08:00-10:00`."""
    return f"{time_text(window.start)}-{time_text(window.end)}"


def days_text(days: frozenset[int]) -> str:
    """`mon, tue`, `weekdays`."""
    return _DAY_RANGES.get(days) or ", ".join(WEEKDAYS[day] for day in sorted(days))


def instant_text(instant: Instant) -> str:
    """The date as written: local without an offset, else UTC."""
    if instant.ms is not None:
        return iso(instant.ms).replace(":00.000Z", "Z")
    text = instant.local or ""
    return text[:10] if instant.plain_date else text.removesuffix(":00")


def when_text(when: When) -> str:
    """`at 09:00 on weekdays`; "" without restriction."""
    parts = []
    if when.at is not None:
        parts.append(f"at {time_text(when.at)}")
    if when.between is not None:
        parts.append(f"between {window_text(when.between)}")
    if when.days:
        parts.append(f"on {days_text(when.days)}")
    return " ".join(parts)


def value_text(value: Any) -> str:
    """A step's or trigger's value."""
    if isinstance(value, Duration):
        return duration_text(value)
    if isinstance(value, Instant):
        return instant_text(value)
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | frozenset):
        return ", ".join(value_text(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {value_text(item)}" for name, item in value.items())
    return repr_of(value)


def trigger_text(trigger: Trigger) -> str:
    """`opens_email welcome where …`."""
    parts = [trigger.verb]
    if trigger.duration is not None:
        parts.append(duration_text(trigger.duration))
    if trigger.number is not None:
        parts.append(value_text(trigger.number))
    if trigger.names:
        parts.append(" or ".join(trigger.names))
    for name, value in trigger.options.items():
        parts.append(value_text(value) if name == trigger.verb else f"{name} {value_text(value)}")
    if trigger.where is not None:
        parts.append(f"where {trigger.where}")
    return " ".join(parts)


def triggers_text(triggers: tuple[Trigger, ...]) -> str:
    """Any of these."""
    return " or ".join(trigger_text(trigger) for trigger in triggers)


def step_text(step: Step) -> str:
    """What stands behind the verb: `3 days at 09:00`, `welcome`, the condition."""
    parts: list[str] = []
    if step.verb == "wait_for":
        parts.append(triggers_text(step.value or ()))
        if step.options.get("within") is not None:
            parts.append(f"within {value_text(step.options['within'])}")
    elif step.verb == "wait_until" and isinstance(step.value, dict):
        parts.append(_field_text(step.value))
    elif step.verb == "split":
        parts.append(", ".join(f"{arm.name} {value_text(arm.weight)}" for arm in step.value or ()))
    elif step.verb == "call_webhook" and isinstance(step.value, dict):
        parts.append(f"{step.value.get('method', 'POST')} {step.value.get('url', '')}")
    elif step.verb == "record_event" and isinstance(step.value, dict):
        parts.append(str(step.value.get("name", "")))
    elif step.verb not in ("choose", "parallel", "forget_lead"):
        parts.append(value_text(step.value))
    if isinstance(when := step.options.get("when"), When):
        parts.append(when_text(when))
    if step.verb == "jump_to":
        parts.append(f"at most {step.options.get('at_most', 1)}×")
    return " ".join(part for part in parts if part)


def _field_text(target: dict[str, Any]) -> str:
    offset = duration_text(target["offset"])
    name = f"lead.{target['field']}"
    if offset == "0":
        return name
    back = offset.startswith("-")
    return f"{offset.removeprefix('-')} {'before' if back else 'after'} {name}"


def branch_text(step: Step, label: str) -> str:
    """A way on from a step, as `streams.engine.flow.branches` calls it, for people."""
    if step.verb == "wait_for" and label == "else":
        within = step.options.get("within")
        if isinstance(within, Instant):
            return f"not by {instant_text(within)}"
        return f"not within {value_text(within)}"
    if label.startswith("wait_for["):
        trigger = step.value[int(label[9:-1])]
        return trigger_text(trigger)
    if step.verb == "choose" and label.startswith("choose["):
        return str(step.value[int(label[7:-1])].when)
    return "" if step.verb == "parallel" else label


def header_lines(definition: Definition) -> list[str]:
    """What holds for the whole campaign, a line each: goal, exits, expiry."""
    lines = []
    if definition.only_if is not None:
        lines.append(f"only if {definition.only_if}")
    if definition.goal is not None:
        within = definition.goal.within
        span = f" within {duration_text(within)}" if within is not None else ""
        lines.append(f"goal: {triggers_text(definition.goal.on)}{span}")
    if definition.exit:
        lines.append(f"leaves when {triggers_text(definition.exit)}")
    if definition.expires_after is not None:
        lines.append(f"expires after {duration_text(definition.expires_after)}")
    return lines
