"""The HTML pages: rendered on the server, escaped, working without a script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from app.web import lead as leads
from app.web.outline import Row, rows
from app.web.parts import CaughtMail, Parts
from schemas.facts import FactList, FactRow, iso
from streams.engine.graph import svg

FACTS_SHOWN = 40
MAILS_SHOWN = 50
_HERE = Path(__file__).parent
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
# A mail is somebody else's HTML: it may show images and styles, run nothing, send nothing, and
# its links open beside the page.
_MAIL_POLICY = (
    "default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline'; font-src data:; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_BESIDE = '<base target="_blank">'


class Pages:
    """One endpoint a page; `routes` says where each is."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            time=_time, ms=_time_of_ms, lead_url=_lead_url, said=_said, counted=_counted
        )

    def routes(self) -> Sequence[Route | Mount]:
        """The routes of the pages."""
        return [
            Route("/", self.home),
            Route("/campaigns/{id}", self.campaign),
            Route("/campaigns/{id}/graph.svg", self.graph),
            Route("/leads/{id:path}", self.lead),
            Route("/mails/{number:int}", self.mail),
            Route("/mails/{number:int}/html", self.mail_html),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ]

    def error(self, status: int, message: str) -> Response:
        """The page of something that is not there."""
        return self._page("error.html", status, title=status, message=message)

    async def home(self, _: Request) -> Response:
        """Campaigns with counts per step, the latest facts, the caught mails."""
        view, inbox = self._parts.view, self._parts.inbox
        return self._page(
            "home.html",
            campaigns=[self._campaign(id) for id in sorted(view.campaigns)],
            facts=list(view.latest(limit=FACTS_SHOWN)),
            mails=inbox.mails(MAILS_SHOWN) if inbox is not None else None,
            mails_total=inbox.total if inbox is not None else 0,
        )

    async def campaign(self, request: Request) -> Response:
        """One campaign: its graph, counts, latest facts."""
        id = request.path_params["id"]
        if id not in self._parts.view.campaigns:
            raise HTTPException(404, f"There is no campaign {id!r}.")
        facts = list(self._parts.view.latest(campaign=id, limit=FACTS_SHOWN))
        return self._page("campaign.html", campaign=self._campaign(id), facts=facts)

    async def graph(self, request: Request) -> Response:
        """The campaign's steps as a picture, each with how many came to it."""
        view, id = self._parts.view, request.path_params["id"]
        campaign = view.campaigns.get(id)
        if campaign is None or campaign.definition is None:
            raise HTTPException(404, f"There is no graph of {id!r}.")
        steps = view.funnel(id).steps
        badges = {step: f"{counts.came:,}" for step, counts in steps.items() if counts.came}
        picture = svg(campaign.definition, badges)
        headers = {"content-security-policy": _PICTURE_POLICY}
        return Response(picture, headers=headers, media_type="image/svg+xml")

    async def lead(self, request: Request) -> Response:
        """One lead: newest state, latest facts."""
        id = request.path_params["id"]
        stored = self._parts.view.state(id)
        facts = list(self._parts.view.latest(lead=id, limit=200))
        if stored is None and not facts:
            raise HTTPException(404, f"Nothing is known of a lead {id!r}.")
        state = leads.plain(id, stored) if stored is not None else None
        return self._page("lead.html", id=id, state=state, facts=facts)

    async def mail(self, request: Request) -> Response:
        """One caught mail, its HTML in a frame of its own."""
        return self._page("mail.html", mail=self._mail(request))

    async def mail_html(self, request: Request) -> Response:
        """The mail's HTML as it is, locked in."""
        html = self._mail(request).html
        head = _HEAD.search(html)
        at = head.end() if head is not None else 0
        return HTMLResponse(
            html[:at] + _BESIDE + html[at:], headers={"content-security-policy": _MAIL_POLICY}
        )

    def _mail(self, request: Request) -> CaughtMail:
        number = request.path_params["number"]
        mail = self._parts.inbox.mail(number) if self._parts.inbox is not None else None
        if mail is None:
            raise HTTPException(404, "This mail is not here (any more).")
        return mail

    def _campaign(self, id: str) -> dict[str, Any]:
        campaign, funnel = self._parts.view.campaigns[id], self._parts.view.funnel(id)
        outline: list[Row] = rows(campaign.definition, funnel)
        name = campaign.definition.name if campaign.definition is not None else ""
        return {
            "id": id,
            "name": name or id,
            "version": campaign.version,
            "funnel": funnel,
            "rows": outline,
            "came": sum(row.counts.came for row in outline),
            "has_graph": campaign.definition is not None,
        }

    def _page(self, name: str, status: int = 200, **values: Any) -> Response:
        parts = self._parts
        html = self._templates.get_template(name).render(
            now=iso(parts.clock.now_ms()),
            speed=parts.clock.speed,
            problem=parts.log.problem or parts.tail.problem,
            caught_up=parts.tail.caught_up,
            lower_bound=parts.view.funnels.places_dropped,
            **values,
        )
        return HTMLResponse(html, status)


def _time(text: str | None) -> str:
    """An ISO instant for people: `2026-01-05 10:00:00`."""
    return "–" if text is None else text[:19].replace("T", " ")


def _time_of_ms(ms: int) -> str:
    return _time(iso(ms))


def _lead_url(lead: str) -> str:
    return "/leads/" + quote(lead, safe="")


def _said(fact: tuple[FactList, FactRow]) -> str:
    """A fact's details as one line."""
    parts = []
    for key, value in fact[1].detail.items():
        if value in (None, "", [], {}):
            continue
        if key in ("due", "until", "deadline", "event_at") and isinstance(value, int):
            value = _time_of_ms(value)
        elif key == "command":
            value = f"{value[:8]}…"
        elif isinstance(value, list):
            value = ", ".join(map(str, value))
        text = str(value)
        parts.append(f"{key} {text if len(text) <= 80 else text[:79] + '…'}")
    return " · ".join(parts)


def _counted(counter: dict[str, int]) -> str:
    """Counts by reason, most first: `holdout 3, unsubscribed 1`."""
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered)
