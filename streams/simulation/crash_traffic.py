"""What the crash simulator feeds in: campaigns, and records of leads, from a seed.

The campaigns use every kind of step whose replay could differ: waits, waits for events and mails,
conditions, points, lists (one campaign's list lets leads into another), counters, sessions,
values of `per`, loops, splits, goals, webhooks and mails.
"""

from __future__ import annotations

from random import Random
from typing import Any, Literal

from msgspec import Raw

from schemas import commands
from schemas.changes import Change, digest_of
from schemas.ids import partition_of
from schemas.records import ENCODE, NAMES, Body, ByHand, Interaction, Outcome
from streams.ports import Outgoing, StoredRecord

LEADS = (*(f"lead-{n}" for n in range(12)), "ana@example.com", "日本", "x" * 60)
EXPLOSIVE = "Boom"
"""An event on which `exploding` engines raise, after the lead has been changed."""

Result = Literal["delivered", "failed", "bounced", "unknown"]
PAGES = ("/", "/pricing", "/pricing/teams", "/docs/start", "/docs/end", "/blog/1")
WAITS = ("0", "20 seconds", "10 minutes", "2 hours", "1 day")


def base_changes(rng: Random) -> list[Change]:
    """What is published before the first record."""
    names = list(CAMPAIGNS)
    rng.shuffle(names)
    some = names[: rng.randrange(2, len(names))]
    return [
        *(template(name, rng) for name in ("welcome", "reminder")),
        published("list", {"list": "hot"}),
        *(campaign(name, rng) for name in some),
    ]


def later_change(rng: Random) -> Change:
    """A new version of something, or something new."""
    draw = rng.random()
    if draw < 0.1:
        return template("welcome", rng)
    if draw < 0.3:
        rule = rng.choice(["lead.points >= 5", 'lead.plan == "1"', '"hot" in lead.lists'])
        return published("list", {"list": "ruled", "when": rule})
    return campaign(rng.choice(list(CAMPAIGNS)), rng)


def published(kind: Any, document: dict[str, Any]) -> Change:
    """The change that publishes a campaign or list."""
    return Change(kind, document[kind], "publish", document, digest_of(document), "simulation")


def template(name: str, rng: Random) -> Change:
    """A new text of a template."""
    document = {
        "subject": f"Hello {rng.randrange(1000)}",
        "text": "{{ lead.first_name }} {{ lead.plan }} {{ entry.properties.cart }}",
    }
    return Change("template", name, "publish", document, digest_of(document), "simulation")


def campaign(name: str, rng: Random) -> Change:
    """One of the campaigns, its waits and numbers drawn anew."""
    return published("campaign", {"campaign": name, **CAMPAIGNS[name](rng)})


def _welcome(rng: Random) -> dict[str, Any]:
    return {
        "enter": [{"submits_form": "trial"}],
        "reentry": rng.choice(["never", "after_exit", "restart"]),
        "exit": [{"unsubscribes": "email"}],
        "goal": {"on": {"event": "Order Completed"}, "within": "2 days"},
        "steps": [
            {"send_email": "welcome", "id": "hello"},
            {"wait": rng.choice(WAITS)},
            {
                "wait_for": [
                    {"opens_email": "hello", "then": [{"change_points": 3}]},
                    {"event": "Cart Updated"},
                ],
                "within": rng.choice(WAITS[1:]),
                "then": [{"add_tags": "keen"}],
                "else": [{"send_email": "reminder"}],
            },
            {"if": "lead.points >= 10", "then": [{"add_to_list": "hot"}]},
        ],
    }


def _cart(rng: Random) -> dict[str, Any]:
    return {
        "enter": [{"event": "Cart Updated"}],
        "reentry": "always",
        "per": "event.properties.cart",
        "expires_after": rng.choice(["1 hour", "3 days"]),
        "steps": [
            {
                "wait_for": {
                    "event": "Order Completed",
                    "where": "event.properties.cart == entry.properties.cart",
                },
                "within": rng.choice(WAITS[1:4]),
                "then": [{"change_points": rng.randrange(1, 9)}],
                "else": [_webhook("cart")],
            },
        ],
    }


def _hot(rng: Random) -> dict[str, Any]:
    return {
        "enter": [{"joins_list": "hot"}],
        "reentry": "after_exit",
        "priority": rng.randrange(10),
        "steps": [
            {
                "split": [
                    {"name": "a", "weight": rng.randrange(1, 5), "steps": [_webhook("a")]},
                    {"name": "b", "weight": 2, "steps": [{"set_fields": {"stage": "b"}}]},
                ]
            },
            {"wait": rng.choice(WAITS)},
            {"remove_from_list": "hot"},
        ],
    }


def _cooled(rng: Random) -> dict[str, Any]:
    return {
        "enter": [{"leaves_list": "hot"}, {"changes_field": "plan"}],
        "reentry": "after_exit",
        "steps": [{"change_points": -rng.randrange(3)}, {"send_email": "welcome"}],
    }


def _pricing(rng: Random) -> dict[str, Any]:
    return {
        "enter": [{"visits_page": "/pricing*"}],
        "only_if": f'times("page", "1 day") >= {rng.randrange(1, 4)}',
        "reentry": "after_exit",
        "reentry_after": rng.choice(["1 minute", "2 hours"]),
        "steps": [{"change_points": 2}, {"wait": rng.choice(WAITS)}, _webhook("pricing")],
    }


def _reader(rng: Random) -> dict[str, Any]:
    return {
        "enter": [{"spends_time": "1 minute", "on": "/docs/*"}],
        "reentry": "after_exit",
        "steps": [{"set_points": rng.randrange(20)}, {"add_tags": ["reader", "docs"]}],
    }


def _loop(rng: Random) -> dict[str, Any]:
    return {
        "enter": [{"reaches_points": rng.randrange(3, 9)}, {"called": True}],
        "reentry": "after_exit",
        "steps": [
            {"change_points": 1, "id": "again"},
            {"wait": rng.choice(["1 minute", "30 minutes"])},
            _webhook("loop"),
            {"jump_to": "again", "at_most": rng.randrange(1, 4)},
        ],
    }


def _members(rng: Random) -> dict[str, Any]:
    return {
        "enter": [
            {"joins_list": "ruled", "existing": True},
            {"date": rng.choice(["2026-01-01T03:00Z", "2026-01-01T12:00"]), "list": "ruled"},
            {"date_field": "trial_ends_on", "offset": "-1 hours"},
        ],
        "reentry": "after_exit",
        "steps": [_webhook("ruled"), {"wait": rng.choice(WAITS)}, {"change_points": 1}],
    }


def _webhook(name: str) -> dict[str, Any]:
    url = f"https://hooks.example/{name}"
    return {"call_webhook": {"url": url, "body": {"points": "{{ lead.points }}"}}}


CAMPAIGNS = {
    "welcome": _welcome,
    "cart": _cart,
    "hot": _hot,
    "cooled": _cooled,
    "pricing": _pricing,
    "reader": _reader,
    "loop": _loop,
    "members": _members,
}


class Traffic:
    """Records of a few leads, most of them good."""

    def __init__(self, rng: Random, partitions: int, leads: int) -> None:
        self._rng = rng
        self._leads = rng.sample(LEADS, leads)
        self._partitions = partitions
        self._made = 0

    def next(self, issued: list[StoredRecord]) -> tuple[int, Outgoing]:
        """Partition and record; `issued` are commands of which outcomes may be told."""
        self._made += 1
        rng = self._rng
        if rng.random() < 0.06:
            return self._poison()
        lead = rng.choice(self._leads)
        if rng.random() < 0.3:
            lead = f"stranger-{self._made}"
        body: Body
        if issued and rng.random() < 0.08:
            command = commands.DECODE(rng.choice(issued).value or b"")
            lead, body = command.lead, self._outcome(command)
        elif rng.random() < 0.04:
            campaign = rng.choice(["loop", "welcome", "none"])
            by_hand = ByHand("enter", campaign, "someone"), ByHand("remove", campaign, "someone")
            body = rng.choice(by_hand)
        else:
            body = self._interaction()
        return self._sent(lead, body)

    def _sent(self, lead: str, body: Body) -> tuple[int, Outgoing]:
        id = f"m{self._made - (self._rng.random() < 0.05)}"  # now and then one comes twice
        headers = (("schema", NAMES[type(body)].encode()), ("id", id.encode()))
        return partition_of(lead, self._partitions), Outgoing(lead.encode(), ENCODE(body), headers)

    def _outcome(self, command: commands.Command) -> Outcome:
        results: tuple[Result, ...] = ("delivered", "failed", "bounced", "unknown")
        return Outcome(
            command.id, command.journey_id, command.campaign, command.step, command.channel,
            self._rng.choice(results),
            address=command.address,
        )  # fmt: skip

    def _interaction(self) -> Interaction:
        rng = self._rng
        draw = rng.random()
        if draw < 0.4:
            path = rng.choice(PAGES).encode()
            return Interaction("page", properties=Raw(b'{"path":"%s"}' % path))
        if draw < 0.55:
            return Interaction("identify", traits=Raw(self._traits()))
        name, properties = rng.choice(
            [
                ("Form Submitted", b'{"form_id":"trial"}'),
                ("Cart Updated", b'{"cart":%d}' % rng.randrange(3)),
                ("Order Completed", b'{"cart":%d}' % rng.randrange(3)),
                ("Email Opened", b'{"template":"welcome"}'),
                ("Email Opened", b'{"message":{"step":"hello","template":"welcome"}}'),
                ("Unsubscribed", b'{"channel":"email"}'),
                ("Heartbeat", b'{"path":"/docs/start"}'),
                (EXPLOSIVE if rng.random() < 0.1 else "Nobody Asked", b'{"n":1}'),
            ]
        )
        historical = rng.random() < 0.05
        return Interaction("track", name, properties=Raw(properties), historical=historical)

    def _traits(self) -> bytes:
        rng = self._rng
        if rng.random() < 0.5:
            return b'{"email":"a%d@example.com"}' % rng.randrange(5)
        return rng.choice(
            [
                b'{"plan":"%d","first_name":"Ana"}' % rng.randrange(3),
                b'{"trial_ends_on":"2026-01-01T%02d:00Z"}' % rng.randrange(24),
                b'{"timezone":"%s"}' % rng.choice([b"Asia/Tokyo", b"America/New_York", b"Mars"]),
            ]
        )

    def _poison(self) -> tuple[int, Outgoing]:
        rng = self._rng
        right, good = self._sent(rng.choice(self._leads), self._interaction())
        schema, id = good.headers
        wrong = (right + 1) % self._partitions
        return rng.choice(
            [
                (right, Outgoing(good.key, rng.randbytes(20), good.headers)),
                (right, Outgoing(good.key, b"[" * 50_000, good.headers)),
                (right, Outgoing(good.key, None, good.headers)),
                (right, Outgoing(good.key, b'{"type":"dance"}', good.headers)),
                (right, Outgoing(good.key, b'{"type":"track","event":"Cart Updated",'
                                 b'"properties":{"cart":"\xff"}}', good.headers)),
                (right, Outgoing(good.key, b'{"type":"page","context":"%s"}' % (b"x" * 99_999),
                                 good.headers)),
                (right, Outgoing(good.key, good.value, (id,))),
                (right, Outgoing(good.key, good.value, (("schema", b"\xff/9"), id))),
                (right, Outgoing(None, good.value, good.headers)),
                (right, Outgoing(b"\x00\xff", good.value, (schema,))),
                (wrong, good),
            ]
        )  # fmt: skip
