"""Triggers compiled: whether an occurrence fires one, and where the index finds it.

Source: campaign-language, "Triggers: what a lead does". A list of names means any of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from schemas.campaigns import Duration, Step, Trigger
from schemas.state import Journey
from streams.engine.events import Message, Occurrence
from streams.engine.expressions import Expression, compile_expression
from streams.engine.globs import compile_glob, compile_page_glob
from streams.engine.time import DAY_MS

if TYPE_CHECKING:
    from streams.engine.turn import Turn

Key = tuple[str, str]
Test = Callable[[Occurrence, Journey | None], bool]

MESSAGE_VERBS = {
    "opens_email": ("opens", "Email Opened"),
    "clicks_email": ("clicks", "Email Link Clicked"),
    "replies_to_email": ("replies", "Email Replied"),
}
FORM_SUBMITTED = "Form Submitted"
FILE_DOWNLOADED = "File Downloaded"
SENDING = ("send_email", "send_sms", "send_push")
SPENT_SEPARATOR = "\x1f"
_MISSING = object()


class CompiledTrigger:
    """One trigger of a plan.

    `keys` are its places in the index; `events` the names of tracked events, `pages` the globs it
    looks at; `own_steps` the step ids whose messages of this run it waits for. `key` names it
    among what a journey remembers.
    """

    __slots__ = (
        "events", "existing", "key", "keys", "looks_back", "names", "own_steps", "pages",
        "path", "test", "verb", "where",
    )  # fmt: skip

    def __init__(self, trigger: Trigger, steps: Mapping[str, Step]) -> None:
        self.verb = trigger.verb
        self.path = trigger.path
        self.key = trigger.path
        self.where: Expression | None = (
            compile_expression(trigger.where) if trigger.where is not None else None
        )
        self.looks_back = False  # set for those of a wait with `since: entry`
        self.own_steps: tuple[str, ...] = ()
        if trigger.verb in MESSAGE_VERBS:
            self.own_steps = tuple(name for name in trigger.names if _sends(steps.get(name)))
        self.keys = _keys(trigger)
        self.names = frozenset(trigger.names)
        self.existing = bool(trigger.options.get("existing"))
        self.events = _events(trigger)
        self.pages = trigger.names if trigger.verb == "visits_page" else ()
        self.test: Test = _TESTS[trigger.verb](trigger, self)

    def fires(self, turn: Turn, occurrence: Occurrence, journey: Journey | None) -> bool:
        """Whether this occurrence fires the trigger for this journey (None: an entry)."""
        if not self.test(occurrence, journey):
            return False
        if self.where is None:
            return True
        entry = journey.entry if journey is not None else occurrence.event
        return turn.truth(self.where, journey, occurrence.event, entry)

    def memory_key(self, occurrence: Occurrence, journey: Journey) -> str | None:
        """Under which key a journey remembers that this occurrence fires it, None if it does not.

        With `since: entry` anything counts, else only a message of this run, by its step.
        """
        if self.looks_back:
            return self.key
        message = occurrence.message
        if message is None or message.journey != journey.id or message.step not in self.own_steps:
            return None
        return self.message_key(message.step)

    def message_key(self, step: str) -> str:
        """The key for messages of one step of this run."""
        return f"{self.key}\x1f{step}"


def _sends(step: Step | None) -> bool:
    return step is not None and step.verb in SENDING


def _keys(trigger: Trigger) -> tuple[Key, ...]:
    verb = trigger.verb
    if verb in MESSAGE_VERBS:
        return ((MESSAGE_VERBS[verb][0], ""),)
    if verb == "spends_time":
        return (("spent", spent_key(trigger)),)
    if verb in _NAMED:
        return tuple((_NAMED[verb], name) for name in trigger.names)
    return (_UNNAMED[verb],)


_NAMED = {
    "event": "event",
    "submits_form": "form",
    "joins_list": "joins",
    "leaves_list": "leaves",
    "changes_field": "field",
}
_UNNAMED = {
    "visits_page": ("page", ""),
    "downloads": ("download", ""),
    "reaches_points": ("points", ""),
    "unsubscribes": ("lost", "unsubscribed"),
    "bounces": ("lost", "bounced"),
    "is_created": ("created", ""),
    "called": ("called", ""),
    "date": ("date", ""),
    "date_field": ("date", ""),
}


def spent_key(trigger: Trigger) -> str:
    """What a session remembers of a `spends_time`: its duration in ms and its patterns."""
    duration = trigger.duration or Duration()
    ms = (duration.months * 30 + duration.days) * DAY_MS + duration.ms
    return SPENT_SEPARATOR.join([str(ms), *trigger.options.get("on", ())])


def _events(trigger: Trigger) -> tuple[str, ...]:
    verb = trigger.verb
    if verb == "event":
        return trigger.names
    if verb in MESSAGE_VERBS:
        return (MESSAGE_VERBS[verb][1],)
    return {"submits_form": (FORM_SUBMITTED,), "downloads": (FILE_DOWNLOADED,)}.get(verb, ())


def _event(trigger: Trigger, _: CompiledTrigger) -> Test:
    names = frozenset(trigger.names)
    return lambda occurrence, journey: occurrence.name in names


def _visits_page(trigger: Trigger, _: CompiledTrigger) -> Test:
    matches = page_matcher(trigger.names)
    referrers = [compile_glob(pattern) for pattern in trigger.options.get("referrer", ())]

    def test(occurrence: Occurrence, journey: Journey | None) -> bool:
        if occurrence.page is None or not matches(occurrence.page, occurrence.url or ""):
            return False
        return not referrers or any(match(occurrence.referrer or "") for match in referrers)

    return test


def page_matcher(patterns: tuple[str, ...]) -> Callable[[str, str], bool]:
    """Whether a page (path, full URL) matches any of the globs; one with `://` sees the URL."""
    tests = [compile_page_glob(pattern) for pattern in patterns]
    if len(tests) == 1:
        return tests[0]
    return lambda path, url: any(test(path, url) for test in tests)


def _submits_form(trigger: Trigger, _: CompiledTrigger) -> Test:
    names = frozenset(trigger.names)
    return lambda occurrence, journey: occurrence.form in names


def _downloads(trigger: Trigger, _: CompiledTrigger) -> Test:
    matches = [compile_glob(pattern) for pattern in trigger.names]

    def test(occurrence: Occurrence, journey: Journey | None) -> bool:
        name = occurrence.download
        return name is not None and any(match(name) for match in matches)

    return test


def _message(trigger: Trigger, compiled: CompiledTrigger) -> Test:
    verb = MESSAGE_VERBS[trigger.verb][0]
    own = frozenset(compiled.own_steps)
    templates = frozenset(trigger.names) - own
    anything = "any" in templates
    urls = [compile_glob(pattern) for pattern in trigger.options.get("url", ())]

    def names(message: Message, journey: Journey | None) -> bool:
        if message.step in own and journey is not None and message.journey == journey.id:
            return True
        return anything or (message.template != "" and message.template in templates)

    def test(occurrence: Occurrence, journey: Journey | None) -> bool:
        message = occurrence.message
        if message is None or message.verb != verb or not names(message, journey):
            return False
        return not urls or any(match(message.url) for match in urls)

    return test


def _joins_list(trigger: Trigger, _: CompiledTrigger) -> Test:
    names = frozenset(trigger.names)
    return lambda occurrence, journey: not names.isdisjoint(occurrence.joined)


def _leaves_list(trigger: Trigger, _: CompiledTrigger) -> Test:
    names = frozenset(trigger.names)
    return lambda occurrence, journey: not names.isdisjoint(occurrence.left)


def _spends_time(trigger: Trigger, _: CompiledTrigger) -> Test:
    key = spent_key(trigger)
    return lambda occurrence, journey: key in occurrence.spent


def _lost(why: str) -> Callable[[Trigger, CompiledTrigger], Test]:
    def compiled(trigger: Trigger, _: CompiledTrigger) -> Test:
        channels = frozenset(trigger.names)

        def test(occurrence: Occurrence, journey: Journey | None) -> bool:
            return any(
                reason == why and ("any" in channels or channel in channels)
                for channel, reason in occurrence.lost
            )

        return test

    return compiled


def _reaches_points(trigger: Trigger, _: CompiledTrigger) -> Test:
    goal = trigger.number or 0

    def test(occurrence: Occurrence, journey: Journey | None) -> bool:
        points = occurrence.points
        return points is not None and points[0] < goal <= points[1]

    return test


def _changes_field(trigger: Trigger, _: CompiledTrigger) -> Test:
    wanted: dict[str, Any] = trigger.options

    def test(occurrence: Occurrence, journey: Journey | None) -> bool:
        for name in trigger.names:
            change = (occurrence.fields or {}).get(name)
            if change is None:
                continue
            from_, to = wanted.get("from", _MISSING), wanted.get("to", _MISSING)
            if (from_ is _MISSING or from_ == change[0]) and (to is _MISSING or to == change[1]):
                return True
        return False

    return test


def _is_created(trigger: Trigger, _: CompiledTrigger) -> Test:
    return lambda occurrence, journey: occurrence.created


def _called(trigger: Trigger, _: CompiledTrigger) -> Test:
    return lambda occurrence, journey: occurrence.called is not None


def _by_date(trigger: Trigger, _: CompiledTrigger) -> Test:
    """Nothing that happens fires it: the lead carries a timer (`dated`)."""
    return lambda occurrence, journey: False


_TESTS: dict[str, Callable[[Trigger, CompiledTrigger], Test]] = {
    "event": _event,
    "visits_page": _visits_page,
    "submits_form": _submits_form,
    "downloads": _downloads,
    "opens_email": _message,
    "clicks_email": _message,
    "replies_to_email": _message,
    "joins_list": _joins_list,
    "leaves_list": _leaves_list,
    "spends_time": _spends_time,
    "unsubscribes": _lost("unsubscribed"),
    "bounces": _lost("bounced"),
    "reaches_points": _reaches_points,
    "changes_field": _changes_field,
    "is_created": _is_created,
    "called": _called,
    "date": _by_date,
    "date_field": _by_date,
}
