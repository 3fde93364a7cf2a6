"""The registry: the trigger index, what interests it, its memos, its snapshots."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.changes import Change, digest_of
from schemas.errors import DataError
from schemas.records import Interaction
from streams.engine import trigger_index
from streams.engine.events import EventView, Message, Occurrence, page_of
from streams.engine.registry import EMPTY, Registries, Registry
from tests.engine.folding import Log, change_of, raw, registry_of

NAMES = ["a", "b", "c"]
PATHS = ["/", "/a", "/a/b", "/b", ""]
URLS = ["https://x.example/a", "https://y.example/a?q=1", ""]
TRIGGERS: list[dict[str, Any]] = [
    *({"event": name} for name in NAMES),
    {"visits_page": "/a*"}, {"visits_page": ["/", "/b"]}, {"visits_page": "https://x.example/*"},
    {"visits_page": "*", "referrer": "https://ref.example/*"},
    {"submits_form": "a"}, {"downloads": "*.pdf"}, {"opens_email": "a"}, {"opens_email": "any"},
    {"clicks_email": "a", "url": "*/b"}, {"joins_list": "a"}, {"leaves_list": "b"},
    {"reaches_points": 10}, {"changes_field": "a"}, {"changes_field": "b", "to": 1},
    {"unsubscribes": "email"}, {"bounces": "any"}, {"called": True}, {"is_created": True},
    {"spends_time": "1 minute"}, {"spends_time": "1 minute", "on": "/a*"},
]  # fmt: skip


def campaigns(draw: random.Random, count: int) -> list[dict[str, Any]]:
    return [
        {
            "campaign": f"c{n}",
            "priority": draw.randrange(10),
            "enter": draw.sample(TRIGGERS, draw.randrange(1, 4)),
            "steps": [{"add_tags": "x"}],
        }
        for n in range(count)
    ]


def occurrence_of(draw: random.Random) -> Occurrence:
    """An occurrence as some record or step may bring it about, with several sides at once."""
    event = EventView(Interaction("track", draw.choice(NAMES), properties=raw({"a": 1})))
    found = Occurrence(event, 1)
    sides = draw.sample(range(9), draw.randrange(1, 4))
    if 0 in sides:
        found.name = draw.choice([*NAMES, "", "other"])
    if 1 in sides:
        found.page, found.url = draw.choice(PATHS), draw.choice(URLS)
        found.referrer = draw.choice(["", "https://ref.example/x", "https://other.example/"])
    if 2 in sides:
        found.form = draw.choice(NAMES)
        found.download = draw.choice(["x.pdf", "x.txt"])
    if 3 in sides:
        verb = draw.choice(["opens", "clicks", "replies"])
        found.message = Message(verb, template=draw.choice(["a", "b", ""]), url="/x/b")
    if 4 in sides:
        found.joined, found.left = tuple(draw.sample(NAMES, 2)), tuple(draw.sample(NAMES, 1))
    if 5 in sides:
        found.points = (draw.randrange(20), draw.randrange(20))
    if 6 in sides:
        found.fields = {draw.choice(NAMES): (None, draw.choice([1, 2]))}
    if 7 in sides:
        found.lost = ((draw.choice(["email", "sms"]), draw.choice(["unsubscribed", "bounced"])),)
    if 8 in sides:
        found.created = draw.random() < 0.5
        found.called = draw.choice([None, "c0", "c1", "nobody"])
        found.spent = draw.choice([(), ("60000",), ("60000\x1f/a*",)])
    return found


def by_scan(registry: Registry, occurrence: Occurrence) -> list[str]:
    """Every campaign of which any trigger of `enter` fires, in the order they are visited."""
    found = [
        plan.id
        for plan in registry.campaigns.values()
        if any(
            (occurrence.called == plan.id) if trigger.verb == "called"
            else trigger.test(occurrence, None)
            for trigger in plan.enter
        )
    ]  # fmt: skip
    return sorted(found, key=lambda id_: (-registry.campaigns[id_].definition.priority, id_))


def fires(registry: Registry, occurrence: Occurrence) -> list[str]:
    """The same among what the index proposes."""
    return [
        plan.id
        for plan in registry.entries_for(occurrence)
        if any(
            (occurrence.called == plan.id) if trigger.verb == "called"
            else trigger.test(occurrence, None)
            for trigger in plan.enter
        )
    ]  # fmt: skip


@settings(max_examples=60)
@given(st.randoms(use_true_random=False))
def test_the_index_finds_what_a_scan_of_all_triggers_finds(draw: random.Random) -> None:
    registry = registry_of(*campaigns(draw, draw.randrange(1, 8)))
    for _ in range(30):  # one registry for many: its memos are at work
        occurrence = occurrence_of(draw)
        assert fires(registry, occurrence) == by_scan(registry, occurrence)


@settings(max_examples=40)
@given(st.randoms(use_true_random=False))
def test_a_record_that_fires_something_is_of_interest(draw: random.Random) -> None:
    """Also for versions that are no longer the newest, and wherever the trigger stands."""
    documents = campaigns(draw, 3)
    for document in list(documents):
        trigger = draw.choice([t for t in TRIGGERS if "called" not in t and "is_created" not in t])
        place = draw.choice(["goal", "exit", "wait"])
        older: dict[str, Any] = {**document, "enter": [{"event": "never"}]}
        if place == "goal":
            older["goal"] = {"on": [trigger]}
        elif place == "exit":
            older["exit"] = [trigger]
        else:
            older["steps"] = [{"wait_for": [trigger]}]
        documents.insert(0, older)
    registry = registry_of(*documents)
    plans = [registry.plan(f"c{n}", version) for n in range(3) for version in (1, 2)]
    for _ in range(20):
        body = interaction_of(draw)
        log = Log()
        log.registry = registry
        handled = log.take("2026-01-05T10:00", body)
        occurrence = Occurrence(EventView(body))
        occurrence.name = body.event
        page = page_of(body)
        if page is not None and body.type != "track":
            occurrence.page, occurrence.url = page.path, page.url
            occurrence.referrer = page.referrer
        fired = any(t.test(occurrence, None) for plan in plans for t in plan.triggers)
        if fired or handled.effect:
            assert registry.interest(body) or registry.index.greets


def interaction_of(draw: random.Random) -> Interaction:
    kind: Any = draw.choice(["track", "track", "page", "screen", "identify"])
    if kind == "track":
        return Interaction(kind, draw.choice([*NAMES, "never", "Form Submitted", "Heartbeat"]),
                           properties=raw({"form_id": draw.choice(NAMES)}))  # fmt: skip
    if kind == "identify":
        return Interaction(kind, traits=raw({draw.choice(NAMES): 1}))
    page = {"path": draw.choice(PATHS), "url": draw.choice(URLS),
            "referrer": "https://ref.example/x"}  # fmt: skip
    if draw.random() < 0.3:
        return Interaction(kind, context=raw({"page": page}))
    return Interaction(kind, properties=raw(page))


def test_nothing_interests_an_empty_registry() -> None:
    for body in (Interaction("track", "a"), Interaction("page", properties=raw({"path": "/"})),
                 Interaction("alias"), Interaction("group"), Interaction("identify")):  # fmt: skip
        assert not EMPTY.interest(body)
    assert EMPTY.interest(Interaction("identify", traits=raw({"a": 1})))
    assert EMPTY.interest(Interaction("track", "Unsubscribed"))


@pytest.mark.parametrize(
    "properties", [b"null", b"[]", b"5", b'"x"', b'{"path":5}', b'{"path":null,"url":[]}',
                   b'{"path":"\xff"}', b'{"url":"http://[bad"}', b"[" * 900 + b"]" * 900]
)  # fmt: skip
def test_odd_pages_are_of_no_interest_and_raise_nothing(properties: bytes) -> None:
    from msgspec import Raw

    registry = registry_of("{campaign: c, enter: [{visits_page: /a}], steps: [{add_tags: x}]}")
    assert not registry.interest(Interaction("page", properties=Raw(properties)))
    assert not registry.interest(Interaction("page", context=Raw(b'{"page":' + properties + b"}")))


def test_a_referrer_is_asked_each_time() -> None:
    """The memo is per page: two visitors of one page may come from different places."""
    log = Log("""
campaign: c
enter: [{visits_page: /a, referrer: "https://ref.example/*"}]
reentry: after_exit
steps: [{change_points: 1}]
""")
    for n, referrer in enumerate(["", "https://ref.example/x", "", "https://ref.example/y"]):
        log.page(f"2026-01-05T10:0{n}", "/a", properties={"referrer": referrer})
    assert log.lead is not None
    assert log.lead.points == 2


def test_the_memos_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trigger_index, "MEMO_PAGES", 10)
    log = Log("""
campaign: c
enter: [{visits_page: ["/a*", "https://x.example/*"]}]
reentry: after_exit
steps: [{change_points: 1}]
""")
    for n in range(40):
        log.page("2026-01-05T10:00", f"/{'a' if n % 2 else 'b'}{n}")
    assert log.lead is not None
    assert log.lead.points == 20
    index: Any = log.registry.index
    assert len(index._page_memo) <= 10
    assert len(index._entry_memo) <= 10


# Versions and snapshots


def test_leads_stay_on_their_version() -> None:
    one = (
        "{campaign: c, enter: [{event: Go}], reentry: always, steps: [{wait: 1 day}, {exit: one}]}"
    )
    log = Log(one)
    log.track("2026-01-05T10:00", "Go")
    log.publish(one.replace("one", "two"))
    log.track("2026-01-05T11:00", "Go")
    log.until("2026-01-07")
    assert log.reasons() == ["one", "two"]
    assert log.registry.campaigns["c"].version == 2
    assert log.registry.plan("c", 1).version == 1


def test_an_old_version_lets_nobody_in() -> None:
    log = Log("{campaign: c, enter: [{event: Old}], steps: [{wait: 1 day}]}")
    log.publish("{campaign: c, enter: [{event: New}], steps: [{wait: 1 day}]}")
    assert log.track("2026-01-05T10:00", "Old").lead is None
    assert log.track("2026-01-05T10:01", "New").lead is not None


def test_a_command_names_the_template_in_force() -> None:
    first = {"template": "hello", "html": "{{ lead.a }}"}
    second = {"template": "hello", "html": "{{ lead.b }}"}
    log = Log(
        first,
        "{campaign: c, enter: [{event: Go}], reentry: always, steps: [{send_email: hello}]}",
    )
    log.identify("2026-01-05T09:00", email="ana@example.com", a=1, b=2)
    log.track("2026-01-05T10:00", "Go")
    log.publish(second)
    log.track("2026-01-05T10:01", "Go")
    assert [command.data for command in log.commands] == [{"lead": {"a": 1}}, {"lead": {"b": 2}}]
    assert [command.template_digest for command in log.commands] == [
        change_of(first).digest, change_of(second).digest,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("campaign", {}),
        ("campaign", {"campaign": "c", "enter": [{"event": "x"}], "steps": [{"nothing": 1}]}),
        ("campaign", {"campaign": "c", "enter": [{"event": "x"}], "steps": [{"jump_to": "no"}]}),
        ("campaign", {"campaign": "c", "enter": [{"event": "x"}], "only_if": "((", "steps": []}),
        ("campaign", {"campaign": "other", "enter": [{"event": "x"}], "steps": [{"wait": 0}]}),
        ("campaign", {"campaign": "c", "enter": [{"event": "x"}], "steps": [
            {"split": [{"name": "a", "weight": 0, "steps": []}]}]}),
        ("campaign", {"campaign": "c", "enter": [{"event": "x"}], "steps": [
            {"call_webhook": {"url": "{{ lead"}}]}),
        ("campaign", {"campaign": "c", "enter": [{"event": "x"}], "steps": [
            {"wait": 0, "id": "a"}, {"wait": 0, "id": "a"}]}),
        ("list", {"list": 5}),
        ("list", {}),
        ("template", {"html": "{{ lead"}),
        ("template", {"html": "{% unknown %}"}),
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_used(kind: Any, document: dict[str, Any]) -> None:
    change = Change(kind, "c", "publish", document, digest_of(document))
    with pytest.raises(DataError) as caught:
        EMPTY.with_change(3, change)
    assert caught.value.reason == "bad_document"
    registries = Registries()
    with pytest.raises(DataError):
        registries.append(3, change)
    assert registries.newest == -1


def test_snapshots_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from streams.engine import registry as module

    monkeypatch.setattr(module, "SNAPSHOTS", 3)
    registries = Registries()
    numbers = [0, 1, 5, 9, 10, 11, 30]
    for number in numbers:
        document = f"{{list: l{number}}}"
        registries.append(number, change_of(document))
        registries.append(number, change_of(document))  # again: ignored
    assert registries.newest == 30
    for asked in (0, 30, 4, 10, 5, 29, 1, -1, 40):
        found = registries.at(asked)
        wanted = [number for number in numbers if number <= asked]
        assert found.number == (wanted[-1] if wanted else -1)
        assert list(found.lists) == [f"l{number}" for number in wanted]
    assert [number for number, _ in registries.between(1, 10)] == [5, 9, 10]
    assert registries.between(30, 30) == []


def test_a_snapshot_never_changes() -> None:
    one = registry_of("{campaign: c, enter: [{event: Go}], steps: [{wait: 1 day}]}")
    two = one.with_change(1, change_of("{campaign: d, enter: [{event: Go}], steps: [{wait: 0}]}"))
    assert list(one.campaigns) == ["c"]
    assert list(two.campaigns) == ["c", "d"]
    assert one.digests.keys() == {"campaign/c"}
    assert one.plan("c", 1) is two.plan("c", 1)
