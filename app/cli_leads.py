"""`dripline lead show | enter`: one lead, asked of the running instance."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import cyclopts
from cyclopts import Parameter

from app import terminal
from app.instance import Instance
from app.settings import load_settings
from app.terminal import Json, Url
from schemas.errors import UsageError
from schemas.ids import lead_id_problem

leads = cyclopts.App(name="lead", help="One lead: what it is and did; let it into a campaign.")

Id = Annotated[str, Parameter(help="The lead's id.", allow_leading_hyphen=True)]
NOT_SO = 1


@leads.command
def show(id: Id, /, *, url: Url = None, json: Json = False) -> int:
    """Show a lead's traits, lists, points, journeys and latest facts; 1 when there is none."""
    instance = Instance.of(load_settings(), url)
    lead = instance.get(_path(id))
    if lead is None:
        terminal.note(f"there is no lead {id}: it has done nothing that concerns a campaign")
        return NOT_SO
    if json:
        terminal.json_line(lead)
    else:
        _print(lead)
    return 0


@leads.command
def enter(
    id: Id,
    campaign: Annotated[str, Parameter(help="A campaign with `called: true` in its `enter`.")],
    *,
    url: Url = None,
    json: Json = False,
) -> None:
    """Let a lead into a campaign by hand; what came of it is among the facts of `lead show`."""
    instance = Instance.of(load_settings(), url)
    _path(id)
    answer = instance.post("/api/by-hand", {"do": "enter", "lead": id, "campaign": campaign})
    if json:
        terminal.json_line(answer)
    else:
        terminal.say(f"told: {id} enters {campaign}, if it may (`dripline lead show {id}`)")


def _path(id: str) -> str:
    problem = lead_id_problem(id)
    if problem:
        raise UsageError(f"{id!r} cannot be a lead's id: it {problem}")
    return f"/api/leads/{quote(id, safe='')}"


def _print(lead: dict[str, Any]) -> None:
    """The state, then the newest facts."""
    terminal.say(f"lead {lead['lead']}")
    for name, value in (lead.get("state") or {}).items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            terminal.say(f"{name}:")
            columns = list(dict.fromkeys(key for row in value for key in row))
            terminal.table(
                ["", *columns], (["", *(_cell(row.get(key)) for key in columns)] for row in value)
            )
        elif value not in (None, "", [], {}):
            terminal.say(f"{name}: {_cell(value)}")
    terminal.say("facts, newest first:")
    terminal.table(
        ["", "at", "fact", "campaign", "step", "detail"],
        (
            ["", fact["at"], fact["fact"], fact.get("campaign", ""), fact.get("step", ""),
             _cell(fact.get("detail"))]
            for fact in lead.get("facts", [])
        ),
    )  # fmt: skip


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_cell(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(each) for each in value)
    return str(value)


def register(app: cyclopts.App) -> None:
    """Add this module's commands."""
    app.command(leads)
