"""Make the histories again: `python -m tests.histories.recording`, from the root of a checkout.

Only where a change of the engine is meant to see the past differently. Such a change needs a
marker in the log and a note in the changelog (architecture, "Records, facts, commands").
"""

import json
import random
from pathlib import Path
from typing import Any

import msgspec

from schemas.changes import Change, digest_of
from schemas.exports import ENCODE, NumberedChange, line_of
from schemas.records import ByHand, Interaction, Outcome
from streams.engine.yaml_reading import load_yaml
from streams.simulation.scenario_values import instant
from streams.simulation.world import World
from tests.histories.replaying import HERE, fold

SEEDS = (1, 2, 3)
LEADS = tuple(f"lead-{number}" for number in range(9))
DAYS = 12
RECORDS = 240
_FIRST = instant("2026-03-20T07:00:00Z", "")  # over the change to summer time
_EVENTS = (
    "Cart Updated",
    "Order Completed",
    "Order Completed",
    "Product Viewed",
    "Heartbeat",
    "Unsubscribed",
)
_PAGES = ("/", "/pricing", "/pricing/team?x=1", "/docs/a")
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "nowhere")


def changes(part: str) -> list[Change]:
    """The campaigns of one part of campaigns.yaml."""
    documents = load_yaml((HERE / "campaigns.yaml").read_text())[0][part]
    return [Change("campaign", d["campaign"], "publish", d, digest_of(d)) for d in documents]


def record(seed: int) -> list[bytes]:
    """Seeded traffic and wake-ups, as `dripline export` would print the log."""
    chance = random.Random(seed)
    world = World(first_ms=_FIRST - 1)
    published = list(changes("first"))
    for change in published:
        world.publish(change, _FIRST)
    moments = sorted(chance.randrange(DAYS * 86_400_000) for _ in range(RECORDS))
    for number, moment in enumerate(moments):
        if number == RECORDS // 2:
            for change in changes("second"):
                published.append(change)
                world.publish(change, _FIRST + moment)
        lead = chance.choice(LEADS)
        body = something(chance, world, lead)
        id = f"m{number - chance.randrange(2) * (number % 7 == 0)}"  # some ids come twice
        world.append(lead, body, _FIRST + moment, id=id)
    world.advance(_FIRST + (DAYS + 20) * 86_400_000)
    return lines(world, published)


def something(chance: random.Random, world: World, lead: str) -> Interaction | ByHand | Outcome:
    """Whatever a lead may do, or what may happen to it."""
    commands = [command for command in world.commands if command.lead == lead]
    kind = chance.choice(
        [
            "identify",
            "identify",
            "page",
            "page",
            "event",
            "event",
            "form",
            "hand",
            "mail",
            "outcome",
        ]
    )
    if kind in ("mail", "outcome") and commands:
        command = chance.choice(commands)
        if kind == "outcome":
            result = chance.choice(["delivered", "failed", "bounced"])
            return Outcome(command.id, command.journey_id, command.campaign, command.step,
                           command.channel, result, address=command.address)  # fmt: skip
        message = {"command_id": command.id, "journey_id": command.journey_id,
                   "step": command.step, "template": command.template}  # fmt: skip
        name = chance.choice(["Email Opened", "Email Link Clicked"])
        return track(lead, name, {"message": message, "link_url": "https://example.com/pricing"})
    if kind == "hand":
        do, target = chance.choice([("join", "trial-users"), ("leave", "trial-users"),
                                    ("remove", "trial"), ("join", "hot")])  # fmt: skip
        return ByHand(do, target, by="recording")
    if kind == "page":
        return Interaction("page", None, lead, properties=raw({"path": chance.choice(_PAGES)}),
                           context=raw({"timezone": chance.choice(_ZONES)}))  # fmt: skip
    if kind == "form":
        return track(lead, "Form Submitted", {"form_id": "trial"})
    if kind == "event":
        properties = {"cart": chance.randrange(2), "channel": "email"}
        return track(lead, chance.choice(_EVENTS), properties)
    traits = {
        "email": f"{lead}@example.com",
        "name": lead.title(),
        "country": chance.choice(["DE", "DE", "AT", "US"]),
        "timezone": chance.choice([*_ZONES, None]),
        "call_on": chance.choice(["2026-03-30", "2026-04-02T12:00", None]),
    }
    named = dict(chance.sample(sorted(traits.items()), 3))
    return Interaction("identify", None, lead, traits=raw({**named, "email": traits["email"]}))


def track(lead: str, name: str, properties: dict[str, Any]) -> Interaction:
    """A tracked event."""
    return Interaction("track", name, lead, properties=raw(properties))


def raw(value: dict[str, Any]) -> msgspec.Raw:
    """The value as raw JSON."""
    return msgspec.Raw(msgspec.json.encode(value))


def lines(world: World, published: list[Change]) -> list[bytes]:
    """The world's log, each change in the line of its marker."""
    numbered = (NumberedChange(number, change) for number, change in enumerate(published))
    found = []
    for record in world.log:
        line = line_of(0, record.offset, record.timestamp, record.key, list(record.headers),
                       record.value)  # fmt: skip
        if line.marker:
            line.partitions = 1
            line.changes = (next(numbered),)
        found.append(ENCODE(line))
    return found


def write(folder: Path) -> None:
    """Write every history: the log, and what it folds to."""
    for seed in SEEDS:
        log = record(seed)
        (folder / f"{seed}.jsonl").write_bytes(b"\n".join(log) + b"\n")
        folded = json.dumps(fold(log), indent=1, ensure_ascii=False, sort_keys=True)
        (folder / f"{seed}.folded.json").write_text(folded + "\n")


if __name__ == "__main__":
    write(HERE)
