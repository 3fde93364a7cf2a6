"""`dripline config | schema | topics`: what is in force, what lies on the topics, the topics."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from app import terminal
from app.settings import load_settings, origins
from app.terminal import Json
from schemas.errors import UsageError

CHECKOUT = Path(__file__).parents[1]

topics = cyclopts.App(name="topics", help="Kafka's topics: make them, check them.")


def config(*, json: Json = False) -> None:
    """Print every setting in force, and where each value comes from; secrets are masked."""
    found = origins()
    if json:
        for origin in found:
            terminal.json_line(origin.model_dump())
    else:
        terminal.table(
            ["setting", "value", "from"], ((o.name, o.value or "–", o.source) for o in found)
        )


@topics.command
def create(*, json: Json = False) -> None:
    """Make the topics that are missing; refuses when one that is there is wrong."""
    from app import topics as broker_topics
    from schemas import topics as known

    made = broker_topics.create(load_settings())
    for name in (topic.name for topic in known.TOPICS):
        if json:
            terminal.json_line({"topic": name, "made": name in made})
        else:
            terminal.say(f"{name}: {'made' if name in made else 'was there'}")


@topics.command
def check(*, json: Json = False) -> int:
    """Compare the topics with what they must be; 1 when something is wrong."""
    from app import topics as broker_topics

    problems = broker_topics.problems(load_settings())
    for problem in problems:
        if json:
            terminal.json_line({"problem": problem})
        else:
            terminal.say(problem)
    if not problems and not json:
        terminal.say("all topics are as they must be")
    return 1 if problems else 0


def schema(
    name: str | None = None,
    /,
    *,
    write: Annotated[
        bool, Parameter(negative=(), help="Write the generated reference of a checkout again.")
    ] = False,
) -> None:
    """Print a JSON Schema (of campaign files, of a topic's records); without a name, the names."""
    from schemas import generate
    from schemas.json_schemas import documents

    known = documents()
    if write:
        for path in generate.write(CHECKOUT):
            terminal.note(f"written: {path.relative_to(CHECKOUT)}")
    elif name is None:
        for each in known:
            terminal.say(each)
    elif name in known:
        terminal.say(dumps(known[name], indent=2, ensure_ascii=False))
    else:
        raise UsageError(f"there is no schema {name}; there are: {', '.join(known)}")


def register(app: cyclopts.App) -> None:
    """Add this module's commands."""
    app.command(config)
    app.command(schema)
    app.command(topics)
