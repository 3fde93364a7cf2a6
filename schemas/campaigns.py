"""A campaign as it was read and checked: the tree that `streams.engine` compiles.

Made from a document (plain data, as YAML or JSON gives it) by `streams.engine.reading`; every value
is already converted: durations, times of day, instants, globs, expressions as text. Positions
(`steps[2].then[0]`) are those of the language, "Steps".
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Path = str


class Duration(Struct, frozen=True):
    """A calendar part (months, then days, in the lead's zone), then an exact part in ms."""

    months: int = 0
    days: int = 0
    ms: int = 0

    @property
    def zero(self) -> bool:
        """Nothing is to be waited for."""
        return not (self.months or self.days or self.ms)


class Window(Struct, frozen=True):
    """Times of day in minutes since midnight, start inclusive, end exclusive; spans midnight
    when end <= start."""

    start: int
    end: int


class Instant(Struct, frozen=True):
    """A date of the language: `ms` when it had an offset, else `local` (ISO, lead's zone).

    `plain_date` tells that no time of day was written (local midnight).
    """

    ms: int | None = None
    local: str | None = None
    plain_date: bool = False


class When(Struct, frozen=True):
    """What a wait adds to its duration or date, in this order: `at` (minutes since midnight) or
    `between`, then `days` (0 = Monday; empty: no restriction)."""

    at: int | None = None
    between: Window | None = None
    days: frozenset[int] = frozenset()


class Trigger(Struct, frozen=True):
    """One trigger: `verb` and its names (event names, globs, ids; a list is any-of).

    `duration` is that of `spends_time`, `number` that of `reaches_points`. `options` are the
    trigger's other keys, converted: `url`, `referrer`, `on` (tuples of globs), `to`, `from`
    (values), `existing` (bool), `list`, `date` (Instant), `offset` (Duration), `at` (minutes),
    `yearly` (bool), `every` (text). `then` is a wait's own branch for this trigger.
    """

    verb: str
    path: Path
    names: tuple[str, ...] = ()
    where: str | None = None
    duration: Duration | None = None
    number: float | None = None
    options: dict[str, Any] = {}
    then: tuple[Step, ...] | None = None


class Arm(Struct, frozen=True):
    """One branch of `choose` (`when`) or `split` (`name`, `weight`)."""

    path: Path
    steps: tuple[Step, ...]
    when: str | None = None
    name: str = ""
    weight: float = 0


class Step(Struct, frozen=True):
    """One step. `value` is the verb's own, converted; `options` the other keys, converted.

    | verb | value | options |
    |---|---|---|
    | wait | Duration | when: When, restart_on: tuple[Trigger] |
    | wait_until | Instant, or {"field": str, "offset": Duration} | when, if_past, if_missing |
    | wait_for | tuple[Trigger] | within: Duration or Instant, since: "arrival"/"entry" |
    | if | expression text | |
    | choose, split | tuple[Arm] | |
    | parallel | tuple of tuples of Step | join: "all"/"any" |
    | jump_to | step id | at_most: int |
    | exit | reason | |
    | send_email, … | template name | subject, from, to (Liquid), once_per_lead, transactional,
      expires_after: Duration |
    | call_webhook | {"url", "method", "headers", "body"} | |
    | change_points, set_points | number or {"expr": text} | |
    | add_to_list, remove_from_list, add_tags, remove_tags | tuple of names | |
    | set_fields | {name: value or {"expr": text}} | |
    | subscribe, unsubscribe | channel | |
    | start_campaign, leave_campaign | campaign id | |
    | record_event | {"name", "properties"} | |
    | forget_lead | true | |

    `then`, `else_`, `otherwise`, `on_success`, `on_failure` are blocks; None when not written.
    """

    verb: str
    id: str
    path: Path
    value: Any = None
    options: dict[str, Any] = {}
    then: tuple[Step, ...] | None = None
    else_: tuple[Step, ...] | None = None
    otherwise: tuple[Step, ...] | None = None
    on_success: tuple[Step, ...] | None = None
    on_failure: tuple[Step, ...] | None = None
    note: str = ""


class Goal(Struct, frozen=True):
    """The conversion: `within` from the entry; `exit` ends the journey."""

    on: tuple[Trigger, ...]
    within: Duration | None = None
    exit: bool = True


class Active(Struct, frozen=True):
    """Entries only inside [from, until)."""

    from_: Instant | None = None
    until: Instant | None = None
    then: Literal["drain", "exit"] = "drain"


class Frequency(Struct, frozen=True):
    """At most so many messages of a channel per period, over all campaigns."""

    at_most: int
    per: Duration
    then: Literal["skip", "delay"] = "skip"


class Limits(Struct, frozen=True):
    """What concerns this campaign's messages; rates are (number, per ms)."""

    quiet_hours: Window | None = None
    quiet_days: frozenset[int] = frozenset()
    frequency: dict[str, Frequency] = {}
    send_rate: tuple[int, int] | None = None


class Definition(Struct, frozen=True):
    """One version of a campaign, checked. Defaults are those of the language."""

    id: str
    enter: tuple[Trigger, ...]
    steps: tuple[Step, ...]
    name: str = ""
    timezone: str = "UTC"
    channel_defaults: dict[str, dict[str, str]] = {}
    only_if: str | None = None
    reentry: Literal["never", "after_exit", "restart", "always"] = "never"
    reentry_after: Duration | None = None
    per: str | None = None
    goal: Goal | None = None
    exit: tuple[Trigger, ...] = ()
    expires_after: Duration | None = None
    active: Active | None = None
    holdout: float = 0
    limits: Limits = Limits()
    priority: int = 5
    exclusive_group: str | None = None
    entries_per_lead: int | None = None
    entry_rate: tuple[int, int] | None = None
    failure_limit: float = 0.1
    in_flight: Literal["finish", "migrate", "exit"] = "finish"
    on_resume: Literal["run_late", "skip", "reschedule"] = "run_late"


class ListDefinition(Struct, frozen=True):
    """A list; `when` None is a static one."""

    id: str
    when: str | None = None
    name: str = ""


class Finding(Struct, frozen=True):
    """One thing that lint says. `line` and `column` count from 1, 0 when the document had none."""

    code: str
    path: Path
    message: str
    severity: Literal["error", "warning"] = "error"
    line: int = 0
    column: int = 0
    file: str = ""
